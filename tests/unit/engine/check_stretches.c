/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "../../../src/engine/stretches.h"

#define SECOND INT64_C(1000000000)
#define START (INT64_C(1600000000) * SECOND)

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorted, with a stretch wherever the next is near. */
static size_t plainly(int64_t *times, size_t n, struct stretch *ret)
{
    size_t n_stretches = 0;

    qsort(times, n, sizeof(*times), by_time);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || times[i] - times[i - 1] > HOLE_NS)
            ret[n_stretches++].first_ns = times[i];
        ret[n_stretches - 1].last_ns = times[i];
    }
    return n_stretches;
}

START_TEST(stretches_are_those_of_the_times_in_order)
{
    unsigned         seed = (unsigned)_i + 1;
    struct stretches s = {0};
    struct stretch   expected[200];
    int64_t          times[200];
    size_t           n = (size_t)_i * 2 % 200;

    for (size_t i = 0; i < n; i++) {
        times[i] = START + (int64_t)(rand_r(&seed) % (60 * (unsigned)(n + 10))) * SECOND;
        stretches_note(&s, times[i]);
        stretches_note(&s, 0);
    }
    ck_assert_int_eq(stretches_unite(&s), 0);
    ck_assert_uint_eq(s.n, plainly(times, n, expected));
    for (size_t i = 0; i < s.n; i++) {
        ck_assert_int_eq(s.items[i].first_ns, expected[i].first_ns);
        ck_assert_int_eq(s.items[i].last_ns, expected[i].last_ns);
    }
    free(s.items);
}
END_TEST

/* Of very many the long ones are kept, each as it was. */
START_TEST(there_is_a_bound)
{
    struct stretches s = {0};

    for (int64_t i = 0; i < 100000; i++) {
        stretches_note(&s, START + i * 100 * SECOND);
        if (i == 50)
            stretches_note(&s, START + i * 100 * SECOND + 30 * SECOND);
    }
    ck_assert_int_eq(stretches_unite(&s), 0);
    ck_assert_uint_le(s.n, 16384);
    ck_assert_int_eq(s.items[50].first_ns, START + 5000 * SECOND);
    ck_assert_int_eq(s.items[50].last_ns, START + 5030 * SECOND);
    free(s.items);
}
END_TEST

Suite *suite_stretches(void);
Suite *suite_stretches(void)
{
    Suite *suite = suite_create("stretches");
    TCase *tc = tcase_create("stretches");

    tcase_add_loop_test(tc, stretches_are_those_of_the_times_in_order, 0, 200);
    tcase_add_test(tc, there_is_a_bound);
    suite_add_tcase(suite, tc);
    return suite;
}
