/* SPDX-License-Identifier: Apache-2.0 */
/* Single flows at a site that has a host of every role, judged by the document's words. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

#define HOSTS                                                                                   \
    "site: s\n"                                                                                 \
    "hosts:\n"                                                                                  \
    "  unity1: {addresses: [10.0.1.1, \"fd00::1:1\"], roles: [unity-primary]}\n"                \
    "  unity2: {addresses: [10.0.1.2], roles: [unity-secondary]}\n"                             \
    "  dc1:    {addresses: [10.0.2.1, \"fd00::2:1\"], roles: [dc-monitored]}\n"                 \
    "  dc2:    {addresses: [10.0.2.2], roles: [dc]}\n"                                          \
    "  gc1:    {addresses: [10.0.2.11], roles: [gc-monitored]}\n"                               \
    "  gc2:    {addresses: [10.0.2.12], roles: [gc-mapi]}\n"                                    \
    "  gc3:    {addresses: [10.0.2.13], roles: [gc]}\n"                                         \
    "  dns1:   {addresses: [10.0.2.53], roles: [dns]}\n"                                        \
    "  ex1:    {addresses: [10.0.3.1], roles: [exchange-partner]}\n"                            \
    "  ex2:    {addresses: [10.0.3.2], roles: [exchange-mailbox]}\n"                            \
    "  exv:    {addresses: [10.0.3.3], roles: [exchange-voice-connector]}\n"                    \
    "  exall:  {addresses: [10.0.3.4], roles: [exchange-mailbox, dc, gc]}\n"                    \
    "  exfarm: {addresses: [10.0.30.0/24], roles: [exchange-mailbox]}\n"                        \
    "  ucm1:   {addresses: [10.0.4.1], roles: [ucm]}\n"                                         \
    "  gw1:    {addresses: [10.0.4.2], roles: [voip-gateway]}\n"                                \
    "  sip1:   {addresses: [10.0.4.3], roles: [sip-endpoint]}\n"                                \
    "  bridge: {addresses: [10.0.6.1], roles: [bridge-server]}\n"                               \
    "  relay:  {addresses: [10.0.6.2], roles: [smtp-relay]}\n"                                  \
    "  admin:  {addresses: [10.0.7.1], roles: [admin-workstation]}\n"                           \
    "  vnc:    {addresses: [10.0.7.2], roles: [vnc-client]}\n"                                  \
    "  snmp:   {addresses: [10.0.7.3], roles: [snmp-station]}\n"                                \
    "  desks:  {addresses: [10.0.8.20-10.0.8.60], roles: [subscriber-workstation]}\n"           \
    "  phones: {addresses: [10.0.9.0/24], roles: [phone]}\n"                                    \
    "  kiosk:  {addresses: [10.0.9.50], roles: [subscriber-workstation]}\n"                     \
    "  plain:  {addresses: [10.0.5.5], roles: []}\n"                                            \
    "ignore:\n"                                                                                 \
    "  - {network: 10.0.99.0/24, reason: management}\n"

#define UNITY "10.0.1.1"
#define UNITY2 "10.0.1.2"
#define DC "10.0.2.1"
#define OTHER_DC "10.0.2.2"
#define GC "10.0.2.11"
#define GC_MAPI "10.0.2.12"
#define OTHER_GC "10.0.2.13"
#define DNS "10.0.2.53"
#define EX "10.0.3.1"
#define EX2 "10.0.3.2"
#define VOICE "10.0.3.3"
#define EX_ALL "10.0.3.4"
#define UCM "10.0.4.1"
#define GATEWAY "10.0.4.2"
#define SIP "10.0.4.3"
#define BRIDGE "10.0.6.1"
#define RELAY "10.0.6.2"
#define ADMIN "10.0.7.1"
#define VNC "10.0.7.2"
#define SNMP "10.0.7.3"
#define DESK "10.0.8.20"
#define PHONE "10.0.9.7"
#define KIOSK "10.0.9.50"
#define PLAIN "10.0.5.5"
#define STRANGER "203.0.113.5"

enum {
    BOTH = 1,        /* both sides sent */
    SERVER_ONLY = 2, /* the server's side alone sent */
    UNKNOWN = 4,     /* who began is not known */
    HINT = 8,        /* the content is a hint */
    MILD = 16,       /* the content is seen, and not enough to contradict a row */
    GROUP = 32, ANSWER = 64, NEGOTIATED = 128,
    BACK = 256,      /* expected: the direction that breaks is server to client */
    REVERSED = 512,  /* expected: judged with the ends turned */
    NOTICE = 1024,   /* expected: a notice on an allowed flow */
    LIST = 2048,     /* expected: a list that the site lacks is named */
};

struct flow_case {
    const char *client, *server, *service;
    uint16_t    client_port; /* 0: 50000 */
    const char *protocol;    /* or NULL */
    unsigned    flags;
    const char *more;        /* options or parameters of the site, or NULL */
    const char *expected;    /* verdict, or kind of a violation */
    const char *row;         /* "-": none */
};

static const struct flow_case cases[] = {
    /* Rows: from is the client, to owns the port. */
    {UNITY, DC, "tcp/88", 0, "Kerberos", 0, NULL, "allowed", "unity-dc-kerberos"},
    {UNITY, DC, "udp/88", 0, NULL, 0, NULL, "allowed", "unity-dc-kerberos"},
    {"fd00::1:1", "fd00::2:1", "tcp/88", 0, "Kerberos", 0, NULL, "allowed", "unity-dc-kerberos"},
    {DC, UNITY, "tcp/88", 0, NULL, 0, NULL, "wrong-direction", "unity-dc-kerberos"},
    {UNITY2, DC, "udp/389", 0, NULL, 0, NULL, "allowed", "unity-dc-ldap"},
    {UNITY, DC, "tcp/464", 0, "Kerberos", 0, NULL, "allowed", "unity-dc-kpasswd"},
    {UNITY, DC, "tcp/636", 0, "TLS", 0, NULL, "allowed", "unity-dc-ldaps"},
    {UNITY, DC, "udp/636", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "udp/138", 138, "NetBIOS", 0, NULL, "allowed", "unity-dc-netbios"},
    {UNITY, DC, "tcp/445", 0, "SMB", 0, NULL, "allowed", "unity-dc-netbios"},
    {UNITY, DC, "udp/445", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "tcp/137", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "udp/123", 123, "NTP", 0, NULL, "allowed", "unity-dc-ntp"},
    {UNITY, DC, "tcp/123", 0, NULL, 0, NULL, "no-row", "-"},
    /* A sibling role: another controller, the other global catalog, another Exchange server. */
    {UNITY, OTHER_DC, "tcp/389", 0, "LDAP", 0, NULL, "wrong-role", "unity-dc-ldap"},
    {UNITY, GC, "tcp/3268", 0, "LDAP", 0, NULL, "allowed", "unity-gc-gc-ldap"},
    {UNITY, GC_MAPI, "tcp/3268", 0, "LDAP", 0, NULL, "wrong-role", "unity-gc-gc-ldap"},
    {UNITY, OTHER_GC, "tcp/3268", 0, NULL, 0, NULL, "wrong-role", "unity-gc-gc-ldap"},
    {UNITY, GC_MAPI, "tcp/135", 0, NULL, 0, NULL, "allowed", "unity-gc-epm"},
    {UNITY, GC, "tcp/135", 0, NULL, 0, NULL, "wrong-role", "unity-gc-epm"},
    {UNITY, GC_MAPI, "udp/88", 0, NULL, 0, NULL, "allowed", "unity-gc-kerberos"},
    {UNITY, GC, "udp/3269", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, EX, "tcp/135", 0, "DCE_RPC", 0, NULL, "allowed", "unity-exchange-epm"},
    {UNITY, EX2, "tcp/135", 0, "DCE_RPC", 0, NULL, "wrong-role", "unity-exchange-epm"},
    {UNITY, EX_ALL, "tcp/3268", 0, "LDAP", 0, NULL, "wrong-role", "unity-gc-gc-ldap"},
    {UNITY, PHONE, "tcp/2000", 0, NULL, 0, NULL, "wrong-role", "unity-ucm-sccp"},
    {ADMIN, UNITY, "tcp/5900", 0, NULL, 0, NULL, "wrong-role", "vnc-unity"},
    /* The DCOM range, by default and as the site sets it. */
    {UNITY, DC, "tcp/4999", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "tcp/5000", 0, NULL, 0, NULL, "allowed", "unity-dc-dcom"},
    {UNITY, DC, "udp/5020", 0, NULL, 0, NULL, "allowed", "unity-dc-dcom"},
    {UNITY, DC, "tcp/5021", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "tcp/6050", 0, NULL, 0, "parameters: {dcom_ports: 6000-6100}\n", "allowed", "unity-dc-dcom"},
    {UNITY, DC, "tcp/5000", 0, NULL, 0, "parameters: {dcom_ports: 6000-6100}\n", "no-row", "-"},
    {UNITY, DC, "tcp/49157", 0, "DCE_RPC", 0, NULL, "wrong-port", "unity-dc-dcom"},
    {UNITY, EX, "tcp/49157", 0, "DCE_RPC", LIST, NULL, "wrong-port", "unity-exchange-dcom"},
    /* The other direction has this port, for anything: the content tells that this is no notification. */
    {UNITY, EX, "udp/1225", 0, "DCE_RPC", LIST, NULL, "wrong-port", "unity-exchange-dcom"},
    {UNITY, EX, "udp/1225", 0, NULL, 0, NULL, "wrong-direction", "exchange-unity-notify"},
    {UNITY, UNITY, "tcp/22", 0, NULL, 0, NULL, "not-governed", "-"},
    /* Static ports of Exchange: nothing until the site lists them, and a finding says so. */
    {UNITY, EX, "tcp/1200", 0, NULL, LIST, NULL, "no-row", "-"},
    {UNITY, EX, "tcp/1200", 0, NULL, 0, "parameters: {exchange_static_ports: [1200, 1202-1204]}\n", "allowed", "unity-exchange-static"},
    {UNITY, EX, "tcp/1201", 0, NULL, 0, "parameters: {exchange_static_ports: [1200, 1202-1204]}\n", "no-row", "-"},
    {EX, EX2, "udp/1204", 0, NULL, 0, "parameters: {exchange_static_ports: [1200, 1202-1204]}\n", "allowed", "exchange-exchange-static"},
    {DESK, EX, "tcp/1200", 0, NULL, LIST, NULL, "no-row", "-"},
    /* Content: it confirms, it contradicts, it is elsewhere expected, it is a guess. */
    {UNITY, DC, "tcp/389", 0, "SSH", 0, NULL, "wrong-protocol", "unity-dc-ldap"},
    {UNITY, DC, "tcp/389", 0, "SSH", HINT, NULL, "allowed", "unity-dc-ldap"},
    {UNITY, DC, "tcp/389", 0, "SSH", MILD, NULL, "allowed", "unity-dc-ldap"},
    {UNITY, DC, "tcp/3890", 0, "LDAP", 0, NULL, "wrong-port", "unity-dc-ldap"},
    {UNITY, DC, "tcp/3890", 0, "LDAP", HINT, NULL, "no-row", "-"},
    {UNITY, DC, "tcp/3890", 0, "LDAP", MILD, NULL, "no-row", "-"}, /* or what another protocol was upgraded to */
    {UNITY, DC, "tcp/3890", 0, "SSH", 0, NULL, "no-row", "-"},
    {UNITY, UNITY2, "tcp/3372", 0, "SSH", 0, NULL, "allowed", "failover-msdtc"}, /* the row has no opinion */
    {UNITY, DNS, "udp/53", 0, "DNS", 0, NULL, "allowed", "unity-dns"},
    {UNITY, DNS, "tcp/53", 0, "SSH", 0, NULL, "wrong-protocol", "unity-dns"},
    {UNITY, DNS, "tcp/853", 0, "TLS", 0, NULL, "no-row", "-"},
    /* Failover. */
    {UNITY, UNITY2, "tcp/1433", 0, NULL, 0, NULL, "allowed", "failover-sql"},
    {UNITY2, UNITY, "udp/1434", 0, NULL, 0, NULL, "allowed", "failover-sql"},
    {UNITY, UNITY2, "tcp/1434", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, UNITY2, "udp/1433", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, UNITY2, "tcp/3653", 0, NULL, 0, "options: {failover: off}\n", "option-off", "failover-node-manager"},
    /* Two options that are alternatives. */
    {UNITY, UCM, "tcp/2000", 0, "CiscoSkinny", 0, NULL, "allowed", "unity-ucm-sccp"},
    {UNITY, UCM, "tcp/2443", 0, "TLS", 0, NULL, "option-off", "unity-ucm-sccps"},
    {UNITY, UCM, "tcp/2000", 0, "CiscoSkinny", 0, "options: {sccp_tls: on}\n", "option-off", "unity-ucm-sccp"},
    {UNITY, UCM, "tcp/2443", 0, "TLS", 0, "options: {sccp_tls: on}\n", "allowed", "unity-ucm-sccps"},
    {UNITY, UCM, "tcp/2000", 0, "CiscoSkinny", 0, "options: {sccp_tls: both}\n", "allowed", "unity-ucm-sccp"},
    {UNITY, UCM, "tcp/2443", 0, "TLS", 0, "options: {sccp_tls: both}\n", "allowed", "unity-ucm-sccps"},
    {UNITY, UCM, "tcp/2000", 0, NULL, 0, "options: {sccp: off}\n", "option-off", "unity-ucm-sccp"},
    {UCM, UNITY, "tcp/2000", 0, NULL, 0, NULL, "wrong-direction", "unity-ucm-sccp"},
    {UNITY, UCM, "tcp/8443", 0, "TLS", 0, NULL, "allowed", "unity-ucm-web"},
    {UNITY, UCM, "tcp/8443", 0, "TLS", 0, "parameters: {ucm_release: \"4.3\"}\n", "violation", "*"},
    {UNITY, UCM, "tcp/8443", 0, "TLS", 0, "parameters: {ucm_release: \"10.5\"}\n", "allowed", "unity-ucm-web"},
    /* Both stand in the way: no one option would let it pass. */
    {UNITY, UCM, "tcp/8443", 0, NULL, 0, "options: {sccp: off}\nparameters: {ucm_release: \"4.3\"}\n", "no-row", "-"},
    /* Media: each direction needs a row that allows the port it goes to. */
    {UNITY, PHONE, "udp/22800", 23000, "RTP", 0, NULL, "allowed", "unity-phone-rtp"},
    {UNITY, PHONE, "udp/32767", 23000, NULL, BOTH, NULL, "allowed", "unity-phone-rtp"},
    {UNITY, PHONE, "udp/32768", 23000, "RTP", 0, NULL, "wrong-port", "unity-phone-rtp"},
    {UNITY, PHONE, "udp/22799", 23000, "RTP", BOTH, NULL, "wrong-port", "unity-phone-rtp"},
    {UNITY, PHONE, "udp/16500", 23000, "RTP", BOTH, NULL, "wrong-port", "unity-phone-rtp"},
    {UNITY, PHONE, "udp/16500", 23000, NULL, BOTH, NULL, "wrong-port", "unity-phone-rtp"},
    {PHONE, UNITY, "udp/23000", 16500, "RTP", BOTH | BACK, NULL, "wrong-port", "unity-phone-rtp"},
    {PHONE, UNITY, "udp/23000", 16500, NULL, BOTH | BACK, NULL, "wrong-port", "unity-phone-rtp"},
    {PHONE, UNITY, "udp/23000", 16500, "RTP", 0, NULL, "allowed", "phone-unity-rtp"},
    {PHONE, UNITY, "udp/23001", 24001, "RTCP", BOTH, NULL, "allowed", "phone-unity-rtp"},
    {UNITY, PHONE, "udp/16500", 23000, "RTP", SERVER_ONLY, NULL, "allowed", "phone-unity-rtp"},
    {UNITY, PHONE, "udp/69", 23000, NULL, 0, NULL, "no-row", "-"}, /* an ephemeral port in the range is no media */
    {UNITY, PHONE, "tcp/23000", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, PHONE, "udp/23000", 24000, "DNS", 0, NULL, "wrong-protocol", "unity-phone-rtp"},
    {PHONE, UNITY, "udp/30000", 30000, "RTP", 0, "options: {sccp: off}\n", "option-off", "phone-unity-rtp"},
    {UNITY, GATEWAY, "udp/30000", 30000, "RTP", BOTH, NULL, "allowed", "unity-phone-rtp"},
    {UNITY, GATEWAY, "udp/30000", 30000, "RTP", BOTH, "options: {sccp: off}\n", "allowed", "unity-sip-rtp"},
    {GATEWAY, UNITY, "udp/30000", 30000, "RTP", 0, "options: {sccp: off}\n", "allowed", "sip-unity-rtp"},
    /* SIP: TCP alone. */
    {UNITY, SIP, "tcp/5060", 0, "SIP", 0, NULL, "allowed", "unity-sip-control"},
    {SIP, UNITY, "tcp/5060", 0, "SIP", 0, NULL, "allowed", "sip-unity-control"},
    {UNITY, SIP, "udp/5060", 5060, "SIP", 0, NULL, "wrong-port", "unity-sip-control"},
    {UNITY, SIP, "udp/5060", 5060, NULL, 0, NULL, "no-row", "-"},
    {SIP, UNITY, "tcp/5062", 0, "SIP", 0, NULL, "wrong-port", "sip-unity-control"},
    {UNITY, SIP, "tcp/5070", 0, NULL, 0, "parameters: {sip_port: 5070}\n", "allowed", "unity-sip-control"},
    {UNITY, SIP, "tcp/5060", 0, "SIP", 0, "parameters: {sip_port: 5070}\n", "wrong-port", "unity-sip-control"},
    {UNITY, SIP, "tcp/5060", 0, NULL, 0, "options: {sip: off}\n", "option-off", "unity-sip-control"},
    /* Administrators, HTTP or HTTPS. */
    {ADMIN, UNITY, "tcp/80", 0, "HTTP", 0, NULL, "allowed", "admin-http"},
    {ADMIN, UNITY, "tcp/80", 0, "HTTP", 0, "options: {https: on}\n", "option-off", "admin-http"},
    {ADMIN, UNITY, "tcp/443", 0, "TLS", 0, NULL, "option-off", "admin-https"},
    {ADMIN, UNITY, "tcp/443", 0, "TLS", 0, "options: {https: both}\n", "allowed", "admin-https"},
    {ADMIN, UNITY, "tcp/80", 0, "HTTP", 0, "options: {https: both}\n", "allowed", "admin-http"},
    {ADMIN, UNITY, "tcp/443", 0, "HTTP", 0, NULL, "wrong-port", "admin-http"}, /* the row that is off would not allow it either */
    {ADMIN, UNITY, "tcp/443", 0, "SSH", 0, "options: {https: on}\n", "wrong-protocol", "admin-https"},
    {ADMIN, UNITY, "tcp/3389", 0, "RDP", 0, NULL, "option-off", "admin-rdp"},
    {ADMIN, UNITY, "tcp/3389", 0, "RDP", 0, "options: {rdp: on}\n", "allowed", "admin-rdp"},
    {ADMIN, UNITY, "tcp/445", 0, NULL, 0, NULL, "option-off", "admin-netbios"},
    {ADMIN, UNITY, "tcp/445", 0, NULL, 0, "options: {report_share: on}\n", "allowed", "admin-netbios"},
    {VNC, UNITY, "tcp/5900", 0, "VNC", 0, NULL, "allowed", "vnc-unity"},
    {VNC, UNITY, "tcp/5901", 0, "VNC", 0, NULL, "wrong-port", "vnc-unity"},
    {VNC, UNITY, "tcp/5901", 0, "VNC", 0, "parameters: {vnc_port: 5901}\n", "allowed", "vnc-unity"},
    {SNMP, UNITY, "udp/161", 0, "SNMP", 0, NULL, "allowed", "snmp-unity"},
    {SNMP, UNITY, "tcp/161", 0, NULL, 0, NULL, "no-row", "-"},
    {UNITY, SNMP, "udp/161", 0, NULL, 0, NULL, "wrong-direction", "snmp-unity"},
    /* Workstations, and the two tables that are lost. */
    {DESK, UNITY, "tcp/80", 0, "HTTP", 0, NULL, "allowed", "pca-http"},
    {DESK, UNITY, "tcp/443", 0, NULL, 0, NULL, "option-off", "pca-https"},
    {DESK, UNITY, "tcp/80", 0, NULL, 0, "options: {pca: off}\n", "option-off", "pca-http"},
    {DESK, UNITY, "tcp/22", 0, NULL, 0, NULL, "no-row", "-"},
    {DESK, UNITY, "tcp/22", 0, NULL, 0, "options: {viewmail: on}\n", "undocumented", "viewmail-unity"},
    {DESK, UNITY, "tcp/80", 0, NULL, 0, "options: {viewmail: on}\n", "allowed", "pca-http"},
    {DESK, UNITY, "tcp/443", 0, NULL, 0, "options: {viewmail: on}\n", "undocumented", "viewmail-unity"},
    {DESK, UNITY, "tcp/22", 0, NULL, 0, "options: {viewmail: on}\nparameters: {viewmail_ports: [2100]}\n", "no-row", "-"},
    {DESK, UNITY, "tcp/2100", 0, NULL, 0, "options: {viewmail: on}\nparameters: {viewmail_ports: [2100]}\n", "allowed", "viewmail-unity"},
    {UNITY, DESK, "tcp/445", 0, NULL, 0, NULL, "undocumented", "unity-workstation"},
    {UNITY, DESK, "udp/4000", 0, NULL, 0, "options: {pca: off, viewmail: on}\n", "undocumented", "unity-workstation"},
    {UNITY, DESK, "tcp/445", 0, NULL, 0, "options: {pca: off, viewmail: off}\n", "no-row", "-"},
    {UNITY, DESK, "tcp/445", 0, NULL, 0, "parameters: {unity_workstation_ports: [445]}\n", "allowed", "unity-workstation"},
    {UNITY, DESK, "tcp/446", 0, NULL, 0, "parameters: {unity_workstation_ports: [445]}\n", "no-row", "-"},
    {UNITY, KIOSK, "udp/23000", 23000, "RTP", 0, NULL, "undocumented", "unity-workstation"}, /* the most specific entry's roles alone */
    {KIOSK, UNITY, "tcp/80", 0, NULL, 0, NULL, "allowed", "pca-http"},
    /* Notifications of Exchange: a wide range. */
    {EX, UNITY, "udp/1024", 0, NULL, 0, NULL, "allowed", "exchange-unity-notify"},
    {EX2, UNITY, "udp/65535", 0, NULL, 0, NULL, "allowed", "exchange-unity-notify"},
    {EX, UNITY, "udp/1023", 0, NULL, 0, NULL, "no-row", "-"},
    {EX, UNITY, "tcp/1024", 0, NULL, 0, NULL, "no-row", "-"},
    {EX, UNITY, "tcp/135", 0, NULL, 0, NULL, "wrong-direction", "unity-exchange-epm"},
    {EX, UNITY, "udp/5000", 0, NULL, NOTICE, "options: {exchange_client_aware_firewall: on}\n", "allowed", "exchange-unity-notify"},
    {EX, UNITY, "udp/5000", 0, NULL, NEGOTIATED, "options: {exchange_client_aware_firewall: on}\n", "allowed", "exchange-unity-notify"},
    {VOICE, UNITY, "udp/5000", 0, NULL, 0, NULL, "wrong-role", "exchange-unity-notify"},
    /* Exchange with others: hosts whose roles meet in a row. */
    {EX, DC, "tcp/88", 0, "Kerberos", 0, NULL, "allowed", "exchange-dc-kerberos"},
    {EX2, OTHER_DC, "udp/123", 0, NULL, 0, NULL, "allowed", "exchange-dc-ntp"},
    {DC, EX, "tcp/88", 0, NULL, 0, NULL, "wrong-direction", "exchange-dc-kerberos"},
    {EX, OTHER_GC, "tcp/3269", 0, "TLS", 0, NULL, "allowed", "exchange-gc-gc-ldaps"},
    {EX, GC, "udp/123", 0, NULL, 0, NULL, "no-row", "-"},
    {EX, EX_ALL, "tcp/389", 0, NULL, 0, NULL, "allowed", "exchange-dc-ldap"}, /* all its roles count; the document's first row is named */
    {EX, EX_ALL, "tcp/3268", 0, NULL, 0, NULL, "allowed", "exchange-gc-gc-ldap"},
    {EX, EX2, "tcp/691", 0, NULL, 0, NULL, "allowed", "exchange-exchange-routing"},
    {"10.0.30.1", "10.0.30.2", "tcp/691", 0, NULL, 0, NULL, "allowed", "exchange-exchange-routing"}, /* two servers of one network */
    {EX, EX2, "tcp/1200", 0, "DCE_RPC", LIST, NULL, "wrong-port", "exchange-exchange-dcom"},
    {EX2, DNS, "tcp/53", 0, NULL, 0, NULL, "allowed", "exchange-dns"},
    {EX, VOICE, "tcp/25", 0, NULL, 0, NULL, "not-governed", "-"},
    {VOICE, BRIDGE, "tcp/25", 0, "SMTP", 0, NULL, "allowed", "voice-connector-smtp"},
    {VOICE, BRIDGE, "tcp/25", 0, NULL, 0, "options: {bridge: off, vpim: on}\n", "allowed", "voice-connector-smtp"},
    {VOICE, BRIDGE, "tcp/25", 0, NULL, 0, "options: {bridge: off, vpim: off}\n", "option-off", "voice-connector-smtp"},
    {RELAY, VOICE, "tcp/25", 0, "SMTP", 0, NULL, "allowed", "remote-voice-smtp"},
    {RELAY, VOICE, "tcp/587", 0, "SMTP", 0, NULL, "wrong-port", "remote-voice-smtp"},
    {DESK, DNS, "udp/53", 0, NULL, 0, NULL, "allowed", "workstation-dns"},
    {DESK, EX, "tcp/135", 0, NULL, 0, NULL, "allowed", "workstation-exchange-epm"},
    /* Scope. */
    {UNITY, STRANGER, "tcp/443", 0, "TLS", 0, NULL, "unknown-host", "-"},
    {STRANGER, UNITY, "tcp/80", 0, "HTTP", 0, NULL, "unknown-host", "-"},
    {PLAIN, UNITY, "tcp/80", 0, NULL, 0, NULL, "no-row", "-"},
    {PLAIN, DC, "tcp/88", 0, NULL, 0, NULL, "not-governed", "-"},
    {DESK, DC, "tcp/88", 0, NULL, 0, NULL, "not-governed", "-"},
    {DC, OTHER_DC, "tcp/135", 0, NULL, 0, NULL, "not-governed", "-"},
    {EX, STRANGER, "tcp/443", 0, NULL, 0, NULL, "not-governed", "-"},
    {STRANGER, "198.51.100.4", "tcp/443", 0, NULL, 0, NULL, "not-governed", "-"},
    {UNITY, "10.0.99.3", "tcp/22", 0, "SSH", 0, NULL, "not-governed", "-"},
    {UNITY, "10.0.9.255", "udp/138", 138, NULL, GROUP, NULL, "not-governed", "-"},
    {DC, UNITY, "udp/137", 137, NULL, ANSWER, NULL, "not-governed", "-"},
    /* Direction: unknown is judged both ways; one tuple may serve both. */
    {DC, UNITY, "tcp/50000", 389, NULL, UNKNOWN | REVERSED, NULL, "allowed", "unity-dc-ldap"},
    {DC, UNITY, "tcp/50000", 389, NULL, 0, NULL, "no-row", "-"},
    {UNITY, DC, "tcp/389", 0, NULL, UNKNOWN, NULL, "allowed", "unity-dc-ldap"},
    {DC, UNITY, "udp/138", 138, "NetBIOS", BOTH | REVERSED, NULL, "allowed", "unity-dc-netbios"},
    {DC, UNITY, "udp/138", 138, "NetBIOS", 0, NULL, "wrong-direction", "unity-dc-netbios"},
    {DESK, UNITY, "tcp/50001", 50002, NULL, UNKNOWN | REVERSED, NULL, "undocumented", "unity-workstation"},
};

static struct policy_query query_of(const struct flow_case *c)
{
    struct policy_query q = policy_bed_query(c->client, c->server, c->service);

    if (c->client_port != 0)
        q.tuple.client_port = c->client_port;
    if (c->protocol != NULL)
        policy_bed_content(&q, c->protocol);
    if ((c->flags & (HINT | MILD)) != 0)
        q.app.contradicts = false;
    if ((c->flags & HINT) != 0)
        q.app.basis = APP_HINT;
    q.sent[0] = (c->flags & SERVER_ONLY) == 0;
    q.sent[1] = (c->flags & (BOTH | SERVER_ONLY)) != 0;
    q.direction_known = (c->flags & UNKNOWN) == 0;
    q.group = (c->flags & GROUP) != 0;
    q.answers_group = (c->flags & ANSWER) != 0;
    q.negotiated = (c->flags & NEGOTIATED) != 0;
    return q;
}

static void hold(const struct flow_case *c, unsigned number, const struct policy *p, const struct judgement *j, const char *judge)
{
    const char *answer = j->verdict == VERDICT_VIOLATION && strcmp(c->expected, "violation") != 0 ? finding_kind_name(j->kind)
                                                                                                 : verdict_name(j->verdict);
    const char *row = policy_bed_row_id(p, j->row);

    ck_assert_msg(strcmp(answer, c->expected) == 0 && (*c->row == '*' || strcmp(row, c->row) == 0),
                  "case %u by %s: %s to %s %s '%s' %s: %s %s, expected %s %s", number, judge, c->client, c->server, c->service,
                  c->protocol != NULL ? c->protocol : "", c->more != NULL ? c->more : "", answer, row, c->expected, c->row);
    ck_assert_msg(j->back == ((c->flags & BACK) != 0), "case %u by %s: back is %d", number, judge, j->back);
    ck_assert_msg(j->reversed == ((c->flags & REVERSED) != 0), "case %u by %s: reversed is %d", number, judge, j->reversed);
    if (j->verdict == VERDICT_ALLOWED)
        ck_assert_msg((j->kind == FINDING_WRONG_PORT) == ((c->flags & NOTICE) != 0), "case %u by %s: notice '%s'", number, judge,
                      finding_kind_name(j->kind));
}

static void check_case(const struct flow_case *c, unsigned number)
{
    char             site[4096];
    struct judgement j;

    snprintf(site, sizeof(site), "%s%s", HOSTS, c->more != NULL ? c->more : "");
    struct policy_bed          bed = policy_bed_of_rules(UNITY_MATRIX, site);
    struct policy_query q = query_of(c);
    policy_judge(bed.policy, &q, &j);
    hold(c, number, bed.policy, &j, "policy_judge");
    if (j.verdict == VERDICT_VIOLATION)
        ck_assert_msg((j.parameter != POLICY_NONE) == ((c->flags & LIST) != 0), "case %u: a missing list is %snamed", number,
                      j.parameter != POLICY_NONE ? "" : "not ");
    if (!q.direction_known && j.verdict != VERDICT_NOT_GOVERNED)
        ck_assert_int_eq(j.confidence, CONFIDENCE_INFERRED);
    policy_judge_naive(bed.policy, &q, &j);
    hold(c, number, bed.policy, &j, "the oracle");
    policy_bed_free(&bed);
}

START_TEST(one_flow)
{
    check_case(&cases[_i], (unsigned)_i);
}
END_TEST

START_TEST(confidence)
{
    struct policy_bed          bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query(UNITY, DC, "tcp/389");
    struct judgement    j;

    policy_judge(bed.policy, &q, &j);
    ck_assert_int_eq(j.confidence, CONFIDENCE_PORT_ONLY);
    policy_bed_content(&q, "LDAP");
    policy_judge(bed.policy, &q, &j);
    ck_assert_int_eq(j.confidence, CONFIDENCE_CONFIRMED);
    q.app.basis = APP_HINT;
    policy_judge(bed.policy, &q, &j);
    ck_assert_int_eq(j.confidence, CONFIDENCE_PORT_ONLY);
    policy_bed_content(&q, "LDAP");
    q.direction_known = false;
    policy_judge(bed.policy, &q, &j);
    ck_assert_int_eq(j.confidence, CONFIDENCE_INFERRED);
    policy_bed_free(&bed);
}
END_TEST

/* What the engine asks while a flow lives. */
START_TEST(questions)
{
    struct policy_bed          bed = policy_bed_of_rules(UNITY_MATRIX, HOSTS);
    struct policy_query q = policy_bed_query(UNITY, DC, "tcp/389");
    const char         *reason = NULL;
    uint32_t            rows[4];
    struct addr         a;

    ck_assert_int_eq(policy_port_vote(bed.policy, &q.tuple), 1);
    ck_assert_str_eq(policy_expected(bed.policy, &q.tuple)[0], "LDAP");
    ck_assert(!policy_one_way(bed.policy, &q.tuple));
    ck_assert_uint_eq(policy_rows(bed.policy, &q, rows, 4), 1);
    ck_assert_str_eq(policy_bed_row_id(bed.policy, rows[0]), "unity-dc-ldap");
    q = policy_bed_query(DC, UNITY, "tcp/50000");
    q.tuple.client_port = 389;
    ck_assert_int_eq(policy_port_vote(bed.policy, &q.tuple), -1);
    ck_assert_str_eq(policy_expected(bed.policy, &q.tuple)[0], "LDAP");
    q = policy_bed_query(UNITY, DC, "udp/138");
    ck_assert(policy_one_way(bed.policy, &q.tuple));
    q = policy_bed_query(UNITY, DC, "udp/137");
    ck_assert(!policy_one_way(bed.policy, &q.tuple));
    q = policy_bed_query(PLAIN, STRANGER, "udp/137");
    ck_assert_int_eq(policy_port_vote(bed.policy, &q.tuple), 0);
    ck_assert_ptr_null(policy_expected(bed.policy, &q.tuple));
    ck_assert_int_eq(addr_parse("10.0.99.255", &a), 0);
    ck_assert(policy_ignored(bed.policy, &a, &reason));
    ck_assert_str_eq(reason, "management");
    ck_assert_int_eq(addr_parse("10.0.100.0", &a), 0);
    ck_assert(!policy_ignored(bed.policy, &a, &reason));
    policy_bed_free(&bed);
}
END_TEST

START_TEST(dispositions)
{
    static const struct {
        enum verdict     verdict;
        enum outcome     outcome;
        const char      *name;
    } table[] = {
        {VERDICT_ALLOWED, OUTCOME_ESTABLISHED, "permitted"},    {VERDICT_ALLOWED, OUTCOME_ONE_WAY, "permitted"},
        {VERDICT_ALLOWED, OUTCOME_REFUSED, "misdropped"},       {VERDICT_ALLOWED, OUTCOME_PROHIBITED, "misdropped"},
        {VERDICT_ALLOWED, OUTCOME_UNANSWERED, "misdropped"},    {VERDICT_VIOLATION, OUTCOME_ESTABLISHED, "escaped"},
        {VERDICT_VIOLATION, OUTCOME_ONE_WAY, "escaped"},        {VERDICT_VIOLATION, OUTCOME_REFUSED, "rejected"},
        {VERDICT_VIOLATION, OUTCOME_UNANSWERED, "rejected"},    {VERDICT_VIOLATION, OUTCOME_PROHIBITED, "rejected"},
        {VERDICT_UNDOCUMENTED, OUTCOME_ESTABLISHED, ""},        {VERDICT_NOT_GOVERNED, OUTCOME_ESTABLISHED, ""},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        ck_assert_str_eq(disposition_name(disposition_of(table[i].verdict, table[i].outcome)), table[i].name);
    for (unsigned k = FINDING_NO_ROW; k < FINDING_N_KINDS; k++) {
        enum finding_kind parsed;

        ck_assert_int_eq(finding_kind_parse(finding_kind_name((enum finding_kind)k), &parsed), 0);
        ck_assert_uint_eq(parsed, k);
    }
    enum finding_kind untouched = FINDING_SITE;
    ck_assert_int_lt(finding_kind_parse("", &untouched), 0);
    ck_assert_int_lt(finding_kind_parse("norow", &untouched), 0);
    ck_assert_int_eq(untouched, FINDING_SITE);
}
END_TEST

/* One step less where the flow did not get through; a notice stays one. */
START_TEST(severity)
{
    struct judgement j = {.verdict = VERDICT_VIOLATION, .kind = FINDING_UNKNOWN_HOST, .severity = SEVERITY_HIGH};

    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_ESTABLISHED)), "high");
    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_REFUSED)), "medium");
    j.kind = FINDING_NO_ROW;
    j.severity = SEVERITY_MEDIUM;
    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_ONE_WAY)), "medium");
    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_UNANSWERED)), "low");
    j.verdict = VERDICT_ALLOWED;
    j.severity = SEVERITY_NOTICE;
    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_ESTABLISHED)), "notice");
    ck_assert_str_eq(severity_name(policy_severity(&j, OUTCOME_REFUSED)), "notice");
}
END_TEST

Suite *suite_policy_judge(void);
Suite *suite_policy_judge(void)
{
    Suite *s = suite_create("policy/judge");
    TCase *t = tcase_create("flows");

    tcase_add_loop_test(t, one_flow, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(t, confidence);
    tcase_add_test(t, questions);
    tcase_add_test(t, dispositions);
    tcase_add_test(t, severity);
    suite_add_tcase(s, t);
    return s;
}
