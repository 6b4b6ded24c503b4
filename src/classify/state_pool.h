/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size, from chunks that are kept: once warm, taking and giving back allocate nothing. */
#ifndef CLASSIFY_STATE_POOL_H
#define CLASSIFY_STATE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct state_pool {
    size_t size;  /* of an object */
    size_t limit; /* bytes of all chunks; 0: none.  The first chunk is granted whatever the limit */
    size_t allocated;
    struct pool_chunk *chunks;
    void *unused; /* a list through the objects' first bytes */
    uint64_t n_taken, n_peak;
};

void state_pool_init(struct state_pool *, size_t size);
void *state_pool_take(struct state_pool *); /* zeroed; NULL under memory shortage, or at the limit */
void state_pool_give(struct state_pool *, void *object);
void state_pool_free(struct state_pool *); /* with the objects that were not given back */

#endif
