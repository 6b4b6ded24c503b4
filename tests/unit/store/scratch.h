/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one test, and SQL on the files in it as any other program would do it. */
#ifndef TEST_STORE_SCRATCH_H
#define TEST_STORE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/store.h"

struct scratch {
    char dir[64];
    char path[96]; /* of the record in it; not made */
};

void scratch_make(struct scratch *);
void scratch_remove(struct scratch *); /* with all files in it */

/* Runs statements; fails the test where they fail. */
void scratch_sql(const char *path, const char *sql);
/* The first column of the first row as text, "(null)" for null, "(none)" for no row. */
const char *scratch_text(const char *path, const char *sql, char *buf, size_t size);
int64_t scratch_number(const char *path, const char *sql);

struct store *scratch_open(const char *path);
/* A store with a run begun. */
struct store *scratch_begin(const char *path, int64_t *ret_run_id);
void scratch_write(const char *path, const void *bytes, size_t size);
bool scratch_same(const char *path, const void *bytes, size_t size);
void scratch_conversation(struct store *, uint64_t id);

#endif
