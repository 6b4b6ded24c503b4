/* SPDX-License-Identifier: Apache-2.0 */
/* What several places say alike. */
#ifndef NOTIFY_WORDS_H
#define NOTIFY_WORDS_H

#include "flowaudit/notify.h"
#include "out.h"

/* A path's folder: "." where it names none.  To be freed; NULL: no memory. */
char *folder_of(const char *path);

enum severity     severity_of(const struct store_finding *); /* SEVERITY_NOTICE where unknown */
enum finding_kind kind_of(const struct store_finding *);     /* FINDING_NONE where unknown */
int               level_of(enum severity);                   /* syslog's severity: critical 2, high 4, medium 5, low and notice 6 */

/* "admin1 (10.20.6.10)", or what there is of it. */
void put_end(struct out *, const char *name, const char *address);
/* "12 flows, 34 packets, 5.6 kB" */
void put_counts(struct out *, const struct store_finding *);
/* The finding's sentences, or the first of them; from the second telling on with the counts as they stand. */
void put_sentence(struct out *, const struct store_finding *, unsigned nth, bool brief);
/* The length of the first sentence; all of it where there is one only. */
size_t first_sentence(const char *text);
/* "10:00:00Z " of that time, UTC. */
void put_clock(struct out *, int64_t ns);
/* "12,345 packets, 0 lost, 67 flows, 3 findings": the run in one line of ASCII. */
void put_status(struct out *, const struct notify_vitals *);
/* Of all findings that are not waived; notices apart. */
uint64_t count_findings(const struct notify_vitals *, uint64_t *ret_notices);
/* All that the kernel and the interfaces dropped. */
uint64_t count_dropped(const struct notify_vitals *);

#endif
