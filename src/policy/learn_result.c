/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of each host once the roles stand: which rows it showed, what else it may be, what the site must set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "learn-private.h"

#define ALSO_PERCENT 70 /* of a role's rows were shown: worth a word */
#define MAX_SAME     3  /* other roles of a class that are named */

void learn_result_free(struct learner *l)
{
    struct learn_result *r = &l->result;

    for (size_t i = 0; i < r->n_hosts; i++) {
        for (size_t k = 0; k < r->hosts[i].n_roles; k++) {
            free(r->hosts[i].roles[k].seen);
            free(r->hosts[i].roles[k].missing);
        }
        free(r->hosts[i].roles);
        free(r->hosts[i].also);
    }
    free(r->hosts);
    free(r->others);
    free(r->options);
    free(r->ports);
    free(r->services);
}

static const struct fact *fact_at(const struct learner *l, const struct host *h, uint32_t i)
{
    return &l->facts[l->host_facts[h->first + i]];
}

static const struct learn_candidate *explain(const struct learner *l, const struct fact *f)
{
    return learn_explain(l, f, &l->hosts[f->client].roles, &l->hosts[f->server].roles);
}

/* --- the evidence for one role ------------------------------------------------------------------------------- */

static bool is_about(const struct learner *l, const struct fact *f, uint32_t row, uint32_t *ret_quality)
{
    for (uint32_t i = f->first; i < f->first + f->n; i++) {
        if (l->candidates[i].row == row) {
            *ret_quality = l->candidates[i].quality;
            return true;
        }
    }
    return false;
}

static struct learn_row row_seen(const struct learner *l, uint32_t host, uint32_t end)
{
    const struct host *h = &l->hosts[host];
    const struct applied_row *a = &l->p->rows[end / 2];
    struct learn_row r = {.row = end / 2, .as_server = end % 2 == 1};
    uint32_t last = UINT32_MAX;

    for (uint32_t i = 0; i < h->n; i++) {
        const struct fact *f = fact_at(l, h, i);
        uint32_t peer = f->client == host ? f->server : f->client, quality;

        if ((f->server == host) != r.as_server || !is_about(l, f, r.row, &quality) ||
            !sets_meet(r.as_server ? &a->from : &a->to, &l->hosts[peer].roles))
            continue;
        r.n_peers += peer != last;
        r.flows += f->flows;
        r.confirmed |= quality == 100;
        last = peer;
    }
    return r;
}

static int tell_role(struct learner *l, uint32_t host, const struct role_class *c, struct learn_role *ret)
{
    ret->n_rows = (uint32_t)c->n_ends;
    ret->seen = calloc(c->n_ends + 1, sizeof(*ret->seen));
    ret->missing = calloc(c->n_ends + 1, sizeof(*ret->missing));
    if (ret->seen == NULL || ret->missing == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_ends; i++) {
        if (l->ends[c->ends[i]])
            ret->seen[ret->n_seen++] = row_seen(l, host, c->ends[i]);
        else if (learn_end_missing(l, host, c->ends[i]))
            ret->missing[ret->n_missing++] = c->ends[i] / 2;
    }
    return 0;
}

/* Hosts of one class in order: who has most conversations comes first, then the lower address. */
static uint32_t rank_of(const struct learner *l, uint32_t host, unsigned k)
{
    const struct host *h = &l->hosts[host];
    uint32_t rank = 1;

    for (uint32_t i = 0; i < l->n_hosts; i++) {
        const struct host *o = &l->hosts[i];

        if (i != host && set_has(&o->held, k))
            rank += o->n > h->n || (o->n == h->n && (o->flows > h->flows || (o->flows == h->flows && i < host)));
    }
    return rank;
}

/* The first host of a class gets its first role, the second the second, and all that follow the last. */
static void name_role(const struct learner *l, uint32_t host, unsigned k, struct learn_role *ret)
{
    const struct role_class *c = &l->classes[k];
    const struct matrix *m = l->p->matrix;
    unsigned chosen = 0, n = 0;

    if (c->n_members > 1) {
        ret->rank = rank_of(l, host, k);
        chosen = ret->rank <= c->n_members ? ret->rank - 1 : c->n_members - 1;
    }
    for (unsigned i = 0; i < c->n_members; i++)
        if (set_has(&l->hosts[host].told, c->members[i]))
            chosen = i;
    ret->name = m->roles[c->members[chosen]].name.text;
    for (size_t i = 0; i < m->n_signs && set_has(&l->hosts[host].told, c->members[chosen]); i++)
        if (strcmp(m->signs[i].role.text, ret->name) == 0)
            ret->sign = m->signs[i].interface.text;
    if (ret->sign != NULL)
        return;
    for (unsigned i = 0; i < c->n_members && n < MAX_SAME; i++)
        if (i != chosen)
            ret->same[n++] = m->roles[c->members[i]].name.text;
}

/* --- what else it may be ----------------------------------------------------------------------------------------- */

/* Would this class explain all that class 'held' explains? */
static bool stands_in(const struct learner *l, uint32_t host, unsigned k, unsigned held)
{
    const struct host *h = &l->hosts[host];
    struct set256 classes = h->held;

    classes.words[held / 64] &= ~(UINT64_C(1) << (held % 64));
    set_add(&classes, k);
    struct set256 roles = learn_closure(l, &classes);
    for (uint32_t i = 0; i < h->n; i++) {
        const struct fact *f = fact_at(l, h, i);
        bool is_client = f->client == host;
        const struct learn_candidate *now = explain(l, f);
        const struct learn_candidate *then = learn_explain(l, f, is_client ? &roles : &l->hosts[f->client].roles,
                                                           is_client ? &l->hosts[f->server].roles : &roles);

        if (now != NULL && (then == NULL || then->quality < now->quality))
            return false;
    }
    return true;
}

/* Does one of the roles it has speak of all that this class speaks of?  Then to have both says no more. */
static bool adds_nothing(const struct learner *l, const struct host *h, const struct role_class *c)
{
    for (unsigned k = 0; k < l->n_classes; k++) {
        const struct role_class *held = &l->classes[k];
        size_t at = 0;

        if (!set_has(&h->held, k))
            continue;
        for (size_t i = 0; i < held->n_ends && at < c->n_ends; i++)
            at += held->ends[i] == c->ends[at];
        if (at == c->n_ends)
            return true;
    }
    return false;
}

static int tell_also(struct learner *l, uint32_t host, struct learn_host *ret)
{
    const struct host *h = &l->hosts[host];

    ret->also = calloc(l->n_classes + 1, sizeof(*ret->also));
    if (ret->also == NULL)
        return -ENOMEM;
    for (unsigned k = 0; k < l->n_classes; k++) {
        const struct role_class *c = &l->classes[k];
        struct learn_also also = {.name = l->p->matrix->roles[c->members[0]].name.text, .n_rows = (uint32_t)c->n_ends};

        if (set_has(&h->held, k) || adds_nothing(l, h, c))
            continue;
        bool some = false, lacks = false;
        for (size_t i = 0; i < c->n_ends; i++) {
            also.n_seen += l->ends[c->ends[i]];
            some |= l->ends[c->ends[i]] != 0;
            lacks |= !l->ends[c->ends[i]] && learn_end_missing(l, host, c->ends[i]);
        }
        for (unsigned held = 0; some && !lacks && held < l->n_classes && !also.instead; held++)
            also.instead = set_has(&h->held, held) && stands_in(l, host, k, held);
        if (also.instead || (some && 100 * also.n_seen >= ALSO_PERCENT * also.n_rows))
            ret->also[ret->n_also++] = also;
    }
    return 0;
}

/* --- hosts ----------------------------------------------------------------------------------------------------------
 */

static void count_facts(const struct learner *l, uint32_t host, struct learn_host *ret)
{
    const struct host *h = &l->hosts[host];

    ret->flows = h->flows;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct fact *f = fact_at(l, h, i);
        const struct learn_candidate *c = explain(l, f);

        ret->n_conversations++;
        ret->n_explained += c != NULL;
        ret->serves |= c != NULL && f->server == host && f->answered && !l->p->rows[c->row].row->media;
    }
}

static int by_document(const void *pa, const void *pb, void *aux)
{
    const struct learner *l = aux;
    const struct role_class *a = &l->classes[*(const unsigned *)pa], *b = &l->classes[*(const unsigned *)pb];

    if (a->governed != b->governed)
        return a->governed ? -1 : 1;
    return a->members[0] < b->members[0] ? -1 : a->members[0] > b->members[0];
}

static int tell_host(struct learner *l, uint32_t host, struct learn_host *ret)
{
    const struct host *h = &l->hosts[host];
    unsigned classes[SET_MAX], n = 0;

    *ret = (struct learn_host){.addr = h->addr, .governed = sets_meet(&h->roles, &l->p->governed)};
    for (unsigned k = 0; k < l->n_classes; k++)
        if (set_has(&h->held, k))
            classes[n++] = k;
    qsort_r(classes, n, sizeof(classes[0]), by_document, l);
    ret->roles = calloc(n + 1, sizeof(*ret->roles));
    if (ret->roles == NULL)
        return -ENOMEM;
    learn_note_ends(l, host);
    for (unsigned i = 0; i < n; i++) {
        struct learn_role *role = &ret->roles[ret->n_roles++];

        name_role(l, host, classes[i], role);
        if (tell_role(l, host, &l->classes[classes[i]], role) != 0)
            return -ENOMEM;
    }
    count_facts(l, host, ret);
    return tell_also(l, host, ret);
}

/* Documented traffic with a governed host, and no role: whoever reads the proposal has to decide. */
static bool is_worth_a_word(const struct learner *l, const struct host *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        const struct fact *f = fact_at(l, h, i);

        if (sets_meet(&l->hosts[f->client].roles, &l->p->governed) ||
            sets_meet(&l->hosts[f->server].roles, &l->p->governed))
            return true;
    }
    return h->scan;
}

static int tell_hosts(struct learner *l)
{
    struct learn_result *r = &l->result;

    r->n_addresses = l->n_hosts;
    r->hosts = calloc(l->n_hosts + 1, sizeof(*r->hosts));
    r->others = calloc(l->n_hosts + 1, sizeof(*r->others));
    if (r->hosts == NULL || r->others == NULL)
        return -ENOMEM;
    for (uint32_t h = 0; h < l->n_hosts; h++) {
        const struct host *host = &l->hosts[h];

        if (!set_is_empty(&host->held)) {
            if (tell_host(l, h, &r->hosts[r->n_hosts++]) != 0)
                return -ENOMEM;
        } else if (is_worth_a_word(l, host)) {
            r->others[r->n_others++] = (struct learn_other){host->addr, host->scan, host->n};
        }
    }
    return 0;
}

/* --- options
 * ----------------------------------------------------------------------------------------------------------- */

enum { ON = OPTION_ON, OFF = OPTION_OFF };

struct wishes {
    uint8_t usual;  /* if the site said nothing */
    uint8_t needed; /* by rows that were seen */
    uint32_t row;   /* the first that needs what is not usual */
};

static uint8_t bits_of(const char *value)
{
    return strcmp(value, "both") == 0 ? ON | OFF : strcmp(value, "on") == 0 ? ON : OFF;
}

static bool anyone_has(const struct learner *l, const struct rules_names *roles)
{
    for (size_t i = 0; i < roles->n; i++) {
        uint32_t role = name_index_find(&l->p->role_names, roles->items[i].text);

        for (size_t h = 0; role != POLICY_NONE && h < l->n_hosts; h++)
            if (set_has(&l->hosts[h].roles, role))
                return true;
    }
    return false;
}

static bool holds(const struct learner *l, const struct wishes *wishes, const struct matrix_when *w)
{
    uint32_t option = name_index_find(&l->p->option_names, w->name.text);

    return w->at_least || (option != POLICY_NONE && (wishes[option].usual & bits_of(w->value)) != 0);
}

static bool applies(const struct learner *l, const struct wishes *wishes, const struct matrix_row *row)
{
    bool all = true, any = row->n_when_any == 0;

    for (size_t i = 0; i < row->n_when; i++)
        all &= holds(l, wishes, &row->when[i]);
    for (size_t i = 0; i < row->n_when_any; i++)
        any |= holds(l, wishes, &row->when_any[i]);
    return all && any;
}

static void wish(const struct learner *l, struct wishes *wishes, const struct matrix_when *w, uint32_t row)
{
    uint32_t option = w->at_least ? POLICY_NONE : name_index_find(&l->p->option_names, w->name.text);

    if (option == POLICY_NONE)
        return;
    wishes[option].needed |= bits_of(w->value);
    if ((wishes[option].usual & bits_of(w->value)) == 0 && row < wishes[option].row)
        wishes[option].row = row;
}

/* What the row needs: all its conditions, and one of those of which one is enough. */
static void wish_row(const struct learner *l, struct wishes *wishes, uint32_t index)
{
    const struct matrix_row *row = &l->p->matrix->rows[index];
    bool any = row->n_when_any == 0;

    for (size_t i = 0; i < row->n_when; i++)
        wish(l, wishes, &row->when[i], index);
    for (size_t i = 0; i < row->n_when_any; i++)
        any |= holds(l, wishes, &row->when_any[i]);
    if (!any)
        wish(l, wishes, &row->when_any[0], index);
}

/* The row that this fact is explained by: one that applies as things usually are, where there is one. */
static uint32_t row_of(const struct learner *l, const struct wishes *wishes, const struct fact *f)
{
    const struct learn_candidate *best = explain(l, f);

    if (best == NULL || !f->answered)
        return POLICY_NONE;
    for (uint32_t i = f->first; i < f->first + f->n; i++) {
        const struct applied_row *a = &l->p->rows[l->candidates[i].row];

        if (l->candidates[i].quality == best->quality && sets_meet(&a->from, &l->hosts[f->client].roles) &&
            sets_meet(&a->to, &l->hosts[f->server].roles) && applies(l, wishes, a->row))
            return l->candidates[i].row;
    }
    return best->row;
}

static const char *value_of(const struct matrix_option *o, const struct wishes *w)
{
    if (w->needed != (ON | OFF))
        return w->needed == ON ? "on" : "off";
    for (size_t i = 0; i < o->values.n; i++)
        if (strcmp(o->values.items[i].text, "both") == 0)
            return "both";
    return NULL; /* what was seen does not go together */
}

static void tell_option(struct learner *l, size_t i, const struct wishes *w)
{
    const struct matrix_option *o = &l->p->matrix->options[i];
    const char *value = w->row != POLICY_NONE ? value_of(o, w) : NULL;

    if (value != NULL)
        l->result.options[l->result.n_options++] =
            (struct learn_option){o->name.text, value, w->usual == ON ? "on" : "off", w->row};
}

static int tell_options(struct learner *l)
{
    const struct matrix *m = l->p->matrix;
    struct wishes *wishes = calloc(m->n_options + 1, sizeof(*wishes));

    l->result.options = calloc(m->n_options + 1, sizeof(*l->result.options));
    if (wishes == NULL || l->result.options == NULL) {
        free(wishes);
        return -ENOMEM;
    }
    for (size_t i = 0; i < m->n_options; i++) {
        bool on = anyone_has(l, &m->options[i].default_on_role);

        wishes[i] = (struct wishes){.usual = on ? ON : bits_of(m->options[i].fallback), .row = POLICY_NONE};
    }
    for (size_t i = 0; i < l->n_facts; i++) {
        uint32_t row = row_of(l, wishes, &l->facts[i]);

        if (row != POLICY_NONE)
            wish_row(l, wishes, row);
    }
    for (size_t i = 0; i < m->n_options; i++)
        tell_option(l, i, &wishes[i]);
    free(wishes);
    return 0;
}

/* --- ports that a parameter may have to list
 * -------------------------------------------------------------------------- */

static const struct matrix_parameter *parameter_of(const struct learner *l, const struct matrix_row *row,
                                                   uint8_t transport)
{
    for (size_t i = 0; i < row->ports.n; i++) {
        const struct rules_port *port = &row->ports.items[i];

        if (port->parameter != NULL && port->transport == transport)
            return &l->p->matrix->parameters[name_index_find(&l->p->parameter_names, port->parameter)];
    }
    return NULL;
}

/* The parameter that would let a row explain this: one that the site has to list comes before one with ports of its
 * own. */
static const struct matrix_parameter *parameter_for(const struct learner *l, const struct fact *f, uint32_t *ret_row)
{
    const struct matrix_parameter *best = NULL;

    for (uint32_t i = 0; i < l->p->matrix->n_rows; i++) {
        const struct applied_row *a = &l->p->rows[i];
        const struct matrix_parameter *parameter = parameter_of(l, a->row, f->transport);

        if (parameter == NULL || !policy_satisfies(l->p, &f->app, a) ||
            !sets_meet(&a->from, &l->hosts[f->client].roles) || !sets_meet(&a->to, &l->hosts[f->server].roles) ||
            (best != NULL && (best->ports.n == 0 || parameter->ports.n > 0)))
            continue;
        best = parameter;
        *ret_row = i;
    }
    return best;
}

static void add_port(struct learner *l, const struct fact *f, const struct matrix_parameter *parameter, uint32_t row)
{
    struct learn_result *r = &l->result;

    for (size_t i = 0; i < r->n_ports; i++) {
        struct learn_port *p = &r->ports[i];

        if (strcmp(p->parameter, parameter->name.text) == 0 && p->transport == f->transport && p->port == f->port) {
            p->flows += f->flows;
            p->server = addr_compare(&l->hosts[f->server].addr, &p->server) < 0 ? l->hosts[f->server].addr : p->server;
            return;
        }
    }
    struct learn_port *p = &r->ports[r->n_ports++];
    *p = (struct learn_port){.parameter = parameter->name.text,
                             .transport = f->transport,
                             .port = f->port,
                             .row = row,
                             .server = l->hosts[f->server].addr,
                             .flows = f->flows};
    memcpy(p->protocol, f->app.name, sizeof(p->protocol));
}

static int by_parameter(const void *pa, const void *pb)
{
    const struct learn_port *a = pa, *b = pb;
    int order = strcmp(a->parameter, b->parameter);

    if (order != 0 || a->port != b->port)
        return order != 0 ? order : a->port < b->port ? -1 : 1;
    return a->transport < b->transport ? -1 : a->transport > b->transport;
}

static int tell_ports(struct learner *l)
{
    size_t max = 256; /* more than a person will confirm one by one */
    uint32_t row = 0;

    l->result.ports = calloc(max, sizeof(*l->result.ports));
    if (l->result.ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_facts && l->result.n_ports < max; i++) {
        const struct fact *f = &l->facts[i];

        if (f->app.basis != APP_CONTENT || explain(l, f) != NULL)
            continue;
        const struct matrix_parameter *parameter = parameter_for(l, f, &row);
        if (parameter != NULL)
            add_port(l, f, parameter, row);
    }
    qsort(l->result.ports, l->result.n_ports, sizeof(*l->result.ports), by_parameter);
    return 0;
}

int learn_conclude(struct learner *l)
{
    int rc = tell_hosts(l);

    if (rc == 0)
        rc = tell_options(l);
    if (rc == 0)
        rc = tell_ports(l);
    return rc == 0 && l->result.n_hosts == 0 ? learn_tell_services(l) : rc;
}
