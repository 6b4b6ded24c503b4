/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_twin.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "flowaudit/flow.h"

#define SECOND INT64_C(1000000000)

static bool same_ends(const struct packet *a, const struct packet *b, bool *ret_back)
{
    bool there = addr_compare(&a->src, &b->src) == 0 && addr_compare(&a->dst, &b->dst) == 0 && a->sport == b->sport &&
                 a->dport == b->dport;
    bool back = addr_compare(&a->src, &b->dst) == 0 && addr_compare(&a->dst, &b->src) == 0 && a->sport == b->dport &&
                a->dport == b->sport;

    *ret_back = !there;
    return a->transport == b->transport && (there || back);
}

static int64_t twin_last(const struct twin_flow *f)
{
    int64_t last = f->packets[0].ts_ns;

    for (size_t i = 1; i < f->n; i++)
        if (f->packets[i].ts_ns > last)
            last = f->packets[i].ts_ns;
    return last;
}

/* What initial number the sender of 'p' (or the other end) is known to have used. */
static bool twin_base(const struct twin_flow *f, const struct packet *p, bool other, uint32_t *ret)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct packet *q = &f->packets[i];
        bool                 back;

        if ((q->flags & PACKET_FLAGS_CUT) != 0)
            continue;
        same_ends(q, p, &back);
        if (back == other) {
            *ret = (q->tcp_flags & TCP_SYN) != 0 ? q->tcp_seq : q->tcp_seq - 1;
            return true;
        }
        if ((q->tcp_flags & TCP_ACK) != 0) {
            *ret = q->tcp_ack - 1;
            return true;
        }
    }
    return false;
}

static unsigned count_flag(const struct twin_flow *f, const struct packet *as, bool back, uint8_t mask, uint8_t value)
{
    unsigned n = 0;

    for (size_t i = 0; i < f->n; i++) {
        bool is_back;

        same_ends(&f->packets[i], as, &is_back);
        if (is_back == back && (f->packets[i].flags & PACKET_FLAGS_CUT) == 0)
            n += (f->packets[i].tcp_flags & mask) == value;
    }
    return n;
}

static bool twin_is_over(const struct twin_flow *f, const struct packet *p, enum flow_end *ret)
{
    int64_t  idle = (p->transport == IPPROTO_TCP ? 3600 : 900) * SECOND;
    uint32_t base, peer;

    *ret = FLOW_END_IDLE;
    if (p->ts_ns - twin_last(f) > idle)
        return true;
    *ret = FLOW_END_CLOSED;
    if (p->transport != IPPROTO_TCP || (p->tcp_flags & TCP_SYN) == 0)
        return false;
    if (!twin_base(f, p, false, &base) || base == p->tcp_seq)
        return false;
    if ((p->tcp_flags & TCP_ACK) == 0)
        return true;
    bool reset = count_flag(f, p, false, TCP_RST, TCP_RST) + count_flag(f, p, true, TCP_RST, TCP_RST) > 0;
    bool finished = count_flag(f, p, false, TCP_FIN, TCP_FIN) > 0 && count_flag(f, p, true, TCP_FIN, TCP_FIN) > 0;
    return (reset || finished) && twin_base(f, p, true, &peer) && peer != p->tcp_ack - 1;
}

static void *grow(void *array, size_t *size, size_t n, size_t item)
{
    if (n < *size)
        return array;
    *size = *size > 0 ? 2 * *size : 4;
    array = realloc(array, *size * item);
    if (array == NULL)
        abort();
    return array;
}

void twin_track(struct twin *t, const struct packet *p)
{
    struct twin_flow *f = NULL;
    enum flow_end     end;
    bool              back;

    for (size_t i = 0; i < t->n && f == NULL; i++)
        if (!t->flows[i].ended && same_ends(&t->flows[i].packets[0], p, &back))
            f = &t->flows[i];
    if (f != NULL && twin_is_over(f, p, &end)) {
        f->ended = true;
        f->end = end;
        f = NULL;
    }
    if (f == NULL) {
        t->flows = grow(t->flows, &t->size, t->n, sizeof(*t->flows));
        f = &t->flows[t->n++];
        *f = (struct twin_flow){.end = FLOW_END_FORCED};
    }
    f->packets = grow(f->packets, &f->size, f->n, sizeof(*f->packets));
    f->packets[f->n++] = *p;
}

/* All that the sender of 'client' sent is segments without SYN and ACK, or RSTs, and the other side sent RSTs alone. */
static bool twin_is_stray(const struct twin_flow *f, const struct packet *client)
{
    unsigned bare = 0, reset = 0;

    for (size_t i = 0; i < f->n; i++) {
        uint8_t flags = f->packets[i].tcp_flags;
        bool    back;

        if ((f->packets[i].flags & PACKET_FLAGS_CUT) != 0)
            continue;
        same_ends(&f->packets[i], client, &back);
        if ((flags & TCP_SYN) != 0 || ((flags & TCP_RST) == 0 && (back || (flags & TCP_ACK) != 0)))
            return false;
        bare += !back && (flags & TCP_RST) == 0;
        reset += back;
    }
    return bare > 0 && reset > 0;
}

/* Did it send the SYN of a connection that the other side answered, and answered none itself? */
static bool twin_is_answered(const struct twin_flow *f, const struct packet *p)
{
    return count_flag(f, p, false, TCP_SYN | TCP_ACK, TCP_SYN) > 0 && count_flag(f, p, true, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK) > 0 &&
           (count_flag(f, p, false, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK) == 0 || count_flag(f, p, true, TCP_SYN | TCP_ACK, TCP_SYN) == 0);
}

/* The first packet that decides who the client is, as if sent by the client; NULL: the first of all, as it is. */
static const struct packet *twin_decider(const struct twin_flow *f, enum direction_basis *ret, bool *ret_turn)
{
    static const uint8_t wanted[] = {TCP_SYN, TCP_SYN | TCP_ACK};

    for (size_t i = 0; i < f->n && f->packets[0].transport == IPPROTO_TCP; i++)
        if (twin_is_answered(f, &f->packets[i])) {
            *ret = DIRECTION_SYN;
            *ret_turn = false;
            return &f->packets[i];
        }
    for (unsigned w = 0; w < 2 && f->packets[0].transport == IPPROTO_TCP; w++)
        for (size_t i = 0; i < f->n; i++)
            if ((f->packets[i].tcp_flags & (TCP_SYN | TCP_ACK)) == wanted[w]) {
                *ret = w == 0 ? DIRECTION_SYN : DIRECTION_SYN_ACK;
                *ret_turn = w == 1;
                return &f->packets[i];
            }
    for (size_t i = 0; i < f->n && f->packets[0].transport == IPPROTO_TCP; i++)
        if (twin_is_stray(f, &f->packets[i])) {
            *ret = DIRECTION_STRAY;
            *ret_turn = false;
            return &f->packets[i];
        }
    *ret = f->packets[0].transport == IPPROTO_TCP ? DIRECTION_UNKNOWN : DIRECTION_FIRST;
    *ret_turn = false;
    return &f->packets[0];
}

static enum tcp_state twin_state(const struct twin_flow *f, const struct packet *client)
{
    unsigned n_flags = count_flag(f, client, false, 0, 0) + count_flag(f, client, true, 0, 0);
    bool     syn = count_flag(f, client, false, TCP_SYN | TCP_ACK, TCP_SYN) > 0;
    bool     syn_ack = count_flag(f, client, true, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK) > 0;
    bool     more = count_flag(f, client, false, TCP_SYN | TCP_RST | TCP_ACK, TCP_ACK) > 0;
    bool     server_more = count_flag(f, client, true, TCP_SYN | TCP_RST | TCP_ACK, TCP_ACK) > 0;

    if (n_flags == 0)
        return TCP_STATE_FLAGS_CUT;
    if (!syn)
        return syn_ack ? TCP_STATE_SYN_ACK_ONLY : twin_is_stray(f, client) ? TCP_STATE_REFUSED : TCP_STATE_MIDSTREAM;
    bool both = count_flag(f, client, true, TCP_SYN | TCP_ACK, TCP_SYN) > 0 && count_flag(f, client, false, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK) > 0;
    if (syn_ack)
        return more || both ? TCP_STATE_ESTABLISHED : TCP_STATE_HALF_OPEN;
    if (more || server_more)
        return TCP_STATE_NO_SYN_ACK;
    return count_flag(f, client, true, TCP_RST, TCP_RST) > 0 ? TCP_STATE_REFUSED : TCP_STATE_SYN;
}

/* Of what is no RST; in the order in which places were first seen, and of no more than there is room for. */
static void note_ttl(struct ttl_at at[static N_TTL_PLACES], uint16_t place, uint8_t ttl)
{
    for (unsigned i = 0; i < N_TTL_PLACES; i++) {
        if (at[i].ttl.min != 0 && at[i].place != place)
            continue;
        at[i].place = place;
        ttl_range_add(&at[i].ttl, ttl);
        return;
    }
}

/* SYNs of the client, 200 ms and more after the server's first packet, of which only SYN-ACKs were seen so far; copies are counted too. */
static uint8_t twin_resent_syns(const struct twin_flow *f, const struct packet *client)
{
    int64_t  from = INT64_MAX;
    bool     answered = false, other = false, back;
    unsigned n = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct packet *p = &f->packets[i];
        uint8_t              flags = p->tcp_flags;

        same_ends(p, client, &back);
        if (back && p->ts_ns < from)
            from = p->ts_ns;
        if ((p->flags & PACKET_FLAGS_CUT) != 0)
            continue;
        if ((flags & (TCP_SYN | TCP_RST)) == 0)
            return 0;
        if (!back)
            n += (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && answered && !other && p->ts_ns - from >= SECOND / 5;
        else if ((flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == (TCP_SYN | TCP_ACK))
            answered = true;
        else
            other = true;
    }
    return (uint8_t)(n < FLOW_RESENT_SYNS_MAX ? n : FLOW_RESENT_SYNS_MAX);
}

/* RST and ACK of one side and nothing else, the first of them with the number 0. */
static bool twin_answers_unacked(const struct twin_flow *f)
{
    const struct packet *first = NULL;
    uint8_t              flags = 0;
    bool                 back;

    for (size_t i = 0; i < f->n; i++) {
        const struct packet *p = &f->packets[i];

        same_ends(p, &f->packets[0], &back);
        if (back)
            return false;
        if ((p->flags & PACKET_FLAGS_CUT) != 0)
            continue;
        flags |= p->tcp_flags;
        if (first == NULL)
            first = p;
    }
    return flags == (TCP_RST | TCP_ACK) && first->tcp_seq == 0;
}

/* To a group's IP address; or of UDP, to a group's link-layer address, nothing to one station's, and nothing back. */
static bool twin_is_group(const struct twin_flow *f)
{
    bool ip = false, link = false, other = f->packets[0].transport == IPPROTO_TCP, back;

    for (size_t i = 0; i < f->n; i++) {
        same_ends(&f->packets[i], &f->packets[0], &back);
        ip |= (f->packets[i].flags & PACKET_GROUP) != 0;
        link |= (f->packets[i].flags & PACKET_LINK_GROUP) != 0;
        other |= f->packets[i].to_station || back;
    }
    return ip || (link && !other);
}

void twin_record(const struct twin_flow *f, struct flow_record *r)
{
    bool                 turn, back;
    const struct packet *decider = twin_decider(f, &r->direction, &turn);
    struct packet        client = *decider;

    if (turn) {
        client.src = decider->dst;
        client.dst = decider->src;
        client.sport = decider->dport;
        client.dport = decider->sport;
    }
    r->tuple = (struct tuple){client.src, client.dst, client.sport, client.dport, client.transport};
    r->end = f->end;
    r->first_ns = f->packets[0].ts_ns;
    r->last_ns = twin_last(f);
    r->input = f->packets[0].input;
    r->first_packet = f->packets[0].number;
    r->group = twin_is_group(f);
    for (size_t i = 0; i < f->n; i++) {
        const struct packet *p = &f->packets[i];

        same_ends(p, &client, &back);
        if (p->ts_ns < r->first_ns)
            r->first_ns = p->ts_ns;
        if (r->packets[back] == 0 || p->ts_ns < r->sent_first_ns[back])
            r->sent_first_ns[back] = p->ts_ns;
        if (r->packets[back] == 0 || p->ts_ns > r->sent_last_ns[back])
            r->sent_last_ns[back] = p->ts_ns;
        if (r->packets[back]++ == 0)
            r->vlan[back] = p->vlan;
        r->bytes[back] += p->wire_len;
        r->payload[back] += p->payload_wire_len;
        r->tcp_flags[back] |= p->tcp_flags;
        r->sent_data[back] |= p->transport == IPPROTO_TCP && p->payload_wire_len > 0 && (p->tcp_flags & TCP_RST) == 0 && (p->flags & PACKET_FLAGS_CUT) == 0;
        uint16_t place = flow_place(p->vlan, p->encap, p->point);
        if ((p->tcp_flags & TCP_RST) == 0)
            note_ttl(r->ttl[back], place, p->ttl);
        else if (r->closed == FLOW_CLOSED_RST && r->rst_from_server_side == back && r->rst_place == place && r->rst_ttl != p->ttl)
            r->rst_other_ttl = p->ttl;
        if (r->closed == FLOW_CLOSED_NONE && (p->tcp_flags & (TCP_FIN | TCP_RST)) != 0)
            r->closed_by_server = back;
        if ((p->tcp_flags & TCP_RST) != 0 && r->closed != FLOW_CLOSED_RST) {
            r->rst_ttl = p->ttl;
            r->rst_place = place;
            r->rst_from_server_side = back;
            r->closed = FLOW_CLOSED_RST;
        }
        if ((p->tcp_flags & TCP_FIN) != 0 && r->closed == FLOW_CLOSED_NONE)
            r->closed = FLOW_CLOSED_FIN;
    }
    if (client.transport == IPPROTO_TCP)
        r->tcp_state = twin_state(f, &client);
    r->answers_unacked = client.transport == IPPROTO_TCP && twin_answers_unacked(f);
    r->server_went_on = r->tcp_state == TCP_STATE_SYN_ACK_ONLY && count_flag(f, &client, true, TCP_SYN | TCP_RST | TCP_ACK, TCP_ACK) > 0;
    if (r->tcp_state == TCP_STATE_HALF_OPEN)
        r->resent_syns = twin_resent_syns(f, &client);
}

void twin_clear(struct twin *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->flows[i].packets);
    free(t->flows);
    *t = (struct twin){0};
}
