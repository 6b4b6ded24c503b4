/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of what a shard keeps beside conversations: reached, the counter says by how much, and what is kept goes on growing. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/engine/audit.h"
#include "../../../src/engine/shard.h"

#define MOST_ANNOUNCEMENTS (256u << 10) /* as flowaudit(1) states them under LIMITS */
#define MOST_QUERIES       (256u << 10)
#define MOST_HOSTS         (1u << 20)
#define BEYOND             37u

static const struct conversation_limits limits = {.flows_kept = 1, .peers_kept = 1};
static struct part                     *part;

static void setup(void)
{
    ck_assert_int_eq(part_new(&limits, 1, &part, NULL), 0);
}

static void teardown(void)
{
    part_free(part);
}

static struct addr host(unsigned i)
{
    return addr_from_ipv4((uint8_t[]){10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i});
}

static void see(unsigned i, int64_t ns)
{
    struct flow_record r = {.first_ns = ns, .last_ns = ns, .sent_first_ns = {ns}, .sent_last_ns = {ns}, .packets = {1}};
    struct addr        a = host(i);

    part_note_host(part, &a, &r, 0, 0);
}

/* Those are kept that the bound leaves of all, by way of one part or of several, in any order; and it is exact how many others there were. */
static void merge(struct part **parts, size_t n_parts, struct audit *ret)
{
    static const struct engine_options options = {.peers_kept = 1};

    *ret = (struct audit){.options = &options, .limits = limits, .parts = parts, .n_parts = n_parts};
    ck_assert_int_eq(audit_merge(ret, NULL), 0);
}

START_TEST(which_hosts_are_kept_does_not_depend_on_the_parts)
{
    enum { N = MOST_HOSTS + MOST_HOSTS / 4 + BEYOND };
    struct part *parts[3], *whole = part;
    struct audit one, several;

    for (unsigned i = 0; i < N; i++)
        see(i, 5);
    ck_assert_uint_le(part->n_hosts, MOST_HOSTS + BEYOND);
    for (unsigned k = 0; k < 3; k++) {
        ck_assert_int_eq(part_new(&limits, 1, &parts[k], NULL), 0);
        part = parts[k];
        for (unsigned i = N; i-- > 0;)
            if (i % 7 % 3 == k)
                see(i, 5);
    }
    part = whole;
    merge(&part, 1, &one);
    merge(parts, 3, &several);
    ck_assert_uint_eq(one.n_hosts, MOST_HOSTS);
    ck_assert_uint_eq(one.totals.n_hosts_lost, N - MOST_HOSTS);
    ck_assert_uint_eq(several.n_hosts, MOST_HOSTS);
    ck_assert_uint_eq(several.totals.n_hosts_lost, N - MOST_HOSTS);
    for (size_t i = 0; i < MOST_HOSTS; i++)
        ck_assert(addr_compare(&one.hosts[i].addr, &several.hosts[i].addr) == 0 && one.hosts[i].sent == 1);
    for (unsigned k = 0; k < 3; k++)
        part_free(parts[k]);
    free(one.hosts);
    free(several.hosts);
    free(one.conversations);
    free(several.conversations);
}
END_TEST

/* From 5 to 95, of which the server has 40 alone, then 70 too. */
START_TEST(a_host_is_there_for_as_long_as_it_sends)
{
    struct flow_record r = {.first_ns = 5, .last_ns = 95, .sent_first_ns = {5, 40}, .sent_last_ns = {95, 40}, .packets = {9, 1}};
    struct addr        client = host(1), server = host(2);
    const int64_t      window_ns = _i == 0 ? 0 : 30;

    part_note_host(part, &client, &r, 0, window_ns);
    part_note_host(part, &server, &r, 1, window_ns);
    r.sent_last_ns[1] = 70;
    r.packets[1] = 2;
    part_note_host(part, &server, &r, 1, window_ns);
    int64_t  first_ns[2] = {INT64_MAX, INT64_MAX}, last_ns[2] = {INT64_MIN, INT64_MIN};
    unsigned n_sending = 0;
    for (size_t i = 0; i < part->n_host_slots; i++) {
        const struct shard_host *h = &part->hosts[i];
        bool                     is_server = addr_compare(&h->addr, &server) == 0;

        if (!h->used || h->sent_last_ns == INT64_MIN)
            continue;
        n_sending++;
        first_ns[is_server] = h->sent_first_ns < first_ns[is_server] ? h->sent_first_ns : first_ns[is_server];
        last_ns[is_server] = h->sent_last_ns > last_ns[is_server] ? h->sent_last_ns : last_ns[is_server];
    }
    ck_assert_uint_eq(n_sending, _i == 0 ? 2 : 4); /* windows 0 and 3; 1 and 2 */
    ck_assert_int_eq(first_ns[0], 5);
    ck_assert_int_eq(last_ns[0], 95);
    ck_assert_int_eq(first_ns[1], 40);
    ck_assert_int_eq(last_ns[1], 70);
}
END_TEST

/* Of which connections is it known that they began before the capture? */
static const struct {
    enum direction_basis direction;
    uint64_t             packets[2];
    bool                 data[2];
    uint8_t              flags[2];
    uint64_t             older;
} connections[] = {
    {DIRECTION_PORT, {1, 1}, {false, false}, {TCP_FIN | TCP_ACK, TCP_ACK}, 1},
    {DIRECTION_PORT, {0, 3}, {false, false}, {0, TCP_ACK}, 1},
    {DIRECTION_PORT, {1, 1}, {true, false}, {TCP_ACK, TCP_RST}, 1},
    {DIRECTION_PORT, {1, 1}, {false, false}, {TCP_ACK, TCP_RST}, 0},
    {DIRECTION_PORT, {1, 0}, {false, false}, {TCP_ACK, 0}, 0},
    {DIRECTION_PORT, {9, 9}, {true, true}, {0, 0}, 0}, /* flags are cut */
    {DIRECTION_SYN, {9, 9}, {true, true}, {TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK}, 0},
    {DIRECTION_SYN_ACK, {9, 9}, {true, true}, {TCP_ACK, TCP_SYN | TCP_ACK}, 0},
    {DIRECTION_STRAY, {1, 1}, {false, false}, {TCP_FIN, TCP_RST | TCP_ACK}, 0},
};

START_TEST(a_connection_without_its_beginning_is_older)
{
    struct flow_record r = {
        .tuple = {.transport = IPPROTO_TCP}, .direction = connections[_i].direction, .first_ns = 5, .last_ns = 5, .sent_first_ns = {5, 5}, .sent_last_ns = {5, 5},
        .packets = {connections[_i].packets[0], connections[_i].packets[1]}, .sent_data = {connections[_i].data[0], connections[_i].data[1]},
        .tcp_flags = {connections[_i].flags[0], connections[_i].flags[1]},
    };

    for (unsigned side = 0; side < 2; side++) {
        struct addr a = host(side);

        part_note_host(part, &a, &r, side, 0);
    }
    uint64_t older = 0, n = 0;
    for (size_t i = 0; i < part->n_host_slots; i++) {
        older += part->hosts[i].used ? part->hosts[i].older : 0;
        n += part->hosts[i].used;
    }
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(older, 2 * connections[_i].older);
}
END_TEST

static void ask(unsigned i, int64_t ns)
{
    struct shard_group_query q;

    memset(&q, 0, sizeof(q)); /* compared with its padding */
    q.sender = host(i);
    q.sender_port = 1900;
    q.port = 5353;
    q.first_ns = q.last_ns = ns;
    q.packets = 1;
    part_note_query(part, &q);
}

START_TEST(queries_to_groups_end_at_their_bound)
{
    enum { N = MOST_QUERIES + MOST_QUERIES / 4 + BEYOND };
    struct part *parts[3], *whole = part;
    struct audit one, several;
    uint64_t     n = 0, n_twice = 0;

    for (unsigned i = 0; i < N; i++)
        ask(i, 5);
    for (unsigned i = 0; i < N; i += 2)
        ask(i, 9);
    ck_assert_uint_le(part->n_queries, MOST_QUERIES + BEYOND);
    for (size_t i = 0; i < part->n_query_slots; i++) {
        n += part->queries[i].last_ns != INT64_MIN ? part->queries[i].packets : 0;
        n_twice += part->queries[i].last_ns == 9 && part->queries[i].packets == 2;
    }
    ck_assert_uint_eq(n + part->totals.n_group_queries_lost, N + N / 2 + N % 2);
    ck_assert_uint_gt(n_twice, MOST_QUERIES / 3);
    for (unsigned k = 0; k < 3; k++) {
        ck_assert_int_eq(part_new(&limits, 1, &parts[k], NULL), 0);
        part = parts[k];
        for (unsigned i = N; i-- > 0;)
            for (unsigned again = 0; again < 2; again++)
                if ((i + again) % 3 == k && (again == 0 || i % 2 == 0))
                    ask(i, 5 + 4 * again);
    }
    part = whole;
    merge(&part, 1, &one);
    merge(parts, 3, &several);
    ck_assert_uint_ge(one.totals.n_group_queries_lost, N - MOST_QUERIES);
    ck_assert_uint_eq(one.totals.n_group_queries_lost, several.totals.n_group_queries_lost);
    for (unsigned k = 0; k < 3; k++)
        part_free(parts[k]);
    free(one.hosts);
    free(several.hosts);
    free(one.conversations);
    free(several.conversations);
}
END_TEST

START_TEST(negotiated_ports_end_at_their_bound)
{
    struct pinhole p = {.port = 1, .transport = IPPROTO_UDP};

    for (unsigned i = 0; i < MOST_ANNOUNCEMENTS + BEYOND; i++) {
        p.addr = host(i);
        announcements_add(&part->announcements, &p);
    }
    unsigned n_found = 0;
    announcements_sort(&part->announcements);
    ck_assert_uint_eq(part->announcements.n, MOST_ANNOUNCEMENTS);
    ck_assert_uint_eq(announcements_lost(&part->announcements), BEYOND);
    for (unsigned i = 0; i < MOST_ANNOUNCEMENTS + BEYOND; i++) {
        struct addr at = host(i);
        n_found += announcements_find(&part->announcements, &at, 1, IPPROTO_UDP, 1) != NULL;
    }
    ck_assert_uint_eq(n_found, MOST_ANNOUNCEMENTS);
}
END_TEST

/* As its header says it, by looking at each. */
static const struct pinhole *find_slowly(const struct announcements *all, const struct addr *addr, int64_t at_ns)
{
    const struct pinhole *best = NULL;

    for (size_t i = 0; i < all->n; i++) {
        const struct pinhole *p = &all->items[i];

        if (p->kind == PINHOLE_RPC_BIND || addr_compare(&p->addr, addr) != 0 || p->ts_ns > at_ns + 2000000000)
            continue;
        if (p->ts_ns > at_ns && p->kind == PINHOLE_EPM_MAP)
            continue;
        bool in_time = p->ts_ns <= at_ns, best_in_time = best != NULL && best->ts_ns <= at_ns;
        if (best == NULL || (in_time && (!best_in_time || p->ts_ns >= best->ts_ns)) || (!in_time && !best_in_time && p->ts_ns < best->ts_ns))
            best = p;
    }
    return best;
}

/* One host promises one port many times, among binds of the same endpoint: what is found is found among few as among many. */
START_TEST(the_promise_that_is_found_is_the_latest_one_in_time)
{
    const int64_t        second = 1000000000;
    struct announcements all = {0};

    for (unsigned i = 0; i < 3000; i++) {
        struct pinhole p = {.kind = i % 3 == 0 ? PINHOLE_RPC_BIND : i % 7 % 2 == 0 ? PINHOLE_EPM_MAP : PINHOLE_SIP_SDP, .port = 1, .transport = IPPROTO_TCP, .addr = host(i % 7)};

        p.ts_ns = (int64_t)(i * 2654435761u % 600) * second / 2;
        announcements_add(&all, &p);
    }
    announcements_sort(&all);
    for (unsigned i = 0; i < 9; i++) {
        struct addr           at = host(i);
        const struct pinhole *bind = announcements_bind(&all, &at, 1);

        for (int64_t ns = -3 * second; ns < 302 * second; ns += second / 4)
            ck_assert_ptr_eq(announcements_find(&all, &at, 1, IPPROTO_TCP, ns), find_slowly(&all, &at, ns));
        ck_assert_int_eq(bind != NULL, i < 7);
        ck_assert(bind == NULL || (bind->kind == PINHOLE_RPC_BIND && addr_compare(&bind->addr, &at) == 0));
        ck_assert_ptr_null(announcements_find(&all, &at, 2, IPPROTO_TCP, 302 * second));
        ck_assert_ptr_eq(announcements_find(&all, &at, 1, IPPROTO_TCP, INT64_MAX), find_slowly(&all, &at, 400 * second));
    }
    announcements_clear(&all);
}
END_TEST

static void announce(struct announcements *all, unsigned first, unsigned n)
{
    struct pinhole p = {.port = 1, .transport = IPPROTO_UDP};

    for (unsigned i = first; i < first + n; i++) {
        p.addr = host(i);
        announcements_add(all, &p);
    }
}

/* A live run joins parts for as long as it goes on, and a run of several workers as many. */
START_TEST(joined_negotiated_ports_end_at_the_same_bound)
{
    struct announcements all = {0}, more = {0}, others = {0};
    const unsigned       half = MOST_ANNOUNCEMENTS / 8 * 5;

    announce(&all, 0, half);
    announce(&more, half, half + BEYOND);
    for (unsigned i = 0; i < 2 * half + BEYOND; i++)
        announce(&others, 2 * half + BEYOND - 1 - i, 1);
    ck_assert_int_eq(announcements_merge(&all, &more), 0);
    announcements_sort(&all);
    announcements_sort(&others);
    ck_assert_uint_eq(all.n, MOST_ANNOUNCEMENTS);
    ck_assert_uint_eq(announcements_lost(&all), 2 * half + BEYOND - MOST_ANNOUNCEMENTS);
    ck_assert_uint_eq(others.n, MOST_ANNOUNCEMENTS);
    ck_assert_uint_eq(announcements_lost(&others), announcements_lost(&all));
    for (size_t i = 0; i < all.n; i++)
        ck_assert_int_eq(addr_compare(&all.items[i].addr, &others.items[i].addr), 0);
    announce(&more, 3 * half, 11);
    ck_assert_int_eq(announcements_merge(&all, &more), 0);
    announcements_sort(&all);
    ck_assert_uint_eq(all.n, MOST_ANNOUNCEMENTS);
    ck_assert_uint_eq(announcements_lost(&all), 2 * half + BEYOND + 11 - MOST_ANNOUNCEMENTS);
    announcements_clear(&others);
    announcements_clear(&all);
    announcements_clear(&more);
}
END_TEST

static void bind_at(struct announcements *all, unsigned client, const char *what, int64_t ts_ns)
{
    struct pinhole p = {.kind = PINHOLE_RPC_BIND, .port = 5003, .transport = IPPROTO_TCP, .addr = host(0), .announcer = host(0),
                        .requester = host(client), .ts_ns = ts_ns};

    snprintf(p.what, sizeof(p.what), "%s", what);
    announcements_add(all, &p);
}

static size_t count_binds(const struct announcements *all, unsigned client, const char *what, int64_t *ret_ns)
{
    struct addr requester = host(client);
    size_t      n = 0;

    for (size_t i = 0; i < all->n; i++)
        if (addr_compare(&all->items[i].requester, &requester) == 0 && strcmp(all->items[i].what, what) == 0) {
            *ret_ns = all->items[i].ts_ns;
            n++;
        }
    return n;
}

/* In whatever order they come, in one part or in two, sorted in between or not: of each the earliest. */
START_TEST(binds_are_kept_once_for_each_client_and_interface)
{
    enum { N_CLIENTS = 700, N_TIMES = 5 };
    struct announcements all = {0}, more = {0};
    int64_t              ts_ns = 0;

    for (int time = N_TIMES; time > 0; time--)
        for (unsigned i = 1; i <= N_CLIENTS; i++) {
            bind_at(time % 2 == 0 ? &all : &more, i, "DRSUAPI", 100 * time);
            bind_at(time % 2 == 0 ? &all : &more, i, "MAPI", 100 * time + (int)i);
        }
    announce(&more, 0, 3);
    announcements_sort(&all);
    bind_at(&all, 1, "MAPI", 1000);
    ck_assert_uint_eq(all.n, 2 * N_CLIENTS);
    ck_assert_uint_eq(more.n, 2 * N_CLIENTS + 3);
    ck_assert_int_eq(announcements_merge(&all, &more), 0);
    ck_assert_uint_eq(all.n, 2 * N_CLIENTS + 3);
    announcements_sort(&all);
    for (unsigned i = 1; i <= N_CLIENTS; i++) {
        ck_assert_uint_eq(count_binds(&all, i, "DRSUAPI", &ts_ns), 1);
        ck_assert_int_eq(ts_ns, 100);
        ck_assert_uint_eq(count_binds(&all, i, "MAPI", &ts_ns), 1);
        ck_assert_int_eq(ts_ns, 100 + (int)i);
    }
    struct addr server = host(0);
    ck_assert_ptr_nonnull(announcements_bind(&all, &server, 5003));
    ck_assert_int_eq(announcements_bind(&all, &server, 5003)->ts_ns, 100);
    ck_assert_uint_eq(all.n_lost, 0);
    announcements_clear(&all);
    announcements_clear(&more);
}
END_TEST

/* More windows than one conversation keeps: the same stay in any order and by way of any number of parts, and where the others were is known. */
START_TEST(which_windows_are_kept_does_not_depend_on_the_order)
{
    enum { N = 40000, N_PARTS = 4 };
    struct conversation whole = {0}, sum = {0}, parts[N_PARTS];
    uint64_t            kept = 0;

    memset(parts, 0, sizeof(parts));
    for (int i = 0; i < N; i++) {
        struct window_use forward = {.first = i, .last = i, .first_ns = i, .last_ns = i, .flows = 1}, other = forward;

        ck_assert_int_eq(window_uses_add(&whole, &forward), 0);
        other.first = other.last = other.first_ns = other.last_ns = i * 7919 % N;
        ck_assert_int_eq(window_uses_add(&parts[(unsigned)i % N_PARTS * (i % 3 > 0)], &other), 0);
    }
    for (unsigned k = 0; k < N_PARTS; k++) {
        ck_assert_int_eq(window_uses_join(&sum, parts[k].windows), 0);
        free(parts[k].windows);
    }
    ck_assert_int_eq(window_uses_settle(&whole), 0);
    ck_assert_int_eq(window_uses_settle(&sum), 0);
    ck_assert_uint_eq(whole.windows->n, 16384);
    ck_assert_uint_eq(sum.windows->n, 16384);
    ck_assert_int_eq(memcmp(whole.windows->items, sum.windows->items, 16384 * sizeof(struct window_use)), 0);
    for (uint32_t i = 0; i < whole.windows->n; i++)
        kept += whole.windows->items[i].flows;
    ck_assert_uint_eq(whole.windows->n_lost, N - kept);
    ck_assert_uint_eq(sum.windows->n_lost, N - kept);
    ck_assert_int_eq(whole.windows->lost_first, sum.windows->lost_first);
    ck_assert_int_eq(whole.windows->lost_last, sum.windows->lost_last);
    free(whole.windows);
    free(sum.windows);
}
END_TEST

Suite *suite_bounds(void);
Suite *suite_bounds(void)
{
    Suite *s = suite_create("bounds");
    TCase *c = tcase_create("bounds");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60); /* millions of them */
    tcase_add_test(c, which_hosts_are_kept_does_not_depend_on_the_parts);
    tcase_add_loop_test(c, a_connection_without_its_beginning_is_older, 0, sizeof(connections) / sizeof(connections[0]));
    tcase_add_loop_test(c, a_host_is_there_for_as_long_as_it_sends, 0, 2);
    tcase_add_test(c, queries_to_groups_end_at_their_bound);
    tcase_add_test(c, negotiated_ports_end_at_their_bound);
    tcase_add_test(c, joined_negotiated_ports_end_at_the_same_bound);
    tcase_add_test(c, the_promise_that_is_found_is_the_latest_one_in_time);
    tcase_add_test(c, which_windows_are_kept_does_not_depend_on_the_order);
    tcase_add_test(c, binds_are_kept_once_for_each_client_and_interface);
    suite_add_tcase(s, c);
    return s;
}
