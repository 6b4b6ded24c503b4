/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers, and what to say of a name that nobody knows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "private.h"

#define MOST_SUGGESTED 1000 /* names looked at for a slip of the hand */

static int by_name(const void *pa, const void *pb)
{
    const struct name_entry *a = pa, *b = pb;

    return strcmp(a->name, b->name);
}

int name_index_build(struct name_index *x, const void *names, size_t stride, size_t n)
{
    x->items = calloc(n + 1, sizeof(*x->items));
    if (x->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct rules_name *name = (const void *)((const char *)names + i * stride);

        x->items[i] = (struct name_entry){name->text, (uint32_t)i};
    }
    x->n = n;
    qsort(x->items, n, sizeof(*x->items), by_name);
    return 0;
}

void name_index_free(struct name_index *x)
{
    free(x->items);
    *x = (struct name_index){0};
}

uint32_t name_index_find(const struct name_index *x, const char *name)
{
    struct name_entry        key = {.name = name};
    const struct name_entry *found = x->n > 0 ? bsearch(&key, x->items, x->n, sizeof(key), by_name) : NULL;

    return found != NULL ? found->number : POLICY_NONE;
}

/* "a, b, c and 12 more" */
static const char *list_names(const struct name_index *known, char *buf, size_t size)
{
    size_t len = 0, i;

    snprintf(buf, size, "none");
    for (i = 0; i < known->n && (len + 110 < size || (i + 1 == known->n && len + 70 < size)); i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%.64s", i == 0 ? "" : i + 1 == known->n ? " and " : ", ",
                                known->items[i].name);
    if (i < known->n)
        snprintf(buf + len, size - len, " and %zu more", known->n - i);
    return buf;
}

/* The only name that holds the word: "gateway" is meant for "voip-gateway"; or NULL. */
static const char *only_with(const char *word, const char *const *names, size_t n)
{
    const char *found = NULL;

    for (size_t i = 0; i < n && strlen(word) > 2; i++)
        if (strcasestr(names[i], word) != NULL) {
            if (found != NULL)
                return NULL;
            found = names[i];
        }
    return found;
}

void report_unknown(const struct matrix *m, const struct site *s, struct diag_list *diags, const struct rules_name *name,
                    const char *what, const struct name_index *known)
{
    const char       *names[MOST_SUGGESTED];
    size_t            n = known->n < MOST_SUGGESTED ? known->n : MOST_SUGGESTED;
    struct diag_place place = site_place(s, &name->place);
    char              list[800]; /* some lines of a terminal */

    if (diag_count(diags, DIAG_ERROR) > RULES_MAX_ERRORS)
        return; /* a great many errors are read by nobody */
    for (size_t i = 0; i < n; i++)
        names[i] = known->items[i].name;
    const char *nearest = diag_nearest(name->text, names, n);
    if (nearest == NULL)
        nearest = only_with(name->text, names, n);
    if (nearest != NULL)
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; did you mean '%s'?", what, name->text, nearest);
    else
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; matrix %s has %s", what, name->text, m->id,
                 list_names(known, list, sizeof(list)));
}

/* --- names alone -------------------------------------------------------------------------------------- */

struct name_check {
    const struct matrix *matrix;
    const struct site   *site;
    struct diag_list    *diags;
    const char          *what;
    struct name_index    known;
};

/* An empty name has had its error from the parser. */
static void check_name(const struct name_check *c, const struct rules_name *name)
{
    if (name->text != NULL && *name->text != '\0' && name_index_find(&c->known, name->text) == POLICY_NONE)
        report_unknown(c->matrix, c->site, c->diags, name, c->what, &c->known);
}

static void check_roles(const struct name_check *c)
{
    for (size_t i = 0; i < c->site->n_hosts; i++)
        for (size_t k = 0; k < c->site->hosts[i].roles.n; k++)
            check_name(c, &c->site->hosts[i].roles.items[k]);
}

static void check_options(const struct name_check *c)
{
    for (size_t i = 0; i < c->site->n_options; i++)
        check_name(c, &c->site->options[i].name);
}

static void check_parameters(const struct name_check *c)
{
    for (size_t i = 0; i < c->site->n_parameters; i++) {
        const struct site_setting *set = &c->site->parameters[i];
        uint32_t                   known = set->name.text != NULL ? name_index_find(&c->known, set->name.text) : POLICY_NONE;

        check_name(c, &set->name);
        if (known != POLICY_NONE && (set->value.text != NULL || set->ports.n > 0))
            policy_parameter_fits(c->matrix, known, c->site, set, c->diags);
    }
}

static void check_rows(const struct name_check *c)
{
    for (size_t i = 0; i < c->site->n_expects; i++)
        check_name(c, &c->site->expects[i].row);
}

void policy_check_names(const struct matrix *m, const struct site *s, struct diag_list *diags)
{
    const struct {
        const char *what;
        const void *names;
        size_t      stride, n;
        void (*check)(const struct name_check *);
    } parts[] = {
        {"role", m->roles, sizeof(*m->roles), m->n_roles, check_roles},
        {"option", m->options, sizeof(*m->options), m->n_options, check_options},
        {"parameter", m->parameters, sizeof(*m->parameters), m->n_parameters, check_parameters},
        {"row", m->rows, sizeof(*m->rows), m->n_rows, check_rows},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct name_check c = {.matrix = m, .site = s, .diags = diags, .what = parts[i].what};

        if (name_index_build(&c.known, parts[i].names, parts[i].stride, parts[i].n) == 0)
            parts[i].check(&c);
        name_index_free(&c.known);
    }
}
