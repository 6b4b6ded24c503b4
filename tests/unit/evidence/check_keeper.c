/* SPDX-License-Identifier: Apache-2.0 */
/* What does not fit is counted, packet by packet: each is written, beyond the bound, without room, not looked at, or still there. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "flowaudit/keeper.h"

#define T0 (INT64_C(1700000000) * 1000000000)

static char           folder[32];
static struct keeper *keeper;
static uint64_t       number;

static void setup(void)
{
    static const char    *const inputs[] = {"eth0"};
    struct keeper_options o = {.folder = folder, .max_bytes = KEEPER_LEAST_BYTES, .application = "test", .inputs = inputs, .n_inputs = 1, .n_sources = 1};

    strcpy(folder, "/tmp/keeper-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(keeper_new(&o, &keeper, NULL), 0);
    number = 0;
}

static void teardown(void)
{
    DIR *dir = opendir(folder);

    keeper_free(keeper);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* So many packets of one flow to this port, each of 1500 bytes. */
static void offer(unsigned n, uint16_t port)
{
    static const uint8_t zeros[1458];
    struct build         b;
    struct packet        p;

    build_begin(&b);
    build_ethernet(&b);
    build_ipv4(&b, "10.0.0.1", "10.0.0.2");
    build_udp(&b, 1025, port);
    build_bytes(&b, zeros, sizeof(zeros));
    struct frame f = build_frame(&b);
    ck_assert_int_eq(packet_decode(&f, &p), PACKET_OK);
    for (unsigned i = 0; i < n; i++) {
        f.ts_ns = T0 + (int64_t)number++;
        keeper_offer(keeper, 0, 1, &f, &p, PACKET_OK);
    }
}

static struct keeper_stats stats(void)
{
    struct keeper_stats s;

    keeper_stats(keeper, &s);
    ck_assert_uint_eq(s.n_offered, number);
    return s;
}

START_TEST(a_conversation_ends_at_its_bound)
{
    struct keeper_want w = {.server_port = 53, .transport = IPPROTO_UDP, .client = addr_from_ipv4((uint8_t[]){10, 0, 0, 1}),
                            .server = addr_from_ipv4((uint8_t[]){10, 0, 0, 2})};
    struct keeper_file file;

    keeper_want(keeper, &w);
    for (unsigned i = 0; i < 5; i++) {
        offer(250, 53);
        offer(3, 54);
        ck_assert_int_eq(keeper_write(keeper, 1, NULL), 0);
    }
    struct keeper_stats s = stats();
    ck_assert_uint_eq(s.n_written, KEEPER_WANT_PACKETS);
    ck_assert_uint_eq(s.n_beyond, 250);
    ck_assert_uint_eq(s.n_no_room + s.n_unlooked + s.n_failed, 0);
    ck_assert_int_eq(keeper_end_file(keeper, true, &file, NULL), 1);
    ck_assert_uint_eq(file.packets, KEEPER_WANT_PACKETS);
}
END_TEST

START_TEST(a_full_ring_is_counted)
{
    struct keeper_want w = {.client = addr_from_ipv4((uint8_t[]){10, 0, 0, 1}), .server = addr_from_ipv4((uint8_t[]){10, 0, 0, 2})};

    offer(20000, 53); /* 30 MB into 16 MiB, and nobody takes */
    struct keeper_stats before = stats();
    ck_assert_uint_gt(before.n_no_room, 20000 - (16 << 20) / 1500);
    keeper_want(keeper, &w);
    ck_assert_int_eq(keeper_write(keeper, 1, NULL), 0);
    struct keeper_stats after = stats();
    ck_assert_uint_eq(after.n_no_room, before.n_no_room);
    ck_assert_uint_eq(after.n_written + after.n_beyond, 20000 - after.n_no_room);
}
END_TEST

START_TEST(packets_that_give_way_unlooked_are_counted)
{
    struct keeper_want w = {.client = addr_from_ipv4((uint8_t[]){10, 0, 0, 1}), .server = addr_from_ipv4((uint8_t[]){10, 0, 0, 2})};

    for (unsigned i = 0; i < 12; i++) { /* 90 MB into 64 MiB */
        offer(5000, 53);
        keeper_take(keeper);
    }
    struct keeper_stats before = stats();
    ck_assert_uint_eq(before.n_no_room, 0);
    ck_assert_uint_gt(before.n_unlooked, 60000 - (64 << 20) / 1500);
    keeper_want(keeper, &w);
    ck_assert_int_eq(keeper_write(keeper, 1, NULL), 0);
    struct keeper_stats after = stats();
    ck_assert_uint_eq(after.n_unlooked, before.n_unlooked);
    ck_assert_uint_eq(after.n_written + after.n_beyond, 60000 - after.n_unlooked);
}
END_TEST

Suite *suite_keeper(void);
Suite *suite_keeper(void)
{
    Suite *s = suite_create("keeper");
    TCase *c = tcase_create("bounds");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_conversation_ends_at_its_bound);
    tcase_add_test(c, a_full_ring_is_counted);
    tcase_add_test(c, packets_that_give_way_unlooked_are_counted);
    suite_add_tcase(s, c);
    return s;
}
