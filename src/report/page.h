/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paragraphs for a terminal: wrapped at words, aware of UTF-8 and of wide characters, and safe: whatever could move the
 * cursor or turn the reading direction is shown as \xNN or \u{NNNN}.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_BAD, STYLE_WARN, STYLE_GOOD, STYLE_DIM };

struct page {
    FILE *out;
    unsigned width;
    bool color;
    bool failed; /* out of memory: the report is not whole */
};

void page_init(struct page *, FILE *out, unsigned width, bool color);
/* A paragraph whose first line begins at column 'indent' and whose further ones at 'hang'. */
void page_par(struct page *, enum style, unsigned indent, unsigned hang, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The lines that such a paragraph takes. */
unsigned page_lines(const struct page *, unsigned indent, unsigned hang, const char *text);
/* An empty line and a heading. */
void page_heading(struct page *, const char *text);

/* One character as it is safe to be shown. */
struct glyph {
    char text[16];
    size_t len;
    unsigned columns;
    bool plain; /* as it stands in the input */
};
/* Returns the bytes of the input that it is of, at least 1. */
size_t page_glyph(const char *p, size_t left, struct glyph *ret);

/* Columns that a text takes once it is safe. */
size_t page_columns(const char *text);

#endif
