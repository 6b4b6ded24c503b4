/* SPDX-License-Identifier: Apache-2.0 */
/* What joins a flow from outside of it, ICMP errors and fragments, and the outcome that follows. */
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "flow_bed.h"

#define C "10.0.0.9:1000 > 10.0.0.2:80 "
#define S "10.0.0.2:80 > 10.0.0.9:1000 "
#define U "10.0.0.9:1000 > 10.0.0.2:53 udp 30"
#define V "10.0.0.2:53 > 10.0.0.9:1000 udp 30"

static struct bed bed;

static void open_bed(void)
{
    bed_open(&bed, NULL);
}

static void close_bed(void)
{
    bed_close(&bed);
}

/* An error from 'sender' that quotes the packet which 'quoted' describes. */
static struct packet error_packet(const char *sender, uint8_t transport, uint8_t type, uint8_t code, const char *quoted)
{
    struct packet q = bed_packet(&bed, quoted), p = q;

    ck_assert_int_eq(addr_parse(sender, &p.src), 0);
    p.dst = q.src;
    p.transport = transport;
    p.quote = (struct packet_quote){q.src, q.dst, q.sport, q.dport, q.transport, type, code, q.transport == IPPROTO_TCP, q.tcp_seq};
    return p;
}

static bool send_error(const char *sender, uint8_t transport, uint8_t type, uint8_t code, const char *quoted)
{
    struct packet p = error_packet(sender, transport, type, code, quoted);

    return flow_table_icmp_error(bed.table, &p);
}

/* The packet that it quotes is not in the capture. */
static void send_first(const char *quoted)
{
    struct packet p = error_packet("10.0.0.1", IPPROTO_ICMP, 3, 13, quoted);

    ck_assert(!flow_table_icmp_error(bed.table, &p));
    flow_table_quoted(bed.table, &p);
}

START_TEST(an_error_before_the_first_packet_is_of_that_flow)
{
    static const char *packets[] = {U, C "S 1", C "A 5 6 10"};

    send_first(packets[_i]);
    bed.now_ns += 3 * MS;
    send_first(packets[_i]);
    bed.now_ns += 3 * MS;
    bed_track(&bed, packets[_i]);
    ck_assert(send_error("10.0.0.1", IPPROTO_ICMP, 3, 13, packets[_i]));
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    ck_assert_uint_eq(r->packets[0], 1);
    ck_assert_uint_eq(r->packets[1], 0);
    ck_assert_uint_eq(r->first_packet, 3);
    ck_assert_int_eq(r->first_ns, r->last_ns);
    ck_assert_uint_eq(r->icmp.n_errors, 3);
    ck_assert_uint_eq(r->icmp.n_early, 2);
    ck_assert_uint_eq(r->icmp.n_before, 0);
    ck_assert_uint_eq(r->icmp.packet_number, 1);
    ck_assert(r->icmp.about_client_packet && !r->icmp.after_answer);
    ck_assert_int_eq(flow_record_outcome(r, false), OUTCOME_PROHIBITED);
}
END_TEST

START_TEST(an_error_just_before_its_packet_is_the_disorder_of_the_capture)
{
    send_first(U);
    bed_track(&bed, U);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].icmp.n_errors, 1);
    ck_assert_uint_eq(bed.records[0].icmp.n_early, 0);
}
END_TEST

START_TEST(an_answer_after_an_early_error_is_an_answer)
{
    send_first(U);
    bed.now_ns += SECOND;
    bed_track(&bed, U);
    bed_track(&bed, V);
    bed_drain(&bed, 1);
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), OUTCOME_ESTABLISHED);
    ck_assert_uint_eq(bed.records[0].sent_first_ns[1], bed.records[0].sent_last_ns[1]);
}
END_TEST

/* What is quoted, what comes a time after it, and that it is another flow. */
static const struct {
    const char *quoted, *then;
    int64_t     later_ns;
} others[] = {
    {U, U, 901 * SECOND},
    {C "S 1", C "S 2", SECOND},
    {C "S 1", C "S 1", 3601 * SECOND},
};

START_TEST(an_error_of_which_no_packet_comes_is_a_flow_without_packets)
{
    send_first(others[_i].quoted);
    bed.now_ns += others[_i].later_ns;
    bed_track(&bed, others[_i].then);
    bed_drain(&bed, 2);
    const struct flow_record *r = &bed.records[0];
    ck_assert_uint_eq(r->packets[0] + r->packets[1] + r->bytes[0] + r->payload[0], 0);
    ck_assert_uint_eq(r->icmp.n_errors, 1);
    ck_assert_uint_eq(r->first_packet, 1);
    ck_assert_int_eq(r->first_ns, r->icmp.ts_ns);
    ck_assert_uint_eq(bed.records[1].icmp.n_errors, 0);
    ck_assert_uint_eq(bed.records[1].packets[0], 1);
}
END_TEST

START_TEST(errors_alone_tell_of_one_window)
{
    struct flow_options o;

    bed_close(&bed);
    flow_options_default(&o);
    o.window_ns = 60 * SECOND;
    bed_open(&bed, &o);
    bed.now_ns = 10 * o.window_ns + SECOND;
    send_first(U);
    bed.now_ns += 50 * SECOND;
    send_first(U);
    bed.now_ns += 10 * SECOND;
    send_first(U);
    bed_drain(&bed, 2);
    ck_assert_uint_eq(bed.records[0].icmp.n_errors, 2);
    ck_assert_int_eq(bed.records[0].last_ns - bed.records[0].first_ns, 50 * SECOND + MS);
    ck_assert_uint_eq(bed.records[1].icmp.n_errors, 1);
}
END_TEST

START_TEST(errors_alone_have_a_bound_of_their_own)
{
    const unsigned          n = 70000;
    struct flow_table_stats stats;

    for (unsigned i = 0; i < n; i++) {
        struct packet p = error_packet("10.0.0.1", IPPROTO_ICMP, 3, 13, U);

        p.quote.sport = (uint16_t)i;
        p.quote.dport = (uint16_t)(53 + i / 65536);
        flow_table_quoted(bed.table, &p);
    }
    flow_table_stats(bed.table, &stats);
    ck_assert_uint_eq(stats.n_flows, 65536);
    ck_assert_uint_lt(stats.memory, 64 << 20);
    ck_assert_uint_eq(stats.n_evicted, 0);
    bed_drain(&bed, n);
}
END_TEST

START_TEST(an_error_is_joined_to_the_flow_that_it_quotes)
{
    bed_track(&bed, U);
    ck_assert(send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, U));
    ck_assert(send_error("10.0.0.1", IPPROTO_ICMP, 3, 13, U));
    ck_assert(!send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, "10.0.0.9:1001 > 10.0.0.2:53 udp 1"));
    ck_assert(!send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, C "S 1"));
    bed_drain(&bed, 1);
    const struct flow_icmp *i = &bed.records[0].icmp;
    ck_assert_uint_eq(i->n_errors, 2);
    ck_assert_uint_eq(i->type, 3);
    ck_assert_uint_eq(i->code, 3);
    ck_assert_uint_eq(i->packet_number, 2);
    ck_assert_uint_eq(i->n_before, 1);
    ck_assert(i->from_server && i->about_client_packet && !i->after_answer && !i->is_icmp6);
    ck_assert_uint_eq(bed.records[0].packets[0], 1);
    ck_assert_uint_eq(bed.records[0].packets[1], 0);
}
END_TEST

START_TEST(an_error_knows_how_far_the_flow_had_gone)
{
    for (unsigned i = 0; i < 5; i++) {
        bed_track(&bed, U);
        if (i >= 2)
            ck_assert(send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, U));
    }
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].icmp.n_errors, 3);
    ck_assert_uint_eq(bed.records[0].icmp.n_before, 3);
    ck_assert_uint_eq(bed.records[0].packets[0], 5);
}
END_TEST

START_TEST(a_denial_is_kept_before_an_error_that_denies_nothing)
{
    bed_track(&bed, C "S 1");
    ck_assert(send_error("10.0.0.1", IPPROTO_ICMP, 3, 4, C "S 1"));
    ck_assert(send_error("10.0.0.1", IPPROTO_ICMP, 3, 10, C "S 1"));
    ck_assert(send_error("10.0.0.1", IPPROTO_ICMP, 11, 0, C "S 1"));
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].icmp.n_errors, 3);
    ck_assert_uint_eq(bed.records[0].icmp.code, 10);
    ck_assert(!bed.records[0].icmp.from_server);
}
END_TEST

START_TEST(an_error_about_a_flow_that_is_over_is_not_joined)
{
    bed_track(&bed, U);
    bed.now_ns += 901 * SECOND;
    ck_assert(!send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, U));
}
END_TEST

START_TEST(the_client_of_an_error_turns_with_the_record)
{
    bed_track(&bed, V); /* the answer alone was captured first */
    ck_assert(send_error("10.0.0.2", IPPROTO_ICMP, 3, 3, U));
    bed_drain(&bed, 1);
    struct flow_record r = bed.records[0];
    ck_assert(!r.icmp.from_server && !r.icmp.about_client_packet && r.icmp.after_answer);
    flow_record_swap(&r);
    ck_assert(r.icmp.from_server && r.icmp.about_client_packet);
}
END_TEST

/* packets, then perhaps an ICMP error about 'about' from 'sender', then perhaps one packet more */
static const struct {
    const char  *packets[5];
    const char  *sender, *about;
    uint8_t      type, code;
    const char  *after, *again; /* the latter: from whom an error about the former came */
    bool         one_way_expected, turned;
    enum outcome outcome;
} outcomes[] = {
    {{C "S 1"}, .outcome = OUTCOME_UNANSWERED},
    {{C "S 1", C "R 2"}, .outcome = OUTCOME_UNANSWERED},
    {{C "S 1", S "SA 9 2", C "A 2 10"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1", S "SA 9 2"}, .outcome = OUTCOME_ONE_WAY}, /* it was answered; whether the answer arrived is not known */
    {{C "S 1", S "SA 9 2", C "R 2"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1", S "SA 9 2", S "R 10"}, .outcome = OUTCOME_REFUSED},
    {{C "S 1", S "RA 0 2"}, .outcome = OUTCOME_REFUSED},
    /* what a RST says of its reason is no data of a connection */
    {{C "S 1 6", S "RA 0 8 7"}, .outcome = OUTCOME_REFUSED},
    {{C "S 1", S "SA 9 2", S "R 10 7"}, .outcome = OUTCOME_REFUSED},
    {{C "PA 2 10 5", S "R 10 7"}, .outcome = OUTCOME_ONE_WAY},
    {{C "S 1", S "RA 9 292"}, .outcome = OUTCOME_ONE_WAY}, /* it acknowledges what the client sent on an open connection */
    {{C "S 1", S "SA 9 2", S "RA 10 292"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1", S "SA 9 2", S "R 2260"}, .outcome = OUTCOME_ESTABLISHED}, /* after data of its own that was not captured */
    {{C "S 1", S "SA 9 2", S "A 10 2 5", S "R 15"}, .outcome = OUTCOME_ESTABLISHED}, /* no server sends data before */
    {{C "S 1", C "A 2 10"}, .outcome = OUTCOME_ONE_WAY},
    {{C "S 1", S "A 50 7"}, .outcome = OUTCOME_ONE_WAY}, /* a challenge, of another connection */
    {{C "S 1", S "A 50 7", C "R 7"}, .outcome = OUTCOME_ONE_WAY},
    {{C "S 1", S "A 10 2 5"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1", C "A 2 10 1", S "A 10 3 1"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1", C "A 2 10 1", S "A 10 3"}, .outcome = OUTCOME_ESTABLISHED},
    {{S "SA 9 2"}, .outcome = OUTCOME_ONE_WAY},
    {{S "SA 9 2", C "R 2"}, .outcome = OUTCOME_ONE_WAY},
    {{S "SA 9 2", C "A 2 10"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "A 2 10 5"}, .outcome = OUTCOME_ONE_WAY},
    {{C "A 2 10 5", S "A 10 7"}, .outcome = OUTCOME_ESTABLISHED},
    {{C "A 2 10", S "R 10"}, .outcome = OUTCOME_ONE_WAY}, /* ends something older: no attempt was seen */
    {{C "R 2", S "A 10 2"}, .outcome = OUTCOME_ONE_WAY},
    {{C "F 2", S "RA 0 3"}, .outcome = OUTCOME_REFUSED}, /* nothing was open that a FIN without ACK could have closed */
    {{C "F 2"}, .outcome = OUTCOME_ONE_WAY},
    /* ICMP about a SYN: by its sender and code */
    {{C "S 1"}, "10.0.0.2", C "S 1", 3, 3, .outcome = OUTCOME_REFUSED},
    {{C "S 1"}, "10.0.0.2", C "S 1", 3, 10, .outcome = OUTCOME_PROHIBITED},
    {{C "S 1"}, "10.0.0.2", C "S 1", 3, 13, .outcome = OUTCOME_PROHIBITED},
    {{C "S 1"}, "10.0.0.2", C "S 1", 3, 9, .outcome = OUTCOME_PROHIBITED},
    {{C "S 1"}, "10.0.0.1", C "S 1", 3, 3, .outcome = OUTCOME_PROHIBITED},
    {{C "S 1"}, "10.0.0.1", C "S 1", 3, 1, .outcome = OUTCOME_PROHIBITED},
    {{C "S 1"}, "10.0.0.1", C "S 1", 3, 4, .outcome = OUTCOME_UNANSWERED},
    {{C "S 1"}, "10.0.0.1", C "S 1", 11, 0, .outcome = OUTCOME_UNANSWERED},
    {{C "S 1", S "SA 9 2", C "A 2 10"}, "10.0.0.1", C "A 2 10", 3, 13, .outcome = OUTCOME_ESTABLISHED},
    {{C "S 1"}, "10.0.0.1", C "S 1", 3, 13, S "RA 0 2", .outcome = OUTCOME_PROHIBITED},
    {{C "S 1", S "SA 9 2"}, "10.0.0.1", S "SA 9 2", 3, 13, .outcome = OUTCOME_ONE_WAY},
    /* UDP */
    {{U}, .outcome = OUTCOME_UNANSWERED},
    {{U}, .one_way_expected = true, .outcome = OUTCOME_ONE_WAY},
    {{U, V}, .outcome = OUTCOME_ESTABLISHED},
    {{U}, "10.0.0.2", U, 3, 3, .outcome = OUTCOME_REFUSED},
    {{U}, "10.0.0.2", U, 3, 3, .one_way_expected = true, .outcome = OUTCOME_REFUSED},
    {{U}, "10.0.0.1", U, 3, 3, .outcome = OUTCOME_PROHIBITED},
    {{U}, "10.0.0.2", U, 3, 13, .outcome = OUTCOME_PROHIBITED},
    {{U, V}, "10.0.0.2", U, 3, 3, .outcome = OUTCOME_ESTABLISHED},
    {{U, V}, "10.0.0.9", V, 3, 3, .outcome = OUTCOME_ESTABLISHED},
    {{U}, "10.0.0.2", U, 3, 3, V, .outcome = OUTCOME_ESTABLISHED},
    {{U}, "10.0.0.2", U, 3, 3, V, .again = "10.0.0.9", .outcome = OUTCOME_REFUSED}, /* neither took what the other sent */
    {{U}, "10.0.0.1", U, 3, 3, V, .again = "10.0.0.9", .outcome = OUTCOME_ESTABLISHED},
    {{U, U}, "10.0.0.2", U, 3, 3, V, .again = "10.0.0.9", .outcome = OUTCOME_ESTABLISHED},
    {{V}, "10.0.0.9", V, 3, 3, U, .again = "10.0.0.2", .turned = true, .outcome = OUTCOME_UNANSWERED},
};

START_TEST(the_outcome_follows_from_the_evidence)
{
    for (unsigned i = 0; i < 5 && outcomes[_i].packets[i] != NULL; i++)
        bed_track(&bed, outcomes[_i].packets[i]);
    if (outcomes[_i].sender != NULL)
        ck_assert(send_error(outcomes[_i].sender, IPPROTO_ICMP, outcomes[_i].type, outcomes[_i].code,
                             outcomes[_i].about));
    if (outcomes[_i].after != NULL)
        bed_track(&bed, outcomes[_i].after);
    if (outcomes[_i].again != NULL)
        ck_assert(send_error(outcomes[_i].again, IPPROTO_ICMP, outcomes[_i].type, outcomes[_i].code, outcomes[_i].after));
    bed_drain(&bed, 1);
    if (outcomes[_i].turned)
        flow_record_swap(&bed.records[0]);
    ck_assert_str_eq(outcome_name(flow_record_outcome(&bed.records[0], outcomes[_i].one_way_expected)),
                     outcome_name(outcomes[_i].outcome));
}
END_TEST

/* What answers a segment without ACK has the sequence number 0, and an ACK of it. */
static const struct {
    const char *packets[3];
    bool        is_such;
} unacked[] = {
    {{S "RA 0 2"}, true},  {{S "R 0"}, false},       {{S "RA 7 2"}, false}, {{S "RA 0 2", C "S 1"}, false}, {{C "S 1", S "RA 0 2"}, false},
    {{S "RA 0 2", S "RA 0 2", S "RA 0 2"}, true}, {{S "RA 7 2", S "RA 0 2"}, false}, {{S "SA 0 2", S "RA 0 2"}, false}, {{V}, false}, {{C "RA 0 2"}, true},
};

START_TEST(a_closed_port_is_known_by_the_number_of_its_reset)
{
    for (unsigned i = 0; i < 3 && unacked[_i].packets[i] != NULL; i++)
        bed_track(&bed, unacked[_i].packets[i]);
    bed_drain(&bed, 1);
    ck_assert(bed.records[0].answers_unacked == unacked[_i].is_such);
}
END_TEST

/* Datagrams before the error and after it, the time between them, and whose error it is. */
static const struct {
    unsigned     before, after;
    int64_t      gap_ns;
    const char  *sender;
    uint8_t      code;
    bool         expected, answered, late;
    enum outcome outcome;
} ends[] = {
    {133, 0, 20000000, "10.0.0.2", 3, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {50, 90, 20000000, "10.0.0.2", 3, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {133, 0, 20000000, "10.0.0.1", 1, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {133, 0, 20000000, "10.0.0.1", 13, .expected = true, .outcome = OUTCOME_PROHIBITED},
    {133, 0, 20000000, "10.0.0.2", 3, .late = true, .outcome = OUTCOME_REFUSED},
    {133, 0, 20000000, "10.0.0.2", 3, .expected = true, .answered = true, .outcome = OUTCOME_ESTABLISHED},
    {3, 130, 20000000, "10.0.0.2", 3, .expected = true, .outcome = OUTCOME_ONE_WAY},
    {3, 40, 20000000, "10.0.0.2", 3, .expected = true, .outcome = OUTCOME_REFUSED},
    {20, 20, 20000000, "10.0.0.2", 3, .expected = true, .outcome = OUTCOME_REFUSED},
    {12, 1, 500000000, "10.0.0.2", 3, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {12, 3, 500000000, "10.0.0.2", 3, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {12, 1, 20000000, "10.0.0.2", 3, .expected = true, .outcome = OUTCOME_REFUSED},
    {3, 0, 5000000000, "10.0.0.2", 3, .expected = true, .late = true, .outcome = OUTCOME_ONE_WAY},
    {1, 2, 5000000000, "10.0.0.2", 3, .expected = true, .outcome = OUTCOME_ONE_WAY},
    {1, 2, 5000000000, "10.0.0.2", 3, .outcome = OUTCOME_UNANSWERED},
    {1, 2, 5000000000, "10.0.0.2", 13, .outcome = OUTCOME_PROHIBITED},
};

START_TEST(what_comes_late_may_be_the_end_of_what_got_through)
{
    for (unsigned i = 0; i < ends[_i].before + ends[_i].after; i++) {
        if (i == ends[_i].before)
            ck_assert(send_error(ends[_i].sender, IPPROTO_ICMP, 3, ends[_i].code, U));
        bed.now_ns += ends[_i].gap_ns;
        bed_track(&bed, U);
    }
    if (ends[_i].after == 0)
        ck_assert(send_error(ends[_i].sender, IPPROTO_ICMP, 3, ends[_i].code, U));
    if (ends[_i].answered)
        bed_track(&bed, V);
    bed_drain(&bed, 1);
    ck_assert(flow_record_is_stopped_late(&bed.records[0]) == ends[_i].late);
    ck_assert_str_eq(outcome_name(flow_record_outcome(&bed.records[0], ends[_i].expected)), outcome_name(ends[_i].outcome));
}
END_TEST

static const struct {
    const char  *sender;
    uint8_t      type, code;
    enum outcome outcome;
} outcomes6[] = {
    {"fd00::2", 1, 4, OUTCOME_REFUSED},    {"fd00::2", 1, 1, OUTCOME_PROHIBITED}, {"fd00::2", 1, 5, OUTCOME_PROHIBITED},
    {"fd00::2", 1, 6, OUTCOME_PROHIBITED}, {"fd00::1", 1, 0, OUTCOME_PROHIBITED}, {"fd00::1", 1, 4, OUTCOME_PROHIBITED},
    {"fd00::1", 2, 0, OUTCOME_UNANSWERED}, {"fd00::1", 3, 0, OUTCOME_UNANSWERED},
};

START_TEST(the_outcome_follows_from_icmpv6_too)
{
    static const char packet[] = "[fd00::9]:1000 > [fd00::2]:53 udp 30";

    bed_track(&bed, packet);
    ck_assert(send_error(outcomes6[_i].sender, IPPROTO_ICMPV6, outcomes6[_i].type, outcomes6[_i].code, packet));
    bed_drain(&bed, 1);
    ck_assert(bed.records[0].icmp.is_icmp6);
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), outcomes6[_i].outcome);
}
END_TEST

START_TEST(a_reset_with_another_ttl_than_the_server_is_not_the_servers)
{
    struct packet p = bed_packet(&bed, C "S 1");

    bed_put(&bed, &p);
    p = bed_packet(&bed, S "SA 9 2");
    bed_put(&bed, &p);
    p = bed_packet(&bed, S "R 10");
    p.ttl = 250;
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), OUTCOME_PROHIBITED);
}
END_TEST

START_TEST(every_word_is_its_own)
{
    for (int i = 0; i <= TCP_STATE_FLAGS_CUT; i++)
        for (int j = 0; j <= TCP_STATE_FLAGS_CUT; j++)
            ck_assert_int_eq(strcmp(tcp_state_name(i), tcp_state_name(j)) == 0, i == j);
    for (int i = 0; i <= DIRECTION_UNKNOWN; i++)
        for (int j = 0; j <= DIRECTION_UNKNOWN; j++)
            ck_assert_int_eq(strcmp(direction_basis_name(i), direction_basis_name(j)) == 0, i == j);
    ck_assert_str_eq(outcome_name(OUTCOME_ONE_WAY), "one-way");
    ck_assert_str_eq(outcome_name((enum outcome)99), "?");
}
END_TEST

static struct packet fragment_of(const struct packet *first, uint16_t offset, uint32_t payload)
{
    struct packet p = *first;

    p.flags &= (uint16_t)~PACKET_FIRST_FRAGMENT;
    p.sport = p.dport = 0;
    p.fragment_offset = offset;
    p.fragment_more = false;
    p.payload_wire_len = payload;
    p.wire_len = payload + 34;
    p.number++;
    return p;
}

static struct packet first_fragment(const char *text)
{
    struct packet p = bed_packet(&bed, text);

    p.flags |= PACKET_FIRST_FRAGMENT;
    p.fragment_more = true;
    p.fragment_id = 4242;
    return p;
}

START_TEST(later_fragments_count_with_their_flow)
{
    struct packet first = first_fragment("10.0.0.9:1000 > 10.0.0.2:53 udp 1000");
    struct packet later = fragment_of(&first, 1008, 500);

    bed_put(&bed, &first);
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_JOINED);
    bed_drain(&bed, 1);
    const struct flow_record *r = bed.records;
    ck_assert_uint_eq(r->packets[0], 2);
    ck_assert_uint_eq(r->bytes[0], 1054 + 534);
    ck_assert_uint_eq(r->payload[0], 1500);
    ck_assert(r->has_fragments);
}
END_TEST

START_TEST(fragments_before_the_first_wait_for_it)
{
    struct packet    first = first_fragment("10.0.0.9:1000 > 10.0.0.2:53 udp 1000");
    struct packet    later = fragment_of(&first, 1008, 500);
    struct flow_held held;

    later.input = 3;
    later.ts_ns -= MS;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_HELD);
    bed_put(&bed, &first);
    later.ts_ns += 2 * MS;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_JOINED);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], 3);
    ck_assert_uint_eq(bed.records[0].bytes[0], 1054 + 2 * 534);
    ck_assert_int_eq(bed.records[0].first_ns, first.ts_ns - MS);
    flow_table_held(bed.table, 3, &held);
    ck_assert_uint_eq(held.n_joined, 1);
    ck_assert_uint_eq(held.n_orphans, 0);
}
END_TEST

START_TEST(fragments_wait_a_minute_and_no_longer)
{
    struct packet    first = first_fragment("10.0.0.9:1000 > 10.0.0.2:53 udp 1000");
    struct packet    later = fragment_of(&first, 1008, 500);
    struct flow_held held;

    later.ts_ns = first.ts_ns - 60 * SECOND - 1;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_HELD);
    bed_put(&bed, &first);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], 1);
    flow_table_held(bed.table, 0, &held);
    ck_assert_uint_eq(held.n_joined, 0);
    ck_assert_uint_eq(held.n_orphans, 1);
}
END_TEST

START_TEST(fragments_of_other_datagrams_and_transports_are_none_of_this_flow)
{
    struct packet first = first_fragment("10.0.0.9:1000 > 10.0.0.2:53 udp 1000");
    struct packet later = fragment_of(&first, 1008, 500);

    bed_put(&bed, &first);
    later.fragment_id++;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_HELD);
    later.fragment_id--;
    later.transport = IPPROTO_TCP;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_HELD);
    later.transport = IPPROTO_ICMP;
    ck_assert_int_eq(flow_table_fragment(bed.table, &later), FLOW_FRAGMENT_NOT_OURS);
    bed_drain(&bed, 1);
    ck_assert_uint_eq(bed.records[0].packets[0], 1);
}
END_TEST

START_TEST(the_oldest_train_goes_when_there_are_too_many)
{
    struct flow_options o;
    struct bed          b;
    struct flow_held    held;
    uint64_t            n_held = 0, n_orphans = 0;

    flow_options_default(&o);
    o.max_fragments = 4;
    bed_open(&b, &o);
    for (unsigned i = 0; i < 100; i++) {
        struct packet first = bed_packet(&b, "10.0.0.9:1000 > 10.0.0.2:53 udp 1000");
        struct packet later = fragment_of(&first, 1008, 500);

        later.fragment_id = i;
        later.input = (uint16_t)(i % 3);
        ck_assert_int_eq(flow_table_fragment(b.table, &later), FLOW_FRAGMENT_HELD);
        n_held++;
    }
    bed_drain(&b, 0);
    for (uint16_t input = 0; input < 3; input++) {
        flow_table_held(b.table, input, &held);
        ck_assert_uint_eq(held.n_joined, 0);
        n_orphans += held.n_orphans;
    }
    ck_assert_uint_eq(n_orphans, n_held);
    bed_close(&b);
}
END_TEST

/* Packets of a connection, and whether the last of them begins its data. */
static const struct {
    const char *packets[4];
    bool        begins;
} beginnings[] = {
    {{C "S 1", S "SA 9 2", C "A 2 10 5"}, true},
    {{C "S 1", S "SA 9 2", S "A 10 2 5"}, true},
    {{C "S 1", S "SA 9 2", C "A 7 10 5"}, false},  /* five bytes of the client's are missing */
    {{C "S 1", S "SA 9 2", C "A 2 15 5"}, false},  /* of the server's */
    {{C "S 1", S "SA 9 2", S "A 10 7 5"}, false},
    {{S "SA 9 2", C "A 2 10 5"}, true},
    {{S "SA 9 2", C "A 3 10 5"}, false},
    {{C "S 1", C "A 2 10 5"}, true},
    {{C "S 1 0 5"}, true},
};

START_TEST(the_first_data_of_a_connection_is_known_by_its_numbers)
{
    unsigned         i = 0;
    struct flow_step step = {0};
    struct packet    p = {0};

    for (; i < 4 && beginnings[_i].packets[i] != NULL; i++) {
        p = bed_packet(&bed, beginnings[_i].packets[i]);
        step = bed_put(&bed, &p);
    }
    ck_assert(flow_ext(bed.table, step.flow) != NULL);
    ck_assert_int_eq(flow_begins_data(bed.table, step.flow, step.side, &p), beginnings[_i].begins);
}
END_TEST

START_TEST(what_a_server_sent_without_flags_is_no_attempt)
{
    struct packet p = bed_packet(&bed, S "A 5 6");

    p.flags |= PACKET_FLAGS_CUT;
    bed_put(&bed, &p);
    bed_drain(&bed, 1);
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), OUTCOME_UNANSWERED);
    flow_record_swap(&bed.records[0]); /* the port tells that it is the server's */
    ck_assert_int_eq(flow_record_outcome(&bed.records[0], false), OUTCOME_ONE_WAY);
}
END_TEST

Suite *suite_flow_evidence(void);

Suite *suite_flow_evidence(void)
{
    Suite *s = suite_create("flow_evidence");
    TCase *tc = tcase_create("evidence");

    tcase_add_checked_fixture(tc, open_bed, close_bed);
    tcase_add_loop_test(tc, an_error_before_the_first_packet_is_of_that_flow, 0, 3);
    tcase_add_test(tc, an_error_just_before_its_packet_is_the_disorder_of_the_capture);
    tcase_add_test(tc, an_answer_after_an_early_error_is_an_answer);
    tcase_add_loop_test(tc, an_error_of_which_no_packet_comes_is_a_flow_without_packets, 0, sizeof(others) / sizeof(others[0]));
    tcase_add_test(tc, errors_alone_tell_of_one_window);
    tcase_add_test(tc, errors_alone_have_a_bound_of_their_own);
    tcase_add_test(tc, an_error_is_joined_to_the_flow_that_it_quotes);
    tcase_add_test(tc, an_error_knows_how_far_the_flow_had_gone);
    tcase_add_test(tc, a_denial_is_kept_before_an_error_that_denies_nothing);
    tcase_add_test(tc, an_error_about_a_flow_that_is_over_is_not_joined);
    tcase_add_test(tc, the_client_of_an_error_turns_with_the_record);
    tcase_add_loop_test(tc, the_outcome_follows_from_the_evidence, 0, (int)(sizeof(outcomes) / sizeof(*outcomes)));
    tcase_add_loop_test(tc, a_closed_port_is_known_by_the_number_of_its_reset, 0, (int)(sizeof(unacked) / sizeof(*unacked)));
    tcase_add_loop_test(tc, what_comes_late_may_be_the_end_of_what_got_through, 0, (int)(sizeof(ends) / sizeof(*ends)));
    tcase_add_loop_test(tc, the_outcome_follows_from_icmpv6_too, 0, (int)(sizeof(outcomes6) / sizeof(*outcomes6)));
    tcase_add_test(tc, a_reset_with_another_ttl_than_the_server_is_not_the_servers);
    tcase_add_test(tc, every_word_is_its_own);
    tcase_add_test(tc, later_fragments_count_with_their_flow);
    tcase_add_test(tc, fragments_before_the_first_wait_for_it);
    tcase_add_test(tc, fragments_wait_a_minute_and_no_longer);
    tcase_add_test(tc, fragments_of_other_datagrams_and_transports_are_none_of_this_flow);
    tcase_add_test(tc, the_oldest_train_goes_when_there_are_too_many);
    tcase_add_loop_test(tc, the_first_data_of_a_connection_is_known_by_its_numbers, 0, sizeof(beginnings) / sizeof(beginnings[0]));
    tcase_add_test(tc, what_a_server_sent_without_flags_is_no_attempt);
    suite_add_tcase(s, tc);
    return s;
}
