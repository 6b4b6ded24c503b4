/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from a network interface.
 *
 * libpcap's ring in memory shared with the kernel (TPACKET_V3): blocks of packets are handed over when full or after the
 * time-out, and each packet is looked at where the kernel put it.  Nothing is copied.  Never in immediate mode, which costs
 * most of the ring.  VLAN tags that the kernel took off are in the frame again, so that it is what a file would hold.
 *
 * The filter is applied here, not in the kernel: what it takes out is counted, as in files, and a filter means the same of
 * tagged packets as it means in files.
 *
 * Accounting: n_received = n_seen + n_dropped + n_unread at any time, and n_unread is 0 after live_drain().
 *
 * Several handles of one interface form a fan-out group of the kernel's.  Packets are dealt out by the pair of addresses, either
 * way round, under any VLAN tags; an ICMP error goes where the packet that it quotes went; fragments go with their
 * first one.  Of a tunnel the outer pair counts.
 *
 * Threads: one handle belongs to one thread at a time, and live_break() may be called from any, or from a signal handler.
 */
#ifndef FLOWAUDIT_LIVE_H
#define FLOWAUDIT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/capture.h"
#include "flowaudit/err.h"

struct live_options {
    const char *filter;     /* pcap-filter(7) expression, or NULL */
    size_t      ring_bytes; /* of each handle; 0 = LIVE_RING_BYTES */
    unsigned    n_handles;  /* 0 = 1 */
    uint32_t    snaplen;    /* 0 = whole packets */
    unsigned    timeout_ms; /* a block is handed over after this time, and a call waits no longer; 0 = 100 */
    bool        no_promiscuous;
};

#define LIVE_RING_BYTES ((size_t)64 << 20)
#define LIVE_MAX_HANDLES 64

/* How packets are dealt out to the handles of a group. */
enum live_fan_out {
    LIVE_ALONE, /* one handle */
    LIVE_BY_PAIR,
    LIVE_BY_HASH, /* the kernel did not take the program: by its own hash of the 5-tuple, where later fragments and ICMP errors
                     may meet another handle than their flow */
};

struct live_stats {
    uint64_t n_received; /* what the kernel took for this handle, dropped ones included */
    uint64_t n_dropped;  /* for want of room in the ring */
    uint64_t n_seen;     /* taken from the ring: handed to the callback, or filtered */
    uint64_t n_filtered;
    uint64_t n_unread;   /* in the ring; after live_drain() those that could not be had any more */
    uint64_t n_interface_dropped; /* by the interface's own count, since it was opened; in the first handle of a group only */
    bool     has_interface_dropped;
    int64_t  first_ns, last_ns; /* times of the first and the last packet seen; 0 where none */
};

struct live;

/* Called for each packet, in place: 'frame' and its data are valid until it returns.  Numbers count from 1 in each handle. */
typedef void live_frame_fn(void *aux, const struct frame *);

/* Opens 'iface' and puts n_handles handles into 'ret'.  -EPERM: needs CAP_NET_RAW; -ENODEV: no such interface (the sentence
 * names those that there are); -ENETDOWN: it is down; -EINVAL: the filter does not compile; -ENOTSUP: the kernel does
 * not deal out packets (fan-out), ask for one handle. */
int live_open(const char *iface, const struct live_options *, struct live **ret, struct err *reterr);

/*
 * Hands what is in the ring to 'fn', a few thousand packets at most; waits for the first no longer than the time-out.
 *
 * > 0: that many packets were taken from the ring; 0: none came, or live_break(), or a signal; -ENETDOWN: the interface is down (the
 * call has waited: call it again until it is up); -ENODEV: the interface is gone, and the ring is empty; other
 * negatives: a fault.
 */
int live_dispatch(struct live *, live_frame_fn *fn, void *aux, struct err *reterr);

/* The end: the kernel takes no more for this handle, and all that it took is handed out.  Lasts two time-outs.  0, or negative where
 * something is left (live_stats.n_unread says how much). */
int live_drain(struct live *, live_frame_fn *fn, void *aux, struct err *reterr);

/* From the handle's own thread.  The kernel's counters have 32 bits: call it once in 2^31 packets at least. */
void live_stats(struct live *, struct live_stats *ret);

/* Ends the wait of the call of live_dispatch() that is under way, or else of the next.  Async-signal-safe. */
void live_break(struct live *);

const char *live_name(const struct live *);
uint16_t live_linktype(const struct live *);
uint32_t live_snaplen(const struct live *);
enum live_fan_out live_fan_out(const struct live *);
void live_free(struct live *);

#endif
