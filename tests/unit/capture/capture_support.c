/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void put(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->n_allocated) {
        b->n_allocated = 2 * (b->size + size);
        b->data = realloc(b->data, b->n_allocated);
        ck_assert_ptr_nonnull(b->data);
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void put_fill(struct bytes *b, uint8_t value, size_t size)
{
    while (size-- > 0)
        put(b, &value, 1);
}

static void put_number(struct bytes *b, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(v >> 8 * (b->big_endian ? size - 1 - i : i));

        put(b, &byte, 1);
    }
}

void put16(struct bytes *b, uint16_t v)
{
    put_number(b, v, 2);
}

void put32(struct bytes *b, uint32_t v)
{
    put_number(b, v, 4);
}

void put64(struct bytes *b, uint64_t v)
{
    put_number(b, v, 8);
}

void bytes_clear(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

void put_pcap_header(struct bytes *b, uint32_t magic, uint32_t snaplen, uint32_t network)
{
    put32(b, magic);
    put16(b, 2);
    put16(b, 4);
    put32(b, 0);
    put32(b, 0);
    put32(b, snaplen);
    put32(b, network);
}

static void put_pattern(struct bytes *b, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size; i++)
        put_fill(b, (uint8_t)(seed + i), 1);
}

void put_pcap_record(struct bytes *b, uint32_t s, uint32_t fraction, uint32_t caplen, uint32_t len, uint8_t seed)
{
    put32(b, s);
    put32(b, fraction);
    put32(b, caplen);
    put32(b, len);
    put_pattern(b, caplen, seed);
}

size_t begin_block(struct bytes *b, uint32_t type)
{
    size_t begin = b->size;

    put32(b, type);
    put32(b, 0);
    return begin;
}

void end_block(struct bytes *b, size_t begin)
{
    while (b->size % 4 != 0)
        put_fill(b, 0, 1);
    size_t end = b->size + 4;
    uint32_t size = (uint32_t)(end - begin);
    b->size = begin + 4;
    put32(b, size);
    b->size = end - 4;
    put32(b, size);
}

void put_section(struct bytes *b, uint16_t major, uint16_t minor)
{
    size_t begin = begin_block(b, 0x0a0d0d0a);

    put32(b, 0x1a2b3c4d);
    put16(b, major);
    put16(b, minor);
    put64(b, UINT64_MAX);
    end_block(b, begin);
}

void put_option(struct bytes *b, uint16_t code, const void *value, uint16_t size)
{
    put16(b, code);
    put16(b, size);
    put(b, value, size);
    put_fill(b, 0, (4 - size % 4) % 4);
}

void put_interface(struct bytes *b, uint16_t linktype, uint32_t snaplen, int tsresol, int64_t offset_s)
{
    size_t begin = begin_block(b, 1);
    uint8_t resolution = (uint8_t)tsresol;

    put16(b, linktype);
    put16(b, 0);
    put32(b, snaplen);
    put_option(b, 2, "eth0", 4);
    if (tsresol >= 0)
        put_option(b, 9, &resolution, 1);
    if (offset_s != 0) {
        put16(b, 14);
        put16(b, 8);
        put64(b, (uint64_t)offset_s);
    }
    put32(b, 0);
    end_block(b, begin);
}

void put_packet(struct bytes *b, uint32_t interface_id, uint64_t ticks, uint32_t caplen, uint32_t len, uint8_t seed)
{
    size_t begin = begin_block(b, 6);

    put32(b, interface_id);
    put32(b, (uint32_t)(ticks >> 32));
    put32(b, (uint32_t)ticks);
    put32(b, caplen);
    put32(b, len);
    put_pattern(b, caplen, seed);
    end_block(b, begin);
}

int file_of(const void *data, size_t size, char ret[static FILE_PATH_SIZE])
{
    int fd = memfd_create("capture", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const uint8_t *)data + done, size - done);
        ck_assert(n > 0);
        done += (size_t)n;
    }
    snprintf(ret, FILE_PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

uint64_t hash_of(const uint8_t *data, size_t size)
{
    const struct hash_key key = {1, 2};

    return hash_bytes(&key, data, size);
}

static void keep(struct seen *s, const struct frame *frames, size_t n)
{
    s->frames = realloc(s->frames, (s->n_frames + n) * sizeof(*s->frames));
    s->hashes = realloc(s->hashes, (s->n_frames + n) * sizeof(*s->hashes));
    ck_assert_ptr_nonnull(s->frames);
    ck_assert_ptr_nonnull(s->hashes);
    for (size_t i = 0; i < n; i++) {
        s->frames[s->n_frames] = frames[i];
        s->hashes[s->n_frames++] = hash_of(frames[i].data, frames[i].caplen);
    }
}

struct seen read_path(const char *path, const struct capture_options *options)
{
    struct seen s = {0};
    struct capture *c;
    struct frame batch[64];

    s.rc = capture_open_file(path, options, &c, &s.err);
    if (s.rc < 0)
        return s;
    while ((s.rc = capture_next_batch(c, batch, sizeof(batch) / sizeof(batch[0]), &s.err)) > 0)
        keep(&s, batch, (size_t)s.rc);
    capture_stats(c, &s.stats);
    capture_free(c);
    return s;
}

struct seen read_bytes(const struct bytes *b, const struct capture_options *options)
{
    char path[FILE_PATH_SIZE];
    int fd = file_of(b->data, b->size, path);
    struct seen s = read_path(path, options);

    close(fd);
    return s;
}

void seen_clear(struct seen *s)
{
    free(s->frames);
    free(s->hashes);
    *s = (struct seen){0};
}

void seen_assert_prefix(const struct seen *all, const struct seen *part, size_t n)
{
    ck_assert_uint_ge(all->n_frames, n);
    ck_assert_uint_ge(part->n_frames, n);
    for (size_t i = 0; i < n; i++) {
        const struct frame *a = &all->frames[i], *b = &part->frames[i];

        ck_assert_uint_eq(a->caplen, b->caplen);
        ck_assert_uint_eq(a->wirelen, b->wirelen);
        ck_assert_int_eq(a->ts_ns, b->ts_ns);
        ck_assert_uint_eq(a->number, b->number);
        ck_assert_uint_eq(a->linktype, b->linktype);
        ck_assert_uint_eq(a->interface_id, b->interface_id);
        ck_assert(all->hashes[i] == part->hashes[i]);
    }
}
