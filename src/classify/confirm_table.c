/* SPDX-License-Identifier: Apache-2.0 */
#include "confirm.h"

#define TCP    CONFIRM_TCP
#define UDP    CONFIRM_UDP
#define BOTH   CONFIRM_BOTH
#define STRONG CONFIRM_STRONG
#define FAIR   CONFIRM_FAIR
#define NAMED  CONFIRM_NAMED

const struct confirmer confirmers[] = {
    {"HTTP", "HTTP", TCP, STRONG, confirm_http},
    {"SIP", "SIP", BOTH, STRONG, confirm_sip},
    {"TLS", "TLS", TCP, STRONG, confirm_tls},
    {"Kerberos", "Kerberos", BOTH, STRONG, confirm_kerberos},
    {"Kerberos", "Kerberos", BOTH, STRONG, confirm_kpasswd},
    {"LDAP", "LDAP", BOTH, STRONG, confirm_ldap},
    {"SNMP", "SNMP", UDP, STRONG, confirm_snmp},
    {"SMB", "SMB", TCP, STRONG, confirm_smb},
    {"NetBIOS", "NetBIOS", TCP, STRONG, confirm_nbss_request},
    {"DCE_RPC", "DCE_RPC", TCP, STRONG, confirm_rpc},
    {"DCE_RPC", "DCE_RPC", UDP, STRONG, confirm_rpc_udp},
    {"MsSQL-TDS", "MsSQL-TDS", TCP, STRONG, confirm_tds},
    {"MsSQL-TDS", "MsSQL-TDS", UDP, STRONG, confirm_sql_browser_answer},
    {"RDP", "RDP", TCP, STRONG, confirm_rdp},
    {"RDP", "RDP", TCP, STRONG, confirm_rdp_cut},
    {"VNC", "VNC", TCP, STRONG, confirm_vnc},
    {"SSH", "SSH", TCP, STRONG, confirm_ssh},
    {"SMTP", "SMTP", TCP, STRONG, confirm_smtp},
    {"FTP_CONTROL", "FTP_CONTROL", TCP, STRONG, confirm_ftp},
    {"POP3", "POP3", TCP, STRONG, confirm_pop3},
    {"IMAP", "IMAP", TCP, STRONG, confirm_imap},
    {"Telnet", "Telnet", TCP, STRONG, confirm_telnet},
    {"TeamViewer", "TeamViewer", TCP, STRONG, confirm_teamviewer},
    {"NetBIOS", "NetBIOS", UDP, STRONG, confirm_nbns},
    {"NetBIOS", "NetBIOS", UDP, STRONG, confirm_nbdgm},
    {"RTCP", "RTP", UDP, STRONG, confirm_rtcp},
    {"MDNS", "MDNS", UDP, STRONG, confirm_mdns},
    {"LLMNR", "LLMNR", UDP, STRONG, confirm_llmnr},
    {"DNS", "DNS", BOTH, STRONG, confirm_dns},
    {"NTP", "NTP", UDP, STRONG, confirm_ntp_whole},
    {"NTP", "NTP", UDP, FAIR, confirm_ntp},
    {"MsSQL-TDS", "MsSQL-TDS", TCP, NAMED, confirm_tds_packet},
    {"MsSQL-TDS", "MsSQL-TDS", UDP, NAMED, confirm_sql_browser},
    {"CiscoSkinny", "CiscoSkinny", TCP, NAMED, confirm_sccp},
    {"SMB", "SMB", TCP, NAMED, confirm_smb_continued},
    {"NetBIOS", "NetBIOS", TCP, NAMED, confirm_nbss_answer},
    {"NetBIOS", "NetBIOS", UDP, NAMED, confirm_nbdgm_short},
    {"Kerberos", "Kerberos", BOTH, NAMED, confirm_kerberos_cut},
    {"NetBIOS", "NetBIOS", UDP, NAMED, confirm_nbns_odd},
    {"DNS", "DNS", BOTH, NAMED, confirm_dns_cut},
    {"SMTP", "SMTP", TCP, NAMED, confirm_smtp_dialogue},
    {"RDP", "RDP", TCP, NAMED, confirm_rdp_data},
    {"TLS", "TLS", TCP, NAMED, confirm_tls_data},
};
const size_t n_confirmers = sizeof(confirmers) / sizeof(confirmers[0]);
