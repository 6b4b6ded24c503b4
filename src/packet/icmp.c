/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and ICMPv6.  Of interest are errors: they quote the header of the packet that drew them, and so say what became
 * of a TCP or UDP flow.
 *
 * The quote is read with its own cursor and without tunnels: an error about a tunnel's outer packet is
 * about the tunnel.  An error whose quote was not captured as far as the ports is a packet cut before its ports: whose flow it is about
 * is not known, and it may be the answer that a flow seems to lack.
 */
#include "decode.h"
#include "wire.h"

enum { UNREACHABLE = 3, SOURCE_QUENCH = 4, REDIRECT = 5, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_PARAMETER_PROBLEM = 4 };
enum { QUOTED_PORTS = 4, QUOTED_PORTS_AND_SEQ = 8 };

static bool is_error(bool is_ipv6, uint8_t type)
{
    if (is_ipv6)
        return type >= V6_UNREACHABLE && type <= V6_PARAMETER_PROBLEM;
    return type == UNREACHABLE || type == SOURCE_QUENCH || type == REDIRECT || type == TIME_EXCEEDED ||
           type == PARAMETER_PROBLEM;
}

static enum packet_result quote_ports(struct cursor *c, struct packet_quote *quote, uint8_t protocol)
{
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        return PACKET_ICMP;
    quote->transport = protocol;
    if (cursor_captured(c) < QUOTED_PORTS)
        return cursor_shortage(c, QUOTED_PORTS, PACKET_BAD_ICMP);
    quote->sport = get_be16(c->p);
    quote->dport = get_be16(c->p + 2);
    quote->has_seq = protocol == PROTOCOL_TCP && cursor_captured(c) >= QUOTED_PORTS_AND_SEQ;
    quote->tcp_seq = quote->has_seq ? get_be32(c->p + 4) : 0;
    return PACKET_ICMP_ERROR;
}

/* The quoted total length is not looked at: routers on the way may have changed its byte order, and a quote is short by
 * its nature. */
static enum packet_result quote_ipv4(struct cursor *c, struct packet_quote *quote)
{
    const struct wire_ipv4 *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_ICMP);
    uint32_t header_len = (h->version_ihl & 0x0fu) * 4;
    if (h->version_ihl >> 4 != 4 || header_len < sizeof(*h))
        return PACKET_BAD_ICMP;
    uint32_t options_len = header_len - (uint32_t)sizeof(*h);
    if (cursor_try_pull(c, options_len) == NULL)
        return cursor_shortage(c, options_len, PACKET_BAD_ICMP);

    quote->src = addr_from_ipv4(h->src);
    quote->dst = addr_from_ipv4(h->dst);
    if ((get_be16(h->fragment) & 0x1fff) != 0)
        return PACKET_ICMP; /* a later fragment: no ports */
    struct packet scratch = {.flags = 0};
    uint8_t protocol = h->protocol;
    enum packet_result r = ip_skip_extensions(c, &scratch, &protocol);
    if (r != PACKET_OK)
        return r == PACKET_CUT_HEADER ? r : PACKET_BAD_ICMP;
    return quote_ports(c, quote, protocol);
}

static enum packet_result quote_ipv6(struct cursor *c, struct packet_quote *quote)
{
    const struct wire_ipv6 *h = cursor_try_pull(c, sizeof(*h));
    if (h == NULL)
        return cursor_shortage(c, sizeof(*h), PACKET_BAD_ICMP);
    if (h->version_class_flow[0] >> 4 != 6)
        return PACKET_BAD_ICMP;
    if (ipv6_is_mapped(h->src) || ipv6_is_mapped(h->dst))
        return PACKET_MAPPED;

    quote->src = addr_from_ipv6(h->src);
    quote->dst = addr_from_ipv6(h->dst);
    struct packet scratch = {.flags = PACKET_IS_IPV6}; /* the quoted fragment's fields are not the message's */
    uint8_t protocol = h->next_header;
    enum packet_result r = ip_skip_extensions(c, &scratch, &protocol);
    if (r != PACKET_OK)
        return r == PACKET_CUT_HEADER ? r : PACKET_BAD_ICMP;
    return scratch.fragment_offset != 0 ? PACKET_ICMP : quote_ports(c, quote, protocol);
}

enum packet_result icmp_decode(struct cursor *c, struct packet *pkt)
{
    bool is_ipv6 = pkt->flags & PACKET_IS_IPV6;
    const struct wire_icmp *h = cursor_try_pull(c, sizeof(*h));

    if (h == NULL) {
        enum packet_result r = cursor_shortage(c, sizeof(*h), PACKET_BAD_ICMP);
        const uint8_t *type = cursor_try_pull(c, 1);
        return r == PACKET_CUT_HEADER && type != NULL && !is_error(is_ipv6, *type) ? PACKET_ICMP : r;
    }
    if (!is_error(is_ipv6, h->type))
        return PACKET_ICMP;
    pkt->content = get_be16(h->checksum);
    pkt->quote = (struct packet_quote){.type = h->type, .code = h->code};
    return is_ipv6 ? quote_ipv6(c, &pkt->quote) : quote_ipv4(c, &pkt->quote);
}
