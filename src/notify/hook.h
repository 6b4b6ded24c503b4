/* SPDX-License-Identifier: Apache-2.0 */
/* The process that runs the hook's command, and what it tells of it. */
#ifndef NOTIFY_HOOK_H
#define NOTIFY_HOOK_H

#include "private.h"

#define HOOK_MAX_RUNNING 64
#define HOOK_REQUEST_SIZE OUT_LIMIT /* one finding as JSON */

/* So far; sent whole after each change. */
struct hook_counts {
    uint64_t started, succeeded, failed, timed_out;
    int      last_status; /* of the last that failed: as waitpid(2) has it */
};

/* Serves requests from 'fd' until its other end is closed, then those that wait for as long as one command may take, and what is
 * running to its end or its limit.  Does not return. */
void hook_serve(int fd, const struct notify_hook *) __attribute__((noreturn));

#endif
