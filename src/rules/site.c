/* SPDX-License-Identifier: Apache-2.0 */
/* A site file, key by key; what one part must agree with another on is in site_check.c. */
#include <errno.h>
#include <string.h>

#include "private.h"

#define DEFAULT_WITHIN_NS (3600LL * 1000000000)

struct diag_place site_place(const struct site *s, const struct rules_place *at)
{
    return (struct diag_place){
        .file = s->file, .line = at->line, .column = at->column, .width = at->width, .text = s->text, .size = s->size};
}

void site_free(struct site *s)
{
    if (s != NULL)
        arena_free(s->arena); /* which holds *s too */
}

/* --- hosts -------------------------------------------------------------------------------------- */

static void read_addresses(struct parse *p, const struct node *n, void *field)
{
    struct site_host *host = field;
    size_t count = 1;
    const struct node *child = n;

    if (n->kind != NODE_SCALAR || node_is_empty(n)) {
        if (!expect_sequence(p, n, "'addresses'", &count))
            return;
        if (count == 0)
            parse_error(p, n, "'addresses' is empty; a host has at least one");
        child = node_first(p, n);
    }
    host->ranges = parse_alloc(p, count, sizeof(*host->ranges));
    host->range_places = parse_alloc(p, count, sizeof(*host->range_places));
    if (host->ranges == NULL || host->range_places == NULL)
        return;
    for (; child != NULL; child = n->kind == NODE_SEQUENCE ? node_next(p, child) : NULL) {
        host->range_places[host->n_ranges] = node_place(p, child);
        host->n_ranges += read_range(p, child, &host->ranges[host->n_ranges]);
    }
}

static const struct key host_keys[] = {
    {"addresses", read_addresses, 0, true},
    {"roles", read_names, offsetof(struct site_host, roles), true},
};

static void read_hosts(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;
    size_t count;

    if (!expect_mapping(p, n, "'hosts'", &count))
        return;
    if (count == 0)
        parse_error(p, n, "'hosts' is empty; name at least one: {addresses: [10.0.0.1], roles: [...]}");
    s->hosts = parse_alloc(p, count, sizeof(*s->hosts));
    const struct node *key = node_first(p, n), *value;
    for (; s->hosts != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        name_of(p, key, &s->hosts[s->n_hosts].name);
        read_keys(p, value, "a host", KEYS(host_keys), &s->hosts[s->n_hosts++]);
    }
}

/* --- options and parameters --------------------------------------------------------------------- */

static void read_option(struct parse *p, const struct node *n, struct site_setting *ret)
{
    ret->value.place = node_place(p, n);
    read_switch(p, n, &ret->value.text);
}

/* Only the matrix knows whether a parameter is ports or a version: "5.0" can only be a version, a list only ports,
 * "6" is kept as both, and what is neither is told where that is known. */
static void read_parameter(struct parse *p, const struct node *n, struct site_setting *ret)
{
    if (n->kind == NODE_SCALAR && !node_is_empty(n)) {
        ret->value = (struct rules_name){.text = (char *)(uintptr_t)n->text, .place = node_place(p, n)};
        if (n->text[strspn(n->text, "0123456789-")] != '\0' && strchr(n->text, '/') == NULL)
            return;
    }
    read_parameter_ports(p, n, &ret->ports);
    if (ret->ports.n == 0)
        ret->value.text = NULL; /* it has had its error */
}

static void read_settings(struct parse *p, const struct node *n, const char *what, struct site_setting **ret,
                          size_t *ret_n, void (*read)(struct parse *, const struct node *, struct site_setting *))
{
    size_t count;

    if (!expect_mapping(p, n, what, &count))
        return;
    *ret = parse_alloc(p, count, sizeof(**ret));
    const struct node *key = node_first(p, n), *value;
    for (; *ret != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        struct site_setting *setting = &(*ret)[(*ret_n)++];

        name_of(p, key, &setting->name);
        read(p, value, setting);
    }
}

static void read_options(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;

    read_settings(p, n, "'options'", &s->options, &s->n_options, read_option);
}

static void read_parameters(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;

    read_settings(p, n, "'parameters'", &s->parameters, &s->n_parameters, read_parameter);
}

/* --- expectations ------------------------------------------------------------------------------- */

static void read_servers(struct parse *p, const struct node *n, void *field)
{
    if (!expect_scalar(p, n, "'servers'"))
        return;
    if (strcmp(n->text, "any") != 0 && strcmp(n->text, "every") != 0)
        parse_error(p, n, "'%.100s' is neither any nor every; 'servers' is one of these", n->text);
    else
        *(int *)field = strcmp(n->text, "every") == 0;
}

static void read_expect(struct parse *p, const struct node *n, void *field)
{
    if (expect_scalar(p, n, "'expect'"))
        expect_of(p, n, field);
}

static const struct key expect_keys[] = {
    {"expect", read_expect, offsetof(struct site_expect, expect), false},
    {"within", read_duration, offsetof(struct site_expect, within_ns), false},
    {"servers", read_servers, offsetof(struct site_expect, every), false},
};

static void read_expects(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;
    size_t count;

    if (!expect_mapping(p, n, "'expect'", &count))
        return;
    s->expects = parse_alloc(p, count, sizeof(*s->expects));
    const struct node *key = node_first(p, n), *value;
    for (; s->expects != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        struct site_expect *e = &s->expects[s->n_expects++];

        *e = (struct site_expect){.within_ns = -1, .every = -1};
        name_of(p, key, &e->row);
        if (value->kind != NODE_SCALAR)
            read_keys(p, value, "an expectation", KEYS(expect_keys), e);
        else
            read_expect(p, value, &e->expect);
    }
}

/* --- what is not judged ------------------------------------------------------------------------- */

static void read_network(struct parse *p, const struct node *n, void *field)
{
    struct site_ignore *ignore = field;

    ignore->place = node_place(p, n);
    read_range(p, n, &ignore->range);
}

static const struct key ignore_keys[] = {
    {"network", read_network, 0, true},
    {"reason", read_text, offsetof(struct site_ignore, reason), true},
};

static void read_ignores(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;
    size_t count;

    if (!expect_sequence(p, n, "'ignore'", &count))
        return;
    s->ignores = parse_alloc(p, count, sizeof(*s->ignores));
    for (const struct node *c = node_first(p, n); s->ignores != NULL && c != NULL; c = node_next(p, c))
        read_keys(p, c, "an entry of 'ignore'", KEYS(ignore_keys), &s->ignores[s->n_ignores++]);
}

/* --- exceptions --------------------------------------------------------------------------------- */

/* A host's name is looked up later, when all hosts are known. */
static void read_end(struct parse *p, const struct node *n, struct rules_name *name, struct addr_range *range,
                     bool *is_range, bool *any)
{
    if (!expect_scalar(p, n, "an end of an exception"))
        return;
    name_of(p, n, name);
    *any = strcmp(n->text, "*") == 0;
    if (*any)
        return;
    int rc = addr_range_parse(n->text, range);
    *is_range = rc != -EINVAL;
    if (rc != 0 && rc != -EINVAL)
        read_range(p, n, range);
}

static void read_client(struct parse *p, const struct node *n, void *field)
{
    struct site_exception *x = field;

    read_end(p, n, &x->client, &x->client_range, &x->client_is_range, &x->client_any);
}

static void read_server(struct parse *p, const struct node *n, void *field)
{
    struct site_exception *x = field;

    read_end(p, n, &x->server, &x->server_range, &x->server_is_range, &x->server_any);
}

static void read_exception_port(struct parse *p, const struct node *n, void *field)
{
    struct site_exception *x = field;

    if (n->kind == NODE_SCALAR && strcmp(n->text, "any") == 0)
        return;
    x->any_port = false;
    read_port(p, n, PORT_OF_EXCEPTION, &x->port);
}

static void read_until(struct parse *p, const struct node *n, void *field)
{
    struct site_exception *x = field;

    if (!expect_scalar(p, n, "'until'"))
        return;
    x->until_text = (char *)(uintptr_t)n->text;
    if (!form_date(n->text, &x->until_ns))
        parse_error(p, n, "'%.100s' is no date of the calendar; write YYYY-MM-DD", n->text);
}

static const struct key exception_keys[] = {
    {"id", read_name, offsetof(struct site_exception, id), true},
    {"client", read_client, 0, true},
    {"server", read_server, 0, true},
    {"port", read_exception_port, 0, false},
    {"owner", read_text, offsetof(struct site_exception, owner), true},
    {"reason", read_text, offsetof(struct site_exception, reason), true},
    {"until", read_until, 0, true},
};

static void read_exceptions(struct parse *p, const struct node *n, void *field)
{
    struct site *s = field;
    size_t count;

    if (!expect_sequence(p, n, "'exceptions'", &count))
        return;
    s->exceptions = parse_alloc(p, count, sizeof(*s->exceptions));
    for (const struct node *c = node_first(p, n); s->exceptions != NULL && c != NULL; c = node_next(p, c)) {
        s->exceptions[s->n_exceptions].any_port = true;
        read_keys(p, c, "an exception", KEYS(exception_keys), &s->exceptions[s->n_exceptions++]);
    }
}

/* --- the file ----------------------------------------------------------------------------------- */

static const struct key site_keys[] = {
    {"site", read_text, offsetof(struct site, name), false},
    {"matrix", read_name, offsetof(struct site, matrix), false},
    {"options", read_options, 0, false},
    {"parameters", read_parameters, 0, false},
    {"hosts", read_hosts, 0, true},
    {"within", read_duration, offsetof(struct site, within_ns), false},
    {"expect", read_expects, 0, false},
    {"ignore", read_ignores, 0, false},
    {"exceptions", read_exceptions, 0, false},
};

static int parse_site(const char *text, size_t size, const char *name, bool partly, struct site **ret,
                      struct diag_list *diags)
{
    struct parse p;
    struct rules_text t;
    int rc = parse_begin(&p, text, size, name, diags, &t);

    if (rc != 0)
        return rc;
    struct site *s = parse_alloc(&p, 1, sizeof(*s));
    if (s != NULL) {
        *s = (struct site){.arena = p.arena,
                           .file = t.file,
                           .text = t.text,
                           .size = size,
                           .within_ns = DEFAULT_WITHIN_NS,
                           .name = (char *)(uintptr_t) "",
                           .matrix.text = (char *)(uintptr_t) "default"};
        memcpy(s->sha256, t.sha256, sizeof(s->sha256));
        read_keys(&p, p.nodes, "a site", KEYS(site_keys), s);
        site_check(&p, s);
        if (s->matrix.place.line == 0 && (p.incomplete || p.cut_line != 0))
            s->matrix.text = NULL; /* it may be what was misspelt, or cut off */
    }
    p.keep = partly;
    rc = parse_end(&p);
    if (rc == 0 || (rc == -EINVAL && partly))
        *ret = s;
    return rc;
}

int site_parse(const char *text, size_t size, const char *name, struct site **ret, struct diag_list *diags)
{
    return parse_site(text, size, name, false, ret, diags);
}

int site_parse_partly(const char *text, size_t size, const char *name, struct site **ret, struct diag_list *diags)
{
    return parse_site(text, size, name, true, ret, diags);
}
