/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The coverage picture: rows of the document against pairs of hosts, one square for what became of each.  Pairs beyond
 * a number, those with the least amiss, are left out and counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

#define MOST_PAIRS   36  /* as in the query */
#define MOST_ROWS    240 /* as in the query */
#define ROWS_A_PAGE  54  /* a sheet of paper takes them with heading and legend */
#define CELL         16
#define LABEL_WIDTH  210
#define LABEL_HEIGHT 150

/* Squares: a row (the number past all for none) and a pair, with what there is of it.  What is expected speaks of the same attempts as the
 * conversations do, where there are any. */
#define CELLS                                                                                                          \
    "WITH r AS MATERIALIZED (SELECT row_id, position FROM \"rows\" WHERE run_id = ?1),"                                \
    " raw AS (SELECT coalesce(r.position, 1 << 30) AS position, coalesce(v.client_name, v.client, '(many)') AS c,"     \
    " coalesce(v.server_name, v.server, '(many)') AS s, v.disposition = 'permitted' AS p, v.disposition = 'escaped'"   \
    " AS e, v.disposition = 'rejected' AS j, v.disposition = 'misdropped' AS d, 0 AS m, coalesce(v.disposition, '') = '' AS n, 0 AS xd, 0 AS xn" \
    " FROM conversations v"                                                                                            \
    " LEFT JOIN r ON r.row_id = v.row_id WHERE v.run_id = ?1 AND (v.disposition <> '' OR v.verdict IN ('allowed', 'violation'))" \
    " UNION ALL SELECT r.position, coalesce(x.client_name, x.client, '(any)'), coalesce(x.server_name, x.server,"      \
    " '(any)'), 0, 0, 0, 0, x.outcome = 'never-attempted', 0, x.outcome IN ('refused', 'prohibited', 'unanswered'),"    \
    " x.outcome IN ('not-covered', 'one-way') FROM requirements x JOIN r ON r.row_id = x.row_id WHERE x.run_id = ?1"   \
    " AND x.outcome <> 'seen'),"                                                                                       \
    " cell AS MATERIALIZED (SELECT position, c, s, total(p) AS p, total(e) AS e, total(j) AS j, max(total(d), total(xd)) AS d," \
    " total(m) AS m, max(total(n), total(xn)) AS n FROM raw GROUP BY position, c, s),"                                 \
    " pair AS MATERIALIZED (SELECT c, s, total(e > 0 OR m > 0 OR d > 0) AS amiss, count(*) AS n FROM cell GROUP BY c," \
    " s),"                                                                                                             \
    " best AS MATERIALIZED (SELECT c, s, row_number() OVER (ORDER BY c, s) AS x FROM (SELECT c, s FROM pair ORDER BY " \
    "amiss DESC, n"                                                                                                    \
    " DESC, c, s LIMIT 36)),"                                                                                          \
    " line AS MATERIALIZED (SELECT position, row_number() OVER (ORDER BY position) AS y FROM (SELECT DISTINCT "        \
    "position FROM cell"                                                                                               \
    " JOIN best USING (c, s)))"

/* One square with the names of its line and column; the record is asked once, however many pages there are. */
enum {
    C_X,
    C_Y,
    C_PERMITTED,
    C_ESCAPED,
    C_REJECTED,
    C_MISDROPPED,
    C_MISSING,
    C_OPEN,
    C_CLIENT,
    C_SERVER,
    C_ROW,
    C_SIZES
};

struct square {
    int64_t n[C_CLIENT];
    char *client, *server, *row;
};

struct picture {
    struct html *html;
    struct square *squares;
    size_t n_squares, room;
    uint64_t n_columns, n_rows, n_pairs;
    int64_t first_row, last_row; /* of this page */
};

static void free_squares(struct picture *p)
{
    for (size_t i = 0; i < p->n_squares; i++) {
        free(p->squares[i].client);
        free(p->squares[i].server);
        free(p->squares[i].row);
    }
    free(p->squares);
}

static bool make_room(struct picture *p)
{
    size_t room = p->room == 0 ? 256 : 2 * p->room;

    if (p->n_squares < p->room)
        return true;
    struct square *squares = realloc(p->squares, room * sizeof(*squares));
    if (squares == NULL)
        return false;
    p->squares = squares;
    p->room = room;
    return true;
}

static void take_square(void *aux, struct cursor *c)
{
    struct picture *p = aux;

    if (!make_room(p)) {
        p->html->failed = true;
        return;
    }
    struct square *q = &p->squares[p->n_squares++];
    for (int i = C_X; i < C_CLIENT; i++)
        q->n[i] = cursor_integer(c, i);
    q->client = strdup(cursor_text(c, C_CLIENT, NULL));
    q->server = strdup(cursor_text(c, C_SERVER, NULL));
    q->row = strdup(cursor_type(c, C_ROW) == CELL_NULL ? "(no row)" : cursor_text(c, C_ROW, NULL));
    if (q->client == NULL || q->server == NULL || q->row == NULL)
        p->html->failed = true;
    p->n_columns = (uint64_t)cursor_integer(c, C_SIZES);
    p->n_rows = (uint64_t)cursor_integer(c, C_SIZES + 1);
    p->n_pairs = (uint64_t)cursor_integer(c, C_SIZES + 2);
}

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

static void put_column(const struct picture *p, const struct square *q)
{
    struct html *h = p->html;

    html_put(h, "<text transform=\"translate(%u %d) rotate(-60)\"><title>", column_x(q->n[C_X]) + CELL / 2 + 3,
             LABEL_HEIGHT - 6);
    html_plain(h, q->client);
    html_put(h, " → ");
    html_plain(h, q->server);
    html_put(h, "</title>");
    put_short(h, q->client, 12);
    html_put(h, " → ");
    put_short(h, q->server, 12);
    html_put(h, "</text>\n");
}

static void put_line(const struct picture *p, const struct square *q)
{
    struct html *h = p->html;
    unsigned y = row_y(p, q->n[C_Y]);

    html_put(h, "<path class=grid d=\"M%u %uh%u\"/><text class=mono x=\"%u\" y=\"%u\" text-anchor=\"end\">",
             LABEL_WIDTH, y + CELL, (unsigned)p->n_columns * CELL, LABEL_WIDTH - 6, y + 12);
    put_short(h, q->row, 32);
    html_put(h, "</text>\n");
}

/* The gravest of what happened gives the square its colour and letter. */
static int gravest(const struct square *q)
{
    static const int order[] = {C_ESCAPED, C_MISSING, C_MISDROPPED, C_REJECTED, C_OPEN};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (q->n[order[i]] > 0)
            return order[i];
    return C_PERMITTED;
}

static void put_square(const struct picture *p, const struct square *q)
{
    static const char letters[] = "..PERDMN";
    static const char *const words[] = {"",         "",           "permitted", "escaped",
                                        "rejected", "misdropped", "missing",   "not covered, or cannot be told"};
    struct html *h = p->html;
    int what = gravest(q);
    unsigned x = column_x(q->n[C_X]), y = row_y(p, q->n[C_Y]);
    const char *separator = "";

    html_put(h, "<g><title>");
    for (int i = C_PERMITTED; i <= C_OPEN; i++) {
        if (q->n[i] > 0) {
            html_put(h, "%s%" PRId64 " %s", separator, q->n[i], words[i]);
            separator = ", ";
        }
    }
    html_put(h, "</title><rect class=%c x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"2\"/>", letters[what], x + 1,
             y + 1, CELL - 2, CELL - 2);
    if (what != C_PERMITTED)
        html_put(h, "<text class=in x=\"%u\" y=\"%u\">%c</text>", x + CELL / 2, y + 12, letters[what]);
    html_put(h, "</g>\n");
}

/* Squares come line by line, so the first of a line names it; each column is named by the first square in it. */
static void put_page(const struct picture *p)
{
    struct html *h = p->html;
    bool named[MOST_PAIRS + 1] = {false};
    int64_t line = 0;

    html_put(
        h,
        "<div class=chart><svg viewBox=\"0 0 %u %u\" style=\"max-width:%upx\" role=\"img\" aria-label=\"Rows of the "
        "document against pairs of hosts\">\n",
        page_width(p), page_height(p), page_width(p) * 5 / 4);
    for (size_t i = 0; i < p->n_squares; i++) {
        int64_t x = p->squares[i].n[C_X];

        if (!named[x])
            put_column(p, &p->squares[i]);
        named[x] = true;
    }
    for (size_t i = 0; i < p->n_squares; i++) {
        const struct square *q = &p->squares[i];

        if (q->n[C_Y] < p->first_row || q->n[C_Y] > p->last_row)
            continue;
        if (q->n[C_Y] != line)
            put_line(p, q);
        line = q->n[C_Y];
        put_square(p, q);
    }
    html_put(h, "</svg></div>\n");
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
        {'M', "missing: required, not seen to be tried"},
        {'N', "not covered by this capture, or it cannot tell whether it got through"},
    };

    html_put(h, "<div class=legend>");
    for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++)
        html_put(h, "<span><i class=%c>%c</i>%s</span>", legend[i].letter,
                 legend[i].letter == 'P' ? ' ' : legend[i].letter, legend[i].words);
    html_put(h, "</div>\n");
}

static void put_sizes(struct picture *p)
{
    char shown[32], all[32];

    if (p->n_pairs > p->n_columns)
        html_par(p->html, "more",
                 "%s of %s pairs of hosts are shown: those with something amiss first, then those that use most rows.",
                 text_count(p->n_columns, shown), text_count(p->n_pairs, all));
    if (p->n_rows > MOST_ROWS) {
        html_par(p->html, "more", "The first %d of %s rows are shown.", MOST_ROWS, text_count(p->n_rows, all));
        p->n_rows = MOST_ROWS;
    }
}

static const char squares_sql[] =
    CELLS " SELECT x, y, CAST(p AS INTEGER), CAST(e AS INTEGER), CAST(j AS INTEGER), CAST(d AS INTEGER), CAST(m AS"
          " INTEGER), CAST(n AS INTEGER), c, s, r.row_id, (SELECT count(*) FROM best), (SELECT count(*) FROM line),"
          " (SELECT count(*) FROM pair) FROM cell JOIN best USING (c, s) JOIN line USING (position) LEFT JOIN r"
          " USING (position) WHERE y <= 240 ORDER BY y, x";

int html_coverage(struct html *h, struct err *reterr)
{
    struct picture p = {.html = h};

    html_heading(h, "coverage", "Coverage: rows of the document and pairs of hosts");
    html_par(h, "",
             "Each square is one row of the document (left) for one pair of hosts, client → server (top). Rows that "
             "nothing used and nothing was expected of are left out here; they are listed below.");
    put_legend(h);
    int rc = report_each(h->job, squares_sql, take_square, &p, reterr);
    put_sizes(&p);
    /* Pictures of like height, instead of a last one with a few lines. */
    uint64_t n_pictures = (p.n_rows + ROWS_A_PAGE - 1) / ROWS_A_PAGE;
    int64_t n_lines = n_pictures > 0 ? (int64_t)((p.n_rows + n_pictures - 1) / n_pictures) : 1;
    if (rc == 0 && p.n_rows == 0)
        html_par(h, "none", "Nothing was seen that a row speaks of.");
    for (p.first_row = 1; rc == 0 && !h->failed && p.first_row <= (int64_t)p.n_rows; p.first_row += n_lines) {
        p.last_row = p.first_row + n_lines - 1;
        if (p.last_row > (int64_t)p.n_rows)
            p.last_row = (int64_t)p.n_rows;
        put_page(&p);
    }
    free_squares(&p);
    return rc;
}
