/* SPDX-License-Identifier: Apache-2.0 */
/* Which of many port ranges hold a port: a balanced tree laid out in its sorted array; cost is that of the answers. */
#include <stdlib.h>

#include "private.h"

static int by_low(const void *pa, const void *pb)
{
    const struct stab_item *a = pa, *b = pb;

    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* The middle of a span is its root: each root learns the greatest end below it. */
static uint16_t raise_greatest(struct stab_item *items, size_t n)
{
    if (n == 0)
        return 0;
    struct stab_item *root = &items[n / 2];
    uint16_t          left = raise_greatest(items, n / 2), right = raise_greatest(root + 1, n - n / 2 - 1);

    root->greatest = root->high > left ? root->high : left;
    root->greatest = right > root->greatest ? right : root->greatest;
    return root->greatest;
}

void stab_build(struct stab_tree *t)
{
    qsort(t->items, t->n, sizeof(*t->items), by_low);
    raise_greatest(t->items, t->n);
}

static void stab(const struct stab_item *items, size_t n, uint16_t port, stab_fn *fn, void *aux)
{
    if (n == 0)
        return;
    const struct stab_item *root = &items[n / 2];
    if (root->greatest < port)
        return;
    stab(items, n / 2, port, fn, aux);
    if (root->low > port)
        return;
    if (root->high >= port)
        fn(aux, root->row);
    stab(root + 1, n - n / 2 - 1, port, fn, aux);
}

void stab_find(const struct stab_tree *t, uint16_t port, stab_fn *fn, void *aux)
{
    stab(t->items, t->n, port, fn, aux);
}
