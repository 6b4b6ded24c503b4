/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a flow table: from the hash of a key to references, in slots of 8 bytes.
 *
 * Extendible hashing (Fagin et al. 1979): a directory of segments, each an open-addressing table of its own.  A
 * segment that fills up is split in two, so that growing costs a bounded amount at a time and touches no flow.
 */
#ifndef FLOW_INDEX_H
#define FLOW_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

#define SEGMENT_SLOTS 4096u
#define SEGMENT_FULL (SEGMENT_SLOTS / 8 * 5) /* split beyond: then 1.8 slots are looked at for a hit, 4 for a miss */

struct slot {
    uint32_t tag; /* of the hash */
    uint32_t ref; /* 0 = empty */
};

struct segment {
    struct slot slots[SEGMENT_SLOTS];
    uint32_t    n;
    uint32_t    depth; /* this many leading bits of the tag are equal in all of it */
};

struct index {
    struct segment **directory; /* 2^depth */
    unsigned         depth;
    size_t           n_segments;
};

int  index_init(struct index *, struct err *reterr);
void index_free(struct index *);
/* Empties it and gives the memory back, but for one segment. */
void index_clear(struct index *);

static inline uint32_t index_tag(uint64_t hash)
{
    return (uint32_t)hash;
}

static inline struct segment *index_segment(const struct index *x, uint32_t tag)
{
    return x->directory[(uint64_t)tag >> (32 - x->depth)];
}

/* Walks the references under a tag: start with *pos = tag % SEGMENT_SLOTS; 0 ends it. */
static inline uint32_t index_probe(const struct segment *s, uint32_t tag, uint32_t *pos)
{
    for (;;) {
        struct slot slot = s->slots[*pos % SEGMENT_SLOTS];

        if (slot.ref == 0)
            return 0;
        ++*pos;
        if (slot.tag == tag)
            return slot.ref;
    }
}

bool   index_insert(struct index *, uint32_t tag, uint32_t ref); /* false: no memory */
void   index_remove(struct index *, uint32_t tag, uint32_t ref);
size_t index_memory(const struct index *);

#endif
