/* SPDX-License-Identifier: Apache-2.0 */
/* Roles from facts made by hand, on a small matrix of no vendor and on the one that is shipped. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"
#include "flowaudit/learn.h"

/* 'hub' is governed; 'hub-a' and 'hub-b' are twins; 'watched' has all that 'plain' has and more; 'ticker' is required.
 */
static const char small_matrix[] =
    "matrix: small\n"
    "roles:\n"
    "  hub:     {family: hub, governed: true}\n"
    "  hub-a:   {family: hub, implies: hub}\n"
    "  hub-b:   {family: hub, implies: hub}\n"
    "  store:   {}\n"
    "  plain:   {family: tree}\n"
    "  watched: {family: tree, implies: plain}\n"
    "  clock:   {}\n"
    "  desk:    {family: seat}\n"
    "  chief:   {family: seat}\n"
    "options:\n"
    "  secure: {values: [on, off, both], default: off}\n"
    "  remote: {default: off}\n"
    "parameters:\n"
    "  extra_ports: {ports: []}\n"
    "sections:\n"
    "  - heading: All\n"
    "    rows:\n"
    "      - {id: hub-watched, from: hub, to: watched, ports: tcp/389, service: x, expect: required, protocols: LDAP}\n"
    "      - {id: hub-clock, from: hub, to: clock, ports: udp/123, service: x, expect: required, protocols: NTP}\n"
    "      - {id: hub-hub, from: hub, to: hub, other: the other, ports: tcp/1433, service: x, expect: on-demand, "
    "protocols: MsSQL-TDS}\n"
    "      - {id: store-plain, from: store, to: plain, ports: tcp/88, service: x, expect: required, protocols: "
    "Kerberos}\n"
    "      - {id: hub-store, from: hub, to: store, ports: tcp/135, service: x, expect: on-demand, protocols: DCE_RPC}\n"
    "      - {id: hub-store-extra, from: hub, to: store, ports: \"tcp/{extra_ports}\", service: x, expect: on-demand, "
    "protocols: DCE_RPC}\n"
    "      - {id: desk-http, from: [desk, chief], to: hub, ports: tcp/80, service: x, when: {secure: off}, expect: "
    "on-demand, protocols: HTTP}\n"
    "      - {id: desk-https, from: [desk, chief], to: hub, ports: tcp/443, service: x, when: {secure: on}, expect: "
    "on-demand, protocols: TLS}\n"
    "      - {id: chief-rdp, from: chief, to: hub, ports: tcp/3389, service: x, when: {remote: on}, expect: on-demand, "
    "protocols: RDP}\n"
    "signs:\n"
    "  - {interface: NSPI, from: hub, role: watched, unless: store, section: All, text: It tells.}\n";

struct bed {
    struct matrix *matrix;
    struct site *site;
    struct policy *policy;
    struct learner *learner;
    const struct learn_result *result;
};

static struct bed bed_of(struct matrix *matrix)
{
    struct bed b = {.matrix = matrix};
    struct diag_list diags = {0};
    struct policy_options options = {.known_protocols = classify_names(), .satisfies = classify_satisfies};

    ck_assert_int_eq(site_parse(learn_site_text, strlen(learn_site_text), "learn", &b.site, &diags), 0);
    ck_assert_int_eq(policy_compile(b.matrix, b.site, &options, &b.policy, &diags), 0);
    ck_assert_int_eq(learner_new(b.policy, &b.learner, NULL), 0);
    diag_list_clear(&diags);
    return b;
}

static struct bed small(void)
{
    struct diag_list diags = {0};
    struct matrix *m = NULL;

    int rc = matrix_parse(small_matrix, strlen(small_matrix), "small.yaml", &m, &diags);
    diag_print(&diags, stderr);
    ck_assert_int_eq(rc, 0);
    diag_list_clear(&diags);
    return bed_of(m);
}

static void bed_free(struct bed *b)
{
    learner_free(b->learner);
    policy_free(b->policy);
    site_free(b->site);
    matrix_free(b->matrix);
}

/* "10.0.0.1 10.0.0.2 tcp/389 LDAP"; "-" for content that is not known; a fifth word 'refused' for no answer. */
static void see(struct bed *b, const char *text)
{
    char client[64], server[64], transport[8], protocol[32], how[16] = "";
    unsigned port;
    struct learn_fact f = {
        .sent = {true, true}, .data = true, .direction_known = true, .flows = 1, .client_port_high = 50000};

    ck_assert_int_ge(sscanf(text, "%63s %63s %3[a-z]/%u %31s %15s", client, server, transport, &port, protocol, how),
                     5);
    ck_assert_int_eq(addr_parse(client, &f.tuple.client), 0);
    ck_assert_int_eq(addr_parse(server, &f.tuple.server), 0);
    f.tuple.client_port = 50000;
    f.tuple.server_port = (uint16_t)port;
    f.tuple.transport = strcmp(transport, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    if (strcmp(protocol, "-") != 0) {
        f.app.basis = APP_CONTENT;
        f.app.contradicts = true;
        snprintf(f.app.name, sizeof(f.app.name), "%s", protocol);
    }
    if (strcmp(how, "refused") == 0)
        f.data = f.sent[1] = false;
    ck_assert_int_eq(learner_add(b->learner, &f, NULL), 0);
}

static void see_all(struct bed *b, const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++)
        see(b, lines[i]);
}

static void finish(struct bed *b)
{
    ck_assert_int_eq(learner_finish(b->learner, &b->result, NULL), 0);
}

static const struct learn_host *host_at(const struct bed *b, const char *address)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(address, &a), 0);
    for (size_t i = 0; i < b->result->n_hosts; i++)
        if (addr_compare(&b->result->hosts[i].addr, &a) == 0)
            return &b->result->hosts[i];
    return NULL;
}

/* "hub-a" or "hub-a store"; "" for none. */
static void roles_are(const struct bed *b, const char *address, const char *expected)
{
    const struct learn_host *h = host_at(b, address);
    char text[256] = "";

    for (size_t i = 0; h != NULL && i < h->n_roles; i++) {
        size_t at = strlen(text);

        snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "", h->roles[i].name);
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s: '%s', expected '%s'", address, text, expected);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A site in small: two hubs, a directory, a clock, a store, a desk, a chief. */
static const char *const whole[] = {
    "10.0.0.1 10.0.1.1 tcp/389 LDAP",    "10.0.0.2 10.0.1.1 tcp/389 LDAP",       "10.0.0.1 10.0.1.2 udp/123 NTP",
    "10.0.0.2 10.0.1.2 udp/123 NTP",     "10.0.0.1 10.0.0.2 tcp/1433 MsSQL-TDS", "10.0.2.1 10.0.1.1 tcp/88 Kerberos",
    "10.0.0.1 10.0.2.1 tcp/135 DCE_RPC", "10.0.3.1 10.0.0.1 tcp/443 TLS",        "10.0.3.2 10.0.0.1 tcp/443 TLS",
    "10.0.3.2 10.0.0.1 tcp/3389 RDP",    "10.0.9.1 10.0.9.2 tcp/22 SSH",
};

START_TEST(a_site_in_small)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    finish(&b);
    roles_are(&b, "10.0.0.1", "hub-a");
    roles_are(&b, "10.0.0.2", "hub-b");
    roles_are(&b, "10.0.1.1", "watched");
    roles_are(&b, "10.0.1.2", "clock");
    roles_are(&b, "10.0.2.1", "store");
    roles_are(&b, "10.0.3.2", "chief");
    roles_are(&b, "10.0.9.1", "");
    roles_are(&b, "10.0.9.2", "");
    ck_assert_uint_eq(b.result->n_addresses, 9);
    bed_free(&b);
}
END_TEST

START_TEST(the_order_of_facts_does_not_matter)
{
    struct bed a = small(), b = small();

    see_all(&a, whole, COUNT(whole));
    for (size_t i = COUNT(whole); i > 0; i--)
        see(&b, whole[i - 1]);
    finish(&a);
    finish(&b);
    ck_assert_uint_eq(a.result->n_hosts, b.result->n_hosts);
    for (size_t i = 0; i < a.result->n_hosts; i++) {
        const struct learn_host *x = &a.result->hosts[i], *y = &b.result->hosts[i];

        ck_assert_int_eq(addr_compare(&x->addr, &y->addr), 0);
        ck_assert_uint_eq(x->n_roles, y->n_roles);
        ck_assert_uint_eq(x->n_explained, y->n_explained);
        for (size_t k = 0; k < x->n_roles; k++)
            ck_assert_str_eq(x->roles[k].name, y->roles[k].name);
    }
    bed_free(&a);
    bed_free(&b);
}
END_TEST

/* Twins are given by rank, and the result says so. */
START_TEST(twins_are_told_by_rank)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    finish(&b);
    const struct learn_role *first = &host_at(&b, "10.0.0.1")->roles[0], *second = &host_at(&b, "10.0.0.2")->roles[0];
    ck_assert_uint_eq(first->rank, 1);
    ck_assert_str_eq(first->same[0], "hub-b");
    ck_assert_ptr_null(first->same[1]);
    ck_assert_uint_eq(second->rank, 2);
    ck_assert_str_eq(second->same[0], "hub-a");
    ck_assert_uint_eq(host_at(&b, "10.0.1.2")->roles[0].rank, 0);
    bed_free(&b);
}
END_TEST

static void see_bind(struct bed *b, const char *client, const char *server, const char *interface)
{
    struct learn_fact f = {.sent = {true, true}, .data = true, .direction_known = true, .flows = 1, .client_port_high = 50000};
    char              name[16];

    ck_assert_int_eq(addr_parse(client, &f.tuple.client), 0);
    ck_assert_int_eq(addr_parse(server, &f.tuple.server), 0);
    f.tuple.client_port = 50000;
    f.tuple.server_port = 1026;
    f.tuple.transport = IPPROTO_TCP;
    snprintf(name, sizeof(name), "%s", interface); /* is gone when the learner concludes */
    f.interface = name;
    ck_assert_int_eq(learner_add(b->learner, &f, NULL), 0);
    memset(name, 'x', sizeof(name));
}

/* What a client of the right role binds tells what the server is; but not of one that asks for others, and not by other clients. */
START_TEST(an_interface_tells_of_a_role)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.2.1 10.0.1.9 tcp/88 Kerberos");
    see_bind(&b, "10.0.0.1", "10.0.1.9", "NSPI");
    see_bind(&b, "10.0.0.1", "10.0.1.8", "NSPI");
    see_bind(&b, "10.0.0.1", "10.0.1.7", "SAMR");
    see_bind(&b, "10.0.0.1", "10.0.2.1", "NSPI");
    see_bind(&b, "10.0.3.1", "10.0.1.6", "NSPI");
    finish(&b);
    roles_are(&b, "10.0.1.9", "plain watched");
    ck_assert_str_eq(host_at(&b, "10.0.1.9")->roles[1].sign, "NSPI");
    ck_assert_ptr_null(host_at(&b, "10.0.1.9")->roles[0].sign);
    roles_are(&b, "10.0.1.8", "watched");
    roles_are(&b, "10.0.1.7", "");
    roles_are(&b, "10.0.1.6", "");
    roles_are(&b, "10.0.2.1", "store");
    roles_are(&b, "10.0.1.1", "watched");
    ck_assert_ptr_null(host_at(&b, "10.0.1.1")->roles[0].sign);
    bed_free(&b);
}
END_TEST

/* Who is used by the store alone is no 'watched'. */
START_TEST(the_most_specific_role_that_is_supported)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.2.1 10.0.1.9 tcp/88 Kerberos");
    finish(&b);
    roles_are(&b, "10.0.1.1", "watched");
    roles_are(&b, "10.0.1.9", "plain");
    bed_free(&b);
}
END_TEST

START_TEST(content_counts_more_than_a_port)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.0.1 10.0.5.1 udp/123 DNS"); /* not what the row carries */
    finish(&b);
    roles_are(&b, "10.0.5.1", "");
    bed_free(&b);
}
END_TEST

START_TEST(who_does_not_answer_serves_nothing)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.0.1 10.0.5.1 udp/123 - refused");
    finish(&b);
    roles_are(&b, "10.0.5.1", "");
    ck_assert_uint_eq(b.result->n_others, 1); /* a governed host tried it: worth a word */
    ck_assert(!b.result->others[0].scan);
    bed_free(&b);
}
END_TEST

START_TEST(a_scan_is_no_workstation)
{
    struct bed b = small();
    char line[128];

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.7.7 10.0.0.1 tcp/443 TLS");
    for (unsigned port = 1000; port < 1100; port++) {
        snprintf(line, sizeof(line), "10.0.7.7 10.0.0.1 tcp/%u - refused", port);
        see(&b, line);
    }
    finish(&b);
    roles_are(&b, "10.0.7.7", "");
    ck_assert_uint_eq(b.result->n_others, 1);
    ck_assert(b.result->others[0].scan);
    bed_free(&b);
}
END_TEST

/* Only what is not the usual value is set; both where both were seen. */
START_TEST(options_that_the_traffic_needs)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    finish(&b);
    ck_assert_uint_eq(b.result->n_options, 2);
    ck_assert_str_eq(b.result->options[0].name, "secure");
    ck_assert_str_eq(b.result->options[0].value, "on");
    ck_assert_str_eq(b.result->options[0].usual, "off");
    ck_assert_str_eq(b.result->options[1].name, "remote");
    bed_free(&b);

    b = small();
    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.3.1 10.0.0.1 tcp/80 HTTP");
    finish(&b);
    ck_assert_str_eq(b.result->options[0].value, "both");
    bed_free(&b);
}
END_TEST

START_TEST(ports_that_a_parameter_may_have_to_list)
{
    struct bed b = small();

    see_all(&b, whole, COUNT(whole));
    see(&b, "10.0.0.1 10.0.2.1 tcp/1200 DCE_RPC");
    see(&b, "10.0.0.1 10.0.2.1 tcp/1201 SSH"); /* no row expects it */
    finish(&b);
    ck_assert_uint_eq(b.result->n_ports, 1);
    ck_assert_str_eq(b.result->ports[0].parameter, "extra_ports");
    ck_assert_uint_eq(b.result->ports[0].port, 1200);
    bed_free(&b);
}
END_TEST

START_TEST(nothing_seen_is_nothing_proposed)
{
    struct bed b = small();

    see(&b, "10.0.0.1 10.0.0.1 tcp/1433 MsSQL-TDS"); /* to itself */
    finish(&b);
    ck_assert_uint_eq(b.result->n_hosts, 0);
    bed_free(&b);

    b = small();
    finish(&b);
    ck_assert_uint_eq(b.result->n_addresses, 0);
    bed_free(&b);
}
END_TEST

/* A TCP session without its beginning, seen from the server's side first, is turned round. */
START_TEST(unknown_direction_is_tried_both_ways)
{
    struct bed b = small();
    struct learn_fact f = {.sent = {true, true}, .data = true, .flows = 1, .client_port_high = 1433};

    see_all(&b, whole, COUNT(whole));
    f.tuple.transport = IPPROTO_TCP;
    f.tuple.client_port = 389;
    f.client_port_high = 389;
    f.tuple.server_port = 50001;
    ck_assert_int_eq(addr_parse("10.0.1.5", &f.tuple.client), 0);
    ck_assert_int_eq(addr_parse("10.0.0.1", &f.tuple.server), 0);
    f.app = (struct app){.basis = APP_CONTENT, .name = "LDAP", .contradicts = true};
    ck_assert_int_eq(learner_add(b.learner, &f, NULL), 0);
    f.tuple.client_port = f.client_port_high = 88;
    f.app = (struct app){.basis = APP_CONTENT, .name = "Kerberos", .contradicts = true};
    ck_assert_int_eq(addr_parse("10.0.2.1", &f.tuple.server), 0);
    ck_assert_int_eq(learner_add(b.learner, &f, NULL), 0);
    finish(&b);
    roles_are(&b, "10.0.1.5", "watched");
    bed_free(&b);
}
END_TEST

/* What the survey asks by port alone. */
START_TEST(rows_by_port_alone)
{
    struct bed b = small();
    struct tuple t = {.transport = IPPROTO_TCP, .client_port = 50000, .server_port = 389};

    ck_assert_str_eq(learn_expected(b.policy, &t)[0], "LDAP");
    ck_assert_int_eq(learn_port_vote(b.policy, &t), 1);
    t = (struct tuple){.transport = IPPROTO_TCP, .client_port = 389, .server_port = 50000};
    ck_assert_str_eq(learn_expected(b.policy, &t)[0], "LDAP");
    ck_assert_int_eq(learn_port_vote(b.policy, &t), -1);
    t.transport = IPPROTO_UDP;
    ck_assert_ptr_null(learn_expected(b.policy, &t));
    ck_assert_int_eq(learn_port_vote(b.policy, &t), 0);
    bed_free(&b);
}
END_TEST

/* Where there is no role: one port with one content is one service; what has no name and no row is none, nor is what nobody answered. */
START_TEST(what_was_served_where_there_is_no_role)
{
    struct bed b = small();

    see(&b, "10.0.0.7 10.0.0.6 tcp/8080 HTTP");
    see(&b, "10.0.0.5 10.0.0.6 tcp/8080 HTTP");
    see(&b, "10.0.0.5 10.0.0.4 tcp/8080 HTTP");
    see(&b, "10.0.0.5 10.0.0.4 tcp/8080 HTTP");
    see(&b, "10.0.0.5 10.0.0.4 tcp/8081 -");
    see(&b, "10.0.0.5 10.0.0.4 tcp/8082 HTTP refused");
    see(&b, "10.0.0.5 10.0.0.4 tcp/88 -");
    see_bind(&b, "10.0.0.5", "10.0.0.3", "SAMR");
    see(&b, "10.0.0.5 10.0.0.3 tcp/1026 DCE_RPC");
    finish(&b);
    ck_assert_uint_eq(b.result->n_hosts, 0);
    ck_assert_uint_eq(b.result->n_services, 3);
    const struct learn_service *s = b.result->services;
    ck_assert(s[0].documented && s[0].port == 88 && s[0].protocol[0] == '\0' && s[0].n_pairs == 1);
    ck_assert(!s[1].documented && s[1].port == 8080 && s[1].n_servers == 2 && s[1].n_pairs == 3);
    ck_assert_str_eq(s[1].protocol, "HTTP");
    ck_assert(!s[2].documented && s[2].port == 1026 && s[2].interface == NULL);
    ck_assert_uint_eq(b.result->n_rows, 8); /* one has no port while its parameter is empty */
    ck_assert_uint_eq(b.result->n_governed_rows, 7);
    bed_free(&b);
}
END_TEST

Suite *suite_learn(void);
Suite *suite_learn(void)
{
    Suite *s = suite_create("learn");
    TCase *t = tcase_create("roles");

    tcase_add_test(t, a_site_in_small);
    tcase_add_test(t, the_order_of_facts_does_not_matter);
    tcase_add_test(t, twins_are_told_by_rank);
    tcase_add_test(t, an_interface_tells_of_a_role);
    tcase_add_test(t, the_most_specific_role_that_is_supported);
    tcase_add_test(t, content_counts_more_than_a_port);
    tcase_add_test(t, who_does_not_answer_serves_nothing);
    tcase_add_test(t, a_scan_is_no_workstation);
    tcase_add_test(t, options_that_the_traffic_needs);
    tcase_add_test(t, ports_that_a_parameter_may_have_to_list);
    tcase_add_test(t, nothing_seen_is_nothing_proposed);
    tcase_add_test(t, what_was_served_where_there_is_no_role);
    tcase_add_test(t, unknown_direction_is_tried_both_ways);
    tcase_add_test(t, rows_by_port_alone);
    suite_add_tcase(s, t);
    return s;
}
