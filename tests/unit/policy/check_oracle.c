/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_judge() against policy_judge_naive() on random sites and random flows.  The seed of the site that differs is in the
 * failure; FLOWAUDIT_SEED=N runs that one alone.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"
#include "policy_bed.h"

#define N_SITES 120
#define N_FLOWS 1500 /* for each site: 180,000 for each matrix */
#define MAX_HOSTS 14

/* Addresses that the random site names, with their neighbours. */
struct ground {
    struct addr interesting[8 * MAX_HOSTS];
    size_t      n;
};

static struct addr neighbour(struct addr a, int step)
{
    for (int i = 15; i >= 0; i--) {
        int sum = a.bytes[i] + step;

        a.bytes[i] = (uint8_t)sum;
        if (sum >= 0 && sum <= 255)
            break;
    }
    return a;
}

static void note(struct ground *g, const char *block)
{
    struct addr_range r;

    ck_assert_int_eq(addr_range_parse(block, &r), 0);
    if (g->n + 4 > sizeof(g->interesting) / sizeof(g->interesting[0]))
        return;
    g->interesting[g->n++] = r.low;
    g->interesting[g->n++] = r.high;
    g->interesting[g->n++] = neighbour(r.low, -1);
    g->interesting[g->n++] = neighbour(r.high, 1);
}

/* A host, a range or a network, of which the later ones may lie inside the first ones. */
static void put_block(struct dice *d, unsigned i, char *buf, size_t size)
{
    unsigned kind = dice_roll(d, 6);

    if (i < 2)
        snprintf(buf, size, i == 0 ? "10.1.0.0/16" : "fd00:1::/32");
    else if (i < 4)
        snprintf(buf, size, i == 2 ? "10.1.%u.0/24" : "fd00:1:%x::/48", dice_roll(d, 4));
    else if (kind < 3)
        snprintf(buf, size, "10.1.%u.%u", dice_roll(d, 4), i * 16 + dice_roll(d, 4));
    else if (kind == 3)
        snprintf(buf, size, "fd00:1:%x::%x", dice_roll(d, 4), i);
    else if (kind == 4)
        snprintf(buf, size, "10.2.%u.10-10.2.%u.20", i, i);
    else
        snprintf(buf, size, "192.0.2.%u/30", i * 4);
}

static void put_hosts(FILE *f, struct dice *d, const struct matrix *m, struct ground *g)
{
    unsigned n = 4 + dice_roll(d, MAX_HOSTS - 4);

    fputs("site: random\nhosts:\n", f);
    for (unsigned i = 0; i < n; i++) {
        char     block[64];
        unsigned n_roles = dice_roll(d, 4), first = dice_roll(d, (uint32_t)m->n_roles);

        put_block(d, i, block, sizeof(block));
        note(g, block);
        fprintf(f, "  h%u: {addresses: [\"%s\"], roles: [", i, block);
        for (unsigned k = 0; k < n_roles && k < m->n_roles; k++)
            fprintf(f, "%s%s", k > 0 ? ", " : "", m->roles[(first + k * 5) % m->n_roles].name.text);
        fputs("]}\n", f);
    }
}

static void put_options(FILE *f, struct dice *d, const struct matrix *m)
{
    fputs("options:\n  {", f);
    const char *separator = "";
    for (size_t i = 0; i < m->n_options; i++) {
        const struct rules_names *values = &m->options[i].values;

        if (dice_roll(d, 3) == 0)
            continue;
        fprintf(f, "%s%s: %s", separator, m->options[i].name.text, values->items[dice_roll(d, (uint32_t)values->n)].text);
        separator = ", ";
    }
    fputs("}\n", f);
}

static void put_parameters(FILE *f, struct dice *d, const struct matrix *m)
{
    fputs("parameters:\n  {", f);
    const char *separator = "";
    for (size_t i = 0; i < m->n_parameters; i++) {
        unsigned low = 1000 + dice_roll(d, 9) * 700;

        if (dice_roll(d, 2) == 0)
            continue;
        if (m->parameters[i].type == RULES_PARAMETER_VERSION)
            fprintf(f, "%s%s: \"%u.%u\"", separator, m->parameters[i].name.text, 4 + dice_roll(d, 3), dice_roll(d, 3));
        else
            fprintf(f, "%s%s: [%u, %u-%u]", separator, m->parameters[i].name.text, low, low + 10, low + 10 + dice_roll(d, 900));
        separator = ", ";
    }
    fputs("}\n", f);
}

static char *random_site(struct dice *d, const struct matrix *m, struct ground *g)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    g->n = 0;
    put_hosts(f, d, m, g);
    if (m->n_options > 0)
        put_options(f, d, m);
    if (m->n_parameters > 0)
        put_parameters(f, d, m);
    if (dice_roll(d, 4) == 0)
        fputs("ignore:\n  - {network: 10.1.3.0/26, reason: management}\n", f);
    fclose(f);
    return text;
}

/* A port at or beside the end of a range of a row. */
static uint16_t random_port(struct dice *d, const struct matrix *m, const struct site *s)
{
    const struct rules_ports *ports = &m->rows[dice_roll(d, (uint32_t)m->n_rows)].ports;

    if (s->n_parameters > 0 && dice_roll(d, 4) == 0)
        ports = &s->parameters[dice_roll(d, (uint32_t)s->n_parameters)].ports;
    else if (m->n_parameters > 0 && dice_roll(d, 3) == 0)
        ports = &m->parameters[dice_roll(d, (uint32_t)m->n_parameters)].ports;
    if (ports->n == 0 || dice_roll(d, 12) == 0)
        return (uint16_t)dice_roll(d, 65536);
    const struct rules_port *p = &ports->items[dice_roll(d, (uint32_t)ports->n)];
    return (uint16_t)((dice_roll(d, 2) == 0 ? p->low : p->high) + (int)dice_roll(d, 3) - 1);
}

static struct addr random_addr(struct dice *d, const struct ground *g)
{
    static const uint8_t elsewhere[4] = {203, 0, 113, 9};

    return dice_roll(d, 20) == 0 ? addr_from_ipv4(elsewhere) : g->interesting[dice_roll(d, (uint32_t)g->n)];
}

static void random_app(struct dice *d, const struct policy *p, struct app *app)
{
    static const char *const others[] = {"SSH", "BitTorrent", "RTCP", "SMBv1", "IRC"};
    size_t                   n;
    const char *const       *names = policy_protocols(p, &n);

    memset(app, 0, sizeof(*app));
    if (dice_roll(d, 3) == 0)
        return;
    unsigned i = dice_roll(d, (uint32_t)n + 5);
    snprintf(app->name, sizeof(app->name), "%s", i < n ? names[i] : others[i - n]);
    app->basis = dice_roll(d, 4) == 0 ? APP_HINT : APP_CONTENT;
    app->contradicts = app->basis == APP_CONTENT && dice_roll(d, 2) == 0;
}

static struct policy_query random_query(struct dice *d, const struct policy_bed *bed, const struct ground *g)
{
    struct policy_query q = {0};

    q.tuple.client = random_addr(d, g);
    q.tuple.server = random_addr(d, g);
    q.tuple.transport = dice_roll(d, 2) == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    q.tuple.server_port = random_port(d, bed->matrix, bed->site);
    q.tuple.client_port = dice_roll(d, 6) == 0 ? q.tuple.server_port : random_port(d, bed->matrix, bed->site);
    random_app(d, bed->policy, &q.app);
    q.direction_known = dice_roll(d, 4) != 0;
    q.sent[0] = dice_roll(d, 5) != 0;
    q.sent[1] = dice_roll(d, 2) != 0;
    q.group = dice_roll(d, 50) == 0;
    q.answers_group = dice_roll(d, 50) == 0;
    q.negotiated = dice_roll(d, 2) == 0;
    return q;
}

struct spread {
    unsigned verdicts[4], kinds[FINDING_N_KINDS], reversed, back;
};

static void compare(const struct policy_bed *bed, const struct policy_query *q, uint64_t seed, const char *site, struct spread *spread)
{
    struct judgement a, b;
    char             client[ADDR_TEXT_SIZE], server[ADDR_TEXT_SIZE];

    policy_judge(bed->policy, q, &a);
    policy_judge_naive(bed->policy, q, &b);
    spread->verdicts[a.verdict]++;
    spread->kinds[a.kind]++;
    spread->reversed += a.reversed;
    spread->back += a.back;
    bool same = a.verdict == b.verdict && a.kind == b.kind && a.row == b.row && a.back == b.back && a.reversed == b.reversed &&
                a.client_host == b.client_host && a.server_host == b.server_host && a.ignored == b.ignored;
    if (!same)
        ck_abort_msg("seed %llu: %s:%u to %s:%u transport %u, %s '%s'%s, direction %s, sent %d %d, negotiated %d: judge says %s %s %s back %d reversed "
                     "%d, the oracle %s %s %s back %d reversed %d\n%s",
                     (unsigned long long)seed, addr_text(&q->tuple.client, client), q->tuple.client_port, addr_text(&q->tuple.server, server),
                     q->tuple.server_port, q->tuple.transport, q->app.basis == APP_CONTENT ? "content" : "hint", q->app.name,
                     q->app.contradicts ? " (contradicts)" : "", q->direction_known ? "known" : "unknown", q->sent[0], q->sent[1], q->negotiated,
                     verdict_name(a.verdict), finding_kind_name(a.kind), policy_bed_row_id(bed->policy, a.row), a.back, a.reversed,
                     verdict_name(b.verdict), finding_kind_name(b.kind), policy_bed_row_id(bed->policy, b.row), b.back, b.reversed, site);
}

/* A judgement of any kind must hold together and be sayable. */
static void check_sense(const struct policy_bed *bed, const struct policy_query *q)
{
    struct policy_facts facts = {.outcome = OUTCOME_ESTABLISHED, .flows = 1, .packets = 2};
    struct judgement    j;
    char                sentence[2048];

    policy_judge(bed->policy, q, &j);
    ck_assert(j.verdict != VERDICT_VIOLATION || j.kind != FINDING_NONE);
    ck_assert(j.verdict != VERDICT_ALLOWED || j.row != POLICY_NONE);
    ck_assert(j.kind != FINDING_OPTION_OFF || (j.option != POLICY_NONE && j.row != POLICY_NONE));
    int n = policy_sentence(bed->policy, q, &j, &facts, sentence, sizeof(sentence));
    ck_assert_int_gt(n, 20);
    ck_assert_int_lt(n, (int)sizeof(sentence));
    ck_assert_ptr_null(strstr(sentence, "(null)"));
    ck_assert_ptr_null(strstr(sentence, "{"));
}

/* Results of classification as a shard has them: each once. */
struct apps {
    struct app items[512];
    size_t     n;
};

static const struct app *intern(struct apps *a, const struct app *app)
{
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(&a->items[i], app, sizeof(*app)) == 0)
            return &a->items[i];
    ck_assert_uint_lt(a->n, sizeof(a->items) / sizeof(a->items[0]));
    a->items[a->n] = *app;
    return &a->items[a->n++];
}

/* Is the content one of a row of media?  Nobody needs to answer it, whatever its port. */
static bool is_media_content(const struct policy_bed *bed, const struct app *app)
{
    const struct matrix_row *row;
    bool                     is = false;

    for (uint32_t i = 0; i < bed->matrix->n_rows && app->basis == APP_CONTENT; i++) {
        row = &bed->matrix->rows[i];
        for (size_t k = 0; row->media && k < row->protocols.n; k++)
            is |= classify_satisfies(app, row->protocols.items[k].text);
    }
    return is;
}

static void compare_recalled(const struct policy_bed *bed, struct policy_memo *memo, struct apps *apps, const struct policy_query *q, uint64_t seed)
{
    struct policy_ends   ends;
    struct policy_answer answer;
    struct judgement     j;

    policy_locate(bed->policy, &q->tuple, &ends);
    policy_judge_at(bed->policy, &ends, q, &j);
    policy_recall(memo, &ends, q, intern(apps, &q->app), &answer);
    const struct judgement *a = &answer.judgement;
    bool same = a->verdict == j.verdict && a->kind == j.kind && a->severity == j.severity && a->confidence == j.confidence && a->row == j.row &&
                a->client_host == j.client_host && a->server_host == j.server_host && a->reversed == j.reversed && a->back == j.back &&
                a->ignored == j.ignored && a->option == j.option && a->parameter == j.parameter;
    ck_assert_msg(same, "seed %llu: ports %u, %u: remembered %s %s %s, judged %s %s %s", (unsigned long long)seed, q->tuple.client_port,
                  q->tuple.server_port, verdict_name(a->verdict), finding_kind_name(a->kind), policy_bed_row_id(bed->policy, a->row),
                  verdict_name(j.verdict), finding_kind_name(j.kind), policy_bed_row_id(bed->policy, j.row));

    struct tuple t = q->tuple;
    if (j.reversed)
        t = (struct tuple){q->tuple.server, q->tuple.client, q->tuple.server_port, q->tuple.client_port, q->tuple.transport};
    bool media = j.row != POLICY_NONE && policy_row(bed->policy, j.row)->media;
    media |= is_media_content(bed, &q->app);
    ck_assert_msg(answer.one_way == (media || policy_one_way(bed->policy, &t)), "seed %llu: one way is remembered otherwise", (unsigned long long)seed);
    ck_assert_msg(policy_recall_port_vote(memo, &ends, &q->tuple) == policy_port_vote_at(bed->policy, &ends, &q->tuple),
                  "seed %llu: another vote of the ports is remembered", (unsigned long long)seed);
    ck_assert_msg(policy_recall_expected(memo, &q->tuple) == policy_expected(bed->policy, &q->tuple),
                  "seed %llu: other protocols are remembered", (unsigned long long)seed);
}

/* The same question and those beside it, of other ports and of other hosts. */
static void check_memo(struct dice *d, const struct policy_bed *bed, const struct ground *g, struct policy_memo *memo, struct apps *apps,
                       const struct policy_query *given, uint64_t seed)
{
    struct policy_query q = *given;

    for (unsigned i = 0; i < 8; i++) {
        compare_recalled(bed, memo, apps, &q, seed);
        if (i % 2 == 0)
            q.tuple.client_port = dice_roll(d, 2) == 0 ? random_port(d, bed->matrix, bed->site) : (uint16_t)(q.tuple.client_port + 1);
        else if (i % 4 == 1)
            q.tuple.client = random_addr(d, g);
        else
            q.tuple.server_port = (uint16_t)(q.tuple.server_port + 1);
    }
}

static void run_seed(const char *rules, const char *rules_text, uint64_t seed, struct spread *spread)
{
    struct dice    d = {seed};
    struct ground  g;
    struct policy_bed     empty = policy_bed_of_text(rules_text, "site: s\nhosts: {a: {addresses: [192.0.2.1], roles: []}}\n");
    char          *site = random_site(&d, empty.matrix, &g);
    struct policy_bed     bed = policy_bed_of_rules(rules, site);

    struct policy_memo *memo;
    struct apps        *apps = calloc(1, sizeof(*apps));
    ck_assert_ptr_nonnull(apps);
    ck_assert_int_eq(policy_memo_new(bed.policy, &memo, NULL), 0);
    for (unsigned i = 0; i < N_FLOWS; i++) {
        struct policy_query q = random_query(&d, &bed, &g);

        compare(&bed, &q, seed, site, spread);
        if (i % 4 == 0)
            check_memo(&d, &bed, &g, memo, apps, &q, seed);
        if (i % 16 == 0)
            check_sense(&bed, &q);
    }
    policy_memo_free(memo);
    free(apps);
    policy_bed_free(&bed);
    policy_bed_free(&empty);
    free(site);
}

static void run_matrix(const char *rules, uint64_t base)
{
    char          path[512];
    struct spread spread = {0};

    snprintf(path, sizeof(path), TEST_SOURCE_ROOT "/rules/%s", rules);
    char *text = policy_bed_read(path);
    ck_assert_ptr_nonnull(text);
    if (getenv("FLOWAUDIT_SEED") != NULL) {
        run_seed(rules, text, strtoull(getenv("FLOWAUDIT_SEED"), NULL, 10), &spread);
        free(text);
        return;
    }
    for (uint64_t i = 0; i < N_SITES; i++)
        run_seed(rules, text, base + i, &spread);
    /* The flows must reach every kind of answer, or they compare nothing. */
    for (unsigned v = 0; v < 4; v++)
        ck_assert_msg(spread.verdicts[v] > 0 || v == VERDICT_UNDOCUMENTED, "no verdict %s", verdict_name((enum verdict)v));
    for (unsigned k = FINDING_NO_ROW; k <= FINDING_UNKNOWN_HOST; k++)
        ck_assert_msg(spread.kinds[k] > 20, "%u of kind %s", spread.kinds[k], finding_kind_name((enum finding_kind)k));
    ck_assert_uint_gt(spread.reversed, 20);
    free(text);
}

START_TEST(unity)
{
    run_matrix(UNITY_MATRIX, 1000);
}
END_TEST

START_TEST(shop)
{
    run_matrix(SHOP_MATRIX, 5000);
}
END_TEST

Suite *suite_policy_oracle(void);
Suite *suite_policy_oracle(void)
{
    Suite *s = suite_create("policy/oracle");
    TCase *t = tcase_create("random");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, unity);
    tcase_add_test(t, shop);
    suite_add_tcase(s, t);
    return s;
}
