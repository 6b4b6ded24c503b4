/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the packets of a capture to an interface of a test's network namespace, over and over, at a rate.
 *
 * usage: live_send IFACE CAPTURE COUNT RATE [xdp]   (RATE packets a second; 0: as fast as it goes; xdp: without a socket, see xdp.c)
 * Prints how many were sent, and on standard error how many a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flowaudit/capture.h"
#include "xdp.h"

#define BATCH 64
#define MOST 10000000 /* frames kept in memory */

struct kept { uint8_t *data; uint32_t len; };

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "live_send: %s: %s\n", what, strerror(errno));
    exit(2);
}

static size_t load(const char *path, struct kept *ret)
{
    struct capture_options o = {.no_digest = true};
    struct capture        *c;
    struct err             err = {0};
    struct frame           frames[BATCH];
    size_t                 n = 0;
    int                    got;

    if (capture_open_file(path, &o, &c, &err) != 0) {
        fprintf(stderr, "live_send: %s\n", err.msg);
        exit(2);
    }
    while (n + BATCH <= MOST && (got = capture_next_batch(c, frames, BATCH, &err)) > 0)
        for (int i = 0; i < got; i++) {
            ret[n] = (struct kept){malloc(frames[i].caplen), frames[i].caplen};
            if (ret[n].data == NULL)
                die("memory");
            memcpy(ret[n++].data, frames[i].data, frames[i].caplen);
        }
    capture_free(c);
    return n;
}

static int open_socket(const char *iface)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(iface)};
    int                fd = socket(AF_PACKET, SOCK_RAW, 0), size = 8 << 20, one = 1;

    if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        die(iface);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
    return fd;
}

/* All of the batch, whatever the kernel takes at once. */
static void send_all(int fd, struct mmsghdr *m, unsigned n)
{
    for (unsigned done = 0; done < n;) {
        int sent = sendmmsg(fd, m + done, n - done, 0);

        if (sent > 0)
            done += (unsigned)sent;
        else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
            usleep(100);
        else
            die("send");
    }
}

/* Packets of the capture, over and over: as many as a call takes, of those from 'at'. */
static unsigned send_some(int fd, const struct kept *frames, size_t n, size_t at, uint64_t most)
{
    struct mmsghdr m[BATCH];
    struct iovec   v[BATCH];
    unsigned       k = 0;

    for (; k < BATCH && k < most; k++, at = (at + 1) % n) {
        v[k] = (struct iovec){frames[at].data, frames[at].len};
        m[k] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[k], .msg_iovlen = 1}};
    }
    send_all(fd, m, k);
    return k;
}

static unsigned send_some_frames(struct xdp_sender *xdp, const struct kept *frames, size_t n, size_t at, uint64_t most)
{
    unsigned k = 0;

    for (; k < XDP_BATCH && k < most; k++, at = (at + 1) % n)
        xdp_put(xdp, k, frames[at].data, frames[at].len);
    xdp_send(xdp, k);
    return k;
}

int main(int argc, char **argv)
{
    static struct kept frames[MOST];

    if (argc != 5 && (argc != 6 || strcmp(argv[5], "xdp") != 0))
        return 2;
    size_t             n = load(argv[2], frames), at = 0;
    uint64_t           count = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10), sent = 0;
    struct xdp_sender *xdp = argc == 6 ? xdp_open(argv[1]) : NULL;
    int                fd = xdp == NULL ? open_socket(argv[1]) : -1;
    int64_t            begun = now_ns();

    while (n > 0 && sent < count) {
        unsigned k = xdp != NULL ? send_some_frames(xdp, frames, n, at, count - sent) : send_some(fd, frames, n, at, count - sent);

        at = (at + k) % n;
        sent += k;
        int64_t ahead = rate == 0 ? 0 : (int64_t)(sent * 1000000000 / rate) - (now_ns() - begun);
        if (ahead > 200000)
            usleep((useconds_t)(ahead / 1000));
    }
    printf("%llu\n", (unsigned long long)sent);
    fprintf(stderr, "%.0f a second\n", (double)sent * 1e9 / (double)(now_ns() - begun + 1));
    return 0;
}
