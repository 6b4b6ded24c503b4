/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table under operations: against its dumb twin without a bound, against itself with a detail for each flow, and against itself with another hash key and a bound that it reaches
 * at once, whether in batches or not.  Input: one byte for the mode, then operations of twelve bytes.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/flow.h"
#include "oracle/flow_twin.h"

#define SECOND INT64_C(1000000000)
#define MAX_PACKETS 2000
#define MAX_STEPS   4000 /* of a walk: more than there are flows here */

struct list {
    struct flow_record *records;
    size_t              n, size;
};

static void keep(void *aux, struct flow_record *record, void *ext)
{
    struct list *list = aux;

    (void)ext;
    for (unsigned i = 0; i < 2; i++)
        fuzz_must(outcome_name(flow_record_outcome(record, i))[0] != '?');
    fuzz_must(direction_basis_name(record->direction)[0] != '?' && tcp_state_name(record->tcp_state)[0] != '?');
    if (list->n == list->size) {
        list->size = list->size > 0 ? 2 * list->size : 64;
        list->records = realloc(list->records, list->size * sizeof(*list->records));
        fuzz_must(list->records != NULL);
    }
    list->records[list->n] = *record;
    list->records[list->n++].entry = 0; /* where it lay in the table, which the hash key decides */
}

static struct addr host(unsigned n)
{
    uint8_t bytes[16] = {0xfd, [15] = (uint8_t)n};

    return n & 4 ? addr_from_ipv6(bytes) : addr_from_ipv4((uint8_t[]){10, 0, 0, (uint8_t)n});
}

struct op {
    struct packet packet;
    uint8_t       kind; /* 0-5 packet, 6 fragment, 7 ICMP error */
};

static struct op next_op(struct fuzz *in, uint64_t number, int64_t *now)
{
    static const int64_t jumps[] = {1, 1000000, SECOND, 899 * SECOND, 901 * SECOND, 3601 * SECOND, -5 * SECOND, -4000 * SECOND};
    uint8_t   what = fuzz_u8(in), ends = fuzz_u8(in), ports = fuzz_u8(in);
    struct op op = {.kind = what & 7};
    struct packet *p = &op.packet;

    *now += jumps[what >> 3 & 7];
    *now = *now > 0 ? *now : SECOND;
    p->ts_ns = *now;
    p->number = number;
    p->transport = what & 0x40 ? IPPROTO_UDP : IPPROTO_TCP;
    unsigned family = ends & 0x80 ? 4 : 0;
    p->flags = family != 0 ? PACKET_IS_IPV6 : 0;
    p->src = host(family + (ends & 3));
    p->dst = host(family + (ends >> 2 & 3));
    p->sport = (uint16_t)(1 + (ports & 3));
    p->dport = (uint16_t)(1 + (ports >> 2 & 3));
    if (addr_compare(&p->src, &p->dst) == 0 && p->sport == p->dport)
        p->sport = 1000;
    p->input = ports >> 4 & 1;
    p->vlan = ports >> 5 & 1;
    p->ttl = (uint8_t)(60 + (ports >> 6));
    p->tcp_flags = p->transport == IPPROTO_TCP ? fuzz_u8(in) & 0x3f : (uint8_t)(fuzz_u8(in) & 0);
    p->ip_id = fuzz_u8(in) & 3;
    p->payload_wire_len = fuzz_u16(in) % 1461;
    p->wire_len = 60 + p->payload_wire_len;
    p->tcp_seq = p->transport == IPPROTO_TCP ? fuzz_u16(in) : 0;
    p->tcp_ack = p->transport == IPPROTO_TCP ? fuzz_u16(in) : 0;
    uint8_t rest = fuzz_u8(in);
    p->fragment_id = rest & 7;
    p->flags |= (rest & 8 ? PACKET_LINK_GROUP : 0) | (rest & 16 ? PACKET_GROUP : 0);
    p->to_station = (rest & 32) != 0;
    return op;
}

static void compare(const struct flow_record *ours, const struct flow_record *twin)
{
    struct flow_record r = *ours;

    /* The twin knows nothing of sequence space, nor of copies. */
    fuzz_must(r.resent_syns <= twin->resent_syns);
    if (r.duplicates > 0)
        r.resent_syns = twin->resent_syns;
    r.duplicates = r.copies[0] = r.copies[1] = r.retransmissions = r.unseen_bytes[0] = r.unseen_bytes[1] = 0;
    if (((r.tcp_state == TCP_STATE_NO_SYN_ACK && twin->tcp_state == TCP_STATE_REFUSED) || (r.tcp_state == TCP_STATE_ESTABLISHED && twin->tcp_state == TCP_STATE_HALF_OPEN)) &&
        r.closed == FLOW_CLOSED_RST) { /* by what a RST acknowledged */
        r.tcp_state = twin->tcp_state;
        r.resent_syns = twin->resent_syns;
    }
    r.routed = false;
    fuzz_must(r.end == twin->end || (r.end == FLOW_END_IDLE && twin->end == FLOW_END_FORCED));
    r.end = twin->end;
    fuzz_must(memcmp(&r, twin, sizeof(r)) == 0);
}

static int by_first_packet(const void *a, const void *b)
{
    const struct flow_record *x = a, *y = b;

    return (x->first_packet > y->first_packet) - (x->first_packet < y->first_packet);
}

static void against_twin(struct fuzz *in)
{
    struct flow_options o;
    struct flow_table  *table;
    struct list         list = {0};
    struct twin         twin = {0};
    int64_t             now = 1000000 * SECOND, latest = now;

    flow_options_default(&o);
    fuzz_must(flow_table_new(&o, keep, &list, &table, NULL) == 0);
    for (uint64_t number = 1; in->size >= 4 && number < MAX_PACKETS; number++) {
        struct op        op = next_op(in, number, &now);
        struct flow_step step;

        latest = now > latest ? now : latest;
        flow_table_track(table, flow_table_hash(table, &op.packet), &op.packet, &step);
        fuzz_must(step.result == PACKET_OK);
        twin_track(&twin, &op.packet);
    }
    flow_table_drain(table, latest);
    fuzz_must(list.n == twin.n);
    if (list.n > 0)
        qsort(list.records, list.n, sizeof(*list.records), by_first_packet);
    for (size_t i = 0; i < twin.n; i++) {
        struct flow_record r;

        memset(&r, 0, sizeof(r));
        twin_record(&twin.flows[i], &r);
        compare(&list.records[i], &r);
    }
    twin_clear(&twin);
    free(list.records);
    flow_table_free(table);
}

/* One operation on both tables; in the second each flow has a detail from its first packet on. */
static void same_op(struct flow_table *const *tables, struct op *op)
{
    struct packet     *p = &op->packet;
    struct flow_record records[2];
    struct flow_step   steps[2];

    for (unsigned i = 0; i < 2; i++) {
        if (op->kind == 6) {
            flow_table_fragment(tables[i], p);
            continue;
        }
        flow_table_track(tables[i], flow_table_hash(tables[i], p), p, &steps[i]);
        fuzz_must(steps[i].result == PACKET_OK);
        if (i == 1)
            fuzz_must(flow_ext(tables[1], steps[1].flow) != NULL);
        if (p->payload_wire_len % 16 == 5)
            flow_set_client(tables[i], steps[i].flow, p->ip_id & 1);
        flow_snapshot(tables[i], steps[i].flow, &records[i]);
    }
    fuzz_must(op->kind == 6 || memcmp(&records[0], &records[1], sizeof(records[0])) == 0);
}

/* What a flow of few packets remembers in short is what its detail would know. */
static void against_details(struct fuzz *in, uint8_t mode)
{
    struct flow_options o;
    struct flow_table  *tables[2];
    struct list         lists[2] = {{0}, {0}};
    int64_t             now = 1000000 * SECOND;

    flow_options_default(&o);
    o.active_ns = mode & 4 ? 40 * SECOND : 0;
    for (unsigned i = 0; i < 2; i++)
        fuzz_must(flow_table_new(&o, keep, &lists[i], &tables[i], NULL) == 0);
    for (uint64_t number = 1; in->size >= 4 && number < MAX_PACKETS; number++) {
        struct op op = next_op(in, number, &now);

        if (op.kind == 7) /* far from what the other packets make likely */
            op.packet.tcp_ack *= 99991;
        if (op.kind == 5) {
            op.packet.flags |= PACKET_FIRST_FRAGMENT;
            op.packet.fragment_more = true;
        }
        same_op(tables, &op);
    }
    for (unsigned i = 0; i < 2; i++)
        flow_table_drain(tables[i], now);
    fuzz_must(lists[0].n == lists[1].n && (lists[0].n == 0 || memcmp(lists[0].records, lists[1].records, lists[0].n * sizeof(*lists[0].records)) == 0));
    for (unsigned i = 0; i < 2; i++) {
        free(lists[i].records);
        flow_table_free(tables[i]);
    }
}

struct account {
    uint64_t         n_tracked, n_held;
    struct flow_walk walk;
    uint64_t         n_seen; /* flows that this round of the walk has shown */
    bool             batch;
};

static void see(void *aux, struct flow_record *record, void *ext)
{
    struct account  *account = aux;
    struct flow_walk past = {{UINT32_MAX, UINT32_MAX}};

    (void)ext;
    fuzz_must(record->packets[0] + record->packets[1] + record->icmp.n_errors > 0 && flow_walk_passed(&past, record->entry));
    account->n_seen++;
}

/* Some steps of a walk while flows come and go; and one at a stand, which shows each flow once. */
static void walk(struct flow_table *table, struct account *account)
{
    struct flow_table_stats stats;
    struct account          whole = {0};

    if (flow_table_walk(table, &account->walk, 3, see, account))
        account->walk = (struct flow_walk){0};
    for (unsigned i = 0; i < MAX_STEPS && !flow_table_walk(table, &whole.walk, 5, see, &whole); i++)
        continue;
    flow_table_stats(table, &stats);
    fuzz_must(whole.n_seen == stats.n_flows);
}

static uint64_t hash_of(struct flow_table *table, const struct packet *p, bool batch)
{
    uint64_t hash = flow_table_hash(table, p);

    if (!batch)
        return hash;
    flow_table_prefetch(table, hash);
    hash = flow_table_prefetch_flow(table, hash);
    flow_table_prefetch_detail(table, hash);
    return hash;
}

/* What the shard does with a flow that it has just been given. */
static void use(struct flow_table *table, const struct packet *p, const struct flow_step *step)
{
    struct flow         *f = step->flow;
    struct addr          scratch[2];
    enum direction_basis basis;
    struct flow_record   record;

    fuzz_must(addr_compare(flow_addr(f, step->side, &scratch[0]), &p->src) == 0 && addr_compare(flow_addr(f, !step->side, &scratch[1]), &p->dst) == 0);
    fuzz_must(flow_bytes(table, f, step->side) >= p->wire_len);
    if (p->payload_wire_len % 16 == 5)
        flow_set_client(table, f, p->ip_id & 1);
    unsigned client = flow_client_side(table, f, &basis);
    flow_snapshot(table, f, &record);
    fuzz_must(client < 2 && record.direction == basis && record.bytes[0] + record.bytes[1] == flow_bytes(table, f, 0) + flow_bytes(table, f, 1));
    struct flow_record swapped = record;
    flow_record_swap(&swapped);
    flow_record_swap(&swapped);
    fuzz_must(memcmp(&swapped, &record, sizeof(record)) == 0);
    void *ext = p->payload_wire_len > 700 ? flow_ext(table, f) : NULL;
    if (ext != NULL)
        memset(ext, 0xee, 4000);
}

static void do_op(struct flow_table *table, struct op *op, struct account *account)
{
    struct packet   *p = &op->packet;
    struct flow_step step;

    if (op->kind == 6) {
        enum flow_fragment f = flow_table_fragment(table, p);
        account->n_tracked += f == FLOW_FRAGMENT_JOINED;
        account->n_held += f == FLOW_FRAGMENT_HELD;
        return;
    }
    if (op->kind == 7) {
        p->quote = (struct packet_quote){p->src, p->dst, p->sport, p->dport, p->transport, 3, p->ip_id, p->tcp_flags & 1, p->tcp_seq};
        p->transport = IPPROTO_ICMP;
        if (!flow_table_icmp_error(table, p) && p->payload_wire_len % 2 == 1)
            flow_table_quoted(table, p);
        return;
    }
    if (op->kind == 5) {
        p->flags |= PACKET_FIRST_FRAGMENT;
        p->fragment_more = true;
    }
    flow_table_track(table, hash_of(table, p, account->batch), p, &step);
    account->n_tracked += step.result == PACKET_OK;
    if (step.result == PACKET_OK)
        use(table, p, &step);
    if (p->payload_wire_len % 64 == 63)
        flow_table_sweep(table, p->ts_ns, 50);
    if (p->payload_wire_len % 32 == 30)
        walk(table, account);
}

/* Returns the list; every packet is in a record, or was refused, or is an orphan. */
static struct list bounded(struct fuzz in, const struct hash_key *key, uint8_t mode)
{
    struct flow_options o;
    struct flow_table  *table;
    struct list         list = {0};
    struct account      account = {.batch = mode & 4};
    int64_t             now = 1000000 * SECOND;
    uint64_t            n = 0, n_held = 0;

    flow_options_default(&o);
    o.memory_limit = 1;
    o.ext_size = 4000;
    o.max_fragments = 4;
    o.hash_key = key;
    o.active_ns = mode & 2 ? 40 * SECOND : 0;
    o.window_ns = mode & 8 ? 600 * SECOND : 0;
    fuzz_must(flow_table_new(&o, keep, &list, &table, NULL) == 0);
    for (uint64_t number = 1; in.size >= 4 && number < MAX_PACKETS; number++) {
        struct op op = next_op(&in, number, &now);

        do_op(table, &op, &account);
    }
    flow_table_drain(table, now);
    for (size_t i = 0; i < list.n; i++)
        n += list.records[i].packets[0] + list.records[i].packets[1];
    for (uint16_t input = 0; input < 2; input++) {
        struct flow_held held;

        flow_table_held(table, input, &held);
        account.n_tracked += held.n_joined;
        n_held += held.n_joined + held.n_orphans;
    }
    fuzz_must(n == account.n_tracked && n_held == account.n_held);
    flow_table_free(table);
    return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_key keys[2] = {{1, 2}, {UINT64_C(0x9e3779b97f4a7c15), 77}};
    struct fuzz in = {data, size};
    uint8_t     mode = fuzz_u8(&in);

    if (mode % 4 == 0)
        against_twin(&in);
    else if (mode % 4 == 2)
        against_details(&in, mode);
    if (mode % 2 == 0)
        return 0;
    struct list a = bounded(in, &keys[0], mode), b = bounded(in, &keys[1], mode ^ 4);
    fuzz_must(a.n == b.n && (a.n == 0 || memcmp(a.records, b.records, a.n * sizeof(*a.records)) == 0));
    free(a.records);
    free(b.records);
    return 0;
}
