/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts captures short at every byte of their ends, and holds the record to what is left.
 *
 * usage: cut SOURCE_ROOT [STEP]
 *
 * A pcap, a pcapng and a compressed pcap are cut at every STEP-th byte (default 1) of their first and last 4 KiB.  The record must have the
 * packets that are whole in what is left, be that of a file with these packets alone, and be complete only where the cut is between two
 * records, where nobody can know.  In one process, through the library: tests/replay/cut.py does some of these with the program.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "flowaudit/classify.h"
#include "flowaudit/engine.h"
#include "support/kept_classifiers.h"

#define SPAN 4096

struct bytes {
    uint8_t *data;
    size_t   size;
};

struct ends { /* where the file header and each record end, and the packets so far */
    size_t *at, *packets, n;
};

struct judged_cut {
    int      rc;
    bool     complete;
    bool     said; /* an error has a sentence */
    int64_t  packets, discrepancies;
    uint64_t digest; /* of all that was judged */
};

struct bed {
    struct matrix *matrix;
    struct site   *site;
    struct policy *policy;
    char           record[64];
};

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

/* --- files ------------------------------------------------------------------------------------------------ */

static struct bytes read_file(const char *path)
{
    struct bytes ret;
    FILE        *f = fopen(path, "rb");

    must(f != NULL && fseek(f, 0, SEEK_END) == 0, path);
    ret.size = (size_t)ftell(f);
    rewind(f);
    ret.data = malloc(ret.size);
    must(ret.data != NULL && fread(ret.data, 1, ret.size, f) == ret.size, path);
    fclose(f);
    return ret;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_end(struct ends *e, size_t at, size_t packets)
{
    e->at = realloc(e->at, (e->n + 1) * sizeof(*e->at));
    e->packets = realloc(e->packets, (e->n + 1) * sizeof(*e->packets));
    must(e->at != NULL && e->packets != NULL, "no memory");
    e->at[e->n] = at;
    e->packets[e->n++] = packets;
}

static struct ends find_ends(const struct bytes *b)
{
    struct ends ret = {0};
    size_t      at = 0, packets = 0;

    if (le32(b->data) == 0x0a0d0d0a) {
        for (; at + 12 <= b->size; add_end(&ret, at, packets)) {
            packets += le32(b->data + at) == 6;
            at += le32(b->data + at + 4);
        }
    } else {
        for (at = 24, add_end(&ret, at, 0); at + 16 <= b->size; add_end(&ret, at, packets)) {
            packets++;
            at += 16 + le32(b->data + at + 8);
        }
    }
    return ret;
}

/* The last end at or before a place, or SIZE_MAX. */
static size_t end_before(const struct ends *e, size_t at)
{
    size_t low = 0, high = e->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (e->at[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : SIZE_MAX;
}

static struct bytes compress_gz(const struct bytes *b)
{
    z_stream     z = {0};
    struct bytes ret = {malloc(b->size + 1024), b->size + 1024};

    must(ret.data != NULL && deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    z.next_in = b->data;
    z.avail_in = (unsigned)b->size;
    z.next_out = ret.data;
    z.avail_out = (unsigned)ret.size;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib");
    ret.size = z.total_out;
    deflateEnd(&z);
    return ret;
}

/* How many bytes of the original the first 'size' bytes of a compressed file hold. */
static size_t inflated_size(const struct bytes *gz, size_t size)
{
    z_stream z = {0};
    uint8_t  buf[65536];
    int      rc;

    must(inflateInit2(&z, 15 + 16) == Z_OK, "zlib");
    z.next_in = gz->data;
    z.avail_in = (unsigned)size;
    do {
        z.next_out = buf;
        z.avail_out = sizeof(buf);
        rc = inflate(&z, Z_NO_FLUSH);
    } while (rc == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
    size_t ret = z.total_out;
    inflateEnd(&z);
    return ret;
}

/* --- one audit ---------------------------------------------------------------------------------------------- */

static void remove_record(const struct bed *bed)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char                     path[96];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", bed->record, suffixes[i]);
        unlink(path);
    }
}

static void mix(uint64_t *digest, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *digest = (*digest ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
}

/* All rows of a query as text, into the digest. */
static void mix_rows(sqlite3 *db, const char *sql, uint64_t *digest)
{
    sqlite3_stmt *stmt;
    int           rc;

    must(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, sqlite3_errmsg(db));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const unsigned char *text = sqlite3_column_text(stmt, i);
            mix(digest, text != NULL ? (const char *)text : "-", text != NULL ? (size_t)sqlite3_column_bytes(stmt, i) + 1 : 2);
        }
        mix(digest, "\n", 1);
    }
    must(rc == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    must(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW, sqlite3_errmsg(db));
    int64_t ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return ret;
}

static void look_at_record(const struct bed *bed, struct judged_cut *o)
{
    static const char *const judged[] = {"SELECT * FROM conversations", "SELECT * FROM flows", "SELECT * FROM hosts", "SELECT * FROM discards",
                                         "SELECT kind, severity, count(*) FROM findings WHERE kind NOT IN ('missing', 'not-observable') GROUP BY 1, 2 ORDER BY 1, 2"};
    sqlite3                 *db;

    must(sqlite3_open_v2(bed->record, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, "the record cannot be opened");
    o->digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++)
        mix_rows(db, judged[i], &o->digest);
    o->packets = number(db, "SELECT coalesce(sum(packets), 0) FROM inputs");
    o->discrepancies = number(db, "SELECT count(*) FROM inputs i WHERE packets <> packets_decoded + packets_discarded OR packets_discarded <> "
                                  "coalesce((SELECT sum(packets) FROM discards d WHERE d.run_id = i.run_id AND d.input_id = i.input_id), 0)");
    sqlite3_close(db);
}

static struct judged_cut audit(const struct bed *bed, const char *input)
{
    struct store_run      run = {.started_ns = 1, .ended_ns = 2, .command = "check", .version = "0", .site_name = bed->site->name, .options_json = "{}"};
    struct engine_options o;
    struct engine_result  result = {0};
    struct judged_cut        ret = {0};
    struct store         *store;
    struct err            err = {0};

    engine_options_default(&o);
    o.inputs = &input;
    o.n_inputs = 1;
    o.n_workers = 1;
    o.flows_all = true;
    remove_record(bed);
    must(store_open(bed->record, &store, &err) == 0, err.msg);
    ret.rc = engine_check(&o, bed->policy, bed->site, store, &run, &result, &err);
    ret.complete = result.complete;
    ret.said = err.msg[0] != '\0' || result.fault[0] != '\0';
    if (ret.rc != 0) {
        store_abandon(store);
        return ret;
    }
    store_close(store);
    look_at_record(bed, &ret);
    return ret;
}

/* The same path for all: sentences name the file. */
static struct judged_cut audit_bytes(const struct bed *bed, const uint8_t *data, size_t size)
{
    char path[64];
    int  fd = memfd_create("cut", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file in memory cannot be written");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct judged_cut ret = audit(bed, path);
    close(fd);
    return ret;
}

/* --- the sweep ------------------------------------------------------------------------------------------------ */

struct sweep {
    struct bed   bed;
    const char  *name;
    struct bytes plain, file; /* the same where the file is not compressed */
    struct ends  ends;
    struct judged_cut whole; /* of the file that ends at ends.at[whole_of] */
    size_t       whole_of;
    unsigned     n, n_wrong;
};

static void wrong(struct sweep *s, size_t at, const char *what)
{
    printf("%s cut at %zu: %s\n", s->name, at, what);
    s->n_wrong++;
}

static void cut_at(struct sweep *s, size_t at)
{
    bool           packed = s->plain.data != s->file.data;
    size_t         left = packed ? inflated_size(&s->file, at) : at;
    size_t         end = end_before(&s->ends, left);
    struct judged_cut o = audit_bytes(&s->bed, s->file.data, at);

    s->n++;
    if (end == SIZE_MAX || s->ends.packets[end] == 0) {
        if (o.rc == 0 && o.complete)
            wrong(s, at, "complete without a packet");
        else if (o.rc != 0 && !o.said)
            wrong(s, at, "an error without a sentence");
        return;
    }
    if (end != s->whole_of) {
        s->whole = audit_bytes(&s->bed, s->plain.data, s->ends.at[end]);
        s->whole_of = end;
    }
    if (o.rc != 0)
        wrong(s, at, "an error instead of a partial record");
    else if (o.packets != (int64_t)s->ends.packets[end] || o.discrepancies != 0)
        wrong(s, at, "other packets than are whole");
    else if (o.complete != (!packed && s->ends.at[end] == left))
        wrong(s, at, o.complete ? "complete, and is not" : "not complete, and nothing is missing");
    else if (o.digest != s->whole.digest)
        wrong(s, at, "judged otherwise than the packets alone");
}

static void load(struct bed *bed, const char *source, const char *matrix, const char *site)
{
    struct diag_list      diags = {0};
    struct policy_options o = {.known_protocols = classify_names(), .satisfies = classify_satisfies};
    char                  path[1024];

    snprintf(path, sizeof(path), "%s/rules/%s", source, matrix);
    must(matrix_load(path, &bed->matrix, &diags) == 0, path);
    snprintf(path, sizeof(path), "%s/samples/%s", source, site);
    must(site_load(path, &bed->site, &diags) == 0, path);
    must(policy_compile(bed->matrix, bed->site, &o, &bed->policy, &diags) == 0, path);
    diag_list_clear(&diags);
    kept_classifiers_make(bed->policy, 1);
}

static void run(struct sweep *s, size_t step)
{
    size_t size = s->file.size, first = size < SPAN ? size : SPAN, last = size > 2 * (size_t)SPAN ? size - SPAN : first;

    for (size_t at = 1; at < first; at += step)
        cut_at(s, at);
    for (size_t at = last; at < size; at += step)
        cut_at(s, at);
    printf("%s: %u cuts, %u faults\n", s->name, s->n, s->n_wrong);
}

static void forget(struct sweep *s)
{
    remove_record(&s->bed);
    policy_free(s->bed.policy);
    site_free(s->bed.site);
    matrix_free(s->bed.matrix);
    if (s->file.data != s->plain.data)
        free(s->file.data);
    free(s->plain.data);
    free(s->ends.at);
    free(s->ends.packets);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *matrix, *site, *capture;
        bool        packed;
    } cases[] = {
        {"pcap", "web-shop.yaml", "web-shop.yaml", "web-shop.pcap", false},
        {"pcapng", "cisco-unity-5x-exchange.yaml", "healthy.yaml", "healthy.pcapng", false},
        {"pcap.gz", "web-shop.yaml", "web-shop.yaml", "web-shop.pcap", true},
    };
    size_t   step = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    unsigned n_wrong = 0;

    must(argc > 1 && step > 0, "usage: cut SOURCE_ROOT [STEP]");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sweep s = {.name = cases[i].name, .whole_of = SIZE_MAX};
        char         path[1024];

        snprintf(s.bed.record, sizeof(s.bed.record), "/dev/shm/flowaudit-cut-%d.db", (int)getpid());
        load(&s.bed, argv[1], cases[i].matrix, cases[i].site);
        snprintf(path, sizeof(path), "%s/samples/%s", argv[1], cases[i].capture);
        s.plain = read_file(path);
        s.ends = find_ends(&s.plain);
        s.file = cases[i].packed ? compress_gz(&s.plain) : s.plain;
        run(&s, step);
        n_wrong += s.n_wrong;
        forget(&s);
    }
    return n_wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
