/* SPDX-License-Identifier: Apache-2.0 */
/* When violations happened, and which roles spoke with which: two pictures whose size does not grow with the record. */
#include <inttypes.h>
#include <string.h>

#include "html.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* log2, rounded up, of the number and one. */
static unsigned log_of(uint64_t n)
{
    unsigned bits = 0;

    for (; n > 0; n >>= 1)
        bits++;
    return bits;
}

/* --- the timeline --------------------------------------------------------------------------------------------- */

#define N_BINS      120
#define LANE_HEIGHT 34
#define LANE_LABEL  130
#define BIN_WIDTH   7

#define SPAN                                                                                                           \
    "WITH t AS (SELECT julianday(min(first_packet)) AS a, julianday(max(last_packet)) AS b FROM inputs WHERE run_id "  \
    "= "                                                                                                               \
    "?1)"

struct timeline {
    struct html *html;
    char kind[64];
    unsigned lane, n_lanes;
};

static void put_tick(void *aux, struct cursor *c)
{
    struct timeline *t = aux;
    int64_t k = cursor_integer(c, 0);
    unsigned x = LANE_LABEL + (unsigned)k * N_BINS * BIN_WIDTH / 4, bottom = t->n_lanes * LANE_HEIGHT + 8;

    html_put(t->html, "<path class=grid d=\"M%u 4V%u\"/><text class=soft x=\"%u\" y=\"%u\" text-anchor=\"%s\">", x,
             bottom, x, bottom + 14,
             k == 0   ? "start"
             : k == 4 ? "end"
                      : "middle");
    html_plain(t->html, cursor_text(c, 1, NULL));
    html_put(t->html, "</text>\n");
}

static void put_bin(void *aux, struct cursor *c)
{
    struct timeline *t = aux;
    struct html *h = t->html;
    const char *kind = cursor_text(c, 0, NULL);
    int64_t bin = cursor_integer(c, 1);
    uint64_t n = (uint64_t)cursor_integer(c, 2), escaped = (uint64_t)cursor_integer(c, 3);
    unsigned height = 6 + 2 * log_of(n);

    if (strcmp(kind, t->kind) != 0 || t->lane == 0) {
        snprintf(t->kind, sizeof(t->kind), "%s", kind);
        html_put(h, "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">", LANE_LABEL - 10, t->lane * LANE_HEIGHT + 30);
        html_plain(h, kind);
        html_put(h, "</text><path class=grid d=\"M%d %uh%d\"/>\n", LANE_LABEL, t->lane * LANE_HEIGHT + 34,
                 N_BINS * BIN_WIDTH);
        t->lane++;
    }
    if (height > LANE_HEIGHT - 4)
        height = LANE_HEIGHT - 4;
    if (bin < 0)
        bin = 0;
    html_put(h,
             "<rect class=%c x=\"%u\" y=\"%u\" width=\"%d\" height=\"%u\"><title>%" PRIu64 " %s, %" PRIu64
             " got through</title></rect>\n",
             escaped > 0 ? 'E' : 'R', LANE_LABEL + (unsigned)bin * BIN_WIDTH, t->lane * LANE_HEIGHT - height,
             BIN_WIDTH - 1, height, n, text_plural(n, "finding", "findings"), escaped);
}

int html_timeline(struct html *h, struct err *reterr)
{
    struct timeline t = {.html = h};
    int64_t lanes = 0;
    int rc = reader_number(h->job->report->reader,
                           "SELECT count(DISTINCT kind) FROM findings WHERE run_id = ?1 AND first_seen IS NOT NULL AND "
                           "severity <> 'notice'"
                           " AND disposition IN ('escaped', 'rejected')",
                           &h->job->run_id, 1, &lanes, reterr);

    html_heading(h, "timeline", "Violations in time");
    if (rc != 0 || lanes == 0) {
        html_par(h, "none", "No violation was seen.");
        return rc;
    }
    t.n_lanes = (unsigned)lanes;
    html_put(
        h,
        "<div class=legend><span><i class=E></i>some got through</span><span><i class=R></i>none got through</span>"
        "<span>Height: the number of findings that begin there, logarithmic.</span></div>\n"
        "<div class=chart><svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Violations in time\">\n",
        LANE_LABEL + N_BINS * BIN_WIDTH + 8, t.n_lanes * LANE_HEIGHT + 30);
    rc = report_each(
        h->job,
        SPAN ", k(k) AS (VALUES (0), (1), (2), (3), (4)) SELECT k, strftime(CASE WHEN b - a < 1 THEN '%H:%M:%S' ELSE"
             " '%Y-%m-%d %H:%M' END, a + (b - a) * k / 4) FROM t, k ORDER BY k",
        put_tick, &t, reterr);
    if (rc == 0)
        rc = report_each(
            h->job,
            SPAN
            " SELECT kind, min(119, CAST(CASE WHEN b > a THEN (julianday(first_seen) - a) / (b - a) * 120 ELSE 0 END AS"
            " INTEGER)) AS bin, count(*), CAST(total(disposition = 'escaped') AS INTEGER) FROM findings, t"
            " WHERE run_id = ?1 AND first_seen IS NOT NULL AND severity <> 'notice' AND disposition IN ('escaped', "
            "'rejected')"
            " GROUP BY kind, bin ORDER BY kind, bin",
            put_bin, &t, reterr);
    html_put(h, "</svg></div>\n");
    html_par(h, "soft", "Times are UTC; the axis runs from the first packet of the inputs to the last.");
    return rc;
}

/* --- roles ------------------------------------------------------------------------------------------------------ */

#define MOST_EDGES  40
#define NODE_HEIGHT 30
#define NODE_WIDTH  240
#define ROLES_WIDTH 860

#define EDGES                                                                                                          \
    "WITH h AS MATERIALIZED (SELECT address, replace(roles, ',', ', ') AS roles FROM hosts WHERE run_id = ?1 AND "     \
    "roles"                                                                                                            \
    " <> ''),"                                                                                                         \
    " edge AS MATERIALIZED (SELECT coalesce(a.roles, CASE WHEN client IS NULL THEN '(many hosts)' ELSE"                \
    " '(host not of the site)' END) AS c, coalesce(b.roles, CASE WHEN server IS NULL THEN '(many hosts)' ELSE"         \
    " '(host not of the site)' END) AS s, count(*) AS n, total(disposition = 'permitted') AS p, total(disposition ="   \
    " 'misdropped') AS d, total(disposition = 'escaped') AS e, total(disposition = 'rejected') AS r, sum(v.packets)"   \
    " AS packets FROM conversations v LEFT JOIN h a ON a.address = v.client LEFT JOIN h b ON b.address = v.server"     \
    " WHERE run_id = ?1 AND verdict <> 'not-governed' GROUP BY 1, 2),"                                                 \
    " top AS (SELECT * FROM edge ORDER BY e > 0 DESC, r + d > 0 DESC, n DESC, c, s LIMIT 40),"                         \
    " left_side AS (SELECT c, row_number() OVER (ORDER BY c) AS y FROM (SELECT DISTINCT c FROM top)),"                 \
    " right_side AS (SELECT s, row_number() OVER (ORDER BY s) AS y FROM (SELECT DISTINCT s FROM top))"

struct diagram {
    struct html *html;
    bool right;
};

static unsigned node_y(int64_t y)
{
    return 8 + (unsigned)(y - 1) * NODE_HEIGHT;
}

static void put_edge(void *aux, struct cursor *c)
{
    struct diagram *d = aux;
    struct html *h = d->html;
    uint64_t n = (uint64_t)cursor_integer(c, 2);
    char class = cursor_integer(c, 5) > 0   ? 'E'
                 : cursor_integer(c, 6) > 0 ? 'R'
                 : cursor_integer(c, 4) > 0 ? 'D'
                 : cursor_integer(c, 3) > 0 ? 'P'
                                            : 'N';
    unsigned y1 = node_y(cursor_integer(c, 0)) + NODE_HEIGHT / 2 - 3,
             y2 = node_y(cursor_integer(c, 1)) + NODE_HEIGHT / 2 - 3;
    unsigned x1 = NODE_WIDTH, x2 = ROLES_WIDTH - NODE_WIDTH, mid = (x1 + x2) / 2;

    html_put(h, "<path class=\"edge %c\" stroke-width=\"%u.%u\" d=\"M%u %uC%u %u %u %u %u %u\"/>\n", class,
             1 + log_of(n) / 2, log_of(n) % 2 * 5, x1, y1, mid, y1, mid, y2, x2, y2);
}

static void put_node(void *aux, struct cursor *c)
{
    struct diagram *d = aux;
    struct html *h = d->html;
    unsigned x = d->right ? ROLES_WIDTH - NODE_WIDTH : 0, y = node_y(cursor_integer(c, 0));
    const char *name = cursor_text(c, 1, NULL);
    size_t len = strlen(name), most = 36;

    html_put(h, "<g><title>");
    html_plain(h, name);
    html_put(h,
             "</title><rect class=node x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"5\"/><text x=\"%u\" y=\"%u\">",
             x, y, NODE_WIDTH, NODE_HEIGHT - 6, x + 10, y + 16);
    if (len > most) {
        char buf[64];

        for (len = most - 1; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80;)
            len--;
        snprintf(buf, sizeof(buf), "%.*s…", (int)len, name);
        html_plain(h, buf);
    } else {
        html_plain(h, name);
    }
    html_put(h, "</text></g>\n");
}

static int put_diagram(struct html *h, int64_t height, struct err *reterr)
{
    struct diagram d = {.html = h};

    html_put(
        h,
        "<div class=chart><svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Conversations from role to role\">\n"
        "<g>\n",
        ROLES_WIDTH, node_y(height + 1) + 4);
    int rc = report_each(
        h->job,
        EDGES " SELECT l.y, r.y, t.n, CAST(p AS INTEGER), CAST(d AS INTEGER), CAST(e AS INTEGER), CAST(t.r AS INTEGER)"
              " FROM top t JOIN left_side l USING (c) JOIN right_side r USING (s)"
              " ORDER BY e > 0, t.r > 0, d > 0, l.y, r.y",
        put_edge, &d, reterr);
    html_put(h, "</g>\n");
    if (rc == 0)
        rc = report_each(h->job, EDGES " SELECT y, c FROM left_side ORDER BY y", put_node, &d, reterr);
    d.right = true;
    if (rc == 0)
        rc = report_each(h->job, EDGES " SELECT y, s FROM right_side ORDER BY y", put_node, &d, reterr);
    html_put(h, "</svg></div>\n");
    return rc;
}

int html_roles(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"Client's roles", HTML_TEXT}, {"Server's roles", HTML_TEXT}, {"Conversations", HTML_NUMBER},
        {"permitted", HTML_NUMBER},    {"misdropped", HTML_NUMBER},   {"escaped", HTML_NUMBER},
        {"rejected", HTML_NUMBER},     {"Packets", HTML_NUMBER},
    };
    int64_t height = 0;

    html_heading(h, "roles", "Conversations from role to role");
    int rc = reader_number(h->job->report->reader,
                           EDGES " SELECT max((SELECT count(*) FROM left_side), (SELECT count(*) FROM right_side))",
                           &h->job->run_id, 1, &height, reterr);
    if (rc != 0 || height == 0) {
        html_par(h, "none", "No conversation was judged.");
        return rc;
    }
    html_put(h, "<div class=legend><span><i class=P></i>all permitted</span><span><i class=E></i>some "
                "escaped</span><span><i class=R></i>some "
                "rejected</span><span><i class=D></i>some misdropped</span><span><i "
                "class=N></i>undocumented</span><span>Clients left, servers "
                "right; the width is the number of conversations, logarithmic.</span></div>\n");
    rc = put_diagram(h, height, reterr);
    if (rc == 0)
        rc = html_table(h, columns, N_OF(columns),
                        EDGES " SELECT c, s, n, CAST(p AS INTEGER), CAST(d AS INTEGER), CAST(e AS INTEGER), CAST(r AS "
                              "INTEGER), packets FROM edge"
                              " ORDER BY e > 0 DESC, r + d > 0 DESC, n DESC, c, s",
                        MOST_EDGES, "pairs of roles", "", reterr);
    return rc;
}
