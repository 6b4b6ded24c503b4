/* SPDX-License-Identifier: Apache-2.0 */
/* The section that compares with an earlier audit. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "html.h"

#define MOST_ROWS 300 /* of one table */

static void put_documents(struct html *h, const struct report_diff *d)
{
    if (d->n_changes == 0) {
        html_par(h, "none", "The site file and the matrix say the same as then.");
        return;
    }
    html_put(h, "<h3>What the site and the matrix say otherwise</h3>\n<div class=scroll><table><thead><tr><th>What<th>Name<th>Then<th>Now"
                "</thead><tbody>\n");
    for (size_t i = 0; i < d->n_changes; i++) {
        const struct diff_change *c = &d->changes[i];

        html_put(h, "<tr><td>%s<td>", diff_change_names[c->kind]);
        html_text(h, c->name);
        html_put(h, "<td>");
        html_text(h, c->was != NULL ? c->was : "(not there)");
        html_put(h, "<td>");
        html_text(h, c->is != NULL ? c->is : "(not there)");
        html_put(h, "\n");
    }
    html_put(h, "</tbody></table></div>\n");
}

static void put_change(struct html *h, const struct diff_entry *e, enum diff_field field, const char *word)
{
    const char *was = e->old->text[field], *is = e->new->text[field];

    if (strcmp(was, is) != 0)
        html_par(h, "", "%s: %s, was %s", word, is[0] != '\0' ? is : "none", was[0] != '\0' ? was : "none");
}

static void put_entry(struct html *h, const struct diff_entry *e)
{
    const struct diff_item *i = e->new != NULL ? e->new : e->old;
    char *title = diff_title(i);

    h->failed = h->failed || title == NULL;
    html_put(h, "<tr><td>%s<td>", diff_what_name(e->what));
    html_text(h, i->text[D_SEVERITY]);
    html_put(h, "<td>");
    html_text(h, title != NULL ? title : "");
    if (e->what == DIFF_CHANGED) {
        put_change(h, e, D_KIND, "kind");
        put_change(h, e, D_ROW, "row");
        put_change(h, e, D_SEVERITY, "severity");
        put_change(h, e, D_OUTCOME, "outcome");
        put_change(h, e, D_WAIVED, "waived by");
    }
    html_put(h, "<td>");
    if (e->why != NULL)
        html_par(h, "", "%s changed: %s", e->cause, e->why);
    if (e->coverage != NULL)
        html_par(h, "", "%s", e->coverage);
    html_put(h, "\n");
    free(title);
}

static void put_list(struct html *h, const struct diff_list *list, const char *title)
{
    uint64_t n = 0;
    char count[32];

    html_put(h, "<h3>%s</h3>\n<p>%zu new, %zu gone, %zu changed, %zu persisting.</p>\n", title, diff_count(list, DIFF_NEW),
             diff_count(list, DIFF_GONE), diff_count(list, DIFF_CHANGED), diff_count(list, DIFF_SAME));
    if (diff_count(list, DIFF_SAME) == list->n)
        return;
    html_put(h, "<div class=scroll><table><thead><tr><th>&nbsp;<th>Severity<th>What<th>Why</thead><tbody>\n");
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].what == DIFF_SAME)
            continue;
        if (n++ < MOST_ROWS)
            put_entry(h, &list->items[i]);
    }
    html_put(h, "</tbody></table></div>\n");
    if (n > MOST_ROWS)
        html_par(h, "more", "%s more are not shown here; flowaudit diff --verbose shows all.", text_count(n - MOST_ROWS, count));
}

int html_differences(struct html *h, struct err *reterr)
{
    const struct report_diff *d = h->job->query->diff;

    (void)reterr;
    if (d == NULL)
        return 0;
    html_heading(h, "differences", "Differences to an earlier audit");
    html_par(h, "", "The earlier audit is run %" PRId64 " of %s, made %s.%s", d->side[0].run_id, d->side[0].report->path, d->side[0].started,
             report_incomplete(&d->side[0].summary) ? " Its evidence is incomplete." : "");
    put_documents(h, d);
    put_list(h, &d->findings, "Findings");
    put_list(h, &d->expectations, "Expected flows");
    return 0;
}
