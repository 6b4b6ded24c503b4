/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DCE/RPC (C706 chapters 12 and 13; MS-RPCE 2.2): which interfaces a connection is bound to, and which answers carry
 * endpoints.
 *
 * Of a request only the header is read; of an answer the body, where the call was one of interest, or may have been
 * one (it was not seen).  Everything else is skipped by its length.
 */
#include <string.h>

#include "private.h"
#include "wire.h"

#define HEADER        16
#define CALL_HEADER   24 /* of requests, answers and faults */
#define UDP_HEADER    80
#define TRAILER       8 /* before the authentication value */
#define LEVEL_PRIVACY 6
#define PORT_EPM      135
#define OPNUM_UNKNOWN 0xffff

enum {
    PDU_REQUEST = 0,
    PDU_RESPONSE = 2,
    PDU_FAULT = 3,
    PDU_BIND = 11,
    PDU_BIND_ACK = 12,
    PDU_BIND_NAK = 13,
    PDU_ALTER = 14,
    PDU_ALTER_ACK = 15,
    PDU_LAST = 20
};
enum { FLAG_FIRST = 1, FLAG_LAST = 2 };
enum { UDP_FLAG_FRAGMENT = 4 };
enum { EPT_LOOKUP = 2, EPT_MAP = 3, RESOLVE_OXID = 0, RESOLVE_OXID2 = 4, CREATE_CLASS = 3, CREATE_INSTANCE = 4 };

/* 71710533-beba-4937-8319-b5dbef9ccc36 */
static const uint8_t ndr64[16] = {0x71, 0x71, 0x05, 0x33, 0xbe, 0xba, 0x49, 0x37,
                                  0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36};

struct pdu {
    const uint8_t *p;
    size_t len;      /* bytes there */
    uint16_t length; /* of the fragment */
    bool little;
};

static uint16_t u16(const struct pdu *u, size_t at)
{
    return wire_16(u->p + at, u->little);
}

static uint32_t u32(const struct pdu *u, size_t at)
{
    return wire_32(u->p + at, u->little);
}

/* Byte order and character set, floating point, and nothing in what is reserved. */
static bool representation(const uint8_t *p)
{
    return (p[0] & 0xee) == 0 && p[1] <= 3 && p[2] == 0;
}

/* As far as bytes are there. */
static bool header_begins(const uint8_t *p, size_t len)
{
    if (p[0] != 5 || (len > 1 && p[1] > 1) || (len > 2 && p[2] > PDU_LAST))
        return false;
    return len < 8 || (representation(p + 4) && p[7] == 0);
}

static bool header_fits(const struct pdu *u)
{
    unsigned auth = u16(u, 10);

    if (u->length < HEADER || (auth != 0 && auth + HEADER + TRAILER > u->length))
        return false;
    switch (u->p[2]) {
    case PDU_REQUEST:
    case PDU_RESPONSE:
    case PDU_BIND:
    case PDU_ALTER:
    case PDU_BIND_ACK:
    case PDU_ALTER_ACK:
        return u->length >= CALL_HEADER;
    default:
        return true;
    }
}

static bool read_header(const uint8_t *p, size_t len, struct pdu *ret)
{
    *ret = (struct pdu){.p = p, .len = len, .little = (p[4] & 0x10) != 0};
    ret->length = u16(ret, 8);
    return header_fits(ret);
}

bool rpc_begins(const uint8_t *p, size_t len)
{
    struct pdu u;

    return p[0] == 5 && len >= HEADER && header_begins(p, len) && read_header(p, len, &u);
}

/* --- presentation contexts ----------------------------------------------------------------------------- */

static struct rpc_known *find_known(struct rpc *rpc, uint16_t id)
{
    for (unsigned i = 0; i < rpc->n_known; i++) {
        if (rpc->known[i].id == id)
            return &rpc->known[i];
    }
    return NULL;
}

static void know(struct rpc *rpc, const struct rpc_context *c)
{
    struct rpc_known *known = find_known(rpc, c->id);

    if (known == NULL && c->role != RPC_OTHER && rpc->n_known < RPC_MAX_KNOWN)
        known = &rpc->known[rpc->n_known++];
    if (known != NULL)
        *known = (struct rpc_known){.id = c->id, .role = c->role, .wide = c->wide};
}

/* The same interface is often offered with several transfer syntaxes. */
static bool already_reported(const struct rpc *rpc, const uint8_t uuid[16])
{
    for (unsigned i = 0; i < rpc->n_asked; i++) {
        if (rpc->asked[i].reported && memcmp(rpc->asked[i].uuid, uuid, 16) == 0)
            return true;
    }
    return false;
}

static void announce_bind(struct look *look, const uint8_t uuid[16], bool from_server)
{
    const struct packet *p = look->packet;
    struct pinhole hole = {.kind = PINHOLE_RPC_BIND, .transport = p->transport};

    hole.addr = from_server ? p->src : p->dst;
    hole.port = from_server ? p->sport : p->dport;
    interface_name(uuid, &hole);
    if (from_server)
        announce(look, &hole);
    else
        announce_for_peer(look, &hole);
}

static void accept_context(struct look *look, struct rpc_context *c, bool from_server)
{
    struct rpc *rpc = &look->state->rpc;

    know(rpc, c);
    if (!already_reported(rpc, c->uuid))
        announce_bind(look, c->uuid, from_server);
    c->reported = true;
}

/* The end of what a PDU says, before its authentication. */
static size_t body_end(const struct pdu *u)
{
    unsigned auth = u16(u, 10);

    return auth == 0 ? u->length : u->length - auth - TRAILER;
}

static void read_bind(struct look *look, const struct pdu *u)
{
    struct rpc *rpc = &look->state->rpc;
    size_t at = 28, end = body_end(u);

    rpc->n_asked = 0;
    for (unsigned left = end >= 28 ? u->p[24] : 0; left > 0 && rpc->n_asked < RPC_MAX_CONTEXTS; left--) {
        if (end - at < 24)
            return;
        size_t n_syntaxes = u->p[at + 2];
        if (n_syntaxes * 20 > end - at - 24)
            return;
        struct rpc_context *c = &rpc->asked[rpc->n_asked++];
        *c = (struct rpc_context){.id = u16(u, at)};
        uuid_read(u->p + at + 4, u->little, c->uuid);
        c->role = (uint8_t)interface_role(c->uuid);
        if (n_syntaxes > 0) {
            uint8_t syntax[16];
            uuid_read(u->p + at + 24, u->little, syntax);
            c->wide = memcmp(syntax, ndr64, 16) == 0;
        }
        at += 24 + n_syntaxes * 20;
    }
}

/* Results stand in the order of what was asked for. */
static void read_bind_ack(struct look *look, const struct pdu *u)
{
    struct rpc *rpc = &look->state->rpc;
    size_t end = body_end(u), at = 26;

    if (end < at)
        return;
    at = (at + u16(u, 24) + 3) / 4 * 4; /* secondary address */
    if (at > end || end - at < 4)
        return;
    unsigned n = u->p[at];
    at += 4;
    for (unsigned i = 0; i < n && i < rpc->n_asked && end - at >= 24; i++, at += 24) {
        uint8_t syntax[16];

        if (u16(u, at) != 0)
            continue;
        uuid_read(u->p + at + 4, u->little, syntax);
        rpc->asked[i].wide = memcmp(syntax, ndr64, 16) == 0;
        accept_context(look, &rpc->asked[i], true);
    }
    rpc->n_asked = 0;
}

/* --- calls --------------------------------------------------------------------------------------------- */

static bool of_interest(unsigned role, unsigned opnum)
{
    switch (role) {
    case RPC_EPM:
        return opnum == EPT_MAP || opnum == EPT_LOOKUP;
    case RPC_OXID:
        return opnum == RESOLVE_OXID || opnum == RESOLVE_OXID2;
    case RPC_ACTIVATOR:
        return opnum == CREATE_CLASS || opnum == CREATE_INSTANCE;
    default:
        return false;
    }
}

/* A context whose bind was not seen is the endpoint mapper's on its port. */
static struct rpc_known context_of(struct rpc *rpc, uint16_t id, uint16_t server_port)
{
    const struct rpc_known *known = find_known(rpc, id);

    if (known != NULL)
        return *known;
    return (struct rpc_known){.id = id, .role = server_port == PORT_EPM && !rpc->bound ? RPC_EPM : RPC_OTHER};
}

static struct rpc_call *find_call(struct rpc *rpc, uint32_t id)
{
    for (unsigned i = 0; i < RPC_MAX_CALLS; i++) {
        if (rpc->calls[i].used && rpc->calls[i].id == id)
            return &rpc->calls[i];
    }
    return NULL;
}

static void forget_call(struct rpc *rpc, uint32_t id)
{
    struct rpc_call *call = find_call(rpc, id);

    if (call != NULL)
        call->used = false;
}

static void read_request(struct look *look, const struct pdu *u)
{
    struct rpc *rpc = &look->state->rpc;
    uint16_t context = u16(u, 20), opnum = u16(u, 22);
    uint32_t id = u32(u, 12);

    if (!(u->p[3] & FLAG_FIRST))
        return;
    /* A call on a context whose acceptance was not captured. */
    for (unsigned i = 0; i < rpc->n_asked; i++) {
        if (rpc->asked[i].id == context && !rpc->asked[i].reported)
            accept_context(look, &rpc->asked[i], false);
    }
    forget_call(rpc, id);
    struct rpc_known known = context_of(rpc, context, look->packet->dport);
    if (!of_interest(known.role, opnum))
        return;
    struct rpc_call *call = &rpc->calls[rpc->next_call++ % RPC_MAX_CALLS];
    *call = (struct rpc_call){.id = id, .context = context, .opnum = opnum, .used = true};
}

static void read_stub(struct look *look, const struct rpc_stub *stub, unsigned role, unsigned opnum)
{
    bool unseen = opnum == OPNUM_UNKNOWN;

    if (role == RPC_OXID || role == RPC_ACTIVATOR)
        oxid_answer(look, stub);
    else if (opnum == EPT_LOOKUP)
        epm_answer(look, stub, PINHOLE_EPM_LOOKUP);
    else if (!epm_answer(look, stub, PINHOLE_EPM_MAP) && unseen)
        epm_answer(look, stub, PINHOLE_EPM_LOOKUP);
}

void rpc_drop(struct pinholes *all, struct pinhole_state *s)
{
    struct rpc *rpc = &s->rpc;

    if (rpc->stub != NULL)
        blocks_give(&all->large, rpc->stub);
    rpc->stub = NULL;
    rpc->stub_len = 0;
}

/* Joins the stubs of an answer in several fragments, one call at a time.  True: 'stub' now is the whole. */
static bool gather(struct look *look, const struct pdu *u, struct rpc_stub *stub)
{
    struct rpc *rpc = &look->state->rpc;

    if (u->p[3] & FLAG_FIRST) {
        rpc->stub_len = 0;
        rpc->gathered_call = u32(u, 12);
        if (rpc->stub == NULL && (rpc->stub = blocks_take(&look->all->large)) == NULL)
            look->all->stats.n_no_buffer++;
    }
    if (rpc->stub == NULL || rpc->gathered_call != u32(u, 12))
        return false;
    size_t room = PINHOLE_MAX_MESSAGE - rpc->stub_len, n = stub->len < room ? stub->len : room;
    memcpy(rpc->stub + rpc->stub_len, stub->p, n);
    rpc->stub_len += (uint32_t)n;
    stub->p = rpc->stub;
    stub->len = rpc->stub_len;
    return (u->p[3] & FLAG_LAST) != 0;
}

/* The stub of an answer, without the authentication.  False: sealed, or it does not fit. */
static bool find_stub(struct look *look, const struct pdu *u, struct rpc_stub *ret)
{
    size_t end = u->length;

    if (u16(u, 10) != 0) {
        end = body_end(u);
        if (end < CALL_HEADER)
            return false;
        if (u->p[end + 1] == LEVEL_PRIVACY) {
            look->all->stats.n_sealed++;
            return false;
        }
        size_t padding = u->p[end + 2];
        if (padding > end - CALL_HEADER)
            return false;
        end -= padding;
    }
    ret->p = u->p + CALL_HEADER;
    ret->len = end - CALL_HEADER;
    ret->little = u->little;
    return true;
}

static enum take read_response(struct look *look, const struct pdu *u, size_t *ret_n)
{
    struct rpc *rpc = &look->state->rpc;
    const struct rpc_call *call = find_call(rpc, u32(u, 12));
    struct rpc_known known = context_of(rpc, call != NULL ? call->context : u16(u, 20), look->packet->sport);
    unsigned opnum = call != NULL ? call->opnum : OPNUM_UNKNOWN;
    struct rpc_stub stub = {.wide = known.wide};

    if (call == NULL && known.role != RPC_EPM)
        return TAKE_DONE;
    if (u->len < u->length) {
        *ret_n = u->length;
        return TAKE_WAIT;
    }
    bool last = (u->p[3] & FLAG_LAST) != 0;
    if (find_stub(look, u, &stub)) {
        bool single = (u->p[3] & (FLAG_FIRST | FLAG_LAST)) == (FLAG_FIRST | FLAG_LAST);
        if (single || gather(look, u, &stub))
            read_stub(look, &stub, known.role, opnum);
        if (!single && last && rpc->gathered_call == u32(u, 12))
            rpc_drop(look->all, look->state);
    }
    if (last)
        forget_call(rpc, u32(u, 12));
    return TAKE_DONE;
}

/* Bytes of a fragment that are looked at before it is skipped. */
static size_t bytes_to_read(const struct pdu *u)
{
    switch (u->p[2]) {
    case PDU_BIND:
    case PDU_ALTER:
    case PDU_BIND_ACK:
    case PDU_ALTER_ACK:
        return u->length;
    case PDU_REQUEST:
    case PDU_RESPONSE:
        return CALL_HEADER;
    default:
        return HEADER;
    }
}

enum take rpc_take(struct look *look, const uint8_t *p, size_t len, size_t *ret_n)
{
    struct rpc *rpc = &look->state->rpc;
    struct pdu u;

    if (!header_begins(p, len))
        return TAKE_LOST;
    if (len < HEADER) {
        *ret_n = HEADER;
        return TAKE_WAIT;
    }
    if (!read_header(p, len, &u))
        return TAKE_LOST;
    *ret_n = bytes_to_read(&u);
    if (len < *ret_n)
        return TAKE_WAIT;
    *ret_n = u.length;
    switch (p[2]) {
    case PDU_BIND:
    case PDU_ALTER:
        rpc->bound |= p[2] == PDU_BIND;
        read_bind(look, &u);
        break;
    case PDU_BIND_ACK:
    case PDU_ALTER_ACK:
        read_bind_ack(look, &u);
        break;
    case PDU_BIND_NAK:
        rpc->n_asked = 0;
        break;
    case PDU_REQUEST:
        read_request(look, &u);
        break;
    case PDU_RESPONSE:
        return read_response(look, &u, ret_n);
    case PDU_FAULT:
        forget_call(rpc, u32(&u, 12));
        break;
    }
    return TAKE_DONE;
}

/* --- connectionless ------------------------------------------------------------------------------------ */

bool rpc_datagram_begins(const uint8_t *p, size_t len)
{
    return p[0] == 4 && len >= UDP_HEADER && p[1] <= 10 && p[3] <= 3 && representation(p + 4) && p[78] <= 16 &&
           wire_16(p + 74, (p[4] & 0x10) != 0) <= len - UDP_HEADER;
}

void rpc_datagram(struct look *look)
{
    const uint8_t *p = look->packet->payload;
    size_t len = look->packet->payload_len;
    uint8_t uuid[16];

    if (len < UDP_HEADER || !rpc_datagram_begins(p, len))
        return;
    bool little = (p[4] & 0x10) != 0;
    unsigned opnum = wire_16(p + 68, little);
    struct rpc_stub stub = {.p = p + UDP_HEADER, .len = wire_16(p + 74, little), .little = little};

    look->all->stats.n_messages++;
    uuid_read(p + 24, little, uuid);
    enum rpc_role role = interface_role(uuid);
    bool first = !(p[2] & UDP_FLAG_FRAGMENT) || wire_16(p + 76, little) == 0;
    if (p[1] != PDU_RESPONSE || !first)
        return;
    if (wire_32(p + 64, little) == 0 && role != RPC_CALLBACK)
        announce_bind(look, uuid, true); /* the first call of an activity is answered: that is served there */
    if (!of_interest(role, opnum))
        return;
    if (p[78] != 0)
        look->all->stats.n_sealed++; /* authenticated: whether it is readable is not said */
    else
        read_stub(look, &stub, role, opnum);
}
