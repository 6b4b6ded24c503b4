/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>

static void put_be16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put_be32(uint8_t *p, uint32_t value)
{
    put_be16(p, value >> 16);
    put_be16(p + 2, value & 0xffff);
}

static uint8_t *append(struct build *b, enum build_kind kind, size_t size)
{
    ck_assert_uint_le(size, BUILD_SIZE - b->len);
    ck_assert_uint_lt(b->n_headers, BUILD_MAX_HEADERS);
    b->headers[b->n_headers].kind = kind;
    b->headers[b->n_headers++].at = b->len;
    uint8_t *p = b->data + b->len;
    memset(p, 0, size);
    b->len += size;
    return p;
}

void build_protocol(struct build *b, uint16_t number)
{
    if (b->type_size == 2)
        put_be16(b->data + b->type_at, number);
    else if (b->type_size == 1)
        b->data[b->type_at] = (uint8_t)number;
    b->type_size = 0;
}

/* The number of a header that has both an EtherType and an IP protocol. */
static void announce(struct build *b, uint16_t ethertype, uint8_t protocol)
{
    build_protocol(b, b->type_size == 2 ? ethertype : protocol);
}

static void expect_type(struct build *b, const uint8_t *field, size_t size)
{
    b->type_at = (size_t)(field - b->data);
    b->type_size = size;
}

void build_begin(struct build *b)
{
    memset(b, 0, sizeof(*b));
}

void build_ethernet_to(struct build *b, const uint8_t dst[6])
{
    static const uint8_t src[6] = {2, 0, 0, 0, 0, 1};

    if (b->type_size == 2)
        build_protocol(b, 0x6558);
    uint8_t *p = append(b, BUILD_ETHERNET, 14);
    memcpy(p, dst, 6);
    memcpy(p + 6, src, 6);
    expect_type(b, p + 12, 2);
}

void build_ethernet(struct build *b)
{
    static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};

    build_ethernet_to(b, dst);
}

void build_vlan(struct build *b, uint16_t ethertype, uint16_t id)
{
    build_protocol(b, ethertype);
    uint8_t *p = append(b, BUILD_VLAN, 4);
    put_be16(p, id);
    expect_type(b, p + 2, 2);
}

void build_mpls(struct build *b, uint32_t label, int is_bottom)
{
    build_protocol(b, 0x8847);
    put_be32(append(b, BUILD_MPLS, 4), label << 12 | (is_bottom ? 0x100u : 0) | 64);
}

void build_pppoe(struct build *b, uint16_t ppp_protocol)
{
    build_protocol(b, 0x8864);
    uint8_t *p = append(b, BUILD_PPPOE, 8);
    p[0] = 0x11;
    put_be16(p + 2, 7); /* session */
    put_be16(p + 6, ppp_protocol);
}

void build_ipv4_fragment(struct build *b, const char *src, const char *dst, uint16_t id, unsigned offset, int more)
{
    announce(b, 0x0800, IPPROTO_IPIP);
    uint8_t *p = append(b, BUILD_IPV4, 20);
    p[0] = 0x45;
    put_be16(p + 4, id);
    put_be16(p + 6, offset / 8 | (more ? 0x2000u : 0));
    p[8] = 64;
    ck_assert_int_eq(inet_pton(AF_INET, src, p + 12), 1);
    ck_assert_int_eq(inet_pton(AF_INET, dst, p + 16), 1);
    expect_type(b, p + 9, 1);
}

void build_ipv4(struct build *b, const char *src, const char *dst)
{
    build_ipv4_fragment(b, src, dst, 0, 0, 0);
}

void build_ipv6(struct build *b, const char *src, const char *dst)
{
    announce(b, 0x86dd, IPPROTO_IPV6);
    uint8_t *p = append(b, BUILD_IPV6, 40);
    p[0] = 0x60;
    p[7] = 64;
    ck_assert_int_eq(inet_pton(AF_INET6, src, p + 8), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, dst, p + 24), 1);
    expect_type(b, p + 6, 1);
}

void build_extension(struct build *b, uint8_t protocol, const void *body, size_t size)
{
    build_protocol(b, protocol);
    uint8_t *p = append(b, BUILD_EXTENSION, size + 1);
    memcpy(p + 1, body, size);
    expect_type(b, p, 1);
}

void build_tcp(struct build *b, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq)
{
    build_protocol(b, IPPROTO_TCP);
    uint8_t *p = append(b, BUILD_TCP, 20);
    put_be16(p, sport);
    put_be16(p + 2, dport);
    put_be32(p + 4, seq);
    p[12] = 5 << 4;
    p[13] = flags;
    put_be16(p + 14, 8192);
}

void build_udp(struct build *b, uint16_t sport, uint16_t dport)
{
    build_protocol(b, IPPROTO_UDP);
    uint8_t *p = append(b, BUILD_UDP, 8);
    put_be16(p, sport);
    put_be16(p + 2, dport);
}

static const uint8_t *innermost_ip(const struct build *b, size_t before, int *is_ipv6)
{
    for (size_t i = before; i-- > 0;) {
        *is_ipv6 = b->headers[i].kind == BUILD_IPV6;
        if (*is_ipv6 || b->headers[i].kind == BUILD_IPV4)
            return b->data + b->headers[i].at;
    }
    ck_abort_msg("no IP header before this one");
}

void build_icmp(struct build *b, uint8_t type, uint8_t code)
{
    int is_ipv6;

    innermost_ip(b, b->n_headers, &is_ipv6);
    build_protocol(b, is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    uint8_t *p = append(b, BUILD_ICMP, 8);
    p[0] = type;
    p[1] = code;
}

void build_gre(struct build *b)
{
    build_protocol(b, IPPROTO_GRE);
    uint8_t *p = append(b, BUILD_GRE, 4);
    expect_type(b, p + 2, 2);
}

void build_bytes(struct build *b, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(append(b, BUILD_BYTES, size), bytes, size);
}

void build_text(struct build *b, const char *text)
{
    build_bytes(b, text, strlen(text));
}

size_t build_at(const struct build *b, enum build_kind kind, unsigned nth)
{
    for (size_t i = 0; i < b->n_headers; i++)
        if (b->headers[i].kind == kind && nth-- == 0)
            return b->headers[i].at;
    ck_abort_msg("no such header");
}

static uint32_t sum(const uint8_t *p, size_t n)
{
    uint32_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    return total;
}

static unsigned checksum(uint32_t total)
{
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    return ~total & 0xffff;
}

/* Of the pseudo header that TCP, UDP and ICMPv6 count in. */
static uint32_t pseudo_sum(const struct build *b, size_t header, uint8_t protocol, size_t len)
{
    int            is_ipv6;
    const uint8_t *ip = innermost_ip(b, header, &is_ipv6);

    return sum(is_ipv6 ? ip + 8 : ip + 12, is_ipv6 ? 32 : 8) + protocol + (uint32_t)len;
}

static void finish_header(struct build *b, size_t i)
{
    uint8_t *p = b->data + b->headers[i].at;
    size_t   len = b->len - b->headers[i].at;
    int      is_ipv6 = 0;

    switch (b->headers[i].kind) {
    case BUILD_PPPOE:
        put_be16(p + 4, (unsigned)len - 6);
        break;
    case BUILD_IPV4:
        put_be16(p + 2, (unsigned)len);
        put_be16(p + 10, 0);
        put_be16(p + 10, checksum(sum(p, 20)));
        break;
    case BUILD_IPV6:
        put_be16(p + 4, (unsigned)len - 40);
        break;
    case BUILD_TCP:
        put_be16(p + 16, 0);
        put_be16(p + 16, checksum(pseudo_sum(b, i, IPPROTO_TCP, len) + sum(p, len)));
        break;
    case BUILD_UDP:
        put_be16(p + 4, (unsigned)len);
        put_be16(p + 6, 0);
        put_be16(p + 6, checksum(pseudo_sum(b, i, IPPROTO_UDP, len) + sum(p, len)));
        break;
    case BUILD_ICMP:
        innermost_ip(b, i, &is_ipv6);
        put_be16(p + 2, 0);
        put_be16(p + 2, checksum((is_ipv6 ? pseudo_sum(b, i, IPPROTO_ICMPV6, len) : 0) + sum(p, len)));
        break;
    default:
        break;
    }
}

struct frame build_frame(struct build *b)
{
    for (size_t i = b->n_headers; i-- > 0;) /* an outer checksum covers the inner ones */
        finish_header(b, i);
    return (struct frame){
        .data = b->data, .caplen = (uint32_t)b->len, .wirelen = (uint32_t)b->len, .number = 1, .linktype = 1};
}
