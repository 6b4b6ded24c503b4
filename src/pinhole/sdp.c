/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session descriptions (RFC 8866), with a=rtcp (RFC 3605), in the bodies of SIP and H.248 messages.
 *
 * A body may be one description, a multipart with one inside, or (H.248) several: lines count from one that begins
 * with "v=" to the end or a multipart boundary.  Lines that cannot be read are passed over.
 */
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "private.h"

#define MAX_PORTS 16 /* of one stream: "m=audio 49170/2" */

struct text {
    const char *p;
    size_t len;
};

enum place { PLACE_NONE, PLACE_STATED, PLACE_NAME, PLACE_CHOOSE };

struct place_of_media {
    enum place kind;
    struct addr addr;
};

struct description {
    struct look *look;
    enum pinhole_kind kind;
    struct place_of_media session, media, control;
    enum pinhole_way session_way, way;
    bool inside, has_media, is_rtp, is_tcp;
    uint32_t port, n_ports, control_port;
    struct text type, format, codec; /* in the message */
};

/* --- lines and words ------------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text next_word(struct text *line)
{
    struct text word;

    while (line->len > 0 && is_blank(*line->p)) {
        line->p++;
        line->len--;
    }
    word = (struct text){line->p, 0};
    while (word.len < line->len && !is_blank(line->p[word.len]))
        word.len++;
    line->p += word.len;
    line->len -= word.len;
    return word;
}

static bool is_word(struct text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

static bool begins(struct text t, const char *prefix)
{
    return t.len >= strlen(prefix) && strncasecmp(t.p, prefix, strlen(prefix)) == 0;
}

static struct text after(struct text t, size_t n)
{
    return (struct text){t.p + n, t.len - n};
}

/* A decimal number at the start, which is taken off; false: there is none, or it is over 65535. */
static bool take_number(struct text *t, uint32_t *ret)
{
    uint32_t value = 0;
    size_t n = 0;

    for (; n < t->len && t->p[n] >= '0' && t->p[n] <= '9' && value <= UINT16_MAX; n++)
        value = 10 * value + (uint32_t)(t->p[n] - '0');
    if (n == 0 || value > UINT16_MAX)
        return false;
    *t = after(*t, n);
    *ret = value;
    return true;
}

/* --- what is announced ---------------------------------------------------------------------------------- */

/* A word in printable characters, at 'at'; returns where it ends. */
static size_t put_word(struct pinhole *hole, size_t at, size_t end, struct text t)
{
    for (size_t i = 0; i < t.len && at < end; i++)
        hole->what[at++] = t.p[i] > 0x20 && t.p[i] < 0x7f ? t.p[i] : '?';
    hole->what[at] = '\0';
    return at;
}

/* Formats with fixed numbers (RFC 3551). */
static struct text static_codec(struct text format)
{
    static const struct {
        const char *number, *name;
    } codecs[] = {{"0", "PCMU"}, {"3", "GSM"},   {"4", "G723"}, {"8", "PCMA"},
                  {"9", "G722"}, {"18", "G729"}, {"34", "H263"}};

    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (is_word(format, codecs[i].number))
            return (struct text){codecs[i].name, strlen(codecs[i].name)};
    }
    return format;
}

static void name_media(const struct description *d, struct pinhole *hole)
{
    struct text codec = d->codec.len > 0 ? d->codec : d->is_rtp ? static_codec(d->format) : d->format;

    size_t at = put_word(hole, 0, PINHOLE_WHAT_SIZE / 2, d->type);

    if (codec.len > 0) {
        hole->what[at++] = ' ';
        put_word(hole, at, PINHOLE_WHAT_SIZE - 1, codec);
    }
}

static void announce_control(const struct description *d, struct pinhole *hole)
{
    hole->rtcp = hole->rtcp_named = true;
    hole->port = (uint16_t)d->control_port;
    if (d->control.kind == PLACE_STATED)
        hole->addr = d->control.addr;
    announce(d->look, hole);
}

/* The media stream that was being read, when it ends. */
static void end_media(struct description *d)
{
    const struct place_of_media *place = d->media.kind != PLACE_NONE ? &d->media : &d->session;
    struct pinhole hole = {.kind = d->kind, .way = d->way};

    if (!d->has_media || d->port == 0 || place->kind == PLACE_CHOOSE ||
        (place->kind == PLACE_NONE && d->kind == PINHOLE_H248_SDP))
        return;
    hole.transport = d->is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
    hole.addr = place->addr;
    hole.addr_assumed = place->kind != PLACE_STATED;
    if (hole.addr_assumed)
        hole.addr = d->look->packet->src;
    else if (addr_is_unspecified(&hole.addr))
        hole.way = PINHOLE_INACTIVE;
    name_media(d, &hole);
    for (uint32_t i = 0, step = d->is_rtp ? 2 : 1; i < d->n_ports && d->port + i * step <= UINT16_MAX; i++) {
        hole.port = (uint16_t)(d->port + i * step);
        if (d->is_rtp && d->control_port == 0)
            announce_media(d->look, &hole);
        else
            announce(d->look, &hole);
    }
    if (d->control_port != 0)
        announce_control(d, &hole);
}

/* --- what is read --------------------------------------------------------------------------------------- */

/* "IN IP4 10.0.0.1", "IN IP4 224.2.1.1/127", "IN IP6 fd00::1", "IN IP4 host.example", "IN IP4 $" (H.248). */
static struct place_of_media read_place(struct text line)
{
    struct place_of_media place = {.kind = PLACE_NONE};
    char text[ADDR_TEXT_SIZE];

    next_word(&line);
    next_word(&line);
    struct text word = next_word(&line);
    const char *slash = word.len > 0 ? memchr(word.p, '/', word.len) : NULL;
    if (slash != NULL)
        word.len = (size_t)(slash - word.p);
    if (word.len == 0)
        return place;
    if (is_word(word, "$") || is_word(word, "-")) {
        place.kind = PLACE_CHOOSE;
        return place;
    }
    place.kind = PLACE_NAME;
    if (word.len < sizeof(text)) {
        memcpy(text, word.p, word.len);
        text[word.len] = '\0';
        if (addr_parse(text, &place.addr) == 0)
            place.kind = PLACE_STATED;
    }
    return place;
}

static void read_media(struct description *d, struct text line)
{
    end_media(d);
    d->has_media = true;
    d->way = d->session_way;
    d->media.kind = d->control.kind = PLACE_NONE;
    d->control_port = d->port = 0;
    d->n_ports = 1;
    d->codec.len = 0;
    d->type = next_word(&line);
    struct text ports = next_word(&line), transport = next_word(&line);
    d->format = next_word(&line);
    d->is_rtp = memmem(transport.p, transport.len, "RTP", 3) != NULL;
    d->is_tcp = begins(transport, "TCP");
    if (!take_number(&ports, &d->port) || ports.len == 0)
        return;
    if (*ports.p != '/') {
        d->port = 0;
        return;
    }
    ports = after(ports, 1);
    if (!take_number(&ports, &d->n_ports) || d->n_ports == 0)
        d->n_ports = 1;
    d->n_ports = d->n_ports < MAX_PORTS ? d->n_ports : MAX_PORTS;
}

static void read_control(struct description *d, struct text value)
{
    if (take_number(&value, &d->control_port) && value.len > 0)
        d->control = read_place(value);
}

/* "rtpmap:0 PCMU/8000" of the first format. */
static void read_codec(struct description *d, struct text value)
{
    struct text number = next_word(&value), codec = next_word(&value);
    const char *slash = codec.len > 0 ? memchr(codec.p, '/', codec.len) : NULL;

    if (number.len == 0 || number.len != d->format.len || memcmp(number.p, d->format.p, number.len) != 0)
        return;
    d->codec = codec;
    if (slash != NULL)
        d->codec.len = (size_t)(slash - codec.p);
}

static void read_attribute(struct description *d, struct text value)
{
    struct text whole = value, word = next_word(&whole);

    for (enum pinhole_way way = PINHOLE_SENDRECV; way <= PINHOLE_INACTIVE; way++) {
        if (!is_word(word, pinhole_way_name(way)))
            continue;
        d->way = way;
        if (!d->has_media)
            d->session_way = way;
        return;
    }
    if (d->has_media && begins(value, "rtcp:"))
        read_control(d, after(value, 5));
    else if (d->has_media && begins(value, "rtpmap:"))
        read_codec(d, after(value, 7));
}

static void begin_session(struct description *d)
{
    end_media(d);
    d->inside = true;
    d->has_media = false;
    d->session.kind = PLACE_NONE;
    d->session_way = d->way = PINHOLE_SENDRECV;
}

static void read_line(struct description *d, struct text line)
{
    while (line.len > 0 && is_blank(*line.p))
        line = after(line, 1);
    if (line.len >= 2 && line.p[0] == '-' && line.p[1] == '-' && d->inside) {
        begin_session(d);
        d->inside = false;
        return;
    }
    if (line.len < 2 || line.p[1] != '=')
        return;
    struct text value = after(line, 2);
    switch (d->inside || line.p[0] == 'v' ? line.p[0] : 0) {
    case 'v':
        begin_session(d);
        break;
    case 'c':
        if (d->has_media)
            d->media = read_place(value);
        else
            d->session = read_place(value);
        break;
    case 'm':
        read_media(d, value);
        break;
    case 'a':
        read_attribute(d, value);
        break;
    }
}

/* H.248 wraps descriptions in braces, at times on the same line. */
static size_t line_length(enum pinhole_kind kind, const char *p, size_t len)
{
    size_t n = 0;

    if (kind != PINHOLE_H248_SDP) {
        const char *nl = memchr(p, '\n', len);
        return nl == NULL ? len : (size_t)(nl - p);
    }
    while (n < len && p[n] != '\n' && p[n] != '{' && p[n] != '}')
        n++;
    return n;
}

void sdp_announce(struct look *look, enum pinhole_kind kind, const char *p, size_t len)
{
    struct description d = {.look = look, .kind = kind};

    while (len > 0) {
        size_t n = line_length(kind, p, len), text = n;

        while (text > 0 && p[text - 1] == '\r')
            text--;
        read_line(&d, (struct text){p, text});
        n += n < len;
        p += n;
        len -= n;
    }
    end_media(&d);
}
