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
static struct { unsigned nth; uint64_t flows; enum severity severity; char client[64]; char community[64]; uint64_t like, packets; char reason[512]; } told[MAX_TOLD];
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
    told[n_told].like = a->like;
    told[n_told].packets = a->finding->packets;
    snprintf(told[n_told].reason, sizeof(told[0].reason), "%s", a->finding->reason);
    n_told++;
}

static void make_folding(const struct notify_options *o)
{
    struct err e = {0};

    ledger_free(ledger);
    n_told = 0;
    ck_assert_msg(ledger_new(o, &ledger, &e) == 0, "%s", e.msg);
}

/* Each finding on its own. */
static void make(const struct notify_options *o)
{
    struct notify_options each = *o;

    each.each = true;
    make_folding(&each);
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

/* --- like findings as one ------------------------------------------------------------------------------------------- */

static struct store_finding probe(uint16_t port, const char *outcome, const char *disposition)
{
    struct store_finding f = bed_finding();

    f.finding_id = port;
    f.kind = "unknown-host";
    f.severity = "medium";
    f.client = "10.20.77.9";
    f.client_name = NULL;
    f.has_port = true;
    f.transport = "tcp";
    f.server_port = port;
    f.protocol = NULL;
    f.outcome = outcome;
    f.disposition = disposition;
    f.reason = "10.20.77.9 tried to connect to unity1. It is not a host of the site.";
    f.flows = f.packets = 1;
    return f;
}

START_TEST(a_scan_of_ports_is_three_alerts_and_one_that_grows)
{
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 115; port++) {
        struct store_finding f = probe(port, "refused", "rejected");
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 3);
    due(1);
    ck_assert_uint_eq(n_told, 3); /* it is gathered for a moment */
    due(2);
    ck_assert_uint_eq(n_told, 4);
    ck_assert_uint_eq(told[3].like, 112);
    ck_assert_uint_eq(told[3].packets, 112);
    ck_assert_str_eq(told[3].reason, "10.20.77.9 to unity1 (10.20.1.10): 112 more like findings, tcp/4-115 (112 rejected), for example: "
                     "10.20.77.9 tried to connect to unity1.");
    for (uint16_t port = 116; port <= 200; port++) {
        struct store_finding f = probe(port, "refused", "rejected");
        grow(5, &f);
    }
    due(61);
    ck_assert_uint_eq(n_told, 4);
    due(62);
    ck_assert_uint_eq(n_told, 5);
    ck_assert_uint_eq(told[4].nth, 2);
    ck_assert_uint_eq(told[4].like, 197);
    due(100000);
    ck_assert_uint_eq(n_told, 5); /* nothing grew */
    ck_assert_uint_eq(ledger_held_back(ledger), 0);
}
END_TEST

START_TEST(a_member_that_grows_or_is_answered_after_all_is_no_other_one)
{
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 10; port++) {
        struct store_finding f = probe(port, "unanswered", "rejected");
        grow(0, &f);
    }
    struct store_finding f = probe(10, "established", "escaped");
    f.packets = 9;
    grow(1, &f);
    grow(1, &f);
    due(2);
    ck_assert_uint_eq(told[3].like, 7);
    ck_assert_uint_eq(told[3].packets, 15);
    ck_assert_ptr_nonnull(strstr(told[3].reason, "7 more like findings, tcp/4-10 (1 escaped, 6 rejected)"));
}
END_TEST

/* One port that is refused to some and unanswered to others is two findings. */
START_TEST(one_port_with_two_outcomes_is_two_members)
{
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 3; port++) {
        struct store_finding f = probe(port, "refused", "rejected");
        grow(0, &f);
    }
    for (unsigned i = 1; i <= 10; i++) {
        struct store_finding refused = probe(9, "refused", "rejected"), silent = probe(9, "unanswered", "rejected");
        silent.finding_id = 10;
        refused.flows = refused.packets = 100 * i;
        silent.flows = silent.packets = i;
        grow(0, &refused);
        grow(0, &silent);
    }
    due(2);
    ck_assert_uint_eq(told[3].like, 2);
    ck_assert_uint_eq(told[3].packets, 1010);
}
END_TEST

START_TEST(a_graver_finding_of_the_same_hosts_is_told_itself)
{
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 50; port++) {
        struct store_finding f = probe(port, "refused", "rejected");
        grow(0, &f);
    }
    struct store_finding f = probe(445, "established", "escaped");
    f.severity = "high";
    grow(0, &f);
    ck_assert_uint_eq(n_told, 4);
    ck_assert_uint_eq(told[3].like, 0);
    f.finding_id = 446;
    f.kind = "wrong-protocol";
    f.severity = "medium";
    grow(0, &f);
    ck_assert_uint_eq(n_told, 5);
}
END_TEST

START_TEST(a_scan_of_hosts_is_one_too_and_so_are_many_clients_of_one_server)
{
    char buf[32];

    make_folding(&(struct notify_options){0});
    for (unsigned i = 0; i < 50; i++) { /* of one client */
        struct store_finding f = probe(22, "refused", "rejected");
        snprintf(buf, sizeof(buf), "10.20.5.%u", i);
        f.finding_id = 100 + i;
        f.server = buf;
        f.server_name = NULL;
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 3);
    for (unsigned i = 0; i < 50; i++) { /* to one server */
        struct store_finding f = probe(23, "refused", "rejected");
        snprintf(buf, sizeof(buf), "10.20.6.%u", i);
        f.finding_id = 200 + i;
        f.client = buf;
        grow(0, &f);
    }
    ck_assert_uint_eq(n_told, 6);
    due(2);
    ck_assert_uint_eq(n_told, 8);
    ck_assert_ptr_nonnull(strstr(told[6].reason, "10.20.77.9 to several hosts: 47 more like findings, tcp/22 "));
    ck_assert_ptr_nonnull(strstr(told[7].reason, "several hosts to unity1 (10.20.1.10): 47 more like findings, tcp/23 "));
    ck_assert_str_eq(told[7].client, "");
}
END_TEST

START_TEST(a_new_run_counts_anew)
{
    make_folding(&(struct notify_options){0});
    for (int64_t run = 1; run <= 2; run++)
        for (uint16_t port = 1; port <= 10; port++) {
            struct store_finding f = probe(port, "refused", "rejected");
            ledger_finding(ledger, bed_time(run), &(struct notify_finding){.run_id = run, .finding = &f}, note, NULL);
        }
    due(4);
    ck_assert_uint_eq(n_told, 4);
    ck_assert_uint_eq(told[3].like, 7);
    ck_assert_uint_eq(told[3].packets, 7);
}
END_TEST

START_TEST(a_scan_does_not_eat_the_limit_of_others)
{
    make_folding(&(struct notify_options){.rate = 1, .burst = 8});
    for (unsigned i = 0; i < 5000; i++) {
        struct store_finding f = probe((uint16_t)(i + 1), "refused", "rejected");
        grow(0, &f);
    }
    struct store_finding other = bed_finding();
    other.finding_id = 5001;
    other.severity = "medium";
    grow(0, &other);
    ck_assert_uint_eq(n_told, 4);
    ck_assert_str_eq(told[3].client, other.client);
}
END_TEST

START_TEST(at_the_end_what_waits_is_told_or_counted)
{
    struct ledger_untold untold;
    char                 buf[32];

    make(&(struct notify_options){.rate = 1, .burst = 4});
    for (unsigned i = 0; i < 20; i++) {
        struct store_finding f = from(i, i % 4 == 0 ? "high" : "medium", buf);
        grow(0, &f);
    }
    struct store_finding f = from(0, "high", buf);
    f.flows++;
    grow(1, &f);
    unsigned before = n_told;
    ledger_end(ledger, bed_time(2), note, NULL, &untold);
    ck_assert_uint_gt(n_told, before);
    unsigned n_high = 0, n_medium = 0;
    for (unsigned i = 0; i < n_told; i++) {
        n_high += told[i].severity == SEVERITY_HIGH;
        n_medium += told[i].severity == SEVERITY_MEDIUM;
    }
    ck_assert_uint_eq(n_high, 5); /* all of them */
    ck_assert_uint_eq(untold.findings[FINDING_WRONG_PROTOCOL][SEVERITY_MEDIUM] + n_medium, 15);
    ck_assert_uint_eq(untold.findings[FINDING_WRONG_PROTOCOL][SEVERITY_HIGH], 0);
    ck_assert_uint_eq(untold.grown, 1);
    ck_assert_uint_eq(ledger_waiting(ledger), 0);
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 10; port++) {
        f = probe(port, "refused", "rejected");
        grow(0, &f);
    }
    ledger_end(ledger, bed_time(0), note, NULL, &untold);
    ck_assert_uint_eq(n_told, 3); /* what is folded and lesser is counted, as all else that is */
    ck_assert_uint_eq(untold.findings[FINDING_UNKNOWN_HOST][SEVERITY_MEDIUM], 7);
    make_folding(&(struct notify_options){0});
    for (uint16_t port = 1; port <= 10; port++) {
        f = probe(port, "refused", "rejected");
        f.severity = "high";
        grow(0, &f);
    }
    ledger_end(ledger, bed_time(0), note, NULL, &untold);
    ck_assert_uint_eq(told[3].like, 7);
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
    tcase_add_test(tc, a_scan_of_ports_is_three_alerts_and_one_that_grows);
    tcase_add_test(tc, a_member_that_grows_or_is_answered_after_all_is_no_other_one);
    tcase_add_test(tc, one_port_with_two_outcomes_is_two_members);
    tcase_add_test(tc, a_graver_finding_of_the_same_hosts_is_told_itself);
    tcase_add_test(tc, a_scan_of_hosts_is_one_too_and_so_are_many_clients_of_one_server);
    tcase_add_test(tc, a_new_run_counts_anew);
    tcase_add_test(tc, a_scan_does_not_eat_the_limit_of_others);
    tcase_add_test(tc, at_the_end_what_waits_is_told_or_counted);
    suite_add_tcase(suite, tc);
    return suite;
}
