/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Like findings that are told as one, so that a scan is one telling that grows and not a hundred.
 *
 * Alike are findings of one kind and severity between the same two hosts (the site's names, or addresses that it does not have), whatever the
 * port: a scan of ports.  Where one client has such findings with more than a few servers, or one server with more than a few clients, those with
 * the others are alike too: a scan of hosts, a service that all look for in the wrong place.  The first few are told each on its own.
 */
#ifndef NOTIFY_FOLD_H
#define NOTIFY_FOLD_H

#include "flowaudit/hash.h"
#include "private.h"

#define FOLD_SINGLE 3 /* findings of a pair, pairs of a host: told on their own before others are folded; the reports fold from four on */

struct folds;

/* Many findings as one. */
struct fold {
    struct fold  *next, **link; /* of all, in the order in which they began; what points to this one */
    uint64_t      hash; /* whose it is */
    struct kept  *example;
    int64_t       run_id;
    uint64_t      finding_id;   /* the example's in that run */
    uint64_t      differ;       /* bits: the strings (enum kept_string) that not all have alike */
    uint64_t      n, flows, packets, bytes, escaped, rejected; /* in that run */
    int64_t       first_ns, last_ns;
    uint16_t      low_port, high_port;
    bool          has_ports, lacks_ports;
    enum severity severity;
    /* Kept by the ledger. */
    int64_t       next_ns;      /* steady: not told before */
    unsigned      nth;          /* times told */
    uint64_t      n_told, packets_told, flows_told;
    bool          held;         /* the limit is what it waits for */
};

/* What a member brings: how much it grew. */
struct fold_growth { uint64_t flows, packets, bytes; int escaped, rejected; bool is_new; };

int  folds_new(size_t max, int64_t forget_ns, struct folds **ret, struct err *reterr);
void folds_free(struct folds *);

/* Whose is a finding that nobody knows yet?  0: it is told on its own, and counted as such. */
uint64_t folds_place(struct folds *, const struct store_finding *, int64_t now);
/* The fold of that place, made where it is not; NULL: no memory, or forgotten. */
struct fold *folds_find(struct folds *, uint64_t place, const struct notify_finding *, int64_t now);
void fold_add(struct fold *, const struct notify_finding *, const struct fold_growth *);
struct fold *folds_first(const struct folds *);
bool fold_has_news(const struct fold *);

/* As one finding; its strings live in 'out' and in the fold. */
void fold_finding(const struct fold *, struct out *, struct store_finding *ret);

#endif
