/* SPDX-License-Identifier: Apache-2.0 */
/* Where a live run tells what it finds: the options for it, and the notifier that they make. */
#ifndef WATCH_OUTPUTS_H
#define WATCH_OUTPUTS_H

#include <getopt.h>

#include "flowaudit/notify.h"

#define WATCH_MAX_TARGETS 8

enum {
    WATCH_OPT_NDJSON = 512,
    WATCH_OPT_SYSLOG,
    WATCH_OPT_JOURNAL,
    WATCH_OPT_ON_FINDING,
    WATCH_OPT_METRICS,
    WATCH_OPT_TOP,
    WATCH_OPT_ALERTS,
};

#define WATCH_OUTPUT_OPTIONS                                                                                                   \
    {"ndjson", required_argument, NULL, WATCH_OPT_NDJSON}, {"syslog", optional_argument, NULL, WATCH_OPT_SYSLOG},              \
        {"journal", no_argument, NULL, WATCH_OPT_JOURNAL}, {"on-finding", required_argument, NULL, WATCH_OPT_ON_FINDING},      \
        {"metrics", required_argument, NULL, WATCH_OPT_METRICS}, {"top", no_argument, NULL, WATCH_OPT_TOP},                    \
        {"alerts", required_argument, NULL, WATCH_OPT_ALERTS}

/* For --help; 'flowaudit watch --help' puts them in. */
#define WATCH_OUTPUT_HELP                                                                \
    "      --ndjson TO           alerts as JSON lines, to a file or Unix socket\n"       \
    "      --syslog, --journal   alerts to the system's log\n"                           \
    "      --on-finding CMD      run CMD for each alert, the finding on its input\n"     \
    "      --alerts HOW          as medium,10m,1h,60/m: least severity, repeat, rate\n"  \
    "      --metrics TO          for Prometheus: FILE.prom, 127.0.0.1:PORT, unix:PATH\n" \
    "      --top                 a live table of conversations and findings\n"

struct watch_outputs {
    const char *ndjson[WATCH_MAX_TARGETS], *metrics[WATCH_MAX_TARGETS];
    size_t      n_ndjson, n_metrics;
    const char *syslog;     /* "[rfc5424:|local:]SOCKET", "" for the usual one; NULL: none */
    const char *on_finding; /* a path and arguments, separated by blanks */
    bool        journal, top;
    struct notify_options notify; /* of which --alerts sets limits */
};

/* One option of getopt_long(); complains.  0, EXIT_UNUSABLE, or -1: none of these. */
int watch_outputs_take(struct watch_outputs *, int c, const char *text);

struct watch_outputs_run {
    const char *ruleset;       /* the matrix's id */
    bool        quiet;         /* -q: on standard error only what is wrong */
    bool        drops_user;    /* the run gives up its user for this one: so does the hook */
    unsigned    uid, gid;
};
/* Opens all of them; complains.  To be called before rights are given up and before there are threads.  0, or EXIT_UNUSABLE. */
int watch_outputs_open(const struct watch_outputs *, const struct watch_outputs_run *, struct notifier **ret);
/* Will any of them make, connect or accept sockets while the run goes on? */
bool watch_outputs_connect(const struct watch_outputs *);

#endif
