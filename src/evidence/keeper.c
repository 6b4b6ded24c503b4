/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/keeper.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence-private.h"
#include "flowaudit/evidence.h"
#include "keep_files.h"
#include "want.h"

#define RING_BYTES   ((size_t)16 << 20) /* of each worker: while the recorder is busy */
#define BUFFER_BYTES ((size_t)64 << 20)
#define FILE_PARTS   16                  /* a file is one part in so many of the bound */
#define FILE_NS      INT64_C(300000000000)

struct keeper {
    struct keeper_options options;
    struct ring          *rings;
    _Atomic uint64_t     *counts; /* by source: offered, no room */
    struct ring           buffer;
    struct wants          wants;
    struct pcapng_writer *writer;
    char                 *path;   /* of the file at work, or of the latest one */
    uint64_t              file_bytes; /* written to it, as good as */
    struct keeper_file    file;
    struct kept         **picked;
    size_t                n_picked, n_picked_allocated;
    struct keeper_stats   stats;
};

int keeper_new(const struct keeper_options *o, struct keeper **ret, struct err *reterr)
{
    struct keeper *k = calloc(1, sizeof(*k));
    int            rc = 0;

    if (access(o->folder, W_OK | X_OK) != 0)
        rc = err_set(reterr, -errno, "%s: no packets can be kept there: %s", o->folder, strerror(errno));
    if (k == NULL || rc != 0) {
        free(k);
        return rc != 0 ? rc : err_set(reterr, -ENOMEM, "no memory for packets that are to be kept");
    }
    k->options = *o;
    k->rings = calloc(o->n_sources, sizeof(*k->rings));
    k->counts = calloc(2 * o->n_sources, sizeof(*k->counts));
    bool ok = k->rings != NULL && k->counts != NULL && ring_new(&k->buffer, BUFFER_BYTES);
    for (size_t i = 0; ok && i < o->n_sources; i++)
        ok = ring_new(&k->rings[i], RING_BYTES);
    rc = ok ? wants_new(&k->wants, reterr) : err_set(reterr, -ENOMEM, "no memory for packets that are to be kept");
    if (rc != 0) {
        keeper_free(k);
        return rc;
    }
    *ret = k;
    return 0;
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    pcapng_writer_free(k->writer);
    for (size_t i = 0; k->rings != NULL && i < k->options.n_sources; i++)
        ring_clear(&k->rings[i]);
    ring_clear(&k->buffer);
    wants_clear(&k->wants);
    free(k->rings);
    free(k->counts);
    free(k->picked);
    free(k->path);
    free(k);
}

/* --- the worker's side ------------------------------------------------------------------------------------ */

static void count_one(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

void keeper_offer(struct keeper *k, unsigned source, uint32_t run, const struct frame *f, const struct packet *p, enum packet_result result)
{
    bool         is_error = result == PACKET_ICMP_ERROR;
    struct ring *r = &k->rings[source];
    size_t       caplen = f->caplen < KEEPER_SNAPLEN ? f->caplen : KEEPER_SNAPLEN;
    struct kept *e = ring_room(r, caplen);

    count_one(&k->counts[2 * source]);
    if (e == NULL) {
        count_one(&k->counts[2 * source + 1]);
        return;
    }
    e->run = run;
    e->ts_ns = f->ts_ns;
    e->addr[0] = is_error ? p->quote.src : p->src;
    e->addr[1] = is_error ? p->quote.dst : p->dst;
    e->port[0] = is_error ? p->quote.sport : p->sport;
    e->port[1] = is_error ? p->quote.dport : p->dport;
    e->transport = is_error ? p->quote.transport : p->transport;
    e->input = p->input;
    e->linktype = f->linktype;
    e->interface_id = f->interface_id;
    e->flags = result == PACKET_FRAGMENT ? KEPT_FRAGMENT : 0;
    e->wirelen = f->wirelen;
    memcpy(e + 1, f->data, caplen);
    ring_put(r, e);
}

/* --- the recorder's: buffer and wants ------------------------------------------------------------------------------ */

static void move(struct keeper *k, const struct kept *from)
{
    struct kept *to;

    while ((to = ring_room(&k->buffer, from->caplen)) == NULL) {
        const struct kept *oldest = ring_oldest(&k->buffer);

        k->stats.n_unlooked += (oldest->flags & (KEPT_TWICE | KEPT_WRITTEN)) == 0;
        ring_drop(&k->buffer, oldest);
    }
    memcpy(to, from, sizeof(*from) + from->caplen);
    ring_put(&k->buffer, to);
}

void keeper_take(struct keeper *k)
{
    for (size_t i = 0; i < k->options.n_sources; i++)
        for (struct kept *e = ring_oldest(&k->rings[i]); e != NULL; e = ring_oldest(&k->rings[i])) {
            move(k, e);
            ring_drop(&k->rings[i], e);
        }
}

void keeper_want(struct keeper *k, const struct keeper_want *w)
{
    wants_add(&k->wants, w);
}

void keeper_forget(struct keeper *k)
{
    wants_forget(&k->wants);
}

void keeper_stats(const struct keeper *k, struct keeper_stats *ret)
{
    *ret = k->stats;
    ret->n_beyond += k->wants.n_refused;
    for (size_t i = 0; i < k->options.n_sources; i++) {
        ret->n_offered += atomic_load_explicit(&k->counts[2 * i], memory_order_relaxed);
        ret->n_no_room += atomic_load_explicit(&k->counts[2 * i + 1], memory_order_relaxed);
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool pick(struct keeper *k, struct kept *e)
{
    if (k->n_picked == k->n_picked_allocated) {
        size_t        n = k->n_picked_allocated == 0 ? 1024 : 2 * k->n_picked_allocated;
        struct kept **more = realloc(k->picked, n * sizeof(struct kept *));

        if (more == NULL)
            return false;
        k->picked = more;
        k->n_picked_allocated = n;
    }
    k->picked[k->n_picked++] = e;
    return true;
}

/* Marks what was looked at: a flow is judged at the first evaluation after its packet, or at the one that follows. */
static void pick_all(struct keeper *k, uint32_t run)
{
    uint64_t at = atomic_load_explicit(&k->buffer.tail, memory_order_relaxed);

    k->n_picked = 0;
    for (struct kept *e = ring_next(&k->buffer, &at); e != NULL; e = ring_next(&k->buffer, &at)) {
        if (e->run != run || (e->flags & KEPT_WRITTEN) != 0)
            continue;
        struct want_entry *w = wants_of(&k->wants, e);

        e->flags |= (e->flags & KEPT_LOOKED) != 0 ? KEPT_TWICE : KEPT_LOOKED;
        if (w == NULL)
            continue;
        if (w->n_written >= KEEPER_WANT_PACKETS || !pick(k, e)) {
            k->stats.n_beyond++;
            e->flags |= KEPT_WRITTEN; /* as good as: once is counted once */
            continue;
        }
        w->n_written++;
    }
}

static int by_time(const void *pa, const void *pb)
{
    const struct kept *a = *(struct kept *const *)pa, *b = *(struct kept *const *)pb;

    return a->ts_ns != b->ts_ns ? (a->ts_ns > b->ts_ns) - (a->ts_ns < b->ts_ns) : (a > b) - (a < b);
}

static int begin_file(struct keeper *k, int64_t at_ns, struct err *reterr)
{
    char *path = keep_files_name(k->options.folder, at_ns);
    int   rc = path != NULL ? pcapng_writer_new(path, k->options.application, "packets of conversations that break the document, kept by a live run",
                                                &k->writer, reterr)
                            : err_set(reterr, -ENOMEM, "no memory to keep packets");

    if (rc != 0) {
        free(path);
        return rc;
    }
    free(k->path);
    k->path = path;
    k->file_bytes = 0;
    k->file = (struct keeper_file){.path = path, .first_ns = INT64_MAX, .last_ns = INT64_MIN};
    return 0;
}

static int write_one(struct keeper *k, struct kept *e, struct err *reterr)
{
    struct pcapng_origin origin = {.id = e->input, .name = k->options.inputs[e->input], .comment = "live", .snaplen = KEEPER_SNAPLEN};
    struct frame         f = {.data = (const uint8_t *)(e + 1), .caplen = e->caplen, .wirelen = e->wirelen, .ts_ns = e->ts_ns, .linktype = e->linktype,
                              .interface_id = e->interface_id};
    int                  rc = k->writer == NULL ? begin_file(k, e->ts_ns, reterr) : 0;

    if (rc == 0)
        rc = pcapng_write(k->writer, &origin, &f, "", reterr);
    if (rc != 0)
        return rc;
    e->flags |= KEPT_WRITTEN;
    k->stats.n_written++;
    k->file_bytes += e->caplen + 48;
    k->file.packets++;
    k->file.first_ns = e->ts_ns < k->file.first_ns ? e->ts_ns : k->file.first_ns;
    k->file.last_ns = e->ts_ns > k->file.last_ns ? e->ts_ns : k->file.last_ns;
    return 0;
}

static void give_up_file(struct keeper *k)
{
    k->stats.n_failed += k->file.packets;
    k->stats.n_written -= k->file.packets;
    pcapng_writer_free(k->writer);
    k->writer = NULL;
    k->file.packets = 0;
}

int keeper_write(struct keeper *k, uint32_t run, struct err *reterr)
{
    int rc = 0;

    keeper_take(k);
    pick_all(k, run);
    qsort(k->picked, k->n_picked, sizeof(*k->picked), by_time);
    for (size_t i = 0; rc == 0 && i < k->n_picked; i++)
        rc = write_one(k, k->picked[i], reterr);
    if (rc != 0)
        give_up_file(k);
    return rc;
}

int keeper_end_file(struct keeper *k, bool now, struct keeper_file *ret, struct err *reterr)
{
    uint64_t part = k->options.max_bytes / FILE_PARTS;

    if (k->writer == NULL || (!now && k->file_bytes < part && k->file.last_ns - k->file.first_ns < FILE_NS))
        return 0;
    int rc = pcapng_commit(k->writer, reterr);
    if (rc != 0) {
        give_up_file(k);
        return rc;
    }
    pcapng_writer_free(k->writer);
    k->writer = NULL;
    rc = keep_files_digest(k->path, k->file.sha256, &k->file.bytes, reterr);
    k->stats.n_removed += keep_files_trim(k->options.folder, k->options.max_bytes - part, k->path);
    if (rc != 0)
        return rc;
    *ret = k->file;
    return 1;
}
