/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets one after another in a piece of memory that is used round and round.  Between a worker and the recorder it is a queue (one writes, one
 * reads, nobody waits); the recorder's own has no reader and loses its oldest.
 */
#ifndef EVIDENCE_RING_H
#define EVIDENCE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/addr.h"

enum kept_flag {
    KEPT_SKIP = 1 << 0,     /* no packet: the rest of the memory up to its end */
    KEPT_FRAGMENT = 1 << 1, /* a later one: no ports */
    KEPT_WRITTEN = 1 << 2,
    KEPT_LOOKED = 1 << 3,   /* at least once */
    KEPT_TWICE = 1 << 4,
};

/* Before the bytes of each packet.  Ends are the innermost; of an ICMP error those of the packet that it quotes. */
struct kept {
    uint32_t size;    /* with this head, in the ring */
    uint32_t run;
    int64_t  ts_ns;
    struct addr addr[2]; /* from, to */
    uint16_t port[2];
    uint16_t input, linktype, interface_id;
    uint8_t  transport;
    uint8_t  flags;
    uint32_t caplen, wirelen;
};

struct ring {
    uint8_t         *bytes;
    size_t           size;
    _Atomic uint64_t head, tail; /* bytes written and read since the start */
};

bool ring_new(struct ring *, size_t size);
void ring_clear(struct ring *);
/* Room for a head and so many bytes; NULL: there is none.  ring_put() then makes it visible. */
struct kept *ring_room(struct ring *, size_t caplen);
void ring_put(struct ring *, struct kept *);
/* The oldest, or NULL; ring_drop() takes it away. */
struct kept *ring_oldest(struct ring *);
void ring_drop(struct ring *, const struct kept *);
/* One after another from *at (begin with ring->tail); NULL: there are no more. */
struct kept *ring_next(const struct ring *, uint64_t *at);

#endif
