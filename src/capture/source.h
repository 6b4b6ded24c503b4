/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an input: from a file, a pipe or standard input, digested as stored, decompressed where needed.
 *
 * A regular file is read up to the size that it had when it was opened: a file that still grows is
 * judged as it was then.
 */
#ifndef FLOWAUDIT_CAPTURE_SOURCE_H
#define FLOWAUDIT_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "flowaudit/capture.h"
#include "flowaudit/err.h"
#include "flowaudit/hash.h"

struct source;

/* Of the options those that are of bytes: the file, the digest and who else wants what is stored. */
int source_open(const char *path, const struct capture_options *, struct source **ret, struct err *reterr);

/* > 0: bytes (decompressed), as many as one read gave; 0: the end; negative: a fault of the machine, or -EINTR. */
ssize_t source_read(struct source *, void *buf, size_t size, struct err *reterr);

/* Reads on to the end of what is stored, for the digest and the byte count alone. */
int source_drain(struct source *, struct err *reterr);

/* Why the end came too early, as a clause without a full stop; NULL where it did not. */
const char *source_damage(const struct source *);
const char *source_compression(const struct source *); /* "gzip", "zstd" or NULL */
bool source_wants_all(const struct source *); /* also what lies behind a damaged place */
uint64_t source_n_bytes(const struct source *);                         /* stored bytes read so far */
uint64_t source_n_bytes_total(const struct source *);                   /* size of the file, 0 where not known */
void source_digest(struct source *, char ret[static DIGEST_TEXT_SIZE]); /* once, after the end; "" without digest */
int64_t source_digest_ns(const struct source *);                        /* 0 where nobody measured */
void source_free(struct source *);

#endif
