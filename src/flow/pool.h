/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal entries that grows in place: address space is reserved once, and made usable step by step,
 * so that entries never move and an index is all that a reference needs.
 *
 * Besides the entries a pool keeps two bitmaps, 'used' and 'weak' (may be given up first), and a clock hand over them.
 * The order in which entries are handed out depends on the calls alone.
 */
#ifndef FLOW_POOL_H
#define FLOW_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

struct pool {
    uint8_t  *base;
    size_t    stride;
    size_t    committed;   /* bytes usable so far */
    size_t    reserved;    /* bytes of address space */
    uint32_t  n_fresh;     /* entries below this were handed out at least once */
    uint32_t  n_used, n_weak;
    uint32_t  free_head;   /* index + 1 of the entry freed last, 0 = none; the link lies in the entry's first bytes */
    uint32_t  hand;
    uint64_t *used, *weak; /* bitmaps */
    size_t    bitmap_size;
};

int  pool_init(struct pool *, size_t stride, size_t max_bytes, struct err *reterr);
void pool_free(struct pool *);

/* The bytes by which pool_grow() would grow next: small at first, 2 MiB later on, so that huge pages can back it. */
size_t pool_step(const struct pool *, bool smallest);
bool   pool_grow(struct pool *, size_t step);

/* Hands out an entry; false where none is left without growing.  Its bytes are not cleared. */
bool pool_take(struct pool *, uint32_t *ret);
void pool_give_back(struct pool *, uint32_t index);

static inline void *pool_at(const struct pool *p, uint32_t index)
{
    return p->base + index * p->stride;
}

static inline bool pool_is_used(const struct pool *p, uint32_t index)
{
    return index < p->n_fresh && ((p->used[index / 64] >> (index % 64)) & 1) != 0;
}
void pool_set_weak(struct pool *, uint32_t index, bool weak);

/* Moves the hand to the next used (or weak) entry and past it.  False where there is none. */
bool pool_next(struct pool *, bool weak, uint32_t *ret);

#endif
