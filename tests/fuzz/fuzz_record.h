/* SPDX-License-Identifier: Apache-2.0 */
/* A record to mutate: the incident of the report's tests, made once. */
#ifndef TESTS_FUZZ_RECORD_H
#define TESTS_FUZZ_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Its bytes; for the life of the process. */
const uint8_t *record_bytes(size_t *ret_size);
/* Writes these bytes to the file that is mutated, and returns its name; journals of the one before are taken away. */
const char *record_write(const uint8_t *bytes, size_t size);
/* Reports, to nowhere; what a terminal would get is held to be free of control characters.  'which': a bit for each of brief text, full text,
 * CSV, JSON, NDJSON, HTML. */
void record_report(const char *path, unsigned which);

#endif
