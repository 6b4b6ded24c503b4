/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct addr addr_from_ipv4(const uint8_t bytes[4])
{
    struct addr a;

    memcpy(a.bytes, mapped_prefix, sizeof(mapped_prefix));
    memcpy(a.bytes + sizeof(mapped_prefix), bytes, 4);
    return a;
}

struct addr addr_from_ipv6(const uint8_t bytes[16])
{
    struct addr a;

    memcpy(a.bytes, bytes, sizeof(a.bytes));
    return a;
}

bool addr_is_multicast(const struct addr *a)
{
    if (addr_is_ipv4(a))
        return (a->bytes[12] & 0xf0) == 0xe0;
    return a->bytes[0] == 0xff;
}

bool addr_is_broadcast(const struct addr *a)
{
    static const uint8_t all_ones[4] = {0xff, 0xff, 0xff, 0xff};

    return addr_is_ipv4(a) && memcmp(a->bytes + 12, all_ones, sizeof(all_ones)) == 0;
}

/* What inet_ntop() does by formatting; a record has millions of them. */
static void ipv4_text(const uint8_t bytes[4], char *buf)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = bytes[i];

        if (n >= 100)
            *buf++ = (char)('0' + n / 100);
        if (n >= 10)
            *buf++ = (char)('0' + n / 10 % 10);
        *buf++ = (char)('0' + n % 10);
        *buf++ = i < 3 ? '.' : '\0';
    }
}

const char *addr_text(const struct addr *a, char buf[static ADDR_TEXT_SIZE])
{
    if (addr_is_ipv4(a))
        ipv4_text(a->bytes + 12, buf);
    else
        inet_ntop(AF_INET6, a->bytes, buf, ADDR_TEXT_SIZE);
    return buf;
}

int addr_parse(const char *text, struct addr *ret)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *ret = addr_from_ipv4(bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ret = addr_from_ipv6(bytes);
    else
        return -EINVAL;
    return 0;
}

/* Sets all bits of 'a' after the first 'prefix' ones to 'ones'; says whether that changed anything. */
static bool fill_host_bits(struct addr *a, unsigned prefix, bool ones)
{
    struct addr before = *a;

    for (unsigned i = 0; i < sizeof(a->bytes); i++) {
        unsigned keep = prefix <= i * 8 ? 0 : prefix - i * 8;
        uint8_t  mask = keep >= 8 ? 0 : (uint8_t)(0xff >> keep);

        a->bytes[i] = ones ? a->bytes[i] | mask : (uint8_t)(a->bytes[i] & ~mask);
    }
    return addr_compare(a, &before) != 0;
}

static int parse_network(const char *base, const char *prefix_text, struct addr_range *ret)
{
    struct addr a;
    char       *end;

    if (addr_parse(base, &a) != 0 || *prefix_text < '0' || *prefix_text > '9')
        return -EINVAL;
    unsigned long prefix = strtoul(prefix_text, &end, 10);
    unsigned      longest = addr_is_ipv4(&a) ? 32 : 128;
    if (*end != '\0')
        return -EINVAL;
    if (prefix > longest)
        return -ERANGE;

    prefix += 128 - longest;
    ret->low = ret->high = a;
    bool had_host_bits = fill_host_bits(&ret->low, (unsigned)prefix, false);
    fill_host_bits(&ret->high, (unsigned)prefix, true);
    return had_host_bits ? -EDOM : 0;
}

int addr_range_parse(const char *text, struct addr_range *ret)
{
    char   buf[2 * ADDR_TEXT_SIZE + 1];
    size_t len = strlen(text);

    if (len >= sizeof(buf))
        return -EINVAL;
    memcpy(buf, text, len + 1);

    char *slash = strchr(buf, '/');
    if (slash != NULL) {
        *slash = '\0';
        return parse_network(buf, slash + 1, ret);
    }

    struct addr_range r;
    char             *dash = strchr(buf, '-');
    if (dash != NULL)
        *dash = '\0';
    if (addr_parse(buf, &r.low) != 0 || addr_parse(dash != NULL ? dash + 1 : buf, &r.high) != 0)
        return -EINVAL;
    if (addr_is_ipv4(&r.low) != addr_is_ipv4(&r.high) || addr_compare(&r.low, &r.high) > 0)
        return -ERANGE;
    *ret = r;
    return 0;
}

bool addr_range_contains(const struct addr_range *r, const struct addr *a)
{
    return addr_compare(&r->low, a) <= 0 && addr_compare(a, &r->high) <= 0 &&
           addr_is_ipv4(&r->low) == addr_is_ipv4(a);
}

/* The prefix length if the block is exactly one network, else -1. */
static int network_prefix(const struct addr_range *r)
{
    for (unsigned prefix = addr_is_ipv4(&r->low) ? 96 : 0; prefix < 128; prefix++) {
        struct addr low = r->low, high = r->low;

        if (!fill_host_bits(&low, prefix, false)) {
            fill_host_bits(&high, prefix, true);
            if (addr_compare(&high, &r->high) == 0)
                return (int)(addr_is_ipv4(&r->low) ? prefix - 96 : prefix);
        }
    }
    return -1;
}

const char *addr_range_text(const struct addr_range *r, char *buf, size_t size)
{
    char low[ADDR_TEXT_SIZE], high[ADDR_TEXT_SIZE];
    int  prefix;

    addr_text(&r->low, low);
    addr_text(&r->high, high);
    if (addr_compare(&r->low, &r->high) == 0)
        snprintf(buf, size, "%s", low);
    else if ((prefix = network_prefix(r)) >= 0)
        snprintf(buf, size, "%s/%d", low, prefix);
    else
        snprintf(buf, size, "%s-%s", low, high);
    return buf;
}
