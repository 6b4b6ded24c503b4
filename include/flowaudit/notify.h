/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling others while a live run goes on: alerts (findings as they become known) and vitals (counters of the run).
 *
 * The engine hands over plain values; this module knows where they go (standard error, syslog, NDJSON, a hook command,
 * metrics, a terminal) and keeps to its rate limits.  Strings are borrowed for the call; text from traffic is untrusted
 * and is escaped for each medium here.
 */
#ifndef FLOWAUDIT_NOTIFY_H
#define FLOWAUDIT_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/policy.h"
#include "flowaudit/store.h"

/* A finding as it stands now: told when it is first known, and again as its counts rise. */
struct notify_finding {
    int64_t                     run_id;
    const struct store_finding *finding;      /* finding_id stays the same while it grows */
    const char                 *community_id; /* of its first flow, or NULL */
    bool                        is_new;       /* the first time */
};

struct notify_interface {
    const char *name;
    bool        up;
    uint64_t    received, dropped, interface_dropped; /* by the kernel's count, widened to 64 bits; received includes dropped */
};

struct notify_reason { const char *name; uint64_t packets; };

/* Counters of the run so far. */
struct notify_vitals {
    int64_t  packet_ns;          /* time of the latest packet; 0: none yet */
    uint64_t packets, bytes;     /* seen by the tool */
    uint64_t decoded, discarded, dropped, unread;
    const struct notify_reason    *discards; /* by reason, those that are not 0 */
    size_t                         n_discards;
    const struct notify_interface *interfaces;
    size_t                         n_interfaces;
    uint64_t flows, flows_now, flows_evicted;
    uint64_t conversations;
    uint64_t memory;             /* bytes in tables */
    uint64_t findings[FINDING_N_KINDS][SEVERITY_NOTICE + 1]; /* not waived */
    uint64_t waived;
    uint64_t expectations[EXPECT_NOT_COVERED + 1];           /* of the last window that ended */
    uint64_t database_bytes, wal_bytes;
    double   recorder_lag;       /* seconds between the latest packet judged and the latest commit */
    uint64_t reloads, reload_errors;
};

#endif
