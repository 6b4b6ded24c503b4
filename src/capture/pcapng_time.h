/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of a pcapng interface: if_tsresol and if_tsoffset. */
#ifndef FLOWAUDIT_CAPTURE_PCAPNG_TIME_H
#define FLOWAUDIT_CAPTURE_PCAPNG_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define PCAPNG_CLOCK_MICROSECONDS 6 /* if_tsresol where the file does not say */

enum pcapng_unit {
    PCAPNG_UNIT_MULTIPLE, /* ticks of 'factor' nanoseconds */
    PCAPNG_UNIT_PART,     /* 'factor' ticks in a nanosecond */
    PCAPNG_UNIT_BINARY,   /* 2 to the power of 'factor' ticks in a second */
    PCAPNG_UNIT_UNUSABLE, /* finer than any 64-bit count of it could date a packet by */
};

struct pcapng_clock {
    enum pcapng_unit unit;
    uint64_t factor;
    int64_t offset_s;
};

void pcapng_clock_set_unit(struct pcapng_clock *, uint8_t if_tsresol);

/* false: before 1970, after 2262, or the unit is unusable. */
bool pcapng_clock_ns(const struct pcapng_clock *, uint64_t ticks, int64_t *ret_ns);

#endif
