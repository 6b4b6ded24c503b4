/* SPDX-License-Identifier: Apache-2.0 */
/* The whole record, recomputed.  The file is anybody's: nothing in it is taken for more than text and numbers. */
#include "verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"
#include "store-private.h"

void verify_tell(struct verify *v, enum seal_word word, int64_t run_id, const char *fmt, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    v->tell(v->aux, word, run_id, sentence);
}

int verify_query(struct verify *v, const char *sql, int64_t a, int64_t b, sqlite3_stmt **ret, struct err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    const int64_t args[] = {a, b};
    int rc = sqlite3_prepare_v2(v->db, sql, -1, &stmt, NULL);

    for (int i = 0; rc == SQLITE_OK && i < sqlite3_bind_parameter_count(stmt) && i < 2; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, args[i]);
    if (rc != SQLITE_OK) {
        rc = store_sql_error(v->db, "cannot read it", reterr);
        sqlite3_finalize(stmt);
        return rc;
    }
    *ret = stmt;
    return 0;
}

int verify_step(struct verify *v, sqlite3_stmt *stmt, struct err *reterr)
{
    int rc = sqlite3_step(stmt);

    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_sql_error(v->db, "cannot read it", reterr);
}

int verify_number(struct verify *v, const char *sql, int64_t a, int64_t b, int64_t *ret, struct err *reterr)
{
    sqlite3_stmt *stmt;
    int rc = verify_query(v, sql, a, b, &stmt, reterr);

    if (rc != 0)
        return rc;
    rc = verify_step(v, stmt, reterr);
    *ret = rc == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc < 0 ? rc : 0;
}

const char *verify_cell(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text != NULL ? text : "";
}

/* --- pages, texts, rows of no run ------------------------------------------------------------------------------- */

static int verify_pages(struct verify *v, struct err *reterr)
{
    sqlite3_stmt *stmt;
    int rc = verify_query(v, "PRAGMA integrity_check(1)", 0, 0, &stmt, reterr);

    if (rc != 0)
        return rc;
    rc = verify_step(v, stmt, reterr);
    if (rc == 1 && strcmp(verify_cell(stmt, 0), "ok") != 0)
        verify_tell(v, SEAL_ALTERED, 0, "the file is damaged: %.300s", verify_cell(stmt, 0));
    sqlite3_finalize(stmt);
    return rc < 0 ? rc : 0;
}

static int verify_text(struct verify *v, sqlite3_stmt *stmt, int column, const char *what, struct err *reterr)
{
    int64_t run_id = sqlite3_column_int64(stmt, 0);
    const char *text = verify_cell(stmt, column), *want = verify_cell(stmt, column + 1);
    char have[DIGEST_TEXT_SIZE];

    if (text[0] == '\0' || want[0] == '\0') {
        verify_tell(v, SEAL_UNKNOWN, run_id, "the record lacks the %s file, or its digest", what);
        return 0;
    }
    int rc = seal_text(text, (size_t)sqlite3_column_bytes(stmt, column), have, reterr);
    if (rc != 0)
        return rc;
    if (strcmp(have, want) == 0)
        verify_tell(v, SEAL_HOLDS, run_id, "the text of the %s file has its digest", what);
    else if (strstr(text, "\\x") != NULL) /* characters that a record does not take were written out */
        verify_tell(v, SEAL_UNKNOWN, run_id, "the text of the %s file holds \\x..: its digest cannot be recomputed", what);
    else
        verify_tell(v, SEAL_ALTERED, run_id, "the text of the %s file has digest %s, recorded is %.80s", what, have, want);
    return 0;
}

static int verify_texts(struct verify *v, struct err *reterr)
{
    sqlite3_stmt *stmt;
    int more, rc = verify_query(v, "SELECT run_id, site_text, site_sha256, matrix_text, matrix_sha256 FROM run ORDER BY run_id", 0, 0,
                                &stmt, reterr);

    if (rc != 0)
        return rc;
    while (rc == 0 && (more = verify_step(v, stmt, reterr)) != 0) {
        rc = more < 0 ? more : verify_text(v, stmt, 1, "site", reterr);
        if (rc == 0)
            rc = verify_text(v, stmt, 3, "matrix", reterr);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Rows of a run that is not there; removals stay when the run that removed is removed itself. */
static int verify_orphans(struct verify *v, struct err *reterr)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < v->shapes.n; i++) {
        const char *name = v->shapes.items[i].name;
        bool stays = strcmp(name, "removal") == 0;
        char sql[256];
        int64_t n = 0;

        if (strcmp(name, "seal") == 0)
            continue;
        sqlite3_snprintf(sizeof(sql), sql, "SELECT count(*) FROM \"%w\" WHERE run_id NOT IN (SELECT run_id FROM run%s)", name,
                         stays ? " UNION SELECT run_id FROM seal" : "");
        rc = verify_number(v, sql, 0, 0, &n, reterr);
        if (rc == 0 && n > 0)
            verify_tell(v, SEAL_ALTERED, 0, "table %s has %lld rows of runs that are not there", name, (long long)n);
    }
    return rc;
}

int seal_verify(struct reader *r, const char *expected, seal_tell_fn *tell, void *aux, struct err *reterr)
{
    struct verify v = {.db = reader_connection(r), .expected = expected, .tell = tell, .aux = aux};
    int rc = shapes_present(&v.shapes, reterr);

    if (rc == 0)
        rc = verify_pages(&v, reterr);
    if (rc == 0)
        rc = verify_texts(&v, reterr);
    if (rc == 0)
        rc = verify_orphans(&v, reterr);
    if (rc == 0)
        rc = verify_chain(&v, reterr);
    shapes_clear(&v.shapes);
    if (rc != 0)
        err_prefix(reterr, "%s: ", reader_path(r));
    return rc;
}

int seal_findings(struct reader *r, int64_t run_id, char ret[static DIGEST_TEXT_SIZE], struct err *reterr)
{
    static const char sql[] =
        "SELECT finding_id, kind, severity, row_id, section, client, client_name, server, server_name, transport, server_port,"
        " protocol, outcome, disposition, first_seen, last_seen, flows, packets, bytes, reason, waived_by, parent, conversation_id"
        " FROM findings WHERE run_id = ?1 ORDER BY finding_id";
    struct verify v = {.db = reader_connection(r)};
    sqlite3_stmt *stmt;
    int64_t n;
    int rc = verify_query(&v, sql, run_id, 0, &stmt, reterr);

    if (rc == 0) {
        rc = seal_rows(v.db, stmt, "flowaudit-findings-1", ret, &n, reterr);
        sqlite3_finalize(stmt);
    }
    if (rc != 0)
        err_prefix(reterr, "%s: ", reader_path(r));
    return rc;
}
