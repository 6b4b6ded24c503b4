/* SPDX-License-Identifier: Apache-2.0 */
/* What a shard found out: conversations, hosts, queries to groups, negotiated ports, counts. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"
#include "shard.h"

/* So many more wait until it is looked at which of them stay. */
#define SLACK(most) ((most) / 4)

/* Under a key that never changes, as that of conversations. */
static const struct hash_key always = {UINT64_C(0x666c6f7761756469), UINT64_C(0x7420686f73747320)};

uint64_t shard_host_rank(const struct addr *a, int64_t window)
{
    uint64_t words[3];

    memcpy(words, a->bytes, 16);
    words[2] = (uint64_t)window;
    return hash_words(&always, words, 3);
}

uint64_t shard_query_rank(const struct shard_group_query *q)
{
    return hash_bytes(&always, q, offsetof(struct shard_group_query, first_ns));
}

static struct shard_host *host_slot(const struct part *s, struct shard_host *slots, size_t n_slots, const struct addr *a, int64_t window)
{
    uint64_t words[3] = {[2] = (uint64_t)window};

    memcpy(words, a->bytes, 16);
    for (size_t at = hash_pairs_words(&s->hash, words, 3) & (n_slots - 1);; at = (at + 1) & (n_slots - 1)) {
        struct shard_host *h = &slots[at];

        if (!h->used || (h->window == window && addr_compare(&h->addr, a) == 0))
            return h;
    }
}

static int grow_hosts(struct part *s)
{
    size_t             n = s->n_host_slots == 0 ? 256 : 2 * s->n_host_slots;
    struct shard_host *slots = calloc(n, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_host_slots; i++)
        if (s->hosts[i].used)
            *host_slot(s, slots, n, &s->hosts[i].addr, s->hosts[i].window) = s->hosts[i];
    free(s->hosts);
    s->hosts = slots;
    s->n_host_slots = n;
    return 0;
}

/* Only the lowest ranks stay. */
static int bound_hosts(struct part *s)
{
    size_t             n = 0, n_kept = 0;
    uint64_t          *ranks = calloc(s->n_hosts, sizeof(*ranks));
    struct shard_host *kept = calloc(SHARD_MOST_HOSTS + 1, sizeof(*kept));

    for (size_t i = 0; ranks != NULL && kept != NULL && i < s->n_host_slots; i++)
        if (s->hosts[i].used)
            ranks[n++] = shard_host_rank(&s->hosts[i].addr, s->hosts[i].window);
    s->host_threshold = n > 0 ? rank_lowest(ranks, n, SHARD_MOST_HOSTS) : s->host_threshold;
    for (size_t i = 0; n > 0 && i < s->n_host_slots; i++) {
        const struct shard_host *h = &s->hosts[i];

        if (h->used && shard_host_rank(&h->addr, h->window) <= s->host_threshold && n_kept < SHARD_MOST_HOSTS)
            kept[n_kept++] = *h;
        else if (h->used)
            shard_totals_lose_host(&s->totals, h);
    }
    if (n > 0)
        memset(s->hosts, 0, s->n_host_slots * sizeof(*s->hosts));
    for (size_t i = 0; i < n_kept; i++)
        *host_slot(s, s->hosts, s->n_host_slots, &kept[i].addr, kept[i].window) = kept[i];
    s->n_hosts = n > 0 ? n_kept : s->n_hosts;
    free(ranks);
    free(kept);
    return n > 0 ? 0 : -ENOMEM;
}

static bool has_host_room(struct part *s)
{
    if (2 * (s->n_hosts + 1) <= s->n_host_slots)
        return true;
    if (s->n_host_slots < 2 * SHARD_MOST_HOSTS)
        return grow_hosts(s) == 0;
    return s->n_hosts < SHARD_MOST_HOSTS + SLACK(SHARD_MOST_HOSTS) || bound_hosts(s) == 0;
}

/* A host in one window: from 'first_ns' to 'last_ns' a flow of it was seen there. */
struct host_sight {
    int64_t  window, first_ns, last_ns;
    uint64_t sent, received, sent_to_groups, cut, quoted, resets, older;
    uint64_t n_notes; /* 0: this is one */
    bool     copies;
};

static struct shard_host *add_host(struct part *s, const struct addr *a, int64_t window)
{
    bool has_room = has_host_room(s);

    if (!has_room || (s->host_threshold < UINT64_MAX && shard_host_rank(a, window) > s->host_threshold))
        return NULL;
    struct shard_host *h = host_slot(s, s->hosts, s->n_host_slots, a, window);
    if (h->used) /* among those that stayed */
        return h;
    *h = (struct shard_host){.addr = *a, .window = window, .first_ns = INT64_MAX, .last_ns = INT64_MIN,
                             .sent_first_ns = INT64_MAX, .sent_last_ns = INT64_MIN, .used = true};
    s->n_hosts++;
    return h;
}

/* The host in this window, or NULL: there is no room.  At the bound those that are known go on being seen. */
static struct shard_host *host_in(struct part *s, const struct addr *a, int64_t window)
{
    struct shard_host *h = s->n_host_slots > 0 ? host_slot(s, s->hosts, s->n_host_slots, a, window) : NULL;

    return h != NULL && h->used ? h : add_host(s, a, window);
}

static void note_times(struct shard_host *h, int64_t first_ns, int64_t last_ns)
{
    h->first_ns = first_ns < h->first_ns ? first_ns : h->first_ns;
    h->last_ns = last_ns > h->last_ns ? last_ns : h->last_ns;
}

/* The host in this window, or NULL: there is no room. */
static struct shard_host *note_sight(struct part *s, const struct addr *a, const struct host_sight *w)
{
    struct shard_host *h = host_in(s, a, w->window);
    uint64_t           n_notes = w->n_notes > 0 ? w->n_notes : 1;

    if (h == NULL) {
        s->totals.n_hosts_lost += n_notes;
        s->totals.n_cut_told -= w->n_notes > 0 ? w->cut : 0;
        return NULL;
    }
    note_times(h, w->first_ns, w->last_ns);
    h->n_notes += n_notes;
    h->sent += w->sent;
    h->received += w->received;
    h->sent_to_groups += w->sent_to_groups;
    h->cut += w->cut;
    h->quoted += w->quoted;
    h->resets += w->resets;
    h->older += w->older;
    h->copies |= w->copies;
    return h;
}

static void note_sent(struct shard_host *h, int64_t first_ns, int64_t last_ns)
{
    h->sent_first_ns = first_ns < h->sent_first_ns ? first_ns : h->sent_first_ns;
    h->sent_last_ns = last_ns > h->sent_last_ns ? last_ns : h->sent_last_ns;
}

/* The host itself sent something then. */
static void note_sent_at(struct part *s, const struct addr *a, int64_t ns, int64_t window_ns)
{
    struct host_sight  w = {.window = window_of(ns, window_ns), .first_ns = ns, .last_ns = ns};
    struct shard_host *h = note_sight(s, a, &w);

    if (h != NULL)
        note_sent(h, ns, ns);
}

/* Of no flow: it tells no time at which the host was there. */
bool part_note_cut(struct part *s, const struct addr *to)
{
    return note_sight(s, to, &(struct host_sight){.first_ns = INT64_MAX, .last_ns = INT64_MIN, .cut = 1}) != NULL;
}

/* As little is that: errors about what it sent, or was sent, in one window, and was not captured. */
void part_note_quoted(struct part *s, const struct addr *a, const struct flow_icmp *i, uint64_t n, int64_t window_ns)
{
    note_sight(s, a, &(struct host_sight){.window = window_of(i->ts_ns, window_ns), .first_ns = INT64_MAX, .last_ns = INT64_MIN, .quoted = n});
}

/*
 * A connection of which neither SYN was seen, though it goes on: both sides were there before, even if nothing of one is in the capture.  What draws but a
 * RST, or is sent once without data, may belong to none.
 */
static bool is_older(const struct flow_record *r)
{
    unsigned flags = r->tcp_flags[0] | r->tcp_flags[1];

    return r->tuple.transport == IPPROTO_TCP && r->direction > DIRECTION_STRAY && (flags & TCP_ACK) != 0 &&
           (r->sent_data[0] || r->sent_data[1] || ((flags & TCP_RST) == 0 && r->packets[0] + r->packets[1] > 1));
}

/* What the flow tells of this side of it, in the window in which it began; NULL: there is no room. */
static struct shard_host *note_flow(struct part *s, const struct addr *a, const struct flow_record *r, unsigned side, bool lone, int64_t window)
{
    struct shard_host *h = host_in(s, a, window);
    uint64_t           sent = r->packets[side];

    if (h == NULL) {
        s->totals.n_hosts_lost++;
        return NULL;
    }
    h->n_notes++;
    h->sent += sent;
    h->received += r->packets[!side];
    h->older += is_older(r);
    if (r->group)
        h->sent_to_groups += sent;
    if (lone)
        h->resets += sent;
    h->copies |= sent > 0 && r->duplicates > 0;
    return h;
}

void part_note_host(struct part *s, const struct addr *a, const struct flow_record *r, unsigned side, int64_t window_ns)
{
    bool    lone = flow_record_is_lone_reset(r), sends = r->packets[side] > 0 && !lone;
    int64_t first = window_of(r->first_ns, window_ns), last = window_of(r->last_ns, window_ns);

    if (flow_is_quoted(r))
        return;
    struct shard_host *h = note_flow(s, a, r, side, lone, first);
    if (h != NULL)
        note_times(h, r->first_ns, first == last ? r->last_ns : r->first_ns);
    if (first == last) {
        if (h != NULL && sends)
            note_sent(h, r->sent_first_ns[side], r->sent_last_ns[side]);
        return;
    }
    note_sight(s, a, &(struct host_sight){.window = last, .first_ns = r->last_ns, .last_ns = r->last_ns});
    if (!sends)
        return;
    note_sent_at(s, a, r->sent_first_ns[side], window_ns);
    note_sent_at(s, a, r->sent_last_ns[side], window_ns);
}

static struct shard_group_query *query_slot(const struct part *s, struct shard_group_query *slots, size_t n_slots,
                                            const struct shard_group_query *key)
{
    const size_t size = offsetof(struct shard_group_query, first_ns);

    for (size_t at = hash_bytes(&s->hash_key, key, size) & (n_slots - 1);; at = (at + 1) & (n_slots - 1)) {
        struct shard_group_query *q = &slots[at];

        if (q->last_ns == INT64_MIN || memcmp(q, key, size) == 0)
            return q;
    }
}

static int grow_queries(struct part *s)
{
    size_t                    n = s->n_query_slots == 0 ? 256 : 2 * s->n_query_slots;
    struct shard_group_query *slots = calloc(n, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        slots[i].last_ns = INT64_MIN;
    for (size_t i = 0; i < s->n_query_slots; i++)
        if (s->queries[i].last_ns != INT64_MIN)
            *query_slot(s, slots, n, &s->queries[i]) = s->queries[i];
    free(s->queries);
    s->queries = slots;
    s->n_query_slots = n;
    return 0;
}

/* As bound_hosts(). */
static int bound_queries(struct part *s)
{
    size_t                    n = 0, n_kept = 0;
    uint64_t                 *ranks = calloc(s->n_queries, sizeof(*ranks));
    struct shard_group_query *kept = calloc(SHARD_MOST_QUERIES + 1, sizeof(*kept));

    for (size_t i = 0; ranks != NULL && kept != NULL && i < s->n_query_slots; i++)
        if (s->queries[i].last_ns != INT64_MIN)
            ranks[n++] = shard_query_rank(&s->queries[i]);
    s->query_threshold = n > 0 ? rank_lowest(ranks, n, SHARD_MOST_QUERIES) : s->query_threshold;
    for (size_t i = 0; n > 0 && i < s->n_query_slots; i++) {
        struct shard_group_query *q = &s->queries[i];

        if (q->last_ns != INT64_MIN && shard_query_rank(q) <= s->query_threshold && n_kept < SHARD_MOST_QUERIES)
            kept[n_kept++] = *q;
        else if (q->last_ns != INT64_MIN)
            s->totals.n_group_queries_lost += q->packets;
        q->last_ns = INT64_MIN;
    }
    for (size_t i = 0; i < n_kept; i++)
        *query_slot(s, s->queries, s->n_query_slots, &kept[i]) = kept[i];
    s->n_queries = n > 0 ? n_kept : s->n_queries;
    free(ranks);
    free(kept);
    return n > 0 ? 0 : -ENOMEM;
}

static bool has_query_room(struct part *s)
{
    if (2 * (s->n_queries + 1) <= s->n_query_slots)
        return true;
    if (s->n_query_slots < 2 * SHARD_MOST_QUERIES)
        return grow_queries(s) == 0;
    return s->n_queries < SHARD_MOST_QUERIES + SLACK(SHARD_MOST_QUERIES) || bound_queries(s) == 0;
}

void part_note_query(struct part *s, const struct shard_group_query *key)
{
    struct shard_group_query *q = s->n_query_slots > 0 ? query_slot(s, s->queries, s->n_query_slots, key) : NULL;

    if (q == NULL || q->last_ns == INT64_MIN) {
        bool has_room = has_query_room(s);

        if (!has_room || (s->query_threshold < UINT64_MAX && shard_query_rank(key) > s->query_threshold)) {
            s->totals.n_group_queries_lost += key->packets;
            return;
        }
        q = query_slot(s, s->queries, s->n_query_slots, key);
    }
    if (q->last_ns == INT64_MIN) {
        *q = *key;
        s->n_queries++;
        return;
    }
    q->first_ns = key->first_ns < q->first_ns ? key->first_ns : q->first_ns;
    q->last_ns = key->last_ns > q->last_ns ? key->last_ns : q->last_ns;
    q->packets += key->packets;
}

/* --- the whole ------------------------------------------------------------------------------------------- */

int part_new(const struct conversation_limits *limits, size_t n_inputs, struct part **ret, struct err *reterr)
{
    struct part *p = calloc(1, sizeof(*p));
    int          rc = p == NULL ? -ENOMEM : hash_key_random(&p->hash_key, reterr);

    if (rc == 0)
        rc = conversation_table_new(limits, &p->conversations, reterr);
    if (rc == 0) {
        hash_pairs_init(&p->hash, &p->hash_key);
        p->n_inputs = n_inputs;
        p->host_threshold = p->query_threshold = UINT64_MAX;
        p->results = calloc(n_inputs, PACKET_N_RESULTS * sizeof(*p->results));
        p->totals.first_ns = INT64_MAX;
        p->totals.last_ns = INT64_MIN;
        if (p->results == NULL || grow_hosts(p) != 0 || grow_queries(p) != 0)
            rc = -ENOMEM;
    }
    if (rc != 0) {
        part_free(p);
        return err_set(reterr, rc, "no memory for a worker");
    }
    *ret = p;
    return 0;
}

void part_free(struct part *p)
{
    if (p == NULL)
        return;
    announcements_clear(&p->announcements);
    conversation_table_free(p->conversations);
    free(p->results);
    free(p->hosts);
    free(p->queries);
    free(p);
}

static void absorb_host(struct part *p, const struct shard_host *from)
{
    struct host_sight w = {.window = from->window, .first_ns = from->first_ns, .last_ns = from->last_ns, .sent_to_groups = from->sent_to_groups, .sent = from->sent,
                           .received = from->received, .cut = from->cut, .quoted = from->quoted, .resets = from->resets, .older = from->older,
                           .n_notes = from->n_notes, .copies = from->copies};

    struct shard_host *h = note_sight(p, &from->addr, &w);
    if (h != NULL)
        note_sent(h, from->sent_first_ns, from->sent_last_ns);
}

void shard_totals_lose_host(struct shard_totals *t, const struct shard_host *h)
{
    t->n_hosts_lost += h->n_notes;
    t->n_cut_told -= h->cut; /* it is not told any more to whom those went */
}

void shard_totals_add(struct shard_totals *sum, const struct shard_totals *t)
{
    sum->n_flows += t->n_flows;
    sum->n_duplicates += t->n_duplicates;
    sum->n_retransmissions += t->n_retransmissions;
    sum->n_cut_flows += t->n_cut_flows;
    sum->n_unseen_bytes += t->n_unseen_bytes;
    sum->n_flow_memory_lost += t->n_flow_memory_lost;
    sum->n_group_queries_lost += t->n_group_queries_lost;
    sum->n_hosts_lost += t->n_hosts_lost;
    sum->n_evicted += t->n_evicted;
    sum->n_content_given_up += t->n_content_given_up;
    sum->n_unseen_errors += t->n_unseen_errors;
    sum->n_cut_told += t->n_cut_told;
    sum->n_signalling_lost += t->n_signalling_lost;
    sum->n_messages_lost += t->n_messages_lost;
    sum->first_ns = t->first_ns < sum->first_ns ? t->first_ns : sum->first_ns;
    sum->last_ns = t->last_ns > sum->last_ns ? t->last_ns : sum->last_ns;
}

int part_absorb(struct part *to, struct part *from)
{
    int rc = conversation_table_take(to->conversations, from->conversations);

    for (size_t i = 0; i < from->n_host_slots; i++)
        if (from->hosts[i].used)
            absorb_host(to, &from->hosts[i]);
    for (size_t i = 0; i < from->n_inputs * PACKET_N_RESULTS; i++)
        to->results[i] += from->results[i];
    shard_totals_add(&to->totals, &from->totals);
    if (rc == 0)
        rc = announcements_merge(&to->announcements, &from->announcements);
    return rc;
}

int part_copy(const struct part *from, struct part **ret, struct err *reterr)
{
    struct part *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return err_set(reterr, -ENOMEM, "no memory to evaluate");
    p->hash_key = from->hash_key;
    p->hash = from->hash;
    p->totals = from->totals;
    p->hosts = malloc(from->n_host_slots * sizeof(*p->hosts));
    if (p->hosts != NULL)
        memcpy(p->hosts, from->hosts, from->n_host_slots * sizeof(*p->hosts));
    p->host_threshold = from->host_threshold;
    p->query_threshold = UINT64_MAX;
    p->n_hosts = from->n_hosts;
    p->n_host_slots = from->n_host_slots;
    int rc = p->hosts == NULL ? err_set(reterr, -ENOMEM, "no memory to evaluate") : conversation_table_copy(from->conversations, &p->conversations, reterr);
    if (rc != 0) {
        part_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}
