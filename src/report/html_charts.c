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

/* Violations, those too of which nothing tells whether they got through. */
#define IN_TIME                                                                                                        \
    " WHERE run_id = ?1 AND first_seen IS NOT NULL AND severity <> 'notice' AND (disposition IN ('escaped', 'rejected')"\
    " OR (outcome IN ('one-way', 'unanswered') AND coalesce(disposition, '') = ''))"

int html_timeline(struct html *h, struct err *reterr)
{
    struct timeline t = {.html = h};
    int64_t lanes = 0;
    int rc = reader_number(h->job->report->reader,
                           "SELECT count(DISTINCT kind) FROM findings" IN_TIME,
                           &h->job->run_id, 1, &lanes, reterr);

    html_heading(h, "timeline", "Violations in time");
    if (rc != 0 || lanes == 0) {
        html_par(h, "none", "No violation was seen.");
        return rc;
    }
    t.n_lanes = (unsigned)lanes;
    html_put(
        h,
        "<div class=legend><span><i class=E></i>some got through</span><span><i class=R></i>none was seen to get through</span>"
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
            IN_TIME
            " GROUP BY kind, bin ORDER BY kind, bin",
            put_bin, &t, reterr);
    html_put(h, "</svg></div>\n");
    html_par(h, "soft", "Times are UTC; the axis runs from the first packet of the inputs to the last.");
    return rc;
}

/* --- roles ------------------------------------------------------------------------------------------------------ */

#define MOST_EDGES  40 /* as in the query */
#define NODE_HEIGHT 30
#define NODE_WIDTH  240
#define ROLES_WIDTH 860

/* Without the likelihoods SQLite takes a run for ten hosts, and looks through all of them for each conversation. */
#define EDGES                                                                                                          \
    "WITH h AS MATERIALIZED (SELECT address, replace(roles, ',', ', ') AS roles FROM hosts WHERE "                     \
    "likelihood(run_id = ?1, 1.0) AND roles <> ''),"                                                                   \
    " edge AS MATERIALIZED (SELECT coalesce(a.roles, CASE WHEN client IS NULL THEN '(many hosts)' ELSE"                \
    " '(host not of the site)' END) AS c, coalesce(b.roles, CASE WHEN server IS NULL THEN '(many hosts)' ELSE"         \
    " '(host not of the site)' END) AS s, count(*) AS n, total(disposition = 'permitted') AS p, total(disposition ="   \
    " 'misdropped') AS d, total(disposition = 'escaped') AS e, total(disposition = 'rejected') AS r, sum(v.packets)"   \
    " AS packets FROM conversations v LEFT JOIN h a ON a.address = v.client LEFT JOIN h b ON b.address = v.server"     \
    " WHERE likelihood(v.run_id = ?1, 1.0) AND verdict <> 'not-governed' GROUP BY 1, 2),"                              \
    " top AS MATERIALIZED (SELECT * FROM edge ORDER BY e > 0 DESC, r + d > 0 DESC, n DESC, c, s LIMIT 40),"            \
    " left_side AS (SELECT c, row_number() OVER (ORDER BY c) AS y FROM (SELECT DISTINCT c FROM top)),"                 \
    " right_side AS (SELECT s, row_number() OVER (ORDER BY s) AS y FROM (SELECT DISTINCT s FROM top))"

/* The record is asked once; what is drawn and listed comes from here. */
enum { E_LEFT, E_RIGHT, E_N, E_PERMITTED, E_MISDROPPED, E_ESCAPED, E_REJECTED, E_PACKETS, E_ALL, E_CLIENT, E_SERVER };

struct edge {
    int64_t n[E_CLIENT];
    char client[400], server[400]; /* lists of roles; what is longer is cut */
};

struct diagram {
    struct html *html;
    struct edge edges[MOST_EDGES];
    size_t n_edges;
    int64_t height; /* in nodes */
};

static void take_edge(void *aux, struct cursor *c)
{
    struct diagram *d = aux;

    if (d->n_edges == MOST_EDGES)
        return;
    struct edge *e = &d->edges[d->n_edges++];
    for (int i = 0; i < E_CLIENT; i++)
        e->n[i] = cursor_integer(c, i);
    snprintf(e->client, sizeof(e->client), "%s", cursor_text(c, E_CLIENT, NULL));
    snprintf(e->server, sizeof(e->server), "%s", cursor_text(c, E_SERVER, NULL));
    for (int i = E_LEFT; i <= E_RIGHT; i++)
        d->height = e->n[i] > d->height ? e->n[i] : d->height;
}

static unsigned node_y(int64_t y)
{
    return 8 + (unsigned)(y - 1) * NODE_HEIGHT;
}

static char class_of(const struct edge *e)
{
    return e->n[E_ESCAPED] > 0      ? 'E'
           : e->n[E_REJECTED] > 0   ? 'R'
           : e->n[E_MISDROPPED] > 0 ? 'D'
           : e->n[E_PERMITTED] > 0  ? 'P'
                                    : 'N';
}

static void put_edge(struct html *h, const struct edge *e)
{
    unsigned width = log_of((uint64_t)e->n[E_N]), x1 = NODE_WIDTH, x2 = ROLES_WIDTH - NODE_WIDTH, mid = (x1 + x2) / 2;
    unsigned y1 = node_y(e->n[E_LEFT]) + NODE_HEIGHT / 2 - 3, y2 = node_y(e->n[E_RIGHT]) + NODE_HEIGHT / 2 - 3;

    html_put(h, "<path class=\"edge %c\" stroke-width=\"%u.%u\" d=\"M%u %uC%u %u %u %u %u %u\"/>\n", class_of(e),
             1 + width / 2, width % 2 * 5, x1, y1, mid, y1, mid, y2, x2, y2);
}

static void put_node(struct html *h, bool right, int64_t at, const char *name)
{
    unsigned x = right ? ROLES_WIDTH - NODE_WIDTH : 0, y = node_y(at);
    size_t len = strlen(name), most = 36;
    char buf[64];

    if (len > most)
        for (len = most - 1; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80;)
            len--;
    snprintf(buf, sizeof(buf), "%.*s%s", (int)len, name, name[len] != '\0' ? "…" : "");
    html_put(h, "<g><title>");
    html_plain(h, name);
    html_put(h,
             "</title><rect class=node x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"5\"/><text x=\"%u\" y=\"%u\">",
             x, y, NODE_WIDTH, NODE_HEIGHT - 6, x + 10, y + 16);
    html_plain(h, buf);
    html_put(h, "</text></g>\n");
}

/* Each node once, by the first edge that has it. */
static void put_nodes(const struct diagram *d, bool right)
{
    bool done[MOST_EDGES + 1] = {false};

    for (size_t i = 0; i < d->n_edges; i++) {
        int64_t at = d->edges[i].n[right ? E_RIGHT : E_LEFT];

        if (at >= 1 && at <= MOST_EDGES && !done[at]) {
            done[at] = true;
            put_node(d->html, right, at, right ? d->edges[i].server : d->edges[i].client);
        }
    }
}

/* The gravest edges stand first in the list, and are drawn last, on top. */
static void put_diagram(const struct diagram *d)
{
    struct html *h = d->html;

    html_put(
        h,
        "<div class=chart><svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Conversations from role to role\">\n"
        "<g>\n",
        ROLES_WIDTH, node_y(d->height + 1) + 4);
    for (size_t i = d->n_edges; i > 0; i--)
        put_edge(h, &d->edges[i - 1]);
    html_put(h, "</g>\n");
    put_nodes(d, false);
    put_nodes(d, true);
    html_put(h, "</svg></div>\n");
}

static void put_edge_table(const struct diagram *d)
{
    static const int columns[] = {E_N, E_PERMITTED, E_MISDROPPED, E_ESCAPED, E_REJECTED, E_PACKETS};
    struct html *h = d->html;
    char count[32];

    html_put(
        h, "<div class=scroll><table><thead><tr><th>Client's roles<th>Server's roles<th class=num>Conversations<th "
           "class=num>permitted"
           "<th class=num>misdropped<th class=num>escaped<th class=num>rejected<th class=num>Packets</thead><tbody>\n");
    for (size_t i = 0; i < d->n_edges; i++) {
        const struct edge *e = &d->edges[i];

        html_put(h, "<tr><td>");
        html_text(h, e->client);
        html_put(h, "<td>");
        html_text(h, e->server);
        for (size_t k = 0; k < N_OF(columns); k++)
            html_put(h, e->n[columns[k]] == 0 ? "<td class=\"num zero\">%s" : "<td class=num>%s",
                     text_count((uint64_t)e->n[columns[k]], count));
        html_put(h, "\n");
    }
    html_put(h, "</tbody></table></div>\n");
    if ((uint64_t)d->edges[0].n[E_ALL] > d->n_edges)
        html_par(h, "more", "%s more pairs of roles are in the record and not shown here.",
                 text_count((uint64_t)d->edges[0].n[E_ALL] - d->n_edges, count));
}

static const char edges_sql[] = EDGES
    " SELECT l.y, r.y, t.n, CAST(p AS INTEGER), CAST(d AS INTEGER), CAST(e AS INTEGER), CAST(t.r AS INTEGER), packets,"
    " (SELECT count(*) FROM edge), c, s FROM top t JOIN left_side l USING (c) JOIN right_side r USING (s)"
    " ORDER BY e > 0 DESC, t.r > 0 OR d > 0 DESC, t.n DESC, c, s";

int html_roles(struct html *h, struct err *reterr)
{
    struct diagram d = {.html = h};

    html_heading(h, "roles", "Conversations from role to role");
    int rc = report_each(h->job, edges_sql, take_edge, &d, reterr);
    if (rc != 0 || d.n_edges == 0) {
        html_par(h, "none", "No conversation was judged.");
        return rc;
    }
    html_put(h, "<div class=legend><span><i class=P></i>all permitted</span><span><i class=E></i>some "
                "escaped</span><span><i class=R></i>some "
                "rejected</span><span><i class=D></i>some misdropped</span><span><i "
                "class=N></i>undocumented</span><span>Clients left, servers "
                "right; the width is the number of conversations, logarithmic.</span></div>\n");
    put_diagram(&d);
    put_edge_table(&d);
    return 0;
}
