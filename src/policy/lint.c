/* SPDX-License-Identifier: Apache-2.0 */
/* What the document, as the matrix has it, says of a site before any traffic is seen. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"

#define EITHER_SIZE 512

struct linter {
    const struct policy *p;
    policy_lint_fn      *fn;
    void                *aux;
};

static void __attribute__((format(printf, 5, 6))) tell_of(const struct linter *l, uint32_t parameter, enum severity severity, const char *section, const char *fmt, ...)
{
    char    sentence[768];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    l->fn(l->aux, severity, section != NULL ? section : "", sentence, parameter);
}

#define tell(l, ...) tell_of(l, POLICY_NONE, __VA_ARGS__)

bool policy_is_lost(const struct policy *p, uint32_t parameter)
{
    return p->matrix->parameters[parameter].lost;
}

static unsigned count_ports(const struct rules_ports *ports)
{
    unsigned n = 0;

    for (size_t i = 0; i < ports->n; i++)
        n += (unsigned)ports->items[i].high - ports->items[i].low + 1;
    return n;
}

static bool anyone(const struct policy *p, const struct set256 *roles)
{
    return sets_meet(&p->present, roles);
}

/* By parameter: the first enabled row that wants its list and has hosts at both ends. */
static uint32_t *rows_that_want(const struct policy *p)
{
    uint32_t *rows = calloc(p->matrix->n_parameters + 1, sizeof(*rows));

    for (size_t i = 0; rows != NULL && i < p->matrix->n_parameters; i++)
        rows[i] = POLICY_NONE;
    for (uint32_t i = 0; rows != NULL && i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];

        if (a->enabled && a->unlisted != POLICY_NONE && rows[a->unlisted] == POLICY_NONE && anyone(p, &a->from) && anyone(p, &a->to))
            rows[a->unlisted] = i;
    }
    return rows;
}

static const char *either_text(const char *names, char buf[static EITHER_SIZE])
{
    struct text t = {buf, EITHER_SIZE, 0};

    say_either(&t, names);
    return buf;
}

static void lint_list(const struct linter *l, uint32_t parameter, const struct matrix_row *row)
{
    const struct matrix_parameter *m = &l->p->matrix->parameters[parameter];
    char                           from[EITHER_SIZE], to[EITHER_SIZE];

    if (m->lost)
        tell_of(l, parameter, SEVERITY_NOTICE, row->section,
             "The table of ports of row %s (%s, \"%s\") is lost from the source, and the site lists no %s: flows from %s to %s that no other "
             "row allows are neither allowed nor violations. Find out these ports and list them under parameters in the site file.", row->id.text,
             row->service, row->section, m->name.text, either_text(row->from_text, from), either_text(row->to_text, to));
    else
        tell_of(l, parameter, SEVERITY_NOTICE, row->section, "The site lists no %s, so row %s (%s, \"%s\") allows nothing. List the ports under parameters in the site file.",
             m->name.text, row->id.text, row->service, row->section);
}

static void lint_parameters(const struct linter *l)
{
    const struct policy *p = l->p;
    uint32_t            *rows = rows_that_want(p);

    for (uint32_t i = 0; rows != NULL && i < p->matrix->n_parameters; i++) {
        const struct matrix_parameter *m = &p->matrix->parameters[i];
        unsigned                       n = count_ports(p->parameter_ports[i]);

        if (n > 0 && n < m->minimum)
            tell(l, SEVERITY_MEDIUM, m->minimum_section, "The site sets %s to %u port%s, and at least %u are needed%s%s%s. %s%sLook at the range on the servers, and in the site file.",
                 m->name.text, n, n == 1 ? "" : "s", m->minimum, m->minimum_section != NULL ? " (\"" : "", m->minimum_section != NULL ? m->minimum_section : "",
                 m->minimum_section != NULL ? "\")" : "", m->minimum_text != NULL ? m->minimum_text : "", m->minimum_text != NULL ? " " : "");
        if (rows[i] != POLICY_NONE)
            lint_list(l, i, p->rows[rows[i]].row);
    }
    free(rows);
}

static int by_servers(const void *pa, const void *pb)
{
    const struct matrix_row *const *a = pa, *const *b = pb;
    int                             c = strcmp((*a)->to_text, (*b)->to_text);

    return c != 0 ? c : (*a > *b) - (*a < *b);
}

static int by_place(const void *pa, const void *pb)
{
    const struct matrix_row *const *a = pa, *const *b = pb;

    return (*a > *b) - (*a < *b);
}

/* Required rows whose client is there and whose server is not: the site file is not whole.  Told once for each set of servers. */
static void lint_rows(const struct linter *l)
{
    const struct policy      *p = l->p;
    const struct matrix_row **rows = calloc(p->matrix->n_rows + 1, sizeof(const struct matrix_row *));
    size_t                    n = 0, n_told = 0;

    for (size_t i = 0; rows != NULL && i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];

        if (a->enabled && a->required && anyone(p, &a->from) && !anyone(p, &a->to))
            rows[n++] = a->row;
    }
    if (n > 0)
        qsort(rows, n, sizeof(const struct matrix_row *), by_servers);
    for (size_t i = 0; i < n; i++)
        if (n_told == 0 || strcmp(rows[i]->to_text, rows[n_told - 1]->to_text) != 0)
            rows[n_told++] = rows[i];
    if (n_told > 0)
        qsort(rows, n_told, sizeof(const struct matrix_row *), by_place);
    char to[EITHER_SIZE];
    for (size_t i = 0; i < n_told; i++)
        tell(l, SEVERITY_MEDIUM, rows[i]->section, "The document requires flows to %s (row %s, %s, \"%s\"), and no host of the site has that role. Name the host in the site file, or "
             "say there under expect that the flow is on-demand.", either_text(rows[i]->to_text, to), rows[i]->id.text, rows[i]->service, rows[i]->section);
    free(rows);
}

static void lint_hosts(const struct linter *l)
{
    const struct site *s = l->p->site;

    for (size_t h = 0; h < s->n_hosts; h++)
        if (s->hosts[h].roles.n == 0)
            tell(l, SEVERITY_NOTICE, NULL, "Host %s (%s) has no role, so no row speaks of it. Give it the roles that it has, or take it out.", s->hosts[h].name.text,
                 policy_host_address(l->p, (uint32_t)h));
}

static void lint_exceptions(const struct linter *l, int64_t now_ns)
{
    const struct site *s = l->p->site;

    for (size_t i = 0; i < s->n_exceptions; i++) {
        const struct site_exception *e = &s->exceptions[i];

        if (now_ns > e->until_ns)
            tell(l, SEVERITY_LOW, NULL, "Exception %s (%s to %s, owner %s) ran out on %s and covers nothing any more: renew it or withdraw it.",
                 e->id.text, e->client.text, e->server.text, e->owner, e->until_text);
    }
}

void policy_lint(const struct policy *p, int64_t now_ns, policy_lint_fn *fn, void *aux)
{
    struct linter l = {p, fn, aux};

    lint_parameters(&l);
    lint_rows(&l);
    lint_hosts(&l);
    lint_exceptions(&l, now_ns);
}
