/* SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

static int8_t earlier_side(const struct flow_record *r)
{
    if (r->packets[0] == 0 || r->packets[1] == 0 || r->sent_first_ns[0] == r->sent_first_ns[1])
        return -1;
    return r->sent_first_ns[1] < r->sent_first_ns[0];
}

void kept_flow_make(const struct flow_record *r, const struct app *app, struct kept_flow *ret)
{
    *ret = (struct kept_flow){
        .first_ns = r->first_ns, .last_ns = r->last_ns, .first_packet = r->first_packet, .app = app,
        .packets = {r->packets[0], r->packets[1]}, .bytes = {r->bytes[0], r->bytes[1]}, .payload = {r->payload[0], r->payload[1]},
        .unseen_bytes = {r->unseen_bytes[0], r->unseen_bytes[1]}, .duplicates = r->duplicates, .retransmissions = r->retransmissions,
        .icmp_errors = r->icmp.n_errors, .icmp_packet_number = r->icmp.packet_number, .icmp_sender = r->icmp.sender,
        .tuple = r->tuple, .vlan = {r->vlan[0], r->vlan[1]}, .input = r->input, .tcp_flags = {r->tcp_flags[0], r->tcp_flags[1]},
        .icmp_type = r->icmp.type, .icmp_code = r->icmp.code, .direction = (uint8_t)r->direction, .tcp_state = (uint8_t)r->tcp_state,
        .closed = (uint8_t)r->closed, .end = (uint8_t)r->end, .earlier_side = earlier_side(r),
    };
}

void kept_flow_record(const struct kept_flow *k, struct flow_record *ret)
{
    *ret = (struct flow_record){
        .first_ns = k->first_ns, .last_ns = k->last_ns, .first_packet = k->first_packet, .app = *k->app,
        .packets = {k->packets[0], k->packets[1]}, .bytes = {k->bytes[0], k->bytes[1]}, .payload = {k->payload[0], k->payload[1]},
        .unseen_bytes = {k->unseen_bytes[0], k->unseen_bytes[1]}, .duplicates = k->duplicates, .retransmissions = k->retransmissions,
        .icmp = {.n_errors = k->icmp_errors, .packet_number = k->icmp_packet_number, .sender = k->icmp_sender, .type = k->icmp_type, .code = k->icmp_code},
        .tuple = k->tuple, .vlan = {k->vlan[0], k->vlan[1]}, .input = k->input, .tcp_flags = {k->tcp_flags[0], k->tcp_flags[1]},
        .direction = (enum direction_basis)k->direction, .tcp_state = (enum tcp_state)k->tcp_state, .closed = (enum flow_closed)k->closed,
        .end = (enum flow_end)k->end,
    };
}

#define SWAP(x) do { __typeof__((x)[0]) swapped = (x)[0]; (x)[0] = (x)[1]; (x)[1] = swapped; } while (0)

void kept_flow_swap(struct kept_flow *k)
{
    struct tuple t = k->tuple;

    k->tuple = (struct tuple){t.server, t.client, t.server_port, t.client_port, t.transport};
    SWAP(k->packets);
    SWAP(k->bytes);
    SWAP(k->payload);
    SWAP(k->unseen_bytes);
    SWAP(k->tcp_flags);
    SWAP(k->vlan);
    if (k->earlier_side >= 0)
        k->earlier_side = !k->earlier_side;
}

int kept_flow_compare(const struct kept_flow *a, const struct kept_flow *b)
{
    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    if (a->input != b->input)
        return a->input < b->input ? -1 : 1;
    return a->first_packet < b->first_packet ? -1 : a->first_packet > b->first_packet;
}
