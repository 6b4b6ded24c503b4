/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alert as one line of JSON, under the field names of the Elastic Common Schema 8.11 where it has one, and under "flowaudit"
 * where it has none.  flowaudit(1) documents them.
 */
#include <ctype.h>
#include <string.h>

#include "private.h"
#include "words.h"

#define ECS_VERSION "8.11.0"

/* ECS wants a number of the source's own; higher is graver here: critical 5, notice 1. */
static unsigned rank(enum severity s)
{
    return 5 - (unsigned)s;
}

static bool is_address(const char *text)
{
    struct addr addr;

    return text != NULL && addr_parse(text, &addr) == 0;
}

static void put_observer(struct json *j, const struct notify_about *about)
{
    object_open(j, "ecs");
    member_text(j, "version", ECS_VERSION);
    object_close(j);
    object_open(j, "observer");
    member_text(j, "product", "flowaudit");
    member_text(j, "type", "ids");
    member_text(j, "version", about->version);
    member_text(j, "hostname", about->host);
    object_close(j);
    object_open(j, "process");
    member_number(j, "pid", (uint64_t)about->pid);
    object_close(j);
}

/* What became of the flow, in the schema's words. */
static const char *event_type(const struct store_finding *f)
{
    if (f->disposition == NULL)
        return "info";
    if (strcmp(f->disposition, "escaped") == 0 || strcmp(f->disposition, "permitted") == 0)
        return "allowed";
    return strcmp(f->disposition, "rejected") == 0 || strcmp(f->disposition, "misdropped") == 0 ? "denied" : "info";
}

static void put_event(struct json *j, const struct alert *a)
{
    static const char *const category[] = {"network"};
    const struct store_finding *f = a->finding;
    const char *type[] = {event_type(f)};

    object_open(j, "event");
    member_text(j, "kind", "alert");
    member_list(j, "category", category, 1);
    member_list(j, "type", type, 1);
    member_text(j, "module", "flowaudit");
    member_text(j, "dataset", "flowaudit.finding");
    member_text(j, "action", a->like > 0 ? "findings-like" : a->nth == 1 ? "finding-new" : "finding-grew");
    member_text(j, "code", f->kind);
    member_number(j, "severity", rank(a->severity));
    member_text(j, "reason", f->reason);
    member_time(j, "start", f->first_ns);
    member_time(j, "end", f->last_ns);
    member_time(j, "created", a->now.wall_ns);
    object_close(j);
}

static void put_rule(struct json *j, const struct notify_about *about, const struct store_finding *f)
{
    object_open(j, "rule");
    member_text(j, "id", f->row_id);
    member_text(j, "category", f->kind);
    member_text(j, "reference", f->section);
    member_text(j, "ruleset", about->ruleset);
    object_close(j);
}

static void put_endpoint(struct json *j, const char *key, const char *address, bool has_port, uint16_t port)
{
    if (address == NULL && !has_port)
        return;
    object_open(j, key);
    member_text(j, "address", address);
    if (is_address(address))
        member_text(j, "ip", address);
    if (has_port)
        member_number(j, "port", port);
    object_close(j);
}

static void lower(const char *text, char *buf, size_t size)
{
    size_t n = 0;

    for (; text != NULL && text[n] != '\0' && n + 1 < size; n++)
        buf[n] = (char)tolower((unsigned char)text[n]);
    buf[n] = '\0';
}

static void put_network(struct json *j, const struct alert *a)
{
    const struct store_finding *f = a->finding;
    const char *address = is_address(f->client) ? f->client : is_address(f->server) ? f->server : NULL;
    char buf[64];

    object_open(j, "network");
    if (address != NULL)
        member_text(j, "type", strchr(address, ':') != NULL ? "ipv6" : "ipv4");
    lower(f->transport, buf, sizeof(buf));
    member_text(j, "transport", buf);
    lower(f->protocol, buf, sizeof(buf));
    member_text(j, "protocol", buf);
    member_text(j, "community_id", a->community_id);
    member_number(j, "packets", f->packets);
    member_number(j, "bytes", f->bytes);
    object_close(j);
}

static void put_related(struct json *j, const struct store_finding *f)
{
    const char *ips[] = {is_address(f->client) ? f->client : NULL, is_address(f->server) ? f->server : NULL};
    const char *hosts[] = {f->client_name, f->server_name};

    object_open(j, "related");
    member_list(j, "ip", ips, 2);
    member_list(j, "hosts", hosts, 2);
    object_close(j);
}

static void put_own(struct json *j, const struct alert *a)
{
    const struct store_finding *f = a->finding;

    object_open(j, "flowaudit");
    member_number(j, "run_id", (uint64_t)a->run_id);
    member_number(j, "finding_id", f->finding_id);
    if (f->conversation_id != 0)
        member_number(j, "conversation_id", f->conversation_id);
    member_text(j, "kind", f->kind);
    member_text(j, "severity", f->severity);
    member_text(j, "client_name", f->client_name);
    member_text(j, "server_name", f->server_name);
    member_text(j, "protocol", f->protocol);
    member_text(j, "outcome", f->outcome);
    member_text(j, "disposition", f->disposition);
    member_number(j, "flows", f->flows);
    if (a->like > 0)
        member_number(j, "like", a->like);
    member_text(j, "parent", f->parent);
    member_bool(j, "new", a->nth == 1);
    member_number(j, "told", a->nth);
    object_close(j);
}

void put_ecs_alert(struct out *out, const struct notify_about *about, const struct alert *a)
{
    struct json j = {.out = out};
    const struct store_finding *f = a->finding;

    object_open(&j, NULL);
    member_time(&j, "@timestamp", f->last_ns != 0 ? f->last_ns : a->now.wall_ns);
    member_text(&j, "message", f->reason);
    object_open(&j, "log");
    member_text(&j, "level", f->severity);
    object_close(&j);
    put_event(&j, a);
    put_rule(&j, about, f);
    put_endpoint(&j, "source", f->client, false, 0);
    put_endpoint(&j, "destination", f->server, f->has_port, f->server_port);
    put_network(&j, a);
    put_related(&j, f);
    put_own(&j, a);
    put_observer(&j, about);
    object_close(&j);
}

static const char *level_name(enum notify_level level)
{
    static const char *const names[] = {[NOTIFY_ERROR] = "error", [NOTIFY_WARNING] = "warning", [NOTIFY_NOTICE] = "notice", [NOTIFY_INFO] = "info"};

    return names[level];
}

void put_ecs_message(struct out *out, const struct notify_about *about, const struct message *m)
{
    struct json j = {.out = out};

    object_open(&j, NULL);
    member_time(&j, "@timestamp", m->now.wall_ns);
    member_text(&j, "message", m->sentence);
    object_open(&j, "log");
    member_text(&j, "level", level_name(m->level));
    object_close(&j);
    object_open(&j, "event");
    member_text(&j, "kind", "event");
    member_text(&j, "module", "flowaudit");
    member_text(&j, "dataset", "flowaudit.run");
    object_close(&j);
    put_observer(&j, about);
    object_close(&j);
}
