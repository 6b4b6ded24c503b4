/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit lint [-s SITE]\n"
    "       flowaudit lint MATRIX\n\n"
    "Checks a site file with its matrix, or a matrix alone, without traffic: syntax,\n"
    "names, ranges, overlaps, the matrix's own tests, and what the document says of\n"
    "such a site.\n\n"
    "  -s, --site FILE   the site file (default: flowaudit.yaml)\n"
    "  -h, --help        this text\n\n"
    "Exit: 0 nothing found, 1 warnings or findings about the site, 2 errors.\n";

static void print_lint(void *aux, enum severity severity, const char *section, const char *sentence, uint32_t parameter)
{
    (void)parameter;
    unsigned *n = aux;

    *n += severity != SEVERITY_NOTICE;
    printf("%s: %s%s%s%s\n", severity_name(severity), sentence, *section != '\0' ? " [" : "", section, *section != '\0' ? "]" : "");
}

static int lint_site(const char *path)
{
    struct rulebook book;
    unsigned        n = 0;
    int             rc = rulebook_load(&book, path, false);

    if (rc != 0)
        return rc;
    policy_lint(book.policy, run_time_ns(), print_lint, &n);
    printf("%s: %zu hosts, %zu rows of %s, no errors\n", book.site->file, book.site->n_hosts, book.matrix->n_rows, book.matrix->id);
    rulebook_free(&book);
    return finish_output(n > 0 ? EXIT_FINDINGS : EXIT_NOTHING);
}

/* A site file that was named without -s. */
static bool is_site(const char *path)
{
    struct diag_list diags = {0};
    struct site     *site = NULL;
    struct matrix   *matrix = NULL;
    bool             found = matrix_load(path, &matrix, &diags) != 0 && (site_load_partly(path, &site, &diags) == 0 || (site != NULL && site->n_hosts > 0));

    diag_list_clear(&diags);
    site_free(site);
    matrix_free(matrix);
    return found;
}

static int lint_matrix(const char *name)
{
    if (is_site(name))
        return complain("%s is a site file; 'flowaudit lint -s %s' checks it with its matrix", name, name);
    struct diag_list      diags = {0};
    struct matrix        *matrix = NULL;
    struct policy_options options = cli_policy_options();
    char                  hint[300];
    int                   rc = load_matrix(name, NULL, &matrix, &diags);

    if (rc == -ENOENT)
        complain("no matrix '%s'; a name of a file in the rules directory, or a path, is wanted%s", name, matrix_hint(name, hint, sizeof(hint)));
    if (rc == 0)
        rc = matrix_selftest(matrix, &options, &diags);
    diag_sort(&diags);
    diag_print(&diags, stderr);
    size_t n_warnings = diag_count(&diags, DIAG_WARNING);
    diag_list_clear(&diags);
    if (rc == 0)
        printf("%s: %zu rows, %zu self-tests, no errors\n", matrix->file, matrix->n_rows, matrix->n_tests);
    matrix_free(matrix);
    return rc != 0 ? EXIT_UNUSABLE : finish_output(n_warnings > 0 ? EXIT_FINDINGS : EXIT_NOTHING);
}

int cmd_lint(int argc, char **argv)
{
    static const char         wanted[] = "lint takes a site with -s, or one matrix file";
    const char               *site = NULL;
    const struct option_row   rows[] = {{"site", 's', OPTION_TEXT, &site, NULL}};
    const struct command_line line = {"lint", help, OPTION_ROWS(rows), 0, 1, wanted};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    if (site != NULL && first < argc) {
        complain("%s", wanted);
        return misuse("lint");
    }
    return first < argc ? lint_matrix(argv[first]) : lint_site(site);
}
