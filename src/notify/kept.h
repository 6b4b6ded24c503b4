/* SPDX-License-Identifier: Apache-2.0 */
/* A finding that is kept beyond the call that told of it, in one block with its strings. */
#ifndef NOTIFY_KEPT_H
#define NOTIFY_KEPT_H

#include "flowaudit/notify.h"

/* The strings of a finding, in one order: for what copies them or compares them. */
enum kept_string {
    KEPT_KIND, KEPT_SEVERITY, KEPT_ROW, KEPT_SECTION, KEPT_CLIENT, KEPT_CLIENT_NAME, KEPT_SERVER, KEPT_SERVER_NAME, KEPT_TRANSPORT, KEPT_PROTOCOL,
    KEPT_OUTCOME, KEPT_DISPOSITION, KEPT_REASON, KEPT_PARENT,
    KEPT_N_STRINGS
};

struct kept {
    struct store_finding finding; /* without its exception: what is waived is not told */
    int64_t              run_id;
    const char          *community_id; /* or NULL */
};

void kept_strings(const struct store_finding *, const char *ret[static KEPT_N_STRINGS]);
void kept_set_strings(struct store_finding *, const char *const strings[static KEPT_N_STRINGS]);
/* To be freed with free(); NULL: no memory. */
struct kept *kept_copy(const struct notify_finding *);

#endif
