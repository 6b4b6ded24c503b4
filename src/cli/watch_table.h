/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations that have findings, for the live table: a bounded number, with their latest counts. */
#ifndef WATCH_TABLE_H
#define WATCH_TABLE_H

#include "flowaudit/notify.h"

struct watch_table;

struct watch_table *watch_table_new(void); /* NULL: no memory */
void watch_table_free(struct watch_table *);
void watch_table_clear(struct watch_table *); /* a run has begun */
void watch_table_put(struct watch_table *, const struct store_finding *);
/* The first of them as wished; borrowed until the next call. */
const struct notify_conversation *watch_table_top(struct watch_table *, const struct notify_wish *, size_t *ret_n);

#endif
