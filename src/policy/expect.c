/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected flows: for each required row and client host, was the flow seen, did it fail, or is it absent, and could it have
 * been seen at all?  Silence counts only where the client was alive, the time was long enough, and nothing was lost.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define MAX_ROWS_OF_FLOW 16
/* Of all bytes, what acknowledgements may show to be missing before silence proves nothing: one in a thousand. */
#define UNSEEN_PER_MILLE 1

struct tally {
    struct expectation e;
    uint64_t           n[OUTCOME_ONE_WAY + 1]; /* attempts by outcome */
    bool               seen;
    uint32_t           seen_server;
    int64_t            silent_ns;             /* of the first attempt without an answer */
};

struct life {
    int64_t  first_ns, last_ns;
    uint64_t sent, received;
};

/* What is known of the way of packets from one host entry to another. */
struct way {
    uint32_t from, to;
    bool     seen;   /* some are in the capture */
    bool     hidden; /* 'to' acts on some that are not */
};

struct expector {
    const struct policy *p;
    struct way          *ways;        /* as they come; expector_finish() makes one of each pair */
    size_t               n_ways, n_ways_allocated;
    bool                 ways_lost;   /* for want of memory: expector_finish() fails */
    struct tally        *tallies;     /* in order of row, client, server */
    size_t               n_tallies, n_allocated;
    size_t              *row_starts;  /* by row, and one past the end */
    struct life         *lives;       /* by host entry */
    struct expectation  *results;
};

/* --- what is expected --------------------------------------------------------------------------------------- */

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
    x->tallies[x->n_tallies++] = (struct tally){
        .e = {.row = row, .client_host = client, .server_host = server, .within_ns = x->p->rows[row].within_ns},
        .seen_server = POLICY_NONE,
        .silent_ns = INT64_MAX,
    };
    return 0;
}

static bool serves(const struct policy *p, const struct applied_row *a, uint32_t client, uint32_t server)
{
    return server != client && rolesets_meet(&p->hosts[server].roles, &a->to);
}

static int add_client(struct expector *x, uint32_t row, uint32_t client)
{
    const struct applied_row *a = &x->p->rows[row];
    int                       rc = 0;

    for (uint32_t s = 0; rc == 0 && s < x->p->site->n_hosts; s++) {
        if (!serves(x->p, a, client, s))
            continue;
        rc = add_tally(x, row, client, a->every ? s : POLICY_NONE);
        if (!a->every)
            break;
    }
    return rc;
}

static int add_expectations(struct expector *x)
{
    for (uint32_t r = 0; r < x->p->matrix->n_rows; r++) {
        const struct applied_row *a = &x->p->rows[r];

        x->row_starts[r] = x->n_tallies;
        for (uint32_t c = 0; a->enabled && a->required && a->n_ports > 0 && c < x->p->site->n_hosts; c++) {
            int rc = rolesets_meet(&x->p->hosts[c].roles, &a->from) ? add_client(x, r, c) : 0;
            if (rc != 0)
                return rc;
        }
    }
    x->row_starts[x->p->matrix->n_rows] = x->n_tallies;
    return 0;
}

int expector_new(const struct policy *p, struct expector **ret, struct err *reterr)
{
    struct expector *x = calloc(1, sizeof(*x));
    int              rc = -ENOMEM;

    if (x != NULL) {
        x->p = p;
        x->row_starts = calloc(p->matrix->n_rows + 1, sizeof(*x->row_starts));
        x->lives = calloc(p->site->n_hosts + 1, sizeof(*x->lives));
        if (x->row_starts != NULL && x->lives != NULL)
            rc = add_expectations(x);
    }
    if (rc != 0) {
        expector_free(x);
        return err_set(reterr, rc, "no memory for the expected flows");
    }
    *ret = x;
    return 0;
}

void expector_free(struct expector *x)
{
    if (x == NULL)
        return;
    free(x->tallies);
    free(x->row_starts);
    free(x->lives);
    free(x->ways);
    free(x->results);
    free(x);
}

/* --- what was seen --------------------------------------------------------------------------------------------- */

static void count_attempt(struct tally *t, const struct expect_fact *f, bool met, uint32_t server)
{
    t->n[f->outcome] += f->flows;
    t->e.attempts += f->flows;
    if (t->e.first_ns == 0 || f->first_ns < t->e.first_ns) {
        t->e.first_ns = f->first_ns;
        if (t->e.server_host == POLICY_NONE && t->seen_server == POLICY_NONE && !t->seen)
            t->seen_server = server;
    }
    if (met && !t->seen) {
        t->seen = true;
        t->seen_server = server;
    }
    if (f->outcome == OUTCOME_UNANSWERED && f->first_ns < t->silent_ns)
        t->silent_ns = f->first_ns;
    if (f->own.min != 0 && t->e.own.min == 0) {
        t->e.rst = f->rst;
        t->e.own = f->own;
    }
    if (f->icmp.n_errors > 0 && (t->e.icmp.n_errors == 0 || f->icmp.ts_ns < t->e.icmp.ts_ns))
        t->e.icmp = f->icmp;
}

static void add_way(struct expector *x, const struct way *w)
{
    if (x->n_ways == x->n_ways_allocated) {
        size_t      n = x->n_ways_allocated == 0 ? 128 : 2 * x->n_ways_allocated;
        struct way *ways = realloc(x->ways, n * sizeof(*ways));

        if (ways == NULL) {
            x->ways_lost = true;
            return;
        }
        x->ways = ways;
        x->n_ways_allocated = n;
    }
    x->ways[x->n_ways++] = *w;
}

static void note_ways(struct expector *x, const struct expect_fact *f, uint32_t client, uint32_t server)
{
    if (client == POLICY_NONE || server == POLICY_NONE || f->query.group || f->query.answers_group)
        return;
    for (unsigned side = 0; side < 2; side++) {
        struct way w = {
            .from = side == 0 ? client : server,
            .to = side == 0 ? server : client,
            .seen = f->packets[side] > 0,
            .hidden = f->packets[side] == 0 && f->one_sided,
        };

        if (w.seen || w.hidden)
            add_way(x, &w);
    }
}

static int by_ends(const void *pa, const void *pb)
{
    const struct way *a = pa, *b = pb;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

static void unite_ways(struct expector *x)
{
    size_t kept = 0;

    if (x->n_ways > 1)
        qsort(x->ways, x->n_ways, sizeof(*x->ways), by_ends);
    for (size_t i = 0; i < x->n_ways; i++) {
        if (kept == 0 || by_ends(&x->ways[kept - 1], &x->ways[i]) != 0) {
            x->ways[kept++] = x->ways[i];
            continue;
        }
        x->ways[kept - 1].seen |= x->ways[i].seen;
        x->ways[kept - 1].hidden |= x->ways[i].hidden;
    }
    x->n_ways = kept;
}

void expector_conversation(struct expector *x, const struct expect_fact *f)
{
    uint32_t rows[MAX_ROWS_OF_FLOW], client = policy_host(x->p, &f->query.tuple.client), server = policy_host(x->p, &f->query.tuple.server);

    note_ways(x, f, client, server);
    size_t n = f->allowed ? policy_rows(x->p, &f->query, rows, MAX_ROWS_OF_FLOW) : 0;
    for (size_t i = 0; i < n && i < MAX_ROWS_OF_FLOW; i++) {
        const struct port_range *port = row_port(&x->p->rows[rows[i]], f->query.tuple.transport, f->query.tuple.server_port);
        bool met = f->outcome == OUTCOME_ESTABLISHED || (f->outcome == OUTCOME_ONE_WAY && port != NULL && port->one_way);

        for (size_t k = x->row_starts[rows[i]]; k < x->row_starts[rows[i] + 1]; k++) {
            struct tally *t = &x->tallies[k];

            if (t->e.client_host == client && (t->e.server_host == POLICY_NONE || t->e.server_host == server))
                count_attempt(t, f, met, server);
        }
    }
}

void expector_host(struct expector *x, const struct expect_host *h)
{
    uint32_t host = policy_host(x->p, &h->addr);

    if (host == POLICY_NONE)
        return;
    struct life *l = &x->lives[host];
    if (l->sent + l->received == 0 || h->first_ns < l->first_ns)
        l->first_ns = h->first_ns;
    if (l->sent + l->received == 0 || h->last_ns > l->last_ns)
        l->last_ns = h->last_ns;
    l->sent += h->sent;
    l->received += h->received;
}

/* --- what follows ------------------------------------------------------------------------------------------------- */

#define ANSWER_WITHIN_NS (3 * INT64_C(1000000000)) /* of packet time: then a client tries again */

bool coverage_is_lossy(const struct coverage *c)
{
    return c->lost > 0 || c->unseen_bytes > c->bytes / 1000 * UNSEEN_PER_MILLE;
}

/* One session in ten: more than the capture's beginning cuts off. */
static bool coverage_is_one_sided(const struct coverage *c)
{
    return c->one_sided > c->sessions / 10;
}

bool coverage_ends_before_answer(const struct coverage *c, int64_t attempt_ns)
{
    return c->last_ns - attempt_ns < ANSWER_WITHIN_NS;
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* A server whose packets to this client are in the capture while the client's to it are not; or POLICY_NONE. */
static uint32_t hidden_server(const struct expector *x, const struct tally *t)
{
    for (uint32_t s = 0; s < x->p->site->n_hosts; s++) {
        struct way        key = {.from = t->e.client_host, .to = s};
        const struct way *w = x->n_ways > 0 ? bsearch(&key, x->ways, x->n_ways, sizeof(key), by_ends) : NULL;
        bool              ours = t->e.server_host == POLICY_NONE ? serves(x->p, &x->p->rows[t->e.row], t->e.client_host, s) : s == t->e.server_host;

        if (ours && w != NULL && w->hidden && !w->seen)
            return s;
    }
    return POLICY_NONE;
}

/* Why silence proves nothing, or NULL where it does prove something. */
static const char *uncovered(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct life *l = &x->lives[t->e.client_host];
    const char        *client = policy_host_name(x->p, t->e.client_host);
    uint32_t           hidden = hidden_server(x, t);

    if (l->sent == 0 && l->received > 0)
        snprintf(buf, size, "packets to %s were captured and none from it, so its attempts could not have been seen", client);
    else if (l->sent == 0)
        snprintf(buf, size, "%s sent no packet in this observation", client);
    else if (hidden != POLICY_NONE)
        snprintf(buf, size, "packets of %s to %s were captured and none the other way, though %s acted on some", policy_host_name(x->p, hidden), client,
                 policy_host_name(x->p, hidden));
    else if (coverage_is_one_sided(c))
        snprintf(buf, size, "of %llu of %llu TCP sessions one direction is not in the capture", (unsigned long long)c->one_sided,
                 (unsigned long long)c->sessions);
    else if (c->last_ns - c->first_ns < t->e.within_ns)
        snprintf(buf, size, "the observation lasts %.0f s, and the row has %.0f s to be seen", seconds(c->last_ns - c->first_ns), seconds(t->e.within_ns));
    else if (c->lost > 0)
        snprintf(buf, size, "%llu packets are known to be lost", (unsigned long long)c->lost);
    else if (c->filtered > 0)
        snprintf(buf, size, "the filter took %llu packets out", (unsigned long long)c->filtered);
    else if (c->damaged)
        snprintf(buf, size, "an input was not read to its end");
    else if (coverage_is_lossy(c))
        snprintf(buf, size, "acknowledgements show that %llu bytes passed that were not captured", (unsigned long long)c->unseen_bytes);
    else
        return NULL;
    return buf;
}

/* The servers that would do, by name. */
static void name_servers(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct applied_row *a = &x->p->rows[t->e.row];
    size_t                    len = 0;
    unsigned                  n = 0;

    buf[0] = '\0';
    if (t->e.server_host != POLICY_NONE) {
        snprintf(buf, size, "%s (%s)", policy_host_name(x->p, t->e.server_host), policy_host_address(x->p, t->e.server_host));
        return;
    }
    for (uint32_t s = 0; s < x->p->site->n_hosts && len < size; s++) {
        if (!serves(x->p, a, t->e.client_host, s))
            continue;
        if (++n > 4) {
            snprintf(buf + len, size - len, " or others");
            return;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", n > 1 ? " or " : "", policy_host_name(x->p, s), policy_host_address(x->p, s));
    }
}

static void say_failed(const struct expector *x, const struct tally *t, const char *what, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->e.row].row;
    char                     servers[256], icmp[256], rst[32], own[32];

    name_servers(x, t, servers, sizeof(servers));
    int n = snprintf(buf, size, "%s (%s) tried %s to %s (row %s) %llu time%s: %s", policy_host_name(x->p, t->e.client_host),
                     policy_host_address(x->p, t->e.client_host), row->service, servers, row->id.text, (unsigned long long)t->e.attempts,
                     t->e.attempts == 1 ? "" : "s", what);
    bool prohibited = n > 0 && (size_t)n < size && t->e.outcome == EXPECT_PROHIBITED;
    if (prohibited && t->e.icmp.n_errors > 0)
        n += snprintf(buf + n, size - (size_t)n, ": %s", icmp_text(x->p, &t->e.icmp, icmp, sizeof(icmp)));
    else if (prohibited && t->e.own.min != 0)
        n += snprintf(buf + n, size - (size_t)n, ": RST with %s, where the server's own packets have %s",
                      ttl_text(&t->e.rst, rst, sizeof(rst)), ttl_text(&t->e.own, own, sizeof(own)));
    if (n > 0 && (size_t)n < size)
        snprintf(buf + n, size - (size_t)n, ". The document requires this flow.");
}

static void say_silent(const struct expector *x, struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->e.row].row;
    const char              *client = policy_host_name(x->p, t->e.client_host), *address = policy_host_address(x->p, t->e.client_host);
    char                     servers[256], why[256];

    name_servers(x, t, servers, sizeof(servers));
    if (uncovered(x, t, c, why, sizeof(why)) != NULL) {
        t->e.outcome = EXPECT_NOT_COVERED;
        snprintf(buf, size, "No %s from %s (%s) to %s (row %s) was seen, which proves nothing: %s.", row->service, client, address, servers,
                 row->id.text, why);
        return;
    }
    t->e.outcome = EXPECT_NEVER_ATTEMPTED;
    snprintf(buf, size,
             "%s (%s) never tried %s to %s (row %s) in %.0f s, in which it sent %llu packets and no loss is known. The document requires this flow.",
             client, address, row->service, servers, row->id.text, seconds(c->last_ns - c->first_ns),
             (unsigned long long)x->lives[t->e.client_host].sent);
}

/* Attempts without an answer: is the answer missing, or only missing from the capture? */
static bool silence_unproven(const struct expector *x, struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->e.row].row;
    char                     servers[256];
    bool                     lossy = coverage_is_lossy(c);

    if (!lossy && !coverage_ends_before_answer(c, t->silent_ns))
        return false;
    name_servers(x, t, servers, sizeof(servers));
    t->e.outcome = EXPECT_NOT_COVERED;
    snprintf(buf, size, "%s (%s) tried %s to %s (row %s), and no answer was seen, which proves nothing: %s.",
             policy_host_name(x->p, t->e.client_host), policy_host_address(x->p, t->e.client_host), row->service, servers, row->id.text,
             lossy ? "packets passed that were not captured" : "the capture ends too soon after it");
    return true;
}

static void conclude(const struct expector *x, struct tally *t, const struct coverage *c)
{
    static const struct {
        enum outcome             outcome;
        enum expectation_outcome result;
        const char              *what;
    } failures[] = {
        {OUTCOME_PROHIBITED, EXPECT_PROHIBITED, "stopped by a filter or by something other than the server"},
        {OUTCOME_REFUSED, EXPECT_REFUSED, "refused by the server"},
        {OUTCOME_UNANSWERED, EXPECT_UNANSWERED, "no answer was seen"},
        {OUTCOME_ONE_WAY, EXPECT_ONE_WAY, "only one direction is in the capture, so whether it worked cannot be told"},
    };
    const struct matrix_row *row = x->p->rows[t->e.row].row;

    if (t->seen) {
        t->e.outcome = EXPECT_SEEN;
        snprintf(t->e.reason, sizeof(t->e.reason), "%s from %s to %s was seen (row %s).", row->service, policy_host_name(x->p, t->e.client_host),
                 policy_host_name(x->p, t->seen_server), row->id.text);
        return;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (t->n[failures[i].outcome] == 0)
            continue;
        if (failures[i].outcome == OUTCOME_UNANSWERED && silence_unproven(x, t, c, t->e.reason, sizeof(t->e.reason)))
            return;
        t->e.outcome = failures[i].result;
        say_failed(x, t, failures[i].what, t->e.reason, sizeof(t->e.reason));
        return;
    }
    say_silent(x, t, c, t->e.reason, sizeof(t->e.reason));
}

int expector_finish(struct expector *x, const struct coverage *c, const struct expectation **ret, size_t *ret_n, struct err *reterr)
{
    free(x->results);
    x->results = calloc(x->n_tallies + 1, sizeof(*x->results));
    if (x->results == NULL || x->ways_lost)
        return err_set(reterr, -ENOMEM, "no memory for the expected flows");
    unite_ways(x);
    for (size_t i = 0; i < x->n_tallies; i++) {
        conclude(x, &x->tallies[i], c);
        x->results[i] = x->tallies[i].e;
        if (x->results[i].server_host == POLICY_NONE)
            x->results[i].server_host = x->tallies[i].seen_server;
    }
    *ret = x->results;
    *ret_n = x->n_tallies;
    return 0;
}
