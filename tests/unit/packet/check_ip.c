/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6: lengths, fragments, extension headers. */
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "build.h"
#include "flowaudit/packet.h"

/* Ethernet, IPv4 (at 14), UDP 1025 > 53 (at 34), four bytes of payload: 46 bytes. */
static struct frame udp4(struct build *b)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv4(b, "10.0.0.1", "10.0.0.2");
    build_udp(b, 1025, 53);
    build_text(b, "abcd");
    return build_frame(b);
}

/* Ethernet, IPv6 (at 14), UDP (at 54), four bytes: 66 bytes. */
static struct frame udp6(struct build *b, const char *src, const char *dst)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv6(b, src, dst);
    build_udp(b, 1025, 53);
    build_text(b, "abcd");
    return build_frame(b);
}

/* One byte changed, and what becomes of the packet. */
static const struct {
    const char        *what;
    int                is_ipv6;
    size_t             at;
    uint8_t            value;
    enum packet_result result;
} changes[] = {
    {"IPv4: version 5", 0, 14, 0x55, PACKET_BAD_IPV4},
    {"IPv4: header of 16 bytes", 0, 14, 0x44, PACKET_BAD_IPV4},
    {"IPv4: header longer than the packet", 0, 14, 0x4f, PACKET_BAD_IPV4},
    {"IPv4: total length under the header's", 0, 17, 19, PACKET_BAD_IPV4},
    {"IPv4: total length leaves no UDP header", 0, 17, 27, PACKET_BAD_UDP},
    {"IPv4: total length leaves less than UDP says", 0, 17, 31, PACKET_BAD_UDP},
    {"IPv4: IGMP", 0, 23, IPPROTO_IGMP, PACKET_IGMP},
    {"IPv4: OSPF", 0, 23, 89, PACKET_OTHER_L4},
    {"IPv4: SCTP", 0, 23, 132, PACKET_OTHER_L4},
    {"IPv4: ESP", 0, 23, IPPROTO_ESP, PACKET_ENCRYPTED},
    {"IPv4: ICMPv6", 0, 23, IPPROTO_ICMPV6, PACKET_OTHER_L4},
    {"IPv4: a number that is an extension header of IPv6", 0, 23, IPPROTO_DSTOPTS, PACKET_OTHER_L4},
    {"IPv4: later fragment", 0, 21, 1, PACKET_FRAGMENT},
    {"IPv6: version 4", 1, 14, 0x40, PACKET_BAD_IPV6},
    {"IPv6: payload length leaves no UDP header", 1, 19, 7, PACKET_BAD_UDP},
    {"IPv6: no next header", 1, 20, IPPROTO_NONE, PACKET_OTHER_L4},
    {"IPv6: ESP", 1, 20, IPPROTO_ESP, PACKET_ENCRYPTED},
    {"IPv6: ICMP of IPv4", 1, 20, IPPROTO_ICMP, PACKET_OTHER_L4},
    {"IPv6: IGMP", 1, 20, IPPROTO_IGMP, PACKET_OTHER_L4},
    {"IPv6: extension header longer than the packet", 1, 20, IPPROTO_DSTOPTS, PACKET_BAD_IPV6},
};

START_TEST(a_changed_byte_has_its_name)
{
    struct build  b;
    struct packet p;
    struct frame  f = changes[_i].is_ipv6 ? udp6(&b, "fd00::1", "fd00::2") : udp4(&b);

    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.payload_len, 4);
    ck_assert_uint_eq(p.payload_wire_len, 4);
    ck_assert_mem_eq(p.payload, "abcd", 4);
    b.data[changes[_i].at] = changes[_i].value;
    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == changes[_i].result, "%s: %s", changes[_i].what, packet_result_name(r));
}
END_TEST

START_TEST(a_total_length_of_zero_means_the_frames)
{
    struct build  b;
    struct packet p;
    struct frame  f = udp4(&b);

    b.data[16] = b.data[17] = 0;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.l3_wire_len, 32);
    ck_assert_uint_eq(p.payload_len, 4);

    f = udp6(&b, "fd00::1", "fd00::2");
    b.data[18] = b.data[19] = 0;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.l3_wire_len, 52);
    ck_assert_uint_eq(p.payload_len, 4);
}
END_TEST

/* A sliced mirror: the frame's own length is the slice's. */
START_TEST(a_packet_longer_than_its_frame_is_cut_and_not_malformed)
{
    struct build  b;
    struct packet p;
    struct frame  f = udp4(&b);

    f.caplen = f.wirelen = 44;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_CUT);
    ck_assert_uint_eq(p.l3_len, 30);
    ck_assert_uint_eq(p.l3_wire_len, 32);
    ck_assert_uint_eq(p.payload_len, 2);
    ck_assert_uint_eq(p.payload_wire_len, 4);
}
END_TEST

START_TEST(what_the_snap_length_cut_is_not_called_malformed)
{
    struct build  b;
    struct packet p;
    struct frame  f = _i ? udp6(&b, "fd00::1", "fd00::2") : udp4(&b);
    uint32_t      ports_end = _i ? 58 : 38;

    for (f.caplen = 1; f.caplen < f.wirelen; f.caplen++) {
        enum packet_result r = packet_decode(&f, &p);
        ck_assert_msg(r == (f.caplen < ports_end ? PACKET_CUT_HEADER : PACKET_OK), "%u bytes: %s", f.caplen,
                      packet_result_name(r));
        if (r == PACKET_OK)
            ck_assert_uint_eq(p.flags & PACKET_CUT, PACKET_CUT);
    }
}
END_TEST

/* The length on the wire is a number of the capture's, of 32 bits: added to an offset it may come round to a small one. */
START_TEST(a_fragment_that_claims_gigabytes_is_malformed)
{
    struct build  b;
    struct packet p;
    struct frame  f = udp4(&b);

    b.data[16] = b.data[17] = 0; /* the frame's length holds */
    b.data[20] = 0x1f;
    b.data[21] = 0xff; /* offset 65528 */
    f.wirelen = UINT32_MAX - (uint32_t)_i;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_IPV4);
    b.data[20] |= 0x20;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_IPV4);
}
END_TEST

START_TEST(ipv4_options_are_passed_over)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_bytes(&b, (const uint8_t[]){0x94, 4, 0, 0}, 4); /* router alert */
    build_udp(&b, 1025, 53);
    struct frame f = build_frame(&b);
    b.data[14] = 0x46;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.sport, 1025);
    ck_assert_uint_eq(p.dport, 53);
    f.caplen = 36;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_CUT_HEADER);
}
END_TEST

static const struct {
    const char *dst;
    unsigned    flags;
} destinations[] = {
    {"10.0.0.2", 0},
    {"223.255.255.255", 0},
    {"224.0.0.1", PACKET_GROUP},
    {"239.255.255.255", PACKET_GROUP},
    {"240.0.0.0", 0},
    {"240.0.0.1", 0},
    {"255.255.255.254", 0},
    {"255.255.255.255", PACKET_GROUP},
    {"127.255.255.255", PACKET_GROUP},
    {"127.255.255.254", 0},
    {"128.0.0.0", 0},
    {"10.255.255.255", 0}, /* a subnet's broadcast address is not known from itself */
    {"ff02::fb", PACKET_GROUP | PACKET_IS_IPV6},
    {"fe80::1", PACKET_IS_IPV6},
};

START_TEST(group_destinations_are_marked)
{
    struct build  b;
    struct packet p;

    if (strchr(destinations[_i].dst, ':') != NULL) {
        udp6(&b, "fe80::2", destinations[_i].dst);
    } else {
        build_begin(&b);
        build_ethernet(&b);
        build_ipv4(&b, "10.0.0.1", destinations[_i].dst);
        build_udp(&b, 1025, 53);
    }
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, destinations[_i].flags);
}
END_TEST

START_TEST(mapped_addresses_are_refused)
{
    struct build  b;
    struct packet p;
    struct frame  f = udp6(&b, "::ffff:10.0.0.1", "fd00::2");

    ck_assert_int_eq(packet_decode(&f, &p), PACKET_MAPPED);
    f = udp6(&b, "fd00::1", "::ffff:10.0.0.2");
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_MAPPED);
    f = udp6(&b, "::10.0.0.1", "fd00::2"); /* the older compatible form is an address like others */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
}
END_TEST

START_TEST(ipv4_fragments_carry_what_joins_them)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4_fragment(&b, "10.0.0.1", "10.0.0.2", 0x1234, 0, 1);
    build_udp(&b, 1025, 53);
    build_text(&b, "12345678");
    struct frame f = build_frame(&b);
    b.data[14 + 20 + 5] = 100; /* the whole datagram's length, most of it in later fragments */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_FIRST_FRAGMENT);
    ck_assert_uint_eq(p.fragment_id, 0x1234);
    ck_assert_uint_eq(p.ip_id, 0x1234);
    ck_assert(p.fragment_more);
    ck_assert_uint_eq(p.payload_len, 8);
    ck_assert_uint_eq(p.payload_wire_len, 8);

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4_fragment(&b, "10.0.0.1", "10.0.0.2", 0x1234, 16, 0);
    build_protocol(&b, IPPROTO_UDP);
    build_text(&b, "rest");
    f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_FRAGMENT);
    ck_assert_uint_eq(p.fragment_id, 0x1234);
    ck_assert_uint_eq(p.fragment_offset, 16);
    ck_assert(!p.fragment_more);
    ck_assert_uint_eq(p.transport, IPPROTO_UDP);
    ck_assert_mem_eq(p.payload, "rest", 4);
    ck_assert_uint_eq(p.payload_len, 4);

    b.data[23] = IPPROTO_ICMP; /* needs no first fragment to be named */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP);
    b.data[23] = IPPROTO_UDP;
    b.data[20] = b.data[21] = 0xff; /* offset 65,528 and four bytes ... */
    b.data[20] = 0x1f;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_FRAGMENT);
    b.data[17] = 28; /* ... and eight */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_IPV4);
}
END_TEST

/* The header after its next-header byte: reserved, offset and more, id. */
static void build_fragment6(struct build *b, uint16_t offset_more, uint8_t id)
{
    build_extension(b, IPPROTO_FRAGMENT,
                    (const uint8_t[7]){0, (uint8_t)(offset_more >> 8), (uint8_t)offset_more, 0xab, 0, 0, id}, 7);
}

START_TEST(ipv6_fragments_carry_what_joins_them)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv6(&b, "fd00::1", "fd00::2");
    build_fragment6(&b, 1, 7);
    build_udp(&b, 1025, 53);
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_FIRST_FRAGMENT | PACKET_IS_IPV6);
    ck_assert_uint_eq(p.fragment_id, 0xab000007);
    ck_assert_uint_eq(p.ip_id, 7);

    b.data[14 + 40 + 3] = 8 | 1; /* offset 8, more */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_FRAGMENT);
    ck_assert_uint_eq(p.fragment_offset, 8);
    ck_assert_uint_eq(p.transport, IPPROTO_UDP);

    b.data[14 + 40 + 3] = 0; /* atomic: a whole packet */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, PACKET_IS_IPV6);
    ck_assert_uint_eq(p.dport, 53);
}
END_TEST

START_TEST(extension_headers_are_passed_over_in_any_order)
{
    static const uint8_t body[7] = {0, 1, 4, 0, 0, 0, 0}; /* length 0 (8 bytes), PadN */
    static const uint8_t long_body[15] = {1, 1, 12};
    static const uint8_t ah[23] = {4}; /* (4 + 2) * 4 bytes */
    struct build         b;
    struct packet        p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv6(&b, "fd00::1", "fd00::2");
    build_extension(&b, IPPROTO_HOPOPTS, body, sizeof(body));
    build_extension(&b, IPPROTO_DSTOPTS, long_body, sizeof(long_body));
    build_extension(&b, IPPROTO_ROUTING, body, sizeof(body));
    build_extension(&b, IPPROTO_AH, ah, sizeof(ah));
    build_extension(&b, 135 /* mobility */, body, sizeof(body));
    build_udp(&b, 1025, 53);
    build_text(&b, "x");
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.transport, IPPROTO_UDP);
    ck_assert_uint_eq(p.sport, 1025);
    ck_assert_uint_eq(p.payload_len, 1);

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_extension(&b, IPPROTO_AH, ah, sizeof(ah));
    build_udp(&b, 1025, 53);
    f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.sport, 1025);
    f.caplen = f.wirelen = 14 + 20 + 10; /* as above, the frame cuts it; the IP length does not */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_CUT_HEADER);
}
END_TEST

static enum packet_result decode_extensions(unsigned n)
{
    uint8_t       data[14 + 40 + 8 * (PACKET_MAX_EXT_HEADERS + 1) + 8] = {0};
    struct packet p;
    struct build  b;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv6(&b, "fd00::1", "fd00::2");
    build_frame(&b);
    memcpy(data, b.data, b.len);
    size_t payload_len = 8 * n + 8;
    data[18] = (uint8_t)(payload_len >> 8);
    data[19] = (uint8_t)payload_len;
    data[20] = IPPROTO_DSTOPTS;
    for (unsigned i = 0; i < n; i++)
        data[54 + 8 * i] = i + 1 == n ? IPPROTO_UDP : IPPROTO_DSTOPTS;
    data[54 + 8 * n + 5] = 8; /* UDP length */
    struct frame f = {.data = data, .caplen = (uint32_t)(54 + payload_len), .linktype = 1};
    f.wirelen = f.caplen;
    return packet_decode(&f, &p);
}

START_TEST(extension_headers_have_a_bound)
{
    ck_assert_int_eq(decode_extensions(PACKET_MAX_EXT_HEADERS), PACKET_OK);
    ck_assert_int_eq(decode_extensions(PACKET_MAX_EXT_HEADERS + 1), PACKET_TOO_DEEP);
}
END_TEST

/* Hop-by-hop with the jumbo option: next header, length 0, 0xc2, 4, 32 bits of length. */
START_TEST(a_jumbo_payload_has_its_length_from_the_option)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv6(&b, "fd00::1", "fd00::2");
    build_extension(&b, IPPROTO_HOPOPTS, (const uint8_t[7]){0, 0xc2, 4, 0, 1, 0x11, 0x70}, 7);
    build_udp(&b, 1025, 53);
    struct frame f = build_frame(&b);
    b.data[18] = b.data[19] = 0;
    b.data[14 + 40 + 8 + 4] = b.data[14 + 40 + 8 + 5] = 0; /* UDP length 0 */
    f.wirelen = 14 + 40 + 70000;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.l3_wire_len, 70040);
    ck_assert_uint_eq(p.payload_wire_len, 70000 - 8 - 8);
    ck_assert_uint_eq(p.flags, PACKET_IS_IPV6 | PACKET_CUT);

    b.data[14 + 40 + 5] = 0; /* a jumbo length that needs no jumbogram */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_BAD_IPV6);
}
END_TEST

Suite *suite_packet_ip(void);
Suite *suite_packet_ip(void)
{
    Suite *s = suite_create("packet: IP");
    TCase *t = tcase_create("ip");

    tcase_add_loop_test(t, a_changed_byte_has_its_name, 0, sizeof(changes) / sizeof(changes[0]));
    tcase_add_test(t, a_total_length_of_zero_means_the_frames);
    tcase_add_test(t, a_packet_longer_than_its_frame_is_cut_and_not_malformed);
    tcase_add_loop_test(t, what_the_snap_length_cut_is_not_called_malformed, 0, 2);
    tcase_add_test(t, ipv4_options_are_passed_over);
    tcase_add_loop_test(t, group_destinations_are_marked, 0, sizeof(destinations) / sizeof(destinations[0]));
    tcase_add_test(t, mapped_addresses_are_refused);
    tcase_add_test(t, ipv4_fragments_carry_what_joins_them);
    tcase_add_test(t, ipv6_fragments_carry_what_joins_them);
    tcase_add_test(t, extension_headers_are_passed_over_in_any_order);
    tcase_add_loop_test(t, a_fragment_that_claims_gigabytes_is_malformed, 0, 2);
    tcase_add_test(t, extension_headers_have_a_bound);
    tcase_add_test(t, a_jumbo_payload_has_its_length_from_the_option);
    suite_add_tcase(s, t);
    return s;
}
