/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: states, connections that follow each other on the same ends, loss, repetition. */
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "flow_bed.h"

#define C "10.0.0.9:1000 > 10.0.0.2:80 "
#define S "10.0.0.2:80 > 10.0.0.9:1000 "

static struct bed bed;

static void open_bed(void)
{
    bed_open(&bed, NULL);
}

static void close_bed(void)
{
    bed_close(&bed);
}

static void track_all(const char *const *packets, size_t max)
{
    for (size_t i = 0; i < max && packets[i] != NULL; i++)
        bed_track(&bed, packets[i]);
}

static const struct {
    const char          *packets[8];
    enum tcp_state       state;
    enum flow_closed     closed;
    enum direction_basis basis;
    uint16_t             server_port;
} states[] = {
    {{C "S 1"}, TCP_STATE_SYN, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", C "S 1"}, TCP_STATE_SYN, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", C "R 2"}, TCP_STATE_SYN, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
    {{C "S 1", S "SA 9 2"}, TCP_STATE_HALF_OPEN, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", S "SA 9 2", C "R 2"}, TCP_STATE_HALF_OPEN, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
    {{C "S 1", S "SA 9 2", C "A 2 10"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1 5", S "SA 9 7", C "A 7 10"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{S "SA 9 2", C "S 1", C "A 2 10"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "A 2 10", C "S 1", S "SA 9 2"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", S "S 9", C "SA 1 10", S "SA 9 2", C "A 2 10"},
     TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", S "S 9", C "SA 1 10", S "SA 9 2"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{S "S 9", C "S 1", S "SA 9 2"}, TCP_STATE_HALF_OPEN, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{S "S 9", C "S 1", S "SA 9 2", C "A 2 10", C "PA 2 10 5"}, TCP_STATE_ESTABLISHED, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", S "S 9", S "SA 9 2"}, TCP_STATE_HALF_OPEN, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", S "RA 0 2"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
    {{C "S 1", S "RA 0 2", C "S 1", S "RA 0 2"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
    {{C "S 1", C "A 2 10", C "PA 2 10 5"}, TCP_STATE_NO_SYN_ACK, FLOW_CLOSED_NONE, DIRECTION_SYN, 80},
    {{C "S 1", C "A 2 10", S "R 10"}, TCP_STATE_NO_SYN_ACK, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
    {{S "SA 9 2"}, TCP_STATE_SYN_ACK_ONLY, FLOW_CLOSED_NONE, DIRECTION_SYN_ACK, 80},
    {{S "SA 9 2", C "A 2 10", S "FA 10 2"}, TCP_STATE_SYN_ACK_ONLY, FLOW_CLOSED_FIN, DIRECTION_SYN_ACK, 80},
    {{C "PA 2 10 5", S "A 10 7"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_NONE, DIRECTION_UNKNOWN, 80},
    {{S "R 10"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_RST, DIRECTION_UNKNOWN, 1000},
    {{S "- 10"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_NONE, DIRECTION_UNKNOWN, 1000},
    /* what no connection takes, and a RST: there was none */
    {{C "F 1", S "RA 0 2"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_STRAY, 80},
    {{C "- 1", S "RA 0 1"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_STRAY, 80},
    {{C "FP 1", C "FP 1", S "RA 0 2"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_STRAY, 80},
    {{S "RA 0 2", C "F 1"}, TCP_STATE_REFUSED, FLOW_CLOSED_RST, DIRECTION_STRAY, 80},
    {{C "FA 1 9", S "R 9"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_RST, DIRECTION_UNKNOWN, 80},
    {{C "F 1", S "A 9 2", S "RA 0 2"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_RST, DIRECTION_UNKNOWN, 80},
    {{C "A 1 9", C "F 1", S "RA 0 2"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_RST, DIRECTION_UNKNOWN, 80},
    {{C "F 1", S "F 9", S "R 9"}, TCP_STATE_MIDSTREAM, FLOW_CLOSED_RST, DIRECTION_UNKNOWN, 80},
    /* and it completes no handshake */
    {{C "S 1", S "SA 9 2", C "F 2"}, TCP_STATE_HALF_OPEN, FLOW_CLOSED_FIN, DIRECTION_SYN, 80},
    {{C "S 1", S "SA 9 2", C "A 2 10", S "FA 10 2", C "FA 2 11", S "A 11 3"},
     TCP_STATE_ESTABLISHED, FLOW_CLOSED_FIN, DIRECTION_SYN, 80},
    {{C "S 1", S "SA 9 2", C "A 2 10", S "FA 10 2", C "RA 2 11"},
     TCP_STATE_ESTABLISHED, FLOW_CLOSED_RST, DIRECTION_SYN, 80},
};

START_TEST(the_state_is_what_the_wire_showed)
{
    track_all(states[_i].packets, 8);
    bed_drain(&bed, 1);
    ck_assert_int_eq(bed.records[0].tcp_state, states[_i].state);
    ck_assert_int_eq(bed.records[0].closed, states[_i].closed);
    ck_assert_int_eq(bed.records[0].direction, states[_i].basis);
    ck_assert_uint_eq(bed.records[0].tuple.server_port, states[_i].server_port);
}
END_TEST

/* How many flows a sequence of packets is. */
static const struct {
    const char *packets[8];
    size_t      n;
} reuse[] = {
    {{C "S 1", C "S 1", C "S 1"}, 1},
    {{C "S 1", C "S 2"}, 2},
    {{C "S 1", S "RA 0 2", C "S 1", S "RA 0 2"}, 1},
    {{C "S 1", S "RA 0 2", C "S 5000", S "RA 0 5001"}, 2},
    {{C "S 1", S "SA 9 2", C "A 2 10", C "FA 2 10", S "FA 10 3", C "A 3 11", C "S 900"}, 2},
    {{C "S 1", S "SA 9 2", C "A 2 10", C "FA 2 10", S "FA 10 3", C "A 3 11", S "A 11 3"}, 1},
    {{C "S 1", S "SA 9 2", C "A 2 10", C "RA 2 10", S "FA 10 2", S "A 10 2", C "S 1"}, 1},
    {{C "S 1", S "SA 9 2", C "A 2 10", C "S 77"}, 2},
    {{C "PA 500 10 5", S "A 10 505", C "S 77"}, 2},
    {{C "A 2 10", C "S 1"}, 1},
    {{S "A 10 2", C "S 1"}, 1},
    {{S "A 10 2", C "S 3"}, 2},
    {{C "S 1", S "S 9", C "SA 1 10", S "SA 9 2"}, 1},
    {{C "S 1", S "SA 9 2", C "R 2", S "SA 9 2"}, 1},
    {{C "S 1", S "SA 9 2", C "R 2", S "SA 40 5001"}, 2},
    {{C "S 1", S "SA 9 2", C "R 2", S "SA 40 2"}, 1},
    {{C "S 4294967295", S "SA 9 0", C "A 0 10", C "S 4294967295"}, 1},
};

START_TEST(a_syn_with_a_number_of_its_own_begins_a_connection)
{
    track_all(reuse[_i].packets, 8);
    bed_drain(&bed, reuse[_i].n);
    if (reuse[_i].n > 1)
        ck_assert_int_eq(bed.records[0].end, FLOW_END_CLOSED);
}
END_TEST

#define HANDSHAKE C "S 1", S "SA 9 2", C "A 2 10"

static const struct {
    const char *packets[12];
    uint64_t    unseen[2], retransmissions;
} losses[] = {
    {{HANDSHAKE, C "PA 2 10 100", S "A 10 102"}, {0, 0}, 0},
    /* a segment missing in the middle, acknowledged */
    {{HANDSHAKE, S "A 10 2 100", S "A 210 2 100", C "A 2 310"}, {0, 100}, 0},
    /* ... not acknowledged: lost on its way perhaps */
    {{HANDSHAKE, S "A 10 2 100", S "A 210 2 100"}, {0, 0}, 0},
    {{HANDSHAKE, S "A 10 2 100", S "A 210 2 100", C "A 2 110"}, {0, 0}, 0},
    /* ... late, and then acknowledged */
    {{HANDSHAKE, S "A 10 2 100", S "A 210 2 100", S "A 110 2 100", C "A 2 310"}, {0, 0}, 0},
    /* ... late, behind a FIN that says so too */
    {{HANDSHAKE, S "A 10 2 100", S "FA 206 2", S "FA 110 2 96", C "A 2 207"}, {0, 0}, 0},
    /* acknowledged beyond the last captured, then seen after all */
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310"}, {0, 200}, 0},
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310", S "A 110 2 200"}, {0, 0}, 0},
    /* acknowledged again and again before it is seen, in order, with the end of the connection, and then once more */
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310", C "A 2 510", S "A 110 2 200", C "A 2 611", S "A 310 2 200", S "FA 510 2 100"}, {0, 0}, 0},
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310", C "A 2 510", S "A 110 2 200", S "A 110 2 200", S "A 310 2 300"}, {0, 0}, 1},
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310", C "A 2 510", S "A 110 2 200", C "A 2 710"}, {0, 400}, 0},
    {{HANDSHAKE, S "A 10 2 100", C "A 2 310", C "A 2 50000310", S "A 110 2 200"}, {0, 50000200}, 1},
    /* two holes, the first one given up */
    {{HANDSHAKE, S "A 10 2 100", S "A 210 2 100", C "A 2 310", S "A 360 2 10", C "A 2 370"}, {0, 150}, 0},
    /* nothing of the server's data is captured: nothing is said */
    {{HANDSHAKE, C "PA 2 10 100", C "A 102 5000"}, {0, 0}, 0},
    {{C "PA 2 10 100", C "A 102 5000", C "A 102 90000"}, {0, 0}, 0},
    /* mid-stream: counts from the first byte on */
    {{S "A 5000 2 100", C "A 2 5100", S "A 5200 2 100", C "A 2 5300"}, {0, 100}, 0},
    /* ... and a probe of a connection that is kept alive comes first: it is one below the next byte, empty or of one byte again */
    {{C "A 1 10", S "A 10 2", C "A 1 10", S "A 10 2", C "PA 2 10 5", S "PA 10 7 48", C "A 7 58"}, {0, 0}, 0},
    {{C "A 1 10", S "A 10 2", C "A 2 10", S "PA 10 2 48", C "PA 2 58 5", S "A 58 7"}, {0, 0}, 0},
    {{C "A 1 10 1", S "A 10 2", C "A 1 10 1", S "A 10 2", C "PA 2 10 5", S "A 10 7"}, {0, 0}, 0},
    {{C "A 1 10", C "FA 2 10", S "A 10 3", S "FA 10 3", C "A 3 11"}, {0, 0}, 0},
    {{C "A 1 10", C "A 2 10", C "PA 3 10 5", S "A 10 8"}, {1, 0}, 0},
    {{C "A 1 10", C "PA 3 10 5", S "A 10 8"}, {2, 0}, 0},
    {{C "PA 1 10 5", C "PA 7 10 5", S "A 10 12"}, {1, 0}, 0},
    {{HANDSHAKE, C "PA 3 10 5", S "A 10 8"}, {1, 0}, 0},
    /* over the end of the sequence space */
    {{S "A 4294967000 2 100", C "A 2 4294967100", S "A 104 2 100", C "A 2 204"}, {0, 300}, 0},
    /* an older connection is challenged, and a new one begins */
    {{C "S 1", S "A 777 500", C "R 500", C "S 1", S "SA 5000000 2", C "A 2 5000001"}, {0, 0}, 0},
    {{C "S 1", S "A 777 500", C "S 1", S "SA 5000000 2", C "A 2 5000001", S "A 5000101 2 10", C "A 2 5000111"}, {0, 100}, 0},
    /* nonsense is not loss */
    {{HANDSHAKE, S "A 10 2 100", C "A 2 2000000000"}, {0, 0}, 0},
    {{HANDSHAKE, S "A 10 2 100", C "RA 2 90000"}, {0, 0}, 0},
    /* repetition */
    {{HANDSHAKE, C "PA 2 10 100", C "PA 2 10 100", S "A 10 102"}, {0, 0}, 1},
    {{HANDSHAKE, C "PA 2 10 100", S "A 10 102", C "A 101 10 1", S "A 10 102"}, {0, 0}, 0},
};

START_TEST(loss_is_what_was_acknowledged_and_not_captured)
{
    track_all(losses[_i].packets, 12);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    unsigned                  server = r->tuple.server_port == 80;
    ck_assert_uint_eq(r->unseen_bytes[!server], losses[_i].unseen[0]);
    ck_assert_uint_eq(r->unseen_bytes[server], losses[_i].unseen[1]);
    ck_assert_uint_eq(r->retransmissions, losses[_i].retransmissions);
    ck_assert_uint_eq(r->duplicates, 0);
}
END_TEST

/* The same packet again: with these differences, is it a copy? */
static const struct {
    const char *packet;
    uint16_t    ip_id, ip_id_again;
    int8_t      ttl_less;
    uint16_t    vlan;
    int64_t     later_ns;
    uint64_t    duplicates, retransmissions;
    uint16_t    content_again;
} copies[] = {
    {C "PA 2 10 100", 7, 7, 1, 0, MS, 1, 0, 0},
    {C "PA 2 10 100", 7, 7, 0, 9, MS, 1, 0, 0},
    {C "PA 2 10 100", 7, 7, 0, 0, MS, 1, 0, 0}, /* the MAC differs, say */
    {C "PA 2 10 100", 7, 8, 0, 0, MS, 0, 1, 0},
    {C "PA 2 10 100", 7, 8, 1, 0, MS, 0, 1, 0},
    {C "PA 2 10 100", 0, 0, 1, 0, MS, 1, 0, 0},
    {C "PA 2 10 100", 0, 0, 0, 0, MS, 1, 0, 0}, /* at once: shown twice as it is */
    {C "PA 2 10 100", 0, 0, 0, 0, 4 * MS, 0, 1, 0},
    {C "A 2 10", 0, 0, 0, 0, MS, 0, 0, 0}, /* a host repeats that in a moment */
    {C "S 2", 0, 0, 0, 0, MS, 1, 0, 0},
    {C "S 2", 0, 0, 0, 0, 1000 * MS, 0, 0, 0},
    {C "RA 2 10", 0, 0, 0, 0, MS, 0, 0, 0}, /* and that for each segment that comes */
    {C "PA 2 10 100", 7, 7, 1, 0, 5 * SECOND, 0, 1, 0},
    {C "PA 2 10 100", 7, 7, 1, 0, -MS, 1, 0, 0},
    {C "PA 2 10 100", 7, 7, 0, 0, MS, 0, 1, 0xe300}, /* another checksum, one identification for all */
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 7, 7, 1, 0, MS, 1, 0, 0},
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 7, 8, 0, 0, MS, 0, 0, 0},
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 7, 7, 0, 0, 20 * MS, 0, 0, 0}, /* a host whose identification never changes */
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 0, 0, 0, 0, MS, 1, 0, 0},
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 0, 0, 0, 0, 4 * MS, 0, 0, 0},
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 0, 0, 1, 0, MS, 1, 0, 0},
    {"[fd00::9]:5 > [fd00::2]:53 udp 30", 0, 0, 1, 0, MS, 1, 0, 0},
    {"10.0.0.9:5 > 10.0.0.2:53 udp 30", 7, 7, 1, 0, MS, 0, 0, 0xe300}, /* other content, one identification for all */
};

START_TEST(a_copy_is_told_from_a_repetition_and_counted_all_the_same)
{
    struct packet p = bed_packet(&bed, copies[_i].packet);

    p.ip_id = copies[_i].ip_id;
    bed_put(&bed, &p);
    p.ip_id = copies[_i].ip_id_again;
    p.ttl = (uint8_t)(p.ttl - copies[_i].ttl_less);
    p.vlan = copies[_i].vlan;
    p.content = copies[_i].content_again;
    p.ts_ns += copies[_i].later_ns;
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], 2);
    ck_assert_uint_eq(bed.records[0].duplicates, copies[_i].duplicates);
    ck_assert_uint_eq(bed.records[0].retransmissions, copies[_i].retransmissions);
}
END_TEST

START_TEST(cut_flags_say_nothing)
{
    struct packet p = bed_packet(&bed, C "- 0");

    p.flags |= PACKET_FLAGS_CUT | PACKET_CUT;
    bed_put(&bed, &p);
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    ck_assert_int_eq(bed.records[0].tcp_state, TCP_STATE_FLAGS_CUT);
    ck_assert_int_eq(bed.records[0].direction, DIRECTION_UNKNOWN);
    ck_assert(bed.records[0].cut);
}
END_TEST

START_TEST(the_first_reset_is_remembered)
{
    struct packet p = bed_packet(&bed, C "S 1");

    bed_put(&bed, &p);
    p = bed_packet(&bed, S "RA 0 2");
    p.ttl = 250;
    bed_put(&bed, &p);
    p.ttl = 61;
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].rst_ttl, 250);
    ck_assert(bed.records[0].rst_from_server_side && bed.records[0].closed_by_server);
}
END_TEST

Suite *suite_flow_tcp(void);

/* Packets of the two sides with their TTLs: what else the RST's side sent, and whether its RST is like none of that. */
static const struct {
    struct {
        const char *packet;
        uint8_t     ttl;
    } packets[7];
    struct ttl_range beside, own;
    bool             apart;
} resets[] = {
    {{{C "S 1", 64}, {S "SA 9 2", 60}, {C "A 2 10", 64}, {S "R 10", 255}}, {60, 60}, {60, 60}, true},
    {{{C "S 1", 64}, {S "SA 9 2", 60}, {C "A 2 10", 64}, {S "R 10", 60}}, {60, 60}, {60, 60}, false},
    /* handshake as the RST, data otherwise: whoever sent the one sent the other */
    {{{C "S 1", 251}, {S "SA 9 2", 64}, {C "A 2 10", 251}, {C "PA 2 10 5", 52}, {C "RA 7 10", 251}}, {52, 251}, {52, 251}, false},
    {{{C "PA 2 10 5", 52}, {S "A 10 7", 64}, {C "RA 7 10", 251}}, {52, 52}, {52, 52}, true},
    /* the RST came first, what the server itself sent after it */
    {{{C "S 1", 64}, {S "RA 0 2", 255}, {S "SA 9 2", 60}, {S "R 10", 99}}, {60, 60}, {60, 60}, true},
    {{{C "S 1", 64}, {S "RA 0 2", 60}, {S "SA 9 2", 60}}, {60, 60}, {60, 60}, false},
    /* RSTs alone: of two senders, or of one */
    {{{C "S 1", 64}, {S "RA 0 2", 255}, {S "RA 0 2", 60}}, {0, 0}, {60, 60}, true},
    {{{C "S 1", 64}, {S "RA 0 2", 60}, {S "RA 0 2", 60}}, {0, 0}, {0, 0}, false},
    {{{S "R 10", 60}}, {0, 0}, {0, 0}, false},
};

START_TEST(a_reset_is_held_against_all_else_of_its_side)
{
    struct ttl_range own;

    for (size_t i = 0; i < 7 && resets[_i].packets[i].packet != NULL; i++) {
        struct packet p = bed_packet(&bed, resets[_i].packets[i].packet);

        p.ttl = resets[_i].packets[i].ttl;
        bed_put(&bed, &p);
    }
    bed_drain(&bed, 1);
    const struct flow_record *r = &bed.records[0];
    ck_assert_uint_eq(r->ttl[r->rst_from_server_side][0].ttl.min, resets[_i].beside.min);
    ck_assert_uint_eq(r->ttl[r->rst_from_server_side][0].ttl.max, resets[_i].beside.max);
    ck_assert_int_eq(flow_record_rst_is_apart(r, &own), resets[_i].apart);
    ck_assert_uint_eq(own.min, resets[_i].own.min);
    ck_assert_uint_eq(own.max, resets[_i].own.max);
}
END_TEST

/* A RST is held against what its side sent at the same place; elsewhere a router may lie between. */
static const struct {
    struct {
        const char *packet;
        uint8_t     ttl, number;
    } packets[8];
    bool apart, routed;
} places[] = {
    /* two capture points, a router between: its RST at the first has the TTL that the server has at the second */
    {{{C "S 1", 64, 1}, {C "S 1", 63, 2}, {S "SA 9 2", 64, 2}, {S "SA 9 2", 63, 1}, {C "A 2 10", 64, 1}, {S "R 10", 64, 1}}, true, false},
    {{{C "S 1", 64, 1}, {C "S 1", 63, 2}, {S "SA 9 2", 64, 2}, {S "SA 9 2", 63, 1}, {C "A 2 10", 64, 1}, {S "R 10", 64, 2}, {S "R 10", 63, 1}}, false, false},
    /* the same at one point */
    {{{C "S 1", 64, 1}, {C "S 1", 63, 1}, {S "SA 9 2", 64, 1}, {S "SA 9 2", 63, 1}, {C "A 2 10", 64, 1}, {S "R 10", 62, 1}}, false, true},
    {{{C "S 1", 64, 1}, {C "S 1", 63, 1}, {S "SA 9 2", 64, 1}, {S "SA 9 2", 63, 1}, {C "A 2 10", 64, 1}, {S "R 10", 255, 1}}, true, true},
    /* nothing else of the server where its RST was seen: a hop more or less is no sign */
    {{{C "S 1", 64, 1}, {S "SA 9 2", 63, 1}, {S "R 10", 64, 2}}, false, false},
    {{{C "S 1", 64, 1}, {S "SA 9 2", 63, 1}, {S "R 10", 128, 2}}, true, false},
};

START_TEST(a_reset_is_held_against_the_same_place)
{
    struct ttl_range own;

    for (size_t i = 0; i < 8 && places[_i].packets[i].packet != NULL; i++) {
        struct packet p = bed_packet(&bed, places[_i].packets[i].packet);

        p.ttl = places[_i].packets[i].ttl;
        p.ip_id = (uint16_t)(100 + p.tcp_seq);
        packet_point_add(&p, places[_i].packets[i].number);
        bed_put(&bed, &p);
    }
    bed_drain(&bed, 1);
    ck_assert_int_eq(flow_record_rst_is_apart(&bed.records[0], &own), places[_i].apart);
    ck_assert_int_eq(bed.records[0].routed, places[_i].routed);
}
END_TEST

/* Whatever comes first, the same places are kept, each with all that was seen there. */
START_TEST(places_are_kept_in_order)
{
    struct ttl_seen a[N_TTL_PLACES] = {{0}}, b[N_TTL_PLACES] = {{0}};

    for (unsigned i = 0; i < 7; i++) {
        struct ttl_seen *at = ttl_seen_at(i % 2 == 0 ? a : b, (uint16_t)(i * 5 % 7 * 100));

        if (at != NULL)
            ttl_range_add(i == 3 ? &at->rst : &at->own, (uint8_t)(60 + i));
    }
    ttl_seen_join(b, a);
    for (unsigned i = 0; i < N_TTL_PLACES; i++)
        ck_assert_uint_eq(b[i].place, i * 100);
    ck_assert_uint_eq(ttl_seen_own_at(b, 300).min, 62);
    ck_assert_uint_eq(ttl_seen_own_at(b, 400).min, 0);
    ck_assert_uint_eq(ttl_seen_own(b).min, 60);
    ck_assert_uint_eq(ttl_seen_rst(b).min, 63);
    ck_assert_uint_eq(ttl_seen_beside_rst(b).max, 66); /* none where the RST was: then anywhere */
    ttl_range_add(&ttl_seen_at(b, 100)->own, 128);
    ck_assert_uint_eq(ttl_seen_beside_rst(b).min, 128);
    ck_assert_ptr_null(ttl_seen_at(b, 500));
}
END_TEST

/* SYNs that come when the server's SYN-ACK is out for some time. */
static const struct {
    struct {
        int         ms; /* -1: a copy of the packet before, by way of a router */
        const char *text;
    } packets[8];
    unsigned     resent;
    enum outcome outcome;
} undelivered[] = {
    {{{0, C "S 1"}, {1, S "SA 9 2"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}}, 1, OUTCOME_UNANSWERED},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {1, S "SA 9 2"}, {2000, C "S 1"}, {1, S "SA 9 2"}}, 2, OUTCOME_UNANSWERED},
    {{{0, S "SA 9 2"}, {1000, C "S 1"}}, 1, OUTCOME_UNANSWERED}, /* the first was not captured */
    /* a late answer, an answer that the SYN crossed, copies */
    {{{0, C "S 1"}, {1000, C "S 1"}, {2000, C "S 1"}, {100, S "SA 9 2"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {950, S "SA 9 2"}, {100, C "S 1"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1, C "S 1"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {-1, C "S 1"}}, 1, OUTCOME_UNANSWERED},
    /* another SYN is another attempt; the answer arrived in the end; somebody goes on, or gives up */
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 7"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {1, S "SA 9 2"}, {1, C "A 2 10"}}, 0, OUTCOME_ESTABLISHED},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {1, S "A 10 2"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1, S "A 10 2"}, {1000, C "S 1"}}, 0, OUTCOME_ONE_WAY},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {1, S "SA 9 2"}, {1, C "R 2"}}, 1, OUTCOME_ESTABLISHED},
    {{{0, C "S 1"}, {1, S "SA 9 2"}, {1000, C "S 1"}, {1, S "RA 10 2"}}, 1, OUTCOME_REFUSED},
    {{{0, C "S 1"}, {1, S "RA 0 2"}, {500, C "S 1"}, {1, S "SA 9 2"}, {500, C "S 1"}}, 0, OUTCOME_REFUSED},
    /* both open at once */
    {{{0, C "S 1"}, {1, S "S 9"}, {1, S "SA 9 2"}, {1000, C "S 1"}}, 0, OUTCOME_ONE_WAY},
};

START_TEST(a_syn_again_tells_of_an_answer_that_did_not_arrive)
{
    struct packet p = {0};

    for (size_t i = 0; i < 8 && undelivered[_i].packets[i].text != NULL; i++) {
        uint16_t ip_id = p.ip_id;

        bed.now_ns += undelivered[_i].packets[i].ms > 0 ? (undelivered[_i].packets[i].ms - 1) * MS : 0;
        p = bed_packet(&bed, undelivered[_i].packets[i].text);
        if (undelivered[_i].packets[i].ms < 0) {
            p.ip_id = ip_id;
            p.ttl--;
        }
        bed_put(&bed, &p);
    }
    flow_table_drain(bed.table, bed.now_ns);
    ck_assert_uint_eq(bed.records[0].resent_syns, undelivered[_i].resent);
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), undelivered[_i].outcome);
}
END_TEST

START_TEST(syns_that_come_again_are_counted_to_a_bound)
{
    bed_track(&bed, C "S 1");
    bed_track(&bed, S "SA 9 2");
    for (unsigned i = 0; i < 300; i++) {
        bed.now_ns += 2 * SECOND;
        bed_track(&bed, C "S 1");
    }
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].resent_syns, FLOW_RESENT_SYNS_MAX);
    ck_assert_int_eq(bed.records[0].tcp_state, TCP_STATE_HALF_OPEN);
    ck_assert(flow_record_is_undelivered(&bed.records[0]));
}
END_TEST

Suite *suite_flow_tcp(void)
{
    Suite *s = suite_create("flow_tcp");
    TCase *tc = tcase_create("tcp");

    tcase_add_checked_fixture(tc, open_bed, close_bed);
    tcase_add_loop_test(tc, the_state_is_what_the_wire_showed, 0, (int)(sizeof(states) / sizeof(*states)));
    tcase_add_loop_test(tc, a_syn_with_a_number_of_its_own_begins_a_connection, 0,
                        (int)(sizeof(reuse) / sizeof(*reuse)));
    tcase_add_loop_test(tc, loss_is_what_was_acknowledged_and_not_captured, 0, (int)(sizeof(losses) / sizeof(*losses)));
    tcase_add_loop_test(tc, a_copy_is_told_from_a_repetition_and_counted_all_the_same, 0,
                        (int)(sizeof(copies) / sizeof(*copies)));
    tcase_add_test(tc, cut_flags_say_nothing);
    tcase_add_test(tc, the_first_reset_is_remembered);
    tcase_add_loop_test(tc, a_reset_is_held_against_the_same_place, 0, (int)(sizeof(places) / sizeof(*places)));
    tcase_add_test(tc, places_are_kept_in_order);
    tcase_add_loop_test(tc, a_reset_is_held_against_all_else_of_its_side, 0, (int)(sizeof(resets) / sizeof(*resets)));
    tcase_add_loop_test(tc, a_syn_again_tells_of_an_answer_that_did_not_arrive, 0, (int)(sizeof(undelivered) / sizeof(*undelivered)));
    tcase_add_test(tc, syns_that_come_again_are_counted_to_a_bound);
    suite_add_tcase(s, tc);
    return s;
}
