/* SPDX-License-Identifier: Apache-2.0 */
/* What the matrix says of one flow: the verdict, and each row that could have had a say, with the reason why it had or had not. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "text.h"

struct considered {
    bool        matched;
    const char *why; /* in 'buf', or static */
    char        buf[256];
};

static bool ends_fit(const struct applied_row *a, const struct way *w)
{
    return sets_meet(w->from, &a->from) && sets_meet(w->to, &a->to);
}

/* Rows worth showing: those between the two, in either direction, and those of the server's port from or to one of them. */
static bool is_relevant(const struct applied_row *a, const struct way *w)
{
    struct way back = way_back(w, w->port);

    if (ends_fit(a, w) || ends_fit(a, &back))
        return true;
    return (sets_meet(w->from, &a->from) || sets_meet(w->to, &a->to)) && row_port(a, w->transport, w->port) != NULL;
}

static void consider(const struct policy *p, const struct applied_row *a, const struct app *app, const struct way *w,
                     struct considered *ret)
{
    struct way back = way_back(w, w->port);
    char       ports[200];

    *ret = (struct considered){.why = ret->buf};
    if (!ends_fit(a, w))
        snprintf(ret->buf, sizeof(ret->buf), ends_fit(a, &back) ? "the other way round: from %s to %s" : "from %s to %s only",
                 a->row->from_text, a->row->to_text);
    else if (!row_other_ok(a, w->distinct))
        ret->why = "between two different hosts only";
    else if (a->n_ports == 0)
        row_state(p, a, ret->buf, sizeof(ret->buf));
    else if (row_port(a, w->transport, w->port) == NULL)
        snprintf(ret->buf, sizeof(ret->buf), "for %s", ports_text(a, ports, sizeof(ports)));
    else if (!a->enabled)
        row_state(p, a, ret->buf, sizeof(ret->buf));
    else if (content_contradicts(p, app, a))
        snprintf(ret->buf, sizeof(ret->buf), "the port fits, and the content %s contradicts it", app->name);
    else {
        ret->matched = true;
        ret->why = policy_satisfies(p, app, a) ? "roles, port and content fit" : "roles and port fit";
    }
}

/* Where either side may ask: would a row of the other direction allow it, had that side asked? */
static void other_reason(const struct policy *p, const struct policy_query *q, char *buf, size_t size)
{
    char                client[128];
    struct policy_query other = *q;
    struct judgement    j;

    other.one_asks = false;
    policy_judge(p, &other, &j);
    if (j.verdict == VERDICT_ALLOWED && j.reversed)
        snprintf(buf, size, " That is so if all requests are those of %s; if others are captured, or none, row %s of the other direction allows it.",
                 host_text(p, &q->tuple.client, client, sizeof(client)), p->rows[j.row].row->id.text);
}

static void reason(const struct policy *p, const struct policy_query *q, const struct judgement *j, char *buf, size_t size)
{
    char client[128], server[128], service[16];

    host_text(p, &q->tuple.client, client, sizeof(client));
    host_text(p, &q->tuple.server, server, sizeof(server));
    service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service));
    if (j->ignored)
        snprintf(buf, size, "%s to %s on %s is not judged: the site ignores one of them.", client, server, service);
    else if (j->verdict == VERDICT_NOT_GOVERNED)
        snprintf(buf, size, "%s to %s on %s is not governed: the document does not speak of these two.", client, server, service);
    else if (j->verdict == VERDICT_ALLOWED)
        snprintf(buf, size, "%s may reach %s on %s: row %s (%s, \"%s\").", client, server, service, p->rows[j->row].row->id.text,
                 p->rows[j->row].row->service, p->rows[j->row].row->section);
    else {
        int n = snprintf(buf, size, "%s to %s on %s is %s. ", client, server, service,
                         j->verdict == VERDICT_VIOLATION ? "not allowed" : "neither allowed nor a violation");
        if (n > 0 && (size_t)n < size)
            rule_text(p, q, j, buf + n, size - (size_t)n);
        if (q->one_asks && strlen(buf) + 1 < size)
            other_reason(p, q, buf + strlen(buf), size - strlen(buf));
    }
}

static void explain_text(const struct policy *p, const struct policy_query *q, const struct judgement *j, FILE *out)
{
    char       sentence[1400];
    uint32_t   client = j->client_host, server = j->server_host;
    struct way w = way_there(p, &q->tuple);

    reason(p, q, j, sentence, sizeof(sentence));
    fprintf(out, "%s", verdict_name(j->verdict));
    if (j->kind != FINDING_NONE)
        fprintf(out, " (%s)", finding_kind_name(j->kind));
    fprintf(out, ": %s\n", sentence);
    fprintf(out, "client roles: %s\nserver roles: %s\n", *policy_host_roles(p, client) != '\0' ? policy_host_roles(p, client) : "none",
            *policy_host_roles(p, server) != '\0' ? policy_host_roles(p, server) : "none");
    fputs("rows considered:\n", out);
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        struct considered c;

        if (!is_relevant(&p->rows[i], &w))
            continue;
        consider(p, &p->rows[i], &q->app, &w, &c);
        fprintf(out, "  %c %-27s %s\n", c.matched ? '+' : '-', p->rows[i].row->id.text, c.why);
    }
}

static void explain_json(const struct policy *p, const struct policy_query *q, const struct judgement *j, FILE *out)
{
    char       sentence[1400];
    bool       first = true;
    struct way w = way_there(p, &q->tuple);

    reason(p, q, j, sentence, sizeof(sentence));
    fputc('{', out);
    json_member(out, "verdict", verdict_name(j->verdict), true);
    json_member(out, "kind", j->kind != FINDING_NONE ? finding_kind_name(j->kind) : NULL, false);
    json_member(out, "row_id", j->row != POLICY_NONE ? p->rows[j->row].row->id.text : NULL, false);
    json_member(out, "section", policy_section(p, j), false);
    json_member(out, "confidence", confidence_name(j->confidence), false);
    json_member(out, "reason", sentence, false);
    fputs(",\"rows\":[", out);
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        struct considered c;

        if (!is_relevant(&p->rows[i], &w))
            continue;
        consider(p, &p->rows[i], &q->app, &w, &c);
        fprintf(out, "%s\n{", first ? "" : ",");
        json_member(out, "id", p->rows[i].row->id.text, true);
        fprintf(out, ",\"matched\":%s", c.matched ? "true" : "false");
        json_member(out, "why", c.why, false);
        fputc('}', out);
        first = false;
    }
    fputs("]}\n", out);
}

int policy_explain(const struct policy *p, const struct policy_query *q, enum policy_format format, FILE *out)
{
    struct judgement j;

    policy_judge(p, q, &j);
    if (format == POLICY_JSON)
        explain_json(p, q, &j, out);
    else
        explain_text(p, q, &j, out);
    return ferror(out) ? -EIO : 0;
}
