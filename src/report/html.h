/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the HTML report, and how untrusted text gets into it. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report-private.h"
#include "text.h"

struct html {
    const struct report_job *job;
    const struct report_summary *summary;
    FILE *out;
    unsigned n_sections;
    bool failed; /* out of memory: the report is not whole */
};

/* --- html_out.c ------------------------------------------------------------------------------------------- */

/* Text for an element: markup is escaped, and what would not be seen, or would turn the reading direction, is shown as
 * \xNN or \u{NNNN}. */
void html_text(struct html *, const char *text);
/* The same for an attribute or for SVG. */
void html_plain(struct html *, const char *text);
/* Text of several lines. */
void html_lines(struct html *, const char *text);
/* Markup of ours, with no untrusted argument. */
void html_put(struct html *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A paragraph of a class ("" = none), all of it escaped. */
void html_par(struct html *, const char *class, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A numbered heading that begins a new part; 'id' is its anchor. */
void html_heading(struct html *, const char *id, const char *title);

/* HTML_SENTENCE is for the last column alone: it stands below the others, over the whole width. */
enum html_as { HTML_TEXT, HTML_WIDE, HTML_SENTENCE, HTML_CODE, HTML_NUMBER, HTML_TIME, HTML_BYTES, HTML_BADGE };
struct html_column {
    const char *title;
    enum html_as as;
};

/* A table of the rows of a query, which takes the run as ?1; after 'most' rows the rest is counted only, and named
 * 'what'.  Without a row: 'empty'. */
int html_table(struct html *, const struct html_column *, size_t n_columns, const char *sql, uint64_t most,
               const char *what, const char *empty, struct err *reterr);

/* --- the parts ---------------------------------------------------------------------------------------------- */

extern const char *const html_style[]; /* ends with NULL */

typedef int html_part_fn(struct html *, struct err *reterr);
html_part_fn html_sections, html_evidence;      /* html_evidence.c */
html_part_fn html_coverage;                     /* html_coverage.c */
html_part_fn html_timeline, html_roles;         /* html_charts.c */
html_part_fn html_findings, html_finding_table; /* html_findings.c */
html_part_fn html_expected, html_separation, html_row_use, html_exceptions,
    html_expectation_table;                        /* html_expected.c */
html_part_fn html_differences;                     /* html_diff.c; nothing without an earlier audit */
html_part_fn html_requirements, html_reproduction; /* html_origin.c */

#endif
