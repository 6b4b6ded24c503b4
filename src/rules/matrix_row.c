/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of a matrix and their rows. */
#include <stdio.h>
#include <string.h>

#include "private.h"

/* What is read of a row before it is whole. */
struct draft {
    struct matrix_row row;
    struct rules_ports one_way;
    char *other; /* "the other of the pair" */
    struct rules_name notice;
};

static void read_expect(struct parse *p, const struct node *n, void *field)
{
    if (expect_scalar(p, n, "'expect'"))
        expect_of(p, n, field);
}

void expect_of(struct parse *p, const struct node *n, enum rules_expect *ret)
{
    if (strcmp(n->text, "required") == 0)
        *ret = RULES_EXPECT_REQUIRED;
    else if (strcmp(n->text, "on-demand") == 0)
        *ret = RULES_EXPECT_ON_DEMAND;
    else
        parse_error(p, n, "'%.100s' is no expectation; write required or on-demand", n->text);
}

/* --- conditions --------------------------------------------------------------------------------- */

static void read_condition(struct parse *p, const struct node *key, const struct node *value, struct matrix_when *ret)
{
    static const char or_later[] = " or later";
    size_t len;

    read_id(p, key, &ret->name);
    if (!expect_scalar(p, value, "a condition"))
        return;
    const char *means = switch_of(value->text);
    if (means != NULL && strcmp(means, "both") != 0) {
        ret->value = (char *)(uintptr_t)means;
        return;
    }
    len = strlen(value->text);
    if (len >= sizeof(or_later) && strcmp(value->text + len - strlen(or_later), or_later) == 0) {
        ret->value = arena_text(p->arena, value->text, len - strlen(or_later));
        ret->at_least = true;
        if (ret->value == NULL)
            p->out_of_memory = true;
        else if (form_version(ret->value))
            return;
    }
    parse_error(p, value, "'%.100s' is no condition; write on, off, or a version as in '5.0 or later'", value->text);
}

static void read_conditions(struct parse *p, const struct node *n, struct matrix_when **ret, size_t *ret_n)
{
    size_t count;

    if (!expect_mapping(p, n, "a row's conditions", &count))
        return;
    *ret = parse_alloc(p, count, sizeof(**ret));
    const struct node *key = node_first(p, n), *value;
    for (; *ret != NULL && key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value))
        read_condition(p, key, value, &(*ret)[(*ret_n)++]);
    if (*ret != NULL) {
        struct index index;
        index_build(p, &index, *ret, *ret_n, sizeof(**ret), "condition");
    }
}

static void read_when(struct parse *p, const struct node *n, void *field)
{
    struct matrix_row *row = field;

    read_conditions(p, n, &row->when, &row->n_when);
}

static void read_when_any(struct parse *p, const struct node *n, void *field)
{
    struct matrix_row *row = field;

    read_conditions(p, n, &row->when_any, &row->n_when_any);
}

/* --- rows --------------------------------------------------------------------------------------- */

#define ROW(field) offsetof(struct draft, row) + offsetof(struct matrix_row, field)
static const struct key row_keys[] = {
    {"id", read_id, ROW(id), true},
    {"from", read_names, ROW(from), false},
    {"to", read_names, ROW(to), false},
    {"other", read_text, offsetof(struct draft, other), false},
    {"ports", read_row_ports, ROW(ports), true},
    {"service", read_text, ROW(service), true},
    {"condition", read_text, ROW(condition), false},
    {"when", read_when, offsetof(struct draft, row), false},
    {"when_any", read_when_any, offsetof(struct draft, row), false},
    {"expect", read_expect, ROW(expect), true},
    {"protocols", read_names, ROW(protocols), false},
    {"media", read_bool, ROW(media), false},
    {"one_way", read_row_ports, offsetof(struct draft, one_way), false},
    {"notice_with", read_id, offsetof(struct draft, notice), false},
    {"note", read_text, ROW(note), false},
    {"off_text", read_text, ROW(off_text), false},
};

/* Every port that is said to be one-way must be a port of the row. */
static void mark_one_way(struct parse *p, const struct draft *d)
{
    char text[RULES_MAX_NAME + 16];

    for (size_t i = 0; i < d->one_way.n; i++) {
        const struct rules_port *w = &d->one_way.items[i];
        bool found = false;

        for (size_t j = 0; j < d->row.ports.n; j++)
            if (port_same(w, &d->row.ports.items[j]))
                found = d->row.ports.items[j].one_way = true;
        if (!found) {
            port_text(w, text, sizeof(text));
            parse_error_at(p, &w->place, "'%s' is not among the ports of this row; write it as 'ports' has it", text);
        }
    }
}

static char *join_names(struct parse *p, const struct rules_names *names, const char *more)
{
    struct stream s;

    if (!stream_open(p, &s))
        return NULL;
    for (size_t i = 0; i < names->n; i++)
        fprintf(s.out, "%s%s", i > 0 ? "|" : "", names->items[i].text);
    if (more != NULL)
        fprintf(s.out, " (%s)", more);
    return stream_take(p, &s);
}

static char *join_ports(struct parse *p, const struct rules_ports *ports)
{
    char text[RULES_MAX_NAME + 16];
    struct stream s;

    if (!stream_open(p, &s))
        return NULL;
    for (size_t i = 0; i < ports->n; i++) {
        port_text(&ports->items[i], text, sizeof(text));
        fprintf(s.out, "%s%s", i > 0 ? " " : "", text);
    }
    return stream_take(p, &s);
}

/* --- sections ----------------------------------------------------------------------------------- */

/* What a section says holds for those of its rows that do not say otherwise; its conditions are added to theirs. */
struct section {
    struct rules_name heading;
    struct matrix_row common;
    char *other;
    const struct node *rows;
};

static void require_some(struct parse *p, const struct node *n, const char *key, size_t count)
{
    const struct node *value = find_key(p, n, key);

    if (count > 0 || p->cut_line != 0)
        return;
    if (value == NULL)
        parse_error(p, n, "'%s' is missing in a row and in its section", key);
    else if (node_is_empty(value) || (value->kind == NODE_SEQUENCE && value->n_children == 0))
        parse_error(p, value, "'%s' is empty; a row needs at least one", key);
}

static void add_conditions(struct parse *p, const struct matrix_row *common, struct matrix_row *row)
{
    size_t n = common->n_when + row->n_when;
    struct matrix_when *when;
    struct index index;

    if (common->n_when == 0 || (when = parse_alloc(p, n, sizeof(*when))) == NULL)
        return;
    memcpy(when, common->when, common->n_when * sizeof(*when));
    if (row->n_when > 0)
        memcpy(when + common->n_when, row->when, row->n_when * sizeof(*when));
    row->when = when;
    row->n_when = n;
    index_build(p, &index, when, n, sizeof(*when), "condition");
}

static void inherit(struct parse *p, const struct section *s, const struct node *n, struct draft *d)
{
    if (find_key(p, n, "from") == NULL)
        d->row.from = s->common.from;
    if (find_key(p, n, "to") == NULL) {
        d->row.to = s->common.to;
        d->other = d->other != NULL ? d->other : s->other;
    }
    if (d->row.condition == NULL)
        d->row.condition = s->common.condition;
    add_conditions(p, &s->common, &d->row);
}

static void read_row(struct parse *p, const struct node *n, const struct section *s, struct matrix_row *ret)
{
    struct draft d = {.row.section = s->heading.text};

    read_keys(p, n, "a row", KEYS(row_keys), &d);
    inherit(p, s, n, &d);
    require_some(p, n, "from", d.row.from.n);
    require_some(p, n, "to", d.row.to.n);
    require_some(p, n, "ports", find_key(p, n, "ports") != NULL ? d.row.ports.n : 1);
    mark_one_way(p, &d);
    d.row.other = d.other != NULL;
    d.row.wide_notice_option = d.notice.text;
    d.row.wide_notice_place = d.notice.place;
    d.row.from_text = join_names(p, &d.row.from, NULL);
    d.row.to_text = join_names(p, &d.row.to, d.other);
    d.row.ports_text = join_ports(p, &d.row.ports);
    *ret = d.row;
}

static void read_rows_later(struct parse *p, const struct node *n, void *field)
{
    size_t count;

    if (expect_sequence(p, n, "'rows'", &count))
        *(const struct node **)field = n;
}

static void read_heading(struct parse *p, const struct node *n, void *field)
{
    struct rules_name *ret = field;

    if (expect_scalar(p, n, "'heading'"))
        *ret = (struct rules_name){.text = (char *)(uintptr_t)n->text, .place = node_place(p, n)};
}

static const struct key section_keys[] = {
    {"heading", read_heading, offsetof(struct section, heading), true},
    {"from", read_names, offsetof(struct section, common) + offsetof(struct matrix_row, from), false},
    {"to", read_names, offsetof(struct section, common) + offsetof(struct matrix_row, to), false},
    {"other", read_text, offsetof(struct section, other), false},
    {"condition", read_text, offsetof(struct section, common) + offsetof(struct matrix_row, condition), false},
    {"when", read_when, offsetof(struct section, common), false},
    {"rows", read_rows_later, offsetof(struct section, rows), true},
};

static void read_section_rows(struct parse *p, struct matrix *m, const struct section *s)
{
    if (s->rows == NULL)
        return;
    for (const struct node *c = node_first(p, s->rows); c != NULL; c = node_next(p, c))
        read_row(p, c, s, &m->rows[m->n_rows++]);
}

void read_sections(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    struct section *sections;
    size_t count, n_rows = 0, i = 0;

    if (!expect_sequence(p, n, "'sections'", &count))
        return;
    if (count == 0)
        parse_error(p, n, "'sections' is empty; a matrix has at least one");
    sections = parse_scratch(p, count, sizeof(*sections));
    m->sections.items = parse_alloc(p, count, sizeof(*m->sections.items));
    if (sections == NULL || m->sections.items == NULL)
        return;
    for (const struct node *c = node_first(p, n); c != NULL; c = node_next(p, c), i++) {
        read_keys(p, c, "a section", KEYS(section_keys), &sections[i]);
        m->sections.items[m->sections.n++] = sections[i].heading;
        n_rows += sections[i].rows != NULL ? sections[i].rows->n_children : 0;
    }
    m->rows = parse_alloc(p, n_rows, sizeof(*m->rows));
    for (i = 0; m->rows != NULL && i < count; i++)
        read_section_rows(p, m, &sections[i]);
}
