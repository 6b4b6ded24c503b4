/* SPDX-License-Identifier: Apache-2.0 */
#include "confirm.h"

#define TCP    CONFIRM_TCP
#define UDP    CONFIRM_UDP
#define BOTH   CONFIRM_BOTH
#define STRONG CONFIRM_STRONG
#define FAIR   CONFIRM_FAIR
#define NAMED  CONFIRM_NAMED
/* First bytes: any; of a method, or of a status line; of the versions 1 to 4 of NTP, with any leap indicator. */
#define ANY          {{0x00, 0xff}}
#define METHODS      {{'A', 'Z'}, {'_', '_'}, {'-', '-'}}
#define NTP_VERSIONS {{0x08, 0x27}, {0x48, 0x67}, {0x88, 0xa7}, {0xc8, 0xe7}}

const struct confirmer confirmers[] = {
    {"HTTP", "HTTP", TCP, STRONG, confirm_http, 3, METHODS},
    {"SIP", "SIP", BOTH, STRONG, confirm_sip, 3, METHODS},
    {"TLS", "TLS", TCP, STRONG, confirm_tls, 2, {{0x14, 0x17}, {0x80, 0xff}}},
    {"Kerberos", "Kerberos", BOTH, STRONG, confirm_kerberos, 2, {{0x00, 0x01}, {0x60, 0x7f}}},
    {"Kerberos", "Kerberos", BOTH, STRONG, confirm_kpasswd, 1, ANY},
    {"LDAP", "LDAP", BOTH, STRONG, confirm_ldap, 1, {{0x30, 0x30}}},
    {"SNMP", "SNMP", UDP, STRONG, confirm_snmp, 1, {{0x30, 0x30}}},
    {"SMB", "SMB", TCP, STRONG, confirm_smb, 1, {{0x00, 0x00}}},
    {"NetBIOS", "NetBIOS", TCP, STRONG, confirm_nbss_request, 1, {{0x81, 0x81}}},
    {"DCE_RPC", "DCE_RPC", TCP, STRONG, confirm_rpc, 1, {{0x05, 0x05}}},
    {"DCE_RPC", "DCE_RPC", UDP, STRONG, confirm_rpc_udp, 1, {{0x04, 0x04}}},
    {"MsSQL-TDS", "MsSQL-TDS", TCP, STRONG, confirm_tds, 4, {{0x01, 0x01}, {0x03, 0x04}, {0x0e, 0x0e}, {0x10, 0x12}}},
    {"MsSQL-TDS", "MsSQL-TDS", UDP, STRONG, confirm_sql_browser_answer, 1, {{0x05, 0x05}}},
    {"RDP", "RDP", TCP, STRONG, confirm_rdp, 1, {{0x03, 0x03}}},
    {"RDP", "RDP", TCP, STRONG, confirm_rdp_cut, 1, {{0x03, 0x03}}},
    {"VNC", "VNC", TCP, STRONG, confirm_vnc, 1, {{'R', 'R'}}},
    {"SSH", "SSH", TCP, STRONG, confirm_ssh, 1, {{'S', 'S'}}},
    {"SMTP", "SMTP", TCP, STRONG, confirm_smtp, 3, {{'2', '2'}, {'E', 'R'}, {'e', 'r'}}},
    {"FTP_CONTROL", "FTP_CONTROL", TCP, STRONG, confirm_ftp, 1, {{'2', '2'}}},
    {"POP3", "POP3", TCP, STRONG, confirm_pop3, 1, {{'+', '+'}}},
    {"IMAP", "IMAP", TCP, STRONG, confirm_imap, 1, {{'*', '*'}}},
    {"Telnet", "Telnet", TCP, STRONG, confirm_telnet, 1, {{0xff, 0xff}}},
    {"TeamViewer", "TeamViewer", TCP, STRONG, confirm_teamviewer, 2, {{0x11, 0x11}, {0x17, 0x17}}},
    {"NetBIOS", "NetBIOS", UDP, STRONG, confirm_nbns, 1, ANY},
    {"NetBIOS", "NetBIOS", UDP, STRONG, confirm_nbdgm, 1, {{0x10, 0x12}}},
    {"RTCP", "RTP", UDP, STRONG, confirm_rtcp, 1, {{0x80, 0xbf}}},
    {"MDNS", "MDNS", UDP, STRONG, confirm_mdns, 1, ANY},
    {"LLMNR", "LLMNR", UDP, STRONG, confirm_llmnr, 1, ANY},
    {"DNS", "DNS", BOTH, STRONG, confirm_dns, 1, ANY},
    {"NTP", "NTP", UDP, STRONG, confirm_ntp_whole, 4, NTP_VERSIONS},
    {"NTP", "NTP", UDP, FAIR, confirm_ntp, 4, NTP_VERSIONS},
    {"MsSQL-TDS", "MsSQL-TDS", TCP, NAMED, confirm_tds_packet, 2, {{0x01, 0x07}, {0x0e, 0x12}}},
    {"MsSQL-TDS", "MsSQL-TDS", UDP, NAMED, confirm_sql_browser, 2, {{0x02, 0x05}, {0x0f, 0x0f}}},
    {"CiscoSkinny", "CiscoSkinny", TCP, NAMED, confirm_sccp, 1, ANY},
    {"SMB", "SMB", TCP, NAMED, confirm_smb_continued, 1, {{0xfc, 0xff}}},
    {"NetBIOS", "NetBIOS", TCP, NAMED, confirm_nbss_answer, 1, {{0x82, 0x85}}},
    {"NetBIOS", "NetBIOS", UDP, NAMED, confirm_nbdgm_short, 1, {{0x10, 0x16}}},
    {"Kerberos", "Kerberos", BOTH, NAMED, confirm_kerberos_cut, 1, ANY},
    {"NetBIOS", "NetBIOS", UDP, NAMED, confirm_nbns_odd, 1, ANY},
    {"DNS", "DNS", BOTH, NAMED, confirm_dns_cut, 1, ANY},
    {"SMTP", "SMTP", TCP, NAMED, confirm_smtp_dialogue, 3, {{'2', '5'}, {'A', 'X'}, {'a', 'x'}}},
    {"RDP", "RDP", TCP, NAMED, confirm_rdp_data, 1, {{0x03, 0x03}}},
    {"TLS", "TLS", TCP, NAMED, confirm_tls_data, 1, {{0x14, 0x18}}},
};
const size_t n_confirmers = sizeof(confirmers) / sizeof(confirmers[0]);
_Static_assert(sizeof(confirmers) / sizeof(confirmers[0]) <= 64, "sets of them are words");

bool confirmer_knows_first(const struct confirmer *confirmer, uint8_t first)
{
    for (size_t i = 0; i < confirmer->n_first; i++) {
        if (first >= confirmer->first[i][0] && first <= confirmer->first[i][1])
            return true;
    }
    return false;
}
