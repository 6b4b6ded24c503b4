/* SPDX-License-Identifier: Apache-2.0 */
/* Which services were answered, whatever roles came of it: what there is to say where none did. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "learn-private.h"

/* Without the name of content and without a row for the port a connection tells nothing that helps a reader. */
static bool is_service(const struct learner *l, const struct learn_fact *f)
{
    bool named = f->app.basis == APP_CONTENT && f->app.name[0] != '\0';

    return f->data && f->sent[0] && f->sent[1] &&
           (named || learn_is_documented(l->p, f->tuple.transport, f->tuple.server_port));
}

static const char *name_of(const struct learn_fact *f)
{
    return f->app.basis == APP_CONTENT ? f->app.name : "";
}

static const char *interface_of(const struct learn_fact *f)
{
    return f->interface != NULL ? f->interface : "";
}

static int compare_services(const struct learn_fact *a, const struct learn_fact *b)
{
    if (a->tuple.transport != b->tuple.transport)
        return a->tuple.transport < b->tuple.transport ? -1 : 1;
    if (a->tuple.server_port != b->tuple.server_port)
        return a->tuple.server_port < b->tuple.server_port ? -1 : 1;
    int order = strcmp(name_of(a), name_of(b));
    return order != 0 ? order : strcmp(interface_of(a), interface_of(b));
}

static int by_service(const void *pa, const void *pb)
{
    const struct learn_fact *a = *(const struct learn_fact *const *)pa, *b = *(const struct learn_fact *const *)pb;
    int order = compare_services(a, b);

    if (order == 0)
        order = addr_compare(&a->tuple.server, &b->tuple.server);
    return order != 0 ? order : addr_compare(&a->tuple.client, &b->tuple.client);
}

static int by_use(const void *pa, const void *pb)
{
    const struct learn_service *a = pa, *b = pb;

    if (a->documented != b->documented)
        return a->documented ? -1 : 1;
    if (a->n_pairs != b->n_pairs)
        return a->n_pairs > b->n_pairs ? -1 : 1;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->transport != b->transport)
        return a->transport < b->transport ? -1 : 1;
    int order = strcmp(a->protocol, b->protocol);
    return order != 0 ? order : strcmp(a->interface != NULL ? a->interface : "", b->interface != NULL ? b->interface : "");
}

/* 'all' is in order: of one service by server and client. */
static int fold(const struct learner *l, const struct learn_fact *const *all, size_t n, struct learn_result *r)
{
    size_t distinct = 0;

    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || compare_services(all[i - 1], all[i]) != 0;
    r->services = calloc(distinct + 1, sizeof(*r->services));
    if (r->services == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct tuple *t = &all[i]->tuple, *last = i > 0 ? &all[i - 1]->tuple : NULL;

        if (i == 0 || compare_services(all[i - 1], all[i]) != 0) {
            struct learn_service *s = &r->services[r->n_services++];

            *s = (struct learn_service){.transport = t->transport,
                                        .port = t->server_port,
                                        .interface = all[i]->interface,
                                        .server = t->server,
                                        .documented = learn_is_documented(l->p, t->transport, t->server_port)};
            memcpy(s->protocol, all[i]->app.name, name_of(all[i])[0] != '\0' ? sizeof(s->protocol) : 0);
            last = NULL;
        }
        bool server = last == NULL || addr_compare(&last->server, &t->server) != 0;
        r->services[r->n_services - 1].n_servers += server;
        r->services[r->n_services - 1].n_pairs += server || addr_compare(&last->client, &t->client) != 0;
    }
    return 0;
}

static void count_rows(const struct learner *l, struct learn_result *r)
{
    for (size_t i = 0; i < l->p->matrix->n_rows; i++) {
        const struct applied_row *a = &l->p->rows[i];

        r->n_rows += a->n_ports > 0;
        r->n_governed_rows +=
            a->n_ports > 0 && (sets_meet(&a->from, &l->p->governed) || sets_meet(&a->to, &l->p->governed));
    }
}

int learn_tell_services(struct learner *l)
{
    struct learn_result *r = &l->result;
    const struct learn_fact **all = calloc(l->n_seen + 1, sizeof(const struct learn_fact *));
    size_t n = 0;

    if (all == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_seen; i++)
        if (is_service(l, &l->seen[i]))
            all[n++] = &l->seen[i];
    qsort(all, n, sizeof(*all), by_service);
    int rc = fold(l, all, n, r);
    if (rc == 0)
        qsort(r->services, r->n_services, sizeof(*r->services), by_use);
    count_rows(l, r);
    free(all);
    return rc;
}
