/* SPDX-License-Identifier: Apache-2.0 */
/* One audit from its merged conversations to its record: what engine.c, findings.c and record.c share. */
#ifndef ENGINE_AUDIT_H
#define ENGINE_AUDIT_H

#include <pthread.h>

#include "conversation.h"
#include "flowaudit/engine.h"
#include "flowaudit/store.h"
#include "inputs.h"
#include "shard.h"
#include "stopwatch.h"
#include "stretches.h"

#define BEGINNING_NS INT64_C(1000000000) /* media that is seen so soon may have gone on before the capture */

struct finding {
    enum finding_kind     kind;
    enum severity         severity;
    struct conversation  *conversation;  /* or NULL */
    const struct expectation *expectation; /* or NULL */
    const struct separation  *separation;  /* or NULL */
    char                 *section, *sentence; /* owned; of findings that have neither (or their own) */
    const struct site_exception *exception;   /* that waives it, or NULL */
    const struct pinhole *promise;            /* a port that was negotiated and not used, with 'judgement', or NULL */
    const struct pinhole *kept;               /* a promise of the same answer that was used, or NULL */
    struct judgement      judgement;
    const struct pinhole *bind;               /* of an interface that tells of the server's role, or NULL ... */
    const struct matrix_sign *sign;           /* ... and what it tells */
    int64_t               first_ns;
};

/* Packets that are known to be lost, and when: of live inputs. */
struct loss_span {
    uint32_t    input_id;
    const char *reason;
    bool        packets_known;
    uint64_t    packets;
    int64_t     first_ns, last_ns;
};

struct audit {
    const struct engine_options *options;
    const struct policy         *policy;
    const struct site           *site;
    struct inputs               *inputs;
    struct digester             *digester;      /* of several workers; or NULL: then reading digests as well */
    struct app_list             *apps;
    struct conversation_limits   limits;
    struct shard               **shards;
    size_t                       n_shards;
    struct watchdog             *watchdog;      /* or NULL */
    pthread_mutex_t              making;        /* held by the worker that makes a detector */
    struct part                **parts;         /* the shards' own, or others */
    size_t                       n_parts;
    struct conversation        **conversations; /* all of all shards, in order of their first packet */
    size_t                       n_conversations;
    struct shard_host           *hosts;         /* merged, by address, then window */
    size_t                       n_hosts;
    struct shard_totals          totals;
    struct announcements         announcements; /* merged, sorted */
    struct coverage              coverage;
    struct stretches             heard;         /* of files */
    const struct loss_span      *losses;        /* of live inputs: then each window knows its own.  NULL: nobody knows when */
    size_t                       n_losses;
    struct expectation          *expectations;  /* of all windows in order; owned, as is 'concluded' */
    size_t                       n_expectations, n_expectations_allocated;
    struct expectation          *concluded;     /* one for each finding: the same, or with windows what they have in common */
    size_t                       n_concluded;
    bool                         goes_on;       /* the run: what only its end can tell is not concluded yet */
    uint64_t                     n_windows_left; /* beyond the bound on their number: not evaluated */
    uint64_t                     n_windows_empty; /* the same, and nothing was seen in them */
    uint64_t                     n_uses_lost;    /* flows of which it is not kept in which windows they were */
    struct separator            *separator;
    const struct separation     *separations;
    size_t                       n_separations;
    struct finding              *findings;
    size_t                       n_findings, n_findings_allocated;
    uint64_t                    *exception_uses; /* by index in the site */
    struct engine_result        *result;
    struct stopwatch             watch;         /* of the engine's own thread */
};

/* Packets that were read and are of no flow, though they might have been of one that the document speaks of. */
uint64_t audit_unjudged(const uint64_t results[static PACKET_N_RESULTS]);

/* merge.c: the shards' conversations and hosts become one whole. */
int audit_merge(struct audit *, struct err *reterr);
/* Of that only: answers to broadcasts are marked in the parts' conversations. */
int audit_mark_answers(struct audit *, struct err *reterr);
/* evidence.c: what stopped attempts that failed, where it takes all conversations to tell.  A part of audit_order(). */
int audit_settle(struct audit *, struct err *reterr);
/* The same of what has no answer, and of media one way, where it takes the coverage to tell.  A part of audit_conclude(). */
void audit_settle_unanswered(struct audit *);
/* parents.c: the messages that negotiated dynamic ports, joined to the conversations on them. */
int  audit_gather_announcements(struct audit *, struct err *reterr); /* of all parts, sorted */
int  audit_join_parents(struct audit *, struct err *reterr);
void audit_parent_text(const struct audit *, const struct pinhole *, char *buf, size_t size);
/* merge.c: when all is judged: bounds the number of conversations, orders them by their first packet and gives them their ids. */
int  audit_order(struct audit *, struct err *reterr);
/* Ports that were negotiated outside the documented range, and that no conversation used. */
typedef int promise_fn(struct audit *, const struct pinhole *, const struct pinhole *kept, const struct judgement *);
int audit_unused_promises(struct audit *, promise_fn *, struct err *reterr);
/* expectations.c: what the document requires, by window or for all of the observation. */
int  audit_expect(struct audit *, struct err *reterr);
void audit_free_expectations(struct audit *);
/* signs.c: roles that the traffic betrays and the site file does not give; 'fn' adds the finding. */
typedef int sign_fn(struct audit *, const struct pinhole *, const struct matrix_sign *);
int audit_signs(struct audit *, sign_fn *);
/* findings.c: expectations and findings from the merged conversations. */
int  audit_conclude(struct audit *, struct err *reterr);
void audit_free_findings(struct audit *);
/* record.c: all of it into the store; the run has begun. */
int audit_record(struct audit *, struct store *, struct err *reterr);

/* The parts of it, for a run that is recorded again and again. */
int audit_record_discards(struct store *, uint32_t input_id, const uint64_t *results, uint64_t *ret_sum, struct err *reterr);
uint64_t audit_cut_to(const struct audit *, const struct addr *client); /* of coverage.cut: what may have gone to it */
bool     audit_is_heard(const struct audit *, const struct addr *host); /* a host of the site: was a packet that went to it captured? */
int audit_record_unseen(struct audit *, struct store *, struct err *reterr);
int audit_record_rows(struct audit *, struct store *, struct err *reterr);
int audit_record_hosts(struct audit *, struct store *, struct err *reterr);
int audit_record_counters(struct audit *, struct store *, struct err *reterr);
int audit_record_conversation(struct audit *, struct store *, const struct conversation *, struct err *reterr);
int audit_record_flows(struct store *, const struct conversation *, uint64_t *next_id, struct err *reterr);
int audit_record_expectations(struct audit *, struct store *, struct err *reterr);
/* record_tell.c: "sub1 (10.30.8.20)", or the address alone */
const char *audit_end_text(const struct audit *, const struct addr *, char *buf, size_t size);
/* A finding in the record's words. */
typedef int tell_fn(void *aux, const struct store_finding *, struct err *reterr);
int audit_tell_finding(struct audit *, const struct finding *, uint64_t id, tell_fn *, void *aux, struct err *reterr);

#endif
