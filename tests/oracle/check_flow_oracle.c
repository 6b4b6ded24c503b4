/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table against a dumb twin: a list of flows that keep all of their packets, searched from one end to the
 * other, whose records are made at the end by going over those packets again.  And the table against itself: where each
 * flow has a detail from its first packet on, and under other hash keys and a bound that it reaches at once.
 */
#include <check.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/flow.h"
#include "flow_twin.h"

#define SECOND INT64_C(1000000000)
#define N_PACKETS 30000
#define BATCH 24 /* so many packets are looked up before the first of them is tracked */

struct list {
    struct flow_record *records;
    size_t              n, size;
};

static void keep(void *aux, struct flow_record *record, void *ext)
{
    struct list *list = aux;

    (void)ext;
    if (list->n == list->size) {
        list->size = list->size > 0 ? 2 * list->size : 1024;
        list->records = realloc(list->records, list->size * sizeof(*list->records));
        ck_assert_ptr_nonnull(list->records);
    }
    list->records[list->n++] = *record;
}

/* With bytes of the shard's own, see note_number(). */
static void keep_own(void *aux, struct flow_record *record, void *ext)
{
    const uint64_t *own = ext;

    ck_assert(own == NULL || own[0] == own[1]);
    keep(aux, record, ext);
}

/* xorshift64* (Vigna 2016) */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static unsigned pick(uint64_t *state, unsigned n)
{
    return (unsigned)(next_random(state) >> 33) % n;
}

struct shape {
    unsigned n_hosts, n_ports; /* of each family */
    unsigned one_in_jumps;     /* a jump of time in so many packets */
};

static struct addr host(unsigned number, bool ipv6)
{
    uint8_t bytes[16] = {0xfd, [14] = (uint8_t)(number >> 8), [15] = (uint8_t)number};

    return ipv6 ? addr_from_ipv6(bytes) : addr_from_ipv4((uint8_t[]){10, 0, (uint8_t)(number >> 8), (uint8_t)number});
}

static int64_t next_time(uint64_t *state, int64_t now, const struct shape *shape)
{
    if (pick(state, shape->one_in_jumps) == 0) {
        static const int64_t jumps[] = {899 * SECOND,  901 * SECOND, 3600 * SECOND,
                                        3601 * SECOND, -5 * SECOND,  -4000 * SECOND};

        return now + jumps[pick(state, 6)];
    }
    return now + pick(state, 3000000) - 300000;
}

static struct packet random_packet(uint64_t *state, const struct shape *shape, uint64_t number, int64_t now)
{
    static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK,
                                    TCP_RST, TCP_RST | TCP_ACK, TCP_SYN | TCP_FIN, 0};
    bool          ipv6 = pick(state, 3) == 0;
    struct packet p = {.ts_ns = now, .number = number, .ttl = (uint8_t)(60 + pick(state, 4)), .wire_len = 60};

    p.src = host(pick(state, shape->n_hosts), ipv6);
    p.dst = host(pick(state, shape->n_hosts), ipv6);
    p.sport = (uint16_t)(1 + pick(state, shape->n_ports));
    p.dport = (uint16_t)(1 + pick(state, shape->n_ports));
    p.transport = pick(state, 3) == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    p.flags = ipv6 ? PACKET_IS_IPV6 : 0;
    if (pick(state, 2) == 0)
        p.flags |= pick(state, 20) == 0 ? PACKET_GROUP : PACKET_LINK_GROUP;
    else
        p.to_station = pick(state, 2) == 0;
    p.input = (uint16_t)pick(state, 3);
    p.ip_id = (uint16_t)pick(state, 4);
    p.vlan = (uint16_t)pick(state, 3);
    p.point = (uint16_t)(pick(state, 8) * POINT_NUMBER * 37 + pick(state, 2) * POINT_OUT);
    p.payload_wire_len = pick(state, 2) == 0 ? pick(state, 1400) : 0;
    p.wire_len += p.payload_wire_len;
    if (p.transport == IPPROTO_TCP) {
        p.tcp_flags = flags[pick(state, sizeof(flags))];
        p.tcp_seq = pick(state, 3) - 1;
        p.tcp_ack = pick(state, 3);
        if (pick(state, 50) == 0) {
            p.flags |= PACKET_FLAGS_CUT;
            p.tcp_flags = 0;
        }
    }
    return p;
}

static void foretell(const struct flow_table *table, const struct packet *batch, uint64_t *ret_hashes)
{
    for (unsigned i = 0; i < BATCH; i++) {
        ret_hashes[i] = flow_table_hash(table, &batch[i]);
        flow_table_prefetch(table, ret_hashes[i]);
    }
    for (unsigned i = 0; i < BATCH; i++) {
        ret_hashes[i] = flow_table_prefetch_flow(table, ret_hashes[i]);
        flow_table_prefetch_detail(table, ret_hashes[i]);
    }
}

static int by_first_packet(const void *a, const void *b)
{
    const struct flow_record *x = a, *y = b;

    return (x->first_packet > y->first_packet) - (x->first_packet < y->first_packet);
}

static void compare(const struct flow_record *ours, const struct flow_record *twin, uint64_t seed)
{
    struct flow_record r = *ours;

    /* The twin knows nothing of sequence space, nor of copies. */
    ck_assert_uint_le(r.resent_syns, twin->resent_syns);
    if (r.duplicates > 0)
        r.resent_syns = twin->resent_syns;
    r.duplicates = r.retransmissions = r.unseen_bytes[0] = r.unseen_bytes[1] = 0;
    if (((r.tcp_state == TCP_STATE_NO_SYN_ACK && twin->tcp_state == TCP_STATE_REFUSED) || (r.tcp_state == TCP_STATE_ESTABLISHED && twin->tcp_state == TCP_STATE_HALF_OPEN)) &&
        r.closed == FLOW_CLOSED_RST) { /* by what a RST acknowledged */
        r.tcp_state = twin->tcp_state;
        r.resent_syns = twin->resent_syns;
    }
    r.routed = false;
    r.copies[0] = r.copies[1] = 0;
    ck_assert_msg(r.end == twin->end || (r.end == FLOW_END_IDLE && twin->end == FLOW_END_FORCED),
                  "seed %" PRIu64 ": end of the flow of packet %" PRIu64, seed, r.first_packet);
    r.end = twin->end;
    r.entry = 0; /* nor has it entries */
    ck_assert_msg(memcmp(&r, twin, sizeof(r)) == 0, "seed %" PRIu64 ": flow of packet %" PRIu64 " differs", seed,
                  r.first_packet);
}

START_TEST(the_table_and_its_twin_agree)
{
    static const struct shape shapes[] = {{3, 2, 400}, {6, 3, 3000}, {2, 1, 50}, {8, 8, 100000}};
    const struct shape       *shape = &shapes[_i % 4];
    uint64_t                  seed = 20260101 + (uint64_t)_i, state = seed;
    struct flow_options       o;
    struct flow_table        *table;
    struct list               list = {0};
    struct twin               twin = {0};
    int64_t                   now = 1000000 * SECOND, latest = now;

    flow_options_default(&o);
    ck_assert_int_eq(flow_table_new(&o, keep, &list, &table, NULL), 0);
    for (uint64_t number = 1; number <= N_PACKETS / 5; number += BATCH) {
        struct packet batch[BATCH];
        uint64_t      hashes[BATCH];

        for (unsigned i = 0; i < BATCH; i++) {
            struct packet *p = &batch[i];

            *p = random_packet(&state, shape, number + i, now = next_time(&state, now, shape));
            if (addr_compare(&p->src, &p->dst) == 0 && p->sport == p->dport)
                p->sport = 1000; /* equal ends have no directions to compare: a unit test has them */
            latest = now > latest ? now : latest;
        }
        foretell(table, batch, hashes);
        for (unsigned i = 0; i < BATCH; i++) {
            struct flow_step step;

            flow_table_track(table, hashes[i], &batch[i], &step);
            ck_assert_int_eq(step.result, PACKET_OK);
            twin_track(&twin, &batch[i]);
        }
    }
    flow_table_drain(table, latest);
    ck_assert_msg(list.n == twin.n, "seed %" PRIu64 ": %zu flows, the twin has %zu", seed, list.n, twin.n);
    qsort(list.records, list.n, sizeof(*list.records), by_first_packet);
    for (size_t i = 0; i < twin.n; i++) {
        struct flow_record r;

        memset(&r, 0, sizeof(r));
        twin_record(&twin.flows[i], &r);
        compare(&list.records[i], &r, seed);
    }
    twin_clear(&twin);
    free(list.records);
    flow_table_free(table);
}
END_TEST

/* ---- the table against itself ---- */

struct pair_of_tables {
    struct flow_table *spare, *rich; /* in the second, without bytes of the shard's own, each flow has a detail from its first packet on */
    struct list        lists[2];
};

/* The shard's bytes say whose they are; wherever they move to, they are of the same flow. */
static void note_number(uint64_t *ext, const struct flow *f)
{
    ck_assert_ptr_nonnull(ext);
    ck_assert(ext[0] == 0 || ext[0] == (uintptr_t)f);
    ck_assert_uint_eq(ext[0], ext[1]);
    ext[0] = ext[1] = (uintptr_t)f;
}

/* One packet to both; the flow is the same in both. */
static void track_in_both(struct pair_of_tables *tables, const struct packet *p, uint64_t seed)
{
    struct flow_table   *two[2] = {tables->spare, tables->rich};
    struct flow_record   records[2];
    struct flow_step     steps[2];
    enum direction_basis basis[2];

    for (unsigned i = 0; i < 2; i++) {
        flow_table_track(two[i], flow_table_hash(two[i], p), p, &steps[i]);
        ck_assert_int_eq(steps[i].result, PACKET_OK);
    }
    ck_assert_ptr_nonnull(flow_ext(tables->rich, steps[1].flow));
    if (p->transport != IPPROTO_TCP && p->payload_wire_len % 3 == 0)
        note_number(flow_ext(tables->spare, steps[0].flow), steps[0].flow);
    for (unsigned i = 0; i < 2 && p->payload_wire_len % 8 == 5; i++)
        flow_set_client(two[i], steps[i].flow, p->payload_wire_len >> 3 & 1);
    ck_assert_uint_eq(flow_client_side(two[0], steps[0].flow, &basis[0]), flow_client_side(two[1], steps[1].flow, &basis[1]));
    ck_assert_int_eq(basis[0], basis[1]);
    for (unsigned side = 0; side < 2; side++)
        ck_assert_uint_eq(flow_bytes(two[0], steps[0].flow, side), flow_bytes(two[1], steps[1].flow, side));
    for (unsigned i = 0; i < 2; i++)
        flow_snapshot(two[i], steps[i].flow, &records[i]);
    ck_assert_msg(memcmp(&records[0], &records[1], sizeof(records[0])) == 0, "seed %" PRIu64 ": packet %" PRIu64, seed, p->number);
}

/* What is rare in the other loads: numbers and lengths that take more room, flags of an end that goes on. */
static void make_rare(uint64_t *state, struct packet *p)
{
    if (pick(state, 3) == 0)
        p->vlan = 0;
    uint32_t more = pick(state, 10) == 0 ? pick(state, 100000) : 0;
    p->wire_len += more;
    p->payload_wire_len += pick(state, 2) == 0 ? more : 0;
    p->encap = (uint16_t)(pick(state, 20) == 0 ? ENCAP_GRE : 0);
    if (p->transport != IPPROTO_TCP)
        return;
    if (pick(state, 4) == 0)
        p->tcp_seq = (uint32_t)next_random(state);
    if (pick(state, 4) == 0)
        p->tcp_ack = p->tcp_seq + pick(state, 70000) - 35000;
}

START_TEST(few_packets_tell_what_a_detail_would)
{
    static const struct shape shape = {80, 4, 60};
    uint64_t                  seed = 20280101 + (uint64_t)_i, state = seed;
    struct flow_options       o;
    struct pair_of_tables     tables = {0};
    struct packet             again = {0};
    int64_t                   now = 1000000 * SECOND;

    flow_options_default(&o);
    o.active_ns = _i % 3 == 0 ? 40 * SECOND : 0;
    o.ext_size = 16;
    ck_assert_int_eq(flow_table_new(&o, keep_own, &tables.lists[0], &tables.spare, NULL), 0);
    o.ext_size = 0;
    ck_assert_int_eq(flow_table_new(&o, keep, &tables.lists[1], &tables.rich, NULL), 0);
    for (uint64_t number = 1; number <= N_PACKETS; number++) {
        struct packet p = random_packet(&state, &shape, number, now = next_time(&state, now, &shape));

        make_rare(&state, &p);
        if (pick(&state, 2) == 0 && again.wire_len != 0) {
            bool back = pick(&state, 3) != 0;

            p.src = back ? again.dst : again.src;
            p.dst = back ? again.src : again.dst;
            p.sport = back ? again.dport : again.sport;
            p.dport = back ? again.sport : again.dport;
            p.transport = again.transport;
        }
        if (_i % 2 == 0)
            p.ts_ns = p.ts_ns / 1000 * 1000;
        again = p;
        track_in_both(&tables, &p, seed);
    }
    struct flow_table_stats spare, rich;
    flow_table_stats(tables.spare, &spare);
    flow_table_stats(tables.rich, &rich);
    ck_assert_uint_lt(spare.memory, rich.memory);
    flow_table_drain(tables.spare, now);
    flow_table_drain(tables.rich, now);
    ck_assert_uint_eq(tables.lists[0].n, tables.lists[1].n);
    ck_assert_msg(memcmp(tables.lists[0].records, tables.lists[1].records, tables.lists[0].n * sizeof(struct flow_record)) == 0, "seed %" PRIu64, seed);
    free(tables.lists[0].records);
    free(tables.lists[1].records);
    flow_table_free(tables.spare);
    flow_table_free(tables.rich);
}
END_TEST

struct account {
    uint64_t n_tracked, n_refused, n_joined, n_held;
};

static void feed_evidence(struct flow_table *table, uint64_t *state, struct packet *p, struct account *account)
{
    if (pick(state, 2) == 0) {
        p->quote = (struct packet_quote){p->src, p->dst, p->sport, p->dport, p->transport, 3, 3, false, 0};
        p->transport = IPPROTO_ICMP;
        if (!flow_table_icmp_error(table, p))
            flow_table_quoted(table, p);
        return;
    }
    p->fragment_id = pick(state, 50);
    switch (flow_table_fragment(table, p)) {
    case FLOW_FRAGMENT_JOINED:
        account->n_joined++;
        break;
    case FLOW_FRAGMENT_HELD:
        account->n_held++;
        break;
    case FLOW_FRAGMENT_NOT_OURS:
        ck_abort_msg("TCP and UDP only");
    }
}

struct load {
    uint64_t      state, number;
    int64_t       now;
    struct packet again; /* an earlier packet, to be answered */
};

static struct packet next_packet(struct load *load)
{
    static const struct shape shape = {300, 6, 2000};
    uint64_t                 *state = &load->state;

    load->now = next_time(state, load->now, &shape);
    struct packet p = random_packet(state, &shape, ++load->number, load->now);
    if (pick(state, 3) == 0 && load->again.wire_len != 0) {
        p = load->again;
        p.src = load->again.dst;
        p.dst = load->again.src;
        p.sport = load->again.dport;
        p.dport = load->again.sport;
        p.ts_ns = load->now;
    }
    if (pick(state, 10) == 0) {
        p.flags |= PACKET_FIRST_FRAGMENT;
        p.fragment_more = true;
        p.fragment_id = pick(state, 50);
    }
    if (pick(state, 4) == 0)
        load->again = p;
    return p;
}

static void feed_one(struct flow_table *table, struct load *load, struct packet *p, uint64_t hash, size_t ext_size,
                     struct account *account)
{
    struct flow_step step;

    if (pick(&load->state, 20) == 0) {
        feed_evidence(table, &load->state, p, account);
        return;
    }
    flow_table_track(table, hash, p, &step);
    account->n_tracked += step.result == PACKET_OK;
    account->n_refused += step.result == PACKET_FLOW_LIMIT;
    void *ext = step.result == PACKET_OK && p->payload_wire_len > 0 ? flow_ext(table, step.flow) : NULL;
    if (ext != NULL)
        memset(ext, 0xee, ext_size);
    if (pick(&load->state, 100) == 0)
        flow_table_sweep(table, load->now, 50);
}

/* One run of random packets under a bound that is as small as can be. */
static void run_bounded(uint64_t seed, const struct hash_key *key, size_t ext_size, struct list *list,
                        struct account *account)
{
    struct load         load = {.state = seed, .now = 1000000 * SECOND};
    struct flow_options o;
    struct flow_table  *table;

    flow_options_default(&o);
    o.memory_limit = 1;
    o.ext_size = ext_size;
    o.max_fragments = 32;
    o.hash_key = key;
    o.active_ns = 40 * SECOND;
    ck_assert_int_eq(flow_table_new(&o, keep, list, &table, NULL), 0);
    while (load.number < N_PACKETS) {
        struct packet batch[BATCH];
        uint64_t      hashes[BATCH];

        for (unsigned i = 0; i < BATCH; i++)
            batch[i] = next_packet(&load);
        foretell(table, batch, hashes);
        for (unsigned i = 0; i < BATCH; i++)
            feed_one(table, &load, &batch[i], hashes[i], ext_size, account);
    }
    flow_table_drain(table, load.now);

    struct flow_table_stats stats;
    flow_table_stats(table, &stats);
    ck_assert_msg(stats.n_evicted > 0, "seed %" PRIu64 ": the bound was not reached", seed);
    ck_assert_uint_eq(stats.n_created, list->n);
    ck_assert_uint_eq(stats.n_refused, account->n_refused);
    ck_assert_uint_eq(stats.n_flows, 0);
    ck_assert_uint_eq(stats.n_fragments_held, 0);
    uint64_t n_late = 0, n_orphans = 0;
    for (uint16_t input = 0; input < 3; input++) {
        struct flow_held held;

        flow_table_held(table, input, &held);
        n_late += held.n_joined;
        n_orphans += held.n_orphans;
    }
    ck_assert_msg(n_late + n_orphans == account->n_held, "seed %" PRIu64 ": fragments", seed);
    account->n_joined += n_late;
    flow_table_free(table);
}

START_TEST(under_a_bound_no_packet_is_lost_count_of_and_the_hash_key_changes_nothing)
{
    static const struct hash_key keys[2] = {{1, 2}, {UINT64_C(0x9e3779b97f4a7c15), 77}};
    uint64_t                     seed = 20270101 + (uint64_t)_i;
    struct list                  lists[2] = {{0}, {0}};
    struct account               accounts[2] = {{0}, {0}};
    size_t                       ext_size = _i % 2 == 0 ? 8 : 4000;

    for (unsigned k = 0; k < 2; k++) {
        uint64_t n_packets = 0;

        run_bounded(seed, &keys[k], ext_size, &lists[k], &accounts[k]);
        for (size_t i = 0; i < lists[k].n; i++)
            n_packets += lists[k].records[i].packets[0] + lists[k].records[i].packets[1];
        ck_assert_msg(n_packets == accounts[k].n_tracked + accounts[k].n_joined,
                      "seed %" PRIu64 ": %" PRIu64 " packets in records, %" PRIu64 " tracked, %" PRIu64 " joined", seed,
                      n_packets, accounts[k].n_tracked, accounts[k].n_joined);
    }
    ck_assert_uint_eq(lists[0].n, lists[1].n);
    for (size_t i = 0; i < lists[0].n; i++)
        ck_assert_msg(memcmp(&lists[0].records[i], &lists[1].records[i], sizeof(struct flow_record)) == 0,
                      "seed %" PRIu64 ": record %zu depends on the hash key", seed, i);
    free(lists[0].records);
    free(lists[1].records);
}
END_TEST

Suite *suite_flow_oracle(void);

Suite *suite_flow_oracle(void)
{
    Suite *s = suite_create("flow_oracle");
    TCase *tc = tcase_create("oracle");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, the_table_and_its_twin_agree, 0, 12);
    tcase_add_loop_test(tc, few_packets_tell_what_a_detail_would, 0, 6);
    tcase_add_loop_test(tc, under_a_bound_no_packet_is_lost_count_of_and_the_hash_key_changes_nothing, 0, 8);
    suite_add_tcase(s, tc);
    return s;
}
