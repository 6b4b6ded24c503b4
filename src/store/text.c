/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text on its way into the record.  Strings from traffic can hold anything; what is stored is valid UTF-8 that a
 * terminal, a spreadsheet or a JSON reader can take.  A byte that is not is shown as \xNN, so nothing is hidden.
 */
#include <stdlib.h>
#include <string.h>

#include "flowaudit/utf8.h"
#include "store-private.h"

bool text_is_plain(const char *text, size_t limit, bool lines, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)text;

    while ((*p >= 0x20 && *p < 0x7f) || (lines && (*p == '\n' || *p == '\t' || *p == '\r')))
        p++;
    *ret_len = (size_t)(p - (const unsigned char *)text);
    return *p == '\0' && *ret_len <= limit;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* One byte as \xNN; returns 4. */
static size_t put_hex(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

#define PIECE_SIZE 16 /* the longest character, four bytes, each of them shown as four */

/* The next piece of the input as it is to be stored; returns the bytes consumed. */
static size_t clean_piece(const char *p, size_t left, bool lines, char out[PIECE_SIZE], size_t *ret_len)
{
    uint32_t c;
    size_t n = utf8_decode(p, left, &c);

    *ret_len = 0;
    if (n == 0 || (is_control(c) && !(lines && (c == '\n' || c == '\t' || c == '\r')))) {
        if (n == 0)
            n = 1;
        for (size_t i = 0; i < n; i++)
            *ret_len += put_hex(out + *ret_len, (unsigned char)p[i]);
        return n;
    }
    memcpy(out, p, n);
    *ret_len = n;
    return n;
}

char *text_clean(const char *text, size_t limit, bool lines, size_t *ret_len)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t left = strlen(text), len = 0, n;
    size_t room = left < limit / 4 ? left * 4 : limit; /* each byte becomes four at most */
    char *out = malloc(room + sizeof(ellipsis)), piece[PIECE_SIZE];

    if (out == NULL)
        return NULL;
    while (left > 0) {
        size_t used = clean_piece(text, left, lines, piece, &n);

        if (n > room - len) {
            memcpy(out + len, ellipsis, sizeof(ellipsis) - 1);
            len += sizeof(ellipsis) - 1;
            break;
        }
        memcpy(out + len, piece, n);
        len += n;
        text += used;
        left -= used;
    }
    out[len] = '\0';
    *ret_len = len;
    return out;
}
