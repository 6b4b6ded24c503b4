/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decoders share: a cursor over borrowed bytes, and one function for each kind of header.
 *
 * Every decoder takes a cursor at the first byte of its header, fills 'pkt' as far as it gets, and says what became of
 * the packet.  Headers nest by calls: a link header calls what its EtherType announces, an IP header its transport, a
 * tunnel a link or IP header again.  PACKET_MAX_TUNNELS and CURSOR_MAX_PSEUDOWIRES bound how deep that goes.
 */
#ifndef PACKET_DECODE_H
#define PACKET_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/packet.h"

#define CURSOR_MAX_PSEUDOWIRES 4 /* Ethernet in MPLS in Ethernet in ... */

enum udp_port {
    PORT_NETBIOS_NAME = 137,
    PORT_NETBIOS_DATAGRAM = 138,
    PORT_VXLAN = 4789,
    PORT_VXLAN_LINUX = 8472, /* Linux's default, from before IANA's number */
    PORT_GENEVE = 6081,
};

/* Two lengths, because a capture may hold less of a packet than the wire did. */
struct cursor {
    const uint8_t *p;
    const uint8_t *end; /* of the captured bytes that belong to the current layer */
    uint32_t wire;      /* bytes of the current layer from 'p' on, on the wire; never less than end - p */
    uint32_t n_pseudowires;
};

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t cursor_captured(const struct cursor *c)
{
    return (uint32_t)(c->end - c->p);
}

/* The next 'n' bytes, or NULL and the cursor stays where it is. */
static inline const void *cursor_try_pull(struct cursor *c, uint32_t n)
{
    const uint8_t *p = c->p;

    if (n > cursor_captured(c))
        return NULL;
    c->p += n;
    c->wire -= n;
    return p;
}

/* Why a pull of 'n' bytes failed: they were not captured, or they were never there, which is what 'bad' says. */
static inline enum packet_result cursor_shortage(const struct cursor *c, uint32_t n, enum packet_result bad)
{
    return n <= c->wire ? PACKET_CUT_HEADER : bad;
}

/* A header says how long its payload is.  More than the frame had is no contradiction: a mirror port that slices
 * packets gives the slice's length as the frame's. */
static inline void cursor_limit(struct cursor *c, uint32_t n)
{
    c->wire = n;
    if (n < cursor_captured(c))
        c->end = c->p + n;
}

/* link.c */
enum packet_result frame_decode(const struct frame *, bool as_carrier, struct packet *); /* the general way, of whatever */
enum packet_result ethernet_decode(struct cursor *, struct packet *);

/* ethertype.c */
enum packet_result ethertype_decode(struct cursor *, struct packet *, uint16_t ethertype);
enum packet_result llc_decode(struct cursor *, struct packet *);
enum packet_result ppp_decode(struct cursor *, struct packet *);
enum packet_result pppoe_decode(struct cursor *, struct packet *);

/* ip.c */
enum packet_result ipv4_decode(struct cursor *, struct packet *);
enum packet_result ipv6_decode(struct cursor *, struct packet *);
enum packet_result ip_decode(struct cursor *, struct packet *, enum packet_result neither); /* by the version nibble */
/* Reads over IPv6 extension headers and AH; 'protocol' is then what follows.  PACKET_OK: it may be decoded, unless
 * pkt->fragment_offset says that this is a later fragment. */
enum packet_result ip_skip_extensions(struct cursor *, struct packet *, uint8_t *protocol);
bool ipv6_is_mapped(const uint8_t address[16]);

/* transport.c */
static inline bool udp_port_is_netbios(uint16_t port)
{
    return port == PORT_NETBIOS_NAME || port == PORT_NETBIOS_DATAGRAM;
}
enum packet_result tcp_decode(struct cursor *, struct packet *);
enum packet_result udp_decode(struct cursor *, struct packet *);

/* icmp.c */
enum packet_result icmp_decode(struct cursor *, struct packet *);

/* tunnel.c */
enum packet_result tunnel_enter(struct packet *, enum packet_encap); /* PACKET_OK or PACKET_TOO_DEEP */
enum packet_result gre_decode(struct cursor *, struct packet *);
static inline bool udp_port_is_tunnel(uint16_t port)
{
    return port == PORT_VXLAN || port == PORT_GENEVE || port == PORT_VXLAN_LINUX;
}
/* True: the payload was a tunnel, and '*ret' is what became of the packet inside.  False: it is ordinary UDP. */
bool udp_tunnel_decode(const struct cursor *, struct packet *, enum packet_result *ret);

#endif
