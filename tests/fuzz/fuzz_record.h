/* SPDX-License-Identifier: Apache-2.0 */
/* A record to mutate: the incident of the report's tests, made once. */
#ifndef TESTS_FUZZ_RECORD_H
#define TESTS_FUZZ_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "fuzz.h"

enum record_which { RECORD_FIRST, RECORD_SECOND, RECORD_JOINED, RECORD_N };

/* Its bytes; for the life of the process. */
const uint8_t *record_bytes(size_t *ret_size);
/* Writes these bytes to the file that is mutated, and returns its name; journals of the one before are taken away. */
const char *record_write(const uint8_t *bytes, size_t size);
const char *record_write_as(enum record_which, const uint8_t *bytes, size_t size);
/* The name of a file that is not there. */
const char *record_path(enum record_which);
/* Changes cells.  Input: up to 16 changes {table, column, row, kind (one byte each), value: eight bytes for a number, one of length and the text else}. */
void record_change(const char *path, struct fuzz *);
/* What a terminal would get has no control character. */
void record_check_text(const char *text, size_t size);
/* Reports, to nowhere; what a terminal would get is held to be free of control characters.  'which': a bit for each of brief text, full text,
 * CSV, JSON, NDJSON, HTML. */
void record_report(const char *path, unsigned which);

#endif
