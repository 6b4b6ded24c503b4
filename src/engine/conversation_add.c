/* SPDX-License-Identifier: Apache-2.0 */
/* What a conversation holds of its flows, and of another conversation that is the same. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"
#include "flowaudit/flow.h"

#define ASKED_AGAIN_NS 1000000000u

static void find_latest(struct conversation *c)
{
    c->latest_kept = 0;
    for (uint32_t i = 1; i < c->n_kept; i++)
        if (kept_flow_compare(&c->kept[i], &c->kept[c->latest_kept]) > 0)
            c->latest_kept = i;
}

static size_t kept_limit(const struct conversation_limits *limits, const struct conversation *c)
{
    return limits->flows_all ? UINT32_MAX : c->key.verdict == VERDICT_VIOLATION ? limits->flows_kept : 0;
}

/* Keeps the flow as evidence: all of them, or the earliest few. */
static int keep(const struct conversation_limits *limits, struct conversation *c, const struct kept_flow *k)
{
    size_t limit = kept_limit(limits, c);

    if (c->n_kept >= limit) {
        if (c->n_kept > 0 && kept_flow_compare(k, &c->kept[c->latest_kept]) < 0) {
            c->kept[c->latest_kept] = *k;
            find_latest(c);
        }
        return 0;
    }
    if (c->n_kept == c->n_kept_allocated) {
        size_t            more = c->n_kept_allocated + c->n_kept_allocated / 2 + (size_t)1;
        uint32_t          n = (uint32_t)(more < limit ? more : limit); /* never more than may be kept */
        struct kept_flow *kept = realloc(c->kept, n * sizeof(*kept));

        if (kept == NULL)
            return -ENOMEM;
        c->kept = kept;
        c->n_kept_allocated = n;
    }
    c->kept[c->n_kept] = *k;
    if (kept_flow_compare(k, &c->kept[c->latest_kept]) > 0)
        c->latest_kept = c->n_kept;
    c->n_kept++;
    return 0;
}

static int keep_record(const struct conversation_limits *limits, struct conversation *c, const struct flow_record *r, const struct app *app)
{
    struct kept_flow k;
    size_t           limit = kept_limit(limits, c);

    if (limit == 0 || (c->n_kept >= limit && r->first_ns > c->kept[c->latest_kept].first_ns) || flow_is_quoted(r))
        return 0;
    kept_flow_make(r, app, &k);
    return keep(limits, c, &k);
}

static bool answer_is_first(const struct flow_record *r)
{
    return r->packets[1] > 0 && (r->packets[0] == 0 || r->sent_first_ns[1] < r->sent_first_ns[0]);
}

static int note_windows(const struct conversation_limits *limits, struct conversation *c, const struct flow_record *r)
{
    if (limits->window_ns <= 0)
        return 0;
    struct window_use use = {
        .first = window_of(r->first_ns, limits->window_ns), .last = window_of(r->last_ns, limits->window_ns), .first_ns = r->first_ns,
        .last_ns = r->last_ns,
        .flows = 1, .first_packet = r->first_packet, .input = r->input, .answer_first = answer_is_first(r)};

    return window_uses_add(c, &use);
}

/* The same without the SYN: it passed before the capture began, or was not captured. */
static bool is_synless_probe(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_SYN_ACK_ONLY && r->packets[0] > 0 && r->closed == FLOW_CLOSED_RST && !r->rst_from_server_side &&
           r->payload[0] + r->payload[1] == 0 && (r->tcp_flags[0] & ~(TCP_RST | TCP_ACK)) == 0;
}

/* The server's SYN-ACK came, and the client's RST. */
static bool is_probe(const struct flow_record *r)
{
    bool in_full = r->tcp_state == TCP_STATE_HALF_OPEN && r->closed == FLOW_CLOSED_RST && !r->rst_from_server_side && r->payload[0] + r->payload[1] == 0;

    return in_full || is_synless_probe(r);
}

enum outcome conversation_outcome(const struct flow_record *r, bool one_way_expected)
{
    return is_synless_probe(r) ? OUTCOME_ESTABLISHED : flow_record_outcome(r, one_way_expected);
}

enum disposition conversation_disposition(const struct conversation *c)
{
    enum outcome o = (enum outcome)c->key.outcome;

    return (o == OUTCOME_ONE_WAY || o == OUTCOME_UNANSWERED) && c->untold == c->flows ? DISPOSITION_NONE : disposition_of(c->judgement.verdict, o);
}

/* The server's SYN-ACK came, and nothing more of the client. */
static bool is_unfinished(const struct flow_record *r)
{
    return r->tcp_state == TCP_STATE_HALF_OPEN && r->closed != FLOW_CLOSED_RST && r->payload[0] == 0 && !flow_record_is_undelivered(r);
}

/* Data of the server, or a segment that goes on without SYN and RST: the connection is there, whatever of the client is in the capture. */
static bool is_running(const struct flow_record *r)
{
    bool goes_on = r->sent_data[1] || (r->tcp_state == TCP_STATE_MIDSTREAM && (r->tcp_flags[1] & (TCP_SYN | TCP_RST)) == 0);

    return r->tuple.transport == IPPROTO_TCP && r->packets[0] == 0 && r->packets[1] > 0 && goes_on;
}

/* One segment without SYN and RST, maybe again and again, of this side: nobody may be there to take it. */
static bool is_one_segment_of(const struct flow_record *r, unsigned side)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_MIDSTREAM && r->packets[!side] == 0 && (r->tcp_flags[side] & TCP_RST) == 0 &&
           r->packets[side] <= 1 + r->retransmissions + r->copies[side];
}

static bool is_one_segment(const struct flow_record *r)
{
    return is_one_segment_of(r, 0);
}

/* The same of what is a server by its port alone. */
static bool is_one_segment_turned(const struct flow_record *r)
{
    return r->direction >= DIRECTION_PORT && is_one_segment_of(r, 1);
}

/* Segments without SYN, ACK and RST, which begin no connection and belong to none (RFC 9293, 3.10.7), and nothing else. */
static bool is_bare(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_MIDSTREAM && (r->packets[0] == 0 || r->packets[1] == 0) &&
           ((r->tcp_flags[0] | r->tcp_flags[1]) & (TCP_SYN | TCP_ACK | TCP_RST)) == 0;
}

/* The server's SYN-ACK alone: whoever had the third packet of the handshake would not send it again. */
static bool is_only_answer(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_SYN_ACK_ONLY && r->packets[0] == 0 && !r->server_went_on && r->payload[1] == 0;
}

static bool is_repeated_answer(const struct flow_record *r)
{
    return is_only_answer(r) && (r->tcp_flags[1] & TCP_RST) == 0 && r->packets[1] > 1 + r->copies[1];
}

/* Datagrams of one side, taken for the server's for its port alone: if they are no answers, nothing shows that they arrived. */
static bool is_turned_by_port(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_UDP && r->direction == DIRECTION_PORT && r->packets[0] == 0 && r->app.basis != APP_CONTENT;
}

#define FEW_HOPS 16 /* stacks begin with twice as many and more */

/* Sent to die on the way: to find out which it is. */
static bool is_traced(const struct flow_record *r)
{
    bool few = r->ttl[0][0].ttl.min != 0;

    for (unsigned i = 0; i < N_TTL_PLACES && r->ttl[0][i].ttl.min != 0; i++)
        few = few && r->ttl[0][i].ttl.max < FEW_HOPS;
    return few && r->packets[1] == 0 && !r->group;
}

/*
 * One-way, and it may have got through or not: an answer (SYN, ACK) to which nothing came, a RST that ends or answers something else, and nothing that the
 * other side would send, or go on with, only on a connection.  What sends data or goes on by itself was answered.  Or datagrams which an error met late,
 * or that were sent to die on the way.
 */
static bool is_untold(const struct flow_record *r)
{
    bool both = r->packets[0] > 0 && r->packets[1] > 0, reset = ((r->tcp_flags[0] | r->tcp_flags[1]) & TCP_RST) != 0;

    if (r->tuple.transport != IPPROTO_TCP)
        return flow_record_is_stopped_late(r) || flow_record_is_asked_on(r) || is_traced(r);
    if (is_unfinished(r) || is_only_answer(r) || is_bare(r) || is_one_segment(r) || is_one_segment_turned(r))
        return true;
    return both ? r->tcp_state == TCP_STATE_MIDSTREAM || r->tcp_state == TCP_STATE_FLAGS_CUT || r->tcp_state == TCP_STATE_NO_SYN_ACK
                : r->tcp_state == TCP_STATE_MIDSTREAM && reset && !r->sent_data[0] && !r->sent_data[1];
}

/* As is_running(), of the client's side. */
static bool is_adrift(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_MIDSTREAM && r->packets[1] == 0 && r->packets[0] > 0 &&
           !is_one_segment(r) &&
           (r->tcp_flags[0] & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* From its SYN on; with data, for an ACK alone may be anything. */
static bool is_going_on(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_NO_SYN_ACK && r->packets[1] == 0 && r->payload[0] > 0;
}

/* Of a connection that began before: one side's RST answers the other, and nothing shows that it was there. */
static bool is_ended(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_MIDSTREAM && r->packets[0] > 0 && r->packets[1] > 0 &&
           ((r->tcp_flags[0] | r->tcp_flags[1]) & TCP_RST) != 0 && !r->sent_data[0] && !r->sent_data[1] && flow_record_outcome(r, false) == OUTCOME_ONE_WAY;
}

/* Before it sent its SYN a second time: then an answer was overdue. */
static bool is_withdrawn(const struct flow_record *r)
{
    return r->tcp_state == TCP_STATE_SYN && r->closed == FLOW_CLOSED_RST && !r->rst_from_server_side && r->packets[1] == 0 && r->icmp.n_errors == 0 &&
           r->packets[0] <= 2 + r->copies[0];
}

static void join_sights(struct flow_sight *a, const struct flow_sight *b)
{
    uint32_t n = b->flows < UINT32_MAX - a->flows ? a->flows + b->flows : UINT32_MAX;

    if (b->flows > 0 && (a->flows == 0 || packet_place_before(&b->first, &a->first)))
        *a = *b;
    a->flows = n;
}

static void add_sight(struct flow_sight *to, const struct flow_record *r)
{
    join_sights(to, &(struct flow_sight){{r->first_ns, r->first_packet, r->input}, 1});
}

/* How often something would have come back, had anyone been there and let it: what is sent within a second may be lost at once. */
static uint32_t times_asked(const struct flow_record *r)
{
    bool     took_back = r->closed == FLOW_CLOSED_RST && !r->rst_from_server_side;
    uint64_t sent = r->packets[0] - r->copies[0];

    sent -= took_back && sent > 0;
    if (sent <= 1)
        return (uint32_t)sent;
    uint64_t seconds = ((uint64_t)r->sent_last_ns[0] - (uint64_t)r->sent_first_ns[0]) / ASKED_AGAIN_NS; /* whatever the clock did */
    return (uint32_t)(sent < seconds + 1 ? sent : seconds < UINT32_MAX ? seconds + 1 : UINT32_MAX);
}

/* More than what a host answers to one broadcast or multicast, and to its repetitions. */
static bool is_lasting(const struct flow_record *r)
{
    return r->last_ns > ns_after(r->first_ns, ANSWERS_WITHIN_NS) || r->packets[0] + r->packets[1] - r->duplicates > ANSWERS_MAX;
}

static void add_withdrawn(struct conversation *c, const struct flow_record *r)
{
    if (!is_withdrawn(r))
        return;
    c->withdrawn++;
    if (r->last_ns - r->first_ns > c->withdrawn_ns)
        c->withdrawn_ns = r->last_ns - r->first_ns;
}

static void add_half_open(struct conversation *c, const struct flow_record *r)
{
    c->probes += is_probe(r);
    c->unfinished += is_unfinished(r);
    c->after_syn_ack |= r->closed == FLOW_CLOSED_RST && r->rst_from_server_side;
    if (!flow_record_is_undelivered(r))
        return;
    c->undelivered++;
    c->resent_syns += r->resent_syns;
}

static void add_refused(struct conversation *c, const struct flow_record *r)
{
    if (r->direction != DIRECTION_STRAY)
        return;
    c->strays_differ |= c->strays > 0 && c->stray_flags != r->tcp_flags[0];
    c->stray_flags = r->tcp_flags[0];
    c->strays++;
}

static void add_midstream(struct conversation *c, const struct flow_record *r)
{
    bool lone = flow_record_is_lone_reset(r), bare = is_bare(r), one = is_one_segment(r);

    c->lone_resets += lone;
    c->refusals += lone && r->packets[0] == 0 && r->answers_unacked;
    c->bare += bare;
    if (is_adrift(r))
        add_sight(&c->adrift, r);
    if (!is_ended(r) && (!one || bare))
        return;
    c->ended++;
    c->ended_by_server += (r->tcp_flags[1] & TCP_RST) != 0;
    c->ended_by_nobody += one;
}

/* TCP that is no whole connection: what it is is asked only where the flow's state leaves it open. */
static void add_odd_flow(struct conversation *c, const struct flow_record *r)
{
    bool synless;

    if (is_running(r))
        add_sight(&c->running, r);
    switch (r->tcp_state) {
    case TCP_STATE_SYN:
        add_withdrawn(c, r);
        break;
    case TCP_STATE_SYN_ACK_ONLY:
        synless = is_synless_probe(r);
        c->probes += synless;
        c->synless += synless;
        c->repeated_answers += is_repeated_answer(r);
        break;
    case TCP_STATE_HALF_OPEN:
        add_half_open(c, r);
        break;
    case TCP_STATE_REFUSED:
        add_refused(c, r);
        break;
    case TCP_STATE_NO_SYN_ACK:
        c->went_on += is_going_on(r);
        break;
    case TCP_STATE_MIDSTREAM:
        add_midstream(c, r);
        break;
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FLAGS_CUT:
    case TCP_STATE_NONE:
        break;
    }
}

static void join_odd_flows(struct conversation *a, const struct conversation *b)
{
    a->strays_differ |= b->strays_differ || (a->strays > 0 && b->strays > 0 && a->stray_flags != b->stray_flags);
    if (b->strays > 0)
        a->stray_flags = b->stray_flags;
    a->strays += b->strays;
    a->lone_resets += b->lone_resets;
    a->refusals += b->refusals;
    a->bare += b->bare;
    a->went_on += b->went_on;
    a->repeated_answers += b->repeated_answers;
    join_sights(&a->running, &b->running);
    join_sights(&a->adrift, &b->adrift);
    a->withdrawn += b->withdrawn;
    a->ended += b->ended;
    a->ended_by_server += b->ended_by_server;
    a->ended_by_nobody += b->ended_by_nobody;
    a->synless += b->synless;
    a->stopped_late += b->stopped_late;
    a->asked_on += b->asked_on;
    a->answers += b->answers;
    a->lasting += b->lasting;
    a->damaged += b->damaged;
    a->asked = b->asked > a->asked ? b->asked : a->asked;
    a->undelivered += b->undelivered;
    a->resent_syns += b->resent_syns;
    if (b->withdrawn_ns > a->withdrawn_ns)
        a->withdrawn_ns = b->withdrawn_ns;
}

/* What is said of the conversation is said of its earliest flow; which sides sent, of all. */
static void describe(struct conversation *c, const struct flow_record *r, const struct policy_query *q, const struct app_entry *app,
                     const struct judgement *j, bool is_reply)
{
    c->first_ns = r->first_ns;
    c->first_input = r->input;
    c->first_packet = r->first_packet;
    c->tuple = q->tuple;
    c->direction_known = q->direction_known;
    c->one_asks = q->one_asks;
    c->group = q->group;
    c->answers_group = q->answers_group;
    c->media = q->media;
    c->negotiated = q->negotiated;
    c->judgement = *j;
    c->basis = r->direction;
    c->is_reply = is_reply;
    c->first_probes = is_probe(r);
    c->answer_first = answer_is_first(r);
    c->app = &app->app;
    c->vlan = r->vlan[0] != 0 ? r->vlan[0] : r->vlan[1];
}

/* From where to where: of what is no sum it is one client and one port. */
static void add_extent(struct conversation *c, const struct flow_record *r)
{
    const struct tuple *t = &r->tuple;

    if (c->flows == 0 || addr_compare(&t->client, &c->client_low) < 0)
        c->client_low = t->client;
    if (c->flows == 0 || addr_compare(&t->client, &c->client_high) > 0)
        c->client_high = t->client;
    if (c->flows == 0 || t->server_port < c->server_port_low)
        c->server_port_low = t->server_port;
    if (t->server_port > c->server_port_high)
        c->server_port_high = t->server_port;
}

static void join_extent(struct conversation *a, const struct conversation *b)
{
    if (addr_compare(&b->client_low, &a->client_low) < 0)
        a->client_low = b->client_low;
    if (addr_compare(&b->client_high, &a->client_high) > 0)
        a->client_high = b->client_high;
    if (b->server_port_low < a->server_port_low)
        a->server_port_low = b->server_port_low;
    if (b->server_port_high > a->server_port_high)
        a->server_port_high = b->server_port_high;
}

static void add_counts(struct conversation *c, const struct flow_record *r)
{
    add_extent(c, r);
    c->flows += c->key.quoted ? c->flows == 0 : 1;
    c->sent[0] |= c->key.quoted;
    for (unsigned i = 0; i < 2; i++) {
        c->packets[i] += r->packets[i];
        c->bytes[i] += r->bytes[i];
        c->payload += r->payload[i];
        c->unseen_bytes += r->unseen_bytes[i];
        c->sent[i] |= r->packets[i] > 0;
    }
    if (r->tuple.transport == IPPROTO_TCP)
        add_odd_flow(c, r);
    c->duplicates += r->duplicates;
    c->encap |= r->encap;
    c->cut |= r->cut;
    c->routed |= r->routed;
    if (r->tuple.client_port < c->client_port_low)
        c->client_port_low = r->tuple.client_port;
    if (r->tuple.client_port > c->client_port_high)
        c->client_port_high = r->tuple.client_port;
    if (r->last_ns > c->last_ns)
        c->last_ns = r->last_ns;
}

static struct packet_place start_of(const struct conversation *c)
{
    return (struct packet_place){c->first_ns, c->first_packet, c->first_input};
}

static bool starts_before(const struct flow_record *r, const struct conversation *c)
{
    struct packet_place own = {r->first_ns, r->first_packet, r->input}, start = start_of(c);

    return r->first_ns <= c->first_ns && packet_place_before(&own, &start);
}

static bool icmp_before(const struct flow_icmp *a, const struct flow_icmp *b)
{
    struct packet_place first = {a->ts_ns, a->packet_number, a->input}, second = {b->ts_ns, b->packet_number, b->input};

    return packet_place_before(&first, &second);
}

static int add_icmp(struct conversation *c, const struct flow_icmp *icmp)
{
    if (icmp->n_errors == 0)
        return 0;
    bool first = c->icmp == NULL;
    if (first && (c->icmp = calloc(1, sizeof(*c->icmp))) == NULL)
        return -ENOMEM;
    c->errors_differ |= icmp->differ || (!first && (c->icmp->type != icmp->type || c->icmp->code != icmp->code || addr_compare(&c->icmp->sender, &icmp->sender) != 0));
    uint64_t n = c->icmp->n_errors + icmp->n_errors, n_repeated = c->icmp->n_repeated + icmp->n_repeated, n_copies = c->icmp->n_copies + icmp->n_copies;
    uint32_t n_late = c->icmp->n_late + icmp->n_late;
    bool     prohibits = policy_icmp_prohibits(icmp), kept_prohibits = !first && policy_icmp_prohibits(c->icmp);
    if (first || (prohibits == kept_prohibits ? icmp_before(icmp, c->icmp) : prohibits))
        *c->icmp = *icmp;
    c->icmp->n_errors = n;
    c->icmp->n_repeated = n_repeated;
    c->icmp->n_copies = n_copies;
    c->icmp->n_late = n_late;
    return 0;
}

static int add_errors(struct conversation *c, const struct flow_record *r)
{
    struct flow_icmp icmp = r->icmp;

    icmp.n_copies = r->copies[0];
    icmp.n_late = icmp.n_before > 1 && icmp.about_client_packet && !icmp.after_answer;
    return add_icmp(c, &icmp);
}

static void add_own(struct conversation *c, unsigned side, uint16_t place, const struct ttl_range *own)
{
    struct ttl_seen *first = &c->ttl[side][0]; /* most captures are of one place */
    struct ttl_seen *at = first->own.min != 0 && first->place == place ? first : ttl_seen_at(c->ttl[side], place);

    if (at != NULL)
        ttl_range_join(&at->own, own);
}

static void add_reset(struct conversation *c, unsigned side, const struct flow_record *r)
{
    struct ttl_seen *at = ttl_seen_at(c->ttl[side], r->rst_place);

    if (at != NULL)
        ttl_range_add(&at->rst, r->rst_ttl);
    add_sight(&c->reset, r);
}

/* A RST that is not like all else that this side sent may be another's: true.  Its TTLs, and those of what refused an attempt. */
static bool add_reset_ttls(struct conversation *c, const struct flow_record *r, enum outcome outcome, unsigned side)
{
    struct ttl_range own;
    bool             begun = ((r->tcp_flags[0] | r->tcp_flags[1]) & TCP_SYN) != 0; /* else what has its TTL may have come before the capture */
    bool             is_apart = begun && flow_record_rst_is_apart(r, &own);

    if (is_apart || (side == 1 && outcome == OUTCOME_REFUSED))
        add_reset(c, side, r);
    if (is_apart && r->ttl[side][0].ttl.min == 0) /* RSTs alone, of two senders */
        add_own(c, side, r->rst_place, &own);
    return is_apart;
}

/* TTLs of one side. */
static void add_ttls(struct conversation *c, const struct flow_record *r, enum outcome outcome, unsigned side)
{
    bool is_reset = r->rst_ttl != 0 && r->rst_from_server_side == (side == 1);

    if (r->packets[side] == 0)
        return;
    bool is_apart = is_reset && add_reset_ttls(c, r, outcome, side);
    if (!is_apart && outcome != OUTCOME_ESTABLISHED)
        return;
    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        if (r->ttl[side][i].ttl.min != 0)
            add_own(c, side, r->ttl[side][i].place, &r->ttl[side][i].ttl);
}

int conversation_add(const struct conversation_limits *limits, struct conversation *c, const struct flow_record *r, const struct conversation_flow *f)
{
    if (c->flows == 0 || starts_before(r, c))
        describe(c, r, f->query, f->app, f->judgement, f->is_reply);
    add_counts(c, r);
    bool asked_on = r->icmp.n_errors > 0 && (f->outcome == OUTCOME_ONE_WAY || f->outcome == OUTCOME_UNANSWERED) && flow_record_is_asked_on(r);
    bool turned = f->judgement->verdict == VERDICT_VIOLATION && is_turned_by_port(r);
    c->untold += asked_on || (f->outcome == OUTCOME_ONE_WAY && (is_untold(r) || turned));
    c->asked_on += asked_on;
    c->unsought += r->unasked;
    c->query_missing |= r->query_missing;
    c->damaged += r->is_damaged;
    c->answers += r->tuple.transport == IPPROTO_UDP && r->is_answer && (r->packets[0] == 0 || r->packets[1] == 0);
    c->lasting += is_lasting(r);
    uint32_t asked = times_asked(r);
    c->asked = asked > c->asked ? asked : c->asked;
    c->stopped_late += f->outcome == OUTCOME_ONE_WAY && flow_record_is_stopped_late(r);
    for (unsigned side = 0; side < 2 && (f->outcome == OUTCOME_ESTABLISHED || r->rst_ttl != 0); side++)
        add_ttls(c, r, f->outcome, side);
    c->n_summed += f->is_summed;
    int rc = r->icmp.n_errors > 0 ? add_errors(c, r) : 0;
    if (rc == 0)
        rc = note_windows(limits, c, r);
    return rc == 0 ? keep_record(limits, c, r, &f->app->app) : rc;
}

static void take_description(struct conversation *a, const struct conversation *b)
{
    a->first_ns = b->first_ns;
    a->first_input = b->first_input;
    a->first_packet = b->first_packet;
    a->tuple = b->tuple;
    a->direction_known = b->direction_known;
    a->one_asks = b->one_asks;
    a->group = b->group;
    a->answers_group = b->answers_group;
    a->media = b->media;
    a->negotiated = b->negotiated;
    a->judgement = b->judgement;
    a->basis = b->basis;
    a->is_reply = b->is_reply;
    a->first_probes = b->first_probes;
    a->answer_first = b->answer_first;
    a->app = b->app;
    a->vlan = b->vlan;
    a->parent = b->parent;
    a->bind = b->bind;
    a->no_parent = b->no_parent;
}

static bool begins_before(const struct conversation *a, const struct conversation *b)
{
    struct packet_place first = start_of(a), second = start_of(b);

    return packet_place_before(&first, &second);
}

int conversation_absorb(const struct conversation_limits *limits, struct conversation *a, struct conversation *b)
{
    int rc;

    if (begins_before(b, a))
        take_description(a, b);
    a->last_ns = b->last_ns > a->last_ns ? b->last_ns : a->last_ns;
    a->flows += a->key.quoted ? 0 : b->flows;
    a->n_summed += b->n_summed;
    a->payload += b->payload;
    a->probes += b->probes;
    a->unfinished += b->unfinished;
    a->untold += b->untold;
    a->unsought += b->unsought;
    a->query_missing |= b->query_missing;
    a->after_syn_ack |= b->after_syn_ack;
    a->duplicates += b->duplicates;
    a->unseen_bytes += b->unseen_bytes;
    a->encap |= b->encap;
    a->cut |= b->cut;
    a->routed |= b->routed;
    a->one_sided &= b->one_sided;
    a->errors_differ |= b->errors_differ;
    if (a->own.min == 0) {
        a->own = b->own;
        a->beside = b->beside;
    }
    for (unsigned i = 0; i < 2; i++) {
        ttl_seen_join(a->ttl[i], b->ttl[i]);
        a->packets[i] += b->packets[i];
        a->bytes[i] += b->bytes[i];
        a->sent[i] |= b->sent[i];
    }
    join_sights(&a->reset, &b->reset);
    join_odd_flows(a, b);
    join_extent(a, b);
    a->client_port_low = b->client_port_low < a->client_port_low ? b->client_port_low : a->client_port_low;
    a->client_port_high = b->client_port_high > a->client_port_high ? b->client_port_high : a->client_port_high;
    rc = add_icmp(a, conversation_icmp(b));
    for (size_t i = 0; rc == 0 && i < b->n_kept; i++)
        rc = keep(limits, a, &b->kept[i]);
    if (rc == 0 && b->windows != NULL)
        rc = window_uses_join(a, b->windows);
    free(b->kept);
    free(b->icmp);
    b->kept = NULL;
    b->icmp = NULL;
    b->n_kept = b->n_kept_allocated = 0;
    free(b->windows);
    b->windows = NULL;
    return rc;
}
