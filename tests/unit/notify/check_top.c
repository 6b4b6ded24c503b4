/* SPDX-License-Identifier: Apache-2.0 */
/* The live table: what is drawn, and the terminal before, during and after it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../../../src/notify/top.h"
#include "flowaudit/utf8.h"
#include "notify_bed.h"

#define MAX_LINES 64

static struct top top;
static struct out frame;
static char       screen[MAX_LINES][1024]; /* as text, without the escape sequences */
static unsigned   n_lines;

static void setup(void)
{
    top = (struct top){.color = true};
}

static void teardown(void)
{
    top_clear(&top);
    out_free(&frame);
}

static struct notify_conversation conversation(uint64_t id, uint64_t bytes, const char *client)
{
    return (struct notify_conversation){
        .conversation_id = id, .client = client, .server = "10.20.1.10", .server_name = "unity1", .server_port = 5010, .transport = IPPROTO_TCP,
        .protocol = "HTTP", .verdict = VERDICT_VIOLATION, .kind = FINDING_WRONG_PROTOCOL, .disposition = DISPOSITION_ESCAPED, .flows = 1234567 - id,
        .packets = bytes / 100, .bytes = bytes, .last_ns = BED_WALL_NS + (int64_t)id};
}

static void look(int64_t seconds, const struct notify_conversation *c, size_t n)
{
    struct notify_vitals v = bed_vitals();

    v.top = c;
    v.n_top = n;
    top_look(&top, bed_time(seconds), &v);
}

static void alert(const char *reason)
{
    struct store_finding f = bed_finding();

    f.reason = reason;
    top_alert(&top, &(struct alert){.now = bed_time(0), .finding = &f, .run_id = 1, .nth = 1, .kind = FINDING_WRONG_PROTOCOL, .severity = SEVERITY_HIGH});
}

/* Draws, and holds the frame to the size: columns are counted as characters (all but those of the test for wide ones take one). */
static void draw(unsigned lines, unsigned columns)
{
    size_t at = 0, width = 0;

    out_reset(&frame);
    top_draw(&top, lines, columns, &frame);
    ck_assert(!frame.cut);
    n_lines = 0;
    for (size_t i = 0; i < frame.n;) {
        uint32_t c;
        size_t   n = utf8_decode(frame.text + i, frame.n - i, &c);
        if (n == 0 || (c == '\033' && frame.text[i + 1] != '[')) /* an assertion for each character would take long */
            ck_abort_msg("odd bytes at %zu", i);
        if (c == '\033') { /* CSI, numbers, a letter */
            for (i += 2; frame.text[i] == '?' || frame.text[i] == ';' || (frame.text[i] >= '0' && frame.text[i] <= '9'); i++)
                ;
            if (strchr("HKJm", frame.text[i++]) == NULL)
                ck_abort_msg("an unexpected sequence at %zu", i);
            continue;
        }
        if (c == '\r') {
            screen[n_lines++][at] = '\0';
            ck_assert(frame.text[i + 1] == '\n' && n_lines < MAX_LINES);
            at = width = 0;
            i += 2;
            continue;
        }
        memcpy(screen[n_lines] + at, frame.text + i, n);
        at += n;
        if (++width > columns || out_is_unsafe(c))
            ck_abort_msg("line %u is wider than %u, or acts", n_lines, columns);
        i += n;
    }
    screen[n_lines++][at] = '\0';
    ck_assert_uint_eq(n_lines, lines);
}

static bool shown(const char *word)
{
    for (unsigned i = 0; i < n_lines; i++)
        if (strstr(screen[i], word) != NULL)
            return true;
    return false;
}

START_TEST(the_table_fits_terminals_of_any_size)
{
    struct notify_conversation c[40];
    char                       names[40][32];

    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "10.20.6.%u", i);
        c[i] = conversation(i + 1, 1000000 - i * 1000, names[i]);
    }
    look(0, c, 40);
    alert("admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP, and this sentence is longer than a line.");
    draw(24, 80);
    ck_assert_ptr_nonnull(strstr(screen[0], "flowaudit  up 0:01:00  980 packets, 123.5 kB, 7 not judged"));
    ck_assert_str_eq(screen[1], "Findings: 5 high, 1 notice, 2 waived");
    ck_assert_ptr_nonnull(strstr(screen[2], "eth1: 1,000 packets, 21 dropped; eth2 IS DOWN"));
    ck_assert_str_eq(screen[4], "CLIENT         SERVER         SERVICE   VERDICT          FLOWS    BYTES   RATE/s");
    ck_assert_str_eq(screen[5], "10.20.6.0      unity1         tcp/5010  wrong-protocol    1.2M   1.0 MB         ");
    ck_assert(shown("LATEST FINDINGS"));
    ck_assert(shown("09:00:00Z high wrong-protocol: admin1 (10.20.6.10) connected to unity1"));
    ck_assert_str_eq(screen[23], "q quit  p pause  s sort: bytes  f show: both");
    draw(10, 40);
    ck_assert_ptr_nonnull(strstr(screen[2], "CLIENT"));
    ck_assert_ptr_nonnull(strstr(screen[3], "tcp/5010"));
    ck_assert(shown("LATEST FINDINGS"));
    for (unsigned lines = 1; lines < 60; lines++)
        for (unsigned columns = 1; columns < 200; columns += 7)
            draw(lines, columns);
}
END_TEST

START_TEST(an_empty_run_has_a_screen_too)
{
    draw(24, 80);
    ck_assert(shown("(no conversation yet)"));
    ck_assert(shown("(none)"));
}
END_TEST

START_TEST(rates_are_told_from_two_looks)
{
    struct notify_conversation c = conversation(1, 1000, "10.0.0.1");

    look(0, &c, 1);
    ck_assert_uint_eq(top.rows[0].rate, 0);
    c.bytes += 20000;
    look(10, &c, 1);
    ck_assert_uint_eq(top.rows[0].rate, 2000);
    draw(24, 80);
    ck_assert_ptr_nonnull(strstr(screen[5], "2.0 kB"));
    top.paused = true;
    c.bytes += 20000;
    look(20, &c, 1);
    ck_assert_uint_eq(top.rows[0].bytes, 21000);
    draw(24, 80);
    ck_assert(shown("PAUSED"));
}
END_TEST

START_TEST(rows_are_sorted_as_asked)
{
    struct notify_conversation c[2] = {conversation(1, 1000, "few"), conversation(2, 2000, "many")};

    look(0, c, 2);
    ck_assert_str_eq(top.rows[0].client, "many");
    top.sort = NOTIFY_BY_FLOWS;
    top_sort(&top);
    ck_assert_str_eq(top.rows[0].client, "few");
    top.sort = NOTIFY_BY_LAST;
    top_sort(&top);
    ck_assert_str_eq(top.rows[0].client, "many");
}
END_TEST

START_TEST(hostile_text_does_not_act_on_the_terminal)
{
    struct notify_conversation c = conversation(1, 1000, "\033[2J\033]0;pwned\007");

    c.server_name = "r\xe2\x80\xaevil";
    c.protocol = "\xff\x9b";
    look(0, &c, 1);
    alert("a\033[?1049lb\r\nc\tdef");
    top_message(&top, &(struct message){.now = bed_time(0), .level = NOTIFY_WARNING, .sentence = "eth\0331 is down"});
    draw(24, 120); /* checks each character */
    ck_assert(shown("\\u001b[2J"));
    ck_assert(shown("a\\u001b[?1049lb\\u000d\\u000ac\\u0009def"));
    ck_assert(shown("eth\\u001b1 is down"));
    ck_assert_ptr_null(strstr(frame.text, "\033]"));
}
END_TEST

START_TEST(a_finding_told_again_moves_up)
{
    struct store_finding f = bed_finding();

    for (unsigned i = 0; i < 100; i++) {
        f.finding_id = i % 3 + 1;
        top_alert(&top, &(struct alert){.now = bed_time(0), .finding = &f, .run_id = 1, .nth = 1, .kind = FINDING_WRONG_PROTOCOL, .severity = SEVERITY_HIGH});
    }
    ck_assert_uint_eq(top.n_lines, 3);
    ck_assert_uint_eq(top.lines[0].finding_id, 1);
    ck_assert_uint_eq(top.lines[1].finding_id, 3);
    for (unsigned i = 0; i < 200; i++)
        top_message(&top, &(struct message){.now = bed_time(0), .level = NOTIFY_INFO, .sentence = "x"});
    ck_assert_uint_eq(top.n_lines, TOP_MAX_LINES);
}
END_TEST

START_TEST(wide_characters_are_clipped_by_columns)
{
    struct out out = {0};

    ck_assert_uint_eq(top_clip(&out, "\xe6\x97\xa5\xe6\x9c\xac", 3), 2);
    ck_assert_str_eq(out.text, "\xe6\x97\xa5");
    out_reset(&out);
    ck_assert_uint_eq(top_clip(&out, "e\xcc\x81x", 1), 1); /* e with an accent of its own */
    ck_assert_str_eq(out.text, "e\xcc\x81");
    out_free(&out);
}
END_TEST

/* --- the terminal --------------------------------------------------------------------------------------------------------- */

static int master, slave;

static void open_terminal(unsigned short lines, unsigned short columns)
{
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &(struct winsize){.ws_row = lines, .ws_col = columns}), 0);
}

static char shown_text[1 << 16];

/* Adds what the terminal was sent until 'word' is in it; false after two seconds without it. */
static bool see(const char *word)
{
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = master, .events = POLLIN};
        shown_text[n] = '\0';
        if (strstr(shown_text, word) != NULL)
            return true;
        if (poll(&p, 1, 2000) != 1)
            return false;
        ssize_t more = read(master, shown_text + n, sizeof(shown_text) - 1 - n);
        if (more <= 0)
            return false;
        n += (size_t)more;
    }
}

static bool is_raw(void)
{
    struct termios t;

    ck_assert_int_eq(tcgetattr(slave, &t), 0);
    return (t.c_lflag & (ICANON | ECHO)) == 0;
}

static void press(struct notifier *n, const char *keys)
{
    struct pollfd p = {.fd = notify_fd(n), .events = POLLIN};

    ck_assert_int_eq(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
    ck_assert_int_eq(poll(&p, 1, 2000), 1);
    notify_tick(n, bed_time(1), NULL);
}

START_TEST(keys_and_sizes_take_effect_and_the_terminal_is_given_back)
{
    struct notify_vitals       v = bed_vitals();
    struct notify_conversation c = conversation(1, 1000, "10.0.0.1");
    struct err                 e = {0};

    open_terminal(24, 80);
    struct notifier *n = bed_notifier(NULL);
    ck_assert_msg(notify_add_terminal(n, slave, slave, false, &e) == 0, "%s", e.msg);
    ck_assert(see("\033[?1049h"));
    ck_assert(is_raw());
    ck_assert_uint_eq(notify_wants(n).n, TOP_MAX_ROWS);
    v.top = &c;
    v.n_top = 1;
    notify_tick(n, bed_time(0), &v);
    ck_assert(see("s sort: bytes"));
    ck_assert_ptr_nonnull(strstr(shown_text, "wrong-protocol"));
    ck_assert_uint_eq(bed_count(shown_text, "\r\n"), 23);
    press(n, "s");
    ck_assert(see("s sort: packets"));
    ck_assert_int_eq(notify_wants(n).sort, NOTIFY_BY_PACKETS);
    press(n, "p");
    ck_assert(see("PAUSED"));
    ck_assert_uint_eq(notify_wants(n).n, 0);
    press(n, "p");
    ck_assert(see("q quit"));
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &(struct winsize){.ws_row = 10, .ws_col = 40}), 0);
    notify_tick(n, bed_time(2), &v);
    ck_assert(see("q quit"));
    ck_assert_uint_eq(bed_count(shown_text, "\r\n"), 9);
    press(n, "\033[A"); /* an arrow: 'A' is no key of it */
    ck_assert(!notify_wants(n).quit);
    press(n, "q");
    ck_assert(notify_wants(n).quit);
    notify_free(n);
    ck_assert(see("\033[?1049l"));
    ck_assert(!is_raw());
    close(slave);
    close(master);
}
END_TEST

START_TEST(a_killed_run_leaves_a_terminal_that_works)
{
    struct err e = {0};
    int        status;

    open_terminal(24, 80);
    pid_t pid = fork();
    if (pid == 0) {
        struct notifier *n = bed_notifier(NULL);
        if (notify_add_terminal(n, slave, slave, true, &e) != 0)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert(see("\033[?1049h"));
    for (unsigned i = 0; i < 100 && !is_raw(); i++)
        usleep(10000);
    ck_assert(is_raw());
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(see("\033[?1049l"));
    ck_assert(!is_raw());
    close(slave);
    close(master);
}
END_TEST

START_TEST(a_terminal_that_stands_still_stops_nobody)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};

    open_terminal(60, 200);
    struct notifier *n = bed_notifier(NULL);
    ck_assert_int_eq(notify_add_terminal(n, slave, slave, true, &e), 0);
    for (unsigned i = 0; i < 2000; i++) /* nobody reads */
        notify_tick(n, bed_time(i), &v);
    notify_free(n);
    for (unsigned i = 0; i < 50 && see("\033[?1049l") == false; i++)
        ;
    ck_assert_ptr_nonnull(strstr(shown_text, "\033[?1049l"));
    close(slave);
    close(master);
}
END_TEST

START_TEST(what_is_no_terminal_is_refused)
{
    struct err       e = {0};
    struct notifier *n = bed_notifier(NULL);
    int              fd = open("/dev/null", O_RDWR);

    ck_assert_int_eq(notify_add_terminal(n, fd, fd, false, &e), -ENOTTY);
    ck_assert_int_eq(notify_fd(n), -1);
    notify_free(n);
    close(fd);
}
END_TEST

Suite *suite_notify_top(void);
Suite *suite_notify_top(void)
{
    Suite *suite = suite_create("notify_top");
    TCase *tc = tcase_create("top");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_table_fits_terminals_of_any_size);
    tcase_add_test(tc, an_empty_run_has_a_screen_too);
    tcase_add_test(tc, rates_are_told_from_two_looks);
    tcase_add_test(tc, rows_are_sorted_as_asked);
    tcase_add_test(tc, hostile_text_does_not_act_on_the_terminal);
    tcase_add_test(tc, a_finding_told_again_moves_up);
    tcase_add_test(tc, wide_characters_are_clipped_by_columns);
    tcase_add_test(tc, keys_and_sizes_take_effect_and_the_terminal_is_given_back);
    tcase_add_test(tc, a_killed_run_leaves_a_terminal_that_works);
    tcase_add_test(tc, a_terminal_that_stands_still_stops_nobody);
    tcase_add_test(tc, what_is_no_terminal_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
