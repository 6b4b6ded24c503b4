/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as documented, and as they apply at a site. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool is_escaped(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20 || c == 0x7f;
}

void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *p = text;;) {
        const char *from = p;

        while (!is_escaped((unsigned char)*p))
            p++;
        fwrite(from, 1, (size_t)(p - from), out);
        if (*p == '\0')
            break;
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else
            fprintf(out, "\\u%04x", (unsigned char)*p);
        p++;
    }
    fputc('"', out);
}

void json_member(FILE *out, const char *key, const char *text, bool first)
{
    fputs(first ? "\"" : ",\"", out);
    fputs(key, out);
    fputs("\":", out);
    if (text != NULL)
        json_text(out, text);
    else
        fputs("null", out);
}

void print_applied_ports(FILE *out, const struct applied_row *a)
{
    for (size_t i = 0; i < a->n_ports; i++) {
        const struct port_range *r = &a->ports[i];

        fprintf(out, "%s%s/%u", i > 0 ? " " : "", r->transport == IPPROTO_TCP ? "tcp" : "udp", r->low);
        if (r->high != r->low)
            fprintf(out, "-%u", r->high);
    }
}

void print_hosts(FILE *out, const struct policy *p, const struct set256 *roles)
{
    const char *separator = "";

    for (uint32_t h = 0; h < p->site->n_hosts; h++) {
        if (!sets_meet(&host_group(p, h)->roles, roles))
            continue;
        fprintf(out, "%s%s", separator, policy_host_name(p, h));
        separator = " ";
    }
}

const char *row_state(const struct policy *p, const struct applied_row *a, char *buf, size_t size)
{
    buf[0] = '\0';
    if (!a->enabled && a->off_option != POLICY_NONE)
        snprintf(buf, size, "option %s is %s", p->matrix->options[a->off_option].name.text,
                 (p->option_values[a->off_option] & OPTION_ON) != 0 ? "on" : "off");
    else if (!a->enabled)
        snprintf(buf, size, "its condition does not hold (%s)", a->row->condition);
    else if (a->n_ports == 0 && a->unlisted != POLICY_NONE)
        snprintf(buf, size, "the site lists no %s", p->matrix->parameters[a->unlisted].name.text);
    return buf;
}

/* --- one row, in each format -------------------------------------------------------------------------------- */

struct row_text {
    const char *id, *section, *from, *to, *ports, *service, *condition, *expect;
    const struct rules_names *protocols;
    const char *state; /* NULL: as documented */
};

static void print_protocols(FILE *out, const struct rules_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", names->items[i].text);
}

static void print_tsv(FILE *out, const struct row_text *r)
{
    fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t", r->id, r->section, r->from, r->to, r->ports, r->service, r->condition, r->expect);
    print_protocols(out, r->protocols);
    fputc('\n', out);
}

static void print_json(FILE *out, const struct row_text *r)
{
    fputc('{', out);
    json_member(out, "id", r->id, true);
    json_member(out, "section", r->section, false);
    json_member(out, "from", r->from, false);
    json_member(out, "to", r->to, false);
    json_member(out, "ports", r->ports, false);
    json_member(out, "service", r->service, false);
    json_member(out, "condition", r->condition, false);
    json_member(out, "expect", r->expect, false);
    fputs(",\"protocols\":[", out);
    for (size_t i = 0; i < r->protocols->n; i++) {
        fputs(i > 0 ? "," : "", out);
        json_text(out, r->protocols->items[i].text);
    }
    fputc(']', out);
    if (r->state != NULL) {
        fprintf(out, ",\"applies\":%s", *r->state == '\0' ? "true" : "false");
        json_member(out, "why_not", *r->state == '\0' ? NULL : r->state, false);
    }
    fputc('}', out);
}

/* The columns of the matrix refer to notes of their own, which do not come with it. */
static int condition_length(const char *condition)
{
    const char *note = strstr(condition, "; see matrix.md");

    return (int)(note != NULL ? (size_t)(note - condition) : strlen(condition));
}

static void print_text(FILE *out, const struct row_text *r, const char **last_section)
{
    if (*last_section == NULL || strcmp(*last_section, r->section) != 0)
        fprintf(out, "%s%s\n", *last_section != NULL ? "\n" : "", r->section);
    *last_section = r->section;
    fprintf(out, "  %-27s %s -> %s\n", r->id, *r->from != '\0' ? r->from : "no host", *r->to != '\0' ? r->to : "no host");
    fprintf(out, "      %s; %s%s%.*s%s; %s", *r->ports != '\0' ? r->ports : "no port", r->service,
            *r->condition != '\0' ? " (" : "", condition_length(r->condition), r->condition, *r->condition != '\0' ? ")" : "", r->expect);
    if (r->protocols->n > 0)
        fputs("; carries ", out);
    print_protocols(out, r->protocols);
    if (r->state != NULL && *r->state != '\0')
        fprintf(out, "\n      does not apply here: %s", r->state);
    fputc('\n', out);
}

struct printer {
    FILE              *out;
    enum policy_format format;
    const char        *last_section;
    size_t             n;
};

static void begin(struct printer *pr)
{
    if (pr->format == POLICY_TSV)
        fputs("id\tsection\tfrom\tto\tports\tservice\tcondition\texpect\tprotocols\n", pr->out);
    else if (pr->format != POLICY_TEXT)
        fputs("[", pr->out);
}

static void print_row(struct printer *pr, const struct row_text *r)
{
    if (pr->format == POLICY_TSV)
        print_tsv(pr->out, r);
    else if (pr->format == POLICY_TEXT)
        print_text(pr->out, r, &pr->last_section);
    if (pr->format == POLICY_JSON || pr->format == POLICY_JSON_ROLES) {
        fputs(pr->n > 0 ? "," : "", pr->out);
        fputs(pr->format == POLICY_JSON ? "\n" : "", pr->out);
        print_json(pr->out, r);
    }
    pr->n++;
}

static int end(struct printer *pr)
{
    if (pr->format == POLICY_JSON)
        fputs("\n]\n", pr->out);
    else if (pr->format == POLICY_JSON_ROLES)
        fputs("]", pr->out);
    return ferror(pr->out) ? -EIO : 0;
}

static struct row_text documented(const struct matrix_row *row)
{
    return (struct row_text){
        .id = row->id.text, .section = row->section, .from = row->from_text, .to = row->to_text, .ports = row->ports_text,
        .service = row->service, .condition = row->condition, .expect = row->expect == RULES_EXPECT_REQUIRED ? "required" : "on-demand",
        .protocols = &row->protocols,
    };
}

/* --- what a site file may name -------------------------------------------------------------------------------- */

static void print_names(FILE *out, const char *before, const struct rules_names *names, const char *last)
{
    for (size_t i = 0; i < names->n; i++)
        fprintf(out, "%s%s", i == 0 ? before : i + 1 == names->n ? last : ", ", names->items[i].text);
}

static void print_option_default(FILE *out, const struct matrix_option *o)
{
    bool on = o->fallback != NULL && strcmp(o->fallback, "on") == 0;

    fprintf(out, " (%s", on ? "on" : "off");
    if (!on && o->default_on_role.n > 0) {
        fputs(", but on where a host is ", out);
        print_names(out, "", &o->default_on_role, " or ");
    }
    for (size_t i = 0; i < o->values.n; i++)
        if (strcmp(o->values.items[i].text, "both") == 0)
            fputs("; may be both", out);
    fputc(')', out);
}

static void print_parameter_default(FILE *out, const struct matrix_parameter *m)
{
    if (m->type == RULES_PARAMETER_VERSION)
        fprintf(out, " (%s)", m->version != NULL ? m->version : "no default");
    else if (m->ports.n == 0)
        fputs(m->lost ? " (no default, for the table of the source is lost: the site lists them)" : " (no default: the site lists them)", out);
    for (size_t i = 0; m->type == RULES_PARAMETER_PORTS && i < m->ports.n; i++) {
        fprintf(out, "%s%u", i == 0 ? " (" : ", ", m->ports.items[i].low);
        if (m->ports.items[i].high != m->ports.items[i].low)
            fprintf(out, "-%u", m->ports.items[i].high);
        fputs(i + 1 == m->ports.n ? ")" : "", out);
    }
}

static void print_term(FILE *out, const char *name, const char *text)
{
    fprintf(out, "  %-30s %s", name, text != NULL ? text : "");
}

static void print_terms(FILE *out, const struct matrix *m)
{
    fputs("Roles of hosts\n", out);
    for (size_t i = 0; i < m->n_roles; i++) {
        print_term(out, m->roles[i].name.text, m->roles[i].text);
        print_names(out, " (is also ", &m->roles[i].implies, " and ");
        fputs(m->roles[i].implies.n > 0 ? ")\n" : "\n", out);
    }
    fputs(m->n_options > 0 ? "\nOptions of the site, and their defaults\n" : "", out);
    for (size_t i = 0; i < m->n_options; i++) {
        print_term(out, m->options[i].name.text, m->options[i].text);
        print_option_default(out, &m->options[i]);
        fputc('\n', out);
    }
    fputs(m->n_parameters > 0 ? "\nParameters of the site, and their defaults\n" : "", out);
    for (size_t i = 0; i < m->n_parameters; i++) {
        print_term(out, m->parameters[i].name.text, m->parameters[i].text);
        print_parameter_default(out, &m->parameters[i]);
        fputc('\n', out);
    }
    fputc('\n', out);
}

int matrix_print(const struct matrix *m, enum policy_format format, FILE *out)
{
    struct printer pr = {.out = out, .format = format};

    if (format == POLICY_TEXT)
        print_terms(out, m);
    begin(&pr);
    for (size_t i = 0; i < m->n_rows; i++) {
        struct row_text r = documented(&m->rows[i]);
        print_row(&pr, &r);
    }
    return end(&pr);
}

/* Hosts and ports in memory, as they are to be printed. */
typedef void part_fn(FILE *, const struct policy *, const struct applied_row *);

static void from_part(FILE *out, const struct policy *p, const struct applied_row *a)
{
    print_hosts(out, p, &a->from);
}

static void to_part(FILE *out, const struct policy *p, const struct applied_row *a)
{
    print_hosts(out, p, &a->to);
}

static void ports_part(FILE *out, const struct policy *p, const struct applied_row *a)
{
    (void)p;
    print_applied_ports(out, a);
}

static char *part_text(part_fn *fn, const struct policy *p, const struct applied_row *a)
{
    char  *text = NULL;
    size_t size;
    FILE  *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fn(out, p, a);
    return fclose(out) == 0 ? text : NULL;
}

static int print_applied(struct printer *pr, const struct policy *p, const struct applied_row *a)
{
    char            state[256];
    struct row_text r = documented(a->row);
    bool            by_roles = pr->format == POLICY_JSON_ROLES;
    char           *from = by_roles ? NULL : part_text(from_part, p, a), *to = by_roles ? NULL : part_text(to_part, p, a);
    char           *ports = part_text(ports_part, p, a);
    int             rc = ports != NULL && (by_roles || (from != NULL && to != NULL)) ? 0 : -ENOMEM;

    if (rc == 0) {
        if (!by_roles) {
            r.from = from;
            r.to = to;
        }
        r.ports = ports;
        r.expect = a->required ? "required" : "on-demand";
        r.state = row_state(p, a, state, sizeof(state));
        print_row(pr, &r);
    }
    free(from);
    free(to);
    free(ports);
    return rc;
}

int policy_print(const struct policy *p, bool as_applied, enum policy_format format, FILE *out)
{
    struct printer pr = {.out = out, .format = format};

    if (!as_applied)
        return matrix_print(p->matrix, format, out);
    begin(&pr);
    for (size_t i = 0; i < p->matrix->n_rows; i++) {
        int rc = print_applied(&pr, p, &p->rows[i]);
        if (rc != 0)
            return rc;
    }
    return end(&pr);
}
