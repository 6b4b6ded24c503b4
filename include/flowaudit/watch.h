/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of live interfaces, until it is told to stop.
 *
 * Overview: every worker has a handle of each interface and a shard of its own, and judges each packet to completion where the kernel put it.
 * About once a second it hands over what it found out: flows that ended, and the open ones as they stand.  The calling thread is
 * the recorder: it adds the former up, evaluates both together exactly as engine_check() does a capture, and writes what is new or
 * has changed in one transaction.  So a live run says at any time what a capture of the same packets would say, and a slow disk, a
 * locked record or a long evaluation makes the record late and never the workers.
 *
 * Time is packet time: on an idle line nothing expires.  'steady' only paces the work.
 *
 * A run ends, and another begins, when the rules are read anew, at the end of 'rotate_ns', and with each new file; flows end with it.
 *
 * watch_run() is called from one thread; it calls back from the same.
 */
#ifndef FLOWAUDIT_WATCH_H
#define FLOWAUDIT_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/engine.h"
#include "flowaudit/err.h"
#include "flowaudit/packet.h"
#include "flowaudit/policy.h"
#include "flowaudit/store.h"

#define WATCH_MAX_INTERFACES 16

struct watch_options {
    struct engine_options engine;       /* n_workers, filter, flow, flows_kept, flows_all, peers_kept, window_ns; no inputs */
    const char *const    *interfaces;
    size_t                n_interfaces;
    size_t                ring_bytes;   /* of each handle; 0: the default of live.h */
    uint32_t              snaplen;
    bool                  no_promiscuous;
    int64_t               rotate_ns;    /* a run covers so much packet time, counted from 1970; 0: no end */
    int64_t               keep_ns;      /* runs that ended so long before the latest packet are removed; 0: kept */
    /* The record's file and its log take about so much at most: the oldest runs are removed, and a run that takes a quarter of it ends; 0: no bound. */
    uint64_t              max_bytes;
    uint64_t              other_bytes; /* of it other files of the record take so much already; the caller may say so anew at each tick */
    uint64_t              log_bytes;   /* its log, where a reader keeps it from being emptied, before a new file is asked for; 0: 256 MiB */
    /* A new file is asked for (see next_store) when the record has grown so large, and at the end of so much packet time; 0: not. */
    uint64_t              file_bytes;
    int64_t               file_ns;
    /* Packets of what breaks the document are kept in this folder, in so many bytes at most (keeper.h); NULL: none. */
    const char           *evidence_folder, *application;
    uint64_t              evidence_bytes;
};

struct watch_interface {
    const char *name;
    bool        up, gone;
    uint64_t    received, dropped, interface_dropped, seen, unread;
};

/* Counters since the start of the program, but for the last block: of the run. */
struct watch_state {
    int64_t                       run_id;
    int64_t                       packet_ns;   /* of the latest packet; 0: none yet */
    uint64_t                      packets, decoded, filtered, bytes;
    const uint64_t               *results;     /* by enum packet_result */
    const struct watch_interface *interfaces;
    size_t                        n_interfaces;
    uint64_t                      flows_now, flows, flows_evicted, memory;
    double                        lag;         /* seconds from the latest packet handed over to the latest commit */
    uint64_t                      n_commits, n_commits_failed;
    uint64_t                      n_runs_removed, n_files; /* runs that were not kept; new files begun */
    uint64_t                      conversations, waived;
    uint64_t                      findings[FINDING_N_KINDS][SEVERITY_NOTICE + 1];
    uint64_t                      expectations[EXPECT_NOT_COVERED + 1];
};

/* A new set of rules, from 'reload'; the old ones stay the caller's to free, after 'released' was called with them. */
struct watch_rules {
    const struct policy *policy;
    const struct site   *site;
    struct store_run     run;
};

enum watch_level { WATCH_INFO, WATCH_WARNING, WATCH_ERROR };

struct watch_calls {
    void *aux;
    int64_t (*steady)(void *aux);                   /* nanoseconds of a clock that nobody sets */
    void (*idle)(void *aux, int64_t ns);            /* waits at most so long; may do what the caller has to do */
    bool (*stop)(void *aux);
    bool (*reload)(void *aux, struct watch_rules *ret); /* true: rules are to be changed, and 'ret' has them */
    void (*released)(void *aux, const struct watch_rules *); /* of these nothing is used any more */
    /* A run has begun, or ended.  The store stays open. */
    void (*run_begins)(void *aux, int64_t run_id);
    void (*finding)(void *aux, int64_t run_id, const struct store_finding *, const char *community_id, bool is_new);
    void (*message)(void *aux, enum watch_level, const char *text);
    void (*tick)(void *aux, const struct watch_state *);
    int64_t (*now)(void *aux);                      /* the time of day, for when runs begin and end */
    /* The record goes on in a new file: puts its store, without a run, in the place of the one there, and closes that.  Also asked for where somebody
     * who reads the record does not let its log be emptied.  'at_ns': of the latest packet.  Negative: all stays as it is. */
    int (*next_store)(void *aux, int64_t at_ns, struct store **io, struct err *reterr);
    /* What else the record is to count; at most 'max'. */
    size_t (*counters)(void *aux, struct store_counter *ret, size_t max);
};

struct watch_result {
    struct watch_state state;
    bool     complete;     /* all runs were */
    bool     faulted;      /* the sentence says why it ended */
    char     fault[512];
    uint64_t n_findings, n_unread;
};

struct watch;
/* Opens the interfaces: what needs rights is done then.  Errors as live_open(). */
int  watch_open(const struct watch_options *, struct watch **ret, struct err *reterr);
/* Until calls.stop says so, or no interface is left.  'store' is open and without a run.  0, or negative where not even a run could begin. */
int  watch_run(struct watch *, const struct watch_rules *, struct store *, const struct watch_calls *, struct watch_result *ret, struct err *reterr);
void watch_free(struct watch *);

#endif
