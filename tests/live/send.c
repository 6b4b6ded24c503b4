/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the packets of a capture to an interface of a test's network namespace, over and over, at a rate.
 *
 * usage: live_send IFACE CAPTURE COUNT RATE     (RATE packets a second; 0: as fast as it goes)
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

int main(int argc, char **argv)
{
    static struct kept frames[MOST];
    struct mmsghdr     m[BATCH];
    struct iovec       v[BATCH];

    if (argc != 5)
        return 2;
    size_t   n = load(argv[2], frames), at = 0;
    uint64_t count = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10), sent = 0;
    int      fd = open_socket(argv[1]);
    int64_t  begun = now_ns();

    while (n > 0 && sent < count) {
        unsigned k = 0;

        for (; k < BATCH && sent + k < count; k++, at = (at + 1) % n) {
            v[k] = (struct iovec){frames[at].data, frames[at].len};
            m[k] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[k], .msg_iovlen = 1}};
        }
        send_all(fd, m, k);
        sent += k;
        int64_t ahead = rate == 0 ? 0 : (int64_t)(sent * 1000000000 / rate) - (now_ns() - begun);
        if (ahead > 200000)
            usleep((useconds_t)(ahead / 1000));
    }
    printf("%llu\n", (unsigned long long)sent);
    fprintf(stderr, "%.0f a second\n", (double)sent * 1e9 / (double)(now_ns() - begun + 1));
    return 0;
}
