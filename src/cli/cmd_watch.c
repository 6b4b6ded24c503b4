/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live run: what needs rights is opened, rights are given up, and then packets are looked at.
 *
 * The record is opened as the user that the run goes on as, so that all of its files are that user's.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "describe.h"
#include "flowaudit/classify.h"
#include "flowaudit/confine.h"
#include "flowaudit/keeper.h"
#include "flowaudit/notify.h"
#include "flowaudit/watch.h"
#include "record_files.h"
#include "version.h"
#include "watch_outputs.h"
#include "watch_table.h"
#include "watch_user.h"

#define LEAST_SIZE  ((uint64_t)8 << 20) /* of a record: that of the run at work has to fit in */
#define TRIM_EVERY  INT64_C(5000000000)

static const char help[] =
    "usage: flowaudit watch [-s SITE] [-o DB] [OPTIONS] -i IFACE...\n"
    "Judges live interfaces until SIGINT or SIGTERM; HUP reads the rules anew.\n"
    "  -s, --site FILE       the site file (default: flowaudit.yaml)\n"
    "  -o, --output DB       the record (default: flowaudit.db)\n"
    "  -f, --filter, --tcp-idle, --udp-idle, --memory  as with check\n"
    "  -q, --quiet           on standard error only what is wrong\n"
    "  -i, --interface IFACE an interface; may be given more than once\n"
    "  -j, --workers N       threads that judge packets (default 1)\n"
    "      --window TIME     expected flows are evaluated by windows (default 1h)\n"
    "      --rotate TIME     a run covers so much (default 1d; 0: no end)\n"
    "      --keep TIME       remove runs that ended so long ago (default: none)\n"
    "      --max-size MIB    the record's size: the oldest runs are removed for it\n"
    "      --new-file WHEN   a new file after 1d, at 500MiB, or at either: 1d,2GiB\n"
    "      --evidence DIR,SIZE  keep packets of findings there, say up to 2GiB\n"
    "      --ring MIB, --snaplen BYTES, --no-promiscuous  how packets are captured\n"
    "      --user NAME       go on as this user\n"
    WATCH_OUTPUT_HELP
    "  -h, --help            this text\n"
    "Exit: 0 nothing found, 1 findings, 2 wrong usage, 3 incomplete.\n";

struct request {
    struct watch_options watch;
    struct watch_outputs outputs;
    const char          *site, *db, *user;
    bool                 in_files;   /* the record is a series of files */
    const char         **interfaces;
    char                *evidence;   /* the folder, owned */
    bool                 quiet;
};

/* Written by the handler: the variables that a signal handler may touch. */
static volatile sig_atomic_t stop_requested, reload_requested, print_requested;

static void on_signal(int signal)
{
    if (signal == SIGHUP)
        reload_requested = 1;
    else if (signal == SIGUSR1)
        print_requested = 1;
    else
        stop_requested = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* --- options ---------------------------------------------------------------------------------------------- */

enum { OPT_WINDOW = 256, OPT_ROTATE, OPT_KEEP, OPT_RING, OPT_SNAPLEN, OPT_NO_PROMISCUOUS, OPT_USER, OPT_MEMORY, OPT_TCP_IDLE, OPT_UDP_IDLE, OPT_MAX_SIZE, OPT_NEW_FILE, OPT_EVIDENCE };

static const struct option long_options[] = {
    {"site", required_argument, NULL, 's'},          {"output", required_argument, NULL, 'o'},
    {"filter", required_argument, NULL, 'f'},        {"interface", required_argument, NULL, 'i'},
    {"workers", required_argument, NULL, 'j'},       {"window", required_argument, NULL, OPT_WINDOW},
    {"rotate", required_argument, NULL, OPT_ROTATE}, {"keep", required_argument, NULL, OPT_KEEP},
    {"ring", required_argument, NULL, OPT_RING},     {"snaplen", required_argument, NULL, OPT_SNAPLEN},
    {"no-promiscuous", no_argument, NULL, OPT_NO_PROMISCUOUS}, {"user", required_argument, NULL, OPT_USER},
    {"memory", required_argument, NULL, OPT_MEMORY}, {"tcp-idle", required_argument, NULL, OPT_TCP_IDLE},
    {"udp-idle", required_argument, NULL, OPT_UDP_IDLE}, {"quiet", no_argument, NULL, 'q'},
    {"max-size", required_argument, NULL, OPT_MAX_SIZE}, {"new-file", required_argument, NULL, OPT_NEW_FILE},
    {"evidence", required_argument, NULL, OPT_EVIDENCE},
    {"help", no_argument, NULL, 'h'},                WATCH_OUTPUT_OPTIONS,
    {0}};

static int take_duration(const char *option, const char *text, int64_t *ret)
{
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    return duration_parse(text, ret) == 0 ? 0 : complain("%s %s: a time such as 30m, 1h or 90d is wanted", option, text);
}

/* "1d", "500MiB", or one of each. */
static int take_new_file(const char *text, struct request *r)
{
    char        word[32];
    const char *rest = text;

    while (*rest != '\0') {
        size_t n = strcspn(rest, ",");

        snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1), rest);
        if (duration_parse(word, &r->watch.file_ns) != 0 && (strchr(word, 'i') == NULL || size_parse(word, &r->watch.file_bytes) != 0))
            break;
        rest += n;
        if (*rest == ',' && rest[1] != '\0')
            rest++;
    }
    r->in_files = true;
    return *rest == '\0' && *text != '\0' ? 0 : complain("--new-file %s: a time such as 1d, a size such as 500MiB, or both, as in 1d,2GiB, are wanted", text);
}

static int take_max_size(const char *text, struct request *r)
{
    if (size_parse(text, &r->watch.max_bytes) != 0 || r->watch.max_bytes < LEAST_SIZE)
        return complain("--max-size %s: a size from 8 on, in MiB, is wanted; or such as 20GiB", text);
    return 0;
}

/* "DIR,2GiB" */
static int take_evidence(const char *text, struct request *r)
{
    const char *comma = strrchr(text, ',');

    if (comma == NULL || comma == text || size_parse(comma + 1, &r->watch.evidence_bytes) != 0 || r->watch.evidence_bytes < KEEPER_LEAST_BYTES)
        return complain("--evidence %s: a folder and a size from 8 MiB on are wanted, as in evidence,2GiB", text);
    free(r->evidence);
    r->evidence = strndup(text, (size_t)(comma - text));
    return r->evidence != NULL ? 0 : complain("no memory");
}

static int take_sized(int c, const char *text, struct request *r)
{
    unsigned long n = 0;
    int           rc;

    switch (c) {
    case 'j':
        rc = number_parse("-j", text, 1, 64, &n);
        r->watch.engine.n_workers = (unsigned)n;
        return rc;
    case OPT_RING:
        rc = number_parse("--ring", text, 1, 4096, &n);
        r->watch.ring_bytes = n << 20;
        return rc;
    case OPT_SNAPLEN:
        rc = number_parse("--snaplen", text, 64, 262144, &n);
        r->watch.snaplen = (uint32_t)n;
        return rc;
    case OPT_MEMORY:
        rc = number_parse("--memory", text, 0, 1ul << 30, &n);
        r->watch.engine.flow.memory_limit = n << 20;
        return rc;
    default:
        rc = number_parse(c == OPT_TCP_IDLE ? "--tcp-idle" : "--udp-idle", text, 0, 1000000000, &n);
        *(c == OPT_TCP_IDLE ? &r->watch.engine.flow.tcp_idle_ns : &r->watch.engine.flow.udp_idle_ns) = (int64_t)n * 1000000000;
        return rc;
    }
}

/* One option into the request.  0, or a status to end with. */
static int take_option(int c, const char *text, struct request *r)
{
    int rc = watch_outputs_take(&r->outputs, c, text);

    if (rc != -1)
        return rc;
    switch (c) {
    case 's':
        r->site = text;
        return 0;
    case 'o':
        r->db = text;
        return 0;
    case 'f':
        r->watch.engine.filter = text;
        return 0;
    case 'i':
        r->interfaces[r->watch.n_interfaces++] = text;
        return 0;
    case 'q':
        r->quiet = true;
        return 0;
    case 'n':
        return 0;
    case OPT_WINDOW:
        return take_duration("--window", text, &r->watch.engine.window_ns);
    case OPT_ROTATE:
        return take_duration("--rotate", text, &r->watch.rotate_ns);
    case OPT_KEEP:
        return take_duration("--keep", text, &r->watch.keep_ns);
    case OPT_MAX_SIZE:
        return take_max_size(text, r);
    case OPT_NEW_FILE:
        return take_new_file(text, r);
    case OPT_EVIDENCE:
        return take_evidence(text, r);
    case OPT_NO_PROMISCUOUS:
        r->watch.no_promiscuous = true;
        return 0;
    case OPT_USER:
        r->user = text;
        return 0;
    case '?':
        return EXIT_UNUSABLE;
    default:
        return take_sized(c, text, r);
    }
}

/* --- what the engine calls -------------------------------------------------------------------------------------- */

/* Rules in force and their texts, for the record. */
struct ruleset {
    struct rulebook book;
    char           *options, *command;
};

struct live_run {
    struct request  *request;
    struct notifier *notifier;
    struct ruleset  *rules;      /* in force */
    struct ruleset  *old;        /* on the way out */
    char            *site_path;
    struct watch    *watch;
    struct store    *store;
    struct record_files *files;
    uint64_t         files_removed, others_told;
    int64_t          next_trim;
    struct watch_table *table;   /* for --top; NULL: there is none */
    uint64_t         reloads, reload_errors;
    int64_t          started_ns;
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t steady(void *aux)
{
    (void)aux;
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t wall(void *aux)
{
    (void)aux;
    return run_time_ns();
}

static struct notify_time time_now(void)
{
    return (struct notify_time){clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC)};
}

static void idle(void *aux, int64_t ns)
{
    struct live_run *l = aux;
    struct pollfd    p = {.fd = notify_fd(l->notifier), .events = POLLIN};

    if (poll(&p, p.fd >= 0, (int)(ns / 1000000)) > 0)
        notify_tick(l->notifier, time_now(), NULL);
}

static bool wants_stop(void *aux)
{
    struct live_run *l = aux;

    return stop_requested != 0 || notify_wants(l->notifier).quit;
}

static void free_ruleset(struct ruleset *rules)
{
    if (rules == NULL)
        return;
    rulebook_free(&rules->book);
    free(rules->options);
    free(rules->command);
    free(rules);
}

static struct ruleset *load_rules(const struct request *r, const char *site)
{
    struct ruleset *rules = calloc(1, sizeof(*rules));

    if (rules == NULL || rulebook_load(&rules->book, site, r->quiet) != 0) {
        free(rules);
        return NULL;
    }
    rules->options = describe_options(&r->watch.engine, &rules->book);
    rules->command = describe_watch(&r->watch, &rules->book);
    if (rules->options == NULL || rules->command == NULL) {
        complain("no memory");
        free_ruleset(rules);
        return NULL;
    }
    return rules;
}

static struct watch_rules rules_of(const struct ruleset *s)
{
    return (struct watch_rules){
        .policy = s->book.policy,
        .site = s->book.site,
        .run = {
            .command = s->command,
            .version = FLOWAUDIT_VERSION,
            .site_name = s->book.site->name,
            .site_file = s->book.site->file,
            .site_text = s->book.site->text,
            .site_sha256 = s->book.site->sha256,
            .matrix_id = s->book.matrix->id,
            .matrix_title = s->book.matrix->title,
            .matrix_text = s->book.matrix->text,
            .matrix_sha256 = s->book.matrix->sha256,
            .options_json = s->options,
        },
    };
}

/* On SIGHUP.  With errors (they are printed) the rules in force stay. */
static bool reload(void *aux, struct watch_rules *ret)
{
    struct live_run *l = aux;

    if (reload_requested == 0)
        return false;
    reload_requested = 0;
    notify_state(l->notifier, time_now(), NOTIFY_RELOADING, "reading the rules anew");
    struct ruleset *fresh = load_rules(l->request, l->site_path);
    if (fresh == NULL) {
        l->reload_errors++;
        notify_message(l->notifier, time_now(), NOTIFY_ERROR, "the rules were not changed: the new ones have errors, the old ones stay in force "
                       "(files are read in the folders of the first site and matrix, and of the installed matrices, alone)");
        notify_state(l->notifier, time_now(), NOTIFY_READY, "the old rules stay in force");
        return false;
    }
    l->reloads++;
    l->old = l->rules;
    l->rules = fresh;
    *ret = rules_of(fresh);
    return true;
}

static void released(void *aux, const struct watch_rules *rules)
{
    struct live_run *l = aux;

    (void)rules;
    free_ruleset(l->old);
    l->old = NULL;
    notify_message(l->notifier, time_now(), NOTIFY_NOTICE, "the rules were read anew, and a new run begins");
    notify_state(l->notifier, time_now(), NOTIFY_READY, "new rules are in force");
}

static void run_begins(void *aux, int64_t run_id)
{
    struct live_run *l = aux;
    char             text[160];

    if (l->table != NULL)
        watch_table_clear(l->table);
    snprintf(text, sizeof(text), "recording run %lld in %s", (long long)run_id, store_path(l->store));
    notify_message(l->notifier, time_now(), NOTIFY_INFO, text);
}

static void on_finding(void *aux, int64_t run_id, const struct store_finding *finding, const char *community_id, bool is_new)
{
    struct live_run      *l = aux;
    struct notify_finding f = {.run_id = run_id, .finding = finding, .community_id = community_id, .is_new = is_new};

    if (l->table != NULL)
        watch_table_put(l->table, finding);
    if (finding->waived_by == NULL)
        notify_finding(l->notifier, time_now(), &f);
}

static void on_message(void *aux, enum watch_level level, const char *text)
{
    static const enum notify_level levels[] = {[WATCH_INFO] = NOTIFY_INFO, [WATCH_WARNING] = NOTIFY_WARNING, [WATCH_ERROR] = NOTIFY_ERROR};
    struct live_run               *l = aux;

    notify_message(l->notifier, time_now(), levels[level], text);
}

/* --- files of the record ------------------------------------------------------------------------------------------ */

static int next_store(void *aux, int64_t at_ns, struct store **io, struct err *reterr)
{
    struct live_run *l = aux;
    struct store    *store = NULL;
    int              rc = record_files_next(l->files, at_ns);

    if (rc != 0)
        return err_set(reterr, rc, "no new file can be named after this time");
    rc = store_open(record_files_path(l->files), &store, reterr);
    if (rc != 0) {
        record_files_back(l->files);
        return rc;
    }
    store_close(*io);
    *io = l->store = store;
    return 0;
}

static void told_removed(void *aux, const char *path, bool too_old)
{
    struct live_run *l = aux;
    char             text[PATH_MAX + 96];

    l->files_removed++;
    snprintf(text, sizeof(text), too_old ? "%s was removed: older than it is to be kept" : "%s was removed: the record is to take no more than its size", path);
    notify_message(l->notifier, time_now(), too_old ? NOTIFY_INFO : NOTIFY_WARNING, text);
}

static void trim_files(struct live_run *l, int64_t packet_ns)
{
    const struct watch_options *o = &l->request->watch;
    int64_t                     now = steady(NULL);
    char                        text[160];

    if (now < l->next_trim || (o->max_bytes == 0 && o->keep_ns == 0) || packet_ns == 0)
        return;
    l->next_trim = now + TRIM_EVERY;
    record_files_trim(l->files, o->max_bytes, o->keep_ns > 0 ? packet_ns - o->keep_ns : INT64_MIN, told_removed, l);
    if (l->request->in_files || o->max_bytes == 0)
        return;
    /* One that a reader holds is not removed. */
    uint64_t others = l->request->watch.other_bytes = record_files_others(l->files);
    if (others > l->others_told + l->others_told / 4 && others > o->max_bytes / 2) {
        snprintf(text, sizeof(text), "files of the record that somebody reads, or read, take %llu of its %llu MiB; they are not removed",
                 (unsigned long long)(others >> 20), (unsigned long long)(o->max_bytes >> 20));
        notify_message(l->notifier, time_now(), NOTIFY_WARNING, text);
        l->others_told = others;
    }
}

static size_t counters(void *aux, struct store_counter *ret, size_t max)
{
    const struct live_run     *l = aux;
    struct notify_counts       n = notify_counts(l->notifier);
    const struct store_counter all[] = {
        {"alerts-told", n.told, NULL}, {"alerts-held-back", n.held_back, NULL}, {"alerts-lost", n.lost, NULL}, {"files-removed", l->files_removed, NULL},
    };
    size_t used = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].value > 0 && used < max)
            ret[used++] = all[i];
    return used;
}

static void print_statistics(struct live_run *l, const struct watch_state *s)
{
    char     text[512];
    uint64_t dropped = 0;

    print_requested = 0;
    for (size_t i = 0; i < s->n_interfaces; i++)
        dropped += s->interfaces[i].dropped + s->interfaces[i].interface_dropped;
    snprintf(text, sizeof(text), "%llu packets, %llu decoded, %llu dropped; %llu flows, %llu of them open, %llu evicted; %llu conversations; "
             "%llu bytes in tables; the record is %.1f s behind, %llu commits, %llu failed",
             (unsigned long long)s->packets, (unsigned long long)s->decoded, (unsigned long long)dropped, (unsigned long long)(s->flows + s->flows_now),
             (unsigned long long)s->flows_now, (unsigned long long)s->flows_evicted, (unsigned long long)s->conversations,
             (unsigned long long)s->memory, s->lag, (unsigned long long)s->n_commits, (unsigned long long)s->n_commits_failed);
    notify_message(l->notifier, time_now(), NOTIFY_NOTICE, text);
}

static void on_tick(void *aux, const struct watch_state *s)
{
    struct live_run        *l = aux;
    struct notify_interface interfaces[WATCH_MAX_INTERFACES];
    struct notify_reason    discards[PACKET_N_RESULTS];
    struct notify_vitals    v = {
           .packet_ns = s->packet_ns, .packets = s->packets, .bytes = s->bytes, .decoded = s->decoded, .discards = discards,
           .interfaces = interfaces, .n_interfaces = s->n_interfaces, .flows = s->flows + s->flows_now, .flows_now = s->flows_now,
           .flows_evicted = s->flows_evicted, .conversations = s->conversations, .memory = s->memory, .waived = s->waived,
           .database_bytes = record_files_size(store_path(l->store), ""), .wal_bytes = record_files_size(store_path(l->store), "-wal"), .recorder_lag = s->lag,
           .reloads = l->reloads, .reload_errors = l->reload_errors, .started_ns = l->started_ns,
    };

    for (size_t k = 0; k < PACKET_N_RESULTS; k++)
        if (k != PACKET_OK && s->results[k] > 0) {
            discards[v.n_discards++] = (struct notify_reason){packet_result_name((enum packet_result)k), s->results[k]};
            v.discarded += s->results[k];
        }
    for (size_t i = 0; i < s->n_interfaces; i++) {
        const struct watch_interface *f = &s->interfaces[i];

        interfaces[i] = (struct notify_interface){f->name, f->up && !f->gone, f->received, f->dropped, f->interface_dropped};
        v.dropped += f->dropped + f->interface_dropped;
        v.unread += f->unread;
    }
    memcpy(v.findings, s->findings, sizeof(v.findings));
    memcpy(v.expectations, s->expectations, sizeof(v.expectations));
    struct notify_wish wish = notify_wants(l->notifier);
    if (l->table != NULL && wish.n > 0)
        v.top = watch_table_top(l->table, &wish, &v.n_top);
    notify_tick(l->notifier, time_now(), &v);
    trim_files(l, s->packet_ns);
    if (print_requested != 0)
        print_statistics(l, s);
}

/* --- rights ------------------------------------------------------------------------------------------------------------ */

struct folders { char *items[2 * WATCH_MAX_TARGETS + 2]; size_t n; };

static void add_folder(struct folders *f, const char *path)
{
    char *folder = strncmp(path, "unix:", 5) == 0 ? path_folder(path + 5) : path_folder(path);

    if (folder != NULL)
        f->items[f->n++] = folder;
}

/* In which a site that is read anew may name another matrix. */
static void add_rules_folders(struct folders *f)
{
    char path[PATH_MAX];

    for (size_t i = 0; f->n < sizeof(f->items) / sizeof(f->items[0]) && rules_folder(i, path, sizeof(path)); i++)
        if (path[0] != '\0' && (f->items[f->n] = strdup(path)) != NULL)
            f->n++;
}

static int lock_up(const struct live_run *l, struct err *reterr)
{
    const struct request *r = l->request;
    struct folders        writes = {.n = 0}, reads = {.n = 0};
    struct confine_result result;

    add_folder(&writes, r->db);
    if (r->evidence != NULL && (writes.items[writes.n] = strdup(r->evidence)) != NULL)
        writes.n++;
    /* The files of --ndjson are open, and connecting to a socket needs no right to its folder. */
    for (size_t i = 0; i < r->outputs.n_metrics; i++)
        if (strchr(r->outputs.metrics[i], '/') != NULL)
            add_folder(&writes, r->outputs.metrics[i]);
    add_folder(&reads, l->site_path);
    add_folder(&reads, l->rules->book.matrix->file);
    add_rules_folders(&reads);
    struct confine_options o = {
        .write_folders = (const char *const *)writes.items, .n_write_folders = writes.n,
        .read_paths = (const char *const *)reads.items, .n_read_paths = reads.n,
        .capturing = true, .unix_sockets = watch_outputs_connect(&r->outputs),
    };
    int rc = confine_lock(&o, &result, reterr);
    if (rc == 0 && result.missing[0] != '\0')
        notify_message(l->notifier, time_now(), NOTIFY_NOTICE, result.missing);
    for (size_t i = 0; i < writes.n; i++)
        free(writes.items[i]);
    for (size_t i = 0; i < reads.n; i++)
        free(reads.items[i]);
    return rc;
}

/* --- the run ------------------------------------------------------------------------------------------------------------------ */

static int status_of(const struct watch_result *result)
{
    if (result->fault[0] != '\0')
        complain("%s", result->fault);
    if (result->faulted || !result->complete || result->n_unread > 0)
        return EXIT_INCOMPLETE;
    if (result->state.packets == 0) {
        complain("not one packet was seen");
        return EXIT_INCOMPLETE;
    }
    if (result->state.decoded == 0)
        complain("not one of %llu packet%s was decoded", (unsigned long long)result->state.packets, result->state.packets == 1 ? "" : "s");
    return result->n_findings > 0 ? EXIT_FINDINGS : EXIT_NOTHING;
}

/* What the last line of a long run is looked at for: did it see all, was anything found, and what to type now. */
static void last_words(const struct live_run *l, const struct watch_result *result, const struct notify_counts *alerts)
{
    const struct watch_state *s = &result->state;
    uint64_t                  dropped = 0;

    for (size_t i = 0; i < s->n_interfaces; i++)
        dropped += s->interfaces[i].dropped + s->interfaces[i].interface_dropped;
    fprintf(stderr, "run ended: %llu packets, %llu dropped; %llu findings", (unsigned long long)s->packets, (unsigned long long)dropped,
            (unsigned long long)result->n_findings);
    if (alerts->held_back > 0)
        fprintf(stderr, " (%llu alerts were held back by the limit)", (unsigned long long)alerts->held_back);
    if (alerts->lost > 0)
        fprintf(stderr, " (%llu alerts or messages did not reach a reader)", (unsigned long long)alerts->lost);
    fprintf(stderr, "; the report: flowaudit report %s\n", record_files_path(l->files));
}

static int watch(struct live_run *l, struct watch_result *result, struct err *reterr)
{
    const struct watch_calls calls = {
        .aux = l, .steady = steady, .idle = idle, .stop = wants_stop, .reload = reload, .released = released, .run_begins = run_begins,
        .finding = on_finding, .message = on_message, .tick = on_tick, .now = wall,
        .next_store = next_store, .counters = counters,
    };
    struct watch_rules rules = rules_of(l->rules);

    notify_state(l->notifier, time_now(), NOTIFY_READY, "watching");
    int rc = watch_run(l->watch, &rules, l->store, &calls, result, reterr);
    notify_end(l->notifier, time_now());
    notify_state(l->notifier, time_now(), NOTIFY_STOPPING, NULL);
    return rc;
}

/* The terminal is given back before the last words. */
static void end_outputs(struct live_run *l)
{
    notify_free(l->notifier);
    l->notifier = NULL;
}

/* Where packets are kept: made where it is not there, and told to the record by its whole name. */
static int open_evidence(struct request *r, struct err *reterr)
{
    if (r->evidence == NULL)
        return 0;
    if (mkdir(r->evidence, 0750) != 0 && errno != EEXIST)
        return err_set(reterr, -errno, "%s: cannot be made: %s", r->evidence, strerror(errno));
    char *real = realpath(r->evidence, NULL);
    if (real == NULL || access(real, W_OK | X_OK) != 0) {
        int code = -errno;

        free(real);
        return err_set(reterr, code, "%s: packets cannot be kept there: %s", r->evidence, strerror(-code));
    }
    free(r->evidence);
    r->watch.evidence_folder = r->evidence = real;
    r->watch.application = "flowaudit " FLOWAUDIT_VERSION;
    return 0;
}

/* A series of files has room for four at least, the one at work and its log among them. */
static int open_record(struct live_run *l, struct err *reterr)
{
    struct watch_options *o = &l->request->watch;

    if (l->request->in_files && o->max_bytes > 0 && (o->file_bytes == 0 || o->file_bytes > o->max_bytes / 4))
        o->file_bytes = o->max_bytes / 4;
    l->files = record_files_new(l->request->db);
    if (l->files == NULL || (l->request->in_files && record_files_next(l->files, wall(NULL)) != 0))
        return err_set(reterr, -ENOMEM, "no memory");
    return store_open(record_files_path(l->files), &l->store, reterr);
}

/* A user that was not asked for is none to insist on where this build cannot become another. */
static int become(const char *name, bool is_asked_for, struct err *reterr)
{
    int rc = confine_become(name, false, reterr);

    return rc == -ENOTSUP && !is_asked_for ? confine_become(NULL, false, reterr) : rc;
}

/* All that is opened with the rights that there are, then without them, then packets. */
static int open_and_watch(struct live_run *l)
{
    struct request          *r = l->request;
    struct err               err = {0};
    struct watch_result      result = {0};
    struct watch_outputs_run about = {.ruleset = l->rules->book.matrix->id, .quiet = r->quiet};
    char                     number[32];
    const char              *name = r->user != NULL ? r->user : watch_user(r->db, number, sizeof(number));
    const struct passwd     *user = name == NULL ? NULL : name == number ? getpwuid((uid_t)strtoul(name, NULL, 10)) : getpwnam(name);

    if (name == NULL && geteuid() == 0)
        return complain("%s: only root may write there, and 'watch' does not look at packets as root: name a user who may with --user, or keep the record "
                        "in a folder of another user (install -d -o USER FOLDER); '--user root' goes on as root, without any capability", r->db);
    if (user != NULL) {
        about.drops_user = true;
        about.uid = user->pw_uid;
        about.gid = user->pw_gid;
    }
    if (watch_open(&r->watch, &l->watch, &err) != 0)
        return complain("%s", err.msg);
    int rc = watch_outputs_open(&r->outputs, &about, &l->notifier);
    if (rc != 0)
        return rc;
    if (become(name, r->user != NULL, &err) != 0 || open_evidence(r, &err) != 0 || open_record(l, &err) != 0 || lock_up(l, &err) != 0) {
        store_abandon(l->store);
        end_outputs(l);
        return complain("%s", err.msg);
    }
    if (geteuid() == 0)
        notify_message(l->notifier, time_now(), NOTIFY_NOTICE, "going on as root, without any capability, as --user says");
    rc = watch(l, &result, &err);
    if (rc != 0)
        store_abandon(l->store);
    else
        store_close(l->store);
    notify_finish(l->notifier, time_now()); /* here: while the record was closed the readers went on */
    struct notify_counts alerts = notify_counts(l->notifier);
    end_outputs(l);
    if (rc == 0 && !r->quiet)
        last_words(l, &result, &alerts);
    if (rc != 0) {
        complain("%s", err.msg);
        return EXIT_INCOMPLETE;
    }
    return status_of(&result);
}

static int run(struct request *r)
{
    struct live_run l = {.request = r, .started_ns = clock_ns(CLOCK_REALTIME)};
    int             rc = EXIT_UNUSABLE;

    catch_signals();
    guard_engine(&r->watch.engine);
    l.site_path = find_site(r->site);
    if (l.site_path != NULL)
        l.rules = load_rules(r, l.site_path);
    if (r->outputs.top)
        l.table = watch_table_new();
    if (l.rules != NULL)
        rc = open_and_watch(&l);
    watch_table_free(l.table);
    notify_free(l.notifier);
    watch_free(l.watch);
    free_ruleset(l.rules);
    free_ruleset(l.old);
    record_files_free(l.files);
    free(l.site_path);
    return rc;
}

int cmd_watch(int argc, char **argv)
{
    struct request r = {.db = "flowaudit.db"};
    int            rc = 0;

    engine_options_default(&r.watch.engine);
    r.watch.engine.window_ns = INT64_C(3600) * 1000000000;
    r.watch.rotate_ns = INT64_C(86400) * 1000000000;
    r.interfaces = calloc((size_t)argc + 1, sizeof(*r.interfaces));
    if (r.interfaces == NULL)
        return complain("no memory");
    for (int c; rc == 0 && (c = getopt_long(argc, argv, "s:o:f:i:j:nqh", long_options, NULL)) != -1;) {
        if (c == 'h') {
            free(r.interfaces);
            free(r.evidence);
            fputs(help, stdout);
            return finish_output(EXIT_NOTHING);
        }
        if (c == '?')
            suggest_option(long_options, argv[optind - 1]);
        rc = take_option(c, optarg, &r);
    }
    r.watch.interfaces = r.interfaces;
    if (rc == 0 && optind < argc)
        rc = complain("'%s' is not an option; an interface is named with -i, a capture file is judged by 'flowaudit check'", argv[optind]);
    if (rc == 0 && r.watch.n_interfaces == 0)
        rc = complain("no interface named (-i)");
    rc = rc != 0 ? misuse("watch") : run(&r);
    free(r.interfaces);
    free(r.evidence);
    return rc;
}
