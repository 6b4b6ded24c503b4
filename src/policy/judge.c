/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy says of one flow.  The order of the questions is the order of policy.h.
 *
 * Row numbers are positions in the document, so "the first row" is the one that a reader of the document meets first.
 */
#include <netinet/in.h>
#include <string.h>

#include "private.h"

const struct port_range *row_port(const struct applied_row *a, uint8_t transport, uint16_t port)
{
    for (size_t i = 0; i < a->n_ports; i++)
        if (a->ports[i].transport == transport && a->ports[i].low <= port && port <= a->ports[i].high)
            return &a->ports[i];
    return NULL;
}

bool row_other_ok(const struct applied_row *a, uint32_t client_host, uint32_t server_host)
{
    return !a->row->other || client_host != server_host;
}

bool policy_satisfies(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    for (const char **name = a->protocols; *name != NULL; name++)
        if (p->options.satisfies != NULL ? p->options.satisfies(app, *name) : strcmp(app->name, *name) == 0)
            return true;
    return false;
}

/* --- hosts, scope ---------------------------------------------------------------------------------------- */

uint32_t policy_host(const struct policy *p, const struct addr *a)
{
    return interval_map_find(&p->host_map, a);
}

size_t policy_n_hosts(const struct policy *p)
{
    return p->site->n_hosts;
}

const char *policy_host_name(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->site->hosts[host].name.text : "";
}

const char *policy_host_roles(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->hosts[host].role_text : "";
}

const char *policy_host_address(const struct policy *p, uint32_t host)
{
    return host != POLICY_NONE ? p->hosts[host].address_text : NULL;
}

bool policy_ignored(const struct policy *p, const struct addr *a, const char **ret_reason)
{
    uint32_t i = interval_map_find(&p->ignore_map, a);

    if (i != POLICY_NONE && ret_reason != NULL)
        *ret_reason = p->site->ignores[i].reason;
    return i != POLICY_NONE;
}

size_t policy_n_rows(const struct policy *p)
{
    return p->matrix->n_rows;
}

const struct matrix_row *policy_row(const struct policy *p, uint32_t row)
{
    return p->rows[row].row;
}

bool policy_row_enabled(const struct policy *p, uint32_t row)
{
    return p->rows[row].enabled;
}

bool policy_row_required(const struct policy *p, uint32_t row)
{
    return p->rows[row].required;
}

const char *const *policy_protocols(const struct policy *p, size_t *ret_n)
{
    *ret_n = p->n_protocols;
    return p->protocols;
}

static const struct roleset *roles_of(const struct policy *p, uint32_t host)
{
    static const struct roleset none;

    return host != POLICY_NONE ? &p->hosts[host].roles : &none;
}

/* Is there any row between these roles, whatever its port and options? */
static bool roles_meet(const struct policy *p, const struct roleset *from, const struct roleset *to)
{
    for (unsigned f = 0; f < p->matrix->n_roles; f++)
        for (unsigned t = 0; roleset_has(from, f) && t < p->matrix->n_roles; t++)
            if (roleset_has(to, t) && policy_pair(p, f, t) != NULL)
                return true;
    return false;
}

static bool in_scope(const struct policy *p, uint32_t client, uint32_t server)
{
    const struct roleset *c = roles_of(p, client), *s = roles_of(p, server);

    if (rolesets_meet(c, &p->governed) || rolesets_meet(s, &p->governed))
        return true;
    return client != POLICY_NONE && server != POLICY_NONE && (roles_meet(p, c, s) || roles_meet(p, s, c));
}

/* --- one direction ------------------------------------------------------------------------------------------ */

/* Who speaks to whom, in the direction that is asked about. */
struct way {
    uint32_t              client, server;
    const struct roleset *from, *to;
    uint8_t               transport;
    uint16_t              port; /* the server's */
};

static struct way way_of(const struct policy *p, const struct tuple *t, uint32_t client, uint32_t server, bool back)
{
    struct way w = {.client = back ? server : client, .server = back ? client : server, .transport = t->transport};

    w.port = back ? t->client_port : t->server_port;
    w.from = roles_of(p, w.client);
    w.to = roles_of(p, w.server);
    return w;
}

static void match_way(const struct policy *p, const struct way *w, struct matches *ret)
{
    struct matches all;

    policy_match(p, w->from, w->to, w->transport, w->port, &all);
    ret->n = 0;
    for (size_t i = 0; i < all.n; i++)
        if (row_other_ok(&p->rows[all.rows[i]], w->client, w->server))
            ret->rows[ret->n++] = all.rows[i];
}

enum content { CONTENT_FITS, CONTENT_UNKNOWN, CONTENT_CONTRADICTS };

static enum content content_of(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    if (app->basis != APP_CONTENT || a->protocols[0] == NULL)
        return CONTENT_UNKNOWN;
    if (policy_satisfies(p, app, a))
        return CONTENT_FITS;
    return app->contradicts ? CONTENT_CONTRADICTS : CONTENT_UNKNOWN;
}

/* What the rows of one direction come to. */
struct answer {
    uint32_t allowed;      /* first row that allows, POLICY_NONE */
    bool     confirmed;    /* some allowing row is confirmed by content */
    uint32_t media;        /* first media row that would allow this direction */
    bool     media_confirmed;
    uint32_t contradicted; /* first row whose port fits and whose content does not */
    uint32_t off;          /* first row that an option turns off */
};

static struct answer ask(const struct policy *p, const struct way *w, const struct app *app)
{
    struct answer  a = {POLICY_NONE, false, POLICY_NONE, false, POLICY_NONE, POLICY_NONE};
    struct matches m;

    match_way(p, w, &m);
    for (size_t i = 0; i < m.n; i++) {
        const struct applied_row *row = &p->rows[m.rows[i]];

        if (!row->enabled) {
            if (a.off == POLICY_NONE && row->off_option != POLICY_NONE)
                a.off = m.rows[i];
            continue;
        }
        enum content content = content_of(p, app, row);
        if (content == CONTENT_CONTRADICTS) {
            a.contradicted = a.contradicted == POLICY_NONE ? m.rows[i] : a.contradicted;
        } else if (row->row->media) {
            a.media = a.media == POLICY_NONE ? m.rows[i] : a.media;
            a.media_confirmed |= content == CONTENT_FITS;
        } else {
            a.allowed = a.allowed == POLICY_NONE ? m.rows[i] : a.allowed;
            a.confirmed |= content == CONTENT_FITS;
        }
    }
    return a;
}

/* The first enabled media row from one to the other, on any port. */
static uint32_t media_row(const struct policy *p, const struct way *w)
{
    uint32_t best = POLICY_NONE;

    for (unsigned f = 0; f < p->matrix->n_roles; f++) {
        for (unsigned t = 0; roleset_has(w->from, f) && t < p->matrix->n_roles; t++) {
            const struct role_pair *pair = roleset_has(w->to, t) ? policy_pair(p, f, t) : NULL;

            if (pair != NULL && pair->media < best && row_other_ok(&p->rows[pair->media], w->client, w->server))
                best = pair->media;
        }
    }
    return best;
}

/* Does the content say that this is media, or at least not that it is something else? */
static bool may_be_media(const struct policy *p, const struct app *app, uint32_t row, bool *ret_is)
{
    *ret_is = app->basis == APP_CONTENT && policy_satisfies(p, app, &p->rows[row]);
    return *ret_is || app->basis != APP_CONTENT || !app->contradicts;
}

/* --- media: each direction that carried packets is judged on its own -------------------------------------------- */

static void judge_media_way(const struct policy *p, const struct policy_query *q, const struct way *w, bool back, struct judgement *j)
{
    struct answer a = ask(p, w, &q->app);

    if (a.media == POLICY_NONE && j->verdict == VERDICT_ALLOWED) {
        j->verdict = VERDICT_VIOLATION;
        j->kind = a.contradicted != POLICY_NONE ? FINDING_WRONG_PROTOCOL : FINDING_WRONG_PORT;
        j->back = back;
        uint32_t row = a.contradicted != POLICY_NONE ? a.contradicted : media_row(p, w);
        j->row = row != POLICY_NONE ? row : j->row;
    } else if (a.media != POLICY_NONE && j->row == POLICY_NONE) {
        j->row = a.media;
        j->confidence = a.media_confirmed ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
    }
}

/* Is this media between the two?  Then '*j' is the judgement. */
static bool judge_media(const struct policy *p, const struct policy_query *q, uint32_t client, uint32_t server, const struct answer *forward,
                        struct judgement *j)
{
    struct way there = way_of(p, &q->tuple, client, server, false), back = way_of(p, &q->tuple, client, server, true);
    uint32_t   there_row = media_row(p, &there), back_row = media_row(p, &back);
    uint32_t   any = there_row != POLICY_NONE ? there_row : back_row;
    bool       is_media;

    if (any == POLICY_NONE || q->tuple.transport != IPPROTO_UDP || !may_be_media(p, &q->app, any, &is_media))
        return false;
    bool in_range = forward->media != POLICY_NONE ||
                    (back_row != POLICY_NONE && row_port(&p->rows[back_row], q->tuple.transport, q->tuple.client_port) != NULL);
    if (!is_media && !in_range && !q->media)
        return false;

    *j = (struct judgement){.verdict = VERDICT_ALLOWED, .row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE,
                            .confidence = CONFIDENCE_PORT_ONLY, .client_host = client, .server_host = server};
    if (q->sent[0] || !q->sent[1])
        judge_media_way(p, q, &there, false, j);
    if (q->sent[1])
        judge_media_way(p, q, &back, true, j);
    return true;
}

/* --- violations: which kind ----------------------------------------------------------------------------------- */

/* The first enabled row in this direction and port, with the roles given. */
static uint32_t first_enabled(const struct policy *p, const struct way *w, const struct roleset *from, const struct roleset *to)
{
    struct matches m;

    policy_match(p, from, to, w->transport, w->port, &m);
    for (size_t i = 0; i < m.n; i++)
        if (p->rows[m.rows[i]].enabled && row_other_ok(&p->rows[m.rows[i]], w->client, w->server))
            return m.rows[i];
    return POLICY_NONE;
}

static const struct roleset *siblings_of_host(const struct policy *p, uint32_t host)
{
    return &p->hosts[host].siblings;
}

/* A row that expects the content seen, between these ends in this direction, on whatever port. */
static uint32_t row_for_content(const struct policy *p, const struct way *w, const struct app *app)
{
    uint32_t best = POLICY_NONE;

    for (unsigned f = 0; app->basis == APP_CONTENT && f < p->matrix->n_roles; f++) {
        for (unsigned t = 0; roleset_has(w->from, f) && t < p->matrix->n_roles; t++) {
            const struct role_pair *pair = roleset_has(w->to, t) ? policy_pair(p, f, t) : NULL;

            for (size_t i = 0; pair != NULL && i < pair->n_protocols; i++) {
                const struct applied_row *a = &p->rows[pair->protocols[i].row];

                if (pair->protocols[i].row < best && row_other_ok(a, w->client, w->server) && policy_satisfies(p, app, a))
                    best = pair->protocols[i].row;
            }
        }
    }
    return best;
}

/* The first enabled row between the two that has no port for want of a list. */
static uint32_t portless_row(const struct policy *p, const struct way *w, bool lost)
{
    uint32_t best = POLICY_NONE;

    for (unsigned f = 0; f < p->matrix->n_roles; f++) {
        for (unsigned t = 0; roleset_has(w->from, f) && t < p->matrix->n_roles; t++) {
            const struct role_pair *pair = roleset_has(w->to, t) ? policy_pair(p, f, t) : NULL;

            for (size_t i = 0; pair != NULL && i < pair->n_portless; i++) {
                const struct applied_row *a = &p->rows[pair->portless[i]];

                if (a->enabled && a->lost == lost && pair->portless[i] < best && row_other_ok(a, w->client, w->server))
                    best = pair->portless[i];
            }
        }
    }
    return best;
}

static void set_violation(struct judgement *j, enum finding_kind kind, uint32_t row)
{
    j->verdict = VERDICT_VIOLATION;
    j->kind = kind;
    j->row = row;
}

/* Named ends on both sides, nothing allows it: the first of these that fits says why. */
static void classify_violation(const struct policy *p, const struct policy_query *q, const struct way *w, const struct answer *a, struct judgement *j)
{
    struct way back = way_of(p, &q->tuple, w->client, w->server, true);
    uint32_t   row;

    back.port = w->port;
    if (a->contradicted != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_PROTOCOL, a->contradicted);
    } else if ((row = portless_row(p, w, true)) != POLICY_NONE) {
        j->verdict = VERDICT_UNDOCUMENTED;
        j->row = row;
        j->parameter = p->rows[row].unlisted;
    } else if (a->off != POLICY_NONE) {
        set_violation(j, FINDING_OPTION_OFF, a->off);
        j->option = p->rows[a->off].off_option;
    } else if ((row = first_enabled(p, &back, back.from, back.to)) != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_DIRECTION, row);
    } else if ((row = first_enabled(p, w, w->from, siblings_of_host(p, w->server))) != POLICY_NONE ||
               (row = first_enabled(p, w, siblings_of_host(p, w->client), w->to)) != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_ROLE, row);
    } else if ((row = row_for_content(p, w, &q->app)) != POLICY_NONE) {
        set_violation(j, FINDING_WRONG_PORT, row);
    } else {
        set_violation(j, FINDING_NO_ROW, POLICY_NONE);
    }
    if (j->verdict == VERDICT_VIOLATION && (row = portless_row(p, w, false)) != POLICY_NONE)
        j->parameter = p->rows[row].unlisted;
}

/* --- the judgement ---------------------------------------------------------------------------------------------- */

static void allow(const struct policy *p, const struct policy_query *q, uint32_t row, bool confirmed, struct judgement *j)
{
    const char *option = p->rows[row].row->wide_notice_option;

    j->verdict = VERDICT_ALLOWED;
    j->kind = FINDING_NONE;
    j->row = row;
    j->confidence = confirmed ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
    if (option == NULL || q->negotiated)
        return;
    int i = option_index(p->matrix, option);
    if (i >= 0 && (p->option_values[i] & OPTION_ON) != 0) {
        j->kind = FINDING_WRONG_PORT;
        j->severity = SEVERITY_NOTICE;
        j->option = (uint32_t)i;
    }
}

/* Judges the flow as if the given end were the client.  The caller has seen to the scope. */
static void judge_way(const struct policy *p, const struct policy_query *q, uint32_t client, uint32_t server, struct judgement *j)
{
    struct way    w = way_of(p, &q->tuple, client, server, false);
    struct answer a = ask(p, &w, &q->app);

    *j = (struct judgement){.row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE, .client_host = client, .server_host = server,
                            .confidence = q->app.basis == APP_CONTENT ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY};
    if (a.allowed != POLICY_NONE) {
        uint32_t first = a.media < a.allowed && !q->sent[1] ? a.media : a.allowed;
        allow(p, q, first, a.confirmed || (first == a.media && a.media_confirmed), j);
    } else if (client == POLICY_NONE || server == POLICY_NONE) {
        set_violation(j, FINDING_UNKNOWN_HOST, POLICY_NONE);
    } else if (!judge_media(p, q, client, server, &a, j)) {
        classify_violation(p, q, &w, &a, j);
    }
    if (j->verdict == VERDICT_VIOLATION)
        j->severity = policy_severity(j, OUTCOME_ESTABLISHED);
}

static struct policy_query reverse(const struct policy_query *q)
{
    struct policy_query r = *q;

    r.tuple = (struct tuple){q->tuple.server, q->tuple.client, q->tuple.server_port, q->tuple.client_port, q->tuple.transport};
    r.sent[0] = q->sent[1];
    r.sent[1] = q->sent[0];
    return r;
}

/* One 5-tuple serves both directions: datagrams from a port to the same port, both ways (NetBIOS, NTP peers). */
static bool is_symmetric(const struct policy_query *q)
{
    return q->tuple.transport == IPPROTO_UDP && q->tuple.client_port == q->tuple.server_port && q->sent[0] && q->sent[1];
}

void policy_judge(const struct policy *p, const struct policy_query *q, struct judgement *ret)
{
    uint32_t         client = policy_host(p, &q->tuple.client), server = policy_host(p, &q->tuple.server);
    struct judgement j = {.verdict = VERDICT_NOT_GOVERNED, .row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE,
                          .client_host = client, .server_host = server, .confidence = CONFIDENCE_PORT_ONLY};

    if (policy_ignored(p, &q->tuple.client, NULL) || policy_ignored(p, &q->tuple.server, NULL)) {
        j.ignored = true;
    } else if (!q->group && !q->answers_group && in_scope(p, client, server)) {
        judge_way(p, q, client, server, &j);
        if (j.verdict != VERDICT_ALLOWED && (!q->direction_known || is_symmetric(q))) {
            struct policy_query other = reverse(q);
            struct judgement    k;

            judge_way(p, &other, server, client, &k);
            if (k.verdict == VERDICT_ALLOWED) {
                j = k;
                j.client_host = client;
                j.server_host = server;
                j.reversed = true;
            }
        }
        if (!q->direction_known || j.reversed)
            j.confidence = CONFIDENCE_INFERRED;
    }
    *ret = j;
}

size_t policy_rows(const struct policy *p, const struct policy_query *q, uint32_t *ret, size_t n)
{
    uint32_t       client = policy_host(p, &q->tuple.client), server = policy_host(p, &q->tuple.server);
    struct way     w = way_of(p, &q->tuple, client, server, false);
    struct matches m;
    size_t         found = 0;

    match_way(p, &w, &m);
    for (size_t i = 0; i < m.n; i++) {
        const struct applied_row *a = &p->rows[m.rows[i]];

        if (!a->enabled || content_of(p, &q->app, a) == CONTENT_CONTRADICTS)
            continue;
        if (found < n)
            ret[found] = m.rows[i];
        found++;
    }
    return found;
}

/* --- what the engine asks while a flow lives ------------------------------------------------------------------------ */

static const char *const *expected_of(const struct policy *p, const struct way *w)
{
    struct matches m;

    match_way(p, w, &m);
    for (size_t i = 0; i < m.n; i++)
        if (p->rows[m.rows[i]].protocols[0] != NULL)
            return p->rows[m.rows[i]].protocols;
    return NULL;
}

const char *const *policy_expected(const struct policy *p, const struct tuple *t)
{
    uint32_t           client = policy_host(p, &t->client), server = policy_host(p, &t->server);
    struct way         there = way_of(p, t, client, server, false), back = way_of(p, t, client, server, true);
    const char *const *names = expected_of(p, &there);

    return names != NULL ? names : expected_of(p, &back);
}

int policy_port_vote(const struct policy *p, const struct tuple *t)
{
    uint32_t   client = policy_host(p, &t->client), server = policy_host(p, &t->server);
    struct way there = way_of(p, t, client, server, false), back = way_of(p, t, client, server, true);

    return (first_enabled(p, &there, there.from, there.to) != POLICY_NONE) - (first_enabled(p, &back, back.from, back.to) != POLICY_NONE);
}

bool policy_dynamic_port(const struct policy *p, uint32_t row, uint8_t transport, uint16_t port)
{
    const struct port_range *range = row != POLICY_NONE ? row_port(&p->rows[row], transport, port) : NULL;

    return range != NULL && range->low != range->high;
}

bool policy_one_way(const struct policy *p, const struct tuple *t)
{
    uint32_t       client = policy_host(p, &t->client), server = policy_host(p, &t->server);
    struct way     w = way_of(p, t, client, server, false);
    struct matches m;

    match_way(p, &w, &m);
    for (size_t i = 0; i < m.n; i++) {
        const struct port_range *range = p->rows[m.rows[i]].enabled ? row_port(&p->rows[m.rows[i]], t->transport, t->server_port) : NULL;

        if (range != NULL && range->one_way)
            return true;
    }
    return false;
}

const char *policy_section(const struct policy *p, const struct judgement *j)
{
    return j->row != POLICY_NONE ? p->rows[j->row].row->section : "";
}

/* --- exceptions --------------------------------------------------------------------------------------------------- */

static bool end_covered(const struct policy *p, const struct addr *a, const struct rules_name *name, bool any, bool is_range,
                        const struct addr_range *range)
{
    if (any)
        return true;
    if (is_range)
        return addr_range_contains(range, a);
    uint32_t host = policy_host(p, a);
    return host != POLICY_NONE && strcmp(policy_host_name(p, host), name->text) == 0;
}

static bool port_covered(const struct site_exception *e, const struct tuple *t)
{
    if (e->any_port)
        return true;
    return (e->port.transport == 0 || e->port.transport == t->transport) && e->port.low <= t->server_port && t->server_port <= e->port.high;
}

const struct site_exception *policy_exception(const struct policy *p, const struct policy_query *q, int64_t at_ns)
{
    for (size_t i = 0; i < p->site->n_exceptions; i++) {
        const struct site_exception *e = &p->site->exceptions[i];

        if (at_ns <= e->until_ns && port_covered(e, &q->tuple) &&
            end_covered(p, &q->tuple.client, &e->client, e->client_any, e->client_is_range, &e->client_range) &&
            end_covered(p, &q->tuple.server, &e->server, e->server_any, e->server_is_range, &e->server_range))
            return e;
    }
    return NULL;
}
