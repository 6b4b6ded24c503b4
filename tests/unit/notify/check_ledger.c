/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../src/notify/ledger.h"
#include "notify_bed.h"

#define MAX_TOLD 4096

static struct ledger *ledger;
static struct { unsigned nth; uint64_t flows; enum severity severity; char client[64]; char community[64]; } told[MAX_TOLD];
static unsigned n_told;

static void note(void *aux, const struct alert *a)
{
    (void)aux;
    ck_assert_uint_lt(n_told, MAX_TOLD);
    told[n_told].nth = a->nth;
    told[n_told].flows = a->finding->flows;
    told[n_told].severity = a->severity;
    snprintf(told[n_told].client, sizeof(told[0].client), "%s", a->finding->client != NULL ? a->finding->client : "");
    snprintf(told[n_told].community, sizeof(told[0].community), "%s", a->community_id != NULL ? a->community_id : "");
    n_told++;
}

static void make(const struct notify_options *o)
{
    struct err e = {0};

    ledger_free(ledger);
    n_told = 0;
    ck_assert_msg(ledger_new(o, &ledger, &e) == 0, "%s", e.msg);
}

static void setup(void)
{
    make(&(struct notify_options){0});
}

static void teardown(void)
{
    ledger_free(ledger);
    ledger = NULL;
}

static void grow(int64_t seconds, const struct store_finding *f)
{
    ledger_finding(ledger, bed_time(seconds), &(struct notify_finding){.run_id = 1, .finding = f, .community_id = "1:abc=", .is_new = f->flows == 1}, note, NULL);
}

static void due(int64_t seconds)
{
    ledger_due(ledger, bed_time(seconds), note, NULL);
}

static struct store_finding from(unsigned i, const char *severity, char buf[static 32])
{
    struct store_finding f = bed_finding();

    snprintf(buf, 32, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
    f.client = buf;
    f.severity = severity;
    return f;
}

START_TEST(a_finding_is_told_once_and_then_at_the_intervals)
{
    struct store_finding f = bed_finding();

    grow(0, &f);
    ck_assert_uint_eq(n_told, 1);
    for (int64_t t = 1; t <= 3 * 3600 + 700; t++) { /* grows every second */
        f.flows++;
        grow(t, &f);
        due(t);
    }
    ck_assert_uint_eq(n_told, 6); /* at 0, 1 min, 11 min, then each hour */
    static const uint64_t at[] = {0, 60, 660, 4260, 7860, 11460};
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(told[i].nth, i + 1);
        ck_assert_uint_eq(told[i].flows, at[i] + 1); /* with the counts of that second */
    }
    ck_assert_uint_eq(ledger_held_back(ledger), 0);
}
END_TEST

START_TEST(the_last_growth_is_told_when_its_time_comes)
{
    struct store_finding f = bed_finding();

    grow(0, &f);
    f.flows = 50;
    grow(5, &f);
    f.client_name = "gone"; /* strings of an earlier call are not used after it */
    due(59);
    ck_assert_uint_eq(n_told, 1);
    due(60);
    ck_assert_uint_eq(n_told, 2);
    ck_assert_uint_eq(told[1].flows, 50);
    ck_assert_str_eq(told[1].client, "10.20.6.10");
    ck_assert_str_eq(told[1].community, "1:abc=");
    due(100000);
    ck_assert_uint_eq(n_told, 2); /* nothing grew since */
}
END_TEST

START_TEST(what_does_not_grow_is_not_told_again)
{
    struct store_finding f = bed_finding();

    for (int64_t t = 0; t < 7200; t += 60)
        grow(t, &f);
    ck_assert_uint_eq(n_told, 1);
}
END_TEST

START_TEST(a_new_run_does_not_tell_all_again_but_a_long_silence_does)
{
    struct store_finding f = bed_finding();

    grow(0, &f);
    f.finding_id = 99; /* the next run numbers anew */
    f.conversation_id = 98;
    grow(10, &f);
    ck_assert_uint_eq(n_told, 1);
    f.flows++;
    grow(25 * 3600, &f);
    ck_assert_uint_eq(n_told, 2);
    ck_assert_uint_eq(told[1].nth, 1);
    f.outcome = "refused"; /* something else has become of it */
    grow(25 * 3600 + 1, &f);
    ck_assert_uint_eq(n_told, 3);
    ck_assert_uint_eq(told[2].nth, 1);
}
END_TEST

START_TEST(waived_and_lesser_findings_are_not_told)
{
    struct store_finding f = bed_finding();

    f.waived_by = "EX-1";
    grow(0, &f);
    f.waived_by = NULL;
    f.severity = "notice";
    grow(0, &f);
    ck_assert_uint_eq(n_told, 0);
    make(&(struct notify_options){.least = SEVERITY_NOTICE, .least_given = true});
    grow(0, &f);
    ck_assert_uint_eq(n_told, 1);
    make(&(struct notify_options){.least = SEVERITY_CRITICAL, .least_given = true});
    f.severity = "high";
    grow(0, &f);
    ck_assert_uint_eq(n_told, 0);
}
END_TEST

START_TEST(a_flood_is_held_to_the_limit_counted_and_told_later)
{
    char buf[32];

    make(&(struct notify_options){.rate = 60, .burst = 40});
    for (unsigned i = 0; i < 1000; i++) {
        struct store_finding f = from(i, "medium", buf);
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 30); /* a quarter is kept for what is graver */
    ck_assert_uint_eq(ledger_held_back(ledger), 970);
    ck_assert_uint_eq(ledger_waiting(ledger), 970);
    struct store_finding grave = from(5000, "high", buf);
    grow(0, &grave);
    ck_assert_uint_eq(n_told, 31);
    ck_assert_str_eq(told[30].client, "10.0.19.136");
    for (int64_t t = 1; t <= 1000; t++)
        due(t);
    ck_assert_uint_eq(n_told, 1001);
    ck_assert_uint_eq(ledger_waiting(ledger), 0);
    ck_assert_uint_eq(ledger_held_back(ledger), 970);
    ck_assert_str_eq(told[31].client, "10.0.0.30"); /* in the order in which they came */
    ck_assert_str_eq(told[1000].client, "10.0.3.231");
    for (unsigned i = 0; i < n_told; i++)
        ck_assert_uint_eq(told[i].nth, 1);
}
END_TEST

START_TEST(a_limit_of_one_still_tells)
{
    char buf[32];

    make(&(struct notify_options){.rate = 1, .burst = 1});
    for (unsigned i = 0; i < 3; i++) {
        struct store_finding f = from(i, "low", buf);
        grow(0, &f);
    }
    due(59);
    ck_assert_uint_eq(n_told, 1);
    due(60);
    due(120);
    ck_assert_uint_eq(n_told, 3);
}
END_TEST

START_TEST(memory_is_bounded_and_what_does_not_fit_is_counted)
{
    char buf[32];

    make(&(struct notify_options){.rate = 1000000, .burst = 1000, .max_findings = 100});
    for (unsigned i = 0; i < 150; i++) {
        struct store_finding f = from(i, "high", buf);
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 100);
    ck_assert_uint_eq(ledger_held_back(ledger), 50);
    for (unsigned i = 50; i < 100; i++) { /* fifty stay alive, and wait */
        struct store_finding f = from(i, "high", buf);
        f.flows = 2;
        grow(10, &f);
    }
    for (unsigned i = 200; i < 250; i++) { /* the silent ones make room a day later */
        struct store_finding f = from(i, "high", buf);
        grow(24 * 3600, &f);
    }
    ck_assert_uint_eq(n_told, 150);
    due(24 * 3600);
    ck_assert_uint_eq(n_told, 200);
    ck_assert_uint_eq(told[150].flows, 2);
    ck_assert_str_eq(told[150].client, "10.0.0.50");
    ck_assert_uint_eq(ledger_held_back(ledger), 50);
}
END_TEST

START_TEST(a_flood_of_lesser_findings_leaves_room_for_grave_ones)
{
    char buf[32];

    make(&(struct notify_options){.rate = 1000000, .burst = 1000, .max_findings = 100});
    for (unsigned i = 0; i < 200; i++) {
        struct store_finding f = from(i, "medium", buf);
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 75);
    struct store_finding f = from(1000, "high", buf);
    grow(1, &f);
    ck_assert_uint_eq(n_told, 76);
    ck_assert_uint_eq(ledger_held_back(ledger), 125);
    for (unsigned i = 150; i < 200; i++) { /* one that grows is not held back anew */
        f = from(i, "medium", buf);
        f.flows = 2;
        grow(2, &f);
    }
    ck_assert_uint_eq(ledger_held_back(ledger), 125);
}
END_TEST

/* 65,536 in mind and none to be forgotten: a million more are passed over without a look at all of these for each. */
START_TEST(a_full_ledger_costs_no_more)
{
    char            buf[32];
    struct timespec begin, end;

    make(&(struct notify_options){.rate = 1, .burst = 1});
    for (unsigned i = 0; i < 65536; i++) {
        struct store_finding f = from(i, "high", buf);
        grow(0, &f);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (unsigned i = 65536; i < 165536; i++) {
        struct store_finding f = from(i, "high", buf);
        grow(1, &f);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    ck_assert_int_lt(end.tv_sec - begin.tv_sec, 10);
    ck_assert_uint_eq(ledger_waiting(ledger), 65535);
}
END_TEST

Suite *suite_notify_ledger(void);
Suite *suite_notify_ledger(void)
{
    Suite *suite = suite_create("notify_ledger");
    TCase *tc = tcase_create("ledger");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_finding_is_told_once_and_then_at_the_intervals);
    tcase_add_test(tc, the_last_growth_is_told_when_its_time_comes);
    tcase_add_test(tc, what_does_not_grow_is_not_told_again);
    tcase_add_test(tc, a_new_run_does_not_tell_all_again_but_a_long_silence_does);
    tcase_add_test(tc, waived_and_lesser_findings_are_not_told);
    tcase_add_test(tc, a_flood_is_held_to_the_limit_counted_and_told_later);
    tcase_add_test(tc, a_limit_of_one_still_tells);
    tcase_add_test(tc, memory_is_bounded_and_what_does_not_fit_is_counted);
    tcase_add_test(tc, a_flood_of_lesser_findings_leaves_room_for_grave_ones);
    tcase_add_test(tc, a_full_ledger_costs_no_more);
    suite_add_tcase(suite, tc);
    return suite;
}
