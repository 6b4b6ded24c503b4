/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <inttypes.h>
#include <stdio.h>

static void add(struct fields *f, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        f->list[f->n++] = (struct field){name, value};
}

static void add_number(struct fields *f, const char *name, uint64_t value)
{
    char *buf = f->numbers[f->n_numbers++];

    snprintf(buf, sizeof(f->numbers[0]), "%" PRIu64, value);
    add(f, name, buf);
}

static void add_time(struct fields *f, const char *name, int64_t ns)
{
    struct out out = {0};

    if (ns == 0)
        return;
    out_time(&out, ns);
    snprintf(f->numbers[f->n_numbers], sizeof(f->numbers[0]), "%s", out.cut ? "" : out.text);
    add(f, name, f->numbers[f->n_numbers++]);
    out_free(&out);
}

void fields_of(struct fields *ret, const struct alert *a)
{
    const struct store_finding *f = a->finding;

    ret->n = ret->n_numbers = 0;
    add(ret, "kind", f->kind);
    add(ret, "severity", f->severity);
    add(ret, "row", f->row_id);
    add(ret, "section", f->section);
    add(ret, "client", f->client);
    add(ret, "client_name", f->client_name);
    add(ret, "server", f->server);
    add(ret, "server_name", f->server_name);
    add(ret, "transport", f->transport);
    if (f->has_port)
        add_number(ret, "port", f->server_port);
    add(ret, "protocol", f->protocol);
    add(ret, "outcome", f->outcome);
    add(ret, "disposition", f->disposition);
    add(ret, "community_id", a->community_id);
    add_number(ret, "flows", f->flows);
    add_number(ret, "packets", f->packets);
    add_number(ret, "bytes", f->bytes);
    add_time(ret, "first", f->first_ns);
    add_time(ret, "last", f->last_ns);
    if (a->like > 0)
        add_number(ret, "like", a->like);
    add_number(ret, "run", (uint64_t)a->run_id);
    add_number(ret, "finding", f->finding_id);
}
