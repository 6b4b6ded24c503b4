/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a record that is written for weeks: NAME.db, or NAME-20260302T090000Z.db for each file that was begun at such a time (UTC).
 * They lie in one folder, and their names sort by time.
 */
#ifndef RECORD_FILES_H
#define RECORD_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct record_files;

/* 'path' as it was asked for.  NULL: no memory. */
struct record_files *record_files_new(const char *path);
void record_files_free(struct record_files *);
/* The file that is written. */
const char *record_files_path(const struct record_files *);
/* Another one, begun at this time, is meant from now on; where that cannot be, the one before goes on to be.  0, or negative errno. */
int  record_files_next(struct record_files *, int64_t at_ns);
void record_files_back(struct record_files *);

/* Files with a time in their name that are older than the one at work go, from the oldest on, while all together take more than 'max_bytes' (0: no
 * bound), or the one after began before 'before_ns' (0: no bound).  'told' has the name of each. */
typedef void record_files_fn(void *aux, const char *path, bool too_old);
unsigned record_files_trim(struct record_files *, uint64_t max_bytes, int64_t before_ns, record_files_fn *told, void *aux);

/* What all of them but the one at work take; 0 where there is no series. */
uint64_t record_files_others(const struct record_files *);

/* Bytes of one of a record's files: 'suffix' is "", "-wal" or "-shm".  0 where there is none. */
uint64_t record_files_size(const char *path, const char *suffix);

#endif
