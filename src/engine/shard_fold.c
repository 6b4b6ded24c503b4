/* SPDX-License-Identifier: Apache-2.0 */
/* A flow ended: who was the client, what does the policy say, and into which conversation does it fold? */
#include "shard-private.h"

#include <netinet/in.h>

#include "flowaudit/learn.h"

/* A well-known port speaks for the server where nothing else does. */
static int well_known_vote(const struct tuple *t)
{
    return (t->server_port < 1024) - (t->client_port < 1024);
}

/* Where clients of these protocols wait for nobody (IANA).  A port below 1024 that is none of them may be a client's (NFS, RFC 1813). */
static bool is_service_port(uint16_t port)
{
    static const uint16_t ports[] = {
        7, 13, 19, 37, 53, 69, 88, 111, 123, 137, 138, 161, 162, 389, 443, 464, 500, 514, 520, 623, 1194, 1434, 1701, 1812, 1813, 1900,
        2049, 2123, 2152, 3389, 3478, 3544, 3702, 4500, 4789, 5060, 5353, 5355, 5683, 6081, 51820,
    };

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* Datagrams that no row places, the first of which came from a port that waits for others: 2, to a port of which nothing is known; 1, from one that may. */
static int looks_answered(const struct tuple *t)
{
    bool client = is_service_port(t->client_port), server = is_service_port(t->server_port);

    if (server || (!client && well_known_vote(t) >= 0))
        return 0;
    return client ? 2 : 1;
}

static void turn(struct flow_record *r, struct policy_ends *ends, enum direction_basis basis)
{
    flow_record_swap(r);
    policy_ends_swap(ends);
    r->direction = basis;
}

/* Nothing but RSTs, all of one side: they answer something that is not in the capture. */
static bool resets_alone(const struct flow_record *r)
{
    return r->packets[1] == 0 && !r->sent_data[0] && (r->tcp_flags[0] & TCP_RST) != 0 && (r->tcp_flags[0] & TCP_SYN) == 0 &&
           r->packets[0] <= 1 + r->duplicates;
}

/*
 * For UDP the first packet's sender is the client, unless it spoke from a port of its own on which a service waits, to an ephemeral one: then the query
 * came before the capture.  That is known of documented ports and of the best known others; of any other below 1024 it only may be so.
 */
static void settle_datagrams(struct flow_record *r, struct policy_ends *ends, int vote)
{
    int looks = vote == 0 ? looks_answered(&r->tuple) : 0;

    if (looks == 2 || (vote < 0 && well_known_vote(&r->tuple) < 0))
        turn(r, ends, DIRECTION_PORT);
    else if (looks == 1)
        r->direction = DIRECTION_UNKNOWN;
}

/* Who is the client where no handshake and no content said so. */
static void settle_direction(const struct shard *s, struct flow_record *r, struct policy_ends *ends)
{
    /* Both sent a SYN, ACK (they opened at once, RFC 9293, 3.5), and neither's SYN is in the capture. */
    if (r->direction == DIRECTION_SYN_ACK && (r->tcp_flags[0] & TCP_SYN) != 0)
        r->direction = DIRECTION_UNKNOWN;
    if (r->direction < DIRECTION_PORT || r->group)
        return;
    if (tuple_is_dhcp(&r->tuple, true))
        turn(r, ends, DIRECTION_PORT);
    if (tuple_is_dhcp(&r->tuple, false))
        return;
    int vote = s->options.survey ? learn_port_vote(s->policy, &r->tuple) : policy_recall_port_vote(s->memo, ends, &r->tuple);
    if (r->tuple.transport == IPPROTO_UDP) {
        settle_datagrams(r, ends, vote);
        return;
    }
    if (r->answers_unacked && flow_record_is_lone_reset(r)) { /* so a closed port answers a SYN, whatever its number */
        if (r->packets[0] > 0)
            turn(r, ends, DIRECTION_CONTENT);
        r->direction = DIRECTION_CONTENT;
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
 * Datagrams that began, or went one way, from a port that is documented for their content, where no row lets anything like them go that way, or only to
 * the same port, as between peers: they answer what is not in the capture, or not in its order, or call their client back.  Between peers what is surely
 * a request is none the less one.
 */
static void settle_by_row(struct shard *s, struct flow_record *r, struct policy_ends *ends, const struct app *app)
{
    bool first = r->direction == DIRECTION_FIRST || r->direction == DIRECTION_CONTENT;

    if (s->options.survey || r->tuple.transport != IPPROTO_UDP || !first || r->group || app->basis != APP_CONTENT ||
        policy_recall_port_vote(s->memo, ends, &r->tuple) >= 0)
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
    turn(r, ends, DIRECTION_PORT);
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

/* The bit of the client's side: that of the smaller of the two ends, which differ in their addresses here (flow.h). */
static unsigned client_bit(const struct flow_record *r)
{
    return addr_compare(&r->tuple.client, &r->tuple.server) < 0 ? 1 : 2;
}

/* SIP, or NetBIOS names, between like ports: either side may ask. */
static bool is_talk(const struct flow_record *r)
{
    return r->tuple.transport == IPPROTO_UDP && r->tuple.client_port == r->tuple.server_port && classify_has_talk(r->tuple.client_port, r->tuple.server_port);
}

/*
 * Where either side may ask: the bit of the one that did, 0 where none or both are known to have.  An answer about a name that is to no
 * broadcast tells of a query of the other side.
 */
static unsigned sole_asker(const struct flow_record *r, const struct flow_state *state)
{
    if (state == NULL || r->group || addr_compare(&r->tuple.client, &r->tuple.server) == 0)
        return 0;
    bool names = r->tuple.server_port == CLASSIFY_PORT_NAMES;

    return (state->asks != 1 && state->asks != 2) || (names && (state->answers & state->asks) != 0) ? 0 : state->asks;
}

/* Who sent all requests is the client, whoever was seen first: true.  Of SIP without any nobody knows. */
static bool settle_talk(struct flow_record *r, struct policy_ends *ends, const struct flow_state *state)
{
    if (!is_talk(r))
        return false;
    unsigned asker = sole_asker(r, state);

    if (r->tuple.server_port != CLASSIFY_PORT_NAMES && !r->group && r->direction == DIRECTION_FIRST)
        r->direction = DIRECTION_UNKNOWN;
    if (asker == 0)
        return false;
    if (asker != client_bit(r))
        turn(r, ends, DIRECTION_CONTENT);
    r->direction = DIRECTION_CONTENT;
    return true;
}

/* Names are asked for by broadcast from any port, and by either side from port to port, and the answer comes back there: does nothing of it show that the client asked the server? */
static bool is_unasked(const struct flow_record *r, const struct flow_state *state)
{
    if (state == NULL || r->group || r->tuple.transport != IPPROTO_UDP || r->tuple.server_port != CLASSIFY_PORT_NAMES)
        return false;
    unsigned client = client_bit(r), server = client ^ 3;

    return state->asks + state->answers + state->answers_all != 0 && (state->asks & client) == 0 && (state->answers & server) == 0;
}

/* Is there an answer to a query that was no broadcast, of one side, and no query of the other? */
static bool is_query_missing(const struct flow_state *state)
{
    return state != NULL && (((state->answers & 1) != 0 && (state->asks & 2) == 0) || ((state->answers & 2) != 0 && (state->asks & 1) == 0));
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

static void fold(struct shard *s, struct part *part, struct flow_record *r, const struct flow_state *state, const struct app_entry *app)
{
    struct policy_ends   ends;
    struct policy_answer answer;

    policy_locate(s->policy, &r->tuple, &ends);
    settle_direction(s, r, &ends);
    settle_by_row(s, r, &ends, &app->app);
    bool one_asks = settle_talk(r, &ends, state);
    add_totals(s, part, r, &ends);
    note_unseen(s, part, r, &ends, r->icmp.n_early);

    struct policy_query q = {
        .tuple = r->tuple,
        .direction_known = direction_is_known(r),
        .one_asks = one_asks,
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
    r->unasked = is_unasked(r, state);
    r->query_missing = r->tuple.server_port == CLASSIFY_PORT_NAMES && is_query_missing(state);
    r->is_answer = state != NULL && state->is_answer;
    r->is_damaged = state != NULL && state->is_damaged && r->packets[0] + r->packets[1] == 1;
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

void shard_fold(struct shard *s, struct part *part, struct flow_record *r, const struct flow_state *state, const struct app_entry *app)
{
    if (flow_is_quoted(r))
        fold_quoted(s, part, r);
    else
        fold(s, part, r, state, app);
}
