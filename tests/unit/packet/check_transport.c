/* SPDX-License-Identifier: Apache-2.0 */
/* TCP and UDP headers, whole, short and contradictory. */
#include <check.h>
#include <netinet/in.h>

#include "build.h"
#include "flowaudit/packet.h"

enum { L4 = 14 + 20 }; /* where the transport header lies here */

static struct frame tcp(struct build *b, int is_fragment)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv4_fragment(b, "10.0.0.1", "10.0.0.2", 1, 0, is_fragment);
    build_tcp(b, 1025, 389, TCP_SYN | TCP_ECE, 0x01020304);
    build_bytes(b, (const uint8_t[]){2, 4, 5, 0xb4}, 4); /* maximum segment size */
    build_text(b, "hello");
    struct frame f = build_frame(b);
    b->data[L4 + 12] = 6 << 4;
    b->data[L4 + 11] = 9; /* acknowledgement */
    return f;
}

START_TEST(tcp_fields_are_read)
{
    struct build  b;
    struct packet p;
    struct frame  f = tcp(&b, 0);

    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.transport, IPPROTO_TCP);
    ck_assert_uint_eq(p.tcp_seq, 0x01020304);
    ck_assert_uint_eq(p.tcp_ack, 9);
    ck_assert_uint_eq(p.tcp_flags, TCP_SYN | TCP_ECE);
    ck_assert_uint_eq(p.tcp_window, 8192);
    ck_assert_uint_eq(p.payload_len, 5);
    ck_assert_mem_eq(p.payload, "hello", 5);
    ck_assert_ptr_eq(p.l3, b.data + 14);
    ck_assert_uint_eq(p.content, (uint32_t)b.data[L4 + 16] << 8 | b.data[L4 + 17]);
    ck_assert_uint_ne(p.content, 0);
}
END_TEST

static uint32_t content_of(uint16_t checksum, const uint8_t *payload, size_t n, size_t n_captured)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_udp(&b, 1025, 5004);
    build_bytes(&b, payload, n);
    struct frame f = build_frame(&b);
    b.data[L4 + 6] = (uint8_t)(checksum >> 8);
    b.data[L4 + 7] = (uint8_t)checksum;
    f.caplen = (uint32_t)(L4 + 8 + n_captured);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    return p.content;
}

static void both_ways_decode(const struct frame *f)
{
    struct packet      direct, general;
    enum packet_result result = packet_decode(f, &direct);

    if ((direct.encap & (ENCAP_VXLAN | ENCAP_GENEVE)) != 0) /* those are what the general one differs for */
        return;
    ck_assert_int_eq(packet_decode_carrier(f, &general), result);
    general.is_carrier = false;
    ck_assert_mem_eq(&direct, &general, offsetof(struct packet, quote));
}

/* Whatever byte of the headers differs, wherever the frame was cut. */
START_TEST(frames_decode_the_same_the_direct_way_and_the_general_one)
{
    static const uint8_t values[] = {0, 1, 4, 5, 6, 7, 17, 20, 24, 28, 0x45, 0x46, 0x7f, 0x80, 0x89, 0xe0, 0xef, 0xf0, 0xff};
    struct build         b;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", _i == 2 ? "127.255.255.255" : "10.0.0.255");
    if (_i == 0)
        build_tcp(&b, 1025, 389, TCP_ACK, 0x01020304);
    else
        build_udp(&b, 1025, 53);
    build_text(&b, "help, as a payload that to port 137 is a broadcast");
    struct frame f = build_frame(&b);
    uint32_t     n = f.caplen;

    for (f.caplen = 1; f.caplen <= n; f.caplen++) {
        both_ways_decode(&f);
        for (size_t at = 0; at < L4 + 20; at++) {
            uint8_t was = b.data[at];

            for (size_t i = 0; i < sizeof(values); i++) {
                b.data[at] = values[i];
                both_ways_decode(&f);
            }
            b.data[at] = was;
        }
    }
}
END_TEST

START_TEST(content_without_a_checksum_is_told_apart_by_some_of_its_bytes)
{
    uint8_t  payload[40] = {0x80, 0, 0, 1};
    uint32_t whole = content_of(0, payload, 40, 40), cut = content_of(0, payload, 40, 18), shorter = content_of(0, payload, 6, 6);

    ck_assert_uint_eq(content_of(0x1234, payload, 40, 40), 0x1234);
    ck_assert_uint_eq(content_of(0, payload, 40, 40), whole);
    ck_assert_uint_eq(content_of(0, payload, 40, 14), cut); /* a copy with one more tag */
    ck_assert_uint_eq(content_of(0, payload, 40, 7), 0);
    payload[39] = 1;
    ck_assert_uint_ne(content_of(0, payload, 40, 40), whole);
    payload[39] = 0;
    payload[12] = 1;
    ck_assert_uint_ne(content_of(0, payload, 40, 40), whole);
    ck_assert_uint_eq(content_of(0, payload, 40, 18), cut);
    payload[12] = 0;
    payload[3] = 2; /* the sequence number of RTP */
    ck_assert_uint_ne(content_of(0, payload, 40, 40), whole);
    ck_assert_uint_ne(content_of(0, payload, 40, 18), cut);
    ck_assert_uint_ne(content_of(0, payload, 6, 6), shorter);
}
END_TEST

/* Broadcasts of a subnet, without a link layer that tells. */
static const struct {
    const char *dst;
    uint16_t    dport;
    uint8_t     first[4];
    bool        group;
} datagrams[] = {
    {"127.255.255.255", 9, {0}, true},
    {"127.0.0.255", 9, {0}, false},
    {"10.0.0.255", 137, {0, 1, 0x01, 0x10}, true},  /* a query with B */
    {"10.0.0.255", 137, {0, 1, 0x01, 0x00}, false}, /* to one host, which may have that address */
    {"10.0.0.255", 137, {0, 1, 0x85, 0x10}, false}, /* an answer */
    {"10.0.0.7", 137, {0, 1, 0x00, 0x10}, false},   /* scanners set B */
    {"10.0.0.255", 138, {0x11}, true},
    {"10.0.0.255", 138, {0x12}, true},
    {"10.0.0.255", 138, {0x10}, false},
    {"10.0.0.255", 139, {0, 1, 0x01, 0x10}, false},
};

START_TEST(subnet_broadcasts_are_known_where_something_tells)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", datagrams[_i].dst);
    build_udp(&b, 1025, datagrams[_i].dport);
    build_bytes(&b, datagrams[_i].first, 4);
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_int_eq((p.flags & PACKET_GROUP) != 0, datagrams[_i].group);
}
END_TEST

/* Captured bytes of the TCP header: what is known from them. */
static const struct {
    uint32_t n;
    uint32_t seq, ack;
    uint8_t  flags;
    uint16_t window;
    int      flags_cut;
    uint32_t payload_wire_len;
} cuts[] = {
    {4, 0, 0, 0, 0, 1, 0},
    {6, 0, 0, 0, 0, 1, 0},
    {8, 0x01020304, 0, 0, 0, 1, 0},
    {12, 0x01020304, 9, 0, 0, 1, 0},
    {13, 0x01020304, 9, 0, 0, 1, 5},
    {14, 0x01020304, 9, TCP_SYN | TCP_ECE, 0, 0, 5},
    {16, 0x01020304, 9, TCP_SYN | TCP_ECE, 8192, 0, 5},
    {20, 0x01020304, 9, TCP_SYN | TCP_ECE, 8192, 0, 5},
    {23, 0x01020304, 9, TCP_SYN | TCP_ECE, 8192, 0, 5},
    {24, 0x01020304, 9, TCP_SYN | TCP_ECE, 8192, 0, 5},
};

START_TEST(a_cut_tcp_header_gives_what_it_has)
{
    struct build  b;
    struct packet p;
    struct frame  f = tcp(&b, 0);

    f.caplen = L4 + cuts[_i].n;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.sport, 1025);
    ck_assert_uint_eq(p.dport, 389);
    ck_assert_uint_eq(p.tcp_seq, cuts[_i].seq);
    ck_assert_uint_eq(p.tcp_ack, cuts[_i].ack);
    ck_assert_uint_eq(p.tcp_flags, cuts[_i].flags);
    ck_assert_uint_eq(p.tcp_window, cuts[_i].window);
    ck_assert_uint_eq(p.flags, PACKET_CUT | (cuts[_i].flags_cut ? PACKET_FLAGS_CUT : 0));
    ck_assert_uint_eq(p.payload_len, 0);
    ck_assert_uint_eq(p.payload_wire_len, cuts[_i].payload_wire_len);
}
END_TEST

/* A first fragment as short as IP allows: ports and sequence number. */
START_TEST(a_tiny_first_fragment_has_its_ports)
{
    struct build  b;
    struct packet p;
    struct frame  f = tcp(&b, 1);

    b.data[14 + 3] = 28;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_FIRST_FRAGMENT | PACKET_FLAGS_CUT);
    ck_assert_uint_eq(p.dport, 389);
    ck_assert_uint_eq(p.payload_len, 0);

    b.data[14 + 3] = 20 + 24; /* the options end where the fragment does */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_FIRST_FRAGMENT);
    b.data[L4 + 12] = 15 << 4; /* the options go on in the next fragment */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.payload_len, 0);
    ck_assert_uint_eq(p.payload_wire_len, 0);

    b.data[14 + 3] = 22; /* not even the ports */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_TCP);
}
END_TEST

static const struct {
    const char        *what;
    uint8_t            total_len, offset;
    enum packet_result result;
} tcp_lengths[] = {
    {"no options", 49, 5, PACKET_OK},
    {"offset 4", 49, 4, PACKET_BAD_TCP},
    {"offset 0", 49, 0, PACKET_BAD_TCP},
    {"all of it options", 48, 7, PACKET_OK},
    {"options longer than the packet", 47, 7, PACKET_BAD_TCP},
    {"header longer than the packet", 39, 5, PACKET_BAD_TCP},
    {"nothing but IP", 20, 5, PACKET_BAD_TCP},
};

START_TEST(tcp_lengths_must_agree)
{
    struct build  b;
    struct packet p;
    struct frame  f = tcp(&b, 0);

    b.data[14 + 3] = tcp_lengths[_i].total_len;
    b.data[L4 + 12] = (uint8_t)(tcp_lengths[_i].offset << 4);
    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == tcp_lengths[_i].result, "%s: %s", tcp_lengths[_i].what, packet_result_name(r));
}
END_TEST

/* Fourteen bytes of UDP in the IP packet, four bytes of trailer behind it. */
static const struct {
    uint16_t           udp_len;
    enum packet_result result;
    uint32_t           payload_len;
} udp_lengths[] = {
    {14, PACKET_OK, 6}, {13, PACKET_OK, 5},      {8, PACKET_OK, 0},       {7, PACKET_BAD_UDP, 0},
    {0, PACKET_BAD_UDP, 0}, {15, PACKET_BAD_UDP, 0}, {65535, PACKET_BAD_UDP, 0},
};

START_TEST(udp_lengths_must_agree)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.1"); /* the same host on both ends is nothing special */
    build_udp(&b, 53, 53);
    build_text(&b, "abcdef");
    struct frame f = build_frame(&b);
    f.caplen = f.wirelen = (uint32_t)b.len + 4;
    b.data[L4 + 4] = (uint8_t)(udp_lengths[_i].udp_len >> 8);
    b.data[L4 + 5] = (uint8_t)udp_lengths[_i].udp_len;
    ck_assert_int_eq(packet_decode(&f, &p), udp_lengths[_i].result);
    if (udp_lengths[_i].result != PACKET_OK)
        return;
    ck_assert_uint_eq(p.payload_len, udp_lengths[_i].payload_len);
    ck_assert_uint_eq(p.payload_wire_len, udp_lengths[_i].payload_len);
    ck_assert_mem_eq(&p.src, &p.dst, sizeof(p.src));
}
END_TEST

/* As an offloading interface shows it: one frame, longer than any IP length can say. */
START_TEST(a_frame_longer_than_64_kib_is_one_packet)
{
    struct build  b;
    struct packet p;
    struct frame  f = tcp(&b, 0);

    b.data[16] = b.data[17] = 0;
    f.wirelen = L4 + 24 + 80000;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.payload_len, 5);
    ck_assert_uint_eq(p.payload_wire_len, 80000);
    ck_assert_uint_eq(p.wire_len, L4 + 24 + 80000);
    ck_assert_uint_eq(p.flags, PACKET_CUT);
}
END_TEST

/* The helper itself: the sums over what it built are what RFC 1071 says of a correct packet. */
START_TEST(built_packets_have_right_checksums)
{
    struct build b;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_udp(&b, 1025, 53);
    build_text(&b, "abc");
    struct frame f = build_frame(&b);
    ck_assert_uint_eq(f.caplen, 14 + 20 + 8 + 3);
    uint32_t ip = 0, udp = IPPROTO_UDP + 11;
    for (unsigned i = 14; i < 34; i += 2)
        ip += (uint32_t)(b.data[i] << 8 | b.data[i + 1]);
    for (unsigned i = 26; i < 46; i += 2)
        udp += (uint32_t)(b.data[i] << 8 | b.data[i + 1]);
    ck_assert_uint_eq((ip & 0xffff) + (ip >> 16), 0xffff);
    ck_assert_uint_eq((udp & 0xffff) + (udp >> 16), 0xffff);
}
END_TEST

Suite *suite_packet_transport(void);
Suite *suite_packet_transport(void)
{
    Suite *s = suite_create("packet: TCP and UDP");
    TCase *t = tcase_create("transport");

    tcase_add_test(t, tcp_fields_are_read);
    tcase_add_loop_test(t, frames_decode_the_same_the_direct_way_and_the_general_one, 0, 3);
    tcase_add_loop_test(t, a_cut_tcp_header_gives_what_it_has, 0, sizeof(cuts) / sizeof(cuts[0]));
    tcase_add_test(t, a_tiny_first_fragment_has_its_ports);
    tcase_add_loop_test(t, tcp_lengths_must_agree, 0, sizeof(tcp_lengths) / sizeof(tcp_lengths[0]));
    tcase_add_loop_test(t, udp_lengths_must_agree, 0, sizeof(udp_lengths) / sizeof(udp_lengths[0]));
    tcase_add_test(t, a_frame_longer_than_64_kib_is_one_packet);
    tcase_add_test(t, built_packets_have_right_checksums);
    tcase_add_loop_test(t, subnet_broadcasts_are_known_where_something_tells, 0, (int)(sizeof(datagrams) / sizeof(*datagrams)));
    tcase_add_test(t, content_without_a_checksum_is_told_apart_by_some_of_its_bytes);
    suite_add_tcase(s, t);
    return s;
}
