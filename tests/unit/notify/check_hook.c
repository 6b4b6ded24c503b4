/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "notify_bed.h"

static struct bed_folder folder;
static struct notifier  *n;
static char              text[1 << 16];
static int               messages; /* what the notifier says on standard error */
static bool              has_metrics; /* this notifier writes them: without a process for each test, what is static outlives one */

static void setup(void)
{
    struct notify_options o = {.rate = 1000000, .burst = 100000};
    struct err            e = {0};
    int                   pair[2];

    bed_folder_make(&folder);
    has_metrics = false;
    n = bed_notifier(&o);
    ck_assert_int_eq(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(notify_add_stderr(n, &(struct notify_stderr){.fd = pair[1], .quiet = true}, &e), 0);
    messages = pair[0];
}

static void teardown(void)
{
    notify_free(n);
    close(messages);
    bed_folder_remove(&folder);
}

static char *make_script(const char *body)
{
    char *path = bed_path(&folder, "hook");
    FILE *out = fopen(path, "w");

    ck_assert_ptr_nonnull(out);
    fprintf(out, "#!/bin/sh\ncd %s\n%s\n", folder.path, body);
    fclose(out);
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

static void add(const char *const *argv, struct notify_hook o)
{
    struct err e = {0};

    o.argv = argv;
    ck_assert_msg(notify_add_hook(n, &o, &e) == 0, "%s", e.msg);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static char *contents(const char *name)
{
    char *path = bed_path(&folder, name), *got = bed_read(path);

    free(path);
    return got;
}

/* The file once it has 'lines' lines; waits up to ten seconds. */
static char *wait_for(const char *name, unsigned lines)
{
    for (unsigned i = 0; i < 500; i++, pause_ms(20)) {
        char *got = contents(name);
        if (got != NULL && bed_count(got, "\n") >= lines)
            return got;
        free(got);
    }
    ck_abort_msg("%s has no %u lines", name, lines);
    return NULL;
}

static void tell_many(unsigned count)
{
    struct store_finding f = bed_finding();
    char                 client[32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(client, sizeof(client), "10.1.%u.%u", i / 250, i % 250);
        f.client = client;
        bed_tell(n, 0, &f);
    }
}

/* What the helper counted, as the metrics say. */
static bool counts_are(const char *line)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};
    static int64_t       t = 10;
    char                *path = bed_path(&folder, "m");

    if (!has_metrics)
        ck_assert_int_eq(notify_add_metrics_file(n, path, 1, &e), 0);
    has_metrics = true;
    notify_tick(n, bed_time(t++), &v);
    notify_tick(n, bed_time(t++), &v);
    char *metrics = bed_read(path);
    bool  found = metrics != NULL && strstr(metrics, line) != NULL;
    free(metrics);
    free(path);
    return found;
}

static void wait_for_count(const char *line)
{
    for (unsigned i = 0; i < 500; i++, pause_ms(20))
        if (counts_are(line))
            return;
    ck_abort_msg("the metrics never say: %s", line);
}

START_TEST(the_command_gets_the_finding_and_no_shell_sees_it)
{
    struct store_finding f = bed_finding();
    char                *script = make_script("cat > got; printf '%s|' \"$@\" > arguments; env | sort > environment; grep SigIgn /proc/self/status > signals; echo done >> end");
    const char *const    argv[] = {script, "two words", "$(touch pwned); `touch pwned`", NULL};

    add(argv, (struct notify_hook){0});
    f.client_name = "$(touch pwned)\n; touch pwned";
    bed_tell(n, 0, &f);
    free(wait_for("end", 1));
    char *got = contents("got"), *arguments = contents("arguments"), *environment = contents("environment"), *signals = contents("signals");
    ck_assert_int_eq(strncmp(got, "{\"@timestamp\":\"2026-03-02T09:00:00", 34), 0);
    ck_assert_uint_eq(bed_count(got, "\n"), 1);
    ck_assert_ptr_nonnull(strstr(got, "\"client_name\":\"$(touch pwned)\\u000a; touch pwned\""));
    ck_assert_str_eq(arguments, "two words|$(touch pwned); `touch pwned`|");
    ck_assert_ptr_null(strstr(environment, "CK_"));
    ck_assert_ptr_nonnull(strstr(environment, "LANG=C.UTF-8\n"));
    ck_assert_ptr_null(contents("pwned"));
    ck_assert_str_eq(signals, "SigIgn:\t0000000000000000\n"); /* a pipe of the command's own ends as pipes do */
    free(signals);
    free(got);
    free(arguments);
    free(environment);
    free(script);
}
END_TEST

START_TEST(no_descriptor_of_the_run_reaches_the_command)
{
    struct store_finding f = bed_finding();
    char                *script = make_script("ls /proc/$$/fd > fds; echo done >> end");
    const char *const    argv[] = {script, NULL};
    int                  left_open = dup(messages); /* one without close-on-exec */

    add(argv, (struct notify_hook){0});
    bed_tell(n, 0, &f);
    free(wait_for("end", 1));
    char *fds = contents("fds");
    /* 0, 1, 2, and those from 10 on that the shell itself keeps; what was left open would be among the first. */
    ck_assert_ptr_nonnull(strstr(fds, "0\n"));
    for (char *line = strtok(fds, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg(atoi(line) <= 2 || (atoi(line) >= 10 && atoi(line) <= 12), "descriptor %s", line);
    free(fds);
    free(script);
    close(left_open);
}
END_TEST

START_TEST(a_bounded_number_runs_at_once_and_all_are_served)
{
    char             *script = make_script("cat >/dev/null; echo begin >> log; ls -1 r.* 2>/dev/null | wc -l >> at_once; : > r.$$; sleep 0.1; rm r.$$; echo end >> log");
    const char *const argv[] = {script, NULL};

    add(argv, (struct notify_hook){.most = 3});
    tell_many(20);
    char *log = wait_for("log", 40), *at_once = contents("at_once");
    for (const char *c = at_once; *c != '\0'; c++)
        ck_assert_msg(*c == '\n' || (*c >= '0' && *c <= '2'), "%s", at_once);
    wait_for_count("flowaudit_hook_runs_total{result=\"succeeded\"} 20\n");
    ck_assert(counts_are("flowaudit_alerts_lost_total{output=\"hook\"} 0\n"));
    free(log);
    free(at_once);
    free(script);
}
END_TEST

START_TEST(a_command_that_hangs_is_ended_with_its_children)
{
    char             *script = make_script("trap '' TERM; sleep 600 & echo $! > child; echo started >> log; wait; sleep 600");
    const char *const argv[] = {script, NULL};

    add(argv, (struct notify_hook){.limit_ns = SECOND / 5});
    tell_many(1);
    free(wait_for("log", 1));
    wait_for_count("flowaudit_hook_runs_total{result=\"timed-out\"} 1\n");
    char *child = contents("child");
    for (unsigned i = 0; i < 200 && kill(atoi(child), 0) == 0; i++) {
        char path[64], *stat;
        snprintf(path, sizeof(path), "/proc/%d/stat", atoi(child));
        stat = bed_read(path);
        bool is_dead = stat == NULL || strstr(stat, ") Z ") != NULL; /* where init does not reap */
        free(stat);
        if (is_dead)
            break;
        ck_assert_uint_lt(i, 199);
        pause_ms(20);
    }
    ssize_t got = read(messages, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    ck_assert_msg(strstr(text, "of 1 runs 0 failed and 1 took too long") != NULL, "%s", text);
    free(child);
    free(script);
}
END_TEST

START_TEST(failures_are_counted_and_told)
{
    char             *script = make_script("exit 3");
    const char *const argv[] = {script, NULL};

    add(argv, (struct notify_hook){0});
    tell_many(5);
    wait_for_count("flowaudit_hook_runs_total{result=\"failed\"} 5\n");
    ssize_t got = read(messages, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "failed"));
    ck_assert_ptr_nonnull(strstr(text, "status 3"));
    free(script);
}
END_TEST

START_TEST(a_flood_for_a_slow_command_is_counted_and_stops_nobody)
{
    char command[64], search[128];

    snprintf(command, sizeof(command), "exec sleep 60.%d", (int)getpid()); /* nobody else's */
    snprintf(search, sizeof(search), "grep -qszx '6[0].%d' /proc/[0-9]*/cmdline", (int)getpid());
    char             *script = make_script(command);
    const char *const argv[] = {script, NULL};

    add(argv, (struct notify_hook){.most = 1, .limit_ns = SECOND});
    tell_many(3000);
    ck_assert_uint_gt(notify_counts(n).lost, 1000);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    notify_free(n);
    n = NULL;
    clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_lt(after.tv_sec - before.tv_sec, 5);
    free(script);
    /* What waits is not served for ever: nothing of it is left when a command's time and grace are over twice. */
    unsigned n_quiet = 0; /* for a moment there is none between two */
    for (unsigned i = 0; n_quiet < 10 && i < 300; i++, pause_ms(50))
        n_quiet = system(search) == 0 ? 0 : n_quiet + 1;
    ck_assert_uint_eq(n_quiet, 10);
}
END_TEST

/* A moment later; what is said goes to the end of 'text'. */
static void tick_and_read(const struct notify_vitals *v, unsigned second)
{
    size_t have = strlen(text);

    notify_tick(n, bed_time(second), v);
    pause_ms(20);
    ssize_t got = read(messages, text + have, sizeof(text) - 1 - have);
    text[have + (got > 0 ? (size_t)got : 0)] = '\0';
}

START_TEST(a_helper_that_dies_is_told)
{
    struct notify_vitals v = bed_vitals();
    struct store_finding f = bed_finding();
    char                *script = make_script("kill -9 $PPID; echo done >> end");
    const char *const    argv[] = {script, NULL};

    add(argv, (struct notify_hook){0});
    bed_tell(n, 0, &f);
    free(wait_for("end", 1));
    text[0] = '\0';
    for (unsigned i = 0; i < 1000 && bed_count(text, "is gone") == 0; i++) /* what is killed is not gone yet */
        tick_and_read(&v, i);
    for (unsigned i = 0; i < 5; i++)
        tick_and_read(&v, i);
    ck_assert_uint_eq(bed_count(text, "is gone"), 1);
    f.client = "10.9.9.9";
    bed_tell(n, 9, &f);
    ck_assert_uint_eq(notify_counts(n).lost, 1);
    free(script);
}
END_TEST

START_TEST(a_command_that_is_none_is_refused)
{
    struct err               e = {0};
    static const char *const by_name[] = {"cat", NULL}, *const absent[] = {"/nonexistent/cat", NULL}, *const plain[] = {"/etc/passwd", NULL};

    ck_assert_int_eq(notify_add_hook(n, &(struct notify_hook){.argv = by_name}, &e), -EINVAL);
    ck_assert_int_eq(notify_add_hook(n, &(struct notify_hook){.argv = absent}, &e), -ENOENT);
    ck_assert_int_eq(notify_add_hook(n, &(struct notify_hook){.argv = plain}, &e), -EACCES);
}
END_TEST

Suite *suite_notify_hook(void);
Suite *suite_notify_hook(void)
{
    Suite *suite = suite_create("notify_hook");
    TCase *tc = tcase_create("hook");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_command_gets_the_finding_and_no_shell_sees_it);
    tcase_add_test(tc, no_descriptor_of_the_run_reaches_the_command);
    tcase_add_test(tc, a_bounded_number_runs_at_once_and_all_are_served);
    tcase_add_test(tc, a_command_that_hangs_is_ended_with_its_children);
    tcase_add_test(tc, failures_are_counted_and_told);
    tcase_add_test(tc, a_flood_for_a_slow_command_is_counted_and_stops_nobody);
    tcase_add_test(tc, a_helper_that_dies_is_told);
    tcase_add_test(tc, a_command_that_is_none_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
