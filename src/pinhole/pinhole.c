/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: sniff a flow's first payload, put the bytes of its TCP directions in order, hand each message to its
 * protocol's reader where it lies.
 *
 * Order: a stream knows the next sequence number.  What was seen is ignored, what overlaps is trimmed.  A gap inside a
 * message that is skipped costs nothing; any other loses the place, which the next segment that begins with a message
 * finds again.
 *
 * Limits: PINHOLE_MAX_MESSAGE for a message that must be read whole; a flow of which MAX_STRANGE segments in a row
 * are no message is given up.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define LEAST_BYTES (256u << 10)
#define MAX_STRANGE 32
/* A segment so far behind is not a late one: the sequence number of the last was wrong. */
#define OLD_BYTES (16u << 20)

#define PORT_RPC  135
#define PORT_SIP  5060
#define PORT_SCCP 2000

/* --- making and freeing ------------------------------------------------------------------------------ */

void pinholes_options_default(struct pinholes_options *ret)
{
    *ret = (struct pinholes_options){.max_flows = 65536, .max_bytes = 8u << 20};
}

int pinholes_new(const struct pinholes_options *options, pinhole_fn *fn, void *aux, struct pinholes **ret,
                 struct err *reterr)
{
    struct pinholes_options o;

    pinholes_options_default(&o);
    if (options != NULL)
        o = *options;
    if (o.max_flows == 0 || o.max_bytes < LEAST_BYTES)
        return err_set(reterr, -EINVAL, "room for %zu flows and %zu bytes of messages is too little: at least 1 and %u",
                       o.max_flows, o.max_bytes, LEAST_BYTES);
    struct pinholes *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return err_set(reterr, -ENOMEM, "no memory for negotiated ports");
    all->fn = fn;
    all->aux = aux;
    for (unsigned i = 0; i < N_PROTOCOLS; i++)
        all->datagram[i].protocol = (enum protocol)i;
    if (blocks_init(&all->states, sizeof(struct pinhole_state), o.max_flows) < 0 ||
        blocks_init(&all->small, BUFFER_SMALL, o.max_bytes / 2 / BUFFER_SMALL) < 0 ||
        blocks_init(&all->large, PINHOLE_MAX_MESSAGE, o.max_bytes / 2 / PINHOLE_MAX_MESSAGE) < 0) {
        pinholes_free(all);
        return err_set(reterr, -ENOMEM, "no memory for negotiated ports");
    }
    *ret = all;
    return 0;
}

void pinholes_free(struct pinholes *all)
{
    if (all == NULL)
        return;
    blocks_free(&all->states);
    blocks_free(&all->small);
    blocks_free(&all->large);
    free(all);
}

void pinholes_stats(const struct pinholes *all, struct pinholes_stats *ret)
{
    *ret = all->stats;
    ret->n_states = all->states.n_taken;
    ret->n_states_peak = all->states.n_peak;
}

const char *pinhole_kind_name(enum pinhole_kind kind)
{
    static const char *const names[] = {
#define X(id, name) [id] = name,
        PINHOLE_KINDS(X)
#undef X
    };
    return (unsigned)kind < PINHOLE_N_KINDS ? names[kind] : "?";
}

const char *pinhole_way_name(enum pinhole_way way)
{
    static const char *const names[] = {"sendrecv", "sendonly", "recvonly", "inactive"};

    return (unsigned)way < sizeof(names) / sizeof(names[0]) ? names[way] : "?";
}

/* --- announcing ---------------------------------------------------------------------------------------- */

bool addr_is_unspecified(const struct addr *a)
{
    static const uint8_t ipv4[4], ipv6[16];
    struct addr zero4 = addr_from_ipv4(ipv4), zero6 = addr_from_ipv6(ipv6);

    return addr_compare(a, &zero4) == 0 || addr_compare(a, &zero6) == 0;
}

static void announce_by(struct look *look, struct pinhole *hole, const struct addr *by, const struct addr *to)
{
    const struct packet *p = look->packet;

    if (hole->port == 0)
        return;
    hole->announcer = *by;
    hole->requester = *to;
    hole->ts_ns = p->ts_ns;
    hole->packet_number = p->number;
    hole->input = p->input;
    look->all->stats.n_announced++;
    look->all->fn(look->all->aux, hole);
}

void announce(struct look *look, struct pinhole *hole)
{
    announce_by(look, hole, &look->packet->src, &look->packet->dst);
}

void announce_for_peer(struct look *look, struct pinhole *hole)
{
    announce_by(look, hole, &look->packet->dst, &look->packet->src);
}

void announce_media(struct look *look, struct pinhole *hole)
{
    announce(look, hole);
    if (hole->port == 0 || hole->port == UINT16_MAX)
        return;
    hole->port++;
    hole->rtcp = true;
    announce(look, hole);
    hole->port--;
    hole->rtcp = false;
}

/* --- buffers ------------------------------------------------------------------------------------------- */

static void release(struct pinholes *all, struct stream *st)
{
    if (st->buffer != NULL)
        blocks_give(st->large ? &all->large : &all->small, st->buffer);
    st->buffer = NULL;
    st->have = 0;
}

/* Room for 'want' bytes, more than the 'have' that there will be; what is there is kept. */
static bool reserve(struct pinholes *all, struct stream *st, size_t want, size_t have)
{
    bool large = want > BUFFER_SMALL;

    if (want <= have || want > PINHOLE_MAX_MESSAGE)
        return false;
    st->want = (uint32_t)want;
    if (st->buffer != NULL && (st->large || !large))
        return true;
    uint8_t *buffer = blocks_take(large ? &all->large : &all->small);
    if (buffer == NULL) {
        all->stats.n_no_buffer++;
        return false;
    }
    if (st->buffer != NULL) {
        memcpy(buffer, st->buffer, st->have);
        blocks_give(&all->small, st->buffer);
    }
    st->buffer = buffer;
    st->large = large;
    return true;
}

/* --- streams ------------------------------------------------------------------------------------------- */

static take_fn *const takers[N_PROTOCOLS] = {
    [PROTOCOL_RPC] = rpc_take, [PROTOCOL_SIP] = sip_take, [PROTOCOL_SCCP] = sccp_take};

static void lose(struct look *look)
{
    struct stream *st = look->stream;

    release(look->all, st);
    if (look->state->protocol == PROTOCOL_RPC)
        rpc_drop(look->all, look->state);
    st->skip = 0;
    st->scanned = 0;
    if (st->synced)
        look->all->stats.n_lost++;
    st->synced = false;
}

static void missing(struct look *look, uint32_t n)
{
    if (n <= look->stream->skip)
        look->stream->skip -= n;
    else
        lose(look);
}

static void done(struct look *look)
{
    look->all->stats.n_messages++;
    look->stream->synced = true;
    look->stream->scanned = 0;
    look->state->n_strange = 0;
}

/* Holds 'len' more bytes of a message, of which 'want' are wanted. */
static void hold(struct look *look, const uint8_t *p, size_t len, size_t want, bool must)
{
    struct stream *st = look->stream;

    if (!reserve(look->all, st, want, st->have + len)) {
        lose(look);
        return;
    }
    if (len > 0)
        memcpy(st->buffer + st->have, p, len);
    st->have += (uint32_t)len;
    st->must = must;
}

static void not_understood(struct look *look)
{
    look->state->n_strange++;
    lose(look);
}

/* Goes on with the message that is held.  Returns the bytes of the segment that are used up. */
static size_t go_on(struct look *look, const uint8_t *p, size_t len)
{
    struct stream *st = look->stream;
    size_t before = st->have, n = st->want - before, message = 0;

    n = n < len ? n : len;
    memcpy(st->buffer + before, p, n);
    st->have += (uint32_t)n;
    if (st->must && st->have < st->want)
        return n;
    enum take result = takers[look->state->protocol](look, st->buffer, st->have, &message);
    switch (result) {
    case TAKE_DONE:
        st->skip = message > st->have ? (uint32_t)(message - st->have) : 0;
        release(look->all, st);
        done(look);
        /* What lies behind the message is in the segment too. */
        return message - before < n ? message - before : n;
    case TAKE_WAIT:
    case TAKE_MORE:
        hold(look, NULL, 0, message, result == TAKE_WAIT);
        return n;
    case TAKE_LOST:
        break;
    }
    not_understood(look);
    return len;
}

/* Reads the message that begins at 'p'.  Returns the bytes of the segment that are used up. */
static size_t begin_message(struct look *look, const uint8_t *p, size_t len)
{
    size_t n = 0;
    enum take result = takers[look->state->protocol](look, p, len, &n);

    switch (result) {
    case TAKE_DONE:
        look->stream->skip = n > len ? (uint32_t)(n - len) : 0;
        done(look);
        return n < len ? n : len;
    case TAKE_WAIT:
    case TAKE_MORE:
        hold(look, p, len, n, result == TAKE_WAIT);
        return len;
    case TAKE_LOST:
        break;
    }
    not_understood(look);
    return len;
}

/* A segment's bytes, in order. */
static void read_bytes(struct look *look, const uint8_t *p, size_t len)
{
    struct stream *st = look->stream;

    for (size_t at = 0; at < len;) {
        if (st->skip > 0) {
            size_t n = st->skip < len - at ? st->skip : len - at;
            st->skip -= (uint32_t)n;
            at += n;
        } else if (st->have > 0) {
            at += go_on(look, p + at, len - at);
        } else {
            at += begin_message(look, p + at, len - at);
        }
    }
}

static void read_segment(struct look *look)
{
    const struct packet *packet = look->packet;
    struct stream *st = look->stream;
    const uint8_t *p = packet->payload;
    uint32_t len = packet->payload_len, wire = packet->payload_wire_len;
    uint32_t seq = packet->tcp_seq + ((packet->tcp_flags & TCP_SYN) != 0);

    if (wire < len)
        wire = len;
    uint32_t behind = st->next - seq;
    bool old = behind > OLD_BYTES && behind <= INT32_MAX;
    if (!st->started || old) {
        if (old)
            lose(look);
        st->synced |= !st->started;
        st->started = true;
    } else if (behind <= INT32_MAX) {
        if (behind >= wire)
            return;
        seq += behind;
        p += behind < len ? behind : len;
        len -= behind < len ? behind : len;
        wire -= behind;
    } else {
        missing(look, seq - st->next);
    }
    st->next = seq + wire;
    read_bytes(look, p, len);
    if (len < wire)
        missing(look, wire - len);
}

/* --- flows --------------------------------------------------------------------------------------------- */

static bool on_port(const struct packet *p, uint16_t port)
{
    return p->sport == port || p->dport == port;
}

static enum protocol sniff_datagram(const struct packet *p)
{
    if (sip_begins(p->payload, p->payload_len))
        return PROTOCOL_SIP;
    if (rpc_datagram_begins(p->payload, p->payload_len))
        return PROTOCOL_RPC_UDP;
    if (h248_begins(p->payload, p->payload_len))
        return PROTOCOL_H248;
    return on_port(p, PORT_SIP) ? PROTOCOL_SIP : PROTOCOL_NONE; /* keep-alives come first, messages later */
}

static enum protocol sniff_segment(const struct packet *p)
{
    if (rpc_begins(p->payload, p->payload_len))
        return PROTOCOL_RPC;
    if (sip_begins(p->payload, p->payload_len))
        return PROTOCOL_SIP;
    if (sccp_fills(p->payload, p->payload_len))
        return PROTOCOL_SCCP;
    return on_port(p, PORT_RPC)    ? PROTOCOL_RPC
           : on_port(p, PORT_SIP)  ? PROTOCOL_SIP
           : on_port(p, PORT_SCCP) ? PROTOCOL_SCCP
                                   : PROTOCOL_NONE;
}

struct pinhole_state *pinhole_begin(struct pinholes *all, const struct packet *p)
{
    if (p->payload_len == 0)
        return NULL;
    if (p->transport == IPPROTO_UDP) {
        enum protocol protocol = sniff_datagram(p);
        return protocol == PROTOCOL_NONE ? NULL : &all->datagram[protocol];
    }
    enum protocol protocol = p->transport == IPPROTO_TCP ? sniff_segment(p) : PROTOCOL_NONE;
    if (protocol == PROTOCOL_NONE)
        return NULL;
    struct pinhole_state *s = blocks_take(&all->states);
    if (s == NULL) {
        all->stats.n_no_state++;
        return NULL;
    }
    memset(s, 0, protocol == PROTOCOL_RPC ? sizeof(*s) : offsetof(struct pinhole_state, rpc));
    s->protocol = protocol;
    return s;
}

static bool is_datagram(const struct pinholes *all, const struct pinhole_state *s)
{
    return s == &all->datagram[s->protocol];
}

bool pinhole_packet(struct pinholes *all, struct pinhole_state *s, const struct packet *p, unsigned side)
{
    struct look look = {.all = all, .state = s, .packet = p};

    all->stats.n_packets++;
    if (!is_datagram(all, s)) {
        look.stream = &s->streams[side & 1];
        if (p->transport == IPPROTO_TCP && p->payload_len > 0)
            read_segment(&look);
        return s->n_strange < MAX_STRANGE;
    }
    if (s->protocol == PROTOCOL_SIP)
        sip_datagram(&look);
    else if (s->protocol == PROTOCOL_H248)
        h248_datagram(&look);
    else
        rpc_datagram(&look);
    return true;
}

void pinhole_end(struct pinholes *all, struct pinhole_state *s)
{
    if (s == NULL || is_datagram(all, s))
        return;
    if (s->protocol == PROTOCOL_RPC)
        rpc_drop(all, s);
    release(all, &s->streams[0]);
    release(all, &s->streams[1]);
    blocks_give(&all->states, s);
}
