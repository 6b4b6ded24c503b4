/* SPDX-License-Identifier: Apache-2.0 */
#include "pcapng_time.h"

#define NS_PER_S 1000000000

__extension__ typedef __int128 wide;

void pcapng_clock_set_unit(struct pcapng_clock *c, uint8_t if_tsresol)
{
    unsigned exponent = if_tsresol & 0x7f;

    c->factor = 1;
    if (if_tsresol & 0x80) {
        c->unit = exponent < 64 ? PCAPNG_UNIT_BINARY : PCAPNG_UNIT_UNUSABLE;
        c->factor = exponent;
        return;
    }
    c->unit = exponent <= 9 ? PCAPNG_UNIT_MULTIPLE : exponent <= 9 + 19 ? PCAPNG_UNIT_PART : PCAPNG_UNIT_UNUSABLE;
    for (unsigned e = exponent; e < 9; e++)
        c->factor *= 10;
    for (unsigned e = 9; e < exponent && e < 9 + 19; e++)
        c->factor *= 10;
}

static wide to_ns(const struct pcapng_clock *c, uint64_t ticks)
{
    if (c->unit == PCAPNG_UNIT_MULTIPLE)
        return (wide)ticks * (wide)c->factor;
    if (c->unit == PCAPNG_UNIT_PART)
        return (wide)(ticks / c->factor);
    uint64_t part = ticks & (((uint64_t)1 << c->factor) - 1);
    return (wide)(ticks >> c->factor) * NS_PER_S + (((wide)part * NS_PER_S) >> c->factor);
}

bool pcapng_clock_ns(const struct pcapng_clock *c, uint64_t ticks, int64_t *ret_ns)
{
    if (c->unit == PCAPNG_UNIT_UNUSABLE)
        return false;
    wide ns = to_ns(c, ticks) + (wide)c->offset_s * NS_PER_S;
    if (ns < 0 || ns > INT64_MAX)
        return false;
    *ret_ns = (int64_t)ns;
    return true;
}
