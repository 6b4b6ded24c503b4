/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of the table of conversations, and that they do not depend on order or on sharding. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/engine/conversation.h"
#include "flowaudit/flow.h"

#define N_KEYS 3000
#define N_FLOWS (2 * N_KEYS)

static const struct conversation_limits limits = {.flows_kept = 3, .peers_kept = 5};

/* Each key has two flows; the later number has the earlier time. */
static struct flow_record record_of(unsigned i)
{
    unsigned           key = i % N_KEYS;
    struct flow_record r = {
        .tuple = {.client_port = (uint16_t)(1024 + i), .server_port = 7, .transport = IPPROTO_TCP},
        .packets = {1, 2},
        .bytes = {60, 120},
        .first_ns = 1000000 - (int64_t)i,
        .last_ns = 2000000 + (int64_t)i,
        .first_packet = i + 1,
    };

    r.tuple.client = addr_from_ipv4((uint8_t[]){10, 0, (uint8_t)(key >> 8), (uint8_t)key});
    r.tuple.server = addr_from_ipv4((uint8_t[]){10, 1, 0, (uint8_t)(key % 3)});
    return r;
}

static void fold_as(struct conversation_table *t, unsigned i, enum verdict verdict, enum outcome outcome)
{
    static const struct app_entry nothing = {.name = nothing.app.name};

    struct flow_record  r = record_of(i);
    struct policy_query q = {.tuple = r.tuple, .sent = {true, true}};
    struct judgement    j = {.verdict = verdict, .client_host = i % N_KEYS % 3, .server_host = POLICY_NONE};

    ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, outcome, false), 0);
}

static void fold(struct conversation_table *t, unsigned i, enum verdict verdict)
{
    fold_as(t, i, verdict, OUTCOME_ESTABLISHED);
}

static struct conversation_table *new_table(void)
{
    struct conversation_table *t;

    ck_assert_int_eq(conversation_table_new(&limits, &t, NULL), 0);
    return t;
}

static int by_key(const void *pa, const void *pb)
{
    const struct conversation *a = *(struct conversation *const *)pa, *b = *(struct conversation *const *)pb;

    return memcmp(&a->key, &b->key, sizeof(a->key));
}

struct merged {
    struct conversation *all[2 * N_FLOWS];
    size_t               n;
};

/* What the engine does with the tables of its shards. */
static void merge(struct conversation_table *const *tables, size_t n_tables, struct merged *ret)
{
    uint64_t thresholds[CONVERSATION_N_CLASSES];
    size_t   kept = 0;

    ret->n = 0;
    for (size_t i = 0; i < n_tables; i++)
        for (size_t k = 0; k < conversation_count(tables[i]); k++)
            ret->all[ret->n++] = conversation_at(tables[i], k);
    ck_assert_int_eq(conversation_thresholds(&limits, ret->all, ret->n, thresholds), 0);
    for (size_t i = 0; i < ret->n; i++)
        if (conversation_exceeds(ret->all[i], thresholds))
            conversation_sum_up(ret->all[i], SUM_PEERS);
    qsort(ret->all, ret->n, sizeof(struct conversation *), by_key);
    for (size_t i = 0; i < ret->n; i++) {
        if (kept > 0 && by_key(&ret->all[kept - 1], &ret->all[i]) == 0)
            ck_assert_int_eq(conversation_absorb(&limits, ret->all[kept - 1], ret->all[i]), 0);
        else
            ret->all[kept++] = ret->all[i];
    }
    ret->n = kept;
}

static int by_start(const void *pa, const void *pb)
{
    const struct kept_flow *a = pa, *b = pb;

    return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

static void assert_same(const struct merged *a, const struct merged *b)
{
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct conversation *x = a->all[i], *y = b->all[i];

        ck_assert_mem_eq(&x->key, &y->key, sizeof(x->key));
        ck_assert_uint_eq(x->flows, y->flows);
        ck_assert_uint_eq(x->n_summed, y->n_summed);
        ck_assert_uint_eq(x->bytes[1], y->bytes[1]);
        ck_assert_int_eq(x->first_ns, y->first_ns);
        ck_assert_int_eq(x->last_ns, y->last_ns);
        ck_assert_uint_eq(x->tuple.client_port, y->tuple.client_port);
        ck_assert_int_eq(addr_compare(&x->client_low, &y->client_low), 0);
        ck_assert_int_eq(addr_compare(&x->client_high, &y->client_high), 0);
        ck_assert_uint_eq(x->server_port_low, y->server_port_low);
        ck_assert_uint_eq(x->server_port_high, y->server_port_high);
        ck_assert(x->key.summed != SUM_NONE || addr_compare(&x->client_low, &x->client_high) == 0);
        ck_assert_uint_eq(x->n_kept, y->n_kept);
        qsort(x->kept, x->n_kept, sizeof(*x->kept), by_start);
        qsort(y->kept, y->n_kept, sizeof(*y->kept), by_start);
        for (size_t k = 0; k < x->n_kept; k++)
            ck_assert_int_eq(x->kept[k].first_ns, y->kept[k].first_ns);
    }
}

/* Flows that end at the client's RST and carry nothing are probes, and only these; a sum says from which client and port to which it goes. */
START_TEST(probes_and_bounds)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    struct conversation_table    *t = new_table();

    for (unsigned i = 0; i < 6; i++) {
        struct flow_record  r = record_of(0);
        struct policy_query q;
        struct judgement    j = {.verdict = VERDICT_VIOLATION, .kind = FINDING_NO_ROW, .client_host = 0, .server_host = 1};

        r.tuple.server_port = (uint16_t)(70 + i);
        r.tcp_state = i < 5 ? TCP_STATE_HALF_OPEN : TCP_STATE_ESTABLISHED;
        r.closed = i == 4 ? FLOW_CLOSED_NONE : FLOW_CLOSED_RST;
        r.rst_from_server_side = i == 3;
        r.payload[0] = i == 2 ? 9 : 0;
        q = (struct policy_query){.tuple = r.tuple, .sent = {true, true}};
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, OUTCOME_ESTABLISHED, false), 0);
        struct conversation *c = conversation_at(t, i);
        ck_assert_uint_eq(c->probes, i < 2);
        ck_assert_uint_eq(c->server_port_low, 70 + i);
        ck_assert_uint_eq(c->server_port_high, 70 + i);
        conversation_sum_up(c, SUM_PORTS);
    }
    struct conversation *sum = conversation_at(t, 3);
    for (unsigned i = 0; i < 6; i++)
        if (i != 3)
            ck_assert_int_eq(conversation_absorb(&limits, sum, conversation_at(t, i)), 0);
    ck_assert_uint_eq(sum->n_summed, 6);
    ck_assert_uint_eq(sum->probes, 2);
    ck_assert_uint_eq(sum->server_port_low, 70);
    ck_assert_uint_eq(sum->server_port_high, 75);
    conversation_table_free(t);
}
END_TEST

/* Of the flows with a RST that is like nothing else of its side: how many, and where the earliest begins, in whatever order they come. */
START_TEST(foreign_resets_are_counted_and_found)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    static const uint8_t          ttls[5][3] = {{64, 64, 64}, {52, 52, 251}, {52, 52, 251}, {52, 251, 251}, {52, 52, 251}}; /* all else: lowest, highest; the RST */

    for (unsigned turn = 0; turn < 2; turn++) {
        struct conversation_table *tables[2] = {new_table(), new_table()};

        for (unsigned k = 0; k < 5; k++) {
            unsigned            i = turn == 0 ? k : 4 - k;
            struct flow_record  r = record_of(0);
            struct policy_query q = {.tuple = r.tuple, .sent = {true, true}};
            struct judgement    j = {.verdict = VERDICT_ALLOWED, .server_host = 1};

            r.first_ns = 1000 + i;
            r.first_packet = 10 * i + 1;
            r.closed = FLOW_CLOSED_RST;
            r.tcp_flags[0] = i == 4 ? 0 : TCP_SYN; /* of the last the beginning is not in the capture: that may have been like the RST */
            r.ttl[0][0].ttl = (struct ttl_range){ttls[i][0], ttls[i][1]};
            r.rst_ttl = ttls[i][2];
            ck_assert_int_eq(conversation_fold(tables[k % 2], &r, &q, &nothing, &j, OUTCOME_ESTABLISHED, false), 0);
        }
        ck_assert_int_eq(conversation_table_take(tables[0], tables[1]), 0);
        const struct conversation *c = conversation_at(tables[0], 0);
        ck_assert_uint_eq(c->reset.flows, 2);
        ck_assert_uint_eq(c->reset.first.packet, 11);
        ck_assert_uint_eq(c->ttl[0][0].rst.min, 251);
        ck_assert_uint_eq(c->ttl[0][0].own.min, 52);
        ck_assert_uint_eq(c->ttl[0][0].own.max, 251); /* one of them shows that the sender has such TTLs itself */
        for (unsigned i = 0; i < 2; i++)
            conversation_table_free(tables[i]);
    }
}
END_TEST

/* What a flow without a handshake is, by its state, flags and sides. */
START_TEST(odd_flows_are_counted)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    static const struct {
        enum tcp_state       state;
        enum direction_basis basis;
        uint8_t              flags[2], rst_side;
        uint64_t             packets[2];
        uint32_t             strays, lone, adrift, withdrawn;
    } table[] = {
        {TCP_STATE_REFUSED, DIRECTION_STRAY, {1, 20}, 1, {1, 1}, 1, 0, 0, 0},    {TCP_STATE_REFUSED, DIRECTION_SYN, {2, 20}, 1, {1, 1}, 0, 0, 0, 0},
        {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {0, 20}, 1, {0, 1}, 0, 1, 0, 0}, {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {4, 0}, 0, {1, 0}, 0, 1, 0, 0},
        {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {20, 0}, 0, {2, 0}, 0, 0, 0, 0}, {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {16, 0}, 2, {1, 0}, 0, 0, 0, 0},
        {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {16, 0}, 2, {2, 0}, 0, 0, 1, 0},
        {TCP_STATE_MIDSTREAM, DIRECTION_UNKNOWN, {16, 16}, 2, {1, 1}, 0, 0, 0, 0}, {TCP_STATE_SYN, DIRECTION_SYN, {6, 0}, 0, {2, 0}, 0, 0, 0, 1},
        {TCP_STATE_SYN, DIRECTION_SYN, {2, 0}, 2, {1, 0}, 0, 0, 0, 0},
        {TCP_STATE_NO_SYN_ACK, DIRECTION_SYN, {18, 0}, 2, {3, 0}, 0, 0, 0, 0}, {TCP_STATE_NO_SYN_ACK, DIRECTION_SYN, {18, 18}, 2, {3, 1}, 0, 0, 0, 0},
    };
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct conversation_table *t = new_table();
        struct flow_record         r = record_of(0);
        struct policy_query        q = {.tuple = r.tuple, .sent = {true, true}};
        struct judgement           j = {.verdict = VERDICT_ALLOWED, .server_host = 1};

        r.tcp_state = table[i].state;
        r.direction = table[i].basis;
        r.closed = table[i].rst_side < 2 ? FLOW_CLOSED_RST : FLOW_CLOSED_NONE;
        r.rst_from_server_side = table[i].rst_side == 1;
        for (unsigned side = 0; side < 2; side++) {
            r.tcp_flags[side] = table[i].flags[side];
            r.packets[side] = table[i].packets[side];
        }
        r.payload[0] = table[i].state == TCP_STATE_NO_SYN_ACK ? 9 : r.payload[0];
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, OUTCOME_ONE_WAY, false), 0);
        const struct conversation *c = conversation_at(t, 0);
        ck_assert_uint_eq(c->strays, table[i].strays);
        ck_assert_uint_eq(c->lone_resets, table[i].lone);
        ck_assert_uint_eq(c->adrift.flows, table[i].adrift);
        ck_assert_uint_eq(c->went_on, i == 10); /* data of the client alone, after its SYN */
        ck_assert_uint_eq(c->ended_by_nobody, i == 5); /* one segment, and no answer */
        ck_assert_uint_eq(c->adrift.first.packet, table[i].adrift != 0 ? r.first_packet : 0);
        ck_assert_uint_eq(c->withdrawn, table[i].withdrawn);
        ck_assert_int_eq(c->withdrawn_ns, table[i].withdrawn != 0 ? r.last_ns - r.first_ns : 0);
        conversation_table_free(t);
    }
}
END_TEST

/* One segment tells of no connection, whose ever it is, unless the content of what the server sent does. */
START_TEST(one_segment_tells_nothing)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    static const struct {
        enum direction_basis basis;
        uint64_t             packets[2];
        uint32_t             untold;
    } table[] = {
        {DIRECTION_UNKNOWN, {1, 0}, 1}, {DIRECTION_PORT, {1, 0}, 1}, {DIRECTION_PORT, {0, 1}, 1}, {DIRECTION_UNKNOWN, {0, 1}, 1}, {DIRECTION_CONTENT, {0, 1}, 0}, {DIRECTION_PORT, {0, 2}, 0},
    };
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct conversation_table *t = new_table();
        struct flow_record         r = record_of(0);
        struct policy_query        q = {.tuple = r.tuple, .sent = {table[i].packets[0] > 0, table[i].packets[1] > 0}};
        struct judgement           j = {.verdict = VERDICT_VIOLATION, .server_host = 1};

        r.tcp_state = TCP_STATE_MIDSTREAM;
        r.direction = table[i].basis;
        for (unsigned side = 0; side < 2; side++) {
            r.packets[side] = table[i].packets[side];
            r.payload[side] = 9 * r.packets[side];
            r.tcp_flags[side] = r.packets[side] > 0 ? 24 : 0;
        }
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, OUTCOME_ONE_WAY, false), 0);
        ck_assert_uint_eq(conversation_at(t, 0)->untold, table[i].untold);
        ck_assert_int_eq(conversation_disposition(conversation_at(t, 0)), table[i].untold ? DISPOSITION_NONE : DISPOSITION_ESCAPED);
        conversation_table_free(t);
    }
}
END_TEST

/* The client's SYN came again after the server's SYN-ACK: no probe, no half-open port that is used, and the sum of two is of both. */
START_TEST(answers_that_did_not_arrive_are_counted)
{
    static const struct app_entry    nothing = {.name = nothing.app.name};
    struct conversation_table       *t[2] = {new_table(), new_table()};
    struct flow_record               r = record_of(0);
    struct policy_query              q = {.tuple = r.tuple, .sent = {true, true}, .direction_known = true};
    struct judgement                 j = {.verdict = VERDICT_VIOLATION, .kind = FINDING_NO_ROW, .server_host = 1};

    r.tcp_state = TCP_STATE_HALF_OPEN;
    r.payload[0] = r.payload[1] = 0;
    for (unsigned i = 0; i < 3; i++) {
        r.resent_syns = (uint8_t)(2 * i); /* the first without */
        ck_assert_int_eq(conversation_outcome(&r, false), i == 0 ? OUTCOME_ONE_WAY : OUTCOME_UNANSWERED);
        ck_assert_int_eq(conversation_fold(t[i == 2], &r, &q, &nothing, &j, OUTCOME_UNANSWERED, false), 0);
    }
    struct conversation *a = conversation_at(t[0], 0), *b = conversation_at(t[1], 0);
    ck_assert_uint_eq(a->unfinished, 1);
    ck_assert_uint_eq(a->undelivered, 1);
    ck_assert_uint_eq(a->resent_syns, 2);
    ck_assert_int_eq(conversation_disposition(a), DISPOSITION_REJECTED);
    ck_assert_int_eq(conversation_absorb(&limits, a, b), 0);
    ck_assert_uint_eq(a->undelivered, 2);
    ck_assert_uint_eq(a->resent_syns, 6);
    ck_assert_uint_eq(a->probes, 0);
    conversation_table_free(t[0]);
    conversation_table_free(t[1]);
}
END_TEST

/* What a flow that is one-way tells of whether it got through, and the port that answered as an open one where its SYN is missing. */
START_TEST(one_way_is_no_passage)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    static const struct {
        enum tcp_state state;
        uint8_t        flags[2], rst_side; /* 2: no RST */
        uint64_t       packets[2], payload[2];
        enum outcome   outcome;
        const char    *disposition;
        unsigned       synless;
    } table[] = {
        {TCP_STATE_MIDSTREAM, {0, 20}, 1, {0, 1}, {0, 0}, OUTCOME_ONE_WAY, "", 0},         /* a RST alone */
        {TCP_STATE_MIDSTREAM, {0, 20}, 1, {0, 2}, {0, 0}, OUTCOME_ONE_WAY, "", 0},
        {TCP_STATE_MIDSTREAM, {16, 4}, 1, {1, 1}, {0, 0}, OUTCOME_ONE_WAY, "", 0},         /* and something that it answers */
        {TCP_STATE_MIDSTREAM, {24, 0}, 2, {3, 0}, {90, 0}, OUTCOME_ONE_WAY, "escaped", 0}, /* it goes on, so it was answered */
        {TCP_STATE_MIDSTREAM, {16, 0}, 2, {3, 0}, {0, 0}, OUTCOME_ONE_WAY, "escaped", 0},
        {TCP_STATE_MIDSTREAM, {41, 0}, 2, {1, 0}, {0, 0}, OUTCOME_ONE_WAY, "", 0},         /* of no connection */
        {TCP_STATE_MIDSTREAM, {24, 0}, 2, {1, 0}, {30, 0}, OUTCOME_ONE_WAY, "", 0},        /* is the other end there? */
        {TCP_STATE_NO_SYN_ACK, {6, 16}, 0, {2, 1}, {0, 0}, OUTCOME_ONE_WAY, "", 0},        /* of another one */
        {TCP_STATE_SYN_ACK_ONLY, {0, 18}, 2, {0, 1}, {0, 0}, OUTCOME_ONE_WAY, "", 0},      /* an answer, and whether it arrived? */
        {TCP_STATE_HALF_OPEN, {2, 18}, 2, {1, 3}, {0, 0}, OUTCOME_ONE_WAY, "", 0},
        {TCP_STATE_SYN_ACK_ONLY, {0, 18}, 2, {0, 2}, {0, 0}, OUTCOME_ONE_WAY, "escaped", 0}, /* the second acknowledges */
        {TCP_STATE_SYN_ACK_ONLY, {0, 18}, 2, {0, 3}, {0, 0}, OUTCOME_ONE_WAY, "", 0},      /* the answer, again and again */
        {TCP_STATE_SYN_ACK_ONLY, {0, 26}, 2, {0, 1}, {0, 40}, OUTCOME_ONE_WAY, "escaped", 0},
        {TCP_STATE_SYN_ACK_ONLY, {4, 18}, 0, {1, 1}, {0, 0}, OUTCOME_ESTABLISHED, "escaped", 1},
        {TCP_STATE_SYN_ACK_ONLY, {20, 18}, 0, {2, 2}, {0, 0}, OUTCOME_ESTABLISHED, "escaped", 1},
        {TCP_STATE_HALF_OPEN, {6, 18}, 0, {2, 1}, {0, 0}, OUTCOME_ESTABLISHED, "escaped", 0},
        {TCP_STATE_SYN, {2, 0}, 2, {1, 0}, {0, 0}, OUTCOME_UNANSWERED, "rejected", 0},
    };
    struct conversation_table *both = new_table();

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct conversation_table *t = new_table();
        struct flow_record         r = record_of(0);
        struct policy_query        q = {.tuple = r.tuple, .sent = {true, true}};
        struct judgement           j = {.verdict = VERDICT_VIOLATION, .kind = FINDING_NO_ROW, .server_host = 1};

        r.tcp_state = table[i].state;
        r.closed = table[i].rst_side < 2 ? FLOW_CLOSED_RST : FLOW_CLOSED_NONE;
        r.rst_from_server_side = table[i].rst_side == 1;
        for (unsigned side = 0; side < 2; side++) {
            r.tcp_flags[side] = table[i].flags[side];
            r.packets[side] = table[i].packets[side];
            r.payload[side] = table[i].payload[side];
        }
        r.server_went_on = r.tcp_state == TCP_STATE_SYN_ACK_ONLY && r.packets[1] == 2 && r.packets[0] == 0;
        ck_assert_msg(conversation_outcome(&r, false) == table[i].outcome, "%u: %s", i, outcome_name(conversation_outcome(&r, false)));
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, table[i].outcome, false), 0);
        const struct conversation *c = conversation_at(t, 0);
        ck_assert_msg(strcmp(disposition_name(conversation_disposition(c)), table[i].disposition) == 0, "%u: %s", i, disposition_name(conversation_disposition(c)));
        ck_assert_uint_eq(c->synless, table[i].synless);
        ck_assert_uint_eq(c->bare, table[i].flags[0] == 41); /* a segment with ACK may be half of a session: silence would prove too much */
        ck_assert_uint_eq(c->probes, table[i].outcome == OUTCOME_ESTABLISHED);
        conversation_table_free(t);
        if (i == 0 || i == 3)
            ck_assert_int_eq(conversation_fold(both, &r, &q, &nothing, &j, table[i].outcome, false), 0);
    }
    /* One flow that got through is enough. */
    ck_assert_uint_eq(conversation_at(both, 0)->untold, 1);
    ck_assert_int_eq(conversation_disposition(conversation_at(both, 0)), DISPOSITION_ESCAPED);
    conversation_table_free(both);
}
END_TEST

/* Errors about one flow that is not in the capture make one conversation of one flow; about another, another. */
START_TEST(flows_that_errors_quote)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    struct conversation_table    *t = new_table();
    struct flow_record            r = record_of(0);
    struct policy_query           q = {.tuple = r.tuple, .sent = {true, false}};
    struct judgement              j = {.verdict = VERDICT_ALLOWED, .server_host = 1};

    r.packets[0] = r.packets[1] = 0;
    r.icmp = (struct flow_icmp){.n_errors = 1, .type = 3, .code = 13, .about_client_packet = true};
    for (unsigned i = 0; i < 4; i++) {
        r.tuple.client_port = i < 3 ? 2329 : 2331;
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, OUTCOME_PROHIBITED, false), 0);
    }
    ck_assert_uint_eq(conversation_count(t), 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct conversation *c = conversation_at(t, i);

        ck_assert(c->key.quoted && c->sent[0] && !c->sent[1]);
        ck_assert_uint_eq(c->flows, 1);
        ck_assert_uint_eq(c->n_kept, 0);
        ck_assert_uint_eq(conversation_icmp(c)->n_errors, c->key.client_port == 2329 ? 3 : 1);
    }
    conversation_table_free(t);
}
END_TEST

/* Of the client's port 0 too, which captured ones have none in their key for: in any order they are apart. */
START_TEST(a_quoted_flow_is_none_of_the_captured)
{
    static const struct app_entry nothing = {.name = nothing.app.name};
    struct conversation_table    *t = new_table();
    struct judgement              j = {.verdict = VERDICT_ALLOWED, .server_host = 1};

    for (unsigned i = 0; i < 3; i++) {
        struct flow_record  r = record_of(0);
        struct policy_query q;

        r.tuple.transport = IPPROTO_UDP;
        r.tuple.client_port = i == (unsigned)_i ? 0 : 2329;
        r.packets[0] = i == (unsigned)_i ? 0 : 1;
        r.packets[1] = 0;
        r.icmp = (struct flow_icmp){.n_errors = 1, .type = 3, .code = 13, .about_client_packet = true};
        q = (struct policy_query){.tuple = r.tuple, .sent = {true, false}};
        ck_assert_int_eq(conversation_fold(t, &r, &q, &nothing, &j, OUTCOME_PROHIBITED, false), 0);
    }
    ck_assert_uint_eq(conversation_count(t), 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct conversation *c = conversation_at(t, i);

        ck_assert_uint_eq(c->flows, c->key.quoted ? 1 : 2);
        ck_assert_uint_eq(c->packets[0], c->key.quoted ? 0 : 2);
    }
    conversation_table_free(t);
}
END_TEST

/* What is kept of a flow is what the record on disk has of it, either way round, and less than half of what the flow table tells. */
START_TEST(kept_flows_have_what_is_recorded)
{
    static const struct app app = {.basis = APP_CONTENT, .name = "SIP", .detail = "x"};
    struct flow_record      r = record_of(7), back;
    struct kept_flow        k;

    r.sent_first_ns[0] = 5;
    r.sent_first_ns[1] = 4;
    r.payload[1] = 9;
    r.unseen_bytes[0] = 3;
    r.tcp_flags[0] = TCP_SYN;
    r.vlan[1] = 12;
    r.tcp_state = TCP_STATE_REFUSED;
    r.closed = FLOW_CLOSED_RST;
    r.end = FLOW_END_FORCED;
    r.icmp = (struct flow_icmp){.n_errors = 2, .type = 3, .code = 13, .packet_number = 8, .sender = r.tuple.server};
    kept_flow_make(&r, &app, &k);
    ck_assert_int_eq(k.earlier_side, 1);
    kept_flow_swap(&k);
    ck_assert_int_eq(k.earlier_side, 0);
    kept_flow_record(&k, &back);
    flow_record_swap(&r);
    ck_assert_int_eq(addr_compare(&back.tuple.client, &r.tuple.client), 0);
    ck_assert_uint_eq(back.tuple.client_port, r.tuple.client_port);
    ck_assert(back.first_ns == r.first_ns && back.last_ns == r.last_ns && back.first_packet == r.first_packet);
    for (unsigned i = 0; i < 2; i++)
        ck_assert(back.packets[i] == r.packets[i] && back.bytes[i] == r.bytes[i] && back.payload[i] == r.payload[i] && back.unseen_bytes[i] == r.unseen_bytes[i] &&
                  back.tcp_flags[i] == r.tcp_flags[i] && back.vlan[i] == r.vlan[i]);
    ck_assert(back.tcp_state == r.tcp_state && back.closed == r.closed && back.end == r.end && back.icmp.n_errors == 2 && back.icmp.packet_number == 8);
    ck_assert_str_eq(back.app.name, "SIP");
    r.sent_first_ns[0] = r.sent_first_ns[1];
    kept_flow_make(&r, &app, &k);
    ck_assert_int_eq(k.earlier_side, -1);
    ck_assert_uint_le(2 * sizeof(k), sizeof(r));
}
END_TEST

START_TEST(bound_depends_on_neither_order_nor_sharding)
{
    static struct merged       forward, backward, sharded;
    struct conversation_table *tables[5];

    for (size_t i = 0; i < 5; i++)
        tables[i] = new_table();
    for (unsigned i = 0; i < N_FLOWS; i++) {
        fold(tables[0], i, VERDICT_VIOLATION);
        fold(tables[1], N_FLOWS - 1 - i, VERDICT_VIOLATION);
        /* As packets are shared out: by the pair of addresses. */
        fold(tables[2 + i % N_KEYS % 3], i, VERDICT_VIOLATION);
    }
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_lt(conversation_count(tables[i]), conversation_limit(&limits, CLASS_ESCAPED) * 5 / 4 + 10);
    merge(&tables[0], 1, &forward);
    merge(&tables[1], 1, &backward);
    merge(&tables[2], 3, &sharded);
    assert_same(&forward, &backward);
    assert_same(&forward, &sharded);
    for (size_t i = 0; i < 5; i++)
        conversation_table_free(tables[i]);
}
END_TEST

START_TEST(beyond_the_bound_nothing_is_lost)
{
    static struct merged       m;
    struct conversation_table *t = new_table();
    uint64_t                   flows = 0, bytes = 0, summed = 0;
    size_t                     n_single = 0;

    for (unsigned i = 0; i < N_FLOWS; i++)
        fold(t, i, VERDICT_VIOLATION);
    merge(&t, 1, &m);
    for (size_t i = 0; i < m.n; i++) {
        const struct conversation *c = m.all[i];

        flows += c->flows;
        bytes += c->bytes[0] + c->bytes[1];
        if (c->key.summed == SUM_NONE) {
            ck_assert_uint_eq(c->flows, 2);
            n_single++;
            continue;
        }
        ck_assert_uint_eq(c->key.summed, SUM_PEERS);
        ck_assert_uint_eq(c->n_summed, c->flows);
        ck_assert_uint_eq(c->n_kept, limits.flows_kept);
        ck_assert_uint_ge(c->key.client_host, 1);
        ck_assert_uint_eq(c->key.server_host, 0);
        summed++;
    }
    ck_assert_uint_eq(flows, N_FLOWS);
    ck_assert_uint_eq(bytes, N_FLOWS * UINT64_C(180));
    ck_assert_uint_eq(n_single, conversation_limit(&limits, CLASS_ESCAPED));
    ck_assert_uint_eq(summed, 3); /* one for each of the three names of the site */
    conversation_table_free(t);
}
END_TEST

START_TEST(what_a_row_allows_has_room)
{
    struct conversation_table *t = new_table();

    for (unsigned i = 0; i < N_FLOWS; i++)
        fold(t, i, VERDICT_ALLOWED);
    ck_assert_uint_eq(conversation_count(t), N_KEYS);
    for (size_t i = 0; i < N_KEYS; i++) {
        ck_assert_uint_eq(conversation_at(t, i)->key.summed, SUM_NONE);
        ck_assert_uint_eq(conversation_at(t, i)->flows, 2);
        ck_assert_uint_eq(conversation_at(t, i)->n_kept, 0);
    }
    conversation_table_free(t);
}
END_TEST

/* Attempts in any number, of all verdicts: all that got through is still there, one by one. */
START_TEST(attempts_do_not_hide_what_got_through)
{
    struct conversation_table *t = new_table();
    size_t                     n[CONVERSATION_N_CLASSES + 1] = {0};

    for (unsigned i = 0; i < N_FLOWS; i++) {
        fold_as(t, i, VERDICT_VIOLATION, OUTCOME_UNANSWERED);
        fold_as(t, i, VERDICT_ALLOWED, OUTCOME_UNANSWERED);
        fold_as(t, i, VERDICT_NOT_GOVERNED, OUTCOME_UNANSWERED);
        if (i % N_KEYS < 100)
            fold(t, i, VERDICT_VIOLATION);
    }
    for (size_t i = 0; i < conversation_count(t); i++)
        n[conversation_class(&conversation_at(t, i)->key)]++;
    ck_assert_uint_eq(n[CLASS_ESCAPED], 100);
    ck_assert_uint_le(n[CLASS_REJECTED], 2 * conversation_limit(&limits, CLASS_REJECTED));
    ck_assert_uint_le(n[CLASS_OUTSIDE], 2 * conversation_limit(&limits, CLASS_OUTSIDE));
    ck_assert_uint_le(n[CLASS_TRIED], conversation_limit(&limits, CLASS_TRIED) * 5 / 4);
    ck_assert_uint_eq(n[CLASS_NONE], 9); /* for each verdict and each of three names */
    conversation_table_free(t);
}
END_TEST

START_TEST(groups_are_summed_up_with_what_they_share)
{
    struct conversation_table *t = new_table();

    fold(t, 0, VERDICT_VIOLATION);
    fold(t, 1, VERDICT_VIOLATION);
    struct conversation *c = conversation_at(t, 0);
    struct conversation  before = *c;
    conversation_sum_up(c, SUM_PORTS);
    ck_assert_int_eq(addr_compare(&c->key.client, &before.key.client), 0);
    ck_assert_uint_eq(c->key.server_port, 0);
    ck_assert_uint_eq(c->n_summed, 1);
    ck_assert(!conversation_is_bounded(&c->key));
    c = conversation_at(t, 1);
    before = *c;
    conversation_sum_up(c, SUM_CLIENTS);
    ck_assert_int_ne(addr_compare(&c->key.client, &before.key.client), 0);
    ck_assert_int_eq(addr_compare(&c->key.server, &before.key.server), 0);
    ck_assert_uint_eq(c->key.server_port, 7);
    conversation_table_free(t);
}
END_TEST

Suite *suite_conversation(void);

Suite *suite_conversation(void)
{
    Suite *s = suite_create("conversation");
    TCase *t = tcase_create("bound");

    tcase_add_test(t, probes_and_bounds);
    tcase_add_test(t, odd_flows_are_counted);
    tcase_add_test(t, one_segment_tells_nothing);
    tcase_add_test(t, answers_that_did_not_arrive_are_counted);
    tcase_add_test(t, flows_that_errors_quote);
    tcase_add_loop_test(t, a_quoted_flow_is_none_of_the_captured, 0, 3);
    tcase_add_test(t, one_way_is_no_passage);
    tcase_add_test(t, foreign_resets_are_counted_and_found);
    tcase_add_test(t, kept_flows_have_what_is_recorded);
    tcase_add_test(t, bound_depends_on_neither_order_nor_sharding);
    tcase_add_test(t, beyond_the_bound_nothing_is_lost);
    tcase_add_test(t, what_a_row_allows_has_room);
    tcase_add_test(t, attempts_do_not_hide_what_got_through);
    tcase_add_test(t, groups_are_summed_up_with_what_they_share);
    suite_add_tcase(s, t);
    return s;
}
