/* SPDX-License-Identifier: Apache-2.0 */
#include "written.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"

struct written {
    struct hash_key      keys[2];
    struct written_entry *slots; /* open addressing; power of two, at most half full */
    size_t               n, n_slots;
    uint64_t             next_id[WRITTEN_N_KINDS];
};

int written_new(struct written **ret, struct err *reterr)
{
    struct written *l = calloc(1, sizeof(*l));
    int            rc = l == NULL ? err_set(reterr, -ENOMEM, "no memory for the list of what is recorded") : hash_key_random(&l->keys[0], reterr);

    if (rc == 0)
        rc = hash_key_random(&l->keys[1], reterr);
    if (rc == 0 && (l->slots = calloc(l->n_slots = 1024, sizeof(*l->slots))) == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for the list of what is recorded");
    if (rc != 0) {
        written_free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

void written_free(struct written *l)
{
    if (l == NULL)
        return;
    free(l->slots);
    free(l);
}

uint64_t written_hash(const struct written *l, const void *bytes, size_t size)
{
    return hash_bytes(&l->keys[0], bytes, size);
}

static struct written_entry *slot_of(struct written_entry *slots, size_t n_slots, const uint64_t key[static 2])
{
    for (size_t at = key[0] & (n_slots - 1);; at = (at + 1) & (n_slots - 1))
        if (slots[at].id == 0 || (slots[at].key[0] == key[0] && slots[at].key[1] == key[1]))
            return &slots[at];
}

static int rebuild(struct written *l, size_t n_slots)
{
    struct written_entry *slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_slots; i++)
        if (l->slots[i].id != 0)
            *slot_of(slots, n_slots, l->slots[i].key) = l->slots[i];
    free(l->slots);
    l->slots = slots;
    l->n_slots = n_slots;
    return 0;
}

static void make_key(const struct written *l, enum written_kind kind, const void *identity, size_t size, uint64_t ret[static 2])
{
    ret[0] = hash_bytes(&l->keys[0], identity, size) + kind;
    ret[1] = hash_bytes(&l->keys[1], identity, size);
}

struct written_entry *written_known(struct written *l, enum written_kind kind, const void *identity, size_t size)
{
    uint64_t key[2];

    make_key(l, kind, identity, size, key);
    struct written_entry *e = slot_of(l->slots, l->n_slots, key);
    return e->id != 0 ? e : NULL;
}

struct written_entry *written_follow(struct written *l, enum written_kind kind, const void *identity, size_t size, const uint64_t key[static 2], uint32_t pass)
{
    struct written_entry *before = slot_of(l->slots, l->n_slots, key), *known = written_known(l, kind, identity, size);
    uint64_t              next = l->next_id[kind];

    if (known != NULL) /* it has a row and a number of its own: the other's row goes */
        return known;
    if (before->id == 0 || before->pass == pass)
        return written_find(l, kind, identity, size);
    struct written_entry *e = written_find(l, kind, identity, size);
    before = slot_of(l->slots, l->n_slots, key); /* the table may have been made anew */
    if (e == NULL || e == before)
        return e;
    l->next_id[kind] = next;
    e->id = before->id;
    e->is_new = before->is_new;
    e->written = 0; /* so that it is written at once */
    before->is_new = true; /* its row is the other's now: nothing is taken out of the record when it is forgotten */
    return e;
}

struct written_entry *written_find(struct written *l, enum written_kind kind, const void *identity, size_t size)
{
    uint64_t key[2];

    make_key(l, kind, identity, size, key);
    if (2 * (l->n + 1) > l->n_slots && rebuild(l, 2 * l->n_slots) != 0)
        return NULL;
    struct written_entry *e = slot_of(l->slots, l->n_slots, key);
    if (e->id == 0) {
        *e = (struct written_entry){.key = {key[0], key[1]}, .id = ++l->next_id[kind], .kind = (uint8_t)kind, .is_new = true};
        l->n++;
    }
    return e;
}

int written_sweep(struct written *l, uint32_t pass, written_fn *fn, void *aux)
{
    size_t n_gone = 0;
    int    rc = 0;

    for (size_t i = 0; rc == 0 && i < l->n_slots; i++) {
        struct written_entry *e = &l->slots[i];

        if (e->id == 0 || e->pass == pass)
            continue;
        rc = fn(aux, e);
        if (rc == 0) {
            e->pass = 0;
            n_gone++;
        }
    }
    if (n_gone == 0 || rc != 0)
        return rc;
    /* What went leaves no gap in a chain of probes: the table is built anew without it. */
    for (size_t i = 0; i < l->n_slots; i++)
        if (l->slots[i].id != 0 && l->slots[i].pass == 0)
            l->slots[i].id = 0;
    l->n -= n_gone;
    return rebuild(l, l->n_slots);
}

void written_distrust(struct written *l)
{
    for (size_t i = 0; i < l->n_slots; i++) {
        l->slots[i].is_new = true;
        l->slots[i].content = 0;
    }
}
