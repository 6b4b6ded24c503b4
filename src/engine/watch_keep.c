/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds of a record that is written for weeks.
 *
 * Age and size: the oldest runs go, one by one, and a run that takes a third of the room that the log leaves (a quarter of a small bound) ends so that it can go in its turn.  The log: it is copied
 * back and emptied as readers let it; where one stays, the log cannot be emptied, and the record goes on in another file, so that
 * whoever reads holds no more than that one.  Packets wait for none of it.
 */
#include <stdio.h>

#include "watch-private.h"

#define LOG_BOUND    ((uint64_t)256 << 20)
#define LOOK_EVERY   (60 * NS_PER_SECOND) /* for runs that are too old */
#define LEAST_RUN_NS (5 * NS_PER_SECOND) /* a bound that is too small for the traffic does not make run after run */
#define FILE_RETRY   (60 * NS_PER_SECOND)

/* Of the file at work: a quarter of the record's at least, for it has to hold the run. */
static uint64_t most(const struct watch *w)
{
    uint64_t all = w->options->max_bytes, others = w->options->other_bytes;

    return others < all - all / 4 ? all - others : all / 4;
}

static uint64_t log_bound(const struct watch *w)
{
    uint64_t part = most(w) / 4, bound = w->options->log_bytes != 0 ? w->options->log_bytes : LOG_BOUND;

    return part != 0 && part < bound ? part : bound;
}

void keep_begin(struct watch *w)
{
    struct store_size size = {0};

    if (store_size(w->recording.store, &size, NULL) != 0)
        size.used = 0;
    w->keep = (struct keep){.used_before = size.used, .begun = w->calls->steady(w->calls->aux), .next_file_try = w->keep.next_file_try};
}

static int settle(struct watch *w, int rc, struct err *err)
{
    if (rc == 0)
        rc = store_commit(w->recording.store, err);
    if (rc != 0) {
        w->calls->message(w->calls->aux, WATCH_WARNING, err->msg);
        store_recover(w->recording.store);
    }
    return rc;
}

static void remove_old(struct watch *w)
{
    int64_t    before = w->recording.last_ns - w->options->keep_ns;
    uint64_t   n = 0;
    struct err err = {0};
    char       text[128];

    if (settle(w, store_remove_before(w->recording.store, before, w->calls->now(w->calls->aux), &n, &err), &err) != 0 || n == 0)
        return;
    w->state.n_runs_removed += n;
    snprintf(text, sizeof(text), "%llu runs were removed from the record: older than they are to be kept", (unsigned long long)n);
    w->calls->message(w->calls->aux, WATCH_INFO, text);
}

/* Until the rest has room, or the run at work is alone. */
static void remove_oldest(struct watch *w, struct store_size *size)
{
    uint64_t room = most(w) - log_bound(w);
    char     text[160];

    while (size->used > room) {
        struct err err = {0};
        int64_t    run_id = 0;
        uint64_t   before = size->used;
        int rc = store_remove_oldest(w->recording.store, w->calls->now(w->calls->aux), "beyond the record's size", &run_id, &err);

        if ((rc == 0 && run_id == 0) || settle(w, rc, &err) != 0 || store_size(w->recording.store, size, NULL) != 0)
            return;
        uint64_t freed = before > size->used ? before - size->used : 0;
        w->keep.used_before -= freed < w->keep.used_before ? freed : w->keep.used_before;
        w->state.n_runs_removed++;
        store_trim(w->recording.store, NULL); /* what goes is overwritten, by way of the log */
        snprintf(text, sizeof(text), "run %lld was removed from the record, which is to take no more than %llu MiB", (long long)run_id,
                 (unsigned long long)(w->options->max_bytes >> 20));
        w->calls->message(w->calls->aux, WATCH_WARNING, text);
    }
}

/* The log is emptied where it can be. */
static void look_at_log(struct watch *w, struct store_size *size)
{
    struct err err = {0};
    char       text[160];
    int64_t    now = w->calls->steady(w->calls->aux);

    if (size->log <= log_bound(w) / 2)
        return;
    int rc = store_trim(w->recording.store, &err);
    if (rc < 0)
        w->calls->message(w->calls->aux, WATCH_WARNING, err.msg);
    if (rc != 1 || size->log <= log_bound(w) || now < w->keep.next_file_try || w->keep.wants_file)
        return;
    snprintf(text, sizeof(text), "somebody who reads the record keeps its log of %llu MiB from being emptied: it goes on in a new file",
             (unsigned long long)(size->log >> 20));
    w->calls->message(w->calls->aux, WATCH_WARNING, text);
    w->keep.wants_file = true;
}

void keep_look(struct watch *w)
{
    const struct watch_options *o = w->options;
    struct store_size           size;
    int64_t                     now = w->calls->steady(w->calls->aux);

    if (o->keep_ns > 0 && w->recording.last_ns != INT64_MIN && now >= w->keep.next_look) {
        remove_old(w);
        w->keep.next_look = now + LOOK_EVERY;
    }
    if (store_size(w->recording.store, &size, NULL) != 0)
        return;
    look_at_log(w, &size);
    if (o->max_bytes > 0) {
        remove_oldest(w, &size);
        w->keep.wants_run |= size.used > w->keep.used_before && size.used - w->keep.used_before > (most(w) - log_bound(w)) / 3;
    }
    if (o->file_bytes > 0 && now >= w->keep.next_file_try)
        w->keep.wants_file |= size.used + size.log > o->file_bytes;
}

enum watch_turn keep_asks(struct watch *w)
{
    int64_t now = w->calls->steady(w->calls->aux), length = w->options->file_ns;

    if (length > 0 && w->recording.last_ns != INT64_MIN) {
        int64_t window = window_of(w->recording.last_ns, length);

        /* The first packet says in which a file begins. */
        if (w->file_window == 0)
            w->file_window = window;
        w->keep.wants_file |= window > w->file_window && now >= w->keep.next_file_try;
    }
    if (now - w->keep.begun < LEAST_RUN_NS)
        return TURN_NONE;
    return w->keep.wants_file ? TURN_FILE : w->keep.wants_run ? TURN_RUN : TURN_NONE;
}

void keep_next_file(struct watch *w, struct store **io)
{
    struct err err = {0};
    char       text[sizeof(err.msg) + 64];
    int64_t    at = w->state.packet_ns != 0 ? w->state.packet_ns : w->calls->now(w->calls->aux);

    int rc = w->calls->next_store(w->calls->aux, at, io, &err);
    w->keep.next_file_try = rc == 0 ? 0 : w->calls->steady(w->calls->aux) + FILE_RETRY;
    if (rc == 0) {
        w->state.n_files++;
        w->file_window = w->options->file_ns > 0 ? window_of(at, w->options->file_ns) : 0;
        return;
    }
    snprintf(text, sizeof(text), "%s: the record goes on in the file that it has", err.msg);
    w->calls->message(w->calls->aux, WATCH_ERROR, text);
}
