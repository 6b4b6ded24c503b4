/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the flow table share, and its own tests may see. */
#ifndef FLOW_PRIVATE_H
#define FLOW_PRIVATE_H

#include <netinet/in.h>
#include <string.h>

#include "flowaudit/flow.h"

#include "index.h"
#include "pool.h"

/* flow.state */
enum {
    FLOW_IPV6 = 1 << 0,
    FLOW_ONE = 1 << 1,        /* one packet, no detail: the union holds 'few.one' */
    FLOW_FIRST_SIDE = 1 << 2, /* the side that sent the first packet, as a bit */
    FLOW_RECENT = 1 << 3,     /* had a packet since the clock hand last came by */
    FLOW_QUOTED = 1 << 4,     /* no packet yet: known from ICMP errors alone, with a detail */
    FLOW_CUT = 1 << 5,
    FLOW_FRAGMENTS = 1 << 6,
    FLOW_FLAGS_CUT = 1 << 7,  /* the first packet's TCP flags were cut away (with FLOW_FEW) */
    FLOW_TWO = 1 << 8,        /* two packets, no detail: the union holds 'few.two', and the rest is told by: */
    FLOW_SECOND_SIDE = 1 << 9,     /* the side that sent the second, as a bit */
    FLOW_SECOND_CUT = 1 << 10,     /* its TCP flags were cut away */
    FLOW_SECOND_EARLIER = 1 << 11, /* it is older than the first */
    FLOW_SECOND_IN_US = 1 << 12,   /* the time between them is in microseconds */
    FLOW_SECOND_TURNED = 1 << 13,  /* it has POINT_OUT where the first has not, or the other way round */
    /* To whom, as a number: the highest of its packets counts.  0: no packet told. */
    FLOW_LINK_GROUP = 1 << 14, /* to a group by the link-layer destination */
    FLOW_NO_GROUP = 2 << 14,   /* to one station, or something came back */
    FLOW_GROUP = 3 << 14,      /* to a group by the IP destination */
    FLOW_TO = 3 << 14,
    FLOW_FEW = FLOW_ONE | FLOW_TWO,
};

/* One packet, as far as a flow looks at it: of a packet, or of the first ones that the flow remembers. */
struct sight {
    int64_t  ts_ns;
    uint32_t wire_len, payload, seq, ack;
    uint16_t mark; /* the IP identification and the TCP checksum in one; 0 where the identification is 0 */
    uint16_t vlan, encap, point;
    uint16_t place; /* of these three */
    uint8_t  ttl, tcp_flags;
    bool     flags_cut;
};

/* What TCP showed, as bits; the ones with [side] are shifted by it. */
enum {
    TCP_SAW_SYN = 1 << 0,
    TCP_SAW_SYN_ACK = 1 << 2,
    TCP_SAW_FIN = 1 << 4,
    TCP_SAW_RST = 1 << 6,
    TCP_SAW_MORE = 1 << 8,  /* a segment with ACK that is neither SYN nor RST */
    TCP_SAW_DATA = 1 << 10, /* in a segment that is no RST: that may carry its sender's reason (RFC 9293, 3.5.3) */
    TCP_HAS_BASE = 1 << 12,
    TCP_HAS_NEXT = 1 << 14,
    TCP_HAS_ACKED = 1 << 16,
    TCP_SAW_FLAGS = 1 << 18,        /* not shifted: at least one packet had its flags */
    TCP_FIRST_SYN_SIDE = 1 << 19,   /* valid with TCP_SAW_SYN */
    TCP_CLOSED_BY_SIDE = 1 << 20,   /* sender of the first FIN or RST */
    TCP_RST_SIDE = 1 << 21,         /* sender of the first RST */
    TCP_FIRST_SYN_ACK_SIDE = 1 << 24, /* valid with TCP_SAW_SYN_ACK */
    TCP_SAW_BARE = 1 << 26,         /* shifted: without SYN, ACK and RST, of no connection: no open one takes it (RFC 9293, 3.10.7) */
    TCP_FIRST_EMPTY = 1 << 28,      /* shifted: 'next' is that of the side's first segment, which had nothing in it: of a probe it is one too low */
    FLOW_CLIENT_KNOWN = 1 << 22,    /* flow_set_client() was called ... */
    FLOW_CLIENT_SIDE = 1 << 23,     /* ... with this side */
    FLOW_LAST_SIDE = 1 << 25,       /* sent flow.last_ns: see flow_detail.other_last_ns */
    FLOW_ROUTED = 1 << 30,          /* see flow_record.routed */
};

/* In the same word: a RST acknowledged more than the other side is known to have sent, or came after more than its own side is, so that there was a
 * connection. */
#define TCP_RST_BEYOND (UINT32_C(1) << 31)

/* Sequence space of one direction.  A hole is what lies between segments and may still come (reordering). */
struct tcp_space {
    uint32_t base;  /* initial sequence number, or one less than the first seen */
    uint32_t next;  /* after the highest seen */
    uint32_t acked; /* highest acknowledged by the other side */
    uint32_t hole_low, hole_high;
    uint64_t hole;   /* bytes missing between them */
    uint64_t unseen; /* holes given up: acknowledged and never captured */
} __attribute__((packed, aligned(4))); /* there are two in each detail */

/* The packets seen last, to recognise copies: one cache line, the signatures side by side so that they are compared
 * at once. */
#define N_RECENT 8
struct recent {
    uint32_t signature[N_RECENT];
    uint16_t time[N_RECENT]; /* in units of 2^20 ns */
    uint8_t  ttl[N_RECENT], place[N_RECENT];
};

/* Errors that quote a flow's packets: few flows have any, so that these have a pool of their own. */
struct icmp_errors {
    uint64_t    n_errors, n_repeated, n_early, packet_number, n_before;
    int64_t     ts_ns, latest_ns[2]; /* of the kept one; of the latest two, which have these checksums: */
    uint16_t    latest[2];
    uint32_t    n_sent; /* when the last one came: packets of the quoted side */
    struct addr sender;
    uint32_t    ref; /* of its flow */
    uint16_t    input;
    uint8_t     type, code;
    uint8_t     quoted_side; /* sender of the quoted packet */
    bool        is_icmp6, after_answer;
    bool        differ; /* others came, of another kind or sender */
};

/* The second packet of a flow that had no third, as it differs from the first: pair.c. */
struct second {
    uint32_t elapsed, seq;
    uint16_t wire_len, mark;
    int16_t  ack;
    uint8_t  header, ttl;
};

/* In the order of use: what each packet changes, what each TCP segment changes, the rest. */
struct flow_detail {
    int64_t          first_ns[2];   /* of each side; INT64_MAX: it sent nothing */
    int64_t          other_last_ns; /* of the side that did not send flow.last_ns; INT64_MIN: it sent nothing */
    uint64_t         payload[2];
    uint32_t         saw; /* TCP_SAW_... */
    uint16_t         encap;
    uint8_t          rst_ttl;
    uint8_t          n_recent; /* packets, as far as up to 2 * N_RECENT they say where the next one goes */
    struct ttl_at    ttl[2];  /* where each side was seen first: see flow_record.ttl */
    uint32_t         errors; /* index + 1 of its struct icmp_errors; 0: none came */
    uint32_t         ref; /* of its flow */
    struct recent    recent;
    struct tcp_space space[2];
    uint64_t         duplicates[2], retransmissions;
    uint32_t         first_number;    /* of the first packet; the flow has its highest bits */
    uint8_t          packets_high[2]; /* above the flow's 32 bits */
    uint8_t          rst_other_ttl;
    uint8_t          resent_syns; /* up to FLOW_RESENT_SYNS_MAX: SYNs that came again though they had been answered */
    uint16_t         vlan[2], rst_place;
    struct ttl_at    ttl_elsewhere[2][N_TTL_PLACES - 1];
    uint64_t ext[]; /* options.ext_size bytes */
};

/* A flow has 40 bits for the number of its first packet: those of later ones all are the last of these. */
#define FLOW_NUMBER_MAX ((UINT64_C(1) << 40) - 1)
static inline uint64_t flow_packet_number(const struct packet *p)
{
    return p->number < FLOW_NUMBER_MAX ? p->number : FLOW_NUMBER_MAX;
}

struct flow_key {
    const uint8_t *addr[2]; /* 4 or 16 bytes, smaller end first */
    uint16_t       port[2];
    uint8_t        transport;
    bool           is_ipv6;
};

/* Addresses of IPv6 go on after the struct: the pool's stride has room for them. */
#define FLOW_SIZE_IPV4 sizeof(struct flow)
#define FLOW_SIZE_IPV6 96
static inline const uint8_t *flow_addresses(const struct flow *f)
{
    return (const uint8_t *)f + offsetof(struct flow, addresses);
}

/* A reference is the index + 1 in its pool; of IPv6 flows with this bit. */
#define REF_IPV6 (UINT32_C(1) << 31)

struct fragments;

struct flow_table {
    struct flow_options     options;
    struct hash_key         key;
    struct hash_pairs       pairs; /* of this key, for those of flows */
    struct index            index;
    struct pool             flows[2]; /* IPv4, IPv6 */
    struct pool             seconds; /* struct second */
    struct pool             exts;    /* the shard's bytes for flows without detail */
    struct pool             details;
    struct pool             errors; /* struct icmp_errors */
    struct fragments       *fragments;
    flow_end_fn            *end_fn;
    void                   *aux;
    uint64_t                sweep_at; /* entry, IPv4 first */
    size_t                  n_quoted; /* flows of FLOW_QUOTED */
    struct flow_table_stats stats;
};

/* --- keys: made twice for each packet, so that none of this is a call --- */

static inline uint32_t flow_load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* 'src' is side *ret_side. */
static inline void flow_key_make(const struct addr *src, uint16_t sport, const struct addr *dst, uint16_t dport, uint8_t transport,
                                 struct flow_key *ret, unsigned *ret_side)
{
    bool     ipv6 = !addr_is_ipv4(src) || !addr_is_ipv4(dst);
    unsigned skip = ipv6 ? 0 : 12;
    bool     swapped;

    if (ipv6) {
        int order = addr_compare(src, dst);

        swapped = order > 0 || (order == 0 && sport > dport);
    } else { /* the same, in one */
        swapped = ((uint64_t)be32toh(flow_load32(src->bytes + skip)) << 16 | sport) > ((uint64_t)be32toh(flow_load32(dst->bytes + skip)) << 16 | dport);
    }
    ret->addr[0] = (swapped ? dst : src)->bytes + skip;
    ret->addr[1] = (swapped ? src : dst)->bytes + skip;
    ret->port[0] = swapped ? dport : sport;
    ret->port[1] = swapped ? sport : dport;
    ret->transport = transport;
    ret->is_ipv6 = ipv6;
    *ret_side = swapped;
}

static inline bool flow_key_matches(const struct flow_key *k, const struct flow *f)
{
    const uint8_t *own = flow_addresses(f);

    if (f->port[0] != k->port[0] || f->port[1] != k->port[1] || f->transport != k->transport)
        return false;
    if (!k->is_ipv6)
        return flow_load32(own) == flow_load32(k->addr[0]) && flow_load32(own + 4) == flow_load32(k->addr[1]);
    return memcmp(own, k->addr[0], 16) == 0 && memcmp(own + 16, k->addr[1], 16) == 0;
}

static inline uint32_t flow_key_hash(const struct flow_key *k, const struct hash_pairs *h)
{
    const uint8_t *a = k->addr[0], *b = k->addr[1];
    uint64_t       sum = hash_pair(h, 0, (uint32_t)k->port[0] << 16 | k->port[1], (uint32_t)k->transport << 8 | k->is_ipv6);

    sum += hash_pair(h, 1, flow_load32(a), flow_load32(b));
    if (k->is_ipv6)
        for (unsigned i = 1; i < 4; i++)
            sum += hash_pair(h, 1 + i, flow_load32(a + (size_t)4 * i), flow_load32(b + (size_t)4 * i));
    return hash_pairs_end(h, sum);
}

/* key.c */
void flow_key_of(const struct flow *, struct flow_key *ret);

/* table.c */
struct flow *flow_table_find(const struct flow_table *, uint32_t tag, const struct flow_key *);
static inline struct flow *flow_of_ref(const struct flow_table *t, uint32_t ref)
{
    return pool_at(&t->flows[ref >> 31], (ref & INT32_MAX) - 1);
}
static inline struct pool *flow_pool(struct flow_table *t, const struct flow *f)
{
    return &t->flows[(f->state & FLOW_IPV6) != 0];
}
/* Its place in its pool; that is divided by what the compiler knows. */
static inline uint32_t flow_index(const struct flow_table *t, const struct flow *f)
{
    bool   ipv6 = (f->state & FLOW_IPV6) != 0;
    size_t offset = (size_t)((const uint8_t *)f - t->flows[ipv6].base);

    return (uint32_t)(ipv6 ? offset / FLOW_SIZE_IPV6 : offset / FLOW_SIZE_IPV4);
}
static inline uint32_t flow_ref(const struct flow_table *t, const struct flow *f)
{
    return (flow_index(t, f) + 1) | ((f->state & FLOW_IPV6) != 0 ? REF_IPV6 : 0);
}
/* How far 'late' is after 'early', 0 where it is not; times from a file may be anything. */
static inline uint64_t flow_elapsed(int64_t early, int64_t late)
{
    return late > early ? (uint64_t)late - (uint64_t)early : 0;
}
static inline bool flow_is_idle(const struct flow_table *t, const struct flow *f, int64_t now_ns)
{
    int64_t idle = f->transport == IPPROTO_TCP ? t->options.tcp_idle_ns : t->options.udp_idle_ns;

    return flow_elapsed(f->last_ns, now_ns) > (uint64_t)idle;
}
int64_t      flow_first_ns(const struct flow_table *, const struct flow *);
uint64_t     flow_first_packet(const struct flow_table *, const struct flow *);
void         flow_table_end(struct flow_table *, struct flow *, enum flow_end);
void         flow_table_finish(struct flow_table *, struct flow *, enum flow_end); /* leaves the index as it is */
void         flow_table_note_peak(struct flow_table *);
/* Puts a flow of this packet into the table; NULL where the bound leaves no room. */
struct flow *flow_begin(struct flow_table *, uint32_t tag, const struct flow_key *, unsigned side, const struct packet *);
void         flow_fill(struct flow *, const struct flow_key *, unsigned side, const struct packet *); /* all of it */
void         flow_take_back(struct flow_table *, struct flow *); /* out of the table again, untold */

/* memory.c: entries under the bound */
bool flow_take(struct flow_table *, bool is_ipv6, uint32_t *ret_index);
bool flow_second_take(struct flow_table *, uint32_t *ret_index); /* evicts no flow: there is the detail */
bool flow_ext_take(struct flow_table *, uint32_t *ret_index);    /* the same */
bool flow_detail_take(struct flow_table *, const struct flow *keep, uint32_t *ret_index);
bool flow_errors_take(struct flow_table *, const struct flow *keep, uint32_t *ret_index);
size_t flow_table_memory(const struct flow_table *);

/* icmp.c */
void flow_quoted_arrive(struct flow_table *, struct flow *, const struct flow_key *, unsigned side, const struct packet *); /* its first packet */

/* pair.c */
/* Remembers the second packet of a flow of one.  False: it takes a detail. */
bool flow_pair_make(struct flow_table *, struct flow *, unsigned side, const struct sight *);
/* The packets of a flow without detail; their sides are told by its state. */
void flow_sight_of_first(const struct flow_table *, const struct flow *, struct sight *ret);
void flow_sight_of_second(const struct flow_table *, const struct flow *, struct sight *ret);
/* What they have shown, of TCP_SAW_... all but what sequence numbers tell; of others than TCP what is known of the client. */
uint32_t flow_saw_of_few(const struct flow_table *, const struct flow *);
static inline struct second *flow_second_at(const struct flow_table *t, const struct flow *f)
{
    return pool_at(&t->seconds, f->few.two.second);
}
/* What the tags and tunnels leave of their fields holds the point. */
static inline uint16_t flow_first_point(const struct flow *f)
{
    return (uint16_t)(f->point_high << 7 | f->few.point_low);
}
static inline unsigned flow_first_side(const struct flow *f)
{
    return (f->state & FLOW_FIRST_SIDE) != 0;
}
static inline unsigned flow_second_side(const struct flow *f)
{
    return (f->state & FLOW_SECOND_SIDE) != 0;
}

/* detail.c */
static inline struct flow_detail *flow_detail_at(const struct flow_table *t, const struct flow *f)
{
    return (f->state & FLOW_FEW) != 0 ? NULL : pool_at(&t->details, f->many.detail);
}
/* Does a flow of few packets keep the shard's bytes outside of a detail?  Of TCP nearly all with payload have more packets, so that they take the
 * detail, and 'few' has an acknowledgement there. */
static inline bool flow_has_other(const struct flow *f)
{
    return (f->state & FLOW_FEW) != 0 && f->transport != IPPROTO_TCP;
}
/* The shard's bytes, if it asked for them. */
static inline void *flow_ext_at(const struct flow_table *t, const struct flow *f)
{
    struct flow_detail *d = flow_detail_at(t, f);

    if (d != NULL)
        return d->ext;
    return flow_has_other(f) && f->few.other.ext != 0 ? pool_at(&t->exts, f->few.other.ext - 1) : NULL;
}
/* Asks for what the end of a flow reads besides it. */
static inline void flow_prefetch(const struct flow_table *t, const struct flow *f)
{
    const struct flow_detail *d = flow_detail_at(t, f);

    if ((f->state & FLOW_TWO) != 0)
        __builtin_prefetch(flow_second_at(t, f));
    for (size_t at = 0; d != NULL && at < sizeof(*d) + t->options.ext_size; at += 64)
        __builtin_prefetch((const uint8_t *)d + at);
}
/* NULL: none came. */
static inline struct icmp_errors *flow_errors_of(const struct flow_table *t, const struct flow_detail *d)
{
    return d->errors == 0 ? NULL : pool_at(&t->errors, d->errors - 1);
}
static inline int64_t flow_detail_first_ns(const struct flow_detail *d)
{
    return d->first_ns[0] < d->first_ns[1] ? d->first_ns[0] : d->first_ns[1];
}
static inline unsigned flow_detail_last_side(const struct flow_detail *d)
{
    return (d->saw & FLOW_LAST_SIDE) != 0;
}
/* 'side' sent something at 'ts_ns'; 'last_ns' is the flow's. */
static inline void flow_note_time(struct flow_detail *d, int64_t *last_ns, unsigned side, int64_t ts_ns)
{
    bool other = flow_detail_last_side(d) != side;

    if (ts_ns < d->first_ns[side])
        d->first_ns[side] = ts_ns;
    if (ts_ns > *last_ns) {
        if (other) {
            d->other_last_ns = *last_ns;
            d->saw ^= FLOW_LAST_SIDE;
        }
        *last_ns = ts_ns;
    } else if (other && ts_ns > d->other_last_ns) {
        d->other_last_ns = ts_ns;
    }
}
void flow_errors_drop(struct flow_table *, struct flow_detail *);
/* Of a flow that has none; NULL where the bound does not allow it. */
struct flow_detail *flow_detail_make(struct flow_table *, struct flow *);
/* Makes one where there is none. */
static inline struct flow_detail *flow_detail_get(struct flow_table *t, struct flow *f)
{
    return (f->state & FLOW_FEW) == 0 ? pool_at(&t->details, f->many.detail) : flow_detail_make(t, f);
}
/* By which a copy of a packet is known. */
uint32_t flow_signature(unsigned side, const struct sight *);
/* The detail that a flow of one or two packets would have. */
void flow_detail_start(const struct flow_table *, const struct flow *, struct flow_detail *ret);
void flow_detail_add(struct flow_detail *, uint8_t transport, unsigned side, bool is_first_of_side, const struct sight *);
void flow_detail_continue(struct flow_table *, struct flow *, const struct packet *);
static inline bool flow_tcp_closed(uint32_t saw)
{
    return (saw & (TCP_SAW_RST * 3)) != 0 || (saw & (TCP_SAW_FIN * 3)) == TCP_SAW_FIN * 3;
}
/* Both sides take part in it and it is not closed. */
static inline bool flow_is_strong(const struct flow *f, uint32_t saw)
{
    if (f->transport != IPPROTO_TCP)
        return f->packets[0] != 0 && f->packets[1] != 0;
    return (saw & (TCP_SAW_MORE * 3)) == TCP_SAW_MORE * 3 && !flow_tcp_closed(saw);
}
void flow_set_weak(struct flow_table *, const struct flow *, bool weak);

/* tcp.c */
void           flow_tcp_track(struct flow_detail *, unsigned side, const struct sight *, bool is_copy);
/* Does this SYN begin a new connection on the flow's ends? */
bool           flow_tcp_syn_reopens(const struct flow_table *, const struct flow *, unsigned side, const struct packet *);
static inline bool flow_tcp_reopens(const struct flow_table *t, const struct flow *f, unsigned side, const struct packet *p)
{
    return p->transport == IPPROTO_TCP && (p->tcp_flags & TCP_SYN) != 0 && flow_tcp_syn_reopens(t, f, side, p);
}
/* What one more packet shows: of TCP_SAW_... all but what sequence numbers tell. */
uint32_t       flow_tcp_saw(uint32_t saw, unsigned side, unsigned flags, bool data);
enum tcp_state flow_tcp_state(uint32_t saw, unsigned client);
/* Did the client send segments without SYN and ACK alone, and the other side a RST: was there no connection (RFC 9293, 3.10.7.1)? */
bool           flow_tcp_is_stray(uint32_t saw, unsigned client);
uint64_t       flow_tcp_unseen(const struct flow_detail *, unsigned side);

/* fragment.c */
int  fragments_new(size_t max, struct fragments **ret, struct err *reterr);
void fragments_free(struct fragments *);
void fragments_first(struct flow_table *, struct flow *, unsigned side, const struct packet *);
void fragments_give_up(struct flow_table *); /* all that wait */

#endif
