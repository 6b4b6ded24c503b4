/* SPDX-License-Identifier: Apache-2.0 */
#include "conversation.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"

_Static_assert(sizeof(struct conversation_key) == 80, "the key is hashed as bytes: no hidden padding");

#define PEERS_FACTOR 100 /* all conversations that are not allowed, in units of 'peers_kept' */
#define CHUNK 256 /* conversations allocated at once: their addresses never change */

/* How many distinct keys share a part of the key: bounds what packets can make us remember. */
struct fan {
    struct addr a, b;
    uint16_t    port;
    uint8_t     transport, by; /* enum conversation_sum */
    uint32_t    n;
};

struct conversation_table {
    struct conversation_limits limits;
    struct hash_key            hash_key;
    struct conversation      **chunks;
    size_t                     n_chunks, n_chunks_allocated, n;
    uint32_t                  *slots; /* index + 1; power of two, at most half full */
    size_t                     n_slots;
    struct fan                *fans;
    uint32_t                  *fan_slots;
    size_t                     n_fans, n_fans_allocated, n_fan_slots;
};

int conversation_table_new(const struct conversation_limits *limits, struct conversation_table **ret, struct err *reterr)
{
    struct conversation_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the table of conversations");
    t->limits = *limits;
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
    free(t->fans);
    free(t->fan_slots);
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

/* --- a small index: slots of (position + 1) over an array, keyed by bytes ------------------------ */

typedef const void *item_key_fn(struct conversation_table *, size_t i, size_t *ret_size);

static const void *conversation_key_of(struct conversation_table *t, size_t i, size_t *ret_size)
{
    *ret_size = sizeof(struct conversation_key);
    return &conversation_at(t, i)->key;
}

static const void *fan_key_of(struct conversation_table *t, size_t i, size_t *ret_size)
{
    *ret_size = offsetof(struct fan, n);
    return &t->fans[i];
}

/* The slot that holds 'key', or the empty one where it belongs. */
static uint32_t *find_slot(struct conversation_table *t, uint32_t *slots, size_t n_slots, item_key_fn *key_of, const void *key, size_t size)
{
    for (size_t at = hash_bytes(&t->hash_key, key, size) & (n_slots - 1);; at = (at + 1) & (n_slots - 1)) {
        if (slots[at] == 0)
            return &slots[at];
        size_t      other_size;
        const void *other = key_of(t, slots[at] - 1, &other_size);
        if (memcmp(other, key, size) == 0)
            return &slots[at];
    }
}

/* Makes room for one more item: at most half of the slots are used. */
static int reserve(struct conversation_table *t, uint32_t **slots, size_t *n_slots, size_t n_items, item_key_fn *key_of)
{
    if (2 * (n_items + 1) <= *n_slots)
        return 0;
    size_t    n = *n_slots == 0 ? 1024 : 2 * *n_slots;
    uint32_t *bigger = calloc(n, sizeof(*bigger));
    if (bigger == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n_items; i++) {
        size_t      size;
        const void *key = key_of(t, i, &size);
        *find_slot(t, bigger, n, key_of, key, size) = (uint32_t)i + 1;
    }
    free(*slots);
    *slots = bigger;
    *n_slots = n;
    return 0;
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

/* Counts another distinct key under this part of it, while it is within the bound. */
static int count_fan(struct conversation_table *t, const struct fan *key, size_t limit, bool *ret_within)
{
    if (reserve(t, &t->fan_slots, &t->n_fan_slots, t->n_fans, fan_key_of) != 0)
        return -ENOMEM;
    uint32_t *slot = find_slot(t, t->fan_slots, t->n_fan_slots, fan_key_of, key, offsetof(struct fan, n));
    if (*slot == 0) {
        if (t->n_fans == t->n_fans_allocated) {
            size_t      n = t->n_fans_allocated == 0 ? 1024 : 2 * t->n_fans_allocated;
            struct fan *fans = realloc(t->fans, n * sizeof(*fans));

            if (fans == NULL)
                return -ENOMEM;
            t->fans = fans;
            t->n_fans_allocated = n;
        }
        t->fans[t->n_fans] = *key;
        t->fans[t->n_fans].n = 0;
        *slot = (uint32_t)++t->n_fans;
    }
    struct fan *f = &t->fans[*slot - 1];
    *ret_within = f->n < limit;
    if (*ret_within)
        f->n++;
    return 0;
}

static struct fan fan_of(const struct conversation_key *key, enum conversation_sum by)
{
    struct fan f;

    memset(&f, 0, sizeof(f));
    f.transport = key->transport;
    f.by = (uint8_t)by;
    if (by == SUM_PORTS)
        f.a = key->client;
    if (by == SUM_CLIENTS)
        f.port = key->server_port;
    if (by != SUM_PEERS)
        f.b = key->server;
    return f;
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
    if (by == SUM_CLIENTS || (by == SUM_PEERS && j->client_host == POLICY_NONE))
        key->client = nobody;
    if (by == SUM_PEERS && j->server_host == POLICY_NONE)
        key->server = nobody;
}

/* Would another conversation of this key be one too many?  Then the key becomes that of the sum. */
static int bound(struct conversation_table *t, struct conversation_key *key, const struct judgement *j)
{
    if (key->verdict == VERDICT_ALLOWED || key->verdict == VERDICT_UNDOCUMENTED)
        return 0;
    for (enum conversation_sum by = SUM_PORTS; by <= SUM_PEERS; by++) {
        struct fan f = fan_of(key, by);
        bool       within;
        int        rc = count_fan(t, &f, by == SUM_PEERS ? PEERS_FACTOR * t->limits.peers_kept : t->limits.peers_kept, &within);

        if (rc != 0)
            return rc;
        if (!within) {
            blur(key, j, by);
            return 0;
        }
    }
    return 0;
}

static struct conversation *lookup(struct conversation_table *t, const struct conversation_key *key, uint32_t **ret_slot)
{
    if (reserve(t, &t->slots, &t->n_slots, t->n, conversation_key_of) != 0)
        return NULL;
    *ret_slot = find_slot(t, t->slots, t->n_slots, conversation_key_of, key, sizeof(*key));
    return **ret_slot != 0 ? conversation_at(t, **ret_slot - 1) : NULL;
}

static struct conversation *insert(struct conversation_table *t, const struct conversation_key *key, uint32_t *slot)
{
    if (t->n == t->n_chunks * CHUNK && add_chunk(t) != 0)
        return NULL;
    struct conversation *c = conversation_at(t, t->n);
    c->key = *key;
    *slot = (uint32_t)++t->n;
    return c;
}

/* The conversation of this key, or of the sum that stands for it. */
static struct conversation *find(struct conversation_table *t, struct conversation_key *key, const struct judgement *j, bool *ret_is_new)
{
    uint32_t            *slot = NULL;
    struct conversation *c = lookup(t, key, &slot);

    *ret_is_new = false;
    if (c != NULL || slot == NULL)
        return c;
    if (bound(t, key, j) != 0)
        return NULL;
    if (key->summed != SUM_NONE && (c = lookup(t, key, &slot)) != NULL) {
        c->n_summed++;
        return c;
    }
    *ret_is_new = true;
    c = insert(t, key, slot);
    if (c != NULL && key->summed != SUM_NONE)
        c->n_summed = 1;
    return c;
}

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
static int keep(struct conversation_table *t, struct conversation *c, const struct flow_record *r)
{
    size_t limit = t->limits.flows_all ? SIZE_MAX : c->key.verdict == VERDICT_VIOLATION ? t->limits.flows_kept : 0;

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

static void begin(struct conversation *c, const struct flow_record *r, const struct policy_query *q, const struct judgement *j, bool is_reply)
{
    c->query = *q;
    c->judgement = *j;
    c->first_ns = INT64_MAX;
    c->last_ns = INT64_MIN;
    c->client_port_low = UINT16_MAX;
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

static void add_icmp(struct conversation *c, const struct flow_icmp *icmp)
{
    if (icmp->n_errors == 0)
        return;
    uint64_t n = c->icmp.n_errors + icmp->n_errors;
    bool     prohibits = policy_icmp_prohibits(icmp), kept_prohibits = c->icmp.n_errors > 0 && policy_icmp_prohibits(&c->icmp);
    if (c->icmp.n_errors == 0 || (prohibits == kept_prohibits ? icmp->ts_ns < c->icmp.ts_ns : prohibits))
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
    if (is_new)
        begin(c, r, q, j, is_reply);
    if (starts_before(r, c)) {
        c->first_ns = r->first_ns;
        c->first_input = r->input;
        c->first_packet = r->first_packet;
        c->query.tuple.client_port = r->tuple.client_port;
    }
    add_counts(c, r);
    add_icmp(c, &r->icmp);
    add_ttls(c, r, outcome, 0);
    add_ttls(c, r, outcome, 1);
    return keep(t, c, r);
}
