/* SPDX-License-Identifier: Apache-2.0 */
/* What the document, as the matrix has it, says of a site before any traffic is seen. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

struct linter {
    const struct policy *p;
    policy_lint_fn      *fn;
    void                *aux;
};

static void __attribute__((format(printf, 4, 5))) tell(const struct linter *l, enum severity severity, const char *section, const char *fmt, ...)
{
    char    sentence[768];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    l->fn(l->aux, severity, section != NULL ? section : "", sentence);
}

static unsigned count_ports(const struct rules_ports *ports)
{
    unsigned n = 0;

    for (size_t i = 0; i < ports->n; i++)
        n += (unsigned)ports->items[i].high - ports->items[i].low + 1;
    return n;
}

/* An enabled row that uses this parameter and has hosts at both ends. */
static const struct applied_row *row_that_needs(const struct policy *p, uint32_t parameter)
{
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];
        bool                      from = false, to = false;

        if (!a->enabled || a->unlisted != parameter)
            continue;
        for (size_t h = 0; h < p->site->n_hosts; h++) {
            from |= rolesets_meet(&p->hosts[h].roles, &a->from);
            to |= rolesets_meet(&p->hosts[h].roles, &a->to);
        }
        if (from && to)
            return a;
    }
    return NULL;
}

static void lint_parameters(const struct linter *l)
{
    const struct policy *p = l->p;

    for (uint32_t i = 0; i < p->matrix->n_parameters; i++) {
        const struct matrix_parameter *m = &p->matrix->parameters[i];
        unsigned                       n = count_ports(p->parameter_ports[i]);
        const struct applied_row      *a = n == 0 && m->type == RULES_PARAMETER_PORTS ? row_that_needs(p, i) : NULL;

        if (m->minimum > 0 && n > 0 && n < m->minimum)
            tell(l, SEVERITY_MEDIUM, m->minimum_section, "The site sets %s to %u port%s, and at least %u are needed. %s", m->name.text, n,
                 n == 1 ? "" : "s", m->minimum, m->minimum_text != NULL ? m->minimum_text : "");
        if (a != NULL && m->lost)
            tell(l, SEVERITY_NOTICE, a->row->section,
                 "The table of ports of row %s is lost from the source, and the site lists no %s: such flows are neither allowed nor violations.",
                 a->row->id.text, m->name.text);
        else if (a != NULL)
            tell(l, SEVERITY_NOTICE, a->row->section, "The site lists no %s, so row %s (%s) allows nothing.", m->name.text, a->row->id.text,
                 a->row->service);
    }
}

static bool anyone(const struct policy *p, const struct roleset *roles)
{
    for (size_t h = 0; h < p->site->n_hosts; h++)
        if (rolesets_meet(&p->hosts[h].roles, roles))
            return true;
    return false;
}

/* A required row whose client is there and whose server is not: the site file is not whole. Told once for each set of servers. */
static void lint_rows(const struct linter *l)
{
    const struct policy *p = l->p;

    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];
        bool                      told = false;

        if (!a->enabled || !a->required || a->row->other || !anyone(p, &a->from) || anyone(p, &a->to))
            continue;
        for (size_t k = 0; k < i && !told; k++)
            told = p->rows[k].enabled && p->rows[k].required && strcmp(p->rows[k].row->to_text, a->row->to_text) == 0;
        if (!told)
            tell(l, SEVERITY_NOTICE, a->row->section, "Row %s requires flows to a %s, and no host of the site has such a role.", a->row->id.text,
                 a->row->to_text);
    }
}

static void lint_hosts(const struct linter *l)
{
    const struct site *s = l->p->site;

    for (size_t h = 0; h < s->n_hosts; h++)
        if (s->hosts[h].roles.n == 0)
            tell(l, SEVERITY_NOTICE, NULL, "Host %s has no role, so no row speaks of it.", s->hosts[h].name.text);
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
