/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "notify_bed.h"

static struct bed_folder folder;
static struct notifier  *n;
static char              text[1 << 17];

static void setup(void)
{
    bed_folder_make(&folder);
    n = bed_notifier(NULL);
}

static void teardown(void)
{
    notify_free(n);
    bed_folder_remove(&folder);
}

static void has(const char *word)
{
    ck_assert_msg(strstr(text, word) != NULL, "'%s' is not in '%s'", word, text);
}

static void has_not(const char *word)
{
    ck_assert_msg(strstr(text, word) == NULL, "'%s' is in '%s'", word, text);
}

static void add_ndjson(const char *target)
{
    struct err e = {0};

    ck_assert_msg(notify_add_ndjson(n, target, &e) == 0, "%s", e.msg);
}

/* --- NDJSON --------------------------------------------------------------------------------------------------------- */

START_TEST(an_alert_is_a_line_of_ecs)
{
    struct store_finding f = bed_finding();
    char                *path = bed_path(&folder, "alerts.ndjson");

    add_ndjson(path);
    bed_tell(n, 0, &f);
    char *line = bed_read(path);
    ck_assert_str_eq(line,
                     "{\"@timestamp\":\"2026-03-02T09:00:00.000000Z\",\"message\":\"admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, "
                     "carrying HTTP.\",\"log\":{\"level\":\"high\"},\"event\":{\"kind\":\"alert\",\"category\":[\"network\"],\"type\":[\"allowed\"],"
                     "\"module\":\"flowaudit\",\"dataset\":\"flowaudit.finding\",\"action\":\"finding-new\",\"code\":\"wrong-protocol\",\"severity\":4,"
                     "\"reason\":\"admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP.\","
                     "\"start\":\"2026-03-02T08:59:59.000000Z\",\"end\":\"2026-03-02T09:00:00.000000Z\",\"created\":\"2026-03-02T09:00:00.000000Z\"},"
                     "\"rule\":{\"id\":\"unity-dcom\",\"category\":\"wrong-protocol\",\"reference\":\"Administration\",\"ruleset\":\"example\"},"
                     "\"source\":{\"address\":\"10.20.6.10\",\"ip\":\"10.20.6.10\"},\"destination\":{\"address\":\"10.20.1.10\",\"ip\":\"10.20.1.10\","
                     "\"port\":5010},\"network\":{\"type\":\"ipv4\",\"transport\":\"tcp\",\"protocol\":\"http\","
                     "\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\",\"packets\":12,\"bytes\":3456},\"related\":{\"ip\":[\"10.20.6.10\","
                     "\"10.20.1.10\"],\"hosts\":[\"admin1\",\"unity1\"]},\"flowaudit\":{\"run_id\":2,\"finding_id\":7,\"conversation_id\":3,"
                     "\"kind\":\"wrong-protocol\",\"severity\":\"high\",\"client_name\":\"admin1\",\"server_name\":\"unity1\",\"protocol\":\"HTTP\","
                     "\"outcome\":\"established\",\"disposition\":\"escaped\",\"flows\":1,\"new\":true,\"told\":1},\"ecs\":{\"version\":\"8.11.0\"},"
                     "\"observer\":{\"product\":\"flowaudit\",\"type\":\"ids\",\"version\":\"1.2\",\"hostname\":\"sensor\"},\"process\":{\"pid\":42}}\n");
    free(line);
    free(path);
}
END_TEST

START_TEST(hostile_text_stays_inside_its_string)
{
    struct store_finding f = bed_finding();
    char                *path = bed_path(&folder, "alerts.ndjson");

    f.client_name = "evil\"}\n{\"x\":\"\xff\033[2J\xe2\x80\xae";
    f.client = NULL;
    add_ndjson(path);
    bed_tell(n, 0, &f);
    char *line = bed_read(path);
    ck_assert_uint_eq(bed_count(line, "\n"), 1);
    ck_assert_ptr_nonnull(strstr(line, "\"client_name\":\"evil\\\"}\\u000a{\\\"x\\\":\\\"\xef\xbf\xbd\\u001b[2J\\u202e\""));
    ck_assert_ptr_null(strstr(line, "\"source\""));
    free(line);
    free(path);
}
END_TEST

START_TEST(a_stream_socket_that_goes_away_is_connected_to_again)
{
    struct store_finding f = bed_finding();
    char                *path = bed_path(&folder, "sink");
    int                  server = bed_socket(path, SOCK_STREAM);

    add_ndjson(path);
    int peer = accept(server, NULL, NULL);
    bed_tell(n, 0, &f);
    bed_receive(peer, text, sizeof(text));
    has("finding-new");
    close(peer);
    close(server);
    f.client_name = "second";
    f.client = "10.9.9.9";
    bed_tell(n, 1, &f); /* nobody is there: it waits */
    server = bed_socket(path, SOCK_STREAM);
    notify_tick(n, bed_time(5), NULL);
    peer = accept(server, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    bed_receive(peer, text, sizeof(text));
    has("{\"@timestamp\"");
    has("10.9.9.9");
    has_not("10.20.6.10\",\"ip");
    ck_assert_uint_eq(notify_counts(n).lost, 0);
    close(peer);
    close(server);
    free(path);
}
END_TEST

START_TEST(a_datagram_socket_gets_one_line_in_each)
{
    struct store_finding f = bed_finding();
    char                *path = bed_path(&folder, "sink");
    char                *target;
    int                  server = bed_socket(path, SOCK_DGRAM);

    ck_assert_int_gt(asprintf(&target, "unix:%s", path), 0);
    add_ndjson(target);
    bed_tell(n, 0, &f);
    notify_message(n, bed_time(0), NOTIFY_WARNING, "eth1 is down");
    bed_receive(server, text, sizeof(text));
    has("finding-new");
    bed_receive(server, text, sizeof(text));
    has("\"message\":\"eth1 is down\",\"log\":{\"level\":\"warning\"},\"event\":{\"kind\":\"event\"");
    close(server);
    free(target);
    free(path);
}
END_TEST

/* A reader that does not read: nothing waits for it, and what it misses is counted; what it gets are whole lines. */
START_TEST(a_reader_that_stands_still_loses_lines_and_stops_nobody)
{
    struct notify_options o = {.rate = 1000000, .burst = 100000};
    struct store_finding  f = bed_finding();
    char                 *path = bed_path(&folder, "sink"), client[32];
    int                   server = bed_socket(path, SOCK_STREAM);

    notify_free(n);
    n = bed_notifier(&o);
    add_ndjson(path);
    int peer = accept(server, NULL, NULL);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(client, sizeof(client), "10.1.%u.%u", i / 250, i % 250);
        f.client = client;
        bed_tell(n, 0, &f);
    }
    struct notify_counts c = notify_counts(n);
    ck_assert_uint_gt(c.lost, 0);
    ck_assert_uint_gt(c.told, 0);
    ck_assert_uint_eq(c.told + c.lost, 2000);
    unsigned lines = 0;
    for (unsigned round = 0; round < 1000; round++) {
        lines += bed_count(bed_receive(peer, text, sizeof(text)), "\n");
        if (text[0] == '\0')
            notify_tick(n, bed_time(1), NULL);
    }
    ck_assert_uint_eq(lines, c.told);
    close(peer);
    close(server);
    free(path);
}
END_TEST

START_TEST(a_target_that_cannot_be_opened_is_said_so)
{
    struct err e = {0};

    ck_assert_int_eq(notify_add_ndjson(n, "/nonexistent/x", &e), -ENOENT);
    ck_assert_ptr_nonnull(strstr(e.msg, "/nonexistent/x"));
    ck_assert_int_eq(notify_add_ndjson(n, "unix:/nonexistent/x", &e), -ENOENT);
}
END_TEST

/* --- standard error ------------------------------------------------------------------------------------------------------ */

static int add_stderr(struct notify_stderr o)
{
    struct err e = {0};
    int        pair[2];

    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    o.fd = pair[1];
    ck_assert_msg(notify_add_stderr(n, &o, &e) == 0, "%s", e.msg);
    return pair[0];
}

static void take(int fd)
{
    ssize_t got = read(fd, text, sizeof(text) - 1);

    text[got > 0 ? got : 0] = '\0';
}

START_TEST(standard_error_has_a_line_for_each_alert)
{
    struct store_finding f = bed_finding();
    int                  fd = add_stderr((struct notify_stderr){0});

    bed_tell(n, 0, &f);
    take(fd);
    ck_assert_str_eq(text, "09:00:00Z high wrong-protocol: admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP.\n");
    f.flows = 1200;
    bed_tell(n, 60, &f);
    take(fd);
    ck_assert_str_eq(text, "09:00:00Z high wrong-protocol (more): admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP. "
                           "[1,200 flows, 12 packets, 3.5 kB by now]\n");
    notify_message(n, bed_time(0), NOTIFY_WARNING, "a\033b");
    take(fd);
    ck_assert_str_eq(text, "flowaudit: a\\u001bb\n");
    close(fd);
}
END_TEST

START_TEST(a_service_manager_gets_priorities)
{
    struct store_finding f = bed_finding();
    int                  fd = add_stderr((struct notify_stderr){.priority = true});

    bed_tell(n, 0, &f);
    take(fd);
    ck_assert_int_eq(strncmp(text, "<4>high wrong-protocol: ", 24), 0);
    notify_message(n, bed_time(0), NOTIFY_ERROR, "x");
    take(fd);
    ck_assert_str_eq(text, "<3>x\n");
    close(fd);
}
END_TEST

START_TEST(the_line_of_a_terminal_gives_way_and_comes_back)
{
    struct store_finding f = bed_finding();
    struct notify_vitals v = bed_vitals();
    int                  fd = add_stderr((struct notify_stderr){.line = true, .width = 60});

    notify_tick(n, bed_time(0), &v);
    take(fd);
    ck_assert_str_eq(text, "\r09:00:00Z 980 packets, 21 dropped, 10 flows, 5 findings, et\033[K");
    bed_tell(n, 0, &f);
    take(fd);
    ck_assert_int_eq(strncmp(text, "\r\033[K09:00:00Z high", 18), 0);
    ck_assert_ptr_nonnull(strstr(text, "HTTP.\n\r09:00:00Z 980 packets"));
    notify_free(n);
    n = NULL;
    take(fd);
    ck_assert_str_eq(text, "\r\033[K");
    close(fd);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_does_not_stop_the_run)
{
    struct notify_options o = {.rate = 1000000, .burst = 100000};
    struct store_finding  f = bed_finding();
    char                  client[32];

    notify_free(n);
    n = bed_notifier(&o);
    int fd = add_stderr((struct notify_stderr){0});
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(client, sizeof(client), "10.1.%u.%u", i / 250, i % 250);
        f.client = client;
        bed_tell(n, 0, &f);
    }
    ck_assert_uint_gt(notify_counts(n).lost, 0);
    ck_assert_uint_eq(notify_counts(n).lost + notify_counts(n).told, 5000);
    close(fd);
}
END_TEST

START_TEST(what_is_held_back_is_told_as_a_number)
{
    struct notify_options o = {.rate = 60, .burst = 4};
    struct store_finding  f = bed_finding();
    char                  client[32];

    notify_free(n);
    n = bed_notifier(&o);
    int fd = add_stderr((struct notify_stderr){0});
    for (unsigned i = 0; i < 100; i++) {
        snprintf(client, sizeof(client), "10.1.1.%u", i);
        f.client = client;
        bed_tell(n, 0, &f);
    }
    notify_tick(n, bed_time(0), NULL);
    take(fd);
    has("flowaudit: 96 findings were held back by the limit of 60 a minute; 96 wait to be told; the record has all\n");
    for (int64_t t = 1; t < 50; t++)
        notify_tick(n, bed_time(t), NULL);
    take(fd);
    has_not("held back");
    ck_assert_uint_eq(bed_count(text, "high wrong-protocol"), 49);
    close(fd);
}
END_TEST

/* Half of it is kept by a window that is closed to traffic, say: what fits goes, and nothing waits. */
START_TEST(a_terminal_that_nobody_reads_holds_nothing_up)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};
    int                  master = posix_openpt(O_RDWR | O_NOCTTY);

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(notify_add_stderr(n, &(struct notify_stderr){.fd = slave, .line = true}, &e), 0);
    for (int64_t t = 0; t < 5000; t++) {
        notify_tick(n, bed_time(t), &v);
        notify_message(n, bed_time(t), NOTIFY_WARNING, "something that has some length");
    }
    ck_assert_uint_gt(notify_counts(n).lost, 0);
    notify_free(n);
    n = NULL;
    ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0); /* the description is others' too */
    close(slave);
    close(master);
}
END_TEST

/* --- metrics ---------------------------------------------------------------------------------------------------------------- */

START_TEST(metrics_are_written_whole_and_taken_away_at_the_end)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};
    char                *path = bed_path(&folder, "flowaudit.prom");

    ck_assert_int_eq(notify_add_metrics_file(n, path, 10 * SECOND, &e), 0);
    ck_assert_ptr_null(bed_read(path));
    notify_tick(n, bed_time(0), &v);
    char *metrics = bed_read(path);
    snprintf(text, sizeof(text), "%s", metrics);
    has("# TYPE flowaudit_packets_total counter\nflowaudit_packets_total 980\n");
    has("flowaudit_packets_discarded_total{reason=\"odd \\\"reason\\\"\\\\\\\\u000a\"} 4\n");
    has("flowaudit_interface_up{interface=\"eth2\"} 0\n");
    has("flowaudit_packets_dropped_total{interface=\"eth1\",reason=\"kernel-buffer\"} 20\n");
    has("flowaudit_findings_total{kind=\"wrong-protocol\",severity=\"high\"} 5\n");
    has("flowaudit_expectations{outcome=\"seen\"} 8\n");
    has("flowaudit_recorder_lag_seconds 0.250\n");
    free(metrics);
    v.packets = 1000;
    notify_tick(n, bed_time(9), &v); /* not yet */
    metrics = bed_read(path);
    ck_assert_ptr_nonnull(strstr(metrics, "flowaudit_packets_total 980\n"));
    free(metrics);
    notify_tick(n, bed_time(10), &v);
    metrics = bed_read(path);
    ck_assert_ptr_nonnull(strstr(metrics, "flowaudit_packets_total 1000\n"));
    free(metrics);
    ck_assert_uint_eq(bed_files(&folder), 1); /* and nothing beside it */
    notify_free(n);
    n = NULL;
    ck_assert_int_eq(access(path, F_OK), -1);
    free(path);
}
END_TEST

START_TEST(metrics_that_cannot_be_written_are_told_once)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};
    char                *path = bed_path(&folder, "flowaudit.prom");
    int                  fd = add_stderr((struct notify_stderr){0});

    ck_assert_int_eq(notify_add_metrics_file(n, "/nonexistent/x.prom", 0, &e), -ENOENT);
    ck_assert_int_eq(notify_add_metrics_file(n, path, SECOND, &e), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    for (int64_t t = 0; t < 5; t++)
        notify_tick(n, bed_time(t), &v);
    take(fd);
    ck_assert_uint_eq(bed_count(text, "cannot be written"), 1);
    ck_assert_int_eq(rmdir(path), 0);
    notify_tick(n, bed_time(6), &v);
    ck_assert_int_eq(access(path, F_OK), 0);
    close(fd);
    free(path);
}
END_TEST

/* What is there and is not ours stays: under the name of the metrics, and beside it. */
START_TEST(metrics_take_no_file_of_others_away)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};
    char                *path = bed_path(&folder, "flowaudit.prom"), *beside = bed_path(&folder, "flowaudit.prom.new");

    bed_write(path, "precious\n");
    bed_write(beside, "precious\n");
    ck_assert_int_eq(notify_add_metrics_file(n, path, SECOND, &e), -EEXIST);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(notify_add_metrics_file(n, path, SECOND, &e), 0);
    bed_write(path, "precious\n"); /* and not one packet, no tick */
    notify_free(n);
    n = NULL;
    ck_assert_uint_eq(bed_files(&folder), 2);
    ck_assert_int_eq(unlink(path), 0);
    n = bed_notifier(NULL);
    ck_assert_int_eq(notify_add_metrics_file(n, path, SECOND, &e), 0);
    notify_tick(n, bed_time(1), &v);
    ck_assert_uint_eq(bed_files(&folder), 2);
    ck_assert_int_eq(notify_add_metrics_file(n, path, SECOND, &e), 0); /* one that a killed run left behind */
    free(path);
    free(beside);
}
END_TEST

Suite *suite_notify_outputs(void);
Suite *suite_notify_outputs(void)
{
    Suite *suite = suite_create("notify_outputs");
    TCase *tc = tcase_create("outputs");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_alert_is_a_line_of_ecs);
    tcase_add_test(tc, hostile_text_stays_inside_its_string);
    tcase_add_test(tc, a_stream_socket_that_goes_away_is_connected_to_again);
    tcase_add_test(tc, a_datagram_socket_gets_one_line_in_each);
    tcase_add_test(tc, a_reader_that_stands_still_loses_lines_and_stops_nobody);
    tcase_add_test(tc, a_target_that_cannot_be_opened_is_said_so);
    tcase_add_test(tc, standard_error_has_a_line_for_each_alert);
    tcase_add_test(tc, a_service_manager_gets_priorities);
    tcase_add_test(tc, the_line_of_a_terminal_gives_way_and_comes_back);
    tcase_add_test(tc, a_pipe_that_nobody_reads_does_not_stop_the_run);
    tcase_add_test(tc, what_is_held_back_is_told_as_a_number);
    tcase_add_test(tc, metrics_are_written_whole_and_taken_away_at_the_end);
    tcase_add_test(tc, metrics_that_cannot_be_written_are_told_once);
    tcase_add_test(tc, metrics_take_no_file_of_others_away);
    tcase_add_test(tc, a_terminal_that_nobody_reads_holds_nothing_up);
    suite_add_tcase(suite, tc);
    return suite;
}
