/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record to the contract's word for what became of the attempt.
 *
 * Order of the evidence: an answer (both ways) > an ICMP error that came before any answer > a RST > silence.
 */
#include "flow-private.h"

#include "icmp.h"

#include <netinet/in.h>

#define MANY_BEFORE 50                  /* datagrams of media, one second of it: an error to one of them is none to a call that is set up */
#define LONG_BEFORE INT64_C(1000000000) /* fewer, of what is sent seldom or was not captured whole, for so long */
#define BARE_FRAME 100 /* bytes: no frame with IP and TCP headers alone is longer, options included, tunnels aside */

/* The error tells that the client's packet was not delivered. Sets what that means. */
static bool icmp_outcome(const struct flow_record *r, enum outcome *ret)
{
    const struct flow_icmp *i = &r->icmp;

    if (i->n_errors == 0 || i->after_answer || !i->about_client_packet ||
        !flow_icmp_is_denial(i->is_icmp6, i->type, i->code))
        return false;
    bool refused = i->from_server && !flow_icmp_is_prohibition(i->is_icmp6, i->type, i->code);
    *ret = refused ? OUTCOME_REFUSED : OUTCOME_PROHIBITED;
    return true;
}

/* Datagrams that went both ways, and each of which its receiver rejected for want of an open port, are no answers to each other. */
static bool all_rejected(const struct flow_record *r)
{
    const struct flow_icmp *i = &r->icmp;
    const struct addr      *receiver = i->about_client_packet ? &r->tuple.server : &r->tuple.client;

    return i->n_errors >= r->packets[0] + r->packets[1] && !i->after_answer && flow_icmp_is_port(i->is_icmp6, i->type, i->code) && addr_compare(&i->sender, receiver) == 0;
}

bool flow_record_rst_is_apart(const struct flow_record *r, struct ttl_range *ret_own)
{
    const struct ttl_at *at = r->ttl[r->rst_from_server_side];
    struct ttl_range     elsewhere = {0, 0};

    *ret_own = (struct ttl_range){0, 0};
    if (r->rst_ttl == 0)
        return false;
    for (unsigned i = 0; i < N_TTL_PLACES && at[i].ttl.min != 0; i++)
        ttl_range_join(at[i].place == r->rst_place ? ret_own : &elsewhere, &at[i].ttl);
    if (ret_own->min == 0 && r->rst_other_ttl != 0)
        *ret_own = (struct ttl_range){r->rst_other_ttl, r->rst_other_ttl};
    bool is_near = ret_own->min != 0;
    if (!is_near)
        *ret_own = elsewhere;
    if (ret_own->min == 0)
        return false;
    if (r->routed || !is_near)
        return ttl_initial(r->rst_ttl) < ttl_initial(ret_own->min) || ttl_initial(r->rst_ttl) > ttl_initial(ret_own->max);
    return r->rst_ttl < ret_own->min || r->rst_ttl > ret_own->max;
}

/* A RST as if from the server, whose TTL is not that of the server's other packets here, was sent by something between. */
static enum outcome rst_outcome(const struct flow_record *r)
{
    struct ttl_range own;

    return flow_record_rst_is_apart(r, &own) ? OUTCOME_PROHIBITED : OUTCOME_REFUSED;
}

/* One end sent nothing but a single RST, copies of it aside. */
static bool only_reset(const struct flow_record *r, unsigned direction)
{
    return r->packets[direction] == 1 + r->copies[direction] && (r->tcp_flags[direction] & TCP_RST) != 0;
}

static enum outcome one_direction(const struct flow_record *r, enum outcome silence)
{
    enum outcome o;

    return icmp_outcome(r, &o) ? o : silence;
}

bool flow_record_is_lone_reset(const struct flow_record *r)
{
    unsigned side = r->packets[0] == 0;

    return r->tuple.transport == IPPROTO_TCP && r->tcp_state == TCP_STATE_MIDSTREAM && r->packets[!side] == 0 && !r->sent_data[side] && only_reset(r, side);
}

bool flow_record_is_undelivered(const struct flow_record *r)
{
    return r->tcp_state == TCP_STATE_HALF_OPEN && r->resent_syns > 0 && r->closed != FLOW_CLOSED_RST && r->payload[1] == 0;
}

/* Does a server send data, or acknowledge some of which the capture has none, the connection was open (RFC 9293, 3.10.7.4), whatever reset it. */
static bool was_open(const struct flow_record *r)
{
    return r->sent_data[1] || r->unseen_bytes[0] > 0;
}

static enum outcome half_open(const struct flow_record *r)
{
    if (was_open(r))
        return OUTCOME_ESTABLISHED;
    if (r->closed == FLOW_CLOSED_RST && r->rst_from_server_side)
        return rst_outcome(r);
    /* The client's RST answers the SYN-ACK: there and back, the way was open (a scan leaves this).  Where nothing follows it was answered all
     * the same; whether the answer arrived is not in the capture. */
    if (r->closed == FLOW_CLOSED_RST)
        return OUTCOME_ESTABLISHED;
    return one_direction(r, flow_record_is_undelivered(r) ? OUTCOME_UNANSWERED : OUTCOME_ONE_WAY);
}

static enum outcome midstream(const struct flow_record *r)
{
    if (r->packets[0] == 0 || r->packets[1] == 0)
        return one_direction(r, OUTCOME_ONE_WAY);
    /* A lone RST ends something older: nobody saw an attempt that it could have refused. */
    return only_reset(r, 0) || only_reset(r, 1) ? OUTCOME_ONE_WAY : OUTCOME_ESTABLISHED;
}

static enum outcome flags_cut(const struct flow_record *r)
{
    /* Frames longer than bare headers carried data. */
    bool data = r->payload[0] + r->payload[1] > 0;
    for (unsigned i = 0; i < 2; i++)
        data |= r->bytes[i] > r->packets[i] * BARE_FRAME;
    if (r->packets[0] == 0 || r->packets[1] == 0)
        return one_direction(r, data || r->packets[0] == 0 ? OUTCOME_ONE_WAY : OUTCOME_UNANSWERED);
    /* Without flags an answer may be a RST. */
    return data ? OUTCOME_ESTABLISHED : one_direction(r, OUTCOME_ONE_WAY);
}

/* Bare ACKs answered the SYN, and the client acknowledged nothing: they speak of another connection (RFC 5961, section 4; RFC 9293, 3.10.7.4). */
static bool is_challenged(const struct flow_record *r)
{
    return (r->tcp_flags[0] & TCP_ACK) == 0 && !r->sent_data[1] && (r->tcp_flags[1] & TCP_FIN) == 0;
}

static enum outcome tcp_outcome(const struct flow_record *r)
{
    enum outcome o;

    if (r->sent_data[0] && r->sent_data[1])
        return OUTCOME_ESTABLISHED;
    switch (r->tcp_state) {
    case TCP_STATE_ESTABLISHED:
        return OUTCOME_ESTABLISHED;
    case TCP_STATE_NO_SYN_ACK: /* the client went on, so it had its answer: by another way, or this capture missed it */
        return r->packets[1] > 0 && !is_challenged(r) ? OUTCOME_ESTABLISHED : OUTCOME_ONE_WAY;
    case TCP_STATE_SYN_ACK_ONLY:
        return r->packets[0] > 0 && !only_reset(r, 0) ? OUTCOME_ESTABLISHED : OUTCOME_ONE_WAY;
    case TCP_STATE_REFUSED:
        return icmp_outcome(r, &o) ? o : rst_outcome(r);
    case TCP_STATE_HALF_OPEN:
        return half_open(r);
    case TCP_STATE_MIDSTREAM:
        return midstream(r);
    case TCP_STATE_FLAGS_CUT:
        return flags_cut(r);
    case TCP_STATE_SYN:
    case TCP_STATE_NONE:
        break;
    }
    return one_direction(r, OUTCOME_UNANSWERED);
}

/* What is refused is refused at the first packets; a receiver that hangs up, or goes down, refuses the last ones. */
static bool is_refusal_by_icmp(const struct flow_record *r)
{
    const struct flow_icmp *i = &r->icmp;

    return r->tuple.transport == IPPROTO_UDP && r->packets[1] == 0 && i->n_errors > 0 && i->about_client_packet && flow_icmp_is_denial(i->is_icmp6, i->type, i->code) &&
           !flow_icmp_is_prohibition(i->is_icmp6, i->type, i->code);
}

/* Whoever refuses may keep the rate of its errors down, to one in a second (RFC 1812, 4.3.2.8); what comes later is refused again, or was let in. */
bool flow_record_is_asked_on(const struct flow_record *r)
{
    uint64_t sent = r->packets[0] - r->copies[0];

    return is_refusal_by_icmp(r) && sent <= UINT32_MAX && sent > r->icmp.n_at_last && r->sent_last_ns[0] >= ns_after(r->icmp.last_ns, LONG_BEFORE);
}

bool flow_record_is_stopped_late(const struct flow_record *r)
{
    const struct flow_icmp *i = &r->icmp;

    if (!is_refusal_by_icmp(r))
        return false;
    return i->n_before >= MANY_BEFORE || (i->n_before > 1 && i->ts_ns >= ns_after(r->first_ns, LONG_BEFORE));
}

enum outcome flow_record_outcome(const struct flow_record *r, bool one_way_expected)
{
    if (r->tuple.transport == IPPROTO_TCP)
        return tcp_outcome(r);
    if (r->packets[0] == 0)
        return OUTCOME_ONE_WAY;
    if (r->packets[1] > 0 && !all_rejected(r))
        return OUTCOME_ESTABLISHED;
    if (flow_record_is_asked_on(r))
        return one_way_expected ? OUTCOME_ONE_WAY : OUTCOME_UNANSWERED;
    if (one_way_expected && flow_record_is_stopped_late(r))
        return OUTCOME_ONE_WAY;
    return one_direction(r, one_way_expected ? OUTCOME_ONE_WAY : OUTCOME_UNANSWERED);
}
