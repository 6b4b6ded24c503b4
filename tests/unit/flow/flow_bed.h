/* SPDX-License-Identifier: Apache-2.0 */
/* A flow table with its records kept, and packets made from one line of text, for the tests of src/flow. */
#ifndef FLOW_BED_H
#define FLOW_BED_H

#include "flowaudit/flow.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

struct bed {
    struct flow_table  *table;
    struct flow_record *records;
    size_t              n, size;
    void               *last_ext;
    int64_t             now_ns;
    uint64_t            number;
    uint16_t            ip_id;
};

/* 'options' NULL: the defaults. */
void bed_open(struct bed *, const struct flow_options *);
void bed_close(struct bed *);

/*
 * "10.0.0.1:1000 > 10.0.0.2:80 S 100" and so on: source, direction, destination, TCP flags out of SAFRP ("-" = none)
 * with sequence number, acknowledgement (with A), and payload; or "udp" and payload.  Each packet is a millisecond
 * after the one before and has a new IP identification, TTL 64 and 54 bytes more than its payload.
 */
struct packet bed_packet(struct bed *, const char *text);
/* The same, tracked. */
struct flow_step bed_track(struct bed *, const char *text);
struct flow_step bed_put(struct bed *, const struct packet *);
/* Drains, and expects this many records in all. */
void bed_drain(struct bed *, size_t n_expected);

#endif
