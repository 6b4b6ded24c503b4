/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A matrix's own tests: each is judged at a site made for it, with one host for each of the two roles.  A policy that fails its own
 * tests judges nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Documentation addresses (RFC 5737), one for each end. */
static const uint8_t client_address[4] = {192, 0, 2, 1}, server_address[4] = {192, 0, 2, 2};

struct stage {
    char                 name[sizeof("self-test")];
    struct site          site;
    struct site_host     hosts[2];
    struct addr_range    ranges[2];
    struct rules_name    roles[2];
    struct site_setting *options; /* as many as the longest test sets */
};

/* Two hosts without roles yet. */
static int set_stage(struct stage *st, const struct matrix *m)
{
    size_t n_options = 0;

    memcpy(st->name, "self-test", sizeof(st->name));
    for (size_t i = 0; i < m->n_tests; i++)
        n_options = m->tests[i].options.n > n_options ? m->tests[i].options.n : n_options;
    st->options = calloc(n_options + 1, sizeof(*st->options));
    st->site.file = st->name;
    st->site.options = st->options;
    st->ranges[0].low = st->ranges[0].high = addr_from_ipv4(client_address);
    st->ranges[1].low = st->ranges[1].high = addr_from_ipv4(server_address);
    for (unsigned i = 0; i < 2; i++) {
        st->hosts[i].name.text = st->name;
        st->hosts[i].ranges = &st->ranges[i];
        st->hosts[i].n_ranges = 1;
    }
    st->site.hosts = st->hosts;
    st->site.n_hosts = 2;
    return st->options != NULL ? 0 : -ENOMEM;
}

static void clear_options(struct stage *st)
{
    for (size_t i = 0; i < st->site.n_options; i++)
        free(st->options[i].name.text);
    st->site.n_options = 0;
}

/* The roles and options of one test; "https=off" becomes name and value. */
static int set_test(struct stage *st, const struct matrix_test *t)
{
    clear_options(st);
    st->roles[0].text = t->client;
    st->roles[1].text = t->server;
    for (unsigned i = 0; i < 2; i++)
        st->hosts[i].roles = (struct rules_names){&st->roles[i], 1};
    for (size_t i = 0; i < t->options.n; i++) {
        char *name = strdup(t->options.items[i].text), *equals = name != NULL ? strchr(name, '=') : NULL;

        if (equals == NULL) {
            free(name);
            return -ENOMEM;
        }
        *equals = '\0';
        st->options[st->site.n_options].name = (struct rules_name){name, t->place};
        st->options[st->site.n_options++].value = (struct rules_name){equals + 1, t->place};
    }
    return 0;
}

static struct policy_query query_of(const struct matrix_test *t)
{
    struct policy_query q = {.direction_known = true};

    q.tuple.client = addr_from_ipv4(client_address);
    q.tuple.server = addr_from_ipv4(server_address);
    q.tuple.transport = t->transport;
    q.tuple.server_port = t->port;
    if (t->protocol != NULL) {
        q.app.basis = APP_CONTENT;
        q.app.contradicts = true;
        memcpy(q.app.name, t->protocol, strnlen(t->protocol, sizeof(q.app.name) - 1));
    }
    return q;
}

static void report_failure(const struct matrix *m, const struct matrix_test *t, const struct judgement *j, struct diag_list *diags)
{
    struct diag_place place = matrix_place(m, &t->place);
    const char       *row = j->row != POLICY_NONE ? m->rows[j->row].id.text : NULL;

    if (t->allow)
        diag_add(diags, DIAG_ERROR, &place, "self-test failed: no row allows %s to reach %s on %s/%u%s%s%s%s%s", t->client, t->server,
                 t->transport == IPPROTO_TCP ? "tcp" : "udp", t->port, j->kind != FINDING_NONE ? " (" : "",
                 finding_kind_name(j->kind), row != NULL ? ", row " : "", row != NULL ? row : "", j->kind != FINDING_NONE ? ")" : "");
    else
        diag_add(diags, DIAG_ERROR, &place, "self-test failed: row '%s' allows %s to reach %s on %s/%u", row, t->client, t->server,
                 t->transport == IPPROTO_TCP ? "tcp" : "udp", t->port);
}

/* --- the rows that some test may be about ------------------------------------------------------------------------ */

struct concerned {
    uint32_t *rows; /* in the document's order */
    size_t    n;
};

/* All that a host of this role is, and is a sibling of. */
static void add_role(const struct policy *p, const char *name, struct set256 *wanted)
{
    uint32_t role = name_index_find(&p->role_names, name);

    if (role == POLICY_NONE)
        return;
    for (unsigned i = set_next(&p->closures[role], 0); i < SET_MAX; i = set_next(&p->closures[role], i + 1))
        set_join(wanted, &p->families[i]);
}

/* No question about a row can be answered with yes where not both of its ends are of roles in the tests: a large matrix is gone through
 * once, and not for each of them. */
static int gather_concerned(const struct policy *p, struct concerned *ret)
{
    struct set256 wanted = {0};

    for (size_t i = 0; i < p->matrix->n_tests; i++) {
        add_role(p, p->matrix->tests[i].client, &wanted);
        add_role(p, p->matrix->tests[i].server, &wanted);
    }
    ret->rows = calloc(p->matrix->n_rows + 1, sizeof(*ret->rows));
    if (ret->rows == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->matrix->n_rows; i++)
        if (sets_meet(&p->rows[i].from, &wanted) && sets_meet(&p->rows[i].to, &wanted))
            ret->rows[ret->n++] = i;
    return 0;
}

/* The rows stay as they are; only roles and options change from test to test. */
static int run_test(struct policy *p, const struct concerned *concerned, const struct matrix_test *t, struct diag_list *diags)
{
    int rc;

    policy_forget_hosts(p);
    rc = policy_resolve_hosts(p, diags);
    if (rc == 0)
        rc = policy_resolve_options(p, diags);
    if (rc != 0)
        return rc;
    policy_apply_conditions(p, concerned->rows, concerned->n);

    struct policy_query q = query_of(t);
    struct judgement    j;
    policy_judge_among(p, concerned->rows, concerned->n, &q, &j);
    if ((j.verdict == VERDICT_ALLOWED) != t->allow)
        report_failure(p->matrix, t, &j, diags);
    return 0;
}

/* What is wrong with the matrix apart from its tests goes to 'matrix_diags'. */
static int run_tests(const struct matrix *m, const struct policy_options *options, struct diag_list *matrix_diags,
                     struct diag_list *diags)
{
    struct stage     st = {0};
    struct policy   *p = NULL;
    struct concerned concerned = {0};
    int              rc = set_stage(&st, m);

    if (rc == 0)
        rc = policy_resolve(m, &st.site, options, &p, matrix_diags);
    if (rc == 0)
        rc = gather_concerned(p, &concerned);
    for (size_t i = 0; rc == 0 && i < m->n_tests; i++) {
        const struct matrix_test *t = &m->tests[i];

        if (t->protocol != NULL && !policy_knows_protocol(p, t->protocol, &t->place, diags))
            continue;
        rc = set_test(&st, t);
        if (rc == 0)
            rc = run_test(p, &concerned, t, diags);
    }
    free(concerned.rows);
    policy_free(p);
    clear_options(&st);
    free(st.options);
    return rc;
}

int matrix_selftest(const struct matrix *m, const struct policy_options *options, struct diag_list *diags)
{
    size_t n_errors = diag_count(diags, DIAG_ERROR);
    int    rc = run_tests(m, options, diags, diags);

    return rc == 0 && diag_count(diags, DIAG_ERROR) > n_errors ? -EINVAL : rc;
}

int policy_selftest(const struct matrix *m, const struct policy_options *options, struct diag_list *diags)
{
    size_t           n_errors = diag_count(diags, DIAG_ERROR);
    struct diag_list told = {0}; /* by the caller, of the matrix itself */
    int              rc = run_tests(m, options, &told, diags);

    diag_list_clear(&told);
    return rc == 0 && diag_count(diags, DIAG_ERROR) > n_errors ? -EINVAL : rc;
}
