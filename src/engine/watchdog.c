/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_IN_LIMIT 8 /* so often within the limit the seats are looked at */
#define SECOND INT64_C(1000000000)
#define CACHE_LINE 64 /* seats of two workers do not share one */

struct chair {
    _Alignas(CACHE_LINE) struct watchdog_seat seat;
    _Atomic bool taken; /* 'clock' is set */
    clockid_t    clock; /* the worker's time */
    uint64_t     step;  /* as last seen, and the worker's time then */
    int64_t      since_ns;
};

struct watchdog {
    pthread_t       thread;
    pthread_mutex_t mutex;
    pthread_cond_t  wake;
    bool            over; /* under 'mutex' */
    int64_t         limit_ns;
    watchdog_fn    *fn;
    void           *aux;
    size_t          n_chairs;
    struct chair   *chairs;
};

/* Has the worker on this chair been at one packet for too long? */
static bool chair_is_stuck(struct chair *c, int64_t limit_ns)
{
    struct timespec t;
    uint64_t        step = atomic_load_explicit(&c->seat.step, memory_order_acquire);

    if (!atomic_load_explicit(&c->taken, memory_order_acquire) || step % 2 == 0 || clock_gettime(c->clock, &t) != 0)
        return false;
    int64_t now_ns = t.tv_sec * SECOND + t.tv_nsec;
    if (step != c->step) {
        c->step = step;
        c->since_ns = now_ns;
        return false;
    }
    return now_ns - c->since_ns > limit_ns;
}

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    bool             told = false;

    pthread_mutex_lock(&w->mutex);
    while (!w->over) {
        struct timespec until;
        int64_t         pause_ns = w->limit_ns / LOOKS_IN_LIMIT;

        clock_gettime(CLOCK_MONOTONIC, &until);
        pause_ns += until.tv_nsec;
        until.tv_sec += pause_ns / SECOND;
        until.tv_nsec = pause_ns % SECOND;
        pthread_cond_clockwait(&w->wake, &w->mutex, CLOCK_MONOTONIC, &until);
        for (size_t i = 0; i < w->n_chairs && !told; i++) {
            struct watchdog_seat *seat = &w->chairs[i].seat;

            if (w->over || !chair_is_stuck(&w->chairs[i], w->limit_ns))
                continue;
            told = true;
            w->fn(w->aux, (uint16_t)atomic_load_explicit(&seat->input, memory_order_relaxed),
                  atomic_load_explicit(&seat->number, memory_order_relaxed));
        }
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Signals are for the threads that read: they interrupt a wait there. */
static int start(struct watchdog *w)
{
    sigset_t all, before;

    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int watchdog_new(size_t n_seats, int64_t limit_ns, watchdog_fn *fn, void *aux, struct watchdog **ret, struct err *reterr)
{
    struct watchdog *w = calloc(1, sizeof(*w));

    if (w != NULL)
        w->chairs = aligned_alloc(CACHE_LINE, n_seats * sizeof(*w->chairs));
    if (w == NULL || w->chairs == NULL) {
        free(w);
        return err_set(reterr, -ENOMEM, "no memory for the watchdog");
    }
    memset(w->chairs, 0, n_seats * sizeof(*w->chairs));
    w->n_chairs = n_seats;
    w->limit_ns = limit_ns;
    w->fn = fn;
    w->aux = aux;
    int rc = start(w);
    if (rc != 0) {
        free(w->chairs);
        free(w);
        return err_set(reterr, -rc, "cannot start the watchdog: %s", strerror(rc));
    }
    *ret = w;
    return 0;
}

void watchdog_free(struct watchdog *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->over = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->chairs);
    free(w);
}

struct watchdog_seat *watchdog_seat(struct watchdog *w, size_t i)
{
    return w != NULL ? &w->chairs[i].seat : NULL;
}

void watchdog_sit(struct watchdog *w, size_t i, pthread_t thread)
{
    if (w != NULL && pthread_getcpuclockid(thread, &w->chairs[i].clock) == 0)
        atomic_store_explicit(&w->chairs[i].taken, true, memory_order_release);
}
