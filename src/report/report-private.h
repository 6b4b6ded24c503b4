/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of reports share. */
#ifndef REPORT_PRIVATE_H
#define REPORT_PRIVATE_H

#include "flowaudit/reader.h"
#include "flowaudit/report.h"
#include "flowaudit/seal.h"

struct report {
    struct reader *reader;
    char *path; /* as it was given */
};

/* A view as it is exported: the rows of one run in a fixed order. */
struct report_table {
    const char *name, *sql;
};
extern const struct report_table report_tables[]; /* ends with a NULL name; the first one is "runs" */
const struct report_table *report_table_find(const char *name);

/* What a writer gets: the question with the run and the table settled. */
struct report_job {
    struct report *report;
    const struct report_query *query;
    const struct report_table *table; /* NULL: all */
    int64_t run_id;
    FILE *out;
};

/* Writers: 0, or a negative errno with its sentence; the stream's own errors are looked at by the caller. */
typedef int report_write_fn(const struct report_job *, struct err *reterr);
report_write_fn report_write_text, report_write_csv, report_write_json, report_write_ndjson,
    report_write_html, report_write_xlsx;

/* A JSON string with its quotes. */
void json_string(FILE *, const char *text, size_t len);

/* Rows of a query that takes the run as ?1, each given to 'each'. */
typedef void report_row_fn(void *aux, struct cursor *);
#define REPORT_NOT_READ "not read to its end" /* begins what is said of an input that is sound, for all that was read of it */
#define REPORT_UNREAD "(damage IS NULL OR damage GLOB '" REPORT_NOT_READ "*') "
int report_each(const struct report_job *, const char *sql, report_row_fn *, void *aux, struct err *reterr);

#endif
