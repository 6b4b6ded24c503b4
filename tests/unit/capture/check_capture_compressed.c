/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "capture_support.h"

static struct bytes plain_capture(void)
{
    struct bytes b = {0};

    put_pcap_header(&b, 0xa1b2c3d4u, 65535, 1);
    for (uint32_t i = 0; i < 300; i++)
        put_pcap_record(&b, i, i, i * 61 % 1500, 1500, (uint8_t)(i * i));
    return b;
}

static void gzip_piece(struct bytes *out, const uint8_t *data, size_t size)
{
    z_stream z = {0};
    uint8_t buf[65536];
    int rc;

    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)size;
    do {
        z.next_out = buf;
        z.avail_out = sizeof(buf);
        rc = deflate(&z, Z_FINISH);
        put(out, buf, sizeof(buf) - z.avail_out);
    } while (rc == Z_OK);
    ck_assert_int_eq(rc, Z_STREAM_END);
    deflateEnd(&z);
}

static void zstd_piece(struct bytes *out, const uint8_t *data, size_t size)
{
    size_t bound = ZSTD_compressBound(size);
    void *buf = malloc(bound);

    size_t n = ZSTD_compress(buf, bound, data, size, 3);
    ck_assert(!ZSTD_isError(n));
    put(out, buf, n);
    free(buf);
}

typedef void compress_fn(struct bytes *out, const uint8_t *data, size_t size);
static compress_fn *const compressors[] = {gzip_piece, zstd_piece};
static const char *const names[] = {"gzip", "zstd"};

START_TEST(compressed_captures_give_the_same_frames)
{
    static const size_t block_sizes[] = {0, 100};
    struct bytes b = plain_capture(), one = {0}, several = {0};
    struct seen plain = read_bytes(&b, NULL);

    compressors[_i](&one, b.data, b.size);
    /* Members, or frames, whose borders lie anywhere; an empty one among them. */
    compressors[_i](&several, b.data, 10);
    compressors[_i](&several, b.data + 10, 0);
    compressors[_i](&several, b.data + 10, 100000);
    compressors[_i](&several, b.data + 100010, b.size - 100010);
    if (_i == 0)
        put_fill(&several, 0, 512); /* padding, as tapes leave it */
    for (size_t i = 0; i < 2; i++) {
        const struct capture_options options = {.block_size = block_sizes[i]};
        struct seen s1 = read_bytes(&one, &options), s2 = read_bytes(&several, &options);

        ck_assert_msg(s1.rc == 0 && s2.rc == 0, "%s%s", s1.err.msg, s2.err.msg);
        ck_assert_msg(!s1.stats.damaged && !s2.stats.damaged, "%s%s", s1.stats.damage, s2.stats.damage);
        ck_assert_uint_eq(s1.n_frames, plain.n_frames);
        ck_assert_uint_eq(s2.n_frames, plain.n_frames);
        seen_assert_prefix(&plain, &s1, plain.n_frames);
        seen_assert_prefix(&plain, &s2, plain.n_frames);
        ck_assert_uint_eq(s1.stats.n_bytes, one.size);
        seen_clear(&s1);
        seen_clear(&s2);
    }
    seen_clear(&plain);
    bytes_clear(&b);
    bytes_clear(&one);
    bytes_clear(&several);
}
END_TEST

START_TEST(compressed_data_cut_anywhere_gives_a_prefix_and_is_damaged)
{
    struct bytes b = plain_capture(), packed = {0};
    struct seen plain = read_bytes(&b, NULL);
    size_t n_opened = 0;

    compressors[_i](&packed, b.data, b.size);
    for (size_t size = 1; size < packed.size; size += size < 64 ? 1 : 997) {
        struct bytes cut = {.data = packed.data, .size = size};
        struct seen s = read_bytes(&cut, NULL);

        if (s.rc != 0) {
            ck_assert_int_eq(s.rc, -EBADMSG);
            continue;
        }
        n_opened++;
        ck_assert(s.stats.damaged);
        ck_assert_ptr_nonnull(strstr(s.stats.damage, "data is cut short after"));
        ck_assert_ptr_nonnull(strstr(s.stats.damage, names[_i]));
        seen_assert_prefix(&plain, &s, s.n_frames);
        ck_assert_uint_eq(strlen(s.stats.sha256), 64);
        seen_clear(&s);
    }
    ck_assert_uint_gt(n_opened, 0);
    seen_clear(&plain);
    bytes_clear(&b);
    bytes_clear(&packed);
}
END_TEST

START_TEST(corrupt_compressed_data_is_damage_and_is_digested_to_its_end)
{
    struct bytes b = plain_capture(), packed = {0};
    struct seen plain = read_bytes(&b, NULL);
    struct digest *digest;
    char text[DIGEST_TEXT_SIZE];

    compressors[_i](&packed, b.data, b.size / 2);
    size_t first = packed.size;
    compressors[_i](&packed, b.data + b.size / 2, b.size - b.size / 2);
    memset(packed.data + first, 0xaa, 40);
    put_fill(&packed, 0x55, 300000); /* beyond any buffer */
    ck_assert_int_eq(digest_new(&digest, NULL), 0);
    digest_update(digest, packed.data, packed.size);
    digest_text(digest, text);
    digest_free(digest);

    struct seen s = read_bytes(&packed, NULL);
    ck_assert_int_eq(s.rc, 0);
    ck_assert(s.stats.damaged);
    ck_assert_ptr_nonnull(strstr(s.stats.damage, "data is corrupt near stored byte"));
    ck_assert_uint_gt(s.n_frames, 100);
    ck_assert_uint_lt(s.n_frames, 200);
    seen_assert_prefix(&plain, &s, s.n_frames);
    ck_assert_uint_eq(s.stats.n_bytes, packed.size);
    ck_assert_str_eq(s.stats.sha256, text);
    seen_clear(&s);
    seen_clear(&plain);
    bytes_clear(&b);
    bytes_clear(&packed);
}
END_TEST

START_TEST(a_wrong_check_sum_at_the_end_is_damage)
{
    struct bytes b = plain_capture(), packed = {0};

    gzip_piece(&packed, b.data, b.size);
    packed.data[packed.size - 6] ^= 1;
    struct seen s = read_bytes(&packed, NULL);
    ck_assert_uint_eq(s.n_frames, 300);
    ck_assert(s.stats.damaged);
    ck_assert_ptr_nonnull(strstr(s.stats.damage, "incorrect data check, after packet record 300"));
    seen_clear(&s);
    bytes_clear(&b);
    bytes_clear(&packed);
}
END_TEST

START_TEST(skippable_zstd_frames_are_passed_over)
{
    struct bytes b = plain_capture(), packed = {0};

    put(&packed, "\x50\x2a\x4d\x18\4\0\0\0abcd", 12);
    zstd_piece(&packed, b.data, b.size);
    put(&packed, "\x5f\x2a\x4d\x18\4\0\0\0abcd", 12);
    struct seen s = read_bytes(&packed, NULL);
    ck_assert_msg(s.rc == 0, "%s", s.err.msg);
    ck_assert_uint_eq(s.n_frames, 300);
    ck_assert_msg(!s.stats.damaged, "%s", s.stats.damage);
    seen_clear(&s);
    bytes_clear(&b);
    bytes_clear(&packed);
}
END_TEST

START_TEST(compressed_data_that_is_no_capture_is_refused)
{
    struct bytes packed = {0};

    compressors[_i](&packed, (const uint8_t *)"hello, world, this is text", 26);
    struct seen s = read_bytes(&packed, NULL);
    ck_assert_int_eq(s.rc, -EBADMSG);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "data starts with bytes 68 65 6c 6c 6f 2c 20 77, expected pcap or pcapng"));
    bytes_clear(&packed);

    compressors[_i](&packed, (const uint8_t *)"", 0);
    s = read_bytes(&packed, NULL);
    ck_assert_int_eq(s.rc, -EBADMSG);
    ck_assert_ptr_nonnull(strstr(s.err.msg, "holds no bytes"));
    bytes_clear(&packed);
}
END_TEST

Suite *suite_capture_compressed(void);
Suite *suite_capture_compressed(void)
{
    Suite *s = suite_create("capture_compressed");
    TCase *t = tcase_create("compressed");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, compressed_captures_give_the_same_frames, 0, 2);
    tcase_add_loop_test(t, compressed_data_cut_anywhere_gives_a_prefix_and_is_damaged, 0, 2);
    tcase_add_loop_test(t, corrupt_compressed_data_is_damage_and_is_digested_to_its_end, 0, 2);
    tcase_add_test(t, a_wrong_check_sum_at_the_end_is_damage);
    tcase_add_test(t, skippable_zstd_frames_are_passed_over);
    tcase_add_loop_test(t, compressed_data_that_is_no_capture_is_refused, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
