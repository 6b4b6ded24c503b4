/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flowaudit/store.h"
#include "../../../src/store/store-private.h"
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

static void end_run(struct store *s, bool complete)
{
    struct err e = {0};

    ck_assert_msg(store_end_run(s, 1700000001000000000, complete, &e) == 0, "%s", e.msg);
}

/* --- schema -------------------------------------------------------------------------------------------- */

/* As the documentation promises them. */
static const struct {
    const char *view, *columns;
} views[] = {
    {"runs", "run_id,started,ended,command,version,site_sha256,matrix_id,matrix_sha256,complete"},
    {"inputs", "run_id,input_id,name,sha256,bytes,linktype,snaplen,first_packet,last_packet,packets,packets_decoded,"
               "packets_discarded,packets_dropped,damaged"},
    {"discards", "run_id,input_id,reason,packets"},
    {"losses", "run_id,input_id,reason,packets,first,last"},
    {"hosts", "run_id,address,name,roles,first_seen,last_seen,packets"},
    {"conversations",
     "run_id,conversation_id,client,client_port_low,client_port_high,server,server_port,transport,protocol,row_id,"
     "verdict,outcome,disposition,confidence,first_seen,last_seen,flows,packets,bytes"},
    {"flows",
     "run_id,flow_id,conversation_id,client,client_port,server,server_port,transport,vlan,community_id,first_seen,"
     "last_seen,packets_out,packets_in,bytes_out,bytes_in,tcp_flags_out,tcp_flags_in,protocol,input_id,"
     "first_packet_number"},
    {"findings",
     "run_id,finding_id,kind,severity,row_id,section,client,client_name,server,server_name,transport,server_port,"
     "protocol,outcome,disposition,first_seen,last_seen,flows,packets,bytes,reason,waived_by,parent"},
    {"expectations", "run_id,row_id,client,server,outcome,first_seen,attempts,reason"},
    {"rows", "run_id,row_id,section,from_roles,to_roles,ports,service,condition,expect,protocols,enabled,position"},
    {"counters", "run_id,name,value,text"},
};

START_TEST(a_view_has_the_documented_columns_first)
{
    char sql[200], have[2000];

    store_close(scratch_open(scratch.path));
    snprintf(sql, sizeof(sql), "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('%s') ORDER BY cid)",
             views[_i].view);
    scratch_text(scratch.path, sql, have, sizeof(have));
    size_t len = strlen(views[_i].columns);
    ck_assert_msg(strncmp(have, views[_i].columns, len) == 0 && (have[len] == ',' || have[len] == '\0'), "%s: %s",
                  views[_i].view, have);
}
END_TEST

START_TEST(the_file_says_whose_it_is_and_its_tables_are_strict)
{
    store_close(scratch_open(scratch.path));
    ck_assert_int_eq(scratch_number(scratch.path, "PRAGMA application_id"), STORE_APPLICATION_ID);
    ck_assert_int_eq(scratch_number(scratch.path, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    ck_assert_int_eq(scratch_number(scratch.path,
                                    "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"
                                    " AND name NOT LIKE 'sqlite_%' AND NOT strict"),
                     0);
}
END_TEST

/* --- times --------------------------------------------------------------------------------------------- */

static const struct {
    int64_t ns;
    const char *text;
} times[] = {
    {1, "1970-01-01T00:00:00.000000Z"},
    {999, "1970-01-01T00:00:00.000000Z"},
    {1000, "1970-01-01T00:00:00.000001Z"},
    {1700000000123456789, "2023-11-14T22:13:20.123456Z"},
    {1700000000999999999, "2023-11-14T22:13:20.999999Z"},
    {2147483648000000000, "2038-01-19T03:14:08.000000Z"},
    {4102444800000001000, "2100-01-01T00:00:00.000001Z"},
    {INT64_MAX, "2262-04-11T23:47:16.854775Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {-1000000000, "1969-12-31T23:59:59.000000Z"},
    {-1500000000, "1969-12-31T23:59:58.500000Z"},
    {INT64_MIN, "1677-09-21T00:12:43.145224Z"},
    {951782400000000000, "2000-02-29T00:00:00.000000Z"},
    {0, "(null)"},
};

START_TEST(times_are_utc_text_rounded_down)
{
    struct store_host h = {.address = "10.0.0.1", .first_ns = times[_i].ns};
    struct err e = {0};
    int64_t run;
    char buf[64];
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_put_host(s, &h, &e), 0);
    end_run(s, true);
    store_close(s);
    ck_assert_str_eq(scratch_text(scratch.path, "SELECT first_seen FROM hosts", buf, sizeof(buf)), times[_i].text);
}
END_TEST

/* --- runs ------------------------------------------------------------------------------------------------ */

START_TEST(a_second_run_is_appended)
{
    int64_t run;

    for (int i = 1; i <= 3; i++) {
        struct store *s = scratch_begin(scratch.path, &run);

        ck_assert_int_eq(run, i);
        scratch_conversation(s, 1);
        end_run(s, true);
        store_close(s);
    }
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 3);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(DISTINCT run_id) FROM conversations"), 3);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT sum(complete) FROM runs"), 3);
}
END_TEST

START_TEST(one_handle_can_record_one_run_after_another)
{
    const struct store_run again = {.started_ns = 5};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    end_run(s, true);
    ck_assert_int_eq(store_begin_run(s, &again, &run, &e), 0);
    ck_assert_int_eq(run, 2);
    scratch_conversation(s, 1);
    end_run(s, false);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs WHERE run_id = 2"), 0);
}
END_TEST

/* Batches that are not synced one by one are seen as soon, and the next run of the same handle is as any other. */
START_TEST(rows_whose_sync_is_deferred_are_seen_at_once)
{
    const struct store_run again = {.started_ns = 5};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    ck_assert_int_eq(store_defer_sync(s, &e), 0);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 1);
    for (uint64_t id = 2; id <= 10002; id++)
        scratch_conversation(s, id);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 10001);
    end_run(s, true);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 10002);
    ck_assert_int_eq(store_begin_run(s, &again, &run, &e), 0);
    scratch_conversation(s, 1);
    end_run(s, true);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT sum(complete) FROM runs"), 2);
}
END_TEST

START_TEST(an_ended_run_leaves_one_file_with_a_rollback_journal)
{
    struct stat st;
    char log[128], buf[32];
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    end_run(s, true);
    snprintf(log, sizeof(log), "%s-wal", scratch.path);
    ck_assert_int_ne(stat(log, &st), 0);
    ck_assert_str_eq(scratch_text(scratch.path, "PRAGMA journal_mode", buf, sizeof(buf)), "delete");
    store_close(s);
}
END_TEST

START_TEST(a_begun_run_and_committed_rows_are_seen_by_others_at_once)
{
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM runs WHERE complete = 0 AND ended IS NULL"), 1);
    scratch_conversation(s, 1);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 0);
    ck_assert_int_eq(store_commit(s, &e), 0);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 1);
    for (uint64_t id = 2; id <= 10001; id++)
        scratch_conversation(s, id);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 10001);
    store_close(s);
}
END_TEST

START_TEST(closing_without_an_end_rolls_the_open_rows_back)
{
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 0);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs"), 0);
}
END_TEST

START_TEST(a_killed_run_stays_incomplete_and_keeps_what_was_committed)
{
    char buf[32];
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int64_t run;
        struct store *s = scratch_begin(scratch.path, &run);

        for (uint64_t id = 1; id <= 10500; id++)
            scratch_conversation(s, id);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);

    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);
    ck_assert_int_eq(run, 2);
    end_run(s, true);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations WHERE run_id = 1"), 10000);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs WHERE run_id = 1"), 0);
    ck_assert_str_eq(scratch_text(scratch.path, "PRAGMA integrity_check", buf, sizeof(buf)), "ok");
}
END_TEST

/* The pages of a file are chosen as it is made, by what the first run is made from; later runs take them as they are. */
START_TEST(a_record_of_a_large_input_has_large_pages_and_is_the_same)
{
    static const struct {
        uint64_t first, second;
        int page_size;
    } cases[] = {{0, UINT64_C(1) << 40, 4096}, {(32 << 20) - 1, 32 << 20, 4096}, {32 << 20, 0, 16384}};
    const struct store_run of = {.started_ns = 1700000000000000000, .command = "flowaudit check", .version = "test"};
    char small[200] = "", text[200];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unlink(scratch.path);
        for (int run = 1; run <= 2; run++) {
            struct store *s = NULL;
            struct err e = {0};
            int64_t id;

            ck_assert_msg(store_open_for(scratch.path, run == 1 ? cases[i].first : cases[i].second, &s, &e) == 0, "%s", e.msg);
            ck_assert_int_eq(store_begin_run(s, &of, &id, &e), 0);
            for (uint64_t k = 1; k <= 1000; k++)
                scratch_conversation(s, k);
            end_run(s, true);
            store_close(s);
        }
        ck_assert_int_eq(scratch_number(scratch.path, "PRAGMA page_size"), cases[i].page_size);
        ck_assert_str_eq(scratch_text(scratch.path, "PRAGMA integrity_check", text, sizeof(text)), "ok");
        scratch_text(scratch.path, "SELECT group_concat(sha256) FROM seals", text, sizeof(text));
        ck_assert_uint_eq(strlen(text), 2 * 64 + 1);
        if (i > 0)
            ck_assert_str_eq(text, small);
        memcpy(small, text, sizeof(small));
    }
}
END_TEST

/* SQLite reckons the bound on its cache in pages of the size that a file has when the bound is set. */
START_TEST(large_pages_do_not_make_the_cache_larger)
{
    const struct store_run of = {.started_ns = 1700000000000000000, .command = "flowaudit check", .version = "test"};
    char name[2001];
    struct store *s = NULL;
    struct err e = {0};
    int64_t id;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    sqlite3_memory_highwater(1);
    ck_assert_msg(store_open_for(scratch.path, 32 << 20, &s, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(store_begin_run(s, &of, &id, &e), 0);
    for (uint64_t i = 0; i < 20000; i++) {
        char address[24];

        snprintf(address, sizeof(address), "10.0.%u.%u", (unsigned)(i / 256), (unsigned)(i % 256));
        ck_assert_int_eq(store_put_host(s, &(struct store_host){.address = address, .name = name}, &e), 0);
    }
    end_run(s, true);
    store_close(s);
    ck_assert_int_lt(sqlite3_memory_highwater(0), 24 << 20);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT sum(length(name)) FROM hosts"), 40000000);
}
END_TEST

/* --- refusals ------------------------------------------------------------------------------------------- */

static void refuse(const char *path, int code, const char *sentence)
{
    struct store *s = NULL;
    struct err e = {0};

    ck_assert_int_eq(store_open(path, &s, &e), code);
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(e.msg, sentence) != NULL, "'%s' lacks '%s'", e.msg, sentence);
}

START_TEST(a_file_that_is_no_database_is_refused_untouched)
{
    static const char short_text[] = "dear diary", long_text[400] = "#!/bin/sh\n";

    scratch_write(scratch.path, short_text, sizeof(short_text));
    refuse(scratch.path, -EINVAL, "not SQLite");
    ck_assert(scratch_same(scratch.path, short_text, sizeof(short_text)));
    scratch_write(scratch.path, long_text, sizeof(long_text));
    refuse(scratch.path, -EINVAL, "not SQLite");
    ck_assert(scratch_same(scratch.path, long_text, sizeof(long_text)));
}
END_TEST

START_TEST(another_programs_database_is_refused_untouched)
{
    char before[64], after[64];

    scratch_sql(scratch.path, "CREATE TABLE runs(a); PRAGMA journal_mode = WAL; INSERT INTO runs VALUES (1)");
    scratch_text(scratch.path, "SELECT hex(journal_mode) FROM pragma_journal_mode", before, sizeof(before));
    refuse(scratch.path, -EINVAL, "another program's");
    scratch_text(scratch.path, "SELECT hex(journal_mode) FROM pragma_journal_mode", after, sizeof(after));
    ck_assert_str_eq(before, after);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM sqlite_schema"), 1);
}
END_TEST

START_TEST(a_newer_record_is_refused)
{
    store_close(scratch_open(scratch.path));
    scratch_sql(scratch.path, "PRAGMA user_version = 99");
    refuse(scratch.path, -EINVAL, "newer flowaudit");
    scratch_sql(scratch.path, "PRAGMA user_version = 0");
    refuse(scratch.path, -EINVAL, "no schema version");
}
END_TEST

START_TEST(an_altered_schema_is_refused)
{
    store_close(scratch_open(scratch.path));
    scratch_sql(scratch.path, "DROP VIEW findings; CREATE VIEW findings AS SELECT 1 AS run_id");
    refuse(scratch.path, -EINVAL, "view 'findings'");
}
END_TEST

START_TEST(somebodys_own_view_and_trigger_do_no_harm)
{
    int64_t run;

    store_close(scratch_open(scratch.path));
    scratch_sql(scratch.path, "CREATE VIEW mine AS SELECT 1; CREATE TRIGGER t AFTER INSERT ON conversation BEGIN "
                              "DELETE FROM conversation; END");
    struct store *s = scratch_begin(scratch.path, &run);
    scratch_conversation(s, 1);
    end_run(s, true);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM conversations"), 1);
}
END_TEST

START_TEST(a_corrupt_record_is_refused)
{
    char bytes[8192];

    store_close(scratch_open(scratch.path));
    FILE *f = fopen(scratch.path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), f), sizeof(bytes));
    memset(bytes + 100, 0xa5, 4096 - 100);
    rewind(f);
    ck_assert_uint_eq(fwrite(bytes, 1, sizeof(bytes), f), sizeof(bytes));
    fclose(f);
    refuse(scratch.path, -EBADMSG, "malformed");
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    char path[128];

    refuse(scratch.dir, -EINVAL, "directory");
    refuse("/dev/null", -EINVAL, "not a file");
    refuse("", -EINVAL, "empty");
    snprintf(path, sizeof(path), "%s/none/run.db", scratch.dir);
    refuse(path, -ENOENT, "No such file");
}
END_TEST

START_TEST(an_empty_file_becomes_a_record)
{
    int64_t run;

    scratch_write(scratch.path, "", 0);
    struct store *s = scratch_begin(scratch.path, &run);
    end_run(s, true);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs"), 1);
}
END_TEST

/* The superuser may write everywhere, so the test gives that up first (each test is a process of its own). */
static void become_nobody(void)
{
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(scratch.dir, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
}

static void become_somebody(void)
{
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}

START_TEST(a_file_or_folder_that_cannot_be_written_is_refused)
{
    char other[128];

    store_close(scratch_open(scratch.path));
    ck_assert_int_eq(chmod(scratch.path, 0444), 0);
    ck_assert_int_eq(chmod(scratch.dir, 0555), 0);
    become_nobody();
    refuse(scratch.path, -EACCES, "cannot be written");
    snprintf(other, sizeof(other), "%s/new.db", scratch.dir);
    refuse(other, -EACCES, "Permission denied");
    become_somebody();
    ck_assert_int_eq(chmod(scratch.path, 0000), 0);
    become_nobody();
    refuse(scratch.path, -EACCES, "Permission denied");
    become_somebody();
    ck_assert_int_eq(chmod(scratch.dir, 0755), 0);
}
END_TEST

START_TEST(a_name_is_a_name_and_never_a_database_in_memory_or_an_address)
{
    static const char *const names[] = {":memory:", "file:x.db?mode=memory"};

    ck_assert_int_eq(chdir(scratch.dir), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        store_close(scratch_open(names[i]));
        ck_assert_int_eq(access(names[i], R_OK), 0);
    }
}
END_TEST

/* --- failures while writing --------------------------------------------------------------------------------- */

START_TEST(a_full_disk_is_an_error_that_stays_and_leaves_a_sound_file)
{
    struct store_counter c = {.name = "filler", .value = 1};
    struct err e = {0}, again = {0};
    char buf[64], filler[1900];
    int64_t run;
    int rc = 0;
    struct store *s = scratch_begin(scratch.path, &run);

    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    c.text = filler;
    ck_assert_int_eq(sqlite3_exec(s->db, "PRAGMA max_page_count = 200", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; rc == 0 && i < 100000; i++)
        rc = store_put_counter(s, &c, &e);
    ck_assert_int_eq(rc, -ENOSPC);
    ck_assert_msg(strstr(e.msg, "full") != NULL, "%s", e.msg);
    ck_assert_int_eq(store_put_counter(s, &c, &again), -ENOSPC);
    ck_assert_str_eq(e.msg, again.msg);
    ck_assert_int_eq(store_commit(s, &again), -ENOSPC);
    ck_assert_int_eq(store_end_run(s, 1, true, &again), -ENOSPC);
    store_close(s);
    ck_assert_str_eq(scratch_text(scratch.path, "PRAGMA integrity_check", buf, sizeof(buf)), "ok");
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs"), 0);
}
END_TEST

START_TEST(an_id_given_twice_is_an_error)
{
    const struct store_discard d = {1, "too-short", 5};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_put_discard(s, &d, &e), 0);
    ck_assert_int_eq(store_put_discard(s, &d, &e), -EEXIST);
    ck_assert_int_eq(store_end_run(s, 1, true, &e), -EEXIST);
    store_close(s);
}
END_TEST

START_TEST(a_writer_that_another_keeps_waiting_gives_up_with_a_sentence)
{
    const struct store_run run = {.started_ns = 1};
    struct err e = {0};
    sqlite3 *other;
    int64_t id;
    struct store *s = scratch_open(scratch.path);

    ck_assert_int_eq(sqlite3_open(scratch.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(s->db, 50);
    ck_assert_int_eq(store_begin_run(s, &run, &id, &e), -EBUSY);
    ck_assert_msg(strstr(e.msg, "another program") != NULL, "%s", e.msg);
    sqlite3_close(other);
    store_close(s);
}
END_TEST

START_TEST(a_reader_at_work_does_not_keep_a_run_from_ending)
{
    int64_t run;
    sqlite3 *other;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(sqlite3_open(scratch.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN; SELECT * FROM runs", NULL, NULL, NULL), SQLITE_OK);
    scratch_conversation(s, 1);
    end_run(s, true);
    store_close(s);
    sqlite3_close(other);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT complete FROM runs"), 1);
}
END_TEST

/* --- values ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *in, *out;
} texts[] = {
    {"plain", "plain"},
    {"", "(null)"},
    {"tab\there", "tab\\x09here"},
    {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
    {"line\r\nend", "line\\x0d\\x0aend"},
    {"del\x7f", "del\\x7f"},
    {"c1 \xc2\x9b", "c1 \\xc2\\x9b"},
    {"M\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x98\x80", "M\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"cut \xe2\x82", "cut \\xe2\\x82"},
    {"overlong \xc0\xaf", "overlong \\xc0\\xaf"},
    {"overlong \xe0\x80\xaf", "overlong \\xe0\\x80\\xaf"},
    {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
    {"beyond \xf4\x90\x80\x80", "beyond \\xf4\\x90\\x80\\x80"},
    {"\xff\xfe", "\\xff\\xfe"},
    {"'; DROP TABLE run; --", "'; DROP TABLE run; --"},
};

START_TEST(text_from_traffic_is_made_valid_and_visible)
{
    struct store_host h = {.address = "10.0.0.1", .name = texts[_i].in};
    struct err e = {0};
    char buf[200];
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_put_host(s, &h, &e), 0);
    end_run(s, true);
    store_close(s);
    ck_assert_str_eq(scratch_text(scratch.path, "SELECT name FROM hosts", buf, sizeof(buf)), texts[_i].out);
}
END_TEST

START_TEST(a_long_text_is_cut_at_a_character)
{
    struct store_host h = {.address = "10.0.0.1"};
    struct err e = {0};
    char name[9001], buf[4096];
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    for (size_t i = 0; i + 3 <= sizeof(name) - 1; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    name[9000] = '\0';
    h.name = name;
    ck_assert_int_eq(store_put_host(s, &h, &e), 0);
    end_run(s, true);
    store_close(s);
    scratch_text(scratch.path, "SELECT name FROM hosts", buf, sizeof(buf));
    ck_assert_uint_eq(strlen(buf), TEXT_LIMIT / 3 * 3 + 3);
    ck_assert_str_eq(buf + strlen(buf) - 6, "\xe2\x82\xac\xe2\x80\xa6");
}
END_TEST

START_TEST(site_and_matrix_are_kept_whole)
{
    static const char site[] = "site: HQ\n# a comment\twith a tab\r\nhosts: {}\n";
    char long_text[100001], buf[200];
    struct store_run r = {.started_ns = 1, .site_text = site, .matrix_text = long_text, .command = "check 'a\nb'"};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_open(scratch.path);

    memset(long_text, 'm', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    ck_assert_int_eq(store_begin_run(s, &r, &run, &e), 0);
    end_run(s, true);
    store_close(s);
    ck_assert_str_eq(scratch_text(scratch.path, "SELECT site_text FROM runs", buf, sizeof(buf)), site);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT length(matrix_text) FROM runs"), 100000);
    ck_assert_str_eq(scratch_text(scratch.path, "SELECT command FROM runs", buf, sizeof(buf)), "check 'a\\x0ab'");
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
    const struct store_loss l = {.input_id = 1, .reason = "kernel-buffer"};
    const struct store_conversation c = {.conversation_id = 1,
                                         .transport = "tcp",
                                         .verdict = "violation",
                                         .outcome = "unanswered",
                                         .server_port = 9,
                                         .server_port_summed = true,
                                         .packets = UINT64_MAX};
    const struct store_finding f = {.finding_id = 1, .kind = "site", .severity = "low", .reason = "A list is missing."};
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_put_loss(s, &l, &e), 0);
    ck_assert_int_eq(store_put_conversation(s, &c, &e), 0);
    ck_assert_int_eq(store_put_finding(s, &f, &e), 0);
    end_run(s, true);
    store_close(s);
    ck_assert_int_eq(
        scratch_number(scratch.path, "SELECT count(*) FROM losses WHERE packets IS NULL AND first IS NULL"), 1);
    ck_assert_int_eq(scratch_number(scratch.path,
                                    "SELECT count(*) FROM conversations WHERE client IS NULL AND server IS NULL"
                                    " AND server_port IS NULL AND protocol IS NULL AND row_id IS NULL"),
                     1);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT packets FROM conversations"), INT64_MAX);
    ck_assert_int_eq(
        scratch_number(scratch.path,
                       "SELECT count(*) FROM findings WHERE server_port IS NULL AND conversation_id IS NULL"),
        1);
}
END_TEST

START_TEST(a_flow_record_is_stored_by_direction)
{
    struct flow_record r = {
        .tuple = {.client_port = 49152, .server_port = 88, .transport = IPPROTO_TCP},
        .direction = DIRECTION_SYN_ACK,
        .tcp_state = TCP_STATE_REFUSED,
        .closed = FLOW_CLOSED_RST,
        .end = FLOW_END_FORCED,
        .first_ns = 1700000000000000000,
        .packets = {3, 4},
        .bytes = {300, 400},
        .tcp_flags = {2, 20},
        .vlan = {12, 0},
        .first_packet = 77,
        .icmp = {.n_errors = 2, .type = 3, .code = 13, .packet_number = 9},
    };
    const struct store_flow f = {
        .flow_id = 1, .conversation_id = 5, .record = &r, .input_id = 2, .community_id = "1:abc="};
    struct err e = {0};
    char buf[200];
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    addr_parse("fd00:0::0:1", &r.tuple.client);
    addr_parse("10.0.0.2", &r.tuple.server);
    addr_parse("10.0.0.254", &r.icmp.sender);
    ck_assert_int_eq(store_put_flow(s, &f, &e), 0);
    end_run(s, true);
    store_close(s);
    scratch_text(scratch.path,
                 "SELECT concat FROM (SELECT client||' '||client_port||' '||server||' '||server_port||' "
                 "'||transport||' '||vlan||' '||"
                 "community_id||' '||packets_out||' '||packets_in||' '||bytes_out||' '||bytes_in||' "
                 "'||tcp_flags_out||' '||tcp_flags_in||' '||"
                 "input_id||' '||first_packet_number||' '||direction||' '||tcp_state||' '||closed||' '||end_reason||' "
                 "'||icmp_errors||' '||icmp_type||"
                 "' '||icmp_code||' '||icmp_sender||' '||icmp_packet_number AS concat FROM flows)",
                 buf, sizeof(buf));
    ck_assert_str_eq(
        buf,
        "fd00::1 49152 10.0.0.2 88 tcp 12 1:abc= 3 4 300 400 2 20 2 77 syn-ack refused rst forced 2 3 13 10.0.0.254 9");
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

#define N_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void add_files(Suite *suite)
{
    TCase *tc = new_case(suite, "files");

    tcase_add_loop_test(tc, a_view_has_the_documented_columns_first, 0, N_OF(views));
    tcase_add_test(tc, the_file_says_whose_it_is_and_its_tables_are_strict);
    tcase_add_test(tc, a_file_that_is_no_database_is_refused_untouched);
    tcase_add_test(tc, another_programs_database_is_refused_untouched);
    tcase_add_test(tc, a_newer_record_is_refused);
    tcase_add_test(tc, an_altered_schema_is_refused);
    tcase_add_test(tc, somebodys_own_view_and_trigger_do_no_harm);
    tcase_add_test(tc, a_corrupt_record_is_refused);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, an_empty_file_becomes_a_record);
    tcase_add_test(tc, a_file_or_folder_that_cannot_be_written_is_refused);
    tcase_add_test(tc, a_name_is_a_name_and_never_a_database_in_memory_or_an_address);
}

static void add_runs(Suite *suite)
{
    TCase *tc = new_case(suite, "runs");

    tcase_add_test(tc, a_second_run_is_appended);
    tcase_add_test(tc, a_record_of_a_large_input_has_large_pages_and_is_the_same);
    tcase_add_test(tc, large_pages_do_not_make_the_cache_larger);
    tcase_add_test(tc, one_handle_can_record_one_run_after_another);
    tcase_add_test(tc, rows_whose_sync_is_deferred_are_seen_at_once);
    tcase_add_test(tc, an_ended_run_leaves_one_file_with_a_rollback_journal);
    tcase_add_test(tc, a_begun_run_and_committed_rows_are_seen_by_others_at_once);
    tcase_add_test(tc, closing_without_an_end_rolls_the_open_rows_back);
    tcase_add_test(tc, a_killed_run_stays_incomplete_and_keeps_what_was_committed);
    tcase_add_test(tc, a_full_disk_is_an_error_that_stays_and_leaves_a_sound_file);
    tcase_add_test(tc, an_id_given_twice_is_an_error);
    tcase_add_test(tc, a_writer_that_another_keeps_waiting_gives_up_with_a_sentence);
    tcase_add_test(tc, a_reader_at_work_does_not_keep_a_run_from_ending);
}

Suite *suite_store(void);
Suite *suite_store(void)
{
    Suite *suite = suite_create("store");

    add_files(suite);
    add_runs(suite);
    TCase *tc = new_case(suite, "values");
    tcase_add_loop_test(tc, times_are_utc_text_rounded_down, 0, N_OF(times));
    tcase_add_loop_test(tc, text_from_traffic_is_made_valid_and_visible, 0, N_OF(texts));
    tcase_add_test(tc, a_long_text_is_cut_at_a_character);
    tcase_add_test(tc, site_and_matrix_are_kept_whole);
    tcase_add_test(tc, what_is_not_known_is_null);
    tcase_add_test(tc, a_flow_record_is_stored_by_direction);
    return suite;
}
