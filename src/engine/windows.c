/* SPDX-License-Identifier: Apache-2.0 */
/* In which windows the flows of a conversation were seen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"

#define MOST_WINDOW_USES 4096 /* of one conversation; beyond it flows are said to touch more windows than they did */

static int compare_use(const struct window_use *a, const struct window_use *b)
{
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->last < b->last ? -1 : a->last > b->last;
}

static bool starts_before(const struct window_use *a, const struct window_use *b)
{
    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns;
    return a->input < b->input || (a->input == b->input && a->first_packet < b->first_packet);
}

static void join_use(struct window_use *a, const struct window_use *b)
{
    a->first = b->first < a->first ? b->first : a->first;
    a->last = b->last > a->last ? b->last : a->last;
    if (starts_before(b, a)) {
        a->first_ns = b->first_ns;
        a->first_packet = b->first_packet;
        a->input = b->input;
        a->answer_first = b->answer_first;
    }
    a->last_ns = b->last_ns > a->last_ns ? b->last_ns : a->last_ns;
    a->flows += b->flows;
}

/* Most flows are of the latest window: looked for from there. */
int window_uses_add(struct conversation *c, const struct window_use *use)
{
    struct window_uses *uses = c->windows;
    size_t              at = uses != NULL ? uses->n : 0, n_allocated = uses != NULL ? uses->n_allocated : 0;
    bool                full = at == MOST_WINDOW_USES;

    while (at > 0 && compare_use(&uses->items[at - 1], use) > 0)
        at--;
    if (at > 0 && (compare_use(&uses->items[at - 1], use) == 0 || full)) {
        join_use(&uses->items[at - 1], use);
        return 0;
    }
    if (full) {
        join_use(&uses->items[0], use);
        return 0;
    }
    if (uses == NULL || uses->n == n_allocated) {
        n_allocated = n_allocated == 0 ? 1 : 2 * n_allocated;
        uses = realloc(c->windows, sizeof(*uses) + n_allocated * sizeof(uses->items[0]));
        if (uses == NULL)
            return -ENOMEM;
        uses->n = c->windows != NULL ? uses->n : 0;
        uses->n_allocated = (uint32_t)n_allocated;
        c->windows = uses;
    }
    memmove(&uses->items[at + 1], &uses->items[at], (uses->n - at) * sizeof(uses->items[0]));
    uses->items[at] = *use;
    uses->n++;
    return 0;
}
