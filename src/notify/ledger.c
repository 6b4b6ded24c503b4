/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"
#include "fold.h"
#include "kept.h"
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"

#define SECOND_NS    INT64_C(1000000000)
#define NO_ENTRY     UINT32_MAX
#define GATHER_NS    (2 * SECOND_NS) /* like findings are gathered for so long before they are told as one */

struct entry {
    uint64_t     hash; /* 0: free */
    int64_t      next_ns, seen_ns; /* steady: not told again before; last grew */
    uint64_t     flows, packets;   /* as last told */
    uint64_t     bytes;
    struct kept *kept;             /* waits, or NULL */
    uint64_t     place;            /* it is told with others: of which fold; 0: on its own */
    int64_t      run_id;           /* of one that is told with others */
    uint32_t     next_waiting;
    uint32_t     nth;              /* times told */
    bool         held;             /* the limit is what it waits for */
    bool         escaped, rejected; /* as the fold counts it */
};

struct ledger {
    int64_t         repeat_ns[4], forget_ns;
    size_t          n_repeat;
    unsigned        rate, burst;
    enum severity   least;
    double          tokens;
    int64_t         filled_ns; /* steady, when 'tokens' was true */
    struct hash_key key;
    struct entry   *entries;   /* a power of two of them, at most half in use */
    size_t          size, n, max;
    int64_t         sweep_ns;  /* steady: nothing is forgotten before */
    uint32_t        first_waiting, last_waiting; /* in the order in which they came to wait */
    size_t          n_waiting;
    uint64_t        held_back;
    struct folds   *folds;   /* NULL: each finding is told on its own */
    struct out      sentence;
};

static void take_options(struct ledger *l, const struct notify_options *o)
{
    static const int64_t usual[] = {60 * SECOND_NS, 600 * SECOND_NS, 3600 * SECOND_NS};

    l->n_repeat = o->n_repeat != 0 ? o->n_repeat : sizeof(usual) / sizeof(usual[0]);
    memcpy(l->repeat_ns, o->n_repeat != 0 ? o->repeat_ns : usual, l->n_repeat * sizeof(usual[0]));
    l->forget_ns = o->forget_ns != 0 ? o->forget_ns : 24 * 3600 * SECOND_NS;
    l->rate = o->rate != 0 ? o->rate : 60;
    l->burst = o->burst != 0 ? o->burst : 120;
    l->least = o->least_given ? o->least : SEVERITY_LOW;
    l->max = o->max_findings != 0 ? o->max_findings : 65536;
    l->tokens = l->burst;
    l->sweep_ns = INT64_MIN;
}

int ledger_new(const struct notify_options *o, struct ledger **ret, struct err *reterr)
{
    if (o->n_repeat > sizeof(o->repeat_ns) / sizeof(o->repeat_ns[0]))
        return err_set(reterr, -EINVAL, "at most %zu intervals", sizeof(o->repeat_ns) / sizeof(o->repeat_ns[0]));
    struct ledger *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    take_options(l, o);
    l->first_waiting = l->last_waiting = NO_ENTRY;
    for (l->size = 64; l->size < 2 * l->max; l->size *= 2)
        ;
    l->entries = calloc(l->size, sizeof(*l->entries));
    int rc = l->entries == NULL ? err_set(reterr, -ENOMEM, "no memory") : hash_key_random(&l->key, reterr);
    if (rc == 0 && !o->each)
        rc = folds_new(l->max, l->forget_ns, &l->folds, reterr);
    if (rc == 0)
        *ret = l;
    else
        ledger_free(l);
    return rc;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; l->entries != NULL && i < l->size; i++)
        free(l->entries[i].kept);
    free(l->entries);
    folds_free(l->folds);
    out_free(&l->sentence);
    free(l);
}

/* --- which finding ------------------------------------------------------------------------------------------- */

/* What makes two findings the same; counts and times do not.  One that is told with others is known by its number in the run: an attempt that
 * was answered later, or recognised, keeps it. */
static uint64_t identity(const struct ledger *l, const struct store_finding *f)
{
    const char *parts[] = {f->kind,        f->row_id, f->section,     f->client,    f->client_name, f->server,
                           f->server_name, f->transport, f->protocol, f->outcome, f->disposition, strcmp(f->kind, "site") == 0 ? f->reason : NULL};
    uint64_t    words[sizeof(parts) / sizeof(parts[0]) + 1];
    size_t      n = sizeof(parts) / sizeof(parts[0]);

    for (size_t i = 0; i < n; i++) {
        const char *end = parts[i] != NULL && parts[i] == f->reason ? strstr(parts[i], SITE_SEEN_HERE) : NULL;

        words[i] = parts[i] != NULL ? hash_bytes(&l->key, parts[i], end != NULL ? (size_t)(end - parts[i]) : strlen(parts[i]) + 1) : 0;
    }
    words[n] = f->has_port ? f->server_port + UINT64_C(1) : 0;
    uint64_t hash = hash_words(&l->key, words, n + 1);
    return hash != 0 ? hash : 1;
}

/* A graver one is another. */
static uint64_t identity_in_fold(const struct ledger *l, const struct notify_finding *n)
{
    uint64_t words[] = {(uint64_t)n->run_id, n->finding->finding_id, severity_of(n->finding)}, hash = hash_words(&l->key, words, 3);

    return hash != 0 ? hash : 1;
}

static struct entry *find(const struct ledger *l, uint64_t hash)
{
    size_t i = hash & (l->size - 1);

    while (l->entries[i].hash != 0 && l->entries[i].hash != hash)
        i = (i + 1) & (l->size - 1);
    return &l->entries[i];
}

static bool is_forgotten(const struct ledger *l, const struct entry *e, int64_t now)
{
    return e->kept == NULL && now - e->seen_ns >= l->forget_ns;
}

/* Makes the table anew without what is forgotten; the order of those that wait stays. */
static void sweep(struct ledger *l, int64_t now)
{
    struct entry *old = l->entries, *fresh = calloc(l->size, sizeof(*fresh));
    uint32_t      waiting = l->first_waiting;

    if (fresh == NULL)
        return;
    l->entries = fresh;
    l->n = 0;
    int64_t oldest = now;
    for (size_t i = 0; i < l->size; i++) {
        if (old[i].hash == 0 || is_forgotten(l, &old[i], now))
            continue;
        *find(l, old[i].hash) = old[i];
        l->n++;
        oldest = old[i].seen_ns < oldest ? old[i].seen_ns : oldest;
    }
    l->sweep_ns = oldest + l->forget_ns > now + SECOND_NS ? oldest + l->forget_ns : now + SECOND_NS;
    uint32_t *link = &l->first_waiting;
    for (l->last_waiting = NO_ENTRY; waiting != NO_ENTRY; waiting = old[waiting].next_waiting) {
        struct entry *e = find(l, old[waiting].hash);
        *link = l->last_waiting = (uint32_t)(e - fresh);
        link = &e->next_waiting;
    }
    *link = NO_ENTRY;
    free(old);
}

/* The finding's entry; NULL: as many are in mind as may be.  A flood of lesser findings leaves room for grave ones. */
static struct entry *entry_for(struct ledger *l, uint64_t hash, enum severity severity, int64_t now)
{
    struct entry *e = find(l, hash);
    size_t        max = severity <= SEVERITY_HIGH ? l->max : l->max - l->max / 4;

    if (e->hash != 0) {
        if (is_forgotten(l, e, now))
            *e = (struct entry){.hash = hash};
        return e;
    }
    if (l->n >= max && now >= l->sweep_ns) { /* it looks at all of them */
        sweep(l, now);
        e = find(l, hash);
    }
    if (l->n >= max)
        return NULL;
    *e = (struct entry){.hash = hash};
    l->n++;
    return e;
}

/* --- the limit --------------------------------------------------------------------------------------------------- */

static void refill(struct ledger *l, int64_t now)
{
    if (l->filled_ns != 0 && now > l->filled_ns)
        l->tokens += (double)(now - l->filled_ns) * l->rate / (60.0 * SECOND_NS);
    if (l->tokens > l->burst)
        l->tokens = l->burst;
    l->filled_ns = now;
}

/* The first telling of a grave finding may use all that there is; the rest leaves something for it. */
static bool take_token(struct ledger *l, unsigned nth, enum severity severity)
{
    bool   is_grave = severity <= SEVERITY_HIGH;
    double kept = (is_grave ? 0 : l->burst / 4) + (nth > 0 ? l->burst / 4 : 0);

    if (l->tokens < 1 + kept && !(l->tokens >= l->burst))
        return false;
    l->tokens -= 1;
    return true;
}

/* --- what waits ---------------------------------------------------------------------------------------------------- */

static void hold(struct ledger *l, struct entry *e, const struct notify_finding *n, bool by_limit)
{
    struct kept *kept = kept_copy(n);

    if (by_limit && !e->held)
        l->held_back++;
    e->held = e->held || by_limit;
    if (kept == NULL)
        return; /* what waits stays as it was; the record has all */
    if (e->kept == NULL) {
        uint32_t me = (uint32_t)(e - l->entries);
        e->next_waiting = NO_ENTRY;
        if (l->last_waiting != NO_ENTRY)
            l->entries[l->last_waiting].next_waiting = me;
        else
            l->first_waiting = me;
        l->last_waiting = me;
        l->n_waiting++;
    }
    free(e->kept);
    e->kept = kept;
}

static void tell_now(struct ledger *l, struct entry *e, struct notify_time now, const struct notify_finding *n, ledger_tell *tell, void *aux)
{
    size_t       step = e->nth < l->n_repeat ? e->nth : l->n_repeat - 1;
    struct alert a = {.now = now, .finding = n->finding, .run_id = n->run_id, .community_id = n->community_id,
                      .nth = e->nth + 1, .kind = kind_of(n->finding), .severity = severity_of(n->finding)};

    e->nth++;
    e->next_ns = now.steady_ns + l->repeat_ns[step];
    e->flows = n->finding->flows;
    e->packets = n->finding->packets;
    e->held = false;
    tell(aux, &a);
}

/* --- told with others ------------------------------------------------------------------------------------------------ */

static uint64_t grown(uint64_t now, uint64_t then)
{
    return now >= then ? now - then : now; /* less: of another run */
}

static void add_to_fold(struct ledger *l, struct entry *e, const struct notify_finding *n, int64_t now)
{
    const struct store_finding *f = n->finding;
    struct fold                *fold = folds_find(l->folds, e->place, n, now);
    bool escaped = f->disposition != NULL && strcmp(f->disposition, "escaped") == 0, rejected = f->disposition != NULL && strcmp(f->disposition, "rejected") == 0;
    bool is_new = e->run_id != n->run_id || fold == NULL || fold->n == 0;

    if (fold == NULL) {
        l->held_back += is_new; /* no memory */
        return;
    }
    if (is_new)
        e->flows = e->packets = e->bytes = 0, e->escaped = e->rejected = false;
    struct fold_growth by = {grown(f->flows, e->flows), grown(f->packets, e->packets), grown(f->bytes, e->bytes), escaped - e->escaped,
                             rejected - e->rejected, is_new};
    if (fold->nth == 0 && fold->n == 0)
        fold->next_ns = now + GATHER_NS;
    fold_add(fold, n, &by);
    e->run_id = n->run_id;
    e->flows = f->flows;
    e->packets = f->packets;
    e->bytes = f->bytes;
    e->escaped = escaped;
    e->rejected = rejected;
    e->seen_ns = now;
}

static void tell_fold(struct ledger *l, struct fold *fold, struct notify_time now, ledger_tell *tell, void *aux)
{
    size_t               step = fold->nth < l->n_repeat ? fold->nth : l->n_repeat - 1;
    struct store_finding f;

    fold_finding(fold, &l->sentence, &f);
    struct alert a = {.now = now, .finding = &f, .run_id = fold->run_id, .nth = fold->nth + 1, .kind = kind_of(&f), .severity = fold->severity, .like = fold->n};
    fold->nth++;
    fold->next_ns = now.steady_ns + l->repeat_ns[step];
    fold->n_told = fold->n;
    fold->flows_told = fold->flows;
    fold->packets_told = fold->packets;
    fold->held = false;
    tell(aux, &a);
}

static void tell_folds(struct ledger *l, struct notify_time now, ledger_tell *tell, void *aux)
{
    for (struct fold *fold = l->folds != NULL ? folds_first(l->folds) : NULL; fold != NULL; fold = fold->next) {
        if (!fold_has_news(fold) || now.steady_ns < fold->next_ns)
            continue;
        if (take_token(l, fold->nth, fold->severity)) {
            tell_fold(l, fold, now, tell, aux);
        } else if (!fold->held) {
            fold->held = true;
            l->held_back++;
        }
    }
}

/* --- what comes in --------------------------------------------------------------------------------------------------- */

/* The finding's entry, with its place where it is told with others. */
static struct entry *known_or_new(struct ledger *l, const struct notify_finding *n, int64_t now)
{
    const struct store_finding *f = n->finding;
    uint64_t                    own = identity(l, f), folded = identity_in_fold(l, n), place;
    struct entry *e = l->folds != NULL ? find(l, folded) : NULL;

    if (e != NULL && e->hash != 0 && !is_forgotten(l, e, now))
        return e;
    e = find(l, own);
    if (l->folds == NULL || (e->hash != 0 && !is_forgotten(l, e, now)) || (place = folds_place(l->folds, f, now)) == 0)
        return entry_for(l, own, severity_of(f), now);
    e = entry_for(l, folded, severity_of(f), now);
    if (e != NULL)
        e->place = place;
    return e;
}

void ledger_finding(struct ledger *l, struct notify_time now, const struct notify_finding *n, ledger_tell *tell, void *aux)
{
    const struct store_finding *f = n->finding;

    if (f->waived_by != NULL || severity_of(f) > l->least)
        return;
    refill(l, now.steady_ns);
    struct entry *e = known_or_new(l, n, now.steady_ns);
    if (e == NULL) {
        l->held_back += n->is_new;
        return;
    }
    if (e->place != 0) {
        add_to_fold(l, e, n, now.steady_ns);
        return;
    }
    if (e->nth > 0 && e->kept == NULL && f->flows == e->flows && f->packets == e->packets)
        return;
    e->seen_ns = now.steady_ns;
    bool is_due = e->nth == 0 || now.steady_ns >= e->next_ns;
    if (is_due && e->kept == NULL && take_token(l, e->nth, severity_of(f)))
        tell_now(l, e, now, n, tell, aux);
    else
        hold(l, e, n, is_due && e->kept == NULL); /* one that waits already is told by ledger_due() */
}

void ledger_due(struct ledger *l, struct notify_time now, ledger_tell *tell, void *aux)
{
    uint32_t *link = &l->first_waiting, last = NO_ENTRY;

    refill(l, now.steady_ns);
    while (*link != NO_ENTRY) {
        struct entry *e = &l->entries[*link];
        bool          is_due = e->nth == 0 || now.steady_ns >= e->next_ns;

        if (!is_due || !take_token(l, e->nth, severity_of(&e->kept->finding))) {
            if (is_due && !e->held) {
                e->held = true;
                l->held_back++;
            }
            last = *link;
            link = &e->next_waiting;
            continue;
        }
        struct kept          *k = e->kept;
        struct notify_finding n = {.run_id = k->run_id, .finding = &k->finding, .community_id = k->community_id};
        *link = e->next_waiting;
        e->kept = NULL;
        l->n_waiting--;
        tell_now(l, e, now, &n, tell, aux);
        free(k);
    }
    l->last_waiting = last;
    tell_folds(l, now, tell, aux);
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

void ledger_end(struct ledger *l, struct notify_time now, ledger_tell *tell, void *aux, struct ledger_untold *ret)
{
    *ret = (struct ledger_untold){0};
    for (uint32_t at = l->first_waiting; at != NO_ENTRY; at = l->entries[at].next_waiting) {
        struct entry         *e = &l->entries[at];
        struct kept          *k = e->kept;
        struct notify_finding n = {.run_id = k->run_id, .finding = &k->finding, .community_id = k->community_id};
        enum severity         severity = severity_of(&k->finding);

        if (e->nth > 0)
            ret->grown++;
        else if (severity <= SEVERITY_HIGH)
            tell_now(l, e, now, &n, tell, aux);
        else
            ret->findings[kind_of(&k->finding)][severity]++;
        e->kept = NULL;
        free(k);
    }
    l->first_waiting = l->last_waiting = NO_ENTRY;
    l->n_waiting = 0;
    for (struct fold *fold = l->folds != NULL ? folds_first(l->folds) : NULL; fold != NULL; fold = fold->next) {
        if (!fold_has_news(fold))
            continue;
        if (fold->severity <= SEVERITY_HIGH)
            tell_fold(l, fold, now, tell, aux);
        else if (fold->n > fold->n_told)
            ret->findings[kind_of(&fold->example->finding)][fold->severity] += fold->n - fold->n_told;
        else
            ret->grown++;
    }
}

uint64_t ledger_held_back(const struct ledger *l)
{
    return l->held_back;
}

size_t ledger_waiting(const struct ledger *l)
{
    size_t n = l->n_waiting;

    for (const struct fold *fold = l->folds != NULL ? folds_first(l->folds) : NULL; fold != NULL; fold = fold->next)
        n += fold->held;
    return n;
}
