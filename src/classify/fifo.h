/* SPDX-License-Identifier: Apache-2.0 */
/* Who came first: a list through members of the objects themselves. */
#ifndef CLASSIFY_FIFO_H
#define CLASSIFY_FIFO_H

#include <stdbool.h>
#include <stddef.h>

struct fifo_link {
    struct fifo_link *older, *newer; /* both NULL: not in the list, or the only one */
};

struct fifo {
    struct fifo_link *oldest, *newest;
};

static inline bool fifo_has(const struct fifo *q, const struct fifo_link *l)
{
    return l->older != NULL || l->newer != NULL || q->oldest == l;
}

static inline void fifo_add(struct fifo *q, struct fifo_link *l)
{
    *l = (struct fifo_link){.older = q->newest};
    if (q->newest != NULL)
        q->newest->newer = l;
    else
        q->oldest = l;
    q->newest = l;
}

static inline void fifo_remove(struct fifo *q, struct fifo_link *l)
{
    if (l->older != NULL)
        l->older->newer = l->newer;
    else
        q->oldest = l->newer;
    if (l->newer != NULL)
        l->newer->older = l->older;
    else
        q->newest = l->older;
    *l = (struct fifo_link){NULL, NULL};
}

#endif
