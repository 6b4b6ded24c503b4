/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of a live record's log: a reader that stays makes it go on in a new file, and one that leaves does not. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "../../../src/engine/watch-private.h"
#include "unit/store/scratch.h"

#define BOUND 262144u

struct bed {
    struct scratch        scratch;
    struct watch_options  options;
    struct watch_calls    calls;
    struct watch          watch;
    struct store         *store;
    sqlite3              *reader;
    unsigned              n_told, n_rows;
    char                  told[256];
};

static struct bed bed;

static int64_t steady(void *aux)
{
    (void)aux;
    return 100;
}

static void message(void *aux, enum watch_level level, const char *text)
{
    struct bed *b = aux;

    b->n_told += level == WATCH_WARNING;
    snprintf(b->told, sizeof(b->told), "%s", text);
}

static void setup(void)
{
    int64_t run;

    memset(&bed, 0, sizeof(bed));
    scratch_make(&bed.scratch);
    bed.store = scratch_begin(bed.scratch.path, &run);
    scratch_conversation(bed.store, ++bed.n_rows);
    ck_assert_int_eq(store_commit(bed.store, NULL), 0);
    bed.options.log_bytes = BOUND;
    bed.calls = (struct watch_calls){.aux = &bed, .steady = steady, .message = message};
    bed.watch.options = &bed.options;
    bed.watch.calls = &bed.calls;
    bed.watch.recording.store = bed.store;
    keep_begin(&bed.watch);
    ck_assert_int_eq(sqlite3_open_v2(bed.scratch.path, &bed.reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static void teardown(void)
{
    sqlite3_close(bed.reader);
    store_abandon(bed.store);
    scratch_remove(&bed.scratch);
}

static void reader(const char *sql)
{
    ck_assert_int_eq(sqlite3_exec(bed.reader, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Until the log is of at least this size. */
static uint64_t write_log(uint64_t bytes)
{
    struct store_size size = {0};

    while (size.log < bytes) {
        scratch_conversation(bed.store, ++bed.n_rows);
        ck_assert_int_eq(store_commit(bed.store, NULL), 0);
        ck_assert_int_eq(store_size(bed.store, &size, NULL), 0);
    }
    return size.log;
}

static uint64_t log_now(void)
{
    struct store_size size = {0};

    ck_assert_int_eq(store_size(bed.store, &size, NULL), 0);
    return size.log;
}

START_TEST(a_log_that_nobody_holds_is_emptied_and_no_file_is_asked_for)
{
    write_log(BOUND + 1);
    keep_look(&bed.watch);
    ck_assert_uint_eq(log_now(), 0);
    ck_assert(!bed.watch.keep.wants_file);
    ck_assert_uint_eq(bed.n_told, 0);
}
END_TEST

START_TEST(a_log_within_its_bound_stays_where_a_reader_holds_it)
{
    reader("BEGIN; SELECT count(*) FROM conversations");
    uint64_t before = write_log(BOUND / 2 + 1);

    ck_assert_uint_le(before, BOUND);
    keep_look(&bed.watch);
    ck_assert_uint_eq(log_now(), before);
    ck_assert(!bed.watch.keep.wants_file);
    ck_assert_uint_eq(bed.n_told, 0);
    reader("COMMIT");
}
END_TEST

START_TEST(beyond_the_bound_a_new_file_is_asked_for_once_and_that_is_told)
{
    reader("BEGIN; SELECT count(*) FROM conversations");
    write_log(BOUND + 1);
    keep_look(&bed.watch);
    ck_assert(bed.watch.keep.wants_file);
    ck_assert_uint_eq(bed.n_told, 1);
    ck_assert_ptr_nonnull(strstr(bed.told, "it goes on in a new file"));
    keep_look(&bed.watch);
    ck_assert_uint_eq(bed.n_told, 1);
    reader("COMMIT");
}
END_TEST

/* Where no file could be begun it is not tried again at once. */
START_TEST(no_file_is_asked_for_before_its_time)
{
    reader("BEGIN; SELECT count(*) FROM conversations");
    write_log(BOUND + 1);
    bed.watch.keep.next_file_try = steady(NULL) + 1;
    keep_look(&bed.watch);
    ck_assert(!bed.watch.keep.wants_file);
    reader("COMMIT");
}
END_TEST

Suite *suite_keep(void);
Suite *suite_keep(void)
{
    Suite *s = suite_create("keep");
    TCase *c = tcase_create("log");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_log_that_nobody_holds_is_emptied_and_no_file_is_asked_for);
    tcase_add_test(c, a_log_within_its_bound_stays_where_a_reader_holds_it);
    tcase_add_test(c, beyond_the_bound_a_new_file_is_asked_for_once_and_that_is_told);
    tcase_add_test(c, no_file_is_asked_for_before_its_time);
    suite_add_tcase(s, c);
    return s;
}
