/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers of a live run.
 *
 * A worker's life: dispatch each of its handles in turn; once a second look at the open flows, a few at a time between packets, and leave what was
 * found out in its seat, if the recorder has taken what lay there before; else go on and leave more later.  Packets never wait
 * for the recorder.
 *
 * A turn (new rules, or the end of a run's time): each worker ends all flows of its shard, leaves it as a whole, and goes on with the one that
 * was put beside its seat.  Packets that come meanwhile wait in the ring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch-private.h"

#define PASS_EVERY NS_PER_SECOND
#define PASS_BUDGET 4096         /* flows looked at between two calls for packets */

/* --- workers ------------------------------------------------------------------------------------------- */

/* Numbers are each handle's own: made distinct among those of one interface. */
static void on_frame(void *aux, const struct frame *frame)
{
    struct port       *p = aux;
    struct input_frame f = {*frame, p->input, p->input};

    f.frame.number = (frame->number - 1) * p->seat->watch->n_seats + p->seat->index + 1;
    p->seat->bytes += frame->wirelen;
    p->seat->frame = frame;
    shard_batch(p->seat->shard, &f, 1);
}

/* The packet of the frame at hand: the first ones of each flow may be wanted later. */
static void on_seen(void *aux, const struct packet *p, enum packet_result result, uint64_t nth)
{
    const struct seat *s = aux;

    if (nth <= KEEPER_FLOW_PACKETS)
        keeper_offer(s->watch->keeper, (unsigned)s->index, s->run, s->frame, p, result);
}

static void note_port(struct port *p, int rc, const struct err *err)
{
    struct seat *s = p->seat;

    pthread_mutex_lock(&s->lock);
    p->down = rc == -ENETDOWN;
    if (rc < 0 && rc != -ENETDOWN) {
        p->gone = true;
        snprintf(s->fault, sizeof(s->fault), "%s", err->msg);
    }
    live_stats(p->live, &p->stats);
    pthread_mutex_unlock(&s->lock);
}

/* Packets of all interfaces once.  False: none is left. */
static bool dispatch_all(struct seat *s)
{
    size_t n_left = 0;

    for (size_t i = 0; i < s->watch->options->n_interfaces; i++) {
        struct port *p = &s->ports[i];
        struct err   err = {0};

        if (p->gone)
            continue;
        int rc = live_dispatch(p->live, on_frame, p, &err);
        if (rc < 0 || p->down)
            note_port(p, rc, &err);
        s->was_quiet &= rc <= 0;
        n_left += !p->gone;
    }
    return n_left > 0;
}

static void leave_counts(struct seat *s)
{
    for (size_t i = 0; i < s->watch->options->n_interfaces; i++)
        live_stats(s->ports[i].live, &s->ports[i].stats);
    shard_flow_stats(s->shard, &s->flow_stats);
    s->latest_ns = shard_latest_ns(s->shard);
    s->bytes_left = s->bytes;
}

/* Once a second, if the recorder has taken what was left the last time. */
static void step_pass(struct seat *s)
{
    int64_t now = s->watch->calls->steady(s->watch->calls->aux);

    if (!s->was_quiet)
        s->quiet_since = now;
    s->was_quiet = true;
    if (now < s->next_pass || !shard_pass_step(s->shard, PASS_BUDGET, (uint64_t)(now - s->quiet_since)))
        return;
    pthread_mutex_lock(&s->lock);
    if (s->ended == NULL && s->done == NULL && shard_pass_take(s->shard, &s->ended, &s->open, NULL) == 0)
        s->next_pass = now + PASS_EVERY;
    s->waits = shard_pass_waits(s->shard);
    leave_counts(s);
    pthread_mutex_unlock(&s->lock);
}

static void take_turn(struct seat *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->next != NULL && s->done == NULL) {
        shard_finish(s->shard);
        leave_counts(s);
        s->done = s->shard;
        s->shard = s->next;
        s->next = NULL;
        s->run++;
    }
    pthread_mutex_unlock(&s->lock);
}

static void drain_all(struct seat *s)
{
    for (size_t i = 0; i < s->watch->options->n_interfaces; i++) {
        struct err err = {0};

        if (s->ports[i].gone || live_drain(s->ports[i].live, on_frame, &s->ports[i], &err) == 0)
            continue;
        pthread_mutex_lock(&s->lock);
        snprintf(s->fault, sizeof(s->fault), "%s", err.msg);
        pthread_mutex_unlock(&s->lock);
    }
}

static void *work(void *arg)
{
    struct seat *s = arg;

    while (!atomic_load(&s->watch->stop) && dispatch_all(s)) {
        step_pass(s);
        take_turn(s);
    }
    drain_all(s);
    shard_finish(s->shard);
    pthread_mutex_lock(&s->lock);
    leave_counts(s);
    s->is_over = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- opening and closing ----------------------------------------------------------------------------------- */

static int open_interface(struct watch *w, size_t i, struct err *reterr)
{
    const struct watch_options *o = w->options;
    unsigned                    each = (unsigned)(100 / o->n_interfaces);
    struct live_options         lo = {
                .filter = o->engine.filter,
                .ring_bytes = o->ring_bytes,
                .n_handles = (unsigned)w->n_seats,
                .snaplen = o->snaplen,
                .timeout_ms = each > 10 ? each : 10, /* an idle interface does not keep the others waiting */
                .no_promiscuous = o->no_promiscuous,
    };
    struct live **handles = calloc(w->n_seats, sizeof(*handles));
    int           rc = handles == NULL ? err_set(reterr, -ENOMEM, "no memory for %s", o->interfaces[i]) : live_open(o->interfaces[i], &lo, handles, reterr);

    for (size_t k = 0; rc == 0 && k < w->n_seats; k++)
        w->seats[k].ports[i] = (struct port){.seat = &w->seats[k], .live = handles[k], .input = (uint16_t)i};
    free(handles);
    return rc;
}

int watch_open(const struct watch_options *options, struct watch **ret, struct err *reterr)
{
    struct watch *w = calloc(1, sizeof(*w));
    int           rc = 0;

    if (w == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a live run");
    if (options->n_interfaces > WATCH_MAX_INTERFACES || options->engine.n_workers > LIVE_MAX_HANDLES) {
        free(w);
        return err_set(reterr, -E2BIG, "at most %d interfaces and %d workers", WATCH_MAX_INTERFACES, LIVE_MAX_HANDLES);
    }
    w->options = options;
    w->complete = true;
    w->seats = calloc(options->engine.n_workers, sizeof(*w->seats));
    w->interfaces = calloc(options->n_interfaces, sizeof(*w->interfaces));
    if (w->seats == NULL || w->interfaces == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for a live run");
    for (; rc == 0 && w->n_seats < options->engine.n_workers; w->n_seats++) {
        struct seat *s = &w->seats[w->n_seats];

        *s = (struct seat){.watch = w, .index = w->n_seats, .latest_ns = INT64_MIN};
        s->ports = calloc(options->n_interfaces, sizeof(*s->ports));
        if (s->ports == NULL || pthread_mutex_init(&s->lock, NULL) != 0)
            rc = err_set(reterr, -ENOMEM, "no memory for a live run");
    }
    for (size_t i = 0; rc == 0 && i < options->n_interfaces; i++) {
        w->interfaces[i] = (struct watch_interface){.name = options->interfaces[i], .up = true};
        rc = open_interface(w, i, reterr);
    }
    if (rc != 0) {
        watch_free(w);
        return rc;
    }
    *ret = w;
    return 0;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    for (size_t k = 0; k < w->n_seats; k++) {
        struct seat *s = &w->seats[k];

        for (size_t i = 0; s->ports != NULL && i < w->options->n_interfaces; i++)
            live_free(s->ports[i].live);
        free(s->ports);
        part_free(s->ended);
        part_free(s->open);
        shard_free(s->shard);
        shard_free(s->next);
        shard_free(s->done);
        pthread_mutex_destroy(&s->lock);
    }
    watchdog_free(w->watchdog);
    keeper_free(w->keeper);
    free(w->seats);
    free(w->interfaces);
    app_list_free(w->apps);
    free(w);
}

int workers_shard(struct watch *w, size_t index, const struct policy *policy, struct shard **ret, struct err *reterr)
{
    const struct engine_options *o = &w->options->engine;
    struct shard_options         so = {
                .n_shards = 1, /* the kernel dealt the packets out: all that come are this shard's */
                .n_inputs = w->options->n_interfaces,
                .flow = o->flow,
                .limits = {.flows_kept = o->flows_kept, .flows_all = o->flows_all, .peers_kept = o->peers_kept, .window_ns = o->window_ns},
                .apps = w->apps,
                .window_ns = o->window_ns,
                .prepare = true,
                .seen = w->keeper != NULL ? on_seen : NULL,
                .seen_aux = &w->seats[index],
                .seat = w->watchdog != NULL ? watchdog_seat(w->watchdog, index) : NULL,
    };

    shard_share_memory(&so, o->flow.memory_limit, (unsigned)w->n_seats);
    return shard_new(&so, policy, ret, reterr);
}

static void on_stuck(void *aux, uint16_t input, uint64_t number)
{
    const struct watch *w = aux;

    w->options->engine.stuck(w->options->engine.stuck_aux, w->options->interfaces[input], number);
}

int workers_prepare(struct watch *w, const struct watch_rules *rules, struct err *reterr)
{
    const struct engine_options *o = &w->options->engine;
    int                          rc = app_list_new(&w->apps, reterr);

    if (rc == 0 && o->stuck != NULL)
        rc = watchdog_new(w->n_seats, o->stuck_ns, on_stuck, w, &w->watchdog, reterr);
    if (rc == 0 && w->options->evidence_folder != NULL) {
        const struct keeper_options ko = {
            .folder = w->options->evidence_folder, .max_bytes = w->options->evidence_bytes, .application = w->options->application,
            .inputs = w->options->interfaces, .n_inputs = w->options->n_interfaces, .n_sources = w->n_seats,
        };

        rc = keeper_new(&ko, &w->keeper, reterr);
    }
    for (size_t k = 0; rc == 0 && k < w->n_seats; k++)
        rc = workers_shard(w, k, rules->policy, &w->seats[k].shard, reterr);
    return rc;
}

int workers_start(struct watch *w, struct err *reterr)
{
    for (size_t k = 0; k < w->n_seats; k++) {
        int rc = pthread_create(&w->seats[k].thread, NULL, work, &w->seats[k]);

        if (rc != 0)
            return err_set(reterr, -rc, "cannot start worker %zu of %zu: %s", k + 1, w->n_seats, strerror(rc));
        w->seats[k].is_running = true;
        if (w->watchdog != NULL)
            watchdog_sit(w->watchdog, k, w->seats[k].thread);
    }
    return 0;
}
