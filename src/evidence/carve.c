/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overview: every input is found and read twice.  The first time tells the first fragments among the packets, so that later fragments
 * which came before them are known; the second time writes, the inputs merged by time as the audit did.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence-private.h"

#define BATCH 256
#define COMMENT_SIZE 1024 /* a finding in a line, and where its packet was */

struct reading {
    const struct evidence_input *input;
    char *path;
    char comment[256]; /* of the interface: the name and the digest are shorter, or cut */
    struct capture *capture;
    struct frame frames[BATCH];
    size_t next, n_frames;
    enum pick_kind kind; /* of frames[next] */
};

struct carver {
    const struct evidence_request *request;
    struct reading *readings;
    size_t n_readings;
    struct picker picker;
    struct pcapng_writer *writer;
    struct evidence_result result;
};

static int open_capture(struct carver *c, struct reading *r, struct err *reterr)
{
    const struct capture_options o = {.filter = c->request->filter, .no_digest = true};

    capture_free(r->capture);
    r->capture = NULL;
    r->next = r->n_frames = 0;
    return capture_open_file(r->path, &o, &r->capture, reterr);
}

/* 1: a frame is at 'next'; 0: the end. */
static int ensure_frame(struct reading *r, struct err *reterr)
{
    int n = 1;

    if (r->next == r->n_frames) {
        do {
            n = capture_next_batch(r->capture, r->frames, BATCH, reterr);
        } while (n == -EINTR);
        r->next = 0;
        r->n_frames = n > 0 ? (size_t)n : 0;
    }
    return n > 0 ? 1 : n;
}

static int learn(struct carver *c, struct reading *r, struct err *reterr)
{
    int rc = open_capture(c, r, reterr), learned = 0;

    while (rc == 0 && learned == 0 && (rc = ensure_frame(r, reterr)) == 1) {
        learned = picker_learn(&c->picker, &r->frames[r->next++]);
        rc = 0;
    }
    return learned < 0 ? err_set(reterr, learned, "no memory for fragments") : rc;
}

/* On to the next frame that is picked.  1, or 0 at the end. */
static int advance(struct carver *c, struct reading *r, struct err *reterr)
{
    int rc;

    while ((rc = ensure_frame(r, reterr)) == 1) {
        r->kind = picker_look(&c->picker, &r->frames[r->next]);
        if (r->kind != PICK_NOTHING)
            return 1;
        r->next++;
    }
    return rc;
}

static struct reading *earliest(struct carver *c)
{
    struct reading *best = NULL;

    for (size_t i = 0; i < c->n_readings; i++) {
        struct reading *r = &c->readings[i];

        if (r->kind != PICK_NOTHING && (best == NULL || r->frames[r->next].ts_ns < best->frames[best->next].ts_ns))
            best = r;
    }
    return best;
}

static int write_frame(struct carver *c, const struct reading *r, struct err *reterr)
{
    static const char *const what[] = {[PICK_PACKET] = "packet", [PICK_FRAGMENT] = "later fragment, packet", [PICK_ERROR] = "ICMP error, packet"};
    const struct frame *f = &r->frames[r->next];
    struct capture_stats stats;
    char comment[COMMENT_SIZE];

    capture_stats(r->capture, &stats);
    const struct pcapng_origin origin = {(unsigned)(r - c->readings), r->input->name, r->comment, stats.snaplen};
    snprintf(comment, sizeof(comment), "%.800s; %s %llu of %.128s", c->request->finding, what[r->kind], (unsigned long long)f->number,
             r->input->name);
    c->result.n_packets++;
    c->result.n_fragments += r->kind == PICK_FRAGMENT;
    c->result.n_errors += r->kind == PICK_ERROR;
    return pcapng_write(c->writer, &origin, f, comment, reterr);
}

static int write_all(struct carver *c, struct err *reterr)
{
    struct reading *r;
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < c->n_readings; i++) {
        rc = open_capture(c, &c->readings[i], reterr);
        if (rc == 0 && (rc = advance(c, &c->readings[i], reterr)) == 0)
            c->readings[i].kind = PICK_NOTHING;
    }
    while (rc >= 0 && (r = earliest(c)) != NULL) {
        rc = write_frame(c, r, reterr);
        r->next++;
        if (rc == 0 && (rc = advance(c, r, reterr)) == 0)
            r->kind = PICK_NOTHING;
    }
    return rc < 0 ? rc : 0;
}

static int find_inputs(struct carver *c, struct err *reterr)
{
    const struct evidence_request *q = c->request;
    int rc = 0;

    c->readings = calloc(q->n_inputs, sizeof(*c->readings));
    if (c->readings == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the list of inputs");
    for (size_t i = 0; rc == 0 && i < q->n_inputs; i++) {
        struct reading *r = &c->readings[c->n_readings++];

        r->input = &q->inputs[i];
        snprintf(r->comment, sizeof(r->comment), "%.128s, sha256 %s", r->input->name,
                 r->input->sha256[0] != '\0' ? r->input->sha256 : "not recorded");
        c->result.n_unproven += r->input->sha256[0] == '\0';
        rc = locate_input(q, r->input, &r->path, reterr);
    }
    return rc;
}

/* What is written takes the place of what has that name: which may be neither a capture that is read nor a device. */
static int check_out(const struct carver *c, struct err *reterr)
{
    const char *out = c->request->out;
    struct stat to, from;

    if (stat(out, &to) != 0)
        return 0;
    if (!S_ISREG(to.st_mode))
        return err_set(reterr, -EINVAL, "%s: is no regular file; the packets need a file of their own", out);
    for (size_t i = 0; i < c->n_readings; i++)
        if (stat(c->readings[i].path, &from) == 0 && to.st_dev == from.st_dev && to.st_ino == from.st_ino)
            return err_set(reterr, -EINVAL, "%s: is a capture that was judged; the packets need a file of their own", out);
    return 0;
}

static void clear(struct carver *c)
{
    for (size_t i = 0; i < c->n_readings; i++) {
        capture_free(c->readings[i].capture);
        free(c->readings[i].path);
    }
    free(c->readings);
    picker_clear(&c->picker);
    pcapng_writer_free(c->writer);
}

int evidence_carve(const struct evidence_request *request, struct evidence_result *ret, struct err *reterr)
{
    struct carver c = {.request = request, .picker = {.pick = &request->pick}};
    int rc = request->n_inputs > 0 && request->pick.n_wanted > 0 ? find_inputs(&c, reterr) : err_set(reterr, -ENODATA, "no packet to look for");

    if (rc == 0)
        rc = check_out(&c, reterr);
    for (size_t i = 0; rc == 0 && i < c.n_readings; i++)
        rc = learn(&c, &c.readings[i], reterr);
    picker_ready(&c.picker);
    if (rc == 0)
        rc = pcapng_writer_new(request->out, request->application, request->comment, &c.writer, reterr);
    if (rc == 0)
        rc = write_all(&c, reterr);
    if (rc == 0 && c.result.n_packets == 0)
        rc = err_set(reterr, -ENODATA, "the inputs hold no packet of this finding");
    if (rc == 0)
        rc = pcapng_commit(c.writer, reterr);
    if (rc == 0)
        *ret = c.result;
    clear(&c);
    return rc;
}
