/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stopped the attempts that failed: words that no flow can find alone, settled once all conversations are merged.
 *
 * A RST in a host's name is held against the TTLs of what that host surely sent: to the same peer if it spoke with it, else to
 * anyone.  To the same peer, captured at the same place, any other TTL is another sender's (unless one place shows packets on both sides of a
 * router); to others, or at other places, the way may be longer, so only another initial value is.  Like the host's own is a RST only by what
 * was captured at the same place, and where that may be several places only if all of it has one TTL.  Of a host that was never seen otherwise
 * nothing can be said.
 *
 * Silence is an answer only where the answer could have been seen.  An allowed attempt is 'unanswered' if
 *   - packets from this server to this client are in the capture, or else
 *   - nothing shows that this direction is hidden (a TCP client that goes on as if it were answered shows it), and
 *     some hosts of both networks (/24, /64), or both hosts with anyone, are seen to speak both ways.
 * Otherwise it is 'one-way', as it is where the client itself took it back with a RST before an answer was due.  Violations keep 'unanswered',
 * and have no disposition where the silence tells nothing (of the same kind, or nothing shows the way back where the capture is one-sided).
 *
 * UDP one way has none either, for nothing shows that it got through, nor that it did not; but for media by its content, and what the document says that
 * nobody answers, which are taken for got through where nothing stopped them, and an error of the receiver, which is seen to send, to this sender could
 * have been seen.
 *
 * In a capture of which too many TCP flows have one direction only, no silence tells anything but of a SYN that was sent again.  It tells nothing either
 * where no packet to the client was captured at all, from anyone, for the tap may not hear that way, unless the client sent its SYN again; nor of a single
 * SYN; nor, of UDP that is forbidden, where the server sent nothing at all, to anyone.  And where as many of the same client's flows to the same UDP port
 * were answered as were not, the answers to these may have passed uncaptured, though no loss is known.  Nor is an answer due yet at the end of the capture.
 *
 * Nobody needs to answer a datagram (Syslog, a trap, NetFlow): one that is forbidden was rejected only if an error tells that it did not arrive, or if
 * it asks again and again what its protocol has an answer for.  What looks like an answer is due none.  Where packets are known to be lost, the answer may
 * be one of them: of a datagram in any case, of a SYN unless it came so often, over seconds, that not all of its answers are likely to be.  So may the
 * error be that media one way would have drawn, and it may be one that was cut before the ports.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

/* What 'from' was seen to send to 'to'. */
struct sight {
    struct addr      from, to;
    struct ttl_seen  ttl[N_TTL_PLACES];
    bool             seen;   /* any packet */
    bool             hidden; /* 'to' acts on packets that are not in the capture */
};

/* The same for one host and all its peers. */
struct sender {
    struct addr      addr;
    struct ttl_seen  ttl[N_TTL_PLACES];
    bool             both_ways; /* some peer of it was seen to answer, or was answered */
    bool             seen, hidden; /* something of it is in the capture; a peer went on as if it had answered */
    bool             heard, deaf;  /* something to it is; it went on as if others had answered */
};

/* UDP flows of a client to a port of which the capture has packets of the server. */
struct answered {
    struct addr client, server;
    uint16_t    port;
    uint64_t    flows;   /* that were answered: packets of both sides are there */
    uint64_t    answers; /* answers alone: what asked for them was not captured */
    uint64_t    unclear; /* packets of the server alone, of which nothing shows that they are answers */
};

struct evidence {
    struct sight  *sights;   /* sorted by (from, to) */
    struct sender *senders;  /* sorted */
    struct sight  *networks; /* between whose hosts both directions are seen: sorted by (from, to) */
    size_t         n_sights, n_senders, n_networks;
    struct answered *answered; /* sorted */
    size_t         n_answered;
    bool           needed;   /* some attempt failed in a way that others' packets explain; else nothing is gathered */
    bool           routed;   /* some place shows packets twice, with a router between */
    bool           vague;    /* what is taken for one place may be several */
};

static int by_ends(const void *pa, const void *pb)
{
    const struct sight *a = pa, *b = pb;
    int                 c = addr_compare(&a->from, &b->from);

    return c != 0 ? c : addr_compare(&a->to, &b->to);
}

static int by_sender(const void *pa, const void *pb)
{
    return addr_compare(&((const struct sender *)pa)->addr, &((const struct sender *)pb)->addr);
}

/* Sorts, and makes one of those with equal ends. */
static size_t unite(struct sight *s, size_t n)
{
    size_t kept = 0;

    qsort(s, n, sizeof(*s), by_ends);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || by_ends(&s[kept - 1], &s[i]) != 0) {
            s[kept++] = s[i];
            continue;
        }
        ttl_seen_join(s[kept - 1].ttl, s[i].ttl);
        s[kept - 1].seen |= s[i].seen;
        s[kept - 1].hidden |= s[i].hidden;
    }
    return kept;
}

static const struct sight *find_sight(const struct evidence *e, const struct addr *from, const struct addr *to)
{
    struct sight key = {.from = *from, .to = *to};

    return bsearch(&key, e->sights, e->n_sights, sizeof(key), by_ends);
}

static const struct sender *find_sender(const struct evidence *e, const struct addr *a)
{
    struct sender key = {.addr = *a};

    return bsearch(&key, e->senders, e->n_senders, sizeof(key), by_sender);
}

static int by_client_and_port(const void *pa, const void *pb)
{
    const struct answered *a = pa, *b = pb;
    int                    c = addr_compare(&a->client, &b->client);

    if (c == 0)
        c = addr_compare(&a->server, &b->server);
    return c != 0 ? c : a->port - b->port;
}

static struct answered answered_key(const struct conversation *c)
{
    return (struct answered){.client = c->key.client, .server = c->key.server, .port = c->key.server_port};
}

static void add_answered(struct evidence *e, const struct conversation *c)
{
    if (c->key.transport != IPPROTO_UDP || c->packets[1] == 0 || c->key.outcome == OUTCOME_UNANSWERED)
        return;
    struct answered *at = &e->answered[e->n_answered++];
    bool             alone = c->packets[0] == 0;

    *at = answered_key(c);
    at->flows = alone ? 0 : c->flows;
    at->answers = alone ? c->answers : 0;
    at->unclear = alone ? c->flows - c->answers : 0;
}

/* Of the same client to the same port, in whatever content. */
static void note_answered(const struct evidence *e, struct conversation *c)
{
    struct answered key = answered_key(c), *found = NULL;

    if (c->key.transport == IPPROTO_UDP)
        found = bsearch(&key, e->answered, e->n_answered, sizeof(key), by_client_and_port);
    c->answered = found != NULL ? found->flows : 0;
    c->unasked = found != NULL ? found->answers : 0;
    c->unclear = found != NULL ? found->unclear : 0;
}

static void unite_answered(struct evidence *e)
{
    size_t kept = 0;

    qsort(e->answered, e->n_answered, sizeof(*e->answered), by_client_and_port);
    for (size_t i = 0; i < e->n_answered; i++) {
        if (kept == 0 || by_client_and_port(&e->answered[kept - 1], &e->answered[i]) != 0) {
            e->answered[kept++] = e->answered[i];
            continue;
        }
        e->answered[kept - 1].flows += e->answered[i].flows;
        e->answered[kept - 1].answers += e->answered[i].answers;
        e->answered[kept - 1].unclear += e->answered[i].unclear;
    }
    e->n_answered = kept;
}

/* The /24 or /64 of an address. */
static struct addr network_of(const struct addr *a)
{
    struct addr net = *a;
    size_t      keep = addr_is_ipv4(a) ? 15 : 8;

    memset(net.bytes + keep, 0, sizeof(net.bytes) - keep);
    return net;
}

static bool concerns_site(const struct audit *a, const struct conversation *c)
{
    return policy_host(a->policy, &c->key.client) != POLICY_NONE || policy_host(a->policy, &c->key.server) != POLICY_NONE;
}

/* TCP beyond the SYN, or a datagram's answer, of one side alone. */
static bool is_one_sided(const struct conversation *c)
{
    bool tcp = c->key.transport == IPPROTO_TCP;

    return c->key.outcome == OUTCOME_ONE_WAY && !c->group && !c->answers_group &&
           (c->packets[0] == 0 || (tcp && c->packets[1] == 0));
}

static void add_sights(struct evidence *e, const struct conversation *c)
{
    for (unsigned side = 0; side < 2; side++) {
        struct sight s = {
            .from = side == 0 ? c->key.client : c->key.server,
            .to = side == 0 ? c->key.server : c->key.client,
            .seen = c->packets[side] > 0,
            .hidden = c->one_sided && c->packets[side] == 0,
        };

        memcpy(s.ttl, c->ttl[side], sizeof(s.ttl));
        if (s.seen || s.hidden)
            e->sights[e->n_sights++] = s;
    }
}

/* Hosts and networks with traffic both ways. */
static void summarize(struct evidence *e)
{
    for (size_t i = 0; i < e->n_sights; i++) {
        const struct sight *s = &e->sights[i], *back = find_sight(e, &s->to, &s->from);
        bool                both = s->seen && back != NULL && back->seen;

        if (e->n_senders == 0 || addr_compare(&e->senders[e->n_senders - 1].addr, &s->from) != 0)
            e->senders[e->n_senders++] = (struct sender){.addr = s->from};
        struct sender *sender = &e->senders[e->n_senders - 1];
        ttl_seen_join(sender->ttl, s->ttl);
        sender->both_ways |= both;
        sender->seen |= s->seen;
        sender->hidden |= s->hidden;
        if (both)
            e->networks[e->n_networks++] = (struct sight){.from = network_of(&s->from), .to = network_of(&s->to)};
    }
    e->n_networks = unite(e->networks, e->n_networks);
    for (size_t i = 0; i < e->n_sights; i++) {
        struct sender key = {.addr = e->sights[i].to};
        struct sender *to = bsearch(&key, e->senders, e->n_senders, sizeof(key), by_sender);

        if (to == NULL)
            continue;
        to->heard |= e->sights[i].seen;
        to->deaf |= e->sights[i].hidden;
    }
}

static void evidence_free(struct evidence *e)
{
    free(e->sights);
    free(e->senders);
    free(e->networks);
    free(e->answered);
}

static bool is_allowed(const struct conversation *c)
{
    return c->key.verdict == VERDICT_ALLOWED || c->key.verdict == VERDICT_UNDOCUMENTED;
}

/* UDP to one host, of which nothing came back and nothing needs to. */
static bool is_datagrams_one_way(const struct conversation *c)
{
    return c->key.outcome == OUTCOME_ONE_WAY && c->key.transport == IPPROTO_UDP && c->packets[0] > 0 && c->packets[1] == 0 && !c->group;
}

/* Is it one that settle_resets() or settle_silence() looks for evidence for? */
static bool needs_evidence(const struct conversation *c)
{
    if (c->key.summed != SUM_NONE)
        return false;
    return (c->key.outcome == OUTCOME_REFUSED && ttl_seen_rst(c->ttl[1]).min != 0) || c->key.outcome == OUTCOME_UNANSWERED || is_datagrams_one_way(c);
}

static int evidence_gather(struct audit *a, struct evidence *e, struct err *reterr)
{
    e->vague = inputs_go_on(a->inputs);
    for (size_t i = 0; i < a->n_conversations && !e->needed; i++)
        e->needed = needs_evidence(a->conversations[i]);
    size_t room = e->needed ? 2 * a->n_conversations + 1 : 1;

    e->sights = calloc(room, sizeof(*e->sights));
    e->senders = calloc(room, sizeof(*e->senders));
    e->networks = calloc(room, sizeof(*e->networks));
    e->answered = calloc(e->needed ? a->n_conversations + 1 : 1, sizeof(*e->answered));
    if (e->sights == NULL || e->senders == NULL || e->networks == NULL || e->answered == NULL)
        return err_set(reterr, -ENOMEM, "no memory to compare %zu conversations", a->n_conversations);
    for (size_t i = 0; i < a->n_conversations; i++) {
        struct conversation *c = a->conversations[i];

        e->routed |= c->routed;
        if (c->key.summed != SUM_NONE || c->group || !concerns_site(a, c))
            continue;
        c->one_sided = is_one_sided(c);
        if (e->needed) {
            add_sights(e, c);
            add_answered(e, c);
        }
        if (c->key.transport == IPPROTO_TCP && (c->one_sided || c->key.outcome == OUTCOME_ESTABLISHED)) {
            /* A RST alone shows no session, nor does what begins and answers nothing. */
            uint64_t sessions = c->flows - (c->one_sided ? c->lone_resets + c->bare : 0);

            a->coverage.sessions += sessions;
            a->coverage.one_sided += c->one_sided ? sessions : 0;
            a->coverage.resets += c->one_sided ? c->lone_resets : 0;
        }
    }
    e->n_sights = unite(e->sights, e->n_sights);
    unite_answered(e);
    summarize(e);
    return 0;
}

/* --- RSTs ---------------------------------------------------------------------------------------------------- */

/* Is all of 'rst' beyond all of 'own'?  With 'initial' only values that other stacks begin with count. */
static bool apart(const struct ttl_range *rst, const struct ttl_range *own, bool initial)
{
    if (initial)
        return ttl_initial(rst->max) < ttl_initial(own->min) || ttl_initial(rst->min) > ttl_initial(own->max);
    return rst->max < own->min || rst->min > own->max;
}

/* What the server sent where the RSTs of one place were seen: 'near', to this client there, or 'far', elsewhere or to others. */
struct beside {
    struct ttl_range near, near_others, far;
};

static void beside_of(const struct evidence *e, const struct conversation *c, uint16_t place, struct beside *ret)
{
    const struct sight  *s = find_sight(e, &c->key.server, &c->key.client);
    const struct sender *sender = find_sender(e, &c->key.server);

    *ret = (struct beside){{0, 0}, {0, 0}, {0, 0}};
    if (s != NULL) {
        ret->near = ttl_seen_own_at(s->ttl, place);
        ret->far = ttl_seen_own(s->ttl);
    }
    if (sender != NULL) {
        ret->near_others = ttl_seen_own_at(sender->ttl, place);
        if (ret->far.min == 0)
            ret->far = ttl_seen_own(sender->ttl);
    }
}

/* Did something else send the RSTs of this place?  Then 'own' gets what the server itself sends. */
static bool is_foreign_at(const struct evidence *e, const struct conversation *c, const struct ttl_seen *at, struct ttl_range *own)
{
    struct beside b;

    beside_of(e, c, at->place, &b);
    const struct ttl_range *held_against = b.near.min != 0 ? &b.near : &b.far;
    if (held_against->min == 0 || !apart(&at->rst, held_against, b.near.min == 0 || e->routed))
        return false;
    ttl_range_join(own, held_against);
    return true;
}

/* Have they a TTL that the server's packets to this client, or where none got through those to others, have there too?  Then they look like its own. */
static bool is_alike_at(const struct evidence *e, const struct conversation *c, const struct ttl_seen *at, struct ttl_range *own)
{
    struct beside b;

    beside_of(e, c, at->place, &b);
    const struct ttl_range *near = b.near.min != 0 ? &b.near : &b.near_others;
    bool vague = e->vague || e->routed || (at->place & TTL_PLACE_VAGUE) != 0;
    if (near->min == 0 || at->rst.min < near->min || at->rst.max > near->max || (vague && near->min != near->max))
        return false;
    ttl_range_join(own, near);
    return true;
}

typedef bool settle_fn(const struct evidence *, const struct conversation *, const struct ttl_seen *, struct ttl_range *);

/* Is it so of the RSTs in the server's name at each place that has any? */
static bool is_so(const struct evidence *e, const struct conversation *c, settle_fn *fn, struct ttl_range *ret_own)
{
    unsigned n = 0;

    *ret_own = (struct ttl_range){0, 0};
    for (unsigned i = 0; i < N_TTL_PLACES; i++) {
        const struct ttl_seen *at = &c->ttl[1][i];

        if (at->rst.min != 0 && !fn(e, c, at, ret_own))
            return false;
        n += at->rst.min != 0;
    }
    return n > 0;
}

/* Was the server seen at several places, and each RST in its name held against what it sent at the RST's own? */
static bool is_beside(const struct evidence *e, const struct conversation *c)
{
    const struct sender *sender = find_sender(e, &c->key.server);
    bool                 several = sender != NULL && (sender->ttl[1].own.min != 0 || sender->ttl[1].rst.min != 0);

    for (unsigned i = 0; several && i < N_TTL_PLACES; i++) {
        struct beside b;

        beside_of(e, c, c->ttl[1][i].place, &b);
        several = c->ttl[1][i].rst.min == 0 || ((c->ttl[1][i].place & TTL_PLACE_VAGUE) == 0 && (b.near.min != 0 || b.near_others.min != 0));
    }
    return several;
}

static void settle_resets(const struct evidence *e, struct conversation *c)
{
    struct ttl_range own;

    if (c->key.outcome == OUTCOME_REFUSED && is_so(e, c, is_foreign_at, &own)) {
        c->key.outcome = OUTCOME_PROHIBITED;
        c->own = own;
    } else if (c->key.outcome == OUTCOME_PROHIBITED && c->icmp == NULL && ttl_seen_rst(c->ttl[1]).min != 0) {
        c->own = ttl_seen_beside_rst(c->ttl[1]);
    } else if (c->key.outcome == OUTCOME_REFUSED && is_so(e, c, is_alike_at, &own)) {
        c->own = own;
    } else if (c->key.outcome == OUTCOME_REFUSED) { /* nothing to hold them against */
        for (unsigned i = 0; i < N_TTL_PLACES; i++)
            c->ttl[1][i].rst = (struct ttl_range){0, 0};
    }
    c->beside = c->own.min != 0 && is_beside(e, c);
}

/* --- silence --------------------------------------------------------------------------------------------------- */

/* Are packets from the server to the client, or more than those, known to be missing?  The least of it that is known. */
static enum unheard unheard_of(const struct evidence *e, const struct addr *server, const struct addr *client)
{
    const struct sight  *s = find_sight(e, server, client);
    const struct sender *a = find_sender(e, server), *b = find_sender(e, client);

    if (s != NULL && s->seen)
        return HEARD;
    if (a != NULL && a->hidden && !a->seen)
        return UNHEARD_SERVER;
    if (s != NULL && s->hidden)
        return UNHEARD_PAIR;
    return b != NULL && b->deaf && !b->heard ? UNHEARD_CLIENT : HEARD;
}

/* Could a packet from the server to the client have been seen? */
static bool could_be_seen(const struct evidence *e, const struct addr *server, const struct addr *client)
{
    const struct sight  *s = find_sight(e, server, client);
    const struct sender *a = find_sender(e, server), *b = find_sender(e, client);
    struct sight         networks = {.from = network_of(server), .to = network_of(client)};

    if (s != NULL && s->seen)
        return true;
    if (unheard_of(e, server, client) != HEARD)
        return false;
    if (a != NULL && a->both_ways && b != NULL && b->both_ways)
        return true;
    return bsearch(&networks, e->networks, e->n_networks, sizeof(networks), by_ends) != NULL;
}

/* The client took every attempt back before an answer was due. */
static bool withdrew_soon(const struct conversation *c)
{
    return c->flows > 0 && c->withdrawn == c->flows && c->withdrawn_ns < POLICY_ANSWER_WITHIN_NS;
}

/* The same where nothing is known of these two, and of others one direction is missing. */
static enum unheard unheard_in(const struct evidence *e, const struct audit *a, const struct conversation *c)
{
    enum unheard u = unheard_of(e, &c->key.server, &c->key.client);

    return u == HEARD && coverage_is_one_sided(&a->coverage) && !could_be_seen(e, &c->key.server, &c->key.client) ? UNHEARD_WAY : u;
}

/* Who sends its SYN again had no answer to it. */
static bool insists(const struct conversation *c)
{
    return c->key.transport == IPPROTO_TCP && c->packets[0] > c->flows + c->duplicates;
}

/* A single SYN: who has no answer sends another, so that something of it is not in the capture. */
static bool is_alone(const struct conversation *c)
{
    return c->key.transport == IPPROTO_TCP && c->packets[0] - c->duplicates < 2;
}

/* Was no packet to the client captured, of anyone? */
static bool is_deaf(const struct evidence *e, const struct conversation *c)
{
    const struct sender *client = find_sender(e, &c->key.client);

    return client == NULL || !client->heard;
}

/* Did the server send nothing, to anyone? */
static bool is_mute(const struct evidence *e, const struct conversation *c)
{
    const struct sender *server = find_sender(e, &c->key.server);

    return server == NULL || !server->seen;
}

/* Does silence tell nothing, though nothing shows that something is hidden? */
static bool is_faint(const struct evidence *e, const struct conversation *c)
{
    if (c->key.transport == IPPROTO_TCP)
        return !insists(c) && (is_deaf(e, c) || is_alone(c));
    return conversation_heard_of(c) >= c->flows || c->unasked > 0 || is_deaf(e, c) || (!is_allowed(c) && is_mute(e, c));
}

/* Is no answer due: to media by its content, or where the document says so and nothing shows other content? */
static bool needs_no_answer(const struct audit *a, const struct conversation *c)
{
    return policy_is_media(a->policy, c->app) ||
           (is_allowed(c) && policy_row_unanswered(a->policy, c->judgement.row, c->app, c->tuple.transport, c->tuple.server_port));
}

/* Is it what nobody answers, and would be seen to be stopped? */
static bool is_one_way_heard(const struct evidence *e, const struct audit *a, const struct conversation *c)
{
    return needs_no_answer(a, c) && c->unheard == HEARD && !is_deaf(e, c) && !is_mute(e, c) && could_be_seen(e, &c->key.server, &c->key.client);
}

static void settle_silence(const struct evidence *e, const struct audit *a, struct conversation *c)
{
    bool allowed = is_allowed(c);

    c->unheard = HEARD;
    c->answered = c->unasked = c->unclear = 0;
    if (is_datagrams_one_way(c)) {
        c->unheard = (uint8_t)unheard_in(e, a, c);
        c->untold = is_one_way_heard(e, a, c) ? c->untold : c->flows;
    }
    if (c->key.outcome != OUTCOME_UNANSWERED)
        return;
    if (!allowed)
        c->unheard = (uint8_t)unheard_in(e, a, c);
    note_answered(e, c);
    c->untold = is_faint(e, c) ? c->flows : c->untold;
    bool by_flow = coverage_is_one_sided(&a->coverage) && !insists(c); /* a mirror that takes some flows of two hosts one way */
    bool hidden = allowed && !insists(c) && (is_deaf(e, c) || (is_alone(c) && !coverage_ends_before_answer(&a->coverage, c->first_ns)));
    if (!withdrew_soon(c) && !by_flow && !hidden && (allowed ? could_be_seen(e, &c->key.server, &c->key.client) : c->unheard == HEARD))
        return;
    c->untold = c->flows;
    if (allowed)
        c->key.outcome = OUTCOME_ONE_WAY;
}

/* An error after which the packet was not delivered: not a redirect or a source quench. */
static bool is_stopped(const struct flow_icmp *icmp)
{
    return icmp->n_errors > 0 && icmp->about_client_packet && (icmp->is_icmp6 || (icmp->type != 4 && icmp->type != 5));
}

/* Requests by their content, more than one of them in a flow: who has an answer does not ask again.  SIP asks more than one thing in a flow. */
static bool answer_is_due(const struct conversation *c)
{
    static const char *const names[] = {"DNS", "NTP", "Kerberos", "LDAP", "SNMP", "Radius"};
    bool                     trap = strcmp(c->app->name, "SNMP") == 0 && c->key.server_port == 162;

    if (c->key.summed != SUM_NONE || c->app->basis != APP_CONTENT || c->is_reply || trap || c->asked < 2)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(c->app->name, names[i]) == 0)
            return true;
    return false;
}

/* Where a query is lost its answer comes first, and looks like one: from a port that a row has to one that none has. */
static bool may_be_answer(const struct audit *a, const struct conversation *c)
{
    return c->key.summed == SUM_NONE && c->basis == DIRECTION_FIRST && c->client_port_low == c->client_port_high && policy_port_vote(a->policy, &c->tuple) < 0;
}

/* What would have come back may be lost: of a sum nobody knows how often each was tried. */
static bool may_be_lost(const struct audit *a, const struct conversation *c)
{
    return coverage_may_hide(&a->coverage, c->key.summed == SUM_NONE ? c->asked : 1);
}

/* Is anything known to be missing, however little: data that was acknowledged, or what an answer answers? */
static bool has_gaps(const struct audit *a)
{
    bool gaps = a->coverage.lost > 0 || a->coverage.unseen_bytes > 0;

    for (size_t i = 0; i < a->n_conversations && !gaps; i++)
        gaps = a->conversations[i]->answers > 0 && a->conversations[i]->packets[0] == 0;
    return gaps;
}

void audit_settle_unanswered(struct audit *a)
{
    bool lossy = coverage_is_lossy(&a->coverage), gaps = has_gaps(a);

    for (size_t i = 0; i < a->n_conversations; i++) {
        struct conversation *c = a->conversations[i];
        bool                 unanswered = c->key.outcome == OUTCOME_UNANSWERED && (c->asked_on > 0 || !is_stopped(conversation_icmp(c)));

        c->may_be_denied = is_datagrams_one_way(c) && audit_cut_to(a, &c->key.client) > 0;
        /* Of a sum nobody knows that all is media; of what went for less than a second, the only error may be missing. */
        if (c->may_be_denied || (is_datagrams_one_way(c) && (c->key.summed != SUM_NONE || (gaps && c->asked < 2))))
            c->untold = c->flows;
        if (unanswered && coverage_ends_before_answer(&a->coverage, c->undelivered > 0 ? c->last_ns : c->first_ns))
            c->untold = c->flows;
        if (((unanswered && c->key.transport == IPPROTO_TCP) || is_datagrams_one_way(c)) && may_be_lost(a, c))
            c->untold = c->flows;
        if (c->key.transport != IPPROTO_UDP || !unanswered || c->packets[1] > 0)
            continue;
        if (lossy || (!is_allowed(c) && !answer_is_due(c)) || c->answers == c->flows)
            c->untold = c->flows;
        c->may_be_answer = lossy && !is_allowed(c) && may_be_answer(a, c);
        if (c->may_be_answer)
            c->judgement.confidence = CONFIDENCE_INFERRED;
    }
}

/* Media that goes on at the beginning of the capture may be the rest of a call, and an error its end. */
static void settle_beginning(const struct audit *a, struct conversation *c)
{
    const struct flow_icmp *icmp = conversation_icmp(c);
    bool                    at_once = c->first_ns < ns_after(a->totals.first_ns, BEGINNING_NS);

    if (c->key.transport != IPPROTO_UDP || c->key.outcome != OUTCOME_REFUSED || c->flows != 1 || c->packets[1] > 0 || icmp->n_errors == 0 || !at_once ||
        policy_icmp_prohibits(icmp) || !policy_one_way(a->policy, &c->tuple))
        return;
    c->key.outcome = OUTCOME_ONE_WAY;
    c->stopped_late = c->untold = 1;
}

int audit_settle(struct audit *a, struct err *reterr)
{
    struct evidence e = {0};
    int             rc = evidence_gather(a, &e, reterr);

    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++) {
        struct conversation *c = a->conversations[i];

        if (c->key.summed != SUM_NONE)
            continue;
        settle_resets(&e, c);
        settle_silence(&e, a, c);
        settle_beginning(a, c);
    }
    evidence_free(&e);
    return rc;
}
