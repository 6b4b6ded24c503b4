/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of two packets: a question and its answer, a SYN that is refused or comes again.  Where flows are many, most are of this kind, so that
 * the second packet is remembered in 16 bytes, and told to a detail when a third comes or somebody asks for more.
 *
 * What is remembered is exact.  A packet that does not fit takes a detail at once: other tags, tunnels or place than the first, more than 255 bytes of
 * headers, a frame of more than 65,535 bytes, an acknowledgement far from what the first packet makes likely, a second one of
 * the same side with other TCP flags, and one that comes more than 4.29 s later (4,294 s where times are in microseconds).
 */
#include "flow-private.h"

#include <netinet/in.h>

#define NO_ACK INT16_MIN /* the acknowledgement number is 0 */

static bool fits_lengths(uint32_t wire_len, uint32_t payload)
{
    return wire_len <= UINT16_MAX && payload <= wire_len && wire_len - payload <= UINT8_MAX;
}

/* What a packet of 'side' most likely acknowledges, or acknowledged. */
static uint32_t likely_ack(const struct flow *f, unsigned side)
{
    return side == flow_first_side(f) ? f->few.ack : f->few.seq;
}

static bool pack_ack(const struct flow *f, unsigned side, uint32_t ack, int16_t *ret)
{
    int32_t difference = (int32_t)(ack - likely_ack(f, side));

    if (ack != 0 && (difference <= INT16_MIN || difference > INT16_MAX))
        return false;
    *ret = ack == 0 ? NO_ACK : (int16_t)difference;
    return true;
}

static bool pack_elapsed(uint64_t ns, uint32_t *ret, unsigned *ret_state)
{
    if (ns > UINT32_MAX && (ns % 1000 != 0 || ns / 1000 > UINT32_MAX))
        return false;
    *ret = (uint32_t)(ns > UINT32_MAX ? ns / 1000 : ns);
    *ret_state |= ns > UINT32_MAX ? FLOW_SECOND_IN_US : 0;
    return true;
}

/* The second packet in short, and the bits of the flow's state that go with it. */
static bool pack(const struct flow *f, unsigned side, const struct sight *s, struct second *ret, unsigned *ret_state)
{
    bool     earlier = s->ts_ns < f->last_ns;
    uint64_t elapsed = earlier ? (uint64_t)f->last_ns - (uint64_t)s->ts_ns : (uint64_t)s->ts_ns - (uint64_t)f->last_ns;

    unsigned turned = s->point ^ flow_first_point(f);

    if (s->vlan != f->first_vlan || s->encap != f->few.encap || (turned & ~POINT_OUT) != 0 || !fits_lengths(s->wire_len, s->payload) ||
        !fits_lengths(f->few.one.wire_len, f->few.one.payload) || (side == flow_first_side(f) && s->tcp_flags != f->tcp_flags[side]))
        return false;
    *ret_state = FLOW_TWO | (side == 1 ? FLOW_SECOND_SIDE : 0) | (s->flags_cut ? FLOW_SECOND_CUT : 0) | (earlier ? FLOW_SECOND_EARLIER : 0) | (turned != 0 ? FLOW_SECOND_TURNED : 0);
    ret->seq = s->seq;
    ret->wire_len = (uint16_t)s->wire_len;
    ret->mark = s->mark;
    ret->header = (uint8_t)(s->wire_len - s->payload);
    ret->ttl = s->ttl;
    return pack_elapsed(elapsed, &ret->elapsed, ret_state) && pack_ack(f, side, s->ack, &ret->ack);
}

bool flow_pair_make(struct flow_table *t, struct flow *f, unsigned side, const struct sight *s)
{
    struct second second;
    unsigned      state;
    uint32_t      index;

    if (!pack(f, side, s, &second, &state) || !flow_second_take(t, &index))
        return false;
    *(struct second *)pool_at(&t->seconds, index) = second;
    uint32_t wire_len = f->few.one.wire_len;
    uint8_t  header = (uint8_t)(wire_len - f->few.one.payload);
    f->few.two.second = index;
    f->few.two.wire_len = (uint16_t)wire_len;
    f->few.two.header = header;
    f->few.two.second_flags = s->tcp_flags;
    f->state = (uint16_t)((f->state & ~FLOW_ONE) | state);
    if (s->ts_ns > f->last_ns)
        f->last_ns = s->ts_ns;
    f->packets[side]++;
    f->tcp_flags[side] |= s->tcp_flags;
    /* Of TCP both take part only with an acknowledgement each. */
    if ((f->transport != IPPROTO_TCP || (s->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_ACK) && flow_is_strong(f, flow_saw_of_few(t, f)))
        pool_set_weak(flow_pool(t, f), flow_index(t, f), false);
    return true;
}

/* From the packet seen first to the other one. */
static int64_t time_of(const struct flow *f, const struct second *second, bool earlier)
{
    uint64_t elapsed = (uint64_t)second->elapsed * ((f->state & FLOW_SECOND_IN_US) != 0 ? 1000 : 1);

    return earlier ? (int64_t)((uint64_t)f->last_ns - elapsed) : f->last_ns;
}

void flow_sight_of_first(const struct flow_table *t, const struct flow *f, struct sight *ret)
{
    bool two = (f->state & FLOW_TWO) != 0, second_later = (f->state & FLOW_SECOND_EARLIER) == 0;

    *ret = (struct sight){
        .ts_ns = two ? time_of(f, flow_second_at(t, f), second_later) : f->last_ns,
        .wire_len = two ? f->few.two.wire_len : f->few.one.wire_len,
        .payload = two ? (uint32_t)f->few.two.wire_len - f->few.two.header : f->few.one.payload,
        .seq = f->few.seq,
        .ack = f->transport == IPPROTO_TCP ? f->few.ack : 0,
        .mark = f->few.mark,
        .vlan = f->first_vlan,
        .encap = f->few.encap,
        .point = flow_first_point(f),
        .place = flow_place(f->first_vlan, f->few.encap, flow_first_point(f)),
        .ttl = f->first_ttl,
        .tcp_flags = f->tcp_flags[flow_first_side(f)], /* of a second packet of the same side too: they are equal */
        .flags_cut = (f->state & FLOW_FLAGS_CUT) != 0,
    };
}

void flow_sight_of_second(const struct flow_table *t, const struct flow *f, struct sight *ret)
{
    const struct second *second = flow_second_at(t, f);
    uint16_t             point = (uint16_t)(flow_first_point(f) ^ ((f->state & FLOW_SECOND_TURNED) != 0 ? POINT_OUT : 0));

    *ret = (struct sight){
        .ts_ns = time_of(f, second, (f->state & FLOW_SECOND_EARLIER) != 0),
        .wire_len = second->wire_len,
        .payload = (uint32_t)second->wire_len - second->header,
        .seq = second->seq,
        .ack = second->ack == NO_ACK ? 0 : likely_ack(f, flow_second_side(f)) + (uint32_t)second->ack,
        .mark = second->mark,
        .vlan = f->first_vlan,
        .encap = f->few.encap,
        .point = point,
        .place = flow_place(f->first_vlan, f->few.encap, point),
        .ttl = second->ttl,
        .tcp_flags = f->few.two.second_flags,
        .flags_cut = (f->state & FLOW_SECOND_CUT) != 0,
    };
}

uint32_t flow_saw_of_few(const struct flow_table *t, const struct flow *f)
{
    unsigned first = flow_first_side(f);
    bool     two = (f->state & FLOW_TWO) != 0;
    uint32_t saw = 0;

    if (f->transport != IPPROTO_TCP)
        return (f->few.other.client_known ? FLOW_CLIENT_KNOWN : 0u) | (f->few.other.client_side ? FLOW_CLIENT_SIDE : 0u);
    if ((f->state & FLOW_FLAGS_CUT) == 0)
        saw = flow_tcp_saw(saw, first, f->tcp_flags[first], two ? f->few.two.wire_len != f->few.two.header : f->few.one.payload != 0);
    if (two && (f->state & FLOW_SECOND_CUT) == 0) {
        const struct second *second = flow_second_at(t, f);

        saw = flow_tcp_saw(saw, flow_second_side(f), f->few.two.second_flags, second->wire_len != second->header);
    }
    return saw;
}
