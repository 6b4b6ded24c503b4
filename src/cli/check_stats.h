/* SPDX-License-Identifier: Apache-2.0 */
/* 'check --stats': where the time of a run went, on standard error. */
#ifndef CHECK_STATS_H
#define CHECK_STATS_H

#include "cli.h"
#include "flowaudit/engine.h"

/* Nanoseconds from some moment on, never going back. */
int64_t stats_clock(void);

struct check_times {
    int64_t begun, loaded, recorded, reported; /* by stats_clock(): the command, its rules, the record, the report */
    int64_t storing;                           /* took to open and to close the record */
};
void stats_print(FILE *, const struct check_times *, const struct engine_result *, const struct rulebook *);

#endif
