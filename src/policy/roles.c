/* SPDX-License-Identifier: Apache-2.0 */
/* Roles with what they imply; hosts in groups of equal roles; addresses to hosts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "private.h"

/* --- roles --------------------------------------------------------------------------------------- */

/* Implications reach as far as there are roles: repeated until nothing changes. */
static void follow_implications(struct policy *p)
{
    const struct matrix *m = p->matrix;

    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < m->n_roles; i++) {
            struct set256 before = p->closures[i];

            for (size_t k = 0; k < m->roles[i].implies.n; k++) {
                uint32_t to = name_index_find(&p->role_names, m->roles[i].implies.items[k].text);

                if (to != POLICY_NONE)
                    set_join(&p->closures[i], &p->closures[to]);
            }
            changed |= memcmp(&before, &p->closures[i], sizeof(before)) != 0;
        }
    }
}

static void find_families(struct policy *p)
{
    const struct matrix *m = p->matrix;

    for (unsigned i = 0; i < m->n_roles; i++)
        for (unsigned k = 0; k < m->n_roles; k++)
            if (i == k || (m->roles[i].family != NULL && m->roles[k].family != NULL &&
                           strcmp(m->roles[i].family, m->roles[k].family) == 0))
                set_add(&p->families[i], k);
}

int policy_close_roles(struct policy *p, struct diag_list *diags)
{
    const struct matrix *m = p->matrix;

    if (m->n_roles > SET_MAX) {
        struct diag_place place = matrix_place(m, &m->roles[SET_MAX].name.place);

        diag_add(diags, DIAG_ERROR, &place, "%zu roles; a matrix has at most %d", m->n_roles, SET_MAX);
        return -EINVAL;
    }
    p->closures = calloc(m->n_roles + 1, sizeof(*p->closures));
    p->families = calloc(m->n_roles + 1, sizeof(*p->families));
    if (p->closures == NULL || p->families == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < m->n_roles; i++) {
        set_add(&p->closures[i], i);
        if (m->roles[i].governed)
            set_add(&p->governed, i);
    }
    follow_implications(p);
    find_families(p);
    return 0;
}

/* --- hosts ---------------------------------------------------------------------------------------- */

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

static char *first_address(const struct site_host *h)
{
    char buf[2 * ADDR_TEXT_SIZE + 2]; /* "low-high" */

    return strdup(h->n_ranges > 0 ? addr_range_text(&h->ranges[0], buf, sizeof(buf)) : "");
}

static struct set256 host_roles(struct policy *p, const struct site_host *h, struct diag_list *diags)
{
    struct set256 roles = {{0}};

    for (size_t k = 0; k < h->roles.n; k++) {
        uint32_t role = name_index_find(&p->role_names, h->roles.items[k].text);

        if (role == POLICY_NONE)
            report_unknown(p->matrix, p->site, diags, &h->roles.items[k], "role", &p->role_names);
        else
            set_join(&roles, &p->closures[role]);
    }
    return roles;
}

struct host_key {
    struct set256 roles;
    uint32_t      host;
};

static int by_roles(const void *pa, const void *pb)
{
    return memcmp(pa, pb, sizeof(struct set256));
}

/* Equal sets of roles become one group: sorted, they stand beside each other; the empty set sorts first. */
static int group_hosts(struct policy *p, struct host_key *keys, size_t n)
{
    qsort(keys, n, sizeof(*keys), by_roles);
    p->n_groups = 1;
    for (size_t i = 0; i < n; i++)
        p->n_groups += i == 0 ? !set_is_empty(&keys[i].roles) : by_roles(&keys[i], &keys[i - 1]) != 0;
    p->groups = calloc(p->n_groups, sizeof(*p->groups));
    if (p->groups == NULL)
        return -ENOMEM;
    uint32_t g = 0;
    for (size_t i = 0; i < n; i++) {
        if (by_roles(&keys[i], &p->groups[g]) != 0)
            p->groups[++g].roles = keys[i].roles;
        p->hosts[keys[i].host].group = g;
    }
    for (g = 0; g < p->n_groups; g++) {
        set_join(&p->present, &p->groups[g].roles);
        for (unsigned r = 0; (r = set_next(&p->groups[g].roles, r)) < SET_MAX; r++)
            set_join(&p->groups[g].siblings, &p->families[r]);
    }
    return 0;
}

int policy_resolve_hosts(struct policy *p, struct diag_list *diags)
{
    const struct site *s = p->site;
    struct host_key   *keys = calloc(s->n_hosts + 1, sizeof(*keys));

    p->hosts = calloc(s->n_hosts + 1, sizeof(*p->hosts));
    int rc = keys != NULL && p->hosts != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < s->n_hosts; i++) {
        const struct site_host *h = &s->hosts[i];

        keys[i] = (struct host_key){host_roles(p, h, diags), (uint32_t)i};
        p->hosts[i].role_text = join_roles(&h->roles);
        p->hosts[i].address_text = first_address(h);
        if (p->hosts[i].role_text == NULL || p->hosts[i].address_text == NULL)
            rc = -ENOMEM;
    }
    if (rc == 0)
        rc = group_hosts(p, keys, s->n_hosts);
    free(keys);
    return rc;
}

void policy_forget_hosts(struct policy *p)
{
    for (size_t i = 0; p->hosts != NULL && i < p->site->n_hosts; i++) {
        free(p->hosts[i].role_text);
        free(p->hosts[i].address_text);
    }
    free(p->hosts);
    free(p->groups);
    p->hosts = NULL;
    p->groups = NULL;
    p->present = (struct set256){{0}};
}

int policy_map_hosts(struct policy *p)
{
    const struct site *s = p->site;
    size_t             n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        n += s->hosts[i].n_ranges;
    struct host_interval *blocks = calloc((n > s->n_ignores ? n : s->n_ignores) + 1, sizeof(*blocks));
    if (blocks == NULL)
        return -ENOMEM;
    n = 0;
    for (size_t i = 0; i < s->n_hosts; i++) {
        for (size_t k = 0; k < s->hosts[i].n_ranges; k++) {
            const struct addr_range *r = &s->hosts[i].ranges[k];

            blocks[n++] = (struct host_interval){r->low, r->high, (uint32_t)i, addr_compare(&r->low, &r->high) != 0};
        }
    }
    int rc = interval_map_build(&p->host_map, blocks, n);
    for (size_t i = 0; i < s->n_ignores; i++)
        blocks[i] = (struct host_interval){s->ignores[i].range.low, s->ignores[i].range.high, (uint32_t)i, false};
    if (rc == 0)
        rc = interval_map_build(&p->ignore_map, blocks, s->n_ignores);
    free(blocks);
    return rc;
}
