/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCCP ("Skinny"): 32-bit little-endian fields.  Header: length of what follows the first eight bytes, version,
 * message. From version 17 on an address is a family and 16 bytes, before it is four bytes.
 */
#include <netinet/in.h>
#include <string.h>

#include "private.h"
#include "wire.h"

#define HEADER         12
#define MAX_LENGTH     16384
#define MAX_VERSION    0x20 /* 0x16 is the newest known */
#define FAMILY_VERSION 17
#define ID_REGISTER    1
#define LEAST_REGISTER 32 /* name, user, instance, address ... */

struct message {
    uint32_t id;
    enum pinhole_kind kind;
    bool has_status; /* first field: 0 = done */
    uint8_t addr_at; /* offset of the address */
    bool has_codec;  /* packet size and codec follow the port */
    const char *media;
};

static const struct message messages[] = {
    {0x0022, PINHOLE_SCCP_OPEN_ACK, true, 16, false, "audio"},
    {0x0031, PINHOLE_SCCP_OPEN_ACK, true, 16, false, "video"},
    {0x008a, PINHOLE_SCCP_START, false, 20, true, "audio"},
    {0x0132, PINHOLE_SCCP_START, false, 24, false, "video"},
    {0x0154, PINHOLE_SCCP_START_ACK, false, 24, false, "audio"},
    {0x0155, PINHOLE_SCCP_START_ACK, false, 24, false, "video"},
};

static const struct message *find_message(uint32_t id)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].id == id)
            return &messages[i];
    }
    return NULL;
}

static const char *codec_name(uint32_t codec)
{
    switch (codec) {
    case 2:
    case 3:
        return "audio PCMA";
    case 4:
    case 5:
        return "audio PCMU";
    case 6:
    case 7:
    case 8:
        return "audio G722";
    case 9:
        return "audio G723";
    case 10:
        return "audio G728";
    case 11:
    case 12:
    case 15:
    case 16:
        return "audio G729";
    default:
        return "audio";
    }
}

/* As far as bytes are there. */
static bool header_begins(const uint8_t *p, size_t len)
{
    for (size_t i = 2; i < len && i < 8; i++) { /* a small length, a small version */
        if (p[i] > (i == 4 ? MAX_VERSION : 0))
            return false;
    }
    if (len < HEADER)
        return true;
    uint32_t length = wire_le32(p), id = wire_le32(p + 8);
    return length >= 4 && length <= MAX_LENGTH && (id < 0x200 || (id >= 0x8000 && id < 0x8200));
}

bool sccp_begins(const uint8_t *p, size_t len)
{
    return len >= HEADER && header_begins(p, len);
}

bool sccp_fills(const uint8_t *p, size_t len)
{
    if (!sccp_begins(p, len))
        return false;
    uint32_t id = wire_le32(p + 8);
    if (find_message(id) == NULL && (id != ID_REGISTER || wire_le32(p) < LEAST_REGISTER))
        return false;
    while (len > 0) {
        if (!sccp_begins(p, len) || wire_le32(p) > len - 8)
            return false;
        len -= 8 + wire_le32(p);
        p += 8 + wire_le32(p);
    }
    return true;
}

static void read_media(struct look *look, const struct message *m, const uint8_t *p, size_t len)
{
    struct pinhole hole = {.kind = m->kind, .transport = IPPROTO_UDP};
    bool has_family = wire_le32(p + 4) >= FAMILY_VERSION;
    size_t at = m->addr_at, size = has_family ? 20 : 4;

    if (len < at + size + 4 || (m->has_status && wire_le32(p + 12) != 0))
        return;
    if (!has_family)
        hole.addr = addr_from_ipv4(p + at);
    else if (wire_le32(p + at) == 0)
        hole.addr = addr_from_ipv4(p + at + 4);
    else
        hole.addr = addr_from_ipv6(p + at + 4);
    uint32_t port = wire_le32(p + at + size);
    if (port > UINT16_MAX || addr_is_unspecified(&hole.addr))
        return;
    hole.port = (uint16_t)port;
    const char *what = m->media;
    if (m->has_codec && len >= at + size + 12)
        what = codec_name(wire_le32(p + at + size + 8));
    memcpy(hole.what, what, strlen(what) + 1);
    announce_media(look, &hole);
}

enum take sccp_take(struct look *look, const uint8_t *p, size_t len, size_t *ret_n)
{
    if (!header_begins(p, len))
        return TAKE_LOST;
    if (len < HEADER) {
        *ret_n = HEADER;
        return TAKE_WAIT;
    }
    const struct message *m = find_message(wire_le32(p + 8));
    *ret_n = 8 + wire_le32(p);
    if (m == NULL)
        return TAKE_DONE;
    if (len < *ret_n)
        return TAKE_WAIT;
    read_media(look, m, p, *ret_n);
    return TAKE_DONE;
}
