/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "words.h"

/* A pair of hosts, or all pairs of a client, or of a server. */
struct group {
    uint64_t     hash; /* 0: free */
    uint64_t     place; /* of a pair: the group in which its findings are folded, itself where no other is */
    int64_t      seen_ns;
    uint32_t     n; /* findings told on their own; of a host: its pairs */
    struct fold *fold;
};

struct folds {
    struct hash_key key;
    struct group   *groups; /* a power of two of them, at most half in use */
    size_t          size, n;
    int64_t         forget_ns, sweep_ns;
    struct fold    *first, **last;
};

int folds_new(size_t max, int64_t forget_ns, struct folds **ret, struct err *reterr)
{
    struct folds *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    f->forget_ns = forget_ns;
    f->sweep_ns = INT64_MIN;
    f->last = &f->first;
    for (f->size = 64; f->size < 2 * max; f->size *= 2)
        ;
    f->groups = calloc(f->size, sizeof(*f->groups));
    int rc = f->groups == NULL ? err_set(reterr, -ENOMEM, "no memory") : hash_key_random(&f->key, reterr);
    if (rc != 0) {
        folds_free(f);
        return rc;
    }
    *ret = f;
    return 0;
}

static void free_fold(struct fold *fold)
{
    if (fold == NULL)
        return;
    free(fold->example);
    free(fold);
}

void folds_free(struct folds *f)
{
    if (f == NULL)
        return;
    for (struct fold *fold = f->first, *next; fold != NULL; fold = next) {
        next = fold->next;
        free_fold(fold);
    }
    free(f->groups);
    free(f);
}

/* --- groups -------------------------------------------------------------------------------------------------------- */

static struct group *slot_of(const struct folds *f, uint64_t hash)
{
    size_t i = hash & (f->size - 1);

    while (f->groups[i].hash != 0 && f->groups[i].hash != hash)
        i = (i + 1) & (f->size - 1);
    return &f->groups[i];
}

static void unlink_fold(struct folds *f, struct fold *fold)
{
    if (fold == NULL)
        return;
    *fold->link = fold->next;
    if (fold->next != NULL)
        fold->next->link = fold->link;
    else
        f->last = fold->link;
    free_fold(fold);
}

/* Makes the table anew without those that were not seen for so long. */
static void sweep(struct folds *f, int64_t now)
{
    struct group *old = f->groups, *fresh = calloc(f->size, sizeof(*fresh));
    int64_t       oldest = now;

    if (fresh == NULL)
        return;
    f->groups = fresh;
    f->n = 0;
    for (size_t i = 0; i < f->size; i++) {
        if (old[i].hash == 0)
            continue;
        if (now - old[i].seen_ns >= f->forget_ns) {
            unlink_fold(f, old[i].fold);
            continue;
        }
        *slot_of(f, old[i].hash) = old[i];
        f->n++;
        oldest = old[i].seen_ns < oldest ? old[i].seen_ns : oldest;
    }
    f->sweep_ns = oldest + f->forget_ns;
    free(old);
}

/* NULL: as many are in mind as may be. */
static struct group *group_for(struct folds *f, uint64_t hash, int64_t now)
{
    struct group *g = slot_of(f, hash);

    if (g->hash != 0 && now - g->seen_ns >= f->forget_ns) {
        unlink_fold(f, g->fold);
        *g = (struct group){.hash = hash};
    }
    if (g->hash == 0) {
        if (2 * (f->n + 1) > f->size && now >= f->sweep_ns) {
            sweep(f, now);
            g = slot_of(f, hash);
        }
        if (2 * (f->n + 1) > f->size)
            return NULL;
        *g = (struct group){.hash = hash};
        f->n++;
    }
    g->seen_ns = now;
    return g;
}

static const char *end_of(const char *name, const char *address)
{
    return name != NULL && *name != '\0' ? name : address;
}

static uint64_t group_hash(const struct folds *f, const struct store_finding *s, const char *client, const char *server)
{
    const char *parts[] = {s->kind, s->severity, client, server};
    uint64_t    words[4];

    for (size_t i = 0; i < 4; i++)
        words[i] = parts[i] != NULL ? hash_bytes(&f->key, parts[i], strlen(parts[i]) + 1) : 0;
    uint64_t hash = hash_words(&f->key, words, 4);
    return hash != 0 ? hash : 1;
}

/* Where the findings of a new pair go: with those of its client, or of its server, where that has a few pairs before it. */
static uint64_t place_of_pair(struct folds *f, uint64_t pair, const uint64_t hosts[2], int64_t now)
{
    uint64_t place = pair;

    for (unsigned i = 0; i < 2; i++) {
        struct group *host = group_for(f, hosts[i], now);

        if (host != NULL && ++host->n > FOLD_SINGLE && place == pair)
            place = host->hash;
    }
    return place;
}

uint64_t folds_place(struct folds *f, const struct store_finding *s, int64_t now)
{
    const char *client = end_of(s->client_name, s->client), *server = end_of(s->server_name, s->server);

    if (client == NULL || server == NULL) /* of the site, or summed up: one of its kind */
        return 0;
    uint64_t hash = group_hash(f, s, client, server);
    uint64_t hosts[2] = {group_hash(f, s, client, NULL), group_hash(f, s, NULL, server)};
    struct group *pair = group_for(f, hash, now);
    if (pair == NULL)
        return 0;
    if (pair->place == 0) {
        uint64_t place = place_of_pair(f, hash, hosts, now);

        pair = group_for(f, hash, now); /* the table may have been made anew */
        if (pair == NULL)
            return 0;
        pair->place = place;
    }
    if (pair->place != hash)
        return pair->place;
    if (pair->n >= FOLD_SINGLE)
        return hash;
    pair->n++;
    return 0;
}

struct fold *folds_find(struct folds *f, uint64_t place, const struct notify_finding *n, int64_t now)
{
    struct group *g = group_for(f, place, now);

    if (g == NULL || g->fold != NULL)
        return g != NULL ? g->fold : NULL;
    struct fold *fold = calloc(1, sizeof(*fold));
    if (fold == NULL || (fold->example = kept_copy(n)) == NULL) {
        free(fold);
        return NULL;
    }
    fold->hash = place;
    fold->severity = severity_of(n->finding);
    fold->run_id = n->run_id;
    fold->finding_id = n->finding->finding_id;
    fold->link = f->last;
    *f->last = g->fold = fold;
    f->last = &fold->next;
    return fold;
}

struct fold *folds_first(const struct folds *f)
{
    return f->first;
}

/* --- one fold --------------------------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void add_port(struct fold *fold, const struct store_finding *s)
{
    if (!s->has_port) {
        fold->lacks_ports = true;
        return;
    }
    fold->low_port = !fold->has_ports || s->server_port < fold->low_port ? s->server_port : fold->low_port;
    fold->high_port = !fold->has_ports || s->server_port > fold->high_port ? s->server_port : fold->high_port;
    fold->has_ports = true;
}

/* Counts are of one run, as those of a single finding are. */
static void begin_run(struct fold *fold, const struct notify_finding *n)
{
    fold->run_id = n->run_id;
    fold->finding_id = n->finding->finding_id;
    fold->n = fold->flows = fold->packets = fold->bytes = fold->escaped = fold->rejected = 0;
    fold->first_ns = fold->last_ns = 0;
}

void fold_add(struct fold *fold, const struct notify_finding *n, const struct fold_growth *by)
{
    const struct store_finding *s = n->finding;
    const char                 *ours[KEPT_N_STRINGS], *theirs[KEPT_N_STRINGS];

    if (n->run_id != fold->run_id)
        begin_run(fold, n);
    kept_strings(&fold->example->finding, ours);
    kept_strings(s, theirs);
    for (unsigned i = 0; i < KEPT_N_STRINGS; i++)
        fold->differ |= same(ours[i], theirs[i]) ? 0 : UINT64_C(1) << i;
    add_port(fold, s);
    fold->n += by->is_new;
    fold->flows += by->flows;
    fold->packets += by->packets;
    fold->bytes += by->bytes;
    fold->escaped += (uint64_t)(int64_t)by->escaped;
    fold->rejected += (uint64_t)(int64_t)by->rejected;
    fold->first_ns = fold->first_ns == 0 || (s->first_ns != 0 && s->first_ns < fold->first_ns) ? s->first_ns : fold->first_ns;
    fold->last_ns = s->last_ns > fold->last_ns ? s->last_ns : fold->last_ns;
}

bool fold_has_news(const struct fold *fold)
{
    return fold->n > 0 && (fold->n != fold->n_told || fold->packets != fold->packets_told || fold->flows != fold->flows_told);
}

static void put_ports(struct out *out, const struct fold *fold, const struct store_finding *f)
{
    if (!fold->has_ports || fold->lacks_ports)
        return;
    out_text(out, ", ");
    out_text(out, f->transport != NULL ? f->transport : "port");
    out_format(out, f->transport != NULL ? "/%u" : " %u", fold->low_port);
    if (fold->low_port != fold->high_port)
        out_format(out, "-%u", fold->high_port);
}

static void put_some(struct out *out, const char *name, const char *address)
{
    if (name == NULL && address == NULL)
        out_text(out, "several hosts");
    else
        put_end(out, name, address);
}

/* "10.20.77.9 to unity1 (10.20.1.10): 112 more like findings, tcp/1-49157 (8 escaped, 104 rejected), for example: ..." */
static void put_reason(struct out *out, const struct fold *fold, const struct store_finding *f)
{
    put_some(out, f->client_name, f->client);
    out_text(out, " to ");
    put_some(out, f->server_name, f->server);
    out_text(out, ": ");
    out_count(out, fold->n);
    out_text(out, fold->n == 1 ? " more like finding" : " more like findings");
    put_ports(out, fold, f);
    if (fold->escaped > 0) {
        out_text(out, " (");
        out_count(out, fold->escaped);
        out_text(out, " escaped");
    }
    if (fold->rejected > 0) {
        out_text(out, fold->escaped > 0 ? ", " : " (");
        out_count(out, fold->rejected);
        out_text(out, " rejected");
    }
    out_text(out, fold->escaped + fold->rejected > 0 ? "), for example: " : ", for example: ");
    out_bytes(out, fold->example->finding.reason, first_sentence(fold->example->finding.reason));
}

void fold_finding(const struct fold *fold, struct out *out, struct store_finding *ret)
{
    const char *s[KEPT_N_STRINGS];

    *ret = fold->example->finding;
    kept_strings(ret, s);
    for (unsigned i = 0; i < KEPT_N_STRINGS; i++)
        if ((fold->differ >> i & 1) != 0)
            s[i] = NULL;
    s[KEPT_PARENT] = NULL;
    kept_set_strings(ret, s);
    ret->finding_id = fold->finding_id;
    ret->conversation_id = 0;
    ret->has_port = fold->has_ports && !fold->lacks_ports && fold->low_port == fold->high_port;
    ret->server_port = ret->has_port ? fold->low_port : 0;
    ret->flows = fold->flows;
    ret->packets = fold->packets;
    ret->bytes = fold->bytes;
    ret->first_ns = fold->first_ns;
    ret->last_ns = fold->last_ns;
    out_reset(out);
    put_reason(out, fold, ret);
    ret->reason = out->cut || out->text == NULL ? fold->example->finding.reason : out->text;
}
