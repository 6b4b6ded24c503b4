/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/diag.h"
#include "version.h"

static const struct {
    const char *name;
    command_fn *run;
    const char *what;
} commands[] = {
    {"check", cmd_check, "judge capture files against the documented matrix"},
    {"watch", cmd_watch, "judge live interfaces, until it is stopped"},
    {"report", cmd_report, "export a recorded audit as text, CSV, JSON, HTML or xlsx"},
    {"diff", cmd_diff, "compare two recorded audits"},
    {"merge", cmd_merge, "join the records of several sensors"},
    {"waive", cmd_waive, "print the exception that covers a finding"},
    {"verify", cmd_verify, "hold a record to its digests and seals"},
    {"carve", cmd_carve, "write the packets of a finding to a pcapng file"},
    {"explain", cmd_explain, "say what the matrix says of one flow, and why"},
    {"learn", cmd_learn, "propose a site file from captures"},
    {"lint", cmd_lint, "check site and matrix files without traffic"},
    {"matrix", cmd_matrix, "print the matrix, as documented or as it applies at a site"},
};

static void print_help(FILE *out)
{
    fprintf(out, "flowaudit %s: holds captured traffic to a documented matrix of allowed flows\n\n"
                 "usage: flowaudit COMMAND [OPTIONS] [ARGUMENTS]\n\n",
            FLOWAUDIT_VERSION);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-9s%s\n", commands[i].name, commands[i].what);
    fprintf(out, "\nFirst steps:  flowaudit check -s site.yaml capture.pcapng\n"
                 "Help:         flowaudit COMMAND --help, and the manual pages flowaudit(1),\n"
                 "              flowaudit-site(5), flowaudit-matrix(5) and flowaudit-db(5)\n"
                 "Exit:         0 nothing found, 1 findings, 2 wrong usage or unusable file,\n"
                 "              3 incomplete evidence\n");
}

static void complain_command(const char *name)
{
    const char *names[sizeof(commands) / sizeof(commands[0])];

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        names[i] = commands[i].name;
    const char *nearest = diag_nearest(name, names, sizeof(names) / sizeof(names[0]));
    if (nearest != NULL)
        complain("unknown command '%s'; did you mean '%s'?", name, nearest);
    else
        complain("unknown command '%s'; 'flowaudit --help' lists the commands", name);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return finish_output(EXIT_NOTHING);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("flowaudit %s\n", FLOWAUDIT_VERSION);
        return finish_output(EXIT_NOTHING);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            char program[32]; /* what messages of getopt_long() begin with */
            snprintf(program, sizeof(program), "flowaudit %s", name);
            argv[1] = program;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1)
        complain_command(name);
    else
        print_help(stderr);
    return EXIT_UNUSABLE;
}
