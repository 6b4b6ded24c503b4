/* SPDX-License-Identifier: Apache-2.0 */
#include "pinhole_messages.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message *message_new(void)
{
    struct message *m = calloc(1, sizeof(*m));

    ck_assert_ptr_nonnull(m);
    return m;
}

void put_8(struct message *m, unsigned value)
{
    ck_assert_uint_lt(m->len, MESSAGE_MAX);
    m->bytes[m->len++] = (uint8_t)value;
}

void put_16(struct message *m, unsigned value)
{
    put_8(m, m->big ? value >> 8 : value);
    put_8(m, m->big ? value : value >> 8);
}

void put_32(struct message *m, uint32_t value)
{
    put_16(m, m->big ? value >> 16 : value & 0xffff);
    put_16(m, m->big ? value & 0xffff : value >> 16);
}

void put_align(struct message *m, size_t n)
{
    while ((m->len - m->stub) % n != 0)
        put_8(m, 0xee);
}

void put_word(struct message *m, uint32_t value)
{
    put_align(m, m->wide ? 8 : 4);
    if (m->wide && m->big)
        put_32(m, 0);
    put_32(m, value);
    if (m->wide && !m->big)
        put_32(m, 0);
}

void put_bytes(struct message *m, const void *p, size_t n)
{
    ck_assert_uint_le(n, MESSAGE_MAX - m->len);
    memcpy(m->bytes + m->len, p, n);
    m->len += n;
}

void put_uuid(struct message *m, const char *text)
{
    unsigned a, b, c, d[8];

    ck_assert_int_eq(sscanf(text, "%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x", &a, &b, &c, &d[0], &d[1], &d[2], &d[3],
                            &d[4], &d[5], &d[6], &d[7]),
                     11);
    put_32(m, a);
    put_16(m, b);
    put_16(m, c);
    for (unsigned i = 0; i < 8; i++)
        put_8(m, d[i]);
}

size_t rpc_begin(struct message *m, unsigned type, unsigned flags, uint32_t call)
{
    size_t begin = m->len;

    put_8(m, 5); /* version 5.0 */
    put_8(m, 0);
    put_8(m, type);
    put_8(m, flags);
    put_8(m, m->big ? 0x00 : 0x10); /* byte order, ASCII; IEEE floats; reserved */
    put_8(m, 0);
    put_8(m, 0);
    put_8(m, 0);
    put_16(m, 0); /* fragment length: rpc_finish() */
    put_16(m, 0); /* length of the authentication value */
    put_32(m, call);
    return begin;
}

void rpc_finish(struct message *m, size_t begin, unsigned auth_len)
{
    size_t end = m->len;

    m->len = begin + 8;
    put_16(m, (unsigned)(end - begin));
    put_16(m, auth_len);
    m->len = end;
}

void rpc_bind(struct message *m, unsigned type, unsigned context, const char *interface, const char *syntax)
{
    size_t begin = rpc_begin(m, type, 3, 1);

    put_16(m, 5840); /* fragments sent, received; association */
    put_16(m, 5840);
    put_32(m, 0);
    put_8(m, 1); /* contexts, reserved */
    put_8(m, 0);
    put_16(m, 0);
    put_16(m, context);
    put_8(m, 1); /* transfer syntaxes, reserved */
    put_8(m, 0);
    put_uuid(m, interface);
    put_32(m, 3);
    put_uuid(m, syntax);
    put_32(m, 2);
    rpc_finish(m, begin, 0);
}

void rpc_ack(struct message *m, unsigned type, unsigned result, const char *syntax)
{
    size_t begin = rpc_begin(m, type, 3, 1);

    put_16(m, 5840);
    put_16(m, 5840);
    put_32(m, 77);
    put_16(m, 4); /* secondary address */
    put_bytes(m, "135", 4);
    put_16(m, 0); /* to a multiple of four */
    put_8(m, 1);  /* results, reserved */
    put_8(m, 0);
    put_16(m, 0);
    put_16(m, result);
    put_16(m, 0);
    put_uuid(m, syntax);
    put_32(m, 2);
    rpc_finish(m, begin, 0);
}

void rpc_request(struct message *m, uint32_t call, unsigned context, unsigned opnum)
{
    size_t begin = rpc_begin(m, RPC_REQUEST, 3, call);

    put_32(m, 8); /* allocation hint */
    put_16(m, context);
    put_16(m, opnum);
    put_bytes(m, "whatever", 8);
    rpc_finish(m, begin, 0);
}

size_t rpc_response(struct message *m, uint32_t call, unsigned context, unsigned flags)
{
    size_t begin = rpc_begin(m, RPC_RESPONSE, flags, call);

    put_32(m, 0); /* allocation hint */
    put_16(m, context);
    put_16(m, 0); /* cancel count, reserved */
    m->stub = m->len;
    return begin;
}

/* Floors are little-endian whatever the message's order. */
static void put_tower(struct message *m, const struct tower *t)
{
    bool big = m->big;
    size_t fourth = t->floor == 0x0f ? 5 + 7 : 5 + 2, size = 2 + 25 + 25 + 7 + fourth + 9;

    put_word(m, (uint32_t)size); /* conformance, then the length */
    put_32(m, (uint32_t)size);
    m->big = false;
    put_16(m, 5); /* floors */
    for (unsigned i = 0; i < 2; i++) {
        put_16(m, 19); /* 1, 2: interface and transfer syntax with their major versions; minor */
        put_8(m, 0x0d);
        put_uuid(m, i == 0 ? t->uuid : NDR_UUID);
        put_16(m, 2);
        put_16(m, 2);
        put_16(m, 0);
    }
    put_16(m, 1); /* 3: connection-oriented, or connectionless */
    put_8(m, t->floor == 0x08 ? 0x0a : 0x0b);
    put_16(m, 2);
    put_16(m, 0);
    put_16(m, 1); /* 4: the port, in network order */
    put_8(m, t->floor);
    if (t->floor == 0x0f) {
        put_16(m, 7);
        put_bytes(m, "\\PIPE\\x", 7);
    } else {
        put_16(m, 2);
        put_8(m, t->port >> 8);
        put_8(m, t->port);
    }
    put_16(m, 1); /* 5: the address */
    put_8(m, 0x09);
    put_16(m, 4);
    put_bytes(m, t->ip, 4);
    m->big = big;
}

static void begin_array(struct message *m, size_t n)
{
    for (unsigned i = 0; i < 20; i++)
        put_8(m, 0); /* handle */
    put_32(m, (uint32_t)n);
    put_word(m, 500); /* most, offset, actual */
    put_word(m, 0);
    put_word(m, (uint32_t)n);
}

static void end_array(struct message *m, const struct tower *towers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_tower(m, &towers[i]);
    put_align(m, 4);
    put_32(m, 0); /* status */
}

void epm_map_stub(struct message *m, const struct tower *towers, size_t n)
{
    begin_array(m, n);
    for (size_t i = 0; i < n; i++)
        put_word(m, 3 + (uint32_t)i);
    end_array(m, towers, n);
}

void epm_lookup_stub(struct message *m, const struct tower *towers, size_t n)
{
    begin_array(m, n);
    for (size_t i = 0; i < n; i++) {
        put_align(m, m->wide ? 8 : 4);
        for (unsigned k = 0; k < 16; k++)
            put_8(m, 0); /* object */
        put_word(m, 3 + (uint32_t)i);
        put_word(m, 0); /* annotation: offset, length, text */
        put_word(m, 5);
        put_bytes(m, "name", 5);
    }
    end_array(m, towers, n);
}

void oxid_stub(struct message *m, const char *const *bindings, size_t n)
{
    size_t words = 2;

    for (size_t i = 0; i < n; i++)
        words += 2 + strlen(bindings[i]);
    put_word(m, 0x20000); /* pointer, conformance */
    put_word(m, (uint32_t)words);
    put_16(m, (unsigned)words);
    put_16(m, (unsigned)words - 1); /* where security bindings begin */
    for (size_t i = 0; i < n; i++) {
        put_16(m, 7); /* ncacn_ip_tcp */
        for (const char *c = bindings[i]; *c != '\0'; c++)
            put_16(m, (unsigned char)*c);
        put_16(m, 0);
    }
    put_16(m, 0);
    put_16(m, 0);
    put_align(m, 4);
    put_32(m, 0); /* status */
}

void rpc_udp(struct message *m, unsigned type, const char *interface, unsigned opnum, uint32_t sequence)
{
    put_8(m, 4);
    put_8(m, type);
    put_16(m, 0);                   /* flags */
    put_8(m, m->big ? 0x00 : 0x10); /* representation, serial number */
    put_8(m, 0);
    put_8(m, 0);
    put_8(m, 0);
    put_uuid(m, "00000000-0000-0000-0000-000000000000");
    put_uuid(m, interface);
    put_uuid(m, "11111111-2222-3333-4444-555555555555"); /* activity */
    put_32(m, 0);                                        /* server's boot time */
    put_32(m, 3);                                        /* version of the interface */
    put_32(m, sequence);
    put_16(m, opnum);
    put_16(m, 0xffff); /* hints */
    put_16(m, 0xffff);
    put_16(m, 0); /* length: rpc_udp_finish() */
    put_16(m, 0); /* fragment */
    put_16(m, 0); /* authentication, serial number */
    m->stub = m->len;
}

void rpc_udp_finish(struct message *m)
{
    size_t end = m->len;

    m->len = 74;
    put_16(m, (unsigned)(end - 80));
    m->len = end;
}

/* The fields before and behind an address. */
static void sccp_fields(struct message *m, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        put_32(m, 0);
}

void sccp_media(struct message *m, uint32_t id, uint32_t version, const uint8_t ip[4], uint16_t port)
{
    size_t begin = m->len;
    uint32_t n_before = id == 0x22 || id == 0x31 ? 1 : id == 0x8a ? 2 : 3;

    put_32(m, 0); /* length */
    put_32(m, version);
    put_32(m, id);
    sccp_fields(m, n_before);
    if (version >= 17)
        put_32(m, 0); /* IPv4 */
    put_bytes(m, ip, 4);
    if (version >= 17)
        sccp_fields(m, 3);
    put_32(m, port);
    put_32(m, id == 0x8a ? 20 : 0); /* milliseconds in a packet, or status */
    put_32(m, id == 0x8a ? 4 : 0);  /* G.711 mu-law */
    size_t end = m->len;
    m->len = begin;
    put_32(m, (uint32_t)(end - begin - 8));
    m->len = end;
}
