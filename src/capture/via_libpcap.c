/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that libpcap reads and our own readers do not: pcap of versions other than 2.4 (libpcap takes 2.0 to 2.3 and
 * 543.0), the "modified" pcap of old Linux tcpdumps (magic a1b2cd34), and whatever a newer libpcap may learn.
 *
 * libpcap reads through a stdio stream over our window, so that these files too may be compressed or piped and are
 * digested. It has one buffer for the packet, hence one frame in each call.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture-private.h"

#define NS_PER_S 1000000000

struct via_libpcap {
    struct window *window; /* borrowed from the capture */
    pcap_t *pcap;
    FILE *stream;     /* owned by 'pcap' once that is open */
    struct err fault; /* of a read below libpcap */
    uint16_t linktype;
};

static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
    struct via_libpcap *v = cookie;
    int rc = 0;

    if (window_left(v->window) == 0) {
        do {
            rc = window_fill(v->window, 1, &v->fault);
        } while (rc == -EINTR);
    }
    if (rc < 0)
        return -1;
    if (size > window_left(v->window))
        size = window_left(v->window);
    memcpy(buf, window_at(v->window), size);
    v->window->pos += size;
    return (ssize_t)size;
}

/* Answers "where are we", for the place of a fault; a real seek there is none. */
static int stream_seek(void *cookie, off64_t *offset, int whence)
{
    struct via_libpcap *v = cookie;

    if (whence != SEEK_CUR || *offset != 0)
        return -1;
    *offset = (off64_t)window_offset(v->window);
    return 0;
}

static void set_time(struct capture *c, struct frame *f, const struct timeval *ts)
{
    int64_t second = (uint32_t)ts->tv_sec, ns = ts->tv_usec; /* libpcap was asked for nanoseconds */

    if (ns < 0 || ns >= NS_PER_S) {
        ns = NS_PER_S - 1;
        c->stats.n_odd_times++;
    }
    capture_frame_time(c, f, second * NS_PER_S + ns);
}

static int via_libpcap_next(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    struct via_libpcap *v = c->reader;
    struct pcap_pkthdr *header;
    const uint8_t *data;
    off_t offset = ftello(v->stream);

    (void)n;
    int rc = pcap_next_ex(v->pcap, &header, &data);
    if (rc == 1) {
        capture_frame(c, ret, data, header->caplen, header->len);
        set_time(c, ret, &header->ts);
        ret->linktype = v->linktype;
        ret->interface_id = 0;
        return 1;
    }
    if (v->fault.code < 0 && v->fault.code != -EINTR)
        return err_set(reterr, v->fault.code, "%s", v->fault.msg);
    if (rc == PCAP_ERROR_BREAK) {
        capture_end(c);
        return 0;
    }
    capture_damage(c, (uint64_t)offset, "malformed or cut short: packet record %llu at byte %llu: %.120s",
                   (unsigned long long)c->stats.n_packets + 1, (unsigned long long)offset, pcap_geterr(v->pcap));
    return 0;
}

static void via_libpcap_free(void *reader)
{
    struct via_libpcap *v = reader;

    if (v->pcap != NULL)
        pcap_close(v->pcap);
    else if (v->stream != NULL)
        fclose(v->stream);
    free(v);
}

static const struct reader_ops via_libpcap_ops = {.next = via_libpcap_next, .free = via_libpcap_free};

int via_libpcap_open(struct capture *c, struct err *reterr)
{
    const cookie_io_functions_t io = {.read = stream_read, .seek = stream_seek};
    char why[PCAP_ERRBUF_SIZE];
    struct via_libpcap *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    c->reader = v;
    c->ops = &via_libpcap_ops;
    v->window = &c->window;
    v->stream = fopencookie(v, "r", io);
    if (v->stream == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    v->pcap = pcap_fopen_offline_with_tstamp_precision(v->stream, PCAP_TSTAMP_PRECISION_NANO, why);
    if (v->pcap == NULL)
        return err_set(reterr, -ENOTSUP, "%s", why);
    v->linktype = linktype_normal((uint16_t)pcap_datalink(v->pcap));
    capture_add_snaplen(c, (uint32_t)pcap_snapshot(v->pcap), true);
    return capture_add_linktype(c, v->linktype, reterr);
}
