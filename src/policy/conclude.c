/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from attempts and from silence, and the sentences for it. */
#include <stdio.h>

#include "expect-private.h"

#define MOST_SERVERS_NAMED 4
#define PORTS_TEXT_SIZE 128
#define SERVICE_TEXT_SIZE 256

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

/* "LDAP (TCP and UDP 389)": what is looked for in the capture. */
static const char *service_of(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct applied_row *a = &x->p->rows[t->row];
    char                      ports[PORTS_TEXT_SIZE];

    snprintf(buf, size, "%s (%s)", a->row->service, ports_text(a, ports, sizeof(ports)));
    return buf;
}

/* What became of attempts that failed, in words. */
struct failure {
    enum outcome             outcome;
    enum expectation_outcome result;
    const char              *what, *advice;
};

/* A RST is in the server's name, whoever sent it: its TTL may tell. */
static void say_reset(const struct denial *d, bool prohibited, char *buf, size_t size)
{
    char rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE];

    if (prohibited && d->own.min != 0)
        snprintf(buf, size, "refused by a RST that is not like the server's packets (%s, the server's own have %s)",
                 ttl_text(&d->rst, rst, sizeof(rst)), ttl_text(&d->own, own, sizeof(own)));
    else if (prohibited)
        snprintf(buf, size, "refused by a RST that is not like the server's packets");
    else if (d->own.min != 0)
        snprintf(buf, size, "refused by a RST with %s, as the server's other packets have", ttl_text(&d->rst, rst, sizeof(rst)));
    else
        snprintf(buf, size, "refused by a RST in the server's name");
}

/* What came instead of an answer, and what that tells to look at. */
static void say_denial(const struct expector *x, const struct tally *t, bool prohibited, char *what, size_t what_size, char *advice, size_t advice_size)
{
    const struct denial *d = &t->denials[prohibited];
    char                 error[ICMP_TEXT_SIZE], reset[256] = "", sender[HOST_TEXT_SIZE];
    bool                 filter = policy_icmp_prohibits(&d->icmp);
    uint32_t             host = policy_host(x->p, &d->icmp.sender);

    if (d->icmp.n_errors == 0) {
        say_reset(d, prohibited, what, what_size);
        if (prohibited)
            snprintf(advice, advice_size, "Look for what answers in the server's name on the way.");
        return;
    }
    if (d->reset)
        say_reset(d, prohibited, reset, sizeof(reset));
    snprintf(what, what_size, "answered by %s%s%s%s", t->tried_others ? "errors, the first " : "", icmp_text(x->p, &d->icmp, error, sizeof(error)),
             d->reset ? ", or " : "", reset);
    if (!prohibited)
        return;
    host_text(x->p, &d->icmp.sender, sender, sizeof(sender));
    if (filter && host != POLICY_NONE && would_do(x, t, host))
        snprintf(advice, advice_size, "Look at a filter on %s itself, or one that answers in its name.", sender);
    else
        snprintf(advice, advice_size, filter ? "Look at what %s filters." : "Look at why %s reports so.", sender);
}

static void say_failed(const struct expector *x, const struct tally *t, const struct failure *f, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    char servers[512], service[SERVICE_TEXT_SIZE], some[48] = "", what[ICMP_TEXT_SIZE + 320], advice[HOST_TEXT_SIZE + 96];

    if (t->tried_others)
        name_servers(x, t, servers, sizeof(servers));
    else
        snprintf(servers, sizeof(servers), "%s (%s)", policy_host_name(x->p, t->tried_server), policy_host_address(x->p, t->tried_server));
    snprintf(what, sizeof(what), "%s", f->what);
    snprintf(advice, sizeof(advice), "%s", f->advice);
    if (f->outcome == OUTCOME_PROHIBITED || f->outcome == OUTCOME_REFUSED)
        say_denial(x, t, f->outcome == OUTCOME_PROHIBITED, what, sizeof(what), advice, sizeof(advice));
    if (t->n[f->outcome] < t->attempts)
        snprintf(some, sizeof(some), "%llu of them ", (unsigned long long)t->n[f->outcome]);
    snprintf(buf, size, "%s (%s) tried %s to %s %llu time%s: %s%s. The document requires this flow (row %s, \"%s\"). %s",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), service_of(x, t, service, sizeof(service)), servers,
             (unsigned long long)t->attempts, t->attempts == 1 ? "" : "s", some, what, row->id.text, row->section, advice);
}

/* Did any packet between the client and a server that would do pass the point of capture, as far as is known? */
static bool pair_was_seen(const struct expector *x, const struct tally *t)
{
    const struct passages *passages = &expect_span(x, t->row)->passages;

    if (expect_span(x, t->row)->coverage.summed)
        return true;
    for (uint32_t s = 0; s < x->p->site->n_hosts; s++)
        if (would_do(x, t, s) && (passages_see(passages, t->client, s) || passages_see(passages, s, t->client)))
            return true;
    return false;
}

static enum expectation_outcome say_silent(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf,
                                           size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client), *address = policy_host_address(x->p, t->client);
    char                     servers[512], why[512], service[SERVICE_TEXT_SIZE];

    name_servers(x, t, servers, sizeof(servers));
    service_of(x, t, service, sizeof(service));
    if (uncovered(x, t, c, why, sizeof(why)) != NULL) {
        snprintf(buf, size, "No %s from %s (%s) to %s was seen (row %s), which proves nothing: %s.", service, client, address,
                 servers, row->id.text, why);
        return EXPECT_NOT_COVERED;
    }
    const struct life *l = &expect_span(x, t->row)->lives[t->client];
    char               sent[64] = "packets";

    if (x->window_ns == 0) /* else a packet counts in the window in which its flow began */
        snprintf(sent, sizeof(sent), "%llu packet%s", (unsigned long long)l->sent, l->sent == 1 ? "" : "s");
    snprintf(buf, size,
             "%s (%s) was not seen to try %s to %s in the %lld s of its presence, though it sent %s and no loss is known. The document "
             "requires this flow (row %s, \"%s\"). Look at whether %s is set up to use it%s; where it need not be seen, say so in the site file.",
             client, address, service, servers, seconds(presence(l, c, x->p->rows[t->row].within_ns)), sent, row->id.text, row->section, client,
             pair_was_seen(x, t) ? "" : ", and, as no judged flow between these hosts is in the capture in that time, at whether such packets pass the point of capture");
    return EXPECT_NEVER_ATTEMPTED;
}

/* Attempts without an answer: is the answer missing, or only missing from the capture? */
static bool silence_unproven(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    bool                     lossy = coverage_is_lossy(c);
    char                     servers[512], service[SERVICE_TEXT_SIZE];

    if (!lossy && !coverage_ends_before_answer(c, t->silent_ns))
        return false;
    name_servers(x, t, servers, sizeof(servers));
    snprintf(buf, size, "%s (%s) tried %s to %s (row %s), and no answer was seen, which proves nothing: %s.",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), service_of(x, t, service, sizeof(service)), servers, row->id.text,
             lossy ? "packets passed that were not captured" : "the capture ends too soon after it");
    return true;
}

enum expectation_outcome expect_conclude(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct coverage *c = &expect_span(x, t->row)->coverage;
    static const struct failure failures[] = {
        {OUTCOME_PROHIBITED, EXPECT_PROHIBITED, "", ""},
        {OUTCOME_REFUSED, EXPECT_REFUSED, "", "Look at whether the service runs there."},
        {OUTCOME_UNANSWERED, EXPECT_UNANSWERED, "no answer was seen", "Look at whether the server is up, and at what drops packets on the way."},
        {OUTCOME_ONE_WAY, EXPECT_ONE_WAY, "only one direction was captured, so whether it worked cannot be told", "Look at where the capture was taken."},
    };

    if (t->seen) {
        const struct matrix_row *row = x->p->rows[t->row].row;
        char                     service[SERVICE_TEXT_SIZE];

        snprintf(buf, size, "%s from %s (%s) to %s (%s) was seen (row %s).", service_of(x, t, service, sizeof(service)), policy_host_name(x->p, t->client),
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
