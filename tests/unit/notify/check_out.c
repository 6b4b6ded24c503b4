/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/notify/out.h"
#include "flowaudit/utf8.h"

static struct out out;

static void teardown(void)
{
    out_free(&out);
}

static void is(const char *expected)
{
    ck_assert(!out.cut);
    ck_assert_str_eq(out.text != NULL ? out.text : "", expected);
    out_reset(&out);
}

START_TEST(plain_text_shows_what_would_act)
{
    out_plain(&out, "unity1 \xc3\xa9");
    is("unity1 \xc3\xa9");
    out_plain(&out, "a\033[2J\r\nb\x7f");
    is("a\\u001b[2J\\u000d\\u000ab\\u007f");
    out_plain(&out, "\xc2\x9b" "31m"); /* CSI as one C1 character */
    is("\\u009b31m");
    out_plain(&out, "safe\xe2\x80\xae" "cod.exe"); /* right-to-left override */
    is("safe\\u202ecod.exe");
    out_plain(&out, "x\xff\xc3(\xed\xa0\x80y"); /* no UTF-8: a lone byte, a lead without its rest, a surrogate */
    is("x\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy");
    out_plain(&out, "\xf3\xa0\x81\x81"); /* a tag character, beyond the first plane */
    is("\\udb40\\udc41");
    out_plain(&out, NULL);
    is("");
}
END_TEST

START_TEST(json_strings_are_json)
{
    out_json(&out, "a\"b\\c/\t\xe2\x80\xa8\xf0\x9f\x98\x80\xff");
    is("\"a\\\"b\\\\c/\\u0009\\u2028\xf0\x9f\x98\x80\xef\xbf\xbd\"");
    out_json(&out, NULL);
    is("\"\"");
}
END_TEST

START_TEST(structured_data_escapes_its_three_characters)
{
    out_sd_param(&out, "reason", "a]b\"c\\d\n");
    is(" reason=\"a\\]b\\\"c\\\\d\\\\u000a\"");
    out_sd_param(&out, "empty", "");
    out_sd_param(&out, "none", NULL);
    is("");
}
END_TEST

START_TEST(labels_escape_as_prometheus_reads_them)
{
    out_label(&out, "a\"b\\c\nd");
    is("\"a\\\"b\\\\c\\\\u000ad\"");
}
END_TEST

START_TEST(json_documents_have_commas_where_they_belong)
{
    static const char *const values[] = {NULL, "x", "", "x", "y"};
    struct json j = {.out = &out};

    object_open(&j, NULL);
    member_text(&j, "none", NULL);
    object_open(&j, "empty");
    object_close(&j);
    member_number(&j, "n", UINT64_MAX);
    object_open(&j, "inner");
    member_bool(&j, "yes", true);
    member_list(&j, "list", values, 5);
    member_list(&j, "nothing", values, 1);
    object_close(&j);
    member_time(&j, "t", INT64_C(1772442000123456789));
    member_time(&j, "never", 0);
    object_close(&j);
    is("{\"empty\":{},\"n\":18446744073709551615,\"inner\":{\"yes\":true,\"list\":[\"x\",\"y\"]},\"t\":\"2026-03-02T09:00:00.123456Z\"}");
}
END_TEST

START_TEST(numbers_and_times_read_well)
{
    out_count(&out, 1234567);
    is("1,234,567");
    out_count(&out, 999);
    is("999");
    out_size(&out, 999);
    is("999 B");
    out_size(&out, 12345);
    is("12.3 kB");
    out_size(&out, 4952); /* to the nearest */
    is("5.0 kB");
    out_size(&out, 999950);
    is("1.0 MB");
    out_size(&out, 999949);
    is("999.9 kB");
    out_size(&out, UINT64_MAX);
    is("18.4 EB");
    out_time(&out, -1);
    is("1969-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(text_beyond_the_bound_is_said_to_be_cut)
{
    struct out small = {.limit = 10};

    out_text(&small, "1234567890");
    ck_assert(!small.cut);
    out_text(&small, "x");
    ck_assert(small.cut);
    ck_assert_str_eq(small.text, "1234567890");
    out_reset(&small);
    out_text(&small, "again");
    ck_assert_str_eq(small.text, "again");
    out_free(&small);
}
END_TEST

/* No byte of what any escaper makes may act on a terminal or end its line; quotes are closed; all of it is UTF-8. */
static void check_harmless(const char *text, size_t n, const char *unescaped)
{
    for (size_t at = 0; at < n;) {
        uint32_t c;
        size_t   len = utf8_decode(text + at, n - at, &c);
        bool     is_escape = len == 1 && c == '\\' && at + 1 < n;
        /* an assertion for each character would take long */
        if (len == 0 || out_is_unsafe(c) || (!is_escape && c < 0x80 && (c == '\\' || strchr(unescaped, (int)c) != NULL)))
            ck_abort_msg("%.*s", (int)n, text);
        len += is_escape;
        at += len;
    }
}

START_TEST(random_bytes_come_out_harmless)
{
    static const char *const pieces[] = {"\"", "\\", "]", "\n", "\033", "\xe2\x80\xae", "\xf0\x9f\x98\x80", "\xff", "\xc2", "\xed\xa0\x80", "a", "'"};
    char text[64];

    srand(7);
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = 0;
        while (n < 40) {
            const char *p = pieces[rand() % 12];
            if (rand() % 3 == 0)
                text[n++] = (char)(1 + rand() % 255);
            else
                n = (size_t)(stpcpy(text + n, p) - text);
        }
        text[n] = '\0';
        out_reset(&out);
        out_json(&out, text);
        check_harmless(out.text + 1, out.n - 2, "\"");
        out_reset(&out);
        out_label(&out, text);
        check_harmless(out.text + 1, out.n - 2, "\"");
        out_reset(&out);
        out_sd_param(&out, "v", text);
        check_harmless(out.text + 4, out.n - 5, "\"]");
        out_reset(&out);
        out_plain(&out, text);
        for (size_t at = 0, len; at < out.n; at += len) {
            uint32_t c;
            len = utf8_decode(out.text + at, out.n - at, &c);
            if (len == 0 || out_is_unsafe(c))
                ck_abort_msg("%s", out.text);
        }
    }
}
END_TEST

Suite *suite_notify_out(void);
Suite *suite_notify_out(void)
{
    Suite *suite = suite_create("notify_out");
    TCase *tc = tcase_create("out");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, plain_text_shows_what_would_act);
    tcase_add_test(tc, json_strings_are_json);
    tcase_add_test(tc, structured_data_escapes_its_three_characters);
    tcase_add_test(tc, labels_escape_as_prometheus_reads_them);
    tcase_add_test(tc, json_documents_have_commas_where_they_belong);
    tcase_add_test(tc, numbers_and_times_read_well);
    tcase_add_test(tc, text_beyond_the_bound_is_said_to_be_cut);
    tcase_add_test(tc, random_bytes_come_out_harmless);
    suite_add_tcase(suite, tc);
    return suite;
}
