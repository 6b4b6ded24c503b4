/* SPDX-License-Identifier: Apache-2.0 */
/* What a matrix must agree with itself on, once all of it is read. */
#include <stdio.h>
#include <string.h>

#include "private.h"

struct checker {
    struct parse *parse;
    struct matrix *matrix;
    struct index roles, options, parameters, rows;
};

/* --- names that are used ------------------------------------------------------------------------ */

static void check_roles(struct checker *c, const struct rules_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        index_require(c->parse, &c->roles, &names->items[i], "role");
}

static bool has_value(const struct matrix_option *o, const char *value)
{
    for (size_t i = 0; i < o->values.n; i++)
        if (strcmp(o->values.items[i].text, value) == 0)
            return true;
    return false;
}

static void check_conditions(struct checker *c, const struct matrix_when *when, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t found = index_require(c->parse, when[i].at_least ? &c->parameters : &c->options, &when[i].name,
                                     when[i].at_least ? "parameter" : "option");

        if (found != SIZE_MAX && when[i].at_least && c->matrix->parameters[found].type != RULES_PARAMETER_VERSION)
            parse_error_at(c->parse, &when[i].name.place, "parameter '%s' is no version; only versions can be compared",
                           when[i].name.text);
    }
}

static void check_ports(struct checker *c, const struct rules_ports *ports)
{
    for (size_t i = 0; i < ports->n; i++) {
        struct rules_name name = {.text = ports->items[i].parameter, .place = ports->items[i].place};
        size_t found = name.text != NULL ? index_require(c->parse, &c->parameters, &name, "parameter") : SIZE_MAX;

        if (found != SIZE_MAX && c->matrix->parameters[found].type != RULES_PARAMETER_PORTS)
            parse_error_at(c->parse, &name.place, "parameter '%s' is a version and not ports", name.text);
    }
}

static void check_row(struct checker *c, const struct matrix_row *row)
{
    check_roles(c, &row->from);
    check_roles(c, &row->to);
    check_ports(c, &row->ports);
    check_conditions(c, row->when, row->n_when);
    check_conditions(c, row->when_any, row->n_when_any);
    if (row->wide_notice_option != NULL) {
        struct rules_name name = {.text = row->wide_notice_option, .place = row->wide_notice_place};
        index_require(c->parse, &c->options, &name, "option");
    }
}

static void check_test_option(struct checker *c, const struct rules_name *setting)
{
    size_t len = strcspn(setting->text, "=");
    struct rules_name name = {.text = parse_printf(c->parse, "%.*s", (int)len, setting->text), .place = setting->place};
    size_t found = name.text != NULL ? index_require(c->parse, &c->options, &name, "option") : SIZE_MAX;

    if (found != SIZE_MAX && !has_value(&c->matrix->options[found], setting->text + len + 1))
        parse_error_at(c->parse, &name.place, "option '%s' cannot be '%s'", name.text, setting->text + len + 1);
}

static void check_test(struct checker *c, const struct matrix_test *t)
{
    struct rules_name client = {.text = t->client, .place = t->place}, server = {.text = t->server, .place = t->place};

    index_require(c->parse, &c->roles, &client, "role");
    index_require(c->parse, &c->roles, &server, "role");
    for (size_t i = 0; i < t->options.n; i++)
        check_test_option(c, &t->options.items[i]);
}

static void check_option(struct checker *c, const struct matrix_option *o)
{
    check_roles(c, &o->default_on_role);
    if (!has_value(o, o->fallback))
        parse_error_at(c->parse, &o->name.place, "option '%s' cannot be '%s' by default; 'values' does not list it",
                       o->name.text, o->fallback);
}

/* --- conditions in words ------------------------------------------------------------------------ */

/* "option failover"; "option https off" where the option has more than on and off, or where it must be off. */
static void print_condition(const struct checker *c, const struct matrix_when *w, FILE *out)
{
    if (w->at_least) {
        fprintf(out, "parameter %s %s or later", w->name.text, w->value);
        return;
    }
    size_t found = index_find(&c->options, w->name.text);
    bool say = found == SIZE_MAX || has_value(&c->matrix->options[found], "both") || strcmp(w->value, "on") != 0;
    fprintf(out, "option %s%s%s", w->name.text, say ? " " : "", say ? w->value : "");
}

static void complete_condition(const struct checker *c, struct matrix_row *row)
{
    struct stream s;

    if (row->condition != NULL || !stream_open(c->parse, &s))
        return;
    for (size_t i = 0; i < row->n_when; i++) {
        fputs(i > 0 ? ", " : "", s.out);
        print_condition(c, &row->when[i], s.out);
    }
    fputs(row->n_when > 0 && row->n_when_any > 0 ? ", " : "", s.out);
    for (size_t i = 0; i < row->n_when_any; i++) {
        fputs(i > 0 ? " or " : "", s.out);
        print_condition(c, &row->when_any[i], s.out);
    }
    row->condition = stream_take(c->parse, &s);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static bool build_indexes(struct checker *c)
{
    struct parse *p = c->parse;
    struct matrix *m = c->matrix;

    index_build(p, &c->roles, m->roles, m->n_roles, sizeof(*m->roles), "role");
    index_build(p, &c->options, m->options, m->n_options, sizeof(*m->options), "option");
    index_build(p, &c->parameters, m->parameters, m->n_parameters, sizeof(*m->parameters), "parameter");
    index_build(p, &c->rows, m->rows, m->n_rows, sizeof(*m->rows), "row");
    return !p->out_of_memory;
}

static void check_separation(struct checker *c, const struct matrix_separation *s)
{
    index_require(c->parse, &c->roles, &s->a, "role");
    index_require(c->parse, &c->roles, &s->b, "role");
}

static void check_sign(struct checker *c, const struct matrix_sign *s)
{
    check_roles(c, &s->from);
    check_roles(c, &s->unless);
    index_require(c->parse, &c->roles, &s->role, "role");
}

void matrix_check(struct parse *p, struct matrix *m)
{
    struct checker c = {.parse = p, .matrix = m};

    if (!build_indexes(&c))
        return;
    for (size_t i = 0; i < m->n_roles; i++)
        check_roles(&c, &m->roles[i].implies);
    for (size_t i = 0; i < m->n_options; i++)
        check_option(&c, &m->options[i]);
    for (size_t i = 0; i < m->n_separations; i++)
        check_separation(&c, &m->separations[i]);
    for (size_t i = 0; i < m->n_signs; i++)
        check_sign(&c, &m->signs[i]);
    for (size_t i = 0; i < m->n_rows; i++)
        check_row(&c, &m->rows[i]);
    for (size_t i = 0; i < m->n_tests; i++)
        check_test(&c, &m->tests[i]);
    /* Only a matrix without errors has all that the words are made of. */
    for (size_t i = 0; p->n_errors == 0 && i < m->n_rows; i++)
        complete_condition(&c, &m->rows[i]);
}
