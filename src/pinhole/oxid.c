/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DCOM (MS-DCOM 2.2.19): where the objects of an exporter are reached.
 *
 * Answers of ResolveOxid, ResolveOxid2, RemoteCreateInstance and RemoteGetClassObject hold arrays of string bindings: a
 * protocol (16 bits, 7 = ncacn_ip_tcp) and a UTF-16 string "host[port]".  Activation wraps them in several layers of
 * serialisation, always aligned to two bytes, so both are found by looking for bindings that name a port.
 */
#include <netinet/in.h>
#include <string.h>

#include "private.h"
#include "wire.h"

#define TOWER_TCP    7
#define MAX_HOST     256 /* a DNS name */
#define MAX_BINDINGS 32  /* a host with more addresses than that is none */

struct bindings {
    struct addr addrs[MAX_BINDINGS]; /* announced so far */
    uint16_t ports[MAX_BINDINGS];
    unsigned n;
};

/* The string's length in characters without its NUL, or 0: no printable string that ends. */
static size_t read_string(const struct rpc_stub *stub, size_t at, char *ret, size_t size)
{
    for (size_t n = 0; n < size && stub->len - at >= 2 * (n + 1); n++) {
        unsigned c = wire_16(stub->p + at + 2 * n, stub->little);

        ret[n] = (char)c;
        if (c == 0)
            return n;
        if (c < 0x20 || c > 0x7e)
            return 0;
    }
    return 0;
}

/* Splits "host[port]" at the bracket; 0: it is not of that form. */
static uint16_t split_port(char *text, size_t len)
{
    uint32_t port = 0, scale = 1;
    size_t at = len - 1;

    if (len < 3 || text[at] != ']')
        return 0;
    while (--at > 0 && text[at] >= '0' && text[at] <= '9' && scale <= 10000) {
        port += scale * (uint32_t)(text[at] - '0');
        scale *= 10;
    }
    if (at == 0 || text[at] != '[' || scale == 1 || port > UINT16_MAX)
        return 0;
    text[at] = '\0';
    return (uint16_t)port;
}

static bool is_new(struct bindings *b, const struct addr *addr, uint16_t port)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (b->ports[i] == port && addr_compare(&b->addrs[i], addr) == 0)
            return false;
    }
    if (b->n == MAX_BINDINGS)
        return false;
    b->addrs[b->n] = *addr;
    b->ports[b->n++] = port;
    return true;
}

static void announce_binding(struct look *look, struct bindings *b, const char *host, uint16_t port)
{
    struct pinhole hole = {.kind = PINHOLE_DCOM_OXID, .transport = IPPROTO_TCP, .port = port};
    size_t len = strnlen(host, sizeof(hole.what) - 1);

    if (addr_parse(host, &hole.addr) < 0) {
        hole.addr = look->packet->src;
        hole.addr_assumed = true;
    }
    if (!is_new(b, &hole.addr, port))
        return;
    memcpy(hole.what, host, len);
    announce(look, &hole);
}

/* Bindings to addresses first: those to names then say nothing new, as a rule. */
static void find_bindings(struct look *look, const struct rpc_stub *stub, struct bindings *b, bool names)
{
    char text[MAX_HOST + 8];

    for (size_t at = 0; at + 2 <= stub->len; at += 2) {
        if (wire_16(stub->p + at, stub->little) != TOWER_TCP)
            continue;
        size_t len = read_string(stub, at + 2, text, sizeof(text));
        uint16_t port = len > 0 ? split_port(text, len) : 0;
        struct addr addr;

        if (port == 0)
            continue;
        if ((addr_parse(text, &addr) < 0) == names)
            announce_binding(look, b, text, port);
        at += 2 * len;
    }
}

void oxid_answer(struct look *look, const struct rpc_stub *stub)
{
    struct bindings b = {.n = 0};

    find_bindings(look, stub, &b, false);
    find_bindings(look, stub, &b, true);
}
