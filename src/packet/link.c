/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first header of a frame, by the link type of its interface (tcpdump.org/linktypes.html).
 *
 * Frames of wireless interfaces are refused on purpose: they are encrypted or repeated, and a span port has none.
 */
#include <string.h>

#include "usual.h"

enum { SLL_HOST = 0, SLL_BROADCAST = 1, SLL_MULTICAST = 2, SLL_OTHER_HOST = 3, SLL_OUTGOING = 4 };
enum { CHDLC_UNICAST = 0x0f, CHDLC_MULTICAST = 0x8f };
enum { NFULA_PAYLOAD = 9, NFLOG_MAX_ATTRIBUTES = 64 };

enum packet_result ethernet_decode(struct cursor *c, struct packet *pkt)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    const struct wire_ethernet *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);

    pkt->to_station = (h->dst[0] & 1) == 0;
    pkt->flags = 0; /* a pseudowire may have led here from another Ethernet header */
    if (h->dst[0] & 1) {
        pkt->flags |= PACKET_LINK_GROUP;
        if (memcmp(h->dst, broadcast, sizeof(broadcast)) == 0)
            pkt->flags |= PACKET_LINK_BROADCAST;
    }
    return ethertype_decode(c, pkt, get_be16(h->type));
}

static void note_sll_packet_type(struct packet *pkt, unsigned packet_type)
{
    if (packet_type == SLL_BROADCAST)
        pkt->flags |= PACKET_LINK_GROUP | PACKET_LINK_BROADCAST;
    else if (packet_type == SLL_MULTICAST)
        pkt->flags |= PACKET_LINK_GROUP;
    else if (packet_type == SLL_HOST || packet_type == SLL_OTHER_HOST)
        pkt->to_station = true;
    else if (packet_type == SLL_OUTGOING)
        pkt->point |= POINT_OUT;
}

/* Values under ETHERTYPE_LOWEST are Linux's own names of frame formats here (1: 802.3, 4: 802.2), not lengths. */
static enum packet_result sll_protocol_decode(struct cursor *c, struct packet *pkt, uint16_t protocol)
{
    enum { LINUX_802_2 = 4 };

    if (protocol == LINUX_802_2)
        return llc_decode(c, pkt);
    return protocol < ETHERTYPE_LOWEST ? PACKET_OTHER_L2 : ethertype_decode(c, pkt, protocol);
}

static enum packet_result sll_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_sll *h = cursor_try_pull(c, sizeof(*h));

    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);
    pkt->point |= POINT_VAGUE;
    note_sll_packet_type(pkt, get_be16(h->packet_type));
    return sll_protocol_decode(c, pkt, get_be16(h->protocol));
}

static enum packet_result sll2_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_sll2 *h = cursor_try_pull(c, sizeof(*h));

    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);
    packet_point_add(pkt, get_be32(h->interface));
    note_sll_packet_type(pkt, h->packet_type);
    return sll_protocol_decode(c, pkt, get_be16(h->protocol));
}

/* Address families differ between systems: Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin. */
static enum packet_result family_decode(struct cursor *c, struct packet *pkt, uint32_t family)
{
    switch (family) {
    case 2:
        return ipv4_decode(c, pkt);
    case 10:
    case 23:
    case 24:
    case 28:
    case 30:
        return ipv6_decode(c, pkt);
    default:
        return PACKET_OTHER_L2;
    }
}

/* The family is in the byte order of the machine that captured: families are small, so the other order is plain.  Some
 * drivers put an EtherType into the last two bytes instead. */
static enum packet_result null_decode(struct cursor *c, struct packet *pkt)
{
    const uint8_t *h = cursor_try_pull(c, 4);

    if (h == NULL)
        return cursor_shortage(c, 4, PACKET_BAD_LINK);
    uint32_t family = get_le32(h);
    if (family <= UINT16_MAX)
        return family_decode(c, pkt, family);
    uint16_t ethertype = get_be16(h + 2);
    return ethertype >= ETHERTYPE_LOWEST ? ethertype_decode(c, pkt, ethertype) : family_decode(c, pkt, get_be32(h));
}

static enum packet_result loop_decode(struct cursor *c, struct packet *pkt)
{
    const uint8_t *h = cursor_try_pull(c, 4);

    if (h == NULL)
        return cursor_shortage(c, 4, PACKET_BAD_LINK);
    return family_decode(c, pkt, get_be32(h));
}

static enum packet_result raw_decode(struct cursor *c, struct packet *pkt)
{
    return ip_decode(c, pkt, PACKET_BAD_LINK);
}

static enum packet_result chdlc_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_chdlc *h = cursor_try_pull(c, sizeof(*h));

    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);
    uint16_t protocol = get_be16(h->protocol);
    if (protocol == ETHERTYPE_RARP) /* on this link the number stands for Cisco's keep-alive, SLARP */
        return PACKET_OTHER_L2;
    return protocol < ETHERTYPE_LOWEST ? PACKET_OTHER_L2 : ethertype_decode(c, pkt, protocol);
}

static enum packet_result ppp_hdlc_decode(struct cursor *c, struct packet *pkt)
{
    if (cursor_captured(c) > 0 && (*c->p == CHDLC_UNICAST || *c->p == CHDLC_MULTICAST))
        return chdlc_decode(c, pkt);
    return ppp_decode(c, pkt);
}

/* Attributes are in the byte order of the machine that captured; their types are small numbers, so the first one
 * tells which order that is. */
static enum packet_result nflog_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_nflog *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);

    pkt->point |= POINT_VAGUE; /* of whatever chains and interfaces the rules say */
    bool big_endian = cursor_captured(c) >= 4 && c->p[3] != 0 && c->p[2] == 0;
    for (unsigned i = 0; i < NFLOG_MAX_ATTRIBUTES; i++) {
        const uint8_t *a = cursor_try_pull(c, 4);
        if (a == NULL)
            return c->wire == 0 ? PACKET_OTHER_L2 : cursor_shortage(c, 4, PACKET_BAD_LINK);

        uint32_t length = big_endian ? get_be16(a) : get_le16(a);
        uint16_t type = big_endian ? get_be16(a + 2) : get_le16(a + 2);
        if (length < 4)
            return PACKET_BAD_LINK;
        length -= 4;
        if (type == NFULA_PAYLOAD) {
            cursor_limit(c, length);
            return family_decode(c, pkt, h->family);
        }
        uint32_t padded = (length + 3) & ~3u;
        if (cursor_try_pull(c, padded) == NULL)
            return cursor_shortage(c, padded, PACKET_BAD_LINK);
    }
    return PACKET_BAD_LINK;
}

typedef enum packet_result link_decode_fn(struct cursor *, struct packet *);

static link_decode_fn *link_decoder(uint16_t linktype)
{
    static const struct {
        uint16_t linktype;
        link_decode_fn *decode;
    } table[] = {
        {LINKTYPE_ETHERNET, ethernet_decode},
        {LINKTYPE_LINUX_SLL, sll_decode},
        {LINKTYPE_LINUX_SLL2, sll2_decode},
        {LINKTYPE_RAW, raw_decode},
        {LINKTYPE_RAW_12, raw_decode},
        {LINKTYPE_RAW_14, raw_decode},
        {LINKTYPE_IPV4, ipv4_decode},
        {LINKTYPE_IPV6, ipv6_decode},
        {LINKTYPE_NULL, null_decode},
        {LINKTYPE_LOOP, loop_decode},
        {LINKTYPE_PPP, ppp_decode},
        {LINKTYPE_PPP_HDLC, ppp_hdlc_decode},
        {LINKTYPE_PPP_ETHER, pppoe_decode},
        {LINKTYPE_C_HDLC, chdlc_decode},
        {LINKTYPE_NFLOG, nflog_decode},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].linktype == linktype)
            return table[i].decode;
    return NULL;
}

bool packet_linktype_known(uint16_t linktype)
{
    return link_decoder(linktype) != NULL;
}

enum packet_result frame_decode(const struct frame *frame, bool as_carrier, struct packet *ret)
{
    begin_packet(ret, frame);
    ret->is_carrier = as_carrier;

    if (frame->caplen == 0)
        return PACKET_EMPTY;
    link_decode_fn *decode = link_decoder(frame->linktype);
    if (decode == NULL)
        return PACKET_LINKTYPE;

    struct cursor c = {.p = frame->data, .end = frame->data + frame->caplen, .wire = frame->wirelen};
    if (c.wire < frame->caplen)
        c.wire = frame->caplen;
    return decode(&c, ret);
}

enum packet_result packet_decode_carrier(const struct frame *frame, struct packet *ret)
{
    return frame_decode(frame, true, ret);
}
