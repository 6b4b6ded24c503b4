/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_table.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FOLD_FROM 4 /* like ones are told as one from here on */
#define MOST 1024 /* beyond it the one with the fewest bytes makes room */

struct row {
    struct notify_conversation c; /* its texts are those below */
    char client[64], client_name[64], server[64], server_name[64], protocol[32];
};

struct watch_table {
    struct row                 rows[MOST];
    size_t                     n;
    struct notify_conversation sorted[MOST];
};

struct watch_table *watch_table_new(void)
{
    return calloc(1, sizeof(struct watch_table));
}

void watch_table_free(struct watch_table *t)
{
    free(t);
}

void watch_table_clear(struct watch_table *t)
{
    t->n = 0;
}

static struct row *row_for(struct watch_table *t, uint64_t id)
{
    struct row *least = t->rows;

    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].c.conversation_id == id)
            return &t->rows[i];
        if (t->rows[i].c.bytes < least->c.bytes)
            least = &t->rows[i];
    }
    return t->n < MOST ? &t->rows[t->n++] : least;
}

static const char *keep(char *to, size_t size, const char *text)
{
    if (text == NULL)
        return NULL;
    snprintf(to, size, "%s", text);
    return to;
}

static enum disposition disposition_by_name(const char *name)
{
    for (int d = DISPOSITION_PERMITTED; name != NULL && d < DISPOSITION_NONE; d++)
        if (strcmp(disposition_name((enum disposition)d), name) == 0)
            return (enum disposition)d;
    return DISPOSITION_NONE;
}

void watch_table_put(struct watch_table *t, const struct store_finding *f)
{
    enum finding_kind kind = FINDING_NONE;

    if (f->conversation_id == 0 || f->waived_by != NULL)
        return;
    struct row *r = row_for(t, f->conversation_id);
    if (f->kind != NULL && finding_kind_parse(f->kind, &kind) != 0)
        kind = FINDING_NONE;
    r->c = (struct notify_conversation){
        .conversation_id = f->conversation_id,
        .client = keep(r->client, sizeof(r->client), f->client),
        .client_name = keep(r->client_name, sizeof(r->client_name), f->client_name),
        .server = keep(r->server, sizeof(r->server), f->server),
        .server_name = keep(r->server_name, sizeof(r->server_name), f->server_name),
        .server_port = f->has_port ? f->server_port : 0,
        .transport = f->transport != NULL && strcasecmp(f->transport, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP,
        .protocol = keep(r->protocol, sizeof(r->protocol), f->protocol),
        .verdict = VERDICT_VIOLATION,
        .kind = kind,
        .disposition = disposition_by_name(f->disposition),
        .flows = f->flows,
        .packets = f->packets,
        .bytes = f->bytes,
        .last_ns = f->last_ns,
    };
}

static uint64_t key_of(const struct notify_conversation *c, enum notify_sort sort)
{
    return sort == NOTIFY_BY_BYTES ? c->bytes : sort == NOTIFY_BY_PACKETS ? c->packets : sort == NOTIFY_BY_FLOWS ? c->flows : (uint64_t)c->last_ns;
}

static int by_key(const void *a, const void *b, void *aux)
{
    enum notify_sort sort = *(const enum notify_sort *)aux;
    uint64_t         x = key_of(a, sort), y = key_of(b, sort);

    return x < y ? 1 : x > y ? -1 : 0;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static const char *end_of(const char *name, const char *address)
{
    return name != NULL && *name != '\0' ? name : address;
}

/* Like ones, as the reports and the alerts fold them: of one kind, between the same two hosts. */
static int compare_like(const struct notify_conversation *a, const struct notify_conversation *b)
{
    int c = (int)a->kind - (int)b->kind;

    if (c == 0)
        c = compare_text(end_of(a->client_name, a->client), end_of(b->client_name, b->client));
    return c != 0 ? c : compare_text(end_of(a->server_name, a->server), end_of(b->server_name, b->server));
}

static int by_like(const void *a, const void *b)
{
    const struct notify_conversation *x = a, *y = b;
    int                               c = compare_like(x, y);

    return c != 0 ? c : x->conversation_id < y->conversation_id ? -1 : 1;
}

/* Into the first of them; which goes by that one's number, so that its rate is known. */
static void join(struct notify_conversation *c, const struct notify_conversation *more)
{
    c->server_port = c->transport == more->transport && c->server_port == more->server_port ? c->server_port : 0;
    c->protocol = c->protocol != NULL && more->protocol != NULL && strcmp(c->protocol, more->protocol) == 0 ? c->protocol : NULL;
    c->disposition = more->disposition == DISPOSITION_ESCAPED ? more->disposition : c->disposition;
    c->flows += more->flows;
    c->packets += more->packets;
    c->bytes += more->bytes;
    c->last_ns = more->last_ns > c->last_ns ? more->last_ns : c->last_ns;
}

static size_t fold(struct notify_conversation *all, size_t n)
{
    size_t kept = 0;

    qsort(all, n, sizeof(all[0]), by_like);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && compare_like(&all[i], &all[end]) == 0; end++)
            ;
        bool many = end - i >= FOLD_FROM;
        all[kept++] = all[i];
        for (size_t k = i + 1; k < end; k++)
            if (many)
                join(&all[kept - 1], &all[k]);
            else
                all[kept++] = all[k];
    }
    return kept;
}

const struct notify_conversation *watch_table_top(struct watch_table *t, const struct notify_wish *wish, size_t *ret_n)
{
    enum notify_sort sort = wish->sort;

    for (size_t i = 0; i < t->n; i++)
        t->sorted[i] = t->rows[i].c;
    size_t n = fold(t->sorted, t->n);
    qsort_r(t->sorted, n, sizeof(t->sorted[0]), by_key, &sort);
    *ret_n = n < wish->n ? n : wish->n;
    return t->sorted;
}
