/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several records as one.  The rows of each source are read through its own reader, which trusts nothing, into temporary
 * tables; the rest is SQL over those.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/reader.h"
#include "flowaudit/store.h"
#include "merge.h"
#include "shape.h"
#include "store-private.h"

static bool is_merged(const struct shape *shape)
{
    static const char *const others[] = {"run", "seal", "removal", "sensor", "witness", "evidence_file"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(shape->name, others[i]) == 0)
            return false;
    return true;
}

/* --- may they be joined? -------------------------------------------------------------------------------------- */

static const char origin_sql[] =
    "SELECT site_sha256, matrix_sha256, (SELECT count(*) FROM sensors s WHERE s.run_id = r.run_id),"
    " (SELECT group_concat(DISTINCT ifnull(window_start, '') || ifnull(window_end, '')) FROM (SELECT * FROM expectations e WHERE"
    "  e.run_id = r.run_id ORDER BY window_start, window_end)) FROM runs r WHERE run_id = ?1";

static int check_source(const struct store_source *first, const struct store_source *s, struct cursor *a, struct cursor *b, struct err *reterr)
{
    if (cursor_integer(b, 2) > 0)
        return err_set(reterr, -EINVAL, "%s: is itself joined of several sensors; join their own records", s->name);
    if (strcmp(cursor_text(a, 0, NULL), cursor_text(b, 0, NULL)) != 0)
        return err_set(reterr, -EINVAL, "%s and %s were judged by different site files; judge both by one, and join the results", first->name, s->name);
    if (strcmp(cursor_text(a, 1, NULL), cursor_text(b, 1, NULL)) != 0)
        return err_set(reterr, -EINVAL, "%s and %s were judged by different matrices; judge both by one, and join the results", first->name, s->name);
    if (strcmp(cursor_text(a, 3, NULL), cursor_text(b, 3, NULL)) != 0)
        return err_set(reterr, -EINVAL, "%s and %s have expected flows by different windows; judge both without --window, or over the same time",
                       first->name, s->name);
    return 0;
}

static int open_origin(const struct store_source *s, struct cursor **ret, struct err *reterr)
{
    int rc = reader_query(s->reader, origin_sql, &s->run_id, 1, ret, reterr);

    if (rc != 0)
        return rc;
    rc = cursor_next(*ret, reterr);
    if (rc == 1)
        return 0;
    cursor_free(*ret);
    return rc < 0 ? rc : err_set(reterr, -EINVAL, "%s: has no run %lld", s->name, (long long)s->run_id);
}

static int check_sources(const struct store_source *sources, size_t n, struct err *reterr)
{
    struct cursor *first, *other;
    int rc = open_origin(&sources[0], &first, reterr);

    if (rc != 0)
        return rc;
    rc = check_source(&sources[0], &sources[0], first, first, reterr);
    for (size_t i = 1; rc == 0 && i < n; i++) {
        rc = open_origin(&sources[i], &other, reterr);
        if (rc == 0) {
            rc = check_source(&sources[0], &sources[i], first, other, reterr);
            cursor_free(other);
        }
    }
    cursor_free(first);
    return rc;
}

/* --- reading the sources in ---------------------------------------------------------------------------------------- */

static int run_sql(struct store *s, const char *sql, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt) > 0)
        rc = sqlite3_bind_int64(stmt, 1, s->run_id);
    if (rc == SQLITE_OK && sqlite3_step(stmt) != SQLITE_DONE)
        rc = SQLITE_ERROR;
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? 0 : store_fail(s, "cannot join the records", reterr);
}

enum list { LIST_SELECT, LIST_CREATE, LIST_INSERT };

/* The three statements that a table's columns make. */
static char *list_sql(const struct shape *shape, enum list list)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL)
        return NULL;
    if (list == LIST_SELECT)
        fputs("SELECT ", f);
    else
        fprintf(f, list == LIST_CREATE ? "CREATE TEMP TABLE \"in_%s\"(sensor, " : "INSERT INTO temp.\"in_%s\" VALUES (?, ", shape->name);
    for (size_t i = 0; i < shape->n_columns; i++)
        fprintf(f, list == LIST_INSERT ? "%s?" : "%s\"%s\"", i > 0 ? ", " : "", shape->columns[i].name);
    if (list == LIST_SELECT)
        fprintf(f, " FROM \"%s\" WHERE run_id = ?1 ORDER BY %s", shape->name, shape->order);
    else
        putc(')', f);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int copy_row(struct store *s, sqlite3_stmt *from, sqlite3_stmt *to, size_t sensor, struct err *reterr)
{
    int n = sqlite3_column_count(from), rc = sqlite3_bind_int64(to, 1, (int64_t)sensor);

    for (int i = 0; rc == SQLITE_OK && i < n; i++)
        rc = sqlite3_bind_value(to, i + 2, sqlite3_column_value(from, i));
    if (rc == SQLITE_OK && sqlite3_step(to) != SQLITE_DONE)
        rc = SQLITE_ERROR;
    sqlite3_reset(to);
    return rc == SQLITE_OK ? 0 : store_fail(s, "cannot join the records", reterr);
}

static int copy_rows(struct store *s, const char *select, const char *insert, const struct store_source *source, size_t sensor, struct err *reterr)
{
    sqlite3 *db = reader_connection(source->reader);
    sqlite3_stmt *from = NULL, *to = NULL;
    int step, rc = 0;

    if (sqlite3_prepare_v2(db, select, -1, &from, NULL) != SQLITE_OK || sqlite3_bind_int64(from, 1, source->run_id) != SQLITE_OK)
        rc = store_sql_error(db, source->name, reterr);
    else if (sqlite3_prepare_v2(s->db, insert, -1, &to, NULL) != SQLITE_OK)
        rc = store_fail(s, "cannot join the records", reterr);
    while (rc == 0 && (step = sqlite3_step(from)) != SQLITE_DONE)
        rc = step == SQLITE_ROW ? copy_row(s, from, to, sensor, reterr) : store_sql_error(db, source->name, reterr);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    return rc;
}

static int read_table(struct store *s, const struct shape *shape, const struct store_source *sources, size_t n, struct err *reterr)
{
    char *select = list_sql(shape, LIST_SELECT), *create = list_sql(shape, LIST_CREATE), *insert = list_sql(shape, LIST_INSERT);
    int rc = select != NULL && create != NULL && insert != NULL ? run_sql(s, create, reterr) : err_set(reterr, -ENOMEM, "out of memory");

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = copy_rows(s, select, insert, &sources[i], i + 1, reterr);
    free(select);
    free(create);
    free(insert);
    return rc;
}

static int put_sensor(struct store *s, const struct store_source *source, size_t sensor, struct err *reterr)
{
    static const char select[] = "SELECT r.run_id, (SELECT sha256 FROM seal WHERE run_id = ?1), started_ns, version, command, complete FROM"
                                 " run r WHERE run_id = ?1";
    static const char insert[] = "INSERT INTO sensor(sensor_id, source_run, seal, started_ns, version, command, complete, run_id, name, inputs)"
                                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, '?', 0)";
    int rc = copy_rows(s, select, insert, source, sensor, reterr);
    sqlite3_stmt *stmt = NULL;
    size_t len;

    if (rc != 0)
        return rc;
    char *name = text_clean(source->name, TEXT_LIMIT, false, &len);
    rc = name == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(s->db, "UPDATE sensor SET run_id = ?1, name = ?2 WHERE run_id = 0", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, 1, s->run_id);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 2, name, (int)len, SQLITE_STATIC);
    if (rc == SQLITE_OK && sqlite3_step(stmt) != SQLITE_DONE)
        rc = SQLITE_ERROR;
    sqlite3_finalize(stmt);
    free(name);
    return rc == SQLITE_OK ? 0 : store_fail(s, "cannot join the records", reterr);
}

/* One capture in two records is one witness, not two. */
static int check_inputs(struct store *s, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT name FROM temp.in_input WHERE sha256 IS NOT NULL GROUP BY sha256 HAVING count(*) > 1", -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int code = rc == SQLITE_DONE ? 0
               : rc == SQLITE_ROW
                   ? err_set(reterr, -EINVAL, "the capture %.200s is in more than one of the records, or twice in one: its flows would be seen by nobody else",
                             (const char *)sqlite3_column_text(stmt, 0))
                   : store_fail(s, "cannot join the records", reterr);
    sqlite3_finalize(stmt);
    return code;
}

/* --- the steps ---------------------------------------------------------------------------------------------------- */

static const char *replaced(const struct merge_step *step, const char *column)
{
    for (const char *const *p = step->columns; *p != NULL; p += 2)
        if (strcmp(p[0], column) == 0)
            return p[1];
    return strcmp(column, "run_id") == 0 ? "?1" : NULL;
}

static char *step_sql(const struct merge_step *step, const struct shape *shape)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL)
        return NULL;
    fprintf(f, "INSERT INTO \"%s\"(", shape->name);
    for (size_t i = 0; i < shape->n_columns; i++)
        fprintf(f, "%s\"%s\"", i > 0 ? ", " : "", shape->columns[i].name);
    fputs(") SELECT ", f);
    for (size_t i = 0; i < shape->n_columns; i++) {
        const char *name = shape->columns[i].name, *expression = replaced(step, name);

        if (expression != NULL)
            fprintf(f, "%s%s", i > 0 ? ", " : "", expression);
        else
            fprintf(f, "%st.\"%s\"", i > 0 ? ", " : "", name);
    }
    fprintf(f, " %s", step->from);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int run_steps(struct store *s, const struct shapes *shapes, struct err *reterr)
{
    int rc = 0;

    for (const struct merge_step *step = merge_steps; rc == 0 && step->from != NULL; step++) {
        char *sql = step->table != NULL ? step_sql(step, shapes_find(shapes, step->table)) : strdup(step->from);

        rc = sql != NULL ? run_sql(s, sql, reterr) : err_set(reterr, -ENOMEM, "out of memory");
        free(sql);
    }
    return rc;
}

int store_merge(struct store *s, const struct store_source *sources, size_t n, struct err *reterr)
{
    struct shapes shapes = {0};
    int rc = check_sources(sources, n, reterr);

    assert(s->run_id != 0 && n > 0);
    if (rc == 0) /* the tables may be larger than the memory */
        rc = run_sql(s, "PRAGMA temp_store = FILE", reterr);
    if (rc == 0)
        rc = store_ready(s, reterr);
    s->joined = true;
    if (rc == 0)
        rc = shapes_present(&shapes, reterr);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = put_sensor(s, &sources[i], i + 1, reterr);
    for (size_t i = 0; rc == 0 && i < shapes.n; i++)
        if (is_merged(&shapes.items[i]))
            rc = read_table(s, &shapes.items[i], sources, n, reterr);
    if (rc == 0)
        rc = check_inputs(s, reterr);
    if (rc == 0)
        rc = run_steps(s, &shapes, reterr);
    shapes_clear(&shapes);
    return rc;
}
