/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "cli.h"
#include "flowaudit/report.h"

static const char help[] =
    "usage: flowaudit waive DB FINDING --owner NAME --reason TEXT --until DATE\n\n"
    "Prints the exception that covers a finding, for the site file.  FINDING is its\n"
    "number in the report.\n\n"
    "      --owner NAME     who answers for it\n"
    "      --reason TEXT    why it is accepted\n"
    "      --until DATE     the last day of it (2027-01-31)\n"
    "      --id ID          the exception's name (default: made from the finding)\n"
    "      --run N          the run (default: the last)\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 printed, 2 wrong usage, unusable file, or nothing to waive.\n";

static int run(const char *path, const struct report_waiver *w)
{
    struct report *report;
    struct err     err = {0};

    if (report_open(path, &report, &err) != 0)
        return complain("%s", err.msg);
    int rc = report_waive(report, w, stdout, &err);
    report_free(report);
    return rc == 0 ? finish_output(EXIT_NOTHING) : complain("%s", err.msg);
}

int cmd_waive(int argc, char **argv)
{
    static const struct option options[] = {{"owner", required_argument, NULL, 'o'},  {"reason", required_argument, NULL, 'r'},
                                            {"until", required_argument, NULL, 'u'},  {"id", required_argument, NULL, 'i'},
                                            {"run", required_argument, NULL, 'R'},    {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct report_waiver       w = {0};
    int                        rc = 0;

    for (int c; rc == 0 && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case 'o':
            w.owner = optarg;
            break;
        case 'r':
            w.reason = optarg;
            break;
        case 'u':
            w.until = optarg;
            break;
        case 'i':
            w.id = optarg;
            break;
        case 'R':
            rc = parse_id("--run", optarg, &w.run_id);
            break;
        case 'h':
            fputs(help, stdout);
            return finish_output(EXIT_NOTHING);
        default:
            rc = EXIT_UNUSABLE;
        }
    }
    if (rc == 0 && argc - optind != 2)
        rc = complain("waive takes a database and the number of a finding");
    if (rc == 0 && (w.owner == NULL || w.reason == NULL || w.until == NULL))
        rc = complain("an exception has an owner, a reason and an end: --owner, --reason and --until are wanted");
    if (rc == 0)
        rc = parse_id("FINDING", argv[optind + 1], &w.finding_id);
    return rc == 0 ? run(argv[optind], &w) : misuse("waive");
}
