/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports against files of expected output (golden/).  After a wanted change: FLOWAUDIT_REBLESS=1
 * build/tests/check_all, then look at the difference before it is committed.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../src/report/text.h"
#include "flowaudit/report.h"
#include "unit/report/incident.h"
#include "unit/store/scratch.h"

static struct scratch scratch;

static void setup(void)
{
    scratch_make(&scratch);
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

static struct report *open_report(void)
{
    struct report *r;
    struct err e = {0};
    const char *name = scratch.path + strlen(scratch.dir) + 1;

    ck_assert_msg(report_open(access(name, R_OK) == 0 ? name : scratch.path, &r, &e) == 0, "%s", e.msg);
    return r;
}

static char *written(enum report_format format, const struct report_query *q, size_t *ret_size)
{
    struct err e = {0};
    char *text;
    FILE *out = open_memstream(&text, ret_size);
    struct report *r = open_report();

    ck_assert_msg(report_write(r, format, q, out, &e) == 0, "%s", e.msg);
    report_free(r);
    fclose(out);
    return text;
}

/* --- golden files --------------------------------------------------------------------------------------- */

static const struct {
    const char *file;
    enum report_format format;
    struct report_query query;
} goldens[] = {
    {"report.txt", REPORT_TEXT, {0}},
    {"report-narrow.txt", REPORT_TEXT, {.width = 60}},
    {"report-verbose.txt", REPORT_TEXT, {.verbose = true, .width = 120}},
    {"report-color.txt", REPORT_TEXT, {.color = true}},
    {"brief.txt", REPORT_TEXT, {.brief = true}},
    {"brief-narrow.txt", REPORT_TEXT, {.brief = true, .width = 60}},
    {"brief-color.txt", REPORT_TEXT, {.brief = true, .color = true}},
    {"report.json", REPORT_JSON, {0}},
    {"report.ndjson", REPORT_NDJSON, {0}},
    {"report.html", REPORT_HTML, {0}},
    {"findings.csv", REPORT_CSV, {0}},
    {"conversations.csv", REPORT_CSV, {.table = "conversations"}},
    {"hosts.csv", REPORT_CSV, {.table = "hosts"}},
    {"losses.json", REPORT_JSON, {.table = "losses"}},
};

START_TEST(the_report_is_the_expected_one)
{
    char path[500];
    size_t size, old_size;

    incident_write(scratch.path);
    ck_assert_int_eq(chdir(scratch.dir), 0); /* the name of the record is in some */
    char *text = written(goldens[_i].format, &goldens[_i].query, &size);
    snprintf(path, sizeof(path), TEST_SOURCE_ROOT "/tests/unit/report/golden/%s", goldens[_i].file);
    if (getenv("FLOWAUDIT_REBLESS") != NULL)
        scratch_write(path, text, size);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: no such file", path);
    char *old = malloc(size + 1);
    ck_assert_ptr_nonnull(old);
    old_size = fread(old, 1, size + 1, f);
    fclose(f);
    if (old_size != size || memcmp(old, text, size) != 0) {
        size_t at = 0;

        while (at < size && at < old_size && old[at] == text[at])
            at++;
        ck_abort_msg("%s differs at byte %zu: '%.60s'", goldens[_i].file, at, at < size ? text + at : "(end)");
    }
    free(old);
    free(text);
}
END_TEST

START_TEST(two_records_of_the_same_run_give_the_same_bytes)
{
    size_t size, again_size;

    incident_write(scratch.path);
    char *text = written(REPORT_JSON, &(struct report_query){0}, &size);
    remove(scratch.path);
    incident_write(scratch.path);
    char *again = written(REPORT_JSON, &(struct report_query){0}, &again_size);
    ck_assert_uint_eq(size, again_size);
    ck_assert_mem_eq(text, again, size);
    free(text);
    free(again);
}
END_TEST

START_TEST(nothing_that_moves_a_cursor_reaches_the_terminal)
{
    size_t size;

    incident_write(scratch.path);
    char *text = written(REPORT_TEXT, &(struct report_query){.brief = _i == 1}, &size);
    for (size_t i = 0; i < size; i++)
        ck_assert_msg((unsigned char)text[i] >= 0x20 || text[i] == '\n', "byte %zu is %d", i, text[i]);
    ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
    ck_assert_ptr_nonnull(strstr(text, "\\u{202e}"));
    free(text);
}
END_TEST

START_TEST(no_line_is_wider_than_the_terminal)
{
    size_t size;
    unsigned width = 40 + (unsigned)_i / 2 * 7;

    incident_write(scratch.path);
    char *text = written(REPORT_TEXT, &(struct report_query){.width = width, .brief = _i % 2 == 1}, &size);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        ck_assert_msg(page_columns(line) <= width, "%zu columns: %s", page_columns(line), line);
    }
    free(text);
}
END_TEST

START_TEST(a_brief_report_is_read_in_half_a_minute)
{
    size_t size, n = 0;

    incident_write(scratch.path);
    char *text = written(REPORT_TEXT, &(struct report_query){.brief = true}, &size);
    for (char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        n++;
    ck_assert_uint_lt(n, 60);
    ck_assert_ptr_eq(strstr(text, "Not compliant: "), text);
    ck_assert_ptr_nonnull(strstr(text, "20 like findings on tcp/7000-7019 (20 rejected)"));
    free(text);
}
END_TEST

/* A report as one line. */
static char *in_one_line(enum report_format format, bool brief)
{
    size_t size, n = 0;
    char *text = written(format, &(struct report_query){.brief = brief}, &size);

    for (const char *p = text; *p != '\0'; p++)
        if ((*p != ' ' && *p != '\n') || (n > 0 && text[n - 1] != ' '))
            text[n++] = *p == '\n' ? ' ' : *p;
    text[n] = '\0';
    return text;
}

START_TEST(what_went_for_a_while_and_what_is_not_known)
{
    static const char *const told[] = {
        "refused, 1 flow, 131 of its 433 packets before the first of 12 ICMP errors, ",
        "refused, 1 flow, 2 of its 9 packets before the only ICMP error, ",
        "refused, 4 flows, 3 of them only when packets had gone without an answer, ",
        "The only packet was discarded.",
        "No loss is known, but 6 of 24 TCP sessions of hosts of the site have one direction only, so what went the other way is not in the capture.",
    };

    incident_write_attempts(scratch.path);
    char *text = in_one_line(REPORT_TEXT, false);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        ck_assert_msg(strstr(text, told[i]) != NULL, "'%s' is not in: %s", told[i], text);
    free(text);
    text = in_one_line(REPORT_TEXT, true);
    ck_assert_msg(strstr(text, "no loss is known, but 6 of 24 TCP sessions of hosts of the site have one direction only") != NULL, "%s", text);
    free(text);
}
END_TEST

static const struct {
    const char *name, *command;
} commands[] = {
    {"plain-1.db", "plain-1.db"},
    {"it's here.db", "'it'\\''s here.db'"},
    {"$(reboot).db", "'$(reboot).db'"},
};
#define N_COMMANDS ((int)(sizeof(commands) / sizeof(commands[0])))

START_TEST(a_brief_report_names_the_command_for_the_whole)
{
    char path[sizeof(scratch.path) + 40], wanted[sizeof(path) + 100];
    struct err e = {0};
    struct report *r;
    char *text;
    size_t size;
    const char *slash = strrchr(scratch.path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - scratch.path);
    bool quoted = commands[_i].command[0] == '\'';

    incident_write(scratch.path);
    incident_write_clean(scratch.path, 0, 0);
    snprintf(path, sizeof(path), "%.*s%s", folder, scratch.path, commands[_i].name);
    ck_assert_int_eq(rename(scratch.path, path), 0);
    ck_assert_msg(report_open(path, &r, &e) == 0, "%s", e.msg);
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(report_write(r, REPORT_TEXT, &(struct report_query){.brief = true, .width = 400, .run_id = 1}, out, &e),
                     0);
    fclose(out);
    report_free(r);
    remove(path);
    snprintf(wanted, sizeof(wanted), "flowaudit report %s%.*s%s --run 1\n", quoted ? "'" : "", folder, scratch.path,
             commands[_i].command + quoted);
    ck_assert_msg(strstr(text, wanted) != NULL, "no '%s' in: %s", wanted, text);
    free(text);
}
END_TEST

/* --- runs and refusals ------------------------------------------------------------------------------------- */

START_TEST(the_last_run_is_told_unless_another_is_asked_for)
{
    struct report_summary s;
    struct err e = {0};

    incident_write(scratch.path);
    incident_write_clean(scratch.path, 0, 0);
    struct report *r = open_report();
    ck_assert_int_eq(report_summary(r, 0, &s, &e), 0);
    ck_assert_int_eq(s.run_id, 2);
    ck_assert_uint_eq(s.n_findings, 0);
    ck_assert_int_eq(report_summary(r, 1, &s, &e), 0);
    ck_assert_int_eq(s.run_id, 1);
    ck_assert_uint_gt(s.n_findings, 0);
    ck_assert_int_eq(report_summary(r, 3, &s, &e), -EINVAL);
    ck_assert_msg(strstr(e.msg, "no run 3") != NULL, "%s", e.msg);
    report_free(r);
}
END_TEST

START_TEST(a_record_without_a_run_says_so)
{
    struct report_summary s;
    struct err e = {0};

    store_close(scratch_open(scratch.path));
    struct report *r = open_report();
    ck_assert_int_eq(report_summary(r, 0, &s, &e), -EINVAL);
    ck_assert_str_eq(e.msg, "the record has no run");
    report_free(r);
}
END_TEST

START_TEST(an_unknown_table_is_refused_with_the_known_ones)
{
    const struct report_query q = {.table = "sqlite_schema"};
    struct err e = {0};

    incident_write(scratch.path);
    struct report *r = open_report();
    ck_assert_int_eq(report_write(r, REPORT_CSV, &q, stdout, &e), -EINVAL);
    ck_assert_msg(strstr(e.msg, "'sqlite_schema'") != NULL && strstr(e.msg, "findings") != NULL, "%s", e.msg);
    report_free(r);
}
END_TEST

START_TEST(a_stream_that_takes_no_more_is_an_error)
{
    struct err e = {0};
    FILE *full = fopen("/dev/full", "w");

    ck_assert_ptr_nonnull(full);
    incident_write(scratch.path);
    struct report *r = open_report();
    ck_assert_int_eq(report_write(r, REPORT_JSON, &(struct report_query){0}, full, &e), -EIO);
    report_free(r);
    fclose(full);
}
END_TEST

START_TEST(format_names)
{
    enum report_format f = REPORT_TEXT;

    ck_assert_int_eq(report_format_parse("ndjson", &f), 0);
    ck_assert_int_eq(f, REPORT_NDJSON);
    ck_assert_int_eq(report_format_parse("pdf", &f), -EINVAL);
}
END_TEST

/* --- the summary ------------------------------------------------------------------------------------------- */

START_TEST(the_summary_counts_what_counts)
{
    struct report_summary s;
    struct err e = {0};

    incident_write(scratch.path);
    struct report *r = open_report();
    ck_assert_int_eq(report_summary(r, 0, &s, &e), 0);
    ck_assert(!s.complete);
    ck_assert(report_incomplete(&s));
    ck_assert_uint_eq(s.n_inputs, 2);
    ck_assert_uint_eq(s.n_damaged, 1);
    ck_assert_uint_eq(s.packets, 12500);
    ck_assert_uint_eq(s.n_losses, 2);
    ck_assert_uint_eq(s.lost, 20);
    ck_assert_uint_eq(s.n_findings, 29);
    ck_assert_uint_eq(s.n_notices, 1);
    ck_assert_uint_eq(s.n_waived, 1);
    ck_assert_uint_eq(s.n_undetermined, 2);
    ck_assert_uint_eq(s.by_kind[FINDING_UNKNOWN_HOST], 21);
    ck_assert_uint_eq(s.by_kind[FINDING_WRONG_DIRECTION], 0);
    ck_assert_uint_eq(s.by_kind[FINDING_SITE], 0);
    ck_assert_uint_eq(s.by_kind[FINDING_NONE], 0);
    ck_assert_uint_eq(s.by_severity[SEVERITY_CRITICAL], 1);
    ck_assert_uint_eq(s.by_severity[SEVERITY_LOW], 1);
    report_free(r);
}
END_TEST

static const struct {
    struct report_summary summary;
    const char *sentence;
} verdicts[] = {
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1}, "Compliant"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_losses = 1, .lost = 1},
     "Compliant as far as could be seen; 1 packet was lost before the tool saw it"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_losses = 1},
     "Compliant as far as could be seen; an unknown number of packets was lost before the tool saw them"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_losses = 1, .n_estimated = 1, .n_unseen_bytes = 1300, .n_flow_bytes = 1200000},
     "Compliant as far as could be seen; 1300 bytes of TCP data, an end of a connection counted as one, were acknowledged and are not in the capture"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_losses = 1, .n_estimated = 1, .n_unseen_bytes = 1, .n_flow_bytes = 1200000},
     "Compliant as far as could be seen; 1 byte of TCP data, an end of a connection counted as one, was acknowledged and is not in the capture, no more than one for each 1000 that are"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_losses = 2, .n_estimated = 1, .n_unseen_bytes = 1, .n_flow_bytes = 1200000},
     "Compliant as far as could be seen; an unknown number of packets was lost before the tool saw them"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_undetermined = 3},
     "Compliant as far as could be seen; of 3 expected flows nothing can be concluded"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_findings = 1, .by_severity = {0, 1}},
     "Not compliant: 1 finding (1 high)"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_findings = 3, .by_severity = {1, 0, 2}},
     "Not compliant: 3 findings (1 critical, 2 medium)"},
    {{.complete = false, .packets = 5, .decoded = 5, .n_inputs = 2, .n_damaged = 1},
     "Evidence incomplete: 1 of 2 inputs not read to the end; no finding in what was seen"},
    {{.complete = false, .packets = 5, .decoded = 5, .n_inputs = 1},
     "Evidence incomplete: the run did not come to its end; no finding in what was seen"},
    {{.complete = true, .n_inputs = 1}, "Evidence incomplete: not one packet was seen; no finding in what was seen"},
    {{.complete = false, .n_inputs = 1}, "Evidence incomplete: not one packet was seen; no finding in what was seen"},
    {{.unended = true}, "Evidence incomplete: the run has not come to its end: still running, or broken off; no finding in what was seen"},
    {{.unended = true, .packets = 5, .decoded = 5, .n_inputs = 1},
     "Evidence incomplete: the run has not come to its end: still running, or broken off; no finding in what was seen"},
    {{.complete = true, .packets = 2, .n_inputs = 1, .n_undetermined = 75, .site_unseen = true},
     "Not determined: nothing was shown: of 2 packets not one was decoded; of 75 expected flows nothing can be concluded"},
    {{.complete = true, .packets = 2, .filtered = 2, .n_inputs = 1, .site_unseen = true},
     "Not determined: nothing was shown: the filter left none of 2 packets"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .site_unseen = true},
     "Not determined: nothing was shown: no TCP or UDP packet of a host of the site was seen"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .site_unseen = true, .n_findings = 2, .by_severity = {0, 0, 2}, .by_kind = {[FINDING_SITE] = 2}},
     "Not determined: no flow breaks the document, the site file has 2 findings (2 medium); nothing was shown: no TCP or UDP packet of a host of the site was seen"},
    {{.complete = false, .packets = 5, .n_inputs = 1, .n_damaged = 1, .n_findings = 1, .by_severity = {0, 0, 0, 1}},
     "Not compliant: 1 finding (1 low); evidence incomplete: 1 of 1 input not read to the end, of 5 packets not one was decoded"},
    {{.complete = false, .packets = 26, .n_inputs = 1},
     "Evidence incomplete: of 26 packets not one was decoded; no finding in what was seen"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_findings = 2, .by_severity = {0, 0, 2}, .by_kind = {[FINDING_SITE] = 2}},
     "Not determined: no flow breaks the document, the site file has 2 findings (2 medium)"},
    {{.complete = true, .packets = 5, .decoded = 5, .n_inputs = 1, .n_findings = 3, .by_severity = {0, 1, 2}, .by_kind = {[FINDING_SITE] = 2}},
     "Not compliant: 3 findings (1 high, 2 medium), 2 of them about the site file"},
};

START_TEST(the_verdict_is_one_sentence_that_claims_no_more_than_was_seen)
{
    char buf[512];

    ck_assert_str_eq(report_verdict(&verdicts[_i].summary, buf, sizeof(buf)), verdicts[_i].sentence);
}
END_TEST

/* --- pages --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *in, *out;
} paragraphs[] = {
    {"short", "  short\n"},
    {"0123456789 0123456789 0123456789 0123456789", "  0123456789 0123456789 0123456789\n    0123456789\n"},
    {"a  b", "  a  b\n"},
    {"01234567890123456789012345678901234567890123456789",
     "  01234567890123456789012345678901234567\n    890123456789\n"},
    {"bell\a", "  bell\\x07\n"},
    {"bad \xff utf", "  bad \\xff utf\n"},
    {"rtl \xe2\x80\xae!", "  rtl \\u{202e}!\n"},
    {"zero\xe2\x80\x8bwidth", "  zero\\u{200b}width\n"},
    {"csi \xc2\x9b", "  csi \\u{9b}\n"},
    {"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5"
     "\xad\x97 "
     "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5"
     "\xad\x97",
     "  "
     "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5"
     "\xad\x97\n"
     "    "
     "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5"
     "\xad\x97\n"},
    {"", "\n"},
};

START_TEST(paragraphs_are_wrapped_and_safe)
{
    struct page p;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    page_init(&p, out, 40, false);
    page_par(&p, STYLE_PLAIN, paragraphs[_i].in[0] != '\0' ? 2 : 0, 4, "%s", paragraphs[_i].in);
    fclose(out);
    ck_assert_str_eq(text, paragraphs[_i].out);
    free(text);
}
END_TEST

static const struct {
    uint64_t n;
    const char *count, *bytes;
} numbers[] = {
    {0, "0", "0 bytes"},
    {1, "1", "1 byte"},
    {999, "999", "999 bytes"},
    {1000, "1,000", "1.0 kB"},
    {70000, "70,000", "70.0 kB"},
    {4949, "4,949", "4.9 kB"},
    {4952, "4,952", "5.0 kB"}, /* to the nearest */
    {999949, "999,949", "999.9 kB"},
    {999999, "999,999", "1.0 MB"},
    {999950000, "999,950,000", "1.0 GB"},
    {1234567, "1,234,567", "1.2 MB"},
    {UINT64_MAX, "18,446,744,073,709,551,615", "18.4 EB"},
};

START_TEST(numbers_are_short_and_readable)
{
    char buf[32];

    ck_assert_str_eq(text_count(numbers[_i].n, buf), numbers[_i].count);
    ck_assert_str_eq(text_bytes(numbers[_i].n, buf), numbers[_i].bytes);
}
END_TEST

static const struct {
    const char *first, *last, *text;
} spans[] = {
    {"2026-01-31T10:00:00.123456Z", "2026-01-31T10:05:00.000000Z", "2026-01-31 10:00:00 to 10:05:00 UTC"},
    {"2026-01-31T10:00:00.123456Z", "2026-01-31T10:00:00.999999Z", "2026-01-31 10:00:00 UTC"},
    {"2026-01-31T23:59:59.000000Z", "2026-02-01T00:00:00.000000Z", "2026-01-31 23:59:59 to 2026-02-01 00:00:00 UTC"},
    {"2026-01-31T10:00:00.123456Z", "", "2026-01-31 10:00:00 UTC"},
    {"", "", "at an unknown time"},
};

START_TEST(spans_name_the_day_once)
{
    char buf[64];

    ck_assert_str_eq(text_span(spans[_i].first, spans[_i].last, buf), spans[_i].text);
}
END_TEST

#define N_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *suite_report(void);
Suite *suite_report(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = tcase_create("report");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, the_report_is_the_expected_one, 0, N_OF(goldens));
    tcase_add_test(tc, two_records_of_the_same_run_give_the_same_bytes);
    tcase_add_loop_test(tc, nothing_that_moves_a_cursor_reaches_the_terminal, 0, 2);
    tcase_add_loop_test(tc, no_line_is_wider_than_the_terminal, 0, 24);
    tcase_add_test(tc, a_brief_report_is_read_in_half_a_minute);
    tcase_add_test(tc, what_went_for_a_while_and_what_is_not_known);
    tcase_add_loop_test(tc, a_brief_report_names_the_command_for_the_whole, 0, N_COMMANDS);
    tcase_add_test(tc, the_last_run_is_told_unless_another_is_asked_for);
    tcase_add_test(tc, a_record_without_a_run_says_so);
    tcase_add_test(tc, an_unknown_table_is_refused_with_the_known_ones);
    tcase_add_test(tc, a_stream_that_takes_no_more_is_an_error);
    tcase_add_test(tc, format_names);
    tcase_add_test(tc, the_summary_counts_what_counts);
    tcase_add_loop_test(tc, the_verdict_is_one_sentence_that_claims_no_more_than_was_seen, 0, N_OF(verdicts));
    tcase_add_loop_test(tc, paragraphs_are_wrapped_and_safe, 0, N_OF(paragraphs));
    tcase_add_loop_test(tc, numbers_are_short_and_readable, 0, N_OF(numbers));
    tcase_add_loop_test(tc, spans_name_the_day_once, 0, N_OF(spans));
    suite_add_tcase(suite, tc);
    return suite;
}
