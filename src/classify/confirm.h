/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confirmers: does this one payload look like protocol X?  Pure functions, each a few comparisons.
 *
 * 'len' bytes were captured of 'wire_len'; a confirmer must work on what the snap length left, so lengths inside the
 * message are held against 'wire_len', and bytes that are not there are neither for nor against.
 */
#ifndef CLASSIFY_CONFIRM_H
#define CLASSIFY_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confirm_input {
    const uint8_t *data;
    size_t len;      /* at least 1 */
    size_t wire_len; /* at least 'len' */
    uint16_t sport, dport;
    bool udp;
    bool first;     /* the first payload shown of this flow, from its beginning */
};

enum confirm_answer {
    CONFIRM_NO,       /* no opinion */
    CONFIRM_YES,      /* this protocol; either side may have sent it */
    CONFIRM_REQUEST,  /* this protocol, sent by the client */
    CONFIRM_SERVER,   /* this protocol, sent by the server unasked */
    CONFIRM_RESPONSE, /* this protocol, sent by the server */
};

enum confirm_strength {
    CONFIRM_NAMED,  /* few bytes: runs only where 'expected' names the protocol */
    CONFIRM_FAIR,   /* runs everywhere: content where 'expected' names the protocol, else a hint */
    CONFIRM_STRONG, /* runs everywhere, confirms and contradicts */
};

enum confirm_transport { CONFIRM_TCP = 1, CONFIRM_UDP = 2, CONFIRM_BOTH = 3 };

/* 'ret_detail' is set to a static string, or left alone. */
typedef enum confirm_answer confirm_fn(const struct confirm_input *, const char **ret_detail);

#define CONFIRM_MAX_RANGES 4

struct confirmer {
    const char *name;     /* what the result says */
    const char *protocol; /* the matrix's name that must be expected (CONFIRM_NAMED, CONFIRM_FAIR) */
    uint8_t transports;
    uint8_t strength;
    confirm_fn *fn;
    /* Ranges: to payloads that begin with another byte it answers CONFIRM_NO, so that nobody needs to ask it. */
    uint8_t n_first, first[CONFIRM_MAX_RANGES][2];
};

/* In the order of trial: where two could answer, the stricter stands first. */
extern const struct confirmer confirmers[];
extern const size_t n_confirmers; /* at most 64: sets of them are words */
/* May it answer to a payload that begins so? */
bool confirmer_knows_first(const struct confirmer *, uint8_t first);

confirm_fn confirm_kerberos, confirm_kerberos_cut, confirm_kpasswd, confirm_ldap, confirm_snmp;
confirm_fn confirm_smb, confirm_smb_continued, confirm_nbss_request, confirm_nbss_answer, confirm_nbns,
    confirm_nbns_odd, confirm_nbdgm, confirm_nbdgm_short;
confirm_fn confirm_dns, confirm_dns_cut, confirm_mdns, confirm_llmnr, confirm_ntp, confirm_ntp_whole;
confirm_fn confirm_rpc, confirm_rpc_udp, confirm_tds, confirm_tds_packet, confirm_sql_browser,
    confirm_sql_browser_answer;
confirm_fn confirm_http, confirm_sip, confirm_smtp, confirm_smtp_dialogue, confirm_ssh, confirm_vnc;
confirm_fn confirm_ftp, confirm_pop3, confirm_imap, confirm_telnet, confirm_teamviewer;
confirm_fn confirm_tls, confirm_tls_data, confirm_rdp, confirm_rdp_cut, confirm_rdp_data;
confirm_fn confirm_rtcp, confirm_sccp;

static inline bool is_sip_port(uint16_t port)
{
    return port == 5060 || port == 5061; /* RFC 3261, 18.1.1 */
}

/* Who asks by the fixed header of a message over UDP that is not confirmed, cut as it may be: DNS and IKE on their ports. */
enum confirm_answer confirm_header(const struct confirm_input *);

/* RTP needs several packets of one direction: three with the same source and rising sequence numbers. */
struct confirm_rtp {
    uint32_t ssrc;
    uint16_t sequence;
    uint8_t n_in_order;
};
bool confirm_rtp(struct confirm_rtp *, const uint8_t *data, size_t len);

/* Tunnels need both sides: what one of them opened, until the other's answer fits it. */
struct confirm_dialogue {
    uint8_t talk;    /* which; 0: none was opened */
    bool by_first;   /* opened by the sender of the flow's first packet */
    uint8_t key[8];  /* what the answer must fit */
};
/* CONFIRM_NO until both have spoken; then 'ret_name' and 'ret_detail' are set. */
/* Was a request seen that is of another protocol if the other side refuses it? */
bool confirm_dialogue_waits(const struct confirm_dialogue *);
enum confirm_answer confirm_dialogue(struct confirm_dialogue *, const struct confirm_input *, bool first_sender, const char **ret_name,
                                     const char **ret_detail);

#endif
