/* SPDX-License-Identifier: Apache-2.0 */
/* TLS records (RFC 8446 5.1, RFC 5246, and the hello of SSL 2); remote desktops: RDP's TPKT and X.224 (MS-RDPBCGR),
 * TeamViewer. */
#include <string.h>

#include "confirm.h"
#include "wire.h"

#define TLS_HEADER     5
#define TLS_MAX_RECORD (16384 + 2048)
#define RDP_PORT       3389

/* Type, version 3.0 to 3.4, a length that a record may have. */
static bool tls_record(const uint8_t *p, size_t len)
{
    return len >= TLS_HEADER && p[0] >= 0x14 && p[0] <= 0x18 && p[1] == 3 && p[2] <= 4 && wire_be16(p + 3) != 0 &&
           wire_be16(p + 3) <= TLS_MAX_RECORD;
}

/* Does a further record stand behind this one, or does the packet end with it? */
static bool tls_chain(const struct confirm_input *in)
{
    size_t next = TLS_HEADER + (size_t)wire_be16(in->data + 3);

    if (next == in->wire_len)
        return true;
    return next < in->len && in->len - next >= TLS_HEADER && tls_record(in->data + next, in->len - next);
}

static enum confirm_answer tls_handshake(const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    if (in->len < TLS_HEADER + 4)
        return CONFIRM_NO;
    unsigned length = (unsigned)p[6] << 16 | wire_be16(p + 7);
    switch (p[5]) {
    case 1: /* hellos: their version stands behind the length */
    case 2:
        if (length < 38 || (in->len >= 11 && (p[9] != 3 || p[10] > 4)))
            return CONFIRM_NO;
        return p[5] == 1 ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
    case 11: /* certificate: a list whose length is three less */
        return in->len >= 12 && ((unsigned)p[9] << 16 | wire_be16(p + 10)) + 3 == length ? CONFIRM_YES : CONFIRM_NO;
    case 12: /* server's key exchange, hello done */
        return tls_chain(in) ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 14:
        return length == 0 ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 16: /* client's key exchange */
        return length + 4 <= wire_be16(p + 3) && tls_chain(in) ? CONFIRM_REQUEST : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* Client hello of SSL 2, which offers version 3: the three lengths must add up. */
static bool ssl2_hello(const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    if (in->len < 11 || (p[0] & 0x80) == 0 || p[2] != 1 || !(p[3] == 3 || (p[3] == 0 && p[4] == 2)))
        return false;
    unsigned length = (p[0] & 0x7fu) << 8 | p[1], ciphers = wire_be16(p + 5), id = wire_be16(p + 7),
             challenge = wire_be16(p + 9);
    return length + 2 == in->wire_len && ciphers != 0 && ciphers % 3 == 0 && challenge >= 16 && challenge <= 32 &&
           9 + ciphers + id + challenge == length;
}

/* Records that say more than their type. */
enum confirm_answer confirm_tls(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (ssl2_hello(in))
        return CONFIRM_REQUEST;
    if (!tls_record(p, in->len))
        return CONFIRM_NO;
    switch (p[0]) {
    case 0x14: /* change cipher spec: one byte 1 */
        return wire_be16(p + 3) == 1 && (in->len < 6 || p[5] == 1) && tls_chain(in) ? CONFIRM_YES : CONFIRM_NO;
    case 0x15: /* alert in the clear */
        return wire_be16(p + 3) == 2 && in->len >= 7 && (p[5] == 1 || p[5] == 2) && tls_chain(in) ? CONFIRM_YES
                                                                                                  : CONFIRM_NO;
    case 0x16:
        return tls_handshake(in);
    case 0x17: /* data, picked up mid-stream: lengths that close */
        return p[2] >= 1 && wire_be16(p + 3) >= 17 && tls_chain(in) ? CONFIRM_YES : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* A record that goes on in the next segment, or an encrypted alert or handshake: five bytes, where TLS is expected. */
enum confirm_answer confirm_tls_data(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return tls_record(in->data, in->len) && in->data[2] >= 1 ? CONFIRM_YES : CONFIRM_NO;
}

/* TPKT, and X.224 that fills it. */
static bool tpkt(const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    return in->len >= 7 && p[0] == 3 && p[1] == 0 && wire_be16(p + 2) >= 7 && p[4] >= 2;
}

/* What RDP puts behind the connection request or confirmation: a cookie, or eight bytes of negotiation. */
enum confirm_answer confirm_rdp(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (!tpkt(in) || in->len < 11 || wire_be16(p + 2) != in->wire_len || p[4] + 5u != wire_be16(p + 2))
        return CONFIRM_NO;
    const uint8_t *data = p + 11;
    size_t len = in->len - 11;
    size_t cookie = in->len < in->wire_len && len < 17 && len >= 7 ? len : 17;
    if (p[5] == 0xe0 && len >= cookie && memcmp(data, "Cookie: mstshash=", cookie) == 0)
        return CONFIRM_REQUEST;
    if (p[5] == 0xe0 && len >= 4 && data[0] == 1 && data[2] == 8 && data[3] == 0)
        return CONFIRM_REQUEST;
    if (p[5] == 0xd0 && len >= 4 && (data[0] == 2 || data[0] == 3) && data[2] == 8 && data[3] == 0)
        return CONFIRM_RESPONSE;
    return CONFIRM_NO;
}

/*
 * A connection request or confirmation of which the capture has not enough to tell what is behind it: TPKT (RFC 1006) and X.224, whose lengths both close.
 * Others than RDP begin so (RFC 1006 is ISO's transport), on other ports.
 */
enum confirm_answer confirm_rdp_cut(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->len < 6 || in->len >= in->wire_len || in->len >= 18 || p[0] != 3 || p[1] != 0 || wire_be16(p + 2) != in->wire_len || p[4] + 5u != in->wire_len)
        return CONFIRM_NO;
    return p[5] == 0xe0 && in->dport == RDP_PORT ? CONFIRM_REQUEST : p[5] == 0xd0 && in->sport == RDP_PORT ? CONFIRM_RESPONSE : CONFIRM_NO;
}

/* The bare forms of old versions, and MCS inside X.224 data: where RDP is expected. */
enum confirm_answer confirm_rdp_data(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (!tpkt(in))
        return CONFIRM_NO;
    bool cut = in->len < in->wire_len && in->len < 18 && p[4] + 5u == wire_be16(p + 2);
    if (cut && (p[5] == 0xe0 || p[5] == 0xd0))
        return p[5] == 0xe0 ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
    if (p[4] == 6 && wire_be16(p + 2) == 11 && in->wire_len == 11)
        return p[5] == 0xe0 ? CONFIRM_REQUEST : p[5] == 0xd0 ? CONFIRM_RESPONSE : CONFIRM_NO;
    if (p[5] == 0xe0 && in->len >= 18 && memcmp(p + 11, "Cookie:", 7) == 0)
        return CONFIRM_REQUEST;
    if (p[4] != 2 || p[5] != 0xf0 || p[6] != 0x80 || in->len < 8)
        return CONFIRM_NO;
    /* connect initial and response are BER; send data request and indication, erect domain, attach and join are PER */
    return p[7] == 0x7f || p[7] == 0x64 || p[7] == 0x04 || p[7] == 0x28 || p[7] == 0x38   ? CONFIRM_REQUEST
           : p[7] == 0x68 || p[7] == 0x2e || p[7] == 0x3e || p[7] == 0x2c || p[7] == 0x3c ? CONFIRM_RESPONSE
                                                                                          : CONFIRM_NO;
}

/* TeamViewer frames, short (two bytes, command, length) and long (length in the second word): their lengths close, or
 * chain. */
enum confirm_answer confirm_teamviewer(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;
    size_t next;

    (void)ret_detail;
    if (in->len < 8)
        return CONFIRM_NO;
    if (p[0] == 0x17 && p[1] == 0x24)
        next = 5u + wire_le16(p + 3);
    else if (p[0] == 0x11 && p[1] == 0x30 && wire_le32(p + 4) < 0x1000000)
        next = 24u + wire_le32(p + 4);
    else
        return CONFIRM_NO;
    if (next == in->wire_len)
        return CONFIRM_YES;
    return next + 2 <= in->len && p[next] == p[0] && p[next + 1] == p[1] ? CONFIRM_YES : CONFIRM_NO;
}
