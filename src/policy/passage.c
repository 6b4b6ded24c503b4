/* SPDX-License-Identifier: Apache-2.0 */
/* Which ways the capture sees: a tap may hear one direction between two hosts and not the other. */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

#define HIDDEN_CHANCE 1000 /* to one: then answers to all of several packets are not taken for lost */

bool coverage_is_lossy(const struct coverage *c)
{
    return c->lost > 0 || c->unseen_bytes > c->bytes / COVERAGE_UNSEEN_SHARE;
}

bool coverage_may_hide(const struct coverage *c, uint32_t n)
{
    double rate = 0, all = 1;

    if (!coverage_is_lossy(c))
        return false;
    if (c->lost > 0)
        rate += (double)c->lost / (double)(c->packets + c->lost);
    if (c->unseen_bytes > 0)
        rate += (double)c->unseen_bytes / (double)(c->bytes + c->unseen_bytes);
    for (uint32_t i = 0; i < n && all * HIDDEN_CHANCE >= 1; i++)
        all *= rate;
    return n < 2 || all * HIDDEN_CHANCE >= 1; /* of one nothing is known: what is lost may be lost at once */
}

/* One session in twenty: more than the capture's beginning cuts off.  A RST alone may be the answer to what was hidden: in doubt it is. */
bool coverage_is_one_sided(const struct coverage *c)
{
    return c->one_sided + c->resets > (c->sessions + c->resets) / 20;
}

/* The first stretch that ends at 'ns' or later. */
static size_t find_stretch(const struct coverage *c, int64_t ns)
{
    size_t low = 0, high = c->n_stretches;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c->stretches[mid].last_ns < ns)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int64_t overlap(const struct stretch *s, int64_t from_ns, int64_t to_ns)
{
    int64_t from = s->first_ns > from_ns ? s->first_ns : from_ns, to = s->last_ns < to_ns ? s->last_ns : to_ns;

    return to > from ? to - from : 0;
}

int64_t coverage_watched(const struct coverage *c, int64_t from_ns, int64_t to_ns)
{
    int64_t longest = 0;

    if (c->stretches == NULL)
        return to_ns > from_ns ? to_ns - from_ns : 0;
    for (size_t i = find_stretch(c, from_ns); i < c->n_stretches && c->stretches[i].first_ns < to_ns; i++) {
        int64_t length = overlap(&c->stretches[i], from_ns, to_ns);

        longest = length > longest ? length : longest;
    }
    return longest;
}

int64_t coverage_heard(const struct coverage *c, int64_t from_ns, int64_t to_ns)
{
    int64_t sum = 0;

    if (c->stretches == NULL)
        return to_ns > from_ns ? to_ns - from_ns : 0;
    for (size_t i = find_stretch(c, from_ns); i < c->n_stretches && c->stretches[i].first_ns < to_ns; i++)
        sum += overlap(&c->stretches[i], from_ns, to_ns);
    return sum;
}

int64_t coverage_presence(const struct coverage *c, int64_t from_ns, int64_t to_ns)
{
    if (c->stretches == NULL)
        return to_ns > from_ns ? to_ns - from_ns : 0;
    size_t  i = find_stretch(c, from_ns), k = find_stretch(c, to_ns);
    int64_t first = i < c->n_stretches && c->stretches[i].first_ns <= from_ns ? overlap(&c->stretches[i], from_ns, to_ns) : 0;
    int64_t last = k < c->n_stretches && c->stretches[k].first_ns <= to_ns ? overlap(&c->stretches[k], from_ns, to_ns) : 0;

    return first > last ? first : last;
}

bool coverage_ends_before_answer(const struct coverage *c, int64_t attempt_ns)
{
    int64_t end_ns = c->heard_ns != 0 ? c->heard_ns : c->last_ns;
    size_t  i = find_stretch(c, attempt_ns);

    if (i < c->n_stretches && c->stretches[i].first_ns <= attempt_ns && c->stretches[i].last_ns < end_ns)
        end_ns = c->stretches[i].last_ns;
    return end_ns - attempt_ns < POLICY_ANSWER_WITHIN_NS;
}

static int add_passage(struct passages *s, const struct passage *p)
{
    if (s->n == s->n_allocated) {
        size_t          n = s->n_allocated == 0 ? 128 : 2 * s->n_allocated;
        struct passage *items = realloc(s->items, n * sizeof(*items));

        if (items == NULL)
            return -ENOMEM;
        s->items = items;
        s->n_allocated = n;
    }
    s->items[s->n++] = *p;
    return 0;
}

int passages_note(struct passages *s, const struct policy *p, const struct expect_fact *f)
{
    uint32_t client = policy_host(p, &f->query.tuple.client), server = policy_host(p, &f->query.tuple.server);
    int      rc = 0;

    if (client == POLICY_NONE || server == POLICY_NONE || f->query.group)
        return 0;
    for (unsigned side = 0; rc == 0 && side < 2; side++) {
        struct passage w = {
            .from = side == 0 ? client : server,
            .to = side == 0 ? server : client,
            .seen = f->packets[side] > 0,
            .hidden = f->packets[side] == 0 && f->one_sided,
        };

        rc = add_passage(s, &w);
    }
    return rc;
}

static int by_ends(const void *pa, const void *pb)
{
    const struct passage *a = pa, *b = pb;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

static const struct passage *find(const struct passages *s, uint32_t from, uint32_t to)
{
    struct passage key = {.from = from, .to = to};

    return s->n > 0 ? bsearch(&key, s->items, s->n, sizeof(key), by_ends) : NULL;
}

static bool passages_see(const struct passages *s, uint32_t from, uint32_t to)
{
    const struct passage *p = find(s, from, to);

    return p != NULL && p->seen;
}

/* The first of those from 'from' to 'least' or beyond. */
static size_t find_first(const struct passages *s, uint32_t from, uint32_t least)
{
    struct passage key = {.from = from, .to = least};
    size_t         low = 0, high = s->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (by_ends(&s->items[mid], &key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Of what is from one host: is something to it hidden, and nothing seen? */
static bool is_deaf(const struct passages *s, size_t first, size_t end)
{
    bool hidden = false;

    for (size_t i = first; i < end; i++) {
        const struct passage *back = find(s, s->items[i].to, s->items[i].from);

        if (back != NULL && back->seen)
            return false;
        hidden |= back != NULL && back->hidden;
    }
    return hidden;
}

/* Backwards, so that each knows the next one behind it. */
static void link_deaf(struct passages *s)
{
    uint32_t next = POLICY_NONE;

    for (size_t end = s->n, first; end > 0; end = first) {
        for (first = end - 1; first > 0 && s->items[first - 1].from == s->items[first].from; first--)
            ;
        if (is_deaf(s, first, end))
            next = s->items[first].from;
        for (size_t i = first; i < end; i++)
            s->items[i].deaf = next;
    }
}

void passages_unite(struct passages *s)
{
    size_t kept = 0;

    if (s->n > 1)
        qsort(s->items, s->n, sizeof(*s->items), by_ends);
    for (size_t i = 0; i < s->n; i++) {
        if (kept == 0 || by_ends(&s->items[kept - 1], &s->items[i]) != 0) {
            s->items[kept++] = s->items[i];
            continue;
        }
        s->items[kept - 1].seen |= s->items[i].seen;
        s->items[kept - 1].hidden |= s->items[i].hidden;
    }
    s->n = kept;
    link_deaf(s);
}

uint32_t passages_hidden(const struct passages *s, uint32_t from, uint32_t least)
{
    for (size_t i = find_first(s, from, least); i < s->n && s->items[i].from == from; i++)
        if (s->items[i].hidden && !s->items[i].seen)
            return s->items[i].to;
    return POLICY_NONE;
}

uint32_t passages_peer(const struct passages *s, uint32_t host, uint32_t least)
{
    for (size_t i = find_first(s, host, least); i < s->n && s->items[i].from == host; i++)
        if (s->items[i].seen || passages_see(s, s->items[i].to, host))
            return s->items[i].to;
    return POLICY_NONE;
}

uint32_t passages_deaf(const struct passages *s, uint32_t least)
{
    size_t i = find_first(s, least, 0);

    return i < s->n ? s->items[i].deaf : POLICY_NONE;
}

void passages_free(struct passages *s)
{
    free(s->items);
}
