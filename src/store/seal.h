/* SPDX-License-Identifier: Apache-2.0 */
/* Writing seals, and what writing and verifying share. */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <sqlite3.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"
#include "feed.h"
#include "shape.h"

/* Within the transaction that ends the run.  Of the feeds those digests are taken that stand for all rows of the run. */
int seal_write(sqlite3 *, int64_t run_id, struct feed *feeds, size_t n_feeds, struct err *reterr);

/* The digest over the rows of a statement that is bound: 'title' and a line end, then each row.  0, or the code of SQLite
 * or -ENOMEM in 'reterr'. */
int seal_rows(sqlite3 *, sqlite3_stmt *, const char *title, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n,
              struct err *reterr);
/* The same for the rows of one table and run: 'columns' are names separated by commas that the shape has. */
int seal_table(sqlite3 *, const struct shape *, const char *columns, int64_t run_id, char ret[static DIGEST_TEXT_SIZE],
               int64_t *ret_n, struct err *reterr);
int seal_text(const char *text, size_t size, char ret[static DIGEST_TEXT_SIZE], struct err *reterr);

#endif
