/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes captures for measuring: the same bytes for the same arguments.
 *
 * usage: bench_generate rtp|short|scan|flood|bulk|talks|pairs OUT.pcap COUNT [SEED]
 *        bench_generate mix|span OUT.pcap ROUNDS SEED SITES FILE...
 *
 * rtp: COUNT packets of 2,000 G.711 calls.  short: COUNT flows, every other one a DNS question and its answer, the rest an HTTP request over a
 * TCP connection of its own.  scan: COUNT SYNs with distinct 5-tuples, of 256 ports of each of many clients.  flood: COUNT SYNs of scattered
 * addresses to one port.  bulk: COUNT packets of 1,500 bytes in 64 TCP connections.  talks: COUNT clients that open a connection to one port
 * each, which are as many conversations and hosts.  pairs: the same connections between as few hosts as can have COUNT of them: as many clients
 * as servers, each of them with each (1,000,000 between 2,000).
 * mix: ROUNDS times the next FILE, as if it were captured at SITES places at once, each with addresses of its own (of site 3 each address is
 * 3 << 16 higher), and an hour of silence after each round, so that the flows of the next are others.  Longer silence within a file is as long, so
 * that times do not go beyond what a file can tell.  Addresses inside of payloads stay.
 * span: the same with all FILEs at once, as a span port of many networks sees them: each begins when the round does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/capture.h"

#define START_S 1700000000u
#define STEP_US 5u /* between packets: 200,000 a second */
#define MAX_FRAME 65535

struct writer {
    FILE    *out;
    uint64_t us;
    uint64_t seed;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct writer *w)
{
    uint64_t z = w->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static void write_record(struct writer *w, uint64_t us, const uint8_t *frame, uint32_t len)
{
    const uint32_t header[4] = {(uint32_t)(START_S + us / 1000000), (uint32_t)(us % 1000000), len, len};

    fwrite(header, sizeof(header), 1, w->out);
    fwrite(frame, 1, len, w->out);
}

/* Ethernet, IPv4 and a transport header of 'l4_size' bytes in front of 'payload'. */
static void write_packet(struct writer *w, uint8_t proto, uint32_t src, uint32_t dst, const uint8_t *l4, uint32_t l4_size, const uint8_t *payload,
                         uint32_t payload_size)
{
    uint8_t frame[1600] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45};

    put16(frame + 16, 20 + l4_size + payload_size);
    put16(frame + 18, (uint32_t)next_random(w) & 0xffff);
    frame[22] = 64;
    frame[23] = proto;
    put32(frame + 26, src);
    put32(frame + 30, dst);
    memcpy(frame + 34, l4, l4_size);
    memcpy(frame + 34 + l4_size, payload, payload_size);
    write_record(w, w->us += STEP_US, frame, 34 + l4_size + payload_size);
}

static void write_udp(struct writer *w, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, const uint8_t *payload, uint32_t size)
{
    uint8_t header[8] = {0};

    put16(header, sport);
    put16(header + 2, dport);
    put16(header + 4, 8 + size);
    write_packet(w, 17, src, dst, header, sizeof(header), payload, size);
}

static void write_tcp(struct writer *w, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t seq, uint32_t ack, uint8_t flags,
                      const uint8_t *payload, uint32_t size)
{
    uint8_t header[20] = {0};

    put16(header, sport);
    put16(header + 2, dport);
    put32(header + 4, seq);
    put32(header + 8, ack);
    header[12] = 0x50;
    header[13] = flags;
    put16(header + 14, 8192);
    write_packet(w, 6, src, dst, header, sizeof(header), payload, size);
}

static void write_rtp(struct writer *w, uint64_t count)
{
    const unsigned n_calls = 2000;
    uint8_t        payload[172] = {0x80};

    memset(payload + 12, 0xd5, sizeof(payload) - 12);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t call = (uint32_t)(i % n_calls), at = (uint32_t)(i / n_calls);

        put16(payload + 2, at & 0xffff);
        put32(payload + 4, at * 160);
        put32(payload + 8, 0x1000 + call);
        write_udp(w, 0x0a140900 + call % 200, 0x0a14010a + (call & 1), (uint16_t)(24000 + 2 * (call % 4000)), (uint16_t)(22800 + 2 * call), payload,
                  sizeof(payload));
    }
}

static void write_dns(struct writer *w, uint32_t client, uint32_t server, uint16_t port, uint64_t i)
{
    uint8_t query[64] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8}, answer[64];

    put16(query, (uint32_t)i & 0xffff);
    snprintf((char *)query + 13, 9, "%08x", (unsigned)i);
    memcpy(query + 21, "\7example\0\0\1\0\1", 13);
    memcpy(answer, query, 34);
    put16(answer + 2, 0x8180);
    put16(answer + 6, 1);
    memcpy(answer + 34, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x14\2\1", 16);
    write_udp(w, client, server, port, 53, query, 34);
    write_udp(w, server, client, 53, port, answer, 50);
}

static void write_http(struct writer *w, uint32_t client, uint32_t server, uint16_t port, uint64_t i)
{
    char     request[128], answer[128];
    uint32_t a = (uint32_t)next_random(w), b = (uint32_t)next_random(w);
    uint32_t asked = (uint32_t)snprintf(request, sizeof(request), "GET /web/%08x HTTP/1.1\r\nHost: unity1.example\r\nConnection: close\r\n\r\n", (unsigned)i);
    uint32_t told = (uint32_t)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");

    write_tcp(w, client, server, port, 80, a, 0, 0x02, NULL, 0);
    write_tcp(w, server, client, 80, port, b, a + 1, 0x12, NULL, 0);
    write_tcp(w, client, server, port, 80, a + 1, b + 1, 0x10, NULL, 0);
    write_tcp(w, client, server, port, 80, a + 1, b + 1, 0x18, (const uint8_t *)request, asked);
    write_tcp(w, server, client, 80, port, b + 1, a + 1 + asked, 0x18, (const uint8_t *)answer, told);
    write_tcp(w, server, client, 80, port, b + 1 + told, a + 1 + asked, 0x11, NULL, 0);
    write_tcp(w, client, server, port, 80, a + 1 + asked, b + 2 + told, 0x11, NULL, 0);
    write_tcp(w, server, client, 80, port, b + 2 + told, a + 2 + asked, 0x10, NULL, 0);
}

static void write_short(struct writer *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t client = 0x0a140814 + (uint32_t)(i / 2 % 40);
        uint16_t port = (uint16_t)(1024 + i / 80 % 64000);

        if (i % 2 == 0)
            write_dns(w, client, 0x0a140235, port, i);
        else
            write_http(w, client, 0x0a14010a, port, i);
    }
}

static void write_scan(struct writer *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        write_tcp(w, 0x0a630000 + (uint32_t)((i >> 8) & 0xffff), 0x0a14010a, (uint16_t)(1024 + (i & 0xff) * 7), (uint16_t)(1 + i % 65535), (uint32_t)i,
                  0, 2, NULL, 0);
}

static void write_flood(struct writer *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t r = next_random(w);
        uint32_t spoofed = 0x0b000000 + ((uint32_t)i * 0x9e3779b1 & 0x3ffffff); /* scattered, and none twice in 67 million */

        write_tcp(w, spoofed, 0x0a14010a, (uint16_t)(1024 + r % 60000), 443, (uint32_t)(r >> 32), 0, 2, NULL, 0);
    }
}

static void write_bulk(struct writer *w, uint64_t count)
{
    uint32_t seq[64] = {0};
    uint8_t  payload[1446] = {0x17, 3, 3, 5, 0xa0};

    for (unsigned c = 0; c < 64; c++) {
        write_tcp(w, 0x0a140a00 + c, 0x0a14010a, (uint16_t)(40000 + c), 443, 1000, 0, 2, NULL, 0);
        write_tcp(w, 0x0a14010a, 0x0a140a00 + c, 443, (uint16_t)(40000 + c), 5000, 1001, 0x12, NULL, 0);
        seq[c] = 1001;
    }
    for (uint64_t i = 0; i < count; i++) {
        unsigned c = (unsigned)(next_random(w) % 64);

        write_tcp(w, 0x0a140a00 + c, 0x0a14010a, (uint16_t)(40000 + c), 443, seq[c], 5001, 0x18, payload, sizeof(payload));
        seq[c] += sizeof(payload);
    }
}

/* No data: a connection and its conversation cost the least that they can. */
static void write_talk(struct writer *w, uint32_t client, uint32_t server, uint64_t i)
{
    uint32_t seq = (uint32_t)next_random(w), ack = (uint32_t)next_random(w);
    uint16_t port = (uint16_t)(49152 + i % 16384);

    write_tcp(w, client, server, port, 443, seq, 0, 0x02, NULL, 0);
    write_tcp(w, server, client, 443, port, ack, seq + 1, 0x12, NULL, 0);
    write_tcp(w, client, server, port, 443, seq + 1, ack + 1, 0x10, NULL, 0);
}

static void write_talks(struct writer *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        write_talk(w, 0x0a400000 + (uint32_t)i, 0x0a14010a, i);
}

static void write_pairs(struct writer *w, uint64_t count)
{
    uint64_t n = 1;

    while (n * n < count)
        n++;
    for (uint64_t i = 0; i < count; i++)
        write_talk(w, 0x0a400000 + (uint32_t)(i % n), 0x0a600000 + (uint32_t)(i / n), i);
}

/* --- mix: real packets, again and again with other addresses --------------------------------------------------- */

#define SILENCE_US (3700 * UINT64_C(1000000)) /* longer than any flow may be silent */

struct stored {
    int64_t  ts_ns;
    uint32_t len;
    size_t   offset;
};

struct library {
    struct stored *items;
    size_t         n, n_allocated;
    uint8_t       *bytes;
    size_t         size, size_allocated;
};

static void *grow(void *p, size_t *allocated, size_t wanted, size_t item)
{
    while (*allocated <= wanted)
        *allocated = *allocated == 0 ? 4096 : 2 * *allocated;
    p = realloc(p, *allocated * item);
    if (p == NULL)
        abort();
    return p;
}

static int by_time(const void *pa, const void *pb)
{
    const struct stored *a = pa, *b = pb;

    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static void keep(struct library *lib, const struct frame *f)
{
    lib->items = grow(lib->items, &lib->n_allocated, lib->n + 1, sizeof(*lib->items));
    lib->bytes = grow(lib->bytes, &lib->size_allocated, lib->size + f->caplen, 1);
    memcpy(lib->bytes + lib->size, f->data, f->caplen);
    lib->items[lib->n++] = (struct stored){f->ts_ns, f->caplen, lib->size};
    lib->size += f->caplen;
}

/* The Ethernet packets of a file, in order of time; of a damaged one those before the damage. */
static void load(struct library *lib, const char *path)
{
    struct capture *capture;
    struct err      err = {0};
    struct frame    frames[64];
    int             n;

    lib->n = lib->size = 0;
    if (capture_open_file(path, &(struct capture_options){.no_digest = true}, &capture, &err) != 0) {
        fprintf(stderr, "left out: %s\n", err.msg);
        return;
    }
    while ((n = capture_next_batch(capture, frames, 64, &err)) > 0)
        for (int i = 0; i < n; i++)
            if (frames[i].linktype == 1 && frames[i].caplen <= MAX_FRAME)
                keep(lib, &frames[i]);
    capture_free(capture);
    if (lib->n > 1)
        qsort(lib->items, lib->n, sizeof(*lib->items), by_time);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Moves both addresses of the outermost IP header by the same distance, but for groups and link-local ones; checksums stay as they were. */
static void shift_addresses(uint8_t *frame, uint32_t len, uint32_t by)
{
    uint32_t at = 12;

    while (at + 4 <= len && frame[at] == 0x81 && frame[at + 1] == 0)
        at += 4;
    if (at + 22 <= len && frame[at] == 8 && frame[at + 1] == 0) {
        for (uint32_t a = at + 14; a <= at + 18; a += 4)
            if (get32(frame + a) - 1 < 0xdfffffff)
                put32(frame + a, get32(frame + a) + (by << 16));
    } else if (at + 42 <= len && frame[at] == 0x86 && frame[at + 1] == 0xdd) {
        for (uint32_t a = at + 10; a <= at + 26; a += 16)
            if (frame[a] < 0xfe)
                put32(frame + a, get32(frame + a) + by);
    }
}

static uint64_t us_since(const struct library *lib, size_t i)
{
    return (uint64_t)(lib->items[i].ts_ns - lib->items[0].ts_ns) / 1000;
}

/* The packets of a file after those of others, as if all had begun at once; longer silence than SILENCE_US is cut short. */
static void add_beside(struct library *all, const struct library *one)
{
    uint64_t us = 0;

    for (size_t i = 0; i < one->n; i++) {
        uint64_t gap = i == 0 ? 0 : us_since(one, i) - us_since(one, i - 1);

        us += gap < SILENCE_US ? gap : SILENCE_US;
        keep(all, &(struct frame){.ts_ns = (int64_t)us * 1000, .caplen = one->items[i].len, .data = one->bytes + one->items[i].offset});
    }
}

static void play(struct writer *w, const struct library *lib, uint32_t sites)
{
    static uint8_t frame[MAX_FRAME];

    for (size_t i = 0; i < lib->n; i++) {
        uint64_t gap = i == 0 ? 0 : us_since(lib, i) - us_since(lib, i - 1);

        w->us += gap < SILENCE_US ? gap : SILENCE_US;
        for (uint32_t s = 0; s < sites; s++) {
            memcpy(frame, lib->bytes + lib->items[i].offset, lib->items[i].len);
            shift_addresses(frame, lib->items[i].len, s);
            write_record(w, w->us, frame, lib->items[i].len);
        }
    }
    w->us += SILENCE_US;
}

static void free_library(struct library *lib)
{
    free(lib->items);
    free(lib->bytes);
}

static void write_mix(struct writer *w, uint64_t rounds, uint32_t sites, char **paths, int n_paths)
{
    struct library lib = {0};

    for (uint64_t k = 0; k < rounds; k++) {
        if (k == 0 || n_paths > 1)
            load(&lib, paths[k % (uint64_t)n_paths]);
        play(w, &lib, sites);
    }
    free_library(&lib);
}

static void write_span(struct writer *w, uint64_t rounds, uint32_t sites, char **paths, int n_paths)
{
    struct library one = {0}, all = {0};

    for (int i = 0; i < n_paths; i++) {
        load(&one, paths[i]);
        add_beside(&all, &one);
    }
    if (all.n > 1)
        qsort(all.items, all.n, sizeof(*all.items), by_time);
    for (uint64_t k = 0; k < rounds; k++)
        play(w, &all, sites);
    free_library(&one);
    free_library(&all);
}

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s rtp|short|scan|flood|bulk|talks|pairs OUT COUNT [SEED]\n       %s mix|span OUT ROUNDS SEED SITES FILE...\n", name, name);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(struct writer *, uint64_t);
    } loads[] = {{"rtp", write_rtp}, {"short", write_short}, {"scan", write_scan}, {"flood", write_flood}, {"bulk", write_bulk},
                 {"talks", write_talks}, {"pairs", write_pairs}};
    const uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 1};
    bool           is_mix = argc > 1 && strcmp(argv[1], "mix") == 0, is_span = argc > 1 && strcmp(argv[1], "span") == 0;

    if (argc < 4 || ((is_mix || is_span) && argc < 7))
        return usage(argv[0]);
    struct writer w = {.out = fopen(argv[2], "wb"), .seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1};
    uint64_t      count = strtoull(argv[3], NULL, 10);
    if (w.out == NULL) {
        perror(argv[2]);
        return 2;
    }
    setvbuf(w.out, NULL, _IOFBF, 1 << 20);
    fwrite(header, sizeof(header), 1, w.out);
    bool known = is_mix || is_span;
    if (known)
        (is_mix ? write_mix : write_span)(&w, count, (uint32_t)strtoul(argv[5], NULL, 10), argv + 6, argc - 6);
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (strcmp(argv[1], loads[i].name) == 0) {
            loads[i].write(&w, count);
            known = true;
        }
    }
    return fclose(w.out) == 0 && known ? 0 : usage(argv[0]);
}
