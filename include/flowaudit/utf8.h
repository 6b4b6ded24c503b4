/* SPDX-License-Identifier: Apache-2.0 */
/* Reading UTF-8 one character at a time, strictly: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef FLOWAUDIT_UTF8_H
#define FLOWAUDIT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at 'p', of which 'left' bytes may be read; returns its bytes, or 0: not valid (or 'left' is 0). */
static inline size_t utf8_decode(const char *p, size_t left, uint32_t *ret)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)p;

    if (left == 0)
        return 0;
    if (s[0] < 0x80) {
        *ret = s[0];
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
        return 0;
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

#endif
