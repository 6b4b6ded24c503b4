/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from attempts, and the sentences for it; from silence: silent.c. */
#include <stdarg.h>
#include <stdio.h>

#include "expect-private.h"

#define MOST_SERVERS_NAMED 4
#define MOST_RUNS_NAMED 4

/* "10.0.1.10, fd00::1:10": what is said of a host, and counted, is so of all its addresses. */
const char *addresses_of(const struct policy *p, uint32_t host, char buf[static ADDRESSES_SIZE])
{
    const struct site_host *h = &p->site->hosts[host];
    char                    second[2 * ADDR_TEXT_SIZE + 2];

    snprintf(buf, ADDRESSES_SIZE, "%s", policy_host_address(p, host));
    size_t len = strlen(buf);
    if (h->n_ranges == 2)
        snprintf(buf + len, ADDRESSES_SIZE - len, ", %s", addr_range_text(&h->ranges[1], second, sizeof(second)));
    else if (h->n_ranges > 2)
        snprintf(buf + len, ADDRESSES_SIZE - len, " and %zu more addresses", h->n_ranges - 1);
    return buf;
}

/* Would this host do as the server? */
bool would_do(const struct expector *x, const struct tally *t, uint32_t server)
{
    if (server == t->client)
        return false;
    return t->server != POLICY_NONE ? server == t->server : sets_meet(&host_group(x->p, server)->roles, &x->p->rows[t->row].to);
}

/* The first of a group that is not below 'least', nor the client. */
static uint32_t next_of_group(const struct group_hosts *by, size_t group, uint32_t client, uint32_t least)
{
    size_t low = by->starts[group], end = by->starts[group + 1], high = end;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (by->hosts[mid] < least)
            low = mid + 1;
        else
            high = mid;
    }
    low += low < end && by->hosts[low] == client;
    return low < end ? by->hosts[low] : POLICY_NONE;
}

uint32_t next_server(const struct expector *x, const struct tally *t, uint32_t least)
{
    uint32_t first = POLICY_NONE;

    if (t->server != POLICY_NONE)
        return t->server >= least && t->server != t->client ? t->server : POLICY_NONE;
    for (size_t g = 0; g < x->p->n_groups; g++) {
        uint32_t host = sets_meet(&x->p->groups[g].roles, &x->p->rows[t->row].to) ? next_of_group(&x->by_group, g, t->client, least) : POLICY_NONE;

        first = host < first ? host : first;
    }
    return first;
}

/* Those are what is counted: not the ICMP that a host sent. */
const char *tcp_and_udp(uint64_t packets)
{
    return packets == 1 ? "TCP or UDP packet" : "TCP and UDP packets";
}

/* The servers that would do: "dc1 (10.20.2.10) or dc2 (10.20.2.11)". */
void name_servers(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct policy *p = x->p;
    size_t               len = 0;
    unsigned             n = 0;
    char                 addresses[ADDRESSES_SIZE];

    buf[0] = '\0';
    for (uint32_t s = 0; len < size && (s = next_server(x, t, s)) != POLICY_NONE; s++) {
        if (n++ == MOST_SERVERS_NAMED) {
            snprintf(buf + len, size - len, " or others");
            return;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", n > 1 ? " or " : "", policy_host_name(p, s),
                                addresses_of(p, s, addresses));
    }
}

/* Those of them that were tried, where all are known. */
void name_tried(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    uint32_t last = POLICY_NONE;
    char     addresses[ADDRESSES_SIZE];

    if (t->more_points || t->n_points == 0) {
        name_servers(x, t, buf, size);
        return;
    }
    buf[0] = '\0';
    for (size_t i = 0, n = 0; i < t->n_points; i++) { /* sorted by server */
        if (t->points[i].server == last)
            continue;
        last = t->points[i].server;
        if (n++ == MOST_SERVERS_NAMED) {
            add(buf, size, " or others");
            return;
        }
        add(buf, size, "%s%s (%s)", n > 1 ? " or " : "", policy_host_name(x->p, last), addresses_of(x->p, last, addresses));
    }
}

/* "LDAP (TCP and UDP 389)": what is looked for in the capture. */
const char *service_of(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct applied_row *a = &x->p->rows[t->row];
    char                      ports[PORTS_TEXT_SIZE];

    snprintf(buf, size, "%s (%s)", a->row->service, ports_text(a, ports, sizeof(ports)));
    return buf;
}

/* "unity2 (10.0.1.2 and 10.0.1.3)": with those of its addresses that it used. */
const char *client_of(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    char   text[ADDR_TEXT_SIZE], addresses[ADDRESSES_SIZE];
    size_t len = (size_t)snprintf(buf, size, "%s (", policy_host_name(x->p, t->client));

    if (t->n_from == 0 || host_is_block(x->p, t->client)) {
        snprintf(buf + len, size - len, "%s)", addresses_of(x->p, t->client, addresses));
        return buf;
    }
    for (size_t i = 0; i < t->n_from && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i == 0 ? "" : i + 1 < t->n_from || t->more_from ? ", " : " and ", addr_text(&t->from[i], text));
    if (len < size)
        snprintf(buf + len, size - len, "%s)", t->more_from ? " and others" : "");
    return buf;
}

/* Neighbours among the ports that were tried. */
struct run {
    uint8_t  transport;
    uint16_t low, high;
};

static int compare_ports(const struct point *a, const struct point *b)
{
    return a->transport != b->transport ? a->transport - b->transport : a->port - b->port;
}

/* The ports among those of the row that were tried, each once whatever the server, in order; how many, or 0 where not all of them are known. */
static size_t ports_tried(const struct tally *t, struct point ret[static MOST_POINTS])
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_points && !t->more_points; i++) {
        size_t at = n;

        while (at > 0 && compare_ports(&ret[at - 1], &t->points[i]) > 0)
            at--;
        if (at > 0 && compare_ports(&ret[at - 1], &t->points[i]) == 0)
            continue;
        memmove(&ret[at + 1], &ret[at], (n++ - at) * sizeof(ret[0]));
        ret[at] = t->points[i];
    }
    return n;
}

static size_t runs_of(const struct point *tried, size_t n, struct run ret[static MOST_POINTS])
{
    size_t n_runs = 0;

    for (size_t i = 0; i < n; i++) {
        struct run *last = n_runs > 0 ? &ret[n_runs - 1] : NULL;

        if (last != NULL && last->transport == tried[i].transport && last->high + 1 == tried[i].port)
            last->high = tried[i].port;
        else
            ret[n_runs++] = (struct run){tried[i].transport, tried[i].port, tried[i].port};
    }
    return n_runs;
}

/* "DNS on UDP 53 (of TCP and UDP 53)", or as service_of() where all were tried; of many that not all were is said. */
const char *tried_of(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct applied_row *a = &x->p->rows[t->row];
    struct point              tried[MOST_POINTS];
    struct run                runs[MOST_POINTS];
    size_t                    n = ports_tried(t, tried), n_runs = runs_of(tried, n, runs), n_all = 0, len;
    char                      ports[PORTS_TEXT_SIZE], service[16];

    for (size_t i = 0; i < a->n_ports; i++)
        n_all += (size_t)a->ports[i].high - a->ports[i].low + 1;
    if (n == 0 || n >= n_all)
        return service_of(x, t, buf, size);
    len = (size_t)snprintf(buf, size, "%s on ", a->row->service);
    for (size_t i = 0; i < n_runs && i < MOST_RUNS_NAMED && len < size; i++) {
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i == 0 ? "" : i + 1 < n_runs ? ", " : " and ", service_text(runs[i].transport, runs[i].low, service, sizeof(service)));
        if (runs[i].high > runs[i].low && len < size)
            len += (size_t)snprintf(buf + len, size - len, "-%u", runs[i].high);
    }
    if (n_runs > MOST_RUNS_NAMED && len < size)
        len += (size_t)snprintf(buf + len, size - len, " and others");
    if (len < size)
        snprintf(buf + len, size - len, " (of %s)", ports_text(a, ports, sizeof(ports)));
    return buf;
}

/* --- attempts that failed --------------------------------------------------------------------------------- */

#define MOST_DENIERS_NAMED 4

/* What became of attempts that failed, in words. */
struct failure {
    enum outcome             outcome;
    enum expectation_outcome result;
};

/* A text in parts. */
void add(char *buf, size_t size, const char *fmt, ...)
{
    size_t  len = strlen(buf);
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf + len, size - len, fmt, args);
    va_end(args);
}

void add_host(const struct expector *x, uint32_t host, char *buf, size_t size)
{
    char addresses[ADDRESSES_SIZE];

    if (host == POLICY_NONE)
        add(buf, size, "a host that the site file does not name");
    else
        add(buf, size, "%s (%s)", policy_host_name(x->p, host), addresses_of(x->p, host, addresses));
}

/* ", over IPv6": where a host, or hosts that are not named, could have been reached by both. */
const char *families_text(const struct expector *x, uint32_t server, uint8_t families)
{
    static const char *const words[] = {[FAMILY_4] = ", over IPv4", [FAMILY_6] = ", over IPv6", [FAMILY_4 | FAMILY_6] = ", over IPv4 and IPv6"};
    uint8_t                  has = 0;

    if (server == POLICY_NONE)
        return families == (FAMILY_4 | FAMILY_6) ? words[families] : "";
    for (size_t i = 0; i < x->p->site->hosts[server].n_ranges; i++)
        has |= addr_is_ipv4(&x->p->site->hosts[server].ranges[i].low) ? FAMILY_4 : FAMILY_6;
    return has == (FAMILY_4 | FAMILY_6) && families != 0 ? words[families] : "";
}

/* A RST has the server's address, whoever sent it: its TTL may tell. */
static void say_reset(const struct denial *d, bool prohibited, char *what)
{
    char rst[LIKE_TEXT_SIZE], own[TTL_TEXT_SIZE];

    if (prohibited && d->own.min != 0)
        add(what, WHAT_SIZE, "refused by a RST that is not like the server's packets%s (%s, the server's own have %s)", beside_text(d->beside), ttl_text(&d->rst, rst, sizeof(rst)),
            ttl_text(&d->own, own, sizeof(own)));
    else if (prohibited)
        add(what, WHAT_SIZE, "refused by a RST that is not like the server's packets");
    else if (d->own.min != 0)
        add(what, WHAT_SIZE, "refused by a RST with %s other packets of the server have%s", like_text(d->beside, &d->rst, rst), beside_text(d->beside));
    else
        add(what, WHAT_SIZE, "refused by a RST with the server's address");
    if (!prohibited && d->after_syn_ack)
        add(what, WHAT_SIZE, ", after a SYN, ACK%s", d->resets > 1 ? " in one at least" : "");
}

static const char *denier_text(const struct expector *x, const struct denier *d, char *buf, size_t size)
{
    struct flow_icmp icmp = {.n_errors = 1, .sender = d->sender, .type = d->type, .code = d->code, .is_icmp6 = d->is_icmp6};

    return icmp_text(x->p, &icmp, buf, size);
}

static bool prohibits(const struct denier *d)
{
    struct flow_icmp icmp = {.type = d->type, .code = d->code, .is_icmp6 = d->is_icmp6};

    return policy_icmp_prohibits(&icmp);
}

/* What went for a while before something denied it: how far it had gone, or how many of several attempts had. */
static void say_late(const struct denier *d, char *what)
{
    if (d->late == 0)
        return;
    if (d->attempts > 1)
        add(what, WHAT_SIZE, ", %llu of these %llu only when packets had gone there, without an answer", (unsigned long long)d->late, (unsigned long long)d->attempts);
    else if (d->differ)
        add(what, WHAT_SIZE, " (one of %llu errors, when %llu of its %llu packets had gone there, without an answer)", (unsigned long long)d->n_errors,
            (unsigned long long)d->n_before, (unsigned long long)d->packets);
    else
        add(what, WHAT_SIZE, " (%llu error%s, %swhen %llu of its %llu packets had gone there, without an answer)", (unsigned long long)d->n_errors,
            d->n_errors == 1 ? "" : "s", d->n_errors == 1 ? "" : "the first ", (unsigned long long)d->n_before, (unsigned long long)d->packets);
}

/* Whose errors came, and to how many of the attempts where there were several. */
static void say_errors(const struct expector *x, const struct tally *t, bool prohibited, char *what)
{
    const struct denial   *d = &t->denials[prohibited];
    const struct coverage *c = &expect_span(x, t->row)->coverage;
    char                   error[ICMP_TEXT_SIZE];
    unsigned               n = 0, n_all = d->resets > 0;

    for (size_t i = 0; i < t->n_deniers; i++)
        n_all += t->deniers[i].prohibits == prohibited && !t->deniers[i].unanswered;
    for (size_t i = 0; i < t->n_deniers; i++) {
        const struct denier *e = &t->deniers[i];

        if (e->prohibits != prohibited || e->unanswered)
            continue;
        if (n++ == MOST_DENIERS_NAMED)
            break;
        add(what, WHAT_SIZE, "%s", n == 1 ? "" : "; ");
        if (n_all > 1)
            add(what, WHAT_SIZE, "%llu ", (unsigned long long)e->attempts);
        add(what, WHAT_SIZE, "answered by %s%s", e->differ ? "several errors, among them " : "", denier_text(x, e, error, sizeof(error)));
        say_late(e, what);
        if (e->late > 0 && (c->lost > 0 || c->unseen_bytes > 0))
            add(what, WHAT_SIZE, ", though packets passed that were not captured");
    }
    if (n > MOST_DENIERS_NAMED || t->more_deniers)
        add(what, WHAT_SIZE, "; others by other errors");
    if (d->resets == 0)
        return;
    if (n > 0)
        add(what, WHAT_SIZE, "; %llu ", (unsigned long long)d->resets);
    say_reset(d, prohibited, what);
}

/* The senders of one kind of error, each once: "dc1 (10.0.2.1) and gc1 (10.0.2.2)". */
enum sender { SENDER_FILTER, SENDER_SERVER, SENDER_OTHER };

static enum sender kind_of(const struct expector *x, const struct tally *t, const struct denier *d)
{
    uint32_t host = policy_host(x->p, &d->sender);

    if (!prohibits(d))
        return SENDER_OTHER;
    return host != POLICY_NONE && would_do(x, t, host) ? SENDER_SERVER : SENDER_FILTER;
}

static unsigned name_senders(const struct expector *x, const struct tally *t, enum sender kind, char *buf, size_t size)
{
    const struct denier *last = NULL;
    char                 sender[HOST_TEXT_SIZE];
    unsigned             n = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < t->n_deniers; i++) {
        const struct denier *d = &t->deniers[i];

        if (!d->prohibits || kind_of(x, t, d) != kind || (last != NULL && addr_compare(&last->sender, &d->sender) == 0))
            continue;
        last = d;
        if (n++ == MOST_DENIERS_NAMED) {
            add(buf, size, " and others");
            break;
        }
        add(buf, size, "%s%s", n > 1 ? " and " : "", host_text(x->p, &d->sender, sender, sizeof(sender)));
    }
    return n;
}

static void advise_prohibited(const struct expector *x, const struct tally *t, char *advice)
{
    char     names[MOST_DENIERS_NAMED * HOST_TEXT_SIZE];
    unsigned n = name_senders(x, t, SENDER_FILTER, names, sizeof(names));

    if (n > 0)
        add(advice, ADVICE_SIZE, " Look at what %s %s.", names, n > 1 ? "filter" : "filters");
    n = name_senders(x, t, SENDER_SERVER, names, sizeof(names));
    if (n == 1)
        add(advice, ADVICE_SIZE, " Look at a filter on %s itself, or one that answers in its name.", names);
    else if (n > 1)
        add(advice, ADVICE_SIZE, " Look at filters on %s themselves, or ones that answer in their names.", names);
    n = name_senders(x, t, SENDER_OTHER, names, sizeof(names));
    if (n > 0)
        add(advice, ADVICE_SIZE, " Look at why %s %s so.", names, n > 1 ? "report" : "reports");
    if (t->denials[true].resets > 0)
        add(advice, ADVICE_SIZE, " Look for what answers in the server's name on the way.");
}

/* A service that sent a SYN-ACK runs; where only one of several attempts had it, of the others it may be asked. */
static void advise_refused(const struct tally *t, char *advice)
{
    const struct denial *d = &t->denials[false];

    if (d->after_syn_ack)
        add(advice, ADVICE_SIZE, " Look at what resets connections after a SYN, ACK: a limit or an access list of the service itself, or a filter.");
    if (!d->after_syn_ack || t->attempts > 1)
        add(advice, ADVICE_SIZE, " Look at whether the service runs there.");
}

/* The service is there for others: then it is not the service that one has to look at. */
static void say_refused(const struct expector *x, const struct tally *t, char *what, char *advice)
{
    struct served all[MOST_SERVED];
    size_t        n = find_served(x, t, all);

    say_errors(x, t, false, what);
    if (n == 0) {
        advise_refused(t, advice);
        return;
    }
    say_served(x, all, n, what);
    advise_served(x, t, all, n, true, advice);
}

/* Errors that are no denials: a packet that ran in a circle is not answered, and something tells of it. */
static void say_notices(const struct expector *x, const struct tally *t, char *what, char *advice)
{
    char     error[ICMP_TEXT_SIZE], sender[HOST_TEXT_SIZE];
    unsigned n = 0;

    for (size_t i = 0; i < t->n_deniers && n < MOST_DENIERS_NAMED; i++) {
        const struct denier *e = &t->deniers[i];

        if (!e->unanswered)
            continue;
        add(what, WHAT_SIZE, "%s%s", n++ == 0 ? ", but " : " and ", denier_text(x, e, error, sizeof(error)));
        if (e->attempts == 1 && e->packets > e->n_errors)
            add(what, WHAT_SIZE, " (%llu error%s, %llu packets)", (unsigned long long)e->n_errors, e->n_errors == 1 ? "" : "s", (unsigned long long)e->packets);
        if (n == 1)
            add(advice, ADVICE_SIZE, " Look at why %s reports so.", host_text(x->p, &e->sender, sender, sizeof(sender)));
    }
}

/* Who has no answer to a datagram asks again, but some do so from another port: then it looks like a capture without the answers. */
static bool is_asked_once(const struct tally *t)
{
    return !t->insisted && t->n[OUTCOME_UNANSWERED] > 0;
}

static void say_unanswered(const struct expector *x, const struct tally *t, char *what, char *advice)
{
    struct served         all[MOST_SERVED];
    size_t                n = find_served(x, t, all);
    const struct life    *l = &expect_span(x, t->row)->lives[t->tried_server];
    const char           *server = policy_host_name(x->p, t->tried_server);

    uint64_t              unseen = expect_span(x, t->row)->coverage.unseen_bytes;

    say_no_answer(x, t, what);
    if (unseen > 0) /* too little to explain it */
        add(what, WHAT_SIZE, " (%llu byte%s of TCP data, an end of a connection counted as one, %s acknowledged and not captured)", (unsigned long long)unseen,
            unseen == 1 ? "" : "s", unseen == 1 ? "was" : "were");
    if (is_asked_once(t))
        add(what, WHAT_SIZE, ", and nothing was asked again, as it is where no answer comes, so that it may have come a way that the capture does not see");
    say_notices(x, t, what, advice);
    if (t->undelivered > 0 && t->undelivered == t->n[OUTCOME_UNANSWERED]) {
        add(advice, ADVICE_SIZE, " Look at what drops answers on the way to %s, a filter or a link, and at whether they take the way that they should.", policy_host_name(x->p, t->client));
    } else if (n > 0) {
        say_served(x, all, n, what);
        advise_served(x, t, all, n, false, advice);
    } else if (!t->tried_others && l->sent > 0 && !host_is_block(x->p, t->tried_server)) {
        if (x->window_ns == 0)
            add(what, WHAT_SIZE, ", though %s sent %llu %s%s in this capture", server, (unsigned long long)l->sent, tcp_and_udp(l->sent), l->copies ? ", copies counted," : "");
        else
            add(what, WHAT_SIZE, l->sent > 1 ? ", though %s sent packets in that window (%llu in flows that began in it%s)" : ", though %s sent packets in that window", server,
                (unsigned long long)l->sent, l->copies ? ", copies counted" : "");
        add(advice, ADVICE_SIZE, " Look at whether the service runs on %s, and at what drops packets on the way.", server);
    } else {
        add(advice, ADVICE_SIZE, " Look at whether the server is up, and at what drops packets on the way.");
    }
}

/* "3 of them (first: packet 7): ": of so many with this outcome */
static void say_number(const struct tally *t, uint64_t n, enum outcome outcome, char *what)
{
    const struct packet_place *first = &t->first_of[outcome];

    add(what, WHAT_SIZE, "%llu of them", (unsigned long long)n);
    if (first->packet != 0 && n == t->n[outcome]) {
        add(what, WHAT_SIZE, " (first: packet %llu", (unsigned long long)first->packet);
        if (first->input != t->first.input)
            add(what, WHAT_SIZE, " of input %u", first->input + 1u);
        add(what, WHAT_SIZE, ")");
    }
    add(what, WHAT_SIZE, ": ");
}

/* What was cut before the ports may have been an answer, or an error, to this client; what went to other hosts is none. */
uint64_t cut_to(const struct expector *x, const struct tally *t)
{
    const struct coverage *c = &expect_span(x, t->row)->coverage;

    return c->cut - c->cut_told + expect_span(x, t->row)->lives[t->client].cut;
}

/* What was seen of attempts of which one direction is in the capture: each kind with its number, where there are several. */
static void say_one_way(const struct expector *x, const struct tally *t, char *what, char *advice)
{
    const char *client = policy_host_name(x->p, t->client);
    uint64_t    n_all = t->n[OUTCOME_ONE_WAY], n_rest = n_all - t->unfinished - t->withdrawn - t->repeated_answers - t->stopped_late - t->refusals;
    unsigned    n = 0;
    const struct {
        uint64_t    n;
        const char *what, *one, *many, *advice;
    } kinds[] = {
        {t->unfinished, "the server's answer (SYN, ACK) is in the capture, and nothing more of %s, so whether ", "it worked", "they worked",
         " Look at what drops answers on the way to %s, and at whether all that it sends passes the point of capture."},
        {t->withdrawn, n_all == 1 ? "%s took it back with a RST before an answer was due, so whether " : "%s took each back with a RST before an answer was due, so whether ", "it works",
         "it works", " Look at what on %s tries it so shortly."},
        {t->repeated_answers, "the server's answer (SYN, ACK) came more than once, as where the client's next packet is not sent or does not arrive, and nothing of %s is in the capture, so whether ", "it worked", "they worked",
         " Look at where the capture was taken, and at what drops packets between %s and the server."},
        {t->stopped_late, n_all == 1 ? "an ICMP error came when packets of %s had gone there for a while, which may be the end of it, so whether " : "an ICMP error came to each when packets of %s had gone there for a while, which may be the end of it, so whether ", "it worked",
         "they worked", " Look at whether the service ran there at that time."},
        {t->refusals, "the server's RST, ACK is in the capture, of the sequence number 0 as that of a closed port which answers a SYN, and nothing of %s, so whether ", "it was refused", "they were refused",
         " Look at whether the service runs there, and at whether all that %s sends passes the point of capture."},
        {n_rest, "only one direction was captured, so whether ", "it worked", "they worked", " Look at where the capture was taken."},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].n == 0)
            continue;
        add(what, WHAT_SIZE, "%s", n++ > 0 ? "; " : "");
        if (kinds[i].n < t->attempts)
            say_number(t, kinds[i].n, OUTCOME_ONE_WAY, what);
        add(what, WHAT_SIZE, kinds[i].what, client);
        add(what, WHAT_SIZE, "%s cannot be told", kinds[i].n == 1 ? kinds[i].one : kinds[i].many);
        if (advice != NULL && n == 1)
            add(advice, ADVICE_SIZE, kinds[i].advice, client);
    }
    uint64_t cut = n_rest > 0 ? cut_to(x, t) : 0;
    if (cut > 0)
        add(what, WHAT_SIZE, " (%llu packet%s cut before the ports, of an ICMP error those that it quotes, and may be an answer)", (unsigned long long)cut, cut == 1 ? " was" : "s were");
}

/* The attempts with other outcomes than the one that is told at length, so that the numbers add up: those that are told only where it is not. */
static void say_others(const struct expector *x, const struct tally *t, enum outcome told, char *what)
{
    if (told == OUTCOME_PROHIBITED && t->n[OUTCOME_REFUSED] > 0) {
        add(what, WHAT_SIZE, "; ");
        say_number(t, t->n[OUTCOME_REFUSED], OUTCOME_REFUSED, what);
        say_errors(x, t, false, what);
    }
    if (told != OUTCOME_UNANSWERED && t->n[OUTCOME_UNANSWERED] > 0) {
        add(what, WHAT_SIZE, "; ");
        say_number(t, t->n[OUTCOME_UNANSWERED], OUTCOME_UNANSWERED, what);
        say_no_answer(x, t, what);
    }
    if (told != OUTCOME_ONE_WAY && t->n[OUTCOME_ONE_WAY] > 0) {
        add(what, WHAT_SIZE, "; ");
        say_one_way(x, t, what, NULL);
    }
}

/* Of which attempts no packet of the client is in the capture, and from what they are known. */
static void say_unseen(const struct tally *t, char *buf, size_t size)
{
    if (t->unseen > 0 && t->unseen == t->attempts)
        add(buf, size, " (of %s only the server's packets were captured)", t->attempts == 1 ? "it" : "all of them");
    else if (t->unseen > 0)
        add(buf, size, " (of %llu of them only the server's packets were captured)", (unsigned long long)t->unseen);
    if (t->quoted == 0)
        return;
    if (t->quoted == t->attempts)
        add(buf, size, " (known from ");
    else
        add(buf, size, " (%llu of them known from ", (unsigned long long)t->quoted);
    if (t->quoting == 1)
        add(buf, size, "an ICMP error alone, which quotes ");
    else
        add(buf, size, "%llu ICMP errors alone, which quote ", (unsigned long long)t->quoting);
    add(buf, size, t->quoted == 1 ? "it: no packet of it was captured)" : "them: no packet of them was captured)");
}

static void say_failed(const struct expector *x, const struct tally *t, enum outcome outcome, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    char from[CLIENT_TEXT_SIZE], servers[SERVERS_SIZE], addresses[ADDRESSES_SIZE], service[SERVICE_TEXT_SIZE], some[WHAT_SIZE] = ": ", unseen[200] = "", what[WHAT_SIZE] = "", advice[ADVICE_SIZE] = "";

    if (t->tried_others)
        name_tried(x, t, servers, sizeof(servers));
    else
        snprintf(servers, sizeof(servers), "%s (%s)", policy_host_name(x->p, t->tried_server), addresses_of(x->p, t->tried_server, addresses));
    if (outcome == OUTCOME_PROHIBITED) {
        say_errors(x, t, true, what);
        advise_prohibited(x, t, advice);
    } else if (outcome == OUTCOME_REFUSED) {
        say_refused(x, t, what, advice);
    } else if (outcome == OUTCOME_UNANSWERED) {
        say_unanswered(x, t, what, advice);
    } else {
        say_one_way(x, t, what, advice);
    }
    say_others(x, t, outcome, what);
    say_unseen(t, unseen, sizeof(unseen));
    if (t->n[outcome] < t->attempts) {
        snprintf(some, sizeof(some), "; ");
        say_number(t, t->n[outcome], outcome, some);
    }
    snprintf(buf, size, "%s tried %s to %s in %llu flow%s%s%s%s%s. The document requires this flow (row %s, \"%s\").%s",
             client_of(x, t, from, sizeof(from)), tried_of(x, t, service, sizeof(service)), servers,
             (unsigned long long)t->attempts, t->attempts == 1 ? "" : "s",
             unseen, families_text(x, t->tried_server, t->families), some, what, row->id.text, row->section, advice);
}

enum expectation_outcome expect_conclude(const struct expector *x, const struct tally *t, char *buf, size_t size, struct told *ret_told)
{
    const struct coverage *c = &expect_span(x, t->row)->coverage;
    static const struct failure failures[] = {
        {OUTCOME_PROHIBITED, EXPECT_PROHIBITED}, {OUTCOME_REFUSED, EXPECT_REFUSED}, {OUTCOME_UNANSWERED, EXPECT_UNANSWERED}, {OUTCOME_ONE_WAY, EXPECT_ONE_WAY},
    };

    if (t->seen) {
        say_seen(x, t, buf, size);
        return EXPECT_SEEN;
    }
    if (t->running) {
        say_running(x, t, buf, size);
        return EXPECT_ONE_WAY;
    }
    if (expect_ended(t)) {
        say_ended(x, t, buf, size);
        return EXPECT_ONE_WAY;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (t->n[failures[i].outcome] > 0) {
            if (failures[i].outcome == OUTCOME_UNANSWERED && silence_unproven(x, t, c, buf, size))
                return EXPECT_NOT_COVERED;
            say_failed(x, t, failures[i].outcome, buf, size);
            ret_told->weak = failures[i].outcome == OUTCOME_UNANSWERED && is_asked_once(t);
            return failures[i].result;
        }
    }
    return say_silent(x, t, c, buf, size, ret_told);
}
