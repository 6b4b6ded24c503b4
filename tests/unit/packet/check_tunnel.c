/* SPDX-License-Identifier: Apache-2.0 */
/* GRE, ERSPAN, VXLAN, GENEVE, IP in IP; and what only looks like one of them. */
#include <check.h>
#include <netinet/in.h>

#include "build.h"
#include "flowaudit/packet.h"

enum { GRE_AT = 14 + 20, UDP_PAYLOAD = 14 + 20 + 8 };

static void outer(struct build *b)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv4(b, "192.0.2.1", "192.0.2.2");
}

static void inner_tcp(struct build *b)
{
    build_ipv4(b, "10.0.0.1", "10.0.0.2");
    build_tcp(b, 1025, 389, TCP_SYN, 1);
}

static void check_inner(struct build *b, uint16_t encap)
{
    struct packet p;
    struct frame  f = build_frame(b);
    char          text[ADDR_TEXT_SIZE];

    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == PACKET_OK, "%s", packet_result_name(r));
    ck_assert_str_eq(addr_text(&p.src, text), "10.0.0.1");
    ck_assert_uint_eq(p.dport, 389);
    ck_assert_uint_eq(p.transport, IPPROTO_TCP);
    ck_assert_uint_eq(p.encap, encap);
    ck_assert_uint_eq(p.n_tunnels, 1);
    ck_assert_uint_eq(p.wire_len, f.wirelen);
}

/* The GRE header up to what it carries. */
static const struct {
    const char *what;
    size_t      size;
    uint8_t     header[16];
} gre[] = {
    {"plain", 4, {0, 0, 8, 0}},
    {"checksum", 8, {0x80, 0, 8, 0, 1, 2, 0, 0}},
    {"key", 8, {0x20, 0, 8, 0, 0, 0, 0, 7}},
    {"sequence", 8, {0x10, 0, 8, 0, 0, 0, 0, 7}},
    {"checksum, key, sequence", 16, {0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9}},
    {"PPTP: 42 bytes, call 1, sequence; PPP", 14, {0x30, 1, 0x88, 0x0b, 0, 42, 0, 1, 0, 0, 0, 5, 0, 0x21}},
    {"PPTP with an acknowledgement", 16, {0x30, 0x81, 0x88, 0x0b, 0, 41, 0, 1, 0, 0, 0, 5, 0, 0, 0, 4}},
};

START_TEST(gre_is_unwrapped)
{
    struct build b;

    outer(&b);
    build_protocol(&b, IPPROTO_GRE);
    build_bytes(&b, gre[_i].header, gre[_i].size);
    if (gre[_i].size == 16 && gre[_i].header[1] == 0x81)
        build_bytes(&b, "\x21", 1);
    inner_tcp(&b);
    check_inner(&b, ENCAP_GRE);
}
END_TEST

static const struct {
    const char        *what;
    size_t             size;
    uint8_t            bytes[24];
    enum packet_result result;
} gre_not[] = {
    {"source routing", 8, {0x40, 0, 8, 0, 0, 0, 0, 0}, PACKET_BAD_TUNNEL},
    {"version 2", 4, {0, 2, 8, 0}, PACKET_BAD_TUNNEL},
    {"key missing", 4, {0x20, 0, 8, 0}, PACKET_BAD_TUNNEL},
    {"cut off", 3, {0, 0, 8}, PACKET_BAD_TUNNEL},
    {"keep-alive", 4, {0, 0, 0, 0}, PACKET_OTHER_L2},
    {"NHRP", 6, {0, 0, 0x20, 1, 0, 1}, PACKET_OTHER_L2},
    {"PPTP without a key", 4, {0x10, 1, 0x88, 0x0b}, PACKET_BAD_TUNNEL},
    {"PPTP, only an acknowledgement", 12, {0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 4}, PACKET_OTHER_L4},
    {"PPTP, longer than the packet", 13, {0x30, 1, 0x88, 0x0b, 0, 9, 0, 1, 0, 0, 0, 4, 0x21}, PACKET_BAD_TUNNEL},
    {"PPTP, encrypted", 15, {0x30, 1, 0x88, 0x0b, 0, 3, 0, 1, 0, 0, 0, 4, 0, 0xfd, 7}, PACKET_OTHER_L2},
    {"an IPv4 header that is none", 6, {0, 0, 8, 0, 0x45, 0}, PACKET_BAD_IPV4},
    {"ERSPAN II of version 3", 16, {0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x30}, PACKET_BAD_TUNNEL},
    {"ERSPAN III of version 1", 20, {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x10}, PACKET_BAD_TUNNEL},
};

START_TEST(what_gre_cannot_give_has_a_name)
{
    struct build  b;
    struct packet p;

    outer(&b);
    build_protocol(&b, IPPROTO_GRE);
    build_bytes(&b, gre_not[_i].bytes, gre_not[_i].size);
    struct frame       f = build_frame(&b);
    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == gre_not[_i].result, "%s: %s", gre_not[_i].what, packet_result_name(r));
}
END_TEST

/* GRE and ERSPAN headers before a mirrored Ethernet frame. */
static const struct {
    const char *what;
    uint16_t    encap, vlan;
    size_t      size;
    uint8_t     header[32];
} mirrors[] = {
    {"Ethernet in GRE", ENCAP_GRE, 0, 4, {0, 0, 0x65, 0x58}},
    {"ERSPAN I", ENCAP_GRE | ENCAP_ERSPAN, 0, 4, {0, 0, 0x88, 0xbe}},
    {"ERSPAN II, VLAN 300", ENCAP_GRE | ENCAP_ERSPAN, 300, 16,
     {0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x11, 0x2c, 0, 9, 0, 0, 0, 1}},
    {"ERSPAN III", ENCAP_GRE | ENCAP_ERSPAN, 0, 20,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0}},
    {"ERSPAN III with a subheader", ENCAP_GRE | ENCAP_ERSPAN, 0, 28,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8}},
};

START_TEST(mirrored_frames_are_unwrapped)
{
    struct build  b;
    struct packet p;

    outer(&b);
    build_protocol(&b, IPPROTO_GRE);
    build_bytes(&b, mirrors[_i].header, mirrors[_i].size);
    build_ethernet(&b);
    inner_tcp(&b);
    check_inner(&b, mirrors[_i].encap);
    struct frame f = build_frame(&b);
    packet_decode(&f, &p);
    ck_assert_uint_eq(p.vlan, mirrors[_i].vlan);
}
END_TEST

START_TEST(erspan_iii_may_carry_ip_alone)
{
    static const uint8_t header[20] = {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 9, 0, 0, 0, 1, 0, 0, 2 << 2, 0};
    struct build         b;

    outer(&b);
    build_protocol(&b, IPPROTO_GRE);
    build_bytes(&b, header, sizeof(header));
    inner_tcp(&b);
    check_inner(&b, ENCAP_GRE | ENCAP_ERSPAN);
}
END_TEST

/* Tunnel headers after UDP. */
static const struct {
    const char *what;
    uint16_t    port, encap;
    int         has_ethernet;
    size_t      size;
    uint8_t     header[16];
} udp[] = {
    {"VXLAN", 4789, ENCAP_VXLAN, 1, 8, {0x08, 0, 0, 0, 0, 0, 7, 0}},
    {"VXLAN with group policy", 4789, ENCAP_VXLAN, 1, 8, {0x88, 0, 0, 9, 0, 0, 7, 0}},
    {"VXLAN on Linux's port", 8472, ENCAP_VXLAN, 1, 8, {0x08, 0, 0, 0, 0, 0, 7, 0}},
    {"GENEVE", 6081, ENCAP_GENEVE, 1, 8, {0, 0, 0x65, 0x58, 0, 0, 7, 0}},
    {"GENEVE with an option", 6081, ENCAP_GENEVE, 1, 12, {1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0}},
    {"GENEVE, IPv4", 6081, ENCAP_GENEVE, 0, 8, {0, 0, 8, 0, 0, 0, 7, 0}},
};

static struct frame build_udp_tunnel(struct build *b, int i)
{
    outer(b);
    build_udp(b, 50000, udp[i].port);
    build_bytes(b, udp[i].header, udp[i].size);
    if (udp[i].has_ethernet)
        build_ethernet(b);
    inner_tcp(b);
    return build_frame(b);
}

START_TEST(tunnels_over_udp_are_unwrapped)
{
    struct build b;

    build_udp_tunnel(&b, _i);
    check_inner(&b, udp[_i].encap);
}
END_TEST

/* Bytes of the UDP payload that make it no tunnel, or no packet inside. */
static const struct {
    const char *what;
    int         tunnel;
    size_t      at;
    uint8_t     value;
} udp_not[] = {
    {"VXLAN without its flag", 0, 0, 0},
    {"VXLAN with unknown flags", 0, 0, 0x18},
    {"VXLAN, last byte not 0", 0, 7, 1},
    {"VXLAN, inner EtherType unknown", 0, 8 + 12, 0x99},
    {"VXLAN, inner IPv4 malformed", 0, 8 + 14, 0x43},
    {"VXLAN, inner TCP malformed", 0, 8 + 14 + 20 + 12, 0x10},
    {"GENEVE of version 1", 3, 0, 0x40},
    {"GENEVE, options longer than the packet", 3, 0, 0x3f},
    {"GENEVE, protocol unknown", 3, 2, 0x99},
};

START_TEST(what_is_no_tunnel_is_an_ordinary_udp_packet)
{
    struct build  b;
    struct packet p;
    struct frame  f = build_udp_tunnel(&b, udp_not[_i].tunnel);
    uint32_t      payload_len = f.caplen - UDP_PAYLOAD;

    b.data[UDP_PAYLOAD + udp_not[_i].at] = udp_not[_i].value;
    enum packet_result r = packet_decode(&f, &p);
    ck_assert_msg(r == PACKET_OK, "%s: %s", udp_not[_i].what, packet_result_name(r));
    ck_assert_uint_eq(p.transport, IPPROTO_UDP);
    ck_assert_uint_eq(p.sport, 50000);
    ck_assert_uint_eq(p.dport, udp[udp_not[_i].tunnel].port);
    ck_assert_uint_eq(p.payload_len, payload_len);
    ck_assert_ptr_eq(p.payload, b.data + UDP_PAYLOAD);
    ck_assert_uint_eq(p.encap, 0);
    ck_assert_uint_eq(p.n_tunnels, 0);
    ck_assert_uint_eq(p.ttl, 64);
}
END_TEST

START_TEST(what_a_tunnel_carries_is_not_judged_outside_where_it_is_cut)
{
    struct build  b;
    struct packet p;
    struct frame  f = build_udp_tunnel(&b, 0);

    f.caplen = UDP_PAYLOAD + 7; /* of the tunnel's own header: it may be payload */
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.dport, 4789);
    for (f.caplen++; f.caplen < UDP_PAYLOAD + 8 + 14 + 20 + 4; f.caplen++)
        ck_assert_int_eq(packet_decode(&f, &p), PACKET_CUT_HEADER);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.dport, 389);
}
END_TEST

START_TEST(a_reply_from_a_tunnel_port_is_no_tunnel)
{
    struct build  b;
    struct packet p;

    outer(&b);
    build_udp(&b, 4789, 50000);
    build_bytes(&b, udp[0].header, 8);
    build_ethernet(&b);
    inner_tcp(&b);
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.dport, 50000);
}
END_TEST

START_TEST(other_inner_packets_keep_their_names)
{
    static const uint8_t arp[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    struct build         b;
    struct packet        p;

    outer(&b);
    build_udp(&b, 50000, 4789);
    build_bytes(&b, udp[0].header, 8);
    build_ethernet(&b);
    build_protocol(&b, 0x0806);
    build_bytes(&b, arp, sizeof(arp));
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ARP);

    outer(&b);
    build_udp(&b, 50000, 4789);
    build_bytes(&b, udp[0].header, 8);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_icmp(&b, 8, 0);
    f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP);
}
END_TEST

START_TEST(ip_in_ip_is_unwrapped_in_all_pairs)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet(&b);
    if (_i & 1)
        build_ipv6(&b, "2001:db8::1", "2001:db8::2");
    else
        build_ipv4(&b, "192.0.2.1", "192.0.2.2");
    if (_i & 2)
        build_ipv6(&b, "fd00::1", "fd00::2");
    else
        build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_udp(&b, 1025, 53);
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.encap, ENCAP_IPIP);
    ck_assert_uint_eq(p.n_tunnels, 1);
    ck_assert_uint_eq(p.flags, _i & 2 ? PACKET_IS_IPV6 : 0);
    ck_assert_uint_eq(addr_is_ipv4(&p.src), !(_i & 2));
    ck_assert_uint_eq(p.src.bytes[15], 1);
    ck_assert_uint_eq(p.dport, 53);
}
END_TEST

START_TEST(nested_tunnels_have_a_bound)
{
    for (unsigned n = PACKET_MAX_TUNNELS; n <= PACKET_MAX_TUNNELS + 1; n++) {
        struct build  b;
        struct packet p;

        outer(&b);
        for (unsigned i = 0; i < n; i++)
            build_ipv4(&b, "10.0.0.1", "10.0.0.2");
        build_udp(&b, 1025, 53);
        struct frame f = build_frame(&b);
        ck_assert_int_eq(packet_decode(&f, &p), n == PACKET_MAX_TUNNELS ? PACKET_OK : PACKET_TOO_DEEP);
        ck_assert_uint_eq(p.n_tunnels, PACKET_MAX_TUNNELS);
    }
}
END_TEST

/* A multicast group carries the tunnel; the packet inside is to one host. */
START_TEST(what_is_said_of_the_outer_packet_is_not_said_of_the_inner)
{
    struct build  b;
    struct packet p;

    build_begin(&b);
    build_ethernet_to(&b, (const uint8_t[6]){1, 0, 0x5e, 1, 1, 1});
    build_ipv4_fragment(&b, "192.0.2.1", "239.1.1.1", 77, 0, 1);
    build_gre(&b);
    inner_tcp(&b);
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    ck_assert_uint_eq(p.flags, 0);
    ck_assert_uint_eq(p.fragment_id, 0);
    ck_assert(!p.fragment_more);
}
END_TEST

Suite *suite_packet_tunnel(void);
Suite *suite_packet_tunnel(void)
{
    Suite *s = suite_create("packet: tunnels");
    TCase *t = tcase_create("tunnel");

    tcase_add_loop_test(t, gre_is_unwrapped, 0, sizeof(gre) / sizeof(gre[0]));
    tcase_add_loop_test(t, what_gre_cannot_give_has_a_name, 0, sizeof(gre_not) / sizeof(gre_not[0]));
    tcase_add_loop_test(t, mirrored_frames_are_unwrapped, 0, sizeof(mirrors) / sizeof(mirrors[0]));
    tcase_add_test(t, erspan_iii_may_carry_ip_alone);
    tcase_add_loop_test(t, tunnels_over_udp_are_unwrapped, 0, sizeof(udp) / sizeof(udp[0]));
    tcase_add_loop_test(t, what_is_no_tunnel_is_an_ordinary_udp_packet, 0, sizeof(udp_not) / sizeof(udp_not[0]));
    tcase_add_test(t, what_a_tunnel_carries_is_not_judged_outside_where_it_is_cut);
    tcase_add_test(t, a_reply_from_a_tunnel_port_is_no_tunnel);
    tcase_add_test(t, other_inner_packets_keep_their_names);
    tcase_add_loop_test(t, ip_in_ip_is_unwrapped_in_all_pairs, 0, 4);
    tcase_add_test(t, nested_tunnels_have_a_bound);
    tcase_add_test(t, what_is_said_of_the_outer_packet_is_not_said_of_the_inner);
    suite_add_tcase(s, t);
    return s;
}
