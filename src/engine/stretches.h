/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When files show that they were captured: stretches of packets of anyone, in any order, of which each is near the next.  A longer time without a
 * packet may be silence, or a capture that did not run, or two that were joined: files do not say.
 */
#ifndef ENGINE_STRETCHES_H
#define ENGINE_STRETCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/policy.h"

#define HOLE_NS (60 * INT64_C(1000000000)) /* hosts that run, and files of one rotation, are not silent for longer */

struct stretches {
    struct stretch  now;   /* that the latest packet went on with; last_ns 0: none yet */
    struct stretch *items; /* the others; once united in order, and all */
    size_t          n;
    bool            failed; /* for want of memory */
};

void stretches_begin(struct stretches *, int64_t ns);
int  stretches_unite(struct stretches *); /* 0 or -ENOMEM */

/* A packet of this time; 0: it has none. */
static inline void stretches_note(struct stretches *s, int64_t ns)
{
    if (s->now.last_ns != 0 && ns >= s->now.last_ns && (uint64_t)ns - (uint64_t)s->now.last_ns <= (uint64_t)HOLE_NS)
        s->now.last_ns = ns;
    else if (s->now.last_ns == 0 || ns < s->now.first_ns || ns > s->now.last_ns)
        stretches_begin(s, ns);
}

#endif
