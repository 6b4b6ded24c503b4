/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for people: who did what, what became of it, what the document says.  All vendor words come from the matrix. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

const char *host_text(const struct policy *p, const struct addr *a, char *buf, size_t size)
{
    char     text[ADDR_TEXT_SIZE];
    uint32_t host = policy_host(p, a);

    addr_text(a, text);
    if (host != POLICY_NONE)
        snprintf(buf, size, "%s (%s)", policy_host_name(p, host), text);
    else
        snprintf(buf, size, "%s", text);
    return buf;
}

const char *service_text(uint8_t transport, uint16_t port, char *buf, size_t size)
{
    snprintf(buf, size, "%s %u", transport == IPPROTO_TCP ? "TCP" : "UDP", port);
    return buf;
}

/* A text that grows, and is cut where the buffer ends. */
struct text {
    char  *buf;
    size_t size, len; /* 'len' counts what there would be without the cut */
};

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *fmt, ...)
{
    size_t  at = t->len < t->size ? t->len : t->size;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(t->buf + at, t->size - at, fmt, args);
    va_end(args);
    t->len += n > 0 ? (size_t)n : 0;
}

/* --- what was seen ---------------------------------------------------------------------------------------- */

static const char *icmp_meaning(const struct flow_icmp *icmp)
{
    if (icmp->is_icmp6)
        return icmp->type != 1                          ? "error"
               : icmp->code == 1 || icmp->code == 5 || icmp->code == 6 ? "administratively prohibited"
               : icmp->code == 4                        ? "port unreachable"
                                                        : "unreachable";
    if (icmp->type != 3)
        return "error";
    switch (icmp->code) {
    case 3:
        return "port unreachable";
    case 9:
    case 10:
    case 13:
        return "administratively prohibited";
    default:
        return "unreachable";
    }
}

static void say_outcome(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char sender[128];

    switch (f->outcome) {
    case OUTCOME_ESTABLISHED:
        say(t, " and got through");
        break;
    case OUTCOME_REFUSED:
        say(t, "; the server refused it");
        break;
    case OUTCOME_PROHIBITED:
        if (f->icmp != NULL && f->icmp->n_errors > 0)
            say(t, "; it was stopped on the way (ICMP %s from %s)", icmp_meaning(f->icmp),
                host_text(p, &f->icmp->sender, sender, sizeof(sender)));
        else
            say(t, "; it was reset by something other than the server");
        break;
    case OUTCOME_UNANSWERED:
        say(t, "; no answer was seen");
        break;
    case OUTCOME_ONE_WAY:
        say(t, "; packets were seen in this direction only");
        break;
    }
}

static void say_content(struct text *t, const struct app *app)
{
    if (app->basis == APP_CONTENT)
        say(t, " carrying %s", app->detail[0] != '\0' ? app->detail : app->name);
    else if (app->basis == APP_HINT)
        say(t, " (the content looks like %s)", app->detail[0] != '\0' ? app->detail : app->name);
}

static void say_event(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[128], server[128], service[16];

    host_text(p, &q->tuple.client, client, sizeof(client));
    host_text(p, &q->tuple.server, server, sizeof(server));
    service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service));
    if (q->direction_known && q->tuple.transport == IPPROTO_TCP && f->outcome != OUTCOME_ONE_WAY)
        say(t, "%s %s to %s on %s", client, f->outcome == OUTCOME_ESTABLISHED ? "connected" : "tried to connect", server, service);
    else if (q->direction_known)
        say(t, "%s sent to %s on %s", client, server, service);
    else
        say(t, "%s and %s exchanged packets on %s (who began is not in the capture)", client, server, service);
    say_content(t, &q->app);
    if (f->flows > 1)
        say(t, ", %llu times,", (unsigned long long)f->flows);
    say_outcome(t, p, f);
    say(t, ". ");
}

/* --- what the document says ---------------------------------------------------------------------------------- */

static const char *roles_text(const struct policy *p, uint32_t host)
{
    const char *roles = policy_host_roles(p, host);

    return *roles != '\0' ? roles : "no role";
}

/* (row admin-rdp, "Network Traffic ...") */
static void say_row(struct text *t, const struct matrix_row *row)
{
    say(t, " (row %s, \"%s\")", row->id.text, row->section);
}

const char *ports_text(const struct applied_row *a, char *buf, size_t size)
{
    struct text t = {buf, size, 0};

    snprintf(buf, size, "no port");
    for (size_t i = 0; i < a->n_ports && t.len < size; i++) {
        const struct port_range *r = &a->ports[i];

        say(&t, "%s%s %u", i > 0 ? " or " : "", r->transport == IPPROTO_TCP ? "TCP" : "UDP", r->low);
        if (r->high != r->low)
            say(&t, "-%u", r->high);
    }
    return buf;
}

static void say_expected(struct text *t, const struct matrix_row *row)
{
    for (size_t i = 0; i < row->protocols.n; i++)
        say(t, "%s%s", i > 0 ? " or " : "", row->protocols.items[i].text);
}

static void say_wrong_protocol(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say(t, "The document allows this port for ");
    say_expected(t, row);
    say_row(t, row);
    say(t, ", and the content is %s: find out what runs on %s.", q->app.name,
        policy_host_name(p, j->back ? j->client_host : j->server_host));
}

static void say_wrong_direction(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say(t, "The document has it the other way round: %s connects to %s there", row->from_text, row->to_text);
    say_row(t, row);
    say(t, ". Find out what makes %s the client.", policy_host_name(p, j->client_host));
}

static void say_wrong_role(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct applied_row *a = &p->rows[j->row];

    if (sets_meet(&host_group(p, j->client_host)->roles, &a->from))
        say(t, "The document allows %s from %s only to %s", a->row->service, a->row->from_text, a->row->to_text);
    else
        say(t, "The document allows %s to %s only from %s", a->row->service, a->row->to_text, a->row->from_text);
    say_row(t, a->row);
    uint32_t host = sets_meet(&host_group(p, j->client_host)->roles, &a->from) ? j->server_host : j->client_host;
    say(t, ", and %s has %s %s.", policy_host_name(p, host), strchr(roles_text(p, host), ',') != NULL ? "the roles" : "the role",
        roles_text(p, host));
}

static void say_wrong_port(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct applied_row *a = &p->rows[j->row];
    const struct addr        *receiver = j->back ? &q->tuple.client : &q->tuple.server;
    char                      ports[256], text[160];

    ports_text(a, ports, sizeof(ports));
    if (a->row->media)
        say(t, "Media to %s went to port %u, and the document allows %s only", host_text(p, receiver, text, sizeof(text)),
            j->back ? q->tuple.client_port : q->tuple.server_port, ports);
    else
        say(t, "The document allows %s here on %s only", q->app.name, ports);
    say_row(t, a->row);
    say(t, ": look at the %sports that %s is set to use.", a->row->media ? "media " : "",
        policy_host_name(p, j->back ? j->client_host : j->server_host));
}

/* Allowed, and worth a notice. */
static void say_wide(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct applied_row *a = &p->rows[j->row];
    char                      ports[256];

    say(t, "The document allows the whole range %s", ports_text(a, ports, sizeof(ports)));
    say_row(t, a->row);
    say(t, "; with option %s on, only negotiated ports are open, and no negotiation of this one was seen.",
        p->matrix->options[j->option].name.text);
}

/* The row's own words, a sentence without its capital and full stop, or with them. */
static void say_off_text(struct text *t, const char *off)
{
    size_t len = strlen(off);

    if (len > 0)
        say(t, "%c%s%s ", off[0] >= 'a' && off[0] <= 'z' ? off[0] - 'a' + 'A' : off[0], off + 1,
            strchr(".!?", off[len - 1]) != NULL ? "" : ".");
}

static void say_option_off(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;
    bool                     is_on = (p->option_values[j->option] & OPTION_ON) != 0;

    if (row->off_text != NULL)
        say_off_text(t, row->off_text);
    say(t, "The row for it needs option %s %s, and at this site it is %s", p->matrix->options[j->option].name.text,
        is_on ? "off" : "on", is_on ? "on" : "off");
    say_row(t, row);
    say(t, ".");
}

static void say_unknown_host(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    char a[ADDR_TEXT_SIZE], b[ADDR_TEXT_SIZE];

    addr_text(&q->tuple.client, a);
    addr_text(&q->tuple.server, b);
    if (j->client_host == POLICY_NONE && j->server_host == POLICY_NONE)
        say(t, "Neither %s nor %s is a host of the site.", a, b);
    else
        say(t, "%s is not a host of the site, and the document lets %s speak with named hosts only; name it in the site file if it belongs there.",
            j->client_host == POLICY_NONE ? a : b, policy_host_name(p, j->client_host == POLICY_NONE ? j->server_host : j->client_host));
}

static void say_no_row(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    char service[16];

    say(t, "The document has no row for %s from %s (%s) to %s (%s): find out what needs it.",
        service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service)), policy_host_name(p, j->client_host),
        roles_text(p, j->client_host), policy_host_name(p, j->server_host), roles_text(p, j->server_host));
}

static void say_violation(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    switch (j->kind) {
    case FINDING_UNKNOWN_HOST:
        say_unknown_host(t, p, q, j);
        break;
    case FINDING_OPTION_OFF:
        say_option_off(t, p, j);
        break;
    case FINDING_WRONG_PROTOCOL:
        say_wrong_protocol(t, p, q, j);
        break;
    case FINDING_WRONG_DIRECTION:
        say_wrong_direction(t, p, j);
        break;
    case FINDING_WRONG_ROLE:
        say_wrong_role(t, p, j);
        break;
    case FINDING_WRONG_PORT:
        say_wrong_port(t, p, q, j);
        break;
    default:
        say_no_row(t, p, q, j);
        break;
    }
    if (j->parameter != POLICY_NONE)
        say(t, " The site lists no %s, so the rows that need them allow nothing.", p->matrix->parameters[j->parameter].name.text);
}

static void say_verdict(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    switch (j->verdict) {
    case VERDICT_NOT_GOVERNED:
        say(t, "The document does not speak of it.");
        break;
    case VERDICT_UNDOCUMENTED:
        say(t, "The document has a table of ports for this direction, but the table is lost from the source");
        say_row(t, p->rows[j->row].row);
        say(t, ", and the site lists no %s.", p->matrix->parameters[j->parameter].name.text);
        break;
    case VERDICT_ALLOWED:
        if (j->kind != FINDING_NONE) {
            say_wide(t, p, j);
            break;
        }
        say(t, "The document allows it");
        say_row(t, p->rows[j->row].row);
        say(t, ".");
        break;
    case VERDICT_VIOLATION:
        say_violation(t, p, q, j);
        break;
    }
}

int policy_sentence(const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f, char *buf,
                    size_t size)
{
    struct text t = {buf, size, 0};

    if (size > 0)
        buf[0] = '\0';
    say_event(&t, p, q, f);
    say_verdict(&t, p, q, j);
    return (int)t.len;
}

int rule_text(const struct policy *p, const struct policy_query *q, const struct judgement *j, char *buf, size_t size)
{
    struct text t = {buf, size, 0};

    if (size > 0)
        buf[0] = '\0';
    say_verdict(&t, p, q, j);
    return (int)t.len;
}
