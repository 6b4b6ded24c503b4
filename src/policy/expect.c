/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected flows: for each required row and client host, was the flow seen, did it fail, or is it absent, and could it have
 * been seen at all?  Silence counts only where the client was alive, the time was long enough, and nothing was lost.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "expect-private.h"

/* --- which hosts ---------------------------------------------------------------------------------------- */

static int group_hosts(const struct policy *p, struct group_hosts *ret)
{
    size_t n = p->site->n_hosts;

    ret->hosts = calloc(n + 1, sizeof(*ret->hosts));
    ret->starts = calloc(p->n_groups + 2, sizeof(*ret->starts));
    if (ret->hosts == NULL || ret->starts == NULL)
        return -ENOMEM;
    for (size_t h = 0; h < n; h++)
        ret->starts[p->hosts[h].group + 2]++;
    for (size_t g = 2; g < p->n_groups + 2; g++)
        ret->starts[g] += ret->starts[g - 1];
    for (size_t h = 0; h < n; h++)
        ret->hosts[ret->starts[p->hosts[h].group + 1]++] = (uint32_t)h;
    return 0;
}

static int by_number(const void *pa, const void *pb)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

    return (a > b) - (a < b);
}

/* All hosts with one of these roles, in the order of the site file; freed by the caller. */
static uint32_t *hosts_with(const struct expector *x, const struct set256 *roles, size_t *ret_n)
{
    const struct policy *p = x->p;
    size_t               n = 0;

    for (size_t g = 0; g < p->n_groups; g++)
        if (sets_meet(&p->groups[g].roles, roles))
            n += x->by_group.starts[g + 1] - x->by_group.starts[g];
    uint32_t *hosts = calloc(n + 1, sizeof(*hosts));
    *ret_n = 0;
    for (size_t g = 0; hosts != NULL && g < p->n_groups; g++) {
        size_t first = x->by_group.starts[g], count = x->by_group.starts[g + 1] - first;

        if (!sets_meet(&p->groups[g].roles, roles))
            continue;
        memcpy(hosts + *ret_n, x->by_group.hosts + first, count * sizeof(*hosts));
        *ret_n += count;
    }
    if (hosts != NULL)
        qsort(hosts, *ret_n, sizeof(*hosts), by_number);
    return hosts;
}

/* --- what is expected ------------------------------------------------------------------------------------ */

static struct tally empty_tally(uint32_t row, uint32_t client, uint32_t server)
{
    return (struct tally){
        .row = row, .client = client, .server = server, .seen_server = POLICY_NONE, .tried_server = POLICY_NONE, .silent_ns = INT64_MAX,
    };
}

static int add_tally(struct expector *x, uint32_t row, uint32_t client, uint32_t server)
{
    if (x->n_tallies == x->n_allocated) {
        size_t        n = x->n_allocated == 0 ? 128 : 2 * x->n_allocated;
        struct tally *tallies = realloc(x->tallies, n * sizeof(*tallies));

        if (tallies == NULL)
            return -ENOMEM;
        x->tallies = tallies;
        x->n_allocated = n;
    }
    x->tallies[x->n_tallies++] = empty_tally(row, client, server);
    return 0;
}

/* One for the client where some other host serves; with 'every' one for each of them. */
static int add_client(struct expector *x, uint32_t row, uint32_t client, const uint32_t *servers, size_t n_servers)
{
    bool every = x->p->rows[row].every;
    int  rc = 0;

    for (size_t i = 0; rc == 0 && i < n_servers; i++) {
        if (servers[i] == client)
            continue;
        rc = add_tally(x, row, client, every ? servers[i] : POLICY_NONE);
        if (!every)
            break;
    }
    return rc;
}

static int add_row(struct expector *x, uint32_t row)
{
    const struct applied_row *a = &x->p->rows[row];
    size_t                    n_clients, n_servers;

    if (!sets_meet(&a->from, &x->p->present) || !sets_meet(&a->to, &x->p->present))
        return 0;
    uint32_t *clients = hosts_with(x, &a->from, &n_clients), *servers = hosts_with(x, &a->to, &n_servers);
    int       rc = clients != NULL && servers != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < n_clients; i++)
        rc = add_client(x, row, clients[i], servers, n_servers);
    free(clients);
    free(servers);
    return rc;
}

static int add_expectations(struct expector *x)
{
    size_t n_rows = x->p->matrix->n_rows;
    int    rc = 0;

    for (uint32_t r = 0; rc == 0 && r < n_rows; r++) {
        const struct applied_row *a = &x->p->rows[r];

        x->row_starts[r] = x->n_tallies;
        if (a->enabled && a->required && a->n_ports > 0)
            rc = add_row(x, r);
    }
    x->row_starts[n_rows] = x->n_tallies;
    return rc;
}

/* The span of this length: there are few, for sites give few different times. */
static int add_span(struct expector *x, int64_t length_ns, uint32_t *ret)
{
    for (*ret = 0; *ret < x->n_spans; ++*ret)
        if (x->spans[*ret].length_ns == length_ns)
            return 0;
    struct span *spans = realloc(x->spans, (x->n_spans + 1) * sizeof(*spans));
    if (spans == NULL)
        return -ENOMEM;
    x->spans = spans;
    spans[x->n_spans] = (struct span){.length_ns = length_ns, .lives = calloc(x->p->site->n_hosts + 1, sizeof(*spans->lives))};
    return spans[x->n_spans++].lives != NULL ? 0 : -ENOMEM;
}

int expector_new(const struct policy *p, struct expector **ret, struct err *reterr)
{
    struct expector *x = calloc(1, sizeof(*x));
    int              rc = -ENOMEM;

    if (x != NULL) {
        x->p = p;
        x->row_starts = calloc(p->matrix->n_rows + 1, sizeof(*x->row_starts));
        x->row_spans = calloc(p->matrix->n_rows + 1, sizeof(*x->row_spans));
        if (x->row_starts != NULL && x->row_spans != NULL)
            rc = group_hosts(p, &x->by_group);
        if (rc == 0)
            rc = add_expectations(x);
        if (rc == 0)
            rc = add_span(x, 0, &x->row_spans[0]); /* all rows have the first */
    }
    if (rc != 0) {
        expector_free(x);
        return err_set(reterr, rc, "no memory for the expected flows");
    }
    *ret = x;
    return 0;
}

static void free_results(struct expector *x)
{
    expectations_free(x->results, x->n_results);
    x->results = NULL;
    x->n_results = 0;
}

static void free_spans(struct expector *x)
{
    for (size_t i = 0; i < x->n_spans; i++) {
        free(x->spans[i].services.items);
        free(x->spans[i].lives);
        passages_free(&x->spans[i].passages);
    }
    free(x->spans);
    x->spans = NULL;
    x->n_spans = 0;
}

void expector_free(struct expector *x)
{
    if (x == NULL)
        return;
    free_results(x);
    free(x->by_group.hosts);
    free(x->by_group.starts);
    for (size_t i = 0; i < x->n_tallies; i++)
        free(x->tallies[i].deniers);
    free(x->tallies);
    free(x->row_starts);
    free(x->row_spans);
    free_spans(x);
    free(x);
}

/* --- what was seen ------------------------------------------------------------------------------------------ */

static void note_denial(struct denial *d, const struct expect_fact *f)
{
    if (f->icmp.n_errors == 0) {
        bool all_held = f->own.min != 0 && (d->resets == 0 || d->own.min != 0);

        ttl_range_join(&d->rst, &f->rst);
        ttl_range_join(&d->own, &f->own);
        if (!all_held)
            d->rst = d->own = (struct ttl_range){0, 0};
        d->beside |= f->beside;
        d->resets += f->flows;
        d->after_syn_ack |= f->after_syn_ack;
    } else if (d->icmp.n_errors == 0 || f->icmp.ts_ns < d->icmp.ts_ns)
        d->icmp = f->icmp;
}

static void count_attempt(struct expector *x, struct tally *t, const struct expect_fact *f, bool met, const struct point *p)
{
    uint32_t server = p->server;

    const struct addr *client = policy_host(x->p, &f->query.tuple.client) == t->client ? &f->query.tuple.client : &f->query.tuple.server;
    bool               ended = f->ended > 0 && f->ended == f->flows, again = t->last_fact == x->n_facts;

    t->last_fact = x->n_facts;
    if (f->unasked) {
        t->unasked += again ? 0 : f->flows;
        return;
    }
    if (ended && !again && policy_host(x->p, &f->query.tuple.server) == server)
        tally_note_ended(t, f, p, client);
    if (ended) /* neither does it show an attempt */
        return;
    tally_note(t, f, met, p, client);
    if (again)
        return;
    /* Of two hosts that may both be the server: is it the one that goes on? */
    bool running = f->running > 0 && policy_host(x->p, &f->query.tuple.server) == server;
    bool adrift = f->adrift > 0 && policy_host(x->p, &f->query.tuple.server) == server;
    if (running || adrift)
        tally_note_running(t, f, p, !running);
    if ((running && f->packets[0] == 0) || (adrift && f->adrift == f->flows)) /* it shows a connection, and no attempt */
        return;
    t->tried_others |= t->attempts > 0 && t->tried_server != server;
    struct packet_place place = {f->first_ns, f->first_packet, f->input};
    bool                unseen = f->packets[0] == 0 && f->packets[1] > 0;
    if (t->attempts == 0 || packet_place_before(&place, &t->first)) {
        t->first = place;
        t->first_unseen = unseen || f->answer_first || f->quoted;
        t->tried_server = server;
    }
    if (t->n[f->outcome] == 0 || packet_place_before(&place, &t->first_of[f->outcome]))
        t->first_of[f->outcome] = place;
    t->n[f->outcome] += f->flows;
    t->families |= family_of(&f->query.tuple);
    t->attempts += f->flows;
    t->packets += x->window_ns == 0 ? f->packets[0] + f->packets[1] : 0;
    t->bytes += x->window_ns == 0 ? f->bytes : 0;
    t->last_ns = f->last_ns > t->last_ns ? f->last_ns : t->last_ns;
    t->insisted |= f->outcome == OUTCOME_UNANSWERED && (f->query.tuple.transport == IPPROTO_TCP || f->asked > 1);
    t->probed += f->probes;
    t->unfinished += f->outcome == OUTCOME_ONE_WAY ? f->unfinished : 0;
    t->withdrawn += f->withdrawn;
    t->repeated_answers += f->repeated_answers;
    t->stopped_late += f->stopped_late;
    t->refusals += f->refusals;
    t->undelivered += f->undelivered;
    t->resent_syns += f->resent_syns;
    t->unseen += unseen ? f->flows : 0;
    t->quoted += f->quoted ? f->flows : 0;
    t->quoting += f->quoted ? f->icmp.n_errors : 0;
    if (f->outcome == OUTCOME_UNANSWERED && f->first_ns < t->silent_ns)
        t->silent_ns = f->first_ns;
    if ((f->outcome == OUTCOME_REFUSED || f->outcome == OUTCOME_PROHIBITED || f->outcome == OUTCOME_UNANSWERED) && f->icmp.n_errors > 0)
        x->failed |= tally_note_denier(t, f) != 0;
    if (f->outcome == OUTCOME_REFUSED || f->outcome == OUTCOME_PROHIBITED)
        note_denial(&t->denials[f->outcome == OUTCOME_PROHIBITED], f);
}

struct fact_of {
    struct expector          *x;
    const struct expect_fact *fact;
    bool                      asked_back; /* as the other side would have asked */
};

/* All requests of it are the other side's: no attempt. */
static void count_asked_back(struct expector *x, struct tally *t, const struct expect_fact *f)
{
    bool again = t->last_fact == x->n_facts;

    t->last_fact = x->n_facts;
    t->asked_back += again ? 0 : f->flows;
    t->unasked += again || !f->names_asked ? 0 : f->flows;
}

/* The first tally of the row for this client. */
static size_t find_client(const struct expector *x, uint32_t row, uint32_t client)
{
    size_t low = x->row_starts[row], high = x->row_starts[row + 1];

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (x->tallies[mid].client < client)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void count_row(void *aux, uint32_t row, const struct way *w)
{
    const struct fact_of    *f = aux;
    struct expector         *x = f->x;
    const struct port_range *port = row_port(&x->p->rows[row], w->transport, w->port);
    enum outcome             outcome = f->fact->outcome;
    bool met = outcome == OUTCOME_ESTABLISHED || (outcome == OUTCOME_ONE_WAY && port != NULL && port->one_way && !f->fact->may_be_stopped);

    for (size_t k = find_client(x, row, w->client); k < x->row_starts[row + 1] && x->tallies[k].client == w->client; k++)
        if (x->tallies[k].server != POLICY_NONE && x->tallies[k].server != w->server)
            continue;
        else if (f->asked_back)
            count_asked_back(x, &x->tallies[k], f->fact);
        else
            count_attempt(x, &x->tallies[k], f->fact, met, &(struct point){w->server, w->port, w->transport, family_of(&f->fact->query.tuple)});
}

static const char *satisfied_protocol(const struct policy *p, const struct app *app, const struct applied_row *a)
{
    for (unsigned i = 0; (i = set_next(&a->protocols, i)) < SET_MAX; i++)
        if (p->options.satisfies != NULL ? p->options.satisfies(app, p->protocols[i]) : strcmp(app->name, p->protocols[i]) == 0)
            return p->protocols[i];
    return NULL;
}

/* The content of a row that is expected of this client, on a port that no row has, or other content on its own. */
static void note_elsewhere(struct expector *x, const struct expect_fact *fact, const struct judgement *j)
{
    struct way w = way_there(x->p, &fact->query.tuple);

    if (j->verdict != VERDICT_VIOLATION || fact->query.app.basis != APP_CONTENT || (j->kind != FINDING_WRONG_PORT && j->kind != FINDING_WRONG_PROTOCOL))
        return;
    for (uint32_t r = 0; r < x->p->matrix->n_rows; r++) {
        const struct applied_row *a = &x->p->rows[r];
        bool                      expected = x->row_starts[r] < x->row_starts[r + 1] && !a->row->media && sets_meet(w.to, &a->to);
        bool                      other = j->kind == FINDING_WRONG_PROTOCOL;
        const char               *protocol = !expected ? NULL : !other ? satisfied_protocol(x->p, &fact->query.app, a) : r == j->row ? fact->query.app.name : NULL;

        if (protocol == NULL)
            continue;
        for (size_t k = find_client(x, r, w.client); k < x->row_starts[r + 1] && x->tallies[k].client == w.client; k++)
            if (x->tallies[k].server == POLICY_NONE || x->tallies[k].server == w.server)
                tally_note_elsewhere(&x->tallies[k], fact, protocol, other);
    }
}

void expector_conversation(struct expector *x, const struct expect_fact *fact)
{
    struct fact_of      f = {.x = x, .fact = fact};
    struct policy_query q = fact->query;
    struct judgement    j;

    for (size_t i = 0; i < x->n_spans; i++)
        x->failed |= passages_note(&x->spans[i].passages, x->p, fact) != 0 || services_note(&x->spans[i].services, x->p, fact) != 0;
    q.answers_group &= !fact->unasked;
    policy_judge(x->p, &q, &j);
    x->n_facts++;
    policy_each_row(x->p, &q, &j, count_row, &f);
    note_elsewhere(x, fact, &j);
    if (q.one_asks) {
        q = query_turned(&q);
        policy_judge(x->p, &q, &j);
        f.asked_back = true;
        x->n_facts++;
        policy_each_row(x->p, &q, &j, count_row, &f);
    }
}

static void note_life(struct life *l, const struct expect_host *h)
{
    if (h->sent > 0) {
        bool first = l->sent == 0;

        if (first || h->first_ns < l->first_ns) {
            l->first_ns = h->first_ns;
            l->before_ns = h->before_ns;
        }
        if (first || h->last_ns > l->last_ns) {
            l->last_ns = h->last_ns;
            l->after_ns = h->after_ns;
        }
    }
    l->sent += h->sent;
    l->received += h->received;
    l->sent_to_groups += h->sent_to_groups;
    l->cut += h->cut;
    l->quoted += h->quoted;
    l->resets += h->resets;
    l->older += h->older;
    l->copies |= h->copies;
}

void expector_host(struct expector *x, const struct expect_host *h)
{
    uint32_t host = policy_host(x->p, &h->addr);

    for (size_t i = 0; host != POLICY_NONE && i < x->n_spans; i++)
        note_life(&x->spans[i].lives[host], h);
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

/* The last multiple of 'unit' that is not after 'ns'. */
static int64_t begin_of(int64_t ns, int64_t unit)
{
    int64_t rest = ns % unit;

    return ns - (rest < 0 ? rest + unit : rest);
}

int expector_windows(struct expector *x, int64_t window_ns, struct err *reterr)
{
    int rc = 0;

    free_spans(x);
    x->window_ns = window_ns;
    for (uint32_t r = 0; rc == 0 && r < x->p->matrix->n_rows; r++) {
        int64_t within = x->p->rows[r].within_ns, n = within > window_ns ? (within - 1) / window_ns + 1 : 1;

        rc = add_span(x, n * window_ns, &x->row_spans[r]);
    }
    return rc == 0 ? 0 : err_set(reterr, rc, "no memory for the expected flows");
}

static uint64_t join_counts(const struct coverage *b, uint64_t a, uint64_t of_b)
{
    if (!b->shared)
        return a + of_b;
    return a > of_b ? a : of_b;
}

/* 'b' follows 'a'. */
static void join_coverage(struct coverage *a, const struct coverage *b)
{
    a->last_ns = b->last_ns;
    a->heard_ns = b->heard_ns;
    a->packets = join_counts(b, a->packets, b->packets);
    a->bytes = join_counts(b, a->bytes, b->bytes);
    a->lost = join_counts(b, a->lost, b->lost);
    a->filtered = join_counts(b, a->filtered, b->filtered);
    a->unseen_bytes = join_counts(b, a->unseen_bytes, b->unseen_bytes);
    a->unjudged = join_counts(b, a->unjudged, b->unjudged);
    a->cut = join_counts(b, a->cut, b->cut);
    a->cut_told = join_counts(b, a->cut_told, b->cut_told);
    a->sessions = join_counts(b, a->sessions, b->sessions);
    a->one_sided = join_counts(b, a->one_sided, b->one_sided);
    a->resets = join_counts(b, a->resets, b->resets);
    a->unseen_errors = join_counts(b, a->unseen_errors, b->unseen_errors);
    a->damaged |= b->damaged;
    a->stretches = b->stretches;
    a->n_stretches = b->n_stretches;
    a->silent = b->silent;
}

static bool span_ends(const struct span *s, const struct expect_window *w)
{
    return w->last || (s->length_ns > 0 && w->end_ns >= ns_after(s->start_ns, s->length_ns));
}

static void extend_spans(struct expector *x, const struct expect_window *w, const struct coverage *c)
{
    x->began_ns = x->begun ? x->began_ns : c->first_ns;
    x->begun = true;
    for (size_t i = 0; i < x->n_spans; i++) {
        struct span *s = &x->spans[i];

        if (s->begun && s->length_ns > 0) {
            join_coverage(&s->coverage, c);
        } else {
            s->begun = true;
            s->start_ns = s->length_ns > 0 ? begin_of(w->start_ns, s->length_ns) : w->start_ns;
            s->coverage = *c;
        }
        if (span_ends(s, w)) {
            passages_unite(&s->passages);
            services_unite(&s->services);
        }
    }
}

static int conclude_tally(struct expector *x, const struct tally *t, const struct expect_window *w, struct expectation *ret)
{
    const struct span       *s = expect_span(x, t->row);
    char                     reason[EXPECT_REASON_SIZE];
    struct told              told = {0};
    enum expectation_outcome outcome = expect_conclude(x, t, reason, sizeof(reason), &told);
    const struct denial     *d = &t->denials[outcome == EXPECT_PROHIBITED];

    *ret = (struct expectation){
        .row = t->row, .client_host = t->client, .outcome = outcome, .first_ns = t->first.ns, .attempts = t->attempts, .packets = t->packets, .bytes = t->bytes, .last_ns = t->last_ns,
        .within_ns = x->p->rows[t->row].within_ns, .icmp = d->icmp, .rst = d->rst, .own = d->own, .reason = strdup(reason),
        .server_host = t->server != POLICY_NONE ? t->server : t->seen ? t->seen_server : t->running ? t->running_at.server : expect_ended(t) ? t->ended_at.server : t->tried_server,
        .tried_others = t->tried_others,
        .first_packet = t->first.packet,
        .first_input = t->first.input,
        .first_is_sign = t->first_unseen,
        .ended = expect_ended(t),
        .goes_on = expect_ended(t) ? t->ended_first : t->running && !t->seen ? t->goes_on : (struct packet_place){0},
        .seen_ns = t->seen_ns,
        .seen_last_ns = t->seen_last_ns,
        .seen_packet = t->seen_packet,
        .seen_input = t->seen_input,
        .seen_is_answer = t->seen_is_answer,
        .advice_at = told.advice_at,
        .weak = told.weak,
        .window_start_ns = s->start_ns,
        .window_end_ns = s->length_ns > 0 ? ns_after(s->start_ns, s->length_ns) : w->end_ns,
    };
    return ret->reason != NULL ? 0 : -ENOMEM;
}

static int conclude_all(struct expector *x, const struct expect_window *w)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < x->n_tallies; i++)
        if (span_ends(expect_span(x, x->tallies[i].row), w))
            rc = conclude_tally(x, &x->tallies[i], w, &x->results[x->n_results++]);
    return rc;
}

/* The next window finds the spans that ended, and the tallies of their rows, as they were at first. */
static void begin_again(struct expector *x, const struct expect_window *w)
{
    for (size_t i = 0; i < x->n_tallies; i++) {
        struct tally *t = &x->tallies[i];

        if (!span_ends(expect_span(x, t->row), w))
            continue;
        int64_t before_ns = t->seen ? t->seen_last_ns : t->before_ns;
        free(t->deniers);
        *t = empty_tally(t->row, t->client, t->server);
        t->before_ns = before_ns;
    }
    for (size_t i = 0; i < x->n_spans; i++) {
        struct span *s = &x->spans[i];

        if (!span_ends(s, w))
            continue;
        for (size_t h = 0; h < x->p->site->n_hosts; h++)
            s->lives[h] = (struct life){.older = s->lives[h].older};
        s->passages.n = 0;
        s->services.n = 0;
        s->begun = false;
    }
}

int expector_close(struct expector *x, const struct expect_window *w, const struct coverage *c, const struct expectation **ret, size_t *ret_n,
                   struct err *reterr)
{
    free_results(x);
    extend_spans(x, w, c);
    x->results = calloc(x->n_tallies + 1, sizeof(*x->results));
    if (x->failed || x->results == NULL || conclude_all(x, w) != 0)
        return err_set(reterr, -ENOMEM, "no memory for the expected flows");
    if (!w->last)
        begin_again(x, w);
    *ret = x->results;
    *ret_n = x->n_results;
    return 0;
}

int64_t expector_next_end(const struct expector *x)
{
    int64_t end_ns = INT64_MAX;

    for (size_t i = 0; i < x->n_spans; i++) {
        const struct span *s = &x->spans[i];
        int64_t            of_s = s->begun && s->length_ns > 0 ? ns_after(s->start_ns, s->length_ns) : INT64_MAX;

        end_ns = of_s < end_ns ? of_s : end_ns;
    }
    return end_ns;
}

int expector_finish(struct expector *x, const struct coverage *c, const struct expectation **ret, size_t *ret_n, struct err *reterr)
{
    const struct expect_window whole = {.start_ns = c->first_ns, .end_ns = c->last_ns, .last = true};

    return expector_close(x, &whole, c, ret, ret_n, reterr);
}
