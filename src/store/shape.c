/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"
#include "schema.h"
#include "store-private.h"

static const char columns_sql[] =
    "SELECT m.name, c.name, coalesce(c.dflt_value, 'NULL'), c.pk FROM sqlite_schema m, pragma_table_info(m.name) c"
    " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid";

static const char *text(sqlite3_stmt *stmt, int column)
{
    const char *t = (const char *)sqlite3_column_text(stmt, column);

    return t != NULL ? t : "";
}

static struct shape *begin_shape(struct shapes *s, const char *name)
{
    struct shape *items = realloc(s->items, (s->n + 1) * sizeof(*items));

    if (items == NULL)
        return NULL;
    s->items = items;
    struct shape *shape = &items[s->n++];
    *shape = (struct shape){.name = strdup(name), .order = strdup("")};
    return shape->name != NULL && shape->order != NULL ? shape : NULL;
}

/* Keys are declared in the order of their columns. */
static int extend_order(struct shape *shape, const char *column)
{
    size_t size = strlen(shape->order) + strlen(column) + 5;
    char *order = malloc(size);

    if (order == NULL)
        return -ENOMEM;
    sqlite3_snprintf((int)size, order, "%s%s\"%w\"", shape->order, shape->order[0] != '\0' ? "," : "", column);
    free(shape->order);
    shape->order = order;
    return 0;
}

static int add_column(struct shape *shape, sqlite3_stmt *stmt)
{
    struct shape_column *columns = realloc(shape->columns, (shape->n_columns + 1) * sizeof(*columns));

    if (columns == NULL)
        return -ENOMEM;
    shape->columns = columns;
    struct shape_column *c = &columns[shape->n_columns++];
    *c = (struct shape_column){strdup(text(stmt, 1)), strdup(text(stmt, 2))};
    if (c->name == NULL || c->initial == NULL)
        return -ENOMEM;
    return sqlite3_column_int(stmt, 3) > 0 ? extend_order(shape, c->name) : 0;
}

int shapes_read(sqlite3 *reference, struct shapes *ret, struct err *reterr)
{
    struct shapes s = {0};
    sqlite3_stmt *stmt = NULL;
    int code = 0, rc = sqlite3_prepare_v2(reference, columns_sql, -1, &stmt, NULL);

    while (code == 0 && rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        struct shape *last = s.n > 0 ? &s.items[s.n - 1] : NULL;

        if (last == NULL || strcmp(last->name, text(stmt, 0)) != 0)
            last = begin_shape(&s, text(stmt, 0));
        code = last != NULL ? add_column(last, stmt) : -ENOMEM;
    }
    if (code == 0 && s.n == 0)
        code = store_sql_error(reference, "cannot make the schema to compare with", reterr);
    else if (code != 0)
        err_set(reterr, code, "out of memory");
    sqlite3_finalize(stmt);
    if (code == 0)
        *ret = s;
    else
        shapes_clear(&s);
    return code;
}

int shapes_present(struct shapes *ret, struct err *reterr)
{
    sqlite3 *reference;
    int rc = schema_tables(&reference, reterr);

    if (rc != 0)
        return rc;
    rc = shapes_read(reference, ret, reterr);
    sqlite3_close(reference);
    return rc;
}

void shapes_clear(struct shapes *s)
{
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->items[i].n_columns; k++) {
            free(s->items[i].columns[k].name);
            free(s->items[i].columns[k].initial);
        }
        free(s->items[i].columns);
        free(s->items[i].name);
        free(s->items[i].order);
    }
    free(s->items);
    *s = (struct shapes){0};
}

const struct shape *shapes_find(const struct shapes *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].name, name) == 0)
            return &s->items[i];
    return NULL;
}

const struct shape_column *shape_column(const struct shape *shape, const char *name, size_t len)
{
    for (size_t i = 0; i < shape->n_columns; i++)
        if (strlen(shape->columns[i].name) == len && memcmp(shape->columns[i].name, name, len) == 0)
            return &shape->columns[i];
    return NULL;
}
