/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets for tests, header by header.
 *
 *     struct build b;
 *     build_begin(&b);
 *     build_ethernet(&b);
 *     build_ipv4(&b, "10.0.0.1", "10.0.0.2");
 *     build_tcp(&b, 1025, 389, TCP_SYN, 1);
 *     build_text(&b, "payload");
 *     struct frame f = build_frame(&b);
 *
 * Each header announces itself in the one before it (EtherType or protocol); lengths and checksums are put in by
 * build_frame().  A test that wants a wrong field changes the bytes after that: build_at() says where a header lies.
 */
#ifndef TESTS_BUILD_H
#define TESTS_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "flowaudit/capture.h"

#define BUILD_SIZE 4096
#define BUILD_MAX_HEADERS 48

enum build_kind {
    BUILD_ETHERNET,
    BUILD_VLAN,
    BUILD_MPLS,
    BUILD_PPPOE,
    BUILD_IPV4,
    BUILD_IPV6,
    BUILD_EXTENSION,
    BUILD_TCP,
    BUILD_UDP,
    BUILD_ICMP,
    BUILD_GRE,
    BUILD_BYTES,
};

struct build {
    uint8_t data[BUILD_SIZE];
    size_t  len;
    struct {
        enum build_kind kind;
        size_t          at;
    } headers[BUILD_MAX_HEADERS];
    size_t n_headers;
    size_t type_at;   /* where the next header's number goes */
    size_t type_size; /* 2: EtherType, 1: IP protocol, 0: nowhere */
};

void   build_begin(struct build *);
void   build_ethernet(struct build *);                             /* 02:..:01 to 02:..:02 */
void   build_ethernet_to(struct build *, const uint8_t dst[6]);
void   build_vlan(struct build *, uint16_t ethertype, uint16_t id); /* ethertype: 0x8100, 0x88a8 ... */
void   build_mpls(struct build *, uint32_t label, int is_bottom);
void   build_pppoe(struct build *, uint16_t ppp_protocol);
void   build_ipv4(struct build *, const char *src, const char *dst); /* TTL 64 */
void   build_ipv4_fragment(struct build *, const char *src, const char *dst, uint16_t id, unsigned offset, int more);
void   build_ipv6(struct build *, const char *src, const char *dst); /* hop limit 64 */
/* 'body' is what comes after the next-header byte. */
void   build_extension(struct build *, uint8_t protocol, const void *body, size_t size);
void   build_tcp(struct build *, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq);
void   build_udp(struct build *, uint16_t sport, uint16_t dport);
void   build_icmp(struct build *, uint8_t type, uint8_t code); /* ICMPv6 after an IPv6 header; the rest is 0 */
void   build_gre(struct build *);                                   /* no options */
void   build_protocol(struct build *, uint16_t number);              /* what follows, where no builder knows it */
void   build_bytes(struct build *, const void *bytes, size_t size);
void   build_text(struct build *, const char *);
size_t build_at(const struct build *, enum build_kind, unsigned nth); /* offset of the nth (from 0) such header */

/* Puts in lengths and checksums; Ethernet, whole, number 1.  Valid as long as 'b' is not changed. */
struct frame build_frame(struct build *b);

#endif
