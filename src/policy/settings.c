/* SPDX-License-Identifier: Apache-2.0 */
/* Options and parameters: the matrix's defaults, the site's words, the conditions that rest on them. */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

/* --- options ---------------------------------------------------------------------------------------- */

static uint8_t option_bits(const char *value)
{
    if (strcmp(value, "both") == 0)
        return OPTION_ON | OPTION_OFF;
    return strcmp(value, "on") == 0 ? OPTION_ON : OPTION_OFF;
}

static bool anyone_has(const struct policy *p, const struct rules_names *roles)
{
    for (size_t r = 0; r < roles->n; r++) {
        uint32_t role = name_index_find(&p->role_names, roles->items[r].text);

        if (role != POLICY_NONE && set_has(&p->present, role))
            return true;
    }
    return false;
}

static void set_option(struct policy *p, const struct site_setting *set, struct diag_list *diags)
{
    uint32_t    i = name_index_find(&p->option_names, set->name.text);
    const char *value = set->value.text != NULL ? set->value.text : "";

    if (i == POLICY_NONE) {
        report_unknown(p->matrix, p->site, diags, &set->name, "option", &p->option_names);
        return;
    }
    const struct rules_names *values = &p->matrix->options[i].values;
    bool                      both = false;
    for (size_t k = 0; k < values->n; k++) {
        both |= strcmp(values->items[k].text, "both") == 0;
        if (strcmp(values->items[k].text, value) == 0) {
            p->option_values[i] = option_bits(value);
            return;
        }
    }
    struct diag_place place = site_place(p->site, &set->value.place);
    diag_add(diags, DIAG_ERROR, &place, "option '%s' cannot be '%s'; it is on or off%s", set->name.text, value,
             both ? ", or both while the site migrates" : "");
}

int policy_resolve_options(struct policy *p, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;

    if (p->option_values == NULL)
        p->option_values = calloc(m->n_options + 1, sizeof(*p->option_values));
    if (p->option_values == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_options; i++) {
        const struct matrix_option *o = &m->options[i];
        bool                        on = anyone_has(p, &o->default_on_role);

        p->option_values[i] = on ? OPTION_ON : option_bits(o->fallback != NULL ? o->fallback : "off");
    }
    for (size_t i = 0; i < p->site->n_options; i++)
        set_option(p, &p->site->options[i], diags);
    return 0;
}

/* --- parameters -------------------------------------------------------------------------------------- */

static bool is_version(const char *text)
{
    return *text >= '0' && *text <= '9' && text[strspn(text, "0123456789.")] == '\0';
}

bool policy_parameter_fits(const struct matrix *m, uint32_t parameter, const struct site *s, const struct site_setting *set, struct diag_list *diags)
{
    struct diag_place place = site_place(s, set->value.text != NULL ? &set->value.place : &set->name.place);
    const char       *value = set->value.text;

    if (m->parameters[parameter].type == RULES_PARAMETER_VERSION && (value == NULL || !is_version(value)))
        diag_add(diags, DIAG_ERROR, &place, "parameter '%s' is a version, such as 5.0, not %s%.100s%s", set->name.text, value != NULL ? "'" : "a list of ports",
                 value != NULL ? value : "", value != NULL ? "'" : "");
    else if (m->parameters[parameter].type == RULES_PARAMETER_PORTS && set->ports.n == 0 && value != NULL)
        diag_add(diags, DIAG_ERROR, &place, "parameter '%s' is a list of ports, such as [1200, 1201-1204], not '%.100s'", set->name.text, value);
    else
        return true;
    return false;
}

static void set_parameter(struct policy *p, const struct site_setting *set, struct diag_list *diags)
{
    uint32_t i = name_index_find(&p->parameter_names, set->name.text);

    if (i == POLICY_NONE) {
        report_unknown(p->matrix, p->site, diags, &set->name, "parameter", &p->parameter_names);
    } else if (policy_parameter_fits(p->matrix, i, p->site, set, diags)) {
        if (p->matrix->parameters[i].type == RULES_PARAMETER_VERSION)
            p->parameter_versions[i] = set->value.text;
        else
            p->parameter_ports[i] = &set->ports;
    }
}

int policy_resolve_parameters(struct policy *p, struct diag_list *diags)
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

/* --- conditions --------------------------------------------------------------------------------------- */

/* Dotted versions number by number: "10.5" is later than "9.1", "5" is "5.0". */
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

bool policy_holds(const struct policy *p, const struct matrix_when *w, uint32_t *ret_option)
{
    if (w->at_least) {
        uint32_t    i = name_index_find(&p->parameter_names, w->name.text);
        const char *version = i != POLICY_NONE ? p->parameter_versions[i] : NULL;

        return version != NULL && compare_versions(version, w->value) >= 0;
    }
    uint32_t i = name_index_find(&p->option_names, w->name.text);
    if (i == POLICY_NONE)
        return false;
    if ((p->option_values[i] & option_bits(w->value)) != 0)
        return true;
    if (*ret_option == POLICY_NONE)
        *ret_option = i;
    return false;
}
