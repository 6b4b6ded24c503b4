/* SPDX-License-Identifier: Apache-2.0 */
/* YAML events to nodes.  Events and not libfyaml's own documents: those look for duplicate keys by comparing each with
 * each. */
#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct level {
    uint32_t node, last; /* the collection, and its last child so far (0: none) */
};

struct builder {
    struct parse *parse;
    struct level levels[RULES_MAX_DEPTH];
    unsigned depth;
    unsigned n_documents;
    bool stopped;            /* an error after which nothing more can be read */
    struct rules_place last; /* of the newest node: where an empty value is said to be */
    char said[160];          /* libfyaml's first message: some of its faults have no other word, and no place */
};

const struct node *node_first(const struct parse *p, const struct node *n)
{
    return n->kind != NODE_SCALAR && n->first != 0 ? &p->nodes[n->first] : NULL;
}

const struct node *node_next(const struct parse *p, const struct node *n)
{
    return n->next != 0 ? &p->nodes[n->next] : NULL;
}

bool node_is_empty(const struct node *n)
{
    return n->kind == NODE_SCALAR && n->plain &&
           (*n->text == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

/* A block collection has no sign of its own: its first key stands for it. */
struct rules_place node_place(const struct parse *p, const struct node *n)
{
    const struct node *first;

    if (n->kind != NODE_SCALAR && !n->flow && (first = node_first(p, n)) != NULL && first->kind == NODE_SCALAR)
        n = first;
    return (struct rules_place){.line = n->line, .column = n->column, .width = n->width > 0 ? n->width : 1};
}

/* --- nodes -------------------------------------------------------------------------------------- */

static bool grow(struct parse *p)
{
    uint32_t n = p->n_allocated == 0 ? 1024 : 2 * p->n_allocated;

    if (n > UINT32_MAX / 2)
        return false;
    struct node *nodes = realloc(p->nodes, n * sizeof(*nodes));
    if (nodes == NULL)
        return false;
    p->nodes = nodes;
    p->n_allocated = n;
    return true;
}

/* The new node's number, or UINT32_MAX. */
static uint32_t add(struct builder *b, const struct node *node)
{
    struct parse *p = b->parse;

    if (p->n_nodes == p->n_allocated && !grow(p)) {
        p->out_of_memory = true;
        b->stopped = true;
        return UINT32_MAX;
    }
    uint32_t at = p->n_nodes++;
    p->nodes[at] = *node;
    b->last = (struct rules_place){.line = node->line, .column = node->column, .width = node->width};
    if (b->depth > 0) {
        struct level *l = &b->levels[b->depth - 1];

        if (l->last != 0)
            p->nodes[l->last].next = at;
        else
            p->nodes[l->node].first = at;
        l->last = at;
        p->nodes[l->node].n_children++;
    }
    return at;
}

static struct rules_place mark_place(const struct fy_mark *start, const struct fy_mark *end)
{
    struct rules_place ret = {.line = (unsigned)start->line + 1, .column = (unsigned)start->column + 1, .width = 1};

    if (end != NULL && end->line == start->line && end->column > start->column)
        ret.width = (unsigned)(end->column - start->column);
    return ret;
}

/* --- events ------------------------------------------------------------------------------------- */

static void stop(struct builder *b, const struct rules_place *at, const char *sentence)
{
    parse_error_at(b->parse, at, "%s", sentence);
    b->parse->cut_line = at->line;
    b->stopped = true;
}

static void open_collection(struct builder *b, struct fy_event *e)
{
    const struct fy_mark *mark = fy_event_start_mark(e);
    struct rules_place at = mark_place(mark, NULL);
    struct node node = {.line = at.line,
                        .column = at.column,
                        .width = 1,
                        .kind = e->type == FYET_MAPPING_START ? NODE_MAPPING : NODE_SEQUENCE,
                        .flow = b->parse->text[mark->input_pos] == '{' || b->parse->text[mark->input_pos] == '['};

    if (b->depth == RULES_MAX_DEPTH) {
        stop(b, &at, "nested too deeply; no part of this file needs so many levels");
        return;
    }
    uint32_t at_node = add(b, &node);
    if (at_node != UINT32_MAX)
        b->levels[b->depth++] = (struct level){.node = at_node};
}

/* Copies the text of a token, as far as there is room for it.  Its length, or -1 with errno. */
static ssize_t copy_text(struct fy_token *token, char *to, size_t room)
{
    struct fy_token_iter *iter = fy_token_iter_create(token);
    const struct fy_iter_chunk *chunk = NULL;
    size_t ret = 0;
    int error = iter == NULL ? -1 : 0;

    while (iter != NULL && (chunk = fy_token_iter_chunk_next(iter, chunk, &error)) != NULL) {
        if (to != NULL && ret <= room && chunk->len <= room - ret)
            memcpy(to + ret, chunk->str, chunk->len);
        ret += chunk->len;
    }
    fy_token_iter_destroy(iter);
    return error == 0 ? (ssize_t)ret : -1;
}

/* A plain scalar of printable ASCII on one line is its own text: there is nothing to unfold, and of a large file nearly all is such.  NULL: not that. */
static const char *plain_text(const struct builder *b, struct fy_event *e, size_t *ret_len)
{
    const struct fy_mark *from = fy_event_start_mark(e), *to = fy_event_end_mark(e);

    if (e->scalar.value == NULL || from == NULL || to == NULL || fy_token_scalar_style(e->scalar.value) != FYSS_PLAIN || from->line != to->line ||
        to->input_pos <= from->input_pos || to->input_pos > b->parse->size)
        return NULL;
    const char *text = b->parse->text + from->input_pos;
    size_t len = to->input_pos - from->input_pos;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return NULL;
    *ret_len = len;
    return text[len - 1] != ' ' ? text : NULL;
}

/* Not fy_token_get_text(): it trusts the scanner's guess of the length, and where that is too small it gives no text
 * and leaks its iterator (0.7.12). */
static char *scalar_text(struct builder *b, struct fy_event *e, const struct rules_place *at, size_t *ret_len)
{
    struct fy_token *token = e->scalar.value;
    const char *plain = plain_text(b, e, ret_len);

    if (plain != NULL) {
        char *text = arena_text(b->parse->arena, plain, *ret_len);
        b->parse->out_of_memory |= text == NULL;
        b->stopped |= text == NULL;
        return text;
    }
    errno = 0;
    ssize_t len = token != NULL ? copy_text(token, NULL, 0) : 0;
    char *text = len >= 0 ? arena_text(b->parse->arena, NULL, (size_t)len) : NULL;

    if (text != NULL && (token == NULL || copy_text(token, text, (size_t)len) == len)) {
        *ret_len = (size_t)len;
        return text;
    }
    if (text != NULL || (len < 0 && errno != ENOMEM))
        stop(b, at, "this text cannot be read; is an escape in it wrong?");
    else
        b->parse->out_of_memory = b->stopped = true;
    return NULL;
}

static void add_scalar(struct builder *b, struct fy_event *e)
{
    struct parse *p = b->parse;
    struct fy_token *token = e->scalar.value;
    const struct fy_mark *mark = fy_event_start_mark(e);
    size_t len = 0;
    struct rules_place at = mark != NULL ? mark_place(mark, fy_event_end_mark(e)) : b->last;
    struct node node = {.text = scalar_text(b, e, &at, &len),
                        .line = at.line,
                        .column = at.column,
                        .width = at.width,
                        .plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN};
    if (node.text == NULL)
        return;
    if (!node.plain && (strlen(node.text) != len || text_has_control(node.text))) {
        parse_error_at(p, &at, "control character in a text; only printable text is accepted");
        node.refused = 1;
    }
    add(b, &node);
}

static void add_alias(struct builder *b, struct fy_event *e)
{
    struct rules_place at = mark_place(fy_event_start_mark(e), fy_event_end_mark(e));
    struct node node = {.text = "", .line = at.line, .column = at.column, .width = at.width, .refused = 1};

    parse_error_at(b->parse, &at, "aliases are not accepted; write the value out");
    add(b, &node);
}

static void refuse_properties(struct builder *b, struct fy_event *e)
{
    struct fy_token *anchor = fy_event_get_anchor_token(e), *tag = fy_event_get_tag_token(e);
    struct rules_place at;

    if (anchor != NULL) {
        at = mark_place(fy_token_start_mark(anchor), fy_token_end_mark(anchor));
        parse_error_at(b->parse, &at, "anchors are not accepted; write the value out where it is used");
    }
    if (tag != NULL) {
        at = mark_place(fy_token_start_mark(tag), fy_token_end_mark(tag));
        parse_error_at(b->parse, &at, "tags are not accepted; the key says what its value is");
    }
}

static void handle(struct builder *b, struct fy_event *e)
{
    switch (e->type) {
    case FYET_DOCUMENT_START:
        if (b->n_documents++ > 0) {
            const struct fy_mark *mark = fy_event_start_mark(e);
            struct rules_place at = mark != NULL ? mark_place(mark, NULL) : b->last;
            stop(b, &at, "a second YAML document starts here; a file holds one");
        }
        break;
    case FYET_MAPPING_START:
    case FYET_SEQUENCE_START:
        refuse_properties(b, e);
        open_collection(b, e);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        b->depth--;
        break;
    case FYET_SCALAR:
        refuse_properties(b, e);
        add_scalar(b, e);
        break;
    case FYET_ALIAS:
        add_alias(b, e);
        break;
    default:
        break;
    }
}

/* --- what libfyaml says of bad YAML ------------------------------------------------------------- */

static const char *advice(const char *message)
{
    static const struct {
        const char *part, *advice;
    } table[] = {
        {"tab character", "; indent with spaces"},
        {"'-' indicator", "; does the indentation agree with the lines above?"},
        {"multiline plain key", "; does the indentation agree with the lines above, or is a ':' missing?"},
        {"nested block mapping", "; quote a text that holds ': '"},
        {"could not find expected ':'", "; write 'key: value'"},
        {"closing quote", "; the text ends with the quote that it starts with"},
        {"cannot start with", "; put the text in quotes"},
        {"invalid escape", "; write a backslash as \\\\ or use single quotes"},
        {"indentation indicator", "; the number behind '|' or '>' is 1 to 9, or left out"},
        {"invalid alias", "; a '*' that is meant as such stands in quotes"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strstr(message, table[i].part) != NULL)
            return table[i].advice;
    return "";
}

static const struct node *outermost_flow(const struct builder *b)
{
    for (unsigned i = 0; i < b->depth; i++)
        if (b->parse->nodes[b->levels[i].node].flow)
            return &b->parse->nodes[b->levels[i].node];
    return NULL;
}

static const struct node *innermost_flow(const struct builder *b)
{
    for (unsigned i = b->depth; i > 0; i--)
        if (b->parse->nodes[b->levels[i - 1].node].flow)
            return &b->parse->nodes[b->levels[i - 1].node];
    return NULL;
}

static void report_yaml_error(struct builder *b, const struct fy_diag_error *e)
{
    struct rules_place at = {
        .line = e->line > 0 ? (unsigned)e->line : 1, .column = e->column > 0 ? (unsigned)e->column : 1, .width = 1};
    const struct node *open = innermost_flow(b);
    const char *more = advice(e->msg);

    if (open != NULL &&
        (strstr(e->msg, "closing") != NULL || strstr(e->msg, "comma") != NULL || strstr(e->msg, "mismatched") != NULL))
        parse_error_at(b->parse, &at, "%s; the '%c' of line %u, column %u is still open%s", e->msg,
                       open->kind == NODE_MAPPING ? '{' : '[', open->line, open->column,
                       strstr(e->msg, "comma") != NULL ? ", and a text that holds a bracket stands in quotes" : "");
    else
        parse_error_at(b->parse, &at, "%s%s", e->msg, more);
}

/* What follows the bracket that is open, or the line of the error, is not what the writer meant: later stages say
 * nothing of it. */
static void report_yaml_errors(struct builder *b, struct fy_diag *diag)
{
    const struct fy_diag_error *e;
    void *iterator = NULL;
    unsigned cut = 0;
    const struct node *open = outermost_flow(b);

    while ((e = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        unsigned line = e->line > 0 ? (unsigned)e->line : 1;

        report_yaml_error(b, e);
        cut = cut == 0 || line < cut ? line : cut;
    }
    if (cut == 0 && (errno == ENOMEM || b->said[0] == '\0')) {
        b->parse->out_of_memory = true;
        return;
    }
    if (cut == 0) {
        parse_error_at(b->parse, &b->last, "%s, here or in what follows%s", b->said, advice(b->said));
        cut = b->last.line;
    }
    b->parse->cut_line = open != NULL && open->line < cut ? open->line : cut;
}

static void read_events(struct builder *b, struct fy_parser *parser)
{
    struct fy_event *e;

    for (;;) {
        errno = 0; /* a failed allocation leaves ENOMEM */
        if (b->stopped || (e = fy_parser_parse(parser)) == NULL)
            return;
        handle(b, e);
        fy_parser_event_free(parser, e);
    }
}

static void keep_first(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    struct builder *b = user;
    size_t n = 0;

    (void)diag;
    if (b->said[0] != '\0')
        return;
    for (; n < size && n < sizeof(b->said) - 1 && text[n] >= ' ' && text[n] <= '~'; n++)
        b->said[n] = text[n];
    b->said[n] = '\0';
}

static struct fy_diag *new_diag(struct builder *b)
{
    struct fy_diag_cfg cfg;

    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL; /* libraries do not print: the errors are collected */
    cfg.output_fn = keep_first;
    cfg.user = b;
    cfg.colorize = cfg.show_source = cfg.show_position = cfg.show_type = cfg.show_module = false;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (diag != NULL)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

/* libfyaml 0.7.12 writes to its input without a look whether it got one: what it asks for first is there when this much was. */
static bool has_memory(void)
{
    void *volatile some = malloc(16384); /* else the compiler takes it for granted */

    free(some);
    return some != NULL;
}

int tree_read(struct parse *p)
{
    struct builder b = {.parse = p, .last = {.line = 1, .column = 1, .width = 1}};
    struct fy_diag *diag = new_diag(&b);
    struct fy_parse_cfg cfg = {.diag = diag};
    struct fy_parser *parser = diag != NULL ? fy_parser_create(&cfg) : NULL;

    if (parser == NULL || !has_memory() || fy_parser_set_string(parser, p->text, p->size) != 0) {
        p->out_of_memory = true;
    } else {
        read_events(&b, parser);
        if (!b.stopped && (fy_parser_get_stream_error(parser) || fy_diag_got_error(diag)))
            report_yaml_errors(&b, diag);
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    if (p->out_of_memory)
        return -ENOMEM;
    return p->n_nodes > 0 ? 0 : -EINVAL;
}
