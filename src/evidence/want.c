/* SPDX-License-Identifier: Apache-2.0 */
#include "want.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wants_new(struct wants *w, struct err *reterr)
{
    *w = (struct wants){.n_slots = 1024};
    w->slots = calloc(w->n_slots, sizeof(*w->slots));
    if (w->slots == NULL)
        return err_set(reterr, -ENOMEM, "no memory for what is to be kept");
    return hash_key_random(&w->hash_key, reterr);
}

void wants_clear(struct wants *w)
{
    free(w->slots);
    w->slots = NULL;
}

void wants_forget(struct wants *w)
{
    memset(w->slots, 0, w->n_slots * sizeof(*w->slots));
    w->n = 0;
    w->any_clients = w->any_ports = false;
}

static struct want_entry *slot_of(const struct wants *w, struct want_entry *slots, size_t n_slots, const struct want_key *key)
{
    for (size_t at = hash_bytes(&w->hash_key, key, sizeof(*key)) & (n_slots - 1);; at = (at + 1) & (n_slots - 1))
        if (!slots[at].used || memcmp(&slots[at].key, key, sizeof(*key)) == 0)
            return &slots[at];
}

static bool grow(struct wants *w)
{
    size_t             n = 2 * w->n_slots;
    struct want_entry *slots = w->n < MOST_WANTS ? calloc(n, sizeof(*slots)) : NULL;

    if (slots == NULL)
        return false;
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->slots[i].used)
            *slot_of(w, slots, n, &w->slots[i].key) = w->slots[i];
    free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    return true;
}

static struct want_entry *add(struct wants *w, const struct want_key *key)
{
    struct want_entry *e = slot_of(w, w->slots, w->n_slots, key);

    if (e->used)
        return e;
    if (2 * (w->n + 1) > w->n_slots && !grow(w)) {
        w->n_refused++;
        return NULL;
    }
    e = slot_of(w, w->slots, w->n_slots, key);
    *e = (struct want_entry){.key = *key, .used = true, .from_ns = INT64_MAX, .to_ns = INT64_MIN};
    w->n++;
    return e;
}

static void make_pair(struct want_key *ret, const struct addr *a, const struct addr *b)
{
    bool swap = addr_compare(a, b) > 0;

    memset(ret, 0, sizeof(*ret));
    ret->client = swap ? *b : *a;
    ret->server = swap ? *a : *b;
    ret->pair = 1;
}

static bool is_any(const struct addr *a)
{
    static const struct addr any;

    return memcmp(a, &any, sizeof(any)) == 0;
}

void wants_add(struct wants *w, const struct keeper_want *k)
{
    struct want_key    key;
    struct want_entry *e;
    bool               all = k->transport == 0 && k->server_port == 0;

    memset(&key, 0, sizeof(key));
    key.client = k->client;
    key.server = k->server;
    key.server_port = k->server_port;
    key.transport = k->transport;
    if (!all)
        add(w, &key);
    w->any_clients |= is_any(&k->client);
    w->any_ports |= k->server_port == 0 && !all;
    if (is_any(&k->client) || (k->first_ns == 0 && !all))
        return;
    make_pair(&key, &k->client, &k->server);
    e = add(w, &key);
    if (e == NULL)
        return;
    e->all |= all;
    if (k->first_ns != 0) {
        e->from_ns = k->first_ns - KEEPER_BEFORE_NS < e->from_ns ? k->first_ns - KEEPER_BEFORE_NS : e->from_ns;
        e->to_ns = k->first_ns > e->to_ns ? k->first_ns : e->to_ns;
    }
}

static struct want_entry *find(struct wants *w, const struct addr *client, const struct addr *server, uint16_t port, uint8_t transport)
{
    struct want_key key;

    memset(&key, 0, sizeof(key));
    if (client != NULL)
        key.client = *client;
    key.server = *server;
    key.server_port = port;
    key.transport = transport;
    struct want_entry *e = slot_of(w, w->slots, w->n_slots, &key);
    return e->used ? e : NULL;
}

struct want_entry *wants_of(struct wants *w, const struct kept *k)
{
    struct want_key    key;
    struct want_entry *e = NULL;

    for (unsigned to = 0; e == NULL && to < 2 && (k->flags & KEPT_FRAGMENT) == 0; to++) {
        e = find(w, &k->addr[!to], &k->addr[to], k->port[to], k->transport);
        if (e == NULL && w->any_clients)
            e = find(w, NULL, &k->addr[to], k->port[to], k->transport);
        if (e == NULL && w->any_ports)
            e = find(w, &k->addr[!to], &k->addr[to], 0, k->transport);
    }
    if (e != NULL)
        return e;
    make_pair(&key, &k->addr[0], &k->addr[1]);
    e = slot_of(w, w->slots, w->n_slots, &key);
    bool wanted = e->used && (e->all || (k->flags & KEPT_FRAGMENT) != 0 || (k->ts_ns >= e->from_ns && k->ts_ns <= e->to_ns));
    return wanted ? e : NULL;
}
