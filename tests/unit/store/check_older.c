/* SPDX-License-Identifier: Apache-2.0 */
/* Records of schema version 1: read without being written to, and brought up to date when a run is added. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../../src/store/schema.h"
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
    tcase_add_test(tc, version_1_is_read_as_it_is);
    tcase_add_test(tc, a_run_added_to_version_1_is_sealed_over_what_was_there);
    tcase_add_test(tc, an_altered_version_1_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
