/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "flowaudit_feed"
#define TITLE_SIZE 4096

/* --- the virtual table: the rows that wait -------------------------------------------------------------------- */

struct feed_vtab {
    sqlite3_vtab base;
    struct feed **current;
};

struct feed_cursor {
    sqlite3_vtab_cursor base;
    const struct feed  *feed;
    size_t              row;
};

static int vtab_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **reterr)
{
    char sql[16 + FEED_COLUMNS_MAX * 5], *p = sql;

    (void)argc, (void)argv, (void)reterr;
    for (unsigned i = 0; i < FEED_COLUMNS_MAX; i++) {
        sqlite3_snprintf((int)(sizeof(sql) - (size_t)(p - sql)), p, "%sc%u", i == 0 ? "CREATE TABLE x(" : ",", i + 1);
        p += strlen(p);
    }
    memcpy(p, ")", sizeof(")"));
    struct feed_vtab *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return SQLITE_NOMEM;
    v->current = aux;
    int rc = sqlite3_declare_vtab(db, sql);
    if (rc != SQLITE_OK) {
        free(v);
        return rc;
    }
    *ret = &v->base;
    return SQLITE_OK;
}

static int vtab_disconnect(sqlite3_vtab *v)
{
    free(v);
    return SQLITE_OK;
}

static int vtab_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    (void)v;
    info->estimatedCost = FEED_ROWS;
    info->estimatedRows = FEED_ROWS;
    return SQLITE_OK;
}

static int vtab_open(sqlite3_vtab *v, sqlite3_vtab_cursor **ret)
{
    struct feed_cursor *c = calloc(1, sizeof(*c));

    (void)v;
    if (c == NULL)
        return SQLITE_NOMEM;
    *ret = &c->base;
    return SQLITE_OK;
}

static int vtab_close(sqlite3_vtab_cursor *c)
{
    free(c);
    return SQLITE_OK;
}

static int vtab_filter(sqlite3_vtab_cursor *base, int number, const char *name, int argc, sqlite3_value **argv)
{
    struct feed_cursor *c = (struct feed_cursor *)base;

    (void)number, (void)name, (void)argc, (void)argv;
    c->feed = *((struct feed_vtab *)base->pVtab)->current;
    c->row = 0;
    return SQLITE_OK;
}

static int vtab_next(sqlite3_vtab_cursor *base)
{
    ((struct feed_cursor *)base)->row++;
    return SQLITE_OK;
}

static int vtab_eof(sqlite3_vtab_cursor *base)
{
    const struct feed_cursor *c = (const struct feed_cursor *)base;

    return c->feed == NULL || c->row >= c->feed->n_rows;
}

static int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct feed_cursor *c = (const struct feed_cursor *)base;
    const struct feed_value  *v = &c->feed->values[c->row * c->feed->n_columns + (size_t)column];

    if (v->type == SQLITE_INTEGER)
        sqlite3_result_int64(context, v->number);
    else if (v->type == SQLITE_TEXT)
        sqlite3_result_text(context, c->feed->text + v->number, (int)v->size, SQLITE_STATIC);
    return SQLITE_OK;
}

static int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)((const struct feed_cursor *)base)->row;
    return SQLITE_OK;
}

int feed_module(sqlite3 *db, struct feed **current, struct err *reterr)
{
    /* No xCreate: it is there by its name, and no file can have one of its kind. */
    static const sqlite3_module module = {
        .xConnect = vtab_connect, .xDisconnect = vtab_disconnect, .xBestIndex = vtab_best_index, .xOpen = vtab_open, .xClose = vtab_close,
        .xFilter = vtab_filter,   .xNext = vtab_next,             .xEof = vtab_eof,              .xColumn = vtab_column, .xRowid = vtab_rowid,
    };

    return sqlite3_create_module(db, MODULE, &module, current) == SQLITE_OK ? 0 : err_set(reterr, -ENOMEM, "out of memory");
}

/* --- a feed ------------------------------------------------------------------------------------------------------- */

int feed_init(struct feed *f, const struct feed_table *table, struct err *reterr)
{
    struct feed made = {.table = table, .n_columns = 1};

    for (const char *p = table->columns; *p != '\0'; p++)
        made.n_columns += *p == ',';
    assert(made.n_columns <= FEED_COLUMNS_MAX);
    made.values = calloc(FEED_ROWS * made.n_columns, sizeof(*made.values));
    if (made.values == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    *f = made;
    return 0;
}

void feed_clear(struct feed *f)
{
    feed_finalize(f);
    encode_drop(&f->encoder);
    free(f->values);
    free(f->text);
    *f = (struct feed){0};
}

void feed_finalize(struct feed *f)
{
    for (unsigned i = 0; i < FEED_PLANS; i++) {
        sqlite3_finalize(f->plans[i].stmt);
        f->plans[i] = (struct feed_plan){0};
    }
}

void feed_reset(struct feed *f)
{
    feed_drop(f);
    f->in_order = f->table->n_keys > 0;
}

void feed_drop(struct feed *f)
{
    f->n_rows = f->at = 0;
    f->text_size = 0;
    f->differing = 0;
    f->no_memory = f->has_last = f->in_order = false;
    encode_drop(&f->encoder);
}

static struct feed_value *next_value(struct feed *f)
{
    assert(f->at < f->n_columns && f->n_rows < FEED_ROWS);
    return &f->values[f->n_rows * f->n_columns + f->at++];
}

/* The same column in the row before that waits; NULL: there is none. */
static const struct feed_value *before(const struct feed *f, const struct feed_value *v)
{
    return f->n_rows > 0 ? v - f->n_columns : NULL;
}

/* The value of the column that was begun last is another than in the row before. */
static void differs(struct feed *f)
{
    f->differing |= UINT64_C(1) << (f->at - 1);
}

void feed_null(struct feed *f)
{
    struct feed_value *v = next_value(f);
    const struct feed_value *last = before(f, v);

    v->type = SQLITE_NULL;
    if (last != NULL && last->type != SQLITE_NULL)
        differs(f);
}

void feed_integer(struct feed *f, int64_t number)
{
    struct feed_value *v = next_value(f);
    const struct feed_value *last = before(f, v);

    v->type = SQLITE_INTEGER;
    v->number = number;
    if (last != NULL && (last->type != SQLITE_INTEGER || last->number != number))
        differs(f);
}

bool feed_text_again(struct feed *f, const char *text)
{
    struct feed_value *v = next_value(f);
    const struct feed_value *last = before(f, v);

    if (last != NULL && last->type == SQLITE_TEXT && strncmp(f->text + last->number, text, last->size) == 0 && text[last->size] == '\0') {
        *v = *last;
        return true;
    }
    f->at--;
    return false;
}

void feed_text(struct feed *f, const char *text, size_t size)
{
    struct feed_value *v = next_value(f);

    if (f->n_rows > 0)
        differs(f);
    if (size > f->text_allocated - f->text_size) {
        size_t n = 2 * (f->text_allocated + size) + 4096;
        char *more = realloc(f->text, n);

        if (more == NULL) {
            f->no_memory = true;
            v->type = SQLITE_NULL;
            return;
        }
        f->text = more;
        f->text_allocated = n;
    }
    memcpy(f->text + f->text_size, text, size);
    *v = (struct feed_value){(int64_t)f->text_size, (uint32_t)size, SQLITE_TEXT};
    f->text_size += size;
}

/* Is the key of the last row higher than that of the row before?  Values of rows that were written are still there. */
static bool rises(const struct feed *f, const struct feed_value *row)
{
    const struct feed_value *before = row > f->values ? row - f->n_columns : row + (size_t)(FEED_ROWS - 1) * f->n_columns;

    if (!f->has_last)
        return f->table->n_keys > 0;
    for (unsigned i = 1; i < f->table->n_keys; i++)
        if (row[i].number != before[i].number)
            return row[i].number > before[i].number;
    return false;
}

/* --- digesting ------------------------------------------------------------------------------------------------------ */

static void digest_value(struct feed *f, const struct feed_value *v)
{
    if (v->type == SQLITE_INTEGER)
        encode_integer(&f->encoder, v->number);
    else if (v->type == SQLITE_TEXT)
        encode_bytes(&f->encoder, 't', f->text + v->number, v->size);
    else
        encode_null(&f->encoder);
}

/* The first of the rows that wait, and where in the encoder's buffer its columns are: false, it did not fit in there. */
static bool digest_first(struct feed *f, size_t at[static FEED_COLUMNS_MAX + 1])
{
    encode_flush(&f->encoder);
    for (unsigned i = 0; i < f->n_columns; i++) {
        at[i] = f->encoder.n;
        digest_value(f, &f->values[i]);
    }
    at[f->n_columns] = f->encoder.n;
    encode_row(&f->encoder);
    return !f->encoder.flushed;
}

/* A later one: what is as in the first is copied from there, neighbours together. */
static void digest_next(struct feed *f, const struct feed_value *row, const char *first, const size_t *at)
{
    for (unsigned i = 0, next; i < f->n_columns; i = next) {
        next = i + 1;
        if (first == NULL || (f->differing >> i & 1) != 0) {
            digest_value(f, &row[i]);
            continue;
        }
        while (next < f->n_columns && (f->differing >> next & 1) == 0)
            next++;
        encode_again(&f->encoder, first + at[i], at[next] - at[i]);
    }
    encode_row(&f->encoder);
}

static void digest_rows(struct feed *f)
{
    char first[sizeof(f->encoder.buf)];
    size_t at[FEED_COLUMNS_MAX + 1] = {0};
    bool fits = digest_first(f, at);

    if (fits)
        memcpy(first, f->encoder.buf, at[f->n_columns]);
    for (size_t i = 1; i < f->n_rows; i++)
        digest_next(f, &f->values[i * f->n_columns], fits ? first : NULL, at);
}

/* The title of seal_table(). */
static int begin_digest(struct feed *f, struct err *reterr)
{
    char title[TITLE_SIZE];

    sqlite3_snprintf(sizeof(title), title, "flowaudit-table-1\n%s\n%s", f->table->name, f->table->columns);
    return encode_begin(&f->encoder, title, reterr);
}

int feed_row(struct feed *f, struct err *reterr)
{
    const struct feed_value *row = &f->values[f->n_rows * f->n_columns];
    int rc = 0;

    assert(f->at == f->n_columns);
    f->at = 0;
    if (f->no_memory)
        return err_set(reterr, -ENOMEM, "out of memory");
    bool higher = rises(f, row);
    f->n_rows++;
    f->has_last = f->table->n_keys > 0;
    if (f->in_order && !higher) {
        f->in_order = false;
        encode_drop(&f->encoder);
    }
    if (f->in_order && f->encoder.digest == NULL)
        rc = begin_digest(f, reterr);
    return rc != 0 ? rc : !higher || f->n_rows == FEED_ROWS;
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

static int prepare(struct feed *f, sqlite3 *db, uint64_t differing, struct feed_plan *plan)
{
    char sql[TITLE_SIZE], *p = sql;

    sqlite3_finalize(plan->stmt);
    *plan = (struct feed_plan){.differing = differing};
    sqlite3_snprintf(sizeof(sql), sql, "INSERT%s INTO %s(%s) SELECT ", f->table->replace ? " OR REPLACE" : "", f->table->name,
                     f->table->columns);
    for (unsigned i = 0; i < f->n_columns; i++) {
        p += strlen(p);
        sqlite3_snprintf((int)(sizeof(sql) - (size_t)(p - sql)), p, "%s%s%u", i == 0 ? "" : ",", (differing >> i & 1) != 0 ? "c" : "?", i + 1);
    }
    p += strlen(p);
    sqlite3_snprintf((int)(sizeof(sql) - (size_t)(p - sql)), p, " FROM " MODULE);
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &plan->stmt, NULL);
}

static unsigned n_bits(uint64_t set)
{
    unsigned n = 0;

    for (; set != 0; set &= set - 1)
        n++;
    return n;
}

/*
 * The statement for the rows that wait: the one with the fewest columns beyond theirs.  Where there is none, or only one with
 * many, a new one is made; when there is no room for it, the last one comes to hold these columns too, which cannot go on for long.
 */
static int choose(struct feed *f, sqlite3 *db, sqlite3_stmt **ret)
{
    struct feed_plan *best = NULL, *last = &f->plans[FEED_PLANS - 1];
    int rc = SQLITE_OK;

    for (struct feed_plan *p = f->plans; p <= last && p->stmt != NULL; p++)
        if ((f->differing & ~p->differing) == 0 && (best == NULL || n_bits(p->differing) < n_bits(best->differing)))
            best = p;
    if (best == NULL || (last->stmt == NULL && n_bits(best->differing & ~f->differing) > 4)) {
        for (best = f->plans; best < last && best->stmt != NULL;)
            best++;
        rc = prepare(f, db, f->differing | best->differing, best);
    }
    *ret = best->stmt;
    return rc;
}

/* What all rows have in common. */
static void bind_common(const struct feed *f, sqlite3_stmt *stmt)
{
    int n = sqlite3_bind_parameter_count(stmt); /* the number of the last one */

    for (int i = 0; i < n; i++) {
        const struct feed_value *v = &f->values[i];

        if (v->type == SQLITE_INTEGER)
            sqlite3_bind_int64(stmt, i + 1, v->number);
        else if (v->type == SQLITE_TEXT)
            sqlite3_bind_text(stmt, i + 1, f->text + v->number, (int)v->size, SQLITE_STATIC);
        else
            sqlite3_bind_null(stmt, i + 1);
    }
}

int feed_write(struct feed *f, sqlite3 *db, struct feed **current)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_OK;

    if (f->n_rows == 0)
        return SQLITE_OK;
    if (f->in_order)
        digest_rows(f);
    rc = choose(f, db, &stmt);
    if (rc == SQLITE_OK) {
        bind_common(f, stmt);
        *current = f;
        sqlite3_step(stmt);
        rc = sqlite3_reset(stmt);
        *current = NULL;
    }
    f->text_size = 0;
    f->differing = 0;
    if (f->n_rows < FEED_ROWS) /* the last row stays where the next looks for it */
        memcpy(&f->values[(FEED_ROWS - 1) * f->n_columns], &f->values[(f->n_rows - 1) * f->n_columns], f->n_columns * sizeof(*f->values));
    f->n_rows = 0;
    return rc;
}

bool feed_digest(struct feed *f, const char *columns, char ret[static DIGEST_TEXT_SIZE], int64_t *ret_n)
{
    if (!f->in_order || f->encoder.digest == NULL || strcmp(columns, f->table->columns) != 0)
        return false;
    *ret_n = f->encoder.n_rows;
    encode_finish(&f->encoder, ret);
    f->in_order = false;
    return true;
}
