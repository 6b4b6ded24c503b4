/* SPDX-License-Identifier: Apache-2.0 */
/* A command for each alert, which gets the finding as JSON on its standard input; a helper process runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feed.h"
#include "hook.h"

#define MINUTE_NS INT64_C(60000000000)

struct hook {
    struct sink        sink;
    struct feed        feed; /* to the helper */
    struct out         out;
    char              *command;
    struct hook_counts counts;
    uint64_t           bad_told;    /* failures and time-outs, as last told ... */
    int64_t            bad_told_ns; /* ... and when (steady) */
    bool               is_gone;     /* the helper, and that was told */
};

static void tell_alert(struct sink *sink, const struct alert *a)
{
    struct hook *s = (struct hook *)sink;

    out_reset(&s->out);
    put_ecs_alert(&s->out, notifier_about(sink->owner), a);
    out_text(&s->out, "\n");
    if (!s->out.cut && !s->is_gone && feed_put(&s->feed, s->out.text, s->out.n))
        sink->told++;
    else
        sink->lost++;
    sink->lost += feed_flush(&s->feed, a->now.steady_ns);
}

static void tell_failures(struct hook *s, struct notify_time now)
{
    const struct hook_counts *c = &s->counts;
    uint64_t                  bad = c->failed + c->timed_out;
    char                      sentence[512];

    if (bad == s->bad_told || (s->bad_told != 0 && now.steady_ns - s->bad_told_ns < MINUTE_NS))
        return;
    s->bad_told = bad;
    s->bad_told_ns = now.steady_ns;
    int status = c->last_status, n = snprintf(sentence, sizeof(sentence), "%.200s: of %llu runs %llu failed and %llu took too long", s->command,
                                              (unsigned long long)c->started, (unsigned long long)c->failed, (unsigned long long)c->timed_out);
    if (c->failed > 0 && WIFSIGNALED(status))
        snprintf(sentence + n, sizeof(sentence) - (size_t)n, "; the last that failed was killed by signal %d", WTERMSIG(status));
    else if (c->failed > 0)
        snprintf(sentence + n, sizeof(sentence) - (size_t)n, "; the last that failed had status %d%s", WEXITSTATUS(status),
                 WEXITSTATUS(status) == 127 ? " (it could not be started)" : "");
    notify_message(s->sink.owner, now, NOTIFY_WARNING, sentence);
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct hook       *s = (struct hook *)sink;
    struct hook_counts counts;
    ssize_t            n;

    (void)vitals;
    if (s->is_gone)
        return;
    while ((n = recv(s->feed.fd, &counts, sizeof(counts), MSG_DONTWAIT)) == (ssize_t)sizeof(counts))
        s->counts = counts;
    if (n == 0) {
        s->is_gone = true;
        notify_message(sink->owner, now, NOTIFY_ERROR, "the process that runs the hook is gone; findings no longer reach the hook");
        return;
    }
    sink->lost += feed_flush(&s->feed, now.steady_ns);
    tell_failures(s, now);
}

static void add_counts(const struct sink *sink, struct hook_counts *sum)
{
    const struct hook_counts *c = &((const struct hook *)sink)->counts;

    sum->succeeded += c->succeeded;
    sum->failed += c->failed;
    sum->timed_out += c->timed_out;
}

static void end(struct sink *sink, struct notify_time now)
{
    sink->lost += feed_end(&((struct hook *)sink)->feed, now.steady_ns);
}

static void drop(struct sink *sink)
{
    struct hook *s = (struct hook *)sink;

    feed_close(&s->feed); /* the helper ends when it has served what it got */
    out_free(&s->out);
    free(s->command);
    free(s);
}

static const struct sink_ops ops = {.name = "hook", .alert = tell_alert, .tick = tick, .end = end, .hook = add_counts, .free = drop};

/* The helper becomes init's child at once: nobody needs to wait for it. */
static int fork_helper(int fd, const struct notify_hook *hook, struct err *reterr)
{
    int   status;
    pid_t pid = fork();

    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            hook_serve(fd, hook);
        _exit(pid < 0);
    }
    if (pid < 0)
        return err_set(reterr, -errno, "no process for the hook: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(reterr, -errno, "no process for the hook: %s", strerror(errno));
    return status == 0 ? 0 : err_set(reterr, -EAGAIN, "no process for the hook");
}

static int begin(struct hook *s, const struct notify_hook *hook, struct err *reterr)
{
    int pair[2];

    if (hook->argv == NULL || hook->argv[0] == NULL || strchr(hook->argv[0], '/') == NULL)
        return err_set(reterr, -EINVAL, "the hook's command is to be named by its path, with a '/'");
    if (access(hook->argv[0], X_OK) != 0)
        return err_set(reterr, -errno, "%s: cannot be run: %s", hook->argv[0], strerror(errno));
    s->command = strdup(hook->argv[0]);
    if (s->command == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(reterr, -errno, "no socket for the hook: %s", strerror(errno));
    int rc = fork_helper(pair[1], hook, reterr);
    close(pair[1]);
    if (rc == 0)
        rc = feed_over(&s->feed, pair[0], FEED_SIZE, reterr);
    if (rc != 0) {
        close(pair[0]);
        return rc;
    }
    s->feed.borrowed = false;
    s->feed.datagrams = true;
    return 0;
}

int notify_add_hook(struct notifier *n, const struct notify_hook *hook, struct err *reterr)
{
    struct hook *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->feed.fd = -1;
    int rc = begin(s, hook, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
