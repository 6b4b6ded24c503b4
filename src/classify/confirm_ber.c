/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols in ASN.1 BER: Kerberos (RFC 4120), kpasswd (RFC 3244), LDAP (RFC 4511), SNMP (RFC 1157, 3416, 3412).
 *
 * Lengths are read in all forms, short and 81 to 84: Windows writes 84 00 00 00 xx where a byte would do.
 */
#include "confirm.h"
#include "wire.h"

struct ber {
    const uint8_t *next, *end; /* what was captured */
    size_t unseen;             /* bytes of the packet that were not */
};

/* Reads tag and length; 'ret_len' may reach beyond what was captured.  False: not BER, or not there. */
static bool ber_header(struct ber *b, uint8_t *ret_tag, uint32_t *ret_len)
{
    const uint8_t *p = b->next;

    if (b->end - p < 2)
        return false;
    *ret_tag = *p++;
    uint8_t first = *p++;
    *ret_len = first;
    if (first & 0x80) {
        unsigned n = first & 0x7f;
        if (n < 1 || n > 4 || n > (size_t)(b->end - p))
            return false;
        *ret_len = 0;
        for (; n > 0; n--)
            *ret_len = *ret_len << 8 | *p++;
    }
    b->next = p;
    return true;
}

/* Reads a header with this tag. */
static bool ber_enter(struct ber *b, uint8_t tag, uint32_t *ret_len)
{
    uint8_t got;

    return ber_header(b, &got, ret_len) && got == tag;
}

/* Reads an INTEGER of at most four bytes. */
static bool ber_integer(struct ber *b, uint32_t *ret)
{
    uint32_t len;

    if (!ber_enter(b, 0x02, &len) || len < 1 || len > 5 || len > (size_t)(b->end - b->next))
        return false;
    *ret = 0;
    for (; len > 0; len--)
        *ret = *ret << 8 | *b->next++;
    return true;
}

/* [n] INTEGER, as Kerberos numbers its fields. */
static bool ber_field_integer(struct ber *b, uint8_t tag, uint32_t *ret)
{
    uint32_t len;

    return ber_enter(b, tag, &len) && ber_integer(b, ret);
}

static struct ber ber_of(const struct confirm_input *in, size_t skip)
{
    struct ber b = {in->data + (skip < in->len ? skip : in->len), in->data + in->len, in->wire_len - in->len};
    return b;
}

/* APPLICATION tag n, SEQUENCE, version 5, message type n.  Requests to a KDC number their fields from 1, all others
 * from 0. */
static enum confirm_answer kerberos_message(struct ber b)
{
    uint8_t tag;
    uint32_t len, inner, version, type;

    if (!ber_header(&b, &tag, &len) || (tag & 0xe0) != 0x60)
        return CONFIRM_NO;
    uint32_t n = tag & 0x1f;
    uint8_t field = n == 10 || n == 12 ? 0xa1 : 0xa0;
    if (!ber_enter(&b, 0x30, &inner) || inner > len)
        return CONFIRM_NO;
    if (!ber_field_integer(&b, field, &version) || version != 5)
        return CONFIRM_NO;
    if (!ber_field_integer(&b, (uint8_t)(field + 1), &type) || type != n)
        return CONFIRM_NO;
    switch (n) {
    case 10: /* AS-REQ */
    case 12: /* TGS-REQ */
    case 14: /* AP-REQ */
        return CONFIRM_REQUEST;
    case 11: /* AS-REP */
    case 13: /* TGS-REP */
    case 15: /* AP-REP */
    case 30: /* KRB-ERROR */
        return CONFIRM_RESPONSE;
    case 20: /* KRB-SAFE */
    case 21: /* KRB-PRIV */
    case 22: /* KRB-CRED */
        return CONFIRM_YES;
    default:
        return CONFIRM_NO;
    }
}

/* TCP puts a length of four bytes in front, sometimes in a segment of its own. */
enum confirm_answer confirm_kerberos(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    if (in->udp || in->data[0] >= 0x60)
        return kerberos_message(ber_of(in, 0));
    if (in->len < 4 || wire_be32(in->data) > 0x1000000)
        return CONFIRM_NO;
    return kerberos_message(ber_of(in, 4));
}

/* A capture that ends in front of version and type: record mark (over TCP), application tag and SEQUENCE whose lengths
 * close. */
enum confirm_answer confirm_kerberos_cut(const struct confirm_input *in, const char **ret_detail)
{
    size_t mark = in->udp ? 0 : 4;
    struct ber b = ber_of(in, mark);
    uint8_t tag;
    uint32_t len, inner;

    (void)ret_detail;
    if (in->len >= in->wire_len || in->len <= mark || !ber_header(&b, &tag, &len) || (tag & 0xe0) != 0x60)
        return CONFIRM_NO;
    size_t message = (size_t)(b.next - in->data) - mark + len, start = (size_t)(b.next - in->data);
    if (message != (in->udp ? in->wire_len : wire_be32(in->data)) || !ber_enter(&b, 0x30, &inner))
        return CONFIRM_NO;
    return (size_t)(b.next - in->data) - start + inner == len ? CONFIRM_YES : CONFIRM_NO;
}

/* Length of the message, version 1 or 0xff80, length of the AP-REQ or AP-REP (0: a KRB-ERROR follows). */
enum confirm_answer confirm_kpasswd(const struct confirm_input *in, const char **ret_detail)
{
    size_t mark = in->udp ? 0 : 4;

    if (in->len < mark + 8 || (mark != 0 && wire_be32(in->data) != wire_be16(in->data + 4)))
        return CONFIRM_NO;
    const uint8_t *p = in->data + mark;
    uint16_t version = wire_be16(p + 2), ap_len = wire_be16(p + 4);
    if ((version != 1 && version != 0xff80) || ap_len + 6u > wire_be16(p))
        return CONFIRM_NO;
    if (in->udp && wire_be16(p) != in->wire_len)
        return CONFIRM_NO;
    if (p[6] != (ap_len == 0 ? 0x7e : 0x6e) && !(ap_len != 0 && p[6] == 0x6f))
        return CONFIRM_NO;
    *ret_detail = "kpasswd";
    return p[6] == 0x6e ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
}

/* The operations of LDAP: tag, tag of what must stand first inside (0: none is asked for), who sends it. */
static const struct {
    uint8_t tag, inside;
    enum confirm_answer answer;
} ldap_operations[] = {
    {0x60, 0x02, CONFIRM_REQUEST},  /* bind: version */
    {0x61, 0x0a, CONFIRM_RESPONSE}, /* its result code */
    {0x42, 0, CONFIRM_REQUEST},     /* unbind */
    {0x63, 0x04, CONFIRM_REQUEST},  /* search: base object */
    {0x64, 0x04, CONFIRM_RESPONSE}, /* entry: its name */
    {0x65, 0x0a, CONFIRM_RESPONSE}, {0x66, 0x04, CONFIRM_REQUEST},  {0x67, 0x0a, CONFIRM_RESPONSE},
    {0x68, 0x04, CONFIRM_REQUEST},  {0x69, 0x0a, CONFIRM_RESPONSE}, {0x4a, 0, CONFIRM_REQUEST}, /* delete: a name */
    {0x6b, 0x0a, CONFIRM_RESPONSE}, {0x6c, 0x04, CONFIRM_REQUEST},  {0x6d, 0x0a, CONFIRM_RESPONSE},
    {0x6e, 0x04, CONFIRM_REQUEST},  {0x6f, 0x0a, CONFIRM_RESPONSE}, {0x50, 0, CONFIRM_REQUEST}, /* abandon: an id */
    {0x73, 0x04, CONFIRM_RESPONSE},                                                             /* references */
    {0x77, 0x80, CONFIRM_REQUEST},                                                              /* extended: its name */
    {0x78, 0x0a, CONFIRM_RESPONSE}, {0x79, 0, CONFIRM_RESPONSE},
};

/* SEQUENCE, message id, operation.  Mid-stream behind a SASL layer there is nothing to see: no opinion. */
enum confirm_answer confirm_ldap(const struct confirm_input *in, const char **ret_detail)
{
    struct ber b = ber_of(in, 0);
    uint32_t len, id, op_len;
    uint8_t tag;

    (void)ret_detail;
    if (!ber_enter(&b, 0x30, &len) || len < 5)
        return CONFIRM_NO;
    if (in->udp && len > (size_t)(b.end - b.next) + b.unseen)
        return CONFIRM_NO;
    const uint8_t *start = b.next;
    if (!ber_integer(&b, &id) || id > INT32_MAX || !ber_header(&b, &tag, &op_len))
        return CONFIRM_NO;
    if ((size_t)(b.next - start) > len || op_len > len - (size_t)(b.next - start))
        return CONFIRM_NO;
    for (size_t i = 0; i < sizeof(ldap_operations) / sizeof(ldap_operations[0]); i++) {
        if (ldap_operations[i].tag != tag)
            continue;
        bool inside = ldap_operations[i].inside == 0 || b.next == b.end || *b.next == ldap_operations[i].inside;
        bool sized = tag != 0x42 || op_len == 0;
        return inside && sized ? ldap_operations[i].answer : CONFIRM_NO;
    }
    return CONFIRM_NO;
}

static enum confirm_answer snmp_pdu(uint8_t tag)
{
    switch (tag) {
    case 0xa0: /* get */
    case 0xa1: /* get-next */
    case 0xa3: /* set */
    case 0xa4: /* trap of version 1: its sender opens the flow */
    case 0xa5: /* get-bulk */
    case 0xa6: /* inform */
    case 0xa7: /* trap */
        return CONFIRM_REQUEST;
    case 0xa2: /* response */
    case 0xa8: /* report */
        return CONFIRM_RESPONSE;
    default:
        return CONFIRM_NO;
    }
}

/* SEQUENCE, version; then community and PDU, or for version 3 the global header with its flags octet. */
enum confirm_answer confirm_snmp(const struct confirm_input *in, const char **ret_detail)
{
    struct ber b = ber_of(in, 0);
    uint32_t len, version, part, number;
    uint8_t tag;

    (void)ret_detail;
    if (!ber_enter(&b, 0x30, &len) || len > (size_t)(b.end - b.next) + b.unseen)
        return CONFIRM_NO;
    if (!ber_integer(&b, &version) || version > 3)
        return CONFIRM_NO;
    if (version < 3) {
        if (!ber_enter(&b, 0x04, &part) || part > 255)
            return CONFIRM_NO;
        if (part >= (size_t)(b.end - b.next))
            return CONFIRM_NO;
        b.next += part;
        return ber_header(&b, &tag, &part) ? snmp_pdu(tag) : CONFIRM_NO;
    }
    if (!ber_enter(&b, 0x30, &part) || !ber_integer(&b, &number) || !ber_integer(&b, &number) || number < 484)
        return CONFIRM_NO;
    if (!ber_enter(&b, 0x04, &part) || part != 1)
        return CONFIRM_NO;
    if (b.next == b.end)
        return CONFIRM_YES;
    /* What may draw a report is a request; what may not, an answer or a trap (RFC 3412, 6.4). */
    return (b.next[0] & 4) != 0 || in->dport == 162 ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
}
