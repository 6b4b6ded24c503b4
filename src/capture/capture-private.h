/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of this module share.  A reader turns an input into frames; everything that is the same for all
 * of them (filter, order of times, digest, the end) is in capture.c. */
#ifndef FLOWAUDIT_CAPTURE_PRIVATE_H
#define FLOWAUDIT_CAPTURE_PRIVATE_H

#include <byteswap.h>
#include <string.h>

#include "flowaudit/capture.h"
#include "window.h"

/* libpcap's bound for a packet of all common link types: a longer one is believed only where the snap length allows it.
 */
#define MAX_SANE_CAPLEN 262144u

struct reader_ops {
    /* Frames that are valid together, or 0: the end (damaged or not), or negative. The buffer may move only before the
     * first frame of a call. */
    int (*next)(struct capture *, struct frame *ret, size_t n, struct err *reterr);
    void (*free)(void *reader);
};

struct filter;

enum capture_state {
    CAPTURE_READING,
    CAPTURE_DRAINING, /* no more frames; the rest is read for the digest */
    CAPTURE_ENDED,
};

struct capture {
    const struct reader_ops *ops;
    void *reader; /* of 'ops' */
    char *path;
    struct source *source;
    struct window window;
    struct filter *filter; /* NULL: every frame matches */
    enum capture_state state;
    struct frame held; /* read by capture_peek_time(), not yet handed out */
    bool has_held;
    bool has_time;
    int64_t previous_ns; /* time of the packet before */
    struct capture_stats stats;
};

/* Each takes the input over at its first byte.  0, or negative with a sentence. */
int pcap_reader_open(struct capture *, struct err *reterr);
int pcapng_reader_open(struct capture *, struct err *reterr);
int via_libpcap_open(struct capture *, struct err *reterr);

/* Is this the beginning of a pcap file that pcap_reader_open() reads?  'head' has 24 bytes. */
bool pcap_reader_knows(const uint8_t *head);

/* Ends the reading with a sentence about the record at 'offset'. */
void capture_damage(struct capture *, uint64_t offset, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same where the input ended inside of something: 'what' needs 'need' bytes ("packet record 4", "header bytes"). */
void capture_damage_cut(struct capture *, const char *what, uint64_t need, const char *need_what, uint64_t left);
/* At the end of the input between two records: damaged only if the source says so. */
void capture_end(struct capture *);

/* A link type (and with a filter, its program) before the first frame that has it. */
int capture_add_linktype(struct capture *, uint16_t linktype, struct err *reterr);
/* The greatest snap length, where 0 stands for unlimited. */
void capture_add_snaplen(struct capture *, uint32_t snaplen, bool is_first);

int filter_new(const char *expression, struct filter **ret);
int filter_add_linktype(struct filter *, uint16_t linktype, struct err *reterr);
bool filter_matches(const struct filter *, const struct frame *);
void filter_free(struct filter *);

/* LINKTYPE_ values from what files hold (old libpcaps wrote DLT_ values), and the ways between both. */
uint16_t linktype_normal(uint16_t value);
int linktype_to_dlt(uint16_t linktype);
/* Link-layer headers in the byte order of the capturing host (LINKTYPE_NFLOG), turned round in place. */
void linktype_swap_header(uint16_t linktype, uint8_t *data, uint32_t caplen);

static inline uint16_t get16(const uint8_t *p, bool swapped)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return swapped ? bswap_16(v) : v;
}

static inline uint32_t get32(const uint8_t *p, bool swapped)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return swapped ? bswap_32(v) : v;
}

static inline uint64_t get64(const uint8_t *p, bool swapped)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return swapped ? bswap_64(v) : v;
}

/* Longest captured length that is believed; the sum with any header stays within the window's bound. */
static inline uint32_t capture_max_caplen(uint32_t snaplen)
{
    const uint32_t longest = (uint32_t)WINDOW_MAX_SIZE - 65536;

    if (snaplen <= MAX_SANE_CAPLEN || snaplen > INT32_MAX)
        return MAX_SANE_CAPLEN;
    return snaplen < longest ? snaplen : longest;
}

/* Sets the fields of a frame that every reader sets alike, and counts it. */
static inline void capture_frame(struct capture *c, struct frame *f, const uint8_t *data, uint32_t caplen,
                                 uint32_t wirelen)
{
    f->data = data;
    f->caplen = caplen;
    f->wirelen = wirelen;
    if (caplen > wirelen) {
        f->wirelen = caplen;
        c->stats.n_odd_lengths++;
    }
    f->number = ++c->stats.n_packets;
}

/* A record without a time, or with one that cannot be: it gets the time of the packet before it. */
static inline void capture_frame_no_time(struct capture *c, struct frame *f)
{
    f->ts_ns = c->previous_ns;
    c->stats.n_odd_times++;
}

#define CLOCK_STEP_NS INT64_C(1000000000) /* queues of an interface mix up milliseconds at most */

static inline void capture_frame_time_back(struct capture *c, int64_t ts_ns)
{
    int64_t back = c->previous_ns - ts_ns; /* both are times from 1970 to 2262 */

    c->stats.n_time_back++;
    c->stats.n_clock_steps += back > CLOCK_STEP_NS;
    if (back > c->stats.most_back_ns)
        c->stats.most_back_ns = back;
}

static inline void capture_frame_time(struct capture *c, struct frame *f, int64_t ts_ns)
{
    struct capture_stats *s = &c->stats;

    if (ts_ns == 0) { /* the writer had no clock */
        capture_frame_no_time(c, f);
        return;
    }
    f->ts_ns = ts_ns;
    if (!c->has_time) {
        c->has_time = true;
        s->first_ns = s->last_ns = ts_ns;
    } else if (ts_ns < c->previous_ns) { /* that is not later than 'last_ns', so that nor is this */
        capture_frame_time_back(c, ts_ns);
        if (ts_ns < s->first_ns)
            s->first_ns = ts_ns;
    } else if (ts_ns > s->last_ns) {
        s->last_ns = ts_ns;
    }
    c->previous_ns = ts_ns;
}

#endif
