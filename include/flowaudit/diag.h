/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many findings about one text: what a parser or a linter says of a file a person wrote.
 *
 * Printed form, one for each finding, in order of position:
 *
 *     FILE:LINE:COLUMN: error: what is wrong; what would be right
 *         the source line
 *         ^~~~~
 */
#ifndef FLOWAUDIT_DIAG_H
#define FLOWAUDIT_DIAG_H

#include <stddef.h>
#include <stdio.h>

enum diag_level {
    DIAG_ERROR,   /* nothing may run on this text */
    DIAG_WARNING, /* it runs, and probably not as meant */
    DIAG_NOTE,    /* worth knowing */
};

struct diag {
    enum diag_level level;
    char           *file;    /* owned */
    unsigned        line;    /* 1-based; 0 = no place */
    unsigned        column;  /* 1-based, in characters */
    unsigned        width;   /* characters to underline, at least 1 */
    char           *message; /* owned, one sentence */
    char           *source;  /* owned, the source line without its newline, or NULL */
};

/* Owns its findings; all calls from one thread. */
struct diag_list {
    struct diag *items;
    size_t       n_items, n_allocated;
    size_t       n_lost; /* findings that could not be kept for want of memory: counts as errors */
};

struct diag_place {
    const char *file;
    unsigned    line, column, width;
    const char *text; /* whole text of the file, from which the source line is cut; or NULL */
    size_t      size;
};

void   diag_add(struct diag_list *, enum diag_level, const struct diag_place *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
size_t diag_count(const struct diag_list *, enum diag_level);
void   diag_sort(struct diag_list *); /* by file, line, column; stable */
void   diag_print(const struct diag_list *, FILE *);
void   diag_list_clear(struct diag_list *); /* frees all; the list is empty and usable afterwards */

/* The nearest of 'names' to 'word' by edit distance, or NULL where none is near enough to be
 * a slip of the hand. */
const char *diag_nearest(const char *word, const char *const *names, size_t n_names);

#endif
