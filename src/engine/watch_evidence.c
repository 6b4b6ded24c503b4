/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that are kept as evidence: which ones an evaluation asks for, and the files that they are in, in the record.
 *
 * What is wanted is what 'carve' would look for: the flows of conversations that break the document or that failed though they are allowed, all
 * that two hosts say to each other between which something filters, and who negotiated a port that should not have been.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch-private.h"

#define TELL_EVERY (60 * NS_PER_SECOND)

static void want_conversation(struct keeper *k, const struct conversation *c)
{
    struct keeper_want w;

    memset(&w, 0, sizeof(w));
    w.transport = c->key.transport;
    w.first_ns = c->first_ns;
    w.client = c->tuple.client;
    w.server = c->tuple.server;
    w.server_port = c->tuple.server_port;
    if (c->key.summed == SUM_PEERS) /* of whatever hosts: no ends to tell them by */
        return;
    if (c->key.summed == SUM_PORTS)
        w.server_port = 0;
    if (c->key.summed == SUM_CLIENTS)
        memset(&w.client, 0, sizeof(w.client));
    keeper_want(k, &w);
}

static void want_ends(struct keeper *k, const struct addr *a, const struct addr *b, uint16_t port, uint8_t transport)
{
    struct keeper_want w;

    memset(&w, 0, sizeof(w));
    w.client = *a;
    w.server = *b;
    w.server_port = port;
    w.transport = transport;
    keeper_want(k, &w);
}

static void want(struct recording *r, const struct audit *a)
{
    for (size_t i = 0; i < a->n_conversations; i++) {
        const struct conversation *c = a->conversations[i];
        enum disposition           d = conversation_disposition(c);

        if (c->judgement.kind != FINDING_NONE || d == DISPOSITION_MISDROPPED || d == DISPOSITION_ESCAPED || d == DISPOSITION_REJECTED)
            want_conversation(r->keeper, c);
    }
    for (size_t i = 0; i < a->n_findings; i++) {
        const struct finding *f = &a->findings[i];

        if (f->separation != NULL)
            want_ends(r->keeper, &f->separation->addr[0], &f->separation->addr[1], 0, 0);
        else if (f->promise != NULL)
            want_ends(r->keeper, &f->promise->requester, &f->promise->announcer, 0, 0);
        else if (f->bind != NULL)
            want_ends(r->keeper, &f->bind->requester, &f->bind->announcer, 0, 0);
    }
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static int add_file(struct recording *r, const struct keeper_file *f)
{
    struct store_evidence *more = realloc(r->files, (r->n_files + 1) * sizeof(*more));
    char                  *path = strdup(f->path), *sha256 = strdup(f->sha256);

    if (more != NULL)
        r->files = more;
    if (more == NULL || path == NULL || sha256 == NULL) {
        free(path);
        free(sha256);
        return -ENOMEM;
    }
    r->files[r->n_files] = (struct store_evidence){.file_id = (uint32_t)r->n_files + 1, .path = path, .sha256 = sha256, .bytes = f->bytes,
                                                   .packets = f->packets, .first_ns = f->first_ns, .last_ns = f->last_ns};
    r->n_files++;
    return 0;
}

int recording_put_files(struct recording *r, struct err *reterr)
{
    int rc = 0;

    for (size_t i = r->n_files_recorded; rc == 0 && i < r->n_files; i++)
        rc = store_put_evidence(r->store, &r->files[i], reterr);
    return rc;
}

void recording_free_files(struct recording *r)
{
    for (size_t i = 0; i < r->n_files; i++) {
        free((char *)r->files[i].path);
        free((char *)r->files[i].sha256);
    }
    free(r->files);
}

size_t recording_evidence_counters(const struct recording *r, struct store_counter *ret, size_t max)
{
    struct keeper_stats s, b = r->kept_before;
    size_t              n = 0;

    if (r->keeper == NULL)
        return 0;
    keeper_stats(r->keeper, &s);
    const struct store_counter all[] = {
        {"evidence-packets", s.n_written - b.n_written, NULL},
        {"evidence-no-room", s.n_no_room - b.n_no_room, "packets that found no room before it was known whether they are wanted"},
        {"evidence-too-late", s.n_unlooked - b.n_unlooked, "packets that gave way to others before it was known whether they are wanted"},
        {"evidence-beyond", s.n_beyond - b.n_beyond, "packets beyond those that are kept of each conversation"},
        {"evidence-failed", s.n_failed - b.n_failed, "packets that could not be written"},
        {"evidence-files-removed", s.n_removed - b.n_removed, NULL},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && n < max; i++)
        if (all[i].value > 0 || i == 0)
            ret[n++] = all[i];
    return n;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static uint64_t lost(const struct keeper *k)
{
    struct keeper_stats s;

    keeper_stats(k, &s);
    return s.n_no_room + s.n_unlooked;
}

void recording_keep_begins(struct recording *r)
{
    keeper_stats(r->keeper, &r->kept_before);
    r->evidence_told = lost(r->keeper);
}

static void tell(struct recording *r)
{
    char     text[160];
    int64_t  now = r->calls->steady(r->calls->aux);
    uint64_t n = lost(r->keeper);

    if (n == r->evidence_told || now < r->next_evidence_told)
        return;
    snprintf(text, sizeof(text), "%llu packets gave way before it was known whether they are evidence: more came than is held back for that",
             (unsigned long long)(n - r->evidence_told));
    r->calls->message(r->calls->aux, WATCH_WARNING, text);
    r->evidence_told = n;
    r->next_evidence_told = now + TELL_EVERY;
}

void recording_keep(struct recording *r, const struct audit *a, bool final)
{
    struct keeper_file file;
    struct err         err = {0};

    want(r, a);
    if (keeper_write(r->keeper, r->run, &err) != 0)
        r->calls->message(r->calls->aux, WATCH_ERROR, err.msg);
    int rc = keeper_end_file(r->keeper, final, &file, &err);
    if (rc == 1 && add_file(r, &file) != 0)
        rc = err_set(&err, -ENOMEM, "%s: no memory to record it", file.path);
    if (rc < 0)
        r->calls->message(r->calls->aux, WATCH_ERROR, err.msg);
    tell(r);
}
