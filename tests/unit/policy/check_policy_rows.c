/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of both shipped matrices, each of its ports, and each way to miss it. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

/* One host for each role, its options as the row wants them; 'flip' is one condition turned round, or -1. */
static char *site_for(const struct matrix *m, const struct matrix_row *row, int flip)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: t\nmatrix: m\noptions: {", f);
    for (size_t i = 0; i < row->n_when + row->n_when_any; i++) {
        const struct matrix_when *w = i < row->n_when ? &row->when[i] : &row->when_any[i - row->n_when];
        bool                      turned = flip >= 0 && (i == (size_t)flip || ((size_t)flip >= row->n_when && i >= row->n_when));

        if (!w->at_least)
            fprintf(f, "%s: %s, ", w->name.text, turned ? (strcmp(w->value, "on") == 0 ? "off" : "on") : w->value);
    }
    fputs("}\nparameters: {", f);
    for (size_t i = 0; i < m->n_parameters; i++)
        if (m->parameters[i].type == RULES_PARAMETER_PORTS && m->parameters[i].ports.n == 0)
            fprintf(f, "%s: [%zu-%zu], ", m->parameters[i].name.text, 7000 + 10 * i, 7002 + 10 * i);
    fputs("}\nhosts:\n", f);
    for (size_t i = 0; i < m->n_roles; i++)
        for (unsigned k = 1; k <= 2; k++)
            fprintf(f, "  %s.%u: {addresses: [10.0.%zu.%u], roles: [%s]}\n", m->roles[i].name.text, k, i, k, m->roles[i].name.text);
    fclose(f);
    return text;
}

static struct bed bed_for(const char *path, const struct matrix_row *row, const struct matrix *m, int flip)
{
    char      *site = site_for(m, row, flip);
    struct bed b = bed_of_file(path, site);

    free(site);
    return b;
}

static struct policy_query flow(const struct bed *b, const char *client, const char *server, uint8_t transport, unsigned port)
{
    char service[16];

    snprintf(service, sizeof(service), "%s/%u", transport == IPPROTO_TCP ? "tcp" : "udp", port);
    struct policy_query q = policy_query_of(b, client, server, service, NULL);
    q.sent[1] = false;
    return q;
}

static bool is_among_rows(const struct bed *b, const struct policy_query *q, const struct matrix_row *row)
{
    uint32_t rows[16];
    size_t   n = policy_rows(b->policy, q, rows, 16);

    for (size_t i = 0; i < n; i++)
        if (strcmp(policy_row_id(b, rows[i]), row->id.text) == 0)
            return true;
    return false;
}

static bool holds_port(const struct bed *b, const struct matrix_row *row, uint8_t transport, unsigned port)
{
    for (size_t i = 0; i < row->ports.n; i++) {
        const struct rules_port *p = &row->ports.items[i];

        if (p->transport != transport)
            continue;
        if (p->parameter == NULL && p->low <= port && port <= p->high)
            return true;
        for (size_t k = 0; p->parameter != NULL && k < b->matrix->n_parameters; k++) {
            const struct matrix_parameter *m = &b->matrix->parameters[k];

            if (strcmp(m->name.text, p->parameter) != 0)
                continue;
            if (m->ports.n == 0 && 7000 + 10 * k <= port && port <= 7002 + 10 * k)
                return true;
            for (size_t r = 0; r < m->ports.n; r++)
                if (m->ports.items[r].low <= port && port <= m->ports.items[r].high)
                    return true;
        }
    }
    return false;
}

/* Ports at which something begins or ends. */
static const unsigned edges[] = {1,    22,   24,   25,   26,   53,   79,   80,   81,   88,   122,   123,   135,   137,   138,   139,  161,
                                 162,  389,  443,  445,  464,  636,  691,  1023, 1024, 1433,  1434,  2000,  2443,  3268,  3269, 3372,
                                 3389, 3653, 4999, 5000, 5020, 5021, 5060, 5061, 5432, 5900,  6379,  7000,  7002,  7003,  7020,  7022,  7040, 7042,
                                 7050, 7052, 7053, 7060, 7062, 8080, 8087, 8088, 8443, 22799, 22800, 32767, 32768, 65535};

/* The row allows its own ports, nothing but them, and only while its options stand so. */
static unsigned check_ports(const struct bed *b, const struct matrix_row *row, const char *client, const char *server, bool enabled)
{
    unsigned n = 0;

    for (size_t i = 0; i < 2 * sizeof(edges) / sizeof(edges[0]); i++) {
        uint8_t             transport = i % 2 == 0 ? IPPROTO_TCP : IPPROTO_UDP;
        struct policy_query q = flow(b, client, server, transport, edges[i / 2]);
        struct judgement    j = judge_both(b, &q);
        bool                fits = holds_port(b, row, transport, edges[i / 2]);

        ck_assert_msg(is_among_rows(b, &q, row) == (fits && enabled), "%s %s/%u", row->id.text,
                      transport == IPPROTO_TCP ? "tcp" : "udp", edges[i / 2]);
        if (fits && !enabled && j.verdict != VERDICT_ALLOWED)
            ck_assert_str_eq(finding_kind_name(j.kind), "option-off");
        n += fits;
    }
    return n;
}

static void check_others(const struct bed *b, const struct matrix_row *row, const char *client, const char *server)
{
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        for (unsigned k = 0; k < 2; k++) {
            uint8_t transport = k == 0 ? IPPROTO_TCP : IPPROTO_UDP;

            if (!holds_port(b, row, transport, edges[i]))
                continue;
            struct policy_query q = flow(b, server, client, transport, edges[i]);
            struct judgement    j = judge_both(b, &q);
            if (j.verdict == VERDICT_VIOLATION && !row->other)
                ck_assert_str_eq(finding_kind_name(j.kind), "wrong-direction");
            q = flow(b, "192.0.2.1", server, transport, edges[i]);
            j = judge_both(b, &q);
            ck_assert(j.verdict == VERDICT_NOT_GOVERNED || j.kind == FINDING_UNKNOWN_HOST);
        }
    }
}

static void check_row(const char *path, const struct matrix *m, const struct matrix_row *row)
{
    char       client[RULES_MAX_NAME + 3], server[RULES_MAX_NAME + 3];
    struct bed b = bed_for(path, row, m, -1);
    unsigned   n = 0;

    for (size_t f = 0; f < row->from.n; f++) {
        for (size_t t = 0; t < row->to.n; t++) {
            snprintf(client, sizeof(client), "%s.1", row->from.items[f].text);
            snprintf(server, sizeof(server), "%s.2", row->to.items[t].text);
            n += check_ports(&b, row, client, server, true);
            check_others(&b, row, client, server);
        }
    }
    policy_bed_close(&b);
    ck_assert_msg(n > 0, "%s: no port was tried", row->id.text);
    snprintf(client, sizeof(client), "%s.1", row->from.items[0].text);
    snprintf(server, sizeof(server), "%s.2", row->to.items[0].text);
    for (size_t i = 0; i < row->n_when + row->n_when_any; i++) {
        const struct matrix_when *w = i < row->n_when ? &row->when[i] : &row->when_any[i - row->n_when];

        if (w->at_least)
            continue;
        b = bed_for(path, row, m, (int)i);
        check_ports(&b, row, client, server, false);
        policy_bed_close(&b);
    }
}

static void check_matrix(const char *path, size_t n_rows)
{
    struct bed b = bed_of_file(path, "site: t\nmatrix: m\nhosts:\n  h: {addresses: [10.0.0.1], roles: []}\n");

    ck_assert_uint_eq(b.matrix->n_rows, n_rows);
    for (size_t i = 0; i < b.matrix->n_rows; i++)
        check_row(path, b.matrix, &b.matrix->rows[i]);
    policy_bed_close(&b);
}

START_TEST(every_row_of_the_unity_matrix)
{
    check_matrix(UNITY_MATRIX, 80);
}
END_TEST

START_TEST(every_row_of_the_web_shop)
{
    struct bed b = bed_of_file(SHOP_MATRIX, "site: t\nmatrix: m\nhosts:\n  h: {addresses: [10.0.0.1], roles: []}\n");
    size_t     n = b.matrix->n_rows;

    policy_bed_close(&b);
    check_matrix(SHOP_MATRIX, n);
}
END_TEST

Suite *suite_policy_rows(void);

Suite *suite_policy_rows(void)
{
    Suite *s = suite_create("policy: rows");
    TCase *t = tcase_create("rows");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_row_of_the_unity_matrix);
    tcase_add_test(t, every_row_of_the_web_shop);
    suite_add_tcase(s, t);
    return s;
}
