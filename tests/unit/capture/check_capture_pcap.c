/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture_support.h"

#define MICRO    0xa1b2c3d4u
#define NANO     0xa1b23c4du
#define MODIFIED 0xa1b2cd34u

/* Five records, one without bytes, one cut by the snap length. */
static struct bytes small_pcap(bool big_endian, uint32_t magic)
{
    struct bytes b = {.big_endian = big_endian};

    put_pcap_header(&b, magic, 65535, 1);
    put_pcap_record(&b, 1000, 1, 60, 60, 3);
    put_pcap_record(&b, 1000, 2, 14, 1514, 5);
    put_pcap_record(&b, 1001, 0, 0, 0, 0);
    put_pcap_record(&b, 999, 999999, 33, 33, 9);
    put_pcap_record(&b, 0xfffffff0u, 5, 1, 1, 7);
    return b;
}

START_TEST(both_byte_orders_and_resolutions_give_the_same_packets)
{
    bool big_endian = _i & 1, nano = _i & 2;
    struct bytes b = small_pcap(big_endian, nano ? NANO : MICRO);
    struct seen s = read_bytes(&b, NULL);
    int64_t unit = nano ? 1 : 1000;

    ck_assert_msg(s.rc == 0, "%s", s.err.msg);
    ck_assert_uint_eq(s.n_frames, 5);
    ck_assert(!s.stats.damaged);
    ck_assert_int_eq(s.frames[0].ts_ns, 1000000000000 + unit);
    ck_assert_int_eq(s.frames[3].ts_ns, 999000000000 + 999999 * unit);
    ck_assert_int_eq(s.frames[4].ts_ns, 0xfffffff0 * INT64_C(1000000000) + 5 * unit);
    ck_assert_uint_eq(s.frames[1].caplen, 14);
    ck_assert_uint_eq(s.frames[1].wirelen, 1514);
    ck_assert_uint_eq(s.frames[4].number, 5);
    ck_assert_uint_eq(s.frames[0].linktype, 1);
    ck_assert(s.hashes[1] == hash_of((const uint8_t *)"\5\6\7\10\11\12\13\14\15\16\17\20\21\22", 14));
    ck_assert_uint_eq(s.stats.n_time_back, 1);
    ck_assert_int_eq(s.stats.first_ns, s.frames[3].ts_ns);
    ck_assert_int_eq(s.stats.last_ns, s.frames[4].ts_ns);
    ck_assert_uint_eq(s.stats.snaplen, 65535);
    ck_assert_uint_eq(s.stats.n_bytes, b.size);
    ck_assert_uint_eq(s.stats.n_bytes_total, b.size);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_file_cut_at_any_byte_gives_a_prefix_and_says_so)
{
    struct bytes b = small_pcap(_i & 1, MICRO);
    struct seen whole = read_bytes(&b, NULL);
    const size_t ends[] = {24, 24 + 76, 24 + 76 + 30, 24 + 76 + 30 + 16, 24 + 76 + 30 + 16 + 49, b.size};
    size_t n_whole = 0;

    for (size_t size = 0; size < b.size; size++) {
        struct bytes cut = {.data = b.data, .size = size};
        struct seen s = read_bytes(&cut, NULL);

        if (size < 24) {
            ck_assert_int_eq(s.rc, -EBADMSG);
            continue;
        }
        if (size >= ends[n_whole + 1])
            n_whole++;
        ck_assert_int_eq(s.rc, 0);
        ck_assert_uint_eq(s.n_frames, n_whole);
        seen_assert_prefix(&whole, &s, n_whole);
        ck_assert_msg(s.stats.damaged == (size != ends[n_whole]), "cut at %zu", size);
        if (s.stats.damaged)
            ck_assert_uint_eq(s.stats.damaged_offset, ends[n_whole]);
        ck_assert_uint_eq(strlen(s.stats.sha256), 64);
        seen_clear(&s);
    }
    seen_clear(&whole);
    bytes_clear(&b);
}
END_TEST

START_TEST(damage_is_told_with_the_record_and_the_byte)
{
    struct bytes b = small_pcap(false, MICRO);

    b.size = 24 + 76 + 5;
    struct seen s = read_bytes(&b, NULL);
    ck_assert_str_eq(s.stats.damage,
                     "cut short: packet record 2 at byte 100 needs 16 header bytes, the file has 5 more");
    seen_clear(&s);

    b.size = 24 + 76 + 16 + 13;
    s = read_bytes(&b, NULL);
    ck_assert_str_eq(s.stats.damage,
                     "cut short: packet record 2 at byte 100 needs 14 bytes of packet data, the file has 13 more");
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(any_block_size_gives_the_same_frames)
{
    static const size_t sizes[] = {1, 64, 65, 100, 127, 1000, 4096, 1 << 20};
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 262144, 1);
    for (uint32_t i = 0; i < 200; i++)
        put_pcap_record(&b, i, i, i * 37 % 1500, 1500, (uint8_t)i);
    put_pcap_record(&b, 201, 0, 200000, 200000, 1);
    put_pcap_record(&b, 202, 0, 60, 60, 1);
    struct seen normal = read_bytes(&b, NULL);
    ck_assert_uint_eq(normal.n_frames, 202);

    const struct capture_options options = {.block_size = sizes[_i]};
    struct seen s = read_bytes(&b, &options);
    ck_assert_uint_eq(s.n_frames, normal.n_frames);
    seen_assert_prefix(&normal, &s, normal.n_frames);
    ck_assert_str_eq(s.stats.sha256, normal.stats.sha256);
    seen_clear(&s);
    seen_clear(&normal);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_clock_that_goes_back_is_counted)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 262144, 1);
    put_pcap_record(&b, 100, 500000, 60, 60, 1);
    put_pcap_record(&b, 100, 499990, 60, 60, 1); /* mixed up by 10 us */
    put_pcap_record(&b, 99, 499990, 60, 60, 1);  /* a second: not more */
    put_pcap_record(&b, 110, 0, 60, 60, 1);
    put_pcap_record(&b, 107, 110000, 60, 60, 1);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 5);
    ck_assert_uint_eq(s.stats.n_time_back, 3);
    ck_assert_uint_eq(s.stats.n_clock_steps, 1);
    ck_assert_int_eq(s.stats.most_back_ns, INT64_C(2890000000));
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_record_beyond_the_snap_length_is_returned_up_to_a_sane_length)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 96, 1);
    put_pcap_record(&b, 1, 0, 262144, 262144, 1);
    put_pcap_record(&b, 2, 0, 262145, 262145, 1);
    put_pcap_record(&b, 3, 0, 60, 60, 1);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert_uint_eq(s.frames[0].caplen, 262144);
    ck_assert(s.stats.damaged);
    ck_assert_uint_eq(s.stats.damaged_offset, 24 + 16 + 262144);
    ck_assert_ptr_nonnull(strstr(s.stats.damage, "packet record 2 at byte 262184 claims 262145 captured bytes"));
    seen_clear(&s);
    bytes_clear(&b);

    put_pcap_header(&b, MICRO, 1 << 20, 1);
    put_pcap_record(&b, 1, 0, 700000, 700000, 1);
    s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 1);
    ck_assert(!s.stats.damaged);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(a_length_field_alone_takes_no_memory)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, INT32_MAX, 1);
    put32(&b, 1), put32(&b, 0), put32(&b, 200000000), put32(&b, 200000000);
    put_fill(&b, 0, 100);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 0);
    ck_assert_str_eq(
        s.stats.damage,
        "cut short: packet record 1 at byte 24 needs 200000000 bytes of packet data, the file has 100 more");
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(packets_without_a_time_are_given_that_before)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 65535, 1);
    put_pcap_record(&b, 0, 0, 20, 20, 1);
    put_pcap_record(&b, 0, 0, 20, 20, 1);
    put_pcap_record(&b, 10, 1, 20, 20, 1);
    put_pcap_record(&b, 0, 0, 20, 20, 1);
    put_pcap_record(&b, 9, 0, 20, 20, 1);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 5);
    ck_assert_int_eq(s.frames[0].ts_ns, 0);
    ck_assert_int_eq(s.frames[1].ts_ns, 0);
    ck_assert_int_eq(s.frames[2].ts_ns, INT64_C(10000001000));
    ck_assert_int_eq(s.frames[3].ts_ns, INT64_C(10000001000));
    ck_assert_int_eq(s.frames[4].ts_ns, INT64_C(9000000000));
    ck_assert_int_eq(s.stats.first_ns, INT64_C(9000000000));
    ck_assert_int_eq(s.stats.last_ns, INT64_C(10000001000));
    ck_assert_uint_eq(s.stats.n_odd_times, 3);
    ck_assert_uint_eq(s.stats.n_time_back, 1);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(odd_lengths_and_times_are_counted_and_put_right)
{
    struct bytes b = {0};

    put_pcap_header(&b, MICRO, 65535, 1);
    put_pcap_record(&b, 10, 1000000, 40, 20, 1);
    put_pcap_record(&b, 10, 0x80000000u, 20, 20, 1);
    put_pcap_record(&b, 11, 999999, 20, 20, 1);
    struct seen s = read_bytes(&b, NULL);
    ck_assert_uint_eq(s.n_frames, 3);
    ck_assert_uint_eq(s.stats.n_odd_lengths, 1);
    ck_assert_uint_eq(s.stats.n_odd_times, 2);
    ck_assert_uint_eq(s.frames[0].wirelen, 40);
    ck_assert_int_eq(s.frames[0].ts_ns, INT64_C(10999999000));
    ck_assert_int_eq(s.frames[1].ts_ns, INT64_C(10999999000));
    ck_assert_int_eq(s.frames[2].ts_ns, INT64_C(11999999000));
    ck_assert(!s.stats.damaged);
    seen_clear(&s);
    bytes_clear(&b);
}
END_TEST

START_TEST(link_types_are_told_without_flags_and_as_files_mean_them)
{
    static const struct {
        uint32_t network;
        uint16_t linktype;
    } cases[] = {{1, 1}, {0x94000001u, 1}, {101, 101}, {12, 101}, {108, 108}, {276, 276}, {160, 160}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes b = {0};

        put_pcap_header(&b, MICRO, 65535, cases[i].network);
        put_pcap_record(&b, 1, 1, 60, 60, 1);
        struct seen s = read_bytes(&b, NULL);
        ck_assert_uint_eq(s.n_frames, 1);
        ck_assert_uint_eq(s.frames[0].linktype, cases[i].linktype);
        ck_assert_uint_eq(s.stats.n_linktypes, 1);
        ck_assert_uint_eq(s.stats.linktypes[0], cases[i].linktype);
        seen_clear(&s);
        bytes_clear(&b);
    }
}
END_TEST

START_TEST(nflog_attributes_of_a_foreign_host_are_turned_to_our_order)
{
    struct bytes ours = {0}, theirs = {.big_endian = true};
    uint16_t one = 1;

    theirs.big_endian = *(const uint8_t *)&one == 1;
    ours.big_endian = !theirs.big_endian;
    for (int i = 0; i < 2; i++) {
        struct bytes *b = i == 0 ? &ours : &theirs;

        put_pcap_header(b, MICRO, 65535, 239);
        put32(b, 1), put32(b, 1), put32(b, 24), put32(b, 24);
        put(b, "\2\0\0\7", 4);
        put16(b, 5), put16(b, 10), put(b, "\0\0\0\0", 4); /* prefix "" */
        put16(b, 12), put16(b, 9), put(b, "\x45\0\0\x14\0\0\0\0", 8);
    }
    struct seen a = read_bytes(&ours, NULL), b = read_bytes(&theirs, NULL);
    ck_assert_uint_eq(a.n_frames, 1);
    ck_assert_uint_eq(b.n_frames, 1);
    seen_assert_prefix(&a, &b, 1);
    seen_clear(&a);
    seen_clear(&b);
    bytes_clear(&ours);
    bytes_clear(&theirs);
}
END_TEST

START_TEST(variants_are_read_through_libpcap_with_the_same_frames)
{
    struct bytes plain = small_pcap(false, MICRO), modified = {.big_endian = _i & 1};
    struct seen a = read_bytes(&plain, NULL);

    put_pcap_header(&modified, MODIFIED, 65535, 1);
    for (size_t at = 24; at < plain.size;) {
        uint32_t head[4];

        memcpy(head, plain.data + at, sizeof(head));
        for (int i = 0; i < 4; i++)
            put32(&modified, head[i]);
        put32(&modified, 2), put16(&modified, 0x800), put16(&modified, 0); /* interface, protocol, packet type */
        put(&modified, plain.data + at + 16, head[2]);
        at += 16 + head[2];
    }
    struct seen b = read_bytes(&modified, NULL);
    ck_assert_msg(b.rc == 0, "%s", b.err.msg);
    ck_assert_uint_eq(b.n_frames, a.n_frames);
    seen_assert_prefix(&a, &b, a.n_frames);
    ck_assert(!b.stats.damaged);
    ck_assert_uint_eq(strlen(b.stats.sha256), 64);
    seen_clear(&b);

    modified.size -= 9; /* the last record keeps 16 of its 24 header bytes */
    b = read_bytes(&modified, NULL);
    ck_assert_uint_eq(b.n_frames, a.n_frames - 1);
    ck_assert(b.stats.damaged);
    ck_assert_uint_eq(b.stats.damaged_offset, modified.size - 16);
    ck_assert_ptr_nonnull(strstr(b.stats.damage, "packet record 5"));
    seen_clear(&a);
    seen_clear(&b);
    bytes_clear(&plain);
    bytes_clear(&modified);
}
END_TEST

START_TEST(archaic_and_unknown_versions_are_refused_in_libpcaps_words)
{
    struct bytes b = small_pcap(false, MICRO);

    b.data[4] = 1;
    struct seen s = read_bytes(&b, NULL);
    ck_assert_int_eq(s.rc, -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "archaic pcap savefile format"));
    b.data[4] = 3;
    s = read_bytes(&b, NULL);
    ck_assert_int_eq(s.rc, -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "3.4"));
    bytes_clear(&b);
}
END_TEST

Suite *suite_capture_pcap(void);
Suite *suite_capture_pcap(void)
{
    Suite *s = suite_create("capture_pcap");
    TCase *t = tcase_create("pcap");

    tcase_add_loop_test(t, both_byte_orders_and_resolutions_give_the_same_packets, 0, 4);
    tcase_add_loop_test(t, a_file_cut_at_any_byte_gives_a_prefix_and_says_so, 0, 2);
    tcase_add_test(t, damage_is_told_with_the_record_and_the_byte);
    tcase_add_loop_test(t, any_block_size_gives_the_same_frames, 0, 8);
    tcase_add_test(t, a_clock_that_goes_back_is_counted);
    tcase_add_test(t, a_record_beyond_the_snap_length_is_returned_up_to_a_sane_length);
    tcase_add_test(t, a_length_field_alone_takes_no_memory);
    tcase_add_test(t, odd_lengths_and_times_are_counted_and_put_right);
    tcase_add_test(t, packets_without_a_time_are_given_that_before);
    tcase_add_test(t, link_types_are_told_without_flags_and_as_files_mean_them);
    tcase_add_test(t, nflog_attributes_of_a_foreign_host_are_turned_to_our_order);
    tcase_add_loop_test(t, variants_are_read_through_libpcap_with_the_same_frames, 0, 2);
    tcase_add_test(t, archaic_and_unknown_versions_are_refused_in_libpcaps_words);
    suite_add_tcase(s, t);
    return s;
}
