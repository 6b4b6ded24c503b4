/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation whose flows are all in the record is told by these: their ports and times are exact.  Of one that has more flows than
 * are kept, and of a sum, the ends are told, and what the record knows to be another conversation's is taken out.
 */
#include "carve_select.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FLOWS 1000 /* more are told by their ends: each packet is compared with each */

/* Columns of every query for selectors. */
enum { S_CLIENT, S_CLIENT_LOW, S_CLIENT_HIGH, S_SERVER, S_SERVER_PORT, S_TRANSPORT, S_FIRST, S_LAST, S_NEXT };
#define CONVERSATION_ENDS                                                                                                             \
    "c.client, c.client_port_low, c.client_port_high, c.server, c.server_port, c.transport, c.first_ns, c.last_ns"
#define FLOW_ENDS "client, client_port, client_port, server, server_port, transport, first_ns, last_ns"

static int no_memory(struct err *reterr)
{
    return err_set(reterr, -ENOMEM, "no memory for the selection of packets");
}

static int copy(struct cursor *c, int column, char **ret, struct err *reterr)
{
    free(*ret);
    *ret = NULL;
    if (cursor_type(c, column) == CELL_NULL)
        return 0;
    *ret = strdup(cursor_text(c, column, NULL));
    return *ret != NULL ? 0 : no_memory(reterr);
}

/* One address, or a range, or (null) all. */
static int parse_end(struct cursor *c, int column, struct addr_range *ret, struct err *reterr)
{
    if (cursor_type(c, column) == CELL_NULL || *cursor_text(c, column, NULL) == '\0') {
        memset(&ret->low, 0, sizeof(ret->low));
        memset(&ret->high, 0xff, sizeof(ret->high));
        return 0;
    }
    if (addr_range_parse(cursor_text(c, column, NULL), ret) == 0)
        return 0;
    return err_set(reterr, -EINVAL, "the record has '%.60s' where an address is wanted", cursor_text(c, column, NULL));
}

static uint8_t parse_transport(const char *text)
{
    return strcmp(text, "tcp") == 0 ? IPPROTO_TCP : strcmp(text, "udp") == 0 ? IPPROTO_UDP : 0;
}

static int read_selector(struct cursor *c, struct evidence_selector *s, struct err *reterr)
{
    bool any_port = cursor_type(c, S_SERVER_PORT) == CELL_NULL;
    int  rc = parse_end(c, S_CLIENT, &s->client, reterr);

    if (rc == 0)
        rc = parse_end(c, S_SERVER, &s->server, reterr);
    s->client_port_low = (uint16_t)cursor_integer(c, S_CLIENT_LOW);
    s->client_port_high = (uint16_t)cursor_integer(c, S_CLIENT_HIGH);
    s->server_port_low = any_port ? 0 : (uint16_t)cursor_integer(c, S_SERVER_PORT);
    s->server_port_high = any_port ? UINT16_MAX : s->server_port_low;
    s->transport = parse_transport(cursor_text(c, S_TRANSPORT, NULL));
    s->first_ns = cursor_integer(c, S_FIRST);
    s->last_ns = cursor_integer(c, S_LAST);
    return rc;
}

static int append(struct selector_list *list, const struct evidence_selector *s, struct err *reterr)
{
    if (list->n == list->n_allocated) {
        size_t                    n = list->n_allocated == 0 ? 16 : 2 * list->n_allocated;
        struct evidence_selector *more = realloc(list->items, n * sizeof(*more));

        if (more == NULL)
            return no_memory(reterr);
        list->items = more;
        list->n_allocated = n;
    }
    list->items[list->n++] = *s;
    return 0;
}

static bool ranges_meet(const struct addr_range *a, const struct addr_range *b)
{
    return addr_compare(&a->low, &b->high) <= 0 && addr_compare(&b->low, &a->high) <= 0;
}

static bool may_meet(const struct evidence_selector *a, const struct evidence_selector *b)
{
    return a->transport == b->transport && a->first_ns <= b->last_ns && b->first_ns <= a->last_ns && ranges_meet(&a->client, &b->client) &&
           ranges_meet(&a->server, &b->server) && a->server_port_low <= b->server_port_high && b->server_port_low <= a->server_port_high;
}

/* Each row of the query into 'list'; those that cannot meet 'near' (where given) are left out. */
static int read_list(struct reader *r, const char *sql, const int64_t *args, size_t n_args, const struct evidence_selector *near,
                     struct selector_list *list, struct err *reterr)
{
    struct evidence_selector s;
    struct cursor           *c;
    int                      rc = reader_query(r, sql, args, n_args, &c, reterr), more = 0;

    if (rc != 0)
        return rc;
    while (rc == 0 && (more = cursor_next(c, reterr)) == 1) {
        rc = read_selector(c, &s, reterr);
        if (rc == 0 && (near == NULL || may_meet(near, &s)))
            rc = append(list, &s, reterr);
    }
    cursor_free(c);
    return rc != 0 ? rc : more;
}

/* --- conversations -------------------------------------------------------------------------------------------- */

struct told {
    int64_t                  id, flows, kept, summed;
    struct evidence_selector ends;
};

static int select_by_ends(struct reader *r, struct selection *s, const struct told *t, struct err *reterr)
{
    const int64_t args[] = {s->run_id, t->id};
    int           rc = append(&s->wanted, &t->ends, reterr);

    s->by_ends = true;
    if (rc == 0)
        rc = read_list(r, "SELECT " FLOW_ENDS " FROM flow WHERE run_id = ?1 AND conversation_id <> ?2", args, 2, &t->ends, &s->others, reterr);
    if (rc == 0 && t->summed > 0)
        rc = read_list(r, "SELECT " CONVERSATION_ENDS " FROM conversation c WHERE c.run_id = ?1 AND c.conversation_id <> ?2 AND c.summed = 0",
                       args, 2, &t->ends, &s->others, reterr);
    return rc;
}

static int select_conversation(struct reader *r, struct selection *s, const struct told *t, struct err *reterr)
{
    const int64_t args[] = {s->run_id, t->id};

    if (t->summed > 0 || t->kept != t->flows || t->kept > MAX_FLOWS)
        return select_by_ends(r, s, t, reterr);
    return read_list(r, "SELECT " FLOW_ENDS " FROM flow WHERE run_id = ?1 AND conversation_id = ?2", args, 2, NULL, &s->wanted, reterr);
}

/* The conversations that 'sql' names, which are few: one, or those of one row between two hosts. */
static int select_conversations(struct reader *r, struct selection *s, const char *sql, struct err *reterr)
{
    const int64_t args[] = {s->run_id, s->finding_id};
    struct told   t;
    struct cursor *c;
    int           rc = reader_query(r, sql, args, 2, &c, reterr), more = 0;

    if (rc != 0)
        return rc;
    while (rc == 0 && (more = cursor_next(c, reterr)) == 1) {
        rc = read_selector(c, &t.ends, reterr);
        t.id = cursor_integer(c, S_NEXT);
        t.flows = cursor_integer(c, S_NEXT + 1);
        t.summed = cursor_integer(c, S_NEXT + 2);
        t.kept = cursor_integer(c, S_NEXT + 3);
        if (rc == 0)
            rc = select_conversation(r, s, &t, reterr);
    }
    cursor_free(c);
    return rc != 0 ? rc : more;
}

#define TOLD                                                                                                                          \
    "SELECT " CONVERSATION_ENDS ", c.conversation_id, c.flows, c.summed, (SELECT count(*) FROM flow w WHERE w.run_id = c.run_id AND"  \
    " w.conversation_id = c.conversation_id) FROM conversation c JOIN finding f ON f.run_id = c.run_id"                               \
    " WHERE f.run_id = ?1 AND f.finding_id = ?2 AND "

/*
 * A port that was announced and not used has no flow: what shows it is the packet that is cited, of the moment that the record names.  An ICMP
 * error about another packet, for which the picker looks before and after, is none of it.
 */
static int select_cited(struct reader *r, struct selection *s, struct err *reterr)
{
    static const char cited[] = "SELECT client, 0, 65535, NULL, NULL, '', first_ns, first_ns FROM finding WHERE run_id = ?1 AND finding_id = ?2";
    const int64_t     args[] = {s->run_id, s->finding_id};
    int               rc = read_list(r, cited, args, 2, NULL, &s->wanted, reterr);

    if (rc != 0 || s->wanted.n != 1)
        return rc;
    struct evidence_selector before = s->wanted.items[0], after = before;
    if (before.first_ns <= INT64_MIN + EVIDENCE_EARLY_NS || after.last_ns >= INT64_MAX - EVIDENCE_SLACK_NS)
        return 0;
    before.first_ns -= EVIDENCE_EARLY_NS;
    before.last_ns--;
    after.first_ns++;
    after.last_ns += EVIDENCE_SLACK_NS;
    rc = append(&s->others, &before, reterr);
    return rc == 0 ? append(&s->others, &after, reterr) : rc;
}

static int select_packets(struct reader *r, struct selection *s, bool has_conversation, struct err *reterr)
{
    static const char by_id[] = TOLD "c.conversation_id = f.conversation_id";
    /* One of several servers would have been enough, and what is tried there may be another row's too. */
    static const char by_row[] = TOLD "c.disposition = 'misdropped' AND (f.client_name IS NULL OR f.client_name = '' OR f.client_name ="
                                      " c.client_name) AND (c.row_id = f.row_id OR (c.server_name = f.server_name AND EXISTS (SELECT 1 FROM"
                                      " conversation o WHERE o.run_id = c.run_id AND o.row_id = f.row_id AND o.transport = c.transport"
                                      " AND o.server_port = c.server_port)))";
    static const char by_ends[] = "SELECT client, 0, 65535, server, server_port, coalesce(transport, ''), first_ns, coalesce(last_ns, first_ns)"
                                  " FROM finding WHERE run_id = ?1 AND finding_id = ?2";
    static const char by_hosts[] = "SELECT client, 0, 65535, server, NULL, '', -0x7fffffffffffffff, 0x7fffffffffffffff"
                                   " FROM finding WHERE run_id = ?1 AND finding_id = ?2";
    const int64_t     args[] = {s->run_id, s->finding_id};

    if (strcmp(s->kind, "missing") == 0)
        return err_set(reterr, -ENODATA, "finding %lld says that something is missing: no packet shows it", (long long)s->finding_id);
    if (strcmp(s->kind, "site") == 0)
        return err_set(reterr, -ENODATA, "finding %lld is about the site file: no packet shows it", (long long)s->finding_id);
    s->by_hosts = strcmp(s->kind, "separated") == 0;
    if (s->by_hosts)
        return read_list(r, by_hosts, args, 2, NULL, &s->wanted, reterr);
    if (has_conversation)
        return select_conversations(r, s, by_id, reterr);
    if (strcmp(s->kind, "misdropped") == 0)
        return select_conversations(r, s, by_row, reterr);
    s->is_cited = s->packets == 0;
    return s->is_cited ? select_cited(r, s, reterr) : read_list(r, by_ends, args, 2, NULL, &s->wanted, reterr);
}

/* --- the finding, the run, the inputs ------------------------------------------------------------------------------ */

static int read_finding(struct reader *r, struct selection *s, bool *ret_has_conversation, struct err *reterr)
{
    const int64_t  args[] = {s->run_id, s->finding_id};
    struct cursor *c;
    int            rc = reader_query(r,
                                     "SELECT kind, severity, reason, packets, conversation_id, coalesce(nullif(client, ''), 'any') || ' to ' ||"
                                                " coalesce(nullif(server, ''), 'any') || coalesce(' ' || nullif(transport, ''), '') || coalesce('/' ||"
                                                " server_port, '') FROM finding WHERE run_id = ?1 AND finding_id = ?2",
                                     args, 2, &c, reterr);

    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc == 0)
        rc = err_set(reterr, -ENOENT, "run %lld has no finding %lld; 'flowaudit report' shows their numbers (in a live run one that turned out otherwise leaves a hole)", (long long)s->run_id,
                     (long long)s->finding_id);
    else if (rc == 1 && (rc = copy(c, 0, &s->kind, reterr)) == 0 && (rc = copy(c, 1, &s->severity, reterr)) == 0 &&
             (rc = copy(c, 2, &s->reason, reterr)) == 0)
        rc = copy(c, 5, &s->ends, reterr);
    s->packets = cursor_integer(c, 3);
    *ret_has_conversation = cursor_type(c, 4) != CELL_NULL;
    cursor_free(c);
    return rc;
}

static int read_run(struct reader *r, struct selection *s, struct err *reterr)
{
    struct cursor *c;
    int            rc = reader_query(r,
                                     "SELECT CASE WHEN json_valid(options) THEN json_extract(options, '$.filter') END,"
                                                " 'judged by flowaudit ' || coalesce(version, '') || char(10) || 'site sha256 ' || coalesce(site_sha256, '')"
                                                " || char(10) || 'matrix ' || coalesce(matrix_id, '') || ' sha256 ' || coalesce(matrix_sha256, '')"
                                                " FROM run WHERE run_id = ?1",
                                     &s->run_id, 1, &c, reterr);

    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc == 0)
        rc = err_set(reterr, -ENOENT, "the record has no run %lld", (long long)s->run_id);
    else if (rc == 1 && (rc = copy(c, 0, &s->filter, reterr)) == 0)
        rc = copy(c, 1, &s->origin, reterr);
    cursor_free(c);
    return rc;
}

static int add_input(struct selection *s, struct cursor *c, struct err *reterr)
{
    char *name = NULL, *path = NULL, *sha256 = NULL;

    if (strcmp(cursor_text(c, 4, NULL), "live") == 0)
        return snprintf(s->live, sizeof(s->live), "%s", cursor_text(c, 0, NULL)) >= 0 ? 0 : -EINVAL;
    struct evidence_input *more = realloc(s->inputs, (s->n_inputs + 1) * sizeof(*more));
    if (more == NULL)
        return no_memory(reterr);
    s->inputs = more;
    int rc = copy(c, 0, &name, reterr);
    if (rc == 0)
        rc = copy(c, 1, &path, reterr);
    if (rc == 0)
        rc = copy(c, 2, &sha256, reterr);
    s->inputs[s->n_inputs++] = (struct evidence_input){name, path, sha256, (uint64_t)cursor_integer(c, 3)};
    return rc;
}

static int read_input_rows(struct reader *r, struct selection *s, const char *sql, const int64_t *args, struct err *reterr)
{
    struct cursor *c;
    int            more = 0, rc = reader_query(r, sql, args, 3, &c, reterr);

    if (rc != 0)
        return rc;
    while (rc == 0 && (more = cursor_next(c, reterr)) == 1)
        rc = add_input(s, c, reterr);
    cursor_free(c);
    return rc != 0 ? rc : more;
}

/* Those whose packets are of the time that is looked for; of a live run the files of what it kept. */
static int read_inputs(struct reader *r, struct selection *s, struct err *reterr)
{
    int64_t        args[] = {s->run_id, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < s->wanted.n; i++) {
        const struct evidence_selector *w = &s->wanted.items[i];

        args[1] = w->first_ns < args[1] ? w->first_ns : args[1];
        args[2] = w->last_ns > args[2] ? w->last_ns : args[2];
    }
    if (args[1] > INT64_MIN + EVIDENCE_EARLY_NS)
        args[1] -= EVIDENCE_EARLY_NS;
    if (args[2] < INT64_MAX - EVIDENCE_SLACK_NS)
        args[2] += EVIDENCE_SLACK_NS;
    int rc = read_input_rows(r, s,
                             "SELECT coalesce(name, ''), path, coalesce(sha256, ''), bytes, linktype FROM input WHERE run_id = ?1 AND packets > 0"
                             " AND (last_ns IS NULL OR last_ns >= ?2) AND (first_ns IS NULL OR first_ns <= ?3) ORDER BY input_id",
                             args, reterr);
    if (rc != 0 || s->live[0] == '\0')
        return rc;
    rc = read_input_rows(r, s,
                         "SELECT replace(path, rtrim(path, replace(path, '/', '')), ''), path, coalesce(sha256, ''), bytes, '' FROM evidence_file"
                         " WHERE run_id = ?1 AND last_ns >= ?2 AND first_ns <= ?3 ORDER BY file_id",
                         args, reterr);
    if (rc == 0 && s->n_inputs == 0)
        rc = err_set(reterr, -ENODATA, "run %lld judged a live interface, %s, and kept no packets of that time (watch --evidence keeps them)",
                     (long long)s->run_id, s->live);
    return rc;
}

int selection_read(struct reader *r, int64_t run_id, int64_t finding_id, struct selection *ret, struct err *reterr)
{
    struct selection s = {.run_id = run_id, .finding_id = finding_id};
    bool             has_conversation = false;
    int              rc = run_id == 0 ? reader_number(r, "SELECT coalesce(max(run_id), 0) FROM run", NULL, 0, &s.run_id, reterr) : 0;

    if (rc == 0)
        rc = read_run(r, &s, reterr);
    if (rc == 0)
        rc = read_finding(r, &s, &has_conversation, reterr);
    if (rc == 0)
        rc = select_packets(r, &s, has_conversation, reterr);
    if (rc == 0)
        rc = read_inputs(r, &s, reterr);
    if (rc == 0)
        *ret = s;
    else
        selection_clear(&s);
    return rc;
}

void selection_clear(struct selection *s)
{
    for (size_t i = 0; i < s->n_inputs; i++) {
        free((char *)s->inputs[i].name);
        free((char *)s->inputs[i].path);
        free((char *)s->inputs[i].sha256);
    }
    free(s->inputs);
    free(s->wanted.items);
    free(s->others.items);
    free(s->kind);
    free(s->severity);
    free(s->reason);
    free(s->filter);
    free(s->origin);
    free(s->ends);
    *s = (struct selection){0};
}
