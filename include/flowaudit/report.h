/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports, from the database alone: opened read-only and defensively, through our views only.
 * Text from traffic is escaped for its medium (terminal, CSV formulas, JSON, HTML).
 *
 * Same database, same bytes.  Threads: a report belongs to one thread.
 */
#ifndef FLOWAUDIT_REPORT_H
#define FLOWAUDIT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flowaudit/err.h"
#include "flowaudit/policy.h"

enum report_format { REPORT_TEXT, REPORT_CSV, REPORT_JSON, REPORT_NDJSON, REPORT_HTML, REPORT_XLSX };
int report_format_parse(const char *name, enum report_format *ret); /* 0 or -EINVAL */

struct report;
struct report_diff;

struct report_query {
    int64_t run_id;    /* 0 = the last */
    const char *table; /* a view of flowaudit-db(5); NULL: all (text, json, ndjson, xlsx), findings (csv).  Text and
                        * html are always whole */
    const struct report_diff *diff; /* html: an earlier audit (its 'old') to show the differences to; or NULL */
    bool color;        /* text: the stream is a terminal that takes colours */
    unsigned width;    /* text: columns of the terminal, 0 = 100 */
    bool brief;        /* text: what a person reads in half a minute */
    bool verbose;      /* text: every finding on its own, nothing folded, nothing left out */
};

#define REPORT_N_BOUNDS 4

/* What the exit status of a program depends on. */
struct report_summary {
    int64_t run_id;
    bool complete;                /* the run came to its end and read every input to its end */
    bool unended;                 /* not complete because it was killed: nobody wrote down how it ended */
    uint64_t n_inputs, n_damaged; /* damaged: cut short, broken, or not read to the end */
    uint64_t n_empty;             /* inputs without a packet */
    uint64_t packets, decoded;    /* in all inputs */
    uint64_t n_linktype;          /* packets of link types that are not decoded */
    uint64_t filtered;            /* of the packets those that the user's filter took out */
    bool site_unseen;             /* no TCP or UDP packet of any host of the site */
    uint64_t n_losses;            /* facts about loss ... */
    uint64_t lost;                /* ... and the packets that they know of */
    uint64_t n_estimated;         /* of those facts: of TCP data that was acknowledged and not captured ... */
    uint64_t n_unseen_bytes, n_flow_bytes; /* ... so much, of what was tracked so much; 0: not known */
    /* Findings that no exception waives and that are more than notices. */
    uint64_t n_findings;
    uint64_t by_kind[FINDING_N_KINDS];
    uint64_t by_severity[SEVERITY_NOTICE + 1];
    uint64_t n_notices, n_waived;
    uint64_t n_sessions, n_one_sided; /* TCP sessions of hosts of the site, and those with one direction only */
    uint64_t n_unseen_errors; /* ICMP errors about packets of hosts of the site that were not captured */
    uint64_t n_clock_steps;  /* packets more than a second earlier than the one before them in their input */
    uint64_t n_undetermined; /* expected flows of which nothing can be concluded */
    uint64_t n_windows_left, n_windows_empty; /* not evaluated, for there are too many: something was seen in them, nothing was */
    uint64_t beyond[REPORT_N_BOUNDS]; /* queries to groups, hosts, negotiated ports, flows by window: more than are kept */
};

/* -EINVAL: not ours, newer or altered; -EBADMSG: damaged; the sentence says which. */
int report_open(const char *path, struct report **ret, struct err *reterr);
/* -EINVAL: no such run or table; -EIO: the stream takes no more. */
int report_write(struct report *, enum report_format, const struct report_query *, FILE *, struct err *reterr);
/* 'run_id' 0 = the last. */
int report_summary(struct report *, int64_t run_id, struct report_summary *ret, struct err *reterr);
/* True where silence proves nothing: the run died, an input is damaged, or there was nothing to look at. */
bool report_incomplete(const struct report_summary *);
/* True where nothing was decoded, or nothing of the site was seen: neither compliance nor a breach of it was shown. */
bool report_shows_nothing(const struct report_summary *);
/* One sentence: "Not compliant: 7 findings (2 high, 5 medium)".  Returns 'buf'. */
const char *report_verdict(const struct report_summary *, char *buf, size_t size);
/* Two audits compared: what is new, gone, changed, and why.  Both reports must outlive it.  'old_run', 'new_run': 0 = the last. */
int report_diff_new(struct report *old, int64_t old_run, struct report *new, int64_t new_run, struct report_diff **ret, struct err *reterr);
bool report_diff_same(const struct report_diff *);
/* As text or JSON; of the query 'color', 'width' and 'verbose' count. */
int report_diff_write(const struct report_diff *, enum report_format, const struct report_query *, FILE *, struct err *reterr);
void report_diff_free(struct report_diff *);

/* A finding as an exception for the site file: 'owner' answers for it, 'until' is a date ("2027-01-31"). */
struct report_waiver {
    int64_t run_id; /* 0 = the last */
    int64_t finding_id;
    const char *id; /* NULL: made from what the finding is about */
    const char *owner, *reason, *until;
};
/* Writes the YAML that flowaudit-site(5) takes.  -EINVAL: no such finding, one that no exception can cover, or texts that the site
 * loader would not take. */
int report_waive(struct report *, const struct report_waiver *, FILE *, struct err *reterr);

/* Any text on one line of a terminal: controls and overrides of the reading direction are shown as \xNN or \u{NNNN}. */
void report_put_safe(FILE *, const char *text);
void report_free(struct report *);

#endif
