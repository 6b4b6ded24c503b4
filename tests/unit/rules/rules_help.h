/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_HELP_H
#define RULES_HELP_H

#include "flowaudit/rules.h"

/* Parses, and returns the errors as "LINE:COLUMN: sentence" lines (freed by the caller).  A tree that is returned in
 * spite of errors, or is not in spite of none, fails the test. */
char *site_errors(const char *text, size_t size);
char *matrix_errors(const char *text, size_t size);
/* Trees of texts without errors; anything else fails the test. */
struct site   *good_site(const char *text);
struct matrix *good_matrix(const char *text);

#endif
