/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowaudit/addr.h"
#include "flowaudit/diag.h"
#include "flowaudit/err.h"
#include "flowaudit/hash.h"

static const struct {
    const char *text, *printed;
    int         rc;
} ranges[] = {
    {"10.0.0.1", "10.0.0.1", 0},
    {"10.0.0.0/8", "10.0.0.0/8", 0},
    {"0.0.0.0/0", "0.0.0.0/0", 0},
    {"10.0.0.9-10.0.0.12", "10.0.0.9-10.0.0.12", 0},
    {"10.0.0.0-10.0.0.255", "10.0.0.0/24", 0},
    {"FD00:0::1", "fd00::1", 0},
    {"fd00:20::/64", "fd00:20::/64", 0},
    {"::/0", "::/0", 0},
    {"10.0.0.1/8", "10.0.0.0/8", -EDOM},
    {"10.0.0.9-10.0.0.1", NULL, -ERANGE},
    {"10.0.0.1-fd00::1", NULL, -ERANGE},
    {"10.0.0.0/33", NULL, -ERANGE},
    {"10.0.0.0/", NULL, -EINVAL},
    {"10.0.0.0/+8", NULL, -EINVAL},
    {"10.1.1.999", NULL, -EINVAL},
    {"", NULL, -EINVAL},
};

/* Each byte at each place. */
START_TEST(addresses_are_written_as_inet_ntop_writes_them)
{
    for (unsigned i = 0; i < 1024; i++) {
        uint8_t bytes[4] = {10, 99, 100, 255};
        char    have[ADDR_TEXT_SIZE], want[ADDR_TEXT_SIZE];

        bytes[i / 256] = (uint8_t)i;
        struct addr a = addr_from_ipv4(bytes);
        ck_assert_str_eq(addr_text(&a, have), inet_ntop(AF_INET, bytes, want, sizeof(want)));
    }
}
END_TEST

START_TEST(address_blocks_are_read_and_printed_canonically)
{
    struct addr_range r;
    char              buf[100];

    ck_assert_int_eq(addr_range_parse(ranges[_i].text, &r), ranges[_i].rc);
    if (ranges[_i].printed != NULL)
        ck_assert_str_eq(addr_range_text(&r, buf, sizeof(buf)), ranges[_i].printed);
}
END_TEST

START_TEST(a_block_holds_its_ends_and_not_their_neighbours)
{
    struct addr_range r;
    struct addr       a;

    ck_assert_int_eq(addr_range_parse("10.0.0.4-10.0.0.7", &r), 0);
    const char *in[] = {"10.0.0.4", "10.0.0.7"}, *out[] = {"10.0.0.3", "10.0.0.8", "::1"};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(addr_parse(in[i], &a), 0);
        ck_assert(addr_range_contains(&r, &a));
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(addr_parse(out[i], &a), 0);
        ck_assert(!addr_range_contains(&r, &a));
    }
}
END_TEST

START_TEST(diagnostics_name_the_place_and_show_the_line_with_a_caret)
{
    const char        text[] = "hosts:\n  unity1: {roles: [unty]}\n";
    struct diag_list  list = {0};
    struct diag_place place = {.file = "site.yaml", .line = 2, .column = 20, .width = 4, .text = text, .size = strlen(text)};
    char             *out = NULL;
    size_t            size;

    diag_add(&list, DIAG_ERROR, &place, "unknown role '%s'", "unty");
    place.line = 1, place.column = 1, place.width = 5;
    diag_add(&list, DIAG_WARNING, &place, "second");
    diag_sort(&list);
    FILE *f = open_memstream(&out, &size);
    diag_print(&list, f);
    fclose(f);
    ck_assert_str_eq(out, "site.yaml:1:1: warning: second\n"
                          "    hosts:\n"
                          "    ^~~~~\n"
                          "site.yaml:2:20: error: unknown role 'unty'\n"
                          "      unity1: {roles: [unty]}\n"
                          "                       ^~~~\n");
    ck_assert_uint_eq(diag_count(&list, DIAG_ERROR), 1);
    free(out);
    diag_list_clear(&list);
}
END_TEST

START_TEST(the_nearest_name_is_a_slip_of_the_hand_away)
{
    const char *const names[] = {"service", "section", "ports", "from", "to"};

    ck_assert_str_eq(diag_nearest("servcie", names, 5), "service");
    ck_assert_str_eq(diag_nearest("Ports", names, 5), "ports");
    ck_assert_ptr_null(diag_nearest("address", names, 5));
    ck_assert_ptr_null(diag_nearest("xy", names, 3));
}
END_TEST

START_TEST(siphash_1_3_is_the_published_function)
{
    /* Key 00..0f, message 00..3e: the vectors of the Rust standard library's SipHasher13 tests. */
    const struct hash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    const uint8_t         first[8] = {0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab};
    const uint8_t         second[8] = {0x93, 0xca, 0x57, 0x7d, 0xf3, 0x9b, 0xf4, 0xc9};
    const uint8_t         byte = 0;
    uint64_t              h = hash_bytes(&key, &byte, 0);

    ck_assert_mem_eq(&h, first, 8);
    h = hash_bytes(&key, &byte, 1);
    ck_assert_mem_eq(&h, second, 8);

    const uint64_t words[2] = {1, 2};
    ck_assert(hash_words(&key, words, 2) == hash_bytes(&key, words, 16));
}
END_TEST

START_TEST(the_hash_of_pairs_is_the_upper_half_of_products_mixed)
{
    /* So that the upper half of a pair's product is 3 * y + x, and a bit of their own product where they are large. */
    const struct hash_pairs h = {.a = {{UINT64_C(1) << 32, UINT64_C(3) << 32}, {0, 0}}, .b = UINT64_C(1) << 32 | UINT32_MAX};
    struct hash_pairs       made, again;

    /* MurmurHash3 of nothing with the seeds 1 and 2^32 - 1 is the mix alone: its published values. */
    ck_assert_uint_eq(hash_pairs_end(&h, 0), 0x514e28b7);
    ck_assert_uint_eq(hash_pairs_end(&h, hash_pair(&h, 0, UINT32_MAX - 5, 1)), 0x81f16f39);
    ck_assert_uint_eq(hash_pairs_end(&h, hash_pair(&h, 0, 2, 0) + hash_pair(&h, 1, UINT32_C(1) << 31, UINT32_C(1) << 31)),
                      hash_pairs_end(&h, (UINT64_C(1) << 33) + (UINT64_C(1) << 62)));

    hash_pairs_init(&made, &(const struct hash_key){1, 2});
    hash_pairs_init(&again, &(const struct hash_key){1, 2});
    ck_assert_mem_eq(&made, &again, sizeof(made));
    for (unsigned i = 1; i < 2 * HASH_PAIRS_MAX; i++)
        ck_assert(made.a[i / 2][i % 2] != made.a[(i - 1) / 2][(i - 1) % 2] && made.b != made.a[i / 2][i % 2]);
}
END_TEST

START_TEST(sha256_of_abc_is_that_of_the_standard)
{
    struct digest *d;
    struct err     err;
    char           text[DIGEST_TEXT_SIZE];

    ck_assert_int_eq(digest_new(&d, &err), 0);
    digest_update(d, "a", 1);
    digest_update(d, "bc", 2);
    digest_text(d, text);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_free(d);
    digest_free(NULL);

    FILE *f = tmpfile();
    ck_assert_ptr_nonnull(f);
    fputs("abc", f);
    rewind(f);
    ck_assert_int_eq(digest_file(fileno(f), text, &err), 0);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    fclose(f);
    int folder = open("/", O_RDONLY);
    ck_assert_int_eq(digest_file(folder, text, &err), -EISDIR);
    ck_assert_int_eq(close(folder), 0);
}
END_TEST

START_TEST(an_error_keeps_its_sentence_and_takes_a_prefix)
{
    struct err e;

    ck_assert_int_eq(err_set(&e, -ENOENT, "no %s", "file"), -ENOENT);
    ck_assert_int_eq(err_prefix(&e, "%s: ", "x.pcap"), -ENOENT);
    ck_assert_str_eq(e.msg, "x.pcap: no file");
    ck_assert_int_eq(err_set(NULL, -EIO, "nobody listens"), -EIO);
}
END_TEST

Suite *suite_base(void);
Suite *suite_base(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");

    tcase_add_loop_test(t, address_blocks_are_read_and_printed_canonically, 0, sizeof(ranges) / sizeof(ranges[0]));
    tcase_add_test(t, addresses_are_written_as_inet_ntop_writes_them);
    tcase_add_test(t, a_block_holds_its_ends_and_not_their_neighbours);
    tcase_add_test(t, diagnostics_name_the_place_and_show_the_line_with_a_caret);
    tcase_add_test(t, the_nearest_name_is_a_slip_of_the_hand_away);
    tcase_add_test(t, siphash_1_3_is_the_published_function);
    tcase_add_test(t, the_hash_of_pairs_is_the_upper_half_of_products_mixed);
    tcase_add_test(t, sha256_of_abc_is_that_of_the_standard);
    tcase_add_test(t, an_error_keeps_its_sentence_and_takes_a_prefix);
    suite_add_tcase(s, t);
    return s;
}
