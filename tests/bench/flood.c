/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a capture of an attack around one long session to standard output: the same bytes for the same arguments.
 *
 * usage: flood KIND COUNT [SEED]
 *
 * syn: SYNs from distinct sources to one port.  scan: SYNs of one source to every port of as many hosts as it takes.  reply: SYN-ACKs from distinct
 * sources that nobody asked.  udp: datagrams from distinct sources.  collide: SYNs whose addresses and ports give one value under the hashes without a
 * key that programs use: the exclusive or, and the sum, of addresses and ports.  To compare with: random: SYNs with random addresses and ports; refused: the
 * same, each answered by a RST; datagrams: the same as UDP, with payload; ordinary: packets of 10,000 connections.
 *
 * The session: 10.20.1.10 port 40000 to 10.20.2.10 port 389, a handshake, then one packet of 100 bytes of it for every 997 packets of the attack,
 * and a FIN each way.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY 997
#define CLIENT 0x0a14010au
#define SERVER 0x0a14020au
#define VICTIM 0x0a14020au

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct out {
    uint64_t us, seed;
    uint32_t seq[2];
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct out *w)
{
    uint64_t z = w->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint8_t *put(uint8_t *p, uint64_t v, int size)
{
    for (int i = size - 1; i >= 0; i--)
        *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

struct ends {
    uint32_t src, dst;
    uint16_t sport, dport;
};

static void write_packet(struct out *w, const struct ends *e, int flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
    uint8_t  frame[256] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, *p = frame + 14;
    int      udp = flags < 0;
    uint32_t l4 = udp ? 8 : 20, len = 14 + 20 + l4 + payload;
    uint32_t record[4] = {(uint32_t)(1700000000 + w->us / 1000000), (uint32_t)(w->us % 1000000), len, len};

    p = put(p, 0x4500, 2);
    p = put(p, 20 + l4 + payload, 2);
    p = put(p, w->us & 0xffff, 2);
    p = put(p, 0x4000, 2);
    p = put(p, udp ? 0x4011 : 0x4006, 2);
    p = put(p, 0, 2);
    p = put(p, e->src, 4);
    p = put(p, e->dst, 4);
    p = put(p, e->sport, 2);
    p = put(p, e->dport, 2);
    if (udp) {
        p = put(p, l4 + payload, 2);
        put(p, 0, 2);
    } else {
        p = put(p, seq, 4);
        p = put(p, ack, 4);
        p = put(p, 0x5000 | (unsigned)flags, 2);
        put(p, 8192, 2);
    }
    fwrite(record, sizeof(record), 1, stdout);
    fwrite(frame, 1, len, stdout);
    w->us += 5;
}

/* --- the session ----------------------------------------------------------------------------------------- */

static void session_packet(struct out *w, unsigned side, int flags, uint32_t payload)
{
    struct ends e = side == 0 ? (struct ends){CLIENT, SERVER, 40000, 389} : (struct ends){SERVER, CLIENT, 389, 40000};

    write_packet(w, &e, flags, w->seq[side], (flags & ACK) != 0 ? w->seq[!side] : 0, payload);
    w->seq[side] += payload + ((flags & (SYN | FIN)) != 0);
}

/* --- attacks ----------------------------------------------------------------------------------------------- */

static void syn(struct out *w, uint64_t i)
{
    struct ends e = {0x0b000000u + (uint32_t)i, VICTIM, (uint16_t)(1024 + i % 60000), 445};

    write_packet(w, &e, SYN, (uint32_t)i, 0, 0);
}

static void scan(struct out *w, uint64_t i)
{
    struct ends e = {0x0a1407c8u, 0x0a140901u + (uint32_t)(i / 65535), 55555, (uint16_t)(1 + i % 65535)};

    write_packet(w, &e, SYN, (uint32_t)i, 0, 0);
}

static void reply(struct out *w, uint64_t i)
{
    struct ends e = {0x0b000000u + (uint32_t)i, VICTIM, 80, (uint16_t)(1024 + i % 60000)};

    write_packet(w, &e, SYN | ACK, (uint32_t)i, 1, 0);
}

static void udp(struct out *w, uint64_t i)
{
    struct ends e = {0x0b000000u + (uint32_t)i, VICTIM, (uint16_t)(1024 + i % 60000), 53};

    write_packet(w, &e, -1, 0, 0, 24);
}

/* What is added to one end is taken from the other. */
static void collide(struct out *w, uint64_t i)
{
    uint32_t    low = (uint32_t)(i & 0xffff), high = (uint32_t)(i >> 16);
    struct ends e = {0x0b000000u | high << 16 | low, 0x0a140000u | low, 1024, 445};

    if (i % 2 == 1) { /* the sum and not the exclusive or */
        e.src = 0x0b000000u + (uint32_t)i;
        e.dst = 0x0affffffu - (uint32_t)i;
    }
    write_packet(w, &e, SYN, (uint32_t)i, 0, 0);
}

static void ordinary(struct out *w, uint64_t i)
{
    uint64_t    n = next_random(w) % 10000;
    unsigned    side = i % 3 == 0;
    uint32_t    client = 0x0b000000u + (uint32_t)n;
    struct ends e = side == 0 ? (struct ends){client, VICTIM, (uint16_t)(1024 + n), 445} : (struct ends){VICTIM, client, 445, (uint16_t)(1024 + n)};

    write_packet(w, &e, ACK, (uint32_t)(i * 7), (uint32_t)i, 0);
}

static struct ends any_ends(struct out *w)
{
    uint64_t r = next_random(w);

    return (struct ends){0x0b000000u | (uint32_t)(r & 0xffffff), 0x0a140000u | (uint32_t)(r >> 24 & 0xffff), (uint16_t)(r >> 40 | 1024),
                         (uint16_t)(r >> 54)};
}

static void any(struct out *w, uint64_t i)
{
    struct ends e = any_ends(w);

    write_packet(w, &e, SYN, (uint32_t)i, 0, 0);
}

static void refused(struct out *w, uint64_t i)
{
    struct ends e = any_ends(w), back = {e.dst, e.src, e.dport, e.sport};

    write_packet(w, &e, SYN, (uint32_t)i, 0, 0);
    write_packet(w, &back, RST | ACK, 0, (uint32_t)i + 1, 0);
}

static void datagrams(struct out *w, uint64_t i)
{
    struct ends e = any_ends(w);

    (void)i;
    write_packet(w, &e, -1, 0, 0, 24);
}

static const struct {
    const char *name;
    void (*fn)(struct out *, uint64_t i);
} kinds[] = {{"syn", syn}, {"scan", scan}, {"reply", reply}, {"udp", udp}, {"collide", collide}, {"random", any}, {"refused", refused},
           {"datagrams", datagrams}, {"ordinary", ordinary}};

static int run(const char *kind, uint64_t count, uint64_t seed)
{
    static const uint32_t header[6] = {0xa1b2c3d4u, 4 << 16 | 2, 0, 0, 65535, 1};
    struct out            w = {.seed = seed, .seq = {1000, 5000}};
    size_t                k = 0;

    while (k < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[k].name, kind) != 0)
        k++;
    if (k == sizeof(kinds) / sizeof(kinds[0]))
        return EXIT_FAILURE;
    fwrite(header, sizeof(header), 1, stdout);
    session_packet(&w, 0, SYN, 0);
    session_packet(&w, 1, SYN | ACK, 0);
    session_packet(&w, 0, ACK, 0);
    for (uint64_t i = 0; i < count; i++) {
        kinds[k].fn(&w, i);
        if (i % EVERY == EVERY - 1)
            session_packet(&w, i / EVERY % 2, PSH | ACK, 100);
    }
    session_packet(&w, 0, FIN | ACK, 0);
    session_packet(&w, 1, FIN | ACK, 0);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: flood syn|scan|reply|udp|collide|random|refused|datagrams|ordinary COUNT [SEED]\n", stderr);
        return EXIT_FAILURE;
    }
    return run(argv[1], strtoull(argv[2], NULL, 10), argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
}
