/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a live run that are worth keeping: the first ones of each flow stay in memory for a while, and when a flow turns out to break the
 * document, its packets, those that go on coming, and what its hosts said to each other shortly before go into pcapng files.
 *
 * A worker copies into a ring of its own, which never waits: what does not fit is counted.  The recorder moves what lies in the rings
 * into one buffer, where the latest packet takes the place of the oldest; it says what is wanted, and writes what of that is there.
 *
 * Files are called evidence-20260302T090000Z-1.pcapng, after their first packet; while one is written, its name goes on with six more characters.  A file
 * ends at a part of the bound, after a while, and with the run; the oldest ones are removed so that all together stay within the bound.
 *
 * Threads: keeper_offer() is the worker's of that source; all else belongs to one thread.
 */
#ifndef FLOWAUDIT_KEEPER_H
#define FLOWAUDIT_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/capture.h"
#include "flowaudit/err.h"
#include "flowaudit/hash.h"
#include "flowaudit/packet.h"

#define KEEPER_FLOW_PACKETS 64    /* of each flow are offered */
#define KEEPER_WANT_PACKETS 1000  /* of each conversation are written */
#define KEEPER_SNAPLEN      2048  /* of each packet */
#define KEEPER_LEAST_BYTES  ((uint64_t)8 << 20)

struct keeper_options {
    const char        *folder;
    uint64_t           max_bytes;   /* of all files; KEEPER_LEAST_BYTES or more */
    const char        *application; /* for the files' headers */
    const char *const *inputs;      /* names, by index */
    size_t             n_inputs, n_sources;
};

/* A file that is whole. */
struct keeper_file {
    const char *path; /* valid until the next call */
    char        sha256[DIGEST_TEXT_SIZE];
    uint64_t    bytes, packets;
    int64_t     first_ns, last_ns;
};

/* Since the start. */
struct keeper_stats {
    uint64_t n_offered;  /* packets */
    uint64_t n_no_room;  /* that found no room there */
    uint64_t n_unlooked; /* that had to leave the buffer before they were looked at twice */
    uint64_t n_written;
    uint64_t n_beyond;   /* of wanted conversations, beyond KEEPER_WANT_PACKETS, or more conversations than there is room for */
    uint64_t n_failed;   /* that could not be written */
    uint64_t n_removed;  /* files */
};

struct keeper;

/* The rings and the buffer are taken at once, and touched. -ENOMEM, or as the folder says. */
int  keeper_new(const struct keeper_options *, struct keeper **ret, struct err *reterr);
void keeper_free(struct keeper *); /* NULL is fine; a file that is not whole is taken away */

/* A packet that was decoded: OK, ICMP_ERROR or FRAGMENT.  'run' is a number that rises from run to run. */
void keeper_offer(struct keeper *, unsigned source, uint32_t run, const struct frame *, const struct packet *, enum packet_result);

/* Moves what lies in the rings; as often as can be. */
void keeper_take(struct keeper *);

/* All zero is any: addresses of a sum over clients, the port of a sum over ports, both ports and the transport of whatever two hosts say to each other. */
struct keeper_want {
    struct addr client, server;
    uint16_t    server_port;
    uint8_t     transport;
    int64_t     first_ns; /* what the two said to each other in the KEEPER_BEFORE_NS before goes along; 0: not */
};
#define KEEPER_BEFORE_NS INT64_C(5000000000)

/* Of the run at work.  Wanting the same again costs little. */
void keeper_want(struct keeper *, const struct keeper_want *);
/* Writes what is wanted of the run 'run' and lies in the buffer.  Negative: it could not be written, and is counted. */
int  keeper_write(struct keeper *, uint32_t run, struct err *reterr);
/* Ends the file, where it is large or old enough by the time of its packets, or 'now'.  1: there is a file in 'ret'; 0: there is none. */
int  keeper_end_file(struct keeper *, bool now, struct keeper_file *ret, struct err *reterr);
/* A run is over: nothing is wanted any more. */
void keeper_forget(struct keeper *);
void keeper_stats(const struct keeper *, struct keeper_stats *ret);

#endif
