/* SPDX-License-Identifier: Apache-2.0 */
/* Tree to compiled policy: the site held to the matrix, in the order in which one part needs another. */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

/* --- exceptions --------------------------------------------------------------------------------------- */

/* That a name is a host's has been seen to by the parser. */
static uint32_t exception_end(const struct rules_name *end, bool is_range, bool any, const struct name_index *hosts)
{
    return is_range || any ? POLICY_NONE : name_index_find(hosts, end->text);
}

static int resolve_exceptions(struct policy *p)
{
    const struct site *s = p->site;
    struct name_index  hosts = {0};

    if (s->n_exceptions == 0)
        return 0;
    p->exception_hosts = calloc(2 * s->n_exceptions, sizeof(*p->exception_hosts));
    if (p->exception_hosts == NULL || name_index_build(&hosts, s->hosts, sizeof(*s->hosts), s->n_hosts) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_exceptions; i++) {
        const struct site_exception *e = &s->exceptions[i];

        p->exception_hosts[2 * i] = exception_end(&e->client, e->client_is_range, e->client_any, &hosts);
        p->exception_hosts[2 * i + 1] = exception_end(&e->server, e->server_is_range, e->server_any, &hosts);
    }
    name_index_free(&hosts);
    return 0;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static int index_names(struct policy *p)
{
    const struct matrix *m = p->matrix;
    int                  rc = name_index_build(&p->role_names, m->roles, sizeof(*m->roles), m->n_roles);

    if (rc == 0)
        rc = name_index_build(&p->option_names, m->options, sizeof(*m->options), m->n_options);
    if (rc == 0)
        rc = name_index_build(&p->parameter_names, m->parameters, sizeof(*m->parameters), m->n_parameters);
    return rc;
}

static void warn_of_hosts(const struct policy *p, struct diag_list *diags)
{
    for (size_t i = 0; i < p->site->n_hosts; i++) {
        const struct site_host *h = &p->site->hosts[i];
        struct diag_place       place = site_place(p->site, &h->name.place);

        if (h->roles.n == 0 && h->name.place.line > 0)
            diag_add(diags, DIAG_WARNING, &place, "host '%s' has no role, so no row speaks of it", h->name.text);
    }
}

static int resolve(struct policy *p, struct diag_list *diags)
{
    int rc = index_names(p);

    if (rc == 0)
        rc = policy_close_roles(p, diags);
    if (rc == 0)
        rc = policy_resolve_hosts(p, diags);
    if (rc == 0)
        rc = policy_map_hosts(p);
    if (rc == 0)
        rc = policy_resolve_options(p, diags);
    if (rc == 0)
        rc = policy_resolve_parameters(p, diags);
    if (rc == 0)
        rc = policy_resolve_protocols(p, diags);
    if (rc == 0)
        rc = policy_resolve_rows(p, diags);
    if (rc == 0)
        rc = resolve_exceptions(p);
    if (rc == 0)
        warn_of_hosts(p, diags);
    return rc;
}

int policy_resolve(const struct matrix *m, const struct site *s, const struct policy_options *options, struct policy **ret,
                   struct diag_list *diags)
{
    struct policy *p = calloc(1, sizeof(*p));
    size_t         n_errors = diag_count(diags, DIAG_ERROR);

    if (p == NULL)
        return -ENOMEM;
    p->matrix = m;
    p->site = s;
    p->options = options != NULL ? *options : (struct policy_options){0};
    int rc = resolve(p, diags);
    if (rc == 0 && diag_count(diags, DIAG_ERROR) > n_errors)
        rc = -EINVAL;
    if (rc != 0) {
        policy_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

int policy_compile(const struct matrix *m, const struct site *s, const struct policy_options *options, struct policy **ret,
                   struct diag_list *diags)
{
    struct policy *p = NULL;
    int            rc = policy_resolve(m, s, options, &p, diags);

    /* A matrix that fails its own tests judges nothing; that is told together with what is wrong with the site. */
    if (rc == 0 || rc == -EINVAL) {
        int rc_tests = policy_selftest(m, options, diags);

        rc = rc == 0 ? rc_tests : rc;
    }
    if (rc == 0)
        rc = policy_index(p, diags);
    diag_sort(diags);
    if (rc != 0) {
        policy_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    policy_forget_hosts(p);
    for (size_t i = 0; p->rows != NULL && i < p->matrix->n_rows; i++)
        free(p->rows[i].ports);
    policy_index_free(p);
    name_index_free(&p->role_names);
    name_index_free(&p->option_names);
    name_index_free(&p->parameter_names);
    free(p->rows);
    free(p->closures);
    free(p->families);
    free(p->option_values);
    free(p->parameter_ports);
    free(p->parameter_versions);
    free(p->protocols);
    free(p->exception_hosts);
    interval_map_free(&p->host_map);
    interval_map_free(&p->ignore_map);
    free(p);
}

/* --- what is asked of it ---------------------------------------------------------------------------------- */

uint32_t policy_host(const struct policy *p, const struct addr *a)
{
    const struct host_interval *i = interval_map_find(&p->host_map, a);

    return i != NULL ? i->host : POLICY_NONE;
}

size_t policy_n_hosts(const struct policy *p)
{
    return p->site->n_hosts;
}

const char *policy_host_name(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->site->hosts[host].name.text : "";
}

const char *policy_host_roles(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->hosts[host].role_text : "";
}

const char *policy_host_address(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->hosts[host].address_text : NULL;
}

const struct host_group *host_group(const struct policy *p, uint32_t host)
{
    return &p->groups[host != POLICY_NONE ? p->hosts[host].group : 0];
}

bool policy_ignored(const struct policy *p, const struct addr *a, const char **ret_reason)
{
    const struct host_interval *i = interval_map_find(&p->ignore_map, a);

    if (i != NULL && ret_reason != NULL)
        *ret_reason = p->site->ignores[i->host].reason;
    return i != NULL;
}

size_t policy_n_rows(const struct policy *p)
{
    return p->matrix->n_rows;
}

const struct matrix_row *policy_row(const struct policy *p, uint32_t row)
{
    return p->rows[row].row;
}

bool policy_row_enabled(const struct policy *p, uint32_t row)
{
    return p->rows[row].enabled;
}

bool policy_row_required(const struct policy *p, uint32_t row)
{
    return p->rows[row].required;
}

const char *const *policy_protocols(const struct policy *p, size_t *ret_n)
{
    *ret_n = p->n_protocols;
    return p->protocols;
}

const char *policy_section(const struct policy *p, const struct judgement *j)
{
    return j->row != POLICY_NONE ? p->rows[j->row].row->section : "";
}
