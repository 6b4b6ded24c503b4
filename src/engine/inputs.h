/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several inputs as one observation: frames merged in time order.
 *
 * Inputs are numbered by the time of their first packet (then by name and path), so that the order in which
 * they were given does not matter.
 */
#ifndef ENGINE_INPUTS_H
#define ENGINE_INPUTS_H

#include "digester.h"
#include "flowaudit/capture.h"

struct input_frame {
    struct frame frame;
    uint16_t     input;
    uint16_t     point; /* where it was captured: the first input of those that go on from each other, as when files are changed by time or size */
};

struct inputs;

/* 'digester', where not NULL, is the caller's, digests in the captures' stead, and lasts until inputs_free(). */
int inputs_open(const char *const *paths, size_t n, const struct capture_options *, struct digester *digester, struct inputs **ret, struct err *reterr);
/* After the last frame, and digester_finish(): their digests are in the stats from now on. */
void inputs_take_digests(struct inputs *);
/* Inputs of which only the names are known: live ones. */
int inputs_named(const char *const *names, size_t n, struct inputs **ret, struct err *reterr);
/* Up to 'n' frames; 0 at the end; negative: a fault of the machine (frames before it were returned).
 * They are valid until the next call. */
int inputs_next(struct inputs *, struct input_frame *ret, size_t n, struct err *reterr);
/* Where nothing is read any more: those of the frames read ahead, and counted, that are left; the same rules.  No inputs_next() afterwards. */
size_t inputs_rest(struct inputs *, struct input_frame *ret, size_t n);
size_t inputs_count(const struct inputs *);
/* In the order of the observation; stats are final once the input was read to its end. */
const char *inputs_name(const struct inputs *, size_t i);
const char *inputs_path(const struct inputs *, size_t i);
void        inputs_stats(const struct inputs *, size_t i, struct capture_stats *ret);
/* Was this input read to its end? */
bool inputs_finished(const struct inputs *, size_t i);
/* Did some begin when all others had ended?  They are taken for one place of capture, which may be wrong. */
bool inputs_go_on(const struct inputs *);
void inputs_progress(const struct inputs *, uint64_t *ret_bytes, uint64_t *ret_total, unsigned *ret_begun);
void inputs_free(struct inputs *);

#endif
