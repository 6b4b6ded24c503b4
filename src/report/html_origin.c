/* SPDX-License-Identifier: Apache-2.0 */
/* Requirements that auditors cite, and what it takes to get this result again. */
#include <string.h>

#include "html.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

int html_requirements(struct html *h, struct err *reterr)
{
    static const struct html_column columns[] = {
        {"Standard", HTML_TEXT},
        {"Clause", HTML_TEXT},
        {"What it asks", HTML_WIDE},
        {"What this report shows", HTML_WIDE},
        {"Findings that bear on it", HTML_NUMBER},
    };

    html_heading(h, "requirements", "Requirements that auditors cite");
    html_par(h, "soft",
             "A help to find one's way, not a statement of compliance with these standards: the observation covers "
             "what is listed above, and the "
             "standards ask for more than traffic can show. What they ask is given in short words of ours.");
    return html_table(h, columns, N_OF(columns),
                      "WITH n AS (SELECT kind, count(*) AS n FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND "
                      "severity <> 'notice' GROUP BY"
                      " kind), x AS (SELECT key, json_extract(value, '$.standard') AS standard, json_extract(value, "
                      "'$.clause') AS clause,"
                      " json_extract(value, '$.title') AS title, json_extract(value, '$.shows') AS shows, ' ' || "
                      "json_extract(value, '$.kinds') ||"
                      " ' ' AS kinds FROM json_each((SELECT CASE WHEN json_valid(options) THEN options ELSE '{}' END "
                      "FROM runs WHERE run_id = ?1),"
                      " '$.requirements'))"
                      " SELECT standard, clause, title, shows, (SELECT coalesce(sum(n), 0) FROM n WHERE instr(x.kinds, "
                      "' ' || n.kind || ' ') > 0)"
                      " FROM x ORDER BY key",
                      200, "clauses", "The record names none.", reterr);
}

/* --- reproduction ---------------------------------------------------------------------------------------------------
 */

/* A name as sha256sum writes it: a line with a backslash or a line break in the name begins with a backslash. */
static void put_sum(struct html *h, const char *sum, const char *name)
{
    html_put(h, "%s", strpbrk(name, "\\\n\r") != NULL ? "\\" : "");
    html_text(h, sum);
    html_put(h, "  ");
    for (const char *p = name; *p != '\0';) {
        size_t n = strcspn(p, "\\\n\r");
        char part[4096];

        while (n > 0) {
            size_t some = n < sizeof(part) ? n : sizeof(part) - 1;

            while (some > 1 && some < n && ((unsigned char)p[some] & 0xc0) == 0x80)
                some--;
            snprintf(part, sizeof(part), "%.*s", (int)some, p);
            html_text(h, part);
            p += some;
            n -= some;
        }
        if (*p != '\0')
            html_put(h, "%s", *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : "\\r");
        p += *p != '\0';
    }
    html_put(h, "\n");
}

static void put_input_sum(void *aux, struct cursor *c)
{
    put_sum(aux, cursor_text(c, 0, NULL), cursor_text(c, 1, NULL));
}

enum { R_COMMAND, R_VERSION, R_SITE_FILE, R_SITE_SHA, R_SITE_TEXT, R_MATRIX, R_MATRIX_SHA, R_MATRIX_TEXT };

static void put_command(void *aux, struct cursor *c)
{
    struct html *h = aux;

    html_put(h, "<dl><dt>Command<dd><code>");
    html_text(h, cursor_text(c, R_COMMAND, NULL));
    html_put(h, "</code><dt>Program<dd>");
    html_text(h, cursor_text(c, R_VERSION, NULL));
    html_put(h, "<dt>Site file<dd><code>");
    html_text(h, cursor_text(c, R_SITE_FILE, NULL));
    html_put(h, "</code><dt>Matrix<dd><code>");
    html_text(h, cursor_text(c, R_MATRIX, NULL));
    html_put(h, "</code></dl>\n<p>To be checked with <code>sha256sum -c</code>:</p>\n<pre>");
    if (cursor_type(c, R_SITE_SHA) != CELL_NULL)
        put_sum(h, cursor_text(c, R_SITE_SHA, NULL), cursor_text(c, R_SITE_FILE, NULL));
}

static void put_texts(void *aux, struct cursor *c)
{
    struct html *h = aux;

    html_put(h, "</pre>\n");
    if (cursor_type(c, R_MATRIX_SHA) != CELL_NULL) {
        html_put(h, "<p>SHA-256 of the matrix: <code>");
        html_text(h, cursor_text(c, R_MATRIX_SHA, NULL));
        html_put(h, "</code></p>\n");
    }
    html_put(h, "<h3>The site file, as it was</h3>\n<pre>");
    html_lines(h, cursor_text(c, R_SITE_TEXT, NULL));
    html_put(h, "</pre>\n<h3>The matrix, as it was</h3>\n<pre>");
    html_lines(h, cursor_text(c, R_MATRIX_TEXT, NULL));
    html_put(h, "</pre>\n");
}

/* What flowaudit-db(5), INTEGRITY, tells how to compute. */
static int put_integrity(struct html *h, struct err *reterr)
{
    char sha256[DIGEST_TEXT_SIZE];
    int rc = seal_findings(h->job->report->reader, h->job->run_id, sha256, reterr);

    if (rc != 0)
        return rc;
    html_put(h, "<p>SHA-256 of the findings (flowaudit-findings-1): <code>%s</code>. <code>flowaudit verify</code> holds the "
                "record to its seals; flowaudit-db(5) says how both are computed.</p>\n", sha256);
    return 0;
}

int html_reproduction(struct html *h, struct err *reterr)
{
    static const char sql[] =
        "SELECT command, version, site_file, site_sha256, site_text, matrix_id, matrix_sha256, matrix_text FROM runs"
        " WHERE run_id = ?1";

    html_heading(h, "reproduction", "To get this result again");
    int rc = report_each(h->job, sql, put_command, h, reterr);
    if (rc == 0)
        rc = report_each(h->job,
                         "SELECT sha256, coalesce(path, name, '') FROM inputs WHERE run_id = ?1 AND sha256 IS NOT NULL "
                         "ORDER BY input_id",
                         put_input_sum, h, reterr);
    if (rc == 0)
        rc = report_each(h->job, sql, put_texts, h, reterr);
    return rc == 0 ? put_integrity(h, reterr) : rc;
}
