/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/diag.h"

#define MOST    24
#define MOST_KNOWN 64
#define BY_NAME 256 /* what getopt_long() returns for the first row that has no letter */

struct forms {
    struct option by_name[MOST + 2];
    char          letters[2 * MOST + 2];
};

static void make_forms(const struct command_line *l, struct forms *ret)
{
    char  *letter = ret->letters;
    size_t n = 0;

    assert(l->n_options <= MOST);
    for (size_t i = 0; i < l->n_options; i++) {
        const struct option_row *o = &l->options[i];
        bool                     has_value = o->kind != OPTION_FLAG;

        if (o->name != NULL)
            ret->by_name[n++] = (struct option){o->name, has_value ? required_argument : no_argument, NULL, BY_NAME + (int)i};
        if (o->letter != '\0')
            *letter++ = o->letter;
        if (o->letter != '\0' && has_value)
            *letter++ = ':';
    }
    ret->by_name[n++] = (struct option){"help", no_argument, NULL, 'h'};
    ret->by_name[n] = (struct option){0};
    *letter++ = 'h';
    *letter = '\0';
}

/* NULL: getopt_long() knew none, and said so. */
static const struct option_row *find_row(const struct command_line *l, int c)
{
    if (c >= BY_NAME)
        return &l->options[c - BY_NAME];
    for (size_t i = 0; i < l->n_options; i++)
        if (l->options[i].letter == c)
            return &l->options[i];
    return NULL;
}

void suggest_option(const struct option *known, const char *given)
{
    const char *names[MOST_KNOWN];
    char        word[64];
    size_t      n = 0, len = strcspn(given, "=");

    /* Of a letter getopt_long() stands at its cluster still, as in -Xq: the word before may be anything. */
    if (optopt != 0 || strncmp(given, "--", 2) != 0 || len <= 2 || len >= sizeof(word))
        return;
    snprintf(word, sizeof(word), "%.*s", (int)len - 2, given + 2);
    for (; known->name != NULL && n < MOST_KNOWN; known++)
        names[n++] = known->name;
    const char *nearest = diag_nearest(word, names, n);
    if (nearest != NULL && strcmp(nearest, word) != 0)
        complain("did you mean '--%s'?", nearest);
}

static int take(const struct option_row *o, const char *text)
{
    char option[40];

    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)o->to = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)o->to = text;
        return 0;
    case OPTION_ID:
        snprintf(option, sizeof(option), "--%s", o->name);
        return parse_id(option, text, o->to);
    default:
        return o->take(text, o->to);
    }
}

int options_take(const struct command_line *l, int argc, char **argv, int *ret_first)
{
    struct forms forms;

    make_forms(l, &forms);
    for (int c; (c = getopt_long(argc, argv, forms.letters, forms.by_name, NULL)) != -1;) {
        if (c == 'h') {
            fputs(l->help, stdout);
            return finish_output(EXIT_NOTHING);
        }
        const struct option_row *o = find_row(l, c);
        if (o == NULL)
            suggest_option(forms.by_name, argv[optind - 1]);
        if (o == NULL || take(o, optarg) != 0)
            return misuse(l->name);
    }
    if (argc - optind < l->least || argc - optind > l->most) {
        complain("%s", l->wanted);
        return misuse(l->name);
    }
    *ret_first = optind;
    return OPTIONS_TAKEN;
}
