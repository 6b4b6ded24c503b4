/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of seals, link by link. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"
#include "store-private.h"
#include "verify.h"

/* A manifest in its parts, all of them in one copy of the text. */
struct manifest {
    char *text;
    int64_t seal, run;
    const char *previous;
    char *rest; /* lines "open" and "table" */
};

struct link {
    int64_t seal_id, run_id;
    const char *previous, *sha256; /* as the columns have them */
    struct manifest manifest;
    bool holds;
};

struct chain {
    struct verify *v;
    int64_t n; /* seals so far; the last one's number where nothing is wrong */
    char last[DIGEST_TEXT_SIZE];
    bool expected_found;
};

static void broken(struct chain *c, struct link *l, const char *what)
{
    l->holds = false;
    verify_tell(c->v, SEAL_ALTERED, l->run_id, "seal %" PRId64 ": %s", l->seal_id, what);
}

/* --- the manifest ---------------------------------------------------------------------------------------- */

/* The value of a line "word value", whose end becomes a NUL; NULL where it is another. */
static char *take_line(char **rest, const char *word)
{
    char *line = *rest, *end = strchr(line, '\n');
    size_t len = strlen(word);

    if (end == NULL || strncmp(line, word, len) != 0 || (len > 0 && line[len] != ' ' && line[len] != '\n'))
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line[len] == ' ' ? line + len + 1 : line + len;
}

static bool take_number(char **rest, const char *word, int64_t *ret)
{
    char *value = take_line(rest, word), *end;

    if (value == NULL || *value < '1' || *value > '9')
        return false;
    *ret = strtoll(value, &end, 10);
    return *end == '\0';
}

static bool manifest_parse(const char *text, struct manifest *ret)
{
    struct manifest m = {.text = strdup(text)};
    char *rest = m.text;

    if (m.text == NULL)
        return false;
    bool good = take_line(&rest, "flowaudit-seal-1") != NULL && take_number(&rest, "seal", &m.seal) &&
                take_number(&rest, "run", &m.run) && (m.previous = take_line(&rest, "previous")) != NULL;
    m.rest = rest;
    if (good)
        *ret = m;
    else
        free(m.text);
    return good;
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

/* Columns that this version has and the seal does not know must be as a later version made them. */
static int later_columns(struct chain *c, struct link *l, const struct shape *shape, const char *columns, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < shape->n_columns; i++) {
        const struct shape_column *column = &shape->columns[i];
        size_t len = strlen(column->name);
        bool sealed = false;
        char sql[512];
        int64_t n = 0;

        for (const char *p = columns; p != NULL && !sealed; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
            sealed = strncmp(p, column->name, len) == 0 && (p[len] == ',' || p[len] == '\0');
        if (sealed)
            continue;
        sqlite3_snprintf(sizeof(sql), sql, "SELECT count(*) FROM \"%w\" WHERE run_id = ?1 AND NOT (\"%w\" IS (%s))", shape->name,
                         column->name, column->initial);
        rc = verify_number(c->v, sql, l->run_id, 0, &n, reterr);
        if (rc == 0 && n > 0) {
            l->holds = false;
            verify_tell(c->v, SEAL_ALTERED, l->run_id, "table %s: column %s is not sealed and has been written to", shape->name,
                        column->name);
        }
    }
    return rc;
}

/* All names are columns, so that they may stand in a query. */
static bool columns_known(const struct shape *shape, const char *columns)
{
    for (;;) {
        size_t len = strcspn(columns, ",");

        if (shape_column(shape, columns, len) == NULL)
            return false;
        if (columns[len] == '\0')
            return true;
        columns += len + 1;
    }
}

/* "name rows sha256 columns" */
static int verify_table(struct chain *c, struct link *l, char *line, bool *is_sealed, struct err *reterr)
{
    char *name = strsep(&line, " "), *rows = strsep(&line, " "), *want = strsep(&line, " "), have[DIGEST_TEXT_SIZE];
    const struct shape *shape = shapes_find(&c->v->shapes, name);
    int64_t n = 0;

    if (line == NULL || shape == NULL || !columns_known(shape, line) || is_sealed[shape - c->v->shapes.items]) {
        broken(c, l, "it speaks of tables or columns that no record has");
        return 0;
    }
    is_sealed[shape - c->v->shapes.items] = true;
    int rc = seal_table(c->v->db, shape, line, l->run_id, have, &n, reterr);
    if (rc != 0)
        return rc;
    if (strcmp(have, want) != 0) {
        l->holds = false;
        verify_tell(c->v, SEAL_ALTERED, l->run_id, "table %s was altered: %" PRId64 " rows with digest %s, sealed were %.20s with %.64s",
                    shape->name, n, have, rows, want);
    }
    return later_columns(c, l, shape, line, reterr);
}

/* A table that the seal does not have came later, and is empty. */
static int unsealed_tables(struct chain *c, struct link *l, const bool *is_sealed, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->v->shapes.n; i++) {
        const struct shape *shape = &c->v->shapes.items[i];
        char sql[160];
        int64_t n = 0;

        if (is_sealed[i] || strcmp(shape->name, "seal") == 0)
            continue;
        sqlite3_snprintf(sizeof(sql), sql, "SELECT count(*) FROM \"%w\" WHERE run_id = ?1", shape->name);
        rc = verify_number(c->v, sql, l->run_id, 0, &n, reterr);
        if (rc == 0 && n > 0) {
            l->holds = false;
            verify_tell(c->v, SEAL_ALTERED, l->run_id, "table %s is not sealed and has %" PRId64 " rows", shape->name, n);
        }
    }
    return rc;
}

/* A run that did not come to its end before this seal must still be there, or have been removed in order. */
static int verify_open(struct chain *c, struct link *l, const char *number, struct err *reterr)
{
    char *end;
    int64_t run_id = strtoll(number, &end, 10), n = 0;
    int rc = verify_number(c->v,
                           "SELECT (SELECT count(*) FROM run WHERE run_id = ?1) + (SELECT count(*) FROM removal WHERE removed_run = ?1)",
                           run_id, 0, &n, reterr);

    if (rc == 0 && (n == 0 || *end != '\0')) {
        l->holds = false;
        verify_tell(c->v, SEAL_ALTERED, run_id, "run %" PRId64 ", which seal %" PRId64 " speaks of, was removed, and not by flowaudit", run_id,
                    l->seal_id);
    }
    return rc;
}

/* 'only': the one table that outlives its run, or NULL. */
static int verify_lines(struct chain *c, struct link *l, const char *only, struct err *reterr)
{
    bool *is_sealed = calloc(c->v->shapes.n + 1, sizeof(*is_sealed));
    char *rest = l->manifest.rest, *value;
    int rc = is_sealed != NULL ? 0 : err_set(reterr, -ENOMEM, "out of memory");

    while (rc == 0 && (value = take_line(&rest, "open")) != NULL)
        rc = verify_open(c, l, value, reterr);
    while (rc == 0 && (value = take_line(&rest, "table")) != NULL)
        if (only == NULL || (strncmp(value, only, strlen(only)) == 0 && value[strlen(only)] == ' '))
            rc = verify_table(c, l, value, is_sealed, reterr);
    if (rc == 0 && *rest != '\0')
        broken(c, l, "its manifest has lines that no manifest has");
    if (rc == 0 && only == NULL)
        rc = unsealed_tables(c, l, is_sealed, reterr);
    free(is_sealed);
    return rc;
}

/* --- links ---------------------------------------------------------------------------------------------------- */

static int verify_manifest(struct chain *c, struct link *l, const char *text, size_t size, struct err *reterr)
{
    char have[DIGEST_TEXT_SIZE];
    int rc = seal_text(text, size, have, reterr);

    if (rc != 0)
        return rc;
    if (strcmp(have, l->sha256) != 0 || strlen(text) != size)
        broken(c, l, "it is not the digest of its manifest");
    if (!manifest_parse(text, &l->manifest)) {
        broken(c, l, "its manifest cannot be read");
        return 0;
    }
    if (l->manifest.seal != l->seal_id || l->manifest.run != l->run_id ||
        strcmp(l->manifest.previous, l->previous[0] != '\0' ? l->previous : "-") != 0)
        broken(c, l, "its manifest is of another seal");
    if (l->seal_id != c->n + 1 || strcmp(l->previous, c->last) != 0)
        broken(c, l, "it does not follow on the seal before: a seal was removed or altered");
    return 0;
}

static int verify_run(struct chain *c, struct link *l, struct err *reterr)
{
    int64_t there, removed = 0, by = 0, by_sealed = 0;
    int rc = verify_number(c->v, "SELECT count(*) FROM run WHERE run_id = ?1", l->run_id, 0, &there, reterr);

    if (rc == 0)
        rc = verify_number(c->v, "SELECT count(*) FROM removal WHERE removed_run = ?1", l->run_id, 0, &removed, reterr);
    if (rc == 0)
        rc = verify_number(c->v,
                           "SELECT m.run_id FROM removal m JOIN seal s ON s.run_id = m.removed_run AND s.sha256 = m.seal"
                           " WHERE m.removed_run = ?1",
                           l->run_id, 0, &by, reterr);
    if (rc != 0)
        return rc;
    if (there > 0 && removed > 0)
        broken(c, l, "its run is there, and another says that it removed it");
    else if (there == 0 && by == 0)
        broken(c, l, "its run was removed, and not by flowaudit");
    rc = verify_lines(c, l, there > 0 ? NULL : "removal", reterr);
    if (rc == 0 && by != 0)
        rc = verify_number(c->v, "SELECT count(*) FROM seal WHERE run_id = ?1", by, 0, &by_sealed, reterr);
    if (rc == 0 && l->holds && there > 0)
        verify_tell(c->v, SEAL_HOLDS, l->run_id, "all tables are as sealed; seal %" PRId64 " is %s", l->seal_id, l->sha256);
    else if (rc == 0 && l->holds && by_sealed == 0) /* anybody could have added its note */
        verify_tell(c->v, SEAL_UNKNOWN, l->run_id, "was removed in run %" PRId64 ", which has no seal itself; seal %" PRId64 " was %s", by,
                    l->seal_id, l->sha256);
    else if (rc == 0 && l->holds)
        verify_tell(c->v, SEAL_HOLDS, l->run_id, "was removed by flowaudit in run %" PRId64 "; seal %" PRId64 " was %s", by, l->seal_id,
                    l->sha256);
    return rc;
}

/* What is compared as a text is all that is in the cell. */
static bool is_whole(sqlite3_stmt *stmt, int column)
{
    return strlen(verify_cell(stmt, column)) == (size_t)sqlite3_column_bytes(stmt, column);
}

static int verify_link(struct chain *c, sqlite3_stmt *stmt, struct err *reterr)
{
    struct link l = {
        .seal_id = sqlite3_column_int64(stmt, 0),
        .run_id = sqlite3_column_int64(stmt, 1),
        .previous = verify_cell(stmt, 2),
        .sha256 = verify_cell(stmt, 3),
        .holds = true,
    };
    const char *text = verify_cell(stmt, 4);
    bool is_first = sqlite3_column_type(stmt, 2) == SQLITE_NULL;

    if (!is_whole(stmt, 2) || !is_whole(stmt, 3) || is_first != (l.previous[0] == '\0'))
        broken(c, &l, "it has more or less in it than a seal has");
    int rc = verify_manifest(c, &l, text, (size_t)sqlite3_column_bytes(stmt, 4), reterr);

    if (rc == 0 && l.manifest.text != NULL)
        rc = verify_run(c, &l, reterr);
    free(l.manifest.text);
    c->n = l.seal_id;
    snprintf(c->last, sizeof(c->last), "%s", l.sha256);
    if (c->v->expected != NULL && strcmp(c->v->expected, l.sha256) == 0)
        c->expected_found = true;
    return rc;
}

/* Runs without a seal.  One that is older than a sealed run was there when that was sealed, and is named by its seal. */
static int unsealed_runs(struct chain *c, struct err *reterr)
{
    static const char sql[] = "SELECT run_id, (SELECT count(*) FROM seal s WHERE s.run_id > r.run_id AND"
                              " instr(s.manifest, char(10) || 'open ' || r.run_id || char(10)) = 0 AND s.run_id NOT IN"
                              " (SELECT run_id FROM removal)) FROM run r WHERE run_id NOT IN (SELECT run_id FROM seal) ORDER BY run_id";
    sqlite3_stmt *stmt;
    int more, rc = verify_query(c->v, sql, 0, 0, &stmt, reterr);

    if (rc != 0)
        return rc;
    while ((more = verify_step(c->v, stmt, reterr)) == 1) {
        int64_t run_id = sqlite3_column_int64(stmt, 0);

        if (sqlite3_column_int64(stmt, 1) > 0)
            verify_tell(c->v, SEAL_ALTERED, run_id, "a seal is missing, or the run was added: later seals do not know it as one without a seal");
        else
            verify_tell(c->v, SEAL_UNKNOWN, run_id, "has no seal: it did not come to its end, is at work, or an older version made it");
    }
    sqlite3_finalize(stmt);
    return more;
}

int verify_chain(struct verify *v, struct err *reterr)
{
    struct chain c = {.v = v};
    sqlite3_stmt *stmt;
    int more, rc = verify_query(v, "SELECT seal_id, run_id, previous, sha256, manifest FROM seal ORDER BY seal_id", 0, 0, &stmt, reterr);

    if (rc != 0)
        return rc;
    while (rc == 0 && (more = verify_step(v, stmt, reterr)) != 0)
        rc = more < 0 ? more : verify_link(&c, stmt, reterr);
    sqlite3_finalize(stmt);
    if (rc == 0)
        rc = unsealed_runs(&c, reterr);
    if (rc == 0 && v->expected != NULL)
        verify_tell(v, c.expected_found ? SEAL_HOLDS : SEAL_ALTERED, 0, "the seal that was kept elsewhere is %s chain",
                    c.expected_found ? "in the" : "not in the");
    return rc;
}
