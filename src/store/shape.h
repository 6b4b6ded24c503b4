/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of a schema look like: for whoever goes over all of them. */
#ifndef STORE_SHAPE_H
#define STORE_SHAPE_H

#include <sqlite3.h>
#include <stddef.h>

#include "flowaudit/err.h"

struct shape_column {
    char *name;
    char *initial; /* SQL of the value that a row has which was there before the column: "NULL", "0" */
};

struct shape {
    char *name;
    struct shape_column *columns; /* in the order of the table */
    size_t n_columns;
    char *order; /* the key's columns for ORDER BY */
};

struct shapes {
    struct shape *items; /* by name */
    size_t n;
};

/* Of a database that schema_reference() or schema_tables() made, never of a file.  0 or -ENOMEM. */
int shapes_read(sqlite3 *reference, struct shapes *ret, struct err *reterr);
void shapes_clear(struct shapes *);
/* The tables of this version. */
int shapes_present(struct shapes *ret, struct err *reterr);
const struct shape *shapes_find(const struct shapes *, const char *name);
const struct shape_column *shape_column(const struct shape *, const char *name, size_t len);

#endif
