/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_stats.h"
#include "cli.h"
#include "describe.h"
#include "flowaudit/engine.h"
#include "flowaudit/report.h"
#include "flowaudit/store.h"
#include "version.h"

static const char help[] =
    "usage: flowaudit check [-s SITE] [-o DB] [OPTIONS] FILE...\n\n"
    "Judges captures (pcap, pcapng; plain, gzip or zstd; '-' is standard input).\n"
    "Several files are one observation, in time order.\n\n"
    "  -s, --site FILE       the site file (default: flowaudit.yaml)\n"
    "  -o, --output DB       the record; a run is added to it (default: flowaudit.db)\n"
    "  -f, --filter EXPR     only packets that match this pcap-filter(7) expression\n"
    "  -r, --read FILE       the same as FILE\n"
    "  -j, --workers N       workers (default 1); the result is the same\n"
    "      --flows WHICH     flows to record: violations (default), all\n"
    "      --fail-on KIND,.. the kinds of finding that make the exit status 1\n"
    "      --window TIME     expect required flows anew every TIME: 1h, 1d ...\n"
    "      --memory MIB      bound on memory (default 512; 0: none)\n"
    "      --tcp-idle SEC    a TCP flow silent for longer has ended (default 3600)\n"
    "      --udp-idle SEC    the same for UDP (default 900)\n"
    "      --no-digest       do not compute the SHA-256 of inputs\n"
    "  -n                    accepted, without effect: names are never looked up\n"
    "  -q, --quiet           no report on standard output\n"
    "      --stats           tell on standard error where the time went\n"
    "  -v, --verbose         the full report, every finding on its own\n"
    "  -h, --help            this text\n\n"
    "Exit: 0 nothing found, 1 findings, 2 wrong usage or unusable file, 3 incomplete.\n";

struct request {
    struct engine_options engine;
    const char           *site, *db;
    const char          **inputs;
    bool                  fail_on[FINDING_N_KINDS], fail_on_given;
    bool                  quiet, verbose, stats;
};

/* Written by the handler, read by the engine: the one variable a signal handler may touch. */
static volatile sig_atomic_t stop_requested;

static void on_signal(int signal)
{
    (void)signal;
    stop_requested = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* --- options ----------------------------------------------------------------------------------------- */

static int parse_fail_on(const char *list, struct request *r)
{
    char *copy = strdup(list), *rest = copy;
    int   rc = copy == NULL ? complain("no memory") : 0;

    r->fail_on_given = true;
    for (char *word; rc == 0 && (word = strsep(&rest, ",")) != NULL;) {
        enum finding_kind kind;

        if (*word == '\0' || finding_kind_parse(word, &kind) != 0)
            rc = complain("--fail-on: '%s' is not a kind of finding; known are no-row, wrong-port, wrong-protocol, wrong-direction, wrong-role, "
                          "option-off, unknown-host, missing, misdropped, separated, site", word);
        else
            r->fail_on[kind] = true;
    }
    free(copy);
    return rc;
}

static int parse_flows(const char *which, struct request *r)
{
    if (strcmp(which, "all") == 0)
        r->engine.flows_all = true;
    else if (strcmp(which, "violations") != 0)
        return complain("--flows %s: 'violations' or 'all' is wanted", which);
    return 0;
}

static int parse_seconds(const char *option, const char *text, int64_t *ret)
{
    unsigned long n;
    int           rc = number_parse(option, text, 0, 1000000000, &n);

    if (rc == 0)
        *ret = (int64_t)n * 1000000000;
    return rc;
}

static int parse_window(const char *text, int64_t *ret)
{
    return duration_parse(text, ret) == 0 && *ret >= 60 * INT64_C(1000000000)
               ? 0
               : complain("--window %s: a duration of a minute or more is wanted, as 90m, 1h or 1d", text);
}

enum { OPT_FLOWS = 256, OPT_FAIL_ON, OPT_MEMORY, OPT_TCP_IDLE, OPT_UDP_IDLE, OPT_NO_DIGEST, OPT_WINDOW, OPT_STATS };

static const struct option long_options[] = {
    {"site", required_argument, NULL, 's'},          {"output", required_argument, NULL, 'o'},
    {"filter", required_argument, NULL, 'f'},        {"read", required_argument, NULL, 'r'},
    {"workers", required_argument, NULL, 'j'},       {"flows", required_argument, NULL, OPT_FLOWS},
    {"fail-on", required_argument, NULL, OPT_FAIL_ON}, {"memory", required_argument, NULL, OPT_MEMORY},
    {"tcp-idle", required_argument, NULL, OPT_TCP_IDLE}, {"udp-idle", required_argument, NULL, OPT_UDP_IDLE},
    {"window", required_argument, NULL, OPT_WINDOW}, {"no-digest", no_argument, NULL, OPT_NO_DIGEST}, {"quiet", no_argument, NULL, 'q'},
    {"stats", no_argument, NULL, OPT_STATS},         {"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},
    {0}};

static int parse_size_option(int c, const char *text, struct request *r)
{
    unsigned long n;

    switch (c) {
    case 'j':
        if (number_parse("-j", text, 1, 64, &n) != 0)
            return EXIT_UNUSABLE;
        r->engine.n_workers = (unsigned)n;
        return 0;
    case OPT_MEMORY:
        if (number_parse("--memory", text, 0, 1ul << 30, &n) != 0)
            return EXIT_UNUSABLE;
        r->engine.flow.memory_limit = n << 20;
        return 0;
    case OPT_TCP_IDLE:
        return parse_seconds("--tcp-idle", text, &r->engine.flow.tcp_idle_ns);
    default:
        return parse_seconds("--udp-idle", text, &r->engine.flow.udp_idle_ns);
    }
}

/* One option into the request.  0, or a status to end with. */
static int take_option(int c, const char *text, struct request *r)
{
    switch (c) {
    case 's':
        r->site = text;
        return 0;
    case 'o':
        r->db = text;
        return 0;
    case 'f':
        r->engine.filter = text;
        return 0;
    case 'r':
        r->inputs[r->engine.n_inputs++] = text;
        return 0;
    case OPT_FLOWS:
        return parse_flows(text, r);
    case OPT_FAIL_ON:
        return parse_fail_on(text, r);
    case OPT_WINDOW:
        return parse_window(text, &r->engine.window_ns);
    case OPT_NO_DIGEST:
        r->engine.no_digest = true;
        return 0;
    case OPT_STATS:
        r->stats = true;
        return 0;
    case 'q':
        r->quiet = true;
        return 0;
    case 'v':
        r->verbose = true;
        return 0;
    case 'n':
        return 0;
    case '?':
        return EXIT_UNUSABLE;
    default:
        return parse_size_option(c, text, r);
    }
}

/* --- progress --------------------------------------------------------------------------------------------- */

static void show_progress(void *aux, const struct engine_progress *p)
{
    (void)aux;
    if (p->bytes_total > 0)
        fprintf(stderr, "\r%3.0f %%  file %u of %u  %llu packets", 100.0 * (double)p->bytes / (double)p->bytes_total, p->input, p->n_inputs,
                (unsigned long long)p->packets);
    else
        fprintf(stderr, "\rfile %u of %u  %llu packets", p->input, p->n_inputs, (unsigned long long)p->packets);
    fflush(stderr);
}

/* --- the run ------------------------------------------------------------------------------------------------ */

static bool has_findings(const struct request *r, const struct engine_result *result)
{
    for (unsigned k = 0; k < FINDING_N_KINDS; k++) {
        if (!r->fail_on_given && result->n_findings[k] > 0)
            return true;
        if (r->fail_on_given && r->fail_on[k] && result->n_findings[k] + result->n_notices[k] > 0)
            return true;
    }
    return false;
}

static int exit_status(const struct request *r, const struct engine_result *result)
{
    if (result->faulted)
        complain("%s; what was read before is recorded", result->fault);
    if (result->stopped)
        complain("stopped by a signal; what was read before is recorded");
    if (result->n_unrecorded > 0)
        complain("%llu flow%s could not be recorded for want of memory; the run is not complete", (unsigned long long)result->n_unrecorded, result->n_unrecorded == 1 ? "" : "s");
    if (result->n_windows_left > 0)
        complain("%llu window%s could not be evaluated, of more than there may be; the run is not complete, a longer --window has fewer",
                 (unsigned long long)result->n_windows_left, result->n_windows_left == 1 ? "" : "s");
    if (result->packets == 0)
        return complain("%s%s: not one packet could be read", r->engine.inputs[0], r->engine.n_inputs > 1 ? " and the others" : "");
    if (result->n_linktype == result->packets)
        return complain_linktype(result);
    if (result->decoded == 0 && result->filtered > 0) {
        complain("the filter left none of %llu packets to judge", (unsigned long long)result->packets);
        return EXIT_INCOMPLETE;
    }
    if (result->decoded == 0)
        complain("not one of %llu packet%s was decoded", (unsigned long long)result->packets, result->packets == 1 ? "" : "s");
    else if (result->site_unseen)
        complain("no TCP or UDP packet of a host of the site was seen");
    if (!result->complete)
        return EXIT_INCOMPLETE;
    return has_findings(r, result) ? EXIT_FINDINGS : EXIT_NOTHING;
}

/* A fault of the machine leaves incomplete evidence; else a file cannot be used. */
static int failed(int rc, const struct err *err)
{
    complain("%s", err->msg);
    return rc == -ENOSPC || rc == -EIO || rc == -EBUSY || rc == -ENOMEM ? EXIT_INCOMPLETE : EXIT_UNUSABLE;
}

static int print_report(const struct request *r, int64_t run_id)
{
    struct report      *report;
    struct err          err = {0};
    struct report_query query = {.run_id = run_id, .color = wants_color(stdout), .width = terminal_width(),
                                   .brief = !r->verbose, .verbose = r->verbose};

    if (report_open(r->db, &report, &err) != 0)
        return complain("%s", err.msg);
    int rc = report_write(report, REPORT_TEXT, &query, stdout, &err);
    report_free(report);
    return rc == 0 ? 0 : failed(rc, &err);
}

/* Before the record is made: each file that is not there is told. */
static int check_inputs(const struct engine_options *o)
{
    struct stat st;
    int         rc = refuse_twice(o->inputs, o->n_inputs);

    for (size_t i = 0; i < o->n_inputs; i++) {
        const char *name = o->inputs[i];

        if (strcmp(name, "-") == 0)
            continue;
        if (stat(name, &st) != 0 || access(name, R_OK) != 0)
            rc = complain("%s: cannot be opened: %s", name, strerror(errno));
        else if (S_ISDIR(st.st_mode))
            rc = complain("%s: is a directory, not a capture file", name);
    }
    return rc;
}

/* What is known of it before it is read: of a pipe nothing. */
static uint64_t input_bytes(const struct engine_options *o)
{
    struct stat st;
    uint64_t    sum = 0;

    for (size_t i = 0; i < o->n_inputs; i++)
        if (stat(o->inputs[i], &st) == 0 && S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
    return sum;
}

static int audit(const struct request *r, const struct rulebook *book, struct engine_result *result, struct check_times *times)
{
    struct store    *store = NULL;
    struct err       err = {0};
    char            *options = describe_options(&r->engine, book), *command = describe_command(&r->engine, book);
    struct store_run run = {
        .started_ns = run_time_ns(),
        .command = command,
        .version = FLOWAUDIT_VERSION,
        .site_name = book->site->name,
        .site_file = book->site->file,
        .site_text = book->site->text,
        .site_sha256 = book->site->sha256,
        .matrix_id = book->matrix->id,
        .matrix_title = book->matrix->title,
        .matrix_text = book->matrix->text,
        .matrix_sha256 = book->matrix->sha256,
        .options_json = options,
    };
    run.ended_ns = run.started_ns;
    int64_t begun = stats_clock();
    int     rc = options == NULL || command == NULL ? err_set(&err, -ENOMEM, "no memory")
                                                    : store_open_for(r->db, input_bytes(&r->engine), &store, &err);
    times->storing = stats_clock() - begun;
    if (rc == 0)
        rc = engine_check(&r->engine, book->policy, book->site, store, &run, result, &err);
    begun = stats_clock();
    if (rc == 0)
        store_close(store);
    else
        store_abandon(store);
    times->storing += stats_clock() - begun;
    free(options);
    free(command);
    if (r->engine.progress != NULL)
        fputs("\r\033[K", stderr);
    return rc == 0 ? 0 : failed(rc, &err);
}

static int run(struct request *r)
{
    struct rulebook      book;
    struct engine_result result;
    struct confined      confined = {.db = r->db, .inputs = r->engine.inputs, .n_inputs = r->engine.n_inputs, .verbose = r->verbose};
    struct check_times   times = {.begun = stats_clock()};
    int                  rc = check_inputs(&r->engine);

    if (rc == 0)
        rc = rulebook_load(&book, r->site, r->quiet);
    if (rc != 0)
        return rc;
    times.loaded = stats_clock();
    catch_signals();
    guard_engine(&r->engine);
    r->engine.is_last = leaves_memory();
    r->engine.stop = &stop_requested;
    r->engine.now = run_time_ns;
    r->engine.clock = r->stats ? stats_clock : NULL;
    r->engine.progress = isatty(STDERR_FILENO) && !r->quiet ? show_progress : NULL;
    confine_engine(&r->engine, &confined);
    rc = audit(r, &book, &result, &times);
    times.recorded = stats_clock();
    signal(SIGPIPE, SIG_DFL); /* all is recorded: who reads the report may stop reading */
    if (rc == 0 && !r->quiet)
        rc = print_report(r, result.run_id);
    times.reported = stats_clock();
    if (rc == 0 && r->stats)
        stats_print(stderr, &times, &result, &book);
    rulebook_free(&book);
    if (rc != 0)
        return rc;
    return finish_output(exit_status(r, &result));
}

int cmd_check(int argc, char **argv)
{
    struct request r = {.db = "flowaudit.db"};
    int            rc = 0;

    engine_options_default(&r.engine);
    r.inputs = calloc((size_t)argc + 1, sizeof(*r.inputs));
    if (r.inputs == NULL)
        return complain("no memory");
    for (int c; rc == 0 && (c = getopt_long(argc, argv, "s:o:f:r:j:nqvh", long_options, NULL)) != -1;) {
        if (c == 'h') {
            free(r.inputs);
            fputs(help, stdout);
            return finish_output(EXIT_NOTHING);
        }
        if (c == '?')
            suggest_option(long_options, argv[optind - 1]);
        rc = take_option(c, optarg, &r);
    }
    for (; optind < argc; optind++)
        r.inputs[r.engine.n_inputs++] = argv[optind];
    r.engine.inputs = r.inputs;
    if (rc == 0 && r.engine.n_inputs == 0)
        rc = complain("no capture file named");
    rc = rc != 0 ? misuse("check") : run(&r);
    free(r.inputs);
    return rc;
}
