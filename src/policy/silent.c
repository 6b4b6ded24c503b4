/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from silence: why it proves nothing, or that a required flow is missing, and the sentences for it. */
#include <stdio.h>

#include "expect-private.h"

#define SPAN_SIZE 32

/* "57.8 s", "3 ms": cut and not rounded, for an observation a little shorter than an hour does not last 3600 s. */
static const char *span(int64_t ns, char buf[static SPAN_SIZE])
{
    long long ms = ns / 1000000;

    if (ms < 1)
        snprintf(buf, SPAN_SIZE, "%s", ns > 0 ? "less than 1 ms" : "0 s");
    else if (ms < 100)
        snprintf(buf, SPAN_SIZE, "%lld ms", ms);
    else if (ms % 1000 < 100 || ms >= 1000000)
        snprintf(buf, SPAN_SIZE, "%lld s", ms / 1000);
    else
        snprintf(buf, SPAN_SIZE, "%lld.%lld s", ms / 1000, ms % 1000 / 100);
    return buf;
}

/* A server whose packets to this client are in the capture while the client's to it are not; or POLICY_NONE. */
static uint32_t hidden_server(const struct expector *x, const struct tally *t)
{
    const struct passages *passages = &expect_span(x, t->row)->passages;

    for (uint32_t s = 0; (s = passages_hidden(passages, t->client, s)) != POLICY_NONE; s++)
        if (would_do(x, t, s))
            return s;
    return POLICY_NONE;
}

/* A server that would do, to which nothing was captured, from anyone, though it acts on some of it; or POLICY_NONE. */
static uint32_t deaf_server(const struct expector *x, const struct tally *t)
{
    const struct passages *passages = &expect_span(x, t->row)->passages;

    for (uint32_t s = 0; (s = passages_deaf(passages, s)) != POLICY_NONE; s++)
        if (would_do(x, t, s))
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
    return coverage_presence(c, from, to);
}

static int64_t observed(const struct coverage *c)
{
    return coverage_watched(c, c->first_ns, c->last_ns);
}

static bool has_holes(const struct coverage *c)
{
    return observed(c) < c->last_ns - c->first_ns;
}

static void say_holes(const struct coverage *c, const char *before, char *buf, size_t size)
{
    char unheard[SPAN_SIZE];

    if (has_holes(c) && c->silent)
        add(buf, size, "%sno packet of anyone is in the capture in holes of %s in all, so that it is not shown to have run then", before,
            span(c->last_ns - c->first_ns - coverage_heard(c, c->first_ns, c->last_ns), unheard));
}

/* What was captured of one direction alone; a RST by itself is told as what it is, for it shows no session. */
static void say_one_sided(const struct coverage *c, const char *before, char *buf, size_t size)
{
    unsigned long long one_sided = c->one_sided, resets = c->resets;

    buf[0] = '\0';
    if (one_sided > 0)
        add(buf, size, "%s%llu of %llu TCP %s of hosts of the site %s one direction only in the capture", before, one_sided, (unsigned long long)c->sessions,
            c->sessions == 1 ? "session" : "sessions", one_sided == 1 ? "has" : "have");
    if (resets > 0)
        add(buf, size, "%s%llu TCP %s of hosts of the site %s nothing but a RST in %s", one_sided > 0 ? ", and " : before, resets, resets == 1 ? "flow" : "flows",
            resets == 1 ? "has" : "have", one_sided > 0 ? "it" : "the capture");
}

/* What is known not to have been captured, too little to explain a silence: " but that ...". */
static void say_unheard(const struct coverage *c, char *buf, size_t size)
{
    unsigned long long bytes = c->unseen_bytes, errors = c->unseen_errors;

    say_one_sided(c, " but that ", buf, size);
    if (bytes > 0)
        add(buf, size, "%s%llu byte%s of TCP data, an end of a connection counted as one, %s acknowledged and not captured", buf[0] == '\0' ? " but that " : ", and ", bytes,
            bytes == 1 ? "" : "s", bytes == 1 ? "was" : "were");
    if (errors > 0)
        add(buf, size, "%s%llu ICMP error%s", buf[0] == '\0' ? " but that " : ", and ", errors,
            errors == 1 ? " quotes a packet that is not in the capture before it" : "s quote packets that are not in the capture before them");
    say_holes(c, buf[0] == '\0' ? " but that " : ", and ", buf, size);
}

/* Why silence proves nothing, or NULL where it does prove something. */
static const char *uncovered(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct life *l = &expect_span(x, t->row)->lives[t->client];
    const char        *client = policy_host_name(x->p, t->client);
    uint32_t           hidden = hidden_server(x, t), deaf;
    int64_t            within = x->p->rows[t->row].within_ns;
    char               seen[SPAN_SIZE], needed[SPAN_SIZE];

    if (l->sent == 0 && l->resets > 0)
        snprintf(buf, size, "no TCP or UDP packet of %s was seen but RSTs, which others may have sent in its name", client);
    else if (l->sent == 0 && l->received > 0)
        snprintf(buf, size, "TCP or UDP packets to %s were captured and none from it, so its attempts could not have been seen", client);
    else if (l->sent == 0 && c->unjudged > 0) /* whose they are is not known */
        snprintf(buf, size, "no TCP or UDP packet of %s is among those that could be judged; %llu packet%s could not", client, (unsigned long long)c->unjudged, c->unjudged == 1 ? "" : "s");
    else if (l->sent == 0)
        snprintf(buf, size, "no TCP or UDP packet of %s was seen", client);
    else if (hidden != POLICY_NONE)
        snprintf(buf, size, "packets of %s to %s were captured and none the other way, though %s acted on some",
                 policy_host_name(x->p, hidden), client, policy_host_name(x->p, hidden));
    else if ((deaf = deaf_server(x, t)) != POLICY_NONE)
        snprintf(buf, size, "no TCP or UDP packet to %s is in the capture, though it acted on some", policy_host_name(x->p, deaf));
    else if (l->quoted > 0)
        snprintf(buf, size, "%llu ICMP error%s from or to %s that %s", (unsigned long long)l->quoted,
                 l->quoted == 1 ? " quotes a packet" : "s quote packets", client, l->quoted == 1 ? "is not in the capture before it" : "are not in the capture before them");
    else if (coverage_is_one_sided(c))
        say_one_sided(c, "", buf, size);
    else if (observed(c) < within) {
        snprintf(buf, size, "the %s lasts %s%s, and the flow has %s to happen", x->window_ns > 0 ? "observed part of the window" : "observation",
                 span(observed(c), seen), has_holes(c) ? " without a hole" : "", span(within, needed));
        say_holes(c, "; ", buf, size);
    } else if (presence(l, c, within) < within) {
        if (has_holes(c)) /* not every packet's time is kept */
            snprintf(buf, size, "by where its conversations begin and end, TCP and UDP packets of %s are known for %s without a hole, and the flow has %s to happen", client,
                     span(presence(l, c, within), seen), span(within, needed));
        else
            snprintf(buf, size, "TCP and UDP packets of %s were seen for %s, and the flow has %s to happen", client, span(presence(l, c, within), seen), span(within, needed));
        say_holes(c, "; ", buf, size);
    } else if (t->unasked > 0)
        snprintf(buf, size, "%s may have asked in such a flow, or by a broadcast, what is not in the capture", client);
    else if (c->lost > 0)
        snprintf(buf, size, "%llu packet%s known to be lost", (unsigned long long)c->lost, c->lost == 1 ? " is" : "s are");
    else if (c->unjudged > 0)
        snprintf(buf, size, "%llu packet%s could not be judged", (unsigned long long)c->unjudged, c->unjudged == 1 ? "" : "s");
    else if (c->filtered > 0)
        snprintf(buf, size, "the filter took %llu packet%s out", (unsigned long long)c->filtered, c->filtered == 1 ? "" : "s");
    else if (c->damaged)
        snprintf(buf, size, "an input could not be read to its end");
    else if (coverage_is_lossy(c))
        snprintf(buf, size, "acknowledgements show that %llu bytes of TCP data (an end of a connection counted as one) passed which were not captured", (unsigned long long)c->unseen_bytes);
    else
        return NULL;
    return buf;
}

/* Did any packet between the client and a server that would do pass the point of capture, as far as is known? */
static bool pair_was_seen(const struct expector *x, const struct tally *t)
{
    const struct passages *passages = &expect_span(x, t->row)->passages;

    if (expect_span(x, t->row)->coverage.summed)
        return true;
    for (uint32_t s = 0; (s = passages_peer(passages, t->client, s)) != POLICY_NONE; s++)
        if (would_do(x, t, s))
            return true;
    return false;
}

static bool only_groups(const struct life *l)
{
    return l->sent > 0 && l->sent_to_groups == l->sent;
}

static const char *sent_text(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct life *l = &expect_span(x, t->row)->lives[t->client];

    /* A packet counts in the window in which its flow began; 1 stands for some of a flow that began before. */
    if (x->window_ns > 0 && l->sent > 1)
        snprintf(buf, size, "packets (%llu in flows that began in this window%s)", (unsigned long long)l->sent, l->copies ? ", copies counted" : "");
    else if (x->window_ns > 0)
        snprintf(buf, size, "packets");
    else
        snprintf(buf, size, "%llu %s%s", (unsigned long long)l->sent, tcp_and_udp(l->sent), !l->copies ? "" : only_groups(l) ? ", copies counted" : ", copies counted,");
    if (only_groups(l))
        add(buf, size, ", all of them broadcasts or multicasts,");
    return buf;
}

/* In a window: the client did it before. */
static void say_before(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    char    at[EXPECT_TIME_SIZE], ago[SPAN_SIZE];
    int64_t start_ns = expect_span(x, t->row)->start_ns;

    if (t->before_ns != 0)
        add(buf, size, "; it was last seen to do so until %s UTC, %s before this window", expect_time_text(t->before_ns, 0, at, sizeof(at)),
            span(start_ns - t->before_ns, ago));
}

#define OLDER_PATIENCE 3 /* times 'within' */

/*
 * Who was in the middle of connections when the capture began may have done before what it does at their start.  'within' says how often that is due, and
 * so it is missing; but a silence of several times as long weighs more.
 */
static bool may_have_come_before(const struct expector *x, const struct tally *t, const struct coverage *c)
{
    const struct life *l = &expect_span(x, t->row)->lives[t->client];
    int64_t            within = x->p->rows[t->row].within_ns;
    int64_t            silent = x->window_ns == 0 ? presence(l, c, within) : l->last_ns > x->began_ns ? l->last_ns - x->began_ns : 0;

    return l->older > 0 && t->before_ns == 0 && silent / OLDER_PATIENCE < within;
}

static void say_older(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    unsigned long long n = expect_span(x, t->row)->lives[t->client].older;

    add(buf, size, " It was there before the capture (of %llu of its TCP connections the beginning is not in it), and may have done so then.", n);
}

static void advise_silent(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct elsewhere *e = &t->elsewhere;
    const char             *client = policy_host_name(x->p, t->client);
    char                    server[HOST_TEXT_SIZE], service[16], within[32];

    if (e->protocol[0] != '\0') {
        host_text(x->p, &e->server, server, sizeof(server));
        service_text(e->transport, e->port, service, sizeof(service));
    }
    if (e->other) {
        add(buf, size, " What it had with %s on %s is %s by its content, which is a finding of its own (wrong-protocol). Look at what uses that port", server, service, e->protocol);
    } else if (e->protocol[0] != '\0') {
        add(buf, size, " It used %s of %s on %s instead, which is a finding of its own (wrong-port). Look at the ports, TCP or UDP, that %s is set to use", e->protocol,
            server, service, policy_host_name(x->p, policy_host(x->p, &e->server)));
    } else if (t->before_ns != 0) {
        add(buf, size, " Look at whether %s still does it, and at whether it does so as often as once in %s ('within')", client,
            expect_duration_text(x->p->rows[t->row].within_ns, within, sizeof(within)));
    } else {
        add(buf, size, " Look at whether %s is set up to use it", client);
    }
    if (only_groups(&expect_span(x, t->row)->lives[t->client]))
        add(buf, size, ", and at whether what it sends to single hosts passes the point of capture, for broadcasts are heard where that is not");
    else if (!e->other && !pair_was_seen(x, t))
        add(buf, size, ", and, as no TCP or UDP packet between these hosts is in the capture in that time, at whether such packets pass the point of capture");
    add(buf, size, "; where it need not be seen, say so in the site file.");
}

/* "No NetBIOS (UDP 137) from a (10.0.0.1) to b (10.0.0.2) was seen", unless packets between like ports, which show no attempt, would belie it. */
static void say_unseen(const struct expector *x, const struct tally *t, const char *service, const char *address, const char *servers, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client);
    unsigned long long       n = t->unasked > t->asked_back ? t->unasked : t->asked_back;

    if (n == 0) {
        snprintf(buf, size, "No %s from %s (%s) to %s was seen (row %s, \"%s\")", service, client, address, servers, row->id.text, row->section);
        return;
    }
    snprintf(buf, size, "No attempt of %s (%s) at %s to %s was seen (row %s, \"%s\"), though %llu UDP flow%s of these hosts %s, with ", client, address, service, servers, row->id.text, row->section, n,
             n == 1 ? "" : "s", n == 1 ? "was" : "were");
    if (t->asked_back == n)
        add(buf, size, "no request but of the other side");
    else
        add(buf, size, "answers, to a broadcast or to what is not in the capture, or queries of the server");
}

enum expectation_outcome say_silent(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size, struct told *ret_told)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client);
    char                     address[ADDRESSES_SIZE], servers[SERVERS_SIZE], why[768], service[SERVICE_TEXT_SIZE], sent[128], lived[SPAN_SIZE], sided[768];

    addresses_of(x->p, t->client, address);
    name_servers(x, t, servers, sizeof(servers));
    service_of(x, t, service, sizeof(service));
    if (uncovered(x, t, c, why, sizeof(why)) != NULL) {
        say_unseen(x, t, service, address, servers, buf, size);
        add(buf, size, ", which proves nothing: %s.", why);
        return EXPECT_NOT_COVERED;
    }
    say_unheard(c, sided, sizeof(sided));
    snprintf(buf, size, "%s (%s) was not seen to try %s to %s in %s%s of its presence%s, though it sent %s and no loss is known%s", client, address, service, servers, has_holes(c) ? "" : "the ",
             span(presence(&expect_span(x, t->row)->lives[t->client], c, x->p->rows[t->row].within_ns), lived), has_holes(c) ? " that are without a hole" : "",
             sent_text(x, t, sent, sizeof(sent)), sided);
    say_before(x, t, buf, size);
    add(buf, size, ". The document requires this flow (row %s, \"%s\").", row->id.text, row->section);
    ret_told->weak = may_have_come_before(x, t, c);
    if (ret_told->weak)
        say_older(x, t, buf, size);
    if (t->elsewhere.protocol[0] == '\0' && t->before_ns == 0)
        ret_told->advice_at = strlen(buf);
    advise_silent(x, t, buf, size);
    return EXPECT_NEVER_ATTEMPTED;
}

/* Attempts without an answer: is the answer missing, or only missing from the capture? */
bool silence_unproven(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    bool                     lossy = coverage_is_lossy(c);
    uint64_t                 cut = cut_to(x, t);
    char                     from[CLIENT_TEXT_SIZE], servers[SERVERS_SIZE], service[SERVICE_TEXT_SIZE], why[128] = "the capture ends too soon after it";
    bool                     answered = t->undelivered > 0 && t->undelivered == t->n[OUTCOME_UNANSWERED];

    if (!lossy && (cut == 0 || answered) && !coverage_ends_before_answer(c, t->silent_ns))
        return false;
    if (has_holes(c))
        snprintf(why, sizeof(why), "the capture ends, or a hole in it begins, too soon after it");
    if (lossy)
        snprintf(why, sizeof(why), "packets passed that were not captured");
    else if (cut > 0 && !answered)
        snprintf(why, sizeof(why), "%llu packet%s cut before the ports (of an ICMP error: those that it quotes), which may have been an answer", (unsigned long long)cut,
                 cut == 1 ? " was" : "s were");
    name_tried(x, t, servers, sizeof(servers));
    snprintf(buf, size, "%s tried %s to %s (row %s, \"%s\"), and %s, which proves nothing: %s.",
             client_of(x, t, from, sizeof(from)), tried_of(x, t, service, sizeof(service)), servers, row->id.text, row->section,
             answered ? "sent its SYN again after the answer (SYN, ACK)" : "no answer was seen", why);
    return true;
}
