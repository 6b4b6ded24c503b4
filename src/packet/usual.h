/* SPDX-License-Identifier: Apache-2.0 */
/* What the direct way of most frames (direct.c) and the general one share: fields of headers that are there.  Inline, for each packet has them noted. */
#ifndef PACKET_USUAL_H
#define PACKET_USUAL_H

#include <string.h>

#include "decode.h"
#include "wire.h"

enum { MORE_FRAGMENTS = 0x2000, OFFSET_MASK = 0x1fff };

uint32_t udp_hash_some(const struct packet *); /* transport.c: stands for a checksum that is not there */

/* The quote comes last and is filled for ICMP errors only: to clear it here would cost each packet.  In two pieces,
 * because gcc makes 'rep stos' of a longer memset(), which takes longer than they do. */
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

/* Both TCP and UDP begin with them. */
static inline void note_ports(struct packet *pkt, const uint8_t *header)
{
    pkt->sport = get_be16(header);
    pkt->dport = get_be16(header + 2);
}

/* The fixed header but for the ports. */
static inline void note_tcp(struct packet *pkt, const struct wire_tcp *h)
{
    pkt->tcp_seq = get_be32(h->seq);
    pkt->tcp_ack = get_be32(h->ack);
    pkt->tcp_flags = h->flags;
    pkt->tcp_window = get_be16(h->window);
    pkt->content = get_be16(h->checksum);
}

/* As addr_from_ipv4(), without the call: two for each packet can be measured. */
static inline void set_ipv4(struct addr *a, const uint8_t bytes[4])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(a->bytes, prefix, sizeof(prefix));
    memcpy(a->bytes + sizeof(prefix), bytes, 4);
}

static inline void note_ipv4(struct packet *pkt, const struct wire_ipv4 *h)
{
    set_ipv4(&pkt->src, h->src);
    set_ipv4(&pkt->dst, h->dst);
    pkt->ttl = h->ttl;
    pkt->ip_id = get_be16(h->id);
    pkt->transport = h->protocol;
}

/* Multicast, 255.255.255.255, and 127.255.255.255: 127/8 is one network, whatever the link (RFC 1122, 3.2.1.3). */
static inline bool is_ipv4_group(uint32_t dst)
{
    return dst >= UINT32_C(0xe0000000) ? dst <= UINT32_C(0xefffffff) || dst == UINT32_MAX : dst == UINT32_C(0x7fffffff);
}

#endif
