/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where text becomes HTML. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

enum form { FORM_ELEMENT, FORM_PLAIN, FORM_LINES };

static bool put_markup(FILE *out, char c)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (entities[i].c == c) {
            fputs(entities[i].entity, out);
            return true;
        }
    }
    return false;
}

static void put_escaped(FILE *out, const char *text, enum form form)
{
    size_t left = strlen(text);
    struct glyph g;

    while (left > 0) {
        size_t n = page_glyph(text, left, &g);

        if (form == FORM_LINES && (*text == '\n' || *text == '\t'))
            putc(*text, out);
        else if (!g.plain)
            fprintf(out, form == FORM_PLAIN ? "%.*s" : "<i class=x>%.*s</i>", (int)g.len, g.text);
        else if (n != 1 || !put_markup(out, *text))
            fwrite(text, 1, n, out);
        text += n;
        left -= n;
    }
}

void html_text(struct html *h, const char *text)
{
    put_escaped(h->out, text, FORM_ELEMENT);
}

void html_plain(struct html *h, const char *text)
{
    put_escaped(h->out, text, FORM_PLAIN);
}

void html_lines(struct html *h, const char *text)
{
    put_escaped(h->out, text, FORM_LINES);
}

void html_put(struct html *h, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfprintf(h->out, fmt, args);
    va_end(args);
}

void html_par(struct html *h, const char *class, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    if (text == NULL) {
        h->failed = true;
        return;
    }
    html_put(h, *class != '\0' ? "<p class=\"%s\">" : "<p>", class);
    html_text(h, text);
    html_put(h, "</p>\n");
    free(text);
}

void html_heading(struct html *h, const char *id, const char *title)
{
    if (h->n_sections++ > 0)
        html_put(h, "</section>\n");
    html_put(h, "\n<section id=\"%s\"><h2><span class=n>%u</span>%s</h2>\n", id, h->n_sections, title);
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

struct table {
    struct html *html;
    const struct html_column *columns;
    size_t n_columns;
    uint64_t n, most;
    bool stacked; /* the last cell goes below the others, over the whole width */
};

static void put_head(const struct table *t)
{
    struct html *h = t->html;

    html_put(h, "<div class=scroll><table%s><thead><tr>", t->stacked ? " class=stack" : "");
    for (size_t i = 0; i < t->n_columns; i++) {
        enum html_as as = t->columns[i].as;

        html_put(h, as == HTML_NUMBER || as == HTML_BYTES ? "<th class=num>%s" : "<th>%s", t->columns[i].title);
    }
    html_put(h, "</thead><tbody>\n");
}

/* A number that stands below no heading is told what it counts. */
static void put_stacked_number(struct html *h, const char *title, struct cursor *c, int column)
{
    char buf[64];

    html_put(h, "<td class=num data-what=\"%s\">%s", title, text_count((uint64_t)cursor_integer(c, column), buf));
}

static void put_cell(struct html *h, enum html_as as, struct cursor *c, int column)
{
    const char *text = cursor_text(c, column, NULL);
    char buf[64];

    if (cursor_type(c, column) == CELL_NULL) {
        html_put(h, as == HTML_NUMBER || as == HTML_BYTES ? "<td class=num>–" : "<td>–");
        return;
    }
    switch (as) {
    case HTML_NUMBER:
        html_put(h, cursor_integer(c, column) == 0 ? "<td class=\"num zero\">%s" : "<td class=num>%s",
                 text_count((uint64_t)cursor_integer(c, column), buf));
        return;
    case HTML_BYTES:
        html_put(h, "<td class=num>%s", text_bytes((uint64_t)cursor_integer(c, column), buf));
        return;
    case HTML_TIME:
        html_put(h, "<td class=time>");
        text_span(text, "", buf);
        buf[strcspn(buf, "U")] = '\0';
        html_text(h, buf);
        return;
    case HTML_CODE:
        html_put(h, "<td><code>");
        html_text(h, text);
        html_put(h, "</code>");
        return;
    case HTML_BADGE:
        html_put(h, "<td><span class=\"badge ");
        html_plain(h, text);
        html_put(h, "\">");
        html_text(h, text);
        html_put(h, "</span>");
        return;
    default:
        html_put(h, as == HTML_WIDE || as == HTML_SENTENCE ? "<td class=wide>" : "<td>");
        html_text(h, text);
    }
}

static void put_row(void *aux, struct cursor *c)
{
    struct table *t = aux;

    if (t->n++ >= t->most)
        return;
    if (t->n == 1)
        put_head(t);
    html_put(t->html, "<tr>");
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->stacked && t->columns[i].as == HTML_NUMBER)
            put_stacked_number(t->html, t->columns[i].title, c, (int)i);
        else
            put_cell(t->html, t->columns[i].as, c, (int)i);
    }
    html_put(t->html, "\n");
}

int html_table(struct html *h, const struct html_column *columns, size_t n_columns, const char *sql, uint64_t most,
               const char *what, const char *empty, struct err *reterr)
{
    struct table t = {.html = h, .columns = columns, .n_columns = n_columns, .most = most,
                      .stacked = columns[n_columns - 1].as == HTML_SENTENCE};
    char count[32];
    int rc = report_each(h->job, sql, put_row, &t, reterr);

    if (t.n > 0)
        html_put(h, "</tbody></table></div>\n");
    else
        html_par(h, "none", "%s", empty);
    if (t.n > most)
        html_par(h, "more", "%s more %s are in the record and not shown here.", text_count(t.n - most, count), what);
    return rc;
}
