/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/store/scratch.h"

#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_make(struct scratch *s)
{
    snprintf(s->dir, sizeof(s->dir), "/tmp/flowaudit-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/run.db", s->dir);
}

void scratch_remove(struct scratch *s)
{
    DIR *dir = opendir(s->dir);

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[400];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", s->dir, e->d_name);
        remove(path);
    }
    closedir(dir);
    rmdir(s->dir);
}

static sqlite3 *connect_path(const char *path)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

void scratch_sql(const char *path, const char *sql)
{
    sqlite3 *db = connect_path(path);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

const char *scratch_text(const char *path, const char *sql, char *buf, size_t size)
{
    sqlite3 *db = connect_path(path);
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        snprintf(buf, size, "(none)");
    } else {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        snprintf(buf, size, "%s", text != NULL ? text : "(null)");
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return buf;
}

int64_t scratch_number(const char *path, const char *sql)
{
    char buf[64], *end;
    const char *text = scratch_text(path, sql, buf, sizeof(buf));
    int64_t value = strtoll(text, &end, 10);

    ck_assert_msg(end != text && *end == '\0', "%s gives '%s', not a number", sql, text);
    return value;
}

struct store *scratch_open(const char *path)
{
    struct store *s;
    struct err e = {0};

    ck_assert_msg(store_open(path, &s, &e) == 0, "%s", e.msg);
    return s;
}

struct store *scratch_begin(const char *path, int64_t *ret_run_id)
{
    const struct store_run run = {.started_ns = 1700000000000000000, .command = "flowaudit check", .version = "test"};
    struct store *s = scratch_open(path);
    struct err e = {0};

    ck_assert_msg(store_begin_run(s, &run, ret_run_id, &e) == 0, "%s", e.msg);
    return s;
}

void scratch_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

bool scratch_same(const char *path, const void *bytes, size_t size)
{
    char *have = malloc(size + 1);
    FILE *f = fopen(path, "rb");
    bool same = have != NULL && f != NULL && fread(have, 1, size + 1, f) == size && memcmp(have, bytes, size) == 0;

    if (f != NULL)
        fclose(f);
    free(have);
    return same;
}

void scratch_conversation(struct store *s, uint64_t id)
{
    const struct store_conversation c = {
        .conversation_id = id,
        .client = "10.0.0.1",
        .server = "10.0.0.2",
        .server_port = 88,
        .transport = "tcp",
        .verdict = "allowed",
        .outcome = "established",
        .flows = 1,
    };
    struct err e = {0};

    ck_assert_msg(store_put_conversation(s, &c, &e) == 0, "%s", e.msg);
}
