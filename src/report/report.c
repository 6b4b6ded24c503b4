/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of the reports: formats and tables are rows of two arrays, so that a further format is a further row and
 * one function.
 */
#include "flowaudit/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report-private.h"

#define OF_RUN(view, order) "SELECT * FROM " view " WHERE run_id = ?1 ORDER BY " order

const struct report_table report_tables[] = {
    {"runs", OF_RUN("runs", "run_id")},
    {"seals", OF_RUN("seals", "seal_id")},
    {"removals", OF_RUN("removals", "removed_run")},
    {"evidence", OF_RUN("evidence", "file_id")},
    {"sensors", OF_RUN("sensors", "sensor_id")},
    {"inputs", OF_RUN("inputs", "input_id")},
    {"discards", OF_RUN("discards", "input_id, reason")},
    {"losses", OF_RUN("losses", "loss_id")},
    {"counters", OF_RUN("counters", "counter_id")},
    {"hosts", OF_RUN("hosts", "host_id")},
    {"rows", OF_RUN("\"rows\"", "position")},
    {"conversations", OF_RUN("conversations", "conversation_id")},
    {"witnesses", OF_RUN("witnesses", "conversation_id, sensor_id")},
    {"flows", OF_RUN("flows", "conversation_id, flow_id")},
    {"requirements", OF_RUN("requirements", "expectation_id")},
    {"findings", OF_RUN("findings", "finding_id")},
    {"expectations", OF_RUN("expectations", "expectation_id")},
    {NULL, NULL},
};

static const struct {
    const char *name;
    enum report_format format;
    report_write_fn *write;
    const char *table; /* where none is asked for; NULL = all */
} formats[] = {
    {"text", REPORT_TEXT, report_write_text, NULL},
    {"csv", REPORT_CSV, report_write_csv, "findings"},
    {"json", REPORT_JSON, report_write_json, NULL},
    {"ndjson", REPORT_NDJSON, report_write_ndjson, NULL},
    {"html", REPORT_HTML, report_write_html, NULL},
    {"xlsx", REPORT_XLSX, report_write_xlsx, NULL},
};
#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

int report_format_parse(const char *name, enum report_format *ret)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *ret = formats[i].format;
            return 0;
        }
    }
    return -EINVAL;
}

const struct report_table *report_table_find(const char *name)
{
    for (const struct report_table *t = report_tables; t->name != NULL; t++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

int report_open(const char *path, struct report **ret, struct err *reterr)
{
    struct report *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    r->path = strdup(path);
    int rc = r->path == NULL ? err_set(reterr, -ENOMEM, "out of memory") : reader_open(path, &r->reader, reterr);
    if (rc != 0) {
        free(r->path);
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void report_free(struct report *r)
{
    if (r == NULL)
        return;
    reader_free(r->reader);
    free(r->path);
    free(r);
}

int report_each(const struct report_job *job, const char *sql, report_row_fn *each, void *aux, struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(job->report->reader, sql, &job->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    while ((rc = cursor_next(c, reterr)) == 1 && !ferror(job->out))
        each(aux, c);
    cursor_free(c);
    return rc < 0 ? rc : 0;
}

static int write_held(struct report_job *job, report_write_fn *write, struct err *reterr)
{
    struct report_summary summary;
    int rc = report_summary(job->report, job->query->run_id, &summary, reterr);

    if (rc != 0)
        return rc;
    job->run_id = summary.run_id;
    errno = 0;
    rc = write(job, reterr);
    if (rc == 0 && (fflush(job->out) != 0 || ferror(job->out)))
        rc = err_set(reterr, -EIO, "cannot write the report: %s", strerror(errno != 0 ? errno : EIO));
    return rc;
}

int report_write(struct report *r, enum report_format format, const struct report_query *query, FILE *out,
                 struct err *reterr)
{
    size_t i = 0;
    struct report_job job = {.report = r, .query = query, .out = out};

    while (i < N_FORMATS && formats[i].format != format)
        i++;
    if (i == N_FORMATS)
        return err_set(reterr, -EINVAL, "no such format");
    const char *table = query->table != NULL ? query->table : formats[i].table;
    if (table != NULL && (job.table = report_table_find(table)) == NULL)
        return err_set(reterr, -EINVAL,
                       "no table '%s'; there are runs, seals, removals, evidence, sensors, inputs, discards, losses, counters,"
                       " hosts, rows, conversations, witnesses, flows, requirements, findings and expectations",
                       table);
    int rc = reader_hold(r->reader, reterr);
    if (rc != 0)
        return rc;
    rc = write_held(&job, formats[i].write, reterr);
    reader_release(r->reader);
    return rc;
}
