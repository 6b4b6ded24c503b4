/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations: who → whom : service, the unit of compliance.  Flows are folded in as they end.
 *
 * Memory is bounded where packets choose the keys: beyond PEERS_FACTOR times 'peers_kept' conversations that no row allows, further ones
 * are summed up as they come (which ones depends on their keys alone).  At the end of the run those beyond 'peers_kept' of one pair
 * of hosts, or of one server port, are summed up too: the earliest ones stay.
 */
#ifndef ENGINE_CONVERSATION_H
#define ENGINE_CONVERSATION_H

#include "flowaudit/pinhole.h"
#include "flowaudit/policy.h"
#include "flowaudit/value.h"

/* What flows of one conversation share.  Compared and hashed as bytes: every byte is set, padding is named. */
struct conversation_key {
    struct addr client, server;
    char     protocol[APP_NAME_SIZE];
    uint32_t row;
    uint16_t server_port;
    uint16_t client_port;  /* 0, but where the client's port is the one that matters (media, answers of a server) */
    uint8_t  transport, verdict, kind, outcome, confidence;
    uint8_t  summed;       /* enum conversation_sum */
    uint8_t  back;
    uint8_t  pad;
    uint32_t client_host, server_host; /* SUM_PEERS: the site's entries plus 1, 0 where unknown; else 0 */
};

/* SUM_PORTS: many ports of one pair; SUM_CLIENTS: many clients of one port; SUM_PEERS: all that goes beyond the bound on the table. */
enum conversation_sum { SUM_NONE, SUM_PORTS, SUM_CLIENTS, SUM_PEERS };

struct conversation {
    struct conversation_key key;
    uint64_t id;               /* 1-based, given at the end of the run */
    uint64_t rank;             /* a hash of the key as it was at first, for those that are bounded */
    struct policy_query query; /* of the earliest flow, as are first_packet, basis, vlan, is_reply and app */
    struct judgement judgement;
    int64_t  first_ns, last_ns;
    uint64_t first_packet;     /* of the earliest flow */
    uint16_t first_input;
    uint16_t client_port_low, client_port_high;
    enum direction_basis basis;
    uint16_t encap, vlan;
    uint64_t flows, packets[2], bytes[2], payload, duplicates, unseen_bytes;
    uint64_t n_summed;         /* conversations that this one stands for (SUM_PEERS: their flows, an upper bound) */
    bool     cut;              /* by the snap length: the content may be unknown for that alone */
    bool     is_reply;         /* the first payload was an answer: may answer a broadcast */
    struct flow_icmp icmp;     /* first error of its flows, n_errors the sum; a prohibition rather than another */
    struct ttl_range ttl[2];   /* of what the client's, the server's side itself sent in flows that got through */
    struct ttl_range rst[2];   /* of RSTs in its name: that refused an attempt, or are not like the rest of the flow */
    bool     one_sided;        /* one side acts on packets of the other, and none of those is in the capture: see evidence.c */
    struct ttl_range own;      /* what 'rst[1]' was found to differ from: see evidence.c */
    struct app app;
    const struct pinhole *parent;  /* the message that negotiated its port, or NULL; set after merging, as the next two */
    const struct pinhole *bind;    /* the RPC interface that its server's port was bound to, or NULL */
    bool     no_parent;            /* on a dynamic port that nothing seen negotiated */
    struct flow_record *kept;  /* evidence: the earliest flows, sorted at the end */
    size_t   n_kept, n_kept_allocated;
};

#define PEERS_FACTOR 100 /* all conversations that are bounded, in units of 'peers_kept' */

struct conversation_table;
struct conversation_limits {
    size_t flows_kept;  /* of a violation */
    bool   flows_all;
    size_t peers_kept;
};
static inline size_t conversation_limit(const struct conversation_limits *l)
{
    return PEERS_FACTOR * l->peers_kept;
}

int  conversation_table_new(const struct conversation_limits *, struct conversation_table **ret, struct err *reterr);
void conversation_table_free(struct conversation_table *);
/* Folds a judged flow in.  0, or -ENOMEM: the flow is lost to the record, and the caller must say so. */
int  conversation_fold(struct conversation_table *, const struct flow_record *, const struct policy_query *, const struct judgement *,
                       enum outcome, bool is_reply);
/* Is its number bounded: is it none that a row allows, and no sum? */
bool conversation_is_bounded(const struct conversation_key *);
/* The highest rank of the 'limit' lowest among those that are bounded, where there are more; else 'ret' stays as it is.  -ENOMEM. */
int  conversation_threshold(struct conversation *const *, size_t n, size_t limit, uint64_t *ret);
/* Makes it a sum of itself alone: its key is that of the sum from now on. */
void conversation_sum_up(struct conversation *, enum conversation_sum by);
/* 'b', of the same key, goes into 'a' and is empty then.  -ENOMEM: without all of its flow rows. */
int  conversation_absorb(const struct conversation_limits *, struct conversation *a, struct conversation *b);
size_t conversation_count(const struct conversation_table *);
/* Valid until the next fold. */
struct conversation *conversation_at(struct conversation_table *, size_t i);

#endif
