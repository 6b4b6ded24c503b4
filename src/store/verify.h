/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that verify a record share. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "flowaudit/seal.h"
#include "shape.h"

struct verify {
    sqlite3 *db;
    struct shapes shapes;
    const char *expected; /* or NULL */
    seal_tell_fn *tell;
    void *aux;
};

void verify_tell(struct verify *, enum seal_word, int64_t run_id, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A query with up to two numbers bound; 0 or the reason why not. */
int verify_query(struct verify *, const char *sql, int64_t a, int64_t b, sqlite3_stmt **ret, struct err *reterr);
/* 1 = a row, 0 = no more. */
int verify_step(struct verify *, sqlite3_stmt *, struct err *reterr);
int verify_number(struct verify *, const char *sql, int64_t a, int64_t b, int64_t *ret, struct err *reterr);
const char *verify_cell(sqlite3_stmt *, int column); /* "" for null */

/* Each seal against its manifest, its tables and the seal before. */
int verify_chain(struct verify *, struct err *reterr);

#endif
