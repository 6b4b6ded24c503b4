/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the record already: which rows a live run has written, under which numbers, and with what content, so that each
 * evaluation writes only what is new or has changed and takes away what is no longer so.
 *
 * Rows are known by a digest of what identifies them (two keyed 64-bit hashes).
 */
#ifndef ENGINE_WRITTEN_H
#define ENGINE_WRITTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

/* WRITTEN_ENDS is no row: the finding that was told last of the same ends. */
enum written_kind { WRITTEN_CONVERSATION, WRITTEN_FINDING, WRITTEN_ENDS, WRITTEN_N_KINDS };

struct written_entry {
    uint64_t key[2];
    uint64_t id;       /* 1-based, by kind; 0: an empty slot */
    uint64_t content;  /* hash of what was written last */
    uint64_t told;     /* of a finding: hash of what was told last */
    uint64_t of[2];    /* WRITTEN_ENDS: the finding's key */
    int64_t  written;  /* when, by the caller's clock */
    uint32_t pass;     /* in which it was last seen */
    uint8_t  kind;
    bool     is_new;   /* not written yet */
};

struct written;
int  written_new(struct written **ret, struct err *reterr);
void written_free(struct written *);
uint64_t written_hash(const struct written *, const void *bytes, size_t size);
/* The entry of these identifying bytes, made where there is none.  NULL: no memory.  Valid until the next call. */
struct written_entry *written_find(struct written *, enum written_kind, const void *identity, size_t size);
/* The entry where there is one, else NULL.  Valid until the next written_find() or written_follow(). */
struct written_entry *written_known(struct written *, enum written_kind, const void *identity, size_t size);
/* A new entry takes over the number, and the row, of the one with that key, if that one was not seen in this pass.  NULL: as written_find(). */
struct written_entry *written_follow(struct written *, enum written_kind, const void *identity, size_t size, const uint64_t key[static 2], uint32_t pass);
/* Calls 'fn' for each entry that was not seen in this pass, and forgets it where 'fn' returns 0. */
typedef int written_fn(void *aux, const struct written_entry *);
int  written_sweep(struct written *, uint32_t pass, written_fn *, void *aux);
/* Everything is to be written again, under the same numbers. */
void written_distrust(struct written *);

#endif
