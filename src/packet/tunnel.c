/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GRE with what it carries, and the tunnels over UDP.
 *
 * Unwrapped are the encapsulations by which networks carry or mirror other hosts' traffic.  Not unwrapped are those
 * that an end host opens itself (Teredo, GTP-U, L2TP, ESP in UDP): there the outer flow is the one that a port matrix
 * governs.  A datagram that carries another over UDP can be decoded as such too (packet_decode_carrier()), for where one of its ends is a host that
 * somebody named, it is traffic of that host.
 */
#include "decode.h"
#include "wire.h"

enum { GRE_CHECKSUM = 0x8000, GRE_ROUTING = 0x4000, GRE_KEY = 0x2000, GRE_SEQUENCE = 0x1000, GRE_ACK = 0x0080 };
enum { GRE_VERSION_MASK = 0x0007, GRE_PPTP = 1 };
enum { ERSPAN_SESSION = 0x03ff };

enum packet_result tunnel_enter(struct packet *pkt, enum packet_encap encap)
{
    if (pkt->n_tunnels == PACKET_MAX_TUNNELS)
        return PACKET_TOO_DEEP;
    pkt->n_tunnels++;
    pkt->encap |= (uint16_t)encap;
    /* What the outer headers left is not true of the packet inside. */
    pkt->flags = 0;
    pkt->to_station = false;
    pkt->l3 = NULL;
    pkt->l3_len = pkt->l3_wire_len = 0;
    pkt->ip_id = 0;
    pkt->content = 0;
    pkt->fragment_id = 0;
    pkt->fragment_more = false; /* the offset is 0, or nothing would have been unwrapped */
    return PACKET_OK;
}

/* The port's VLAN is in the ERSPAN header where the mirrored frame came without its tag. */
static void note_erspan_vlan(struct packet *pkt, const uint8_t version_vlan[2])
{
    uint16_t id = get_be16(version_vlan) & 0x0fff;

    if (id != 0)
        pkt->vlan = id;
}

/* Each session of each device mirrors another place. */
static void note_erspan_source(struct packet *pkt, unsigned session)
{
    packet_point_add(pkt, 1 + session + (unsigned)pkt->src.bytes[15] * 7 + (unsigned)pkt->src.bytes[14] * 31);
}

static enum packet_result erspan2_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_erspan2 *h = cursor_try_pull(c, sizeof(*h));

    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_TUNNEL);
    if (h->version_vlan[0] >> 4 != 1)
        return PACKET_BAD_TUNNEL;
    note_erspan_vlan(pkt, h->version_vlan);
    note_erspan_source(pkt, get_be16(h->cos_session) & ERSPAN_SESSION);
    return ethernet_decode(c, pkt);
}

static enum packet_result erspan3_decode(struct cursor *c, struct packet *pkt)
{
    enum { HAS_SUBHEADER = 0x0001, SUBHEADER_SIZE = 8, FRAME_ETHERNET = 0, FRAME_IP = 2 };

    const struct wire_erspan3 *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_TUNNEL);
    if (h->version_vlan[0] >> 4 != 2)
        return PACKET_BAD_TUNNEL;
    note_erspan_vlan(pkt, h->version_vlan);
    note_erspan_source(pkt, get_be16(h->cos_session) & ERSPAN_SESSION);

    unsigned bits = get_be16(h->frame_type_o);
    if ((bits & HAS_SUBHEADER) && cursor_try_pull(c, SUBHEADER_SIZE) == NULL)
        return cursor_shortage(c, SUBHEADER_SIZE, PACKET_BAD_TUNNEL);
    switch (bits >> 10 & 0x1f) {
    case FRAME_ETHERNET:
        return ethernet_decode(c, pkt);
    case FRAME_IP:
        return ip_decode(c, pkt, PACKET_BAD_TUNNEL);
    default:
        return PACKET_OTHER_L2;
    }
}

/* Type I has no header of its own, and no sequence number either, which is how it is told from type II. */
static enum packet_result erspan_decode(struct cursor *c, struct packet *pkt, bool has_sequence)
{
    pkt->encap |= ENCAP_ERSPAN;
    if (!has_sequence)
        note_erspan_source(pkt, 0);
    return has_sequence ? erspan2_decode(c, pkt) : ethernet_decode(c, pkt);
}

static enum packet_result gre_payload_decode(struct cursor *c, struct packet *pkt, uint16_t protocol, unsigned bits)
{
    switch (protocol) {
    case ETHERTYPE_ETHERNET:
        return ethernet_decode(c, pkt);
    case ETHERTYPE_ERSPAN:
        return erspan_decode(c, pkt, bits & GRE_SEQUENCE);
    case ETHERTYPE_ERSPAN_III:
        pkt->encap |= ENCAP_ERSPAN;
        return erspan3_decode(c, pkt);
    case ETHERTYPE_PPP:
        return ppp_decode(c, pkt);
    default:
        return protocol < ETHERTYPE_LOWEST ? PACKET_OTHER_L2 : ethertype_decode(c, pkt, protocol);
    }
}

/* RFC 2637: payload length and call number stand in for the key; without a sequence number there is only an
 * acknowledgement. */
static enum packet_result pptp_decode(struct cursor *c, struct packet *pkt, unsigned bits, uint16_t protocol)
{
    if (!(bits & GRE_KEY) || (bits & (GRE_CHECKSUM | GRE_ROUTING)) || protocol != ETHERTYPE_PPP)
        return PACKET_BAD_TUNNEL;
    const uint8_t *key = cursor_try_pull(c, 4);
    if (key == NULL)
        return cursor_shortage(c, 4, PACKET_BAD_TUNNEL);
    if (!(bits & GRE_SEQUENCE))
        return PACKET_OTHER_L4;
    uint32_t optional = bits & GRE_ACK ? 8 : 4;
    if (cursor_try_pull(c, optional) == NULL)
        return cursor_shortage(c, optional, PACKET_BAD_TUNNEL);
    if (get_be16(key) > c->wire)
        return PACKET_BAD_TUNNEL;
    cursor_limit(c, get_be16(key));
    return ppp_decode(c, pkt);
}

/* Source routing is refused, as RFC 2784 (2.3) tells receivers to. */
enum packet_result gre_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_gre *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_TUNNEL);
    enum packet_result r = tunnel_enter(pkt, ENCAP_GRE);
    if (r != PACKET_OK)
        return r;

    unsigned bits = get_be16(h->flags_version);
    uint16_t protocol = get_be16(h->protocol);
    if ((bits & GRE_VERSION_MASK) == GRE_PPTP)
        return pptp_decode(c, pkt, bits, protocol);
    if ((bits & GRE_VERSION_MASK) != 0 || (bits & GRE_ROUTING))
        return PACKET_BAD_TUNNEL;
    uint32_t optional = 0;
    for (unsigned bit = GRE_SEQUENCE; bit <= GRE_CHECKSUM; bit <<= 1)
        optional += bits & bit ? 4 : 0;
    if (cursor_try_pull(c, optional) == NULL)
        return cursor_shortage(c, optional, PACKET_BAD_TUNNEL);
    return gre_payload_decode(c, pkt, protocol, bits);
}

static enum packet_result vxlan_decode(struct cursor *c, struct packet *pkt)
{
    enum { HAS_VNI = 0x08, KNOWN_FLAGS = 0x88 /* with the group policy extension's */ };

    const struct wire_vxlan *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL || !(h->flags & HAS_VNI) || (h->flags & ~KNOWN_FLAGS) || h->reserved2 != 0)
        return PACKET_BAD_TUNNEL;
    enum packet_result r = tunnel_enter(pkt, ENCAP_VXLAN);
    return r == PACKET_OK ? ethernet_decode(c, pkt) : r;
}

static enum packet_result geneve_decode(struct cursor *c, struct packet *pkt)
{
    const struct wire_geneve *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL || h->version_length >> 6 != 0 || cursor_try_pull(c, (h->version_length & 0x3fu) * 4) == NULL)
        return PACKET_BAD_TUNNEL;
    enum packet_result r = tunnel_enter(pkt, ENCAP_GENEVE);
    if (r != PACKET_OK)
        return r;
    uint16_t protocol = get_be16(h->protocol);
    if (protocol == ETHERTYPE_ETHERNET)
        return ethernet_decode(c, pkt);
    return protocol < ETHERTYPE_LOWEST ? PACKET_OTHER_L2 : ethertype_decode(c, pkt, protocol);
}

/*
 * A client may have got one of these ports by chance, so bytes that do not decode as a tunnel are payload.  Behind a tunnel's header the snap length
 * may have left too little of the packet inside, which is no payload of the outer one for that.
 */
static bool is_unwrapped(enum packet_result r, bool entered)
{
    switch (r) {
    case PACKET_CUT_HEADER:
        return entered;
    case PACKET_OK:
    case PACKET_FRAGMENT:
    case PACKET_ICMP_ERROR:
    case PACKET_ICMP:
    case PACKET_IGMP:
    case PACKET_ARP:
    case PACKET_OTHER_L4:
    case PACKET_ENCRYPTED:
        return true;
    default:
        return false;
    }
}

bool udp_tunnel_decode(const struct cursor *payload, struct packet *pkt, enum packet_result *ret)
{
    struct packet outer = *pkt;
    struct cursor c = *payload;

    *ret = pkt->dport == PORT_GENEVE ? geneve_decode(&c, pkt) : vxlan_decode(&c, pkt);
    if (is_unwrapped(*ret, pkt->n_tunnels > outer.n_tunnels))
        return true;
    *pkt = outer;
    return false;
}
