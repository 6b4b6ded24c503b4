/* SPDX-License-Identifier: Apache-2.0 */
/* Link types, and what stands between them and IP. */
#include <check.h>
#include <string.h>

#include "build.h"
#include "flowaudit/packet.h"

/* 10.0.0.1:1025 > 10.0.0.2:389, SYN */
#define IPV4_TCP                                                                                                       \
    0x45, 0, 0, 40, /* version and header length, TOS, total length */                                                 \
        0, 9, 0x40, 0, /* id, don't fragment */                                                                        \
        64, 6, 0, 0, /* TTL, TCP, checksum (not looked at) */                                                          \
        10, 0, 0, 1, 10, 0, 0, 2,                                                                                      \
        0x04, 0x01, 0x01, 0x85, 0, 0, 0, 1, 0, 0, 0, 0, /* ports, sequence, acknowledgement */                         \
        0x50, 0x02, 0x20, 0, 0, 0, 0, 0 /* offset, SYN, window, checksum, urgent */

/* fd00::1:1025 > fd00::2:389, SYN */
#define IPV6_TCP                                                                                                       \
    0x60, 0, 0, 0, 0, 20, 6, 64, /* version, payload length, TCP, hop limit */                                         \
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,                                                             \
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,                                                             \
        0x04, 0x01, 0x01, 0x85, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0x20, 0, 0, 0, 0, 0

#define MACS 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 /* destination, source */
#define BYTES(...) .data = (const uint8_t[]){__VA_ARGS__}, .size = sizeof((const uint8_t[]){__VA_ARGS__})

static const struct {
    const char        *what;
    uint16_t           linktype;
    enum packet_result result;
    uint16_t           encap, vlan, flags;
    const uint8_t     *data;
    size_t             size;
} frames[] = {
    {"Ethernet", 1, PACKET_OK, 0, 0, 0, BYTES(MACS, 8, 0, IPV4_TCP)},
    {"Ethernet, IPv6", 1, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(MACS, 0x86, 0xdd, IPV6_TCP)},
    {"multicast destination", 1, PACKET_OK, 0, 0, PACKET_LINK_GROUP,
     BYTES(1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1, 8, 0, IPV4_TCP)},
    {"broadcast destination", 1, PACKET_OK, 0, 0, PACKET_LINK_GROUP | PACKET_LINK_BROADCAST,
     BYTES(255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0, IPV4_TCP)},
    {"802.1Q, VLAN 5", 1, PACKET_OK, ENCAP_VLAN, 5, 0, BYTES(MACS, 0x81, 0, 0x60, 5, 8, 0, IPV4_TCP)},
    {"802.1Q, priority only", 1, PACKET_OK, ENCAP_VLAN, 0, 0, BYTES(MACS, 0x81, 0, 0xe0, 0, 8, 0, IPV4_TCP)},
    {"802.1ad, 7 outside 6", 1, PACKET_OK, ENCAP_VLAN | ENCAP_QINQ, 6, 0,
     BYTES(MACS, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 6, 8, 0, IPV4_TCP)},
    {"0x9100 and 0x9200", 1, PACKET_OK, ENCAP_VLAN | ENCAP_QINQ, 6, 0,
     BYTES(MACS, 0x91, 0, 0, 7, 0x92, 0, 0, 6, 8, 0, IPV4_TCP)},
    {"a tag cut off", 1, PACKET_BAD_LINK, 0, 0, 0, BYTES(MACS, 0x81, 0, 0, 7)},
    {"802.3, LLC, IP", 1, PACKET_OK, 0, 0, 0, BYTES(MACS, 0, 43, 6, 6, 3, IPV4_TCP)},
    {"802.3, SNAP, IP", 1, PACKET_OK, 0, 0, 0, BYTES(MACS, 0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, IPV4_TCP)},
    {"802.3, SNAP of Cisco (CDP)", 1, PACKET_OTHER_L2, 0, 0, 0,
     BYTES(MACS, 0, 10, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 1, 2)},
    {"802.3, spanning tree", 1, PACKET_OTHER_L2, 0, 0, 0, BYTES(MACS, 0, 4, 0x42, 0x42, 3, 0)},
    {"a tag in SNAP", 1, PACKET_OTHER_L2, 0, 0, 0,
     BYTES(MACS, 0, 52, 0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0, 0, 5, 8, 0, IPV4_TCP)},
    {"ARP", 1, PACKET_ARP, 0, 0, 0, BYTES(MACS, 8, 6, 0, 1)},
    {"RARP", 1, PACKET_ARP, 0, 0, 0, BYTES(MACS, 0x80, 0x35, 0, 1)},
    {"LLDP", 1, PACKET_OTHER_L2, 0, 0, 0, BYTES(MACS, 0x88, 0xcc, 2, 7)},
    {"MACsec", 1, PACKET_OTHER_L2, 0, 0, 0, BYTES(MACS, 0x88, 0xe5, 0, 0)},
    {"MPLS, one label", 1, PACKET_OK, ENCAP_MPLS, 0, 0, BYTES(MACS, 0x88, 0x47, 0, 1, 0x01, 64, IPV4_TCP)},
    {"MPLS, two labels, IPv6", 1, PACKET_OK, ENCAP_MPLS, 0, PACKET_IS_IPV6,
     BYTES(MACS, 0x88, 0x48, 0, 1, 0, 64, 0, 2, 0x01, 64, IPV6_TCP)},
    {"MPLS, pseudowire with control word", 1, PACKET_OK, ENCAP_MPLS, 0, 0,
     BYTES(MACS, 0x88, 0x47, 0, 1, 0x01, 64, 0, 0, 0, 0, MACS, 8, 0, IPV4_TCP)},
    {"MPLS, pseudowire without", 1, PACKET_OK, ENCAP_MPLS | ENCAP_VLAN, 9, 0,
     BYTES(MACS, 0x88, 0x47, 0, 1, 0x01, 64, MACS, 0x81, 0, 0, 9, 8, 0, IPV4_TCP)},
    {"MPLS, no bottom", 1, PACKET_BAD_TUNNEL, ENCAP_MPLS, 0, 0, BYTES(MACS, 0x88, 0x47, 0, 1, 0, 64)},
    {"MPLS, something else inside", 1, PACKET_OTHER_L2, ENCAP_MPLS, 0, 0,
     BYTES(MACS, 0x88, 0x47, 0, 1, 0x01, 64, 0x10, 0, 0, 7)},
    {"PPPoE session", 1, PACKET_OK, ENCAP_PPPOE, 0, 0,
     BYTES(MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21, IPV4_TCP)},
    {"PPPoE discovery", 1, PACKET_OTHER_L2, 0, 0, 0, BYTES(MACS, 0x88, 0x63, 0x11, 9, 0, 0, 0, 0)},
    {"PPPoE of another version", 1, PACKET_BAD_LINK, 0, 0, 0, BYTES(MACS, 0x88, 0x64, 0x21, 0, 0, 1, 0, 2, 0, 0x21)},
    {"PPPoE, link control", 1, PACKET_OTHER_L2, ENCAP_PPPOE, 0, 0,
     BYTES(MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 4, 0xc0, 0x21, 1, 1)},
    {"an Ethernet header of 13 bytes", 1, PACKET_BAD_LINK, 0, 0, 0, BYTES(MACS, 8)},
    {"PPP", 9, PACKET_OK, 0, 0, 0, BYTES(0xff, 3, 0, 0x21, IPV4_TCP)},
    {"PPP, nothing compressed away", 9, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(0xff, 3, 0, 0x57, IPV6_TCP)},
    {"PPP, address and protocol compressed", 9, PACKET_OK, 0, 0, 0, BYTES(0x21, IPV4_TCP)},
    {"PPP, MPLS", 9, PACKET_OK, ENCAP_MPLS, 0, 0, BYTES(0xff, 3, 2, 0x81, 0, 1, 0x01, 64, IPV4_TCP)},
    {"PPP with HDLC framing", 50, PACKET_OK, 0, 0, 0, BYTES(0xff, 3, 0, 0x21, IPV4_TCP)},
    {"PPP link that speaks Cisco HDLC", 50, PACKET_OK, 0, 0, 0, BYTES(0x0f, 0, 8, 0, IPV4_TCP)},
    {"PPPoE without Ethernet", 51, PACKET_OK, ENCAP_PPPOE, 0, 0,
     BYTES(0x11, 0, 0, 1, 0, 42, 0, 0x21, IPV4_TCP)},
    {"Cisco HDLC", 104, PACKET_OK, 0, 0, 0, BYTES(0x0f, 0, 8, 0, IPV4_TCP)},
    {"Cisco HDLC keep-alive", 104, PACKET_OTHER_L2, 0, 0, 0, BYTES(0x8f, 0, 0x80, 0x35, 0, 0, 0, 2)},
    {"raw IPv4", 101, PACKET_OK, 0, 0, 0, BYTES(IPV4_TCP)},
    {"raw IPv6", 101, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(IPV6_TCP)},
    {"raw, number 12", 12, PACKET_OK, 0, 0, 0, BYTES(IPV4_TCP)},
    {"raw, number 14", 14, PACKET_OK, 0, 0, 0, BYTES(IPV4_TCP)},
    {"raw, neither", 101, PACKET_BAD_LINK, 0, 0, 0, BYTES(0x75, 0, 0, 20)},
    {"IPv4", 228, PACKET_OK, 0, 0, 0, BYTES(IPV4_TCP)},
    {"IPv6", 229, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(IPV6_TCP)},
    {"NULL, little-endian", 0, PACKET_OK, 0, 0, 0, BYTES(2, 0, 0, 0, IPV4_TCP)},
    {"NULL, big-endian", 0, PACKET_OK, 0, 0, 0, BYTES(0, 0, 0, 2, IPV4_TCP)},
    {"NULL, Darwin's IPv6", 0, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(30, 0, 0, 0, IPV6_TCP)},
    {"NULL, FreeBSD's IPv6, big-endian", 0, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(0, 0, 0, 28, IPV6_TCP)},
    {"NULL with an EtherType", 0, PACKET_OK, 0, 0, 0, BYTES(0x0f, 0, 8, 0, IPV4_TCP)},
    {"NULL, another family", 0, PACKET_OTHER_L2, 0, 0, 0, BYTES(7, 0, 0, 0, 1)},
    {"LOOP", 108, PACKET_OK, 0, 0, 0, BYTES(0, 0, 0, 2, IPV4_TCP)},
    {"LOOP, OpenBSD's IPv6", 108, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(0, 0, 0, 24, IPV6_TCP)},
    {"cooked v1, to us", 113, PACKET_OK, 0, 0, 0, BYTES(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, IPV4_TCP)},
    {"cooked v1, broadcast", 113, PACKET_OK, 0, 0, PACKET_LINK_GROUP | PACKET_LINK_BROADCAST,
     BYTES(0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, IPV4_TCP)},
    {"cooked v1, multicast", 113, PACKET_OK, 0, 0, PACKET_LINK_GROUP,
     BYTES(0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, IPV4_TCP)},
    {"cooked v1, VLAN", 113, PACKET_OK, ENCAP_VLAN, 5, 0,
     BYTES(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 5, 8, 0, IPV4_TCP)},
    {"cooked v1, 802.2 inside", 113, PACKET_OTHER_L2, 0, 0, 0,
     BYTES(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0x42, 0x42, 3)},
    {"cooked v2, broadcast", 276, PACKET_OK, 0, 0, PACKET_LINK_GROUP | PACKET_LINK_BROADCAST,
     BYTES(8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP)},
    {"cooked v2, cut off", 276, PACKET_BAD_LINK, 0, 0, 0, BYTES(8, 0, 0, 0)},
    {"NFLOG: a prefix, then the packet", 239, PACKET_OK, 0, 0, 0,
     BYTES(2, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, 44, 0, 9, 0, IPV4_TCP)},
    {"NFLOG, big-endian", 239, PACKET_OK, 0, 0, PACKET_IS_IPV6, BYTES(10, 0, 0, 0, 0, 64, 0, 9, IPV6_TCP)},
    {"NFLOG without a packet", 239, PACKET_OTHER_L2, 0, 0, 0, BYTES(2, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0)},
    {"NFLOG, an attribute of length 3", 239, PACKET_BAD_LINK, 0, 0, 0, BYTES(2, 0, 0, 0, 3, 0, 10, 0)},
    {"802.11 with radiotap", 127, PACKET_LINKTYPE, 0, 0, 0, BYTES(0, 0, 8, 0)},
    {"netlink", 253, PACKET_LINKTYPE, 0, 0, 0, BYTES(0, 0, 8, 0)},
    {"a number without a meaning", 160, PACKET_LINKTYPE, 0, 0, 0, BYTES(0, 0, 8, 0)},
    {"no byte at all", 1, PACKET_EMPTY, 0, 0, 0, .data = NULL, .size = 0},
};

/* Two frames each: are they of one place of capture, and may that be several? */
static const struct {
    const char *what;
    uint16_t    linktype, interface_id[2];
    bool        same, vague;
    size_t      size;
    uint8_t     bytes[2][64];
} points[] = {
    {"one interface", 101, {0, 0}, true, false, 20, {{IPV4_TCP}, {IPV4_TCP}}},
    {"two interfaces", 101, {0, 1}, false, false, 20, {{IPV4_TCP}, {IPV4_TCP}}},
    {"cooked v1, both to us", 113, {0, 0}, true, true, 36,
     {{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, IPV4_TCP}, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0, IPV4_TCP}}},
    {"cooked v1, one sent by us", 113, {0, 0}, false, true, 36,
     {{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0, IPV4_TCP}, {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0, IPV4_TCP}}},
    {"cooked v2, one interface", 276, {0, 0}, true, false, 40,
     {{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP}, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 7, 0, 0, IPV4_TCP}}},
    {"cooked v2, two", 276, {0, 0}, false, false, 40,
     {{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP}, {8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP}}},
    {"cooked v2, one sent by us", 276, {0, 0}, false, false, 40,
     {{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP}, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0, IPV4_TCP}}},
};

START_TEST(the_place_of_capture_is_told_by_interface_and_direction)
{
    struct packet p[2];

    for (unsigned i = 0; i < 2; i++) {
        struct frame f = {.data = points[_i].bytes[i], .caplen = (uint32_t)points[_i].size, .wirelen = (uint32_t)points[_i].size,
                          .linktype = points[_i].linktype, .interface_id = points[_i].interface_id[i]};

        packet_decode(&f, &p[i]);
        ck_assert_msg(((p[i].point & POINT_VAGUE) != 0) == points[_i].vague, "%s", points[_i].what);
        ck_assert_uint_lt(p[i].point, POINT_END);
    }
    ck_assert_msg((p[0].point == p[1].point) == points[_i].same, "%s", points[_i].what);
}
END_TEST

START_TEST(every_link_type_leads_to_the_packet)
{
    struct frame  f = {.data = frames[_i].data,
                       .caplen = (uint32_t)frames[_i].size,
                       .wirelen = (uint32_t)frames[_i].size,
                       .ts_ns = 5,
                       .number = 7,
                       .linktype = frames[_i].linktype};
    struct packet p;

    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == frames[_i].result, "%s: %s", frames[_i].what, packet_result_name(r));
    ck_assert_msg(p.encap == frames[_i].encap, "%s: encap %#x", frames[_i].what, p.encap);
    ck_assert_msg(p.vlan == frames[_i].vlan, "%s: vlan %u", frames[_i].what, p.vlan);
    ck_assert_msg(p.flags == frames[_i].flags, "%s: flags %#x", frames[_i].what, p.flags);
    ck_assert_uint_eq(p.wire_len, frames[_i].size);
    ck_assert_int_eq(p.ts_ns, 5);
    ck_assert_uint_eq(p.number, 7);
    if (r != PACKET_OK)
        return;
    ck_assert_uint_eq(p.sport, 1025);
    ck_assert_uint_eq(p.dport, 389);
    ck_assert_uint_eq(p.tcp_flags, TCP_SYN);
    ck_assert_uint_eq(p.ttl, 64);
    ck_assert_uint_eq(addr_is_ipv4(&p.src), !(p.flags & PACKET_IS_IPV6));
    ck_assert_uint_eq(p.dst.bytes[15], 2);
    ck_assert_uint_eq(p.payload_len, 0);
    bool addressed = f.linktype == 1 || f.linktype == 113 || f.linktype == 276;
    ck_assert_int_eq(p.to_station, addressed && !(p.flags & PACKET_LINK_GROUP));
}
END_TEST

START_TEST(link_types_are_known_exactly_where_they_are_decoded)
{
    ck_assert_int_eq(packet_linktype_known(frames[_i].linktype), frames[_i].result != PACKET_LINKTYPE);
}
END_TEST

START_TEST(padding_of_the_link_is_no_payload)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_tcp(&b, 1025, 389, TCP_ACK, 1);
    struct frame f = build_frame(&b);
    f.caplen = f.wirelen = 60;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.l3_len, 40);
    ck_assert_uint_eq(p.l3_wire_len, 40);
    ck_assert_uint_eq(p.payload_len, 0);
    ck_assert_uint_eq(p.flags & PACKET_CUT, 0);
}
END_TEST

static enum packet_result decode_stack(unsigned n_tags, unsigned n_labels, uint16_t *ret_vlan)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    for (unsigned i = 0; i < n_tags; i++)
        build_vlan(&b, 0x8100, (uint16_t)(i + 1));
    for (unsigned i = 0; i < n_labels; i++)
        build_mpls(&b, i, i + 1 == n_labels);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_udp(&b, 53, 53);
    struct frame       f = build_frame(&b);
    enum packet_result r = packet_decode(&f, &p);
    *ret_vlan = p.vlan;
    return r;
}

START_TEST(stacks_are_read_up_to_a_bound)
{
    uint16_t vlan;

    ck_assert_int_eq(decode_stack(PACKET_MAX_TAGS, 0, &vlan), PACKET_OK);
    ck_assert_uint_eq(vlan, PACKET_MAX_TAGS);
    ck_assert_int_eq(decode_stack(PACKET_MAX_TAGS + 1, 0, &vlan), PACKET_TOO_DEEP);
    ck_assert_int_eq(decode_stack(0, 16, &vlan), PACKET_OK);
    ck_assert_int_eq(decode_stack(0, 17, &vlan), PACKET_TOO_DEEP);
}
END_TEST

/* Ethernet, a tag, a label and a control word, over and over. */
START_TEST(pseudowires_do_not_nest_without_end)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    for (unsigned i = 0; i < 8; i++) {
        build_ethernet(&b);
        build_vlan(&b, 0x8100, 1);
        build_mpls(&b, 1, 1);
        build_bytes(&b, (const uint8_t[4]){0}, 4);
    }
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_TOO_DEEP);
}
END_TEST

START_TEST(results_have_names_and_sentences)
{
    enum packet_result r = (enum packet_result)_i;

    ck_assert_uint_gt(strlen(packet_result_text(r)), 0);
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(packet_result_name(r), packet_result_name((enum packet_result)other));
    ck_assert_str_eq(packet_result_name(PACKET_N_RESULTS), "unknown");
}
END_TEST

Suite *suite_packet_link(void);
Suite *suite_packet_link(void)
{
    Suite *s = suite_create("packet: link layer");
    TCase *t = tcase_create("link");

    tcase_add_loop_test(t, the_place_of_capture_is_told_by_interface_and_direction, 0, (int)(sizeof(points) / sizeof(*points)));
    tcase_add_loop_test(t, every_link_type_leads_to_the_packet, 0, sizeof(frames) / sizeof(frames[0]));
    tcase_add_loop_test(t, link_types_are_known_exactly_where_they_are_decoded, 0, sizeof(frames) / sizeof(frames[0]));
    tcase_add_test(t, padding_of_the_link_is_no_payload);
    tcase_add_test(t, stacks_are_read_up_to_a_bound);
    tcase_add_test(t, pseudowires_do_not_nest_without_end);
    tcase_add_loop_test(t, results_have_names_and_sentences, 0, PACKET_N_RESULTS);
    suite_add_tcase(s, t);
    return s;
}
