/* SPDX-License-Identifier: Apache-2.0 */
/* Records of schema version 1: read without being written to, and brought up to date when a run is added. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../../src/store/schema.h"
#include "../../../src/store/shape.h"
#include "flowaudit/seal.h"
#include "flowaudit/store.h"
#include "unit/store/scratch.h"

static struct scratch scratch;

/* A record as version 1 made it, with a run in it. */
static void setup(void)
{
    sqlite3 *db = NULL;
    struct err e = {0};
    char sql[200];

    scratch_make(&scratch);
    ck_assert_msg(schema_reference(1, &db, &e) == 0, "%s", e.msg);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", scratch.path);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    scratch_sql(scratch.path,
                "INSERT INTO run(run_id, started_ns, complete) VALUES (1, 1700000000000000000, 1);"
                "INSERT INTO expectation(run_id, expectation_id, row_id, client, outcome, attempts) VALUES (1, 1, 'r', '10.0.0.1', 'seen', 2);"
                "INSERT INTO finding(run_id, finding_id, kind, severity, flows, packets, bytes, reason) VALUES (1, 1, 'no-row', 'high', 1, 2, 3, 'why')");
    ck_assert_int_eq(scratch_number(scratch.path, "PRAGMA user_version"), 1);
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

static int64_t number(struct reader *r, const char *sql)
{
    struct err e = {0};
    int64_t value = -1;

    ck_assert_msg(reader_number(r, sql, NULL, 0, &value, &e) == 0, "%s", e.msg);
    return value;
}

static void hear(void *aux, enum seal_word word, int64_t run_id, const char *sentence)
{
    unsigned *n = aux;

    (void)run_id, (void)sentence;
    n[word]++;
}

static int objects(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int n = -1;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* A new file is made at once, and what is asked of its tables is asked of tables alone: both are as the steps make them. */
START_TEST(a_new_file_is_as_the_steps_make_it)
{
    sqlite3 *by_steps = NULL, *at_once = NULL, *tables = NULL;
    struct err e = {0};
    struct shapes a = {0}, b = {0};

    ck_assert_msg(schema_reference(STORE_SCHEMA_VERSION, &by_steps, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(sqlite3_open(":memory:", &at_once), SQLITE_OK);
    ck_assert_msg(schema_migrate(at_once, 0, &e) == 0, "%s", e.msg);
    ck_assert_msg(schema_verify(at_once, STORE_SCHEMA_VERSION, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(objects(at_once), objects(by_steps));
    ck_assert_msg(schema_tables(&tables, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(shapes_read(by_steps, &a, &e), 0);
    ck_assert_int_eq(shapes_read(tables, &b, &e), 0);
    ck_assert_uint_eq(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        ck_assert_str_eq(a.items[i].name, b.items[i].name);
        ck_assert_str_eq(a.items[i].order, b.items[i].order);
        ck_assert_uint_eq(a.items[i].n_columns, b.items[i].n_columns);
        for (size_t k = 0; k < a.items[i].n_columns; k++) {
            ck_assert_str_eq(a.items[i].columns[k].name, b.items[i].columns[k].name);
            ck_assert_str_eq(a.items[i].columns[k].initial, b.items[i].columns[k].initial);
        }
    }
    shapes_clear(&a);
    shapes_clear(&b);
    sqlite3_close(by_steps);
    sqlite3_close(at_once);
    sqlite3_close(tables);
}
END_TEST

START_TEST(version_1_is_read_as_it_is)
{
    struct reader *r;
    struct err e = {0};
    struct stat before, after;
    unsigned n[SEAL_UNKNOWN + 1] = {0};

    ck_assert_int_eq(chmod(scratch.path, 0444), 0);
    ck_assert_int_eq(stat(scratch.path, &before), 0);
    ck_assert_msg(reader_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM expectations WHERE window_start IS NULL AND outcome = 'seen' AND attempts = 2"), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM requirements WHERE windows = 1"), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM findings WHERE reason = 'why'"), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM runs WHERE started = '2023-11-14T22:13:20.000000Z'"), 1);
    ck_assert_int_eq(number(r, "SELECT (SELECT count(*) FROM seals) + (SELECT count(*) FROM sensors)"), 0);
    ck_assert_msg(seal_verify(r, NULL, hear, n, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(n[SEAL_ALTERED], 0);
    ck_assert_uint_ge(n[SEAL_UNKNOWN], 1);
    reader_free(r);
    ck_assert_int_eq(stat(scratch.path, &after), 0);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

START_TEST(a_run_added_to_version_1_is_sealed_over_what_was_there)
{
    struct reader *r;
    struct err e = {0};
    int64_t run;
    unsigned n[SEAL_UNKNOWN + 1] = {0};
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(run, 2);
    scratch_conversation(s, 1);
    ck_assert_msg(store_end_run(s, 1, true, &e) == 0, "%s", e.msg);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT instr(manifest, char(10) || 'open 1' || char(10)) > 0 FROM seals"), 1);
    ck_assert_msg(reader_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM findings"), 1);
    ck_assert_msg(seal_verify(r, NULL, hear, n, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(n[SEAL_ALTERED], 0);
    ck_assert_uint_eq(n[SEAL_HOLDS], 1);
    reader_free(r);
}
END_TEST

START_TEST(an_altered_version_1_is_refused)
{
    struct reader *r = NULL;
    struct err e = {0};

    scratch_sql(scratch.path, "DROP VIEW hosts; CREATE VIEW hosts AS SELECT 1 AS run_id");
    ck_assert_int_lt(reader_open(scratch.path, &r, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.msg, "view 'hosts'"));
}
END_TEST

Suite *suite_older(void);
Suite *suite_older(void)
{
    Suite *suite = suite_create("older");
    TCase *tc = tcase_create("older");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_new_file_is_as_the_steps_make_it);
    tcase_add_test(tc, version_1_is_read_as_it_is);
    tcase_add_test(tc, a_run_added_to_version_1_is_sealed_over_what_was_there);
    tcase_add_test(tc, an_altered_version_1_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
