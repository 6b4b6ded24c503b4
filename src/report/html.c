/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for the issue and the file: one HTML document that needs nothing beside itself, no script, no font, no
 * picture, and that is as long as a person can read, however long the record is.  Same record, same bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "html.h"

/* --- the front ---------------------------------------------------------------------------------------------------- */

enum { RUN_SITE, RUN_TITLE, RUN_MATRIX, RUN_STARTED, RUN_ENDED, RUN_VERSION, RUN_FIRST, RUN_LAST };

static const char run_sql[] = "SELECT site_name, matrix_title, matrix_id, started, ended, version,"
                              " (SELECT min(first_packet) FROM inputs WHERE run_id = ?1),"
                              " (SELECT max(last_packet) FROM inputs WHERE run_id = ?1) FROM runs WHERE run_id = ?1";

static const char *site_of(struct cursor *c)
{
    const char *site = cursor_text(c, RUN_SITE, NULL);

    return site[0] != '\0' ? site : "A site without a name";
}

static void put_head(void *aux, struct cursor *c)
{
    struct html *h = aux;

    html_put(h,
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    html_plain(h, site_of(c));
    html_put(h, ": flow audit</title>\n<style>\n");
    for (const char *const *p = html_style; *p != NULL; p++)
        fputs(*p, h->out);
    html_put(h, "</style></head>\n<body>\n<header><h1>");
    html_text(h, site_of(c));
    html_put(h, "</h1>\n");
}

static void put_scope(void *aux, struct cursor *c)
{
    struct html *h = aux;
    char span[64];
    const char *title = cursor_text(c, RUN_TITLE, NULL);

    html_par(h, "soft", "Audit of network flows against: %s",
             title[0] != '\0' ? title : cursor_text(c, RUN_MATRIX, NULL));
    html_put(h, "<dl><dt>Observed<dd>");
    html_text(h, text_span(cursor_text(c, RUN_FIRST, NULL), cursor_text(c, RUN_LAST, NULL), span));
    html_put(h, "<dt>Judged<dd>");
    html_text(h, text_span(cursor_text(c, RUN_STARTED, NULL), cursor_text(c, RUN_ENDED, NULL), span));
    html_put(h, " by flowaudit ");
    html_text(h, cursor_text(c, RUN_VERSION, NULL));
    html_put(h, ", run %" PRId64 "</dl>\n", h->job->run_id);
}

static void put_tile(struct html *h, uint64_t n, const char *label)
{
    char count[32];

    html_put(h, "<div class=tile><b>%s</b><span>%s</span></div>", text_count(n, count), label);
}

static void put_verdict(struct html *h)
{
    static const char *const severities[] = {"critical", "high", "medium", "low"};
    const struct report_summary *s = h->summary;
    char verdict[1024];

    html_par(h,
             s->n_findings > 0      ? "verdict bad"
             : report_incomplete(s) || report_shows_nothing(s) ? "verdict warn"
                                    : "verdict good",
             "%s.", report_verdict(s, verdict, sizeof(verdict)));
    html_put(h, "<div class=tiles>");
    for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++)
        put_tile(h, s->by_severity[i], severities[i]);
    put_tile(h, s->n_waived, "waived");
    put_tile(h, s->n_notices, "notices");
    put_tile(h, s->n_inputs, text_plural(s->n_inputs, "input", "inputs"));
    put_tile(h, s->packets, "packets");
    put_tile(h, s->lost, "lost");
    html_put(h, "</div>\n");
}

/* --- method and sign-off --------------------------------------------------------------------------------------------
 */

static int html_method(struct html *h, struct err *reterr)
{
    static const char *const items[] = {
        "The audit is passive: it reads packets that were captured, sends none, and changes nothing. It shows what "
        "happened "
        "while and where it was watched, and nothing else.",
        "Packets are decoded and joined into flows; who is client and who is server is told from handshakes, from "
        "content, and "
        "from documented ports, in this order. What could not be decoded is counted under a reason.",
        "The protocol is told from content. A port alone is not a classification: where content says nothing "
        "(encrypted, too "
        "short, cut) the verdict rests on the port, and the record says so. A wrong protocol is concluded from content "
        "only.",
        "Each conversation (client, server, transport, port, protocol) is held against the rows of the document as "
        "they apply at "
        "the site. Permitted and misdropped: allowed, and got through or not. Escaped and rejected: a violation that "
        "got through "
        "or not.",
        "A required flow is called missing only where its client was seen alive, was watched for as long as the site "
        "asks, and "
        "loss is too small to explain the silence.",
        "Hosts are those of the site file, by address. Whoever uses the address of another host, or hides one protocol "
        "inside "
        "another that is allowed, is not told apart by this method.",
        "Severity follows the kind of finding, and is one step less where the flow did not get through.",
    };

    (void)reterr;
    html_heading(h, "method", "Method and limits");
    html_put(h, "<ul>\n");
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        html_put(h, "<li>%s\n", items[i]);
    html_put(h, "</ul>\n");
    return 0;
}

static int html_signoff(struct html *h, struct err *reterr)
{
    static const char *const parts[] = {"Prepared by", "Reviewed by", "Accepted by"};

    (void)reterr;
    html_heading(h, "sign-off", "Sign-off");
    html_put(h, "<table class=sign><thead><tr><th>&nbsp;<th>Name and role<th>Date<th>Signature</thead><tbody>\n");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        html_put(h, "<tr><td>%s<td><td><td>\n", parts[i]);
    html_put(h, "</tbody></table>\n");
    return 0;
}

/* --- the whole
 * -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *id, *title;
    html_part_fn *write;
} parts[] = {
    {"sections", "Result by section of the document", html_sections},
    {"evidence", "What was looked at, and what could not be seen", html_evidence},
    {"coverage", "Coverage", html_coverage},
    {"timeline", "Violations in time", html_timeline},
    {"roles", "Conversations from role to role", html_roles},
    {"findings", "Findings", html_findings},
    {"missing", "Required flows that are missing", html_expected},
    {"separation", "Evidence of separation", html_separation},
    {"rows", "Rows that are unused or too wide", html_row_use},
    {"exceptions", "Exceptions of the site", html_exceptions},
    {"differences", "Differences to an earlier audit", html_differences},
    {"all-findings", "Table of all findings", html_finding_table},
    {"all-expectations", "Table of all expected flows", html_expectation_table},
    {"method", "Method and limits", html_method},
    {"requirements", "Requirements that auditors cite", html_requirements},
    {"reproduction", "To get this result again", html_reproduction},
    {"sign-off", "Sign-off", html_signoff},
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void put_contents(struct html *h)
{
    html_put(h, "<nav><ol>\n");
    for (size_t i = 0; i < N_PARTS; i++)
        if (parts[i].write != html_differences || h->job->query->diff != NULL)
            html_put(h, "<li><a href=\"#%s\">%s</a>\n", parts[i].id, parts[i].title);
    html_put(h, "</ol></nav></header>\n");
}

int report_write_html(const struct report_job *job, struct err *reterr)
{
    struct report_summary summary;
    struct html h = {.job = job, .summary = &summary, .out = job->out};
    int rc = report_summary(job->report, job->run_id, &summary, reterr);

    if (rc == 0)
        rc = report_each(job, run_sql, put_head, &h, reterr);
    if (rc == 0)
        rc = report_each(job, run_sql, put_scope, &h, reterr);
    if (rc == 0) {
        put_verdict(&h);
        put_contents(&h);
    }
    for (size_t i = 0; rc == 0 && i < N_PARTS; i++)
        rc = parts[i].write(&h, reterr);
    html_put(&h, "</section>\n</body></html>\n");
    if (rc == 0 && h.failed)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    return rc;
}
