/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

bool ring_new(struct ring *r, size_t size)
{
    *r = (struct ring){.bytes = malloc(size), .size = size};
    if (r->bytes != NULL)
        memset(r->bytes, 0, size); /* the memory is there before the first packet */
    return r->bytes != NULL;
}

void ring_clear(struct ring *r)
{
    free(r->bytes);
    r->bytes = NULL;
}

static size_t size_with_head(size_t caplen)
{
    return (sizeof(struct kept) + caplen + 7) & ~(size_t)7;
}

struct kept *ring_room(struct ring *r, size_t caplen)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed), tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    size_t   wanted = size_with_head(caplen), at = head % r->size, left = r->size - at, skipped = left < wanted ? left : 0;

    if (head + skipped + wanted - tail > r->size)
        return NULL;
    if (skipped > 0) {
        /* Less than a head may be left: then nobody looks there. */
        if (skipped >= sizeof(struct kept))
            *(struct kept *)(void *)(r->bytes + at) = (struct kept){.size = (uint32_t)skipped, .flags = KEPT_SKIP};
        atomic_store_explicit(&r->head, head + skipped, memory_order_release);
        at = 0;
    }
    struct kept *k = (struct kept *)(void *)(r->bytes + at);
    *k = (struct kept){.size = (uint32_t)wanted, .caplen = (uint32_t)caplen};
    return k;
}

void ring_put(struct ring *r, struct kept *k)
{
    atomic_store_explicit(&r->head, atomic_load_explicit(&r->head, memory_order_relaxed) + k->size, memory_order_release);
}

struct kept *ring_next(const struct ring *r, uint64_t *at)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

    while (*at < head) {
        size_t       place = *at % r->size, left = r->size - place;
        struct kept *k = (struct kept *)(void *)(r->bytes + place);

        if (left >= sizeof(struct kept) && (k->flags & KEPT_SKIP) == 0) {
            *at += k->size;
            return k;
        }
        *at += left;
    }
    return NULL;
}

struct kept *ring_oldest(struct ring *r)
{
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);

    return ring_next(r, &at);
}

void ring_drop(struct ring *r, const struct kept *k)
{
    uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);

    if (ring_next(r, &at) == k)
        atomic_store_explicit(&r->tail, at, memory_order_release);
}
