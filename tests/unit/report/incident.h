/* SPDX-License-Identifier: Apache-2.0 */
/* A believable small incident at a voice-mail site, written through the store: every kind of finding, every outcome of
 * an expectation, hostile texts.  The same bytes each time. */
#ifndef TEST_REPORT_INCIDENT_H
#define TEST_REPORT_INCIDENT_H

#include <stdint.h>

/* The whole incident (complete, but one input is damaged). */
void incident_write(const char *path);
/* A run without findings; 'n_lost' packets lost, 'not_covered' one expectation open. */
void incident_write_attempts(const char *path);
void incident_write_clean(const char *path, uint64_t n_lost, int not_covered);

#endif
