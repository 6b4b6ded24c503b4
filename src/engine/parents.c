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

static const struct pinhole *media_of(const struct audit *a, const struct conversation *c, const struct addr *addr, uint16_t port)
{
    const struct pinhole *p = announcements_find(&a->announcements, addr, port, IPPROTO_UDP, c->first_ns);

    return p != NULL && pinhole_is_media(p->kind) ? p : NULL;
}

/* Media may be told by either end, as each listens where it sends from; the end whose port breaks the rule comes first. */
static const struct pinhole *find_parent(const struct audit *a, const struct conversation *c)
{
    const struct tuple   *t = &c->tuple;
    bool                  one_port = t->transport == IPPROTO_UDP && c->client_port_low == c->client_port_high;
    const struct pinhole *p = one_port && c->judgement.back ? media_of(a, c, &t->client, t->client_port) : NULL;

    if (p == NULL)
        p = announcements_find(&a->announcements, &t->server, t->server_port, t->transport, c->first_ns);
    if (p == NULL && one_port)
        p = media_of(a, c, &t->client, t->client_port);
    return p;
}

static void judge_again(const struct audit *a, struct conversation *c)
{
    struct policy_query q;
    struct judgement    j;

    c->negotiated = true;
    c->media = pinhole_is_media(c->parent->kind);
    conversation_query(c, &q);
    policy_judge(a->policy, &q, &j);
    if (j.reversed)
        return;
    if (c->media && c->key.outcome == OUTCOME_UNANSWERED)
        c->key.outcome = OUTCOME_ONE_WAY; /* media is not answered in its own 5-tuple */
    c->judgement = j;
    c->key.verdict = (uint8_t)j.verdict;
    c->key.kind = (uint8_t)j.kind;
    c->key.row = j.row;
    c->key.back = j.back;
    c->key.confidence = (uint8_t)j.confidence;
}

static void join(const struct audit *a, struct conversation *c)
{
    if (c->key.summed != SUM_NONE || c->group || c->key.verdict == VERDICT_NOT_GOVERNED)
        return;
    if (c->key.transport == IPPROTO_TCP)
        c->bind = announcements_bind(&a->announcements, &c->key.server, c->key.server_port);
    /* A port that the document names needs nobody to name it: endpoint mappers list themselves. */
    bool dynamic = policy_dynamic_port(a->policy, c->judgement.row, c->key.transport, c->key.server_port);
    if (c->key.verdict == VERDICT_ALLOWED && !dynamic)
        return;
    c->parent = find_parent(a, c);
    if (c->parent != NULL)
        judge_again(a, c);
    else
        c->no_parent = dynamic && announcements_lost(&a->announcements) == 0;
}

int audit_gather_announcements(struct audit *a, struct err *reterr)
{
    for (size_t i = 0; i < a->n_parts; i++)
        if (a->parts[i]->announcements.n + announcements_lost(&a->parts[i]->announcements) > 0 &&
            announcements_merge(&a->announcements, &a->parts[i]->announcements) != 0)
            return err_set(reterr, -ENOMEM, "no memory to merge negotiated ports");
    announcements_sort(&a->announcements);
    return 0;
}

int audit_join_parents(struct audit *a, struct err *reterr)
{
    int rc = audit_gather_announcements(a, reterr);

    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++)
        join(a, a->conversations[i]);
    return rc;
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
    /* What was named is the media's port, and the other follows from it: where nothing named it, that is what is said. */
    bool        follows = p->rtcp && !p->rtcp_named;
    const char *control = p->rtcp_named ? " control (RTCP)" : "";
    uint16_t    port = (uint16_t)(p->port - follows);
    char        rtcp[96] = "";
    if (follows)
        snprintf(rtcp, sizeof(rtcp), "; its control (RTCP) goes to the port after it, UDP %u, by convention (RFC 3550, 11)", p->port);
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
        snprintf(buf, size, "%s told %s to send %s%s to %s %u of %s%s", from, to, p->what, control, transport, port, at, rtcp);
        break;
    case PINHOLE_SCCP_START_ACK:
        snprintf(buf, size, "%s told %s that it sends %s from %s %u of %s", from, to, p->what, transport, p->port, at);
        break;
    default:
        snprintf(buf, size, "%s told %s that it takes %s%s on %s %u of %s%s", from, to, p->what, control, transport, port, at, rtcp);
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
    struct policy_query q = {.direction_known = true, .negotiated = true, .media = pinhole_is_media(p->kind)};

    q.tuple = (struct tuple){.client = p->requester, .server = p->addr, .server_port = p->port, .transport = p->transport};
    q.app.basis = APP_CONTENT;
    q.app.contradicts = true;
    snprintf(q.app.name, sizeof(q.app.name), "%s", pinhole_is_media(p->kind) ? "RTP" : "DCE_RPC");
    return q;
}

struct endpoint {
    struct addr addr;
    uint16_t    port;
    uint8_t     transport;
};

static int by_endpoint(const void *pa, const void *pb)
{
    const struct endpoint *a = pa, *b = pb;
    int                    c = addr_compare(&a->addr, &b->addr);

    if (c != 0)
        return c;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    return (a->transport > b->transport) - (a->transport < b->transport);
}

/* Every endpoint at which something was seen: servers', and of datagrams the clients' too, for they may be media both ways. */
static struct endpoint *gather_endpoints(const struct audit *a, size_t *ret_n)
{
    struct endpoint *all = calloc(2 * a->n_conversations + 1, sizeof(*all));
    size_t           n = 0;

    for (size_t i = 0; all != NULL && i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];

        if (c->key.summed != SUM_NONE)
            continue;
        all[n++] = (struct endpoint){c->key.server, c->key.server_port, c->key.transport};
        if (c->key.transport == IPPROTO_UDP && c->client_port_low == c->client_port_high)
            all[n++] = (struct endpoint){c->key.client, c->client_port_low, c->key.transport};
    }
    if (n > 1)
        qsort(all, n, sizeof(*all), by_endpoint);
    *ret_n = n;
    return all;
}

/* Promises that were kept, by the packet that made them: one answer may name several ports, of which the client needs one. */
static int by_packet(const void *pa, const void *pb)
{
    const struct pinhole *a = *(const struct pinhole *const *)pa, *b = *(const struct pinhole *const *)pb;

    if (a->input != b->input)
        return a->input < b->input ? -1 : 1;
    if (a->packet_number != b->packet_number)
        return a->packet_number < b->packet_number ? -1 : 1;
    return 0;
}

static int by_packet_and_place(const void *pa, const void *pb)
{
    const struct pinhole *a = *(const struct pinhole *const *)pa, *b = *(const struct pinhole *const *)pb;
    int                   c = by_packet(pa, pb);

    return c != 0 ? c : a < b ? -1 : a > b;
}

static bool is_used(const struct endpoint *used, size_t n, const struct pinhole *p)
{
    struct endpoint at = {p->addr, p->port, p->transport};

    return n > 0 && bsearch(&at, used, n, sizeof(*used), by_endpoint) != NULL;
}

static const struct pinhole **gather_kept(const struct audit *a, const struct endpoint *used, size_t n_used, size_t *ret_n)
{
    const struct pinhole **all = calloc(a->announcements.n + 1, sizeof(const struct pinhole *));
    size_t                 n = 0;

    for (size_t i = 0; all != NULL && i < a->announcements.n; i++)
        if (a->announcements.items[i].kind == PINHOLE_EPM_MAP && is_used(used, n_used, &a->announcements.items[i]))
            all[n++] = &a->announcements.items[i];
    if (n > 1)
        qsort(all, n, sizeof(const struct pinhole *), by_packet_and_place);
    *ret_n = n;
    return all;
}

/* Another port that the same answer named, and that was used; or NULL. */
static const struct pinhole *kept_instead(const struct pinhole *const *kept, size_t n, const struct pinhole *p)
{
    const struct pinhole *const *found = n > 0 ? bsearch(&p, kept, n, sizeof(const struct pinhole *), by_packet) : NULL;

    while (found != NULL && found > kept && by_packet(found - 1, &p) == 0)
        found--;
    return found != NULL ? *found : NULL;
}

#define MAX_TOLD 64       /* how far back the same promise is looked for */
#define MAX_PROMISES 1000 /* findings of promises that nobody used; a host that makes more is found by these */

static bool told_before(const struct audit *a, size_t i)
{
    const struct pinhole *items = a->announcements.items;

    /* Sorted by endpoint: the same promise stands beside this one. */
    for (size_t k = i; k > 0 && i - k < MAX_TOLD && items[k - 1].port == items[i].port && addr_compare(&items[k - 1].addr, &items[i].addr) == 0; k--)
        if (is_negotiation(&items[k - 1]) && addr_compare(&items[k - 1].requester, &items[i].requester) == 0)
            return true;
    return false;
}

int audit_unused_promises(struct audit *a, promise_fn *fn, struct err *reterr)
{
    size_t                 n, n_kept = 0;
    struct endpoint       *used = gather_endpoints(a, &n);
    const struct pinhole **kept = used != NULL ? gather_kept(a, used, n, &n_kept) : NULL;
    int                    rc = 0;

    if (kept == NULL) {
        free(used);
        return err_set(reterr, -ENOMEM, "no memory for negotiated ports");
    }
    for (size_t i = 0, n_told = 0; rc == 0 && i < a->announcements.n && n_told < MAX_PROMISES; i++) {
        const struct pinhole *p = &a->announcements.items[i];
        struct judgement      j;

        if (!is_negotiation(p) || is_used(used, n, p) || told_before(a, i))
            continue;
        struct policy_query q = query_of(p);
        policy_judge(a->policy, &q, &j);
        if (j.verdict == VERDICT_VIOLATION && j.kind == FINDING_WRONG_PORT) {
            rc = fn(a, p, kept_instead(kept, n_kept, p), &j);
            n_told++;
        }
    }
    free(kept);
    free(used);
    return rc;
}
