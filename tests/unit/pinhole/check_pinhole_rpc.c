/* SPDX-License-Identifier: Apache-2.0 */
/* DCE/RPC: binds, endpoint mapper, DCOM. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pinhole_bed.h"
#include "pinhole_messages.h"

static const struct tower drsuapi = {DRSUAPI_UUID, 0x07, 49667, {10, 0, 0, 2}};

static void say(struct bed *bed, unsigned side, struct message *m)
{
    ck_assert(bed_send(bed, side, m->bytes, m->len));
    m->len = 0;
}

static void expect(const struct bed *bed, const char *text)
{
    char buf[8192];

    ck_assert_str_eq(bed_text(bed, buf, sizeof(buf)), text);
}

/* An exchange byte by byte, as Windows sends it. */
START_TEST(mapper_answers_by_the_byte)
{
    static const uint8_t bind[] = {
        0x05, 0x00, 0x0b, 0x03, 0x10, 0x00, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, /* bind, 72
                                                                                                           bytes, call 1
                                                                                                         */
        0xd0, 0x16, 0xd0, 0x16, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, /* fragments, association, one context
                                                                                 */
        0x00, 0x00, 0x01, 0x00,                                                 /* context 0 with one transfer syntax */
        0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa, 0x03,
        0x00, 0x00, 0x00, /* the endpoint mapper, version 3.0 */
        0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 0x02,
        0x00, 0x00, 0x00, /* NDR 2.0 */
    };
    static const uint8_t ack[] = {
        0x05, 0x00, 0x0c, 0x03, 0x10, 0x00, 0x00, 0x00, 0x3c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, /* bind ack, 60
                                                                                                           bytes */
        0xd0, 0x16, 0xd0, 0x16, 0x4d, 0x00, 0x00, 0x00, 0x04, 0x00, '1',  '3',  '5',  0x00, 0x00, 0x00, /* port "135",
                                                                                                           padding */
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* one result: accepted, with NDR */
        0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 0x02,
        0x00, 0x00, 0x00,
    };
    static const uint8_t request[] = {
        0x05, 0x00, 0x00, 0x03, 0x10, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x00,                                                 /* request, call 2 */
        0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, /* context 0, operation 3: ept_map */
    };
    static const uint8_t response[] = {
        0x05, 0x00, 0x02, 0x03, 0x10, 0x00, 0x00, 0x00, 0x98, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, /* response, 152
                                                                                                           bytes */
        0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,                                                 /* context 0 */
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0, /* handle */
        0x01, 0x00, 0x00, 0x00, 0x04, 0,    0,    0,    0x00, 0,    0,    0,    0x01, 0,    0,    0,    0x03,
        0,    0,    0,                                              /* one of up to 4, pointer */
        0x4b, 0x00, 0x00, 0x00, 0x4b, 0x00, 0x00, 0x00, 0x05, 0x00, /* 75 bytes, five floors */
        0x13, 0x00, 0x0d, 0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11, 0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2,
        0xdc, 0xd2, 0x04, 0x00, 0x02, 0x00, 0x00, 0x00, /* DRSUAPI 4.0 */
        0x13, 0x00, 0x0d, 0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10,
        0x48, 0x60, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00,       /* NDR 2.0 */
        0x01, 0x00, 0x0b, 0x02, 0x00, 0x00, 0x00,             /* connection-oriented */
        0x01, 0x00, 0x07, 0x02, 0x00, 0xc2, 0x03,             /* TCP 49667 */
        0x01, 0x00, 0x09, 0x04, 0x00, 0x0a, 0x00, 0x00, 0x02, /* 10.0.0.2 */
        0x00, 0x00, 0x00, 0x00, 0x00,                         /* padding, status */
    };
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);

    ck_assert_uint_eq(sizeof(bind), 72);
    ck_assert_uint_eq(sizeof(ack), 60);
    ck_assert_uint_eq(sizeof(response), 152);
    bed_send(bed, 0, bind, sizeof(bind));
    bed_send(bed, 1, ack, sizeof(ack));
    bed_send(bed, 0, request, sizeof(request));
    bed_send(bed, 1, response, sizeof(response));
    expect(bed, "rpc-bind EPMv4 10.0.0.2 135/tcp\nepm-map DRSUAPI 10.0.0.2 49667/tcp\n");
    const struct pinhole *h = &bed->found[1];
    ck_assert_str_eq(h->uuid, DRSUAPI_UUID);
    ck_assert_uint_eq(h->packet_number, 4);
    ck_assert_uint_eq(h->input, 7);
    ck_assert_int_eq(h->ts_ns, 4000);
    struct addr server, client;
    ck_assert_int_eq(addr_parse("10.0.0.2", &server) | addr_parse("10.0.0.1", &client), 0);
    ck_assert_int_eq(addr_compare(&h->announcer, &server), 0);
    ck_assert_int_eq(addr_compare(&h->requester, &client), 0);
    bed_free(bed);
}
END_TEST

/* Little- and big-endian, NDR and NDR64. */
static void bind_to(struct bed *bed, struct message *m, const char *interface)
{
    const char *syntax = m->wide ? NDR64_UUID : NDR_UUID;

    rpc_bind(m, RPC_BIND, 5, interface, syntax);
    say(bed, 0, m);
    rpc_ack(m, RPC_ACK, 0, syntax);
    say(bed, 1, m);
}

START_TEST(every_encoding)
{
    static const struct tower towers[] = {
        {DRSUAPI_UUID, 0x07, 49667, {10, 0, 0, 2}},
        {"12345678-1234-abcd-ef00-01234567cffb", 0x07, 1024, {0, 0, 0, 0}},
        {"01020304-0506-0708-090a-0b0c0d0e0f10", 0x08, 1025, {10, 0, 0, 3}},
        {"12345778-1234-abcd-ef00-0123456789ac", 0x0f, 0, {0, 0, 0, 0}},
        {"f5cc5a18-4264-101a-8c59-08002b2f8426", 0x1f, 6004, {10, 0, 0, 2}},
    };
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 1135, NULL);
    struct message *m = message_new();
    unsigned opnum = _i & 4 ? 2 : 3;

    m->big = _i & 1;
    m->wide = _i & 2;
    bind_to(bed, m, EPM_UUID);
    rpc_request(m, 2, 5, opnum);
    say(bed, 0, m);
    size_t begin = rpc_response(m, 2, 5, 3);
    if (opnum == 2)
        epm_lookup_stub(m, towers, 5);
    else
        epm_map_stub(m, towers, 5);
    rpc_finish(m, begin, 0);
    say(bed, 1, m);
    expect(bed, opnum == 2 ? "rpc-bind EPMv4 10.0.0.2 1135/tcp\n"
                             "epm-lookup DRSUAPI 10.0.0.2 49667/tcp\n"
                             "epm-lookup NETLOGON 10.0.0.2? 1024/tcp\n"
                             "epm-lookup 01020304-0506-0708-090a-0b0c0d0e0f10 10.0.0.3 1025/udp\n"
                             "epm-lookup NSPI 10.0.0.2 6004/tcp\n"
                           : "rpc-bind EPMv4 10.0.0.2 1135/tcp\n"
                             "epm-map DRSUAPI 10.0.0.2 49667/tcp\n"
                             "epm-map NETLOGON 10.0.0.2? 1024/tcp\n"
                             "epm-map 01020304-0506-0708-090a-0b0c0d0e0f10 10.0.0.3 1025/udp\n"
                             "epm-map NSPI 10.0.0.2 6004/tcp\n");
    free(m);
    bed_free(bed);
}
END_TEST

/* An answer whose stub is cut into fragments of any size. */
START_TEST(answers_in_fragments)
{
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);
    struct message *whole = message_new(), *m = message_new();
    struct tower towers[40];

    for (unsigned i = 0; i < 40; i++) {
        towers[i] = drsuapi;
        towers[i].port = (uint16_t)(1024 + i);
    }
    epm_lookup_stub(whole, towers, 40);
    for (size_t size = 8; size < whole->len; size += 1 + size / 3) {
        bed_restart(bed);
        bind_to(bed, m, EPM_UUID);
        rpc_request(m, 9, 5, 2);
        say(bed, 0, m);
        for (size_t at = 0; at < whole->len; at += size) {
            size_t n = whole->len - at < size ? whole->len - at : size;
            unsigned flags = (at == 0 ? 1u : 0) | (at + n == whole->len ? 2u : 0);
            size_t begin = rpc_response(m, 9, 5, flags);
            put_bytes(m, whole->bytes + at, n);
            rpc_finish(m, begin, 0);
            say(bed, 1, m);
        }
        ck_assert_uint_eq(bed->n, 41);
        ck_assert_uint_eq(bed->found[40].port, 1063);
    }
    free(m);
    free(whole);
    bed_free(bed);
}
END_TEST

/* Begins with an answer to a call that nobody saw: on the mapper's port only. */
START_TEST(answer_without_its_question)
{
    struct message *m = message_new();

    for (unsigned i = 0; i < 3; i++) {
        struct bed *bed = bed_new(IPPROTO_TCP, 50000, i < 2 ? 135 : 1135, NULL);
        size_t begin = rpc_response(m, 2, 0, 3);
        if (i == 0)
            epm_map_stub(m, &drsuapi, 1);
        else
            epm_lookup_stub(m, &drsuapi, 1);
        rpc_finish(m, begin, 0);
        say(bed, 1, m);
        expect(bed, i == 0   ? "epm-map DRSUAPI 10.0.0.2 49667/tcp\n"
                    : i == 1 ? "epm-lookup DRSUAPI 10.0.0.2 49667/tcp\n"
                             : "");
        bed_free(bed);
    }
    free(m);
}
END_TEST

/* Other interfaces on the mapper's port, other operations, faults. */
START_TEST(calls_of_no_interest)
{
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);
    struct message *m = message_new();

    bind_to(bed, m, DRSUAPI_UUID);
    rpc_request(m, 2, 5, 3);
    say(bed, 0, m);
    size_t begin = rpc_response(m, 2, 5, 3);
    epm_map_stub(m, &drsuapi, 1);
    rpc_finish(m, begin, 0);
    say(bed, 1, m);
    expect(bed, "rpc-bind DRSUAPI 10.0.0.2 135/tcp\n");

    /* A fault ends the call; what has its number later is an answer to another. */
    bed_restart(bed);
    bind_to(bed, m, OXID_UUID);
    rpc_request(m, 2, 5, 0);
    say(bed, 0, m);
    begin = rpc_begin(m, RPC_FAULT, 3, 2);
    put_bytes(m, "\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0", 16);
    rpc_finish(m, begin, 0);
    say(bed, 1, m);
    static const char *const bindings[] = {"10.0.0.9[2000]"};
    begin = rpc_response(m, 2, 5, 3);
    oxid_stub(m, bindings, 1);
    rpc_finish(m, begin, 0);
    say(bed, 1, m);
    expect(bed, "rpc-bind IOXIDResolver 10.0.0.2 135/tcp\n");
    free(m);
    bed_free(bed);
}
END_TEST

/* A trailer of 16 bytes behind 4 of padding; sealed ones are counted and left alone. */
START_TEST(authenticated_answers)
{
    struct message *m = message_new();

    for (unsigned level = 2; level <= 6; level++) {
        struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);
        struct pinholes_stats stats;

        bind_to(bed, m, EPM_UUID);
        rpc_request(m, 2, 5, 3);
        say(bed, 0, m);
        size_t begin = rpc_response(m, 2, 5, 3);
        epm_map_stub(m, &drsuapi, 1);
        put_32(m, 0xffffffff); /* padding */
        put_8(m, 10);          /* NTLM, level, length of padding, reserved, context */
        put_8(m, level);
        put_8(m, 4);
        put_8(m, 0);
        put_32(m, 0);
        put_bytes(m, "sixteen bytes ..", 16);
        rpc_finish(m, begin, 16);
        say(bed, 1, m);
        pinholes_stats(bed->pinholes, &stats);
        ck_assert_uint_eq(bed->n, level == 6 ? 1 : 2);
        ck_assert_uint_eq(stats.n_sealed, level == 6);
        bed_free(bed);
    }
    free(m);
}
END_TEST

START_TEST(binds)
{
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 49667, NULL);
    struct message *m = message_new();

    rpc_bind(m, RPC_BIND, 0, DRSUAPI_UUID, NDR_UUID);
    say(bed, 0, m);
    rpc_ack(m, RPC_ACK, 2, NDR_UUID); /* refused */
    say(bed, 1, m);
    expect(bed, "");
    rpc_bind(m, RPC_ALTER, 1, "12345778-1234-abcd-ef00-0123456789ac", NDR_UUID);
    say(bed, 0, m);
    rpc_ack(m, RPC_ALTER_ACK, 0, NDR_UUID);
    say(bed, 1, m);
    /* Accepted, as its use shows; the acknowledgement was not captured. */
    rpc_bind(m, RPC_ALTER, 2, "deadbeef-0000-0000-0000-000000000001", NDR_UUID);
    say(bed, 0, m);
    rpc_request(m, 7, 2, 0);
    say(bed, 0, m);
    expect(bed, "rpc-bind SAMR 10.0.0.2 49667/tcp\n"
                "rpc-bind deadbeef-0000-0000-0000-000000000001 10.0.0.2 49667/tcp\n");
    struct addr server;
    ck_assert_int_eq(addr_parse("10.0.0.2", &server), 0);
    ck_assert_int_eq(addr_compare(&bed->found[1].announcer, &server), 0);
    free(m);
    bed_free(bed);
}
END_TEST

START_TEST(object_resolver)
{
    static const char *const bindings[] = {"HOST[59570]",
                                           "10.0.0.7[59570]",
                                           "fd00::7[59570]",
                                           "10.0.0.7[59570]",
                                           "no.port.example",
                                           "x[]",
                                           "x[0]",
                                           "x[65536]",
                                           "x[999999999999999]",
                                           "[5000]",
                                           "x[12",
                                           "dual.example[5001]"};
    struct message *m = message_new();

    for (unsigned i = 0; i < 4; i++) {
        struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);
        m->big = i & 1;
        bind_to(bed, m, i & 2 ? ACTIVATOR_UUID : OXID_UUID);
        rpc_request(m, 2, 5, 4);
        say(bed, 0, m);
        size_t begin = rpc_response(m, 2, 5, 3);
        oxid_stub(m, bindings, 12);
        rpc_finish(m, begin, 0);
        bed->n = 0;
        say(bed, 1, m);
        expect(bed, "dcom-oxid 10.0.0.7 10.0.0.7 59570/tcp\n"
                    "dcom-oxid fd00::7 fd00::7 59570/tcp\n"
                    "dcom-oxid HOST 10.0.0.2? 59570/tcp\n"
                    "dcom-oxid dual.example 10.0.0.2? 5001/tcp\n");
        bed_free(bed);
    }
    free(m);
}
END_TEST

START_TEST(datagrams)
{
    struct bed *bed = bed_new(IPPROTO_UDP, 50000, 135, NULL);
    struct message *m = message_new();

    for (unsigned i = 0; i < 2; i++) {
        m->big = i;
        rpc_udp(m, 0, EPM_UUID, 3, 0);
        rpc_udp_finish(m);
        say(bed, 0, m);
        rpc_udp(m, 2, EPM_UUID, 3, 0);
        epm_map_stub(m, &(struct tower){DRSUAPI_UUID, 0x08, 1026, {0}}, 1);
        rpc_udp_finish(m);
        say(bed, 1, m);
    }
    expect(bed, "rpc-bind EPMv4 10.0.0.2 135/udp\nepm-map DRSUAPI 10.0.0.2? 1026/udp\n"
                "rpc-bind EPMv4 10.0.0.2 135/udp\nepm-map DRSUAPI 10.0.0.2? 1026/udp\n");
    free(m);
    bed_free(bed);
}
END_TEST

/* Counts and lengths that a sender could lie about. */
START_TEST(lies)
{
    struct message *m = message_new();
    size_t stub_len;

    epm_map_stub(m, &drsuapi, 1);
    stub_len = m->len;
    m->len = 0;
    for (size_t at = 20; at + 4 <= stub_len; at++) {
        struct bed *bed = bed_new(IPPROTO_TCP, 50000, 135, NULL);

        bind_to(bed, m, EPM_UUID);
        rpc_request(m, 2, 5, 3);
        say(bed, 0, m);
        size_t begin = rpc_response(m, 2, 5, 3), stub = m->len;
        epm_map_stub(m, &drsuapi, 1);
        rpc_finish(m, begin, 0);
        memset(m->bytes + stub + at, 0xff, 4);
        say(bed, 1, m);
        ck_assert_uint_le(bed->n, 2);
        bed_free(bed);
    }
    free(m);
}
END_TEST

Suite *suite_pinhole_rpc(void);

Suite *suite_pinhole_rpc(void)
{
    Suite *suite = suite_create("pinhole_rpc");
    TCase *tc = tcase_create("rpc");

    tcase_add_test(tc, mapper_answers_by_the_byte);
    tcase_add_loop_test(tc, every_encoding, 0, 8);
    tcase_add_test(tc, answers_in_fragments);
    tcase_add_test(tc, answer_without_its_question);
    tcase_add_test(tc, calls_of_no_interest);
    tcase_add_test(tc, authenticated_answers);
    tcase_add_test(tc, binds);
    tcase_add_test(tc, object_resolver);
    tcase_add_test(tc, datagrams);
    tcase_add_test(tc, lies);
    suite_add_tcase(suite, tc);
    return suite;
}
