/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name services and time: DNS (RFC 1035, 7766), LLMNR (RFC 4795), mDNS (RFC 6762), NetBIOS names and datagrams (RFC
 * 1001, 1002), NTP (RFC 5905).  And what the headers of DNS and IKE (RFC 7296) alone say of who asks.
 */
#include "flowaudit/classify.h"
#include "confirm.h"
#include "wire.h"

#define DNS_HEADER     12
#define IKE_HEADER     28
#define IKE_INITIATOR  0x08
#define NTP_LEAST      48
/* Bytes of a name: its length and eleven letters, and on the port of the name service four. */
#define NETBIOS_ENOUGH       12
#define NETBIOS_ENOUGH_THERE 5

struct dns {
    const uint8_t *data;
    size_t len, wire_len;
};

/* Length, then a name in the "first level encoding": 32 letters from A to P, of which the capture must have left
 * 'enough' (bytes) where it cut them. */
static bool netbios_name(const uint8_t *p, size_t len, bool cut, size_t enough)
{
    if (len < (cut ? enough : 34) || p[0] != 32 || (len >= 34 && p[33] > 63))
        return false;
    for (size_t i = 1; i <= 32 && i < len; i++) {
        if (p[i] < 'A' || p[i] > 'P')
            return false;
    }
    return true;
}

/* The same format is several protocols; the ports tell them apart. */
static bool on_port(const struct confirm_input *in, uint16_t port)
{
    return in->sport == port || in->dport == port;
}

static enum confirm_answer netbios_direction(const uint8_t *p)
{
    return p[2] & 0x80 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
}

enum confirm_answer confirm_nbns(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->len < DNS_HEADER)
        return CONFIRM_NO;
    unsigned n_records = wire_be16(p + 4) + wire_be16(p + 6) + wire_be16(p + 8) + wire_be16(p + 10);
    size_t enough = on_port(in, CLASSIFY_PORT_NAMES) ? NETBIOS_ENOUGH_THERE : NETBIOS_ENOUGH;
    if (wire_be16(p + 4) > 1 || n_records < 1 || n_records > 64 ||
        !netbios_name(p + DNS_HEADER, in->len - DNS_HEADER, in->len < in->wire_len, enough))
        return CONFIRM_NO;
    return netbios_direction(p);
}

/* A name whose letters are not all as they should be: the type says what it is. */
static bool netbios_question(const uint8_t *p, size_t len)
{
    return len >= 38 && p[0] == 32 && p[33] == 0 && p[34] == 0 && (p[35] == 0x20 || p[35] == 0x21);
}

enum confirm_answer confirm_nbns_odd(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    if (in->len < DNS_HEADER || !netbios_question(in->data + DNS_HEADER, in->len - DNS_HEADER))
        return CONFIRM_NO;
    return netbios_direction(in->data);
}

/*
 * A datagram goes from port 138 to port 138 and has no answer.  What it carries to a mailslot has the header of SMB
 * version 1 and is no use of that protocol.
 */
enum confirm_answer confirm_nbdgm(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    if (in->len < 14 || p[0] < 0x10 || p[0] > 0x12 || (p[1] & 0xf0) != 0)
        return CONFIRM_NO;
    if (!netbios_name(p + 14, in->len - 14, in->len < in->wire_len, NETBIOS_ENOUGH))
        return CONFIRM_NO;
    *ret_detail = "datagram";
    if (in->len >= 14 + 68 + 4 && p[14 + 33] == 0 && wire_be32(p + 14 + 68) == 0xff534d42)
        *ret_detail = "mailslot";
    return CONFIRM_YES;
}

/* Errors and the queries to a datagram distribution server. */
enum confirm_answer confirm_nbdgm_short(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    if (in->len < 11 || (p[1] & 0xf0) != 0 || p[0] < 0x10 || p[0] > 0x16)
        return CONFIRM_NO;
    *ret_detail = "datagram";
    return CONFIRM_YES;
}

/* Skips a name; returns its length, 0 where there is none, or 'len' + 1 where the capture ends inside it. */
static size_t dns_name(const uint8_t *p, size_t len)
{
    size_t at = 0;

    while (at < len && at < 256) {
        unsigned label = p[at];
        if (label == 0)
            return at + 1;
        if ((label & 0xc0) == 0xc0)
            return at > 0 && at + 2 <= len ? at + 2 : 0; /* a question cannot point back at its start */
        if (label > 63)
            return 0;
        size_t next = at + 1 + label, end = next < len ? next : len;
        for (size_t i = at + 1; i < end; i++) {
            if (p[i] < 0x20 || p[i] == 0x7f)
                return 0;
        }
        at = next;
    }
    return at < 256 ? len + 1 : 0;
}

/* Opcode known, reserved bit clear, and counts that fit the kind of message and its length. */
static bool dns_header(const struct dns *m)
{
    const uint8_t *p = m->data;

    if (m->len < DNS_HEADER || m->wire_len < DNS_HEADER)
        return false;
    unsigned opcode = p[2] >> 3 & 15, n_question = wire_be16(p + 4), n_answer = wire_be16(p + 6);
    unsigned n_authority = wire_be16(p + 8), n_additional = wire_be16(p + 10);
    if (opcode == 3 || opcode > 6 || (p[3] & 0x40) != 0 || n_question > 64)
        return false;
    if (n_question * 5u + (n_answer + n_authority + n_additional) * 11u + DNS_HEADER > m->wire_len)
        return false;
    bool response = (p[2] & 0x80) != 0;
    if (response)
        return (p[3] & 15) <= 10;
    return n_question >= 1 && (p[3] & 15) == 0 && (opcode != 0 || n_answer <= 64);
}

static bool dns_question(const uint8_t *p)
{
    unsigned type = wire_be16(p), class = wire_be16(p + 2) & 0x7fff;

    return ((type >= 1 && type <= 109) || (type >= 249 && type <= 260) || type == 32768 || type == 32769 ||
            type == 65281 || type == 65282 || type == 65521 || type == 65534) &&
           (class <= 4 || class == 254 || class == 255);
}

/* The whole first question must be there and make sense. */
static enum confirm_answer dns_message(const struct dns *m)
{
    if (!dns_header(m) || wire_be16(m->data + 4) == 0 || netbios_question(m->data + DNS_HEADER, m->len - DNS_HEADER))
        return CONFIRM_NO;
    size_t left = m->len - DNS_HEADER, name = dns_name(m->data + DNS_HEADER, left);
    if (name == 0 || name + 4 > left || !dns_question(m->data + DNS_HEADER + name))
        return CONFIRM_NO;
    return m->data[2] & 0x80 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
}

static bool dns_of(const struct confirm_input *in, struct dns *ret)
{
    *ret = (struct dns){in->data, in->len, in->wire_len};
    if (in->udp)
        return true;
    if (in->len < 2 || wire_be16(in->data) < DNS_HEADER)
        return false;
    *ret = (struct dns){in->data + 2, in->len - 2, wire_be16(in->data)}; /* the message may go on in later segments */
    if (ret->len > ret->wire_len)
        ret->len = ret->wire_len;
    return true;
}

enum confirm_answer confirm_dns(const struct confirm_input *in, const char **ret_detail)
{
    struct dns m;

    (void)ret_detail;
    return dns_of(in, &m) ? dns_message(&m) : CONFIRM_NO;
}

/* Answers of a header alone, names that the capture cut, and TCP messages whose length came in a segment of its own. */
enum confirm_answer confirm_dns_cut(const struct confirm_input *in, const char **ret_detail)
{
    struct dns m;

    (void)ret_detail;
    if (dns_of(in, &m) && dns_header(&m)) {
        size_t left = m.len - DNS_HEADER;
        bool bare = wire_be16(m.data + 4) == 0 && m.wire_len == DNS_HEADER;
        bool cut = m.len < m.wire_len && left < 260 && (left < 4 || dns_name(m.data + DNS_HEADER, left) + 4 > left);
        if (bare || (cut && (left == 0 || dns_name(m.data + DNS_HEADER, left) != 0)) || wire_be16(m.data + 4) == 0)
            return m.data[2] & 0x80 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
    }
    m = (struct dns){in->data, in->len, in->wire_len};
    return in->udp ? CONFIRM_NO : dns_message(&m);
}

/*
 * RFC 7296, 3.1: SPIs of initiator and responder, next payload, version, exchange, flags, message, length; on port 4500 behind four zero bytes.  The
 * flag says who began the SA, whoever asks now.  Of version 1 (RFC 2408) only the first message has no cookie of the responder.
 */
static enum confirm_answer ike_header(const struct confirm_input *in)
{
    const uint8_t *p = in->data;
    size_t         len = in->len, wire_len = in->wire_len;

    if (on_port(in, 4500)) {
        if (len < 4 || wire_be32(p) != 0)
            return CONFIRM_NO;
        p += 4, len -= 4, wire_len -= 4;
    }
    if (len < IKE_HEADER || wire_be32(p + 24) != wire_len || (wire_be32(p) == 0 && wire_be32(p + 4) == 0))
        return CONFIRM_NO;
    bool alone = wire_be32(p + 8) == 0 && wire_be32(p + 12) == 0;
    if (p[17] == 0x10)
        return alone && wire_be32(p + 20) == 0 ? CONFIRM_REQUEST : CONFIRM_NO;
    if (p[17] != 0x20 || p[18] < 34 || p[18] > 37)
        return CONFIRM_NO;
    return (p[19] & IKE_INITIATOR) != 0 ? CONFIRM_REQUEST : alone ? CONFIRM_NO : CONFIRM_RESPONSE;
}

enum confirm_answer confirm_header(const struct confirm_input *in)
{
    struct dns m = {in->data, in->len, in->wire_len};

    if (!in->udp)
        return CONFIRM_NO;
    if (on_port(in, 500) || on_port(in, 4500))
        return ike_header(in);
    if (!on_port(in, 53) || !dns_header(&m))
        return CONFIRM_NO;
    bool response = (m.data[2] & 0x80) != 0;
    if ((response ? in->sport : in->dport) != 53)
        return CONFIRM_NO;
    return response ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
}

/* A multicast DNS answer has no question: its first record is looked at instead. */
static enum confirm_answer dns_answer_alone(const struct confirm_input *in)
{
    struct dns m = {in->data, in->len, in->wire_len};

    if (!dns_header(&m))
        return CONFIRM_NO;
    if (wire_be16(m.data + 4) != 0)
        return dns_message(&m);
    size_t left = m.len - DNS_HEADER, name = dns_name(m.data + DNS_HEADER, left);
    return name != 0 && name + 10 <= left && dns_question(m.data + DNS_HEADER + name) ? CONFIRM_RESPONSE : CONFIRM_NO;
}

enum confirm_answer confirm_mdns(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return on_port(in, 5353) ? dns_answer_alone(in) : CONFIRM_NO;
}

enum confirm_answer confirm_llmnr(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return on_port(in, 5355) ? dns_answer_alone(in) : CONFIRM_NO;
}

/* Seconds since 1900: in use since 1993, and for 36 years more. */
static bool ntp_is_time(uint32_t seconds)
{
    return seconds >= 0xb0000000;
}

static bool ntp_is_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

/*
 * The whole packet makes sense: delay and dispersion under 16 seconds; an answer whose times of arrival and departure
 * lie together; a question that is empty up to its own time, or whose times are times.
 */
enum confirm_answer confirm_ntp_whole(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;
    unsigned mode = p[0] & 7;

    if (in->len < NTP_LEAST || mode < 1 || mode > 5 || wire_be16(p + 4) > 15 || wire_be16(p + 8) > 15)
        return CONFIRM_NO;
    uint32_t reference = wire_be32(p + 16), received = wire_be32(p + 32), sent = wire_be32(p + 40);
    bool question = mode == 3 && (ntp_is_zero(p + 4, 36) || (ntp_is_time(reference) && ntp_is_time(sent)));
    bool answer =
        mode != 3 && ntp_is_time(received) && sent - received <= 2 && (reference == 0 || ntp_is_time(reference));
    if (!question && !answer)
        return CONFIRM_NO;
    return confirm_ntp(in, ret_detail);
}

/*
 * Version, mode, and the ranges of stratum, poll interval and precision; the rest of a client's packet may be zero.  That is little: of what was cut
 * before it could say more only the port makes it enough.
 */
enum confirm_answer confirm_ntp(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;
    unsigned version = p[0] >> 3 & 7, mode = p[0] & 7;

    (void)ret_detail;
    if (version < 1 || version > 4 || (in->len < NTP_LEAST && in->len < in->wire_len && !on_port(in, 123)))
        return CONFIRM_NO;
    if (mode == 6 && in->len >= 12 && version >= 2) /* control: response bit, and a count that fits */
        return wire_be16(p + 10) + 12u > in->wire_len ? CONFIRM_NO : p[1] & 0x80 ? CONFIRM_RESPONSE : CONFIRM_REQUEST;
    if (mode == 7 && in->len >= 8 && version >= 2) { /* private: number and size of items */
        unsigned n_items = wire_be16(p + 4) & 0xfff, size = wire_be16(p + 6);
        return size > 500 || n_items * size + 8 > in->wire_len ? CONFIRM_NO
               : p[0] & 0x80                                   ? CONFIRM_RESPONSE
                                                               : CONFIRM_REQUEST;
    }
    if (mode < 1 || mode > 5 || in->wire_len < NTP_LEAST || in->len < 4)
        return CONFIRM_NO;
    if (p[1] > 16 || (p[2] > 17 && p[2] < 0xf0) || (p[3] != 0 && (p[3] < 0xe0 && p[3] > 8)))
        return CONFIRM_NO;
    return mode == 3 ? CONFIRM_REQUEST : mode == 4 ? CONFIRM_RESPONSE : mode == 5 ? CONFIRM_SERVER : CONFIRM_YES;
}
