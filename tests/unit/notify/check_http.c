/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: fetched over HTTP, and held to the text exposition format. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify_bed.h"

static struct bed_folder folder;
static struct notifier  *n;
static char             *path;
static char              text[1 << 18];

static void setup(void)
{
    struct err e = {0};
    char      *where;

    bed_folder_make(&folder);
    n = bed_notifier(NULL);
    path = bed_path(&folder, "metrics.sock");
    ck_assert_int_gt(asprintf(&where, "unix:%s", path), 0);
    ck_assert_msg(notify_add_metrics_http(n, where, &e) == 0, "%s", e.msg);
    free(where);
}

static void teardown(void)
{
    notify_free(n);
    free(path);
    bed_folder_remove(&folder);
}

static int connect_to(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* The whole answer; the notifier only runs when its descriptor says so. */
static const char *ask(int fd, const char *request)
{
    size_t got = 0;

    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    for (unsigned i = 0; i < 50; i++) {
        struct pollfd p[2] = {{.fd = notify_fd(n), .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        if (poll(p, 2, 200) == 0)
            break;
        if (p[0].revents != 0)
            notify_tick(n, bed_time(i), NULL);
        if (p[1].revents != 0) {
            ssize_t more = recv(fd, text + got, sizeof(text) - 1 - got, 0);
            if (more <= 0)
                break;
            got += (size_t)more;
        }
    }
    text[got] = '\0';
    close(fd);
    return text;
}

#define GET(url) "GET " url " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static void begins(const char *answer, const char *with)
{
    ck_assert_msg(strncmp(answer, with, strlen(with)) == 0, "%.200s", answer);
}

START_TEST(metrics_are_fetched)
{
    struct notify_vitals v = bed_vitals();

    begins(ask(connect_to(), GET("/metrics")), "HTTP/1.1 503 ");
    notify_tick(n, bed_time(0), &v);
    begins(ask(connect_to(), GET("/metrics")), "HTTP/1.1 200 OK\r\n");
    ck_assert_ptr_nonnull(strstr(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nflowaudit_packets_total 980\n"));
    begins(ask(connect_to(), GET("/")), "HTTP/1.1 200 ");
    begins(ask(connect_to(), GET("/x")), "HTTP/1.1 404 ");
    begins(ask(connect_to(), "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"), "HTTP/1.1 405 ");
    begins(ask(connect_to(), "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
    ck_assert_ptr_null(strstr(text, "flowaudit_packets_total"));
    ck_assert_ptr_null(strstr(ask(connect_to(), "\x16\x03\x01\r\n\r\n"), " 200 ")); /* what is no HTTP is shown the door */
    begins(ask(connect_to(), GET("/metrics")), "HTTP/1.1 200 ");
}
END_TEST

START_TEST(who_says_nothing_holds_up_nobody)
{
    struct notify_vitals v = bed_vitals();
    int                  silent[8];

    for (unsigned i = 0; i < 8; i++)
        silent[i] = connect_to();
    notify_tick(n, bed_time(0), &v);
    begins(ask(connect_to(), GET("/metrics")), "HTTP/1.1 200 ");
    for (unsigned i = 0; i < 8; i++)
        close(silent[i]);
}
END_TEST

START_TEST(only_loopback_is_listened_at)
{
    static const char *const refused[] = {"0.0.0.0:9464", "[::]:9464", "192.168.1.1:9464", "10.0.0.1:9464", "::1:9464", "127.0.0.1", "127.0.0.1:0",
                                          "127.0.0.1:65536", "localhost:9464", "[::ffff:10.0.0.1]:9464", "[::1]9464", "", ":", "127.0.0.1:9464x"};
    struct err e;

    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        e = (struct err){0};
        ck_assert_msg(notify_add_metrics_http(n, refused[i], &e) == -EINVAL, "%s", refused[i]);
        ck_assert_msg(strstr(e.msg, "127.0.0.1") != NULL, "%s", e.msg);
    }
}
END_TEST

START_TEST(a_socket_left_behind_is_replaced_and_one_in_use_is_not)
{
    struct err       e = {0};
    struct notifier *other = bed_notifier(NULL);
    char            *where, *plain = bed_path(&folder, "plain");
    struct stat      st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    ck_assert_int_gt(asprintf(&where, "unix:%s", path), 0);
    ck_assert_int_eq(notify_add_metrics_http(other, where, &e), -EADDRINUSE);
    ck_assert_int_eq(access(path, F_OK), 0);
    notify_free(n);
    ck_assert_int_eq(access(path, F_OK), -1);
    close(bed_socket(path, SOCK_STREAM)); /* a run that was killed */
    n = bed_notifier(NULL);
    ck_assert_msg(notify_add_metrics_http(n, where, &e) == 0, "%s", e.msg);
    free(where);
    fclose(fopen(plain, "w"));
    ck_assert_int_gt(asprintf(&where, "unix:%s", plain), 0);
    ck_assert_int_eq(notify_add_metrics_http(other, where, &e), -EEXIST);
    ck_assert_int_eq(access(plain, F_OK), 0);
    notify_free(other);
    free(where);
    free(plain);
}
END_TEST

/* --- the format ---------------------------------------------------------------------------------------------------------- */

static size_t name_length(const char *p)
{
    size_t len = 0;

    while (isalnum((unsigned char)p[len]) || p[len] == '_' || p[len] == ':')
        len++;
    return len;
}

/* Past the labels of a sample; NULL where they are not well-formed. */
static const char *skip_labels(const char *p)
{
    if (*p != '{')
        return p;
    do {
        p++;
        size_t len = name_length(p);
        if (len == 0 || p[len] != '=' || p[len + 1] != '"')
            return NULL;
        for (p += len + 2; *p != '"'; p++) {
            if (*p == '\0' || (*p == '\\' && strchr("\\\"n", p[1]) == NULL))
                return NULL;
            p += *p == '\\';
        }
        p++;
    } while (*p == ',');
    return *p == '}' ? p + 1 : NULL;
}

struct family { char name[96]; bool is_counter; unsigned samples; };

static void check_line(const char *line, struct family *f, char *seen, size_t seen_size)
{
    char word[96], type[16], *end;

    if (sscanf(line, "# HELP %95s", word) == 1) {
        char tagged[112];
        snprintf(tagged, sizeof(tagged), " %s ", word);
        ck_assert_msg(strstr(seen, tagged) == NULL, "%s comes twice", word); /* all of a family stands together */
        strncat(seen, tagged, seen_size - strlen(seen) - 1);
        ck_assert(line[strlen("# HELP ") + strlen(word)] == ' ' && line[strlen(line) - 1] == '.');
        *f = (struct family){.samples = 0};
        strcpy(f->name, word);
    } else if (sscanf(line, "# TYPE %95s %15s", word, type) == 2) {
        ck_assert_str_eq(word, f->name);
        f->is_counter = strcmp(type, "counter") == 0;
        ck_assert(f->is_counter || strcmp(type, "gauge") == 0);
        size_t len = strlen(word);
        ck_assert_msg(f->is_counter == (len > 6 && strcmp(word + len - 6, "_total") == 0), "%s", word);
    } else {
        size_t len = name_length(line);
        ck_assert_msg(len == strlen(f->name) && strncmp(line, f->name, len) == 0, "'%s' under %s", line, f->name);
        const char *p = skip_labels(line + len);
        ck_assert_msg(p != NULL && *p == ' ', "%s", line);
        double value = strtod(p + 1, &end);
        ck_assert_msg(end > p + 1 && *end == '\0' && value >= 0, "%s", line);
        f->samples++;
    }
}

START_TEST(the_format_is_kept)
{
    struct notify_vitals v = bed_vitals();
    struct family        f = {.name = ""};
    static char          seen[8192];
    unsigned             lines = 0;

    notify_tick(n, bed_time(0), &v);
    ask(connect_to(), GET("/metrics"));
    char *body = strstr(text, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_int_eq(body[strlen(body) - 1], '\n');
    for (char *line = strtok(body + 4, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++)
        check_line(line, &f, seen, sizeof(seen));
    ck_assert_uint_gt(lines, 100);
    /* each series once */
    ask(connect_to(), GET("/metrics"));
    ck_assert_uint_eq(bed_count(text, "flowaudit_findings_total{kind=\"missing\",severity=\"low\"} "), 1);
    ck_assert_uint_eq(bed_count(text, "flowaudit_findings_total{"), (FINDING_N_KINDS - 1) * 5);
}
END_TEST

Suite *suite_notify_http(void);
Suite *suite_notify_http(void)
{
    Suite *suite = suite_create("notify_http");
    TCase *tc = tcase_create("http");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, metrics_are_fetched);
    tcase_add_test(tc, who_says_nothing_holds_up_nobody);
    tcase_add_test(tc, only_loopback_is_listened_at);
    tcase_add_test(tc, a_socket_left_behind_is_replaced_and_one_in_use_is_not);
    tcase_add_test(tc, the_format_is_kept);
    suite_add_tcase(suite, tc);
    return suite;
}
