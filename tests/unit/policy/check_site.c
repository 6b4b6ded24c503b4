/* SPDX-License-Identifier: Apache-2.0 */
/* A site held to its matrix: errors with their place, what lint says, exceptions, the printed rows. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

#define SECOND INT64_C(1000000000)
#define FEBRUARY (INT64_C(1801440000) * SECOND) /* 2027-02-01 00:00 UTC */

#define MATRIX                                                                                                             \
    "matrix: m\n"                                                                                                          \
    "roles: {client: {}, server: {governed: true}}\n"                                                                      \
    "options: {plain: {}, migrate: {values: [on, off, both]}}\n"                                                           \
    "parameters: {ports: {ports: 5-9}, release: {version: \"5.0\"}}\n"                                                     \
    "sections:\n"                                                                                                          \
    "  - heading: S\n"                                                                                                     \
    "    rows:\n"                                                                                                          \
    "      - {id: row-one, from: client, to: server, ports: [tcp/1, \"tcp/{ports}\"], service: s, expect: required, protocols: HTTP}\n"
#define SITE "site: s\nhosts:\n  a: {addresses: [10.0.0.1], roles: [client]}\n  b: {addresses: [10.0.0.2], roles: [server]}\n"

struct refused {
    const char *matrix, *site, *errors;
};

static const struct refused refusals[] = {
    {MATRIX, "site: s\nhosts:\n  a: {addresses: [10.0.0.1], roles: [clint]}\n", "site.yaml:3:38: unknown role 'clint'; did you mean 'client'?\n"},
    {MATRIX, "site: s\nhosts:\n  a: {addresses: [10.0.0.1], roles: [client, mainframe]}\n",
     "site.yaml:3:46: unknown role 'mainframe'; matrix m has client and server\n"},
    {MATRIX, SITE "options: {plane: on}\n", "site.yaml:5:11: unknown option 'plane'; did you mean 'plain'?\n"},
    {MATRIX, SITE "options: {plain: both}\n", "site.yaml:5:18: option 'plain' cannot be 'both'; it is on or off\n"},
    {MATRIX, SITE "parameters: {port: 5-6}\n", "site.yaml:5:14: unknown parameter 'port'; did you mean 'ports'?\n"},
    {MATRIX, SITE "parameters: {release: [5, 6]}\n",
     "site.yaml:5:14: parameter 'release' is a version, such as 5.0, not a list of ports\n"},
    {MATRIX, SITE "expect: {row-on: on-demand}\n", "site.yaml:5:10: unknown row 'row-on'; did you mean 'row-one'?\n"},
    {MATRIX, SITE "expect: {other: required}\n", "site.yaml:5:10: unknown row 'other'; matrix m has row-one\n"},
    {MATRIX, SITE "exceptions:\n  - {id: X, client: aa, server: b, port: tcp/1, owner: o, reason: r, until: 2027-01-31}\n",
     "site.yaml:6:21: unknown host 'aa'; did you mean 'a'?\n"},
    /* All of them at once. */
    {MATRIX, "site: s\nhosts:\n  a: {addresses: [10.0.0.1], roles: [clint]}\noptions: {plane: on}\nexpect: {row-on: required}\n",
     "site.yaml:3:38: unknown role 'clint'; did you mean 'client'?\n"
     "site.yaml:4:11: unknown option 'plane'; did you mean 'plain'?\n"
     "site.yaml:5:10: unknown row 'row-on'; did you mean 'row-one'?\n"},
    /* A matrix that asks for what nobody can find in traffic, and one that fails its own tests. */
    {"matrix: m\nroles: {a: {}, b: {}}\nsections:\n  - heading: S\n    rows:\n"
     "      - {id: r, from: a, to: b, ports: tcp/1, service: s, expect: required, protocols: HTTPX}\n",
     "site: s\nhosts: {h: {addresses: [10.0.0.1], roles: [a]}}\n", "matrix.yaml:6:88: unknown protocol 'HTTPX'; did you mean 'HTTP'?\n"},
    {MATRIX "tests:\n  - allow client server tcp/2\n  - deny client server tcp/1\n  - allow client server tcp/1 as SSH\n  - allow client server tcp/9\n", SITE,
     "*matrix.yaml:10:5: self-test failed\n*matrix.yaml:11:5: self-test failed\n*matrix.yaml:12:5: self-test failed\n"},
};

/* Lines that begin with '*' need only be the beginning of the line found. */
static bool same_lines(const char *found, const char *expected)
{
    while (*expected != '\0') {
        bool   prefix = *expected == '*';
        size_t n = strcspn(expected + prefix, "\n"), m = strcspn(found, "\n");

        if ((prefix ? m < n : m != n) || strncmp(found, expected + prefix, n) != 0)
            return false;
        expected += prefix + n + 1;
        found += m + (found[m] == '\n');
    }
    return *found == '\0';
}

START_TEST(refused)
{
    char *errors = policy_bed_errors(refusals[_i].matrix, refusals[_i].site);

    ck_assert_msg(same_lines(errors, refusals[_i].errors), "found:\n%sexpected:\n%s", errors, refusals[_i].errors);
    free(errors);
}
END_TEST

START_TEST(accepted)
{
    char *errors = policy_bed_errors(MATRIX "tests:\n  - allow client server tcp/9\n  - deny client server tcp/10\n  - deny server client tcp/1\n",
                                     SITE "options: {plain: on, migrate: both}\nparameters: {ports: [7, 9-12], release: \"6.1\"}\n"
                                          "expect: {row-one: on-demand}\n");
    ck_assert_str_eq(errors, "");
    free(errors);
}
END_TEST

/* --- lint ------------------------------------------------------------------------------------------------ */

static void collect(void *aux, enum severity severity, const char *section, const char *sentence, uint32_t parameter)
{
    (void)parameter;
    fprintf(aux, "%s: %s [%s]\n", severity_name(severity), sentence, section);
}

static char *linted(const char *rules, const char *site, int64_t now_ns)
{
    char             *text = NULL;
    size_t            size;
    FILE             *f = open_memstream(&text, &size);
    struct policy_bed bed = policy_bed_of_rules(rules, site);

    policy_lint(bed.policy, now_ns, collect, f);
    fclose(f);
    policy_bed_free(&bed);
    return text;
}

#define PAIR                                                             \
    "site: s\nhosts:\n  unity1: {addresses: [10.0.1.1], roles: [unity-primary]}\n" \
    "  web: {addresses: [10.0.8.1], roles: [admin-workstation]}\n"

START_TEST(lint_ranges)
{
    static const struct {
        const char *ports;
        bool        told;
    } table[] = {{"5000-5019", false}, {"5000-5018", true}, {"[5000-5009, 5020-5029]", false}, {"[5000]", true}, {"5000-5999", false}};

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char site[512];

        snprintf(site, sizeof(site), PAIR "parameters: {dcom_ports: %s}\n", table[i].ports);
        char *text = linted(UNITY_MATRIX, site, 0);
        bool  told = strstr(text, "Entering a port range smaller than 20 ports will cause some services not to start.") != NULL;
        ck_assert_msg(told == table[i].told, "%s: %s", table[i].ports, text);
        ck_assert(!told || strstr(text, "[Restricting DCOM Dynamic Port Allocation]") != NULL);
        free(text);
    }
}
END_TEST

START_TEST(lint_lists)
{
    char *text = linted(UNITY_MATRIX, PAIR "  ex1: {addresses: [10.0.3.1], roles: [exchange-partner]}\n"
                                           "  desk: {addresses: [10.0.8.9], roles: [subscriber-workstation]}\n", 0);

    ck_assert_ptr_nonnull(strstr(text, "notice: The site lists no exchange_static_ports"));
    ck_assert_ptr_nonnull(strstr(text, "the site lists no unity_workstation_ports"));
    ck_assert_ptr_null(strstr(text, "viewmail_ports")); /* the option is off */
    free(text);
    text = linted(UNITY_MATRIX, PAIR "  ex1: {addresses: [10.0.3.1], roles: [exchange-mailbox]}\n", 0);
    ck_assert_ptr_nonnull(strstr(text, "The document requires flows to gc-monitored or gc-mapi (row "));
    ck_assert_ptr_null(strchr(text, '|'));
    free(text);
    text = linted(UNITY_MATRIX, PAIR, 0); /* nobody at the other end needs a list */
    ck_assert_ptr_null(strstr(text, "exchange_static_ports"));
    free(text);
}
END_TEST

#define EXCEPTION(until) "exceptions:\n  - {id: EX-1, client: web, server: unity1, port: tcp/22, owner: N. N., reason: r, until: " until "}\n"

START_TEST(lint_exceptions)
{
    char *text = linted(UNITY_MATRIX, PAIR EXCEPTION("2027-01-31"), FEBRUARY - 1);

    ck_assert_ptr_null(strstr(text, "EX-1"));
    free(text);
    text = linted(UNITY_MATRIX, PAIR EXCEPTION("2027-01-31"), FEBRUARY);
    ck_assert_ptr_nonnull(strstr(text, "EX-1"));
    ck_assert_ptr_nonnull(strstr(text, "2027-01-31"));
    free(text);
}
END_TEST

/* --- exceptions ------------------------------------------------------------------------------------------- */

struct covered {
    const char *client, *server, *port; /* of the exception */
    const char *flow_client, *flow_server, *flow;
    int64_t     at_ns;
    bool        covers;
};

static const struct covered coverings[] = {
    {"desks", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "tcp/22", 0, true},
    {"desks", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "udp/22", 0, false},
    {"desks", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "tcp/23", 0, false},
    {"desks", "unity1", "tcp/22", "10.0.1.1", "10.0.8.7", "tcp/22", 0, false}, /* the other direction */
    {"desks", "unity1", "tcp/22", "10.0.9.1", "10.0.1.1", "tcp/22", 0, false},
    {"desks", "unity1", "tcp/22", "10.0.8.50", "10.0.1.1", "tcp/22", 0, false}, /* a more specific entry has its own name */
    {"kiosk", "unity1", "tcp/22", "10.0.8.50", "10.0.1.1", "tcp/22", 0, true},
    {"10.0.8.7", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "tcp/22", 0, true},
    {"10.0.8.7", "unity1", "tcp/22", "10.0.8.8", "10.0.1.1", "tcp/22", 0, false},
    {"10.0.8.0/24", "unity1", "tcp/22", "10.0.8.50", "10.0.1.1", "tcp/22", 0, true}, /* a network holds all its addresses */
    {"10.0.8.4-10.0.8.9", "unity1", "tcp/22", "10.0.8.9", "10.0.1.1", "tcp/22", 0, true},
    {"10.0.8.4-10.0.8.9", "unity1", "tcp/22", "10.0.8.10", "10.0.1.1", "tcp/22", 0, false},
    {"203.0.113.0/24", "*", "any", "203.0.113.255", "10.0.1.1", "udp/65535", 0, true},
    {"\"*\"", "unity1", "tcp/22", "203.0.113.1", "10.0.1.1", "tcp/22", 0, true},
    {"\"*\"", "\"*\"", "any", "10.0.1.1", "203.0.113.1", "tcp/1", 0, true},
    {"desks", "unity1", "tcp/20-22", "10.0.8.7", "10.0.1.1", "tcp/20", 0, true},
    {"desks", "unity1", "tcp/20-22", "10.0.8.7", "10.0.1.1", "tcp/22", 0, true},
    {"desks", "unity1", "tcp/20-22", "10.0.8.7", "10.0.1.1", "tcp/19", 0, false},
    {"desks", "unity1", "udp/20-22", "10.0.8.7", "10.0.1.1", "udp/21", 0, true},
    {"desks", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "tcp/22", FEBRUARY - 1, true}, /* the last nanosecond of the day */
    {"desks", "unity1", "tcp/22", "10.0.8.7", "10.0.1.1", "tcp/22", FEBRUARY, false},
};

START_TEST(exception)
{
    const struct covered *c = &coverings[_i];
    char                  site[1024];

    snprintf(site, sizeof(site),
             "site: s\nhosts:\n  unity1: {addresses: [10.0.1.1], roles: [unity-primary]}\n"
             "  desks: {addresses: [10.0.8.0/24], roles: [subscriber-workstation]}\n"
             "  kiosk: {addresses: [10.0.8.50], roles: [subscriber-workstation]}\n"
             "exceptions:\n"
             "  - {id: OLD, client: \"*\", server: \"*\", port: any, owner: o, reason: r, until: 1970-01-01}\n"
             "  - {id: EX, client: %s, server: %s, port: %s, owner: o, reason: r, until: 2027-01-31}\n",
             c->client, strcmp(c->server, "*") == 0 ? "\"*\"" : c->server, c->port);
    struct policy_bed            bed = policy_bed_of_rules(UNITY_MATRIX, site);
    struct policy_query          q = policy_bed_query(c->flow_client, c->flow_server, c->flow);
    const struct site_exception *e = policy_exception(bed.policy, &q, c->at_ns != 0 ? c->at_ns : FEBRUARY / 2);

    ck_assert_msg((e != NULL) == c->covers, "exception %s to %s %s, flow %s to %s %s", c->client, c->server, c->port, c->flow_client,
                  c->flow_server, c->flow);
    if (e != NULL)
        ck_assert_str_eq(e->id.text, "EX");
    policy_bed_free(&bed);
}
END_TEST

/* --- printing ------------------------------------------------------------------------------------------------ */

static char *printed(const struct policy *p, bool as_applied, enum policy_format format)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    ck_assert_int_eq(policy_print(p, as_applied, format, f), 0);
    fclose(f);
    return text;
}

START_TEST(print_documented)
{
    struct policy_bed bed = policy_bed_of_rules(UNITY_MATRIX, PAIR);
    char             *text = printed(bed.policy, false, POLICY_TSV), *wanted = policy_bed_read(TEST_SOURCE_ROOT "/../shared/spec/matrix.tsv");

    if (wanted == NULL)
        fprintf(stderr, "skipped: ../shared/spec/matrix.tsv is not there\n");
    else
        ck_assert_str_eq(text, wanted);
    free(wanted);
    free(text);
    policy_bed_free(&bed);
}
END_TEST

START_TEST(print_applied)
{
    static const char *const lines[] = {
        "\nadmin-http\tNetwork Traffic from Administrator Workstations to Cisco Unity\tweb\tunity1\ttcp/80\tIIS web server\toption https "
        "off\ton-demand\tHTTP\n",
        "\nadmin-dcom\tNetwork Traffic from Administrator Workstations to Cisco Unity\tweb\tunity1\ttcp/6000-6020 udp/6000-6020\tDCOM RPC "
        "range after restriction\t\trequired\tDCE_RPC\n",
        "\nunity-exchange-static\tNetwork Traffic from Cisco Unity to the Partner Exchange Server\tunity1\t\t\tExchange static ports (KB "
        "270836)\tsite lists the ports; none listed: the row allows nothing and says so\ton-demand\tDCE_RPC\n",
    };
    struct policy_bed bed = policy_bed_of_rules(UNITY_MATRIX, PAIR "parameters: {dcom_ports: 6000-6020}\nexpect: {admin-dcom: required}\n");
    char             *text = printed(bed.policy, true, POLICY_TSV);

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "no line %s", lines[i]);
    free(text);
    text = printed(bed.policy, true, POLICY_JSON);
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":\"admin-https\",\"section\":\"Network Traffic from Administrator Workstations to Cisco Unity\","
                                       "\"from\":\"web\",\"to\":\"unity1\",\"ports\":\"tcp/443\",\"service\":\"IIS web server\",\"condition\":"
                                       "\"option https on\",\"expect\":\"on-demand\",\"protocols\":[\"TLS\"],\"applies\":false,\"why_not\":"
                                       "\"option https is off\"}"));
    free(text);
    text = printed(bed.policy, true, POLICY_JSON_ROLES);
    ck_assert_ptr_nonnull(strstr(text, ",{\"id\":\"admin-https\",\"section\":\"Network Traffic from Administrator Workstations to Cisco Unity\","
                                       "\"from\":\"admin-workstation\",\"to\":\"unity\",\"ports\":\"tcp/443\","));
    ck_assert_ptr_null(strchr(text, '\n'));
    free(text);
    text = printed(bed.policy, true, POLICY_TEXT);
    ck_assert_ptr_nonnull(strstr(text, "\nNetwork Traffic from Administrator Workstations to Cisco Unity\n  admin-http                  web -> unity1\n"
                                       "      tcp/80; IIS web server (option https off); on-demand; carries HTTP\n"));
    ck_assert_ptr_nonnull(strstr(text, "  unity-dns                   unity1 -> no host\n"));
    ck_assert_ptr_nonnull(strstr(text, "does not apply here: the site lists no exchange_static_ports\n"));
    free(text);
    policy_bed_free(&bed);
}
END_TEST

Suite *suite_policy_site(void);
Suite *suite_policy_site(void)
{
    Suite *s = suite_create("policy/site");
    TCase *t = tcase_create("site");

    tcase_add_loop_test(t, refused, 0, (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(t, accepted);
    tcase_add_test(t, lint_ranges);
    tcase_add_test(t, lint_lists);
    tcase_add_test(t, lint_exceptions);
    tcase_add_loop_test(t, exception, 0, (int)(sizeof(coverings) / sizeof(coverings[0])));
    tcase_add_test(t, print_documented);
    tcase_add_test(t, print_applied);
    suite_add_tcase(s, t);
    return s;
}
