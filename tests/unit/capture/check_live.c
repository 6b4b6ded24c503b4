/* SPDX-License-Identifier: Apache-2.0 */
/* Live capture on a pair of virtual interfaces in a network namespace of the test's own; only root may make one. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "build.h"
#include "flowaudit/live.h"
#include "flowaudit/packet.h"

struct bed {
    int home;   /* the namespace that we came from */
    int sender; /* packet socket on tx0, whose other end rx0 is */
    int witness; /* one on rx0, which is read for its count alone */
};

static bool run(const char *command)
{
    return system(command) == 0;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        ck_assert(write(fd, text, strlen(text)) > 0);
        close(fd);
    }
}

static int packet_socket(const char *interface, int protocol)
{
    const struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = (int)if_nametoindex(interface)};
    int s = socket(AF_PACKET, SOCK_RAW, 0);

    ck_assert_int_ge(s, 0);
    ck_assert_int_eq(bind(s, (const struct sockaddr *)&at, sizeof(at)), 0);
    return s;
}

/* False where the test cannot be: it has said why. */
static bool begin(struct bed *b)
{
    b->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (geteuid() != 0 || b->home < 0 || unshare(CLONE_NEWNET) != 0) {
        printf("live: skipped, only root may make a network namespace\n");
        return false;
    }
    write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"); /* or the interfaces talk themselves */
    if (!run("ip link add tx0 type veth peer name rx0 2>/dev/null && ip link set tx0 up && ip link set rx0 up")) {
        printf("live: skipped, no virtual interfaces here\n");
        ck_assert_int_eq(setns(b->home, CLONE_NEWNET), 0);
        return false;
    }
    b->sender = packet_socket("tx0", ETH_P_ALL);
    b->witness = packet_socket("rx0", ETH_P_ALL);
    return true;
}

static void end(struct bed *b)
{
    close(b->sender);
    close(b->witness);
    ck_assert_int_eq(setns(b->home, CLONE_NEWNET), 0);
    close(b->home);
}

/* A busy kernel hands a frame over later than the sender's call returns, and drops what is more than its backlog: so each is waited for. */
static void send_frame(struct bed *b, const struct frame *f)
{
    const struct timespec while_busy = {.tv_nsec = 100000};
    struct tpacket_stats stats = {0};

    ck_assert_int_eq(send(b->sender, f->data, f->caplen, 0), f->caplen);
    for (unsigned i = 0; i < 100000; i++) {
        socklen_t size = sizeof(stats);
        ck_assert_int_eq(getsockopt(b->witness, SOL_PACKET, PACKET_STATISTICS, &stats, &size), 0);
        if (stats.tp_packets != 0) /* with those that found no room */
            return;
        nanosleep(&while_busy, NULL);
    }
    ck_abort_msg("the frame does not come");
}

static void udp_frame(struct build *b, const char *src, const char *dst, uint16_t port)
{
    build_begin(b);
    build_ethernet(b);
    build_ipv4(b, src, dst);
    build_udp(b, 1000, port);
    build_text(b, "some payload, some payload, some payload");
}

static void send_udp(struct bed *b, uint16_t port, unsigned n)
{
    struct build p;

    udp_frame(&p, "10.0.0.1", "10.0.0.2", port);
    struct frame f = build_frame(&p);
    while (n-- > 0)
        send_frame(b, &f);
}

struct seen {
    unsigned n, n_wrong_number, n_time_back;
    int64_t last_ns;
    struct frame last;
    uint8_t data[256];
};

static void on_frame(void *aux, const struct frame *f)
{
    struct seen *s = aux;

    s->n_time_back += f->ts_ns < s->last_ns;
    s->last_ns = f->ts_ns;
    s->last = *f;
    ck_assert_uint_le(f->caplen, sizeof(s->data));
    memcpy(s->data, f->data, f->caplen);
    s->n++;
    s->n_wrong_number += f->number != s->n;
}

static struct live *open_rx(const struct live_options *o)
{
    struct live *l = NULL;
    struct err err = {0};

    ck_assert_msg(live_open("rx0", o, &l, &err) == 0, "%s", err.msg);
    return l;
}

START_TEST(a_burst_just_before_the_stop_is_read_to_the_last_packet)
{
    struct bed b;
    struct seen s = {0};
    struct live_stats stats;

    if (!begin(&b))
        return;
    struct live *l = open_rx(NULL);
    send_udp(&b, 53, 20000);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_eq(s.n, 20000);
    ck_assert_uint_eq(s.n_wrong_number, 0);
    ck_assert_uint_eq(s.n_time_back, 0);
    ck_assert_int_lt(llabs(s.last_ns / 1000000000 - (int64_t)time(NULL)), 10);
    ck_assert_uint_eq(stats.n_received, 20000);
    ck_assert_uint_eq(stats.n_seen, 20000);
    ck_assert_uint_eq(stats.n_dropped, 0);
    ck_assert_uint_eq(stats.n_unread, 0);
    ck_assert_uint_eq(live_linktype(l), 1);
    send_udp(&b, 53, 10); /* after the end nothing is taken, nor counted */
    ck_assert_int_eq(live_dispatch(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_eq(stats.n_received, 20000);
    live_free(l);
    end(&b);
}
END_TEST

START_TEST(what_does_not_fit_the_ring_is_counted_exactly)
{
    struct bed b;
    struct seen s = {0};
    struct live_stats stats;

    if (!begin(&b))
        return;
    struct live *l = open_rx(&(struct live_options){.ring_bytes = 1 << 20});
    send_udp(&b, 53, 60000);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_eq(stats.n_received, 60000);
    ck_assert_uint_gt(stats.n_dropped, 0);
    ck_assert_uint_eq(stats.n_seen + stats.n_dropped, 60000);
    ck_assert_uint_eq(stats.n_unread, 0);
    ck_assert_uint_eq(s.n, stats.n_seen);
    live_free(l);
    end(&b);
}
END_TEST

/* The kernel counts each packet twice there, and libpcap hands one of both over. */
START_TEST(on_the_loopback_interface_nothing_is_left_unread)
{
    static const char *const names[] = {"lo", "any"};
    struct bed b;
    struct seen s = {0};
    struct live_stats stats;
    struct live *l = NULL;
    struct err err = {0};
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    if (!begin(&b))
        return;
    ck_assert(run("ip link set lo up"));
    ck_assert_msg(live_open(names[_i], &(struct live_options){.filter = "udp dst port 9"}, &l, &err) == 0, "%s", err.msg);
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 100; i++)
        sendto(sender, "some payload", 12, 0, (const struct sockaddr *)&to, sizeof(to)); /* every other fails: the port is closed */
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_ge(s.n, 50);
    ck_assert_uint_eq(stats.n_unread, 0);
    close(sender);
    live_free(l);
    end(&b);
}
END_TEST

START_TEST(packets_that_the_filter_takes_out_are_counted)
{
    struct bed b;
    struct seen s = {0};
    struct live_stats stats;

    if (!begin(&b))
        return;
    struct live *l = open_rx(&(struct live_options){.filter = "udp dst port 53"});
    send_udp(&b, 53, 10);
    send_udp(&b, 123, 5);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_eq(s.n, 10);
    ck_assert_uint_eq(stats.n_filtered, 5);
    ck_assert_uint_eq(stats.n_seen, 15);
    live_free(l);
    end(&b);
}
END_TEST

START_TEST(tags_that_the_kernel_takes_off_are_in_the_frame)
{
    static const uint16_t outer[] = {0x8100, 0x88a8};
    struct bed b;
    struct build p;
    struct seen s = {0};

    if (!begin(&b))
        return;
    struct live *l = open_rx(NULL);
    build_begin(&p);
    build_ethernet(&p);
    build_vlan(&p, outer[_i], 100);
    build_vlan(&p, 0x8100, 7);
    build_ipv4(&p, "10.0.0.1", "10.0.0.2");
    build_udp(&p, 1000, 53);
    build_text(&p, "inside of two tags, and long enough for no padding");
    struct frame f = build_frame(&p);
    send_frame(&b, &f);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    ck_assert_uint_eq(s.n, 1);
    ck_assert_uint_eq(s.last.caplen, f.caplen);
    ck_assert_uint_eq(s.last.wirelen, f.caplen);
    ck_assert_int_eq(memcmp(s.data, f.data, f.caplen), 0);
    live_free(l);
    end(&b);
}
END_TEST

static int dispatch(struct live *l, struct seen *s)
{
    return live_dispatch(l, on_frame, s, NULL);
}

START_TEST(an_interface_that_goes_down_is_waited_for)
{
    struct bed b;
    struct seen s = {0};
    int rc = 0;

    if (!begin(&b))
        return;
    struct live *l = open_rx(NULL);
    send_udp(&b, 53, 10);
    ck_assert(run("ip link set rx0 down"));
    for (int i = 0; i < 20 && rc != -ENETDOWN; i++)
        rc = dispatch(l, &s);
    ck_assert_int_eq(rc, -ENETDOWN);
    ck_assert_uint_eq(s.n, 10);
    clock_t before = clock();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(dispatch(l, &s), -ENETDOWN);
    ck_assert_int_lt(clock() - before, CLOCKS_PER_SEC / 20); /* of half a second */
    ck_assert(run("ip link set rx0 up"));
    for (int i = 0; i < 20 && rc != 0; i++)
        rc = dispatch(l, &s);
    ck_assert_int_eq(rc, 0);
    send_udp(&b, 53, 10);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    ck_assert_uint_eq(s.n, 20);
    live_free(l);
    end(&b);
}
END_TEST

START_TEST(an_interface_that_is_deleted_is_told_after_its_last_packet)
{
    struct bed b;
    struct seen s = {0};
    struct live_stats stats;
    int rc = 0;

    if (!begin(&b))
        return;
    struct live *l = open_rx(NULL);
    send_udp(&b, 53, 10);
    ck_assert(run("ip link del rx0"));
    for (int i = 0; i < 20 && rc >= 0; i++)
        rc = dispatch(l, &s);
    while (rc == -ENETDOWN)
        rc = dispatch(l, &s);
    ck_assert_int_eq(rc, -ENODEV);
    ck_assert_int_eq(dispatch(l, &s), -ENODEV);
    ck_assert_int_eq(live_drain(l, on_frame, &s, NULL), 0);
    live_stats(l, &stats);
    ck_assert_uint_eq(s.n, 10);
    ck_assert_uint_eq(stats.n_unread, 0);
    live_free(l);
    end(&b);
}
END_TEST

START_TEST(what_cannot_be_opened_is_told_with_what_would_be_right)
{
    struct bed b;
    struct live *l = NULL;
    struct err err = {0};
    int status;

    if (!begin(&b))
        return;
    ck_assert_int_eq(live_open("nosuch0", NULL, &l, &err), -ENODEV);
    ck_assert_str_eq(err.msg, "nosuch0: no such interface; there are lo, rx0, tx0");
    ck_assert_int_eq(live_open("rx0", &(struct live_options){.filter = "udp prot 53"}, &l, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "rx0: the filter 'udp prot 53' does not compile"));
    ck_assert(run("ip link set rx0 down"));
    ck_assert_int_eq(live_open("rx0", NULL, &l, &err), -ENETDOWN);
    ck_assert_str_eq(err.msg, "rx0: the interface is down: 'ip link set rx0 up'");
    pid_t child = fork();
    if (child == 0)
        _exit(setresuid(65534, 65534, 65534) != 0 ? 1 : live_open("rx0", NULL, &l, &err) != -EPERM ? 2
              : strstr(err.msg, "CAP_NET_RAW") == NULL ? 3 : 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_null(l);
    end(&b);
}
END_TEST

static struct live *woken;

static void wake(int signal)
{
    (void)signal;
    live_break(woken);
}

START_TEST(a_break_ends_the_wait_at_once)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    struct bed b;
    struct seen s = {0};
    struct timespec before, after;

    if (!begin(&b))
        return;
    woken = open_rx(&(struct live_options){.timeout_ms = 5000});
    signal(SIGALRM, wake);
    clock_gettime(CLOCK_MONOTONIC, &before);
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(dispatch(woken, &s), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_lt(after.tv_sec - before.tv_sec, 4);
    live_free(woken);
    end(&b);
}
END_TEST

#define N_HANDLES 4
#define N_PAIRS 32

/* Packets of one pair of hosts, which have to meet in one handle. */
enum form { THERE, BACK, TAGGED, TAGGED_TWICE, LATER_FRAGMENT, QUOTED, N_FORMS };

struct dealt {
    unsigned handle;
    unsigned got[N_HANDLES][N_PAIRS];
};

static void on_dealt(void *aux, const struct frame *f)
{
    struct dealt *d = aux;

    d->got[d->handle][f->data[0] / 2]++; /* where put_form() says whose it is */
}

static void put_ip(struct build *b, unsigned pair, bool v6, enum form form)
{
    char low[64], high[64];

    snprintf(low, sizeof(low), v6 ? "fd00::%x" : "10.1.0.%u", pair + 1);
    snprintf(high, sizeof(high), v6 ? "fd00:0:0:1::%x" : "10.1.1.%u", 2 * pair + 1);
    const char *src = form == BACK || form == QUOTED ? high : low, *dst = src == low ? high : low;
    if (v6)
        build_ipv6(b, src, dst);
    else if (form == LATER_FRAGMENT)
        build_ipv4_fragment(b, src, dst, 1, 1480, 0);
    else
        build_ipv4(b, src, dst);
}

static void put_form(struct build *b, unsigned pair, bool v6, enum form form)
{
    const uint8_t to[6] = {(uint8_t)(pair * 2), 0, 0, 0, 0, 1}; /* even: no group address */

    build_begin(b);
    build_ethernet_to(b, to);
    if (form == TAGGED || form == TAGGED_TWICE)
        build_vlan(b, 0x8100, 5);
    if (form == TAGGED_TWICE)
        build_vlan(b, 0x8100, 6);
    if (form == QUOTED) { /* by a router that is of no pair */
        if (v6)
            build_ipv6(b, "fd00::ffff", "fd00::fffe");
        else
            build_ipv4(b, "10.9.9.9", "10.9.9.8");
        build_icmp(b, v6 ? 1 : 3, 3);
    }
    put_ip(b, pair, v6, form);
    if (form != LATER_FRAGMENT)
        build_udp(b, (uint16_t)(1000 + form), 53);
    build_text(b, "payload that makes no short frame of it");
}

START_TEST(a_pair_of_addresses_has_one_handle_whatever_carries_it)
{
    const struct live_options o = {.n_handles = N_HANDLES, .ring_bytes = 4 << 20};
    const bool v6 = _i == 1;
    struct bed b;
    struct build p;
    struct live *handles[N_HANDLES];
    struct live_stats stats;
    struct dealt d = {0};
    struct err err = {0};
    unsigned n_sent = 0, n_used = 0;

    if (!begin(&b))
        return;
    ck_assert_msg(live_open("rx0", &o, handles, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(live_fan_out(handles[0]), LIVE_BY_PAIR);
    for (unsigned i = 0; i < N_PAIRS * N_FORMS; i++, n_sent++) {
        put_form(&p, i / N_FORMS, v6, i % N_FORMS);
        struct frame f = build_frame(&p);
        send_frame(&b, &f);
    }
    for (d.handle = 0; d.handle < N_HANDLES; d.handle++) {
        ck_assert_int_eq(live_drain(handles[d.handle], on_dealt, &d, NULL), 0);
        live_stats(handles[d.handle], &stats);
        ck_assert_uint_eq(stats.n_unread, 0);
        n_sent -= (unsigned)stats.n_seen;
        n_used += stats.n_seen > 0;
    }
    ck_assert_uint_eq(n_sent, 0);
    ck_assert_uint_eq(n_used, N_HANDLES);
    for (unsigned i = 0; i < N_HANDLES * N_PAIRS; i++) {
        unsigned got = d.got[i / N_PAIRS][i % N_PAIRS];
        ck_assert_msg(got == 0 || got == N_FORMS, "pair %u: %u of its packets in handle %u", i % N_PAIRS, got,
                      i / N_PAIRS);
    }
    for (unsigned h = 0; h < N_HANDLES; h++)
        live_free(handles[h]);
    end(&b);
}
END_TEST

Suite *suite_live(void);
Suite *suite_live(void)
{
    Suite *s = suite_create("live");
    TCase *t = tcase_create("live");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_burst_just_before_the_stop_is_read_to_the_last_packet);
    tcase_add_test(t, what_does_not_fit_the_ring_is_counted_exactly);
    tcase_add_loop_test(t, on_the_loopback_interface_nothing_is_left_unread, 0, 2);
    tcase_add_test(t, packets_that_the_filter_takes_out_are_counted);
    tcase_add_loop_test(t, tags_that_the_kernel_takes_off_are_in_the_frame, 0, 2);
    tcase_add_test(t, an_interface_that_goes_down_is_waited_for);
    tcase_add_test(t, an_interface_that_is_deleted_is_told_after_its_last_packet);
    tcase_add_test(t, what_cannot_be_opened_is_told_with_what_would_be_right);
    tcase_add_test(t, a_break_ends_the_wait_at_once);
    tcase_add_loop_test(t, a_pair_of_addresses_has_one_handle_whatever_carries_it, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
