/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/report/incident.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>

#include "flowaudit/store.h"

#define T0       1769853600000000000 /* 2026-01-31T10:00:00Z */
#define SECOND   INT64_C(1000000000)
#define N_OF(t)  (sizeof(t) / sizeof((t)[0]))
#define TO_DC    "Network Traffic from Cisco Unity to a Domain Controller"
#define TO_DNS   "Network Traffic from Cisco Unity to a DNS Server"
#define ADMIN    "Network Traffic from Administrator Workstations to Cisco Unity"
#define PHONES   "Network Traffic from Cisco Unified Communications Manager and Phones to Cisco Unity"
#define SNMP     "Network Traffic from SNMP Management Stations to Cisco Unity"
#define FAILOVER "Network Traffic Between Cisco Unity Failover Servers"

/* A name that a host could have sent: colours, a bidirectional override, bytes that are no UTF-8, a formula. */
#define HOSTILE "=cmd|' /C calc'!A0\x1b[31m \xe2\x80\xaegpj.exe \xff\""

static void must(int rc, const struct err *e)
{
    ck_assert_msg(rc == 0, "%s", e->msg);
}

static const struct store_row rows[] = {
    {"unity-dc-kerberos", TO_DC, "unity", "dc-monitored", "tcp/88 udp/88", "Kerberos", NULL, "required", "Kerberos",
     true, 1},
    {"unity-dc-ldap", TO_DC, "unity", "dc-monitored", "tcp/389 udp/389", "LDAP", NULL, "required", "LDAP", true, 2},
    {"unity-dc-ntp", TO_DC, "unity", "dc-monitored", "udp/123", "NTP", NULL, "required", "NTP", true, 3},
    {"unity-dns", TO_DNS, "unity", "dns", "tcp/53 udp/53", "DNS", NULL, "required", "DNS", true, 4},
    {"failover-sql", FAILOVER, "unity", "unity", "tcp/1433 udp/1434", "Microsoft SQL Server", "option failover",
     "required", NULL, false, 5},
    {"phone-unity-rtp", PHONES, "phone", "unity", "udp/22800-32767", "RTP", "option sccp", "on-demand", "RTP", true, 6},
    {"snmp-unity", SNMP, "snmp-station", "unity", "udp/161", "SNMP", "option snmp", "required", "SNMP", true, 7},
    {"admin-rdp", ADMIN, "admin-workstation", "unity", "tcp/3389", "WTS or RDP", "option rdp", "on-demand", "RDP", true,
     8},
    {"admin-http", ADMIN, "admin-workstation", "unity", "tcp/80", "IIS web server", "option https off", "on-demand",
     "HTTP", true, 9},
};

static const struct store_input inputs[] = {
    {1, "monday.pcapng", "captures/monday.pcapng", "aa11", "Ethernet", 1234567, 262144, T0, T0 + 3600LL * SECOND, 12000,
     11500, 500, 0, false, NULL},
    {2, "tuesday\n.pcap", "captures/tuesday.pcap", "bb22", "Ethernet", 70000, 96, T0 + 3600LL * SECOND,
     T0 + 3700LL * SECOND, 500, 499, 1, 20, true, "cut short inside packet 501: 12 of 96 bytes are there"},
};

static const struct store_discard discards[] = {{1, "arp", 450}, {1, "truncated", 50}, {2, "truncated", 1}};

static const struct store_loss losses[] = {
    {2, "stated-by-file", 20, true, T0, T0 + SECOND, "the file says so"},
    {0, "estimated-unseen", 0, false, T0, T0, "5,120 bytes of TCP data were acknowledged and are not in the capture"},
};

static const struct store_counter counters[] = {{"flows", 412, "flows tracked"},
                                                {"evicted-flows", 0, "flows ended early for want of memory"},
                                                {"tcp-sessions", 24, "TCP sessions"},
                                                {"one-sided-sessions", 6, "of these: with one direction only in the capture"},
                                                {"duplicate-packets", 12, "packets seen twice"}};

static const struct store_host hosts[] = {
    {"10.20.1.10", "unity1", "unity-primary", T0, T0 + 3700LL * SECOND, 9000},
    {"10.20.2.10", "dc1", "dc-monitored, dns", T0, T0 + 3600LL * SECOND, 4000},
    {"10.20.8.21", HOSTILE, "admin-workstation", T0 + 5 * SECOND, T0 + 90 * SECOND, 600},
    {"10.20.9.7", "phones", "phone", T0, T0, 300},
    {"fd00:20::99", NULL, NULL, T0, T0, 2},
};

static void put_evidence(struct store *s, struct err *e)
{
    for (size_t i = 0; i < N_OF(inputs); i++)
        must(store_put_input(s, &inputs[i], e), e);
    for (size_t i = 0; i < N_OF(discards); i++)
        must(store_put_discard(s, &discards[i], e), e);
    for (size_t i = 0; i < N_OF(losses); i++)
        must(store_put_loss(s, &losses[i], e), e);
    for (size_t i = 0; i < N_OF(counters); i++)
        must(store_put_counter(s, &counters[i], e), e);
    for (size_t i = 0; i < N_OF(rows); i++)
        must(store_put_row(s, &rows[i], e), e);
    for (size_t i = 0; i < N_OF(hosts); i++)
        must(store_put_host(s, &hosts[i], e), e);
}

/* --- conversations: 1-10 named below, 11-30 a scan of one host ------------------------------------------------- */

struct talk {
    const char *client, *client_name, *server, *server_name, *transport;
    uint16_t port;
    const char *protocol, *row, *verdict, *kind, *outcome, *disposition, *scope;
};

#define UNITY "10.20.1.10", "unity1"
#define DC    "10.20.2.10", "dc1"
#define DESK  "10.20.8.21", HOSTILE
#define PHONE "10.20.9.7", "phones"

static const struct talk talks[] = {
    {UNITY, DC, "tcp", 88, "Kerberos", "unity-dc-kerberos", "allowed", "", "established", "permitted", "judged"},
    {UNITY, DC, "udp", 53, "DNS", "unity-dns", "allowed", "", "established", "permitted", "judged"},
    {UNITY, DC, "tcp", 389, "HTTP", "unity-dc-ldap", "violation", "wrong-protocol", "established", "escaped", "judged"},
    {DESK, UNITY, "tcp", 22, "SSH", NULL, "violation", "no-row", "established", "escaped", "judged"},
    {DC, UNITY, "tcp", 1433, "", "failover-sql", "violation", "option-off", "refused", "rejected", "judged"},
    {PHONE, UNITY, "udp", 16500, "RTP", "phone-unity-rtp", "violation", "wrong-port", "one-way", "escaped", "judged"},
    {"fd00:20::99", NULL, UNITY, "tcp", 443, "TLS", NULL, "violation", "unknown-host", "established", "escaped",
     "judged"},
    {DESK, UNITY, "tcp", 3389, "", "admin-rdp", "allowed", "", "unanswered", "misdropped", "judged"},
    {DESK, DC, "udp", 137, "NetBIOS", NULL, "not-governed", "", "established", "", "out-of-scope"},
    {NULL, NULL, UNITY, "tcp", 8404, "HTTP", NULL, "undocumented", "", "established", "", "judged"},
};

static void put_flow(struct store *s, uint64_t id, const struct talk *t, uint16_t port, struct err *e)
{
    struct flow_record r = {
        .tuple = {.client_port = 49152,
                  .server_port = port,
                  .transport = t->transport[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP},
        .direction = DIRECTION_SYN,
        .tcp_state = TCP_STATE_ESTABLISHED,
        .end = FLOW_END_FORCED,
        .first_ns = T0 + (int64_t)id * SECOND,
        .last_ns = T0 + (int64_t)id * SECOND + 1500000,
        .packets = {5, 4},
        .bytes = {500, 4000},
        .tcp_flags = {0x1b, 0x1b},
        .first_packet = 100 + id,
        .input = 0,
    };
    struct store_flow f = {id, id, &r, 1, "1:wCb3OG7yAFWelaUydu0D+125CLM="};

    ck_assert_int_eq(addr_parse(t->client != NULL ? t->client : "10.20.8.22", &r.tuple.client), 0);
    ck_assert_int_eq(addr_parse(t->server, &r.tuple.server), 0);
    must(store_put_flow(s, &f, e), e);
}

static void put_talk(struct store *s, uint64_t id, const struct talk *t, uint16_t port, struct err *e)
{
    const struct store_conversation c = {
        .conversation_id = id,
        .client = t->client,
        .client_name = t->client_name,
        .server = t->server,
        .server_name = t->server_name,
        .client_port_low = 49152,
        .client_port_high = 49160,
        .server_port = port,
        .transport = t->transport,
        .protocol = t->protocol,
        .row_id = t->row,
        .verdict = t->verdict,
        .kind = t->kind,
        .outcome = t->outcome,
        .disposition = t->disposition,
        .confidence = "confirmed",
        .direction_basis = "syn",
        .scope = t->scope,
        .first_ns = T0 + (int64_t)id * SECOND,
        .last_ns = T0 + (int64_t)id * 2 * SECOND + 123456789,
        .flows = id,
        .packets = id * 9,
        .bytes = id * 4500,
        .packets_out = id * 5,
        .packets_in = id * 4,
        .bytes_out = id * 500,
        .bytes_in = id * 4000,
        .n_summed = t->client == NULL ? 5000 : 0,
        .input_id = 1,
        .first_packet = 100 + id,
    };

    must(store_put_conversation(s, &c, e), e);
    if (t->verdict[0] == 'v')
        put_flow(s, id, t, port, e);
}

static const struct talk scan = {
    "10.20.66.6", NULL, UNITY, "tcp", 0, "", NULL, "violation", "unknown-host", "refused", "rejected", "judged",
};

#define N_SCAN 20

static void put_talks(struct store *s, struct err *e)
{
    for (size_t i = 0; i < N_OF(talks); i++)
        put_talk(s, i + 1, &talks[i], talks[i].port, e);
    for (uint16_t i = 0; i < N_SCAN; i++)
        put_talk(s, N_OF(talks) + 1 + i, &scan, (uint16_t)(7000 + i), e);
}

/* --- findings and expectations ------------------------------------------------------------------------------- */

static const struct {
    const char *kind, *severity;
    uint64_t conversation; /* 0 = none */
    const char *row, *section, *reason, *waived_by;
} findings[] = {
    {"wrong-protocol", "critical", 3, "unity-dc-ldap", TO_DC,
     "unity1 speaks HTTP to dc1 on tcp/389, where the document has LDAP.", NULL},
    {"no-row", "high", 4, NULL, ADMIN,
     "The administrator's workstation " HOSTILE " opened SSH to unity1; no row allows it.", NULL},
    {"separated", "high", 5, NULL, TO_DC,
     "Something between unity1 and dc1 answers in dc1's place (TTL 254 against 128).", NULL},
    {"option-off", "medium", 5, "failover-sql", FAILOVER,
     "SQL Server on tcp/1433 is allowed only with option failover, which is off.", NULL},
    {"wrong-port", "medium", 6, "phone-unity-rtp", PHONES, "RTP from phones to udp/16500 is outside 22800-32767.",
     NULL},
    {"unknown-host", "medium", 7, NULL, ADMIN, "fd00:20::99 is in no host entry of the site.", NULL},
    {"missing", "medium", 0, "unity-dc-ntp", TO_DC, "unity1 was seen for 1 h and never asked for the time.", NULL},
    {"misdropped", "medium", 0, "unity-dc-ldap", TO_DC, "unity1 tried LDAP at dc1 three times and was refused.", NULL},
    {"wrong-role", "low", 1, "unity-dc-kerberos", TO_DC, "LDAP went to a global catalog that Unity does not monitor.",
     NULL},
    {"wrong-direction", "low", 2, "unity-dns", TO_DNS, "dc1 asks unity1 for names; the row is the other way round.",
     "EX-1"},
    {"site", "notice", 0, NULL, "Restricting DCOM Dynamic Port Allocation",
     "dcom_ports has 10 ports; fewer than 20 make services fail.", NULL},
};

static void put_finding(struct store *s, struct store_finding *f, uint64_t conversation, struct err *e)
{
    const struct talk *t = conversation == 0 ? NULL : conversation <= N_OF(talks) ? &talks[conversation - 1] : &scan;

    f->conversation_id = conversation;
    if (t != NULL) {
        f->client = t->client;
        f->client_name = t->client_name;
        f->server = t->server;
        f->server_name = t->server_name;
        f->transport = t->transport;
        f->has_port = true;
        f->server_port = t == &scan ? (uint16_t)(7000 + conversation - N_OF(talks) - 1) : t->port;
        f->protocol = t->protocol;
        f->outcome = t->outcome;
        f->disposition = t->disposition;
        f->first_ns = T0 + (int64_t)conversation * SECOND;
        f->last_ns = T0 + (int64_t)conversation * 2 * SECOND;
        f->flows = conversation;
        f->packets = conversation * 9;
        f->bytes = conversation * 4500;
    }
    must(store_put_finding(s, f, e), e);
}

static void put_findings(struct store *s, struct err *e)
{
    uint64_t id = 0;

    for (size_t i = 0; i < N_OF(findings); i++) {
        struct store_finding f = {
            .finding_id = ++id,
            .kind = findings[i].kind,
            .severity = findings[i].severity,
            .row_id = findings[i].row,
            .section = findings[i].section,
            .reason = findings[i].reason,
            .waived_by = findings[i].waived_by,
            .parent = i == 4 ? "row unity-ucm-sccp, packet 17 of monday.pcapng" : NULL,
        };

        if (findings[i].conversation == 0 && i < 8) {
            f.client = "10.20.1.10";
            f.client_name = "unity1";
            f.server_name = i == 7 ? "dc1" : NULL;
            f.servers = i == 7 ? "dc1 (10.20.2.10) or 2 more" : "dc1 (10.20.2.10) or dc2 (10.20.2.11)";
            f.outcome = i == 7 ? "refused" : "never-attempted";
            f.flows = i == 7 ? 3 : 0;
        }
        put_finding(s, &f, findings[i].conversation, e);
    }
    for (uint64_t i = 0; i < N_SCAN; i++) {
        char reason[100];
        struct store_finding f = {.finding_id = ++id, .kind = "unknown-host", .severity = "medium", .reason = reason};

        snprintf(reason, sizeof(reason), "10.20.66.6 is in no host entry of the site and tried tcp/%u at unity1.",
                 (unsigned)(7000 + i));
        put_finding(s, &f, N_OF(talks) + 1 + i, e);
    }
}

static const struct store_expectation expectations[] = {
    {"unity-dc-kerberos", UNITY, DC, "seen", T0 + SECOND, 12, "first contact after 1 s", 0, 0},
    {"unity-dc-ldap", UNITY, DC, "refused", 0, 3, "RST from dc1 itself", 0, 0},
    {"unity-dc-ntp", UNITY, NULL, NULL, "never-attempted", 0, 0, "unity1 was seen for 1 h", 0, 0},
    {"unity-dns", UNITY, DC, "one-way", T0 + SECOND, 2, "only the questions are in the capture", 0, 0},
    {"unity-dc-kerberos", "10.20.1.11", "unity2", DC, "not-covered", 0, 0, "unity2 was never seen", 0, 0},
    {"unity-dc-ldap", "10.20.1.11", "unity2", DC, "prohibited", 0, 1, "ICMP administratively prohibited", 0, 0},
    {"snmp-unity", "10.20.3.3", "nms", UNITY, "unanswered", 0, 9, "no reply in 9 attempts", 0, 0},
};

static const char options[] =
    "{\"filter\": null, \"exceptions\": [{\"id\": \"EX-1\", \"client\": \"dc1\", \"server\": \"unity1\", \"port\": \"udp/53\","
    " \"owner\": \"A. Keeper\", \"reason\": \"old resolver\", \"until\": \"2026-12-31\"}, {\"id\": \"EX-0\", \"client\": \"*\","
    " \"server\": \"unity1\", \"port\": \"any\", \"owner\": \"B. Gone\", \"reason\": \"<b>forgotten</b>\", \"until\": \"2025-06-30\"}],"
    " \"rows\": [{\"id\": \"phone-unity-rtp\", \"ports\": \"udp/22800-32767\", \"service\": \"RTP\", \"applies\": true},"
    " {\"id\": \"unity-dc-kerberos\", \"ports\": \"tcp/88-90 udp/88\", \"service\": \"Kerberos\", \"applies\": true}],"
    " \"requirements\": [{\"standard\": \"Example standard\", \"clause\": \"1.2\", \"title\": \"Allowed services are known\","
    " \"shows\": \"What no row names\", \"kinds\": \"no-row unknown-host\"}]}";

static struct store *begin(const char *path, struct err *e)
{
    const struct store_run run = {
        .started_ns = T0,
        .command = "flowaudit check -s site.yaml monday.pcapng 'tuesday\n.pcap'",
        .version = "flowaudit 0.1.0",
        .site_name = "Example HQ",
        .site_file = "site.yaml",
        .site_text = "site: Example HQ\nhosts: {}\n",
        .site_sha256 = "51fe",
        .matrix_id = "cisco-unity-5x-exchange",
        .matrix_title = "IP Communications Required by Cisco Unity",
        .matrix_text = "rows: []\n",
        .matrix_sha256 = "3a71",
        .options_json = options,
    };
    struct store *s;
    int64_t run_id;

    must(store_open(path, &s, e), e);
    must(store_begin_run(s, &run, &run_id, e), e);
    return s;
}

void incident_write(const char *path)
{
    struct err e = {0};
    struct store *s = begin(path, &e);

    put_evidence(s, &e);
    put_talks(s, &e);
    put_findings(s, &e);
    for (size_t i = 0; i < N_OF(expectations); i++)
        must(store_put_expectation(s, &expectations[i], &e), &e);
    must(store_end_run(s, T0 + 60 * SECOND, false, &e), &e);
    store_close(s);
}

void incident_write_clean(const char *path, uint64_t n_lost, int not_covered)
{
    const struct store_loss loss = {1, "kernel-buffer", n_lost, true, 0, 0, NULL};
    struct err e = {0};
    struct store *s = begin(path, &e);

    must(store_put_input(s, &inputs[0], &e), &e);
    if (n_lost > 0)
        must(store_put_loss(s, &loss, &e), &e);
    for (size_t i = 0; i < N_OF(rows); i++)
        must(store_put_row(s, &rows[i], &e), &e);
    for (size_t i = 0; i < 2; i++)
        put_talk(s, i + 1, &talks[i], talks[i].port, &e);
    must(store_put_expectation(s, &expectations[not_covered ? 4 : 0], &e), &e);
    must(store_end_run(s, T0 + 60 * SECOND, true, &e), &e);
    store_close(s);
}

/* One packet, and nothing lost that is known; three pairs that tried in vain, the last with two flows on each of two ports. */
void incident_write_attempts(const char *path)
{
    const struct store_input one = {1, "monday.pcapng", "captures/monday.pcapng", "aa11", "Ethernet", 100, 262144, T0, T0, 1, 0, 1, 0, false, NULL};
    const struct store_conversation tries[] = {
        {.client = "10.20.8.21", .flows = 1, .packets_out = 433, .icmp_errors = 12, .icmp_before = 131, .icmp_late = 1},
        {.client = "10.20.8.22", .flows = 1, .packets_out = 9, .icmp_errors = 1, .icmp_before = 2, .icmp_late = 1},
        {.client = "10.20.8.23", .flows = 2, .packets_out = 9, .icmp_errors = 2, .icmp_before = 1, .icmp_late = 1},
        {.client = "10.20.8.23", .flows = 2, .packets_out = 9, .icmp_errors = 2, .icmp_before = 3, .icmp_late = 2},
    };
    struct err e = {0};
    struct store *s = begin(path, &e);

    must(store_put_input(s, &one, &e), &e);
    for (size_t i = 0; i < N_OF(counters); i++)
        must(store_put_counter(s, &counters[i], &e), &e);
    for (size_t i = 0; i < N_OF(rows); i++)
        must(store_put_row(s, &rows[i], &e), &e);
    for (size_t i = 0; i < N_OF(tries); i++) {
        struct store_conversation c = tries[i];

        c.conversation_id = i + 1;
        c.server = "10.20.1.10";
        c.server_port = (uint16_t)(3389 + i);
        c.transport = "udp";
        c.protocol = "";
        c.row_id = "admin-rdp";
        c.verdict = "allowed";
        c.outcome = "refused";
        c.disposition = "misdropped";
        c.confidence = "confirmed";
        c.direction_basis = "first-packet";
        c.scope = "judged";
        c.first_ns = c.last_ns = T0;
        c.input_id = 1;
        c.first_packet = 1;
        must(store_put_conversation(s, &c, &e), &e);
    }
    must(store_end_run(s, T0 + 60 * SECOND, true, &e), &e);
    store_close(s);
}
