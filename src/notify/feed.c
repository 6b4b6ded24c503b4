/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_NS INT64_C(1000000000)

/* --- opening -------------------------------------------------------------------------------------------------------- */

int unix_address(const char *path, struct sockaddr_un *ret, struct err *reterr)
{
    size_t len = strlen(path);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof(ret->sun_path))
        return err_set(reterr, -ENAMETOOLONG, "%s: a socket's path has 1 to %zu bytes", path, sizeof(ret->sun_path) - 1);
    memcpy(ret->sun_path, path, len);
    if (path[0] == '@')
        ret->sun_path[0] = '\0';
    return (int)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '@' ? 0 : 1));
}

static int allocate(struct feed *f, size_t size, struct err *reterr)
{
    f->bytes = malloc(size);
    f->size = size;
    return f->bytes == NULL ? err_set(reterr, -ENOMEM, "no memory") : 0;
}

/* Connects, or tries to; -errno. */
static int connect_to(struct feed *f, struct err *reterr)
{
    struct sockaddr_un address;
    int                len = unix_address(f->path, &address, reterr);

    if (len < 0)
        return len;
    int fd = socket(AF_UNIX, (f->datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(reterr, -errno, "%s: no socket: %s", f->path, strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)len) != 0) {
        int rc = err_set(reterr, -errno, "%s: %s", f->path, strerror(errno));
        close(fd);
        return rc;
    }
    f->fd = fd;
    return 0;
}

static int open_socket(struct feed *f, const char *path, struct err *reterr)
{
    f->path = strdup(path);
    if (f->path == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    int rc = connect_to(f, reterr);
    if (rc == -EPROTOTYPE) { /* the other type of socket */
        f->datagrams = !f->datagrams;
        rc = connect_to(f, reterr);
    }
    return rc;
}

static int open_file(struct feed *f, const char *path, bool is_fifo, struct err *reterr)
{
    /* A FIFO opened for reading too does not fail where nobody reads yet. */
    int mode = is_fifo ? O_RDWR : O_WRONLY | O_APPEND | O_CREAT;

    f->fd = open(path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    return f->fd < 0 ? err_set(reterr, -errno, "%s: cannot be opened for writing: %s", path, strerror(errno)) : 0;
}

int feed_over(struct feed *f, int fd, size_t size, struct err *reterr)
{
    *f = (struct feed){.fd = fd, .borrowed = true};
    return allocate(f, size, reterr);
}

int feed_over_terminal(struct feed *f, int fd, size_t size, struct err *reterr)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = isatty(fd) ? open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    int rc = feed_over(f, own >= 0 ? own : fd, size, reterr);
    f->borrowed = own < 0;
    return rc;
}

int feed_open(struct feed *f, const char *target, size_t size, struct err *reterr)
{
    struct stat st;

    *f = (struct feed){.fd = -1};
    int rc = allocate(f, size, reterr);
    if (rc != 0)
        return rc;
    if (strcmp(target, "-") == 0) {
        f->fd = STDOUT_FILENO;
        f->borrowed = true;
    } else if (strncmp(target, "unix:", 5) == 0) {
        rc = open_socket(f, target + 5, reterr);
    } else if (stat(target, &st) == 0 && S_ISSOCK(st.st_mode)) {
        rc = open_socket(f, target, reterr);
    } else {
        rc = open_file(f, target, stat(target, &st) == 0 && S_ISFIFO(st.st_mode), reterr);
    }
    if (rc != 0)
        feed_close(f);
    return rc;
}

int feed_open_datagrams(struct feed *f, const char *path, size_t size, struct err *reterr)
{
    *f = (struct feed){.fd = -1, .datagrams = true};
    int rc = allocate(f, size, reterr);
    if (rc == 0)
        rc = open_socket(f, path, reterr);
    if (rc != 0)
        feed_close(f);
    return rc;
}

void feed_close(struct feed *f)
{
    if (f->fd >= 0 && f->n > 0)
        feed_flush(f, 0);
    if (f->fd >= 0 && !f->borrowed)
        close(f->fd);
    free(f->path);
    free(f->bytes);
    *f = (struct feed){.fd = -1};
}

/* --- the queue ------------------------------------------------------------------------------------------------------- */

bool feed_put(struct feed *f, const char *bytes, size_t n)
{
    uint32_t len = (uint32_t)n;

    if (n == 0 || n > f->size || f->n + sizeof(len) + n > f->size)
        return false;
    memcpy(f->bytes + f->n, &len, sizeof(len));
    memcpy(f->bytes + f->n + sizeof(len), bytes, n);
    f->n += sizeof(len) + n;
    return true;
}

/* At most what goes without waiting; the bytes that went, or -errno (-EAGAIN: none now). */
static ssize_t send_now(struct feed *f, const char *bytes, size_t n)
{
    ssize_t sent = send(f->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && errno == ENOTSOCK) {
        struct pollfd p = {.fd = f->fd, .events = POLLOUT};
        /* A pipe that is ready takes PIPE_BUF bytes without waiting, whether or not it is in non-blocking mode. */
        if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
            return -EAGAIN;
        sent = write(f->fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
    }
    return sent >= 0 ? sent : -errno;
}

static bool reconnect(struct feed *f, int64_t now)
{
    if (f->fd >= 0)
        return true;
    if (f->path == NULL || now < f->retry_ns)
        return false;
    f->retry_ns = now + RETRY_NS;
    f->done = 0;
    return connect_to(f, NULL) == 0;
}

static bool is_gone(int error)
{
    return error == -EPIPE || error == -ECONNRESET || error == -ECONNREFUSED || error == -ENOTCONN || error == -EBADF;
}

static void disconnect(struct feed *f, int64_t now)
{
    if (f->path == NULL)
        return; /* a pipe without a reader: the queue fills, and what follows is counted as lost */
    close(f->fd);
    f->fd = -1;
    f->retry_ns = now + RETRY_NS / 10;
}

size_t feed_flush(struct feed *f, int64_t now)
{
    size_t at = 0, lost = 0;

    while (at < f->n && reconnect(f, now)) {
        uint32_t len;
        memcpy(&len, f->bytes + at, sizeof(len));
        ssize_t sent = send_now(f, f->bytes + at + sizeof(len) + f->done, len - f->done);
        if (sent == -EINTR)
            continue;
        if (sent < 0 && is_gone((int)sent))
            disconnect(f, now);
        if (sent < 0 && sent != -EMSGSIZE)
            break;
        lost += sent == -EMSGSIZE;
        f->done = sent == -EMSGSIZE || f->datagrams ? len : f->done + (size_t)sent;
        if (f->done < len)
            continue;
        f->done = 0;
        at += sizeof(len) + len;
    }
    memmove(f->bytes, f->bytes + at, f->n - at);
    f->n -= at;
    return lost;
}

size_t feed_end(struct feed *f, int64_t now)
{
    size_t   lost = feed_flush(f, now);
    uint32_t len;

    for (size_t at = 0; at < f->n; at += sizeof(len) + len) {
        memcpy(&len, f->bytes + at, sizeof(len));
        lost++;
    }
    f->n = f->done = 0;
    return lost;
}
