/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of a set of capture files: reading, tracking, judging, recording.
 *
 * Overview: inputs are merged in time order into batches of borrowed frames.  Each worker looks at every batch
 * and handles the packets of its shard (by address pair) where they lie; flows that end are judged and folded into
 * conversations; at the end the shards' conversations are merged, expectations evaluated, findings drawn up
 * and all of it handed to the store.  The result does not depend on the number of workers.
 *
 * This is the only module that knows threads.  engine_check() is called from one thread.
 */
#ifndef FLOWAUDIT_ENGINE_H
#define FLOWAUDIT_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/flow.h"
#include "flowaudit/learn.h"
#include "flowaudit/policy.h"
#include "flowaudit/rules.h"
#include "flowaudit/store.h"

struct engine_progress {
    uint64_t packets, bytes, bytes_total; /* bytes of the inputs as stored; total 0 where not known */
    unsigned input, n_inputs;             /* 1-based: inputs begun so far */
};
typedef void engine_progress_fn(void *aux, const struct engine_progress *);

/* What a thread of the engine is busy with. */
enum engine_stage {
    ENGINE_START,    /* opening inputs, making tables and classifiers */
    ENGINE_READ,     /* from files to frames */
    ENGINE_DIGEST,   /* SHA-256 of the inputs */
    ENGINE_DECODE,   /* from frames to packets, and the hashes of their flows */
    ENGINE_FLOW,     /* the flow table */
    ENGINE_CLASSIFY, /* what payloads carry, and the ports that they negotiate */
    ENGINE_JUDGE,    /* flows that ended: policy and conversations */
    ENGINE_CONCLUDE, /* all workers' conversations as one: expectations and findings */
    ENGINE_RECORD,
    ENGINE_WAIT,     /* for another thread */
    ENGINE_N_STAGES
};
const char *engine_stage_name(enum engine_stage); /* one word; static */

/* Of a run that ended.  Peaks are the sum of the workers' own. */
struct engine_stats {
    int64_t  ns[ENGINE_N_STAGES]; /* of all workers together; all 0 without engine_options.clock */
    int64_t  elapsed_ns;          /* of engine_check(), until these numbers were made */
    unsigned n_workers;
    struct flow_table_stats flows;
    uint64_t n_classify_packets, n_ndpi_packets, n_second_opinions; /* payloads shown to the classifier; to libndpi with the matrix's protocols; with all */
    uint64_t n_classify_peak;     /* flows in classification at once */
    uint64_t n_signalling_peak, n_announced; /* connections followed for negotiated ports at once; ports negotiated */
    uint64_t n_conversations, n_hosts, n_expectations, n_findings;
};

struct engine_options {
    const char *const *inputs;      /* paths, "-" = standard input */
    size_t             n_inputs;
    const char        *filter;      /* pcap-filter(7) or NULL */
    unsigned           n_workers;   /* at least 1; with more, reading and digesting have threads of their own */
    struct flow_options flow;
    size_t             flows_kept;  /* flow rows for each conversation of a violation; default 20 */
    bool               flows_all;   /* flow rows of every conversation, all of them */
    size_t             peers_kept;  /* distinct unknown peers for one server port, and distinct ports of one pair of hosts, beyond which they are summed up; default 1000 */
    int64_t            window_ns;   /* expected flows are evaluated for each window of this length; 0: the whole observation is one */
    bool               no_digest;
    int64_t          (*now)(void);  /* the caller's clock, for the time at which the run ended; or NULL: store_run.ended_ns */
    int64_t          (*clock)(void); /* nanoseconds from wherever, read from all threads: engine_result.stats has times then.  NULL: none are taken */
    const volatile sig_atomic_t *stop; /* non-zero: stop reading, record what there is; or NULL */
    engine_progress_fn *progress;   /* called now and then from the calling thread, or NULL */
    void              *progress_aux;
    /* A packet held the classifier for longer than 'stuck_ns' of a worker's time (default 5 s): called from a thread of the engine's, and
     * must end the process, for the worker cannot be brought back.  NULL: nobody watches. */
    void             (*stuck)(void *aux, const char *input, uint64_t packet);
    void              *stuck_aux;
    int64_t            stuck_ns;
    /* Called once, when the inputs and the record are open, before a packet is judged and before a thread is started: the place to give up
     * rights.  Negative ends the run with its error.  NULL: not called. */
    int              (*ready)(void *aux, struct err *reterr);
    void              *ready_aux;
    bool               is_last;     /* the process ends soon after: what was worked with is left to its end, for libndpi takes long to give it back */
};
void engine_options_default(struct engine_options *ret);

struct engine_result {
    uint64_t packets, decoded, discarded, filtered;
    size_t   n_inputs_empty;       /* inputs without a packet */
    size_t   n_inputs_damaged;
    bool     stopped;              /* by the caller's 'stop' */
    bool     faulted;              /* reading failed in mid-run; what came before is recorded */
    char     fault[512];           /* the sentence */
    uint64_t n_linktype;           /* packets of link types that are not decoded */
    char     linktype[64];         /* the first of these, by name ... */
    char     linktype_input[256];  /* ... and the first input that has it */
    uint64_t n_windows_left;       /* something was seen in them, and they were too many to evaluate */
    uint64_t n_unrecorded;         /* flows that could not be recorded for want of memory */
    bool     complete;             /* every input was read to its end, none was damaged, empty or in part undecodable */
    bool     site_unseen;          /* no TCP or UDP packet of any host of the site: nothing was shown */
    int64_t  run_id;
    uint64_t n_findings[FINDING_N_KINDS]; /* by kind, neither waived nor mere notices */
    uint64_t n_notices[FINDING_N_KINDS];  /* by kind, of severity notice, not waived */
    uint64_t n_waived;
    struct engine_stats stats;     /* engine_check() alone */
};

/*
 * Runs the audit and writes the record.  'run' has all but what only the run itself knows (times of the run come from the
 * caller: ended_ns too).  Paths of inputs appear in the record in the order of the observation, whatever order they were given in.
 *
 * 0; or negative where nothing could be recorded (an input that cannot be opened, a store that fails): 'reterr' says why.
 */
int engine_check(const struct engine_options *, const struct policy *, const struct site *, struct store *, struct store_run *run,
                 struct engine_result *ret, struct err *reterr);

/* An input of which not all could be read. */
struct engine_unread {
    char name[256];
    char why[256]; /* a sentence */
};

/* What learning needs of captures: the same reading, tracking and merging; nothing is judged and nothing recorded. */
#define ENGINE_UNREAD_TOLD 5
struct engine_survey {
    struct engine_result result;   /* without run and findings */
    struct coverage      coverage; /* without its stretches */
    int64_t              watched_ns; /* the longest time of it without a hole */
    uint64_t             n_summed; /* conversations beyond the bound on their number: not told */
    struct engine_unread unread[ENGINE_UNREAD_TOLD]; /* the first */
    size_t               n_unread; /* of how many */
    uint64_t             packets[PACKET_N_RESULTS]; /* of all inputs, by what became of them */
};
typedef void engine_survey_fn(void *aux, const struct learn_fact *);

/* 'policy' is one of learn_site_text.  'fn' is called for each conversation between two hosts, from the calling thread, after
 * all was read.  Returns as engine_check(). */
int engine_survey(const struct engine_options *, const struct policy *, engine_survey_fn *fn, void *aux, struct engine_survey *ret,
                  struct err *reterr);

#endif
