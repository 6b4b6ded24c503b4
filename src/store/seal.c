/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests over rows, and the seal of a run.
 */
#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "store-private.h"

static void encode_value(struct encoder *e, sqlite3_stmt *stmt, int column)
{
    int type = sqlite3_column_type(stmt, column);

    if (type == SQLITE_NULL) {
        encode_null(e);
    } else if (type == SQLITE_INTEGER) {
        encode_integer(e, sqlite3_column_int64(stmt, column));
    } else { /* the tables are strict: what is neither is in an altered file only */
        const void *bytes = sqlite3_column_blob(stmt, column);

        encode_bytes(e, type == SQLITE_TEXT ? 't' : 'x', bytes, (size_t)sqlite3_column_bytes(stmt, column));
    }
}

int seal_rows(sqlite3 *db, sqlite3_stmt *stmt, const char *title, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n,
              struct err *reterr)
{
    struct encoder e;
    int rc = encode_begin(&e, title, reterr), n = sqlite3_column_count(stmt);

    if (rc != 0)
        return rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++)
            encode_value(&e, stmt, i);
        encode_row(&e);
    }
    if (rc != SQLITE_DONE) {
        rc = store_sql_error(db, "cannot read it", reterr);
        encode_drop(&e);
        return rc;
    }
    *ret_n = e.n_rows;
    encode_finish(&e, ret);
    return 0;
}

int seal_text(const char *text, size_t size, char ret[static DIGEST_TEXT_SIZE], struct err *reterr)
{
    struct digest *d;
    int rc = digest_new(&d, reterr);

    if (rc != 0)
        return rc;
    digest_update(d, text, size);
    digest_text(d, ret);
    digest_free(d);
    return 0;
}

/* A text that open_memstream() makes, by its writer. */
typedef void write_fn(FILE *, const void *aux);

static char *compose(write_fn *write, const void *aux)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL)
        return NULL;
    write(f, aux);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

struct select {
    const struct shape *shape;
    const char *columns;
};

static void write_select(FILE *f, const void *aux)
{
    const struct select *s = aux;

    fputs("SELECT \"", f);
    for (const char *p = s->columns; *p != '\0'; p++) {
        if (*p == ',')
            fputs("\",\"", f);
        else
            putc(*p, f);
    }
    fprintf(f, "\" FROM \"%s\" WHERE run_id = ?1 ORDER BY %s", s->shape->name, s->shape->order);
}

static void write_title(FILE *f, const void *aux)
{
    const struct select *s = aux;

    fprintf(f, "flowaudit-table-1\n%s\n%s", s->shape->name, s->columns);
}

int seal_table(sqlite3 *db, const struct shape *shape, const char *columns, int64_t run_id,
               char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n, struct err *reterr)
{
    struct select s = {shape, columns};
    char *sql = compose(write_select, &s), *title = compose(write_title, &s);
    sqlite3_stmt *stmt = NULL;
    int rc = 0;

    if (sql == NULL || title == NULL)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    else if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_bind_int64(stmt, 1, run_id) != SQLITE_OK)
        rc = store_sql_error(db, "cannot read it", reterr);
    if (rc == 0)
        rc = seal_rows(db, stmt, title, ret, ret_n, reterr);
    sqlite3_finalize(stmt);
    free(sql);
    free(title);
    return rc;
}

/* --- the seal of a run --------------------------------------------------------------------------------------- */

static void write_columns(FILE *f, const void *aux)
{
    const struct shape *shape = aux;

    for (size_t i = 0; i < shape->n_columns; i++)
        fprintf(f, "%s%s", i > 0 ? "," : "", shape->columns[i].name);
}

/* What a run's seal is made from. */
struct source {
    sqlite3 *db;
    int64_t run_id;
    struct feed *feeds;
    size_t n_feeds;
};

static bool digested(const struct source *from, const struct shape *shape, const char *columns, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n)
{
    for (size_t i = 0; i < from->n_feeds; i++)
        if (from->feeds[i].table != NULL && strcmp(from->feeds[i].table->name, shape->name) == 0)
            return feed_digest(&from->feeds[i], columns, ret, ret_n);
    return false;
}

static int write_table(const struct source *from, const struct shape *shape, FILE *f, struct err *reterr)
{
    char *columns = compose(write_columns, shape), sha256[DIGEST_TEXT_SIZE];
    int64_t n;
    int rc = 0;

    if (columns == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    if (!digested(from, shape, columns, sha256, &n))
        rc = seal_table(from->db, shape, columns, from->run_id, sha256, &n, reterr);
    if (rc == 0)
        fprintf(f, "table %s %" PRId64 " %s %s\n", shape->name, n, sha256, columns);
    free(columns);
    return rc;
}

static int write_tables(const struct source *from, const struct shapes *shapes, FILE *f, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < shapes->n; i++)
        if (strcmp(shapes->items[i].name, "seal") != 0)
            rc = write_table(from, &shapes->items[i], f, reterr);
    return rc;
}

/* Rows of one number each, as lines. */
static int write_numbers(sqlite3 *db, const char *sql, int64_t run_id, const char *word, FILE *f, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt) > 0)
        rc = sqlite3_bind_int64(stmt, 1, run_id);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        fprintf(f, "%s %s\n", word, text != NULL ? text : "-");
        rc = SQLITE_OK;
    }
    int code = rc == SQLITE_DONE ? 0 : store_sql_error(db, "cannot read it", reterr);
    sqlite3_finalize(stmt);
    return code;
}

static int write_manifest(const struct source *from, const struct shapes *shapes, FILE *f, struct err *reterr)
{
    sqlite3 *db = from->db;
    int64_t run_id = from->run_id;

    fputs("flowaudit-seal-1\n", f);
    int rc = write_numbers(db, "SELECT coalesce(max(seal_id), 0) + 1 FROM seal", run_id, "seal", f, reterr);
    fprintf(f, "run %" PRId64 "\n", run_id);
    if (rc == 0)
        rc = write_numbers(db, "SELECT (SELECT sha256 FROM seal ORDER BY seal_id DESC LIMIT 1)", run_id, "previous", f, reterr);
    if (rc == 0)
        rc = write_numbers(db,
                           "SELECT run_id FROM run WHERE run_id <> ?1 AND run_id NOT IN (SELECT run_id FROM seal)"
                           " ORDER BY run_id",
                           run_id, "open", f, reterr);
    return rc == 0 ? write_tables(from, shapes, f, reterr) : rc;
}

static int insert_seal(sqlite3 *db, int64_t run_id, const char *manifest, const char *sha256, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "INSERT INTO seal(seal_id, run_id, previous, sha256, manifest) VALUES ("
                                "(SELECT coalesce(max(seal_id), 0) + 1 FROM seal), ?1,"
                                " (SELECT sha256 FROM seal ORDER BY seal_id DESC LIMIT 1), ?2, ?3)",
                                -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, run_id);
        sqlite3_bind_text(stmt, 2, sha256, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 3, manifest, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
    }
    int code = rc == SQLITE_DONE ? 0 : store_sql_error(db, "cannot write", reterr);
    sqlite3_finalize(stmt);
    return code;
}

static int make_manifest(const struct source *from, char **ret, size_t *ret_size, struct err *reterr)
{
    struct shapes shapes = {0};
    int rc = shapes_present(&shapes, reterr);
    FILE *f = rc == 0 ? open_memstream(ret, ret_size) : NULL;
    if (rc == 0)
        rc = f != NULL ? write_manifest(from, &shapes, f, reterr) : err_set(reterr, -ENOMEM, "out of memory");
    if (f != NULL && fclose(f) != 0 && rc == 0)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    shapes_clear(&shapes);
    return rc;
}

int seal_write(sqlite3 *db, int64_t run_id, struct feed *feeds, size_t n_feeds, struct err *reterr)
{
    const struct source from = {db, run_id, feeds, n_feeds};
    char *manifest = NULL, sha256[DIGEST_TEXT_SIZE];
    size_t size = 0;
    int rc = make_manifest(&from, &manifest, &size, reterr);

    if (rc == 0)
        rc = seal_text(manifest, size, sha256, reterr);
    if (rc == 0)
        rc = insert_seal(db, run_id, manifest, sha256, reterr);
    free(manifest);
    return rc;
}
