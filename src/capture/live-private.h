/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOWAUDIT_LIVE_PRIVATE_H
#define FLOWAUDIT_LIVE_PRIVATE_H

#include <pcap/pcap.h>

#include "capture-private.h"
#include "flowaudit/live.h"

enum live_state { LIVE_UP, LIVE_DOWN, LIVE_GONE };

struct live {
    pcap_t *pcap;
    char *name;
    int fd;       /* of 'pcap' */
    int wake_fd;  /* eventfd of live_break() */
    int drop_fds[2]; /* the interface's own counters, kept open: a confined process cannot open them any more */
    uint64_t drops_at_open;
    unsigned index; /* of the interface; 0: "any" */
    bool counts_copies; /* what goes out by the loopback interface is counted by the kernel and left out by libpcap: how much that is nobody knows */
    unsigned timeout_ms;
    enum live_state state;
    enum live_fan_out fan_out;
    struct filter *filter;
    uint16_t linktype;
    uint32_t snaplen;
    uint64_t n_to_skip; /* came while the group was not complete, and may be another handle's */
    struct live_stats stats;
    live_frame_fn *fn; /* of the call under way */
    void *aux;
};

/* Makes one group of the handles.  Nothing that came before counts. */
int fan_out_join(struct live **handles, unsigned n, struct err *reterr);

/* From now on the kernel takes no packet for this handle, and counts none. */
int live_shut(struct live *, struct err *reterr);

/* Adds what the kernel counted since the last call. */
void live_count(struct live *);

#endif
