/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BLOCK_SIZE                                                                                             \
    ((size_t)512 * 1024)  /* stays in a second-level cache, and large enough to make read(2) cheap */
#define MIN_BLOCK_SIZE 64 /* holds any fixed header that is asked for */

int window_init(struct window *w, struct source *source, size_t block_size, struct err *reterr)
{
    if (block_size == 0)
        block_size = DEFAULT_BLOCK_SIZE;
    if (block_size < MIN_BLOCK_SIZE)
        block_size = MIN_BLOCK_SIZE;
    if (block_size > WINDOW_MAX_SIZE)
        block_size = WINDOW_MAX_SIZE;

    uint8_t *buf = malloc(block_size);
    if (buf == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a buffer of %zu bytes", block_size);
    *w = (struct window){.source = source, .buf = buf, .size = block_size, .block_size = block_size};
    return 0;
}

static void move_to_front(struct window *w)
{
    if (w->pos == 0)
        return;
    memmove(w->buf, w->buf + w->pos, w->end - w->pos);
    w->offset += w->pos;
    w->end -= w->pos;
    w->pos = 0;
}

/* The record fills the buffer: twice as much, so that memory follows the bytes that really came. */
static int grow(struct window *w, struct err *reterr)
{
    size_t size = w->size > WINDOW_MAX_SIZE / 2 ? WINDOW_MAX_SIZE : w->size * 2;
    uint8_t *buf = realloc(w->buf, size);

    if (buf == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a buffer of %zu bytes", size);
    w->buf = buf;
    w->size = size;
    return 0;
}

int window_fill(struct window *w, size_t need, struct err *reterr)
{
    if (need > WINDOW_MAX_SIZE)
        return err_set(reterr, -EMSGSIZE, "a record of %zu bytes is not held in memory", need);
    if (window_left(w) < need)
        move_to_front(w);
    while (window_left(w) < need) {
        int rc = w->end == w->size ? grow(w, reterr) : 0;
        if (rc < 0)
            return rc;

        size_t room = w->size - w->end;
        ssize_t n = source_read(w->source, w->buf + w->end, room < w->block_size ? room : w->block_size, reterr);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        w->end += (size_t)n;
    }
    return 0;
}

int window_skip(struct window *w, uint64_t *left, struct err *reterr)
{
    while (*left > 0) {
        if (window_left(w) == 0) {
            int rc = window_fill(w, 1, reterr);
            if (rc < 0)
                return rc;
            if (window_left(w) == 0)
                break;
        }
        size_t step = window_left(w) < *left ? window_left(w) : (size_t)*left;
        w->pos += step;
        *left -= step;
    }
    return 0;
}

void window_clear(struct window *w)
{
    free(w->buf);
    *w = (struct window){0};
}
