/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy: a matrix as it applies at a site, and what it says of flows.
 *
 * Knows neither packets nor SQL; no vendor's role, port or section is compiled in.
 *
 * Threads: immutable after policy_compile(); every 'const struct policy *' call may be made from any thread.
 */
#ifndef FLOWAUDIT_POLICY_H
#define FLOWAUDIT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flowaudit/addr.h"
#include "flowaudit/diag.h"
#include "flowaudit/err.h"
#include "flowaudit/rules.h"
#include "flowaudit/value.h"

#define POLICY_NONE UINT32_MAX /* no row, no host */

enum verdict { VERDICT_ALLOWED, VERDICT_VIOLATION, VERDICT_UNDOCUMENTED, VERDICT_NOT_GOVERNED };
const char *verdict_name(enum verdict);

enum disposition { DISPOSITION_PERMITTED, DISPOSITION_MISDROPPED, DISPOSITION_ESCAPED, DISPOSITION_REJECTED, DISPOSITION_NONE };
const char *disposition_name(enum disposition); /* "" for NONE (not governed) */
/* From the two words: one-way as got through.  Undocumented and not governed flows have none.  That nothing tells whether a flow got through is
 * not in them: who knows so says DISPOSITION_NONE. */
enum disposition disposition_of(enum verdict, enum outcome);

enum confidence { CONFIDENCE_CONFIRMED, CONFIDENCE_PORT_ONLY, CONFIDENCE_INFERRED };
const char *confidence_name(enum confidence); /* "confirmed", "port-only", "inferred-direction" */

/* contract: findings.kind; the order is that of reports. */
#define FINDING_KINDS(X)                         \
    X(FINDING_NONE, "")                          \
    X(FINDING_NO_ROW, "no-row")                  \
    X(FINDING_WRONG_PORT, "wrong-port")          \
    X(FINDING_WRONG_PROTOCOL, "wrong-protocol")  \
    X(FINDING_WRONG_DIRECTION, "wrong-direction")\
    X(FINDING_WRONG_ROLE, "wrong-role")          \
    X(FINDING_OPTION_OFF, "option-off")          \
    X(FINDING_UNKNOWN_HOST, "unknown-host")      \
    X(FINDING_MISSING, "missing")                \
    X(FINDING_MISDROPPED, "misdropped")          \
    X(FINDING_SEPARATED, "separated")            \
    X(FINDING_SITE, "site")
enum finding_kind {
#define X(id, name) id,
    FINDING_KINDS(X)
#undef X
        FINDING_N_KINDS
};
const char *finding_kind_name(enum finding_kind);
int         finding_kind_parse(const char *name, enum finding_kind *ret); /* 0 or -EINVAL */

enum severity { SEVERITY_CRITICAL, SEVERITY_HIGH, SEVERITY_MEDIUM, SEVERITY_LOW, SEVERITY_NOTICE };
const char *severity_name(enum severity);

struct policy;

struct policy_options {
    /* Names a matrix may use under 'protocols'; NULL-terminated.  NULL: any. */
    const char *const *known_protocols;
    /* Does the content seen satisfy a protocol name?  (classify_satisfies)  NULL: equal names. */
    bool (*satisfies)(const struct app *, const char *name);
};

/* All errors and warnings of site against matrix go to 'diags'; self-tests of the matrix are run too.
 * 0, -EINVAL (with errors in 'diags'), -ENOMEM.  Keeps pointers into both trees: they must outlive the policy. */
int  policy_compile(const struct matrix *, const struct site *, const struct policy_options *, struct policy **ret,
                    struct diag_list *diags);
void policy_free(struct policy *);
/* Only that the matrix knows the names that the site uses: for a site with errors (site_load_partly), so that all are told at once. */
void policy_check_names(const struct matrix *, const struct site *, struct diag_list *diags);

/* --- hosts ------------------------------------------------------------------------------------ */
/* The most specific entry of the site that holds this address, or POLICY_NONE. */
uint32_t    policy_host(const struct policy *, const struct addr *);
size_t      policy_n_hosts(const struct policy *);
const char *policy_host_name(const struct policy *, uint32_t host); /* "" for POLICY_NONE */
/* The entry's first address or block as text; NULL for POLICY_NONE; borrowed. */
const char *policy_host_address(const struct policy *, uint32_t host);
/* Role names as the site wrote them, comma-separated; borrowed. */
const char *policy_host_roles(const struct policy *, uint32_t host);
bool        policy_ignored(const struct policy *, const struct addr *, const char **ret_reason);

/* Where the two ends of a flow stand at the site: found once for a flow, for the calls that end in _at. */
struct policy_ends {
    uint32_t client, server; /* host entries, or POLICY_NONE */
    bool     distinct;       /* two machines, as far as the site tells */
    bool     ignored;        /* one of them is in the ignore list */
};
void policy_locate(const struct policy *, const struct tuple *, struct policy_ends *ret);
static inline void policy_ends_swap(struct policy_ends *e)
{
    uint32_t client = e->client;

    e->client = e->server;
    e->server = client;
}

/* --- rows ------------------------------------------------------------------------------------- */
size_t                   policy_n_rows(const struct policy *);
const struct matrix_row *policy_row(const struct policy *, uint32_t row);
/* As it applies at the site: do its options hold; is it required there? */
bool                     policy_row_enabled(const struct policy *, uint32_t row);
bool                     policy_row_required(const struct policy *, uint32_t row);
/* Its ports there in words: "TCP and UDP 5000-5020"; returns 'buf'. */
const char              *policy_row_ports(const struct policy *, uint32_t row, char *buf, size_t size);
/* Protocols that rows expect which may apply between these ends, on either port: what to look for in the content.  NULL-terminated, borrowed; NULL = none. */
const char *const       *policy_expected(const struct policy *, const struct tuple *);
/* All protocol names of the matrix. */
const char *const       *policy_protocols(const struct policy *, size_t *ret_n);
/* Is this port, for this row, one of a range from which a server takes any: so that something must have told the client? */
bool                     policy_dynamic_port(const struct policy *, uint32_t row, uint8_t transport, uint16_t port);
/* Which end's port is documented for its role as a server: +1 tuple.server, -1 tuple.client, 0 both or neither. */
int                      policy_port_vote(const struct policy *, const struct tuple *);
int                      policy_port_vote_at(const struct policy *, const struct policy_ends *, const struct tuple *);
/* Is it media, by its content? */
bool                     policy_is_media(const struct policy *, const struct app *);
/* Does the row that allows this expect traffic in one direction only (media, notifications, datagrams)? */
bool                     policy_one_way(const struct policy *, const struct tuple *);
bool                     policy_one_way_at(const struct policy *, const struct policy_ends *, const struct tuple *);
/* Does the row say that nobody answers on this port, and is nothing known of the content, or what it expects?  Of media it does not: most goes both ways. */
bool                     policy_row_unanswered(const struct policy *, uint32_t row, const struct app *, uint8_t transport, uint16_t port);

/* --- judging ---------------------------------------------------------------------------------- */
struct policy_query {
    struct tuple tuple;
    struct app   app;
    bool direction_known;   /* false: judged both ways, and the judgement says so */
    bool sent[2];           /* did the client's, the server's side send packets?  Media is judged for each direction */
    bool one_asks;          /* datagrams from a port to the same: all requests are the client's, so that no row of the other direction has them */
    bool group;             /* to a multicast or broadcast address: outside the matrix */
    bool answers_group;     /* a unicast answer to a broadcast or multicast query: outside the matrix */
    bool media;             /* signalling named one of its ports for media */
    bool negotiated;        /* the server's port was negotiated in-band: a wide range is used as the document means it */
};

struct judgement {
    enum verdict      verdict;
    enum finding_kind kind;       /* FINDING_NONE unless verdict is a violation (or a notice on an allowed flow) */
    enum severity     severity;
    enum confidence   confidence;
    uint32_t row;                 /* first allowing row in document order; for a violation the row it is measured against, or POLICY_NONE */
    uint32_t client_host, server_host;
    bool     reversed;            /* direction was unknown, and this judgement takes 'server' as the client */
    bool     back;                /* media: the direction that breaks is server to client (the client's port is the wrong one) */
    bool     ignored;             /* one end is in the site's ignore list */
    uint32_t option;              /* option-off: index of the option, else POLICY_NONE */
    uint32_t parameter;           /* a row would apply, but the site does not list this parameter; else POLICY_NONE */
};
/*
 * In this order:
 *  1. the site ignores an end; a group address or an answer to one; from an address to itself; neither end governed and no row between the roles
 *     of two named ends, either way round: not governed
 *  2. a row allows it, or media rows allow each direction that carried packets: allowed (wrong-port as a notice where
 *     only rows with a 'notice_with' option that is on allow it, and the port was not negotiated)
 *  3. an end that must be named is not: unknown-host
 *  4. a row between these roles applies and its table of ports is lost: undocumented
 *  5. media outside the range: wrong-port, or wrong-protocol
 *  6. a row would allow it if an option stood otherwise: option-off
 *  7. a row has this port, and the content contradicts it: wrong-protocol
 *  8. a row has this port the other way round: wrong-direction; but where the content is nothing that this row expects, and a row between these roles
 *     expects it on other ports, 9 and 10 are asked
 *  9. a row has this port for a sibling of the server's role, or else of the client's: wrong-role
 * 10. a row between these roles expects this content on other ports (from 1024 on rather one with a range), and the content may contradict: wrong-port;
 *     nothing of all that: no-row
 * Rows that the content contradicts are none in 2, 6, 8 and 9.  Where the direction is not known, or one UDP port speaks
 * with the same port both ways and not only the client asks, a flow that is only allowed the other way round is allowed, 'reversed'; where the direction is not
 * known, one that is undocumented the other way round and else a violation is undocumented, 'reversed'.
 * 'other' rows are for two machines: two host entries, or two addresses of one block.
 */
void policy_judge(const struct policy *, const struct policy_query *, struct judgement *ret);
void policy_judge_at(const struct policy *, const struct policy_ends *, const struct policy_query *, struct judgement *ret);

/*
 * Answers that were given before, for a caller that asks of very many flows: what was judged for hosts of the same roles, ports that the rows do not
 * tell apart and the same content is not judged again.  The answers are those of the functions without a memo.
 * Threads: one memo is one thread's.  Of fixed size (about 400 KiB); the policy must outlive it.
 */
struct policy_memo;
struct policy_answer {
    struct judgement judgement;
    bool             one_way; /* the row or the content is media's, or policy_one_way_at() in the direction that was judged */
};
int  policy_memo_new(const struct policy *, struct policy_memo **ret, struct err *reterr); /* 0 or -ENOMEM */
void policy_memo_free(struct policy_memo *);
/* As policy_judge_at() of this query with 'app', which stays where and as it is while the memo lives: its address stands for it.  The query's
 * own 'app' is not looked at. */
void policy_recall(struct policy_memo *, const struct policy_ends *, const struct policy_query *, const struct app *app, struct policy_answer *ret);
/* As policy_port_vote_at(). */
int policy_recall_port_vote(struct policy_memo *, const struct policy_ends *, const struct tuple *);
/* As policy_expected(). */
const char *const *policy_recall_expected(struct policy_memo *, const struct tuple *);

/* How grave a finding is.  HIGH: wrong-protocol, unknown-host, misdropped, separated.  LOW: site.  MEDIUM: the others.  One step less
 * where a forbidden flow did not get through (SEVERITY_HIGH to MEDIUM, MEDIUM to LOW); NOTICE on an allowed flow. */
enum severity policy_severity(const struct judgement *, enum outcome);
/* The same by a plain scan of the rows: the oracle that tests hold against policy_judge(). */
void policy_judge_naive(const struct policy *, const struct policy_query *, struct judgement *ret);
/* The rows that allow this, in document order: the first 'n' of them into 'ret'; returns how many those are. */
size_t policy_rows(const struct policy *, const struct policy_query *, uint32_t *ret, size_t n);

/* Why the other way's silence tells nothing: packets that are not in the capture, though others acted on some. */
enum unheard {
    HEARD,
    UNHEARD_SERVER, /* of the server to anyone */
    UNHEARD_PAIR,   /* of the server to this client */
    UNHEARD_CLIENT, /* of anyone to the client */
    UNHEARD_WAY,    /* of more than a few TCP flows one direction, and nothing shows that it is otherwise between these two */
};

/* One sentence for people: hosts by name and address, service, what was wrong, which rule.  Returns as snprintf. */
struct policy_facts {
    enum outcome outcome;
    uint64_t flows, packets;
    bool probe;                   /* TCP: the server's SYN-ACK came in each of them, and the client's RST instead of the handshake's end */
    uint64_t synless;             /* TCP: of those, the flows whose SYN is not in the capture */
    bool answers;                 /* UDP, of one side alone: each of them is an answer by its content, or looks like one */
    uint64_t stopped_late;        /* UDP, OUTCOME_ONE_WAY: of the flows, those to which an ICMP error came late: see flow_record_is_stopped_late() */
    uint64_t asked_on;            /* UDP, OUTCOME_ONE_WAY or _UNANSWERED: of the flows, those where nothing came to what was sent after errors: see flow_record_is_asked_on() */
    uint64_t untold;              /* OUTCOME_ONE_WAY or _UNANSWERED: of the flows, those of which nothing shows whether they got through */
    bool unfinished;              /* TCP, OUTCOME_ONE_WAY: the server's SYN-ACK came in each of them, and nothing more of the client */
    enum unheard unheard;         /* OUTCOME_UNANSWERED or UDP's _ONE_WAY */
    bool lossy;                   /* OUTCOME_UNANSWERED, or UDP's _ONE_WAY: packets passed that were not captured ... */
    uint64_t answered;            /* UDP, unanswered: as many flows of the same client to the same port as were answered, where with the next two these are not fewer; else 0 */
    uint64_t unasked;             /* UDP, unanswered: flows of the same client to the same port of which the capture has answers alone */
    uint64_t unclear;             /* ... and of which it has packets of the server alone that may be answers; 0 as 'answered' */
    bool damaged;                 /* each flow is of one packet, whose IP header has a wrong checksum */
    bool may_be_answer;           /* UDP: ... and the client's port is one that a row has: it may be the answer to one of them */
    bool many_clients, many_servers; /* said of a sum: there are others than the one that is named */
    bool answer_first;            /* the first packet of the earliest flow is one of the server's: it is the one that a reader is shown */
    bool goes_on;                 /* UDP: it may have begun before the capture; of media either end may then have begun */
    bool no_data;                 /* TCP: established, and not a byte was carried */
    bool no_handshake;            /* TCP: by content it is known who is the client, and none of them has a handshake */
    bool lone_reset;              /* TCP: a RST of one side in each of them, and nothing else ... */
    bool refusal;                 /* ... the server's, of the sequence number 0 and with ACK, as a closed port's answer to a SYN */
    uint64_t strays;              /* TCP, OUTCOME_REFUSED: of the flows, a segment without SYN and ACK, with 'stray_flags' (0xff: various) */
    uint8_t stray_flags;
    uint64_t undelivered;         /* TCP, OUTCOME_UNANSWERED: of the flows, the server's SYN-ACK did not reach the client ... */
    uint64_t resent_syns;         /* ... which sent its SYN again after it, so many times in all (FLOW_RESENT_SYNS_MAX of a flow: or more) */
    uint64_t withdrawn;           /* TCP, OUTCOME_UNANSWERED or _ONE_WAY: of the flows, the client's SYN and its RST, without an answer ... */
    int64_t withdrawn_ns;         /* ... and the longest time between them */
    bool errors_differ;           /* 'icmp' is not the only kind or sender of errors */
    bool after_syn_ack;           /* TCP, OUTCOME_REFUSED: the server's SYN-ACK came before its RST, in some of them at least */
    uint16_t client_ports[2];     /* the lowest and the highest of the client's; 0: not to be told */
    const struct flow_icmp *icmp; /* or NULL */
    uint64_t n_cut;               /* packets of the run that were cut before their ports, ICMP errors among them, and may have gone to who sent what was seen: an answer may be in one */
    const char *icmp_input;       /* the name of the input that 'icmp' is in, or NULL */
    struct ttl_range rst, own;    /* of RSTs in the server's name, and of the packets that are surely its own: held against each other; 0: not */
    bool beside;                  /* of several places of capture the server was seen at, 'own' is of the one that the RSTs were seen at */
};
int policy_sentence(const struct policy *, const struct policy_query *, const struct judgement *, const struct policy_facts *,
                    char *buf, size_t size);
/* Is it an error by which a filter tells of itself (RFC 1122, RFC 1812, RFC 4443: administratively prohibited)? */
bool policy_icmp_prohibits(const struct flow_icmp *);
/* The section of the source that the judgement rests on; borrowed; "" where none. */
const char *policy_section(const struct policy *, const struct judgement *);
/* The exception of the site that covers this conversation at 'at_ns', or NULL.  An expired one never covers. */
const struct site_exception *policy_exception(const struct policy *, const struct policy_query *, int64_t at_ns);

/* The same for a sum of conversations: only one that covers whatever was summed up.  'client_host' and 'server_host' are what is known of an
 * end whose address the sum does not have. */
struct policy_sum {
    struct tuple tuple;
    bool         client_known, server_known, port_known; /* in 'tuple' */
    uint32_t     client_host, server_host;
};
const struct site_exception *policy_exception_of_sum(const struct policy *, const struct policy_sum *, int64_t at_ns);

/* What the matrix says of one flow, row by row, for 'flowaudit explain'. */
enum policy_format {
    POLICY_TEXT,
    POLICY_TSV,
    POLICY_JSON,
    POLICY_JSON_ROLES, /* of policy_print(): both ends by their roles also as applied, and no line breaks; grows with the rows alone */
};
int policy_explain(const struct policy *, const struct policy_query *, enum policy_format, FILE *);
/* The rows; with 'as_applied' what they are at the site (hosts, ports, options put in). */
int policy_print(const struct policy *, bool as_applied, enum policy_format, FILE *);
int matrix_print(const struct matrix *, enum policy_format, FILE *);

/* Findings of kind 'site': what the linter says of the site (ranges too small, lists missing ...).  One call for each. */
/* 'parameter' is one whose list of ports the site does not give, where the sentence speaks of that, else POLICY_NONE. */
typedef void policy_lint_fn(void *aux, enum severity, const char *section, const char *sentence, uint32_t parameter);
/* Is the table of ports that it stands for lost from the source: are flows undocumented without it? */
bool policy_is_lost(const struct policy *, uint32_t parameter);
void policy_lint(const struct policy *, int64_t now_ns, policy_lint_fn *, void *aux); /* 'now_ns' decides which exceptions have expired */

/* What traffic tells of a server's role where the site file says otherwise: the sign of the matrix that a client's use of an RPC interface
 * is, or NULL (no sign, or the server has the role).  Borrowed. */
const struct matrix_sign *policy_sign(const struct policy *, const char *interface, const struct addr *client, const struct addr *server);
/* "dc2 (192.0.2.2) serves ... to ...": 't' has both ends and the server's port, 'where' names the packet.  Returns as snprintf. */
int policy_sign_sentence(const struct policy *, const struct matrix_sign *, const struct tuple *t, const char *where, char *buf, size_t size);

/* Runs a matrix's own tests, which name roles and stand by themselves.  0, or -EINVAL with the failures in 'diags'. */
int matrix_selftest(const struct matrix *, const struct policy_options *, struct diag_list *diags);

/* --- expectations ------------------------------------------------------------------------------ */
enum expectation_outcome {
    EXPECT_SEEN, EXPECT_REFUSED, EXPECT_PROHIBITED, EXPECT_UNANSWERED, EXPECT_ONE_WAY, EXPECT_NEVER_ATTEMPTED, EXPECT_NOT_COVERED,
};
const char *expectation_outcome_name(enum expectation_outcome);

/* A time in which the capture ran, as far as is known. */
struct stretch { int64_t first_ns, last_ns; };

/* What was looked at: the ground for every conclusion from silence. */
struct coverage {
    int64_t  first_ns, last_ns; /* of all packets */
    uint64_t packets, bytes;    /* looked at: of the flows */
    uint64_t lost;              /* known to be lost (kernel, interface, stated by file) */
    uint64_t filtered;          /* taken out by the user's filter */
    uint64_t unseen_bytes;      /* estimated from acknowledgements */
    bool     damaged;           /* an input ended early */
    uint64_t unjudged;          /* read, but of no flow: cut before the ports, malformed, of unknown link types, encrypted, beyond a bound */
    const struct stretch *stretches; /* of the whole run, in order, with holes between; borrowed; NULL: there is no hole */
    size_t   n_stretches;
    uint64_t sessions, one_sided; /* TCP flows beyond the first SYN, and those of which one direction is not in the capture */
    int64_t  heard_ns;  /* answers could be seen until then, where that is beyond 'last_ns': of a window that others follow; else 0 */
    bool     summed;    /* conversations went into sums that do not tell their hosts: that two hosts did not speak is not known */
    bool     shared;    /* of a window: the counts are those of the whole run, for nobody knows which window they belong to */
    uint64_t cut;       /* of 'unjudged': cut before the ports, or before those that an ICMP error quotes */
    uint64_t resets;    /* not of 'sessions': TCP flows of which a RST of one side is all that was captured */
    uint64_t unseen_errors; /* ICMP errors about packets of hosts of the site that were not captured */
    uint64_t cut_told;  /* of 'cut': it is known to which host they went, and that host knows their number */
    bool     silent;    /* the holes are times without a packet of anyone: nothing shows that the capture ran then */
};

/* A packet of an input; of none 'packet' is 0. */
struct packet_place {
    int64_t  ns;
    uint64_t packet;
    uint16_t input;
};
bool packet_place_before(const struct packet_place *, const struct packet_place *); /* by time; of one time by input and number */

/* One conversation's contribution; fed once for each conversation of the run (any order), allowed or not: all tell which ways the
 * capture sees. */
struct expect_fact {
    struct policy_query query;
    enum outcome outcome;
    uint64_t packets[2];        /* of the client's, the server's side */
    uint64_t bytes;             /* of both */
    bool     quoted;            /* known from the errors of 'icmp' alone: not a packet of it is in the capture */
    bool     one_sided;         /* one side acts on packets of the other, and none of those is in the capture */
    int64_t  first_ns, last_ns;
    uint64_t running;           /* of the flows: TCP, the server goes on with a connection of which nothing of the client is in the capture */
    uint64_t went_on;           /* of the flows: TCP, the client sent its SYN and then data, and nothing of the server is in the capture */
    uint64_t adrift;            /* of the flows: TCP, the client goes on with a connection of which nothing of the server is in the capture */
    struct packet_place goes_on; /* the first packet of the earliest of the running, or else of those adrift, as far as it is known */
    uint64_t undelivered, resent_syns; /* as in policy_facts */
    uint64_t ended;             /* of the flows: TCP, of a connection that began before, packets of both sides of which one's are its RST alone, or one segment ... */
    uint64_t ended_by_server, ended_by_nobody; /* ... how many of them by the server's RST; by none: a segment of the client, and no answer to it */
    uint64_t withdrawn;         /* of the flows: TCP, the client took its SYN back with a RST before an answer was due */
    uint64_t repeated_answers;  /* of the flows: TCP, the server's SYN-ACK, again and again, and nothing else */
    bool     answer_first;      /* the packet that is named the first is the server's */
    uint64_t refusals;          /* of the flows: TCP, one-way: the server's RST, ACK of the number 0 and nothing else */
    uint32_t asked;             /* UDP: of the flow that has the most, the client's packets that are a second apart */
    uint64_t stopped_late;      /* of the flows: as in policy_facts ... */
    bool     may_be_stopped;    /* ... and all of those in hand may be such, or the error was cut */
    bool     unasked;           /* NetBIOS names, and no flow shows a query of the client: no attempt.  With answers_group: the broadcast is not in the capture */
    bool     names_asked;       /* NetBIOS names, from port to port, and all queries are the client's: no attempt of the server, but no silence of it either */
    uint64_t probes, synless;   /* of the flows: TCP, established, the server's SYN-ACK came and the client's RST, and nothing else; of those: without a SYN */
    uint64_t flows, unfinished; /* of them TCP of which the capture has the server's SYN-ACK, and nothing more of the client */
    struct flow_icmp icmp;      /* of the first error, n_errors 0 where none */
    bool     errors_differ;     /* there are errors of other senders, or other kinds */
    bool     after_syn_ack;     /* as in policy_facts */
    uint64_t first_packet;
    uint16_t input;
    struct ttl_range rst, own;  /* as in policy_facts ... */
    bool     beside;            /* ... and this too */
};
#define POLICY_ANSWER_WITHIN_NS (3 * INT64_C(1000000000)) /* of packet time: then a client tries again */
struct expect_host {
    struct addr addr;
    int64_t  first_ns, last_ns;   /* of its own packets, in the window */
    int64_t  before_ns, after_ns; /* its last packet before the window, its first after it, as far as that is known yet; else 0 */
    uint64_t sent, received;      /* in the window */
    uint64_t resets;              /* RSTs in its name, not among those sent, that something else sent, or that are all of their flow */
    uint64_t sent_to_groups;      /* of those sent: to broadcast and multicast addresses */
    uint64_t cut;                 /* to it, of coverage.cut_told */
    uint64_t quoted;              /* ICMP errors about packets from or to it that were not captured */
    uint64_t older;               /* TCP flows of it that go on with a connection whose beginning was not captured; of those that begin in the window */
    bool     copies;              /* flows in which it sent have packets that the capture has twice, and they are counted twice */
};

struct expectation {
    uint32_t row, client_host;
    uint32_t server_host;       /* with 'every': one expectation for each server; else the server that was seen or tried first, or POLICY_NONE */
    enum expectation_outcome outcome;
    int64_t  first_ns;          /* first contact, 0 where none */
    uint64_t first_packet;      /* of it, as the facts say */
    uint16_t first_input;
    bool     first_is_sign;     /* it is a packet of the server, or an ICMP error: of the first attempt nothing of the client is in the capture, or only what came later */
    bool     ended;             /* goes_on is of an older connection that one side reset, or a segment of it that nobody answered, and nothing else was seen */
    struct packet_place goes_on; /* the first packet of a connection one side of which is not in the capture, where that is the result */
    int64_t  seen_ns, seen_last_ns; /* first and last packet of what met it; 0 where nothing did */
    uint64_t seen_packet;       /* the first of it */
    uint16_t seen_input;
    bool     seen_is_answer;    /* it is the server's SYN-ACK, of which the SYN is not in the capture */
    uint64_t attempts;
    uint64_t packets, bytes;    /* of the attempts, both ways; 0 in windows, for in which one each was is not kept */
    int64_t  last_ns;           /* of them; 0 where none */
    bool     tried_others;      /* attempts were at more hosts than 'server_host' */
    int64_t  within_ns;
    struct flow_icmp icmp;
    struct ttl_range rst, own;  /* of attempts that a RST ended, and of what the server surely sent; 0: not known */
    bool     weak;              /* never attempted, and the client was there before the capture; unanswered, and nothing was asked twice */
    size_t   advice_at;         /* where in the reason advice begins that another window may prove wrong; 0: nowhere */
    const char *reason;         /* one sentence, with what is missing to conclude where not covered; the expector's */
    int64_t  window_start_ns, window_end_ns; /* over which it was evaluated: [start, end) */
};

/* Where several could serve, or several were tried, those that would do: "a (192.0.2.1) or b (192.0.2.2)", of many the first and how many more.
 * Returns 'buf', or NULL where there is but one. */
const char *policy_expectation_servers(const struct policy *, const struct expectation *, char *buf, size_t size);

struct expector; /* one thread */
int  expector_new(const struct policy *, struct expector **ret, struct err *reterr);
void expector_conversation(struct expector *, const struct expect_fact *);
void expector_host(struct expector *, const struct expect_host *);
/* Results in document order of the rows, then host order of the site file.  'ret' is owned by the expector. */
int  expector_finish(struct expector *, const struct coverage *, const struct expectation **ret, size_t *ret_n, struct err *reterr);
/*
 * Windows, for observations that go on: each row and client is evaluated anew for every window of packet time, or, where the row's 'within'
 * is longer, for as many windows as it takes.  Called once, before the first fact:
 */
int  expector_windows(struct expector *, int64_t window_ns, struct err *reterr);
struct expect_window {
    int64_t start_ns, end_ns; /* [start, end); starts are multiples of the window's length (10:00, 11:00 ...) */
    bool    last;             /* nothing follows: what is not complete is concluded as it stands */
};
/*
 * The facts fed so far were all of this window (a flow that goes on belongs to every window that it touches); 'coverage' is of this window.
 * Gives the rows whose time ends with it, none where none does, and forgets what it needs no more: the memory taken does not
 * grow with the number of windows.  Windows come in the order of time, also those in which nothing was seen.  Results as of
 * expector_finish(), valid until the next call.
 */
int  expector_close(struct expector *, const struct expect_window *, const struct coverage *, const struct expectation **ret, size_t *ret_n,
                    struct err *reterr);
/* When the earliest of those rows ends that wait for more windows; INT64_MAX: none does.  Windows in which nothing was seen may be left out, but for
 * the one that ends there. */
int64_t expector_next_end(const struct expector *);
/* The results of all windows, in the order of time, as one for each row, client and (with 'every') server that was missing, and one for those
 * that failed: in how many windows, which was the first, and what was seen in it.  'ret' is the caller's: expectations_free().
 * 0, or -ENOMEM. */
int  expectations_sum_up(const struct policy *, const struct expectation *all, size_t n, struct expectation **ret, size_t *ret_n);
void expectations_free(struct expectation *, size_t n); /* with their reasons */
void expector_free(struct expector *);
/* Of all bytes, what acknowledgements may show to be missing before silence proves nothing: one in so many. */
#define COVERAGE_UNSEEN_SHARE 1000u
/* Does loss, as far as it is known, forbid conclusions from silence? */
bool coverage_is_lossy(const struct coverage *);
/* May what would have come back for each of 'n' packets, sent at a second's distance or more, be among what is known to be lost? */
bool coverage_may_hide(const struct coverage *, uint32_t n);
/* Does it hear one direction only of more sessions than its beginning cuts off? */
bool coverage_is_one_sided(const struct coverage *);
/* The longest time without a hole from 'from_ns' to 'to_ns'. */
int64_t coverage_watched(const struct coverage *, int64_t from_ns, int64_t to_ns);
/* All that was watched in it. */
int64_t coverage_heard(const struct coverage *, int64_t from_ns, int64_t to_ns);
/* The longest of somebody who was seen at both, and not known to be there in a stretch between that has neither. */
int64_t coverage_presence(const struct coverage *, int64_t from_ns, int64_t to_ns);
/* Was an attempt made so late that its answer may lie beyond the end of the capture, or in a hole? */
bool coverage_ends_before_answer(const struct coverage *, int64_t attempt_ns);

/* --- separation --------------------------------------------------------------------------------- */
/*
 * Passive evidence that something stands between two hosts that the document wants side by side (the Cautions of a matrix).
 * Says what the capture shows and how much that weighs; never that there is a firewall.
 */
struct separate_fact {
    struct tuple tuple;         /* ends, server's port and transport of one conversation */
    enum outcome outcome;
    bool     allowed;           /* by a row: silence on a port that the document does not open is no sign */
    int64_t  first_ns, last_ns;
    uint64_t flows, packets[2], bytes; /* packets of the client's, the server's side */
    uint64_t undelivered;       /* of the flows: as in policy_facts */
    struct flow_icmp icmp;      /* n_errors 0 where none */
    bool     errors_differ;     /* there are errors of other senders, or other kinds */
    struct ttl_range ttl[2];    /* of what the client, the server itself sent in flows that got through */
    struct ttl_range rst[2];    /* of RSTs in the client's, the server's name that are not like the rest of what it sent */
    struct ttl_seen places[2][N_TTL_PLACES]; /* the same by place of capture */
    bool     beside;            /* as in policy_facts */
    uint64_t resets;            /* flows with such a RST ... */
    uint64_t reset_packet;      /* ... and the first packet of the earliest of them, in 'reset_input' */
    uint16_t reset_input;
    int64_t  reset_ns;
    uint64_t conversation;      /* the caller's number for it */
    uint64_t first_packet;
    uint16_t input;
};

/* A finding of kind 'separated': one for each pair of hosts and section of the document. */
struct separation {
    uint32_t      host[2];      /* as the Caution names them: its first role, its second role */
    struct addr   addr[2];
    const char   *section;      /* borrowed */
    enum severity severity;     /* HIGH: strong evidence, MEDIUM: medium, NOTICE: weak alone */
    int64_t       first_ns, last_ns; /* of the conversations that are evidence */
    uint64_t      flows, packets, bytes;
    uint64_t      conversation; /* the first of them by weight, then the time of what it shows ... */
    uint64_t      packet;       /* ... and its packet: the ICMP error ('packet_shows'), or the first of the flow */
    bool          packet_shows;
    uint16_t      input;
    char          sentence[1536];
};

struct separator; /* one thread */
int  separator_new(const struct policy *, struct separator **ret, struct err *reterr);
/* Any order.  0, or -ENOMEM. */
int  separator_conversation(struct separator *, const struct separate_fact *);
/* By Caution, then pair.  'ret' is owned by the separator. */
int  separator_finish(struct separator *, const struct coverage *, const struct separation **ret, size_t *ret_n, struct err *reterr);
void separator_free(struct separator *);

#endif
