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

/* RFC 792, RFC 1122, RFC 1812: codes of "destination unreachable". */
static const char *const unreachable[] = {
    "network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed", "source route failed",
    "network unknown", "host unknown", "host isolated", "network administratively prohibited", "host administratively prohibited",
    "network unreachable for this type of service", "host unreachable for this type of service",
    "communication administratively prohibited", "host precedence violation", "precedence cutoff",
};
/* RFC 4443 */
static const char *const unreachable6[] = {
    "no route", "communication administratively prohibited", "beyond scope of source address", "address unreachable", "port unreachable",
    "source address failed policy", "route rejected",
};

bool policy_icmp_prohibits(const struct flow_icmp *icmp)
{
    if (icmp->is_icmp6)
        return icmp->type == 1 && (icmp->code == 1 || icmp->code == 5 || icmp->code == 6);
    return icmp->type == 3 && (icmp->code == 9 || icmp->code == 10 || icmp->code == 13);
}

static const char *icmp_meaning(const struct flow_icmp *icmp)
{
    if (icmp->type == (icmp->is_icmp6 ? 3 : 11))
        return "time exceeded";
    if (icmp->is_icmp6)
        return icmp->type == 1 && icmp->code < sizeof(unreachable6) / sizeof(unreachable6[0]) ? unreachable6[icmp->code] : "error";
    return icmp->type == 3 && icmp->code < sizeof(unreachable) / sizeof(unreachable[0]) ? unreachable[icmp->code] : "error";
}

const char *icmp_text(const struct policy *p, const struct flow_icmp *icmp, char *buf, size_t size)
{
    char sender[128];

    snprintf(buf, size, "ICMP%s \"%s\" (type %u code %u) from %s", icmp->is_icmp6 ? "v6" : "", icmp_meaning(icmp), icmp->type, icmp->code,
             host_text(p, &icmp->sender, sender, sizeof(sender)));
    return buf;
}

const char *ttl_text(const struct ttl_range *r, char *buf, size_t size)
{
    if (r->min == r->max)
        snprintf(buf, size, "TTL %u", r->min);
    else
        snprintf(buf, size, "TTLs from %u to %u", r->min, r->max);
    return buf;
}

static void say_outcome(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char icmp[256], rst[32], own[32];

    switch (f->outcome) {
    case OUTCOME_ESTABLISHED:
        say(t, " and got through");
        break;
    case OUTCOME_REFUSED:
        if (f->icmp != NULL && f->icmp->from_server)
            say(t, "; the server refused it (%s)", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
        else
            say(t, "; the server refused it");
        break;
    case OUTCOME_PROHIBITED:
        if (f->own.min != 0)
            say(t, "; it was reset by something other than the server (RST with %s, the server's own packets have %s)",
                ttl_text(&f->rst, rst, sizeof(rst)), ttl_text(&f->own, own, sizeof(own)));
        else if (f->icmp != NULL)
            say(t, "; it was stopped: %s", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
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
    if (q->direction_known && q->tuple.transport == IPPROTO_TCP)
        say(t, "%s connected to %s on %s", client, server, service);
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

static void say_media(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;
    char                     receiver[128];
    const struct addr       *a = j->back ? &q->tuple.client : &q->tuple.server;

    say(t, "Media went to port %u of %s; row %s allows %s only, so look at the media port range of %s.",
        j->back ? q->tuple.client_port : q->tuple.server_port, host_text(p, a, receiver, sizeof(receiver)), row->id.text, row->ports_text,
        policy_host_name(p, j->back ? j->client_host : j->server_host));
}

static void say_expected(struct text *t, const struct matrix_row *row)
{
    for (size_t i = 0; i < row->protocols.n; i++)
        say(t, "%s%s", i > 0 ? " or " : "", row->protocols.items[i].text);
}

static void say_option_off(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;
    const char              *option = p->matrix->options[j->option].name.text;
    bool                     is_on = (p->option_values[j->option] & OPTION_ON) != 0;

    if (row->off_text != NULL)
        say(t, "%s%s ", row->off_text, strchr(".!?", row->off_text[strlen(row->off_text) - 1]) != NULL ? "" : ".");
    say(t, "Row %s would allow it if option %s were %s; at this site it is %s.", row->id.text, option, is_on ? "off" : "on", is_on ? "on" : "off");
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

static void say_rule(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct applied_row *a = j->row != POLICY_NONE ? &p->rows[j->row] : NULL;
    const char               *client = policy_host_name(p, j->client_host), *server = policy_host_name(p, j->server_host);

    switch (j->kind) {
    case FINDING_UNKNOWN_HOST:
        say_unknown_host(t, p, q, j);
        break;
    case FINDING_OPTION_OFF:
        say_option_off(t, p, j);
        break;
    case FINDING_WRONG_PROTOCOL:
        say(t, "Row %s allows this port for ", a->row->id.text);
        say_expected(t, a->row);
        say(t, " (%s), and the content is %s: find out what runs on %s.", a->row->service, q->app.name, j->back ? client : server);
        break;
    case FINDING_WRONG_DIRECTION:
        say(t, "The document has it the other way round: row %s lets %s connect to %s (%s).", a->row->id.text, a->row->from_text, a->row->to_text,
            a->row->service);
        break;
    case FINDING_WRONG_ROLE:
        say(t, "Row %s allows %s from %s to %s; here the client %s is %s and the server %s is %s.", a->row->id.text, a->row->service,
            a->row->from_text, a->row->to_text, client, roles_text(p, j->client_host), server, roles_text(p, j->server_host));
        break;
    case FINDING_WRONG_PORT:
        if (a->row->media)
            say_media(t, p, q, j);
        else if (j->verdict == VERDICT_ALLOWED)
            say(t, "Row %s allows the whole range %s; no negotiation of this port was seen, and the site says that the firewall opens "
                   "negotiated ports only.", a->row->id.text, a->row->ports_text);
        else
            say(t, "Row %s allows %s here on %s only: look at the ports that %s is set to use.", a->row->id.text, a->row->service,
                a->row->ports_text, server);
        break;
    default:
        say(t, "No row of the document lets %s (%s) reach %s (%s) there.", client, roles_text(p, j->client_host), server,
            roles_text(p, j->server_host));
        break;
    }
    if (j->verdict == VERDICT_VIOLATION && j->parameter != POLICY_NONE)
        say(t, " The site lists no %s, so the rows that need them allow nothing.", p->matrix->parameters[j->parameter].name.text);
}

static void say_verdict(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    switch (j->verdict) {
    case VERDICT_NOT_GOVERNED:
        say(t, "The document does not speak of it.");
        break;
    case VERDICT_UNDOCUMENTED:
        say(t, "Row %s speaks of this direction, but its list of ports is lost from the source, and the site lists no %s.",
            p->rows[j->row].row->id.text, p->matrix->parameters[j->parameter].name.text);
        break;
    case VERDICT_ALLOWED:
        if (j->kind == FINDING_NONE) {
            say(t, "Row %s allows it.", p->rows[j->row].row->id.text);
            break;
        }
        say_rule(t, p, q, j);
        break;
    case VERDICT_VIOLATION:
        say_rule(t, p, q, j);
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
