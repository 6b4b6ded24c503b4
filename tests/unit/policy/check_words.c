/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: errors of a site, sentences of findings, explanations, what the linter says. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

#define MATRIX \
    "matrix: m\n" \
    "roles: {web: {governed: true, family: f}, db: {}, dba: {implies: db}, other: {}}\n" \
    "options: {tls: {values: [on, off, both]}, fast: {}}\n" \
    "parameters: {ports: {ports: [], minimum: {ports: 3, text: Fewer do not work., section: P}}, release: {version: \"5.0\"}}\n" \
    "sections:\n" \
    "  - heading: S\n" \
    "    rows:\n" \
    "      - {id: sql, from: web, to: db, ports: tcp/1, when: {tls: off}, service: s, expect: required, protocols: HTTP}\n" \
    "      - {id: list, from: web, to: dba, ports: \"tcp/{ports}\", service: lists, expect: on-demand}\n"
#define HOSTS "hosts:\n  w: {addresses: [10.0.0.1], roles: [web]}\n"

static const struct {
    const char *name, *matrix, *site, *words;
} compiled[] = {
    {"nothing wrong", MATRIX, "site: t\nmatrix: m\n" HOSTS, ""},
    {"unknown names, all at once", MATRIX,
     "site: t\nmatrix: m\n"
     "options: {tsl: on, quick: on}\n"
     "parameters: {port: 80}\n"
     "hosts:\n  w: {addresses: [10.0.0.1], roles: [wbe, nothing]}\n"
     "expect: {sqll: required}\n",
     "s:3:11: error: unknown option 'tsl'; did you mean 'tls'?\n"
     "s:3:20: error: unknown option 'quick'; matrix m has fast and tls\n"
     "s:4:14: error: unknown parameter 'port'; did you mean 'ports'?\n"
     "s:6:38: error: unknown role 'wbe'; did you mean 'web'?\n"
     "s:6:43: error: unknown role 'nothing'; matrix m has db, dba, other and web\n"
     "s:7:10: error: unknown row 'sqll'; did you mean 'sql'?\n"},
    {"values that are not possible", MATRIX,
     "site: t\nmatrix: m\n"
     "options: {fast: both}\n"
     "parameters: {release: [1, 2], ports: 5.0}\n" HOSTS,
     "s:3:17: error: option 'fast' cannot be 'both'; it is on or off\n"
     "s:4:14: error: parameter 'release' is a version, such as 5.0, not a list of ports\n"
     "s:4:38: error: parameter 'ports' is a list of ports, such as [1200, 1201-1204], not '5.0'\n"},
    {"a host without a role, an expectation of a row that is off", MATRIX,
     "site: t\nmatrix: m\noptions: {tls: on}\nhosts:\n  w: {addresses: [10.0.0.1], roles: []}\nexpect: {sql: required}\n",
     "s:5:3: warning: host 'w' has no role, so no row speaks of it\n"
     "s:6:10: warning: row 'sql' does not apply at this site (option 'tls'), so it is never expected\n"},
    {"a protocol that nobody can find",
     "matrix: m\nroles: {a: {}}\nsections:\n  - heading: S\n    rows:\n"
     "      - {id: r, from: a, to: a, ports: tcp/1, service: s, expect: required, protocols: [HTPT, Xyzzy]}\n",
     "site: t\nmatrix: m\nhosts:\n  w: {addresses: [10.0.0.1], roles: [b]}\n",
     "m:6:89: error: unknown protocol 'HTPT'; did you mean 'HTTP'?\n"
     "m:6:95: error: unknown protocol 'Xyzzy'; no classifier finds that\n"
     "s:4:38: error: unknown role 'b'; did you mean 'a'?\n"},
    {"a matrix that fails its own tests", MATRIX "tests:\n  - allow web db tcp/2\n  - deny web dba tcp/1\n  - deny web db tcp/1 with tls=on\n",
     "site: t\nmatrix: m\nhosts:\n  w: {addresses: [10.0.0.1], roles: [weeb]}\n",
     "m:11:5: error: self-test failed: no row allows web to reach db on tcp/2 (no-row)\n"
     "m:12:5: error: self-test failed: row 'sql' allows web to reach dba on tcp/1\n"
     "s:4:38: error: unknown role 'weeb'; did you mean 'web'?\n"},
};

START_TEST(compilation)
{
    char *words = compile_words(compiled[_i].matrix, compiled[_i].site);

    ck_assert_str_eq(words, compiled[_i].words);
    free(words);
}
END_TEST

static const struct {
    const char  *client, *server, *service, *app;
    enum outcome outcome;
    const char  *sentence;
} sentences[] = {
    {"unity1", "dc1", "tcp/88", NULL, OUTCOME_ESTABLISHED,
     "unity1 (10.0.1.10) connected to dc1 (10.0.2.10) on TCP 88. Row unity-dc-kerberos (Kerberos, \"Network Traffic "
     "from Cisco Unity to a Domain Controller\") allows it."},
    {"desks", "unity1", "tcp/3389", "RDP", OUTCOME_ESTABLISHED,
     "desks (10.0.8.20) connected to unity1 (10.0.1.10) on TCP 3389, carrying RDP. Row admin-rdp (WTS or RDP, \"Network Traffic from "
     "Administrator Workstations to Cisco Unity\") allows it to unity from admin-workstation only, and this is from 10.0.8.20, one of "
     "desks (subscriber-workstation). Find out who at desks (10.0.8.20) uses TCP 3389 of unity1, or correct the role in the site file."},
    {"unity1", "gc2", "tcp/3268", "?LDAP", OUTCOME_UNANSWERED,
     "unity1 (10.0.1.10) tried to connect to gc2 (10.0.2.12) on TCP 3268, and the content looks like LDAP; no answer was seen. Row "
     "unity-gc-gc-ldap (LDAP, \"Network Traffic from Cisco Unity to a Global Catalog Server\") allows it from unity to gc-monitored "
     "only, and this is to gc2 (gc). Look at which server unity1 is set to use, and at the roles in the site file."},
    {"ucm1", "unity1", "tcp/2000", NULL, OUTCOME_REFUSED,
     "ucm1 (10.0.4.10) tried to connect to unity1 (10.0.1.10) on TCP 2000; it was refused by a RST with the server's address. For this "
     "port the document has only the other direction: row unity-ucm-sccp (SCCP (default port), \"Network Traffic from Cisco Unity to "
     "Cisco Unified Communications Manager and Phones\") lets unity reach ucm. Find out what on ucm1 tries TCP 2000 of unity1."},
    {"admin1", "unity1", "tcp/5010", "HTTP", OUTCOME_ESTABLISHED,
     "admin1 (10.0.8.10) connected to unity1 (10.0.1.10) on TCP 5010, carrying HTTP. Row admin-dcom (DCOM RPC range "
     "after restriction, \"Network Traffic from Administrator Workstations to Cisco Unity\") allows this port for "
     "DCE_RPC only. Find out what runs on unity1 there."},
    {"sip1", "unity1", "udp/5060", "SIP", OUTCOME_ONE_WAY,
     "sip1 (10.0.5.10) sent to unity1 (10.0.1.10) on UDP 5060, carrying SIP; no packet the other way was seen. Row sip-unity-control "
     "(SIP control port (default 5060), \"Network Traffic from SIP Endpoints, Including PIMG Devices and Phones, to Cisco Unity\") "
     "allows SIP between these two on TCP 5060 only. Look at the ports, TCP or UDP, that sip1 and unity1 are set to use."},
    {"unity1", "phones", "udp/16500", "RTP", OUTCOME_ESTABLISHED,
     "unity1 (10.0.1.10) sent to phones (10.0.6.0) on UDP 16500, carrying RTP; packets came the other way too. Packets went to UDP 16500"
     " of phones (10.0.6.0), and row unity-phone-rtp (RTP (voice media traffic), \"Network Traffic from Cisco Unity to Cisco Unified "
     "Communications Manager and Phones\") allows UDP 22800-32767 only. The other way packets went to UDP 40000 of unity1 (10.0.1.10), "
     "and row phone-unity-rtp (RTP (voice media traffic), \"Network Traffic from Cisco Unified Communications Manager and Phones to Cisco "
     "Unity\") allows UDP 22800-32767 only. Look at the ranges of media ports that phones (10.0.6.0) and unity1 are set to use."},
    {"desks", "unity1", "tcp/80", "HTTP", OUTCOME_ESTABLISHED,
     "desks (10.0.8.20) connected to unity1 (10.0.1.10) on TCP 80, carrying HTTP. HTTP on TCP 80 is allowed only "
     "while the Cisco PCA is used and HTTPS is disabled. Row pca-http (IIS web server, \"Network Traffic from "
     "Subscriber Workstations to Cisco Unity (for the Cisco PCA or ViewMail for Outlook)\") would allow it if option "
     "https were off: look at the options in the site file, or stop it."},
    {"192.0.2.9", "unity1", "tcp/22", NULL, OUTCOME_PROHIBITED,
     "192.0.2.9 tried to connect to unity1 (10.0.1.10) on TCP 22; it was answered by ICMP \"communication "
     "administratively prohibited\" (type 3 code 13) from dc1 (10.0.2.10). 192.0.2.9 is not a host of the site, and "
     "no row of the document lets unity1 be reached by a host without a role. Name it in the site file if it belongs "
     "there, or find out what it is."},
    {"unity1", "exch1", "tcp/1225", NULL, OUTCOME_ESTABLISHED,
     "unity1 (10.0.1.10) connected to exch1 (10.0.3.10) on TCP 1225. No row of the document lets unity1 (unity-primary) reach exch1 "
     "(exchange-partner, exchange-voice-connector) on TCP 1225. What it says of these roles (\"Network Traffic from Cisco Unity to the "
     "Partner Exchange Server\") has no row for that. Find out what on unity1 uses TCP 1225 of exch1, or correct the roles in the site "
     "file. The site lists no exchange_static_ports, so the rows that need this list allow nothing."},
    {"unity1", "desks", "tcp/1503", NULL, OUTCOME_ESTABLISHED,
     "unity1 (10.0.1.10) connected to desks (10.0.8.20) on TCP 1503. Row unity-workstation (Cisco PCA or ViewMail for "
     "Outlook callbacks, \"Network Traffic from Cisco Unity to Subscriber Workstations (for the Cisco PCA or ViewMail "
     "for Outlook)\") speaks of this direction, but its table of ports is lost from the source, and the site lists no "
     "unity_workstation_ports: it is neither allowed nor a violation."},
    {"dc1", "dns1", "udp/53", NULL, OUTCOME_ESTABLISHED,
     "dc1 (10.0.2.10) sent to dns1 (10.0.2.53) on UDP 53; it was answered. The document does not speak of it."},
};

START_TEST(sentence_of_a_flow)
{
    struct bed          b = bed_of_file(UNITY_MATRIX, unity_site);
    struct policy_query q = policy_query_of(&b, sentences[_i].client, sentences[_i].server, sentences[_i].service, sentences[_i].app);
    struct judgement    j = judge_both(&b, &q);
    struct flow_icmp    icmp = {.n_errors = 1, .type = 3, .code = 13, .sender = policy_query_of(&b, "dc1", "dc1", "tcp/1", NULL).tuple.client};
    struct policy_facts facts = {.outcome = sentences[_i].outcome, .flows = 1, .packets = 3, .icmp = &icmp};
    char                text[1024], cut[20];

    int n = policy_sentence(b.policy, &q, &j, &facts, text, sizeof(text));
    ck_assert_str_eq(text, sentences[_i].sentence);
    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_int_eq(policy_sentence(b.policy, &q, &j, &facts, cut, sizeof(cut)), n);
    ck_assert_uint_eq(strlen(cut), sizeof(cut) - 1);
    ck_assert_int_eq(policy_sentence(b.policy, &q, &j, &facts, NULL, 0), n);
    policy_bed_close(&b);
}
END_TEST

typedef int print_fn(const struct bed *, FILE *);

static char *printed(const struct bed *b, print_fn *fn)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    ck_assert_int_eq(fn(b, f), 0);
    fclose(f);
    return text;
}

static int explain_text(const struct bed *b, FILE *f)
{
    struct policy_query q = policy_query_of(b, "10.0.0.1", "10.0.0.2", "tcp/1", "SSH");

    return policy_explain(b->policy, &q, POLICY_TEXT, f);
}

static int explain_json(const struct bed *b, FILE *f)
{
    struct policy_query q = policy_query_of(b, "10.0.0.1", "10.0.0.2", "tcp/1", "HTTP");

    return policy_explain(b->policy, &q, POLICY_JSON, f);
}

static int print_tsv(const struct bed *b, FILE *f)
{
    return policy_print(b->policy, false, POLICY_TSV, f);
}

static int print_applied(const struct bed *b, FILE *f)
{
    return policy_print(b->policy, true, POLICY_TSV, f);
}

static int print_applied_json(const struct bed *b, FILE *f)
{
    return policy_print(b->policy, true, POLICY_JSON, f);
}

static const struct {
    print_fn   *fn;
    const char *text;
} prints[] = {
    {explain_text,
     "violation (wrong-protocol): w (10.0.0.1) to d (10.0.0.2) on TCP 1 is not allowed. Row sql (s, \"S\") allows "
     "this port for HTTP only. Find out what runs on d there.\nclient roles: web\nserver roles: dba\nrows "
     "considered:\n  - sql                         the port fits, and the content SSH contradicts it\n  - "
     "list                        the site lists no ports\n"},
    {explain_json,
     "{\"verdict\":\"allowed\",\"kind\":null,\"row_id\":\"sql\",\"section\":\"S\",\"confidence\":\"confirmed\",\"reason\":\"w (10.0.0.1) may "
     "reach d (10.0.0.2) on TCP 1: row sql (s, \\\"S\\\").\",\"rows\":[\n"
     "{\"id\":\"sql\",\"matched\":true,\"why\":\"roles, port and content fit\"},\n"
     "{\"id\":\"list\",\"matched\":false,\"why\":\"the site lists no ports\"}]}\n"},
    {print_tsv,
     "id\tsection\tfrom\tto\tports\tservice\tcondition\texpect\tprotocols\n"
     "sql\tS\tweb\tdb\ttcp/1\ts\toption tls off\trequired\tHTTP\n"
     "list\tS\tweb\tdba\ttcp/{ports}\tlists\t\ton-demand\t\n"},
    {print_applied,
     "id\tsection\tfrom\tto\tports\tservice\tcondition\texpect\tprotocols\n"
     "sql\tS\tw\td\ttcp/1\ts\toption tls off\trequired\tHTTP\n"
     "list\tS\tw\td\t\tlists\t\ton-demand\t\n"},
    {print_applied_json,
     "[\n{\"id\":\"sql\",\"section\":\"S\",\"from\":\"w\",\"to\":\"d\",\"ports\":\"tcp/1\",\"service\":\"s\",\"condition\":\"option tls off\","
     "\"expect\":\"required\",\"protocols\":[\"HTTP\"],\"applies\":true,\"why_not\":null},\n"
     "{\"id\":\"list\",\"section\":\"S\",\"from\":\"w\",\"to\":\"d\",\"ports\":\"\",\"service\":\"lists\",\"condition\":\"\",\"expect\":"
     "\"on-demand\",\"protocols\":[],\"applies\":false,\"why_not\":\"the site lists no ports\"}\n]\n"},
};

START_TEST(output)
{
    struct bed b = bed_of_texts(MATRIX, "site: t\nmatrix: m\n" HOSTS "  d: {addresses: [10.0.0.2], roles: [dba]}\n");
    char      *text = printed(&b, prints[_i].fn);

    ck_assert_str_eq(text, prints[_i].text);
    free(text);
    policy_bed_close(&b);
}
END_TEST

static void note(void *aux, enum severity severity, const char *section, const char *sentence, uint32_t parameter)
{
    (void)parameter;
    fprintf(aux, "%s [%s] %s\n", severity_name(severity), section, sentence);
}

static char *lint_of(const char *matrix, const char *site, int64_t now_ns)
{
    struct bed b = bed_of_texts(matrix, site);
    char      *text = NULL;
    size_t     size;
    FILE      *f = open_memstream(&text, &size);

    policy_lint(b.policy, now_ns, note, f);
    fclose(f);
    policy_bed_close(&b);
    return text;
}

START_TEST(lint_of_a_site)
{
    const int64_t day = INT64_C(86400000000000);
    char *text = lint_of(MATRIX, "site: t\nmatrix: m\nparameters: {ports: 5-6}\n" HOSTS
                                 "  n: {addresses: [10.0.0.3], roles: []}\n"
                                 "exceptions:\n  - {id: E, client: w, server: n, port: any, owner: N. N., reason: r, until: 1970-01-01}\n",
                         day);

    ck_assert_str_eq(text, "medium [P] The site sets ports to 2 ports, and at least 3 are needed (\"P\"). Fewer do "
                           "not work. Look at the range on the servers, and in the site file.\nmedium [S] The "
                           "document requires flows to db (row sql, s, \"S\"), and no host of the site has that role. "
                           "Name the host in the site file, or say there under expect that the flow is on-demand.\n"
                           "notice [] Host n (10.0.0.3) has no role, so no row speaks of it. Give it the roles that "
                           "it has, or take it out.\nlow [] Exception E (w to n, owner N. N.) ran out on 1970-01-01 "
                           "and covers nothing any more: renew it or withdraw it.\n");
    free(text);
    text = lint_of(MATRIX, "site: t\nmatrix: m\n" HOSTS "  d: {addresses: [10.0.0.2], roles: [dba]}\n", 0);
    ck_assert_str_eq(text, "notice [S] The site lists no ports, so row list (lists, \"S\") allows nothing. List the "
                           "ports under parameters in the site file.\n");
    free(text);
}
END_TEST

/* Who serves an interface has a role: a finding where the site gives it another one. */
static const struct {
    const char *interface, *client, *server;
    bool        tells;
} signs[] = {
    {"NSPI", "w", "b", true},     /* another role */
    {"NSPI", "w", "a", false},    /* as the site says */
    {"NSPI", "w", "x", false},    /* serves it for others */
    {"NSPI", "b", "b", false},    /* a client whose use tells nothing */
    {"MAPI", "w", "b", false},    /* another interface */
    {"NSPI", "w", "9.9.9.9", true}, /* nobody knows it */
    {"NSPI", "9.9.9.9", "b", false},
};

START_TEST(what_an_interface_tells_of_a_server)
{
    struct bed bed = bed_of_texts(MATRIX "signs:\n  - {interface: NSPI, from: web, role: dba, unless: other, section: S 1, text: It tells.}\n"
                                         "  - {interface: NSPI, from: web, role: dba, section: S 2, text: x, unless: [db, other, web]}\n",
                                  "site: t\nmatrix: m\nhosts:\n  w: {addresses: [10.0.0.1], roles: [web]}\n  a: {addresses: [10.0.0.2], roles: [dba]}\n"
                                  "  b: {addresses: [10.0.0.3], roles: [db]}\n  x: {addresses: [10.0.0.4], roles: [other]}\n");
    struct policy_query       q = policy_query_of(&bed, signs[_i].client, signs[_i].server, "tcp/1026", NULL);
    const struct matrix_sign *sign = policy_sign(bed.policy, signs[_i].interface, &q.tuple.client, &q.tuple.server);
    char                      buf[1024];

    ck_assert_int_eq(sign != NULL, signs[_i].tells);
    if (_i == 0) {
        policy_sign_sentence(bed.policy, sign, &q.tuple, "packet 7 of x.pcap", buf, sizeof(buf));
        ck_assert_str_eq(buf, "w (10.0.0.1) bound the RPC interface NSPI of b (10.0.0.3) on TCP 1026 (packet 7 of "
                              "x.pcap). It tells. The site file gives the role dba (dba, \"S 1\") to a (10.0.0.2), "
                              "and not to this server. Correct the site file, or look at why w uses this server.");
        ck_assert_str_eq(sign->section, "S 1");
    }
    policy_bed_close(&bed);
}
END_TEST

START_TEST(severities_and_dispositions)
{
    struct judgement j = {.verdict = VERDICT_VIOLATION, .kind = FINDING_WRONG_PROTOCOL};
    enum finding_kind kind;

    ck_assert_int_eq(policy_severity(&j, OUTCOME_ESTABLISHED), SEVERITY_HIGH);
    ck_assert_int_eq(policy_severity(&j, OUTCOME_REFUSED), SEVERITY_MEDIUM);
    j.kind = FINDING_NO_ROW;
    ck_assert_int_eq(policy_severity(&j, OUTCOME_ONE_WAY), SEVERITY_MEDIUM);
    ck_assert_int_eq(policy_severity(&j, OUTCOME_UNANSWERED), SEVERITY_LOW);
    ck_assert_str_eq(disposition_name(disposition_of(VERDICT_ALLOWED, OUTCOME_ESTABLISHED)), "permitted");
    ck_assert_str_eq(disposition_name(disposition_of(VERDICT_ALLOWED, OUTCOME_REFUSED)), "misdropped");
    ck_assert_str_eq(disposition_name(disposition_of(VERDICT_VIOLATION, OUTCOME_ESTABLISHED)), "escaped");
    ck_assert_str_eq(disposition_name(disposition_of(VERDICT_VIOLATION, OUTCOME_PROHIBITED)), "rejected");
    ck_assert_str_eq(disposition_name(disposition_of(VERDICT_UNDOCUMENTED, OUTCOME_ESTABLISHED)), "");
    for (unsigned i = FINDING_NONE + 1; i < FINDING_N_KINDS; i++) {
        ck_assert_int_eq(finding_kind_parse(finding_kind_name(i), &kind), 0);
        ck_assert_uint_eq(kind, i);
    }
    ck_assert_int_lt(finding_kind_parse("", &kind), 0);
}
END_TEST

Suite *suite_policy_words(void);

Suite *suite_policy_words(void)
{
    Suite *s = suite_create("policy: words");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, compilation, 0, sizeof(compiled) / sizeof(compiled[0]));
    tcase_add_loop_test(t, sentence_of_a_flow, 0, sizeof(sentences) / sizeof(sentences[0]));
    tcase_add_loop_test(t, output, 0, sizeof(prints) / sizeof(prints[0]));
    tcase_add_test(t, lint_of_a_site);
    tcase_add_loop_test(t, what_an_interface_tells_of_a_server, 0, sizeof(signs) / sizeof(signs[0]));
    tcase_add_test(t, severities_and_dispositions);
    suite_add_tcase(s, t);
    return s;
}
