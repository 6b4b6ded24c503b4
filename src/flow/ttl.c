/* SPDX-License-Identifier: Apache-2.0 */
/* TTLs by place of capture. */
#include <string.h>

#include "flowaudit/value.h"

static bool is_empty(const struct ttl_seen *s)
{
    return s->own.min == 0 && s->rst.min == 0;
}

struct ttl_seen *ttl_seen_at(struct ttl_seen seen[static N_TTL_PLACES], uint16_t place)
{
    unsigned at = 0;

    while (at < N_TTL_PLACES && !is_empty(&seen[at]) && seen[at].place < place)
        at++;
    if (at == N_TTL_PLACES)
        return NULL;
    if (!is_empty(&seen[at]) && seen[at].place == place)
        return &seen[at];
    memmove(&seen[at + 1], &seen[at], (N_TTL_PLACES - 1 - at) * sizeof(*seen));
    seen[at] = (struct ttl_seen){.place = place};
    return &seen[at];
}

void ttl_seen_join(struct ttl_seen seen[static N_TTL_PLACES], const struct ttl_seen other[static N_TTL_PLACES])
{
    for (unsigned i = 0; i < N_TTL_PLACES && !is_empty(&other[i]); i++) {
        struct ttl_seen *at = ttl_seen_at(seen, other[i].place);

        if (at == NULL)
            return;
        ttl_range_join(&at->own, &other[i].own);
        ttl_range_join(&at->rst, &other[i].rst);
    }
}

struct ttl_range ttl_seen_own(const struct ttl_seen seen[static N_TTL_PLACES])
{
    struct ttl_range all = {0, 0};

    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        ttl_range_join(&all, &seen[i].own);
    return all;
}

struct ttl_range ttl_seen_rst(const struct ttl_seen seen[static N_TTL_PLACES])
{
    struct ttl_range all = {0, 0};

    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        ttl_range_join(&all, &seen[i].rst);
    return all;
}

struct ttl_range ttl_seen_beside_rst(const struct ttl_seen seen[static N_TTL_PLACES])
{
    struct ttl_range own = {0, 0};

    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        if (seen[i].rst.min != 0)
            ttl_range_join(&own, &seen[i].own);
    return own.min != 0 ? own : ttl_seen_own(seen);
}

struct ttl_range ttl_seen_own_at(const struct ttl_seen seen[static N_TTL_PLACES], uint16_t place)
{
    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        if (seen[i].place == place && seen[i].own.min != 0)
            return seen[i].own;
    return (struct ttl_range){0, 0};
}
