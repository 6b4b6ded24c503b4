/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: one flow's payloads, in pieces.
 *
 * Input: transport and port (one byte), then pieces {side and sequence jump (one byte), length (two bytes), bytes}.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/pinhole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is announced must be sound whatever was sent. */
static void on_pinhole(void *aux, const struct pinhole *hole)
{
    (void)aux;
    if (hole->port == 0 || memchr(hole->what, '\0', sizeof(hole->what)) == NULL ||
        memchr(hole->uuid, '\0', sizeof(hole->uuid)) == NULL ||
        (hole->transport != IPPROTO_TCP && hole->transport != IPPROTO_UDP))
        abort();
    for (const char *c = hole->what; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e)
            abort();
    }
}

static struct pinhole_state *show(struct pinholes *all, struct pinhole_state *state, const struct packet *p,
                                  unsigned side)
{
    if (state == NULL)
        state = pinhole_begin(all, p);
    if (state != NULL && !pinhole_packet(all, state, p, side)) {
        pinhole_end(all, state);
        state = NULL;
    }
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pinholes_options options = {.max_flows = 2, .max_bytes = 256 << 10};
    static const uint16_t ports[] = {135, 5060, 2000, 40000};
    static const int32_t jumps[] = {0, 0, 0, 0, -1, 1, -100, 1000000000};
    struct pinholes *all;
    struct pinhole_state *state = NULL;
    struct pinholes_stats stats;
    uint32_t seq[2] = {0xfffffff0, 0};

    if (size == 0 || pinholes_new(&options, on_pinhole, NULL, &all, NULL) < 0)
        return 0;
    bool udp = data[0] & 1;
    uint16_t port = ports[data[0] >> 1 & 3];
    for (data++, size--; size >= 3;) {
        unsigned side = data[0] & 1;
        size_t len = (size_t)data[1] << 8 | data[2];
        struct packet p = {.transport = udp ? IPPROTO_UDP : IPPROTO_TCP};

        len = len < size - 3 ? len : size - 3;
        uint8_t *copy = malloc(len + 1); /* reads past the end are then seen */
        if (copy == NULL)
            break;
        uint8_t *payload = copy + 1;
        memcpy(payload, data + 3, len);
        p.payload = payload;
        p.payload_len = p.payload_wire_len = (uint32_t)len;
        p.sport = side == 0 ? 50000 : port;
        p.dport = side == 0 ? port : 50000;
        p.tcp_seq = seq[side] += (uint32_t)jumps[data[0] >> 1 & 7];
        seq[side] += (uint32_t)len;
        state = show(all, state, &p, side);
        free(copy);
        data += 3 + len;
        size -= 3 + len;
    }
    pinhole_end(all, state);
    pinholes_stats(all, &stats);
    if (stats.n_states != 0)
        abort();
    pinholes_free(all);
    return 0;
}
