/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence-private.h"

struct train {
    struct addr src, dst;
    uint32_t id;
    uint8_t transport;
    int64_t ts_ns;
};

/* What a packet, or the one that an ICMP error quotes, is matched by. */
struct ends {
    const struct addr *src, *dst;
    uint16_t sport, dport;
    uint8_t transport;
    int64_t ts_ns, slack_ns; /* how long after the last packet it may be; an error may be as long before the first as its flow may be silent: */
    int64_t early_ns;
};

/* Unlike addr_range_contains(), of both families: a sum may be over all addresses there are. */
static bool contains(const struct addr_range *r, const struct addr *a)
{
    return addr_compare(&r->low, a) <= 0 && addr_compare(a, &r->high) <= 0;
}

static bool one_way(const struct evidence_selector *s, const struct addr *client, uint16_t client_port, const struct addr *server,
                    uint16_t server_port)
{
    return client_port >= s->client_port_low && client_port <= s->client_port_high && server_port >= s->server_port_low &&
           server_port <= s->server_port_high && contains(&s->client, client) && contains(&s->server, server);
}

static bool matches(const struct evidence_selector *s, const struct ends *e)
{
    return (s->transport == 0 || s->transport == e->transport) && (e->ts_ns >= s->first_ns || (uint64_t)s->first_ns - (uint64_t)e->ts_ns <= (uint64_t)e->early_ns) &&
           (e->ts_ns <= s->last_ns || e->ts_ns - s->last_ns <= e->slack_ns) &&
           (one_way(s, e->src, e->sport, e->dst, e->dport) || one_way(s, e->dst, e->dport, e->src, e->sport));
}

static bool matches_any(const struct evidence_selector *list, size_t n, const struct ends *e)
{
    for (size_t i = 0; i < n; i++)
        if (matches(&list[i], e))
            return true;
    return false;
}

static bool is_picked(const struct evidence_pick *pick, const struct ends *e)
{
    struct ends in_time = *e;

    in_time.early_ns = 0;
    return matches_any(pick->wanted, pick->n_wanted, e) && !matches_any(pick->others, pick->n_others, &in_time);
}

static struct ends ends_of(const struct packet *p)
{
    return (struct ends){&p->src, &p->dst, p->sport, p->dport, p->transport, p->ts_ns, 0, 0};
}

static int compare_trains(const void *pa, const void *pb)
{
    const struct train *a = pa, *b = pb;
    int rc = addr_compare(&a->src, &b->src);

    if (rc == 0)
        rc = addr_compare(&a->dst, &b->dst);
    if (rc == 0)
        rc = (a->id > b->id) - (a->id < b->id);
    return rc != 0 ? rc : a->transport - b->transport;
}

int picker_learn(struct picker *k, const struct frame *f)
{
    struct packet p;

    if (packet_decode(f, &p) != PACKET_OK || !(p.flags & PACKET_FIRST_FRAGMENT))
        return 0;
    struct ends e = ends_of(&p);
    if (!is_picked(k->pick, &e))
        return 0;
    if (k->n_trains == k->n_allocated) {
        size_t n = k->n_allocated == 0 ? 64 : 2 * k->n_allocated;
        struct train *more = realloc(k->trains, n * sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        k->trains = more;
        k->n_allocated = n;
    }
    k->trains[k->n_trains++] = (struct train){p.src, p.dst, p.fragment_id, p.transport, p.ts_ns};
    return 0;
}

void picker_ready(struct picker *k)
{
    if (k->n_trains > 0)
        qsort(k->trains, k->n_trains, sizeof(*k->trains), compare_trains);
}

/* Identifications are used again: the first fragment has to be near in time, before or after. */
static bool is_of_a_train(const struct picker *k, const struct packet *p)
{
    const struct train key = {p->src, p->dst, p->fragment_id, p->transport, p->ts_ns};
    size_t low = 0, high = k->n_trains;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_trains(&k->trains[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < k->n_trains && compare_trains(&k->trains[low], &key) == 0; low++)
        if (llabs(k->trains[low].ts_ns - p->ts_ns) <= EVIDENCE_SLACK_NS)
            return true;
    return false;
}

/* What carries a packet over UDP may be a flow of its own. */
static bool is_carrier_picked(const struct picker *k, const struct frame *f)
{
    struct packet p;

    if (packet_decode_carrier(f, &p) != PACKET_OK)
        return false;
    struct ends e = ends_of(&p);
    return is_picked(k->pick, &e);
}

static enum pick_kind look_inside(const struct picker *k, enum packet_result result, const struct packet *p)
{
    struct ends e;

    switch (result) {
    case PACKET_OK:
        e = ends_of(p);
        return is_picked(k->pick, &e) ? PICK_PACKET : PICK_NOTHING;
    case PACKET_FRAGMENT:
        return k->n_trains > 0 && is_of_a_train(k, p) ? PICK_FRAGMENT : PICK_NOTHING;
    case PACKET_ICMP_ERROR:
        e = (struct ends){&p->quote.src, &p->quote.dst, p->quote.sport, p->quote.dport, p->quote.transport, p->ts_ns, EVIDENCE_SLACK_NS, EVIDENCE_EARLY_NS};
        return is_picked(k->pick, &e) ? PICK_ERROR : PICK_NOTHING;
    default:
        return PICK_NOTHING;
    }
}

enum pick_kind picker_look(const struct picker *k, const struct frame *f)
{
    struct packet p;
    enum packet_result result = packet_decode(f, &p);
    enum pick_kind kind = look_inside(k, result, &p);

    if (kind == PICK_NOTHING && (p.encap & (ENCAP_VXLAN | ENCAP_GENEVE)) != 0 && is_carrier_picked(k, f))
        return PICK_PACKET;
    return kind;
}

void picker_clear(struct picker *k)
{
    free(k->trains);
    *k = (struct picker){0};
}
