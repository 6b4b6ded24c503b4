/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table: packets in, records out.
 *
 * Life-cycle of a flow: begin (one packet, all in 'struct flow') -> more (the second is remembered as well; from the
 * third on a detail is taken, and told of both) -> end (record, callback, everything given back).  A flow that is over is found out when its next packet
 * comes, by a sweep, or by the drain; the record is the same.
 */
#include "flow-private.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)

_Static_assert(sizeof(struct flow) == 64, "a flow is one cache line");
_Static_assert(ENCAP_IPIP < 1 << 9 && POINT_END == 1 << 11, "a flow has room for both");
_Static_assert(offsetof(struct flow, addresses) + 32 <= FLOW_SIZE_IPV6, "two IPv6 addresses fit");

void flow_options_default(struct flow_options *ret)
{
    *ret = (struct flow_options){
        .tcp_idle_ns = 3600 * SECOND_NS,
        .udp_idle_ns = 900 * SECOND_NS,
        .memory_limit = (size_t)512 << 20,
        .max_fragments = 4096,
    };
}

static int init_parts(struct flow_table *t, struct err *reterr)
{
    size_t limit = t->options.memory_limit;
    size_t space = limit != 0 ? limit : (size_t)1 << 36;
    size_t detail_size = (sizeof(struct flow_detail) + t->options.ext_size + 15) / 16 * 16;
    size_t ext_size = t->options.ext_size > 8 ? (t->options.ext_size + 7) / 8 * 8 : 8; /* at least what the pool itself needs */
    int    rc;

    if (t->options.hash_key != NULL)
        t->key = *t->options.hash_key;
    else if ((rc = hash_key_random(&t->key, reterr)) != 0)
        return rc;
    hash_pairs_init(&t->pairs, &t->key);
    if ((rc = index_init(&t->index, reterr)) != 0 ||
        (rc = pool_init(&t->flows[0], FLOW_SIZE_IPV4, space, reterr)) != 0 ||
        (rc = pool_init(&t->flows[1], FLOW_SIZE_IPV6, space, reterr)) != 0 ||
        (rc = pool_init(&t->seconds, sizeof(struct second), space, reterr)) != 0 ||
        (rc = pool_init(&t->exts, ext_size, space, reterr)) != 0 ||
        (rc = pool_init(&t->details, detail_size, space, reterr)) != 0 ||
        (rc = pool_init(&t->errors, sizeof(struct icmp_errors), space, reterr)) != 0)
        return rc;
    return fragments_new(t->options.max_fragments, &t->fragments, reterr);
}

int flow_table_new(const struct flow_options *options, flow_end_fn *end_fn, void *aux, struct flow_table **ret,
                   struct err *reterr)
{
    struct flow_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a flow table");
    t->options = *options;
    t->end_fn = end_fn;
    t->aux = aux;

    int rc = init_parts(t, reterr);
    if (rc != 0) {
        flow_table_free(t);
        return rc;
    }
    t->options.hash_key = NULL; /* borrowed, and copied */
    *ret = t;
    return 0;
}

void flow_table_free(struct flow_table *t)
{
    if (t == NULL)
        return;
    fragments_free(t->fragments);
    pool_free(&t->errors);
    pool_free(&t->details);
    pool_free(&t->exts);
    pool_free(&t->seconds);
    pool_free(&t->flows[1]);
    pool_free(&t->flows[0]);
    index_free(&t->index);
    free(t);
}

uint64_t flow_table_hash(const struct flow_table *t, const struct packet *p)
{
    struct flow_key key;
    unsigned        side;

    flow_key_make(&p->src, p->sport, &p->dst, p->dport, p->transport, &key, &side);
    return index_tag(flow_key_hash(&key, &t->pairs));
}

void flow_table_prefetch(const struct flow_table *t, uint64_t hash)
{
    uint32_t tag = index_tag(hash);

    __builtin_prefetch(&index_segment(&t->index, tag)->slots[tag % SEGMENT_SLOTS]);
}

/* The first flow under the tag is most likely the one; its reference travels in the upper half of the hash. */
uint64_t flow_table_prefetch_flow(const struct flow_table *t, uint64_t hash)
{
    uint32_t tag = index_tag(hash), pos = tag % SEGMENT_SLOTS;
    uint32_t ref = index_probe(index_segment(&t->index, tag), tag, &pos);

    if (ref != 0)
        __builtin_prefetch(flow_of_ref(t, ref), 1);
    return (uint64_t)ref << 32 | tag;
}

void flow_table_prefetch_detail(const struct flow_table *t, uint64_t hash)
{
    const struct flow        *f = hash >> 32 != 0 ? flow_of_ref(t, (uint32_t)(hash >> 32)) : NULL;
    const struct flow_detail *d = f != NULL ? flow_detail_at(t, f) : NULL;

    if (d == NULL) {
        if (f != NULL && (f->state & FLOW_TWO) != 0)
            __builtin_prefetch(flow_second_at(t, f));
        return;
    }
    __builtin_prefetch(d, 1);
    __builtin_prefetch((const uint8_t *)d + 64, 1);
    if (f->transport == IPPROTO_TCP) {
        __builtin_prefetch((const uint8_t *)d + 128, 1);
        __builtin_prefetch((const uint8_t *)d + 183, 1);
    }
}

struct flow *flow_table_find(const struct flow_table *t, uint32_t tag, const struct flow_key *key)
{
    const struct segment *s = index_segment(&t->index, tag);
    uint32_t              pos = tag % SEGMENT_SLOTS, ref;

    while ((ref = index_probe(s, tag, &pos)) != 0) {
        if (((ref & REF_IPV6) != 0) == key->is_ipv6 && flow_key_matches(key, flow_of_ref(t, ref)))
            return flow_of_ref(t, ref);
    }
    return NULL;
}

/* The flow that prefetching foretold, if it is still there and is the one (another packet of the batch may have ended
 * it). */
static struct flow *foretold(const struct flow_table *t, uint64_t hash, const struct flow_key *key)
{
    uint32_t ref = (uint32_t)(hash >> 32);

    if (ref == 0 || ((ref & REF_IPV6) != 0) != key->is_ipv6 ||
        !pool_is_used(&t->flows[key->is_ipv6], (ref & ~REF_IPV6) - 1))
        return NULL;
    struct flow *f = flow_of_ref(t, ref);
    return flow_key_matches(key, f) ? f : NULL;
}

int64_t flow_first_ns(const struct flow_table *t, const struct flow *f)
{
    const struct flow_detail *d = flow_detail_at(t, f);
    struct sight              s;

    if (d != NULL)
        return flow_detail_first_ns(d);
    if ((f->state & FLOW_ONE) != 0)
        return f->last_ns;
    if ((f->state & FLOW_SECOND_EARLIER) != 0)
        flow_sight_of_second(t, f, &s);
    else
        flow_sight_of_first(t, f, &s);
    return s.ts_ns;
}

uint64_t flow_first_packet(const struct flow_table *t, const struct flow *f)
{
    const struct flow_detail *d = flow_detail_at(t, f);

    return (uint64_t)f->number_high << 32 | (d == NULL ? f->few.number : d->first_number);
}

static void give_back(struct flow_table *t, struct flow *f)
{
    struct flow_detail *d = flow_detail_at(t, f);

    if (d != NULL) {
        flow_errors_drop(t, d);
        pool_give_back(&t->details, f->many.detail);
    } else if ((f->state & FLOW_TWO) != 0) {
        pool_give_back(&t->seconds, f->few.two.second);
    }
    if (flow_has_other(f) && f->few.other.ext != 0)
        pool_give_back(&t->exts, f->few.other.ext - 1);
    t->n_quoted -= (f->state & FLOW_QUOTED) != 0;
    pool_give_back(flow_pool(t, f), flow_index(t, f));
    t->stats.n_flows--;
}

void flow_table_finish(struct flow_table *t, struct flow *f, enum flow_end end)
{
    struct flow_record record;

    flow_snapshot(t, f, &record);
    record.end = end;
    t->end_fn(t->aux, &record, flow_ext_at(t, f));
    give_back(t, f);
}

static uint32_t tag_of(const struct flow_table *t, const struct flow *f)
{
    struct flow_key key;

    flow_key_of(f, &key);
    return index_tag(flow_key_hash(&key, &t->pairs));
}

static void unlink_flow(struct flow_table *t, const struct flow *f)
{
    index_remove(&t->index, tag_of(t, f), flow_ref(t, f));
}

void flow_table_end(struct flow_table *t, struct flow *f, enum flow_end end)
{
    unlink_flow(t, f);
    flow_table_finish(t, f, end);
}

void flow_take_back(struct flow_table *t, struct flow *f)
{
    unlink_flow(t, f);
    give_back(t, f);
    t->stats.n_created--;
}

/* FLOW_TO.  TCP has two ends (RFC 9293, 3.1), whatever its frames are addressed to. */
static unsigned to_whom(const struct packet *p, bool comes_back)
{
    if ((p->flags & PACKET_GROUP) != 0)
        return FLOW_GROUP;
    if (p->to_station || p->transport == IPPROTO_TCP || comes_back)
        return FLOW_NO_GROUP;
    return (p->flags & PACKET_LINK_GROUP) != 0 ? FLOW_LINK_GROUP : 0;
}

static void note_to_whom(struct flow *f, unsigned side, const struct packet *p)
{
    if ((f->state & FLOW_TO) >= FLOW_NO_GROUP && (p->flags & PACKET_GROUP) == 0)
        return; /* nothing else counts for more */
    unsigned to = to_whom(p, f->packets[!side] != 0);

    if (to > (f->state & FLOW_TO))
        f->state = (uint16_t)((f->state & ~FLOW_TO) | to);
}

static uint16_t state_of_packet(const struct packet *p)
{
    unsigned state = 0;

    if ((p->flags & PACKET_CUT) != 0)
        state |= FLOW_CUT;
    if ((p->flags & PACKET_FIRST_FRAGMENT) != 0)
        state |= FLOW_FRAGMENTS;
    return (uint16_t)state;
}

/* Of hosts with one identification for all packets the checksum tells them apart: of UDP it stands for the sequence number. */
static uint16_t mark_of(const struct packet *p)
{
    uint32_t checksum = p->transport == IPPROTO_TCP ? p->content : 0;
    uint16_t mark = (uint16_t)(p->ip_id + checksum * 0x9e35u);

    if (p->ip_id == 0)
        return 0;
    return mark != 0 ? mark : 1;
}

/* Of others than TCP some of the content stands for the numbers. */
static inline uint32_t seq_of(const struct packet *p)
{
    return p->transport == IPPROTO_TCP ? p->tcp_seq : p->content;
}

static inline struct sight sight_of_packet(const struct packet *p)
{
    bool tcp = p->transport == IPPROTO_TCP;

    return (struct sight){
        .ts_ns = p->ts_ns,
        .wire_len = p->wire_len,
        .payload = p->payload_wire_len,
        .seq = seq_of(p),
        .ack = tcp ? p->tcp_ack : 0,
        .mark = mark_of(p),
        .vlan = p->vlan,
        .encap = p->encap,
        .point = p->point,
        .place = flow_place(p->vlan, p->encap, p->point),
        .ttl = p->ttl,
        .tcp_flags = tcp ? p->tcp_flags : 0,
        .flags_cut = tcp && (p->flags & PACKET_FLAGS_CUT) != 0,
    };
}

static unsigned first_state(const struct flow_key *key, unsigned side, const struct packet *p)
{
    unsigned state = state_of_packet(p) | to_whom(p, false) | FLOW_ONE;

    if (key->is_ipv6)
        state |= FLOW_IPV6;
    if (side == 1)
        state |= FLOW_FIRST_SIDE;
    if (p->transport == IPPROTO_TCP && (p->flags & PACKET_FLAGS_CUT) != 0)
        state |= FLOW_FLAGS_CUT;
    return state;
}

static void fill_addresses(struct flow *f, const struct flow_key *key)
{
    uint8_t *addresses = (uint8_t *)f + offsetof(struct flow, addresses);

    if (key->is_ipv6) {
        memcpy(addresses, key->addr[0], 16);
        memcpy(addresses + 16, key->addr[1], 16);
    } else {
        memcpy(addresses, key->addr[0], 4);
        memcpy(addresses + 4, key->addr[1], 4);
    }
}

void flow_fill(struct flow *f, const struct flow_key *key, unsigned side, const struct packet *p)
{
    bool     tcp = p->transport == IPPROTO_TCP;
    uint64_t number = flow_packet_number(p);

    *f = (struct flow){
        .last_ns = p->ts_ns,
        .packets = {side == 0, side == 1},
        .port = {key->port[0], key->port[1]},
        .transport = key->transport,
        .watch = 1,
        .state = (uint16_t)first_state(key, side, p),
        .first_ttl = p->ttl,
        .number_high = (uint8_t)(number >> 32),
        .input = p->input,
        .first_vlan = p->vlan & 0xfff,
        .point_high = (uint16_t)(p->point >> 7) & 0xf,
        .few = {.one = {p->wire_len, p->payload_wire_len}, .seq = seq_of(p), .ack = tcp ? p->tcp_ack : 0, .number = (uint32_t)number, .mark = mark_of(p),
                .encap = p->encap & 0x1ff, .point_low = p->point & 0x7f},
    };
    f->tcp_flags[side] = tcp ? p->tcp_flags : 0;
    fill_addresses(f, key);
}

struct flow *flow_begin(struct flow_table *t, uint32_t tag, const struct flow_key *key, unsigned side, const struct packet *p)
{
    struct pool *pool = &t->flows[key->is_ipv6];
    uint32_t     index;

    if (!flow_take(t, key->is_ipv6, &index))
        return NULL;

    struct flow *f = pool_at(pool, index);
    flow_fill(f, key, side, p);
    if (!index_insert(&t->index, tag, flow_ref(t, f))) {
        pool_give_back(pool, index);
        return NULL;
    }
    pool_set_weak(pool, index, true);
    t->stats.n_created++;
    if (++t->stats.n_flows > t->stats.n_peak)
        t->stats.n_peak = t->stats.n_flows;
    return f;
}

/* This packet does not begin a new part of the flow. */
static bool may_pair(const struct flow_table *t, const struct flow *f, const struct packet *p)
{
    return t->options.active_ns <= 0 || flow_elapsed(f->last_ns, p->ts_ns) <= (uint64_t)t->options.active_ns;
}

/* One more packet of a flow that had some; false where the bound leaves no room for the detail. */
static bool more(struct flow_table *t, struct flow *f, unsigned side, const struct packet *p)
{
    struct sight s = sight_of_packet(p);

    note_to_whom(f, side, p);
    if ((f->state & FLOW_ONE) != 0 && may_pair(t, f, p) && flow_pair_make(t, f, side, &s)) {
        f->state |= state_of_packet(p) | FLOW_RECENT;
        return true;
    }
    struct flow_detail *d = flow_detail_get(t, f);
    if (d == NULL)
        return false;
    if (t->options.active_ns > 0 && flow_elapsed(flow_detail_first_ns(d), p->ts_ns) > (uint64_t)t->options.active_ns)
        flow_detail_continue(t, f, p);

    bool was_strong = flow_is_strong(f, d->saw);
    flow_note_time(d, &f->last_ns, side, p->ts_ns);
    if (++f->packets[side] == 0)
        d->packets_high[side]++;
    f->many.bytes[side] += s.wire_len;
    f->tcp_flags[side] |= s.tcp_flags;
    f->state |= state_of_packet(p) | FLOW_RECENT;
    flow_detail_add(d, f->transport, side, f->packets[side] == 1 && d->packets_high[side] == 0, &s);

    bool is_strong = flow_is_strong(f, d->saw);
    if (is_strong != was_strong)
        flow_set_weak(t, f, !is_strong);
    return true;
}

void flow_table_track(struct flow_table *t, uint64_t hash, const struct packet *p, struct flow_step *ret)
{
    struct flow_key key;
    unsigned        side;

    flow_key_make(&p->src, p->sport, &p->dst, p->dport, p->transport, &key, &side);
    struct flow *f = foretold(t, hash, &key);

    if (f == NULL)
        f = flow_table_find(t, index_tag(hash), &key);
    if (f != NULL && flow_is_idle(t, f, p->ts_ns)) {
        flow_table_end(t, f, FLOW_END_IDLE);
        f = NULL;
    } else if (f != NULL && flow_tcp_reopens(t, f, side, p)) {
        flow_table_end(t, f, FLOW_END_CLOSED);
        f = NULL;
    }

    *ret = (struct flow_step){.side = side, .is_new = f == NULL, .result = PACKET_OK};
    if (f == NULL)
        f = flow_begin(t, index_tag(hash), &key, side, p);
    else if ((f->state & FLOW_QUOTED) != 0)
        flow_quoted_arrive(t, f, &key, side, p);
    else if (!more(t, f, side, p))
        f = NULL;
    ret->flow = f;
    if (f == NULL) {
        ret->is_new = false;
        ret->result = PACKET_FLOW_LIMIT;
        t->stats.n_refused++;
    } else if ((p->flags & PACKET_FIRST_FRAGMENT) != 0 && p->fragment_more) {
        fragments_first(t, f, side, p);
    }
}

/* The next entry, round and round; NULL where there is no flow. */
static struct flow *sweep_next(struct flow_table *t, uint64_t n_entries)
{
    uint64_t at = t->sweep_at < n_entries ? t->sweep_at : 0;
    bool     v6 = at >= t->flows[0].n_fresh;
    uint32_t index = (uint32_t)(at - (v6 ? t->flows[0].n_fresh : 0));

    t->sweep_at = at + 1;
    return pool_is_used(&t->flows[v6], index) ? pool_at(&t->flows[v6], index) : NULL;
}

/* Flows that the sweep ends together: for the slot and the detail of each it would wait otherwise. */
#define GROUP 16
struct over {
    struct flow *flow[GROUP];
    uint32_t     tag[GROUP];
    unsigned     n;
};

static void end_group(struct flow_table *t, struct over *o)
{
    for (unsigned i = 0; i < o->n; i++) {
        index_remove(&t->index, o->tag[i], flow_ref(t, o->flow[i]));
        flow_table_finish(t, o->flow[i], FLOW_END_IDLE);
    }
    o->n = 0;
}

static void add_to_group(struct flow_table *t, struct over *o, struct flow *f)
{
    uint32_t tag = tag_of(t, f);

    flow_prefetch(t, f);
    flow_table_prefetch(t, tag);
    o->flow[o->n] = f;
    o->tag[o->n++] = tag;
    if (o->n == GROUP)
        end_group(t, o);
}

void flow_table_sweep(struct flow_table *t, int64_t now_ns, size_t budget)
{
    /* A packet may be a little older than the one before it: its flow must not have gone meanwhile. */
    int64_t     now = now_ns < INT64_MIN + 120 * SECOND_NS ? INT64_MIN : now_ns - 120 * SECOND_NS;
    uint64_t    n_entries = (uint64_t)t->flows[0].n_fresh + t->flows[1].n_fresh;
    struct over over;

    over.n = 0;
    if (budget > n_entries)
        budget = n_entries; /* none is looked at twice */
    for (; budget > 0; budget--) {
        struct flow *f = sweep_next(t, n_entries);

        if (f != NULL && flow_is_idle(t, f, now))
            add_to_group(t, &over, f);
    }
    end_group(t, &over);
}

void flow_table_note_peak(struct flow_table *t)
{
    size_t memory = flow_table_memory(t);

    if (memory > t->stats.memory_peak)
        t->stats.memory_peak = memory;
}

void flow_table_stats(const struct flow_table *t, struct flow_table_stats *ret)
{
    *ret = t->stats;
    ret->memory = flow_table_memory(t);
    if (ret->memory_peak < ret->memory) /* pools never shrink, the index does in the drain only */
        ret->memory_peak = ret->memory;
}
