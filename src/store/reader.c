/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "flowaudit/store.h"
#include "store-private.h"
#include "schema.h"

#define BUSY_MS      5000
#define STEPS_EACH   1000000     /* virtual machine steps between two looks at the budget */
#define STEPS_BUDGET 100000      /* times that: a record of a hundred million rows stays far below */
#define CHECKED_SIZE (64L << 20) /* files up to this size are checked page by page when opened */
#define LARGEST_CELL (256 << 20)

struct reader {
    sqlite3 *db;
    char *path;
    unsigned n_ticks, max_ticks; /* of the query at work, in STEPS_EACH */
};

struct cursor {
    struct reader *reader;
    sqlite3_stmt *stmt;
};

static int on_progress(void *aux)
{
    struct reader *r = aux;

    return ++r->n_ticks > r->max_ticks;
}

static int fail(struct reader *r, struct err *reterr)
{
    int code = store_sql_error(r->db, "cannot read it", reterr);

    err_prefix(reterr, "%s: ", r->path);
    return code;
}

/* --- opening ----------------------------------------------------------------------------------------- */

static void harden(struct reader *r)
{
    sqlite3_extended_result_codes(r->db, 1);
    sqlite3_busy_timeout(r->db, BUSY_MS);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, LARGEST_CELL);
    sqlite3_progress_handler(r->db, STEPS_EACH, on_progress, r);
    sqlite3_exec(r->db, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384", NULL,
                 NULL, NULL);
}

/* "file:" and the path with all but the plainest bytes as %XX: nothing in a name can then be an option. */
static char *immutable_uri(const char *name)
{
    static const char options[] = "?immutable=1";
    size_t size = 5 + 3 * strlen(name) + sizeof(options), len;
    char *uri = malloc(size);

    if (uri == NULL)
        return NULL;
    len = (size_t)snprintf(uri, size, "file:");
    for (const char *p = name; *p != '\0'; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '/' || *p == '.';

        len += (size_t)snprintf(uri + len, size - len, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    snprintf(uri + len, size - len, "%s", options);
    return uri;
}

static int connect_name(struct reader *r, const char *name, int flags, struct err *reterr)
{
    sqlite3_close(r->db);
    r->db = NULL;
    if (sqlite3_open_v2(name, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags, NULL) != SQLITE_OK)
        return fail(r, reterr);
    harden(r);
    return sqlite3_exec(r->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                                                    : fail(r, reterr);
}

/* No log with content lies beside the file, so what it holds is all there is. */
static bool has_no_log(const char *name)
{
    size_t size = strlen(name) + sizeof("-wal");
    char *wal = malloc(size);
    struct stat st;

    if (wal == NULL)
        return false;
    snprintf(wal, size, "%s-wal", name);
    bool absent = stat(wal, &st) != 0 ? errno == ENOENT : st.st_size == 0;
    free(wal);
    return absent;
}

/* A record whose run died is still in WAL mode, and where the folder cannot be written SQLite opens such a file only
 * when told that nobody writes it; which is safe just where no log is left. */
static int connect_file(struct reader *r, struct err *reterr)
{
    char *name = file_sqlite_name(r->path);
    int rc = name != NULL ? connect_name(r, name, 0, reterr) : err_set(reterr, -ENOMEM, "out of memory");

    if (rc == -EACCES || rc == -EROFS) {
        if (name != NULL && has_no_log(name)) {
            char *uri = immutable_uri(name);

            if (uri != NULL)
                rc = connect_name(r, uri, SQLITE_OPEN_URI, reterr);
            free(uri);
        } else {
            rc = err_set(reterr, rc,
                         "%s: its run was not closed, and its log (%s-wal) cannot be read here: copy both to a folder "
                         "that can be written",
                         r->path, r->path);
        }
    }
    free(name);
    return rc;
}

static int check_pages(struct reader *r, struct err *reterr)
{
    struct stat st;
    struct cursor *c;
    size_t len;

    if (stat(r->path, &st) != 0 || st.st_size > CHECKED_SIZE)
        return 0;
    int rc = reader_query(r, "PRAGMA quick_check(1)", NULL, 0, &c, reterr);
    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc == 1) {
        const char *text = cursor_text(c, 0, &len);

        rc = strcmp(text, "ok") == 0 ? 0 : err_set(reterr, -EBADMSG, "%s: is damaged: %.200s", r->path, text);
        if (rc != 0)
            for (char *p = reterr != NULL ? reterr->msg : NULL; p != NULL && *p != '\0'; p++)
                *p = *p == '\n' ? ' ' : *p;
    }
    cursor_free(c);
    return rc;
}

static int check_content(struct reader *r, struct err *reterr)
{
    int64_t version;
    int rc = reader_number(r, "PRAGMA user_version", NULL, 0, &version, reterr);

    if (rc != 0)
        return rc;
    if (version < 1 || version > STORE_SCHEMA_VERSION)
        return err_set(reterr, -EINVAL, "%s: has schema version %lld; this flowaudit knows versions up to %d", r->path,
                       (long long)version, STORE_SCHEMA_VERSION);
    rc = check_pages(r, reterr);
    if (rc == 0 && (rc = schema_verify(r->db, (int)version, reterr)) == 0 && version < STORE_SCHEMA_VERSION)
        rc = schema_overlay(r->db, (int)version, reterr);
    if (rc != 0 && reterr != NULL && strncmp(reterr->msg, r->path, strlen(r->path)) != 0)
        err_prefix(reterr, "%s: ", r->path);
    return rc;
}

int reader_open(const char *path, struct reader **ret, struct err *reterr)
{
    int version = 0;
    int found = file_inspect(path, &version, reterr);

    if (found < 0)
        return found;
    struct stat st;
    if (found == 1)
        return stat(path, &st) != 0 ? err_set(reterr, -ENOENT, "%s: no such file", path)
                                    : err_set(reterr, -EINVAL, "%s: is empty: not a record", path);

    struct reader *r = calloc(1, sizeof(*r));
    if (r == NULL || (r->path = strdup(path)) == NULL) {
        free(r);
        return err_set(reterr, -ENOMEM, "out of memory");
    }
    r->max_ticks = STEPS_BUDGET;
    int rc = connect_file(r, reterr);
    if (rc == 0)
        rc = check_content(r, reterr);
    if (rc != 0) {
        reader_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void reader_limit(struct reader *r, unsigned million_steps)
{
    r->max_ticks = million_steps;
}

void reader_free(struct reader *r)
{
    if (r == NULL)
        return;
    sqlite3_close(r->db);
    free(r->path);
    free(r);
}

sqlite3 *reader_connection(struct reader *r)
{
    r->n_ticks = 0;
    return r->db;
}

const char *reader_path(const struct reader *r)
{
    return r->path;
}

/* --- queries ------------------------------------------------------------------------------------------- */

int reader_hold(struct reader *r, struct err *reterr)
{
    return sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(r, reterr);
}

void reader_release(struct reader *r)
{
    sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

int reader_query(struct reader *r, const char *sql, const int64_t *args, size_t n_args, struct cursor **ret,
                 struct err *reterr)
{
    struct cursor *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    c->reader = r;
    r->n_ticks = 0;
    int rc = sqlite3_prepare_v2(r->db, sql, -1, &c->stmt, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < n_args; i++)
        rc = sqlite3_bind_int64(c->stmt, (int)i + 1, args[i]);
    if (rc != SQLITE_OK) {
        rc = fail(r, reterr);
        cursor_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

int cursor_next(struct cursor *c, struct err *reterr)
{
    int rc = sqlite3_step(c->stmt);

    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(c->reader, reterr);
}

void cursor_free(struct cursor *c)
{
    if (c == NULL)
        return;
    sqlite3_finalize(c->stmt);
    free(c);
}

int cursor_columns(const struct cursor *c)
{
    return sqlite3_column_count(c->stmt);
}

const char *cursor_name(struct cursor *c, int column)
{
    const char *name = sqlite3_column_name(c->stmt, column);

    return name != NULL ? name : "";
}

enum cell cursor_type(struct cursor *c, int column)
{
    switch (sqlite3_column_type(c->stmt, column)) {
    case SQLITE_NULL:
        return CELL_NULL;
    case SQLITE_INTEGER:
        return CELL_INTEGER;
    default:
        return CELL_TEXT;
    }
}

int64_t cursor_integer(struct cursor *c, int column)
{
    return sqlite3_column_int64(c->stmt, column);
}

const char *cursor_text(struct cursor *c, int column, size_t *ret_len)
{
    const char *text = (const char *)sqlite3_column_text(c->stmt, column);

    if (ret_len != NULL)
        *ret_len = text != NULL ? (size_t)sqlite3_column_bytes(c->stmt, column) : 0;
    return text != NULL ? text : "";
}

int reader_number(struct reader *r, const char *sql, const int64_t *args, size_t n_args, int64_t *ret,
                  struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(r, sql, args, n_args, &c, reterr);

    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc >= 0)
        *ret = rc == 1 ? cursor_integer(c, 0) : 0;
    cursor_free(c);
    return rc < 0 ? rc : 0;
}
