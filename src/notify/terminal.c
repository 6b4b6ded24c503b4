/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live table on a terminal.  The terminal is put back as it was in any case: by this process at its end, and where it does not
 * come to that (it was killed), by a small process that waits for just this.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "feed.h"
#include "top.h"

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* the other screen, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

struct terminal {
    struct sink    sink;
    struct feed    feed;
    int            in, out;
    struct termios before;
    bool           entered; /* the terminal is ours */
    int            guard;   /* -1: none; closing it without a word makes the guard put the terminal back */
    bool           quit;
    struct top     top;
    struct out     frame;
};

/* --- the terminal itself --------------------------------------------------------------------------------------------- */

/* Waits for the end of the run.  Does not return. */
static void guard_terminal(const struct terminal *s, int pipe_end)
{
    char word;

    prctl(PR_SET_NAME, "flowaudit-tty");
    for (int n = 1; n < NSIG; n++)
        signal(n, SIG_IGN); /* SIGTTOU too: it may be in the background by then */
    int in = dup2(s->in, 0), out = dup2(s->out, 1), end = dup2(pipe_end, 2);
    if (in < 0 || out < 0 || end < 0 || close_range(3, ~0U, 0) != 0)
        _exit(1);
    ssize_t n;
    while ((n = read(end, &word, 1)) < 0 && errno == EINTR)
        ;
    if (n == 0) {
        tcsetattr(in, TCSANOW, &s->before);
        if (write(out, LEAVE, strlen(LEAVE)) < 0)
            _exit(1);
    }
    _exit(0);
}

static int start_guard(struct terminal *s, struct err *reterr)
{
    int pair[2], status = 0;

    if (pipe2(pair, O_CLOEXEC) != 0)
        return err_set(reterr, -errno, "no pipe for the terminal: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        pid = fork();
        if (pid == 0) {
            close(pair[1]);
            guard_terminal(s, pair[0]);
        }
        _exit(pid < 0);
    }
    close(pair[0]);
    s->guard = pair[1];
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && status == 0 ? 0 : err_set(reterr, -EAGAIN, "no process to look after the terminal");
}

static int enter(struct terminal *s, struct err *reterr)
{
    struct termios raw;

    if (tcgetattr(s->in, &s->before) != 0 || !isatty(s->out))
        return err_set(reterr, -ENOTTY, "the live table needs a terminal for its input and output");
    int rc = start_guard(s, reterr);
    if (rc == 0)
        rc = feed_over_terminal(&s->feed, s->out, FEED_SIZE, reterr);
    if (rc != 0)
        return rc;
    raw = s->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ^C still interrupts ... */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* ... but a stopped run would lose packets */
    if (tcsetattr(s->in, TCSADRAIN, &raw) != 0)
        return err_set(reterr, -errno, "the terminal's mode cannot be set: %s", strerror(errno));
    s->entered = true;
    feed_put(&s->feed, ENTER, strlen(ENTER));
    feed_flush(&s->feed, 0);
    return 0;
}

static void leave(struct terminal *s)
{
    if (s->guard < 0)
        return;
    bool is_done = true;
    if (s->entered) {
        feed_put(&s->feed, LEAVE, strlen(LEAVE));
        feed_flush(&s->feed, 0);
        is_done = s->feed.n == 0; /* else the guard can wait for the terminal; we cannot */
        is_done = tcsetattr(s->in, TCSANOW, &s->before) == 0 && is_done;
    }
    ssize_t n = is_done ? write(s->guard, "q", 1) : 0;
    (void)n; /* a guard that is gone has nothing left to do */
    close(s->guard);
}

/* --- the sink ------------------------------------------------------------------------------------------------------------ */

static void draw(struct terminal *s, struct notify_time now)
{
    struct winsize size;
    bool           known = ioctl(s->out, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;

    if (s->feed.n > 0) { /* it has not taken the last screen yet */
        feed_flush(&s->feed, now.steady_ns);
        if (s->feed.n > 0)
            return;
    }
    out_reset(&s->frame);
    top_draw(&s->top, known ? size.ws_row : 24, known ? size.ws_col : 80, &s->frame);
    if (!s->frame.cut)
        feed_put(&s->feed, s->frame.text, s->frame.n);
    feed_flush(&s->feed, now.steady_ns);
}

static void take_key(struct terminal *s, char key)
{
    switch (key) {
    case 'q':
    case 'Q':
        s->quit = true;
        break;
    case 'p':
    case ' ':
        s->top.paused = !s->top.paused;
        break;
    case 's':
        s->top.sort = s->top.sort == NOTIFY_BY_LAST ? NOTIFY_BY_BYTES : s->top.sort + 1;
        top_sort(&s->top);
        break;
    case 'f':
        s->top.show = (s->top.show + 1) % TOP_N_SHOWS;
        break;
    default: /* unknown keys do nothing */
        break;
    }
}

static bool take_keys(struct terminal *s)
{
    char          keys[64];
    struct pollfd p = {.fd = s->in, .events = POLLIN};

    if (poll(&p, 1, 0) != 1)
        return false;
    if ((p.revents & (POLLHUP | POLLERR)) != 0)
        s->quit = true; /* nobody sits there any more */
    ssize_t n = read(s->in, keys, sizeof(keys));

    /* An arrow or a function key is a sequence behind ESC: its letters are no keys. */
    for (ssize_t i = 0; i < n && keys[0] != '\033'; i++)
        take_key(s, keys[i]);
    return n > 0;
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *v)
{
    struct terminal *s = (struct terminal *)sink;
    bool             had_keys = take_keys(s);

    if (v != NULL)
        top_look(&s->top, now, v);
    if (v != NULL || had_keys)
        draw(s, now);
}

static void tell_alert(struct sink *sink, const struct alert *a)
{
    sink->told++;
    top_alert(&((struct terminal *)sink)->top, a);
}

static void tell_message(struct sink *sink, const struct message *m)
{
    sink->told++;
    top_message(&((struct terminal *)sink)->top, m);
}

static int watched(const struct sink *sink)
{
    return ((const struct terminal *)sink)->in;
}

static void wants(const struct sink *sink, struct notify_wish *wish)
{
    const struct terminal *s = (const struct terminal *)sink;

    wish->quit = wish->quit || s->quit;
    wish->sort = s->top.sort;
    wish->n = s->top.paused ? 0 : TOP_MAX_ROWS;
}

static void drop(struct sink *sink)
{
    struct terminal *s = (struct terminal *)sink;

    leave(s);
    feed_close(&s->feed);
    out_free(&s->frame);
    top_clear(&s->top);
    free(s);
}

static const struct sink_ops ops = {
    .name = "terminal", .alert = tell_alert, .message = tell_message, .tick = tick, .fd = watched, .wants = wants, .free = drop};

int notify_add_terminal(struct notifier *n, int in, int out, bool color, struct err *reterr)
{
    struct terminal *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->in = in;
    s->out = out;
    s->guard = s->feed.fd = -1;
    s->frame.limit = FEED_SIZE - 64;
    s->top.color = color;
    int rc = enter(s, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
