/* SPDX-License-Identifier: Apache-2.0 */
/* The system's own readers: syslog, the journal, the service manager. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify_bed.h"

static struct bed_folder folder;
static struct notifier  *n;
static char             *path;
static int               server;
static char              text[1 << 16];

static void setup(void)
{
    bed_folder_make(&folder);
    path = bed_path(&folder, "log");
    server = bed_socket(path, SOCK_DGRAM);
    n = bed_notifier(NULL);
}

static void teardown(void)
{
    notify_free(n);
    close(server);
    free(path);
    bed_folder_remove(&folder);
}

static void add_syslog(enum notify_header header)
{
    struct err e = {0};

    ck_assert_msg(notify_add_syslog(n, path, header, &e) == 0, "%s", e.msg);
}

START_TEST(syslog_is_rfc_5424_with_structured_data)
{
    struct store_finding f = bed_finding();

    add_syslog(NOTIFY_HEADER_FIT);
    f.protocol = "HT]T\"P\\";
    bed_tell(n, 5, &f);
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)),
                     "<28>1 2026-03-02T09:00:05.000000Z sensor flowaudit 42 wrong-protocol [flowaudit@32473 kind=\"wrong-protocol\" severity=\"high\" "
                     "row=\"unity-dcom\" section=\"Administration\" client=\"10.20.6.10\" client_name=\"admin1\" server=\"10.20.1.10\" "
                     "server_name=\"unity1\" transport=\"TCP\" port=\"5010\" protocol=\"HT\\]T\\\"P\\\\\" outcome=\"established\" "
                     "disposition=\"escaped\" community_id=\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\" flows=\"1\" packets=\"12\" bytes=\"3456\" "
                     "first=\"2026-03-02T08:59:59.000000Z\" last=\"2026-03-02T09:00:00.000000Z\" run=\"2\" finding=\"7\"] "
                     "admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP.");
    notify_message(n, bed_time(6), NOTIFY_ERROR, "eth1 is gone\n");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<27>1 2026-03-02T09:00:06.000000Z sensor flowaudit 42 run - eth1 is gone\\u000a");
}
END_TEST

START_TEST(text_beyond_ascii_is_announced)
{
    add_syslog(NOTIFY_HEADER_RFC5424);
    notify_message(n, bed_time(0), NOTIFY_INFO, "Z\xc3\xbcrich");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<30>1 2026-03-02T09:00:00.000000Z sensor flowaudit 42 run - \xef\xbb\xbfZ\xc3\xbcrich");
}
END_TEST

START_TEST(names_in_the_header_hold_no_blanks)
{
    struct notify_options o = {.version = "1", .host = "a b\n\xc3\xbc", .pid = 1};

    notify_free(n);
    n = bed_notifier(&o);
    add_syslog(NOTIFY_HEADER_RFC5424);
    notify_message(n, bed_time(0), NOTIFY_INFO, "x");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<30>1 2026-03-02T09:00:00.000000Z a_b___ flowaudit 1 run - x");
}
END_TEST

START_TEST(the_older_header_carries_the_same_data)
{
    struct store_finding f = bed_finding();

    add_syslog(NOTIFY_HEADER_LOCAL);
    bed_tell(n, 0, &f);
    bed_receive(server, text, sizeof(text));
    ck_assert_int_eq(strncmp(text, "<28>flowaudit[42]: [flowaudit@32473 kind=\"wrong-protocol\" ", 58), 0);
    ck_assert_ptr_nonnull(strstr(text, "finding=\"7\"] admin1 (10.20.6.10) connected"));
    notify_message(n, bed_time(0), NOTIFY_INFO, "Z\xc3\xbcrich");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<30>flowaudit[42]: Z\xc3\xbcrich");
}
END_TEST

START_TEST(a_log_that_is_started_anew_gets_what_waited)
{
    add_syslog(NOTIFY_HEADER_LOCAL);
    close(server);
    unlink(path);
    notify_message(n, bed_time(0), NOTIFY_INFO, "first");
    notify_message(n, bed_time(1), NOTIFY_INFO, "second");
    server = bed_socket(path, SOCK_DGRAM);
    notify_tick(n, bed_time(10), NULL);
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<30>flowaudit[42]: first");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "<30>flowaudit[42]: second");
    ck_assert_uint_eq(notify_counts(n).lost, 0);
}
END_TEST

/* The value of a field in a datagram of the native protocol, as journald reads it; NULL where there is none. */
static const char *field(const char *datagram, size_t size, const char *name, char *buf, size_t buf_size)
{
    for (size_t at = 0; at < size;) {
        const char *line = datagram + at, *end = memchr(line, '\n', size - at), *equals;
        ck_assert_ptr_nonnull(end);
        equals = memchr(line, '=', (size_t)(end - line));
        const char *value = equals != NULL ? equals + 1 : end + 9;
        size_t      name_len = (size_t)((equals != NULL ? equals : end) - line);
        uint64_t    len = equals != NULL ? (uint64_t)(end - value) : 0;
        for (unsigned i = 0; equals == NULL && i < 8; i++)
            len |= (uint64_t)(uint8_t)end[1 + i] << (8 * i);
        ck_assert_uint_lt((size_t)(value - datagram) + len, size);
        ck_assert_int_eq(value[len], '\n');
        if (name_len == strlen(name) && memcmp(line, name, name_len) == 0) {
            snprintf(buf, buf_size, "%.*s", (int)len, value);
            return buf;
        }
        at = (size_t)(value - datagram) + len + 1;
    }
    return NULL;
}

START_TEST(the_journal_gets_fields_and_newlines_survive)
{
    struct store_finding f = bed_finding();
    struct err           e = {0};
    char                 buf[512];

    ck_assert_int_eq(notify_add_journal(n, path, &e), 0);
    f.protocol = "two\nlines=here";
    bed_tell(n, 0, &f);
    ssize_t size = recv(server, text, sizeof(text), 0);
    ck_assert_int_gt(size, 0);
    ck_assert_str_eq(field(text, (size_t)size, "MESSAGE", buf, sizeof(buf)), f.reason);
    ck_assert_str_eq(field(text, (size_t)size, "PRIORITY", buf, sizeof(buf)), "4");
    ck_assert_uint_eq(strlen(field(text, (size_t)size, "MESSAGE_ID", buf, sizeof(buf))), 32);
    ck_assert_str_eq(field(text, (size_t)size, "SYSLOG_IDENTIFIER", buf, sizeof(buf)), "flowaudit");
    ck_assert_str_eq(field(text, (size_t)size, "FLOWAUDIT_PROTOCOL", buf, sizeof(buf)), "two\nlines=here");
    ck_assert_str_eq(field(text, (size_t)size, "FLOWAUDIT_PORT", buf, sizeof(buf)), "5010");
    ck_assert_str_eq(field(text, (size_t)size, "FLOWAUDIT_COMMUNITY_ID", buf, sizeof(buf)), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    ck_assert_ptr_null(field(text, (size_t)size, "FLOWAUDIT_PARENT", buf, sizeof(buf)));
    notify_message(n, bed_time(0), NOTIFY_WARNING, "a\nFLOWAUDIT_KIND=forged");
    size = recv(server, text, sizeof(text), 0);
    ck_assert_str_eq(field(text, (size_t)size, "MESSAGE", buf, sizeof(buf)), "a\\u000aFLOWAUDIT_KIND=forged");
    ck_assert_ptr_null(field(text, (size_t)size, "FLOWAUDIT_KIND", buf, sizeof(buf)));
}
END_TEST

START_TEST(the_service_manager_is_told_of_states_and_life)
{
    struct notify_vitals v = bed_vitals();
    struct err           e = {0};

    ck_assert_int_eq(notify_add_supervisor(n, path, 30 * SECOND, &e), 0);
    notify_state(n, bed_time(0), NOTIFY_READY, "listening\non eth1");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "READY=1\nSTATUS=listening\\u000aon eth1\n");
    notify_tick(n, bed_time(1), &v);
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)),
                     "WATCHDOG=1\nSTATUS=09:00:00Z 980 packets, 21 dropped, 10 flows, 5 findings, eth2 is down\n");
    notify_tick(n, bed_time(100), NULL); /* no new counters: no sign of life */
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "");
    for (int64_t t = 2; t <= 31; t++)
        notify_tick(n, bed_time(t), &v);
    unsigned signs = 0;
    while (*bed_receive(server, text, sizeof(text)) != '\0')
        signs += bed_count(text, "WATCHDOG=1\n");
    ck_assert_uint_eq(signs, 3); /* three in each interval that the manager allows */
    notify_state(n, bed_time(40), NOTIFY_RELOADING, NULL);
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "RELOADING=1\nMONOTONIC_USEC=1040000000\n");
    notify_state(n, bed_time(41), NOTIFY_STOPPING, "done");
    ck_assert_str_eq(bed_receive(server, text, sizeof(text)), "STOPPING=1\nSTATUS=done\n");
}
END_TEST

START_TEST(sockets_that_are_not_there_are_named)
{
    struct err e = {0};

    ck_assert_int_eq(notify_add_journal(n, "/nonexistent/socket", &e), -ENOENT);
    ck_assert_ptr_nonnull(strstr(e.msg, "/nonexistent/socket"));
    ck_assert_int_eq(notify_add_syslog(n, "/nonexistent/log", NOTIFY_HEADER_FIT, &e), -ENOENT);
    ck_assert_int_eq(notify_add_supervisor(n, "", 0, &e), -ENAMETOOLONG);
    ck_assert_int_eq(notify_add_supervisor(n, "@flowaudit-nobody-listens", 0, &e), -ECONNREFUSED);
}
END_TEST

Suite *suite_notify_system(void);
Suite *suite_notify_system(void)
{
    Suite *suite = suite_create("notify_system");
    TCase *tc = tcase_create("system");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, syslog_is_rfc_5424_with_structured_data);
    tcase_add_test(tc, text_beyond_ascii_is_announced);
    tcase_add_test(tc, names_in_the_header_hold_no_blanks);
    tcase_add_test(tc, the_older_header_carries_the_same_data);
    tcase_add_test(tc, a_log_that_is_started_anew_gets_what_waited);
    tcase_add_test(tc, the_journal_gets_fields_and_newlines_survive);
    tcase_add_test(tc, the_service_manager_is_told_of_states_and_life);
    tcase_add_test(tc, sockets_that_are_not_there_are_named);
    suite_add_tcase(suite, tc);
    return suite;
}
