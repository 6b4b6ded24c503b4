/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and views as SQL, version by version. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <sqlite3.h>

#include "flowaudit/err.h"

/* Brings a database from 'version' (0 = empty) to STORE_SCHEMA_VERSION, one transaction for each step; an empty one at once. */
int schema_migrate(sqlite3 *, int version, struct err *reterr);

/* Are the tables and views in this database the ones that 'version' makes, to the letter?  0, or -EINVAL with the name
 * of the first that is not.  Further objects (somebody's own views, statistics) are none of our business. */
int schema_verify(sqlite3 *, int version, struct err *reterr);

/* Shows an older file as the present version would: the views of this version as temporary ones, over temporary tables for
 * those that the file lacks.  The file itself is not written. */
int schema_overlay(sqlite3 *, int version, struct err *reterr);

/* An empty database in memory with the tables and views of 'version'; to be closed. */
int schema_reference(int version, sqlite3 **ret, struct err *reterr);
/* The same of this version without views, which takes less: to be asked for tables and their columns. */
int schema_tables(sqlite3 **ret, struct err *reterr);

#endif
