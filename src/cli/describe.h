/* SPDX-License-Identifier: Apache-2.0 */
/* A run's own description: what a report needs to know of it years later beside what was seen. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "cli.h"
#include "flowaudit/engine.h"
#include "flowaudit/watch.h"

/* The caller frees; NULL where there is no memory.
 *
 * Options: a JSON object of the settings of the run, and of what site and matrix come to: "rows" as they apply (ports
 * and hosts put in), "exceptions", and "requirements", the clauses that auditors cite (rules/requirements.tsv). */
char *describe_options(const struct engine_options *, const struct rulebook *);
/* What to type to get the same result: neither the order of the inputs nor the record's name is part of it. */
char *describe_command(const struct engine_options *, const struct rulebook *);

/* The same of a live run. */
char *describe_watch(const struct watch_options *, const struct rulebook *);

#endif
