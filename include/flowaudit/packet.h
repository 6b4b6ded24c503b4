/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding: from a frame to the innermost TCP, UDP or ICMP header.
 *
 * Pure functions over borrowed bytes: no allocation, no state, any thread.
 *
 * Link types: Ethernet, Linux cooked v1 and v2, raw IPv4/IPv6, NULL/LOOP, PPP (also with HDLC framing), PPPoE,
 * Cisco HDLC, NFLOG; on top of these 802.1Q, 802.1ad, LLC/SNAP, MPLS (also with Ethernet pseudowires), PPPoE, GRE
 * (RFC 2784, 2890; with PPP RFC 2637), ERSPAN I-III, VXLAN (RFC 7348), GENEVE (RFC 8926), IP-in-IP (RFC 2003),
 * 6in4 (RFC 4213), IPv6 extension headers (RFC 8200), AH (RFC 4302).
 *
 * Tunnels over UDP are told by their port.  What does not decode as one there is an ordinary UDP packet, and so is
 * a tunnel whose inside cannot be decoded: the outer flow is judged then.  Tunnels that an end host opens itself
 * (Teredo, GTP-U, L2TP, ESP in UDP) are not unwrapped: their outer flow is what a port matrix governs.
 */
#ifndef FLOWAUDIT_PACKET_H
#define FLOWAUDIT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/addr.h"
#include "flowaudit/capture.h"

#define PACKET_MAX_TUNNELS 8  /* nested IP headers (depth of encapsulation) */
#define PACKET_MAX_TAGS 8     /* VLAN tags, MPLS labels in one stack: 16 */
#define PACKET_MAX_EXT_HEADERS 128 /* IPv6 extension headers in one packet: hosts take more than they should */

/*
 * What became of a frame.  One list, three projections (enum, stable name for the record, sentence for people).
 * The first ones reach a flow; every other is a reason for which the packet is not judged.
 */
#define PACKET_RESULTS(X)                                                                             \
    X(PACKET_OK, "decoded", "TCP or UDP with its ports")                                              \
    X(PACKET_FRAGMENT, "fragment", "later IP fragment, to be put with its first one")                 \
    X(PACKET_ICMP_ERROR, "icmp-error", "ICMP error that quotes a TCP or UDP header")                  \
    X(PACKET_ICMP, "icmp", "ICMP other than an error about TCP or UDP")                               \
    X(PACKET_IGMP, "igmp", "IGMP")                                                                    \
    X(PACKET_ARP, "arp", "ARP or RARP")                                                               \
    X(PACKET_OTHER_L2, "not-ip", "a link-layer protocol other than IP")                               \
    X(PACKET_OTHER_L4, "other-transport", "IP with a transport other than TCP, UDP, ICMP")            \
    X(PACKET_ENCRYPTED, "ipsec", "IPsec ESP: what is inside cannot be seen")                          \
    X(PACKET_LINKTYPE, "linktype", "a link type that is not decoded")                                 \
    X(PACKET_CUT_HEADER, "cut-header", "cut by the snap length before the ports")                     \
    X(PACKET_BAD_LINK, "malformed-link", "a malformed link-layer header")                             \
    X(PACKET_BAD_IPV4, "malformed-ipv4", "a malformed IPv4 header")                                   \
    X(PACKET_BAD_IPV6, "malformed-ipv6", "a malformed IPv6 header or extension header")               \
    X(PACKET_BAD_TCP, "malformed-tcp", "a malformed TCP header")                                      \
    X(PACKET_BAD_UDP, "malformed-udp", "a malformed UDP header")                                      \
    X(PACKET_BAD_ICMP, "malformed-icmp", "a malformed ICMP message")                                  \
    X(PACKET_BAD_TUNNEL, "malformed-tunnel", "a malformed tunnel header")                             \
    X(PACKET_TOO_DEEP, "too-deep", "more encapsulation than is unwrapped")                            \
    X(PACKET_MAPPED, "mapped-address", "an IPv4-mapped IPv6 address on the wire")                     \
    X(PACKET_EMPTY, "empty", "a record without a byte")                                               \
    X(PACKET_FRAGMENT_ORPHAN, "fragment-orphan", "a later fragment whose first one never came")       \
    X(PACKET_FLOW_LIMIT, "flow-limit", "no room for another flow under the memory bound")             \
    X(PACKET_FILTERED, "filtered", "taken out by the user's filter")

enum packet_result {
#define X(id, name, text) id,
    PACKET_RESULTS(X)
#undef X
        PACKET_N_RESULTS
};

const char *packet_result_name(enum packet_result); /* stable, for the record */
const char *packet_result_text(enum packet_result); /* for people */

/* Layers that carried the packet, as a set (bits). */
enum packet_encap {
    ENCAP_VLAN = 1 << 0,
    ENCAP_QINQ = 1 << 1, /* more than one tag */
    ENCAP_MPLS = 1 << 2,
    ENCAP_PPPOE = 1 << 3,
    ENCAP_GRE = 1 << 4,
    ENCAP_ERSPAN = 1 << 5,
    ENCAP_VXLAN = 1 << 6,
    ENCAP_GENEVE = 1 << 7,
    ENCAP_IPIP = 1 << 8,  /* IPv4 or IPv6 directly in IP: 4in4, 6in4, 4in6, 6in6 */
};

enum packet_flag {
    PACKET_IS_IPV6 = 1 << 0,
    PACKET_CUT = 1 << 1,        /* captured bytes end before the IP packet does */
    PACKET_FIRST_FRAGMENT = 1 << 2, /* fragment with offset 0: has the ports, not all of the payload */
    PACKET_GROUP = 1 << 3,      /* the IP destination is multicast, 255.255.255.255 or 127.255.255.255, or it ends in 255 and NetBIOS tells of a broadcast */
    PACKET_FLAGS_CUT = 1 << 4,  /* TCP: ports are there, the flags were cut by the snap length or are in the next
                                   fragment; tcp_flags is 0 */
    PACKET_LINK_BROADCAST = 1 << 5, /* link-layer destination is ff:ff:ff:ff:ff:ff or the cooked header says broadcast:
                                       a subnet broadcast */
    PACKET_LINK_GROUP = 1 << 6, /* link-layer destination is multicast or broadcast: the IP destination may be a subnet's broadcast address, or one host's
                                   (a switch floods what is sent to a cluster's multicast address) */
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32, TCP_ECE = 64, TCP_CWR = 128 };

/*
 * Of a packet's place of capture: between two places there may be a router, so that TTLs compare only within one.  The rest of it is a small number made of
 * the interface in the file, the one that LINUX_SLL2 names, the device that mirrored it (ERSPAN) and the input; tags and tunnels have fields of their own.
 */
enum packet_point {
    POINT_OUT = 1 << 0,   /* a cooked header says: sent by the machine that captured, which may have forwarded it */
    POINT_VAGUE = 1 << 1, /* of several interfaces, and no header says which: may be several places */
    POINT_NUMBER = 1 << 2,
    POINT_END = 1 << 11
};

/* The header that an ICMP error quotes (RFC 792, RFC 1812 4.3.2.3, RFC 4443): the packet that drew the error. */
struct packet_quote {
    struct addr src, dst;   /* of the quoted packet */
    uint16_t    sport, dport;
    uint8_t     transport;  /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t     type, code; /* of the ICMP or ICMPv6 message */
    bool        has_seq;
    uint32_t    tcp_seq;
};

/* Points into the frame it was decoded from; valid as long as the frame. */
struct packet {
    const uint8_t *l3;          /* innermost IP header */
    const uint8_t *payload;     /* first byte after the TCP or UDP header; for PACKET_FRAGMENT after the IP headers */
    uint32_t       l3_len;      /* captured bytes from 'l3' on, link-layer padding excluded */
    uint32_t       l3_wire_len; /* length of the IP packet on the wire (where offload left it 0: taken from the frame) */
    uint32_t       payload_len; /* captured bytes of payload */
    uint32_t       payload_wire_len; /* payload on the wire, by the IP and UDP lengths; 0 where TCP's offset was cut */
    uint32_t       wire_len;    /* of the whole frame: what 'bytes' in the record counts */
    uint16_t       point;       /* where it was captured: enum packet_point, and a number; the caller adds the input's with packet_point_add() */
    bool           to_station;  /* link-layer destination is one station's; nor PACKET_LINK_GROUP: the link has none, or does not tell */
    int64_t        ts_ns;
    uint64_t       number;      /* frame number in its input */
    uint16_t       input;       /* index of the input; set by the caller after packet_decode(), which clears it */
    uint8_t        transport;   /* IPPROTO_TCP, IPPROTO_UDP; for fragments and others the IP protocol */
    uint8_t        ttl;         /* TTL or hop limit of the innermost IP header */
    struct addr    src, dst;    /* innermost; for PACKET_ICMP_ERROR the message's own (src = sender of the error) */
    uint16_t       sport, dport;
    uint16_t       flags;       /* enum packet_flag */
    uint16_t       encap;       /* enum packet_encap */
    uint16_t       vlan;        /* innermost VLAN id, 0 where none */
    uint16_t       ip_id;       /* IPv4 identification; 0 for IPv6 without a fragment header */
    uint8_t        tcp_flags;
    uint8_t        n_tunnels;   /* IP headers outside the innermost */
    uint16_t       tcp_window;
    uint32_t       content;     /* tells packets of other content apart: the checksum of TCP or UDP as sent; of UDP without one
                                   a hash of some bytes of the payload; of an ICMP error its checksum; 0: cut off */
    uint32_t       tcp_seq, tcp_ack;
    uint32_t       fragment_id; /* PACKET_FRAGMENT and PACKET_FIRST_FRAGMENT */
    uint16_t       fragment_offset; /* in bytes */
    bool           fragment_more;
    bool           is_carrier; /* of packet_decode_carrier() */
    struct packet_quote quote;  /* PACKET_ICMP_ERROR only */
};

/* Fills 'ret' as far as decoding went.  PACKET_FRAGMENT_ORPHAN, PACKET_FLOW_LIMIT and PACKET_FILTERED never
 * come from here: they are the later stages' names in the same list. */
enum packet_result packet_decode(const struct frame *, struct packet *ret);
/* The same of what carries a packet over UDP (ENCAP_VXLAN, ENCAP_GENEVE): that datagram, its payload the tunnel's header and what follows. */
enum packet_result packet_decode_carrier(const struct frame *, struct packet *ret);

static inline void packet_point_add(struct packet *p, uint32_t number)
{
    p->point = (uint16_t)((p->point + number * POINT_NUMBER) % POINT_END);
}

/* Is this link type one that packet_decode() knows? */
bool packet_linktype_known(uint16_t linktype);

#endif
