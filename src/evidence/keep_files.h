/* SPDX-License-Identifier: Apache-2.0 */
/* The files of kept packets, in their folder. */
#ifndef EVIDENCE_KEEP_FILES_H
#define EVIDENCE_KEEP_FILES_H

#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"

/* A name that none has yet; to be freed.  NULL: no memory. */
char *keep_files_name(const char *folder, int64_t at_ns);
int   keep_files_digest(const char *path, char ret[static DIGEST_TEXT_SIZE], uint64_t *ret_bytes, struct err *reterr);
/* Removes the oldest but for 'latest' until all together take no more.  How many went. */
unsigned keep_files_trim(const char *folder, uint64_t max_bytes, const char *latest);

#endif
