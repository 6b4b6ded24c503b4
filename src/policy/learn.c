/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts for learning: what was seen is sorted, so that its order does not matter, held against every row of the matrix,
 * and folded together where the same two hosts did the same thing on several ports.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "learn-private.h"

/* How well a row fits, in percent. */
#define FITS_CONTENT 100 /* port and content are the row's */
#define FITS_PORT    60  /* the row has no opinion on content */
#define FITS_UNKNOWN 50  /* content not recognised */
#define FITS_OTHER   30  /* content recognised as something else, by an unreliable mark */
#define FITS_WIDE    10  /* any of these over a range so wide that a port says nothing */
#define WIDE         1024
#define ATTEMPT      10 /* a fit is divided by this where nobody answered, or no data flowed */

/* A host is taken for a scanner when so many services were tried, and so few of them are documented and answered. */
#define SCAN_SERVICES 50
#define SCAN_PERCENT  20

const char learn_site_text[] = "hosts: {nobody: {addresses: [\"::\"], roles: []}}\n";

/* What rows expect on this port, whoever the two are; the first such row into 'ret_first'. */
static struct set256 expected_on(const struct policy *p, uint8_t transport, uint16_t port,
                                 const struct set256 **ret_first)
{
    struct set256 s = {{0}};

    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        if (set_is_empty(&p->rows[i].protocols) || row_port(&p->rows[i], transport, port) == NULL)
            continue;
        set_join(&s, &p->rows[i].protocols);
        *ret_first = *ret_first != NULL ? *ret_first : &p->rows[i].protocols;
    }
    return s;
}

const char *const *learn_expected(const struct policy *p, const struct tuple *t)
{
    const struct set256 *first = NULL;
    struct set256 s = expected_on(p, t->transport, t->server_port, &first);
    struct set256 back = expected_on(p, t->transport, t->client_port, &first);

    set_join(&s, &back);
    const char *const *names = policy_expected_list(p, &s);
    return names != NULL || first == NULL ? names : policy_expected_list(p, first);
}

bool learn_is_documented(const struct policy *p, uint8_t transport, uint16_t port)
{
    for (size_t i = 0; i < p->matrix->n_rows; i++)
        if (row_port(&p->rows[i], transport, port) != NULL)
            return true;
    return false;
}

int learn_port_vote(const struct policy *p, const struct tuple *t)
{
    return learn_is_documented(p, t->transport, t->server_port) - learn_is_documented(p, t->transport, t->client_port);
}

bool learn_unconditional(const struct applied_row *a)
{
    for (size_t i = 0; i < a->row->n_when; i++)
        if (!a->row->when[i].at_least)
            return false;
    return a->row->n_when_any == 0;
}

const struct learn_candidate *learn_explain(const struct learner *l, const struct fact *f, const struct set256 *client,
                                            const struct set256 *server)
{
    const struct learn_candidate *best = NULL;

    for (uint32_t i = f->first; i < f->first + f->n; i++) {
        const struct learn_candidate *c = &l->candidates[i];
        const struct applied_row *a = &l->p->rows[c->row];

        if ((best == NULL || c->quality > best->quality) && sets_meet(&a->from, client) && sets_meet(&a->to, server))
            best = c;
    }
    return best;
}

/* --- adding ---------------------------------------------------------------------------------------------- */

int learner_new(const struct policy *p, struct learner **ret, struct err *reterr)
{
    struct learner *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return err_set(reterr, -ENOMEM, "no memory to learn");
    l->p = p;
    l->holders = calloc(2 * p->matrix->n_rows + 1, sizeof(*l->holders));
    l->ends = calloc(2 * p->matrix->n_rows + 1, sizeof(*l->ends));
    if (l->holders == NULL || l->ends == NULL) {
        learner_free(l);
        return err_set(reterr, -ENOMEM, "no memory to learn");
    }
    *ret = l;
    return 0;
}

void learner_free(struct learner *l)
{
    if (l == NULL)
        return;
    learn_result_free(l);
    for (size_t i = 0; i < l->n_classes; i++)
        free(l->classes[i].ends);
    free(l->classes);
    free(l->seen);
    free(l->facts);
    free(l->candidates);
    free(l->hosts);
    free(l->host_facts);
    free(l->holders);
    free(l->ends);
    free(l);
}

/* The matrix's own text of it, which lives long enough; NULL: no sign speaks of it. */
static const char *sign_name(const struct matrix *m, const char *interface)
{
    for (size_t i = 0; interface != NULL && i < m->n_signs; i++)
        if (strcmp(m->signs[i].interface.text, interface) == 0)
            return m->signs[i].interface.text;
    return NULL;
}

/* One's own copy of it; NULL beyond the bound. */
static const char *interface_name(struct learner *l, const char *interface)
{
    for (size_t i = 0; interface != NULL && i < l->n_interfaces; i++)
        if (strncmp(l->interfaces[i], interface, INTERFACE_SIZE - 1) == 0)
            return l->interfaces[i];
    if (interface == NULL || l->n_interfaces == MAX_INTERFACES)
        return NULL;
    return strncpy(l->interfaces[l->n_interfaces++], interface, INTERFACE_SIZE - 1);
}

int learner_add(struct learner *l, const struct learn_fact *f, struct err *reterr)
{
    if (l->n_seen == l->n_seen_allocated) {
        size_t n = l->n_seen_allocated == 0 ? 1024 : 2 * l->n_seen_allocated;
        struct learn_fact *seen = realloc(l->seen, n * sizeof(*seen));

        if (seen == NULL)
            return err_set(reterr, -ENOMEM, "no memory to learn from %zu conversations", l->n_seen);
        l->seen = seen;
        l->n_seen_allocated = n;
    }
    l->seen[l->n_seen] = *f;
    const char *sign = sign_name(l->p->matrix, f->interface);
    l->seen[l->n_seen++].interface = sign != NULL ? sign : interface_name(l, f->interface);
    return 0;
}

/* --- hosts ------------------------------------------------------------------------------------------------- */

static int by_addr(const void *pa, const void *pb)
{
    return addr_compare(&((const struct host *)pa)->addr, &((const struct host *)pb)->addr);
}

static int make_hosts(struct learner *l)
{
    size_t kept = 0;

    l->hosts = calloc(2 * l->n_seen + 1, sizeof(*l->hosts));
    if (l->hosts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_seen; i++) {
        l->hosts[2 * i].addr = l->seen[i].tuple.client;
        l->hosts[2 * i + 1].addr = l->seen[i].tuple.server;
    }
    qsort(l->hosts, 2 * l->n_seen, sizeof(*l->hosts), by_addr);
    for (size_t i = 0; i < 2 * l->n_seen; i++)
        if (kept == 0 || by_addr(&l->hosts[kept - 1], &l->hosts[i]) != 0)
            l->hosts[kept++] = l->hosts[i];
    l->n_hosts = kept;
    return 0;
}

uint32_t learn_host_of(const struct learner *l, const struct addr *a)
{
    struct host key = {.addr = *a};

    return (uint32_t)((const struct host *)bsearch(&key, l->hosts, l->n_hosts, sizeof(*l->hosts), by_addr) - l->hosts);
}

/* --- facts and the rows that they may be about --------------------------------------------------------------- */

static uint32_t quality_of(const struct policy *p, const struct applied_row *a, const struct port_range *range,
                           const struct app *app)
{
    bool wide = range->high - range->low >= WIDE;

    if (set_is_empty(&a->protocols))
        return wide ? FITS_WIDE : FITS_PORT;
    if (app->basis == APP_CONTENT && policy_satisfies(p, app, a))
        return FITS_CONTENT;
    if (app->basis == APP_CONTENT && app->contradicts)
        return 0;
    return wide ? FITS_WIDE : app->basis == APP_CONTENT ? FITS_OTHER : FITS_UNKNOWN;
}

static int add_candidate(struct learner *l, struct fact *f, uint32_t row, uint32_t quality)
{
    if (l->n_candidates == l->n_candidates_allocated) {
        size_t n = l->n_candidates_allocated == 0 ? 4096 : 2 * l->n_candidates_allocated;
        struct learn_candidate *candidates = realloc(l->candidates, n * sizeof(*candidates));

        if (candidates == NULL)
            return -ENOMEM;
        l->candidates = candidates;
        l->n_candidates_allocated = n;
    }
    l->candidates[l->n_candidates++] = (struct learn_candidate){row, quality};
    f->n++;
    return 0;
}

/* Rows whose ports and content fit, whoever the two are.  Media is the sender's to the receiver's port: 'media_only'
 * looks at the packets that a server of something else sent back. */
static int find_candidates(struct learner *l, struct fact *f, const struct learn_fact *seen, bool media_only)
{
    const struct policy *p = l->p;

    f->first = (uint32_t)l->n_candidates;
    for (uint32_t i = 0; i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];
        const struct port_range *range = row_port(a, f->transport, f->port);
        bool sent = seen->sent[media_only], back = seen->sent[!media_only];

        if (range == NULL || (media_only && !a->row->media) || (a->row->media && !sent))
            continue;
        uint32_t quality = quality_of(p, a, range, &f->app);
        if (media_only && quality < FITS_CONTENT)
            continue;
        bool answered = seen->data && (back || (range->one_way && sent));
        if (quality > 0 && add_candidate(l, f, i, answered ? quality : (quality + ATTEMPT - 1) / ATTEMPT) != 0)
            return -ENOMEM;
        f->answered |= answered && quality > 0;
    }
    return 0;
}

static int add_fact(struct learner *l, const struct learn_fact *seen, bool back, bool media_only)
{
    const struct tuple *t = &seen->tuple;
    struct fact *f = &l->facts[l->n_facts];

    *f = (struct fact){.transport = t->transport, .app = seen->app, .flows = seen->flows, .n_ports = 1};
    f->client = learn_host_of(l, back ? &t->server : &t->client);
    f->server = learn_host_of(l, back ? &t->client : &t->server);
    f->port = back ? t->client_port : t->server_port;
    int rc = find_candidates(l, f, seen, media_only);
    if (rc == 0 && (f->n > 0 || !back))
        l->n_facts++;
    return rc;
}

/* One observation is a fact, and a second one where media came back; a session without its beginning, on a port that
 * nobody documents, is turned round where that makes sense of it. */
static int add_facts(struct learner *l, const struct learn_fact *seen)
{
    size_t n = l->n_facts;
    bool one_port = seen->tuple.client_port == seen->client_port_high;

    if (addr_compare(&seen->tuple.client, &seen->tuple.server) == 0)
        return 0; /* a host that talks to itself says nothing of roles */
    int rc = add_fact(l, seen, false, false);
    if (rc != 0)
        return rc;
    if (l->facts[n].n == 0 && !seen->direction_known && one_port) {
        rc = add_fact(l, seen, true, false);
        if (rc == 0 && l->n_facts == n + 2)
            l->facts[n] = l->facts[--l->n_facts];
        return rc;
    }
    if (seen->tuple.transport == IPPROTO_UDP && seen->sent[1] && one_port)
        rc = add_fact(l, seen, true, true);
    return rc;
}

static int compare_ends(const struct fact *a, const struct fact *b)
{
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    return a->server < b->server ? -1 : a->server > b->server;
}

static int compare_services(const struct fact *a, const struct fact *b)
{
    if (a->transport != b->transport)
        return a->transport < b->transport ? -1 : 1;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->answered != b->answered)
        return a->answered ? -1 : 1;
    int order = strcmp(a->app.name, b->app.name);
    return order != 0 ? order : a->flows < b->flows ? -1 : a->flows > b->flows;
}

static int by_rows(const void *pa, const void *pb, void *aux)
{
    const struct learner *l = aux;
    const struct fact *a = pa, *b = pb;
    int order = compare_ends(a, b);

    if (order != 0 || a->n != b->n)
        return order != 0 ? order : a->n < b->n ? -1 : 1;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct learn_candidate *ca = &l->candidates[a->first + i], *cb = &l->candidates[b->first + i];

        if (ca->row != cb->row)
            return ca->row < cb->row ? -1 : 1;
    }
    if (a->n > 0 && l->candidates[a->first].quality != l->candidates[b->first].quality)
        return l->candidates[a->first].quality > l->candidates[b->first].quality ? -1 : 1;
    return compare_services(a, b);
}

static bool same_rows(const struct learner *l, const struct fact *a, const struct fact *b)
{
    if (compare_ends(a, b) != 0 || a->n != b->n || a->n == 0)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (l->candidates[a->first + i].row != l->candidates[b->first + i].row)
            return false;
    return true;
}

/* The first of those that fold together is the best one: it is answered, and its content was recognised. */
static void fold_facts(struct learner *l)
{
    size_t kept = 0;

    qsort_r(l->facts, l->n_facts, sizeof(*l->facts), by_rows, l);
    for (size_t i = 0; i < l->n_facts; i++) {
        struct fact *last = kept > 0 ? &l->facts[kept - 1] : NULL;

        if (last != NULL && same_rows(l, last, &l->facts[i])) {
            last->flows += l->facts[i].flows;
            last->n_ports++;
            last->answered |= l->facts[i].answered;
        } else {
            l->facts[kept++] = l->facts[i];
        }
    }
    l->n_facts = kept;
}

static int make_facts(struct learner *l)
{
    int rc = 0;

    l->facts = calloc(2 * l->n_seen + 1, sizeof(*l->facts));
    if (l->facts == NULL)
        return -ENOMEM;
    for (size_t i = 0; rc == 0 && i < l->n_seen; i++)
        rc = add_facts(l, &l->seen[i]);
    if (rc == 0)
        fold_facts(l);
    return rc;
}

/* --- what belongs to each host ---------------------------------------------------------------------------------- */

static int index_facts(struct learner *l)
{
    uint32_t at = 0;

    l->host_facts = calloc(2 * l->n_facts + 1, sizeof(*l->host_facts));
    if (l->host_facts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_facts; i++) {
        l->hosts[l->facts[i].client].n++;
        l->hosts[l->facts[i].server].n += l->facts[i].client != l->facts[i].server;
    }
    for (size_t h = 0; h < l->n_hosts; h++) {
        l->hosts[h].first = at;
        at += l->hosts[h].n;
        l->hosts[h].n = 0;
    }
    for (uint32_t i = 0; i < l->n_facts; i++) {
        struct host *ends[2] = {&l->hosts[l->facts[i].client], &l->hosts[l->facts[i].server]};

        for (unsigned k = 0; k < (ends[0] == ends[1] ? 1u : 2u); k++) {
            l->host_facts[ends[k]->first + ends[k]->n++] = i;
            ends[k]->flows += l->facts[i].flows;
        }
    }
    return 0;
}

/* Many services tried, and hardly any that a row knows and that answered. */
static void find_scanners(struct learner *l)
{
    for (uint32_t h = 0; h < l->n_hosts; h++) {
        uint64_t tried = 0, good = 0;

        for (uint32_t i = l->hosts[h].first; i < l->hosts[h].first + l->hosts[h].n; i++) {
            const struct fact *f = &l->facts[l->host_facts[i]];

            tried += f->client == h ? f->n_ports : 0;
            good += f->client == h && f->answered ? f->n_ports : 0;
        }
        l->hosts[h].scan = tried >= SCAN_SERVICES && 100 * good < SCAN_PERCENT * tried;
    }
}

int learner_finish(struct learner *l, const struct learn_result **ret, struct err *reterr)
{
    int rc = make_hosts(l);

    if (rc == 0)
        rc = make_facts(l);
    if (rc == 0)
        rc = index_facts(l);
    if (rc == 0)
        rc = learn_classes(l);
    if (rc == 0) {
        find_scanners(l);
        learn_infer(l);
        learn_by_signs(l);
        rc = learn_conclude(l);
    }
    if (rc != 0)
        return err_set(reterr, rc, "no memory to learn from %zu conversations", l->n_seen);
    *ret = &l->result;
    return 0;
}
