/* SPDX-License-Identifier: Apache-2.0 */
/* Flows: their ends, their time, what they count. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/flow/flow-private.h"
#include "flow_bed.h"

static struct bed bed;

static void open_bed(void)
{
    bed_open(&bed, NULL);
}

static void close_bed(void)
{
    bed_close(&bed);
}

static const char *const ends[][2] = {
    {"10.0.0.1:1000", "10.0.0.2:80"},   {"10.0.0.2:1000", "10.0.0.1:80"},     {"10.0.0.1:1000", "10.0.0.1:80"},
    {"10.0.0.1:80", "10.0.0.1:1000"},   {"[fd00::1]:1000", "[fd00::2]:80"},   {"[fd00::2]:80", "[fd00::1]:1000"},
    {"[fd00::1]:1", "[fd00::1]:65535"}, {"255.255.255.255:9", "0.0.0.0:9"},
};

START_TEST(both_directions_meet_whatever_the_order_of_the_ends)
{
    char there[160], back[160], text[ADDR_TEXT_SIZE], want[ADDR_TEXT_SIZE];

    snprintf(there, sizeof(there), "%s > %s udp 10", ends[_i][0], ends[_i][1]);
    snprintf(back, sizeof(back), "%s > %s udp 300", ends[_i][1], ends[_i][0]);
    struct packet a = bed_packet(&bed, there), b = bed_packet(&bed, back);
    ck_assert_uint_eq(flow_table_hash(bed.table, &a), flow_table_hash(bed.table, &b));

    struct flow_step first = bed_put(&bed, &a), second = bed_put(&bed, &b);
    ck_assert(first.is_new && !second.is_new);
    ck_assert_uint_ne(first.side, second.side);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    ck_assert_str_eq(addr_text(&r->tuple.client, text), addr_text(&a.src, want));
    ck_assert_str_eq(addr_text(&r->tuple.server, text), addr_text(&a.dst, want));
    ck_assert_uint_eq(r->tuple.client_port, a.sport);
    ck_assert_uint_eq(r->tuple.server_port, a.dport);
    ck_assert_uint_eq(r->packets[0], 1);
    ck_assert_uint_eq(r->packets[1], 1);
    ck_assert_uint_eq(r->bytes[0], 64);
    ck_assert_uint_eq(r->bytes[1], 354);
    ck_assert_uint_eq(r->payload[0], 10);
    ck_assert_uint_eq(r->payload[1], 300);
    ck_assert_int_eq(r->direction, DIRECTION_FIRST);
    ck_assert_int_eq(r->end, FLOW_END_FORCED);
}
END_TEST

/* What changes from one flow to the next. */
static const struct {
    const char *src, *dst;
    unsigned    sport, dport, port_step, address_step, byte; /* the last of the address that changes */
} scans[] = {
    {"10.0.0.1", "10.0.0.2", 1024, 80, 1, 0, 15},
    {"10.0.0.1", "10.0.0.2", 0, 80, 2, 0, 15},
    {"10.0.0.1", "172.16.0.0", 40000, 80, 0, 1, 15},
    {"10.0.0.1", "172.0.0.1", 40000, 80, 0, 16, 14},
    {"10.0.0.1", "10.0.0.2", 40000, 80, 1, 1, 15},
    {"fd00::1", "fd00::1:0:0:0", 40000, 443, 0, 1, 15},
    {"fd00::1", "fd00:0:0:0::1", 40000, 443, 1, 1, 7},
};

enum { N_SCANNED = 100000 };

static uint32_t tag_of_scan(unsigned scan, uint32_t i, const struct hash_pairs *h)
{
    struct addr     src, dst;
    struct flow_key key;
    unsigned        side, byte = scans[scan].byte;

    ck_assert(addr_parse(scans[scan].src, &src) == 0 && addr_parse(scans[scan].dst, &dst) == 0);
    for (uint32_t left = i * scans[scan].address_step; left != 0; left >>= 8, byte--) {
        left += dst.bytes[byte];
        dst.bytes[byte] = (uint8_t)left;
    }
    uint32_t port = scans[scan].sport + i * scans[scan].port_step;
    flow_key_make(&src, (uint16_t)port, &dst, (uint16_t)(scans[scan].dport + (port >> 16)), IPPROTO_TCP, &key, &side);
    return flow_key_hash(&key, h);
}

/* Of slots to be looked at, 1.45 in the mean are what evenly distributed tags give here, and 50 at most. */
START_TEST(flows_of_a_scan_lie_as_far_apart_in_the_index_as_any_others)
{
    struct hash_pairs h;
    struct index      x;
    struct err        err;
    uint64_t          n_looked_at = 0;

    hash_pairs_init(&h, &(const struct hash_key){1, 2});
    ck_assert_int_eq(index_init(&x, &err), 0);
    for (uint32_t i = 0; i < N_SCANNED; i++)
        ck_assert(index_insert(&x, tag_of_scan((unsigned)_i, i, &h), i + 1));
    for (uint32_t i = 0; i < N_SCANNED; i++) {
        uint32_t              tag = tag_of_scan((unsigned)_i, i, &h), n = 1;
        const struct segment *s = index_segment(&x, tag);

        while (s->slots[(tag + n - 1) % SEGMENT_SLOTS].ref != i + 1)
            n++;
        ck_assert_uint_le(n, 80);
        n_looked_at += n;
    }
    ck_assert_uint_le(n_looked_at, N_SCANNED / 10 * 16);
    index_free(&x);
}
END_TEST

/* Who sent when, in seconds; and what is known of either side in the end. */
static const struct {
    const char *senders; /* 'c'lient or 's'erver */
    int64_t     at[6], first[2], last[2];
} timed[] = {
    {"c", {7}, {7, 0}, {7, 0}},
    {"cs", {7, 9}, {7, 9}, {7, 9}},
    {"cc", {7, 9}, {7, 0}, {9, 0}},
    {"cs", {7, 7}, {7, 7}, {7, 7}},
    {"cs", {9, 7}, {9, 7}, {9, 7}},
    {"ccs", {1, 5, 9}, {1, 9}, {5, 9}},
    {"cssssc", {1, 2, 3, 4, 5, 6}, {1, 2}, {6, 5}},
    {"csccc", {1, 2, 3, 4, 37}, {1, 2}, {37, 2}},
    {"csscsc", {1, 2, 9, 8, 7, 5}, {1, 2}, {8, 9}}, /* late ones */
    {"ccccs", {5, 6, 7, 8, 3}, {5, 3}, {8, 3}},
};

START_TEST(each_side_has_times_of_its_own)
{
    size_t n = strlen(timed[_i].senders);

    for (size_t i = 0; i < n; i++) {
        struct packet p = bed_packet(&bed, timed[_i].senders[i] == 'c' ? "10.0.0.9:5000 > 10.0.0.2:53 udp 10" : "10.0.0.2:53 > 10.0.0.9:5000 udp 10");

        p.ts_ns = timed[_i].at[i] * SECOND;
        bed_put(&bed, &p);
    }
    bed_drain(&bed, 1);
    struct flow_record r = bed.records[0];
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 2; i++) {
            ck_assert_int_eq(r.sent_first_ns[i ^ turn], timed[_i].first[i] * SECOND);
            ck_assert_int_eq(r.sent_last_ns[i ^ turn], timed[_i].last[i] * SECOND);
        }
        flow_record_swap(&r);
    }
}
END_TEST

START_TEST(equal_ends_are_one_flow_of_one_side)
{
    bed_track(&bed, "10.0.0.1:7 > 10.0.0.1:7 udp 1");
    struct flow_step step = bed_track(&bed, "10.0.0.1:7 > 10.0.0.1:7 udp 2");
    ck_assert(!step.is_new);
    ck_assert_uint_eq(step.side, 0);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], 2);
    ck_assert_uint_eq(bed.records[0].packets[1], 0);
    ck_assert_uint_eq(bed.records[0].payload[0], 3);
}
END_TEST

START_TEST(transports_and_families_are_kept_apart)
{
    bed_track(&bed, "10.0.0.1:7 > 10.0.0.2:7 udp 1");
    ck_assert(bed_track(&bed, "10.0.0.1:7 > 10.0.0.2:7 S 1").is_new);
    ck_assert(bed_track(&bed, "[::ffff:0:a00:1]:7 > [::a00:2]:7 udp 1").is_new);
    bed_drain(&bed, 3);
}
END_TEST

START_TEST(a_flow_of_one_packet_tells_all_and_takes_no_detail)
{
    struct packet p = bed_packet(&bed, "10.9.9.9:5 > 10.0.0.2:80 S 77");

    p.vlan = 300;
    p.ttl = 33;
    p.input = 513;
    p.number = UINT64_C(0x1234567890);
    p.encap = ENCAP_VLAN | ENCAP_GRE;
    p.flags = PACKET_CUT;
    p.ts_ns = 5;
    struct flow_step step = bed_put(&bed, &p);
    ck_assert_uint_eq(flow_bytes(bed.table, step.flow, step.side), 54);
    ck_assert_uint_eq(flow_bytes(bed.table, step.flow, !step.side), 0);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    ck_assert_ptr_null(bed.last_ext);
    ck_assert_uint_eq(r->vlan[0], 300);
    ck_assert_uint_eq(r->ttl[0][0].ttl.min, 33);
    ck_assert_uint_eq(r->ttl[0][0].ttl.max, 33);
    ck_assert_uint_eq(r->ttl[1][0].ttl.max, 0);
    ck_assert_uint_eq(r->input, 513);
    ck_assert_uint_eq(r->first_packet, UINT64_C(0x1234567890));
    ck_assert_uint_eq(r->encap, ENCAP_VLAN | ENCAP_GRE);
    ck_assert(r->cut && !r->group && !r->has_fragments);
    ck_assert_int_eq(r->first_ns, 5);
    ck_assert_int_eq(r->last_ns, 5);
    ck_assert_uint_eq(r->tcp_flags[0], TCP_SYN);
    ck_assert_int_eq(r->tcp_state, TCP_STATE_SYN);
    ck_assert_int_eq(r->direction, DIRECTION_SYN);
}
END_TEST

/* A flow of two packets: how the second one is, and whether the flow takes a detail for it. */
static const struct {
    const char *second;
    int64_t     later_ns;
    uint8_t     ttl;
    bool        tagged, detail;
} seconds[] = {
    {"10.0.0.1:5 > 10.0.0.2:80 S 77", 7, 64, false, false},
    {"10.0.0.1:5 > 10.0.0.2:80 S 77", 5 * SECOND, 64, false, false},
    {"10.0.0.1:5 > 10.0.0.2:80 S 77", 5 * SECOND + 1, 64, false, true}, /* no whole microseconds */
    {"10.0.0.1:5 > 10.0.0.2:80 S 77", -7, 64, false, false},
    {"10.0.0.2:80 > 10.0.0.1:5 SA 4000000000 78", 7, 61, false, false},
    {"10.0.0.2:80 > 10.0.0.1:5 RA 0 78", 7, 61, false, false},
    {"10.0.0.2:80 > 10.0.0.1:5 R 78", 7, 61, false, false},
    {"10.0.0.2:80 > 10.0.0.1:5 SA 4000000000 78", 7, 61, true, true},
    {"10.0.0.2:80 > 10.0.0.1:5 SA 4000000000 4000000000", 7, 61, false, true},
    {"10.0.0.1:5 > 10.0.0.2:80 A 78 1", 7, 64, false, true}, /* other flags of the same side */
};

START_TEST(a_flow_of_two_packets_tells_both_and_takes_a_detail_only_where_they_are_odd)
{
    struct packet first = bed_packet(&bed, "10.0.0.1:5 > 10.0.0.2:80 S 77"), p = bed_packet(&bed, seconds[_i].second);

    p.ts_ns = first.ts_ns + seconds[_i].later_ns;
    p.ttl = seconds[_i].ttl;
    p.vlan = seconds[_i].tagged ? 9 : 0;
    bed_put(&bed, &first);
    struct flow_step step = bed_put(&bed, &p);
    ck_assert(!step.is_new);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    bool                      back = p.sport == 80;
    ck_assert(seconds[_i].detail == (bed.last_ext != NULL));
    ck_assert_uint_eq(r->packets[0], back ? 1 : 2);
    ck_assert_uint_eq(r->packets[1], back);
    ck_assert_uint_eq(r->bytes[back], back ? 54 : 108);
    ck_assert_uint_eq((p.tcp_flags & TCP_RST) != 0 ? r->rst_ttl : r->ttl[back][seconds[_i].tagged && !back].ttl.max, p.ttl);
    ck_assert_uint_eq(r->tcp_flags[back], p.tcp_flags | (back ? 0 : TCP_SYN));
    ck_assert_int_eq(r->first_ns, p.ts_ns < first.ts_ns ? p.ts_ns : first.ts_ns);
    ck_assert_int_eq(r->last_ns, p.ts_ns < first.ts_ns ? first.ts_ns : p.ts_ns);
    ck_assert_int_eq(r->first_packet, (int64_t)first.number);
}
END_TEST

/* A span port for weeks has more packets than a flow has bits for the number: the last one stands for all after it. */
START_TEST(a_packet_number_beyond_what_a_flow_holds_is_the_last_one)
{
    const uint64_t last = (UINT64_C(1) << 40) - 1;

    for (unsigned i = 0; i < 3; i++) {
        char text[64];

        snprintf(text, sizeof(text), "10.0.0.1:%u > 10.0.0.2:53 udp 1", 1000 + i);
        struct packet p = bed_packet(&bed, text);
        p.number = last - 1 + i;
        bed_put(&bed, &p);
    }
    bed_drain(&bed, 3);
    unsigned n_before = 0;
    for (unsigned i = 0; i < 3; i++) {
        n_before += bed.records[i].first_packet == last - 1;
        ck_assert(bed.records[i].first_packet == last - 1 || bed.records[i].first_packet == last);
    }
    ck_assert_uint_eq(n_before, 1);
}
END_TEST

START_TEST(what_the_first_packet_told_outlives_the_second)
{
    struct packet p = bed_packet(&bed, "10.9.9.9:5 > 10.0.0.2:80 udp 7");

    p.vlan = 300;
    p.ttl = 33;
    p.flags = PACKET_GROUP;
    p.input = 4;
    p.number = 99;
    bed_put(&bed, &p);
    p = bed_packet(&bed, "10.9.9.9:5 > 10.0.0.2:80 udp 8");
    p.ttl = 30;
    bed_put(&bed, &p);
    p = bed_packet(&bed, "10.0.0.2:80 > 10.9.9.9:5 udp 9");
    p.vlan = 301;
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    ck_assert_uint_eq(r->vlan[0], 300);
    ck_assert_uint_eq(r->vlan[1], 301);
    ck_assert_uint_eq(r->ttl[0][0].ttl.max, 33);
    ck_assert_uint_eq(r->ttl[0][1].ttl.max, 30); /* with another tag, so that it may have passed a router */
    ck_assert_uint_eq(r->ttl[1][0].ttl.min, 64);
    ck_assert_uint_eq(r->input, 4);
    ck_assert_uint_eq(r->first_packet, 99);
    ck_assert_uint_eq(r->bytes[0], 54 + 7 + 54 + 8);
    ck_assert_uint_eq(r->payload[0], 15);
    ck_assert(r->group);
    ck_assert_int_eq(r->last_ns - r->first_ns, 2 * MS);
}
END_TEST

/* Up to three packets each: "<" comes back; then m of the link-layer address, g of the IP address, - to one station, ? on a link without addresses. */
static const struct {
    const char *packets[3];
    const char *transport;
    bool        group;
} groups[] = {
    {{">m", ">m", ">m"}, "udp 5", true},
    {{">m", NULL, NULL}, "udp 5", true},
    {{">m", ">m", NULL}, "udp 5", true},
    {{">m", ">-", NULL}, "udp 5", false},
    {{">-", ">m", ">m"}, "udp 5", false},
    {{">m", ">m", ">-"}, "udp 5", false},
    {{">m", "<-", NULL}, "udp 5", false},
    {{">m", "<m", ">m"}, "udp 5", false},
    {{"<m", ">m", ">m"}, "udp 5", false},
    {{">-", "<-", ">m"}, "udp 5", false},
    {{">?", ">m", ">?"}, "udp 5", true},
    {{">?", ">?", NULL}, "udp 5", false},
    {{">?", ">m", "<?"}, "udp 5", false},
    {{">m", ">?", ">-"}, "udp 5", false},
    {{">g", "<-", ">-"}, "udp 5", true},
    {{">m", ">m", ">m"}, "A 1 1", false},
    {{">m", NULL, NULL}, "S 1", false},
    {{">g", ">m", NULL}, "S 1", true},
};

START_TEST(only_datagrams_go_to_a_group_and_a_frame_is_believed_while_all_agree)
{
    for (unsigned i = 0; i < 3 && groups[_i].packets[i] != NULL; i++) {
        const char *how = groups[_i].packets[i];
        char        text[64];

        snprintf(text, sizeof(text), "%s %s", how[0] == '>' ? "10.9.9.9:5 > 10.0.0.2:80" : "10.0.0.2:80 > 10.9.9.9:5", groups[_i].transport);
        struct packet p = bed_packet(&bed, text);
        p.flags |= how[1] == 'm' ? PACKET_LINK_GROUP : how[1] == 'g' ? PACKET_GROUP : 0;
        p.to_station = how[1] == '-';
        bed_put(&bed, &p);
    }
    bed_drain(&bed, 1);
    ck_assert_int_eq(bed.records[0].group, groups[_i].group);
}
END_TEST

START_TEST(idle_is_more_than_the_timeout_and_by_packet_time)
{
    struct packet p = bed_packet(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");

    bed_put(&bed, &p);
    p.ts_ns += 900 * SECOND;
    ck_assert(!bed_put(&bed, &p).is_new);
    p.ts_ns += 900 * SECOND + 1;
    ck_assert(bed_put(&bed, &p).is_new);
    ck_assert_uint_eq(bed.n, 1);
    ck_assert_int_eq(bed.records[0].end, FLOW_END_IDLE);
    ck_assert_uint_eq(bed.records[0].packets[0], 2);
    bed_drain(&bed, 2);
}
END_TEST

START_TEST(tcp_has_a_timeout_of_its_own)
{
    struct packet p = bed_packet(&bed, "10.0.0.1:5 > 10.0.0.2:80 S 7");

    bed_put(&bed, &p);
    p.ts_ns += 3600 * SECOND;
    ck_assert(!bed_put(&bed, &p).is_new);
    p.ts_ns += 3600 * SECOND + 1;
    ck_assert(bed_put(&bed, &p).is_new);
    bed_drain(&bed, 2);
}
END_TEST

START_TEST(time_may_step_back)
{
    struct packet p = bed_packet(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    int64_t       start = p.ts_ns;

    bed_put(&bed, &p);
    p.ts_ns = start - 5000 * SECOND;
    ck_assert(!bed_put(&bed, &p).is_new);
    bed_drain(&bed, 1);
    ck_assert_int_eq(bed.records[0].first_ns, start - 5000 * SECOND);
    ck_assert_int_eq(bed.records[0].last_ns, start);
}
END_TEST

START_TEST(times_at_the_ends_of_the_scale_do_no_harm)
{
    struct packet p = bed_packet(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    int64_t       times[] = {INT64_MIN, INT64_MAX, 0, INT64_MIN, INT64_MAX, -1};

    for (unsigned i = 0; i < 6; i++) {
        p.ts_ns = times[i];
        ck_assert_int_eq(bed_put(&bed, &p).result, PACKET_OK);
        flow_table_sweep(bed.table, times[i], 10);
    }
    flow_table_drain(bed.table, INT64_MAX);
    uint64_t packets = 0;
    for (size_t i = 0; i < bed.n; i++)
        packets += bed.records[i].packets[0];
    ck_assert_uint_eq(packets, 6);
}
END_TEST

START_TEST(a_long_flow_is_recorded_in_parts_that_know_their_client)
{
    struct flow_options o;
    struct bed          b;

    flow_options_default(&o);
    o.active_ns = 60 * SECOND;
    o.ext_size = 8;
    bed_open(&b, &o);
    bed_track(&b, "10.0.0.9:1000 > 10.0.0.2:80 S 100");
    struct flow_step step = bed_track(&b, "10.0.0.2:80 > 10.0.0.9:1000 SA 500 101");
    *(uint64_t *)flow_ext(b.table, step.flow) = 42;
    bed_track(&b, "10.0.0.9:1000 > 10.0.0.2:80 A 101 501");
    b.now_ns += 61 * SECOND;
    step = bed_track(&b, "10.0.0.2:80 > 10.0.0.9:1000 A 501 101 20");
    ck_assert(!step.is_new);
    ck_assert_uint_eq(b.n, 1);
    ck_assert_int_eq(b.records[0].end, FLOW_END_ACTIVE);
    ck_assert_uint_eq(b.records[0].packets[0], 2);
    ck_assert_uint_eq(*(uint64_t *)flow_ext(b.table, step.flow), 42);
    bed_drain(&b, 2);
    const struct flow_record *r = &b.records[1];
    ck_assert_uint_eq(r->packets[0], 0);
    ck_assert_uint_eq(r->packets[1], 1);
    ck_assert_uint_eq(r->payload[1], 20);
    ck_assert_int_eq(r->direction, DIRECTION_SYN);
    ck_assert_uint_eq(r->tuple.server_port, 80);
    ck_assert_int_eq(r->tcp_state, TCP_STATE_ESTABLISHED);
    ck_assert_uint_eq(r->first_packet, 4);
    bed_close(&b);
}
END_TEST

START_TEST(the_shards_bytes_start_as_zero_and_come_back_at_the_end)
{
    struct flow_options o;
    struct bed          b;

    flow_options_default(&o);
    o.ext_size = 24;
    bed_open(&b, &o);
    for (unsigned round = 0; round < 2; round++) {
        struct flow_step step = bed_track(&b, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
        uint64_t        *ext = flow_ext(b.table, step.flow);

        ck_assert_uint_eq((uintptr_t)ext % 8, 0);
        for (unsigned i = 0; i < 3; i++) {
            ck_assert_uint_eq(ext[i], 0);
            ext[i] = UINT64_MAX;
        }
        step = bed_track(&b, "10.0.0.2:53 > 10.0.0.1:5 udp 7");
        ck_assert_ptr_eq(flow_ext(b.table, step.flow), ext);
        bed_drain(&b, round + 1);
        ck_assert_ptr_eq(b.last_ext, ext);
    }
    bed_close(&b);
}
END_TEST

static const uint64_t *ext_after(struct bed *b, const char *packet)
{
    struct flow_step step = bed_track(b, packet);

    return flow_ext(b->table, step.flow);
}

/* A question and its answer take no detail for them; a third packet and an error do. */
START_TEST(the_shards_bytes_go_with_the_flow_to_its_detail)
{
    struct flow_options o;
    struct bed          b;

    flow_options_default(&o);
    o.ext_size = 24;
    bed_open(&b, &o);
    struct flow_step step = bed_track(&b, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    uint64_t        *ext = flow_ext(b.table, step.flow);
    ext[0] = 42;
    ext[2] = 43;
    flow_set_client(b.table, step.flow, 1);
    ck_assert_ptr_eq(ext_after(&b, "10.0.0.2:53 > 10.0.0.1:5 udp 7"), ext);
    if (_i == 0) {
        bed_track(&b, "10.0.0.1:5 > 10.0.0.2:53 udp 9");
    } else {
        struct packet p = bed_packet(&b, "10.0.0.1:5 > 10.0.0.2:53 udp 7");

        p.quote = (struct packet_quote){p.src, p.dst, p.sport, p.dport, p.transport, 3, 3, false, 0};
        p.transport = IPPROTO_ICMP;
        ck_assert(flow_table_icmp_error(b.table, &p));
    }
    const uint64_t *moved = flow_ext(b.table, step.flow);
    ck_assert_ptr_ne(moved, ext);
    ck_assert_uint_eq(moved[0], 42);
    ck_assert_uint_eq(moved[1], 0);
    ck_assert_uint_eq(moved[2], 43);
    /* The place is another flow's now, and zero again. */
    const uint64_t *other = ext_after(&b, "10.0.0.3:5 > 10.0.0.2:53 udp 7");
    ck_assert_ptr_eq(other, ext);
    ck_assert_uint_eq(other[0] | other[2], 0);
    bed_drain(&b, 2);
    ck_assert_int_eq(b.records[0].direction, DIRECTION_CONTENT);
    ck_assert_uint_eq(b.records[0].tuple.server_port, 5);
    bed_close(&b);
}
END_TEST

START_TEST(packet_counters_go_on_beyond_32_bits)
{
    bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    struct flow_step step = bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    step.flow->packets[step.side] = UINT32_MAX;
    bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], (uint64_t)UINT32_MAX + 2);
}
END_TEST

START_TEST(content_outweighs_the_first_packet_and_not_a_syn)
{
    struct flow_step step = bed_track(&bed, "10.0.0.9:53 > 10.0.0.2:4000 udp 7");
    flow_set_client(bed.table, step.flow, !step.side);
    step = bed_track(&bed, "10.0.0.9:1000 > 10.0.0.2:80 S 7");
    flow_set_client(bed.table, step.flow, !step.side);
    bed_drain(&bed, 2);
    ck_assert_uint_eq(bed.records[0].tuple.server_port, 53);
    ck_assert_int_eq(bed.records[0].direction, DIRECTION_CONTENT);
    ck_assert_uint_eq(bed.records[0].packets[1], 1);
    ck_assert_uint_eq(bed.records[1].tuple.server_port, 80);
    ck_assert_int_eq(bed.records[1].direction, DIRECTION_SYN);
}
END_TEST

START_TEST(a_sweep_frees_and_changes_no_record)
{
    struct flow_table_stats stats;

    bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7");
    bed_track(&bed, "[fd00::1]:5 > [fd00::2]:53 udp 7");
    bed_track(&bed, "10.0.0.1:6 > 10.0.0.2:80 S 7");
    flow_table_sweep(bed.table, bed.now_ns + 1000 * SECOND, 0);
    ck_assert_uint_eq(bed.n, 0);
    flow_table_sweep(bed.table, bed.now_ns + 1000 * SECOND, 100);
    ck_assert_uint_eq(bed.n, 0); /* a packet of up to two minutes ago may still come */
    flow_table_sweep(bed.table, bed.now_ns + 1021 * SECOND, 100);
    ck_assert_uint_eq(bed.n, 2);
    ck_assert_int_eq(bed.records[0].end, FLOW_END_IDLE);
    flow_table_stats(bed.table, &stats);
    ck_assert_uint_eq(stats.n_flows, 1);
    ck_assert_uint_eq(stats.n_created, 3);
    ck_assert_uint_eq(stats.n_peak, 3);
    ck_assert(bed_track(&bed, "10.0.0.1:5 > 10.0.0.2:53 udp 7").is_new);
    flow_table_drain(bed.table, bed.now_ns + 1021 * SECOND);
    /* One is over, the other is not; the drain may tell either first. */
    ck_assert_int_eq(bed.records[bed.records[2].end == FLOW_END_IDLE ? 3 : 2].end, FLOW_END_FORCED);
    ck_assert_int_eq(bed.records[bed.records[2].end == FLOW_END_IDLE ? 2 : 3].end, FLOW_END_IDLE);
}
END_TEST

/* 3,000 flows of both families, some with more packets than one: each ends once, and the hash key does not decide the order. */
START_TEST(the_order_of_the_drain_depends_on_the_packets_alone)
{
    static struct bed other;

    bed_open(&other, NULL);
    for (unsigned i = 0; i < 4000; i++) {
        static const char *const texts[] = {"10.0.0.1:5 > 10.0.0.2:53 udp 7", "[fd00::1]:5 > [fd00::2]:53 udp 7"};
        struct bed              *beds[] = {&bed, &other};

        for (unsigned k = 0; k < 2; k++) {
            struct packet p = bed_packet(beds[k], texts[i % 3 == 0]);

            p.sport = (uint16_t)(1000 + i % 3000);
            p.ts_ns = (int64_t)(i * 2654435761u % 700) * SECOND - 350 * SECOND;
            p.input = (uint16_t)(i * 40503u % 3);
            bed_put(beds[k], &p);
        }
    }
    bed_drain(&bed, 3000);
    bed_drain(&other, 3000);
    for (size_t i = 0; i < bed.n; i++)
        ck_assert_mem_eq(&bed.records[i].tuple, &other.records[i].tuple, sizeof(struct tuple));
    bed_close(&other);
}
END_TEST

START_TEST(a_swapped_record_is_turned_in_all_its_parts)
{
    struct packet p = bed_packet(&bed, "10.0.0.1:1000 > 10.0.0.2:80 A 7 8 3");

    p.vlan = 5;
    bed_put(&bed, &p);
    bed_track(&bed, "10.0.0.2:80 > 10.0.0.1:1000 RA 8 10");
    bed_drain(&bed, 1);
    struct flow_record r = bed.records[0];
    ck_assert(r.closed_by_server && r.rst_from_server_side);
    flow_record_swap(&r);
    ck_assert(!r.closed_by_server && !r.rst_from_server_side);
    ck_assert_uint_eq(r.tuple.client_port, 80);
    ck_assert_uint_eq(r.tuple.server_port, 1000);
    ck_assert_uint_eq(r.payload[1], 3);
    ck_assert_uint_eq(r.bytes[1], 57);
    ck_assert_uint_eq(r.vlan[1], 5);
    ck_assert_uint_eq(r.tcp_flags[0], TCP_RST | TCP_ACK);
    flow_record_swap(&r);
    ck_assert_mem_eq(&r, &bed.records[0], sizeof(r));
}
END_TEST

Suite *suite_flow(void);

Suite *suite_flow(void)
{
    Suite *s = suite_create("flow");
    TCase *tc = tcase_create("table");

    tcase_add_checked_fixture(tc, open_bed, close_bed);
    tcase_add_loop_test(tc, both_directions_meet_whatever_the_order_of_the_ends, 0,
                        (int)(sizeof(ends) / sizeof(*ends)));
    tcase_add_loop_test(tc, flows_of_a_scan_lie_as_far_apart_in_the_index_as_any_others, 0, (int)(sizeof(scans) / sizeof(*scans)));
    tcase_add_loop_test(tc, each_side_has_times_of_its_own, 0, (int)(sizeof(timed) / sizeof(*timed)));
    tcase_add_test(tc, equal_ends_are_one_flow_of_one_side);
    tcase_add_test(tc, transports_and_families_are_kept_apart);
    tcase_add_test(tc, a_flow_of_one_packet_tells_all_and_takes_no_detail);
    tcase_add_loop_test(tc, a_flow_of_two_packets_tells_both_and_takes_a_detail_only_where_they_are_odd, 0, (int)(sizeof(seconds) / sizeof(*seconds)));
    tcase_add_test(tc, a_packet_number_beyond_what_a_flow_holds_is_the_last_one);
    tcase_add_test(tc, what_the_first_packet_told_outlives_the_second);
    tcase_add_loop_test(tc, only_datagrams_go_to_a_group_and_a_frame_is_believed_while_all_agree, 0, (int)(sizeof(groups) / sizeof(*groups)));
    tcase_add_test(tc, idle_is_more_than_the_timeout_and_by_packet_time);
    tcase_add_test(tc, tcp_has_a_timeout_of_its_own);
    tcase_add_test(tc, time_may_step_back);
    tcase_add_test(tc, times_at_the_ends_of_the_scale_do_no_harm);
    tcase_add_test(tc, a_long_flow_is_recorded_in_parts_that_know_their_client);
    tcase_add_test(tc, the_shards_bytes_start_as_zero_and_come_back_at_the_end);
    tcase_add_loop_test(tc, the_shards_bytes_go_with_the_flow_to_its_detail, 0, 2);
    tcase_add_test(tc, packet_counters_go_on_beyond_32_bits);
    tcase_add_test(tc, content_outweighs_the_first_packet_and_not_a_syn);
    tcase_add_test(tc, a_sweep_frees_and_changes_no_record);
    tcase_add_test(tc, the_order_of_the_drain_depends_on_the_packets_alone);
    tcase_add_test(tc, a_swapped_record_is_turned_in_all_its_parts);
    suite_add_tcase(s, tc);
    return s;
}
