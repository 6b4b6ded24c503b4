/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An older record, seen through the views of this version.  Years later the file may lie where nobody can write, and
 * evidence is not to be changed to be read: so what the file lacks is put before it in the connection's own temporary
 * schema, whose names SQLite looks up first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"
#include "schema.h"
#include "shape.h"
#include "store-private.h"

static int run_sql(sqlite3 *db, const char *sql, struct err *reterr)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_sql_error(db, "cannot show an older record", reterr);
}

/* "CREATE VIEW x" becomes "CREATE TEMP VIEW x". */
static int create_temporary(sqlite3 *db, const char *sql, struct err *reterr)
{
    static const char create[] = "CREATE ";
    char *temporary = sqlite3_mprintf("CREATE TEMP %s", strncmp(sql, create, strlen(create)) == 0 ? sql + strlen(create) : sql);
    int rc = temporary != NULL ? run_sql(db, temporary, reterr) : err_set(reterr, -ENOMEM, "out of memory");

    sqlite3_free(temporary);
    return rc;
}

/* The file's table with the columns that came later at the values that they begin with. */
static int widen(sqlite3 *db, const struct shape *now, const struct shape *then, struct err *reterr)
{
    char *sql = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&sql, &size);

    if (f == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    fprintf(f, "CREATE TEMP VIEW \"%s\" AS SELECT ", now->name);
    for (size_t i = 0; i < now->n_columns; i++) {
        const struct shape_column *c = &now->columns[i];
        bool there = shape_column(then, c->name, strlen(c->name)) != NULL;

        fprintf(f, "%s%s%s%s AS \"%s\"", i > 0 ? ", " : "", there ? "\"" : "", there ? c->name : c->initial, there ? "\"" : "", c->name);
    }
    fprintf(f, " FROM main.\"%s\"", now->name);
    int rc = fclose(f) == 0 ? run_sql(db, sql, reterr) : err_set(reterr, -ENOMEM, "out of memory");
    free(sql);
    return rc;
}

static int overlay_objects(sqlite3 *db, sqlite3 *reference, const struct shapes *now, const struct shapes *then, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int step, rc = 0;

    if (sqlite3_prepare_v2(reference, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name", -1,
                           &stmt, NULL) != SQLITE_OK)
        return store_sql_error(reference, "cannot make the schema to compare with", reterr);
    while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(stmt, 0), *name = (const char *)sqlite3_column_text(stmt, 1);
        const struct shape *old = shapes_find(then, name), *new = shapes_find(now, name);

        if (strcmp(type, "view") == 0 || (strcmp(type, "table") == 0 && old == NULL))
            rc = create_temporary(db, (const char *)sqlite3_column_text(stmt, 2), reterr);
        else if (old != NULL && new != NULL && new->n_columns > old->n_columns)
            rc = widen(db, new, old, reterr);
    }
    if (rc == 0 && step != SQLITE_DONE)
        rc = store_sql_error(reference, "cannot make the schema to compare with", reterr);
    sqlite3_finalize(stmt);
    return rc;
}

int schema_overlay(sqlite3 *db, int version, struct err *reterr)
{
    sqlite3 *present = NULL, *past = NULL;
    struct shapes now = {0}, then = {0};
    int rc = schema_reference(STORE_SCHEMA_VERSION, &present, reterr);

    if (rc == 0)
        rc = schema_reference(version, &past, reterr);
    if (rc == 0)
        rc = shapes_read(present, &now, reterr);
    if (rc == 0)
        rc = shapes_read(past, &then, reterr);
    if (rc == 0)
        rc = overlay_objects(db, present, &now, &then, reterr);
    shapes_clear(&now);
    shapes_clear(&then);
    sqlite3_close(present);
    sqlite3_close(past);
    return rc;
}
