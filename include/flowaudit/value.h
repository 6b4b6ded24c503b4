/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain values that several stages hold: what a flow was, said without reference to the table
 * it was tracked in.  All copyable with '='; no pointers into packets.
 */
#ifndef FLOWAUDIT_VALUE_H
#define FLOWAUDIT_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "flowaudit/addr.h"

/* The time 'length_ns' (0 or more) after 'ns'; captures have times up to the last moment that there is, which is then the answer. */
static inline int64_t ns_after(int64_t ns, int64_t length_ns)
{
    return ns > INT64_MAX - length_ns ? INT64_MAX : ns + length_ns;
}

/* The two ends of a flow with the server's side told from the client's. */
struct tuple {
    struct addr client, server;
    uint16_t    client_port, server_port;
    uint8_t     transport; /* IPPROTO_TCP or IPPROTO_UDP */
};

/* What the decision "who is the client" rests on, best first. */
enum direction_basis {
    DIRECTION_SYN,       /* a SYN without ACK was seen: its sender is the client */
    DIRECTION_SYN_ACK,   /* a SYN-ACK was seen: its sender is the server */
    DIRECTION_STRAY,     /* a TCP segment without SYN and ACK was answered by a RST: nothing was open, and its sender tried */
    DIRECTION_CONTENT,   /* a request or an answer was recognised in the payload */
    DIRECTION_PORT,      /* one end's port is documented for that end's role, the other's is not */
    DIRECTION_FIRST,     /* the sender of the first packet (UDP: the usual case) */
    DIRECTION_UNKNOWN,   /* TCP picked up mid-stream and nothing above decided: client = first sender, a guess */
};
const char *direction_basis_name(enum direction_basis);

/* contract: conversations.outcome */
enum outcome {
    OUTCOME_ESTABLISHED, /* both directions carried data, or the handshake completed */
    OUTCOME_REFUSED,     /* by the server itself: RST to a SYN, ICMP port unreachable from the server */
    OUTCOME_PROHIBITED,  /* by something between: ICMP administratively prohibited, or an RST or ICMP error that did not come from the server */
    OUTCOME_UNANSWERED,  /* attempts and no reply */
    OUTCOME_ONE_WAY,     /* only one direction was captured, or only one direction is to be expected */
};
const char *outcome_name(enum outcome);

/* TCP as the wire showed it.  OPEN..: ended how is in flow_record.closed. */
enum tcp_state {
    TCP_STATE_NONE,        /* UDP */
    TCP_STATE_SYN,         /* SYN, nothing came back */
    TCP_STATE_SYN_ACK_ONLY,/* SYN-ACK seen, its SYN not; what came after shows in the counters */
    TCP_STATE_HALF_OPEN,   /* SYN and SYN-ACK, handshake not completed */
    TCP_STATE_ESTABLISHED, /* handshake completed, also that of two that opened at once */
    TCP_STATE_REFUSED,     /* RST answered the SYN, or a segment without SYN and ACK (DIRECTION_STRAY) */
    TCP_STATE_NO_SYN_ACK,  /* SYN and later packets, the SYN-ACK was not captured (nor, often, anything of the server) */
    TCP_STATE_MIDSTREAM,   /* no handshake packet seen */
    TCP_STATE_FLAGS_CUT,   /* the snap length cut the flags away */
};
const char *tcp_state_name(enum tcp_state);

#define FLOW_RESENT_SYNS_MAX 15 /* more of one flow are not counted */

enum flow_closed { FLOW_CLOSED_NONE, FLOW_CLOSED_FIN, FLOW_CLOSED_RST };

/* Why a record was written (RFC 5102 flowEndReason has the first four). */
enum flow_end {
    FLOW_END_IDLE,     /* idle timeout, 1 */
    FLOW_END_ACTIVE,   /* active timeout: the flow goes on in another record, 2 */
    FLOW_END_CLOSED,   /* end of flow detected (FIN both ways or RST) and a new one begins on the same 5-tuple, 3 */
    FLOW_END_FORCED,   /* the run ended, 4 */
    FLOW_END_EVICTED,  /* lack of resources, 5 */
};

/* TTLs (hop limits) of some packets; both 0 where there were none. */
struct ttl_range {
    uint8_t min, max;
};

static inline void ttl_range_add(struct ttl_range *r, uint8_t ttl)
{
    if (ttl == 0)
        return;
    if (r->min == 0 || ttl < r->min)
        r->min = ttl;
    if (ttl > r->max)
        r->max = ttl;
}

static inline void ttl_range_join(struct ttl_range *r, const struct ttl_range *other)
{
    ttl_range_add(r, other->min);
    ttl_range_add(r, other->max);
}

/* The same by place of capture: a number that is equal for packets of one place; the lowest bit tells that it may be several. */
#define N_TTL_PLACES 4
#define TTL_PLACE_VAGUE 1u
struct ttl_at {
    uint16_t         place;
    struct ttl_range ttl; /* 0: this and all after it are empty */
};

/* Of one side in many flows: what it surely sent itself, and the RSTs in its name.  Sorted by place; of more the first ones, so that they
 * are the same in whatever order flows come. */
struct ttl_seen {
    uint16_t         place;
    struct ttl_range own, rst; /* both 0: this and all after it are empty */
};

/* The entry of this place, made where there is none yet; NULL where there is no room. */
struct ttl_seen *ttl_seen_at(struct ttl_seen seen[static N_TTL_PLACES], uint16_t place);
void             ttl_seen_join(struct ttl_seen seen[static N_TTL_PLACES], const struct ttl_seen other[static N_TTL_PLACES]);
/* All places together: of what it sent itself, or of RSTs. */
struct ttl_range ttl_seen_own(const struct ttl_seen seen[static N_TTL_PLACES]);
struct ttl_range ttl_seen_rst(const struct ttl_seen seen[static N_TTL_PLACES]);
/* What it sent itself where RSTs in its name were seen; where there are none, or only such, anywhere. */
struct ttl_range ttl_seen_beside_rst(const struct ttl_seen seen[static N_TTL_PLACES]);
/* What it sent itself at this place; 0: nothing. */
struct ttl_range ttl_seen_own_at(const struct ttl_seen seen[static N_TTL_PLACES], uint16_t place);

/* The value that the sender most likely began with: stacks use one of four. */
static inline uint8_t ttl_initial(uint8_t ttl)
{
    return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* ICMP errors that quoted this flow: all are counted; the first "unreachable" is kept, or else the first of any type
 * (time exceeded, packet too big: no denial). */
struct flow_icmp {
    uint64_t    n_errors;      /* 0: the rest has no meaning */
    struct addr sender;
    uint8_t     type, code;
    bool        is_icmp6;
    bool        from_server;   /* sender is the server's address */
    bool        about_client_packet; /* the quoted packet went client to server */
    bool        after_answer;  /* the quoted direction's far end had already sent packets in this flow (end of a call: no refusal) */
    bool        differ;        /* the flow had errors of another kind or sender too */
    uint64_t    n_repeated;    /* of n_errors: copies of another, as where a span port shows packets twice */
    uint64_t    n_before;      /* packets that had gone in the quoted direction of the flow when it came, the quoted one among them; copies left out */
    uint64_t    n_copies;      /* copies among the packets of the client's side; of a conversation: in its flows with errors */
    uint64_t    n_early;       /* those that came before any packet of the flow, and not by the disorder of a capture: what they quote was not captured */
    uint64_t    n_at_last;     /* as n_before, of the last error, which came at 'last_ns' */
    int64_t     ts_ns, last_ns;
    uint64_t    packet_number;
    uint16_t    input;
    uint32_t    n_late;        /* of a conversation: its flows whose kept error came when some of the client's packets had gone, and no answer; else 0 */
};

/* What the content says (classify). */
enum app_basis {
    APP_NONE,      /* no payload, or nothing recognised */
    APP_CONTENT,   /* recognised by content, reliable enough to confirm or to contradict a row */
    APP_HINT,      /* "looks like": the second opinion, named in sentences, decides nothing */
};
#define APP_NAME_SIZE 32
struct app {
    enum app_basis basis;
    char     name[APP_NAME_SIZE];   /* the matrix's name for the protocol ("Kerberos", "DCE_RPC", "SMB", "TLS", ...), or the library's; "" with APP_NONE */
    char     detail[APP_NAME_SIZE]; /* more exact, for people ("SMBv1", "TLS.Skype_Teams"), or "" */
    uint32_t also;                  /* reserved for classify: bits of further matrix protocols that the content satisfies */
    bool     contradicts;           /* reliable enough to say "wrong protocol" where a row expects another */
};

/* Index 0: client to server, 1: server to client. */
struct flow_record {
    struct tuple         tuple;
    enum direction_basis direction;
    enum tcp_state       tcp_state;
    enum flow_closed     closed;
    bool                 closed_by_server; /* the first FIN or RST came from the server's side */
    enum flow_end        end;
    int64_t  first_ns, last_ns;
    int64_t  sent_first_ns[2], sent_last_ns[2]; /* of this direction's own packets; 0 where there are none */
    uint64_t packets[2], bytes[2], payload[2]; /* bytes: frame length on the wire; payload: transport payload on the wire */
    bool     sent_data[2];    /* TCP: some of this payload was not in a RST, which may carry its sender's reason (RFC 9293, 3.5.3) */
    uint64_t duplicates;      /* packets counted above that repeat an earlier one (same IP id, sequence and content): a span port that shows packets twice */
    uint64_t copies[2];       /* the same by direction */
    uint64_t retransmissions; /* TCP, data seen again with new IP id */
    uint64_t unseen_bytes[2]; /* TCP: acknowledged by the other side and never captured: loss at the span port */
    uint8_t  tcp_flags[2];    /* union of all flags */
    struct ttl_at ttl[2][N_TTL_PLACES]; /* of all packets but RSTs, by place; the first places only */
    bool     routed;          /* some packet was seen again at the same place with another TTL */
    uint8_t  rst_ttl;         /* TTL of the first RST, 0 where none */
    uint8_t  rst_other_ttl;   /* of another RST of the same side at the same place with another TTL, 0 where none */
    uint16_t rst_place;
    bool     rst_from_server_side; /* that RST was sent as if by the server */
    uint8_t  resent_syns;     /* TCP_STATE_HALF_OPEN: SYNs that the client sent again when the server's SYN-ACK was long out, copies aside; 0 where more is known of either */
    bool     answers_unacked; /* TCP: RST and ACK of one side and nothing else, the first with the sequence number 0: where it is one, it answers a segment without ACK, as a closed port does a SYN (RFC 9293, 3.10.7.1) */
    bool     server_went_on;  /* TCP_STATE_SYN_ACK_ONLY: it sent segments with ACK that are neither SYN nor RST */
    uint16_t vlan[2];         /* innermost tag of each direction's first packet, 0 = none */
    uint16_t encap;           /* enum packet_encap, union */
    bool     group;           /* to a multicast or broadcast IP address; or of UDP one way, as far as frames tell, to such a link-layer address (a subnet's broadcast) */
    bool     cut;             /* some packet of it was cut by the snap length */
    bool     has_fragments;
    uint16_t input;           /* of the first packet */
    uint32_t entry;           /* of the flow in its table: see flow_walk_passed() */
    uint64_t first_packet;    /* frame number of the first packet in that input */
    struct flow_icmp icmp;
    struct app app;
    bool     unasked;         /* NetBIOS names from port to port: nothing shows a query of the client, but queries of the server, or answers that may be to a broadcast */
    bool     query_missing;   /* of such names: the answer to a query of one host is in the capture, and no query of that host */
    bool     is_answer;       /* the first payload was an answer, or looked like one (classify_is_answer) */
    bool     is_damaged;      /* it is of one packet, the IP header of which has a wrong checksum */
    bool     answers_group;   /* a unicast answer to this host's broadcast or multicast query */
};

#endif
