/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DCE/RPC (C706, MS-RPCE), SMB behind a NetBIOS session header (RFC 1002, MS-SMB, MS-SMB2), and SQL Server: TDS
 * (MS-TDS) and its browser (MC-SQLR).
 */
#include <string.h>

#include "confirm.h"
#include "wire.h"

#define RPC_HEADER     16
#define RPC_ENOUGH     10 /* of it, where the capture cut the rest */
#define RPC_UDP_HEADER 80
#define TDS_HEADER     8

/* Byte order and character set as both forms of the header say it, floating point, and nothing in what is reserved. */
static bool rpc_representation(const uint8_t *p)
{
    return (p[0] == 0x10 || p[0] == 0x00) && p[1] <= 3 && p[2] == 0;
}

static uint16_t rpc_u16(const uint8_t *p, bool little)
{
    return little ? wire_le16(p) : wire_be16(p);
}

/*
 * Connection-oriented.  The fragment may be longer than the segment (a bind with a large Kerberos ticket), or several
 * may stand in one; the header alone has nine bytes whose values are bound.
 */
enum confirm_answer confirm_rpc(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->len < (in->len < in->wire_len ? RPC_ENOUGH : RPC_HEADER))
        return CONFIRM_NO;
    if (p[0] != 5 || p[1] > 1 || p[2] > 20 || !rpc_representation(p + 4) || p[7] != 0)
        return CONFIRM_NO;
    bool little = p[4] == 0x10;
    unsigned length = rpc_u16(p + 8, little), auth = in->len >= 12 ? rpc_u16(p + 10, little) : 0;
    if (length < RPC_HEADER || (auth != 0 && auth + RPC_HEADER + 8 > length))
        return CONFIRM_NO;
    switch (p[2]) {
    case 11: /* bind, alter context and their answers: fragment sizes */
    case 14:
    case 12:
    case 15:
        if (length < 24 || (in->len >= 20 && rpc_u16(p + 16, little) < 512))
            return CONFIRM_NO;
        return p[2] == 11 || p[2] == 14 ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
    case 0: /* request: presentation context, operation */
        return length >= 24 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 2: /* response, fault: cancel count and a reserved byte */
    case 3:
        return length >= 24 ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 16: /* the client's third leg, cancel, orphaned */
        return length >= 20 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 18:
    case 19:
        return length == RPC_HEADER || auth != 0 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 13: /* bind refused, shutdown */
        return length >= 18 ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 17:
        return length == RPC_HEADER ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 20: /* RPC over HTTP: either side */
        return length >= 20 ? CONFIRM_YES : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* Connectionless: version 4 and 80 bytes of header. */
enum confirm_answer confirm_rpc_udp(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->wire_len < RPC_UDP_HEADER || in->len < 8 || p[0] != 4 || p[1] > 10 || p[3] > 3 ||
        !rpc_representation(p + 4))
        return CONFIRM_NO;
    if (in->len >= RPC_UDP_HEADER) {
        unsigned length = rpc_u16(p + 74, p[4] == 0x10);
        if (length + RPC_UDP_HEADER > in->wire_len || p[78] > 16)
            return CONFIRM_NO;
    }
    switch (p[1]) {
    case 0: /* request, ping, acknowledgement, cancel: either side, for a server calls its client back to learn who it is (C706, 12.6.3, conv_who_are_you) */
    case 1:
    case 7:
    case 8:
    case 9: /* acknowledgement of a fragment */
        return CONFIRM_YES;
    default:
        return CONFIRM_RESPONSE;
    }
}

/* The magic number, the answer bit and what people call the version. */
static enum confirm_answer smb_message(const uint8_t *p, size_t len, const char **ret_detail)
{
    if (len < 4 || memcmp(p + 1, "SMB", 3) != 0)
        return CONFIRM_NO;
    switch (p[0]) {
    case 0xff:
        /* A negotiation in the old form may ask for the new one. */
        if (len > 4 && p[4] != 0x72)
            *ret_detail = "SMBv1";
        return len < 10 ? CONFIRM_YES : p[9] & 0x80 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
    case 0xfe:
        *ret_detail = "SMBv23";
        return len < 17 ? CONFIRM_YES : p[16] & 1 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
    case 0xfd: /* encrypted, compressed: version 3 */
    case 0xfc:
        *ret_detail = "SMBv23";
        return CONFIRM_YES;
    default:
        return CONFIRM_NO;
    }
}

enum confirm_answer confirm_smb(const struct confirm_input *in, const char **ret_detail)
{
    if (in->len < 8 || in->data[0] != 0)
        return CONFIRM_NO;
    return smb_message(in->data + 4, in->len - 4, ret_detail);
}

/* A session header in a segment of its own, and the message in the next. */
enum confirm_answer confirm_smb_continued(const struct confirm_input *in, const char **ret_detail)
{
    return smb_message(in->data, in->len, ret_detail);
}

/* Session request: called and calling name. */
enum confirm_answer confirm_nbss_request(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    if (in->len < 4 + 17 || p[0] != 0x81 || p[1] != 0 || wire_be16(p + 2) != 68 || p[4] != 32)
        return CONFIRM_NO;
    for (unsigned i = 5; i < 4 + 17; i++) {
        if (p[i] < 'A' || p[i] > 'P')
            return CONFIRM_NO;
    }
    *ret_detail = "session";
    return CONFIRM_REQUEST;
}

/* Positive, negative and retarget answer, keep-alive: four bytes and little more. */
enum confirm_answer confirm_nbss_answer(const struct confirm_input *in, const char **ret_detail)
{
    static const uint8_t bodies[] = {[2] = 0, [3] = 1, [4] = 6, [5] = 0};
    const uint8_t *p = in->data;

    if (in->len < 4 || p[0] < 0x82 || p[0] > 0x85 || p[1] != 0 || wire_be16(p + 2) != bodies[p[0] - 0x80])
        return CONFIRM_NO;
    *ret_detail = "session";
    return p[0] == 0x85 ? CONFIRM_YES : CONFIRM_RESPONSE;
}

/* A list of options that begins with the version: offset and a length of six. */
static bool tds_prelogin(const uint8_t *p, size_t len)
{
    return len >= 6 && p[0] == 0 && wire_be16(p + 3) == 6 && wire_be16(p + 1) >= 6 && wire_be16(p + 1) % 5 == 1 &&
           (p[5] <= 8 || p[5] == 0xff);
}

static bool tds_header(const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    return in->len >= TDS_HEADER && p[1] <= 0x1f && wire_be16(p + 2) >= TDS_HEADER && p[7] == 0;
}

/* The opening of a session: pre-login and its answer, the handshake of TLS inside pre-login, login. */
enum confirm_answer confirm_tds(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (!tds_header(in))
        return CONFIRM_NO;
    const uint8_t *body = p + TDS_HEADER;
    size_t len = in->len - TDS_HEADER;
    switch (p[0]) {
    case 0x01: /* batch, call, transaction: "all headers" of version 7.2, with the one for transactions */
    case 0x03:
    case 0x0e:
        return len >= 10 && wire_le32(body) == 22 && wire_le32(body + 4) == 18 && wire_le16(body + 8) == 2
                   ? CONFIRM_REQUEST
                   : CONFIRM_NO;
    case 0x12:
        if (tds_prelogin(body, len))
            return CONFIRM_REQUEST;
        if (len >= 6 && body[0] == 0x16 && body[1] == 3 && body[5] <= 2)
            return body[5] == 1 ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
        return CONFIRM_NO;
    case 0x04:
        return tds_prelogin(body, len) ? CONFIRM_RESPONSE : CONFIRM_NO;
    case 0x10: /* length, version 7.x */
        if (len < 8 || wire_le32(body) + TDS_HEADER < wire_be16(p + 2) || wire_le32(body) > 0x20000)
            return CONFIRM_NO;
        return (body[7] >= 0x70 && body[7] <= 0x74) || wire_be32(body + 4) >> 28 == 7 ? CONFIRM_REQUEST : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* Any other packet of a session, picked up mid-stream: the header, and for answers the first token. */
enum confirm_answer confirm_tds_packet(const struct confirm_input *in, const char **ret_detail)
{
    static const uint8_t tokens[] = {0x79, 0x81, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xd1,
                                     0xd2, 0xe3, 0xe4, 0xed, 0xee, 0xfd, 0xfe, 0xff};
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (!tds_header(in))
        return CONFIRM_NO;
    switch (p[0]) {
    case 1: /* batch, login of old, call, attention, bulk load, login with SSPI, transaction */
    case 2:
    case 3:
    case 6:
    case 7:
    case 0x0e:
    case 0x10:
    case 0x11:
    case 0x12:
        return CONFIRM_REQUEST;
    case 4:
        return in->len > TDS_HEADER && memchr(tokens, p[TDS_HEADER], sizeof(tokens)) != NULL ? CONFIRM_RESPONSE
                                                                                             : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* Questions of the SQL Server browser: one byte, or one byte and the name of an instance. */
enum confirm_answer confirm_sql_browser(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    *ret_detail = "browser";
    switch (p[0]) {
    case 2:
    case 3:
        return in->wire_len <= 2 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 4: /* an instance's name */
        return in->wire_len >= 3 && in->wire_len <= 34 && in->len >= 2 && p[1] > 0x20 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 0x0f: /* the port for administrators */
        return in->wire_len >= 4 && in->wire_len <= 35 && in->len >= 3 && p[1] == 1 ? CONFIRM_REQUEST : CONFIRM_NO;
    case 5: /* an answer that is not text */
        return in->len >= 3 && wire_le16(p + 1) + 3u == in->wire_len ? CONFIRM_RESPONSE
               : in->wire_len == 6 && in->len >= 4 && p[3] == 1      ? CONFIRM_RESPONSE
                                                                     : CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

/* Its answer: a length, and "ServerName;...". */
enum confirm_answer confirm_sql_browser_answer(const struct confirm_input *in, const char **ret_detail)
{
    if (in->len < 14 || in->data[0] != 5 || memcmp(in->data + 3, "ServerName;", 11) != 0)
        return CONFIRM_NO;
    *ret_detail = "browser";
    return CONFIRM_RESPONSE;
}
