/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a run went, and how large its tables were: the sum over all workers. */
#include "audit.h"
#include "stopwatch.h"

const char *engine_stage_name(enum engine_stage stage)
{
    static const char *const names[] = {"start", "read", "digest", "decode", "flow", "classify", "judge", "conclude", "record", "wait"};

    return (unsigned)stage < ENGINE_N_STAGES ? names[stage] : "?";
}

static void add_flows(struct flow_table_stats *sum, const struct flow_table_stats *s)
{
    sum->n_flows += s->n_flows;
    sum->n_peak += s->n_peak;
    sum->n_created += s->n_created;
    sum->n_evicted += s->n_evicted;
    sum->n_fragments += s->n_fragments;
    sum->n_fragments_held += s->n_fragments_held;
    sum->n_refused += s->n_refused;
    sum->memory += s->memory;
    sum->memory_peak += s->memory_peak;
}

static void add_tables(struct engine_stats *sum, const struct shard *s)
{
    struct flow_table_stats flows;
    struct classify_stats   classify;
    struct pinholes_stats   pinholes;

    shard_flow_stats(s, &flows);
    add_flows(&sum->flows, &flows);
    shard_classify_stats(s, &classify);
    sum->n_classify_packets += classify.n_packets;
    sum->n_classify_peak += classify.n_states_peak;
    sum->n_ndpi_packets += classify.n_ndpi_packets;
    sum->n_second_opinions += classify.n_second_opinions;
    shard_pinhole_stats(s, &pinholes);
    sum->n_signalling_peak += pinholes.n_states_peak;
    sum->n_announced += pinholes.n_announced;
}

/* A worker alone is the thread that reads as well: all of its work is in what that one waited. */
static void add_times(struct engine_stats *sum, const struct stopwatch *w, bool is_alone)
{
    for (unsigned i = 0; i < ENGINE_N_STAGES; i++) {
        if (i != ENGINE_WAIT)
            sum->ns[i] += w->ns[i];
        if (is_alone != (i == ENGINE_WAIT))
            sum->ns[ENGINE_WAIT] += is_alone ? -w->ns[i] : w->ns[i];
    }
}

void audit_sum_stats(struct audit *a)
{
    struct engine_stats *sum = &a->result->stats;

    *sum = (struct engine_stats){.n_workers = (unsigned)a->n_shards};
    stopwatch_turn(&a->watch, ENGINE_RECORD);
    for (unsigned i = 0; i < ENGINE_N_STAGES; i++) {
        sum->ns[i] += a->watch.ns[i];
        sum->elapsed_ns += a->watch.ns[i];
    }
    for (size_t i = 0; i < a->n_shards; i++) {
        add_tables(sum, a->shards[i]);
        add_times(sum, shard_stopwatch(a->shards[i]), a->n_shards == 1);
    }
    for (size_t i = 0; i < inputs_count(a->inputs); i++) {
        struct capture_stats stats;

        inputs_stats(a->inputs, i, &stats);
        sum->ns[ENGINE_DIGEST] += stats.digest_ns;
        sum->ns[ENGINE_READ] -= stats.digest_ns;
    }
    if (a->digester != NULL)
        sum->ns[ENGINE_DIGEST] += digester_ns(a->digester);
    sum->n_conversations = a->n_conversations;
    sum->n_hosts = a->n_hosts;
    sum->n_expectations = a->n_expectations;
    sum->n_findings = a->n_findings;
}
