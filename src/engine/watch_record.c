/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder of a live run.
 *
 * What ended is added up in one part.  An evaluation takes a copy of it and the open flows as they stand, and goes the way of
 * engine_check(): merge, parents, order, conclusions.  Then the list of what is written tells which rows are new, which have changed and which are no
 * longer so (an attempt that was unanswered is now established: its row goes, and another comes).  Rows of which only the
 * counts rose are written again after a while, not at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"
#include "watch-private.h"

#define COUNTS_EVERY (10 * NS_PER_SECOND) /* rows of which only the counts rose */
#define MAX_SPANS 1000                    /* losses and outages told one by one; further ones are added to the last */
#define MOST_ANNOUNCEMENTS (256u << 10)   /* kept for the run; further ones are counted */
#define MAX_COUNTERS 16                   /* of the caller's */
#define FLOW_IDS 20                       /* bits: a flow's number is its conversation's, and its place in it */

/* --- what was lost --------------------------------------------------------------------------------------- */

void recording_lost(struct recording *r, uint32_t input, const char *reason, bool known, uint64_t packets, int64_t from_ns, int64_t to_ns)
{
    struct loss_span *last = NULL;

    for (size_t i = r->n_losses; i > 0 && last == NULL; i--)
        if (r->losses[i - 1].input_id == input + 1 && r->losses[i - 1].packets_known == known && strcmp(r->losses[i - 1].reason, reason) == 0)
            last = &r->losses[i - 1];
    bool goes_on = last != NULL && (from_ns - last->last_ns <= 2 * NS_PER_SECOND || r->n_losses >= MAX_SPANS);
    if (!goes_on && r->n_losses == r->n_losses_allocated) {
        size_t            n = r->n_losses_allocated == 0 ? 16 : 2 * r->n_losses_allocated;
        struct loss_span *all = realloc(r->losses, n * sizeof(*all));

        if (all == NULL && last == NULL)
            return;
        goes_on = all == NULL;
        r->losses = all != NULL ? all : r->losses;
        r->n_losses_allocated = all != NULL ? n : r->n_losses_allocated;
    }
    if (goes_on) {
        last->packets += packets;
        last->last_ns = to_ns > last->last_ns ? to_ns : last->last_ns;
        return;
    }
    r->losses[r->n_losses++] = (struct loss_span){input + 1, reason, known, packets, from_ns, to_ns};
}

static bool has_room(struct recording *r)
{
    if (r->n_outages < r->n_outages_allocated)
        return true;
    size_t         n = r->n_outages_allocated == 0 ? 16 : 2 * r->n_outages_allocated;
    struct outage *all = realloc(r->outages, n * sizeof(*all));

    if (all == NULL)
        return false;
    r->outages = all;
    r->n_outages_allocated = n;
    return true;
}

void recording_outage(struct recording *r, uint32_t input, bool begins, int64_t at_ns)
{
    for (size_t i = 0; !begins && i < r->n_outages; i++)
        if (r->outages[i].input == input && r->outages[i].to_ns == 0) {
            r->outages[i].to_ns = at_ns > r->outages[i].from_ns ? at_ns : r->outages[i].from_ns;
            recording_lost(r, input, "interface", false, 0, r->outages[i].from_ns, r->outages[i].to_ns);
            return;
        }
    struct outage *last = NULL; /* of this input */
    for (size_t i = 0; i < r->n_outages; i++) { /* one that is down, and then gone, is silent once */
        begins &= r->outages[i].input != input || r->outages[i].to_ns != 0;
        last = r->outages[i].input == input ? &r->outages[i] : last;
    }
    if (!begins)
        return;
    if (last != NULL && (r->n_outages >= MAX_SPANS || !has_room(r)))
        last->to_ns = 0; /* it goes on: what was heard since is not relied on */
    else if (has_room(r))
        r->outages[r->n_outages++] = (struct outage){input, at_ns, 0};
}

/* --- beginning and taking over ------------------------------------------------------------------------------ */

static struct conversation_limits limits_of(const struct recording *r)
{
    const struct engine_options *o = &r->options->engine;

    return (struct conversation_limits){.flows_kept = o->flows_kept, .flows_all = o->flows_all, .peers_kept = o->peers_kept, .window_ns = o->window_ns};
}

int recording_begin(struct recording *r, const struct watch_rules *rules, struct err *reterr)
{
    struct conversation_limits limits = limits_of(r);
    int                        rc = 0;

    r->rules = *rules;
    r->rules.run.started_ns = r->rules.run.ended_ns = r->calls->now(r->calls->aux);
    if (r->inputs == NULL)
        rc = inputs_named(r->options->interfaces, r->options->n_interfaces, &r->inputs, reterr);
    if (rc == 0)
        rc = part_new(&limits, r->options->n_interfaces, &r->ended, reterr);
    if (rc == 0)
        rc = written_new(&r->written, reterr);
    if (rc == 0 && (r->open = calloc(r->n_workers, sizeof(struct part *))) == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for the recorder");
    if (rc == 0 && (r->queries = calloc(r->n_workers, sizeof(struct part *))) == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for the recorder");
    if (rc == 0 && (r->interfaces = calloc(r->options->n_interfaces, sizeof(*r->interfaces))) == NULL)
        rc = err_set(reterr, -ENOMEM, "no memory for the recorder");
    if (rc == 0)
        rc = store_begin_run(r->store, &r->rules.run, &r->run_id, reterr);
    if (r->keeper != NULL)
        recording_keep_begins(r);
    r->first_ns = INT64_MAX;
    r->last_ns = INT64_MIN;
    r->summary_written = INT64_MIN;
    return rc;
}

/* Of a part that was taken over only its queries are still good for something. */
static void keep_queries_only(struct part *p)
{
    free(p->hosts);
    p->hosts = NULL;
    p->n_hosts = p->n_host_slots = 0;
    p->totals = (struct shard_totals){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
    announcements_clear(&p->announcements);
    memset(p->results, 0, p->n_inputs * PACKET_N_RESULTS * sizeof(*p->results));
}

/* Answers to broadcasts are told by queries that are soon forgotten, and which another worker may have seen: what ended is marked when it comes. */
static int mark(const struct recording *r, struct part *part)
{
    struct part *parts[1 + LIVE_MAX_HANDLES] = {part};
    struct audit a = {.options = &r->options->engine, .policy = r->rules.policy, .limits = limits_of(r), .apps = r->apps, .parts = parts, .n_parts = 1};

    for (size_t i = 0; i < r->n_workers; i++)
        if (r->queries[i] != NULL)
            a.parts[a.n_parts++] = r->queries[i];
    int rc = audit_mark_answers(&a, NULL);

    free(a.conversations);
    return rc;
}

int recording_take(struct recording *r, size_t worker, struct part *ended, struct part *open)
{
    int rc = mark(r, ended);

    if (part_absorb(r->ended, ended) != 0)
        rc = -ENOMEM;
    if (r->announcements.n + r->ended->announcements.n > MOST_ANNOUNCEMENTS) { /* what was told with them stays as it is */
        r->announcements.n_lost += r->ended->announcements.n + announcements_lost(&r->ended->announcements);
        announcements_clear(&r->ended->announcements);
    } else if (announcements_merge(&r->announcements, &r->ended->announcements) != 0) {
        rc = -ENOMEM;
    }
    if (rc != 0)
        r->ended->totals.n_flow_memory_lost++;
    keep_queries_only(ended);
    part_free(r->queries[worker]);
    r->queries[worker] = ended;
    part_free(r->open[worker]);
    r->open[worker] = open;
    return rc;
}

bool recording_has(const struct recording *r, size_t worker)
{
    return r->open[worker] != NULL;
}

/* --- evaluating ----------------------------------------------------------------------------------------------- */

/* Without a packet too it is known to have watched. */
static int make_stretches(const struct recording *r, struct audit *a, struct err *reterr)
{
    struct stretch *stretches = calloc(r->n_outages + 1, sizeof(*stretches));
    int64_t         from = r->first_ns;
    size_t          n = 0;
    bool            lasts = false;

    if (stretches == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the times of the interfaces");
    for (size_t i = 0; i < r->n_outages && !lasts; i++) { /* in the order in which they began */
        const struct outage *o = &r->outages[i];

        if (o->from_ns > from)
            stretches[n++] = (struct stretch){from, o->from_ns};
        lasts = o->to_ns == 0;
        from = o->to_ns > from ? o->to_ns : from;
    }
    if (!lasts && r->last_ns >= from)
        stretches[n++] = (struct stretch){from, r->last_ns};
    a->heard = (struct stretches){.items = stretches, .n = n};
    return 0;
}

static void make_coverage(const struct recording *r, struct audit *a)
{
    struct coverage *c = &a->coverage;

    c->first_ns = r->first_ns;
    c->last_ns = r->last_ns;
    c->filtered = r->results[PACKET_FILTERED];
    for (size_t i = 0; i < r->options->n_interfaces; i++) {
        c->packets += r->interfaces[i].seen;
        c->lost += r->interfaces[i].dropped + r->interfaces[i].interface_dropped + r->interfaces[i].unread;
    }
    c->cut += r->results[PACKET_CUT_HEADER];
    c->unjudged += audit_unjudged(r->results) + a->totals.n_evicted + a->totals.n_flow_memory_lost;
    for (size_t i = 0; i < a->n_conversations; i++)
        c->bytes += a->conversations[i]->bytes[0] + a->conversations[i]->bytes[1];
    c->unseen_bytes = a->totals.n_unseen_bytes;
    c->unseen_errors = a->totals.n_unseen_errors;
    if (r->n_outages > 0) {
        c->stretches = a->heard.items;
        c->n_stretches = a->heard.n;
    }
}

static int gather_parts(struct recording *r, struct audit *a, struct part *copy, struct err *reterr)
{
    a->parts = calloc(2 * r->n_workers + 1, sizeof(struct part *));
    if (a->parts == NULL)
        return err_set(reterr, -ENOMEM, "no memory to evaluate");
    a->parts[a->n_parts++] = copy;
    for (size_t i = 0; i < r->n_workers; i++) {
        if (r->open[i] != NULL)
            a->parts[a->n_parts++] = r->open[i];
        if (r->queries[i] != NULL)
            a->parts[a->n_parts++] = r->queries[i];
    }
    return 0;
}

static int evaluate(struct recording *r, struct audit *a, struct part *copy, struct err *reterr)
{
    static const struct loss_span none;
    int                           rc = gather_parts(r, a, copy, reterr);

    announcements_sort(&r->announcements); /* here, where they stay: the audit borrows them */
    a->announcements = r->announcements;
    a->losses = r->n_losses > 0 ? r->losses : &none;
    a->n_losses = r->n_losses;
    for (size_t i = 0; i < PACKET_N_RESULTS; i++) {
        r->results[i] = 0;
        for (size_t k = 0; k < r->options->n_interfaces; k++)
            r->results[i] += r->ended->results[k * PACKET_N_RESULTS + i];
    }
    if (rc == 0)
        rc = audit_merge(a, reterr);
    if (rc == 0)
        rc = audit_join_parents(a, reterr);
    if (rc == 0)
        rc = make_stretches(r, a, reterr);
    if (rc == 0) {
        make_coverage(r, a);
        rc = audit_order(a, reterr);
    }
    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++) { /* the numbers that they have in the record */
        struct conversation       *c = a->conversations[i];
        const struct written_entry *e = written_find(r->written, WRITTEN_CONVERSATION, &c->key, sizeof(c->key));

        if (e == NULL)
            rc = err_set(reterr, -ENOMEM, "no memory for the list of what is recorded");
        else
            c->id = e->id;
    }
    if (rc == 0)
        rc = audit_conclude(a, reterr);
    r->announcements = a->announcements; /* what joined them may have moved them */
    return rc;
}

static void release(struct recording *r, struct audit *a, struct part *copy)
{
    audit_free_findings(a);
    free(a->conversations);
    free(a->hosts);
    free(a->heard.items);
    free(a->parts);
    part_free(copy);
    for (size_t i = 0; i < r->n_workers; i++) {
        part_free(r->open[i]);
        r->open[i] = NULL;
    }
}

/* --- writing: what was looked at --------------------------------------------------------------------------------- */

static const char *loss_detail(const struct loss_span *l)
{
    if (strcmp(l->reason, "interface") == 0)
        return l->packets_known ? "dropped by the interface, by its own count" : "the interface was down";
    if (strcmp(l->reason, "unread-at-stop") == 0)
        return "left in the ring of the kernel when the run ended";
    return "the ring of the kernel was full: packets came faster than they were judged";
}

static int put_losses(struct recording *r, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->n_losses; i++) {
        const struct loss_span *l = &r->losses[i];
        struct store_loss       loss = {
                  .input_id = l->input_id,
                  .reason = l->reason,
                  .packets = l->packets,
                  .packets_known = l->packets_known,
                  .first_ns = l->first_ns,
                  .last_ns = l->last_ns,
                  .detail = loss_detail(l),
        };

        rc = store_put_loss(r->store, &loss, reterr);
    }
    for (size_t i = 0; rc == 0 && i < r->n_outages; i++) {
        struct store_loss loss = {.input_id = r->outages[i].input + 1, .reason = "interface", .first_ns = r->outages[i].from_ns,
                                  .detail = "the interface is down"};

        if (r->outages[i].to_ns == 0)
            rc = store_put_loss(r->store, &loss, reterr);
    }
    return rc;
}

static int put_inputs(struct recording *r, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->options->n_interfaces; i++) {
        const struct watch_interface *f = &r->interfaces[i];
        const uint64_t               *results = &r->ended->results[i * PACKET_N_RESULTS];
        uint64_t                      discarded;

        rc = audit_record_discards(r->store, (uint32_t)i + 1, results, &discarded, reterr);
        struct store_input in = {
            .input_id = (uint32_t)i + 1,
            .name = f->name,
            .path = f->name,
            .linktype = "live",
            .snaplen = r->options->snaplen,
            .first_ns = r->first_ns == INT64_MAX ? 0 : r->first_ns,
            .last_ns = r->last_ns == INT64_MIN ? 0 : r->last_ns,
            .packets = results[PACKET_OK] + discarded,
            .decoded = results[PACKET_OK],
            .discarded = discarded,
            .dropped = f->dropped + f->interface_dropped,
            .damaged = f->gone,
            .damage = f->gone ? "the interface disappeared" : NULL,
        };
        if (rc == 0)
            rc = store_put_input(r->store, &in, reterr);
    }
    return rc;
}

/* Hosts and expectations are written where they changed, but for the counts of hosts, which go with the rest now and then. */
static uint64_t hash_conclusions(const struct recording *r, const struct audit *a)
{
    uint64_t hash = a->n_hosts;

    for (size_t i = 0; i < a->n_expectations; i++) {
        const struct expectation *e = &a->expectations[i];
        uint64_t                  words[5] = {hash, (uint64_t)e->row << 32 | e->client_host, (uint64_t)e->server_host << 32 | e->outcome,
                                              (uint64_t)e->window_start_ns, e->attempts};

        hash = written_hash(r->written, words, sizeof(words));
    }
    return hash;
}

static int put_counters(struct recording *r, struct audit *a, struct err *reterr)
{
    struct store_counter more[MAX_COUNTERS];
    size_t               n = r->calls->counters(r->calls->aux, more, MAX_COUNTERS);
    int                  rc = audit_record_counters(a, r->store, reterr);

    n += recording_evidence_counters(r, more + n, MAX_COUNTERS - n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = store_put_counter(r->store, &more[i], reterr);
    return rc;
}

static int put_summary(struct recording *r, struct audit *a, bool all, struct err *reterr)
{
    int rc = store_forget_summary(r->store, all, reterr);

    if (rc == 0)
        rc = put_inputs(r, reterr);
    if (rc == 0)
        rc = put_losses(r, reterr);
    if (rc == 0)
        rc = audit_record_unseen(a, r->store, reterr);
    if (rc == 0)
        rc = put_counters(r, a, reterr);
    if (rc == 0 && all)
        rc = audit_record_hosts(a, r->store, reterr);
    if (rc == 0 && all)
        rc = audit_record_expectations(a, r->store, reterr);
    if (rc == 0 && !r->rows_written) {
        rc = audit_record_rows(a, r->store, reterr);
        r->rows_written = rc == 0;
    }
    return rc;
}

/* --- writing: conversations and findings ----------------------------------------------------------------------------- */

/* All that a row of it shows and that its key does not fix. */
static uint64_t hash_conversation(const struct recording *r, const struct conversation *c)
{
    uint64_t ends = 0; /* of a flow that ended nothing else may have changed */
    for (size_t i = 0; i < c->n_kept; i++)
        ends = ends * 31 + c->kept[i].end;
    uint64_t words[18] = {
        c->flows, c->packets[0], c->packets[1], c->bytes[0], c->bytes[1], c->duplicates, c->n_summed, (uint64_t)c->first_ns, (uint64_t)c->last_ns,
        (uint64_t)c->client_port_low << 32 | (uint64_t)c->client_port_high << 16 | c->vlan,
        (uint64_t)c->n_kept << 32 | (uint64_t)c->basis << 16 | c->encap, conversation_icmp(c)->n_errors,
        c->parent != NULL ? (uint64_t)c->parent->ts_ns ^ c->parent->packet_number : c->no_parent, c->bind != NULL, c->first_packet,
        (uint64_t)(uintptr_t)c->app, c->untold << 8 | (uint64_t)c->judgement.confidence, ends,
    };

    return written_hash(r->written, words, sizeof(words));
}

static bool is_due(const struct recording *r, const struct written_entry *e, uint64_t content, bool final, int64_t now)
{
    return e->is_new || (e->content != content && (final || r->distrusted || now - e->written >= COUNTS_EVERY));
}

static int put_conversation(struct recording *r, struct audit *a, struct conversation *c, bool final, int64_t now, struct err *reterr)
{
    struct written_entry *e = written_find(r->written, WRITTEN_CONVERSATION, &c->key, sizeof(c->key));

    if (e == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the list of what is recorded");
    uint64_t content = hash_conversation(r, c);
    e->pass = r->pass;
    c->id = e->id;
    if (!is_due(r, e, content, final, now))
        return 0;
    int      rc = e->is_new ? 0 : store_forget_conversation(r->store, e->id, reterr);
    uint64_t next_flow = e->id << FLOW_IDS;
    if (rc == 0)
        rc = audit_record_conversation(a, r->store, c, reterr);
    if (rc == 0)
        rc = audit_record_flows(r->store, c, &next_flow, reterr);
    if (rc != 0)
        return rc;
    e->is_new = false;
    e->content = content;
    e->written = now;
    return 0;
}

/* What makes a finding the same one in the next evaluation.  Compared as bytes: zeroed, without padding. */
struct finding_identity {
    struct conversation_key conversation;
    struct addr             addr[2];
    uint64_t                text;
    uint32_t                kind, row, hosts[2];
    uint64_t                port;
};

static void identify(const struct recording *r, const struct finding *f, struct finding_identity *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->kind = f->kind;
    if (f->conversation != NULL) {
        ret->conversation = f->conversation->key;
    } else if (f->expectation != NULL) {
        ret->row = f->expectation->row;
        ret->hosts[0] = f->expectation->client_host;
        ret->hosts[1] = f->expectation->server_host;
    } else if (f->separation != NULL) {
        ret->addr[0] = f->separation->addr[0];
        ret->addr[1] = f->separation->addr[1];
        ret->text = written_hash(r->written, f->separation->section, strlen(f->separation->section));
    } else if (f->promise != NULL) {
        ret->addr[0] = f->promise->addr;
        ret->addr[1] = f->promise->requester;
        ret->port = (uint64_t)f->promise->port << 8 | f->promise->transport;
    } else if (f->bind != NULL) {
        ret->addr[0] = f->bind->announcer;
        ret->addr[1] = f->bind->requester;
        ret->port = (uint64_t)(uintptr_t)f->sign; /* of the matrix, which lasts as long as the run */
    } else if (f->sentence != NULL) {
        /* How often it mattered grows in a run; what it says does not. */
        const char *here = strstr(f->sentence, SITE_SEEN_HERE);
        ret->text = written_hash(r->written, f->sentence, here != NULL ? (size_t)(here - f->sentence) : strlen(f->sentence));
    }
}

/* Who talks to whom: an attempt that is answered after all, or recognised, keeps its number. */
static struct written_entry *entry_of(struct recording *r, const struct finding *f, const struct finding_identity *identity)
{
    if (f->conversation == NULL)
        return written_find(r->written, WRITTEN_FINDING, identity, sizeof(*identity));
    const struct conversation_key *key = &f->conversation->key;
    struct finding_identity        ends;

    memset(&ends, 0, sizeof(ends));
    ends.addr[0] = key->client;
    ends.addr[1] = key->server;
    ends.port = (uint64_t)key->summed << 40 | (uint64_t)key->transport << 32 | (uint64_t)key->client_port << 16 | key->server_port;
    struct written_entry *last = written_find(r->written, WRITTEN_ENDS, &ends, sizeof(ends));
    if (last == NULL)
        return NULL;
    const uint64_t before[2] = {last->of[0], last->of[1]};
    last->pass = r->pass;
    struct written_entry *e = written_follow(r->written, WRITTEN_FINDING, identity, sizeof(*identity), before, r->pass);
    last = written_known(r->written, WRITTEN_ENDS, &ends, sizeof(ends)); /* where it is now */
    if (e != NULL && last != NULL)
        memcpy(last->of, e->key, sizeof(last->of));
    return e;
}

/* First those that are known: what they have is nobody else's. */
static void mark_known(struct recording *r, const struct audit *a)
{
    for (size_t i = 0; i < a->n_findings; i++) {
        struct finding_identity identity;

        identify(r, &a->findings[i], &identity);
        struct written_entry *e = written_known(r->written, WRITTEN_FINDING, &identity, sizeof(identity));
        if (e != NULL)
            e->pass = r->pass;
    }
}

struct telling {
    struct recording     *recording;
    const struct finding *finding;
    struct written_entry  *entry;
    bool                  final;
    int64_t               now;
};

static uint64_t hash_finding(const struct recording *r, const struct store_finding *s)
{
    uint64_t words[8] = {
        written_hash(r->written, s->reason, strlen(s->reason)), s->flows, s->packets, s->bytes, (uint64_t)s->last_ns, s->conversation_id,
        s->waived_by != NULL, written_hash(r->written, s->severity, strlen(s->severity)),
    };

    return written_hash(r->written, words, sizeof(words));
}

static int put_finding(void *aux, const struct store_finding *s, struct err *reterr)
{
    struct telling      *t = aux;
    struct recording    *r = t->recording;
    struct written_entry *e = t->entry;
    uint64_t             content = hash_finding(r, s);
    char                 id[COMMUNITY_ID_SIZE];

    bool is_new = e->is_new && e->written == 0, due = is_due(r, e, content, t->final, t->now);
    if (!due && e->told == content)
        return 0;
    int rc = !due || e->is_new ? 0 : store_forget_finding(r->store, e->id, reterr);
    if (rc == 0 && due)
        rc = store_put_finding(r->store, s, reterr);
    if (rc != 0)
        return rc;
    const struct conversation *c = t->finding->conversation;
    bool                       one = c != NULL && c->key.summed == SUM_NONE && c->client_port_low == c->client_port_high;
    r->calls->finding(r->calls->aux, r->run_id, s, one && community_id(&c->tuple, id) == 0 ? id : NULL, is_new);
    e->told = content;
    if (!due) /* only its counts rose: told now, written again later */
        return 0;
    e->is_new = false;
    e->content = content;
    e->written = t->now;
    return 0;
}

static int put_findings(struct recording *r, struct audit *a, bool final, int64_t now, struct err *reterr)
{
    int rc = 0;

    mark_known(r, a);
    for (size_t i = 0; rc == 0 && i < a->n_findings; i++) {
        const struct finding   *f = &a->findings[i];
        struct finding_identity identity;
        struct telling          t = {r, f, NULL, final, now};

        identify(r, f, &identity);
        t.entry = entry_of(r, f, &identity);
        if (t.entry == NULL)
            return err_set(reterr, -ENOMEM, "no memory for the list of what is recorded");
        t.entry->pass = r->pass;
        rc = audit_tell_finding(a, f, t.entry->id, put_finding, &t, reterr);
    }
    return rc;
}

static int forget(void *aux, const struct written_entry *e)
{
    struct recording *r = aux;

    if (e->is_new || e->kind == WRITTEN_ENDS)
        return 0;
    return e->kind == WRITTEN_CONVERSATION ? store_forget_conversation(r->store, e->id, NULL) : store_forget_finding(r->store, e->id, NULL);
}

/* --- one evaluation ------------------------------------------------------------------------------------------------------ */

static void count(const struct recording *r, const struct audit *a)
{
    struct watch_state *s = r->state;

    memset(s->findings, 0, sizeof(s->findings));
    memset(s->expectations, 0, sizeof(s->expectations));
    s->waived = 0;
    for (size_t i = 0; i < a->n_findings; i++) {
        if (a->findings[i].exception != NULL)
            s->waived++;
        else
            s->findings[a->findings[i].kind][a->findings[i].severity]++;
    }
    int64_t latest = a->n_expectations > 0 ? a->expectations[a->n_expectations - 1].window_start_ns : 0;
    for (size_t i = 0; i < a->n_expectations; i++)
        if (a->expectations[i].window_start_ns == latest)
            s->expectations[a->expectations[i].outcome]++;
    s->conversations = a->n_conversations;
}

static int write_all(struct recording *r, struct audit *a, bool final, struct err *reterr)
{
    int64_t  now = r->calls->steady(r->calls->aux);
    uint64_t hash = hash_conclusions(r, a);
    bool     all = final || r->distrusted || hash != r->hosts_hash || r->summary_written == INT64_MIN || now - r->summary_written >= 6 * COUNTS_EVERY;
    int      rc = r->distrusted ? store_forget_judged(r->store, reterr) : 0;

    if (r->distrusted) {
        written_distrust(r->written);
        r->rows_written = false;
    }
    r->pass = r->pass == UINT32_MAX ? 1 : r->pass + 1;
    for (size_t i = 0; rc == 0 && i < a->n_conversations; i++)
        rc = put_conversation(r, a, a->conversations[i], final, now, reterr);
    if (rc == 0)
        rc = put_findings(r, a, final, now, reterr);
    if (rc == 0 && written_sweep(r->written, r->pass, forget, r) != 0)
        rc = err_set(reterr, -EIO, "what is no longer so could not be taken out of the record");
    if (rc == 0)
        rc = put_summary(r, a, all, reterr);
    if (rc == 0)
        rc = recording_put_files(r, reterr);
    if (rc == 0)
        rc = store_commit(r->store, reterr);
    r->distrusted = rc != 0;
    if (rc == 0)
        r->n_files_recorded = r->n_files;
    if (rc == 0 && all) {
        r->summary_written = now;
        r->hosts_hash = hash;
    }
    return rc;
}

int recording_write(struct recording *r, bool final, struct err *reterr)
{
    struct engine_result result = {0};
    struct audit         a = {.options = &r->options->engine, .policy = r->rules.policy, .site = r->rules.site, .inputs = r->inputs, .apps = r->apps,
                              .limits = limits_of(r), .result = &result, .goes_on = !final};
    struct part         *copy = NULL;

    if (r->first_ns > r->last_ns && !final)
        return 0; /* no packet yet */
    if (r->first_ns > r->last_ns)
        r->first_ns = r->last_ns = 0;
    int rc = part_copy(r->ended, &copy, reterr);
    if (rc == 0)
        rc = evaluate(r, &a, copy, reterr);
    if (rc == 0) {
        r->n_windows_left = a.n_windows_left;
        count(r, &a);
        if (r->keeper != NULL)
            recording_keep(r, &a, final);
        rc = write_all(r, &a, final, reterr);
    }
    if (rc != 0)
        store_recover(r->store);
    release(r, &a, copy);
    return rc;
}

int recording_end(struct recording *r, bool complete, struct err *reterr)
{
    return store_end_run(r->store, r->calls->now(r->calls->aux), complete && r->ended->totals.n_flow_memory_lost == 0 && r->n_windows_left == 0, reterr);
}

/* What belongs to the run; what belongs to the program stays for the next. */
void recording_free(struct recording *r)
{
    part_free(r->ended);
    for (size_t i = 0; i < r->n_workers; i++) {
        if (r->open != NULL)
            part_free(r->open[i]);
        if (r->queries != NULL)
            part_free(r->queries[i]);
    }
    free(r->open);
    free(r->queries);
    announcements_clear(&r->announcements);
    written_free(r->written);
    recording_free_files(r);
    free(r->losses);
    free(r->outages);
    free(r->interfaces);
    inputs_free(r->inputs);
    *r = (struct recording){
        .options = r->options, .store = r->store, .calls = r->calls, .apps = r->apps, .n_workers = r->n_workers, .state = r->state,
        .keeper = r->keeper};
}
