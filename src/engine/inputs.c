/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: every input is opened once at the start, to learn the time of its first packet.  Its reader is made anew when
 * the observation's time reaches that packet, so that a month of hourly files needs the memory of one.  The descriptor of a file
 * stays open meanwhile: what is read later is the file that was there at the start, and nothing is opened any more once
 * packets are looked at.  Where descriptors run out, a file is opened again by its name.
 *
 * Frames are borrowed from their capture until it refills; so a batch ends where an input has to refill.
 */
#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define AHEAD 256 /* frames taken from one input at once */

struct input {
    const char          *path;
    struct capture      *capture; /* NULL: not open now */
    int                  fd;      /* of a regular file, until it is done; -1: none */
    struct capture_stats stats;   /* of a closed one: what it had when it was closed */
    char                *name;
    int64_t              first_ns;
    bool                 has_packets;
    bool                 begun, finished;
    uint16_t             point; /* see struct input_frame */
    struct digester     *digester; /* the set's, or NULL */
    struct digest       *digest;   /* then: of all that was read since it was opened last */
    struct frame         frames[AHEAD];
    size_t               n_frames, next;
};

struct inputs {
    struct input         **items; /* in the order of the observation */
    size_t                 n_items;
    size_t                 n_begun;
    bool                   goes_on; /* see inputs_go_on() */
    size_t                *active; /* indexes of open inputs, unordered */
    size_t                 n_active;
    struct capture_options options;
    struct digester       *digester; /* NULL: captures digest for themselves, where the options say so */
    size_t                 n_descriptors, max_descriptors; /* held for files that are not done */
};

static bool can_reopen(const char *path)
{
    struct stat st;

    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void on_stored(void *aux, const void *bytes, size_t n)
{
    struct input *in = aux;

    digester_add(in->digester, in->digest, bytes, n);
}

static int open_capture(const struct inputs *set, struct input *in, struct err *reterr)
{
    struct capture_options o = set->options;

    o.has_fd = in->fd >= 0;
    o.fd = in->fd;
    if (set->digester != NULL && !o.no_digest) {
        digest_free(in->digest);
        in->digest = NULL;
        int rc = digest_new(&in->digest, reterr);
        if (rc != 0)
            return rc;
        in->digester = set->digester;
        o.no_digest = true;
        o.stored = on_stored;
        o.stored_aux = in;
    }
    return capture_open_file(in->path, &o, &in->capture, reterr);
}

static void hold_descriptor(struct inputs *set, struct input *in)
{
    if (set->n_descriptors < set->max_descriptors)
        in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    set->n_descriptors += in->fd >= 0;
}

static void close_descriptor(struct inputs *set, struct input *in)
{
    if (in->fd < 0)
        return;
    close(in->fd);
    in->fd = -1;
    set->n_descriptors--;
}

/* Others need some too: the record, and inputs that cannot be opened twice. */
static size_t max_descriptors(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : 0;
}

static void close_capture(struct input *in)
{
    capture_stats(in->capture, &in->stats);
    capture_free(in->capture);
    in->capture = NULL;
}

/* Opens an input and learns its name and the time of its first packet. */
static int survey(struct inputs *set, struct input *in, struct err *reterr)
{
    bool reopen = can_reopen(in->path);

    if (reopen)
        hold_descriptor(set, in);
    int rc = open_capture(set, in, reterr);
    if (rc != 0)
        return rc;
    in->name = strdup(capture_name(in->capture));
    if (in->name == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the list of inputs");
    rc = capture_peek_time(in->capture, &in->first_ns, reterr);
    if (rc < 0 && rc != -ENODATA)
        return rc;
    in->has_packets = rc == 0;
    if (reopen)
        close_capture(in);
    return 0;
}

static int compare(const void *pa, const void *pb)
{
    const struct input *a = *(struct input *const *)pa, *b = *(struct input *const *)pb;

    /* Inputs without a packet come last: they have no time. */
    if (a->has_packets != b->has_packets)
        return a->has_packets ? -1 : 1;
    if (a->has_packets && a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    int by_name = strcmp(a->name, b->name);
    return by_name != 0 ? by_name : strcmp(a->path, b->path);
}

static int add_input(struct inputs *set, const char *path, struct err *reterr)
{
    struct input *in = calloc(1, sizeof(*in));

    if (in == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the list of inputs");
    in->path = path;
    in->fd = -1;
    set->items[set->n_items++] = in;
    return survey(set, in, reterr);
}

int inputs_open(const char *const *paths, size_t n, const struct capture_options *options, struct digester *digester, struct inputs **ret,
                struct err *reterr)
{
    struct inputs *set = calloc(1, sizeof(*set));
    int            rc = 0;

    if (n > UINT16_MAX)
        rc = err_set(reterr, -E2BIG, "%zu inputs; at most %d are one observation", n, UINT16_MAX);
    else if (set == NULL || (set->items = calloc(n, sizeof(*set->items))) == NULL ||
             (set->active = calloc(n, sizeof(*set->active))) == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for the list of inputs");
    if (rc == 0) {
        set->options = *options;
        set->digester = digester;
        set->max_descriptors = max_descriptors();
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_input(set, paths[i], reterr);
    if (rc != 0) {
        inputs_free(set);
        return rc;
    }
    qsort(set->items, set->n_items, sizeof(struct input *), compare);
    *ret = set;
    return 0;
}

int inputs_named(const char *const *names, size_t n, struct inputs **ret, struct err *reterr)
{
    struct inputs *set = calloc(1, sizeof(*set));
    bool           ok = set != NULL && (set->items = calloc(n, sizeof(*set->items))) != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        struct input *in = calloc(1, sizeof(*in));

        if (in == NULL) {
            ok = false;
            break;
        }
        in->fd = -1;
        set->items[set->n_items++] = in;
        if ((in->name = strdup(names[i])) == NULL)
            ok = false;
        if (ok)
            in->path = in->name;
    }
    if (!ok) {
        inputs_free(set);
        return err_set(reterr, -ENOMEM, "no memory for the list of inputs");
    }
    *ret = set;
    return 0;
}

void inputs_free(struct inputs *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->n_items; i++) {
        capture_free(set->items[i]->capture);
        close_descriptor(set, set->items[i]);
        digest_free(set->items[i]->digest);
        free(set->items[i]->name);
        free(set->items[i]);
    }
    free(set->items);
    free(set->active);
    free(set);
}

/* Takes the input at 'at' of the active list out of it: it has ended, well or not. */
static void retire(struct inputs *set, size_t at, bool finished)
{
    struct input *in = set->items[set->active[at]];

    close_capture(in);
    close_descriptor(set, in);
    in->finished = finished;
    set->active[at] = set->active[--set->n_active];
}

static int refill(struct input *in, struct err *reterr)
{
    int n = capture_next_batch(in->capture, in->frames, AHEAD, reterr);

    in->next = 0;
    in->n_frames = n > 0 ? (size_t)n : 0;
    return n;
}

/* Gives every active input at least one frame; those that have none left are retired. */
static int refill_all(struct inputs *set, struct err *reterr)
{
    for (size_t i = 0; i < set->n_active;) {
        struct input *in = set->items[set->active[i]];
        int           n = in->next < in->n_frames ? 1 : refill(in, reterr);

        if (n <= 0)
            retire(set, i, n == 0);
        else
            i++;
        if (n < 0)
            return n;
    }
    return 0;
}

static int64_t next_time(const struct inputs *set, size_t at)
{
    const struct input *in = set->items[set->active[at]];

    return in->frames[in->next].ts_ns;
}

/* The active input with the earliest next frame (the lower number where equal).  All have one. */
static size_t earliest(const struct inputs *set)
{
    size_t best = 0;

    for (size_t i = 1; i < set->n_active; i++) {
        int64_t a = next_time(set, i), b = next_time(set, best);

        if (a < b || (a == b && set->active[i] < set->active[best]))
            best = i;
    }
    return best;
}

/* Is the next input due: is its first packet not later than the earliest frame at hand? */
static bool is_due(const struct inputs *set)
{
    if (set->n_begun == set->n_items)
        return false;
    if (set->n_active == 0)
        return true;
    const struct input *in = set->items[set->n_begun];
    return in->has_packets && in->first_ns <= next_time(set, earliest(set));
}

static int begin_next(struct inputs *set, struct err *reterr)
{
    struct input *in = set->items[set->n_begun];
    int           rc = in->capture == NULL ? open_capture(set, in, reterr) : 0;

    if (rc != 0)
        return rc;
    bool goes_on = set->n_active == 0 && set->n_begun > 0;

    in->point = goes_on ? set->items[set->n_begun - 1]->point : (uint16_t)set->n_begun;
    set->goes_on |= goes_on && in->has_packets;
    in->begun = true;
    set->active[set->n_active++] = set->n_begun++;
    return 0;
}

/* Before a batch: all that may make earlier frames invalid happens here. */
static int prepare(struct inputs *set, struct err *reterr)
{
    int rc = refill_all(set, reterr);

    while (rc == 0 && is_due(set)) {
        rc = begin_next(set, reterr);
        if (rc == 0)
            rc = refill_all(set, reterr);
    }
    return rc;
}

int inputs_next(struct inputs *set, struct input_frame *ret, size_t n, struct err *reterr)
{
    int rc = prepare(set, reterr);

    if (rc != 0 || set->n_active == 0)
        return rc;
    for (size_t done = 0;;) {
        size_t        at = earliest(set), index = set->active[at];
        struct input *in = set->items[index];

        /* One input alone needs no comparing of times. */
        size_t              run = set->n_active == 1 && set->n_begun == set->n_items ? in->n_frames - in->next : 1;
        const struct frame *from = &in->frames[in->next];
        uint16_t            point = in->point;

        if (run > n - done)
            run = n - done;
        in->next += run;
        for (size_t i = 0; i < run; i++)
            ret[done++] = (struct input_frame){from[i], (uint16_t)index, point};
        if (done == n || in->next == in->n_frames || is_due(set))
            return (int)done;
    }
}

size_t inputs_rest(struct inputs *set, struct input_frame *ret, size_t n)
{
    size_t done = 0;

    while (done < n) {
        for (size_t i = 0; i < set->n_active;) {
            const struct input *in = set->items[set->active[i]];

            if (in->next < in->n_frames)
                i++;
            else /* stays open: its frames may be on their way */
                set->active[i] = set->active[--set->n_active];
        }
        if (set->n_active == 0)
            break;
        size_t        index = set->active[earliest(set)];
        struct input *in = set->items[index];

        ret[done++] = (struct input_frame){in->frames[in->next++], (uint16_t)index, in->point};
    }
    return done;
}

void inputs_take_digests(struct inputs *set)
{
    for (size_t i = 0; i < set->n_items; i++) {
        struct input *in = set->items[i];

        if (in->digest != NULL && in->finished)
            digest_text(in->digest, in->stats.sha256);
        digest_free(in->digest);
        in->digest = NULL;
    }
}

size_t inputs_count(const struct inputs *set)
{
    return set->n_items;
}

const char *inputs_name(const struct inputs *set, size_t i)
{
    return set->items[i]->name;
}

const char *inputs_path(const struct inputs *set, size_t i)
{
    return set->items[i]->path;
}

bool inputs_finished(const struct inputs *set, size_t i)
{
    return set->items[i]->finished;
}

bool inputs_go_on(const struct inputs *set)
{
    return set->goes_on;
}

void inputs_stats(const struct inputs *set, size_t i, struct capture_stats *ret)
{
    const struct input *in = set->items[i];

    if (in->capture != NULL)
        capture_stats(in->capture, ret);
    else
        *ret = in->stats;
    if (!in->begun) { /* its first packets were looked at for their time, and are not read */
        ret->n_packets = ret->n_filtered = ret->n_odd_lengths = ret->n_odd_times = 0;
        ret->first_ns = ret->last_ns = 0;
    }
}

void inputs_progress(const struct inputs *set, uint64_t *ret_bytes, uint64_t *ret_total, unsigned *ret_begun)
{
    *ret_bytes = *ret_total = 0;
    *ret_begun = (unsigned)set->n_begun;
    for (size_t i = 0; i < set->n_items; i++) {
        struct capture_stats stats;

        inputs_stats(set, i, &stats);
        *ret_bytes += set->items[i]->begun ? stats.n_bytes : 0;
        *ret_total += stats.n_bytes_total;
    }
}
