/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the endpoint mapper (C706 appendix O, MS-RPCE 2.2.1.2): arrays of protocol towers (C706 appendix I, L).
 *
 *   ept_map:    handle (20), count, array of pointers to towers, the towers, status
 *   ept_lookup: handle (20), count, array of {object, pointer to tower, annotation}, the towers, status
 *
 * A tower is a list of floors in little-endian order whatever the message's: interface, transfer syntax, RPC protocol,
 * port (big-endian), address.
 */
#include <netinet/in.h>
#include <string.h>

#include "private.h"
#include "wire.h"

#define HANDLE_SIZE 20
#define MAX_TOWERS  4096 /* more than fit into PINHOLE_MAX_MESSAGE */
#define MAX_FLOORS  16

enum { FLOOR_TCP = 0x07, FLOOR_UDP = 0x08, FLOOR_IP = 0x09, FLOOR_UUID = 0x0d, FLOOR_HTTP = 0x1f };

/* --- NDR ----------------------------------------------------------------------------------------------- */

struct ndr {
    const struct rpc_stub *stub;
    size_t at;
    bool bad; /* the end was reached: values are 0 from here on */
};

static const uint8_t *ndr_bytes(struct ndr *n, size_t align, size_t size)
{
    size_t at = (n->at + align - 1) / align * align;

    if (n->bad || at > n->stub->len || size > n->stub->len - at) {
        n->bad = true;
        return NULL;
    }
    n->at = at + size;
    return n->stub->p + at;
}

static uint32_t ndr_u32(struct ndr *n)
{
    const uint8_t *p = ndr_bytes(n, 4, 4);

    return p == NULL ? 0 : wire_32(p, n->stub->little);
}

/* A count or a pointer: 32 bits, in NDR64 64 bits.  What does not fit into 32 is none that we would follow. */
static uint32_t ndr_word(struct ndr *n)
{
    if (!n->stub->wide)
        return ndr_u32(n);
    const uint8_t *p = ndr_bytes(n, 8, 8);
    if (p == NULL)
        return 0;
    uint32_t low = wire_32(p + (n->stub->little ? 0 : 4), n->stub->little);
    uint32_t high = wire_32(p + (n->stub->little ? 4 : 0), n->stub->little);
    return high == 0 ? low : UINT32_MAX;
}

/* --- towers -------------------------------------------------------------------------------------------- */

struct floor {
    const uint8_t *left, *right;
    size_t left_len, right_len;
};

static bool next_floor(const uint8_t **p, size_t *len, struct floor *ret)
{
    const uint8_t **parts[2] = {&ret->left, &ret->right};
    size_t *lens[2] = {&ret->left_len, &ret->right_len};

    for (unsigned i = 0; i < 2; i++) {
        if (*len < 2)
            return false;
        size_t n = wire_le16(*p);
        if (n > *len - 2)
            return false;
        *parts[i] = *p + 2;
        *lens[i] = n;
        *p += 2 + n;
        *len -= 2 + n;
    }
    return ret->left_len > 0;
}

static void read_floor(struct pinhole *hole, unsigned number, const struct floor *f)
{
    switch (f->left[0]) {
    case FLOOR_UUID:
        if (number == 0 && f->left_len >= 17) {
            uint8_t uuid[16];
            uuid_read(f->left + 1, true, uuid);
            interface_name(uuid, hole);
        }
        return;
    case FLOOR_TCP:
    case FLOOR_HTTP:
    case FLOOR_UDP:
        if (f->right_len == 2)
            hole->port = wire_be16(f->right);
        hole->transport = f->left[0] == FLOOR_UDP ? IPPROTO_UDP : IPPROTO_TCP;
        return;
    case FLOOR_IP:
        if (f->right_len == 4)
            hole->addr = addr_from_ipv4(f->right);
        return;
    }
}

/* False: it is no tower.  One without a port (a named pipe, a local call) announces nothing. */
static bool read_tower(struct look *look, enum pinhole_kind kind, const uint8_t *p, size_t len)
{
    struct pinhole hole = {.kind = kind};
    struct floor f;

    if (len < 2)
        return false;
    unsigned n = wire_le16(p);
    if (n == 0 || n > MAX_FLOORS)
        return false;
    p += 2;
    len -= 2;
    for (unsigned i = 0; i < n; i++) {
        if (!next_floor(&p, &len, &f))
            return false;
        read_floor(&hole, i, &f);
    }
    if (addr_is_unspecified(&hole.addr)) {
        hole.addr = look->packet->src;
        hole.addr_assumed = true;
    }
    announce(look, &hole);
    return true;
}

/* --- answers ------------------------------------------------------------------------------------------- */

/* The fixed part of an entry of ept_lookup, whose annotation is a string of at most 64 bytes. */
static uint32_t read_entry(struct ndr *n)
{
    ndr_bytes(n, 4, 16);
    uint32_t pointer = ndr_word(n), offset = ndr_word(n), length = ndr_word(n);

    if (offset != 0 || length > 64)
        n->bad = true;
    ndr_bytes(n, 1, length);
    return pointer;
}

/* Counts the pointers that are not null.  What is cut off is not counted. */
static uint32_t read_pointers(struct ndr *n, enum pinhole_kind kind, uint32_t count)
{
    uint32_t n_towers = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t pointer = kind == PINHOLE_EPM_MAP ? ndr_word(n) : read_entry(n);
        n_towers += !n->bad && pointer != 0;
    }
    return n_towers;
}

bool epm_answer(struct look *look, const struct rpc_stub *stub, enum pinhole_kind kind)
{
    struct ndr n = {.stub = stub};

    ndr_bytes(&n, 4, HANDLE_SIZE);
    uint32_t count = ndr_u32(&n), most = ndr_word(&n), offset = ndr_word(&n), actual = ndr_word(&n);
    if (n.bad || count != actual || actual > most || offset != 0 || count > MAX_TOWERS)
        return false;
    uint32_t n_towers = read_pointers(&n, kind, count);
    for (uint32_t i = 0; i < n_towers; i++) {
        uint32_t size = ndr_word(&n), length = ndr_u32(&n);
        const uint8_t *tower = size == length ? ndr_bytes(&n, 1, length) : NULL;

        if (n.bad || tower == NULL || !read_tower(look, kind, tower, length))
            return i > 0;
    }
    return n_towers > 0 || count == 0;
}
