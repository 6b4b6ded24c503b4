/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows on their way into a table.
 *
 * SQLite spends more on beginning a statement, and on finding the end of the table, than on a row: so rows are kept here, and a
 * statement takes a hundred of them at once, from a virtual table of this connection.  What is the same in all that wait is a
 * parameter of the statement instead, and is encoded once: most columns are.  And rows are digested as they are written, so
 * that the seal need not read them back: that holds as long as keys rise and no row is taken away again.
 */
#ifndef STORE_FEED_H
#define STORE_FEED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encode.h"
#include "flowaudit/err.h"

#define FEED_ROWS 128
#define FEED_COLUMNS_MAX 64
#define FEED_PLANS 4

/* Where rows go to. */
struct feed_table {
    const char *name;
    const char *columns; /* separated by commas alone; the first is the run */
    unsigned    n_keys;  /* columns of the key, where all are numbers; a row whose key is higher than the one's before may wait.  0: none does */
    bool        replace; /* a row of the same key gives way */
};

struct feed_value {
    int64_t  number; /* of a text: where it begins */
    uint32_t size;
    uint32_t type;   /* SQLITE_NULL, SQLITE_INTEGER, SQLITE_TEXT */
};

/* A statement for rows in which no columns but these differ. */
struct feed_plan {
    uint64_t      differing; /* a bit for each column */
    sqlite3_stmt *stmt;
};

struct feed {
    const struct feed_table *table;
    unsigned           n_columns;
    struct feed_value *values; /* FEED_ROWS rows */
    char              *text;
    size_t             text_size, text_allocated;
    size_t             n_rows;    /* whole ones */
    unsigned           at;        /* column of the next value */
    bool               no_memory; /* for a value of this row */
    bool               has_last;  /* a row came before */
    bool               in_order;  /* all rows of the run came, their keys rising, and none went */
    uint64_t           differing; /* columns that are not the same in all rows that wait, and the one begun */
    struct encoder     encoder;
    struct feed_plan   plans[FEED_PLANS];
};

/* Makes the virtual table known to the connection; '*current' is the feed that is being taken. */
int feed_module(sqlite3 *, struct feed **current, struct err *reterr);
int feed_init(struct feed *, const struct feed_table *, struct err *reterr);
void feed_clear(struct feed *); /* and its statements */
void feed_finalize(struct feed *); /* those alone: they are made again when they are needed */
/* A run begins: nothing waits, and nothing was digested. */
void feed_reset(struct feed *);
/* Rows that wait are dropped, and those that came are no longer all. */
void feed_drop(struct feed *);

/* The next value of the row. */
void feed_null(struct feed *);
void feed_integer(struct feed *, int64_t);
void feed_text(struct feed *, const char *text, size_t size);
/* The value of the row before, if it is this text: false, nothing was done. */
bool feed_text_again(struct feed *, const char *text);
/* The row is whole: 1, write what waits (its key does not rise, or there is no room for another), 0, it may wait; or negative. */
int feed_row(struct feed *, struct err *reterr);
/* Writes what waits: 0, or the code of SQLite, whose connection has the sentence. */
int feed_write(struct feed *, sqlite3 *, struct feed **current);

/* The digest of all rows of the run, as seal_table() gives it; false: they have to be read.  Nothing may come after it. */
bool feed_digest(struct feed *, const char *columns, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n);

#endif
