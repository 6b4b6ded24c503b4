/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests over rows, and the seal of a run.  The encoding is injective: a value is its type and a netstring, so that no
 * two different tables give the same bytes.
 */
#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store-private.h"

/* What goes into a digest, a block at a time. */
struct encoder {
    struct digest *digest;
    size_t n;
    char buf[4096];
};

static void flush(struct encoder *e)
{
    digest_update(e->digest, e->buf, e->n);
    e->n = 0;
}

static void put_bytes(struct encoder *e, const void *bytes, size_t size)
{
    if (size > sizeof(e->buf) - e->n)
        flush(e);
    if (size > sizeof(e->buf)) {
        digest_update(e->digest, bytes, size);
        return;
    }
    memcpy(e->buf + e->n, bytes, size);
    e->n += size;
}

/* Writes the decimal digits of 'value' up to 'end', and returns where they begin. */
static char *digits(uint64_t value, char *end)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

static void put_head(struct encoder *e, char type, size_t len)
{
    char head[32], *end = head + sizeof(head), *p = end;

    *--p = ':';
    p = digits(len, p);
    *--p = type;
    put_bytes(e, p, (size_t)(end - p));
}

static void put_integer(struct encoder *e, int64_t value)
{
    char number[24], *end = number + sizeof(number);
    char *p = digits(value < 0 ? -(uint64_t)value : (uint64_t)value, end);

    if (value < 0)
        *--p = '-';
    put_head(e, 'i', (size_t)(end - p));
    put_bytes(e, p, (size_t)(end - p));
}

static void put_value(struct encoder *e, sqlite3_stmt *stmt, int column)
{
    int type = sqlite3_column_type(stmt, column);

    if (type == SQLITE_NULL) {
        put_bytes(e, "n", 1);
        return;
    }
    if (type == SQLITE_INTEGER) {
        put_integer(e, sqlite3_column_int64(stmt, column));
    } else { /* the tables are strict: what is neither is in an altered file only */
        const void *bytes = sqlite3_column_blob(stmt, column);
        size_t len = (size_t)sqlite3_column_bytes(stmt, column);

        put_head(e, type == SQLITE_TEXT ? 't' : 'x', len);
        if (len > 0 && bytes != NULL)
            put_bytes(e, bytes, len);
    }
    put_bytes(e, ",", 1);
}

int seal_rows(sqlite3 *db, sqlite3_stmt *stmt, const char *title, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n,
              struct err *reterr)
{
    struct encoder e;
    int rc = digest_new(&e.digest, reterr);
    int64_t rows = 0;

    if (rc != 0)
        return rc;
    e.n = 0;
    put_bytes(&e, title, strlen(title));
    put_bytes(&e, "\n", 1);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int n = sqlite3_column_count(stmt);

        for (int i = 0; i < n; i++)
            put_value(&e, stmt, i);
        put_bytes(&e, "\n", 1);
        rows++;
    }
    rc = rc == SQLITE_DONE ? 0 : store_sql_error(db, "cannot read it", reterr);
    if (rc == 0) {
        flush(&e);
        digest_text(e.digest, ret);
        *ret_n = rows;
    }
    digest_free(e.digest);
    return rc;
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

static int write_tables(sqlite3 *db, int64_t run_id, const struct shapes *shapes, FILE *f, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < shapes->n; i++) {
        const struct shape *shape = &shapes->items[i];
        char sha256[DIGEST_TEXT_SIZE];
        int64_t n;

        if (strcmp(shape->name, "seal") == 0)
            continue;
        char *columns = compose(write_columns, shape);
        rc = columns != NULL ? seal_table(db, shape, columns, run_id, sha256, &n, reterr)
                             : err_set(reterr, -ENOMEM, "out of memory");
        if (rc == 0)
            fprintf(f, "table %s %" PRId64 " %s %s\n", shape->name, n, sha256, columns);
        free(columns);
    }
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

static int write_manifest(sqlite3 *db, int64_t run_id, const struct shapes *shapes, FILE *f, struct err *reterr)
{
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
    return rc == 0 ? write_tables(db, run_id, shapes, f, reterr) : rc;
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

static int make_manifest(sqlite3 *db, int64_t run_id, char **ret, size_t *ret_size, struct err *reterr)
{
    struct shapes shapes = {0};
    int rc = shapes_present(&shapes, reterr);
    FILE *f = rc == 0 ? open_memstream(ret, ret_size) : NULL;
    if (rc == 0)
        rc = f != NULL ? write_manifest(db, run_id, &shapes, f, reterr) : err_set(reterr, -ENOMEM, "out of memory");
    if (f != NULL && fclose(f) != 0 && rc == 0)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    shapes_clear(&shapes);
    return rc;
}

int seal_write(sqlite3 *db, int64_t run_id, struct err *reterr)
{
    char *manifest = NULL, sha256[DIGEST_TEXT_SIZE];
    size_t size = 0;
    int rc = make_manifest(db, run_id, &manifest, &size, reterr);

    if (rc == 0)
        rc = seal_text(manifest, size, sha256, reterr);
    if (rc == 0)
        rc = insert_seal(db, run_id, manifest, sha256, reterr);
    free(manifest);
    return rc;
}
