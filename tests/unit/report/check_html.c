/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report: it holds the rows of the views, stays harmless whatever the record says, and does not grow without
 * bound. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/report.h"
#include "unit/report/incident.h"
#include "unit/store/scratch.h"

#define N_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct scratch scratch;

static void setup(void)
{
    scratch_make(&scratch);
    incident_write(scratch.path);
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

static char *html(void)
{
    struct err e = {0};
    struct report *r;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_msg(report_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    ck_assert_msg(report_write(r, REPORT_HTML, &(struct report_query){0}, out, &e) == 0, "%s", e.msg);
    report_free(r);
    fclose(out);
    ck_assert_uint_eq(strlen(text), size);
    return text;
}

/* The part with this anchor alone; the caller frees. */
static char *part(const char *text, const char *id)
{
    char mark[64];

    snprintf(mark, sizeof(mark), "<section id=\"%s\">", id);
    const char *begin = strstr(text, mark);
    ck_assert_msg(begin != NULL, "no part '%s'", id);
    const char *end = strstr(begin, "</section>");
    ck_assert_ptr_nonnull(end);
    return strndup(begin, (size_t)(end - begin));
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

/* --- the same rows ------------------------------------------------------------------------------------------- */

static const struct {
    const char *part, *sql;
} tables[] = {
    /* Each gives the start of the line that stands for a row of the view. */
    {"all-findings", "SELECT '<tr><td class=num>' || finding_id || '<td><span class=\"badge ' || severity || '\">' || "
                     "severity || '</span><td>'"
                     " || kind || '<td>' FROM findings WHERE run_id = 1"},
    {"all-expectations", "SELECT '<tr><td class=num>' || expectation_id || '<td><code>' || row_id || '</code><td>' || "
                         "client_name || ' (' ||"
                         " client || ')<td>' FROM expectations WHERE run_id = 1"},
    {"evidence",
     "SELECT '<tr><td>' || reason || '<td class=num>' || sum(packets) FROM discards WHERE run_id = 1 GROUP BY reason"},
    {"evidence", "SELECT '<tr><td>' || reason || '<td class=num>' FROM losses WHERE run_id = 1"},
    {"exceptions", "SELECT '<tr><td>EX-1<td><span class=\"badge used\">used</span><td class=num>1<td>dc1<td>unity1'"},
    {"exceptions", "SELECT '<tr><td>EX-0<td><span class=\"badge expired\">expired</span>'"},
    {"rows", "SELECT '<code>unity-dc-kerberos</code><td>Kerberos<td><code>tcp/88-90 udp/88</code><td class=num>4<td "
             "class=num>1<td class=time>88 – 88'"},
    {"requirements", "SELECT '<td class=wide>Allowed services are known<td class=wide>What no row names<td class=num>22'"},
    {"missing", "SELECT '<code>' || row_id || '</code>' FROM expectations WHERE run_id = 1 AND outcome <> 'seen'"},
};

START_TEST(every_row_of_the_view_is_there)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    char *text = html(), *section = part(text, tables[_i].part);
    int n = 0;

    ck_assert_int_eq(sqlite3_open(scratch.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, tables[_i].sql, -1, &stmt, NULL), SQLITE_OK);
    for (; sqlite3_step(stmt) == SQLITE_ROW; n++) {
        const char *wanted = (const char *)sqlite3_column_text(stmt, 0);

        ck_assert_msg(strstr(section, wanted) != NULL, "no %s", wanted);
    }
    ck_assert_int_gt(n, 0);
    if (_i < 2)
        ck_assert_uint_eq(count(section, "<tr><td"), (unsigned)n);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(section);
    free(text);
}
END_TEST

/* --- windows -------------------------------------------------------------------------------------------------- */

START_TEST(the_window_of_an_expectation_is_shown_where_there_is_one)
{
    char *text = html(), *section = part(text, "all-expectations");
    sqlite3 *db;

    ck_assert_ptr_null(strstr(section, "Window (UTC)"));
    free(section);
    free(text);
    ck_assert_int_eq(sqlite3_open(scratch.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE expectation SET window_start_ns = 1772442000000000000, window_end_ns = 1772445600000000000;"
                                      "UPDATE expectation SET window_end_ns = 1772528400000000000 WHERE expectation_id = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    text = html();
    section = part(text, "all-expectations");
    ck_assert_ptr_nonnull(strstr(section, "Window (UTC)"));
    ck_assert_uint_eq(count(section, "<td>2026-03-02 09:00:00 to 2026-03-03 09:00:00"), 1);
    ck_assert_uint_eq(count(section, "<td>2026-03-02 09:00:00 to "), count(section, "<tr><td"));
    free(section);
    section = part(text, "missing");
    ck_assert_ptr_nonnull(strstr(section, ", 2026-03-02 09:00:00 to 10:00:00 UTC"));
    free(section);
    free(text);
}
END_TEST

/* --- hostile texts ------------------------------------------------------------------------------------------- */

/* What a host name, a file name or a protocol's name could be, in every column of text of every table. */
static const char *const hostile[] = {
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "' onload='alert(1)",
    "</pre></td></table></svg><img src=x onerror=alert(1)>",
    "</title><style>body{display:none}</style>",
    "<!-- ",
    "%s%n%s",
    "rtl \xe2\x80\xae gnp.exe \xe2\x81\xa6 \xef\xbb\xbf",
};

static void poison(const char *with)
{
    static const char *const tables_of_text[] = {"run",     "input",   "discard",    "loss",
                                                 "counter", "host",    "matrix_row", "conversation",
                                                 "flow",    "finding", "expectation"};
    sqlite3 *db;
    sqlite3_stmt *columns;
    char sql[400];

    ck_assert_int_eq(sqlite3_open(scratch.path, &db), SQLITE_OK);
    for (int t = 0; t < N_OF(tables_of_text); t++) {
        snprintf(
            sql, sizeof(sql),
            "SELECT name FROM pragma_table_info('%s') WHERE type = 'TEXT' AND name NOT IN ('options', 'disposition',"
            " 'verdict', 'waived_by')",
            tables_of_text[t]);
        ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &columns, NULL), SQLITE_OK);
        while (sqlite3_step(columns) == SQLITE_ROW) {
            sqlite3_stmt *update;

            snprintf(sql, sizeof(sql), "UPDATE OR IGNORE \"%s\" SET \"%s\" = ?1", tables_of_text[t],
                     (const char *)sqlite3_column_text(columns, 0));
            ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &update, NULL), SQLITE_OK);
            sqlite3_bind_text(update, 1, with, -1, SQLITE_STATIC);
            ck_assert_int_eq(sqlite3_step(update), SQLITE_DONE);
            sqlite3_finalize(update);
        }
        sqlite3_finalize(columns);
    }
    sqlite3_close(db);
}

/* The tags of the text, one after the other, with what stands between them left out. */
static char *tags_of(const char *text)
{
    char *tags = malloc(strlen(text) + 1), *out = tags;

    ck_assert_ptr_nonnull(tags);
    for (bool inside = false; *text != '\0'; text++) {
        inside = inside || *text == '<';
        if (inside)
            *out++ = *text;
        inside = inside && *text != '>';
    }
    *out = '\0';
    return tags;
}

START_TEST(hostile_text_is_only_text)
{
    static const char *const never[] = {"<script",   "<img",         "<!--",         " onmouseover=\"",
                                        " onload='", "\xe2\x80\xae", "\xe2\x81\xa6", "\xef\xbb\xbf"};

    poison(hostile[_i]);
    char *text = html(), *tags = tags_of(text);
    for (int i = 0; i < N_OF(never); i++)
        ck_assert_msg(strstr(tags, never[i]) == NULL && (i > 2 && i < 5 ? true : strstr(text, never[i]) == NULL),
                      "%s in the report", never[i]);
    ck_assert_uint_eq(count(text, "<style>"), 1);
    ck_assert_uint_eq(count(text, "<title>") - count(text, "</title>"), 0);
    ck_assert_uint_eq(count(text, "<table"), count(text, "</table>"));
    ck_assert_uint_eq(count(text, "<svg"), count(text, "</svg>"));
    ck_assert_uint_eq(count(text, "<section"), count(text, "</section>"));
    free(tags);
    free(text);
}
END_TEST

START_TEST(the_page_needs_nothing_beside_itself)
{
    static const char *const never[] = {"src=", "url(", "@import", "<link", "<script", "<iframe", "<object", "<form"};
    char *text = html();

    for (int i = 0; i < N_OF(never); i++)
        ck_assert_msg(strstr(text, never[i]) == NULL, "%s in the report", never[i]);
    ck_assert_uint_eq(count(text, "href="), count(text, "href=\"#"));
    ck_assert_uint_ge(count(text, "href=\"#"), 16);
    free(text);
}
END_TEST

START_TEST(each_link_has_its_part)
{
    char *text = html();

    for (const char *p = text; (p = strstr(p, "href=\"#")) != NULL; p++) {
        char mark[100];

        snprintf(mark, sizeof(mark), " id=\"%.*s\"", (int)strcspn(p + 7, "\""), p + 7);
        ck_assert_msg(strstr(text, mark) != NULL, "no%s", mark);
    }
    free(text);
}
END_TEST

/* --- bounds --------------------------------------------------------------------------------------------------- */

START_TEST(a_long_record_gives_a_page_that_can_be_read)
{
    scratch_sql(scratch.path, "WITH RECURSIVE k(i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM k WHERE i < 5099) "
                              "INSERT INTO finding(run_id, finding_id, kind,"
                              " severity, client, server, transport, server_port, outcome, disposition, first_ns, "
                              "flows, packets, bytes, reason)"
                              " SELECT 1, i, 'unknown-host', 'medium', '192.0.2.' || (i % 250) || '.' || (i / 250), "
                              "'10.20.1.10', 'tcp', 80, 'refused',"
                              " 'rejected', 1769853600000000000 + i * 1000, 1, 2, 120, 'a stranger' FROM k");
    char *text = html(), *cards = part(text, "findings"), *table = part(text, "all-findings");
    ck_assert_uint_eq(count(cards, "<article "), 200);
    ck_assert_ptr_nonnull(strstr(cards, "of 5,027 findings, the gravest"));
    ck_assert_uint_eq(count(table, "<tr><td"), 2000);
    ck_assert_ptr_nonnull(strstr(table, "3,031 more findings are in the record and not shown here."));
    free(cards);
    free(table);
    free(text);
}
END_TEST

START_TEST(a_run_without_anything_is_reported_too)
{
    scratch_sql(scratch.path, "INSERT INTO run(run_id) VALUES (2)");
    char *text = html();

    ck_assert_ptr_nonnull(strstr(text, "Evidence incomplete"));
    ck_assert_ptr_nonnull(strstr(text, "A site without a name"));
    free(text);
}
END_TEST

Suite *suite_report_html(void);
Suite *suite_report_html(void)
{
    Suite *suite = suite_create("report: html");
    TCase *tc = tcase_create("html");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_row_of_the_view_is_there, 0, N_OF(tables));
    tcase_add_test(tc, the_window_of_an_expectation_is_shown_where_there_is_one);
    tcase_add_loop_test(tc, hostile_text_is_only_text, 0, N_OF(hostile));
    tcase_add_test(tc, the_page_needs_nothing_beside_itself);
    tcase_add_test(tc, each_link_has_its_part);
    tcase_add_test(tc, a_long_record_gives_a_page_that_can_be_read);
    tcase_add_test(tc, a_run_without_anything_is_reported_too);
    suite_add_tcase(suite, tc);
    return suite;
}
