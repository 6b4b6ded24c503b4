/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole audit, with allocations of ours and of SQLite's that fail.  Input: which allocation fails (two bytes, 0: none; the high bit: and all
 * after it), workers and bound (one byte), the capture.
 *
 * Linked with --wrap for malloc and its like, and for the classifier, which takes longer to make than an audit and is used again.
 */
#include "fuzz.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowaudit/classify.h"
#include "flowaudit/engine.h"
#include "flowaudit/reader.h"
#include "support/kept_classifiers.h"

/* --- allocations that fail ---------------------------------------------------------------------------------- */

static _Atomic bool     armed;
static _Atomic uint64_t countdown; /* 1: the next one fails */
static bool             for_ever;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
char *__real_strdup(const char *);
char *__real_strndup(const char *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
char *__wrap_strdup(const char *);
char *__wrap_strndup(const char *, size_t);

static bool fails(void)
{
    if (!armed)
        return false;
    uint64_t left = countdown;
    if (left == 0)
        return for_ever;
    countdown = left - 1;
    return left == 1;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
void *__wrap_aligned_alloc(size_t align, size_t n) { return fails() ? NULL : __real_aligned_alloc(align, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }
char *__wrap_strndup(const char *s, size_t n) { return fails() ? NULL : __real_strndup(s, n); }

static void *sql_malloc(int n) { return __wrap_malloc((size_t)n); }
static void *sql_realloc(void *p, int n) { return __wrap_realloc(p, (size_t)n); }
static int   sql_size(void *p) { return p == NULL ? 0 : (int)malloc_usable_size(p); }
static int   sql_roundup(int n) { return (n + 7) / 8 * 8; }
static int   sql_init(void *aux) { (void)aux; return SQLITE_OK; }
static void  sql_shutdown(void *aux) { (void)aux; }

/* --- the audit ---------------------------------------------------------------------------------------------------- */

static struct matrix *matrix;
static struct site   *site;
static struct policy *policy;
static char           db_path[64];

static void remove_db(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char                     path[96];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", db_path, suffixes[i]);
        unlink(path);
    }
}

static void set_up(void)
{
    static const sqlite3_mem_methods methods = {sql_malloc, free, sql_realloc, sql_size, sql_roundup, sql_init, sql_shutdown, NULL};
    struct diag_list                 diags = {0};
    struct policy_options            o = {.known_protocols = classify_names(), .satisfies = classify_satisfies};

    fuzz_must(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK);
    fuzz_must(matrix_load(TEST_SOURCE_ROOT "/rules/cisco-unity-5x-exchange.yaml", &matrix, &diags) == 0);
    fuzz_must(site_load(TEST_SOURCE_ROOT "/samples/incident.yaml", &site, &diags) == 0);
    fuzz_must(policy_compile(matrix, site, &o, &policy, &diags) == 0);
    diag_list_clear(&diags);
    kept_classifiers_make(policy, 2);
    snprintf(db_path, sizeof(db_path), "/dev/shm/flowaudit-fuzz-%d.db", (int)getpid());
    atexit(remove_db);
}

/* Whatever happened, the record is sound, adds up, and claims no more than was done. */
static void check_record(int rc, const struct engine_result *result, bool made)
{
    struct reader *r;
    struct err     err = {0};
    int64_t        n_wrong, n_complete;

    int opened = reader_open(db_path, &r, &err);
    fuzz_must(opened == 0 || !made || rc != 0);
    if (opened != 0)
        return;
    fuzz_must(reader_number(r,
                            "SELECT count(*) FROM inputs i WHERE packets <> packets_decoded + packets_discarded OR packets_discarded <> "
                            "coalesce((SELECT sum(packets) FROM discards d WHERE d.run_id = i.run_id AND d.input_id = i.input_id), 0)",
                            NULL, 0, &n_wrong, NULL) == 0);
    fuzz_must(reader_number(r, "SELECT coalesce(sum(complete), 0) FROM runs", NULL, 0, &n_complete, NULL) == 0);
    fuzz_must(n_complete == (rc == 0 && result->complete));
    fuzz_must(rc != 0 || n_wrong == 0);
    reader_free(r);
}

static int audit(const struct engine_options *o, struct engine_result *result, bool *ret_made)
{
    struct store_run run = {.started_ns = 1, .ended_ns = 2, .command = "check", .version = "0", .site_name = site->name, .options_json = "{}"};
    struct store    *store = NULL;
    struct err       err = {0};
    int              rc = store_open(db_path, &store, &err);

    *ret_made = rc == 0;
    if (rc == 0)
        rc = engine_check(o, policy, site, store, &run, result, &err);
    fuzz_must(rc == 0 || (rc < 0 && err.msg[0] != '\0'));
    if (rc == 0)
        store_close(store);
    else
        store_abandon(store);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz           in = {data, size};
    struct engine_options o;
    struct engine_result  result = {0};
    char                  path[64];
    const char           *inputs[] = {path};
    bool                  made;

    if (policy == NULL)
        set_up();
    remove_db();
    uint16_t at = fuzz_u16(&in);
    uint8_t  flags = fuzz_u8(&in);
    engine_options_default(&o);
    o.inputs = inputs;
    o.n_inputs = 1;
    o.n_workers = 1 + (flags & 1);
    o.flow.memory_limit = flags & 2 ? 1 : o.flow.memory_limit;
    o.flows_all = flags & 4;
    int fd = fuzz_file(in.data, in.size, path);
    countdown = at & 0x7fff;
    for_ever = at & 0x8000;
    armed = countdown > 0;
    int rc = audit(&o, &result, &made);
    armed = false;
    close(fd);
    check_record(rc, &result, made);
    return 0;
}
