/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was negotiated in-band, kept until the run ends: the parents of flows on dynamic ports.
 *
 * Bounded: of more than MAX_ANNOUNCEMENTS those of the lowest ranks are kept (see rank.h), the others are counted.  Of binds, which every RPC connection makes, the earliest of one
 * client to one interface of one endpoint is kept: no other one is ever asked for.
 */
#ifndef ENGINE_ANNOUNCE_H
#define ENGINE_ANNOUNCE_H

#include <stddef.h>

#include "flowaudit/hash.h"
#include "flowaudit/pinhole.h"
#include "flowaudit/value.h"

struct announcements {
    struct pinhole *items;
    size_t          n, n_allocated;
    uint64_t        n_lost;    /* but for binds */
    bool            lost_binds, is_bounded;
    uint64_t        threshold; /* is_bounded: the highest rank that is kept */
    uint32_t       *binds; /* index + 1 of a bind, by its hash; power of two, at most half full.  NULL: not indexed */
    size_t          n_binds, n_bind_slots;
    struct hash_key key;
};

/* Keeps a copy, repeated promises too: which one came first must not depend on how packets were shared out. */
void announcements_add(struct announcements *, const struct pinhole *);
/* All of 'from' into 'to', and 'from' is empty; -ENOMEM: both are as they were. */
int  announcements_merge(struct announcements *to, struct announcements *from);
uint64_t announcements_lost(const struct announcements *); /* at least */
/* Bounds them all.  By address, port, transport, binds last, time: before the first look-up. */
void announcements_sort(struct announcements *);
/* The latest promise of this endpoint that was made by 'at_ns' (or, of media, a moment later: those of an early answer may come before
 * the message that names their port).  NULL: none. */
const struct pinhole *announcements_find(const struct announcements *, const struct addr *, uint16_t port, uint8_t transport, int64_t at_ns);
/* The interface that a connection to this endpoint was bound to (PINHOLE_RPC_BIND), or NULL. */
const struct pinhole *announcements_bind(const struct announcements *, const struct addr *, uint16_t port);
void announcements_clear(struct announcements *);

#endif
