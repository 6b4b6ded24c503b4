/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952, several members) and zstd (RFC 8878, several frames), from memory to memory. */
#ifndef FLOWAUDIT_CAPTURE_DECOMPRESS_H
#define FLOWAUDIT_CAPTURE_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

#define DECOMPRESS_MAGIC_SIZE 4 /* bytes by which the format is told */

struct decompressor;

/* Stored bytes that wait to be decompressed. */
struct decompress_input {
    const uint8_t *data;
    size_t size, used;
};

/* NULL in 'ret' where the bytes begin neither of the formats. */
int decompressor_new(const uint8_t *magic, size_t size, struct decompressor **ret, struct err *reterr);

/* 0: went on as far as input and output allow; -EBADMSG: the data is corrupt, 'ret_why' says how (static text).
 * What was decompressed before the fault is in 'out' ('ret_size' bytes) in both cases. */
int decompressor_run(struct decompressor *, struct decompress_input *in, void *out, size_t size, size_t *ret_size,
                     const char **ret_why);

/* The input may end here: between members, frames. */
bool decompressor_may_end(const struct decompressor *);
const char *decompressor_name(const struct decompressor *);
void decompressor_free(struct decompressor *);

#endif
