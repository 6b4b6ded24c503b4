/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A piece of the (decompressed) input in memory, read block by block.
 *
 * Records are looked at where they lie.  One that straddles the end of a block is moved to the front before the
 * next block is read behind it; one that is longer than the buffer makes the buffer grow as its bytes
 * come in, never on the word of a length field alone.
 */
#ifndef FLOWAUDIT_CAPTURE_WINDOW_H
#define FLOWAUDIT_CAPTURE_WINDOW_H

#include <stdint.h>

#include "source.h"

#define WINDOW_MAX_SIZE ((size_t)256 * 1024 * 1024) /* longest record that is held */

struct window {
    struct source *source; /* borrowed */
    uint8_t *buf;
    size_t size, block_size;
    size_t pos, end; /* unread bytes are buf[pos] to buf[end - 1] */
    uint64_t offset; /* of buf[0] in the input */
};

int window_init(struct window *, struct source *, size_t block_size, struct err *reterr);

/* Reads until 'need' bytes are unread or the input ends; invalidates pointers into the window.
 * 0 (see window_left()), or negative as source_read(); -EMSGSIZE: 'need' is beyond WINDOW_MAX_SIZE. */
int window_fill(struct window *, size_t need, struct err *reterr);

/* Passes over 'n' bytes of any number without holding them; invalidates pointers.  The bytes that were missing are left
 * in 'left' (0: all passed), so that an interrupted call can be taken up again. */
int window_skip(struct window *, uint64_t *left, struct err *reterr);

static inline size_t window_left(const struct window *w)
{
    return w->end - w->pos;
}

static inline uint8_t *window_at(const struct window *w)
{
    return w->buf + w->pos;
}

static inline uint64_t window_offset(const struct window *w)
{
    return w->offset + w->pos;
}

void window_clear(struct window *);

#endif
