/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers, and what to say of a name that nobody knows. */
#include <errno.h>
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

void report_unknown(const struct policy *p, struct diag_list *diags, const struct rules_name *name, const char *what,
                    const struct name_index *known)
{
    const char       *names[MOST_SUGGESTED];
    size_t            n = known->n < MOST_SUGGESTED ? known->n : MOST_SUGGESTED;
    struct diag_place place = site_place(p->site, &name->place);

    for (size_t i = 0; i < n; i++)
        names[i] = known->items[i].name;
    const char *nearest = diag_nearest(name->text, names, n);
    if (nearest != NULL)
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; did you mean '%s'?", what, name->text, nearest);
    else if (n == 0)
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; matrix '%s' has none", what, name->text, p->matrix->id);
    else
        diag_add(diags, DIAG_ERROR, &place, "unknown %s '%s'; matrix '%s' has none of that name", what, name->text, p->matrix->id);
}
