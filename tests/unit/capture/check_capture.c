/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same for all formats: opening, refusals, filters, the digest, pipes, the first time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "capture_support.h"

#define MICRO 0xa1b2c3d4u

/* An IPv4 UDP packet from port 1000 to 'port', on Ethernet or bare. */
static void put_udp(struct bytes *b, bool ethernet, uint16_t port)
{
    bool order = b->big_endian;

    b->big_endian = true;
    if (ethernet)
        put(b, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0", 14);
    put(b, "\x45\0\0\x1c\0\1\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2", 20);
    put16(b, 1000), put16(b, port), put16(b, 8), put16(b, 0);
    b->big_endian = order;
}

static void put_udp_record(struct bytes *b, uint32_t s, uint16_t port)
{
    put32(b, s), put32(b, 0), put32(b, 42), put32(b, 42);
    put_udp(b, true, port);
}

static void put_udp_packet(struct bytes *b, uint32_t interface_id, bool ethernet, uint16_t port)
{
    uint32_t size = ethernet ? 42 : 28;
    size_t begin = begin_block(b, 6);

    put32(b, interface_id), put64(b, 0), put32(b, size), put32(b, size);
    put_udp(b, ethernet, port);
    end_block(b, begin);
}

static struct bytes udp_capture(void)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 65535, 1);
    for (uint32_t i = 0; i < 100; i++)
        put_udp_record(&b, i + 1, i % 4 == 3 ? 53 : 123);
    return b;
}

START_TEST(frames_that_the_filter_takes_out_are_counted_and_keep_their_numbers)
{
    const struct capture_options options = {.filter = "udp dst port 53", .block_size = 200};
    struct bytes b = udp_capture();
    struct seen s = read_bytes(&b, &options);

    ck_assert_msg(s.rc == 0, "%s", s.err.msg);
    ck_assert_uint_eq(s.n_frames, 25);
    ck_assert_uint_eq(s.stats.n_packets, 100);
    ck_assert_uint_eq(s.stats.n_filtered, 75);
    for (size_t i = 0; i < s.n_frames; i++)
        ck_assert_uint_eq(s.frames[i].number, 4 * (i + 1));
    ck_assert_int_eq(s.stats.first_ns, 1000000000);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_filter_is_compiled_for_each_link_type)
{
    const struct capture_options options = {.filter = "udp dst port 53"};
    struct bytes b = {0};

    put_section(&b, 1, 0);
    put_interface(&b, 1, 0, -1, 0);
    put_interface(&b, 101, 0, -1, 0);
    for (uint16_t i = 0; i < 40; i++)
        put_udp_packet(&b, i % 2, i % 2 == 0, i % 4 < 2 ? 53 : 54);
    struct seen s = read_bytes(&b, &options);
    ck_assert_uint_eq(s.n_frames, 20);
    for (size_t i = 0; i < s.n_frames; i++)
        ck_assert_uint_eq(s.frames[i].linktype, i % 2 == 0 ? 1 : 101);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_filter_that_does_not_compile_is_refused_at_the_opening)
{
    const struct capture_options options = {.filter = "udp prot 53"};
    struct bytes pcap = udp_capture(), pcapng = {0};

    put_section(&pcapng, 1, 0);
    put_interface(&pcapng, 1, 0, -1, 0);
    struct seen s = read_bytes(_i == 0 ? &pcap : &pcapng, &options);
    ck_assert_int_eq(s.rc, -EINVAL);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "the filter 'udp prot 53' does not compile for EN10MB (Ethernet): "));
    ck_assert_ptr_nonnull(strstr(s.err.msg, "syntax error"));
    ck_assert_msg(strstr(strstr(s.err.msg, ": ") + 2, "/proc/") == NULL, "%s", s.err.msg);
    bytes_clear(&pcap);
    bytes_clear(&pcapng);
}
END_TEST

START_TEST(a_filter_that_does_not_fit_a_later_link_type_ends_the_reading_with_its_error)
{
    const struct capture_options options = {.filter = "ether host 02:00:00:00:00:01"};
    struct bytes b = {0};

    put_section(&b, 1, 0);
    put_interface(&b, 1, 0, -1, 0);
    put_udp_packet(&b, 0, true, 53);
    put_interface(&b, 101, 0, -1, 0);
    put_udp_packet(&b, 1, false, 53);
    struct seen s = read_bytes(&b, &options);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert_int_eq(s.rc, -EINVAL);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "does not compile for RAW (Raw IP): "));
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

static const struct {
    const char *content;
    size_t size;
    int rc;
    const char *sentence;
} refused[] = {
    {"", 0, -EBADMSG, "not a capture file: it is empty, expected pcap, pcapng, gzip or zstd"},
    {"#!/bin/sh\necho hello, world\n", 28, -EBADMSG,
     "not a capture file: starts with bytes 23 21 2f 62 69 6e 2f 73, expected pcap, pcapng, gzip or zstd"},
    {"abc", 3, -EBADMSG, "not a capture file: starts with bytes 61 62 63, expected pcap, pcapng, gzip or zstd"},
    {"\xd4\xc3\xb2\xa1\2\0\4\0", 8, -EBADMSG, "the pcap file header at byte 0 needs 24 bytes, the file has 8 more"},
    {"\xd4\xc3", 2, -EBADMSG, "starts with bytes d4 c3"},
    {"\x0a\x0d\x0d\x0a\x1c\0\0\0", 8, -EBADMSG, "a pcapng block at byte 0 needs 12 bytes"},
    {"\x0a\x0d\x0d\x0a\x1c\0\0\0zzzzzzzzzzzzzzzz", 24, -EBADMSG, "has no byte-order magic"},
    {"snoop\0\0\0\0\0\0\2\0\0\0\4aaaaaaaaaaaaaaaa", 32, -ENOTSUP, "it is a snoop capture"},
    {"\xfd"
     "7zXZ\0aaaaaaaaaaaaaaaaaaaaaaaaaa",
     32, -ENOTSUP, "it is compressed with xz"},
    {"\x1f\x8b", 2, -EBADMSG, "the gzip data is cut short"},
    {"\x1f\x8b\x08\xff\xff\xff\xff\xff\xff\xff", 10, -EBADMSG, "the gzip data is corrupt"},
    {"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14, -EBADMSG, "the zstd data is c"},
};

START_TEST(what_is_no_capture_is_refused_with_what_was_expected)
{
    struct bytes b = {0};

    put(&b, refused[_i].content, refused[_i].size);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_int_eq(s.rc, refused[_i].rc);
    ck_assert_int_eq(s.err.code, refused[_i].rc);
    ck_assert_msg(strstr(s.err.msg, refused[_i].sentence) != NULL, "%s", s.err.msg);
    ck_assert_msg(strncmp(s.err.msg, "/proc/self/fd/", 14) == 0, "%s", s.err.msg);
    bytes_clear(&b);
}
END_TEST

START_TEST(what_cannot_be_opened_is_told_as_the_system_has_it)
{
    struct capture *c = NULL;
    struct err err;

    ck_assert_int_eq(capture_open_file("/nonexistent/x.pcap", NULL, &c, &err), -ENOENT);
    ck_assert_str_eq(err.msg, "/nonexistent/x.pcap: cannot be opened: No such file or directory");
    ck_assert_int_eq(capture_open_file("/proc/self", NULL, &c, &err), -EISDIR);
    ck_assert_int_eq(capture_open_file("/proc/self/mem", NULL, &c, &err), -EIO);
    ck_assert_str_eq(err.msg, "/proc/self/mem: cannot be read after byte 0: Input/output error");
    ck_assert_ptr_null(c);
    capture_free(NULL);
}
END_TEST

START_TEST(a_header_alone_is_an_empty_capture)
{
    struct bytes b = {0};
    char path[FILE_PATH_SIZE];
    int64_t ns;

    put_pcap_header(&b, MICRO, 65535, 1);
    int fd = file_of(b.data, b.size, path);
    struct capture *c;
    struct frame frame;
    struct err err;
    ck_assert_int_eq(capture_open_file(path, NULL, &c, &err), 0);
    ck_assert_int_eq(capture_peek_time(c, &ns, &err), -ENODATA);
    ck_assert_int_eq(capture_next_batch(c, &frame, 1, &err), 0);
    ck_assert_int_eq(capture_next_batch(c, &frame, 1, &err), 0);
    struct capture_stats s;
    capture_stats(c, &s);
    ck_assert(!s.damaged);
    ck_assert_uint_eq(s.n_packets, 0);
    ck_assert_int_eq(s.first_ns, 0);
    ck_assert_uint_eq(strlen(s.sha256), 64);
    capture_free(c);
    close(fd);
    bytes_clear(&b);
}
END_TEST

START_TEST(the_digest_is_of_the_stored_bytes_even_behind_a_damaged_place)
{
    struct bytes b = udp_capture();
    struct digest *digest;
    char text[DIGEST_TEXT_SIZE];

    put_fill(&b, 0xff, 1000000); /* no record begins so */
    ck_assert_int_eq(digest_new(&digest, NULL), 0);
    digest_update(digest, b.data, b.size);
    digest_text(digest, text);
    digest_free(digest);
    struct seen s = read_bytes(&b, NULL);
    ck_assert(s.stats.damaged);
    ck_assert_uint_eq(s.n_frames, 100);
    ck_assert_str_eq(s.stats.sha256, text);
    ck_assert_uint_eq(s.stats.n_bytes, b.size);
    seen_clear(&s);

    const struct capture_options options = {.no_digest = true};
    s = read_bytes(&b, &options);
    ck_assert_uint_eq(s.n_frames, 100);
    ck_assert_str_eq(s.stats.sha256, "");
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

/* Feeds 'b' into a pipe in pieces of 'step' bytes, from another process; returns the reading end. */
static int pipe_of(const struct bytes *b, size_t step)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[0]);
        for (size_t at = 0; at < b->size; at += step)
            if (write(ends[1], b->data + at, b->size - at < step ? b->size - at : step) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

START_TEST(pipes_and_standard_input_give_the_same_frames)
{
    static const size_t steps[] = {1, 17, 100000};
    struct bytes b = udp_capture();
    struct seen whole = read_bytes(&b, NULL), s;
    int fd = pipe_of(&b, steps[_i]);
    char path[FILE_PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    s = read_path(path, NULL);
    ck_assert_msg(s.rc == 0 && !s.stats.damaged, "%s%s", s.err.msg, s.stats.damage);
    ck_assert_uint_eq(s.n_frames, whole.n_frames);
    seen_assert_prefix(&whole, &s, whole.n_frames);
    ck_assert_str_eq(s.stats.sha256, whole.stats.sha256);
    ck_assert_uint_eq(s.stats.n_bytes_total, 0);
    seen_clear(&s);
    close(fd);

    b.size -= 7;
    fd = pipe_of(&b, steps[_i]);
    ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    s = read_path("-", NULL);
    ck_assert_uint_eq(s.n_frames, whole.n_frames - 1);
    ck_assert_str_eq(s.stats.damage,
                     "cut short: packet record 100 at byte 5766 needs 42 bytes of packet data, the input has 35 more");
    seen_clear(&s);
    seen_clear(&whole);
    close(fd);
    bytes_clear(&b);
}
END_TEST

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

START_TEST(a_signal_interrupts_the_waiting_and_nothing_is_lost)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct bytes b = udp_capture();
    struct capture *c;
    struct frame frames[64];
    struct err err;
    char path[FILE_PATH_SIZE];
    int ends[2], n, n_frames = 0;

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    ck_assert_int_eq(write(ends[1], b.data, 24 + 58 + 30), 24 + 58 + 30);
    ck_assert_int_eq(capture_open_file(path, NULL, &c, &err), 0);
    ck_assert_int_eq(capture_next_batch(c, frames, 64, &err), 1);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert_int_eq(capture_next_batch(c, frames, 64, &err), -EINTR);
    ck_assert_int_eq(write(ends[1], b.data + 112, b.size - 112), (int)b.size - 112);
    close(ends[1]);
    while ((n = capture_next_batch(c, frames, 64, &err)) > 0)
        n_frames += n;
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(n_frames, 99);
    capture_free(c);
    close(ends[0]);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_file_is_read_as_long_as_it_was_when_it_was_opened)
{
    struct bytes b = udp_capture();
    char path[FILE_PATH_SIZE];
    int fd = file_of(b.data, b.size, path);
    struct capture *c;
    struct frame frames[64];
    struct err err;
    int n, n_frames = 0;

    ck_assert_int_eq(capture_open_file(path, NULL, &c, &err), 0);
    ck_assert_int_eq(write(fd, b.data + 24, 58), 58);
    while ((n = capture_next_batch(c, frames, 64, &err)) > 0)
        n_frames += n;
    ck_assert_int_eq(n_frames, 100);
    capture_free(c);

    /* One that lost bytes meanwhile is damaged although no record is cut. */
    const struct capture_options options = {.block_size = 64};
    struct capture_stats s;
    struct bytes big = {0};
    put(&big, b.data, b.size);
    for (int i = 0; i < 40; i++)
        put(&big, b.data + 24, b.size - 24); /* beyond what the opening reads */
    close(fd);
    fd = file_of(big.data, big.size, path);
    ck_assert_int_eq(capture_open_file(path, &options, &c, &err), 0);
    ck_assert_int_eq(ftruncate(fd, 24 + 58 * 3000), 0);
    while (capture_next_batch(c, frames, 64, &err) > 0)
        continue;
    capture_stats(c, &s);
    ck_assert_uint_eq(s.n_packets, 3000);
    ck_assert(s.damaged);
    ck_assert_ptr_nonnull(strstr(s.damage, "ended after 174024, after packet record 3000"));
    capture_free(c);
    close(fd);
    bytes_clear(&b);
    bytes_clear(&big);
}
END_TEST

START_TEST(the_first_time_is_known_without_consuming_a_frame)
{
    struct bytes b = {0};
    char path[FILE_PATH_SIZE];
    struct capture *c;
    struct frame frames[8];
    struct err err;
    int64_t ns;
    uint64_t number = 0;

    put_pcap_header(&b, MICRO, 65535, 1);
    for (uint32_t i = 0; i < 10; i++)
        put_udp_record(&b, 100 + i, i < 2 ? 1 : 53);
    int fd = file_of(b.data, b.size, path);
    const struct capture_options options = {.filter = _i == 0 ? NULL : "port 53"};
    ck_assert_int_eq(capture_open_file(path, &options, &c, &err), 0);
    ck_assert_int_eq(capture_peek_time(c, &ns, &err), 0);
    ck_assert_int_eq(ns, INT64_C(100000000000));
    ck_assert_int_eq(capture_peek_time(c, &ns, &err), 0);
    ck_assert_int_eq(ns, INT64_C(100000000000));
    for (int n; (n = capture_next_batch(c, frames, 3, &err)) > 0;) {
        for (int i = 0; i < n; i++) {
            number = number == 0 && _i == 1 ? 3 : number + 1;
            ck_assert_uint_eq(frames[i].number, number);
            ck_assert_int_eq(frames[i].ts_ns, (int64_t)(99 + number) * 1000000000);
            ck_assert_uint_eq(frames[i].data[37], number < 3 ? 1 : 53);
        }
        int rc = capture_peek_time(c, &ns, &err);
        ck_assert_int_eq(rc, number == 10 ? -ENODATA : 0);
        if (rc == 0)
            ck_assert_int_eq(ns, (int64_t)(100 + number) * 1000000000);
    }
    ck_assert_uint_eq(number, 10);
    capture_free(c);
    close(fd);
    bytes_clear(&b);
}
END_TEST

START_TEST(names_are_the_last_part_of_the_path_and_link_types_as_libpcap_has_them)
{
    static const struct {
        uint16_t linktype;
        const char *name;
    } names[] = {{1, "EN10MB (Ethernet)"},
                 {101, "RAW (Raw IP)"},
                 {113, "LINUX_SLL (Linux cooked v1)"},
                 {0, "NULL (BSD loopback)"},
                 {108, "LOOP (OpenBSD loopback)"},
                 {160, "LINKTYPE 160"},
                 {65535, "LINKTYPE 65535"}};
    char buf[100], path[FILE_PATH_SIZE];
    struct bytes b = udp_capture();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_str_eq(capture_linktype_name(names[i].linktype, buf, sizeof(buf)), names[i].name);

    int fd = file_of(b.data, b.size, path);
    struct capture *c;
    ck_assert_int_eq(capture_open_file(path, NULL, &c, NULL), 0);
    ck_assert_str_eq(capture_path(c), path);
    ck_assert_str_eq(capture_name(c), strrchr(path, '/') + 1);
    capture_free(c);
    close(fd);
    bytes_clear(&b);
}
END_TEST

Suite *suite_capture(void);
Suite *suite_capture(void)
{
    Suite *s = suite_create("capture");
    TCase *t = tcase_create("capture");

    tcase_add_test(t, frames_that_the_filter_takes_out_are_counted_and_keep_their_numbers);
    tcase_add_test(t, a_filter_is_compiled_for_each_link_type);
    tcase_add_loop_test(t, a_filter_that_does_not_compile_is_refused_at_the_opening, 0, 2);
    tcase_add_test(t, a_filter_that_does_not_fit_a_later_link_type_ends_the_reading_with_its_error);
    tcase_add_loop_test(t, what_is_no_capture_is_refused_with_what_was_expected, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_test(t, what_cannot_be_opened_is_told_as_the_system_has_it);
    tcase_add_test(t, a_header_alone_is_an_empty_capture);
    tcase_add_test(t, the_digest_is_of_the_stored_bytes_even_behind_a_damaged_place);
    tcase_add_loop_test(t, pipes_and_standard_input_give_the_same_frames, 0, 3);
    tcase_add_test(t, a_signal_interrupts_the_waiting_and_nothing_is_lost);
    tcase_add_test(t, a_file_is_read_as_long_as_it_was_when_it_was_opened);
    tcase_add_loop_test(t, the_first_time_is_known_without_consuming_a_frame, 0, 2);
    tcase_add_test(t, names_are_the_last_part_of_the_path_and_link_types_as_libpcap_has_them);
    suite_add_tcase(s, t);
    return s;
}
