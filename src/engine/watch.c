/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder of a live run: what the workers left is taken over, evaluated and written; runs end and begin. */
#include "flowaudit/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch-private.h"

#define PASS_EVERY NS_PER_SECOND
#define IDLE_NS (20 * NS_PER_SECOND / 1000)
#define REST_FACTOR 10           /* evaluations take one part in so many of the recorder's time ... */
#define MOST_REST (5 * NS_PER_SECOND) /* ... up to here: what is recorded is not to fall behind further and further as a run grows */
#define LEAST_REST 2             /* but not more than a third of a core */
#define RETRY_NS NS_PER_SECOND   /* after a failure to write */
#define PATIENCE_MS 2000         /* for another program that writes to the record; then it is told, and tried again */
#define LAST_TRIES_NS (3 * NS_PER_SECOND) /* at the end of the program */

/* --- the recorder: taking over ------------------------------------------------------------------------------------ */

/* What the kernel counted since the last time goes to the run and to the program; losses get their times. */
static void take_counts(struct watch *w, struct seat *s, struct live_stats *stats, const bool *down, const bool *gone, bool is_over)
{
    struct recording *r = &w->recording;
    int64_t           to = r->last_ns != INT64_MIN ? r->last_ns : w->calls->now(w->calls->aux);

    for (size_t i = 0; i < w->options->n_interfaces; i++) {
        struct port            *p = &s->ports[i];
        struct watch_interface *of_run = &r->interfaces[i], *of_all = &w->interfaces[i];
        struct live_stats      *now = &stats[i], *then = &p->taken;
        uint64_t                dropped = now->n_dropped - then->n_dropped, by_interface = now->n_interface_dropped - then->n_interface_dropped;
        /* While the worker goes on, what is in the ring will yet be read. */
        now->n_unread = is_over ? now->n_unread : 0;
        int64_t                 from = then->last_ns != 0 ? then->last_ns : now->first_ns != 0 ? now->first_ns : to;

        for (unsigned both = 0; both < 2; both++) {
            struct watch_interface *f = both == 0 ? of_run : of_all;

            f->name = w->options->interfaces[i];
            f->received += now->n_received - then->n_received;
            f->dropped += dropped;
            f->interface_dropped += by_interface;
            f->seen += now->n_seen - then->n_seen;
            f->unread += now->n_unread - then->n_unread;
            f->up = !down[i] && !gone[i];
            f->gone = gone[i];
        }
        r->ended->results[i * PACKET_N_RESULTS + PACKET_FILTERED] += now->n_filtered - then->n_filtered;
        w->results[PACKET_FILTERED] += now->n_filtered - then->n_filtered;
        if (dropped > 0)
            recording_lost(r, (uint32_t)i, "kernel-buffer", true, dropped, from, now->last_ns != 0 ? now->last_ns : to);
        if (by_interface > 0)
            recording_lost(r, (uint32_t)i, "interface", true, by_interface, from, now->last_ns != 0 ? now->last_ns : to);
        if (now->first_ns != 0 && now->n_seen > then->n_seen) {
            int64_t first = then->last_ns != 0 ? then->last_ns : now->first_ns;

            r->first_ns = first < r->first_ns ? first : r->first_ns;
            r->last_ns = now->last_ns > r->last_ns ? now->last_ns : r->last_ns;
        }
        p->taken = *now;
    }
}

/* Drops are told when they begin, and then every ten seconds while they go on. */
static void tell_drops(struct watch *w)
{
    uint64_t dropped = 0;
    char     text[256];
    int64_t  now = w->calls->steady(w->calls->aux);

    for (size_t i = 0; i < w->options->n_interfaces; i++)
        dropped += w->interfaces[i].dropped + w->interfaces[i].interface_dropped;
    if (dropped == w->dropped_told || now < w->next_drop_told)
        return;
    snprintf(text, sizeof(text), "%llu packets were dropped before they could be judged: what rests on their absence is not concluded from this time",
             (unsigned long long)(dropped - w->dropped_told));
    w->calls->message(w->calls->aux, WATCH_WARNING, text);
    w->dropped_told = dropped;
    w->next_drop_told = now + 10 * NS_PER_SECOND;
}

static void tell_links(struct watch *w, struct seat *s, const bool *down, const bool *gone, const char *fault)
{
    char text[320];

    for (size_t i = 0; s->index == 0 && i < w->options->n_interfaces; i++) {
        struct port *p = &s->ports[i];
        const char  *name = w->options->interfaces[i];
        int64_t      at = w->recording.last_ns != INT64_MIN ? w->recording.last_ns : w->calls->now(w->calls->aux);

        w->n_links += down[i] != p->said_down || gone[i] != p->said_gone;
        if (down[i] != p->said_down && !gone[i]) {
            p->said_down = down[i];
            recording_outage(&w->recording, (uint32_t)i, down[i], down[i] ? at : w->calls->now(w->calls->aux));
            snprintf(text, sizeof(text), down[i] ? "%s: the interface is down; waiting for it" : "%s: the interface is up again", name);
            w->calls->message(w->calls->aux, down[i] ? WATCH_WARNING : WATCH_INFO, text);
        }
        if (gone[i] && !p->said_gone) {
            p->said_gone = true;
            w->complete = false;
            recording_outage(&w->recording, (uint32_t)i, true, at);
            snprintf(text, sizeof(text), "%s", fault[0] != '\0' ? fault : "an interface disappeared");
            w->calls->message(w->calls->aux, WATCH_ERROR, text);
            snprintf(w->fault, sizeof(w->fault), "%s", text);
        }
    }
}

/* What lies in the seat: parts, counts.  'part': of a shard that is done, or NULL. */
static void take_seat(struct watch *w, struct seat *s)
{
    size_t            n = w->options->n_interfaces;
    struct live_stats stats[WATCH_MAX_INTERFACES];
    bool              down[WATCH_MAX_INTERFACES], gone[WATCH_MAX_INTERFACES];

    pthread_mutex_lock(&s->lock);
    struct part *ended = s->ended, *open = s->open;
    bool         is_over = s->is_over, waits = s->waits;
    char         fault[sizeof(s->fault)];
    memcpy(fault, s->fault, sizeof(fault));
    s->ended = s->open = NULL;
    for (size_t i = 0; i < n; i++) {
        stats[i] = s->ports[i].stats;
        down[i] = s->ports[i].down;
        gone[i] = s->ports[i].gone;
    }
    pthread_mutex_unlock(&s->lock);
    take_counts(w, s, stats, down, gone, is_over);
    tell_links(w, s, down, gone, fault);
    if (ended == NULL)
        return;
    bool has_news = false;
    for (size_t i = 0; i < n * PACKET_N_RESULTS; i++) {
        w->results[i % PACKET_N_RESULTS] += ended->results[i];
        has_news |= ended->results[i] > 0;
    }
    bool is_news = has_news || s->had_news;
    w->n_news += is_news;
    s->had_news = has_news || waits;
    w->state.flows += ended->totals.n_flows;
    w->state.flows_evicted += ended->totals.n_evicted;
    if (recording_take(&w->recording, s->index, ended, open) != 0)
        w->complete = false;
    if (is_news) /* on a silent line nothing waits to be recorded */
        w->handed_over = w->calls->steady(w->calls->aux);
}

/* All of a shard whose flows have ended. */
static void take_shard(struct watch *w, struct seat *s, struct shard *shard)
{
    size_t       n = w->options->n_interfaces;
    struct part *ended = shard_part(shard), *whole = NULL;
    struct conversation_limits limits = {.flows_kept = w->options->engine.flows_kept, .flows_all = w->options->engine.flows_all,
                                         .peers_kept = w->options->engine.peers_kept, .window_ns = w->options->engine.window_ns};

    take_seat(w, s);
    for (size_t i = 0; i < n * PACKET_N_RESULTS; i++)
        w->results[i % PACKET_N_RESULTS] += ended->results[i];
    w->state.flows += ended->totals.n_flows;
    w->state.flows_evicted += ended->totals.n_evicted;
    /* The shard keeps its own part: what is in it moves to one that the recording may keep. */
    if (part_new(&limits, n, &whole, NULL) != 0 || part_absorb(whole, ended) != 0)
        w->complete = false;
    for (size_t i = 0; whole != NULL && i < ended->n_query_slots; i++)
        if (ended->queries[i].last_ns != INT64_MIN)
            part_note_query(whole, &ended->queries[i]);
    if (whole != NULL && recording_take(&w->recording, s->index, whole, NULL) != 0)
        w->complete = false;
}

/* --- the recorder: its loop ------------------------------------------------------------------------------------------ */

static void fill_state(struct watch *w)
{
    struct watch_state *st = &w->state;

    st->packets = st->bytes = st->decoded = st->filtered = st->flows_now = st->memory = 0;
    st->run_id = w->recording.run_id;
    st->results = w->results;
    st->decoded = w->results[PACKET_OK];
    st->filtered = w->results[PACKET_FILTERED];
    st->interfaces = w->interfaces;
    st->n_interfaces = w->options->n_interfaces;
    for (size_t i = 0; i < st->n_interfaces; i++)
        st->packets += w->interfaces[i].seen;
    for (size_t k = 0; k < w->n_seats; k++) {
        struct seat *s = &w->seats[k];

        pthread_mutex_lock(&s->lock);
        st->flows_now += s->flow_stats.n_flows;
        st->memory += s->flow_stats.memory;
        st->bytes += s->bytes_left;
        if (s->latest_ns != INT64_MIN && s->latest_ns > st->packet_ns)
            st->packet_ns = s->latest_ns;
        pthread_mutex_unlock(&s->lock);
    }
    st->lag = w->handed_over > w->committed ? (double)(w->calls->steady(w->calls->aux) - w->committed) / (double)NS_PER_SECOND : 0;
}

static uint64_t packets_of_run(const struct watch *w)
{
    uint64_t n = 0;

    for (size_t i = 0; i < w->options->n_interfaces; i++)
        n += w->recording.interfaces[i].seen;
    return n;
}

static int64_t rest_after(int64_t took)
{
    int64_t rest = REST_FACTOR * took;

    if (rest > MOST_REST)
        rest = LEAST_REST * took > MOST_REST ? LEAST_REST * took : MOST_REST;
    return rest > PASS_EVERY ? rest : 0;
}

/* A failure to write is told once, and tried again until it works. */
static int write_now(struct watch *w, bool final)
{
    struct err err = {0};
    char       text[512];
    int64_t    begun = w->calls->steady(w->calls->aux), handed_over = w->handed_over;
    int        rc = recording_write(&w->recording, final, &err);
    int64_t    now = w->calls->steady(w->calls->aux);

    if (rc != 0) {
        w->state.n_commits_failed++;
        snprintf(text, sizeof(text), "%s; packets go on being judged, and it is tried again", err.msg);
        if (!w->store_failed)
            w->calls->message(w->calls->aux, WATCH_ERROR, text);
        w->store_failed = true;
        w->next_write = now + RETRY_NS;
        if (final)
            snprintf(w->fault, sizeof(w->fault), "%s", err.msg);
        return rc;
    }
    if (w->store_failed)
        w->calls->message(w->calls->aux, WATCH_INFO, "the record is written again; nothing of it was lost");
    w->store_failed = false;
    w->state.n_commits++;
    w->packets_recorded = packets_of_run(w);
    keep_look(w);
    w->committed = handed_over > w->committed ? handed_over : now;
    w->next_write = now + rest_after(now - begun);
    return 0;
}

static int begin_run(struct watch *w, const struct watch_rules *rules, struct store *store, struct err *reterr)
{
    struct recording *r = &w->recording;

    *r = (struct recording){.options = w->options, .store = store, .calls = w->calls, .apps = w->apps, .n_workers = w->n_seats, .state = &w->state,
                             .keeper = w->keeper, .run = w->run};
    int rc = recording_begin(r, rules, reterr);
    w->run_ends_ns = 0;
    w->written_seen = 0;
    w->packets_recorded = 0;
    for (size_t i = 0; rc == 0 && i < w->options->n_interfaces; i++) /* that began before the run */
        if (w->seats[0].ports[i].said_down || w->seats[0].ports[i].said_gone)
            recording_outage(r, (uint32_t)i, true, w->calls->now(w->calls->aux));
    if (rc == 0) {
        keep_begin(w);
        w->calls->run_begins(w->calls->aux, r->run_id);
    }
    return rc;
}

/* A record that is locked, or a disk that is full: tried again until it is written, or the program is to end and does not wait for it any longer. */
static int write_the_end(struct watch *w)
{
    int64_t give_up = 0;
    int     rc = write_now(w, true);

    while (rc != 0) {
        int64_t now = w->calls->steady(w->calls->aux);

        if (give_up == 0 && (w->calls->stop(w->calls->aux) || atomic_load(&w->stop)))
            give_up = now + LAST_TRIES_NS;
        if (give_up != 0 && now >= give_up)
            break;
        fill_state(w); /* a sign of life, for who waits for one */
        w->calls->tick(w->calls->aux, &w->state);
        w->calls->idle(w->calls->aux, RETRY_NS);
        rc = write_now(w, true);
    }
    return rc;
}

/* What was committed stands; what came after is told to be lost. */
static void tell_the_loss(struct watch *w, const char *why)
{
    char     text[sizeof(w->fault)];
    uint64_t lost = packets_of_run(w) - w->packets_recorded;

    snprintf(text, sizeof(text), "%s; lost: what the last %llu packets of run %lld showed, which were judged and not recorded", why,
             (unsigned long long)lost, (long long)w->recording.run_id);
    w->calls->message(w->calls->aux, WATCH_ERROR, text);
    snprintf(w->fault, sizeof(w->fault), "%s", text);
}

static void end_run(struct watch *w)
{
    struct err err = {0};
    bool       complete = w->complete;

    for (size_t i = 0; i < w->options->n_interfaces; i++) {
        const struct watch_interface *f = &w->recording.interfaces[i];

        complete &= f->unread == 0 && !f->gone;
        if (f->unread > 0)
            recording_lost(&w->recording, (uint32_t)i, "unread-at-stop", true, f->unread, w->recording.last_ns, w->recording.last_ns);
    }
    int rc = write_the_end(w);
    w->left_windows |= w->recording.n_windows_left > 0;
    if (rc == 0 && w->seats[0].fault[0] == '\0' && w->complete)
        w->fault[0] = '\0'; /* of a try before */
    if (rc == 0)
        rc = recording_end(&w->recording, complete, &err);
    if (rc != 0) {
        w->complete = false;
        tell_the_loss(w, err.msg[0] != '\0' ? err.msg : w->fault);
        store_recover(w->recording.store);
    }
}

static bool all_over(struct watch *w)
{
    bool over = true;

    for (size_t k = 0; k < w->n_seats; k++) {
        pthread_mutex_lock(&w->seats[k].lock);
        over &= w->seats[k].is_over;
        pthread_mutex_unlock(&w->seats[k].lock);
    }
    return over;
}

/* A record that is locked, or a disk that is full, does not end the watch: packets go on being judged until there is a run for them. */
static int begin_next_run(struct watch *w, const struct watch_rules *rules, struct store *store, struct err *reterr)
{
    struct err err = {0};
    int        rc = begin_run(w, rules, store, &err);

    if (rc != 0) {
        w->state.n_commits_failed++;
        w->calls->message(w->calls->aux, WATCH_ERROR, err.msg);
    }
    while (rc != 0 && !w->calls->stop(w->calls->aux) && !all_over(w)) {
        recording_free(&w->recording);
        store_recover(store);
        fill_state(w);
        w->calls->tick(w->calls->aux, &w->state);
        w->calls->idle(w->calls->aux, RETRY_NS);
        err = (struct err){0};
        rc = begin_run(w, rules, store, &err);
    }
    return rc == 0 ? 0 : err_set(reterr, rc, "%s", err.msg);
}

/* Every worker goes on with a shard of the new rules; the run of the old ones ends. */
static int turn(struct watch *w, const struct watch_rules *rules, enum watch_turn how, struct err *reterr)
{
    struct watch_rules old = w->recording.rules;
    struct store      *store = w->recording.store;
    struct shard      *next[LIVE_MAX_HANDLES];
    int                rc = 0;

    memset(next, 0, sizeof(next));
    for (size_t k = 0; rc == 0 && k < w->n_seats; k++)
        rc = workers_shard(w, k, rules->policy, &next[k], reterr);
    for (size_t k = 0; rc != 0 && k < w->n_seats; k++)
        shard_free(next[k]);
    if (rc != 0)
        return rc;
    for (size_t k = 0; k < w->n_seats; k++) {
        pthread_mutex_lock(&w->seats[k].lock);
        w->seats[k].next = next[k];
        pthread_mutex_unlock(&w->seats[k].lock);
    }
    for (size_t k = 0; k < w->n_seats; k++) {
        struct seat *s = &w->seats[k];
        bool         ready = false, over = false;

        while (!ready && !over) {
            pthread_mutex_lock(&s->lock);
            over = s->is_over;
            if (over && s->done == NULL) { /* it does not take its turn any more: its flows have ended */
                s->done = s->shard;
                s->shard = s->next;
                s->next = NULL;
            }
            ready = s->done != NULL;
            pthread_mutex_unlock(&s->lock);
            if (!ready && !over)
                w->calls->idle(w->calls->aux, IDLE_NS);
        }
        if (ready)
            take_shard(w, s, s->done);
    }
    end_run(w);
    w->run++;
    if (w->keeper != NULL)
        keeper_forget(w->keeper);
    recording_free(&w->recording);
    for (size_t k = 0; k < w->n_seats; k++) {
        shard_free(w->seats[k].done);
        pthread_mutex_lock(&w->seats[k].lock);
        w->seats[k].done = NULL;
        pthread_mutex_unlock(&w->seats[k].lock);
    }
    if (how == TURN_FILE)
        keep_next_file(w, &store);
    rc = begin_next_run(w, rules, store, reterr);
    if (old.policy != rules->policy)
        w->calls->released(w->calls->aux, &old);
    return rc;
}

static bool is_time_to_rotate(struct watch *w)
{
    int64_t length = w->options->rotate_ns, last = w->recording.last_ns;

    if (length <= 0 || last == INT64_MIN)
        return false;
    if (w->run_ends_ns == 0)
        w->run_ends_ns = (window_of(last, length) + 1) * length;
    return last >= w->run_ends_ns;
}

/* Has every worker that goes on handed over since the last evaluation? */
static bool is_fresh(struct watch *w)
{
    bool fresh = true;

    for (size_t k = 0; k < w->n_seats; k++) {
        pthread_mutex_lock(&w->seats[k].lock);
        fresh &= w->seats[k].is_over || recording_has(&w->recording, k);
        pthread_mutex_unlock(&w->seats[k].lock);
    }
    return fresh;
}

/* Is there anything to evaluate that was not there the last time? */
static bool is_due(struct watch *w, int64_t now)
{
    uint64_t seen = w->n_links + w->n_news;

    for (size_t i = 0; i < w->options->n_interfaces; i++)
        seen += w->recording.interfaces[i].seen;
    if (now < w->next_write || !is_fresh(w) || (seen == w->written_seen && !w->store_failed))
        return false;
    w->written_seen = seen;
    return true;
}

static int record_until_stop(struct watch *w, struct err *reterr)
{
    int64_t next_tick = 0;
    int     rc = 0;

    while (rc == 0 && !w->calls->stop(w->calls->aux) && !all_over(w)) {
        struct watch_rules rules;

        w->calls->idle(w->calls->aux, IDLE_NS);
        for (size_t k = 0; k < w->n_seats; k++)
            take_seat(w, &w->seats[k]);
        if (w->keeper != NULL)
            keeper_take(w->keeper);
        int64_t now = w->calls->steady(w->calls->aux);
        tell_drops(w);
        if (is_due(w, now))
            write_now(w, false);
        if (now >= next_tick) {
            fill_state(w);
            w->calls->tick(w->calls->aux, &w->state);
            next_tick = now + NS_PER_SECOND;
        }
        bool            is_new = w->calls->reload(w->calls->aux, &rules);
        enum watch_turn how = keep_asks(w);
        if (!is_new)
            rules = w->recording.rules;
        if (how == TURN_NONE && (is_new || is_time_to_rotate(w)))
            how = TURN_RUN;
        if (how != TURN_NONE)
            rc = turn(w, &rules, how, reterr);
    }
    return rc;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static void stop_workers(struct watch *w)
{
    atomic_store(&w->stop, true);
    for (size_t k = 0; k < w->n_seats; k++)
        for (size_t i = 0; w->seats[k].is_running && i < w->options->n_interfaces; i++)
            live_break(w->seats[k].ports[i].live);
    for (size_t k = 0; k < w->n_seats; k++) {
        if (!w->seats[k].is_running)
            continue;
        pthread_join(w->seats[k].thread, NULL);
        w->seats[k].is_running = false;
        if (w->seats[k].fault[0] != '\0')
            snprintf(w->fault, sizeof(w->fault), "%s", w->seats[k].fault);
        take_shard(w, &w->seats[k], w->seats[k].shard);
    }
}

/* Told, for it is not what the program would have. */
static void tell_fan_out(struct watch *w)
{
    char text[256];

    for (size_t i = 0; i < w->options->n_interfaces; i++)
        if (live_fan_out(w->seats[0].ports[i].live) == LIVE_BY_HASH) {
            snprintf(text, sizeof(text), "%s: the kernel deals packets out by its own hash of addresses and ports: ICMP errors, later fragments and flows that "
                     "negotiate others may be judged apart from theirs; -j 1 keeps them together", w->options->interfaces[i]);
            w->calls->message(w->calls->aux, WATCH_WARNING, text);
        }
}

int watch_run(struct watch *w, const struct watch_rules *rules, struct store *store, const struct watch_calls *calls, struct watch_result *ret,
              struct err *reterr)
{
    struct watch_result result = {0};

    w->calls = calls;
    store_patience(store, PATIENCE_MS);
    tell_fan_out(w);
    int rc = workers_prepare(w, rules, reterr);
    if (rc == 0)
        rc = begin_run(w, rules, store, reterr);
    if (rc == 0) {
        rc = workers_start(w, reterr);
        if (rc == 0)
            rc = record_until_stop(w, reterr);
        bool had_interfaces = !all_over(w) || calls->stop(calls->aux);
        stop_workers(w);
        if (w->recording.run_id != 0)
            end_run(w);
        fill_state(w);
        result.faulted = !had_interfaces || rc != 0 || w->fault[0] != '\0';
        calls->tick(calls->aux, &w->state);
    }
    result.state = w->state;
    result.complete = w->complete && !result.faulted && !w->left_windows;
    snprintf(result.fault, sizeof(result.fault), "%s", rc != 0 && reterr != NULL ? reterr->msg : w->fault);
    for (size_t i = 0; i < w->options->n_interfaces; i++)
        result.n_unread += w->interfaces[i].unread;
    for (unsigned kind = 0; kind < FINDING_N_KINDS; kind++)
        for (unsigned s = 0; s < SEVERITY_NOTICE; s++)
            result.n_findings += w->state.findings[kind][s];
    recording_free(&w->recording);
    *ret = result;
    return rc;
}
