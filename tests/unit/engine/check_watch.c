/* SPDX-License-Identifier: Apache-2.0 */
/* What a live run keeps of the times when it heard nothing, and of queries whose answers are to come. */
#include <check.h>
#include <stdlib.h>

#include "../../../src/engine/shard-private.h"
#include "../../../src/engine/watch-private.h"

#define S NS_PER_SECOND
#define DAY (INT64_C(1772000000) * S)

static bool was_down(const struct recording *r, uint32_t input, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < r->n_outages; i++)
        if (r->outages[i].input == input && r->outages[i].from_ns <= from_ns && r->outages[i].to_ns >= to_ns)
            return true;
    return false;
}

static void down_and_up(struct recording *r, uint32_t input, int64_t from_ns, int64_t to_ns)
{
    recording_outage(r, input, true, from_ns);
    recording_outage(r, input, false, to_ns);
    ck_assert_msg(was_down(r, input, from_ns, to_ns), "down at %lld", (long long)((from_ns - DAY) / S));
}

START_TEST(an_interface_may_be_down_as_often_as_it_likes)
{
    struct recording r = {0};

    for (int i = 0; i < 1100; i++)
        down_and_up(&r, 0, DAY + 60 * i * S, DAY + (60 * i + 1) * S);
    ck_assert_uint_le(r.n_outages, 1000);
    down_and_up(&r, 1, DAY + 90000 * S, DAY + 90001 * S); /* another, for the first time */
    down_and_up(&r, 0, DAY + 100000 * S, DAY + 200000 * S);
    down_and_up(&r, 1, DAY + 200000 * S, DAY + 200001 * S);
    ck_assert_int_ge(r.losses[r.n_losses - 1].last_ns, DAY + 200000 * S);
    free(r.outages);
    free(r.losses);
}
END_TEST

static void no_flow(void *aux, struct flow_record *r, void *ext)
{
    (void)aux, (void)r, (void)ext;
}

static void no_announcement(void *aux, const struct pinhole *p)
{
    (void)aux, (void)p;
}

static void begin(struct shard *s)
{
    struct flow_options options;

    *s = (struct shard){.options = {.n_shards = 1, .n_inputs = 1, .limits = {.flows_kept = 1, .peers_kept = 1}}, .clock_ns = INT64_MIN, .latest_ns = INT64_MIN};
    flow_options_default(&options);
    ck_assert_int_eq(flow_table_new(&options, no_flow, s, &s->flows, NULL), 0);
    ck_assert_int_eq(pinholes_new(NULL, no_announcement, s, &s->pinholes, NULL), 0);
    ck_assert_int_eq(classifier_new(NULL, 0, &s->classifier, NULL), 0);
    ck_assert_int_eq(part_new(&s->options.limits, 1, &s->ended, NULL), 0);
}

static void end(struct shard *s)
{
    flow_table_free(s->flows);
    pinholes_free(s->pinholes);
    classifier_free(s->classifier);
    part_free(s->ended);
}

/* A packet of no flow: it brings the time alone. */
static void at(struct shard *s, int64_t ns)
{
    static const uint8_t nothing[1];
    struct input_frame   f = {.frame = {.data = nothing, .caplen = 1, .wirelen = 1, .ts_ns = ns, .number = 1, .linktype = 1}};

    shard_batch(s, &f, 1);
}

static void ask(struct shard *s, uint16_t port, int64_t ns)
{
    const struct shard_group_query q = {.sender_port = 500, .port = port, .span = (uint32_t)(ns / SHARD_QUERY_SPAN_NS), .first_ns = ns, .last_ns = ns};

    at(s, ns);
    part_note_query(s->ended, &q);
}

static size_t kept_by_a_pass(struct shard *s)
{
    struct part *ended, *open;

    while (!shard_pass_step(s, 1000, 0))
        ;
    ck_assert_int_eq(shard_pass_take(s, &ended, &open, NULL), 0);
    part_free(ended);
    part_free(open);
    return s->ended->n_queries;
}

/* The clock was an hour ahead, and is set right: what is asked now is known for as long as at any other time, and so is what was asked then. */
START_TEST(queries_are_kept_though_the_clock_steps_back)
{
    struct shard s;

    begin(&s);
    ask(&s, 1, DAY + 3600 * S);
    ck_assert_uint_eq(kept_by_a_pass(&s), 1);
    ask(&s, 2, DAY);
    for (int64_t later = 1; later < 1990; later += 500) {
        at(&s, DAY + later * S);
        ck_assert_uint_eq(kept_by_a_pass(&s), 2);
    }
    ask(&s, 3, DAY + 2001 * S);
    ck_assert_uint_eq(kept_by_a_pass(&s), 1);
    end(&s);
}
END_TEST

Suite *suite_watch(void);
Suite *suite_watch(void)
{
    Suite *s = suite_create("watch");
    TCase *t = tcase_create("watch");

    tcase_add_test(t, an_interface_may_be_down_as_often_as_it_likes);
    tcase_add_test(t, queries_are_kept_though_the_clock_steps_back);
    suite_add_tcase(s, t);
    return s;
}
