/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the shipped matrices at a site with two hosts of each role: all its ports and their neighbours on both
 * transports, from every role to every role of the row's ends and their siblings, turned round, and from and to a stranger,
 * with the options as they are by default and with each option the other way.  What is right is computed here, from the
 * matrix as it was parsed.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

/* --- what is right: flows of unknown content, whose client speaks first and from no documented port ------------------ */

#define MAX_ROWS 128
#define MAX_ROLES 32

/* Per row: which roles fit its ends, and which have a sibling that does. */
struct ends {
    bool from[MAX_ROLES], to[MAX_ROLES], from_sibling[MAX_ROLES], to_sibling[MAX_ROLES];
    bool on, lost;
};

struct world {
    const struct matrix *m;
    const struct site   *s;
    struct ends          ends[MAX_ROWS];
};

static const struct matrix_role *role_named(const struct matrix *m, const char *name)
{
    for (size_t i = 0; i < m->n_roles; i++)
        if (strcmp(m->roles[i].name.text, name) == 0)
            return &m->roles[i];
    ck_abort_msg("no role %s", name);
    return NULL;
}

/* Is a host of role 'mine' one of role 'wanted'? */
static bool is_a(const struct matrix *m, const char *mine, const char *wanted)
{
    if (strcmp(mine, wanted) == 0)
        return true;
    const struct matrix_role *r = role_named(m, mine);
    for (size_t i = 0; i < r->implies.n; i++)
        if (is_a(m, r->implies.items[i].text, wanted))
            return true;
    return false;
}

static bool is_any(const struct matrix *m, const char *mine, const struct rules_names *wanted)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (is_a(m, mine, wanted->items[i].text))
            return true;
    return false;
}

/* Or does a role of the families of 'mine' fit? */
static bool is_sibling(const struct matrix *m, const char *mine, const struct rules_names *wanted)
{
    for (size_t i = 0; i < m->n_roles; i++) {
        const char *family = m->roles[i].family;

        if (family == NULL || !is_a(m, mine, m->roles[i].name.text))
            continue;
        for (size_t k = 0; k < m->n_roles; k++)
            for (size_t w = 0; m->roles[k].family != NULL && strcmp(m->roles[k].family, family) == 0 && w < wanted->n; w++)
                if (strcmp(m->roles[k].name.text, wanted->items[w].text) == 0)
                    return true;
    }
    return is_any(m, mine, wanted);
}

static bool is_governed(const struct matrix *m, const char *mine)
{
    for (size_t i = 0; i < m->n_roles; i++)
        if (m->roles[i].governed && is_a(m, mine, m->roles[i].name.text))
            return true;
    return false;
}

static const struct site_setting *setting(const struct site_setting *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name.text, name) == 0)
            return &list[i];
    return NULL;
}

/* The sites of this test set every option.  Versions stay as they are by default, which every row accepts. */
static bool holds(const struct world *w, const struct matrix_when *when)
{
    if (when->at_least)
        return true;
    const struct site_setting *set = setting(w->s->options, w->s->n_options, when->name.text);
    return strcmp(set->value.text, "both") == 0 || strcmp(set->value.text, when->value) == 0;
}

static bool is_on(const struct world *w, const struct matrix_row *r)
{
    bool any = r->n_when_any == 0;

    for (size_t i = 0; i < r->n_when; i++)
        if (!holds(w, &r->when[i]))
            return false;
    for (size_t i = 0; i < r->n_when_any; i++)
        any |= holds(w, &r->when_any[i]);
    return any;
}

static const struct rules_ports *parameter_ports(const struct world *w, const char *name)
{
    const struct site_setting *set = setting(w->s->parameters, w->s->n_parameters, name);

    if (set != NULL)
        return &set->ports;
    for (size_t i = 0; i < w->m->n_parameters; i++)
        if (strcmp(w->m->parameters[i].name.text, name) == 0)
            return &w->m->parameters[i].ports;
    ck_abort_msg("no parameter %s", name);
    return NULL;
}

static bool has_port(const struct world *w, const struct matrix_row *r, uint8_t transport, unsigned port)
{
    for (size_t i = 0; i < r->ports.n; i++) {
        const struct rules_port  *p = &r->ports.items[i];
        const struct rules_ports  self = {(struct rules_port *)p, 1};
        const struct rules_ports *list = p->parameter != NULL ? parameter_ports(w, p->parameter) : &self;

        for (size_t k = 0; p->transport == transport && k < list->n; k++)
            if (list->items[k].low <= port && port <= list->items[k].high)
                return true;
    }
    return false;
}

static bool is_lost(const struct world *w, const struct matrix_row *r)
{
    for (size_t i = 0; i < r->ports.n; i++)
        for (size_t k = 0; r->ports.items[i].parameter != NULL && k < w->m->n_parameters; k++)
            if (strcmp(w->m->parameters[k].name.text, r->ports.items[i].parameter) == 0 && w->m->parameters[k].lost &&
                parameter_ports(w, w->m->parameters[k].name.text)->n == 0)
                return true;
    return false;
}

struct right {
    const char              *answer;
    const struct matrix_row *row;
};

static void make_world(struct world *w, const struct policy_bed *bed)
{
    *w = (struct world){.m = bed->matrix, .s = bed->site};
    ck_assert(w->m->n_rows <= MAX_ROWS && w->m->n_roles <= MAX_ROLES);
    for (size_t i = 0; i < w->m->n_rows; i++) {
        const struct matrix_row *r = &w->m->rows[i];

        w->ends[i].on = is_on(w, r);
        w->ends[i].lost = is_lost(w, r);
        for (size_t k = 0; k < w->m->n_roles; k++) {
            const char *role = w->m->roles[k].name.text;

            w->ends[i].from[k] = is_any(w->m, role, &r->from);
            w->ends[i].to[k] = is_any(w->m, role, &r->to);
            w->ends[i].from_sibling[k] = is_sibling(w->m, role, &r->from);
            w->ends[i].to_sibling[k] = is_sibling(w->m, role, &r->to);
        }
    }
}

/* Roles by index; POLICY_NONE: a stranger. */
static struct right right_of(const struct world *w, uint32_t from, uint32_t to, uint8_t transport, unsigned port)
{
    static const char *const answers[] = {"allowed", "undocumented", "option-off", "wrong-direction", "wrong-role", "wrong-role"};
    const struct matrix_row *found[6] = {NULL};
    bool                     governed = (from != POLICY_NONE && is_governed(w->m, w->m->roles[from].name.text)) ||
                    (to != POLICY_NONE && is_governed(w->m, w->m->roles[to].name.text));
    bool meet = false;

    if (from == POLICY_NONE || to == POLICY_NONE)
        return (struct right){governed ? "unknown-host" : "not-governed", NULL};
    for (size_t i = w->m->n_rows; i-- > 0;) {
        const struct matrix_row *r = &w->m->rows[i];
        const struct ends       *e = &w->ends[i];
        bool                     there = e->from[from] && e->to[to], back = e->from[to] && e->to[from];
        bool                     fits = has_port(w, r, transport, port);
        const bool is[6] = {there && e->on && fits,   there && e->on && e->lost,
                            there && !e->on && fits,  back && e->on && fits,
                            e->from[from] && e->to_sibling[to] && e->on && fits, e->from_sibling[from] && e->to[to] && e->on && fits};

        meet |= there || back;
        for (unsigned k = 0; k < 6; k++)
            found[k] = is[k] ? r : found[k];
    }
    if (!governed && !meet)
        return (struct right){"not-governed", NULL};
    for (unsigned i = 0; i < 6; i++)
        if (found[i] != NULL)
            return (struct right){answers[i], found[i]};
    return (struct right){"no-row", NULL};
}

/* --- the sites ---------------------------------------------------------------------------------------------------------- */

/* Host i of role r: 10.1.r.i. */
static char *make_site(const struct matrix *m, size_t option, const char *value, bool lists)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: s\nhosts:\n", f);
    for (size_t i = 0; i < m->n_roles; i++)
        for (unsigned k = 1; k <= 2; k++)
            fprintf(f, "  r%zu-%u: {addresses: [10.1.%zu.%u], roles: [%s]}\n", i, k, i, k, m->roles[i].name.text);
    fputs("options:\n", f);
    for (size_t i = 0; i < m->n_options; i++)
        fprintf(f, "  %s: %s\n", m->options[i].name.text, i == option ? value : m->options[i].values.items[m->options[i].values.n - 1].text);
    fputs(lists ? "parameters:\n" : "", f);
    for (size_t i = 0; lists && i < m->n_parameters; i++)
        if (m->parameters[i].type == RULES_PARAMETER_PORTS && m->parameters[i].ports.n == 0)
            fprintf(f, "  %s: [%zu, %zu-%zu]\n", m->parameters[i].name.text, 12000 + 10 * i, 12002 + 10 * i, 12005 + 10 * i);
    fclose(f);
    return text;
}

/* Role index to address; POLICY_NONE: a stranger. */
static struct addr address(uint32_t role, uint8_t host)
{
    const uint8_t stranger[4] = {203, 0, 113, host}, named[4] = {10, 1, (uint8_t)role, host};

    return addr_from_ipv4(role == POLICY_NONE ? stranger : named);
}

struct counts {
    uint64_t flows, allowed, kinds[FINDING_N_KINDS], undocumented;
};

static void check_flow(const struct world *w, const struct policy *p, uint32_t from, uint32_t to, uint8_t transport, unsigned port,
                       struct counts *counts)
{
    struct policy_query q = {.direction_known = true, .sent = {true, false}};
    struct judgement    j;
    const char         *from_role = from != POLICY_NONE ? w->m->roles[from].name.text : NULL;
    const char         *to_role = to != POLICY_NONE ? w->m->roles[to].name.text : NULL;

    q.tuple = (struct tuple){address(from, 1), address(to, 2), 999, (uint16_t)port, transport};
    policy_judge(p, &q, &j);
    struct right right = right_of(w, from, to, transport, port);
    const char  *answer = j.verdict == VERDICT_VIOLATION ? finding_kind_name(j.kind) : verdict_name(j.verdict);
    const char  *row = policy_bed_row_id(p, j.row), *right_row = right.row != NULL ? right.row->id.text : "-";
    ck_assert_msg(strcmp(answer, right.answer) == 0 && strcmp(row, right_row) == 0, "%s to %s %s/%u is %s by %s; right is %s by %s",
                  from_role != NULL ? from_role : "stranger", to_role != NULL ? to_role : "stranger", transport == IPPROTO_TCP ? "tcp" : "udp",
                  port, answer, row, right.answer, right_row);
    counts->flows++;
    counts->allowed += j.verdict == VERDICT_ALLOWED;
    counts->undocumented += j.verdict == VERDICT_UNDOCUMENTED;
    counts->kinds[j.kind]++;
}

/* From and to the row's roles, their siblings, each other way round, and strangers. */
static void check_port(const struct world *w, const struct policy *p, const struct ends *e, unsigned port, struct counts *counts)
{
    for (unsigned t = 0; port <= UINT16_MAX && t < 2; t++) {
        uint8_t transport = t == 0 ? IPPROTO_TCP : IPPROTO_UDP;

        for (uint32_t a = 0; a < w->m->n_roles; a++) {
            for (uint32_t b = 0; b < w->m->n_roles; b++) {
                if (!(e->from[a] && e->to_sibling[b]) && !(e->from_sibling[a] && e->to[b]))
                    continue;
                check_flow(w, p, a, b, transport, port, counts);
                check_flow(w, p, b, a, transport, port, counts);
            }
            if (e->from[a] || e->to[a]) {
                check_flow(w, p, a, POLICY_NONE, transport, port, counts);
                check_flow(w, p, POLICY_NONE, a, transport, port, counts);
            }
        }
    }
}

static void check_range(const struct world *w, const struct policy *p, const struct ends *e, unsigned low, unsigned high,
                        struct counts *counts)
{
    const unsigned ports[] = {low - 1, low, low + (high - low) / 2, high, high + 1};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        if (i == 0 || ports[i] != ports[i - 1])
            check_port(w, p, e, ports[i], counts);
}

static void check_site(const char *rules, const char *site, struct counts *counts)
{
    struct policy_bed   bed = policy_bed_of_rules(rules, site);
    struct world w;

    make_world(&w, &bed);
    for (size_t i = 0; i < bed.matrix->n_rows; i++) {
        const struct matrix_row *r = &bed.matrix->rows[i];

        for (size_t k = 0; k < r->ports.n; k++) {
            const struct rules_port  *port = &r->ports.items[k];
            const struct rules_ports  self = {(struct rules_port *)port, 1};
            const struct rules_ports *list = port->parameter != NULL ? parameter_ports(&w, port->parameter) : &self;

            for (size_t n = 0; n < list->n; n++)
                check_range(&w, bed.policy, &w.ends[i], list->items[n].low, list->items[n].high, counts);
        }
    }
    policy_bed_free(&bed);
}

static void check_matrix(const char *rules)
{
    struct counts counts = {0};
    struct policy_bed    plain = policy_bed_of_rules(rules, "site: s\nhosts: {a: {addresses: [192.0.2.1], roles: []}}\n");

    for (unsigned lists = 0; lists < 2; lists++) {
        char *site = make_site(plain.matrix, SIZE_MAX, NULL, lists == 1);
        check_site(rules, site, &counts);
        free(site);
    }
    for (size_t o = 0; o < plain.matrix->n_options; o++) {
        for (size_t v = 0; v < plain.matrix->options[o].values.n; v++) {
            char *site = make_site(plain.matrix, o, plain.matrix->options[o].values.items[v].text, false);
            check_site(rules, site, &counts);
            free(site);
        }
    }
    /* The neighbours must be of every kind that flows of unknown content can be. */
    ck_assert_uint_gt(counts.flows, 5000);
    ck_assert_uint_gt(counts.allowed, 500);
    ck_assert_uint_gt(counts.kinds[FINDING_NO_ROW], 100);
    ck_assert_uint_gt(counts.kinds[FINDING_WRONG_DIRECTION], 100);
    ck_assert_uint_gt(counts.kinds[FINDING_WRONG_ROLE], 50);
    ck_assert_uint_gt(counts.kinds[FINDING_OPTION_OFF], 10);
    ck_assert_uint_gt(counts.kinds[FINDING_UNKNOWN_HOST], 100);
    policy_bed_free(&plain);
}

START_TEST(unity)
{
    check_matrix(UNITY_MATRIX);
}
END_TEST

START_TEST(shop)
{
    check_matrix(SHOP_MATRIX);
}
END_TEST

Suite *suite_policy_rows(void);
Suite *suite_policy_rows(void)
{
    Suite *s = suite_create("policy/rows");
    TCase *t = tcase_create("every row");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, unity);
    tcase_add_test(t, shop);
    suite_add_tcase(s, t);
    return s;
}
