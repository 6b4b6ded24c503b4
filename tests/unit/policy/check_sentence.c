/* SPDX-License-Identifier: Apache-2.0 */
/* What people read of a flow: the exact words for each kind, and that no sentence says more than was seen. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

#define HOSTS                                                                \
    "site: s\n"                                                              \
    "hosts:\n"                                                               \
    "  unity1: {addresses: [10.0.1.1], roles: [unity-primary]}\n"            \
    "  unity2: {addresses: [10.0.1.2], roles: [unity-secondary]}\n"          \
    "  dc1:    {addresses: [10.0.2.1], roles: [dc-monitored, dns]}\n"        \
    "  dc2:    {addresses: [10.0.2.2], roles: [dc]}\n"                       \
    "  ex1:    {addresses: [10.0.3.1], roles: [exchange-partner]}\n"         \
    "  exv:    {addresses: [10.0.3.3], roles: [exchange-voice-connector]}\n" \
    "  bridge: {addresses: [10.0.6.1], roles: [bridge-server]}\n"            \
    "  ucm1:   {addresses: [10.0.4.1], roles: [ucm]}\n"                      \
    "  admin:  {addresses: [10.0.7.1], roles: [admin-workstation]}\n"        \
    "  desks:  {addresses: [10.0.8.0/24], roles: [subscriber-workstation]}\n"\
    "  phones: {addresses: [10.0.9.0/24], roles: [phone]}\n"                 \
    "  plain:  {addresses: [10.0.5.5], roles: []}\n"

enum { BOTH = 1, UNKNOWN = 2, SERVER_ONLY = 4, HINT = 8, PROBE = 16, NO_DATA = 32, SESSION = 64 };

struct told {
    const char  *client, *server, *service;
    uint16_t     client_port; /* 0: 50000 */
    const char  *protocol;
    unsigned     flags;
    enum outcome outcome;
    uint64_t     flows;
    const char  *more, *sentence;
};

static const struct told cases[] = {
    /* What was seen: TCP. */
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, "LDAP", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 389, carrying LDAP. Row unity-dc-ldap (LDAP, \"Network "
     "Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, 0, OUTCOME_UNANSWERED, 3, NULL,
     "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 389 3 times; no answer was seen. Row unity-dc-ldap "
     "(LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, BOTH, OUTCOME_REFUSED, 1, NULL,
     "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 389; it was refused by a RST with the server's address. Row "
     "unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, BOTH, OUTCOME_PROHIBITED, 1, NULL,
     "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 389; it was refused by a RST that is not like the "
     "server's packets. Row unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows "
     "it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, 0, OUTCOME_ONE_WAY, 1, NULL,
     "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on TCP 389; no packet the other way was seen. Row unity-dc-ldap (LDAP, "
     "\"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, SERVER_ONLY, OUTCOME_ONE_WAY, 1, NULL,
     "dc1 (10.0.2.1) sent to unity1 (10.0.1.1) from TCP 389; no packet the other way was seen. Row unity-dc-ldap "
     "(LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, NULL, BOTH | UNKNOWN, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) and dc1 (10.0.2.1) exchanged packets between TCP 50000 of the former and TCP 389 of the latter (who began is not in the "
     "capture). Row unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    /* UDP: nobody connects. */
    {"10.0.1.1", "10.0.2.1", "udp/53", 0, "DNS", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on UDP 53, carrying DNS; it was answered. Row unity-dns (DNS, "
     "\"Network Traffic from Cisco Unity to a DNS Server\") allows it."},
    {"10.0.1.1", "10.0.2.1", "udp/53", 0, "DNS", BOTH, OUTCOME_ESTABLISHED, 2, NULL,
     "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on UDP 53 (2 flows, 4 packets both ways), carrying DNS; it was answered. Row unity-dns (DNS, "
     "\"Network Traffic from Cisco Unity to a DNS Server\") allows it."},
    {"10.0.1.1", "10.0.2.1", "udp/138", 138, NULL, 0, OUTCOME_ONE_WAY, 2, NULL,
     "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on UDP 138 (2 flows, 4 packets); no packet the other way was seen. Row unity-dc-netbios "
     "(NetBIOS, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "udp/138", 138, NULL, 0, OUTCOME_ONE_WAY, 1, NULL,
     "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on UDP 138; no packet the other way was seen. Row unity-dc-netbios "
     "(NetBIOS, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, "MQTT", BOTH | HINT, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 389, and the content looks like MQTT. Row unity-dc-ldap "
     "(LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    {"203.0.113.5", "10.0.1.1", "tcp/80", 0, NULL, BOTH | PROBE, OUTCOME_ESTABLISHED, 1, NULL, "203.0.113.5 probed TCP 80 of unity1 (10.0.1.1): it answered that the port is open (SYN, ACK), and 203.0.113.5 reset the "
     "connection; no data was seen. 203.0.113.5 is not a host of the site, and no row of the document lets unity1 be reached by a "
     "host without a role. Name it in the site file if it belongs there, or find out what it is."},
    {"10.0.7.1", "10.0.1.1", "tcp/853", 0, NULL, BOTH | PROBE, OUTCOME_ESTABLISHED, 3, NULL, "admin (10.0.7.1) probed TCP 853 of unity1 (10.0.1.1) 3 times: it answered each time that the port is open (SYN, ACK), and admin "
     "(10.0.7.1) reset the connection; no data was seen. No row of the document lets admin (admin-workstation) reach unity1 "
     "(unity-primary) on TCP 853. What it says of these roles (\"Network Traffic from Administrator Workstations to Cisco Unity\") has "
     "no row for that. Find out what on admin probes TCP 853 of unity1, or correct the roles in the site file."},
    {"10.0.1.1", "10.0.2.2", "tcp/389", 0, NULL, BOTH | PROBE, OUTCOME_ESTABLISHED, 1, NULL, "unity1 (10.0.1.1) probed TCP 389 of dc2 (10.0.2.2): it answered that the port is open (SYN, ACK), and unity1 (10.0.1.1) reset the "
     "connection; no data was seen. Row unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it "
     "from unity to dc-monitored only, and this is to dc2 (dc). Find out what on unity1 probes TCP 389 of dc2."},
    {"10.0.7.1", "10.0.1.1", "tcp/853", 0, NULL, BOTH | NO_DATA, OUTCOME_ESTABLISHED, 1, NULL, "admin (10.0.7.1) connected to unity1 (10.0.1.1) on TCP 853; no data was seen in it. No row of the document lets admin "
     "(admin-workstation) reach unity1 (unity-primary) on TCP 853. What it says of these roles (\"Network Traffic from Administrator "
     "Workstations to Cisco Unity\") has no row for that. Find out what on admin uses TCP 853 of unity1, or correct the roles in the "
     "site file."},
    {"10.0.1.1", "10.0.2.1", "tcp/445", 0, "SMB", BOTH | SESSION, OUTCOME_ESTABLISHED, 1, NULL, "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 445, carrying NetBIOS session service. Row unity-dc-netbios (NetBIOS, "
     "\"Network Traffic from Cisco Unity to a Domain Controller\") allows it."},
    /* What the document says: each kind. */
    {"10.0.8.7", "10.0.1.1", "tcp/3389", 0, "RDP", BOTH, OUTCOME_ESTABLISHED, 1, "options: {rdp: on}\n", "desks (10.0.8.7) connected to unity1 (10.0.1.1) on TCP 3389, carrying RDP. Row admin-rdp (WTS or RDP, \"Network Traffic from "
     "Administrator Workstations to Cisco Unity\") allows it to unity from admin-workstation only, and this is from 10.0.8.7, one of "
     "desks (subscriber-workstation). Find out who at desks (10.0.8.7) uses TCP 3389 of unity1, or correct the role in the site file."},
    {"198.51.100.7", "10.0.1.1", "tcp/3389", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, "  world: {addresses: [198.51.100.0/24], roles: [subscriber-workstation]}\noptions: {rdp: on}\n",
     "world (198.51.100.7) connected to unity1 (10.0.1.1) on TCP 3389. Row admin-rdp (WTS or RDP, \"Network Traffic from Administrator "
     "Workstations to Cisco Unity\") allows it to unity from admin-workstation only, and this is from 198.51.100.7, one of world "
     "(subscriber-workstation). Look at what lets 198.51.100.7, an outside address, reach unity1: a filter, a forwarded port."},
    {"10.0.1.1", "10.0.3.1", "tcp/49157", 0, "DCE_RPC", BOTH, OUTCOME_ESTABLISHED, 1, "parameters: {exchange_static_ports: [1200, 1201-1204]}\n", "unity1 (10.0.1.1) connected to ex1 (10.0.3.1) on TCP 49157, carrying DCE_RPC. Row unity-exchange-dcom (DCOM RPC range after "
     "restriction, \"Network Traffic from Cisco Unity to the Partner Exchange Server\") allows DCE_RPC between these two on TCP and UDP "
     "5000-5020, row unity-exchange-epm (WinRPC endpoint locator, in the same section) "
     "on TCP 135, row unity-exchange-static (Exchange static ports (KB 270836), in the same section) on TCP and UDP 1200, TCP and UDP 1201-1204 only. Look at the ports, TCP or UDP, that ex1 is set to use."},
    {"10.0.9.7", "10.0.7.1", "tcp/80", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL, "phones (10.0.9.7) connected to admin (10.0.7.1) on TCP 80. The document does not speak of it."},
    {"10.0.1.1", "10.0.2.1", "tcp/853", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 853. No row of the document lets unity1 (unity-primary) reach dc1 "
     "(dc-monitored, dns) on TCP 853. What it says of these roles (\"Network Traffic from Cisco Unity to a Domain Controller\", "
     "\"Network Traffic from Cisco Unity to a DNS Server\") has no row for that. Find out what on unity1 uses TCP 853 of dc1, or correct"
     " the roles in the site file."},
    {"10.0.5.5", "10.0.1.1", "tcp/80", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "plain (10.0.5.5) connected to unity1 (10.0.1.1) on TCP 80. No row of the document lets plain (no role) reach unity1 "
     "(unity-primary) on TCP 80. No section of it has traffic between these roles. Find out what on plain uses TCP 80 of unity1, or correct the "
     "roles in the site file."},
    {"10.0.1.1", "10.0.3.1", "tcp/1200", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to ex1 (10.0.3.1) on TCP 1200. No row of the document lets unity1 (unity-primary) reach ex1 "
     "(exchange-partner) on TCP 1200. What it says of these roles (\"Network Traffic from Cisco Unity to the Partner Exchange Server\") "
     "has no row for that. Find out what on unity1 uses TCP 1200 of ex1, or correct the roles in the site file. The site lists no "
     "exchange_static_ports, so the rows that need this list allow nothing."},
    {"10.0.1.1", "10.0.2.1", "tcp/49157", 0, "DCE_RPC", BOTH, OUTCOME_ESTABLISHED, 2, NULL,
     "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 49157 2 times, carrying DCE_RPC. Row unity-dc-dcom (DCOM RPC range after "
     "restriction, \"Network Traffic from Cisco Unity to a Domain Controller\") allows DCE_RPC between these two on TCP and UDP "
     "5000-5020, row unity-dc-epm (WinRPC endpoint locator, in the same section) on TCP 135 "
     "only. Look at the ports, TCP or UDP, that dc1 is set to use."},
    {"10.0.1.1", "10.0.2.1", "tcp/389", 0, "SSH", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 389, carrying SSH. Row unity-dc-ldap (LDAP, \"Network "
     "Traffic from Cisco Unity to a Domain Controller\") allows this port for LDAP only. Find out what runs on dc1 "
     "there."},
    {"10.0.2.1", "10.0.1.1", "tcp/88", 0, NULL, 0, OUTCOME_UNANSWERED, 1, NULL,
     "dc1 (10.0.2.1) tried to connect to unity1 (10.0.1.1) on TCP 88; no answer was seen. For this port the document has only the other "
     "direction: row unity-dc-kerberos (Kerberos, \"Network Traffic from Cisco Unity to a Domain Controller\") lets unity reach "
     "dc-monitored. Find out what on dc1 tries TCP 88 of unity1."},
    {"10.0.1.1", "10.0.2.2", "tcp/389", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to dc2 (10.0.2.2) on TCP 389. Row unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain "
     "Controller\") allows it from unity to dc-monitored only, and this is to dc2 (dc). Look at which server unity1 is set to use, and "
     "at the roles in the site file."},
    {"10.0.7.1", "10.0.1.1", "tcp/443", 0, "TLS", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "admin (10.0.7.1) connected to unity1 (10.0.1.1) on TCP 443, carrying TLS. HTTPS on TCP 443 is allowed only "
     "while HTTPS is enabled. Row admin-https (IIS web server, \"Network Traffic from Administrator Workstations to "
     "Cisco Unity\") would allow it if option https were on: look at the options in the site file, or stop it."},
    {"10.0.8.7", "10.0.1.1", "tcp/443", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, "options: {pca: off}\n",
     "desks (10.0.8.7) connected to unity1 (10.0.1.1) on TCP 443. HTTPS on TCP 443 is allowed only while the Cisco "
     "PCA is used and HTTPS is enabled. Row pca-https (IIS web server, \"Network Traffic from Subscriber Workstations "
     "to Cisco Unity (for the Cisco PCA or ViewMail for Outlook)\") would allow it if option pca were on and option "
     "https were on: look at the options in the site file, or stop it."},
    {"10.0.3.3", "10.0.6.1", "tcp/25", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, "options: {bridge: off, vpim: off}\n",
     "exv (10.0.3.3) connected to bridge (10.0.6.1) on TCP 25. SMTP to other voice-messaging systems is allowed only "
     "where Bridge or VPIM networking is used. Row voice-connector-smtp (SMTP, \"Network Traffic Between Exchange and "
     "Other Voice-Messaging Systems\") would allow it if option bridge were on or option vpim were on: look at the "
     "options in the site file, or stop it."},
    {"203.0.113.5", "10.0.1.1", "tcp/80", 0, NULL, 0, OUTCOME_REFUSED, 1, NULL,
     "203.0.113.5 tried to connect to unity1 (10.0.1.1) on TCP 80; it was refused by a RST with the server's address. 203.0.113.5 is not"
     " a host of the site, and no row of the document lets unity1 be reached by a host without a role. Name it in the site file if it "
     "belongs there, or find out what it is."},
    {"10.0.1.1", "203.0.113.5", "tcp/80", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to 203.0.113.5 on TCP 80. 203.0.113.5 is not a host of the site, and no row of the "
     "document lets unity1 reach a host without a role. Name it in the site file if it belongs there, or find out "
     "what it is."},
    {"10.0.1.1", "10.0.9.7", "udp/16500", 23000, "RTP", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) sent to phones (10.0.9.7) on UDP 16500, carrying RTP; packets came the other way too. Packets went to UDP 16500 "
     "of phones (10.0.9.7), and row unity-phone-rtp (RTP (voice media traffic), \"Network Traffic from Cisco Unity to Cisco Unified "
     "Communications Manager and Phones\") allows UDP 22800-32767 only. Look at the range of media ports that phones (10.0.9.7) is set "
     "to use."},
    {"10.0.1.1", "10.0.9.7", "udp/16500", 16600, "RTP", BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) sent to phones (10.0.9.7) on UDP 16500, carrying RTP; packets came the other way too. Packets went to UDP 16500 "
     "of phones (10.0.9.7), and row unity-phone-rtp (RTP (voice media traffic), \"Network Traffic from Cisco Unity to Cisco Unified "
     "Communications Manager and Phones\") allows UDP 22800-32767 only. The other way packets went to UDP 16600 of unity1 (10.0.1.1), and row "
     "phone-unity-rtp (RTP (voice media traffic), \"Network Traffic from Cisco Unified Communications Manager and Phones to Cisco Unity\") allows UDP "
     "22800-32767 only. Look at the ranges of media ports that phones (10.0.9.7) and unity1 are set to use."},
    {"10.0.9.7", "10.0.1.1", "udp/23000", 16500, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "phones (10.0.9.7) sent to unity1 (10.0.1.1) on UDP 23000; packets came the other way too. If this is media, which one of its ports"
     " suggests, this breaks a row. Packets went to UDP 16500 of phones (10.0.9.7), and row unity-phone-rtp (RTP (voice media traffic), "
     "\"Network Traffic from Cisco Unity to Cisco Unified Communications Manager and Phones\") allows UDP 22800-32767 only. Look at the "
     "range of media ports that phones (10.0.9.7) is set to use."},
    {"10.0.3.1", "10.0.1.1", "udp/5000", 0, NULL, 0, OUTCOME_ONE_WAY, 1, "options: {exchange_client_aware_firewall: on}\n",
     "ex1 (10.0.3.1) sent to unity1 (10.0.1.1) on UDP 5000; no packet the other way was seen. Row exchange-unity-notify (MAPI new-mail "
     "notification (KB 264035), ports negotiated by MAPI, \"Network Traffic from Exchange to Cisco Unity\") allows the whole of UDP "
     "1024-65535, but the site says that the firewall opens negotiated ports only (option exchange_client_aware_firewall), and no "
     "negotiation of this port was seen. Look at whether the session that negotiates it passes the point of capture, and at whether the "
     "firewall lets these packets through."},
    {"10.0.1.1", "10.0.8.9", "tcp/445", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "unity1 (10.0.1.1) connected to desks (10.0.8.9) on TCP 445. Row unity-workstation (Cisco PCA or ViewMail for "
     "Outlook callbacks, \"Network Traffic from Cisco Unity to Subscriber Workstations (for the Cisco PCA or ViewMail "
     "for Outlook)\") speaks of this direction, but its table of ports is lost from the source, and the site lists no "
     "unity_workstation_ports: it is neither allowed nor a violation."},
    {"10.0.5.5", "10.0.2.1", "tcp/88", 0, NULL, BOTH, OUTCOME_ESTABLISHED, 1, NULL,
     "plain (10.0.5.5) connected to dc1 (10.0.2.1) on TCP 88. The document does not speak of it."},
};

static struct policy_query query_of(const struct told *c)
{
    struct policy_query q = policy_bed_query(c->client, c->server, c->service);

    if (c->client_port != 0)
        q.tuple.client_port = c->client_port;
    if (c->protocol != NULL)
        policy_bed_content(&q, c->protocol);
    if ((c->flags & HINT) != 0) {
        q.app.basis = APP_HINT;
        q.app.contradicts = false;
    }
    if ((c->flags & SESSION) != 0)
        snprintf(q.app.detail, sizeof(q.app.detail), "session");
    q.sent[0] = (c->flags & SERVER_ONLY) == 0;
    q.sent[1] = (c->flags & (BOTH | SERVER_ONLY)) != 0;
    q.direction_known = (c->flags & UNKNOWN) == 0;
    return q;
}

START_TEST(exact_words)
{
    const struct told  *c = &cases[_i];
    struct policy_facts facts = {
           .outcome = c->outcome, .flows = c->flows, .packets = 4, .probe = (c->flags & PROBE) != 0, .no_data = (c->flags & (PROBE | NO_DATA)) != 0};
    struct judgement    j;
    char                site[4096], text[2048], cut[32];

    snprintf(site, sizeof(site), "%s%s", HOSTS, c->more != NULL ? c->more : "");
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, site);
    struct policy_query q = query_of(c);
    policy_judge(bed.policy, &q, &j);
    int n = policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_str_eq(text, c->sentence);
    ck_assert_int_eq(n, (int)strlen(c->sentence));
    ck_assert_str_eq(policy_section(bed.policy, &j), j.row != POLICY_NONE ? policy_row(bed.policy, j.row)->section : "");
    /* As snprintf: what there would be without the cut. */
    ck_assert_int_eq(policy_sentence(bed.policy, &q, &j, &facts, cut, sizeof(cut)), n);
    ck_assert_uint_eq(strlen(cut), sizeof(cut) - 1);
    ck_assert_mem_eq(cut, text, sizeof(cut) - 1);
    ck_assert_int_eq(policy_sentence(bed.policy, &q, &j, &facts, NULL, 0), n);
    policy_bed_free(&bed);
}
END_TEST

/* What a server sent to whom the capture does not show: findings that differ in the client's port can be told apart. */
START_TEST(to_ports)
{
    static const struct {
        uint16_t    ports[2];
        const char *words;
    } table[] = {
        {{0, 0}, "dc2 (10.0.2.2) sent to unity1 (10.0.1.1) from TCP 389 (2 flows, 9 packets); "},
        {{1130, 1130}, "dc2 (10.0.2.2) sent to unity1 (10.0.1.1) from TCP 389 to its TCP 1130 (2 flows, 9 packets); "},
        {{1130, 1140}, "dc2 (10.0.2.2) sent to unity1 (10.0.1.1) from TCP 389 to several TCP ports of the latter, from 1130 to 1140 (2 flows, 9 packets); "},
    };
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.2", "tcp/389");
    struct judgement    j;
    char                text[1024];

    q.sent[0] = false;
    q.sent[1] = true;
    policy_judge(bed.policy, &q, &j);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct policy_facts facts = {.outcome = OUTCOME_ONE_WAY, .flows = 2, .packets = 9, .client_ports = {table[i].ports[0], table[i].ports[1]}};

        policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
        ck_assert_msg(strncmp(text, table[i].words, strlen(table[i].words)) == 0, "%s", text);
        ck_assert_msg(strstr(text, " only, and the server here is dc2 (") != NULL, "%s", text);
    }
    policy_bed_free(&bed);
}
END_TEST

/* What came instead of an answer, or before a refusal, is told too. */
START_TEST(silence_and_resets)
{
    struct flow_icmp    icmp = {.n_errors = 1, .type = 11, .about_client_packet = true};
    struct policy_facts facts = {.outcome = OUTCOME_UNANSWERED, .flows = 1, .packets = 1, .icmp = &icmp, .errors_differ = true};
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.1", "tcp/389");
    struct judgement    j;
    char                text[1024];

    ck_assert_int_eq(addr_parse("10.0.0.254", &icmp.sender), 0);
    policy_judge(bed.policy, &q, &j);
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no answer was seen, but errors, among them ICMP \"time exceeded\" (type 11 code 0) from 10.0.0.254. ") != NULL, "%s", text);
    facts = (struct policy_facts){.outcome = OUTCOME_UNANSWERED, .flows = 1, .packets = 1, .n_cut = 57};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no answer was seen, though 57 packets of the capture are cut before the ports and may be one. ") != NULL, "%s", text);
    facts = (struct policy_facts){.outcome = OUTCOME_UNANSWERED, .flows = 1, .packets = 1, .unheard = UNHEARD_SERVER};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no TCP or UDP packet of dc1 (10.0.2.1) is in the capture, though others acknowledged some, so ") != NULL, "%s", text);
    facts.unheard = UNHEARD_PAIR;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no TCP or UDP packet of dc1 (10.0.2.1) to unity1 (10.0.1.1) is in the capture, though the latter acted on some, so whether it was ") != NULL, "%s", text);
    facts.unheard = UNHEARD_CLIENT;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no TCP or UDP packet to unity1 (10.0.1.1) is in the capture, though it acted on some, so whether it was answered cannot be told. ") != NULL, "%s", text);
    q = policy_bed_query("10.0.1.1", "10.0.2.1", "udp/9999");
    q.sent[1] = false;
    facts = (struct policy_facts){.outcome = OUTCOME_ONE_WAY, .flows = 1, .packets = 1, .n_cut = 1};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no packet the other way was seen, though 1 packet of the capture is cut before the ports and may be one. ") != NULL, "%s", text);
    facts.unheard = UNHEARD_SERVER;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; no TCP or UDP packet of dc1 (10.0.2.1) is in the capture, though others acknowledged some, so whether it got through cannot be told. ") != NULL, "%s", text);
    q = policy_bed_query("10.0.1.1", "10.0.2.1", "tcp/389");
    facts = (struct policy_facts){.outcome = OUTCOME_REFUSED, .flows = 1, .packets = 3, .after_syn_ack = true};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; it was refused by a RST with the server's address, after a SYN, ACK. ") != NULL, "%s", text);
    static const char *const resets[2][2] = {
        {"; it was refused by a RST with TTL 63, as other packets of the server have. ", "; it was refused by a RST with a TTL that other packets of the server have at the same point of capture. "},
        {"RST that is not like the server's packets (TTL 63, the server's own have TTL 60). ", "RST that is not like the server's packets at the same point of capture (TTL 63, the server's own have TTL 60). "}};
    for (unsigned i = 0; i < 4; i++) {
        uint8_t own = i < 2 ? 63 : 60;
        facts = (struct policy_facts){.outcome = i < 2 ? OUTCOME_REFUSED : OUTCOME_PROHIBITED, .flows = 1, .packets = 2, .rst = {63, 63}, .own = {own, own}, .beside = i % 2 == 1};
        policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
        ck_assert_msg(strstr(text, resets[i / 2][i % 2]) != NULL, "%s", text);
    }
    q = policy_bed_query("10.0.1.1", "10.0.2.1", "udp/853");
    q.direction_known = q.sent[0] = q.sent[1] = true;
    facts = (struct policy_facts){.outcome = OUTCOME_ESTABLISHED, .flows = 1, .packets = 3, .answer_first = true};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; it was answered, and the first packet of it that was captured is the server's. ") != NULL, "%s", text);
    facts = (struct policy_facts){.outcome = OUTCOME_UNANSWERED, .flows = 1, .packets = 2, .icmp = &icmp};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; packets came the other way too, and each side rejected those of the other (ICMP \"") != NULL, "%s", text);
    facts = (struct policy_facts){.outcome = OUTCOME_ESTABLISHED, .flows = 1, .packets = 3, .answer_first = true};
    q.media = true;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; packets came the other way too, the first of all among them. ") != NULL, "%s", text);
    icmp.type = 3;
    icmp.code = 13;
    facts = (struct policy_facts){.outcome = OUTCOME_PROHIBITED, .flows = 2, .packets = 2, .icmp = &icmp, .errors_differ = true};
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; it was answered by several errors, among them ICMP \"communication administratively prohibited\"") != NULL, "%s", text);
    policy_bed_free(&bed);
}
END_TEST

/* Connections whose beginning the capture does not have, what begins none, and what its client took back. */
START_TEST(without_a_handshake)
{
    static const struct {
        bool                known, sent[2];
        struct policy_facts facts;
        const char         *words;
    } table[] = {
        {true, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 1, .no_handshake = true},
         "unity1 (10.0.1.1) used TCP 853 of dc1 (10.0.2.1) in a connection whose beginning is not in the capture. "},
        {true, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 3, .no_handshake = true},
         "unity1 (10.0.1.1) used TCP 853 of dc1 (10.0.2.1) in 3 connections whose beginnings are not in the capture. "},
        {true, {true, true}, {.outcome = OUTCOME_REFUSED, .flows = 1, .strays = 1, .stray_flags = 1},
         "unity1 (10.0.1.1) sent a FIN without ACK to dc1 (10.0.2.1) on TCP 853, where no connection was open; it was refused by a RST with the server's address. "},
        {true, {true, true}, {.outcome = OUTCOME_REFUSED, .flows = 2, .strays = 2, .stray_flags = 41},
         "unity1 (10.0.1.1) sent a segment with FIN, PSH and URG, without SYN and ACK, to dc1 (10.0.2.1) on TCP 853 2 times, where no connection was open; "},
        {true, {true, true}, {.outcome = OUTCOME_REFUSED, .flows = 1, .strays = 1},
         "unity1 (10.0.1.1) sent a segment without SYN, ACK and FIN to dc1 (10.0.2.1) on TCP 853, where no connection was open; "},
        {true, {true, true}, {.outcome = OUTCOME_REFUSED, .flows = 3, .strays = 1, .stray_flags = 1},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853 3 times (1 of them by a segment without SYN and ACK); it was refused by "},
        {true, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 1, .answer_first = true},
         "unity1 (10.0.1.1) connected to dc1 (10.0.2.1) on TCP 853; the first packet of it that was captured is the server's. "},
        {true, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 1, .probe = true, .synless = 1, .no_data = true},
         "dc1 (10.0.2.1) answered unity1 (10.0.1.1) that its TCP 853 is open (SYN, ACK), and unity1 (10.0.1.1) reset the connection; no data was seen, and what the server "
         "answers (SYN) is not in the capture. "},
        {true, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 3, .probe = true, .synless = 2, .no_data = true},
         "unity1 (10.0.1.1) probed TCP 853 of dc1 (10.0.2.1) 3 times: it answered each time that the port is open (SYN, ACK), and unity1 (10.0.1.1) reset the connection, and "
         "of 2 of them the SYN is not in the capture; no data was seen. "},
        {true, {true, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 1, .unfinished = true, .no_data = true, .untold = 1},
         "unity1 (10.0.1.1) tried TCP 853 of dc1 (10.0.2.1): it answered that the port is open (SYN, ACK), and unity1 (10.0.1.1) was not seen to send more, so whether that "
         "reached it cannot be told; no data was seen. "},
        {false, {true, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 1, .untold = 1, .client_ports = {50000, 50000}},
         "unity1 (10.0.1.1) and dc1 (10.0.2.1) exchanged packets between TCP 50000 of the former and TCP 853 of the latter; too little was seen to tell whether it got through (who "},
        {true, {true, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 3, .untold = 1, .packets = 6},
         "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on TCP 853 (3 flows, 6 packets both ways); of 1 of them too little was seen to tell whether it got through. "},
        {true, {true, false}, {.outcome = OUTCOME_ONE_WAY, .flows = 9, .untold = 8, .packets = 15},
         "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on TCP 853 (9 flows, 15 packets); no packet the other way was seen; of 8 of them too little was seen to tell whether they got through. "},
        {true, {true, false}, {.outcome = OUTCOME_ONE_WAY, .flows = 1, .untold = 1, .packets = 1, .damaged = true},
         "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on TCP 853; no packet the other way was seen. The IP header checksum of this packet is wrong, so the addresses in it may be damaged; "
         "offloading on the capturing host also does that. "},
        {true, {true, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 2, .packets = 6},
         "unity1 (10.0.1.1) sent to dc1 (10.0.2.1) on TCP 853 (2 flows, 6 packets both ways); they were not seen both ways beyond a SYN, ACK. "},
        {false, {false, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 1, .lone_reset = true, .client_ports = {1130, 1130}},
         "dc1 (10.0.2.1) sent a RST to unity1 (10.0.1.1) from TCP 853 to its TCP 1130; nothing else of this connection, or attempt, was seen, so what the RST ends or answers cannot be told (who "},
        {false, {false, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 1, .lone_reset = true, .refusal = true, .client_ports = {1130, 1130}},
         "dc1 (10.0.2.1) sent a RST to unity1 (10.0.1.1) from TCP 853 to its TCP 1130; it has ACK and the sequence number 0, as that of a closed port which answers a SYN, but nothing "
         "else of this attempt was seen, so it is a sign of a refusal and no more (who "},
        {false, {true, false}, {.outcome = OUTCOME_ONE_WAY, .flows = 2, .packets = 2, .lone_reset = true},
         "unity1 (10.0.1.1) sent RSTs to dc1 (10.0.2.1) on TCP 853 (2 flows, 2 packets); nothing else of these connections, or attempts, was seen, so what "},
        {false, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 1, .client_ports = {50000, 50000}},
         "unity1 (10.0.1.1) and dc1 (10.0.2.1) exchanged packets between TCP 50000 of the former and TCP 853 of the latter (who began is not in the capture). No row of "
         "the document lets unity1 (unity-primary) reach dc1 (dc-monitored, dns) on TCP 853, nor the other way on TCP 50000. "},
        {false, {true, true}, {.outcome = OUTCOME_ESTABLISHED, .flows = 2, .packets = 9, .client_ports = {50000, 50001}},
         "unity1 (10.0.1.1) and dc1 (10.0.2.1) exchanged packets between TCP ports from 50000 to 50001 of the former and TCP 853 of the latter (2 flows, 9 packets both ways) ("},
        {false, {true, true}, {.outcome = OUTCOME_ONE_WAY, .flows = 3, .packets = 3, .client_ports = {50000, 50001}, .untold = 1},
         "unity1 (10.0.1.1) and dc1 (10.0.2.1) sent packets to each other, between TCP ports from 50000 to 50001 of the former and TCP 853 of the latter (3 flows, 3 packets); of 1 of them"},
        {true, {true, false}, {.outcome = OUTCOME_UNANSWERED, .flows = 1, .withdrawn = 1, .withdrawn_ns = 312000},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853; no answer was seen before unity1 (10.0.1.1) took it back with a RST, 0.3 ms after its SYN, so "
         "whether it would have been answered cannot be told. "},
        {true, {true, false}, {.outcome = OUTCOME_UNANSWERED, .flows = 2, .withdrawn = 2, .withdrawn_ns = INT64_C(21000000000)},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853 2 times; no answer was seen before unity1 (10.0.1.1) took it back with a RST, 21.0 s after its SYN at "
         "most. "},
        {true, {true, true}, {.outcome = OUTCOME_UNANSWERED, .flows = 1, .undelivered = 1, .resent_syns = 3},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853; it was answered (SYN, ACK), but unity1 (10.0.1.1) sent its SYN again after that, 3 times, so that "
         "the answer did not reach it. "},
        {true, {true, true}, {.outcome = OUTCOME_UNANSWERED, .flows = 2, .undelivered = 2, .resent_syns = 29},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853 2 times; it was answered each time (SYN, ACK), but unity1 (10.0.1.1) sent its SYN again after that, at "
         "least 29 times, so that the answer did not reach it. "},
        {true, {true, true}, {.outcome = OUTCOME_UNANSWERED, .flows = 3, .undelivered = 2, .resent_syns = 5},
         "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853 3 times; no answer was seen but to 2 of them (SYN, ACK), and unity1 (10.0.1.1) sent its SYN again after "
         "that, 5 times, so that the answer did not reach it. "},
        {true, {true, false}, {.outcome = OUTCOME_UNANSWERED, .flows = 2, .withdrawn = 1, .withdrawn_ns = 1000}, "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 853 2 times; no answer was seen. "},
    };
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct judgement    j;
    char                text[2048];

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.1", "tcp/853");

        q.direction_known = table[i].known;
        q.sent[0] = table[i].sent[0];
        q.sent[1] = table[i].sent[1];
        q.tuple.client_port = 50000;
        policy_judge(bed.policy, &q, &j);
        policy_sentence(bed.policy, &q, &j, &table[i].facts, text, sizeof(text));
        ck_assert_msg(strncmp(text, table[i].words, strlen(table[i].words)) == 0, "%zu: %s", i, text);
    }
    policy_bed_free(&bed);
}
END_TEST

/* Media that went for a while, and was refused then. */
START_TEST(refused_after_a_while)
{
    struct flow_icmp    icmp = {.n_errors = 12, .type = 3, .code = 3, .about_client_packet = true, .from_server = true, .packet_number = 5842, .n_before = 131};
    struct policy_facts facts = {.outcome = OUTCOME_REFUSED, .flows = 1, .packets = 433, .icmp = &icmp, .icmp_input = "a.pcap"};
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.1", "udp/999");
    struct judgement    j;
    char                text[1024];

    icmp.sender = q.tuple.server;
    policy_judge(bed.policy, &q, &j);
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "; it was refused by ICMP \"port unreachable\" (type 3 code 3) from dc1 (10.0.2.1) (12 errors, the first in packet 5842 of a.pcap, "
                               "when 131 of the 433 packets had gone there, without an answer). ") != NULL, "%s", text);
    facts.flows = 2;
    facts.errors_differ = true;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, " (one of 12 errors, in packet 5842 of a.pcap, when 131 packets of its flow had gone there, without an answer). ") != NULL, "%s", text);
    icmp.n_before = 1; /* from the start */
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "from dc1 (10.0.2.1). ") != NULL, "%s", text);
    policy_bed_free(&bed);
}
END_TEST

/* A port that is wrong, and a filter that is in the way of it. */
START_TEST(wrong_and_prohibited)
{
    struct flow_icmp    icmp = {.n_errors = 1, .type = 3, .code = 10};
    struct policy_facts facts = {.outcome = OUTCOME_PROHIBITED, .flows = 1, .packets = 1, .icmp = &icmp};
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.1", "tcp/49157");
    struct judgement    j;
    char                text[1024];

    q.app.basis = APP_CONTENT;
    q.app.contradicts = true;
    snprintf(q.app.name, sizeof(q.app.name), "DCE_RPC");
    ck_assert_int_eq(addr_parse("10.0.0.254", &icmp.sender), 0);
    policy_judge(bed.policy, &q, &j);
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "that dc1 is set to use. Should the port be right, look at what 10.0.0.254 filters.") != NULL, "%s", text);
    facts.icmp = NULL;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "Should the port be right, look for what answers in the server's name on the way.") != NULL, "%s", text);
    facts.outcome = OUTCOME_ESTABLISHED;
    policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_msg(strstr(text, "Should the port") == NULL, "%s", text);
    policy_bed_free(&bed);
}
END_TEST

/* Who stopped it, in words. */
START_TEST(stopped)
{
    static const struct {
        uint8_t     type, code;
        bool        v6;
        const char *words;
    } table[] = {
        {3, 13, false, "ICMP \"communication administratively prohibited\" (type 3 code 13) from 10.0.0.254"},
        {3, 9, false, "ICMP \"network administratively prohibited\" (type 3 code 9) from 10.0.0.254"},
        {3, 10, false, "ICMP \"host administratively prohibited\" (type 3 code 10) from 10.0.0.254"},
        {3, 3, false, "ICMP \"port unreachable\" (type 3 code 3) from 10.0.0.254"},
        {3, 1, false, "ICMP \"host unreachable\" (type 3 code 1) from 10.0.0.254"},
        {3, 15, false, "ICMP \"precedence cutoff\" (type 3 code 15) from 10.0.0.254"},
        {3, 16, false, "ICMP \"error\" (type 3 code 16) from 10.0.0.254"},
        {11, 0, false, "ICMP \"time exceeded\" (type 11 code 0) from 10.0.0.254"},
        {5, 0, false, "ICMP \"redirect\" (type 5 code 0) from 10.0.0.254"},
        {1, 0, true, "ICMPv6 \"no route\" (type 1 code 0) from 10.0.0.254"},
        {1, 1, true, "ICMPv6 \"communication administratively prohibited\" (type 1 code 1) from 10.0.0.254"},
        {1, 4, true, "ICMPv6 \"port unreachable\" (type 1 code 4) from 10.0.0.254"},
        {1, 6, true, "ICMPv6 \"route rejected\" (type 1 code 6) from 10.0.0.254"},
        {1, 7, true, "ICMPv6 \"error\" (type 1 code 7) from 10.0.0.254"},
        {3, 0, true, "ICMPv6 \"time exceeded\" (type 3 code 0) from 10.0.0.254"},
        {2, 0, true, "ICMPv6 \"packet too big\" (type 2 code 0) from 10.0.0.254"},
    };
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.1.1", "10.0.2.1", "tcp/389");
    struct judgement    j;
    char                text[1024], expected[1024];

    policy_judge(bed.policy, &q, &j);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct flow_icmp    icmp = {.n_errors = 1, .type = table[i].type, .code = table[i].code, .is_icmp6 = table[i].v6};
        struct policy_facts facts = {.outcome = OUTCOME_PROHIBITED, .flows = 1, .packets = 1, .icmp = &icmp};

        ck_assert_int_eq(addr_parse("10.0.0.254", &icmp.sender), 0);
        policy_sentence(bed.policy, &q, &j, &facts, text, sizeof(text));
        snprintf(expected, sizeof(expected), "unity1 (10.0.1.1) tried to connect to dc1 (10.0.2.1) on TCP 389; it was answered by %s. "
                                             "Row unity-dc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Domain Controller\") allows it.", table[i].words);
        ck_assert_str_eq(text, expected);
    }
    policy_bed_free(&bed);
}
END_TEST

static char *explained(const struct policy *p, const struct policy_query *q, enum policy_format format)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    ck_assert_int_eq(policy_explain(p, q, format, f), 0);
    fclose(f);
    return text;
}

START_TEST(explain_words)
{
    struct policy_bed   bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query("10.0.7.1", "10.0.1.1", "tcp/443");
    char               *text = explained(bed.policy, &q, POLICY_TEXT);

    ck_assert_str_eq(text,
                     "violation (option-off): admin (10.0.7.1) to unity1 (10.0.1.1) on TCP 443 is not allowed. HTTPS "
                     "on TCP 443 is allowed only while HTTPS is enabled. Row admin-https (IIS web server, \"Network "
                     "Traffic from Administrator Workstations to Cisco Unity\") would allow it if option https were "
                     "on: look at the options in the site file, or stop it.\nclient roles: admin-workstation\nserver "
                     "roles: unity-primary\nrows considered:\n  - admin-http                  for TCP 80\n  - "
                     "admin-https                 option https is off\n  - admin-epm                   for TCP 135\n  "
                     "- admin-dcom                  for TCP and UDP 5000-5020\n  - admin-netbios               for "
                     "UDP 137, UDP 138, TCP 139, TCP 445\n  - admin-rdp                   for TCP 3389\n  - "
                     "pca-https                   from subscriber-workstation to unity only\n");
    free(text);
    q = policy_bed_query("10.0.7.1", "10.0.1.1", "tcp/80");
    text = explained(bed.policy, &q, POLICY_JSON);
    const char *start = "{\"verdict\":\"allowed\",\"kind\":null,\"row_id\":\"admin-http\",\"section\":\"Network Traffic from Administrator "
                        "Workstations to Cisco Unity\",\"confidence\":\"port-only\",\"reason\":\"admin (10.0.7.1) may reach unity1 (10.0.1.1) on "
                        "TCP 80: row admin-http (IIS web server, \\\"Network Traffic from Administrator Workstations to Cisco Unity\\\").\","
                        "\"rows\":[\n{\"id\":\"admin-http\",\"matched\":true,\"why\":\"roles and port fit\"},";
    ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%s", text);
    free(text);
    policy_bed_free(&bed);
}
END_TEST

Suite *suite_policy_sentence(void);
Suite *suite_policy_sentence(void)
{
    Suite *s = suite_create("policy/sentence");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, exact_words, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(t, stopped);
    tcase_add_test(t, to_ports);
    tcase_add_test(t, silence_and_resets);
    tcase_add_test(t, without_a_handshake);
    tcase_add_test(t, refused_after_a_while);
    tcase_add_test(t, wrong_and_prohibited);
    tcase_add_test(t, explain_words);
    suite_add_tcase(s, t);
    return s;
}
