/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics for the node exporter's textfile collector: a file that is always whole, and gone when the run is over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define USUAL_INTERVAL_NS INT64_C(15000000000)
#define METRICS_LIMIT     1048576

struct textfile {
    struct sink sink;
    char       *path, *temporary;
    int64_t     interval_ns, next_ns;
    bool        failing; /* told already */
    struct out  out;
};

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int open_temporary(const struct textfile *s)
{
    int fd = open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    return fd < 0 ? -errno : fd;
}

static int publish(struct textfile *s)
{
    int fd = open_temporary(s), rc;

    if (fd < 0)
        return fd;
    rc = write_all(fd, s->out.text, s->out.n);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(s->temporary, s->path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(s->temporary);
    return rc;
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct textfile *s = (struct textfile *)sink;
    char             sentence[4400];

    if (vitals == NULL || now.steady_ns < s->next_ns)
        return;
    s->next_ns = now.steady_ns + s->interval_ns;
    out_reset(&s->out);
    put_metrics(&s->out, sink->owner, vitals);
    int rc = s->out.cut ? -ENOMEM : publish(s);
    if (rc != 0 && !s->failing) {
        snprintf(sentence, sizeof(sentence), "%s: the metrics cannot be written: %s", s->path, strerror(-rc));
        notify_message(sink->owner, now, NOTIFY_WARNING, sentence);
    }
    s->failing = rc != 0;
}

static void drop(struct sink *sink)
{
    struct textfile *s = (struct textfile *)sink;

    if (s->next_ns != 0)
        unlink(s->path);
    free(s->path);
    free(s->temporary);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "metrics-file", .tick = tick, .free = drop};

int notify_add_metrics_file(struct notifier *n, const char *path, int64_t interval_ns, struct err *reterr)
{
    struct textfile *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->out.limit = METRICS_LIMIT;
    s->interval_ns = interval_ns != 0 ? interval_ns : USUAL_INTERVAL_NS;
    s->path = strdup(path);
    if (s->path == NULL || asprintf(&s->temporary, "%s.new", path) < 0) {
        s->temporary = NULL;
        drop(&s->sink);
        return err_set(reterr, -ENOMEM, "no memory");
    }
    int fd = open_temporary(s); /* that it cannot be written is to be known now */
    if (fd < 0) {
        drop(&s->sink);
        return err_set(reterr, fd, "%s: the metrics cannot be written beside it: %s", path, strerror(-fd));
    }
    close(fd);
    unlink(s->temporary);
    return notifier_add(n, &s->sink, reterr);
}
