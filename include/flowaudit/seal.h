/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals: what shows that a record was altered after its runs ended.
 *
 * The seal of a run is the SHA-256 of a text, its manifest, which has a digest for each table of the run and the seal of
 * the run sealed before.  store_end_run() writes it.  flowaudit-db(5), INTEGRITY, has the algorithms, so that others can
 * compute the same.  There is no key in it: who can write the file can seal it anew, so the last seal is what has to be
 * signed, or kept where others cannot write.
 *
 * Threads: those of the reader.
 */
#ifndef FLOWAUDIT_SEAL_H
#define FLOWAUDIT_SEAL_H

#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"
#include "flowaudit/reader.h"

enum seal_word {
    SEAL_HOLDS,   /* recomputed, and equal */
    SEAL_ALTERED, /* not what was sealed */
    SEAL_UNKNOWN, /* nothing to hold it to: no seal, no digest, no file */
};

/* One result; 'run_id' 0: of the record as a whole.  The sentence is borrowed and may have text of the file in it. */
typedef void seal_tell_fn(void *aux, enum seal_word, int64_t run_id, const char *sentence);

/* Recomputes everything: pages, tables, texts, seals and their chain.  'expected' (or NULL) is a seal that was kept elsewhere
 * and must be in the chain.  0 with every result told, or what prevented that (as reader_query()). */
int seal_verify(struct reader *, const char *expected, seal_tell_fn *, void *aux, struct err *reterr);

/* Holds the files of 'folder' to the digests of all inputs that the record still has: by name, else by size and digest. */
int seal_verify_inputs(struct reader *, const char *folder, seal_tell_fn *, void *aux, struct err *reterr);

/* The digest "flowaudit-findings-1" over the findings of a run, as the view has them. */
int seal_findings(struct reader *, int64_t run_id, char ret[static DIGEST_TEXT_SIZE], struct err *reterr);

#endif
