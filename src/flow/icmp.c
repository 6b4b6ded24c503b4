/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors, joined to the flow whose packet they quote. */
#include "flow-private.h"

#include "icmp.h"

#include <netinet/in.h>

#define UNREACHABLE 3
#define UNREACHABLE_TOO_BIG 4 /* "fragmentation needed": path MTU discovery, no refusal */
#define UNREACHABLE6 1

bool flow_icmp_is_denial(bool is_icmp6, uint8_t type, uint8_t code)
{
    if (is_icmp6)
        return type == UNREACHABLE6;
    return type == UNREACHABLE && code != UNREACHABLE_TOO_BIG;
}

bool flow_icmp_is_port(bool is_icmp6, uint8_t type, uint8_t code)
{
    return is_icmp6 ? type == UNREACHABLE6 && code == 4 : type == UNREACHABLE && code == 3;
}

bool flow_icmp_is_prohibition(bool is_icmp6, uint8_t type, uint8_t code)
{
    if (is_icmp6) /* RFC 4443: by policy; source address failed policy; reject route */
        return type == UNREACHABLE6 && (code == 1 || code == 5 || code == 6);
    return type == UNREACHABLE && (code == 9 || code == 10 || code == 13); /* RFC 1122, RFC 1812 */
}

bool flow_table_icmp_error(struct flow_table *t, const struct packet *p)
{
    const struct packet_quote *q = &p->quote;
    struct flow_key            key;
    unsigned                   side;

    flow_key_make(&q->src, q->sport, &q->dst, q->dport, q->transport, &key, &side);
    struct flow *f = flow_table_find(t, index_tag(flow_key_hash(&key, &t->key)), &key);
    if (f == NULL || flow_is_idle(t, f, p->ts_ns))
        return false;
    struct flow_detail *d = flow_detail_get(t, f);
    if (d == NULL)
        return false;

    bool is_icmp6 = p->transport == IPPROTO_ICMPV6;
    bool kept_says_more = d->icmp.n_errors > 0 && (flow_icmp_is_denial(d->icmp.is_icmp6, d->icmp.type, d->icmp.code) ||
                                                   !flow_icmp_is_denial(is_icmp6, q->type, q->code));
    d->icmp.n_errors++;
    if (kept_says_more)
        return true;
    d->icmp.packet_number = p->number;
    d->icmp.ts_ns = p->ts_ns;
    d->icmp.sender = p->src;
    d->icmp.input = p->input;
    d->icmp.type = q->type;
    d->icmp.code = q->code;
    d->icmp.quoted_side = (uint8_t)side;
    d->icmp.is_icmp6 = is_icmp6;
    d->icmp.after_answer = f->packets[!side] != 0 || d->packets_high[!side] != 0;
    return true;
}
