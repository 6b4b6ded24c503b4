/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that is lost in a packet is found, and told by its packet; one that goes on, waits or sleeps is not. */
#include <check.h>
#include <time.h>
#include <unistd.h>

#include "../../../src/engine/watchdog.h"

#define MS INT64_C(1000000)
#define LIMIT (40 * MS)

struct told {
    _Atomic int      n;
    _Atomic uint32_t input;
    _Atomic uint64_t number;
};

static void tell(void *aux, uint16_t input, uint64_t number)
{
    struct told *told = aux;

    told->input = input;
    told->number = number;
    told->n++;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

/* A classifier that does not return, until the test is content or a time has passed that is long past the limit. */
static void spin(const struct told *told, int64_t ns)
{
    int64_t begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    while (told->n == 0 && clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun < ns)
        ;
}

static struct watchdog *new_watchdog(struct told *told)
{
    struct watchdog *w;

    ck_assert_int_eq(watchdog_new(3, LIMIT, tell, told, &w, NULL), 0);
    return w;
}

START_TEST(a_packet_that_does_not_return_is_told)
{
    struct told      told = {0};
    struct watchdog *w = new_watchdog(&told);

    watchdog_sit(w, 1, pthread_self());
    watchdog_enter(watchdog_seat(w, 1), 3, 1);
    watchdog_leave(watchdog_seat(w, 1));
    watchdog_enter(watchdog_seat(w, 1), 7, 4711);
    spin(&told, 200 * LIMIT);
    ck_assert_int_eq(told.n, 1);
    ck_assert_uint_eq(told.input, 7);
    ck_assert_uint_eq(told.number, 4711);
    watchdog_free(w);
    ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(one_who_goes_on_waits_or_sleeps_is_not)
{
    struct told      told = {0};
    struct watchdog *w = new_watchdog(&told);
    int64_t          begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    watchdog_sit(w, 0, pthread_self());
    for (uint64_t n = 1; clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun < 4 * LIMIT; n++) {
        watchdog_enter(watchdog_seat(w, 0), 0, n);
        watchdog_leave(watchdog_seat(w, 0));
    }
    spin(&told, 4 * LIMIT); /* between packets */
    watchdog_enter(watchdog_seat(w, 0), 0, 1);
    usleep((useconds_t)(4 * LIMIT / 1000)); /* at one, but the machine does something else */
    watchdog_leave(watchdog_seat(w, 0));
    watchdog_enter(watchdog_seat(w, 2), 0, 1); /* nobody sits here */
    spin(&told, 4 * LIMIT);
    ck_assert_int_eq(told.n, 0);
    watchdog_free(w);
    watchdog_free(NULL);
    ck_assert_ptr_null(watchdog_seat(NULL, 0));
    watchdog_enter(NULL, 0, 1);
    watchdog_leave(NULL);
}
END_TEST

Suite *suite_watchdog(void);

Suite *suite_watchdog(void)
{
    Suite *s = suite_create("watchdog");
    TCase *tc = tcase_create("watchdog");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_packet_that_does_not_return_is_told);
    tcase_add_test(tc, one_who_goes_on_waits_or_sleeps_is_not);
    suite_add_tcase(s, tc);
    return s;
}
