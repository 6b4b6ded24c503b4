/* SPDX-License-Identifier: Apache-2.0 */
/* SIP, H.248 and SCCP. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinhole_bed.h"
#include "pinhole_messages.h"

struct body_case {
    const char *what, *body, *expected;
};

#define HEAD "v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\n"

static const struct body_case bodies[] = {
    {"one stream", HEAD "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 22800 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n",
     "sip-sdp audio PCMU 10.0.0.1 22800/udp\nsip-sdp audio PCMU 10.0.0.1 22801/udp rtcp\n"},
    {"lines that end with LF only", "v=0\nc=IN IP4 10.0.0.1\nm=audio 22800 RTP/AVP 18\n",
     "sip-sdp audio G729 10.0.0.1 22800/udp\nsip-sdp audio G729 10.0.0.1 22801/udp rtcp\n"},
    {"several media, one rejected, addresses of their own",
     HEAD "c=IN IP4 10.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\nm=video 0 RTP/AVP 34\r\nm=image 30010 udptl t38\r\n"
          "c=IN IP4 10.0.0.5\r\nm=application 30020 TCP/BFCP *\r\n",
     "sip-sdp audio PCMA 10.0.0.1 30000/udp\nsip-sdp audio PCMA 10.0.0.1 30001/udp rtcp\n"
     "sip-sdp image t38 10.0.0.5 30010/udp\nsip-sdp application * 10.0.0.1 30020/tcp\n"},
    {"IPv6", HEAD "c=IN IP6 fd00::9\r\nm=audio 30000 RTP/SAVP 96\r\na=rtpmap:96 opus/48000/2\r\n",
     "sip-sdp audio opus fd00::9 30000/udp\nsip-sdp audio opus fd00::9 30001/udp rtcp\n"},
    {"a control port elsewhere",
     HEAD "c=IN IP4 10.0.0.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp:53020 IN IP4 10.0.0.6\r\n",
     "sip-sdp audio PCMU 10.0.0.1 30000/udp\nsip-sdp audio PCMU 10.0.0.6 53020/udp rtcp\n"},
    {"a control port", HEAD "c=IN IP4 10.0.0.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp:30009\r\n",
     "sip-sdp audio PCMU 10.0.0.1 30000/udp\nsip-sdp audio PCMU 10.0.0.1 30009/udp rtcp\n"},
    {"two pairs of ports", HEAD "c=IN IP4 224.2.1.1/127\r\nm=video 49170/2 RTP/AVP 31\r\n",
     "sip-sdp video 31 224.2.1.1 49170/udp\nsip-sdp video 31 224.2.1.1 49171/udp rtcp\n"
     "sip-sdp video 31 224.2.1.1 49172/udp\nsip-sdp video 31 224.2.1.1 49173/udp rtcp\n"},
    {"held the old way", HEAD "c=IN IP4 0.0.0.0\r\nm=audio 30000 RTP/AVP 0\r\n",
     "sip-sdp audio PCMU 0.0.0.0 30000/udp inactive\nsip-sdp audio PCMU 0.0.0.0 30001/udp rtcp inactive\n"},
    {"held for the session, one stream not",
     HEAD "c=IN IP4 10.0.0.1\r\na=inactive\r\nm=audio 30000 UDPTL t38\r\nm=audio 30002 UDPTL t38\r\na=sendonly\r\n",
     "sip-sdp audio t38 10.0.0.1 30000/udp inactive\nsip-sdp audio t38 10.0.0.1 30002/udp sendonly\n"},
    {"a host name", HEAD "c=IN IP4 phone.example\r\nm=image 30000 udptl t38\r\n",
     "sip-sdp image t38 10.0.0.1? 30000/udp\n"},
    {"no address", HEAD "m=image 30000 udptl t38\r\n", "sip-sdp image t38 10.0.0.1? 30000/udp\n"},
    {"no number", HEAD "c=IN IP4 10.0.0.1\r\nm=audio x RTP/AVP 0\r\nm=audio 3000E RTP/AVP 0\r\nm=audio\r\nm=\r\n", ""},
    {"a number too large",
     HEAD "c=IN IP4 10.0.0.1\r\nm=audio 65536 RTP/AVP 0\r\nm=audio 99999999999999999999 RTP/AVP 0\r\n", ""},
    {"the last port", HEAD "c=IN IP4 10.0.0.1\r\nm=audio 65535/9 RTP/AVP 0\r\n",
     "sip-sdp audio PCMU 10.0.0.1 65535/udp\n"},
    {"control characters", HEAD "c=IN IP4 10.0.0.1\r\nm=au\033[2Jdio 30000 udptl \001\r\n",
     "sip-sdp au?[2Jdio ? 10.0.0.1 30000/udp\n"},
    {"no description", "just text\r\nm=audio 30000 udptl t38\r\n", ""},
};

static size_t make_sip(char *buf, size_t size, const char *first, const char *type, const char *body)
{
    int n =
        snprintf(buf, size, "%s\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nCSeq: 1 INVITE\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                 first, type, *type != '\0' ? "\r\n" : "", strlen(body), body);

    ck_assert(n > 0 && (size_t)n < size);
    return (size_t)n;
}

static void expect(const struct bed *bed, const char *what, const char *text)
{
    char buf[8192];

    ck_assert_msg(strcmp(bed_text(bed, buf, sizeof(buf)), text) == 0, "%s: got\n%swanted\n%s", what, buf, text);
}

/* Over UDP and, alone in a segment, over TCP. */
START_TEST(session_descriptions)
{
    const struct body_case *c = &bodies[_i / 2];
    char text[4096];
    struct bed *bed = bed_new(_i & 1 ? IPPROTO_TCP : IPPROTO_UDP, 40000, 40001, NULL);
    size_t n = make_sip(text, sizeof(text), "INVITE sip:a@10.0.0.2 SIP/2.0", "Content-Type: application/sdp", c->body);

    ck_assert(bed_send(bed, 0, text, n));
    expect(bed, c->what, c->expected);
    bed_free(bed);
}
END_TEST

#define BODY     "v=0\r\nc=IN IP4 10.0.0.1\r\nm=image 30000 udptl t38\r\n"
#define EXPECTED "sip-sdp image t38 10.0.0.1 30000/udp\n"

START_TEST(headers_of_messages)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"SIP/2.0 200 OK\r\nl: 49\r\nc: application/sdp\r\n\r\n" BODY, EXPECTED},
        {"SIP/2.0 183 Session Progress\r\nc : APPLICATION/SDP;x=y\r\nCONTENT-LENGTH :\t49\r\n\r\n" BODY, EXPECTED},
        {"UPDATE sips:b@x SIP/2.0\nl:49\n\n" BODY, EXPECTED},                   /* no type: looks like a description */
        {"ACK tel:+4930 SIP/2.0\r\nc: application/sdp\r\n\r\n" BODY, EXPECTED}, /* no length */
        {"INVITE sip:b@x SIP/2.0\r\nc: text/plain\r\nl: 49\r\n\r\n" BODY, ""},
        {"INVITE sip:b@x SIP/2.0\r\nl: 0\r\n\r\n", ""},
        {"INVITE sip:b@x SIP/2.0\r\nSubject: c: application/sdp\r\nl: 0\r\n\r\n", ""},
        {"\r\n\r\nINVITE sip:b@x SIP/2.0\r\nl: 49\r\n\r\n" BODY, EXPECTED},
        {"INVITE sip:b@x SIP/2.0\r\nc: multipart/mixed;boundary=zz\r\nl: 151\r\n\r\n--zz\r\nContent-Type: "
         "text/plain\r\n\r\n"
         "m=image 1 udptl t38\r\n--zz\r\nContent-Type: application/sdp\r\n\r\n" BODY "--zz--\r\n",
         EXPECTED},
    };
    for (unsigned tcp = 0; tcp < 2; tcp++) {
        struct bed *bed = bed_new(tcp ? IPPROTO_TCP : IPPROTO_UDP, 5060, 40001, NULL);
        ck_assert(bed_send(bed, 0, cases[_i].text, strlen(cases[_i].text)));
        expect(bed, cases[_i].text, cases[_i].expected);
        bed_free(bed);
    }
}
END_TEST

/* Messages back to back with keep-alives between, cut anywhere, byte by byte. */
START_TEST(messages_in_a_stream)
{
    char text[8192];
    size_t n = 0;
    struct bed *bed = bed_new(IPPROTO_TCP, 40000, 40001, NULL);

    n += make_sip(text + n, sizeof(text) - n, "REGISTER sip:x SIP/2.0", "", "");
    n += make_sip(text + n, sizeof(text) - n, "INVITE sip:x SIP/2.0", "c: application/sdp", BODY);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n\r\n");
    n += make_sip(text + n, sizeof(text) - n, "MESSAGE sip:x SIP/2.0", "c: text/plain", "INVITE sip:\r\n\r\nv=0\r\n");
    n += make_sip(text + n, sizeof(text) - n, "SIP/2.0 200 OK", "c: application/sdp", BODY);
    for (size_t size = 1; size <= n; size += 1 + size / 7) {
        bed_restart(bed);
        for (size_t at = 0; at < n; at += size)
            ck_assert(bed_send(bed, 0, text + at, n - at < size ? n - at : size));
        if (size > 16) /* the first piece must tell that it is SIP; on the port itself any does */
            expect(bed, "a stream", EXPECTED EXPECTED);
    }
    bed_free(bed);
    bed = bed_new(IPPROTO_TCP, 40000, 5060, NULL);
    for (size_t at = 0; at < n; at++)
        ck_assert(bed_send(bed, 0, text + at, 1));
    expect(bed, "byte by byte", EXPECTED EXPECTED);
    bed_free(bed);
}
END_TEST

START_TEST(gateways)
{
    static const char text[] = "MEGACO/1 [10.0.0.2]:2944 Reply=1{Context=2{Add=rtp/1{Media{Stream=1{Local{\n"
                               "v=0\nc=IN IP4 10.0.0.8\nm=audio 16756 RTP/AVP 8\na=ptime:20}},"
                               "Stream=2{Remote{v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\n}}}}}}";
    static const char brief[] =
        "!/1 [10.0.0.2] P=1{C=2{A=r/1{M{ST=1{L{v=0\r\nc=IN IP6 fd00::8\r\nm=image 5004 udptl t38\r\n}}}}}}";
    struct bed *bed = bed_new(IPPROTO_UDP, 2944, 2944, NULL);

    ck_assert(bed_send(bed, 0, text, sizeof(text) - 1));
    ck_assert(bed_send(bed, 1, brief, sizeof(brief) - 1));
    expect(bed, "H.248",
           "h248-sdp audio PCMA 10.0.0.8 16756/udp\nh248-sdp audio PCMA 10.0.0.8 16757/udp rtcp\n"
           "h248-sdp image t38 fd00::8 5004/udp\n");
    bed_free(bed);
}
END_TEST

/* What is no signalling costs no state, whatever it begins with. */
START_TEST(other_protocols)
{
    static const struct {
        uint8_t transport;
        uint16_t port;
        const char *text;
        size_t len;
    } cases[] = {
        {IPPROTO_TCP, 80, "GET / HTTP/1.1\r\n\r\n", 18},
        {IPPROTO_TCP, 554, "OPTIONS rtsp://x RTSP/1.0\r\n\r\n", 29},
        {IPPROTO_TCP, 443, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03zzzz", 15},
        {IPPROTO_TCP, 1433, "\x05\x00\xff\x03\x10\x00\x00\x00zzzzzzzzzz", 18},
        {IPPROTO_TCP, 3306, "\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12}, /* an SCCP keep-alive, elsewhere */
        {IPPROTO_UDP, 53, "\x04\x02\x01\x00\x00\x01zzzz", 10},
        {IPPROTO_UDP, 40000, "\x80\x00\x12\x34zzzzzzzz", 12},
        {IPPROTO_UDP, 40000, "A", 1},
        {IPPROTO_TCP, 25, "\x05", 1},
    };
    struct bed *bed = bed_new(cases[_i].transport, 50000, cases[_i].port, NULL);

    ck_assert(bed_send(bed, 0, cases[_i].text, cases[_i].len));
    ck_assert_ptr_null(bed->state);
    bed_free(bed);
}
END_TEST

/* OpenReceiveChannelAck as an older phone sends it, byte by byte. */
START_TEST(skinny_by_the_byte)
{
    static const uint8_t ack[] = {
        0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 24 bytes follow, version 0 */
        0x22, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* message 0x22, status 0 */
        0x0a, 0x00, 0x00, 0x01, 0x12, 0x59, 0x00, 0x00, /* 10.0.0.1, port 22802 */
        0x51, 0x00, 0x00, 0x01, 0x07, 0x00, 0x00, 0x00, /* party, call */
    };
    static const uint8_t start6[] = {
        0x2c, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x8a, 0x00, 0x00, 0x00, /* 44 bytes, version 20, message 0x8a */
        0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, /* conference, party, IPv6 */
        0xfd, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0x09, 0x12, 0x59, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, /* port, 20 ms, G.729 */
    };
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 2000, NULL);

    ck_assert(bed_send(bed, 0, ack, sizeof(ack)));
    ck_assert(bed_send(bed, 1, start6, sizeof(start6)));
    expect(bed, "SCCP",
           "sccp-open-ack audio 10.0.0.1 22802/udp\nsccp-open-ack audio 10.0.0.1 22803/udp rtcp\n"
           "sccp-start audio G729 fd00::9 22802/udp\nsccp-start audio G729 fd00::9 22803/udp rtcp\n");
    bed_free(bed);
}
END_TEST

/* All messages in all versions, several in a segment and cut anywhere; on a port of its own the content tells. */
START_TEST(skinny_messages)
{
    static const uint32_t ids[] = {0x22, 0x31, 0x8a, 0x132, 0x154, 0x155},
                          versions[] = {0, 0x0b, 0x10, 0x11, 0x12, 0x14, 0x16};
    static const uint8_t ip[4] = {10, 0, 0, 7};
    static const uint8_t keep_alive[12] = {4};
    struct message *m = message_new();
    struct bed *bed = bed_new(IPPROTO_TCP, 50000, 2443, NULL);
    unsigned n = 0;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        for (size_t k = 0; k < sizeof(versions) / sizeof(versions[0]); k++) {
            sccp_media(m, ids[i], versions[k], ip, (uint16_t)(20000 + 2 * n++));
            put_bytes(m, keep_alive, sizeof(keep_alive));
        }
    }
    ck_assert(bed_send(bed, 0, m->bytes, m->len));
    ck_assert_uint_eq(bed->n, 2 * n);
    for (unsigned i = 0; i < n; i++)
        ck_assert_uint_eq(bed->found[2 * i].port, 20000 + 2 * i);
    bed_free(bed);
    bed = bed_new(IPPROTO_TCP, 50000, 2000, NULL);
    for (size_t size = 1; size < m->len; size += 1 + size / 5) {
        bed_restart(bed);
        for (size_t at = 0; at < m->len; at += size)
            ck_assert(bed_send(bed, 0, m->bytes + at, m->len - at < size ? m->len - at : size));
        ck_assert_uint_eq(bed->n, 2 * n);
    }
    bed_free(bed);
    free(m);
}
END_TEST

Suite *suite_pinhole_media(void);

Suite *suite_pinhole_media(void)
{
    Suite *suite = suite_create("pinhole_media");
    TCase *tc = tcase_create("media");

    tcase_add_loop_test(tc, session_descriptions, 0, 2 * (int)(sizeof(bodies) / sizeof(bodies[0])));
    tcase_add_loop_test(tc, headers_of_messages, 0, 9);
    tcase_add_test(tc, messages_in_a_stream);
    tcase_add_test(tc, gateways);
    tcase_add_loop_test(tc, other_protocols, 0, 9);
    tcase_add_test(tc, skinny_by_the_byte);
    tcase_add_test(tc, skinny_messages);
    suite_add_tcase(suite, tc);
    return suite;
}
