/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that are negotiated inside other flows: the parents of flows on dynamic ports.
 *
 * - DCE/RPC (C706, MS-RPCE): answers of the endpoint mapper (ept_map, ept_lookup), over TCP on any port and over
 *   UDP; string bindings in answers of the DCOM object resolver and activator (MS-DCOM); and the interface that a
 *   connection itself is bound to.  Both byte orders, NDR and NDR64.  Sealed stubs cannot be read and are counted.
 * - SIP (RFC 3261) over UDP and TCP with session descriptions (RFC 8866), and H.248 text (ITU-T H.248.1) with the same.
 * - SCCP (Cisco "Skinny"): where a station listens, where it is told to send, where it sends from.
 *
 * Content decides: a port is a hint only where a connection is picked up in the middle (TCP 135, 5060, 2000), for an
 * answer of an endpoint mapper whose bind was not seen, and for a first datagram that is no message (UDP 5060).
 *
 * Messages are read where they lie.  What a TCP segment leaves over waits in a buffer of a bounded pool; a message that
 * has nothing to announce is skipped without one.  Segments out of order are not held: the stream goes on at the next
 * segment that begins with a message.
 *
 * Memory: all taken by pinholes_new(), touched only as it is used; nothing is allocated later.  UDP needs none.
 * Threads: one struct pinholes belongs to one thread.
 */
#ifndef FLOWAUDIT_PINHOLE_H
#define FLOWAUDIT_PINHOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/addr.h"
#include "flowaudit/err.h"
#include "flowaudit/packet.h"

#define PINHOLE_MAX_MESSAGE 65536 /* a longer message is skipped, or read up to there (RPC in several fragments) */
#define PINHOLE_WHAT_SIZE   64
#define PINHOLE_UUID_SIZE   37 /* text of a UUID and its NUL */

/* One list, two projections (enum, stable name). */
#define PINHOLE_KINDS(X)                                                                                               \
    X(PINHOLE_EPM_MAP, "epm-map")       /* answer to "where is this interface?" */                                     \
    X(PINHOLE_EPM_LOOKUP, "epm-lookup") /* answer to "what is there?" */                                               \
    X(PINHOLE_RPC_BIND, "rpc-bind")     /* not a promise: the interface of the connection it is seen on */             \
    X(PINHOLE_DCOM_OXID, "dcom-oxid")   /* where an exported object is reached */                                      \
    X(PINHOLE_SIP_SDP, "sip-sdp")                                                                                      \
    X(PINHOLE_H248_SDP, "h248-sdp")                                                                                    \
    X(PINHOLE_SCCP_OPEN_ACK, "sccp-open-ack")   /* the station listens there */                                        \
    X(PINHOLE_SCCP_START, "sccp-start")         /* the station is told to send there */                                \
    X(PINHOLE_SCCP_START_ACK, "sccp-start-ack") /* the station sends from there */

enum pinhole_kind {
#define X(id, name) id,
    PINHOLE_KINDS(X)
#undef X
        PINHOLE_N_KINDS
};
const char *pinhole_kind_name(enum pinhole_kind);
/* Does it name a port of media, not one that a client connects to? */
static inline bool pinhole_is_media(enum pinhole_kind kind)
{
    return kind >= PINHOLE_SIP_SDP;
}

/* Media direction as the announcer has it (RFC 8866, 6.7).  "Hold" is everything but PINHOLE_SENDRECV. */
enum pinhole_way { PINHOLE_SENDRECV, PINHOLE_SENDONLY, PINHOLE_RECVONLY, PINHOLE_INACTIVE };
const char *pinhole_way_name(enum pinhole_way);

/* One announced endpoint.  All copyable with '='. */
struct pinhole {
    enum pinhole_kind kind;
    enum pinhole_way way;         /* media only */
    struct addr addr;             /* unspecified (0.0.0.0, ::): a media stream put on hold the old way; nothing opens */
    uint16_t port;                /* never 0 */
    uint8_t transport;            /* IPPROTO_TCP or IPPROTO_UDP */
    bool addr_assumed;            /* none was stated (0.0.0.0 in a tower, a host name): 'addr' is the announcer's */
    bool rtcp;                    /* the control port that goes with a media port: by convention the one after it (RFC 3550, 11) */
    bool rtcp_named;              /* no convention: it was named (a=rtcp, RFC 3605) */
    struct addr announcer;        /* source of the packet; for PINHOLE_RPC_BIND the server */
    struct addr requester;        /* the other end of the connection */
    char what[PINHOLE_WHAT_SIZE]; /* "DRSUAPI"; the UUID where it has no name here; "audio PCMU" */
    char uuid[PINHOLE_UUID_SIZE]; /* RPC: the interface, or "" (DCOM) */
    int64_t ts_ns;                /* of the packet that completed the message, as are the next two */
    uint64_t packet_number;
    uint16_t input;
};

/* From within pinhole_packet(); 'pinhole' is valid during the call, which must not call back.  Repeated messages
 * (retransmitted datagrams, renewed offers) are announced again. */
typedef void pinhole_fn(void *aux, const struct pinhole *pinhole);

struct pinholes_options {
    size_t max_flows; /* TCP connections followed at once; default 65536 */
    size_t max_bytes; /* for messages over several segments; default 8 MiB; at least 256 KiB */
};
void pinholes_options_default(struct pinholes_options *ret);

struct pinholes;
struct pinhole_state; /* one flow's */

/* 'options' may be NULL.  -EINVAL: below the least; -ENOMEM. */
int pinholes_new(const struct pinholes_options *, pinhole_fn *, void *aux, struct pinholes **ret, struct err *reterr);
void pinholes_free(struct pinholes *); /* whether or not every state was given back */

/* A state for a flow by its first packet with payload (or its second, where the first said nothing), or NULL: no
 * signalling, or no room (counted).  Cheap; shows nothing: call pinhole_packet() with the same packet. */
struct pinhole_state *pinhole_begin(struct pinholes *, const struct packet *first);
/* Shows a packet with payload.  'side' is 0 or 1: which end sent it, whichever is which, the same for the life of the
 * flow.  False: nothing more to be learned here; end the state. */
bool pinhole_packet(struct pinholes *, struct pinhole_state *, const struct packet *, unsigned side);
void pinhole_end(struct pinholes *, struct pinhole_state *); /* NULL: nothing */

struct pinholes_stats {
    uint64_t n_states, n_states_peak; /* TCP */
    uint64_t n_packets;               /* shown */
    uint64_t n_messages;              /* PDUs, SIP and SCCP messages, skipped ones included */
    uint64_t n_announced;
    uint64_t n_sealed;    /* RPC answers that would have been of interest and are encrypted */
    uint64_t n_lost;      /* times that a stream lost its place: a gap, or bytes that are no message */
    uint64_t n_no_state;  /* flows not followed for want of room */
    uint64_t n_no_buffer; /* messages given up for want of room */
};
void pinholes_stats(const struct pinholes *, struct pinholes_stats *ret);

#endif
