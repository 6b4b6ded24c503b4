/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_record.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowaudit/report.h"
#include "fuzz.h"
#include "unit/report/incident.h"

#define MAX_CHANGES 16

static char work_path[RECORD_N][64];

static void clean_one(const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char                     path[96];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", name, suffixes[i]);
        unlink(path);
    }
}

static void clean(void)
{
    for (size_t i = 0; i < RECORD_N; i++)
        clean_one(work_path[i]);
}

const uint8_t *record_bytes(size_t *ret_size)
{
    static uint8_t *bytes;
    static size_t   size;

    if (bytes == NULL) {
        for (int i = 0; i < RECORD_N; i++)
            snprintf(work_path[i], sizeof(work_path[i]), "/dev/shm/flowaudit-fuzz-%d-%d.db", (int)getpid(), i);
        clean();
        incident_write(work_path[0]);
        FILE *f = fopen(work_path[0], "rb");
        fuzz_must(f != NULL && fseek(f, 0, SEEK_END) == 0);
        size = (size_t)ftell(f);
        rewind(f);
        bytes = malloc(size);
        fuzz_must(bytes != NULL && fread(bytes, 1, size, f) == size);
        fclose(f);
        atexit(clean);
    }
    *ret_size = size;
    return bytes;
}

const char *record_path(enum record_which which)
{
    clean_one(work_path[which]);
    return work_path[which];
}

const char *record_write(const uint8_t *bytes, size_t size)
{
    return record_write_as(RECORD_FIRST, bytes, size);
}

const char *record_write_as(enum record_which which, const uint8_t *bytes, size_t size)
{
    const char *path = record_path(which);

    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    fuzz_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    return path;
}

/* The nth name that a query of names gives, counted in a ring; into 'buf'. */
static bool nth_name(sqlite3 *db, const char *query, const char *of, unsigned n, char buf[static 128])
{
    char          sql[512];
    sqlite3_stmt *stmt;
    bool          found = false;

    sqlite3_snprintf(sizeof(sql), sql, "SELECT name FROM (%s) LIMIT 1 OFFSET %u %% max(1, (SELECT count(*) FROM (%s)))", query, n, query);
    fuzz_must(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    for (int i = 1; of != NULL && i <= sqlite3_bind_parameter_count(stmt); i++)
        sqlite3_bind_text(stmt, i, of, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        snprintf(buf, 128, "%s", (const char *)sqlite3_column_text(stmt, 0));
        found = true;
    }
    sqlite3_finalize(stmt);
    return found;
}

static void bind_value(sqlite3_stmt *stmt, struct fuzz *in, unsigned kind)
{
    size_t n;

    if (kind % 4 == 0) {
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)((uint64_t)fuzz_u32(in) << 32 | fuzz_u32(in)));
    } else if (kind % 4 == 1) {
        sqlite3_bind_int64(stmt, 1, (int8_t)fuzz_u8(in));
    } else if (kind != 255) {
        n = fuzz_u8(in);
        uint8_t *text = fuzz_copy(in, kind % 4 == 2 ? n : n * 16, &n);
        sqlite3_bind_text(stmt, 1, (const char *)text, (int)n, SQLITE_TRANSIENT);
        free(text);
    }
}

/* A change that the table's constraints refuse is none. */
static void change(sqlite3 *db, struct fuzz *in)
{
    char          table[128], column[128], sql[512];
    sqlite3_stmt *stmt;
    unsigned      which = fuzz_u8(in), field = fuzz_u8(in), row = fuzz_u8(in), kind = fuzz_u8(in);

    if (!nth_name(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'", NULL, which, table) ||
        !nth_name(db, "SELECT name FROM pragma_table_info(?1)", table, field, column))
        return;
    sqlite3_snprintf(sizeof(sql), sql,
                     "UPDATE \"%w\" SET \"%w\" = ?1 WHERE rowid = (SELECT rowid FROM \"%w\" LIMIT 1 OFFSET %u %% max(1, (SELECT count(*) FROM \"%w\")))",
                     table, column, table, row, table);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return;
    bind_value(stmt, in, kind);
    (void)sqlite3_step(stmt);
    sqlite3_finalize(stmt);
}

void record_change(const char *path, struct fuzz *in)
{
    sqlite3 *db;

    fuzz_must(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", NULL, NULL, NULL);
    for (int i = 0; in->size > 0 && i < MAX_CHANGES; i++)
        change(db, in);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
}

void record_check_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fuzz_must((unsigned char)text[i] >= 0x20 ? text[i] != 0x7f : text[i] == '\n');
}

void record_report(const char *path, unsigned which)
{
    static const enum report_format formats[] = {REPORT_TEXT, REPORT_TEXT, REPORT_CSV, REPORT_JSON, REPORT_NDJSON, REPORT_HTML};
    struct report                  *r;
    struct err                      err = {0};

    if (report_open(path, &r, &err) != 0) {
        fuzz_must(err.msg[0] != '\0');
        return;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct report_query q = {.brief = i == 0, .verbose = i == 1};
        char               *text = NULL;
        size_t              size = 0;
        FILE               *out;

        if ((which >> i & 1) == 0)
            continue;
        out = open_memstream(&text, &size);
        fuzz_must(out != NULL);
        int rc = report_write(r, formats[i], &q, out, &err);
        fclose(out);
        if (rc == 0 && formats[i] == REPORT_TEXT)
            record_check_text(text, size);
        free(text);
    }
    report_free(r);
}
