/* SPDX-License-Identifier: Apache-2.0 */
/* One table of the record as sheets of a workbook. */
#ifndef REPORT_XLSX_SHEET_H
#define REPORT_XLSX_SHEET_H

#include <xlsxwriter.h>

#include "report-private.h"

#define XLSX_LAST_ROW 1048575 /* of a sheet, counted from 0: a bound of the format */
#define XLSX_MOST_ROWS 200000 /* of a table in a workbook of all: what is more takes minutes, and no sheet is read so far */
#define XLSX_MOST_TEXT 32000  /* characters of a cell; the format's own bound is 32,767 */

struct xlsx {
    const struct report_job *job;
    lxw_workbook *book;
    lxw_format *heading, *time, *bold, *bad, *warn, *good;
    int failed; /* 0, or a negative errno */
};

/* A text cell: never a formula, nothing that would not be seen, cut at XLSX_MOST_TEXT with words that say so. */
void xlsx_text(struct xlsx *, lxw_worksheet *, lxw_row_t, lxw_col_t, const char *text, size_t len, lxw_format *);
/* The first 'most' rows of a table; beyond a sheet's last row they go on in a further sheet, "flows 2". */
int xlsx_table(struct xlsx *, const struct report_table *, uint64_t most, uint64_t *ret_rows, struct err *reterr);

#endif
