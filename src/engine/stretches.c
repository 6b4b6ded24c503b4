/* SPDX-License-Identifier: Apache-2.0 */
#include "stretches.h"

#include <errno.h>
#include <stdlib.h>

#define MOST_STRETCHES 16384 /* of more the longest half is kept: what is forgotten counts as not watched */

static int by_time(const void *pa, const void *pb)
{
    const struct stretch *a = pa, *b = pb;

    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    return a->last_ns < b->last_ns ? -1 : a->last_ns > b->last_ns;
}

static int longest_first(const void *pa, const void *pb)
{
    const struct stretch *a = pa, *b = pb;
    uint64_t              la = (uint64_t)a->last_ns - (uint64_t)a->first_ns, lb = (uint64_t)b->last_ns - (uint64_t)b->first_ns;

    return la != lb ? (la > lb ? -1 : 1) : by_time(a, b);
}

/* Those that touch become one. */
static void join_near(struct stretches *s)
{
    size_t n = 0;

    qsort(s->items, s->n, sizeof(*s->items), by_time);
    for (size_t i = 0; i < s->n; i++) {
        struct stretch *last = n > 0 ? &s->items[n - 1] : NULL;

        if (last == NULL || (s->items[i].first_ns > last->last_ns && (uint64_t)s->items[i].first_ns - (uint64_t)last->last_ns > (uint64_t)HOLE_NS))
            s->items[n++] = s->items[i];
        else if (s->items[i].last_ns > last->last_ns)
            last->last_ns = s->items[i].last_ns;
    }
    s->n = n;
}

static void put(struct stretches *s)
{
    if (s->now.last_ns == 0)
        return;
    if (s->items == NULL)
        s->items = calloc(MOST_STRETCHES, sizeof(*s->items));
    s->failed |= s->items == NULL;
    if (s->failed)
        return;
    if (s->n == MOST_STRETCHES) {
        join_near(s);
        qsort(s->items, s->n, sizeof(*s->items), longest_first);
        s->n = s->n < MOST_STRETCHES / 2 ? s->n : MOST_STRETCHES / 2;
    }
    s->items[s->n++] = s->now;
}

/* Times that are a little in disorder go on with it as well. */
void stretches_begin(struct stretches *s, int64_t ns)
{
    if (ns == 0)
        return;
    if (s->now.last_ns != 0 && ns < s->now.first_ns && (uint64_t)s->now.first_ns - (uint64_t)ns <= (uint64_t)HOLE_NS) {
        s->now.first_ns = ns;
        return;
    }
    put(s);
    s->now = (struct stretch){ns, ns};
}

int stretches_unite(struct stretches *s)
{
    put(s);
    if (s->failed)
        return -ENOMEM;
    s->now = (struct stretch){0, 0};
    if (s->n > 0)
        join_near(s);
    return 0;
}
