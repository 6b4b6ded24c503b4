/* SPDX-License-Identifier: Apache-2.0 */
/* A matrix file's roles, options, parameters, separations and tests; its rows are read in matrix_row.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct diag_place matrix_place(const struct matrix *m, const struct rules_place *at)
{
    return (struct diag_place){
        .file = m->file, .line = at->line, .column = at->column, .width = at->width, .text = m->text, .size = m->size};
}

void matrix_free(struct matrix *m)
{
    if (m != NULL)
        arena_free(m->arena); /* which holds *m too */
}

/* --- roles -------------------------------------------------------------------------------------- */

static const struct key role_keys[] = {
    {"text", read_text, offsetof(struct matrix_role, text), false},
    {"implies", read_names, offsetof(struct matrix_role, implies), false},
    {"family", read_text, offsetof(struct matrix_role, family), false},
    {"governed", read_bool, offsetof(struct matrix_role, governed), false},
};

static void read_roles(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_mapping(p, n, "'roles'", &count))
        return;
    m->roles = parse_alloc(p, count, sizeof(*m->roles));
    const struct node *key = node_first(p, n), *value;
    for (; m->roles != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        read_id(p, key, &m->roles[m->n_roles].name);
        read_keys(p, value, "a role", KEYS(role_keys), &m->roles[m->n_roles++]);
    }
}

/* --- options ------------------------------------------------------------------------------------ */

static void read_option_values(struct parse *p, const struct node *n, void *field)
{
    struct rules_names *values = field;

    read_names(p, n, values);
    for (size_t i = 0; i < values->n; i++) {
        const char *means = switch_of(values->items[i].text);

        if (means != NULL)
            values->items[i].text = (char *)(uintptr_t)means;
        else
            parse_error_at(p, &values->items[i].place, "'%.100s' is no value of an option; on, off and both are",
                           values->items[i].text);
    }
}

static const struct key option_keys[] = {
    {"text", read_text, offsetof(struct matrix_option, text), false},
    {"values", read_option_values, offsetof(struct matrix_option, values), false},
    {"default", read_switch, offsetof(struct matrix_option, fallback), false},
    {"on_with", read_names, offsetof(struct matrix_option, default_on_role), false},
};

/* What an option that says nothing has: on or off, and off. */
static void complete_option(struct parse *p, struct matrix_option *o)
{
    static const char *const usual[] = {"on", "off"};

    if (o->fallback == NULL)
        o->fallback = (char *)(uintptr_t)usual[1];
    if (o->values.n > 0)
        return;
    o->values.items = parse_alloc(p, 2, sizeof(o->values.items[0]));
    for (size_t i = 0; o->values.items != NULL && i < 2; i++)
        o->values.items[o->values.n++] =
            (struct rules_name){.text = (char *)(uintptr_t)usual[i], .place = o->name.place};
}

static void read_options(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_mapping(p, n, "'options'", &count))
        return;
    m->options = parse_alloc(p, count, sizeof(*m->options));
    const struct node *key = node_first(p, n), *value;
    for (; m->options != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        struct matrix_option *o = &m->options[m->n_options++];

        read_id(p, key, &o->name);
        read_keys(p, value, "an option", KEYS(option_keys), o);
        complete_option(p, o);
    }
}

/* --- parameters --------------------------------------------------------------------------------- */

static void read_count(struct parse *p, const struct node *n, void *field)
{
    char *end;
    unsigned long value;

    if (!expect_scalar(p, n, "a number of ports"))
        return;
    value = n->text[0] >= '1' && n->text[0] <= '9' ? strtoul(n->text, &end, 10) : 0;
    if (value == 0 || *end != '\0' || value > UINT16_MAX)
        parse_error(p, n, "'%.100s' is no number of ports; write 1 to 65535", n->text);
    else
        *(unsigned *)field = (unsigned)value;
}

static void read_minimum(struct parse *p, const struct node *n, void *field)
{
    static const struct key keys[] = {
        {"ports", read_count, offsetof(struct matrix_parameter, minimum), true},
        {"text", read_text, offsetof(struct matrix_parameter, minimum_text), false},
        {"section", read_text, offsetof(struct matrix_parameter, minimum_section), false},
    };

    read_keys(p, n, "a minimum", KEYS(keys), field);
}

static void read_version(struct parse *p, const struct node *n, void *field)
{
    if (!expect_scalar(p, n, "a version"))
        return;
    *(char **)field = (char *)(uintptr_t)n->text;
    if (!form_version(n->text))
        parse_error(p, n, "'%.100s' is no version; write numbers and dots, such as 5.0", n->text);
}

static const struct key parameter_keys[] = {
    {"text", read_text, offsetof(struct matrix_parameter, text), false},
    {"ports", read_parameter_ports, offsetof(struct matrix_parameter, ports), false},
    {"version", read_version, offsetof(struct matrix_parameter, version), false},
    {"minimum", read_minimum, 0, false},
    {"lost", read_bool, offsetof(struct matrix_parameter, lost), false},
};

static void read_parameter(struct parse *p, const struct node *key, const struct node *value,
                           struct matrix_parameter *ret)
{
    bool has_ports = find_key(p, value, "ports") != NULL, has_version = find_key(p, value, "version") != NULL;

    read_id(p, key, &ret->name);
    read_keys(p, value, "a parameter", KEYS(parameter_keys), ret);
    ret->type = has_version ? RULES_PARAMETER_VERSION : RULES_PARAMETER_PORTS;
    if (has_ports == has_version && p->cut_line == 0)
        parse_error(
            p, key,
            "parameter '%.100s' has %s 'ports' and 'version'; give one of them ('ports: []' for none by default)",
            ret->name.text, has_ports ? "both" : "neither of");
    if (has_version && (ret->minimum > 0 || ret->lost))
        parse_error(p, key, "parameter '%.100s' is a version; 'minimum' and 'lost' are for ports", ret->name.text);
}

static void read_parameters(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_mapping(p, n, "'parameters'", &count))
        return;
    m->parameters = parse_alloc(p, count, sizeof(*m->parameters));
    const struct node *key = node_first(p, n), *value;
    for (; m->parameters != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value))
        read_parameter(p, key, value, &m->parameters[m->n_parameters++]);
}

/* --- separations -------------------------------------------------------------------------------- */

static void read_between(struct parse *p, const struct node *n, void *field)
{
    struct matrix_separation *s = field;
    struct rules_names names = {0};

    read_names(p, n, &names);
    if (names.n != 2) {
        parse_error(p, n, "a separation is between two roles; write [role, role]");
        return;
    }
    s->a = names.items[0];
    s->b = names.items[1];
}

static const struct key separation_keys[] = {
    {"between", read_between, 0, true},
    {"section", read_text, offsetof(struct matrix_separation, section), true},
    {"text", read_text, offsetof(struct matrix_separation, text), true},
};

static void read_separations(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_sequence(p, n, "'separations'", &count))
        return;
    m->separations = parse_alloc(p, count, sizeof(*m->separations));
    for (const struct node *c = node_first(p, n); m->separations != NULL && c != NULL; c = node_next(p, c))
        read_keys(p, c, "a separation", KEYS(separation_keys), &m->separations[m->n_separations++]);
}

/* --- signs --------------------------------------------------------------------------------------- */

static const struct key sign_keys[] = {
    {"interface", read_name, offsetof(struct matrix_sign, interface), true},
    {"from", read_names, offsetof(struct matrix_sign, from), true},
    {"role", read_name, offsetof(struct matrix_sign, role), true},
    {"unless", read_names, offsetof(struct matrix_sign, unless), false},
    {"section", read_text, offsetof(struct matrix_sign, section), true},
    {"text", read_text, offsetof(struct matrix_sign, text), true},
};

static void read_signs(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_sequence(p, n, "'signs'", &count))
        return;
    m->signs = parse_alloc(p, count, sizeof(*m->signs));
    for (const struct node *c = node_first(p, n); m->signs != NULL && c != NULL; c = node_next(p, c))
        read_keys(p, c, "a sign", KEYS(sign_keys), &m->signs[m->n_signs++]);
}

/* --- the file ----------------------------------------------------------------------------------- */

static void read_matrix_id(struct parse *p, const struct node *n, void *field)
{
    struct rules_name name = {0};

    if (expect_scalar(p, n, "'matrix'"))
        read_id(p, n, &name);
    *(char **)field = name.text;
}

static const struct key matrix_keys[] = {
    {"matrix", read_matrix_id, offsetof(struct matrix, id), true},
    {"title", read_text, offsetof(struct matrix, title), false},
    {"source", read_text, offsetof(struct matrix, source), false},
    {"roles", read_roles, 0, true},
    {"options", read_options, 0, false},
    {"parameters", read_parameters, 0, false},
    {"sections", read_sections, 0, true},
    {"separations", read_separations, 0, false},
    {"signs", read_signs, 0, false},
    {"tests", read_tests, 0, false},
};

int matrix_parse(const char *text, size_t size, const char *name, struct matrix **ret, struct diag_list *diags)
{
    struct parse p;
    struct rules_text t;
    int rc = parse_begin(&p, text, size, name, diags, &t);

    if (rc != 0)
        return rc;
    struct matrix *m = parse_alloc(&p, 1, sizeof(*m));
    if (m != NULL) {
        *m = (struct matrix){.arena = p.arena, .file = t.file, .text = t.text, .size = size};
        memcpy(m->sha256, t.sha256, sizeof(m->sha256));
        read_keys(&p, p.nodes, "a matrix", KEYS(matrix_keys), m);
        matrix_check(&p, m);
    }
    rc = parse_end(&p);
    if (rc == 0)
        *ret = m;
    return rc;
}
