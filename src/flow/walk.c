/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as they stand, while the table goes on being used: by their places in the pools, which do not change. */
#include "flow-private.h"

static void show(struct flow_table *t, unsigned v6, uint32_t index, flow_walk_fn *fn, void *aux)
{
    struct flow       *f = pool_at(&t->flows[v6], index);
    struct flow_record record;

    flow_snapshot(t, f, &record);
    fn(aux, &record, flow_ext_at(t, f));
}

bool flow_table_walk(struct flow_table *t, struct flow_walk *w, size_t budget, flow_walk_fn *fn, void *aux)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (; w->at[v6] < t->flows[v6].n_fresh; w->at[v6]++) {
            if (budget-- == 0)
                return false;
            if (pool_is_used(&t->flows[v6], w->at[v6]))
                show(t, v6, w->at[v6], fn, aux);
        }
    }
    return true;
}

/* An entry is a reference: index + 1, IPv6 flows with the highest bit set. */
bool flow_walk_passed(const struct flow_walk *w, uint32_t entry)
{
    return (entry & ~REF_IPV6) - 1 < w->at[(entry & REF_IPV6) != 0];
}
