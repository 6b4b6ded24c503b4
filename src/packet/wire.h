/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as they lie on the wire: byte arrays only, so that they fit any address and have no padding. */
#ifndef PACKET_WIRE_H
#define PACKET_WIRE_H

#include <assert.h>
#include <stdint.h>

enum linktype {
    LINKTYPE_NULL = 0,
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_PPP = 9,
    LINKTYPE_RAW_12 = 12, /* DLT_RAW, as some programs wrote it into files */
    LINKTYPE_RAW_14 = 14, /* the same on OpenBSD */
    LINKTYPE_PPP_HDLC = 50,
    LINKTYPE_PPP_ETHER = 51,
    LINKTYPE_RAW = 101,
    LINKTYPE_C_HDLC = 104,
    LINKTYPE_LOOP = 108,
    LINKTYPE_LINUX_SLL = 113,
    LINKTYPE_IPV4 = 228,
    LINKTYPE_IPV6 = 229,
    LINKTYPE_NFLOG = 239,
    LINKTYPE_LINUX_SLL2 = 276,
};

#define ETHERTYPE_LOWEST 0x0600 /* less is a length (IEEE 802.3) */

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_ERSPAN_III = 0x22eb,
    ETHERTYPE_ETHERNET = 0x6558, /* transparent Ethernet bridging */
    ETHERTYPE_RARP = 0x8035,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_PPP = 0x880b,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_UPSTREAM = 0x8848,
    ETHERTYPE_PPPOE_SESSION = 0x8864,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_ERSPAN = 0x88be,    /* types I and II */
    ETHERTYPE_QINQ_9100 = 0x9100, /* used before 802.1ad gave out 0x88a8 */
    ETHERTYPE_QINQ_9200 = 0x9200,
};

enum ip_protocol {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_ICMP = 1,
    PROTOCOL_IGMP = 2,
    PROTOCOL_IPV4 = 4,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_GRE = 47,
    PROTOCOL_ESP = 50,
    PROTOCOL_AH = 51,
    PROTOCOL_ICMPV6 = 58,
    PROTOCOL_NONE = 59,
    PROTOCOL_DESTINATION = 60,
    PROTOCOL_MOBILITY = 135,
    PROTOCOL_HIP = 139,
    PROTOCOL_SHIM6 = 140,
};

struct wire_ethernet {
    uint8_t dst[6], src[6], type[2];
};

struct wire_vlan {
    uint8_t tci[2], type[2];
};

struct wire_snap {
    uint8_t dsap, ssap, control, oui[3], type[2];
};

struct wire_sll { /* LINKTYPE_LINUX_SLL */
    uint8_t packet_type[2], arphrd[2], address_length[2], address[8], protocol[2];
};

struct wire_sll2 { /* LINKTYPE_LINUX_SLL2 */
    uint8_t protocol[2], reserved[2], interface[4], arphrd[2], packet_type, address_length, address[8];
};

struct wire_chdlc {
    uint8_t address, control, protocol[2];
};

struct wire_pppoe { /* RFC 2516 */
    uint8_t version_type, code, session[2], length[2];
};

struct wire_nflog {
    uint8_t family, version, resource[2];
};

struct wire_ipv4 { /* RFC 791 */
    uint8_t version_ihl, tos, total_length[2], id[2], fragment[2], ttl, protocol, checksum[2], src[4], dst[4];
};

struct wire_ipv6 { /* RFC 8200 */
    uint8_t version_class_flow[4], payload_length[2], next_header, hop_limit, src[16], dst[16];
};

struct wire_ipv6_extension {
    uint8_t next_header, length, data[6];
};

struct wire_ipv6_fragment {
    uint8_t next_header, reserved, offset_more[2], id[4];
};

struct wire_tcp { /* RFC 9293 */
    uint8_t sport[2], dport[2], seq[4], ack[4], offset, flags, window[2], checksum[2], urgent[2];
};

struct wire_udp { /* RFC 768 */
    uint8_t sport[2], dport[2], length[2], checksum[2];
};

struct wire_icmp { /* RFC 792, RFC 4443 */
    uint8_t type, code, checksum[2], rest[4];
};

struct wire_gre { /* RFC 2784, RFC 2637 */
    uint8_t flags_version[2], protocol[2];
};

struct wire_erspan2 {
    uint8_t version_vlan[2], cos_session[2], index[4];
};

struct wire_erspan3 {
    uint8_t version_vlan[2], cos_session[2], timestamp[4], group[2], frame_type_o[2];
};

struct wire_vxlan { /* RFC 7348 */
    uint8_t flags, reserved1[3], vni[3], reserved2;
};

struct wire_geneve { /* RFC 8926 */
    uint8_t version_length, flags, protocol[2], vni[3], reserved;
};

static_assert(sizeof(struct wire_ethernet) == 14, "Ethernet");
static_assert(sizeof(struct wire_sll) == 16, "Linux cooked v1");
static_assert(sizeof(struct wire_sll2) == 20, "Linux cooked v2");
static_assert(sizeof(struct wire_ipv4) == 20, "IPv4");
static_assert(sizeof(struct wire_ipv6) == 40, "IPv6");
static_assert(sizeof(struct wire_tcp) == 20, "TCP");
static_assert(sizeof(struct wire_erspan3) == 12, "ERSPAN III");

#endif
