/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local syslog socket.  Messages are as RFC 5424 wants them, with the finding as structured data; where the socket is the
 * journal's, which knows only the older header of syslog(3), that header is used and the structured data begins the text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "fields.h"
#include "private.h"
#include "words.h"

#define SD_ID "flowaudit@32473" /* the enterprise number of RFC 5612, for those who have none */

struct to_syslog {
    struct sink        sink;
    struct feed        feed;
    enum notify_header header;
    unsigned           facility;
    struct out         out;
};

/* PRINTUSASCII without blanks, of at most 'most' bytes; "-" where there is none. */
static void put_token(struct out *out, const char *text, size_t most)
{
    if (text == NULL || *text == '\0')
        text = "-";
    for (size_t i = 0; i < most && text[i] != '\0'; i++)
        out_bytes(out, text[i] > 32 && text[i] < 127 ? text + i : "_", 1);
}

static void put_header(struct to_syslog *s, int level, const char *msgid, struct notify_time now)
{
    const struct notify_about *about = notifier_about(s->sink.owner);
    struct out                *out = &s->out;

    out_reset(out);
    out_format(out, "<%u>", s->facility * 8 + (unsigned)level);
    if (s->header == NOTIFY_HEADER_LOCAL) {
        out_format(out, "flowaudit[%d]: ", about->pid);
        return;
    }
    out_text(out, "1 ");
    out_time(out, now.wall_ns);
    out_text(out, " ");
    put_token(out, about->host, 255);
    out_format(out, " flowaudit %d ", about->pid);
    put_token(out, msgid, 32);
    out_text(out, " ");
}

/* RFC 5424, section 6.4: text that is more than ASCII begins with a BOM. */
static void put_text(struct to_syslog *s, size_t *at)
{
    *at = s->out.n;
    if (s->header == NOTIFY_HEADER_RFC5424)
        out_text(&s->out, "\xef\xbb\xbf");
}

static void take_back_bom(struct to_syslog *s, size_t at)
{
    struct out *out = &s->out;

    if (s->header != NOTIFY_HEADER_RFC5424 || out->cut)
        return;
    for (size_t i = at + 3; i < out->n; i++)
        if ((out->text[i] & 0x80) != 0)
            return;
    memmove(out->text + at, out->text + at + 3, out->n - at - 3 + 1);
    out->n -= 3;
}

static void send_out(struct to_syslog *s, struct notify_time now)
{
    if (!s->out.cut && feed_put(&s->feed, s->out.text, s->out.n))
        s->sink.told++;
    else
        s->sink.lost++;
    s->sink.lost += feed_flush(&s->feed, now.steady_ns);
}

static void tell_alert(struct sink *sink, const struct alert *a)
{
    struct to_syslog *s = (struct to_syslog *)sink;
    struct fields     fields;
    size_t            at;

    put_header(s, level_of(a->severity), a->finding->kind, a->now);
    fields_of(&fields, a);
    out_text(&s->out, "[" SD_ID);
    for (size_t i = 0; i < fields.n; i++)
        out_sd_param(&s->out, fields.list[i].name, fields.list[i].value);
    out_text(&s->out, "] ");
    put_text(s, &at);
    put_sentence(&s->out, a->finding, a->nth, false);
    take_back_bom(s, at);
    send_out(s, a->now);
}

static void tell_message(struct sink *sink, const struct message *m)
{
    struct to_syslog *s = (struct to_syslog *)sink;
    size_t            at;

    put_header(s, (int)m->level, "run", m->now);
    if (s->header == NOTIFY_HEADER_RFC5424)
        out_text(&s->out, "- ");
    put_text(s, &at);
    out_plain(&s->out, m->sentence);
    take_back_bom(s, at);
    send_out(s, m->now);
}

static void end(struct sink *sink, struct notify_time now)
{
    sink->lost += feed_end(&((struct to_syslog *)sink)->feed, now.steady_ns);
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct to_syslog *s = (struct to_syslog *)sink;

    (void)vitals;
    sink->lost += feed_flush(&s->feed, now.steady_ns);
}

static void drop(struct sink *sink)
{
    struct to_syslog *s = (struct to_syslog *)sink;

    feed_close(&s->feed);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "syslog", .alert = tell_alert, .message = tell_message, .tick = tick, .end = end, .free = drop};

static enum notify_header header_for(const char *path)
{
    char              *real = realpath(path, NULL);
    enum notify_header header = NOTIFY_HEADER_RFC5424;

    if (real != NULL && strncmp(real, "/run/systemd/journal/", 21) == 0)
        header = NOTIFY_HEADER_LOCAL;
    free(real);
    return header;
}

int notify_add_syslog(struct notifier *n, const char *path, enum notify_header header, struct err *reterr)
{
    struct to_syslog *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->facility = 3; /* daemon */
    s->header = header != NOTIFY_HEADER_FIT ? header : header_for(path);
    int rc = feed_open_datagrams(&s->feed, path, FEED_SIZE, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
