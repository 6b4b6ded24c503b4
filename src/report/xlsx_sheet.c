/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells.  Whatever is text in the record is written as text, so that nothing in it can become a formula or a link;
 * times of the views' form become real dates.
 */
#include "xlsx_sheet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "page.h"

#define MOST_COLUMNS 64
#define EXACT        (INT64_C(1) << 53) /* numbers of a sheet are doubles */
#define EPOCH        25569              /* 1970-01-01 in days of a sheet */
#define N_OF(a)      (sizeof(a) / sizeof((a)[0]))

enum as { AS_IS, AS_TIME, AS_JUDGED, AS_WIDE, AS_NAME };

static enum as column_as(const char *name)
{
    static const struct {
        const char *name;
        enum as as;
    } known[] = {
        {"started", AS_TIME},      {"ended", AS_TIME},       {"first_packet", AS_TIME}, {"last_packet", AS_TIME},
        {"first", AS_TIME},        {"last", AS_TIME},        {"first_seen", AS_TIME},   {"last_seen", AS_TIME},
        {"window_start", AS_TIME}, {"window_end", AS_TIME},  {"severity", AS_JUDGED},   {"outcome", AS_JUDGED},
        {"verdict", AS_JUDGED},    {"disposition", AS_JUDGED}, {"reason", AS_WIDE},     {"detail", AS_WIDE},
        {"text", AS_WIDE},         {"section", AS_NAME},     {"client", AS_NAME},       {"server", AS_NAME},
        {"client_name", AS_NAME},  {"server_name", AS_NAME}, {"service", AS_NAME},      {"row_id", AS_NAME},
        {"address", AS_NAME},      {"name", AS_NAME},        {"path", AS_NAME},         {"community_id", AS_NAME},
    };

    for (size_t i = 0; i < N_OF(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].as;
    return AS_IS;
}

/* --- cells ---------------------------------------------------------------------------------------------------- */

/* "_x0041_" means "A" in a sheet. */
static bool is_escape(const char *text, size_t len)
{
    return len >= 7 && text[0] == '_' && text[1] == 'x' && text[6] == '_' &&
           strspn(text + 2, "0123456789abcdefABCDEF") >= 4;
}

static bool is_ordinary(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e || is_escape(text + i, len - i))
            return false;
    return len <= XLSX_MOST_TEXT;
}

/* A copy as it may be shown; NULL where there is no memory. */
static char *shown(const char *text, size_t len)
{
    static const char cut[] = " ... [cut here: the JSON has it whole]";
    char *copy = NULL;
    size_t size, n = 0;
    FILE *out = open_memstream(&copy, &size);
    struct glyph g;

    if (out == NULL)
        return NULL;
    while (len > 0 && n < XLSX_MOST_TEXT) {
        size_t bytes = page_glyph(text, len, &g);

        if (is_escape(text, len))
            fputs("_x005F_", out);
        else if (*text == '\n' || *text == '\t')
            putc(*text, out);
        else
            fwrite(g.text, 1, g.len, out);
        n += g.plain || *text == '\n' || *text == '\t' ? 1 : g.len;
        text += bytes;
        len -= bytes;
    }
    if (len > 0)
        fputs(cut, out);
    return fclose(out) == 0 ? copy : NULL;
}

void xlsx_text(struct xlsx *x, lxw_worksheet *sheet, lxw_row_t row, lxw_col_t column, const char *text, size_t len,
               lxw_format *format)
{
    char *copy = NULL;

    if (!is_ordinary(text, len) && (text = copy = shown(text, len)) == NULL)
        x->failed = -ENOMEM;
    else if (len > 0 && worksheet_write_string(sheet, row, column, text, format) != LXW_NO_ERROR)
        x->failed = -EIO;
    free(copy);
}

/* "2026-03-02T08:58:02.000001Z" as days of a sheet; false where it is not that, or lies before 1970. */
static bool parse_time(const char *text, double *ret)
{
    struct tm t = {0};
    unsigned micros;
    int end = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6uZ%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
               &t.tm_sec, &micros, &end) != 7 ||
        end != 27 || text[27] != '\0')
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    time_t seconds = timegm(&t);
    *ret = EPOCH + (double)seconds / 86400 + micros / 86400e6;
    return seconds >= 0;
}

/* --- sheets ---------------------------------------------------------------------------------------------------- */

struct sheets {
    struct xlsx *xlsx;
    const char *name;
    lxw_worksheet *at;
    unsigned n_sheets;
    lxw_row_t row; /* the last that was written */
    int n_columns;
    enum as as[MOST_COLUMNS];
};

static void put_cell(struct sheets *s, struct cursor *c, int i)
{
    lxw_col_t column = (lxw_col_t)i;
    int64_t n = cursor_integer(c, i);
    size_t len;
    const char *text;
    double days;

    switch (cursor_type(c, i)) {
    case CELL_NULL:
        return;
    case CELL_INTEGER:
        if (n >= -EXACT && n <= EXACT) {
            if (worksheet_write_number(s->at, s->row, column, (double)n, NULL) != LXW_NO_ERROR)
                s->xlsx->failed = -EIO;
            return;
        }
        break;
    case CELL_TEXT:
        break;
    }
    text = cursor_text(c, i, &len);
    if (s->as[i] == AS_TIME && parse_time(text, &days)) {
        if (worksheet_write_number(s->at, s->row, column, days, s->xlsx->time) != LXW_NO_ERROR)
            s->xlsx->failed = -EIO;
        return;
    }
    xlsx_text(s->xlsx, s->at, s->row, column, text, len, NULL);
}

/* Colours by what the cell says, so that they follow when somebody sorts. */
static void color_column(struct sheets *s, int i)
{
    const struct {
        const char *word;
        lxw_format *format;
    } words[] = {
        {"critical", s->xlsx->bad},    {"high", s->xlsx->bad},         {"violation", s->xlsx->bad},
        {"escaped", s->xlsx->bad},     {"never-attempted", s->xlsx->bad}, {"medium", s->xlsx->warn},
        {"misdropped", s->xlsx->warn}, {"refused", s->xlsx->warn},     {"prohibited", s->xlsx->warn},
        {"unanswered", s->xlsx->warn}, {"permitted", s->xlsx->good},   {"seen", s->xlsx->good},
        {"allowed", s->xlsx->good},
    };

    for (size_t k = 0; k < N_OF(words); k++) {
        char quoted[40];

        snprintf(quoted, sizeof(quoted), "\"%s\"", words[k].word);
        lxw_conditional_format rule = {.type = LXW_CONDITIONAL_TYPE_CELL,
                                       .criteria = LXW_CONDITIONAL_CRITERIA_EQUAL_TO,
                                       .value_string = quoted,
                                       .format = words[k].format};
        worksheet_conditional_format_range(s->at, 1, (lxw_col_t)i, s->row, (lxw_col_t)i, &rule);
    }
}

static void end_sheet(struct sheets *s)
{
    if (s->at == NULL || s->n_columns == 0)
        return;
    worksheet_autofilter(s->at, 0, 0, s->row, (lxw_col_t)(s->n_columns - 1));
    for (int i = 0; i < s->n_columns && s->row > 0; i++)
        if (s->as[i] == AS_JUDGED)
            color_column(s, i);
    /* The library does not look whether its temporary file took all. */
    if (s->at->optimize_tmpfile != NULL && (fflush(s->at->optimize_tmpfile) != 0 || ferror(s->at->optimize_tmpfile)))
        s->xlsx->failed = -EIO;
}

static void begin_sheet(struct sheets *s, struct cursor *c)
{
    static const double widths[] = {[AS_IS] = 12, [AS_TIME] = 24, [AS_JUDGED] = 15, [AS_WIDE] = 90, [AS_NAME] = 22};
    char name[32];

    end_sheet(s);
    s->n_sheets++;
    snprintf(name, sizeof(name), s->n_sheets == 1 ? "%s" : "%s %u", s->name, s->n_sheets);
    s->row = 0;
    s->at = workbook_add_worksheet(s->xlsx->book, name);
    if (s->at == NULL) {
        s->xlsx->failed = -ENOMEM;
        return;
    }
    s->n_columns = cursor_columns(c) < MOST_COLUMNS ? cursor_columns(c) : MOST_COLUMNS;
    for (int i = 0; i < s->n_columns; i++) {
        const char *title = cursor_name(c, i);

        s->as[i] = column_as(title);
        worksheet_set_column(s->at, (lxw_col_t)i, (lxw_col_t)i, widths[s->as[i]], NULL);
        xlsx_text(s->xlsx, s->at, 0, (lxw_col_t)i, title, strlen(title), s->xlsx->heading);
    }
    worksheet_freeze_panes(s->at, 1, 0);
    worksheet_set_landscape(s->at);
    worksheet_set_paper(s->at, 9); /* A4 */
    worksheet_fit_to_pages(s->at, 1, 0);
    worksheet_repeat_rows(s->at, 0, 0);
    worksheet_set_footer(s->at, "&L&A&RPage &P of &N");
}

int xlsx_table(struct xlsx *x, const struct report_table *table, uint64_t most, uint64_t *ret_rows, struct err *reterr)
{
    struct sheets s = {.xlsx = x, .name = table->name};
    struct cursor *c;
    uint64_t n = 0;
    int rc = reader_query(x->job->report->reader, table->sql, &x->job->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    begin_sheet(&s, c);
    while (x->failed == 0 && n < most && (rc = cursor_next(c, reterr)) == 1) {
        if (s.row == XLSX_LAST_ROW)
            begin_sheet(&s, c);
        if (x->failed != 0)
            break;
        s.row++;
        n++;
        for (int i = 0; i < s.n_columns; i++)
            put_cell(&s, c, i);
    }
    cursor_free(c);
    end_sheet(&s);
    *ret_rows = n;
    return rc < 0 ? rc : 0;
}
