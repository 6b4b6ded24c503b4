/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robustness: every frame at every length, in a buffer of exactly that size, so that a sanitizer sees the first byte
 * read too far; and single bytes changed.  On built packets always, on real captures where they are at hand.
 */
#include <check.h>
#include <dirent.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "flowaudit/packet.h"

#define CAPTURES TEST_SOURCE_ROOT "/../shared/captures"

enum { N_PARTS = 16, MAX_FRAMES = 200 };

static bool lies_inside(const struct frame *f, const uint8_t *p, uint32_t len)
{
    return p != NULL && p >= f->data && p <= f->data + f->caplen && len <= (size_t)(f->data + f->caplen - p);
}

/* What is wrong with a result, or NULL.  (An assertion of the library for each of millions of results would write each
 * time to the test runner.) */
static const char *find_fault(const struct frame *f, const struct packet *p, enum packet_result r)
{
    if (r >= PACKET_FRAGMENT_ORPHAN)
        return "a result of a later stage";
    if (p->wire_len != f->wirelen || p->n_tunnels > PACKET_MAX_TUNNELS)
        return "wire_len or n_tunnels";
    if (p->l3 != NULL && (!lies_inside(f, p->l3, p->l3_len) || p->l3_len > p->l3_wire_len))
        return "the IP packet is not inside the frame";
    if (r == PACKET_OK && p->transport != 6 && p->transport != 17)
        return "neither TCP nor UDP";
    if (r == PACKET_ICMP_ERROR && p->quote.transport != 6 && p->quote.transport != 17)
        return "quotes neither TCP nor UDP";
    if (r != PACKET_OK && r != PACKET_FRAGMENT)
        return NULL;
    if (!lies_inside(f, p->payload, p->payload_len) || p->payload <= p->l3)
        return "the payload is not inside the frame";
    if (p->payload_len > p->payload_wire_len || p->payload_wire_len >= p->l3_wire_len)
        return "the lengths of the payload";
    return NULL;
}

/* Decodes twice, over different rubbish, so that a field left as it was is seen. */
static void decode(const struct frame *f)
{
    struct packet a, b;

    memset(&a, 0xaa, sizeof(a));
    memset(&b, 0x55, sizeof(b));
    enum packet_result r = packet_decode(f, &a);
    const char        *fault = find_fault(f, &a, r);
    if (fault == NULL && (packet_decode(f, &b) != r || memcmp(&a, &b, offsetof(struct packet, quote)) != 0))
        fault = "the result depends on what was in the packet before";
    if (fault != NULL)
        ck_abort_msg("link type %u, %u of %u bytes, %s: %s", f->linktype, f->caplen, f->wirelen, packet_result_name(r),
                     fault);
}

static void decode_all_lengths(const uint8_t *data, uint32_t caplen, uint32_t wirelen, uint16_t linktype)
{
    for (uint32_t n = 0; n <= caplen; n++) {
        uint8_t *exact = malloc(n > 0 ? n : 1);
        if (exact == NULL)
            ck_abort_msg("no memory");
        memcpy(exact, data, n);
        struct frame f = {.data = exact, .caplen = n, .wirelen = wirelen, .number = 1, .linktype = linktype};
        decode(&f);
        f.wirelen = n;
        decode(&f);
        free(exact);
    }
}

static void decode_changed_bytes(const uint8_t *data, uint32_t caplen, uint16_t linktype)
{
    static const uint8_t values[] = {0x00, 0x01, 0x2c, 0x45, 0x60, 0x7f, 0x80, 0xff};
    uint8_t             *copy = malloc(caplen);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, caplen);
    struct frame f = {.data = copy, .caplen = caplen, .wirelen = caplen, .number = 1, .linktype = linktype};
    for (uint32_t at = 0; at < caplen && at < 160; at++) {
        for (size_t v = 0; v < sizeof(values); v++) {
            copy[at] = values[v];
            decode(&f);
        }
        copy[at] = data[at];
    }
    free(copy);
}

START_TEST(built_packets_survive_any_cut_and_change)
{
    static const uint8_t vxlan[8] = {0x08};
    struct build         b;

    build_begin(&b);
    build_ethernet(&b);
    build_vlan(&b, 0x88a8, 4);
    build_mpls(&b, 5, 1);
    b.type_size = 0;
    build_ipv6(&b, "fd00::1", "fd00::2");
    build_extension(&b, 0, (const uint8_t[7]){0, 1, 4}, 7);
    build_extension(&b, 44, (const uint8_t[7]){0, 0, 1}, 7);
    build_gre(&b);
    build_ethernet(&b);
    build_ipv4(&b, "192.0.2.1", "192.0.2.2");
    build_udp(&b, 1025, 4789);
    build_bytes(&b, vxlan, sizeof(vxlan));
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.9", "10.0.0.1");
    build_icmp(&b, 3, 3);
    b.type_size = 0;
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_tcp(&b, 1025, 389, TCP_SYN, 1);
    struct frame  f = build_frame(&b);
    struct packet p;
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_ICMP_ERROR);
    ck_assert_uint_eq(p.n_tunnels, 2);
    decode_all_lengths(f.data, f.caplen, f.wirelen, f.linktype);
    decode_changed_bytes(f.data, f.caplen, f.linktype);
}
END_TEST

static void decode_file(const char *name)
{
    char path[1024], error[PCAP_ERRBUF_SIZE];

    snprintf(path, sizeof(path), "%s/%s", CAPTURES, name);
    pcap_t *pcap = pcap_open_offline(path, error);
    if (pcap == NULL)
        return; /* a compressed file, or one that is there because it cannot be opened */
    struct pcap_pkthdr *header;
    const u_char       *data;
    for (unsigned n = 0; n < MAX_FRAMES && pcap_next_ex(pcap, &header, &data) == 1; n++) {
        uint32_t wirelen = header->len > header->caplen ? header->len : header->caplen;
        int      dlt = pcap_datalink(pcap);
        /* The numbers agree for every link type in use but raw IP. */
        uint16_t linktype = dlt == DLT_RAW ? 101 : (uint16_t)dlt;
        uint32_t caplen = header->caplen < 2000 ? header->caplen : 2000;
        decode_all_lengths(data, caplen, wirelen, linktype);
        if (n % 8 == 0 && caplen > 0)
            decode_changed_bytes(data, caplen, linktype);
    }
    pcap_close(pcap);
}

START_TEST(real_frames_survive_any_cut)
{
    DIR *dir = opendir(CAPTURES);
    int  n = 0;

    if (dir == NULL) {
        if (_i == 0)
            fprintf(stderr, "skipped: no captures in %s\n", CAPTURES);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strstr(e->d_name, ".pcap") != NULL || strstr(e->d_name, ".cap") != NULL)
            if (n++ % N_PARTS == _i)
                decode_file(e->d_name);
    closedir(dir);
    ck_assert_int_gt(n, 0);
}
END_TEST

Suite *suite_packet_captures(void);
Suite *suite_packet_captures(void)
{
    Suite *s = suite_create("packet: robustness");
    TCase *t = tcase_create("captures");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, built_packets_survive_any_cut_and_change);
    tcase_add_loop_test(t, real_frames_survive_any_cut, 0, N_PARTS);
    suite_add_tcase(s, t);
    return s;
}
