/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes to values, led by tables of keys; and the errors on the way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "private.h"

/* --- errors ------------------------------------------------------------------------------------- */

static void report(struct parse *p, const struct rules_place *at, const char *fmt, va_list args)
{
    struct diag_place place = {
        .file = p->file, .line = at->line, .column = at->column, .width = at->width, .text = p->text, .size = p->size};
    char sentence[900];

    /* Diagnostics fetch their source line by reading from the start of the text: many errors in a large file would take
     * long, and nobody reads them. */
    if (p->n_errors++ >= RULES_MAX_ERRORS)
        return;
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    diag_add(p->diags, DIAG_ERROR, &place, "%s", sentence);
}

void parse_error_at(struct parse *p, const struct rules_place *at, const char *fmt, ...)
{
    va_list args;

    if (p->cut_line != 0 && at->line >= p->cut_line)
        return;
    va_start(args, fmt);
    report(p, at, fmt, args);
    va_end(args);
}

void parse_error(struct parse *p, const struct node *n, const char *fmt, ...)
{
    struct rules_place at = node_place(p, n);
    va_list args;

    if (n->refused || (p->cut_line != 0 && at.line >= p->cut_line))
        return;
    va_start(args, fmt);
    report(p, &at, fmt, args);
    va_end(args);
}

void parse_finish(struct parse *p)
{
    diag_sort(p->diags);
    if (p->n_errors > RULES_MAX_ERRORS) {
        struct diag_place place = {.file = p->file};
        diag_add(p->diags, DIAG_ERROR, &place, "%zu more errors are not listed", p->n_errors - RULES_MAX_ERRORS);
    }
}

/* --- memory ------------------------------------------------------------------------------------- */

static void *alloc_from(struct parse *p, struct rules_arena *arena, size_t n, size_t size)
{
    if (n == 0)
        return NULL;
    void *ret = n <= SIZE_MAX / size ? arena_alloc(arena, n * size) : NULL;
    if (ret == NULL)
        p->out_of_memory = true;
    return ret;
}

void *parse_alloc(struct parse *p, size_t n, size_t size)
{
    return alloc_from(p, p->arena, n, size);
}

void *parse_scratch(struct parse *p, size_t n, size_t size)
{
    return alloc_from(p, p->scratch, n, size);
}

char *parse_printf(struct parse *p, const char *fmt, ...)
{
    char buf[1024];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1;
    char *ret = arena_text(p->arena, buf, len);
    if (ret == NULL)
        p->out_of_memory = true;
    return ret;
}

bool stream_open(struct parse *p, struct stream *s)
{
    *s = (struct stream){0};
    s->out = open_memstream(&s->text, &s->len);
    if (s->out == NULL)
        p->out_of_memory = true;
    return s->out != NULL;
}

char *stream_take(struct parse *p, struct stream *s)
{
    char *ret = fclose(s->out) == 0 ? arena_text(p->arena, s->text, s->len) : NULL;

    free(s->text);
    if (ret == NULL)
        p->out_of_memory = true;
    return ret;
}

static bool is_repeated(const char *const *names, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(names[k], names[i]) == 0)
            return true;
    return false;
}

const char *suggest(struct parse *p, const char *word, const char *const *names, size_t n)
{
    const char *nearest = diag_nearest(word, names, n);
    char list[400] = "";
    size_t len = 0, before_last = 0;

    if (nearest != NULL)
        nearest = parse_printf(p, "; did you mean '%s'?", nearest);
    if (nearest != NULL)
        return nearest;
    for (size_t i = 0; i < n && len < 300; i++)
        if (!is_repeated(names, i)) {
            before_last = len;
            len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%.64s", len > 0 ? ", " : "", names[i]);
        }
    if (len < 300 && before_last > 0) { /* ", " in front of the last one */
        char last[80];

        snprintf(last, sizeof(last), " and %s", list + before_last + 2);
        snprintf(list + before_last, sizeof(list) - before_last, "%s", last);
    }
    if (n == 0)
        return "";
    nearest = parse_printf(p, len < 300 ? "; known: %s" : "; known: %s and more", list);
    return nearest != NULL ? nearest : "";
}

/* --- shapes ------------------------------------------------------------------------------------- */

bool expect_mapping(struct parse *p, const struct node *n, const char *what, size_t *ret_n)
{
    *ret_n = 0;
    if (n->kind == NODE_MAPPING)
        *ret_n = n->n_children / 2;
    else if (!node_is_empty(n) || n->refused)
        parse_error(p, n, "%s must be a mapping; write 'key: value' lines or {key: value}", what);
    return n->kind == NODE_MAPPING || (node_is_empty(n) && !n->refused);
}

bool expect_sequence(struct parse *p, const struct node *n, const char *what, size_t *ret_n)
{
    *ret_n = 0;
    if (n->kind == NODE_SEQUENCE)
        *ret_n = n->n_children;
    else if (!node_is_empty(n) || n->refused)
        parse_error(p, n, "%s must be a list; write '- ' lines or [a, b]", what);
    return n->kind == NODE_SEQUENCE || (node_is_empty(n) && !n->refused);
}

bool expect_scalar(struct parse *p, const struct node *n, const char *what)
{
    if (n->refused)
        return false;
    if (n->kind != NODE_SCALAR)
        parse_error(p, n, "%s must be a single value, not a %s", what, n->kind == NODE_MAPPING ? "mapping" : "list");
    else if (node_is_empty(n))
        parse_error(p, n, "%s has no value; give one, or leave the key out", what);
    else
        return true;
    return false;
}

const struct node *find_key(const struct parse *p, const struct node *mapping, const char *name)
{
    if (mapping->kind != NODE_MAPPING)
        return NULL;
    for (const struct node *key = node_first(p, mapping); key != NULL;) {
        const struct node *value = node_next(p, key);

        if (value == NULL)
            return NULL;
        if (key->kind == NODE_SCALAR && strcmp(key->text, name) == 0)
            return value;
        key = node_next(p, value);
    }
    return NULL;
}

/* The number of the key that was meant, or SIZE_MAX. */
static size_t unknown_key(struct parse *p, const struct node *key, const char *what, const struct key *keys,
                          size_t n_keys)
{
    const char *names[MAX_KEYS], *nearest;

    if (key->kind != NODE_SCALAR) {
        parse_error(p, key, "a key in %s must be a word", what);
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n_keys && i < MAX_KEYS; i++)
        names[i] = keys[i].name;
    parse_error(p, key, "unknown key '%.100s' in %s%s", key->text, what, suggest(p, key->text, names, n_keys));
    nearest = diag_nearest(key->text, names, n_keys);
    for (size_t i = 0; nearest != NULL && i < n_keys; i++)
        if (names[i] == nearest)
            return i;
    return SIZE_MAX;
}

static size_t key_number(const struct node *key, const struct key *keys, size_t n_keys)
{
    if (key->kind == NODE_SCALAR)
        for (size_t i = 0; i < n_keys; i++)
            if (strcmp(keys[i].name, key->text) == 0)
                return i;
    return SIZE_MAX;
}

/* What is known of the keys of one mapping. */
struct seen {
    unsigned line[MAX_KEYS]; /* 0: not given */
    bool misspelt[MAX_KEYS]; /* an unknown key means it: one slip is one error */
};

static void report_missing(struct parse *p, const struct node *n, const char *what, const struct key *keys,
                           size_t n_keys, const struct seen *seen)
{
    if (p->cut_line != 0)
        return; /* it may be in the part that cannot be read */
    for (size_t i = 0; i < n_keys; i++)
        if (keys[i].required && seen->line[i] == 0 && !seen->misspelt[i])
            parse_error(p, n, "'%s' is missing in %s", keys[i].name, what);
}

void read_keys(struct parse *p, const struct node *n, const char *what, const struct key *keys, size_t n_keys,
               void *object)
{
    struct seen seen = {0};
    size_t n_pairs, meant;

    if (!expect_mapping(p, n, what, &n_pairs))
        return;
    const struct node *key = node_first(p, n), *value;
    for (; key != NULL && (value = node_next(p, key)) != NULL; key = node_next(p, value)) {
        size_t i = key_number(key, keys, n_keys);

        if (i == SIZE_MAX) {
            meant = unknown_key(p, key, what, keys, n_keys);
            if (meant != SIZE_MAX)
                seen.misspelt[meant] = p->incomplete = true;
        } else if (seen.line[i] != 0) {
            parse_error(p, key, "duplicate key '%s' in %s; line %u has it already", key->text, what, seen.line[i]);
        } else {
            seen.line[i] = key->line;
            keys[i].read(p, value, (char *)object + keys[i].offset);
        }
    }
    report_missing(p, n, what, keys, n_keys, &seen);
}

/* --- values ------------------------------------------------------------------------------------- */

void read_text(struct parse *p, const struct node *n, void *field)
{
    if (expect_scalar(p, n, "a text"))
        *(char **)field = (char *)(uintptr_t)n->text;
}

void name_of(struct parse *p, const struct node *n, struct rules_name *ret)
{
    size_t len;

    ret->place = node_place(p, n);
    ret->text = (char *)(uintptr_t) "";
    if (n->kind != NODE_SCALAR) {
        parse_error(p, n, "a name must be a single word");
        return;
    }
    ret->text = (char *)(uintptr_t)n->text;
    len = strlen(n->text);
    if (len == 0)
        parse_error(p, n, "a name must not be empty");
    else if (len > RULES_MAX_NAME)
        parse_error(p, n, "this name has %zu bytes; %d are the most", len, RULES_MAX_NAME);
    else if (strpbrk(n->text, "\n\t") != NULL || n->text[0] == ' ' || n->text[len - 1] == ' ')
        parse_error(p, n, "a name must be on one line, without tabs and without spaces at its ends");
}

void read_name(struct parse *p, const struct node *n, void *field)
{
    if (expect_scalar(p, n, "a name"))
        name_of(p, n, field);
}

/* Lists are short as a rule, and there are many; only long ones go through an index. */
static void check_different(struct parse *p, const struct rules_names *names)
{
    const size_t few = 8;
    struct index index;

    if (names->n > few) {
        index_build(p, &index, names->items, names->n, sizeof(names->items[0]), "entry");
        return;
    }
    for (size_t i = 1; i < names->n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(names->items[i].text, names->items[j].text) == 0) {
                parse_error_at(p, &names->items[i].place, "duplicate entry '%s'; this list has it already",
                               names->items[i].text);
                break;
            }
}

void read_id(struct parse *p, const struct node *n, void *field)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    struct rules_name *ret = field;

    if (n->kind != NODE_SCALAR || *n->text == '\0' || strlen(n->text) > RULES_MAX_NAME ||
        n->text[strspn(n->text, letters)] == '\0') {
        name_of(p, n, ret);
        return;
    }
    ret->place = node_place(p, n);
    ret->text = (char *)(uintptr_t) "";
    parse_error(p, n, "'%.100s' is no identifier; use letters, digits, '-', '_' and '.'", n->text);
}

static void read_single_name(struct parse *p, const struct node *n, struct rules_names *ret)
{
    ret->items = parse_alloc(p, 1, sizeof(ret->items[0]));
    if (ret->items != NULL)
        name_of(p, n, &ret->items[ret->n++]);
}

void read_names(struct parse *p, const struct node *n, void *field)
{
    struct rules_names *ret = field;
    size_t count = 1, i = 0;

    if (n->kind == NODE_SCALAR) {
        if (node_is_empty(n) && !n->refused)
            parse_error(p, n, "a list of names has no value; write [] for an empty one");
        else if (!n->refused)
            read_single_name(p, n, ret);
        return;
    }
    if (!expect_sequence(p, n, "a list of names", &count) || count == 0)
        return;
    struct rules_name *items = parse_alloc(p, count, sizeof(*items));
    if (items == NULL)
        return;
    for (const struct node *child = node_first(p, n); child != NULL; child = node_next(p, child))
        if (expect_scalar(p, child, "a name"))
            name_of(p, child, &items[i++]);
    *ret = (struct rules_names){.items = items, .n = i};
    check_different(p, ret);
}

/* --- words that mean yes and no ----------------------------------------------------------------- */

static const struct {
    const char *word, *means;
} switches[] = {
    {"on", "on"}, {"true", "on"}, {"yes", "on"}, {"off", "off"}, {"false", "off"}, {"no", "off"}, {"both", "both"},
};

const char *switch_of(const char *text)
{
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
        if (strcasecmp(text, switches[i].word) == 0)
            return switches[i].means;
    return NULL;
}

void read_switch(struct parse *p, const struct node *n, void *field)
{
    if (!expect_scalar(p, n, "an option"))
        return;
    const char *means = switch_of(n->text);
    if (means != NULL)
        *(char **)field = (char *)(uintptr_t)means;
    else
        parse_error(p, n, "'%.100s' is no value of an option; write on, off or both", n->text);
}

void read_bool(struct parse *p, const struct node *n, void *field)
{
    if (!expect_scalar(p, n, "a yes or no"))
        return;
    const char *means = switch_of(n->text);
    if (means != NULL && strcmp(means, "both") != 0)
        *(bool *)field = strcmp(means, "on") == 0;
    else
        parse_error(p, n, "'%.100s' is neither true nor false; write one of these", n->text);
}
