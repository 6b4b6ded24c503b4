/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decompress.h"

#define STORED_SIZE (128 * 1024) /* one read of compressed data, and of the beginning of any */

struct source {
    int fd;
    bool owns_fd;
    bool at_end; /* of what is stored */
    uint64_t n_bytes, n_bytes_total;
    struct digest *digest;             /* NULL without */
    int64_t (*clock)(void);            /* NULL: nobody wants to know how long the digest takes */
    int64_t digest_ns;
    void (*stored_fn)(void *aux, const void *bytes, size_t n); /* NULL: nobody else wants the bytes */
    void *stored_aux;
    struct decompressor *decompressor; /* NULL: stored plain */
    struct decompress_input in;        /* over 'stored'; where plain, the first bytes not yet given out */
    char damage[160];
    uint8_t stored[STORED_SIZE];
};

static void add_to_digest(struct source *s, const void *bytes, size_t n)
{
    int64_t begun = s->clock != NULL ? s->clock() : 0;

    digest_update(s->digest, bytes, n);
    if (s->clock != NULL)
        s->digest_ns += s->clock() - begun;
}

/* Every stored byte comes through here. */
static ssize_t read_stored(struct source *s, void *buf, size_t size, struct err *reterr)
{
    if (s->n_bytes_total > 0 && size > s->n_bytes_total - s->n_bytes)
        size = (size_t)(s->n_bytes_total - s->n_bytes);
    if (s->at_end || size == 0) {
        s->at_end = true;
        return 0;
    }
    ssize_t n = read(s->fd, buf, size);
    if (n < 0) {
        int code = -errno;

        return err_set(reterr, code, "cannot be read after byte %llu: %s", (unsigned long long)s->n_bytes,
                       strerror(-code));
    }
    if (n == 0) {
        s->at_end = true;
        if (s->n_bytes < s->n_bytes_total)
            snprintf(s->damage, sizeof(s->damage), "the file had %llu bytes when it was opened and ended after %llu",
                     (unsigned long long)s->n_bytes_total, (unsigned long long)s->n_bytes);
        return 0;
    }
    s->n_bytes += (uint64_t)n;
    if (s->digest != NULL)
        add_to_digest(s, buf, (size_t)n);
    if (s->stored_fn != NULL)
        s->stored_fn(s->stored_aux, buf, (size_t)n);
    return n;
}

static int open_descriptor(struct source *s, const char *path, const int *fd, struct err *reterr)
{
    struct stat st;

    if (fd != NULL) {
        s->fd = lseek(*fd, 0, SEEK_SET) == 0 ? *fd : -1;
    } else if (strcmp(path, "-") == 0) {
        s->fd = STDIN_FILENO;
    } else {
        s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        s->owns_fd = s->fd >= 0;
    }
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        int code = -errno;

        return err_set(reterr, code, "cannot be opened: %s", strerror(-code));
    }
    if (S_ISDIR(st.st_mode))
        return err_set(reterr, -EISDIR, "is a directory, not a capture file");
    if (S_ISREG(st.st_mode)) {
        /* Standard input may stand somewhere inside its file. */
        off_t at = lseek(s->fd, 0, SEEK_CUR);

        s->n_bytes_total = at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
        posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return 0;
}

/* Enough of the beginning to tell the compression; a pipe may give it byte by byte. */
static int read_beginning(struct source *s, struct err *reterr)
{
    s->in.data = s->stored;
    while (s->in.size < DECOMPRESS_MAGIC_SIZE) {
        ssize_t n = read_stored(s, s->stored + s->in.size, sizeof(s->stored) - s->in.size, reterr);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        s->in.size += (size_t)n;
    }
    return decompressor_new(s->stored, s->in.size, &s->decompressor, reterr);
}

int source_open(const char *path, const struct capture_options *o, struct source **ret, struct err *reterr)
{
    struct source *s = malloc(sizeof(*s));
    int rc;

    if (s == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    memset(s, 0, offsetof(struct source, stored));
    s->fd = -1;
    s->clock = o->clock;
    s->stored_fn = o->stored;
    s->stored_aux = o->stored_aux;
    rc = open_descriptor(s, path, o->has_fd ? &o->fd : NULL, reterr);
    if (rc == 0 && !o->no_digest)
        rc = digest_new(&s->digest, reterr);
    if (rc == 0)
        rc = read_beginning(s, reterr);
    if (rc != 0) {
        source_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static ssize_t read_plain(struct source *s, void *buf, size_t size, struct err *reterr)
{
    size_t left = s->in.size - s->in.used;

    if (left == 0)
        return read_stored(s, buf, size, reterr);
    if (size > left)
        size = left;
    memcpy(buf, s->in.data + s->in.used, size);
    s->in.used += size;
    return (ssize_t)size;
}

static ssize_t read_compressed(struct source *s, void *buf, size_t size, struct err *reterr)
{
    const char *name = decompressor_name(s->decompressor), *why = NULL;

    for (;;) {
        size_t n = 0;
        int rc = decompressor_run(s->decompressor, &s->in, buf, size, &n, &why);

        if (rc == -ENOMEM)
            return err_set(reterr, rc, "no memory to decompress %s data", name);
        if (rc != 0)
            snprintf(s->damage, sizeof(s->damage), "the %s data is corrupt near stored byte %llu: %.60s", name,
                     (unsigned long long)(s->n_bytes - (s->in.size - s->in.used)), why);
        if (n > 0 || rc != 0)
            return (ssize_t)n;

        ssize_t got = read_stored(s, s->stored, sizeof(s->stored), reterr);
        if (got < 0)
            return got;
        if (got == 0) {
            if (!decompressor_may_end(s->decompressor) && s->damage[0] == '\0')
                snprintf(s->damage, sizeof(s->damage), "the %s data is cut short after %llu stored bytes", name,
                         (unsigned long long)s->n_bytes);
            return 0;
        }
        s->in = (struct decompress_input){s->stored, (size_t)got, 0};
    }
}

ssize_t source_read(struct source *s, void *buf, size_t size, struct err *reterr)
{
    if (s->decompressor == NULL)
        return read_plain(s, buf, size, reterr);
    if (s->damage[0] != '\0')
        return 0;
    return read_compressed(s, buf, size, reterr);
}

int source_drain(struct source *s, struct err *reterr)
{
    ssize_t n;

    while ((n = read_stored(s, s->stored, sizeof(s->stored), reterr)) > 0)
        continue;
    return (int)n;
}

const char *source_damage(const struct source *s)
{
    return s->damage[0] != '\0' ? s->damage : NULL;
}

const char *source_compression(const struct source *s)
{
    return s->decompressor != NULL ? decompressor_name(s->decompressor) : NULL;
}

bool source_wants_all(const struct source *s)
{
    return s->digest != NULL || s->stored_fn != NULL;
}

uint64_t source_n_bytes(const struct source *s)
{
    return s->n_bytes;
}

uint64_t source_n_bytes_total(const struct source *s)
{
    return s->n_bytes_total;
}

void source_digest(struct source *s, char ret[static DIGEST_TEXT_SIZE])
{
    ret[0] = '\0';
    if (s->digest != NULL)
        digest_text(s->digest, ret);
}

int64_t source_digest_ns(const struct source *s)
{
    return s->digest_ns;
}

void source_free(struct source *s)
{
    if (s == NULL)
        return;
    if (s->owns_fd)
        close(s->fd);
    decompressor_free(s->decompressor);
    digest_free(s->digest);
    free(s);
}
