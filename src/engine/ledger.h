/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the record already: which rows a live run has written, under which numbers, and with what content, so that each
 * evaluation writes only what is new or has changed and takes away what is no longer so.
 *
 * Rows are known by a digest of what identifies them (two keyed 64-bit hashes).
 */
#ifndef ENGINE_LEDGER_H
#define ENGINE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

enum ledger_kind { LEDGER_CONVERSATION, LEDGER_FINDING, LEDGER_N_KINDS };

struct ledger_entry {
    uint64_t key[2];
    uint64_t id;       /* 1-based, by kind; 0: an empty slot */
    uint64_t content;  /* hash of what was written last */
    int64_t  written;  /* when, by the caller's clock */
    uint32_t pass;     /* in which it was last seen */
    uint8_t  kind;
    bool     is_new;   /* not written yet */
};

struct ledger;
int  ledger_new(struct ledger **ret, struct err *reterr);
void ledger_free(struct ledger *);
uint64_t ledger_hash(const struct ledger *, const void *bytes, size_t size);
/* The entry of these identifying bytes, made where there is none.  NULL: no memory.  Valid until the next call. */
struct ledger_entry *ledger_find(struct ledger *, enum ledger_kind, const void *identity, size_t size);
/* Calls 'fn' for each entry that was not seen in this pass, and forgets it where 'fn' returns 0. */
typedef int ledger_fn(void *aux, const struct ledger_entry *);
int  ledger_sweep(struct ledger *, uint32_t pass, ledger_fn *, void *aux);
/* Everything is to be written again, under the same numbers. */
void ledger_distrust(struct ledger *);

#endif
