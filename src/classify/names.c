/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "flowaudit/classify.h"
#include "names.h"

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Names that satisfy one of ours besides that name itself.  HTTP inside TLS is TLS, and does not satisfy HTTP; nor does a tunnel that HTTP
 * opened, HTTP_Connect. */
static const struct {
    const char *name, *satisfies;
} also[] = {
    {"RTCP", "RTP"},          {"SRTP", "RTP"},        {"SMBv1", "SMB"},  {"SMBv23", "SMB"},     {"SMTPS", "SMTP"},
    {"HTTP_Proxy", "HTTP"},   {"HTTP2", "HTTP"},      {"DCERPC", "DCE_RPC"}, {"RPC", "DCE_RPC"},
    {"WebSocket", "HTTP"},    {"SOAP", "HTTP"},       {"OCSP", "HTTP"},
};

/* The library's names where they are not ours. */
static const struct {
    const char *ours;
    const char *library[4];
} spelled[] = {
    {"SMB", {"SMBv1", "SMBv23", "NetBIOS", NULL}},
    {"DCE_RPC", {"DCE_RPC", "DCERPC", NULL}},
    {"SMTP", {"SMTP", "SMTPS", NULL}},
    {"HTTP", {"HTTP", "HTTP_Connect", "HTTP_Proxy", NULL}},
    /* One datagram whose first byte is 0x80 is RTP for version 4.2: our own rule over three stands for it. */
    {"RTP", {"RTCP", NULL}},
};

static const struct {
    const char *library, *ours;
} renamed[] = {
    {"SMBv1", "SMB"}, {"SMBv23", "SMB"}, {"DCERPC", "DCE_RPC"}, {"HTTP_Connect", "HTTP"}, {"HTTP_Proxy", "HTTP"},
};

/*
 * Protocols that version 4.2, with everything enabled, tells by content reliably enough to say "wrong protocol", and
 * what each rests on there.  All others stay hints: on real traffic 4.2 calls LDAP and SMTP MQTT, SCCP MongoDB, SNMP
 * RX, CLDAP Skype_Teams, RPC TargusDataspeed, with its highest confidence; TeamViewer by two bytes and a port; "OPTIONS
 * s" of a SIP request that the capture cut is HTTP for it.  HTTP, SIP, SMB, Kerberos and TeamViewer are therefore left
 * to our confirmers, which know them strictly.
 */
static const char *const reliable_tcp[] = {
    "SSH",         /* version line "SSH-" from both sides */
    "TLS",         /* handshake records that parse */
    "FTP_CONTROL", /* a known command answered by a three-digit reply */
    "Telnet",      /* three option negotiations (IAC) in a row */
    "SMTP",        /* several of its commands in dialogue */
    "POP3",        /* commands answered by +OK or -ERR */
    "IMAP",        /* tagged commands and their tagged answers */
    "RDP",         /* TPKT and X.224 connection request */
    "VNC",         /* "RFB 00" from both sides */
    "BitTorrent",  /* "BitTorrent protocol"; over UDP a header of uTP is enough for it, so not there */
    "MySQL",       /* greeting with length, protocol 10, version text and filler in place */
    "PostgreSQL",  /* start-up message answered by an authentication request */
    "IRC",         /* NICK and USER, or a server's numeric replies */
    "RTSP",        /* "RTSP/1.0" */
};

/* Those that it was seen to give other protocols (above), and the calls of one of them: not even a hint.  Two
 * bytes of a NetBIOS session are WebSocket for it, of which the request of HTTP is missing; TDS that was cut is Cassandra. */
static const char *const misleading[] = {"MQTT", "MongoDB", "RX", "Skype_Teams", "Skype_TeamsCall", "TargusDataspeed", "WebSocket", "Cassandra"};

static const char *const upgraded[] = {
    "LDAP", "SMTP", "RDP",        "MsSQL-TDS", "VNC",    "SIP", "FTP_CONTROL",
    "POP3", "IMAP", "PostgreSQL", "MySQL",     "Jabber", "IRC",
};

/* Most names differ in their first letter, and most comparisons are of different names. */
static bool is_name(const char *a, const char *b)
{
    return *a == *b && strcmp(a, b) == 0;
}

const char *const *classify_names(void)
{
    return names_all;
}

bool classify_knows(const char *name)
{
    return names_listed(names_all, name);
}

bool names_listed(const char *const *list, const char *name)
{
    for (; list != NULL && *list != NULL; list++) {
        if (is_name(*list, name))
            return true;
    }
    return false;
}

int names_contract_index(const char *name)
{
    for (int i = 0; i < NAMES_N_CONTRACT; i++) {
        if (is_name(names_all[i], name))
            return i;
    }
    return -1;
}

uint32_t names_satisfied(const char *name)
{
    int i = names_contract_index(name);
    uint32_t set = i < 0 ? 0 : UINT32_C(1) << i;

    for (size_t k = 0; k < N_ROWS(also); k++) {
        if (is_name(also[k].name, name))
            set |= UINT32_C(1) << names_contract_index(also[k].satisfies);
    }
    return set;
}

uint32_t names_set(const char *const *list)
{
    uint32_t set = 0;

    for (; list != NULL && *list != NULL; list++) {
        int i = names_contract_index(*list);
        if (i >= 0)
            set |= UINT32_C(1) << i;
    }
    return set;
}

const char *const *names_of_library(const char *name)
{
    for (size_t i = 0; i < N_ROWS(spelled); i++) {
        if (is_name(spelled[i].ours, name))
            return spelled[i].library;
    }
    return NULL;
}

const char *names_canonical(const char *library_name)
{
    for (size_t i = 0; i < N_ROWS(renamed); i++) {
        if (is_name(renamed[i].library, library_name))
            return renamed[i].ours;
    }
    return library_name;
}

bool names_reliable(const char *name, bool udp)
{
    for (size_t i = 0; !udp && i < N_ROWS(reliable_tcp); i++) {
        if (is_name(reliable_tcp[i], name))
            return true;
    }
    return false;
}

bool names_misleading(const char *name)
{
    for (size_t i = 0; i < N_ROWS(misleading); i++) {
        if (is_name(misleading[i], name))
            return true;
    }
    return false;
}

bool names_upgrades_to_tls(const char *name)
{
    for (size_t i = 0; i < N_ROWS(upgraded); i++) {
        if (is_name(upgraded[i], name))
            return true;
    }
    return false;
}

bool classify_satisfies(const struct app *app, const char *name)
{
    if (app->basis != APP_CONTENT)
        return false;
    if (is_name(app->name, name) || is_name(app->detail, name))
        return true;
    int i = names_contract_index(name);
    return i >= 0 && ((app->also | names_satisfied(app->name)) >> i & 1) != 0;
}
