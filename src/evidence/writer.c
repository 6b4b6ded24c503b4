/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowaudit/evidence.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_SHB_USERAPPL = 4, OPT_IF_TSRESOL = 9 };
#define MAX_OPTION 65532 /* a length of 16 bits, padded to 32 */

struct interface {
    unsigned origin;
    uint16_t linktype, id;
};

struct pcapng_writer {
    char *path, *temporary;
    FILE *file;
    struct interface *interfaces;
    size_t n_interfaces;
};

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

static size_t text_size(const char *text)
{
    size_t len = strlen(text);

    return len < MAX_OPTION ? len : MAX_OPTION;
}

static size_t option_size(size_t size)
{
    return 4 + padded(size);
}

/* Errors of the stream are looked at once, at the end of a block. */
static void put(struct pcapng_writer *w, const void *data, size_t size)
{
    static const uint8_t zeros[4];

    fwrite(data, 1, size, w->file);
    fwrite(zeros, 1, padded(size) - size, w->file);
}

static void put32(struct pcapng_writer *w, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};

    fwrite(bytes, 1, sizeof(bytes), w->file);
}

static void put_option(struct pcapng_writer *w, uint16_t code, const void *data, size_t size)
{
    put32(w, code | (uint32_t)size << 16);
    put(w, data, size);
}

static int end_block(struct pcapng_writer *w, uint32_t size, struct err *reterr)
{
    put32(w, OPT_END);
    put32(w, size);
    return ferror(w->file) ? err_set(reterr, -errno, "%s: cannot be written: %s", w->path, strerror(errno)) : 0;
}

static int put_section(struct pcapng_writer *w, const char *application, const char *comment, struct err *reterr)
{
    size_t size = 28 + option_size(text_size(comment)) + option_size(text_size(application)) + 4;

    put32(w, BLOCK_SECTION);
    put32(w, (uint32_t)size);
    put32(w, 0x1a2b3c4d);
    put32(w, 1); /* version 1.0 */
    put32(w, UINT32_MAX);
    put32(w, UINT32_MAX); /* the section's length is not stated */
    put_option(w, OPT_COMMENT, comment, text_size(comment));
    put_option(w, OPT_SHB_USERAPPL, application, text_size(application));
    return end_block(w, (uint32_t)size, reterr);
}

static int put_interface(struct pcapng_writer *w, const struct pcapng_origin *o, uint16_t linktype, struct err *reterr)
{
    const uint8_t nanoseconds = 9;
    size_t size = 20 + option_size(text_size(o->comment)) + option_size(text_size(o->name)) + option_size(1) + 4;

    put32(w, BLOCK_INTERFACE);
    put32(w, (uint32_t)size);
    put32(w, linktype);
    put32(w, o->snaplen);
    put_option(w, OPT_COMMENT, o->comment, text_size(o->comment));
    put_option(w, OPT_IF_NAME, o->name, text_size(o->name));
    put_option(w, OPT_IF_TSRESOL, &nanoseconds, 1);
    return end_block(w, (uint32_t)size, reterr);
}

/* The interface of a frame, described before its first packet.  Its number, or negative. */
static int find_interface(struct pcapng_writer *w, const struct pcapng_origin *o, const struct frame *f, struct err *reterr)
{
    for (size_t i = 0; i < w->n_interfaces; i++) {
        const struct interface *have = &w->interfaces[i];

        if (have->origin == o->id && have->linktype == f->linktype && have->id == f->interface_id)
            return (int)i;
    }
    struct interface *more = realloc(w->interfaces, (w->n_interfaces + 1) * sizeof(*more));
    if (more == NULL)
        return err_set(reterr, -ENOMEM, "no memory to write %s", w->path);
    w->interfaces = more;
    more[w->n_interfaces] = (struct interface){o->id, f->linktype, f->interface_id};
    int rc = put_interface(w, o, f->linktype, reterr);
    return rc < 0 ? rc : (int)w->n_interfaces++;
}

int pcapng_write(struct pcapng_writer *w, const struct pcapng_origin *o, const struct frame *f, const char *comment, struct err *reterr)
{
    int interface = find_interface(w, o, f, reterr);

    if (interface < 0)
        return interface;
    size_t size = 32 + padded(f->caplen) + option_size(text_size(comment)) + 4;
    put32(w, BLOCK_PACKET);
    put32(w, (uint32_t)size);
    put32(w, (uint32_t)interface);
    put32(w, (uint32_t)((uint64_t)f->ts_ns >> 32));
    put32(w, (uint32_t)f->ts_ns);
    put32(w, f->caplen);
    put32(w, f->wirelen);
    put(w, f->data, f->caplen);
    put_option(w, OPT_COMMENT, comment, text_size(comment));
    return end_block(w, (uint32_t)size, reterr);
}

static int open_temporary(struct pcapng_writer *w, struct err *reterr)
{
    size_t size = strlen(w->path) + sizeof(".XXXXXX");

    w->temporary = malloc(size);
    if (w->temporary == NULL)
        return err_set(reterr, -ENOMEM, "no memory to write %s", w->path);
    snprintf(w->temporary, size, "%s.XXXXXX", w->path);
    int fd = mkstemp(w->temporary);
    if (fd < 0) {
        int code = -errno;

        free(w->temporary);
        w->temporary = NULL;
        return err_set(reterr, code, "%s: cannot be written: %s", w->path, strerror(-code));
    }
    w->file = fdopen(fd, "w");
    if (w->file == NULL) {
        close(fd);
        return err_set(reterr, -ENOMEM, "no memory to write %s", w->path);
    }
    return 0;
}

int pcapng_writer_new(const char *path, const char *application, const char *comment, struct pcapng_writer **ret, struct err *reterr)
{
    struct pcapng_writer *w = calloc(1, sizeof(*w));

    if (w != NULL && (w->path = realpath(path, NULL)) == NULL) /* what a link points to is replaced, not the link */
        w->path = strdup(path);
    int rc = w != NULL && w->path != NULL ? 0 : err_set(reterr, -ENOMEM, "no memory to write %s", path);

    if (rc == 0)
        rc = open_temporary(w, reterr);
    if (rc == 0)
        rc = put_section(w, application, comment, reterr);
    if (rc != 0) {
        pcapng_writer_free(w);
        return rc;
    }
    *ret = w;
    return 0;
}

/* The mode that a new file would have; mkstemp() makes it private. */
static mode_t usual_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

int pcapng_commit(struct pcapng_writer *w, struct err *reterr)
{
    bool failed = fflush(w->file) != 0 || fchmod(fileno(w->file), usual_mode()) != 0 || fsync(fileno(w->file)) != 0;
    int code = errno;

    if (fclose(w->file) != 0 && !failed) {
        code = errno;
        failed = true;
    }
    w->file = NULL;
    if (!failed && rename(w->temporary, w->path) != 0) {
        code = errno;
        failed = true;
    }
    if (failed)
        return err_set(reterr, -code, "%s: cannot be written: %s", w->path, strerror(code));
    free(w->temporary);
    w->temporary = NULL;
    return 0;
}

void pcapng_writer_free(struct pcapng_writer *w)
{
    if (w == NULL)
        return;
    if (w->file != NULL)
        fclose(w->file);
    if (w->temporary != NULL)
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    free(w->interfaces);
    free(w);
}
