/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows on dynamic ports and the messages that named these ports.
 *
 * Joined after the shards are merged, so that it does not matter whether the media's hosts are the signalling's hosts, or in
 * which file the one and the other are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

static bool is_media(const struct pinhole *p)
{
    return p->kind == PINHOLE_SIP_SDP || p->kind == PINHOLE_H248_SDP || p->kind == PINHOLE_SCCP_OPEN_ACK || p->kind == PINHOLE_SCCP_START ||
           p->kind == PINHOLE_SCCP_START_ACK;
}

/* Media may be told by either end: each listens where it sends from. */
static const struct pinhole *find_parent(const struct audit *a, const struct conversation *c)
{
    const struct tuple   *t = &c->query.tuple;
    const struct pinhole *p = announcements_find(&a->announcements, &t->server, t->server_port, t->transport, c->first_ns);

    if (p == NULL && t->transport == IPPROTO_UDP && c->client_port_low == c->client_port_high) {
        p = announcements_find(&a->announcements, &t->client, t->client_port, t->transport, c->first_ns);
        if (p != NULL && !is_media(p))
            p = NULL;
    }
    return p;
}

static void judge_again(const struct audit *a, struct conversation *c)
{
    struct judgement j;

    c->query.negotiated = true;
    c->query.media = is_media(c->parent);
    policy_judge(a->policy, &c->query, &j);
    if (j.reversed)
        return;
    c->judgement = j;
    c->key.verdict = (uint8_t)j.verdict;
    c->key.kind = (uint8_t)j.kind;
    c->key.row = j.row;
    c->key.back = j.back;
    c->key.confidence = (uint8_t)j.confidence;
}

static void join(const struct audit *a, struct conversation *c)
{
    if (c->key.summed != SUM_NONE || c->query.group || c->key.verdict == VERDICT_NOT_GOVERNED)
        return;
    if (c->key.transport == IPPROTO_TCP)
        c->bind = announcements_bind(&a->announcements, &c->key.server, c->key.server_port);
    c->parent = find_parent(a, c);
    if (c->parent != NULL)
        judge_again(a, c);
    else if (c->key.verdict == VERDICT_ALLOWED)
        c->no_parent = policy_dynamic_port(a->policy, c->judgement.row, c->key.transport, c->key.server_port);
}

int audit_join_parents(struct audit *a, struct err *reterr)
{
    for (size_t i = 0; i < a->n_shards; i++)
        if (announcements_merge(&a->announcements, shard_announcements(a->shards[i])) != 0)
            return err_set(reterr, -ENOMEM, "no memory to merge negotiated ports");
    announcements_sort(&a->announcements);
    for (size_t i = 0; i < a->n_conversations; i++)
        join(a, a->conversations[i]);
    return 0;
}

/* --- in words -------------------------------------------------------------------------------------------- */

static const char *named(const struct audit *a, const struct addr *addr, char *buf, size_t size)
{
    char     text[ADDR_TEXT_SIZE];
    uint32_t host = policy_host(a->policy, addr);

    addr_text(addr, text);
    snprintf(buf, size, host != POLICY_NONE ? "%s (%s)" : "%s%s", host != POLICY_NONE ? policy_host_name(a->policy, host) : "", text);
    return buf;
}

void audit_parent_text(const struct audit *a, const struct pinhole *p, char *buf, size_t size)
{
    char        from[256], to[256], at[256];
    const char *transport = p->transport == IPPROTO_TCP ? "TCP" : "UDP";
    const char *input = inputs_name(a->inputs, p->input);
    int         n = snprintf(buf, size, "%s, packet %llu of %s: ", pinhole_kind_name(p->kind), (unsigned long long)p->packet_number, input);

    if (n < 0 || (size_t)n >= size)
        return;
    buf += n;
    size -= (size_t)n;
    named(a, &p->announcer, from, sizeof(from));
    named(a, &p->requester, to, sizeof(to));
    named(a, &p->addr, at, sizeof(at));
    switch (p->kind) {
    case PINHOLE_EPM_MAP:
    case PINHOLE_EPM_LOOKUP:
        snprintf(buf, size, "the endpoint mapper of %s told %s that %s is on %s %u of %s", from, to, p->what, transport, p->port, at);
        break;
    case PINHOLE_DCOM_OXID:
        snprintf(buf, size, "%s told %s that its objects are on %s %u of %s", from, to, transport, p->port, at);
        break;
    case PINHOLE_SCCP_START:
        snprintf(buf, size, "%s told %s to send %s to %s %u of %s", from, to, p->what, transport, p->port, at);
        break;
    case PINHOLE_SCCP_START_ACK:
        snprintf(buf, size, "%s told %s that it sends %s from %s %u of %s", from, to, p->what, transport, p->port, at);
        break;
    default:
        snprintf(buf, size, "%s told %s that it takes %s%s on %s %u of %s", from, to, p->what, p->rtcp ? " control" : "", transport, p->port, at);
        break;
    }
}

/* --- promises outside the documented range that nobody used ------------------------------------------------- */

/* Only what a client asked for, or a caller offered: a list of everything that a host runs is no negotiation. */
static bool is_negotiation(const struct pinhole *p)
{
    return p->kind == PINHOLE_EPM_MAP || ((p->kind == PINHOLE_SIP_SDP || p->kind == PINHOLE_SCCP_OPEN_ACK) && !p->rtcp);
}

static struct policy_query query_of(const struct pinhole *p)
{
    struct policy_query q = {.direction_known = true, .negotiated = true, .media = is_media(p)};

    q.tuple = (struct tuple){.client = p->requester, .server = p->addr, .server_port = p->port, .transport = p->transport};
    q.app.basis = APP_CONTENT;
    q.app.contradicts = true;
    snprintf(q.app.name, sizeof(q.app.name), "%s", is_media(p) ? "RTP" : "DCE_RPC");
    return q;
}

static int by_server(const void *pa, const void *pb)
{
    const struct conversation *a = *(struct conversation *const *)pa, *b = *(struct conversation *const *)pb;
    int                        c = addr_compare(&a->key.server, &b->key.server);

    return c != 0 ? c : (a->key.server_port > b->key.server_port) - (a->key.server_port < b->key.server_port);
}

static bool was_used(struct conversation **sorted, size_t n, const struct pinhole *p)
{
    struct conversation key, *keyp = &key;

    memset(&key, 0, sizeof(key));
    key.key.server = p->addr;
    key.key.server_port = p->port;
    return n > 0 && bsearch(&keyp, sorted, n, sizeof(struct conversation *), by_server) != NULL;
}

static bool told_before(const struct audit *a, size_t i)
{
    const struct pinhole *items = a->announcements.items;

    /* Sorted by endpoint: the same promise stands beside this one. */
    for (size_t k = i; k > 0 && items[k - 1].port == items[i].port && addr_compare(&items[k - 1].addr, &items[i].addr) == 0; k--)
        if (is_negotiation(&items[k - 1]) && addr_compare(&items[k - 1].requester, &items[i].requester) == 0)
            return true;
    return false;
}

int audit_unused_promises(struct audit *a, promise_fn *fn, struct err *reterr)
{
    struct conversation **sorted = calloc(a->n_conversations + 1, sizeof(struct conversation *));
    int                   rc = 0;

    if (sorted == NULL)
        return err_set(reterr, -ENOMEM, "no memory for negotiated ports");
    memcpy(sorted, a->conversations, a->n_conversations * sizeof(struct conversation *));
    if (a->n_conversations > 1)
        qsort(sorted, a->n_conversations, sizeof(struct conversation *), by_server);
    for (size_t i = 0; rc == 0 && i < a->announcements.n; i++) {
        const struct pinhole *p = &a->announcements.items[i];
        struct judgement      j;

        if (!is_negotiation(p) || was_used(sorted, a->n_conversations, p) || told_before(a, i))
            continue;
        struct policy_query q = query_of(p);
        policy_judge(a->policy, &q, &j);
        if (j.verdict == VERDICT_VIOLATION && j.kind == FINDING_WRONG_PORT)
            rc = fn(a, p, &j);
    }
    free(sorted);
    return rc;
}
