/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the document requires, held against the merged conversations: all of them at once, or window by window.
 *
 * By window: a sweep over the conversations in the order in which they begin to be used, with a list of those that some window ahead
 * still knows, so that a window costs what was seen in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "flowaudit/classify.h"

#define MOST_WINDOWS 10000 /* a capture whose clock jumps has any number of them, with nothing in most */
#define LONG_USE 1000      /* windows of a flow that goes on for longer: where the clock jumped, those between are not its own */

/* A sum of what is allowed has one row and one pair of entries; whether its answers could have been seen is not known. */
static bool fact_of(const struct conversation *c, struct expect_fact *ret)
{
    if (c->key.summed != SUM_NONE && c->key.verdict != VERDICT_ALLOWED)
        return false;
    *ret = (struct expect_fact){
        .outcome = (enum outcome)c->key.outcome,
        .packets = {c->packets[0], c->packets[1]},
        .bytes = c->bytes[0] + c->bytes[1],
        .quoted = c->key.quoted,
        .one_sided = c->one_sided,
        .running = c->key.outcome == OUTCOME_ONE_WAY ? c->running.flows : 0,
        .adrift = c->key.outcome == OUTCOME_ONE_WAY ? c->adrift.flows : 0,
        .went_on = c->key.outcome == OUTCOME_ONE_WAY ? c->went_on : 0,
        .goes_on = c->running.flows > 0 ? c->running.first : c->adrift.first,
        .undelivered = c->key.outcome == OUTCOME_UNANSWERED ? c->undelivered : 0,
        .resent_syns = c->resent_syns,
        .ended = c->key.outcome == OUTCOME_ONE_WAY ? c->ended : 0,
        .ended_by_server = c->ended_by_server,
        .ended_by_nobody = c->ended_by_nobody,
        .withdrawn = c->key.outcome == OUTCOME_ONE_WAY ? c->withdrawn : 0,
        .repeated_answers = c->key.outcome == OUTCOME_ONE_WAY ? c->repeated_answers : 0,
        .refusals = c->key.outcome == OUTCOME_ONE_WAY ? c->refusals : 0,
        .asked = c->asked,
        .stopped_late = c->stopped_late,
        .may_be_stopped = c->may_be_denied || c->stopped_late + c->asked_on >= c->flows,
        .answer_first = c->answer_first,
        .first_ns = c->first_ns,
        .last_ns = c->last_ns,
        .errors_differ = c->errors_differ,
        .flows = c->flows,
        .unasked = c->unsought > 0 && c->unsought >= c->flows,
        .names_asked = c->one_asks && c->key.server_port == CLASSIFY_PORT_NAMES && c->key.verdict != VERDICT_ALLOWED,
        .unfinished = c->unfinished,
        .probes = c->probes,
        .synless = c->synless,
        .icmp = *conversation_icmp(c),
        .after_syn_ack = c->after_syn_ack,
        .first_packet = c->first_packet,
        .input = c->first_input,
        .rst = ttl_seen_rst(c->ttl[1]),
        .own = c->own,
        .beside = c->beside,
    };
    if (c->key.summed != SUM_NONE && ret->outcome == OUTCOME_UNANSWERED)
        ret->outcome = OUTCOME_ONE_WAY;
    conversation_query(c, &ret->query);
    return true;
}

/* The expector's results become the audit's own. */
static int keep_results(struct audit *a, const struct expectation *results, size_t n)
{
    if (a->n_expectations + n > a->n_expectations_allocated) {
        size_t              n_allocated = 2 * a->n_expectations_allocated + n;
        struct expectation *all = realloc(a->expectations, n_allocated * sizeof(*all));

        if (all == NULL)
            return -ENOMEM;
        a->expectations = all;
        a->n_expectations_allocated = n_allocated;
    }
    for (size_t i = 0; i < n; i++) {
        struct expectation *e = &a->expectations[a->n_expectations];

        *e = results[i];
        e->reason = strdup(e->reason);
        if (e->reason == NULL)
            return -ENOMEM;
        a->n_expectations++;
    }
    return 0;
}

static int close_window(struct audit *a, struct expector *x, const struct expect_window *w, const struct coverage *c, struct err *reterr)
{
    const struct expectation *results = NULL;
    size_t                    n = 0;
    int                       rc = expector_close(x, w, c, &results, &n, reterr);

    if (rc == 0 && keep_results(a, results, n) != 0)
        rc = err_set(reterr, -ENOMEM, "no memory for the expected flows");
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static int by_address(const void *pa, const void *pb)
{
    return addr_compare(&((const struct shard_host *)pa)->addr, &((const struct shard_host *)pb)->addr);
}

uint64_t audit_cut_to(const struct audit *a, const struct addr *client)
{
    struct shard_host        key = {.addr = *client};
    const struct shard_host *h = a->n_hosts > 0 ? bsearch(&key, a->hosts, a->n_hosts, sizeof(key), by_address) : NULL;

    if (policy_host(a->policy, client) == POLICY_NONE) /* those that went to strangers are not kept apart */
        return a->coverage.cut;
    return a->coverage.cut - a->coverage.cut_told + (h != NULL ? h->cut : 0);
}

bool audit_is_heard(const struct audit *a, const struct addr *host)
{
    struct shard_host        key = {.addr = *host};
    const struct shard_host *h = a->n_hosts > 0 ? bsearch(&key, a->hosts, a->n_hosts, sizeof(key), by_address) : NULL;
    bool                     heard = false;

    if (h == NULL)
        return a->totals.n_hosts_lost > 0; /* it may have been */
    while (h > a->hosts && by_address(h - 1, &key) == 0) /* one for each window */
        h--;
    for (; h < a->hosts + a->n_hosts && by_address(h, &key) == 0 && !heard; h++)
        heard = h->received > 0;
    return heard;
}

/* A time at which a host was seen to send. */
struct sign_of_life {
    size_t  host;
    int64_t at_ns;
};

static int by_host_and_time(const void *pa, const void *pb)
{
    const struct sign_of_life *a = pa, *b = pb;

    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    return a->at_ns < b->at_ns ? -1 : a->at_ns > b->at_ns;
}

static size_t note_life(const struct audit *a, const struct addr *addr, const struct conversation *c, struct sign_of_life *ret)
{
    struct shard_host        key = {.addr = *addr};
    const struct shard_host *h = bsearch(&key, a->hosts, a->n_hosts, sizeof(key), by_address);

    if (h == NULL)
        return 0;
    ret[0] = (struct sign_of_life){(size_t)(h - a->hosts), c->first_ns};
    ret[1] = (struct sign_of_life){(size_t)(h - a->hosts), c->last_ns};
    return 2;
}

static size_t gather_lives(const struct audit *a, struct sign_of_life *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_hosts; i++) {
        if (a->hosts[i].sent_first_ns > a->hosts[i].sent_last_ns)
            continue;
        ret[n++] = (struct sign_of_life){i, a->hosts[i].sent_first_ns};
        ret[n++] = (struct sign_of_life){i, a->hosts[i].sent_last_ns};
    }
    for (size_t i = 0; a->n_hosts > 0 && i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];

        for (unsigned side = 0; side < 2; side++)
            if (c->packets[side] > 0 && c->key.summed == SUM_NONE && c->lone_resets != c->flows)
                n += note_life(a, side == 0 ? &c->key.client : &c->key.server, c, ret + n);
    }
    qsort(ret, n, sizeof(*ret), by_host_and_time);
    return n;
}

/*
 * With holes between what was heard a host's longest time without one is what may prove something, and only if it was there in it: seen before and
 * after a hole it was not watched in between.  When hosts sent is told by the conversations that begin or end in a stretch.
 */
static int narrow_to_stretches(struct audit *a)
{
    const struct coverage *c = &a->coverage;
    struct sign_of_life   *lives = calloc(2 * a->n_hosts + 4 * a->n_conversations + 1, sizeof(*lives));
    size_t                 n = lives != NULL ? gather_lives(a, lives) : 0;

    for (size_t i = 0, k; i < n; i = k) {
        struct shard_host *h = &a->hosts[lives[i].host];
        int64_t            first_ns = lives[i].at_ns, last_ns = first_ns;

        for (k = i + 1; k < n && lives[k].host == lives[i].host && coverage_watched(c, last_ns, lives[k].at_ns) == lives[k].at_ns - last_ns; k++)
            last_ns = lives[k].at_ns;
        if (i == 0 || lives[i - 1].host != lives[i].host || last_ns - first_ns > h->sent_last_ns - h->sent_first_ns) {
            h->sent_first_ns = first_ns;
            h->sent_last_ns = last_ns;
        }
    }
    free(lives);
    return lives != NULL ? 0 : -ENOMEM;
}

static int by_address_and_window(const void *pa, const void *pb)
{
    const struct shard_host *a = pa, *b = pb;
    int                      c = addr_compare(&a->addr, &b->addr);

    return c != 0 ? c : (a->window > b->window) - (a->window < b->window);
}

static void note_foreign_of(struct audit *a, const struct addr *addr, int64_t window, uint64_t n)
{
    struct shard_host key = {.addr = *addr, .window = window}, *h = bsearch(&key, a->hosts, a->n_hosts, sizeof(key), by_address_and_window);

    if (h != NULL)
        h->foreign += n < h->sent - h->resets - h->foreign ? n : h->sent - h->resets - h->foreign;
}

/* RSTs that something else sent in a host's name are no sign that it was there: all that came of the server where no packet of the attempts is like its own.
 * Which window they are in is known by the flows; of those that differ, each has its share. */
static void note_foreign(struct audit *a)
{
    for (size_t i = 0; i < a->n_hosts; i++)
        a->hosts[i].foreign = 0;
    for (size_t i = 0; i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];

        if (c->key.outcome != OUTCOME_PROHIBITED || c->icmp != NULL || c->key.summed != SUM_NONE || ttl_seen_rst(c->ttl[1]).min == 0)
            continue;
        uint64_t n = ttl_seen_own(c->ttl[1]).min == 0 ? c->packets[1] : c->reset.flows;
        if (c->windows == NULL)
            note_foreign_of(a, &c->key.server, 0, n);
        for (size_t k = 0; c->windows != NULL && k < c->windows->n; k++)
            note_foreign_of(a, &c->key.server, c->windows->items[k].first, (n * c->windows->items[k].flows + c->flows - 1) / c->flows);
    }
}

/* What it sent itself, as far as is known. */
static uint64_t sent_of(const struct shard_host *h)
{
    return h->sent - h->resets - h->foreign;
}

static int expect_all(struct audit *a, struct expector *x, struct err *reterr)
{
    const struct expect_window whole = {.start_ns = a->coverage.first_ns, .end_ns = a->coverage.last_ns, .last = true};

    for (size_t i = 0; i < a->n_conversations; i++) {
        struct expect_fact fact;

        if (fact_of(a->conversations[i], &fact))
            expector_conversation(x, &fact);
    }
    if (a->coverage.stretches != NULL && narrow_to_stretches(a) != 0)
        return err_set(reterr, -ENOMEM, "no memory for when hosts were there");
    note_foreign(a);
    for (size_t i = 0; i < a->n_hosts; i++) {
        const struct shard_host *h = &a->hosts[i];
        struct expect_host       host = {
                  .addr = h->addr, .first_ns = h->sent_first_ns, .last_ns = h->sent_last_ns, .sent = sent_of(h), .received = h->received, .resets = h->resets + h->foreign,
                  .sent_to_groups = h->sent_to_groups, .cut = h->cut, .quoted = h->quoted, .older = h->older, .copies = h->copies};

        expector_host(x, &host);
    }
    return close_window(a, x, &whole, &a->coverage, reterr);
}

/* --- window by window ------------------------------------------------------------------------------------------- */

struct use {
    const struct conversation *c;
    const struct window_use   *w;
};

struct sighting {
    int64_t            window;
    struct expect_host host;
};

/* Windows from the first to the last. */
struct range {
    int64_t first, last;
};
struct ranges {
    struct range *items;
    size_t        n;
};

struct sweep {
    struct use      *uses, *active; /* uses by their first window; those that the window in hand knows */
    size_t           n_uses, n_active, next_use;
    struct sighting *sightings;     /* by window */
    size_t           n_sightings, next_sighting;
    struct ranges    ranges;        /* the windows to evaluate, in order */
};

static int by_first(const void *pa, const void *pb)
{
    const struct use *a = pa, *b = pb;

    if (a->w->first != b->w->first)
        return a->w->first < b->w->first ? -1 : 1;
    if (a->c->id != b->c->id)
        return a->c->id < b->c->id ? -1 : 1;
    return a->w->last < b->w->last ? -1 : a->w->last > b->w->last;
}

static int by_window(const void *pa, const void *pb)
{
    const struct sighting *a = pa, *b = pb;

    if (a->window != b->window)
        return a->window < b->window ? -1 : 1;
    return addr_compare(&a->host.addr, &b->host.addr);
}

static int gather_uses(struct audit *a, struct sweep *s)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_conversations; i++) {
        if (window_uses_settle(a->conversations[i]) != 0)
            return -ENOMEM;
        n += a->conversations[i]->windows != NULL ? a->conversations[i]->windows->n : 0;
    }
    s->uses = calloc(n + 1, sizeof(*s->uses));
    s->active = calloc(n + 1, sizeof(*s->active));
    if (s->uses == NULL || s->active == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];

        a->n_uses_lost += c->windows != NULL ? c->windows->n_lost : 0;
        for (size_t k = 0; c->windows != NULL && k < c->windows->n; k++)
            s->uses[s->n_uses++] = (struct use){c, &c->windows->items[k]};
    }
    qsort(s->uses, s->n_uses, sizeof(*s->uses), by_first);
    return 0;
}

/* Hosts stand by address, then window: the neighbours of an entry are what was seen of it before and after. */
static int gather_sightings(const struct audit *a, struct sweep *s)
{
    s->sightings = calloc(a->n_hosts + 1, sizeof(*s->sightings));
    if (s->sightings == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < a->n_hosts; i++) {
        const struct shard_host *h = &a->hosts[i], *before = i > 0 ? h - 1 : NULL, *after = i + 1 < a->n_hosts ? h + 1 : NULL;
        struct expect_host       host = {.addr = h->addr, .first_ns = h->sent_first_ns, .last_ns = h->sent_last_ns, .sent = sent_of(h),
                                         .received = h->received, .resets = h->resets + h->foreign, .sent_to_groups = h->sent_to_groups, .quoted = h->quoted, .older = h->older, .copies = h->copies};

        if (h->sent_last_ns != INT64_MIN && h->sent == h->resets)
            host.sent = 1; /* the last packets of a flow that began before */
        if (h->sent_last_ns == INT64_MIN)
            host.sent = 0; /* it sent all of them later, in flows that others began here */
        if (before != NULL && addr_compare(&before->addr, &h->addr) == 0 && before->sent_last_ns != INT64_MIN)
            host.before_ns = before->sent_last_ns;
        if (after != NULL && addr_compare(&after->addr, &h->addr) == 0 && after->sent_last_ns != INT64_MIN)
            host.after_ns = after->sent_first_ns;
        s->sightings[s->n_sightings++] = (struct sighting){h->window, host};
    }
    qsort(s->sightings, s->n_sightings, sizeof(*s->sightings), by_window);
    return 0;
}

/* Of the flows of a conversation that are in a window: which of them they are is known only where all are alike. */
static uint64_t in_window(const struct use *u, uint64_t n)
{
    return n == u->c->flows ? u->w->flows : 0;
}

static void feed_window(const struct audit *a, struct expector *x, struct sweep *s, int64_t window)
{
    int64_t start_ns = window * a->options->window_ns, end_ns = ns_after(start_ns, a->options->window_ns);
    size_t  kept = 0;

    for (; s->next_use < s->n_uses && s->uses[s->next_use].w->first <= window; s->next_use++)
        if (s->uses[s->next_use].w->last >= window)
            s->active[s->n_active++] = s->uses[s->next_use];
    for (size_t i = 0; i < s->n_active; i++) {
        const struct use   *u = &s->active[i];
        struct expect_fact  fact;

        if (u->w->last >= window && fact_of(u->c, &fact)) {
            if (u->w->flows != u->c->flows) /* which of them went on for a while is not known */
                fact.icmp.n_late = 0;
            fact.unfinished = in_window(u, fact.unfinished);
            fact.probes = in_window(u, fact.probes);
            fact.synless = in_window(u, fact.synless);
            fact.went_on = in_window(u, fact.went_on);
            fact.ended = in_window(u, fact.ended);
            fact.withdrawn = in_window(u, fact.withdrawn);
            fact.repeated_answers = in_window(u, fact.repeated_answers);
            fact.refusals = in_window(u, fact.refusals);
            fact.may_be_stopped = u->c->may_be_denied || fact.stopped_late + u->c->asked_on >= u->w->flows;
            fact.stopped_late = in_window(u, fact.stopped_late);
            fact.undelivered = in_window(u, fact.undelivered);
            fact.flows = u->c->key.quoted ? 1 : u->w->flows;
            fact.first_ns = u->w->first_ns > start_ns ? u->w->first_ns : start_ns;
            fact.last_ns = u->w->last_ns < end_ns ? u->w->last_ns : end_ns - 1;
            fact.first_packet = u->w->first_packet;
            fact.answer_first = u->w->answer_first;
            fact.input = u->w->input;
            if (fact.goes_on.ns < start_ns || fact.goes_on.ns >= end_ns) /* which of its flows is seen in this window is not kept */
                fact.goes_on = (struct packet_place){0};
            expector_conversation(x, &fact);
        }
        if (u->w->last > window)
            s->active[kept++] = *u;
    }
    s->n_active = kept;
    for (; s->next_sighting < s->n_sightings && s->sightings[s->next_sighting].window <= window; s->next_sighting++)
        if (s->sightings[s->next_sighting].window == window)
            expector_host(x, &s->sightings[s->next_sighting].host);
}

/* Flows of which it is not kept in which window they were: nothing is concluded from their absence in any that they may have been in. */
static uint64_t torn_flows(const struct audit *a, int64_t window)
{
    uint64_t n = 0;

    for (size_t i = 0; a->n_uses_lost > 0 && i < a->n_conversations; i++) {
        const struct window_uses *uses = a->conversations[i]->windows;

        if (uses != NULL && uses->n_lost > 0 && uses->lost_first <= window && window <= uses->lost_last)
            n += uses->n_lost;
    }
    return n;
}

/* Of live inputs it is known when packets were lost. */
static void own_losses(const struct audit *a, struct coverage *c)
{
    c->lost = 0;
    for (size_t i = 0; i < a->n_losses; i++)
        if (a->losses[i].last_ns >= c->first_ns && a->losses[i].first_ns <= c->last_ns)
            c->lost += a->losses[i].packets > 0 ? a->losses[i].packets : 1;
}

/* The whole run's, but for the times: of files nobody knows which window what was lost belonged to. */
static struct coverage coverage_of(const struct audit *a, const struct expect_window *w)
{
    struct coverage c = a->coverage;

    c.shared = true;
    c.heard_ns = c.last_ns;
    c.first_ns = w->start_ns > c.first_ns ? w->start_ns : c.first_ns;
    c.last_ns = w->end_ns < c.last_ns ? w->end_ns : c.last_ns;
    if (a->losses != NULL)
        own_losses(a, &c);
    c.unjudged += torn_flows(a, window_of(w->start_ns, a->options->window_ns));
    return c;
}

/* --- which windows there are --------------------------------------------------------------------------------------- */

static int by_window_range(const void *pa, const void *pb)
{
    const struct range *a = pa, *b = pb;

    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->last < b->last ? -1 : a->last > b->last;
}

/* Those that touch become one.  How many windows there are. */
static uint64_t join_ranges(struct ranges *r)
{
    uint64_t sum = 0;
    size_t   n = 0;

    qsort(r->items, r->n, sizeof(*r->items), by_window_range);
    for (size_t i = 0; i < r->n; i++) {
        struct range *last = n > 0 ? &r->items[n - 1] : NULL;

        if (last == NULL || r->items[i].first - 1 > last->last)
            r->items[n++] = r->items[i];
        else if (r->items[i].last > last->last)
            last->last = r->items[i].last;
    }
    r->n = n;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)(r->items[i].last - r->items[i].first) + 1;
    return sum;
}

/* The earliest of more than there may be go. */
static void leave_out(struct ranges *r, uint64_t n)
{
    size_t gone = 0;

    for (size_t i = 0; i < r->n && n > 0; i++) {
        uint64_t has = (uint64_t)(r->items[i].last - r->items[i].first) + 1;

        if (has > n) {
            r->items[i].first += (int64_t)n;
            break;
        }
        n -= has;
        gone++;
    }
    memmove(r->items, r->items + gone, (r->n - gone) * sizeof(*r->items));
    r->n -= gone;
}

/* All from the first packet's to the last one's.  Where those are too many, a clock jumped or the windows are short: then those in which something was seen,
 * and the last. */
static int choose_windows(struct audit *a, struct sweep *s)
{
    const int64_t length = a->options->window_ns, first = window_of(a->coverage.first_ns, length), last = window_of(a->coverage.last_ns, length);
    struct ranges *r = &s->ranges;

    r->items = calloc(2 * s->n_uses + s->n_sightings + 1, sizeof(*r->items));
    if (r->items == NULL)
        return -ENOMEM;
    if (last - first < MOST_WINDOWS) {
        r->items[r->n++] = (struct range){first, last};
        return 0;
    }
    for (size_t i = 0; i < s->n_uses; i++) {
        const struct window_use *w = s->uses[i].w;
        int64_t                  from = w->first > first ? w->first : first, to = w->last < last ? w->last : last;
        bool                     is_long = to - from >= LONG_USE;

        r->items[r->n++] = (struct range){from, is_long ? from : to};
        r->items[r->n++] = (struct range){is_long ? to : from, to};
    }
    for (size_t i = 0; i < s->n_sightings; i++)
        if (s->sightings[i].window >= first && s->sightings[i].window <= last)
            r->items[r->n++] = (struct range){s->sightings[i].window, s->sightings[i].window};
    r->items[r->n++] = (struct range){last, last};
    uint64_t n = join_ranges(r);
    a->n_windows_empty = (uint64_t)(last - first) + 1 - n;
    if (n > MOST_WINDOWS) {
        a->n_windows_left = n - MOST_WINDOWS;
        leave_out(r, a->n_windows_left);
    }
    return 0;
}

static int expect_window(struct audit *a, struct expector *x, struct sweep *s, int64_t window, bool last, struct err *reterr)
{
    const int64_t        length = a->options->window_ns;
    struct expect_window w = {.start_ns = window * length, .end_ns = ns_after(window * length, length), .last = last};
    struct coverage      c = coverage_of(a, &w);

    feed_window(a, x, s, window);
    return close_window(a, x, &w, &c, reterr);
}

/* Before the next that is looked at: the windows with which rows end whose time is longer than one. */
static int end_spans(struct audit *a, struct expector *x, struct sweep *s, int64_t next, struct err *reterr)
{
    const int64_t length = a->options->window_ns;
    int64_t       end_ns;
    int           rc = 0;

    while (rc == 0 && (end_ns = expector_next_end(x)) <= next * length)
        rc = expect_window(a, x, s, end_ns / length - 1, false, reterr);
    return rc;
}

static int expect_windows(struct audit *a, struct expector *x, struct sweep *s, struct err *reterr)
{
    int rc = expector_windows(x, a->options->window_ns, reterr);

    for (size_t i = 0; rc == 0 && i < s->ranges.n; i++) {
        const struct range *r = &s->ranges.items[i];

        rc = end_spans(a, x, s, r->first, reterr);
        for (int64_t w = r->first; rc == 0 && w <= r->last; w++)
            rc = expect_window(a, x, s, w, i + 1 == s->ranges.n && w == r->last, reterr);
    }
    return rc;
}

static int expect_by_window(struct audit *a, struct expector *x, struct err *reterr)
{
    struct sweep s = {0};
    int          rc = gather_uses(a, &s);

    if (rc == 0)
        note_foreign(a);
    if (rc == 0)
        rc = gather_sightings(a, &s);
    if (rc == 0)
        rc = choose_windows(a, &s);
    if (rc != 0)
        rc = err_set(reterr, rc, "no memory for the windows");
    else
        rc = expect_windows(a, x, &s, reterr);
    free(s.uses);
    free(s.active);
    free(s.sightings);
    free(s.ranges.items);
    return rc;
}

int audit_expect(struct audit *a, struct err *reterr)
{
    struct expector *x = NULL;
    int              rc = expector_new(a->policy, &x, reterr);

    for (size_t i = 0; i < a->n_conversations; i++)
        a->coverage.summed |= a->conversations[i]->key.summed == SUM_PEERS || a->conversations[i]->key.summed == SUM_CLIENTS;
    if (rc == 0)
        rc = a->options->window_ns > 0 ? expect_by_window(a, x, reterr) : expect_all(a, x, reterr);
    expector_free(x);
    if (rc == 0 && a->options->window_ns == 0) {
        a->concluded = a->expectations;
        a->n_concluded = a->n_expectations;
    } else if (rc == 0) {
        rc = expectations_sum_up(a->policy, a->expectations, a->n_expectations, &a->concluded, &a->n_concluded);
        if (rc != 0)
            err_set(reterr, rc, "no memory for the expected flows");
    }
    return rc;
}

void audit_free_expectations(struct audit *a)
{
    if (a->concluded != a->expectations)
        expectations_free(a->concluded, a->n_concluded);
    expectations_free(a->expectations, a->n_expectations);
}
