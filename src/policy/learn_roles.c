/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who.
 *
 * Overview: a set of roles for each host is good when the rows between these roles explain what was seen, and when it
 * is small and specific: each role costs something, more for each of its rows that was never seen, and most for rows
 * that a working site must show.  The search begins with every role for which there is any evidence and takes the least
 * credible away, the worst anywhere first, since what a host can be depends on what its peers are; then it looks at
 * each host again, until nothing changes.
 *
 * Two phases: the governed roles first, with all that was seen at the same weight.  Then all others, while the governed
 * stay: what a governed host takes part in must be explained, for it will be judged; what others do among themselves
 * weighs little.
 *
 * Limits: all is counted in whole numbers and in the order of addresses and of the document, so that the result is the
 * same everywhere.  Rounds are bounded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "learn-private.h"

/* What explaining a fact is worth, and what roles cost, in the same unit. */
#define WORTH_FIRST    1000 /* first phase */
#define WORTH_GOVERNED 2000 /* second phase, a governed host at one end */
#define WORTH_OTHER    500
#define COST_ROLE      400
#define COST_ROW       1    /* for each row: of two roles that do as well, the one of fewer rows is more specific */
#define COST_UNSEEN    1000 /* if none of its rows was seen, and less in proportion */
#define COST_MISSING   300  /* for each required row not seen although the other end is there */
#define COST_FURTHER   200  /* percent: a host has few roles, so every role but one costs more ... */
#define COST_SIBLING   150  /* ... and somewhat less where another one is of its family */
#define GOVERNED_SHARE 3    /* who shows less than a third of the rows of a governed role's best holder has not got it */
#define MAX_ROUNDS 8

/* --- classes of roles ---------------------------------------------------------------------------------------- */

static struct set256 closure_of(const struct policy *p, unsigned role)
{
    return p->closures[role];
}

static int find_ends(const struct learner *l, unsigned role, struct role_class *c)
{
    const struct policy *p = l->p;
    struct set256 roles = closure_of(p, role);

    c->ends = calloc(2 * p->matrix->n_rows + 1, sizeof(*c->ends));
    if (c->ends == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->matrix->n_rows; i++) {
        const struct applied_row *a = &p->rows[i];

        for (uint32_t side = 0; side < 2 && a->n_ports > 0; side++)
            if (sets_meet(&roles, side == 0 ? &a->from : &a->to))
                c->ends[c->n_ends++] = 2 * i + side;
    }
    return 0;
}

static struct role_class *class_of(struct learner *l, const struct role_class *like)
{
    for (size_t i = 0; i < l->n_classes; i++)
        if (l->classes[i].n_ends == like->n_ends &&
            memcmp(l->classes[i].ends, like->ends, like->n_ends * sizeof(*like->ends)) == 0)
            return &l->classes[i];
    return NULL;
}

/* A role that another one of its class implies says less than that one does. */
static void add_member(const struct policy *p, struct role_class *c, unsigned role)
{
    struct set256 roles = closure_of(p, role);
    unsigned kept = 0;

    set_join(&c->closure, &roles);
    c->governed = sets_meet(&c->closure, &p->governed);
    for (unsigned i = 0; i < c->n_members; i++) {
        struct set256 other = closure_of(p, c->members[i]);

        if (set_has(&other, role))
            return;
        if (!set_has(&roles, c->members[i]))
            c->members[kept++] = c->members[i];
    }
    c->n_members = kept;
    c->members[c->n_members++] = role;
}

/* Roles that no row speaks of cannot be learned. */
int learn_classes(struct learner *l)
{
    const struct matrix *m = l->p->matrix;

    l->classes = calloc(m->n_roles + 1, sizeof(*l->classes));
    if (l->classes == NULL)
        return -ENOMEM;
    for (unsigned role = 0; role < m->n_roles; role++) {
        struct role_class fresh = {0};

        if (find_ends(l, role, &fresh) != 0)
            return -ENOMEM;
        struct role_class *c = class_of(l, &fresh);
        if (c == NULL && fresh.n_ends > 0) {
            c = &l->classes[l->n_classes++];
            *c = fresh;
        } else {
            free(fresh.ends);
        }
        if (c != NULL)
            add_member(l->p, c, role);
    }
    return 0;
}

struct set256 learn_closure(const struct learner *l, const struct set256 *classes)
{
    struct set256 roles = {{0}};

    for (unsigned k = 0; k < l->n_classes; k++)
        if (set_has(classes, k))
            set_join(&roles, &l->classes[k].closure);
    return roles;
}

static void set_remove(struct set256 *s, unsigned role)
{
    s->words[role / 64] &= ~(UINT64_C(1) << (role % 64));
}

static void hold(struct learner *l, struct host *h, const struct set256 *classes)
{
    struct set256 before = h->roles;

    h->held = *classes;
    h->roles = learn_closure(l, classes);
    for (size_t i = 0; i < l->p->matrix->n_rows; i++) {
        const struct applied_row *a = &l->p->rows[i];

        l->holders[2 * i] += (uint32_t)sets_meet(&a->from, &h->roles) - (uint32_t)sets_meet(&a->from, &before);
        l->holders[2 * i + 1] += (uint32_t)sets_meet(&a->to, &h->roles) - (uint32_t)sets_meet(&a->to, &before);
    }
}

/* --- what a set of roles is worth ------------------------------------------------------------------------------ */

static const struct fact *fact_of(const struct learner *l, uint32_t host, uint32_t i)
{
    return &l->facts[l->host_facts[l->hosts[host].first + i]];
}

static int64_t worth_of(const struct learner *l, const struct fact *f)
{
    if (l->governed_first)
        return WORTH_FIRST;
    bool governed = sets_meet(&l->hosts[f->client].roles, &l->p->governed) ||
                    sets_meet(&l->hosts[f->server].roles, &l->p->governed);
    return governed ? WORTH_GOVERNED : WORTH_OTHER;
}

/* All that this host's facts are worth if it had these roles. */
static int64_t explained(const struct learner *l, uint32_t host, const struct set256 *roles)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < l->hosts[host].n; i++) {
        const struct fact *f = fact_of(l, host, i);
        bool is_client = f->client == host;
        const struct learn_candidate *c = learn_explain(l, f, is_client ? roles : &l->hosts[f->client].roles,
                                                        is_client ? &l->hosts[f->server].roles : roles);

        if (c != NULL)
            sum += worth_of(l, f) * c->quality / 100;
    }
    return sum;
}

void learn_note_ends(struct learner *l, uint32_t host)
{
    memset(l->ends, 0, 2 * l->p->matrix->n_rows);
    for (uint32_t i = 0; i < l->hosts[host].n; i++) {
        const struct fact *f = fact_of(l, host, i);
        uint32_t side = f->server == host;

        for (uint32_t k = f->first; k < f->first + f->n; k++) {
            uint32_t row = l->candidates[k].row;
            const struct applied_row *a = &l->p->rows[row];

            /* Who tries and gets no answer has still shown what it wants; who does not answer has shown nothing. */
            if ((side == 0 || f->answered) &&
                sets_meet(side == 0 ? &a->to : &a->from,
                          side == 0 ? &l->hosts[f->server].roles : &l->hosts[f->client].roles))
                l->ends[2 * row + side] = 1;
        }
    }
}

bool learn_end_missing(const struct learner *l, uint32_t host, uint32_t end)
{
    const struct applied_row *a = &l->p->rows[end / 2];
    const struct set256 *peers = end % 2 == 0 ? &a->to : &a->from;
    uint32_t self = sets_meet(peers, &l->hosts[host].roles);

    return a->required && learn_unconditional(a) && l->holders[end ^ 1] > self;
}

/* 'ends' is of this host. */
static int64_t cost_of_role(const struct learner *l, uint32_t host, unsigned k)
{
    const struct role_class *c = &l->classes[k];
    int64_t n = (int64_t)c->n_ends, cost = COST_ROLE + COST_ROW * n, unseen = 0;

    for (size_t i = 0; i < c->n_ends; i++) {
        if (l->ends[c->ends[i]])
            continue;
        unseen++;
        cost += learn_end_missing(l, host, c->ends[i]) ? COST_MISSING : 0;
    }
    return cost + COST_UNSEEN * unseen / n;
}

/* Does the set hold another role of this one's family? */
static bool has_sibling(const struct learner *l, const struct set256 *classes, unsigned k)
{
    const struct matrix *m = l->p->matrix;
    const char *family = m->roles[l->classes[k].members[0]].family;

    for (unsigned i = 0; family != NULL && i < l->n_classes; i++) {
        const char *other = m->roles[l->classes[i].members[0]].family;

        if (i != k && set_has(classes, i) && other != NULL && strcmp(other, family) == 0)
            return true;
    }
    return false;
}

static int64_t cost_of(const struct learner *l, uint32_t host, const struct set256 *classes)
{
    int64_t sum = 0, spared = 0;

    for (unsigned k = 0; k < l->n_classes; k++) {
        if (!set_has(classes, k))
            continue;
        int64_t cost = cost_of_role(l, host, k),
                further = cost * (has_sibling(l, classes, k) ? COST_SIBLING : COST_FURTHER) / 100;
        sum += further;
        spared = further - cost > spared ? further - cost : spared;
    }
    return sum - spared;
}

static int64_t total_of(const struct learner *l, uint32_t host, const struct set256 *classes)
{
    struct set256 roles = learn_closure(l, classes);

    return explained(l, host, &roles) - cost_of(l, host, classes);
}

/* --- taking away ------------------------------------------------------------------------------------------------- */

static bool is_open(const struct learner *l, unsigned k)
{
    return l->governed_first || !l->classes[k].governed;
}

/* The role that this host would best be rid of; returns what that gains. */
static int64_t worst_role(struct learner *l, uint32_t host, unsigned *ret)
{
    struct host *h = &l->hosts[host];
    int64_t best = 0;

    learn_note_ends(l, host);
    int64_t now = total_of(l, host, &h->held);
    for (unsigned k = 0; k < l->n_classes; k++) {
        struct set256 without = h->held;

        if (!set_has(&h->held, k) || !is_open(l, k))
            continue;
        set_remove(&without, k);
        int64_t gain = total_of(l, host, &without) - now;
        if (gain > best) {
            best = gain;
            *ret = k;
        }
    }
    return best;
}

/* One sweep over all hosts: each loses its worst role where that gains 'least' or more.  Returns the most that another
 * could gain. */
static int64_t sweep(struct learner *l, int64_t least)
{
    int64_t most = 0;

    for (uint32_t h = 0; h < l->n_hosts; h++) {
        unsigned k = 0;
        int64_t gain = set_is_empty(&l->hosts[h].held) ? 0 : worst_role(l, h, &k);

        if (gain > 0 && gain >= least) {
            struct set256 classes = l->hosts[h].held;

            set_remove(&classes, k);
            hold(l, &l->hosts[h], &classes);
        }
        most = gain > most ? gain : most;
    }
    return most;
}

static void take_away(struct learner *l)
{
    int64_t most = sweep(l, INT64_MAX);

    /* A sweep takes a role away, or finds less to gain than the one before: so this ends. */
    while (most > 0)
        most = sweep(l, most - most / 8);
}

/* --- looking again ----------------------------------------------------------------------------------------------- */

/* The set that grows from nothing (or from what stays) by the role that gains most at each step. */
static struct set256 grow_roles(const struct learner *l, uint32_t host)
{
    struct set256 classes = {{0}};
    int64_t now;

    for (unsigned k = 0; k < l->n_classes; k++)
        if (set_has(&l->hosts[host].held, k) && !is_open(l, k))
            set_add(&classes, k);
    now = total_of(l, host, &classes);
    for (;;) {
        int64_t best = now;
        unsigned chosen = 0;

        for (unsigned k = 0; k < l->n_classes; k++) {
            struct set256 with = classes;

            if (!set_has(&l->hosts[host].maybe, k) || set_has(&classes, k) || !is_open(l, k))
                continue;
            set_add(&with, k);
            int64_t total = total_of(l, host, &with);
            if (total > best) {
                best = total;
                chosen = k;
            }
        }
        if (best == now)
            return classes;
        set_add(&classes, chosen);
        now = best;
    }
}

/* Two roles may explain what one that was taken away did: each host is built up anew, and the better set stays. */
static bool look_again(struct learner *l)
{
    bool changed = false;

    for (uint32_t h = 0; h < l->n_hosts; h++) {
        if (l->hosts[h].scan || set_is_empty(&l->hosts[h].maybe))
            continue;
        learn_note_ends(l, h);
        struct set256 grown = grow_roles(l, h);
        if (total_of(l, h, &grown) > total_of(l, h, &l->hosts[h].held)) {
            hold(l, &l->hosts[h], &grown);
            changed = true;
        }
    }
    return changed;
}

/* --- both phases ----------------------------------------------------------------------------------------------------
 */

static void find_evidence(struct learner *l)
{
    for (uint32_t h = 0; h < l->n_hosts; h++) {
        if (l->hosts[h].scan)
            continue;
        memset(l->ends, 0, 2 * l->p->matrix->n_rows);
        for (uint32_t i = 0; i < l->hosts[h].n; i++) {
            const struct fact *f = fact_of(l, h, i);

            for (uint32_t c = f->first; c < f->first + f->n; c++)
                l->ends[2 * l->candidates[c].row + (f->server == h)] = 1;
        }
        for (unsigned k = 0; k < l->n_classes; k++)
            for (size_t e = 0; e < l->classes[k].n_ends; e++)
                if (l->ends[l->classes[k].ends[e]])
                    set_add(&l->hosts[h].maybe, k);
    }
}

static size_t rows_shown(struct learner *l, uint32_t host, const struct role_class *c)
{
    size_t n = 0;

    learn_note_ends(l, host);
    for (size_t i = 0; i < c->n_ends; i++)
        n += l->ends[c->ends[i]];
    return n;
}

/* Governed is who takes part in most of the rows that speak of the role: some of them a client of such a host shows
 * too. */
static void keep_the_best(struct learner *l, unsigned k)
{
    size_t best = 0;

    for (uint32_t h = 0; h < l->n_hosts; h++) {
        size_t n = set_has(&l->hosts[h].held, k) ? rows_shown(l, h, &l->classes[k]) : 0;

        best = n > best ? n : best;
    }
    for (uint32_t h = 0; h < l->n_hosts; h++) {
        struct set256 classes = l->hosts[h].held;

        if (!set_has(&l->hosts[h].maybe, k) || GOVERNED_SHARE * rows_shown(l, h, &l->classes[k]) >= best)
            continue;
        set_remove(&l->hosts[h].maybe, k);
        set_remove(&classes, k);
        hold(l, &l->hosts[h], &classes);
    }
}

static void phase(struct learner *l, bool governed_first)
{
    l->governed_first = governed_first;
    for (size_t h = 0; h < l->n_hosts; h++) {
        struct set256 classes = l->hosts[h].maybe;

        for (unsigned k = 0; k < l->n_classes && !governed_first; k++)
            if (l->classes[k].governed && !set_has(&l->hosts[h].held, k))
                set_remove(&classes, k);
        hold(l, &l->hosts[h], &classes);
    }
    take_away(l);
    for (unsigned k = 0; k < l->n_classes && governed_first; k++)
        if (l->classes[k].governed)
            keep_the_best(l, k);
    for (unsigned i = 0; i < MAX_ROUNDS && look_again(l); i++)
        ;
}

/* --- signs ------------------------------------------------------------------------------------------------------- */

static bool holds_any(const struct learner *l, const struct host *h, const struct rules_names *roles)
{
    for (size_t i = 0; i < roles->n; i++) {
        uint32_t role = name_index_find(&l->p->role_names, roles->items[i].text);

        if (role != POLICY_NONE && set_has(&h->roles, role))
            return true;
    }
    return false;
}

static void tell(struct learner *l, struct host *h, uint32_t role)
{
    for (unsigned k = 0; k < l->n_classes; k++) {
        for (unsigned i = 0; i < l->classes[k].n_members; i++) {
            struct set256 classes = h->held;

            if (l->classes[k].members[i] != role)
                continue;
            set_add(&classes, k);
            set_add(&h->told, role);
            hold(l, h, &classes);
            return;
        }
    }
}

/* What a client did at a server tells what the server is, where the matrix says so: whatever else was, or was not, seen. */
void learn_by_signs(struct learner *l)
{
    for (size_t i = 0; i < l->n_seen; i++) {
        const struct learn_fact *f = &l->seen[i];
        struct host             *client = &l->hosts[learn_host_of(l, &f->tuple.client)], *server = &l->hosts[learn_host_of(l, &f->tuple.server)];

        for (size_t s = 0; f->interface != NULL && s < l->p->matrix->n_signs; s++) {
            const struct matrix_sign *m = &l->p->matrix->signs[s];

            if (strcmp(m->interface.text, f->interface) == 0 && client != server && holds_any(l, client, &m->from) && !holds_any(l, server, &m->unless))
                tell(l, server, name_index_find(&l->p->role_names, m->role.text));
        }
    }
}

void learn_infer(struct learner *l)
{
    find_evidence(l);
    phase(l, true);
    phase(l, false);
}
