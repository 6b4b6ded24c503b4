/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses and blocks of them, one shape for both families.
 *
 * An IPv4 address is held as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).  That form must not
 * appear on the wire, and packet_decode() refuses packets that carry it, so the mapping is
 * one to one.
 */
#ifndef FLOWAUDIT_ADDR_H
#define FLOWAUDIT_ADDR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_TEXT_SIZE 46 /* longest text of an address and its NUL (INET6_ADDRSTRLEN) */

struct addr {
    uint8_t bytes[16]; /* network byte order */
};

/* An inclusive block: a single address, a network, or a range "a-b". */
struct addr_range {
    struct addr low, high;
};

struct addr addr_from_ipv4(const uint8_t bytes[4]);
struct addr addr_from_ipv6(const uint8_t bytes[16]);
/* As memcmp: numeric order.  Words instead of a call, as the next one: they are asked for each packet and for each flow. */
static inline int addr_compare(const struct addr *a, const struct addr *b)
{
    uint64_t x, y;

    memcpy(&x, a->bytes, 8);
    memcpy(&y, b->bytes, 8);
    if (x == y) {
        memcpy(&x, a->bytes + 8, 8);
        memcpy(&y, b->bytes + 8, 8);
    }
    x = be64toh(x);
    y = be64toh(y);
    return (x > y) - (x < y);
}
/* ::ffff:0:0/96 */
static inline bool addr_is_ipv4(const struct addr *a)
{
    uint64_t high;
    uint32_t low;

    memcpy(&high, a->bytes, 8);
    memcpy(&low, a->bytes + 8, 4);
    return high == 0 && low == htobe32(0xffff);
}
bool        addr_is_multicast(const struct addr *);  /* 224.0.0.0/4, ff00::/8 */
bool        addr_is_broadcast(const struct addr *);  /* 255.255.255.255 only: a subnet's is not known from an address */

/* Canonical text (RFC 5952 for IPv6, dotted quad for IPv4); returns 'buf'. */
const char *addr_text(const struct addr *, char buf[static ADDR_TEXT_SIZE]);

/* "10.0.0.1", "fd00::1".  0, or -EINVAL. */
int addr_parse(const char *text, struct addr *ret);

/* "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", the same with IPv6.  -EINVAL: not of these
 * forms, -ERANGE: runs backwards or mixes families or a prefix that is too long,
 * -EDOM: a network with host bits set (the network is stored in 'ret' all the same, so that a message
 * can name it). */
int addr_range_parse(const char *text, struct addr_range *ret);
bool addr_range_contains(const struct addr_range *, const struct addr *);
/* Length of 'buf' used for "low-high", "net/prefix" or "addr", whichever says the same shortest. */
const char *addr_range_text(const struct addr_range *, char *buf, size_t size);

#endif
