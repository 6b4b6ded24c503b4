/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked beside the judgement: all rows that allow a flow, who serves a port, whether an answer is expected, exceptions. */
#include <netinet/in.h>

#include "private.h"

/* --- all rows that allow ----------------------------------------------------------------------------- */

struct each {
    const struct policy *p;
    const struct app    *app;
    const struct way    *way;
    bool                 media;
    row_fn              *fn;
    void                *aux;
};

static void each_row(void *aux, uint32_t row)
{
    const struct each        *e = aux;
    const struct applied_row *a = &e->p->rows[row];

    if (a->enabled && a->row->media == e->media && row_other_ok(a, e->way->distinct) && !content_contradicts(e->p, e->app, a))
        e->fn(e->aux, row, e->way);
}

static void each_on_way(const struct way *w, struct each *e, bool media)
{
    struct pair_walk        walk = pair_walk(e->p, w->from, w->to);
    const struct role_pair *pair;

    e->way = w;
    e->media = media;
    while ((pair = pair_next(&walk)) != NULL)
        stab_find(&pair->trees[w->transport == IPPROTO_UDP], w->port, each_row, e);
}

void policy_each_row(const struct policy *p, const struct policy_query *given, const struct judgement *j, row_fn *fn, void *aux)
{
    struct policy_query q = j->reversed ? query_turned(given) : *given;
    struct way          w = way_there(p, &q.tuple), back = way_back(&w, q.tuple.client_port);
    struct each         e = {.p = p, .app = &q.app, .fn = fn, .aux = aux};

    if (j->verdict != VERDICT_ALLOWED)
        return;
    each_on_way(&w, &e, false);
    /* Media rows allow it where they allow each direction that carried packets. */
    if (!p->rows[j->row].row->media && q.sent[1])
        return;
    if (q.sent[0] || !q.sent[1])
        each_on_way(&w, &e, true);
    if (q.sent[1])
        each_on_way(&back, &e, true);
}

struct row_array {
    uint32_t *rows;
    size_t    n, size;
};

/* Sorted, each once; where there are too many, the first in the document are kept. */
static void keep_row(void *aux, uint32_t row, const struct way *w)
{
    struct row_array *a = aux;
    size_t            at = a->n;

    (void)w;
    while (at > 0 && a->rows[at - 1] > row)
        at--;
    if (at == a->size || (at > 0 && a->rows[at - 1] == row))
        return;
    a->n -= a->n == a->size;
    memmove(&a->rows[at + 1], &a->rows[at], (a->n - at) * sizeof(*a->rows));
    a->rows[at] = row;
    a->n++;
}

size_t policy_rows(const struct policy *p, const struct policy_query *q, uint32_t *ret, size_t n)
{
    struct row_array a = {.rows = ret, .size = n};
    struct judgement j;

    policy_judge(p, q, &j);
    policy_each_row(p, q, &j, keep_row, &a);
    return a.n;
}

/* --- ports --------------------------------------------------------------------------------------------- */

/* The first row on the way's port; 'enabled': of those that apply. */
static uint32_t first_row(const struct policy *p, const struct way *w, bool enabled)
{
    struct pair_walk        walk = pair_walk_at(p, w);
    const struct role_pair *pair;
    uint32_t                best = POLICY_NONE;

    while ((pair = pair_next(&walk)) != NULL) {
        struct row_list list = pair_rows(pair, w->transport, w->port);

        for (uint32_t i = 0; i < list.n; i++)
            if (list.rows[i] < best && (!enabled || p->rows[list.rows[i]].enabled) &&
                row_other_ok(&p->rows[list.rows[i]], w->distinct))
                best = list.rows[i];
    }
    return best;
}

/* Does some row give the server of this way its port, whoever the client is? */
static bool serves(const struct policy *p, const struct way *w)
{
    const uint8_t *served = p->served[w->transport == IPPROTO_UDP];

    for (unsigned r = 0; (r = set_next(w->to, r)) < SET_MAX; r++)
        if ((served[(size_t)r * SERVED_SIZE + w->port / 8] >> (w->port % 8) & 1) != 0)
            return true;
    return false;
}

int policy_port_vote(const struct policy *p, const struct tuple *t)
{
    struct policy_ends ends;

    policy_locate(p, t, &ends);
    return policy_port_vote_at(p, &ends, t);
}

int policy_port_vote_at(const struct policy *p, const struct policy_ends *ends, const struct tuple *t)
{
    struct way there = way_between(p, ends, t), back = way_back(&there, t->client_port);
    int        vote = (first_row(p, &there, true) != POLICY_NONE) - (first_row(p, &back, true) != POLICY_NONE);

    if (vote == 0)
        vote = (first_row(p, &there, false) != POLICY_NONE) - (first_row(p, &back, false) != POLICY_NONE);
    return vote != 0 ? vote : serves(p, &there) - serves(p, &back);
}

bool policy_dynamic_port(const struct policy *p, uint32_t row, uint8_t transport, uint16_t port)
{
    const struct port_range *range = row != POLICY_NONE ? row_port(&p->rows[row], transport, port) : NULL;

    return range != NULL && range->low != range->high;
}

bool policy_row_unanswered(const struct policy *p, uint32_t row, const struct app *app, uint8_t transport, uint16_t port)
{
    const struct applied_row *a = row != POLICY_NONE ? &p->rows[row] : NULL;
    const struct port_range  *range = a != NULL && !a->row->media ? row_port(a, transport, port) : NULL;

    return range != NULL && range->one_way && (app->basis == APP_NONE || policy_satisfies(p, app, a));
}

bool policy_one_way(const struct policy *p, const struct tuple *t)
{
    struct policy_ends ends;

    policy_locate(p, t, &ends);
    return policy_one_way_at(p, &ends, t);
}

bool policy_one_way_at(const struct policy *p, const struct policy_ends *ends, const struct tuple *t)
{
    struct way               w = way_between(p, ends, t);
    uint32_t                 row = first_row(p, &w, true);
    const struct port_range *range = row != POLICY_NONE ? row_port(&p->rows[row], t->transport, t->server_port) : NULL;

    return range != NULL && range->one_way;
}

/* --- exceptions ------------------------------------------------------------------------------------------ */

static bool end_covered(uint32_t host, const struct addr *a, bool any, bool is_range, const struct addr_range *range,
                        uint32_t wanted)
{
    if (any)
        return true;
    return is_range ? addr_range_contains(range, a) : host != POLICY_NONE && host == wanted;
}

static bool port_covered(const struct site_exception *e, const struct tuple *t)
{
    if (e->any_port)
        return true;
    return (e->port.transport == 0 || e->port.transport == t->transport) && e->port.low <= t->server_port &&
           t->server_port <= e->port.high;
}

const struct site_exception *policy_exception(const struct policy *p, const struct policy_query *q, int64_t at_ns)
{
    const struct tuple *t = &q->tuple;
    uint32_t            client = policy_host(p, &t->client), server = policy_host(p, &t->server);

    for (size_t i = 0; i < p->site->n_exceptions; i++) {
        const struct site_exception *e = &p->site->exceptions[i];

        if (at_ns <= e->until_ns && port_covered(e, t) &&
            end_covered(client, &t->client, e->client_any, e->client_is_range, &e->client_range, p->exception_hosts[2 * i]) &&
            end_covered(server, &t->server, e->server_any, e->server_is_range, &e->server_range, p->exception_hosts[2 * i + 1]))
            return e;
    }
    return NULL;
}

static bool summed_end_covered(const struct policy *p, bool known, const struct addr *a, uint32_t host, bool any, bool is_range,
                               const struct addr_range *range, uint32_t wanted)
{
    if (known)
        return end_covered(policy_host(p, a), a, any, is_range, range, wanted);
    return any || (!is_range && host != POLICY_NONE && host == wanted);
}

const struct site_exception *policy_exception_of_sum(const struct policy *p, const struct policy_sum *s, int64_t at_ns)
{
    for (size_t i = 0; i < p->site->n_exceptions; i++) {
        const struct site_exception *e = &p->site->exceptions[i];

        if (at_ns <= e->until_ns && (e->any_port || (s->port_known && port_covered(e, &s->tuple))) &&
            summed_end_covered(p, s->client_known, &s->tuple.client, s->client_host, e->client_any, e->client_is_range, &e->client_range,
                               p->exception_hosts[2 * i]) &&
            summed_end_covered(p, s->server_known, &s->tuple.server, s->server_host, e->server_any, e->server_is_range, &e->server_range,
                               p->exception_hosts[2 * i + 1]))
            return e;
    }
    return NULL;
}
