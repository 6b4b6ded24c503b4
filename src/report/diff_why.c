/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the audits differ.  A finding that one audit alone has is looked up in the other: was the flow there and judged
 * otherwise, then the documents must have changed, or else the traffic; was it not there, could it have been seen?
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

/* --- looking up in the other audit ------------------------------------------------------------------------------- */

/* A question: does the audit have this?  The key begins with what is asked for: f)low, h)ost by address, n)ame, x) expectation. */
struct question {
    char *key;
    struct diff_entry *entry;
    bool *answer; /* of hosts */
};

struct questions {
    struct question *items;
    size_t n, n_allocated;
};

static const struct diff_item *item_of(const struct diff_entry *e)
{
    return e->new != NULL ? e->new : e->old;
}

static int ask(struct questions *q, struct diff_entry *e, bool *answer, char *key)
{
    if (q->n == q->n_allocated) {
        size_t n = q->n_allocated == 0 ? 64 : 2 * q->n_allocated;
        struct question *items = realloc(q->items, n * sizeof(*items));

        if (items != NULL) {
            q->items = items;
            q->n_allocated = n;
        }
    }
    if (key == NULL || q->n == q->n_allocated) {
        free(key);
        return -ENOMEM;
    }
    q->items[q->n++] = (struct question){key, e, answer};
    return 0;
}

static char *join(char letter, const char *a, const char *b, const char *c, const char *d)
{
    char *text = NULL;

    return asprintf(&text, "%c%s\n%s\n%s\n%s", letter, a, b, c, d) >= 0 ? text : NULL;
}

static int ask_host(struct questions *q, struct diff_entry *e, const char *address, const char *name, bool flow, bool *answer)
{
    if (flow ? address[0] == '\0' : name[0] == '\0') {
        *answer = !flow; /* any server: what is not named cannot be missed */
        return 0;
    }
    return ask(q, e, answer, join(flow ? 'h' : 'n', flow ? address : name, "", "", ""));
}

static int ask_about(struct questions *q, struct diff_entry *e)
{
    const struct diff_item *i = item_of(e);
    const char *const *t = i->text;
    bool flow = t[D_TRANSPORT][0] != '\0';
    int rc = 0;

    if (flow)
        rc = ask(q, e, NULL, join('f', t[D_CLIENT], t[D_SERVER], t[D_TRANSPORT], t[D_PORT]));
    else if (t[D_ROW][0] != '\0')
        rc = ask(q, e, NULL, join('x', t[D_ROW], t[D_CLIENT], "", ""));
    if (rc == 0)
        rc = ask_host(q, e, t[D_CLIENT], t[D_CLIENT_NAME], flow, &e->saw_client);
    return rc == 0 ? ask_host(q, e, t[D_SERVER], t[D_SERVER_NAME], flow, &e->saw_server) : rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct question *)a)->key, ((const struct question *)b)->key);
}

/* Several conversations may be of one service: one that is no violation says most. */
static void take_answer(struct question *q, struct cursor *c)
{
    struct diff_other *o = &q->entry->other;

    if (q->answer != NULL) {
        *q->answer = true;
        return;
    }
    if (o->is_there && strcmp(o->verdict, "violation") != 0)
        return;
    o->is_there = true;
    snprintf(o->verdict, sizeof(o->verdict), "%s", cursor_text(c, 4, NULL));
    snprintf(o->row, sizeof(o->row), "%s", cursor_text(c, 5, NULL));
    snprintf(o->outcome, sizeof(o->outcome), "%s", cursor_text(c, 6, NULL));
}

/* Rows with the four parts of a key, and verdict, row and outcome. */
static int answer_from(struct questions *q, struct diff_side *side, char letter, const char *sql, struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(side->report->reader, sql, &side->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    while ((rc = cursor_next(c, reterr)) == 1) {
        struct question wanted = {.key = join(letter, cursor_text(c, 0, NULL), cursor_text(c, 1, NULL), cursor_text(c, 2, NULL), cursor_text(c, 3, NULL))};
        struct question *found = wanted.key != NULL ? bsearch(&wanted, q->items, q->n, sizeof(wanted), by_key) : NULL;

        if (wanted.key == NULL) {
            rc = err_set(reterr, -ENOMEM, "out of memory");
            break;
        }
        while (found != NULL && found > q->items && strcmp(found[-1].key, wanted.key) == 0)
            found--;
        for (; found != NULL && found < q->items + q->n && strcmp(found->key, wanted.key) == 0; found++)
            take_answer(found, c);
        free(wanted.key);
    }
    cursor_free(c);
    return rc < 0 ? rc : 0;
}

static int answer(struct questions *q, struct diff_side *side, struct err *reterr)
{
    static const struct {
        char letter;
        const char *sql;
    } sources[] = {
        {'f', "SELECT ifnull(client, client_name), ifnull(server, server_name), transport, server_port, verdict, row_id, outcome"
              " FROM conversations WHERE run_id = ?1"},
        {'x', "SELECT row_id, coalesce(client, client_name), '', '', '', row_id, group_concat(DISTINCT outcome) FROM expectations"
              " WHERE run_id = ?1 GROUP BY 1, 2"},
        {'h', "SELECT address, '', '', '', '', '', '' FROM hosts WHERE run_id = ?1"},
        {'n', "SELECT DISTINCT name, '', '', '', '', '', '' FROM hosts WHERE run_id = ?1 AND name IS NOT NULL"},
    };
    int rc = 0;

    if (q->n > 1)
        qsort(q->items, q->n, sizeof(*q->items), by_key);
    for (size_t i = 0; rc == 0 && q->n > 0 && i < sizeof(sources) / sizeof(sources[0]); i++)
        rc = answer_from(q, side, sources[i].letter, sources[i].sql, reterr);
    return rc;
}

static int look_up(struct report_diff *d, enum diff_what what, struct diff_side *side, struct err *reterr)
{
    struct diff_list *lists[] = {&d->findings, &d->expectations};
    struct questions q = {0};
    int rc = 0;

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; rc == 0 && i < lists[k]->n; i++)
            if (lists[k]->items[i].what == what)
                rc = ask_about(&q, &lists[k]->items[i]);
    rc = rc == 0 ? answer(&q, side, reterr) : err_set(reterr, rc, "out of memory");
    for (size_t i = 0; i < q.n; i++)
        free(q.items[i].key);
    free(q.items);
    return rc;
}

/* --- which changes bear on an entry ---------------------------------------------------------------------------------- */

/* What the rows depend on, by row: conditions and ports of both audits, in which options and parameters are named. */
struct row_words {
    char *row, *words;
};
struct rows {
    struct row_words *items;
    size_t n;
};

static int read_rows(struct rows *rows, struct diff_side *side, struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(side->report->reader, "SELECT row_id, ifnull(condition, '') || ' ' || ifnull(ports, '') FROM \"rows\" WHERE run_id = ?1",
                          &side->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    while ((rc = cursor_next(c, reterr)) == 1) {
        struct row_words *items = realloc(rows->items, (rows->n + 1) * sizeof(*items));

        if (items == NULL)
            break;
        rows->items = items;
        items[rows->n] = (struct row_words){strdup(cursor_text(c, 0, NULL)), strdup(cursor_text(c, 1, NULL))};
        rows->n++;
        if (items[rows->n - 1].row == NULL || items[rows->n - 1].words == NULL)
            break;
    }
    cursor_free(c);
    return rc == 1 ? err_set(reterr, -ENOMEM, "out of memory") : rc;
}

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = text; (p = strstr(p, word)) != NULL; p++) {
        bool starts = p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');
        bool ends = !(isalnum((unsigned char)p[len]) || p[len] == '_');

        if (starts && ends)
            return true;
    }
    return false;
}

static bool is_row(const struct diff_entry *e, const char *row)
{
    return (e->old != NULL && strcmp(e->old->text[D_ROW], row) == 0) || (e->new != NULL && strcmp(e->new->text[D_ROW], row) == 0) ||
           (e->other.is_there && strcmp(e->other.row, row) == 0);
}

static bool rows_name(const struct rows *rows, const struct diff_entry *e, const char *word)
{
    for (size_t i = 0; i < rows->n; i++)
        if (is_row(e, rows->items[i].row) && has_word(rows->items[i].words, word))
            return true;
    return false;
}

static bool in_host(const struct site *site, const char *name, const char *address)
{
    struct addr a;

    if (site == NULL || addr_parse(address, &a) != 0)
        return false;
    for (size_t i = 0; i < site->n_hosts; i++)
        for (size_t k = 0; strcmp(site->hosts[i].name.text, name) == 0 && k < site->hosts[i].n_ranges; k++)
            if (addr_range_contains(&site->hosts[i].ranges[k], &a))
                return true;
    return false;
}

static bool is_host(const struct report_diff *d, const struct diff_entry *e, const char *name)
{
    const struct diff_item *items[] = {e->old, e->new};

    for (int i = 0; i < 2; i++) {
        if (items[i] == NULL)
            continue;
        for (int end = 0; end < 2; end++)
            if (strcmp(items[i]->text[D_CLIENT_NAME + end], name) == 0 ||
                in_host(d->side[0].site, name, items[i]->text[D_CLIENT + end]) || in_host(d->side[1].site, name, items[i]->text[D_CLIENT + end]))
                return true;
    }
    return false;
}

static bool is_ignored(const struct diff_entry *e, const char *range)
{
    const struct diff_item *item = item_of(e);
    struct addr_range r;
    struct addr a;

    if (addr_range_parse(range, &r) != 0)
        return false;
    for (int end = D_CLIENT; end <= D_SERVER; end++)
        if (addr_parse(item->text[end], &a) == 0 && addr_range_contains(&r, &a))
            return true;
    return false;
}

/* Is it about an expectation, rather than about a flow? */
static bool is_required(const struct diff_entry *e)
{
    return item_of(e)->text[D_TRANSPORT][0] == '\0' && item_of(e)->text[D_ROW][0] != '\0';
}

static bool bears_on(const struct report_diff *d, const struct rows *rows, const struct diff_change *c, const struct diff_entry *e)
{
    bool waived_differs = e->old != NULL && e->new != NULL && strcmp(e->old->text[D_WAIVED], e->new->text[D_WAIVED]) != 0;

    switch (c->kind) {
    case CHANGE_ROW:
        return is_row(e, c->name);
    case CHANGE_OPTION:
    case CHANGE_PARAMETER:
        return rows_name(rows, e, c->name);
    case CHANGE_HOST:
        return is_host(d, e, c->name);
    case CHANGE_EXPECT:
        return is_required(e) && is_row(e, c->name);
    case CHANGE_IGNORE:
        return is_ignored(e, c->name);
    case CHANGE_EXCEPTION:
        return waived_differs && (has_word(e->old->text[D_WAIVED], c->name) || has_word(e->new->text[D_WAIVED], c->name));
    case CHANGE_WITHIN:
        return is_required(e);
    default:
        return true;
    }
}

/* --- in words ---------------------------------------------------------------------------------------------------- */

static void put_change(FILE *out, const struct diff_change *c)
{
    fprintf(out, "%s %s: %s -> %s", diff_change_names[c->kind], c->name, c->was != NULL ? c->was : "(not there)",
            c->is != NULL ? c->is : "(not there)");
}

/* The changes that bear on it, or 'all' of the documents; returns how many, and whether the matrix is among them. */
static size_t put_changes(const struct report_diff *d, const struct rows *rows, const struct diff_entry *e, bool all, FILE *out, bool *ret_matrix)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_changes; i++) {
        const struct diff_change *c = &d->changes[i];

        if (!all && !bears_on(d, rows, c, e))
            continue;
        if (n++ > 0)
            fputs("; ", out);
        *ret_matrix = *ret_matrix || c->kind == CHANGE_MATRIX || c->kind == CHANGE_ROW;
        put_change(out, c);
    }
    return n;
}

static void put_traffic(const struct diff_entry *e, FILE *out)
{
    const char *audit = e->what == DIFF_NEW ? "old" : "new";
    const struct diff_other *o = &e->other;

    if (e->what == DIFF_CHANGED && strcmp(e->old->text[D_WAIVED], e->new->text[D_WAIVED]) != 0)
        fputs("an exception began to cover it, or ceased to at its end", out);
    else if (e->what == DIFF_CHANGED)
        fprintf(out, "outcome %s -> %s", e->old->text[D_OUTCOME], e->new->text[D_OUTCOME]);
    else if (is_required(e) && o->is_there)
        fprintf(out, "in the %s audit it was %s", audit, o->outcome);
    else if (o->is_there)
        fprintf(out, "the %s audit has flows of this service, %s and %s", audit, o->verdict, o->outcome);
    else
        fprintf(out, "the %s audit has no such flow", audit);
}

/* The documents are the cause where both audits saw the same, or where what is required is not in both. */
static bool documents_may_be(const struct diff_entry *e)
{
    if (e->what == DIFF_CHANGED || strcmp(item_of(e)->text[D_KIND], "site") == 0)
        return true;
    if (is_required(e))
        return !e->other.is_there || strstr(e->other.outcome, "not-covered") != NULL;
    return e->other.is_there;
}

static int explain(const struct report_diff *d, const struct rows *rows, struct diff_entry *e)
{
    size_t size, n = 0;
    bool matrix = false;
    FILE *out = open_memstream(&e->why, &size);

    if (out == NULL)
        return -ENOMEM;
    if (documents_may_be(e)) {
        bool all = strcmp(item_of(e)->text[D_KIND], "site") == 0;

        n = put_changes(d, rows, e, all, out, &matrix);
        if (n == 0 && is_required(e) && !e->other.is_there)
            n = put_changes(d, rows, e, true, out, &matrix);
    }
    if (n == 0)
        put_traffic(e, out);
    e->cause = n == 0 ? "traffic" : matrix ? "matrix" : "site";
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

/* A finding that is gone: is that good news? */
static int cover(const struct report_diff *d, struct diff_entry *e)
{
    const struct diff_item *i = e->old;
    const char *client = i->text[D_CLIENT_NAME][0] != '\0' ? i->text[D_CLIENT_NAME] : i->text[D_CLIENT];
    const char *server = i->text[D_SERVER_NAME][0] != '\0' ? i->text[D_SERVER_NAME] : i->text[D_SERVER];
    const char *weak = report_incomplete(&d->side[1].summary) || d->side[1].summary.n_losses > 0 ? " Its evidence is not complete." : "";
    int n;

    if (strcmp(i->text[D_KIND], "site") == 0)
        return 0;
    if (e->other.is_there && !is_required(e)) {
        e->covered = "yes";
        n = asprintf(&e->coverage, "The new audit saw this flow: %s%s%s, %s.%s", e->other.verdict, e->other.row[0] != '\0' ? " by row " : "",
                     e->other.row, e->other.outcome, weak);
    } else if (e->other.is_there) {
        e->covered = strstr(e->other.outcome, "not-covered") != NULL ? "no" : "yes";
        n = asprintf(&e->coverage, "The new audit found: %s.%s", e->other.outcome, weak);
    } else if (e->saw_client && e->saw_server) {
        e->covered = *weak != '\0' ? "partly" : "yes";
        n = asprintf(&e->coverage, "The new audit saw both hosts, and no such flow.%s", weak);
    } else if (e->saw_client || e->saw_server) {
        e->covered = "partly";
        n = asprintf(&e->coverage, "The new audit saw %s, but not %s.%s", e->saw_client ? client : server, e->saw_client ? server : client, weak);
    } else {
        e->covered = "no";
        n = asprintf(&e->coverage, "The new audit saw neither host: it could not have seen the flow.%s", weak);
    }
    return n >= 0 ? 0 : -ENOMEM;
}

static int explain_list(const struct report_diff *d, const struct rows *rows, struct diff_list *list)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        struct diff_entry *e = &list->items[i];

        if (e->what != DIFF_SAME)
            rc = explain(d, rows, e);
        if (rc == 0 && e->what == DIFF_GONE)
            rc = cover(d, e);
    }
    return rc;
}

int diff_explain(struct report_diff *d, struct err *reterr)
{
    struct rows rows = {0};
    int rc = look_up(d, DIFF_NEW, &d->side[0], reterr);

    if (rc == 0)
        rc = look_up(d, DIFF_GONE, &d->side[1], reterr);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = read_rows(&rows, &d->side[i], reterr);
    if (rc == 0 && ((rc = explain_list(d, &rows, &d->findings)) != 0 || (rc = explain_list(d, &rows, &d->expectations)) != 0))
        err_set(reterr, rc, "out of memory");
    for (size_t i = 0; i < rows.n; i++) {
        free(rows.items[i].row);
        free(rows.items[i].words);
    }
    free(rows.items);
    return rc;
}
