/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records on their way to a reader that may be slow, full or gone: a bounded queue before a descriptor.  Nothing waits for the
 * reader; what finds the queue full is lost, and the caller counts it.
 */
#ifndef NOTIFY_FEED_H
#define NOTIFY_FEED_H

#include "out.h"
#include "flowaudit/err.h"

struct feed {
    int     fd;      /* -1: not connected now */
    bool    borrowed;/* the descriptor is the caller's */
    bool    datagrams;
    char   *path;    /* of a socket, to connect again; else NULL */
    char   *bytes;   /* records, each behind its length (uint32_t) */
    size_t  n, size;
    size_t  done;    /* bytes of the first record that went out */
    int64_t retry_ns;/* steady: no attempt to connect before */
};

#define FEED_SIZE 262144

/* A descriptor that is open already, and stays the caller's. */
int  feed_over(struct feed *, int fd, size_t size, struct err *reterr);
/* The same; a terminal is opened anew where that goes, so that writing to it never waits and no other program's writing changes. */
int  feed_over_terminal(struct feed *, int fd, size_t size, struct err *reterr);
/* A file (created where it is not there, appended to), FIFO, device or Unix socket; "unix:PATH" demands a socket, "-" is standard output. */
int  feed_open(struct feed *, const char *target, size_t size, struct err *reterr);
/* A Unix datagram socket; a name that begins with '@' is abstract. */
int  feed_open_datagrams(struct feed *, const char *path, size_t size, struct err *reterr);
void feed_close(struct feed *); /* sends what goes at once */

/* Puts a record into the queue; false: it is full.  Does not send. */
bool   feed_put(struct feed *, const char *bytes, size_t n);
/* Sends what the reader takes now.  The number of records that it will never take (too large for its socket). */
size_t feed_flush(struct feed *, int64_t steady_ns);

/* The last flush: what is not taken then is given up.  The number of records lost. */
size_t feed_end(struct feed *, int64_t steady_ns);

/* An address of a Unix socket; its length, or -ENAMETOOLONG. */
struct sockaddr_un;
int unix_address(const char *path, struct sockaddr_un *ret, struct err *reterr);

#endif
