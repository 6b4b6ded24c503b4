/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: for each packet of the batch decode → (is it ours?) → flow table → classifier while the flow still
 * wants it.  When a flow ends: shard_fold.c.
 *
 * Ownership: the state of a flow's classification lives in the flow's 'ext' bytes and goes back to the classifier's
 * pool as soon as the result is final, or when the flow ends.
 */
#include "shard-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/learn.h"

#define AHEAD 4               /* packets of which the headers are asked for: another thread may have written them */
#define CHUNK 64              /* packets hashed and prefetched ahead of the table look-ups; as many as a mask has bits */
#define MAX_SNIFFS 2          /* signalling shows itself in the first payload of one side or the other */
#define SWEEP_EVERY 16384     /* packets between two sweeps of the flow table: only frees memory */
#define SWEEP_BUDGET 4096
#define STEP_NS (120 * INT64_C(1000000000))    /* the clock goes back with packets that are older by more than a sweep allows for */
#define MOST_STEPS 64         /* each costs a look at every flow */
#define STEADY_NS (3600 * UINT64_C(1000000000))
#define YOUNG_NS (3 * UINT64_C(1000000000))     /* the first retransmission of a SYN is over, and most content is known */
#define QUERIES_KEPT_NS (2000 * UINT64_C(1000000000)) /* from one pass to the next: longer than a UDP flow is silent */

/* --- the end of a flow ------------------------------------------------------------------------------ */

/* The number of this result in the shard's list.  A list that is full (it cannot be, short of a fault) tells no more apart. */
static uint16_t intern_app(struct shard *s, const struct app *app)
{
    for (size_t at = hash_bytes(&s->hash_key, app, sizeof(*app)) % (2 * APPS_MAX);; at = (at + 1) % (2 * APPS_MAX)) {
        uint16_t *slot = &s->app_slots[at];

        if (*slot == 0) {
            if (s->n_apps == APPS_MAX)
                return 0;
            s->apps[s->n_apps++] = app_list_intern(s->options.apps, app);
            *slot = s->n_apps;
        }
        if (memcmp(&s->apps[*slot - 1]->app, app, sizeof(*app)) == 0)
            return *slot - 1;
    }
}

static bool is_same(const struct classify_outcome *a, const struct classify_outcome *b)
{
    return a->name == b->name && a->detail == b->detail && a->detail_of == b->detail_of && a->also == b->also && a->basis == b->basis &&
           a->contradicts == b->contradicts;
}

/* Most flows come to one of few results: the number is remembered by the names that it is made of, without a look at their letters. */
static uint16_t result_of(struct shard *s, const struct classify_state *state)
{
    struct classify_outcome outcome;
    struct app              app;

    classify_outcome(state, &outcome);
    uint64_t             hash = ((uint64_t)(uintptr_t)outcome.name ^ (uint64_t)(uintptr_t)outcome.detail << 32 ^ outcome.also) * UINT64_C(0x9e3779b97f4a7c15);
    struct known_result *known = &s->results[hash >> (64 - RESULTS_BITS)];
    if (known->is_known && is_same(&known->outcome, &outcome))
        return known->app;
    memset(&app, 0, sizeof(app)); /* compared as bytes: padding too */
    classify_result(state, &app);
    *known = (struct known_result){outcome, intern_app(s, &app), true};
    return known->app;
}

/* A flow that goes on in another record keeps its state. */
static const struct app_entry *end_classification(struct shard *s, struct flow_state *state, struct flow_record *r)
{
    if (state == NULL)
        return s->apps[0];
    if (state->classify != NULL) {
        state->app = result_of(s, state->classify);
        if (r->end != FLOW_END_ACTIVE) {
            classify_end(s->classifier, state->classify);
            state->classify = NULL;
        }
    }
    if (r->end != FLOW_END_ACTIVE) {
        pinhole_end(s->pinholes, state->pinhole);
        state->pinhole = NULL;
    }
    r->app = s->apps[state->app]->app;
    return s->apps[state->app];
}

/* An error about a packet whose flow is not in the capture: not yet, or not at all. */
static void note_quoted(struct shard *s, const struct packet *p)
{
    const struct packet_quote *quote = &p->quote;
    const struct tuple         tuple = {quote->src, quote->dst, quote->sport, quote->dport, quote->transport};
    struct flow_table_stats    stats;
    struct policy_ends         ends;

    flow_table_stats(s->flows, &stats);
    policy_locate(s->policy, &tuple, &ends);
    if (!s->options.survey && stats.n_evicted == 0 && (ends.client != POLICY_NONE || ends.server != POLICY_NONE))
        flow_table_quoted(s->flows, p);
}

/* A flow that the pass under way has told as open is told as ended by the next. */
static void on_flow_end(void *aux, struct flow_record *r, void *ext)
{
    struct shard           *s = aux;
    enum engine_stage       stage = stopwatch_turn(&s->watch, ENGINE_JUDGE);
    const struct app_entry *app = end_classification(s, ext, r);
    struct part            *part = s->open != NULL && flow_walk_passed(&s->walk, r->entry) ? s->later : s->ended;

    shard_fold(s, part, r, ext, app);
    stopwatch_turn(&s->watch, stage);
}

/* An attempt, or content, of which more is to be known in a moment is not told yet. */
static bool is_too_young(const struct shard *s, const struct flow_record *r, const struct flow_state *state)
{
    bool     answered = r->packets[0] > 0 && r->packets[1] > 0;
    uint64_t age = (uint64_t)s->clock_ns - (uint64_t)r->first_ns;

    return age < YOUNG_NS && age + s->quiet_ns < YOUNG_NS && (!answered || (state != NULL && state->classify != NULL));
}

static void on_open_flow(void *aux, struct flow_record *r, void *ext)
{
    struct shard *s = aux;

    if (is_too_young(s, r, ext)) {
        s->n_young++;
        return;
    }
    r->end = FLOW_END_ACTIVE;
    shard_fold(s, s->open, r, ext, end_classification(s, ext, r));
}

/* --- the path of a packet --------------------------------------------------------------------------- */

/* The tuple of the packet's flow as far as is known now: did the client send it? */
static struct tuple current_tuple(const struct packet *p, bool from_client)
{
    if (from_client)
        return (struct tuple){p->src, p->dst, p->sport, p->dport, p->transport};
    return (struct tuple){p->dst, p->src, p->dport, p->sport, p->transport};
}

/* What a flow's payload is still wanted for: bits of flow.watch.  The table sets the first at the start. */
enum { WATCH_CLASSIFY = 1, WATCH_PINHOLE = 2, WATCH_TALK = 4 };

static void stop_classifying(struct shard *s, struct flow *f, struct flow_state *state)
{
    f->watch &= (uint8_t)~WATCH_CLASSIFY;
    if (state->classify == NULL)
        return;
    state->app = result_of(s, state->classify);
    classify_end(s->classifier, state->classify);
    state->classify = NULL;
}

/* Looked at once in a flow: a header checksum (RFC 1071) that is wrong, and not left to the interface, which would have it 0. */
static bool is_damaged(const struct packet *p)
{
    const uint8_t *h = p->l3;
    uint32_t       len = p->l3_len < 20 || h[0] >> 4 != 4 ? 0 : (h[0] & 15) * 4u;
    uint64_t       sum = 0;

    if (len < 20 || len > p->l3_len || (h[10] | h[11]) == 0)
        return false;
    for (uint32_t i = 0; i < len; i += 4) { /* two words at once, in the order of this machine's bytes: RFC 1071, 2 */
        uint32_t words;

        memcpy(&words, h + i, sizeof(words));
        sum += words;
    }
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum != 0xffff;
}

static void begin_classification(struct shard *s, const struct flow_step *step, const struct packet *p, unsigned client, struct flow_state *state)
{
    struct tuple t = current_tuple(p, step->side == client);

    state->begun = true;
    state->is_damaged = is_damaged(p);
    if (t.transport == IPPROTO_UDP && classify_has_talk(t.client_port, t.server_port))
        step->flow->watch |= WATCH_TALK;
    state->is_late = !flow_begins_data(s->flows, step->flow, step->side, p);
    state->first_side = (uint8_t)step->side;
    state->expected = s->options.survey ? learn_expected(s->policy, &t) : policy_recall_expected(s->memo, &t);
    state->classify = classify_begin(s->classifier);
    if (state->classify != NULL)
        classify_set_owner(s->classifier, state->classify, step->flow);
}

/* There is no more room for flows in classification, and this has been one for the longest: what is known now is its result. */
static void give_up(void *aux, void *owner)
{
    struct shard      *s = aux;
    struct flow_state *state = flow_ext(s->flows, owner);

    state->app = result_of(s, state->classify);
    classify_end(s->classifier, state->classify);
    state->classify = NULL;
}

static void classify(struct shard *s, const struct flow_step *step, const struct packet *p, struct flow_state *state)
{
    struct flow         *f = step->flow;
    enum direction_basis basis;
    unsigned             client = flow_client_side(s->flows, f, &basis);

    if (!state->begun)
        begin_classification(s, step, p, client, state);
    if (state->classify == NULL) {
        stop_classifying(s, f, state);
        return;
    }
    struct classify_step what = {
        .expected = state->expected,
        .midstream = f->transport == IPPROTO_TCP && (basis > DIRECTION_SYN_ACK || state->is_late),
    };
    enum classify_progress progress = classify_packet(s->classifier, state->classify, p, &what);
    state->is_reply = classify_is_reply(state->classify);
    state->is_answer = classify_is_answer(state->classify);
    int direction = classify_direction(state->classify);
    if (direction != 0 && basis > DIRECTION_CONTENT)
        flow_set_client(s->flows, f, direction > 0 ? state->first_side : !state->first_side);
    if (progress == CLASSIFY_FINAL)
        stop_classifying(s, f, state);
}

/* Looks for signalling in the first payloads, and follows it to the end of the flow. */
static void follow(struct shard *s, const struct flow_step *step, const struct packet *p, struct flow_state *state)
{
    if (state->pinhole == NULL && state->n_sniffs < MAX_SNIFFS) {
        state->n_sniffs++;
        state->pinhole = pinhole_begin(s->pinholes, p);
        if (state->pinhole != NULL)
            step->flow->watch |= WATCH_PINHOLE;
    }
    if (state->pinhole != NULL && !pinhole_packet(s->pinholes, state->pinhole, p, step->side)) {
        pinhole_end(s->pinholes, state->pinhole);
        state->pinhole = NULL;
        state->n_sniffs = MAX_SNIFFS;
        step->flow->watch &= (uint8_t)~WATCH_PINHOLE;
    }
}

static void on_announcement(void *aux, const struct pinhole *p)
{
    struct shard *s = aux;

    announcements_add(&s->ended->announcements, p);
}

static void note_talk(const struct flow_step *step, const struct packet *p, struct flow_state *state)
{
    enum classify_talk talk = classify_talk(p);

    state->asks |= (talk == CLASSIFY_ASKS) << step->side & 3;
    state->answers |= (talk == CLASSIFY_ANSWERS) << step->side & 3;
    state->answers_all |= talk == CLASSIFY_MAY_ANSWER_ALL;
}

/* A packet with payload of a flow that is still watched. */
static void look_inside(struct shard *s, const struct flow_step *step, const struct packet *p)
{
    enum engine_stage  stage = stopwatch_turn(&s->watch, ENGINE_CLASSIFY);
    struct flow_state *state = flow_ext(s->flows, step->flow);

    if (state == NULL) {
        step->flow->watch = 0;
    } else {
        if ((step->flow->watch & WATCH_CLASSIFY) != 0)
            classify(s, step, p, state);
        if ((step->flow->watch & WATCH_TALK) != 0)
            note_talk(step, p, state);
        follow(s, step, p, state);
    }
    stopwatch_turn(&s->watch, stage);
}

static uint64_t *results_of(struct shard *s, uint16_t input)
{
    return &s->ended->results[(size_t)input * PACKET_N_RESULTS];
}

static void note_group_query(struct part *part, const struct packet *p)
{
    struct shard_group_query q = {
        .sender = p->src, .sender_port = p->sport, .port = p->dport, .span = (uint32_t)(p->ts_ns / SHARD_QUERY_SPAN_NS),
        .first_ns = p->ts_ns, .last_ns = p->ts_ns, .packets = 1,
    };

    part_note_query(part, &q);
}

/*
 * The pair of addresses that decides whose packet it is: for an ICMP error that of the packet it quotes.  The same whichever is the source, and no
 * secret: which packets share a worker must not change from run to run, since the memory bound is each worker's own.
 */
static uint32_t pair_hash(enum packet_result result, const struct packet *p)
{
    const struct addr *a = result == PACKET_ICMP_ERROR ? &p->quote.src : &p->src;
    const struct addr *b = result == PACKET_ICMP_ERROR ? &p->quote.dst : &p->dst;
    uint64_t           x[2], y[2];

    memcpy(x, a->bytes, 16);
    memcpy(y, b->bytes, 16);
    uint64_t sum = x[0] + y[0] + (x[1] + y[1]) * UINT64_C(0x9ae16a3b2f90404f), difference = (x[0] ^ y[0]) + (x[1] ^ y[1]) * UINT64_C(0xc3a5c85c97cb3127);
    uint64_t h = (sum ^ (sum >> 29) ^ (difference << 32 | difference >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static bool is_ours(const struct shard *s, enum packet_result result, const struct packet *p)
{
    if (s->options.n_shards == 1)
        return true;
    if (result > PACKET_ICMP_ERROR)
        return p->number % s->options.n_shards == s->options.index;
    return pair_hash(result, p) % s->options.n_shards == s->options.index;
}

/* Held fragments are counted at the end, when it is known what became of them. */
static enum packet_result fragment_result(enum flow_fragment f)
{
    if (f == FLOW_FRAGMENT_HELD)
        return PACKET_N_RESULTS;
    return f == FLOW_FRAGMENT_JOINED ? PACKET_OK : PACKET_OTHER_L4;
}

/*
 * Cut before the ports, after the header that says to whom it went: it answers nobody else.  In a tunnel that is not the header of
 * what was cut; in windows it is not known in which one what it answers began.
 */
static void note_cut(struct shard *s, const struct packet *p)
{
    bool whole = p->transport == IPPROTO_TCP || p->transport == IPPROTO_UDP || p->transport == IPPROTO_ICMP || p->transport == IPPROTO_ICMPV6;

    if (s->options.window_ns > 0 || s->options.survey || p->n_tunnels > 0 || !whole)
        return;
    if (policy_host(s->policy, &p->dst) == POLICY_NONE || part_note_cut(s->ended, &p->dst))
        s->ended->totals.n_cut_told++;
}

static inline void look_at(struct shard *s, const struct flow_step *step, const struct packet *p)
{
    if (step->result != PACKET_OK || step->flow->watch == 0 || p->payload_len == 0)
        return;
    watchdog_enter(s->options.seat, p->input, p->number);
    look_inside(s, step, p);
    watchdog_leave(s->options.seat);
}

static void handle_packet(struct shard *s, enum packet_result result, uint64_t hash, const struct packet *p)
{
    uint64_t *results = results_of(s, p->input);

    if (result == PACKET_OK) {
        struct flow_step step;

        flow_table_track(s->flows, hash, p, &step);
        results[step.result]++;
        if (s->options.seen != NULL && step.result == PACKET_OK)
            s->options.seen(s->options.seen_aux, p, result, (uint64_t)step.flow->packets[0] + step.flow->packets[1]);
        if ((p->flags & (PACKET_GROUP | PACKET_LINK_GROUP)) != 0 && p->transport == IPPROTO_UDP)
            note_group_query(s->ended, p);
        look_at(s, &step, p);
        return;
    }
    if (s->options.seen != NULL && (result == PACKET_ICMP_ERROR || result == PACKET_FRAGMENT))
        s->options.seen(s->options.seen_aux, p, result, 0);
    if (result == PACKET_ICMP_ERROR && flow_table_icmp_error(s->flows, p))
        result = PACKET_OK;
    else if (result == PACKET_ICMP_ERROR)
        note_quoted(s, p);
    else if (result == PACKET_CUT_HEADER)
        note_cut(s, p);
    else if (result == PACKET_FRAGMENT)
        result = fragment_result(flow_table_fragment(s->flows, p));
    if (result < PACKET_N_RESULTS)
        results[result]++;
}

/* Which of them are carried over UDP: a bit for each. */
static size_t decode_chunk(struct shard *s, const struct input_frame *frames, size_t n, struct packet *packets,
                           enum packet_result *results, uint64_t *hashes, uint64_t *ret_carried)
{
    size_t n_ours = 0;

    *ret_carried = 0;

    for (size_t i = 0; i < n; i++) {
        struct packet     *p = &packets[n_ours];

        if (i + AHEAD < n)
            __builtin_prefetch(frames[i + AHEAD].frame.data);
        enum packet_result result = packet_decode(&frames[i].frame, p);

        if ((p->encap & (ENCAP_VXLAN | ENCAP_GENEVE)) != 0)
            *ret_carried |= UINT64_C(1) << i;
        if (!is_ours(s, result, p))
            continue;
        p->input = frames[i].input;
        packet_point_add(p, frames[i].point * 101u);
        results[n_ours] = result;
        uint64_t hash = result == PACKET_OK ? flow_table_hash(s->flows, p) : 0;
        if (result == PACKET_OK)
            flow_table_prefetch(s->flows, hash);
        hashes[n_ours++] = hash;
    }
    return n_ours;
}

/*
 * What carries other packets is a flow of its own where one of its ends is a host of the site: a tunnel that it opens, whatever may be inside.  It counts
 * among no packets, for the packet inside does.
 */
static void track_carriers(struct shard *s, const struct input_frame *frames, uint64_t carried)
{
    for (; carried != 0; carried &= carried - 1) {
        const struct input_frame *f = &frames[__builtin_ctzll(carried)];
        struct packet    p;
        struct flow_step step;

        if (packet_decode_carrier(&f->frame, &p) != PACKET_OK || !is_ours(s, PACKET_OK, &p) ||
            (policy_host(s->policy, &p.src) == POLICY_NONE && policy_host(s->policy, &p.dst) == POLICY_NONE))
            continue;
        p.input = f->input;
        packet_point_add(&p, f->point * 101u);
        flow_table_track(s->flows, flow_table_hash(s->flows, &p), &p, &step);
        look_at(s, &step, &p);
    }
}

/* Has the clock gone on for an hour since it last stepped back? */
static bool is_steady(const struct shard *s)
{
    return s->clock_ns > s->step_ns && (uint64_t)s->clock_ns - (uint64_t)s->step_ns > STEADY_NS;
}

/* Only frees memory, up to the time to which all workers have come.  Not while the clock steps back all the time. */
static void sweep(struct shard *s, size_t budget)
{
    if (s->n_steps < MOST_STEPS || is_steady(s))
        flow_table_sweep(s->flows, s->clock_ns, budget);
}

static void handle_chunk(struct shard *s, const struct input_frame *frames, size_t n)
{
    struct packet      packets[CHUNK];
    enum packet_result results[CHUNK];
    uint64_t           hashes[CHUNK];

    stopwatch_turn(&s->watch, ENGINE_DECODE);
    uint64_t carried;
    size_t   n_ours = decode_chunk(s, frames, n, packets, results, hashes, &carried);
    stopwatch_turn(&s->watch, ENGINE_FLOW);
    /* Memory is asked for a loop before it is needed. */
    for (size_t i = 0; i < n_ours; i++)
        if (results[i] == PACKET_OK)
            hashes[i] = flow_table_prefetch_flow(s->flows, hashes[i]);
    for (size_t i = 0; i < n_ours; i++)
        if (results[i] == PACKET_OK)
            flow_table_prefetch_detail(s->flows, hashes[i]);
    for (size_t i = 0; i < n_ours; i++)
        handle_packet(s, results[i], hashes[i], &packets[i]);
    if (carried != 0)
        track_carriers(s, frames, carried);
    s->n_since_sweep += n_ours;
    if (s->n_since_sweep >= SWEEP_EVERY && n_ours > 0) {
        s->n_since_sweep = 0;
        sweep(s, SWEEP_BUDGET);
    }
}

/* How many of these frames are before one that is far older than the latest so far; the clock goes with them. */
static size_t note_times(struct shard *s, const struct input_frame *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ts_ns = frames[i].frame.ts_ns;

        if (ts_ns >= s->clock_ns)
            s->clock_ns = ts_ns;
        else if ((uint64_t)s->clock_ns - (uint64_t)ts_ns > STEP_NS)
            return i;
    }
    return n;
}

/*
 * Captures joined in the wrong order of time: flows go on after packets of hours later.  Which of them a sweep had ended by then must not depend on
 * what a worker has to do: here all that one could have ended end, and the clock goes back to where the packets are.
 */
static void step_back(struct shard *s, int64_t to_ns)
{
    stopwatch_turn(&s->watch, ENGINE_FLOW);
    sweep(s, SIZE_MAX);
    s->n_steps = is_steady(s) ? 1 : s->n_steps + (s->n_steps < MOST_STEPS);
    s->step_ns = to_ns;
    s->latest_ns = shard_latest_ns(s);
    s->clock_ns = to_ns;
}

void shard_batch(struct shard *s, const struct input_frame *frames, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t chunk = n - at < CHUNK ? n - at : CHUNK, n_before = note_times(s, frames + at, chunk);

        if (n_before > 0)
            handle_chunk(s, frames + at, n_before);
        at += n_before;
        if (n_before < chunk)
            step_back(s, frames[at].frame.ts_ns);
    }
    stopwatch_turn(&s->watch, ENGINE_WAIT);
}

/* Flows whose content was given up since the last time, and signalling that was not followed. */
static void note_given_up(struct shard *s)
{
    struct classify_stats stats;
    struct pinholes_stats pinholes;
    struct shard_totals  *t = &s->ended->totals;

    pinholes_stats(s->pinholes, &pinholes);
    t->n_signalling_lost += pinholes.n_no_state - s->pinholes_told.n_no_state;
    t->n_messages_lost += pinholes.n_no_buffer - s->pinholes_told.n_no_buffer;
    s->pinholes_told = pinholes;
    classify_stats(s->classifier, &stats);
    t->n_content_given_up += stats.n_given_up + stats.n_no_memory - s->n_given_up;
    s->n_given_up = stats.n_given_up + stats.n_no_memory;
}

void shard_finish(struct shard *s)
{
    stopwatch_turn(&s->watch, ENGINE_FLOW);
    flow_table_drain(s->flows, shard_latest_ns(s));
    note_given_up(s);
    if (s->open != NULL && part_absorb(s->ended, s->later) != 0)
        s->ended->totals.n_flow_memory_lost++;
    part_free(s->open);
    part_free(s->later);
    s->open = s->later = NULL;
    for (size_t i = 0; i < s->options.n_inputs; i++) {
        uint64_t *results = results_of(s, (uint16_t)i);
        struct flow_held held;

        flow_table_held(s->flows, (uint16_t)i, &held);
        results[PACKET_OK] += held.n_joined;
        results[PACKET_FRAGMENT_ORPHAN] += held.n_orphans;
    }
    stopwatch_turn(&s->watch, ENGINE_WAIT);
}

void shard_free_flows(struct shard *s)
{
    flow_table_stats(s->flows, &s->flow_stats);
    flow_table_free(s->flows);
    s->flows = NULL;
}

/* --- runs without an end --------------------------------------------------------------------------- */

static bool begin_pass(struct shard *s)
{
    if (part_new(&s->options.limits, s->options.n_inputs, &s->open, NULL) != 0)
        return false;
    if (part_new(&s->options.limits, s->options.n_inputs, &s->later, NULL) != 0) {
        part_free(s->open);
        s->open = NULL;
        return false;
    }
    s->walk = (struct flow_walk){0};
    s->n_young = 0;
    return true;
}

bool shard_pass_step(struct shard *s, size_t budget, uint64_t quiet_ns)
{
    s->quiet_ns = quiet_ns;
    if (s->open == NULL && !begin_pass(s))
        return false;
    if (s->clock_ns != INT64_MIN)
        sweep(s, budget);
    return flow_table_walk(s->flows, &s->walk, budget, on_open_flow, s);
}

/* May flows that are still open be answers to it?  Where the clock stepped back it may be of before, and later than all that comes. */
static bool is_wanted(const struct shard *s, const struct shard_group_query *q)
{
    uint64_t now = (uint64_t)s->clock_ns;

    return q->last_ns <= s->clock_ns ? now - (uint64_t)q->last_ns < QUERIES_KEPT_NS : now - (uint64_t)s->step_ns < QUERIES_KEPT_NS;
}

int shard_pass_take(struct shard *s, struct part **ret_ended, struct part **ret_open, struct err *reterr)
{
    if (s->open == NULL)
        return err_set(reterr, -ENOMEM, "no memory for what was found out");
    for (size_t i = 0; i < s->ended->n_query_slots; i++) {
        struct shard_group_query q = s->ended->queries[i];

        if (q.last_ns == INT64_MIN || !is_wanted(s, &q))
            continue;
        q.packets = 0; /* they are counted where they were noted first */
        part_note_query(s->later, &q);
    }
    note_given_up(s);
    *ret_ended = s->ended;
    *ret_open = s->open;
    s->ended = s->later;
    s->later = s->open = NULL;
    return 0;
}

bool shard_pass_waits(const struct shard *s)
{
    return s->n_young > 0;
}

/* --- making, freeing, asking ------------------------------------------------------------------------- */

void shard_share_memory(struct shard_options *o, size_t bytes, unsigned n_shards)
{
    o->flow.memory_limit = bytes / 4 * 3 / n_shards;
    o->classify_limit = bytes / 8 / n_shards;
}

static void bound_classifier(struct shard *s)
{
    /* A state is the smaller part of what a flow needs that libndpi looks at. */
    struct classify_bounds bounds = {.states = s->options.classify_limit / 4, .library = s->options.classify_limit / 4 * 3, .give_up = give_up, .aux = s};

    classifier_set_gate(s->classifier, &s->options.gate);
    if (s->options.classify_limit != 0)
        classifier_set_bounds(s->classifier, &bounds);
}

int shard_new(const struct shard_options *options, const struct policy *policy, struct shard **ret, struct err *reterr)
{
    struct shard *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->apps = calloc(APPS_MAX, sizeof(*s->apps));
        if (s->apps != NULL)
            s->apps[s->n_apps++] = app_list_nothing(options->apps);
    }
    if (s == NULL || s->apps == NULL) {
        shard_free(s);
        return err_set(reterr, -ENOMEM, "no memory for a worker");
    }
    s->options = *options;
    s->policy = policy;
    s->latest_ns = s->clock_ns = INT64_MIN;
    stopwatch_start(&s->watch, options->clock, ENGINE_WAIT);
    s->options.flow.ext_size = sizeof(struct flow_state);
    s->options.flow.window_ns = options->window_ns;

    size_t             n_names;
    const char *const *names = policy_protocols(policy, &n_names);
    int                rc = hash_key_random(&s->hash_key, reterr);
    if (rc == 0)
        rc = policy_memo_new(policy, &s->memo, reterr);
    if (rc == 0)
        rc = flow_table_new(&s->options.flow, on_flow_end, s, &s->flows, reterr);
    if (rc == 0)
        rc = classifier_new(names, n_names, &s->classifier, reterr);
    if (rc == 0)
        bound_classifier(s);
    if (rc == 0 && options->prepare)
        rc = classifier_prepare(s->classifier, reterr);
    if (rc == 0)
        rc = pinholes_new(NULL, on_announcement, s, &s->pinholes, reterr);
    if (rc == 0)
        rc = part_new(&s->options.limits, options->n_inputs, &s->ended, reterr);
    if (rc != 0) {
        shard_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void shard_free(struct shard *s)
{
    if (s == NULL)
        return;
    flow_table_free(s->flows);
    classifier_free(s->classifier);
    pinholes_free(s->pinholes);
    part_free(s->ended);
    part_free(s->later);
    part_free(s->open);
    policy_memo_free(s->memo);
    free(s->apps);
    free(s);
}

struct part *shard_part(struct shard *s)
{
    return s->ended;
}

int64_t shard_latest_ns(const struct shard *s)
{
    return s->latest_ns > s->clock_ns ? s->latest_ns : s->clock_ns;
}

void shard_flow_stats(const struct shard *s, struct flow_table_stats *ret)
{
    if (s->flows != NULL)
        flow_table_stats(s->flows, ret);
    else
        *ret = s->flow_stats;
}

void shard_classify_stats(const struct shard *s, struct classify_stats *ret)
{
    classify_stats(s->classifier, ret);
}

const struct stopwatch *shard_stopwatch(const struct shard *s)
{
    return &s->watch;
}

void shard_pinhole_stats(const struct shard *s, struct pinholes_stats *ret)
{
    pinholes_stats(s->pinholes, ret);
}
