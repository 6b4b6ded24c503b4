/* SPDX-License-Identifier: Apache-2.0 */
/* What a record takes up, and what is taken out of it. */
#include <check.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "flowaudit/store.h"
#include "unit/store/scratch.h"

static struct scratch scratch;

static void setup(void)
{
    scratch_make(&scratch);
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

static struct store_size size_now(struct store *s)
{
    struct store_size size;
    struct err e = {0};

    ck_assert_msg(store_size(s, &size, &e) == 0, "%s", e.msg);
    return size;
}

/* A run with so many conversations; it dies where 'ended_ns' is 0. */
static void add_run(unsigned n, int64_t ended_ns, int64_t last_packet_ns)
{
    const struct store_input input = {.input_id = 1, .name = "eth0", .first_ns = 1, .last_ns = last_packet_ns, .packets = n};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    for (unsigned i = 1; i <= n; i++)
        scratch_conversation(s, i);
    ck_assert_int_eq(store_put_input(s, &input, &e), 0);
    ck_assert_int_eq(store_commit(s, &e), 0);
    if (ended_ns != 0)
        ck_assert_msg(store_end_run(s, ended_ns, true, &e) == 0, "%s", e.msg);
    store_close(s);
}

START_TEST(room_of_a_run_that_was_removed_is_used_again)
{
    struct err e = {0};
    int64_t run, removed;

    add_run(3000, 100, 90);
    struct store *s = scratch_begin(scratch.path, &run);
    uint64_t with = size_now(s).used;
    ck_assert_int_eq(store_remove_oldest(s, 5, "for a test", &removed, &e), 0);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_int_eq(removed, 1);
    uint64_t without = size_now(s).used;
    ck_assert_uint_lt(without, with / 2);
    for (unsigned i = 1; i <= 3000; i++)
        scratch_conversation(s, i);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_uint_le(size_now(s).used, with + 65536);
    ck_assert_int_eq(store_end_run(s, 1, true, &e), 0);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM removals WHERE removed_run = 1 AND reason = 'for a test'"), 1);
}

START_TEST(the_run_at_work_is_never_the_oldest)
{
    struct err e = {0};
    int64_t run, removed = 9;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_remove_oldest(s, 5, "for a test", &removed, &e), 0);
    ck_assert_int_eq(removed, 0);
    store_close(s);
}

START_TEST(a_run_that_died_is_as_old_as_what_it_recorded_last)
{
    struct err e = {0};
    int64_t run;
    uint64_t n = 0;

    add_run(5, 0, 1000); /* died */
    add_run(5, 3000, 2900);
    add_run(5, 0, 5000); /* died */
    struct store *s = scratch_begin(scratch.path, &run);
    ck_assert_msg(store_remove_before(s, 1000, 5, &n, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(store_remove_before(s, 4000, 5, &n, &e), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT min(run_id) FROM runs"), 3);
    store_close(s);
}

/* Others may hold the log: that is told, and is no failure. */
START_TEST(a_log_that_a_reader_holds_is_emptied_when_it_has_left)
{
    struct err e = {0};
    int64_t run;
    sqlite3 *reader;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_int_eq(sqlite3_open_v2(scratch.path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM conversations", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 2; i <= 2000; i++)
        scratch_conversation(s, i);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_int_eq(store_trim(s, &e), 1);
    ck_assert_uint_gt(size_now(s).log, 65536);
    scratch_conversation(s, 2001);
    ck_assert_msg(store_commit(s, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_trim(s, &e), 0);
    ck_assert_uint_eq(size_now(s).log, 0);
    sqlite3_close(reader);
    ck_assert_int_eq(store_end_run(s, 1, true, &e), 0);
    store_close(s);
}

Suite *suite_store_bounds(void);
Suite *suite_store_bounds(void)
{
    Suite *suite = suite_create("store_bounds");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, room_of_a_run_that_was_removed_is_used_again);
    tcase_add_test(tc, the_run_at_work_is_never_the_oldest);
    tcase_add_test(tc, a_run_that_died_is_as_old_as_what_it_recorded_last);
    tcase_add_test(tc, a_log_that_a_reader_holds_is_emptied_when_it_has_left);
    suite_add_tcase(suite, tc);
    return suite;
}
