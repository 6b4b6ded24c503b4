/* SPDX-License-Identifier: Apache-2.0 */
/* What the places that a notifier tells share with it. */
#ifndef NOTIFY_PRIVATE_H
#define NOTIFY_PRIVATE_H

#include "flowaudit/notify.h"
#include "out.h"

/* A finding on its way out. */
struct alert {
    struct notify_time          now;
    const struct store_finding *finding;
    int64_t                     run_id;
    const char                 *community_id; /* or NULL */
    unsigned                    nth;          /* 1: told for the first time */
    enum finding_kind           kind;
    enum severity               severity;
    uint64_t                    like;         /* 0: one finding; else so many like ones: see fold.h */
};

struct message {
    struct notify_time now;
    enum notify_level  level;
    const char        *sentence;
};

/* One place that is told.  The struct of a place begins with this. */
struct sink {
    const struct sink_ops *ops;
    struct sink           *next;
    struct notifier       *owner;
    uint64_t               told, lost; /* tellings that went out; that a reader did not take */
};

struct hook_counts;

/* Calls that a place has no use for are NULL.  None may block. */
struct sink_ops {
    const char *name; /* for messages and metrics */
    void (*alert)(struct sink *, const struct alert *);
    void (*message)(struct sink *, const struct message *);
    void (*state)(struct sink *, struct notify_time, enum notify_state, const char *sentence);
    void (*tick)(struct sink *, struct notify_time, const struct notify_vitals *); /* vitals may be NULL */
    void (*end)(struct sink *, struct notify_time);    /* what waits for a reader goes now, or is lost and counted */
    void (*hook)(const struct sink *, struct hook_counts *sum); /* adds what became of the commands run */
    int (*fd)(const struct sink *);                    /* to be watched for reading; -1: none */
    void (*wants)(const struct sink *, struct notify_wish *);
    void (*free)(struct sink *);                       /* also what is half made */
};

/* What all places know of the run. */
struct notify_about {
    char *version, *host, *ruleset;
    int   pid;
};
const struct notify_about *notifier_about(const struct notifier *);

/* Takes the sink over.  -errno where its descriptor cannot be watched. */
int notifier_add(struct notifier *, struct sink *, struct err *reterr);

/* Every counter of every place, for the metrics. */
typedef void sink_visit(void *aux, const struct sink *);
void notifier_each(const struct notifier *, sink_visit *, void *aux);

/* The alert as an ECS document, without a newline. */
void put_ecs_alert(struct out *, const struct notify_about *, const struct alert *);
void put_ecs_message(struct out *, const struct notify_about *, const struct message *);
/* All metrics, in Prometheus' text format. */
void put_metrics(struct out *, const struct notifier *, const struct notify_vitals *);

#endif
