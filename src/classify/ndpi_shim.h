/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of libndpi that is used, in one shape for all versions from 4.2 on.  Nothing else includes its headers.
 *
 * Libndpi's calls for making a detector must not run in parallel; a detector then belongs to one thread.
 */
#ifndef CLASSIFY_NDPI_SHIM_H
#define CLASSIFY_NDPI_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

struct ndpi_detector; /* a detection module */
struct ndpi_opinion {
    const char *master; /* "" where none; static as long as the detector lives */
    const char *app;
};

/* Is the library that was loaded the one that this was compiled for?  0, or -ENOTSUP. */
int ndpi_shim_check(struct err *reterr);
void ndpi_shim_set_allocator(void *(*allocate)(size_t), void (*release)(void *));

/* 'names': the library's names of the protocols to enable; NULL: all.  Names that it does not have are left out. */
int ndpi_detector_new(const char *const *names, size_t n_names, struct ndpi_detector **ret, struct err *reterr);
void ndpi_detector_free(struct ndpi_detector *);

/* A flow's state: memory of the caller, zeroed, aligned as malloc() does. */
size_t ndpi_shim_flow_size(void);
void ndpi_shim_flow_end(void *flow); /* frees what hangs on it; to be zeroed before its next use */

/* Shows an IP packet.  True: the library knows by content, and said what. */
bool ndpi_detector_packet(struct ndpi_detector *, void *flow, const uint8_t *ip, size_t len, int64_t ts_ns,
                          struct ndpi_opinion *ret);

#endif
