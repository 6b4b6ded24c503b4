/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports, from the database alone: opened read-only and defensively, through our views only.
 * Text from traffic is escaped for its medium (terminal, CSV formulas, JSON).
 *
 * Same database, same bytes.  Threads: a report belongs to one thread.
 */
#ifndef FLOWAUDIT_REPORT_H
#define FLOWAUDIT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "flowaudit/err.h"

enum report_format { REPORT_TEXT, REPORT_CSV, REPORT_JSON, REPORT_NDJSON };
int report_format_parse(const char *name, enum report_format *ret);

struct report;

struct report_query {
    int64_t     run_id;  /* 0 = the last */
    const char *table;   /* findings, conversations, expectations, inputs, losses, discards, hosts, flows, runs; NULL: all (text, json), findings (csv) */
    bool        color;   /* text: the stream is a terminal that takes colours */
    unsigned    width;   /* text: columns of the terminal, 0 = 100 */
    bool        verbose; /* text: every finding on its own, nothing folded */
};

int  report_open(const char *path, struct report **ret, struct err *reterr); /* -EINVAL: not ours or newer; the sentence says which */
int  report_write(struct report *, enum report_format, const struct report_query *, FILE *, struct err *reterr);
void report_free(struct report *);

#endif
