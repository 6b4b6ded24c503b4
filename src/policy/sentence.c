/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences for people: who did what and what became of it; clause.c goes on with what the document says and where to look.  All vendor words
 * come from the matrix.  Nothing is said that the facts do not hold: a connection that was not answered was tried, not made, and a port that
 * answered a probe was found open, not used.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

const char *host_text(const struct policy *p, const struct addr *a, char *buf, size_t size)
{
    char     text[ADDR_TEXT_SIZE];
    uint32_t host = policy_host(p, a);

    addr_text(a, text);
    if (host != POLICY_NONE)
        snprintf(buf, size, "%s (%s)", policy_host_name(p, host), text);
    else
        snprintf(buf, size, "%s", text);
    return buf;
}

const char *service_text(uint8_t transport, uint16_t port, char *buf, size_t size)
{
    snprintf(buf, size, "%s %u", transport == IPPROTO_TCP ? "TCP" : "UDP", port);
    return buf;
}

void say(struct text *t, const char *fmt, ...)
{
    size_t  at = t->len < t->size ? t->len : t->size;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(at < t->size ? t->buf + at : NULL, t->size - at, fmt, args);
    va_end(args);
    t->len += n > 0 ? (size_t)n : 0;
}

/* --- what was seen ---------------------------------------------------------------------------------------- */

/* RFC 792, RFC 1122, RFC 1812: codes of "destination unreachable". */
static const char *const unreachable[] = {
    "network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed", "source route failed",
    "network unknown", "host unknown", "host isolated", "network administratively prohibited", "host administratively prohibited",
    "network unreachable for this type of service", "host unreachable for this type of service",
    "communication administratively prohibited", "host precedence violation", "precedence cutoff",
};
/* RFC 4443 */
static const char *const unreachable6[] = {
    "no route", "communication administratively prohibited", "beyond scope of source address", "address unreachable", "port unreachable",
    "source address failed policy", "route rejected",
};

bool policy_icmp_prohibits(const struct flow_icmp *icmp)
{
    if (icmp->is_icmp6)
        return icmp->type == 1 && (icmp->code == 1 || icmp->code == 5 || icmp->code == 6);
    return icmp->type == 3 && (icmp->code == 9 || icmp->code == 10 || icmp->code == 13);
}

static const char *icmp_meaning(const struct flow_icmp *icmp)
{
    if (icmp->type == (icmp->is_icmp6 ? 3 : 11))
        return "time exceeded";
    if (icmp->type == (icmp->is_icmp6 ? 4 : 12))
        return "parameter problem";
    if (icmp->is_icmp6 ? icmp->type == 2 : icmp->type == 4)
        return icmp->is_icmp6 ? "packet too big" : "source quench";
    if (!icmp->is_icmp6 && icmp->type == 5)
        return "redirect";
    if (icmp->is_icmp6)
        return icmp->type == 1 && icmp->code < sizeof(unreachable6) / sizeof(unreachable6[0]) ? unreachable6[icmp->code] : "error";
    return icmp->type == 3 && icmp->code < sizeof(unreachable) / sizeof(unreachable[0]) ? unreachable[icmp->code] : "error";
}

const char *icmp_text(const struct policy *p, const struct flow_icmp *icmp, char *buf, size_t size)
{
    char sender[HOST_TEXT_SIZE];

    snprintf(buf, size, "ICMP%s \"%s\" (type %u code %u) from %s", icmp->is_icmp6 ? "v6" : "", icmp_meaning(icmp), icmp->type, icmp->code,
             host_text(p, &icmp->sender, sender, sizeof(sender)));
    return buf;
}

const char *beside_text(bool beside)
{
    return beside ? " at the same point of capture" : "";
}

const char *ttl_text(const struct ttl_range *r, char *buf, size_t size)
{
    if (r->min == r->max)
        snprintf(buf, size, "TTL %u", r->min);
    else
        snprintf(buf, size, "TTLs from %u to %u", r->min, r->max);
    return buf;
}

/* The number is that of one place, and the packet that is named may be of another. */
const char *like_text(bool beside, const struct ttl_range *rst, char buf[static LIKE_TEXT_SIZE])
{
    char ttl[TTL_TEXT_SIZE];

    if (beside)
        return "a TTL that";
    snprintf(buf, LIKE_TEXT_SIZE, "%s, as", ttl_text(rst, ttl, sizeof(ttl)));
    return buf;
}

/* What the client did, as far as it is known. */
static const char *deed(const struct policy_query *q, const struct policy_facts *f)
{
    if (q->tuple.transport != IPPROTO_TCP || f->outcome == OUTCOME_ONE_WAY)
        return "sent to";
    return f->outcome == OUTCOME_ESTABLISHED ? "connected to" : "tried to connect to";
}

bool is_probe(const struct policy_query *q, const struct policy_facts *f)
{
    return q->direction_known && ((f->probe && f->outcome == OUTCOME_ESTABLISHED) || (f->unfinished && f->outcome == OUTCOME_ONE_WAY));
}

/* Of what the server's SYN, ACK answers nothing is in the capture: it is the server's deed that was seen. */
static bool is_synless(const struct policy_query *q, const struct policy_facts *f)
{
    return is_probe(q, f) && f->synless > 0 && f->synless == f->flows;
}

static bool is_stray(const struct policy_facts *f)
{
    return f->outcome == OUTCOME_REFUSED && f->strays > 0 && f->strays == f->flows;
}

/* "a FIN without ACK", "a segment with FIN, PSH and URG, ...": flags as RFC 9293, 3.1, has them */
static void say_stray(struct text *t, uint8_t flags)
{
    static const struct {
        uint8_t     flag;
        const char *name;
    } names[] = {{1, "FIN"}, {8, "PSH"}, {32, "URG"}};
    unsigned n = 0, n_all = 0;

    for (size_t i = 0; flags != 0xff && i < sizeof(names) / sizeof(names[0]); i++)
        n_all += (flags & names[i].flag) != 0;
    if (n_all == 0) {
        say(t, flags == 0xff ? "segments without SYN and ACK" : "a segment without SYN, ACK and FIN");
        return;
    }
    say(t, n_all > 1 ? "a segment with " : "a ");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((flags & names[i].flag) != 0) {
            say(t, "%s%s", n == 0 ? "" : n + 1 == n_all ? " and " : ", ", names[i].name);
            n++;
        }
    say(t, n_all > 1 ? ", without SYN and ACK," : " without ACK");
}

/* A connection that was there before, by all that the capture has of it. */
static bool is_old(const struct policy_query *q, const struct policy_facts *f)
{
    return q->direction_known && f->no_handshake && f->outcome == OUTCOME_ESTABLISHED;
}

/* Connections are made, or tried, so many times; of what is only sent a flow is many packets. */
static void say_times(struct text *t, const struct policy_query *q, const struct policy_facts *f)
{
    bool is_deed = q->tuple.transport == IPPROTO_TCP && q->direction_known && (f->outcome != OUTCOME_ONE_WAY || is_probe(q, f));

    if (f->flows < 2 || is_old(q, f))
        return;
    bool both = q->sent[0] && q->sent[1] && f->packets >= 2 * f->flows; /* of fewer, some flow has one way only */
    if (is_deed)
        say(t, " %llu times", (unsigned long long)f->flows);
    else
        say(t, " (%llu flows, %llu packets%s)", (unsigned long long)f->flows, (unsigned long long)f->packets, both ? " both ways" : "");
}

/* To which of its ports a server sent whose client is not in the capture: else findings of several of them could not be told apart. */
static void say_client_ports(struct text *t, const struct policy_query *q, const struct policy_facts *f)
{
    const char *transport = q->tuple.transport == IPPROTO_TCP ? "TCP" : "UDP";

    if (f->client_ports[0] == 0)
        return;
    if (f->client_ports[0] == f->client_ports[1])
        say(t, " to its %s %u", transport, f->client_ports[0]);
    else
        say(t, " to several %s ports of the latter, from %u to %u", transport, f->client_ports[0], f->client_ports[1]);
}

static const char *what_sent(const struct policy_facts *f)
{
    return !f->lone_reset ? "to" : f->flows == 1 ? "a RST to" : "RSTs to";
}

/* Where nobody knows which of the two ports is a service's, both are told. */
static void say_exchange(struct text *t, const struct policy_query *q, const struct policy_facts *f, const char *client, const char *server)
{
    const char *transport = q->tuple.transport == IPPROTO_TCP ? "TCP" : "UDP";

    say(t, "%s and %s %s between ", client, server, f->flows > 1 && f->packets < 2 * f->flows ? "sent packets to each other," : "exchanged packets");
    if (f->client_ports[0] == f->client_ports[1])
        say(t, "%s %u", transport, q->tuple.client_port);
    else
        say(t, "%s ports from %u to %u", transport, f->client_ports[0], f->client_ports[1]);
    say(t, " of the former and %s %u of the latter", transport, q->tuple.server_port);
}

static void say_who(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[HOST_TEXT_SIZE], server[HOST_TEXT_SIZE], service[16];

    host_text(p, &q->tuple.client, client, sizeof(client));
    host_text(p, &q->tuple.server, server, sizeof(server));
    service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service));
    if (is_synless(q, f))
        say(t, "%s answered %s that its %s is open (SYN, ACK)", server, client, service);
    else if (is_probe(q, f))
        say(t, "%s %s %s of %s", client, f->outcome == OUTCOME_ESTABLISHED ? "probed" : "tried", service, server);
    else if (q->sent[1] && !q->sent[0]) {
        say(t, "%s sent %s %s from %s", server, what_sent(f), client, service);
        say_client_ports(t, q, f);
    } else if (is_stray(f)) {
        say(t, "%s sent ", client);
        say_stray(t, f->stray_flags);
        say(t, " to %s on %s", server, service);
    } else if (is_old(q, f)) {
        say(t, "%s used %s of %s in ", client, service, server);
        if (f->flows == 1)
            say(t, "a connection whose beginning is not in the capture");
        else
            say(t, "%llu connections whose beginnings are not in the capture", (unsigned long long)f->flows);
    } else if (f->lone_reset && q->sent[0] && !q->sent[1])
        say(t, "%s sent %s %s on %s", client, what_sent(f), server, service);
    else if (q->direction_known)
        say(t, "%s %s %s on %s", client, deed(q, f), server, service);
    else if (q->sent[1])
        say_exchange(t, q, f, client, server);
    else
        say(t, "%s sent to %s on %s", client, server, service);
}

/* What the classifier's word for a detail means to people. */
static const char *detail_words(const char *detail)
{
    static const struct {
        const char *detail, *words;
    } table[] = {
        {"SMBv1", "SMB 1"}, {"SMBv23", "SMB 2 or 3"}, {"session", "NetBIOS session service"}, {"datagram", "NetBIOS datagram service"},
        {"mailslot", "NetBIOS mailslot message"}, {"kpasswd", "Kerberos change of a password"}, {"browser", "SQL Server browser service"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(detail, table[i].detail) == 0)
            return table[i].words;
    return detail;
}

static void say_content(struct text *t, const struct app *app)
{
    const char *name = app->detail[0] != '\0' ? detail_words(app->detail) : app->name;

    if (app->basis == APP_CONTENT)
        say(t, ", carrying %s", name);
    else if (app->basis == APP_HINT)
        say(t, ", and the content looks like %s", name);
}

/* Media is no question: the other side speaks too. */
static void say_answered(struct text *t, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    if (!q->direction_known || !q->sent[0])
        return;
    if (q->tuple.transport == IPPROTO_TCP)
        say(t, "%s", f->answer_first && !is_probe(q, f) && !is_old(q, f) ? "; the first packet of it that was captured is the server's" : "");
    else if (media)
        say(t, "; packets came the other way too%s", f->answer_first ? ", the first of all among them" : "");
    else
        say(t, "; it was answered%s", f->answer_first ? ", and the first packet of it that was captured is the server's" : "");
}

/* What went for a while before something denied it: both are told, and from where on. */
static void say_denied_late(struct text *t, const struct policy_facts *f)
{
    const struct flow_icmp *icmp = f->icmp;
    unsigned long long      n = icmp->n_errors - icmp->n_repeated;

    if (icmp->n_before < 2 || !icmp->about_client_packet || icmp->after_answer)
        return;
    if (f->errors_differ)
        say(t, " (one of %llu errors, in", n);
    else
        say(t, " (%llu error%s, %sin", n, n == 1 ? "" : "s", n == 1 ? "" : "the first ");
    say(t, " packet %llu", (unsigned long long)icmp->packet_number);
    if (f->icmp_input != NULL)
        say(t, " of %s", f->icmp_input);
    say(t, ", when %llu ", (unsigned long long)icmp->n_before);
    if (f->flows == 1)
        say(t, "of the %llu packets had gone there, without an answer)", (unsigned long long)(f->packets - icmp->n_copies));
    else
        say(t, "packets of its flow had gone there, without an answer)");
}

/* Whoever sent a RST wrote the server's address into it: more than that only its TTL tells. */
static void say_refused(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char icmp[ICMP_TEXT_SIZE], rst[LIKE_TEXT_SIZE];

    if (f->icmp != NULL && f->icmp->n_errors > 0 && f->icmp->from_server) {
        say(t, "; it was refused by %s", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
        say_denied_late(t, f);
    } else if (f->own.min != 0)
        say(t, "; it was refused by a RST with %s other packets of the server have%s", like_text(f->beside, &f->rst, rst), beside_text(f->beside));
    else
        say(t, "; it was refused by a RST with the server's address");
    if (f->after_syn_ack)
        say(t, ", after a SYN, ACK%s", f->flows > 1 ? " in one at least" : "");
}

static void say_prohibited(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char icmp[ICMP_TEXT_SIZE], rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE];

    if (f->own.min != 0)
        say(t, "; it was refused by a RST that is not like the server's packets%s (%s, the server's own have %s)", beside_text(f->beside),
            ttl_text(&f->rst, rst, sizeof(rst)), ttl_text(&f->own, own, sizeof(own)));
    else if (f->icmp != NULL && f->icmp->n_errors > 0) {
        say(t, "; it was answered by %s%s", f->errors_differ ? "several errors, among them " : "", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
        say_denied_late(t, f);
    } else
        say(t, "; it was refused by a RST that is not like the server's packets");
}

static void say_probe(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[HOST_TEXT_SIZE];

    if (is_synless(q, f)) {
        say(t, ", and %s reset the connection%s; no data was seen, and what the server answers (SYN) is not in the capture", host_text(p, &q->tuple.client, client, sizeof(client)),
            f->flows > 1 ? " each time" : "");
        return;
    }
    say(t, ": it answered%s that the port is open (SYN, ACK), and %s %s", f->flows > 1 ? " each time" : "",
        host_text(p, &q->tuple.client, client, sizeof(client)),
        f->outcome == OUTCOME_ONE_WAY ? "was not seen to send more, so whether that reached it cannot be told" : "reset the connection");
    if (f->synless > 0)
        say(t, ", and of %llu of them the SYN is not in the capture", (unsigned long long)f->synless);
    say(t, "; no data was seen");
}

/* "0.3 ms", "45 ms", "2.1 s" */
static void say_after(struct text *t, int64_t ns)
{
    if (ns < 10 * INT64_C(1000000))
        say(t, "%.1f ms", (double)ns / 1e6);
    else if (ns < INT64_C(1000000000))
        say(t, "%.0f ms", (double)ns / 1e6);
    else
        say(t, "%.1f s", (double)ns / 1e9);
}

/* Who takes an attempt back cannot be answered any more. */
static void say_withdrawn(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[HOST_TEXT_SIZE];

    say(t, "; no answer was seen before %s took it back with a RST, ", host_text(p, &q->tuple.client, client, sizeof(client)));
    say_after(t, f->withdrawn_ns);
    say(t, " after its SYN%s", f->flows > 1 ? " at most" : "");
    if (f->withdrawn_ns < POLICY_ANSWER_WITHIN_NS)
        say(t, ", so whether it would have been answered cannot be told");
}

/* What was not seen may be among what could not be told apart. */
static void say_cut(struct text *t, const struct policy_facts *f)
{
    if (f->n_cut > 0)
        say(t, ", though %llu packet%s of the capture %s cut before the ports and may be one", (unsigned long long)f->n_cut, f->n_cut == 1 ? "" : "s",
            f->n_cut == 1 ? "is" : "are");
}

/* The same of what was not captured at all; 'other': beside that. */
static void say_lossy(struct text *t, const struct policy_facts *f, bool other)
{
    if (f->lossy)
        say(t, "%s packets passed that were not captured", other ? ", and" : ", though");
}

/* By its content it is no attempt of who sent it. */
static void say_answer(struct text *t, const struct policy_query *q, const struct policy_facts *f)
{
    bool many = f->flows > 1, sure = q->app.basis == APP_CONTENT && !q->sent[0];

    say(t, "; %s %s, and no request the other way between the same ports is in the capture", many ? "they" : "it",
        sure ? (many ? "are answers" : "is an answer") : many ? "look like answers" : "looks like an answer");
}

/* Some packets were refused, and what became of the last ones nothing tells. */
static void say_asked_on(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char               icmp[ICMP_TEXT_SIZE];
    unsigned long long n = f->icmp->n_errors - f->icmp->n_repeated, packets = f->packets - f->icmp->n_copies;

    say(t, ", but %s%s", f->errors_differ ? "errors, among them " : "", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
    if (f->flows == 1)
        say(t, " (%llu error%s, %llu packet%s, and none to the last)", n, n == 1 ? "" : "s", packets, packets == 1 ? "" : "s");
    else
        say(t, ", and none to the last packets of %llu of them", (unsigned long long)f->asked_on);
}

/* What became of other requests of the client, for which those in hand may have been answered as well. */
static void say_others(struct text *t, const struct policy_facts *f)
{
    unsigned long long n = f->answered > 0 ? f->answered : f->unasked > 0 ? f->unasked : f->unclear;
    const char        *s = n == 1 ? "" : "s", *were = n == 1 ? "was" : "were";

    if (f->answered > 0)
        say(t, ", while %llu other%s of the same client to this port %s answered", n, s, were);
    else if (f->unasked > 0)
        say(t, ", while %llu other%s of the same client to this port, which %s not in the capture, %s answered", n, s, n == 1 ? "is" : "are", were);
    else if (f->unclear > 0)
        say(t, ", while of %llu other%s of the same client to this port packets of the server alone are in the capture", n, s);
    if (f->answered > 0 && f->unasked > 0)
        say(t, ", and %llu more, which %s not in the capture", (unsigned long long)f->unasked, f->unasked == 1 ? "is" : "are");
}

/* An error that tells of no denial (time exceeded, a redirect) is no answer, and there all the same. */
static void say_silence(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char icmp[ICMP_TEXT_SIZE], host[HOST_TEXT_SIZE];

    if (q->tuple.transport == IPPROTO_UDP && q->sent[0] && q->sent[1] && f->icmp != NULL && f->icmp->n_errors > 0) { /* else it would be answered */
        say(t, "; packets came the other way too, and each side rejected those of the other (%s)", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
        return;
    }
    if (f->answers)
        say_answer(t, q, f);
    else
        say(t, "; no answer was seen");
    say_others(t, f);
    say_cut(t, f);
    say_lossy(t, f, f->n_cut > 0);
    if (f->may_be_answer)
        say(t, ", and this may be the answer to some, from UDP %u of %s", q->tuple.client_port, host_text(p, &q->tuple.client, host, sizeof(host)));
    if (f->asked_on > 0)
        say_asked_on(t, p, f);
    else if (f->icmp != NULL && f->icmp->n_errors > 0 && f->icmp->about_client_packet && !f->icmp->after_answer)
        say(t, ", but %s%s", f->errors_differ ? "errors, among them " : "", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
    if (f->untold == f->flows)
        say(t, ", so whether %s got through cannot be told", f->flows > 1 ? "they" : "it");
}

const char *resent_text(uint64_t syns, uint64_t flows, char buf[static TIMES_TEXT_SIZE])
{
    snprintf(buf, TIMES_TEXT_SIZE, "%s%llu time%s", syns > flows * (FLOW_RESENT_SYNS_MAX - 1) ? "at least " : "", (unsigned long long)syns, syns == 1 ? "" : "s");
    return buf;
}

/* The server answered, and who has an answer does not ask again: the way back is not open, or lossy. */
static void say_undelivered(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[HOST_TEXT_SIZE], times[TIMES_TEXT_SIZE];

    host_text(p, &q->tuple.client, client, sizeof(client));
    resent_text(f->resent_syns, f->undelivered, times);
    if (f->undelivered < f->flows)
        say(t, "; no answer was seen but to %llu of them (SYN, ACK), and %s sent its SYN again after that, %s, so that the answer did not reach it", (unsigned long long)f->undelivered, client, times);
    else
        say(t, "; it was answered%s (SYN, ACK), but %s sent its SYN again after that, %s, so that the answer did not reach it", f->flows > 1 ? " each time" : "", client, times);
    say_lossy(t, f, false);
    if (f->untold == f->flows)
        say(t, ", so whether %s got through in the end cannot be told", f->flows > 1 ? "they" : "it");
}

/* Where the way back is not in the capture, that nothing came by it is no news. */
static void say_unheard(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char server[HOST_TEXT_SIZE], client[HOST_TEXT_SIZE];

    host_text(p, &q->tuple.server, server, sizeof(server));
    host_text(p, &q->tuple.client, client, sizeof(client));
    if (f->unheard == UNHEARD_PAIR)
        say(t, "; no TCP or UDP packet of %s to %s is in the capture, though the latter acted on some", server, client);
    else if (f->unheard == UNHEARD_WAY)
        say(t, "; no TCP or UDP packet the other way was seen, but of some TCP flows the capture has one direction only");
    else if (f->unheard == UNHEARD_CLIENT)
        say(t, "; no TCP or UDP packet to %s is in the capture, though it acted on some", client);
    else
        say(t, "; no TCP or UDP packet of %s is in the capture, though others acknowledged some", server);
    say(t, ", so whether it %s cannot be told", f->outcome == OUTCOME_UNANSWERED ? "was answered" : "got through");
}

/* An error that came late, and none had come for the packets before: a receiver hung up, or never was there and its errors are not in the capture. */
static void say_stopped_late(struct text *t, const struct policy *p, const struct policy_facts *f, bool media)
{
    char        icmp[ICMP_TEXT_SIZE];
    const char *end = media ? "the end of the call" : "the end of it";

    if (f->stopped_late < f->flows) {
        say(t, ", and to %llu of them ICMP errors came when packets had gone there for a while, which may be %s", (unsigned long long)f->stopped_late, end);
        return;
    }
    say(t, ", but %s%s came", f->errors_differ ? "errors, among them " : "", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
    say_denied_late(t, f);
    say(t, ", which may be %s, so whether %s got through before cannot be told", end, f->flows > 1 ? "they" : "it");
}

static void say_partly_untold(struct text *t, const struct policy_facts *f)
{
    if (f->untold > 0)
        say(t, "; of %llu of them too little was seen to tell whether %s got through", (unsigned long long)f->untold, f->untold > 1 ? "they" : "it");
}

/* What follows from it is said where nothing else of the sentence does. */
static void say_one_way(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    const char *it = f->flows > 1 ? "they" : "it";

    if (q->tuple.transport != IPPROTO_TCP || !q->sent[0] || !q->sent[1]) {
        if (f->answers)
            say_answer(t, q, f);
        else
            say(t, "; no packet the other way was seen");
        say_cut(t, f);
        if (q->tuple.transport == IPPROTO_UDP && f->untold == f->flows && f->stopped_late < f->flows) {
            say_lossy(t, f, f->n_cut > 0);
            if (f->asked_on > 0)
                say_asked_on(t, p, f);
            say(t, ", so whether %s got through cannot be told", it);
        }
        if (f->stopped_late > 0)
            say_stopped_late(t, p, f, media);
        if (q->tuple.transport == IPPROTO_TCP && f->untold < f->flows)
            say_partly_untold(t, f);
    } else if (f->untold == f->flows)
        say(t, "; too little was seen to tell whether %s got through", it);
    else if (f->untold > 0)
        say_partly_untold(t, f);
    else
        say(t, "; %s not seen both ways beyond a SYN, ACK", f->flows > 1 ? "they were" : "it was");
}

static void say_outcome(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    switch (f->outcome) {
    case OUTCOME_ESTABLISHED:
        say_answered(t, q, f, media);
        if (is_probe(q, f))
            say_probe(t, p, q, f);
        else if (f->no_data)
            say(t, "; no data was seen in it");
        break;
    case OUTCOME_REFUSED:
        say_refused(t, p, f);
        break;
    case OUTCOME_PROHIBITED:
        say_prohibited(t, p, f);
        break;
    case OUTCOME_UNANSWERED:
        if (f->unheard != HEARD)
            say_unheard(t, p, q, f);
        else if (f->withdrawn > 0 && f->withdrawn == f->flows)
            say_withdrawn(t, p, q, f);
        else if (f->undelivered > 0)
            say_undelivered(t, p, q, f);
        else
            say_silence(t, p, q, f);
        break;
    case OUTCOME_ONE_WAY:
        if (f->unheard != HEARD)
            say_unheard(t, p, q, f);
        else if (is_probe(q, f))
            say_probe(t, p, q, f);
        else if (f->refusal)
            say(t, "; %s, as that of a closed port which answers a SYN, but nothing else of %s was seen, so it is a sign of a refusal and no more", f->flows == 1 ? "it has ACK and the sequence number 0" : "they have ACK and the sequence number 0",
                f->flows == 1 ? "this attempt" : "these attempts");
        else if (f->lone_reset)
            say(t, "; nothing else of %s was seen, so what %s cannot be told", f->flows == 1 ? "this connection, or attempt," : "these connections, or attempts,",
                f->flows == 1 ? "the RST ends or answers" : "the RSTs end or answer");
        else
            say_one_way(t, p, q, f, media);
        break;
    }
}

static void say_event(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    bool is_media = media || policy_is_media(p, &q->app), unbegun = is_media && f->goes_on && q->sent[0] && q->sent[1];

    say_who(t, p, q, f);
    say_times(t, q, f);
    if (is_stray(f))
        say(t, ", where no connection was open");
    else if (f->outcome == OUTCOME_REFUSED && f->strays > 0)
        say(t, " (%llu of them by a segment without SYN and ACK)", (unsigned long long)f->strays);
    say_content(t, &q->app);
    say_outcome(t, p, q, f, is_media);
    if (!q->direction_known || unbegun)
        say(t, " (who began is not in the capture)");
    say(t, ". ");
    if (f->damaged)
        say(t, "The IP header checksum of %s is wrong, so the addresses in it may be damaged; offloading on the capturing host also does that. ", f->flows == 1 ? "this packet" : "each of these packets");
}

int policy_sentence(const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f, char *buf,
                    size_t size)
{
    struct text t = {buf, size, 0};
    bool        media = q->media || (j->row != POLICY_NONE && p->rows[j->row].row->media);

    if (size > 0)
        buf[0] = '\0';
    say_event(&t, p, q, f, media);
    say_rule(&t, p, q, j, f);
    return (int)t.len;
}
