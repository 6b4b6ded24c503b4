/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to a parse that can begin, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowaudit/err.h"
#include "flowaudit/hash.h"
#include "private.h"

static void report_file(struct diag_list *diags, const char *file, const char *sentence)
{
    struct diag_place place = {.file = file};

    diag_add(diags, DIAG_ERROR, &place, "%s", sentence);
}

/* --- begin and end ------------------------------------------------------------------------------ */

static int digest(const char *text, size_t size, char ret[65], struct diag_list *diags, const char *name)
{
    struct digest *d;
    struct err err;
    int rc = digest_new(&d, &err);

    if (rc != 0) {
        report_file(diags, name, err.msg);
        return rc;
    }
    digest_update(d, text, size);
    digest_text(d, ret);
    digest_free(d);
    return 0;
}

static int take_text(struct parse *p, const char *text, size_t size, const char *name, struct rules_text *ret)
{
    p->arena = arena_new();
    p->scratch = arena_new();
    if (p->arena == NULL || p->scratch == NULL)
        return -ENOMEM;
    ret->file = arena_text(p->arena, name, strlen(name));
    ret->text = arena_text(p->arena, text, size);
    if (ret->file == NULL || ret->text == NULL)
        return -ENOMEM;
    p->file = ret->file;
    p->text = ret->text;
    p->size = size;
    return digest(text, size, ret->sha256, p->diags, name);
}

static void drop(struct parse *p)
{
    free(p->nodes);
    arena_free(p->scratch);
    arena_free(p->arena);
}

static int read_nodes(struct parse *p)
{
    const struct rules_place start = {.line = 1, .column = 1, .width = 1};

    if (!text_check(p))
        return -EINVAL;
    int rc = tree_read(p);
    if (rc == -EINVAL && p->n_errors == 0)
        parse_error_at(p, &start, "the file is empty; it should hold 'key: value' lines");
    return rc;
}

int parse_begin(struct parse *p, const char *text, size_t size, const char *name, struct diag_list *diags,
                struct rules_text *ret)
{
    *p = (struct parse){.diags = diags};
    if (size > RULES_MAX_SIZE) {
        report_file(diags, name, "the file is too large; 64 MiB is the most");
        return -EINVAL;
    }
    int rc = take_text(p, text, size, name, ret);
    if (rc == 0)
        rc = read_nodes(p);
    if (rc != 0) {
        parse_finish(p);
        drop(p);
    }
    return rc;
}

int parse_end(struct parse *p)
{
    int rc = p->out_of_memory ? -ENOMEM : p->n_errors > 0 ? -EINVAL : 0;

    parse_finish(p);
    if (rc == 0 || (rc == -EINVAL && p->keep))
        p->arena = NULL; /* the tree's from here on */
    drop(p);
    return rc;
}

/* --- files -------------------------------------------------------------------------------------- */

struct buffer {
    char *bytes;
    size_t n, n_allocated;
};

static int read_more(struct buffer *b, int fd)
{
    if (b->n == b->n_allocated) {
        size_t n = b->n_allocated == 0 ? (size_t)64 << 10 : 2 * b->n_allocated;
        char *bytes = realloc(b->bytes, n);

        if (bytes == NULL)
            return -ENOMEM;
        b->bytes = bytes;
        b->n_allocated = n;
    }
    ssize_t got;
    do
        got = read(fd, b->bytes + b->n, b->n_allocated - b->n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    b->n += (size_t)got;
    return got > 0;
}

static int read_file(const char *path, struct buffer *b, struct diag_list *diags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : 1;

    while (rc > 0 && b->n <= RULES_MAX_SIZE)
        rc = read_more(b, fd);
    if (fd >= 0)
        close(fd);
    if (rc < 0 && rc != -ENOMEM) {
        char reason[128], sentence[160];
        snprintf(sentence, sizeof(sentence), "cannot be read: %s", strerror_r(-rc, reason, sizeof(reason)));
        report_file(diags, path, sentence);
    }
    return rc < 0 ? rc : 0;
}

int matrix_load(const char *path, struct matrix **ret, struct diag_list *diags)
{
    struct buffer b = {0};
    int rc = read_file(path, &b, diags);

    if (rc == 0)
        rc = matrix_parse(b.bytes, b.n, path, ret, diags);
    free(b.bytes);
    return rc;
}

int site_load(const char *path, struct site **ret, struct diag_list *diags)
{
    struct buffer b = {0};
    int rc = read_file(path, &b, diags);

    if (rc == 0)
        rc = site_parse(b.bytes, b.n, path, ret, diags);
    free(b.bytes);
    return rc;
}

int site_load_partly(const char *path, struct site **ret, struct diag_list *diags)
{
    struct buffer b = {0};
    int rc = read_file(path, &b, diags);

    *ret = NULL;
    if (rc == 0)
        rc = site_parse_partly(b.bytes, b.n, path, ret, diags);
    free(b.bytes);
    return rc;
}
