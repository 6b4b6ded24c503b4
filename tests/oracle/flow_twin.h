/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table's dumb twin: a list of flows that keep all of their packets, searched from one end to the other, whose records are made at
 * the end by going over those packets again.  It knows nothing of sequence space, and packets with two equal ends have no directions for it. */
#ifndef TESTS_FLOW_TWIN_H
#define TESTS_FLOW_TWIN_H

#include "flowaudit/flow.h"

struct twin_flow {
    struct packet *packets;
    size_t         n, size;
    bool           ended;
    enum flow_end  end;
};

struct twin {
    struct twin_flow *flows;
    size_t            n, size;
};

void twin_track(struct twin *, const struct packet *);
/* Into a record that is all zero. */
void twin_record(const struct twin_flow *, struct flow_record *ret);
void twin_clear(struct twin *);

#endif
