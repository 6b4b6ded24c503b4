/* SPDX-License-Identifier: Apache-2.0 */
#include "pinhole_bed.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_pinhole(void *aux, const struct pinhole *hole)
{
    struct bed *bed = aux;

    if (bed->n < BED_MAX)
        bed->found[bed->n] = *hole;
    bed->n++;
}

struct bed *bed_new(uint8_t transport, uint16_t client_port, uint16_t server_port, const struct pinholes_options *o)
{
    struct bed *bed = calloc(1, sizeof(*bed));

    ck_assert_ptr_nonnull(bed);
    ck_assert_int_eq(pinholes_new(o, on_pinhole, bed, &bed->pinholes, NULL), 0);
    bed->transport = transport;
    bed->client_port = client_port;
    bed->server_port = server_port;
    bed_restart(bed);
    return bed;
}

void bed_free(struct bed *bed)
{
    pinhole_end(bed->pinholes, bed->state);
    pinholes_free(bed->pinholes);
    free(bed);
}

void bed_restart(struct bed *bed)
{
    pinhole_end(bed->pinholes, bed->state);
    bed->state = NULL;
    bed->n = 0;
    bed->number = 0;
    bed->seq[0] = 0xffffff00; /* wraps in longer exchanges */
    bed->seq[1] = 1000;
}

bool bed_send(struct bed *bed, unsigned side, const void *payload, size_t len)
{
    static const uint8_t addrs[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
    struct packet p = {.transport = bed->transport, .number = ++bed->number, .input = 7};
    uint8_t *copy = malloc(len > 0 ? len : 1);
    bool more = true;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, payload, len);
    p.payload = copy;
    p.payload_len = (uint32_t)len;
    p.payload_wire_len = (uint32_t)len + bed->cut;
    p.src = addr_from_ipv4(addrs[side]);
    p.dst = addr_from_ipv4(addrs[!side]);
    p.sport = side == 0 ? bed->client_port : bed->server_port;
    p.dport = side == 0 ? bed->server_port : bed->client_port;
    p.tcp_seq = bed->seq[side];
    p.ts_ns = 1000 * (int64_t)bed->number;
    bed->seq[side] += p.payload_wire_len;
    if (bed->state == NULL)
        bed->state = pinhole_begin(bed->pinholes, &p);
    if (bed->state != NULL && !(more = pinhole_packet(bed->pinholes, bed->state, &p, side))) {
        pinhole_end(bed->pinholes, bed->state);
        bed->state = NULL;
    }
    free(copy);
    return more;
}

size_t bed_line(const struct pinhole *h, char *buf, size_t size)
{
    char addr[ADDR_TEXT_SIZE];
    int n = snprintf(buf, size, "%s %s %s%s %u/%s%s%s%s\n", pinhole_kind_name(h->kind), h->what,
                     addr_text(&h->addr, addr), h->addr_assumed ? "?" : "", h->port,
                     h->transport == IPPROTO_TCP ? "tcp" : "udp", h->rtcp ? " rtcp" : "",
                     h->way != PINHOLE_SENDRECV ? " " : "", h->way != PINHOLE_SENDRECV ? pinhole_way_name(h->way) : "");

    ck_assert(n > 0 && (size_t)n < size);
    return (size_t)n;
}

const char *bed_text(const struct bed *bed, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    for (unsigned i = 0; i < bed->n && i < BED_MAX; i++)
        at += bed_line(&bed->found[i], buf + at, size - at);
    return buf;
}
