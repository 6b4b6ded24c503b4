/* SPDX-License-Identifier: Apache-2.0 */
/* The result for each section of the document, in the document's order. */
#include <inttypes.h>
#include <string.h>

#include "text.h"

static const char section_sql[] =
    "WITH r AS MATERIALIZED (SELECT row_id, coalesce(section, '') AS section, position, enabled FROM \"rows\" WHERE "
    "run_id = ?1),"
    " c AS (SELECT r.section, count(*) AS permitted FROM conversations v JOIN r ON r.row_id = v.row_id"
    "  WHERE v.run_id = ?1 AND v.disposition = 'permitted' GROUP BY r.section),"
    " e AS (SELECT r.section, sum(x.outcome = 'seen') AS seen, sum(x.outcome = 'never-attempted') AS missing,"
    "  sum(x.outcome IN ('refused', 'prohibited', 'unanswered')) AS misdropped,"
    "  sum(x.outcome IN ('not-covered', 'one-way')) AS open FROM expectations x JOIN r ON r.row_id = x.row_id"
    "  WHERE x.run_id = ?1 GROUP BY r.section),"
    " f AS (SELECT coalesce(section, '') AS section, count(*) AS findings, sum(disposition IS 'escaped') AS escaped,"
    "  sum(disposition IS 'rejected') AS rejected FROM findings"
    "  WHERE run_id = ?1 AND waived_by IS NULL AND severity <> 'notice' GROUP BY 1),"
    " s AS (SELECT section, min(position) AS position, sum(enabled) AS enabled FROM r GROUP BY section"
    "  UNION ALL SELECT section, 1 << 40, 1 FROM f WHERE section NOT IN (SELECT section FROM r))"
    " SELECT s.section, s.enabled, coalesce(f.findings, 0), coalesce(c.permitted, 0), coalesce(f.escaped, 0),"
    " coalesce(f.rejected, 0), coalesce(e.misdropped, 0), coalesce(e.missing, 0), coalesce(e.open, 0), "
    "coalesce(e.seen, 0)"
    " FROM s LEFT JOIN c ON c.section = s.section LEFT JOIN e ON e.section = s.section"
    " LEFT JOIN f ON f.section = s.section ORDER BY s.position, s.section";

enum { S_NAME, S_ENABLED, S_FINDINGS, S_PERMITTED, S_ESCAPED, S_REJECTED, S_MISDROPPED, S_MISSING, S_OPEN, S_SEEN };

/* 'Conforms' claims that nothing else happened, so it needs whole evidence. */
static const char *result_of(const struct text *t, struct cursor *c, enum style *ret_style)
{
    *ret_style = STYLE_PLAIN;
    if (cursor_integer(c, S_FINDINGS) + cursor_integer(c, S_MISDROPPED) + cursor_integer(c, S_MISSING) > 0) {
        *ret_style = STYLE_BAD;
        return "does not conform";
    }
    if (cursor_integer(c, S_ENABLED) == 0)
        return "switched off";
    if (report_incomplete(t->summary) || cursor_integer(c, S_OPEN) > 0) {
        *ret_style = STYLE_WARN;
        return "cannot be determined";
    }
    if (cursor_integer(c, S_PERMITTED) == 0 && cursor_integer(c, S_SEEN) == 0)
        return "nothing seen";
    *ret_style = STYLE_GOOD;
    return "conforms";
}

static void put_section(void *aux, struct cursor *c)
{
    static const struct {
        int column;
        const char *word;
    } counts[] = {
        {S_PERMITTED, "permitted"},   {S_ESCAPED, "escaped"}, {S_REJECTED, "rejected"},
        {S_MISDROPPED, "misdropped"}, {S_MISSING, "missing"}, {S_OPEN, "not covered"},
    };
    struct text *t = aux;
    char line[400] = "", count[32];
    size_t len = 0;
    enum style style;
    const char *result = result_of(t, c, &style), *name = cursor_text(c, S_NAME, NULL);

    if (t->n_shown++ == 0)
        page_heading(&t->page, "RESULT BY SECTION");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t n = cursor_integer(c, counts[i].column);

        if (n > 0)
            len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s %s", len > 0 ? ", " : ": ",
                                    text_count((uint64_t)n, count), counts[i].word);
    }
    page_par(&t->page, STYLE_PLAIN, 2, 4, "%s", name[0] != '\0' ? name : "(outside the sections)");
    page_par(&t->page, style, 4, 6, "%s%s", result, line);
}

int text_sections(struct text *t, struct err *reterr)
{
    t->n_shown = 0;
    int rc = report_each(t->job, section_sql, put_section, t, reterr);
    t->n_shown = 0;
    return rc;
}
