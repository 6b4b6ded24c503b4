/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"

#include <errno.h>
#include <stdlib.h>

int blocks_init(struct blocks *b, size_t size, size_t n)
{
    size_t align = sizeof(max_align_t);

    *b = (struct blocks){.size = (size + align - 1) / align * align, .n = n};
    if (n > SIZE_MAX / b->size)
        return -ENOMEM;
    b->memory = malloc(n * b->size);
    return b->memory == NULL ? -ENOMEM : 0;
}

void blocks_free(struct blocks *b)
{
    free(b->memory);
    b->memory = NULL;
}

void *blocks_take(struct blocks *b)
{
    void *block = b->unused;

    if (block != NULL)
        b->unused = *(void **)block;
    else if (b->n_new < b->n)
        block = b->memory + b->size * b->n_new++;
    else
        return NULL;
    if (++b->n_taken > b->n_peak)
        b->n_peak = b->n_taken;
    return block;
}

void blocks_give(struct blocks *b, void *block)
{
    *(void **)block = b->unused;
    b->unused = block;
    b->n_taken--;
}
