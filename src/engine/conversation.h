/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations: who → whom : service, the unit of compliance.  Flows are folded in as they end.
 *
 * Memory is bounded where packets choose the keys: beyond 'peers_kept' distinct unknown clients of one server port, or
 * distinct violating ports of one pair of hosts, further ones are summed up in one conversation that says how many there were.
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
};

/* SUM_PORTS: many ports of one pair; SUM_CLIENTS: many clients of one port; SUM_PEERS: all that goes beyond the bound on the table. */
enum conversation_sum { SUM_NONE, SUM_PORTS, SUM_CLIENTS, SUM_PEERS };

struct conversation {
    struct conversation_key key;
    uint64_t id;               /* 1-based, given at the end of the run */
    struct policy_query query; /* of the first flow folded in */
    struct judgement judgement;
    int64_t  first_ns, last_ns;
    uint64_t first_packet;     /* of the earliest flow */
    uint16_t first_input;
    uint16_t client_port_low, client_port_high;
    enum direction_basis basis;
    uint16_t encap, vlan;
    uint64_t flows, packets[2], bytes[2], payload, duplicates, unseen_bytes;
    uint64_t n_summed;         /* distinct peers or ports folded in (an upper bound: those seen again after long silence count again) */
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

struct conversation_table;
struct conversation_limits {
    size_t flows_kept;  /* of a violation */
    bool   flows_all;
    size_t peers_kept;
};

int  conversation_table_new(const struct conversation_limits *, struct conversation_table **ret, struct err *reterr);
void conversation_table_free(struct conversation_table *);
/* Folds a judged flow in.  0, or -ENOMEM: the flow is lost to the record, and the caller must say so. */
int  conversation_fold(struct conversation_table *, const struct flow_record *, const struct policy_query *, const struct judgement *,
                       enum outcome, bool is_reply);
size_t conversation_count(const struct conversation_table *);
struct conversation *conversation_at(struct conversation_table *, size_t i);

#endif
