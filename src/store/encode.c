/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <string.h>

static void flush(struct encoder *e)
{
    digest_update(e->digest, e->buf, e->n);
    e->n = 0;
    e->flushed = true;
}

static void put_bytes(struct encoder *e, const void *bytes, size_t size)
{
    if (size > sizeof(e->buf) - e->n)
        flush(e);
    if (size > sizeof(e->buf)) {
        digest_update(e->digest, bytes, size);
        return;
    }
    memcpy(e->buf + e->n, bytes, size);
    e->n += size;
}

/* Writes the decimal digits of 'value' up to 'end', and returns where they begin: two at a time, which halves the divisions. */
static char *digits(uint64_t value, char *end)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960"
                                "616263646566676869707172737475767778798081828384858687888990919293949596979899";

    for (; value >= 100; value /= 100) {
        end -= 2;
        memcpy(end, &pairs[value % 100 * 2], 2);
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, &pairs[value * 2], 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

int encode_begin(struct encoder *e, const char *title, struct err *reterr)
{
    int rc = digest_new(&e->digest, reterr);

    if (rc != 0) {
        e->digest = NULL;
        return rc;
    }
    e->n_rows = 0;
    e->n = 0;
    put_bytes(e, title, strlen(title));
    put_bytes(e, "\n", 1);
    return 0;
}

void encode_null(struct encoder *e)
{
    put_bytes(e, "n", 1);
}

/* "i", the number of characters, ":", the number, ",": written from its end, at once. */
void encode_integer(struct encoder *e, int64_t value)
{
    char text[32], *end = text + sizeof(text), *p = end;

    *--p = ',';
    char *last = p;
    p = digits(value < 0 ? -(uint64_t)value : (uint64_t)value, p);
    if (value < 0)
        *--p = '-';
    size_t len = (size_t)(last - p);
    *--p = ':';
    p = digits(len, p);
    *--p = 'i';
    put_bytes(e, p, (size_t)(end - p));
}

void encode_bytes(struct encoder *e, char type, const void *bytes, size_t size)
{
    char head[32], *end = head + sizeof(head), *p = end;

    *--p = ':';
    p = digits(size, p);
    *--p = type;
    put_bytes(e, p, (size_t)(end - p));
    if (size > 0 && bytes != NULL)
        put_bytes(e, bytes, size);
    put_bytes(e, ",", 1);
}

void encode_again(struct encoder *e, const char *encoded, size_t size)
{
    put_bytes(e, encoded, size);
}

void encode_flush(struct encoder *e)
{
    flush(e);
    e->flushed = false;
}

void encode_row(struct encoder *e)
{
    put_bytes(e, "\n", 1);
    e->n_rows++;
}

void encode_finish(struct encoder *e, char ret[static DIGEST_TEXT_SIZE])
{
    flush(e);
    digest_text(e->digest, ret);
    encode_drop(e);
}

void encode_drop(struct encoder *e)
{
    digest_free(e->digest);
    e->digest = NULL;
}
