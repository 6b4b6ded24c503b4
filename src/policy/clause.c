/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the document says of a flow, and what to look at.  Advice goes to the end that is wrong, and assumes nothing that was not seen: of a probe
 * or an attempt that failed nobody knows what it was for.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

#define MOST_RANGES 8   /* of a row, named in a sentence */
#define MOST_ROWS 4     /* that fit, named in a sentence */
#define MOST_SECTIONS 3 /* that speak of two roles, named in a sentence */

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

void say_either(struct text *t, const char *names)
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

bool host_is_block(const struct policy *p, uint32_t host)
{
    const struct site_host *h = &p->site->hosts[host];

    for (size_t i = 0; i < h->n_ranges; i++)
        if (addr_compare(&h->ranges[i].low, &h->ranges[i].high) != 0)
            return true;
    return false;
}

/* Where one can look: the name of a machine, of one of many its address too. */
static const char *machine(const struct policy *p, uint32_t host, const struct addr *a, char *buf, size_t size)
{
    if (host_is_block(p, host))
        return host_text(p, a, buf, size);
    snprintf(buf, size, "%s", policy_host_name(p, host));
    return buf;
}

/* RFC 1918, RFC 6598, RFC 3927, RFC 1122; RFC 4193, RFC 4291: an address that no host outside has. */
static bool is_inside(const struct addr *a)
{
    const uint8_t *b = a->bytes + 12;

    if (!addr_is_ipv4(a))
        return (a->bytes[0] & 0xfe) == 0xfc || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
    return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64) || (b[0] == 169 && b[1] == 254);
}

static bool got_through(const struct policy_facts *f)
{
    return f == NULL || (f->outcome == OUTCOME_ESTABLISHED && !f->probe);
}

/* Of two ends that speak to each other nobody knows which is the server. */
static bool is_exchange(const struct policy_query *q)
{
    return q->tuple.transport == IPPROTO_TCP && !q->direction_known && q->sent[0] && q->sent[1];
}

/* What the client does there: "uses TCP 23 of unity1" */
static void say_use(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
{
    char               service[16], server[HOST_TEXT_SIZE];
    const char        *verb = got_through(f) || (q->sent[1] && !q->sent[0]) ? "uses" : f->outcome == OUTCOME_ESTABLISHED ? "probes" : f->outcome == OUTCOME_ONE_WAY && !is_probe(q, f) ? "sends to" : "tries";
    const struct addr *to = j->back ? &q->tuple.client : &q->tuple.server;

    if (f != NULL && f->answers && !q->sent[1])
        verb = "sends to";
    if (f != NULL && f->lone_reset)
        verb = q->sent[1] ? "uses or tries" : "uses";
    if (is_exchange(q))
        verb = "exchanges packets with";
    say(t, "%s %s of %s", verb, service_text(q->tuple.transport, j->back ? q->tuple.client_port : q->tuple.server_port, service, sizeof(service)),
        machine(p, j->back ? j->client_host : j->server_host, to, server, sizeof(server)));
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

/* A port that is wrong may be right in the end, and then a filter is in the way. */
static void say_filter(struct text *t, const struct policy *p, const struct policy_facts *f)
{
    char sender[HOST_TEXT_SIZE];

    if (f == NULL || f->outcome != OUTCOME_PROHIBITED)
        return;
    if (f->icmp != NULL && f->icmp->n_errors > 0)
        say(t, policy_icmp_prohibits(f->icmp) ? " Should the port be right, look at what %s filters." : " Should the port be right, look at why %s reports so.",
            host_text(p, &f->icmp->sender, sender, sizeof(sender)));
    else
        say(t, " Should the port be right, look for what answers in the server's name on the way.");
}

/* The way back breaks a row as well: a finding has one port, and there are two. */
static bool say_media_back(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    struct way         way = way_there(p, &q->tuple);
    const struct addr *to = j->back ? &q->tuple.server : &q->tuple.client;
    uint16_t           port = j->back ? q->tuple.server_port : q->tuple.client_port;
    char               receiver[HOST_TEXT_SIZE];

    if (!q->sent[0] || !q->sent[1])
        return false;
    if (!j->back)
        way = way_back(&way, port);
    uint32_t row = media_broken(p, q, &way);
    if (row == POLICY_NONE)
        return false;
    say(t, "The other way packets went to UDP %u of %s, and ", port, host_text(p, to, receiver, sizeof(receiver)));
    say_row(t, "row", p->rows[row].row);
    say(t, " allows ");
    say_ports(t, &p->rows[row]);
    say(t, " only. ");
    return true;
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
    say(t, " only. ");
    bool both = say_media_back(t, p, q, j);
    say(t, "Look at the range%s of media ports that %s", both ? "s" : "", machine(p, j->back ? j->client_host : j->server_host, to, receiver, sizeof(receiver)));
    if (both)
        say(t, " and %s are set to use.", machine(p, j->back ? j->server_host : j->client_host, j->back ? &q->tuple.server : &q->tuple.client, receiver, sizeof(receiver)));
    else
        say(t, " is set to use.");
}

/* All rows that allow this content between the two, with their ports; the one that it is measured against comes first. */
static void say_fitting_rows(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const char *section = p->rows[j->row].row->section;
    struct way  w = way_there(p, &q->tuple);
    unsigned    n = 1;

    say_row(t, "Row", p->rows[j->row].row);
    say(t, " allows %s between these two on ", q->app.name);
    say_ports(t, &p->rows[j->row]);
    for (uint32_t r = 0; (r = policy_row_between(p, w.from, w.to, r)) != POLICY_NONE; r++) {
        const struct applied_row *a = &p->rows[r];

        if (r == j->row || !a->enabled || a->n_ports == 0 || a->row->media || !row_other_ok(a, w.distinct) || !policy_satisfies(p, &q->app, a))
            continue;
        if (n++ == MOST_ROWS) {
            say(t, ", and others on other ports");
            break;
        }
        if (strcmp(section, a->row->section) == 0)
            say(t, ", row %s (%s, in the same section)", a->row->id.text, a->row->service);
        else
            say_row(t, ", row", a->row);
        section = a->row->section;
        say(t, " on ");
        say_ports(t, a);
    }
    say(t, " only. ");
}

static void say_wrong_port(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
{
    const struct applied_row *a = &p->rows[j->row];
    char                      client[HOST_TEXT_SIZE], server[HOST_TEXT_SIZE];

    if (j->verdict == VERDICT_ALLOWED) {
        say_row(t, "Row", a->row);
        say(t, " allows the whole of ");
        say_ports(t, a);
        say(t, ", but the site says that the firewall opens negotiated ports only (option %s), and no negotiation of this port was seen. Look at whether "
            "the session that negotiates it passes the point of capture, and at whether the firewall lets these packets through.",
            p->matrix->options[j->option].name.text);
        return;
    }
    if (a->row->media) {
        say_media(t, p, q, j);
        say_filter(t, p, f);
        return;
    }
    say_fitting_rows(t, p, q, j);
    machine(p, j->client_host, &q->tuple.client, client, sizeof(client));
    machine(p, j->server_host, &q->tuple.server, server, sizeof(server));
    if (row_has_range(a)) /* from which the server takes one, and tells the client */
        say(t, "Look at the ports, TCP or UDP, that %s is set to use.", server);
    else
        say(t, "Look at the ports, TCP or UDP, that %s and %s are set to use.", client, server);
    say_filter(t, p, f);
}

static void say_wrong_protocol(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    const struct matrix_row *row = p->rows[j->row].row;
    char                     server[HOST_TEXT_SIZE];

    say_row(t, "Row", row);
    say(t, " allows this port for ");
    for (size_t i = 0; i < row->protocols.n; i++)
        say(t, "%s%s", i > 0 ? " or " : "", row->protocols.items[i].text);
    say(t, " only. Find out what runs on %s there.",
        machine(p, j->back ? j->client_host : j->server_host, j->back ? &q->tuple.client : &q->tuple.server, server, sizeof(server)));
}

static void say_wrong_direction(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j,
                                const struct policy_facts *f)
{
    const struct matrix_row *row = p->rows[j->row].row;
    char                     client[HOST_TEXT_SIZE];

    say(t, "For this port the document has only the other direction: ");
    say_row(t, "row", row);
    say(t, " lets ");
    say_either(t, row->from_text);
    say(t, " reach ");
    say_either(t, row->to_text);
    say(t, ". Find out what on %s ", machine(p, j->client_host, &q->tuple.client, client, sizeof(client)));
    say_use(t, p, q, j, f);
    say(t, ".");
}

/* Nobody can look at the settings of one of many clients outside, but at the way by which it came. */
static bool say_outside(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    char client[ADDR_TEXT_SIZE], server[HOST_TEXT_SIZE];

    if (!host_is_block(p, j->client_host) || is_inside(&q->tuple.client))
        return false;
    say(t, ". Look at what lets %s, an outside address, reach %s: a filter, a forwarded port.", addr_text(&q->tuple.client, client),
        machine(p, j->server_host, &q->tuple.server, server, sizeof(server)));
    return true;
}

/* The server is one that the row speaks of, the client is not. */
static void say_wrong_client(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j,
                             const struct policy_facts *f)
{
    const struct matrix_row *row = p->rows[j->row].row;
    char                     client[HOST_TEXT_SIZE], address[ADDR_TEXT_SIZE];
    bool                     block = host_is_block(p, j->client_host);

    say_row(t, "Row", row);
    say(t, " allows it to ");
    say_either(t, row->to_text);
    say(t, " from ");
    say_either(t, row->from_text);
    say(t, " only, and this is from ");
    if (block)
        say(t, "%s, one of ", addr_text(&q->tuple.client, address));
    say_roles(t, p, j->client_host);
    if (say_outside(t, p, q, j))
        return;
    say(t, ". Find out who at %s ", machine(p, j->client_host, &q->tuple.client, client, sizeof(client)));
    say_use(t, p, q, j, f);
    say(t, ", or correct the role in the site file.");
}

static void say_wrong_server(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j,
                             const struct policy_facts *f)
{
    const struct matrix_row *row = p->rows[j->row].row;
    char                     client[HOST_TEXT_SIZE];

    say_row(t, "Row", row);
    say(t, " allows it from ");
    say_either(t, row->from_text);
    say(t, " to ");
    say_either(t, row->to_text);
    say(t, " only, and %s ", q->sent[0] || !q->sent[1] ? "this is to" : "the server here is");
    say_roles(t, p, j->server_host);
    if (say_outside(t, p, q, j))
        return;
    machine(p, j->client_host, &q->tuple.client, client, sizeof(client));
    if (f != NULL && is_probe(q, f)) {
        say(t, ". Find out what on %s ", client);
        say_use(t, p, q, j, f);
        say(t, ".");
        return;
    }
    say(t, ". Look at which server %s is set to use, and at the roles in the site file.", client);
}

static void say_wrong_role(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j,
                           const struct policy_facts *f)
{
    if (sets_meet(&host_group(p, j->client_host)->roles, &p->rows[j->row].from))
        say_wrong_server(t, p, q, j, f);
    else
        say_wrong_client(t, p, q, j, f);
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

static void say_unknown_host(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
{
    char        text[ADDR_TEXT_SIZE];
    bool        is_client = j->client_host == POLICY_NONE;
    const char *known = policy_host_name(p, is_client ? j->server_host : j->client_host);

    bool many = f != NULL && (is_client ? f->many_clients : f->many_servers);

    say(t, "%s %s of the site, and no row of the document lets %s %s %s without a role. ", addr_text(is_client ? &q->tuple.client : &q->tuple.server, text),
        many ? "and the others are no hosts" : "is not a host", known, is_client ? "be reached by" : "reach", many ? "hosts" : "a host");
    say(t, many ? "Name them in the site file if they belong there, or find out what they are." : "Name it in the site file if it belongs there, or find out what it is.");
}

/* The headings under which rows of this way stand, each once: "A", "B" */
static unsigned say_headings(struct text *t, const struct policy *p, const struct way *w)
{
    const char *named[MOST_SECTIONS];
    unsigned    n = 0;

    for (uint32_t r = 0; (r = policy_row_between(p, w->from, w->to, r)) != POLICY_NONE; r++) {
        const char *section = p->rows[r].row->section;
        bool        known = !row_other_ok(&p->rows[r], w->distinct);

        for (unsigned i = 0; i < n && !known; i++)
            known = strcmp(named[i], section) == 0;
        if (known)
            continue;
        if (n == MOST_SECTIONS) {
            say(t, " and others");
            break;
        }
        say(t, "%s\"%s\"", n > 0 ? ", " : "", section);
        named[n++] = section;
    }
    return n;
}

/* Where the document speaks of these roles, if anywhere. */
static void say_sections(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    struct way   there = way_there(p, &q->tuple), back = way_back(&there, q->tuple.client_port);
    char         headings[1024] = "";
    struct text  h = {headings, sizeof(headings), 0};
    unsigned     n = say_headings(&h, p, j->back ? &back : &there);

    if (n > 0) {
        say(t, "What it says of these roles (%s) has no row for that. ", headings);
        return;
    }
    n = say_headings(&h, p, j->back ? &there : &back);
    if (n > 0)
        say(t, "Of these roles it has only the other direction (%s). ", headings);
    else
        say(t, "No section of it has traffic between these roles. ");
}

struct lacking {
    const struct policy *p;
    const struct set256 *to;
    uint32_t             row; /* the first in the document */
};

static void look_elsewhere(void *aux, uint32_t row)
{
    struct lacking           *l = aux;
    const struct applied_row *a = &l->p->rows[row];

    if (row < l->row && a->enabled && !a->row->media && !row_has_range(a) && !sets_meet(l->to, &a->to))
        l->row = row;
}

/* A row that lets this client use the very port, of servers with another role: the site file may lack that role. */
static void say_lacking_role(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j)
{
    static const struct set256 any = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct pair_walk           walk = pair_walk(p, &host_group(p, j->client_host)->roles, &any);
    struct lacking             l = {p, &host_group(p, j->server_host)->roles, POLICY_NONE};
    const struct role_pair    *pair;
    char                       service[16];

    if (j->back)
        return;
    while ((pair = pair_next(&walk)) != NULL)
        stab_find(&pair->trees[q->tuple.transport == IPPROTO_UDP], q->tuple.server_port, look_elsewhere, &l);
    if (l.row == POLICY_NONE)
        return;
    const struct matrix_row *row = p->rows[l.row].row;
    say(t, "On %s ", service_text(q->tuple.transport, q->tuple.server_port, service, sizeof(service)));
    say_row(t, "row", row);
    say(t, " lets %s reach ", policy_host_name(p, j->client_host));
    say_either(t, row->to_text);
    say(t, ", and %s has no such role in the site file. ", policy_host_name(p, j->server_host));
}

static void say_no_row(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
{
    uint32_t           from = j->back ? j->server_host : j->client_host, to = j->back ? j->client_host : j->server_host;
    const struct addr *sender = j->back ? &q->tuple.server : &q->tuple.client;
    char               service[16], client[HOST_TEXT_SIZE];

    say(t, "No row of the document lets ");
    say_roles(t, p, from);
    say(t, " reach ");
    say_roles(t, p, to);
    say(t, " on %s", service_text(q->tuple.transport, j->back ? q->tuple.client_port : q->tuple.server_port, service, sizeof(service)));
    if (f != NULL && is_exchange(q) && f->client_ports[0] == f->client_ports[1]) /* it was judged both ways */
        say(t, ", nor the other way on %s", service_text(q->tuple.transport, q->tuple.client_port, service, sizeof(service)));
    say(t, ". ");
    say_sections(t, p, q, j);
    say_lacking_role(t, p, q, j);
    say(t, "Find out what on %s ", machine(p, from, sender, client, sizeof(client)));
    say_use(t, p, q, j, f);
    say(t, ", or correct the roles in the site file.");
}

static void say_kind(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
{
    switch (j->kind) {
    case FINDING_UNKNOWN_HOST:
        say_unknown_host(t, p, q, j, f);
        break;
    case FINDING_OPTION_OFF:
        say_option_off(t, p, j);
        break;
    case FINDING_WRONG_PROTOCOL:
        say_wrong_protocol(t, p, q, j);
        break;
    case FINDING_WRONG_DIRECTION:
        say_wrong_direction(t, p, q, j, f);
        break;
    case FINDING_WRONG_ROLE:
        say_wrong_role(t, p, q, j, f);
        break;
    case FINDING_WRONG_PORT:
        say_wrong_port(t, p, q, j, f);
        break;
    default:
        say_no_row(t, p, q, j, f);
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

void say_rule(struct text *t, const struct policy *p, const struct policy_query *q, const struct judgement *j, const struct policy_facts *f)
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
            say_kind(t, p, q, j, f);
        break;
    case VERDICT_VIOLATION:
        say_kind(t, p, q, j, f);
        if (j->parameter != POLICY_NONE)
            say(t, " The site lists no %s, so the rows that need this list allow nothing.", p->matrix->parameters[j->parameter].name.text);
        break;
    }
}

int rule_text(const struct policy *p, const struct policy_query *q, const struct judgement *j, char *buf, size_t size)
{
    struct text t = {buf, size, 0};

    if (size > 0)
        buf[0] = '\0';
    say_rule(&t, p, q, j, NULL);
    return (int)t.len;
}
