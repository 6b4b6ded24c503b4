/* SPDX-License-Identifier: Apache-2.0 */
/* From an address to the most specific block that holds it: nested blocks are flattened into disjoint intervals once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Outer blocks before the blocks inside them. */
static int outer_first(const void *pa, const void *pb)
{
    const struct host_interval *a = pa, *b = pb;
    int                         c = addr_compare(&a->low, &b->low);

    if (c == 0)
        c = addr_compare(&b->high, &a->high);
    return c != 0 ? c : (a->host > b->host) - (a->host < b->host);
}

static bool next_addr(struct addr *a)
{
    for (int i = 15; i >= 0; i--)
        if (++a->bytes[i] != 0)
            return true;
    return false; /* past the last one */
}

static struct addr previous_addr(struct addr a)
{
    for (int i = 15; i >= 0; i--)
        if (a.bytes[i]-- != 0)
            break;
    return a;
}

struct flatten {
    struct interval_map *map;
    const struct host_interval **stack; /* blocks that are open at the sweep's position, outer ones first */
    size_t depth;
    struct addr at;   /* everything before is written */
    bool   done;      /* the last address of all is written */
};

/* Writes what the innermost open block covers, from the position up to 'high'. */
static void emit(struct flatten *f, const struct addr *high)
{
    if (f->depth == 0 || f->done || addr_compare(&f->at, high) > 0)
        return;
    const struct host_interval *b = f->stack[f->depth - 1];
    f->map->items[f->map->n++] = (struct host_interval){f->at, *high, b->host, b->block};
    f->at = *high;
    f->done = !next_addr(&f->at);
}

/* Closes the open blocks that end before 'low'. */
static void close_before(struct flatten *f, const struct addr *low)
{
    while (f->depth > 0 && (low == NULL || addr_compare(&f->stack[f->depth - 1]->high, low) < 0)) {
        emit(f, &f->stack[f->depth - 1]->high);
        f->depth--;
    }
}

int interval_map_build(struct interval_map *map, struct host_interval *blocks, size_t n)
{
    struct flatten f = {.map = map};

    map->n = 0;
    map->items = calloc(2 * n + 1, sizeof(*map->items));
    f.stack = calloc(n + 1, sizeof(struct host_interval *));
    if (map->items == NULL || f.stack == NULL) {
        free(f.stack);
        return -ENOMEM;
    }
    if (n > 0)
        qsort(blocks, n, sizeof(*blocks), outer_first);
    for (size_t i = 0; i < n; i++) {
        close_before(&f, &blocks[i].low);
        if (f.depth > 0 && addr_compare(&f.at, &blocks[i].low) < 0) {
            struct addr before = previous_addr(blocks[i].low);
            emit(&f, &before);
        }
        if (f.depth == 0 || addr_compare(&f.at, &blocks[i].low) < 0)
            f.at = blocks[i].low;
        f.stack[f.depth++] = &blocks[i];
    }
    close_before(&f, NULL);
    free(f.stack);
    return 0;
}

const struct host_interval *interval_map_find(const struct interval_map *map, const struct addr *a)
{
    size_t low = 0, high = map->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (addr_compare(&map->items[mid].high, a) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < map->n && addr_compare(&map->items[low].low, a) <= 0 ? &map->items[low] : NULL;
}
