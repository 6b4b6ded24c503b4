/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libndpi ignores a packet of which fewer bytes are there than its IP length says, and later fragments and what looks
 * like one; and one DNS message of 65,507 bytes holds version 4.2 for ever.  So a packet that was cut, is long, is a
 * first fragment, or whose IP header does not say its length is shown under headers made here from what the decoder
 * read.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "synth.h"
#include "wire.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER  20
#define UDP_HEADER  8

/* Plain headers that agree with the bytes there. */
static bool synth_as_it_is(const struct packet *packet)
{
    const uint8_t *ip = packet->l3;

    if (packet->flags & (PACKET_CUT | PACKET_FIRST_FRAGMENT))
        return false;
    if (packet->l3_len > CLASSIFY_MAX_BYTES || packet->l3_len != packet->l3_wire_len)
        return false;
    if (packet->flags & PACKET_IS_IPV6)
        return packet->l3_len > IPV6_HEADER && ip[6] == packet->transport &&
               wire_be16(ip + 4) + (uint32_t)IPV6_HEADER == packet->l3_len;
    return packet->l3_len > IPV4_HEADER && wire_be16(ip + 2) == packet->l3_len;
}

static size_t synth_ip(const struct packet *packet, uint8_t *p, size_t below)
{
    if (packet->flags & PACKET_IS_IPV6) {
        memset(p, 0, IPV6_HEADER);
        p[0] = 0x60;
        wire_put_be16(p + 4, (uint32_t)below);
        p[6] = packet->transport;
        p[7] = packet->ttl;
        memcpy(p + 8, packet->src.bytes, 16);
        memcpy(p + 24, packet->dst.bytes, 16);
        return IPV6_HEADER;
    }
    memset(p, 0, IPV4_HEADER);
    p[0] = 0x45;
    wire_put_be16(p + 2, (uint32_t)(IPV4_HEADER + below));
    wire_put_be16(p + 4, packet->ip_id);
    p[8] = packet->ttl;
    p[9] = packet->transport;
    memcpy(p + 12, packet->src.bytes + 12, 4);
    memcpy(p + 16, packet->dst.bytes + 12, 4);
    return IPV4_HEADER;
}

static size_t synth_transport(const struct packet *packet, uint8_t *p, size_t payload)
{
    wire_put_be16(p, packet->sport);
    wire_put_be16(p + 2, packet->dport);
    if (packet->transport == IPPROTO_UDP) {
        wire_put_be16(p + 4, (uint32_t)(UDP_HEADER + payload));
        wire_put_be16(p + 6, 0);
        return UDP_HEADER;
    }
    memset(p + 4, 0, TCP_HEADER - 4);
    wire_put_be32(p + 4, packet->tcp_seq);
    wire_put_be32(p + 8, packet->tcp_ack);
    p[12] = TCP_HEADER / 4 << 4;
    p[13] = packet->tcp_flags;
    wire_put_be16(p + 14, packet->tcp_window);
    return TCP_HEADER;
}

const uint8_t *synth_packet(const struct packet *packet, uint8_t scratch[static CLASSIFY_MAX_BYTES], size_t *ret_len)
{
    if (synth_as_it_is(packet)) {
        *ret_len = packet->l3_len;
        return packet->l3;
    }
    size_t header = packet->transport == IPPROTO_UDP ? UDP_HEADER : TCP_HEADER;
    size_t room = CLASSIFY_MAX_BYTES - IPV6_HEADER - header;
    size_t payload = packet->payload_len < room ? packet->payload_len : room;
    size_t at = synth_ip(packet, scratch, header + payload);
    at += synth_transport(packet, scratch + at, payload);
    memcpy(scratch + at, packet->payload, payload);
    *ret_len = at + payload;
    return scratch;
}
