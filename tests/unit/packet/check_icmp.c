/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors and what they quote. */
#include <check.h>
#include <netinet/in.h>

#include "build.h"
#include "flowaudit/packet.h"

enum { QUOTE4 = 14 + 20 + 8, QUOTE6 = 14 + 40 + 8 };

/* 10.0.0.9 tells 10.0.0.1 of its packet 10.0.0.1:1025 > 10.0.0.2:389. */
static struct frame error4(struct build *b, uint8_t type, uint8_t code, int is_tcp)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv4(b, "10.0.0.9", "10.0.0.1");
    build_icmp(b, type, code);
    b->type_size = 0;
    build_ipv4(b, "10.0.0.1", "10.0.0.2");
    if (is_tcp)
        build_tcp(b, 1025, 389, TCP_SYN, 0x01020304);
    else
        build_udp(b, 1025, 389);
    return build_frame(b);
}

static const struct {
    uint8_t            type, code;
    enum packet_result result;
} types4[] = {
    {3, 1, PACKET_ICMP_ERROR},  {3, 3, PACKET_ICMP_ERROR}, {3, 13, PACKET_ICMP_ERROR}, {4, 0, PACKET_ICMP_ERROR},
    {5, 1, PACKET_ICMP_ERROR},  {11, 0, PACKET_ICMP_ERROR}, {12, 0, PACKET_ICMP_ERROR}, {8, 0, PACKET_ICMP},
    {0, 0, PACKET_ICMP},        {13, 0, PACKET_ICMP},
};

START_TEST(errors_are_told_from_other_messages)
{
    struct build  b;
    struct packet p;
    struct frame  f = error4(&b, types4[_i].type, types4[_i].code, 1);

    ck_assert_int_eq(packet_decode(&f, &p), types4[_i].result);
    if (types4[_i].result != PACKET_ICMP_ERROR)
        return;
    char text[ADDR_TEXT_SIZE];
    ck_assert_str_eq(addr_text(&p.src, text), "10.0.0.9");
    ck_assert_str_eq(addr_text(&p.quote.src, text), "10.0.0.1");
    ck_assert_str_eq(addr_text(&p.quote.dst, text), "10.0.0.2");
    ck_assert_uint_eq(p.quote.sport, 1025);
    ck_assert_uint_eq(p.quote.dport, 389);
    ck_assert_uint_eq(p.quote.transport, IPPROTO_TCP);
    ck_assert_uint_eq(p.quote.type, types4[_i].type);
    ck_assert_uint_eq(p.quote.code, types4[_i].code);
    ck_assert(p.quote.has_seq);
    ck_assert_uint_eq(p.quote.tcp_seq, 0x01020304);
    ck_assert_uint_eq(p.sport, 0);
}
END_TEST

/* How much of the quote is there: on the wire (a router may quote little), and captured. */
static const struct {
    uint32_t           quoted;
    enum packet_result on_wire, captured;
    int                has_seq;
} quotes[] = {
    {0, PACKET_BAD_ICMP, PACKET_CUT_HEADER, 0},   {19, PACKET_BAD_ICMP, PACKET_CUT_HEADER, 0},
    {23, PACKET_BAD_ICMP, PACKET_CUT_HEADER, 0},  {24, PACKET_ICMP_ERROR, PACKET_ICMP_ERROR, 0},
    {27, PACKET_ICMP_ERROR, PACKET_ICMP_ERROR, 0}, {28, PACKET_ICMP_ERROR, PACKET_ICMP_ERROR, 1},
};

START_TEST(a_short_quote_is_malformed_and_a_cut_one_is_not)
{
    struct build  b;
    struct packet p;
    struct frame  f = error4(&b, 3, 1, 1);

    f.caplen = QUOTE4 + quotes[_i].quoted;
    ck_assert_int_eq(packet_decode(&f, &p), quotes[_i].captured);
    if (quotes[_i].captured == PACKET_ICMP_ERROR)
        ck_assert_int_eq(p.quote.has_seq, quotes[_i].has_seq);
    b.data[14 + 3] = (uint8_t)(20 + 8 + quotes[_i].quoted);
    ck_assert_int_eq(packet_decode(&f, &p), quotes[_i].on_wire);
}
END_TEST

static const struct {
    const char        *what;
    size_t             at; /* in the quote */
    uint8_t            value;
    enum packet_result result;
} changes[] = {
    {"quotes ICMP", 9, IPPROTO_ICMP, PACKET_ICMP},
    {"quotes ESP", 9, IPPROTO_ESP, PACKET_ICMP},
    {"quotes a tunnel", 9, IPPROTO_IPIP, PACKET_ICMP},
    {"quotes a later fragment", 7, 1, PACKET_ICMP},
    {"quotes a first fragment", 6, 0x20, PACKET_ICMP_ERROR},
    {"quotes IP version 6", 0, 0x65, PACKET_BAD_ICMP},
    {"quotes a header of 16 bytes", 0, 0x44, PACKET_BAD_ICMP},
    {"quotes a wrong total length", 2, 0xff, PACKET_ICMP_ERROR},
    {"quotes UDP", 9, IPPROTO_UDP, PACKET_ICMP_ERROR},
};

START_TEST(only_ports_of_tcp_and_udp_are_of_interest)
{
    struct build  b;
    struct packet p;
    struct frame  f = error4(&b, 3, 1, 1);

    b.data[QUOTE4 + changes[_i].at] = changes[_i].value;
    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == changes[_i].result, "%s: %s", changes[_i].what, packet_result_name(r));
}
END_TEST

START_TEST(udp_has_no_sequence_number)
{
    struct build  b;
    struct packet p;
    struct frame  f = error4(&b, 3, 3, 0);

    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP_ERROR);
    ck_assert_uint_eq(p.quote.transport, IPPROTO_UDP);
    ck_assert(!p.quote.has_seq);
    f.caplen = 14 + 20 + 7;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_CUT_HEADER);
    b.data[14 + 20] = 8; /* of an echo the type is enough */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP);
    b.data[14 + 20] = 3;
    b.data[14 + 3] = 20 + 7;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_ICMP);
}
END_TEST

/* An ICMPv6 error whose quote has a hop-by-hop header before UDP. */
static struct frame error6(struct build *b, uint8_t type, const char *quoted_src)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv6(b, "fd00::9", "fd00::1");
    build_icmp(b, type, 4);
    b->type_size = 0;
    build_ipv6(b, quoted_src, "fd00::2");
    build_extension(b, IPPROTO_HOPOPTS, (const uint8_t[7]){0, 1, 4}, 7);
    build_udp(b, 1025, 53);
    return build_frame(b);
}

START_TEST(icmpv6_errors_are_read_through_extension_headers)
{
    struct build  b;
    struct packet p;

    for (uint8_t type = 1; type <= 4; type++) {
        struct frame f = error6(&b, type, "fd00::1");
        ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP_ERROR);
        ck_assert_uint_eq(p.quote.type, type);
        ck_assert_uint_eq(p.quote.sport, 1025);
        ck_assert_uint_eq(p.quote.dport, 53);
        ck_assert_uint_eq(p.quote.transport, IPPROTO_UDP);
        ck_assert_uint_eq(p.flags, PACKET_IS_IPV6);
    }
    struct frame f = error6(&b, 128, "fd00::1");
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP);
    f = error6(&b, 1, "::ffff:10.0.0.1"); /* would be taken for an IPv4 flow */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_MAPPED);
    f = error6(&b, 1, "fd00::1");
    b.data[QUOTE6 + 41] = 200; /* an extension header that runs out of the quote */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_ICMP);
    f = error6(&b, 1, "fd00::1");
    b.data[QUOTE6 + 6] = IPPROTO_FRAGMENT;
    b.data[QUOTE6 + 43] = 8;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP);
}
END_TEST

Suite *suite_packet_icmp(void);
Suite *suite_packet_icmp(void)
{
    Suite *s = suite_create("packet: ICMP");
    TCase *t = tcase_create("icmp");

    tcase_add_loop_test(t, errors_are_told_from_other_messages, 0, sizeof(types4) / sizeof(types4[0]));
    tcase_add_loop_test(t, a_short_quote_is_malformed_and_a_cut_one_is_not, 0, sizeof(quotes) / sizeof(quotes[0]));
    tcase_add_loop_test(t, only_ports_of_tcp_and_udp_are_of_interest, 0, sizeof(changes) / sizeof(changes[0]));
    tcase_add_test(t, udp_has_no_sequence_number);
    tcase_add_test(t, icmpv6_errors_are_read_through_extension_headers);
    suite_add_tcase(s, t);
    return s;
}
