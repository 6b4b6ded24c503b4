/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of one size out of one piece of memory of fixed size, whose pages are touched only as blocks are taken. */
#ifndef PINHOLE_BLOCKS_H
#define PINHOLE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

struct blocks {
    size_t size;     /* of a block: a multiple of what any type must be aligned to */
    size_t n, n_new; /* in all; touched so far */
    size_t n_taken, n_peak;
    uint8_t *memory;
    void *unused; /* a list through the blocks' first bytes */
};

int blocks_init(struct blocks *, size_t size, size_t n); /* 0 or -ENOMEM */
void blocks_free(struct blocks *);
void *blocks_take(struct blocks *); /* not zeroed; NULL: all taken */
void blocks_give(struct blocks *, void *block);

#endif
