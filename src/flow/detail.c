/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a flow beyond its first packets.
 *
 * Copies: a span port of a routed network shows a packet twice.  Both copies have the same IP identification,
 * sequence numbers and length; TTL, VLAN or MAC differ.  A retransmission has a new identification, so a copy is told
 * by it; where a host sends 0 (IPv6; IPv4 that may not be fragmented), TTL or place of capture (VLAN, input, interface) must differ.  Checksums are compared
 * too, and of UDP without one some of the payload: what has one identification for all packets sends other content each
 * time.
 *
 * A span port may also show each packet twice just as it is.  Where no identification tells, such a copy is one of the last two packets of the flow again
 * within some two milliseconds.  That is no retransmission: a timer takes far longer (RFC 6298 a second, Linux 200 ms; RFC 8985 two round trips), and
 * an acknowledgement that asks for one comes after a later segment (RFC 5681, 3.2), so that both lie between.  Acknowledgements without data and
 * RSTs are left out: a host sends one for each segment that comes.
 */
#include "flow-private.h"

#include <netinet/in.h>
#include <string.h>

#define COPY_AT_ONCE 1 /* in units of 2^20 ns: no more than about 2 ms */
#define COPY_SOON 16   /* about 17 ms */
#define COPY_LATER 954 /* about one second: enough where TCP's sequence numbers vouch for it */

static uint32_t mix(uint32_t hash, uint32_t word)
{
    hash = (hash ^ word) * 0x9e3779b1u;
    return hash ^ hash >> 15;
}

uint32_t flow_signature(unsigned side, const struct sight *s)
{
    uint32_t hash = mix(s->seq, s->ack);

    hash = mix(hash, s->payload);
    hash = mix(hash, (uint32_t)s->mark << 16 | (uint32_t)s->tcp_flags << 8 | side);
    return hash;
}

/* Each packet asks this of all of them: in vectors, as compilers make them of such types for any machine. */
static bool same_signature(const struct recent *r, uint32_t sought)
{
    typedef uint32_t vector __attribute__((vector_size(16)));
    vector   all[2], same, each = {sought, sought, sought, sought};
    uint64_t any[2];

    _Static_assert(sizeof(all) == sizeof(r->signature), "two vectors are all of them");
    memcpy(all, r->signature, sizeof(all));
    same = (vector)(all[0] == each) | (vector)(all[1] == each);
    memcpy(any, &same, sizeof(any));
    return (any[0] | any[1]) != 0;
}

/* Would the host not send this again at once? */
static bool tells_itself(const struct sight *s)
{
    return s->payload > 0 || (s->tcp_flags & (TCP_SYN | TCP_FIN)) != 0;
}

/* Sets FLOW_ROUTED where the copy came by the same place with another TTL.  Seldom called, and no part of its caller: what it needs registers for, each
 * packet would have to save. */
static __attribute__((noinline)) bool found_copy(struct flow_detail *d, uint8_t transport, uint32_t sought, uint16_t time, uint8_t place, const struct sight *s)
{
    const struct recent *r = &d->recent;
    int                  limit = transport == IPPROTO_TCP && s->mark != 0 ? COPY_LATER : COPY_SOON;
    unsigned             n = d->n_recent < N_RECENT ? d->n_recent : N_RECENT;

    for (unsigned i = 0; i < n; i++) {
        int      age = (int16_t)(uint16_t)(time - r->time[i]);
        unsigned before = (d->n_recent - i) % N_RECENT; /* 1: the last one */
        bool     at_once = (before == 1 || before == 2) && age >= -COPY_AT_ONCE && age <= COPY_AT_ONCE && tells_itself(s);

        if (r->signature[i] == sought && age >= -COPY_SOON && age <= limit &&
            (s->mark != 0 || r->ttl[i] != s->ttl || r->place[i] != place || at_once)) {
            d->saw |= r->ttl[i] != s->ttl && r->place[i] == place ? FLOW_ROUTED : 0;
            return true;
        }
    }
    return false;
}

/* Was this packet here before?  Remembers it either way. */
static bool is_copy(struct flow_detail *d, uint8_t transport, unsigned side, const struct sight *s)
{
    struct recent *r = &d->recent;
    uint32_t       own = flow_signature(side, s);
    uint16_t       time = (uint16_t)(s->ts_ns >> 20);
    uint8_t        place = (uint8_t)(s->place ^ s->place >> 8);
    bool           copy = same_signature(r, own) && found_copy(d, transport, own, time, place, s);
    unsigned       n = d->n_recent, at = n % N_RECENT;

    r->signature[at] = own;
    r->time[at] = time;
    r->ttl[at] = s->ttl;
    r->place[at] = place;
    d->n_recent = (uint8_t)(n + 1 < 2 * N_RECENT ? n + 1 : N_RECENT);
    return copy;
}

/* Not where its side was seen first. */
static void note_ttl_elsewhere(struct flow_detail *d, unsigned side, const struct sight *s)
{
    if (d->ttl[side].ttl.min == 0) {
        d->ttl[side].place = s->place;
        ttl_range_add(&d->ttl[side].ttl, s->ttl);
        return;
    }
    for (unsigned i = 0; i < N_TTL_PLACES - 1; i++) {
        struct ttl_at *at = &d->ttl_elsewhere[side][i];

        if (at->ttl.min != 0 && at->place != s->place)
            continue;
        at->place = s->place;
        ttl_range_add(&at->ttl, s->ttl);
        return;
    }
}

static void note_ttl(struct flow_detail *d, unsigned side, const struct sight *s)
{
    struct ttl_at *at = &d->ttl[side];

    if (at->ttl.min != 0 && at->place == s->place)
        ttl_range_add(&at->ttl, s->ttl);
    else
        note_ttl_elsewhere(d, side, s);
}

/* The first one's TTL is held against all else of its side, and against that of others. */
static void note_reset(struct flow_detail *d, unsigned side, const struct sight *s)
{
    if ((d->saw & (TCP_SAW_RST * 3)) == 0) {
        d->rst_ttl = s->ttl;
        d->rst_place = s->place;
    } else if (side == ((d->saw & TCP_RST_SIDE) != 0) && s->place == d->rst_place && s->ttl != d->rst_ttl) {
        d->rst_other_ttl = s->ttl;
    }
}

void flow_detail_add(struct flow_detail *d, uint8_t transport, unsigned side, bool is_first_of_side, const struct sight *s)
{
    bool copy = is_copy(d, transport, side, s);

    d->duplicates[side] += copy;
    d->payload[side] += s->payload;
    d->encap |= s->encap;
    if (is_first_of_side)
        d->vlan[side] = s->vlan;
    if ((s->tcp_flags & TCP_RST) != 0)
        note_reset(d, side, s);
    else
        note_ttl(d, side, s);
    if (transport == IPPROTO_TCP && !s->flags_cut)
        flow_tcp_track(d, side, s, copy);
}

void flow_set_weak(struct flow_table *t, const struct flow *f, bool weak)
{
    pool_set_weak(flow_pool(t, f), flow_index(t, f), weak);
    pool_set_weak(&t->details, f->many.detail, weak);
}

void flow_detail_start(const struct flow_table *t, const struct flow *f, struct flow_detail *ret)
{
    unsigned     first = flow_first_side(f), second = flow_second_side(f);
    int64_t      last_ns = INT64_MIN;
    struct sight s;

    flow_sight_of_first(t, f, &s);
    *ret = (struct flow_detail){
        .first_ns = {INT64_MAX, INT64_MAX},
        .other_last_ns = INT64_MIN,
        .saw = f->transport == IPPROTO_TCP ? 0 : flow_saw_of_few(t, f),
        .first_number = f->few.number,
        .ref = flow_ref(t, f),
    };
    flow_note_time(ret, &last_ns, first, s.ts_ns);
    flow_detail_add(ret, f->transport, first, true, &s);
    if ((f->state & FLOW_TWO) == 0)
        return;
    flow_sight_of_second(t, f, &s);
    flow_note_time(ret, &last_ns, second, s.ts_ns);
    flow_detail_add(ret, f->transport, second, second != first, &s);
}

/* The shard's bytes go to the detail, zero if there are none yet. */
static void move_ext(struct flow_table *t, const struct flow *f, struct flow_detail *d)
{
    const void *ext = flow_ext_at(t, f);

    memset(d->ext, 0, t->details.stride - offsetof(struct flow_detail, ext));
    if (ext == NULL)
        return;
    memcpy(d->ext, ext, t->options.ext_size);
    pool_give_back(&t->exts, f->few.other.ext - 1);
}

struct flow_detail *flow_detail_make(struct flow_table *t, struct flow *f)
{
    uint32_t index;

    if (!flow_detail_take(t, f, &index))
        return NULL;

    struct flow_detail *d = pool_at(&t->details, index);
    uint64_t            bytes[2] = {flow_bytes(t, f, 0), flow_bytes(t, f, 1)};

    flow_detail_start(t, f, d);
    move_ext(t, f, d);
    if ((f->state & FLOW_TWO) != 0)
        pool_give_back(&t->seconds, f->few.two.second);
    f->state &= (uint16_t)~FLOW_FEW;
    memset(&f->many, 0, sizeof(f->many));
    f->many.detail = index;
    memcpy(f->many.bytes, bytes, sizeof(bytes));
    pool_set_weak(&t->details, index, !flow_is_strong(f, d->saw));
    return d;
}

#define EXT_MAX ((UINT32_C(1) << 30) - 2) /* what flow.few has room for */

/* Of a flow that takes no detail for it; NULL where there is no room, and it shall take one. */
static void *ext_of_few(struct flow_table *t, struct flow *f)
{
    uint32_t index;

    if (!flow_ext_take(t, &index))
        return NULL;
    if (index > EXT_MAX) {
        pool_give_back(&t->exts, index);
        return NULL;
    }
    f->few.other.ext = index + 1;
    return memset(pool_at(&t->exts, index), 0, t->options.ext_size);
}

void *flow_ext(struct flow_table *t, struct flow *f)
{
    void *ext = flow_ext_at(t, f);

    if (ext == NULL && flow_has_other(f) && t->options.ext_size > 0)
        ext = ext_of_few(t, f);
    if (ext == NULL) {
        struct flow_detail *d = flow_detail_get(t, f);

        ext = d == NULL ? NULL : d->ext;
    }
    return ext;
}

/* Ends the part so far as a record, and lets the flow go on with what it knows of direction and sequence numbers. */
void flow_detail_continue(struct flow_table *t, struct flow *f, const struct packet *p)
{
    struct flow_detail  *d = flow_detail_at(t, f);
    struct flow_record   record;
    enum direction_basis basis;
    unsigned             client = flow_client_side(t, f, &basis);

    flow_snapshot(t, f, &record);
    record.end = FLOW_END_ACTIVE;
    t->end_fn(t->aux, &record, d->ext);

    d->first_ns[0] = d->first_ns[1] = INT64_MAX;
    d->other_last_ns = f->last_ns = INT64_MIN;
    d->first_number = (uint32_t)flow_packet_number(p);
    f->number_high = (uint8_t)(flow_packet_number(p) >> 32);
    f->input = p->input;
    for (unsigned side = 0; side < 2; side++) {
        f->packets[side] = d->packets_high[side] = 0;
        f->many.bytes[side] = d->payload[side] = 0;
        f->tcp_flags[side] = 0;
        d->vlan[side] = 0;
        d->space[side].unseen = 0;
    }
    d->duplicates[0] = d->duplicates[1] = d->retransmissions = 0;
    d->encap = 0;
    d->rst_ttl = d->rst_other_ttl = 0;
    d->saw &= ~(uint32_t)FLOW_ROUTED;
    memset(d->ttl, 0, sizeof(d->ttl));
    memset(d->ttl_elsewhere, 0, sizeof(d->ttl_elsewhere));
    flow_errors_drop(t, d);
    f->state &= (uint16_t) ~(FLOW_CUT | FLOW_FRAGMENTS | FLOW_FIRST_SIDE);
    f->state |= client == 1 ? FLOW_FIRST_SIDE : 0;
    t->stats.n_created++;
}
