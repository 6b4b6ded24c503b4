/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations: who → whom : service, the unit of compliance.  Flows are folded in as they end.
 *
 * Memory is bounded: beyond a number of conversations for each class, further ones are summed up as they come (which ones depends on
 * their keys alone).  At the end of the run those beyond 'peers_kept' of one pair
 * of hosts, or of one server port, are summed up too: the earliest ones stay.
 */
#ifndef ENGINE_CONVERSATION_H
#define ENGINE_CONVERSATION_H

#include <netinet/in.h>

#include "apps.h"
#include "flowaudit/pinhole.h"
#include "flowaudit/policy.h"
#include "flowaudit/value.h"
#include "kept.h"

/* What flows of one conversation share.  Compared as bytes: every byte is set, padding is named.  One cache line. */
struct conversation_key {
    struct addr client, server;
    const char *protocol;  /* interned (apps.h): equal names are one pointer; "" where nothing was recognised */
    uint32_t row;
    uint32_t client_host, server_host; /* SUM_PEERS: the site's entries plus 1, 0 where unknown; else 0 */
    uint16_t server_port;
    uint16_t client_port;  /* 0, but where the client's port is the one that matters (media, answers of a server) */
    uint8_t  transport, verdict, kind, outcome, confidence;
    uint8_t  summed;       /* enum conversation_sum */
    uint8_t  back;
    uint8_t  quoted;       /* known from ICMP errors alone: not a packet of it is in the capture, and it is one flow; of no sum */
};

/* SUM_PORTS: many ports of one pair; SUM_CLIENTS: many clients of one port; SUM_PEERS: all that goes beyond the bound on the table. */
enum conversation_sum { SUM_NONE, SUM_PORTS, SUM_CLIENTS, SUM_PEERS };

/* What a host answers to a broadcast or multicast comes within this time, and is no more than so many packets (of SSDP one for each device and service). */
#define ANSWERS_WITHIN_NS (15 * INT64_C(1000000000))
#define ANSWERS_MAX 32

/* Flows of a conversation that all touch the windows from 'first' to 'last' and no others. */
struct window_use {
    int64_t  first, last, first_ns, last_ns;
    uint64_t flows;
    uint64_t first_packet; /* of the earliest of them, in 'input' */
    uint16_t input;
    bool     answer_first; /* it is the server's */
};
struct window_uses {
    uint32_t          n, n_allocated;
    uint64_t          threshold; /* the highest rank that is kept */
    uint64_t          n_lost;    /* flows of those that are not kept ... */
    int64_t           lost_first, lost_last; /* ... and the windows between which all of them are */
    struct window_use items[];
};

/* The window, of those that begin with 1970, that holds this time. */
static inline int64_t window_of(int64_t ns, int64_t window_ns)
{
    return window_ns <= 0 ? 0 : ns / window_ns - (ns % window_ns < 0);
}

/* Some of the flows: how many, and the first packet of the earliest of them. */
struct flow_sight {
    struct packet_place first;
    uint32_t            flows;
};

/* DHCP has a port for clients and one for servers, whoever sends first (RFC 2131, 4.1; RFC 8415, 7.2).  'back': the client's end is the server. */
static inline bool tuple_is_dhcp(const struct tuple *t, bool back)
{
    uint16_t client = back ? t->server_port : t->client_port, server = back ? t->client_port : t->server_port;

    return t->transport == IPPROTO_UDP && ((client == 68 && server == 67) || (client == 546 && server == 547));
}

/* Kept small: there may be a million.  The rest of what a policy asks is made by conversation_query(). */
struct conversation {
    struct conversation_key key;
    uint64_t id;               /* 1-based, given at the end of the run */
    uint64_t rank;             /* a hash of the key as it was at first, of sums too */
    struct tuple tuple;        /* of the earliest flow, as are first_packet, basis, vlan, is_reply and app */
    bool     first_probes;     /* the earliest flow is one of 'probes' */
    bool     answer_first;     /* the first packet of the earliest flow is the server's */
    bool     direction_known, one_asks, group, answers_group, media, negotiated, sent[2]; /* see struct policy_query */
    bool     errors_differ;    /* ICMP errors of more than one sender or kind */
    bool     after_syn_ack;    /* refused, of some flow the server's SYN-ACK came before its RST */
    bool     cut;              /* by the snap length: the content may be unknown for that alone */
    bool     is_reply;         /* the first payload was an answer: may answer a broadcast */
    uint8_t  unheard;          /* enum unheard, of what is unanswered, and of UDP that is one-way */
    bool     may_be_denied;    /* UDP, one-way: an ICMP error may be among the packets to its client that were cut before the ports */
    bool     may_be_answer;    /* UDP, unanswered: to something that is known to be lost, maybe */
    bool     one_sided;        /* one side acts on packets of the other, and none of those is in the capture: see evidence.c */
    bool     no_parent;        /* on a dynamic port that nothing seen negotiated; set after merging, as 'parent' and 'bind' */
    bool     routed;           /* of some flow packets were seen again at the same place with another TTL */
    bool     beside;           /* of several places 'own' is of the one that the RSTs were seen at */
    struct ttl_range own;      /* what the RSTs in the server's name were found to differ from (prohibited), or to be like (refused): see evidence.c */
    uint16_t first_input;
    uint16_t client_port_low, client_port_high;
    uint16_t server_port_low, server_port_high; /* of a sum more than one, as are clients */
    struct addr client_low, client_high;
    uint16_t encap, vlan;
    enum direction_basis basis;
    struct judgement judgement;
    const struct app *app;     /* interned (apps.h) */
    int64_t  first_ns, last_ns;
    uint64_t first_packet;     /* of the earliest flow */
    uint64_t flows, packets[2], bytes[2], payload, duplicates, unseen_bytes;
    uint64_t probes;           /* of the flows: TCP whose handshake the client ended with a RST, and that carried nothing */
    uint64_t unfinished;       /* of the flows: TCP of which the capture has the server's SYN-ACK, and nothing more of the client */
    uint64_t answered;         /* UDP, unanswered: flows of the same client to the same port that were answered */
    uint64_t unasked;          /* ... flows of which the capture has answers alone */
    uint64_t unclear;          /* ... and of which it has packets of the server alone that may be answers */
    uint64_t unsought;         /* of the flows: as flow_record.unasked */
    bool     query_missing;    /* of one of them */
    uint64_t untold;           /* of the flows: one-way or unanswered, and nothing shows that what the client sent got through, or that it did not */
    uint64_t n_summed;         /* conversations that this one stands for (SUM_PEERS: their flows, an upper bound) */
    struct ttl_seen ttl[2][N_TTL_PLACES]; /* of what the client's, the server's side itself sent in flows that got through; and
                                             of RSTs in its name: that refused an attempt, or are not like the rest of the flow */
    struct flow_sight reset;   /* flows with those */
    /* Of the flows, TCP: */
    uint32_t strays;           /* segments without SYN and ACK that a RST answered, with 'stray_flags', or others too */
    uint32_t lone_resets;      /* a RST of one side, and nothing else */
    uint32_t refusals;         /* of those: the server's, of the number 0 as a closed port's answer to a SYN */
    uint32_t bare;             /* segments without SYN, ACK and RST of one side, and nothing else */
    struct flow_sight running, adrift; /* the server, the client goes on with a connection, and nothing of the other is in the capture */
    uint32_t went_on;          /* the client's SYN, and then its data: it had an answer, of which nothing is in the capture */
    uint32_t repeated_answers; /* the server's SYN-ACK, again and again, and nothing else */
    uint32_t withdrawn;        /* the client's SYN and then its RST, without an answer */
    uint32_t undelivered, resent_syns; /* the server's SYN-ACK did not reach the client: how many SYNs that shows */
    uint32_t ended;            /* without a beginning: packets of both sides, and of one nothing but its RST; or one segment of the client alone */
    uint32_t ended_by_server;  /* of those: the RST is the server's ... */
    uint32_t ended_by_nobody;  /* ... there is none */
    uint32_t answers;          /* not TCP: of one side alone, and the first of it is an answer, or looks like one */
    uint32_t lasting;          /* of the flows: too long, or of too many packets, to be the answer to one query */
    uint32_t damaged;          /* of the flows: as flow_record.is_damaged */
    uint32_t asked;            /* not TCP alone: of the flow that has the most, the client's packets that are a second apart, each of which would have drawn something */
    uint32_t stopped_late;     /* not TCP, one-way: an ICMP error came late, or may have, for the flow goes on at the capture's beginning */
    uint32_t asked_on;         /* not TCP, one-way or unanswered: ICMP errors came to some packets, and nothing to what followed: see flow_record_is_asked_on() */
    uint32_t synless;          /* of 'probes': those whose SYN is not in the capture */
    uint8_t  stray_flags;
    bool     strays_differ;
    int64_t  withdrawn_ns;     /* the longest time between those two */
    struct flow_icmp *icmp;    /* first error of its flows, n_errors the sum; a prohibition rather than another.  NULL: none */
    const struct pinhole *parent;  /* the message that negotiated its port, or NULL */
    const struct pinhole *bind;    /* the RPC interface that its server's port was bound to, or NULL */
    struct kept_flow *kept;    /* evidence: the earliest flows, sorted at the end */
    uint32_t n_kept, n_kept_allocated;
    uint32_t latest_kept;      /* which of them is the last to go, where there is no room for more */
    struct window_uses *windows; /* NULL where the run has no windows */
};

/* The contract's third word.  Of what is one-way or unanswered none where nothing shows either. */
enum disposition conversation_disposition(const struct conversation *);

/* The flows of the same client to the same port of which the capture has packets of the server. */
static inline uint64_t conversation_heard_of(const struct conversation *c)
{
    return c->answered + c->unasked + c->unclear;
}
/* The word for one flow: as the flow's own, but where the server's SYN-ACK and the client's RST are all there is. */
enum outcome conversation_outcome(const struct flow_record *, bool one_way_expected);

/* No packet of it: an ICMP error quotes one that is not in the capture. */
static inline bool flow_is_quoted(const struct flow_record *r)
{
    return r->packets[0] + r->packets[1] == 0;
}

struct conversation_limits;
/* What is known of a flow besides its record. */
struct conversation_flow {
    const struct policy_query *query;
    const struct app_entry    *app;
    const struct judgement    *judgement;
    enum outcome               outcome;
    bool                       is_reply, is_summed; /* summed: it goes into a sum */
};
/* One more flow of this conversation.  0, or -ENOMEM. */
int conversation_add(const struct conversation_limits *, struct conversation *, const struct flow_record *, const struct conversation_flow *);

/* Flows that touch the same windows become one entry.  0, or -ENOMEM. */
int window_uses_add(struct conversation *, const struct window_use *);
int window_uses_join(struct conversation *, const struct window_uses *from);
/* After the last: they are in order, each once, and no more than the bound. */
int window_uses_settle(struct conversation *);

/* What the policy is asked about it. */
void conversation_query(const struct conversation *, struct policy_query *ret);
/* The same with the ends exchanged. */
void conversation_turned_query(const struct conversation *, struct policy_query *ret);
/* Its errors, or one of which n_errors is 0. */
const struct flow_icmp *conversation_icmp(const struct conversation *);

/*
 * Classes of conversations, each with a bound of its own, so that none can crowd out another: a scan or a flood of spoofed addresses, which
 * gets no answer, can hide neither what got through nor what is allowed.  Bounds in units of 'peers_kept'.
 */
enum conversation_class {
    CLASS_ESCAPED,  /* no row allows it, and it got through: 100 */
    CLASS_REJECTED, /* no row allows it, and it did not: 10 */
    CLASS_OUTSIDE,  /* not governed: 10; in a survey, where nothing is judged, 100 */
    CLASS_PASSED,   /* allowed or undocumented, and established: 1000 */
    CLASS_TRIED,    /* the same, and not: 100 */
    CLASS_NONE,     /* sums */
    CONVERSATION_N_CLASSES = CLASS_NONE
};
enum conversation_class conversation_class(const struct conversation_key *);

struct conversation_table;
struct conversation_limits {
    size_t flows_kept;  /* of a violation */
    bool   flows_all;
    size_t peers_kept;
    bool   survey;
    int64_t window_ns;  /* conversations know in which windows of this length they were seen; 0: not */
};
size_t conversation_limit(const struct conversation_limits *, enum conversation_class);

int  conversation_table_new(const struct conversation_limits *, struct conversation_table **ret, struct err *reterr);
void conversation_table_free(struct conversation_table *);
/* Folds a judged flow in.  0, or -ENOMEM: the flow is lost to the record, and the caller must say so. */
int  conversation_fold(struct conversation_table *, const struct flow_record *, const struct policy_query *, const struct app_entry *,
                       const struct judgement *, enum outcome, bool is_reply);
/* May it be one of many that a peer multiplies: is it none that a row allows, and no sum? */
bool conversation_is_bounded(const struct conversation_key *);
/* By class the highest rank that stays within the bound; UINT64_MAX where there are no more than that.  -ENOMEM. */
int  conversation_thresholds(const struct conversation_limits *, struct conversation *const *, size_t n,
                             uint64_t ret[static CONVERSATION_N_CLASSES]);
/* Is it beyond these? */
bool conversation_exceeds(const struct conversation *, const uint64_t thresholds[static CONVERSATION_N_CLASSES]);
/* Makes it a sum of itself alone: its key is that of the sum from now on. */
void conversation_sum_up(struct conversation *, enum conversation_sum by);
/* 'b', of the same key, goes into 'a' and is empty then.  -ENOMEM: without all of its flow rows. */
int  conversation_absorb(const struct conversation_limits *, struct conversation *a, struct conversation *b);
/* All of 'from' goes into the table, and is empty then.  -ENOMEM: some of it is lost. */
int  conversation_table_take(struct conversation_table *, struct conversation_table *from);
/* A copy to evaluate: with flow rows, errors and windows of its own. */
int  conversation_table_copy(const struct conversation_table *, struct conversation_table **ret, struct err *reterr);
size_t conversation_count(const struct conversation_table *);
/* Valid until the next fold. */
struct conversation *conversation_at(const struct conversation_table *, size_t i);

#endif
