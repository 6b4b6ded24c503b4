/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices a packet that does not come back.
 *
 * Libndpi is not ours: one packet is known to hold version 4.2 for ever (classify.h says how that one is kept from it), and
 * there may be others.  Before a worker shows a packet to such code it says which one in its seat; a thread of the watchdog
 * looks at the seats, and tells who has been at one packet for longer than the limit.  What counts is the time that the
 * worker was computing: a machine that is busy or asleep holds nobody.
 *
 * A thread that is lost in foreign code cannot be brought back: it may be half-way through a change of the heap.  So who is told
 * has to end the process; what was committed before is in the record, and its run is not complete.
 *
 * Threads: made and freed by one thread; each seat belongs to one worker.
 */
#ifndef ENGINE_WATCHDOG_H
#define ENGINE_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

struct watchdog;

/* Comes from the watchdog's thread, once. */
typedef void watchdog_fn(void *aux, uint16_t input, uint64_t number);

struct watchdog_seat {
    _Atomic uint64_t step; /* odd: at a packet */
    _Atomic uint64_t number;
    _Atomic uint32_t input;
};

int  watchdog_new(size_t n_seats, int64_t limit_ns, watchdog_fn *, void *aux, struct watchdog **ret, struct err *reterr);
void watchdog_free(struct watchdog *); /* NULL is fine */
struct watchdog_seat *watchdog_seat(struct watchdog *, size_t i);
/* Whose time counts: called once for each seat, by the thread that owns the worker.  'thread' must live until
 * watchdog_leave() was called for the last time. */
void watchdog_sit(struct watchdog *, size_t i, pthread_t thread);

static inline void watchdog_enter(struct watchdog_seat *seat, uint16_t input, uint64_t number)
{
    if (seat == NULL)
        return;
    atomic_store_explicit(&seat->input, input, memory_order_relaxed);
    atomic_store_explicit(&seat->number, number, memory_order_relaxed);
    atomic_store_explicit(&seat->step, atomic_load_explicit(&seat->step, memory_order_relaxed) + 1, memory_order_release);
}

static inline void watchdog_leave(struct watchdog_seat *seat)
{
    if (seat != NULL)
        atomic_store_explicit(&seat->step, atomic_load_explicit(&seat->step, memory_order_relaxed) + 1, memory_order_release);
}

#endif
