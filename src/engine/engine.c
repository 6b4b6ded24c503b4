/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a record: the steps of an audit in their order.  crew.h has the way of packets. */
#include "flowaudit/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "crew.h"

void engine_options_default(struct engine_options *ret)
{
    *ret = (struct engine_options){.n_workers = 1, .flows_kept = 20, .peers_kept = 1000, .stuck_ns = INT64_C(5000000000)};
    flow_options_default(&ret->flow);
}

static void on_stuck(void *aux, uint16_t input, uint64_t number)
{
    const struct audit *a = aux;

    a->options->stuck(a->options->stuck_aux, inputs_path(a->inputs, input), number);
}

static void enter_gate(void *aux)
{
    pthread_mutex_lock(aux);
}

static void leave_gate(void *aux)
{
    pthread_mutex_unlock(aux);
}

static int make_shards(struct audit *a, bool survey, struct err *reterr)
{
    const struct engine_options *o = a->options;
    struct shard_options         so = {
                .n_shards = o->n_workers,
                .n_inputs = inputs_count(a->inputs),
                .flow = o->flow,
                .window_ns = o->window_ns,
                .survey = survey,
                .clock = o->clock,
                .gate = {enter_gate, leave_gate, &a->making},
    };
    int rc;

    a->limits = (struct conversation_limits){o->flows_kept, o->flows_all, o->peers_kept, survey, o->window_ns};
    so.limits = a->limits;
    rc = app_list_new(&a->apps, reterr);
    if (rc != 0)
        return rc;
    so.apps = a->apps;
    shard_share_memory(&so, o->flow.memory_limit, o->n_workers);
    a->shards = calloc(o->n_workers, sizeof(struct shard *));
    a->parts = calloc(o->n_workers, sizeof(struct part *));
    if (a->shards == NULL || a->parts == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the workers");
    if (o->stuck != NULL) {
        rc = watchdog_new(o->n_workers, o->stuck_ns, on_stuck, a, &a->watchdog, reterr);
        if (rc != 0)
            return rc;
    }
    for (; a->n_shards < o->n_workers; a->n_shards++) {
        so.index = (unsigned)a->n_shards;
        so.seat = watchdog_seat(a->watchdog, a->n_shards);
        rc = shard_new(&so, a->policy, &a->shards[a->n_shards], reterr);
        if (rc != 0)
            return rc;
        a->parts[a->n_parts++] = shard_part(a->shards[a->n_shards]);
    }
    return 0;
}

static void add_results(const struct audit *a, size_t input, uint64_t sums[static PACKET_N_RESULTS])
{
    for (size_t i = 0; i < a->n_parts; i++) {
        const uint64_t *results = &a->parts[i]->results[input * PACKET_N_RESULTS];

        for (size_t k = 0; k < PACKET_N_RESULTS; k++)
            sums[k] += results[k];
    }
}

static void name_linktype(const struct capture_stats *stats, const char *input, struct engine_result *r)
{
    char buf[64];

    if (r->linktype_input[0] == '\0')
        snprintf(r->linktype_input, sizeof(r->linktype_input), "%s", input);

    for (unsigned i = 0; i < stats->n_linktypes && r->linktype[0] == '\0'; i++)
        if (!packet_linktype_known(stats->linktypes[i]))
            snprintf(r->linktype, sizeof(r->linktype), "%s", capture_linktype_name(stats->linktypes[i], buf, sizeof(buf)));
}

/* Packets that were read and are of no flow, though they might have been of one that the document speaks of. */
uint64_t audit_unjudged(const uint64_t results[static PACKET_N_RESULTS])
{
    static const enum packet_result reasons[] = {
        PACKET_ENCRYPTED, PACKET_LINKTYPE,   PACKET_CUT_HEADER, PACKET_BAD_LINK,        PACKET_BAD_IPV4,  PACKET_BAD_IPV6,
        PACKET_BAD_TCP,   PACKET_BAD_UDP,    PACKET_BAD_TUNNEL, PACKET_TOO_DEEP,        PACKET_MAPPED,    PACKET_FRAGMENT_ORPHAN,
        PACKET_FLOW_LIMIT,
    };
    uint64_t n = 0;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        n += results[reasons[i]];
    return n;
}

static int sum_up(struct audit *a, struct err *reterr)
{
    struct engine_result *r = a->result;

    if (stretches_unite(&a->heard) != 0)
        return err_set(reterr, -ENOMEM, "no memory for the times of packets");
    r->complete = !r->faulted && !r->stopped;
    a->coverage.first_ns = INT64_MAX;
    a->coverage.last_ns = INT64_MIN;
    for (size_t i = 0; i < inputs_count(a->inputs); i++) {
        struct capture_stats stats;
        uint64_t             results[PACKET_N_RESULTS] = {0};

        inputs_stats(a->inputs, i, &stats);
        add_results(a, i, results);
        r->packets += stats.n_packets;
        r->decoded += results[PACKET_OK];
        r->n_linktype += results[PACKET_LINKTYPE];
        r->n_inputs_empty += stats.n_packets == 0 && inputs_finished(a->inputs, i);
        r->n_inputs_damaged += stats.damaged;
        if (results[PACKET_LINKTYPE] > 0)
            name_linktype(&stats, inputs_name(a->inputs, i), r);
        if (stats.n_packets == 0 || stats.damaged || results[PACKET_LINKTYPE] > 0 || !inputs_finished(a->inputs, i))
            r->complete = false;
        a->coverage.damaged |= stats.damaged || !inputs_finished(a->inputs, i);
        a->coverage.lost += stats.n_stated_drops;
        a->coverage.filtered += results[PACKET_FILTERED] + stats.n_filtered;
        a->coverage.unjudged += audit_unjudged(results);
        a->coverage.cut += results[PACKET_CUT_HEADER];
        if (stats.last_ns != 0) { /* some packet of it has a time */
            a->coverage.first_ns = stats.first_ns < a->coverage.first_ns ? stats.first_ns : a->coverage.first_ns;
            a->coverage.last_ns = stats.last_ns > a->coverage.last_ns ? stats.last_ns : a->coverage.last_ns;
        }
    }
    r->discarded = r->packets - r->decoded;
    r->filtered = a->coverage.filtered;
    a->coverage.packets = r->packets;
    for (size_t i = 0; i < a->n_conversations; i++)
        a->coverage.bytes += a->conversations[i]->bytes[0] + a->conversations[i]->bytes[1];
    a->coverage.unseen_bytes = a->totals.n_unseen_bytes;
    a->coverage.unseen_errors = a->totals.n_unseen_errors;
    a->coverage.cut_told = a->totals.n_cut_told;
    if (a->heard.n > 1) {
        a->coverage.stretches = a->heard.items;
        a->coverage.n_stretches = a->heard.n;
        a->coverage.silent = true;
    }
    a->coverage.unjudged += a->totals.n_evicted + a->totals.n_flow_memory_lost;
    r->n_unrecorded = a->totals.n_flow_memory_lost;
    if (r->n_unrecorded > 0)
        r->complete = false;
    if (a->coverage.first_ns > a->coverage.last_ns)
        a->coverage.first_ns = a->coverage.last_ns = 0;
    return 0;
}

static void release(struct audit *a)
{
    watchdog_free(a->watchdog);
    digester_free(a->digester); /* what it digests is the inputs' */
    if (a->options->is_last) {
        inputs_free(a->inputs);
        return;
    }
    audit_free_findings(a);
    for (size_t i = 0; i < a->n_shards; i++)
        shard_free(a->shards[i]);
    free(a->shards);
    free(a->parts);
    free(a->conversations);
    free(a->hosts);
    app_list_free(a->apps);
    free(a->heard.items);
    announcements_clear(&a->announcements);
    inputs_free(a->inputs);
}

int engine_check(const struct engine_options *o, const struct policy *policy, const struct site *site, struct store *store,
                 struct store_run *run, struct engine_result *ret, struct err *reterr)
{
    struct engine_result   result = {0};
    struct audit           a = {.options = o, .policy = policy, .site = site, .making = PTHREAD_MUTEX_INITIALIZER, .result = &result};
    struct capture_options co = {.filter = o->filter, .no_digest = o->no_digest, .clock = o->clock};
    int                    rc;

    stopwatch_start(&a.watch, o->clock, ENGINE_START);
    rc = o->n_workers > 1 && !o->no_digest ? digester_new(o->clock, &a.digester, reterr) : 0;
    if (rc == 0)
        rc = inputs_open(o->inputs, o->n_inputs, &co, a.digester, &a.inputs, reterr);
    if (rc == 0 && o->ready != NULL)
        rc = o->ready(o->ready_aux, reterr);
    if (rc == 0)
        rc = make_shards(&a, false, reterr);
    stopwatch_turn(&a.watch, ENGINE_RECORD);
    if (rc == 0)
        rc = store_begin_run(store, run, &result.run_id, reterr);
    if (rc == 0)
        rc = crew_run(&a, reterr);
    if (rc == 0)
        rc = audit_merge(&a, reterr);
    if (rc == 0)
        rc = audit_join_parents(&a, reterr);
    if (rc == 0)
        rc = sum_up(&a, reterr);
    if (rc == 0)
        rc = audit_order(&a, reterr);
    if (rc == 0)
        rc = audit_conclude(&a, reterr);
    result.site_unseen = a.n_hosts == 0;
    result.n_windows_left = a.n_windows_left;
    result.complete &= a.n_windows_left == 0;
    stopwatch_turn(&a.watch, ENGINE_RECORD);
    if (rc == 0)
        rc = store_defer_sync(store, reterr);
    if (rc == 0)
        rc = audit_record(&a, store, reterr);
    if (rc == 0)
        rc = store_end_run(store, o->now != NULL ? o->now() : run->ended_ns, result.complete, reterr);
    if (rc == 0) {
        audit_sum_stats(&a);
        *ret = result;
    }
    release(&a);
    return rc;
}

static void tell_conversation(const struct audit *a, const struct conversation *c, engine_survey_fn *fn, void *aux)
{
    const struct pinhole *bind =
        c->key.transport == IPPROTO_TCP ? announcements_bind(&a->announcements, &c->key.server, c->key.server_port) : NULL;
    struct learn_fact fact = {
        .tuple = c->tuple,
        .client_port_high = c->client_port_high,
        .app = *c->app,
        .sent = {c->sent[0], c->sent[1]},
        .data = c->payload > 0,
        .direction_known = c->direction_known,
        .flows = c->flows,
        .interface = bind != NULL ? bind->what : NULL,
    };

    fact.tuple.client_port = c->client_port_low;
    fn(aux, &fact);
}

static void tell_unread(const struct audit *a, struct engine_survey *ret)
{
    for (size_t i = 0; i < inputs_count(a->inputs); i++) {
        struct capture_stats stats;

        inputs_stats(a->inputs, i, &stats);
        add_results(a, i, ret->packets);
        ret->packets[PACKET_FILTERED] += stats.n_filtered;
        const char *why = stats.damaged                      ? stats.damage
                          : !inputs_finished(a->inputs, i)   ? "not read to its end"
                          : stats.n_packets == 0             ? "no packet is in it"
                                                             : NULL;
        if (why != NULL && ret->n_unread++ < ENGINE_UNREAD_TOLD) {
            struct engine_unread *u = &ret->unread[ret->n_unread - 1];

            snprintf(u->name, sizeof(u->name), "%s", inputs_name(a->inputs, i));
            snprintf(u->why, sizeof(u->why), "%s", why);
        }
    }
}

int engine_survey(const struct engine_options *o, const struct policy *policy, engine_survey_fn *fn, void *aux, struct engine_survey *ret,
                  struct err *reterr)
{
    struct engine_survey   survey = {0};
    struct audit           a = {.options = o, .policy = policy, .making = PTHREAD_MUTEX_INITIALIZER, .result = &survey.result};
    struct capture_options co = {.filter = o->filter, .no_digest = true};
    int                    rc = inputs_open(o->inputs, o->n_inputs, &co, NULL, &a.inputs, reterr);

    if (rc == 0 && o->ready != NULL)
        rc = o->ready(o->ready_aux, reterr);
    if (rc == 0)
        rc = make_shards(&a, true, reterr);
    if (rc == 0)
        rc = crew_run(&a, reterr);
    if (rc == 0)
        rc = audit_merge(&a, reterr);
    if (rc == 0)
        rc = sum_up(&a, reterr);
    if (rc == 0)
        rc = audit_gather_announcements(&a, reterr);
    if (rc == 0) {
        tell_unread(&a, &survey);
        survey.watched_ns = coverage_watched(&a.coverage, a.coverage.first_ns, a.coverage.last_ns);
        survey.coverage = a.coverage;
        survey.coverage.stretches = NULL; /* they end with the audit */
        survey.coverage.n_stretches = 0;
        for (size_t i = 0; i < a.n_conversations; i++) {
            const struct conversation *c = a.conversations[i];

            if (c->key.summed != SUM_NONE)
                survey.n_summed += c->n_summed;
            else if (!c->group && !c->answers_group)
                tell_conversation(&a, c, fn, aux);
        }
        *ret = survey;
    }
    release(&a);
    return rc;
}
