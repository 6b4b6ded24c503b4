/* SPDX-License-Identifier: Apache-2.0 */
/* What a flow was, said without reference to the table. */
#include "flow-private.h"

#include <netinet/in.h>
#include <string.h>

uint64_t flow_bytes(const struct flow_table *t, const struct flow *f, unsigned side)
{
    if ((f->state & FLOW_FEW) == 0)
        return f->many.bytes[side];
    if ((f->state & FLOW_ONE) != 0)
        return f->packets[side] != 0 ? f->few.one.wire_len : 0;
    return (flow_first_side(f) == side ? f->few.two.wire_len : 0u) + (flow_second_side(f) == side ? flow_second_at(t, f)->wire_len : 0u);
}

const struct addr *flow_addr(const struct flow *f, unsigned side, struct addr *scratch)
{
    const uint8_t *bytes = flow_addresses(f);

    *scratch = (f->state & FLOW_IPV6) != 0 ? addr_from_ipv6(bytes + 16 * side) : addr_from_ipv4(bytes + 4 * side);
    return scratch;
}

/* Whose SYN was answered is the client, whichever came first; where both were, or none, the first one's sender. */
static unsigned sender_of_syn(uint32_t saw)
{
    bool answered[2] = {(saw & TCP_SAW_SYN) != 0 && (saw & TCP_SAW_SYN_ACK << 1) != 0, (saw & TCP_SAW_SYN << 1) != 0 && (saw & TCP_SAW_SYN_ACK) != 0};

    return answered[0] != answered[1] ? answered[1] : (saw & TCP_FIRST_SYN_SIDE) != 0;
}

static unsigned client_side(const struct flow *f, uint32_t saw, enum direction_basis *ret_basis)
{
    if ((saw & (TCP_SAW_SYN * 3)) != 0) {
        *ret_basis = DIRECTION_SYN;
        return sender_of_syn(saw);
    }
    if ((saw & (TCP_SAW_SYN_ACK * 3)) != 0) {
        *ret_basis = DIRECTION_SYN_ACK;
        return (saw & TCP_FIRST_SYN_ACK_SIDE) == 0;
    }
    if ((saw & (TCP_SAW_BARE * 3)) != 0 && (flow_tcp_is_stray(saw, 0) || flow_tcp_is_stray(saw, 1))) {
        *ret_basis = DIRECTION_STRAY;
        return flow_tcp_is_stray(saw, 1);
    }
    if ((saw & FLOW_CLIENT_KNOWN) != 0) {
        *ret_basis = DIRECTION_CONTENT;
        return (saw & FLOW_CLIENT_SIDE) != 0;
    }
    *ret_basis = f->transport == IPPROTO_TCP ? DIRECTION_UNKNOWN : DIRECTION_FIRST;
    return (f->state & FLOW_FIRST_SIDE) != 0;
}

unsigned flow_client_side(const struct flow_table *t, const struct flow *f, enum direction_basis *ret_basis)
{
    const struct flow_detail *d = flow_detail_at(t, f);

    return client_side(f, d != NULL ? d->saw : flow_saw_of_few(t, f), ret_basis);
}

void flow_set_client(struct flow_table *t, struct flow *f, unsigned side)
{
    if (flow_has_other(f)) {
        f->few.other.client_known = true;
        f->few.other.client_side = side & 1;
        return;
    }
    struct flow_detail *d = flow_detail_get(t, f);
    if (d == NULL)
        return;
    d->saw &= ~(uint32_t)FLOW_CLIENT_SIDE;
    d->saw |= FLOW_CLIENT_KNOWN | (side == 1 ? FLOW_CLIENT_SIDE : 0);
}

/* Of one packet. */
static void record_one(const struct flow *f, unsigned i, struct flow_record *r)
{
    unsigned flags = f->tcp_flags[flow_first_side(f)];
    uint16_t place = flow_place(f->first_vlan, f->few.encap, flow_first_point(f));

    if ((flags & TCP_RST) != 0)
        r->rst_place = place;
    else
        r->ttl[i][0] = (struct ttl_at){place, {f->first_ttl, f->first_ttl}};
    r->answers_unacked = f->transport == IPPROTO_TCP && flags == (TCP_RST | TCP_ACK) && f->few.seq == 0;
    r->first_ns = f->last_ns;
    r->packets[i] = 1;
    r->sent_first_ns[i] = r->sent_last_ns[i] = f->last_ns;
    r->bytes[i] = f->few.one.wire_len;
    r->payload[i] = f->few.one.payload;
    r->tcp_flags[i] = (uint8_t)flags;
    r->vlan[i] = f->first_vlan;
    r->encap = f->few.encap;
}

/*
 * Of two packets, a question and its answer of UDP mostly, what record_counts() tells of a detail that was told of both.  False where they may be copies
 * of each other, or there is more to tell: then it takes the detail.
 */
static bool record_pair(const struct flow_table *t, const struct flow *f, unsigned client, struct flow_record *r)
{
    unsigned     first = flow_first_side(f);
    struct sight s[2];

    if (f->transport == IPPROTO_TCP || first == flow_second_side(f))
        return false;
    flow_sight_of_first(t, f, &s[first]);
    flow_sight_of_second(t, f, &s[!first]);
    if (flow_signature(0, &s[0]) == flow_signature(1, &s[1]))
        return false;
    for (unsigned side = 0; side < 2; side++) {
        unsigned i = side ^ client;

        r->ttl[i][0] = (struct ttl_at){s[side].place, {s[side].ttl, s[side].ttl}};
        r->packets[i] = 1;
        r->sent_first_ns[i] = r->sent_last_ns[i] = s[side].ts_ns;
        r->bytes[i] = s[side].wire_len;
        r->payload[i] = s[side].payload;
        r->vlan[i] = s[side].vlan;
    }
    r->first_ns = s[0].ts_ns < s[1].ts_ns ? s[0].ts_ns : s[1].ts_ns;
    r->encap = f->few.encap;
    return true;
}

/* Of the side 'side' nothing but RST, ACK was seen, and of the other nothing: is the number of the first 0? */
static bool answers_unacked(const struct flow *f, const struct flow_detail *d, unsigned side)
{
    return f->transport == IPPROTO_TCP && f->tcp_flags[side] == (TCP_RST | TCP_ACK) && f->packets[!side] == 0 && d->packets_high[!side] == 0 &&
           (d->saw & TCP_HAS_BASE << side) != 0 && d->space[side].base == UINT32_MAX;
}

static void record_counts(const struct flow_table *t, const struct flow *f, const struct flow_detail *d, unsigned client, struct flow_record *r)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = client ^ i;

        r->packets[i] = (uint64_t)d->packets_high[side] << 32 | f->packets[side];
        if (r->packets[i] > 0) {
            r->sent_first_ns[i] = d->first_ns[side];
            r->sent_last_ns[i] = flow_detail_last_side(d) == side ? f->last_ns : d->other_last_ns;
        }
        r->bytes[i] = flow_bytes(t, f, side);
        r->payload[i] = d->payload[side];
        r->tcp_flags[i] = f->tcp_flags[side];
        r->ttl[i][0] = d->ttl[side];
        memcpy(&r->ttl[i][1], d->ttl_elsewhere[side], sizeof(d->ttl_elsewhere[side]));
        r->vlan[i] = d->vlan[side];
        if (f->transport == IPPROTO_TCP)
            r->unseen_bytes[i] = flow_tcp_unseen(d, side);
    }
    r->answers_unacked = answers_unacked(f, d, 0) || answers_unacked(f, d, 1);
    r->duplicates = d->duplicates[0] + d->duplicates[1];
    r->copies[0] = d->duplicates[client];
    r->copies[1] = d->duplicates[!client];
    r->retransmissions = d->retransmissions;
    r->encap = d->encap;
    r->routed = (d->saw & FLOW_ROUTED) != 0;
    if (d->rst_ttl != 0) {
        r->rst_other_ttl = d->rst_other_ttl;
        r->rst_place = d->rst_place;
    }
}

static void record_tcp(uint32_t saw, uint8_t rst_ttl, unsigned client, struct flow_record *r)
{
    bool rst = (saw & (TCP_SAW_RST * 3)) != 0, fin = (saw & (TCP_SAW_FIN * 3)) != 0;

    for (unsigned i = 0; i < 2; i++)
        r->sent_data[i] = r->payload[i] > 0 && (saw & TCP_SAW_DATA << (client ^ i)) != 0;
    r->tcp_state = flow_tcp_state(saw, client);
    r->server_went_on = r->tcp_state == TCP_STATE_SYN_ACK_ONLY && (saw & TCP_SAW_MORE << !client) != 0;
    if (rst) {
        r->rst_ttl = rst_ttl;
        r->rst_from_server_side = ((saw & TCP_RST_SIDE) != 0) != client;
    }
    if (!rst && !fin)
        return;
    r->closed = rst ? FLOW_CLOSED_RST : FLOW_CLOSED_FIN;
    r->closed_by_server = ((saw & TCP_CLOSED_BY_SIDE) != 0) != client;
}

/* What client_side() says of one segment of TCP; scans and floods are of such flows. */
static unsigned client_of_segment(const struct flow *f, enum direction_basis *ret_basis)
{
    unsigned first = flow_first_side(f), flags = f->tcp_flags[first];

    if ((flags & TCP_SYN) == 0 || (f->state & FLOW_FLAGS_CUT) != 0)
        *ret_basis = DIRECTION_UNKNOWN;
    else
        *ret_basis = (flags & TCP_ACK) != 0 ? DIRECTION_SYN_ACK : DIRECTION_SYN;
    return first ^ (*ret_basis == DIRECTION_SYN_ACK);
}

/* What record_tcp() tells of it, where it went in direction 'i'. */
static void record_segment(const struct flow *f, unsigned i, struct flow_record *r)
{
    bool rst = (r->tcp_flags[i] & TCP_RST) != 0, fin = (r->tcp_flags[i] & TCP_FIN) != 0;

    r->tcp_state = TCP_STATE_FLAGS_CUT;
    if ((f->state & FLOW_FLAGS_CUT) != 0)
        return;
    if (r->direction == DIRECTION_SYN)
        r->tcp_state = TCP_STATE_SYN;
    else
        r->tcp_state = r->direction == DIRECTION_SYN_ACK ? TCP_STATE_SYN_ACK_ONLY : TCP_STATE_MIDSTREAM;
    r->sent_data[i] = r->payload[i] > 0 && !rst;
    if (rst) {
        r->rst_ttl = f->first_ttl;
        r->rst_from_server_side = i == 1;
    }
    if (!rst && !fin)
        return;
    r->closed = rst ? FLOW_CLOSED_RST : FLOW_CLOSED_FIN;
    r->closed_by_server = i == 1;
}

static void record_errors(const struct icmp_errors *e, unsigned client, struct flow_record *r)
{
    if (e == NULL)
        return;
    r->icmp = (struct flow_icmp){
        .n_errors = e->n_errors,
        .n_repeated = e->n_repeated,
        .sender = e->sender,
        .type = e->type,
        .code = e->code,
        .is_icmp6 = e->is_icmp6,
        .from_server = addr_compare(&e->sender, &r->tuple.server) == 0,
        .about_client_packet = e->quoted_side == client,
        .after_answer = e->after_answer,
        .differ = e->differ,
        .n_before = e->n_before,
        .n_early = e->n_early,
        .n_at_last = e->n_sent,
        .ts_ns = e->ts_ns,
        .last_ns = e->latest_ns[0],
        .packet_number = e->packet_number,
        .input = e->input,
    };
}

static void record_detail(const struct flow_table *t, const struct flow *f, const struct flow_detail *d, unsigned client, struct flow_record *r)
{
    r->first_ns = flow_detail_first_ns(d);
    record_counts(t, f, d, client, r);
    record_errors(flow_errors_of(t, d), client, r);
    if (f->transport != IPPROTO_TCP)
        return;
    record_tcp(d->saw, d->rst_ttl, client, r);
    if (r->tcp_state == TCP_STATE_HALF_OPEN && (d->saw & ((TCP_SAW_MORE | TCP_SAW_BARE) * 3)) == 0)
        r->resent_syns = d->resent_syns;
}

static void record_two(const struct flow_table *t, const struct flow *f, unsigned client, struct flow_record *r)
{
    struct flow_detail of_two;

    if (record_pair(t, f, client, r))
        return;
    flow_detail_start(t, f, &of_two);
    record_detail(t, f, &of_two, client, r);
}

/* All that is told by the flow itself. */
static void record_flow(const struct flow_table *t, const struct flow *f, unsigned client, struct flow_record *r)
{
    flow_addr(f, client, &r->tuple.client);
    flow_addr(f, !client, &r->tuple.server);
    r->tuple.client_port = f->port[client];
    r->tuple.server_port = f->port[!client];
    r->tuple.transport = f->transport;
    r->end = FLOW_END_FORCED;
    r->last_ns = f->last_ns;
    r->input = f->input;
    r->entry = flow_ref(t, f);
    r->first_packet = flow_first_packet(t, f);
    r->group = (f->state & FLOW_TO) == FLOW_GROUP || (f->state & FLOW_TO) == FLOW_LINK_GROUP;
    r->cut = (f->state & FLOW_CUT) != 0;
    r->has_fragments = (f->state & FLOW_FRAGMENTS) != 0;
}

void flow_snapshot(const struct flow_table *t, const struct flow *f, struct flow_record *ret)
{
    bool                 one = (f->state & FLOW_ONE) != 0, is_segment = one && f->transport == IPPROTO_TCP;
    enum direction_basis basis;
    unsigned             client = is_segment ? client_of_segment(f, &basis) : flow_client_side(t, f, &basis);

    memset(ret, 0, sizeof(*ret));
    record_flow(t, f, client, ret);
    ret->direction = basis;
    if (one)
        record_one(f, flow_first_side(f) ^ client, ret);
    else if ((f->state & FLOW_TWO) != 0)
        record_two(t, f, client, ret);
    else
        record_detail(t, f, flow_detail_at(t, f), client, ret);
    if (is_segment)
        record_segment(f, flow_first_side(f) ^ client, ret);
}

#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        __typeof__(a) swap_ = (a);                                                                                     \
        (a) = (b);                                                                                                     \
        (b) = swap_;                                                                                                   \
    } while (0)

void flow_record_swap(struct flow_record *r)
{
    SWAP(r->tuple.client, r->tuple.server);
    SWAP(r->tuple.client_port, r->tuple.server_port);
    SWAP(r->packets[0], r->packets[1]);
    SWAP(r->sent_first_ns[0], r->sent_first_ns[1]);
    SWAP(r->sent_last_ns[0], r->sent_last_ns[1]);
    SWAP(r->copies[0], r->copies[1]);
    SWAP(r->bytes[0], r->bytes[1]);
    SWAP(r->payload[0], r->payload[1]);
    SWAP(r->sent_data[0], r->sent_data[1]);
    SWAP(r->unseen_bytes[0], r->unseen_bytes[1]);
    SWAP(r->tcp_flags[0], r->tcp_flags[1]);
    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        SWAP(r->ttl[0][i], r->ttl[1][i]);
    SWAP(r->vlan[0], r->vlan[1]);
    if (r->closed != FLOW_CLOSED_NONE)
        r->closed_by_server = !r->closed_by_server;
    if (r->closed == FLOW_CLOSED_RST)
        r->rst_from_server_side = !r->rst_from_server_side;
    if (r->icmp.n_errors != 0) {
        r->icmp.from_server = addr_compare(&r->icmp.sender, &r->tuple.server) == 0;
        r->icmp.about_client_packet = !r->icmp.about_client_packet;
    }
}
