/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share. */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed.h"
#include "flowaudit/err.h"

enum store_feed {
    FEED_INPUT,
    FEED_DISCARD,
    FEED_LOSS,
    FEED_COUNTER,
    FEED_HOST,
    FEED_ROW,
    FEED_CONVERSATION,
    FEED_FLOW,
    FEED_FINDING,
    FEED_EXPECTATION,
    FEED_EVIDENCE,
    STORE_N_FEEDS
};

enum store_stmt { STMT_FORGET_CONVERSATION, STMT_FORGET_FLOWS, STMT_FORGET_FINDING, STORE_N_STMTS };

struct store {
    sqlite3 *db;
    sqlite3_stmt *stmts[STORE_N_STMTS];
    struct feed feeds[STORE_N_FEEDS]; /* those that were used have a table */
    bool joined;                      /* the run has rows that no feed saw */
    struct feed *taking;              /* whose rows a statement takes at this moment */
    char *path;
    int64_t run_id;                 /* 0 = no run */
    int64_t next_id[STORE_N_FEEDS]; /* for the tables whose rows have no number of their own */
    unsigned patience_ms;           /* how long a call waits for another program that writes */
    unsigned n_pending;             /* rows of the open transaction */
    bool in_transaction;
    bool defers_sync;   /* see store_defer_sync() */
    bool is_ours_alone; /* made by this store, and no run has begun: taken away again if none does */
    struct err failed; /* the first failure of a run; it stays */
};

/* 'code' and 'failed' of a store after a statement failed: says so, rolls back, and keeps the sentence. */
int store_fail(struct store *, const char *what, struct err *reterr);
/* The same with the reason given. */
int store_fail_as(struct store *, const struct err *why, struct err *reterr);
/* Opens a transaction where none is, for rows; 0 or the failure. */
int store_begin_rows(struct store *, struct err *reterr);
/* The same, with all rows that wait written: for whatever else reads or changes tables. */
int store_ready(struct store *, struct err *reterr);
/* After a row: counts it, and commits a full batch. */
int store_row_done(struct store *, struct err *reterr);

/* The state of the connection as an errno and a sentence "what: why". */
int store_sql_error(sqlite3 *, const char *what, struct err *reterr);

/* Looks at the first bytes of the file alone, so that nothing can touch it: 0 = ours ('ret_version' >= 1), 1 = absent
 * or empty, negative = not ours, newer, or not to be read. */
int file_inspect(const char *path, int *ret_version, struct err *reterr);
/* The name for SQLite: never an URI, never ":memory:".  To be freed; NULL = no memory. */
char *file_sqlite_name(const char *path);

#define TEXT_LIMIT    2048       /* bytes of one text from traffic, names, sentences */
#define TEXT_DOCUMENT (64 << 20) /* bytes of a site or matrix text */

/* True if the text needs no change, with its length: plain printable ASCII within the limit.  'lines' as below. */
bool text_is_plain(const char *text, size_t limit, bool lines, size_t *ret_len);
/* A copy in valid UTF-8 without control characters (shown as \xNN), cut at a character's end with an ellipsis where
 * longer than 'limit'. 'lines': tabs and line ends stay.  To be freed; NULL = no memory. */
char *text_clean(const char *text, size_t limit, bool lines, size_t *ret_len);

struct reader;
/* For queries of this module beside reader_query(): the budget of work begins anew. */
sqlite3 *reader_connection(struct reader *);
const char *reader_path(const struct reader *);

#endif
