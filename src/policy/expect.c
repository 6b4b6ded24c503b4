/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected flows: for each required row and client host, was the flow seen, did it fail, or is it absent, and could it have
 * been seen at all?  Silence counts only where the client was alive, the time was long enough, and nothing was lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "private.h"

#define MOST_SERVERS_NAMED 4
#define REASON_SIZE 1024 /* a sentence; longer ones are cut */

/* One expectation and what became of it. */
struct tally {
    uint32_t         row, client;
    uint32_t         server;       /* with 'every', else POLICY_NONE */
    uint32_t         seen_server, tried_server;
    bool             seen, tried_others;     /* attempts at more than 'tried_server' */
    uint64_t         n[OUTCOME_ONE_WAY + 1]; /* attempts by outcome */
    uint64_t         attempts;
    uint64_t         last_fact;    /* by its number: a row that fits in two ways is counted once */
    int64_t          first_ns;
    int64_t          silent_ns;    /* of the first attempt without an answer */
    struct flow_icmp icmp;
    struct ttl_range rst, own;
};

struct life {
    int64_t  first_ns, last_ns;
    uint64_t sent, received;
};

/* Hosts in the order of the site file, those of one group together. */
struct group_hosts {
    uint32_t *hosts;
    size_t   *starts; /* by group, and one past the end */
};

struct expector {
    const struct policy *p;
    struct group_hosts   by_group;
    struct tally        *tallies;    /* in order of row, client, server */
    size_t               n_tallies, n_allocated;
    size_t              *row_starts; /* by row, and one past the end */
    struct life         *lives;      /* by host entry */
    struct passages      passages;
    bool                 failed;     /* for want of memory, while facts came: told by expector_finish() */
    uint64_t             n_facts;
    struct expectation  *results;
    char               **reasons;    /* of the results */
};

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
        .row = row, .client = client, .server = server, .seen_server = POLICY_NONE, .tried_server = POLICY_NONE,
        .silent_ns = INT64_MAX,
    };
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

int expector_new(const struct policy *p, struct expector **ret, struct err *reterr)
{
    struct expector *x = calloc(1, sizeof(*x));
    int              rc = -ENOMEM;

    if (x != NULL) {
        x->p = p;
        x->row_starts = calloc(p->matrix->n_rows + 1, sizeof(*x->row_starts));
        x->lives = calloc(p->site->n_hosts + 1, sizeof(*x->lives));
        if (x->row_starts != NULL && x->lives != NULL)
            rc = group_hosts(p, &x->by_group);
        if (rc == 0)
            rc = add_expectations(x);
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
    for (size_t i = 0; x->reasons != NULL && i < x->n_tallies; i++)
        free(x->reasons[i]);
    free(x->reasons);
    free(x->results);
    x->reasons = NULL;
    x->results = NULL;
}

void expector_free(struct expector *x)
{
    if (x == NULL)
        return;
    free_results(x);
    free(x->by_group.hosts);
    free(x->by_group.starts);
    free(x->tallies);
    free(x->row_starts);
    free(x->lives);
    passages_free(&x->passages);
    free(x);
}

/* --- what was seen ------------------------------------------------------------------------------------------ */

static void count_attempt(struct tally *t, const struct expect_fact *f, bool met, uint32_t server, uint64_t number)
{
    if (t->last_fact == number)
        return;
    t->last_fact = number;
    t->tried_others |= t->attempts > 0 && t->tried_server != server;
    if (t->attempts == 0 || f->first_ns < t->first_ns) {
        t->first_ns = f->first_ns;
        t->tried_server = server;
    }
    t->n[f->outcome] += f->flows;
    t->attempts += f->flows;
    if (met && !t->seen) {
        t->seen = true;
        t->seen_server = server;
    }
    if (f->outcome == OUTCOME_UNANSWERED && f->first_ns < t->silent_ns)
        t->silent_ns = f->first_ns;
    if (f->own.min != 0 && t->own.min == 0) {
        t->rst = f->rst;
        t->own = f->own;
    }
    if (f->icmp.n_errors > 0 && (t->icmp.n_errors == 0 || f->icmp.ts_ns < t->icmp.ts_ns))
        t->icmp = f->icmp;
}

struct fact_of {
    struct expector          *x;
    const struct expect_fact *fact;
};

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
    bool met = outcome == OUTCOME_ESTABLISHED || (outcome == OUTCOME_ONE_WAY && port != NULL && port->one_way);

    for (size_t k = find_client(x, row, w->client); k < x->row_starts[row + 1] && x->tallies[k].client == w->client; k++)
        if (x->tallies[k].server == POLICY_NONE || x->tallies[k].server == w->server)
            count_attempt(&x->tallies[k], f->fact, met, w->server, x->n_facts);
}

void expector_conversation(struct expector *x, const struct expect_fact *fact)
{
    struct fact_of   f = {.x = x, .fact = fact};
    struct judgement j;

    x->failed |= passages_note(&x->passages, x->p, fact) != 0;
    policy_judge(x->p, &fact->query, &j);
    x->n_facts++;
    policy_each_row(x->p, &fact->query, &j, count_row, &f);
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

/* --- what follows --------------------------------------------------------------------------------------------- */

/* Whole ones: an observation a little shorter than an hour does not last 3600. */
static long long seconds(int64_t ns)
{
    return ns / 1000000000;
}

/* Would this host do as the server? */
static bool would_do(const struct expector *x, const struct tally *t, uint32_t server)
{
    if (server == t->client)
        return false;
    return t->server != POLICY_NONE ? server == t->server : sets_meet(&host_group(x->p, server)->roles, &x->p->rows[t->row].to);
}

/* A server whose packets to this client are in the capture while the client's to it are not; or POLICY_NONE. */
static uint32_t hidden_server(const struct expector *x, const struct tally *t)
{
    for (uint32_t s = 0; s < x->p->site->n_hosts; s++)
        if (passages_hide(&x->passages, t->client, s) && would_do(x, t, s))
            return s;
    return POLICY_NONE;
}

/* Why silence proves nothing, or NULL where it does prove something. */
static const char *uncovered(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct life *l = &x->lives[t->client];
    const char        *client = policy_host_name(x->p, t->client);
    uint32_t           hidden = hidden_server(x, t);
    int64_t            within = x->p->rows[t->row].within_ns, length = c->longest_ns > 0 ? c->longest_ns : c->last_ns - c->first_ns;

    if (l->sent == 0 && l->received > 0)
        snprintf(buf, size, "packets to %s were captured and none from it, so its attempts could not have been seen", client);
    else if (l->sent == 0)
        snprintf(buf, size, "no packet of %s was seen", client);
    else if (hidden != POLICY_NONE)
        snprintf(buf, size, "packets of %s to %s were captured and none the other way, though %s acted on some",
                 policy_host_name(x->p, hidden), client, policy_host_name(x->p, hidden));
    else if (coverage_is_one_sided(c))
        snprintf(buf, size, "of %llu of %llu TCP sessions one direction is not in the capture", (unsigned long long)c->one_sided,
                 (unsigned long long)c->sessions);
    else if (length < within)
        snprintf(buf, size, "the observation lasts %lld s%s, and the flow has %lld s to happen", seconds(length),
                 c->longest_ns > 0 ? " without a hole" : "", seconds(within));
    else if (c->lost > 0)
        snprintf(buf, size, "%llu packet%s known to be lost", (unsigned long long)c->lost, c->lost == 1 ? " is" : "s are");
    else if (c->unjudged > 0)
        snprintf(buf, size, "%llu packet%s could not be judged", (unsigned long long)c->unjudged, c->unjudged == 1 ? "" : "s");
    else if (c->filtered > 0)
        snprintf(buf, size, "the filter took %llu packet%s out", (unsigned long long)c->filtered, c->filtered == 1 ? "" : "s");
    else if (c->damaged)
        snprintf(buf, size, "an input could not be read to its end");
    else if (coverage_is_lossy(c))
        snprintf(buf, size, "acknowledgements show that %llu bytes passed which were not captured", (unsigned long long)c->unseen_bytes);
    else
        return NULL;
    return buf;
}

/* The servers that would do: "dc1 (10.20.2.10) or dc2 (10.20.2.11)". */
static void name_servers(const struct expector *x, const struct tally *t, char *buf, size_t size)
{
    const struct policy *p = x->p;
    size_t               len = 0;
    unsigned             n = 0;

    buf[0] = '\0';
    for (uint32_t s = 0; s < p->site->n_hosts && len < size; s++) {
        if (!would_do(x, t, s))
            continue;
        if (n++ == MOST_SERVERS_NAMED) {
            snprintf(buf + len, size - len, " or others");
            return;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", n > 1 ? " or " : "", policy_host_name(p, s),
                                policy_host_address(p, s));
    }
}

static void say_failed(const struct expector *x, const struct tally *t, enum expectation_outcome outcome, const char *what,
                       char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    char                     servers[512], error[ICMP_TEXT_SIZE], rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE], why[ICMP_TEXT_SIZE + 16] = "";

    if (t->tried_others)
        name_servers(x, t, servers, sizeof(servers));
    else
        snprintf(servers, sizeof(servers), "%s (%s)", policy_host_name(x->p, t->tried_server), policy_host_address(x->p, t->tried_server));
    if (outcome == EXPECT_PROHIBITED && t->icmp.n_errors > 0) {
        snprintf(why, sizeof(why), "stopped by %s", icmp_text(x->p, &t->icmp, error, sizeof(error)));
        what = "";
    } else if (outcome == EXPECT_PROHIBITED && t->own.min != 0) {
        snprintf(why, sizeof(why), ", RST with %s, where the server's own packets have %s", ttl_text(&t->rst, rst, sizeof(rst)),
                 ttl_text(&t->own, own, sizeof(own)));
    }
    snprintf(buf, size, "%s (%s) tried %s to %s %llu time%s: %s%s. The document requires this flow (row %s, \"%s\").",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), row->service, servers,
             (unsigned long long)t->attempts, t->attempts == 1 ? "" : "s", what, why, row->id.text, row->section);
}

static enum expectation_outcome say_silent(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf,
                                           size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    const char              *client = policy_host_name(x->p, t->client), *address = policy_host_address(x->p, t->client);
    char                     servers[512], why[512];

    name_servers(x, t, servers, sizeof(servers));
    if (uncovered(x, t, c, why, sizeof(why)) != NULL) {
        snprintf(buf, size, "No %s from %s (%s) to %s was seen (row %s), which proves nothing: %s.", row->service, client, address,
                 servers, row->id.text, why);
        return EXPECT_NOT_COVERED;
    }
    snprintf(buf, size,
             "%s (%s) never tried %s to %s in %lld s, though it sent %llu packet%s and no loss is known. The document requires "
             "this flow (row %s, \"%s\").",
             client, address, row->service, servers, seconds(c->last_ns - c->first_ns), (unsigned long long)x->lives[t->client].sent,
             x->lives[t->client].sent == 1 ? "" : "s", row->id.text, row->section);
    return EXPECT_NEVER_ATTEMPTED;
}

/* Attempts without an answer: is the answer missing, or only missing from the capture? */
static bool silence_unproven(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf, size_t size)
{
    const struct matrix_row *row = x->p->rows[t->row].row;
    bool                     lossy = coverage_is_lossy(c);
    char                     servers[512];

    if (!lossy && !coverage_ends_before_answer(c, t->silent_ns))
        return false;
    name_servers(x, t, servers, sizeof(servers));
    snprintf(buf, size, "%s (%s) tried %s to %s (row %s), and no answer was seen, which proves nothing: %s.",
             policy_host_name(x->p, t->client), policy_host_address(x->p, t->client), row->service, servers, row->id.text,
             lossy ? "packets passed that were not captured" : "the capture ends too soon after it");
    return true;
}

static enum expectation_outcome conclude(const struct expector *x, const struct tally *t, const struct coverage *c, char *buf,
                                         size_t size)
{
    static const struct {
        enum outcome             outcome;
        enum expectation_outcome result;
        const char              *what;
    } failures[] = {
        {OUTCOME_PROHIBITED, EXPECT_PROHIBITED, "stopped by something other than the server"},
        {OUTCOME_REFUSED, EXPECT_REFUSED, "refused by the server"},
        {OUTCOME_UNANSWERED, EXPECT_UNANSWERED, "no answer was seen"},
        {OUTCOME_ONE_WAY, EXPECT_ONE_WAY, "only one direction was captured, so whether it worked cannot be told"},
    };

    if (t->seen) {
        const struct matrix_row *row = x->p->rows[t->row].row;

        snprintf(buf, size, "%s from %s (%s) to %s (%s) was seen (row %s).", row->service, policy_host_name(x->p, t->client),
                 policy_host_address(x->p, t->client), policy_host_name(x->p, t->seen_server),
                 policy_host_address(x->p, t->seen_server), row->id.text);
        return EXPECT_SEEN;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (t->n[failures[i].outcome] > 0) {
            if (failures[i].outcome == OUTCOME_UNANSWERED && silence_unproven(x, t, c, buf, size))
                return EXPECT_NOT_COVERED;
            say_failed(x, t, failures[i].result, failures[i].what, buf, size);
            return failures[i].result;
        }
    }
    return say_silent(x, t, c, buf, size);
}

static int conclude_all(struct expector *x, const struct coverage *c)
{
    char reason[REASON_SIZE];

    for (size_t i = 0; i < x->n_tallies; i++) {
        const struct tally *t = &x->tallies[i];

        enum expectation_outcome outcome = conclude(x, t, c, reason, sizeof(reason));
        x->reasons[i] = strdup(reason);
        if (x->reasons[i] == NULL)
            return -ENOMEM;
        x->results[i] = (struct expectation){
            .row = t->row, .client_host = t->client, .outcome = outcome, .first_ns = t->first_ns, .attempts = t->attempts,
            .within_ns = x->p->rows[t->row].within_ns, .icmp = t->icmp, .rst = t->rst, .own = t->own, .reason = x->reasons[i],
            .server_host = t->server != POLICY_NONE ? t->server : t->seen ? t->seen_server : t->tried_server,
        };
    }
    return 0;
}

int expector_finish(struct expector *x, const struct coverage *c, const struct expectation **ret, size_t *ret_n, struct err *reterr)
{
    free_results(x);
    passages_unite(&x->passages);
    x->results = calloc(x->n_tallies + 1, sizeof(*x->results));
    x->reasons = calloc(x->n_tallies + 1, sizeof(*x->reasons));
    if (x->failed || x->results == NULL || x->reasons == NULL || conclude_all(x, c) != 0)
        return err_set(reterr, -ENOMEM, "no memory for the expected flows");
    *ret = x->results;
    *ret_n = x->n_tallies;
    return 0;
}
