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
#include "stopwatch.h"
#include "watchdog.h"

struct shard_options {
    unsigned index, n_shards;
    size_t   n_inputs;
    struct flow_options flow;
    struct conversation_limits limits;
    struct app_list *apps;    /* all shards' */
    int64_t  window_ns;       /* hosts and conversations are told apart by windows of this length; 0: not */
    bool     survey;          /* the policy knows nobody: rows are looked for by port alone, and nothing is judged */
    struct watchdog_seat *seat; /* this shard's, or NULL */
    /* Sees each packet that is of a flow, or quotes one, or is a later fragment, or NULL.  'nth' of its flow, 0 where that is not told. */
    void (*seen)(void *aux, const struct packet *, enum packet_result, uint64_t nth);
    void *seen_aux;
    int64_t (*clock)(void);   /* see stopwatch.h; NULL: none */
    size_t   classify_limit;    /* bytes of flows in classification; 0: no limit */
    struct classify_gate gate;  /* of all shards' classifiers */
    bool     prepare;           /* packets do not wait: make all that is needed now */
};

/* What was seen of one address that the site names, in one window.  Flows tell their beginning and end, and those of what each side
 * sent: of one that spans windows the first and the last know, and the first has its packets. */
struct shard_host {
    struct addr addr;
    int64_t     window;                       /* its number, from 1970 on; 0 where there are none */
    int64_t     first_ns, last_ns;
    int64_t     sent_first_ns, sent_last_ns;  /* of what it sent itself; INT64_MAX, INT64_MIN: nothing */
    uint64_t    sent, received;
    uint64_t    resets;                       /* of those sent: RSTs that are all of their flow: anything may have sent them in its name */
    uint64_t    foreign;                      /* of the others: RSTs that something else sent in its name: see expectations.c */
    uint64_t    sent_to_groups;               /* of those sent: to broadcast and multicast addresses */
    uint64_t    cut;                          /* that went to it, cut before the ports: without windows, as in struct coverage */
    uint64_t    quoted;                       /* ICMP errors about packets from or to it that were not captured */
    uint64_t    n_notes;                      /* how often it was noted */
    uint64_t    older;                        /* TCP flows of it that go on with a connection whose beginning was not captured */
    bool        used;
    bool        copies;                       /* of flows in which it sent, some packets were seen twice: they count among those sent */
};

/* A query to a broadcast or multicast address: its answers come from elsewhere, unicast. */
struct shard_group_query {
    struct addr sender;
    uint16_t    sender_port, port;
    uint32_t    span;              /* which SHARD_QUERY_SPAN_NS of time: an answer comes within one */
    int64_t     first_ns, last_ns; /* of its packets in that span */
    uint64_t    packets;
};
#define SHARD_QUERY_SPAN_NS ANSWERS_WITHIN_NS

struct shard_totals {
    uint64_t n_flows, n_duplicates, n_retransmissions, n_cut_flows, n_unseen_bytes, n_flow_memory_lost, n_group_queries_lost, n_hosts_lost;
    uint64_t n_evicted, n_content_given_up, n_unseen_errors, n_cut_told; /* the last two as in struct coverage */
    uint64_t n_signalling_lost, n_messages_lost; /* connections not followed, messages given up: pinholes' own bounds */
    int64_t  first_ns, last_ns; /* of flows */
};

void shard_totals_add(struct shard_totals *sum, const struct shard_totals *);
/* This one is beyond the bound. */
void shard_totals_lose_host(struct shard_totals *, const struct shard_host *);

/* The bounds, of a part and of the whole; more are those of the lowest ranks: see rank.h. */
#define SHARD_MOST_QUERIES (256u << 10)
#define SHARD_MOST_HOSTS (1u << 20)
uint64_t shard_host_rank(const struct addr *, int64_t window);
uint64_t shard_query_rank(const struct shard_group_query *);

/*
 * What a shard found out in one stretch of its work: everything in it adds up, so that parts of several shards, or of several stretches,
 * make a whole.
 */
struct part {
    struct conversation_table *conversations;
    struct shard_host         *hosts;   /* open addressing by address and window */
    size_t                     n_hosts, n_host_slots;
    struct shard_group_query  *queries; /* the same; last_ns of an empty slot is INT64_MIN */
    size_t                     n_queries, n_query_slots;
    struct announcements       announcements;
    uint64_t                  *results; /* packets by [input][enum packet_result] */
    size_t                     n_inputs;
    struct shard_totals        totals;
    struct hash_key            hash_key;
    struct hash_pairs          hash;    /* of hosts; its numbers follow from the key */
    uint64_t                   host_threshold, query_threshold; /* the highest ranks that are kept */
};

int  part_new(const struct conversation_limits *, size_t n_inputs, struct part **ret, struct err *reterr);
void part_free(struct part *);
/* Notes that a flow of 'r' was seen at this host, which is that side of it (0: the client). */
void part_note_host(struct part *, const struct addr *, const struct flow_record *r, unsigned side, int64_t window_ns);
bool part_note_cut(struct part *, const struct addr *to); /* false: there is no room */
void part_note_quoted(struct part *, const struct addr *, const struct flow_icmp *, uint64_t n, int64_t window_ns); /* 'n' of the errors */
void part_note_query(struct part *, const struct shard_group_query *);
/* All of 'from' goes into 'to', but for its queries; 'from' is to be freed.  -ENOMEM: a part of it, the rest is lost. */
int  part_absorb(struct part *to, struct part *from);
/* A copy that is good for one evaluation: without queries, announcements and results. */
int  part_copy(const struct part *, struct part **ret, struct err *reterr);

struct shard;

/* Shares 'bytes' (0: no bound) out among so many shards: three quarters for flows, an eighth for what flows in classification hold; the rest is for
 * detectors, conversations and the program itself. */
void shard_share_memory(struct shard_options *, size_t bytes, unsigned n_shards);
int  shard_new(const struct shard_options *, const struct policy *, struct shard **ret, struct err *reterr);
void shard_free(struct shard *);
/* Handles those frames of the batch that are this shard's. */
void shard_batch(struct shard *, const struct input_frame *, size_t n);
/* No more packets: ends all flows. */
void shard_finish(struct shard *);
/* After that, and for good: gives back the memory of the flow table, of which shard_flow_stats() still tells. */
void shard_free_flows(struct shard *);

/* What was found out so far; the shard's own. */
struct part *shard_part(struct shard *);
/*
 * For runs without an end: what ended since the last time ('ended'), and how the flows that go on stand now ('open'), so that both together
 * tell each flow once.  Flows are looked at in steps of 'budget' entries of the table between packets; true: all were.  Then
 * shard_pass_take() gives both to the caller, and the next pass begins; -ENOMEM: not now.  'quiet_ns': for so long, by the caller's clock, there was
 * no packet to hand over, so that flows are at least so much older than by the time of the latest.
 */
bool shard_pass_step(struct shard *, size_t budget, uint64_t quiet_ns);
bool shard_pass_waits(const struct shard *); /* did the latest leave out flows that are too young to be told? */
int  shard_pass_take(struct shard *, struct part **ret_ended, struct part **ret_open, struct err *reterr);
int64_t shard_latest_ns(const struct shard *); /* of packets; INT64_MIN: none yet */
void shard_pinhole_stats(const struct shard *, struct pinholes_stats *ret);
void shard_classify_stats(const struct shard *, struct classify_stats *ret);
const struct stopwatch *shard_stopwatch(const struct shard *); /* between batches it is in ENGINE_WAIT */
void shard_flow_stats(const struct shard *, struct flow_table_stats *ret);

#endif
