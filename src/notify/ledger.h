/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told, and what is due: each finding once and then, while it grows, at stated intervals; all together not faster than the
 * rate limit.  Like findings are told as one (fold.h).  Findings are the same where they say the same of the same ends, so that a run that begins anew (after a reload) does
 * not tell all again.
 */
#ifndef NOTIFY_LEDGER_H
#define NOTIFY_LEDGER_H

#include "private.h"

struct ledger;

int  ledger_new(const struct notify_options *, struct ledger **ret, struct err *reterr);
void ledger_free(struct ledger *);

typedef void ledger_tell(void *aux, const struct alert *);

/* The finding is told through 'tell' at once, or kept until its time, or it has not grown. */
void ledger_finding(struct ledger *, struct notify_time, const struct notify_finding *, ledger_tell *, void *aux);
/* At the end of a run: what waits and is grave is told whatever the limit, as are like findings that are told as one; the rest is counted. */
struct ledger_untold {
    uint64_t findings[FINDING_N_KINDS][SEVERITY_NOTICE + 1]; /* never told */
    uint64_t grown;                                         /* told, and grown since */
};
void ledger_end(struct ledger *, struct notify_time, ledger_tell *, void *aux, struct ledger_untold *ret);
/* Tells what is due by now. */
void ledger_due(struct ledger *, struct notify_time, ledger_tell *, void *aux);
/* Tellings that had to wait for the limit, and findings that could not be kept in mind, so far. */
uint64_t ledger_held_back(const struct ledger *);
/* Those that wait now. */
size_t   ledger_waiting(const struct ledger *);

#endif
