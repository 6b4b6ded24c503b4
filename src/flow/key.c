/* SPDX-License-Identifier: Apache-2.0 */
#include "flow-private.h"

#include <endian.h>
#include <string.h>

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static int order_of_ends(const struct addr *a, const struct addr *b, bool is_ipv6)
{
    if (is_ipv6)
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    uint32_t x = be32toh(load32(a->bytes + 12)), y = be32toh(load32(b->bytes + 12));
    return (x > y) - (x < y);
}

void flow_key_make(const struct addr *src, uint16_t sport, const struct addr *dst, uint16_t dport, uint8_t transport,
                   struct flow_key *ret, unsigned *ret_side)
{
    bool     ipv6 = !addr_is_ipv4(src) || !addr_is_ipv4(dst);
    unsigned skip = ipv6 ? 0 : 12;
    int      order = order_of_ends(src, dst, ipv6);
    unsigned side = order > 0 || (order == 0 && sport > dport);

    ret->addr[side] = src->bytes + skip;
    ret->addr[!side] = dst->bytes + skip;
    ret->port[side] = sport;
    ret->port[!side] = dport;
    ret->transport = transport;
    ret->is_ipv6 = ipv6;
    *ret_side = side;
}

void flow_key_of(const struct flow *f, struct flow_key *ret)
{
    bool ipv6 = (f->state & FLOW_IPV6) != 0;

    ret->addr[0] = flow_addresses(f);
    ret->addr[1] = ret->addr[0] + (ipv6 ? 16 : 4);
    ret->port[0] = f->port[0];
    ret->port[1] = f->port[1];
    ret->transport = f->transport;
    ret->is_ipv6 = ipv6;
}

bool flow_key_matches(const struct flow_key *k, const struct flow *f)
{
    const uint8_t *own = flow_addresses(f);

    if (f->port[0] != k->port[0] || f->port[1] != k->port[1] || f->transport != k->transport)
        return false;
    if (!k->is_ipv6)
        return load32(own) == load32(k->addr[0]) && load32(own + 4) == load32(k->addr[1]);
    return memcmp(own, k->addr[0], 16) == 0 && memcmp(own + 16, k->addr[1], 16) == 0;
}

uint64_t flow_key_hash(const struct flow_key *k, const struct hash_key *key)
{
    uint64_t rest = (uint64_t)k->port[0] << 48 | (uint64_t)k->port[1] << 32 | (uint64_t)k->transport << 8 | k->is_ipv6;

    if (!k->is_ipv6) {
        uint64_t words[2] = {(uint64_t)load32(k->addr[0]) << 32 | load32(k->addr[1]), rest};

        return hash_words(key, words, 2);
    }
    uint64_t words[5] = {load64(k->addr[0]), load64(k->addr[0] + 8), load64(k->addr[1]), load64(k->addr[1] + 8), rest};
    return hash_words(key, words, 5);
}
