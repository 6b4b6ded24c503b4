/* SPDX-License-Identifier: Apache-2.0 */
/* One frame through the decoder.  Input: link type, bytes on the wire beyond those captured (two each), the frame. */
#include "fuzz.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/packet.h"

static void must_lie_in(const struct frame *f, const uint8_t *at, size_t n)
{
    fuzz_must(at >= f->data && at <= f->data + f->caplen && n <= (size_t)(f->data + f->caplen - at));
}

/* What the flow table and the classifier rely on. */
static void check_packet(const struct frame *f, const struct packet *p, enum packet_result result)
{
    fuzz_must(p->ts_ns == f->ts_ns && p->number == f->number && p->wire_len == f->wirelen);
    if (result != PACKET_OK && result != PACKET_FRAGMENT && result != PACKET_ICMP_ERROR)
        return;
    must_lie_in(f, p->l3, p->l3_len);
    if (result == PACKET_ICMP_ERROR) {
        fuzz_must(p->quote.transport == IPPROTO_TCP || p->quote.transport == IPPROTO_UDP);
        return;
    }
    if (p->payload_len > 0)
        must_lie_in(f, p->payload, p->payload_len);
    fuzz_must(p->n_tunnels <= PACKET_MAX_TUNNELS);
    if (result == PACKET_OK)
        fuzz_must((p->transport == IPPROTO_TCP || p->transport == IPPROTO_UDP) && p->payload_len <= p->l3_len);
}

/* What is no tunnel over UDP comes out the same the direct way and the general one. */
static void check_ways(const struct frame *f, const struct packet *p, enum packet_result result)
{
    struct packet general;

    if ((p->encap & (ENCAP_VXLAN | ENCAP_GENEVE)) != 0)
        return;
    fuzz_must(packet_decode_carrier(f, &general) == result);
    general.is_carrier = false;
    fuzz_must(memcmp(p, &general, offsetof(struct packet, quote)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz   in = {data, size};
    struct frame  f = {.ts_ns = 1, .number = 1, .linktype = fuzz_u16(&in)};
    struct packet p;
    size_t        beyond = fuzz_u16(&in), n;
    uint8_t      *copy = fuzz_copy(&in, SIZE_MAX, &n);

    f.data = copy;
    f.caplen = (uint32_t)n;
    f.wirelen = (uint32_t)(n + beyond);
    enum packet_result result = packet_decode(&f, &p);
    fuzz_must(result < PACKET_N_RESULTS && result != PACKET_FILTERED && result != PACKET_FLOW_LIMIT && result != PACKET_FRAGMENT_ORPHAN);
    fuzz_must(packet_linktype_known(f.linktype) == (result != PACKET_LINKTYPE) || n == 0);
    check_packet(&f, &p, result);
    check_ways(&f, &p, result);
    free(copy);
    return 0;
}
