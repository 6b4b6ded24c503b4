/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 4096
#define LOADS 16                /* that go round */
#define STEP (LOADS / 2)        /* to wake a thread costs more than a load does: they wake for so many */
#define LOAD_BYTES (256 * 1024) /* of packets; all loads together stay in a shared cache */
#define PROGRESS_EVERY (1u << 20) /* packets */

struct load {
    struct input_frame frames[BATCH];
    size_t             n, used;
    uint8_t            bytes[LOAD_BYTES];
};

struct worker {
    struct crew  *crew;
    struct shard *shard;
    pthread_t     thread;
    uint64_t      n_done; /* loads; under the crew's lock */
};

struct crew {
    struct audit      *audit;
    struct input_frame frames[BATCH]; /* as they were read */
    struct load       *loads;         /* NULL: one worker, which needs none */
    struct worker     *workers;
    size_t             n_workers;     /* that were started */
    pthread_mutex_t    lock;
    pthread_cond_t     more, room;
    uint64_t           n_ready;       /* loads so far; under the lock, as what follows */
    uint64_t           wanted;        /* the reader may wait for not more than so many to be left */
    bool               over;
};

/* --- workers ---------------------------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    struct worker *w = arg;
    struct crew   *crew = w->crew;

    pthread_mutex_lock(&crew->lock);
    for (;;) {
        while (w->n_done == crew->n_ready && !crew->over)
            pthread_cond_wait(&crew->more, &crew->lock);
        if (w->n_done == crew->n_ready)
            break;
        const struct load *load = &crew->loads[w->n_done % LOADS];
        pthread_mutex_unlock(&crew->lock);
        shard_batch(w->shard, load->frames, load->n);
        pthread_mutex_lock(&crew->lock);
        w->n_done++;
        if (crew->n_ready - w->n_done <= crew->wanted)
            pthread_cond_signal(&crew->room);
    }
    pthread_mutex_unlock(&crew->lock);
    shard_finish(w->shard);
    shard_free_flows(w->shard); /* merging and recording need room */
    return NULL;
}

/* Loads that are ready and that somebody is not done with. */
static uint64_t n_left(const struct crew *crew)
{
    uint64_t slowest = crew->n_ready;

    for (size_t i = 0; i < crew->n_workers; i++)
        slowest = crew->workers[i].n_done < slowest ? crew->workers[i].n_done : slowest;
    return crew->n_ready - slowest;
}

/* Where more than 'most' are left: until no more than 'wanted' are. */
static void wait_for_room(struct crew *crew, uint64_t most, uint64_t wanted)
{
    pthread_mutex_lock(&crew->lock);
    crew->wanted = wanted;
    if (n_left(crew) > most) {
        pthread_cond_broadcast(&crew->more);
        while (n_left(crew) > wanted)
            pthread_cond_wait(&crew->room, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
}

static struct load *current_load(const struct crew *crew)
{
    return &crew->loads[crew->n_ready % LOADS];
}

/* The load at hand goes to the workers, and the next is free. */
static void pass_on(struct crew *crew)
{
    if (current_load(crew)->n == 0)
        return;
    enum engine_stage stage = stopwatch_turn(&crew->audit->watch, ENGINE_WAIT);
    pthread_mutex_lock(&crew->lock);
    if (++crew->n_ready % STEP == 0)
        pthread_cond_broadcast(&crew->more);
    pthread_mutex_unlock(&crew->lock);
    wait_for_room(crew, LOADS - 1, LOADS - STEP);
    stopwatch_turn(&crew->audit->watch, stage);
    current_load(crew)->n = current_load(crew)->used = 0;
}

/* A frame that fits into no load is looked at where it lies, while the reader waits. */
static void pass_on_large(struct crew *crew, const struct input_frame *f)
{
    struct load *load = current_load(crew);

    load->frames[load->n++] = *f;
    pass_on(crew);
    wait_for_room(crew, 0, 0);
}

static void share_out(struct crew *crew, const struct input_frame *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct frame *f = &frames[i].frame;
        struct load        *load = current_load(crew);

        if (load->n == BATCH || f->caplen > LOAD_BYTES - load->used) {
            pass_on(crew);
            load = current_load(crew);
        }
        if (f->caplen > LOAD_BYTES) {
            pass_on_large(crew, &frames[i]);
            continue;
        }
        memcpy(load->bytes + load->used, f->data, f->caplen);
        load->frames[load->n] = frames[i];
        load->frames[load->n++].frame.data = load->bytes + load->used;
        load->used += f->caplen;
    }
}

/* --- the reader --------------------------------------------------------------------------------------------------- */

static void handle_batch(struct crew *crew, size_t n)
{
    struct stopwatch *w = &crew->audit->watch;

    if (crew->loads != NULL) {
        share_out(crew, crew->frames, n);
        return;
    }
    stopwatch_turn(w, ENGINE_WAIT); /* the worker has a stopwatch of its own */
    shard_batch(crew->audit->shards[0], crew->frames, n);
    stopwatch_turn(w, ENGINE_READ);
}

static void report_progress(const struct audit *a, uint64_t packets)
{
    struct engine_progress p = {.packets = packets, .n_inputs = (unsigned)inputs_count(a->inputs)};

    inputs_progress(a->inputs, &p.bytes, &p.bytes_total, &p.input);
    a->options->progress(a->options->progress_aux, &p);
}

static void take_batch(struct crew *crew, size_t n)
{
    struct stretches *heard = &crew->audit->heard;

    for (size_t i = 0; i < n; i++)
        stretches_note(heard, crew->frames[i].frame.ts_ns);
    handle_batch(crew, n);
}

static void read_all(struct crew *crew)
{
    struct audit                *a = crew->audit;
    const struct engine_options *o = a->options;
    uint64_t                     packets = 0, next_report = PROGRESS_EVERY;
    struct err                   err = {0};

    for (;;) {
        int n = inputs_next(a->inputs, crew->frames, BATCH, &err);

        if (n == -EINTR && o->stop != NULL && *o->stop != 0) {
            a->result->stopped = true;
            break;
        }
        if (n < 0) {
            a->result->faulted = true;
            snprintf(a->result->fault, sizeof(a->result->fault), "%s", err.msg);
        }
        if (n <= 0)
            break;
        take_batch(crew, (size_t)n);
        packets += (size_t)n;
        if (o->stop != NULL && *o->stop != 0) {
            a->result->stopped = true;
            break;
        }
        if (o->progress != NULL && packets >= next_report) {
            report_progress(a, packets);
            next_report = packets + PROGRESS_EVERY;
        }
    }
    /* Broken off, there are frames that were read ahead of others, and counted. */
    for (size_t n; (n = inputs_rest(a->inputs, crew->frames, BATCH)) > 0;)
        take_batch(crew, n);
}

/* --- beginning and end ---------------------------------------------------------------------------------------------- */

static int start_workers(struct crew *crew, struct err *reterr)
{
    struct audit *a = crew->audit;

    for (size_t i = 0; i < a->n_shards; i++) {
        crew->workers[i] = (struct worker){.crew = crew, .shard = a->shards[i]};
        int rc = pthread_create(&crew->workers[i].thread, NULL, work, &crew->workers[i]);
        if (rc != 0)
            return err_set(reterr, -rc, "cannot start worker %zu of %zu: %s", i + 1, a->n_shards, strerror(rc));
        watchdog_sit(a->watchdog, i, crew->workers[i].thread);
        crew->n_workers++;
    }
    return 0;
}

/* They finish what is ready, and their shards. */
static void end_workers(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->over = true;
    pthread_cond_broadcast(&crew->more);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < crew->n_workers; i++)
        pthread_join(crew->workers[i].thread, NULL);
}

static int run_many(struct crew *crew, struct err *reterr)
{
    struct audit *a = crew->audit;

    crew->loads = malloc(LOADS * sizeof(*crew->loads));
    crew->workers = calloc(a->n_shards, sizeof(*crew->workers));
    if (crew->loads == NULL || crew->workers == NULL)
        return err_set(reterr, -ENOMEM, "no memory for packets between %zu workers", a->n_shards);
    for (size_t i = 0; i < LOADS; i++)
        crew->loads[i].n = crew->loads[i].used = 0;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->more, NULL);
    pthread_cond_init(&crew->room, NULL);
    int rc = start_workers(crew, reterr);
    if (rc == 0 && a->digester != NULL)
        rc = digester_start(a->digester, reterr);
    if (rc == 0) {
        read_all(crew);
        pass_on(crew);
    }
    stopwatch_turn(&a->watch, ENGINE_WAIT);
    end_workers(crew);
    if (a->digester != NULL) {
        digester_finish(a->digester);
        inputs_take_digests(a->inputs);
    }
    pthread_cond_destroy(&crew->room);
    pthread_cond_destroy(&crew->more);
    pthread_mutex_destroy(&crew->lock);
    return rc;
}

static int run_alone(struct crew *crew)
{
    struct audit *a = crew->audit;

    watchdog_sit(a->watchdog, 0, pthread_self());
    read_all(crew);
    stopwatch_turn(&a->watch, ENGINE_WAIT);
    shard_finish(a->shards[0]);
    shard_free_flows(a->shards[0]);
    return 0;
}

int crew_run(struct audit *a, struct err *reterr)
{
    struct crew *crew = calloc(1, sizeof(*crew));

    if (crew == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a batch of packets");
    crew->audit = a;
    stopwatch_turn(&a->watch, ENGINE_READ);
    int rc = a->n_shards == 1 ? run_alone(crew) : run_many(crew, reterr);
    stopwatch_turn(&a->watch, ENGINE_CONCLUDE);
    free(crew->loads);
    free(crew->workers);
    free(crew);
    return rc;
}
