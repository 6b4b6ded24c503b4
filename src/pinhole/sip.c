/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIP (RFC 3261) and text H.248 (ITU-T H.248.1 annex B): where a message ends, and whether its body describes a
 * session.
 *
 * Over TCP a message ends where Content-Length says; without one (the standard demands it) its body is taken to end
 * with the segment.  Bodies of other types are skipped.
 */
#include <string.h>
#include <strings.h>

#include "private.h"

#define MAX_METHOD  16
#define LEAST_START 24         /* bytes that tell a first line: method, blank, "sips:" */
#define MAX_BODY    (1u << 20) /* a longer one is no message */

struct header {
    size_t size; /* with the empty line */
    bool has_length;
    size_t body_length;
    bool has_type;
    bool session; /* the body is, or may hold, a session description */
};

/* In either case.  Most words differ in their first letter: 0x20 is the bit between its cases. */
static inline bool begins(const uint8_t *p, size_t len, const char *word)
{
    size_t n = strlen(word);

    return len >= n && (p[0] | 0x20) == (word[0] | 0x20) && strncasecmp((const char *)p, word, n) == 0;
}

bool sip_begins(const uint8_t *p, size_t len)
{
    size_t n = 0;

    if (len == 0 || p[0] < 'A' || p[0] > 'Z')
        return false;
    if (p[0] == 'S' && begins(p, len, "SIP/2.0 "))
        return true;
    while (n < len && n <= MAX_METHOD && p[n] >= 'A' && p[n] <= 'Z')
        n++;
    if (n < 3 || n > MAX_METHOD || n == len || p[n] != ' ')
        return false;
    p += n + 1;
    len -= n + 1;
    return begins(p, len, "sip:") || begins(p, len, "sips:") || begins(p, len, "tel:");
}

/* Could it become a first line with more bytes? */
static bool may_begin(const uint8_t *p, size_t len)
{
    return len < LEAST_START ? p[0] >= 'A' && p[0] <= 'Z' : sip_begins(p, len);
}

/* --- the header ----------------------------------------------------------------------------------------- */

/* The size of the header with its empty line, looking from 'from' on; 0: it does not end here. */
static size_t find_end(const uint8_t *p, size_t len, size_t from)
{
    while (from < len) {
        const uint8_t *nl = memchr(p + from, '\n', len - from);

        if (nl == NULL)
            return 0;
        size_t at = (size_t)(nl - p) + 1;
        if (at < len && p[at] == '\n')
            return at + 1;
        if (len - at >= 2 && p[at] == '\r' && p[at + 1] == '\n')
            return at + 2;
        from = at;
    }
    return 0;
}

static size_t skip_blanks(const uint8_t *p, size_t len)
{
    size_t n = 0;

    while (n < len && (p[n] == ' ' || p[n] == '\t'))
        n++;
    return n;
}

/* The value's offset in the line if the header has this name, long or compact; 0: it has another. */
static size_t match_name(const uint8_t *p, size_t len, const char *name, char compact)
{
    size_t n = begins(p, len, name) ? strlen(name) : len > 0 && (p[0] | 0x20) == compact ? 1 : 0;

    if (n == 0)
        return 0;
    n += skip_blanks(p + n, len - n);
    if (n == len || p[n] != ':')
        return 0;
    n++;
    return n + skip_blanks(p + n, len - n);
}

static void read_length(const uint8_t *p, size_t len, struct header *ret)
{
    size_t value = 0, n = 0;

    for (; n < len && p[n] >= '0' && p[n] <= '9' && value <= MAX_BODY; n++)
        value = 10 * value + (size_t)(p[n] - '0');
    if (n > 0) {
        ret->has_length = true;
        ret->body_length = value;
    }
}

static void read_header(const uint8_t *p, size_t size, struct header *ret)
{
    *ret = (struct header){.size = size};
    for (size_t at = 0; at < size;) {
        const uint8_t *line = p + at, *nl = memchr(line, '\n', size - at);
        size_t len = nl == NULL ? size - at : (size_t)(nl - line), value;

        at += len + 1;
        if (len == 0 || ((line[0] | 0x20) != 'c' && (line[0] | 0x20) != 'l'))
            continue;
        if ((value = match_name(line, len, "content-length", 'l')) > 0) {
            read_length(line + value, len - value, ret);
        } else if ((value = match_name(line, len, "content-type", 'c')) > 0) {
            ret->has_type = true;
            ret->session =
                begins(line + value, len - value, "application/sdp") || begins(line + value, len - value, "multipart/");
        }
    }
    ret->session |= !ret->has_type;
}

/* --- messages ------------------------------------------------------------------------------------------- */

static void read_body(struct look *look, const uint8_t *p, size_t len)
{
    sdp_announce(look, PINHOLE_SIP_SDP, (const char *)p, len);
}

/* Keep-alives (RFC 5626) and padding between messages. */
static size_t skip_padding(const uint8_t *p, size_t len)
{
    size_t n = 0;

    while (n < len && (p[n] == '\r' || p[n] == '\n' || p[n] == 0))
        n++;
    return n;
}

static enum take take_body(struct look *look, const struct header *h, const uint8_t *p, size_t len, size_t *ret_n)
{
    size_t body = h->has_length ? h->body_length : h->has_type ? len - h->size : 0;

    if (body > MAX_BODY)
        return TAKE_LOST;
    *ret_n = h->size + body;
    if (!h->session || body == 0 || *ret_n > PINHOLE_MAX_MESSAGE)
        return TAKE_DONE;
    if (len < *ret_n)
        return TAKE_WAIT;
    read_body(look, p + h->size, body);
    return TAKE_DONE;
}

enum take sip_take(struct look *look, const uint8_t *p, size_t len, size_t *ret_n)
{
    struct stream *st = look->stream;

    *ret_n = skip_padding(p, len);
    if (*ret_n > 0)
        return TAKE_DONE;
    if (!may_begin(p, len))
        return TAKE_LOST;
    size_t size = find_end(p, len, st->scanned);
    if (size == 0) {
        if (len >= PINHOLE_MAX_MESSAGE)
            return TAKE_LOST;
        st->scanned = (uint32_t)(len > 3 ? len - 3 : 0);
        *ret_n = len < BUFFER_SMALL ? BUFFER_SMALL : PINHOLE_MAX_MESSAGE;
        return TAKE_MORE;
    }
    struct header h;
    read_header(p, size, &h);
    st->scanned = (uint32_t)(size > 4 ? size - 4 : 0);
    return take_body(look, &h, p, len, ret_n);
}

void sip_datagram(struct look *look)
{
    const uint8_t *p = look->packet->payload;
    size_t len = look->packet->payload_len, n = skip_padding(p, len);
    struct header h;

    p += n;
    len -= n;
    if (!sip_begins(p, len))
        return;
    look->all->stats.n_messages++;
    size_t size = find_end(p, len, 0);
    if (size == 0)
        return;
    read_header(p, size, &h);
    size_t body = len - size;
    if (h.has_length && h.body_length < body)
        body = h.body_length;
    if (h.session)
        read_body(look, p + size, body);
}

/* --- H.248 ---------------------------------------------------------------------------------------------- */

/* "MEGACO/1 [10.0.0.1]:2944 ...", or "!/1 ..." in short. */
bool h248_begins(const uint8_t *p, size_t len)
{
    size_t n = len > 0 && p[0] == '!' ? 2 : 7;

    return len > n + 2 && (p[0] == '!' || p[0] == 'M') && (begins(p, len, "!/") || begins(p, len, "MEGACO/")) &&
           p[n] >= '1' && p[n] <= '9';
}

void h248_datagram(struct look *look)
{
    const struct packet *p = look->packet;

    if (!h248_begins(p->payload, p->payload_len))
        return;
    look->all->stats.n_messages++;
    sdp_announce(look, PINHOLE_H248_SDP, (const char *)p->payload, p->payload_len);
}
