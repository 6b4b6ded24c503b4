/* SPDX-License-Identifier: Apache-2.0 */
/* Integers out of messages; the caller has checked that the bytes are there. */
#ifndef PINHOLE_WIRE_H
#define PINHOLE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t wire_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint16_t wire_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t wire_be32(const uint8_t *p)
{
    return (uint32_t)wire_be16(p) << 16 | wire_be16(p + 2);
}

static inline uint32_t wire_le32(const uint8_t *p)
{
    return (uint32_t)wire_le16(p + 2) << 16 | wire_le16(p);
}

/* In the byte order that a message says of itself. */
static inline uint16_t wire_16(const uint8_t *p, bool little)
{
    return little ? wire_le16(p) : wire_be16(p);
}

static inline uint32_t wire_32(const uint8_t *p, bool little)
{
    return little ? wire_le32(p) : wire_be32(p);
}

#endif
