/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a shard share: shard.c has the way of a packet, shard_fold.c what becomes of a flow that ended. */
#ifndef ENGINE_SHARD_PRIVATE_H
#define ENGINE_SHARD_PRIVATE_H

#include "shard.h"

/* The shard's own state of a flow, in flow_ext(): kept small, for every flow with payload has one. */
struct flow_state {
    struct classify_state *classify;
    struct pinhole_state  *pinhole;
    const char *const     *expected;
    uint16_t               app;        /* index in the shard's list of apps; 0 = nothing recognised */
    uint8_t                n_sniffs;   /* payloads in which signalling was looked for */
    uint8_t                first_side; /* that sent the first payload shown */
    bool                   begun : 1, is_reply : 1, is_answer : 1;
    bool                   is_late : 1; /* data that was not captured came before the first that was */
    /* Where either side may ask (classify_has_talk): bits of those that did, and that answered a question; did any answer what may be a broadcast? */
    uint8_t                asks : 2, answers : 2, answers_all : 1;
    uint8_t                is_damaged : 1; /* the IP header of the first payload shown has a wrong checksum */
};

#define RESULTS_BITS 6

/* The number of a result, by what classification has of it. */
struct known_result {
    struct classify_outcome outcome;
    uint16_t                app;
    bool                    is_known;
};

struct shard {
    struct shard_options       options;
    const struct policy       *policy;
    struct policy_memo        *memo;
    struct flow_table         *flows;
    struct classifier         *classifier;
    struct pinholes           *pinholes;
    struct part               *ended;   /* flows that ended, and all that is not of flows */
    struct part               *later;   /* the same of flows that the pass under way has told as open, or NULL */
    struct part               *open;    /* flows as the pass under way found them, or NULL: no pass */
    struct flow_walk           walk;
    const struct app_entry   **apps;    /* distinct results so far; the first is "nothing" */
    uint16_t                   n_apps;
    uint16_t                   app_slots[2 * APPS_MAX]; /* index + 1, by hash */
    struct known_result        results[1 << RESULTS_BITS]; /* one that falls on the place of another takes it */
    struct hash_key            hash_key;
    uint64_t                   n_since_sweep;
    uint64_t                   n_given_up; /* contents, as far as a part knows */
    struct flow_table_stats    flow_stats;    /* once 'flows' is NULL */
    struct pinholes_stats      pinholes_told; /* as far as a part knows */
    int64_t                    clock_ns;  /* the latest of all packets, not of this shard's alone, since time stepped back ... */
    int64_t                    latest_ns; /* ... and before it did */
    int64_t                    step_ns;   /* to where it stepped last */
    uint64_t                   quiet_ns;  /* for so long no packet came after the latest */
    uint64_t                   n_young;   /* flows that the latest pass left for the next */
    unsigned                   n_steps;   /* how often it did within an hour of each other, at most MOST_STEPS */
    struct stopwatch           watch;
};

/* A record of a flow, judged, into a part.  'state': of a flow that has one. */
void shard_fold(struct shard *, struct part *, struct flow_record *, const struct flow_state *state, const struct app_entry *);

#endif
