/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bound on memory, and who goes when it is reached.
 *
 * No kind of entry may take everything: a flood of one-packet flows must leave room for the details of the flows that
 * talk, and one of IPv4 for IPv6.  Second packets and the shard's bytes outside of details count with the flows, and where they have no more room a
 * flow takes a detail instead.  Slots are counted with a fixed sum for each flow, although segments come and go with
 * the hash key, so that what is evicted depends on the packets alone.
 */
#include "flow-private.h"

#define SLOT_COST 26 /* bytes of index for each flow: slots of 8 bytes, between 5/16 and 5/8 full, and the bitmaps */
#define N_LOOKS 64   /* entries that the hand looks at before it takes, or gives up */

static size_t flows_cost(const struct pool *p, size_t more)
{
    size_t bytes = p->committed + more;

    return bytes + bytes / p->stride * SLOT_COST;
}

static bool within_bound(const struct flow_table *t, const struct pool *p, size_t step)
{
    size_t limit = t->options.memory_limit;
    size_t flows = flows_cost(&t->flows[0], p == &t->flows[0] ? step : 0) +
                   flows_cost(&t->flows[1], p == &t->flows[1] ? step : 0);
    size_t seconds = t->seconds.committed + t->exts.committed + (p == &t->seconds || p == &t->exts ? step : 0);
    size_t details = t->details.committed + t->errors.committed + (p == &t->details || p == &t->errors ? step : 0);

    if (limit == 0)
        return true;
    if (flows + seconds + details > limit)
        return false;
    if (p == &t->errors && t->errors.committed + step > limit / 8)
        return false;
    if (p == &t->details || p == &t->errors)
        return details <= limit / 4 * 3;
    if (flows + seconds > limit / 4 * 3)
        return false;
    return p == &t->seconds || p == &t->exts || flows_cost(p, step) <= limit / 8 * 5;
}

static bool grow(struct flow_table *t, struct pool *p)
{
    size_t large = pool_step(p, false), small = pool_step(p, true);

    if (within_bound(t, p, large) && pool_grow(p, large))
        return true;
    return within_bound(t, p, small) && pool_grow(p, small);
}

static struct flow *flow_of_entry(struct flow_table *t, struct pool *p, uint32_t index)
{
    void *entry = pool_at(p, index);

    if (p == &t->errors)
        return flow_of_ref(t, ((struct icmp_errors *)entry)->ref);
    return p == &t->details ? flow_of_ref(t, ((struct flow_detail *)entry)->ref) : entry;
}

/* The next entry under the hand that had no packet since the hand came by last.  Where all had one: the first, if
 * 'any' will do. */
static struct flow *candidate(struct flow_table *t, struct pool *p, bool weak, const struct flow *keep)
{
    struct flow *first = NULL;
    uint32_t     index;

    for (unsigned i = 0; i < N_LOOKS && pool_next(p, weak, &index); i++) {
        struct flow *f = flow_of_entry(t, p, index);

        if (f == keep)
            continue;
        if ((f->state & FLOW_RECENT) == 0)
            return f;
        f->state &= (uint16_t)~FLOW_RECENT;
        if (first == NULL)
            first = f;
    }
    return weak ? first : NULL;
}

static bool evict(struct flow_table *t, struct pool *p, const struct flow *keep)
{
    struct flow *f = candidate(t, p, true, keep);

    if (f == NULL)
        f = candidate(t, p, false, keep);
    if (f == NULL)
        return false;
    t->stats.n_evicted++;
    flow_table_end(t, f, FLOW_END_EVICTED);
    return true;
}

static bool take(struct flow_table *t, struct pool *p, const struct flow *keep, uint32_t *ret)
{
    while (!pool_take(p, ret)) {
        if (!grow(t, p) && !evict(t, p, keep))
            return false;
    }
    return true;
}

bool flow_take(struct flow_table *t, bool is_ipv6, uint32_t *ret_index)
{
    return pool_take(&t->flows[is_ipv6], ret_index) || take(t, &t->flows[is_ipv6], NULL, ret_index);
}

static bool take_if_room(struct flow_table *t, struct pool *p, uint32_t *ret_index)
{
    return pool_take(p, ret_index) || (grow(t, p) && pool_take(p, ret_index));
}

bool flow_second_take(struct flow_table *t, uint32_t *ret_index)
{
    return take_if_room(t, &t->seconds, ret_index);
}

bool flow_ext_take(struct flow_table *t, uint32_t *ret_index)
{
    return take_if_room(t, &t->exts, ret_index);
}

bool flow_detail_take(struct flow_table *t, const struct flow *keep, uint32_t *ret_index)
{
    return take(t, &t->details, keep, ret_index);
}

bool flow_errors_take(struct flow_table *t, const struct flow *keep, uint32_t *ret_index)
{
    return take(t, &t->errors, keep, ret_index);
}

size_t flow_table_memory(const struct flow_table *t)
{
    size_t pools = t->flows[0].committed + t->flows[1].committed + t->seconds.committed + t->exts.committed + t->details.committed + t->errors.committed;

    return pools + index_memory(&t->index);
}
