/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/capture.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture-private.h"

#define HEAD_SIZE 24 /* a pcap file header: enough to tell every format by */

void capture_damage(struct capture *c, uint64_t offset, const char *fmt, ...)
{
    struct capture_stats *s = &c->stats;
    va_list args;

    va_start(args, fmt);
    vsnprintf(s->damage, sizeof(s->damage), fmt, args);
    va_end(args);
    s->damaged = true;
    s->damaged_offset = offset;
}

void capture_damage_cut(struct capture *c, const char *what, uint64_t need, const char *need_what, uint64_t left)
{
    const char *cause = source_damage(c->source);
    uint64_t offset = window_offset(&c->window);

    if (cause != NULL)
        capture_damage(c, offset, "%s: %s at byte %llu is incomplete", cause, what, (unsigned long long)offset);
    else
        capture_damage(c, offset, "cut short: %s at byte %llu needs %llu %s, the %s has %llu more", what,
                       (unsigned long long)offset, (unsigned long long)need, need_what,
                       source_n_bytes_total(c->source) > 0 ? "file" : "input", (unsigned long long)left);
}

void capture_end(struct capture *c)
{
    const char *cause = source_damage(c->source);

    if (cause != NULL)
        capture_damage(c, window_offset(&c->window), "%s, after packet record %llu", cause,
                       (unsigned long long)c->stats.n_packets);
}

int capture_add_linktype(struct capture *c, uint16_t linktype, struct err *reterr)
{
    struct capture_stats *s = &c->stats;
    unsigned i = 0;

    if (c->filter != NULL) {
        int rc = filter_add_linktype(c->filter, linktype, reterr);
        if (rc < 0)
            return rc;
    }
    while (i < s->n_linktypes && s->linktypes[i] != linktype)
        i++;
    if (i == s->n_linktypes && i < sizeof(s->linktypes) / sizeof(s->linktypes[0]))
        s->linktypes[s->n_linktypes++] = linktype;
    return 0;
}

void capture_add_snaplen(struct capture *c, uint32_t snaplen, bool is_first)
{
    uint32_t *greatest = &c->stats.snaplen;

    if (is_first || snaplen == 0 || (*greatest != 0 && snaplen > *greatest))
        *greatest = snaplen;
}

/* Formats that a person may take for a capture file that we read. */
static const struct {
    const char *magic;
    size_t size;
    const char *name;
} foreign[] = {
    {"\xfd"
     "7zXZ",
     5, "compressed with xz"},
    {"BZh", 3, "compressed with bzip2"},
    {"\x04\x22\x4d\x18", 4, "compressed with lz4"},
    {"\x1f\x9d", 2, "compressed with compress"},
    {"PK\x03\x04", 4, "a ZIP archive"},
    {"7z\xbc\xaf\x27\x1c", 6, "a 7-Zip archive"},
    {"snoop\0\0\0", 8, "a snoop capture (RFC 1761)"},
    {"RTSS", 4, "a Microsoft Network Monitor 1.x capture"},
    {"GMBU", 4, "a Microsoft Network Monitor 2.x capture"},
    {"TRSNIFF data", 12, "a Sniffer capture"},
    {"XCP", 4, "a NetXRay capture"},
};

static const char *foreign_name(const uint8_t *head, size_t size)
{
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (size >= foreign[i].size && memcmp(head, foreign[i].magic, foreign[i].size) == 0)
            return foreign[i].name;
    return NULL;
}

/* Does the first word say pcap, of whatever version or variant? */
static bool says_pcap(const uint8_t *head, size_t size)
{
    static const uint32_t magics[] = {0xa1b2c3d4u, 0xa1b23c4du, 0xa1b2cd34u};

    for (size_t i = 0; size >= 4 && i < sizeof(magics) / sizeof(magics[0]); i++)
        if (get32(head, false) == magics[i] || get32(head, true) == magics[i])
            return true;
    return false;
}

static bool says_pcapng(const uint8_t *head, size_t size)
{
    return size >= 4 && get32(head, false) == 0x0a0d0d0au;
}

static int refuse_nothing(const struct capture *c, struct err *reterr)
{
    const char *damage = source_damage(c->source), *compression = source_compression(c->source);

    if (damage != NULL)
        return err_set(reterr, -EBADMSG, "not a capture file: %s", damage);
    if (compression != NULL)
        return err_set(reterr, -EBADMSG, "not a capture file: the %s data holds no bytes, expected pcap or pcapng",
                       compression);
    return err_set(reterr, -EBADMSG, "not a capture file: it is empty, expected pcap, pcapng, gzip or zstd");
}

static int refuse_unknown(const struct capture *c, const uint8_t *head, size_t size, struct err *reterr)
{
    char text[HEAD_SIZE * 3 + 1] = "";
    size_t n = size < 8 ? size : 8;
    const char *compression = source_compression(c->source), *name = foreign_name(head, size);

    if (name != NULL)
        return err_set(reterr, -ENOTSUP, "%s is not read, expected pcap, pcapng, gzip or zstd: it is %s",
                       compression != NULL ? "what the compressed data holds" : "this format", name);
    for (size_t i = 0; i < n; i++)
        snprintf(text + i * 3, 4, " %02x", head[i]);
    if (compression != NULL)
        return err_set(reterr, -EBADMSG, "not a capture file: the %s data starts with bytes%s, expected pcap or pcapng",
                       compression, text);
    return err_set(reterr, -EBADMSG, "not a capture file: starts with bytes%s, expected pcap, pcapng, gzip or zstd",
                   text);
}

/* The formats that are known by name only to libpcap, and those that nobody knows. */
static int open_other(struct capture *c, struct err *reterr)
{
    uint8_t head[HEAD_SIZE];
    size_t size = window_left(&c->window) < HEAD_SIZE ? window_left(&c->window) : HEAD_SIZE;
    struct err why = {0};

    memcpy(head, window_at(&c->window), size);
    if (foreign_name(head, size) != NULL)
        return refuse_unknown(c, head, size, reterr);
    int rc = via_libpcap_open(c, &why);
    if (rc == -ENOTSUP && !says_pcap(head, size))
        return refuse_unknown(c, head, size, reterr);
    return rc < 0 ? err_set(reterr, rc, "%s", why.msg) : 0;
}

static int open_reader(struct capture *c, struct err *reterr)
{
    int rc = window_fill(&c->window, HEAD_SIZE, reterr);

    if (rc < 0)
        return rc;
    const uint8_t *head = window_at(&c->window);
    size_t size = window_left(&c->window);
    if (size == 0)
        return refuse_nothing(c, reterr);
    if (says_pcapng(head, size))
        return pcapng_reader_open(c, reterr);
    if (says_pcap(head, size) && size < HEAD_SIZE) {
        capture_damage_cut(c, "the pcap file header", HEAD_SIZE, "bytes", size);
        return err_set(reterr, -EBADMSG, "%s", c->stats.damage);
    }
    if (size >= HEAD_SIZE && pcap_reader_knows(head))
        return pcap_reader_open(c, reterr);
    return open_other(c, reterr);
}

static int next_from_reader(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    int got = c->ops->next(c, ret, n < INT_MAX ? n : INT_MAX, reterr);

    if (got == 0)
        c->state = CAPTURE_DRAINING;
    return got;
}

/* 1: a frame is held; 0: there is no further one. */
static int hold(struct capture *c, struct err *reterr)
{
    if (!c->has_held && c->state == CAPTURE_READING) {
        int got = next_from_reader(c, &c->held, 1, reterr);
        if (got < 0)
            return got;
        c->has_held = got > 0;
    }
    return c->has_held;
}

static int open_file(struct capture *c, const char *path, const struct capture_options *options, struct err *reterr)
{
    c->path = strdup(path);
    if (c->path == NULL)
        return err_set(reterr, -ENOMEM, "no memory to read");
    if (options->filter != NULL && filter_new(options->filter, &c->filter) < 0)
        return err_set(reterr, -ENOMEM, "no memory for the filter");
    int rc = source_open(path, options, &c->source, reterr);
    if (rc == 0)
        rc = window_init(&c->window, c->source, options->block_size, reterr);
    if (rc == 0)
        rc = open_reader(c, reterr);
    if (rc == 0 && c->filter != NULL && c->stats.n_linktypes == 0) {
        /* pcapng describes its interfaces in blocks: a filter that does not fit them is told at once. */
        rc = hold(c, reterr);
    }
    return rc < 0 ? rc : 0;
}

int capture_open_file(const char *path, const struct capture_options *options, struct capture **ret, struct err *reterr)
{
    const struct capture_options none = {0};
    struct capture *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return err_set(reterr, -ENOMEM, "%s: no memory to read", path);
    int rc = open_file(c, path, options != NULL ? options : &none, reterr);
    if (rc < 0) {
        err_prefix(reterr, "%s: ", path);
        capture_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

static int keep_matching(struct capture *c, struct frame *frames, int n)
{
    int kept = 0;

    if (c->filter == NULL)
        return n;
    for (int i = 0; i < n; i++)
        if (filter_matches(c->filter, &frames[i]))
            frames[kept++] = frames[i];
    c->stats.n_filtered += (uint64_t)(n - kept);
    return kept;
}

/* The digest is of all that is stored, also behind a damaged place. */
static int finish(struct capture *c, struct err *reterr)
{
    if (c->stats.sha256[0] == '\0' && c->source != NULL && source_wants_all(c->source)) {
        int rc = source_drain(c->source, reterr);
        if (rc < 0)
            return rc;
        source_digest(c->source, c->stats.sha256);
    }
    c->state = CAPTURE_ENDED;
    return 0;
}

static int next_batch(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    int got;

    if (c->has_held) {
        c->has_held = false;
        ret[0] = c->held;
        got = keep_matching(c, ret, 1);
        if (got > 0)
            return got;
    }
    while (c->state == CAPTURE_READING) {
        got = next_from_reader(c, ret, n, reterr);
        if (got > 0)
            got = keep_matching(c, ret, got);
        else if (got == 0)
            break;
        if (got != 0)
            return got;
    }
    return c->state == CAPTURE_DRAINING ? finish(c, reterr) : 0;
}

int capture_next_batch(struct capture *c, struct frame *ret, size_t n, struct err *reterr)
{
    assert(n > 0);
    int got = next_batch(c, ret, n, reterr);
    if (got < 0)
        err_prefix(reterr, "%s: ", c->path);
    return got;
}

int capture_peek_time(struct capture *c, int64_t *ret_ns, struct err *reterr)
{
    int rc = hold(c, reterr);

    if (rc < 0) {
        err_prefix(reterr, "%s: ", c->path);
        return rc;
    }
    if (rc == 0)
        return err_set(reterr, -ENODATA, "%s: holds no %spacket", c->path, c->stats.n_packets > 0 ? "further " : "");
    *ret_ns = c->held.ts_ns;
    return 0;
}

const char *capture_name(const struct capture *c)
{
    const char *slash = strrchr(c->path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : c->path;
}

const char *capture_path(const struct capture *c)
{
    return c->path;
}

void capture_stats(const struct capture *c, struct capture_stats *ret)
{
    *ret = c->stats;
    if (c->source != NULL) {
        ret->n_bytes = source_n_bytes(c->source);
        ret->n_bytes_total = source_n_bytes_total(c->source);
        ret->digest_ns = source_digest_ns(c->source);
    }
}

void capture_free(struct capture *c)
{
    if (c == NULL)
        return;
    if (c->ops != NULL)
        c->ops->free(c->reader);
    filter_free(c->filter);
    window_clear(&c->window);
    source_free(c->source);
    free(c->path);
    free(c);
}
