/* SPDX-License-Identifier: Apache-2.0 */
/* Expected flows: what is expected of whom, and what may be concluded from what was seen and from silence. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy_help.h"

#define SECOND INT64_C(1000000000)

#define MATRIX \
    "matrix: m\n" \
    "roles: {a: {governed: true}, b: {}, c: {}}\n" \
    "options: {o: {default: off}}\n" \
    "parameters: {p: {ports: []}}\n" \
    "sections:\n" \
    "  - heading: S\n" \
    "    rows:\n" \
    "      - {id: web, from: a, to: b, ports: [tcp/80, udp/80], service: web, expect: required, protocols: HTTP}\n" \
    "      - {id: mail, from: a, to: b, ports: tcp/25, service: mail, expect: on-demand}\n" \
    "      - {id: off, from: a, to: b, ports: tcp/9, when: {o: on}, service: off, expect: required}\n" \
    "      - {id: unlisted, from: a, to: b, ports: \"tcp/{p}\", service: list, expect: required}\n" \
    "      - {id: notify, from: b, to: a, ports: udp/5, one_way: udp/5, service: notes, expect: required}\n" \
    "      - {id: pair, from: b, to: b, other: another, ports: tcp/7, service: pair, expect: required}\n" \
    "      - {id: nobody, from: a, to: c, ports: tcp/8, service: none, expect: required}\n"
#define SITE \
    "site: t\nmatrix: m\nwithin: 60s\n" \
    "hosts:\n" \
    "  a1: {addresses: [10.0.0.1], roles: [a]}\n" \
    "  b1: {addresses: [10.0.0.2], roles: [b]}\n" \
    "  b2: {addresses: [10.0.0.3], roles: [b]}\n"

struct scene {
    struct bed               bed;
    struct expector         *x;
    struct coverage          coverage;
    const struct expectation *results;
    size_t                   n;
};

static struct scene open_scene(const char *site)
{
    struct scene s = {.bed = bed_of_texts(MATRIX, site)};

    ck_assert_int_eq(expector_new(s.bed.policy, &s.x, NULL), 0);
    s.coverage = (struct coverage){.first_ns = SECOND, .last_ns = 101 * SECOND, .packets = 1000, .bytes = 1000000};
    return s;
}

static void close_scene(struct scene *s)
{
    expector_free(s->x);
    policy_bed_close(&s->bed);
}

static void alive(struct scene *s, const char *host, uint64_t sent, uint64_t received)
{
    struct policy_query q = policy_query_of(&s->bed, host, host, "tcp/1", NULL);
    struct expect_host  h = {.addr = q.tuple.client, .first_ns = 0, .last_ns = 8000 * SECOND, .sent = sent, .received = received};

    expector_host(s->x, &h);
}

static void tried(struct scene *s, const char *client, const char *server, const char *service, const char *app, enum outcome outcome)
{
    struct expect_fact f = {.query = policy_query_of(&s->bed, client, server, service, app), .outcome = outcome, .first_ns = 9 * SECOND, .flows = 2};

    if (outcome == OUTCOME_PROHIBITED) {
        f.icmp = (struct flow_icmp){.n_errors = 1, .type = 3, .code = 13};
        ck_assert_int_eq(addr_parse("10.9.9.9", &f.icmp.sender), 0);
    }
    expector_conversation(s->x, &f);
}

static const struct expectation *result(struct scene *s, const char *row, const char *client, const char *server)
{
    ck_assert_int_eq(expector_finish(s->x, &s->coverage, &s->results, &s->n, NULL), 0);
    for (size_t i = 0; i < s->n; i++) {
        const struct expectation *e = &s->results[i];

        if (strcmp(policy_row_id(&s->bed, e->row), row) == 0 && strcmp(policy_host_name(s->bed.policy, e->client_host), client) == 0 &&
            (server == NULL || strcmp(policy_host_name(s->bed.policy, e->server_host), server) == 0))
            return e;
    }
    return NULL;
}

static const char *outcome(struct scene *s, const char *row, const char *client)
{
    const struct expectation *e = result(s, row, client, NULL);

    return e != NULL ? expectation_outcome_name(e->outcome) : "none";
}

START_TEST(what_is_expected)
{
    struct scene s = open_scene(SITE);

    result(&s, "web", "a1", NULL);
    ck_assert_uint_eq(s.n, 5);
    static const char *const rows[] = {"web", "notify", "notify", "pair", "pair"}, *const clients[] = {"a1", "b1", "b2", "b1", "b2"};
    for (size_t i = 0; i < s.n; i++) {
        ck_assert_str_eq(policy_row_id(&s.bed, s.results[i].row), rows[i]);
        ck_assert_str_eq(policy_host_name(s.bed.policy, s.results[i].client_host), clients[i]);
        ck_assert_int_eq(s.results[i].within_ns, 60 * SECOND);
    }
    close_scene(&s);
}
END_TEST

START_TEST(the_site_decides_otherwise)
{
    struct scene s = open_scene(SITE "expect:\n  web: {within: 2h, servers: every}\n  mail: required\n  pair: on-demand\n");

    ck_assert_ptr_nonnull(result(&s, "web", "a1", "b1"));
    ck_assert_ptr_nonnull(result(&s, "web", "a1", "b2"));
    ck_assert_int_eq(result(&s, "web", "a1", "b2")->within_ns, 7200 * SECOND);
    ck_assert_ptr_nonnull(result(&s, "mail", "a1", NULL));
    ck_assert_ptr_null(result(&s, "pair", "b1", NULL));
    ck_assert_uint_eq(s.n, 5);
    s.coverage.last_ns = 8000 * SECOND;
    alive(&s, "a1", 5, 5);
    tried(&s, "a1", "b2", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    ck_assert_int_eq(result(&s, "web", "a1", "b2")->outcome, EXPECT_SEEN);
    ck_assert_int_eq(result(&s, "web", "a1", "b1")->outcome, EXPECT_NEVER_ATTEMPTED);
    close_scene(&s);
}
END_TEST

static const struct {
    enum outcome outcome;
    const char  *word;
} attempts[] = {
    {OUTCOME_ESTABLISHED, "seen"},   {OUTCOME_REFUSED, "refused"}, {OUTCOME_PROHIBITED, "prohibited"},
    {OUTCOME_UNANSWERED, "not-covered"}, {OUTCOME_ONE_WAY, "one-way"},
};

/* What was tried and failed is told however little else is known; but where packets are lost, an answer may be among them. */
START_TEST(an_attempt)
{
    struct scene s = open_scene(SITE);

    s.coverage.lost = 7;
    tried(&s, "a1", "b2", "udp/80", NULL, attempts[_i].outcome);
    ck_assert_str_eq(outcome(&s, "web", "a1"), attempts[_i].word);
    const struct expectation *e = result(&s, "web", "a1", "b2");
    ck_assert_uint_eq(e->attempts, 2);
    ck_assert_int_eq(e->first_ns, 9 * SECOND);
    close_scene(&s);
}
END_TEST

/* Packets lost of a thousand, bytes that are missing of a million, packets that would have been answered, a second apart: may all answers be lost? */
static const struct {
    uint64_t lost, unseen;
    uint32_t n;
    bool     hidden;
} losses[] = {
    {0, 0, 1, false}, {0, 1000, 1, false}, {0, 1100, 1, true}, {1, 0, 1, true}, {1, 0, 0, true}, {1, 0, 2, false}, {50, 0, 2, true}, {50, 0, 3, false},
    {0, 200000, 3, true}, {0, 200000, 4, false}, {100000, 0, 100, true},
};

/* So little is missing that the silence counts, and that is said. */
START_TEST(what_little_is_missing_is_told_beside_a_silence)
{
    struct scene s = open_scene(SITE);

    s.coverage.bytes = 1000000;
    s.coverage.unseen_bytes = 1000;
    s.coverage.last_ns = 8000 * SECOND;
    alive(&s, "b2", 5, 5);
    tried(&s, "a1", "b2", "udp/80", NULL, OUTCOME_UNANSWERED);
    const struct expectation *e = result(&s, "web", "a1", "b2");
    ck_assert_int_eq(e->outcome, EXPECT_UNANSWERED);
    ck_assert_msg(strstr(e->reason, ": no answer was seen (1000 bytes of TCP data, an end of a connection counted as one, were acknowledged and not captured), and nothing was asked again, ") != NULL, "%s", e->reason);
    ck_assert_ptr_nonnull(strstr(e->reason, " does not see, though b2 sent 5 "));
    s.coverage.unseen_bytes = 1001;
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    close_scene(&s);
}
END_TEST

/* Who has no answer to a datagram asks again; where nobody did, the answers may have come another way. */
static const struct {
    const char *service;
    uint32_t    asked;
    bool        weak;
} questions[] = {{"udp/80", 1, true}, {"udp/80", 2, false}, {"tcp/80", 1, false}};

START_TEST(what_nobody_asked_twice_counts_less)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b2", questions[_i].service, NULL), .outcome = OUTCOME_UNANSWERED, .first_ns = 9 * SECOND, .flows = 2,
                            .asked = questions[_i].asked};

    expector_conversation(s.x, &f);
    const struct expectation *e = result(&s, "web", "a1", "b2");
    ck_assert_int_eq(e->outcome, EXPECT_UNANSWERED);
    ck_assert_int_eq(e->weak, questions[_i].weak);
    ck_assert_int_eq(strstr(e->reason, "nothing was asked again") != NULL, questions[_i].weak);
    close_scene(&s);
}
END_TEST

/* An error that the snap length cut before the ports that it quotes may be about the attempt. */
START_TEST(what_was_cut_is_told_beside_one_way)
{
    struct scene s = open_scene(SITE);

    tried(&s, "a1", "b2", "udp/80", NULL, OUTCOME_ONE_WAY);
    const struct expectation *e = result(&s, "web", "a1", "b2");
    ck_assert_msg(strstr(e->reason, ": only one direction was captured, so whether they worked cannot be told. ") != NULL, "%s", e->reason);
    s.coverage.cut = 3;
    s.coverage.cut_told = 2; /* to others */
    e = result(&s, "web", "a1", "b2");
    ck_assert_int_eq(e->outcome, EXPECT_ONE_WAY);
    ck_assert_msg(strstr(e->reason, " cannot be told (1 packet was cut before the ports, of an ICMP error those that it quotes, and may be an answer). ") != NULL, "%s", e->reason);
    close_scene(&s);
}
END_TEST

START_TEST(loss_hides_few_answers)
{
    struct coverage c = {.packets = 1000, .bytes = 1000000, .lost = losses[_i].lost, .unseen_bytes = losses[_i].unseen};

    ck_assert(coverage_may_hide(&c, losses[_i].n) == losses[_i].hidden);
}
END_TEST

/* RSTs in its name alone are no sign of a host. */
START_TEST(a_host_of_which_there_are_only_resets_was_not_seen)
{
    struct scene        s = open_scene(SITE);
    struct policy_query q = policy_query_of(&s.bed, "a1", "a1", "tcp/1", NULL);

    s.coverage.last_ns = 8000 * SECOND;
    expector_host(s.x, &(struct expect_host){.addr = q.tuple.client, .received = 3, .resets = 2});
    const struct expectation *e = result(&s, "web", "a1", NULL);
    ck_assert_int_eq(e->outcome, EXPECT_NOT_COVERED);
    ck_assert_msg(strstr(e->reason, ": no TCP or UDP packet of a1 was seen but RSTs, which others may have sent in its name.") != NULL, "%s", e->reason);
    close_scene(&s);
}
END_TEST

START_TEST(one_server_is_enough)
{
    struct scene s = open_scene(SITE);

    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_REFUSED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "refused");
    tried(&s, "a1", "b2", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "seen");
    ck_assert_str_eq(policy_host_name(s.bed.policy, result(&s, "web", "a1", NULL)->server_host), "b2");
    close_scene(&s);
}
END_TEST

START_TEST(one_way_is_enough_where_nothing_answers)
{
    struct scene s = open_scene(SITE);

    tried(&s, "b1", "a1", "udp/5", NULL, OUTCOME_ONE_WAY);
    ck_assert_str_eq(outcome(&s, "notify", "b1"), "seen");
    close_scene(&s);
}
END_TEST

/* An error that came late may be the end of it: neither is it seen, nor refused. */
/* What went one way is told as that: nothing shows that it was let in, and where packets are missing not even that nothing refused it. */
START_TEST(one_way_is_told)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "b1", "a1", "udp/5", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {2, 0}, .first_ns = 9 * SECOND, .flows = 1};

    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "notify", "b1"), "seen");
    ck_assert_str_eq(result(&s, "notify", "b1", NULL)->reason,
                     "Of the ports of row notify (notes, \"S\"), UDP 5, b1 (10.0.0.2) sent to UDP 5 of a1 (10.0.0.1), where no answer is due.");
    s.coverage.lost = 1;
    ck_assert_str_eq(result(&s, "notify", "b1", NULL)->reason,
                     "Of the ports of row notify (notes, \"S\"), UDP 5, b1 (10.0.0.2) sent to UDP 5 of a1 (10.0.0.1), where no answer is due, and an error that refused it may be among "
                     "the packets that are known to be missing.");
    f.outcome = OUTCOME_ESTABLISHED;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(result(&s, "notify", "b1", NULL)->reason,
                     "Of the ports of row notify (notes, \"S\"), UDP 5, b1 (10.0.0.2) used UDP 5 of a1 (10.0.0.1).");
    close_scene(&s);
}
END_TEST

START_TEST(one_way_that_an_error_met_late_is_not_enough)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "b1", "a1", "udp/5", NULL), .outcome = OUTCOME_ONE_WAY, .first_ns = 9 * SECOND, .flows = 1, .packets = {133, 0},
                            .stopped_late = 1, .may_be_stopped = true};

    expector_conversation(s.x, &f);
    const struct expectation *e = result(&s, "notify", "b1", NULL);
    ck_assert_int_eq(e->outcome, EXPECT_ONE_WAY);
    ck_assert_msg(strstr(e->reason, ": an ICMP error came when packets of b1 had gone there for a while, which may be the end of it, so whether it worked cannot be told. ") != NULL, "%s", e->reason);
    f.flows = 2;
    f.may_be_stopped = false;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "notify", "b1"), "seen");
    close_scene(&s);
}
END_TEST

START_TEST(what_does_not_count)
{
    struct scene s = open_scene(SITE);

    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    tried(&s, "a1", "b1", "tcp/80", "SSH", OUTCOME_ESTABLISHED);
    tried(&s, "a1", "b1", "tcp/25", NULL, OUTCOME_ESTABLISHED);
    tried(&s, "b1", "a1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    close_scene(&s);
}
END_TEST

START_TEST(an_unknown_direction_is_turned)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "b1", "a1", "tcp/40000", NULL), .outcome = OUTCOME_ESTABLISHED, .flows = 1};

    f.query.tuple.client_port = 80;
    f.query.direction_known = false;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "seen");
    close_scene(&s);
}
END_TEST

static const struct stretch short_ones[] = {{0, 25 * SECOND}, {200 * SECOND, 230 * SECOND}}, long_ones[] = {{0, 60 * SECOND}, {200 * SECOND, 230 * SECOND}};

static const struct {
    uint64_t        sent, received;
    struct coverage coverage;
    const char     *word, *reason;
} silences[] = {
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in the 60 s of its "
     "presence, though it sent 10 TCP and UDP packets and no loss is known. The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 100, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in the 60 s of its "
     "presence, though it sent 10 TCP and UDP packets and no loss is known but that 100 bytes of TCP data, an end of a connection counted as one, were acknowledged and not captured. The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 1, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 2, 0, false}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in the 60 s of its "
     "presence, though it sent 10 TCP and UDP packets and no loss is known but that 1 byte of TCP data, an end of a connection counted as one, was acknowledged and not captured, and 2 ICMP errors quote packets that are not in the capture before them. The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 1, 0, false}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in the 60 s of its "
     "presence, though it sent 10 TCP and UDP packets and no loss is known but that 1 ICMP error quotes a packet that is not in the capture before it. The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {10, 10, {0, 61 * SECOND, 9, 100000, 0, 0, 3, false, 0, NULL, 0, 20, 1, 0, false, false, 0, 0, 0, 0, false}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in the 61 s of its "
     "presence, though it sent 10 TCP and UDP packets and no loss is known but that 1 of 20 TCP sessions of hosts of the site has one direction only in the capture, and 3 bytes of TCP "
     "data, an end of a connection counted as one, were acknowledged and not captured. "
     "The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
    {10, 10, {0, 400 * 1000000, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the observation lasts 0.4 s, and the flow has 60 s to happen."},
    {10, 10, {0, 3 * 1000000, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the observation lasts 3 ms, and the flow has 60 s to happen."},
    {0, 0, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: no TCP or UDP packet of a1 was seen."},
    {0, 0, {0, 61 * SECOND, 9, 100000, 0, 0, 0, false, 3, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: no TCP or UDP packet of a1 is among those that could be judged; 3 packets could not."},
    {0, 9, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: TCP or UDP packets to a1 were captured and none from it, so its attempts could not have been seen."},
    {10, 10, {0, 60 * SECOND - 1, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the observation lasts 59.9 s, and the flow has 60 s to happen."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 1, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: 1 packet is known to be lost."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 3, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the filter took 3 packets out."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 101, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: acknowledgements show that 101 bytes of TCP data (an end of a connection counted as one) passed which were not captured."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, true, 0, NULL, 0, 0, 0, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: an input could not be read to its end."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 39, 2, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: 2 of 39 TCP sessions of hosts of the site have one direction only in the capture."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 9, 1, 0, false, false, 0, 1, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: 1 of 9 TCP sessions of hosts of the site has one direction only in the capture, and 1 TCP flow of hosts of the site has nothing but a RST in it."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 0, NULL, 0, 0, 0, 0, false, false, 0, 2, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: 2 TCP flows of hosts of the site have nothing but a RST in the capture."},
    {10, 10, {0, 60 * SECOND, 9, 100000, 0, 0, 0, false, 2, NULL, 0, 20, 1, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: 2 packets could not be judged."},
    {10, 10, {0, 230 * SECOND, 9, 100000, 0, 0, 0, false, 0, short_ones, 2, 20, 1, 0, false, false, 0, 0, 0, 0, false}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the observation lasts 30 s without a hole, and the flow has 60 s to happen."},
    {10, 10, {0, 230 * SECOND, 9, 100000, 0, 0, 0, false, 0, short_ones, 2, 20, 1, 0, false, false, 0, 0, 0, 0, true}, "not-covered",
     "No web (TCP and UDP 80) from a1 (10.0.0.1) to b1 (10.0.0.2) or b2 (10.0.0.3) was seen (row web, \"S\"), which proves "
     "nothing: the observation lasts 30 s without a hole, and the flow has 60 s to happen; no packet of anyone is in the capture in holes of "
     "175 s in all, so that it is not shown to have run then."},
    {10, 10, {0, 230 * SECOND, 9, 100000, 0, 0, 0, false, 0, long_ones, 2, 20, 1, 0, false, false, 0, 0, 0, 0, true}, "never-attempted",
     "a1 (10.0.0.1) was not seen to try web (TCP and UDP 80) to b1 (10.0.0.2) or b2 (10.0.0.3) in 60 s of its "
     "presence that are without a hole, though it sent 10 TCP and UDP packets and no loss is known but that 1 of 20 TCP sessions of hosts of the site has one direction only in the "
     "capture, and no packet of anyone is in the capture in holes of 140 s in all, so that it is not shown to have run then. "
     "The document requires this flow (row web, \"S\"). "
     "Look at whether a1 is set up to use it, and, as no TCP or UDP packet between these hosts is in the capture in that "
     "time, at whether such packets pass the point of capture; where it need not be seen, say so in the site file."},
};

START_TEST(silence)
{
    struct scene s = open_scene(SITE);

    s.coverage = silences[_i].coverage;
    alive(&s, "a1", silences[_i].sent, silences[_i].received);
    ck_assert_str_eq(outcome(&s, "web", "a1"), silences[_i].word);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason, silences[_i].reason);
    close_scene(&s);
}
END_TEST

/* A capture that has packets twice counts them twice, and says so. */
START_TEST(copies_are_told)
{
    struct scene       s = open_scene(SITE);
    struct expect_host h = {.addr = policy_query_of(&s.bed, "a1", "b1", "tcp/1", NULL).tuple.client, .last_ns = 8000 * SECOND, .sent = 10, .received = 10, .copies = true};

    expector_host(s.x, &h);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "though it sent 10 TCP and UDP packets, copies counted, and no loss is known. "));
    h.addr = policy_query_of(&s.bed, "a1", "b1", "tcp/1", NULL).tuple.server;
    expector_host(s.x, &h);
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_UNANSWERED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "unanswered");
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, ": no answer was seen, though b1 sent 10 TCP and UDP packets, copies counted, in this capture. "));
    close_scene(&s);

    s = open_scene(SITE);
    h.addr = policy_query_of(&s.bed, "a1", "b1", "tcp/1", NULL).tuple.client;
    h.sent_to_groups = 10;
    expector_host(s.x, &h);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 "though it sent 10 TCP and UDP packets, copies counted, all of them broadcasts or multicasts, and no loss is known. "));
    close_scene(&s);
}
END_TEST

/* Refusals alone were captured. */
START_TEST(only_the_servers_packets)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_REFUSED, .packets = {0, 3}, .first_ns = 7 * SECOND, .flows = 3};

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 3 flows (of all of them only the server's packets were captured)"));
    f.packets[0] = 1;
    f.flows = 1;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 4 flows (of 3 of them only the server's packets were captured)"));
    close_scene(&s);
}
END_TEST

/* What was denied after a while says how far it had gone, or how many of several attempts had gone on. */
START_TEST(denied_after_a_while)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "udp/80", NULL), .outcome = OUTCOME_REFUSED, .packets = {433, 0}, .first_ns = 7 * SECOND, .flows = 1,
                            .icmp = {.n_errors = 12, .type = 3, .code = 3, .n_before = 131, .n_late = 1, .about_client_packet = true, .from_server = true}};

    f.icmp.sender = f.query.tuple.server;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 1 flow: answered by ICMP \"port unreachable\" (type 3 code 3) from b1 (10.0.0.2) (12 errors, the first when 131 of its 433 packets had gone "
                                 "there, without an answer). The document requires"));
    s.coverage.unseen_bytes = 3; /* an answer may be among what is missing */
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " without an answer), though packets passed that were not captured. The document requires"));
    s.coverage.unseen_bytes = 0;
    f.flows = 2;
    f.icmp.n_late = 1;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 3 flows: answered by ICMP \"port unreachable\" (type 3 code 3) from b1 (10.0.0.2), 2 of these 3 only when packets had gone there, without an "
                                 "answer. The document requires"));
    close_scene(&s);

    s = open_scene(SITE);
    f = (struct expect_fact){.query = f.query, .outcome = OUTCOME_PROHIBITED, .packets = {9, 0}, .first_ns = 7 * SECOND, .flows = 1, .errors_differ = true,
                             .icmp = {.n_errors = 2, .type = 3, .code = 13, .n_before = 4, .n_late = 1, .about_client_packet = true}};
    ck_assert_int_eq(addr_parse("10.9.9.9", &f.icmp.sender), 0);
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " from 10.9.9.9 (one of 2 errors, when 4 of its 9 packets had gone there, without an answer). The document requires"));
    close_scene(&s);

    s = open_scene(SITE);
    f = (struct expect_fact){.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_REFUSED, .packets = {2, 2}, .first_ns = 7 * SECOND, .flows = 1,
                             .after_syn_ack = true};
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 1 flow: refused by a RST with the server's address, after a SYN, ACK. The document requires"));
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " Look at what resets connections after a SYN, ACK: a limit or an access list of the service itself, or a filter."));
    ck_assert_ptr_null(strstr(result(&s, "web", "a1", NULL)->reason, "whether the service runs"));
    f.flows = 2;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " with the server's address, after a SYN, ACK in one at least. The document requires"));
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " after a SYN, ACK: a limit or an access list of the service itself, or a filter. Look at whether the service runs there."));
    close_scene(&s);
}
END_TEST

/* Whom a title names where several would do, or were tried: NULL where it is the one. */
START_TEST(several_servers_are_named)
{
    static const char *const third = "  b3: {addresses: [10.0.0.4], roles: [b]}\n";
    char                     buf[200], site[1000];
    struct scene             s = open_scene(SITE);

    s.coverage.last_ns = 8000 * SECOND;
    alive(&s, "a1", 5, 5);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    ck_assert_str_eq(policy_expectation_servers(s.bed.policy, result(&s, "web", "a1", NULL), buf, sizeof(buf)), "b1 (10.0.0.2) or b2 (10.0.0.3)");
    ck_assert_ptr_null(policy_expectation_servers(s.bed.policy, result(&s, "pair", "b1", NULL), buf, sizeof(buf))); /* b1 itself is none */
    tried(&s, "a1", "b2", "tcp/80", NULL, OUTCOME_REFUSED);
    ck_assert_ptr_null(policy_expectation_servers(s.bed.policy, result(&s, "web", "a1", NULL), buf, sizeof(buf)));
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_REFUSED);
    ck_assert_str_eq(policy_expectation_servers(s.bed.policy, result(&s, "web", "a1", NULL), buf, sizeof(buf)), "b1 (10.0.0.2) or b2 (10.0.0.3)");
    close_scene(&s);

    snprintf(site, sizeof(site), "%s%s", SITE, third);
    s = open_scene(site);
    ck_assert_str_eq(policy_expectation_servers(s.bed.policy, result(&s, "web", "a1", NULL), buf, sizeof(buf)), "b1 (10.0.0.2) or 2 more");
    close_scene(&s);

    s = open_scene(SITE "expect:\n  web: {servers: every}\n");
    ck_assert_ptr_null(policy_expectation_servers(s.bed.policy, result(&s, "web", "a1", "b2"), buf, sizeof(buf)));
    close_scene(&s);
}
END_TEST

/* b1 goes on with a connection of which nothing of a1 is in the capture: no attempt, and no failure beside it. */
START_TEST(a_connection_that_goes_on)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {0, 5}, .one_sided = true,
                            .running = 1, .first_ns = 7 * SECOND, .flows = 1};

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "one-way");
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->attempts, 0);
    ck_assert_int_eq(result(&s, "web", "a1", NULL)->first_ns, 0); /* no attempt */
    ck_assert_str_eq(policy_host_name(s.bed.policy, result(&s, "web", "a1", NULL)->server_host), "b1");
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "A connection of a1 (10.0.0.1) to TCP 80 of b1 (10.0.0.2) is there, for the latter goes on with it, but nothing of a1 in it was captured. The "
                     "document requires this flow (row web, \"S\"). Look at where the capture was taken.");
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_REFUSED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "one-way");
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->attempts, 2);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in it was captured; besides, 2 attempts were not seen to get through. The document"));
    tried(&s, "a1", "b1", "tcp/80", "HTTP", OUTCOME_ESTABLISHED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "seen");
    close_scene(&s);
}
END_TEST

/* What shows such a connection is a packet of it, not that of an attempt beside it; of several the earliest. */
START_TEST(the_packet_that_shows_a_connection)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact answer = {.query = policy_query_of(&s.bed, "a1", "b1", "udp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {0, 1}, .first_ns = 6 * SECOND,
                                 .first_packet = 61, .flows = 1};
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {0, 5}, .one_sided = true, .running = 1,
                            .goes_on = {8 * SECOND, 75, 1}, .first_ns = 7 * SECOND, .first_packet = 70, .flows = 2};

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &answer);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->first_packet, 61);
    ck_assert(result(&s, "web", "a1", NULL)->first_is_sign);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.packet, 0);
    expector_conversation(s.x, &f);
    f.goes_on = (struct packet_place){9 * SECOND, 90, 0};
    expector_conversation(s.x, &f);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.packet, 75);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.input, 1);
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.packet, 0);
    close_scene(&s);
}
END_TEST

/* No packet of an attempt was captured, and an error quotes it. */
START_TEST(attempts_that_errors_tell_of)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_PROHIBITED, .quoted = true, .flows = 1, .first_ns = 7 * SECOND,
                            .first_packet = 309, .icmp = {.n_errors = 3, .type = 3, .code = 13, .about_client_packet = true}};

    ck_assert_int_eq(addr_parse("10.9.9.9", &f.icmp.sender), 0);
    alive(&s, "a1", 0, 10); /* nothing else of it is in the capture */
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "prohibited");
    ck_assert(result(&s, "web", "a1", NULL)->first_is_sign);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "a1 (10.0.0.1) tried web on TCP 80 (of TCP and UDP 80) to b1 (10.0.0.2) in 1 flow (known from 3 ICMP errors alone, which quote it: no packet of it was "
                     "captured): answered by ICMP \"communication administratively prohibited\" (type 3 code 13) from 10.9.9.9. The document requires this flow (row web, "
                     "\"S\"). Look at what 10.9.9.9 filters.");
    f.quoted = false;
    f.packets[0] = 1;
    f.first_ns = 6 * SECOND;
    expector_conversation(s.x, &f);
    ck_assert(!result(&s, "web", "a1", NULL)->first_is_sign);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 2 flows (1 of them known from 3 ICMP errors alone, which quote it: no packet of it was captured): "));
    close_scene(&s);
}
END_TEST

/* The server answered, and the client asked again. */
START_TEST(answers_that_do_not_arrive)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .packets = {3, 2}, .first_ns = 7 * SECOND, .outcome = OUTCOME_UNANSWERED, .flows = 1,
                            .undelivered = 1, .resent_syns = 2};

    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    expector_conversation(s.x, &f);
    const struct expectation *e = result(&s, "web", "a1", NULL);
    ck_assert_int_eq(e->outcome, EXPECT_UNANSWERED);
    ck_assert_ptr_nonnull(strstr(e->reason, " in 1 flow: it was answered (SYN, ACK), but a1 sent its SYN again after that, 2 times, so that the answer did not reach it. The document"));
    ck_assert_ptr_nonnull(strstr(e->reason, "Look at what drops answers on the way to a1, "));
    close_scene(&s);

    s = open_scene(SITE);
    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    f.flows = 3;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 3 flows: no answer was seen but to 1 of them (SYN, ACK), and a1 sent its SYN again after that, 2 times, so that the answer did not reach it, though"));
    close_scene(&s);
}
END_TEST

/* What answered that it is open, and was reset by the client, met the row, and was not used; beside real connections it is as they are. */
START_TEST(connections_that_their_client_resets_at_once)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_ESTABLISHED, .packets = {1, 1}, .first_ns = 7 * SECOND,
                            .first_packet = 15, .flows = 1, .probes = 1, .synless = 1};

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "seen");
    ck_assert(result(&s, "web", "a1", NULL)->seen_is_answer);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "Of the ports of row web (web, \"S\"), TCP and UDP 80, this one answered a1 (10.0.0.1) that it is open (SYN, ACK), and a1 reset the connection, so that no "
                     "connection was used: TCP 80 of b1 (10.0.0.2).");
    f = (struct expect_fact){.query = policy_query_of(&s.bed, "a1", "b2", "tcp/80", NULL), .outcome = OUTCOME_ESTABLISHED, .packets = {4, 2}, .first_ns = 6 * SECOND,
                             .first_packet = 12, .flows = 2, .probes = 2};
    expector_conversation(s.x, &f);
    ck_assert(!result(&s, "web", "a1", NULL)->seen_is_answer);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "Of the ports of row web (web, \"S\"), TCP and UDP 80, these answered a1 (10.0.0.1) that they are open (SYN, ACK), and a1 reset each connection, so that no "
                     "connection was used: TCP 80 of b1 (10.0.0.2); TCP 80 of b2 (10.0.0.3).");
    f.flows = 3;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "Of the ports of row web (web, \"S\"), TCP and UDP 80, a1 (10.0.0.1) used TCP 80 of b1 (10.0.0.2); TCP 80 of b2 (10.0.0.3).");
    close_scene(&s);
}
END_TEST

/* The end of an older connection is no attempt, and counts as none beside attempts. */
START_TEST(the_end_of_an_older_connection)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {1, 1}, .first_ns = 7 * SECOND,
                            .first_packet = 5, .flows = 1, .ended = 1, .ended_by_server = 1};

    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "one-way");
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->attempts, 0);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.packet, 5);
    ck_assert_str_eq(policy_host_name(s.bed.policy, result(&s, "web", "a1", NULL)->server_host), "b1");
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "No attempt of a1 (10.0.0.1) at TCP 80 of b1 (10.0.0.2) was seen, only a segment of a connection that began before the capture, and b1's RST to it, so "
                     "whether it ever worked cannot be told. The document requires this flow (row web, \"S\").");
    f.ended_by_server = 0;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "segments of 2 connections that began before the capture, and a RST to each (1 of the server, 1 of the client), "
                                                                       "so whether they ever worked"));
    f.ended_by_nobody = 1;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "segments of 3 connections that began before the capture, and a RST to 2 of them (1 of the server, 1 of the client), "
                                                                       "so whether they ever worked"));
    tried(&s, "a1", "b2", "tcp/80", NULL, OUTCOME_UNANSWERED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "unanswered");
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->attempts, 2);
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->goes_on.packet, 0);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "a1 (10.0.0.1) tried web on TCP 80 (of TCP and UDP 80) to b2 (10.0.0.3) in 2 flows: "));
    close_scene(&s);
}
END_TEST

/* Attempts that ended in several ways: each with its number, which add up, and with its first packet. */
START_TEST(attempts_of_several_kinds)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .packets = {3, 0}, .first_ns = 7 * SECOND};

    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    f.outcome = OUTCOME_ONE_WAY;
    f.flows = 6;
    f.unfinished = 1;
    f.withdrawn = 2;
    f.first_packet = 5;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 6 flows: 1 of them: the server's answer (SYN, ACK) is in the capture, and nothing more of a1, so whether it worked cannot be told; 2 of them: "
                                 "a1 took each back with a RST before an answer was due, so whether it works cannot be told; 3 of them: only one direction was captured, so "
                                 "whether they worked cannot be told. The document"));
    f.unfinished = f.withdrawn = 0;
    f.outcome = OUTCOME_UNANSWERED;
    f.flows = 2;
    f.first_ns = 8 * SECOND;
    f.first_packet = 9;
    f.input = 1;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 8 flows; 2 of them (first: packet 9 of input 2): no answer was seen, though b1 "
                                                                       "sent"));
    f.outcome = OUTCOME_REFUSED;
    f.flows = 4;
    f.first_packet = 11;
    f.input = 0;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 12 flows; 4 of them (first: packet 11): refused by a RST with the server's address; 2 of them (first: packet 9 of input 2): no answer was "
                                 "seen; 1 of them: the server's answer"));
    f.outcome = OUTCOME_PROHIBITED;
    f.flows = 1;
    f.first_packet = 12;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 13 flows; 1 of them (first: packet 12): refused by a RST that is not like the server's packets; 4 of them (first: packet 11): refused by a RST "
                                 "with the server's address; 2 of them"));
    close_scene(&s);
}
END_TEST

/* Who was answered meanwhile: by every server that was tried, and of each port how many. */
START_TEST(all_that_were_answered_are_named)
{
    struct scene s = open_scene(SITE "  a2: {addresses: [10.0.0.7], roles: [a]}\n  a3: {addresses: [10.0.0.8], roles: [a]}\n");

    /* connections without their beginning, of which one side each is in the capture; of one more a RST alone */
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a2", "b2", "tcp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {3, 5}, .running = 1, .adrift = 1, .went_on = 1, .flows = 4};

    alive(&s, "a1", 10, 10);
    alive(&s, "b1", 10, 10);
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_UNANSWERED);
    tried(&s, "a1", "b2", "tcp/80", NULL, OUTCOME_UNANSWERED);
    tried(&s, "a2", "b1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    tried(&s, "a3", "b1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    f.query.direction_known = false;
    expector_conversation(s.x, &f);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason,
                                 " in 4 flows: no answer was seen, while b1 (10.0.0.2) answered a2 (10.0.0.7) and 1 other on TCP 80 4 times, and b2 (10.0.0.3) answered a2 "
                                 "(10.0.0.7) on TCP 80 3 times. The document requires this flow (row web, \"S\"). Look at what drops packets between a1 and b1 or b2: an "
                                 "access list on them, or a filter on the way."));
    tried(&s, "a1", "b1", "udp/80", NULL, OUTCOME_UNANSWERED);
    tried(&s, "a1", "b2", "udp/80", NULL, OUTCOME_UNANSWERED);
    tried(&s, "a2", "b1", "udp/80", NULL, OUTCOME_ESTABLISHED);
    tried(&s, "a2", "b2", "udp/80", NULL, OUTCOME_ESTABLISHED);
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " on UDP 80 in 2 flows, b2 (10.0.0.3) answered a2 (10.0.0.7) on TCP 80 3 times, among other answers. "));
    close_scene(&s);
}
END_TEST

/* a1 goes on with a connection of which nothing of b1 is in the capture: a bare ACK is no attempt.  Nor is one that it took back a failure. */
START_TEST(a_connection_that_its_client_goes_on_with)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {.query = policy_query_of(&s.bed, "a1", "b1", "tcp/80", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {2, 0}, .one_sided = true,
                            .adrift = 1, .first_ns = 7 * SECOND, .flows = 1};

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "one-way");
    ck_assert_uint_eq(result(&s, "web", "a1", NULL)->attempts, 0);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "A connection of a1 (10.0.0.1) to TCP 80 of b1 (10.0.0.2) is there, for a1 goes on with it, but nothing of the latter in it was captured. The "
                     "document requires this flow (row web, \"S\"). Look at where the capture was taken.");
    close_scene(&s);
    s = open_scene(SITE);
    f.adrift = 0;
    f.withdrawn = 1;
    f.one_sided = false;
    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "one-way");
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, " in 1 flow: a1 took it back with a RST before an answer was due, so whether it works cannot be told. "));
    close_scene(&s);
}
END_TEST

/* b1 speaks TCP to a1 past the SYN, and nothing of a1 to b1 is in the capture. */
START_TEST(a_way_that_the_tap_does_not_hear)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {
        .query = policy_query_of(&s.bed, "a1", "b1", "tcp/9999", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {0, 5}, .one_sided = true, .flows = 1,
    };

    alive(&s, "a1", 10, 10);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "packets of b1 to a1 were captured and none the other way"));
    f.packets[0] = 1; /* some are heard */
    f.packets[1] = 0;
    f.one_sided = false;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    close_scene(&s);
}
END_TEST

START_TEST(a_server_to_which_the_tap_hears_nothing)
{
    struct scene       s = open_scene(SITE);
    struct expect_fact f = {
        .query = policy_query_of(&s.bed, "b2", "b1", "tcp/9999", NULL), .outcome = OUTCOME_ONE_WAY, .packets = {28, 0}, .one_sided = true, .flows = 1,
    };

    alive(&s, "a1", 10, 10);
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    ck_assert_ptr_nonnull(strstr(result(&s, "web", "a1", NULL)->reason, "nothing: no TCP or UDP packet to b2 is in the capture, though it acted on some."));
    f.packets[1] = 1; /* some are heard */
    f.one_sided = false;
    expector_conversation(s.x, &f);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "never-attempted");
    close_scene(&s);
}
END_TEST

/* No answer was seen: that tells something only where it could have been. */
START_TEST(attempts_without_an_answer)
{
    struct scene s = open_scene(SITE);

    alive(&s, "a1", 10, 10);
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_UNANSWERED);
    ck_assert_str_eq(outcome(&s, "web", "a1"), "unanswered");
    s.coverage.lost = 1;
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    s.coverage.lost = 0;
    s.coverage.unseen_bytes = s.coverage.bytes;
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    s.coverage.unseen_bytes = 0;
    s.coverage.last_ns = 11 * SECOND; /* two seconds after the attempt */
    ck_assert_str_eq(outcome(&s, "web", "a1"), "not-covered");
    s.coverage.last_ns = 12 * SECOND;
    ck_assert_str_eq(outcome(&s, "web", "a1"), "unanswered");
    close_scene(&s);
}
END_TEST

START_TEST(reasons)
{
    struct scene s = open_scene(SITE);

    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_PROHIBITED);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason,
                     "a1 (10.0.0.1) tried web on TCP 80 (of TCP and UDP 80) to b1 (10.0.0.2) in 2 flows: answered by ICMP "
                     "\"communication administratively prohibited\" (type 3 code 13) from 10.9.9.9. The document "
                     "requires this flow (row web, \"S\"). Look at what 10.9.9.9 filters.");
    tried(&s, "a1", "b1", "tcp/80", "HTTP", OUTCOME_ESTABLISHED);
    ck_assert_str_eq(result(&s, "web", "a1", NULL)->reason, "Of the ports of row web (web, \"S\"), TCP and UDP 80, a1 (10.0.0.1) "
                                                            "used TCP 80 of b1 (10.0.0.2).");
    close_scene(&s);
}
END_TEST

/* The laboratory's own list of what is expected of whom: row, client and one of the servers, in any order. */
START_TEST(the_laboratory_expects_the_same)
{
    const char      *path = TEST_SOURCE_ROOT "/../shared/captures-lab/healthy.site.yaml";
    const char      *list = TEST_SOURCE_ROOT "/../shared/captures-lab/healthy.expected.json";
    struct diag_list diags = {0};
    struct site     *site = NULL;
    struct matrix   *matrix = NULL;

    if (access(path, R_OK) != 0) {
        fprintf(stderr, "skipped: the laboratory's captures are not there\n");
        return;
    }
    ck_assert_int_eq(site_load(path, &site, &diags), 0);
    ck_assert_int_eq(matrix_load(UNITY_MATRIX, &matrix, &diags), 0);
    struct policy            *p = NULL;
    struct expector          *x = NULL;
    const struct expectation *results;
    struct coverage           coverage = {0};
    size_t                    n, n_found = 0;
    ck_assert_int_eq(policy_compile(matrix, site, NULL, &p, &diags), 0);
    ck_assert_int_eq(expector_new(p, &x, NULL), 0);
    ck_assert_int_eq(expector_finish(x, &coverage, &results, &n, NULL), 0);
    ck_assert_uint_eq(n, 77);

    FILE *f = fopen(list, "r");
    char  line[512], row[128] = "";
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL && strstr(line, "\"capture\"") == NULL) {
        char client[128];

        if (sscanf(line, " \"row\": \"%127[^\"]", row) == 1 || sscanf(line, " \"client\": \"%127[^\"]", client) != 1)
            continue;
        for (size_t i = 0; i < n; i++)
            n_found += strcmp(policy_row(p, results[i].row)->id.text, row) == 0 &&
                       strcmp(policy_host_name(p, results[i].client_host), client) == 0;
    }
    fclose(f);
    ck_assert_uint_eq(n_found, 77);
    expector_free(x);
    policy_free(p);
    site_free(site);
    matrix_free(matrix);
    diag_list_clear(&diags);
}
END_TEST

/* --- windows --------------------------------------------------------------------------------------------------- */

#define MINUTE (60 * SECOND)

static void there(struct scene *s, const char *host, int64_t first_ns, int64_t last_ns, int64_t before_ns, int64_t after_ns)
{
    struct policy_query q = policy_query_of(&s->bed, host, host, "tcp/1", NULL);
    struct expect_host  h = {.addr = q.tuple.client, .first_ns = first_ns, .last_ns = last_ns, .before_ns = before_ns, .after_ns = after_ns, .sent = 7, .received = 7};

    expector_host(s->x, &h);
}

/* Closes the window that begins with this minute. */
static void close_minute(struct scene *s, int64_t minute, bool last)
{
    struct expect_window w = {minute * MINUTE, (minute + 1) * MINUTE, last};
    struct coverage      c = {.first_ns = w.start_ns, .last_ns = w.end_ns, .packets = 10, .bytes = 1000};

    ck_assert_int_eq(expector_close(s->x, &w, &c, &s->results, &s->n, NULL), 0);
}

static const struct expectation *of_row(const struct scene *s, const char *row)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(policy_row_id(&s->bed, s->results[i].row), row) == 0)
            return &s->results[i];
    return NULL;
}

static const char *word_of(const struct scene *s, const char *row)
{
    const struct expectation *e = of_row(s, row);

    return e != NULL ? expectation_outcome_name(e->outcome) : "none";
}

START_TEST(each_window_is_judged_by_what_was_seen_in_it)
{
    struct scene s = open_scene(SITE);

    ck_assert_int_eq(expector_windows(s.x, MINUTE, NULL), 0);
    there(&s, "a1", 10 * MINUTE + 1, 11 * MINUTE - 1, 9 * MINUTE + 59 * SECOND, 11 * MINUTE + 1);
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
    close_minute(&s, 10, false);
    ck_assert_str_eq(word_of(&s, "web"), "seen");
    there(&s, "a1", 11 * MINUTE + 1, 12 * MINUTE - 1, 11 * MINUTE - 1, 12 * MINUTE + 1);
    close_minute(&s, 11, false);
    ck_assert_str_eq(word_of(&s, "web"), "never-attempted");
    ck_assert_int_eq(of_row(&s, "web")->window_start_ns, 11 * MINUTE);
    ck_assert_int_eq(of_row(&s, "web")->window_end_ns, 12 * MINUTE);
    close_minute(&s, 12, false); /* nobody was seen at all */
    ck_assert_str_eq(word_of(&s, "web"), "not-covered");
    tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_REFUSED);
    close_minute(&s, 13, true);
    ck_assert_str_eq(word_of(&s, "web"), "refused");
    close_scene(&s);
}
END_TEST

/* Was the client there for the whole window?  Only where it was seen near both edges, or before and after. */
static const struct {
    int64_t     first_s, last_s, before_s, after_s;
    const char *word;
} presences[] = {
    {601, 659, 599, 661, "never-attempted"}, {601, 659, 541, 719, "never-attempted"}, {601, 659, 500, 661, "not-covered"},
    {601, 659, 599, 720, "not-covered"},     {601, 659, 0, 661, "not-covered"},       {601, 659, 599, 0, "not-covered"},
    {600, 660, 0, 0, "never-attempted"},     {659, 659, 598, 661, "not-covered"},     {659, 659, 599, 661, "never-attempted"},
};

START_TEST(a_client_seen_at_one_edge_proves_nothing)
{
    struct scene s = open_scene(SITE);

    ck_assert_int_eq(expector_windows(s.x, MINUTE, NULL), 0);
    there(&s, "a1", presences[_i].first_s * SECOND, presences[_i].last_s * SECOND, presences[_i].before_s * SECOND,
          presences[_i].after_s * SECOND);
    close_minute(&s, 10, true);
    ck_assert_str_eq(word_of(&s, "web"), presences[_i].word);
    close_scene(&s);
}
END_TEST

/* What a client did before the capture, in which it goes on with a connection: for three times 60 s that may be why. */
static void older(struct scene *s, int64_t first_ns, int64_t last_ns, uint64_t n)
{
    struct policy_query q = policy_query_of(&s->bed, "a1", "a1", "tcp/1", NULL);
    struct expect_host  h = {.addr = q.tuple.client, .first_ns = first_ns, .last_ns = last_ns, .sent = 5, .received = 5, .older = n};

    expector_host(s->x, &h);
}

static const struct {
    uint64_t older;
    int64_t  seconds;
    bool     weak;
} before[] = {{0, 100, false}, {1, 100, true}, {2, 179, true}, {2, 180, false}};

START_TEST(who_was_there_before_the_capture)
{
    struct scene s = open_scene(SITE);

    s.coverage.last_ns = s.coverage.first_ns + before[_i].seconds * SECOND;
    older(&s, s.coverage.first_ns, s.coverage.last_ns, before[_i].older);
    const struct expectation *e = result(&s, "web", "a1", NULL);
    ck_assert_int_eq(e->outcome, EXPECT_NEVER_ATTEMPTED);
    ck_assert_int_eq(e->weak, before[_i].weak);
    ck_assert_int_eq(strstr(e->reason, " It was there before the capture (of ") != NULL, before[_i].weak);
    close_scene(&s);
}
END_TEST

START_TEST(who_was_there_before_the_first_window)
{
    struct scene s = open_scene(SITE);

    ck_assert_int_eq(expector_windows(s.x, MINUTE, NULL), 0);
    for (int64_t minute = 10; minute < 14; minute++) {
        older(&s, minute * MINUTE, (minute + 1) * MINUTE, minute == 10);
        close_minute(&s, minute, minute == 13);
        ck_assert_str_eq(word_of(&s, "web"), "never-attempted");
        ck_assert_int_eq(of_row(&s, "web")->weak, minute < 12);
    }
    close_scene(&s);
}
END_TEST

/* 150 seconds take three windows, those from a multiple of three on. */
START_TEST(a_longer_time_takes_several_windows)
{
    struct scene s = open_scene(SITE "expect:\n  web: {within: 150s}\n");

    ck_assert_int_eq(expector_windows(s.x, MINUTE, NULL), 0);
    for (int64_t minute = 9; minute < 15; minute++) {
        there(&s, "a1", minute * MINUTE, (minute + 1) * MINUTE, 0, 0);
        if (minute == 10)
            tried(&s, "a1", "b1", "tcp/80", NULL, OUTCOME_ESTABLISHED);
        close_minute(&s, minute, minute == 14);
        ck_assert_str_eq(word_of(&s, "notify"), "not-covered");
        ck_assert_str_eq(word_of(&s, "web"), minute == 11 ? "seen" : minute == 14 ? "never-attempted" : "none");
    }
    ck_assert_int_eq(of_row(&s, "web")->window_start_ns, 12 * MINUTE);
    ck_assert_int_eq(of_row(&s, "web")->window_end_ns, 15 * MINUTE);
    close_scene(&s);
}
END_TEST

/* What is left over at the end is too short. */
START_TEST(the_last_windows_may_be_too_few)
{
    struct scene s = open_scene(SITE "expect:\n  web: {within: 150s}\n");

    ck_assert_int_eq(expector_windows(s.x, MINUTE, NULL), 0);
    there(&s, "a1", 9 * MINUTE, 10 * MINUTE, 0, 10 * MINUTE + 1);
    close_minute(&s, 9, false);
    there(&s, "a1", 10 * MINUTE + 1, 11 * MINUTE, 0, 0);
    close_minute(&s, 10, true);
    ck_assert_str_eq(word_of(&s, "web"), "not-covered");
    ck_assert_ptr_nonnull(strstr(of_row(&s, "web")->reason, "the observed part of the window lasts 120 s, and the flow has 150 s to happen"));
    close_scene(&s);
}
END_TEST

START_TEST(windows_are_summed_up)
{
    struct scene        s = open_scene(SITE);
    struct expectation *sums, all[] = {
        {.row = 0, .client_host = 0, .server_host = POLICY_NONE, .outcome = EXPECT_NEVER_ATTEMPTED, .reason = "First.", .window_start_ns = 600 * MINUTE,
         .window_end_ns = 660 * MINUTE},
        {.row = 0, .client_host = 0, .server_host = 1, .outcome = EXPECT_SEEN, .reason = "x", .window_start_ns = 660 * MINUTE, .window_end_ns = 720 * MINUTE},
        {.row = 0, .client_host = 0, .server_host = 2, .outcome = EXPECT_REFUSED, .reason = "Second.", .attempts = 3, .window_start_ns = 1380 * MINUTE,
         .window_end_ns = 1440 * MINUTE},
        {.row = 0, .client_host = 0, .server_host = POLICY_NONE, .outcome = EXPECT_NEVER_ATTEMPTED, .reason = "x", .window_start_ns = 780 * MINUTE,
         .window_end_ns = 840 * MINUTE},
        {.row = 0, .client_host = 0, .server_host = POLICY_NONE, .outcome = EXPECT_NOT_COVERED, .reason = "x", .window_start_ns = 840 * MINUTE,
         .window_end_ns = 900 * MINUTE},
        {.row = 4, .client_host = 1, .server_host = POLICY_NONE, .outcome = EXPECT_SEEN, .reason = "x", .window_start_ns = 840 * MINUTE,
         .window_end_ns = 900 * MINUTE},
    };
    static const struct expectation later[] = {
        {.row = 0, .server_host = POLICY_NONE, .outcome = EXPECT_NEVER_ATTEMPTED, .reason = "First. Look.", .advice_at = 6, .window_start_ns = 600 * MINUTE,
         .window_end_ns = 660 * MINUTE, .within_ns = 50 * MINUTE},
        {.row = 0, .server_host = 1, .outcome = EXPECT_SEEN, .reason = "x", .seen_ns = 661 * MINUTE, .window_start_ns = 660 * MINUTE, .window_end_ns = 720 * MINUTE},
    };
    size_t n;

    ck_assert_int_eq(expectations_sum_up(s.bed.policy, later, 2, &sums, &n), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(sums[0].reason, "In 1 of 2 windows of 1 h ('within' is 50 min), first 1970-01-01 10:00 to 11:00 UTC: First. It was seen from 1970-01-01 11:01 UTC on, 60 s after "
                                     "this window. Look at whether it happens as often as once in 50 min ('within'), and what began it; where it need not be seen, say so in the site "
                                     "file. Of the other windows 1 shows the flow.");
    expectations_free(sums, n);
    ck_assert_int_eq(expectations_sum_up(s.bed.policy, all, sizeof(all) / sizeof(all[0]), &sums, &n), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(sums[0].outcome, EXPECT_NEVER_ATTEMPTED);
    ck_assert_str_eq(sums[0].reason, "In 2 of 5 windows of 1 h, first 1970-01-01 10:00 to 11:00 UTC: First. Of the other windows 1 shows the flow, "
                                     "1 failed, 1 proves nothing.");
    ck_assert_int_eq(sums[1].outcome, EXPECT_REFUSED);
    ck_assert_uint_eq(sums[1].attempts, 3);
    ck_assert_str_eq(sums[1].reason, "In 1 of 5 windows of 1 h, first 1970-01-01 23:00 to 1970-01-02 00:00 UTC: Second. Of the other windows 1 shows "
                                     "the flow, 2 had no attempt, 1 proves nothing.");
    expectations_free(sums, n);
    close_scene(&s);
}
END_TEST

Suite *suite_policy_expect(void);

Suite *suite_policy_expect(void)
{
    Suite *s = suite_create("policy: expected flows");
    TCase *t = tcase_create("expect");

    tcase_add_test(t, what_is_expected);
    tcase_add_test(t, the_site_decides_otherwise);
    tcase_add_loop_test(t, an_attempt, 0, sizeof(attempts) / sizeof(attempts[0]));
    tcase_add_test(t, what_little_is_missing_is_told_beside_a_silence);
    tcase_add_loop_test(t, what_nobody_asked_twice_counts_less, 0, sizeof(questions) / sizeof(questions[0]));
    tcase_add_test(t, what_was_cut_is_told_beside_one_way);
    tcase_add_loop_test(t, loss_hides_few_answers, 0, sizeof(losses) / sizeof(losses[0]));
    tcase_add_test(t, a_host_of_which_there_are_only_resets_was_not_seen);
    tcase_add_test(t, one_server_is_enough);
    tcase_add_test(t, one_way_is_enough_where_nothing_answers);
    tcase_add_test(t, one_way_is_told);
    tcase_add_test(t, one_way_that_an_error_met_late_is_not_enough);
    tcase_add_test(t, what_does_not_count);
    tcase_add_test(t, an_unknown_direction_is_turned);
    tcase_add_loop_test(t, silence, 0, sizeof(silences) / sizeof(silences[0]));
    tcase_add_test(t, a_way_that_the_tap_does_not_hear);
    tcase_add_test(t, a_server_to_which_the_tap_hears_nothing);
    tcase_add_test(t, copies_are_told);
    tcase_add_test(t, a_connection_that_goes_on);
    tcase_add_test(t, the_packet_that_shows_a_connection);
    tcase_add_test(t, attempts_of_several_kinds);
    tcase_add_test(t, the_end_of_an_older_connection);
    tcase_add_test(t, connections_that_their_client_resets_at_once);
    tcase_add_test(t, answers_that_do_not_arrive);
    tcase_add_test(t, attempts_that_errors_tell_of);
    tcase_add_test(t, all_that_were_answered_are_named);
    tcase_add_test(t, a_connection_that_its_client_goes_on_with);
    tcase_add_test(t, only_the_servers_packets);
    tcase_add_test(t, denied_after_a_while);
    tcase_add_test(t, several_servers_are_named);
    tcase_add_test(t, attempts_without_an_answer);
    tcase_add_test(t, reasons);
    tcase_add_test(t, the_laboratory_expects_the_same);
    tcase_add_test(t, each_window_is_judged_by_what_was_seen_in_it);
    tcase_add_loop_test(t, a_client_seen_at_one_edge_proves_nothing, 0, sizeof(presences) / sizeof(presences[0]));
    tcase_add_loop_test(t, who_was_there_before_the_capture, 0, sizeof(before) / sizeof(before[0]));
    tcase_add_test(t, who_was_there_before_the_first_window);
    tcase_add_test(t, a_longer_time_takes_several_windows);
    tcase_add_test(t, the_last_windows_may_be_too_few);
    tcase_add_test(t, windows_are_summed_up);
    suite_add_tcase(s, t);
    return s;
}
