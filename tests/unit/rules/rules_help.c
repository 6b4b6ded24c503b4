/* SPDX-License-Identifier: Apache-2.0 */
#include "rules_help.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *lines_of(struct diag_list *list)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    for (size_t i = 0; i < list->n_items; i++)
        fprintf(f, "%u:%u: %s\n", list->items[i].line, list->items[i].column, list->items[i].message);
    fclose(f);
    diag_list_clear(list);
    return text;
}

char *site_errors(const char *text, size_t size)
{
    struct diag_list list = {0};
    struct site     *site = NULL;
    int              rc = site_parse(text, size, "t.yaml", &site, &list);

    ck_assert_int_eq(rc, list.n_items > 0 ? -EINVAL : 0);
    ck_assert((site != NULL) == (rc == 0));
    site_free(site);
    return lines_of(&list);
}

char *matrix_errors(const char *text, size_t size)
{
    struct diag_list list = {0};
    struct matrix   *matrix = NULL;
    int              rc = matrix_parse(text, size, "t.yaml", &matrix, &list);

    ck_assert_int_eq(rc, list.n_items > 0 ? -EINVAL : 0);
    ck_assert((matrix != NULL) == (rc == 0));
    matrix_free(matrix);
    return lines_of(&list);
}

struct site *good_site(const char *text)
{
    struct diag_list list = {0};
    struct site     *site = NULL;

    if (site_parse(text, strlen(text), "t.yaml", &site, &list) != 0)
        ck_abort_msg("%s", lines_of(&list));
    return site;
}

struct matrix *good_matrix(const char *text)
{
    struct diag_list list = {0};
    struct matrix   *matrix = NULL;

    if (matrix_parse(text, strlen(text), "t.yaml", &matrix, &list) != 0)
        ck_abort_msg("%s", lines_of(&list));
    return matrix;
}
