/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets are wanted: a table of ends, each with the number of packets that were written for it. */
#ifndef EVIDENCE_WANT_H
#define EVIDENCE_WANT_H

#include "flowaudit/hash.h"
#include "flowaudit/keeper.h"
#include "ring.h"

#define MOST_WANTS (1u << 17)

/* Compared as bytes. */
struct want_key {
    struct addr client, server;
    uint16_t    server_port, pad;
    uint8_t     transport, pair; /* 'pair': all that these two say to each other, the smaller address first */
    uint16_t    pad2;
};

struct want_entry {
    struct want_key key;
    bool            used, all; /* of a pair: not only the time before */
    uint32_t        n_written;
    int64_t         from_ns, to_ns; /* of a pair: before its conversations began */
};

struct wants {
    struct hash_key    hash_key;
    struct want_entry *slots; /* open addressing, at most half full */
    size_t             n, n_slots;
    uint64_t           n_refused;
    bool               any_clients, any_ports; /* is there a sum at all? */
};

int  wants_new(struct wants *, struct err *reterr);
void wants_clear(struct wants *);
void wants_forget(struct wants *);
void wants_add(struct wants *, const struct keeper_want *);
/* What wants this packet, or NULL. */
struct want_entry *wants_of(struct wants *, const struct kept *);

#endif
