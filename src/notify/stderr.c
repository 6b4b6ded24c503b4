/* SPDX-License-Identifier: Apache-2.0 */
/* Standard error: a line for each alert and message, and on a terminal a line at the bottom that refreshes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "feed.h"
#include "private.h"
#include "words.h"

struct to_stderr {
    struct sink          sink;
    struct feed          feed;
    struct notify_stderr options;
    struct out           out;
    struct out           status; /* the line at the bottom, as it stands; empty: there is none */
};

/* What is ready goes out, with the line at the bottom taken away before it and put back after it. */
static void put_ready(struct to_stderr *s, struct notify_time now)
{
    bool has_line = s->options.line && s->status.n > 0;

    if (has_line)
        feed_put(&s->feed, "\r\033[K", 4);
    if (!s->out.cut && feed_put(&s->feed, s->out.text, s->out.n))
        s->sink.told++;
    else
        s->sink.lost++;
    if (has_line)
        feed_put(&s->feed, s->status.text, s->status.n);
    s->sink.lost += feed_flush(&s->feed, now.steady_ns);
}

static const char *color_of(enum severity severity)
{
    return severity <= SEVERITY_HIGH ? "\033[31m" : severity == SEVERITY_MEDIUM ? "\033[33m" : "";
}

static void tell_alert(struct sink *sink, const struct alert *a)
{
    struct to_stderr           *s = (struct to_stderr *)sink;
    const struct store_finding *f = a->finding;
    struct out                 *out = &s->out;

    if (s->options.quiet)
        return;
    out_reset(out);
    if (s->options.priority)
        out_format(out, "<%d>", level_of(a->severity));
    else
        put_clock(out, f->last_ns != 0 ? f->last_ns : a->now.wall_ns);
    if (s->options.color)
        out_text(out, color_of(a->severity));
    out_format(out, "%s %s", severity_name(a->severity), finding_kind_name(a->kind));
    if (s->options.color)
        out_text(out, "\033[m");
    out_text(out, a->nth > 1 ? " (more): " : ": ");
    put_sentence(out, f, a->nth, s->options.brief);
    out_text(out, "\n");
    put_ready(s, a->now);
}

static void tell_message(struct sink *sink, const struct message *m)
{
    struct to_stderr *s = (struct to_stderr *)sink;

    if (s->options.quiet && m->level > NOTIFY_WARNING)
        return;
    out_reset(&s->out);
    if (s->options.priority)
        out_format(&s->out, "<%d>", (int)m->level);
    else
        out_text(&s->out, "flowaudit: ");
    out_plain(&s->out, m->sentence);
    out_text(&s->out, "\n");
    put_ready(s, m->now);
}

static unsigned width(const struct to_stderr *s)
{
    struct winsize size;

    if (s->options.width != 0)
        return s->options.width;
    return ioctl(s->options.fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *v)
{
    struct to_stderr *s = (struct to_stderr *)sink;

    if (s->options.line && v != NULL) {
        out_reset(&s->status);
        out_reset(&s->out);
        put_status(&s->out, v);
        if (!s->out.cut && s->out.n > width(s) - 1)
            s->out.text[width(s) - 1] = '\0'; /* all ASCII */
        out_text(&s->status, "\r");
        out_text(&s->status, s->out.text);
        out_text(&s->status, "\033[K");
        if (s->feed.n == 0) /* a terminal that stands still gets no more of these */
            feed_put(&s->feed, s->status.text, s->status.n);
    }
    sink->lost += feed_flush(&s->feed, now.steady_ns);
}

static void end(struct sink *sink, struct notify_time now)
{
    sink->lost += feed_end(&((struct to_stderr *)sink)->feed, now.steady_ns);
}

static void drop(struct sink *sink)
{
    struct to_stderr *s = (struct to_stderr *)sink;

    if (s->options.line && s->status.n > 0)
        feed_put(&s->feed, "\r\033[K", 4);
    feed_close(&s->feed);
    out_free(&s->out);
    out_free(&s->status);
    free(s);
}

static const struct sink_ops ops = {.name = "stderr", .alert = tell_alert, .message = tell_message, .tick = tick, .end = end, .free = drop};

int notify_add_stderr(struct notifier *n, const struct notify_stderr *o, struct err *reterr)
{
    struct to_stderr *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->options = *o;
    int rc = feed_over_terminal(&s->feed, o->fd, FEED_SIZE, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
