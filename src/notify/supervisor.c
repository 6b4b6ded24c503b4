/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager (sd_notify(3)): READY, RELOADING, STOPPING, STATUS, and the watchdog's sign of life. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "feed.h"
#include "private.h"
#include "words.h"

#define STATUS_NS INT64_C(5000000000)

struct supervisor {
    struct sink sink;
    struct feed feed;
    int64_t     watchdog_ns; /* 0: none */
    int64_t     alive_ns, status_ns; /* steady: when the next ones are due */
    struct out  out;
};

static void send_out(struct supervisor *s, struct notify_time now)
{
    if (!s->out.cut)
        feed_put(&s->feed, s->out.text, s->out.n);
    feed_flush(&s->feed, now.steady_ns);
}

static void put_sentence_of(struct supervisor *s, const char *sentence)
{
    if (sentence == NULL)
        return;
    out_text(&s->out, "STATUS=");
    out_plain(&s->out, sentence);
    out_text(&s->out, "\n");
}

static void tell_state(struct sink *sink, struct notify_time now, enum notify_state state, const char *sentence)
{
    struct supervisor *s = (struct supervisor *)sink;

    out_reset(&s->out);
    if (state == NOTIFY_READY)
        out_text(&s->out, "READY=1\n");
    else if (state == NOTIFY_STOPPING)
        out_text(&s->out, "STOPPING=1\n");
    else
        out_format(&s->out, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", now.steady_ns / 1000);
    put_sentence_of(s, sentence);
    send_out(s, now);
}

/* Only a tick with new counters is a sign of life: it shows that the run goes on. */
static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *v)
{
    struct supervisor *s = (struct supervisor *)sink;

    if (v == NULL)
        return;
    out_reset(&s->out);
    if (s->watchdog_ns != 0 && now.steady_ns >= s->alive_ns) {
        out_text(&s->out, "WATCHDOG=1\n");
        s->alive_ns = now.steady_ns + s->watchdog_ns / 3;
    }
    if (now.steady_ns >= s->status_ns) {
        out_text(&s->out, "STATUS=");
        put_status(&s->out, v);
        out_text(&s->out, "\n");
        s->status_ns = now.steady_ns + STATUS_NS;
    }
    if (s->out.n > 0)
        send_out(s, now);
}

static void drop(struct sink *sink)
{
    struct supervisor *s = (struct supervisor *)sink;

    feed_close(&s->feed);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "supervisor", .state = tell_state, .tick = tick, .free = drop};

int notify_add_supervisor(struct notifier *n, const char *path, int64_t watchdog_ns, struct err *reterr)
{
    struct supervisor *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->watchdog_ns = watchdog_ns;
    int rc = feed_open_datagrams(&s->feed, path, 16384, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
