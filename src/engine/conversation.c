/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: an index by key over conversations in chunks.
 *
 * The bound: every conversation that packets can multiply has a rank, a hash of its key under a key that never changes.  Where there are
 * too many, those of the lowest ranks stay and all others are summed up.  A rank that stays in the end was never among
 * the highest before, so a conversation that is kept has all of its flows, whatever the order they came in and however
 * packets were shared out among workers.
 */
#include "conversation.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"

_Static_assert(sizeof(struct conversation_key) == 88, "the key is hashed as bytes: no hidden padding");

#define CHUNK 256 /* conversations allocated at once */

struct conversation_table {
    struct conversation_limits limits;
    struct hash_key            hash_key;
    struct conversation      **chunks;
    size_t                     n_chunks, n_chunks_allocated, n;
    uint32_t                  *slots; /* index + 1; power of two, at most half full */
    size_t                     n_slots;
    size_t                     n_ranked; /* kept one by one, of those that are bounded */
    uint64_t                   threshold; /* the highest rank that is kept one by one */
};

int conversation_table_new(const struct conversation_limits *limits, struct conversation_table **ret, struct err *reterr)
{
    struct conversation_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the table of conversations");
    t->limits = *limits;
    t->threshold = UINT64_MAX;
    int rc = hash_key_random(&t->hash_key, reterr);
    if (rc != 0) {
        free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void conversation_table_free(struct conversation_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(conversation_at(t, i)->kept);
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

struct conversation *conversation_at(struct conversation_table *t, size_t i)
{
    return &t->chunks[i / CHUNK][i % CHUNK];
}

/* --- the index: slots of (position + 1), keyed by bytes --------------------------------------------- */

/* The slot that holds 'key', or the empty one where it belongs. */
static uint32_t *find_slot(struct conversation_table *t, uint32_t *slots, size_t n_slots, const struct conversation_key *key)
{
    for (size_t at = hash_bytes(&t->hash_key, key, sizeof(*key)) & (n_slots - 1);; at = (at + 1) & (n_slots - 1))
        if (slots[at] == 0 || memcmp(&conversation_at(t, slots[at] - 1)->key, key, sizeof(*key)) == 0)
            return &slots[at];
}

static int rebuild(struct conversation_table *t, size_t n_slots)
{
    uint32_t *slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < t->n; i++)
        *find_slot(t, slots, n_slots, &conversation_at(t, i)->key) = (uint32_t)i + 1;
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

static struct conversation *lookup(struct conversation_table *t, const struct conversation_key *key, uint32_t **ret_slot)
{
    if (reserve(t) != 0)
        return NULL;
    *ret_slot = find_slot(t, t->slots, t->n_slots, key);
    return **ret_slot != 0 ? conversation_at(t, **ret_slot - 1) : NULL;
}

static struct conversation *insert(struct conversation_table *t, const struct conversation_key *key, uint32_t *slot)
{
    if (t->n == t->n_chunks * CHUNK && add_chunk(t) != 0)
        return NULL;
    struct conversation *c = conversation_at(t, t->n);
    memset(c, 0, sizeof(*c));
    c->key = *key;
    *slot = (uint32_t)++t->n;
    return c;
}

/* --- sums ------------------------------------------------------------------------------------------ */

bool conversation_is_bounded(const struct conversation_key *key)
{
    return key->summed == SUM_NONE && key->verdict != VERDICT_ALLOWED && key->verdict != VERDICT_UNDOCUMENTED;
}

static uint64_t rank_of(const struct conversation_key *key)
{
    static const struct hash_key always = {UINT64_C(0x666c6f7761756469), UINT64_C(0x7420636f6e766572)};

    return hash_bytes(&always, key, sizeof(*key));
}

/* What the key of the sum no longer tells apart. */
static void blur(struct conversation_key *key, const struct judgement *j, enum conversation_sum by)
{
    static const struct addr nobody;

    key->summed = (uint8_t)by;
    key->client_port = 0;
    memset(key->protocol, 0, sizeof(key->protocol));
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

void conversation_sum_up(struct conversation *c, enum conversation_sum by)
{
    blur(&c->key, &c->judgement, by);
    c->n_summed = by == SUM_PEERS ? c->flows : 1;
}

static int compare_ranks(const void *pa, const void *pb)
{
    const uint64_t *a = pa, *b = pb;

    return *a < *b ? -1 : *a > *b;
}

int conversation_threshold(struct conversation *const *all, size_t n, size_t limit, uint64_t *ret)
{
    uint64_t *ranks = calloc(n + 1, sizeof(*ranks));
    size_t    n_ranks = 0;

    assert(limit > 0);
    if (ranks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (conversation_is_bounded(&all[i]->key))
            ranks[n_ranks++] = all[i]->rank;
    if (n_ranks > limit) {
        qsort(ranks, n_ranks, sizeof(*ranks), compare_ranks);
        *ret = ranks[limit - 1];
    }
    free(ranks);
    return 0;
}

/* Puts a conversation that is a sum now to the sum that is there already; false: it is the first. */
static bool join_sum(struct conversation_table *t, struct conversation *c)
{
    const uint32_t *slot = find_slot(t, t->slots, t->n_slots, &c->key);

    if (*slot == 0)
        return false;
    conversation_absorb(&t->limits, conversation_at(t, *slot - 1), c);
    return true;
}

/* Sums up all above the threshold and closes the gaps. */
static int compact(struct conversation_table *t, struct conversation **all)
{
    size_t n_before = t->n, kept = 0;

    for (size_t i = 0; i < n_before; i++)
        all[i] = conversation_at(t, i);
    if (conversation_threshold(all, n_before, conversation_limit(&t->limits), &t->threshold) != 0)
        return -ENOMEM;
    memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
    t->n_ranked = 0;
    for (size_t i = 0; i < n_before; i++) {
        struct conversation *c = all[i], *to = conversation_at(t, kept);

        if (conversation_is_bounded(&c->key) && c->rank > t->threshold)
            conversation_sum_up(c, SUM_PEERS);
        t->n_ranked += conversation_is_bounded(&c->key);
        if (c->key.summed != SUM_NONE && join_sum(t, c))
            continue;
        if (to != c)
            *to = *c;
        *find_slot(t, t->slots, t->n_slots, &to->key) = (uint32_t)++kept;
    }
    t->n = kept;
    return 0;
}

/* The threshold is found for a quarter more than are kept, so that it is found seldom. */
static int enforce_limit(struct conversation_table *t)
{
    size_t limit = conversation_limit(&t->limits);

    if (t->n_ranked <= limit + limit / 4)
        return 0;
    struct conversation **all = calloc(t->n, sizeof(struct conversation *));
    int                   rc = all == NULL ? -ENOMEM : compact(t, all);
    free(all);
    return rc;
}

/* The conversation of this key, or of the sum that stands for it. */
static struct conversation *find(struct conversation_table *t, struct conversation_key *key, const struct judgement *j, bool *ret_is_new)
{
    uint32_t            *slot = NULL;
    bool                 is_bounded = conversation_is_bounded(key);
    uint64_t             rank = is_bounded ? rank_of(key) : 0;

    if (rank > t->threshold)
        blur(key, j, SUM_PEERS);
    else if (is_bounded && enforce_limit(t) != 0)
        return NULL;
    else if (rank > t->threshold)
        blur(key, j, SUM_PEERS);
    struct conversation *c = lookup(t, key, &slot);
    *ret_is_new = c == NULL;
    if (c != NULL || slot == NULL)
        return c;
    c = insert(t, key, slot);
    if (c != NULL)
        c->rank = rank;
    if (c != NULL && key->summed == SUM_NONE)
        t->n_ranked += is_bounded;
    return c;
}

/* --- folding --------------------------------------------------------------------------------------- */

/* The client's port belongs to the key where it decided the verdict, or where only the server's side spoke. */
static bool client_port_matters(const struct flow_record *r, const struct judgement *j)
{
    return r->tuple.transport == IPPROTO_UDP && (j->back || r->packets[0] == 0);
}

static struct conversation_key make_key(const struct flow_record *r, const struct judgement *j, enum outcome outcome)
{
    struct conversation_key key;

    memset(&key, 0, sizeof(key));
    key.client = r->tuple.client;
    key.server = r->tuple.server;
    key.server_port = r->tuple.server_port;
    key.client_port = client_port_matters(r, j) ? r->tuple.client_port : 0;
    key.transport = r->tuple.transport;
    memcpy(key.protocol, r->app.name, strnlen(r->app.name, sizeof(key.protocol) - 1));
    key.row = j->row;
    key.verdict = (uint8_t)j->verdict;
    key.kind = (uint8_t)j->kind;
    key.outcome = (uint8_t)outcome;
    key.confidence = (uint8_t)j->confidence;
    key.back = j->back;
    return key;
}

static int compare_start(const struct flow_record *a, const struct flow_record *b)
{
    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    if (a->input != b->input)
        return a->input < b->input ? -1 : 1;
    return a->first_packet < b->first_packet ? -1 : a->first_packet > b->first_packet;
}

/* Keeps the flow as evidence: all of them, or the earliest few. */
static int keep(const struct conversation_limits *limits, struct conversation *c, const struct flow_record *r)
{
    size_t limit = limits->flows_all ? SIZE_MAX : c->key.verdict == VERDICT_VIOLATION ? limits->flows_kept : 0;

    if (c->n_kept >= limit) {
        size_t latest = 0;

        for (size_t i = 1; i < c->n_kept; i++)
            latest = compare_start(&c->kept[i], &c->kept[latest]) > 0 ? i : latest;
        if (c->n_kept > 0 && compare_start(r, &c->kept[latest]) < 0)
            c->kept[latest] = *r;
        return 0;
    }
    if (c->n_kept == c->n_kept_allocated) {
        size_t              n = c->n_kept_allocated == 0 ? 1 : 2 * c->n_kept_allocated;
        struct flow_record *kept = realloc(c->kept, n * sizeof(*kept));

        if (kept == NULL)
            return -ENOMEM;
        c->kept = kept;
        c->n_kept_allocated = n;
    }
    c->kept[c->n_kept++] = *r;
    return 0;
}

/* What is said of the conversation is said of its earliest flow. */
static void describe(struct conversation *c, const struct flow_record *r, const struct policy_query *q, const struct judgement *j, bool is_reply)
{
    bool sent[2] = {c->query.sent[0], c->query.sent[1]};

    c->first_ns = r->first_ns;
    c->first_input = r->input;
    c->first_packet = r->first_packet;
    c->query = *q;
    c->query.sent[0] |= sent[0];
    c->query.sent[1] |= sent[1];
    c->judgement = *j;
    c->basis = r->direction;
    c->is_reply = is_reply;
    c->app = r->app;
    c->vlan = r->vlan[0] != 0 ? r->vlan[0] : r->vlan[1];
}

static void add_counts(struct conversation *c, const struct flow_record *r)
{
    c->flows++;
    for (unsigned i = 0; i < 2; i++) {
        c->packets[i] += r->packets[i];
        c->bytes[i] += r->bytes[i];
        c->payload += r->payload[i];
        c->unseen_bytes += r->unseen_bytes[i];
        c->query.sent[i] |= r->packets[i] > 0;
    }
    c->duplicates += r->duplicates;
    c->encap |= r->encap;
    c->cut |= r->cut;
    if (r->tuple.client_port < c->client_port_low)
        c->client_port_low = r->tuple.client_port;
    if (r->tuple.client_port > c->client_port_high)
        c->client_port_high = r->tuple.client_port;
    if (r->last_ns > c->last_ns)
        c->last_ns = r->last_ns;
}

static bool starts_before(const struct flow_record *r, const struct conversation *c)
{
    if (r->first_ns != c->first_ns)
        return r->first_ns < c->first_ns;
    return r->input < c->first_input || (r->input == c->first_input && r->first_packet < c->first_packet);
}

static bool icmp_before(const struct flow_icmp *a, const struct flow_icmp *b)
{
    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns;
    return a->input < b->input || (a->input == b->input && a->packet_number < b->packet_number);
}

static void add_icmp(struct conversation *c, const struct flow_icmp *icmp)
{
    if (icmp->n_errors == 0)
        return;
    uint64_t n = c->icmp.n_errors + icmp->n_errors;
    bool prohibits = policy_icmp_prohibits(icmp), kept_prohibits = c->icmp.n_errors > 0 && policy_icmp_prohibits(&c->icmp);
    if (c->icmp.n_errors == 0 || (prohibits == kept_prohibits ? icmp_before(icmp, &c->icmp) : prohibits))
        c->icmp = *icmp;
    c->icmp.n_errors = n;
}

/*
 * TTLs of one side.  A RST at one end of the flow's range, apart from all else that this side sent, may be another's; where packets
 * were seen twice around a router, only another initial value tells.
 */
static void add_ttls(struct conversation *c, const struct flow_record *r, enum outcome outcome, unsigned side)
{
    uint8_t low = r->ttl_min[side], high = r->ttl_max[side];
    bool    reset = r->rst_ttl != 0 && r->rst_from_server_side == (side == 1);
    bool    apart = reset && low != high && (r->rst_ttl == low || r->rst_ttl == high) &&
                 (r->duplicates == 0 || ttl_initial(low) != ttl_initial(high));

    if (r->packets[side] == 0)
        return;
    if (apart) {
        ttl_range_add(&c->rst[side], r->rst_ttl);
        ttl_range_add(&c->ttl[side], r->rst_ttl == low ? high : low);
    } else if (reset && side == 1 && outcome == OUTCOME_REFUSED) {
        ttl_range_add(&c->rst[side], r->rst_ttl);
    } else if (outcome == OUTCOME_ESTABLISHED) {
        ttl_range_add(&c->ttl[side], low);
        ttl_range_add(&c->ttl[side], high);
    }
}

int conversation_fold(struct conversation_table *t, const struct flow_record *r, const struct policy_query *q, const struct judgement *j,
                      enum outcome outcome, bool is_reply)
{
    struct conversation_key key = make_key(r, j, outcome);
    bool                    is_new;
    struct conversation    *c = find(t, &key, j, &is_new);

    if (c == NULL)
        return -ENOMEM;
    if (is_new) {
        c->last_ns = INT64_MIN;
        c->client_port_low = UINT16_MAX;
    }
    if (is_new || starts_before(r, c))
        describe(c, r, q, j, is_reply);
    add_counts(c, r);
    add_icmp(c, &r->icmp);
    add_ttls(c, r, outcome, 0);
    add_ttls(c, r, outcome, 1);
    c->n_summed += key.summed != SUM_NONE;
    return keep(&t->limits, c, r);
}

static void take_description(struct conversation *a, const struct conversation *b)
{
    bool sent[2] = {a->query.sent[0], a->query.sent[1]};

    a->first_ns = b->first_ns;
    a->first_input = b->first_input;
    a->first_packet = b->first_packet;
    a->query = b->query;
    a->query.sent[0] |= sent[0];
    a->query.sent[1] |= sent[1];
    a->judgement = b->judgement;
    a->basis = b->basis;
    a->is_reply = b->is_reply;
    a->app = b->app;
    a->vlan = b->vlan;
    a->parent = b->parent;
    a->bind = b->bind;
    a->no_parent = b->no_parent;
}

static bool begins_before(const struct conversation *a, const struct conversation *b)
{
    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns;
    return a->first_input < b->first_input || (a->first_input == b->first_input && a->first_packet < b->first_packet);
}

int conversation_absorb(const struct conversation_limits *limits, struct conversation *a, struct conversation *b)
{
    int rc = 0;

    if (begins_before(b, a))
        take_description(a, b);
    a->last_ns = b->last_ns > a->last_ns ? b->last_ns : a->last_ns;
    a->flows += b->flows;
    a->n_summed += b->n_summed;
    a->payload += b->payload;
    a->duplicates += b->duplicates;
    a->unseen_bytes += b->unseen_bytes;
    a->encap |= b->encap;
    a->cut |= b->cut;
    a->one_sided &= b->one_sided;
    if (a->own.min == 0)
        a->own = b->own;
    for (unsigned i = 0; i < 2; i++) {
        ttl_range_join(&a->ttl[i], &b->ttl[i]);
        ttl_range_join(&a->rst[i], &b->rst[i]);
        a->packets[i] += b->packets[i];
        a->bytes[i] += b->bytes[i];
        a->query.sent[i] |= b->query.sent[i];
    }
    a->client_port_low = b->client_port_low < a->client_port_low ? b->client_port_low : a->client_port_low;
    a->client_port_high = b->client_port_high > a->client_port_high ? b->client_port_high : a->client_port_high;
    add_icmp(a, &b->icmp);
    for (size_t i = 0; rc == 0 && i < b->n_kept; i++)
        rc = keep(limits, a, &b->kept[i]);
    free(b->kept);
    b->kept = NULL;
    b->n_kept = b->n_kept_allocated = 0;
    return rc;
}
