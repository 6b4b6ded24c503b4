/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the live engine share: watch.c has the workers, watch_record.c the recorder. */
#ifndef ENGINE_WATCH_PRIVATE_H
#define ENGINE_WATCH_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit.h"
#include "flowaudit/live.h"
#include "flowaudit/watch.h"
#include "written.h"

#define NS_PER_SECOND INT64_C(1000000000)

/* A time in which an interface was not heard. */
struct outage { uint32_t input; int64_t from_ns, to_ns; }; /* to_ns 0: it lasts */

/* The recorder's side of one run; see watch_record.c. */
struct recording {
    const struct watch_options *options;
    struct watch_rules          rules;
    struct store               *store;
    const struct watch_calls   *calls;
    struct inputs              *inputs;   /* names of the interfaces */
    struct app_list            *apps;     /* the program's, not the run's */
    struct part                *ended;    /* all flows that ended in this run */
    struct announcements        announcements; /* of this run, taken out of 'ended' */
    struct part               **open;     /* by worker: its open flows as handed over last, or NULL: evaluated already */
    struct part               **queries;  /* by worker: what was asked of groups lately, or NULL */
    size_t                      n_workers;
    struct written              *written;
    uint32_t                    pass;
    int64_t                     run_id;
    struct loss_span           *losses;
    size_t                      n_losses, n_losses_allocated;
    struct outage              *outages;
    size_t                      n_outages, n_outages_allocated;
    struct watch_interface     *interfaces; /* counters of this run */
    int64_t                     first_ns, last_ns; /* of packets */
    int64_t                     summary_written;
    uint64_t                    hosts_hash;
    bool                        rows_written, distrusted;
    uint64_t                    results[PACKET_N_RESULTS];
    struct watch_state         *state;
};

int  recording_begin(struct recording *, const struct watch_rules *, struct err *reterr);
/* Takes over both parts of a worker; -ENOMEM: some of it is lost, and counted. */
int  recording_take(struct recording *, size_t worker, struct part *ended, struct part *open);
/* Does this worker's latest hand-over wait for an evaluation? */
bool recording_has(const struct recording *, size_t worker);
/* Evaluates, writes what is new and commits.  'final': flows have all ended, everything is written as it stands. */
int  recording_write(struct recording *, bool final, struct err *reterr);
int  recording_end(struct recording *, bool complete, struct err *reterr);
void recording_lost(struct recording *, uint32_t input, const char *reason, bool known, uint64_t packets, int64_t from_ns, int64_t to_ns);
void recording_outage(struct recording *, uint32_t input, bool begins, int64_t at_ns);
void recording_free(struct recording *);

#endif
