/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets are picked, and that the file holds them as they were. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "build.h"
#include "flowaudit/evidence.h"
#include "flowaudit/packet.h"

#define SECOND INT64_C(1000000000)
#define T0 (INT64_C(1700000000) * SECOND)

struct bed {
    char folder[32], in[64], out[64];
    struct pcapng_writer *writer;
    unsigned n;
};

static void begin(struct bed *b)
{
    strcpy(b->folder, "/tmp/carve-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->folder));
    snprintf(b->in, sizeof(b->in), "%s/in.pcapng", b->folder);
    snprintf(b->out, sizeof(b->out), "%s/out.pcapng", b->folder);
    ck_assert_int_eq(pcapng_writer_new(b->in, "test", "an input", &b->writer, NULL), 0);
    b->n = 0;
}

static void end(struct bed *b)
{
    unlink(b->in);
    unlink(b->out);
    ck_assert_msg(rmdir(b->folder) == 0, "something is left in %s", b->folder);
}

/* 'second' after T0. */
static void add(struct bed *b, struct build *p, int second)
{
    const struct pcapng_origin origin = {0, "eth9", "here", 65535};
    struct frame f = build_frame(p);

    f.ts_ns = T0 + second * SECOND + 7;
    f.number = ++b->n;
    ck_assert_int_eq(pcapng_write(b->writer, &origin, &f, "", NULL), 0);
}

static void udp(struct build *p, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
    build_begin(p);
    build_ethernet(p);
    build_ipv4(p, src, dst);
    build_udp(p, sport, dport);
    build_text(p, "text");
}

static void add_udp(struct bed *b, int second, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
    struct build p;

    udp(&p, src, dst, sport, dport);
    add(b, &p, second);
}

static struct evidence_selector flow(const char *client, uint16_t port, const char *server, uint16_t server_port, int first, int last)
{
    struct evidence_selector s = {.client_port_low = port, .client_port_high = port, .server_port_low = server_port,
                                  .server_port_high = server_port, .transport = IPPROTO_UDP,
                                  .first_ns = T0 + first * SECOND, .last_ns = T0 + (last + 1) * SECOND};

    ck_assert_int_eq(addr_range_parse(client, &s.client), 0);
    ck_assert_int_eq(addr_range_parse(server, &s.server), 0);
    return s;
}

/* Carves; the numbers of the packets that were taken as text: "1 2 5". */
static int carve(struct bed *b, const struct evidence_pick *pick, struct evidence_result *result, char *numbers, size_t size, struct err *err)
{
    struct stat st;
    struct capture *c;
    struct frame f;
    size_t len = 0;

    if (b->writer != NULL) {
        ck_assert_int_eq(pcapng_commit(b->writer, NULL), 0);
        pcapng_writer_free(b->writer);
        b->writer = NULL;
    }
    ck_assert_int_eq(stat(b->in, &st), 0);
    const struct evidence_input input = {"in.pcapng", b->in, "", (uint64_t)st.st_size};
    const struct evidence_request request = {.inputs = &input, .n_inputs = 1, .pick = *pick, .out = b->out, .application = "test 1",
                                             .comment = "about it", .finding = "finding 1"};
    numbers[0] = '\0';
    int rc = evidence_carve(&request, result, err);
    if (rc != 0)
        return rc;
    ck_assert_int_eq(capture_open_file(b->out, NULL, &c, NULL), 0);
    while (capture_next_batch(c, &f, 1, NULL) == 1)
        len += (size_t)snprintf(numbers + len, size - len, "%s%d", len > 0 ? " " : "", (int)((f.ts_ns - T0) / SECOND));
    capture_free(c);
    return 0;
}

START_TEST(both_directions_of_a_flow_in_its_time_and_nothing_else)
{
    struct bed b;
    struct evidence_result result;
    char numbers[128];

    begin(&b);
    add_udp(&b, 0, "10.0.0.1", "10.0.0.2", 1000, 53); /* before */
    add_udp(&b, 1, "10.0.0.1", "10.0.0.2", 1000, 53);
    add_udp(&b, 2, "10.0.0.2", "10.0.0.1", 53, 1000);
    add_udp(&b, 3, "10.0.0.1", "10.0.0.2", 1001, 53); /* another port */
    add_udp(&b, 4, "10.0.0.1", "10.0.0.3", 1000, 53); /* another server */
    add_udp(&b, 5, "10.0.0.2", "10.0.0.1", 1000, 53); /* the other way round */
    add_udp(&b, 6, "10.0.0.1", "10.0.0.2", 1000, 53);
    add_udp(&b, 9, "10.0.0.1", "10.0.0.2", 1000, 53); /* after */
    const struct evidence_selector wanted = flow("10.0.0.1", 1000, "10.0.0.2", 53, 1, 6);
    const struct evidence_pick pick = {.wanted = &wanted, .n_wanted = 1};
    ck_assert_int_eq(carve(&b, &pick, &result, numbers, sizeof(numbers), NULL), 0);
    ck_assert_str_eq(numbers, "1 2 6");
    ck_assert_uint_eq(result.n_packets, 3);
    ck_assert_uint_eq(result.n_unproven, 1);
    end(&b);
}
END_TEST

START_TEST(what_is_another_conversations_is_left_out_of_a_sum)
{
    struct bed b;
    struct evidence_result result;
    char numbers[128];

    begin(&b);
    add_udp(&b, 1, "10.0.0.1", "10.0.0.2", 1000, 53);
    add_udp(&b, 2, "10.0.0.1", "10.0.0.3", 1000, 53);
    add_udp(&b, 3, "10.0.0.4", "10.0.0.1", 53, 1001);
    struct evidence_selector wanted = flow("10.0.0.1", 0, "10.0.0.0", 53, 0, 9), other = flow("10.0.0.1", 1000, "10.0.0.3", 53, 0, 9);
    wanted.client_port_high = UINT16_MAX;
    memset(&wanted.server.low, 0, sizeof(wanted.server.low)); /* any, of whatever family */
    memset(&wanted.server.high, 0xff, sizeof(wanted.server.high));
    const struct evidence_pick pick = {&wanted, &other, 1, 1};
    ck_assert_int_eq(carve(&b, &pick, &result, numbers, sizeof(numbers), NULL), 0);
    ck_assert_str_eq(numbers, "1 3");
    end(&b);
}
END_TEST

static void fragment(struct bed *b, int second, const char *src, uint16_t id, unsigned offset)
{
    struct build p;

    build_begin(&p);
    build_ethernet(&p);
    build_ipv4_fragment(&p, src, "10.0.0.2", id, offset, offset == 0);
    if (offset == 0)
        build_udp(&p, 1000, 53);
    else
        build_protocol(&p, IPPROTO_UDP);
    build_text(&p, "12345678");
    add(b, &p, second);
}

START_TEST(later_fragments_and_errors_that_quote_it_go_with_a_packet)
{
    struct bed b;
    struct build p;
    struct evidence_result result;
    char numbers[128];

    begin(&b);
    fragment(&b, 1, "10.0.0.1", 7, 1480); /* comes before its first one */
    fragment(&b, 2, "10.0.0.1", 7, 0);
    fragment(&b, 3, "10.0.0.1", 8, 1480); /* another datagram's */
    fragment(&b, 4, "10.0.0.3", 7, 1480); /* another host's */
    for (int second = 5; second < 80; second += 70) { /* the second one comes much too late */
        build_begin(&p);
        build_ethernet(&p);
        build_ipv4(&p, "10.0.0.254", "10.0.0.1");
        build_icmp(&p, 3, 13);
        build_ipv4(&p, "10.0.0.1", "10.0.0.2");
        build_udp(&p, 1000, 53);
        add(&b, &p, second);
    }
    const struct evidence_selector wanted = flow("10.0.0.1", 1000, "10.0.0.2", 53, 2, 2);
    const struct evidence_pick pick = {.wanted = &wanted, .n_wanted = 1};
    ck_assert_int_eq(carve(&b, &pick, &result, numbers, sizeof(numbers), NULL), 0);
    ck_assert_str_eq(numbers, "1 2 5");
    ck_assert_uint_eq(result.n_packets, 3);
    ck_assert_uint_eq(result.n_fragments, 1);
    ck_assert_uint_eq(result.n_errors, 1);
    end(&b);
}
END_TEST

START_TEST(frames_are_whole_with_what_carried_them)
{
    struct bed b;
    struct build p;
    struct evidence_result result;
    char numbers[128];
    struct capture *c;
    struct capture_stats stats;
    struct frame f;

    begin(&b);
    build_begin(&p);
    build_ethernet(&p);
    build_vlan(&p, 0x8100, 5);
    build_ipv4(&p, "192.0.2.1", "192.0.2.2");
    build_gre(&p);
    build_ipv4(&p, "10.0.0.1", "10.0.0.2");
    build_udp(&p, 1000, 53);
    build_text(&p, "odd");
    add(&b, &p, 1);
    struct frame sent = build_frame(&p);
    const struct evidence_selector wanted = flow("10.0.0.1", 1000, "10.0.0.2", 53, 0, 9);
    const struct evidence_pick pick = {.wanted = &wanted, .n_wanted = 1};
    ck_assert_int_eq(carve(&b, &pick, &result, numbers, sizeof(numbers), NULL), 0);
    ck_assert_int_eq(capture_open_file(b.out, NULL, &c, NULL), 0);
    ck_assert_int_eq(capture_next_batch(c, &f, 1, NULL), 1);
    ck_assert_uint_eq(f.caplen, sent.caplen);
    ck_assert_int_eq(memcmp(f.data, sent.data, f.caplen), 0);
    ck_assert_int_eq(f.ts_ns, T0 + SECOND + 7);
    ck_assert_int_eq(capture_next_batch(c, &f, 1, NULL), 0);
    capture_stats(c, &stats);
    ck_assert_uint_eq(stats.snaplen, 65535);
    ck_assert(!stats.damaged);
    capture_free(c);
    end(&b);
}
END_TEST

START_TEST(nothing_is_left_where_nothing_was_found)
{
    struct bed b;
    struct evidence_result result;
    char numbers[128];
    struct err err = {0};

    begin(&b);
    add_udp(&b, 1, "10.0.0.1", "10.0.0.2", 1000, 53);
    const struct evidence_selector wanted = flow("10.0.0.9", 1000, "10.0.0.2", 53, 0, 9);
    const struct evidence_pick pick = {.wanted = &wanted, .n_wanted = 1};
    ck_assert_int_eq(carve(&b, &pick, &result, numbers, sizeof(numbers), &err), -ENODATA);
    ck_assert_str_eq(err.msg, "the inputs hold no packet of this finding");
    ck_assert_int_ne(access(b.out, F_OK), 0);
    unlink(b.in);
    const struct evidence_input gone = {"in.pcapng", b.in, "00ff", 5};
    const struct evidence_request request = {.inputs = &gone, .n_inputs = 1, .pick = pick, .out = b.out, .from = b.folder};
    ck_assert_int_eq(evidence_carve(&request, &result, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.msg, "in.pcapng (5 bytes, sha256 00ff) is not where it was"));
    end(&b);
}
END_TEST

Suite *suite_carve(void);
Suite *suite_carve(void)
{
    Suite *s = suite_create("carve");
    TCase *t = tcase_create("carve");

    tcase_add_test(t, both_directions_of_a_flow_in_its_time_and_nothing_else);
    tcase_add_test(t, what_is_another_conversations_is_left_out_of_a_sum);
    tcase_add_test(t, later_fragments_and_errors_that_quote_it_go_with_a_packet);
    tcase_add_test(t, frames_are_whole_with_what_carried_them);
    tcase_add_test(t, nothing_is_left_where_nothing_was_found);
    suite_add_tcase(s, t);
    return s;
}
