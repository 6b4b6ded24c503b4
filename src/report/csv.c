/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table as CSV by RFC 4180: CRLF, a header, quotes where they are needed.  A text that a spreadsheet would take for
 * a formula gets an apostrophe in front.  Null is an empty field.
 */
#include <string.h>

#include "page.h"
#include "report-private.h"

/* What would not be seen, or would move a terminal's cursor, is shown as \xNN or \u{NNNN}; line breaks stay. */
static void put_safe(FILE *out, const char *text, size_t len)
{
    struct glyph g;

    while (len > 0) {
        size_t n = page_glyph(text, len, &g);

        if (*text == '"')
            fputs("\"\"", out);
        else if (*text == '\n' || *text == '\t')
            putc(*text, out);
        else
            fwrite(g.text, 1, g.len, out);
        text += n;
        len -= n;
    }
}

static bool is_ordinary(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e || text[i] == '"' || text[i] == ',')
            return false;
    return true;
}

static void put_text(FILE *out, const char *text, size_t len)
{
    bool quotes = false;

    if (len > 0 && memchr("=+-@\t\r", text[0], 6) == NULL && is_ordinary(text, len)) {
        fwrite(text, 1, len, out);
        return;
    }
    for (size_t i = 0; i < len && !quotes; i++)
        quotes = memchr(",\"\r\n", text[i], 4) != NULL;
    if (quotes)
        putc('"', out);
    if (len > 0 && memchr("=+-@\t\r", text[0], 6) != NULL)
        putc('\'', out);
    put_safe(out, text, len);
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
