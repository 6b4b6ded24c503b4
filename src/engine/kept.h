/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that a conversation keeps as evidence: of a flow's record what the record on disk has, for there may be hundreds of thousands. */
#ifndef ENGINE_KEPT_H
#define ENGINE_KEPT_H

#include "flowaudit/value.h"

/* See struct flow_record. */
struct kept_flow {
    int64_t           first_ns, last_ns;
    uint64_t          first_packet;
    const struct app *app; /* interned (apps.h) */
    uint64_t          packets[2], bytes[2], payload[2], unseen_bytes[2], duplicates, retransmissions;
    uint64_t          icmp_errors, icmp_packet_number;
    struct addr       icmp_sender;
    struct tuple      tuple;
    uint16_t          vlan[2], input;
    uint8_t           tcp_flags[2], icmp_type, icmp_code;
    uint8_t           direction, tcp_state, closed, end;
    int8_t            earlier_side; /* of both that sent the one whose first packet is the earlier; -1: neither, or only one sent */
};

void kept_flow_make(const struct flow_record *, const struct app *, struct kept_flow *ret);
/* What is not kept is 0. */
void kept_flow_record(const struct kept_flow *, struct flow_record *ret);
/* As flow_record_swap(). */
void kept_flow_swap(struct kept_flow *);
/* By their first packets; <0, 0 or >0. */
int  kept_flow_compare(const struct kept_flow *, const struct kept_flow *);

#endif
