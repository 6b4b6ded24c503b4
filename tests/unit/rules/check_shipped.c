/* SPDX-License-Identifier: Apache-2.0 */
/* The matrices under rules/. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_help.h"

#define RULES TEST_SOURCE_ROOT "/rules/"

static struct matrix *load(const char *path)
{
    struct diag_list list = {0};
    struct matrix   *m = NULL;
    int              rc = matrix_load(path, &m, &list);

    diag_print(&list, stderr);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(list.n_items, 0);
    return m;
}

static char *as_tsv(const struct matrix *m)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("id\tsection\tfrom\tto\tports\tservice\tcondition\texpect\tprotocols\n", f);
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct matrix_row *r = &m->rows[i];

        fprintf(f, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t", r->id.text, r->section, r->from_text, r->to_text, r->ports_text, r->service,
                r->condition, r->expect == RULES_EXPECT_REQUIRED ? "required" : "on-demand");
        for (size_t j = 0; j < r->protocols.n; j++)
            fprintf(f, "%s%s", j > 0 ? " " : "", r->protocols.items[j].text);
        fputc('\n', f);
    }
    fclose(f);
    return text;
}

static char *slurp(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t size;
    int    c;

    if (in == NULL)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    while ((c = fgetc(in)) != EOF)
        fputc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

START_TEST(the_unity_matrix_has_the_rows_of_the_table)
{
    char *expected = slurp(TEST_SOURCE_ROOT "/../shared/spec/matrix.tsv");

    if (expected == NULL) {
        fprintf(stderr, "skipped: ../shared/spec/matrix.tsv is not there\n");
        return;
    }
    struct matrix *m = load(RULES "cisco-unity-5x-exchange.yaml");
    char          *tsv = as_tsv(m);
    ck_assert_str_eq(tsv, expected);
    free(tsv);
    free(expected);
    matrix_free(m);
}
END_TEST

static const struct matrix_row *row(const struct matrix *m, const char *id)
{
    for (size_t i = 0; i < m->n_rows; i++)
        if (strcmp(m->rows[i].id.text, id) == 0)
            return &m->rows[i];
    ck_abort_msg("no row %s", id);
}

START_TEST(the_unity_matrix_says_what_traffic_is_one_way)
{
    struct matrix *m = load(RULES "cisco-unity-5x-exchange.yaml");

    ck_assert_uint_eq(m->n_rows, 80);
    ck_assert_uint_eq(m->sections.n, 23);
    ck_assert_uint_eq(m->n_separations, 6);
    for (size_t i = 0; i < m->n_rows; i++)
        for (size_t j = 0; j < m->rows[i].ports.n; j++) {
            const struct rules_port *p = &m->rows[i].ports.items[j];
            bool datagram = p->transport == 17 && p->low == 138 && p->parameter == NULL;
            bool rtp = p->parameter != NULL && strcmp(p->parameter, "rtp_ports") == 0;

            ck_assert_msg(m->rows[i].media == rtp, "%s", m->rows[i].id.text);
            ck_assert_msg(p->one_way == (datagram || rtp || p->low == 1024), "%s", m->rows[i].id.text);
        }
    ck_assert_str_eq(row(m, "exchange-unity-notify")->wide_notice_option, "exchange_client_aware_firewall");
    ck_assert_ptr_nonnull(row(m, "phone-unity-rtp")->note);
    ck_assert_str_eq(row(m, "admin-http")->off_text, "HTTP on TCP 80 is allowed only while HTTPS is disabled");
    matrix_free(m);
}
END_TEST

START_TEST(each_conditional_row_says_what_it_is_when_the_option_is_off)
{
    struct matrix *m = load(RULES "cisco-unity-5x-exchange.yaml");

    for (size_t i = 0; i < m->n_rows; i++)
        ck_assert_msg((m->rows[i].off_text != NULL) == (m->rows[i].n_when + m->rows[i].n_when_any > 0), "%s", m->rows[i].id.text);
    matrix_free(m);
}
END_TEST

/* Most sections are tested by a client and a server of one of their rows; those whose table is lost cannot be. */
static bool tested(const struct matrix *m, const char *section)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct matrix_row *r = &m->rows[i];

        for (size_t j = 0; strcmp(r->section, section) == 0 && j < m->n_tests; j++)
            for (size_t a = 0; a < r->from.n; a++)
                for (size_t b = 0; b < r->to.n; b++)
                    if (strncmp(m->tests[j].client, r->from.items[a].text, strlen(r->from.items[a].text)) == 0 &&
                        strncmp(m->tests[j].server, r->to.items[b].text, strlen(r->to.items[b].text)) == 0)
                        return true;
    }
    return false;
}

START_TEST(each_section_of_the_unity_matrix_has_a_test)
{
    struct matrix *m = load(RULES "cisco-unity-5x-exchange.yaml");

    for (size_t i = 0; i < m->sections.n; i++)
        ck_assert_msg(tested(m, m->sections.items[i].text) || strstr(m->sections.items[i].text, "Unity to Subscriber Work") != NULL,
                      "no test of '%s'", m->sections.items[i].text);
    matrix_free(m);
}
END_TEST

START_TEST(a_second_matrix_needs_no_new_code)
{
    struct matrix *m = load(RULES "web-shop.yaml");

    ck_assert_str_eq(m->id, "web-shop");
    ck_assert_uint_eq(m->n_rows, 14);
    ck_assert_uint_eq(m->n_separations, 1);
    ck_assert_uint_ge(m->n_tests, 12);
    ck_assert_str_eq(row(m, "balancer-web")->condition, "option backend_tls off");
    matrix_free(m);
}
END_TEST

START_TEST(a_site_that_names_no_matrix_has_a_default)
{
    struct matrix *m = load(RULES "default.yaml");

    matrix_free(m);
}
END_TEST

Suite *suite_rules_shipped(void);
Suite *suite_rules_shipped(void)
{
    Suite *s = suite_create("rules: shipped matrices");
    TCase *t = tcase_create("shipped");

    tcase_add_test(t, the_unity_matrix_has_the_rows_of_the_table);
    tcase_add_test(t, the_unity_matrix_says_what_traffic_is_one_way);
    tcase_add_test(t, each_conditional_row_says_what_it_is_when_the_option_is_off);
    tcase_add_test(t, each_section_of_the_unity_matrix_has_a_test);
    tcase_add_test(t, a_second_matrix_needs_no_new_code);
    tcase_add_test(t, a_site_that_names_no_matrix_has_a_default);
    suite_add_tcase(s, t);
    return s;
}
