/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence that something stands between two hosts: what counts, how much, and what is said. */
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "policy_bed.h"

#define SECOND INT64_C(1000000000)

static const char *const site_text = "site: three\n"
                                     "matrix: cisco-unity-5x-exchange\n"
                                     "hosts:\n"
                                     "  unity1: {addresses: [10.20.1.10, 10.20.1.12], roles: [unity-primary]}\n"
                                     "  unity2: {addresses: [10.20.1.11], roles: [unity-secondary]}\n"
                                     "  dc1: {addresses: [10.20.2.10], roles: [dc-monitored, gc-monitored, gc-mapi]}\n";

static struct policy_bed          bed;
static struct separator   *separator;
static const struct coverage whole = {.first_ns = 1, .last_ns = 100 * SECOND, .packets = 1000, .bytes = 100000};

static void set_up(void)
{
    struct err err;

    bed = policy_bed_of_rules(UNITY_MATRIX, site_text);
    ck_assert_int_eq(separator_new(bed.policy, &separator, &err), 0);
}

static void tear_down(void)
{
    separator_free(separator);
    policy_bed_free(&bed);
}

static struct separate_fact fact(const char *client, const char *service, enum outcome outcome, int64_t second)
{
    struct policy_query q = policy_bed_query(client, "10.20.2.10", service);

    return (struct separate_fact){
        .tuple = q.tuple, .outcome = outcome, .allowed = true, .first_ns = second * SECOND, .last_ns = (second + 1) * SECOND,
        .flows = 1, .packets = {2, outcome == OUTCOME_UNANSWERED ? 0 : 2}, .bytes = 300, .conversation = (uint64_t)second,
        .first_packet = 10 * (uint64_t)second,
    };
}

static void tell(const struct separate_fact *f)
{
    ck_assert_int_eq(separator_conversation(separator, f), 0);
}

static size_t finish(const struct coverage *c, const struct separation **ret)
{
    size_t     n;
    struct err err;

    ck_assert_int_eq(separator_finish(separator, c, ret, &n, &err), 0);
    return n;
}

static void says(const struct separation *s, const char *words)
{
    ck_assert_msg(strstr(s->sentence, words) != NULL, "\"%s\" is not in \"%s\"", words, s->sentence);
}

static void prohibit(struct separate_fact *f, const char *sender, uint8_t code)
{
    f->icmp = (struct flow_icmp){.n_errors = 2, .type = 3, .code = code, .packet_number = 77, .input = 3, .about_client_packet = true};
    ck_assert_int_eq(addr_parse(sender, &f->icmp.sender), 0);
}

START_TEST(a_filter_that_tells_of_itself_is_strong)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5);

    prohibit(&f, "10.20.0.254", 13);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2); /* one for each section that warns of the pair */
    ck_assert_int_eq(s[0].severity, SEVERITY_HIGH);
    ck_assert_str_ne(s[0].section, s[1].section);
    ck_assert_uint_eq(s[0].packet, 77);
    ck_assert_uint_eq(s[0].input, 3);
    ck_assert_uint_eq(s[0].conversation, 5);
    ck_assert_str_eq(policy_host_name(bed.policy, s[0].host[0]), "unity1");
    ck_assert_str_eq(policy_host_name(bed.policy, s[0].host[1]), "dc1");
    says(&s[0], "signs that something between unity1 (10.20.1.10) and dc1 (10.20.2.10) filters");
    says(&s[0], "[strong] ICMP \"communication administratively prohibited\" (type 3 code 13) from 10.20.0.254");
    says(&s[0], "TCP 389 of dc1 (2 errors)");
    says(&s[0], "The document (\"Network Traffic from Cisco Unity to a Domain Controller\") says: Do not separate");
    says(&s[0], "Look at what 10.20.0.254 filters.");
}
END_TEST

START_TEST(a_host_that_spoke_from_two_addresses_is_told_with_both)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5), g = fact("10.20.1.12", "tcp/389", OUTCOME_PROHIBITED, 6);

    prohibit(&f, "10.20.0.254", 13);
    prohibit(&g, "10.20.0.254", 13);
    tell(&f);
    tell(&g);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    says(&s[0], "between unity1 (10.20.1.10 and others of its addresses) and dc1 (10.20.2.10) filters");
}
END_TEST

/* Of flows the one that began later may have its error first, and a RST may have come before any error. */
START_TEST(the_first_evidence_is_the_earliest_of_what_is_counted)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5), g = fact("10.20.1.10", "udp/389", OUTCOME_PROHIBITED, 6);
    struct separate_fact     resets[2] = {fact("10.20.1.10", "tcp/88", OUTCOME_PROHIBITED, 2), fact("10.20.1.10", "tcp/445", OUTCOME_PROHIBITED, 3)};

    prohibit(&f, "10.20.0.254", 13);
    prohibit(&g, "10.20.0.254", 13);
    f.icmp.packet_number = 219;
    f.icmp.ts_ns = 9 * SECOND;
    g.icmp.packet_number = 218;
    g.icmp.ts_ns = 8 * SECOND;
    tell(&f);
    tell(&g);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    says(&s[0], "(4 errors)");
    ck_assert_uint_eq(s[0].packet, 218);
    ck_assert_uint_eq(s[0].conversation, 6);
    for (unsigned i = 0; i < 2; i++) {
        resets[i].rst[1] = (struct ttl_range){64, 64};
        resets[i].ttl[1] = (struct ttl_range){128, 128};
        resets[i].resets = 1;
        resets[i].reset_packet = 215 - i;
        resets[i].reset_ns = (5 - i) * SECOND;
        tell(&resets[i]);
    }
    ck_assert_uint_eq(finish(&whole, &s), 2);
    says(&s[0], "; [strong] RSTs in the name of dc1");
    ck_assert_uint_eq(s[0].packet, 214);
    ck_assert_uint_eq(s[0].conversation, 3);
    ck_assert(!s[0].packet_shows);
}
END_TEST

START_TEST(a_filter_that_lets_a_handshake_pass_is_one)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5);

    prohibit(&f, "10.20.0.254", 13);
    f.icmp.after_answer = true;
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    says(&s[0], "[strong] ICMP \"communication administratively prohibited\" (type 3 code 13) from 10.20.0.254");
}
END_TEST

START_TEST(a_filter_of_one_of_the_two_is_medium)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5);

    prohibit(&f, "10.20.2.10", 13);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_MEDIUM);
    ck_assert_uint_eq(s[0].packet, 77);
    says(&s[0], "something at or between unity1 (10.20.1.10) and dc1 (10.20.2.10) filters: [medium] ICMP");
    says(&s[0], "Look at a filter on dc1 (10.20.2.10) itself, which would be none between the two, or one that answers in its name.");
}
END_TEST

START_TEST(other_errors_are_no_filter)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5);

    prohibit(&f, "10.20.0.254", 1); /* host unreachable */
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

START_TEST(only_pairs_that_the_document_names_count)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.11", "tcp/389", OUTCOME_PROHIBITED, 5); /* the secondary may be separated */

    prohibit(&f, "10.20.0.254", 13);
    tell(&f);
    f = fact("192.0.2.1", "tcp/389", OUTCOME_PROHIBITED, 6);
    prohibit(&f, "10.20.0.254", 13);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

static const struct {
    struct ttl_range rst, own;
    bool             strong;
} resets[] = {
    {{64, 64}, {128, 128}, true}, {{127, 127}, {126, 126}, true}, {{128, 128}, {128, 128}, false},
    {{127, 127}, {126, 128}, false}, {{64, 64}, {0, 0}, false}, {{0, 0}, {128, 128}, false},
};

START_TEST(a_reset_of_another_sender_is_strong)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 5);

    f.rst[1] = resets[_i].rst;
    f.ttl[1] = resets[_i].own;
    f.resets = 2;
    f.reset_packet = 61;
    f.reset_input = 4;
    tell(&f);
    size_t n = finish(&whole, &s);
    if (!resets[_i].strong) {
        ck_assert(n == 0 || s[0].severity == SEVERITY_NOTICE);
        return;
    }
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_HIGH);
    says(&s[0], "RSTs in the name of dc1 on TCP 389 of dc1 have TTL");
    ck_assert_uint_eq(s[0].packet, 61); /* the flow with the RST, not the conversation's first */
    ck_assert_uint_eq(s[0].input, 4);
    ck_assert(!s[0].packet_shows);
    says(&s[0], "Look for what sends RSTs in a host's name on the way between the two.");
}
END_TEST

/* One is told as one; what the same host sent to the same peer in another conversation may show that it is its own. */
START_TEST(a_reset_like_other_conversations_of_its_sender_is_its_own)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5), g = fact("10.20.1.10", "tcp/88", OUTCOME_ESTABLISHED, 6);

    f.rst[0] = (struct ttl_range){251, 251};
    f.ttl[0] = (struct ttl_range){52, 52};
    f.places[0][0] = (struct ttl_seen){4, f.ttl[0], f.rst[0]};
    f.resets = 1;
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    says(&s[0], "[strong] a RST in the name of unity1 on TCP 389 of dc1 has TTL 251, its own packets TTL 52");
    g.places[0][0] = (struct ttl_seen){2, {52, 251}, {0, 0}}; /* at another place */
    g.places[1][0] = (struct ttl_seen){4, {251, 251}, {0, 0}}; /* another's */
    tell(&g);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_HIGH);
    g.places[0][0].place = 4;
    tell(&g);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_NOTICE);
}
END_TEST

static void sent_with(struct separate_fact *f, unsigned side, uint8_t min, uint8_t max)
{
    f->ttl[side] = (struct ttl_range){min, max};
    f->places[side][0] = (struct ttl_seen){.place = 4, .own = {min, max}};
}

/* From what beginning did they come down? */
START_TEST(a_side_with_ttls_of_two_beginnings_passed_no_known_routers)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5);

    sent_with(&f, 0, 52, 251);
    sent_with(&f, 1, 64, 64);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

/* The host lives: it answers, and the answer does not arrive.  A port whose answers did arrive at other times is open. */
START_TEST(answers_that_do_not_arrive_are_medium)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_UNANSWERED, 5), open = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 6);
    struct coverage          lossy = whole;

    f.undelivered = 1;
    f.packets[1] = 3;
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_MEDIUM);
    says(&s[0], "[medium] SYNs came again after the SYN, ACK of TCP 389 of dc1, so that these answers did not reach unity1 (which loss, or another way back, would show as well).");
    lossy.lost = 1;
    ck_assert_uint_eq(finish(&lossy, &s), 0);
    tell(&open);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

START_TEST(silence_on_some_ports_is_medium)
{
    const struct separation *s;
    struct separate_fact     silent = fact("10.20.1.10", "tcp/389", OUTCOME_UNANSWERED, 5), open = fact("10.20.1.10", "tcp/88", OUTCOME_ESTABLISHED, 6);

    tell(&silent);
    ck_assert_uint_eq(finish(&whole, &s), 0); /* nothing answers: the host may be off */
    tell(&open);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_MEDIUM);
    ck_assert_ptr_null(strstr(s[0].sentence, "all this is"));
    says(&s[1], "while answers came from TCP 88 of dc1; all this is what is told under \"");
    says(&s[0], "[medium] no answer to SYNs on TCP 389 of dc1, while answers came from TCP 88 of dc1");
    says(&s[0], "Look at what drops packets to these ports: on the way between the two, or on the server.");
}
END_TEST

START_TEST(silence_proves_nothing_where_packets_are_lost)
{
    const struct separation *s;
    struct separate_fact     silent = fact("10.20.1.10", "tcp/389", OUTCOME_UNANSWERED, 5), open = fact("10.20.1.10", "tcp/88", OUTCOME_ESTABLISHED, 6);
    struct coverage          lossy = whole, holes = whole, ends = whole, cut = whole, pauses = whole;
    static const struct stretch stretches[] = {{1, 6 * SECOND}, {80 * SECOND, 100 * SECOND}};

    tell(&silent);
    tell(&open);
    lossy.lost = 1;
    holes.unseen_bytes = 5000;
    ends.last_ns = 6 * SECOND;
    cut.cut = 1;
    pauses.stretches = stretches;
    pauses.n_stretches = 2;
    ck_assert_uint_eq(finish(&lossy, &s), 0);
    ck_assert_uint_eq(finish(&cut, &s), 0);
    ck_assert_uint_eq(finish(&holes, &s), 0);
    ck_assert_uint_eq(finish(&ends, &s), 0);
    ck_assert_uint_eq(finish(&pauses, &s), 0);
    ck_assert_uint_eq(finish(&whole, &s), 2);
}
END_TEST

START_TEST(what_is_no_silence)
{
    const struct separation *s;
    struct separate_fact     f, open = fact("10.20.1.10", "tcp/88", OUTCOME_ESTABLISHED, 6);

    tell(&open);
    f = fact("10.20.1.10", "udp/389", OUTCOME_UNANSWERED, 5); /* UDP may be one-way */
    tell(&f);
    f = fact("10.20.1.10", "tcp/23", OUTCOME_UNANSWERED, 5); /* the document does not open it */
    f.allowed = false;
    tell(&f);
    f = fact("10.20.1.10", "tcp/445", OUTCOME_UNANSWERED, 5); /* a SYN-ACK came */
    f.packets[1] = 1;
    tell(&f);
    f = fact("10.20.1.10", "tcp/389", OUTCOME_UNANSWERED, 5); /* answered at another time */
    tell(&f);
    f = fact("10.20.1.10", "tcp/389", OUTCOME_REFUSED, 7);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

START_TEST(a_router_alone_is_a_notice)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5);

    sent_with(&f, 0, 128, 128);
    sent_with(&f, 1, 126, 126);
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_int_eq(s[0].severity, SEVERITY_NOTICE);
    says(&s[0], "routes, which by itself is no filter");
    says(&s[0], "packets of dc1 were seen with TTL 126, as if they had passed 2 routers");
    f = fact("10.20.1.10", "tcp/88", OUTCOME_ONE_WAY, 7); /* of these nobody knows with which TTL they came */
    f.packets[1] = 3;
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

/* What the same host's other packets to the other show is told, in whichever conversation; of another place, or stack, it is not the same. */
static const struct {
    uint8_t     min, max; /* in the second conversation, in which the client is the server */
    uint16_t    place;
    const char *said;     /* NULL: no sign */
} more_ttls[] = {
    {126, 126, 4, "seen with TTL 126, as if they had passed 2 routers"},
    {125, 127, 4, "seen with TTLs from 125 to 127, as if they had passed 1 to 3 routers"},
    {126, 128, 4, NULL},
    {128, 128, 4, NULL},
    {128, 128, 6, "seen with TTL 126, as if they had passed 2 routers"},
    {64, 64, 4, "seen with TTL 126, as if they had passed 2 routers"},
};

START_TEST(all_ttls_of_a_host_are_told)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5), g = fact("10.20.1.10", "tcp/135", OUTCOME_ESTABLISHED, 6);

    g.tuple.client = f.tuple.server;
    g.tuple.server = f.tuple.client;
    sent_with(&f, 1, 126, 126);
    sent_with(&g, 0, more_ttls[_i].min, more_ttls[_i].max);
    g.places[0][0].place = more_ttls[_i].place;
    tell(&f);
    tell(&g);
    ck_assert_uint_eq(finish(&whole, &s), more_ttls[_i].said != NULL ? 2 : 0);
    if (more_ttls[_i].said != NULL)
        says(&s[0], more_ttls[_i].said);
}
END_TEST

START_TEST(unlikely_ttls_say_nothing)
{
    const struct separation *s;
    struct separate_fact     f = fact("10.20.1.10", "tcp/389", OUTCOME_ESTABLISHED, 5);

    sent_with(&f, 0, 64, 64);
    sent_with(&f, 1, 200, 200); /* 55 hops from 255 */
    tell(&f);
    ck_assert_uint_eq(finish(&whole, &s), 0);
}
END_TEST

START_TEST(the_order_of_facts_does_not_matter)
{
    const struct separation *s;
    struct separate_fact     facts[3] = {
        fact("10.20.1.10", "tcp/389", OUTCOME_PROHIBITED, 9), fact("10.20.1.10", "udp/389", OUTCOME_PROHIBITED, 4),
        fact("10.20.1.10", "tcp/88", OUTCOME_ESTABLISHED, 2),
    };
    char first[sizeof(s->sentence)];

    prohibit(&facts[0], "10.20.0.254", 13);
    prohibit(&facts[1], "10.20.2.10", 10);
    for (unsigned i = 0; i < 3; i++)
        tell(&facts[i]);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    memcpy(first, s[0].sentence, sizeof(first));
    says(&s[0], "[strong] ICMP \"communication administratively prohibited\""); /* what stands between weighs more than the server's own */
    says(&s[0], "[medium] ICMP \"host administratively prohibited\" (type 3 code 10) from dc1 (10.20.2.10)");
    tear_down();
    set_up();
    for (unsigned i = 3; i-- > 0;)
        tell(&facts[i]);
    ck_assert_uint_eq(finish(&whole, &s), 2);
    ck_assert_str_eq(s[0].sentence, first);
}
END_TEST

Suite *suite_policy_separate(void);

Suite *suite_policy_separate(void)
{
    Suite *s = suite_create("policy: separation");
    TCase *t = tcase_create("evidence");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_filter_that_tells_of_itself_is_strong);
    tcase_add_test(t, a_host_that_spoke_from_two_addresses_is_told_with_both);
    tcase_add_test(t, the_first_evidence_is_the_earliest_of_what_is_counted);
    tcase_add_test(t, a_filter_that_lets_a_handshake_pass_is_one);
    tcase_add_test(t, a_filter_of_one_of_the_two_is_medium);
    tcase_add_test(t, other_errors_are_no_filter);
    tcase_add_test(t, only_pairs_that_the_document_names_count);
    tcase_add_loop_test(t, a_reset_of_another_sender_is_strong, 0, sizeof(resets) / sizeof(resets[0]));
    tcase_add_test(t, a_reset_like_other_conversations_of_its_sender_is_its_own);
    tcase_add_test(t, a_side_with_ttls_of_two_beginnings_passed_no_known_routers);
    tcase_add_test(t, silence_on_some_ports_is_medium);
    tcase_add_test(t, answers_that_do_not_arrive_are_medium);
    tcase_add_test(t, silence_proves_nothing_where_packets_are_lost);
    tcase_add_test(t, what_is_no_silence);
    tcase_add_test(t, a_router_alone_is_a_notice);
    tcase_add_loop_test(t, all_ttls_of_a_host_are_told, 0, sizeof(more_ttls) / sizeof(more_ttls[0]));
    tcase_add_test(t, unlikely_ttls_say_nothing);
    tcase_add_test(t, the_order_of_facts_does_not_matter);
    suite_add_tcase(s, t);
    return s;
}
