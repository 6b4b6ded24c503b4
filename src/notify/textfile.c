/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics for the node exporter's textfile collector: a file that is always whole, and gone when the run is over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define USUAL_INTERVAL_NS INT64_C(15000000000)
#define METRICS_LIMIT     1048576
#define PATTERN           "XXXXXX"

struct textfile {
    struct sink sink;
    char       *path, *temporary; /* the second as mkostemp(3) wants it */
    int64_t     interval_ns, next_ns;
    bool        failing;   /* told already */
    bool        published; /* what is at 'path' is ours */
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

/* A new file beside the path; nothing that is there already is touched. */
static int open_temporary(struct textfile *s)
{
    memset(s->temporary + strlen(s->temporary) - strlen(PATTERN), 'X', strlen(PATTERN));
    int fd = mkostemp(s->temporary, O_CLOEXEC);

    if (fd < 0 || fchmod(fd, 0644) == 0) /* the collector is another user */
        return fd < 0 ? -errno : fd;
    int rc = -errno;
    close(fd);
    unlink(s->temporary);
    return rc;
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
    s->published = s->published || rc == 0;
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

    if (s->published)
        unlink(s->path);
    free(s->path);
    free(s->temporary);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "metrics-file", .tick = tick, .free = drop};

/* A file of this name is taken away at the end: so it has to be one that an earlier run left behind. */
static int check_earlier(const char *path, struct err *reterr)
{
    static const char beginning[] = "# HELP flowaudit_";
    char              have[sizeof(beginning)] = "";
    struct stat       st;

    if (lstat(path, &st) != 0)
        return 0;
    int     fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    ssize_t n = fd >= 0 ? read(fd, have, sizeof(beginning) - 1) : -1;
    if (fd >= 0)
        close(fd);
    return n == 0 || (n > 0 && strcmp(have, beginning) == 0)
               ? 0
               : err_set(reterr, -EEXIST, "%s: is there already, and is no file of metrics of this program: another name is wanted", path);
}

static int begin(struct textfile *s, const char *path, struct err *reterr)
{
    s->path = strdup(path);
    if (s->path == NULL || asprintf(&s->temporary, "%s." PATTERN, path) < 0) {
        s->temporary = NULL;
        return err_set(reterr, -ENOMEM, "no memory");
    }
    int rc = check_earlier(path, reterr), fd = rc == 0 ? open_temporary(s) : rc; /* that it cannot be written is to be known now */
    if (rc != 0)
        return rc;
    if (fd < 0)
        return err_set(reterr, fd, "%s: the metrics cannot be written beside it: %s", path, strerror(-fd));
    close(fd);
    unlink(s->temporary);
    return 0;
}

int notify_add_metrics_file(struct notifier *n, const char *path, int64_t interval_ns, struct err *reterr)
{
    struct textfile *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->out.limit = METRICS_LIMIT;
    s->interval_ns = interval_ns != 0 ? interval_ns : USUAL_INTERVAL_NS;
    int rc = begin(s, path, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
