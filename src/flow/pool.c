/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <errno.h>
#include <sys/mman.h>

#define SMALL_STEP ((size_t)64 << 10)
#define LARGE_STEP ((size_t)2 << 20) /* a huge page of x86-64 and of arm64 with 4 KiB pages */
#define MIN_ENTRIES 16               /* in one step */

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t pool_first_step(size_t stride)
{
    return round_up(stride * MIN_ENTRIES, SMALL_STEP);
}

static void *reserve(size_t size, int protection)
{
    void *p = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static bool pool_reserve(struct pool *p, size_t size)
{
    size_t n_entries = size / p->stride + 1;

    p->reserved = size;
    p->bitmap_size = round_up(n_entries, 64) / 8;
    p->base = reserve(size, PROT_NONE);
    p->used = reserve(p->bitmap_size, PROT_READ | PROT_WRITE);
    p->weak = reserve(p->bitmap_size, PROT_READ | PROT_WRITE);
    if (p->base != NULL && p->used != NULL && p->weak != NULL)
        return true;
    pool_free(p);
    return false;
}

int pool_init(struct pool *p, size_t stride, size_t max_bytes, struct err *reterr)
{
    size_t least = pool_first_step(stride);
    size_t most = (size_t)(INT32_MAX - 1) * stride;
    size_t size = max_bytes < most ? max_bytes : most;

    *p = (struct pool){.stride = stride};
    size = round_up(size > least ? size : least, LARGE_STEP);
    /* Address space may be bounded too (RLIMIT_AS): take what there is. */
    while (!pool_reserve(p, size)) {
        p->stride = stride;
        if (size / 2 < least)
            return err_set(reterr, -ENOMEM, "no address space for the flow table");
        size = round_up(size / 2, SMALL_STEP);
    }
    madvise(p->base, p->reserved, MADV_HUGEPAGE); /* a hint: tables of millions of flows gain a third */
    if (!pool_grow(p, least)) {
        pool_free(p);
        return err_set(reterr, -ENOMEM, "no memory for the flow table");
    }
    return 0;
}

void pool_free(struct pool *p)
{
    if (p->base != NULL)
        munmap(p->base, p->reserved);
    if (p->used != NULL)
        munmap(p->used, p->bitmap_size);
    if (p->weak != NULL)
        munmap(p->weak, p->bitmap_size);
    *p = (struct pool){.stride = p->stride};
}

size_t pool_step(const struct pool *p, bool smallest)
{
    if (smallest || p->committed < LARGE_STEP)
        return pool_first_step(p->stride);
    return LARGE_STEP + (LARGE_STEP - p->committed % LARGE_STEP) % LARGE_STEP;
}

bool pool_grow(struct pool *p, size_t step)
{
    if (step > p->reserved - p->committed)
        return false;
    if (mprotect(p->base + p->committed, step, PROT_READ | PROT_WRITE) != 0)
        return false;
    p->committed += step;
    return true;
}

bool pool_next(struct pool *p, bool weak, uint32_t *ret)
{
    const uint64_t *map = weak ? p->weak : p->used;
    uint32_t        n_words = p->n_fresh / 64 + 1;

    if ((weak ? p->n_weak : p->n_used) == 0)
        return false;
    if (p->hand >= p->n_fresh)
        p->hand = 0;

    uint32_t word = p->hand / 64;
    uint64_t bits = map[word] & (UINT64_MAX << (p->hand % 64));
    while (bits == 0) { /* ends: at least one bit is set */
        word = word + 1 < n_words ? word + 1 : 0;
        bits = map[word];
    }
    *ret = word * 64 + (uint32_t)__builtin_ctzll(bits);
    p->hand = *ret + 1;
    return true;
}
