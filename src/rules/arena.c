/* SPDX-License-Identifier: Apache-2.0 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define CHUNK_SIZE    ((size_t)64 << 10) /* grows with the arena, up to LARGEST_CHUNK */
#define LARGEST_CHUNK ((size_t)8 << 20)

struct chunk {
    struct chunk *next;
    size_t size, used;
    alignas(max_align_t) unsigned char bytes[];
};

/* Texts and structures in chunks of their own: texts need no alignment and are many. */
struct rules_arena {
    struct chunk *texts, *others;
};

struct rules_arena *arena_new(void)
{
    return calloc(1, sizeof(struct rules_arena));
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;

        free(c);
        c = next;
    }
}

void arena_free(struct rules_arena *a)
{
    if (a == NULL)
        return;
    free_chunks(a->texts);
    free_chunks(a->others);
    free(a);
}

static void *take(struct chunk **list, size_t size)
{
    struct chunk *c = *list;

    if (c == NULL || size > c->size - c->used) {
        size_t next = c == NULL ? CHUNK_SIZE : c->size < LARGEST_CHUNK ? 2 * c->size : LARGEST_CHUNK;

        if (next < size)
            next = size;
        if (next > SIZE_MAX - sizeof(*c))
            return NULL;
        c = malloc(sizeof(*c) + next);
        if (c == NULL)
            return NULL;
        *c = (struct chunk){.next = *list, .size = next};
        *list = c;
    }
    void *ret = c->bytes + c->used;
    c->used += size;
    return ret;
}

void *arena_alloc(struct rules_arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);

    if (size > SIZE_MAX - align)
        return NULL;
    size = (size + align - 1) / align * align;
    void *ret = take(&a->others, size);
    if (ret != NULL)
        memset(ret, 0, size);
    return ret;
}

char *arena_text(struct rules_arena *a, const char *text, size_t len)
{
    char *ret = len < SIZE_MAX ? take(&a->texts, len + 1) : NULL;

    if (ret != NULL) {
        if (text != NULL)
            memcpy(ret, text, len);
        ret[len] = '\0';
    }
    return ret;
}
