/* SPDX-License-Identifier: Apache-2.0 */
/* The shards' conversations and hosts become one whole in an order that no shard, bucket or thread decides. */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "rank.h"


_Static_assert(offsetof(struct shard_group_query, span) == 20, "the key of a query is compared as bytes: no hidden padding");

static int by_start(const void *pa, const void *pb)
{
    const struct conversation *a = *(struct conversation *const *)pa, *b = *(struct conversation *const *)pb;

    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    if (a->first_input != b->first_input)
        return a->first_input < b->first_input ? -1 : 1;
    if (a->first_packet != b->first_packet)
        return a->first_packet < b->first_packet ? -1 : 1;
    return memcmp(&a->key, &b->key, sizeof(a->key));
}

static int by_flow_start(const void *pa, const void *pb)
{
    return kept_flow_compare(pa, pb);
}

static int gather(struct audit *a, struct err *reterr)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < a->n_parts; i++)
        n += conversation_count(a->parts[i]->conversations);
    a->conversations = calloc(n + 1, sizeof(struct conversation *));
    if (a->conversations == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge %zu conversations", n);
    for (size_t i = 0; i < a->n_parts; i++) {
        struct conversation_table *t = a->parts[i]->conversations;

        for (size_t k = 0; k < conversation_count(t); k++)
            a->conversations[at++] = conversation_at(t, k);
    }
    a->n_conversations = n;
    return 0;
}

/* Shards may have sums of the same key each, and a key may have changed since the flows were folded: all go into the first of them, and
 * those that are left stay in their order. */
static int absorb_equal(struct audit *a, struct err *reterr)
{
    size_t          kept = 0, n_slots = 1024;
    struct hash_key secret;
    int             rc = hash_key_random(&secret, reterr);

    if (rc != 0)
        return rc;
    while (n_slots < 2 * a->n_conversations)
        n_slots *= 2;
    uint32_t *slots = calloc(n_slots, sizeof(*slots)); /* position + 1 of a conversation that is left */
    if (slots == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge conversations");
    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++) {
        struct conversation *c = a->conversations[i];
        uint64_t             words[sizeof(c->key) / 8];

        memcpy(words, &c->key, sizeof(c->key));
        size_t at = hash_words(&secret, words, sizeof(c->key) / 8) & (n_slots - 1);
        while (slots[at] != 0 && memcmp(&a->conversations[slots[at] - 1]->key, &c->key, sizeof(c->key)) != 0)
            at = (at + 1) & (n_slots - 1);
        if (slots[at] != 0) {
            rc = conversation_absorb(&a->limits, a->conversations[slots[at] - 1], c);
        } else {
            a->conversations[kept++] = c;
            slots[at] = (uint32_t)kept;
        }
    }
    free(slots);
    a->n_conversations = kept;
    return rc == 0 ? 0 : err_set(reterr, rc, "no memory to merge conversations");
}

/* --- the bounds on what packets can multiply --------------------------------------------------------- */

/* The same that every shard did for itself: of all that are left those of the lowest ranks. */
static int bound_all(struct audit *a, struct err *reterr)
{
    uint64_t thresholds[CONVERSATION_N_CLASSES];

    if (conversation_thresholds(&a->limits, a->conversations, a->n_conversations, thresholds) != 0)
        return err_set(reterr, -ENOMEM, "no memory to merge conversations");
    for (size_t i = 0; i < a->n_conversations; i++)
        if (conversation_exceeds(a->conversations[i], thresholds))
            conversation_sum_up(a->conversations[i], SUM_PEERS);
    return 0;
}

static int compare_service(const struct conversation *a, const struct conversation *b)
{
    int c = addr_compare(&a->key.server, &b->key.server);

    return c != 0 ? c : (a->key.transport > b->key.transport) - (a->key.transport < b->key.transport);
}

static int compare_pair(const struct conversation *a, const struct conversation *b)
{
    int c = compare_service(a, b);

    return c != 0 ? c : addr_compare(&a->key.client, &b->key.client);
}

static int compare_port(const struct conversation *a, const struct conversation *b)
{
    int c = compare_service(a, b);

    return c != 0 ? c : (a->key.server_port > b->key.server_port) - (a->key.server_port < b->key.server_port);
}

static int by_pair(const void *pa, const void *pb)
{
    int c = compare_pair(*(struct conversation *const *)pa, *(struct conversation *const *)pb);

    return c != 0 ? c : by_start(pa, pb);
}

static int by_port(const void *pa, const void *pb)
{
    int c = compare_port(*(struct conversation *const *)pa, *(struct conversation *const *)pb);

    return c != 0 ? c : by_start(pa, pb);
}

/* In every group of the sorted conversations the earliest 'peers_kept' stay, the others are summed up. */
static void bound_groups(const struct audit *a, struct conversation **all, size_t n_all,
                         int (*compare)(const struct conversation *, const struct conversation *), enum conversation_sum by)
{
    const struct conversation *first = NULL; /* of the group */
    size_t                     n = 0;

    for (size_t i = 0; i < n_all; i++) {
        struct conversation *c = all[i];

        if (!conversation_is_bounded(&c->key))
            continue;
        if (first == NULL || compare(first, c) != 0) {
            first = c;
            n = 0;
        }
        if (n == a->options->peers_kept)
            conversation_sum_up(c, by);
        else
            n++;
    }
}

static int bound_peers(struct audit *a, struct err *reterr)
{
    size_t n = 0;

    if (a->n_conversations <= a->options->peers_kept)
        return 0;
    struct conversation **bounded = calloc(a->n_conversations, sizeof(struct conversation *));
    if (bounded == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge conversations");
    for (size_t i = 0; i < a->n_conversations; i++)
        if (conversation_is_bounded(&a->conversations[i]->key))
            bounded[n++] = a->conversations[i];
    if (n > a->options->peers_kept) {
        qsort(bounded, n, sizeof(struct conversation *), by_pair);
        bound_groups(a, bounded, n, compare_pair, SUM_PORTS);
        qsort(bounded, n, sizeof(struct conversation *), by_port);
        bound_groups(a, bounded, n, compare_port, SUM_CLIENTS);
    }
    free(bounded);
    return 0;
}

/* --- answers to broadcasts and multicasts ----------------------------------------------------------- */

/* Spans in their order, so that those of one sender and its ports stand together. */
static int by_query(const void *pa, const void *pb)
{
    const struct shard_group_query *a = pa, *b = pb;
    int                             c = memcmp(a, b, offsetof(struct shard_group_query, span));

    return c != 0 ? c : (a->span > b->span) - (a->span < b->span);
}

struct group_queries {
    struct shard_group_query *items;
    size_t                    n;
    uint64_t                  n_lost; /* packets of those beyond the bound */
};

/* The same that every part did for itself. */
static int bound_queries(struct group_queries *all)
{
    size_t    n = 0;
    uint64_t *ranks = all->n > SHARD_MOST_QUERIES ? calloc(all->n, sizeof(*ranks)) : NULL;

    if (all->n <= SHARD_MOST_QUERIES)
        return 0;
    if (ranks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < all->n; i++)
        ranks[i] = shard_query_rank(&all->items[i]);
    uint64_t threshold = rank_lowest(ranks, all->n, SHARD_MOST_QUERIES);
    free(ranks);
    for (size_t i = 0; i < all->n; i++) {
        if (shard_query_rank(&all->items[i]) <= threshold)
            all->items[n++] = all->items[i];
        else
            all->n_lost += all->items[i].packets;
    }
    all->n = n;
    return 0;
}

static int gather_queries(const struct audit *a, struct group_queries *ret, struct err *reterr)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_parts; i++)
        n += a->parts[i]->n_query_slots;
    ret->items = calloc(n + 1, sizeof(*ret->items));
    ret->n = ret->n_lost = 0;
    if (ret->items == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge queries to broadcast addresses");
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct shard_group_query *q = a->parts[i]->queries;

        for (size_t k = 0; k < a->parts[i]->n_query_slots; k++)
            if (q[k].last_ns != INT64_MIN)
                ret->items[ret->n++] = q[k];
    }
    qsort(ret->items, ret->n, sizeof(*ret->items), by_query);

    size_t kept = 0; /* one sender's queries to several groups may have been several shards' */
    for (size_t i = 0; i < ret->n; i++) {
        struct shard_group_query *last = kept > 0 ? &ret->items[kept - 1] : NULL, *q = &ret->items[i];

        if (last == NULL || by_query(last, q) != 0) {
            ret->items[kept++] = *q;
            continue;
        }
        last->first_ns = q->first_ns < last->first_ns ? q->first_ns : last->first_ns;
        last->last_ns = q->last_ns > last->last_ns ? q->last_ns : last->last_ns;
        last->packets += q->packets;
    }
    ret->n = kept;
    return bound_queries(ret) == 0 ? 0 : err_set(reterr, -ENOMEM, "no memory to merge queries to broadcast addresses");
}

/* Did 'host' send from 'from' to some group's 'port' shortly before 'at_ns'?  One sender may have asked several groups. */
static bool asked(const struct group_queries *queries, const struct addr *host, uint16_t from, uint16_t port, int64_t at_ns)
{
    struct shard_group_query key = {.sender = *host, .sender_port = from, .port = port};

    for (unsigned back = 0; back < 2; back++) {
        key.span = (uint32_t)(at_ns / SHARD_QUERY_SPAN_NS) - back;
        const struct shard_group_query *q =
            queries->n > 0 ? bsearch(&key, queries->items, queries->n, sizeof(*queries->items), by_query) : NULL;
        if (q != NULL && q->first_ns <= at_ns && at_ns - q->last_ns <= SHARD_QUERY_SPAN_NS)
            return true;
    }
    return false;
}

/* Did it ask so often, in this conversation's time, that all of the packets may be answers? */
static bool asked_for_all(const struct group_queries *queries, const struct addr *host, uint16_t from, uint16_t port, const struct conversation *c)
{
    struct shard_group_query key = {.sender = *host, .sender_port = from, .port = port, .span = (uint32_t)(c->first_ns / SHARD_QUERY_SPAN_NS)};
    uint32_t                 last = (uint32_t)(c->last_ns / SHARD_QUERY_SPAN_NS);
    uint64_t                 room = 0, sent = c->packets[0] + c->packets[1] - c->duplicates;
    size_t                   at = 0, end = queries->n;

    key.span -= key.span > 0;
    while (at < end) {
        size_t middle = at + (end - at) / 2;

        if (by_query(&queries->items[middle], &key) < 0)
            at = middle + 1;
        else
            end = middle;
    }
    for (; at < queries->n && room < sent; at++) {
        const struct shard_group_query *q = &queries->items[at];

        if (memcmp(q, &key, offsetof(struct shard_group_query, span)) != 0 || q->span > last)
            break;
        room += ANSWERS_MAX;
    }
    return room >= sent;
}

/* Is all of this conversation such an answer: its first packet, and its last, and no more than those queries draw? */
static bool all_asked(const struct group_queries *queries, const struct addr *host, uint16_t from, uint16_t port, const struct conversation *c)
{
    return asked(queries, host, from, port, c->first_ns) && asked(queries, host, from, port, c->last_ns) && asked_for_all(queries, host, from, port, c);
}

static void swap_counts(uint64_t counts[2])
{
    uint64_t first = counts[0];

    counts[0] = counts[1];
    counts[1] = first;
}

static void swap_ends(struct conversation *c)
{
    struct tuple t = c->tuple;

    c->tuple = (struct tuple){t.server, t.client, t.server_port, t.client_port, t.transport};
    c->key.client = c->tuple.client;
    c->key.server = c->tuple.server;
    c->key.server_port = c->tuple.server_port;
    c->key.client_port = c->tuple.client_port;
    c->client_port_low = c->client_port_high = c->tuple.client_port;
    c->server_port_low = c->server_port_high = c->tuple.server_port;
    c->client_low = c->client_high = c->tuple.client;
    c->sent[0] = true, c->sent[1] = false;
    swap_counts(c->packets);
    swap_counts(c->bytes);
    for (size_t i = 0; i < c->n_kept; i++)
        kept_flow_swap(&c->kept[i]);
}

static void judge_again(const struct policy *policy, struct conversation *c)
{
    struct policy_query q;

    c->answers_group = true;
    conversation_query(c, &q);
    policy_judge(policy, &q, &c->judgement);
    c->key.verdict = (uint8_t)c->judgement.verdict;
    c->key.kind = (uint8_t)c->judgement.kind;
    c->key.row = c->judgement.row;
    c->key.outcome = OUTCOME_ONE_WAY;
}

/* Services that are asked by broadcast or multicast, whatever the site: DHCP (RFC 2131, 4.1; RFC 8415, 7.1), NetBIOS names and datagrams (RFC 1002, 4.2 and 4.4), SQL browser
 * ([MS-SQLR] 2.2.1), SSDP (UPnP Device Architecture 1.1, 1.2), WS-Discovery (2.4), mDNS (RFC 6762, 5.1), LLMNR (RFC 4795, 2).
 * They are those protocols' own ports and no document's, which may well allow others there. */
static bool asked_by_group(uint16_t port)
{
    static const uint16_t ports[] = {67, 137, 138, 547, 1434, 1900, 3702, 5353, 5355};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291. */
static bool is_private(const struct addr *a)
{
    const uint8_t *b = a->bytes + 12;

    if (!addr_is_ipv4(a))
        return (a->bytes[0] & 0xfe) == 0xfc || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) || (b[0] == 100 && (b[1] & 0xc0) == 64) ||
           (b[0] == 169 && b[1] == 254);
}

/* May a broadcast of one, or a multicast that is routed within a site, reach the other? */
static bool may_be_near(const struct addr *a, const struct addr *b)
{
    size_t same = addr_is_ipv4(a) ? 14 : 6; /* bytes: a /16, or a /48, which is a site's (RFC 6177) */

    return addr_is_ipv4(a) == addr_is_ipv4(b) && ((is_private(a) && is_private(b)) || memcmp(a->bytes, b->bytes, same) == 0);
}

/* Does it look like the answer to a broadcast or multicast that is not in the capture? */
static bool looks_like_answer(const struct conversation *c, bool back)
{
    return (c->is_reply || tuple_is_dhcp(&c->tuple, !back)) && c->key.verdict == VERDICT_VIOLATION &&
           asked_by_group(back ? c->tuple.server_port : c->tuple.client_port);
}

/* Then it cannot be held against who seems to have asked: where all of it can be answers, and a query could have come. */
static bool may_answer_group(const struct conversation *c)
{
    return c->lasting == 0 && (c->answers == c->flows || !c->is_reply) && may_be_near(&c->tuple.client, &c->tuple.server);
}

/* A unicast datagram from the port that a broadcast query went to, back to the port that it came from, is its
 * answer.  Where both ports are equal (137 to 137) it may as well be a query of its own: then the content decides, unless the snap length took it. */
static void mark_answer(const struct audit *a, const struct group_queries *queries, struct conversation *c)
{
    const struct tuple *t = &c->tuple;

    if (c->key.transport != IPPROTO_UDP || c->key.summed != SUM_NONE || c->group || c->answers_group || c->client_port_low != c->client_port_high)
        return;
    bool forward = c->packets[1] == 0, back = c->packets[0] == 0;
    if (forward == back || (t->client_port == t->server_port && !c->is_reply && !(c->cut && c->app->basis != APP_CONTENT)))
        return;
    bool is_asked = forward ? all_asked(queries, &t->server, t->server_port, t->client_port, c) : all_asked(queries, &t->client, t->client_port, t->server_port, c);
    bool looks = looks_like_answer(c, back);
    if (!is_asked && !(looks && may_answer_group(c))) {
        if (looks)
            c->judgement.confidence = CONFIDENCE_INFERRED; /* it began as an answer would */
        return;
    }
    c->unsought = (!is_asked || c->query_missing) && t->server_port == CLASSIFY_PORT_NAMES ? c->flows : 0; /* is anything of it missing? */
    if (back)
        swap_ends(c);
    judge_again(a->policy, c);
}

static int mark_answers(struct audit *a, struct err *reterr)
{
    struct group_queries queries;
    int                  rc = gather_queries(a, &queries, reterr);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < a->n_conversations; i++)
        mark_answer(a, &queries, a->conversations[i]);
    a->totals.n_group_queries_lost += queries.n_lost;
    free(queries.items);
    return 0;
}

/* --- hosts --------------------------------------------------------------------------------------------- */

/* What hosts are sorted by, and where one stands: small, so that sorting does not look for it. */
struct host_key {
    struct addr addr;
    int64_t     window;
    size_t      at;
};

static int by_addr_and_window(const void *pa, const void *pb)
{
    const struct host_key *a = pa, *b = pb;
    int                    c = addr_compare(&a->addr, &b->addr);

    return c != 0 ? c : (a->window > b->window) - (a->window < b->window);
}

static void absorb_host(struct shard_host *a, const struct shard_host *b)
{
    a->first_ns = b->first_ns < a->first_ns ? b->first_ns : a->first_ns;
    a->last_ns = b->last_ns > a->last_ns ? b->last_ns : a->last_ns;
    a->sent_first_ns = b->sent_first_ns < a->sent_first_ns ? b->sent_first_ns : a->sent_first_ns;
    a->sent_last_ns = b->sent_last_ns > a->sent_last_ns ? b->sent_last_ns : a->sent_last_ns;
    a->sent += b->sent;
    a->received += b->received;
    a->sent_to_groups += b->sent_to_groups;
    a->quoted += b->quoted;
    a->resets += b->resets;
    a->older += b->older;
    a->n_notes += b->n_notes;
    a->cut += b->cut;
    a->copies |= b->copies;
}

static size_t gather_hosts(const struct audit *a, const struct shard_host **all, struct host_key *keys)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_parts; i++) {
        const struct shard_host *h = a->parts[i]->hosts;

        for (size_t k = 0; k < a->parts[i]->n_host_slots; k++) {
            if (!h[k].used)
                continue;
            all[n] = &h[k];
            keys[n] = (struct host_key){h[k].addr, h[k].window, n};
            n++;
        }
    }
    return n;
}

static int bound_hosts(struct audit *a, struct err *reterr)
{
    size_t    n = 0;
    uint64_t *ranks = a->n_hosts > SHARD_MOST_HOSTS ? calloc(a->n_hosts, sizeof(*ranks)) : NULL;

    if (a->n_hosts <= SHARD_MOST_HOSTS)
        return 0;
    if (ranks == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge hosts");
    for (size_t i = 0; i < a->n_hosts; i++)
        ranks[i] = shard_host_rank(&a->hosts[i].addr, a->hosts[i].window);
    uint64_t threshold = rank_lowest(ranks, a->n_hosts, SHARD_MOST_HOSTS);
    free(ranks);
    for (size_t i = 0; i < a->n_hosts; i++) {
        if (shard_host_rank(&a->hosts[i].addr, a->hosts[i].window) <= threshold)
            a->hosts[n++] = a->hosts[i];
        else
            shard_totals_lose_host(&a->totals, &a->hosts[i]);
    }
    a->n_hosts = n;
    return 0;
}

static int merge_hosts(struct audit *a, struct err *reterr)
{
    size_t room = 1;

    for (size_t i = 0; i < a->n_parts; i++)
        room += a->parts[i]->n_hosts;
    const struct shard_host **all = calloc(room, sizeof(*all));
    struct host_key          *keys = calloc(room, sizeof(*keys));
    a->hosts = calloc(room, sizeof(*a->hosts));
    if (a->hosts == NULL || keys == NULL || all == NULL) {
        free(keys);
        free(all);
        return err_set(reterr, -ENOMEM, "no memory to merge hosts");
    }
    size_t n = gather_hosts(a, all, keys), kept = 0;
    qsort(keys, n, sizeof(*keys), by_addr_and_window);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && by_addr_and_window(&keys[i - 1], &keys[i]) == 0)
            absorb_host(&a->hosts[kept - 1], all[keys[i].at]);
        else
            a->hosts[kept++] = *all[keys[i].at];
    }
    a->n_hosts = kept;
    free(keys);
    free(all);
    return bound_hosts(a, reterr);
}

int audit_merge(struct audit *a, struct err *reterr)
{
    int rc = gather(a, reterr);

    a->totals = (struct shard_totals){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
    for (size_t i = 0; i < a->n_parts; i++)
        shard_totals_add(&a->totals, &a->parts[i]->totals);
    if (rc == 0)
        rc = bound_all(a, reterr);
    if (rc == 0)
        rc = absorb_equal(a, reterr);
    if (rc == 0)
        rc = mark_answers(a, reterr);
    if (rc == 0)
        rc = merge_hosts(a, reterr);
    return rc;
}

int audit_mark_answers(struct audit *a, struct err *reterr)
{
    int rc = gather(a, reterr);

    return rc == 0 ? mark_answers(a, reterr) : rc;
}

/* As by_start(), with the time at hand: few begin at the same. */
struct start {
    int64_t              first_ns;
    struct conversation *c;
};

static int by_time(const void *pa, const void *pb)
{
    const struct start *a = pa, *b = pb;

    return a->first_ns != b->first_ns ? (a->first_ns < b->first_ns ? -1 : 1) : by_start(&a->c, &b->c);
}

static int sort_by_start(struct audit *a, struct err *reterr)
{
    struct start *starts = calloc(a->n_conversations + 1, sizeof(*starts));

    if (starts == NULL)
        return err_set(reterr, -ENOMEM, "no memory to merge conversations");
    for (size_t i = 0; i < a->n_conversations; i++)
        starts[i] = (struct start){a->conversations[i]->first_ns, a->conversations[i]};
    qsort(starts, a->n_conversations, sizeof(*starts), by_time);
    for (size_t i = 0; i < a->n_conversations; i++)
        a->conversations[i] = starts[i].c;
    free(starts);
    return 0;
}

/* Of those whose keys became equal the earliest stays, where it stands. */
int audit_order(struct audit *a, struct err *reterr)
{
    int rc = audit_settle(a, reterr);

    if (rc == 0)
        rc = bound_peers(a, reterr);
    if (rc == 0)
        rc = sort_by_start(a, reterr);
    if (rc == 0)
        rc = absorb_equal(a, reterr);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < a->n_conversations; i++) {
        struct conversation *c = a->conversations[i];

        c->id = i + 1;
        if (c->n_kept > 1)
            qsort(c->kept, c->n_kept, sizeof(*c->kept), by_flow_start);
    }
    return 0;
}
