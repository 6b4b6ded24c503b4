/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_bed.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(void *aux, struct flow_record *record, void *ext)
{
    struct bed *bed = aux;

    if (bed->n == bed->size) {
        bed->size = bed->size > 0 ? 2 * bed->size : 16;
        bed->records = realloc(bed->records, bed->size * sizeof(*bed->records));
        ck_assert_ptr_nonnull(bed->records);
    }
    bed->records[bed->n++] = *record;
    bed->last_ext = ext;
}

void bed_open(struct bed *bed, const struct flow_options *options)
{
    struct flow_options defaults;
    struct err          err;

    *bed = (struct bed){.now_ns = 1000 * SECOND};
    flow_options_default(&defaults);
    ck_assert_int_eq(flow_table_new(options != NULL ? options : &defaults, keep, bed, &bed->table, &err), 0);
}

void bed_close(struct bed *bed)
{
    flow_table_free(bed->table);
    free(bed->records);
}

/* "10.0.0.1:80" or "[fd00::1]:80" */
static void read_end(const char *text, struct addr *addr, uint16_t *port)
{
    char        buf[64];
    const char *colon = strrchr(text, ':');
    bool        bracket = text[0] == '[';

    ck_assert_ptr_nonnull(colon);
    snprintf(buf, sizeof(buf), "%.*s", (int)(colon - text) - 2 * bracket, text + bracket);
    ck_assert_int_eq(addr_parse(buf, addr), 0);
    *port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static uint8_t read_flags(const char *text)
{
    static const char letters[] = "FSRPA";
    uint8_t           flags = 0;

    for (; *text != '\0' && *text != '-'; text++) {
        const char *at = strchr(letters, *text);

        ck_assert_ptr_nonnull(at);
        flags |= (uint8_t)(1 << (at - letters));
    }
    return flags;
}

struct packet bed_packet(struct bed *bed, const char *text)
{
    char          src[64], dst[64], kind[16];
    unsigned long number[3] = {0};
    struct packet p = {.ttl = 64};

    int n = sscanf(text, "%63s > %63s %15s %lu %lu %lu", src, dst, kind, &number[0], &number[1], &number[2]);
    ck_assert_msg(n >= 3, "not a packet: %s", text);
    read_end(src, &p.src, &p.sport);
    read_end(dst, &p.dst, &p.dport);
    p.transport = strcmp(kind, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    if (p.transport == IPPROTO_TCP) {
        p.tcp_flags = read_flags(kind);
        p.tcp_seq = (uint32_t)number[0];
        bool ack = (p.tcp_flags & TCP_ACK) != 0;
        p.tcp_ack = ack ? (uint32_t)number[1] : 0;
        p.payload_wire_len = (uint32_t)number[1 + ack];
    } else {
        p.payload_wire_len = (uint32_t)number[0];
    }
    p.payload_len = p.payload_wire_len;
    p.wire_len = p.payload_wire_len + 54;
    p.flags = addr_is_ipv4(&p.src) ? 0 : PACKET_IS_IPV6;
    bed->now_ns += MS;
    p.ts_ns = bed->now_ns;
    p.number = ++bed->number;
    p.ip_id = ++bed->ip_id;
    return p;
}

struct flow_step bed_put(struct bed *bed, const struct packet *p)
{
    struct flow_step step;

    flow_table_track(bed->table, flow_table_hash(bed->table, p), p, &step);
    return step;
}

struct flow_step bed_track(struct bed *bed, const char *text)
{
    struct packet p = bed_packet(bed, text);

    return bed_put(bed, &p);
}

void bed_drain(struct bed *bed, size_t n_expected)
{
    flow_table_drain(bed->table, bed->now_ns);
    ck_assert_uint_eq(bed->n, n_expected);
}
