/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers of this module share.
 *
 * A reader of a stream protocol is one function, 'take', that is shown bytes from the beginning of a message on.  It is
 * called again with more bytes after TAKE_WAIT and TAKE_MORE, so it acts (announces, remembers) only on the way to
 * TAKE_DONE.
 */
#ifndef PINHOLE_PRIVATE_H
#define PINHOLE_PRIVATE_H

#include "blocks.h"
#include "flowaudit/pinhole.h"

#define BUFFER_SMALL 4096 /* most messages that are cut by a segment's end fit */

enum protocol {
    PROTOCOL_NONE,
    PROTOCOL_RPC,
    PROTOCOL_RPC_UDP,
    PROTOCOL_SIP,
    PROTOCOL_H248,
    PROTOCOL_SCCP,
    N_PROTOCOLS
};

/* What an RPC interface is to this module. */
enum rpc_role { RPC_OTHER, RPC_EPM, RPC_OXID, RPC_ACTIVATOR, RPC_CALLBACK /* of a server at its client */ };

#define RPC_MAX_CONTEXTS 16 /* of one bind that are looked at */
#define RPC_MAX_KNOWN    8  /* accepted contexts of interest */
#define RPC_MAX_CALLS    8  /* calls of interest without an answer */

struct rpc_context {
    uint16_t id;
    uint8_t role;
    bool wide, reported;
    uint8_t uuid[16]; /* in the order of its text */
};
struct rpc_known {
    uint16_t id;
    uint8_t role;
    bool wide; /* NDR64 */
};
struct rpc_call {
    uint32_t id;
    uint16_t context, opnum;
    bool used;
};

/* A connection-oriented RPC association. */
struct rpc {
    struct rpc_context asked[RPC_MAX_CONTEXTS]; /* of the last bind or alter context, until it is answered */
    struct rpc_known known[RPC_MAX_KNOWN];
    struct rpc_call calls[RPC_MAX_CALLS];
    uint8_t n_asked, n_known, next_call;
    bool bound;             /* a bind was seen */
    uint32_t gathered_call; /* an answer in several fragments: */
    uint32_t stub_len;
    uint8_t *stub; /* a large buffer, or NULL */
};

/* One direction of a TCP connection. */
struct stream {
    uint32_t next;    /* sequence number */
    uint32_t skip;    /* bytes of a message that is of no interest */
    uint32_t have;    /* bytes in 'buffer' */
    uint32_t want;    /* up to which it is worth while to gather, or must be gathered: */
    uint32_t scanned; /* SIP: bytes of the message in which the header does not end */
    bool started, synced, large, must;
    uint8_t *buffer; /* of either size; NULL: none */
};

struct pinhole_state {
    enum protocol protocol;
    unsigned n_strange; /* segments in a row that were not understood */
    struct stream streams[2];
    struct rpc rpc; /* last: what the others do not have is not cleared for them */
};

struct pinholes {
    pinhole_fn *fn;
    void *aux;
    struct pinhole_state datagram[N_PROTOCOLS]; /* stand for flows that need no state */
    struct blocks states, small, large;
    struct pinholes_stats stats;
};

/* What a reader works with: one packet of one flow. */
struct look {
    struct pinholes *all;
    struct pinhole_state *state;
    struct stream *stream; /* NULL: a datagram */
    const struct packet *packet;
};

enum take {
    TAKE_DONE, /* '*ret_n' bytes are a message; where fewer are there, the rest is of no interest */
    TAKE_WAIT, /* show it again when '*ret_n' bytes are there, and not before */
    TAKE_MORE, /* show it again with any more bytes; up to '*ret_n' are worth gathering */
    TAKE_LOST, /* not the beginning of a message */
};
/* Both are more than there are now, and at most PINHOLE_MAX_MESSAGE. */
typedef enum take take_fn(struct look *, const uint8_t *p, size_t len, size_t *ret_n);

take_fn rpc_take, sip_take, sccp_take;
void rpc_drop(struct pinholes *, struct pinhole_state *); /* an answer that was being gathered */
void rpc_datagram(struct look *);
void sip_datagram(struct look *);
void h248_datagram(struct look *);

/* Does a payload begin like a message? */
bool rpc_begins(const uint8_t *p, size_t len);
bool rpc_datagram_begins(const uint8_t *p, size_t len);
bool sip_begins(const uint8_t *p, size_t len);
bool h248_begins(const uint8_t *p, size_t len);
bool sccp_begins(const uint8_t *p, size_t len);
bool sccp_fills(const uint8_t *p, size_t len); /* messages from end to end, the first of a kind that is known */

/* Where, when and by whom (the sender, or its peer) is filled in from the packet; the rest is the reader's.  Nothing
 * happens where the port is 0. */
void announce(struct look *, struct pinhole *);
void announce_for_peer(struct look *, struct pinhole *);
/* The same, and once more for the RTCP port behind it. */
void announce_media(struct look *, struct pinhole *);
bool addr_is_unspecified(const struct addr *);

struct rpc_stub {
    const uint8_t *p;
    size_t len;
    bool little, wide; /* byte order; NDR64 */
};
/* epm.c: the towers in an answer of the endpoint mapper, PINHOLE_EPM_MAP or PINHOLE_EPM_LOOKUP.  False: it is none. */
bool epm_answer(struct look *, const struct rpc_stub *, enum pinhole_kind);
/* oxid.c: string bindings "host[port]" in the answer of an object resolver or activator. */
void oxid_answer(struct look *, const struct rpc_stub *);

/* interfaces.c */
void uuid_read(const uint8_t *p, bool little, uint8_t ret[static 16]);
const char *uuid_text(const uint8_t uuid[static 16], char ret[static PINHOLE_UUID_SIZE]);
/* Fills 'what' and 'uuid'. */
void interface_name(const uint8_t uuid[static 16], struct pinhole *ret);
enum rpc_role interface_role(const uint8_t uuid[static 16]);

/* sdp.c */
void sdp_announce(struct look *, enum pinhole_kind, const char *p, size_t len);

#endif
