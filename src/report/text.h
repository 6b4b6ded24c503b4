/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the text report, and how they say hosts, times and numbers. */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "page.h"
#include "report-private.h"

struct text {
    const struct report_job *job;
    const struct report_summary *summary;
    struct page page;
    uint64_t n_shown, n_left_out; /* of the list at work */
};

#define TEXT_SIZE 4608 /* two names of the longest kind, and words */

/* "unity1 (10.20.1.10)", the address or the name alone, or 'nobody'. */
const char *text_host(const char *name, const char *address, const char *nobody, char buf[static TEXT_SIZE]);
/* "2026-01-31 10:00:00 to 10:05:00 UTC" from two times of a view. */
const char *text_span(const char *first, const char *last, char buf[static 64]);
/* "12,345" */
const char *text_count(uint64_t n, char buf[static 32]);
/* "12.3 kB" */
const char *text_bytes(uint64_t n, char buf[static 32]);
const char *text_plural(uint64_t n, const char *one, const char *many);

/* A list that stops at 'most' entries unless all are asked for: false = leave this one out. */
bool text_admit(struct text *, uint64_t most);
void text_left_out(struct text *, const char *what); /* says how many, where any, and begins a new count */

/* The three-line forms of a report that is read in half a minute. */
int text_brief(struct text *, struct err *reterr);
int text_brief_findings(struct text *, struct err *reterr);

/* The gravest first. */
#define SEVERITY_RANK                                                                                                  \
    "CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END"
enum style text_severity_style(const char *severity);

/* "no loss is known", as far as that is true: what was seen in one direction only is said with it.  "" where losses are listed and nothing is to
 * be added.  Returns 'buf'. */
const char *text_losses(const struct report_summary *, char *buf, size_t size);
/* Each writes one part with its heading, or nothing where there is nothing to say; 0 or negative errno. */
int text_sections(struct text *, struct err *reterr);
int text_findings(struct text *, struct err *reterr);
int text_expected(struct text *, struct err *reterr);
int text_notices(struct text *, struct err *reterr);
int text_waived(struct text *, struct err *reterr);

#endif
