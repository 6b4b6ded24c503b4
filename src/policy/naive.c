/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: the same judgement by a plain scan of hosts and rows, written from the document's words and not from the index.
 * Verdict, kind and row must be those of policy_judge(); tests hold the two against each other, and self-tests use this one.
 */
#include <netinet/in.h>
#include <string.h>

#include "private.h"

/* The smallest block that holds the address. */
static uint32_t find_host(const struct policy *p, const struct addr *a)
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

static bool has_role(const struct policy *p, uint32_t host, const struct roleset *wanted, bool sibling)
{
    return host != POLICY_NONE && rolesets_meet(sibling ? &p->hosts[host].siblings : &p->hosts[host].roles, wanted);
}

static bool row_between(const struct policy *p, const struct applied_row *a, uint32_t client, uint32_t server)
{
    return has_role(p, client, &a->from, false) && has_role(p, server, &a->to, false) && row_other_ok(a, client, server);
}

static bool judged(const struct policy *p, uint32_t client, uint32_t server)
{
    if (has_role(p, client, &p->governed, false) || has_role(p, server, &p->governed, false))
        return true;
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];

        if ((has_role(p, client, &a->from, false) && has_role(p, server, &a->to, false)) ||
            (has_role(p, server, &a->from, false) && has_role(p, client, &a->to, false)))
            return true;
    }
    return false;
}

/* 1: the content fits or says nothing against it; 0: it contradicts. */
static bool content_allows(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    return app->basis != APP_CONTENT || a->protocols[0] == NULL || policy_satisfies(p, app, a) || !app->contradicts;
}

static bool port_fits(const struct applied_row *a, uint8_t transport, uint16_t port)
{
    return row_port(a, transport, port) != NULL;
}

typedef bool row_test(const struct policy *, const struct policy_query *, uint32_t client, uint32_t server, const struct applied_row *);

static uint32_t first(const struct policy *p, const struct policy_query *q, uint32_t client, uint32_t server, row_test *test)
{
    for (uint32_t i = 0; i < p->matrix->n_rows; i++)
        if (test(p, q, client, server, &p->rows[i]))
            return i;
    return POLICY_NONE;
}

static bool allows(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && !a->row->media && row_between(p, a, c, s) && port_fits(a, q->tuple.transport, q->tuple.server_port) &&
           content_allows(p, &q->app, a);
}

static bool allows_media(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && a->row->media && row_between(p, a, c, s) && port_fits(a, q->tuple.transport, q->tuple.server_port) &&
           content_allows(p, &q->app, a);
}

static bool contradicts(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && row_between(p, a, c, s) && port_fits(a, q->tuple.transport, q->tuple.server_port) && !content_allows(p, &q->app, a);
}

static bool is_lost(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    (void)q;
    return a->enabled && a->lost && row_between(p, a, c, s);
}

static bool is_off(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return !a->enabled && a->off_option != POLICY_NONE && row_between(p, a, c, s) &&
           port_fits(a, q->tuple.transport, q->tuple.server_port);
}

static bool is_reverse(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && row_between(p, a, s, c) && port_fits(a, q->tuple.transport, q->tuple.server_port);
}

static bool fits_sibling_server(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && has_role(p, c, &a->from, false) && has_role(p, s, &a->to, true) && row_other_ok(a, c, s) &&
           port_fits(a, q->tuple.transport, q->tuple.server_port);
}

static bool fits_sibling_client(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && has_role(p, c, &a->from, true) && has_role(p, s, &a->to, false) && row_other_ok(a, c, s) &&
           port_fits(a, q->tuple.transport, q->tuple.server_port);
}

static bool expects_content(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    return a->enabled && q->app.basis == APP_CONTENT && row_between(p, a, c, s) && policy_satisfies(p, &q->app, a);
}

static bool is_media(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, const struct applied_row *a)
{
    (void)q;
    return a->enabled && a->row->media && row_between(p, a, c, s);
}

static void set(struct judgement *j, enum verdict v, enum finding_kind kind, uint32_t row)
{
    j->verdict = v;
    j->kind = kind;
    j->row = row;
}

static struct policy_query turned(const struct policy_query *q)
{
    struct policy_query r = *q;

    r.tuple.client = q->tuple.server;
    r.tuple.server = q->tuple.client;
    r.tuple.client_port = q->tuple.server_port;
    r.tuple.server_port = q->tuple.client_port;
    r.sent[0] = q->sent[1];
    r.sent[1] = q->sent[0];
    return r;
}

static bool judge_media(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, struct judgement *j)
{
    struct policy_query back = turned(q);
    uint32_t            there_row = first(p, q, c, s, is_media), back_row = first(p, &back, s, c, is_media);
    uint32_t            any = there_row != POLICY_NONE ? there_row : back_row;

    if (any == POLICY_NONE || q->tuple.transport != IPPROTO_UDP)
        return false;
    bool said = q->app.basis == APP_CONTENT && policy_satisfies(p, &q->app, &p->rows[any]);
    bool other = q->app.basis == APP_CONTENT && !said && q->app.contradicts;
    bool in_range = first(p, q, c, s, allows_media) != POLICY_NONE ||
                    (back_row != POLICY_NONE && port_fits(&p->rows[back_row], q->tuple.transport, q->tuple.client_port));
    if (other || !(said || in_range || q->media))
        return false;
    set(j, VERDICT_ALLOWED, FINDING_NONE, POLICY_NONE);
    for (unsigned way = 0; way < 2; way++) {
        const struct policy_query *w = way == 0 ? q : &back;
        uint32_t                   from = way == 0 ? c : s, to = way == 0 ? s : c, row;

        if (way == 0 ? !q->sent[0] && q->sent[1] : !q->sent[1])
            continue;
        row = first(p, w, from, to, allows_media);
        if (row == POLICY_NONE && j->verdict == VERDICT_ALLOWED) {
            uint32_t wrong = first(p, w, from, to, contradicts), rule = first(p, w, from, to, is_media);

            j->verdict = VERDICT_VIOLATION;
            j->kind = wrong != POLICY_NONE ? FINDING_WRONG_PROTOCOL : FINDING_WRONG_PORT;
            j->back = way == 1;
            rule = wrong != POLICY_NONE ? wrong : rule;
            j->row = rule != POLICY_NONE ? rule : j->row;
        } else if (row != POLICY_NONE && j->row == POLICY_NONE) {
            j->row = row;
        }
    }
    return true;
}

static void judge_named(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, struct judgement *j)
{
    static const struct {
        row_test         *test;
        enum verdict      verdict;
        enum finding_kind kind;
    } questions[] = {
        {contradicts, VERDICT_VIOLATION, FINDING_WRONG_PROTOCOL},     {is_lost, VERDICT_UNDOCUMENTED, FINDING_NONE},
        {is_off, VERDICT_VIOLATION, FINDING_OPTION_OFF},              {is_reverse, VERDICT_VIOLATION, FINDING_WRONG_DIRECTION},
        {fits_sibling_server, VERDICT_VIOLATION, FINDING_WRONG_ROLE}, {fits_sibling_client, VERDICT_VIOLATION, FINDING_WRONG_ROLE},
        {expects_content, VERDICT_VIOLATION, FINDING_WRONG_PORT},
    };

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        uint32_t row = first(p, q, c, s, questions[i].test);

        if (row != POLICY_NONE) {
            set(j, questions[i].verdict, questions[i].kind, row);
            return;
        }
    }
    set(j, VERDICT_VIOLATION, FINDING_NO_ROW, POLICY_NONE);
}

static void judge_way(const struct policy *p, const struct policy_query *q, uint32_t c, uint32_t s, struct judgement *j)
{
    uint32_t row = first(p, q, c, s, allows), media = first(p, q, c, s, allows_media);

    if (row != POLICY_NONE)
        set(j, VERDICT_ALLOWED, FINDING_NONE, media < row && !q->sent[1] ? media : row);
    else if (c == POLICY_NONE || s == POLICY_NONE)
        set(j, VERDICT_VIOLATION, FINDING_UNKNOWN_HOST, POLICY_NONE);
    else if (!judge_media(p, q, c, s, j))
        judge_named(p, q, c, s, j);
}

void policy_judge_naive(const struct policy *p, const struct policy_query *q, struct judgement *ret)
{
    uint32_t         c = find_host(p, &q->tuple.client), s = find_host(p, &q->tuple.server);
    struct judgement j = {.verdict = VERDICT_NOT_GOVERNED, .row = POLICY_NONE, .option = POLICY_NONE, .parameter = POLICY_NONE,
                          .client_host = c, .server_host = s, .confidence = CONFIDENCE_PORT_ONLY};
    bool symmetric = q->tuple.transport == IPPROTO_UDP && q->tuple.client_port == q->tuple.server_port && q->sent[0] && q->sent[1];

    j.ignored = ignored(p, &q->tuple.client) || ignored(p, &q->tuple.server);
    if (!j.ignored && !q->group && !q->answers_group && judged(p, c, s)) {
        judge_way(p, q, c, s, &j);
        if (j.verdict != VERDICT_ALLOWED && (!q->direction_known || symmetric)) {
            struct policy_query back = turned(q);
            struct judgement    k = j;

            judge_way(p, &back, s, c, &k);
            if (k.verdict == VERDICT_ALLOWED) {
                j = k;
                j.reversed = true;
            }
        }
    }
    *ret = j;
}
