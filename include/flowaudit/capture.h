/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from capture files and live interfaces.
 *
 * Files: pcap (both byte orders, micro- and nanoseconds), pcapng (draft-ietf-opsawg-pcapng: several sections,
 * interfaces, link types, time resolutions; both byte orders; unknown blocks skipped), plain or compressed
 * with gzip or zstd, from a file, a pipe or standard input.  Whatever else libpcap can open (pcap versions before
 * 2.4, the "modified" pcap with the magic a1b2cd34) is read through libpcap.
 *
 * A regular file is read up to the size it had when it was opened.  A cut exactly between two records cannot be
 * known from the file.  Bytes that were captured beyond the snap length are returned, as is a frame check sequence.
 *
 * Reading is in large blocks into one buffer that stays in the processor's cache; frames are looked at where they lie.
 *
 * Threads: one capture belongs to one thread at a time.
 */
#ifndef FLOWAUDIT_CAPTURE_H
#define FLOWAUDIT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"

/* One captured packet.  'data' is borrowed: valid until the next capture_next_batch() or capture_free()
 * on the same capture. */
struct frame {
    const uint8_t *data;
    uint32_t       caplen;   /* bytes at 'data' */
    uint32_t       wirelen;  /* length on the wire; never less than caplen (a file that says less is counted
                                in capture_stats.n_odd_lengths and the greater is used) */
    int64_t        ts_ns;    /* nanoseconds since 1970-01-01 UTC */
    uint64_t       number;   /* 1-based within the input, counting every packet record, as Wireshark numbers frames */
    uint16_t       linktype; /* LINKTYPE_ value (tcpdump.org/linktypes.html), not DLT_ */
    uint16_t       interface_id; /* index among the interfaces of the input, over all sections */
};

struct capture_options {
    const char *filter;    /* pcap-filter(7) expression, or NULL; frames that do not match are not returned but
                              counted in capture_stats.n_filtered */
    bool        no_digest; /* do not compute SHA-256 while reading */
    size_t      block_size; /* bytes read at once; 0 = default (512 KiB) */
    bool        has_fd;    /* read 'fd', a regular file, from its beginning; 'path' is its name alone.  It stays the caller's */
    int         fd;
    /* Gets all bytes of the input as they are stored, in order, while they are read: for a caller that digests them elsewhere, and sets
     * 'no_digest'.  The rest behind a damaged place is read for it too.  NULL: nobody wants them. */
    void      (*stored)(void *aux, const void *bytes, size_t n);
    void       *stored_aux;
    int64_t   (*clock)(void); /* in nanoseconds, or NULL: how long the digest takes is then not measured */
};

/* What the input says of itself, and what reading found.  Valid at any time; final after the end. */
struct capture_stats {
    uint64_t n_packets;     /* records seen, filtered ones included */
    uint64_t n_filtered;    /* taken out by the filter */
    uint64_t n_bytes;       /* bytes of the input as stored (compressed size where compressed) */
    uint64_t n_bytes_total; /* size of the file, 0 where not known (pipe) */
    uint64_t n_odd_lengths; /* records whose captured length exceeds the original length */
    uint64_t n_odd_times;   /* records whose time does not fit: a sub-second part out of range (set to the end of its
                               second); none at all (or 0), before 1970 or after 2262: given the time of the packet
                               before, 0 where there was none */
    uint64_t n_time_back;   /* records earlier than the one before them */
    uint64_t n_clock_steps; /* of these: by more than a second, as no order of writing explains: a clock was set, or files were joined */
    int64_t  most_back_ns;  /* the greatest of these differences; 0: none */
    uint64_t n_stated_drops;/* packets that the file itself says were lost, summed over its interfaces: the last
                               isb_ifdrop + isb_osdrop, or the sum of the packets' own counts, whichever is greater */
    bool     has_stated_drops;
    uint32_t snaplen;       /* the greatest of the interfaces; 0 = unlimited */
    uint16_t linktypes[16]; /* the first 16 distinct ones in order of appearance, with or without packets */
    unsigned n_linktypes;
    int64_t  first_ns, last_ns; /* least and greatest time of a packet that has one; 0 where none */
    bool     damaged;       /* cut short or malformed: everything up to there was returned */
    uint64_t damaged_offset;/* byte of the (decompressed) input at which reading had to stop */
    char     damage[256];   /* one sentence: what was wrong, at which byte, after which packet */
    char     sha256[DIGEST_TEXT_SIZE]; /* of the input as stored; "" until the end was reached */
    int64_t  digest_ns;     /* that the digest took, by the caller's clock */
};

struct capture;

/* 'path' "-" is standard input.  -ENOENT, -EACCES ...: cannot be opened; -EBADMSG: not a capture file, or one that
 * ends before its first packet record can be told from its header; -ENOTSUP: a format known and not read
 * (named in the sentence); -EINVAL: the filter does not compile (libpcap's words).  An empty capture (header only)
 * opens.  Opening a pipe waits for the header; with a filter on pcapng, for the first packet. */
int capture_open_file(const char *path, const struct capture_options *, struct capture **ret, struct err *reterr);

/* Up to 'n' frames into 'ret'.  > 0: that many; 0: the end (also where the input is damaged: see
 * capture_stats.damaged); negative: a fault of the machine (I/O error), everything before was returned; -EINTR: a
 * signal came while waiting, call again to go on; -EINVAL: the filter does not fit a link type that appears now.
 * A call returns what is there and does not wait for 'n' frames.  All frames of one call are valid together.
 * After the last frame the rest of a damaged input is read for its digest. */
int capture_next_batch(struct capture *, struct frame *ret, size_t n, struct err *reterr);

/* The time of the next packet record, which is not consumed (the filter is not asked).  Reads no further than the block
 * with that record; frames of the batch before become invalid.  0; -ENODATA: there is none (empty, or damaged
 * before); other negatives as capture_next_batch(). */
int capture_peek_time(struct capture *, int64_t *ret_ns, struct err *reterr);

/* The name to use in reports: the last component of the path, or "-". */
const char *capture_name(const struct capture *);
const char *capture_path(const struct capture *);
void capture_stats(const struct capture *, struct capture_stats *ret);
void capture_free(struct capture *);

/* "EN10MB (Ethernet)", or "LINKTYPE 160" where unknown; static or into 'buf'. */
const char *capture_linktype_name(uint16_t linktype, char *buf, size_t size);

#endif
