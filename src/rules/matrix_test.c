/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests of a matrix: "allow CLIENT SERVER tcp/88 [as PROTOCOL] [with OPTION=VALUE ...]". */
#include <string.h>

#include "private.h"

#define MAX_WORDS 40

static const char form[] = "write 'allow|deny CLIENT-ROLE SERVER-ROLE tcp/PORT [as PROTOCOL] [with OPTION=VALUE ...]'";

static size_t split(struct parse *p, const char *text, char *words[static MAX_WORDS])
{
    size_t n = 0;

    while (n < MAX_WORDS && *(text += strspn(text, " ")) != '\0') {
        size_t len = strcspn(text, " ");

        words[n] = arena_text(p->arena, text, len);
        if (words[n] == NULL) {
            p->out_of_memory = true;
            return 0;
        }
        n++;
        text += len;
    }
    return n;
}

static bool read_test_port(struct parse *p, const struct node *n, const char *word, struct matrix_test *ret)
{
    struct node as_node = *n;
    struct rules_port port;

    as_node.text = word;
    if (!read_port(p, &as_node, PORT_OF_ROW, &port))
        return false;
    if (port.parameter != NULL || port.low != port.high) {
        parse_error(p, n, "a test has one port, and '%s' is not one; %s", word, form);
        return false;
    }
    ret->transport = port.transport;
    ret->port = port.low;
    return true;
}

static void read_test_options(struct parse *p, const struct node *n, char **words, size_t count,
                              struct matrix_test *ret)
{
    ret->options.items = parse_alloc(p, count, sizeof(ret->options.items[0]));
    for (size_t i = 0; ret->options.items != NULL && i < count; i++) {
        const char *equals = strchr(words[i], '=');
        const char *means = equals != NULL ? switch_of(equals + 1) : NULL;

        if (equals == words[i] || means == NULL || strcmp(equals + 1, means) != 0)
            parse_error(p, n, "'%s' sets no option; write OPTION=on, OPTION=off or OPTION=both", words[i]);
        else
            ret->options.items[ret->options.n++] = (struct rules_name){.text = words[i], .place = ret->place};
    }
}

static void read_test(struct parse *p, const struct node *n, struct matrix_test *ret)
{
    char *words[MAX_WORDS];
    size_t count, at = 4;

    ret->place = node_place(p, n);
    if (!expect_scalar(p, n, "a test"))
        return;
    count = split(p, n->text, words);
    if (count < 4 || (strcmp(words[0], "allow") != 0 && strcmp(words[0], "deny") != 0)) {
        parse_error(p, n, "this is no test; %s", form);
        return;
    }
    ret->allow = strcmp(words[0], "allow") == 0;
    ret->client = words[1];
    ret->server = words[2];
    if (!read_test_port(p, n, words[3], ret))
        return;
    if (at + 1 < count && strcmp(words[at], "as") == 0) {
        ret->protocol = words[at + 1];
        at += 2;
    }
    if (at + 1 < count && strcmp(words[at], "with") == 0) {
        read_test_options(p, n, &words[at + 1], count - at - 1, ret);
        at = count;
    }
    if (at != count)
        parse_error(p, n, "'%s' is not understood in a test; %s", words[at], form);
}

void read_tests(struct parse *p, const struct node *n, void *field)
{
    struct matrix *m = field;
    size_t count;

    if (!expect_sequence(p, n, "'tests'", &count))
        return;
    m->tests = parse_alloc(p, count, sizeof(*m->tests));
    for (const struct node *c = node_first(p, n); m->tests != NULL && c != NULL; c = node_next(p, c))
        read_test(p, c, &m->tests[m->n_tests++]);
}
