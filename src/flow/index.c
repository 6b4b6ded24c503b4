/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 19u /* the tag's other bits still choose among the slots */

static struct segment *segment_new(uint32_t depth)
{
    struct segment *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);

    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->depth = depth;
    return s;
}

int index_init(struct index *x, struct err *reterr)
{
    *x = (struct index){.directory = malloc(sizeof(*x->directory)), .n_segments = 1};
    if (x->directory != NULL) {
        x->directory[0] = segment_new(0);
        if (x->directory[0] != NULL)
            return 0;
    }
    free(x->directory);
    x->directory = NULL;
    return err_set(reterr, -ENOMEM, "no memory for the flow table's index");
}

/* The directory names a segment once for each value of the bits that the segment does not look at: free the first. */
static void free_segments(struct index *x, const struct segment *but)
{
    size_t n = (size_t)1 << x->depth;

    for (size_t i = 0; i < n;) {
        struct segment *s = x->directory[i];

        i += (size_t)1 << (x->depth - s->depth);
        if (s != but)
            free(s);
    }
}

void index_free(struct index *x)
{
    if (x->directory == NULL)
        return;
    free_segments(x, NULL);
    free(x->directory);
    *x = (struct index){0};
}

void index_clear(struct index *x)
{
    struct segment *first = x->directory[0];

    free_segments(x, first);
    memset(first, 0, sizeof(*first));
    x->depth = 0;
    x->n_segments = 1;
}

static void segment_put(struct segment *s, uint32_t tag, uint32_t ref)
{
    uint32_t i = tag % SEGMENT_SLOTS;

    while (s->slots[i].ref != 0)
        i = (i + 1) % SEGMENT_SLOTS;
    s->slots[i] = (struct slot){.tag = tag, .ref = ref};
    s->n++;
}

static bool double_directory(struct index *x)
{
    size_t           n = (size_t)1 << x->depth;
    struct segment **twice = reallocarray(x->directory, 2 * n, sizeof(*twice));

    if (twice == NULL)
        return false;
    for (size_t i = n; i-- > 0;)
        twice[2 * i] = twice[2 * i + 1] = twice[i];
    x->directory = twice;
    x->depth++;
    return true;
}

/* The upper half of 'old' becomes 'upper', the lower half goes to 'lower'. */
static void divide(const struct segment *old, struct segment *lower, struct segment *upper)
{
    uint32_t bit = UINT32_C(1) << (32 - lower->depth);

    for (unsigned i = 0; i < SEGMENT_SLOTS; i++) {
        struct slot slot = old->slots[i];

        if (slot.ref != 0)
            segment_put((slot.tag & bit) != 0 ? upper : lower, slot.tag, slot.ref);
    }
}

static bool split(struct index *x, uint32_t tag)
{
    struct segment *old = index_segment(x, tag);

    if (old->depth == MAX_DEPTH || (old->depth == x->depth && !double_directory(x)))
        return false;

    struct segment *lower = segment_new(old->depth + 1), *upper = segment_new(old->depth + 1);
    if (lower == NULL || upper == NULL) {
        free(lower);
        free(upper);
        return false;
    }
    divide(old, lower, upper);

    size_t span = (size_t)1 << (x->depth - old->depth);
    size_t first = (size_t)((uint64_t)tag >> (32 - x->depth)) / span * span;
    for (size_t i = 0; i < span; i++)
        x->directory[first + i] = i < span / 2 ? lower : upper;
    x->n_segments++;
    free(old);
    return true;
}

bool index_insert(struct index *x, uint32_t tag, uint32_t ref)
{
    struct segment *s = index_segment(x, tag);

    while (s->n >= SEGMENT_FULL && split(x, tag))
        s = index_segment(x, tag);
    if (s->n >= SEGMENT_SLOTS - 1) /* one must stay empty: it ends each walk */
        return false;
    segment_put(s, tag, ref);
    return true;
}

void index_remove(struct index *x, uint32_t tag, uint32_t ref)
{
    struct segment *s = index_segment(x, tag);
    uint32_t        hole = tag % SEGMENT_SLOTS;

    while (s->slots[hole].ref != ref) {
        assert(s->slots[hole].ref != 0);
        hole = (hole + 1) % SEGMENT_SLOTS;
    }
    /* Close the gap: move back each follower whose own place is not behind the hole. */
    for (uint32_t i = (hole + 1) % SEGMENT_SLOTS; s->slots[i].ref != 0; i = (i + 1) % SEGMENT_SLOTS) {
        uint32_t home = s->slots[i].tag % SEGMENT_SLOTS;

        if ((i - home) % SEGMENT_SLOTS >= (i - hole) % SEGMENT_SLOTS) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole] = (struct slot){0};
    s->n--;
}

size_t index_memory(const struct index *x)
{
    return x->n_segments * sizeof(struct segment) + ((size_t)1 << x->depth) * sizeof(struct segment *);
}
