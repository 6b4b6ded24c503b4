/* SPDX-License-Identifier: Apache-2.0 */
/* Integers out of packets; the caller has checked that the bytes are there. */
#ifndef CLASSIFY_WIRE_H
#define CLASSIFY_WIRE_H

#include <stdint.h>

static inline uint16_t wire_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t wire_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t wire_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void wire_put_be16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void wire_put_be32(uint8_t *p, uint32_t value)
{
    wire_put_be16(p, value >> 16);
    wire_put_be16(p + 2, value);
}

#endif
