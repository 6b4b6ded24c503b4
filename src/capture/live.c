/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/live.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "live-private.h"

#define NS_PER_S 1000000000
#define BATCH 4096       /* packets of one call: the caller has other things to look at */
#define DRAIN_MAX_MS 2000 /* packets that the kernel says it has and does not hand over are not waited for any longer */

static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    struct live *l = (void *)user; /* as it was given to pcap_dispatch() */
    struct live_stats *s = &l->stats;

    if (l->n_to_skip > 0) {
        l->n_to_skip--;
        return;
    }
    struct frame f = {
        .data = data,
        .caplen = header->caplen,
        .wirelen = header->len < header->caplen ? header->caplen : header->len,
        .ts_ns = (int64_t)header->ts.tv_sec * NS_PER_S + header->ts.tv_usec, /* libpcap was asked for nanoseconds */
        .number = ++s->n_seen,
        .linktype = l->linktype,
    };
    if (s->first_ns == 0)
        s->first_ns = f.ts_ns;
    s->last_ns = f.ts_ns;
    if (l->filter != NULL && !filter_matches(l->filter, &f))
        s->n_filtered++;
    else
        l->fn(l->aux, &f);
}

/* Interfaces are known by their index: a name may be given to another one meanwhile. */
static enum live_state look(const struct live *l)
{
    struct ifreq r = {.ifr_ifindex = (int)l->index};

    if (l->index == 0)
        return LIVE_UP;
    if (ioctl(l->fd, SIOCGIFNAME, &r) != 0)
        return errno == ENODEV ? LIVE_GONE : LIVE_UP;
    if (ioctl(l->fd, SIOCGIFFLAGS, &r) != 0)
        return errno == ENODEV ? LIVE_GONE : LIVE_UP;
    return (r.ifr_flags & IFF_UP) != 0 ? LIVE_UP : LIVE_DOWN;
}

/* Waits for a block, a live_break(), a change of the interface or the time-out.  False: the caller is to return. */
static bool wait_for_block(struct live *l, unsigned timeout_ms)
{
    struct pollfd fds[2] = {{.fd = l->fd, .events = POLLIN}, {.fd = l->wake_fd, .events = POLLIN}};
    int error = 0, n = poll(fds, 2, (int)timeout_ms);
    socklen_t size = sizeof(error);
    uint64_t count;

    if (n < 0)
        return false;
    if (fds[1].revents != 0 && read(l->wake_fd, &count, sizeof(count)) > 0)
        return false;
    if (fds[0].revents & ~POLLIN) /* reading the error takes it off, so that the next poll waits */
        getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (n == 0 || error != 0)
        l->state = look(l);
    return true;
}

/* What is in the ring, without waiting. */
static int take(struct live *l, struct err *reterr)
{
    uint64_t before = l->stats.n_seen;
    int n = pcap_dispatch(l->pcap, BATCH, on_packet, (u_char *)l);

    if (n >= 0)
        return (int)(l->stats.n_seen - before);
    l->state = look(l);
    if (l->state != LIVE_UP)
        return (int)(l->stats.n_seen - before);
    return err_set(reterr, -EIO, "%s: %s", l->name, pcap_geterr(l->pcap));
}

int live_dispatch(struct live *l, live_frame_fn *fn, void *aux, struct err *reterr)
{
    l->fn = fn;
    l->aux = aux;
    int n = take(l, reterr);
    if (n != 0)
        return n;
    if (l->state == LIVE_GONE)
        return err_set(reterr, -ENODEV, "%s: the interface is gone", l->name);
    if (!wait_for_block(l, l->timeout_ms))
        return 0;
    n = take(l, reterr);
    if (n != 0)
        return n;
    if (l->state == LIVE_GONE)
        return err_set(reterr, -ENODEV, "%s: the interface is gone", l->name);
    if (l->state == LIVE_DOWN)
        return err_set(reterr, -ENETDOWN, "%s: the interface is down", l->name);
    return 0;
}

int live_shut(struct live *l, struct err *reterr)
{
    struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
    const struct sock_fprog program = {.len = 1, .filter = &nothing};

    if (setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
        return err_set(reterr, -errno, "%s: the kernel does not stop capturing: %s", l->name, strerror(errno));
    return 0;
}

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A block that is not full is handed over at the second tick of the kernel's timer after its last packet. */
int live_drain(struct live *l, live_frame_fn *fn, void *aux, struct err *reterr)
{
    const int64_t begin = monotonic_ms();
    int rc = live_shut(l, reterr), n;

    l->fn = fn;
    l->aux = aux;
    while (rc == 0) {
        n = take(l, reterr);
        if (n < 0)
            return n;
        int64_t waited = monotonic_ms() - begin;
        if (n > 0)
            continue;
        live_count(l);
        if ((waited >= 2 * (int64_t)l->timeout_ms && l->stats.n_unread == 0) || waited >= DRAIN_MAX_MS)
            break;
        poll(NULL, 0, 10);
    }
    if (rc == 0 && l->stats.n_unread > 0)
        return err_set(reterr, -EIO, "%s: %llu packets that the kernel took could not be read", l->name,
                       (unsigned long long)l->stats.n_unread);
    return rc;
}

void live_count(struct live *l)
{
    struct live_stats *s = &l->stats;
    struct tpacket_stats_v3 kernel; /* reading sets them to zero; tp_packets includes tp_drops */
    socklen_t size = sizeof(kernel);

    if (getsockopt(l->fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &size) == 0) {
        s->n_received += kernel.tp_packets;
        s->n_dropped += kernel.tp_drops;
    }
    uint64_t accounted = s->n_seen + s->n_dropped;
    s->n_unread = l->counts_copies ? 0 : s->n_received > accounted ? s->n_received - accounted : 0;
}

static uint64_t interface_drops(const struct live *l)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < 2; i++) {
        char text[32]; /* a 64-bit number and a newline */
        ssize_t n = l->drop_fds[i] >= 0 ? pread(l->drop_fds[i], text, sizeof(text) - 1, 0) : 0;

        text[n > 0 ? n : 0] = '\0';
        sum += strtoull(text, NULL, 10);
    }
    return sum;
}

void live_stats(struct live *l, struct live_stats *ret)
{
    live_count(l);
    l->stats.has_interface_dropped = l->drop_fds[0] >= 0;
    if (l->stats.has_interface_dropped && l->state != LIVE_GONE) {
        uint64_t now = interface_drops(l);
        if (now > l->drops_at_open + l->stats.n_interface_dropped)
            l->stats.n_interface_dropped = now - l->drops_at_open;
    }
    *ret = l->stats;
}

void live_break(struct live *l)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(l->wake_fd, &one, sizeof(one));

    (void)n; /* a full counter wakes too */
    errno = saved;
}

const char *live_name(const struct live *l)
{
    return l->name;
}

uint16_t live_linktype(const struct live *l)
{
    return l->linktype;
}

uint32_t live_snaplen(const struct live *l)
{
    return l->snaplen;
}

enum live_fan_out live_fan_out(const struct live *l)
{
    return l->fan_out;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    if (l->pcap != NULL)
        pcap_close(l->pcap);
    for (size_t i = 0; i < 2; i++)
        if (l->drop_fds[i] >= 0)
            close(l->drop_fds[i]);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    filter_free(l->filter);
    free(l->name);
    free(l);
}
