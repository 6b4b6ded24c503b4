/* SPDX-License-Identifier: Apache-2.0 */
/* Tree to compiled policy: roles, options, parameters, rows, hosts; the site held to the matrix. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

int role_index(const struct matrix *m, const char *name)
{
    for (size_t i = 0; i < m->n_roles; i++)
        if (strcmp(m->roles[i].name.text, name) == 0)
            return (int)i;
    return -1;
}

int option_index(const struct matrix *m, const char *name)
{
    for (size_t i = 0; i < m->n_options; i++)
        if (strcmp(m->options[i].name.text, name) == 0)
            return (int)i;
    return -1;
}

int parameter_index(const struct matrix *m, const char *name)
{
    for (size_t i = 0; i < m->n_parameters; i++)
        if (strcmp(m->parameters[i].name.text, name) == 0)
            return (int)i;
    return -1;
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* "unknown role 'x'; did you mean 'y'?" with the names that an accessor gives. */
typedef const char *name_fn(const struct matrix *, size_t i);

static const char *role_name(const struct matrix *m, size_t i)
{
    return m->roles[i].name.text;
}

static const char *option_name(const struct matrix *m, size_t i)
{
    return m->options[i].name.text;
}

static const char *parameter_name(const struct matrix *m, size_t i)
{
    return m->parameters[i].name.text;
}

static const char *row_name(const struct matrix *m, size_t i)
{
    return m->rows[i].id.text;
}

/* "a, b, c and 12 more" */
static const char *list_names(const char *const *names, size_t n, char *buf, size_t size)
{
    size_t len = 0, i;

    snprintf(buf, size, "none");
    for (i = 0; i < n && len + 110 < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%.64s", i == 0 ? "" : i + 1 == n ? " and " : ", ", names[i]);
    if (i < n)
        snprintf(buf + len, size - len, " and %zu more", n - i);
    return buf;
}

static void unknown(struct diag_list *diags, const struct site *site, const struct rules_name *name, const char *what, const struct matrix *m,
                    name_fn *name_of, size_t n)
{
    struct diag_place place = site_place(site, &name->place);
    const char      **names = calloc(n + 1, sizeof(*names));

    for (size_t i = 0; names != NULL && i < n; i++)
        names[i] = name_of(m, i);
    const char *nearest = names != NULL ? diag_nearest(name->text, names, n) : NULL;
    char        known[400];
    if (nearest != NULL)
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; did you mean '%s'?", what, name->text, nearest);
    else
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; matrix %s has %s", what, name->text, m->id,
                 list_names(names, names != NULL ? n : 0, known, sizeof(known)));
    free(names);
}

/* --- roles ----------------------------------------------------------------------------------------------- */

static int close_roles(struct policy *p, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;

    if (m->n_roles > MAX_ROLES) {
        struct diag_place place = matrix_place(m, &m->roles[MAX_ROLES].name.place);
        diag_add(diags, DIAG_ERROR, &place, "%zu roles; a matrix has at most %d", m->n_roles, MAX_ROLES);
        return -EINVAL;
    }
    p->closures = calloc(m->n_roles + 1, sizeof(*p->closures));
    if (p->closures == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_roles; i++) {
        roleset_add(&p->closures[i], (unsigned)i);
        if (m->roles[i].governed)
            roleset_add(&p->governed, (unsigned)i);
    }
    /* Implications reach as far as there are roles: repeat until nothing changes. */
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < m->n_roles; i++) {
            struct roleset before = p->closures[i];

            for (size_t k = 0; k < m->roles[i].implies.n; k++) {
                int to = role_index(m, m->roles[i].implies.items[k].text);
                for (unsigned w = 0; to >= 0 && w < ROLE_WORDS; w++)
                    p->closures[i].words[w] |= p->closures[to].words[w];
            }
            changed |= memcmp(&before, &p->closures[i], sizeof(before)) != 0;
        }
    }
    return 0;
}

/* All roles of the families of 'roles', these included. */
static struct roleset siblings_of(const struct matrix *m, const struct roleset *roles)
{
    struct roleset s = *roles;

    for (unsigned i = 0; i < m->n_roles; i++) {
        if (!roleset_has(roles, i) || m->roles[i].family == NULL)
            continue;
        for (unsigned k = 0; k < m->n_roles; k++)
            if (m->roles[k].family != NULL && strcmp(m->roles[k].family, m->roles[i].family) == 0)
                roleset_add(&s, k);
    }
    return s;
}

static char *join_roles(const struct rules_names *names)
{
    size_t size = 1;

    for (size_t i = 0; i < names->n; i++)
        size += strlen(names->items[i].text) + 1;
    char *text = calloc(1, size), *at = text;
    for (size_t i = 0; text != NULL && i < names->n; i++)
        at += snprintf(at, size - (size_t)(at - text), "%s%s", i > 0 ? "," : "", names->items[i].text);
    return text;
}

static char *join_addresses(const struct site_host *h)
{
    char buf[2 * ADDR_TEXT_SIZE + 2];

    return strdup(h->n_ranges > 0 ? addr_range_text(&h->ranges[0], buf, sizeof(buf)) : "");
}

static int resolve_hosts(struct policy *p, struct diag_list *diags)
{
    const struct site *s = p->site;

    p->hosts = calloc(s->n_hosts + 1, sizeof(*p->hosts));
    if (p->hosts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_hosts; i++) {
        const struct site_host *h = &s->hosts[i];

        for (size_t k = 0; k < h->roles.n; k++) {
            int role = role_index(p->matrix, h->roles.items[k].text);

            if (role < 0) {
                unknown(diags, s, &h->roles.items[k], "role", p->matrix, role_name, p->matrix->n_roles);
                continue;
            }
            for (unsigned w = 0; w < ROLE_WORDS; w++)
                p->hosts[i].roles.words[w] |= p->closures[role].words[w];
        }
        p->hosts[i].siblings = siblings_of(p->matrix, &p->hosts[i].roles);
        p->hosts[i].role_text = join_roles(&h->roles);
        p->hosts[i].address_text = join_addresses(h);
        if (p->hosts[i].role_text == NULL || p->hosts[i].address_text == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int map_hosts(struct policy *p)
{
    const struct site *s = p->site;
    size_t             n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        n += s->hosts[i].n_ranges;
    n = n > s->n_ignores ? n : s->n_ignores;
    struct host_interval *blocks = calloc(n + 1, sizeof(*blocks));
    if (blocks == NULL)
        return -ENOMEM;
    n = 0;
    for (size_t i = 0; i < s->n_hosts; i++)
        for (size_t k = 0; k < s->hosts[i].n_ranges; k++)
            blocks[n++] = (struct host_interval){s->hosts[i].ranges[k].low, s->hosts[i].ranges[k].high, (uint32_t)i};
    int rc = interval_map_build(&p->host_map, blocks, n);
    for (size_t i = 0; i < s->n_ignores; i++)
        blocks[i] = (struct host_interval){s->ignores[i].range.low, s->ignores[i].range.high, (uint32_t)i};
    if (rc == 0)
        rc = interval_map_build(&p->ignore_map, blocks, s->n_ignores);
    free(blocks);
    return rc;
}

/* --- options and parameters --------------------------------------------------------------------------------- */

static bool site_has_role(const struct policy *p, const struct rules_names *roles)
{
    for (size_t r = 0; r < roles->n; r++) {
        int role = role_index(p->matrix, roles->items[r].text);

        for (size_t i = 0; role >= 0 && i < p->site->n_hosts; i++)
            if (roleset_has(&p->hosts[i].roles, (unsigned)role))
                return true;
    }
    return false;
}

static uint8_t option_bits(const char *value)
{
    if (strcmp(value, "both") == 0)
        return OPTION_ON | OPTION_OFF;
    return strcmp(value, "on") == 0 ? OPTION_ON : OPTION_OFF;
}

static void set_option(struct policy *p, const struct site_setting *set, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;
    int                  i = option_index(m, set->name.text);

    if (i < 0) {
        unknown(diags, p->site, &set->name, "option", m, option_name, m->n_options);
        return;
    }
    const struct rules_names *values = &m->options[i].values;
    for (size_t k = 0; k < values->n; k++) {
        if (strcmp(values->items[k].text, set->value.text) == 0) {
            p->option_values[i] = option_bits(set->value.text);
            return;
        }
    }
    struct diag_place place = site_place(p->site, &set->value.place);
    diag_add(diags, DIAG_ERROR, &place, "option '%s' cannot be '%s'; it is on or off%s", set->name.text, set->value.text,
             values->n > 2 ? ", or both while a site migrates" : "");
}

static int resolve_options(struct policy *p, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;

    p->option_values = calloc(m->n_options + 1, sizeof(*p->option_values));
    if (p->option_values == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_options; i++) {
        const struct matrix_option *o = &m->options[i];
        bool                        on = site_has_role(p, &o->default_on_role);

        p->option_values[i] = on ? OPTION_ON : option_bits(o->fallback != NULL ? o->fallback : "off");
    }
    for (size_t i = 0; i < p->site->n_options; i++)
        set_option(p, &p->site->options[i], diags);
    return 0;
}

static void set_parameter(struct policy *p, const struct site_setting *set, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;
    int                  i = parameter_index(m, set->name.text);

    if (i < 0) {
        unknown(diags, p->site, &set->name, "parameter", m, parameter_name, m->n_parameters);
    } else if (m->parameters[i].type == RULES_PARAMETER_VERSION) {
        if (set->value.text != NULL) {
            p->parameter_versions[i] = set->value.text;
            return;
        }
        struct diag_place place = site_place(p->site, &set->name.place);
        diag_add(diags, DIAG_ERROR, &place, "parameter '%s' is a version, such as 5.0, not a list of ports", set->name.text);
    } else if (set->ports.n == 0 && set->value.text != NULL) {
        struct diag_place place = site_place(p->site, &set->value.place);
        diag_add(diags, DIAG_ERROR, &place, "parameter '%s' is a list of ports, such as [1200, 1201-1204], not '%s'", set->name.text, set->value.text);
    } else {
        p->parameter_ports[i] = &set->ports;
    }
}

static int resolve_parameters(struct policy *p, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;

    p->parameter_ports = calloc(m->n_parameters + 1, sizeof(*p->parameter_ports));
    p->parameter_versions = calloc(m->n_parameters + 1, sizeof(*p->parameter_versions));
    if (p->parameter_ports == NULL || p->parameter_versions == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_parameters; i++) {
        p->parameter_ports[i] = &m->parameters[i].ports;
        p->parameter_versions[i] = m->parameters[i].version;
    }
    for (size_t i = 0; i < p->site->n_parameters; i++)
        set_parameter(p, &p->site->parameters[i], diags);
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------------------------ */

/* Compares dotted versions number by number: "10.5" is later than "9.1". */
static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        char         *ea, *eb;
        unsigned long na = strtoul(a, &ea, 10), nb = strtoul(b, &eb, 10);

        if (na != nb)
            return na < nb ? -1 : 1;
        a = *ea == '.' ? ea + 1 : "";
        b = *eb == '.' ? eb + 1 : "";
    }
    return 0;
}

/* Does this condition hold?  Names the option that stands in its way. */
static bool holds(const struct policy *p, const struct matrix_when *w, uint32_t *ret_option)
{
    if (w->at_least) {
        int         i = parameter_index(p->matrix, w->name.text);
        const char *version = i >= 0 ? p->parameter_versions[i] : NULL;

        return version != NULL && compare_versions(version, w->value) >= 0;
    }
    int i = option_index(p->matrix, w->name.text);
    if (i < 0)
        return false;
    if ((p->option_values[i] & option_bits(w->value)) != 0)
        return true;
    if (*ret_option == POLICY_NONE)
        *ret_option = (uint32_t)i;
    return false;
}

static void apply_conditions(const struct policy *p, struct applied_row *a)
{
    const struct matrix_row *row = a->row;
    bool                     any = row->n_when_any == 0;
    uint32_t                 in_the_way = POLICY_NONE;

    a->enabled = true;
    a->off_option = POLICY_NONE;
    for (size_t i = 0; i < row->n_when; i++)
        a->enabled &= holds(p, &row->when[i], &a->off_option);
    for (size_t i = 0; i < row->n_when_any; i++)
        any |= holds(p, &row->when_any[i], &in_the_way);
    if (!any) {
        a->enabled = false;
        if (a->off_option == POLICY_NONE)
            a->off_option = in_the_way;
    }
}

static void add_port(struct applied_row *a, const struct rules_port *port, uint16_t low, uint16_t high)
{
    a->ports[a->n_ports++] = (struct port_range){port->transport, port->one_way, low, high};
}

static int apply_ports(const struct policy *p, struct applied_row *a)
{
    const struct rules_ports *ports = &a->row->ports;
    size_t                    n = 0;

    a->unlisted = POLICY_NONE;
    for (size_t i = 0; i < ports->n; i++) {
        int parameter = ports->items[i].parameter != NULL ? parameter_index(p->matrix, ports->items[i].parameter) : -1;
        n += parameter >= 0 ? p->parameter_ports[parameter]->n : 1;
    }
    a->ports = calloc(n + 1, sizeof(*a->ports));
    if (a->ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < ports->n; i++) {
        const struct rules_port *port = &ports->items[i];

        if (port->parameter == NULL) {
            add_port(a, port, port->low, port->high);
            continue;
        }
        int parameter = parameter_index(p->matrix, port->parameter);
        if (parameter < 0)
            continue;
        const struct rules_ports *list = p->parameter_ports[parameter];
        for (size_t k = 0; k < list->n; k++)
            if (list->items[k].transport == 0 || list->items[k].transport == port->transport)
                add_port(a, port, list->items[k].low, list->items[k].high);
        if (list->n == 0 && a->unlisted == POLICY_NONE)
            a->unlisted = (uint32_t)parameter;
    }
    a->lost = a->n_ports == 0 && a->unlisted != POLICY_NONE && p->matrix->parameters[a->unlisted].lost;
    return 0;
}

static int apply_row(const struct policy *p, struct applied_row *a)
{
    const struct matrix_row *row = a->row;

    for (size_t i = 0; i < row->from.n; i++)
        roleset_add(&a->from, (unsigned)role_index(p->matrix, row->from.items[i].text));
    for (size_t i = 0; i < row->to.n; i++)
        roleset_add(&a->to, (unsigned)role_index(p->matrix, row->to.items[i].text));
    a->protocols = calloc(row->protocols.n + 1, sizeof(*a->protocols));
    if (a->protocols == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < row->protocols.n; i++)
        a->protocols[i] = row->protocols.items[i].text;
    apply_conditions(p, a);
    a->required = row->expect == RULES_EXPECT_REQUIRED;
    a->within_ns = p->site->within_ns;
    return apply_ports(p, a);
}

static int by_row_id(const void *pa, const void *pb)
{
    const struct applied_row *const *a = pa, *const *b = pb;

    return strcmp((*a)->row->id.text, (*b)->row->id.text);
}

/* The site's 'expect' entries, each for the row it names. */
static int apply_expects(struct policy *p, struct diag_list *diags)
{
    size_t               n = p->matrix->n_rows;
    struct applied_row **sorted = calloc(n + 1, sizeof(struct applied_row *));

    if (sorted == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &p->rows[i];
    qsort(sorted, n, sizeof(struct applied_row *), by_row_id);
    for (size_t i = 0; i < p->site->n_expects; i++) {
        const struct site_expect *e = &p->site->expects[i];
        struct matrix_row         wanted = {.id = e->row};
        struct applied_row        key = {.row = &wanted}, *keyp = &key;
        struct applied_row      **found = bsearch(&keyp, sorted, n, sizeof(struct applied_row *), by_row_id);

        if (found == NULL) {
            unknown(diags, p->site, &e->row, "row", p->matrix, row_name, n);
            continue;
        }
        if (e->expect != RULES_EXPECT_UNSET)
            (*found)->required = e->expect == RULES_EXPECT_REQUIRED;
        if (e->within_ns >= 0)
            (*found)->within_ns = e->within_ns;
        if (e->every >= 0)
            (*found)->every = e->every == 1;
    }
    free(sorted);
    return 0;
}

static int resolve_rows(struct policy *p, struct diag_list *diags)
{
    p->rows = calloc(p->matrix->n_rows + 1, sizeof(*p->rows));
    if (p->rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        p->rows[i].row = &p->matrix->rows[i];
        int rc = apply_row(p, &p->rows[i]);
        if (rc != 0)
            return rc;
    }
    return apply_expects(p, diags);
}

static bool knows(const struct policy *p, const char *name)
{
    for (const char *const *k = p->options.known_protocols; k != NULL && *k != NULL; k++)
        if (strcmp(*k, name) == 0)
            return true;
    return p->options.known_protocols == NULL;
}

static int by_text(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

static void check_protocol(struct policy *p, const struct rules_name *name, struct diag_list *diags)
{
    if (knows(p, name->text))
        return;
    size_t n = 0;
    while (p->options.known_protocols[n] != NULL)
        n++;
    struct diag_place place = matrix_place(p->matrix, &name->place);
    const char       *nearest = diag_nearest(name->text, p->options.known_protocols, n);
    diag_add(diags, DIAG_ERROR, &place, "unknown protocol '%s'%s%s%s", name->text, nearest != NULL ? "; did you mean '" : "",
             nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* The distinct protocol names of the matrix; each is looked up once. */
static int gather_protocols(struct policy *p, struct diag_list *diags)
{
    size_t n = 0;

    for (size_t i = 0; i < p->matrix->n_rows; i++)
        n += p->matrix->rows[i].protocols.n;
    p->protocols = calloc(n + 1, sizeof(*p->protocols));
    if (p->protocols == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        const struct rules_names *names = &p->matrix->rows[i].protocols;

        for (size_t k = 0; k < names->n; k++) {
            const char *text = names->items[k].text;

            if (bsearch(&text, p->protocols, p->n_protocols, sizeof(char *), by_text) != NULL)
                continue;
            check_protocol(p, &names->items[k], diags);
            p->protocols[p->n_protocols++] = text;
            qsort(p->protocols, p->n_protocols, sizeof(char *), by_text);
        }
    }
    return 0;
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

static const char *host_name(const struct site *s, size_t i)
{
    return s->hosts[i].name.text;
}

static void check_exception_end(const struct policy *p, const struct rules_name *end, bool is_range, bool any, struct diag_list *diags)
{
    const struct site *s = p->site;

    if (is_range || any)
        return;
    const char **names = calloc(s->n_hosts + 1, sizeof(*names));
    const char  *nearest = NULL;
    for (size_t i = 0; names != NULL && i < s->n_hosts; i++) {
        names[i] = host_name(s, i);
        if (strcmp(names[i], end->text) == 0) {
            free(names);
            return;
        }
    }
    if (names != NULL)
        nearest = diag_nearest(end->text, names, s->n_hosts);
    struct diag_place place = site_place(s, &end->place);
    diag_add(diags, DIAG_ERROR, &place, "'%s' is neither a host of this site, an address, a network, nor \"*\"%s%s%s", end->text,
             nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    free(names);
}

static void check_exceptions(const struct policy *p, struct diag_list *diags)
{
    for (size_t i = 0; i < p->site->n_exceptions; i++) {
        const struct site_exception *e = &p->site->exceptions[i];

        check_exception_end(p, &e->client, e->client_is_range, e->client_any, diags);
        check_exception_end(p, &e->server, e->server_is_range, e->server_any, diags);
    }
}

/* --- names alone ------------------------------------------------------------------------------------------------- */

struct name_check {
    const struct matrix *matrix;
    const struct site   *site;
    struct diag_list    *diags;
    size_t               n_unknown;
};

/* An empty name has had its error; a great many errors are read by nobody. */
static void check_name(struct name_check *c, const struct rules_name *name, const char *what, name_fn *name_of, size_t n)
{
    if (name->text == NULL || *name->text == '\0' || c->n_unknown >= RULES_MAX_ERRORS)
        return;
    for (size_t i = 0; i < n; i++)
        if (strcmp(name_of(c->matrix, i), name->text) == 0)
            return;
    c->n_unknown++;
    unknown(c->diags, c->site, name, what, c->matrix, name_of, n);
}

void policy_check_names(const struct matrix *m, const struct site *s, struct diag_list *diags)
{
    struct name_check c = {m, s, diags, 0};

    for (size_t i = 0; i < s->n_hosts; i++)
        for (size_t k = 0; k < s->hosts[i].roles.n; k++)
            check_name(&c, &s->hosts[i].roles.items[k], "role", role_name, m->n_roles);
    for (size_t i = 0; i < s->n_options; i++)
        check_name(&c, &s->options[i].name, "option", option_name, m->n_options);
    for (size_t i = 0; i < s->n_parameters; i++)
        check_name(&c, &s->parameters[i].name, "parameter", parameter_name, m->n_parameters);
    for (size_t i = 0; i < s->n_expects; i++)
        check_name(&c, &s->expects[i].row, "row", row_name, m->n_rows);
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

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
    int rc = close_roles(p, diags);
    if (rc == 0)
        rc = resolve_hosts(p, diags);
    if (rc == 0)
        rc = map_hosts(p);
    if (rc == 0)
        rc = resolve_options(p, diags);
    if (rc == 0)
        rc = resolve_parameters(p, diags);
    if (rc == 0)
        rc = resolve_rows(p, diags);
    if (rc == 0)
        rc = gather_protocols(p, diags);
    if (rc == 0)
        check_exceptions(p, diags);
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
    struct policy *p;
    int            rc = matrix_selftest(m, options, diags);

    if (rc == 0)
        rc = policy_resolve(m, s, options, &p, diags);
    if (rc != 0)
        return rc;
    rc = policy_index(p);
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
    for (size_t i = 0; p->hosts != NULL && i < p->site->n_hosts; i++) {
        free(p->hosts[i].role_text);
        free(p->hosts[i].address_text);
    }
    for (size_t i = 0; p->rows != NULL && i < p->matrix->n_rows; i++) {
        free(p->rows[i].ports);
        free(p->rows[i].protocols);
    }
    policy_index_free(p);
    free(p->hosts);
    free(p->rows);
    free(p->closures);
    free(p->option_values);
    free(p->parameter_ports);
    free(p->parameter_versions);
    free(p->protocols);
    free(p->host_map.items);
    free(p->ignore_map.items);
    free(p);
}
