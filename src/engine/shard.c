/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: for each packet of the batch decode → (is it ours?) → flow table → classifier while the flow still
 * wants it.  When a flow ends: who was the client, what does the policy say, fold into a conversation.
 *
 * Ownership: the state of a flow's classification lives in the flow's 'ext' bytes and goes back to the classifier's
 * pool as soon as the result is final, or when the flow ends.
 */
#include "shard.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/learn.h"

#define AHEAD 4               /* packets of which the headers are asked for: another thread may have written them */
#define CHUNK 64              /* packets hashed and prefetched ahead of the table look-ups */
#define MAX_SNIFFS 2          /* signalling shows itself in the first payload of one side or the other */
#define SWEEP_EVERY 16384     /* packets between two sweeps of the flow table: only frees memory */
#define SWEEP_BUDGET 4096
#define YOUNG_NS (3 * INT64_C(1000000000))     /* the first retransmission of a SYN is over, and most content is known */
#define QUERIES_KEPT_NS (2000 * INT64_C(1000000000)) /* from one pass to the next: longer than a UDP flow is silent */

/* The shard's own state of a flow, in flow_ext(): kept small, for every flow with payload has one. */
struct flow_state {
    struct classify_state *classify;
    struct pinhole_state  *pinhole;
    const char *const     *expected;
    uint16_t               app;        /* index in the shard's list of apps; 0 = nothing recognised */
    bool                   begun, is_reply, is_answer;
    bool                   is_late;    /* data that was not captured came before the first that was */
    uint8_t                n_sniffs;   /* payloads in which signalling was looked for */
    uint8_t                first_side; /* that sent the first payload shown */
};

struct shard {
    struct shard_options       options;
    const struct policy       *policy;
    struct policy_memo        *memo;
    struct flow_table         *flows;
    struct classifier         *classifier;
    struct pinholes           *pinholes;
    struct part               *ended;   /* flows that ended, and all that is not of flows */
    struct part               *later;   /* the same of flows that the pass under way has told as open, or NULL */
    struct part               *open;    /* flows as the pass under way found them, or NULL: no pass */
    struct flow_walk           walk;
    const struct app_entry   **apps;    /* distinct results so far; the first is "nothing" */
    uint16_t                   n_apps;
    uint16_t                   app_slots[2 * APPS_MAX]; /* index + 1, by hash */
    struct hash_key            hash_key;
    uint64_t                   n_since_sweep;
    uint64_t                   n_given_up; /* contents, as far as a part knows */
    struct flow_table_stats    flow_stats;    /* once 'flows' is NULL */
    struct pinholes_stats      pinholes_told; /* as far as a part knows */
    int64_t                    latest_ns; /* of all packets, not of this shard's alone */
    struct stopwatch           watch;
};

/* --- the end of a flow ------------------------------------------------------------------------------ */

/* A well-known port speaks for the server where nothing else does. */
static int well_known_vote(const struct tuple *t)
{
    return (t->server_port < 1024) - (t->client_port < 1024);
}

/* Nothing but RSTs, all of one side: they answer something that is not in the capture. */
static bool resets_alone(const struct flow_record *r)
{
    return r->packets[1] == 0 && r->payload[0] == 0 && (r->tcp_flags[0] & TCP_RST) != 0 && (r->tcp_flags[0] & TCP_SYN) == 0 &&
           r->packets[0] <= 1 + r->duplicates;
}

/*
 * Who is the client where no handshake and no content said so.  For UDP the first packet's sender is, unless it
 * spoke from a documented service port of its own to an ephemeral one: then the query came before the capture.
 */
static void settle_direction(const struct shard *s, struct flow_record *r, struct policy_ends *ends)
{
    /* Both sent a SYN, ACK (they opened at once, RFC 9293, 3.5), and neither's SYN is in the capture. */
    if (r->direction == DIRECTION_SYN_ACK && (r->tcp_flags[0] & TCP_SYN) != 0)
        r->direction = DIRECTION_UNKNOWN;
    if (r->direction < DIRECTION_PORT || r->group)
        return;
    if (tuple_is_dhcp(&r->tuple, true)) {
        flow_record_swap(r);
        policy_ends_swap(ends);
        r->direction = DIRECTION_PORT;
    }
    if (tuple_is_dhcp(&r->tuple, false))
        return;
    int vote = s->options.survey ? learn_port_vote(s->policy, &r->tuple) : policy_port_vote_at(s->policy, ends, &r->tuple);
    if (r->tuple.transport == IPPROTO_UDP) {
        if (vote < 0 && well_known_vote(&r->tuple) < 0) {
            flow_record_swap(r);
            policy_ends_swap(ends);
            r->direction = DIRECTION_PORT;
        }
        return;
    }
    if (vote == 0)
        vote = well_known_vote(&r->tuple);
    if (vote < 0 || (vote == 0 && resets_alone(r))) {
        flow_record_swap(r);
        policy_ends_swap(ends);
    }
    if (vote != 0)
        r->direction = DIRECTION_PORT;
}

/*
 * Datagrams that began, or went one way, from a port that is documented for their content, where no row lets anything like them go that way, or only to the same port, as
 * between peers: they answer what is not in the capture, or not in its order, or call their client back.  Between peers what is surely a request is none the less one.
 */
static void settle_by_row(struct shard *s, struct flow_record *r, struct policy_ends *ends, const struct app *app)
{
    bool first = r->direction == DIRECTION_FIRST || r->direction == DIRECTION_CONTENT;

    if (s->options.survey || r->tuple.transport != IPPROTO_UDP || !first || r->group || app->basis != APP_CONTENT ||
        policy_port_vote_at(s->policy, ends, &r->tuple) >= 0)
        return;

    const struct tuple  *t = &r->tuple;
    struct policy_query  q = {.tuple = *t, .direction_known = true, .sent = {true, r->packets[1] > 0}};
    struct policy_ends   turned = *ends;
    struct policy_answer answer;

    policy_recall(s->memo, ends, &q, app, &answer);
    enum finding_kind kind = answer.judgement.kind;
    if (answer.judgement.verdict != VERDICT_UNDOCUMENTED && kind != FINDING_NO_ROW && kind != FINDING_WRONG_DIRECTION && (kind != FINDING_WRONG_PORT || r->direction == DIRECTION_CONTENT))
        return;
    policy_ends_swap(&turned);
    q = (struct policy_query){.tuple = {t->server, t->client, t->server_port, t->client_port, t->transport}, .direction_known = true, .sent = {r->packets[1] > 0, true}};
    policy_recall(s->memo, &turned, &q, app, &answer);
    if (answer.judgement.verdict != VERDICT_ALLOWED || answer.judgement.confidence != CONFIDENCE_CONFIRMED || answer.one_way)
        return;
    flow_record_swap(r);
    *ends = turned;
    r->direction = DIRECTION_PORT;
}

/* A single side that speaks from a port to the same port (138 to 138) may as well answer as ask. */
static bool direction_is_known(const struct flow_record *r)
{
    if (r->tuple.client_port == r->tuple.server_port && r->direction > DIRECTION_CONTENT && (r->packets[0] == 0 || r->packets[1] == 0))
        return false;
    if (tuple_is_dhcp(&r->tuple, false))
        return true;
    return r->direction <= DIRECTION_CONTENT || (r->tuple.transport == IPPROTO_UDP && r->direction == DIRECTION_FIRST);
}

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

static uint16_t result_of(struct shard *s, const struct classify_state *state)
{
    struct app app;

    memset(&app, 0, sizeof(app)); /* compared as bytes: padding too */
    classify_result(state, &app);
    return intern_app(s, &app);
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

static void add_totals(const struct shard *s, struct part *part, const struct flow_record *r, const struct policy_ends *ends)
{
    struct shard_totals *t = &part->totals;

    t->n_flows++;
    t->n_duplicates += r->duplicates;
    t->n_retransmissions += r->retransmissions;
    t->n_unseen_bytes += r->unseen_bytes[0] + r->unseen_bytes[1];
    t->n_cut_flows += r->cut;
    t->n_evicted += r->end == FLOW_END_EVICTED;
    t->first_ns = r->first_ns < t->first_ns ? r->first_ns : t->first_ns;
    t->last_ns = r->last_ns > t->last_ns ? r->last_ns : t->last_ns;
    if (ends->client != POLICY_NONE)
        part_note_host(part, &r->tuple.client, r, 0, s->options.window_ns);
    if (ends->server != POLICY_NONE)
        part_note_host(part, &r->tuple.server, r, 1, s->options.window_ns);
}

/* ICMP errors quote packets that are not in the capture. */
static void note_unseen(const struct shard *s, struct part *part, const struct flow_record *r, const struct policy_ends *ends, uint64_t n)
{
    if (n == 0 || (ends->client == POLICY_NONE && ends->server == POLICY_NONE))
        return;
    part->totals.n_unseen_errors += n;
    if (ends->client != POLICY_NONE)
        part_note_quoted(part, &r->tuple.client, &r->icmp, n, s->options.window_ns);
    if (ends->server != POLICY_NONE)
        part_note_quoted(part, &r->tuple.server, &r->icmp, n, s->options.window_ns);
}

/* A record of a flow, judged, into a part. */
static void fold(struct shard *s, struct part *part, struct flow_record *r, struct flow_state *state, const struct app_entry *app)
{
    struct policy_ends   ends;
    struct policy_answer answer;

    policy_locate(s->policy, &r->tuple, &ends);
    settle_direction(s, r, &ends);
    settle_by_row(s, r, &ends, &app->app);
    add_totals(s, part, r, &ends);
    note_unseen(s, part, r, &ends, r->icmp.n_early);

    struct policy_query q = {
        .tuple = r->tuple,
        .direction_known = direction_is_known(r),
        .sent = {r->packets[0] > 0, r->packets[1] > 0},
        .group = r->group,
    };
    policy_recall(s->memo, &ends, &q, &app->app, &answer);

    struct judgement *j = &answer.judgement;
    if (j->reversed) {
        /* The record speaks of the direction that was judged. */
        flow_record_swap(r);
        q.tuple = r->tuple;
        bool sent = q.sent[0];
        q.sent[0] = q.sent[1];
        q.sent[1] = sent;
        uint32_t host = j->client_host;
        j->client_host = j->server_host;
        j->server_host = host;
        j->reversed = false;
    }
    /* The contract's word: content tells who is the client, and no handshake was seen. */
    if (r->tuple.transport == IPPROTO_TCP && r->direction == DIRECTION_CONTENT && j->verdict != VERDICT_NOT_GOVERNED)
        j->confidence = CONFIDENCE_INFERRED;
    r->is_answer = state != NULL && state->is_answer;
    /* Nobody needs to answer what is sent to a group, nor media, whatever its port. */
    enum outcome outcome = conversation_outcome(r, r->group || answer.one_way);
    if (conversation_fold(part->conversations, r, &q, app, j, outcome, state != NULL && state->is_reply) != 0)
        part->totals.n_flow_memory_lost++;
}

/*
 * Errors about packets of which none is in the capture tell of an attempt all the same: of what a row allows, and what was denied.  One
 * conversation for each flow, so that errors about its later packets are no further attempts.  Of a table that had to forget flows it is not
 * known whether a packet was there.
 */
static void fold_quoted(struct shard *s, struct part *part, struct flow_record *r)
{
    struct flow_table_stats stats;
    struct policy_ends      ends;
    struct policy_answer    answer;

    flow_table_stats(s->flows, &stats);
    if (stats.n_evicted > 0)
        return;
    policy_locate(s->policy, &r->tuple, &ends);
    note_unseen(s, part, r, &ends, r->icmp.n_errors);
    if (ends.client == POLICY_NONE || ends.server == POLICY_NONE)
        return;
    /* Judged as the packet would have been, had it been captured. */
    r->packets[0] = 1;
    r->tcp_state = TCP_STATE_NONE;
    settle_direction(s, r, &ends);
    struct policy_query q = {.tuple = r->tuple, .direction_known = direction_is_known(r), .sent = {true, false}};
    enum outcome        outcome = flow_record_outcome(r, false);
    policy_recall(s->memo, &ends, &q, &s->apps[0]->app, &answer);
    const struct judgement *j = &answer.judgement;
    if (j->verdict != VERDICT_ALLOWED || j->reversed || j->back || (outcome != OUTCOME_REFUSED && outcome != OUTCOME_PROHIBITED))
        return;
    if (answer.one_way && outcome == OUTCOME_REFUSED) /* media may have gone there before, until the receiver hung up */
        return;
    r->packets[0] = 0; /* flow_is_quoted() */
    if (conversation_fold(part->conversations, r, &q, s->apps[0], j, outcome, false) != 0)
        part->totals.n_flow_memory_lost++;
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

    if (flow_is_quoted(r))
        fold_quoted(s, part, r);
    else
        fold(s, part, r, ext, app);
    stopwatch_turn(&s->watch, stage);
}

/* An attempt, or content, of which more is to be known in a moment is not told yet. */
static bool is_too_young(const struct shard *s, const struct flow_record *r, const struct flow_state *state)
{
    bool answered = r->packets[0] > 0 && r->packets[1] > 0;

    return s->latest_ns - r->first_ns < YOUNG_NS && (!answered || (state != NULL && state->classify != NULL));
}

static void on_open_flow(void *aux, struct flow_record *r, void *ext)
{
    struct shard *s = aux;

    if (is_too_young(s, r, ext))
        return;
    r->end = FLOW_END_ACTIVE;
    if (flow_is_quoted(r))
        fold_quoted(s, s->open, r);
    else
        fold(s, s->open, r, ext, end_classification(s, ext, r));
}

/* --- the path of a packet --------------------------------------------------------------------------- */

/* The tuple as far as is known now. */
static struct tuple current_tuple(const struct flow *f, unsigned client)
{
    struct addr  scratch;
    struct tuple t = {.transport = f->transport};

    t.client = *flow_addr(f, client, &scratch);
    t.server = *flow_addr(f, !client, &scratch);
    t.client_port = f->port[client];
    t.server_port = f->port[!client];
    return t;
}

/* What a flow's payload is still wanted for: bits of flow.watch.  The table sets the first at the start. */
enum { WATCH_CLASSIFY = 1, WATCH_PINHOLE = 2 };

static void stop_classifying(struct shard *s, struct flow *f, struct flow_state *state)
{
    f->watch &= (uint8_t)~WATCH_CLASSIFY;
    if (state->classify == NULL)
        return;
    state->app = result_of(s, state->classify);
    classify_end(s->classifier, state->classify);
    state->classify = NULL;
}

static void begin_classification(struct shard *s, const struct flow_step *step, const struct packet *p, unsigned client, struct flow_state *state)
{
    struct tuple t = current_tuple(step->flow, client);

    state->begun = true;
    state->is_late = !flow_begins_data(s->flows, step->flow, step->side, p);
    state->first_side = (uint8_t)step->side;
    state->expected = s->options.survey ? learn_expected(s->policy, &t) : policy_recall_expected(s->memo, &t);
    state->classify = classify_begin(s->classifier);
    if (state->classify != NULL)
        classify_set_owner(s->classifier, state->classify, state);
}

/* There is no more room for flows in classification, and this has been one for the longest: what is known now is its result. */
static void give_up(void *aux, void *owner)
{
    struct shard      *s = aux;
    struct flow_state *state = owner;

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
        .first_ns = p->ts_ns, .last_ns = p->ts_ns,
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

static void handle_packet(struct shard *s, enum packet_result result, uint64_t hash, const struct packet *p)
{
    uint64_t *results = results_of(s, p->input);

    if (result == PACKET_OK) {
        struct flow_step step;

        flow_table_track(s->flows, hash, p, &step);
        results[step.result]++;
        if (s->options.seen != NULL && step.result == PACKET_OK)
            s->options.seen(s->options.seen_aux, p, result, (uint64_t)step.flow->packets[0] + step.flow->packets[1]);
        if ((p->flags & PACKET_GROUP) != 0 && p->transport == IPPROTO_UDP)
            note_group_query(s->ended, p);
        if (step.result == PACKET_OK && step.flow->watch != 0 && p->payload_len > 0) {
            watchdog_enter(s->options.seat, p->input, p->number);
            look_inside(s, &step, p);
            watchdog_leave(s->options.seat);
        }
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

static size_t decode_chunk(struct shard *s, const struct input_frame *frames, size_t n, struct packet *packets,
                           enum packet_result *results, uint64_t *hashes)
{
    size_t n_ours = 0;

    for (size_t i = 0; i < n; i++) {
        struct packet     *p = &packets[n_ours];

        if (i + AHEAD < n)
            __builtin_prefetch(frames[i + AHEAD].frame.data);
        enum packet_result result = packet_decode(&frames[i].frame, p);

        s->latest_ns = p->ts_ns > s->latest_ns ? p->ts_ns : s->latest_ns;
        if (!is_ours(s, result, p))
            continue;
        p->input = frames[i].input;
        packet_point_add(p, frames[i].point * 101u);
        results[n_ours] = result;
        hashes[n_ours] = 0;
        if (result == PACKET_OK) {
            hashes[n_ours] = flow_table_hash(s->flows, p);
            flow_table_prefetch(s->flows, hashes[n_ours]);
        }
        n_ours++;
    }
    return n_ours;
}

static void handle_chunk(struct shard *s, const struct input_frame *frames, size_t n)
{
    struct packet      packets[CHUNK];
    enum packet_result results[CHUNK];
    uint64_t           hashes[CHUNK];

    stopwatch_turn(&s->watch, ENGINE_DECODE);
    size_t n_ours = decode_chunk(s, frames, n, packets, results, hashes);
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
    s->n_since_sweep += n_ours;
    if (s->n_since_sweep >= SWEEP_EVERY && n_ours > 0) {
        s->n_since_sweep = 0;
        flow_table_sweep(s->flows, s->latest_ns, SWEEP_BUDGET);
    }
}

void shard_batch(struct shard *s, const struct input_frame *frames, size_t n)
{
    for (size_t at = 0; at < n; at += CHUNK)
        handle_chunk(s, frames + at, n - at < CHUNK ? n - at : CHUNK);
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
    flow_table_drain(s->flows, s->latest_ns);
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
    return true;
}

bool shard_pass_step(struct shard *s, size_t budget)
{
    if (s->open == NULL && !begin_pass(s))
        return false;
    if (s->latest_ns != INT64_MIN)
        flow_table_sweep(s->flows, s->latest_ns, budget);
    return flow_table_walk(s->flows, &s->walk, budget, on_open_flow, s);
}

int shard_pass_take(struct shard *s, struct part **ret_ended, struct part **ret_open, struct err *reterr)
{
    if (s->open == NULL)
        return err_set(reterr, -ENOMEM, "no memory for what was found out");
    for (size_t i = 0; i < s->ended->n_query_slots; i++) {
        const struct shard_group_query *q = &s->ended->queries[i];

        if (q->last_ns != INT64_MIN && q->last_ns > s->latest_ns - QUERIES_KEPT_NS)
            part_note_query(s->later, q);
    }
    note_given_up(s);
    *ret_ended = s->ended;
    *ret_open = s->open;
    s->ended = s->later;
    s->later = s->open = NULL;
    return 0;
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
    s->latest_ns = INT64_MIN;
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
    return s->latest_ns;
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
