/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences for people: who did what and what became of it, then what the document says and where to look.  All vendor words
 * come from the matrix.  Nothing is said that the facts do not hold: a connection that was not answered was tried, not made.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

#define MOST_RANGES 8      /* of a row, named in a sentence */

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
    int n = vsnprintf(at < t->size ? t->buf + at : NULL, t->size - at, fmt, args);
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
    char sender[HOST_TEXT_SIZE];

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

/* What the client did, as far as it is known. */
static const char *deed(const struct policy_query *q, enum outcome outcome)
{
    if (q->tuple.transport != IPPROTO_TCP || outcome == OUTCOME_ONE_WAY)
        return "sent to";
    return outcome == OUTCOME_ESTABLISHED ? "connected to" : "tried to connect to";
}

static void say_who(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f)
{
    char client[HOST_TEXT_SIZE], server[HOST_TEXT_SIZE], service[16];

    host_text(p, &q->tuple.client, client, sizeof(client));
    host_text(p, &q->tuple.server, server, sizeof(server));
    service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service));
    if (q->sent[1] && !q->sent[0])
        say(t, "%s sent to %s from %s", server, client, service);
    else if (q->direction_known)
        say(t, "%s %s %s on %s", client, deed(q, f->outcome), server, service);
    else if (q->sent[1])
        say(t, "%s and %s exchanged packets on %s of the latter", client, server, service);
    else
        say(t, "%s sent to %s on %s", client, server, service);
}

static void say_content(struct text *t, const struct app *app)
{
    const char *name = app->detail[0] != '\0' ? app->detail : app->name;

    if (app->basis == APP_CONTENT)
        say(t, ", carrying %s", name);
    else if (app->basis == APP_HINT)
        say(t, ", and the content looks like %s", name);
}

/* Media is no question: the other side speaks too. */
static void say_answered(struct text *t, const struct policy_query *q, bool media)
{
    if (q->tuple.transport != IPPROTO_TCP && q->direction_known && q->sent[0])
        say(t, media ? "; packets came the other way too" : "; it was answered");
}

/* Whoever sent a RST wrote the server's address into it: more than that only its TTL tells. */
static void say_refused(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char icmp[ICMP_TEXT_SIZE], rst[TTL_TEXT_SIZE];

    if (f->icmp != NULL && f->icmp->n_errors > 0 && f->icmp->from_server)
        say(t, "; it was refused by %s", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
    else if (f->own.min != 0)
        say(t, "; it was refused by a RST with %s, as the server's other packets have", ttl_text(&f->rst, rst, sizeof(rst)));
    else
        say(t, "; it was refused by a RST in the server's name");
}

static void say_prohibited(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char icmp[ICMP_TEXT_SIZE], rst[TTL_TEXT_SIZE], own[TTL_TEXT_SIZE];

    if (f->own.min != 0)
        say(t, "; it was refused by a RST that is not like the server's packets (%s, the server's own have %s)",
            ttl_text(&f->rst, rst, sizeof(rst)), ttl_text(&f->own, own, sizeof(own)));
    else if (f->icmp != NULL && f->icmp->n_errors > 0)
        say(t, "; it was answered by %s", icmp_text(p, f->icmp, icmp, sizeof(icmp)));
    else
        say(t, "; it was refused by a RST that is not like the server's packets");
}

static void say_outcome(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    switch (f->outcome) {
    case OUTCOME_ESTABLISHED:
        say_answered(t, q, media);
        break;
    case OUTCOME_REFUSED:
        say_refused(t, p, f);
        break;
    case OUTCOME_PROHIBITED:
        say_prohibited(t, p, f);
        break;
    case OUTCOME_UNANSWERED:
        say(t, "; no answer was seen");
        break;
    case OUTCOME_ONE_WAY:
        say(t, "; no packet the other way was seen");
        break;
    }
}

static void say_event(struct text *t, const struct policy *p, const struct policy_query *q, const struct policy_facts *f, bool media)
{
    say_who(t, p, q, f);
    if (f->flows > 1)
        say(t, " %llu times", (unsigned long long)f->flows);
    say_content(t, &q->app);
    say_outcome(t, p, q, f, media);
    if (!q->direction_known)
        say(t, " (who began is not in the capture)");
    say(t, ". ");
}

/* --- what the document says ---------------------------------------------------------------------------------- */

/* "a or b" of "a|b" */
static void say_list(struct text *t, const char *names, char separator, const char *instead)
{
    for (;;) {
        size_t n = strcspn(names, (char[]){separator, '\0'});

        say(t, "%.*s", (int)n, names);
        if (names[n] == '\0')
            return;
        say(t, "%s", instead);
        names += n + 1;
    }
}

static void say_either(struct text *t, const char *names)
{
    say_list(t, names, '|', " or ");
}

static void say_roles(struct text *t, const struct policy *p, uint32_t host)
{
    const char *roles = policy_host_roles(p, host);

    say(t, "%s (", policy_host_name(p, host));
    say_list(t, *roles != '\0' ? roles : "no role", ',', ", ");
    say(t, ")");
}

/* "Row admin-rdp (WTS or RDP, \"Network Traffic from ...\")": the reader finds it in the document. */
static void say_row(struct text *t, const char *row_word, const struct matrix_row *row)
{
    say(t, "%s %s (%s, \"%s\")", row_word, row->id.text, row->service, row->section);
}

static bool same_range(const struct port_range *a, const struct port_range *b)
{
    return a->low == b->low && a->high == b->high;
}

/* Is this the UDP half of a range that is named for both transports already? */
static bool named_before(const struct applied_row *a, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_range(&a->ports[k], &a->ports[i]))
            return true;
    return false;
}

static const char *transports_of(const struct applied_row *a, size_t i)
{
    for (size_t k = i + 1; k < a->n_ports; k++)
        if (same_range(&a->ports[k], &a->ports[i]) && a->ports[k].transport != a->ports[i].transport)
            return "TCP and UDP";
    return a->ports[i].transport == IPPROTO_TCP ? "TCP" : "UDP";
}

/* The row's ports at the site, as the source writes them: "TCP and UDP 5000-5020" */
static void say_ports(struct text *t, const struct applied_row *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n_ports; i++) {
        if (named_before(a, i))
            continue;
        if (n++ == MOST_RANGES) {
            say(t, " and others");
            return;
        }
        say(t, "%s%s %u", n > 1 ? ", " : "", transports_of(a, i), a->ports[i].low);
        if (a->ports[i].high != a->ports[i].low)
            say(t, "-%u", a->ports[i].high);
    }
}

const char *ports_text(const struct applied_row *a, char *buf, size_t size)
{
    struct text t = {buf, size, 0};

    snprintf(buf, size, "no port");
    say_ports(&t, a);
    return buf;
}

const char *policy_row_ports(const struct policy *p, uint32_t row, char *buf, size_t size)
{
    return ports_text(&p->rows[row], buf, size);
}

static void say_media(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct applied_row *a = &p->rows[j->row];
    const struct addr        *to = j->back ? &q->tuple.client : &q->tuple.server;
    char                      receiver[HOST_TEXT_SIZE];

    if (!policy_satisfies(p, &q->app, a) && !q->media)
        say(t, "If this is media, which one of its ports suggests, this breaks a row. ");
    say(t, "Packets went to UDP %u of %s, and ", j->back ? q->tuple.client_port : q->tuple.server_port, host_text(p, to, receiver, sizeof(receiver)));
    say_row(t, "row", a->row);
    say(t, " allows ");
    say_ports(t, a);
    say(t, " only. Look at the range of media ports that %s is set to use.", policy_host_name(p, j->back ? j->client_host : j->server_host));
}

static void say_wrong_port(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct applied_row *a = &p->rows[j->row];

    if (j->verdict == VERDICT_ALLOWED) {
        say_row(t, "Row", a->row);
        say(t, " allows the whole of ");
        say_ports(t, a);
        say(t, ", but the site says that the firewall opens negotiated ports only (option %s), and no negotiation of this port was seen.",
            p->matrix->options[j->option].name.text);
    } else if (a->row->media) {
        say_media(t, p, q, j);
    } else {
        say_row(t, "Row", a->row);
        say(t, " allows %s between these two on ", q->app.name);
        say_ports(t, a);
        say(t, " only. Look at the ports, TCP or UDP, that %s is set to use.", policy_host_name(p, j->server_host));
    }
}

static void say_wrong_protocol(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say_row(t, "Row", row);
    say(t, " allows this port for ");
    for (size_t i = 0; i < row->protocols.n; i++)
        say(t, "%s%s", i > 0 ? " or " : "", row->protocols.items[i].text);
    say(t, " only. Find out what runs on %s there.", policy_host_name(p, j->back ? j->client_host : j->server_host));
}

static void say_wrong_direction(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say(t, "For this port the document has only the other direction: ");
    say_row(t, "row", row);
    say(t, " lets ");
    say_either(t, row->from_text);
    say(t, " reach ");
    say_either(t, row->to_text);
    say(t, ". Find out what on %s needs this of %s.", policy_host_name(p, j->client_host), policy_host_name(p, j->server_host));
}

static void say_wrong_role(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say_row(t, "Row", row);
    say(t, " allows it from ");
    say_either(t, row->from_text);
    say(t, " to ");
    say_either(t, row->to_text);
    say(t, " only, and this is from ");
    say_roles(t, p, j->client_host);
    say(t, " to ");
    say_roles(t, p, j->server_host);
    say(t, ". Look at which server %s is set to use, and at the roles in the site file.", policy_host_name(p, j->client_host));
}

/* The options that stand in the way of this row: "option pca were on and option https were off". */
static void say_conditions(struct text *t, const struct policy *p, const struct matrix_row *row)
{
    uint32_t option = POLICY_NONE;
    unsigned n = 0;
    bool     any = row->n_when_any == 0;

    for (size_t i = 0; i < row->n_when; i++)
        if (!policy_holds(p, &row->when[i], &option))
            say(t, "%soption %s were %s", n++ > 0 ? " and " : "", row->when[i].name.text, row->when[i].value);
    for (size_t i = 0; i < row->n_when_any; i++)
        any |= policy_holds(p, &row->when_any[i], &option);
    for (size_t i = 0; !any && i < row->n_when_any; i++)
        say(t, "%soption %s were %s", i > 0 ? " or " : n > 0 ? " and " : "", row->when_any[i].name.text, row->when_any[i].value);
}

static void say_option_off(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    if (row->off_text != NULL && *row->off_text != '\0')
        say(t, "%s%s ", row->off_text, strchr(".!?", row->off_text[strlen(row->off_text) - 1]) != NULL ? "" : ".");
    say_row(t, "Row", row);
    say(t, " would allow it if ");
    say_conditions(t, p, row);
    say(t, ": look at the options in the site file, or stop it.");
}

static void say_unknown_host(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    char        text[ADDR_TEXT_SIZE];
    bool        is_client = j->client_host == POLICY_NONE;
    const char *known = policy_host_name(p, is_client ? j->server_host : j->client_host);

    say(t, "%s is not a host of the site, and no row of the document lets %s %s a host without a role. ", addr_text(is_client ? &q->tuple.client : &q->tuple.server, text),
        known, is_client ? "be reached by" : "reach");
    say(t, "Name it in the site file if it belongs there, or find out what it is.");
}

static void say_no_row(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    uint32_t from = j->back ? j->server_host : j->client_host, to = j->back ? j->client_host : j->server_host;
    char     service[16];

    say(t, "No row of the document lets ");
    say_roles(t, p, from);
    say(t, " reach ");
    say_roles(t, p, to);
    say(t, " on %s. Find out what on %s does, or correct the roles in the site file.",
        service_text(q->tuple.transport, j->back ? q->tuple.client_port : q->tuple.server_port, service, sizeof(service)), policy_host_name(p, from));
}

static void say_kind(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    switch (j->kind) {
    case FINDING_UNKNOWN_HOST:
        say_unknown_host(t, p, q, j);
        break;
    case FINDING_OPTION_OFF:
        say_option_off(t, p, j);
        break;
    case FINDING_WRONG_PROTOCOL:
        say_wrong_protocol(t, p, j);
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
}

static void say_undocumented(struct text *t, const struct policy *p, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;

    say_row(t, "Row", row);
    say(t, " speaks of this direction, but its table of ports is lost from the source");
    if (j->parameter != POLICY_NONE)
        say(t, ", and the site lists no %s", p->matrix->parameters[j->parameter].name.text);
    say(t, ": it is neither allowed nor a violation.");
}

static void say_rule(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    switch (j->verdict) {
    case VERDICT_NOT_GOVERNED:
        say(t, j->ignored ? "The site says to ignore one of the two." : "The document does not speak of it.");
        break;
    case VERDICT_UNDOCUMENTED:
        say_undocumented(t, p, j);
        break;
    case VERDICT_ALLOWED:
        if (j->kind == FINDING_NONE) {
            say_row(t, "Row", p->rows[j->row].row);
            say(t, " allows it.");
        } else
            say_kind(t, p, q, j);
        break;
    case VERDICT_VIOLATION:
        say_kind(t, p, q, j);
        if (j->parameter != POLICY_NONE)
            say(t, " The site lists no %s, so the rows that need this list allow nothing.", p->matrix->parameters[j->parameter].name.text);
        break;
    }
}

int policy_sentence(const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f, char *buf,
                    size_t size)
{
    struct text t = {buf, size, 0};
    bool        media = q->media || (j->row != POLICY_NONE && p->rows[j->row].row->media);

    if (size > 0)
        buf[0] = '\0';
    say_event(&t, p, q, f, media);
    say_rule(&t, p, q, j);
    return (int)t.len;
}

int rule_text(const struct policy *p, const struct policy_query *q, const struct judgement *j, char *buf, size_t size)
{
    struct text t = {buf, size, 0};

    if (size > 0)
        buf[0] = '\0';
    say_rule(&t, p, q, j);
    return (int)t.len;
}
