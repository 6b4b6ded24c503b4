/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "../../../src/engine/written.h"

static struct written *list;

static void setup(void)
{
    struct err e = {0};

    ck_assert_msg(written_new(&list, &e) == 0, "%s", e.msg);
}

static void teardown(void)
{
    written_free(list);
}

static struct written_entry *finding(uint64_t identity)
{
    return written_find(list, WRITTEN_FINDING, &identity, sizeof(identity));
}

static int count(void *aux, const struct written_entry *e)
{
    unsigned *n = aux;

    *n += !e->is_new;
    return 0;
}

START_TEST(numbers_begin_with_one_by_kind_and_stay)
{
    uint64_t id = 7;

    ck_assert_uint_eq(finding(1)->id, 1);
    ck_assert_uint_eq(finding(2)->id, 2);
    ck_assert_uint_eq(written_find(list, WRITTEN_CONVERSATION, &id, sizeof(id))->id, 1);
    ck_assert_uint_eq(finding(1)->id, 1);
    ck_assert_ptr_null(written_known(list, WRITTEN_FINDING, &id, sizeof(id)));
    ck_assert_uint_eq(finding(3)->id, 3);
}
END_TEST

START_TEST(one_with_a_row_of_its_own_keeps_it_and_the_row_of_the_one_before_goes)
{
    uint64_t              identity = 1;
    unsigned              n_taken_out = 0;
    struct written_entry *own = finding(1), *before = finding(2);
    uint64_t              key[2] = {before->key[0], before->key[1]};

    own->is_new = before->is_new = false;
    own->pass = before->pass = 1;
    struct written_entry *e = written_follow(list, WRITTEN_FINDING, &identity, sizeof(identity), key, 2);
    ck_assert_uint_eq(e->id, 1);
    e->pass = 2;
    ck_assert_int_eq(written_sweep(list, 2, count, &n_taken_out), 0);
    ck_assert_uint_eq(n_taken_out, 1);
}
END_TEST

START_TEST(one_that_follows_has_the_number_and_the_row_of_the_one_before)
{
    uint64_t              identity = 2, other = 3;
    unsigned              n_taken_out = 0;
    struct written_entry *e = finding(1);
    uint64_t              key[2] = {e->key[0], e->key[1]};

    e->is_new = false;
    e->pass = 1;
    e = written_follow(list, WRITTEN_FINDING, &identity, sizeof(identity), key, 2);
    ck_assert_uint_eq(e->id, 1);
    ck_assert(!e->is_new); /* its row is written over */
    e->pass = 2;
    ck_assert_int_eq(written_sweep(list, 2, count, &n_taken_out), 0);
    ck_assert_uint_eq(n_taken_out, 0);
    ck_assert_uint_eq(finding(4)->id, 2); /* no hole */
    e = finding(2);
    key[0] = e->key[0];
    key[1] = e->key[1];
    ck_assert_uint_eq(written_follow(list, WRITTEN_FINDING, &other, sizeof(other), key, 2)->id, 3); /* that one is there still */
}
END_TEST

START_TEST(it_is_so_while_the_table_grows)
{
    for (uint64_t i = 0; i < 20000; i++) {
        struct written_entry *e = finding(i);
        uint64_t              key[2] = {e->key[0], e->key[1]}, identity = i + 1000000;

        e->is_new = false;
        e->pass = 1;
        e = written_follow(list, WRITTEN_FINDING, &identity, sizeof(identity), key, 2);
        ck_assert_uint_eq(e->id, i + 1);
        ck_assert_ptr_eq(e, written_known(list, WRITTEN_FINDING, &identity, sizeof(identity)));
        e->pass = 2;
    }
}
END_TEST

Suite *suite_written(void);
Suite *suite_written(void)
{
    Suite *suite = suite_create("written");
    TCase *tc = tcase_create("written");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, numbers_begin_with_one_by_kind_and_stay);
    tcase_add_test(tc, one_with_a_row_of_its_own_keeps_it_and_the_row_of_the_one_before_goes);
    tcase_add_test(tc, one_that_follows_has_the_number_and_the_row_of_the_one_before);
    tcase_add_test(tc, it_is_so_while_the_table_grows);
    suite_add_tcase(suite, tc);
    return suite;
}
