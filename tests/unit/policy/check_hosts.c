/* SPDX-License-Identifier: Apache-2.0 */
/* The most specific entry names the host: nested blocks against a plain search for the smallest. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy_help.h"

static const char matrix[] = "matrix: m\nroles: {a: {}}\nsections:\n  - heading: S\n    rows:\n"
                             "      - {id: r, from: a, to: a, ports: tcp/1, service: s, expect: on-demand}\n";

static uint32_t smallest(const struct site *s, const struct addr *a)
{
    const struct addr_range *best = NULL;
    uint32_t                 host = POLICY_NONE;

    for (uint32_t i = 0; i < s->n_hosts; i++) {
        for (size_t k = 0; k < s->hosts[i].n_ranges; k++) {
            const struct addr_range *r = &s->hosts[i].ranges[k];

            if (addr_range_contains(r, a) && (best == NULL || (addr_compare(&best->low, &r->low) <= 0 && addr_compare(&r->high, &best->high) <= 0))) {
                best = r;
                host = i;
            }
        }
    }
    return host;
}

START_TEST(nested_blocks)
{
    struct bed b = bed_of_texts(matrix, "site: t\nmatrix: m\nhosts:\n"
                                        "  all: {addresses: [0.0.0.0/0], roles: [a]}\n"
                                        "  ten: {addresses: [10.0.0.0/8], roles: [a]}\n"
                                        "  low: {addresses: [10.0.0.0/24], roles: [a]}\n"
                                        "  first: {addresses: [10.0.0.0], roles: [a]}\n"
                                        "  last: {addresses: [10.0.0.255], roles: [a]}\n"
                                        "  range: {addresses: [10.0.0.10-10.0.0.20], roles: [a]}\n"
                                        "  inner: {addresses: [10.0.0.11-10.0.0.20, 10.255.255.255], roles: [a]}\n"
                                        "  end: {addresses: [255.255.255.255, \"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"], roles: [a]}\n"
                                        "  six: {addresses: [\"fd00::/8\", \"::1\"], roles: [a]}\n"
                                        "  host: {addresses: [\"fd00::1\"], roles: [a]}\n");
    static const struct {
        const char *addr, *host;
    } cases[] = {
        {"0.0.0.0", "all"}, {"9.255.255.255", "all"}, {"10.0.0.0", "first"}, {"10.0.0.1", "low"}, {"10.0.0.10", "range"},
        {"10.0.0.11", "inner"}, {"10.0.0.20", "inner"}, {"10.0.0.21", "low"}, {"10.0.0.255", "last"}, {"10.0.1.0", "ten"},
        {"10.255.255.255", "inner"}, {"11.0.0.0", "all"}, {"255.255.255.254", "all"}, {"255.255.255.255", "end"},
        {"::1", "six"}, {"::2", ""}, {"fd00::", "six"}, {"fd00::1", "host"}, {"fd00::2", "six"}, {"fe00::", ""},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", ""}, {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "end"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a;

        ck_assert_int_eq(addr_parse(cases[i].addr, &a), 0);
        ck_assert_str_eq(policy_host_name(b.policy, policy_host(b.policy, &a)), cases[i].host);
        ck_assert_uint_eq(policy_host(b.policy, &a), smallest(b.site, &a));
    }
    policy_bed_close(&b);
}
END_TEST

/* Each block inside one that is open, down to single addresses: deeper than any prefix length. */
START_TEST(six_hundred_blocks_one_in_another)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    fputs("site: t\nmatrix: m\nhosts:\n", f);
    for (unsigned i = 0; i < 600; i++)
        fprintf(f, "  h%u: {addresses: [10.0.%u.%u-10.0.%u.%u], roles: [a]}\n", i, i / 256, i % 256, (1299 - i) / 256, (1299 - i) % 256);
    fclose(f);
    struct bed b = bed_of_texts(matrix, text);
    for (unsigned i = 0; i < 1400; i++) {
        uint8_t     bytes[4] = {10, 0, (uint8_t)(i / 256), (uint8_t)(i % 256)};
        struct addr a = addr_from_ipv4(bytes);

        ck_assert_uint_eq(policy_host(b.policy, &a), smallest(b.site, &a));
    }
    policy_bed_close(&b);
    free(text);
}
END_TEST

START_TEST(two_machines_or_one)
{
    struct bed b = bed_of_texts("matrix: m\nroles: {a: {governed: true}}\nsections:\n  - heading: S\n    rows:\n"
                                "      - {id: r, from: a, to: a, other: another, ports: tcp/1, service: s, expect: required}\n",
                                "site: t\nmatrix: m\nhosts:\n"
                                "  one: {addresses: [10.0.0.1, 10.0.0.2], roles: [a]}\n"
                                "  many: {addresses: [10.0.1.0/24], roles: [a]}\n");
    struct policy_query q = policy_query_of(&b, "10.0.0.1", "10.0.0.2", "tcp/1", NULL);

    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_VIOLATION);
    q = policy_query_of(&b, "10.0.1.1", "10.0.1.2", "tcp/1", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    q = policy_query_of(&b, "10.0.1.1", "10.0.1.1", "tcp/1", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_VIOLATION);
    q = policy_query_of(&b, "10.0.0.1", "10.0.1.1", "tcp/1", NULL);
    ck_assert_int_eq(judge_both(&b, &q).verdict, VERDICT_ALLOWED);
    policy_bed_close(&b);
}
END_TEST

Suite *suite_policy_hosts(void);

Suite *suite_policy_hosts(void)
{
    Suite *s = suite_create("policy: hosts");
    TCase *t = tcase_create("hosts");

    tcase_add_test(t, nested_blocks);
    tcase_add_test(t, six_hundred_blocks_one_in_another);
    tcase_add_test(t, two_machines_or_one);
    suite_add_tcase(s, t);
    return s;
}
