/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of one thread goes: it is in one stage at any moment, and turns from one to the next.  The clock is the caller's, read once
 * a turn; without one nothing is read.  Turns are made for batches, for payloads that are still of interest and for flows that end:
 * a packet of a known and classified flow makes none.
 */
#ifndef ENGINE_STOPWATCH_H
#define ENGINE_STOPWATCH_H

#include "flowaudit/engine.h"

struct stopwatch {
    int64_t         (*clock)(void); /* NULL: it stands still */
    int64_t           since;
    enum engine_stage stage;
    int64_t           ns[ENGINE_N_STAGES];
};

/* Time counts from now on, as the time of this stage. */
static inline void stopwatch_start(struct stopwatch *w, int64_t (*clock)(void), enum engine_stage stage)
{
    *w = (struct stopwatch){.clock = clock, .since = clock != NULL ? clock() : 0, .stage = stage};
}

/* From the stage that it is in, which is returned, to another. */
static inline enum engine_stage stopwatch_turn(struct stopwatch *w, enum engine_stage to)
{
    enum engine_stage from = w->stage;

    if (w->clock != NULL) {
        int64_t now = w->clock();

        w->ns[from] += now - w->since;
        w->since = now;
        w->stage = to;
    }
    return from;
}

/* stats.c: the times and the sizes of tables of an audit that is done, into its result. */
struct audit;
void audit_sum_stats(struct audit *);

#endif
