/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All packets of the inputs through the shards.
 *
 * With one worker the calling thread reads and works, in place.  With more of them it only reads: packets are copied into loads
 * that go round, and each worker looks at every load and handles what is its shard's; a load is used again when the last is
 * done with it.  The reader is ahead by some loads, so that nobody waits for a single packet.  Inputs are digested in a thread of its own then.
 */
#ifndef ENGINE_CREW_H
#define ENGINE_CREW_H

#include "audit.h"

/* Reads to the end of the inputs and ends all flows.  A fault of the machine ends the reading, not the audit: it is in the result.
 * Negative: it could not begin. */
int crew_run(struct audit *, struct err *reterr);

#endif
