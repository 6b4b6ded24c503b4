/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics over HTTP, on a loopback address or a Unix socket; libmicrohttpd speaks the protocol, without a thread of its own. */
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "feed.h"
#include "private.h"

#define METRICS_LIMIT 1048576
#define CONTENT_TYPE  "text/plain; version=0.0.4; charset=utf-8"
#define TIMEOUT_S     10u
#define CONNECTIONS   16u

struct http {
    struct sink        sink;
    struct MHD_Daemon *daemon;
    int                fd;   /* listens; the daemon's once it runs */
    char              *path; /* of the Unix socket, or NULL */
    struct out         out;  /* the metrics of the last tick */
};

/* --- answering ------------------------------------------------------------------------------------------------------ */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, const char *text, size_t n)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result on_request(void *aux, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    static char  seen;
    struct http *s = aux;

    (void)version;
    (void)upload;
    if (*state == NULL) { /* the head has come; the body, if any, follows, and is not wanted */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (strcmp(url, "/") == 0)
        return answer_text(c, MHD_HTTP_OK, "flowaudit: the metrics are at /metrics\n");
    if (strcmp(url, "/metrics") != 0)
        return answer_text(c, MHD_HTTP_NOT_FOUND, "not found; the metrics are at /metrics\n");
    if (s->out.n == 0 || s->out.cut)
        return answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "nothing is known yet\n");
    return answer(c, MHD_HTTP_OK, CONTENT_TYPE, s->out.text, s->out.n);
}

/* --- the sink ---------------------------------------------------------------------------------------------------------- */

static void serve(struct http *s)
{
    MHD_UNSIGNED_LONG_LONG wait;

    for (unsigned i = 0; i < 8; i++)
        if (MHD_run(s->daemon) != MHD_YES || MHD_get_timeout(s->daemon, &wait) != MHD_YES || wait > 0)
            return;
}

static void tick(struct sink *sink, struct notify_time now, const struct notify_vitals *vitals)
{
    struct http *s = (struct http *)sink;

    (void)now;
    if (vitals != NULL) {
        out_reset(&s->out);
        put_metrics(&s->out, sink->owner, vitals);
    }
    serve(s);
}

static int watched(const struct sink *sink)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(((const struct http *)sink)->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return info != NULL ? info->epoll_fd : -1;
}

static void drop(struct sink *sink)
{
    struct http *s = (struct http *)sink;

    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    else if (s->fd >= 0)
        close(s->fd);
    if (s->path != NULL)
        unlink(s->path);
    free(s->path);
    out_free(&s->out);
    free(s);
}

static const struct sink_ops ops = {.name = "metrics-http", .tick = tick, .fd = watched, .free = drop};

/* --- opening --------------------------------------------------------------------------------------------------------------- */

static int listen_at(struct http *s, const struct sockaddr *address, socklen_t len, const char *where, struct err *reterr)
{
    int on = 1;

    s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return err_set(reterr, -errno, "%s: no socket: %s", where, strerror(errno));
    if (address->sa_family != AF_UNIX)
        setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s->fd, address, len) != 0 || listen(s->fd, CONNECTIONS) != 0)
        return err_set(reterr, -errno, "%s: metrics cannot be offered there: %s", where, strerror(errno));
    return 0;
}

/* A socket that an earlier run left behind is taken away; one that somebody listens at is not. */
static int clear_path(const char *path, const struct sockaddr_un *address, int len, struct err *reterr)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return 0;
    int fd = S_ISSOCK(st.st_mode) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd < 0)
        return err_set(reterr, -EEXIST, "%s: is there already, and is no socket", path);
    bool is_dead = connect(fd, (const struct sockaddr *)address, (socklen_t)len) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead)
        return err_set(reterr, -EADDRINUSE, "%s: another program listens there", path);
    unlink(path);
    return 0;
}

static int listen_unix(struct http *s, const char *path, struct err *reterr)
{
    struct sockaddr_un address;
    int                len = unix_address(path, &address, reterr);
    bool               is_file = path[0] != '@';

    if (len < 0)
        return len;
    int rc = is_file ? clear_path(path, &address, len, reterr) : 0;
    if (rc == 0)
        rc = listen_at(s, (struct sockaddr *)&address, (socklen_t)len, path, reterr);
    if (rc != 0 || !is_file)
        return rc;
    s->path = strdup(path);
    if (s->path == NULL || chmod(path, 0660) != 0)
        return err_set(reterr, -ENOMEM, "%s: cannot be prepared", path);
    return 0;
}

/* "ADDRESS:PORT", "[ADDRESS]:PORT" or "PORT", cut in two. */
static int cut_address(const char *text, struct addr *ret, uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':'), *digits = colon != NULL ? colon + 1 : text;
    char        host[64] = "127.0.0.1", *end;
    size_t      len = colon != NULL ? (size_t)(colon - text) : 0;
    bool        bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (len >= sizeof(host))
        return -EINVAL;
    if (bracketed)
        memcpy(host, text + 1, len -= 2);
    else
        memcpy(host, text, len);
    if (len > 0)
        host[len] = '\0';
    unsigned long port = strtoul(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end != '\0' || port == 0 || port > 65535 || addr_parse(host, ret) != 0)
        return -EINVAL;
    if (!addr_is_ipv4(ret) && !bracketed)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

static int listen_loopback(struct http *s, const char *text, struct err *reterr)
{
    struct addr          a;
    uint16_t             port;
    struct sockaddr_in   four = {.sin_family = AF_INET};
    struct sockaddr_in6  six = {.sin6_family = AF_INET6};

    if (cut_address(text, &a, &port) != 0)
        return err_set(reterr, -EINVAL, "%s: an address and port such as 127.0.0.1:9464 or [::1]:9464 is wanted, or unix:PATH", text);
    four.sin_port = six.sin6_port = htons(port);
    memcpy(&four.sin_addr, a.bytes + 12, 4);
    memcpy(&six.sin6_addr, a.bytes, 16);
    if (addr_is_ipv4(&a) && a.bytes[12] == 127)
        return listen_at(s, (struct sockaddr *)&four, sizeof(four), text, reterr);
    if (!addr_is_ipv4(&a) && IN6_IS_ADDR_LOOPBACK(&six.sin6_addr))
        return listen_at(s, (struct sockaddr *)&six, sizeof(six), text, reterr);
    return err_set(reterr, -EINVAL, "%s: metrics are offered on loopback addresses only (127.0.0.1, [::1]) or a Unix socket", text);
}

static void say_nothing(void *aux, const char *fmt, va_list args)
{
    (void)aux;
    (void)fmt;
    (void)args;
}

static int begin(struct http *s, const char *where, struct err *reterr)
{
    int rc = strncmp(where, "unix:", 5) == 0 ? listen_unix(s, where + 5, reterr) : listen_loopback(s, where, reterr);

    if (rc != 0)
        return rc;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
                                 MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                                 MHD_OPTION_END);
    return s->daemon != NULL ? 0 : err_set(reterr, -EIO, "%s: the HTTP library does not start", where);
}

int notify_add_metrics_http(struct notifier *n, const char *where, struct err *reterr)
{
    struct http *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    s->sink.ops = &ops;
    s->fd = -1;
    s->out.limit = METRICS_LIMIT;
    int rc = begin(s, where, reterr);
    if (rc != 0) {
        drop(&s->sink);
        return rc;
    }
    return notifier_add(n, &s->sink, reterr);
}
