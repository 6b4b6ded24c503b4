/* SPDX-License-Identifier: Apache-2.0 */
#include "record_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAMP_SIZE sizeof("20260302T090000Z") /* with the end */
#define NS         INT64_C(1000000000)

struct record_files {
    char *base;      /* as asked for */
    char *stem;      /* of it, without what follows the last dot */
    char *current, *before;
};

/* The dot of the last part of a path, or its end. */
static size_t stem_size(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');

    return dot != NULL && dot != name ? (size_t)(dot - path) : strlen(path);
}

struct record_files *record_files_new(const char *path)
{
    struct record_files *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->base = strdup(path);
    f->stem = strndup(path, stem_size(path));
    f->current = strdup(path);
    if (f->base == NULL || f->stem == NULL || f->current == NULL) {
        record_files_free(f);
        return NULL;
    }
    return f;
}

void record_files_free(struct record_files *f)
{
    if (f == NULL)
        return;
    free(f->base);
    free(f->stem);
    free(f->current);
    free(f->before);
    free(f);
}

const char *record_files_path(const struct record_files *f)
{
    return f->current;
}

int record_files_next(struct record_files *f, int64_t at_ns)
{
    char      stamp[STAMP_SIZE];
    time_t    at = (time_t)(at_ns / NS);
    struct tm tm;
    char     *next;

    if (gmtime_r(&at, &tm) == NULL || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -EINVAL;
    if (asprintf(&next, "%s-%s%s", f->stem, stamp, f->base + strlen(f->stem)) < 0)
        return -ENOMEM;
    if (strcmp(next, f->current) == 0) { /* within a second of the one before */
        free(next);
        return -EEXIST;
    }
    free(f->before);
    f->before = f->current;
    f->current = next;
    return 0;
}

void record_files_back(struct record_files *f)
{
    free(f->current);
    f->current = f->before;
    f->before = NULL;
}

/* --- what is not kept ------------------------------------------------------------------------------------- */

/* One of ours, by its name: when it began, or -1. */
static int64_t began(const struct record_files *f, const char *name)
{
    const char *slash = strrchr(f->stem, '/'), *stem = slash != NULL ? slash + 1 : f->stem, *suffix = f->base + strlen(f->stem);
    size_t      n = strlen(stem);
    struct tm   tm = {0};

    if (strncmp(name, stem, n) != 0 || name[n] != '-' || strlen(name) != n + 1 + STAMP_SIZE - 1 + strlen(suffix))
        return -1;
    const char *end = strptime(name + n + 1, "%Y%m%dT%H%M%SZ", &tm);
    if (end != name + n + STAMP_SIZE || strcmp(end, suffix) != 0)
        return -1;
    return (int64_t)timegm(&tm) * NS;
}

uint64_t record_files_size(const char *path, const char *suffix)
{
    char        name[PATH_MAX];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t size_of(const char *path)
{
    return record_files_size(path, "") + record_files_size(path, "-wal") + record_files_size(path, "-shm");
}

static void unlink_file(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm"};

    for (unsigned i = 0; i < 3; i++) {
        char *name;

        if (asprintf(&name, "%s%s", path, parts[i]) < 0)
            continue;
        unlink(name);
        free(name);
    }
}

struct found { struct dirent **names; int n; char *folder; };

static char *path_in(const struct found *d, int i)
{
    char *path;

    return asprintf(&path, "%s/%s", d->folder, d->names[i]->d_name) < 0 ? NULL : path;
}

static uint64_t size_of_all(const struct record_files *f, const struct found *d)
{
    uint64_t sum = size_of(f->base);

    for (int i = 0; i < d->n; i++) {
        char *path = began(f, d->names[i]->d_name) >= 0 ? path_in(d, i) : NULL;

        sum += path != NULL ? size_of(path) : 0;
        free(path);
    }
    return sum;
}

/* When the file after the i-th began: then that was over. */
static int64_t over(const struct record_files *f, const struct found *d, int i)
{
    int64_t at = -1;

    for (int k = i + 1; k < d->n && at < 0; k++)
        at = began(f, d->names[k]->d_name);
    return at;
}

static unsigned trim(struct record_files *f, const struct found *d, uint64_t max_bytes, int64_t before_ns, record_files_fn *told, void *aux)
{
    uint64_t    sum = size_of_all(f, d);
    const char *slash = strrchr(f->current, '/'), *at_work = slash != NULL ? slash + 1 : f->current;
    unsigned    n = 0;

    for (int i = 0; i < d->n && strcmp(d->names[i]->d_name, at_work) < 0; i++) {
        int64_t ended = over(f, d, i);
        bool    too_old = ended >= 0 && ended < before_ns;
        char   *path = began(f, d->names[i]->d_name) >= 0 && (too_old || (max_bytes > 0 && sum > max_bytes)) ? path_in(d, i) : NULL;

        if (path == NULL)
            continue;
        uint64_t freed = size_of(path);
        sum -= freed < sum ? freed : sum;
        unlink_file(path);
        told(aux, path, too_old);
        free(path);
        n++;
    }
    return n;
}

/* Not as the locale has it: as the times follow each other. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of the folder by name; 'ret->n' negative: none. */
static void list(const struct record_files *f, struct found *ret)
{
    const char *slash = strrchr(f->stem, '/');

    *ret = (struct found){.folder = slash == NULL ? strdup(".") : strndup(f->stem, slash == f->stem ? 1 : (size_t)(slash - f->stem)), .n = -1};
    if (ret->folder != NULL && strcmp(f->current, f->base) != 0)
        ret->n = scandir(ret->folder, &ret->names, NULL, by_name);
}

static void unlist(struct found *d)
{
    for (int i = 0; i < d->n; i++)
        free(d->names[i]);
    if (d->n >= 0)
        free(d->names);
    free(d->folder);
}

uint64_t record_files_others(const struct record_files *f)
{
    struct found d;
    uint64_t     sum = 0, own = size_of(f->current);

    list(f, &d);
    if (d.n >= 0)
        sum = size_of_all(f, &d);
    unlist(&d);
    return sum > own ? sum - own : 0;
}

unsigned record_files_trim(struct record_files *f, uint64_t max_bytes, int64_t before_ns, record_files_fn *told, void *aux)
{
    struct found d;

    list(f, &d);
    unsigned n = d.n >= 0 ? trim(f, &d, max_bytes, before_ns, told, aux) : 0;
    unlist(&d);
    return n;
}
