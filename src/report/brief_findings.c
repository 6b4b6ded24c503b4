/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings for a person in a hurry: like ones are one entry, each entry is two or three lines, and the list ends where
 * nobody would read on.  The record has each of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define MOST_ENTRIES  15 /* of both lists together */
#define MOST_EXPECTED 5  /* of these for what was expected, where the other list needs the room */
#define MOST_NUMBERS  3  /* ranges of them; as in ENTRIES_SELECT, like the next */
#define MOST_SERVICES 5
#define MOST_LINES    3  /* of an entry */
#define MANY_ENTRIES  8  /* from which on an entry has two lines, if its first sentence fits */

/*
 * One entry are findings of one kind and severity between the same two hosts (entries of the site file, or addresses that
 * it does not have), whatever the port: a scan of ports.  Then those of one client with many servers, and those of many
 * clients with one server: a scan of hosts, a service that all look for in the wrong place.  The services in an entry
 * are named, so that an example does not hide what is unlike it.
 */
#define ENTRIES_HEAD                                                                                                   \
    "WITH f AS MATERIALIZED (SELECT kind, " SEVERITY_RANK " AS rank, finding_id, coalesce(client_name, client, '') AS" \
    " c, coalesce(server_name, server, '') AS s, client, server, transport, server_port, disposition, CASE WHEN"       \
    " transport IS NULL THEN coalesce(row_id, '') ELSE coalesce(protocol, '') END AS service"                          \
    " FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND severity <> 'notice' AND "
#define ENTRIES_TAIL                                                                                                   \
    "), p AS (SELECT kind, rank, c, s, min(rank << 48 | finding_id) AS first, count(*) AS n, min(client) AS"           \
    " low_client, max(client) AS high_client, min(server) AS low_server, max(server) AS high_server,"                  \
    " total(disposition IS 'escaped') AS escaped, total(disposition IS 'rejected') AS rejected"                        \
    " FROM f GROUP BY kind, rank, c, s),"                                                                              \
    " w AS (SELECT *, count(*) OVER (PARTITION BY kind, rank, c) AS n_servers, count(*) OVER (PARTITION BY kind, rank,"      \
    " s) AS n_clients FROM p),"                                                                                        \
    " g AS MATERIALIZED (SELECT *, CASE WHEN n_servers < 4 AND n_clients >= 4 THEN NULL ELSE c END AS one_c,"          \
    " CASE WHEN n_servers >= 4 THEN NULL ELSE s END AS one_s FROM w),"                                                 \
    " e AS (SELECT kind, rank, one_c, one_s, min(first) AS first, total(n) AS n, min(low_client) AS low_client,"       \
    " max(high_client) AS high_client, min(low_server) AS low_server, max(high_server) AS high_server, total(escaped)" \
    " AS escaped, total(rejected) AS rejected, min(c) AS low_c, max(c) AS high_c, min(s) AS low_s, max(s) AS high_s"   \
    " FROM g GROUP BY kind, rank, one_c, one_s)"
/* What stands behind those that are shown: their numbers as ranges, and their services. */
#define ENTRIES_SELECT                                                                                                 \
    ", t AS MATERIALIZED (SELECT * FROM e ORDER BY first LIMIT 16),"                                                   \
    " m AS MATERIALIZED (SELECT t.first, f.* FROM t JOIN g ON g.kind = t.kind AND g.rank = t.rank AND g.one_c IS"      \
    " t.one_c AND g.one_s IS t.one_s JOIN f ON f.kind = g.kind AND f.rank = g.rank AND f.c = g.c AND f.s = g.s),"      \
    " i AS (SELECT first, min(finding_id) AS low, max(finding_id) AS high, row_number() OVER (PARTITION BY first ORDER"\
    " BY min(finding_id)) AS nth FROM (SELECT first, finding_id, finding_id - row_number() OVER (PARTITION BY first"   \
    " ORDER BY finding_id) AS island FROM m) GROUP BY first, island),"                                                 \
    " s AS (SELECT first, service, transport, server_port AS port, min(finding_id) OVER (PARTITION BY first, service," \
    " transport) AS key FROM m)"                                                                                       \
    PORT_LISTS("s")                                                                                                    \
    ", v AS (SELECT d.*, words, row_number() OVER (PARTITION BY first ORDER BY d.key) AS nth FROM (SELECT DISTINCT"    \
    " first, service, transport, key FROM s) d LEFT JOIN port_lists ON port_lists.key = d.key)"                        \
    " SELECT x.finding_id, x.severity, x.kind, x.reason, e.n, e.escaped, e.rejected,"                                  \
    " CASE WHEN low_c = high_c THEN low_c END, CASE WHEN low_client = high_client THEN low_client END,"                \
    " CASE WHEN low_s = high_s THEN low_s END, CASE WHEN low_server = high_server THEN low_server END,"                \
    " l.first_packet_number, u.name,"                                                                                  \
    " (SELECT group_concat(word, ', ') FROM (SELECT '#' || low || CASE WHEN high > low THEN '-#' || high ELSE '' END"  \
    " AS word FROM i WHERE i.first = e.first AND nth <= 3 ORDER BY nth)),"                                             \
    " (SELECT count(*) FROM i WHERE i.first = e.first),"                                                               \
    " (SELECT group_concat(word, ', ') FROM (SELECT CASE WHEN transport IS NULL THEN service ELSE"                     \
    " ltrim(service || ' ' || transport) || coalesce('/' || words, '') END AS word FROM v WHERE v.first = e.first AND nth <= 5 ORDER BY nth)),"                                     \
    " (SELECT count(*) FROM v WHERE v.first = e.first)"                                                                \
    " FROM t e"                                                                                                        \
    " JOIN findings x ON x.run_id = ?1 AND x.finding_id = e.first & 0xffffffffffff"                                    \
    " LEFT JOIN flows l ON l.run_id = ?1 AND l.conversation_id = x.conversation_id AND l.flow_id ="                    \
    " (SELECT min(flow_id) FROM flows WHERE run_id = ?1 AND conversation_id = x.conversation_id)"                      \
    " LEFT JOIN inputs u ON u.run_id = ?1 AND u.input_id = l.input_id ORDER BY e.first"

#define TRAFFIC  "kind NOT IN ('missing', 'misdropped')"
#define EXPECTED "kind IN ('missing', 'misdropped')"

enum {
    E_ID,
    E_SEVERITY,
    E_KIND,
    E_REASON,
    E_N,
    E_ESCAPED,
    E_REJECTED,
    E_CLIENT_NAME,
    E_CLIENT,
    E_SERVER_NAME,
    E_SERVER,
    E_PACKET,
    E_INPUT,
    E_NUMBERS,
    E_N_NUMBERS,
    E_SERVICES,
    E_N_SERVICES,
};

/* --- one entry ---------------------------------------------------------------------------------------------- */

static const char *host_of(struct cursor *c, int name_column, const char *nobody, char buf[static TEXT_SIZE])
{
    const char *name = cursor_text(c, name_column, NULL), *address = cursor_text(c, name_column + 1, NULL);

    return text_host(strcmp(name, address) == 0 ? "" : name, address, nobody, buf);
}

/* A list of the query, and of how many more there are where it was cut. */
static void put_words(FILE *out, struct cursor *c, int words, uint64_t most, const char *what)
{
    uint64_t n = (uint64_t)cursor_integer(c, words + 1);
    char count[32];

    fputs(cursor_text(c, words, NULL), out);
    if (n > most)
        fprintf(out, " and %s more%s", text_count(n - most, count), what);
}

/* ", 120 like findings on tcp/1-49157 (8 escaped, 112 rejected), for example" */
static void put_like(FILE *out, struct cursor *c)
{
    char count[32], client[TEXT_SIZE], server[TEXT_SIZE];
    uint64_t escaped = (uint64_t)cursor_integer(c, E_ESCAPED), rejected = (uint64_t)cursor_integer(c, E_REJECTED);
    bool one_pair = cursor_type(c, E_CLIENT_NAME) != CELL_NULL && cursor_type(c, E_SERVER_NAME) != CELL_NULL;

    fprintf(out, ", %s like findings", text_count((uint64_t)cursor_integer(c, E_N), count));
    if (!one_pair)
        fprintf(out, ", %s -> %s", host_of(c, E_CLIENT_NAME, "several clients", client),
                host_of(c, E_SERVER_NAME, "several servers", server));
    if (cursor_text(c, E_SERVICES, NULL)[0] != '\0') {
        fputs(one_pair ? " on " : ", ", out);
        put_words(out, c, E_SERVICES, MOST_SERVICES, "");
    }
    if (escaped > 0)
        fprintf(out, " (%s escaped", text_count(escaped, count));
    if (rejected > 0)
        fprintf(out, "%s%s rejected", escaped > 0 ? ", " : " (", text_count(rejected, count));
    if (escaped + rejected > 0)
        putc(')', out);
    fprintf(out, ", for example #%" PRId64, cursor_integer(c, E_ID));
}

static char *head_of(struct cursor *c)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    put_words(out, c, E_NUMBERS, MOST_NUMBERS, " ranges");
    fprintf(out, " %s %s", cursor_text(c, E_SEVERITY, NULL), cursor_text(c, E_KIND, NULL));
    if (cursor_integer(c, E_N) > 1)
        put_like(out, c);
    fputs(": ", out);
    return fclose(out) == 0 ? text : NULL;
}

/* Where to look; the file is named where there are several. */
static char *tail_of(const struct text *t, struct cursor *c)
{
    bool several = t->summary->n_inputs > 1;
    char *text;
    int n = cursor_type(c, E_PACKET) != CELL_INTEGER
                ? asprintf(&text, "%s", "")
                : asprintf(&text, " [packet %" PRId64 "%s%s]", cursor_integer(c, E_PACKET), several ? " of " : "",
                           several ? cursor_text(c, E_INPUT, NULL) : "");

    return n >= 0 ? text : NULL;
}

static unsigned lines_with(const struct text *t, const char *head, const char *reason, size_t len, const char *tail)
{
    char *whole;
    unsigned n = MOST_LINES + 1;

    if (asprintf(&whole, "%s%.*s%s", head, (int)len, reason, tail) >= 0) {
        n = page_lines(&t->page, 2, 6, whole);
        free(whole);
    }
    return n;
}

/* The end of the last sentence that ends before 'len', 0 where there is none: a full stop or a semicolon, then a space.
 */
static size_t sentence_before(const char *text, size_t len)
{
    while (len > 2 && !(text[len - 1] == ' ' && (text[len - 2] == '.' || text[len - 2] == ';')))
        len--;
    return len > 2 ? len - 1 : 0;
}

/* The most sentences that fit into 'most' lines, 0 where not even one does. */
static size_t fitting_sentences(const struct text *t, const char *head, const char *reason, const char *tail,
                                unsigned most)
{
    size_t len = strlen(reason);

    while (len > 0 && lines_with(t, head, reason, len, tail) > most)
        len = sentence_before(reason, len);
    return len;
}

static size_t fitting_characters(const struct text *t, const char *head, const char *reason, const char *tail)
{
    size_t len = strlen(reason);

    while (len > 0 && lines_with(t, head, reason, len, tail) > MOST_LINES) {
        len -= len > 400 ? len / 4 : 1;
        while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
            len--;
    }
    return len;
}

static void put_fitted(struct text *t, enum style style, const char *head, const char *reason, const char *tail,
                       unsigned most)
{
    const char *end = "";
    size_t len = fitting_sentences(t, head, reason, tail, most);
    char *cut_tail = NULL;

    if (len == 0)
        len = fitting_sentences(t, head, reason, tail, MOST_LINES);
    if (len == 0 && reason[0] != '\0') {
        if (asprintf(&cut_tail, "...%s", tail) < 0) {
            t->page.failed = true;
            return;
        }
        len = fitting_characters(t, head, reason, cut_tail);
        end = "...";
    } else if (len > 0 && reason[len - 1] == ';') {
        len--;
        end = ".";
    }
    page_par(&t->page, style, 2, 6, "%s%.*s%s%s", head, (int)len, reason, end, tail);
    free(cut_tail);
}

static void put_entry(struct text *t, struct cursor *c, bool many)
{
    enum style style = text_severity_style(cursor_text(c, E_SEVERITY, NULL));
    char *head = head_of(c), *tail = tail_of(t, c);

    if (head == NULL || tail == NULL)
        t->page.failed = true;
    else
        put_fitted(t, style, head, cursor_text(c, E_REASON, NULL), tail, many ? MOST_LINES - 1 : MOST_LINES);
    free(head);
    free(tail);
}

/* --- the lists ------------------------------------------------------------------------------------------------ */

struct list {
    struct text *text;
    const char *heading;
    uint64_t n, most;
    bool many;
    char next[64]; /* the first one that is left out */
};

static void put_each(void *aux, struct cursor *c)
{
    struct list *list = aux;

    if (list->n >= list->most) {
        if (list->next[0] == '\0')
            snprintf(list->next, sizeof(list->next), "#%" PRId64 " %s %.30s", cursor_integer(c, E_ID), cursor_text(c, E_SEVERITY, NULL),
                     cursor_text(c, E_KIND, NULL));
        return;
    }
    if (list->n++ == 0)
        page_heading(&list->text->page, list->heading);
    put_entry(list->text, c, list->many);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int count_entries(const struct text *t, const char *sql, uint64_t *ret, struct err *reterr)
{
    int64_t n = 0;
    int rc = reader_number(t->job->report->reader, sql, &t->job->run_id, 1, &n, reterr);

    *ret = (uint64_t)n;
    return rc;
}

/* One list under its heading, at most so many of its entries.  A last one is shown: its line would only be exchanged for
 * one that says it is left out. */
static int put_list(struct list *list, const char *entries, uint64_t n_all, struct err *reterr)
{
    char count[32], *sql;

    if (list->most + 1 == n_all)
        list->most = n_all;
    if (asprintf(&sql, "%s%s", entries, ENTRIES_SELECT) < 0)
        return err_set(reterr, -ENOMEM, "out of memory");
    int rc = report_each(list->text->job, sql, put_each, list, reterr);
    free(sql);
    if (rc == 0 && list->n > 0 && list->n < n_all)
        page_par(&list->text->page, STYLE_DIM, 2, 2, "... and %s more %s in the full report, from %s on", text_count(n_all - list->n, count),
                 text_plural(n_all - list->n, "entry", "entries"), list->next);
    return rc;
}

int text_brief_findings(struct text *t, struct err *reterr)
{
    uint64_t n_traffic, n_expected = 0;
    int rc = count_entries(t, ENTRIES_HEAD TRAFFIC ENTRIES_TAIL " SELECT count(*) FROM e", &n_traffic, reterr);

    if (rc == 0)
        rc = count_entries(t, ENTRIES_HEAD EXPECTED ENTRIES_TAIL " SELECT count(*) FROM e", &n_expected, reterr);
    bool many = n_traffic + n_expected >= MANY_ENTRIES;
    struct list traffic = {t, "FINDINGS", 0, MOST_ENTRIES - lesser(n_expected, MOST_EXPECTED), many, ""};
    if (rc == 0)
        rc = put_list(&traffic, ENTRIES_HEAD TRAFFIC ENTRIES_TAIL, n_traffic, reterr);
    struct list expected = {t, "EXPECTED, AND MISSING OR NOT ANSWERED", 0,
                            MOST_ENTRIES - lesser(traffic.n, MOST_ENTRIES - MOST_EXPECTED), many, ""};
    if (rc == 0)
        rc = put_list(&expected, ENTRIES_HEAD EXPECTED ENTRIES_TAIL, n_expected, reterr);
    return rc;
}
