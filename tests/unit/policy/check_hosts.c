/* SPDX-License-Identifier: Apache-2.0 */
/* From an address to its host: the most specific block that holds it, against a plain search. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy_bed.h"

#define N_SITES 60
#define N_ADDRESSES 2000 /* for each site */

static struct policy_bed site_of(const char *hosts)
{
    char text[2048];

    snprintf(text, sizeof(text), "site: s\nhosts:\n%s", hosts);
    return policy_bed_of_rules(SHOP_MATRIX, text);
}

static const char *host_at(const struct policy *p, const char *address)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(address, &a), 0);
    return policy_host_name(p, policy_host(p, &a));
}

START_TEST(ends)
{
    static const struct {
        const char *address, *host;
    } table[] = {
        {"9.255.255.255", ""},      {"10.0.0.0", "wide"},        {"10.0.255.255", "wide"},     {"10.1.0.0", "net"},
        {"10.1.0.255", "net"},      {"10.1.1.0", "inner"},       {"10.1.1.127", "inner"},      {"10.1.1.128", "net"},
        {"10.1.1.9", "one"},        {"10.1.1.8", "inner"},       {"10.1.1.10", "inner"},       {"10.1.255.255", "net"},
        {"10.2.0.0", "wide"},       {"10.255.255.255", "wide"},  {"11.0.0.0", ""},             {"0.0.0.0", "first"},
        {"0.0.0.1", ""},            {"255.255.255.255", "last"}, {"255.255.255.254", ""},      {"::", "first6"},
        {"::1", ""},                {"fd00::", "net6"},          {"fd00::ffff:ffff", "net6"},  {"fd00:0:0:1::", ""},
        {"fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},         {"fd00::20", "range6"},       {"fd00::30", "range6"},
        {"fd00::31", "net6"},       {"fd00::1f", "net6"},        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "last6"},
    };
    struct policy_bed bed = site_of("  wide:   {addresses: [10.0.0.0/8], roles: [web]}\n"
                             "  one:    {addresses: [10.1.1.9], roles: [web]}\n"
                             "  inner:  {addresses: [10.1.1.0/25], roles: [web]}\n"
                             "  net:    {addresses: [10.1.0.0/16], roles: [web]}\n"
                             "  first:  {addresses: [0.0.0.0], roles: [web]}\n"
                             "  last:   {addresses: [255.255.255.255], roles: [web]}\n"
                             "  first6: {addresses: [\"::\"], roles: [web]}\n"
                             "  net6:   {addresses: [\"fd00::/64\"], roles: [web]}\n"
                             "  range6: {addresses: [\"fd00::20-fd00::30\"], roles: [web]}\n"
                             "  last6:  {addresses: [\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"], roles: [web]}\n");

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        ck_assert_msg(strcmp(host_at(bed.policy, table[i].address), table[i].host) == 0, "%s is '%s', not '%s'", table[i].address,
                      host_at(bed.policy, table[i].address), table[i].host);
    policy_bed_free(&bed);
}
END_TEST

/* All of each family in one entry, with holes of other entries at both ends. */
START_TEST(everything)
{
    struct policy_bed bed = site_of("  all4: {addresses: [0.0.0.0/0], roles: [internet]}\n"
                             "  low:  {addresses: [0.0.0.0/32], roles: [web]}\n"
                             "  high: {addresses: [255.255.255.255/32], roles: [web]}\n"
                             "  all6: {addresses: [\"2000::/3\"], roles: [internet]}\n");

    ck_assert_str_eq(host_at(bed.policy, "0.0.0.0"), "low");
    ck_assert_str_eq(host_at(bed.policy, "0.0.0.1"), "all4");
    ck_assert_str_eq(host_at(bed.policy, "255.255.255.254"), "all4");
    ck_assert_str_eq(host_at(bed.policy, "255.255.255.255"), "high");
    ck_assert_str_eq(host_at(bed.policy, "2000::"), "all6");
    ck_assert_str_eq(host_at(bed.policy, "3fff:ffff::"), "all6");
    ck_assert_str_eq(host_at(bed.policy, "4000::"), "");
    ck_assert_str_eq(host_at(bed.policy, "1fff:ffff::"), "");
    policy_bed_free(&bed);
}
END_TEST

START_TEST(words)
{
    struct policy_bed bed = site_of("  pair: {addresses: [10.0.0.2, 10.0.0.1], roles: [db-primary, web]}\n"
                             "  mute: {addresses: [10.1.0.0/16], roles: []}\n"
                             "  span: {addresses: [10.2.0.9-10.2.0.20], roles: [dns]}\n");

    ck_assert_uint_eq(policy_n_hosts(bed.policy), 3);
    ck_assert_str_eq(policy_host_roles(bed.policy, 0), "db-primary,web");
    ck_assert_str_eq(policy_host_roles(bed.policy, 1), "");
    ck_assert_str_eq(policy_host_roles(bed.policy, POLICY_NONE), "");
    ck_assert_str_eq(policy_host_address(bed.policy, 0), "10.0.0.2");
    ck_assert_str_eq(policy_host_address(bed.policy, 1), "10.1.0.0/16");
    ck_assert_str_eq(policy_host_address(bed.policy, 2), "10.2.0.9-10.2.0.20");
    ck_assert_ptr_null(policy_host_address(bed.policy, POLICY_NONE));
    ck_assert_str_eq(policy_host_name(bed.policy, POLICY_NONE), "");
    ck_assert_str_eq(host_at(bed.policy, "10.0.0.1"), "pair");
    ck_assert_str_eq(host_at(bed.policy, "10.0.0.2"), "pair");
    policy_bed_free(&bed);
}
END_TEST

/* --- random nests ------------------------------------------------------------------------------------------------------ */

/* Splits what it is given into blocks inside blocks: one family's last 32 bits. */
struct nest {
    struct dice *dice;
    FILE        *out;
    unsigned     n;
    bool         v6;
};

static void put_address(FILE *f, bool v6, uint32_t n)
{
    if (v6)
        fprintf(f, "fd00::%x:%x", n >> 16, n & 0xffff);
    else
        fprintf(f, "%u.%u.%u.%u", n >> 24, n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
}

static void put_nest(struct nest *t, uint32_t low, uint32_t high, unsigned depth)
{
    if (t->n > 150)
        return;
    fprintf(t->out, "  h%u%s: {addresses: [\"", t->n++, t->v6 ? "v6" : "");
    put_address(t->out, t->v6, low);
    if (high != low) {
        fputc('-', t->out);
        put_address(t->out, t->v6, high);
    }
    fputs("\"], roles: [web]}\n", t->out);
    /* Children do not cover all of it; the first may share its low end, the last its high end. */
    uint32_t at = low;
    for (unsigned i = 0; depth < 7 && high - low > 3 && i < 3; i++) {
        uint64_t room = (uint64_t)high - at + 1, first = at + (dice_roll(t->dice, 2) == 0 ? 0 : dice_roll(t->dice, (uint32_t)(room / 2) + 1));
        uint64_t left = (uint64_t)high - first + 1, size = dice_roll(t->dice, 3) == 0 ? left : 1 + dice_roll(t->dice, (uint32_t)(left / 2) + 1);

        if (first == low && first + size - 1 >= high)
            size = left - 1; /* never the parent itself */
        if (size == 0)
            break;
        put_nest(t, (uint32_t)first, (uint32_t)(first + size - 1), depth + 1);
        if (first + size > high)
            break;
        at = (uint32_t)(first + size);
    }
}

static const struct addr_range *search(const struct site *s, const struct addr *a, uint32_t *ret_host)
{
    const struct addr_range *best = NULL;

    *ret_host = POLICY_NONE;
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        const struct addr_range *r = &s->hosts[i].ranges[0];

        if (addr_compare(a, &r->low) < 0 || addr_compare(a, &r->high) > 0)
            continue;
        if (best == NULL || (addr_compare(&best->low, &r->low) <= 0 && addr_compare(&best->high, &r->high) >= 0)) {
            best = r;
            *ret_host = i;
        }
    }
    return best;
}

static void step(struct addr *a, bool up)
{
    for (int i = 15; i >= 0; i--) {
        a->bytes[i] = (uint8_t)(a->bytes[i] + (up ? 1 : -1));
        if (a->bytes[i] != (up ? 0 : 0xff))
            break;
    }
}

/* An end of a block, the address beside it, or one that differs in its last bytes. */
static struct addr pick(struct dice *d, const struct site *s)
{
    const struct addr_range *r = &s->hosts[dice_roll(d, (uint32_t)s->n_hosts)].ranges[0];
    struct addr              a = dice_roll(d, 2) == 0 ? r->low : r->high;
    unsigned                 how = dice_roll(d, 4);

    if (how < 2)
        step(&a, how == 0);
    else if (how == 2)
        for (unsigned i = 0; i < 1 + dice_roll(d, 4); i++)
            a.bytes[15 - i] = (uint8_t)dice_roll(d, 256);
    return a;
}

static void run_seed(uint64_t seed)
{
    struct dice d = {seed};
    char       *text = NULL;
    size_t      size, n_found = 0;
    FILE       *f = open_memstream(&text, &size);
    struct nest four = {&d, f, 0, false}, six = {&d, f, 0, true};

    fputs("site: s\nhosts:\n", f);
    put_nest(&four, dice_roll(&d, 2) == 0 ? 0 : 0x0a000000, dice_roll(&d, 2) == 0 ? UINT32_MAX : 0x0affffff, 0);
    put_nest(&six, 0, UINT32_MAX, 0);
    fclose(f);
    struct policy_bed bed = policy_bed_of_rules(SHOP_MATRIX, text);
    for (unsigned i = 0; i < N_ADDRESSES; i++) {
        struct addr a = pick(&d, bed.site);
        uint32_t    right, found = policy_host(bed.policy, &a);
        char        buf[ADDR_TEXT_SIZE];

        search(bed.site, &a, &right);
        ck_assert_msg(found == right, "seed %llu: %s is in '%s', not '%s'\n%s", (unsigned long long)seed, addr_text(&a, buf),
                      policy_host_name(bed.policy, right), policy_host_name(bed.policy, found), text);
        n_found += right != POLICY_NONE;
    }
    ck_assert_uint_gt(n_found, N_ADDRESSES / 4);
    policy_bed_free(&bed);
    free(text);
}

START_TEST(nests)
{
    for (uint64_t seed = 1; seed <= N_SITES; seed++)
        run_seed(seed);
}
END_TEST

Suite *suite_policy_hosts(void);
Suite *suite_policy_hosts(void)
{
    Suite *s = suite_create("policy/hosts");
    TCase *t = tcase_create("hosts");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, ends);
    tcase_add_test(t, everything);
    tcase_add_test(t, words);
    tcase_add_test(t, nests);
    suite_add_tcase(s, t);
    return s;
}
