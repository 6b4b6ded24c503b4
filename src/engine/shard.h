/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard: the packets of some address pairs, from frame to conversation.  Owns a flow table, a classifier and a table of conversations.
 *
 * Threads: made and freed by the engine's thread; between, one worker at a time.
 */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include "announce.h"
#include "conversation.h"
#include "flowaudit/classify.h"
#include "flowaudit/flow.h"
#include "flowaudit/packet.h"
#include "inputs.h"
#include "watchdog.h"

struct shard_options {
    unsigned index, n_shards;
    struct hash_key pair_key; /* the same for all shards: decides which shard a packet belongs to */
    size_t   n_inputs;
    struct flow_options flow;
    struct conversation_limits limits;
    struct app_list *apps;    /* all shards' */
    int64_t  window_ns;       /* hosts and conversations are told apart by windows of this length; 0: not */
    bool     survey;          /* the policy knows nobody: rows are looked for by port alone, and nothing is judged */
    struct watchdog_seat *seat; /* this shard's, or NULL */
};

/* What was seen of one address that the site names, in one window.  Flows tell their beginning and end: of one that spans
 * windows the first and the last know, and the first has its packets. */
struct shard_host {
    struct addr addr;
    int64_t     window;                       /* its number, from 1970 on; 0 where there are none */
    int64_t     first_ns, last_ns;
    int64_t     sent_first_ns, sent_last_ns;  /* of flows in which it sent something; INT64_MAX, INT64_MIN: of none */
    uint64_t    sent, received;
    bool        used;
};

/* A query to a broadcast or multicast address: its answers come from elsewhere, unicast. */
struct shard_group_query {
    struct addr sender;
    uint16_t    sender_port, port;
    uint32_t    span;              /* which SHARD_QUERY_SPAN_NS of time: an answer comes within one */
    int64_t     first_ns, last_ns; /* of its packets in that span */
};
#define SHARD_QUERY_SPAN_NS (15 * INT64_C(1000000000))

struct shard_totals {
    uint64_t n_flows, n_duplicates, n_retransmissions, n_cut_flows, n_unseen_bytes, n_flow_memory_lost, n_group_queries_lost, n_hosts_lost;
    uint64_t n_evicted;
    int64_t  first_ns, last_ns; /* of flows */
};

struct shard;

int  shard_new(const struct shard_options *, const struct policy *, struct shard **ret, struct err *reterr);
void shard_free(struct shard *);
/* Handles those frames of the batch that are this shard's. */
void shard_batch(struct shard *, const struct input_frame *, size_t n);
/* No more packets: ends all flows. */
void shard_finish(struct shard *);

struct conversation_table *shard_conversations(struct shard *);
/* Packets by result, for one input: an array of PACKET_N_RESULTS. */
const uint64_t *shard_results(const struct shard *, size_t input);
const struct shard_host *shard_hosts(const struct shard *, size_t *ret_n);
const struct shard_group_query *shard_group_queries(const struct shard *, size_t *ret_n);
void shard_totals(const struct shard *, struct shard_totals *ret);
const struct announcements *shard_announcements(const struct shard *);
void shard_pinhole_stats(const struct shard *, struct pinholes_stats *ret);
void shard_flow_stats(const struct shard *, struct flow_table_stats *ret);

#endif
