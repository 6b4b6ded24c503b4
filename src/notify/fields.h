/* SPDX-License-Identifier: Apache-2.0 */
/* An alert as names and values: what structured syslog and the journal carry. */
#ifndef NOTIFY_FIELDS_H
#define NOTIFY_FIELDS_H

#include "private.h"

#define MAX_FIELDS 24

struct fields {
    size_t n;
    struct field { const char *name, *value; } list[MAX_FIELDS]; /* values are not empty; borrowed from the alert and from here */
    char        numbers[10][40];
    size_t      n_numbers;
};

void fields_of(struct fields *, const struct alert *);

#endif
