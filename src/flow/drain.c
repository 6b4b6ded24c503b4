/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run: all flows in the order of their first packets.
 *
 * The index goes first, so that the list to sort takes the room that it had; the sort is in place.
 */
#include "flow-private.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 24 /* sorted by insertion */

struct item {
    uint64_t key;
    uint32_t ref;
};

static void sort_small(struct item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct item item = items[i];
        size_t      j = i;

        for (; j > 0 && items[j - 1].key > item.key; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

/* Radix sort in place, from the highest byte that differs ("American flag sort", McIlroy et al. 1993). */
static void sort_items(struct item *items, size_t n, unsigned shift)
{
    size_t count[256] = {0}, next[256], end[256], at = 0;

    if (n <= SMALL) {
        sort_small(items, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        count[(items[i].key >> shift) & 0xff]++;
    for (unsigned b = 0; b < 256; b++) {
        next[b] = at;
        end[b] = at += count[b];
    }
    for (unsigned b = 0; b < 256; b++) {
        while (next[b] < end[b]) {
            struct item item = items[next[b]];
            unsigned    to = (item.key >> shift) & 0xff;

            items[next[b]] = items[next[to]];
            items[next[to]++] = item;
        }
    }
    if (shift == 0)
        return;
    for (unsigned b = 0; b < 256; b++)
        sort_items(items + end[b] - count[b], count[b], shift - 8);
}

static void sort_by_key(struct item *items, size_t n)
{
    uint64_t all = 0;

    for (size_t i = 1; i < n; i++)
        all |= items[i].key ^ items[0].key;
    if (all != 0)
        sort_items(items, n, (63u - (unsigned)__builtin_clzll(all)) / 8 * 8);
}

static uint64_t order_of(const struct flow_table *t, uint32_t ref)
{
    const struct flow *f = flow_of_ref(t, ref);

    return (uint64_t)f->input << 48 | (flow_first_packet(t, f) & UINT64_C(0xffffffffffff));
}

static void sort_all(const struct flow_table *t, struct item *items, size_t n)
{
    sort_by_key(items, n);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && items[end].key == items[begin].key; end++)
            ;
        if (end - begin == 1)
            continue;
        for (size_t i = begin; i < end; i++)
            items[i].key = order_of(t, items[i].ref);
        sort_by_key(items + begin, end - begin);
    }
}

static size_t collect(const struct flow_table *t, struct item *ret)
{
    size_t n = 0;

    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct pool *p = &t->flows[v6];

        for (uint32_t i = 0; i < p->n_fresh; i++) {
            if (!pool_is_used(p, i))
                continue;
            const struct flow *f = pool_at(p, i);

            /* Signed time to unsigned order. */
            ret[n].key = (uint64_t)flow_first_ns(t, f) ^ UINT64_C(1) << 63;
            ret[n++].ref = flow_ref(t, f);
        }
    }
    return n;
}

static void end_flow(struct flow_table *t, struct flow *f, int64_t now_ns)
{
    flow_table_finish(t, f, flow_is_idle(t, f, now_ns) ? FLOW_END_IDLE : FLOW_END_FORCED);
}

/* Without memory for the list: in the order of the entries, which depends on the packets alone as well. */
static void drain_unsorted(struct flow_table *t, int64_t now_ns)
{
    for (unsigned v6 = 0; v6 < 2; v6++)
        for (uint32_t i = 0; i < t->flows[v6].n_fresh; i++)
            if (pool_is_used(&t->flows[v6], i))
                end_flow(t, pool_at(&t->flows[v6], i), now_ns);
}

void flow_table_drain(struct flow_table *t, int64_t now_ns)
{
    flow_table_note_peak(t);
    fragments_give_up(t);
    index_clear(&t->index);

    size_t       n = (size_t)t->stats.n_flows;
    struct item *items = n > 0 ? malloc(n * sizeof(*items)) : NULL;

    if (items == NULL) {
        drain_unsorted(t, now_ns);
        return;
    }
    n = collect(t, items);
    sort_all(t, items, n);
    for (size_t i = 0; i < n; i++)
        end_flow(t, flow_of_ref(t, items[i].ref), now_ns);
    free(items);
}
