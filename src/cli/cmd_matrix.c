/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit matrix [-s SITE | MATRIX] [--format FORMAT]\n\n"
    "Prints the documented matrix: roles, options, parameters and rows; with a site,\n"
    "the rows as they apply there: hosts, ports and options put in.  MATRIX is a name\n"
    "in the rules directory or a path; without one it is the default matrix.\n\n"
    "  -s, --site FILE      the site file\n"
    "      --format FORMAT  text (default), tsv or json\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 printed, 2 wrong usage or unusable file.\n";

static int print_matrix(const char *name, enum policy_format format)
{
    struct diag_list diags = {0};
    char hint[300];
    struct matrix   *matrix = NULL;
    int              rc = load_matrix(name, NULL, &matrix, &diags);

    if (rc == -ENOENT)
        complain("no matrix '%s'; a name of a file in the rules directory, or a path, is wanted%s", name, matrix_hint(name, hint, sizeof(hint)));
    diag_print(&diags, stderr);
    diag_list_clear(&diags);
    if (rc != 0)
        return EXIT_UNUSABLE;
    matrix_print(matrix, format, stdout);
    matrix_free(matrix);
    return finish_output(EXIT_NOTHING);
}

static int print_applied(const char *site, enum policy_format format)
{
    struct rulebook book;
    int             rc = rulebook_load(&book, site, true);

    if (rc != 0)
        return rc;
    policy_print(book.policy, true, format, stdout);
    rulebook_free(&book);
    return finish_output(EXIT_NOTHING);
}

static int take_format(const char *name, void *to)
{
    static const struct { const char *name; enum policy_format format; } known[] = {{"text", POLICY_TEXT}, {"tsv", POLICY_TSV}, {"json", POLICY_JSON}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0) {
            *(enum policy_format *)to = known[i].format;
            return 0;
        }
    return complain("unknown format '%s'; known are text, tsv and json", name);
}

int cmd_matrix(int argc, char **argv)
{
    static const char         wanted[] = "matrix takes a site with -s, or one matrix";
    const char               *site = NULL;
    enum policy_format        format = POLICY_TEXT;
    const struct option_row   rows[] = {{"site", 's', OPTION_TEXT, &site, NULL}, {"format", 0, OPTION_CALL, &format, take_format}};
    const struct command_line line = {"matrix", help, OPTION_ROWS(rows), 0, 1, wanted};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    if (site != NULL && first < argc) {
        complain("%s", wanted);
        return misuse("matrix");
    }
    return site != NULL ? print_applied(site, format) : print_matrix(first < argc ? argv[first] : "default", format);
}
