/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table as CSV by RFC 4180: CRLF, a header, quotes where they are needed.  A text that a spreadsheet would take for
 * a formula gets an apostrophe in front, which spreadsheets do not show.  Null is an empty field.
 */
#include <string.h>

#include "report-private.h"

static void put_text(FILE *out, const char *text, size_t len)
{
    bool quotes = false;

    for (size_t i = 0; i < len && !quotes; i++)
        quotes = memchr(",\"\r\n", text[i], 4) != NULL;
    if (quotes)
        putc('"', out);
    if (len > 0 && memchr("=+-@\t\r", text[0], 6) != NULL)
        putc('\'', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            putc('"', out);
        putc(text[i], out);
    }
    if (quotes)
        putc('"', out);
}

static void put_row(void *aux, struct cursor *c)
{
    FILE *out = aux;

    for (int i = 0; i < cursor_columns(c); i++) {
        size_t len;

        if (i > 0)
            putc(',', out);
        enum cell type = cursor_type(c, i);
        const char *text = cursor_text(c, i, &len);
        if (type == CELL_INTEGER)
            fwrite(text, 1, len, out);
        else
            put_text(out, text, len);
    }
    fputs("\r\n", out);
}

static int put_header(const struct report_job *job, struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(job->report->reader, job->table->sql, &job->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    for (int i = 0; i < cursor_columns(c); i++)
        fprintf(job->out, "%s%s", i > 0 ? "," : "", cursor_name(c, i));
    fputs("\r\n", job->out);
    cursor_free(c);
    return 0;
}

int report_write_csv(const struct report_job *job, struct err *reterr)
{
    int rc = put_header(job, reterr);

    return rc == 0 ? report_each(job, job->table->sql, put_row, job->out, reterr) : rc;
}
