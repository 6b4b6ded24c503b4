/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report that a person reads in half a minute: the verdict, what it rests on, then the details from the gravest to
 * the least.  Findings are numbered as in the record, so that other commands can be told which one is meant.
 */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define MOST_ATTEMPTS 20

/* --- words ------------------------------------------------------------------------------------------------ */

const char *text_host(const char *name, const char *address, const char *nobody, char buf[static TEXT_SIZE])
{
    if (name[0] != '\0' && address[0] != '\0')
        snprintf(buf, TEXT_SIZE, "%s (%s)", name, address);
    else
        snprintf(buf, TEXT_SIZE, "%s", name[0] != '\0' ? name : address[0] != '\0' ? address : nobody);
    return buf;
}

/* "2026-01-31T10:00:00.123456Z" as "2026-01-31 10:00:00". */
static void short_time(const char *iso, char buf[static 24])
{
    snprintf(buf, 24, "%.19s", iso);
    char *t = strchr(buf, 'T');
    if (t != NULL)
        *t = ' ';
}

const char *text_span(const char *first, const char *last, char buf[static 64])
{
    char a[24], b[24];

    short_time(first, a);
    short_time(last[0] != '\0' ? last : first, b);
    if (a[0] == '\0')
        snprintf(buf, 64, "at an unknown time");
    else if (strcmp(a, b) == 0)
        snprintf(buf, 64, "%s UTC", a);
    else
        snprintf(buf, 64, "%s to %s UTC", a, strncmp(a, b, 11) == 0 ? b + 11 : b);
    return buf;
}

const char *text_count(uint64_t n, char buf[static 32])
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

const char *text_bytes(uint64_t n, char buf[static 32])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t step = 100; /* a tenth of the unit */
    unsigned unit = 0;

    if (n < 1000) {
        snprintf(buf, 32, "%" PRIu64 " %s", n, n == 1 ? "byte" : "bytes");
        return buf;
    }
    /* What would round up to 1000 of a unit is one of the next. */
    while (n / step + (n % step >= step / 2) >= 10000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        step *= 1000;
        unit++;
    }
    uint64_t tenths = n / step + (n % step >= step / 2);
    snprintf(buf, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
    return buf;
}

const char *text_plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

bool text_admit(struct text *t, uint64_t most)
{
    if (t->n_shown < most || t->job->query->verbose) {
        t->n_shown++;
        return true;
    }
    t->n_left_out++;
    return false;
}

void text_left_out(struct text *t, const char *what)
{
    char count[32];

    if (t->n_left_out > 0)
        page_par(&t->page, STYLE_DIM, 2, 2, "... and %s more %s: --verbose and the tables show all",
                 text_count(t->n_left_out, count), what);
    t->n_shown = t->n_left_out = 0;
}

/* --- the head ---------------------------------------------------------------------------------------------- */

enum { RUN_SITE, RUN_MATRIX_TITLE, RUN_MATRIX_ID, RUN_STARTED, RUN_ENDED };

static void put_title(void *aux, struct cursor *c)
{
    struct text *t = aux;
    const char *site = cursor_text(c, RUN_SITE, NULL), *title = cursor_text(c, RUN_MATRIX_TITLE, NULL);
    const char *matrix = title[0] != '\0' ? title : cursor_text(c, RUN_MATRIX_ID, NULL);
    char span[64], verdict[1024];
    enum style style = t->summary->n_findings > 0 ? STYLE_BAD : report_incomplete(t->summary) || report_shows_nothing(t->summary) ? STYLE_WARN : STYLE_GOOD;

    page_par(&t->page, STYLE_BOLD, 0, 0, "%s against %s", site[0] != '\0' ? site : "A site without a name",
             matrix[0] != '\0' ? matrix : "a matrix without a name");
    page_par(&t->page, STYLE_PLAIN, 0, 0, "Run %" PRId64 ", %s", t->job->run_id,
             text_span(cursor_text(c, RUN_STARTED, NULL), cursor_text(c, RUN_ENDED, NULL), span));
    page_par(&t->page, style, 0, 0, "%s", report_verdict(t->summary, verdict, sizeof(verdict)));
}

static int text_title(struct text *t, struct err *reterr)
{
    return report_each(t->job, "SELECT site_name, matrix_title, matrix_id, started, ended FROM runs WHERE run_id = ?1",
                       put_title, t, reterr);
}

/* --- what was looked at ---------------------------------------------------------------------------------- */

enum { IN_ID, IN_NAME, IN_PACKETS, IN_FIRST, IN_LAST, IN_LINKTYPE, IN_SNAPLEN, IN_BYTES, IN_DAMAGED, IN_DAMAGE };

static void put_input(void *aux, struct cursor *c)
{
    struct text *t = aux;
    uint64_t packets = (uint64_t)cursor_integer(c, IN_PACKETS);
    char count[32], bytes[32], span[64];
    const char *damage = cursor_type(c, IN_DAMAGE) == CELL_NULL ? REPORT_NOT_READ : cursor_text(c, IN_DAMAGE, NULL);
    bool live = strcmp(cursor_text(c, IN_LINKTYPE, NULL), "live") == 0; /* no file, so it has no size */

    page_par(&t->page, STYLE_PLAIN, 2, 6, "%" PRId64 ". %s: %s %s, %s, %s%s%s", cursor_integer(c, IN_ID),
             cursor_text(c, IN_NAME, NULL), text_count(packets, count), text_plural(packets, "packet", "packets"),
             text_span(cursor_text(c, IN_FIRST, NULL), cursor_text(c, IN_LAST, NULL), span),
             cursor_type(c, IN_LINKTYPE) == CELL_NULL ? "unknown link type" : cursor_text(c, IN_LINKTYPE, NULL),
             live ? "" : ", ", live ? "" : text_bytes((uint64_t)cursor_integer(c, IN_BYTES), bytes));
    if (cursor_integer(c, IN_DAMAGED) != 0)
        page_par(&t->page, STYLE_BAD, 6, 6, "%s%s", strncmp(damage, REPORT_NOT_READ, strlen(REPORT_NOT_READ)) == 0 ? "" : "damaged: ", damage);
}

static void put_totals(void *aux, struct cursor *c)
{
    struct text *t = aux;
    char all[32], decoded[32], discarded[32];

    if (cursor_integer(c, 0) == 1)
        page_par(&t->page, STYLE_PLAIN, 2, 4, "The only packet was %s.", cursor_integer(c, 1) == 1 ? "decoded" : "discarded");
    else
        page_par(&t->page, STYLE_PLAIN, 2, 4, "Of %s packets %s %s decoded and %s discarded.",
                 text_count((uint64_t)cursor_integer(c, 0), all), text_count((uint64_t)cursor_integer(c, 1), decoded),
                 text_plural((uint64_t)cursor_integer(c, 1), "was", "were"), text_count((uint64_t)cursor_integer(c, 2), discarded));
}

static void put_discard(void *aux, struct cursor *c)
{
    struct text *t = aux;
    char count[32];

    page_par(&t->page, STYLE_PLAIN, 4, 6, "%s %s", text_count((uint64_t)cursor_integer(c, 1), count),
             cursor_text(c, 0, NULL));
}

enum { LOSS_REASON, LOSS_PACKETS, LOSS_DETAIL, LOSS_INPUT };

static void put_loss(void *aux, struct cursor *c)
{
    struct text *t = aux;
    uint64_t packets = (uint64_t)cursor_integer(c, LOSS_PACKETS);
    const char *detail = cursor_text(c, LOSS_DETAIL, NULL);
    char count[32], input[32] = "";

    if (cursor_type(c, LOSS_INPUT) == CELL_INTEGER)
        snprintf(input, sizeof(input), " in input %" PRId64, cursor_integer(c, LOSS_INPUT));
    page_par(&t->page, STYLE_WARN, 2, 4, "Lost%s: %s %s (%s)%s%s", input,
             cursor_type(c, LOSS_PACKETS) == CELL_NULL ? "an unknown number of" : text_count(packets, count),
             text_plural(packets, "packet", "packets"), cursor_text(c, LOSS_REASON, NULL),
             detail[0] != '\0' ? ": " : "", detail);
}

const char *text_losses(const struct report_summary *s, char *buf, size_t size)
{
    char n[32], all[32];
    int len = snprintf(buf, size, "%s", s->n_losses == 0 ? "no loss is known" : "");

    if (s->n_one_sided > 0)
        len += snprintf(buf + len, size - (size_t)len, "%s%s of %s TCP %s of hosts of the site %s one direction only, so what went the other way is not in the capture",
                        len > 0 ? ", but " : "", text_count(s->n_one_sided, n), text_count(s->n_sessions, all), text_plural(s->n_sessions, "session", "sessions"),
                        s->n_one_sided == 1 ? "has" : "have");
    if (s->n_unseen_errors > 0)
        len += snprintf(buf + len, size - (size_t)len, "%s%s ICMP %s", len == 0 ? "" : s->n_one_sided > 0 ? "; " : ", but ",
                        text_count(s->n_unseen_errors, n), text_plural(s->n_unseen_errors, "error quotes a packet of hosts of the site that is not in the capture before it",
                                                                                  "errors quote packets of hosts of the site that are not in the capture before them"));
    if (s->n_clock_steps > 0)
        snprintf(buf + len, size - (size_t)len, "%s%s %s more than a second earlier than the one before, so lengths of time may be wrong", len > 0 ? "; " : "",
                 text_count(s->n_clock_steps, n), text_plural(s->n_clock_steps, "packet is", "packets are"));
    return buf;
}

static int text_evidence(struct text *t, struct err *reterr)
{
    page_heading(&t->page, "WHAT WAS LOOKED AT");
    int rc = report_each(t->job,
                         "SELECT input_id, name, packets, first_packet, last_packet, linktype, snaplen, bytes,"
                         " damaged, damage FROM inputs WHERE run_id = ?1 ORDER BY input_id",
                         put_input, t, reterr);
    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT sum(packets), sum(packets_decoded), sum(packets_discarded) FROM inputs"
                         " WHERE run_id = ?1 HAVING count(*) > 0",
                         put_totals, t, reterr);
    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT reason, sum(packets) AS n FROM discards WHERE run_id = ?1 GROUP BY reason"
                         " ORDER BY n DESC, reason",
                         put_discard, t, reterr);
    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT reason, packets, detail, input_id FROM losses WHERE run_id = ?1 ORDER BY loss_id",
                         put_loss, t, reterr);
    char losses[TEXT_SIZE];
    if (rc == 0 && text_losses(t->summary, losses, sizeof(losses))[0] != '\0') {
        losses[0] = (char)toupper((unsigned char)losses[0]);
        page_par(&t->page, STYLE_PLAIN, 2, 4, "%s.", losses);
    }
    return rc;
}

/* --- information ------------------------------------------------------------------------------------------ */

enum {
    TRY_CLIENT_NAME,
    TRY_CLIENT,
    TRY_SERVER_NAME,
    TRY_SERVER,
    TRY_ROW,
    TRY_SERVICE,
    TRY_OUTCOME,
    TRY_FLOWS,
    TRY_FIRST,
    TRY_LAST,
    TRY_TRANSPORT,
    TRY_LOW_PORT,
    TRY_HIGH_PORT,
    TRY_PORTS,
    TRY_PROTOCOL,
    TRY_CONVERSATION, /* the first of them, as is what follows TRY_LATE */
    TRY_LATE,
    TRY_QUOTED, /* of the flows, those without a packet of their own; of TRY_QUOTING errors */
    TRY_QUOTING,
    TRY_PACKET,
    TRY_INPUT,
    TRY_SENT,
    TRY_ERRORS,
    TRY_BEFORE
};

/* " on udp/23101, RTCP", " on udp/23101 and 23103": where to look for it in the capture */
static const char *attempt_ports(struct cursor *c, char buf[static TEXT_SIZE])
{
    int64_t low = cursor_integer(c, TRY_LOW_PORT), high = cursor_integer(c, TRY_HIGH_PORT);
    const char *protocol = cursor_text(c, TRY_PROTOCOL, NULL);
    int64_t n = cursor_integer(c, TRY_PORTS);
    char last[32] = "";

    if (n > 2 && n < high - low + 1)
        snprintf(buf, TEXT_SIZE, " on %" PRId64 " ports from %s/%" PRId64 " to %" PRId64, n, cursor_text(c, TRY_TRANSPORT, NULL), low, high);
    else {
        if (low != high)
            snprintf(last, sizeof(last), "%s%" PRId64, n == 2 ? " and " : "-", high);
        snprintf(buf, TEXT_SIZE, " on %s/%" PRId64 "%s", cursor_text(c, TRY_TRANSPORT, NULL), low, last);
    }
    size_t len = strlen(buf);
    if (protocol[0] != '\0')
        snprintf(buf + len, TEXT_SIZE - len, ", %s", protocol);
    return buf;
}

/* ", 131 of its 433 packets before the first of 12 ICMP errors": what went for a while was not refused from the start. */
static const char *attempt_late(struct cursor *c, char buf[static TEXT_SIZE])
{
    uint64_t before = (uint64_t)cursor_integer(c, TRY_BEFORE), errors = (uint64_t)cursor_integer(c, TRY_ERRORS);
    uint64_t late = (uint64_t)cursor_integer(c, TRY_LATE), flows = (uint64_t)cursor_integer(c, TRY_FLOWS);
    char count[32], sent[32], error_count[32];

    uint64_t quoted = (uint64_t)cursor_integer(c, TRY_QUOTED), quoting = (uint64_t)cursor_integer(c, TRY_QUOTING);

    buf[0] = '\0';
    if (quoted > 0) {
        snprintf(buf, TEXT_SIZE, ", %s%sknown from %s ICMP %s alone", quoted < flows ? text_count(quoted, count) : "", quoted < flows ? " of them " : "",
                 text_count(quoting, error_count), text_plural(quoting, "error", "errors"));
        return buf;
    }
    if (flows > 1 && late > 0)
        snprintf(buf, TEXT_SIZE, ", %s of them only when packets had gone without an answer", late == flows ? "all" : text_count(late, count));
    if (before < 2 || flows != 1)
        return buf;
    snprintf(buf, TEXT_SIZE, ", %s of its %s packets before the %s%s ICMP error%s", text_count(before, count),
             text_count((uint64_t)cursor_integer(c, TRY_SENT), sent), errors == 1 ? "only" : "first of ", errors == 1 ? "" : text_count(errors, error_count),
             errors == 1 ? "" : "s");
    return buf;
}

/* Where to look: the file is named where there are several. */
static const char *attempt_packet(const struct text *t, struct cursor *c, char buf[static TEXT_SIZE])
{
    bool several = t->summary->n_inputs > 1;

    buf[0] = '\0';
    if (cursor_type(c, TRY_PACKET) == CELL_INTEGER)
        snprintf(buf, TEXT_SIZE, " [packet %" PRId64 "%s%s]", cursor_integer(c, TRY_PACKET), several ? " of " : "", several ? cursor_text(c, TRY_INPUT, NULL) : "");
    return buf;
}

static void put_attempt(void *aux, struct cursor *c)
{
    struct text *t = aux;
    uint64_t flows = (uint64_t)cursor_integer(c, TRY_FLOWS);
    char client[TEXT_SIZE], server[TEXT_SIZE], ports[TEXT_SIZE], late[TEXT_SIZE], packet[TEXT_SIZE], count[32], span[64];

    if (t->n_shown + t->n_left_out == 0)
        page_heading(&t->page, "ALLOWED ON DEMAND, TRIED WITHOUT SUCCESS");
    if (!text_admit(t, MOST_ATTEMPTS))
        return;
    page_par(
        &t->page, STYLE_PLAIN, 2, 4, "%s -> %s, %s%s (row %s): %s, %s %s%s, %s%s",
        text_host(cursor_text(c, TRY_CLIENT_NAME, NULL), cursor_text(c, TRY_CLIENT, NULL), "several clients", client),
        text_host(cursor_text(c, TRY_SERVER_NAME, NULL), cursor_text(c, TRY_SERVER, NULL), "several servers", server),
        cursor_text(c, TRY_SERVICE, NULL), attempt_ports(c, ports), cursor_text(c, TRY_ROW, NULL), cursor_text(c, TRY_OUTCOME, NULL),
        text_count(flows, count), text_plural(flows, "flow", "flows"), attempt_late(c, late),
        text_span(cursor_text(c, TRY_FIRST, NULL), cursor_text(c, TRY_LAST, NULL), span), attempt_packet(t, c, packet));
}

static int text_attempts(struct text *t, struct err *reterr)
{
    int rc = report_each(
        t->job,
        "WITH t AS (SELECT c.client_name, c.client, c.server_name, c.server, r.row_id, r.service, c.outcome, sum(c.flows) AS flows,"
        " min(c.first_seen), max(c.last_seen), c.transport, min(c.server_port), max(c.server_port), count(DISTINCT c.server_port), c.protocol,"
        " min(c.conversation_id) AS first, CASE WHEN c.outcome = 'unanswered' THEN 0 ELSE sum(c.icmp_late) END AS late,"
        " sum(CASE WHEN c.packets_out + c.packets_in = 0 THEN c.flows ELSE 0 END) AS quoted, sum(CASE WHEN c.packets_out + c.packets_in = 0 THEN c.icmp_errors ELSE 0 END) AS quoting FROM conversations c"
        " JOIN \"rows\" r ON r.run_id = c.run_id AND r.row_id = c.row_id WHERE c.run_id = ?1 AND c.verdict = 'allowed' AND c.disposition = 'misdropped' AND r.expect = 'on-demand'"
        " GROUP BY c.client, c.server, r.row_id, c.outcome, c.transport, c.protocol)"
        " SELECT t.*, c.first_packet_number, i.name, c.packets_out, c.icmp_errors, CASE WHEN c.outcome = 'unanswered' THEN 0"
        " ELSE c.icmp_before END FROM t JOIN conversations c ON c.run_id = ?1 AND c.conversation_id = t.first"
        " LEFT JOIN inputs i ON i.run_id = ?1 AND i.input_id = c.input_id ORDER BY t.first",
        put_attempt, t, reterr);

    text_left_out(t, "attempts");
    return rc;
}

enum { SCOPE_VERDICT, SCOPE_SCOPE, SCOPE_CONVERSATIONS, SCOPE_PACKETS, SCOPE_BYTES };

static void put_scope(void *aux, struct cursor *c)
{
    struct text *t = aux;
    uint64_t n = (uint64_t)cursor_integer(c, SCOPE_CONVERSATIONS), packets = (uint64_t)cursor_integer(c, SCOPE_PACKETS);
    bool undocumented = strcmp(cursor_text(c, SCOPE_VERDICT, NULL), "undocumented") == 0;
    const char *scope = cursor_text(c, SCOPE_SCOPE, NULL);
    char count[32], packet_count[32], bytes[32];

    if (t->n_shown++ == 0)
        page_heading(&t->page, "NOT JUDGED");
    page_par(&t->page, STYLE_PLAIN, 2, 4, "%s: %s %s, %s %s, %s",
             undocumented       ? "undocumented (the document is silent, and the site lists no ports)"
             : scope[0] != '\0' ? scope
                                : "out of scope",
             text_count(n, count), text_plural(n, "conversation", "conversations"), text_count(packets, packet_count),
             text_plural(packets, "packet", "packets"), text_bytes((uint64_t)cursor_integer(c, SCOPE_BYTES), bytes));
}

static void put_counter(void *aux, struct cursor *c)
{
    struct text *t = aux;
    const char *words = cursor_text(c, 2, NULL);
    char count[32];

    if (t->n_shown++ == 0)
        page_heading(&t->page, "COUNTED BESIDES");
    page_par(&t->page, STYLE_PLAIN, 2, 4, "%s: %s%s%s", cursor_text(c, 0, NULL),
             text_count((uint64_t)cursor_integer(c, 1), count), words[0] != '\0' ? ", " : "", words);
}

static int text_unjudged(struct text *t, struct err *reterr)
{
    t->n_shown = 0;
    int rc = report_each(t->job,
                         "SELECT verdict, scope, count(*), sum(packets), sum(bytes) FROM conversations"
                         " WHERE run_id = ?1 AND verdict IN ('undocumented', 'not-governed')"
                         " GROUP BY verdict, scope ORDER BY verdict DESC, scope",
                         put_scope, t, reterr);
    t->n_shown = 0;
    if (rc == 0)
        rc = report_each(t->job,
                         "SELECT name, value, text FROM counters WHERE run_id = ?1 AND value > 0 ORDER BY counter_id",
                         put_counter, t, reterr);
    t->n_shown = 0;
    return rc;
}

static void put_origin(void *aux, struct cursor *c)
{
    static const char *const labels[] = {"command", "program", "site file", "site sha256", "matrix", "matrix sha256"};
    struct text *t = aux;

    page_heading(&t->page, "WHERE THIS COMES FROM");
    for (int i = 0; i < 6; i++)
        if (cursor_type(c, i) != CELL_NULL)
            page_par(&t->page, STYLE_PLAIN, 2, 18, "%-15s %s", labels[i], cursor_text(c, i, NULL));
}

static int text_origin(struct text *t, struct err *reterr)
{
    char sha256[DIGEST_TEXT_SIZE];
    int rc = report_each(t->job,
                         "SELECT command, version, site_file, site_sha256, matrix_id, matrix_sha256 FROM runs"
                         " WHERE run_id = ?1",
                         put_origin, t, reterr);

    if (rc == 0 && (rc = seal_findings(t->job->report->reader, t->job->run_id, sha256, reterr)) == 0)
        page_par(&t->page, STYLE_PLAIN, 2, 18, "findings sha256 %s (flowaudit-findings-1)", sha256);
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------------------- */

int report_write_text(const struct report_job *job, struct err *reterr)
{
    static int (*const parts[])(struct text *, struct err *) = {
        text_title,    text_evidence, text_sections, text_findings, text_expected,
        text_attempts, text_waived,   text_notices,  text_unjudged, text_origin,
    };
    struct report_summary summary;
    struct text t = {.job = job, .summary = &summary};
    int rc = report_summary(job->report, job->run_id, &summary, reterr);

    page_init(&t.page, job->out, job->query->width, job->query->color);
    if (rc == 0 && job->query->brief)
        return text_brief(&t, reterr);
    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = parts[i](&t, reterr);
    if (rc == 0 && t.page.failed)
        rc = err_set(reterr, -ENOMEM, "out of memory");
    return rc;
}
