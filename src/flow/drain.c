/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run: all flows in the order in which they lie in their pools, IPv4 first.  That order depends on the packets alone, and
 * reads memory from one end to the other; the details lie in much the same order.
 */
#include "flow-private.h"

#define AHEAD 8 /* entries whose memory is asked for before it is needed */

void flow_table_drain(struct flow_table *t, int64_t now_ns)
{
    flow_table_note_peak(t);
    fragments_give_up(t);
    index_clear(&t->index);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct pool *p = &t->flows[v6];

        for (uint32_t i = 0; i < p->n_fresh; i++) {
            struct flow *f = pool_at(p, i);

            if (pool_is_used(p, i + AHEAD))
                flow_prefetch(t, pool_at(p, i + AHEAD));
            if (pool_is_used(p, i))
                flow_table_finish(t, f, flow_is_idle(t, f, now_ns) ? FLOW_END_IDLE : FLOW_END_FORCED);
        }
    }
}
