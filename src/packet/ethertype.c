/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a link header and IP: tags, labels, LLC, PPP and PPPoE. */
#include <string.h>

#include "decode.h"
#include "wire.h"

#define MPLS_MAX_LABELS 16

static bool is_vlan_tag(uint16_t ethertype)
{
    return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ || ethertype == ETHERTYPE_QINQ_9100 ||
           ethertype == ETHERTYPE_QINQ_9200;
}

/* Reads all tags; 'ethertype' is then the one behind the last. */
static enum packet_result vlan_skip(struct cursor *c, struct packet *pkt, uint16_t *ethertype)
{
    for (unsigned n = 0; is_vlan_tag(*ethertype); n++) {
        if (n == PACKET_MAX_TAGS)
            return PACKET_TOO_DEEP;
        const struct wire_vlan *h = cursor_try_pull(c, sizeof(*h));
        if (h == NULL)
            return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);

        uint16_t id = get_be16(h->tci) & 0x0fff;
        if (id != 0) /* 0 is a tag that gives a priority only */
            pkt->vlan = id;
        pkt->encap |= n == 0 ? ENCAP_VLAN : ENCAP_QINQ;
        *ethertype = get_be16(h->type);
    }
    return PACKET_OK;
}

/* Does an Ethernet header with IP, a tag or a label behind it begin at 'offset'?  Nothing in MPLS says so. */
static bool looks_like_ethernet(const struct cursor *c, uint32_t offset)
{
    if (cursor_captured(c) < offset + sizeof(struct wire_ethernet) + 1)
        return false;
    const struct wire_ethernet *h = (const void *)(c->p + offset);
    uint16_t ethertype = get_be16(h->type);
    unsigned version = c->p[offset + sizeof(*h)] >> 4;
    return (ethertype == ETHERTYPE_IPV4 && version == 4) || (ethertype == ETHERTYPE_IPV6 && version == 6) ||
           ethertype == ETHERTYPE_ARP || ethertype == ETHERTYPE_MPLS || is_vlan_tag(ethertype);
}

/* The payload of the last label is not named on the wire.  As RFC 4928 has it: 4 and 6 are IP, 0 begins the control
 * word of a pseudowire (RFC 4448), which may also be missing. */
static enum packet_result mpls_payload_decode(struct cursor *c, struct packet *pkt)
{
    if (cursor_captured(c) == 0)
        return cursor_shortage(c, 1, PACKET_BAD_TUNNEL);
    unsigned nibble = *c->p >> 4;
    if (nibble == 4 || nibble == 6)
        return ip_decode(c, pkt, PACKET_OTHER_L2);

    bool has_control_word = !looks_like_ethernet(c, 0);
    if (has_control_word && !(nibble == 0 && looks_like_ethernet(c, 4)))
        return PACKET_OTHER_L2;
    if (c->n_pseudowires++ == CURSOR_MAX_PSEUDOWIRES)
        return PACKET_TOO_DEEP;
    if (has_control_word)
        cursor_try_pull(c, 4);
    return ethernet_decode(c, pkt);
}

static enum packet_result mpls_decode(struct cursor *c, struct packet *pkt)
{
    pkt->encap |= ENCAP_MPLS;
    for (unsigned n = 0; n < MPLS_MAX_LABELS; n++) {
        const uint8_t *label = cursor_try_pull(c, 4);
        if (label == NULL)
            return cursor_shortage(c, 4, PACKET_BAD_TUNNEL);
        if (label[2] & 1)
            return mpls_payload_decode(c, pkt);
    }
    return PACKET_TOO_DEEP;
}

enum packet_result llc_decode(struct cursor *c, struct packet *pkt)
{
    enum { SAP_IP = 0x06, SAP_SNAP = 0xaa, UNNUMBERED = 0x03 };
    static const uint8_t oui_ethernet[3] = {0, 0, 0};

    if (cursor_captured(c) < 3)
        return cursor_shortage(c, 3, PACKET_BAD_LINK);
    if (c->p[0] == SAP_IP && c->p[1] == SAP_IP && c->p[2] == UNNUMBERED) {
        cursor_try_pull(c, 3);
        return ipv4_decode(c, pkt);
    }
    if (c->p[0] != SAP_SNAP || c->p[1] != SAP_SNAP || c->p[2] != UNNUMBERED)
        return PACKET_OTHER_L2;

    const struct wire_snap *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);
    if (memcmp(h->oui, oui_ethernet, sizeof(h->oui)) != 0)
        return PACKET_OTHER_L2;
    switch (get_be16(h->type)) { /* a tag or a length in here could nest without end */
    case ETHERTYPE_IPV4:
        return ipv4_decode(c, pkt);
    case ETHERTYPE_IPV6:
        return ipv6_decode(c, pkt);
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP:
        return PACKET_ARP;
    default:
        return PACKET_OTHER_L2;
    }
}

enum packet_result ethertype_decode(struct cursor *c, struct packet *pkt, uint16_t ethertype)
{
    if (ethertype == ETHERTYPE_IPV4)
        return ipv4_decode(c, pkt);

    enum packet_result r = vlan_skip(c, pkt, &ethertype);
    if (r != PACKET_OK)
        return r;
    switch (ethertype) {
    case ETHERTYPE_IPV4:
        return ipv4_decode(c, pkt);
    case ETHERTYPE_IPV6:
        return ipv6_decode(c, pkt);
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP:
        return PACKET_ARP;
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_UPSTREAM:
        return mpls_decode(c, pkt);
    case ETHERTYPE_PPPOE_SESSION:
        return pppoe_decode(c, pkt);
    default:
        break;
    }
    if (ethertype >= ETHERTYPE_LOWEST)
        return PACKET_OTHER_L2;
    if (ethertype <= c->wire) /* what follows the length is padding */
        cursor_limit(c, ethertype);
    return llc_decode(c, pkt);
}

/* The protocol field, which negotiation may have shortened to one byte (RFC 1661, 6.5), after the address and control
 * bytes of HDLC framing, which it may have taken away altogether (6.6). */
static bool ppp_protocol(struct cursor *c, uint16_t *ret)
{
    static const uint8_t address_control[2] = {0xff, 0x03};

    if (cursor_captured(c) >= 2 && memcmp(c->p, address_control, 2) == 0)
        cursor_try_pull(c, 2);
    if (cursor_captured(c) == 0)
        return false;
    uint32_t size = *c->p & 1 ? 1 : 2;
    const uint8_t *p = cursor_try_pull(c, size);
    if (p == NULL)
        return false;
    *ret = size == 1 ? *p : get_be16(p);
    return true;
}

enum packet_result ppp_decode(struct cursor *c, struct packet *pkt)
{
    enum { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057, PPP_MPLS = 0x0281, PPP_MPLS_MULTICAST = 0x0283 };
    uint16_t protocol;

    if (!ppp_protocol(c, &protocol))
        return cursor_shortage(c, 2, PACKET_BAD_LINK);
    switch (protocol) {
    case PPP_IPV4:
        return ipv4_decode(c, pkt);
    case PPP_IPV6:
        return ipv6_decode(c, pkt);
    case PPP_MPLS:
    case PPP_MPLS_MULTICAST:
        return mpls_decode(c, pkt);
    default:
        return PACKET_OTHER_L2; /* link control, authentication, compressed or encrypted payload */
    }
}

enum packet_result pppoe_decode(struct cursor *c, struct packet *pkt)
{
    enum { VERSION_1_TYPE_1 = 0x11, CODE_SESSION = 0 };

    const struct wire_pppoe *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_LINK);
    if (h->version_type != VERSION_1_TYPE_1)
        return PACKET_BAD_LINK;
    if (h->code != CODE_SESSION)
        return PACKET_OTHER_L2; /* discovery, on a link that carries both */
    pkt->encap |= ENCAP_PPPOE;
    cursor_limit(c, get_be16(h->length));
    return ppp_decode(c, pkt);
}
