/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workbook: a summary, then a sheet for each table, what is read first standing first.  Rows go to a temporary file
 * as they are read, so memory does not grow with the record.  Same record, same bytes: the date of creation is the
 * run's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"
#include "xlsx_sheet.h"

#define N_OF(a)     (sizeof(a) / sizeof((a)[0]))
#define ZIP64_FROM  500000 /* rows from which on a part may pass 4 GB, which needs the wider form of zip */
#define FIRST_OF_ALL 315532800 /* 1980-01-01: a zip knows no earlier day */

/* --- the summary ------------------------------------------------------------------------------------------------ */

struct summary {
    struct xlsx *xlsx;
    lxw_worksheet *sheet;
    lxw_row_t row;
};

static void put_line(struct summary *s, const char *title, const char *text)
{
    xlsx_text(s->xlsx, s->sheet, s->row, 0, title, strlen(title), s->xlsx->bold);
    xlsx_text(s->xlsx, s->sheet, s->row, 1, text, strlen(text), NULL);
    s->row++;
}

static void put_run(void *aux, struct cursor *c)
{
    static const char *const titles[] = {"Site", "Document", "Run", "Judged", "Program", "First packet", "Last packet",
                                         "Findings", "Waived by exceptions"};

    for (int i = 0; i < (int)N_OF(titles); i++)
        put_line(aux, titles[i], cursor_text(c, i, NULL));
}

static int put_summary(struct summary *s, struct err *reterr)
{
    struct xlsx *x = s->xlsx;
    struct report_summary summary;
    char verdict[1024];
    int rc = report_summary(x->job->report, x->job->run_id, &summary, reterr);

    if (rc != 0)
        return rc;
    if ((s->sheet = workbook_add_worksheet(x->book, "summary")) == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    worksheet_set_column(s->sheet, 0, 0, 24, NULL);
    worksheet_set_column(s->sheet, 1, 1, 100, NULL);
    put_line(s, "Result", report_verdict(&summary, verdict, sizeof(verdict)));
    rc = report_each(x->job,
                     "SELECT site_name, coalesce(matrix_title, matrix_id), run_id, ended, version,"
                     " (SELECT min(first_packet) FROM inputs WHERE run_id = ?1),"
                     " (SELECT max(last_packet) FROM inputs WHERE run_id = ?1),"
                     " (SELECT count(*) FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND severity <> 'notice'),"
                     " (SELECT count(*) FROM findings WHERE run_id = ?1 AND waived_by IS NOT NULL)"
                     " FROM runs WHERE run_id = ?1",
                     put_run, s, reterr);
    put_line(s, "About", "Each further sheet is a table of the record, row by row. Times are UTC. Characters that are not"
                          " seen, or that turn the reading direction, are shown as \\xNN or \\u{NNNN}.");
    return rc;
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

static lxw_format *make_format(struct xlsx *x, lxw_color_t color, lxw_color_t ground)
{
    lxw_format *f = workbook_add_format(x->book);

    if (f == NULL) {
        x->failed = -ENOMEM;
        return NULL;
    }
    format_set_font_color(f, color);
    if (ground != 0)
        format_set_bg_color(f, ground);
    return f;
}

static void make_formats(struct xlsx *x)
{
    x->heading = make_format(x, 0xffffff, 0x1f4e8c);
    x->time = make_format(x, 0x010101, 0);
    x->bold = make_format(x, 0x010101, 0);
    x->bad = make_format(x, 0x8c1d18, 0xfbe9e7);
    x->warn = make_format(x, 0x7a4a00, 0xfdf1dd);
    x->good = make_format(x, 0x1f5a38, 0xe6f3ea);
    if (x->failed != 0)
        return;
    format_set_bold(x->heading);
    format_set_bold(x->bold);
    format_set_num_format(x->time, "yyyy-mm-dd hh:mm:ss.000");
}

/* The end of the run, else its last packet. */
static int set_created(struct xlsx *x, struct err *reterr)
{
    int64_t created = 0;
    lxw_doc_properties properties = {.title = (char *)(uintptr_t) "Audit of network flows", .author = (char *)(uintptr_t) "flowaudit"};
    int rc = reader_number(x->job->report->reader,
                           "SELECT CAST(strftime('%s', coalesce(ended, started, (SELECT max(last_packet) FROM inputs"
                           " WHERE run_id = ?1))) AS INTEGER) FROM runs WHERE run_id = ?1",
                           &x->job->run_id, 1, &created, reterr);

    properties.created = created > FIRST_OF_ALL ? (time_t)created : FIRST_OF_ALL;
    if (rc == 0 && workbook_set_properties(x->book, &properties) != LXW_NO_ERROR)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    return rc;
}

/* What a bounded table lacks is told where it is read first. */
static int tell_rest(struct summary *s, const struct report_table *table, uint64_t there, struct err *reterr)
{
    char sql[256], words[256], count[32], of[32];
    int64_t all = 0;
    int rc = snprintf(sql, sizeof(sql), "SELECT count(*) FROM (%s)", table->sql) < (int)sizeof(sql)
                 ? reader_number(s->xlsx->job->report->reader, sql, &s->xlsx->job->run_id, 1, &all, reterr)
                 : err_set(reterr, -EINVAL, "the query of table %s is too long", table->name);

    if (rc == 0 && (uint64_t)all > there) {
        snprintf(words, sizeof(words), "%s: the first %s of %s rows are here; flowaudit report --format xlsx --table %s has all of"
                 " them, and so have CSV and JSON", table->name, text_count(there, count), text_count((uint64_t)all, of), table->name);
        put_line(s, "Not whole", words);
    }
    return rc;
}

static int put_tables(struct summary *s, struct err *reterr)
{
    struct xlsx *x = s->xlsx;
    const struct report_table *t = report_tables;
    uint64_t n, most = x->job->table == NULL ? XLSX_MOST_ROWS : UINT64_MAX;
    int rc = 0;

    while (t->name != NULL)
        t++;
    while (rc == 0 && x->failed == 0 && t-- != report_tables) { /* the last one has what is read first */
        if (x->job->table != NULL && x->job->table != t)
            continue;
        rc = xlsx_table(x, t, most, &n, reterr);
        if (rc == 0 && n == most)
            rc = tell_rest(s, t, n, reterr);
    }
    return rc;
}

/* The library writes a file that it is told the name of; the descriptor of one without a name has a name too. */
static int write_book(const struct report_job *job, FILE *to, struct err *reterr)
{
    char name[64];
    int64_t rows = 0;
    struct xlsx x = {.job = job};
    struct summary summary = {.xlsx = &x};
    int rc = reader_number(job->report->reader,
                           "SELECT (SELECT count(*) FROM conversations WHERE run_id = ?1) + (SELECT count(*) FROM flows"
                           " WHERE run_id = ?1)",
                           &job->run_id, 1, &rows, reterr);

    if (rc != 0)
        return rc;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fileno(to));
    lxw_workbook_options options = {.constant_memory = LXW_TRUE, .use_zip64 = rows >= ZIP64_FROM};
    if ((x.book = workbook_new_opt(name, &options)) == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    make_formats(&x);
    rc = set_created(&x, reterr);
    if (rc == 0 && x.failed == 0)
        rc = put_summary(&summary, reterr);
    if (rc == 0 && x.failed == 0)
        rc = put_tables(&summary, reterr);
    lxw_error error = workbook_close(x.book);
    if (rc == 0 && x.failed != 0)
        rc = err_set(reterr, x.failed, "cannot write the workbook: %s", strerror(-x.failed));
    if (rc == 0 && error != LXW_NO_ERROR)
        rc = err_set(reterr, -EIO, "cannot write the workbook: %s", lxw_strerror(error));
    return rc;
}

static int copy(FILE *from, FILE *to, struct err *reterr)
{
    char buf[65536];
    size_t n;

    rewind(from);
    while ((n = fread(buf, 1, sizeof(buf), from)) > 0 && !ferror(to))
        fwrite(buf, 1, n, to);
    return ferror(from) ? err_set(reterr, -EIO, "cannot read the workbook back: %s", strerror(errno)) : 0;
}

int report_write_xlsx(const struct report_job *job, struct err *reterr)
{
    FILE *book = tmpfile();

    if (book == NULL)
        return err_set(reterr, -errno, "no temporary file for the workbook: %s", strerror(errno));
    int rc = write_book(job, book, reterr);
    if (rc == 0)
        rc = copy(book, job->out, reterr);
    fclose(book);
    return rc;
}
