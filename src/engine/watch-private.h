/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the live engine share: watch_worker.c has the workers, watch.c the loop of the recorder, watch_record.c what it
 * writes, watch_keep.c the bounds of the record. */
#ifndef ENGINE_WATCH_PRIVATE_H
#define ENGINE_WATCH_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit.h"
#include "flowaudit/keeper.h"
#include "flowaudit/live.h"
#include "flowaudit/watch.h"
#include "watchdog.h"
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
    uint64_t                    n_windows_left; /* as in struct audit, of the latest evaluation */
    uint64_t                    results[PACKET_N_RESULTS];
    struct watch_state         *state;
    struct keeper              *keeper;
    struct keeper_stats         kept_before; /* when the run began */
    struct store_evidence      *files;       /* of packets */
    size_t                      n_files, n_files_recorded;
    uint32_t                    run;         /* which of the program's */
    uint64_t                    evidence_told;
    int64_t                     next_evidence_told;
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
/* watch_evidence.c: writes the packets of what was just evaluated; 'final': and ends their file.  Then the files that are not in the record yet. */
void recording_keep_begins(struct recording *);
void recording_keep(struct recording *, const struct audit *, bool final);
int  recording_put_files(struct recording *, struct err *reterr);
size_t recording_evidence_counters(const struct recording *, struct store_counter *ret, size_t max);
void recording_free_files(struct recording *);
void recording_free(struct recording *);

/* What the bounds of the record ask for. */
enum watch_turn { TURN_NONE, TURN_RUN, TURN_FILE };

/* See watch_keep.c. */
struct keep {
    uint64_t used_before; /* pages in use, in bytes, that are not this run's */
    int64_t  begun, next_look, next_file_try;
    bool     wants_file, wants_run;
};

struct seat;

/* One handle of one interface, in the hands of one worker. */
struct port {
    struct seat *seat;
    struct live *live;
    uint16_t     input;
    bool         down, gone;    /* as the worker found it */
    struct live_stats stats;    /* as it was left for the recorder; under the seat's lock */
    bool         said_down, said_gone;
    struct live_stats taken;    /* the recorder's: what it knows of already */
};

struct seat {
    struct watch   *watch;
    size_t          index;
    pthread_t       thread;
    bool            is_running; /* its thread is to be joined */
    const struct frame *frame;  /* at hand */
    uint32_t        run;        /* how many it has ended: which of the program's runs its packets are of */
    bool            had_news;   /* the recorder's: packets were in what it took last */
    struct port    *ports;
    struct shard   *shard;
    int64_t         next_pass;
    bool            was_quiet;  /* no interface had a packet the last time ... */
    int64_t         quiet_since; /* ... nor since then */
    uint64_t        bytes;      /* of all packets, on the wire */
    /* Under 'lock': what lies between worker and recorder. */
    pthread_mutex_t lock;
    struct part    *ended, *open;
    struct shard   *next;       /* to go on with */
    struct shard   *done;       /* the one before, all its flows ended */
    struct flow_table_stats flow_stats;
    int64_t         latest_ns;
    uint64_t        bytes_left; /* as 'bytes' was then */
    bool            waits;      /* flows were too young to be told: there will be news without packets */
    bool            is_over;
    char            fault[256];
};

struct watch {
    const struct watch_options *options;
    const struct watch_calls   *calls;
    struct seat                *seats;
    size_t                      n_seats;
    struct app_list            *apps;
    struct keeper              *keeper; /* of packets, or NULL */
    uint32_t                    run;    /* which of the program's runs is recorded, from 0 */
    struct watchdog            *watchdog;
    atomic_bool                 stop;
    bool                        left_windows; /* of some run: not evaluated */
    struct recording            recording;
    struct watch_state          state;
    struct watch_interface     *interfaces; /* since the start */
    uint64_t                    results[PACKET_N_RESULTS];
    int64_t                     next_write, handed_over, committed, run_ends_ns;
    uint64_t                    n_news;         /* hand-overs with packets, and the one after each: flows that were passed before their last packet */
    uint64_t                    written_seen;   /* packets of the run, hand-overs and changes of links, at the latest evaluation */
    struct keep                 keep;
    int64_t                     file_window;      /* the time of which the file at work is */
    uint64_t                    packets_recorded; /* of the run, as of the latest commit */
    uint64_t                    dropped_told, n_links;
    int64_t                     next_drop_told;
    bool                        store_failed, complete;
    char                        fault[512];
};

/* watch_keep.c: a run has begun; was written; must a new run, or a new file, begin? */
void keep_begin(struct watch *);
void keep_look(struct watch *);
enum watch_turn keep_asks(struct watch *);
/* The store to go on with, where it is to be another; all stays as it is, and is told, where there is none. */
void keep_next_file(struct watch *, struct store **io);

/* A shard of these rules for a worker. */
int  workers_shard(struct watch *, size_t index, const struct policy *, struct shard **ret, struct err *reterr);
/* All that the workers need; then the workers. */
int  workers_prepare(struct watch *, const struct watch_rules *, struct err *reterr);
int  workers_start(struct watch *, struct err *reterr);

#endif
