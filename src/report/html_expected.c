/* SPDX-License-Identifier: Apache-2.0 */
/* What the document expects: flows that are missing and on what ground, separation, rows and exceptions against their
 * use. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

#define MOST_ROWS 2000
#define N_OF(a)   (sizeof(a) / sizeof((a)[0]))

#define CLIENT "coalesce(e.client_name || ' (' || e.client || ')', e.client_name, e.client, 'any client of the row')"
#define SERVER "coalesce(e.server_name || ' (' || e.server || ')', e.server_name, e.server, 'any server of the row')"

/* "2026-03-02 10:00:00 to 10:05:00", with the day of the end where it is another; null in a run without windows */
#define WINDOW                                                                                                         \
    "(replace(substr(e.window_start, 1, 19), 'T', ' ') || ' to ' || CASE WHEN substr(e.window_start, 1, 10) = "        \
    "substr(e.window_end, 1, 10) THEN '' ELSE substr(e.window_end, 1, 10) || ' ' END || substr(e.window_end, 12, 8))"

static const char missing_sql[] =
    "SELECT e.outcome, e.row_id, " CLIENT " || ' → ' || " SERVER " || coalesce(', ' || " WINDOW " || ' UTC', ''), e.attempts, e.reason"
    " FROM expectations e WHERE e.run_id = ?1 AND e.outcome <> 'seen' ORDER BY e.outcome IN ('not-covered', 'one-way'), e.expectation_id";

int html_expected(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"Outcome", HTML_BADGE},       {"Row", HTML_CODE}, {"Client → server", HTML_TEXT}, {"Attempts in all", HTML_NUMBER},
        {"On what ground", HTML_SENTENCE},
    };
    static const struct html_column attempts[] = {
        {"Row", HTML_CODE},    {"Service", HTML_TEXT}, {"Client", HTML_TEXT},
        {"Server", HTML_TEXT}, {"Outcome", HTML_TEXT}, {"Flows", HTML_NUMBER}, {"First packet", HTML_TEXT},
    };

    html_heading(h, "missing", "Required flows that are missing or did not get through");
    html_par(h, "soft",
             "That a flow is missing is concluded only where its client was seen alive, was watched for as long as the "
             "site asks, and "
             "too little was lost to explain the silence; else it is not covered, and nothing is concluded.");
    int rc = html_table(h, columns, N_OF(columns),
                        missing_sql,
                        500, "expectations", "Every required flow was seen.", reterr);
    html_put(h, "<h3>Allowed on demand, and did not get through</h3>\n");
    if (rc == 0)
        rc = html_table(
            h, attempts, N_OF(attempts),
            "WITH t AS (SELECT r.row_id, r.service, coalesce(c.client_name, c.client) AS client, coalesce(c.server_name, c.server)"
            " AS server, c.outcome, sum(c.flows) AS flows, min(c.conversation_id) AS first, sum(CASE WHEN c.packets_out + c.packets_in = 0 THEN c.flows ELSE 0 END) AS quoted"
            " FROM conversations c JOIN \"rows\" r ON r.run_id = c.run_id AND r.row_id = c.row_id WHERE c.run_id = ?1"
            " AND c.verdict = 'allowed' AND c.disposition = 'misdropped' AND r.expect = 'on-demand'"
            " GROUP BY r.row_id, c.client, c.server, c.outcome)"
            " SELECT t.row_id, t.service, t.client, t.server, t.outcome || CASE WHEN t.quoted > 0 THEN ' (' || t.quoted || ' known from ICMP errors alone)' ELSE '' END, t.flows, c.first_packet_number || ' of ' || coalesce(i.name, 'an input') FROM t JOIN conversations c ON c.run_id = ?1"
            " AND c.conversation_id = t.first LEFT JOIN inputs i ON i.run_id = ?1 AND i.input_id = c.input_id ORDER BY t.first",
            100, "attempts", "None.", reterr);
    return rc;
}

static void note_windows(void *aux, struct cursor *c)
{
    (void)c;
    *(bool *)aux = true;
}

int html_expectation_table(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"No.", HTML_NUMBER},    {"Row", HTML_CODE},        {"Client", HTML_TEXT},     {"Server", HTML_TEXT},
        {"Outcome", HTML_BADGE}, {"First seen", HTML_TIME}, {"Attempts in all", HTML_NUMBER}, {"Window (UTC)", HTML_TEXT},
    };
    bool windows = false;
    int  rc = report_each(h->job, "SELECT 1 FROM expectations WHERE run_id = ?1 AND window_start IS NOT NULL LIMIT 1", note_windows, &windows, reterr);

    if (rc != 0)
        return rc;
    html_heading(h, "all-expectations", "Table of all expected flows");
    return html_table(h, columns, N_OF(columns) - (windows ? 0 : 1),
                      "SELECT e.expectation_id, e.row_id, " CLIENT ", " SERVER
                      ", e.outcome, e.first_seen, e.attempts, " WINDOW " FROM expectations e"
                      " WHERE e.run_id = ?1 ORDER BY e.expectation_id",
                      MOST_ROWS, "expected flows", "The document requires nothing of this site's hosts.", reterr);
}

/* --- separation --------------------------------------------------------------------------------------------------- */

int html_separation(struct html *h, struct err *reterr)
{
    static const struct html_column findings[] = {
        {"No.", HTML_NUMBER}, {"Severity", HTML_BADGE}, {"Section", HTML_TEXT}, {"Evidence", HTML_SENTENCE}};
    static const struct html_column errors[] = {{"Sender", HTML_CODE},
                                                {"ICMP type", HTML_NUMBER},
                                                {"Code", HTML_NUMBER},
                                                {"Flows", HTML_NUMBER},
                                                {"First packet", HTML_TEXT}};

    html_heading(h, "separation", "Evidence of separation");
    int rc = html_table(h, findings, N_OF(findings),
                        "SELECT finding_id, severity, section, reason FROM findings WHERE run_id = ?1 AND kind = "
                        "'separated' ORDER BY finding_id",
                        200, "findings",
                        "No sign was seen that hosts which the document wants together are kept apart.", reterr);
    html_put(h, "<h3>Who answered in a server's place</h3>\n");
    if (rc == 0)
        rc = html_table(h, errors, N_OF(errors),
                        "SELECT l.icmp_sender, l.icmp_type, l.icmp_code, count(*) AS n, 'packet ' || "
                        "min(l.icmp_packet_number) || coalesce(' of '"
                        " || i.name, '') FROM flows l LEFT JOIN inputs i ON i.run_id = ?1 AND i.input_id = l.input_id "
                        "WHERE l.run_id = ?1"
                        " AND l.icmp_sender IS NOT NULL AND l.icmp_sender NOT IN (l.server, l.client) GROUP BY 1, 2, 3 "
                        "ORDER BY n DESC, 1, 2, 3",
                        50, "senders", "None in the flows that are listed one by one.", reterr);
    html_par(h, "soft", "Of the flows that the record lists one by one: those of findings, and those of allowed conversations where they were asked for (check --flows all).");
    return rc;
}

/* --- rows against their use -----------------------------------------------------------------------------------------
 */

/* Ports that "tcp/5000-5020 udp/5000-5020" allows. */
static uint64_t count_ports(const char *text)
{
    uint64_t n = 0;

    while ((text = strchr(text, '/')) != NULL) {
        char *end;
        unsigned long low = strtoul(text + 1, &end, 10), high = low;

        if (*end == '-')
            high = strtoul(end + 1, &end, 10);
        n += high >= low && high <= UINT16_MAX ? high - low + 1 : 0;
        text = end;
    }
    return n;
}

struct wide {
    struct html *html;
    uint64_t n;
};

enum { W_ROW, W_SERVICE, W_PORTS, W_USED, W_LOW, W_HIGH };

static void put_wide(void *aux, struct cursor *c)
{
    struct wide *w = aux;
    struct html *h = w->html;
    uint64_t allowed = count_ports(cursor_text(c, W_PORTS, NULL)), used = (uint64_t)cursor_integer(c, W_USED);
    char count[32], used_count[32];

    if (used >= allowed || strchr(cursor_text(c, W_PORTS, NULL), '-') == NULL)
        return;
    if (w->n++ == 0)
        html_put(h, "<div class=scroll><table><thead><tr><th>Row<th>Service<th>Allowed<th class=num>Ports allowed<th "
                    "class=num>Ports used"
                    "<th class=time>Used from – to</thead><tbody>\n");
    html_put(h, "<tr><td><code>");
    html_text(h, cursor_text(c, W_ROW, NULL));
    html_put(h, "</code><td>");
    html_text(h, cursor_text(c, W_SERVICE, NULL));
    html_put(h, "<td><code>");
    html_text(h, cursor_text(c, W_PORTS, NULL));
    html_put(h, "</code><td class=num>%s<td class=num>%s<td class=time>%" PRId64 " – %" PRId64 "\n", text_count(allowed, count),
             text_count(used, used_count), cursor_integer(c, W_LOW), cursor_integer(c, W_HIGH));
}

int html_row_use(struct html *h, struct err *reterr)
{
    static const struct html_column unused[] = {{"Row", HTML_CODE},
                                                {"Section", HTML_TEXT},
                                                {"Service", HTML_TEXT},
                                                {"Ports", HTML_TEXT},
                                                {"Expected", HTML_TEXT}};
    struct wide wide = {.html = h};

    html_heading(h, "rows", "Rows that are unused, or wider than their use");
    html_put(h, "<h3>Ranges of which only a part was used</h3>\n");
    int rc = report_each(
        h->job,
        "WITH u AS (SELECT row_id, count(DISTINCT transport || server_port) AS used, min(server_port) AS low, "
        "max(server_port) AS"
        " high FROM conversations WHERE run_id = ?1 AND disposition = 'permitted' AND server_port IS NOT NULL GROUP BY "
        "row_id)"
        " SELECT u.row_id, json_extract(j.value, '$.service'), json_extract(j.value, '$.ports'), u.used, u.low, u.high"
        " FROM runs, json_each(runs.options, '$.rows') j JOIN u ON u.row_id = json_extract(j.value, '$.id')"
        " WHERE runs.run_id = ?1 AND json_valid(runs.options) ORDER BY j.key",
        put_wide, &wide, reterr);
    html_put(h, wide.n > 0 ? "</tbody></table></div>\n" : "<p class=none>None.</p>\n");
    html_put(h, "<h3>Rows in force that nothing used</h3>\n");
    if (rc == 0)
        rc = html_table(h, unused, N_OF(unused),
                        "SELECT r.row_id, r.section, r.service, coalesce(json_extract(j.value, '$.ports'), r.ports), "
                        "r.expect FROM \"rows\" r"
                        " LEFT JOIN json_each((SELECT CASE WHEN json_valid(options) THEN options ELSE '{}' END FROM "
                        "runs WHERE run_id = ?1),"
                        " '$.rows') j ON json_extract(j.value, '$.id') = r.row_id WHERE r.run_id = ?1 AND r.enabled"
                        " AND json_extract(j.value, '$.applies') IS NOT 0 AND r.row_id NOT IN (SELECT row_id FROM "
                        "conversations WHERE run_id = ?1"
                        " AND row_id IS NOT NULL AND verdict = 'allowed') AND r.row_id NOT IN (SELECT row_id FROM requirements WHERE run_id = ?1 AND outcome = 'seen')"
                        " ORDER BY r.position",
                        300, "rows", "Every row in force was used.", reterr);
    html_par(h, "soft",
             "An unused row is no fault: many flows occur on demand. A longer observation, or the owner, tells whether "
             "it can be withdrawn.");
    return rc;
}

/* --- exceptions
 * -------------------------------------------------------------------------------------------------------- */

int html_exceptions(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"Exception", HTML_TEXT}, {"State", HTML_BADGE}, {"Findings waived", HTML_NUMBER},
        {"Client", HTML_TEXT},    {"Server", HTML_TEXT}, {"Port", HTML_CODE},
        {"Owner", HTML_TEXT},     {"Reason", HTML_TEXT}, {"Until", HTML_TEXT},
    };

    html_heading(h, "exceptions", "Exceptions of the site");
    return html_table(
        h, columns, N_OF(columns),
        "WITH w AS (SELECT waived_by, count(*) AS n FROM findings WHERE run_id = ?1 AND waived_by IS NOT NULL GROUP BY "
        "waived_by),"
        " t AS (SELECT substr(max(last_packet), 1, 10) AS day FROM inputs WHERE run_id = ?1),"
        " x AS (SELECT key, json_extract(value, '$.id') AS id, json_extract(value, '$.client') AS client, "
        "json_extract(value,"
        " '$.server') AS server, json_extract(value, '$.port') AS port, json_extract(value, '$.owner') AS owner, "
        "json_extract(value,"
        " '$.reason') AS reason, json_extract(value, '$.until') AS until FROM json_each((SELECT CASE WHEN "
        "json_valid(options) THEN"
        " options ELSE '{}' END FROM runs WHERE run_id = ?1), '$.exceptions'))"
        " SELECT id, CASE WHEN until < t.day THEN 'expired' WHEN w.n > 0 THEN 'used' ELSE 'unused' END, coalesce(w.n, "
        "0), client,"
        " server, port, owner, reason, until FROM x JOIN t LEFT JOIN w ON w.waived_by = x.id ORDER BY key",
        500, "exceptions", "The site has none.", reterr);
}
