/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled policy against the plain scan, on random sites, flows and matrices.  judge_both() compares every field. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

#define N_HOSTS 40

static char *random_site(const struct matrix *m, uint64_t *state)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: t\nmatrix: m\noptions: {", f);
    for (size_t i = 0; i < m->n_options; i++)
        if (policy_random(state, 3) != 0)
            fprintf(f, "%s: %s, ", m->options[i].name.text,
                    m->options[i].values.items[policy_random(state, (uint32_t)m->options[i].values.n)].text);
    fputs("}\nparameters: {", f);
    for (size_t i = 0; i < m->n_parameters; i++)
        if (m->parameters[i].type == RULES_PARAMETER_PORTS && policy_random(state, 3) == 0)
            fprintf(f, "%s: %u-%u, ", m->parameters[i].name.text, 1000 + policy_random(state, 10), 1010 + policy_random(state, 30000));
    fputs("}\nignore: [{network: 10.0.7.0/30, reason: r}]\nhosts:\n", f);
    for (unsigned i = 0; i < N_HOSTS; i++) {
        /* Hosts one by one, some in a network of a third, some with two addresses. */
        if (i % 8 == 7)
            fprintf(f, "  h%u: {addresses: [10.0.%u.0/24], roles: [", i, i / 8);
        else if (i % 8 == 5)
            fprintf(f, "  h%u: {addresses: [10.0.%u.%u, 10.1.0.%u], roles: [", i, i / 8, i, i);
        else
            fprintf(f, "  h%u: {addresses: [10.0.%u.%u], roles: [", i, i / 8, i);
        unsigned n = policy_random(state, 4);
        for (unsigned k = 0; k < n; k++) {
            uint32_t role = (i + k * 7) % (uint32_t)m->n_roles;
            fprintf(f, "%s%s", k > 0 ? ", " : "", m->roles[role].name.text);
        }
        fputs("]}\n", f);
    }
    fclose(f);
    return text;
}

static struct addr random_address(uint64_t *state)
{
    unsigned i = policy_random(state, N_HOSTS), kind = policy_random(state, 10);
    uint8_t  bytes[4] = {10, 0, (uint8_t)(i / 8), (uint8_t)i};

    if (kind == 0)
        bytes[3] = (uint8_t)policy_random(state, 256);
    if (kind == 1)
        bytes[2] = (uint8_t)policy_random(state, 10);
    if (kind == 2)
        bytes[1] = 1, bytes[2] = 0;
    return addr_from_ipv4(bytes);
}

/* A port at or beside some row's, or any. */
static uint16_t random_port(const struct matrix *m, uint64_t *state)
{
    const struct matrix_row *row = &m->rows[policy_random(state, (uint32_t)m->n_rows)];
    const struct rules_port *port = &row->ports.items[policy_random(state, (uint32_t)row->ports.n)];

    if (port->parameter != NULL || policy_random(state, 8) == 0) {
        static const uint16_t some[] = {1000, 1005, 1024, 5000, 5010, 5020, 5021, 5060, 16500, 22800, 23000, 32767, 32768};
        return some[policy_random(state, sizeof(some) / sizeof(some[0]))];
    }
    return (uint16_t)(port->low + policy_random(state, 3) - 1);
}

static struct policy_query random_query(const struct bed *b, uint64_t *state)
{
    struct policy_query q = {.direction_known = policy_random(state, 3) != 0};
    size_t              n_protocols;
    const char *const  *protocols = policy_protocols(b->policy, &n_protocols);

    q.tuple.client = random_address(state);
    q.tuple.server = random_address(state);
    q.tuple.transport = policy_random(state, 2) == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    q.tuple.server_port = random_port(b->matrix, state);
    q.tuple.client_port = policy_random(state, 4) == 0 ? q.tuple.server_port : random_port(b->matrix, state);
    q.sent[0] = policy_random(state, 4) != 0;
    q.sent[1] = policy_random(state, 2) != 0;
    q.group = policy_random(state, 50) == 0;
    q.answers_group = policy_random(state, 50) == 0;
    q.media = policy_random(state, 20) == 0;
    q.negotiated = policy_random(state, 4) == 0;
    unsigned kind = policy_random(state, 4);
    if (kind > 0) {
        q.app.basis = kind == 1 ? APP_HINT : APP_CONTENT;
        q.app.contradicts = policy_random(state, 3) != 0;
        snprintf(q.app.name, sizeof(q.app.name), "%s",
                 n_protocols > 0 && policy_random(state, 4) > 0 ? protocols[policy_random(state, (uint32_t)n_protocols)] : "Other");
    }
    return q;
}

/* How often each verdict and kind came up: a comparison of nothing but "not governed" proves nothing. */
struct seen {
    unsigned verdicts[4], kinds[FINDING_N_KINDS];
};

static void compare(const struct bed *b, unsigned n, uint64_t *state, struct seen *seen)
{
    for (unsigned i = 0; i < n; i++) {
        struct policy_query q = random_query(b, state);
        struct judgement    j = judge_both(b, &q);
        uint32_t            rows[64];
        size_t              n_rows = policy_rows(b->policy, &q, rows, 64);

        ck_assert_int_eq(n_rows > 0, j.verdict == VERDICT_ALLOWED);
        bool named = n_rows == 0;
        for (size_t k = 0; k < n_rows; k++)
            named |= rows[k] == j.row;
        ck_assert(named);
        seen->verdicts[j.verdict]++;
        seen->kinds[j.kind]++;
    }
}

/* Rows that overlap in every way: one pair of roles has many, of all kinds. */
static char *random_matrix(unsigned n_rows, uint64_t *state)
{
    static const char *const protocols[] = {"[]", "A", "B", "[A, B]", "[B, C]", "[A, C, D]"};
    static const char *const extras[] = {"", "", ", other: another", ", when: {o: on}", ", when: {o: off}", ", when_any: {o: on, q: on}",
                                         ", media: true", ", notice_with: q", ", media: true, when: {q: off}"};
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("matrix: m\nroles: {a: {family: x, governed: true}, b: {family: x, implies: a}, c: {family: y}, d: {family: y}, e: {}}\n"
          "options: {o: {values: [on, off, both]}, q: {}}\nparameters: {p: {ports: []}, l: {ports: [], lost: true}, v: {ports: 40-50}}\n"
          "sections:\n  - heading: S\n    rows:\n", f);
    for (unsigned i = 0; i < n_rows; i++) {
        unsigned    low = 1 + policy_random(state, 200), extra = policy_random(state, 9);
        const char *transport = extra == 6 || extra == 8 || policy_random(state, 2) == 0 ? "udp" : "tcp";

        fprintf(f, "      - {id: r%u, from: %s, to: %s, ports: [\"%s/%u-%u\"%s%s], service: s, expect: required, protocols: %s%s}\n", i,
                policy_random(state, 2) == 0 ? "[a, c]" : "[b, d, e]", policy_random(state, 2) == 0 ? "[a, e]" : "[c, d]", transport, low,
                low + policy_random(state, policy_random(state, 4) == 0 ? 200 : 5), policy_random(state, 9) == 0 ? ", \"tcp/{p}\"" : "",
                policy_random(state, 9) == 0 ? ", \"udp/{v}\"" : "", protocols[policy_random(state, 6)], extras[extra]);
    }
    if (policy_random(state, 2) == 0)
        fputs("      - {id: lost, from: a, to: d, ports: \"tcp/{l}\", service: s, expect: on-demand}\n", f);
    fclose(f);
    return text;
}

START_TEST(random_matrices)
{
    uint64_t    state = 7 + (uint64_t)_i;
    struct seen s = {0};

    for (unsigned i = 0; i < 40; i++) {
        char      *matrix = random_matrix(1 + policy_random(&state, 60), &state);
        struct bed plain = bed_of_texts(matrix, "site: t\nmatrix: m\nhosts:\n  h: {addresses: [10.0.0.1], roles: []}\n");
        char      *site = random_site(plain.matrix, &state);
        struct bed b = bed_of_texts(matrix, site);

        compare(&b, 500, &state, &s);
        policy_bed_close(&b);
        policy_bed_close(&plain);
        free(site);
        free(matrix);
    }
    ck_assert_uint_gt(s.verdicts[VERDICT_ALLOWED], 1000);
    ck_assert_uint_gt(s.verdicts[VERDICT_UNDOCUMENTED], 10);
    for (unsigned i = FINDING_NO_ROW; i <= FINDING_UNKNOWN_HOST; i++)
        ck_assert_msg(s.kinds[i] > 5, "%s came up %u times", finding_kind_name(i), s.kinds[i]);
}
END_TEST

Suite *suite_policy_matrices(void);

Suite *suite_policy_matrices(void)
{
    Suite *s = suite_create("policy: random matrices");
    TCase *t = tcase_create("oracle");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, random_matrices, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
