/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of inputs in a thread of its own: it takes longer than all else that is done with a large packet, and cannot be shared out.
 * Until the thread is started, bytes are digested at once.
 *
 * Threads: all calls come from the thread that reads.
 */
#ifndef ENGINE_DIGESTER_H
#define ENGINE_DIGESTER_H

#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"

struct digester;

/* 'clock' as in engine_options. */
int  digester_new(int64_t (*clock)(void), struct digester **ret, struct err *reterr);
int  digester_start(struct digester *, struct err *reterr);
/* Copies the bytes, and may wait for room.  The digest must not be used otherwise before digester_finish(). */
void digester_add(struct digester *, struct digest *, const void *bytes, size_t n);
/* Waits until all is digested, and ends the thread. */
void digester_finish(struct digester *);
int64_t digester_ns(const struct digester *); /* that the thread was busy; after digester_finish() */
void digester_free(struct digester *); /* NULL: nothing */

#endif
