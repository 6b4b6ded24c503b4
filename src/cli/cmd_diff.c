/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/report.h"

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

static int take_format(const char *name, enum report_format *ret)
{
    if (report_format_parse(name, ret) == 0 && (*ret == REPORT_TEXT || *ret == REPORT_JSON))
        return 0;
    return complain("unknown format '%s'; known are text and json", name);
}

int cmd_diff(int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, 'F'},  {"old-run", required_argument, NULL, 'O'},
                                            {"new-run", required_argument, NULL, 'N'}, {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},          {0}};
    struct request             r = {.format = REPORT_TEXT};
    int                        rc = 0;

    for (int c; rc == 0 && (c = getopt_long(argc, argv, "vh", options, NULL)) != -1;) {
        switch (c) {
        case 'F':
            rc = take_format(optarg, &r.format);
            break;
        case 'O':
            rc = parse_id("--old-run", optarg, &r.runs[0]);
            break;
        case 'N':
            rc = parse_id("--new-run", optarg, &r.runs[1]);
            break;
        case 'v':
            r.query.verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            return finish_output(EXIT_NOTHING);
        default:
            rc = EXIT_UNUSABLE;
        }
    }
    if (rc == 0 && argc - optind != 2)
        rc = complain("diff takes two databases, the older first");
    if (rc != 0)
        return misuse("diff");
    r.query.color = wants_color(stdout);
    r.query.width = terminal_width();
    return run(argv + optind, &r);
}
