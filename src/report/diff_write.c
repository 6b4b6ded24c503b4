/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as text for a terminal, and as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "text.h"

#define MOST_ENTRIES 100 /* of one list, unless all are asked for */

static const char *end_of(const struct diff_item *i, int end, const char *nobody, char buf[static TEXT_SIZE])
{
    struct addr a;
    const char *text = i->text[D_CLIENT + end], *name = i->text[D_CLIENT_NAME + end];

    return text_host(name, addr_parse(text, &a) == 0 || strchr(text, '/') != NULL ? text : strcmp(text, name) == 0 ? "" : text, nobody, buf);
}

char *diff_title(const struct diff_item *i)
{
    char client[TEXT_SIZE], server[TEXT_SIZE], *title = NULL;
    const char *const *t = i->text;
    bool flow = t[D_TRANSPORT][0] != '\0', pair = t[D_CLIENT][0] != '\0' || t[D_SERVER][0] != '\0' || flow;
    int n;

    end_of(i, 0, "several clients", client);
    end_of(i, 1, flow ? "several servers" : "any server of the row", server);
    if (!pair)
        n = asprintf(&title, "%s", t[D_KIND]);
    else if (flow)
        n = asprintf(&title, "%s: %s -> %s %s/%s%s%s%s", t[D_KIND], client, server, t[D_TRANSPORT],
                     t[D_PORT][0] != '\0' ? t[D_PORT] : "many ports", t[D_PROTOCOL][0] != '\0' ? " (" : "", t[D_PROTOCOL],
                     t[D_PROTOCOL][0] != '\0' ? ")" : "");
    else
        n = asprintf(&title, "%s: %s -> %s%s%s", t[D_KIND], client, server, t[D_ROW][0] != '\0' ? ", row " : "", t[D_ROW]);
    return n >= 0 ? title : NULL;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

struct out {
    struct page page;
    bool verbose;
};

static void put_field(struct page *p, const struct diff_entry *e, enum diff_field field, const char *word)
{
    const char *was = e->old->text[field], *is = e->new->text[field];

    if (strcmp(was, is) != 0)
        page_par(p, STYLE_PLAIN, 6, 8, "%s: %s -> %s", word, was[0] != '\0' ? was : "none", is[0] != '\0' ? is : "none");
}

static void put_entry(struct page *p, const struct diff_entry *e)
{
    static const enum style styles[] = {STYLE_BAD, STYLE_GOOD, STYLE_WARN, STYLE_PLAIN};
    static const char signs[] = "+-~=";
    const struct diff_item *i = e->new != NULL ? e->new : e->old;
    char *title = diff_title(i);

    if (title == NULL) {
        p->failed = true;
        return;
    }
    page_par(p, styles[e->what], 2, 6, "%c %s%s%s", signs[e->what], i->text[D_SEVERITY], i->text[D_SEVERITY][0] != '\0' ? " " : "", title);
    free(title);
    if (e->what == DIFF_NEW || (e->what == DIFF_GONE && strcmp(i->text[D_KIND], "site") == 0))
        page_par(p, STYLE_PLAIN, 6, 6, "%s", i->text[D_REASON]);
    if (e->what == DIFF_CHANGED) {
        put_field(p, e, D_KIND, "kind");
        put_field(p, e, D_ROW, "row");
        put_field(p, e, D_SEVERITY, "severity");
        put_field(p, e, D_OUTCOME, "outcome");
        put_field(p, e, D_WAIVED, "waived by");
        put_field(p, e, D_CLIENT_NAME, "client's name");
        put_field(p, e, D_SERVER_NAME, "server's name");
    }
    if (e->why != NULL)
        page_par(p, STYLE_PLAIN, 6, 8, "%s changed: %s", e->cause, e->why);
    if (e->coverage != NULL)
        page_par(p, STYLE_PLAIN, 6, 8, "%s", e->coverage);
}

static void put_list(struct out *o, const struct diff_list *list, const char *heading)
{
    uint64_t left_out = 0, shown[DIFF_SAME + 1] = {0};
    char count[32];

    if (list->n == diff_count(list, DIFF_SAME) && !o->verbose)
        return;
    page_heading(&o->page, heading);
    for (size_t i = 0; i < list->n; i++) {
        const struct diff_entry *e = &list->items[i];

        if (e->what == DIFF_SAME && !o->verbose)
            continue;
        if (++shown[e->what] > MOST_ENTRIES && !o->verbose)
            left_out++;
        else
            put_entry(&o->page, e);
    }
    if (left_out > 0)
        page_par(&o->page, STYLE_PLAIN, 2, 2, "%s further ones are left out here; --verbose has all.", text_count(left_out, count));
}

static void put_counts(struct page *p, const struct diff_list *list, const char *what)
{
    char n[4][32];

    page_par(p, STYLE_PLAIN, 0, 2, "%s: %s new, %s gone, %s changed, %s persisting", what, text_count(diff_count(list, DIFF_NEW), n[0]),
             text_count(diff_count(list, DIFF_GONE), n[1]), text_count(diff_count(list, DIFF_CHANGED), n[2]),
             text_count(diff_count(list, DIFF_SAME), n[3]));
}

static void put_documents(struct page *p, const struct report_diff *d)
{
    if (d->n_changes > 0)
        page_heading(p, "WHAT THE SITE AND THE MATRIX SAY OTHERWISE");
    for (size_t i = 0; i < d->n_changes; i++) {
        const struct diff_change *c = &d->changes[i];

        page_par(p, STYLE_PLAIN, 2, 6, "%c %s %s: %s%s%s", c->was == NULL ? '+' : c->is == NULL ? '-' : '~', diff_change_names[c->kind], c->name,
                 c->was != NULL ? c->was : "", c->was != NULL && c->is != NULL ? " -> " : "", c->is != NULL ? c->is : "");
    }
}

static int write_text(const struct report_diff *d, const struct report_query *q, FILE *f, struct err *reterr)
{
    struct out o = {.verbose = q->verbose};

    page_init(&o.page, f, q->width, q->color);
    for (int i = 0; i < 2; i++)
        page_par(&o.page, STYLE_DIM, 0, 5, "%s: %s, run %" PRId64 ", %s%s", i == 0 ? "old" : "new", d->side[i].report->path, d->side[i].run_id,
                 d->side[i].started, report_incomplete(&d->side[i].summary) ? "; its evidence is incomplete" : "");
    put_counts(&o.page, &d->findings, "findings");
    put_counts(&o.page, &d->expectations, "expected flows");
    put_documents(&o.page, d);
    put_list(&o, &d->findings, "FINDINGS");
    put_list(&o, &d->expectations, "EXPECTED FLOWS");
    return o.page.failed ? err_set(reterr, -ENOMEM, "out of memory") : 0;
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void put_member(FILE *f, const char *separator, const char *name, const char *text)
{
    fprintf(f, "%s\"%s\": ", separator, name);
    if (text == NULL || text[0] == '\0')
        fputs("null", f);
    else
        json_string(f, text, strlen(text));
}

static void put_item(FILE *f, const char *name, const struct diff_item *i)
{
    static const char *const names[D_N] = {"kind",        "row_id",      "client",   "server",  "transport",   "server_port", "protocol", NULL,
                                           "client_name", "server_name", "severity", "outcome", "disposition", "waived_by",   "reason"};

    fprintf(f, ", \"%s\": ", name);
    if (i == NULL) {
        fputs("null", f);
        return;
    }
    fprintf(f, "{\"id\": %" PRId64 ", \"like\": %" PRId64 ", \"flows\": %" PRId64, i->id, i->n, i->flows);
    for (int k = 0; k < D_N; k++)
        if (names[k] != NULL)
            put_member(f, ", ", names[k], i->text[k]);
    putc('}', f);
}

static void put_array(FILE *f, const char *name, const struct diff_list *list)
{
    fprintf(f, ",\n  \"%s\": [", name);
    for (size_t i = 0; i < list->n; i++) {
        const struct diff_entry *e = &list->items[i];

        fprintf(f, "%s\n    {\"what\": \"%s\"", i > 0 ? "," : "", diff_what_name(e->what));
        put_member(f, ", ", "cause", e->cause);
        put_member(f, ", ", "why", e->why);
        put_member(f, ", ", "covered", e->covered);
        put_member(f, ", ", "coverage", e->coverage);
        put_item(f, "old", e->old);
        put_item(f, "new", e->new);
        putc('}', f);
    }
    fputs(list->n > 0 ? "\n  ]" : "]", f);
}

static int write_json(const struct report_diff *d, FILE *f)
{
    fputs("{\n  \"flowaudit_diff\": 1", f);
    for (int i = 0; i < 2; i++) {
        const struct diff_side *s = &d->side[i];

        fprintf(f, ",\n  \"%s\": {\"run_id\": %" PRId64, i == 0 ? "old" : "new", s->run_id);
        put_member(f, ", ", "file", s->report->path);
        put_member(f, ", ", "started", s->started);
        put_member(f, ", ", "site_sha256", s->site_sha256);
        put_member(f, ", ", "matrix_sha256", s->matrix_sha256);
        fprintf(f, ", \"complete\": %s}", report_incomplete(&s->summary) ? "false" : "true");
    }
    fputs(",\n  \"changes\": [", f);
    for (size_t i = 0; i < d->n_changes; i++) {
        put_member(f, i > 0 ? ",\n    {" : "\n    {", "what", diff_change_names[d->changes[i].kind]);
        put_member(f, ", ", "name", d->changes[i].name);
        put_member(f, ", ", "was", d->changes[i].was);
        put_member(f, ", ", "is", d->changes[i].is);
        putc('}', f);
    }
    fputs(d->n_changes > 0 ? "\n  ]" : "]", f);
    put_array(f, "findings", &d->findings);
    put_array(f, "expectations", &d->expectations);
    fputs("\n}\n", f);
    return 0;
}

int report_diff_write(const struct report_diff *d, enum report_format format, const struct report_query *query, FILE *out, struct err *reterr)
{
    errno = 0;
    int rc = format == REPORT_JSON   ? write_json(d, out)
             : format == REPORT_TEXT ? write_text(d, query, out, reterr)
                                     : err_set(reterr, -EINVAL, "a comparison is written as text or json");
    if (rc == 0 && (fflush(out) != 0 || ferror(out)))
        rc = err_set(reterr, -EIO, "cannot write the comparison: %s", strerror(errno != 0 ? errno : EIO));
    return rc;
}
