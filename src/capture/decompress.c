/* SPDX-License-Identifier: Apache-2.0 */
#include "decompress.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct format {
    const char *name;
    bool (*is)(const uint8_t *magic, size_t size);
    int (*start)(struct decompressor *);
    int (*run)(struct decompressor *, struct decompress_input *, uint8_t *out, size_t size, size_t *ret_size,
               const char **ret_why);
    void (*stop)(struct decompressor *);
};

struct decompressor {
    const struct format *format;
    bool may_end;
    bool in_padding; /* gzip: zero bytes after the last member, as tapes leave them */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

static bool is_gzip(const uint8_t *magic, size_t size)
{
    return size >= 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

static int gzip_start(struct decompressor *d)
{
    return inflateInit2(&d->gzip, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
}

static void gzip_stop(struct decompressor *d)
{
    inflateEnd(&d->gzip);
}

/* Between two members: zero bytes are padding, anything else must be a member. */
static int gzip_next_member(struct decompressor *d, struct decompress_input *in, const char **ret_why)
{
    while (in->used < in->size && in->data[in->used] == 0) {
        d->in_padding = true;
        in->used++;
    }
    if (in->used == in->size)
        return 0;
    if (d->in_padding || in->data[in->used] != 0x1f) {
        *ret_why = "bytes that are no gzip data follow the end mark";
        return -EBADMSG;
    }
    inflateReset(&d->gzip);
    d->may_end = false;
    return 0;
}

static int gzip_run(struct decompressor *d, struct decompress_input *in, uint8_t *out, size_t size, size_t *ret_size,
                    const char **ret_why)
{
    z_stream *z = &d->gzip;

    z->next_out = out;
    z->avail_out = size < UINT_MAX ? (uInt)size : UINT_MAX;
    int rc = 0;
    while (rc == 0 && z->avail_out > 0) {
        if (d->may_end) {
            rc = gzip_next_member(d, in, ret_why);
            if (d->may_end)
                break;
        }
        /* Called even without input: the library may still hold decompressed bytes back. */
        size_t left = in->size - in->used;
        uInt give = left < UINT_MAX ? (uInt)left : UINT_MAX;
        z->next_in = (z_const Bytef *)in->data + in->used;
        z->avail_in = give;
        int zrc = inflate(z, Z_NO_FLUSH);
        in->used += give - z->avail_in;
        if (zrc == Z_BUF_ERROR)
            break; /* nothing to go on with: more input is needed */
        if (zrc == Z_STREAM_END) {
            d->may_end = true;
        } else if (zrc != Z_OK) {
            *ret_why = z->msg != NULL ? z->msg : "not valid";
            rc = zrc == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
        }
    }
    *ret_size = (size_t)(z->next_out - out);
    return rc;
}

/* A zstd frame, or a skippable frame before it (pzstd and seekable zstd write them). */
static bool is_zstd(const uint8_t *m, size_t size)
{
    if (size < 4)
        return false;
    return (m[0] == 0x28 && m[1] == 0xb5 && m[2] == 0x2f && m[3] == 0xfd) ||
           ((m[0] & 0xf0) == 0x50 && m[1] == 0x2a && m[2] == 0x4d && m[3] == 0x18);
}

/* The library's default bound on the window (128 MiB) stands: it bounds our memory. */
static int zstd_start(struct decompressor *d)
{
    d->zstd = ZSTD_createDStream();
    return d->zstd != NULL ? 0 : -ENOMEM;
}

static void zstd_stop(struct decompressor *d)
{
    ZSTD_freeDStream(d->zstd);
}

static int zstd_run(struct decompressor *d, struct decompress_input *in, uint8_t *out, size_t size, size_t *ret_size,
                    const char **ret_why)
{
    ZSTD_inBuffer from = {in->data, in->size, in->used};
    ZSTD_outBuffer to = {out, size, 0};
    int rc = 0;

    /* Called even without input: the library may still hold decompressed bytes back. */
    do {
        size_t before = to.pos + from.pos;
        size_t left = ZSTD_decompressStream(d->zstd, &to, &from);
        if (ZSTD_isError(left)) {
            *ret_why = ZSTD_getErrorName(left);
            rc = -EBADMSG;
            break;
        }
        /* A call that moves nothing reports the beginning of a frame that has not come. */
        if (to.pos + from.pos == before)
            break;
        d->may_end = left == 0;
    } while (to.pos < to.size && from.pos < from.size);
    in->used = from.pos;
    *ret_size = to.pos;
    return rc;
}

static const struct format formats[] = {
    {"gzip", is_gzip, gzip_start, gzip_run, gzip_stop},
    {"zstd", is_zstd, zstd_start, zstd_run, zstd_stop},
};

int decompressor_new(const uint8_t *magic, size_t size, struct decompressor **ret, struct err *reterr)
{
    const struct format *format = NULL;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i].is(magic, size))
            format = &formats[i];
    if (format == NULL) {
        *ret = NULL;
        return 0;
    }
    struct decompressor *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return err_set(reterr, -ENOMEM, "no memory to decompress %s data", format->name);
    d->format = format;
    if (format->start(d) != 0) {
        free(d);
        return err_set(reterr, -ENOMEM, "no memory to decompress %s data", format->name);
    }
    *ret = d;
    return 0;
}

int decompressor_run(struct decompressor *d, struct decompress_input *in, void *out, size_t size, size_t *ret_size,
                     const char **ret_why)
{
    return d->format->run(d, in, out, size, ret_size, ret_why);
}

bool decompressor_may_end(const struct decompressor *d)
{
    return d->may_end;
}

const char *decompressor_name(const struct decompressor *d)
{
    return d->format->name;
}

void decompressor_free(struct decompressor *d)
{
    if (d == NULL)
        return;
    d->format->stop(d);
    free(d);
}
