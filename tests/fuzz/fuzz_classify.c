/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow through the classifier, libndpi and all.  Input: transport and snap length (one byte), server port (two), then payloads {side
 * (one byte), length (two), bytes}.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"
#include "support/build.h"

static struct classifier *shared;

static struct classifier *classifier(void)
{
    static const char *const names[] = {"DNS", "HTTP", "TLS", "LDAP", "Kerberos", "SMB", "SIP", "RTP", "DCE_RPC", "SNMP"};

    if (shared == NULL)
        fuzz_must(classifier_new(names, sizeof(names) / sizeof(names[0]), &shared, NULL) == 0);
    return shared;
}

/* An Ethernet frame in memory of its own. */
static uint8_t *make_frame(bool udp, unsigned side, uint16_t port, const uint8_t *payload, size_t n, uint32_t seq, struct frame *ret)
{
    struct build b;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, side == 0 ? "10.0.0.1" : "10.0.0.2", side == 0 ? "10.0.0.2" : "10.0.0.1");
    uint16_t ends[2] = {50000, port};
    if (udp)
        build_udp(&b, ends[side], ends[!side]);
    else
        build_tcp(&b, ends[side], ends[!side], TCP_ACK | TCP_PSH, seq);
    build_bytes(&b, payload, n);
    *ret = build_frame(&b);
    uint8_t *copy = malloc(ret->caplen);
    fuzz_must(copy != NULL);
    memcpy(copy, ret->data, ret->caplen);
    ret->data = copy;
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz              in = {data, size};
    struct classifier       *c = classifier();
    struct classify_state   *state = classify_begin(c);
    static const char *const expected[] = {"DNS", "TLS", NULL};
    struct classify_step     step = {.expected = expected};
    struct classify_stats    stats;
    struct app               app;
    uint8_t                  flags = fuzz_u8(&in);
    uint16_t                 port = fuzz_u16(&in);
    uint32_t                 seq[2] = {1, 1};
    unsigned                 transport = 0;

    fuzz_must(state != NULL);
    step.midstream = flags & 2;
    for (int i = 0; in.size > 3 && i < 20; i++) {
        unsigned      side = fuzz_u8(&in) & 1;
        size_t        n = fuzz_u16(&in) % 3800;
        struct frame  f;
        struct packet p;

        n = n < in.size ? n : in.size;
        uint8_t *frame = make_frame(flags & 1, side, port, in.data, n, seq[side], &f);
        if (flags & 4 && f.caplen > 96)
            f.caplen = 96;
        seq[side] += (uint32_t)n;
        in.data += n;
        in.size -= n;
        /* Inside a tunnel may be anything, but a flow has one transport. */
        if (packet_decode(&f, &p) == PACKET_OK && (transport == 0 || p.transport == transport)) {
            transport = p.transport;
            (void)classify_packet(c, state, &p, &step);
        }
        free(frame);
    }
    classify_result(state, &app);
    fuzz_must(memchr(app.name, '\0', sizeof(app.name)) != NULL && memchr(app.detail, '\0', sizeof(app.detail)) != NULL);
    classify_end(c, state);
    classify_stats(c, &stats);
    fuzz_must(stats.n_states == 0);
    return 0;
}
