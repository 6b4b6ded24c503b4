/* SPDX-License-Identifier: Apache-2.0 */
/* What the site and the matrix say otherwise, from the texts that both records hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

const char *const diff_change_names[CHANGE_N] = {
    [CHANGE_MATRIX] = "matrix",       [CHANGE_ROW] = "row",       [CHANGE_OPTION] = "option",
    [CHANGE_PARAMETER] = "parameter", [CHANGE_HOST] = "host",     [CHANGE_EXPECT] = "expect",
    [CHANGE_IGNORE] = "ignore",       [CHANGE_EXCEPTION] = "exception", [CHANGE_WITHIN] = "within",
    [CHANGE_TEXT] = "site file",
};

/* Takes 'was' and 'is'; equal ones are no change. */
static int add_change(struct report_diff *d, enum diff_change_kind kind, const char *name, char *was, char *is)
{
    if (was != NULL ? is != NULL && strcmp(was, is) == 0 : is == NULL) {
        free(was);
        free(is);
        return 0;
    }
    struct diff_change *changes = realloc(d->changes, (d->n_changes + 1) * sizeof(*changes));
    char *copy = strdup(name);
    if (changes != NULL)
        d->changes = changes;
    if (changes == NULL || copy == NULL) {
        free(copy);
        free(was);
        free(is);
        return -ENOMEM;
    }
    d->changes[d->n_changes++] = (struct diff_change){kind, copy, was, is};
    return 0;
}

/* NULL: not there.  A copy that cannot be made must not look like that. */
static int add_copies(struct report_diff *d, enum diff_change_kind kind, const char *name, const char *was, const char *is)
{
    char *copies[2] = {was != NULL ? strdup(was) : NULL, is != NULL ? strdup(is) : NULL};

    if ((was != NULL && copies[0] == NULL) || (is != NULL && copies[1] == NULL)) {
        free(copies[0]);
        free(copies[1]);
        return -ENOMEM;
    }
    return add_change(d, kind, name, copies[0], copies[1]);
}

/* --- the parts of a site, each a list of names with a text ------------------------------------------------------------- */

typedef size_t count_fn(const struct site *);
typedef const char *name_fn(const struct site *, size_t i, char *buf, size_t size);
typedef void describe_fn(const struct site *, size_t i, FILE *);

struct part {
    enum diff_change_kind kind;
    count_fn *count;
    name_fn *name;
    describe_fn *describe;
};

static void put_names(const struct rules_names *names, FILE *out)
{
    for (size_t i = 0; i < names->n; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", names->items[i].text);
}

static void put_ports(const struct rules_ports *ports, FILE *out)
{
    for (size_t i = 0; i < ports->n; i++)
        fprintf(out, ports->items[i].low == ports->items[i].high ? "%s%u" : "%s%u-%u", i > 0 ? ", " : "", (unsigned)ports->items[i].low,
                (unsigned)ports->items[i].high);
}

static size_t count_options(const struct site *s)
{
    return s->n_options;
}

static const char *name_option(const struct site *s, size_t i, char *buf, size_t size)
{
    (void)buf, (void)size;
    return s->options[i].name.text;
}

static void describe_option(const struct site *s, size_t i, FILE *out)
{
    fputs(s->options[i].value.text != NULL ? s->options[i].value.text : "", out);
}

static size_t count_parameters(const struct site *s)
{
    return s->n_parameters;
}

static const char *name_parameter(const struct site *s, size_t i, char *buf, size_t size)
{
    (void)buf, (void)size;
    return s->parameters[i].name.text;
}

static void describe_parameter(const struct site *s, size_t i, FILE *out)
{
    if (s->parameters[i].ports.n > 0)
        put_ports(&s->parameters[i].ports, out);
    else if (s->parameters[i].value.text != NULL)
        fputs(s->parameters[i].value.text, out);
}

static size_t count_hosts(const struct site *s)
{
    return s->n_hosts;
}

static const char *name_host(const struct site *s, size_t i, char *buf, size_t size)
{
    (void)buf, (void)size;
    return s->hosts[i].name.text;
}

static void describe_host(const struct site *s, size_t i, FILE *out)
{
    char text[2 * ADDR_TEXT_SIZE];

    for (size_t k = 0; k < s->hosts[i].n_ranges; k++)
        fprintf(out, "%s%s", k > 0 ? ", " : "", addr_range_text(&s->hosts[i].ranges[k], text, sizeof(text)));
    fputs(s->hosts[i].roles.n > 0 ? "; " : "; no role", out);
    put_names(&s->hosts[i].roles, out);
}

static size_t count_expects(const struct site *s)
{
    return s->n_expects;
}

static const char *name_expect(const struct site *s, size_t i, char *buf, size_t size)
{
    (void)buf, (void)size;
    return s->expects[i].row.text;
}

static void describe_expect(const struct site *s, size_t i, FILE *out)
{
    static const char *const words[] = {"as the matrix says", "required", "on-demand"};
    const struct site_expect *e = &s->expects[i];

    fputs(words[e->expect], out);
    if (e->within_ns >= 0)
        fprintf(out, ", within %" PRId64 " s", e->within_ns / 1000000000);
    if (e->every >= 0)
        fputs(e->every > 0 ? ", every server" : ", any server", out);
}

static size_t count_ignores(const struct site *s)
{
    return s->n_ignores;
}

static const char *name_ignore(const struct site *s, size_t i, char *buf, size_t size)
{
    return addr_range_text(&s->ignores[i].range, buf, size);
}

static void describe_ignore(const struct site *s, size_t i, FILE *out)
{
    fputs(s->ignores[i].reason != NULL ? s->ignores[i].reason : "no reason", out);
}

static size_t count_exceptions(const struct site *s)
{
    return s->n_exceptions;
}

static const char *name_exception(const struct site *s, size_t i, char *buf, size_t size)
{
    (void)buf, (void)size;
    return s->exceptions[i].id.text;
}

static void describe_exception(const struct site *s, size_t i, FILE *out)
{
    const struct site_exception *e = &s->exceptions[i];

    fprintf(out, "%s to %s, ", e->client.text, e->server.text);
    if (e->any_port)
        fputs("any port", out);
    else
        fprintf(out, e->port.low == e->port.high ? "%s%u" : "%s%u-%u", e->port.transport == 6 ? "tcp/" : e->port.transport == 17 ? "udp/" : "",
                (unsigned)e->port.low, (unsigned)e->port.high);
    fprintf(out, ", until %s, owner %s, %s", e->until_text, e->owner, e->reason);
}

static const struct part parts[] = {
    {CHANGE_OPTION, count_options, name_option, describe_option},
    {CHANGE_PARAMETER, count_parameters, name_parameter, describe_parameter},
    {CHANGE_HOST, count_hosts, name_host, describe_host},
    {CHANGE_EXPECT, count_expects, name_expect, describe_expect},
    {CHANGE_IGNORE, count_ignores, name_ignore, describe_ignore},
    {CHANGE_EXCEPTION, count_exceptions, name_exception, describe_exception},
};

/* The text of the part of that name; NULL where there is none ('ret_failed' untouched) or no memory. */
static char *describe(const struct part *part, const struct site *s, const char *name, bool *ret_failed)
{
    char *text = NULL, buf[2 * ADDR_TEXT_SIZE];
    size_t size, n = part->count(s), i = 0;

    while (i < n && strcmp(part->name(s, i, buf, sizeof(buf)), name) != 0)
        i++;
    if (i == n)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL)
        part->describe(s, i, out);
    if (out == NULL || fclose(out) != 0)
        *ret_failed = true;
    return text;
}

static int compare_part(struct report_diff *d, const struct part *part)
{
    bool failed = false;
    int rc = 0;

    for (int side = 0; rc == 0 && side < 2; side++) {
        const struct site *s = d->side[side].site, *other = d->side[1 - side].site;

        for (size_t i = 0; rc == 0 && i < part->count(s); i++) {
            char buf[2 * ADDR_TEXT_SIZE];
            const char *name = part->name(s, i, buf, sizeof(buf));
            char *mine = describe(part, s, name, &failed), *theirs = describe(part, other, name, &failed);

            if (side == 1 && theirs != NULL) { /* compared with the first side's */
                free(mine);
                free(theirs);
                continue;
            }
            if (failed) {
                free(mine);
                free(theirs);
                return -ENOMEM;
            }
            rc = add_change(d, part->kind, name, side == 0 ? mine : theirs, side == 0 ? theirs : mine);
        }
    }
    return rc;
}

static int compare_within(struct report_diff *d)
{
    char texts[2][32]; /* a 64-bit number and its unit */

    for (int side = 0; side < 2; side++)
        snprintf(texts[side], sizeof(texts[side]), "%" PRId64 " s", d->side[side].site->within_ns / 1000000000);
    return add_copies(d, CHANGE_WITHIN, "within", texts[0], texts[1]);
}

static int compare_sites(struct report_diff *d)
{
    const struct diff_side *old = &d->side[0], *new = &d->side[1];
    int rc = 0;

    if (strcmp(old->site_sha256, new->site_sha256) == 0)
        return 0;
    if (old->site == NULL || new->site == NULL)
        return add_copies(d, CHANGE_TEXT, "text", old->site_sha256, new->site_sha256);
    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = compare_part(d, &parts[i]);
    if (rc == 0)
        rc = compare_within(d);
    return rc;
}

/* --- the rows of the matrix --------------------------------------------------------------------------------------------- */

static const char rows_sql[] =
    "SELECT row_id, ifnull(from_roles, '') || ' to ' || ifnull(to_roles, '') || ', ' || ifnull(ports, '') || ', ' || ifnull(service, '')"
    " || CASE WHEN ifnull(protocols, '') <> '' THEN ' as ' || protocols ELSE '' END"
    " || CASE WHEN ifnull(condition, '') <> '' THEN ', if ' || condition ELSE '' END FROM \"rows\" WHERE run_id = ?1 ORDER BY row_id";

static int next_row(struct cursor *c, const char **ret_id, struct err *reterr)
{
    int rc = cursor_next(c, reterr);

    *ret_id = rc == 1 ? cursor_text(c, 0, NULL) : NULL;
    return rc < 0 ? rc : 0;
}

static int walk_rows(struct report_diff *d, struct cursor *old, struct cursor *new, struct err *reterr)
{
    const char *a = NULL, *b = NULL;
    int rc = next_row(old, &a, reterr);

    if (rc == 0)
        rc = next_row(new, &b, reterr);
    while (rc == 0 && (a != NULL || b != NULL)) {
        int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a, b);

        rc = add_copies(d, CHANGE_ROW, order <= 0 ? a : b, order <= 0 ? cursor_text(old, 1, NULL) : NULL,
                        order >= 0 ? cursor_text(new, 1, NULL) : NULL);
        if (rc == 0 && order <= 0)
            rc = next_row(old, &a, reterr);
        if (rc == 0 && order >= 0)
            rc = next_row(new, &b, reterr);
    }
    return rc;
}

static int compare_matrices(struct report_diff *d, struct err *reterr)
{
    struct cursor *cursors[2] = {NULL, NULL};
    int rc = 0;

    if (strcmp(d->side[0].matrix_sha256, d->side[1].matrix_sha256) == 0)
        return 0;
    rc = add_copies(d, CHANGE_MATRIX, "name", d->side[0].matrix_id, d->side[1].matrix_id);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = reader_query(d->side[i].report->reader, rows_sql, &d->side[i].run_id, 1, &cursors[i], reterr);
    if (rc == 0)
        rc = walk_rows(d, cursors[0], cursors[1], reterr);
    cursor_free(cursors[0]);
    cursor_free(cursors[1]);
    return rc;
}

int diff_changes(struct report_diff *d, struct err *reterr)
{
    int rc = compare_matrices(d, reterr);

    if (rc == 0)
        rc = compare_sites(d);
    return rc == -ENOMEM ? err_set(reterr, rc, "out of memory") : rc;
}
