/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table: from packets to biflows (RFC 5103), one table for each shard.
 *
 * A flow is keyed by transport and the ordered pair of (address, port) ends, so that both
 * directions meet, also where both addresses are equal.  VLAN tags are not part of the key: they may differ by
 * direction.
 *
 * Time is packet time only.  Timeouts are a property of the flow, not of when a sweep happens:
 * a packet that comes more than the idle timeout after the flow's last one begins a new flow.
 *
 * Memory: a 'struct flow' of 64 bytes (IPv6: 96) for every flow, which has all of its first packet; 16 more for the
 * second one, where it is of an ordinary kind; a 'struct flow_detail' from the third on, or where an ICMP error, or flow_ext()
 * of a TCP flow, asks for one.  All from pools that grow in place to a stated bound.
 * At the bound the oldest flows that are not established, or closed, end early (FLOW_END_EVICTED).  Which ones
 * depends on the packets alone, never on the hash key.
 *
 * Threads: a table belongs to one thread.
 */
#ifndef FLOWAUDIT_FLOW_H
#define FLOWAUDIT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"
#include "flowaudit/packet.h"
#include "flowaudit/value.h"

struct flow_options {
    int64_t tcp_idle_ns;   /* default 3600 s */
    int64_t udp_idle_ns;   /* default 900 s */
    int64_t active_ns;     /* a longer flow is recorded in parts; 0 = never (check's default) */
    int64_t window_ns;     /* a flow known from ICMP errors alone ends where another of these windows (of time since the epoch) begins; 0 = never */
    size_t  memory_limit;  /* bytes for flows, details and their slots; 0 = unlimited; default 512 MiB; the first
                              step of each pool (64 KiB, or 16 entries) is granted whatever the limit */
    size_t  max_fragments; /* fragment trains remembered at once; default 4096, at least 1 */
    size_t  ext_size;      /* bytes of the shard's own state of a flow, zeroed, aligned to 8: see flow_ext() */
    const struct hash_key *hash_key; /* NULL: a random one (tests show that results do not depend on it) */
};
void flow_options_default(struct flow_options *ret);

/*
 * Side 0 is the numerically smaller (address, port) end, side 1 the other: fixed for the flow's life,
 * while who is client may become clear only later.  Where both ends are equal, side 0 sends everything.
 *
 * All that a flow of one packet has to tell lies here, so that a scan or a flood takes nothing more.  Of a second
 * packet 'few.two.second' is the rest.
 */
struct flow {
    int64_t  last_ns;
    uint32_t packets[2];    /* index = side that sent; low 32 bits, the record has all */
    uint16_t port[2];
    uint8_t  transport;
    uint8_t  tcp_flags[2];
    uint8_t  watch;         /* set to 1 at the start; the shard sets 0 once it needs no more payload of this flow */
    /* Private from here on: read them with flow_addr(), flow_bytes(), flow_snapshot(). */
    uint16_t state;
    uint8_t  first_ttl;
    uint8_t  number_high;   /* of the first packet: bits 32 to 39 */
    uint16_t input;
    uint16_t first_vlan : 12, point_high : 4; /* where the first packet was captured: see pair.c */
    union {
        struct {
            uint64_t bytes[2];
            uint32_t detail;
        } many;
        struct {
            union {
                struct {
                    uint32_t wire_len, payload;
                } one;
                struct {
                    uint32_t second;
                    uint16_t wire_len;
                    uint8_t  header, second_flags;
                } two;
            };
            uint32_t seq;
            union {
                uint32_t ack; /* of TCP */
                struct {
                    uint32_t ext : 30; /* index + 1 of the shard's bytes; 0: none */
                    uint32_t client_known : 1, client_side : 1; /* see flow_set_client() */
                } other; /* than TCP */
            };
            uint32_t number;
            uint16_t mark;
            uint16_t encap : 9, point_low : 7;
        } few; /* of the first packet, all but 'second' and 'second_flags' */
    };
    uint8_t addresses[8];   /* two of IPv4, or the first bytes of two of IPv6 that go on after the struct */
};

/*
 * The number of a packet's place of capture (see struct ttl_at), of its fields.  Tags and tunnels tell places apart as well: a packet that a router sends
 * on comes by with another tag.
 */
static inline uint16_t flow_place(uint16_t vlan, uint16_t encap, uint16_t point)
{
    uint32_t hash = ((uint32_t)encap << 12 ^ vlan ^ (uint32_t)point << 21) * 0x9e3779b1u;

    hash ^= (hash >> 15) * 0x85ebca6bu;
    return (uint16_t)((hash >> 16 & ~TTL_PLACE_VAGUE) | ((point & POINT_VAGUE) != 0 ? TTL_PLACE_VAGUE : 0));
}

struct flow_table;

/*
 * A flow ended.  'record' has everything but 'app', 'answers_group' and what the shard may know better of the
 * direction; 'ext' is the shard's state, or NULL where the flow never had a detail.  The table reuses both when this
 * returns, but for FLOW_END_ACTIVE: then the flow goes on and 'ext' stays with it.  Comes from within
 * flow_table_track(), _sweep(), _drain(), _icmp_error(), _quoted() and flow_ext() (they may have to evict another flow), and
 * must not call the table.
 */
typedef void flow_end_fn(void *aux, struct flow_record *record, void *ext);

int  flow_table_new(const struct flow_options *, flow_end_fn *, void *aux, struct flow_table **ret, struct err *reterr);
void flow_table_free(struct flow_table *); /* without calling flow_end_fn: see flow_table_drain() */

/*
 * The batch path, in four loops over a batch, so that memory is asked for before it is needed: hash each packet and
 * prefetch its slot; hash = flow_table_prefetch_flow(); flow_table_prefetch_detail(); track each.  The value that
 * goes from call to call is opaque: it tells which flow it is most likely to be, and track() checks.
 */
uint64_t flow_table_hash(const struct flow_table *, const struct packet *);
void     flow_table_prefetch(const struct flow_table *, uint64_t hash);
uint64_t flow_table_prefetch_flow(const struct flow_table *, uint64_t hash);
void     flow_table_prefetch_detail(const struct flow_table *, uint64_t hash);

struct flow_step {
    struct flow *flow;
    unsigned     side;     /* that sent this packet */
    bool         is_new;
    enum packet_result result; /* PACKET_OK, or why the packet has no flow (PACKET_FLOW_LIMIT) */
};
/* For PACKET_OK packets.  ret->flow is valid until the next call on this table that takes no 'const'. */
void flow_table_track(struct flow_table *, uint64_t hash, const struct packet *, struct flow_step *ret);

/* What became of a PACKET_FRAGMENT packet. */
enum flow_fragment {
    FLOW_FRAGMENT_JOINED,   /* counted with its flow: decoded */
    FLOW_FRAGMENT_HELD,     /* its first fragment may still come, within 60 s of packet time: see flow_table_held() */
    FLOW_FRAGMENT_NOT_OURS, /* of a transport other than TCP and UDP: never has a flow */
};
enum flow_fragment flow_table_fragment(struct flow_table *, const struct packet *);

/* What became of the held fragments of one input.  After the drain n_joined + n_orphans is the number
 * of times that FLOW_FRAGMENT_HELD was returned for it. */
struct flow_held {
    uint64_t n_joined;  /* the first one came: decoded */
    uint64_t n_orphans; /* given up: PACKET_FRAGMENT_ORPHAN */
};
void flow_table_held(const struct flow_table *, uint16_t input, struct flow_held *ret);

/* For PACKET_ICMP_ERROR packets: joins it to the newest flow with the quoted ends.  False: no such flow, or no packet of it yet. */
bool flow_table_icmp_error(struct flow_table *, const struct packet *);
/*
 * Where that is false: the error begins such a flow, if it was not joined to one.  Packets that come within its idle timeout are of that flow, and the
 * error came before them (n_before is 0); a SYN with another sequence number than the quoted packet's begins another.  If none comes, its record has no
 * packet, and the times of the errors.  Of so many that some 30 MB are full one ends at once.
 */
void flow_table_quoted(struct flow_table *, const struct packet *);

/*
 * The shard's own bytes for this flow.  NULL only where the memory bound leaves no room.  They move when the flow takes its detail: at its third packet at
 * the latest, or in flow_table_track(), _fragment() and _icmp_error().
 */
void *flow_ext(struct flow_table *, struct flow *);
uint64_t flow_bytes(const struct flow_table *, const struct flow *, unsigned side); /* on the wire, sent by 'side' */
const struct addr *flow_addr(const struct flow *, unsigned side, struct addr *scratch);
/* Which side is the client by what the table knows so far, and on what basis. */
unsigned flow_client_side(const struct flow_table *, const struct flow *, enum direction_basis *ret_basis);
/* The shard learned the direction from content: weighs more than the first packet, less than a SYN. */
void flow_set_client(struct flow_table *, struct flow *, unsigned side);
/* Does this packet of 'side', tracked before, begin the data of its TCP connection, as far as the handshake that was seen tells?  Neither side sent any
 * before it. */
bool flow_begins_data(const struct flow_table *, const struct flow *, unsigned side, const struct packet *);
/* The record as flow_end_fn would get it now (interim). */
void flow_snapshot(const struct flow_table *, const struct flow *, struct flow_record *ret);

/* Exchanges client and server in a finished record: all that is indexed by direction turns with it. */
void flow_record_swap(struct flow_record *);

/*
 * Has the first RST a TTL that nothing else of its side has, so that something else may have sent it in that side's name?  'ret_own' is what
 * else that side sent then at the same place of capture: where it sent RSTs alone there, those of another TTL.  Where it was seen elsewhere only, or one
 * place shows packets on both sides of a router, TTLs differ by hops, and only one that another stack begins with counts.
 */
bool flow_record_rst_is_apart(const struct flow_record *, struct ttl_range *ret_own);

/*
 * Did the server's SYN-ACK not reach the client?  With it the client's connection is open (RFC 9293, 3.10.7.3), and it sends no more SYN: one of the same
 * number that comes a retransmission's time after it says so.
 */
bool flow_record_is_undelivered(const struct flow_record *);

/* Is a RST of one side all there is, copies of it aside?  What it ends or answers is not in the capture, nor anything that shows who sent it. */
bool flow_record_is_lone_reset(const struct flow_record *);

/* UDP one way: did an error that is no prohibition come when packets had gone for a while, or many, and none to those?  It may be the end of what got through. */
bool flow_record_is_stopped_late(const struct flow_record *);
/* UDP: errors came to some of the client's packets, and to what it sent a second or more later nothing came: neither an error nor an answer. */
bool flow_record_is_asked_on(const struct flow_record *);

/* The outcome word for a record.  'one_way_expected': the matrix says that this service sends in one direction only. */
enum outcome flow_record_outcome(const struct flow_record *, bool one_way_expected);

/* Ends flows that were over well before 'now_ns' (their idle timeout and two minutes more), looking at up to 'budget'
 * entries: only frees memory, changes no record. */
void flow_table_sweep(struct flow_table *, int64_t now_ns, size_t budget);
/* Ends all flows, in an order that the packets alone decide: as FLOW_END_IDLE where 'now_ns', the latest packet time of
 * the run, is past their idle timeout, else as FLOW_END_FORCED. */
void flow_table_drain(struct flow_table *, int64_t now_ns);

/*
 * Looks at the flows as they stand, a few at a time, while packets come: begin with a zeroed walk.  A flow that was there at the beginning and
 * still is at its end was looked at once.  'record' is as flow_snapshot() makes it; 'fn' must not call the table.
 */
struct flow_walk { uint32_t at[2]; };
typedef void flow_walk_fn(void *aux, struct flow_record *record, void *ext);
/* Up to 'budget' entries; true: all were looked at. */
bool flow_table_walk(struct flow_table *, struct flow_walk *, size_t budget, flow_walk_fn *, void *aux);
/* Did the walk come by this entry (flow_record.entry) before now? */
bool flow_walk_passed(const struct flow_walk *, uint32_t entry);

struct flow_table_stats {
    uint64_t n_flows, n_peak, n_created, n_evicted;
    uint64_t n_fragments;      /* later fragments seen */
    uint64_t n_fragments_held; /* waiting now */
    uint64_t n_refused;        /* PACKET_FLOW_LIMIT */
    size_t   memory, memory_peak;
};
void flow_table_stats(const struct flow_table *, struct flow_table_stats *ret);

#endif
