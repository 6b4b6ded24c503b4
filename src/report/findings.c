/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings in words.  Many like ones of one client against one server (a scan) are told once, with their number; the
 * record has each of them.
 */
#include <inttypes.h>
#include <string.h>

#include "text.h"

#define FOLD_FROM    4  /* like findings from which on they are told as one */
#define MOST_ENTRIES 30 /* of one list */

/* One row for each finding with what it shares with its like; the WHERE of the list goes in between. */
#define FINDINGS_HEAD                                                                                                  \
    "WITH f AS MATERIALIZED (SELECT *, " SEVERITY_RANK " AS rank, count(*) OVER w AS n_like,"                                       \
    " row_number() OVER (w ORDER BY finding_id) AS nth, sum(flows) OVER w AS like_flows,"                              \
    " sum(packets) OVER w AS like_packets, sum(bytes) OVER w AS like_bytes, min(first_seen) OVER w AS like_first,"     \
    " max(last_seen) OVER w AS like_last, max(finding_id) OVER w AS last_id,"       \
    " min(finding_id) OVER w AS first_id,"                                                                             \
    " min(coalesce(outcome, '')) OVER w IS NOT max(coalesce(outcome, '')) OVER w AS outcomes,"                                                      \
    " min(coalesce(disposition, '')) OVER w IS NOT max(coalesce(disposition, '')) OVER w AS dispositions"                                           \
    " FROM findings WHERE run_id = ?1 AND "
#define FINDINGS_TAIL                                                                                                  \
    " WINDOW w AS (PARTITION BY severity, kind, client, client_name, server, server_name, waived_by, transport,"         \
    " CASE WHEN transport IS NOT NULL THEN protocol END))"                                                             \
    PORT_LISTS("(SELECT first_id AS key, server_port AS port FROM f WHERE n_like > 1)")                                \
    " SELECT finding_id, severity, kind, client_name, f.client, server_name, f.server, f.transport, f.server_port,"    \
    " f.protocol, f.flows, f.packets, f.bytes, f.first_seen, f.last_seen, reason, outcome, disposition, waived_by,"    \
    " parent, section, row_id, n_like, nth, like_flows, like_packets, like_bytes, like_first, like_last, words,"       \
    " l.input_id, l.first_packet_number, l.community_id, i.name,"                                           \
    " CASE WHEN nth = 1 AND n_like > 1 AND kind IN ('missing', 'misdropped') THEN (SELECT group_concat(row_id, ', ')"  \
    "  FROM (SELECT g.row_id FROM findings g WHERE g.run_id = ?1 AND g.severity = f.severity AND g.kind = f.kind"      \
    "  AND g.client IS f.client AND g.client_name IS f.client_name AND g.server IS f.server"                           \
    "  AND g.server_name IS f.server_name AND g.waived_by IS f.waived_by ORDER BY g.finding_id LIMIT 20)) END, last_id, outcomes, dispositions, servers" \
    " FROM f LEFT JOIN flows l ON l.run_id = ?1 AND l.conversation_id = f.conversation_id AND l.flow_id ="             \
    " (SELECT min(flow_id) FROM flows WHERE run_id = ?1 AND conversation_id = f.conversation_id)"                      \
    " LEFT JOIN port_lists ON nth = 1 AND key = finding_id"                                                            \
    " LEFT JOIN inputs i ON i.run_id = ?1 AND i.input_id = l.input_id ORDER BY rank, finding_id"

enum {
    F_ID,
    F_SEVERITY,
    F_KIND,
    F_CLIENT_NAME,
    F_CLIENT,
    F_SERVER_NAME,
    F_SERVER,
    F_TRANSPORT,
    F_PORT,
    F_PROTOCOL,
    F_FLOWS,
    F_PACKETS,
    F_BYTES,
    F_FIRST,
    F_LAST,
    F_REASON,
    F_OUTCOME,
    F_DISPOSITION,
    F_WAIVED,
    F_PARENT,
    F_SECTION,
    F_ROW,
    F_N_LIKE,
    F_NTH,
    F_LIKE_FLOWS,
    F_LIKE_PACKETS,
    F_LIKE_BYTES,
    F_LIKE_FIRST,
    F_LIKE_LAST,
    F_LIKE_PORTS,
    F_INPUT,
    F_PACKET,
    F_COMMUNITY_ID,
    F_INPUT_NAME,
    F_LIKE_ROWS,
    F_LAST_ID,
    F_OUTCOMES,     /* like findings do not have all the same outcome ... */
    F_DISPOSITIONS, /* ... or disposition */
    F_SERVERS,
};

struct list {
    struct text *text;
    const char *heading;
    uint64_t n;
};

static bool is_folded(const struct text *t, struct cursor *c)
{
    return cursor_integer(c, F_N_LIKE) >= FOLD_FROM && !t->job->query->verbose;
}

enum style text_severity_style(const char *severity)
{
    if (strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0)
        return STYLE_BAD;
    return strcmp(severity, "medium") == 0 ? STYLE_WARN : STYLE_BOLD;
}

static const char *service_of(struct cursor *c, bool folded, char buf[static TEXT_SIZE])
{
    const char *transport = cursor_text(c, F_TRANSPORT, NULL), *protocol = cursor_text(c, F_PROTOCOL, NULL);
    const char *ports = cursor_text(c, F_LIKE_PORTS, NULL);

    if (transport[0] == '\0')
        buf[0] = '\0';
    else if (folded && ports[0] != '\0')
        snprintf(buf, TEXT_SIZE, " %s/%s%s%s%s", transport, ports, protocol[0] != '\0' ? " (" : "", protocol,
                 protocol[0] != '\0' ? ")" : "");
    else if (cursor_type(c, F_PORT) == CELL_NULL)
        snprintf(buf, TEXT_SIZE, " %s, many ports", transport);
    else
        snprintf(buf, TEXT_SIZE, " %s/%" PRId64 "%s%s%s", transport, cursor_integer(c, F_PORT),
                 protocol[0] != '\0' ? " (" : "", protocol, protocol[0] != '\0' ? ")" : "");
    return buf;
}

/* Of a flow that several could have served none is named as if it were the only one. */
static void put_server(struct cursor *c, bool folded, char buf[static TEXT_SIZE])
{
    const char *servers = cursor_text(c, F_SERVERS, NULL), *name = cursor_text(c, F_SERVER_NAME, NULL), *address = cursor_text(c, F_SERVER, NULL);
    char row[TEXT_SIZE];

    snprintf(row, sizeof(row), "row %s", cursor_text(c, F_ROW, NULL));
    if (servers[0] == '\0')
        text_host(name, address, cursor_type(c, F_TRANSPORT) != CELL_NULL ? "several servers" : folded ? "several rows" : row, buf);
    else if (folded)
        snprintf(buf, TEXT_SIZE, "several %s", name[0] != '\0' || address[0] != '\0' ? "servers" : "rows");
    else
        snprintf(buf, TEXT_SIZE, "%s, %s", servers, row);
}

static void put_title(struct text *t, struct cursor *c, bool folded)
{
    const char *severity = cursor_text(c, F_SEVERITY, NULL), *waived = cursor_text(c, F_WAIVED, NULL);
    bool no_pair = cursor_type(c, F_CLIENT) == CELL_NULL && cursor_type(c, F_SERVER) == CELL_NULL &&
                   cursor_type(c, F_CLIENT_NAME) == CELL_NULL && cursor_type(c, F_SERVER_NAME) == CELL_NULL &&
                   cursor_type(c, F_TRANSPORT) == CELL_NULL;
    char client[TEXT_SIZE], server[TEXT_SIZE], service[TEXT_SIZE], like[96] = "", count[32];

    text_host(cursor_text(c, F_CLIENT_NAME, NULL), cursor_text(c, F_CLIENT, NULL), "several clients", client);
    put_server(c, folded, server);
    if (folded)
        snprintf(like, sizeof(like), ", %s like findings, the last one #%" PRId64, text_count((uint64_t)cursor_integer(c, F_N_LIKE), count),
                 cursor_integer(c, F_LAST_ID));
    page_par(&t->page, text_severity_style(severity), 2, 6, "#%" PRId64 " %s %s%s%s%s%s%s%s%s%s%s",
             cursor_integer(c, F_ID), severity, cursor_text(c, F_KIND, NULL), no_pair ? "" : ": ",
             no_pair ? "" : client, no_pair ? "" : " -> ", no_pair ? "" : server,
             no_pair ? "" : service_of(c, folded, service), like, waived[0] != '\0' ? " [waived by " : "", waived,
             waived[0] != '\0' ? "]" : "");
}

static void put_numbers(struct text *t, struct cursor *c, bool folded)
{
    uint64_t flows = (uint64_t)cursor_integer(c, folded ? F_LIKE_FLOWS : F_FLOWS);
    uint64_t packets = (uint64_t)cursor_integer(c, folded ? F_LIKE_PACKETS : F_PACKETS);
    const char *first = cursor_text(c, folded ? F_LIKE_FIRST : F_FIRST, NULL),
               *last = cursor_text(c, folded ? F_LIKE_LAST : F_LAST, NULL);
    const char *disposition = folded && cursor_integer(c, F_DISPOSITIONS) != 0 ? "" : cursor_text(c, F_DISPOSITION, NULL);
    /* What is put together from several flows has none. */
    const char *outcome = folded && cursor_integer(c, F_OUTCOMES) != 0 ? "outcomes differ" : cursor_text(c, F_OUTCOME, NULL);
    char flow_count[32], packet_count[32], bytes[32], span[64];

    if (packets == 0 && flows > 0) /* an expectation counts attempts, and of several the sentence says what became of which */
        page_par(&t->page, STYLE_PLAIN, 6, 8, "%s %s", text_count(flows, flow_count), text_plural(flows, "attempt", "attempts in all"));
    if (packets == 0)
        return;
    page_par(&t->page, STYLE_PLAIN, 6, 8, "%s %s, %s %s, %s; %s%s%s%s%s%s", text_count(flows, flow_count),
             text_plural(flows, "flow", "flows"), text_count(packets, packet_count),
             text_plural(packets, "packet", "packets"),
             text_bytes((uint64_t)cursor_integer(c, folded ? F_LIKE_BYTES : F_BYTES), bytes),
             outcome, disposition[0] != '\0' ? " (" : "", disposition, disposition[0] != '\0' ? ")" : "",
             outcome[0] != '\0' || disposition[0] != '\0' ? "; " : "", text_span(first, last, span));
}

static void put_evidence(struct text *t, struct cursor *c)
{
    const char *id = cursor_text(c, F_COMMUNITY_ID, NULL), *parent = cursor_text(c, F_PARENT, NULL);

    if (cursor_type(c, F_INPUT) == CELL_INTEGER)
        page_par(&t->page, STYLE_PLAIN, 6, 8, "evidence: packet %" PRId64 " of input %" PRId64 " (%s)%s%s",
                 cursor_integer(c, F_PACKET), cursor_integer(c, F_INPUT), cursor_text(c, F_INPUT_NAME, NULL),
                 id[0] != '\0' ? ", Community ID " : "", id);
    if (parent[0] != '\0')
        page_par(&t->page, STYLE_PLAIN, 6, 8, "negotiated in: %s", parent);
}

static void put_clause(struct text *t, struct cursor *c)
{
    if (cursor_type(c, F_LIKE_ROWS) != CELL_NULL && is_folded(t, c)) {
        page_par(&t->page, STYLE_PLAIN, 6, 8, "rows: %s", cursor_text(c, F_LIKE_ROWS, NULL));
        return;
    }
    const char *section = cursor_text(c, F_SECTION, NULL), *row = cursor_text(c, F_ROW, NULL);

    if (section[0] != '\0' || row[0] != '\0')
        page_par(&t->page, STYLE_PLAIN, 6, 8, "clause: %s%s%s%s", section,
                 section[0] != '\0' && row[0] != '\0' ? ", " : "", row[0] != '\0' ? "row " : "", row);
}

static void put_finding(void *aux, struct cursor *c)
{
    struct list *list = aux;
    struct text *t = list->text;
    bool folded = is_folded(t, c);

    if (folded && cursor_integer(c, F_NTH) > 1)
        return;
    if (list->n++ == 0)
        page_heading(&t->page, list->heading);
    if (!text_admit(t, MOST_ENTRIES))
        return;
    put_title(t, c, folded);
    page_par(&t->page, STYLE_PLAIN, 6, 6, "%s%s", folded ? "For example: " : "", cursor_text(c, F_REASON, NULL));
    put_numbers(t, c, folded);
    put_evidence(t, c);
    put_clause(t, c);
}

static int put_list(struct text *t, const char *heading, const char *sql, struct err *reterr)
{
    struct list list = {.text = t, .heading = heading};
    int rc = report_each(t->job, sql, put_finding, &list, reterr);

    text_left_out(t, "entries");
    return rc;
}

#define LIST(where) FINDINGS_HEAD where FINDINGS_TAIL

int text_findings(struct text *t, struct err *reterr)
{
    return put_list(t, "FINDINGS",
                    LIST("waived_by IS NULL AND severity <> 'notice' AND kind NOT IN ('missing', 'misdropped')"),
                    reterr);
}

int text_waived(struct text *t, struct err *reterr)
{
    return put_list(t, "WAIVED BY EXCEPTIONS OF THE SITE", LIST("waived_by IS NOT NULL"), reterr);
}

int text_notices(struct text *t, struct err *reterr)
{
    return put_list(t, "NOTICES", LIST("waived_by IS NULL AND severity = 'notice'"), reterr);
}

/* --- expected and not seen ----------------------------------------------------------------------------------- */

enum { OPEN_ROW, OPEN_SERVICE, OPEN_CLIENTS, OPEN_OUTCOME, OPEN_REASON };

static void put_open(void *aux, struct cursor *c)
{
    struct list *list = aux;
    struct text *t = list->text;
    uint64_t clients = (uint64_t)cursor_integer(c, OPEN_CLIENTS);
    const char *service = cursor_text(c, OPEN_SERVICE, NULL);
    char count[32];

    if (list->n++ == 0)
        page_heading(&t->page, list->heading);
    if (!text_admit(t, MOST_ENTRIES))
        return;
    page_par(&t->page, STYLE_WARN, 2, 6, "%s%s%s%s: %s for %s %s", cursor_text(c, OPEN_ROW, NULL),
             service[0] != '\0' ? " (" : "", service, service[0] != '\0' ? ")" : "", cursor_text(c, OPEN_OUTCOME, NULL),
             text_count(clients, count), text_plural(clients, "client", "clients"));
    page_par(&t->page, STYLE_PLAIN, 6, 6, "%s", cursor_text(c, OPEN_REASON, NULL));
}

int text_expected(struct text *t, struct err *reterr)
{
    struct list open = {.text = t, .heading = "EXPECTED, AND NOTHING CAN BE CONCLUDED"};
    int rc = put_list(t, "EXPECTED, AND MISSING OR NOT ANSWERED",
                      LIST("waived_by IS NULL AND severity <> 'notice' AND kind IN ('missing', 'misdropped')"), reterr);

    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT e.row_id, max(r.service), count(*), e.outcome, min(e.reason), min(e.expectation_id) "
                         "AS first FROM expectations e"
                         " LEFT JOIN \"rows\" r ON r.run_id = e.run_id AND r.row_id = e.row_id"
                         " WHERE e.run_id = ?1 AND e.outcome IN ('not-covered', 'one-way') GROUP BY e.row_id, "
                         "e.outcome ORDER BY first",
                         put_open, &open, reterr);
    text_left_out(t, "rows");
    return rc;
}
