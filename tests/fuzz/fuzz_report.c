/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of a record in which cells were changed.  Input: which reports (one byte), changes {table, column, row, kind (one byte each), value: eight bytes for a
 * number, one of length and the text else}. */
#include "fuzz.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_record.h"

#define MAX_CHANGES 16

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz    in = {data, size};
    size_t         n;
    const uint8_t *bytes = record_bytes(&n);
    const char    *path = record_write(bytes, n);
    unsigned       which = fuzz_u8(&in);
    sqlite3       *db;

    fuzz_must(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", NULL, NULL, NULL);
    for (int i = 0; in.size > 0 && i < MAX_CHANGES; i++)
        change(db, &in);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    record_report(path, which);
    return 0;
}
