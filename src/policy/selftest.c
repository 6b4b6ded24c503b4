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
    struct site          site;
    struct site_host     hosts[2];
    struct addr_range    ranges[2];
    struct rules_name    roles[2];
    struct site_setting *options;
};

/* "https=off" */
static int set_options(struct stage *st, const struct rules_names *options)
{
    st->options = calloc(options->n + 1, sizeof(*st->options));
    if (st->options == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < options->n; i++) {
        char *name = strdup(options->items[i].text), *equals = name != NULL ? strchr(name, '=') : NULL;

        if (equals == NULL) {
            free(name);
            continue;
        }
        *equals = '\0';
        st->options[st->site.n_options].name.text = name;
        st->options[st->site.n_options++].value.text = equals + 1;
    }
    st->site.options = st->options;
    return 0;
}

static int set_stage(struct stage *st, const struct matrix_test *t)
{
    static char file[] = "self-test", text[] = "";

    st->site.file = file;
    st->site.text = text;
    st->ranges[0].low = st->ranges[0].high = addr_from_ipv4(client_address);
    st->ranges[1].low = st->ranges[1].high = addr_from_ipv4(server_address);
    st->roles[0].text = t->client;
    st->roles[1].text = t->server;
    for (unsigned i = 0; i < 2; i++) {
        st->hosts[i].name = st->roles[i];
        st->hosts[i].ranges = &st->ranges[i];
        st->hosts[i].n_ranges = 1;
        st->hosts[i].roles = (struct rules_names){&st->roles[i], 1};
    }
    st->site.hosts = st->hosts;
    st->site.n_hosts = 2;
    return set_options(st, &t->options);
}

static void clear_stage(struct stage *st)
{
    for (size_t i = 0; i < st->site.n_options; i++)
        free(st->options[i].name.text);
    free(st->options);
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

static int run_test(const struct matrix *m, const struct matrix_test *t, const struct policy_options *options, struct diag_list *diags)
{
    struct stage   st = {0};
    struct policy *p = NULL;
    int            rc = set_stage(&st, t);

    if (rc == 0)
        rc = policy_resolve(m, &st.site, options, &p, diags);
    if (rc == 0) {
        struct policy_query q = query_of(t);
        struct judgement    j;

        policy_judge_naive(p, &q, &j);
        if ((j.verdict == VERDICT_ALLOWED) != t->allow) {
            struct diag_place place = matrix_place(m, &t->place);
            diag_add(diags, DIAG_ERROR, &place, "self-test failed: %s to %s, %s %u is %s%s%s; the test says %s", t->client, t->server,
                     t->transport == IPPROTO_TCP ? "TCP" : "UDP", t->port, verdict_name(j.verdict), j.row != POLICY_NONE ? " by row " : "",
                     j.row != POLICY_NONE ? m->rows[j.row].id.text : "", t->allow ? "allow" : "deny");
        }
    }
    policy_free(p);
    clear_stage(&st);
    return rc;
}

/* A matrix without tests is compiled all the same, for a site where nobody is: its protocols must be known. */
static int compile_alone(const struct matrix *m, const struct policy_options *options, struct diag_list *diags)
{
    static char    file[] = "self-test", text[] = "";
    struct site    nobody = {.file = file, .text = text};
    struct policy *p = NULL;
    int            rc = policy_resolve(m, &nobody, options, &p, diags);

    policy_free(p);
    return rc;
}

int matrix_selftest(const struct matrix *m, const struct policy_options *options, struct diag_list *diags)
{
    size_t n_errors = diag_count(diags, DIAG_ERROR);
    int    rc = compile_alone(m, options, diags);

    for (size_t i = 0; rc == 0 && i < m->n_tests; i++)
        rc = run_test(m, &m->tests[i], options, diags);
    if (rc != 0)
        return rc;
    return diag_count(diags, DIAG_ERROR) > n_errors ? -EINVAL : 0;
}
