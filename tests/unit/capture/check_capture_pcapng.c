/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture_support.h"

#define DEFAULT_RESOLUTION (-1)

static void put_simple_packet(struct bytes *b, uint32_t caplen, uint32_t len, uint8_t seed)
{
    size_t begin = begin_block(b, 3);

    put32(b, len);
    for (uint32_t i = 0; i < caplen; i++)
        put_fill(b, (uint8_t)(seed + i), 1);
    end_block(b, begin);
}

/* A section with two interfaces, every kind of packet block, and blocks that are none. */
static void put_busy_section(struct bytes *b)
{
    size_t begin;

    put_section(b, 1, 0);
    put_interface(b, 1, 96, DEFAULT_RESOLUTION, 0);
    put_packet(b, 0, 1000001, 61, 1514, 1);
    begin = begin_block(b, 4); /* name resolution */
    put_fill(b, 0xee, 40);
    end_block(b, begin);
    put_interface(b, 113, 0, 9, 0);
    put_packet(b, 1, 2000000001, 20, 20, 2);
    put_simple_packet(b, 96, 200, 3);
    begin = begin_block(b, 0x0bad);
    put_fill(b, 1, 4);
    end_block(b, begin);
    begin = begin_block(b, 2); /* the obsolete packet block: interface 1, 7 drops */
    put16(b, 1), put16(b, 7), put32(b, 0), put32(b, 3000), put32(b, 4), put32(b, 4), put(b, "abcd", 4);
    end_block(b, begin);
    begin = begin_block(b, 0x7fffffff);
    end_block(b, begin);
}

START_TEST(packets_of_all_blocks_and_interfaces_are_read_in_either_byte_order)
{
    struct bytes b = {.big_endian = _i & 1};

    put_busy_section(&b);
    b.big_endian = (_i & 2) != 0;
    put_busy_section(&b);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_msg(s.rc == 0 && !s.stats.damaged, "%s%s", s.err.msg, s.stats.damage);
    ck_assert_uint_eq(s.n_frames, 8);
    static const struct {
        uint32_t caplen, wirelen;
        int64_t ts_ns;
        uint16_t linktype, interface_id;
    } want[] = {
        {61, 1514, 1000001000, 1, 0}, {20, 20, 2000000001, 113, 1}, {96, 200, 2000000001, 1, 0}, {4, 4, 3000, 113, 1}};
    for (size_t i = 0; i < 8; i++) {
        const struct frame *f = &s.frames[i];

        ck_assert_uint_eq(f->caplen, want[i % 4].caplen);
        ck_assert_uint_eq(f->wirelen, want[i % 4].wirelen);
        ck_assert_int_eq(f->ts_ns, want[i % 4].ts_ns);
        ck_assert_uint_eq(f->linktype, want[i % 4].linktype);
        ck_assert_uint_eq(f->interface_id, want[i % 4].interface_id + (i < 4 ? 0 : 2));
        ck_assert_uint_eq(f->number, i + 1);
    }
    ck_assert(s.hashes[3] == hash_of((const uint8_t *)"abcd", 4));
    ck_assert_uint_eq(s.stats.n_odd_times, 2);
    ck_assert_uint_eq(s.stats.n_linktypes, 2);
    ck_assert_uint_eq(s.stats.snaplen, 0);
    ck_assert(s.stats.has_stated_drops);
    ck_assert_uint_eq(s.stats.n_stated_drops, 14);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_file_cut_at_any_byte_gives_a_prefix_and_says_so)
{
    struct bytes b = {.big_endian = _i & 1};
    bool boundary[2000] = {false};

    put_busy_section(&b);
    ck_assert_uint_lt(b.size, sizeof(boundary));
    for (size_t at = 0; at < b.size;) {
        boundary[at] = true;
        const uint8_t *p = b.data + at + 4;
        at += b.big_endian ? (size_t)p[2] << 8 | p[3] : (size_t)p[1] << 8 | p[0];
    }
    boundary[b.size] = true;
    struct seen whole = read_bytes(&b, NULL);
    for (size_t size = 0; size < b.size; size++) {
        struct bytes cut = {.data = b.data, .size = size};
        struct seen s = read_bytes(&cut, NULL);

        if (size < 28) {
            ck_assert_int_eq(s.rc, -EBADMSG);
            continue;
        }
        ck_assert_int_eq(s.rc, 0);
        seen_assert_prefix(&whole, &s, s.n_frames);
        ck_assert_msg(s.stats.damaged == !boundary[size], "cut at %zu: %s", size, s.stats.damage);
        if (s.stats.damaged) {
            ck_assert(boundary[s.stats.damaged_offset]);
            ck_assert_uint_lt(s.stats.damaged_offset, size);
        }
        seen_clear(&s);
    }
    seen_clear(&whole);
    bytes_clear(&b);
}
END_TEST

START_TEST(any_single_byte_may_be_wrong_without_a_crash)
{
    struct bytes b = {0};

    put_busy_section(&b);
    struct seen whole = read_bytes(&b, NULL);
    for (size_t at = 0; at < b.size; at++) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            const struct capture_options options = {.block_size = 64};

            b.data[at] ^= (uint8_t)(1 << bit);
            struct seen s = read_bytes(&b, &options);
            ck_assert_uint_le(s.n_frames, whole.n_frames);
            if (s.rc == 0)
                ck_assert_uint_eq(s.stats.n_packets, s.n_frames);
            seen_clear(&s);
            b.data[at] ^= (uint8_t)(1 << bit);
        }
    }
    seen_clear(&whole);
    bytes_clear(&b);
}
END_TEST

static const struct {
    int tsresol;
    int64_t offset_s;
    uint64_t ticks;
    int64_t ts_ns; /* -1: cannot be */
} clocks[] = {
    {DEFAULT_RESOLUTION, 0, 1700000000000001, 1700000000000001000},
    {0, 0, 1700000000, 1700000000000000000},
    {3, 0, 1700000000123, 1700000000123000000},
    {9, 0, 1700000000123456789, 1700000000123456789},
    {12, 0, 1700000000123456, 1700000000123},
    {28, 0, UINT64_MAX, 1},
    {29, 0, 1, -1},
    {0x80 | 0, 0, 1700000000, 1700000000000000000},
    {0x80 | 10, 0, 1700000000ull * 1024 + 512, 1700000000500000000},
    {0x80 | 32, 0, (1700000000ull << 32) + (1ull << 30), 1700000000250000000},
    {0x80 | 63, 0, UINT64_MAX, 1999999999},
    {0x80 | 64, 0, 1, -1},
    {6, 1700000000, 5, 1700000000000005000},
    {6, -1, 1500000, 500000000},
    {6, -2, 1500000, -1},
    {6, 0, UINT64_MAX, -1},
    {6, INT64_MAX, 1, -1},
    {6, INT64_MIN, 1, -1},
};

START_TEST(times_follow_the_resolution_and_the_offset_of_the_interface)
{
    struct bytes b = {.big_endian = _i & 1};

    put_section(&b, 1, 2);
    put_interface(&b, 1, 0, DEFAULT_RESOLUTION, 0);
    put_interface(&b, 1, 0, clocks[_i].tsresol, clocks[_i].offset_s);
    put_packet(&b, 0, 77, 1, 1, 0);
    put_packet(&b, 1, clocks[_i].ticks, 1, 1, 0);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 2);
    ck_assert_int_eq(s.frames[1].ts_ns, clocks[_i].ts_ns >= 0 ? clocks[_i].ts_ns : 77000);
    ck_assert_uint_eq(s.stats.n_odd_times, clocks[_i].ts_ns < 0);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

static void put_statistics(struct bytes *b, uint32_t interface_id, uint64_t ifdrop, uint64_t osdrop)
{
    size_t begin = begin_block(b, 5);

    put32(b, interface_id);
    put64(b, 0);
    put16(b, 4), put16(b, 8), put64(b, 1000); /* received */
    put16(b, 5), put16(b, 8), put64(b, ifdrop);
    put16(b, 7), put16(b, 8), put64(b, osdrop);
    put32(b, 0);
    end_block(b, begin);
}

START_TEST(the_last_statistics_of_each_interface_count)
{
    struct bytes b = {0};
    size_t begin;

    put_section(&b, 1, 0);
    put_interface(&b, 1, 0, DEFAULT_RESOLUTION, 0);
    put_interface(&b, 1, 0, DEFAULT_RESOLUTION, 0);
    put_statistics(&b, 0, 3, 4);
    put_statistics(&b, 1, 0, 1);
    put_statistics(&b, 9, 500, 500); /* of no interface */
    begin = begin_block(&b, 6);      /* says that 5 packets were lost before it: they are among the total */
    put32(&b, 0), put64(&b, 0), put32(&b, 3), put32(&b, 3), put(&b, "abc\0", 4);
    put16(&b, 4), put16(&b, 8), put64(&b, 5);
    put32(&b, 0);
    end_block(&b, begin);
    put_statistics(&b, 0, 10, 20);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert(s.stats.has_stated_drops);
    ck_assert_uint_eq(s.stats.n_stated_drops, 31);
    seen_clear(&s);

    put_statistics(&b, 0, UINT64_MAX, UINT64_MAX);
    put_statistics(&b, 1, UINT64_MAX, UINT64_MAX);
    s = read_bytes(&b, NULL);
    ck_assert_uint_ge(s.stats.n_stated_drops, UINT64_C(1) << 47);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

enum spoil {
    SPOIL_TRAILER,
    SPOIL_SHORT,
    SPOIL_ODD,
    SPOIL_INTERFACE,
    SPOIL_CAPLEN,
    SPOIL_SANE,
    SPOIL_BYTE_ORDER,
    N_SPOILS
};

static const char *const sentences[N_SPOILS] = {
    "has two lengths that differ",
    "claims a length of 8 bytes, which is less than any block has",
    "claims a length of 43 bytes, which is no multiple of 4",
    "names an interface that the section has not described",
    "claims more captured bytes than it has",
    "claims more captured bytes than are possible with its snap length",
    "has no byte-order magic",
};

START_TEST(a_malformed_block_ends_the_reading_at_its_place)
{
    struct bytes b = {0};

    put_section(&b, 1, 0);
    put_interface(&b, 1, 65535, DEFAULT_RESOLUTION, 0);
    put_packet(&b, 0, 1, 10, 10, 1);
    size_t at = b.size;
    if (_i == SPOIL_BYTE_ORDER)
        put_section(&b, 1, 0);
    else
        put_packet(&b, 0, 1, 10, 10, 1);
    uint8_t *p = b.data + at;
    switch ((enum spoil)_i) {
    case SPOIL_TRAILER:
        b.data[b.size - 1] = 1;
        break;
    case SPOIL_SHORT:
        p[4] = 8;
        break;
    case SPOIL_ODD:
        p[4] = 43;
        break;
    case SPOIL_INTERFACE:
        p[8] = 1;
        break;
    case SPOIL_CAPLEN:
        p[20] = 13;
        break;
    case SPOIL_SANE:
        p[23] = 1;
        break;
    default:
        p[8] = 0;
        break;
    }
    put_packet(&b, 0, 1, 10, 10, 1);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert(s.stats.damaged);
    ck_assert_uint_eq(s.stats.damaged_offset, at);
    ck_assert_msg(strstr(s.stats.damage, sentences[_i]) != NULL, "%s", s.stats.damage);
    ck_assert_ptr_nonnull(strstr(s.stats.damage, "after packet record 1"));
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_long_block_of_no_interest_is_passed_over)
{
    const uint32_t size = 3000000;
    const struct capture_options options = {.block_size = _i == 0 ? 4096 : 0};
    struct bytes b = {0};

    put_section(&b, 1, 0);
    put_interface(&b, 1, 65535, DEFAULT_RESOLUTION, 0);
    size_t begin = begin_block(&b, 10);
    put_fill(&b, 0, size);
    end_block(&b, begin);
    size_t after = b.size;
    put_packet(&b, 0, 1, 10, 10, 1);
    struct seen s = read_bytes(&b, &options);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert(!s.stats.damaged);
    seen_clear(&s);

    struct bytes cut = {.data = b.data, .size = after - 1000};
    s = read_bytes(&cut, &options);
    ck_assert(s.stats.damaged);
    ck_assert_uint_eq(s.n_frames, 0);
    seen_clear(&s);

    b.data[after - 1] ^= 1;
    s = read_bytes(&b, &options);
    ck_assert(s.stats.damaged);
    ck_assert_uint_eq(s.stats.damaged_offset, begin);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(the_interfaces_are_bounded)
{
    struct bytes b = {0};

    put_section(&b, 1, 0);
    for (unsigned i = 0; i < 65536; i++)
        put_interface(&b, (uint16_t)i, 0, DEFAULT_RESOLUTION, 0);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_int_eq(s.rc, 0);
    ck_assert(s.stats.damaged);
    ck_assert_ptr_nonnull(strstr(s.stats.damage, "one interface more than the 65535"));
    ck_assert_uint_eq(s.stats.n_linktypes, 16);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(versions_are_accepted_as_libpcap_does)
{
    static const struct {
        uint16_t major, minor;
        int rc;
    } versions[] = {{1, 0, 0}, {1, 2, 0}, {0, 1, -ENOTSUP}, {1, 1, -ENOTSUP}, {2, 0, -ENOTSUP}};

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct bytes b = {0};

        put_section(&b, versions[i].major, versions[i].minor);
        struct seen s = read_bytes(&b, NULL);
        ck_assert_int_eq(s.rc, versions[i].rc);
        ck_assert_uint_eq(s.n_frames, 0);
        seen_clear(&s);
        bytes_clear(&b);
    }
}
END_TEST

Suite *suite_capture_pcapng(void);
Suite *suite_capture_pcapng(void)
{
    Suite *s = suite_create("capture_pcapng");
    TCase *t = tcase_create("pcapng");

    tcase_add_loop_test(t, packets_of_all_blocks_and_interfaces_are_read_in_either_byte_order, 0, 4);
    tcase_add_loop_test(t, a_file_cut_at_any_byte_gives_a_prefix_and_says_so, 0, 2);
    tcase_add_test(t, any_single_byte_may_be_wrong_without_a_crash);
    tcase_add_loop_test(t, times_follow_the_resolution_and_the_offset_of_the_interface, 0,
                        sizeof(clocks) / sizeof(clocks[0]));
    tcase_add_test(t, the_last_statistics_of_each_interface_count);
    tcase_add_loop_test(t, a_malformed_block_ends_the_reading_at_its_place, 0, N_SPOILS);
    tcase_add_loop_test(t, a_long_block_of_no_interest_is_passed_over, 0, 2);
    tcase_add_test(t, the_interfaces_are_bounded);
    tcase_add_test(t, versions_are_accepted_as_libpcap_does);
    suite_add_tcase(s, t);
    return s;
}
