/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked beside the verdict: all rows, protocols to look for, who serves a port, exceptions; and some rare shapes of flows and hosts. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

static const char matrix[] = "matrix: m\nroles: {a: {}}\nsections:\n  - heading: S\n    rows:\n"
                             "      - {id: r, from: a, to: a, ports: tcp/1, service: s, expect: on-demand}\n";

static uint32_t smallest(const struct site *s, const struct addr *a)
{
    const struct addr_range *best = NULL;
    uint32_t                 host = POLICY_NONE;

    for (uint32_t i = 0; i < s->n_hosts; i++) {
        for (size_t k = 0; k < s->hosts[i].n_ranges; k++) {
            const struct addr_range *r = &s->hosts[i].ranges[k];

            if (addr_range_contains(r, a) && (best == NULL || (addr_compare(&best->low, &r->low) <= 0 && addr_compare(&r->high, &best->high) <= 0))) {
                best = r;
                host = i;
            }
        }
    }
    return host;
}

/* Each block inside one that is open, down to single addresses: deeper than any prefix length. */
START_TEST(six_hundred_blocks_one_in_another)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: t\nmatrix: m\nhosts:\n", f);
    for (unsigned i = 0; i < 600; i++)
        fprintf(f, "  h%u: {addresses: [10.0.%u.%u-10.0.%u.%u], roles: [a]}\n", i, i / 256, i % 256, (1299 - i) / 256, (1299 - i) % 256);
    fclose(f);
    struct bed b = bed_of_texts(matrix, text);
    for (unsigned i = 0; i < 1400; i++) {
        uint8_t     bytes[4] = {10, 0, (uint8_t)(i / 256), (uint8_t)(i % 256)};
        struct addr a = addr_from_ipv4(bytes);

        ck_assert_uint_eq(policy_host(b.policy, &a), smallest(b.site, &a));
    }
    policy_bed_close(&b);
    free(text);
}
END_TEST

START_TEST(two_machines_or_one)
{
    struct bed b = bed_of_texts("matrix: m\nroles: {a: {governed: true}}\nsections:\n  - heading: S\n    rows:\n"
                                "      - {id: r, from: a, to: a, other: another, ports: tcp/1, service: s, expect: required}\n",
                                "site: t\nmatrix: m\nhosts:\n"
                                "  one: {addresses: [10.0.0.1, 10.0.0.2], roles: [a]}\n"
                                "  many: {addresses: [10.0.1.0/24], roles: [a]}\n");
    struct policy_query q = policy_query_of(&b, "10.0.0.1", "10.0.0.2", "tcp/1", NULL);

    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_VIOLATION);
    q = policy_query_of(&b, "10.0.1.1", "10.0.1.2", "tcp/1", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    q = policy_query_of(&b, "10.0.1.1", "10.0.1.1", "tcp/1", NULL); /* no flow between two hosts */
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_NOT_GOVERNED);
    q = policy_query_of(&b, "10.0.0.1", "10.0.1.1", "tcp/1", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    policy_bed_close(&b);
}
END_TEST

START_TEST(unknown_direction_is_judged_both_ways)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "dc1", "unity1", "tcp/40000", NULL);

    q.tuple.client_port = 389;
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_VIOLATION);
    q.direction_known = false;
    struct judgement j = judge_both(&b, &q);
    ck_assert_int_eq(j.verdict, VERDICT_ALLOWED);
    ck_assert(j.reversed);
    ck_assert_str_eq(policy_row_id(&b, j.row), "unity-dc-ldap");
    ck_assert_str_eq(policy_host_name(b.policy, j.client_host), "dc1");
    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), -1);
    policy_bed_close(&b);
}
END_TEST

START_TEST(one_udp_port_for_both_directions)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "dc1", "unity1", "udp/138", "NetBIOS");

    q.tuple.client_port = 138;
    struct judgement j = judge_both(&b, &q);
    ck_assert_int_eq(j.verdict, VERDICT_ALLOWED);
    ck_assert(j.reversed);
    ck_assert_int_eq(j.confidence, CONFIDENCE_INFERRED);
    q.one_asks = true;
    j = judge_both(&b, &q);
    ck_assert_str_eq(finding_kind_name(j.kind), "wrong-direction");
    ck_assert(!j.reversed);
    q.one_asks = false;
    q.sent[1] = false;
    j = judge_both(&b, &q);
    ck_assert_str_eq(finding_kind_name(j.kind), "wrong-direction");
    q = policy_query_of(&b, "unity1", "dc1", "udp/138", NULL);
    q.sent[1] = false;
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    ck_assert(policy_one_way(b.policy, &q.tuple));
    q = policy_query_of(&b, "unity1", "dc1", "udp/137", NULL);
    ck_assert(!policy_one_way(b.policy, &q.tuple));
    policy_bed_close(&b);
}
END_TEST

START_TEST(signalling_says_that_it_is_media)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "phones", "unity1", "udp/16502", NULL);

    q.media = true;
    struct judgement j = judge_both(&b, &q);
    ck_assert_str_eq(finding_kind_name(j.kind), "wrong-port");
    ck_assert_str_eq(policy_row_id(&b, j.row), "phone-unity-rtp");
    policy_bed_close(&b);
}
END_TEST

START_TEST(lists_that_the_site_does_not_give)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "unity1", "exch1", "tcp/1225", NULL);
    struct judgement    j = judge_both(&b, &q);

    ck_assert_str_eq(finding_kind_name(j.kind), "no-row");
    ck_assert_str_eq(b.matrix->parameters[j.parameter].name.text, "exchange_static_ports");
    q = policy_query_of(&b, "unity1", "exch1", "tcp/22", "SSH"); /* whatever the list says, SSH is not on it */
    ck_assert_uint_eq(judge_both(&b, &q).parameter, POLICY_NONE);
    q = policy_query_of(&b, "unity1", "desks", "tcp/1503", NULL);
    j = judge_both(&b, &q);
    ck_assert_str_eq(b.matrix->parameters[j.parameter].name.text, "unity_workstation_ports");
    policy_bed_close(&b);

    char site[UNITY_SITE_SIZE];
    snprintf(site, sizeof(site), "%sparameters: {exchange_static_ports: [1225-1226], unity_workstation_ports: 1503}\n", unity_site);
    b = bed_of_file(UNITY_MATRIX, site);
    q = policy_query_of(&b, "unity1", "exch1", "tcp/1226", NULL);
    ck_assert_str_eq(policy_row_id(&b, judge_both(&b, &q).row), "unity-exchange-static");
    q = policy_query_of(&b, "unity1", "desks", "tcp/1503", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    q = policy_query_of(&b, "unity1", "desks", "tcp/1504", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_VIOLATION);
    policy_bed_close(&b);
}
END_TEST

START_TEST(a_wide_range_behind_an_aware_firewall_is_a_notice)
{
    char site[UNITY_SITE_SIZE], *at;

    snprintf(site, sizeof(site), "%s", unity_site);
    at = strstr(site, "rdp: on");
    ck_assert_ptr_nonnull(at);
    memmove(at + strlen("exchange_client_aware_firewall: on, "), at, strlen(at) + 1);
    memcpy(at, "exchange_client_aware_firewall: on, ", strlen("exchange_client_aware_firewall: on, "));
    struct bed          b = bed_of_file(UNITY_MATRIX, site);
    struct policy_query q = policy_query_of(&b, "exch1", "unity1", "udp/1187", NULL);
    struct judgement    j = judge_both(&b, &q);

    ck_assert_int_eq(j.verdict, VERDICT_ALLOWED);
    ck_assert_str_eq(finding_kind_name(j.kind), "wrong-port");
    ck_assert_int_eq(j.severity, SEVERITY_NOTICE);
    ck_assert_int_eq(policy_severity(&j, OUTCOME_UNANSWERED), SEVERITY_NOTICE);
    q.negotiated = true;
    ck_assert_int_eq(judge_both(&b, &q).kind, FINDING_NONE);
    policy_bed_close(&b);
}
END_TEST

START_TEST(all_rows_that_allow)
{
    struct bed b = bed_of_file(UNITY_MATRIX,
                               "site: t\nmatrix: m\nhosts:\n"
                               "  u: {addresses: [10.0.0.1], roles: [unity-primary]}\n"
                               "  d: {addresses: [10.0.0.2], roles: [dc-monitored, gc-monitored, gc-mapi]}\n");
    struct policy_query q = policy_query_of(&b, "u", "d", "tcp/88", NULL);
    uint32_t            rows[4];

    ck_assert_uint_eq(policy_rows(b.policy, &q, rows, 4), 2);
    ck_assert_str_eq(policy_row_id(&b, rows[0]), "unity-dc-kerberos");
    ck_assert_str_eq(policy_row_id(&b, rows[1]), "unity-gc-kerberos");
    ck_assert_uint_eq(policy_rows(b.policy, &q, rows, 1), 1);
    ck_assert_str_eq(policy_row_id(&b, rows[0]), "unity-dc-kerberos");
    ck_assert_uint_eq(policy_rows(b.policy, &q, NULL, 0), 0);
    q = policy_query_of(&b, "u", "d", "tcp/88", "SSH");
    ck_assert_uint_eq(policy_rows(b.policy, &q, rows, 4), 0);
    q = policy_query_of(&b, "d", "u", "tcp/40000", NULL); /* the other way round, and not known to be */
    q.tuple.client_port = 88;
    q.direction_known = false;
    ck_assert_uint_eq(policy_rows(b.policy, &q, rows, 4), 2);
    policy_bed_close(&b);
}
END_TEST

START_TEST(what_to_look_for)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "unity1", "dc1", "tcp/445", NULL);
    const char *const  *names = policy_expected(b.policy, &q.tuple);

    ck_assert_str_eq(names[0], "NetBIOS");
    ck_assert_str_eq(names[1], "SMB");
    ck_assert_ptr_null(names[2]);
    ck_assert_ptr_eq(policy_expected(b.policy, &q.tuple), names);
    q = policy_query_of(&b, "dc1", "unity1", "tcp/40000", NULL); /* the other end's port counts too */
    q.tuple.client_port = 445;
    ck_assert_ptr_eq(policy_expected(b.policy, &q.tuple), names);
    q = policy_query_of(&b, "desks", "unity1", "tcp/80", NULL); /* a row that is off tells what it would be */
    ck_assert_str_eq(policy_expected(b.policy, &q.tuple)[0], "HTTP");
    q = policy_query_of(&b, "unity1", "phones", "udp/23000", NULL); /* both ends at once */
    q.tuple.client_port = 23002;
    ck_assert_str_eq(policy_expected(b.policy, &q.tuple)[0], "RTP");
    q = policy_query_of(&b, "unity1", "unity2", "tcp/3372", NULL);
    ck_assert_ptr_null(policy_expected(b.policy, &q.tuple));
    q = policy_query_of(&b, "192.0.2.1", "unity1", "tcp/80", NULL);
    ck_assert_ptr_null(policy_expected(b.policy, &q.tuple));
    policy_bed_close(&b);
}
END_TEST

START_TEST(who_serves_a_port)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "unity1", "dc1", "tcp/3268", NULL);

    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), 0);
    q = policy_query_of(&b, "unity1", "dc1", "tcp/5001", NULL);
    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), 1);
    q = policy_query_of(&b, "192.0.2.7", "unity1", "tcp/3389", NULL); /* documented for its role, whoever asks */
    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), 1);
    q = policy_query_of(&b, "unity1", "192.0.2.7", "tcp/50000", NULL);
    q.tuple.client_port = 3389;
    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), -1);
    q = policy_query_of(&b, "unity1", "192.0.2.7", "udp/53", NULL); /* the wide range for notifications is no service */
    ck_assert_int_eq(policy_port_vote(b.policy, &q.tuple), 0);
    ck_assert(policy_dynamic_port(b.policy, 0, IPPROTO_TCP, 88) == false);
    policy_bed_close(&b);
}
END_TEST

START_TEST(exceptions_cover_until_their_day_is_over)
{
    char site[UNITY_SITE_SIZE];

    snprintf(site, sizeof(site),
             "%sexceptions:\n"
             "  - {id: E1, client: desks, server: unity1, port: tcp/22, owner: o, reason: r, until: 1970-01-02}\n"
             "  - {id: E2, client: 192.0.2.0/24, server: \"*\", port: any, owner: o, reason: r, until: 1970-01-03}\n",
             unity_site);
    struct bed          b = bed_of_file(UNITY_MATRIX, site);
    struct policy_query q = policy_query_of(&b, "10.0.8.44", "unity1", "tcp/22", NULL);
    const int64_t       day = INT64_C(86400000000000);

    ck_assert_str_eq(policy_exception(b.policy, &q, 2 * day - 1)->id.text, "E1");
    ck_assert_ptr_null(policy_exception(b.policy, &q, 2 * day));
    q.tuple.server_port = 23;
    ck_assert_ptr_null(policy_exception(b.policy, &q, day));
    q = policy_query_of(&b, "10.0.8.44", "unity2", "tcp/22", NULL);
    ck_assert_ptr_null(policy_exception(b.policy, &q, day));
    q = policy_query_of(&b, "192.0.2.9", "unity2", "udp/9", NULL);
    ck_assert_ptr_eq(policy_exception(b.policy, &q, day), &b.site->exceptions[1]);
    policy_bed_close(&b);
}
END_TEST

/* A sum knows neither this port nor that one: what covers it covers all of them. */
START_TEST(exceptions_of_sums)
{
    char site[UNITY_SITE_SIZE];

    snprintf(site, sizeof(site),
             "%sexceptions:\n"
             "  - {id: E1, client: desks, server: unity1, port: tcp/22, owner: o, reason: r, until: 1970-01-02}\n"
             "  - {id: E2, client: 192.0.2.0/24, server: \"*\", port: any, owner: o, reason: r, until: 1970-01-03}\n"
             "  - {id: E3, client: \"*\", server: unity2, port: tcp/80, owner: o, reason: r, until: 1970-01-03}\n"
             "  - {id: E4, client: desks, server: unity2, port: any, owner: o, reason: r, until: 1970-01-03}\n",
             unity_site);
    struct bed          b = bed_of_file(UNITY_MATRIX, site);
    const int64_t       day = INT64_C(86400000000000);
    struct policy_query desk = policy_query_of(&b, "10.0.8.44", "unity1", "tcp/22", NULL), scan = policy_query_of(&b, "192.0.2.9", "unity1", "tcp/1", NULL),
                        web = policy_query_of(&b, "192.0.2.9", "unity2", "tcp/80", NULL);
    struct policy_sum ports = {.tuple = scan.tuple, .client_known = true, .server_known = true, .client_host = POLICY_NONE, .server_host = POLICY_NONE};
    struct policy_sum clients = {.tuple = web.tuple, .server_known = true, .port_known = true, .client_host = POLICY_NONE, .server_host = POLICY_NONE};
    struct policy_sum peers = {.tuple = web.tuple, .client_host = policy_host(b.policy, &desk.tuple.client), .server_host = policy_host(b.policy, &web.tuple.server)};

    ck_assert_str_eq(policy_exception_of_sum(b.policy, &ports, day)->id.text, "E2");
    ck_assert_ptr_null(policy_exception_of_sum(b.policy, &ports, 3 * day));
    ports.tuple = desk.tuple; /* E1 is for one port */
    ck_assert_ptr_null(policy_exception_of_sum(b.policy, &ports, day));
    ck_assert_str_eq(policy_exception_of_sum(b.policy, &clients, day)->id.text, "E3");
    clients.port_known = false;
    ck_assert_ptr_null(policy_exception_of_sum(b.policy, &clients, day));
    ck_assert_str_eq(policy_exception_of_sum(b.policy, &peers, day)->id.text, "E4");
    peers.client_host = POLICY_NONE; /* clients of a network that the site does not name may be E2's, or not */
    ck_assert_ptr_null(policy_exception_of_sum(b.policy, &peers, day));
    policy_bed_close(&b);
}
END_TEST

Suite *suite_policy_asked(void);

Suite *suite_policy_asked(void)
{
    Suite *s = suite_create("policy: asked");
    TCase *t = tcase_create("asked");

    tcase_add_test(t, six_hundred_blocks_one_in_another);
    tcase_add_test(t, two_machines_or_one);
    tcase_add_test(t, exceptions_of_sums);
    tcase_add_test(t, unknown_direction_is_judged_both_ways);
    tcase_add_test(t, one_udp_port_for_both_directions);
    tcase_add_test(t, signalling_says_that_it_is_media);
    tcase_add_test(t, lists_that_the_site_does_not_give);
    tcase_add_test(t, a_wide_range_behind_an_aware_firewall_is_a_notice);
    tcase_add_test(t, all_rows_that_allow);
    tcase_add_test(t, what_to_look_for);
    tcase_add_test(t, who_serves_a_port);
    tcase_add_test(t, exceptions_cover_until_their_day_is_over);
    suite_add_tcase(s, t);
    return s;
}
