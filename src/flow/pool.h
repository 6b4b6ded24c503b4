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

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static inline void *pool_at(const struct pool *p, uint32_t index)
{
    return p->base + index * p->stride;
}

static inline bool pool_is_used(const struct pool *p, uint32_t index)
{
    return index < p->n_fresh && ((p->used[index / 64] >> (index % 64)) & 1) != 0;
}

/* --- each flow takes and gives back entries of several pools, so that none of this is a call --- */

/* Hands out an entry; false where none is left without growing.  Its bytes are not cleared. */
static inline bool pool_take(struct pool *p, uint32_t *ret)
{
    uint32_t i = p->n_fresh;

    if (p->free_head != 0) {
        i = p->free_head - 1;
        memcpy(&p->free_head, pool_at(p, i), sizeof(p->free_head));
    } else if ((size_t)(i + 1) * p->stride <= p->committed) {
        p->n_fresh++;
    } else {
        return false;
    }
    p->used[i / 64] |= UINT64_C(1) << (i % 64);
    p->n_used++;
    *ret = i;
    return true;
}

static inline void pool_set_weak(struct pool *p, uint32_t index, bool weak)
{
    uint64_t *word = &p->weak[index / 64], bit = UINT64_C(1) << (index % 64);

    if (((*word & bit) != 0) == weak)
        return;
    *word ^= bit;
    p->n_weak += weak ? 1 : UINT32_MAX;
}

static inline void pool_give_back(struct pool *p, uint32_t index)
{
    assert(pool_is_used(p, index));
    pool_set_weak(p, index, false);
    p->used[index / 64] ^= UINT64_C(1) << (index % 64);
    p->n_used--;
    memcpy(pool_at(p, index), &p->free_head, sizeof(p->free_head));
    p->free_head = index + 1;
}

/* Moves the hand to the next used (or weak) entry and past it.  False where there is none. */
bool pool_next(struct pool *, bool weak, uint32_t *ret);

#endif
