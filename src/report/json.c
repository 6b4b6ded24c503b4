/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: one document with every table, or one object on each line.  Rows are written as they are read; nothing is held.
 * Keys stand in the order of the views' columns.
 */
#include <inttypes.h>
#include <string.h>

#include "flowaudit/store.h"
#include "flowaudit/utf8.h"
#include "report-private.h"

#define JSON_FORMAT_VERSION 1

/* Controls, line separators that older readers stumble over, and overrides of the reading direction. */
static bool is_escaped(uint32_t c)
{
    return c < 0x20 || c == 0x7f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Bytes from the front on that stand in a JSON string as they are; nearly all text is nothing else. */
static size_t count_plain(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && text[n] >= 0x20 && text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
        n++;
    return n;
}

void json_string(FILE *out, const char *text, size_t len)
{
    putc('"', out);
    while (len > 0) {
        size_t plain = count_plain(text, len);
        uint32_t c;

        fwrite(text, 1, plain, out);
        text += plain;
        len -= plain;
        if (len == 0)
            break;
        size_t n = utf8_decode(text, len, &c);

        if (n == 0)
            fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (is_escaped(c))
            fprintf(out, "\\u%04" PRIx32, c);
        else
            fwrite(text, 1, n, out);
        n = n == 0 ? 1 : n;
        text += n;
        len -= n;
    }
    putc('"', out);
}

static void put_cell(FILE *out, struct cursor *c, int column)
{
    size_t len;
    const char *text;

    switch (cursor_type(c, column)) {
    case CELL_NULL:
        fputs("null", out);
        break;
    case CELL_INTEGER: /* as SQLite writes it */
        text = cursor_text(c, column, &len);
        fwrite(text, 1, len, out);
        break;
    case CELL_TEXT:
        text = cursor_text(c, column, &len);
        json_string(out, text, len);
        break;
    }
}

/* The columns as members of an object whose brace is open; 'separator' goes before the first. */
static void put_members(FILE *out, struct cursor *c, const char *separator)
{
    for (int i = 0; i < cursor_columns(c); i++) {
        fputs(separator, out);
        putc('"', out);
        fputs(cursor_name(c, i), out);
        fputs("\": ", out);
        put_cell(out, c, i);
        separator = ", ";
    }
}

struct rows {
    FILE *out;
    const char *table;
    uint64_t n;
};

static void put_array_row(void *aux, struct cursor *c)
{
    struct rows *rows = aux;

    fprintf(rows->out, "%s\n    {", rows->n++ > 0 ? "," : "");
    put_members(rows->out, c, "");
    putc('}', rows->out);
}

static int put_array(const struct report_job *job, const struct report_table *table, struct err *reterr)
{
    struct rows rows = {.out = job->out};

    fprintf(job->out, ",\n  \"%s\": [", table->name);
    int rc = report_each(job, table->sql, put_array_row, &rows, reterr);
    fputs(rows.n > 0 ? "\n  ]" : "]", job->out);
    return rc;
}

static void put_run(void *aux, struct cursor *c)
{
    struct rows *rows = aux;

    fputs(",\n  \"run\": {", rows->out);
    put_members(rows->out, c, "");
    putc('}', rows->out);
}

static int put_findings_digest(const struct report_job *job, struct err *reterr)
{
    char sha256[DIGEST_TEXT_SIZE];
    int rc = seal_findings(job->report->reader, job->run_id, sha256, reterr);

    if (rc == 0)
        fprintf(job->out, ",\n  \"findings_digest\": {\"algorithm\": \"flowaudit-findings-1\", \"sha256\": \"%s\"}", sha256);
    return rc;
}

int report_write_json(const struct report_job *job, struct err *reterr)
{
    struct rows rows = {.out = job->out};

    fprintf(job->out, "{\n  \"flowaudit\": {\"format\": %d, \"schema\": %d}", JSON_FORMAT_VERSION,
            STORE_SCHEMA_VERSION);
    int rc = put_findings_digest(job, reterr);
    if (rc == 0)
        rc = report_each(job, report_tables[0].sql, put_run, &rows, reterr);
    for (const struct report_table *t = report_tables + 1; rc == 0 && t->name != NULL; t++)
        if (job->table == NULL || job->table == t)
            rc = put_array(job, t, reterr);
    fputs("\n}\n", job->out);
    return rc;
}

static void put_line(void *aux, struct cursor *c)
{
    struct rows *rows = aux;

    fprintf(rows->out, "{\"table\": \"%s\"", rows->table);
    put_members(rows->out, c, ", ");
    fputs("}\n", rows->out);
}

int report_write_ndjson(const struct report_job *job, struct err *reterr)
{
    int rc = 0;

    for (const struct report_table *t = report_tables; rc == 0 && t->name != NULL; t++) {
        struct rows rows = {.out = job->out, .table = t->name};

        if (job->table == NULL || job->table == t)
            rc = report_each(job, t->sql, put_line, &rows, reterr);
    }
    return rc;
}
