/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP and UDP.
 *
 * A packet whose ports were captured reaches its flow even where the rest of the header was not, because of a short
 * snap length or because it is in the next fragment.  A header that contradicts its IP packet is malformed: the host
 * that it is addressed to drops it too.
 */
#include "usual.h"

enum { PORTS_SIZE = 4 };

static void note_payload(struct packet *pkt, const struct cursor *c)
{
    pkt->payload = c->p;
    pkt->payload_len = cursor_captured(c);
    pkt->payload_wire_len = c->wire;
}

/* Ports are there and the end of the fixed header is not: as many fields as there are. */
static enum packet_result tcp_decode_short(struct cursor *c, struct packet *pkt)
{
    const struct wire_tcp *h = (const void *)c->p;
    uint32_t n = cursor_captured(c);

    if (n >= offsetof(struct wire_tcp, ack))
        pkt->tcp_seq = get_be32(h->seq);
    if (n >= offsetof(struct wire_tcp, offset))
        pkt->tcp_ack = get_be32(h->ack);
    if (n >= offsetof(struct wire_tcp, window))
        pkt->tcp_flags = h->flags;
    else
        pkt->flags |= PACKET_FLAGS_CUT;
    if (n >= offsetof(struct wire_tcp, checksum))
        pkt->tcp_window = get_be16(h->window);
    if (n >= offsetof(struct wire_tcp, urgent))
        pkt->content = get_be16(h->checksum);

    pkt->payload = c->end;
    pkt->payload_len = 0;
    pkt->payload_wire_len = 0; /* not known without the header's length */
    if (n > offsetof(struct wire_tcp, offset)) {
        uint32_t header_len = (h->offset >> 4) * 4u;
        if (header_len < sizeof(*h))
            return PACKET_BAD_TCP;
        pkt->payload_wire_len = header_len < c->wire ? c->wire - header_len : 0;
    }
    return PACKET_OK;
}

enum packet_result tcp_decode(struct cursor *c, struct packet *pkt)
{
    bool is_fragment = pkt->flags & PACKET_FIRST_FRAGMENT;

    if (c->wire < sizeof(struct wire_tcp) && !is_fragment)
        return PACKET_BAD_TCP;
    if (cursor_captured(c) < PORTS_SIZE)
        return cursor_shortage(c, PORTS_SIZE, PACKET_BAD_TCP);
    const struct wire_tcp *h = (const void *)c->p;
    note_ports(pkt, c->p);
    if (cursor_captured(c) < sizeof(*h))
        return tcp_decode_short(c, pkt);

    uint32_t header_len = (h->offset >> 4) * 4u;
    if (header_len < sizeof(*h) || (header_len > c->wire && !is_fragment))
        return PACKET_BAD_TCP;
    note_tcp(pkt, h);
    if (cursor_try_pull(c, header_len) == NULL) { /* options cut */
        c->wire = header_len < c->wire ? c->wire - header_len : 0;
        c->p = c->end;
    }
    note_payload(pkt, c);
    return PACKET_OK;
}

static uint64_t load(const uint8_t *p, uint32_t n)
{
    uint64_t word = 0;

    if (n >= sizeof(word)) /* of known size, no call is left */
        memcpy(&word, p, sizeof(word));
    else
        memcpy(&word, p, n);
    return word;
}

/* Sixteen bytes and the last eight tell media packets apart by their sequence numbers and times.  Where the end is cut off, how much there is
 * may depend on tags, of which a copy may have others: then it is the first eight alone. */
uint32_t udp_hash_some(const struct packet *pkt)
{
    const uint8_t *p = pkt->payload;
    uint32_t       n = pkt->payload_len;
    bool           cut = n < pkt->payload_wire_len;

    if (n == 0 || (cut && n < sizeof(uint64_t)))
        return 0;
    uint64_t hash = load(p, n) * UINT64_C(0x9e3779b97f4a7c15);
    if (!cut && n > sizeof(uint64_t))
        hash += load(p + 8, n - 8) * UINT64_C(0xc2b2ae3d27d4eb4f) + load(p + n - 8, 8) * UINT64_C(0x165667b19e3779f9);
    return (uint32_t)(hash >> 32);
}

/*
 * Where there is no link layer to tell, and no mask: NetBIOS says of its own packets that they are broadcasts (RFC 1002, 4.2.1.1: B of NM_FLAGS, of a
 * request; 4.4.1: to a group, to all).  It is believed for addresses that look it, since scanners of single hosts set B too.
 */
static bool is_netbios_broadcast(const struct packet *pkt)
{
    enum { RESPONSE = 0x80, B = 0x10, DIRECT_GROUP = 0x11, BROADCAST = 0x12 };
    const uint8_t *p = pkt->payload;

    if (!udp_port_is_netbios(pkt->dport) || !addr_is_ipv4(&pkt->dst) || pkt->dst.bytes[15] != 255 || pkt->payload_len < 4)
        return false;
    if (pkt->dport == PORT_NETBIOS_NAME)
        return (p[2] & RESPONSE) == 0 && (p[3] & B) != 0;
    return p[0] == DIRECT_GROUP || p[0] == BROADCAST;
}

/* What the length field leaves of the datagram; false where it contradicts the IP packet. */
static bool udp_limit(struct cursor *c, const struct packet *pkt, uint32_t length)
{
    if (length == 0 && c->wire > UINT16_MAX) /* jumbogram (RFC 2675, 4) or offload */
        return true;
    if (length < sizeof(struct wire_udp))
        return false;
    if (pkt->flags & PACKET_FIRST_FRAGMENT)
        return true;
    if (length > c->wire)
        return false;
    cursor_limit(c, length);
    return true;
}

enum packet_result udp_decode(struct cursor *c, struct packet *pkt)
{
    bool is_fragment = pkt->flags & PACKET_FIRST_FRAGMENT;

    if (c->wire < sizeof(struct wire_udp) && !is_fragment)
        return PACKET_BAD_UDP;
    if (cursor_captured(c) < PORTS_SIZE)
        return cursor_shortage(c, PORTS_SIZE, PACKET_BAD_UDP);
    const struct wire_udp *h = (const void *)c->p;
    note_ports(pkt, c->p);
    if (cursor_captured(c) >= offsetof(struct wire_udp, checksum) && !udp_limit(c, pkt, get_be16(h->length)))
        return PACKET_BAD_UDP;
    if (cursor_captured(c) >= sizeof(*h))
        pkt->content = get_be16(h->checksum);
    if (cursor_try_pull(c, sizeof(*h)) == NULL) {
        c->wire = c->wire > sizeof(*h) ? c->wire - (uint32_t)sizeof(*h) : 0;
        c->p = c->end;
    }
    note_payload(pkt, c);
    if (is_netbios_broadcast(pkt))
        pkt->flags |= PACKET_GROUP;
    if (pkt->content == 0)
        pkt->content = udp_hash_some(pkt);

    enum packet_result inner;
    if (udp_port_is_tunnel(pkt->dport) && !pkt->is_carrier && udp_tunnel_decode(c, pkt, &inner))
        return inner;
    return PACKET_OK;
}
