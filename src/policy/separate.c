/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence that something stands between two hosts which the document wants side by side.  Facts of such pairs are kept, sorted, and each
 * pair is weighed by itself:
 *   strong  an ICMP error by which a filter tells of itself; a RST that does not have the TTL of its sender's other packets
 *   medium  such an error in the name of one of the two: its own filter, or one between that answers for it;
 *           some TCP ports never answer while others of the same server do, or answer and the answer does not reach the client
 *   weak    TTLs that are all a few below what a stack begins with: a router, which is no filter
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define MAX_HOPS 30  /* a TTL further below an initial value says nothing: that stack begins elsewhere */
#define MAX_NAMED 6  /* ports named in a sentence */

enum weight { WEIGHT_NONE, WEIGHT_WEAK, WEIGHT_MEDIUM, WEIGHT_STRONG };

/* A fact, with the pair of host entries that it speaks of, the lower first. */
struct entry {
    uint32_t             low, high;
    struct separate_fact fact;
};

struct separator {
    const struct policy *p;
    struct entry        *entries;
    size_t               n_entries, n_allocated;
    struct separation   *results;
    size_t               n_results, n_results_allocated;
};

int separator_new(const struct policy *p, struct separator **ret, struct err *reterr)
{
    struct separator *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory for evidence of separation");
    s->p = p;
    *ret = s;
    return 0;
}

void separator_free(struct separator *s)
{
    if (s == NULL)
        return;
    free(s->entries);
    free(s->results);
    free(s);
}

static bool has_role(const struct policy *p, uint32_t host, const char *role)
{
    uint32_t i = name_index_find(&p->role_names, role);

    return i != POLICY_NONE && set_has(&host_group(p, host)->roles, i);
}

/* Does this Caution speak of these two, in this order? */
static bool cautions(const struct policy *p, const struct matrix_separation *m, uint32_t a, uint32_t b)
{
    return has_role(p, a, m->a.text) && has_role(p, b, m->b.text);
}

static bool concerns(const struct policy *p, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < p->matrix->n_separations; i++)
        if (cautions(p, &p->matrix->separations[i], a, b) || cautions(p, &p->matrix->separations[i], b, a))
            return true;
    return false;
}

int separator_conversation(struct separator *s, const struct separate_fact *f)
{
    uint32_t a = policy_host(s->p, &f->tuple.client), b = policy_host(s->p, &f->tuple.server);

    if (a == POLICY_NONE || b == POLICY_NONE || a == b || !concerns(s->p, a, b))
        return 0;
    if (s->n_entries == s->n_allocated) {
        size_t        n = s->n_allocated == 0 ? 64 : 2 * s->n_allocated;
        struct entry *entries = realloc(s->entries, n * sizeof(*entries));

        if (entries == NULL)
            return -ENOMEM;
        s->entries = entries;
        s->n_allocated = n;
    }
    s->entries[s->n_entries++] = (struct entry){.low = a < b ? a : b, .high = a < b ? b : a, .fact = *f};
    return 0;
}

static int by_pair(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    if (a->fact.first_ns != b->fact.first_ns)
        return a->fact.first_ns < b->fact.first_ns ? -1 : 1;
    return a->fact.conversation < b->fact.conversation ? -1 : a->fact.conversation > b->fact.conversation;
}

/* --- one pair ------------------------------------------------------------------------------------------------- */

/* All conversations of two hosts, and what becomes of them. */
struct pair {
    const struct policy   *p;
    const struct coverage *coverage;
    const struct entry    *entries;
    size_t                 n;
    struct separation     *result;
    enum weight            best;
    struct packet_place    first; /* of the evidence of that weight */
    size_t                 len;   /* of the sentence */
    char                   advice[HOST_TEXT_SIZE + 128]; /* what to look at, by the best evidence */
};

static void __attribute__((format(printf, 2, 3))) say(struct pair *x, const char *fmt, ...)
{
    char  *buf = x->result->sentence;
    size_t size = sizeof(x->result->sentence), at = x->len < size ? x->len : size - 1;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(buf + at, size - at, fmt, args);
    va_end(args);
    x->len += n > 0 ? (size_t)n : 0;
}

/* Where a fact shows what it is evidence of. */
typedef struct packet_place place_fn(const struct separate_fact *);

static struct packet_place of_flow(const struct separate_fact *f)
{
    return (struct packet_place){f->first_ns, f->first_packet, f->input};
}

static struct packet_place of_error(const struct separate_fact *f)
{
    return (struct packet_place){f->icmp.ts_ns, f->icmp.packet_number, f->icmp.input};
}

static struct packet_place of_reset(const struct separate_fact *f)
{
    return (struct packet_place){f->reset_ns, f->reset_packet, f->reset_input};
}

/* Begins a piece of evidence: what follows it in the sentence is said by the caller.  The best is told first, and of that the earliest is what a reader is shown. */
static void begin(struct pair *x, enum weight w, const struct separate_fact *first, place_fn *where)
{
    static const char *const names[] = {"", "weak", "medium", "strong"};
    struct packet_place      place = where(first);

    say(x, "%s[%s] ", x->best == WEIGHT_NONE ? "" : "; ", names[w]);
    if (x->best == WEIGHT_NONE) {
        x->best = w; /* evidence comes in order of weight */
        x->result->addr[0] = first->tuple.client;
        x->result->addr[1] = first->tuple.server;
    } else if (w != x->best || !packet_place_before(&place, &x->first)) {
        return;
    }
    x->first = place;
    x->result->conversation = first->conversation;
    x->result->packet_shows = where == of_error;
    x->result->packet = place.packet;
    x->result->input = place.input;
}

static void count(struct pair *x, const struct separate_fact *f)
{
    struct separation *r = x->result;

    if (r->flows == 0 || f->first_ns < r->first_ns)
        r->first_ns = f->first_ns;
    if (r->flows == 0 || f->last_ns > r->last_ns)
        r->last_ns = f->last_ns;
    r->flows += f->flows;
    r->packets += f->packets[0] + f->packets[1];
    r->bytes += f->bytes;
}

typedef bool fact_fn(const struct pair *, const struct separate_fact *);

/* Names the services of the facts that fit, each once: "TCP 389, UDP 389 of dc1". */
static void say_services(struct pair *x, const struct separate_fact *like, fact_fn *fits)
{
    unsigned n = 0;

    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;
        char                        service[16];
        bool                        named = false;

        if (addr_compare(&f->tuple.server, &like->tuple.server) != 0 || !fits(x, f))
            continue;
        for (size_t k = 0; k < i && !named; k++) {
            const struct separate_fact *g = &x->entries[k].fact;
            named = g->tuple.transport == f->tuple.transport && g->tuple.server_port == f->tuple.server_port &&
                    addr_compare(&g->tuple.server, &f->tuple.server) == 0 && fits(x, g);
        }
        if (named)
            continue;
        if (++n > MAX_NAMED) {
            say(x, " and others");
            break;
        }
        say(x, "%s%s", n > 1 ? ", " : "", service_text(f->tuple.transport, f->tuple.server_port, service, sizeof(service)));
    }
    say(x, " of %s", policy_host_name(x->p, policy_host(x->p, &like->tuple.server)));
}

/* The one that is seen first: another than that whose flow began first, where the errors came later. */
static const struct separate_fact *first_that(const struct pair *x, fact_fn *fits, place_fn *where)
{
    const struct separate_fact *first = NULL;
    struct packet_place         at = {0};

    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;
        struct packet_place         place = where(f);

        if ((first != NULL && !packet_place_before(&place, &at)) || !fits(x, f))
            continue;
        first = f;
        at = place;
    }
    return first;
}

static void count_all(struct pair *x, fact_fn *fits)
{
    for (size_t i = 0; i < x->n; i++)
        if (fits(x, &x->entries[i].fact))
            count(x, &x->entries[i].fact);
}

/* --- the kinds of evidence -------------------------------------------------------------------------------- */

static bool is_end(const struct separate_fact *f, const struct addr *a)
{
    return addr_compare(&f->tuple.client, a) == 0 || addr_compare(&f->tuple.server, a) == 0;
}

/* An error about what the client sent.  After an answer too: who filters may let a handshake pass and not what follows.  An error about an answer shows no filter between the two. */
static bool denies(const struct separate_fact *f)
{
    return f->icmp.n_errors > 0 && policy_icmp_prohibits(&f->icmp) && f->icmp.about_client_packet;
}

static bool was_prohibited(const struct pair *x, const struct separate_fact *f)
{
    (void)x;
    return denies(f) && !is_end(f, &f->icmp.sender);
}

static bool prohibits_itself(const struct pair *x, const struct separate_fact *f)
{
    (void)x;
    return denies(f) && is_end(f, &f->icmp.sender);
}

static void weigh_icmp(struct pair *x, enum weight w, fact_fn *fits)
{
    const struct separate_fact *first = first_that(x, fits, of_error);
    char                        icmp[ICMP_TEXT_SIZE], sender[HOST_TEXT_SIZE];
    uint64_t                    n = 0;
    bool                        differ = false;
    bool                        is_best = x->best == WEIGHT_NONE;

    if (first == NULL)
        return;
    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;

        if (!fits(x, f))
            continue;
        n += f->icmp.n_errors - f->icmp.n_repeated;
        differ |= f->errors_differ || f->icmp.type != first->icmp.type || f->icmp.code != first->icmp.code ||
                  addr_compare(&f->icmp.sender, &first->icmp.sender) != 0;
    }
    begin(x, w, first, of_error);
    say(x, "%s answered packets to ", icmp_text(x->p, &first->icmp, icmp, sizeof(icmp)));
    say_services(x, first, fits);
    say(x, " (%llu error%s%s)", (unsigned long long)n, n == 1 ? "" : "s", differ ? ", some of other kinds or senders" : "");
    count_all(x, fits);
    if (!is_best)
        return;
    host_text(x->p, &first->icmp.sender, sender, sizeof(sender));
    if (w == WEIGHT_STRONG)
        snprintf(x->advice, sizeof(x->advice), "Look at what %s filters.", sender);
    else
        snprintf(x->advice, sizeof(x->advice), "Look at a filter on %s itself, which would be none between the two, or one that answers in its name.",
                 sender);
}

static bool is_apart(const struct ttl_range *rst, const struct ttl_range *own)
{
    return rst->min != 0 && own->min != 0 && (rst->max < own->min || rst->min > own->max);
}

/* What this side itself sent where the RSTs were seen has their TTL too. */
static bool is_like(const struct ttl_seen resets[N_TTL_PLACES], const struct ttl_seen sent[N_TTL_PLACES])
{
    for (unsigned i = 0; i < N_TTL_PLACES; i++) {
        struct ttl_range own = ttl_seen_own_at(sent, resets[i].place);

        if (resets[i].rst.min != 0 && own.min != 0 && !is_apart(&resets[i].rst, &own))
            return true;
    }
    return false;
}

/* Not like what this side sent in the conversation, and not like what it sent to the same peer in others. */
static bool is_foreign(const struct pair *x, const struct separate_fact *f, unsigned side)
{
    const struct addr *sender = side == 0 ? &f->tuple.client : &f->tuple.server;

    if (!is_apart(&f->rst[side], &f->ttl[side]))
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *g = &x->entries[i].fact;
        unsigned                    as = addr_compare(&g->tuple.server, sender) == 0;

        if ((as == 1 || addr_compare(&g->tuple.client, sender) == 0) && is_like(f->places[side], g->places[as]))
            return false;
    }
    return true;
}

static bool was_reset(const struct pair *x, const struct separate_fact *f)
{
    return f->tuple.transport == IPPROTO_TCP && (is_foreign(x, f, 0) || is_foreign(x, f, 1));
}

static void weigh_resets(struct pair *x)
{
    const struct separate_fact *first = first_that(x, was_reset, of_reset);
    char                        rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE];

    if (first == NULL)
        return;
    if (x->best == WEIGHT_NONE)
        snprintf(x->advice, sizeof(x->advice), "Look for what sends RSTs in a host's name on the way between the two.");
    unsigned side = is_foreign(x, first, 1);
    uint64_t n = 0;
    struct ttl_range all = first->rst[side], others = first->ttl[side];

    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;

        if (!was_reset(x, f))
            continue;
        n += f->resets;
        if (is_foreign(x, f, side) && addr_compare(&f->tuple.server, &first->tuple.server) == 0) {
            ttl_range_join(&all, &f->rst[side]);
            ttl_range_join(&others, &f->ttl[side]);
        }
    }
    begin(x, WEIGHT_STRONG, first, of_reset);
    say(x, n == 1 ? "a RST in the name of %s on " : "RSTs in the name of %s on ",
        policy_host_name(x->p, policy_host(x->p, side == 1 ? &first->tuple.server : &first->tuple.client)));
    say_services(x, first, was_reset);
    say(x, n == 1 ? " has %s, its own packets%s %s" : " have %s, its own packets%s %s", ttl_text(&all, rst, sizeof(rst)), beside_text(side == 1 && first->beside),
        ttl_text(&others, own, sizeof(own)));
    count_all(x, was_reset);
}

/* Something of the server's came back. */
static bool has_answered(const struct pair *x, const struct separate_fact *f)
{
    (void)x;
    return f->tuple.transport == IPPROTO_TCP && (f->outcome == OUTCOME_ESTABLISHED || f->outcome == OUTCOME_REFUSED);
}

static bool is_same_way(const struct separate_fact *a, const struct separate_fact *b)
{
    return addr_compare(&a->tuple.client, &b->tuple.client) == 0 && addr_compare(&a->tuple.server, &b->tuple.server) == 0;
}

/* A TCP port that never answered this client, while another one did. */
static bool was_silent(const struct pair *x, const struct separate_fact *f)
{
    bool other = false;

    if (f->tuple.transport != IPPROTO_TCP || !f->allowed || f->outcome != OUTCOME_UNANSWERED || f->packets[1] > 0 ||
        coverage_ends_before_answer(x->coverage, f->first_ns))
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *g = &x->entries[i].fact;

        if (!is_same_way(f, g) || !has_answered(x, g))
            continue;
        if (g->tuple.server_port == f->tuple.server_port)
            return false;
        other = true;
    }
    return other;
}

/* A TCP port whose answers never reached this client, which asked again. */
static bool was_undelivered(const struct pair *x, const struct separate_fact *f)
{
    if (!f->allowed || f->undelivered == 0 || coverage_ends_before_answer(x->coverage, f->first_ns))
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *g = &x->entries[i].fact;

        if (is_same_way(f, g) && has_answered(x, g) && g->tuple.server_port == f->tuple.server_port)
            return false;
    }
    return true;
}

static void weigh_undelivered(struct pair *x)
{
    const struct separate_fact *first = coverage_is_lossy(x->coverage) ? NULL : first_that(x, was_undelivered, of_flow);

    if (first == NULL)
        return;
    if (x->best == WEIGHT_NONE)
        snprintf(x->advice, sizeof(x->advice), "Look at what drops answers from these ports: on the way back, or on the client.");
    begin(x, WEIGHT_MEDIUM, first, of_flow);
    say(x, "SYNs came again after the SYN, ACK of ");
    say_services(x, first, was_undelivered);
    say(x, ", so that these answers did not reach %s (which loss, or another way back, would show as well)", policy_host_name(x->p, policy_host(x->p, &first->tuple.client)));
    count_all(x, was_undelivered);
}

static void weigh_silence(struct pair *x)
{
    const struct separate_fact *first = coverage_is_lossy(x->coverage) || x->coverage->cut > 0 ? NULL : first_that(x, was_silent, of_flow);

    if (first == NULL)
        return;
    if (x->best == WEIGHT_NONE)
        snprintf(x->advice, sizeof(x->advice), "Look at what drops packets to these ports: on the way between the two, or on the server.");
    begin(x, WEIGHT_MEDIUM, first, of_flow);
    say(x, "no answer to SYNs on ");
    say_services(x, first, was_silent);
    say(x, ", while answers came from ");
    say_services(x, first, has_answered);
    count_all(x, was_silent);
}

/* Routers that a packet with this TTL has passed, by the nearest value that stacks begin with. */
static unsigned hops(uint8_t ttl)
{
    unsigned n = ttl != 0 ? (unsigned)ttl_initial(ttl) - ttl : 0;

    return n <= MAX_HOPS ? n : 0;
}

/* Of packets with TTLs of several stacks' beginnings nobody knows with which they began; and of some that passed none, others may have come another way. */
static unsigned hops_of(const struct ttl_range *r)
{
    return r->min != 0 && ttl_initial(r->min) == ttl_initial(r->max) && hops(r->max) > 0 ? hops(r->min) : 0;
}

/* With which TTLs this sender's packets to the other were seen at this place, in all conversations in which they are like those of 'r'. */
static void join_like(const struct pair *x, const struct addr *sender, uint16_t place, struct ttl_range *r)
{
    uint8_t initial = ttl_initial(r->min);

    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;
        unsigned                    side = addr_compare(&f->tuple.server, sender) == 0;
        struct ttl_range            own = ttl_seen_own_at(f->places[side], place);

        if (own.min != 0 && ttl_initial(own.min) == initial && ttl_initial(own.max) == initial && (side == 1 || addr_compare(&f->tuple.client, sender) == 0))
            ttl_range_join(r, &own);
    }
}

/* Of what one of the two sent to the other, are TTLs known of half at least?  Of flows that did not get through, or of which one side was not seen, none is. */
static bool are_most_known(const struct pair *x, const struct addr *sender)
{
    uint64_t known = 0, all = 0;

    for (size_t i = 0; i < x->n; i++) {
        const struct separate_fact *f = &x->entries[i].fact;
        unsigned                    side = addr_compare(&f->tuple.server, sender) == 0;

        if (side == 0 && addr_compare(&f->tuple.client, sender) != 0)
            continue;
        all += f->packets[side];
        known += ttl_seen_own(f->places[side]).min != 0 ? f->packets[side] : 0;
    }
    return 2 * known >= all;
}

/* What a side's packets were seen with at a place that no packet reached without a router between; 0: there is none. */
static struct ttl_range routed(const struct pair *x, const struct separate_fact *f, unsigned side)
{
    const struct addr *sender = side == 0 ? &f->tuple.client : &f->tuple.server;

    for (unsigned i = 0; i < N_TTL_PLACES; i++) {
        struct ttl_range r = f->places[side][i].own;

        if (hops_of(&r) == 0)
            continue;
        join_like(x, sender, f->places[side][i].place, &r);
        if (hops_of(&r) > 0 && are_most_known(x, sender))
            return r;
    }
    return (struct ttl_range){0, 0};
}

static bool passed_router(const struct pair *x, const struct separate_fact *f)
{
    return routed(x, f, 0).min != 0 || routed(x, f, 1).min != 0;
}

static void weigh_hops(struct pair *x)
{
    const struct separate_fact *first = first_that(x, passed_router, of_flow);
    char                        ttls[TTL_TEXT_SIZE], fewest[16] = "";

    if (first == NULL)
        return;
    unsigned           side = routed(x, first, 0).min == 0;
    struct ttl_range   r = routed(x, first, side);
    const struct addr *from = side == 0 ? &first->tuple.client : &first->tuple.server;
    if (x->best == WEIGHT_NONE)
        snprintf(x->advice, sizeof(x->advice), "Look at whether a router between the two filters.");
    if (r.max > r.min)
        snprintf(fewest, sizeof(fewest), "%u to ", hops(r.max));
    begin(x, WEIGHT_WEAK, first, of_flow);
    say(x, "packets of %s were seen with %s, as if they had passed %s%u router%s", policy_host_name(x->p, policy_host(x->p, from)), ttl_text(&r, ttls, sizeof(ttls)),
        fewest, hops(r.min), hops(r.min) == 1 ? "" : "s");
    if (x->best == WEIGHT_WEAK)
        count_all(x, passed_router);
}

/* --- all pairs --------------------------------------------------------------------------------------------------- */

/* The same of this pair under another section: its evidence is this one, and counts once. */
static const struct separation *told_before(const struct separator *s, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < s->n_results; i++) {
        const struct separation *r = &s->results[i];

        if ((r->host[0] == a && r->host[1] == b) || (r->host[0] == b && r->host[1] == a))
            return r;
    }
    return NULL;
}

#define SIDE_TEXT_SIZE (HOST_TEXT_SIZE + 32)

/* "exch1 (10.0.1.10)"; where it spoke from other addresses too, what is told may be of those. */
static const char *side_text(const struct pair *x, const struct addr *a, char *buf, size_t size)
{
    uint32_t host = policy_host(x->p, a);
    bool     others = false;
    char     address[ADDR_TEXT_SIZE];

    for (size_t i = 0; i < x->n && !others; i++) {
        const struct tuple *t = &x->entries[i].fact.tuple;
        const struct addr  *own = policy_host(x->p, &t->client) == host ? &t->client : &t->server;
        others = addr_compare(own, a) != 0;
    }
    if (!others)
        return host_text(x->p, a, buf, size);
    snprintf(buf, size, "%s (%s and others of its addresses)", policy_host_name(x->p, host), addr_text(a, address));
    return buf;
}

static void weigh(struct pair *x, const char *caution, const char *told_in)
{
    struct separation *r = x->result;
    char               a[SIDE_TEXT_SIZE], b[SIDE_TEXT_SIZE];
    size_t             at = x->len;

    weigh_icmp(x, WEIGHT_STRONG, was_prohibited);
    weigh_resets(x);
    weigh_icmp(x, WEIGHT_MEDIUM, prohibits_itself);
    weigh_silence(x);
    weigh_undelivered(x);
    weigh_hops(x);
    if (x->best == WEIGHT_NONE)
        return;
    if (policy_host(x->p, &r->addr[0]) != r->host[0]) {
        struct addr client = r->addr[0];
        r->addr[0] = r->addr[1];
        r->addr[1] = client;
    }
    r->severity = x->best == WEIGHT_STRONG ? SEVERITY_HIGH : x->best == WEIGHT_MEDIUM ? SEVERITY_MEDIUM : SEVERITY_NOTICE;
    char evidence[sizeof(r->sentence)];
    memcpy(evidence, r->sentence + at, sizeof(evidence) - at);
    x->len = at;
    say(x, "The capture shows signs that something %s %s and %s %s: %s%s%s%s. The document (\"%s\") says: %s %s", x->best == WEIGHT_STRONG || x->best == WEIGHT_WEAK ? "between" : "at or between",
        side_text(x, &r->addr[0], a, sizeof(a)), side_text(x, &r->addr[1], b, sizeof(b)),
        x->best == WEIGHT_WEAK ? "routes, which by itself is no filter" : "filters", evidence, told_in != NULL ? "; all this is what is told under \"" : "",
        told_in != NULL ? told_in : "", told_in != NULL ? "\" too" : "", r->section, caution, x->advice);
}

static struct separation *add_result(struct separator *s)
{
    if (s->n_results == s->n_results_allocated) {
        size_t             n = s->n_results_allocated == 0 ? 16 : 2 * s->n_results_allocated;
        struct separation *results = realloc(s->results, n * sizeof(*results));

        if (results == NULL)
            return NULL;
        s->results = results;
        s->n_results_allocated = n;
    }
    struct separation *r = &s->results[s->n_results++];
    *r = (struct separation){0};
    return r;
}

/* Two Cautions of one section would say the same of a pair twice. */
static bool is_said(const struct separator *s, uint32_t a, uint32_t b, const char *section)
{
    for (size_t i = s->n_results; i-- > 0;) {
        const struct separation *r = &s->results[i];

        if (((r->host[0] == a && r->host[1] == b) || (r->host[0] == b && r->host[1] == a)) && strcmp(r->section, section) == 0)
            return true;
    }
    return false;
}

/* What Caution 'm' says of one pair, if it speaks of it. */
static int judge_pair(struct separator *s, const struct matrix_separation *m, const struct coverage *c, const struct entry *entries, size_t n)
{
    bool     forward = cautions(s->p, m, entries->low, entries->high);
    uint32_t a = forward ? entries->low : entries->high, b = forward ? entries->high : entries->low;

    if ((!forward && !cautions(s->p, m, a, b)) || is_said(s, a, b, m->section))
        return 0;
    const struct separation *told = told_before(s, a, b);
    const char              *told_in = told != NULL ? told->section : NULL;
    struct separation       *r = add_result(s); /* may move them */
    if (r == NULL)
        return -ENOMEM;
    r->host[0] = a;
    r->host[1] = b;
    r->section = m->section;
    struct pair x = {.p = s->p, .coverage = c, .entries = entries, .n = n, .result = r};
    weigh(&x, m->text, told_in);
    if (x.best == WEIGHT_NONE)
        s->n_results--;
    return 0;
}

int separator_finish(struct separator *s, const struct coverage *c, const struct separation **ret, size_t *ret_n, struct err *reterr)
{
    int rc = 0;

    s->n_results = 0;
    if (s->n_entries > 1)
        qsort(s->entries, s->n_entries, sizeof(*s->entries), by_pair);
    for (size_t i = 0; rc == 0 && i < s->p->matrix->n_separations; i++) {
        for (size_t k = 0, end; rc == 0 && k < s->n_entries; k = end) {
            for (end = k + 1; end < s->n_entries && s->entries[end].low == s->entries[k].low && s->entries[end].high == s->entries[k].high;)
                end++;
            rc = judge_pair(s, &s->p->matrix->separations[i], c, &s->entries[k], end - k);
        }
    }
    if (rc != 0)
        return err_set(reterr, rc, "no memory for evidence of separation");
    *ret = s->results;
    *ret_n = s->n_results;
    return 0;
}
