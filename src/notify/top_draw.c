/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "flowaudit/utf8.h"
#include "top.h"

#define INVERSE "\033[7m"
#define BOLD    "\033[1m"
#define RED     "\033[31m"
#define YELLOW  "\033[33m"
#define PLAIN   "\033[m"

/* --- columns ------------------------------------------------------------------------------------------------------- */

/* How many columns a terminal gives to a character: combining marks none, East Asian wide ones and pictures two. */
static unsigned width_of(uint32_t c)
{
    static const struct { uint32_t low, high; } wide[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
                                                          {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};

    if ((c >= 0x300 && c <= 0x36f) || (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f))
        return 0;
    for (unsigned i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (c >= wide[i].low && c <= wide[i].high)
            return 2;
    return 1;
}

unsigned top_clip(struct out *out, const char *text, unsigned columns)
{
    unsigned taken = 0;
    size_t   left = strlen(text);

    while (left > 0) {
        uint32_t c;
        size_t   n = utf8_decode(text, left, &c);
        if (n == 0) { /* cut in the middle of a character by a buffer */
            text++;
            left--;
            continue;
        }
        if (taken + width_of(c) > columns)
            break;
        out_bytes(out, text, n);
        taken += width_of(c);
        text += n;
        left -= n;
    }
    return taken;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

enum { C_CLIENT, C_SERVER, C_SERVICE, C_PROTOCOL, C_VERDICT, C_FLOWS, C_PACKETS, C_BYTES, C_RATE, N_COLUMNS };

static const struct column {
    const char *title;
    unsigned    width, least_terminal; /* shown from so many columns on */
    bool        right;
} columns_of[N_COLUMNS] = {
    [C_CLIENT] = {"CLIENT", 0, 0, false},      [C_SERVER] = {"SERVER", 0, 0, false},    [C_SERVICE] = {"SERVICE", 9, 24, false},
    [C_PROTOCOL] = {"PROTOCOL", 10, 96, false}, [C_VERDICT] = {"VERDICT", 15, 60, false}, [C_FLOWS] = {"FLOWS", 6, 74, true},
    [C_PACKETS] = {"PACKETS", 8, 110, true},   [C_BYTES] = {"BYTES", 8, 36, true},       [C_RATE] = {"RATE/s", 8, 70, true},
};

/* The widths for a terminal; 0: not shown.  What is left over is shared by the two ends. */
static void lay_out(unsigned columns, unsigned widths[static N_COLUMNS])
{
    unsigned taken = 0;

    for (unsigned i = 0; i < N_COLUMNS; i++) {
        widths[i] = columns >= columns_of[i].least_terminal ? columns_of[i].width : 0;
        taken += widths[i] != 0 ? widths[i] + 1 : 0;
    }
    unsigned left = columns > taken + 1 ? columns - taken - 1 : 0;
    widths[C_CLIENT] = left / 2;
    widths[C_SERVER] = left - left / 2;
    if (widths[C_CLIENT] > 40)
        widths[C_CLIENT] = 40;
    if (widths[C_SERVER] > 40)
        widths[C_SERVER] = 40;
}

static void put_cell(struct out *out, const char *text, unsigned width, bool right)
{
    struct out cell = {0};
    unsigned   taken = top_clip(&cell, text, width);

    for (unsigned i = taken; right && i < width; i++)
        out_text(out, " ");
    out_text(out, cell.text != NULL ? cell.text : "");
    for (unsigned i = taken; !right && i < width; i++)
        out_text(out, " ");
    out_free(&cell);
}

/* 12345, 12.3M: at most six characters */
static void short_count(uint64_t n, char buf[static 24])
{
    static const char units[] = {' ', 'k', 'M', 'G', 'T', 'P', 'E'};
    unsigned unit = 0;
    uint64_t rest = 0;

    if (n < 100000) {
        snprintf(buf, 24, "%" PRIu64, n);
        return;
    }
    for (; n >= 1000; unit++) {
        rest = n % 1000;
        n /= 1000;
    }
    snprintf(buf, 24, "%" PRIu64 ".%" PRIu64 "%c", n, rest / 100, units[unit]);
}

static void short_size(uint64_t n, char buf[static 24])
{
    struct out out = {0};

    out_size(&out, n);
    snprintf(buf, 24, "%s", out.text != NULL ? out.text : "");
    out_free(&out);
}

static void put_row(const struct top *t, const struct top_row *r, const unsigned widths[static N_COLUMNS], struct out *out)
{
    char flows[24], packets[24], bytes[24], rate[24];
    const char *cells[N_COLUMNS] = {r->client, r->server, r->service, r->protocol, r->verdict, flows, packets, bytes, rate};
    const char *color = !t->color ? "" : r->bad ? RED : r->warn ? YELLOW : "", *separator = "";

    short_count(r->flows, flows);
    short_count(r->packets, packets);
    short_size(r->bytes, bytes);
    short_size(r->rate, rate);
    if (r->rate == 0)
        rate[0] = '\0';
    out_text(out, color);
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        if (widths[i] == 0)
            continue;
        out_text(out, separator);
        put_cell(out, cells[i], widths[i], columns_of[i].right);
        separator = " ";
    }
    out_text(out, *color != '\0' ? PLAIN : "");
}

/* --- the screen ------------------------------------------------------------------------------------------------------ */

struct screen {
    struct out *out;
    unsigned    lines, columns, line; /* 'line': those begun */
};

/* False: the screen is full. */
static bool next_line(struct screen *s)
{
    if (s->line >= s->lines)
        return false;
    out_text(s->out, s->line > 0 ? "\033[K\r\n" : "");
    s->line++;
    return true;
}

static void put_line(struct screen *s, const char *style, const char *text)
{
    if (!next_line(s))
        return;
    out_text(s->out, style);
    top_clip(s->out, text, s->columns);
    out_text(s->out, *style != '\0' ? PLAIN : "");
}

/* Over the whole width. */
static void put_bar(struct screen *s, const char *text)
{
    if (!next_line(s))
        return;
    out_text(s->out, INVERSE);
    put_cell(s->out, text, s->columns, false);
    out_text(s->out, PLAIN);
}

static void put_table(struct screen *s, const struct top *t, unsigned lines)
{
    unsigned   widths[N_COLUMNS];
    struct out title = {0};
    const char *separator = "";

    lay_out(s->columns, widths);
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        if (widths[i] == 0)
            continue;
        out_text(&title, separator);
        put_cell(&title, columns_of[i].title, widths[i], columns_of[i].right);
        separator = " ";
    }
    put_bar(s, title.text != NULL ? title.text : "");
    out_free(&title);
    for (unsigned i = 1; i < lines; i++) {
        if (i - 1 < t->n_rows && next_line(s))
            put_row(t, &t->rows[i - 1], widths, s->out);
        else if (i == 1)
            put_line(s, "", "(no conversation yet)");
        else
            put_line(s, "", "");
    }
}

static void put_findings(struct screen *s, const struct top *t, unsigned lines)
{
    put_bar(s, "LATEST FINDINGS");
    for (unsigned i = 1; i < lines; i++) {
        const struct top_line *l = i - 1 < t->n_lines ? &t->lines[i - 1] : NULL;
        const char *color = l == NULL || !t->color ? "" : l->severity <= SEVERITY_HIGH ? RED : l->severity == SEVERITY_MEDIUM ? YELLOW : "";
        put_line(s, color, l != NULL ? l->text : i == 1 ? "(none)" : "");
    }
}

static void put_keys(struct screen *s, const struct top *t)
{
    static const char *const sorts[] = {"bytes", "packets", "flows", "last seen"}, *const shows[] = {"both", "conversations", "findings"};
    char text[160];

    snprintf(text, sizeof(text), "%sq quit  p pause  s sort: %s  f show: %s", t->paused ? "PAUSED  " : "", sorts[t->sort], shows[t->show]);
    put_line(s, t->paused ? INVERSE : "", text);
}

void top_draw(const struct top *t, unsigned lines, unsigned columns, struct out *out)
{
    struct screen s = {.out = out, .lines = lines, .columns = columns};
    unsigned      n_head = lines >= 16 ? 4 : lines >= 8 ? 2 : 1;

    out_text(out, "\033[H");
    for (unsigned i = 0; i < n_head; i++)
        put_line(&s, i == 0 && t->color ? BOLD : "", t->head[i].text != NULL ? t->head[i].text : i == 0 ? "flowaudit" : "");
    unsigned left = lines > n_head + 1 ? lines - n_head - 1 : 0; /* the keys have the last line */
    unsigned table = t->show == TOP_BOTH ? (left * 3 + 2) / 5 : t->show == TOP_CONVERSATIONS ? left : 0;
    if (table > 0)
        put_table(&s, t, table);
    if (left > table)
        put_findings(&s, t, left - table);
    put_keys(&s, t);
    out_text(out, "\033[K\033[J");
}
