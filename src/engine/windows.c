/* SPDX-License-Identifier: Apache-2.0 */
/* In which windows the flows of a conversation were seen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"
#include "flowaudit/hash.h"
#include "rank.h"

/* Of one conversation, and more than there are windows to evaluate (see expectations.c).  Of more those of the lowest ranks stay, whatever the order
 * in which they come; of the others it is kept between which windows they were.  Up to twice as many wait for that. */
#define MOST_WINDOW_USES 16384u

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

/* Under a key that never changes, as that of conversations. */
static uint64_t rank_of(const struct window_use *use)
{
    static const struct hash_key always = {UINT64_C(0x77696e646f777320), UINT64_C(0x6f6620666c6f7773)};
    const uint64_t               words[2] = {(uint64_t)use->first, (uint64_t)use->last};

    return hash_words(&always, words, 2);
}

static void lose(struct window_uses *uses, const struct window_use *use)
{
    uses->lost_first = uses->n_lost == 0 || use->first < uses->lost_first ? use->first : uses->lost_first;
    uses->lost_last = uses->n_lost == 0 || use->last > uses->lost_last ? use->last : uses->lost_last;
    uses->n_lost += use->flows;
}

static int compare_uses(const void *pa, const void *pb)
{
    return compare_use(pa, pb);
}

/* In order, each once. */
static void compact(struct window_uses *uses)
{
    uint32_t n = 0;

    qsort(uses->items, uses->n, sizeof(uses->items[0]), compare_uses);
    for (uint32_t i = 0; i < uses->n; i++) {
        if (n > 0 && compare_use(&uses->items[n - 1], &uses->items[i]) == 0)
            join_use(&uses->items[n - 1], &uses->items[i]);
        else
            uses->items[n++] = uses->items[i];
    }
    uses->n = n;
}

/* Of those that are in order. */
static int bound(struct window_uses *uses)
{
    uint32_t  n = 0;
    uint64_t *ranks = uses->n > MOST_WINDOW_USES ? calloc(uses->n, sizeof(*ranks)) : NULL;

    if (uses->n <= MOST_WINDOW_USES)
        return 0;
    if (ranks == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < uses->n; i++)
        ranks[i] = rank_of(&uses->items[i]);
    uses->threshold = rank_lowest(ranks, uses->n, MOST_WINDOW_USES);
    free(ranks);
    for (uint32_t i = 0; i < uses->n; i++) {
        if (rank_of(&uses->items[i]) <= uses->threshold)
            uses->items[n++] = uses->items[i];
        else
            lose(uses, &uses->items[i]);
    }
    uses->n = n;
    return 0;
}

/* Room for more than one more, so that it takes as little time for many in disorder. */
static int make_room(struct conversation *c)
{
    struct window_uses *uses = c->windows;
    size_t              n = uses == NULL ? 1 : 2 * (size_t)uses->n_allocated;

    if (uses != NULL && uses->n < uses->n_allocated)
        return 0;
    if (uses != NULL)
        compact(uses);
    if (uses != NULL && uses->n <= uses->n_allocated / 2)
        return 0;
    if (n > 2 * MOST_WINDOW_USES)
        return bound(uses);
    uses = realloc(uses, sizeof(*uses) + n * sizeof(uses->items[0]));
    if (uses == NULL)
        return -ENOMEM;
    if (c->windows == NULL)
        *uses = (struct window_uses){.threshold = UINT64_MAX};
    uses->n_allocated = (uint32_t)n;
    c->windows = uses;
    return 0;
}

int window_uses_add(struct conversation *c, const struct window_use *use)
{
    struct window_uses *uses = c->windows;

    if (uses != NULL && uses->n > 0 && compare_use(&uses->items[uses->n - 1], use) == 0) { /* most flows are of the latest window */
        join_use(&uses->items[uses->n - 1], use);
        return 0;
    }
    if (make_room(c) != 0)
        return -ENOMEM;
    uses = c->windows;
    if (uses->threshold < UINT64_MAX && rank_of(use) > uses->threshold)
        lose(uses, use);
    else
        uses->items[uses->n++] = *use;
    return 0;
}

int window_uses_join(struct conversation *c, const struct window_uses *from)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < from->n; i++)
        rc = window_uses_add(c, &from->items[i]);
    if (rc != 0 || from->n_lost == 0)
        return rc;
    lose(c->windows, &(struct window_use){.first = from->lost_first, .last = from->lost_last, .flows = from->n_lost});
    if (from->threshold < c->windows->threshold)
        c->windows->threshold = from->threshold;
    return 0;
}

int window_uses_settle(struct conversation *c)
{
    if (c->windows == NULL)
        return 0;
    compact(c->windows);
    return bound(c->windows);
}
