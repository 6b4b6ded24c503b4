/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts and messages as lines of JSON, to a file or a Unix socket. */
#include <errno.h>
#include <stdlib.h>

#include "feed.h"
#include "private.h"

struct ndjson {
    struct sink sink;
    struct feed feed;
    struct out  out;
};

static void put_line(struct ndjson *s, int64_t now)
{
    out_text(&s->out, "\n");
    if (!s->out.cut && feed_put(&s->feed, s->out.text, s->out.n))
        s->sink.told++;
    else
        s->sink.lost++;
    s->sink.lost += feed_flush(&s->feed, now);
}

static void tell_alert(struct sink *sink, const struct alert *a)
{
    struct ndjson *s = (struct ndjson *)sink;

    out_reset(&s->out);
    put_ecs_alert(&s->out, notifier_about(sink->owner), a);
    put_line(s, a->now.steady_ns);
}

static void tell_message(struct sink *sink, const struct message *m)
{
    struct ndjson *s = (struct ndjson *)sink;

    out_reset(&s->out);
    put_ecs_message(&s->out, notifier_about(sink->owner), m);
    put_line(s, m->now.steady_ns);
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct ndjson *s = (struct ndjson *)sink;

    (void)vitals;
    sink->lost += feed_flush(&s->feed, now.steady_ns);
}

static void end(struct sink *sink, struct notify_time now)
{
    sink->lost += feed_end(&((struct ndjson *)sink)->feed, now.steady_ns);
}

static void drop(struct sink *sink)
{
    struct ndjson *s = (struct ndjson *)sink;

    feed_close(&s->feed);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "ndjson", .alert = tell_alert, .message = tell_message, .tick = tick, .end = end, .free = drop};

int notify_add_ndjson(struct notifier *n, const char *target, struct err *reterr)
{
    struct ndjson *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    int rc = feed_open(&s->feed, target, FEED_SIZE, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
