/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "make.h"

static struct classifier *classifier;

/* A matrix of another vendor: names of the library beside ours. */
static void setup(void)
{
    static const char *const names[] = {"DNS", "LDAP", "RDP", "RTP", "TLS", "SIP", "MySQL", "Redis"};
    struct err err = {0};

    if (classifier_new(names, sizeof(names) / sizeof(names[0]), &classifier, &err) < 0)
        ck_abort_msg("%s", err.msg);
}

static void teardown(void)
{
    classifier_free(classifier);
}

static enum classify_progress show(struct classify_state *state, const struct make *make,
                                   const struct classify_step *step)
{
    struct made made = make_packet(make);
    enum classify_progress progress = classify_packet(classifier, state, &made.packet, step);

    make_free(&made);
    return progress;
}

static enum classify_progress show_text(struct classify_state *state, bool from_server, uint16_t port, const char *text,
                                        const struct classify_step *step)
{
    struct make make = {.transport = IPPROTO_TCP,
                        .from_server = from_server,
                        .client_port = 40001,
                        .server_port = port,
                        .payload = (const uint8_t *)text,
                        .len = strlen(text)};

    return show(state, &make, step);
}

START_TEST(unknown_names_are_refused)
{
    const char *const names[] = {"DNS", "Kerberus"};
    struct classifier *none = NULL;
    struct err err = {0};

    ck_assert_int_eq(classifier_new(names, 2, &none, &err), -EINVAL);
    ck_assert_str_eq(err.msg, "no protocol is called 'Kerberus'");
    ck_assert_ptr_null(none);
}
END_TEST

static void count_entries(void *aux)
{
    ++*(int *)aux;
}

START_TEST(detectors_are_made_when_they_are_needed_one_at_a_time)
{
    const char *const names[] = {"DNS"};
    const struct classify_step step = {0};
    int entered = 0;
    struct classify_gate gate = {count_entries, count_entries, &entered};
    struct classifier *common = classifier, *own = NULL;

    ck_assert_int_eq(classifier_new(names, 1, &own, NULL), 0);
    classifier_set_gate(own, &gate);
    ck_assert_int_eq(entered, 0);

    classifier = own;
    struct classify_state *state = classify_begin(own);
    show_text(state, false, 80, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", &step); /* a confirmer of ours knows it */
    classify_end(own, state);
    ck_assert_int_eq(entered, 0);
    state = classify_begin(own);
    show_text(state, false, 4711, "what nobody knows at all", &step);
    classify_end(own, state);
    classifier = common;
    ck_assert_int_eq(entered, 4);
    ck_assert_int_eq(classifier_prepare(own, NULL), 0); /* they are there */
    ck_assert_int_eq(entered, 4);
    classifier_free(own);
}
END_TEST

/* 65,507 bytes of labels hold version 4.2 of the library for ever when it is shown all of them. */
START_TEST(a_datagram_that_hangs_the_library_returns_at_once)
{
    size_t len = 65507;
    uint8_t *payload = malloc(len);
    static const uint8_t head[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    struct classify_step step = {0};
    struct classify_state *state = classify_begin(classifier);

    ck_assert_ptr_nonnull(payload);
    memset(payload, 0xbf, len);
    size_t at = _i < 2 ? 0 : 2; /* over TCP a length stands in front */
    payload[0] = payload[1] = 0xff;
    memcpy(payload + at, head, sizeof(head));
    struct make make = {.transport = _i < 2 ? IPPROTO_UDP : IPPROTO_TCP,
                        .ipv6 = _i & 1,
                        .client_port = 40001,
                        .server_port = 53,
                        .payload = payload,
                        .len = _i < 2 ? len : len - 12};
    struct app app;
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(show(state, &make, &step), CLASSIFY_MORE);
    classify_result(state, &app);
    ck_assert_int_ne((int)app.basis, APP_CONTENT);
    classify_end(classifier, state);
    free(payload);
}
END_TEST

/* What only the library knows must reach it although the capture cut the packet, or IP has no length. */
START_TEST(the_library_sees_cut_packets_whole)
{
    static const uint8_t greeting[] = {
        0x4a, 0,   0,   0,   10,  '5',  '.',  '7', '.', '3', '0',  0,    8,    0,   0,   0,   1,   2,   3,   4,
        5,    6,   7,   8,   0,   0xff, 0xf7, 8,   2,   0,   0x7f, 0x80, 0x15, 0,   0,   0,   0,   0,   0,   0,
        0,    0,   0,   1,   2,   3,    4,    5,   6,   7,   8,    9,    10,   11,  12,  0,   'm', 'y', 's', 'q',
        'l',  '_', 'n', 'a', 't', 'i',  'v',  'e', '_', 'p', 'a',  's',  's',  'w', 'o', 'r', 'd', 0};
    static const char *const expected[] = {"MySQL", NULL};
    struct classify_step step = {.expected = expected};
    struct classify_state *state = classify_begin(classifier);
    struct app app;
    struct make make = {.transport = IPPROTO_TCP,
                        .ipv6 = _i & 1,
                        .from_server = true,
                        .client_port = 40001,
                        .server_port = 3306,
                        .payload = greeting,
                        .len = sizeof(greeting)};
    struct made made = make_packet(&make);
    if (_i / 2 == 1) { /* offload: IP total length 0 */
        made.bytes[made.packet.flags & PACKET_IS_IPV6 ? 4 : 2] = 0;
        made.bytes[made.packet.flags & PACKET_IS_IPV6 ? 5 : 3] = 0;
    } else if (_i / 2 == 2) { /* cut: the wire had a thousand bytes more */
        made.packet.l3_wire_len += 1000;
        made.packet.payload_wire_len += 1000;
        made.packet.flags |= PACKET_CUT;
    }
    if (_i / 2 == 3) { /* a first fragment: more follow */
        made.packet.flags |= PACKET_FIRST_FRAGMENT;
        if (!make.ipv6)
            made.bytes[6] = 0x20;
    }
    ck_assert_int_eq(classify_packet(classifier, state, &made.packet, &step), CLASSIFY_FINAL);
    classify_result(state, &app);
    ck_assert_int_eq((int)app.basis, APP_CONTENT);
    ck_assert_str_eq(app.name, "MySQL");
    ck_assert(classify_satisfies(&app, "MySQL"));
    make_free(&made);
    classify_end(classifier, state);
}
END_TEST

struct rtp {
    uint16_t sequence;
    uint8_t first, ssrc;
    bool from_server;
};

static enum classify_progress show_rtp(struct classify_state *state, struct rtp rtp)
{
    uint8_t payload[172] = {rtp.first, 0, (uint8_t)(rtp.sequence >> 8), (uint8_t)rtp.sequence, [11] = rtp.ssrc};
    struct classify_step step = {0};
    struct make make = {.transport = IPPROTO_UDP,
                        .from_server = rtp.from_server,
                        .client_port = 22800,
                        .server_port = 22900,
                        .payload = payload,
                        .len = sizeof(payload)};

    return show(state, &make, &step);
}

static const struct {
    const char *what;
    struct rtp packets[4];
    bool is_rtp;
} streams[] = {
    {"three in a row", {{7, 0x80, 1, false}, {8, 0x80, 1, false}, {9, 0x80, 1, false}}, true},
    {"over the end of the numbers", {{65534, 0x80, 1, true}, {65535, 0x80, 1, true}, {0, 0x80, 1, true}}, true},
    {"a loss between", {{7, 0x80, 1, false}, {8, 0x80, 1, false}, {11, 0x80, 1, false}}, true},
    {"extension and source count", {{7, 0x91, 1, false}, {8, 0x91, 1, false}, {9, 0x91, 1, false}}, true},
    {"one seen twice", {{7, 0x80, 1, false}, {7, 0x80, 1, false}, {8, 0x80, 1, false}}, false},
    {"both directions together", {{7, 0x80, 1, false}, {8, 0x80, 1, true}, {9, 0x80, 1, false}}, false},
    {"another source", {{7, 0x80, 1, false}, {8, 0x80, 2, false}, {9, 0x80, 1, false}}, false},
    {"numbers that jump", {{7, 0x80, 1, false}, {700, 0x80, 1, false}, {90, 0x80, 1, false}}, false},
    {"another version", {{7, 0x40, 1, false}, {8, 0x40, 1, false}, {9, 0x40, 1, false}}, false},
};

START_TEST(rtp_takes_three_packets_of_one_direction)
{
    struct classify_state *state = classify_begin(classifier);
    struct app app;

    for (unsigned i = 0; i < 3; i++)
        show_rtp(state, streams[_i].packets[i]);
    classify_result(state, &app);
    ck_assert_msg((app.basis == APP_CONTENT) == streams[_i].is_rtp, "%s: %d '%s'", streams[_i].what, (int)app.basis,
                  app.name);
    if (streams[_i].is_rtp)
        ck_assert_str_eq(app.name, "RTP");
    classify_end(classifier, state);
}
END_TEST

/* --- tunnels: both sides together ----------------------------------------------------------------------------- */

#define TUNNEL_MESSAGES 4
#define SESSION         "11 22 33 44 55 66 77 88"
#define HARD_RESET      "38 " SESSION " 00 00 00 00 00"
#define HARD_ANSWER     "40 a1 a2 a3 a4 a5 a6 a7 a8 01 00 00 00 00 " SESSION " 00 00 00 00"
#define HMAC            "c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 ca cb cc cd ce cf d0 d1 d2 d3 00 00 00 01 4f 00 00 00 "

/* '<' in front: the server's.  '=N' behind: as long on the wire. */
static const struct {
    const char *what, *messages[TUNNEL_MESSAGES];
    uint8_t transport;
    const char *name, *detail; /* "" where nothing may be said for certain */
} tunnels[] = {
    {"SOCKS 5 without a password", {"05 01 00", "<05 00", "05 01 00 01 0a 00 00 09 00 50"}, IPPROTO_TCP, "SOCKS", "SOCKS5"},
    {"SOCKS 5 with a name to go to", {"05 02 00 02", "<05 00", "05 01 00 03 04 \"host\" 00 50"}, IPPROTO_TCP, "SOCKS", "SOCKS5"},
    {"SOCKS 5 with a password", {"05 02 00 02", "<05 02", "01 02 \"me\" 03 \"key\""}, IPPROTO_TCP, "SOCKS", "SOCKS5"},
    {"SOCKS 5, the offer seen twice", {"05 01 00", "05 01 00", "<05 00", "05 01 00 01 0a 00 00 09 00 50"}, IPPROTO_TCP, "SOCKS", "SOCKS5"},
    {"a choice that was not offered", {"05 01 00", "<05 02", "01 02 \"me\" 03 \"key\""}, IPPROTO_TCP, "", ""},
    {"an offer alone", {"05 01 00", "05 01 00 01 0a 00 00 09 00 50"}, IPPROTO_TCP, "", ""},
    {"a choice, and no request", {"05 01 00", "<05 00", "47 11 08 15 00"}, IPPROTO_TCP, "", ""},
    {"a request that is too long", {"05 01 00", "<05 00", "05 01 00 01 0a 00 00 09 00 50 00"}, IPPROTO_TCP, "", ""},
    {"SOCKS 4", {"04 01 00 50 0a 00 00 09 \"me\" 00", "<00 5a 00 00 00 00 00 00"}, IPPROTO_TCP, "SOCKS", "SOCKS4"},
    {"SOCKS 4, another answer", {"04 01 00 50 0a 00 00 09 \"me\" 00", "<00 60 00 00 00 00 00 00"}, IPPROTO_TCP, "", ""},
    {"OpenVPN", {HARD_RESET, "<" HARD_ANSWER}, IPPROTO_UDP, "OpenVPN", ""},
    {"OpenVPN with signatures", {"38 " SESSION " " HMAC "00 00 00 00 00", "<40 a1 a2 a3 a4 a5 a6 a7 a8 " HMAC "01 00 00 00 00 " SESSION " 00 00 00 00"},
     IPPROTO_UDP, "OpenVPN", ""},
    {"OpenVPN over TCP", {"00 0e " HARD_RESET, "<00 1a " HARD_ANSWER}, IPPROTO_TCP, "OpenVPN", ""},
    {"OpenVPN, a second attempt is answered", {"38 00 00 00 00 00 00 00 01 00 00 00 00 00", HARD_RESET, "<" HARD_ANSWER}, IPPROTO_UDP, "OpenVPN", ""},
    {"an answer to another session", {"38 00 00 00 00 00 00 00 01 00 00 00 00 00", "<" HARD_ANSWER}, IPPROTO_UDP, "", ""},
    {"both from one side", {HARD_RESET, HARD_ANSWER}, IPPROTO_UDP, "", ""},
    {"a tunnel by HTTP", {"\"CONNECT host:22 HTTP/1.1\" 0d 0a 0d 0a", "<\"HTTP/1.1 200 OK\" 0d 0a 0d 0a"}, IPPROTO_TCP, "HTTP_Connect", ""},
    {"WireGuard", {"01 00 00 00 de ad be ef =148", "<02 00 00 00 01 02 03 04 de ad be ef =92"}, IPPROTO_UDP, "WireGuard", ""},
    {"WireGuard, another receiver", {"01 00 00 00 de ad be ef =148", "<02 00 00 00 01 02 03 04 de ad be ee =92"}, IPPROTO_UDP, "", ""},
    {"WireGuard, another length", {"01 00 00 00 de ad be ef =148", "<02 00 00 00 01 02 03 04 de ad be ef =93"}, IPPROTO_UDP, "", ""},
};

static void show_tunnel(struct classify_state *state, const char *message, uint8_t transport)
{
    struct classify_step step = {0};
    uint8_t bytes[256];
    char text[512];
    const char *wire = strchr(message, '=');
    struct make make = {.transport = transport, .from_server = message[0] == '<', .client_port = 40001, .server_port = 4000, .payload = bytes};

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(message, "=") - make.from_server, message + make.from_server);
    make.len = make_bytes(text, bytes, sizeof(bytes));
    make.wire_len = wire != NULL ? (size_t)atoi(wire + 1) : make.len;
    show(state, &make, &step);
}

START_TEST(a_tunnel_takes_both_sides)
{
    struct classify_state *state = classify_begin(classifier);
    struct app app;

    for (unsigned i = 0; i < TUNNEL_MESSAGES && tunnels[_i].messages[i] != NULL; i++) {
        classify_result(state, &app);
        ck_assert_msg(app.basis != APP_CONTENT, "%s: settled before message %u", tunnels[_i].what, i);
        show_tunnel(state, tunnels[_i].messages[i], tunnels[_i].transport);
    }
    classify_result(state, &app);
    if (tunnels[_i].name[0] == '\0') {
        ck_assert_msg(app.basis != APP_CONTENT, "%s: '%s'", tunnels[_i].what, app.name);
    } else {
        ck_assert_str_eq(app.name, tunnels[_i].name);
        ck_assert_str_eq(app.detail, tunnels[_i].detail);
        ck_assert_int_eq((int)app.basis, APP_CONTENT);
        ck_assert(app.contradicts);
        ck_assert_int_eq(classify_direction(state), 1);
    }
    classify_end(classifier, state);
}
END_TEST

/* A tunnel that was refused is an answer like others; one that was not answered is HTTP as far as anyone knows. */
START_TEST(a_tunnel_that_was_refused_is_http)
{
    const struct classify_step step = {0};
    struct classify_state *state = classify_begin(classifier);
    struct app app;

    show_text(state, false, 80, "CONNECT host:22 HTTP/1.1\r\n\r\n", &step);
    classify_result(state, &app);
    ck_assert_int_eq((int)app.basis, APP_HINT);
    ck_assert_str_eq(app.name, "HTTP");
    show_text(state, true, 80, "HTTP/1.1 405 Method Not Allowed\r\n\r\n", &step);
    classify_result(state, &app);
    ck_assert_int_eq((int)app.basis, APP_CONTENT);
    ck_assert_str_eq(app.name, "HTTP");
    ck_assert(classify_satisfies(&app, "HTTP"));
    ck_assert_int_eq(classify_direction(state), 1);
    classify_end(classifier, state);
    struct app tunnel = {.basis = APP_CONTENT, .name = "HTTP_Connect"};
    ck_assert(!classify_satisfies(&tunnel, "HTTP"));
}
END_TEST

START_TEST(tls_after_an_upgrade_contradicts_nothing)
{
    static const uint8_t data[] = {0x17, 3,  3,  0,  0x14, 1,  2,  3,  4,  5,  6,  7, 8,
                                   9,    10, 11, 12, 13,   14, 15, 16, 17, 18, 19, 20};
    static const char *const ldap[] = {"LDAP", NULL}, *const dns[] = {"DNS", NULL};
    struct classify_step step = {.expected = _i == 3 ? NULL : _i == 2 ? dns : ldap, .midstream = _i >= 1};
    struct classify_state *state = classify_begin(classifier);
    struct app app;
    struct make make = {
        .transport = IPPROTO_TCP, .client_port = 40001, .server_port = 389, .payload = data, .len = sizeof(data)};

    ck_assert_int_eq(show(state, &make, &step), CLASSIFY_FINAL);
    classify_result(state, &app);
    ck_assert_str_eq(app.name, "TLS");
    ck_assert_int_eq(app.contradicts, _i == 0 || _i == 2); /* from the start; mid-stream; mid-stream where nothing upgrades; where nothing is expected */
    classify_end(classifier, state);
}
END_TEST

START_TEST(a_flow_that_says_nothing_ends_with_its_budget)
{
    struct classify_state *state = classify_begin(classifier);
    struct classify_step step = {0};
    struct app app;

    for (unsigned i = 1; i < CLASSIFY_MAX_TCP_PACKETS; i++)
        ck_assert_int_eq(show_text(state, i % 3 == 0, 4000, "xyzzy plugh", &step), CLASSIFY_MORE);
    ck_assert_int_eq(show_text(state, false, 4000, "xyzzy plugh", &step), CLASSIFY_FINAL);
    classify_result(state, &app);
    ck_assert_int_ne((int)app.basis, APP_CONTENT);
    ck_assert_int_eq(classify_direction(state), 0);
    classify_end(classifier, state);
}
END_TEST

/* Keep-alives of one byte do not use the budget up. */
START_TEST(keep_alives_are_not_counted)
{
    struct classify_state *state = classify_begin(classifier);
    struct classify_step step = {.midstream = true};
    struct app app;

    for (unsigned i = 0; i < 3 * CLASSIFY_MAX_TCP_PACKETS; i++)
        ck_assert_int_eq(show_text(state, i & 1, 4000, "x", &step), CLASSIFY_MORE);
    ck_assert_int_eq(show_text(state, true, 4000, "HTTP/1.1 200 OK\r\n", &step), CLASSIFY_FINAL);
    classify_result(state, &app);
    ck_assert_str_eq(app.name, "HTTP");
    ck_assert_int_eq(classify_direction(state), 1); /* the first byte was the client's */
    classify_end(classifier, state);
}
END_TEST

START_TEST(only_an_answer_that_comes_first_is_a_reply)
{
    static const uint8_t answer[] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    uint8_t query[sizeof(answer)];
    struct classify_step step = {0};

    memcpy(query, answer, sizeof(query));
    query[2] = 1, query[3] = 0;
    struct make make = {.transport = IPPROTO_UDP, .client_port = 40001, .server_port = 53, .len = sizeof(answer)};
    for (unsigned i = 0; i < 2; i++) {
        struct classify_state *state = classify_begin(classifier);
        make.payload = i == 0 ? answer : query;
        show(state, &make, &step);
        ck_assert_int_eq(classify_is_reply(state), i == 0);
        ck_assert_int_eq(classify_direction(state), i == 0 ? -1 : 1);
        classify_end(classifier, state);
    }
}
END_TEST

/* A state that is taken again has forgotten the flow that had it before. */
START_TEST(states_are_used_again_and_counted)
{
    struct classify_step step = {0};
    struct classify_stats before, stats;
    struct app app;

    classify_stats(classifier, &before);
    for (unsigned i = 0; i < 200; i++) {
        struct classify_state *state = classify_begin(classifier);
        classify_result(state, &app);
        ck_assert_int_eq((int)app.basis, APP_NONE);
        ck_assert_str_eq(app.name, "");
        show_text(state, false, 80, i % 2 == 0 ? "GET / HTTP/1.1\r\n\r\n" : "nothing that is known", &step);
        classify_end(classifier, state);
    }
    classify_stats(classifier, &stats);
    ck_assert_uint_eq(stats.n_states, 0);
    ck_assert_uint_eq(stats.n_states_peak, before.n_states_peak > 1 ? before.n_states_peak : 1);
    ck_assert_uint_eq(stats.n_packets - before.n_packets, 200);
    ck_assert_uint_eq(stats.n_second_opinions - before.n_second_opinions, 100); /* HTTP is settled before */
    ck_assert_uint_eq(stats.n_no_memory, 0);
}
END_TEST

static const struct classify_state *given_up[512];
static size_t n_given_up;

static void take_back(void *aux, void *owner)
{
    struct classify_state **state = owner;
    struct app app;

    classify_result(*state, &app);
    ck_assert_int_eq(app.basis, APP_NONE);
    given_up[n_given_up++] = *state;
    classify_end(aux, *state);
    *state = NULL;
}

/* 64 states are in a chunk, and the first chunk is granted whatever the bound. */
START_TEST(under_a_bound_the_states_that_began_first_are_given_up)
{
    const char *const names[] = {"DNS"};
    const struct classify_step step = {0};
    struct classifier *common = classifier, *own = NULL;
    struct classify_state *states[192];
    struct classify_stats stats;

    ck_assert_int_eq(classifier_new(names, 1, &own, NULL), 0);
    struct classify_bounds bounds = {.states = 1, .library = 1, .give_up = take_back, .aux = own};
    classifier_set_bounds(own, &bounds);
    classifier = own;
    n_given_up = 0;
    for (size_t i = 0; i < 192; i++) {
        states[i] = classify_begin(own);
        ck_assert_ptr_nonnull(states[i]);
        classify_set_owner(own, states[i], &states[i]);
        show_text(states[i], false, 4711, "what nobody knows at all", &step); /* takes two of libndpi's states */
    }
    ck_assert_uint_eq(n_given_up, 128);
    for (size_t i = 0; i < 192; i++)
        ck_assert_int_eq(states[i] != NULL, i >= 128);
    /* 64 of libndpi's are for the last 32 flows: all before them lost something, and each counts once. */
    classify_stats(own, &stats);
    ck_assert_uint_eq(stats.n_no_memory, 0);
    ck_assert_uint_eq(stats.n_given_up, 192 - 32);
    /* A flow that lost them is still known by our own confirmers. */
    struct app app;
    show_text(states[128], false, 4711, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", &step);
    classify_result(states[128], &app);
    ck_assert_str_eq(app.name, "HTTP");
    for (size_t i = 128; i < 192; i++)
        classify_end(own, states[i]);
    classifier = common;
    classifier_free(own);
}
END_TEST

static size_t n_allocated;

static void *counting_malloc(size_t size)
{
    n_allocated++;
    return malloc(size);
}

START_TEST(the_library_takes_the_allocator_of_the_program)
{
    const char *const names[] = {"DNS"};
    struct classifier *own;
    struct err err = {0};

    classify_set_allocator(counting_malloc, free);
    ck_assert_int_eq(classifier_new(names, 1, &own, &err), 0);
    ck_assert_int_eq(classifier_prepare(own, &err), 0);
    ck_assert_uint_gt(n_allocated, 1000);
    classifier_free(own);
}
END_TEST

Suite *suite_classifier(void);

Suite *suite_classifier(void)
{
    Suite *suite = suite_create("classifier");
    TCase *tc = tcase_create("classifier");

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, unknown_names_are_refused);
    tcase_add_test(tc, the_library_takes_the_allocator_of_the_program);
    tcase_add_loop_test(tc, a_datagram_that_hangs_the_library_returns_at_once, 0, 4);
    tcase_add_loop_test(tc, the_library_sees_cut_packets_whole, 0, 8);
    tcase_add_test(tc, a_tunnel_that_was_refused_is_http);
    tcase_add_loop_test(tc, a_tunnel_takes_both_sides, 0, (int)(sizeof(tunnels) / sizeof(tunnels[0])));
    tcase_add_loop_test(tc, rtp_takes_three_packets_of_one_direction, 0, (int)(sizeof(streams) / sizeof(streams[0])));
    tcase_add_loop_test(tc, tls_after_an_upgrade_contradicts_nothing, 0, 4);
    tcase_add_test(tc, a_flow_that_says_nothing_ends_with_its_budget);
    tcase_add_test(tc, detectors_are_made_when_they_are_needed_one_at_a_time);
    tcase_add_test(tc, under_a_bound_the_states_that_began_first_are_given_up);
    tcase_add_test(tc, keep_alives_are_not_counted);
    tcase_add_test(tc, only_an_answer_that_comes_first_is_a_reply);
    tcase_add_test(tc, states_are_used_again_and_counted);
    suite_add_tcase(suite, tc);
    return suite;
}
