/* SPDX-License-Identifier: Apache-2.0 */
/* Order, loss, cuts, corruption and want of room: whatever the protocol. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinhole_bed.h"
#include "pinhole_messages.h"

#define MAX_PIECES 8

/* Who says what, in turn. */
struct talk {
    uint8_t transport;
    uint16_t server_port;
    size_t n;
    unsigned side[MAX_PIECES];
    struct message *piece[MAX_PIECES];
    char expected[4096];
};

static struct message *say(struct talk *t, unsigned side)
{
    ck_assert_uint_lt(t->n, MAX_PIECES);
    t->side[t->n] = side;
    return t->piece[t->n++] = message_new();
}

static void say_rpc(struct talk *t)
{
    static const char *const bindings[] = {"10.0.0.7[59570]"};
    struct tower tower = {DRSUAPI_UUID, 0x07, 49667, {10, 0, 0, 2}};
    struct message *m = say(t, 0);

    t->transport = IPPROTO_TCP;
    t->server_port = 135;
    rpc_bind(m, RPC_BIND, 0, EPM_UUID, NDR_UUID);
    m = say(t, 1);
    rpc_ack(m, RPC_ACK, 0, NDR_UUID);
    m = say(t, 0);
    rpc_request(m, 2, 0, 3);
    m = say(t, 1);
    size_t begin = rpc_response(m, 2, 0, 3);
    epm_map_stub(m, &tower, 1);
    rpc_finish(m, begin, 0);
    m = say(t, 0);
    rpc_bind(m, RPC_ALTER, 1, OXID_UUID, NDR_UUID);
    m = say(t, 1);
    rpc_ack(m, RPC_ALTER_ACK, 0, NDR_UUID);
    m = say(t, 0);
    rpc_request(m, 3, 1, 0);
    m = say(t, 1);
    begin = rpc_response(m, 3, 1, 3);
    oxid_stub(m, bindings, 1);
    rpc_finish(m, begin, 0);
}

static void say_sip(struct talk *t)
{
    static const char *const texts[] = {"INVITE sip:a@b SIP/2.0\r\nc: application/sdp\r\nl: 49\r\n\r\nv=0\r\nc=IN IP4 "
                                        "10.0.0.1\r\nm=image 30000 udptl t38\r\n",
                                        "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 49\r\n\r\n"
                                        "v=0\r\nc=IN IP4 10.0.0.2\r\nm=image 40000 udptl t38\r\n"};

    t->transport = IPPROTO_TCP;
    t->server_port = 5060;
    for (unsigned i = 0; i < 2; i++)
        put_bytes(say(t, i), texts[i], strlen(texts[i]));
}

static void say_sccp(struct talk *t)
{
    t->transport = IPPROTO_TCP;
    t->server_port = 2000;
    sccp_media(say(t, 0), 0x22, 0x14, (const uint8_t[]){10, 0, 0, 1}, 22800);
    sccp_media(say(t, 1), 0x8a, 0, (const uint8_t[]){10, 0, 0, 9}, 22802);
}

static void say_rpc_udp(struct talk *t)
{
    struct tower tower = {DRSUAPI_UUID, 0x08, 1026, {0, 0, 0, 0}};
    struct message *m = say(t, 0);

    t->transport = IPPROTO_UDP;
    t->server_port = 135;
    rpc_udp(m, 0, EPM_UUID, 2, 0);
    rpc_udp_finish(m);
    m = say(t, 1);
    rpc_udp(m, 2, EPM_UUID, 2, 0);
    epm_lookup_stub(m, &tower, 1);
    rpc_udp_finish(m);
}

static void say_sip_udp(struct talk *t)
{
    say_sip(t);
    t->transport = IPPROTO_UDP;
}

static void (*const talks[])(struct talk *) = {say_rpc, say_sip, say_sccp, say_rpc_udp, say_sip_udp};
#define N_TALKS   5
#define N_STREAMS 3

static struct bed *begin(struct talk *t, int number)
{
    memset(t, 0, sizeof(*t));
    talks[number](t);
    struct bed *bed = bed_new(t->transport, 50000, t->server_port, NULL);
    for (size_t i = 0; i < t->n; i++)
        bed_send(bed, t->side[i], t->piece[i]->bytes, t->piece[i]->len);
    bed_text(bed, t->expected, sizeof(t->expected));
    ck_assert_uint_ge(bed->n, 2);
    bed_restart(bed);
    return bed;
}

static void end(struct talk *t, struct bed *bed)
{
    struct pinholes_stats stats;

    pinhole_end(bed->pinholes, bed->state);
    bed->state = NULL;
    pinholes_stats(bed->pinholes, &stats);
    ck_assert_uint_eq(stats.n_states, 0);
    for (size_t i = 0; i < t->n; i++)
        free(t->piece[i]);
    bed_free(bed);
}

static void expect(const struct bed *bed, const char *text, const char *what, size_t a, size_t b)
{
    char buf[4096];

    ck_assert_msg(strcmp(bed_text(bed, buf, sizeof(buf)), text) == 0, "%s %zu %zu: got\n%swanted\n%s", what, a, b, buf,
                  text);
}

/* One cut at every place of every piece, and pieces in segments of every size. */
START_TEST(every_cut)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);

    for (size_t cut_piece = 0; cut_piece < t.n; cut_piece++) {
        for (size_t cut = 1; cut < t.piece[cut_piece]->len; cut++) {
            bed_restart(bed);
            for (size_t i = 0; i < t.n; i++) {
                size_t first = i == cut_piece ? cut : t.piece[i]->len;
                bed_send(bed, t.side[i], t.piece[i]->bytes, first);
                if (first < t.piece[i]->len)
                    bed_send(bed, t.side[i], t.piece[i]->bytes + first, t.piece[i]->len - first);
            }
            expect(bed, t.expected, "cut", cut_piece, cut);
        }
    }
    for (size_t size = 1; size < 300; size++) {
        bed_restart(bed);
        for (size_t i = 0; i < t.n; i++) {
            for (size_t at = 0, len = t.piece[i]->len; at < len; at += size)
                bed_send(bed, t.side[i], t.piece[i]->bytes + at, len - at < size ? len - at : size);
        }
        expect(bed, t.expected, "segments of", size, 0);
    }
    end(&t, bed);
}
END_TEST

/* Each segment twice, and each overlapping the one before by any number of bytes. */
START_TEST(retransmissions)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);

    for (size_t overlap = 0; overlap < 60; overlap++) {
        bed_restart(bed);
        for (size_t i = 0; i < t.n; i++) {
            const struct message *m = t.piece[i];
            size_t half = m->len / 2, back = overlap < half ? overlap : half;

            bed_send(bed, t.side[i], m->bytes, half);
            bed->seq[t.side[i]] -= (uint32_t)back;
            bed_send(bed, t.side[i], m->bytes + half - back, m->len - half + back);
            bed->seq[t.side[i]] -= (uint32_t)m->len;
            bed_send(bed, t.side[i], m->bytes, m->len);
        }
        expect(bed, t.expected, "overlap", overlap, 0);
    }
    end(&t, bed);
}
END_TEST

/* A lost segment in the middle of junk; then the place is found again at the next message. */
START_TEST(gaps)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);
    uint8_t junk[100];

    memset(junk, 0xa5, sizeof(junk));
    for (unsigned side = 0; side < 2; side++) {
        bed_send(bed, t.side[0], t.piece[0]->bytes, 1); /* so that it is known for what it is */
        bed->seq[t.side[0]] += 1000;
        bed_send(bed, side, junk, sizeof(junk));
        bed->seq[side] += 5000;
    }
    for (size_t i = 0; i < t.n; i++)
        bed_send(bed, t.side[i], t.piece[i]->bytes, t.piece[i]->len);
    expect(bed, t.expected, "after a gap", 0, 0);
    struct pinholes_stats stats;
    pinholes_stats(bed->pinholes, &stats);
    ck_assert_uint_ge(stats.n_lost, 2);
    end(&t, bed);
}
END_TEST

/* The snap length cuts every packet: what is left of a message says nothing, the next begins where the wire says. */
START_TEST(every_truncation)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);

    for (size_t keep = 1; keep < 400; keep++) {
        bed_restart(bed);
        for (size_t i = 0; i < t.n; i++) {
            size_t n = t.piece[i]->len < keep ? t.piece[i]->len : keep;
            bed->cut = (uint32_t)(t.piece[i]->len - n);
            bed_send(bed, t.side[i], t.piece[i]->bytes, n);
            bed->cut = 0;
        }
        ck_assert_uint_le(bed->n, 8);
    }
    for (size_t i = 0; i < t.n; i++) {
        for (size_t n = 1; n < t.piece[i]->len; n++) {
            bed_restart(bed);
            for (size_t k = 0; k < i; k++)
                bed_send(bed, t.side[k], t.piece[k]->bytes, t.piece[k]->len);
            bed_send(bed, t.side[i], t.piece[i]->bytes, n);
        }
    }
    end(&t, bed);
}
END_TEST

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

/* Flipped bytes, also in pieces: nothing but a sanitizer judges; the states must all come back. */
START_TEST(corruption)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);
    uint32_t x = 2463534242u + (uint32_t)_i;

    for (unsigned round = 0; round < 3000; round++) {
        bed_restart(bed);
        for (size_t i = 0; i < t.n; i++) {
            struct message m = *t.piece[i];
            for (unsigned flips = next_random(&x) % 4; flips > 0; flips--)
                m.bytes[next_random(&x) % m.len] ^= (uint8_t)(next_random(&x) % 3 ? 1u << (next_random(&x) % 8) : 0xff);
            size_t cut = round % 2 ? next_random(&x) % m.len : 0;
            if (cut > 0)
                bed_send(bed, t.side[i], m.bytes, cut);
            bed_send(bed, t.side[i], m.bytes + cut, m.len - cut);
        }
        ck_assert_uint_lt(bed->n, 100);
    }
    end(&t, bed);
}
END_TEST

/* A flow that turns into something else is given up; its buffers come back. */
START_TEST(a_flow_that_is_none)
{
    struct talk t;
    struct bed *bed = begin(&t, _i);
    uint8_t junk[1400];
    unsigned n = 1;

    memset(junk, 0xa5, sizeof(junk));
    while (bed_send(bed, 1, junk, sizeof(junk)) && n < 100)
        n++;
    ck_assert_uint_le(n, 40);
    ck_assert_ptr_null(bed->state);
    end(&t, bed);
}
END_TEST

/* More flows than there is room for, and more messages under way. */
START_TEST(want_of_room)
{
    const struct pinholes_options options = {.max_flows = 40, .max_bytes = 256 << 10};
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 5060, &options);
    struct pinhole_state *states[60];
    struct pinholes_stats stats;
    char text[9000];
    struct packet p = {.transport = IPPROTO_TCP, .payload = (const uint8_t *)text, .sport = 50000, .dport = 5060};

    memset(text, 'x', sizeof(text));
    memcpy(text, "INVITE sip:a SIP/2.0\r\nX: ", 25);
    p.payload_len = p.payload_wire_len = sizeof(text);
    for (unsigned i = 0; i < 60; i++) {
        states[i] = pinhole_begin(bed->pinholes, &p);
        ck_assert_int_eq(states[i] != NULL, i < 40);
        if (states[i] != NULL)
            pinhole_packet(bed->pinholes, states[i], &p, 0);
    }
    pinholes_stats(bed->pinholes, &stats);
    ck_assert_uint_eq(stats.n_no_state, 20);
    ck_assert_uint_eq(stats.n_no_buffer, 38); /* two of 64 KiB */
    for (unsigned i = 0; i < 60; i++)
        pinhole_end(bed->pinholes, states[i]);
    pinholes_stats(bed->pinholes, &stats);
    ck_assert_uint_eq(stats.n_states, 0);
    ck_assert_uint_eq(stats.n_states_peak, 40);
    /* All the room is back. */
    p.payload_len = p.payload_wire_len = 3000;
    for (unsigned i = 0; i < 32; i++)
        ck_assert_ptr_nonnull(states[i] = pinhole_begin(bed->pinholes, &p));
    for (unsigned i = 0; i < 32; i++)
        pinhole_packet(bed->pinholes, states[i], &p, 0);
    pinholes_stats(bed->pinholes, &stats);
    ck_assert_uint_eq(stats.n_no_buffer, 38);
    for (unsigned i = 0; i < 32; i++)
        pinhole_end(bed->pinholes, states[i]);
    bed_free(bed);
}
END_TEST

START_TEST(options_that_do_not_work)
{
    struct pinholes *pinholes = NULL;
    struct err err;

    ck_assert_int_lt(pinholes_new(&(struct pinholes_options){0, 1 << 20}, NULL, NULL, &pinholes, &err), 0);
    ck_assert_int_lt(pinholes_new(&(struct pinholes_options){1, 1000}, NULL, NULL, &pinholes, &err), 0);
    ck_assert_ptr_null(pinholes);
    pinholes_free(NULL);
    ck_assert_str_eq(pinhole_kind_name(PINHOLE_SIP_SDP), "sip-sdp");
    ck_assert_str_eq(pinhole_way_name(PINHOLE_INACTIVE), "inactive");
}
END_TEST

Suite *suite_pinhole_streams(void);

Suite *suite_pinhole_streams(void)
{
    Suite *suite = suite_create("pinhole_streams");
    TCase *tc = tcase_create("streams");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_cut, 0, N_STREAMS);
    tcase_add_loop_test(tc, retransmissions, 0, N_STREAMS);
    tcase_add_loop_test(tc, gaps, 0, N_STREAMS);
    tcase_add_loop_test(tc, a_flow_that_is_none, 0, N_STREAMS);
    tcase_add_loop_test(tc, every_truncation, 0, N_TALKS);
    tcase_add_loop_test(tc, corruption, 0, N_TALKS);
    tcase_add_test(tc, want_of_room);
    tcase_add_test(tc, options_that_do_not_work);
    suite_add_tcase(suite, tc);
    return suite;
}
