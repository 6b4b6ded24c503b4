/* SPDX-License-Identifier: Apache-2.0 */
/* Voice: RTP and RTCP (RFC 3550), SCCP. */
#include "confirm.h"
#include "wire.h"

#define RTP_HEADER  12
#define RTP_ENOUGH  3
#define RTP_MAX_GAP 8 /* packets that the capture may have lost between two */

/* Version 2; contributing sources, extension and padding are allowed and must fit; 72 to 76 would be RTCP. */
static bool rtp_header(const uint8_t *p, size_t len)
{
    if (len < RTP_HEADER || p[0] >> 6 != 2)
        return false;
    unsigned type = p[1] & 0x7f, n_sources = p[0] & 15;
    size_t header = RTP_HEADER + n_sources * 4u + (p[0] & 0x10 ? 4 : 0);
    return header <= len && !(type >= 72 && type <= 76);
}

bool confirm_rtp(struct confirm_rtp *rtp, const uint8_t *data, size_t len)
{
    if (!rtp_header(data, len))
        return false;
    uint16_t sequence = wire_be16(data + 2);
    uint32_t ssrc = wire_be32(data + 8);
    uint16_t step = (uint16_t)(sequence - rtp->sequence);
    if (rtp->n_in_order > 0 && rtp->ssrc == ssrc && step == 0)
        return false; /* seen twice on a routed span */
    if (rtp->n_in_order > 0 && rtp->ssrc == ssrc && step <= RTP_MAX_GAP)
        rtp->n_in_order++;
    else
        rtp->n_in_order = 1;
    rtp->ssrc = ssrc;
    rtp->sequence = sequence;
    return rtp->n_in_order >= RTP_ENOUGH;
}

/* A compound packet: a sender or receiver report first, every part with its length, and the parts fill the datagram. */
enum confirm_answer confirm_rtcp(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;
    size_t at = 0;

    (void)ret_detail;
    if (in->len < 8 || p[0] >> 6 != 2 || (p[1] != 200 && p[1] != 201))
        return CONFIRM_NO;
    unsigned n_words = wire_be16(p + 2), n_blocks = p[0] & 31;
    if (n_words + 1u < (p[1] == 200 ? 7u : 2u) + n_blocks * 6u)
        return CONFIRM_NO;
    while (at < in->wire_len) {
        if (at + 4 > in->len)
            return in->len < in->wire_len && at != 0 ? CONFIRM_YES : CONFIRM_NO;
        if (p[at] >> 6 != 2 || p[at + 1] < 192 || p[at + 1] > 223)
            return CONFIRM_NO;
        at += (wire_be16(p + at + 2) + 1u) * 4u;
    }
    return at == in->wire_len ? CONFIRM_YES : CONFIRM_NO;
}

/*
 * Length, header version, message id: 12 bytes whose values are small.  Runs only where SCCP is expected.  Messages of
 * the phone have the low numbers, those of the call manager begin at 0x81.
 */
enum confirm_answer confirm_sccp(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->len < 12)
        return CONFIRM_NO;
    uint32_t length = wire_le32(p), version = wire_le32(p + 4), id = wire_le32(p + 8);
    if (length < 4 || length > 4096 || version > 0x20 || (id > 0x160 && (id < 0x8000 || id > 0x8200)))
        return CONFIRM_NO;
    if (length + 8 > in->wire_len && in->wire_len < 512)
        return CONFIRM_NO; /* cut by a segment's end only where the segment is a large one */
    if (length + 8 + 12 <= in->len) {
        const uint8_t *next = p + length + 8;
        if (wire_le32(next) < 4 || wire_le32(next) > 4096 || wire_le32(next + 4) > 0x20)
            return CONFIRM_NO;
    }
    return id <= 0x50 ? CONFIRM_REQUEST : id >= 0x81 && id <= 0x153 ? CONFIRM_RESPONSE : CONFIRM_YES;
}
