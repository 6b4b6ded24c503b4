/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper process: it was forked before the run gave up its rights, and is the one that may start programs.  It reads findings
 * from a socket and runs the command for each, without a shell, a few at a time and each for a limited time.  Being a program of its
 * own, it looks at the clock itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hook.h"

#define GRACE_NS INT64_C(2000000000) /* between the signal that asks and the one that does not */

struct command {
    pid_t   pid; /* 0: free */
    int64_t deadline_ns;
    bool    was_asked; /* to end: its time is over */
};

struct helper {
    const struct notify_hook *hook;
    int                       requests, signals;
    struct command            running[HOOK_MAX_RUNNING];
    unsigned                  n_running, most;
    int64_t                   limit_ns;
    int64_t                   over_ns; /* the run is over: what waits is served until then; 0: it is not */
    struct hook_counts        counts;
    char                      buf[HOOK_REQUEST_SIZE];
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void tell_counts(struct helper *h)
{
    send(h->requests, &h->counts, sizeof(h->counts), MSG_DONTWAIT | MSG_NOSIGNAL); /* they are sums: the next message makes up for one that is lost */
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static int open_input(const char *text, size_t n)
{
    int fd = memfd_create("finding", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (write(fd, text, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

static void become_command(const struct notify_hook *hook, int input)
{
    char     path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
    char    *environment[] = {path, lang, NULL};
    sigset_t none;
    int      sink = open("/dev/null", O_RDWR | O_CLOEXEC);

    setpgid(0, 0);
    for (int s = 1; s < NSIG; s++) /* what the helper ignores would be ignored by the command too */
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (sink < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(sink, STDOUT_FILENO) < 0 || (hook->silent && dup2(sink, STDERR_FILENO) < 0))
        _exit(126);
    execve(hook->argv[0], (char *const *)(uintptr_t)hook->argv, environment);
    _exit(127);
}

static void start(struct helper *h, const char *text, size_t n)
{
    struct command *c = h->running;
    int             input = open_input(text, n);
    pid_t           pid = input >= 0 ? fork() : -1;

    if (pid == 0)
        become_command(h->hook, input);
    if (input >= 0)
        close(input);
    h->counts.started++;
    if (pid < 0) {
        h->counts.failed++;
        h->counts.last_status = 126 << 8;
        return;
    }
    setpgid(pid, pid); /* whoever comes first */
    while (c->pid != 0)
        c++;
    *c = (struct command){.pid = pid, .deadline_ns = now_ns() + h->limit_ns};
    h->n_running++;
}

static void note_end(struct helper *h, struct command *c, int status)
{
    if (c->was_asked)
        h->counts.timed_out++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        h->counts.succeeded++;
    else {
        h->counts.failed++;
        h->counts.last_status = status;
    }
    c->pid = 0;
    h->n_running--;
}

static void reap(struct helper *h)
{
    int status;

    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (unsigned i = 0; i < h->most; i++)
            if (h->running[i].pid == pid)
                note_end(h, &h->running[i], status);
}

/* Ends what has run too long, with all that it started.  Milliseconds until the next such moment; -1: none. */
static int enforce_limits(struct helper *h)
{
    int64_t now = now_ns(), next = INT64_MAX;

    for (unsigned i = 0; i < h->most; i++) {
        struct command *c = &h->running[i];
        if (c->pid == 0)
            continue;
        if (now >= c->deadline_ns) {
            kill(-c->pid, c->was_asked ? SIGKILL : SIGTERM);
            c->was_asked = true;
            c->deadline_ns = now + GRACE_NS;
        }
        if (c->deadline_ns < next)
            next = c->deadline_ns;
    }
    return next == INT64_MAX ? -1 : (int)((next - now) / 1000000) + 1;
}

/* --- the helper ------------------------------------------------------------------------------------------------------- */

/* False: nobody asks any more, or what is left has waited too long since the end of the run. */
static bool take_request(struct helper *h, bool is_over)
{
    if (is_over && h->over_ns == 0)
        h->over_ns = now_ns() + h->limit_ns;
    if (is_over && now_ns() >= h->over_ns)
        return false;
    ssize_t n = recv(h->requests, h->buf, sizeof(h->buf), MSG_DONTWAIT);

    if (n > 0)
        start(h, h->buf, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void serve(struct helper *h)
{
    bool is_open = true;

    while (is_open || h->n_running > 0) {
        int           wait = enforce_limits(h);
        bool          listens = is_open && h->n_running < h->most;
        struct pollfd p[2] = {{.fd = h->signals, .events = POLLIN}, {.fd = listens ? h->requests : -1, .events = POLLIN}};

        if (poll(p, 2, wait) < 0 && errno != EINTR)
            return;
        struct hook_counts before = h->counts;
        struct signalfd_siginfo info;
        while (read(h->signals, &info, sizeof(info)) > 0)
            ;
        reap(h);
        if (p[1].revents != 0)
            is_open = take_request(h, (p[1].revents & POLLHUP) != 0);
        if (memcmp(&before, &h->counts, sizeof(before)) != 0)
            tell_counts(h);
    }
}

/* Rights, descriptors and signals of the run are not for the command. */
static bool shed(struct helper *h, const struct notify_hook *hook)
{
    sigset_t set;

    prctl(PR_SET_NAME, "flowaudit-hook");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (hook->drops && (setgroups(0, NULL) != 0 || setresgid(hook->gid, hook->gid, hook->gid) != 0 || setresuid(hook->uid, hook->uid, hook->uid) != 0))
        return false;
    if (dup2(h->requests, 3) < 0 || close_range(4, ~0U, 0) != 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
        return false;
    h->requests = 3;
    int sink = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (sink < 0 || dup2(sink, STDIN_FILENO) < 0 || dup2(sink, STDOUT_FILENO) < 0)
        return false;
    close(sink);
    for (int s = 1; s < NSIG; s++)
        signal(s, s == SIGINT || s == SIGQUIT || s == SIGHUP || s == SIGPIPE || s == SIGUSR1 || s == SIGTSTP ? SIG_IGN : SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return h->signals >= 0;
}

void hook_serve(int fd, const struct notify_hook *hook)
{
    struct helper *h = calloc(1, sizeof(*h));

    if (h == NULL)
        _exit(1);
    h->hook = hook;
    h->requests = fd;
    h->most = hook->most != 0 && hook->most <= HOOK_MAX_RUNNING ? hook->most : 4;
    h->limit_ns = hook->limit_ns != 0 ? hook->limit_ns : INT64_C(30000000000);
    if (!shed(h, hook))
        _exit(1);
    serve(h);
    _exit(0);
}
