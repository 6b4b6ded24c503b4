/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Later fragments find their flow through the first one, which alone has the ports.
 *
 * A train is one fragmented datagram: (source, destination, protocol, identification), RFC 791 and RFC 8200.  It
 * remembers the ports once its first fragment was seen; what came before that is held as counters.  Trains lie in a
 * ring in the order in which they began, so the oldest goes when the ring is full; a dead one keeps its place until
 * then.
 */
#include "flow-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define LIFE_NS INT64_C(60000000000) /* RFC 8200, section 4.5: 60 s to reassemble */
#define N_INPUTS 4 /* inputs that one train's waiting fragments may come from: merged files, two span ports */
#define N_ALL_INPUTS 65536

struct train {
    struct addr src, dst;
    uint32_t    id;
    uint8_t     transport;
    bool        alive, has_ports;
    uint8_t     n_inputs;
    uint16_t    sport, dport;
    uint32_t    chain; /* next in the bucket, index + 1 */
    int64_t     begin_ns;
    /* waiting for the first fragment */
    int64_t  first_ns, last_ns;
    uint64_t n_waiting, bytes, payload;
    bool     cut;
    struct {
        uint16_t input;
        uint64_t n;
    } inputs[N_INPUTS];
};

struct fragments {
    struct train     *trains; /* ring */
    uint32_t         *buckets;
    struct flow_held *held;   /* by input */
    size_t            max, n_buckets;
    size_t            next;   /* place of the next train */
};

int fragments_new(size_t max, struct fragments **ret, struct err *reterr)
{
    struct fragments *fr = calloc(1, sizeof(*fr));

    if (fr == NULL)
        return err_set(reterr, -ENOMEM, "no memory for fragments");
    fr->max = max > 0 ? max : 1;
    if (fr->max > INT32_MAX)
        fr->max = INT32_MAX;
    for (fr->n_buckets = 16; fr->n_buckets < fr->max; fr->n_buckets *= 2)
        ;
    fr->trains = calloc(fr->max, sizeof(*fr->trains));
    fr->buckets = calloc(fr->n_buckets, sizeof(*fr->buckets));
    fr->held = calloc(N_ALL_INPUTS, sizeof(*fr->held));
    if (fr->trains == NULL || fr->buckets == NULL || fr->held == NULL) {
        fragments_free(fr);
        return err_set(reterr, -ENOMEM, "no memory for fragments");
    }
    *ret = fr;
    return 0;
}

void fragments_free(struct fragments *fr)
{
    if (fr == NULL)
        return;
    free(fr->held);
    free(fr->buckets);
    free(fr->trains);
    free(fr);
}

static uint32_t *bucket_of(const struct flow_table *t, const struct addr *src, const struct addr *dst,
                           uint8_t transport, uint32_t id)
{
    uint64_t words[5];

    memcpy(words, src->bytes, 16);
    memcpy(words + 2, dst->bytes, 16);
    words[4] = (uint64_t)id << 8 | transport;
    return &t->fragments->buckets[hash_words(&t->key, words, 5) & (t->fragments->n_buckets - 1)];
}

/* What waits becomes orphans of its inputs (or, where 'joined', part of its flow). */
static void settle(struct flow_table *t, struct train *train, bool joined)
{
    for (unsigned i = 0; i < train->n_inputs; i++) {
        struct flow_held *held = &t->fragments->held[train->inputs[i].input];

        if (joined)
            held->n_joined += train->inputs[i].n;
        else
            held->n_orphans += train->inputs[i].n;
    }
    t->stats.n_fragments_held -= train->n_waiting;
    train->n_inputs = 0;
    train->n_waiting = train->bytes = train->payload = 0;
    train->cut = false;
}

static void kill_train(struct flow_table *t, struct train *train)
{
    uint32_t  own = (uint32_t)(train - t->fragments->trains) + 1;
    uint32_t *link = bucket_of(t, &train->src, &train->dst, train->transport, train->id);

    settle(t, train, false);
    while (*link != own)
        link = &t->fragments->trains[*link - 1].chain;
    *link = train->chain;
    train->alive = false;
}

static struct train *find_train(struct flow_table *t, const struct packet *p)
{
    uint32_t at = *bucket_of(t, &p->src, &p->dst, p->transport, p->fragment_id);

    while (at != 0) {
        struct train *train = &t->fragments->trains[at - 1];

        if (train->id == p->fragment_id && train->transport == p->transport &&
            addr_compare(&train->src, &p->src) == 0 && addr_compare(&train->dst, &p->dst) == 0)
            break;
        at = train->chain;
    }
    if (at == 0)
        return NULL;

    struct train *train = &t->fragments->trains[at - 1];
    if (p->ts_ns <= train->begin_ns || (uint64_t)p->ts_ns - (uint64_t)train->begin_ns <= LIFE_NS)
        return train;
    kill_train(t, train);
    return NULL;
}

static struct train *new_train(struct flow_table *t, const struct packet *p)
{
    struct fragments *fr = t->fragments;
    struct train     *train = &fr->trains[fr->next];

    if (train->alive)
        kill_train(t, train);
    uint32_t *bucket = bucket_of(t, &p->src, &p->dst, p->transport, p->fragment_id);
    *train = (struct train){
        .src = p->src,
        .dst = p->dst,
        .id = p->fragment_id,
        .transport = p->transport,
        .alive = true,
        .chain = *bucket,
        .begin_ns = p->ts_ns,
    };
    *bucket = (uint32_t)fr->next + 1;
    fr->next = (fr->next + 1) % fr->max;
    return train;
}

static void hold(struct flow_table *t, struct train *train, const struct packet *p)
{
    unsigned i = 0;

    while (i < train->n_inputs && train->inputs[i].input != p->input)
        i++;
    if (i == N_INPUTS) { /* spread over too many inputs to keep apart */
        t->fragments->held[p->input].n_orphans++;
        return;
    }
    if (i == train->n_inputs) {
        train->inputs[i].input = p->input;
        train->inputs[i].n = 0;
        train->n_inputs++;
    }
    train->inputs[i].n++;
    if (train->n_waiting == 0)
        train->first_ns = train->last_ns = p->ts_ns;
    if (p->ts_ns < train->first_ns)
        train->first_ns = p->ts_ns;
    if (p->ts_ns > train->last_ns)
        train->last_ns = p->ts_ns;
    train->n_waiting++;
    train->bytes += p->wire_len;
    train->payload += p->payload_wire_len;
    train->cut |= (p->flags & PACKET_CUT) != 0;
    t->stats.n_fragments_held++;
}

/* Counts what waits in 'train' with the flow; false where it has no room for a detail. */
static bool count(struct flow_table *t, struct flow *f, unsigned side, const struct train *train)
{
    struct flow_detail *d = flow_detail_get(t, f);

    if (d == NULL)
        return false;
    uint64_t n = f->packets[side] + train->n_waiting;
    f->packets[side] = (uint32_t)n;
    d->packets_high[side] = (uint8_t)(d->packets_high[side] + (n >> 32));
    f->many.bytes[side] += train->bytes;
    d->payload[side] += train->payload;
    flow_note_time(d, &f->last_ns, side, train->first_ns);
    flow_note_time(d, &f->last_ns, side, train->last_ns);
    f->state |= FLOW_FRAGMENTS | FLOW_RECENT | (train->cut ? FLOW_CUT : 0);
    return true;
}

void fragments_first(struct flow_table *t, struct flow *f, unsigned side, const struct packet *p)
{
    struct train *train = find_train(t, p);

    if (train == NULL)
        train = new_train(t, p);
    train->has_ports = true;
    train->sport = p->sport;
    train->dport = p->dport;
    if (train->n_waiting > 0)
        settle(t, train, count(t, f, side, train));
}

enum flow_fragment flow_table_fragment(struct flow_table *t, const struct packet *p)
{
    if (p->transport != IPPROTO_TCP && p->transport != IPPROTO_UDP)
        return FLOW_FRAGMENT_NOT_OURS;
    t->stats.n_fragments++;

    struct train *train = find_train(t, p);
    if (train == NULL)
        train = new_train(t, p);
    if (train->has_ports) {
        struct train    now = {.first_ns = p->ts_ns, .last_ns = p->ts_ns, .n_waiting = 1, .bytes = p->wire_len,
                               .payload = p->payload_wire_len, .cut = (p->flags & PACKET_CUT) != 0};
        struct flow_key key;
        unsigned        side;

        flow_key_make(&p->src, train->sport, &p->dst, train->dport, p->transport, &key, &side);
        struct flow *f = flow_table_find(t, index_tag(flow_key_hash(&key, &t->pairs)), &key);
        if (f != NULL && !flow_is_idle(t, f, p->ts_ns) && count(t, f, side, &now))
            return FLOW_FRAGMENT_JOINED;
    }
    hold(t, train, p);
    return FLOW_FRAGMENT_HELD;
}

void fragments_give_up(struct flow_table *t)
{
    for (size_t i = 0; i < t->fragments->max; i++)
        if (t->fragments->trains[i].alive)
            kill_train(t, &t->fragments->trains[i]);
}

void flow_table_held(const struct flow_table *t, uint16_t input, struct flow_held *ret)
{
    *ret = t->fragments->held[input];
}
