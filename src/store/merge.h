/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_MERGE_H
#define STORE_MERGE_H

/*
 * Statements that make one run (?1) of the temporary tables in_T, which hold the rows of all sources with the number of
 * their sensor.  A statement with a table is "INSERT INTO table" of all its columns; 'columns' has those that are not taken
 * as they are: pairs of name and expression, up to NULL.
 */
struct merge_step {
    const char *table; /* NULL: 'from' is the whole statement */
    const char *const *columns;
    const char *from;
};
extern const struct merge_step merge_steps[]; /* up to one without 'from' */

#endif
