/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "state_pool.h"

#define POOL_CHUNK 64 /* objects */

struct pool_chunk {
    struct pool_chunk *next;
    max_align_t objects[];
};

void state_pool_init(struct state_pool *pool, size_t size)
{
    size_t align = sizeof(max_align_t);

    *pool = (struct state_pool){.size = (size + align - 1) / align * align};
}

static int pool_grow(struct state_pool *pool)
{
    size_t size = sizeof(struct pool_chunk) + pool->size * POOL_CHUNK;

    if (pool->limit != 0 && pool->allocated != 0 && pool->allocated + size > pool->limit)
        return -1;
    struct pool_chunk *chunk = malloc(size);
    if (chunk == NULL)
        return -1;
    pool->allocated += size;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (size_t i = POOL_CHUNK; i > 0; i--) {
        void **object = (void **)(void *)&chunk->objects[(i - 1) * (pool->size / sizeof(max_align_t))];
        *object = pool->unused;
        pool->unused = object;
    }
    return 0;
}

void *state_pool_take(struct state_pool *pool)
{
    if (pool->unused == NULL && pool_grow(pool) < 0)
        return NULL;
    void *object = pool->unused;
    pool->unused = *(void **)object;
    memset(object, 0, pool->size);
    if (++pool->n_taken > pool->n_peak)
        pool->n_peak = pool->n_taken;
    return object;
}

void state_pool_give(struct state_pool *pool, void *object)
{
    *(void **)object = pool->unused;
    pool->unused = object;
    pool->n_taken--;
}

void state_pool_free(struct state_pool *pool)
{
    while (pool->chunks != NULL) {
        struct pool_chunk *next = pool->chunks->next;
        free(pool->chunks);
        pool->chunks = next;
    }
    *pool = (struct state_pool){.size = pool->size, .limit = pool->limit};
}
