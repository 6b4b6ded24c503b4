/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "flowaudit/classify.h"
#include "names.h"

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Names that satisfy one of ours besides that name itself.  HTTP inside TLS is TLS, and does not satisfy HTTP. */
static const struct {
    const char *name, *satisfies;
} also[] = {
    {"RTCP", "RTP"},          {"SRTP", "RTP"},       {"SMBv1", "SMB"},   {"SMBv23", "SMB"}, {"SMTPS", "SMTP"},
    {"HTTP_Connect", "HTTP"}, {"HTTP_Proxy", "HTTP"}, {"HTTP2", "HTTP"}, {"DCERPC", "DCE_RPC"}, {"RPC", "DCE_RPC"},
    {"WebSocket", "HTTP"},    {"SOAP", "HTTP"},      {"OCSP", "HTTP"},
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
 * Protocols that version 4.2, with everything enabled, tells by content reliably enough to say "wrong protocol".  What each
 * rests on there; those that are not here stay hints, since on real traffic 4.2 calls LDAP and SMTP MQTT, SCCP MongoDB, SNMP RX,
 * CLDAP Skype_Teams, HTTP Nats, RPC TargusDataspeed, with its highest confidence.
 */
enum { RELIABLE_TCP = 1, RELIABLE_UDP = 2 };
static const struct {
    const char *name;
    unsigned    transports;
} reliable[] = {
    {"SSH", RELIABLE_TCP},         /* version line "SSH-" from both sides */
    {"HTTP", RELIABLE_TCP},        /* request line with a known method, or a status line */
    {"TLS", RELIABLE_TCP},         /* handshake records that parse */
    {"FTP_CONTROL", RELIABLE_TCP}, /* a known command answered by a three-digit reply */
    {"Telnet", RELIABLE_TCP},      /* three option negotiations (IAC) in a row */
    {"SMTP", RELIABLE_TCP},        /* several of its commands in dialogue */
    {"POP3", RELIABLE_TCP},        /* commands answered by +OK or -ERR */
    {"IMAP", RELIABLE_TCP},        /* tagged commands and their tagged answers */
    {"RDP", RELIABLE_TCP},         /* TPKT and X.224 connection request */
    {"VNC", RELIABLE_TCP},         /* "RFB 00" from both sides */
    {"SIP", RELIABLE_TCP | RELIABLE_UDP}, /* request or status line */
    {"BitTorrent", RELIABLE_TCP},  /* "BitTorrent protocol"; over UDP one byte of uTP is enough for it, so not there */
    {"MySQL", RELIABLE_TCP},       /* greeting with length, protocol 10, version text and filler in place */
    {"PostgreSQL", RELIABLE_TCP},  /* start-up message answered by an authentication request */
    {"IRC", RELIABLE_TCP},         /* NICK and USER, or a server's numeric replies */
    {"RTSP", RELIABLE_TCP},        /* "RTSP/1.0" */
    {"Kerberos", RELIABLE_TCP | RELIABLE_UDP}, /* application tag, version 5, message type */
    {"SMB", RELIABLE_TCP},         /* magic number behind a session header */
};

static const char *const upgraded[] = {
    "LDAP", "SMTP", "RDP", "MsSQL-TDS", "VNC", "SIP", "FTP_CONTROL", "POP3", "IMAP", "PostgreSQL", "MySQL", "Jabber", "IRC",
};

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
        if (strcmp(*list, name) == 0)
            return true;
    }
    return false;
}

int names_contract_index(const char *name)
{
    for (int i = 0; i < NAMES_N_CONTRACT; i++) {
        if (strcmp(names_all[i], name) == 0)
            return i;
    }
    return -1;
}

uint32_t names_satisfied(const char *name)
{
    int      i = names_contract_index(name);
    uint32_t set = i < 0 ? 0 : UINT32_C(1) << i;

    for (size_t k = 0; k < N_ROWS(also); k++) {
        if (strcmp(also[k].name, name) == 0)
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
        if (strcmp(spelled[i].ours, name) == 0)
            return spelled[i].library;
    }
    return NULL;
}

const char *names_canonical(const char *library_name)
{
    for (size_t i = 0; i < N_ROWS(renamed); i++) {
        if (strcmp(renamed[i].library, library_name) == 0)
            return renamed[i].ours;
    }
    return library_name;
}

bool names_reliable(const char *name, bool udp)
{
    for (size_t i = 0; i < N_ROWS(reliable); i++) {
        if (strcmp(reliable[i].name, name) == 0)
            return (reliable[i].transports & (udp ? RELIABLE_UDP : RELIABLE_TCP)) != 0;
    }
    return false;
}

bool names_upgrades_to_tls(const char *name)
{
    for (size_t i = 0; i < N_ROWS(upgraded); i++) {
        if (strcmp(upgraded[i], name) == 0)
            return true;
    }
    return false;
}

bool classify_satisfies(const struct app *app, const char *name)
{
    if (app->basis != APP_CONTENT)
        return false;
    if (strcmp(app->name, name) == 0 || strcmp(app->detail, name) == 0)
        return true;
    int i = names_contract_index(name);
    return i >= 0 && ((app->also | names_satisfied(app->name)) >> i & 1) != 0;
}
