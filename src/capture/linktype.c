/* SPDX-License-Identifier: Apache-2.0 */
#include <pcap/pcap.h>
#include <stdio.h>

#include "capture-private.h"

#define LINKTYPE_NFLOG 239

/* Where LINKTYPE_ (files) and DLT_ (libpcap's calls) differ; all others are equal. */
static const struct {
    uint16_t linktype, dlt;
} pairs[] = {
    {100, DLT_ATM_RFC1483}, {101, DLT_RAW}, {102, DLT_SLIP_BSDOS}, {103, DLT_PPP_BSDOS}, {106, DLT_ATM_CLIP},
};
#define N_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

uint16_t linktype_normal(uint16_t value)
{
    for (size_t i = 0; i < N_PAIRS; i++)
        if (value == pairs[i].dlt)
            return pairs[i].linktype;
    return value;
}

int linktype_to_dlt(uint16_t linktype)
{
    for (size_t i = 0; i < N_PAIRS; i++)
        if (linktype == pairs[i].linktype)
            return pairs[i].dlt;
    return linktype;
}

const char *capture_linktype_name(uint16_t linktype, char *buf, size_t size)
{
    int dlt = linktype_to_dlt(linktype);
    const char *name = pcap_datalink_val_to_name(dlt), *description = pcap_datalink_val_to_description(dlt);

    if (name == NULL)
        snprintf(buf, size, "LINKTYPE %u", linktype);
    else if (description == NULL)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%s (%s)", name, description);
    return buf;
}

/* NFLOG: a 4-byte header, then attributes whose 16-bit length and type have the host's order. */
static void swap_nflog(uint8_t *data, uint32_t caplen)
{
    const uint16_t payload_type = 9; /* NFULA_PAYLOAD: the packet itself, the last attribute */

    for (size_t at = 4; at + 4 <= caplen;) {
        uint16_t len = get16(data + at, true), type = get16(data + at + 2, true);

        memcpy(data + at, &len, sizeof(len));
        memcpy(data + at + 2, &type, sizeof(type));
        if (len < 4 || type == payload_type)
            break;
        at += ((size_t)len + 3) & ~(size_t)3;
    }
}

void linktype_swap_header(uint16_t linktype, uint8_t *data, uint32_t caplen)
{
    if (linktype == LINKTYPE_NFLOG)
        swap_nflog(data, caplen);
}
