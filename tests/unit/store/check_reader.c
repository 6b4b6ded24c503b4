/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowaudit/reader.h"
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

static void make_record(void)
{
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    scratch_conversation(s, 2);
    ck_assert_int_eq(store_end_run(s, 1, true, &e), 0);
    store_close(s);
}

static struct reader *open_record(void)
{
    struct reader *r;
    struct err e = {0};

    ck_assert_msg(reader_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    return r;
}

static int64_t number(struct reader *r, const char *sql)
{
    struct err e = {0};
    int64_t value = -1;

    ck_assert_msg(reader_number(r, sql, NULL, 0, &value, &e) == 0, "%s", e.msg);
    return value;
}

START_TEST(cells_come_with_name_type_and_value)
{
    static const int64_t args[] = {7, 9};
    struct err e = {0};
    struct cursor *c;
    size_t len;

    make_record();
    struct reader *r = open_record();
    ck_assert_int_eq(reader_query(r, "SELECT ?1 + ?2 AS sum, NULL AS absent, 'text' AS word", args, 2, &c, &e), 0);
    ck_assert_int_eq(cursor_columns(c), 3);
    ck_assert_str_eq(cursor_name(c, 0), "sum");
    ck_assert_int_eq(cursor_next(c, &e), 1);
    ck_assert_int_eq(cursor_type(c, 0), CELL_INTEGER);
    ck_assert_int_eq(cursor_integer(c, 0), 16);
    ck_assert_int_eq(cursor_type(c, 1), CELL_NULL);
    ck_assert_str_eq(cursor_text(c, 1, &len), "");
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(cursor_type(c, 2), CELL_TEXT);
    ck_assert_str_eq(cursor_text(c, 2, &len), "text");
    ck_assert_uint_eq(len, 4);
    ck_assert_int_eq(cursor_next(c, &e), 0);
    cursor_free(c);
    reader_free(r);
}
END_TEST

START_TEST(a_reader_cannot_write)
{
    struct err e = {0};
    struct cursor *c;

    make_record();
    struct reader *r = open_record();
    ck_assert_int_eq(reader_query(r, "DELETE FROM conversation", NULL, 0, &c, &e), 0);
    ck_assert_int_eq(cursor_next(c, &e), -EROFS);
    cursor_free(c);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM conversations"), 2);
    reader_free(r);
}
END_TEST

START_TEST(a_query_without_end_is_stopped)
{
    struct err e = {0};
    struct cursor *c;

    make_record();
    struct reader *r = open_record();
    reader_limit(r, 3);
    ck_assert_int_eq(
        reader_query(r, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n", NULL, 0,
                     &c, &e),
        0);
    ck_assert_int_eq(cursor_next(c, &e), -ETIME);
    cursor_free(c);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM conversations"), 2);
    reader_free(r);
}
END_TEST

START_TEST(a_record_being_written_can_be_read)
{
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);
    struct reader *r = open_record();

    ck_assert_int_eq(number(r, "SELECT count(*) FROM runs"), 1);
    reader_free(r);
    store_close(s);
}
END_TEST

static void refuse(int code, const char *sentence)
{
    struct reader *r = NULL;
    struct err e = {0};

    ck_assert_int_eq(reader_open(scratch.path, &r, &e), code);
    ck_assert_ptr_null(r);
    ck_assert_msg(strstr(e.msg, sentence) != NULL && strncmp(e.msg, scratch.path, strlen(scratch.path)) == 0,
                  "'%s' lacks '%s'", e.msg, sentence);
}

START_TEST(what_is_no_record_is_refused)
{
    refuse(-ENOENT, "no such file");
    ck_assert_int_ne(access(scratch.path, F_OK), 0);
    scratch_write(scratch.path, "", 0);
    refuse(-EINVAL, "is empty");
    scratch_write(scratch.path, "hello", 5);
    refuse(-EINVAL, "not SQLite");
    remove(scratch.path);
    scratch_sql(scratch.path, "CREATE TABLE a(b)");
    refuse(-EINVAL, "another program's");
    remove(scratch.path);
    make_record();
    scratch_sql(scratch.path, "PRAGMA user_version = 9");
    refuse(-EINVAL, "newer flowaudit");
}
END_TEST

START_TEST(altered_views_are_refused)
{
    make_record();
    scratch_sql(scratch.path,
                "DROP VIEW hosts; CREATE VIEW hosts AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT i AS run_id FROM n");
    refuse(-EINVAL, "view 'hosts'");
}
END_TEST

START_TEST(a_missing_table_is_refused)
{
    make_record();
    scratch_sql(scratch.path, "DROP TABLE flow");
    refuse(-EINVAL, "table 'flow'");
}
END_TEST

START_TEST(damaged_pages_are_found)
{
    char zeros[64];

    make_record();
    memset(zeros, 0xff, sizeof(zeros));
    FILE *f = fopen(scratch.path, "r+b");
    ck_assert_ptr_nonnull(f);
    int64_t page = scratch_number(scratch.path, "SELECT rootpage FROM sqlite_schema WHERE name = 'conversation'");
    ck_assert_int_eq(fseek(f, (page - 1) * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(zeros, 1, sizeof(zeros), f), sizeof(zeros));
    fclose(f);
    refuse(-EBADMSG, "");
}
END_TEST

START_TEST(a_dead_run_is_read_where_nothing_can_be_written)
{
    char log[128];

    /* The writer died: what it left is a file in WAL mode, here with its log already copied back. */
    make_record();
    scratch_sql(scratch.path, "PRAGMA journal_mode = WAL");
    snprintf(log, sizeof(log), "%s-wal", scratch.path);
    ck_assert_int_ne(access(log, F_OK), 0);
    ck_assert_int_eq(chmod(scratch.dir, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    struct reader *r = open_record();
    ck_assert_int_eq(number(r, "SELECT count(*) FROM conversations"), 2);
    reader_free(r);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(scratch.dir, 0755), 0);
}
END_TEST

START_TEST(a_log_that_cannot_be_read_is_not_passed_over)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int64_t run;

        scratch_begin(scratch.path, &run);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    char shm[128];
    snprintf(shm, sizeof(shm), "%s-shm", scratch.path);
    remove(shm);
    ck_assert_int_eq(chmod(scratch.dir, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    refuse(-EACCES, "was not closed");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(scratch.dir, 0755), 0);
    struct reader *r = open_record();
    ck_assert_int_eq(number(r, "SELECT count(*) FROM runs WHERE complete = 0"), 1);
    reader_free(r);
}
END_TEST

Suite *suite_reader(void);
Suite *suite_reader(void)
{
    Suite *suite = suite_create("reader");
    TCase *tc = tcase_create("reader");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, cells_come_with_name_type_and_value);
    tcase_add_test(tc, a_reader_cannot_write);
    tcase_add_test(tc, a_query_without_end_is_stopped);
    tcase_add_test(tc, a_record_being_written_can_be_read);
    tcase_add_test(tc, what_is_no_record_is_refused);
    tcase_add_test(tc, altered_views_are_refused);
    tcase_add_test(tc, a_missing_table_is_refused);
    tcase_add_test(tc, damaged_pages_are_found);
    tcase_add_test(tc, a_dead_run_is_read_where_nothing_can_be_written);
    tcase_add_test(tc, a_log_that_cannot_be_read_is_not_passed_over);
    suite_add_tcase(suite, tc);
    return suite;
}
