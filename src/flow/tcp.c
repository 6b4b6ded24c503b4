/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP as the wire shows it.
 *
 * Sequence numbers are compared modulo 2^32 (RFC 9293, section 3.4).  For each direction 'next' follows the highest
 * byte captured.  What is skipped is a hole; it is filled by segments that come late, or given up as unseen once the
 * other side has acknowledged it, and more was captured beyond it: then it did arrive, and the capture missed it.  A keep-alive probe may be empty, one
 * below what its side sends next (section 3.8.4): where it comes first, no byte is missing after it.
 *
 * A SYN with another initial sequence number than its side is known to have used begins a new connection on the same
 * ends, whatever the old one's state (as Wireshark counts streams).
 */
#include "flow-private.h"

#include <netinet/in.h>

/* A SYN comes again after a second or more (RFC 6298, section 2.1), by some stacks sooner; within this time it may have crossed the answer. */
#define RESEND_NS (200 * INT64_C(1000000))
#define MAX_JUMP (INT32_C(1) << 30) /* the largest window that RFC 7323 allows: more is no loss but nonsense */
#define MAX_LATE (UINT32_C(1) << 24) /* acknowledged bytes that may still come */

static int32_t seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static bool saw(const struct flow_detail *d, unsigned bit, unsigned side)
{
    return (d->saw & (bit << side)) != 0;
}

/* Does it neither open nor end anything? */
static bool is_plain(unsigned flags)
{
    return (flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* 'saw' after a segment that opens or ends something. */
static uint32_t saw_turn(uint32_t saw, unsigned side, unsigned flags, bool data)
{
    unsigned bits = data && (flags & TCP_RST) == 0 ? TCP_SAW_DATA : 0;

    if ((flags & TCP_SYN) != 0)
        bits |= (flags & TCP_ACK) != 0 ? TCP_SAW_SYN_ACK : TCP_SAW_SYN;
    if ((flags & TCP_FIN) != 0)
        bits |= TCP_SAW_FIN;
    if ((flags & TCP_RST) != 0)
        bits |= TCP_SAW_RST;
    if ((flags & (TCP_SYN | TCP_RST)) == 0)
        bits |= (flags & TCP_ACK) != 0 ? TCP_SAW_MORE : TCP_SAW_BARE;

    if (side == 1) {
        if ((bits & TCP_SAW_SYN) != 0 && (saw & (TCP_SAW_SYN * 3)) == 0)
            saw |= TCP_FIRST_SYN_SIDE;
        if ((bits & TCP_SAW_SYN_ACK) != 0 && (saw & (TCP_SAW_SYN_ACK * 3)) == 0)
            saw |= TCP_FIRST_SYN_ACK_SIDE;
        if ((bits & (TCP_SAW_FIN | TCP_SAW_RST)) != 0 && (saw & (TCP_SAW_FIN * 3 | TCP_SAW_RST * 3)) == 0)
            saw |= TCP_CLOSED_BY_SIDE;
        if ((bits & TCP_SAW_RST) != 0 && (saw & (TCP_SAW_RST * 3)) == 0)
            saw |= TCP_RST_SIDE;
    }
    return saw | bits << side | TCP_SAW_FLAGS;
}

/* 'saw' after one more segment. */
static uint32_t saw_flags(uint32_t saw, unsigned side, unsigned flags, bool data)
{
    if (is_plain(flags))
        return saw | (TCP_SAW_MORE | (data ? TCP_SAW_DATA : 0u)) << side | TCP_SAW_FLAGS;
    return saw_turn(saw, side, flags, data);
}

uint32_t flow_tcp_saw(uint32_t saw, unsigned side, unsigned flags, bool data)
{
    return saw_flags(saw, side, flags, data);
}

static void note_base(struct flow_detail *d, unsigned side, const struct sight *s)
{
    if (!saw(d, TCP_HAS_BASE, side)) {
        d->space[side].base = (s->tcp_flags & TCP_SYN) != 0 ? s->seq : s->seq - 1;
        d->saw |= TCP_HAS_BASE << side;
    }
    if ((s->tcp_flags & TCP_ACK) != 0 && !saw(d, TCP_HAS_BASE, !side)) {
        d->space[!side].base = s->ack - 1;
        d->saw |= TCP_HAS_BASE << !side;
    }
}

/* Bytes up to 'seq' are skipped: one more hole, or the one there is gets longer.  With 'is_ack' they may still come, where acknowledgements are captured
 * earlier than what they acknowledge: two taps, and their clocks differ. */
static void open_hole(struct tcp_space *space, uint32_t seq, bool is_ack)
{
    bool goes_on = is_ack && space->next == space->hole_high && seq - space->hole_low <= MAX_LATE;

    if (space->hole > 0 && !goes_on && seq_diff(space->acked, space->hole_high) >= 0) {
        space->unseen += space->hole;
        space->hole = 0;
    }
    if (space->hole == 0)
        space->hole_low = space->next;
    space->hole += seq - space->next;
    space->hole_high = seq;
    space->next = seq;
}

/* Bytes that were skipped come after all, maybe with what was captured behind them (the FIN of the last segment). */
static bool fill_hole(struct tcp_space *space, uint32_t seq, uint32_t end)
{
    if (space->hole == 0 || seq_diff(seq, space->hole_low) < 0 || seq_diff(seq, space->hole_high) >= 0)
        return false;
    if (seq_diff(end, space->hole_high) > 0)
        end = space->hole_high;
    uint32_t n = end - seq;
    space->hole -= n < space->hole ? n : space->hole;
    if (seq == space->hole_low)
        space->hole_low = end;
    return true;
}

/* A segment of bytes below 'next': late, or again. */
static void take_old(struct flow_detail *d, struct tcp_space *space, const struct sight *s, uint32_t end)
{
    if (fill_hole(space, s->seq, end) || s->payload == 0)
        return;
    bool probe = s->payload == 1 && s->seq == space->next - 1; /* keep-alive, RFC 9293 section 3.8.4 */
    if (!probe && seq_diff(s->seq, space->base) > 0)
        d->retransmissions++;
}

static void track_sent(struct flow_detail *d, unsigned side, const struct sight *s)
{
    struct tcp_space *space = &d->space[side];
    unsigned          syn = (s->tcp_flags & TCP_SYN) != 0, fin = (s->tcp_flags & TCP_FIN) != 0;
    uint32_t          end = s->seq + syn + s->payload + fin;

    if (!saw(d, TCP_HAS_NEXT, side)) {
        d->saw |= (TCP_HAS_NEXT | (end == s->seq ? TCP_FIRST_EMPTY : 0)) << side;
        space->next = end;
        return;
    }
    int32_t ahead = seq_diff(s->seq, space->next);
    if (ahead > MAX_JUMP || ahead < -MAX_JUMP)
        return;
    if (syn && ahead > 0) /* before it there is nothing of this connection: what came first was of an older one */
        space->hole = 0;
    else if (ahead > (saw(d, TCP_FIRST_EMPTY, side) ? 1 : 0))
        open_hole(space, s->seq, false);
    if (ahead > 0 || end != s->seq)
        d->saw &= ~(uint32_t)(TCP_FIRST_EMPTY << side);
    if (seq_diff(end, space->next) > 0) {
        if (ahead < 0)
            fill_hole(space, s->seq, space->next);
        space->next = end;
    } else if (end != s->seq) {
        take_old(d, space, s, end);
    }
}

/* An acknowledgement by 'side' of what the other one sent. */
static void track_acked(struct flow_detail *d, unsigned side, uint32_t ack)
{
    struct tcp_space *space = &d->space[!side];

    if (!saw(d, TCP_HAS_ACKED, !side) || seq_diff(ack, space->acked) > 0)
        space->acked = ack;
    d->saw |= TCP_HAS_ACKED << !side;
    if (!saw(d, TCP_SAW_DATA, !side)) /* that side's data takes another way: nothing can be said */
        return;
    int32_t ahead = seq_diff(ack, space->next);
    if (ahead > 0 && ahead <= MAX_JUMP)
        open_hole(space, ack, true);
}

/* A SYN (its number is that of the first) of a side that, had the other's SYN-ACK reached it, would not send it any more. */
static void note_resent_syn(struct flow_detail *d, unsigned side, const struct sight *s)
{
    unsigned other = !side;
    uint32_t others = (TCP_SAW_MORE | TCP_SAW_BARE) * 3 | (TCP_SAW_SYN | TCP_SAW_FIN | TCP_SAW_RST) << other;

    if (saw(d, TCP_SAW_SYN_ACK, other) && (d->saw & others) == 0 && s->ts_ns >= ns_after(d->first_ns[other], RESEND_NS) &&
        d->resent_syns < FLOW_RESENT_SYNS_MAX)
        d->resent_syns++;
}

static void note_reset(struct flow_detail *d, unsigned side, const struct sight *s)
{
    int32_t acked = seq_diff(s->ack, d->space[!side].next), sent = seq_diff(s->seq, d->space[side].next);
    bool    acks = (s->tcp_flags & TCP_ACK) != 0 && saw(d, TCP_HAS_NEXT, !side) && acked > 0 && acked <= MAX_JUMP;

    if (acks || (saw(d, TCP_SAW_SYN_ACK, side) && sent > 0 && sent <= MAX_JUMP))
        d->saw |= TCP_RST_BEYOND;
}

/* The next segment of an open connection, as nearly all are: what flow_tcp_track() does with any, as far as there is something to do. */
static bool track_next(struct flow_detail *d, unsigned side, const struct sight *s)
{
    struct tcp_space *own = &d->space[side], *peer = &d->space[!side];
    uint32_t          needs = TCP_HAS_BASE * 3 | TCP_HAS_NEXT << side, saw = d->saw;

    if (!is_plain(s->tcp_flags) || (saw & needs) != needs || s->seq != own->next || s->payload > MAX_JUMP || seq_diff(s->ack, peer->next) > 0)
        return false;
    saw |= TCP_SAW_MORE << side | TCP_SAW_FLAGS;
    if (s->payload > 0)
        saw = (saw | TCP_SAW_DATA << side) & ~(uint32_t)(TCP_FIRST_EMPTY << side);
    d->saw = saw | TCP_HAS_ACKED << !side;
    own->next += s->payload;
    if ((saw & TCP_HAS_ACKED << !side) == 0 || seq_diff(s->ack, peer->acked) > 0)
        peer->acked = s->ack;
    return true;
}

/* No part of its caller: what it needs registers for, those that are tracked at once would have to save. */
static __attribute__((noinline)) void track_any(struct flow_detail *d, unsigned side, const struct sight *s, bool is_copy)
{
    if ((s->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && !is_copy)
        note_resent_syn(d, side, s);
    d->saw = saw_flags(d->saw, side, s->tcp_flags, s->payload > 0);
    note_base(d, side, s);
    if ((s->tcp_flags & TCP_RST) != 0) /* its numbers may be anything */
        note_reset(d, side, s);
    if (is_copy || (s->tcp_flags & TCP_RST) != 0)
        return;
    track_sent(d, side, s);
    if ((s->tcp_flags & TCP_ACK) != 0)
        track_acked(d, side, s->ack);
}

void flow_tcp_track(struct flow_detail *d, unsigned side, const struct sight *s, bool is_copy)
{
    if (is_copy || !track_next(d, side, s))
        track_any(d, side, s, is_copy);
}

/* The initial sequence number of a side, where it is known. */
static bool base_of(const struct flow_detail *d, unsigned side, uint32_t *ret)
{
    *ret = d->space[side].base;
    return saw(d, TCP_HAS_BASE, side);
}

/* What one segment tells of it, as note_base() has it: its own, or that of the other side, whose bytes it acknowledges. */
static bool base_in(bool is_own, unsigned flags, uint32_t seq, uint32_t ack, uint32_t *ret)
{
    *ret = is_own ? seq - ((flags & TCP_SYN) == 0) : ack - 1;
    return is_own || (flags & TCP_ACK) != 0;
}

/* The same of a flow that has no detail: the first packet that tells it counts. */
static bool base_of_few(const struct flow_table *t, const struct flow *f, unsigned side, uint32_t *ret)
{
    unsigned     first = flow_first_side(f);
    struct sight s;

    if ((f->state & FLOW_FLAGS_CUT) == 0 && base_in(side == first, f->tcp_flags[first], f->few.seq, f->few.ack, ret))
        return true;
    if ((f->state & FLOW_TWO) == 0 || (f->state & FLOW_SECOND_CUT) != 0)
        return false;
    flow_sight_of_second(t, f, &s);
    return base_in(side == flow_second_side(f), s.tcp_flags, s.seq, s.ack, ret);
}

static bool find_base(const struct flow_table *t, const struct flow *f, unsigned side, uint32_t *ret)
{
    const struct flow_detail *d = flow_detail_at(t, f);

    return d != NULL ? base_of(d, side, ret) : base_of_few(t, f, side, ret);
}

bool flow_tcp_syn_reopens(const struct flow_table *t, const struct flow *f, unsigned side, const struct packet *p)
{
    const struct flow_detail *d = flow_detail_at(t, f);
    uint32_t                  base, peer;

    if (!find_base(t, f, side, &base) || base == p->tcp_seq)
        return false;
    if ((p->tcp_flags & TCP_ACK) == 0)
        return true;
    /* A SYN-ACK begins a connection only where the old one is closed and it answers another SYN, one that was not
     * captured. */
    return flow_tcp_closed(d != NULL ? d->saw : flow_saw_of_few(t, f)) && find_base(t, f, !side, &peer) && peer != p->tcp_ack - 1;
}

bool flow_begins_data(const struct flow_table *t, const struct flow *f, unsigned side, const struct packet *p)
{
    const struct flow_detail *d = flow_detail_at(t, f);
    uint32_t                  own, peer, seq = p->tcp_seq + ((p->tcp_flags & TCP_SYN) != 0);

    if (d == NULL || f->transport != IPPROTO_TCP)
        return true;
    if (base_of(d, side, &own) && seq != own + 1)
        return false;
    return (p->tcp_flags & TCP_ACK) == 0 || !base_of(d, !side, &peer) || p->tcp_ack == peer + 1;
}

bool flow_tcp_is_stray(uint32_t bits, unsigned client)
{
    uint32_t others = (TCP_SAW_SYN | TCP_SAW_SYN_ACK | TCP_SAW_MORE) * 3 | TCP_SAW_BARE << !client;

    return (bits & TCP_SAW_BARE << client) != 0 && (bits & TCP_SAW_RST << !client) != 0 && (bits & others) == 0;
}

enum tcp_state flow_tcp_state(uint32_t bits, unsigned client)
{
    uint32_t own = bits >> client, servers = bits >> !client;
    bool     syn = (own & TCP_SAW_SYN) != 0, syn_ack = (servers & TCP_SAW_SYN_ACK) != 0;
    bool     more = (own & TCP_SAW_MORE) != 0, server_more = (servers & TCP_SAW_MORE) != 0;
    bool     rst = (servers & TCP_SAW_RST) != 0;

    if ((bits & TCP_SAW_FLAGS) == 0)
        return TCP_STATE_FLAGS_CUT;
    /* Both opened, and both answered (RFC 9293, 3.5). */
    bool both = (bits & TCP_SAW_SYN * 3) == TCP_SAW_SYN * 3 && (bits & TCP_SAW_SYN_ACK * 3) == TCP_SAW_SYN_ACK * 3;
    bool open = (bits & TCP_RST_BEYOND) != 0 && rst;
    if (syn && syn_ack)
        return more || both || open ? TCP_STATE_ESTABLISHED : TCP_STATE_HALF_OPEN;
    if (syn && (more || server_more || open))
        return TCP_STATE_NO_SYN_ACK;
    if (syn)
        return rst ? TCP_STATE_REFUSED : TCP_STATE_SYN;
    if (flow_tcp_is_stray(bits, client))
        return TCP_STATE_REFUSED;
    return syn_ack ? TCP_STATE_SYN_ACK_ONLY : TCP_STATE_MIDSTREAM;
}

uint64_t flow_tcp_unseen(const struct flow_detail *d, unsigned side)
{
    const struct tcp_space *space = &d->space[side];
    bool given_up = saw(d, TCP_HAS_ACKED, side) && seq_diff(space->acked, space->hole_high) >= 0;

    return space->unseen + (given_up ? space->hole : 0);
}
