/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors, joined to the flow whose packet they quote. */
#include "flow-private.h"

#include "icmp.h"

#include <netinet/in.h>

#define MAX_QUOTED 65536 /* flows known from errors alone that wait for a packet: some 30 MB */
#define REPEATED_NS UINT64_C(2000000)
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

void flow_errors_drop(struct flow_table *t, struct flow_detail *d)
{
    if (d->errors != 0)
        pool_give_back(&t->errors, d->errors - 1);
    d->errors = 0;
}

/* Those of this flow, which may be none yet; NULL where the bound leaves no room for them. */
static struct icmp_errors *errors_get(struct flow_table *t, const struct flow *f, struct flow_detail *d)
{
    uint32_t index;

    if (d->errors != 0)
        return flow_errors_of(t, d);
    if (!flow_errors_take(t, f, &index))
        return NULL;
    d->errors = index + 1;
    struct icmp_errors *e = flow_errors_of(t, d);
    *e = (struct icmp_errors){.ref = flow_ref(t, f)};
    pool_set_weak(&t->errors, index, true); /* whoever has to go for another's error may be any */
    return e;
}

/* The same message again, in a moment, and no packet more that could have drawn it: 'n_sent' went that way. */
static bool is_repeated(struct icmp_errors *e, const struct packet *p, uint64_t n_sent)
{
    bool again = false, drawn = e->n_errors == 0 || (uint32_t)n_sent != e->n_sent;

    e->n_sent = (uint32_t)n_sent;

    for (unsigned i = 0; i < 2 && i < e->n_errors; i++) {
        uint64_t age = (uint64_t)p->ts_ns - (uint64_t)e->latest_ns[i];

        again |= p->content != 0 && e->latest[i] == (uint16_t)p->content && (age <= REPEATED_NS || -age <= REPEATED_NS);
    }
    e->latest_ns[1] = e->latest_ns[0];
    e->latest[1] = e->latest[0];
    e->latest_ns[0] = p->ts_ns;
    e->latest[0] = (uint16_t)p->content;
    return again && !drawn;
}

/* What follows may be sent because of the error, and is no copy of what is there. */
static void forget_recent(struct flow_detail *d)
{
    memset(d->recent.signature, 0, sizeof(d->recent.signature));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Errors alone tell of one window. */
static bool is_of_window(const struct flow_table *t, const struct flow *f, int64_t ts_ns)
{
    int64_t w = t->options.window_ns;

    return w == 0 || floor_div(flow_first_ns(t, f), w) == floor_div(ts_ns, w);
}

bool flow_table_icmp_error(struct flow_table *t, const struct packet *p)
{
    const struct packet_quote *q = &p->quote;
    struct flow_key            key;
    unsigned                   side;

    flow_key_make(&q->src, q->sport, &q->dst, q->dport, q->transport, &key, &side);
    struct flow *f = flow_table_find(t, index_tag(flow_key_hash(&key, &t->pairs)), &key);
    if (f == NULL || flow_is_idle(t, f, p->ts_ns) || ((f->state & FLOW_QUOTED) != 0 && !is_of_window(t, f, p->ts_ns)))
        return false;
    struct flow_detail *d = flow_detail_get(t, f);
    struct icmp_errors *e = d != NULL ? errors_get(t, f, d) : NULL;
    if (e == NULL)
        return false;

    bool is_icmp6 = p->transport == IPPROTO_ICMPV6;
    bool is_captured = (f->state & FLOW_QUOTED) == 0;
    if (!is_captured && p->ts_ns > f->last_ns)
        f->last_ns = p->ts_ns;
    uint64_t n_sent = f->packets[side] + ((uint64_t)d->packets_high[side] << 32) - d->duplicates[side];
    if (is_repeated(e, p, n_sent))
        e->n_repeated++;
    else if (q->transport == IPPROTO_UDP && is_icmp6) /* no identification tells them apart */
        forget_recent(d);
    bool kept_says_more = e->n_errors > 0 && (flow_icmp_is_denial(e->is_icmp6, e->type, e->code) || !flow_icmp_is_denial(is_icmp6, q->type, q->code));
    e->differ |= e->n_errors > 0 && (e->is_icmp6 != is_icmp6 || e->type != q->type || e->code != q->code || addr_compare(&e->sender, &p->src) != 0);
    e->n_errors++;
    if (kept_says_more)
        return is_captured;
    e->packet_number = p->number;
    e->n_before = n_sent;
    e->ts_ns = p->ts_ns;
    e->sender = p->src;
    e->input = p->input;
    e->type = q->type;
    e->code = q->code;
    e->quoted_side = (uint8_t)side;
    e->is_icmp6 = is_icmp6;
    e->after_answer = f->packets[!side] != 0 || d->packets_high[!side] != 0;
    return is_captured;
}

/* A flow of no packet, that the sender of the quoted one began. */
static bool make_quoted(struct flow_table *t, struct flow *f, unsigned side, const struct packet_quote *q)
{
    struct flow_detail *d = flow_detail_get(t, f);

    if (d == NULL)
        return false;
    int64_t  first_ns = d->first_ns[side];
    uint32_t number = d->first_number;
    memset(d, 0, sizeof(*d));
    d->first_ns[side] = first_ns;
    d->first_ns[!side] = INT64_MAX;
    d->other_last_ns = INT64_MIN;
    d->first_number = number;
    d->ref = flow_ref(t, f);
    if (q->transport == IPPROTO_TCP && q->has_seq) { /* a SYN of another number is not of this flow */
        d->space[side].base = q->tcp_seq;
        d->saw |= TCP_HAS_BASE << side;
    }
    memset(f->many.bytes, 0, sizeof(f->many.bytes));
    f->packets[side] = 0;
    f->state |= FLOW_QUOTED;
    t->n_quoted++;
    return true;
}

void flow_table_quoted(struct flow_table *t, const struct packet *p)
{
    const struct packet_quote *q = &p->quote;
    struct packet              sent = {.ts_ns = p->ts_ns, .number = p->number, .input = p->input, .transport = q->transport};
    struct flow_key            key;
    unsigned                   side;

    flow_key_make(&q->src, q->sport, &q->dst, q->dport, q->transport, &key, &side);
    uint32_t     tag = index_tag(flow_key_hash(&key, &t->pairs));
    struct flow *f = flow_table_find(t, tag, &key);

    if (f != NULL && !flow_is_idle(t, f, p->ts_ns) && ((f->state & FLOW_QUOTED) == 0 || is_of_window(t, f, p->ts_ns)))
        return; /* the error was joined to it, or there is no more room for one */
    if (f != NULL)
        flow_table_end(t, f, FLOW_END_IDLE);
    f = flow_begin(t, tag, &key, side, &sent);
    if (f == NULL)
        return;
    bool is_quoted = make_quoted(t, f, side, q);
    if (is_quoted)
        flow_table_icmp_error(t, p);
    if (!is_quoted || flow_detail_at(t, f)->errors == 0)
        flow_take_back(t, f);
    else if (t->n_quoted > MAX_QUOTED)
        flow_table_end(t, f, FLOW_END_EVICTED);
}

void flow_quoted_arrive(struct flow_table *t, struct flow *f, const struct flow_key *key, unsigned side, const struct packet *p)
{
    uint32_t errors = flow_detail_at(t, f)->errors;
    bool     disorder = p->ts_ns < f->last_ns || (uint64_t)p->ts_ns - (uint64_t)f->last_ns <= REPEATED_NS;

    pool_give_back(&t->details, f->many.detail);
    t->n_quoted--;
    flow_fill(f, key, side, p);
    struct flow_detail *d = flow_detail_get(t, f); /* there is room: that which was just given back */
    struct icmp_errors *e = pool_at(&t->errors, errors - 1);
    d->errors = errors;
    if (!disorder)
        e->n_early = e->n_errors;
}
