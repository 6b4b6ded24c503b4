/* SPDX-License-Identifier: Apache-2.0 */
/* Packets as the decoder would give them, from a payload. */
#ifndef TEST_CLASSIFY_MAKE_H
#define TEST_CLASSIFY_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/classify.h"

#define MAKE_HEADERS 60

struct made {
    struct packet packet;
    uint8_t *bytes; /* exactly as many as were "captured", so that a sanitizer sees one byte too far */
};

struct make {
    uint8_t transport;
    bool ipv6;
    bool from_server; /* addresses and ports turned round */
    uint16_t client_port, server_port;
    const uint8_t *payload;
    size_t len;
    size_t wire_len; /* 0: len */
};

struct made make_packet(const struct make *);
void make_free(struct made *);

/* "16 03 01", blanks ignored; text in double quotes is taken as it is.  Returns the length. */
size_t make_bytes(const char *text, uint8_t *ret, size_t size);

#endif
