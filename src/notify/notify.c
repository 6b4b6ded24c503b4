/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ledger.h"
#include "private.h"

#define MINUTE_NS INT64_C(60000000000)

struct notifier {
    struct notify_about about;
    struct ledger      *ledger;
    struct sink        *sinks, **last; /* in the order in which they were added */
    int                 epoll;         /* -1: nothing to watch */
    unsigned            rate;
    uint64_t            held_told;     /* of those held back, as last told ... */
    int64_t             held_told_ns;  /* ... and when (steady) */
};

static char *copy(const char *text, bool *ok)
{
    char *made = text != NULL ? strdup(text) : NULL;

    *ok = *ok && (text == NULL || made != NULL);
    return made;
}

int notify_new(const struct notify_options *o, struct notifier **ret, struct err *reterr)
{
    struct notifier *n = calloc(1, sizeof(*n));
    bool             ok = true;

    if (n == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    n->last = &n->sinks;
    n->epoll = -1;
    n->rate = o->rate != 0 ? o->rate : 60;
    n->about = (struct notify_about){
        .version = copy(o->version, &ok), .host = copy(o->host, &ok), .ruleset = copy(o->ruleset, &ok), .pid = o->pid != 0 ? o->pid : getpid()};
    int rc = ok ? ledger_new(o, &n->ledger, reterr) : err_set(reterr, -ENOMEM, "no memory");
    if (rc == 0)
        *ret = n;
    else
        notify_free(n);
    return rc;
}

void notify_free(struct notifier *n)
{
    if (n == NULL)
        return;
    for (struct sink *s = n->sinks, *next; s != NULL; s = next) {
        next = s->next;
        s->ops->free(s);
    }
    if (n->epoll >= 0)
        close(n->epoll);
    ledger_free(n->ledger);
    free(n->about.version);
    free(n->about.host);
    free(n->about.ruleset);
    free(n);
}

const struct notify_about *notifier_about(const struct notifier *n)
{
    return &n->about;
}

static int watch(struct notifier *n, int fd, struct err *reterr)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (fd < 0)
        return 0;
    if (n->epoll < 0)
        n->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (n->epoll < 0 || epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return err_set(reterr, -errno, "a descriptor cannot be watched: %s", strerror(errno));
    return 0;
}

int notifier_add(struct notifier *n, struct sink *s, struct err *reterr)
{
    int rc = watch(n, s->ops->fd != NULL ? s->ops->fd(s) : -1, reterr);

    if (rc != 0) {
        s->ops->free(s);
        return rc;
    }
    s->owner = n;
    *n->last = s;
    n->last = &s->next;
    return 0;
}

void notifier_each(const struct notifier *n, sink_visit *visit, void *aux)
{
    for (const struct sink *s = n->sinks; s != NULL; s = s->next)
        visit(aux, s);
}

/* --- the run ----------------------------------------------------------------------------------------------------- */

static void tell_all(void *aux, const struct alert *a)
{
    struct notifier *n = aux;

    for (struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->alert != NULL)
            s->ops->alert(s, a);
}

void notify_finding(struct notifier *n, struct notify_time now, const struct notify_finding *f)
{
    ledger_finding(n->ledger, now, f, tell_all, n);
}

void notify_message(struct notifier *n, struct notify_time now, enum notify_level level, const char *sentence)
{
    struct message m = {.now = now, .level = level, .sentence = sentence};

    for (struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->message != NULL)
            s->ops->message(s, &m);
}

void notify_state(struct notifier *n, struct notify_time now, enum notify_state state, const char *sentence)
{
    for (struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->state != NULL)
            s->ops->state(s, now, state, sentence);
}

/* That the limit holds something back is told at once, then once a minute. */
static void tell_held_back(struct notifier *n, struct notify_time now)
{
    uint64_t   held = ledger_held_back(n->ledger);
    struct out out = {0};

    if (held == n->held_told || (n->held_told != 0 && now.steady_ns - n->held_told_ns < MINUTE_NS))
        return;
    out_count(&out, held - n->held_told);
    out_text(&out, held - n->held_told == 1 ? " finding was" : " findings were");
    out_format(&out, " held back by the limit of %u a minute; ", n->rate);
    out_count(&out, ledger_waiting(n->ledger));
    out_text(&out, " wait to be told; the record has all");
    n->held_told = held;
    n->held_told_ns = now.steady_ns;
    if (!out.cut)
        notify_message(n, now, NOTIFY_WARNING, out.text);
    out_free(&out);
}

static void put_untold(struct out *out, const struct ledger_untold *untold)
{
    const char *separator = ": ";

    for (unsigned s = 0; s <= SEVERITY_NOTICE; s++)
        for (unsigned k = 0; k < FINDING_N_KINDS; k++) {
            if (untold->findings[k][s] == 0)
                continue;
            out_text(out, separator);
            out_count(out, untold->findings[k][s]);
            out_format(out, " %s %s", severity_name((enum severity)s), finding_kind_name((enum finding_kind)k));
            separator = ", ";
        }
}

void notify_end(struct notifier *n, struct notify_time now)
{
    struct ledger_untold untold;
    struct out           out = {0};
    uint64_t             sum = 0;

    ledger_end(n->ledger, now, tell_all, n, &untold);
    for (unsigned i = 0; i < FINDING_N_KINDS * (SEVERITY_NOTICE + 1); i++)
        sum += untold.findings[i / (SEVERITY_NOTICE + 1)][i % (SEVERITY_NOTICE + 1)];
    if (sum + untold.grown == 0)
        return;
    if (sum > 0) {
        out_count(&out, sum);
        out_text(&out, sum == 1 ? " finding was never told" : " findings were never told");
        put_untold(&out, &untold);
    }
    if (untold.grown > 0) {
        out_text(&out, sum > 0 ? "; " : "of findings ");
        out_count(&out, untold.grown);
        out_text(&out, untold.grown == 1 ? " has grown since it was told" : " have grown since they were told");
    }
    out_text(&out, "; the record has all");
    if (!out.cut)
        notify_message(n, now, sum > 0 ? NOTIFY_WARNING : NOTIFY_INFO, out.text);
    out_free(&out);
}

void notify_tick(struct notifier *n, struct notify_time now, const struct notify_vitals *vitals)
{
    ledger_due(n->ledger, now, tell_all, n);
    tell_held_back(n, now);
    for (struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->tick != NULL)
            s->ops->tick(s, now, vitals);
}

void notify_finish(struct notifier *n, struct notify_time now)
{
    for (struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->end != NULL)
            s->ops->end(s, now);
}

int notify_fd(const struct notifier *n)
{
    return n->epoll;
}

struct notify_wish notify_wants(const struct notifier *n)
{
    struct notify_wish wish = {0};

    for (const struct sink *s = n->sinks; s != NULL; s = s->next)
        if (s->ops->wants != NULL)
            s->ops->wants(s, &wish);
    return wish;
}

struct notify_counts notify_counts(const struct notifier *n)
{
    struct notify_counts counts = {.held_back = ledger_held_back(n->ledger)};

    for (const struct sink *s = n->sinks; s != NULL; s = s->next) {
        counts.told += s->told;
        counts.lost += s->lost;
    }
    return counts;
}
