/* SPDX-License-Identifier: Apache-2.0 */
/* pinhole_print FILE...: what is announced in captures, a line each: frame, kind, what, address, port, transport, flags. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "flowaudit/capture.h"
#include "flowaudit/flow.h"
#include "flowaudit/pinhole.h"

#define BATCH 64

struct ext {
    struct pinhole_state *state;
    unsigned n_shown;
    bool     done;
};

static void print(void *aux, const struct pinhole *h)
{
    char addr[ADDR_TEXT_SIZE], by[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];

    printf("%s\t%llu\t%s\t%s\t%s\t%s\t%u\t%s\t%s\t%s\t%s\t%s\t%s\n", *(const char **)aux,
           (unsigned long long)h->packet_number, pinhole_kind_name(h->kind), h->what, h->uuid,
           addr_text(&h->addr, addr), h->port, h->transport == IPPROTO_TCP ? "tcp" : "udp", h->rtcp ? "rtcp" : "-",
           h->addr_assumed ? "assumed" : "stated", pinhole_way_name(h->way), addr_text(&h->announcer, by),
           addr_text(&h->requester, to));
}

static void on_flow_end(void *aux, struct flow_record *record, void *ext)
{
    struct ext *e = ext;

    if (e != NULL && record->end != FLOW_END_ACTIVE)
        pinhole_end(*(struct pinholes **)aux, e->state);
}

/* As a shard does it: the first two payloads of a flow are sniffed, the rest only where it is signalling. */
static void show(struct pinholes *pinholes, struct flow_table *flows, const struct packet *p)
{
    struct flow_step step;

    flow_table_track(flows, flow_table_hash(flows, p), p, &step);
    if (step.result != PACKET_OK || p->payload_len == 0)
        return;
    struct ext *e = flow_ext(flows, step.flow);
    if (e == NULL || e->done)
        return;
    if (e->state == NULL)
        e->state = pinhole_begin(pinholes, p);
    e->done = e->state == NULL && ++e->n_shown >= 2;
    if (e->state != NULL && !pinhole_packet(pinholes, e->state, p, step.side)) {
        pinhole_end(pinholes, e->state);
        e->state = NULL;
        e->done = true;
    }
}

static int run(const char *path)
{
    struct flow_options options;
    struct flow_table  *flows;
    struct capture     *capture;
    struct pinholes    *pinholes;
    struct frame        frames[BATCH];
    struct packet       packet;
    struct err          err;
    const char         *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    int                 n;

    if (capture_open_file(path, NULL, &capture, &err) < 0) {
        fprintf(stderr, "%s: %s\n", path, err.msg);
        return 1;
    }
    flow_options_default(&options);
    options.ext_size = sizeof(struct ext);
    if (flow_table_new(&options, on_flow_end, &pinholes, &flows, &err) < 0 ||
        pinholes_new(NULL, print, &name, &pinholes, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    while ((n = capture_next_batch(capture, frames, BATCH, NULL)) > 0) {
        for (int i = 0; i < n; i++) {
            if (packet_decode(&frames[i], &packet) == PACKET_OK)
                show(pinholes, flows, &packet);
        }
    }
    struct pinholes_stats s;
    flow_table_drain(flows, 0);
    pinholes_stats(pinholes, &s);
    fprintf(stderr, "%s: %llu shown, %llu messages, %llu announced, %llu sealed, %llu lost, peak %llu\n", name,
            (unsigned long long)s.n_packets, (unsigned long long)s.n_messages, (unsigned long long)s.n_announced,
            (unsigned long long)s.n_sealed, (unsigned long long)s.n_lost, (unsigned long long)s.n_states_peak);
    pinholes_free(pinholes);
    flow_table_free(flows);
    capture_free(capture);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 0;

    for (int i = 1; i < argc; i++)
        rc |= run(argv[i]);
    return rc;
}
