/* SPDX-License-Identifier: Apache-2.0 */
/* Exports parsed back by a small reader of each format and held against the views, cell by cell. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/report.h"
#include "flowaudit/utf8.h"
#include "unit/report/incident.h"
#include "unit/store/scratch.h"

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

static char *export(enum report_format format, const char *table)
{
    struct report_query q = {.table = table};
    struct err e = {0};
    struct report *r;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_msg(report_open(scratch.path, &r, &e) == 0, "%s", e.msg);
    ck_assert_msg(report_write(r, format, &q, out, &e) == 0, "%s", e.msg);
    report_free(r);
    fclose(out);
    return text;
}

static const struct {
    const char *name, *order;
} tables[] = {
    {"runs", "run_id"},
    {"seals", "seal_id"},
    {"removals", "removed_run"},
    {"evidence", "file_id"},
    {"sensors", "sensor_id"},
    {"inputs", "input_id"},
    {"discards", "input_id, reason"},
    {"losses", "loss_id"},
    {"counters", "counter_id"},
    {"hosts", "host_id"},
    {"rows", "position"},
    {"conversations", "conversation_id"},
    {"witnesses", "conversation_id, sensor_id"},
    {"flows", "flow_id"},
    {"requirements", "expectation_id"},
    {"findings", "finding_id"},
    {"expectations", "expectation_id"},
};
#define N_TABLES ((int)(sizeof(tables) / sizeof(tables[0])))

struct view {
    sqlite3 *db;
    sqlite3_stmt *stmt;
};

static void view_open(struct view *v, int table)
{
    char sql[200];

    ck_assert_int_eq(sqlite3_open(scratch.path, &v->db), SQLITE_OK);
    snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" WHERE run_id = 1 ORDER BY %s", tables[table].name,
             tables[table].order);
    ck_assert_int_eq(sqlite3_prepare_v2(v->db, sql, -1, &v->stmt, NULL), SQLITE_OK);
}

static void view_close(struct view *v)
{
    ck_assert_int_eq(sqlite3_step(v->stmt), SQLITE_DONE);
    sqlite3_finalize(v->stmt);
    sqlite3_close(v->db);
}

static const char *view_text(struct view *v, int column)
{
    const char *text = (const char *)sqlite3_column_text(v->stmt, column);

    return text != NULL ? text : "";
}

/* --- CSV ------------------------------------------------------------------------------------------------- */

/* One field into 'buf'; returns what ended it: ',' or '\n' (for CRLF). */
static int csv_field(const char **at, char *buf, size_t size)
{
    const char *p = *at;
    size_t len = 0;
    bool quoted = *p == '"';

    p += quoted;
    while (quoted ? !(p[0] == '"' && p[1] != '"') : (*p != ',' && *p != '\r')) {
        ck_assert_msg(*p != '\0' && (quoted || (*p != '"' && *p != '\n')), "unquoted special at '%.20s'", p);
        ck_assert_uint_lt(len + 1, size);
        p += quoted && *p == '"';
        buf[len++] = *p++;
    }
    buf[len] = '\0';
    p += quoted;
    int end = *p == ',' ? ',' : '\n';
    if (end == '\n')
        ck_assert_msg(p[0] == '\r' && p[1] == '\n', "no CRLF at '%.20s'", p);
    *at = p + (end == '\n' ? 2 : 1);
    return end;
}

/* The one character of the incident's names that turns the reading direction is told by its number. */
static const char *csv_shown(const char *text, char *buf, size_t size)
{
    static const char turn[] = "\xe2\x80\xae";
    const char *at = strstr(text, turn);

    if (at == NULL)
        return text;
    ck_assert_ptr_null(strstr(at + 1, turn));
    ck_assert_int_lt(snprintf(buf, size, "%.*s\\u{202e}%s", (int)(at - text), text, at + strlen(turn)), (int)size);
    return buf;
}

static void csv_check_cell(struct view *v, int column, const char *field)
{
    char buf[4096];
    const char *want = csv_shown(view_text(v, column), buf, sizeof(buf));
    bool formula =
        want[0] != '\0' && strchr("=+-@\t\r", want[0]) != NULL && sqlite3_column_type(v->stmt, column) == SQLITE_TEXT;

    ck_assert_str_eq(field + formula, want);
    if (formula)
        ck_assert_int_eq(field[0], '\'');
}

START_TEST(csv_is_the_view)
{
    static char field[1 << 16];
    struct view v;
    char *text = export(REPORT_CSV, tables[_i].name);
    const char *at = text;

    view_open(&v, _i);
    int n = sqlite3_column_count(v.stmt);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(csv_field(&at, field, sizeof(field)), i + 1 < n ? ',' : '\n');
        ck_assert_str_eq(field, sqlite3_column_name(v.stmt, i));
    }
    while (*at != '\0') {
        ck_assert_int_eq(sqlite3_step(v.stmt), SQLITE_ROW);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(csv_field(&at, field, sizeof(field)), i + 1 < n ? ',' : '\n');
            csv_check_cell(&v, i, field);
        }
    }
    view_close(&v);
    free(text);
}
END_TEST

START_TEST(a_formula_is_a_text_in_a_spreadsheet)
{
    char *text = export(REPORT_CSV, "hosts");

    ck_assert_ptr_nonnull(strstr(text, ",\"'=cmd|"));
    ck_assert_ptr_null(strstr(text, ",=cmd"));
    free(text);
}
END_TEST

/* --- JSON ------------------------------------------------------------------------------------------------ */

static void json_space(const char **at)
{
    *at += strspn(*at, " \n");
}

static void json_expect(const char **at, const char *token)
{
    json_space(at);
    ck_assert_msg(strncmp(*at, token, strlen(token)) == 0, "'%s' expected at '%.40s'", token, *at);
    *at += strlen(token);
}

static bool json_accept(const char **at, char c)
{
    json_space(at);
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* As far as our writer needs it: of the \u escapes those of ASCII and of three bytes in UTF-8. */
static size_t json_escape(const char **at, char *out)
{
    const char *p = *at;

    *at += *p == 'u' ? 5 : 1;
    if (*p != 'u') {
        ck_assert_msg(*p == '"' || *p == '\\', "escape '%c'", *p);
        *out = *p;
        return 1;
    }
    char digits[5] = {p[1], p[2], p[3], p[4], '\0'};
    unsigned c = (unsigned)strtoul(digits, NULL, 16);
    if (c < 0x80) {
        *out = (char)c;
        return 1;
    }
    ck_assert_uint_ge(c, 0x800);
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

static void json_string(const char **at, char *buf, size_t size)
{
    size_t len = 0;

    json_expect(at, "\"");
    while (**at != '"') {
        uint32_t c;

        ck_assert_uint_lt(len + 8, size);
        size_t n = utf8_decode(*at, strlen(*at), &c);
        ck_assert_msg(n > 0 && c >= 0x20, "no JSON text at '%.20s'", *at);
        if (c == '\\') {
            (*at)++;
            len += json_escape(at, buf + len);
        } else {
            memcpy(buf + len, *at, n);
            len += n;
            *at += n;
        }
    }
    (*at)++;
    buf[len] = '\0';
}

static void json_check_cell(const char **at, struct view *v, int column)
{
    static char buf[1 << 16];
    char *end;

    json_space(at);
    switch (sqlite3_column_type(v->stmt, column)) {
    case SQLITE_NULL:
        json_expect(at, "null");
        break;
    case SQLITE_INTEGER:
        ck_assert_int_eq(strtoll(*at, &end, 10), sqlite3_column_int64(v->stmt, column));
        ck_assert_ptr_ne(end, *at);
        *at = end;
        break;
    default:
        json_string(at, buf, sizeof(buf));
        ck_assert_str_eq(buf, view_text(v, column));
    }
}

/* The members of one object up to its brace, against the next row. */
static void json_check_row(const char **at, struct view *v)
{
    char key[100];

    ck_assert_int_eq(sqlite3_step(v->stmt), SQLITE_ROW);
    for (int i = 0; i < sqlite3_column_count(v->stmt); i++) {
        if (i > 0)
            json_expect(at, ",");
        json_string(at, key, sizeof(key));
        ck_assert_str_eq(key, sqlite3_column_name(v->stmt, i));
        json_expect(at, ":");
        json_check_cell(at, v, i);
    }
    json_expect(at, "}");
}

static int table_named(const char *name)
{
    int i = 0;

    while (i < N_TABLES && strcmp(tables[i].name, name) != 0)
        i++;
    ck_assert_int_lt(i, N_TABLES);
    return i;
}

static void json_check_array(const char **at, int table)
{
    struct view v;
    char key[100];

    json_expect(at, ",");
    json_string(at, key, sizeof(key));
    ck_assert_str_eq(key, tables[table].name);
    json_expect(at, ":");
    json_expect(at, "[");
    view_open(&v, table);
    bool more = !json_accept(at, ']');
    while (more) {
        json_expect(at, "{");
        json_check_row(at, &v);
        more = json_accept(at, ',');
        if (!more)
            json_expect(at, "]");
    }
    view_close(&v);
}

static void json_digest(const char **at)
{
    char sha256[100];

    json_expect(at, "\"findings_digest\": {\"algorithm\": \"flowaudit-findings-1\", \"sha256\":");
    json_string(at, sha256, sizeof(sha256));
    ck_assert_uint_eq(strspn(sha256, "0123456789abcdef"), 64);
    json_expect(at, "},");
}

START_TEST(json_is_one_document_of_all_views)
{
    struct view v;
    char *text = export(REPORT_JSON, NULL);
    const char *at = text;

    json_expect(&at, "{");
    json_expect(&at, "\"flowaudit\": {\"format\": 1, \"schema\": 2},");
    json_digest(&at);
    json_expect(&at, "\"run\":");
    json_expect(&at, "{");
    view_open(&v, 0);
    json_check_row(&at, &v);
    view_close(&v);
    for (int i = 1; i < N_TABLES; i++)
        json_check_array(&at, i);
    json_expect(&at, "}");
    json_space(&at);
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

START_TEST(json_of_one_table_has_the_run_and_that_table)
{
    struct view v;
    char *text = export(REPORT_JSON, "findings");
    const char *at = text;

    json_expect(&at, "{");
    json_expect(&at, "\"flowaudit\": {\"format\": 1, \"schema\": 2},");
    json_digest(&at);
    json_expect(&at, "\"run\":");
    json_expect(&at, "{");
    view_open(&v, 0);
    json_check_row(&at, &v);
    view_close(&v);
    json_check_array(&at, table_named("findings"));
    json_expect(&at, "}");
    free(text);
}
END_TEST

static void ndjson_check_table(const char **at, int table)
{
    struct view v;
    char head[64];
    char name[100];

    snprintf(head, sizeof(head), "{\"table\": \"%s\"", tables[table].name);
    view_open(&v, table);
    while (strncmp(*at, head, strlen(head)) == 0) {
        const char *line = *at;

        json_expect(at, "{");
        json_expect(at, "\"table\":");
        json_string(at, name, sizeof(name));
        json_expect(at, ",");
        json_check_row(at, &v);
        ck_assert_int_eq(**at, '\n');
        ck_assert_ptr_null(memchr(line, '\n', (size_t)(*at - line)));
        (*at)++;
    }
    view_close(&v);
}

START_TEST(ndjson_is_every_row_on_a_line)
{
    char *text = export(REPORT_NDJSON, NULL);
    const char *at = text;

    for (int i = 0; i < N_TABLES; i++)
        ndjson_check_table(&at, i);
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

START_TEST(ndjson_of_one_table)
{
    char *text = export(REPORT_NDJSON, tables[_i].name);
    const char *at = text;

    ndjson_check_table(&at, _i);
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

Suite *suite_report_tables(void);
Suite *suite_report_tables(void)
{
    Suite *suite = suite_create("report: tables");
    TCase *tc = tcase_create("tables");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, csv_is_the_view, 0, N_TABLES);
    tcase_add_test(tc, a_formula_is_a_text_in_a_spreadsheet);
    tcase_add_test(tc, json_is_one_document_of_all_views);
    tcase_add_test(tc, json_of_one_table_has_the_run_and_that_table);
    tcase_add_test(tc, ndjson_is_every_row_on_a_line);
    tcase_add_loop_test(tc, ndjson_of_one_table, 0, N_TABLES);
    suite_add_tcase(suite, tc);
    return suite;
}
