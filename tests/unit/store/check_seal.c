/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flowaudit/seal.h"
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

struct told {
    unsigned n[SEAL_UNKNOWN + 1];
    char text[8192];
};

static void hear(void *aux, enum seal_word word, int64_t run_id, const char *sentence)
{
    struct told *t = aux;
    size_t len = strlen(t->text);

    if (strstr(sentence, "lacks the") != NULL) /* these runs have neither site nor matrix */
        return;
    t->n[word]++;
    snprintf(t->text + len, sizeof(t->text) - len, "%d run %lld: %s\n", word, (long long)run_id, sentence);
}

static struct told verify(void)
{
    struct told t = {0};
    struct reader *r;
    struct err e = {0};

    ck_assert_msg(reader_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    ck_assert_msg(seal_verify(r, NULL, hear, &t, &e) == 0, "%s", e.msg);
    reader_free(r);
    return t;
}

static void expect(unsigned holds, unsigned altered, unsigned unknown, const char *words)
{
    struct told t = verify();

    ck_assert_msg(t.n[SEAL_HOLDS] == holds && t.n[SEAL_ALTERED] == altered && t.n[SEAL_UNKNOWN] == unknown && strstr(t.text, words) != NULL,
                  "meant %u %u %u with '%s':\n%s", holds, altered, unknown, words, t.text);
}

/* A run with rows; 'keep' > 0: so many are to be left when it ends. */
static void add_run(unsigned keep)
{
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    scratch_conversation(s, 2);
    for (int64_t old = 1; keep > 0 && old + keep <= run; old++) {
        int rc = store_remove_run(s, old, 1700000000000000000, "older than the runs to keep", &e);
        ck_assert_msg(rc == 0 || rc == -ENOENT, "%s", e.msg);
    }
    ck_assert_msg(store_end_run(s, 1, true, &e) == 0, "%s", e.msg);
    store_close(s);
}

START_TEST(each_run_that_ends_is_sealed)
{
    add_run(0);
    add_run(0);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM seals"), 2);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT a.sha256 = b.previous FROM seals a, seals b WHERE a.seal_id = 1 AND b.seal_id = 2"),
                     1);
    expect(2, 0, 0, "all tables are as sealed");
}
END_TEST

/* Rows are digested as they come, or read back where they came in another order, went again, or were of another run before. */
START_TEST(the_seal_is_of_the_rows_that_are_there_however_they_came)
{
    static const struct {
        uint64_t first, last, again;
        bool all;
    } ways[] = {{1, 1000, 0, false}, {1, 1000, 500, false}, {1, 128, 1, false}, {1, 129, 0, true}, {1, 300, 300, true}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct err e = {0};
        int64_t run;
        struct store *s = scratch_begin(scratch.path, &run);

        if (ways[i].all) {
            for (uint64_t id = 1; id < 200; id++)
                scratch_conversation(s, id);
            ck_assert_int_eq(store_forget_judged(s, &e), 0);
        }
        for (uint64_t id = ways[i].first; id <= ways[i].last; id++)
            scratch_conversation(s, id);
        if (ways[i].again != 0) {
            ck_assert_int_eq(store_forget_conversation(s, ways[i].again, &e), 0);
            scratch_conversation(s, ways[i].again);
        }
        ck_assert_msg(store_end_run(s, 1, true, &e) == 0, "%s", e.msg);
        store_close(s);
        expect((unsigned)i + 1, 0, 0, "all tables are as sealed");
    }
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT group_concat(n, '') = '10001000128129300' FROM (SELECT count(*) AS n FROM conversation"
                                                  " GROUP BY run_id ORDER BY run_id)"), 1);
}
END_TEST

/* Whether the rows that are written at once differ in a column: each combination of five comes once, texts that give way to nulls among them. */
static int64_t changing(uint64_t id, unsigned column)
{
    uint64_t batch = (id - 1) / 128;

    return (int64_t)((batch >> column & 1) != 0 ? id * (column + 3) : batch);
}

START_TEST(columns_that_change_now_and_then_are_written_and_sealed_as_they_came)
{
    static const char same[] = "SELECT count(*) FROM (SELECT *, (conversation_id - 1) / 128 AS b, conversation_id AS i FROM conversation) WHERE flows ="
                               " iif(b & 1, i * 3, b) AND packets = iif(b & 2, i * 4, b) AND server = iif(b & 4, i * 5, b) AND protocol IS"
                               " iif(b & 8 AND (i - 1) % 128 < 9, 'early', NULL) AND bytes = iif(b & 16, i * 7, b) AND length(client_name) ="
                               " iif(b % 5, 4, 1900) AND server_name = client_name AND protocol_detail = client_name AND outcome = 'established'";
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);
    char server[32], name[2048];

    for (uint64_t id = 1; id <= 4096; id++) {
        memset(name, 'x', sizeof(name)); /* three of them are longer than what the digest takes at once */
        name[(id - 1) / 128 % 5 == 0 ? 1900 : 4] = '\0';
        snprintf(server, sizeof(server), "%lld", (long long)changing(id, 2));
        struct store_conversation c = {
            .conversation_id = id, .transport = "tcp", .verdict = "allowed", .outcome = "established", .flows = (uint64_t)changing(id, 0),
            .packets = (uint64_t)changing(id, 1), .server = server, .protocol = ((id - 1) / 128 & 8) != 0 && (id - 1) % 128 < 9 ? "early" : NULL,
            .bytes = (uint64_t)changing(id, 4), .client_name = name, .server_name = name, .protocol_detail = name,
        };

        ck_assert_msg(store_put_conversation(s, &c, &e) == 0, "%s", e.msg);
    }
    ck_assert_msg(store_end_run(s, 1, true, &e) == 0, "%s", e.msg);
    store_close(s);
    ck_assert_int_eq(scratch_number(scratch.path, same), 4096);
    expect(1, 0, 0, "all tables are as sealed");
}
END_TEST

START_TEST(an_id_twice_is_told_at_once_and_later)
{
    for (uint64_t n = 1; n < 400; n += 127) {
        struct err e = {0};
        int64_t run;
        struct store *s = scratch_begin(scratch.path, &run);
        struct store_conversation c = {.conversation_id = n, .transport = "tcp", .verdict = "allowed", .outcome = "established"};

        for (uint64_t id = 1; id <= n; id++)
            scratch_conversation(s, id);
        ck_assert_int_eq(store_put_conversation(s, &c, &e), -EEXIST);
        ck_assert_int_eq(store_end_run(s, 1, true, &e), -EEXIST);
        store_close(s);
        ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM seals"), 0);
    }
}
END_TEST

START_TEST(a_run_that_died_has_no_seal_and_must_stay)
{
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    scratch_conversation(s, 1);
    ck_assert_int_eq(store_commit(s, &e), 0);
    store_close(s);
    add_run(0);
    expect(1, 0, 1, "run 1: has no seal");
    scratch_sql(scratch.path, "DELETE FROM run WHERE run_id = 1; DELETE FROM conversation WHERE run_id = 1");
    expect(0, 1, 0, "run 1: run 1, which seal 1 speaks of, was removed");
}
END_TEST

START_TEST(a_run_added_before_a_sealed_one_is_found)
{
    add_run(0);
    add_run(0);
    scratch_sql(scratch.path, "INSERT INTO run(run_id, complete) VALUES (-5, 1)");
    expect(2, 1, 0, "run -5: a seal is missing, or the run was added");
}
END_TEST

START_TEST(runs_that_the_program_removes_leave_the_chain_whole)
{
    for (int i = 0; i < 5; i++)
        add_run(2);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM runs"), 2);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT min(run_id) FROM conversations"), 4);
    ck_assert_int_eq(scratch_number(scratch.path, "SELECT count(*) FROM removals WHERE removed = '2023-11-14T22:13:20.000000Z'"), 3);
    expect(5, 0, 0, "run 1: was removed by flowaudit in run 3");
}
END_TEST

START_TEST(the_note_of_a_removal_is_sealed_and_outlives_its_run)
{
    for (int i = 0; i < 5; i++)
        add_run(1);
    expect(5, 0, 0, "was removed by flowaudit in run 2");
    scratch_sql(scratch.path, "UPDATE removal SET removed_ns = 5 WHERE run_id = 2");
    expect(4, 1, 0, "run 2: table removal was altered");
}
END_TEST

START_TEST(a_removal_by_a_run_without_a_seal_proves_nothing)
{
    add_run(0);
    scratch_sql(scratch.path,
                "DELETE FROM run; DELETE FROM conversation; DELETE FROM input; INSERT INTO run(run_id, complete) VALUES (9, 0);"
                " INSERT INTO removal(run_id, removed_run, removed_ns, seal, reason) SELECT 9, 1, 5, sha256, 'old' FROM seal");
    expect(0, 0, 2, "run 1: was removed in run 9, which has no seal itself");
}
END_TEST

/* The table of seals is in no seal: each cell of it is looked at for itself. */
START_TEST(a_seal_has_nothing_else_in_it)
{
    add_run(0);
    scratch_sql(scratch.path, "UPDATE seal SET previous = ''");
    expect(0, 1, 0, "more or less in it");
    scratch_sql(scratch.path, "UPDATE seal SET previous = NULL");
    expect(1, 0, 0, "as sealed");
    scratch_sql(scratch.path, "UPDATE seal SET sha256 = sha256 || char(0) || 'x'");
    expect(0, 1, 0, "more or less in it");
}
END_TEST

START_TEST(the_run_at_work_and_none_cannot_be_removed)
{
    struct err e = {0};
    int64_t run;
    struct store *s = scratch_begin(scratch.path, &run);

    ck_assert_int_eq(store_remove_run(s, run, 0, "test", &e), -EINVAL);
    ck_assert_int_eq(store_remove_run(s, 99, 0, "test", &e), -ENOENT);
    ck_assert_int_eq(store_end_run(s, 1, true, &e), 0);
    store_close(s);
    expect(1, 0, 0, "");
}
END_TEST

START_TEST(a_manifest_that_names_what_no_record_has_is_refused)
{
    add_run(0);
    scratch_sql(scratch.path, "UPDATE seal SET manifest = replace(manifest, 'table host', 'table sqlite_schema')");
    expect(0, 2, 0, "no record has");
    scratch_sql(scratch.path, "UPDATE seal SET manifest = replace(manifest, 'sqlite_schema', 'host'); UPDATE seal SET manifest ="
                              " replace(manifest, 'run_id,host_id', 'run_id,host_id\", (SELECT 1) \"')");
    expect(0, 2, 0, "no record has");
    scratch_sql(scratch.path, "UPDATE seal SET manifest = 'flowaudit-seal-1'");
    expect(0, 2, 0, "cannot be read");
}
END_TEST

Suite *suite_seal(void);
Suite *suite_seal(void)
{
    Suite *suite = suite_create("seal");
    TCase *tc = tcase_create("seal");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, each_run_that_ends_is_sealed);
    tcase_add_test(tc, the_seal_is_of_the_rows_that_are_there_however_they_came);
    tcase_add_test(tc, columns_that_change_now_and_then_are_written_and_sealed_as_they_came);
    tcase_add_test(tc, an_id_twice_is_told_at_once_and_later);
    tcase_add_test(tc, a_run_that_died_has_no_seal_and_must_stay);
    tcase_add_test(tc, a_run_added_before_a_sealed_one_is_found);
    tcase_add_test(tc, runs_that_the_program_removes_leave_the_chain_whole);
    tcase_add_test(tc, the_note_of_a_removal_is_sealed_and_outlives_its_run);
    tcase_add_test(tc, the_run_at_work_and_none_cannot_be_removed);
    tcase_add_test(tc, a_removal_by_a_run_without_a_seal_proves_nothing);
    tcase_add_test(tc, a_seal_has_nothing_else_in_it);
    tcase_add_test(tc, a_manifest_that_names_what_no_record_has_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
