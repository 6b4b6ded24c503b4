/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of most frames: Ethernet to one station, IPv4 without options and no fragment, TCP or UDP of which the header was captured and contradicts
 * nothing.  With no more to be asked than whether a frame is of these, it takes half of the instructions of the general way.  Whatever is out of the ordinary goes the
 * general way, from its first byte, and nothing is decided about it here.  What goes this way comes out as it would there: tests and the fuzzer hold one to
 * the other (packet_decode_carrier() always goes the general way).
 */
#include "usual.h"

enum { VERSION_4_WITHOUT_OPTIONS = 0x45 };

struct wire_usual {
    struct wire_ethernet ethernet;
    struct wire_ipv4     ip;
    struct wire_tcp      tcp; /* or UDP, with something behind it */
};

static_assert(sizeof(struct wire_usual) == 54, "Ethernet, IPv4, TCP");

static inline bool is_usual(const struct frame *f, const struct wire_usual *h)
{
    return f->linktype == LINKTYPE_ETHERNET && f->caplen >= sizeof(*h) && (h->ethernet.dst[0] & 1) == 0 &&
           get_be16(h->ethernet.type) == ETHERTYPE_IPV4 && h->ip.version_ihl == VERSION_4_WITHOUT_OPTIONS &&
           (get_be16(h->ip.fragment) & (MORE_FRAGMENTS | OFFSET_MASK)) == 0;
}

static inline void set_payload(struct packet *pkt, const void *p, uint32_t len, uint32_t wire_len)
{
    pkt->payload = p;
    pkt->payload_len = len;
    pkt->payload_wire_len = wire_len;
}

/* 'len' bytes were captured from the transport header on, of 'wire_len'.  False: not the usual. */
static inline bool direct_tcp(struct packet *pkt, const struct wire_tcp *h, uint32_t len, uint32_t wire_len)
{
    uint32_t header_len = (h->offset >> 4) * 4u;

    if (header_len < sizeof(*h) || header_len > len)
        return false;
    note_ports(pkt, (const uint8_t *)h);
    note_tcp(pkt, h);
    set_payload(pkt, (const uint8_t *)h + header_len, len - header_len, wire_len - header_len);
    return true;
}

static inline bool direct_udp(struct packet *pkt, const struct wire_udp *h, uint32_t len, uint32_t wire_len)
{
    uint32_t length = get_be16(h->length);

    note_ports(pkt, (const uint8_t *)h);
    pkt->content = get_be16(h->checksum);
    if (len < sizeof(*h) || length < sizeof(*h) || length > wire_len || udp_port_is_netbios(pkt->dport) || udp_port_is_tunnel(pkt->dport))
        return false;
    set_payload(pkt, h + 1, (len < length ? len : length) - (uint32_t)sizeof(*h), length - (uint32_t)sizeof(*h));
    if (pkt->content == 0)
        pkt->content = udp_hash_some(pkt);
    return true;
}

static inline bool direct_decode(const struct frame *f, struct packet *pkt)
{
    const struct wire_usual *h = (const void *)f->data;

    if (!is_usual(f, h))
        return false;
    uint32_t wire_len = get_be16(h->ip.total_length), len = f->caplen - (uint32_t)sizeof(h->ethernet);
    if (len > wire_len) /* the rest is padding */
        len = wire_len;
    if (len < sizeof(h->ip) + sizeof(struct wire_udp))
        return false;
    begin_packet(pkt, f);
    pkt->to_station = true;
    pkt->l3 = (const uint8_t *)&h->ip;
    pkt->l3_len = len;
    pkt->l3_wire_len = wire_len;
    pkt->flags = (uint16_t)((len < wire_len ? PACKET_CUT : 0) | (is_ipv4_group(get_be32(h->ip.dst)) ? PACKET_GROUP : 0));
    note_ipv4(pkt, &h->ip);
    len -= (uint32_t)sizeof(h->ip);
    wire_len -= (uint32_t)sizeof(h->ip);
    if (h->ip.protocol == PROTOCOL_TCP)
        return direct_tcp(pkt, &h->tcp, len, wire_len);
    return h->ip.protocol == PROTOCOL_UDP && direct_udp(pkt, (const void *)&h->tcp, len, wire_len);
}

enum packet_result packet_decode(const struct frame *frame, struct packet *ret)
{
    return direct_decode(frame, ret) ? PACKET_OK : frame_decode(frame, false, ret);
}
