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

/* --- the IPv4 part ------------------------------------------------------------------------------------ */

static uint32_t ipv4_number(const struct addr *a)
{
    const uint8_t *b = a->bytes + 12;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static size_t first_from(const struct interval_map *map, const struct addr *a)
{
    size_t low = 0, high = map->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (addr_compare(&map->items[mid].high, a) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* As many pieces as there are intervals, or a few more, in 12 to 20 bits: a site's addresses often lie in one small network. */
static unsigned ipv4_shift(size_t n, uint32_t span)
{
    unsigned bits = 12, shift = 0;

    while (bits < 20 && (size_t)1 << bits < n)
        bits++;
    while (span >> shift >> bits != 0)
        shift++;
    return shift;
}

static int ipv4_map_start(struct ipv4_map *v4)
{
    v4->from = v4->items[0].low;
    v4->span = v4->n > 0 ? v4->items[v4->n - 1].high - v4->from : 0;
    v4->shift = ipv4_shift(v4->n, v4->span);
    size_t n_starts = (size_t)(v4->span >> v4->shift) + 1;
    v4->starts = calloc(n_starts + 1, sizeof(*v4->starts));
    if (v4->starts == NULL)
        return -ENOMEM;
    for (size_t b = 0, i = 0; b <= n_starts; b++) {
        while (i < v4->n && (b == n_starts || v4->items[i].high < v4->from + ((uint64_t)b << v4->shift)))
            i++;
        v4->starts[b] = (uint32_t)i;
    }
    return 0;
}

/* An interval may begin before the IPv4 addresses, or end after them. */
static int ipv4_map_build(struct interval_map *map)
{
    static const uint8_t all_zero[4], all_one[4] = {255, 255, 255, 255};
    struct ipv4_map     *v4 = &map->ipv4;
    struct addr          first = addr_from_ipv4(all_zero), last = addr_from_ipv4(all_one);

    v4->first = first_from(map, &first);
    while (v4->first + v4->n < map->n && addr_compare(&map->items[v4->first + v4->n].low, &last) <= 0)
        v4->n++;
    v4->items = calloc(v4->n + 1, sizeof(*v4->items));
    if (v4->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < v4->n; i++) {
        const struct host_interval *h = &map->items[v4->first + i];

        v4->items[i].low = addr_compare(&h->low, &first) < 0 ? 0 : ipv4_number(&h->low);
        v4->items[i].high = addr_compare(&h->high, &last) > 0 ? UINT32_MAX : ipv4_number(&h->high);
    }
    return ipv4_map_start(v4);
}

static const struct host_interval *find_ipv4(const struct interval_map *map, uint32_t a)
{
    const struct ipv4_map *v4 = &map->ipv4;
    uint32_t               at = a - v4->from;

    if (at > v4->span) /* before the first address, too */
        return NULL;
    size_t low = v4->starts[at >> v4->shift], high = v4->starts[(at >> v4->shift) + 1];
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (v4->items[mid].high < a)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v4->n && v4->items[low].low <= a ? &map->items[v4->first + low] : NULL;
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
    return ipv4_map_build(map);
}

const struct host_interval *interval_map_find(const struct interval_map *map, const struct addr *a)
{
    size_t low;

    if (map->n == 0)
        return NULL;
    if (addr_is_ipv4(a))
        return find_ipv4(map, ipv4_number(a));
    low = first_from(map, a);
    return low < map->n && addr_compare(&map->items[low].low, a) <= 0 ? &map->items[low] : NULL;
}

void interval_map_free(struct interval_map *map)
{
    free(map->items);
    free(map->ipv4.items);
    free(map->ipv4.starts);
    *map = (struct interval_map){0};
}
