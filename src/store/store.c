/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's connection: opening, runs and transactions.
 *
 * Life of a run: begin_run puts the file into WAL mode, so that others can read while rows come in, and commits the run
 * row; rows follow in transactions of BATCH_ROWS; end_run marks the run, seals it, empties the log and goes back to a rollback
 * journal, after which the record is one file again.  Each commit is synced, or with store_defer_sync() the last one alone.
 *
 * The size of a file's pages is chosen as it is made.  Small ones make a small record small: each table has a page at least.
 * In a large record a page costs more than its bytes do, once in the log and once as it is copied back.
 *
 * A failure is final for its run: the open transaction is rolled back, every later call returns the same sentence, and
 * the run stays incomplete.  A record with a hole in it must not look like a whole one.
 */
#include "flowaudit/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store-private.h"
#include "schema.h"
#include "seal.h"

#define BATCH_ROWS 10000
#define BUSY_MS    10000 /* another writer's batch takes far less */
#define SINGLE_MS  500   /* for going back to one file, which a reader at work prevents */

#define LOG_BYTES  (64 << 20)
#define LARGE_INPUT (UINT64_C(32) << 20) /* of so much large pages make the record larger by less than a hundredth */

static int exec(struct store *s, const char *sql, const char *what, struct err *reterr)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_sql_error(s->db, what, reterr);
}

/* --- opening ----------------------------------------------------------------------------------------- */

/* A file from elsewhere can hold triggers and views that call functions: none of them shall run. */
static void harden(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
}

static int pragma(sqlite3 *db, const char *sql, int *ret, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        rc = store_sql_error(db, "cannot read it", reterr);
    sqlite3_finalize(stmt);
    return rc < 0 ? rc : 0;
}

/* The version again as SQLite sees it: what the header's bytes say may be older than the log. */
static int check_tables(struct store *s, int version, struct err *reterr)
{
    int rc = pragma(s->db, "PRAGMA user_version", &version, reterr);

    if (rc == 0 && (version < 1 || version > STORE_SCHEMA_VERSION))
        rc = err_set(reterr, -EINVAL, "has schema version %d; this flowaudit knows versions up to %d", version,
                     STORE_SCHEMA_VERSION);
    if (rc == 0)
        rc = schema_verify(s->db, version, reterr);
    return rc == 0 ? schema_migrate(s->db, version, reterr) : rc;
}

/* Makes the file: open(2) says better than SQLite why that cannot be. */
static int make_file(const char *path, struct err *reterr)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_set(reterr, -errno, "cannot make it: %s", strerror(errno));
    close(fd);
    return 0;
}

static int connect_file(struct store *s, bool is_new, bool is_large, int version, struct err *reterr)
{
    char *name = file_sqlite_name(s->path);
    int rc =
        name != NULL ? sqlite3_open_v2(name, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) : SQLITE_NOMEM;

    free(name);
    if (rc != SQLITE_OK)
        return store_sql_error(s->db, "cannot open it", reterr);
    sqlite3_extended_result_codes(s->db, 1);
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return err_set(reterr, -EACCES, "cannot be written");
    store_patience(s, BUSY_MS);
    harden(s->db);
    rc = feed_module(s->db, &s->taking, reterr);
    if (rc != 0)
        return rc;
    /* The size of pages first: what the cache may hold becomes a number of pages there and then. */
    if (is_new && is_large)
        rc = exec(s, "PRAGMA page_size = 16384", "cannot set it up", reterr);
    if (rc == 0)
        rc = exec(s, "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY", "cannot set it up", reterr);
    if (rc != 0)
        return rc;
    return is_new ? schema_migrate(s->db, 0, reterr) : check_tables(s, version, reterr);
}

int store_open_for(const char *path, uint64_t input_bytes, struct store **ret, struct err *reterr)
{
    int version = 0;
    int found = file_inspect(path, &version, reterr);

    if (found < 0)
        return found;

    struct store *s = calloc(1, sizeof(*s));
    if (s == NULL || (s->path = strdup(path)) == NULL) {
        free(s);
        return err_set(reterr, -ENOMEM, "out of memory");
    }
    s->is_ours_alone = found == 1 && access(path, F_OK) != 0;
    int rc = found == 1 ? make_file(path, reterr) : 0;
    if (rc == 0)
        rc = connect_file(s, found == 1, input_bytes >= LARGE_INPUT, version, reterr);
    if (rc != 0) {
        err_prefix(reterr, "%s: ", path);
        store_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

int store_open(const char *path, struct store **ret, struct err *reterr)
{
    return store_open_for(path, 0, ret, reterr);
}

/* Statements are made again when they are needed. */
static void finalize(struct store *s)
{
    for (size_t i = 0; i < STORE_N_STMTS; i++) {
        sqlite3_finalize(s->stmts[i]);
        s->stmts[i] = NULL;
    }
    for (size_t i = 0; i < STORE_N_FEEDS; i++)
        feed_finalize(&s->feeds[i]);
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    finalize(s);
    for (size_t i = 0; i < STORE_N_FEEDS; i++)
        feed_clear(&s->feeds[i]);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

void store_abandon(struct store *s)
{
    char *path = s != NULL && s->is_ours_alone ? strdup(s->path) : NULL;

    store_close(s);
    if (path != NULL)
        unlink(path);
    free(path);
}

/* --- transactions and failures --------------------------------------------------------------------------- */

static void roll_back(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_transaction = false;
    for (size_t i = 0; i < STORE_N_FEEDS; i++)
        if (s->feeds[i].table != NULL)
            feed_drop(&s->feeds[i]);
}

int store_fail(struct store *s, const char *what, struct err *reterr)
{
    if (s->failed.code == 0) {
        store_sql_error(s->db, what, &s->failed);
        err_prefix(&s->failed, "%s: ", s->path);
    }
    roll_back(s);
    return err_set(reterr, s->failed.code, "%s", s->failed.msg);
}

int store_fail_as(struct store *s, const struct err *why, struct err *reterr)
{
    if (s->failed.code == 0)
        err_set(&s->failed, why->code, "%s: %s", s->path, why->msg);
    roll_back(s);
    return err_set(reterr, s->failed.code, "%s", s->failed.msg);
}

int store_begin_rows(struct store *s, struct err *reterr)
{
    if (s->failed.code != 0)
        return err_set(reterr, s->failed.code, "%s", s->failed.msg);
    if (s->in_transaction)
        return 0;
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(s, "cannot begin to write", reterr);
    s->in_transaction = true;
    s->n_pending = 0;
    return 0;
}

static int write_rows(struct store *s, struct err *reterr)
{
    for (size_t i = 0; i < STORE_N_FEEDS; i++)
        if (feed_write(&s->feeds[i], s->db, &s->taking) != SQLITE_OK)
            return store_fail(s, "cannot write", reterr);
    return 0;
}

int store_ready(struct store *s, struct err *reterr)
{
    int rc = store_begin_rows(s, reterr);

    return rc == 0 ? write_rows(s, reterr) : rc;
}

int store_commit(struct store *s, struct err *reterr)
{
    if (s->failed.code != 0)
        return err_set(reterr, s->failed.code, "%s", s->failed.msg);
    if (!s->in_transaction)
        return 0;
    int rc = write_rows(s, reterr);
    if (rc != 0)
        return rc;
    if (sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(s, "cannot write", reterr);
    s->in_transaction = false;
    return 0;
}

void store_recover(struct store *s)
{
    roll_back(s);
    s->failed = (struct err){0};
}

int store_row_done(struct store *s, struct err *reterr)
{
    return ++s->n_pending >= BATCH_ROWS ? store_commit(s, reterr) : 0;
}

/* --- runs ---------------------------------------------------------------------------------------------- */

/* 'text' outlives the statement. */
static int bind_text(sqlite3_stmt *stmt, int i, const char *text, size_t limit, bool lines)
{
    size_t len;

    if (text == NULL)
        return SQLITE_OK;
    if (text_is_plain(text, limit, lines, &len))
        return sqlite3_bind_text64(stmt, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
    char *clean = text_clean(text, limit, lines, &len);
    if (clean == NULL)
        return SQLITE_NOMEM;
    return sqlite3_bind_text64(stmt, i, clean, len, free, SQLITE_UTF8);
}

static int bind_run(sqlite3_stmt *stmt, const struct store_run *run)
{
    /* Names and digests are lines; the two files are kept as they are. */
    const char *texts[] = {run->command,     run->version,       run->site_name,   run->site_file,
                           run->site_text,   run->site_sha256,   run->matrix_id,   run->matrix_title,
                           run->matrix_text, run->matrix_sha256, run->options_json};
    int rc = SQLITE_OK;

    if (run->started_ns != 0)
        rc = sqlite3_bind_int64(stmt, 1, run->started_ns);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        bool document = texts[i] == run->site_text || texts[i] == run->matrix_text;

        rc = bind_text(stmt, (int)i + 2, texts[i], document ? TEXT_DOCUMENT : 65536, document);
    }
    return rc;
}

static int insert_run(struct store *s, const struct store_run *run)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v2(s->db,
                           "INSERT INTO run(started_ns, command, version, site_name, site_file, site_text, site_sha256,"
                           " matrix_id, matrix_title, matrix_text, matrix_sha256, options)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                           -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = bind_run(stmt, run);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    sqlite3_finalize(stmt);
    return rc;
}

/* So much of log before it is copied back: the tail of a table is then copied once, not once a batch.  A log that a reader made
 * longer is cut to that again when it has left. */
static int use_log(struct store *s, struct err *reterr)
{
    char sql[160];
    int page_size = 4096, rc = pragma(s->db, "PRAGMA page_size", &page_size, reterr);

    if (rc != 0)
        return rc;
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d",
             LOG_BYTES / page_size, LOG_BYTES);
    return exec(s, sql, "cannot begin to write", reterr);
}

/* In a log SQLite syncs each commit, or none but before it copies the log back.  Cannot be changed within a transaction. */
static int set_sync(struct store *s, bool each, struct err *reterr)
{
    struct err why;
    int rc = store_commit(s, reterr);

    if (rc == 0 && exec(s, each ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", "cannot write", &why) != 0)
        return store_fail_as(s, &why, reterr);
    s->defers_sync = rc == 0 ? !each : s->defers_sync;
    return rc;
}

int store_defer_sync(struct store *s, struct err *reterr)
{
    return set_sync(s, false, reterr);
}

int store_begin_run(struct store *s, const struct store_run *run, int64_t *ret_run_id, struct err *reterr)
{
    s->run_id = 0; /* a run before that could not be ended stays as it is: not complete */
    struct err why;
    int rc = s->defers_sync ? set_sync(s, true, reterr) : 0;
    if (rc != 0)
        return rc;
    if (use_log(s, &why) != 0)
        return store_fail_as(s, &why, reterr);
    rc = store_ready(s, reterr);
    if (rc == 0 && insert_run(s, run) != SQLITE_OK)
        rc = store_fail(s, "cannot write", reterr);
    if (rc != 0)
        return rc;
    int64_t id = sqlite3_last_insert_rowid(s->db);
    rc = store_commit(s, reterr);
    if (rc != 0)
        return rc;
    s->run_id = id;
    s->is_ours_alone = false;
    s->joined = false;
    memset(s->next_id, 0, sizeof(s->next_id));
    for (size_t i = 0; i < STORE_N_FEEDS; i++)
        if (s->feeds[i].table != NULL)
            feed_reset(&s->feeds[i]);
    *ret_run_id = id;
    return 0;
}

static int mark_ended(struct store *s, int64_t ended_ns, bool complete)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "UPDATE run SET ended_ns = nullif(?2, 0), complete = ?3 WHERE run_id = ?1", -1,
                                &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, s->run_id);
        sqlite3_bind_int64(stmt, 2, ended_ns);
        sqlite3_bind_int(stmt, 3, complete);
        rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Everything is committed by now.  A reader at work can keep the log in place; then the last one to leave removes it.
 */
static void make_single(struct store *s)
{
    finalize(s);
    sqlite3_busy_timeout(s->db, SINGLE_MS);
    sqlite3_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_busy_timeout(s->db, (int)s->patience_ms);
}

int store_end_run(struct store *s, int64_t ended_ns, bool complete, struct err *reterr)
{
    assert(s->run_id != 0);
    struct err why = {0};
    int rc = s->defers_sync ? set_sync(s, true, reterr) : 0; /* what ends the run syncs the whole log */
    if (rc == 0)
        rc = store_ready(s, reterr);
    if (rc == 0 && mark_ended(s, ended_ns, complete) != SQLITE_OK)
        rc = store_fail(s, "cannot write", reterr);
    if (rc == 0 && seal_write(s->db, s->run_id, s->feeds, s->joined ? 0 : STORE_N_FEEDS, &why) != 0)
        rc = store_fail_as(s, &why, reterr);
    if (rc == 0)
        rc = store_commit(s, reterr);
    if (rc != 0)
        return rc;
    s->run_id = 0;
    make_single(s);
    return 0;
}
