/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "flowaudit/reader.h"
#include "flowaudit/report.h"
#include "flowaudit/store.h"
#include "options.h"
#include "version.h"

static const char help[] =
    "usage: flowaudit merge -o ALL.db A.db B.db ...\n\n"
    "Joins the records of several sensors (the last run of each), judged by the same\n"
    "site and matrix, into a run of its own.  A conversation that several saw is one,\n"
    "with the figures of the sensor that saw most of it; each finding says who saw it\n"
    "and who did not.  A required flow is there where any sensor saw it.\n\n"
    "  -o, --output DB      the record; a run is added to it\n"
    "  -q, --quiet          no report on standard output\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 nothing found, 1 findings, 2 wrong usage or records that cannot be\n"
    "joined, 3 incomplete.\n";

struct request {
    const char          *out;
    char               **paths;
    struct store_source *sources;
    size_t               n;
    bool                 quiet;
};

/* --- the run that comes of it ------------------------------------------------------------------------------------- */

enum { R_SITE_NAME, R_SITE_FILE, R_SITE_TEXT, R_SITE_SHA, R_MATRIX_ID, R_MATRIX_TITLE, R_MATRIX_TEXT, R_MATRIX_SHA, R_OPTIONS, R_N };

static char *command_of(const struct request *r)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    if (f == NULL)
        return NULL;
    fprintf(f, "flowaudit merge -o %s", r->out);
    for (size_t i = 0; i < r->n; i++)
        fprintf(f, " %s", r->paths[i]);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* The first source's site and matrix are those of all. */
static int begin(const struct request *r, struct store *store, int64_t *ret_run, struct err *err)
{
    static const char sql[] = "SELECT site_name, site_file, site_text, site_sha256, matrix_id, matrix_title, matrix_text, matrix_sha256, options"
                              " FROM runs WHERE run_id = ?1";
    struct cursor *c = NULL;
    char          *command = command_of(r);
    const char    *text[R_N] = {NULL};
    int            rc = command == NULL ? err_set(err, -ENOMEM, "no memory")
                                        : reader_query(r->sources[0].reader, sql, &r->sources[0].run_id, 1, &c, err);

    if (rc == 0 && (rc = cursor_next(c, err)) == 1) {
        for (int i = 0; i < R_N; i++)
            text[i] = cursor_type(c, i) != CELL_NULL ? cursor_text(c, i, NULL) : NULL;
        struct store_run run = {
            .started_ns = run_time_ns(),
            .command = command,
            .version = FLOWAUDIT_VERSION,
            .site_name = text[R_SITE_NAME],
            .site_file = text[R_SITE_FILE],
            .site_text = text[R_SITE_TEXT],
            .site_sha256 = text[R_SITE_SHA],
            .matrix_id = text[R_MATRIX_ID],
            .matrix_title = text[R_MATRIX_TITLE],
            .matrix_text = text[R_MATRIX_TEXT],
            .matrix_sha256 = text[R_MATRIX_SHA],
            .options_json = text[R_OPTIONS],
        };
        rc = store_begin_run(store, &run, ret_run, err);
    } else if (rc == 0 && command != NULL) {
        rc = err_set(err, -EINVAL, "%s: the record has no run %lld", r->sources[0].name, (long long)r->sources[0].run_id);
    }
    cursor_free(c);
    free(command);
    return rc;
}

static int all_complete(const struct request *r, bool *ret, struct err *err)
{
    int rc = 0;

    *ret = true;
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        int64_t complete = 0;

        rc = reader_number(r->sources[i].reader, "SELECT complete FROM runs WHERE run_id = ?1", &r->sources[i].run_id, 1, &complete, err);
        *ret = *ret && complete == 1;
    }
    return rc;
}

static int join(const struct request *r, int64_t *ret_run, struct err *err)
{
    struct store *store = NULL;
    struct stat   st;
    bool          was_there = stat(r->out, &st) == 0, complete = false;
    int           rc = store_open(r->out, &store, err);

    if (rc == 0)
        rc = begin(r, store, ret_run, err);
    if (rc == 0)
        rc = store_defer_sync(store, err);
    if (rc == 0)
        rc = store_merge(store, r->sources, r->n, err);
    if (rc == 0)
        rc = all_complete(r, &complete, err);
    if (rc == 0)
        rc = store_end_run(store, run_time_ns(), complete, err);
    store_close(store);
    if (rc != 0 && !was_there)
        unlink(r->out);
    return rc;
}

/* A merge of yesterday and today is most likely a mistake, and what it hides is nowhere in the report: said even to those who want none. */
static int warn_apart(const struct request *r, int64_t run_id, struct err *err)
{
    static const char sql[] = "SELECT reason FROM findings WHERE run_id = ?1 AND kind = 'site' AND severity = 'notice' AND"
                              " substr(reason, 1, length('" STORE_MERGE_APART "')) = '" STORE_MERGE_APART "'";
    struct reader *reader;
    struct cursor *c;
    int rc = reader_open(r->out, &reader, err);

    if (rc != 0)
        return rc;
    rc = reader_query(reader, sql, &run_id, 1, &c, err);
    if (rc == 0) {
        while ((rc = cursor_next(c, err)) == 1)
            complain("warning: %s", cursor_text(c, 0, NULL));
        cursor_free(c);
    }
    reader_free(reader);
    return rc;
}

/* --- the report of it ------------------------------------------------------------------------------------------------ */

static int conclude(const struct request *r, int64_t run_id)
{
    struct report        *report;
    struct report_summary summary;
    struct err            err = {0};
    struct report_query   query = {.run_id = run_id, .color = wants_color(stdout), .width = terminal_width(), .brief = true};

    if (report_open(r->out, &report, &err) != 0)
        return complain("%s", err.msg);
    int rc = report_summary(report, run_id, &summary, &err);
    if (rc == 0 && !r->quiet)
        rc = report_write(report, REPORT_TEXT, &query, stdout, &err);
    report_free(report);
    if (rc != 0) {
        complain("%s", err.msg);
        return EXIT_INCOMPLETE;
    }
    return finish_output(report_incomplete(&summary) ? EXIT_INCOMPLETE : summary.n_findings > 0 ? EXIT_FINDINGS : EXIT_NOTHING);
}

static int open_sources(struct request *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        struct store_source *s = &r->sources[i];

        if (is_same_file(r->paths[i], r->out))
            return err_set(err, -EINVAL, "%s: is the output; the joined record needs another name", r->out);
        s->name = r->paths[i];
        rc = reader_open(r->paths[i], &s->reader, err);
        if (rc == 0)
            rc = reader_hold(s->reader, err);
        if (rc == 0)
            rc = reader_number(s->reader, "SELECT max(run_id) FROM runs", NULL, 0, &s->run_id, err);
        if (rc == 0 && s->run_id <= 0)
            rc = err_set(err, -EINVAL, "%s: the record has no run", s->name);
    }
    return rc;
}

static int run(struct request *r)
{
    struct err err = {0};
    int64_t    run_id = 0;

    r->sources = calloc(r->n, sizeof(*r->sources));
    if (r->sources == NULL)
        return complain("no memory");
    int rc = open_sources(r, &err);
    if (rc == 0)
        rc = join(r, &run_id, &err);
    if (rc == 0)
        rc = warn_apart(r, run_id, &err);
    for (size_t i = 0; i < r->n; i++)
        reader_free(r->sources[i].reader);
    free(r->sources);
    if (rc == 0)
        return conclude(r, run_id);
    complain("%s", err.msg);
    return rc == -ENOSPC || rc == -EIO || rc == -EBUSY || rc == -ENOMEM ? EXIT_INCOMPLETE : EXIT_UNUSABLE;
}

int cmd_merge(int argc, char **argv)
{
    struct request            r = {0};
    const struct option_row   rows[] = {{"output", 'o', OPTION_TEXT, &r.out, NULL}, {"quiet", 'q', OPTION_FLAG, &r.quiet, NULL}};
    const struct command_line line = {"merge", help, OPTION_ROWS(rows), 2, INT_MAX, "merge takes two records or more"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    if (r.out == NULL) {
        complain("merge writes a new record: -o ALL.db is wanted");
        return misuse("merge");
    }
    r.paths = argv + first;
    r.n = (size_t)(argc - first);
    rc = refuse_twice((const char *const *)r.paths, r.n);
    return rc != 0 ? rc : run(&r);
}
