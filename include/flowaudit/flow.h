/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table: from packets to biflows (RFC 5103), one table for each shard.
 *
 * A flow is keyed by transport and the ordered pair of (address, port) ends, so that both
 * directions meet, also where both addresses are equal.  VLAN tags are not part of the key (they may differ by direction)
 * but see flow_options.key_vlan.
 *
 * Time is packet time only.  Timeouts are a property of the flow, not of when a sweep happens:
 * a packet that comes more than the idle timeout after the flow's last one begins a new flow.
 *
 * Memory: a 'struct flow' of one or one and a half cache lines for every flow; a 'struct flow_detail' only from
 * the second packet or the first payload byte on.  All from pools that grow to a stated bound; the packet path
 * allocates nothing once the pools are warm.
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
    size_t  memory_limit;  /* bytes for flows and details; 0 = unlimited; default 512 MiB */
    size_t  max_fragments; /* fragment trains remembered at once; default 4096 */
    size_t  ext_size;      /* bytes of the shard's own state kept with each flow_detail, zeroed, aligned to 8 */
};
void flow_options_default(struct flow_options *ret);

/*
 * Side 0 is the numerically smaller (address, port) end, side 1 the other: fixed for the flow's life,
 * while who is client may become clear only later.
 */
struct flow {
    int64_t  last_ns;
    uint64_t bytes[2];      /* index = side that sent */
    uint32_t packets[2];
    uint32_t detail;        /* index + 1 of its flow_detail, 0 = none */
    uint16_t port[2];
    uint8_t  transport;
    uint8_t  tcp_flags[2];
    uint8_t  state;         /* private to the table */
    uint8_t  watch;         /* set to 1 at the start; the shard sets 0 once it needs no more payload of this flow */
    /* ... private; addresses follow.  Read them with flow_addr(). */
};

struct flow_table;

/* A flow ended.  'record' has everything but 'app', 'answers_group' and what flow_direction() may improve; 'ext' is the shard's state, or NULL where the flow never
 * had a detail.  The table reuses the flow when this returns. */
typedef void flow_end_fn(void *aux, struct flow_record *record, void *ext);

int  flow_table_new(const struct flow_options *, flow_end_fn *, void *aux, struct flow_table **ret, struct err *reterr);
void flow_table_free(struct flow_table *); /* without calling flow_end_fn: see flow_table_drain() */

/* The batch path: hash each packet of a batch and prefetch first, then track each. */
uint64_t flow_table_hash(const struct flow_table *, const struct packet *);
void     flow_table_prefetch(const struct flow_table *, uint64_t hash);

struct flow_step {
    struct flow *flow;
    unsigned     side;     /* that sent this packet */
    bool         is_new;
    enum packet_result result; /* PACKET_OK, or why the packet has no flow (PACKET_FLOW_LIMIT) */
};
/* For PACKET_OK packets.  ret->flow is valid until the next call on this table. */
void flow_table_track(struct flow_table *, uint64_t hash, const struct packet *, struct flow_step *ret);

/* For PACKET_FRAGMENT packets.  Returns true: counted with its flow, or held for a first fragment that may still come
 * (then, should it never come, 'flow_table_stats.n_orphans' of its input rises when it is given up). */
bool flow_table_fragment(struct flow_table *, const struct packet *);

/* For PACKET_ICMP_ERROR packets: joins it to the quoted flow. False: no such flow. */
bool flow_table_icmp_error(struct flow_table *, const struct packet *);

/* The shard's own bytes for this flow.  NULL only where the memory bound does not allow a detail. */
void *flow_ext(struct flow_table *, struct flow *);
const struct addr *flow_addr(const struct flow *, unsigned side, struct addr *scratch);
/* Which side is the client by what the table knows so far, and on what basis. */
unsigned flow_client_side(const struct flow_table *, const struct flow *, enum direction_basis *ret_basis);
/* The shard learned the direction from content: weighs more than the first packet, less than a SYN. */
void flow_set_client(struct flow_table *, struct flow *, unsigned side);
/* The record as flow_end_fn would get it now (interim). */
void flow_snapshot(const struct flow_table *, const struct flow *, struct flow_record *ret);

/* Exchanges client and server in a finished record: all that is indexed by direction turns with it. */
void flow_record_swap(struct flow_record *);

/* The outcome word for a record.  'one_way_expected': the matrix says that this service sends in one direction only. */
enum outcome flow_record_outcome(const struct flow_record *, bool one_way_expected);

/* Ends flows that are past their idle timeout at 'now_ns', up to 'budget' slots of work: only frees memory, changes no result. */
void flow_table_sweep(struct flow_table *, int64_t now_ns, size_t budget);
/* Ends all flows, in the order of their first packet (time, input, number). */
void flow_table_drain(struct flow_table *);

struct flow_table_stats {
    uint64_t n_flows, n_peak, n_created, n_evicted;
    uint64_t n_fragments, n_fragments_held;
    size_t   memory, memory_peak;
};
void flow_table_stats(const struct flow_table *, struct flow_table_stats *ret);
/* Later fragments given up because their first one never came, for one input (call after the drain). */
uint64_t flow_table_orphans(const struct flow_table *, uint16_t input);

#endif
