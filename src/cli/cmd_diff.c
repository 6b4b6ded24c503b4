/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/report.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit diff OLD NEW [--format FORMAT] [--old-run N] [--new-run N]\n\n"
    "Compares two recorded audits: findings and expected flows that are new, gone or\n"
    "changed, and why: the matrix, the site or the traffic changed.  Of what is gone\n"
    "it says whether the new audit could have seen it.\n\n"
    "      --format FORMAT  text (default) or json\n"
    "      --old-run N      the run of OLD (default: the last)\n"
    "      --new-run N      the run of NEW (default: the last)\n"
    "  -v, --verbose        text: also what persists, and nothing left out\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 no difference, 1 differences, 2 wrong usage or unusable file,\n"
    "      3 output not whole.\n";

struct request {
    struct report_query query;
    enum report_format  format;
    int64_t             runs[2];
};

static int compare(struct report *reports[2], const struct request *r)
{
    struct report_diff *diff;
    struct err          err = {0};

    if (report_diff_new(reports[0], r->runs[0], reports[1], r->runs[1], &diff, &err) != 0)
        return complain("%s", err.msg);
    int rc = report_diff_write(diff, r->format, &r->query, stdout, &err);
    int status = rc == 0 ? finish_output(report_diff_same(diff) ? EXIT_NOTHING : EXIT_FINDINGS) : EXIT_INCOMPLETE;
    report_diff_free(diff);
    if (rc != 0)
        complain("%s", err.msg);
    return status;
}

static int run(char **paths, const struct request *r)
{
    struct report *reports[2] = {NULL, NULL};
    struct err     err = {0};
    int            status = EXIT_NOTHING;

    for (int i = 0; status == EXIT_NOTHING && i < 2; i++)
        if (report_open(paths[i], &reports[i], &err) != 0)
            status = complain("%s", err.msg);
    if (status == EXIT_NOTHING)
        status = compare(reports, r);
    report_free(reports[0]);
    report_free(reports[1]);
    return status;
}

static int take_format(const char *name, void *to)
{
    enum report_format *ret = to;

    if (report_format_parse(name, ret) == 0 && (*ret == REPORT_TEXT || *ret == REPORT_JSON))
        return 0;
    return complain("unknown format '%s'; known are text and json", name);
}

int cmd_diff(int argc, char **argv)
{
    struct request            r = {.format = REPORT_TEXT};
    const struct option_row   rows[] = {{"format", 0, OPTION_CALL, &r.format, take_format},
                                        {"old-run", 0, OPTION_ID, &r.runs[0], NULL},
                                        {"new-run", 0, OPTION_ID, &r.runs[1], NULL},
                                        {"verbose", 'v', OPTION_FLAG, &r.query.verbose, NULL}};
    const struct command_line line = {"diff", help, OPTION_ROWS(rows), 2, 2, "diff takes two databases, the older first"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    r.query.color = wants_color(stdout);
    r.query.width = terminal_width();
    return run(argv + first, &r);
}
