/* SPDX-License-Identifier: Apache-2.0 */
/* What the matrix of the vendor's document says of flows that a person would ask about. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

struct case_of {
    const char *client, *server, *service, *app, *verdict, *kind, *row;
};

static const struct case_of cases[] = {
    /* to a domain controller, and to one that is not monitored */
    {"unity1", "dc1", "tcp/88", "Kerberos", "allowed", "", "unity-dc-kerberos"},
    {"unity2", "dc1", "udp/389", NULL, "allowed", "", "unity-dc-ldap"},
    {"unity1", "fd00::2:10", "tcp/389", "LDAP", "allowed", "", "unity-dc-ldap"},
    {"unity1", "dc1", "tcp/5000", "DCE_RPC", "allowed", "", "unity-dc-dcom"},
    {"unity1", "dc1", "udp/5020", NULL, "allowed", "", "unity-dc-dcom"},
    {"unity1", "dc1", "tcp/5021", "DCE_RPC", "violation", "wrong-port", "unity-dc-dcom"},
    {"unity1", "dc1", "tcp/4999", NULL, "violation", "no-row", "-"},
    {"unity1", "dc1", "tcp/1024", "DCE_RPC", "violation", "wrong-port", "unity-dc-dcom"},
    {"unity1", "dc1", "tcp/593", "DCE_RPC", "violation", "wrong-port", "unity-dc-epm"},
    {"unity1", "dc2", "tcp/389", "LDAP", "violation", "wrong-role", "unity-dc-ldap"},
    {"dc1", "unity1", "tcp/88", NULL, "violation", "wrong-direction", "unity-dc-kerberos"},
    {"dc1", "unity1", "tcp/3389", "RDP", "violation", "no-row", "-"},
    {"unity1", "dc1", "tcp/88", "SSH", "violation", "wrong-protocol", "unity-dc-kerberos"},
    {"unity1", "dc1", "tcp/88", "?SSH", "allowed", "", "unity-dc-kerberos"},
    {"unity1", "dc1", "tcp/445", "SMB", "allowed", "", "unity-dc-netbios"},
    {"unity1", "dc1", "tcp/123", NULL, "violation", "no-row", "-"},
    /* global catalogs */
    {"unity1", "gc1", "tcp/3268", "LDAP", "allowed", "", "unity-gc-gc-ldap"},
    {"unity1", "gc2", "tcp/3268", "LDAP", "violation", "wrong-role", "unity-gc-gc-ldap"},
    {"unity1", "gc1", "tcp/135", NULL, "allowed", "", "unity-gc-epm"},
    /* DNS, Exchange */
    {"unity1", "dns1", "udp/53", "DNS", "allowed", "", "unity-dns"},
    {"unity1", "dns1", "tcp/853", "TLS", "violation", "no-row", "-"},
    {"unity1", "203.0.113.53", "udp/53", "DNS", "violation", "unknown-host", "-"},
    {"203.0.113.9", "unity1", "tcp/443", "TLS", "violation", "unknown-host", "-"},
    {"unity1", "exch1", "tcp/49157", "DCE_RPC", "violation", "wrong-port", "unity-exchange-dcom"},
    {"unity1", "exch2", "tcp/135", "DCE_RPC", "violation", "wrong-role", "unity-exchange-epm"},
    {"exch1", "unity1", "udp/1024", NULL, "allowed", "", "exchange-unity-notify"},
    {"exch1", "unity1", "udp/1023", NULL, "violation", "no-row", "-"},
    {"exch2", "unity2", "udp/65535", "RTP", "allowed", "", "exchange-unity-notify"},
    {"exch1", "unity1", "tcp/25", "SMTP", "violation", "no-row", "-"},
    {"exch1", "exch2", "tcp/691", NULL, "allowed", "", "exchange-exchange-routing"},
    {"exch2", "exch1", "tcp/25", "SMTP", "allowed", "", "exchange-exchange-smtp"},
    {"exch2", "dc2", "udp/123", "NTP", "allowed", "", "exchange-dc-ntp"},
    {"exch2", "gc2", "udp/123", "NTP", "violation", "no-row", "-"},
    {"exch1", "brg1", "tcp/25", "SMTP", "allowed", "", "voice-connector-smtp"},
    {"exch2", "brg1", "tcp/25", "SMTP", "not-governed", "", "-"},
    /* the failover pair */
    {"unity1", "unity2", "tcp/1433", "MsSQL-TDS", "allowed", "", "failover-sql"},
    {"unity2", "unity1", "tcp/3653", NULL, "allowed", "", "failover-node-manager"},
    {"unity1", "unity2", "tcp/22", "SSH", "violation", "no-row", "-"},
    {"unity1", "unity1", "tcp/1433", NULL, "violation", "no-row", "-"},
    /* Unified CM, SIP */
    {"unity1", "ucm1", "tcp/2000", "CiscoSkinny", "allowed", "", "unity-ucm-sccp"},
    {"unity1", "ucm1", "tcp/2443", "TLS", "violation", "option-off", "unity-ucm-sccps"},
    {"unity1", "ucm1", "tcp/2443", "SSH", "violation", "no-row", "-"},
    {"ucm1", "unity1", "tcp/2000", NULL, "violation", "wrong-direction", "unity-ucm-sccp"},
    {"unity1", "sip1", "tcp/5062", "SIP", "violation", "wrong-port", "unity-sip-control"},
    {"sip1", "unity1", "udp/5060", "SIP", "violation", "wrong-port", "sip-unity-control"},
    {"sip1", "unity1", "udp/5060", NULL, "violation", "no-row", "-"},
    {"phones", "unity1", "udp/137", "NetBIOS", "violation", "no-row", "-"},
    {"phones", "unity1", "tcp/23000", NULL, "violation", "no-row", "-"},
    /* workstations */
    {"admin1", "unity1", "tcp/3389", "RDP", "allowed", "", "admin-rdp"},
    {"desks", "unity1", "tcp/3389", "RDP", "violation", "wrong-role", "admin-rdp"},
    {"desks", "unity1", "tcp/3389", "SSH", "violation", "no-row", "-"},
    {"desks", "unity1", "tcp/443", "TLS", "allowed", "", "pca-https"},
    {"desks", "unity1", "tcp/443", "SSH", "violation", "wrong-protocol", "pca-https"},
    {"desks", "unity1", "tcp/80", "HTTP", "violation", "option-off", "pca-http"},
    {"desks", "unity1", "tcp/80", NULL, "violation", "option-off", "pca-http"},
    {"admin1", "unity1", "tcp/445", "SMB", "violation", "option-off", "admin-netbios"},
    {"admin1", "unity1", "tcp/5010", "HTTP", "violation", "wrong-protocol", "admin-dcom"},
    {"admin1", "unity1", "tcp/5900", "VNC", "violation", "wrong-role", "vnc-unity"},
    {"vnc1", "unity1", "tcp/5900", "VNC", "allowed", "", "vnc-unity"},
    {"nms1", "unity1", "tcp/161", NULL, "violation", "no-row", "-"},
    {"unity1", "nms1", "udp/161", "SNMP", "violation", "wrong-direction", "snmp-unity"},
    {"unity1", "desks", "tcp/1503", NULL, "undocumented", "", "unity-workstation"},
    {"unity1", "desks", "tcp/22", "SSH", "undocumented", "", "unity-workstation"},
    {"desks", "exch2", "tcp/443", "TLS", "violation", "no-row", "-"},
    {"desks", "dns1", "udp/53", "DNS", "allowed", "", "workstation-dns"},
    /* scope */
    {"phones", "ucm1", "tcp/2000", "CiscoSkinny", "not-governed", "", "-"},
    {"desks", "dc1", "tcp/88", NULL, "not-governed", "", "-"},
    {"dc1", "dns1", "udp/53", "DNS", "not-governed", "", "-"},
    {"printer", "exch1", "tcp/25", NULL, "not-governed", "", "-"},
    {"printer", "unity1", "tcp/80", NULL, "violation", "no-row", "-"},
    {"192.0.2.1", "198.51.100.1", "tcp/80", NULL, "not-governed", "", "-"},
};

START_TEST(table)
{
    const struct case_of *c = &cases[_i];
    struct bed            b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query   q = policy_query_of(&b, c->client, c->server, c->service, c->app);
    struct judgement      j = judge_both(&b, &q);

    ck_assert_str_eq(verdict_name(j.verdict), c->verdict);
    ck_assert_str_eq(finding_kind_name(j.kind), c->kind);
    ck_assert_str_eq(policy_row_id(&b, j.row), c->row);
    policy_bed_close(&b);
}
END_TEST

START_TEST(confidence_says_what_it_rests_on)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, "unity1", "dc1", "tcp/88", "Kerberos");

    ck_assert_int_eq(judge_both(&b, &q).confidence, CONFIDENCE_CONFIRMED);
    q.app.basis = APP_HINT;
    ck_assert_int_eq(judge_both(&b, &q).confidence, CONFIDENCE_PORT_ONLY);
    q.app = (struct app){.basis = APP_CONTENT, .name = "Other"}; /* not sure enough to contradict */
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    ck_assert_int_eq(judge_both(&b, &q).confidence, CONFIDENCE_PORT_ONLY);
    q.direction_known = false;
    ck_assert_int_eq(judge_both(&b, &q).confidence, CONFIDENCE_INFERRED);
    q = policy_query_of(&b, "unity1", "unity2", "tcp/3372", "SSH"); /* a row without protocols has no opinion */
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    ck_assert_int_eq(judge_both(&b, &q).confidence, CONFIDENCE_PORT_ONLY);
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

static const struct {
    const char *client, *server;
    uint16_t    client_port, server_port;
    bool        there, back;
    const char *app, *verdict, *kind, *row;
    bool        breaks_back;
} media[] = {
    {"unity1", "phones", 23000, 24000, true, true, "RTP", "allowed", "", "unity-phone-rtp", false},
    {"unity1", "phones", 23000, 24001, true, true, "RTCP", "allowed", "", "unity-phone-rtp", false},
    {"unity1", "phones", 23000, 16500, true, false, "RTP", "violation", "wrong-port", "unity-phone-rtp", false},
    {"unity1", "phones", 23000, 16500, false, true, "RTP", "allowed", "", "phone-unity-rtp", false},
    {"unity1", "phones", 23000, 16500, true, true, NULL, "violation", "wrong-port", "unity-phone-rtp", false},
    {"phones", "unity1", 16500, 23000, true, true, "RTP", "violation", "wrong-port", "unity-phone-rtp", true},
    {"phones", "unity1", 16500, 23000, true, false, "RTP", "allowed", "", "phone-unity-rtp", false},
    {"phones", "unity1", 16500, 23000, false, false, "RTP", "allowed", "", "phone-unity-rtp", false},
    {"phones", "unity1", 16500, 16502, true, true, "RTP", "violation", "wrong-port", "phone-unity-rtp", false},
    {"phones", "unity1", 16500, 16502, true, true, NULL, "violation", "no-row", "-", false},
    {"phones", "unity1", 23456, 137, true, true, NULL, "violation", "no-row", "-", false},
    {"phones", "unity1", 40000, 23000, true, true, "SIP", "violation", "wrong-protocol", "phone-unity-rtp", false},
    {"unity1", "admin1", 23000, 24000, true, true, "RTP", "violation", "no-row", "-", false},
};

START_TEST(media_is_judged_for_each_direction)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, media[_i].client, media[_i].server, "udp/1", media[_i].app);

    q.tuple.client_port = media[_i].client_port;
    q.tuple.server_port = media[_i].server_port;
    q.sent[0] = media[_i].there;
    q.sent[1] = media[_i].back;
    struct judgement j = judge_both(&b, &q);
    ck_assert_str_eq(verdict_name(j.verdict), media[_i].verdict);
    ck_assert_str_eq(finding_kind_name(j.kind), media[_i].kind);
    ck_assert_str_eq(policy_row_id(&b, j.row), media[_i].row);
    ck_assert_int_eq(j.back, media[_i].breaks_back);
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

START_TEST(what_is_outside_the_matrix)
{
    char site[UNITY_SITE_SIZE];

    snprintf(site, sizeof(site), "%signore: [{network: 10.99.0.0/16, reason: backup}]\n", unity_site);
    struct bed          b = bed_of_file(UNITY_MATRIX, site);
    struct policy_query q = policy_query_of(&b, "unity1", "10.99.1.1", "tcp/22", "SSH");
    struct judgement    j = judge_both(&b, &q);
    const char         *reason = NULL;

    ck_assert_int_eq(j.verdict, VERDICT_NOT_GOVERNED);
    ck_assert(j.ignored);
    ck_assert(policy_ignored(b.policy, &q.tuple.server, &reason));
    ck_assert_str_eq(reason, "backup");
    q = policy_query_of(&b, "unity1", "10.0.255.255", "udp/138", NULL);
    q.group = true;
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_NOT_GOVERNED);
    q.group = false;
    q.answers_group = true;
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_NOT_GOVERNED);
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

Suite *suite_policy_judge(void);

Suite *suite_policy_judge(void)
{
    Suite *s = suite_create("policy: judge");
    TCase *t = tcase_create("judge");

    tcase_add_loop_test(t, table, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(t, confidence_says_what_it_rests_on);
    tcase_add_test(t, unknown_direction_is_judged_both_ways);
    tcase_add_test(t, one_udp_port_for_both_directions);
    tcase_add_loop_test(t, media_is_judged_for_each_direction, 0, sizeof(media) / sizeof(media[0]));
    tcase_add_test(t, signalling_says_that_it_is_media);
    tcase_add_test(t, lists_that_the_site_does_not_give);
    tcase_add_test(t, a_wide_range_behind_an_aware_firewall_is_a_notice);
    tcase_add_test(t, what_is_outside_the_matrix);
    tcase_add_test(t, all_rows_that_allow);
    tcase_add_test(t, what_to_look_for);
    tcase_add_test(t, who_serves_a_port);
    tcase_add_test(t, exceptions_cover_until_their_day_is_over);
    suite_add_tcase(s, t);
    return s;
}
