/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two audits compared: findings and expectations by a key that does not depend on numbers or order.  Both sides come sorted
 * by that key, so that the comparison is one walk along both.
 */
#include "diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"

#define KEY_COLUMNS "1, 2, 3, 4, 5, 6, 7, 8"

/* Of bare columns SQLite takes those of the row with the minimum: the gravest finding. */
static const char findings_sql[] =
    "SELECT kind, ifnull(row_id, ''), coalesce(client, client_name, ''), coalesce(server, server_name, ''),"
    " ifnull(transport, ''), ifnull(server_port, ''), ifnull(protocol, ''),"
    " CASE kind WHEN 'site' THEN substr(reason, 1, instr(reason || '" SITE_SEEN_HERE "', '" SITE_SEEN_HERE "') - 1) WHEN 'separated' THEN ifnull(section, '') ELSE '' END,"
    " ifnull(client_name, ''), ifnull(server_name, ''), severity, group_concat(DISTINCT outcome),"
    " group_concat(DISTINCT disposition), group_concat(DISTINCT waived_by), reason, min(finding_id), count(*), sum(flows)"
    " FROM (SELECT * FROM findings WHERE run_id = ?1 ORDER BY outcome, disposition, waived_by) GROUP BY " KEY_COLUMNS
    " ORDER BY " KEY_COLUMNS;

/* Where one server of many will do, the one that was tried is not part of what is required. */
static const char expectations_sql[] =
    "WITH e AS (SELECT *, min(ifnull(server, '')) OVER w <> max(ifnull(server, '')) OVER w AS each FROM expectations"
    " WHERE run_id = ?1 WINDOW w AS (PARTITION BY row_id, client, client_name, window_start))"
    " SELECT 'expectation', row_id, coalesce(client, client_name, ''), CASE WHEN each THEN ifnull(server, '') ELSE '' END,"
    " '', '', '', '', ifnull(client_name, ''), CASE WHEN each THEN ifnull(server_name, '') ELSE '' END, '',"
    " group_concat(DISTINCT outcome), '', '', reason, min(expectation_id), count(*), sum(attempts)"
    " FROM (SELECT * FROM e ORDER BY outcome) GROUP BY " KEY_COLUMNS " ORDER BY " KEY_COLUMNS;

/* --- items ------------------------------------------------------------------------------------------------- */

static struct diff_item *item_new(struct cursor *c)
{
    size_t size = 0, len;

    for (int i = 0; i < D_N; i++) {
        cursor_text(c, i, &len);
        size += len + 1;
    }
    struct diff_item *item = malloc(sizeof(*item) + size);
    if (item == NULL)
        return NULL;
    char *p = item->bytes;
    for (int i = 0; i < D_N; i++) {
        const char *text = cursor_text(c, i, &len);

        item->text[i] = p;
        memcpy(p, text, len);
        p[len] = '\0';
        p += len + 1;
    }
    item->id = cursor_integer(c, D_N);
    item->n = cursor_integer(c, D_N + 1);
    item->flows = cursor_integer(c, D_N + 2);
    return item;
}

static int compare_keys(const struct diff_item *a, const struct diff_item *b)
{
    int order = 0;

    for (int i = 0; order == 0 && i < D_CLIENT_NAME; i++)
        order = strcmp(a->text[i], b->text[i]);
    return order;
}

/* What may differ without its being another finding; counts always do. */
static bool is_changed(const struct diff_item *a, const struct diff_item *b)
{
    bool same = true;

    for (int i = D_CLIENT_NAME; same && i < D_REASON; i++)
        same = strcmp(a->text[i], b->text[i]) == 0;
    return !same;
}

static int add_entry(struct diff_list *list, struct diff_item *old, struct diff_item *new)
{
    if (list->n == list->n_allocated) {
        size_t n = list->n_allocated == 0 ? 64 : 2 * list->n_allocated;
        struct diff_entry *items = realloc(list->items, n * sizeof(*items));

        if (items == NULL) {
            free(old);
            free(new);
            return -ENOMEM;
        }
        list->items = items;
        list->n_allocated = n;
    }
    list->items[list->n++] = (struct diff_entry){
        .what = old == NULL ? DIFF_NEW : new == NULL ? DIFF_GONE : is_changed(old, new) ? DIFF_CHANGED : DIFF_SAME,
        .old = old,
        .new = new,
    };
    return 0;
}

/* --- the walk ---------------------------------------------------------------------------------------------- */

/* The next item of a side, or NULL at its end. */
static int next_item(struct cursor *c, struct diff_item **ret, struct err *reterr)
{
    int rc = cursor_next(c, reterr);

    *ret = NULL;
    if (rc <= 0)
        return rc;
    *ret = item_new(c);
    return *ret != NULL ? 0 : err_set(reterr, -ENOMEM, "out of memory");
}

static int walk(struct cursor *cursors[2], struct diff_list *list, struct err *reterr)
{
    struct diff_item *item[2] = {NULL, NULL};
    int rc = next_item(cursors[0], &item[0], reterr);

    if (rc == 0)
        rc = next_item(cursors[1], &item[1], reterr);
    while (rc == 0 && (item[0] != NULL || item[1] != NULL)) {
        int order = item[0] == NULL ? 1 : item[1] == NULL ? -1 : compare_keys(item[0], item[1]);
        bool take[2] = {order <= 0, order >= 0};

        rc = add_entry(list, take[0] ? item[0] : NULL, take[1] ? item[1] : NULL);
        if (rc != 0)
            err_set(reterr, rc, "out of memory");
        for (int i = 0; i < 2; i++) {
            if (take[i])
                item[i] = NULL;
            if (take[i] && rc == 0)
                rc = next_item(cursors[i], &item[i], reterr);
        }
    }
    free(item[0]);
    free(item[1]);
    return rc;
}

static int compare_lists(struct report_diff *d, const char *sql, struct diff_list *list, struct err *reterr)
{
    struct cursor *cursors[2] = {NULL, NULL};
    int rc = 0;

    for (int i = 0; rc == 0 && i < 2; i++)
        rc = reader_query(d->side[i].report->reader, sql, &d->side[i].run_id, 1, &cursors[i], reterr);
    if (rc == 0)
        rc = walk(cursors, list, reterr);
    cursor_free(cursors[0]);
    cursor_free(cursors[1]);
    return rc;
}

/* --- the same flow under another kind --------------------------------------------------------------------------- */

static const struct diff_item *item_of(const struct diff_entry *e)
{
    return e->new != NULL ? e->new : e->old;
}

static int compare_flows(const struct diff_item *a, const struct diff_item *b)
{
    int order = 0;

    for (int i = D_CLIENT; order == 0 && i <= D_PROTOCOL; i++)
        order = strcmp(a->text[i], b->text[i]);
    return order;
}

static int by_flow(const void *pa, const void *pb)
{
    const struct diff_entry *a = *(struct diff_entry *const *)pa, *b = *(struct diff_entry *const *)pb;
    int order = compare_flows(item_of(a), item_of(b));

    if (order == 0 && a->what != b->what)
        return a->what == DIFF_GONE ? -1 : 1;
    return order != 0 ? order : a < b ? -1 : a > b;
}

/* What went under one kind and came under another is one finding that changed. */
static int join_kinds(struct diff_list *list)
{
    struct diff_entry **loose = calloc(list->n + 1, sizeof(struct diff_entry *));
    size_t n = 0, kept = 0;

    if (loose == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].what <= DIFF_GONE && item_of(&list->items[i])->text[D_TRANSPORT][0] != '\0')
            loose[n++] = &list->items[i];
    qsort(loose, n, sizeof(struct diff_entry *), by_flow);
    for (size_t i = 1; i < n; i++) {
        struct diff_entry *a = loose[i - 1], *b = loose[i];

        if (a->what == DIFF_GONE && b->what == DIFF_NEW && compare_flows(a->old, b->new) == 0) {
            b->what = DIFF_CHANGED;
            b->old = a->old;
            a->old = NULL;
        }
    }
    free(loose);
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].old != NULL || list->items[i].new != NULL)
            list->items[kept++] = list->items[i];
    list->n = kept;
    return 0;
}

static int severity_rank(const char *severity)
{
    static const char *const names[] = {"critical", "high", "medium", "low", "notice"};
    int i = 0;

    while (i < 5 && strcmp(names[i], severity) != 0)
        i++;
    return i;
}

/* New ones first, then gone, then changed; the gravest first, then in the order of the audit. */
static int by_weight(const void *pa, const void *pb)
{
    const struct diff_entry *a = pa, *b = pb;

    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    const struct diff_item *x = item_of(a), *y = item_of(b);
    int rx = severity_rank(x->text[D_SEVERITY]), ry = severity_rank(y->text[D_SEVERITY]);
    if (rx != ry)
        return rx < ry ? -1 : 1;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : compare_keys(x, y);
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

static char *copy_of(struct cursor *c, int column)
{
    return strdup(cursor_text(c, column, NULL));
}

static int open_side(struct diff_side *s, struct report *report, int64_t run_id, struct err *reterr)
{
    struct cursor *c;
    size_t size;
    int rc = report_summary(report, run_id, &s->summary, reterr);

    s->report = report;
    s->run_id = s->summary.run_id;
    if (rc == 0)
        rc = reader_query(report->reader, "SELECT started, site_sha256, matrix_sha256, matrix_id, site_text FROM runs WHERE run_id = ?1",
                          &s->run_id, 1, &c, reterr);
    if (rc != 0)
        return rc;
    if ((rc = cursor_next(c, reterr)) == 1) {
        s->started = copy_of(c, 0);
        s->site_sha256 = copy_of(c, 1);
        s->matrix_sha256 = copy_of(c, 2);
        s->matrix_id = copy_of(c, 3);
        const char *text = cursor_text(c, 4, &size);
        struct diag_list diags = {0};
        if (site_parse(text, size, "site", &s->site, &diags) != 0)
            s->site = NULL;
        diag_list_clear(&diags);
    }
    cursor_free(c);
    if (rc == 1 && (s->started == NULL || s->site_sha256 == NULL || s->matrix_sha256 == NULL || s->matrix_id == NULL))
        return err_set(reterr, -ENOMEM, "out of memory");
    return rc < 0 ? rc : 0;
}

static int compare(struct report_diff *d, struct err *reterr)
{
    int rc = compare_lists(d, findings_sql, &d->findings, reterr);

    if (rc == 0 && (rc = join_kinds(&d->findings)) != 0)
        err_set(reterr, rc, "out of memory");
    if (rc == 0)
        rc = compare_lists(d, expectations_sql, &d->expectations, reterr);
    if (rc == 0)
        rc = diff_changes(d, reterr);
    if (rc == 0)
        rc = diff_explain(d, reterr);
    if (rc == 0 && d->findings.n > 1)
        qsort(d->findings.items, d->findings.n, sizeof(struct diff_entry), by_weight);
    if (rc == 0 && d->expectations.n > 1)
        qsort(d->expectations.items, d->expectations.n, sizeof(struct diff_entry), by_weight);
    return rc;
}

int report_diff_new(struct report *old, int64_t old_run, struct report *new, int64_t new_run, struct report_diff **ret, struct err *reterr)
{
    struct report_diff *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    int rc = open_side(&d->side[0], old, old_run, reterr);
    if (rc == 0)
        rc = open_side(&d->side[1], new, new_run, reterr);
    if (rc == 0)
        rc = compare(d, reterr);
    if (rc == 0)
        *ret = d;
    else
        report_diff_free(d);
    return rc;
}

static void free_list(struct diff_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].old);
        free(list->items[i].new);
        free(list->items[i].why);
        free(list->items[i].coverage);
    }
    free(list->items);
}

void report_diff_free(struct report_diff *d)
{
    if (d == NULL)
        return;
    free_list(&d->findings);
    free_list(&d->expectations);
    for (size_t i = 0; i < d->n_changes; i++) {
        free(d->changes[i].name);
        free(d->changes[i].was);
        free(d->changes[i].is);
    }
    free(d->changes);
    for (int i = 0; i < 2; i++) {
        site_free(d->side[i].site);
        free(d->side[i].started);
        free(d->side[i].site_sha256);
        free(d->side[i].matrix_sha256);
        free(d->side[i].matrix_id);
    }
    free(d);
}

bool report_diff_same(const struct report_diff *d)
{
    return d->n_changes == 0 && diff_count(&d->findings, DIFF_SAME) == d->findings.n &&
           diff_count(&d->expectations, DIFF_SAME) == d->expectations.n;
}

size_t diff_count(const struct diff_list *list, enum diff_what what)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += list->items[i].what == what;
    return n;
}

const char *diff_what_name(enum diff_what what)
{
    static const char *const names[] = {"new", "gone", "changed", "persisting"};

    return names[what];
}
