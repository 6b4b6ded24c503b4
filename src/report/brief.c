/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person reads in half a minute after a run: the verdict, what it rests on, the sections that do not conform,
 * the findings; everything else is counted in one line, and the last lines say where the whole is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sections.h"
#include "text.h"

#define MOST_NAMES     3  /* of inputs in one line */
#define COUNTS_COLUMNS 26 /* before the heading of a section */

/* --- words of one line ---------------------------------------------------------------------------------------- */

/* Rows of a query as one text: "a, b, c"; NULL where there is no memory. */
struct words {
    char *text;
    size_t size;
    FILE *out;
    uint64_t n;
};

static bool words_begin(struct words *w)
{
    *w = (struct words){0};
    w->out = open_memstream(&w->text, &w->size);
    return w->out != NULL;
}

static const char *separator(struct words *w)
{
    return w->n++ > 0 ? ", " : "";
}

/* A line of the words that a query gives, or nothing where it gives none; 'label' has one %s for them. */
static int put_words(struct text *t, enum style style, const char *label, const char *sql, report_row_fn *each,
                     struct err *reterr)
{
    struct words w;

    if (!words_begin(&w)) {
        t->page.failed = true;
        return 0;
    }
    int rc = report_each(t->job, sql, each, &w, reterr);
    if (fclose(w.out) != 0)
        t->page.failed = true;
    else if (rc == 0 && w.n > 0)
        page_par(&t->page, style, 0, 2, "%s%s.", label, w.text);
    free(w.text);
    return rc;
}

/* --- the verdict and what it rests on --------------------------------------------------------------------------- */

static void put_verdict(struct text *t)
{
    char verdict[1024];
    enum style style = t->summary->n_findings > 0 ? STYLE_BAD : report_incomplete(t->summary) || report_shows_nothing(t->summary) ? STYLE_WARN : STYLE_GOOD;

    page_par(&t->page, style, 0, 0, "%s", report_verdict(t->summary, verdict, sizeof(verdict)));
}

static void add_name(void *aux, struct cursor *c)
{
    struct words *w = aux;

    if (w->n < MOST_NAMES)
        fprintf(w->out, "%s%s", w->n > 0 ? ", " : "", cursor_text(c, 0, NULL));
    w->n++;
}

static void put_scope(void *aux, struct cursor *c)
{
    struct text *t = aux;
    const char *site = cursor_text(c, 0, NULL), *title = cursor_text(c, 1, NULL), *id = cursor_text(c, 2, NULL);

    page_par(&t->page, STYLE_PLAIN, 0, 2, "%s, against %s", site[0] != '\0' ? site : "a site without a name",
             title[0] != '\0' ? title
             : id[0] != '\0'  ? id
                              : "a matrix without a name");
}

enum { T_PACKETS, T_DECODED, T_FIRST, T_LAST, T_INPUTS };

static void add_totals(void *aux, struct cursor *c)
{
    struct words *w = aux;
    uint64_t packets = (uint64_t)cursor_integer(c, T_PACKETS), decoded = (uint64_t)cursor_integer(c, T_DECODED),
             left = (uint64_t)cursor_integer(c, T_INPUTS);
    char count[32], span[64];

    if (left > MOST_NAMES)
        fprintf(w->out, " and %s more", text_count(left - MOST_NAMES, count));
    fprintf(w->out, ": %s %s", text_count(packets, count), text_plural(packets, "packet", "packets"));
    if (packets == 0)
        return;
    fprintf(w->out, ", %s", text_span(cursor_text(c, T_FIRST, NULL), cursor_text(c, T_LAST, NULL), span));
    if (decoded == packets)
        fputs(", all decoded", w->out);
    else
        fprintf(w->out, ", %s decoded", text_count(decoded, count));
}

static int put_inputs(struct text *t, struct err *reterr)
{
    struct words w;

    if (!words_begin(&w)) {
        t->page.failed = true;
        return 0;
    }
    int rc = report_each(t->job, "SELECT name FROM inputs WHERE run_id = ?1 ORDER BY input_id", add_name, &w, reterr);
    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT sum(packets), sum(packets_decoded), min(first_packet), max(last_packet), count(*)"
                         " FROM inputs WHERE run_id = ?1 HAVING count(*) > 0",
                         add_totals, &w, reterr);
    char losses[TEXT_SIZE];
    text_losses(t->summary, losses, sizeof(losses));
    if (fclose(w.out) != 0)
        t->page.failed = true;
    else if (rc == 0)
        page_par(&t->page, STYLE_PLAIN, 0, 2, "%s%s%s.", w.n > 0 ? w.text : "No input was looked at", losses[0] != '\0' ? "; " : "", losses);
    free(w.text);
    return rc;
}

static void add_count(void *aux, struct cursor *c)
{
    struct words *w = aux;
    char count[32];

    fprintf(w->out, "%s%s %s", separator(w),
            cursor_type(c, 0) == CELL_NULL ? "an unknown number" : text_count((uint64_t)cursor_integer(c, 0), count),
            cursor_text(c, 1, NULL));
}

static void add_text(void *aux, struct cursor *c)
{
    struct words *w = aux;

    fprintf(w->out, "%s%s", separator(w), cursor_text(c, 0, NULL));
}

static int put_evidence(struct text *t, struct err *reterr)
{
    int rc = report_each(t->job, "SELECT site_name, matrix_title, matrix_id FROM runs WHERE run_id = ?1", put_scope, t,
                         reterr);

    if (rc == 0)
        rc = put_inputs(t, reterr);
    if (rc == 0)
        rc = put_words(t, STYLE_PLAIN, "Not decoded: ",
                       "SELECT sum(packets) AS n, CASE reason WHEN 'linktype' THEN 'linktype (of a link type that is not"
                       " decoded)' ELSE reason END FROM discards WHERE run_id = ?1 GROUP BY reason"
                       " ORDER BY n DESC, reason",
                       add_count, reterr);
    if (rc == 0)
        rc = put_words(t, STYLE_WARN, "Counted twice, for the bytes are the same: ",
                       "SELECT b.name || ' and ' || a.name FROM inputs a JOIN inputs b ON b.run_id = a.run_id"
                       " AND b.sha256 = a.sha256 AND b.input_id > a.input_id WHERE a.run_id = ?1"
                       " ORDER BY a.input_id, b.input_id LIMIT 3",
                       add_text, reterr);
    if (rc == 0)
        rc = put_words(t, STYLE_BAD, "Damaged: ",
                       "SELECT coalesce(name, '') || ' (' || damage || ')' FROM inputs WHERE run_id = ?1 AND damaged"
                       " AND NOT " REPORT_UNREAD "ORDER BY input_id LIMIT 3",
                       add_text, reterr);
    if (rc == 0)
        rc = put_words(t, STYLE_BAD, "Not read to the end: ",
                       "SELECT coalesce(name, '') || CASE WHEN damage LIKE '%: %' THEN ' (' || substr(damage, instr(damage,"
                       " ': ') + 2) || ')' ELSE '' END FROM inputs WHERE run_id = ?1 AND damaged AND " REPORT_UNREAD
                       "ORDER BY input_id LIMIT 3",
                       add_text, reterr);
    if (rc == 0)
        rc = put_words(t, STYLE_WARN, "Packets lost before the tool saw them: ",
                       "SELECT sum(packets) AS n, CASE WHEN sum(packets) IS NULL THEN 'of them (' || reason || CASE count(*) WHEN 1 THEN coalesce(': ' || detail, '') ELSE '' END || ')' ELSE reason END"
                       " FROM losses WHERE run_id = ?1 GROUP BY reason"
                       " ORDER BY n DESC, reason",
                       add_count, reterr);
    return rc;
}

/* --- sections ------------------------------------------------------------------------------------------------- */

struct tally {
    struct text *text;
    uint64_t n[SECTION_N_RESULTS];
};

static void count_section(void *aux, struct cursor *c)
{
    struct tally *tally = aux;

    tally->n[section_result(tally->text->summary, c)]++;
}

/* A heading that is too long for its line loses its middle: what tells two sections apart stands at the end. */
static void put_section_line(struct text *t, const char *counts, const char *name)
{
    char label[400];
    size_t room = 0, len = strlen(name), columns = page_columns(counts);

    snprintf(label, sizeof(label), "%-*s", COUNTS_COLUMNS, counts);
    if (columns < COUNTS_COLUMNS)
        columns = COUNTS_COLUMNS;
    if (t->page.width > columns + 4)
        room = t->page.width - columns - 4;
    if (page_columns(name) <= room) {
        page_par(&t->page, STYLE_PLAIN, 2, 4 + COUNTS_COLUMNS, "%s  %s", label, name);
        return;
    }
    if (room < len * 2 / 3 || len != page_columns(name)) { /* too little would be left, or no plain text */
        page_par(&t->page, STYLE_PLAIN, 2, 6, "%s: %s", counts, name);
        return;
    }
    size_t front = (room - 3) / 2, back = room - 3 - front;
    page_par(&t->page, STYLE_PLAIN, 2, 4 + COUNTS_COLUMNS, "%s  %.*s...%s", label, (int)front, name, name + len - back);
}

static void put_section(void *aux, struct cursor *c)
{
    struct text *t = aux;
    char counts[400];

    if (section_result(t->summary, c) == SECTION_FAILS)
        put_section_line(t, section_counts(c, false, counts), section_name(c));
}

static void put_other_sections(struct text *t, const struct tally *tally)
{
    static const char *const words[SECTION_N_RESULTS] = {
        [SECTION_UNKNOWN] = "cannot be determined",
        [SECTION_CONFORMS] = "conform",
        [SECTION_UNSEEN] = "without a flow that got through",
        [SECTION_OFF] = "switched off",
    };
    char line[256] = "", count[32];
    size_t len = 0;

    for (int r = SECTION_FAILS + 1; r < SECTION_N_RESULTS; r++)
        if (tally->n[r] > 0)
            len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s %s", len > 0 ? ", " : "",
                                    text_count(tally->n[r], count), words[r]);
    if (len > 0)
        page_par(&t->page, STYLE_PLAIN, 2, 4, "%s%s", tally->n[SECTION_FAILS] > 0 ? "The others: " : "", line);
}

static int put_sections(struct text *t, struct err *reterr)
{
    struct tally tally = {.text = t};
    int rc = report_each(t->job, section_sql, count_section, &tally, reterr);
    uint64_t total = 0;

    for (int r = 0; r < SECTION_N_RESULTS; r++)
        total += tally.n[r];
    if (rc != 0 || total == 0)
        return rc;
    page_heading(&t->page, tally.n[SECTION_FAILS] > 0 ? "SECTIONS THAT DO NOT CONFORM" : "SECTIONS");
    if (tally.n[SECTION_FAILS] > 0)
        rc = report_each(t->job, section_sql, put_section, t, reterr);
    put_other_sections(t, &tally);
    return rc;
}

/* --- what is only counted --------------------------------------------------------------------------------------- */

static int put_counts(struct text *t, struct err *reterr)
{
    static const struct {
        const char *label, *sql;
    } lines[] = {
        {"Notices: ", "SELECT count(*), kind FROM findings WHERE run_id = ?1 AND waived_by IS NULL AND severity ="
                      " 'notice' GROUP BY kind ORDER BY kind"},
        {"Waived by exceptions of the site: ",
         "SELECT count(*), 'by ' || waived_by FROM findings WHERE run_id = ?1 AND waived_by IS NOT NULL"
         " GROUP BY waived_by ORDER BY waived_by"},
        {"Expected flows of which nothing can be concluded: ",
         "SELECT count(*), outcome FROM requirements WHERE run_id = ?1 AND outcome IN ('not-covered', 'one-way')"
         " GROUP BY outcome ORDER BY outcome"},
        {"Allowed on demand, and did not get through: ",
         "SELECT count(*), 'of row ' || r.row_id FROM conversations c"
         " JOIN \"rows\" r ON r.run_id = c.run_id AND r.row_id = c.row_id WHERE c.run_id = ?1"
         " AND c.verdict = 'allowed' AND c.disposition = 'misdropped' AND r.expect = 'on-demand'"
         " GROUP BY r.row_id ORDER BY r.position"},
        {"Conversations not judged: ",
         "SELECT count(*), CASE verdict WHEN 'undocumented' THEN verdict ELSE coalesce(scope, 'out-of-scope') END AS w"
         " FROM conversations WHERE run_id = ?1 AND verdict IN ('undocumented', 'not-governed')"
         " GROUP BY w ORDER BY w"},
    };
    int rc = 0;

    putc('\n', t->page.out);
    for (size_t i = 0; rc == 0 && i < sizeof(lines) / sizeof(lines[0]); i++)
        rc = put_words(t, STYLE_PLAIN, lines[i].label, lines[i].sql, add_count, reterr);
    return rc;
}

/* As a shell takes it; NULL where there is no memory. */
static char *quoted(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:+@%=-";
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    if (path[0] == '-')
        fputs("./", out);
    if (path[0] != '\0' && path[strspn(path, plain)] == '\0') {
        fputs(path, out);
    } else {
        putc('\'', out);
        for (const char *p = path; *p != '\0'; p++)
            fputs(*p == '\'' ? "'\\''" : (const char[]){*p, '\0'}, out);
        putc('\'', out);
    }
    return fclose(out) == 0 ? text : NULL;
}

static int put_whereabouts(struct text *t, struct err *reterr)
{
    int64_t last = 0;
    char run[40] = "", *path = quoted(t->job->report->path);
    int rc = reader_number(t->job->report->reader, "SELECT max(run_id) FROM runs", NULL, 0, &last, reterr);

    if (path == NULL)
        t->page.failed = true;
    if (last != t->job->run_id)
        snprintf(run, sizeof(run), " --run %" PRId64, t->job->run_id);
    if (rc == 0 && path != NULL)
        page_par(&t->page, STYLE_BOLD, 0, 2, "Recorded as run %" PRId64 "; the full report: flowaudit report %s%s",
                 t->job->run_id, path, run);
    free(path);
    return rc;
}

int text_brief(struct text *t, struct err *reterr)
{
    put_verdict(t);
    int rc = put_evidence(t, reterr);
    if (rc == 0)
        rc = put_sections(t, reterr);
    if (rc == 0)
        rc = text_brief_findings(t, reterr);
    if (rc == 0)
        rc = put_counts(t, reterr);
    if (rc == 0)
        rc = put_whereabouts(t, reterr);
    if (rc == 0 && t->page.failed)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    return rc;
}
