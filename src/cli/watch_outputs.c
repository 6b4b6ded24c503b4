/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_outputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "version.h"

#define MAX_ARGUMENTS 64
#define USUAL_SYSLOG  "/dev/log"

/* --- options ------------------------------------------------------------------------------------------------------------- */

static int add_target(const char *option, const char *text, const char *targets[static WATCH_MAX_TARGETS], size_t *n)
{
    if (*text == '\0')
        return complain("%s: a target is wanted", option);
    if (*n == WATCH_MAX_TARGETS)
        return complain("%s: at most %d times", option, WATCH_MAX_TARGETS);
    targets[(*n)++] = text;
    return 0;
}

static bool take_severity(struct notify_options *o, const char *word)
{
    for (int s = SEVERITY_CRITICAL; s <= SEVERITY_NOTICE; s++)
        if (strcmp(word, severity_name((enum severity)s)) == 0) {
            o->least = (enum severity)s;
            o->least_given = true;
            return true;
        }
    return false;
}

/* "60/m" */
static bool take_rate(struct notify_options *o, const char *word)
{
    char         *end;
    unsigned long n = strtoul(word, &end, 10);

    if (*word < '0' || *word > '9' || strcmp(end, "/m") != 0 || n == 0 || n > 1000000)
        return false;
    o->rate = (unsigned)n;
    o->burst = (unsigned)n * 2;
    return true;
}

static bool take_interval(struct notify_options *o, const char *word)
{
    int64_t ns;
    size_t  most = sizeof(o->repeat_ns) / sizeof(o->repeat_ns[0]);

    if (o->n_repeat == most || duration_parse(word, &ns) != 0 || ns <= 0)
        return false;
    o->repeat_ns[o->n_repeat++] = ns;
    return true;
}

static int take_alerts(struct notify_options *o, const char *text)
{
    char *copy = strdup(text), *rest = copy;
    int   rc = copy == NULL ? complain("no memory") : 0;

    o->n_repeat = 0;
    for (char *word; rc == 0 && (word = strsep(&rest, ",")) != NULL;)
        if (strcmp(word, "each") == 0)
            o->each = true;
        else if (!take_severity(o, word) && !take_rate(o, word) && !take_interval(o, word))
            rc = complain("--alerts: '%s' is none of: a severity (critical, high, medium, low, notice), 'each' (like findings are not told as one), a time after which a finding that grew is "
                          "told again (up to four: 1m,10m,1h), a rate (60/m)", word);
    free(copy);
    return rc;
}

int watch_outputs_take(struct watch_outputs *o, int c, const char *text)
{
    switch (c) {
    case WATCH_OPT_NDJSON:
        return add_target("--ndjson", text, o->ndjson, &o->n_ndjson);
    case WATCH_OPT_METRICS:
        return add_target("--metrics", text, o->metrics, &o->n_metrics);
    case WATCH_OPT_SYSLOG:
        o->syslog = text != NULL ? text : "";
        return 0;
    case WATCH_OPT_JOURNAL:
        o->journal = true;
        return 0;
    case WATCH_OPT_ON_FINDING:
        o->on_finding = text;
        return 0;
    case WATCH_OPT_TOP:
        o->top = true;
        return 0;
    case WATCH_OPT_ALERTS:
        return take_alerts(&o->notify, text);
    default:
        return -1;
    }
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

/* Is standard error the journal's?  (systemd.exec(5): JOURNAL_STREAM is device and inode of it.) */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t   device, inode;

    return stream != NULL && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

/* The journal is not told twice, and a table on the terminal is not written over. */
static int open_stderr(const struct watch_outputs *o, const struct watch_outputs_run *run, struct notifier *n, struct err *err)
{
    bool                 is_journal = stderr_is_journal(), is_terminal = isatty(STDERR_FILENO);
    struct notify_stderr options = {.fd = STDERR_FILENO, .priority = is_journal, .color = wants_color(stderr), .quiet = run->quiet, .brief = is_terminal,
                                    .line = is_terminal && !run->quiet && wants_color(stderr)};

    if ((is_journal && o->journal) || (is_terminal && o->top))
        return 0;
    return notify_add_stderr(n, &options, err);
}

static int open_syslog(const char *text, struct notifier *n, struct err *err)
{
    static const struct { const char *prefix; enum notify_header header; } forms[] = {{"rfc5424:", NOTIFY_HEADER_RFC5424},
                                                                                      {"local:", NOTIFY_HEADER_LOCAL}};
    enum notify_header header = NOTIFY_HEADER_FIT;

    for (unsigned i = 0; i < 2; i++)
        if (strncmp(text, forms[i].prefix, strlen(forms[i].prefix)) == 0) {
            header = forms[i].header;
            text += strlen(forms[i].prefix);
            break;
        }
    return notify_add_syslog(n, *text != '\0' ? text : USUAL_SYSLOG, header, err);
}

static int open_hook(const struct watch_outputs *o, const struct watch_outputs_run *run, struct notifier *n, struct err *err)
{
    char              *copy = strdup(o->on_finding), *rest = copy;
    const char        *argv[MAX_ARGUMENTS + 1] = {NULL};
    size_t             n_words = 0;
    struct notify_hook hook = {.argv = argv, .silent = o->top, .drops = run->drops_user, .uid = run->uid, .gid = run->gid};

    if (copy == NULL)
        return err_set(err, -ENOMEM, "no memory");
    for (char *word; n_words < MAX_ARGUMENTS && (word = strsep(&rest, " \t")) != NULL;)
        if (*word != '\0')
            argv[n_words++] = word;
    int rc = rest != NULL ? err_set(err, -E2BIG, "a command of at most %d words is wanted", MAX_ARGUMENTS) : notify_add_hook(n, &hook, err);
    free(copy);
    return rc;
}

static int open_metrics(const char *where, struct notifier *n, struct err *err)
{
    size_t len = strlen(where);
    bool   is_file = len > 5 && strcmp(where + len - 5, ".prom") == 0 && strncmp(where, "unix:", 5) != 0;

    if (is_file)
        return notify_add_metrics_file(n, where, 0, err);
    if (strchr(where, '/') != NULL && strncmp(where, "unix:", 5) != 0)
        return err_set(err, -EINVAL, "%s: a file's name ends in .prom, as the collector wants it; a socket is unix:PATH", where);
    return notify_add_metrics_http(n, where, err);
}

static const char *supervisor_path(void)
{
    const char *path = getenv("NOTIFY_SOCKET");

    return path != NULL && *path != '\0' ? path : NULL;
}

/* The service manager, where there is one. */
static int open_supervisor(struct notifier *n, struct err *err)
{
    const char *path = supervisor_path(), *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t     watchdog = usec != NULL && (pid == NULL || strtol(pid, NULL, 10) == getpid()) ? strtoll(usec, NULL, 10) * 1000 : 0;

    if (path == NULL)
        return 0;
    return notify_add_supervisor(n, path, watchdog > 0 ? watchdog : 0, err);
}

bool watch_outputs_connect(const struct watch_outputs *o)
{
    return o->n_ndjson > 0 || o->n_metrics > 0 || o->syslog != NULL || o->journal || supervisor_path() != NULL;
}

static int fail(const char *option, const struct err *err)
{
    return complain("%s%s%s", option, *option != '\0' ? ": " : "", err->msg);
}

static int open_all(const struct watch_outputs *o, const struct watch_outputs_run *run, struct notifier *n)
{
    struct err err = {0};

    if (open_stderr(o, run, n, &err) != 0 || open_supervisor(n, &err) != 0)
        return fail("", &err);
    for (size_t i = 0; i < o->n_ndjson; i++)
        if (notify_add_ndjson(n, o->ndjson[i], &err) != 0)
            return fail("--ndjson", &err);
    for (size_t i = 0; i < o->n_metrics; i++)
        if (open_metrics(o->metrics[i], n, &err) != 0)
            return fail("--metrics", &err);
    if (o->syslog != NULL && open_syslog(o->syslog, n, &err) != 0)
        return fail("--syslog", &err);
    if (o->journal && notify_add_journal(n, NULL, &err) != 0)
        return fail("--journal", &err);
    if (o->on_finding != NULL && open_hook(o, run, n, &err) != 0)
        return fail("--on-finding", &err);
    /* Last: what is wrong with the others is read on the terminal as it is. */
    if (o->top && notify_add_terminal(n, STDIN_FILENO, STDOUT_FILENO, wants_color(stdout), &err) != 0)
        return fail("--top", &err);
    return 0;
}

int watch_outputs_open(const struct watch_outputs *o, const struct watch_outputs_run *run, struct notifier **ret)
{
    struct notify_options options = o->notify;
    struct notifier      *n;
    struct err            err = {0};
    char                  host[256] = "";

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    options.version = FLOWAUDIT_VERSION;
    options.host = host;
    options.ruleset = run->ruleset;
    if (notify_new(&options, &n, &err) != 0)
        return complain("%s", err.msg);
    int rc = open_all(o, run, n);
    if (rc == 0)
        *ret = n;
    else
        notify_free(n);
    return rc;
}
