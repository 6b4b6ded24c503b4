/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are not kept.  What remains of one is its seal, so that the chain can be followed, and who removed it when. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"
#include "shape.h"
#include "store-private.h"

/* Runs a statement whose parameters are numbers, and ?4 a text; adds the rows that it changed. */
static int change(struct store *s, const char *sql, const int64_t *args, int n_args, const char *text, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    for (int i = 0; rc == SQLITE_OK && i < n_args; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, args[i]);
    if (rc == SQLITE_OK && text != NULL)
        rc = sqlite3_bind_text(stmt, n_args + 1, text, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && sqlite3_step(stmt) != SQLITE_DONE)
        rc = SQLITE_ERROR;
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? 0 : store_fail(s, "cannot remove an older run", reterr);
}

static int delete_rows(struct store *s, const struct shapes *shapes, int64_t run_id, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < shapes->n; i++) {
        char sql[160];

        const char *name = shapes->items[i].name;

        if (strcmp(name, "removal") == 0 || strcmp(name, "seal") == 0)
            continue;
        sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM \"%w\" WHERE run_id = ?1", name);
        rc = change(s, sql, &run_id, 1, NULL, reterr);
    }
    return rc;
}

/* The first run from 'sql', whose parameters are numbers; 0 where there is none. */
static int find(struct store *s, const char *sql, const int64_t *args, int n_args, int64_t *ret, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    for (int i = 0; rc == SQLITE_OK && i < n_args; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, args[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_fail(s, "cannot look for older runs", reterr);
}

int store_remove_run(struct store *s, int64_t run_id, int64_t removed_ns, const char *reason, struct err *reterr)
{
    const int64_t args[] = {s->run_id, run_id, removed_ns};
    struct shapes shapes = {0};
    int64_t found = 0;

    assert(s->run_id != 0);
    if (run_id == s->run_id)
        return err_set(reterr, -EINVAL, "the run at work cannot be removed");
    int rc = store_ready(s, reterr);
    if (rc == 0)
        rc = find(s, "SELECT run_id FROM run WHERE run_id = ?1", &run_id, 1, &found, reterr);
    if (rc == 0 && found == 0)
        return err_set(reterr, -ENOENT, "%s: has no run %lld", s->path, (long long)run_id);
    if (rc == 0)
        rc = shapes_present(&shapes, reterr);
    if (rc == 0)
        rc = delete_rows(s, &shapes, run_id, reterr);
    if (rc == 0)
        rc = change(s,
                    "INSERT INTO removal(run_id, removed_run, removed_ns, seal, reason)"
                    " VALUES (?1, ?2, nullif(?3, 0), (SELECT sha256 FROM seal WHERE run_id = ?2), ?4)",
                    args, 3, reason, reterr);
    shapes_clear(&shapes);
    return rc;
}

/* When a run was over: one that died is as old as what it recorded last. */
#define OVER "coalesce(r.ended_ns, (SELECT max(i.last_ns) FROM input i WHERE i.run_id = r.run_id), r.started_ns)"

int store_remove_before(struct store *s, int64_t before_ns, int64_t removed_ns, uint64_t *ret_n, struct err *reterr)
{
    const int64_t args[] = {before_ns, s->run_id};
    int64_t run_id = 1;
    int rc = 0;

    assert(s->run_id != 0);
    *ret_n = 0;
    while (rc == 0 && run_id != 0) {
        rc = find(s, "SELECT min(r.run_id) FROM run r WHERE " OVER " < ?1 AND r.run_id < ?2", args, 2, &run_id, reterr);
        if (rc == 0 && run_id != 0 && (rc = store_remove_run(s, run_id, removed_ns, "older than it is to be kept", reterr)) == 0)
            ++*ret_n;
    }
    return rc;
}

int store_remove_oldest(struct store *s, int64_t removed_ns, const char *reason, int64_t *ret_run_id, struct err *reterr)
{
    assert(s->run_id != 0);
    int rc = find(s, "SELECT min(run_id) FROM run WHERE run_id < ?1", &s->run_id, 1, ret_run_id, reterr);
    return rc == 0 && *ret_run_id != 0 ? store_remove_run(s, *ret_run_id, removed_ns, reason, reterr) : rc;
}
