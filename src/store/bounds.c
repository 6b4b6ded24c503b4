/* SPDX-License-Identifier: Apache-2.0 */
/* What a record without an end takes up on the disk, and keeping it in bounds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "flowaudit/store.h"
#include "store-private.h"

#define TRIM_MS 50 /* for readers that are about to leave */

static int number(struct store *s, const char *sql, int64_t *ret, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int code = rc == SQLITE_ROW ? 0 : store_sql_error(s->db, "cannot tell its size", reterr);
    if (code == 0)
        *ret = sqlite3_column_int64(stmt, 0);
    else
        err_prefix(reterr, "%s: ", s->path);
    sqlite3_finalize(stmt);
    return code;
}

static uint64_t log_bytes(const struct store *s)
{
    char name[4096];
    struct stat st;

    if (snprintf(name, sizeof(name), "%s-wal", s->path) >= (int)sizeof(name))
        return 0;
    return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int store_size(struct store *s, struct store_size *ret, struct err *reterr)
{
    int64_t pages = 0, spare = 0, each = 0;
    int rc = number(s, "PRAGMA page_count", &pages, reterr);

    if (rc == 0)
        rc = number(s, "PRAGMA freelist_count", &spare, reterr);
    if (rc == 0)
        rc = number(s, "PRAGMA page_size", &each, reterr);
    if (rc == 0)
        *ret = (struct store_size){.used = (uint64_t)((pages - spare) * each), .log = log_bytes(s)};
    return rc;
}

int store_trim(struct store *s, struct err *reterr)
{
    if (s->in_transaction)
        return 1;
    sqlite3_busy_timeout(s->db, TRIM_MS);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(s->db, (int)s->patience_ms);
    if (rc == SQLITE_OK)
        return 0;
    if ((rc & 0xff) == SQLITE_BUSY)
        return 1;
    rc = store_sql_error(s->db, "cannot copy its log back", reterr);
    err_prefix(reterr, "%s: ", s->path);
    return rc;
}

void store_patience(struct store *s, unsigned ms)
{
    s->patience_ms = ms;
    sqlite3_busy_timeout(s->db, (int)ms);
}

const char *store_path(const struct store *s)
{
    return s->path;
}
