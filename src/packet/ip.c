/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 and IPv6, with their fragments and extension headers.
 *
 * Lengths: what an IP header says wins over the frame where it says less (the rest is padding of the link) and also
 * where it says more (a mirror port that slices packets); 0 is offload and means the frame's length.
 */
#include <string.h>

#include "usual.h"

enum { LARGEST_DATAGRAM = 65535 };

bool ipv6_is_mapped(const uint8_t address[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* 'wire_len' is the whole packet's, from its IP header on; the cursor is limited to it already. */
static void note_lengths(struct packet *pkt, const struct cursor *c, uint32_t wire_len)
{
    pkt->l3_wire_len = wire_len;
    pkt->l3_len = (uint32_t)(c->end - pkt->l3);
    if (pkt->l3_len < wire_len)
        pkt->flags |= PACKET_CUT;
}

static enum packet_result fragment_decode(struct cursor *c, struct packet *pkt, uint8_t protocol)
{
    pkt->payload = c->p;
    pkt->payload_len = cursor_captured(c);
    pkt->payload_wire_len = c->wire;
    switch (protocol) {
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return PACKET_ICMP;
    case PROTOCOL_IGMP:
        return PACKET_IGMP;
    case PROTOCOL_ESP:
        return PACKET_ENCRYPTED;
    default:
        return PACKET_FRAGMENT;
    }
}

static enum packet_result inner_ip_decode(struct cursor *c, struct packet *pkt, uint8_t protocol)
{
    enum packet_result r = tunnel_enter(pkt, ENCAP_IPIP);

    if (r != PACKET_OK)
        return r;
    return protocol == PROTOCOL_IPV4 ? ipv4_decode(c, pkt) : ipv6_decode(c, pkt);
}

static enum packet_result rare_protocol_decode(struct cursor *c, struct packet *pkt, uint8_t protocol)
{
    enum packet_result r = ip_skip_extensions(c, pkt, &protocol);

    pkt->transport = protocol;
    if (r != PACKET_OK)
        return r;
    if (pkt->fragment_offset != 0)
        return fragment_decode(c, pkt, protocol);

    bool is_ipv6 = pkt->flags & PACKET_IS_IPV6;
    switch (protocol) {
    case PROTOCOL_TCP:
        return tcp_decode(c, pkt);
    case PROTOCOL_UDP:
        return udp_decode(c, pkt);
    case PROTOCOL_ICMP:
        return is_ipv6 ? PACKET_OTHER_L4 : icmp_decode(c, pkt);
    case PROTOCOL_ICMPV6:
        return is_ipv6 ? icmp_decode(c, pkt) : PACKET_OTHER_L4;
    case PROTOCOL_IGMP:
        return is_ipv6 ? PACKET_OTHER_L4 : PACKET_IGMP;
    case PROTOCOL_ESP:
        return PACKET_ENCRYPTED;
    case PROTOCOL_IPV4:
    case PROTOCOL_IPV6:
        return inner_ip_decode(c, pkt, protocol);
    case PROTOCOL_GRE:
        return gre_decode(c, pkt);
    default:
        return PACKET_OTHER_L4;
    }
}

static enum packet_result protocol_decode(struct cursor *c, struct packet *pkt, uint8_t protocol)
{
    pkt->transport = protocol;
    if (protocol == PROTOCOL_TCP && pkt->fragment_offset == 0)
        return tcp_decode(c, pkt);
    if (protocol == PROTOCOL_UDP && pkt->fragment_offset == 0)
        return udp_decode(c, pkt);
    return rare_protocol_decode(c, pkt, protocol);
}

/* A fragment that would end behind the largest datagram is an attack on reassembly and nothing else. */
static bool note_fragment(struct packet *pkt, uint32_t id, uint32_t offset, bool more, uint32_t wire_len)
{
    pkt->fragment_id = id;
    pkt->fragment_offset = (uint16_t)offset;
    pkt->fragment_more = more;
    if (offset == 0 && more)
        pkt->flags |= PACKET_FIRST_FRAGMENT;
    return wire_len <= LARGEST_DATAGRAM - offset; /* a length of 32 bits, an offset of 16 */
}

enum packet_result ipv4_decode(struct cursor *c, struct packet *pkt)
{
    pkt->l3 = c->p;
    uint32_t frame_len = c->wire;
    const struct wire_ipv4 *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_IPV4);

    uint32_t header_len = (h->version_ihl & 0x0fu) * 4;
    uint32_t total_len = get_be16(h->total_length);
    if (total_len == 0)
        total_len = frame_len;
    if (h->version_ihl >> 4 != 4 || header_len < sizeof(*h) || total_len < header_len)
        return PACKET_BAD_IPV4;
    cursor_limit(c, total_len - (uint32_t)sizeof(*h));
    note_lengths(pkt, c, total_len);

    note_ipv4(pkt, h);
    if (is_ipv4_group(get_be32(h->dst)))
        pkt->flags |= PACKET_GROUP;

    if (cursor_try_pull(c, header_len - (uint32_t)sizeof(*h)) == NULL)
        return PACKET_CUT_HEADER;
    unsigned fragment = get_be16(h->fragment);
    if ((fragment & (MORE_FRAGMENTS | OFFSET_MASK)) != 0 &&
        !note_fragment(pkt, pkt->ip_id, (fragment & OFFSET_MASK) * 8, fragment & MORE_FRAGMENTS, c->wire))
        return PACKET_BAD_IPV4;
    return protocol_decode(c, pkt, h->protocol);
}

/* The jumbo payload option (RFC 2675) of a hop-by-hop header at the cursor; 0 where there is none. */
static uint32_t jumbo_length(const struct cursor *c)
{
    enum { OPTION_PAD1 = 0, OPTION_JUMBO = 0xc2 };

    if (cursor_captured(c) < 8)
        return 0;
    const uint8_t *p = c->p + 2;
    size_t left = (c->p[1] + 1u) * 8;
    left = (left < cursor_captured(c) ? left : cursor_captured(c)) - 2;
    while (left > 0) {
        if (*p == OPTION_PAD1) {
            p++, left--;
            continue;
        }
        if (left < 2 || left - 2 < p[1])
            return 0;
        if (*p == OPTION_JUMBO && p[1] == 4)
            return get_be32(p + 2);
        left -= 2u + p[1];
        p += 2 + p[1];
    }
    return 0;
}

/* Length of what follows the fixed header; false where the header contradicts itself. */
static bool ipv6_payload_length(const struct cursor *c, const struct wire_ipv6 *h, uint32_t *ret)
{
    *ret = get_be16(h->payload_length);
    if (*ret != 0 || h->next_header == PROTOCOL_NONE)
        return true;
    *ret = h->next_header == PROTOCOL_HOP_BY_HOP ? jumbo_length(c) : 0;
    if (*ret != 0)
        return *ret > LARGEST_DATAGRAM && *ret <= UINT32_MAX - sizeof(*h);
    *ret = c->wire;
    return true;
}

enum packet_result ipv6_decode(struct cursor *c, struct packet *pkt)
{
    pkt->l3 = c->p;
    const struct wire_ipv6 *h = cursor_try_pull(c, sizeof(*h));
    uint32_t payload_len;
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_IPV6);
    if (h->version_class_flow[0] >> 4 != 6 || !ipv6_payload_length(c, h, &payload_len))
        return PACKET_BAD_IPV6;
    cursor_limit(c, payload_len);
    note_lengths(pkt, c, payload_len + (uint32_t)sizeof(*h));

    pkt->flags |= PACKET_IS_IPV6;
    memcpy(pkt->src.bytes, h->src, sizeof(h->src));
    memcpy(pkt->dst.bytes, h->dst, sizeof(h->dst));
    pkt->ttl = h->hop_limit;
    pkt->transport = h->next_header;
    if (h->dst[0] == 0xff)
        pkt->flags |= PACKET_GROUP;
    if (ipv6_is_mapped(h->src) || ipv6_is_mapped(h->dst))
        return PACKET_MAPPED;
    return protocol_decode(c, pkt, h->next_header);
}

enum packet_result ip_decode(struct cursor *c, struct packet *pkt, enum packet_result neither)
{
    if (cursor_captured(c) == 0)
        return cursor_shortage(c, 1, neither);
    switch (*c->p >> 4) {
    case 4:
        return ipv4_decode(c, pkt);
    case 6:
        return ipv6_decode(c, pkt);
    default:
        return neither;
    }
}

static bool is_ipv6_extension(uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_HOP_BY_HOP:
    case PROTOCOL_ROUTING:
    case PROTOCOL_FRAGMENT:
    case PROTOCOL_DESTINATION:
    case PROTOCOL_MOBILITY:
    case PROTOCOL_HIP:
    case PROTOCOL_SHIM6:
        return true;
    default:
        return false;
    }
}

/* An atomic fragment (RFC 6946: offset 0, no more) is a whole packet. */
static bool skip_fragment_header(const struct cursor *c, struct packet *pkt, const void *header)
{
    const struct wire_ipv6_fragment *h = header;
    unsigned offset_more = get_be16(h->offset_more);

    pkt->ip_id = get_be16(h->id + 2);
    return note_fragment(pkt, get_be32(h->id), offset_more & ~7u, offset_more & 1, c->wire);
}

enum packet_result ip_skip_extensions(struct cursor *c, struct packet *pkt, uint8_t *protocol)
{
    bool is_ipv6 = pkt->flags & PACKET_IS_IPV6;
    enum packet_result bad = is_ipv6 ? PACKET_BAD_IPV6 : PACKET_BAD_IPV4;

    for (unsigned n = 0; pkt->fragment_offset == 0; n++) {
        if (*protocol != PROTOCOL_AH && !(is_ipv6 && is_ipv6_extension(*protocol)))
            break;
        if (n == PACKET_MAX_EXT_HEADERS)
            return PACKET_TOO_DEEP;
        const struct wire_ipv6_extension *h = cursor_try_pull(c, sizeof(*h));
        if (h == NULL)
            return cursor_shortage(c, sizeof(*h), bad);

        uint32_t rest = h->length * 8u;
        if (*protocol == PROTOCOL_AH) { /* in units of four bytes, less two (RFC 4302): 8 bytes are 0 */
            rest = h->length * 4u;
        } else if (*protocol == PROTOCOL_FRAGMENT) {
            if (!skip_fragment_header(c, pkt, h))
                return bad;
            rest = 0;
        }
        if (cursor_try_pull(c, rest) == NULL)
            return cursor_shortage(c, rest, bad);
        *protocol = h->next_header;
    }
    return PACKET_OK;
}
