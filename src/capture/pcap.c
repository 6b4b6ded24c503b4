/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap (draft-ietf-opsawg-pcap): version 2.4 in either byte order, micro- or nanoseconds.
 *
 * Seconds are unsigned: times go to the year 2106.  A sub-second part that is no part of a second keeps its second and
 * is set to the end of it.  A record longer than the snap length is returned whole, up to the bound in
 * capture_max_caplen(); a frame check sequence that the header announces stays at the end of the frames.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture-private.h"

#define FILE_HEADER_SIZE   24
#define RECORD_HEADER_SIZE 16
#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS  0xa1b23c4du
#define NS_PER_S           1000000000

struct pcap_reader {
    bool swapped;
    uint16_t linktype;
    uint32_t fraction_ns; /* nanoseconds in one unit of the sub-second part */
    uint32_t max_fraction;
    uint32_t max_caplen;
    uint32_t snaplen;
};

static bool read_magic(const uint8_t *head, bool *ret_swapped, bool *ret_ns)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        uint32_t magic = get32(head, swapped);

        if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS)
            continue;
        *ret_swapped = swapped;
        *ret_ns = magic == MAGIC_NANOSECONDS;
        return true;
    }
    return false;
}

bool pcap_reader_knows(const uint8_t *head)
{
    bool swapped, ns;

    return read_magic(head, &swapped, &ns) && get16(head + 4, swapped) == 2 && get16(head + 6, swapped) == 4;
}

/* The frames that lie whole and sound in the window.  'swapped' is the reader's: inline, so that it is a constant and no field asks for it. */
static inline __attribute__((always_inline)) size_t take_ordered(struct capture *c, struct frame *ret, size_t n, bool swapped)
{
    const struct pcap_reader p = *(const struct pcap_reader *)c->reader;
    struct window *w = &c->window;
    uint8_t *at = window_at(w), *end = at + window_left(w);
    size_t got = 0;

    for (; got < n && (size_t)(end - at) >= RECORD_HEADER_SIZE; got++) {
        uint32_t caplen = get32(at + 8, swapped);

        if (caplen > p.max_caplen || caplen > (size_t)(end - at) - RECORD_HEADER_SIZE)
            break;
        struct frame *f = &ret[got];
        uint32_t fraction = get32(at + 4, swapped);
        if (fraction > p.max_fraction) {
            fraction = p.max_fraction;
            c->stats.n_odd_times++;
        }
        capture_frame(c, f, at + RECORD_HEADER_SIZE, caplen, get32(at + 12, swapped));
        capture_frame_time(c, f, (int64_t)get32(at, swapped) * NS_PER_S + (int64_t)fraction * p.fraction_ns);
        f->linktype = p.linktype;
        f->interface_id = 0;
        if (swapped)
            linktype_swap_header(p.linktype, at + RECORD_HEADER_SIZE, caplen);
        at += RECORD_HEADER_SIZE + caplen;
    }
    w->pos = (size_t)(at - w->buf);
    return got;
}

static size_t take(struct capture *c, struct frame *ret, size_t n)
{
    const struct pcap_reader *p = c->reader;

    return p->swapped ? take_ordered(c, ret, n, true) : take_ordered(c, ret, n, false);
}

static int cut(struct capture *c, uint64_t need, const char *need_what, uint64_t left)
{
    char what[48];

    snprintf(what, sizeof(what), "packet record %llu", (unsigned long long)c->stats.n_packets + 1);
    capture_damage_cut(c, what, need, need_what, left);
    return 0;
}

/* 1: a whole record is in the window; 0: the end. */
static int fetch(struct capture *c, struct err *reterr)
{
    const struct pcap_reader *p = c->reader;
    struct window *w = &c->window;
    int rc = window_fill(w, RECORD_HEADER_SIZE, reterr);

    if (rc < 0)
        return rc;
    if (window_left(w) == 0) {
        capture_end(c);
        return 0;
    }
    if (window_left(w) < RECORD_HEADER_SIZE)
        return cut(c, RECORD_HEADER_SIZE, "header bytes", window_left(w));
    uint32_t caplen = get32(window_at(w) + 8, p->swapped);
    if (caplen > p->max_caplen) {
        capture_damage(
            c, window_offset(w),
            "malformed: packet record %llu at byte %llu claims %u captured bytes; at most %u are possible with the snap length %u",
            (unsigned long long)c->stats.n_packets + 1, (unsigned long long)window_offset(w), caplen, p->max_caplen, p->snaplen);
        return 0;
    }
    rc = window_fill(w, RECORD_HEADER_SIZE + (size_t)caplen, reterr);
    if (rc < 0)
        return rc;
    size_t have = window_left(w) - RECORD_HEADER_SIZE;
    return have < caplen ? cut(c, caplen, "bytes of packet data", have) : 1;
}

static int pcap_reader_next(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    size_t got = take(c, ret, n);

    if (got > 0)
        return (int)got;
    int rc = fetch(c, reterr);
    return rc > 0 ? (int)take(c, ret, n) : rc;
}

static const struct reader_ops pcap_ops = {.next = pcap_reader_next, .free = free};

int pcap_reader_open(struct capture *c, struct err *reterr)
{
    const uint8_t *head = window_at(&c->window);
    struct pcap_reader *p = calloc(1, sizeof(*p));
    bool ns = false;

    if (p == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    read_magic(head, &p->swapped, &ns);
    p->fraction_ns = ns ? 1 : 1000;
    p->max_fraction = ns ? NS_PER_S - 1 : NS_PER_S / 1000 - 1;
    p->snaplen = get32(head + 16, p->swapped);
    p->max_caplen = capture_max_caplen(p->snaplen);
    /* The upper half of the field holds flags and the length of a frame check sequence. */
    p->linktype = linktype_normal((uint16_t)get32(head + 20, p->swapped));
    c->reader = p;
    c->ops = &pcap_ops;
    c->window.pos += FILE_HEADER_SIZE;
    capture_add_snaplen(c, p->snaplen, true);
    return capture_add_linktype(c, p->linktype, reterr);
}
