/* SPDX-License-Identifier: Apache-2.0 */
/* What expect.c gathers and conclude.c concludes from. */
#ifndef POLICY_EXPECT_PRIVATE_H
#define POLICY_EXPECT_PRIVATE_H

#include "private.h"

#define EXPECT_REASON_SIZE 1536 /* a sentence; longer ones are cut */

/* What came instead of an answer to attempts of one outcome. */
struct denial {
    struct flow_icmp icmp;     /* the first error; n_errors 0: none */
    struct ttl_range rst, own; /* of one that a RST ended and that has both */
    bool             beside;   /* as in policy_facts */
    uint64_t         resets;   /* attempts that ended without an error */
    bool             after_syn_ack; /* of some of those the server's SYN-ACK came before its RST */
};

/* Whose error came instead of an answer: of one sender and kind, to attempts at one server. */
struct denier {
    struct addr sender;
    uint8_t     type, code;
    bool        is_icmp6, prohibits; /* the attempts that ended so were prohibited, or refused */
    bool        unanswered;          /* neither: the error is no denial */
    bool        differ;              /* there were other errors among them */
    uint64_t    attempts, late;      /* late: of them those of which packets had gone, without an answer, when it came */
    uint64_t    n_errors, n_before, packets; /* of one attempt: as in flow_icmp, and what the client sent in all */
};
#define MOST_DENIERS 8 /* kept: the first by their order */

/* A port of a server. */
struct point {
    uint32_t server;
    uint16_t port;
    uint8_t  transport;
    uint8_t  families; /* over which it was: no part of the order */
};
#define MOST_POINTS 16 /* kept: the first by their order */
#define MOST_FROM 4    /* likewise */

/* What the row speaks of, seen on a port that it does not have, or something else on a port of the row: the earliest. */
struct elsewhere {
    char        protocol[APP_NAME_SIZE]; /* "": nothing */
    bool        other; /* it is not what the row speaks of */
    struct addr server;
    uint8_t     transport;
    uint16_t    port, input;
    uint64_t    packet;
    int64_t     first_ns;
};

/* One expectation and what became of it. */
struct tally {
    uint32_t         row, client;
    uint32_t         server;       /* with 'every', else POLICY_NONE */
    uint32_t         seen_server, tried_server;
    bool             seen, tried_others;     /* attempts at more than 'tried_server' */
    uint64_t         n[OUTCOME_ONE_WAY + 1]; /* attempts by outcome */
    uint64_t         unseen;       /* of the attempts: packets of the server's are in the capture and none of the client's */
    uint64_t         quoted, quoting; /* of the attempts: known from ICMP errors alone; how many errors */
    bool             running;      /* as in expect_fact: of 'running_at', the first by their order */
    struct point     running_at;
    struct packet_place goes_on;  /* the earliest of that */
    bool             by_client;   /* of it the client goes on, not the server */
    uint64_t         attempts, packets, bytes; /* of them, where there are no windows */
    int64_t          last_ns;      /* of them; 0: none */
    uint64_t         unasked;      /* flows of NetBIOS names of which nothing shows that the client asked: no attempts */
    uint64_t         asked_back;   /* flows from port to port of which all requests are the server's: no attempts; those of names are counted above, too */
    uint64_t         ended, ended_by_server, ended_by_nobody; /* as in expect_fact: no attempts */
    struct packet_place ended_first;
    struct point     ended_at;    /* the server of that, and the addresses over which it was */
    struct addr      ended_from;
    uint64_t         withdrawn, unfinished, repeated_answers, stopped_late, refusals; /* of n[OUTCOME_ONE_WAY]: that the client took back; as in expect_fact */
    uint64_t         undelivered, resent_syns; /* of n[OUTCOME_UNANSWERED]: as in expect_fact */
    bool             insisted;    /* of those some are TCP, or UDP that asked again */
    uint64_t         last_fact;    /* by its number: a row that fits in two ways is counted once */
    struct packet_place first;    /* the first attempt */
    bool             first_unseen; /* that is no packet of the client's */
    struct packet_place first_of[OUTCOME_ONE_WAY + 1]; /* of the attempts with this outcome; there are n[] */
    int64_t          silent_ns;    /* of the first attempt without an answer */
    struct denial    denials[2];  /* refused, prohibited */
    struct denier   *deniers;     /* of both, sorted; NULL: none */
    uint8_t          n_deniers, n_points, families; /* of the attempts */
    bool             more_deniers, more_points;
    struct point     points[MOST_POINTS]; /* sorted: what met it, or where nothing did, what was tried */
    struct addr      from[MOST_FROM];     /* sorted: the client's addresses in that */
    uint8_t          n_from;
    bool             more_from;
    int64_t          seen_ns, seen_last_ns; /* of what met it */
    uint64_t         seen_packet;
    uint16_t         seen_input;
    bool             seen_is_answer; /* it is the server's SYN-ACK, without the SYN */
    bool             connected;   /* by some flow that is not one of 'probed' */
    bool             answered;    /* some of what met it is more than what the client sent */
    uint64_t         probed;      /* as in expect_fact */
    int64_t          before_ns;   /* when it was met last in the windows before; 0: not known */
    struct elsewhere elsewhere;
};

/* What was seen of a host entry. */
struct life {
    int64_t  first_ns, last_ns;   /* of packets that it sent */
    int64_t  before_ns, after_ns; /* its last packet before, its first after; 0: not known */
    uint64_t sent, received, sent_to_groups, cut, quoted, resets;
    uint64_t older;               /* as in expect_host, of this window and those before */
    bool     copies;              /* as in expect_host */
};

enum { FAMILY_4 = 1, FAMILY_6 = 2 };

/* A server's port that answered a client: with how many flows. */
struct service {
    uint32_t server, client; /* host entries; the client may be POLICY_NONE */
    uint16_t port;
    uint8_t  transport;
    uint8_t  families; /* FAMILY_4, FAMILY_6: a host may have addresses of both, and is told with one */
    uint64_t flows;
};
struct services {
    struct service *items; /* sorted by what comes before 'flows', once united */
    size_t          n, n_allocated;
};

/* Hosts in the order of the site file, those of one group together. */
struct group_hosts {
    uint32_t *hosts;
    size_t   *starts; /* by group, and one past the end */
};

/* The time over which rows with about the same 'within' are evaluated: one window, several, or the whole run. */
struct span {
    int64_t         length_ns; /* 0: the whole run */
    int64_t         start_ns;
    bool            begun;
    struct coverage coverage;
    struct life    *lives;     /* by host entry */
    struct passages passages;
    struct services services;
};

struct expector {
    const struct policy *p;
    struct group_hosts   by_group;
    struct tally        *tallies;    /* in order of row, client, server */
    size_t               n_tallies, n_allocated;
    size_t              *row_starts; /* by row, and one past the end */
    struct span         *spans;
    size_t               n_spans;
    uint32_t            *row_spans;  /* by row */
    int64_t              window_ns;  /* 0: the whole run is one */
    int64_t              began_ns;   /* where the first window has its first packet */
    bool                 begun;
    bool                 failed;     /* for want of memory, while facts came: told by expector_finish() */
    uint64_t             n_facts;
    struct expectation  *results;    /* with reasons of their own */
    size_t               n_results;
};

static inline const struct span *expect_span(const struct expector *x, uint32_t row)
{
    return &x->spans[x->row_spans[row]];
}

/* Nothing but the end of older connections was seen. */
static inline bool expect_ended(const struct tally *t)
{
    return t->ended > 0 && t->attempts == 0 && !t->seen && !t->running;
}

/* attempts.c: what is kept of one fact. */
uint8_t family_of(const struct tuple *);
int  services_note(struct services *, const struct policy *, const struct expect_fact *); /* 0 or -ENOMEM */
void services_unite(struct services *);
void tally_note_running(struct tally *, const struct expect_fact *, const struct point *, bool by_client);
void tally_note_ended(struct tally *, const struct expect_fact *, const struct point *, const struct addr *client);
void tally_note(struct tally *, const struct expect_fact *, bool met, const struct point *, const struct addr *client);
void say_no_answer(const struct expector *, const struct tally *, char *what); /* or one of which the client did not know: it asked again */
int  tally_note_denier(struct tally *, const struct expect_fact *); /* 0 or -ENOMEM */
void tally_note_elsewhere(struct tally *, const struct expect_fact *, const char *protocol, bool other);

/* expect_sum.c: "2026-03-02 10:00"; with 'near' on the same day, the time alone */
const char *expect_time_text(int64_t ns, int64_t near, char *buf, size_t size);
#define EXPECT_TIME_SIZE 40
/* "1 h", "90 s" */
const char *expect_duration_text(int64_t ns, char *buf, size_t size);

/* served.c: other clients that servers answered on ports which this one tried in vain. */
#define MOST_SERVED 3
struct served {
    struct service first;     /* a client of a port, with the flows of all of them */
    size_t         n_clients;
};
#define WHAT_SIZE 1024
#define ADVICE_SIZE 512
/* On how many ports; the first few in 'ret'. */
size_t find_served(const struct expector *, const struct tally *, struct served ret[static MOST_SERVED]);
void   say_served(const struct expector *, const struct served *, size_t n, char *what);
void   advise_served(const struct expector *, const struct tally *, const struct served *, size_t n, bool refused, char *advice);

/* seen.c: what met the row; a connection that goes on. */
void say_seen(const struct expector *, const struct tally *, char *buf, size_t size);
void say_ended(const struct expector *, const struct tally *, char *buf, size_t size);
void say_running(const struct expector *, const struct tally *, char *buf, size_t size);

/* conclude.c: a text in parts; "dc1 (192.0.2.1)"; ", over IPv6" of a host that is told with one address of several. */
void        add(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void        add_host(const struct expector *, uint32_t host, char *buf, size_t size);
const char *client_of(const struct expector *, const struct tally *, char *buf, size_t size); /* "unity2 (10.0.1.2 and 10.0.1.3)": with what it used */
#define CLIENT_TEXT_SIZE 512
#define PORTS_TEXT_SIZE 128
const char *families_text(const struct expector *, uint32_t server, uint8_t families);

/* conclude.c: of a required flow, in words.  Would this host do as its server?  "dc1 (10.20.2.10) or dc2 (10.20.2.11)": those that would, those that were
 * tried; "LDAP (TCP and UDP 389)": what is looked for, what was tried; packets cut before the ports that may be answers to this client. */
#define ADDRESSES_SIZE (4 * ADDR_TEXT_SIZE + 16)
#define SERVERS_SIZE 1024
#define SERVICE_TEXT_SIZE 256
bool        would_do(const struct expector *, const struct tally *, uint32_t server);
uint32_t    next_server(const struct expector *, const struct tally *, uint32_t least); /* the first that would do; or POLICY_NONE */
const char *addresses_of(const struct policy *, uint32_t host, char buf[static ADDRESSES_SIZE]);
void        name_servers(const struct expector *, const struct tally *, char *buf, size_t size);
void        name_tried(const struct expector *, const struct tally *, char *buf, size_t size);
const char *service_of(const struct expector *, const struct tally *, char *buf, size_t size);
const char *tried_of(const struct expector *, const struct tally *, char *buf, size_t size);
const char *tcp_and_udp(uint64_t packets);
uint64_t    cut_to(const struct expector *, const struct tally *);

/* What else a conclusion tells: as in struct expectation. */
struct told {
    size_t advice_at;
    bool   weak;
};
/* silent.c: no attempt; attempts without an answer, where the answer may only be missing from the capture: then true, and said. */
enum expectation_outcome say_silent(const struct expector *, const struct tally *, const struct coverage *, char *buf, size_t size, struct told *ret_told);
bool silence_unproven(const struct expector *, const struct tally *, const struct coverage *, char *buf, size_t size);

/* conclude.c: the outcome, and the sentence for it. */
enum expectation_outcome expect_conclude(const struct expector *, const struct tally *, char *buf, size_t size, struct told *ret_told);

#endif
