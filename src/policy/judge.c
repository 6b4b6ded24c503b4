/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy says of one flow.  The order of the questions is the order of policy.h.
 *
 * Row numbers are positions in the document, so "the first row" is the one that a reader of the document meets first.
 */
#include <netinet/in.h>

#include "private.h"

const struct port_range *row_port(const struct applied_row *a, uint8_t transport, uint16_t port)
{
    for (size_t i = 0; i < a->n_ports; i++)
        if (a->ports[i].transport == transport && a->ports[i].low <= port && port <= a->ports[i].high)
            return &a->ports[i];
    return NULL;
}

/* --- content -------------------------------------------------------------------------------------------- */

static bool satisfies(const struct policy *p, const struct app *app, unsigned protocol)
{
    const char *name = p->protocols[protocol];

    return p->options.satisfies != NULL ? p->options.satisfies(app, name) : strcmp(app->name, name) == 0;
}

static bool satisfies_any(const struct policy *p, const struct app *app, const struct set256 *protocols)
{
    if (app->basis != APP_CONTENT)
        return false;
    for (unsigned i = 0; (i = set_next(protocols, i)) < SET_MAX; i++)
        if (satisfies(p, app, i))
            return true;
    return false;
}

bool policy_satisfies(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    return satisfies_any(p, app, &a->protocols);
}

bool policy_is_media(const struct policy *p, const struct app *app)
{
    return satisfies_any(p, app, &p->media);
}

bool content_contradicts(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    return app->basis == APP_CONTENT && app->contradicts && !set_is_empty(&a->protocols) && !policy_satisfies(p, app, a);
}

/* --- ways ------------------------------------------------------------------------------------------------- */

/* Two addresses of one block are two machines; two addresses listed one by one are one machine's. */
static bool are_distinct(const struct host_interval *c, const struct host_interval *s, const struct tuple *t)
{
    if (c == NULL || s == NULL || c->host != s->host)
        return true;
    return (c->block || s->block) && addr_compare(&t->client, &t->server) != 0;
}

void policy_locate(const struct policy *p, const struct tuple *t, struct policy_ends *ret)
{
    const struct host_interval *c = interval_map_find(&p->host_map, &t->client);
    const struct host_interval *s = interval_map_find(&p->host_map, &t->server);

    *ret = (struct policy_ends){
        .client = c != NULL ? c->host : POLICY_NONE,
        .server = s != NULL ? s->host : POLICY_NONE,
        .distinct = are_distinct(c, s, t),
        .ignored = p->ignore_map.n > 0 && (policy_ignored(p, &t->client, NULL) || policy_ignored(p, &t->server, NULL)),
    };
}

struct way way_between(const struct policy *p, const struct policy_ends *e, const struct tuple *t)
{
    return (struct way){
        .client = e->client,
        .server = e->server,
        .distinct = e->distinct,
        .from = &host_group(p, e->client)->roles,
        .to = &host_group(p, e->server)->roles,
        .transport = t->transport,
        .port = t->server_port,
    };
}

struct way way_there(const struct policy *p, const struct tuple *t)
{
    struct policy_ends ends;

    policy_locate(p, t, &ends);
    return way_between(p, &ends, t);
}

struct way way_back(const struct way *w, uint16_t client_port)
{
    struct way back = *w;

    back.client = w->server;
    back.server = w->client;
    back.from = w->to;
    back.to = w->from;
    back.port = client_port;
    return back;
}

struct policy_query query_turned(const struct policy_query *q)
{
    struct policy_query r = *q;

    r.tuple = (struct tuple){q->tuple.server, q->tuple.client, q->tuple.server_port, q->tuple.client_port, q->tuple.transport};
    r.sent[0] = q->sent[1];
    r.sent[1] = q->sent[0];
    r.negotiated = false;
    return r;
}

/* --- scope ------------------------------------------------------------------------------------------------- */

/* Is there any row from one to the other, whatever its port and options? */
static bool roles_meet(const struct policy *p, const struct way *w)
{
    struct pair_walk walk = pair_walk(p, w->from, w->to);

    return pair_next(&walk) != NULL;
}

static bool in_scope(const struct policy *p, const struct way *w)
{
    struct way back = way_back(w, 0);

    if (sets_meet(w->from, &p->governed) || sets_meet(w->to, &p->governed))
        return true;
    return roles_meet(p, w) || roles_meet(p, &back);
}

/* --- rows on a port ------------------------------------------------------------------------------------------ */

static void take_first(uint32_t *best, uint32_t row)
{
    if (row < *best)
        *best = row;
}

/* What the rows of one direction come to: the first of each kind, POLICY_NONE where there is none. */
struct answer {
    uint32_t allowed;
    bool     confirmed;    /* some row that allows it is confirmed by content */
    bool     only_wide;    /* every row that allows it wants a notice */
    uint32_t media;        /* media row that would allow this direction */
    bool     media_confirmed;
    uint32_t contradicted; /* port fits, content does not */
    uint32_t off;          /* an option turns it off */
};

static void take_row(const struct policy *p, const struct app *app, uint32_t r, struct answer *a)
{
    const struct applied_row *row = &p->rows[r];
    bool                      contradicted = content_contradicts(p, app, row), fits = policy_satisfies(p, app, row);

    if (!row->enabled) {
        if (row->off_option != POLICY_NONE && !contradicted)
            take_first(&a->off, r);
    } else if (contradicted) {
        take_first(&a->contradicted, r);
    } else if (row->row->media) {
        take_first(&a->media, r);
        a->media_confirmed |= fits;
    } else {
        take_first(&a->allowed, r);
        a->confirmed |= fits;
        a->only_wide &= row->wide_option != POLICY_NONE;
    }
}

static struct answer ask(const struct policy *p, const struct way *w, const struct app *app)
{
    struct answer           a = {.allowed = POLICY_NONE, .only_wide = true, .media = POLICY_NONE, .contradicted = POLICY_NONE,
                                 .off = POLICY_NONE};
    struct pair_walk        walk = pair_walk_at(p, w);
    const struct role_pair *pair;

    while ((pair = pair_next(&walk)) != NULL) {
        struct row_list list = pair_rows(pair, w->transport, w->port);

        for (uint32_t i = 0; i < list.n; i++)
            if (row_other_ok(&p->rows[list.rows[i]], w->distinct))
                take_row(p, app, list.rows[i], &a);
    }
    return a;
}

/* The first enabled row from some of these roles to some of those on the way's port that the content does not contradict. */
static uint32_t fitting_row(const struct policy *p, const struct way *w, const struct set256 *from, const struct set256 *to,
                            const struct app *app)
{
    struct way    other = *w;
    struct answer a;

    other.from = from;
    other.to = to;
    a = ask(p, &other, app);
    return a.media < a.allowed ? a.media : a.allowed;
}

/* --- rows whatever their port ---------------------------------------------------------------------------------- */

static void take_firsts(const struct first_rows *f, bool distinct, uint32_t *best)
{
    for (size_t i = 0; i < f->n; i++)
        if (distinct || !f->items[i].other)
            take_first(best, f->items[i].row);
}

static uint32_t media_row(const struct policy *p, const struct way *w)
{
    struct pair_walk        walk = pair_walk(p, w->from, w->to);
    const struct role_pair *pair;
    uint32_t                best = POLICY_NONE;

    while ((pair = pair_next(&walk)) != NULL)
        take_firsts(&pair->media, w->distinct, &best);
    return best;
}

static uint32_t lost_row(const struct policy *p, const struct way *w)
{
    struct pair_walk        walk = pair_walk(p, w->from, w->to);
    const struct role_pair *pair;
    uint32_t                best = POLICY_NONE;

    while ((pair = pair_next(&walk)) != NULL)
        take_firsts(&pair->lost, w->distinct, &best);
    return best;
}

/* A row that expects the content seen, between these ends in this direction, on whatever port: for a port beyond the
 * privileged ones rather a row with a range.  None of content that may not be all that the flow is (TLS behind what was not seen). */
static uint32_t row_for_content(const struct policy *p, const struct way *w, const struct app *app)
{
    struct pair_walk        walk = pair_walk(p, w->from, w->to);
    const struct role_pair *pair;
    uint32_t                best[2] = {POLICY_NONE, POLICY_NONE}; /* without, with a range */

    while (app->basis == APP_CONTENT && app->contradicts && (pair = pair_next(&walk)) != NULL)
        for (size_t i = 0; i < pair->expects.n; i++) {
            const struct first_row *f = &pair->expects.items[i];

            if ((w->distinct || !f->other) && f->row < best[f->key % 2] && satisfies(p, app, f->key / 2))
                best[f->key % 2] = f->row;
        }
    if (w->port >= POLICY_FIRST_FREE_PORT && best[1] != POLICY_NONE)
        return best[1];
    return best[0] < best[1] ? best[0] : best[1];
}

/* A row that might allow this, if the site gave the list of ports that it needs. */
static uint32_t unlisted_row(const struct policy *p, const struct way *w, const struct app *app)
{
    struct pair_walk        walk = pair_walk(p, w->from, w->to);
    const struct role_pair *pair;
    uint32_t                best = POLICY_NONE;

    while ((pair = pair_next(&walk)) != NULL)
        for (size_t i = 0; i < pair->unlisted.n; i++)
            if ((w->distinct || !pair->unlisted.items[i].other) &&
                !content_contradicts(p, app, &p->rows[pair->unlisted.items[i].row]))
                take_first(&best, pair->unlisted.items[i].row);
    return best;
}

/* --- verdicts ---------------------------------------------------------------------------------------------------- */

static void set_violation(struct judgement *j, enum finding_kind kind, uint32_t row)
{
    j->verdict = VERDICT_VIOLATION;
    j->kind = kind;
    j->row = row;
}

/* A row other than media allows it.  A media row that stands before it in the document is named where it allows it as well. */
static void allow(const struct policy *p, const struct policy_query *q, const struct answer *a, struct judgement *j)
{
    bool media = a->media < a->allowed && !q->sent[1];

    j->verdict = VERDICT_ALLOWED;
    j->row = media ? a->media : a->allowed;
    j->confidence = a->confirmed || (media && a->media_confirmed) ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
    if (!media && a->only_wide && !q->negotiated) {
        j->kind = FINDING_WRONG_PORT;
        j->severity = SEVERITY_NOTICE;
        j->option = p->rows[j->row].wide_option;
    }
}

/* One direction of media. */
static void judge_media_way(const struct policy *p, const struct policy_query *q, const struct way *w, bool back,
                            struct judgement *j)
{
    struct answer a = ask(p, w, &q->app);

    if (a.media == POLICY_NONE && j->verdict == VERDICT_ALLOWED) {
        uint32_t measure = a.contradicted != POLICY_NONE ? a.contradicted : media_row(p, w);

        set_violation(j, a.contradicted != POLICY_NONE ? FINDING_WRONG_PROTOCOL : FINDING_WRONG_PORT,
                      measure != POLICY_NONE ? measure : j->row);
        j->back = back;
    } else if (a.media != POLICY_NONE && j->row == POLICY_NONE) {
        j->row = a.media;
        j->confidence = a.media_confirmed ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
    }
}

uint32_t media_broken(const struct policy *p, const struct policy_query *q, const struct way *w)
{
    struct answer a = ask(p, w, &q->app);

    return a.media == POLICY_NONE && a.contradicted == POLICY_NONE ? media_row(p, w) : POLICY_NONE;
}

/* Is this media between the two, by signalling, by its content, or by a port and nothing that speaks against it? */
static bool is_media(const struct policy *p, const struct policy_query *q, const struct way *there, const struct way *back,
                     const struct answer *a)
{
    uint32_t row = media_row(p, there);

    if (row == POLICY_NONE)
        row = media_row(p, back);
    if (row == POLICY_NONE || q->tuple.transport != IPPROTO_UDP || content_contradicts(p, &q->app, &p->rows[row]))
        return false;
    if (q->media || policy_satisfies(p, &q->app, &p->rows[row]))
        return true;
    if (a->media != POLICY_NONE)
        return true;
    /* A client's ephemeral port may fall into the range by chance. */
    return q->tuple.server_port >= POLICY_FIRST_FREE_PORT && ask(p, back, &q->app).media != POLICY_NONE;
}

/* Each direction that carried packets is judged on its own; where nothing is known of packets, the forward one. */
static bool judge_media(const struct policy *p, const struct policy_query *q, const struct way *there, const struct answer *a,
                        struct judgement *j)
{
    struct way back = way_back(there, q->tuple.client_port);

    if (!is_media(p, q, there, &back, a))
        return false;
    j->verdict = VERDICT_ALLOWED;
    if (q->sent[0] || !q->sent[1])
        judge_media_way(p, q, there, false, j);
    if (q->sent[1])
        judge_media_way(p, q, &back, true, j);
    return true;
}

/* A row that has the port the other way round: none if it is another content that tells what the flow is. */
static uint32_t turned_row(const struct policy *p, const struct policy_query *q, const struct way *w)
{
    struct way turned = way_back(w, w->port);
    uint32_t   row = fitting_row(p, &turned, turned.from, turned.to, &q->app);

    if (row != POLICY_NONE && q->app.basis == APP_CONTENT && !policy_satisfies(p, &q->app, &p->rows[row]) && row_for_content(p, w, &q->app) != POLICY_NONE)
        return POLICY_NONE;
    return row;
}

/* Named ends on both sides, nothing allows it: the first of these that fits says why. */
static void judge_violation(const struct policy *p, const struct policy_query *q, const struct way *w, const struct answer *a,
                            struct judgement *j)
{
    const struct host_group *client = host_group(p, w->client), *server = host_group(p, w->server);
    uint32_t                 row;

    if (a->off != POLICY_NONE) {
        set_violation(j, FINDING_OPTION_OFF, a->off);
        j->option = p->rows[a->off].off_option;
    } else if (a->contradicted != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_PROTOCOL, a->contradicted);
    } else if ((row = turned_row(p, q, w)) != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_DIRECTION, row);
    } else if ((row = fitting_row(p, w, &client->roles, &server->siblings, &q->app)) != POLICY_NONE ||
               (row = fitting_row(p, w, &client->siblings, &server->roles, &q->app)) != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_ROLE, row);
    } else {
        row = row_for_content(p, w, &q->app);
        set_violation(j, row != POLICY_NONE ? FINDING_WRONG_PORT : FINDING_NO_ROW, row);
        row = unlisted_row(p, w, &q->app);
        j->parameter = row != POLICY_NONE ? p->rows[row].unlisted : POLICY_NONE;
    }
}

/* Judges the flow as if the given end were the client.  The caller has seen to the scope. */
static void judge_way(const struct policy *p, const struct policy_query *q, const struct way *w, struct judgement *j)
{
    struct answer a = ask(p, w, &q->app);
    uint32_t      lost;

    *j = (struct judgement){
        .row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE, .client_host = w->client, .server_host = w->server,
        .confidence = q->app.basis == APP_CONTENT ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY,
    };
    if (a.allowed != POLICY_NONE) {
        allow(p, q, &a, j);
        return;
    }
    if (w->client == POLICY_NONE || w->server == POLICY_NONE) {
        set_violation(j, FINDING_UNKNOWN_HOST, POLICY_NONE);
    } else {
        bool media = judge_media(p, q, w, &a, j);

        if (media && j->verdict == VERDICT_ALLOWED)
            return;
        if ((lost = lost_row(p, w)) != POLICY_NONE) {
            *j = (struct judgement){
                .verdict = VERDICT_UNDOCUMENTED, .confidence = j->confidence, .row = lost, .client_host = w->client,
                .server_host = w->server, .option = POLICY_NONE, .parameter = p->rows[lost].unlisted,
            };
            return;
        }
        if (!media)
            judge_violation(p, q, w, &a, j);
    }
    j->severity = policy_severity(j, OUTCOME_ESTABLISHED);
}

/* One 5-tuple serves both directions: datagrams from a port to the same port, both ways (NetBIOS, NTP peers). */
static bool is_symmetric(const struct policy_query *q)
{
    return q->tuple.transport == IPPROTO_UDP && q->tuple.client_port == q->tuple.server_port && q->sent[0] && q->sent[1] && !q->one_asks;
}

static void judge_turned(const struct policy *p, const struct policy_query *q, const struct way *w, struct judgement *j)
{
    struct policy_query turned = query_turned(q);
    struct way          back = way_back(w, q->tuple.client_port);
    struct judgement    other;

    judge_way(p, &turned, &back, &other);
    /* Where nobody knows who began, a flow that may be undocumented is not called a violation. */
    bool spared = other.verdict == VERDICT_UNDOCUMENTED && j->verdict == VERDICT_VIOLATION && !q->direction_known;
    if (other.verdict != VERDICT_ALLOWED && !spared)
        return;
    *j = other;
    j->client_host = w->client;
    j->server_host = w->server;
    j->reversed = true;
}

void policy_judge(const struct policy *p, const struct policy_query *q, struct judgement *ret)
{
    struct policy_ends ends;

    policy_locate(p, &q->tuple, &ends);
    policy_judge_at(p, &ends, q, ret);
}

void policy_judge_at(const struct policy *p, const struct policy_ends *ends, const struct policy_query *q, struct judgement *ret)
{
    struct way       w = way_between(p, ends, &q->tuple);
    struct judgement j = {
        .verdict = VERDICT_NOT_GOVERNED, .confidence = CONFIDENCE_PORT_ONLY, .row = POLICY_NONE, .client_host = w.client,
        .server_host = w.server, .option = POLICY_NONE, .parameter = POLICY_NONE,
    };

    if (ends->ignored) {
        j.ignored = true;
    } else if (!q->group && !q->answers_group && addr_compare(&q->tuple.client, &q->tuple.server) != 0 && in_scope(p, &w)) {
        judge_way(p, q, &w, &j);
        if (j.verdict != VERDICT_ALLOWED && (!q->direction_known || is_symmetric(q)))
            judge_turned(p, q, &w, &j);
        if (!q->direction_known || j.reversed)
            j.confidence = CONFIDENCE_INFERRED;
    }
    *ret = j;
}
