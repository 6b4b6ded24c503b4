/* SPDX-License-Identifier: Apache-2.0 */
#include "notify_bed.h"

#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct store_finding bed_finding(void)
{
    return (struct store_finding){
        .finding_id = 7, .conversation_id = 3, .kind = "wrong-protocol", .severity = "high", .row_id = "unity-dcom",
        .section = "Administration", .client = "10.20.6.10", .client_name = "admin1", .server = "10.20.1.10", .server_name = "unity1",
        .transport = "TCP", .server_port = 5010, .has_port = true, .protocol = "HTTP", .outcome = "established", .disposition = "escaped",
        .first_ns = BED_WALL_NS - SECOND, .last_ns = BED_WALL_NS, .flows = 1, .packets = 12, .bytes = 3456,
        .reason = "admin1 (10.20.6.10) connected to unity1 (10.20.1.10) on TCP 5010, carrying HTTP."};
}

struct notify_time bed_time(int64_t seconds)
{
    return (struct notify_time){.wall_ns = BED_WALL_NS + seconds * SECOND, .steady_ns = (1000 + seconds) * SECOND};
}

struct notifier *bed_notifier(const struct notify_options *o)
{
    struct notify_options each, usual = {.version = "1.2", .host = "sensor", .ruleset = "example", .pid = 42};
    struct notifier      *n;
    struct err            e = {0};

    each = o != NULL ? *o : usual;
    each.each = true; /* these tests tell the same of many hosts */
    ck_assert_msg(notify_new(&each, &n, &e) == 0, "%s", e.msg);
    return n;
}

void bed_tell(struct notifier *n, int64_t seconds, const struct store_finding *f)
{
    struct notify_finding nf = {.run_id = 2, .finding = f, .community_id = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", .is_new = true};

    notify_finding(n, bed_time(seconds), &nf);
}

struct notify_vitals bed_vitals(void)
{
    static const struct notify_reason    reasons[] = {{"truncated", 3}, {"odd \"reason\"\\\n", 4}};
    static const struct notify_interface interfaces[] = {{"eth1", true, 1000, 20, 1}, {"eth2", false, 5, 0, 0}};
    struct notify_vitals                 v = {
                        .packet_ns = BED_WALL_NS, .packets = 980, .bytes = 123456, .decoded = 973, .discarded = 7, .dropped = 21, .discards = reasons,
                        .n_discards = 2, .interfaces = interfaces, .n_interfaces = 2, .flows = 100, .flows_now = 10, .flows_evicted = 1, .conversations = 20,
                        .memory = 1 << 20, .waived = 2, .database_bytes = 65536, .wal_bytes = 4096, .recorder_lag = 0.25, .reloads = 1,
                        .started_ns = BED_WALL_NS - 60 * SECOND};

    v.findings[FINDING_WRONG_PROTOCOL][SEVERITY_HIGH] = 5;
    v.findings[FINDING_SITE][SEVERITY_NOTICE] = 1;
    v.expectations[EXPECT_SEEN] = 8;
    return v;
}

/* --- files and sockets --------------------------------------------------------------------------------------------- */

void bed_folder_make(struct bed_folder *f)
{
    strcpy(f->path, "/tmp/flowaudit-notify-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->path));
}

char *bed_path(const struct bed_folder *f, const char *name)
{
    char *path;

    ck_assert_int_gt(asprintf(&path, "%s/%s", f->path, name), 0);
    return path;
}

void bed_folder_remove(struct bed_folder *f)
{
    DIR *dir = opendir(f->path);

    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char *path = bed_path(f, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(f->path);
}

char *bed_read(const char *path)
{
    FILE  *in = fopen(path, "r");
    char  *text = NULL;
    size_t size = 0;

    if (in == NULL)
        return NULL;
    if (getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(in);
    return text;
}

void bed_write(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    ck_assert_int_eq(fclose(out), 0);
}

unsigned bed_files(const struct bed_folder *f)
{
    DIR     *dir = opendir(f->path);
    unsigned n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

int bed_socket(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    unlink(path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (type != SOCK_DGRAM)
        ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

const char *bed_receive(int fd, char *buf, size_t size)
{
    ssize_t n = recv(fd, buf, size - 1, MSG_DONTWAIT);

    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

unsigned bed_count(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        n++;
    return n;
}
