/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling: findings whose texts come from traffic, through the ledger and out as JSON, syslog in both forms, the journal's protocol and lines.
 * Input: options (four bytes), then operations {what (one byte), ...}.  Each line of JSON is JSON, each datagram of syslog and each line is
 * free of control characters, and what was told is what arrived.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "flowaudit/notify.h"

#define SECOND  INT64_C(1000000000)
#define MAX_OPS 200

static sqlite3_stmt *is_json;

struct readers {
    char     path[64]; /* of the socket that syslog writes to */
    int      socket, json, lines;
    bool     journal; /* what comes is the journal's form */
    uint64_t n;       /* that arrived */
};

static struct readers readers_new(char json_path[static 64])
{
    struct readers     r = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(r.path, sizeof(r.path), "/dev/shm/flowaudit-fuzz-%d.log", (int)getpid());
    unlink(r.path);
    strcpy(address.sun_path, r.path);
    r.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_must(r.socket >= 0 && bind(r.socket, (struct sockaddr *)&address, sizeof(address)) == 0);
    r.json = fuzz_file("", 0, json_path);
    r.lines = memfd_create("lines", MFD_CLOEXEC);
    fuzz_must(r.lines >= 0);
    return r;
}

static void take_datagrams(struct readers *r)
{
    static char buf[1 << 18];
    ssize_t     n;

    while ((n = recv(r->socket, buf, sizeof(buf), 0)) > 0) {
        fuzz_must(r->journal || buf[0] == '<');
        for (ssize_t i = 0; !r->journal && i < n; i++)
            fuzz_must((unsigned char)buf[i] >= 0x20 && buf[i] != 0x7f);
        r->n++;
    }
}

static void check_json(const char *line, size_t n)
{
    sqlite3_bind_text(is_json, 1, line, (int)n, SQLITE_STATIC);
    fuzz_must(sqlite3_step(is_json) == SQLITE_ROW && sqlite3_column_int(is_json, 0) == 1);
    sqlite3_reset(is_json);
}

static void check_lines(struct readers *r, int fd, bool json)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)size + 1), *line = text;

    fuzz_must(text != NULL && pread(fd, text, (size_t)size, 0) == size);
    for (off_t i = 0; i < size; i++) {
        fuzz_must(((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) || text[i] == '\n');
        if (text[i] != '\n')
            continue;
        if (json)
            check_json(line, (size_t)(text + i - line));
        line = text + i + 1;
        r->n++;
    }
    fuzz_must(size == 0 || text[size - 1] == '\n');
    free(text);
}

/* Texts of one finding; NULL, an address, or whatever the input says. */
struct texts {
    char  *owned[8];
    size_t n;
};

static const char *text(struct fuzz *in, struct texts *t, const char *usual)
{
    uint8_t kind = fuzz_u8(in);
    size_t  n;

    if (kind < 128)
        return kind < 16 ? NULL : usual;
    uint8_t *bytes = fuzz_copy(in, kind < 250 ? kind & 31 : 3000, &n);
    t->owned[t->n] = malloc(n + 1);
    fuzz_must(t->owned[t->n] != NULL);
    memcpy(t->owned[t->n], bytes, n);
    t->owned[t->n][n] = '\0';
    free(bytes);
    return t->owned[t->n++];
}

static void tell(struct notifier *n, struct notify_time now, struct fuzz *in)
{
    static const char *const severities[] = {"critical", "high", "medium", "low", "notice"};
    static const char *const hosts[] = {"10.0.0.1", "10.0.0.2", "fd00::1", "10.9.0.0"};
    struct texts             t = {0};
    uint8_t                  ends = fuzz_u8(in), what = fuzz_u8(in);
    struct store_finding     f = {
            .finding_id = 1 + (ends & 15), .conversation_id = what & 3, .kind = finding_kind_name(1 + what % (FINDING_N_KINDS - 1)),
            .severity = severities[(what >> 3) % 5], .client = hosts[ends & 3], .server = hosts[ends >> 2 & 3], .transport = ends & 16 ? "UDP" : "TCP",
            .server_port = ends, .has_port = what & 64, .first_ns = now.wall_ns - SECOND, .last_ns = now.wall_ns, .flows = 1 + (what >> 4), .packets = what, .bytes = ends,
            .reason = "Somebody spoke."};
    struct notify_finding told = {.run_id = 1, .finding = &f, .is_new = ends & 128, .community_id = ends & 64 ? "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" : NULL};

    f.client_name = text(in, &t, "admin1");
    f.server_name = text(in, &t, "web1");
    f.protocol = text(in, &t, "HTTP");
    f.row_id = text(in, &t, "web-http");
    f.section = text(in, &t, "One");
    const char *reason = text(in, &t, f.reason);
    f.reason = reason != NULL ? reason : f.reason;
    f.outcome = what & 128 ? "established" : NULL;
    f.disposition = what & 128 ? "escaped" : NULL;
    notify_finding(n, now, &told);
    while (t.n > 0)
        free(t.owned[--t.n]);
}

static void do_op(struct notifier *n, struct notify_time *now, struct fuzz *in)
{
    static const int64_t steps[] = {0, 1, SECOND, 61 * SECOND, 601 * SECOND, 3601 * SECOND, 90000 * SECOND, 1000000};
    uint8_t              what = fuzz_u8(in);
    struct notify_vitals vitals = {.packet_ns = now->wall_ns, .packets = what, .decoded = what, .started_ns = SECOND};
    struct texts         t = {0};

    now->steady_ns += steps[what >> 2 & 7];
    now->wall_ns += what & 128 ? -steps[what >> 2 & 7] : steps[what >> 2 & 7];
    if ((what & 3) < 2) {
        tell(n, *now, in);
    } else if ((what & 3) == 2) {
        notify_tick(n, *now, what & 32 ? &vitals : NULL);
    } else {
        const char *sentence = text(in, &t, "An interface is down.");
        notify_message(n, *now, (enum notify_level)(3 + (what >> 5 & 3)), sentence != NULL ? sentence : "");
        while (t.n > 0)
            free(t.owned[--t.n]);
    }
}

static struct notifier *make(struct fuzz *in, struct readers *r, const char *json_path)
{
    uint8_t               a = fuzz_u8(in), b = fuzz_u8(in), c = fuzz_u8(in), d = fuzz_u8(in);
    struct notify_options o = {.version = "1", .host = a & 1 ? "sensor" : NULL, .ruleset = a & 2 ? "demo" : NULL, .pid = 42, .rate = b & 7, .burst = b >> 3 & 15,
                               .least = SEVERITY_NOTICE, .least_given = true, .each = a & 4, .max_findings = c & 15, .repeat_ns = {SECOND, 100 * SECOND}, .n_repeat = d % 3,
                               .forget_ns = d & 64 ? 3000 * SECOND : 0};
    struct notify_stderr  lines = {.fd = r->lines, .priority = a & 8, .brief = a & 16, .width = 80};
    struct notifier      *n;

    r->journal = a & 32;
    fuzz_must(notify_new(&o, &n, NULL) == 0 && notify_add_ndjson(n, json_path, NULL) == 0 && notify_add_stderr(n, &lines, NULL) == 0);
    fuzz_must((r->journal ? notify_add_journal(n, r->path, NULL) : notify_add_syslog(n, r->path, a & 64 ? NOTIFY_HEADER_RFC5424 : NOTIFY_HEADER_LOCAL, NULL)) == 0);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3    *db;
    struct fuzz        in = {data, size};
    struct notify_time now = {1772442000 * SECOND, 1000 * SECOND};
    char               json_path[64];
    struct readers     r = readers_new(json_path);

    if (db == NULL)
        fuzz_must(sqlite3_open(":memory:", &db) == SQLITE_OK && sqlite3_prepare_v2(db, "SELECT json_valid(?1)", -1, &is_json, NULL) == SQLITE_OK);
    struct notifier *n = make(&in, &r, json_path);
    for (int i = 0; in.size > 0 && i < MAX_OPS; i++) {
        do_op(n, &now, &in);
        take_datagrams(&r);
    }
    notify_end(n, now);
    if (now.wall_ns & 1) /* the reader goes on meanwhile, or not */
        take_datagrams(&r);
    notify_finish(n, now);
    struct notify_counts counts = notify_counts(n);
    notify_free(n);
    take_datagrams(&r);
    check_lines(&r, r.json, true);
    check_lines(&r, r.lines, false);
    fuzz_must(counts.lost > 0 || counts.told == r.n);
    close(r.json);
    close(r.lines);
    close(r.socket);
    unlink(r.path);
    return 0;
}
