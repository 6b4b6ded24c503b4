/* SPDX-License-Identifier: Apache-2.0 */
/* What negotiated ports cost: nanoseconds of processor time for each packet of a kind.  Argument: packets. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowaudit/pinhole.h"

struct load {
    const char *what;
    uint8_t transport;
    uint16_t port;
    const char *text;
    size_t len;
    bool only_sniff;
};

#define SDP                                                                                                            \
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 22800 RTP/AVP 0 8 18 101\r\n"      \
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=sendrecv\r\n"
#define SIP                                                                                                            \
    "INVITE sip:2000@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK776asdhds\r\n"                   \
    "From: <sip:1000@10.0.0.1>;tag=1928301774\r\nTo: <sip:2000@10.0.0.2>\r\nCall-ID: a84b4c76e66710@10.0.0.1\r\n"      \
    "CSeq: 314159 INVITE\r\nContact: <sip:1000@10.0.0.1>\r\nContent-Type: application/sdp\r\nContent-Length: "         \
    "174\r\n\r\n"

/* A request of 1,400 bytes on no context of interest: header, allocation hint, context 0, operation 5. */
static char request[1400] = "\5\0\0\3\x10\0\0\0\x78\5\0\0\1\0\0\0\x60\5\0\0\0\0\5";

static void on_pinhole(void *aux, const struct pinhole *hole)
{
    *(uint64_t *)aux += hole->port;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void run(struct pinholes *all, const struct load *load, unsigned long n)
{
    struct packet p = {.transport = load->transport, .sport = 50000, .dport = load->port};
    struct pinhole_state *state = NULL;
    double begin = now();

    p.payload = (const uint8_t *)load->text;
    p.payload_len = p.payload_wire_len = (uint32_t)load->len;
    for (unsigned long i = 0; i < n; i++) {
        if (state == NULL)
            state = pinhole_begin(all, &p);
        if (load->only_sniff || state == NULL)
            continue;
        pinhole_packet(all, state, &p, 0);
        p.tcp_seq += p.payload_len;
    }
    printf("%-24s %7.1f ns\n", load->what, (now() - begin) / (double)n);
    pinhole_end(all, state);
}

int main(int argc, char **argv)
{
    static const struct load loads[] = {
        {"sniff: TLS", IPPROTO_TCP, 443, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03zzzz", 15, true},
        {"sniff: HTTP", IPPROTO_TCP, 80, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, true},
        {"sniff: RTP", IPPROTO_UDP, 22800, "\x80\x00\x12\x34zzzzzzzz", 12, true},
        {"sniff: DNS", IPPROTO_UDP, 53, "\x04\x02\x01\x00\x00\x01zzzz", 10, true},
        {"SIP with description", IPPROTO_UDP, 5060, SIP SDP, sizeof(SIP SDP) - 1, false},
        {"the same over TCP", IPPROTO_TCP, 5060, SIP SDP, sizeof(SIP SDP) - 1, false},
        {"RPC request, skipped", IPPROTO_TCP, 1026, request, sizeof(request), false},
    };
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    uint64_t sum = 0;
    struct pinholes *all;

    if (pinholes_new(NULL, on_pinhole, &sum, &all, NULL) < 0)
        return 1;
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        run(all, &loads[i], n);
    pinholes_free(all);
    return sum == 0;
}
