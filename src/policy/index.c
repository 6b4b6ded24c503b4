/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by pair of roles and port.  A flow's rows are found by one search for each pair of its ends' roles, whatever the
 * number of rows and hosts.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

const struct role_pair *policy_pair(const struct policy *p, unsigned from, unsigned to)
{
    uint32_t i = p->pair_index[from * p->matrix->n_roles + to];

    return i == 0 ? NULL : &p->pairs[i - 1];
}

static int by_number(const void *pa, const void *pb)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

    return (a > b) - (a < b);
}

/* --- building ---------------------------------------------------------------------------------------- */

/* Calls 'fn' for every pair of roles that a row names. */
typedef int pair_fn(struct policy *, uint32_t row, unsigned from, unsigned to);

static int each_pair(struct policy *p, pair_fn *fn)
{
    for (uint32_t r = 0; r < p->matrix->n_rows; r++) {
        const struct matrix_row *row = p->rows[r].row;

        for (size_t f = 0; f < row->from.n; f++) {
            for (size_t t = 0; t < row->to.n; t++) {
                int rc = fn(p, r, (unsigned)role_index(p->matrix, row->from.items[f].text),
                            (unsigned)role_index(p->matrix, row->to.items[t].text));
                if (rc != 0)
                    return rc;
            }
        }
    }
    return 0;
}

static int count_row(struct policy *p, uint32_t row, unsigned from, unsigned to)
{
    uint32_t *index = &p->pair_index[from * p->matrix->n_roles + to];

    (void)row;
    if (*index == 0) {
        if ((p->n_pairs & (p->n_pairs + 1)) == 0) {
            /* Grows at 0, 1, 3, 7 ... */
            struct role_pair *pairs = realloc(p->pairs, 2 * (p->n_pairs + 1) * sizeof(*pairs));
            if (pairs == NULL)
                return -ENOMEM;
            p->pairs = pairs;
        }
        p->pairs[p->n_pairs] = (struct role_pair){.media = POLICY_NONE};
        *index = (uint32_t)++p->n_pairs;
    }
    p->pairs[*index - 1].n_rows++;
    return 0;
}

static int add_row(struct policy *p, uint32_t row, unsigned from, unsigned to)
{
    struct role_pair         *pair = &p->pairs[p->pair_index[from * p->matrix->n_roles + to] - 1];
    const struct applied_row *applied = &p->rows[row];

    if (pair->n_rows > 0 && pair->rows[pair->n_rows - 1] == row)
        return 0; /* the row names a role twice */
    pair->rows[pair->n_rows++] = row;
    if (applied->n_ports == 0)
        pair->portless[pair->n_portless++] = row;
    if (applied->row->media && applied->enabled && pair->media == POLICY_NONE)
        pair->media = row;
    return 0;
}

static int allocate_pair(struct role_pair *pair)
{
    size_t n = pair->n_rows;

    pair->rows = calloc(n, sizeof(*pair->rows));
    pair->portless = calloc(n, sizeof(*pair->portless));
    pair->n_rows = 0;
    return pair->rows != NULL && pair->portless != NULL ? 0 : -ENOMEM;
}

static size_t count_ports(const struct policy *p, const struct role_pair *pair, uint8_t transport)
{
    size_t n = 0;

    for (size_t i = 0; i < pair->n_rows; i++)
        for (size_t k = 0; k < p->rows[pair->rows[i]].n_ports; k++)
            n += p->rows[pair->rows[i]].ports[k].transport == transport;
    return n;
}

/* The start of the elementary interval that holds 'port'. */
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

/* Every place where some row's range begins or ends begins an elementary interval. */
static int find_starts(const struct policy *p, const struct role_pair *pair, uint8_t transport, struct port_map *map)
{
    uint32_t *starts = calloc(2 * count_ports(p, pair, transport) + 1, sizeof(*starts));
    size_t    n = 1;

    if (starts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pair->n_rows; i++) {
        const struct applied_row *row = &p->rows[pair->rows[i]];

        for (size_t k = 0; k < row->n_ports; k++) {
            if (row->ports[k].transport != transport)
                continue;
            starts[n++] = row->ports[k].low;
            if (row->ports[k].high < UINT16_MAX)
                starts[n++] = row->ports[k].high + 1u;
        }
    }
    qsort(starts, n, sizeof(*starts), by_number);
    map->starts = calloc(n, sizeof(*map->starts));
    map->offsets = calloc(n + 1, sizeof(*map->offsets));
    for (size_t i = 0; map->starts != NULL && i < n; i++)
        if (i == 0 || starts[i] != starts[i - 1])
            map->starts[map->n++] = (uint16_t)starts[i];
    free(starts);
    return map->starts != NULL && map->offsets != NULL ? 0 : -ENOMEM;
}

/* Goes over all (row, interval) pairs; with 'fill' writes them, without only counts them. */
static void walk_intervals(const struct policy *p, const struct role_pair *pair, uint8_t transport, struct port_map *map, uint32_t *next, bool fill)
{
    for (size_t i = 0; i < pair->n_rows; i++) {
        const struct applied_row *row = &p->rows[pair->rows[i]];

        for (size_t k = 0; k < row->n_ports; k++) {
            if (row->ports[k].transport != transport)
                continue;
            for (uint32_t at = interval_at(map, row->ports[k].low); at < map->n && map->starts[at] <= row->ports[k].high; at++) {
                /* A row whose own ranges overlap stands in an interval once: its rows come one after another. */
                bool again = fill && next[at] > map->offsets[at] && map->rows[next[at] - 1] == pair->rows[i];

                if (fill && !again)
                    map->rows[next[at]] = pair->rows[i];
                next[at] += !again;
            }
        }
    }
}

static int build_map(const struct policy *p, const struct role_pair *pair, uint8_t transport, struct port_map *map)
{
    int rc = find_starts(p, pair, transport, map);

    if (rc != 0)
        return rc;
    uint32_t *next = calloc(map->n, sizeof(*next));
    if (next == NULL)
        return -ENOMEM;
    walk_intervals(p, pair, transport, map, next, false);
    for (uint32_t i = 0; i < map->n; i++) {
        map->offsets[i + 1] = map->offsets[i] + next[i];
        next[i] = map->offsets[i];
    }
    map->rows = malloc(((size_t)map->offsets[map->n] + 1) * sizeof(*map->rows));
    if (map->rows == NULL) {
        free(next);
        return -ENOMEM;
    }
    memset(map->rows, 0xff, ((size_t)map->offsets[map->n] + 1) * sizeof(*map->rows)); /* unused places: POLICY_NONE */
    walk_intervals(p, pair, transport, map, next, true);
    free(next);
    return 0;
}

static int add_protocol(struct role_pair *pair, const char *name, uint32_t row)
{
    for (size_t i = 0; i < pair->n_protocols; i++)
        if (strcmp(pair->protocols[i].name, name) == 0)
            return 0;
    struct expected_protocol *protocols = realloc(pair->protocols, (pair->n_protocols + 1) * sizeof(*protocols));
    if (protocols == NULL)
        return -ENOMEM;
    pair->protocols = protocols;
    pair->protocols[pair->n_protocols++] = (struct expected_protocol){name, row};
    return 0;
}

static int build_pair(const struct policy *p, struct role_pair *pair)
{
    int rc = build_map(p, pair, IPPROTO_TCP, &pair->maps[0]);

    if (rc == 0)
        rc = build_map(p, pair, IPPROTO_UDP, &pair->maps[1]);
    for (size_t i = 0; rc == 0 && i < pair->n_rows; i++) {
        const struct applied_row *row = &p->rows[pair->rows[i]];

        for (size_t k = 0; rc == 0 && row->enabled && row->protocols[k] != NULL; k++)
            rc = add_protocol(pair, row->protocols[k], pair->rows[i]);
    }
    return rc;
}

int policy_index(struct policy *p)
{
    p->pair_index = calloc(p->matrix->n_roles * p->matrix->n_roles + 1, sizeof(*p->pair_index));
    if (p->pair_index == NULL)
        return -ENOMEM;
    int rc = each_pair(p, count_row);
    for (size_t i = 0; rc == 0 && i < p->n_pairs; i++)
        rc = allocate_pair(&p->pairs[i]);
    if (rc == 0)
        rc = each_pair(p, add_row);
    for (size_t i = 0; rc == 0 && i < p->n_pairs; i++)
        rc = build_pair(p, &p->pairs[i]);
    return rc;
}

void policy_index_free(struct policy *p)
{
    for (size_t i = 0; i < p->n_pairs; i++) {
        struct role_pair *pair = &p->pairs[i];

        for (unsigned k = 0; k < 2; k++) {
            free(pair->maps[k].starts);
            free(pair->maps[k].offsets);
            free(pair->maps[k].rows);
        }
        free(pair->rows);
        free(pair->portless);
        free(pair->protocols);
    }
    free(p->pairs);
    free(p->pair_index);
}

/* --- looking up ------------------------------------------------------------------------------------------ */

/* Keeps the set sorted and without repetition; beyond the bound the last in the document are left out. */
static void add_match(struct matches *m, uint32_t row)
{
    size_t at = m->n;

    while (at > 0 && m->rows[at - 1] > row)
        at--;
    if (at > 0 && m->rows[at - 1] == row)
        return;
    if (m->n == MAX_MATCHES) {
        if (at == m->n)
            return;
        m->n--;
    }
    memmove(&m->rows[at + 1], &m->rows[at], (m->n - at) * sizeof(m->rows[0]));
    m->rows[at] = row;
    m->n++;
}

static void match_pair(const struct role_pair *pair, uint8_t transport, uint16_t port, struct matches *ret)
{
    const struct port_map *map = &pair->maps[transport == IPPROTO_UDP];
    uint32_t               at = interval_at(map, port);

    for (uint32_t i = map->offsets[at]; i < map->offsets[at + 1] && map->rows[i] != POLICY_NONE; i++)
        add_match(ret, map->rows[i]);
}

void policy_match(const struct policy *p, const struct roleset *from, const struct roleset *to, uint8_t transport, uint16_t port,
                  struct matches *ret)
{
    ret->n = 0;
    for (unsigned fw = 0; fw < ROLE_WORDS; fw++) {
        for (uint64_t fbits = from->words[fw]; fbits != 0; fbits &= fbits - 1) {
            unsigned f = fw * 64 + (unsigned)__builtin_ctzll(fbits);

            for (unsigned tw = 0; tw < ROLE_WORDS; tw++) {
                for (uint64_t tbits = to->words[tw]; tbits != 0; tbits &= tbits - 1) {
                    const struct role_pair *pair = policy_pair(p, f, tw * 64 + (unsigned)__builtin_ctzll(tbits));

                    if (pair != NULL)
                        match_pair(pair, transport, port, ret);
                }
            }
        }
    }
}
