/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size, from chunks that are kept: once warm, taking and giving back allocate nothing. */
#ifndef CLASSIFY_POOL_H
#define CLASSIFY_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    size_t             size;   /* of an object */
    struct pool_chunk *chunks;
    void              *unused; /* a list through the objects' first bytes */
    uint64_t           n_taken, n_peak;
};

void  pool_init(struct pool *, size_t size);
void *pool_take(struct pool *); /* zeroed; NULL under memory shortage */
void  pool_give(struct pool *, void *object);
void  pool_free(struct pool *); /* with the objects that were not given back */

#endif
