/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a record: a connection that cannot change the file, and that trusts nothing in it.
 *
 * The file must be ours, of a version that we know, with tables and views that are to the letter those that we make;
 * every query is bounded in work.  For reports, comparisons and whatever else looks a record up.
 *
 * Threads: a reader belongs to one thread.
 */
#ifndef FLOWAUDIT_READER_H
#define FLOWAUDIT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

struct reader;
struct cursor;

enum cell { CELL_NULL, CELL_INTEGER, CELL_TEXT };

/* -ENOENT, -EACCES, -EINVAL (not ours, newer, altered), -EBADMSG (damaged); the sentence names the file. */
int reader_open(const char *path, struct reader **ret, struct err *reterr);
void reader_free(struct reader *);
/* Bounds each later query to so many million steps of SQLite's machine; the default is far above what any honest record
 * needs. */
void reader_limit(struct reader *, unsigned million_steps);

/* Until reader_release() all queries see the record as it is now, whatever a writer adds meanwhile. */
int reader_hold(struct reader *, struct err *reterr);
void reader_release(struct reader *);

/* 'sql' is a literal of ours; 'n_args' numbers are bound to ?1, ?2 ...  A cursor must be freed before its reader. */
int reader_query(struct reader *, const char *sql, const int64_t *args, size_t n_args, struct cursor **ret,
                 struct err *reterr);
/* 1 = a row, 0 = no more, negative = failed (-ETIME: more work than any honest record makes). */
int cursor_next(struct cursor *, struct err *reterr);
void cursor_free(struct cursor *);

int cursor_columns(const struct cursor *);
const char *cursor_name(struct cursor *, int column); /* until the cursor is freed */
enum cell cursor_type(struct cursor *, int column);
int64_t cursor_integer(struct cursor *, int column); /* 0 for null */
/* NUL-terminated, "" for null; until the next call on this cursor but cursor_text() of other columns. */
const char *cursor_text(struct cursor *, int column, size_t *ret_len /* may be NULL */);

/* One number from a query of one row and column; 0 where there is no row. */
int reader_number(struct reader *, const char *sql, const int64_t *args, size_t n_args, int64_t *ret,
                  struct err *reterr);

#endif
