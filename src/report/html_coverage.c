/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The coverage picture: rows of the document against pairs of hosts, one square for what became of each.  Pairs beyond
 * a number, those with the least amiss, are left out and counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

#define MOST_ROWS    240
#define ROWS_A_PAGE  44
#define CELL         16
#define LABEL_WIDTH  210
#define LABEL_HEIGHT 150

/* Squares: a row (the number past all for none) and a pair, with what there is of it. */
#define CELLS                                                                                                          \
    "WITH r AS MATERIALIZED (SELECT row_id, position FROM \"rows\" WHERE run_id = ?1),"                                \
    " raw AS (SELECT coalesce(r.position, 1 << 30) AS position, coalesce(v.client_name, v.client, '(many)') AS c,"     \
    " coalesce(v.server_name, v.server, '(many)') AS s, v.disposition = 'permitted' AS p, v.disposition = 'escaped'"   \
    " AS e, v.disposition = 'rejected' AS j, v.disposition = 'misdropped' AS d, 0 AS m, 0 AS n FROM conversations v"   \
    " LEFT JOIN r ON r.row_id = v.row_id WHERE v.run_id = ?1 AND v.disposition <> ''"                                  \
    " UNION ALL SELECT r.position, coalesce(x.client_name, x.client, '(any)'), coalesce(x.server_name, x.server,"      \
    " '(any)'), 0, 0, 0, x.outcome IN ('refused', 'prohibited', 'unanswered'), x.outcome = 'never-attempted',"         \
    " x.outcome IN ('not-covered', 'one-way') FROM expectations x JOIN r ON r.row_id = x.row_id WHERE x.run_id = ?1"   \
    " AND x.outcome <> 'seen'),"                                                                                       \
    " cell AS MATERIALIZED (SELECT position, c, s, total(p) AS p, total(e) AS e, total(j) AS j, total(d) AS d,"        \
    " total(m) AS m, total(n) AS n FROM raw GROUP BY position, c, s),"                                                 \
    " pair AS MATERIALIZED (SELECT c, s, total(e > 0 OR m > 0 OR d > 0) AS amiss, count(*) AS n FROM cell GROUP BY c," \
    " s),"                                                                                                             \
    " best AS (SELECT c, s, row_number() OVER (ORDER BY c, s) AS x FROM (SELECT c, s FROM pair ORDER BY amiss DESC, n" \
    " DESC, c, s LIMIT 36)),"                                                                                          \
    " line AS (SELECT position, row_number() OVER (ORDER BY position) AS y FROM (SELECT DISTINCT position FROM cell"   \
    " JOIN best USING (c, s)))"

struct picture {
    struct html *html;
    uint64_t n_columns, n_rows;
    int64_t first_row, last_row; /* of this page */
};

static unsigned page_height(const struct picture *p)
{
    return LABEL_HEIGHT + (unsigned)(p->last_row - p->first_row + 1) * CELL + 4;
}

static unsigned page_width(const struct picture *p)
{
    return LABEL_WIDTH + (unsigned)p->n_columns * CELL + 90;
}

static unsigned column_x(int64_t x)
{
    return LABEL_WIDTH + (unsigned)(x - 1) * CELL;
}

static unsigned row_y(const struct picture *p, int64_t y)
{
    return LABEL_HEIGHT + (unsigned)(y - p->first_row) * CELL;
}

/* Of a long name the front; the whole stands in the title. */
static void put_short(struct html *h, const char *text, size_t most)
{
    char buf[64];
    size_t len = strlen(text);

    if (len <= most || most >= sizeof(buf)) {
        html_plain(h, text);
        return;
    }
    len = most - 1;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    snprintf(buf, sizeof(buf), "%.*s…", (int)len, text);
    html_plain(h, buf);
}

static void put_column(void *aux, struct cursor *c)
{
    struct picture *p = aux;
    struct html *h = p->html;
    unsigned x = column_x(cursor_integer(c, 0)) + CELL / 2 + 3;

    html_put(h, "<text transform=\"translate(%u %d) rotate(-60)\"><title>", x, LABEL_HEIGHT - 6);
    html_plain(h, cursor_text(c, 1, NULL));
    html_put(h, " → ");
    html_plain(h, cursor_text(c, 2, NULL));
    html_put(h, "</title>");
    put_short(h, cursor_text(c, 1, NULL), 12);
    html_put(h, " → ");
    put_short(h, cursor_text(c, 2, NULL), 12);
    html_put(h, "</text>\n");
}

static void put_line(void *aux, struct cursor *c)
{
    struct picture *p = aux;
    struct html *h = p->html;
    int64_t y = cursor_integer(c, 0);

    if (y < p->first_row || y > p->last_row)
        return;
    html_put(h, "<path class=grid d=\"M%u %uh%u\"/><text class=mono x=\"%u\" y=\"%u\" text-anchor=\"end\">",
             LABEL_WIDTH, row_y(p, y) + CELL, (unsigned)p->n_columns * CELL, LABEL_WIDTH - 6, row_y(p, y) + 12);
    if (cursor_type(c, 1) == CELL_NULL)
        html_put(h, "(no row)");
    else
        put_short(h, cursor_text(c, 1, NULL), 32);
    html_put(h, "</text>\n");
}

enum { C_X, C_Y, C_PERMITTED, C_ESCAPED, C_REJECTED, C_MISDROPPED, C_MISSING, C_OPEN };

/* The gravest of what happened gives the square its colour and letter. */
static int gravest(struct cursor *c)
{
    static const int order[] = {C_ESCAPED, C_MISSING, C_MISDROPPED, C_REJECTED, C_OPEN};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (cursor_integer(c, order[i]) > 0)
            return order[i];
    return C_PERMITTED;
}

static void put_cell(void *aux, struct cursor *c)
{
    static const char letters[] = "..PERDMN";
    static const char *const words[] = {"",         "",           "permitted", "escaped",
                                        "rejected", "misdropped", "missing",   "not covered"};
    struct picture *p = aux;
    struct html *h = p->html;
    int64_t y = cursor_integer(c, C_Y);
    int what = gravest(c);
    unsigned x = column_x(cursor_integer(c, C_X));
    const char *separator = "";

    if (y < p->first_row || y > p->last_row)
        return;
    html_put(h, "<g><title>");
    for (int i = C_PERMITTED; i <= C_OPEN; i++) {
        if (cursor_integer(c, i) > 0) {
            html_put(h, "%s%" PRId64 " %s", separator, cursor_integer(c, i), words[i]);
            separator = ", ";
        }
    }
    html_put(h, "</title><rect class=%c x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"2\"/>", letters[what], x + 1,
             row_y(p, y) + 1, CELL - 2, CELL - 2);
    if (what != C_PERMITTED)
        html_put(h, "<text class=in x=\"%u\" y=\"%u\">%c</text>", x + CELL / 2, row_y(p, y) + 12, letters[what]);
    html_put(h, "</g>\n");
}

static int put_page(struct picture *p, struct err *reterr)
{
    struct html *h = p->html;

    html_put(
        h,
        "<div class=chart><svg viewBox=\"0 0 %u %u\" style=\"max-width:%upx\" role=\"img\" aria-label=\"Rows of the "
        "document against pairs of hosts\">\n",
        page_width(p), page_height(p), page_width(p) * 5 / 4);
    int rc = report_each(h->job, CELLS " SELECT x, c, s FROM best ORDER BY x", put_column, p, reterr);
    if (rc == 0)
        rc = report_each(h->job,
                         CELLS " SELECT y, r.row_id FROM line LEFT JOIN r USING (position) WHERE y <= 240 ORDER BY y",
                         put_line, p, reterr);
    if (rc == 0)
        rc = report_each(h->job,
                         CELLS " SELECT x, y, CAST(p AS INTEGER), CAST(e AS INTEGER), CAST(j AS INTEGER), CAST(d AS"
                               " INTEGER), CAST(m AS INTEGER), CAST(n AS INTEGER) FROM cell JOIN best USING (c, s)"
                               " JOIN line USING (position) WHERE y <= 240 ORDER BY y, x",
                         put_cell, p, reterr);
    html_put(h, "</svg></div>\n");
    return rc;
}

static void put_legend(struct html *h)
{
    static const struct {
        char letter;
        const char *words;
    } legend[] = {
        {'P', "permitted"},
        {'E', "escaped: no row allows it, and it got through"},
        {'R', "rejected: not allowed, did not get through"},
        {'D', "misdropped: allowed, did not get through"},
        {'M', "missing: required, never tried"},
        {'N', "not covered by this capture"},
    };

    html_put(h, "<div class=legend>");
    for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++)
        html_put(h, "<span><i class=%c>%c</i>%s</span>", legend[i].letter,
                 legend[i].letter == 'P' ? ' ' : legend[i].letter, legend[i].words);
    html_put(h, "</div>\n");
}

static void take_sizes(void *aux, struct cursor *c)
{
    struct picture *p = aux;

    p->n_columns = (uint64_t)cursor_integer(c, 0);
    p->n_rows = (uint64_t)cursor_integer(c, 1);
    char pairs[32], rows[32];
    uint64_t all = (uint64_t)cursor_integer(c, 2);

    if (all > p->n_columns)
        html_par(p->html, "more",
                 "%s of %s pairs of hosts are shown: those with something amiss first, then those that use most rows.",
                 text_count(p->n_columns, pairs), text_count(all, rows));
    if (p->n_rows > MOST_ROWS) {
        html_par(p->html, "more", "The first %d of %s rows are shown.", MOST_ROWS, text_count(p->n_rows, rows));
        p->n_rows = MOST_ROWS;
    }
}

int html_coverage(struct html *h, struct err *reterr)
{
    struct picture p = {.html = h};

    html_heading(h, "coverage", "Coverage: rows of the document and pairs of hosts");
    html_par(h, "",
             "Each square is one row of the document (left) for one pair of hosts, client → server (top). Rows that "
             "nothing used and nothing "
             "was expected of are left out here; they are listed below.");
    put_legend(h);
    int rc = report_each(
        h->job, CELLS " SELECT (SELECT count(*) FROM best), (SELECT count(*) FROM line), (SELECT count(*) FROM pair)",
        take_sizes, &p, reterr);
    if (rc == 0 && p.n_rows == 0)
        html_par(h, "none", "Nothing was seen that a row speaks of.");
    for (p.first_row = 1; rc == 0 && p.first_row <= (int64_t)p.n_rows; p.first_row += ROWS_A_PAGE) {
        p.last_row = p.first_row + ROWS_A_PAGE - 1;
        if (p.last_row > (int64_t)p.n_rows)
            p.last_row = (int64_t)p.n_rows;
        rc = put_page(&p, reterr);
    }
    return rc;
}
