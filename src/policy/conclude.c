/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from attempts and from silence, and the sentences for it. */
#include <stdio.h>

#include "expect-private.h"

#define MOST_SERVERS_NAMED 4

/* Whole ones: an observation a little shorter than an hour does not last 3600. */
static long long seconds(int64_t ns)
{
    return ns / 1000000000;
}

/* Would this host do as the server? */
static bool would_do(const struct expector *x, const struct tally *t, uint32_t server)
{
    if (server == t->client)
        return false;
    return t->server != POLICY_NONE ? server == t->server : sets_meet(&host_group(x->p, server)->roles, &x->p->rows[t->row].to);
}

/* A server whose packets to this client are in the capture while the client's to it are not; or POLICY_NONE. */
static uint32_t hidden_server(const struct expector *x, const struct tally *t)
{
    const struct passages *passages = &expect_span(x, t->row)->passages;

    for (uint32_t s = 0; s < x->p->site->n_hosts; s++)
        if (passages_hide(passages, t->client, s) && would_do(x, t, s))
            return s;
    return POLICY_NONE;
}

/*
 * How long the client was there to try: from its first packet to its last.  Where it was also seen before or after the window it was
 * there at the window's edge as well, unless it was silent for as long as the flow has to happen.
 */
static int64_t presence(const struct life *l, const struct coverage *c, int64_t within)
{
    int64_t from = l->first_ns, to = l->last_ns;

    if (l->before_ns != 0 && from - l->before_ns <= within)
        from = l->before_ns;
    if (l->after_ns != 0 && l->after_ns - to <= within)
        to = l->after_ns;
    from = from > c->first_ns ? from : c->first_ns;
    to = to < c->last_ns ? to : c->last_ns;
    return to > from ? to - from : 0;
}

static int64_t observed(const struct coverage *c)
{
    return c->longest_ns > 0 ? c->longest_ns : c->last_ns - c->first_ns;
}

/* Why silence proves nothing, or NULL where it does prove something. */
static const char *uncovered(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct life *l = &expect_span(x, t->row)->lives[t->client];
    const char        *client = policy_host_name(x->p, t->client);
    uint32_t           hidden = hidden_server(x, t);
    int64_t            within = x->p->rows[t->row].within_ns;

    if (l->sent == 0 && l->received > 0)
        snprintf(buf, size, "packets to %s were captured and none from it, so its attempts could not have been seen", client);
    else if (l->sent == 0)
        snprintf(buf, size, "no packet of %s was seen", client);
    else if (hidden != POLICY_NONE)
        snprintf(buf, size, "packets of %s to %s were captured and none the other way, though %s acted on some",
                 policy_host_name(x->p, hidden), client, policy_host_name(x->p, hidden));
    else if (coverage_is_one_sided(c))
        snprintf(buf, size, "of %llu of %llu TCP sessions one direction is not in the capture", (unsigned long long)c->one_sided,
                 (unsigned long long)c->sessions);
    else if (observed(c) < within)
        snprintf(buf, size, "the %s lasts %lld s%s, and the flow has %lld s to happen", x->window_ns > 0 ? "observed part of the window" : "observation",
                 seconds(observed(c)), c->longest_ns > 0 ? " without a hole" : "", seconds(within));
    else if (presence(l, c, within) < within)
        snprintf(buf, size, "%s itself was seen for %lld s, and the flow has %lld s to happen", client, seconds(presence(l, c, within)),
                 seconds(within));
    else if (c->lost > 0)
        snprintf(buf, size, "%llu packet%s known to be lost", (unsigned long long)c->lost, c->lost == 1 ? " is" : "s are");
    else if (c->unjudged > 0)
        snprintf(buf, size, "%llu packet%s could not be judged", (unsigned long long)c->unjudged, c->unjudged == 1 ? "" : "s");
    else if (c->filtered > 0)
        snprintf(buf, size, "the filter took %llu packet%s out", (unsigned long long)c->filtered, c->filtered == 1 ? "" : "s");
    else if (c->damaged)
        snprintf(buf, size, "an input could not be read to its end");
    else if (coverage_is_lossy(c))
        snprintf(buf, size, "acknowledgements show that %llu bytes passed which were not captured", (unsigned long long)c->unseen_bytes);
    else
        return NULL;
    return buf;
}

/* The servers that would do: "dc1 (10.20.2.10) or dc2 (10.20.2.11)". */
static void name_servers(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct policy *p = x->p;
    size_t               len = 0;
    unsigned             n = 0;

    buf[0] = '\0';
    for (uint32_t s = 0; s < p->site->n_hosts && len < size; s++) {
        if (!would_do(x, t, s))
            continue;
        if (n++ == MOST_SERVERS_NAMED) {
            snprintf(buf + len, size - len, " or others");
            return;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", n > 1 ? " or " : "", policy_host_name(p, s),
                                policy_host_address(p, s));
    }
}

/* What became of attempts that failed, in words. */
struct failure {
    enum outcome             outcome;
    enum expectation_outcome result;
    const char              *what, *advice;
};

static void say_failed(const struct expector *x, const struct tally *t, const struct failure *f, char *buf, size_t size)
{
    const char              *what = f->what;
    const struct matrix_row *row = x->p->rows[t->row].row;
    char                     servers[512], error[ICMP_TEXT_SIZE], rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE], why[ICMP_TEXT_SIZE + 64] = "", some[48] = "";

    if (t->tried_others)
        name_servers(x, t, servers, sizeof(servers));
    else
        snprintf(servers, sizeof(servers), "%s (%s)", policy_host_name(x->p, t->tried_server), policy_host_address(x->p, t->tried_server));
    if (f->result == EXPECT_PROHIBITED && t->icmp.n_errors > 0) {
        snprintf(why, sizeof(why), "stopped by %s%s", t->tried_others ? "errors, the first " : "",
                 icmp_text(x->p, &t->icmp, error, sizeof(error)));
        what = "";
    } else if (f->result == EXPECT_PROHIBITED && t->own.min != 0) {
        snprintf(why, sizeof(why), ", RST with %s, where the server's own packets have %s", ttl_text(&t->rst, rst, sizeof(rst)),
                 ttl_text(&t->own, own, sizeof(own)));
    }
    if (t->n[f->outcome] < t->attempts)
        snprintf(some, sizeof(some), "%llu of them ", (unsigned long long)t->n[f->outcome]);
    snprintf(buf, size, "%s (%s) tried %s to %s %llu time%s: %s%s%s. The document requires this flow (row %s, \"%s\"). %s",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), row->service, servers,
             (unsigned long long)t->attempts, t->attempts == 1 ? "" : "s", some, what, why, row->id.text, row->section, f->advice);
}

static enum expectation_outcome say_silent(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf,
                                           size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client), *address = policy_host_address(x->p, t->client);
    char                     servers[512], why[512];

    name_servers(x, t, servers, sizeof(servers));
    if (uncovered(x, t, c, why, sizeof(why)) != NULL) {
        snprintf(buf, size, "No %s from %s (%s) to %s was seen (row %s), which proves nothing: %s.", row->service, client, address,
                 servers, row->id.text, why);
        return EXPECT_NOT_COVERED;
    }
    const struct life *l = &expect_span(x, t->row)->lives[t->client];
    char               sent[64] = "packets";

    if (x->window_ns == 0) /* else a packet counts in the window in which its flow began */
        snprintf(sent, sizeof(sent), "%llu packet%s", (unsigned long long)l->sent, l->sent == 1 ? "" : "s");
    snprintf(buf, size,
             "%s (%s) was not seen to try %s to %s in the %lld s of its presence, though it sent %s and no loss is known. The document "
             "requires this flow (row %s, \"%s\"). Look at whether %s is set up to use it; where it need not be seen, say so in the site file.",
             client, address, row->service, servers, seconds(presence(l, c, x->p->rows[t->row].within_ns)), sent, row->id.text, row->section,
             client);
    return EXPECT_NEVER_ATTEMPTED;
}

/* Attempts without an answer: is the answer missing, or only missing from the capture? */
static bool silence_unproven(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    bool                     lossy = coverage_is_lossy(c);
    char                     servers[512];

    if (!lossy && !coverage_ends_before_answer(c, t->silent_ns))
        return false;
    name_servers(x, t, servers, sizeof(servers));
    snprintf(buf, size, "%s (%s) tried %s to %s (row %s), and no answer was seen, which proves nothing: %s.",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), row->service, servers, row->id.text,
             lossy ? "packets passed that were not captured" : "the capture ends too soon after it");
    return true;
}

enum expectation_outcome expect_conclude(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct coverage *c = &expect_span(x, t->row)->coverage;
    static const struct failure failures[] = {
        {OUTCOME_PROHIBITED, EXPECT_PROHIBITED, "stopped by something other than the server", "Look at what filters there."},
        {OUTCOME_REFUSED, EXPECT_REFUSED, "refused by the server", "Look at whether the service runs there."},
        {OUTCOME_UNANSWERED, EXPECT_UNANSWERED, "no answer was seen", "Look at whether the server is up, and at what drops packets on the way."},
        {OUTCOME_ONE_WAY, EXPECT_ONE_WAY, "only one direction was captured, so whether it worked cannot be told", "Look at where the capture was taken."},
    };

    if (t->seen) {
        const struct matrix_row *row = x->p->rows[t->row].row;

        snprintf(buf, size, "%s from %s (%s) to %s (%s) was seen (row %s).", row->service, policy_host_name(x->p, t->client),
                 policy_host_address(x->p, t->client), policy_host_name(x->p, t->seen_server),
                 policy_host_address(x->p, t->seen_server), row->id.text);
        return EXPECT_SEEN;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (t->n[failures[i].outcome] > 0) {
            if (failures[i].outcome == OUTCOME_UNANSWERED && silence_unproven(x, t, c, buf, size))
                return EXPECT_NOT_COVERED;
            say_failed(x, t, &failures[i], buf, size);
            return failures[i].result;
        }
    }
    return say_silent(x, t, c, buf, size);
}
