/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files made byte by byte, and what reading them gives. */
#ifndef TESTS_CAPTURE_SUPPORT_H
#define TESTS_CAPTURE_SUPPORT_H

#include <check.h>

#include "flowaudit/capture.h"

struct bytes {
    uint8_t *data;
    size_t size, n_allocated;
    bool big_endian; /* of the numbers that follow */
};

void put(struct bytes *, const void *data, size_t size);
void put_fill(struct bytes *, uint8_t value, size_t size);
void put16(struct bytes *, uint16_t);
void put32(struct bytes *, uint32_t);
void put64(struct bytes *, uint64_t);
void bytes_clear(struct bytes *);

void put_pcap_header(struct bytes *, uint32_t magic, uint32_t snaplen, uint32_t network);
/* 'caplen' bytes of data, each the low byte of 'seed' + its place. */
void put_pcap_record(struct bytes *, uint32_t s, uint32_t fraction, uint32_t caplen, uint32_t len, uint8_t seed);

void put_section(struct bytes *, uint16_t major, uint16_t minor);
size_t begin_block(struct bytes *, uint32_t type);
void end_block(struct bytes *, size_t begin); /* pads and writes both lengths */
void put_option(struct bytes *, uint16_t code, const void *value, uint16_t size);
void put_interface(struct bytes *, uint16_t linktype, uint32_t snaplen, int tsresol, int64_t offset_s);
void put_packet(struct bytes *, uint32_t interface_id, uint64_t ticks, uint32_t caplen, uint32_t len, uint8_t seed);

/* A file without a name on disk; the path is in 'ret'. The descriptor is to be closed. */
#define FILE_PATH_SIZE 64
int file_of(const void *data, size_t size, char ret[static FILE_PATH_SIZE]);

/* What a capture gave, with the bytes of all frames summed up in 'hash'. */
struct seen {
    struct frame *frames; /* 'data' is no longer valid */
    uint64_t *hashes;
    size_t n_frames;
    int rc; /* of the open, or of the read that ended it */
    struct err err;
    struct capture_stats stats;
};

uint64_t hash_of(const uint8_t *data, size_t size);
struct seen read_path(const char *path, const struct capture_options *);
struct seen read_bytes(const struct bytes *, const struct capture_options *);
void seen_clear(struct seen *);
/* The first 'n' frames are the same. */
void seen_assert_prefix(const struct seen *all, const struct seen *part, size_t n);

#endif
