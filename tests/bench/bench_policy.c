/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy costs: to load, to compile, and for each verdict.  Measures, and judges nothing.
 *
 *     bench_policy MATRIX          a matrix file, at a site with two hosts of each role
 *     bench_policy ROWS HOSTS      a matrix and a site made up, of that many rows and hosts
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowaudit/policy.h"

#define N_ROLES 200u
#define N_QUERIES (1u << 16)
#define N_ROUNDS 16u
#define BLOCK 256u /* hosts in one entry of the site: its addresses, one by one */

static double cpu_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t roll(uint64_t *state, uint32_t sides)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % sides);
}

static _Noreturn void give_up(const struct diag_list *diags, const char *what)
{
    diag_print(diags, stderr);
    fprintf(stderr, "bench_policy: %s\n", what);
    exit(1);
}

static char *make_matrix(unsigned n_rows)
{
    char    *text = NULL;
    size_t   size;
    FILE    *f = open_memstream(&text, &size);
    uint64_t dice = 7;

    fputs("matrix: made-up\nroles:\n", f);
    for (unsigned i = 0; i < N_ROLES; i++)
        fprintf(f, "  role%u: {family: f%u, governed: true}\n", i, i / 8);
    fputs("sections:\n  - heading: S\n    rows:\n", f);
    for (unsigned i = 0; i < n_rows; i++) {
        unsigned low = 1 + roll(&dice, 60000), high = roll(&dice, 8) == 0 ? low + 20 : low;

        fprintf(f, "      - {id: r%u, from: role%u, to: role%u, ports: %s/%u-%u, service: s, expect: %s, protocols: HTTP}\n", i,
                roll(&dice, N_ROLES), roll(&dice, N_ROLES), roll(&dice, 2) == 0 ? "tcp" : "udp", low, high,
                roll(&dice, 4) == 0 ? "required" : "on-demand");
    }
    fclose(f);
    return text;
}

/* Host n: 10.0.0.0 + 2 n, so that every second address is nobody's. */
static char *make_site(unsigned n_hosts)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: made-up\nmatrix: made-up\nhosts:\n", f);
    for (unsigned i = 0; i < n_hosts; i += BLOCK) {
        fprintf(f, "  h%u:\n    roles: [role%u]\n    addresses:\n", i, i / BLOCK % N_ROLES);
        for (unsigned k = i; k < i + BLOCK && k < n_hosts; k++) {
            unsigned a = 0x0a000000 + 2 * k;
            fprintf(f, "      - %u.%u.%u.%u\n", a >> 24, a >> 16 & 0xff, a >> 8 & 0xff, a & 0xff);
        }
    }
    fclose(f);
    return text;
}

static char *make_small_site(const struct matrix *m)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: small\nhosts:\n", f);
    for (size_t i = 0; i < m->n_roles; i++)
        fprintf(f, "  h%zu: {addresses: [10.0.%zu.1, 10.0.%zu.2], roles: [%s]}\n", i, i, i, m->roles[i].name.text);
    fclose(f);
    return text;
}

/* Some host whose first role this is, or any where there is none. */
static struct addr address_with(const struct site *s, const char *role, uint64_t *dice)
{
    uint32_t start = roll(dice, (uint32_t)s->n_hosts);

    for (uint32_t i = 0; role != NULL && i < s->n_hosts; i++) {
        const struct site_host *h = &s->hosts[(start + i) % s->n_hosts];

        if (strcmp(h->roles.items[0].text, role) == 0)
            return h->ranges[roll(dice, (uint32_t)h->n_ranges)].low;
    }
    return s->hosts[start].ranges[0].low;
}

/* Flows of rows, one in eight with another port, and one in eight between any two hosts. */
static struct policy_query *make_queries(const struct matrix *m, const struct site *s)
{
    struct policy_query *queries = calloc(N_QUERIES, sizeof(*queries));
    uint64_t             dice = 11;

    for (unsigned i = 0; queries != NULL && i < N_QUERIES; i++) {
        struct policy_query     *q = &queries[i];
        const struct matrix_row *r = &m->rows[roll(&dice, (uint32_t)m->n_rows)];
        const struct rules_port *port = &r->ports.items[0];
        unsigned                 kind = roll(&dice, 8);

        q->tuple.client = address_with(s, kind > 0 ? r->from.items[0].text : NULL, &dice);
        q->tuple.server = address_with(s, kind > 0 ? r->to.items[0].text : NULL, &dice);
        q->tuple.transport = port->transport;
        q->tuple.client_port = (uint16_t)(40000 + roll(&dice, 20000));
        q->tuple.server_port = kind != 1 && port->parameter == NULL ? port->low : (uint16_t)roll(&dice, 65536);
        q->direction_known = true;
        q->sent[0] = q->sent[1] = true;
        if (r->protocols.n > 0 && roll(&dice, 2) == 0) {
            q->app = (struct app){.basis = APP_CONTENT, .contradicts = true};
            snprintf(q->app.name, sizeof(q->app.name), "%s", r->protocols.items[0].text);
        }
    }
    return queries;
}

static void measure(const struct policy *p, const struct policy_query *queries)
{
    uint64_t verdicts[4] = {0};
    double   start = cpu_s();

    for (unsigned r = 0; r < N_ROUNDS; r++) {
        for (unsigned i = 0; i < N_QUERIES; i++) {
            struct judgement j;

            policy_judge(p, &queries[i], &j);
            verdicts[j.verdict]++;
        }
    }
    double ns = (cpu_s() - start) * 1e9 / (double)(N_ROUNDS * N_QUERIES);
    printf("verdict %.0f ns (%" PRIu64 " allowed, %" PRIu64 " violations, %" PRIu64 " undocumented, %" PRIu64 " not governed)\n", ns,
           verdicts[0], verdicts[1], verdicts[2], verdicts[3]);
}

int main(int argc, char **argv)
{
    struct diag_list diags = {0};
    struct matrix   *m = NULL;
    struct site     *s = NULL;
    struct policy   *p = NULL;
    struct expector *x = NULL;
    bool             made_up = argc == 3;
    char            *matrix_text = made_up ? make_matrix((unsigned)strtoul(argv[1], NULL, 10)) : NULL, *site_text;

    if (argc != 2 && argc != 3)
        return 2;
    double start = cpu_s();
    if ((made_up ? matrix_parse(matrix_text, strlen(matrix_text), "made-up", &m, &diags) : matrix_load(argv[1], &m, &diags)) != 0)
        give_up(&diags, "no matrix");
    double matrix_s = cpu_s() - start;
    site_text = made_up ? make_site((unsigned)strtoul(argv[2], NULL, 10)) : make_small_site(m);
    start = cpu_s();
    if (site_parse(site_text, strlen(site_text), "site", &s, &diags) != 0)
        give_up(&diags, "no site");
    double site_s = cpu_s() - start;
    start = cpu_s();
    if (policy_compile(m, s, NULL, &p, &diags) != 0)
        give_up(&diags, "no policy");
    double compile_s = cpu_s() - start;
    start = cpu_s();
    if (expector_new(p, &x, NULL) != 0)
        give_up(&diags, "no expectations");
    printf("%zu rows, %zu entries of hosts: matrix read in %.2f s, site in %.2f s, compiled in %.2f s, expectations in %.2f s; ", m->n_rows,
           s->n_hosts, matrix_s, site_s, compile_s, cpu_s() - start);
    struct policy_query *queries = make_queries(m, s);
    if (queries != NULL)
        measure(p, queries);
    free(queries);
    expector_free(x);
    policy_free(p);
    site_free(s);
    matrix_free(m);
    free(matrix_text);
    free(site_text);
    diag_list_clear(&diags);
    return 0;
}
