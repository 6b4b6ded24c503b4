/* SPDX-License-Identifier: Apache-2.0 */
/* The result for each section of the document, for every report that is read by people. */
#ifndef REPORT_SECTIONS_H
#define REPORT_SECTIONS_H

#include "report-private.h"

/* From the gravest on. */
enum section_result {
    SECTION_FAILS,
    SECTION_UNKNOWN,
    SECTION_CONFORMS,
    SECTION_UNSEEN,
    SECTION_OFF,
    SECTION_N_RESULTS
};

/* One row for each section in the document's order, then findings of no section.  ?1 is the run. */
extern const char section_sql[];
enum {
    SECTION_NAME,
    SECTION_ENABLED,
    SECTION_FINDINGS,
    SECTION_PERMITTED,
    SECTION_ESCAPED,
    SECTION_REJECTED,
    SECTION_MISDROPPED,
    SECTION_MISSING,
    SECTION_NOT_COVERED,
    SECTION_ONE_WAY, /* required flows, and findings, of which nobody can tell whether they got through */
    SECTION_SEEN,
    SECTION_SITE,
    SECTION_UNTOLD, /* the same of conversations that a row allows */
    SECTION_UNANSWERED, /* findings again: without an answer, and nobody can tell */
    SECTION_OTHER_WAY,  /* findings of media both ways, told under the section of its other way */
};

enum section_result section_result(const struct report_summary *, struct cursor *);
const char *section_result_words(enum section_result);
/* The heading, or words for what stands outside the sections. */
const char *section_name(struct cursor *);
/* "20 permitted, 1 missing"; without 'all' only what is amiss. */
const char *section_counts(struct cursor *, bool all, char buf[static 400]);

#endif
