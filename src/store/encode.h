/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as a digest sees them.  The encoding is injective: a value is its type and a netstring, so that no two different
 * tables give the same bytes.
 */
#ifndef STORE_ENCODE_H
#define STORE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"

struct encoder {
    struct digest *digest; /* NULL: nothing was begun */
    int64_t n_rows;
    size_t n;
    bool flushed;   /* since encode_flush() */
    char buf[4096]; /* what goes into the digest next */
};

/* 'title' and a line end, then rows. */
int  encode_begin(struct encoder *, const char *title, struct err *reterr);
void encode_null(struct encoder *);
void encode_integer(struct encoder *, int64_t);
void encode_bytes(struct encoder *, char type, const void *bytes, size_t size); /* 't': text, 'x': other */
void encode_again(struct encoder *, const char *encoded, size_t size); /* values, copied from the buffer before */
void encode_row(struct encoder *); /* the end of one */
void encode_flush(struct encoder *); /* the buffer is empty now */
void encode_finish(struct encoder *, char ret[static DIGEST_TEXT_SIZE]);
void encode_drop(struct encoder *); /* without a result */

#endif
