/* SPDX-License-Identifier: Apache-2.0 */

#include "cli.h"
#include "flowaudit/report.h"
#include "options.h"

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
    struct report_waiver      w = {0};
    const struct option_row   rows[] = {{"owner", 0, OPTION_TEXT, &w.owner, NULL}, {"reason", 0, OPTION_TEXT, &w.reason, NULL},
                                        {"until", 0, OPTION_TEXT, &w.until, NULL}, {"id", 0, OPTION_TEXT, &w.id, NULL},
                                        {"run", 0, OPTION_ID, &w.run_id, NULL}};
    const struct command_line line = {"waive", help, OPTION_ROWS(rows), 2, 2, "waive takes a database and the number of a finding"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    rc = w.owner == NULL || w.reason == NULL || w.until == NULL
             ? complain("an exception has an owner, a reason and an end: --owner, --reason and --until are wanted")
             : parse_id("FINDING", argv[first + 1], &w.finding_id);
    return rc == 0 ? run(argv[first], &w) : misuse("waive");
}
