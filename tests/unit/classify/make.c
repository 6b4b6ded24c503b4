/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "make.h"

static void put16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void make_addresses(const struct make *make, struct packet *packet)
{
    static const char *const text[2][2] = {{"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"}};
    const char *const *pair = text[make->ipv6];

    ck_assert_int_eq(addr_parse(pair[make->from_server], &packet->src), 0);
    ck_assert_int_eq(addr_parse(pair[!make->from_server], &packet->dst), 0);
    packet->sport = make->from_server ? make->server_port : make->client_port;
    packet->dport = make->from_server ? make->client_port : make->server_port;
}

static size_t make_ip(const struct make *make, const struct packet *packet, uint8_t *p, size_t below)
{
    if (make->ipv6) {
        p[0] = 0x60;
        put16(p + 4, below);
        p[6] = make->transport;
        memcpy(p + 8, packet->src.bytes, 16);
        memcpy(p + 24, packet->dst.bytes, 16);
        return 40;
    }
    p[0] = 0x45;
    put16(p + 2, below + 20);
    p[8] = 64;
    p[9] = make->transport;
    memcpy(p + 12, packet->src.bytes + 12, 4);
    memcpy(p + 16, packet->dst.bytes + 12, 4);
    return 20;
}

struct made make_packet(const struct make *make)
{
    struct made made = {.packet = {.transport = make->transport, .ttl = 64, .ts_ns = 1000000000, .number = 1}};
    uint8_t header[MAKE_HEADERS] = {0};
    size_t wire = make->wire_len > make->len ? make->wire_len : make->len;
    size_t transport = make->transport == IPPROTO_UDP ? 8 : 20;

    make_addresses(make, &made.packet);
    size_t at = make_ip(make, &made.packet, header, transport + wire);
    put16(header + at, made.packet.sport);
    put16(header + at + 2, made.packet.dport);
    if (make->transport == IPPROTO_UDP)
        put16(header + at + 4, transport + wire);
    else
        header[at + 12] = 0x50, header[at + 13] = TCP_ACK | TCP_PSH;
    at += transport;
    made.bytes = malloc(at + make->len);
    ck_assert_ptr_nonnull(made.bytes);
    memcpy(made.bytes, header, at);
    if (make->len > 0)
        memcpy(made.bytes + at, make->payload, make->len);
    made.packet.l3 = made.bytes;
    made.packet.l3_len = (uint32_t)(at + make->len);
    made.packet.l3_wire_len = (uint32_t)(at + wire);
    made.packet.payload = made.bytes + at;
    made.packet.payload_len = (uint32_t)make->len;
    made.packet.payload_wire_len = (uint32_t)wire;
    made.packet.tcp_flags = make->transport == IPPROTO_TCP ? TCP_ACK | TCP_PSH : 0;
    made.packet.flags = (uint16_t)((make->ipv6 ? PACKET_IS_IPV6 : 0) | (wire > make->len ? PACKET_CUT : 0));
    return made;
}

void make_free(struct made *made)
{
    free(made->bytes);
    made->bytes = NULL;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c);

    ck_assert_msg(c != '\0' && at != NULL, "'%c' is no hexadecimal digit", c);
    return (int)(at - digits);
}

size_t make_bytes(const char *text, uint8_t *ret, size_t size)
{
    size_t n = 0;
    bool quoted = false;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            quoted = !quoted;
            continue;
        }
        if (*c == ' ' && !quoted)
            continue;
        ck_assert_uint_lt(n, size);
        if (quoted) {
            ret[n++] = (uint8_t)*c;
        } else {
            ret[n++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
            c++;
        }
    }
    return n;
}
