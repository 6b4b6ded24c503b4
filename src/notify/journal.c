/* SPDX-License-Identifier: Apache-2.0 */
/* The journal by its native protocol (systemd: "Native Journal Protocol"): one datagram for each entry, a line for each field. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "fields.h"
#include "private.h"
#include "words.h"

#define ID_FINDING "a3c1d5bb1f6f4c0c9b0e7a5c2f1de0d4"
#define ID_RUN     "5d0f8e2c7e914a53a1f60b9f6c1b2e77"

struct to_journal {
    struct sink sink;
    struct feed feed;
    struct out  out, text;
};

/* NAME=value, or where the value holds a newline NAME, its length as 64 bits little-endian, and the value. */
static void put_field(struct out *out, const char *prefix, const char *name, const char *value)
{
    uint64_t len = strlen(value);
    uint8_t  bytes[8];

    out_text(out, prefix);
    for (const char *c = name; *c != '\0'; c++) {
        char upper = (char)toupper((unsigned char)*c);
        out_bytes(out, &upper, 1);
    }
    if (strchr(value, '\n') == NULL) {
        out_text(out, "=");
    } else {
        for (unsigned i = 0; i < 8; i++)
            bytes[i] = (uint8_t)(len >> (8 * i));
        out_text(out, "\n");
        out_bytes(out, bytes, 8);
    }
    out_bytes(out, value, len);
    out_text(out, "\n");
}

static void put_common(struct to_journal *s, int level, const char *id)
{
    const char priority[] = {(char)('0' + level), '\0'};

    out_reset(&s->out);
    put_field(&s->out, "", "MESSAGE", s->text.cut || s->text.text == NULL ? "" : s->text.text);
    put_field(&s->out, "", "PRIORITY", priority);
    put_field(&s->out, "", "MESSAGE_ID", id);
    put_field(&s->out, "", "SYSLOG_IDENTIFIER", "flowaudit");
    put_field(&s->out, "", "SYSLOG_FACILITY", "3");
}

static void send_out(struct to_journal *s, struct notify_time now)
{
    if (!s->out.cut && feed_put(&s->feed, s->out.text, s->out.n))
        s->sink.told++;
    else
        s->sink.lost++;
    s->sink.lost += feed_flush(&s->feed, now.steady_ns);
}

static void tell_alert(struct sink *sink, const struct alert *a)
{
    struct to_journal *s = (struct to_journal *)sink;
    struct fields      fields;

    out_reset(&s->text);
    put_sentence(&s->text, a->finding, a->nth, false);
    put_common(s, level_of(a->severity), ID_FINDING);
    fields_of(&fields, a);
    for (size_t i = 0; i < fields.n; i++)
        put_field(&s->out, "FLOWAUDIT_", fields.list[i].name, fields.list[i].value);
    send_out(s, a->now);
}

static void tell_message(struct sink *sink, const struct message *m)
{
    struct to_journal *s = (struct to_journal *)sink;

    out_reset(&s->text);
    out_plain(&s->text, m->sentence);
    put_common(s, (int)m->level, ID_RUN);
    send_out(s, m->now);
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct to_journal *s = (struct to_journal *)sink;

    (void)vitals;
    sink->lost += feed_flush(&s->feed, now.steady_ns);
}

static void end(struct sink *sink, struct notify_time now)
{
    sink->lost += feed_end(&((struct to_journal *)sink)->feed, now.steady_ns);
}

static void drop(struct sink *sink)
{
    struct to_journal *s = (struct to_journal *)sink;

    feed_close(&s->feed);
    out_free(&s->out);
    out_free(&s->text);
    free(s);
}

static const struct sink_ops ops = {.name = "journal", .alert = tell_alert, .message = tell_message, .tick = tick, .end = end, .free = drop};

int notify_add_journal(struct notifier *n, const char *path, struct err *reterr)
{
    struct to_journal *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    int rc = feed_open_datagrams(&s->feed, path != NULL ? path : NOTIFY_JOURNAL_SOCKET, FEED_SIZE, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
