/* SPDX-License-Identifier: Apache-2.0 */
/* The result for each section of the document, in the document's order. */
#include "sections.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

/*
 * Media that goes both ways is one conversation, told under the row of its first direction: where the document has the same row the other way in another
 * section, it counts there too, and a finding of it leaves open which of its ways is amiss.
 */
const char section_sql[] =
    "WITH r AS MATERIALIZED (SELECT row_id, coalesce(section, '') AS section, position, enabled FROM \"rows\" WHERE "
    "run_id = ?1),"
    " m AS (SELECT a.row_id, b.section FROM \"rows\" a JOIN \"rows\" b ON b.run_id = a.run_id AND b.from_roles = a.to_roles AND b.to_roles = a.from_roles"
    "  AND b.ports = a.ports AND b.service = a.service AND b.protocols = a.protocols AND b.section <> a.section"
    "  WHERE a.run_id = ?1 AND b.enabled AND a.protocols LIKE '%RTP%'),"
    " b AS (SELECT section, sum(amiss) AS amiss, sum(NOT amiss) AS permitted FROM ("
    "  SELECT m.section, 1 AS amiss FROM m JOIN findings g ON g.row_id = m.row_id AND g.run_id = ?1 JOIN conversations v ON v.run_id = ?1 AND v.conversation_id = g.conversation_id"
    "   WHERE g.waived_by IS NULL AND g.severity <> 'notice' AND v.transport = 'udp' AND v.outcome = 'established'"
    "  UNION ALL SELECT m.section, 0 FROM conversations v CROSS JOIN m ON v.row_id = m.row_id" /* in this order: the conversations are many */
    "   WHERE v.run_id = ?1 AND v.verdict = 'allowed' AND v.transport = 'udp' AND v.outcome = 'established' AND v.disposition IS 'permitted') GROUP BY section),"
    " c AS (SELECT r.section, sum(v.disposition IS 'permitted') AS permitted, sum(v.outcome = 'one-way' AND coalesce(v.disposition, '') = '') AS untold"
    "  FROM conversations v JOIN r ON r.row_id = v.row_id WHERE v.run_id = ?1 AND v.verdict = 'allowed' GROUP BY r.section),"
    " e AS (SELECT r.section, sum(x.outcome = 'seen') AS seen, sum(x.outcome = 'never-attempted') AS missing,"
    "  sum(x.outcome IN ('refused', 'prohibited', 'unanswered')) AS misdropped,"
    "  sum(x.outcome = 'not-covered') AS not_covered, sum(x.outcome = 'one-way') AS one_way FROM requirements x JOIN r ON r.row_id = x.row_id"
    "  WHERE x.run_id = ?1 GROUP BY r.section),"
    " f AS (SELECT coalesce(section, '') AS section, sum(kind <> 'site') AS findings, sum(kind = 'site') AS site, sum(disposition IS 'escaped') AS escaped,"
    "  sum(disposition IS 'rejected') AS rejected, sum(outcome IS 'one-way' AND coalesce(disposition, '') = '') AS one_way,"
    "  sum(outcome IS 'unanswered' AND coalesce(disposition, '') = '') AS unanswered FROM findings"
    "  WHERE run_id = ?1 AND waived_by IS NULL AND severity <> 'notice' GROUP BY 1),"
    " s AS (SELECT section, min(position) AS position, sum(enabled) AS enabled FROM r GROUP BY section"
    "  UNION ALL SELECT section, 1 << 40, 1 FROM f WHERE section NOT IN (SELECT section FROM r))"
    " SELECT s.section, s.enabled, coalesce(f.findings, 0), coalesce(c.permitted, 0) + coalesce(b.permitted, 0), coalesce(f.escaped, 0),"
    " coalesce(f.rejected, 0), coalesce(e.misdropped, 0), coalesce(e.missing, 0), coalesce(e.not_covered, 0), coalesce(e.one_way, 0) + coalesce(f.one_way, 0), "
    "coalesce(e.seen, 0), coalesce(f.site, 0), coalesce(c.untold, 0), coalesce(f.unanswered, 0), coalesce(b.amiss, 0)"
    " FROM s LEFT JOIN c ON c.section = s.section LEFT JOIN e ON e.section = s.section"
    " LEFT JOIN f ON f.section = s.section LEFT JOIN b ON b.section = s.section ORDER BY s.position, s.section";

/* 'Conforms' claims that nothing else happened, so it needs whole evidence, and a site file that names the hosts. */
enum section_result section_result(const struct report_summary *summary, struct cursor *c)
{
    if (cursor_integer(c, SECTION_FINDINGS) + cursor_integer(c, SECTION_MISDROPPED) +
            cursor_integer(c, SECTION_MISSING) >
        0)
        return SECTION_FAILS;
    if (cursor_integer(c, SECTION_ENABLED) == 0)
        return SECTION_OFF;
    if (report_incomplete(summary) || report_shows_nothing(summary) || cursor_integer(c, SECTION_NOT_COVERED) + cursor_integer(c, SECTION_ONE_WAY) + cursor_integer(c, SECTION_SITE) + cursor_integer(c, SECTION_OTHER_WAY) > 0)
        return SECTION_UNKNOWN;
    if (cursor_integer(c, SECTION_PERMITTED) == 0 && cursor_integer(c, SECTION_SEEN) == 0)
        return cursor_integer(c, SECTION_UNTOLD) > 0 ? SECTION_UNKNOWN : SECTION_UNSEEN;
    return SECTION_CONFORMS;
}

const char *section_result_words(enum section_result r)
{
    static const char *const words[SECTION_N_RESULTS] = {
        [SECTION_FAILS] = "does not conform", [SECTION_UNKNOWN] = "cannot be determined",
        [SECTION_CONFORMS] = "conforms",      [SECTION_UNSEEN] = "no flow of this section was seen to get through",
        [SECTION_OFF] = "switched off",
    };

    return words[r];
}

const char *section_name(struct cursor *c)
{
    const char *name = cursor_text(c, SECTION_NAME, NULL);

    return name[0] != '\0' ? name : "No section of the document speaks of these";
}

const char *section_counts(struct cursor *c, bool all, char buf[static 400])
{
    static const struct {
        int column;
        const char *word;
    } counts[] = {
        {SECTION_PERMITTED, "permitted"},   {SECTION_ESCAPED, "escaped"}, {SECTION_REJECTED, "rejected"},
        {SECTION_MISDROPPED, "misdropped"}, {SECTION_MISSING, "missing"}, {SECTION_NOT_COVERED, "not covered"},
        {SECTION_ONE_WAY, "one-way"},       {SECTION_UNANSWERED, "unanswered"}, {SECTION_OTHER_WAY, "told under the section of the other way"},
    };
    char count[32];
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = all ? 0 : 1; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t n = cursor_integer(c, counts[i].column);

        if (n > 0)
            len += (size_t)snprintf(buf + len, 400 - len, "%s%s %s", len > 0 ? ", " : "",
                                    text_count((uint64_t)n, count), counts[i].word);
    }
    if (len == 0 && cursor_integer(c, SECTION_FINDINGS) > 0) /* of signs of a filter, say */
        snprintf(buf, 400, "%s %s", text_count((uint64_t)cursor_integer(c, SECTION_FINDINGS), count),
                 text_plural((uint64_t)cursor_integer(c, SECTION_FINDINGS), "finding", "findings"));
    else if (cursor_integer(c, SECTION_SITE) > 0)
        snprintf(buf + len, 400 - len, "%sthe site file is incomplete for it", len > 0 ? ", " : "");
    if (len == 0 && buf[0] == '\0' && cursor_integer(c, SECTION_UNTOLD) > 0)
        snprintf(buf, 400, "%s one-way", text_count((uint64_t)cursor_integer(c, SECTION_UNTOLD), count));
    return buf;
}

static void put_section(void *aux, struct cursor *c)
{
    static const enum style styles[SECTION_N_RESULTS] = {
        [SECTION_FAILS] = STYLE_BAD,
        [SECTION_UNKNOWN] = STYLE_WARN,
        [SECTION_CONFORMS] = STYLE_GOOD,
    };
    struct text *t = aux;
    char counts[400];
    enum section_result result = section_result(t->summary, c);

    if (t->n_shown++ == 0)
        page_heading(&t->page, "RESULT BY SECTION");
    section_counts(c, true, counts);
    page_par(&t->page, STYLE_PLAIN, 2, 4, "%s", section_name(c));
    page_par(&t->page, styles[result], 4, 6, "%s%s%s", section_result_words(result), counts[0] != '\0' ? ": " : "",
             counts);
}

int text_sections(struct text *t, struct err *reterr)
{
    t->n_shown = 0;
    int rc = report_each(t->job, section_sql, put_section, t, reterr);
    t->n_shown = 0;
    return rc;
}
