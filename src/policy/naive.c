/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: the same judgement by a plain scan of hosts and rows, without any index.  All of it must be equal to
 * what policy_judge() says; tests hold the two against each other, and a matrix's own tests use this one.
 */
#include <netinet/in.h>

#include "private.h"

/* The smallest block that holds the address. */
static uint32_t find_host(const struct policy *p, const struct addr *a, bool *ret_block)
{
    uint32_t                 best = POLICY_NONE;
    const struct addr_range *smallest = NULL;

    for (uint32_t i = 0; i < p->site->n_hosts; i++) {
        for (size_t k = 0; k < p->site->hosts[i].n_ranges; k++) {
            const struct addr_range *r = &p->site->hosts[i].ranges[k];

            if (!addr_range_contains(r, a))
                continue;
            if (smallest == NULL || (addr_compare(&smallest->low, &r->low) <= 0 && addr_compare(&r->high, &smallest->high) <= 0)) {
                smallest = r;
                best = i;
                *ret_block = addr_compare(&r->low, &r->high) != 0;
            }
        }
    }
    return best;
}

static bool ignored(const struct policy *p, const struct addr *a)
{
    for (size_t i = 0; i < p->site->n_ignores; i++)
        if (addr_range_contains(&p->site->ignores[i].range, a))
            return true;
    return false;
}

/* --- one row ------------------------------------------------------------------------------------------ */

/* A flow as if 'client' were the client. */
struct ask {
    const struct policy       *p;
    const struct policy_query *q; /* turned, where the ends are */
    const uint32_t            *rows; /* those that are looked at, or NULL: all */
    size_t                     n_rows;
    uint32_t                   client, server;
    bool                       distinct;
};

static struct ask ask_back(const struct ask *a, const struct policy_query *turned)
{
    struct ask back = *a;

    back.q = turned;
    back.client = a->server;
    back.server = a->client;
    return back;
}

static bool has_role(const struct policy *p, uint32_t host, const struct set256 *wanted)
{
    return host != POLICY_NONE && sets_meet(&host_group(p, host)->roles, wanted);
}

static bool has_sibling(const struct policy *p, uint32_t host, const struct set256 *wanted)
{
    return host != POLICY_NONE && sets_meet(&host_group(p, host)->siblings, wanted);
}

static bool between(const struct ask *k, const struct applied_row *a)
{
    return has_role(k->p, k->client, &a->from) && has_role(k->p, k->server, &a->to) && row_other_ok(a, k->distinct);
}

static bool port_fits(const struct ask *k, const struct applied_row *a)
{
    return row_port(a, k->q->tuple.transport, k->q->tuple.server_port) != NULL;
}

static bool content_fits(const struct ask *k, const struct applied_row *a)
{
    return !content_contradicts(k->p, &k->q->app, a);
}

/* --- questions, each about one row ------------------------------------------------------------------------ */

typedef bool question(const struct ask *, const struct applied_row *);

static bool allows(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && !a->row->media && between(k, a) && port_fits(k, a) && content_fits(k, a);
}

static bool allows_and_confirms(const struct ask *k, const struct applied_row *a)
{
    return allows(k, a) && policy_satisfies(k->p, &k->q->app, a);
}

static bool allows_without_notice(const struct ask *k, const struct applied_row *a)
{
    return allows(k, a) && a->wide_option == POLICY_NONE;
}

static bool allows_media(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && a->row->media && between(k, a) && port_fits(k, a) && content_fits(k, a);
}

static bool confirms_media(const struct ask *k, const struct applied_row *a)
{
    return allows_media(k, a) && policy_satisfies(k->p, &k->q->app, a);
}

static bool contradicts(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && between(k, a) && port_fits(k, a) && !content_fits(k, a);
}

static bool is_lost(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && a->lost && between(k, a);
}

static bool is_off(const struct ask *k, const struct applied_row *a)
{
    return !a->enabled && a->off_option != POLICY_NONE && between(k, a) && port_fits(k, a) && content_fits(k, a);
}

static bool is_turned(const struct ask *k, const struct applied_row *a)
{
    struct ask other = *k;

    other.client = k->server;
    other.server = k->client;
    return a->enabled && between(&other, a) && port_fits(k, a) && content_fits(k, a);
}

static bool is_for_sibling_server(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && has_role(k->p, k->client, &a->from) && has_sibling(k->p, k->server, &a->to) &&
           row_other_ok(a, k->distinct) && port_fits(k, a) && content_fits(k, a);
}

static bool is_for_sibling_client(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && has_sibling(k->p, k->client, &a->from) && has_role(k->p, k->server, &a->to) &&
           row_other_ok(a, k->distinct) && port_fits(k, a) && content_fits(k, a);
}

static bool expects_content(const struct ask *k, const struct applied_row *a)
{
    return k->q->app.contradicts && a->enabled && between(k, a) && policy_satisfies(k->p, &k->q->app, a);
}

static bool expects_content_in_range(const struct ask *k, const struct applied_row *a)
{
    return k->q->tuple.server_port >= 1024 && row_has_range(a) && expects_content(k, a);
}

static bool wants_list(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && a->unlisted != POLICY_NONE && !a->lost && between(k, a) && content_fits(k, a);
}

static bool is_media_row(const struct ask *k, const struct applied_row *a)
{
    return a->enabled && a->row->media && between(k, a);
}

static uint32_t row_at(const struct ask *k, size_t i)
{
    return k->rows != NULL ? k->rows[i] : (uint32_t)i;
}

static uint32_t first(const struct ask *k, question *holds)
{
    for (size_t i = 0; i < k->n_rows; i++)
        if (holds(k, &k->p->rows[row_at(k, i)]))
            return row_at(k, i);
    return POLICY_NONE;
}

/* --- media -------------------------------------------------------------------------------------------------- */

static bool is_media(const struct ask *there, const struct ask *back)
{
    uint32_t row = first(there, is_media_row);

    if (row == POLICY_NONE)
        row = first(back, is_media_row);
    if (row == POLICY_NONE || there->q->tuple.transport != IPPROTO_UDP || !content_fits(there, &there->p->rows[row]))
        return false;
    if (there->q->media || policy_satisfies(there->p, &there->q->app, &there->p->rows[row]))
        return true;
    return first(there, allows_media) != POLICY_NONE ||
           (there->q->tuple.server_port >= 1024 && first(back, allows_media) != POLICY_NONE);
}

static void judge_direction(const struct ask *k, bool back, struct judgement *j)
{
    uint32_t row = first(k, allows_media), wrong = first(k, contradicts);

    if (row != POLICY_NONE && j->row == POLICY_NONE) {
        j->row = row;
        j->confidence = first(k, confirms_media) != POLICY_NONE ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
    }
    if (row != POLICY_NONE || j->verdict != VERDICT_ALLOWED)
        return;
    row = wrong != POLICY_NONE ? wrong : first(k, is_media_row);
    j->verdict = VERDICT_VIOLATION;
    j->kind = wrong != POLICY_NONE ? FINDING_WRONG_PROTOCOL : FINDING_WRONG_PORT;
    j->back = back;
    j->row = row != POLICY_NONE ? row : j->row;
}

static bool judge_media(const struct ask *there, struct judgement *j)
{
    struct policy_query turned = query_turned(there->q);
    struct ask          back = ask_back(there, &turned);

    if (!is_media(there, &back))
        return false;
    j->verdict = VERDICT_ALLOWED;
    if (there->q->sent[0] || !there->q->sent[1])
        judge_direction(there, false, j);
    if (there->q->sent[1])
        judge_direction(&back, true, j);
    return true;
}

/* --- all ------------------------------------------------------------------------------------------------------ */

static void judge_violation(const struct ask *k, struct judgement *j)
{
    static const struct {
        question         *holds;
        enum finding_kind kind;
    } questions[] = {
        {is_off, FINDING_OPTION_OFF},
        {contradicts, FINDING_WRONG_PROTOCOL},
        {is_turned, FINDING_WRONG_DIRECTION},
        {is_for_sibling_server, FINDING_WRONG_ROLE},
        {is_for_sibling_client, FINDING_WRONG_ROLE},
        {expects_content_in_range, FINDING_WRONG_PORT},
        {expects_content, FINDING_WRONG_PORT},
    };

    j->verdict = VERDICT_VIOLATION;
    j->kind = FINDING_NO_ROW;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && j->row == POLICY_NONE; i++) {
        j->row = first(k, questions[i].holds);
        if (questions[i].kind == FINDING_WRONG_DIRECTION && j->row != POLICY_NONE && k->q->app.basis == APP_CONTENT &&
            !policy_satisfies(k->p, &k->q->app, &k->p->rows[j->row]) && first(k, expects_content) != POLICY_NONE)
            j->row = POLICY_NONE;
        if (j->row != POLICY_NONE)
            j->kind = questions[i].kind;
    }
    if (j->kind == FINDING_OPTION_OFF)
        j->option = k->p->rows[j->row].off_option;
    uint32_t row = j->kind == FINDING_NO_ROW || j->kind == FINDING_WRONG_PORT ? first(k, wants_list) : POLICY_NONE;
    j->parameter = row != POLICY_NONE ? k->p->rows[row].unlisted : POLICY_NONE;
}

static void judge_allowed(const struct ask *k, uint32_t row, struct judgement *j)
{
    uint32_t media = first(k, allows_media);
    bool     confirmed = first(k, allows_and_confirms) != POLICY_NONE;

    j->verdict = VERDICT_ALLOWED;
    j->row = row;
    if (media < row && !k->q->sent[1]) {
        j->row = media;
        confirmed |= first(k, confirms_media) != POLICY_NONE;
    } else if (!k->q->negotiated && first(k, allows_without_notice) == POLICY_NONE) {
        j->kind = FINDING_WRONG_PORT;
        j->severity = SEVERITY_NOTICE;
        j->option = k->p->rows[row].wide_option;
    }
    j->confidence = confirmed ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY;
}

static struct judgement blank(const struct ask *k)
{
    return (struct judgement){
        .row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE, .client_host = k->client, .server_host = k->server,
        .confidence = k->q->app.basis == APP_CONTENT ? CONFIDENCE_CONFIRMED : CONFIDENCE_PORT_ONLY,
    };
}

static struct judgement judge_way(const struct ask *k)
{
    struct judgement j = blank(k);
    uint32_t         row = first(k, allows), lost = first(k, is_lost);

    if (row != POLICY_NONE) {
        judge_allowed(k, row, &j);
        return j;
    }
    if (k->client == POLICY_NONE || k->server == POLICY_NONE) {
        j.verdict = VERDICT_VIOLATION;
        j.kind = FINDING_UNKNOWN_HOST;
    } else {
        bool media = judge_media(k, &j);

        if (media && j.verdict == VERDICT_ALLOWED)
            return j;
        if (lost != POLICY_NONE) {
            enum confidence confidence = j.confidence;

            j = blank(k);
            j.verdict = VERDICT_UNDOCUMENTED;
            j.confidence = confidence;
            j.row = lost;
            j.parameter = k->p->rows[lost].unlisted;
            return j;
        }
        if (!media)
            judge_violation(k, &j);
    }
    j.severity = policy_severity(&j, OUTCOME_ESTABLISHED);
    return j;
}

static bool is_judged(const struct ask *k)
{
    const struct policy *p = k->p;

    if (has_role(p, k->client, &p->governed) || has_role(p, k->server, &p->governed))
        return true;
    for (size_t i = 0; i < k->n_rows; i++) {
        const struct applied_row *a = &p->rows[row_at(k, i)];

        if ((has_role(p, k->client, &a->from) && has_role(p, k->server, &a->to)) ||
            (has_role(p, k->server, &a->from) && has_role(p, k->client, &a->to)))
            return true;
    }
    return false;
}

static struct ask ask_of(const struct policy *p, const struct policy_query *q)
{
    bool       c_block = false, s_block = false;
    struct ask k = {.p = p, .q = q};

    k.client = find_host(p, &q->tuple.client, &c_block);
    k.server = find_host(p, &q->tuple.server, &s_block);
    k.distinct = k.client == POLICY_NONE || k.server == POLICY_NONE || k.client != k.server ||
                 ((c_block || s_block) && addr_compare(&q->tuple.client, &q->tuple.server) != 0);
    return k;
}

void policy_judge_naive(const struct policy *p, const struct policy_query *q, struct judgement *ret)
{
    policy_judge_among(p, NULL, p->matrix->n_rows, q, ret);
}

void policy_judge_among(const struct policy *p, const uint32_t *rows, size_t n_rows, const struct policy_query *q, struct judgement *ret)
{
    struct ask       k = ask_of(p, q);
    struct judgement j = blank(&k);

    k.rows = rows;
    k.n_rows = n_rows;
    bool symmetric = q->tuple.transport == IPPROTO_UDP && q->tuple.client_port == q->tuple.server_port && q->sent[0] && q->sent[1] && !q->one_asks;

    j.verdict = VERDICT_NOT_GOVERNED;
    j.confidence = CONFIDENCE_PORT_ONLY;
    j.ignored = ignored(p, &q->tuple.client) || ignored(p, &q->tuple.server);
    if (!j.ignored && !q->group && !q->answers_group && addr_compare(&q->tuple.client, &q->tuple.server) != 0 && is_judged(&k)) {
        j = judge_way(&k);
        if (j.verdict != VERDICT_ALLOWED && (!q->direction_known || symmetric)) {
            struct policy_query turned = query_turned(q);
            struct ask          back = ask_back(&k, &turned);
            struct judgement    other = judge_way(&back);

            if (other.verdict == VERDICT_ALLOWED ||
                (other.verdict == VERDICT_UNDOCUMENTED && j.verdict == VERDICT_VIOLATION && !q->direction_known)) {
                j = other;
                j.client_host = k.client;
                j.server_host = k.server;
                j.reversed = true;
            }
        }
        if (!q->direction_known || j.reversed)
            j.confidence = CONFIDENCE_INFERRED;
    }
    *ret = j;
}
