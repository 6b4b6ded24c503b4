/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: an index by key over conversations in chunks.
 *
 * The bounds: every conversation has a rank, a hash of its key under a key that never changes.  Where there are too many of a class,
 * those of the lowest ranks stay and all others are summed up.  A rank that stays in the end was never among the highest before, so a
 * conversation that is kept has all of its flows, whatever the order they came in and however packets were shared out among workers.
 *
 * Beyond the bound a flow costs the rank of its key and a sum that is at hand: what a flood is made of.  Before it, ranks are asked for as
 * conversations are made, and flows find theirs by a hash that takes less.
 */
#include "conversation.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"
#include "rank.h"

_Static_assert(sizeof(struct conversation_key) == 64, "the key is compared as bytes: no hidden padding");

#define CHUNK 256       /* conversations allocated at once */
#define N_SUMS_AT_HAND 64
#define CACHE_LINE 64

/* Of the index: bits of the hash beside the position, so that a conversation that is another's neighbour is not read. */
struct slot {
    uint32_t tag;
    uint32_t at; /* index + 1; 0: empty */
};

struct conversation_table {
    struct conversation_limits limits;
    struct hash_pairs          hash;
    struct conversation      **chunks;
    size_t                     n_chunks, n_chunks_allocated, n;
    struct slot               *slots; /* power of two, at most half full */
    size_t                     n_slots;
    size_t                     n_ranked[CONVERSATION_N_CLASSES];   /* kept one by one ... */
    size_t                     most_ranked[CONVERSATION_N_CLASSES]; /* ... of which so many may be there until it is looked at which stay */
    uint64_t                   thresholds[CONVERSATION_N_CLASSES]; /* the highest ranks that are kept one by one */
    uint32_t                   sums[N_SUMS_AT_HAND]; /* index + 1 of sums used last, by some bits of their keys */
};

/* Thresholds are found for more than are kept, so that they are found seldom. */
static size_t most_ranked(const struct conversation_limits *limits, enum conversation_class class)
{
    size_t limit = conversation_limit(limits, class);

    return limit <= 10 * limits->peers_kept ? 2 * limit : limit + limit / 4;
}

int conversation_table_new(const struct conversation_limits *limits, struct conversation_table **ret, struct err *reterr)
{
    struct conversation_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the table of conversations");
    struct hash_key secret;
    int             rc = hash_key_random(&secret, reterr);
    if (rc != 0) {
        free(t);
        return rc;
    }
    hash_pairs_init(&t->hash, &secret);
    t->limits = *limits;
    for (unsigned class = 0; class < CONVERSATION_N_CLASSES; class++) {
        t->thresholds[class] = UINT64_MAX;
        t->most_ranked[class] = most_ranked(limits, class);
    }
    *ret = t;
    return 0;
}

void conversation_table_free(struct conversation_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free(conversation_at(t, i)->kept);
        free(conversation_at(t, i)->icmp);
        free(conversation_at(t, i)->windows);
    }
    for (size_t i = 0; i < t->n_chunks; i++)
        free(t->chunks[i]);
    free(t->chunks);
    free(t->slots);
    free(t);
}

size_t conversation_count(const struct conversation_table *t)
{
    return t->n;
}

struct conversation *conversation_at(const struct conversation_table *t, size_t i)
{
    return &t->chunks[i / CHUNK][i % CHUNK];
}

/* --- the index ------------------------------------------------------------------------------------- */

/* Nearly always the one that is looked for, of which most is read: all at once takes little longer than one line. */
static bool is_at(const struct conversation *c, const struct conversation_key *key)
{
    for (size_t line = CACHE_LINE; line < sizeof(*c); line += CACHE_LINE)
        __builtin_prefetch((const char *)c + line);
    return memcmp(&c->key, key, sizeof(*key)) == 0;
}

/* The slot that holds 'key', or the empty one where it belongs, with its tag. */
static struct slot *find_slot(const struct conversation_table *t, struct slot *slots, size_t n_slots, const struct conversation_key *key)
{
    uint64_t words[sizeof(*key) / 8];

    memcpy(words, key, sizeof(words));
    uint32_t hash = hash_pairs_words(&t->hash, words, sizeof(words) / 8);
    for (size_t at = hash & (n_slots - 1);; at = (at + 1) & (n_slots - 1)) {
        struct slot *slot = &slots[at];

        if (slot->at == 0)
            slot->tag = hash;
        if (slot->at == 0 || (slot->tag == hash && is_at(conversation_at(t, slot->at - 1), key)))
            return slot;
    }
}

static void index_conversation(struct conversation_table *t, struct slot *slots, size_t n_slots, size_t i)
{
    const struct conversation *c = conversation_at(t, i);

    find_slot(t, slots, n_slots, &c->key)->at = (uint32_t)i + 1;
}

static int rebuild(struct conversation_table *t, size_t n_slots)
{
    struct slot *slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < t->n; i++)
        index_conversation(t, slots, n_slots, i);
    free(t->slots);
    t->slots = slots;
    t->n_slots = n_slots;
    return 0;
}

/* Makes room for one more: at most half of the slots are used. */
static int reserve(struct conversation_table *t)
{
    if (2 * (t->n + 1) <= t->n_slots)
        return 0;
    return rebuild(t, t->n_slots == 0 ? 1024 : 2 * t->n_slots);
}

/* --- conversations ------------------------------------------------------------------------------- */

static int add_chunk(struct conversation_table *t)
{
    if (t->n_chunks == t->n_chunks_allocated) {
        size_t                n = t->n_chunks_allocated == 0 ? 64 : 2 * t->n_chunks_allocated;
        struct conversation **chunks = realloc(t->chunks, n * sizeof(struct conversation *));

        if (chunks == NULL)
            return -ENOMEM;
        t->chunks = chunks;
        t->n_chunks_allocated = n;
    }
    struct conversation *chunk = calloc(CHUNK, sizeof(*chunk));
    if (chunk == NULL)
        return -ENOMEM;
    t->chunks[t->n_chunks++] = chunk;
    return 0;
}

static struct conversation *insert(struct conversation_table *t, const struct conversation_key *key, uint64_t rank, struct slot *slot)
{
    if (t->n == t->n_chunks * CHUNK && add_chunk(t) != 0)
        return NULL;
    struct conversation *c = conversation_at(t, t->n);
    memset(c, 0, sizeof(*c));
    c->key = *key;
    c->rank = rank;
    c->last_ns = INT64_MIN;
    c->client_port_low = UINT16_MAX;
    slot->at = (uint32_t)++t->n;
    return c;
}

/* With 'rank', where it is not there yet. */
static struct conversation *find_or_insert(struct conversation_table *t, const struct conversation_key *key, uint64_t rank)
{
    if (reserve(t) != 0)
        return NULL;
    struct slot *slot = find_slot(t, t->slots, t->n_slots, key);
    return slot->at != 0 ? conversation_at(t, slot->at - 1) : insert(t, key, rank, slot);
}

void conversation_query(const struct conversation *c, struct policy_query *ret)
{
    *ret = (struct policy_query){
        .tuple = c->tuple,
        .app = *c->app,
        .direction_known = c->direction_known,
        .one_asks = c->one_asks,
        .sent = {c->sent[0], c->sent[1]},
        .group = c->group,
        .answers_group = c->answers_group,
        .media = c->media,
        .negotiated = c->negotiated,
    };
}

void conversation_turned_query(const struct conversation *c, struct policy_query *ret)
{
    const struct tuple *t = &c->tuple;

    conversation_query(c, ret);
    ret->tuple = (struct tuple){t->server, t->client, t->server_port, t->client_port, t->transport};
    ret->sent[0] = c->sent[1];
    ret->sent[1] = c->sent[0];
}

const struct flow_icmp *conversation_icmp(const struct conversation *c)
{
    static const struct flow_icmp none;

    return c->icmp != NULL ? c->icmp : &none;
}

/* --- classes and ranks ----------------------------------------------------------------------------- */

bool conversation_is_bounded(const struct conversation_key *key)
{
    return key->summed == SUM_NONE && key->verdict != VERDICT_ALLOWED && key->verdict != VERDICT_UNDOCUMENTED;
}

enum conversation_class conversation_class(const struct conversation_key *key)
{
    bool established = key->outcome == OUTCOME_ESTABLISHED;

    if (key->summed != SUM_NONE)
        return CLASS_NONE;
    if (key->verdict == VERDICT_NOT_GOVERNED)
        return CLASS_OUTSIDE;
    if (key->verdict == VERDICT_VIOLATION)
        return established ? CLASS_ESCAPED : CLASS_REJECTED;
    return established ? CLASS_PASSED : CLASS_TRIED;
}

size_t conversation_limit(const struct conversation_limits *l, enum conversation_class class)
{
    static const size_t factors[CONVERSATION_N_CLASSES] = {
        [CLASS_ESCAPED] = 100, [CLASS_REJECTED] = 10, [CLASS_OUTSIDE] = 10, [CLASS_PASSED] = 1000, [CLASS_TRIED] = 100,
    };

    return l->peers_kept * (l->survey && class == CLASS_OUTSIDE ? factors[CLASS_ESCAPED] : factors[class]);
}

static uint64_t rank_of(const struct conversation_key *key, uint64_t name_hash)
{
    static const struct hash_key always = {UINT64_C(0x666c6f7761756469), UINT64_C(0x7420636f6e766572)};
    uint64_t                     words[8];

    memcpy(words, key->client.bytes, 16);
    memcpy(words + 2, key->server.bytes, 16);
    words[4] = (uint64_t)key->row << 32 | (uint64_t)key->server_port << 16 | key->client_port;
    words[5] = (uint64_t)key->transport << 56 | (uint64_t)key->verdict << 48 | (uint64_t)key->kind << 40 | (uint64_t)key->outcome << 32 |
               (uint64_t)key->confidence << 24 | (uint64_t)key->summed << 16 | (uint64_t)key->back << 8 | key->quoted;
    words[6] = name_hash;
    words[7] = (uint64_t)key->client_host << 32 | key->server_host;
    return hash_words(&always, words, 8);
}

int conversation_thresholds(const struct conversation_limits *limits, struct conversation *const *all, size_t n,
                            uint64_t ret[static CONVERSATION_N_CLASSES])
{
    uint64_t *ranks = calloc(n + 1, sizeof(*ranks));
    size_t    counts[CONVERSATION_N_CLASSES + 1] = {0};

    assert(limits->peers_kept > 0);
    if (ranks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        counts[conversation_class(&all[i]->key)]++;
    for (unsigned class = 0; class < CONVERSATION_N_CLASSES; class++) {
        size_t limit = conversation_limit(limits, class), n_ranks = 0;

        ret[class] = UINT64_MAX;
        if (counts[class] <= limit)
            continue;
        for (size_t i = 0; i < n; i++)
            if (conversation_class(&all[i]->key) == class)
                ranks[n_ranks++] = all[i]->rank;
        ret[class] = rank_lowest(ranks, n_ranks, limit);
    }
    free(ranks);
    return 0;
}

bool conversation_exceeds(const struct conversation *c, const uint64_t thresholds[static CONVERSATION_N_CLASSES])
{
    enum conversation_class class = conversation_class(&c->key);

    return class != CLASS_NONE && c->rank > thresholds[class];
}

/* --- sums ------------------------------------------------------------------------------------------ */

/* What the key of the sum no longer tells apart. */
static void blur(struct conversation_key *key, const struct judgement *j, enum conversation_sum by)
{
    static const struct addr nobody;
    static const char        nothing[] = "";

    key->summed = (uint8_t)by;
    key->quoted = false;
    key->client_port = 0;
    key->protocol = nothing;
    if (by != SUM_CLIENTS)
        key->server_port = 0;
    if (by != SUM_PORTS)
        key->client = nobody;
    if (by != SUM_PEERS)
        return;
    /* An entry of the site may be a network: its name is one, its addresses are many. */
    key->server = nobody;
    key->client_host = j->client_host + 1;
    key->server_host = j->server_host + 1;
}

/* All but its rank. */
static void become_sum(struct conversation *c, enum conversation_sum by)
{
    blur(&c->key, &c->judgement, by);
    c->n_summed = by == SUM_PEERS ? c->flows : 1;
}

void conversation_sum_up(struct conversation *c, enum conversation_sum by)
{
    become_sum(c, by);
    c->rank = rank_of(&c->key, 0);
}

/* Puts a conversation that is a sum now to the sum that is there already; false: it is the first, and has its rank. */
static bool join_sum(struct conversation_table *t, struct conversation *c)
{
    const struct slot *slot = find_slot(t, t->slots, t->n_slots, &c->key);

    if (slot->at == 0) {
        c->rank = rank_of(&c->key, 0);
        return false;
    }
    conversation_absorb(&t->limits, conversation_at(t, slot->at - 1), c);
    return true;
}

/* Sums up all above the thresholds and closes the gaps. */
static int compact(struct conversation_table *t, struct conversation **all)
{
    size_t n_before = t->n, kept = 0;

    for (size_t i = 0; i < n_before; i++)
        all[i] = conversation_at(t, i);
    if (conversation_thresholds(&t->limits, all, n_before, t->thresholds) != 0)
        return -ENOMEM;
    memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
    memset(t->n_ranked, 0, sizeof(t->n_ranked));
    memset(t->sums, 0, sizeof(t->sums));
    for (size_t i = 0; i < n_before; i++) {
        struct conversation *c = all[i], *to = conversation_at(t, kept);

        if (conversation_exceeds(c, t->thresholds))
            become_sum(c, SUM_PEERS);
        if (c->key.summed != SUM_NONE && join_sum(t, c))
            continue;
        if (c->key.summed == SUM_NONE)
            t->n_ranked[conversation_class(&c->key)]++;
        if (to != c)
            *to = *c;
        index_conversation(t, t->slots, t->n_slots, kept++);
    }
    t->n = kept;
    return 0;
}

static int make_room(struct conversation_table *t)
{
    struct conversation **all = calloc(t->n, sizeof(struct conversation *));
    int                   rc = all == NULL ? -ENOMEM : compact(t, all);
    free(all);
    return rc;
}

/* The sum that stands for this key, found without hashing where it was used lately. */
static struct conversation *find_sum(struct conversation_table *t, struct conversation_key *key, const struct judgement *j)
{
    blur(key, j, SUM_PEERS);

    uint32_t             bits = key->row * 31 + key->client_host * 7 + key->server_host * 13 + key->kind * 5u + key->outcome * 3u + key->confidence;
    uint32_t            *at = &t->sums[(bits ^ bits >> 6) % N_SUMS_AT_HAND];
    struct conversation *c = *at != 0 ? conversation_at(t, *at - 1) : NULL;

    if (c != NULL && memcmp(&c->key, key, sizeof(*key)) == 0)
        return c;
    uint64_t rank = rank_of(key, 0);
    c = find_or_insert(t, key, rank);
    if (c != NULL)
        *at = find_slot(t, t->slots, t->n_slots, key)->at;
    return c;
}

/* One of a class that was never too many. */
static struct conversation *find_among_few(struct conversation_table *t, const struct conversation_key *key, uint64_t name_hash, enum conversation_class class)
{
    if (reserve(t) != 0)
        return NULL;
    struct slot *slot = find_slot(t, t->slots, t->n_slots, key);
    if (slot->at != 0)
        return conversation_at(t, slot->at - 1);
    struct conversation *c = insert(t, key, rank_of(key, name_hash), slot);
    t->n_ranked[class] += c != NULL;
    return c;
}

/* The conversation of this key, or of the sum that stands for it. */
static struct conversation *find(struct conversation_table *t, struct conversation_key *key, uint64_t name_hash, const struct judgement *j)
{
    enum conversation_class class = conversation_class(key);
    bool                    is_full = t->n_ranked[class] > t->most_ranked[class];

    if (!is_full && t->thresholds[class] == UINT64_MAX)
        return find_among_few(t, key, name_hash, class);
    uint64_t rank = rank_of(key, name_hash);
    if (is_full && rank <= t->thresholds[class] && make_room(t) != 0)
        return NULL;
    if (rank > t->thresholds[class])
        return find_sum(t, key, j);
    size_t               n = t->n;
    struct conversation *c = find_or_insert(t, key, rank);
    t->n_ranked[class] += t->n > n;
    return c;
}

/* --- folding --------------------------------------------------------------------------------------- */

/* The client's port belongs to the key where it decided the verdict, or where only the server's side spoke, or nobody. */
static bool client_port_matters(const struct flow_record *r, const struct judgement *j)
{
    return flow_is_quoted(r) || (r->tuple.transport == IPPROTO_UDP && (j->back || r->packets[0] == 0));
}

static void make_key(const struct flow_record *r, const struct app_entry *app, const struct judgement *j, enum outcome outcome,
                     struct conversation_key *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->client = r->tuple.client;
    ret->server = r->tuple.server;
    ret->server_port = r->tuple.server_port;
    ret->client_port = client_port_matters(r, j) ? r->tuple.client_port : 0;
    ret->transport = r->tuple.transport;
    ret->protocol = app->name;
    ret->row = j->row;
    ret->verdict = (uint8_t)j->verdict;
    ret->kind = (uint8_t)j->kind;
    ret->outcome = (uint8_t)outcome;
    ret->confidence = (uint8_t)j->confidence;
    ret->back = j->back;
    ret->quoted = flow_is_quoted(r);
}

int conversation_fold(struct conversation_table *t, const struct flow_record *r, const struct policy_query *q, const struct app_entry *app,
                      const struct judgement *j, enum outcome outcome, bool is_reply)
{
    struct conversation_key key;

    make_key(r, app, j, outcome, &key);
    struct conversation *c = find(t, &key, app->name_hash, j);
    if (c == NULL)
        return -ENOMEM;
    return conversation_add(&t->limits, c, r, &(struct conversation_flow){q, app, j, outcome, is_reply, key.summed != SUM_NONE});
}

/* --- tables ------------------------------------------------------------------------------------------ */

static void own_nothing(struct conversation *c)
{
    c->kept = NULL;
    c->icmp = NULL;
    c->windows = NULL;
    c->n_kept = c->n_kept_allocated = 0;
}

/* 'c' goes to where its key stands, or takes the place. */
static int take(struct conversation_table *t, struct conversation *c)
{
    enum conversation_class class = conversation_class(&c->key);

    if (class != CLASS_NONE && c->rank <= t->thresholds[class] && t->n_ranked[class] > t->most_ranked[class] && make_room(t) != 0)
        return -ENOMEM;
    if (class != CLASS_NONE && c->rank > t->thresholds[class]) {
        conversation_sum_up(c, SUM_PEERS);
        class = CLASS_NONE;
    }
    size_t               n = t->n;
    struct conversation *to = find_or_insert(t, &c->key, c->rank);
    if (to == NULL)
        return -ENOMEM;
    if (t->n == n)
        return conversation_absorb(&t->limits, to, c);
    if (class != CLASS_NONE)
        t->n_ranked[class]++;
    *to = *c;
    own_nothing(c);
    return 0;
}

int conversation_table_take(struct conversation_table *t, struct conversation_table *from)
{
    int rc = 0;

    for (size_t i = 0; i < from->n; i++)
        if (take(t, conversation_at(from, i)) != 0)
            rc = -ENOMEM;
    for (size_t i = 0; rc != 0 && i < from->n; i++) { /* what could not be taken */
        struct conversation *c = conversation_at(from, i);

        free(c->kept);
        free(c->icmp);
        free(c->windows);
    }
    from->n = 0;
    return rc;
}

static void *copy_of(const void *from, size_t size)
{
    void *p = from != NULL ? malloc(size) : NULL;

    return p != NULL ? memcpy(p, from, size) : NULL;
}

static int copy(struct conversation_table *t, const struct conversation *from)
{
    struct conversation *to = find_or_insert(t, &from->key, from->rank);

    if (to == NULL)
        return -ENOMEM;
    *to = *from;
    own_nothing(to);
    to->icmp = copy_of(from->icmp, sizeof(*from->icmp));
    to->kept = from->n_kept > 0 ? copy_of(from->kept, from->n_kept * sizeof(*from->kept)) : NULL;
    to->windows = from->windows != NULL
                      ? copy_of(from->windows, sizeof(*from->windows) + from->windows->n_allocated * sizeof(from->windows->items[0]))
                      : NULL;
    if ((from->icmp != NULL && to->icmp == NULL) || (from->n_kept > 0 && to->kept == NULL) || (from->windows != NULL && to->windows == NULL))
        return -ENOMEM;
    to->n_kept = to->n_kept_allocated = from->n_kept;
    return 0;
}

int conversation_table_copy(const struct conversation_table *from, struct conversation_table **ret, struct err *reterr)
{
    struct conversation_table *t;
    int                        rc = conversation_table_new(&from->limits, &t, reterr);

    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < from->n; i++)
        rc = copy(t, &from->chunks[i / CHUNK][i % CHUNK]);
    if (rc != 0) {
        conversation_table_free(t);
        return err_set(reterr, rc, "no memory to evaluate %zu conversations", from->n);
    }
    *ret = t;
    return 0;
}
