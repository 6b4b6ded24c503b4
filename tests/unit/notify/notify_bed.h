/* SPDX-License-Identifier: Apache-2.0 */
/* A finding, a notifier and the readers at its other end. */
#ifndef TESTS_NOTIFY_BED_H
#define TESTS_NOTIFY_BED_H

#include "flowaudit/notify.h"

#define SECOND INT64_C(1000000000)
#define BED_WALL_NS INT64_C(1772442000000000000) /* 2026-03-02T09:00:00Z */

/* "admin1" to "unity1" on TCP 5010: a wrong protocol that got through. */
struct store_finding bed_finding(void);
/* Seconds after the beginning, on both clocks. */
struct notify_time   bed_time(int64_t seconds);
struct notifier     *bed_notifier(const struct notify_options *);
void                 bed_tell(struct notifier *, int64_t seconds, const struct store_finding *);
/* Vitals with something in every group. */
struct notify_vitals bed_vitals(void);

/* A folder of its own; removed with what is in it. */
struct bed_folder { char path[64]; };
void  bed_folder_make(struct bed_folder *);
void  bed_folder_remove(struct bed_folder *);
char *bed_path(const struct bed_folder *, const char *name);  /* to be freed */
/* The whole file; to be freed; NULL where there is none. */
char *bed_read(const char *path);
void  bed_write(const char *path, const char *text);
unsigned bed_files(const struct bed_folder *);
/* A listening or bound Unix socket at 'path'; type as in socket(). */
int   bed_socket(const char *path, int type);
/* What can be read now, as text; "" where there is nothing. */
const char *bed_receive(int fd, char *buf, size_t size);
unsigned bed_count(const char *text, const char *word);

#endif
