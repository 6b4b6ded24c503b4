/* SPDX-License-Identifier: Apache-2.0 */
#include "pinhole_drive.h"

#include "flowaudit/capture.h"
#include "flowaudit/flow.h"

#define BATCH 64

struct drive {
    struct pinholes *pinholes;
    struct flow_table *flows;
};

/* Of a flow. */
struct ext {
    struct pinhole_state *state;
    unsigned n_shown;
    bool done;
};

static void on_flow_end(void *aux, struct flow_record *record, void *ext)
{
    struct drive *drive = aux;
    struct ext *e = ext;

    if (e != NULL && record->end != FLOW_END_ACTIVE)
        pinhole_end(drive->pinholes, e->state);
}

/* The first two payloads of a flow are sniffed, the rest only where it is signalling. */
static void show(struct drive *drive, const struct packet *p)
{
    struct flow_step step;

    flow_table_track(drive->flows, flow_table_hash(drive->flows, p), p, &step);
    if (step.result != PACKET_OK || p->payload_len == 0)
        return;
    struct ext *e = flow_ext(drive->flows, step.flow);
    if (e == NULL || e->done)
        return;
    if (e->state == NULL)
        e->state = pinhole_begin(drive->pinholes, p);
    e->done = e->state == NULL && ++e->n_shown >= 2;
    if (e->state != NULL && !pinhole_packet(drive->pinholes, e->state, p, step.side)) {
        pinhole_end(drive->pinholes, e->state);
        e->state = NULL;
        e->done = true;
    }
}

static void read_all(struct drive *drive, struct capture *capture)
{
    struct frame frames[BATCH];
    struct packet packet;
    int n;

    while ((n = capture_next_batch(capture, frames, BATCH, NULL)) > 0) {
        for (int i = 0; i < n; i++) {
            if (packet_decode(&frames[i], &packet) == PACKET_OK)
                show(drive, &packet);
        }
    }
    flow_table_drain(drive->flows, 0);
}

int pinhole_drive(const char *path, pinhole_fn *fn, void *aux, struct pinholes_stats *ret_stats, struct err *reterr)
{
    struct drive drive = {.pinholes = NULL};
    struct flow_options options;
    struct capture *capture;
    int rc = capture_open_file(path, NULL, &capture, reterr);

    if (rc < 0)
        return rc;
    flow_options_default(&options);
    options.ext_size = sizeof(struct ext);
    rc = flow_table_new(&options, on_flow_end, &drive, &drive.flows, reterr);
    if (rc == 0)
        rc = pinholes_new(NULL, fn, aux, &drive.pinholes, reterr);
    if (rc == 0) {
        read_all(&drive, capture);
        pinholes_stats(drive.pinholes, ret_stats);
    }
    flow_table_free(drive.flows);
    pinholes_free(drive.pinholes);
    capture_free(capture);
    return rc;
}
