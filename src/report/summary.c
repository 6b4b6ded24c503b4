/* SPDX-License-Identifier: Apache-2.0 */
/* The run in numbers, and the one sentence that they amount to. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report-private.h"

static enum finding_kind kind_of(const char *name)
{
    static const char *const names[] = {
#define X(id, word) [id] = word,
        FINDING_KINDS(X)
#undef X
    };

    for (int i = 1; i < FINDING_N_KINDS; i++)
        if (strcmp(names[i], name) == 0)
            return (enum finding_kind)i;
    return FINDING_NONE;
}

static const char *const severities[] = {"critical", "high", "medium", "low", "notice"};

static enum severity severity_of(const char *name)
{
    int i = 0;

    while (i < SEVERITY_NOTICE && strcmp(severities[i], name) != 0)
        i++;
    return (enum severity)i;
}

static int count_findings(struct reader *r, struct report_summary *s, struct err *reterr)
{
    struct cursor *c;
    int rc = reader_query(r,
                          "SELECT kind, severity, waived_by IS NOT NULL, count(*) FROM findings"
                          " WHERE run_id = ?1 GROUP BY 1, 2, 3",
                          &s->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    while ((rc = cursor_next(c, reterr)) == 1) {
        uint64_t n = (uint64_t)cursor_integer(c, 3);
        enum severity severity = severity_of(cursor_text(c, 1, NULL));

        if (cursor_integer(c, 2) != 0) {
            s->n_waived += n;
        } else if (severity == SEVERITY_NOTICE) {
            s->n_notices += n;
        } else {
            s->n_findings += n;
            s->by_kind[kind_of(cursor_text(c, 0, NULL))] += n;
            s->by_severity[severity] += n;
        }
    }
    cursor_free(c);
    return rc;
}

static int find_run(struct reader *r, int64_t wanted, int64_t *ret, struct err *reterr)
{
    int64_t run_id;
    int rc = reader_number(r, "SELECT max(run_id) FROM runs WHERE ?1 IN (0, run_id)", &wanted, 1, &run_id, reterr);

    if (rc == 0 && run_id == 0)
        rc = wanted == 0 ? err_set(reterr, -EINVAL, "the record has no run")
                         : err_set(reterr, -EINVAL, "the record has no run %lld", (long long)wanted);
    if (rc == 0)
        *ret = run_id;
    return rc;
}

/* Of a record of several sensors each has its own. */
#define COUNTER(name) "(SELECT total(value) FROM counters WHERE run_id = ?1 AND (name = '" name "' OR name GLOB '" name "@*'))"

static int count_evidence(struct reader *r, struct report_summary *s, struct err *reterr)
{
    static const char sql[] =
        "SELECT (SELECT complete FROM runs WHERE run_id = ?1),"
        " (SELECT count(*) FROM inputs WHERE run_id = ?1), (SELECT total(damaged) FROM inputs WHERE run_id = ?1),"
        " (SELECT total(packets) FROM inputs WHERE run_id = ?1), (SELECT count(*) FROM losses WHERE run_id = ?1),"
        " (SELECT total(packets) FROM losses WHERE run_id = ?1),"
        " (SELECT count(*) FROM requirements WHERE run_id = ?1 AND outcome IN ('not-covered', 'one-way')),"
        " (SELECT total(packets_decoded) FROM inputs WHERE run_id = ?1), (SELECT ended IS NULL FROM runs WHERE run_id = ?1),"
        " " COUNTER("tcp-sessions") ", " COUNTER("one-sided-sessions") ", " COUNTER("clock-steps") ", " COUNTER("unseen-flow-errors") ","
        " (SELECT count(*) FROM losses WHERE run_id = ?1 AND reason = 'estimated-unseen'), " COUNTER("unseen-bytes") ", " COUNTER("flow-bytes") ","
        " " COUNTER("windows-not-evaluated") ", " COUNTER("windows-empty") ", " COUNTER("group-queries-not-kept") ", " COUNTER("hosts-not-kept") ","
        " " COUNTER("negotiated-ports-not-kept") ", " COUNTER("window-flows-not-kept") ","
        " (SELECT total(packets) FROM discards WHERE run_id = ?1 AND reason = 'filtered'),"
        " NOT EXISTS (SELECT 1 FROM hosts WHERE run_id = ?1), (SELECT count(*) FROM inputs WHERE run_id = ?1 AND packets = 0 AND NOT damaged AND linktype IS NOT 'live'),"
        " (SELECT total(packets) FROM discards WHERE run_id = ?1 AND reason = 'linktype')";
    struct cursor *c;
    int rc = reader_query(r, sql, &s->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc == 1) {
        s->complete = cursor_integer(c, 0) == 1;
        s->n_inputs = (uint64_t)cursor_integer(c, 1);
        s->n_damaged = (uint64_t)cursor_integer(c, 2);
        s->packets = (uint64_t)cursor_integer(c, 3);
        s->n_losses = (uint64_t)cursor_integer(c, 4);
        s->lost = (uint64_t)cursor_integer(c, 5);
        s->n_undetermined = (uint64_t)cursor_integer(c, 6);
        s->decoded = (uint64_t)cursor_integer(c, 7);
        s->unended = cursor_integer(c, 8) == 1;
        s->n_sessions = (uint64_t)cursor_integer(c, 9);
        s->n_one_sided = (uint64_t)cursor_integer(c, 10);
        s->n_clock_steps = (uint64_t)cursor_integer(c, 11);
        s->n_unseen_errors = (uint64_t)cursor_integer(c, 12);
        s->n_estimated = (uint64_t)cursor_integer(c, 13);
        s->n_unseen_bytes = (uint64_t)cursor_integer(c, 14);
        s->n_flow_bytes = (uint64_t)cursor_integer(c, 15);
        s->n_windows_left = (uint64_t)cursor_integer(c, 16);
        s->n_windows_empty = (uint64_t)cursor_integer(c, 17);
        for (int i = 0; i < REPORT_N_BOUNDS; i++)
            s->beyond[i] = (uint64_t)cursor_integer(c, 18 + i);
        s->filtered = (uint64_t)cursor_integer(c, 18 + REPORT_N_BOUNDS);
        s->site_unseen = cursor_integer(c, 19 + REPORT_N_BOUNDS) == 1;
        s->n_empty = (uint64_t)cursor_integer(c, 20 + REPORT_N_BOUNDS);
        s->n_linktype = (uint64_t)cursor_integer(c, 21 + REPORT_N_BOUNDS);
    }
    cursor_free(c);
    return rc < 0 ? rc : 0;
}

int report_summary(struct report *r, int64_t run_id, struct report_summary *ret, struct err *reterr)
{
    struct report_summary s = {0};
    int rc = find_run(r->reader, run_id, &s.run_id, reterr);

    if (rc == 0)
        rc = count_evidence(r->reader, &s, reterr);
    if (rc == 0)
        rc = count_findings(r->reader, &s, reterr);
    if (rc == 0)
        *ret = s;
    return rc;
}

bool report_incomplete(const struct report_summary *s)
{
    return !s->complete || s->n_damaged > 0 || s->packets == 0;
}

bool report_shows_nothing(const struct report_summary *s)
{
    return s->packets == 0 || s->decoded == 0 || s->site_unseen;
}

/* --- the sentence ----------------------------------------------------------------------------------------- */

static void add(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *buf, size_t size, const char *fmt, ...)
{
    size_t len = strlen(buf);
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf + len, size - len, fmt, args);
    va_end(args);
}

static void add_count(char *buf, size_t size, uint64_t n, const char *one, const char *many)
{
    add(buf, size, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

/* Nothing in the record tells which: who is killed writes nothing down. */
#define UNENDED "the run has not come to its end: still running, or broken off"

static void add_incomplete(const struct report_summary *s, char *buf, size_t size)
{
    const char *separator = ": ";

    if (s->packets == 0) { /* of a run that was killed nobody knows: it says at its end what it saw */
        add(buf, size, "%s%s", separator, s->unended ? UNENDED : "not one packet was seen");
        separator = ", ";
    }
    if (s->n_damaged > 0) {
        add(buf, size, "%s%llu of ", separator, (unsigned long long)s->n_damaged);
        add_count(buf, size, s->n_inputs, "input", "inputs");
        add(buf, size, " not read to the end");
        separator = ", ";
    }
    if (s->packets > 0 && s->decoded == 0) {
        bool by_filter = s->filtered >= s->packets;

        add(buf, size, "%s%s ", separator, by_filter ? "the filter left none of" : "of");
        add_count(buf, size, s->packets, "packet", "packets");
        add(buf, size, "%s", by_filter ? "" : " not one was decoded");
        separator = ", ";
    } else if (s->packets > 0 && s->site_unseen) {
        add(buf, size, "%sno TCP or UDP packet of a host of the site was seen", separator);
        separator = ", ";
    }
    if (s->n_empty > 0 && s->packets > 0 && !s->unended) {
        add(buf, size, "%s", separator);
        add_count(buf, size, s->n_empty, "input has", "inputs have");
        add(buf, size, " no packet");
        separator = ", ";
    }
    if (s->n_linktype > 0 && s->decoded > 0) {
        add(buf, size, "%s", separator);
        add_count(buf, size, s->n_linktype, "packet is", "packets are");
        add(buf, size, " of a link type that is not decoded");
        separator = ", ";
    }
    if (s->n_windows_left > 0) {
        add(buf, size, "%s", separator);
        add_count(buf, size, s->n_windows_left, "window of all that there are was", "windows of all that there are were");
        add(buf, size, " not evaluated");
        separator = ", ";
    }
    if (s->unended ? s->packets > 0 : !s->complete && s->n_damaged + s->n_windows_left + s->n_empty + s->n_linktype == 0 && s->decoded > 0)
        add(buf, size, "%s%s", separator, s->unended ? UNENDED : "the run did not come to its end");
}

/* So little that conclusions from silence stand beside it is told as that. */
static void add_unseen(const struct report_summary *s, char *buf, size_t size)
{
    add(buf, size, "; ");
    add_count(buf, size, s->n_unseen_bytes, "byte", "bytes");
    add(buf, size, " of TCP data, an end of a connection counted as one, %s acknowledged and %s not in the capture", s->n_unseen_bytes == 1 ? "was" : "were",
        s->n_unseen_bytes == 1 ? "is" : "are");
    if (s->n_unseen_bytes <= s->n_flow_bytes / COVERAGE_UNSEEN_SHARE)
        add(buf, size, ", no more than one for each %u that are", COVERAGE_UNSEEN_SHARE);
}

/* Bounds that were reached: what rests on what was not kept is not known. */
static void add_bounds(const struct report_summary *s, char *buf, size_t size)
{
    static const struct { const char *one, *many; } what[REPORT_N_BOUNDS] = {
        {"query to a group, whose answers are not known as such,", "queries to groups, whose answers are not known as such,"},
        {"time at which a host was seen", "times at which hosts were seen"},
        {"message that negotiates a port", "messages that negotiate ports"},
        {"flow of which it is not known in which windows it was", "flows of which it is not known in which windows they were"},
    };

    if (s->n_windows_empty > 0) {
        add(buf, size, "; ");
        add_count(buf, size, s->n_windows_empty, "window in which nothing of the site was seen is", "windows in which nothing of the site was seen are");
        add(buf, size, " left out");
    }
    for (int i = 0; i < REPORT_N_BOUNDS; i++) {
        if (s->beyond[i] == 0)
            continue;
        add(buf, size, "; ");
        add_count(buf, size, s->beyond[i], what[i].one, what[i].many);
        add(buf, size, s->beyond[i] == 1 ? " was more than is kept" : " were more than are kept");
    }
}

/* What weakens a result without making the evidence incomplete. */
static void add_limits(const struct report_summary *s, char *buf, size_t size)
{
    if (s->n_undetermined > 0) {
        add(buf, size, "; of ");
        add_count(buf, size, s->n_undetermined, "expected flow", "expected flows");
        add(buf, size, " nothing can be concluded");
    }
    if (s->lost > 0) {
        add(buf, size, "; ");
        add_count(buf, size, s->lost, "packet was", "packets were");
        add(buf, size, " lost before the tool saw %s", s->lost == 1 ? "it" : "them");
    } else if (s->n_unseen_bytes > 0 && s->n_estimated == s->n_losses) {
        add_unseen(s, buf, size);
    } else if (s->n_losses > 0) {
        add(buf, size, "; an unknown number of packets was lost before the tool saw them");
    }
    add_bounds(s, buf, size);
}

const char *report_verdict(const struct report_summary *s, char *buf, size_t size)
{
    const char *separator = " (";
    uint64_t n_site = s->by_kind[FINDING_SITE];

    buf[0] = '\0';
    if (s->n_findings > 0) {
        add(buf, size, n_site < s->n_findings ? "Not compliant: " : "Not determined: no flow breaks the document, the site file has ");
        add_count(buf, size, s->n_findings, "finding", "findings");
        for (int i = 0; i < SEVERITY_NOTICE; i++) {
            if (s->by_severity[i] == 0)
                continue;
            add(buf, size, "%s%llu %s", separator, (unsigned long long)s->by_severity[i], severities[i]);
            separator = ", ";
        }
        add(buf, size, ")");
        if (n_site > 0 && n_site < s->n_findings)
            add(buf, size, ", %llu of them about the site file", (unsigned long long)n_site);
    }
    if (report_incomplete(s)) {
        add(buf, size, s->n_findings > 0 ? "; evidence incomplete" : "Evidence incomplete");
        add_incomplete(s, buf, size);
        if (s->n_findings == 0)
            add(buf, size, "; no finding in what was seen");
    } else if (report_shows_nothing(s)) {
        add(buf, size, s->n_findings > 0 ? "; nothing was shown" : "Not determined: nothing was shown");
        add_incomplete(s, buf, size);
    } else if (s->n_findings == 0) {
        add(buf, size, s->n_undetermined > 0 || s->n_losses > 0 ? "Compliant as far as could be seen" : "Compliant");
    }
    add_limits(s, buf, size);
    return buf;
}
