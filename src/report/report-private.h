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
/*
 * The ports that were seen, of each key: "1032,4997,5000-5010", and how many more where they are many, others
 * where one of them stands for ports that were not kept.  'source' has the columns key and
 * port; the last table made, port_lists, key and words.
 */
#define PORT_LISTS(source)                                                                                             \
    ", port_ranks AS (SELECT key, port, port - dense_rank() OVER (PARTITION BY key ORDER BY port) AS island FROM "     \
    source " WHERE port IS NOT NULL),"                                                                                 \
    " port_ranges AS (SELECT key, min(port) AS low, max(port) AS high, row_number() OVER (PARTITION BY key ORDER BY"   \
    " min(port)) AS nth FROM port_ranks GROUP BY key, island),"                                                        \
    " port_words AS (SELECT *, low || CASE WHEN high > low THEN '-' || high ELSE '' END AS word, sum(high - low + 1)"  \
    " OVER (PARTITION BY key ORDER BY nth ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS beyond,"                \
    " max(high) OVER (PARTITION BY key) AS last FROM port_ranges),"                                                    \
    " port_heads AS (SELECT key, nth, last, beyond, max(nth) OVER (PARTITION BY key) AS most, group_concat(word, ',')" \
    " OVER (PARTITION BY key ORDER BY nth) AS list FROM (SELECT * FROM port_words WHERE nth <= 6)),"                   \
    " port_sums AS MATERIALIZED (SELECT DISTINCT key FROM " source " WHERE port IS NULL),"                             \
    " port_lists AS MATERIALIZED (SELECT key, list || CASE WHEN beyond > 0 THEN ' and ' || beyond || ' more up to ' || last"  \
    " ELSE '' END || CASE WHEN key IN (SELECT key FROM port_sums) THEN ' and others' ELSE '' END AS words"             \
    " FROM port_heads WHERE nth = most)"

#define REPORT_NOT_READ "not read to its end" /* begins what is said of an input that is sound, for all that was read of it */
#define REPORT_UNREAD "(damage IS NULL OR damage GLOB '" REPORT_NOT_READ "*') "
int report_each(const struct report_job *, const char *sql, report_row_fn *, void *aux, struct err *reterr);

#endif
