/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings: the gravest first, each told whole, like ones (a scan) once with their number; then a table of all.  Both
 * end at a stated number.
 */
#include <inttypes.h>
#include <string.h>

#include "html.h"

#define MOST_CARDS "200"
#define MOST_ROWS  2000
#define MOST_PROOF 5
#define N_OF(a)    (sizeof(a) / sizeof((a)[0]))

/* Groups of like findings, without their sentences: small enough to sort by the hundred thousand. */
#define GROUPS                                                                                                         \
    "WITH g AS (SELECT severity, kind, client, client_name, server, server_name, min(finding_id) AS first,"             \
    " max(finding_id) AS last, count(*) AS n, sum(flows) AS flows, sum(packets) AS packets, sum(bytes) AS bytes, min(first_seen) AS first_seen,"         \
    " max(last_seen) AS last_seen, transport, protocol,"                                                                \
    " min(coalesce(outcome, '')) IS NOT max(coalesce(outcome, '')) AS outcomes, min(coalesce(disposition, '')) IS NOT max(coalesce(disposition, '')) AS dispositions FROM findings" \
    " WHERE run_id = ?1 AND waived_by IS NULL AND severity <> 'notice' AND kind NOT IN ('missing', 'misdropped')"      \
    " GROUP BY severity, kind, client, client_name, server, server_name, transport, protocol, CASE WHEN kind ="        \
    " 'separated' THEN finding_id END)"

enum {
    F_ID,
    F_SEVERITY,
    F_KIND,
    F_CLIENT_NAME,
    F_CLIENT,
    F_SERVER_NAME,
    F_SERVER,
    F_TRANSPORT,
    F_PORTS,
    F_PROTOCOL,
    F_N,
    F_FLOWS,
    F_PACKETS,
    F_BYTES,
    F_FIRST,
    F_LAST,
    F_REASON,
    F_OUTCOME,
    F_DISPOSITION,
    F_PARENT,
    F_SECTION,
    F_ROW,
    F_CONVERSATION,
    F_LAST_ID,
};

static const char cards_sql[] = GROUPS
    ", t AS MATERIALIZED (SELECT *, " SEVERITY_RANK " AS rank FROM g ORDER BY rank, first LIMIT " MOST_CARDS ")"
    PORT_LISTS("(SELECT t.first AS key, x.server_port AS port FROM findings x CROSS JOIN t ON t.severity = x.severity AND t.kind = x.kind"
               " AND t.client IS x.client AND t.client_name IS x.client_name AND t.server IS x.server AND t.server_name IS x.server_name"
               " AND t.transport IS x.transport AND t.protocol IS x.protocol AND x.finding_id BETWEEN t.first AND t.last"
               " WHERE x.run_id = ?1 AND x.waived_by IS NULL)")
    " SELECT f.finding_id, f.severity, f.kind, f.client_name, f.client, f.server_name, f.server, f.transport,"
    " words, f.protocol, g.n, g.flows, g.packets, g.bytes, g.first_seen, g.last_seen, f.reason,"
    " CASE WHEN g.outcomes THEN 'outcomes differ' ELSE f.outcome END, CASE WHEN NOT g.dispositions THEN f.disposition END, f.parent, f.section, f.row_id, f.conversation_id, g.last"
    " FROM t g LEFT JOIN port_lists ON key = g.first"
    " JOIN findings f ON f.run_id = ?1 AND f.finding_id = g.first ORDER BY rank, first";

/* --- a card ---------------------------------------------------------------------------------------------------- */

static void begin_term(struct html *h, const char *term)
{
    html_put(h, "<dt>%s<dd>", term);
}

static void put_hosts(struct html *h, struct cursor *c)
{
    char client[TEXT_SIZE], server[TEXT_SIZE];

    if (cursor_type(c, F_CLIENT) == CELL_NULL && cursor_type(c, F_SERVER) == CELL_NULL &&
        cursor_type(c, F_CLIENT_NAME) == CELL_NULL && cursor_type(c, F_SERVER_NAME) == CELL_NULL)
        return;
    begin_term(h, "Hosts");
    html_text(
        h, text_host(cursor_text(c, F_CLIENT_NAME, NULL), cursor_text(c, F_CLIENT, NULL), "several clients", client));
    html_put(h, " → ");
    html_text(
        h, text_host(cursor_text(c, F_SERVER_NAME, NULL), cursor_text(c, F_SERVER, NULL), "several servers", server));
}

static void put_service(struct html *h, struct cursor *c)
{
    if (cursor_type(c, F_TRANSPORT) == CELL_NULL)
        return;
    begin_term(h, "Service");
    html_text(h, cursor_text(c, F_TRANSPORT, NULL));
    html_put(h, cursor_type(c, F_PORTS) == CELL_NULL ? ", many ports" : "/");
    html_plain(h, cursor_text(c, F_PORTS, NULL));
    if (cursor_type(c, F_PROTOCOL) != CELL_NULL) {
        html_put(h, ", ");
        html_text(h, cursor_text(c, F_PROTOCOL, NULL));
    }
}

static void put_clause(struct html *h, struct cursor *c)
{
    const char *section = cursor_text(c, F_SECTION, NULL), *row = cursor_text(c, F_ROW, NULL);

    begin_term(h, "Clause");
    if (section[0] != '\0') {
        html_put(h, "“");
        html_text(h, section);
        html_put(h, "”");
    } else {
        html_put(h, "no section of the document speaks of this");
    }
    if (row[0] != '\0') {
        html_put(h, ", row <code>");
        html_text(h, row);
        html_put(h, "</code>");
    }
}

static void put_traffic(struct html *h, struct cursor *c)
{
    char flows[32], packets[32], bytes[32], span[64];
    uint64_t n_flows = (uint64_t)cursor_integer(c, F_FLOWS), n_packets = (uint64_t)cursor_integer(c, F_PACKETS);

    if (n_packets > 0) {
        begin_term(h, "Traffic");
        html_put(h, "%s %s, %s %s, %s", text_count(n_flows, flows), text_plural(n_flows, "flow", "flows"),
                 text_count(n_packets, packets), text_plural(n_packets, "packet", "packets"),
                 text_bytes((uint64_t)cursor_integer(c, F_BYTES), bytes));
    }
    if (cursor_type(c, F_FIRST) != CELL_NULL) {
        begin_term(h, "Seen");
        html_text(h, text_span(cursor_text(c, F_FIRST, NULL), cursor_text(c, F_LAST, NULL), span));
    }
    if (cursor_type(c, F_OUTCOME) != CELL_NULL) {
        begin_term(h, "Outcome");
        html_text(h, cursor_text(c, F_OUTCOME, NULL));
        if (cursor_text(c, F_DISPOSITION, NULL)[0] != '\0') {
            html_put(h, ", ");
            html_text(h, cursor_text(c, F_DISPOSITION, NULL));
        }
    }
    if (cursor_type(c, F_PARENT) != CELL_NULL) {
        begin_term(h, "Negotiated in");
        html_text(h, cursor_text(c, F_PARENT, NULL));
    }
}

static int put_proof(struct html *h, int64_t conversation, struct err *reterr)
{
    const int64_t args[] = {h->job->run_id, conversation, MOST_PROOF};
    struct cursor *c;
    uint64_t n = 0;
    int rc = reader_query(h->job->report->reader,
                          "SELECT i.name, l.first_packet_number, l.community_id, l.client, l.client_port FROM flows l"
                          " LEFT JOIN inputs i ON i.run_id = ?1 AND i.input_id = l.input_id WHERE l.run_id = ?1"
                          " AND l.conversation_id = ?2 ORDER BY l.flow_id LIMIT ?3",
                          args, N_OF(args), &c, reterr);

    if (rc != 0)
        return rc;
    while ((rc = cursor_next(c, reterr)) == 1) {
        if (n++ == 0)
            begin_term(h, "Evidence");
        else
            html_put(h, "<br>");
        html_put(h, "packet %" PRId64 " of ", cursor_integer(c, 1));
        html_text(h, cursor_text(c, 0, NULL));
        if (cursor_type(c, 2) != CELL_NULL) {
            html_put(h, ", Community ID <code>");
            html_text(h, cursor_text(c, 2, NULL));
            html_put(h, "</code>");
        }
    }
    cursor_free(c);
    return rc;
}

struct cards {
    struct html *html;
    struct err *err;
    int rc;
    uint64_t n, n_told;
};

static void put_card(void *aux, struct cursor *c)
{
    struct cards *cards = aux;
    struct html *h = cards->html;
    const char *severity = cursor_text(c, F_SEVERITY, NULL);
    uint64_t n = (uint64_t)cursor_integer(c, F_N);
    char count[32];

    cards->n++;
    cards->n_told += n;
    html_put(h, "<article class=\"card ");
    html_plain(h, severity);
    html_put(h, "\" id=\"f%" PRId64 "\"><h4><span>#%" PRId64 "</span><span class=\"badge ", cursor_integer(c, F_ID),
             cursor_integer(c, F_ID));
    html_plain(h, severity);
    html_put(h, "\">");
    html_text(h, severity);
    html_put(h, "</span><span>");
    html_text(h, cursor_text(c, F_KIND, NULL));
    if (n > 1)
        html_put(h, ", %s like findings, the last one #%" PRId64, text_count(n, count), cursor_integer(c, F_LAST_ID));
    html_put(h, "</span></h4><p>%s", n > 1 ? "For example: " : "");
    html_text(h, cursor_text(c, F_REASON, NULL));
    html_put(h, "</p><dl>");
    put_hosts(h, c);
    put_service(h, c);
    put_clause(h, c);
    put_traffic(h, c);
    if (cards->rc == 0 && cursor_type(c, F_CONVERSATION) == CELL_INTEGER)
        cards->rc = put_proof(h, cursor_integer(c, F_CONVERSATION), cards->err);
    html_put(h, "</dl></article>\n");
}

/* --- the parts --------------------------------------------------------------------------------------------------- */

static int put_waived(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"No.", HTML_NUMBER}, {"Waived by", HTML_TEXT}, {"Severity", HTML_BADGE},
        {"Kind", HTML_TEXT},  {"Finding", HTML_WIDE},   {"First seen", HTML_TIME},
    };
    static const struct html_column notices[] = {{"No.", HTML_NUMBER}, {"Kind", HTML_TEXT}, {"Notice", HTML_WIDE}};

    html_put(h, "<h3>Waived by exceptions of the site</h3>\n");
    int rc = html_table(h, columns, N_OF(columns),
                        "SELECT finding_id, waived_by, severity, kind, reason, first_seen FROM findings WHERE run_id ="
                        " ?1 AND waived_by IS NOT NULL ORDER BY finding_id",
                        200, "waived findings", "None.", reterr);
    html_put(h, "<h3>Notices</h3>\n");
    if (rc == 0)
        rc = html_table(h, notices, N_OF(notices),
                        "SELECT finding_id, kind, reason FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND"
                        " severity = 'notice' ORDER BY finding_id",
                        200, "notices", "None.", reterr);
    return rc;
}

int html_findings(struct html *h, struct err *reterr)
{
    struct cards cards = {.html = h, .err = reterr};
    int64_t all = 0;
    char told[32], of[32];

    html_heading(h, "findings", "Findings");
    int rc = report_each(h->job, cards_sql, put_card, &cards, reterr);
    if (rc == 0)
        rc = cards.rc;
    if (rc == 0)
        rc = reader_number(h->job->report->reader,
                           "SELECT count(*) FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND severity <>"
                           " 'notice' AND kind NOT IN ('missing', 'misdropped')",
                           &h->job->run_id, 1, &all, reterr);
    if (cards.n == 0)
        html_par(h, "none", "None.");
    if ((uint64_t)all > cards.n_told)
        html_par(h, "more",
                 "The entries above stand for %s of %s findings, the gravest; all are in the record (flowaudit report "
                 "--format csv).",
                 text_count(cards.n_told, told), text_count((uint64_t)all, of));
    return rc == 0 ? put_waived(h, reterr) : rc;
}

int html_finding_table(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"No.", HTML_NUMBER},   {"Severity", HTML_BADGE},  {"Kind", HTML_TEXT},
        {"Client", HTML_TEXT},  {"Server", HTML_TEXT},     {"Service", HTML_TEXT},
        {"Outcome", HTML_TEXT}, {"First seen", HTML_TIME}, {"Row or exception", HTML_TEXT},
    };

    html_heading(h, "all-findings", "Table of all findings");
    return html_table(
        h, columns, N_OF(columns),
        "SELECT finding_id, severity, kind, CASE WHEN client_name IS NOT NULL AND client IS NOT NULL THEN client_name "
        "|| ' ' ||"
        " client ELSE coalesce(client_name, client) END, CASE WHEN servers IS NOT NULL THEN servers"
        " WHEN server_name IS NOT NULL AND server IS NOT NULL THEN server_name || ' ' || server ELSE coalesce(server_name, server) END,"
        " transport || coalesce('/' || server_port, ', many ports') || coalesce(' ' || protocol, ''), "
        "coalesce(nullif(disposition,"
        " ''), outcome), first_seen, CASE WHEN waived_by IS NULL THEN row_id ELSE 'waived by ' || waived_by END FROM "
        "findings WHERE run_id = ?1"
        " ORDER BY finding_id",
        MOST_ROWS, "findings", "There is no finding.", reterr);
}
