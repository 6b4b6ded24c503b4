/* SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

#define MAX_ANNOUNCEMENTS (256u << 10)
#define SLACK (MAX_ANNOUNCEMENTS / 4) /* so many more wait until it is looked at which of them stay */
#define EARLY_NS (2 * INT64_C(1000000000)) /* media may come this much before the message that names it */

static int reserve(struct announcements *all, size_t n)
{
    if (n <= all->n_allocated)
        return 0;
    size_t          n_allocated = n < 64 ? 64 : 2 * n;
    struct pinhole *items = realloc(all->items, n_allocated * sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    all->items = items;
    all->n_allocated = n_allocated;
    return 0;
}

static int compare_endpoint(const struct pinhole *p, const struct addr *addr, uint16_t port, uint8_t transport)
{
    int c = addr_compare(&p->addr, addr);

    if (c != 0)
        return c;
    if (p->port != port)
        return p->port < port ? -1 : 1;
    return (p->transport > transport) - (p->transport < transport);
}

static bool is_bind(const struct pinhole *p)
{
    return p->kind == PINHOLE_RPC_BIND;
}

static int by_endpoint(const void *pa, const void *pb)
{
    const struct pinhole *a = pa, *b = pb;
    int                   c = compare_endpoint(a, &b->addr, b->port, b->transport);

    if (c != 0)
        return c;
    if (is_bind(a) != is_bind(b))
        return is_bind(a) ? 1 : -1;
    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    if (a->input != b->input)
        return a->input < b->input ? -1 : 1;
    if (a->packet_number != b->packet_number)
        return a->packet_number < b->packet_number ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return strcmp(a->what, b->what);
}

/* --- binds, each once ------------------------------------------------------------------------------------ */

static bool same_bind(const struct pinhole *a, const struct pinhole *b)
{
    return compare_endpoint(a, &b->addr, b->port, b->transport) == 0 && addr_compare(&a->requester, &b->requester) == 0 &&
           addr_compare(&a->announcer, &b->announcer) == 0 && strcmp(a->what, b->what) == 0;
}

/* The slot of this bind, or the empty one where it belongs. */
static uint32_t *slot_of(const struct announcements *all, const struct pinhole *p)
{
    uint64_t words[6];

    memcpy(words, p->addr.bytes, 16);
    memcpy(words + 2, p->requester.bytes, 16);
    words[4] = (uint64_t)p->port << 8 | p->transport;
    words[5] = hash_bytes(&all->key, p->what, strlen(p->what));
    for (size_t at = hash_words(&all->key, words, 6) & (all->n_bind_slots - 1);; at = (at + 1) & (all->n_bind_slots - 1))
        if (all->binds[at] == 0 || same_bind(&all->items[all->binds[at] - 1], p))
            return &all->binds[at];
}

static void forget_binds(struct announcements *all)
{
    free(all->binds);
    all->binds = NULL;
    all->n_binds = all->n_bind_slots = 0;
}

/* Makes room for one more.  Without memory there is no index, and binds are kept as often as they come. */
static void index_binds(struct announcements *all)
{
    size_t n = 0, n_slots = 256;

    if (all->binds != NULL && 2 * (all->n_binds + 1) <= all->n_bind_slots)
        return;
    for (size_t i = 0; i < all->n; i++)
        n += is_bind(&all->items[i]);
    while (n_slots < 4 * (n + 1))
        n_slots *= 2;
    forget_binds(all);
    if (hash_key_random(&all->key, NULL) != 0 || (all->binds = calloc(n_slots, sizeof(*all->binds))) == NULL)
        return;
    all->n_bind_slots = n_slots;
    for (size_t i = 0; i < all->n; i++)
        if (is_bind(&all->items[i])) {
            *slot_of(all, &all->items[i]) = (uint32_t)i + 1;
            all->n_binds++;
        }
}

/* Was the same bind kept?  Then the earlier of both stays. */
static bool know_bind(struct announcements *all, const struct pinhole *p)
{
    uint32_t *slot = all->binds != NULL ? slot_of(all, p) : NULL;

    if (slot == NULL || *slot == 0)
        return false;
    if (by_endpoint(p, &all->items[*slot - 1]) < 0)
        all->items[*slot - 1] = *p;
    return true;
}

/* --- the bound ------------------------------------------------------------------------------------------------ */

/* Of all that makes it another one, under a key that never changes. */
static uint64_t rank_of(const struct pinhole *p)
{
    static const struct hash_key always = {UINT64_C(0x666c6f7761756469), UINT64_C(0x7420706f72747320)};
    uint64_t                     words[8] = {0};

    memcpy(words, p->addr.bytes, 16);
    words[2] = (uint64_t)p->kind << 32 | (uint64_t)p->port << 8 | p->transport;
    words[3] = hash_bytes(&always, p->what, strlen(p->what));
    if (is_bind(p)) {
        memcpy(words + 4, p->requester.bytes, 16);
        memcpy(words + 6, p->announcer.bytes, 16);
    } else {
        words[4] = (uint64_t)p->ts_ns;
        words[5] = p->packet_number;
        words[6] = p->input;
    }
    return hash_words(&always, words, 8);
}

/* How often a bind came that is not kept nobody knows. */
static void lose(struct announcements *all, const struct pinhole *p)
{
    all->n_lost += !is_bind(p);
    all->lost_binds |= is_bind(p);
}

static int bound(struct announcements *all)
{
    size_t    n = 0;
    uint64_t *ranks = calloc(all->n, sizeof(*ranks));

    if (ranks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < all->n; i++)
        ranks[i] = rank_of(&all->items[i]);
    all->threshold = rank_lowest(ranks, all->n, MAX_ANNOUNCEMENTS);
    all->is_bounded = true;
    free(ranks);
    forget_binds(all);
    for (size_t i = 0; i < all->n; i++) {
        if (rank_of(&all->items[i]) <= all->threshold)
            all->items[n++] = all->items[i];
        else
            lose(all, &all->items[i]);
    }
    all->n = n;
    return 0;
}

uint64_t announcements_lost(const struct announcements *all)
{
    return all->n_lost + all->lost_binds;
}

/* --- all of them ------------------------------------------------------------------------------------------- */

void announcements_add(struct announcements *all, const struct pinhole *p)
{
    if (is_bind(p)) {
        index_binds(all);
        if (know_bind(all, p))
            return;
    }
    bool has_room = all->n < MAX_ANNOUNCEMENTS + SLACK || bound(all) == 0;
    if (!has_room || (all->is_bounded && rank_of(p) > all->threshold) || reserve(all, all->n + 1) != 0) {
        lose(all, p);
        return;
    }
    all->items[all->n++] = *p;
    if (is_bind(p) && all->binds != NULL) {
        *slot_of(all, p) = (uint32_t)all->n;
        all->n_binds++;
    }
}

int announcements_merge(struct announcements *to, struct announcements *from)
{
    if (to->n == 0) { /* nothing to join: no second copy of what may be many */
        from->n_lost += to->n_lost;
        from->lost_binds |= to->lost_binds;
        announcements_clear(to);
        *to = *from;
        *from = (struct announcements){0};
        return 0;
    }
    size_t most = MAX_ANNOUNCEMENTS + SLACK, n = to->n + from->n;
    int    rc = reserve(to, n < most ? n : most);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < from->n; i++)
        announcements_add(to, &from->items[i]);
    to->n_lost += from->n_lost;
    to->lost_binds |= from->lost_binds;
    announcements_clear(from);
    return 0;
}

void announcements_sort(struct announcements *all)
{
    forget_binds(all);
    if (all->n > MAX_ANNOUNCEMENTS)
        bound(all);
    if (all->n > 1)
        qsort(all->items, all->n, sizeof(*all->items), by_endpoint);
}

/* The first entry that is not before this one in the order of by_endpoint(): of the endpoint, whether it is a bind, and its time.  A host may
 * promise one port as often as it likes, so that nothing here looks at one promise after the other. */
static size_t first_of(const struct announcements *all, const struct addr *addr, uint16_t port, uint8_t transport, bool bind, int64_t ts_ns)
{
    size_t low = 0, high = all->n;

    while (low < high) {
        size_t                mid = low + (high - low) / 2;
        const struct pinhole *p = &all->items[mid];
        int                   c = compare_endpoint(p, addr, port, transport);

        if (c == 0)
            c = is_bind(p) != bind ? (is_bind(p) ? 1 : -1) : p->ts_ns < ts_ns ? -1 : 0;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct pinhole *announcements_find(const struct announcements *all, const struct addr *addr, uint16_t port, uint8_t transport, int64_t at_ns)
{
    size_t                after = at_ns < INT64_MAX ? first_of(all, addr, port, transport, false, at_ns + 1) : first_of(all, addr, port, transport, true, INT64_MIN);
    const struct pinhole *p = after > 0 ? &all->items[after - 1] : NULL;

    /* One that was made before the flow began is preferred to one that came a moment after. */
    if (p != NULL && compare_endpoint(p, addr, port, transport) == 0 && !is_bind(p))
        return p;
    p = after < all->n ? &all->items[after] : NULL;
    if (p == NULL || compare_endpoint(p, addr, port, transport) != 0 || is_bind(p) || p->ts_ns - EARLY_NS > at_ns)
        return NULL;
    return pinhole_is_media(p->kind) ? p : NULL; /* who connects to a port has been told it before */
}

const struct pinhole *announcements_bind(const struct announcements *all, const struct addr *addr, uint16_t port)
{
    size_t i = first_of(all, addr, port, IPPROTO_TCP, true, INT64_MIN);

    return i < all->n && compare_endpoint(&all->items[i], addr, port, IPPROTO_TCP) == 0 && is_bind(&all->items[i]) ? &all->items[i] : NULL;
}

void announcements_clear(struct announcements *all)
{
    free(all->items);
    free(all->binds);
    *all = (struct announcements){0};
}
