/* SPDX-License-Identifier: Apache-2.0 */
/* What expect.c gathers and conclude.c concludes from. */
#ifndef POLICY_EXPECT_PRIVATE_H
#define POLICY_EXPECT_PRIVATE_H

#include "private.h"

#define EXPECT_REASON_SIZE 1024 /* a sentence; longer ones are cut */

/* What came instead of an answer to attempts of one outcome. */
struct denial {
    struct flow_icmp icmp;     /* the first error; n_errors 0: none */
    struct ttl_range rst, own; /* of one that a RST ended and that has both */
    bool             reset;    /* there was no error for some */
};

/* One expectation and what became of it. */
struct tally {
    uint32_t         row, client;
    uint32_t         server;       /* with 'every', else POLICY_NONE */
    uint32_t         seen_server, tried_server;
    bool             seen, tried_others;     /* attempts at more than 'tried_server' */
    uint64_t         n[OUTCOME_ONE_WAY + 1]; /* attempts by outcome */
    uint64_t         attempts;
    uint64_t         last_fact;    /* by its number: a row that fits in two ways is counted once */
    int64_t          first_ns;
    uint64_t         first_packet; /* of the first attempt */
    uint16_t         first_input;
    int64_t          silent_ns;    /* of the first attempt without an answer */
    struct denial    denials[2];  /* refused, prohibited */
};

/* What was seen of a host entry. */
struct life {
    int64_t  first_ns, last_ns;   /* of packets that it sent */
    int64_t  before_ns, after_ns; /* its last packet before, its first after; 0: not known */
    uint64_t sent, received;
};

/* Hosts in the order of the site file, those of one group together. */
struct group_hosts {
    uint32_t *hosts;
    size_t   *starts; /* by group, and one past the end */
};

/* The time over which rows with about the same 'within' are evaluated: one window, several, or the whole run. */
struct span {
    int64_t         length_ns; /* 0: the whole run */
    int64_t         start_ns;
    bool            begun;
    struct coverage coverage;
    struct life    *lives;     /* by host entry */
    struct passages passages;
};

struct expector {
    const struct policy *p;
    struct group_hosts   by_group;
    struct tally        *tallies;    /* in order of row, client, server */
    size_t               n_tallies, n_allocated;
    size_t              *row_starts; /* by row, and one past the end */
    struct span         *spans;
    size_t               n_spans;
    uint32_t            *row_spans;  /* by row */
    int64_t              window_ns;  /* 0: the whole run is one */
    bool                 failed;     /* for want of memory, while facts came: told by expector_finish() */
    uint64_t             n_facts;
    struct expectation  *results;    /* with reasons of their own */
    size_t               n_results;
};

static inline const struct span *expect_span(const struct expector *x, uint32_t row)
{
    return &x->spans[x->row_spans[row]];
}

/* conclude.c: the outcome, and the sentence for it. */
enum expectation_outcome expect_conclude(const struct expector *, const struct tally *, char *buf, size_t size);

#endif
