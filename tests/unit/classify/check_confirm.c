/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/classify/confirm.h"
#include "make.h"

#define T    IPPROTO_TCP
#define U    IPPROTO_UDP
#define CRLF "\r\n"
#define NB32 "20 \"EGEGEGEGEGEGEGEGEGEGEGEGEGEGCACA\" 00"

/* One message, on a port that says nothing (4000) unless 'port' does; "" where content must not decide. */
static const struct sample {
    const char *what;
    uint8_t transport;
    uint16_t port;
    const char *expected; /* NULL: no row */
    const char *bytes;
    const char *name, *detail;
    int direction;
    bool contradicts;
} samples[] = {
    /* Kerberos */
    {"AS-REQ", U, 0, NULL, "6a 0e 30 0c a1 03 02 01 05 a2 03 02 01 0a a4 00", "Kerberos", "", 1, true},
    {"AS-REQ, long lengths", U, 0, NULL, "6a 82 00 10 30 0e a1 03 02 01 05 a2 03 02 01 0a a4 02 30 00", "Kerberos", "",
     1, true},
    {"TGS-REP over TCP", T, 0, NULL, "00 00 00 10 6d 0e 30 0c a0 03 02 01 05 a1 03 02 01 0d a2 00", "Kerberos", "", -1,
     true},
    {"record mark gone ahead", T, 0, NULL, "6d 0e 30 0c a0 03 02 01 05 a1 03 02 01 0d a2 00", "Kerberos", "", -1, true},
    {"KRB-ERROR", U, 0, NULL, "7e 0c 30 0a a0 03 02 01 05 a1 03 02 01 1e", "Kerberos", "", -1, true},
    {"version 4 is not Kerberos 5", U, 0, "Kerberos", "6a 0e 30 0c a1 03 02 01 04 a2 03 02 01 0a a4 00", "", "", 0,
     false},
    {"type other than the tag's", U, 0, "Kerberos", "6a 0e 30 0c a1 03 02 01 05 a2 03 02 01 0c a4 00", "", "", 0,
     false},
    {"kpasswd request", U, 464, "Kerberos", "00 0c 00 01 00 06 6e 04 30 02 05 05", "Kerberos", "kpasswd", 1, true},
    {"kpasswd of Windows", U, 464, NULL, "00 0c ff 80 00 06 6e 04 30 02 05 05", "Kerberos", "kpasswd", 1, true},
    {"kpasswd answer over TCP", T, 0, NULL, "00 00 00 0c 00 0c 00 01 00 02 6f 00 75 02 30 00", "Kerberos", "kpasswd",
     -1, true},
    {"kpasswd error", U, 0, NULL, "00 0a 00 01 00 00 7e 02 30 00", "Kerberos", "kpasswd", -1, true},
    /* LDAP */
    {"bind", T, 0, NULL, "30 0c 02 01 01 60 07 02 01 03 04 00 80 00", "LDAP", "", 1, true},
    {"bind, lengths as Windows writes them", T, 0, NULL,
     "30 84 00 00 00 10 02 01 01 60 84 00 00 00 07 02 01 03 04 00 80 00", "LDAP", "", 1, true},
    {"bind answer, length 81", T, 0, NULL, "30 81 0c 02 01 01 61 07 0a 01 00 04 00 04 00", "LDAP", "", -1, true},
    {"search of a large message id", U, 389, NULL, "30 14 02 04 00 00 ff ff 63 0c 04 00 0a 01 00 0a 01 00 02 01 00 00",
     "LDAP", "", 1, true},
    {"unbind", T, 0, NULL, "30 05 02 01 09 42 00", "LDAP", "", 1, true},
    {"SASL layer", T, 389, "LDAP", "00 00 00 40 60 3c 06 09 2a 86 48 86 f7 12 01 02 02 02 01", "", "", 0, false},
    {"operation longer than its message", T, 389, "LDAP", "30 0c 02 01 01 60 17 02 01 03 04 00 80 00", "", "", 0,
     false},
    /* SNMP */
    {"get", U, 0, NULL, "30 13 02 01 01 04 06 \"public\" a0 06 02 01 01 02 01 00", "SNMP", "", 1, true},
    {"response", U, 161, NULL, "30 13 02 01 00 04 06 \"public\" a2 06 02 01 01 02 01 00", "SNMP", "", -1, true},
    {"version 3", U, 0, NULL, "30 14 02 01 03 30 0d 02 01 07 02 02 05 dc 04 01 04 02 01 03 04 00", "SNMP", "", 1, true},
    {"version 3, an answer or report", U, 0, NULL, "30 14 02 01 03 30 0d 02 01 07 02 02 05 dc 04 01 00 02 01 03 04 00", "SNMP", "", -1, true},
    {"version 3, a trap", U, 162, NULL, "30 14 02 01 03 30 0d 02 01 07 02 02 05 dc 04 01 00 02 01 03 04 00", "SNMP", "", 1, true},
    /* NetBIOS and SMB */
    {"name query", U, 137, NULL, "12 34 01 10 00 01 00 00 00 00 00 00 " NB32 " 00 20 00 01", "NetBIOS", "", 1, true},
    {"name answer", U, 0, NULL,
     "12 34 85 00 00 00 00 01 00 00 00 00 " NB32 " 00 20 00 01 00 00 00 00 00 06 00 00 0a 00 00 01", "NetBIOS", "", -1,
     true},
    {"name with odd letters", U, 137, "NetBIOS",
     "12 34 01 10 00 01 00 00 00 00 00 00 20 \"EGEGEGEG-GEGEGEGEGEGEGEGEGEGCACA\" 00 00 20 00 01", "NetBIOS", "", 1,
     false},
    {"datagram to a mailslot", U, 138, NULL,
     "11 0a 12 34 0a 00 00 01 00 8a 00 50 00 00 " NB32 NB32 " ff \"SMB\" 25 00 00", "NetBIOS", "mailslot", 0, true},
    {"session request", T, 139, NULL, "81 00 00 44 " NB32 NB32, "NetBIOS", "session", 1, true},
    {"session accepted", T, 139, "NetBIOS", "82 00 00 00", "NetBIOS", "session", -1, false},
    {"four bytes where nobody expects them", T, 139, NULL, "82 00 00 00", "", "", 0, false},
    {"keep-alive and SMB", T, 139, "SMB", "00 00 00 23 ff \"SMB\" 72 00 00 00 00 18", "SMB", "", 1, true},
    {"SMB 1", T, 0, NULL, "00 00 00 23 ff \"SMB\" 73 00 00 00 00 98 00", "SMB", "SMBv1", -1, true},
    {"SMB 2", T, 445, NULL, "00 00 00 40 fe \"SMB\" 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "SMB", "SMBv23",
     1, true},
    {"SMB behind a header gone ahead", T, 445, "SMB", "fe \"SMB\" 40 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00",
     "SMB", "SMBv23", -1, false},
    /* DCE/RPC */
    {"bind of several segments", T, 0, NULL,
     "05 00 0b 03 10 00 00 00 88 13 00 10 01 00 00 00 b8 10 b8 10 00 00 00 00 01 00 00 00", "DCE_RPC", "", 1, true},
    {"response, big end first", T, 0, NULL, "05 00 02 03 00 00 00 00 00 20 00 00 00 00 00 01 00 00 00 08 00 00 00 00",
     "DCE_RPC", "", -1, true},
    {"no such type", T, 135, "DCE_RPC", "05 00 19 03 10 00 00 00 48 00 00 00 01 00 00 00 b8 10 b8 10", "", "", 0,
     false},
    {"trailer longer than the fragment", T, 135, "DCE_RPC",
     "05 00 00 03 10 00 00 00 20 00 40 00 01 00 00 00 b8 10 b8 10", "", "", 0, false},
    /* SQL Server */
    {"pre-login", T, 0, NULL, "12 01 00 2f 00 00 01 00 00 00 1a 00 06 01 00 20 00 01 ff", "MsSQL-TDS", "", 1, true},
    {"answer to pre-login", T, 0, NULL, "04 01 00 2b 00 00 01 00 00 00 1a 00 06 01 00 20 00 01 ff", "MsSQL-TDS", "", -1,
     true},
    {"TLS inside pre-login", T, 1433, NULL, "12 01 00 c8 00 00 00 00 16 03 01 00 bb 01 00 00 b7", "MsSQL-TDS", "", 1,
     true},
    {"batch", T, 1433, "MsSQL-TDS", "01 01 00 10 00 00 01 00 \"s\" 00 \"e\" 00 \"l\" 00", "MsSQL-TDS", "", 1, false},
    {"browser asked for all", U, 1434, "MsSQL-TDS", "02 00", "MsSQL-TDS", "browser", 1, false},
    {"browser asked for one", U, 1434, "MsSQL-TDS", "04 \"VOICE\" 00", "MsSQL-TDS", "browser", 1, false},
    {"browser's answer", U, 0, NULL, "05 10 00 \"ServerName;SQL;;\"", "MsSQL-TDS", "browser", -1, true},
    {"one byte where nobody expects it", U, 1434, NULL, "02", "", "", 0, false},
    /* voice */
    {"SCCP keep-alive", T, 2000, "CiscoSkinny", "04 00 00 00 00 00 00 00 00 00 00 00", "CiscoSkinny", "", 1, false},
    {"SCCP register, version 0x14", T, 2000, "CiscoSkinny", "08 00 00 00 14 00 00 00 01 00 00 00 \"SEP0\"",
     "CiscoSkinny", "", 1, false},
    {"SCCP call state", T, 2000, "CiscoSkinny", "08 00 00 00 00 00 00 00 11 01 00 00 01 00 00 00", "CiscoSkinny", "",
     -1, false},
    {"SCCP that nobody expects", T, 2000, NULL, "04 00 00 00 00 00 00 00 00 00 00 00", "", "", 0, false},
    {"SIP request", U, 0, NULL, "\"INVITE sip:1000@10.0.0.2 SIP/2.0" CRLF "Via: x" CRLF "\"", "SIP", "", 1, true},
    {"SIP status to a server that asked over its client's connection", T, 5060, NULL, "\"SIP/2.0 180 Ringing" CRLF "\"", "SIP", "", 1, true},
    {"SIP status, ports tell nothing", T, 0, NULL, "\"SIP/2.0 180 Ringing" CRLF "\"", "SIP", "", 0, true},
    {"SIP's BYE, ports tell nothing", T, 0, NULL, "\"BYE sip:1000@10.0.0.2 SIP/2.0" CRLF "\"", "SIP", "", 0, true},
    {"SIP status of a datagram", U, 5060, NULL, "\"SIP/2.0 180 Ringing" CRLF "\"", "SIP", "", -1, true},
    {"SIP's OPTIONS", T, 5060, "SIP", "\"OPTIONS sip:10.0.0.2 SIP/2.0" CRLF CRLF "\"", "SIP", "", 1, true},
    {"HTTP on SIP's port", T, 5060, "SIP", "\"GET / HTTP/1.1" CRLF "Host: a" CRLF CRLF "\"", "HTTP", "", 1, true},
    {"RTCP sender report and SDES", U, 0, NULL,
     "80 c8 00 06 00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05 00 00 00 06 81 ca 00 02 00 00 00 01 01 "
     "01 \"a\" 00",
     "RTCP", "", 0, true},
    {"RTCP whose lengths do not close", U, 0, "RTP",
     "80 c8 00 07 00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05 00 00 00 06", "", "", 0, false},
    {"one datagram like RTP", U, 0, "RTP", "80 00 00 01 00 00 00 a0 11 22 33 44 ff ff ff ff ff ff ff ff", "", "", 0,
     false},
    /* text */
    {"HTTP response", T, 0, NULL, "\"HTTP/1.1 200 OK" CRLF "\"", "HTTP", "", -1, true},
    {"HTTP, RPC over it", T, 0, NULL, "\"RPC_IN_DATA /rpc/rpcproxy.dll?a:6001 HTTP/1.1" CRLF "\"", "HTTP", "", 1, true},
    {"SMTP greeting", T, 0, NULL, "\"220 mail.example.com ESMTP Postfix" CRLF "\"", "SMTP", "", -1, true},
    {"SMTP hello", T, 25, NULL, "\"EHLO unity" CRLF "\"", "SMTP", "", 1, true},
    {"SMTP answers", T, 25, "SMTP", "\"250-mail.example.com" CRLF "\"", "SMTP", "", -1, false},
    {"FTP on SMTP's port", T, 25, "SMTP", "\"220 Welcome to the FTP server" CRLF "\"", "FTP_CONTROL", "", -1, true},
    {"a greeting that names nothing", T, 25, "SMTP", "\"220 ready" CRLF "\"", "", "", 0, false},
    {"SSH on the port of HTTPS", T, 443, "TLS", "\"SSH-2.0-OpenSSH_9.2" CRLF "\"", "SSH", "", 0, true},
    {"VNC", T, 0, NULL, "\"RFB 003.008\n\"", "VNC", "", -1, true},
    {"telnet", T, 80, "HTTP", "ff fd 18 ff fd 20 ff fd 23", "Telnet", "", 0, true},
    /* TLS and remote desktops */
    {"client hello", T, 80, "HTTP", "16 03 01 00 c8 01 00 00 c4 03 03 aa bb", "TLS", "", 1, true},
    {"server hello", T, 0, NULL, "16 03 03 00 51 02 00 00 4d 03 03 aa bb", "TLS", "", -1, true},
    {"hello of SSL 2", T, 0, NULL,
     "80 1c 01 03 01 00 03 00 00 00 10 00 00 0a 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f", "TLS", "", 1, true},
    {"a record whose lengths close", T, 0, NULL,
     "17 03 03 00 14 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13", "TLS", "", 0, true},
    {"a record that goes on, where expected", T, 443, "TLS", "17 03 03 40 14 00 01 02 03 04 05 06 07", "TLS", "", 0,
     false},
    {"a record that goes on, elsewhere", T, 0, NULL, "17 03 03 40 14 00 01 02 03 04 05 06 07", "", "", 0, false},
    {"RDP with a cookie", T, 0, NULL, "03 00 00 22 1d e0 00 00 00 00 00 \"Cookie: mstshash=user" CRLF "\"", "RDP", "",
     1, true},
    {"RDP negotiation", T, 0, NULL, "03 00 00 13 0e e0 00 00 00 00 00 01 00 08 00 03 00 00 00", "RDP", "", 1, true},
    {"RDP negotiated", T, 3389, NULL, "03 00 00 13 0e d0 00 00 12 34 00 02 1f 08 00 02 00 00 00", "RDP", "", -1, true},
    {"S7, which shares X.224", T, 0, NULL, "03 00 00 16 11 e0 00 00 00 01 00 c0 01 0a c1 02 01 00 c2 02 01 02", "", "",
     0, false},
    /* names and time */
    {"DNS query", U, 0, NULL, "12 34 01 00 00 01 00 00 00 00 00 00 03 \"www\" 07 \"example\" 00 00 01 00 01", "DNS", "",
     1, true},
    {"DNS answer", U, 53, NULL,
     "12 34 81 80 00 01 00 01 00 00 00 00 01 \"a\" 00 00 01 00 01 c0 0c 00 01 00 01 00 00 00 01 00 04 0a 00 00 01",
     "DNS", "", -1, true},
    {"DNS over TCP", T, 0, NULL, "00 13 12 34 01 00 00 01 00 00 00 00 00 00 01 \"a\" 00 00 fc 00 01", "DNS", "", 1,
     true},
    {"DNS over TCP, length gone ahead", T, 53, "DNS", "12 34 01 00 00 01 00 00 00 00 00 00 01 \"a\" 00 00 fc 00 01",
     "DNS", "", 1, false},
    {"DNS refusal, header alone", U, 53, "DNS", "12 34 81 85 00 00 00 00 00 00 00 00", "DNS", "", -1, false},
    {"mDNS", U, 5353, NULL,
     "00 00 84 00 00 00 00 01 00 00 00 00 01 \"a\" 05 \"local\" 00 00 01 80 01 00 00 00 78 00 04 0a 00 00 01", "MDNS",
     "", -1, true},
    {"LLMNR", U, 5355, NULL, "12 34 00 00 00 01 00 00 00 00 00 00 01 \"a\" 00 00 01 00 01", "LLMNR", "", 1, true},
    {"NTP client", U, 0, NULL,
     "23 00 06 ec 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
     "00 00 00 "
     "e0 00 00 00 00 00 00 00",
     "NTP", "", 1, true},
    {"NTP server", U, 53, "DNS",
     "24 02 06 ec 00 00 01 00 00 00 02 00 0a 00 00 01 e0 00 00 00 00 00 00 00 e0 00 00 10 00 00 00 00 e0 00 00 10 80 "
     "00 00 00 "
     "e0 00 00 10 90 00 00 00",
     "NTP", "", -1, true},
    {"NTP, times that are none", U, 123, "NTP",
     "24 02 06 ec 00 00 01 00 00 00 02 00 0a 00 00 01 e0 00 00 00 00 00 00 00 e0 00 00 10 00 00 00 00 10 00 00 10 80 "
     "00 00 00 "
     "e0 00 00 10 90 00 00 00",
     "NTP", "", -1, false},
    {"NTP, times that are none, elsewhere", U, 0, NULL,
     "24 02 06 ec 00 00 01 00 00 00 02 00 0a 00 00 01 e0 00 00 00 00 00 00 00 e0 00 00 10 00 00 00 00 10 00 00 10 80 "
     "00 00 00 "
     "e0 00 00 10 90 00 00 00",
     "", "", 0, false},
    {"NTP control", U, 123, "NTP", "16 02 00 01 00 00 00 00 00 00 00 00", "NTP", "", 1, false},
};

/* Made once, before the tests fork: it takes a twentieth of a second. */
static struct classifier *classifier;

static void setup(void)
{
    static const char *const names[] = {"Kerberos", "LDAP", "TLS",       "NetBIOS",     "SMB",  "NTP",
                                        "DCE_RPC",  "DNS",  "MsSQL-TDS", "CiscoSkinny", "HTTP", "RTP",
                                        "SIP",      "VNC",  "SNMP",      "RDP",         "SMTP"};
    struct err err = {0};

    if (classifier_new(names, sizeof(names) / sizeof(names[0]), &classifier, &err) < 0)
        ck_abort_msg("%s", err.msg);
}

static void teardown(void)
{
    classifier_free(classifier);
}

/* A list of this name alone, the same each time. */
static const char *const *list_of(const char *name)
{
    static const char *lists[64][2];
    size_t i = 0;

    if (name == NULL)
        return NULL;
    while (lists[i][0] != NULL && strcmp(lists[i][0], name) != 0)
        i++;
    ck_assert_uint_lt(i, sizeof(lists) / sizeof(lists[0]) - 1);
    lists[i][0] = name;
    return lists[i];
}

static int show(const struct sample *s, const uint8_t *bytes, size_t len, size_t wire_len, struct app *ret)
{
    struct classify_step step = {.expected = list_of(s->expected)};
    struct classify_outcome outcome;
    struct make make = {.transport = s->transport,
                        .client_port = 40001,
                        .server_port = s->port != 0 ? s->port : 4000,
                        .payload = bytes,
                        .len = len,
                        .wire_len = wire_len};
    struct classify_state *state = classify_begin(classifier);
    struct made made = make_packet(&make);

    ck_assert_ptr_nonnull(state);
    enum classify_progress progress = classify_packet(classifier, state, &made.packet, &step);
    classify_result(state, ret);
    classify_outcome(state, &outcome);
    ck_assert(outcome.basis == ret->basis && outcome.also == ret->also && outcome.contradicts == ret->contradicts);
    ck_assert_str_eq(outcome.name != NULL ? outcome.name : "", ret->name);
    int direction = classify_direction(state);
    if (ret->basis == APP_CONTENT)
        ck_assert_msg(progress == CLASSIFY_FINAL, "%s: content, and still asks for more", s->what);
    classify_end(classifier, state);
    make_free(&made);
    return direction;
}

START_TEST(each_message_is_known_by_its_content)
{
    uint8_t bytes[512];
    const struct sample *s = &samples[_i];
    struct app app;

    size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
    int direction = show(s, bytes, len, 0, &app);
    if (s->name[0] == '\0') {
        ck_assert_msg(app.basis != APP_CONTENT, "%s: content said to be %s", s->what, app.name);
        ck_assert(!app.contradicts);
    } else {
        ck_assert_msg(app.basis == APP_CONTENT && strcmp(app.name, s->name) == 0, "%s: basis %d, '%s' %s", s->what,
                      (int)app.basis, app.name, app.detail);
        ck_assert_msg(strcmp(app.detail, s->detail) == 0, "%s: detail '%s'", s->what, app.detail);
        ck_assert_msg(app.contradicts == s->contradicts, "%s: contradicts %d", s->what, app.contradicts);
        ck_assert_msg(direction == s->direction, "%s: direction %d", s->what, direction);
    }
}
END_TEST

#define INITIATOR "11 22 33 44 55 66 77 88 "
#define RESPONDER "99 aa bb cc dd ee ff 01 "
#define NOBODY    "00 00 00 00 00 00 00 00 "

static const struct header {
    const char *what;
    uint16_t sport, dport;
    const char *bytes;
    size_t wire_len; /* 0: nothing was cut */
    int direction;
} headers[] = {
    {"a query, cut", 40001, 53, "12 34 01 00 00 01 00 00 00 00 00 00 03 \"www\" 07 61", 40, 1},
    {"an answer, cut", 53, 40001, "12 34 81 80 00 01 00 01 00 00 00 00 03 \"www\" 07 61", 80, -1},
    {"an answer to the port of DNS", 40001, 53, "12 34 81 80 00 01 00 01 00 00 00 00 03 \"www\" 07 61", 80, 0},
    {"an answer on another port", 54, 40001, "12 34 81 80 00 01 00 01 00 00 00 00 03 \"www\" 07 61", 80, 0},
    {"more records than there is room for", 53, 40001, "12 34 81 80 00 01 00 ff 00 00 00 00 03 \"www\" 07 61", 80, 0},
    {"IKE, who began the SA", 500, 500, INITIATOR RESPONDER "2e 20 23 08 00 00 00 01 00 00 00 1c", 0, 1},
    {"IKE, the other side", 500, 500, INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 00 1c", 0, -1},
    {"IKE, the other side asks", 500, 500, INITIATOR RESPONDER "2e 20 25 00 00 00 00 01 00 00 00 1c", 0, -1},
    {"IKE, cut", 500, 500, INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 01 00", 256, -1},
    {"IKE of another length", 500, 500, INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 01 00", 0, 0},
    {"IKE, no flag and no responder", 500, 500, INITIATOR NOBODY "2e 20 22 00 00 00 00 00 00 00 00 1c", 0, 0},
    {"IKE on port 4500", 4500, 4500, "00 00 00 00 " INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 00 1c", 0, -1},
    {"ESP on port 4500", 4500, 4500, "00 00 00 01 " INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 00 1c", 0, 0},
    {"IKE on another port", 501, 502, INITIATOR RESPONDER "2e 20 23 20 00 00 00 01 00 00 00 1c", 0, 0},
    {"ISAKMP, the first message", 500, 500, INITIATOR NOBODY "01 10 02 00 00 00 00 00 00 00 00 1c", 0, 1},
    {"ISAKMP, another", 500, 500, INITIATOR RESPONDER "01 10 02 00 00 00 00 00 00 00 00 1c", 0, 0},
};

START_TEST(a_header_tells_who_asks)
{
    const struct header *h = &headers[_i];
    uint8_t bytes[128];
    size_t len = make_bytes(h->bytes, bytes, sizeof(bytes));
    struct make make = {.transport = U, .client_port = h->sport, .server_port = h->dport, .payload = bytes, .len = len, .wire_len = h->wire_len};
    struct classify_state *state = classify_begin(classifier);
    struct made made = make_packet(&make);
    struct classify_step step = {.expected = NULL};

    ck_assert_ptr_nonnull(state);
    classify_packet(classifier, state, &made.packet, &step);
    ck_assert_msg(classify_direction(state) == h->direction, "%s: direction %d", h->what, classify_direction(state));
    classify_end(classifier, state);
    make_free(&made);
}
END_TEST

/* A snap length takes knowledge away and never puts wrong knowledge in its place. */
START_TEST(a_cut_message_is_the_same_or_unknown)
{
    uint8_t bytes[512];
    const struct sample *s = &samples[_i];

    size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
    for (size_t cut = 1; cut < len; cut++) {
        struct app app;
        show(s, bytes, cut, len, &app);
        if (s->name[0] == '\0' || app.basis != APP_CONTENT)
            continue;
        ck_assert_msg(strcmp(app.name, s->name) == 0, "%s cut after %zu bytes: %s", s->what, cut, app.name);
    }
}
END_TEST

/* What the capture left is too little to guess by, and on the port of NetBIOS names enough to know them. */
static const struct sample left_overs[] = {
    {"names, a header like NTP's", U, 137, NULL, "1b 02 00 00 00 01 00 00 00 00 00 00 20 \"CKAAA\"", "NetBIOS", "", 1, true},
    {"names, a header like RTP's", U, 137, NULL, "80 f0 00 10 00 01 00 00 00 00 00 00 20 \"CKAAA\"", "NetBIOS", "", 1, true},
    {"names, a header alone", U, 137, NULL, "1b 02 00 00 00 01 00 00 00 00 00 00", "", "", 0, false},
    {"names, RTP's header alone", U, 137, NULL, "80 f0 00 10 00 01 00 00 00 00 00 00", "", "", 0, false},
    {"the same letters elsewhere", U, 138, NULL, "80 f0 00 10 00 01 00 00 00 00 00 00 20 \"CKAAA\"", "", "", 0, false},
    {"DNS, a header like NTP's", U, 53, NULL, "1b 02 01 00 00 01 00 00", "", "", 0, false},
    {"a session request", T, 139, NULL, "81 00 00 44 20 \"CKAAA\"", "", "", 0, false},
};

START_TEST(what_was_cut_is_nothing_else)
{
    uint8_t bytes[512];
    const struct sample *s = &left_overs[_i];
    struct app app;

    size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
    show(s, bytes, len, 72, &app);
    ck_assert_msg(strcmp(app.name, s->name) == 0, "%s: %s", s->what, app.name);
}
END_TEST

/* Same, for messages that are truly short: only bytes that are there are read (the sanitizers look on), and a name goes
 * with a basis. */
START_TEST(a_short_message_is_harmless)
{
    uint8_t bytes[512];
    const struct sample *s = &samples[_i];
    struct app app;

    size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
    for (size_t end = 1; end < len; end++) {
        show(s, bytes, end, 0, &app);
        ck_assert((app.basis == APP_NONE) == (app.name[0] == '\0'));
    }
}
END_TEST

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Bytes changed at random, in exact-size memory: no crash, and never content without a name that we know. */
START_TEST(a_changed_message_is_harmless)
{
    const struct sample *s = &samples[_i];
    uint32_t seed = (uint32_t)_i + 1;

    for (unsigned round = 0; round < 300; round++) {
        uint8_t bytes[512];
        struct app app;
        size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
        for (unsigned n = 1 + next_random(&seed) % 4; n > 0; n--)
            bytes[next_random(&seed) % len] = (uint8_t)next_random(&seed);
        size_t end = 1 + next_random(&seed) % len;
        show(s, bytes, end, next_random(&seed) % 2 == 0 ? len : 0, &app);
        ck_assert_msg(app.basis == APP_NONE || classify_knows(app.name), "%s, round %u: '%s'", s->what, round,
                      app.name);
        ck_assert(app.contradicts <= (app.basis == APP_CONTENT));
    }
}
END_TEST

static void nobody_else_answers(const struct confirm_input *in, const char *what)
{
    for (size_t i = 0; i < n_confirmers; i++) {
        const char *detail = "";
        if ((confirmers[i].transports & (in->udp ? CONFIRM_UDP : CONFIRM_TCP)) != 0 && !confirmer_knows_first(&confirmers[i], in->data[0]))
            ck_assert_msg(confirmers[i].fn(in, &detail) == CONFIRM_NO, "%s with %02x in front: confirmer %zu", what, in->data[0], i);
    }
}

/* What the table says of first bytes, of which confirmers are not asked: they would not have answered. */
START_TEST(other_first_bytes_have_no_answer)
{
    const struct sample *s = &samples[_i];
    uint32_t seed = (uint32_t)_i + 1;

    for (unsigned round = 0; round < 4 * 256; round++) {
        uint8_t bytes[512];
        size_t len = make_bytes(s->bytes, bytes, sizeof(bytes));
        bytes[0] = (uint8_t)round;
        if (round >= 256)
            bytes[next_random(&seed) % len] = (uint8_t)next_random(&seed);
        size_t end = round < 512 ? len : 1 + next_random(&seed) % len;
        struct confirm_input in = {.data = bytes, .len = end, .wire_len = round % 3 == 0 ? end + 200 : end, .sport = 40001, .dport = s->port, .first = true};
        for (unsigned udp = 0; udp < 2; udp++) {
            in.udp = udp;
            nobody_else_answers(&in, s->what);
        }
    }
}
END_TEST

/* Of a packet of 60 bytes six are left behind the headers: enough for both lengths and what X.224 says, on the port that is known to be RDP's. */
START_TEST(a_cut_connection_request_is_known_by_its_lengths)
{
    static const struct sample remote = {"a request", T, 3389, NULL, "03 00 00 2b 26 e0", "RDP", "", 1, true}, other = {"another's", T, 102, NULL, "03 00 00 2b 26 e0", "", "", 0, false},
                               longer = {"more than one", T, 3389, NULL, "03 00 00 2b 25 e0", "", "", 0, false};
    uint8_t    bytes[8];
    struct app app;
    size_t     len = make_bytes(remote.bytes, bytes, sizeof(bytes));

    ck_assert_int_eq(show(&remote, bytes, len, 43, &app), 1);
    ck_assert(app.basis == APP_CONTENT && strcmp(app.name, "RDP") == 0);
    show(&remote, bytes, len, 44, &app); /* what TPKT does not fill */
    ck_assert(app.basis != APP_CONTENT);
    show(&other, bytes, len, 43, &app);
    ck_assert(app.basis != APP_CONTENT);
    make_bytes(longer.bytes, bytes, sizeof(bytes));
    show(&longer, bytes, len, 43, &app);
    ck_assert(app.basis != APP_CONTENT);
}
END_TEST

Suite *suite_confirm(void);

Suite *suite_confirm(void)
{
    Suite *suite = suite_create("confirm");
    TCase *tc = tcase_create("messages");
    int n = (int)(sizeof(samples) / sizeof(samples[0]));

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, each_message_is_known_by_its_content, 0, n);
    tcase_add_loop_test(tc, a_header_tells_who_asks, 0, (int)(sizeof(headers) / sizeof(headers[0])));
    tcase_add_loop_test(tc, a_cut_message_is_the_same_or_unknown, 0, n);
    tcase_add_loop_test(tc, what_was_cut_is_nothing_else, 0, (int)(sizeof(left_overs) / sizeof(left_overs[0])));
    tcase_add_loop_test(tc, a_short_message_is_harmless, 0, n);
    tcase_add_loop_test(tc, a_changed_message_is_harmless, 0, n);
    tcase_add_loop_test(tc, other_first_bytes_have_no_answer, 0, n);
    tcase_add_test(tc, a_cut_connection_request_is_known_by_its_lengths);
    suite_add_tcase(suite, tc);
    return suite;
}
