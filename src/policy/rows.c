/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as they apply at the site: roles, ports with parameters put in, conditions, expectations, protocols. */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

/* --- conditions -------------------------------------------------------------------------------------- */

static void apply_conditions(const struct policy *p, struct applied_row *a)
{
    const struct matrix_row *row = a->row;
    bool                     any = row->n_when_any == 0;
    uint32_t                 in_the_way = POLICY_NONE;

    a->enabled = true;
    a->off_option = POLICY_NONE;
    for (size_t i = 0; i < row->n_when; i++)
        a->enabled &= policy_holds(p, &row->when[i], &a->off_option);
    for (size_t i = 0; i < row->n_when_any; i++)
        any |= policy_holds(p, &row->when_any[i], &in_the_way);
    if (!any) {
        a->enabled = false;
        if (a->off_option == POLICY_NONE)
            a->off_option = in_the_way;
    }
    /* Where a version stands in the way too, no option would let the row apply. */
    for (size_t i = 0; i < row->n_when; i++)
        if (row->when[i].at_least && !policy_holds(p, &row->when[i], &in_the_way))
            a->off_option = POLICY_NONE;
    uint32_t wide = row->wide_notice_option != NULL ? name_index_find(&p->option_names, row->wide_notice_option) : POLICY_NONE;
    a->wide_option = wide != POLICY_NONE && (p->option_values[wide] & OPTION_ON) != 0 ? wide : POLICY_NONE;
}

void policy_apply_conditions(struct policy *p, const uint32_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        apply_conditions(p, &p->rows[rows[i]]);
}

/* --- ports ------------------------------------------------------------------------------------------- */

static size_t count_ports(const struct policy *p, const struct rules_ports *ports)
{
    size_t n = 0;

    for (size_t i = 0; i < ports->n; i++) {
        uint32_t parameter = ports->items[i].parameter != NULL ? name_index_find(&p->parameter_names, ports->items[i].parameter)
                                                               : POLICY_NONE;
        n += parameter != POLICY_NONE ? p->parameter_ports[parameter]->n : 1;
    }
    return n;
}

static void add_port(struct applied_row *a, const struct rules_port *port, uint16_t low, uint16_t high)
{
    a->ports[a->n_ports++] = (struct port_range){port->transport, port->one_way, low, high};
}

/* The ports that a parameter stands for; an empty list is remembered, and whether its table is lost. */
static void add_parameter(const struct policy *p, struct applied_row *a, const struct rules_port *port)
{
    uint32_t parameter = name_index_find(&p->parameter_names, port->parameter);

    if (parameter == POLICY_NONE)
        return;
    const struct rules_ports *list = p->parameter_ports[parameter];
    for (size_t k = 0; k < list->n; k++)
        if (list->items[k].transport == 0 || list->items[k].transport == port->transport)
            add_port(a, port, list->items[k].low, list->items[k].high);
    if (list->n == 0 && a->unlisted == POLICY_NONE)
        a->unlisted = parameter;
    if (list->n == 0)
        a->lost &= p->matrix->parameters[parameter].lost;
}

static int apply_ports(const struct policy *p, struct applied_row *a)
{
    const struct rules_ports *ports = &a->row->ports;

    a->unlisted = POLICY_NONE;
    a->lost = true;
    a->ports = calloc(count_ports(p, ports) + 1, sizeof(*a->ports));
    if (a->ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < ports->n; i++) {
        const struct rules_port *port = &ports->items[i];

        if (port->parameter != NULL)
            add_parameter(p, a, port);
        else
            add_port(a, port, port->low, port->high);
    }
    a->lost &= a->n_ports == 0 && a->unlisted != POLICY_NONE;
    return 0;
}

/* --- rows -------------------------------------------------------------------------------------------- */

static void add_roles(const struct policy *p, const struct rules_names *names, struct set256 *ret)
{
    for (size_t i = 0; i < names->n; i++) {
        uint32_t role = name_index_find(&p->role_names, names->items[i].text);

        if (role != POLICY_NONE)
            set_add(ret, role);
    }
}

static int by_text(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

static int apply_row(const struct policy *p, struct applied_row *a)
{
    const struct matrix_row *row = a->row;

    add_roles(p, &row->from, &a->from);
    add_roles(p, &row->to, &a->to);
    for (size_t i = 0; i < row->protocols.n; i++) {
        const char        *name = row->protocols.items[i].text;
        const char *const *found = bsearch(&name, p->protocols, p->n_protocols, sizeof(char *), by_text);

        if (found != NULL)
            set_add(&a->protocols, (unsigned)(found - p->protocols));
    }
    apply_conditions(p, a);
    a->required = row->expect == RULES_EXPECT_REQUIRED;
    a->within_ns = p->site->within_ns;
    return apply_ports(p, a);
}

static void apply_expect(struct policy *p, const struct site_expect *e, struct applied_row *a, struct diag_list *diags)
{
    struct diag_place place = site_place(p->site, &e->row.place);

    if (e->expect != RULES_EXPECT_UNSET)
        a->required = e->expect == RULES_EXPECT_REQUIRED;
    if (e->within_ns >= 0)
        a->within_ns = e->within_ns;
    if (e->every >= 0)
        a->every = e->every == 1;
    if (e->expect == RULES_EXPECT_REQUIRED && !a->enabled)
        diag_add(diags, DIAG_WARNING, &place, "row '%s' does not apply at this site%s%s%s, so it is never expected", e->row.text,
                 a->off_option != POLICY_NONE ? " (option '" : "",
                 a->off_option != POLICY_NONE ? p->matrix->options[a->off_option].name.text : "",
                 a->off_option != POLICY_NONE ? "')" : "");
}

/* The site's 'expect' entries, each for the row it names. */
static int apply_expects(struct policy *p, struct diag_list *diags)
{
    struct name_index ids = {0};

    if (p->site->n_expects == 0)
        return 0;
    if (name_index_build(&ids, p->matrix->rows, sizeof(*p->matrix->rows), p->matrix->n_rows) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < p->site->n_expects; i++) {
        const struct site_expect *e = &p->site->expects[i];
        uint32_t                  row = name_index_find(&ids, e->row.text);

        if (row == POLICY_NONE)
            report_unknown(p->matrix, p->site, diags, &e->row, "row", &ids);
        else
            apply_expect(p, e, &p->rows[row], diags);
    }
    name_index_free(&ids);
    return 0;
}

int policy_resolve_rows(struct policy *p, struct diag_list *diags)
{
    p->rows = calloc(p->matrix->n_rows + 1, sizeof(*p->rows));
    if (p->rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        p->rows[i].row = &p->matrix->rows[i];
        int rc = apply_row(p, &p->rows[i]);
        if (rc != 0)
            return rc;
        if (p->rows[i].row->media)
            set_join(&p->media, &p->rows[i].protocols);
    }
    return apply_expects(p, diags);
}

/* --- protocols ---------------------------------------------------------------------------------------- */

static bool is_known(const struct policy *p, const char *name)
{
    for (const char *const *k = p->options.known_protocols; k != NULL && *k != NULL; k++)
        if (strcmp(*k, name) == 0)
            return true;
    return p->options.known_protocols == NULL;
}

static void report_protocol(const struct policy *p, const struct rules_name *name, struct diag_list *diags)
{
    struct diag_place place = matrix_place(p->matrix, &name->place);
    size_t            n = 0;

    while (p->options.known_protocols[n] != NULL)
        n++;
    const char *nearest = diag_nearest(name->text, p->options.known_protocols, n);
    if (nearest != NULL)
        diag_add(diags, DIAG_ERROR, &place, "unknown protocol '%s'; did you mean '%s'?", name->text, nearest);
    else
        diag_add(diags, DIAG_ERROR, &place, "unknown protocol '%s'; no classifier finds that", name->text);
}

bool policy_knows_protocol(const struct policy *p, const char *name, const struct rules_place *place, struct diag_list *diags)
{
    const struct rules_name used = {(char *)(uintptr_t)name, *place};
    bool                    known = is_known(p, name);

    if (!known)
        report_protocol(p, &used, diags);
    return known;
}

/* Each use of a name that is not known, in the order of the text. */
static void check_protocols(const struct policy *p, struct diag_list *diags)
{
    bool *known = calloc(p->n_protocols + 1, sizeof(*known));

    for (size_t i = 0; known != NULL && i < p->n_protocols; i++)
        known[i] = is_known(p, p->protocols[i]);
    for (size_t i = 0; known != NULL && i < p->matrix->n_rows; i++) {
        const struct rules_names *names = &p->matrix->rows[i].protocols;

        for (size_t k = 0; k < names->n; k++) {
            const char        *name = names->items[k].text;
            const char *const *found = bsearch(&name, p->protocols, p->n_protocols, sizeof(char *), by_text);

            if (found != NULL && !known[found - p->protocols])
                report_protocol(p, &names->items[k], diags);
        }
    }
    free(known);
}

int policy_resolve_protocols(struct policy *p, struct diag_list *diags)
{
    size_t n = 0;

    for (size_t i = 0; i < p->matrix->n_rows; i++)
        n += p->matrix->rows[i].protocols.n;
    p->protocols = calloc(n + 1, sizeof(*p->protocols));
    if (p->protocols == NULL)
        return -ENOMEM;
    n = 0;
    for (size_t i = 0; i < p->matrix->n_rows; i++)
        for (size_t k = 0; k < p->matrix->rows[i].protocols.n; k++)
            p->protocols[n++] = p->matrix->rows[i].protocols.items[k].text;
    qsort(p->protocols, n, sizeof(char *), by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(p->protocols[i], p->protocols[p->n_protocols - 1]) != 0)
            p->protocols[p->n_protocols++] = p->protocols[i];
    p->protocols[p->n_protocols] = NULL;
    if (p->n_protocols > SET_MAX) {
        struct diag_place place = matrix_place(p->matrix, &p->matrix->rows[0].id.place);

        diag_add(diags, DIAG_ERROR, &place, "the rows name %zu protocols; a matrix has at most %d", p->n_protocols, SET_MAX);
        return -EINVAL;
    }
    check_protocols(p, diags);
    return 0;
}
