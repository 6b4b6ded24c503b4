/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cli.h"

static const char help[] =
    "usage: flowaudit matrix [-s SITE | MATRIX] [--format FORMAT]\n\n"
    "Prints the rows of the documented matrix; with a site, as they apply there:\n"
    "hosts, ports and options put in.  MATRIX is a name in the rules directory or a\n"
    "path; without one it is the default matrix.\n\n"
    "  -s, --site FILE      the site file\n"
    "      --format FORMAT  text (default), tsv or json\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 printed, 2 wrong usage or unusable file.\n";

static int print_matrix(const char *name, enum policy_format format)
{
    struct diag_list diags = {0};
    struct matrix   *matrix = NULL;
    int              rc = load_matrix(name, NULL, &matrix, &diags);

    if (rc == -ENOENT)
        complain("no matrix '%s'; a name of a file in the rules directory, or a path, is wanted", name);
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

int cmd_matrix(int argc, char **argv)
{
    static const struct option options[] = {
        {"site", required_argument, NULL, 's'}, {"format", required_argument, NULL, 'F'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char        *site = NULL;
    enum policy_format format = POLICY_TEXT;

    for (int c; (c = getopt_long(argc, argv, "s:h", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            site = optarg;
            break;
        case 'F':
            if (parse_policy_format(optarg, &format) != 0)
                return misuse("matrix");
            break;
        case 'h':
            fputs(help, stdout);
            return finish_output(EXIT_NOTHING);
        default:
            return misuse("matrix");
        }
    }
    if (argc - optind > 1 || (site != NULL && optind < argc)) {
        complain("matrix takes a site with -s, or one matrix");
        return misuse("matrix");
    }
    return site != NULL ? print_applied(site, format) : print_matrix(optind < argc ? argv[optind] : "default", format);
}
