/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_help.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

const char unity_site[] =
    "site: test\n"
    "matrix: cisco-unity-5x-exchange\n"
    "options: {failover: on, sccp: on, sccp_tls: off, sip: on, https: on, pca: on, viewmail: off, vnc: on, snmp: on, rdp: on}\n"
    "hosts:\n"
    "  unity1: {addresses: [10.0.1.10], roles: [unity-primary]}\n"
    "  unity2: {addresses: [10.0.1.11], roles: [unity-secondary]}\n"
    "  dc1: {addresses: [10.0.2.10, \"fd00::2:10\"], roles: [dc-monitored]}\n"
    "  dc2: {addresses: [10.0.2.20], roles: [dc]}\n"
    "  gc1: {addresses: [10.0.2.11], roles: [gc-monitored, gc-mapi]}\n"
    "  gc2: {addresses: [10.0.2.12], roles: [gc]}\n"
    "  dns1: {addresses: [10.0.2.53], roles: [dns]}\n"
    "  exch1: {addresses: [10.0.3.10], roles: [exchange-partner, exchange-voice-connector]}\n"
    "  exch2: {addresses: [10.0.3.11], roles: [exchange-mailbox]}\n"
    "  brg1: {addresses: [10.0.3.20], roles: [bridge-server]}\n"
    "  ucm1: {addresses: [10.0.4.10], roles: [ucm]}\n"
    "  sip1: {addresses: [10.0.5.10], roles: [sip-endpoint]}\n"
    "  phones: {addresses: [10.0.6.0/24], roles: [phone]}\n"
    "  admin1: {addresses: [10.0.8.10], roles: [admin-workstation]}\n"
    "  desks: {addresses: [10.0.8.20-10.0.8.60], roles: [subscriber-workstation]}\n"
    "  vnc1: {addresses: [10.0.8.70], roles: [vnc-client]}\n"
    "  nms1: {addresses: [10.0.8.80], roles: [snmp-station]}\n"
    "  printer: {addresses: [10.0.9.9], roles: []}\n";

/* As the classifier does it: one family of names, RTCP with RTP. */
static bool satisfies(const struct app *app, const char *name)
{
    return strcmp(app->name, name) == 0 || (strcmp(name, "RTP") == 0 && strcmp(app->name, "RTCP") == 0);
}

static const struct policy_options options = {.satisfies = satisfies};

static struct bed compile(struct matrix *m, const char *site)
{
    struct bed       b = {.matrix = m};
    struct diag_list diags = {0};

    if (m == NULL || site_parse(site, strlen(site), "site.yaml", &b.site, &diags) != 0 ||
        policy_compile(m, b.site, &options, &b.policy, &diags) != 0) {
        diag_print(&diags, stderr);
        ck_abort_msg("the policy does not compile");
    }
    diag_list_clear(&diags);
    return b;
}

struct bed bed_of_texts(const char *matrix, const char *site)
{
    struct diag_list diags = {0};
    struct matrix   *m = NULL;

    if (matrix_parse(matrix, strlen(matrix), "matrix.yaml", &m, &diags) != 0)
        diag_print(&diags, stderr);
    diag_list_clear(&diags);
    return compile(m, site);
}

struct bed bed_of_file(const char *matrix_path, const char *site)
{
    struct diag_list diags = {0};
    struct matrix   *m = NULL;

    if (matrix_load(matrix_path, &m, &diags) != 0)
        diag_print(&diags, stderr);
    diag_list_clear(&diags);
    return compile(m, site);
}

void policy_bed_close(struct bed *b)
{
    policy_free(b->policy);
    site_free(b->site);
    matrix_free(b->matrix);
}

static struct addr end_of(const struct bed *b, const char *name)
{
    struct addr a;

    for (size_t i = 0; i < b->site->n_hosts; i++)
        if (strcmp(b->site->hosts[i].name.text, name) == 0)
            return b->site->hosts[i].ranges[0].low;
    if (addr_parse(name, &a) != 0)
        ck_abort_msg("'%s' is neither a host nor an address", name);
    return a;
}

struct policy_query policy_query_of(const struct bed *b, const char *client, const char *server, const char *service, const char *app)
{
    struct policy_query q = {.direction_known = true, .sent = {true, true}};

    q.tuple.client = end_of(b, client);
    q.tuple.server = end_of(b, server);
    q.tuple.client_port = 40000;
    q.tuple.server_port = (uint16_t)strtoul(service + 4, NULL, 10);
    q.tuple.transport = service[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
    if (app == NULL)
        return q;
    q.app.basis = app[0] == '?' ? APP_HINT : APP_CONTENT;
    q.app.contradicts = app[0] != '?';
    snprintf(q.app.name, sizeof(q.app.name), "%s", app + (app[0] == '?'));
    return q;
}

struct judgement judge_both(const struct bed *b, const struct policy_query *q)
{
    struct judgement fast = {0}, slow = {0};

    policy_judge(b->policy, q, &fast);
    policy_judge_naive(b->policy, q, &slow);
    ck_assert_str_eq(verdict_name(fast.verdict), verdict_name(slow.verdict));
    ck_assert_str_eq(finding_kind_name(fast.kind), finding_kind_name(slow.kind));
    ck_assert_str_eq(policy_row_id(b, fast.row), policy_row_id(b, slow.row));
    ck_assert_int_eq(fast.severity, slow.severity);
    ck_assert_int_eq(fast.confidence, slow.confidence);
    ck_assert_uint_eq(fast.client_host, slow.client_host);
    ck_assert_uint_eq(fast.server_host, slow.server_host);
    ck_assert_int_eq(fast.reversed, slow.reversed);
    ck_assert_int_eq(fast.back, slow.back);
    ck_assert_int_eq(fast.ignored, slow.ignored);
    ck_assert_uint_eq(fast.option, slow.option);
    ck_assert_uint_eq(fast.parameter, slow.parameter);
    return fast;
}

const char *policy_row_id(const struct bed *b, uint32_t row)
{
    return row != POLICY_NONE ? b->matrix->rows[row].id.text : "-";
}

char *compile_words(const char *matrix, const char *site)
{
    static const char *const known[] = {"HTTP", "SSH", "TLS", NULL};
    struct policy_options    strict = {.known_protocols = known};
    struct diag_list         diags = {0};
    struct matrix           *m = NULL;
    struct site             *s = NULL;
    struct policy           *p = NULL;
    char                    *text = NULL;
    size_t                   size;
    FILE                    *f = open_memstream(&text, &size);

    ck_assert_int_eq(matrix_parse(matrix, strlen(matrix), "m", &m, &diags), 0);
    ck_assert_int_eq(site_parse(site, strlen(site), "s", &s, &diags), 0);
    int rc = policy_compile(m, s, &strict, &p, &diags);
    ck_assert_int_eq(rc == 0, diag_count(&diags, DIAG_ERROR) == 0);
    ck_assert_int_eq(rc == 0, p != NULL);
    for (size_t i = 0; i < diags.n_items; i++)
        fprintf(f, "%s:%u:%u: %s: %s\n", diags.items[i].file, diags.items[i].line, diags.items[i].column,
                diags.items[i].level == DIAG_ERROR ? "error" : "warning", diags.items[i].message);
    fclose(f);
    policy_free(p);
    site_free(s);
    matrix_free(m);
    diag_list_clear(&diags);
    return text;
}

uint32_t policy_random(uint64_t *state, uint32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % n);
}
