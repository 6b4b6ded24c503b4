/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by pair of roles and port.
 *
 * For each pair of roles and transport the ports are cut into elementary intervals, and each interval keeps the rows that can be the
 * first answer to some question: of the rows that agree in all that a judgement looks at (a protocol expected, media,
 * 'other', on or off), the first in the document.  So the cost of a judgement depends on how many kinds of rows stand
 * on a port, and neither on how many rows nor on how many hosts there are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "private.h"

/* Entries of all lists together.  A matrix that a person wrote has some hundreds; beyond this it is an error, not a slow start. */
#define MAX_ENTRIES (UINT64_C(1) << 26)
#define PORTS_A_BIT 1024

static const uint8_t transports[2] = {IPPROTO_TCP, IPPROTO_UDP};

/* --- pairs of roles ------------------------------------------------------------------------------------ */

static struct role_pair *pair_at(struct policy *p, unsigned from, unsigned to)
{
    uint32_t *index = &p->slots[from * p->matrix->n_roles + to].pair;

    if (*index == 0) {
        if (p->n_pairs == p->n_pairs_allocated) {
            size_t            n = p->n_pairs_allocated == 0 ? 64 : 2 * p->n_pairs_allocated;
            struct role_pair *pairs = realloc(p->pairs, n * sizeof(*pairs));

            if (pairs == NULL)
                return NULL;
            p->pairs = pairs;
            p->n_pairs_allocated = n;
        }
        p->pairs[p->n_pairs] = (struct role_pair){0};
        *index = (uint32_t)++p->n_pairs;
        set_add(&p->reach[from], to);
    }
    return &p->pairs[*index - 1];
}

/* Each row to the pairs of roles that it names: first counted, then filled in. */
static int place_rows(struct policy *p, bool fill)
{
    for (uint32_t r = 0; r < p->matrix->n_rows; r++) {
        const struct applied_row *a = &p->rows[r];

        for (unsigned f = 0; (f = set_next(&a->from, f)) < SET_MAX; f++) {
            for (unsigned t = 0; (t = set_next(&a->to, t)) < SET_MAX; t++) {
                struct role_pair *pair = pair_at(p, f, t);

                if (pair == NULL)
                    return -ENOMEM;
                if (fill)
                    pair->rows[pair->n_rows] = r;
                pair->n_rows++;
                if (!fill && ++p->n_entries > MAX_ENTRIES)
                    return -E2BIG;
            }
        }
    }
    return 0;
}

static int find_pairs(struct policy *p)
{
    size_t n_roles = p->matrix->n_roles;

    p->slots = calloc(n_roles * n_roles + 1, sizeof(*p->slots));
    p->reach = calloc(n_roles + 1, sizeof(*p->reach));
    if (p->slots == NULL || p->reach == NULL)
        return -ENOMEM;
    int rc = place_rows(p, false);
    for (size_t i = 0; rc == 0 && i < p->n_pairs; i++) {
        p->pairs[i].rows = calloc(p->pairs[i].n_rows, sizeof(*p->pairs[i].rows));
        p->pairs[i].n_rows = 0;
        if (p->pairs[i].rows == NULL)
            rc = -ENOMEM;
    }
    return rc == 0 ? place_rows(p, true) : rc;
}

/* --- intervals ------------------------------------------------------------------------------------------ */

/* The elementary interval that holds 'port'; the first one starts at 0. */
static uint32_t interval_at(const struct port_map *map, uint16_t port)
{
    uint32_t low = 0, high = map->n;

    while (high - low > 1) {
        uint32_t mid = (low + high) / 2;

        if (map->starts[mid] <= port)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static int by_port(const void *pa, const void *pb)
{
    uint16_t a = *(const uint16_t *)pa, b = *(const uint16_t *)pb;

    return (a > b) - (a < b);
}

/* Where some row's range begins, and behind where one ends, an elementary interval begins. */
static int find_starts(const struct stab_tree *ranges, struct port_map *map)
{
    size_t n = 1;

    map->starts = calloc(2 * ranges->n + 1, sizeof(*map->starts));
    if (map->starts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < ranges->n; i++) {
        map->starts[n++] = ranges->items[i].low;
        if (ranges->items[i].high < UINT16_MAX)
            map->starts[n++] = (uint16_t)(ranges->items[i].high + 1);
    }
    qsort(map->starts, n, sizeof(*map->starts), by_port);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || map->starts[i] != map->starts[i - 1])
            map->starts[map->n++] = map->starts[i];
    return 0;
}

/* --- which rows decide ------------------------------------------------------------------------------------- */

/* Rows of one key are alike to a judgement: only the first of them on a port matters. */
struct claim {
    uint32_t key, row;
};

enum { CLAIM_MEDIA = 1, CLAIM_OTHER = 2, CLAIM_OFF = 4, CLAIM_WIDE = 8, CLAIM_PROTOCOL = 16 };

static uint32_t claim_key(const struct applied_row *a, unsigned protocol)
{
    return protocol * CLAIM_PROTOCOL + (a->row->media ? CLAIM_MEDIA : 0) + (a->row->other ? CLAIM_OTHER : 0) +
           (a->enabled ? 0 : CLAIM_OFF) + (a->wide_option != POLICY_NONE ? CLAIM_WIDE : 0);
}

static int by_claim(const void *pa, const void *pb)
{
    const struct claim *a = pa, *b = pb;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

struct claims {
    struct claim *items;
    size_t        n, n_allocated;
};

static int add_claim(struct claims *c, uint32_t key, uint32_t row)
{
    if (c->n == c->n_allocated) {
        size_t        n = c->n_allocated == 0 ? 16 : 2 * c->n_allocated;
        struct claim *items = realloc(c->items, n * sizeof(*items));

        if (items == NULL)
            return -ENOMEM;
        c->items = items;
        c->n_allocated = n;
    }
    c->items[c->n++] = (struct claim){key, row};
    return 0;
}

/* Sorted by key, then by place in the document. */
static int gather_claims(const struct policy *p, const struct role_pair *pair, struct claims *ret)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < pair->n_rows; i++) {
        const struct applied_row *a = &p->rows[pair->rows[i]];

        if (set_is_empty(&a->protocols))
            rc = add_claim(ret, claim_key(a, SET_MAX), pair->rows[i]);
        for (unsigned k = 0; rc == 0 && (k = set_next(&a->protocols, k)) < SET_MAX; k++)
            rc = add_claim(ret, claim_key(a, k), pair->rows[i]);
    }
    if (rc == 0 && ret->n > 0)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_claim);
    return rc;
}

/* The first interval from 'i' on that the current key has not claimed yet; paths are shortened on the way. */
static uint32_t unclaimed(uint32_t *next, uint32_t i)
{
    while (next[i] != i) {
        next[i] = next[next[i]];
        i = next[i];
    }
    return i;
}

static int claim_range(const struct port_map *map, const struct port_range *range, uint32_t row, uint32_t *next,
                       struct claims *ret)
{
    for (uint32_t i = unclaimed(next, interval_at(map, range->low)); i < map->n && map->starts[i] <= range->high;
         i = unclaimed(next, i)) {
        int rc = add_claim(ret, i, row);

        if (rc != 0 || ret->n > MAX_ENTRIES)
            return rc != 0 ? rc : -E2BIG;
        next[i] = i + 1;
    }
    return 0;
}

/* Fills 'ret' with (interval, row). */
static int claim_intervals(const struct policy *p, const struct port_map *map, uint8_t transport, const struct claims *claims,
                           struct claims *ret)
{
    uint32_t *next = calloc((size_t)map->n + 1, sizeof(*next));
    int       rc = next != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < claims->n; i++) {
        const struct applied_row *a = &p->rows[claims->items[i].row];

        for (uint32_t k = 0; (i == 0 || claims->items[i].key != claims->items[i - 1].key) && k <= map->n; k++)
            next[k] = k;
        for (size_t k = 0; rc == 0 && k < a->n_ports; k++)
            if (a->ports[k].transport == transport)
                rc = claim_range(map, &a->ports[k], claims->items[i].row, next, ret);
    }
    free(next);
    if (rc == 0 && ret->n > 0)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_claim);
    return rc;
}

static int fill_map(struct policy *p, struct port_map *map, const struct claims *places)
{
    uint32_t n = 0, interval = 0;

    map->offsets = calloc((size_t)map->n + 1, sizeof(*map->offsets));
    map->rows = calloc(places->n + 1, sizeof(*map->rows));
    if (map->offsets == NULL || map->rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < places->n; i++) {
        if (i > 0 && by_claim(&places->items[i], &places->items[i - 1]) == 0)
            continue; /* first by more than one protocol */
        while (interval < places->items[i].key)
            map->offsets[++interval] = n;
        map->rows[n++] = places->items[i].row;
    }
    while (interval < map->n)
        map->offsets[++interval] = n;
    p->n_entries += n;
    return p->n_entries > MAX_ENTRIES ? -E2BIG : 0;
}

static int gather_ranges(const struct policy *p, const struct role_pair *pair, uint8_t transport, struct stab_tree *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < pair->n_rows; i++)
        n += p->rows[pair->rows[i]].n_ports;
    ret->items = calloc(n + 1, sizeof(*ret->items));
    if (ret->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pair->n_rows; i++) {
        const struct applied_row *a = &p->rows[pair->rows[i]];

        for (size_t k = 0; k < a->n_ports; k++)
            if (a->ports[k].transport == transport)
                ret->items[ret->n++] = (struct stab_item){.low = a->ports[k].low, .high = a->ports[k].high, .row = pair->rows[i]};
    }
    stab_build(ret);
    return 0;
}

static int build_ports(struct policy *p, struct role_pair *pair, const struct claims *claims, unsigned which)
{
    struct claims places = {0};
    int           rc = gather_ranges(p, pair, transports[which], &pair->trees[which]);

    if (rc == 0)
        rc = find_starts(&pair->trees[which], &pair->maps[which]);
    if (rc == 0)
        rc = claim_intervals(p, &pair->maps[which], transports[which], claims, &places);
    if (rc == 0)
        rc = fill_map(p, &pair->maps[which], &places);
    free(places.items);
    return rc;
}

/* --- first rows, whatever the port ------------------------------------------------------------------------- */

static int add_first(struct first_rows *f, uint32_t key, bool other, uint32_t row)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].key == key && f->items[i].other == other)
            return 0;
    if (f->n == f->n_allocated) {
        size_t            n = f->n_allocated == 0 ? 4 : 2 * f->n_allocated;
        struct first_row *items = realloc(f->items, n * sizeof(*items));

        if (items == NULL)
            return -ENOMEM;
        f->items = items;
        f->n_allocated = n;
    }
    f->items[f->n++] = (struct first_row){key, other, row};
    return 0;
}

/* From a range a server takes any port: where a port is high, the content belongs to such a row rather than to a fixed port. */
bool row_has_range(const struct applied_row *a)
{
    for (size_t i = 0; i < a->n_ports; i++)
        if (a->ports[i].low < a->ports[i].high)
            return true;
    return false;
}

/* Content may contradict one such row and not another: one for each protocol, and one that expects none. */
static int add_unlisted(struct role_pair *pair, const struct applied_row *a, uint32_t r)
{
    uint32_t key = a->unlisted * (SET_MAX + 1);
    int      rc = set_is_empty(&a->protocols) ? add_first(&pair->unlisted, key + SET_MAX, a->row->other, r) : 0;

    for (unsigned k = 0; rc == 0 && (k = set_next(&a->protocols, k)) < SET_MAX; k++)
        rc = add_first(&pair->unlisted, key + k, a->row->other, r);
    return rc;
}

static int add_firsts(const struct policy *p, struct role_pair *pair, uint32_t r)
{
    const struct applied_row *a = &p->rows[r];
    bool                      other = a->row->other;
    int                       rc = 0;

    if (!a->enabled)
        return 0;
    for (unsigned k = 0; rc == 0 && (k = set_next(&a->protocols, k)) < SET_MAX; k++)
        rc = add_first(&pair->expects, 2 * k + row_has_range(a), other, r);
    if (rc == 0 && a->lost)
        rc = add_first(&pair->lost, 0, other, r);
    else if (rc == 0 && a->unlisted != POLICY_NONE)
        rc = add_unlisted(pair, a, r);
    if (rc == 0 && a->row->media)
        rc = add_first(&pair->media, 0, other, r);
    return rc;
}

static int build_pair(struct policy *p, struct role_pair *pair)
{
    struct claims claims = {0};
    int           rc = gather_claims(p, pair, &claims);

    for (unsigned i = 0; rc == 0 && i < 2; i++)
        rc = build_ports(p, pair, &claims, i);
    for (size_t i = 0; rc == 0 && i < pair->n_rows; i++)
        rc = add_firsts(p, pair, pair->rows[i]);
    free(claims.items);
    return rc;
}

/* --- ports that a role serves, to whomever ------------------------------------------------------------------ */

static void mark_ports(uint8_t *bits, unsigned low, unsigned high)
{
    for (; low <= high && low % 8 != 0; low++)
        bits[low / 8] |= (uint8_t)(1u << (low % 8));
    if (high > low)
        memset(bits + low / 8, 0xff, (high + 1 - low) / 8);
    for (low += high > low ? (high + 1 - low) / 8 * 8 : 0; low <= high; low++)
        bits[low / 8] |= (uint8_t)(1u << (low % 8));
}

/* Media and one-way rows say where datagrams may go, not who serves. */
static int mark_served(struct policy *p)
{
    for (unsigned i = 0; i < 2; i++) {
        p->served[i] = calloc(p->matrix->n_roles + 1, SERVED_SIZE);
        if (p->served[i] == NULL)
            return -ENOMEM;
    }
    for (size_t r = 0; r < p->matrix->n_rows; r++) {
        const struct applied_row *a = &p->rows[r];

        for (size_t k = 0; !a->row->media && k < a->n_ports; k++) {
            uint8_t *served = p->served[a->ports[k].transport == IPPROTO_UDP];

            for (unsigned t = 0; !a->ports[k].one_way && (t = set_next(&a->to, t)) < SET_MAX; t++)
                mark_ports(served + (size_t)t * SERVED_SIZE, a->ports[k].low, a->ports[k].high);
        }
    }
    return 0;
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

static void mark_slot(struct pair_slot *s, const struct role_pair *pair)
{
    for (unsigned which = 0; which < 2; which++)
        for (size_t i = 0; i < pair->trees[which].n; i++)
            for (unsigned k = pair->trees[which].items[i].low / PORTS_A_BIT; k <= pair->trees[which].items[i].high / PORTS_A_BIT; k++)
                s->ports[which] |= UINT64_C(1) << k;
}

int policy_index(struct policy *p, struct diag_list *diags)
{
    size_t n_slots = p->matrix->n_roles * p->matrix->n_roles;
    int    rc = find_pairs(p);

    for (size_t i = 0; rc == 0 && i < p->n_pairs; i++)
        rc = build_pair(p, &p->pairs[i]);
    for (size_t i = 0; rc == 0 && i < n_slots; i++)
        if (p->slots[i].pair != 0)
            mark_slot(&p->slots[i], &p->pairs[p->slots[i].pair - 1]);
    if (rc == 0)
        rc = mark_served(p);
    if (rc == 0)
        rc = policy_index_expected(p);
    if (rc == -E2BIG) {
        struct diag_place place = matrix_place(p->matrix, &p->matrix->rows[0].id.place);

        diag_add(diags, DIAG_ERROR, &place, "the rows overlap on too many pairs of roles and ports: more than %llu combinations",
                 (unsigned long long)MAX_ENTRIES);
        rc = -EINVAL;
    }
    return rc;
}

static void free_pair(struct role_pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        free(pair->maps[i].starts);
        free(pair->maps[i].offsets);
        free(pair->maps[i].rows);
        free(pair->trees[i].items);
    }
    free(pair->rows);
    free(pair->expects.items);
    free(pair->unlisted.items);
    free(pair->lost.items);
    free(pair->media.items);
}

void policy_index_free(struct policy *p)
{
    for (size_t i = 0; i < p->n_pairs; i++)
        free_pair(&p->pairs[i]);
    for (size_t i = 0; i < p->n_expected; i++)
        free(p->expected[i].names);
    free(p->expected);
    free(p->pairs);
    free(p->slots);
    free(p->reach);
    free(p->served[0]);
    free(p->served[1]);
}

/* --- looking up ------------------------------------------------------------------------------------------------ */

struct row_list pair_rows(const struct role_pair *pair, uint8_t transport, uint16_t port)
{
    const struct port_map *map = &pair->maps[transport == IPPROTO_UDP];
    uint32_t               i = interval_at(map, port);

    return (struct row_list){map->rows + map->offsets[i], map->offsets[i + 1] - map->offsets[i]};
}

struct pair_walk pair_walk(const struct policy *p, const struct set256 *from, const struct set256 *to)
{
    return (struct pair_walk){.p = p, .from = from, .to = to, .at = SET_MAX};
}

struct pair_walk pair_walk_at(const struct policy *p, const struct way *w)
{
    struct pair_walk ret = pair_walk(p, w->from, w->to);

    ret.which = w->transport == IPPROTO_UDP;
    ret.port = UINT64_C(1) << w->port / PORTS_A_BIT;
    return ret;
}

const struct role_pair *pair_next(struct pair_walk *w)
{
    for (;;) {
        w->at = set_next(&w->left, w->at);
        if (w->at < SET_MAX) {
            const struct pair_slot *s = &w->p->slots[(w->role - 1) * w->p->matrix->n_roles + w->at++];

            if (w->port != 0 && (s->ports[w->which] & w->port) == 0)
                continue;
            return &w->p->pairs[s->pair - 1];
        }
        unsigned role = set_next(w->from, w->role);
        if (role >= SET_MAX)
            return NULL;
        for (unsigned i = 0; i < SET_WORDS; i++)
            w->left.words[i] = w->p->reach[role].words[i] & w->to->words[i];
        w->role = role + 1;
        w->at = 0;
    }
}

/* The first of sorted rows that is not before 'least'; where there is none, 'n'. */
static size_t first_from(const uint32_t *rows, size_t n, uint32_t least)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (rows[mid] < least)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t policy_row_between(const struct policy *p, const struct set256 *from, const struct set256 *to, uint32_t least)
{
    struct pair_walk        walk = pair_walk(p, from, to);
    const struct role_pair *pair;
    uint32_t                best = POLICY_NONE;

    while ((pair = pair_next(&walk)) != NULL) {
        size_t i = first_from(pair->rows, pair->n_rows, least);

        if (i < pair->n_rows && pair->rows[i] < best)
            best = pair->rows[i];
    }
    return best;
}
