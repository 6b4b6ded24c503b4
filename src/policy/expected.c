/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to look for in a flow's content, asked once for each flow: the protocols of the rows on its ports, as a list that lives as long as
 * the policy.  All sets that one port of one pair of roles can give are made here, and every union of two of them (the
 * other end's port; a host with two roles).  A union of more that was not foreseen gives the server's port alone.
 */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

#define MOST_JOINED 128 /* sets whose unions are made */

static int by_set(const void *pa, const void *pb)
{
    const struct expected_list *a = pa, *b = pb;

    return memcmp(&a->set, &b->set, sizeof(a->set));
}

static struct set256 protocols_of(const struct policy *p, struct row_list rows)
{
    struct set256 s = {{0}};

    for (uint32_t i = 0; i < rows.n; i++)
        set_join(&s, &p->rows[rows.rows[i]].protocols);
    return s;
}

struct lists {
    struct expected_list *items;
    size_t                n, n_allocated, n_sorted;
};

static void settle(struct lists *l)
{
    size_t n = 0;

    if (l->n > 0)
        qsort(l->items, l->n, sizeof(*l->items), by_set);
    for (size_t i = 0; i < l->n; i++)
        if (n == 0 || by_set(&l->items[i], &l->items[n - 1]) != 0)
            l->items[n++] = l->items[i];
    l->n = l->n_sorted = n;
}

/* Appends; sets that are there already fall together when the unsorted part has grown as long as the sorted one. */
static int add_set(struct lists *l, const struct set256 *s)
{
    struct expected_list key = {.set = *s};

    if (set_is_empty(s) || (l->n_sorted > 0 && bsearch(&key, l->items, l->n_sorted, sizeof(key), by_set) != NULL))
        return 0;
    if (l->n == l->n_allocated) {
        settle(l);
        if (l->n > l->n_allocated / 2 || l->n_allocated == 0) {
            size_t                n = l->n_allocated == 0 ? 64 : 2 * l->n_allocated;
            struct expected_list *items = realloc(l->items, n * sizeof(*items));

            if (items == NULL)
                return -ENOMEM;
            l->items = items;
            l->n_allocated = n;
        }
    }
    l->items[l->n++] = key;
    return 0;
}

static int add_map(const struct policy *p, const struct port_map *map, struct lists *ret)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < map->n; i++) {
        struct set256 s = protocols_of(p, (struct row_list){map->rows + map->offsets[i], map->offsets[i + 1] - map->offsets[i]});

        rc = add_set(ret, &s);
    }
    return rc;
}

static int add_unions(struct lists *l)
{
    size_t n;
    int    rc = 0;

    settle(l);
    n = l->n < MOST_JOINED ? l->n : MOST_JOINED;
    struct set256 *sets = calloc(n + 1, sizeof(*sets));
    if (sets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sets[i] = l->items[i].set;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        for (size_t k = 0; rc == 0 && k < i; k++) {
            struct set256 both = sets[i];

            set_join(&both, &sets[k]);
            rc = add_set(l, &both);
        }
    }
    free(sets);
    settle(l);
    return rc;
}

static int name_list(const struct policy *p, struct expected_list *l)
{
    size_t n = 0;

    for (unsigned i = 0; (i = set_next(&l->set, i)) < SET_MAX; i++)
        n++;
    l->names = calloc(n + 1, sizeof(*l->names));
    if (l->names == NULL)
        return -ENOMEM;
    n = 0;
    for (unsigned i = 0; (i = set_next(&l->set, i)) < SET_MAX; i++)
        l->names[n++] = p->protocols[i];
    return 0;
}

int policy_index_expected(struct policy *p)
{
    struct lists l = {0};
    int          rc = 0;

    for (size_t i = 0; rc == 0 && i < p->n_pairs; i++) {
        rc = add_map(p, &p->pairs[i].maps[0], &l);
        if (rc == 0)
            rc = add_map(p, &p->pairs[i].maps[1], &l);
    }
    for (size_t i = 0; rc == 0 && i < p->matrix->n_rows; i++)
        rc = add_set(&l, &p->rows[i].protocols); /* learning asks for single rows */
    if (rc == 0)
        rc = add_unions(&l);
    p->expected = l.items;
    p->n_expected = l.n;
    for (size_t i = 0; i < l.n; i++)
        l.items[i].names = NULL;
    for (size_t i = 0; rc == 0 && i < l.n; i++)
        rc = name_list(p, &l.items[i]);
    return rc;
}

const char *const *policy_expected_list(const struct policy *p, const struct set256 *s)
{
    struct expected_list        key = {.set = *s};
    const struct expected_list *found = p->n_expected > 0 ? bsearch(&key, p->expected, p->n_expected, sizeof(key), by_set) : NULL;

    return found != NULL ? found->names : NULL;
}

static struct set256 expected_on(const struct policy *p, const struct way *w)
{
    struct pair_walk        walk = pair_walk_at(p, w);
    const struct role_pair *pair;
    struct set256           s = {{0}};

    while ((pair = pair_next(&walk)) != NULL) {
        struct set256 of_pair = protocols_of(p, pair_rows(pair, w->transport, w->port));

        set_join(&s, &of_pair);
    }
    return s;
}

const char *const *policy_expected(const struct policy *p, const struct tuple *t)
{
    struct way    there = way_there(p, t), back = way_back(&there, t->client_port);
    struct set256 s = expected_on(p, &there), s_back = expected_on(p, &back), both = s;

    set_join(&both, &s_back);
    const char *const *names = policy_expected_list(p, &both);
    if (names == NULL)
        names = policy_expected_list(p, &s);
    return names != NULL ? names : policy_expected_list(p, &s_back);
}
