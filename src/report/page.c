/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"
#include "flowaudit/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/utf8.h"

#define WIDTH_DEFAULT 100
#define WIDTH_LEAST   40

struct span {
    uint32_t low, high;
};

static bool in_spans(uint32_t c, const struct span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= spans[i].low && c <= spans[i].high)
            return true;
    return false;
}

#define IN(c, spans) in_spans(c, spans, sizeof(spans) / sizeof((spans)[0]))

/* Controls, and characters that are not seen but change how others are read. */
static bool is_unsafe(uint32_t c)
{
    static const struct span unsafe[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };

    return IN(c, unsafe);
}

static unsigned columns_of(uint32_t c)
{
    static const struct span none[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x64b, 0x65f},   {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    static const struct span two[] = {
        {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
    };

    return IN(c, none) ? 0 : IN(c, two) ? 2 : 1;
}

size_t page_glyph(const char *p, size_t left, struct glyph *ret)
{
    uint32_t c;
    size_t n = utf8_decode(p, left, &c);
    int len;

    ret->plain = false;
    if (n == 0) {
        len = snprintf(ret->text, sizeof(ret->text), "\\x%02x", (unsigned char)*p);
        n = 1;
    } else if (is_unsafe(c)) {
        len = snprintf(ret->text, sizeof(ret->text), c < 0x80 ? "\\x%02" PRIx32 : "\\u{%" PRIx32 "}", c);
    } else {
        memcpy(ret->text, p, n);
        ret->len = n;
        ret->columns = columns_of(c);
        ret->plain = true;
        return n;
    }
    ret->len = (size_t)len;
    ret->columns = (unsigned)len;
    return n;
}

size_t page_columns(const char *text)
{
    size_t left = strlen(text), columns = 0;
    struct glyph g;

    while (left > 0) {
        size_t n = page_glyph(text, left, &g);

        columns += g.columns;
        text += n;
        left -= n;
    }
    return columns;
}

void page_init(struct page *p, FILE *out, unsigned width, bool color)
{
    *p = (struct page){.out = out, .width = width == 0 ? WIDTH_DEFAULT : width, .color = color};
    if (p->width < WIDTH_LEAST)
        p->width = WIDTH_LEAST;
}

/* --- wrapping -------------------------------------------------------------------------------------------- */

struct line {
    FILE *out; /* NULL: only counted */
    unsigned width, hang;
    unsigned column, n_breaks;
    bool has_word;
};

static void put_spaces(struct line *l, size_t n)
{
    if (l->out != NULL)
        fprintf(l->out, "%*s", (int)n, "");
}

static void line_break(struct line *l)
{
    if (l->out != NULL)
        putc('\n', l->out);
    put_spaces(l, l->hang);
    l->column = l->hang;
    l->has_word = false;
    l->n_breaks++;
}

/* A word that is wider than a line is cut at its end. */
static void put_word(struct line *l, const char *word, size_t len)
{
    struct glyph g;

    while (len > 0) {
        size_t n = page_glyph(word, len, &g);

        if (l->column + g.columns > l->width)
            line_break(l);
        if (l->out != NULL)
            fwrite(g.text, 1, g.len, l->out);
        l->column += g.columns;
        l->has_word = true;
        word += n;
        len -= n;
    }
}

static size_t word_columns(const char *word, size_t len)
{
    size_t columns = 0;
    struct glyph g;

    while (len > 0) {
        size_t n = page_glyph(word, len, &g);

        columns += g.columns;
        word += n;
        len -= n;
    }
    return columns;
}

static void put_wrapped(struct line *l, const char *text)
{
    while (*text != '\0') {
        size_t spaces = strspn(text, " "), len = strcspn(text + spaces, " ");

        if (len == 0)
            break;
        if (l->has_word && l->column + spaces + word_columns(text + spaces, len) > l->width) {
            line_break(l);
        } else if (l->has_word) {
            put_spaces(l, spaces);
            l->column += (unsigned)spaces;
        }
        put_word(l, text + spaces, len);
        text += spaces + len;
    }
}

void page_par(struct page *p, enum style style, unsigned indent, unsigned hang, const char *fmt, ...)
{
    static const char *const codes[] = {"", "1", "1;31", "33", "32", "2"};
    struct line line = {.out = p->out, .width = p->width, .hang = hang, .column = indent};
    va_list args;
    char *text;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    if (text == NULL) {
        p->failed = true;
        return;
    }
    bool colored = p->color && style != STYLE_PLAIN;
    fprintf(p->out, "%*s", (int)indent, "");
    if (colored)
        fprintf(p->out, "\x1b[%sm", codes[style]);
    put_wrapped(&line, text);
    fputs(colored ? "\x1b[0m\n" : "\n", p->out);
    free(text);
}

unsigned page_lines(const struct page *p, unsigned indent, unsigned hang, const char *text)
{
    struct line line = {.width = p->width, .hang = hang, .column = indent};

    put_wrapped(&line, text);
    return line.n_breaks + 1;
}

void page_heading(struct page *p, const char *text)
{
    putc('\n', p->out);
    page_par(p, STYLE_BOLD, 0, 0, "%s", text);
}

void report_put_safe(FILE *out, const char *text)
{
    struct glyph g;

    for (size_t left = strlen(text); left > 0;) {
        size_t used = page_glyph(text, left, &g);

        fwrite(g.text, 1, g.len, out);
        text += used;
        left -= used;
    }
}
