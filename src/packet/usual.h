/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4, TCP and UDP, which nearly every packet has, and what of them the direct way (direct.c) and the general one share.  Inline, so that a frame of
 * Ethernet goes through them with its cursor in registers; the functions of the same names without '_inline' (decode.h) are these, called, for packets
 * that come another way.  What is rare is called with a copy of the cursor: one whose address is taken lies in memory.
 *
 * Lengths: what an IP header says wins over the frame where it says less (the rest is padding of the link) and also
 * where it says more (a mirror port that slices packets); 0 is offload and means the frame's length.
 *
 * A packet whose ports were captured reaches its flow even where the rest of the header was not, because of a short
 * snap length or because it is in the next fragment.  A header that contradicts its IP packet is malformed: the host
 * that it is addressed to drops it too.
 */
#ifndef PACKET_USUAL_H
#define PACKET_USUAL_H

#include <string.h>

#include "decode.h"
#include "wire.h"

#define PACKET_USUAL inline __attribute__((always_inline)) /* they are long, and gcc would call them */

enum { MORE_FRAGMENTS = 0x2000, OFFSET_MASK = 0x1fff };
enum { LARGEST_DATAGRAM = 65535 };
enum { PORTS_SIZE = 4 };

/* transport.c: the rare of them */
enum packet_result tcp_decode_short(struct cursor *, struct packet *); /* ports are there and the end of the fixed header is not */
uint32_t           udp_hash_some(const struct packet *);
enum packet_result udp_decode_rest(struct cursor *, struct packet *); /* the payload is at the cursor, and noted: what else is to be known of it */

/* ip.c: the same of IP */
enum packet_result rare_protocol_decode(struct cursor *, struct packet *, uint8_t protocol);
enum packet_result ipv4_fragment_decode(struct cursor *, struct packet *, const struct wire_ipv4 *);

/* The quote comes last and is filled for ICMP errors only: to clear it here would cost each packet.  In two pieces,
 * because gcc makes 'rep stos' of a longer memset(), which takes 3 of 19 ns longer. */
static inline void clear_packet(struct packet *pkt)
{
    enum { PIECE = 64, SIZE = offsetof(struct packet, quote) };

    static_assert(SIZE > PIECE && SIZE <= 2 * PIECE, "two pieces");
    memset(pkt, 0, PIECE);
    memset((uint8_t *)pkt + PIECE, 0, SIZE - PIECE);
}

/* What the frame itself tells. */
static inline void begin_packet(struct packet *ret, const struct frame *frame)
{
    clear_packet(ret);
    ret->ts_ns = frame->ts_ns;
    ret->number = frame->number;
    ret->wire_len = frame->wirelen;
    packet_point_add(ret, frame->interface_id * 29u); /* apart from the numbers that systems give their interfaces */
}

static PACKET_USUAL void note_payload(struct packet *pkt, const struct cursor *c)
{
    pkt->payload = c->p;
    pkt->payload_len = cursor_captured(c);
    pkt->payload_wire_len = c->wire;
}

/* Over a header of 'n' bytes; what was not captured of it, or is in the next fragment, is missing from the payload's lengths. */
static PACKET_USUAL void skip_header(struct cursor *c, uint32_t n)
{
    if (n > cursor_captured(c)) {
        c->wire = n < c->wire ? c->wire - n : 0;
        c->p = c->end;
    } else {
        cursor_pull(c, n);
    }
}

/* Both TCP and UDP begin with them. */
static PACKET_USUAL void note_ports(struct packet *pkt, const uint8_t *header)
{
    pkt->sport = get_be16(header);
    pkt->dport = get_be16(header + 2);
}

/* The fixed header but for the ports. */
static PACKET_USUAL void note_tcp(struct packet *pkt, const struct wire_tcp *h)
{
    pkt->tcp_seq = get_be32(h->seq);
    pkt->tcp_ack = get_be32(h->ack);
    pkt->tcp_flags = h->flags;
    pkt->tcp_window = get_be16(h->window);
    pkt->content = get_be16(h->checksum);
}

static PACKET_USUAL enum packet_result tcp_decode_inline(struct cursor *c, struct packet *pkt, bool is_fragment)
{
    if (c->wire < sizeof(struct wire_tcp) && !is_fragment)
        return PACKET_BAD_TCP;
    if (cursor_captured(c) < PORTS_SIZE)
        return cursor_shortage(c, PORTS_SIZE, PACKET_BAD_TCP);
    const struct wire_tcp *h = (const void *)c->p;
    note_ports(pkt, c->p);
    if (cursor_captured(c) < sizeof(*h)) {
        struct cursor copy = cursor_copy(c);
        return tcp_decode_short(&copy, pkt);
    }

    uint32_t header_len = (h->offset >> 4) * 4u;
    if (header_len < sizeof(*h) || (header_len > c->wire && !is_fragment))
        return PACKET_BAD_TCP;
    note_tcp(pkt, h);
    skip_header(c, header_len);
    note_payload(pkt, c);
    return PACKET_OK;
}

/* What the length field leaves of the datagram; false where it contradicts the IP packet. */
static PACKET_USUAL bool udp_limit(struct cursor *c, uint32_t length, bool is_fragment)
{
    if (length == 0 && c->wire > UINT16_MAX) /* jumbogram (RFC 2675, 4) or offload */
        return true;
    if (length < sizeof(struct wire_udp))
        return false;
    if (is_fragment)
        return true;
    if (length > c->wire)
        return false;
    cursor_limit(c, length);
    return true;
}

static PACKET_USUAL enum packet_result udp_decode_inline(struct cursor *c, struct packet *pkt, bool is_fragment)
{
    if (c->wire < sizeof(struct wire_udp) && !is_fragment)
        return PACKET_BAD_UDP;
    if (cursor_captured(c) < PORTS_SIZE)
        return cursor_shortage(c, PORTS_SIZE, PACKET_BAD_UDP);
    const struct wire_udp *h = (const void *)c->p;
    note_ports(pkt, c->p);
    if (cursor_captured(c) >= offsetof(struct wire_udp, checksum) && !udp_limit(c, get_be16(h->length), is_fragment))
        return PACKET_BAD_UDP;
    if (cursor_captured(c) >= sizeof(*h))
        pkt->content = get_be16(h->checksum);
    skip_header(c, sizeof(*h));
    note_payload(pkt, c);
    if (pkt->content != 0 && !udp_port_is_netbios(pkt->dport) && !udp_port_is_tunnel(pkt->dport))
        return PACKET_OK;
    struct cursor copy = cursor_copy(c);
    return udp_decode_rest(&copy, pkt);
}

/* Of a packet that is no fragment, as far as the headers so far tell. */
static PACKET_USUAL enum packet_result protocol_decode_inline(struct cursor *c, struct packet *pkt, uint8_t protocol)
{
    pkt->transport = protocol;
    if (protocol == PROTOCOL_TCP)
        return tcp_decode_inline(c, pkt, false);
    if (protocol == PROTOCOL_UDP)
        return udp_decode_inline(c, pkt, false);
    struct cursor copy = cursor_copy(c);
    return rare_protocol_decode(&copy, pkt, protocol);
}

/* As addr_from_ipv4(), without the call: two for each packet can be measured. */
static PACKET_USUAL void set_ipv4(struct addr *a, const uint8_t bytes[4])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(a->bytes, prefix, sizeof(prefix));
    memcpy(a->bytes + sizeof(prefix), bytes, 4);
}

static PACKET_USUAL void note_ipv4(struct packet *pkt, const struct wire_ipv4 *h)
{
    set_ipv4(&pkt->src, h->src);
    set_ipv4(&pkt->dst, h->dst);
    pkt->ttl = h->ttl;
    pkt->ip_id = get_be16(h->id);
    pkt->transport = h->protocol;
}

/* 'wire_len' is the whole packet's, from its IP header on; the cursor is limited to it already. */
static PACKET_USUAL void note_lengths(struct packet *pkt, const struct cursor *c, uint32_t wire_len)
{
    pkt->l3_wire_len = wire_len;
    pkt->l3_len = (uint32_t)(c->end - pkt->l3);
    if (pkt->l3_len < wire_len)
        pkt->flags |= PACKET_CUT;
}

/* Multicast, 255.255.255.255, and 127.255.255.255: 127/8 is one network, whatever the link (RFC 1122, 3.2.1.3). */
static PACKET_USUAL bool is_ipv4_group(uint32_t dst)
{
    return dst >= UINT32_C(0xe0000000) ? dst <= UINT32_C(0xefffffff) || dst == UINT32_MAX : dst == UINT32_C(0x7fffffff);
}

static PACKET_USUAL enum packet_result ipv4_decode_inline(struct cursor *c, struct packet *pkt)
{
    const struct wire_ipv4 *h = (const void *)c->p;
    uint32_t                frame_len = c->wire;

    pkt->l3 = c->p;
    if (cursor_captured(c) < sizeof(*h))
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_IPV4);
    cursor_pull(c, sizeof(*h));

    uint32_t header_len = (h->version_ihl & 0x0fu) * 4, total_len = get_be16(h->total_length), dst = get_be32(h->dst);
    uint8_t  protocol = h->protocol;
    if (total_len == 0)
        total_len = frame_len;
    if (h->version_ihl >> 4 != 4 || header_len < sizeof(*h) || total_len < header_len)
        return PACKET_BAD_IPV4;
    cursor_limit(c, total_len - (uint32_t)sizeof(*h));
    note_lengths(pkt, c, total_len);

    note_ipv4(pkt, h);
    if (is_ipv4_group(dst))
        pkt->flags |= PACKET_GROUP;

    if (header_len != sizeof(*h)) {
        if (cursor_captured(c) < header_len - (uint32_t)sizeof(*h))
            return PACKET_CUT_HEADER;
        cursor_pull(c, header_len - (uint32_t)sizeof(*h));
    }
    if ((get_be16(h->fragment) & (MORE_FRAGMENTS | OFFSET_MASK)) != 0) {
        struct cursor copy = cursor_copy(c);
        return ipv4_fragment_decode(&copy, pkt, h);
    }
    return protocol_decode_inline(c, pkt, protocol);
}

#endif
