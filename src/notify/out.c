/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowaudit/utf8.h"

void out_reset(struct out *out)
{
    out->n = 0;
    out->cut = false;
    if (out->text != NULL)
        out->text[0] = '\0';
}

void out_free(struct out *out)
{
    free(out->text);
    *out = (struct out){.limit = out->limit};
}

/* Room for 'more' bytes and the NUL. */
static bool reserve(struct out *out, size_t more)
{
    size_t limit = out->limit != 0 ? out->limit : OUT_LIMIT;

    if (out->cut || more > limit || out->n > limit - more) {
        out->cut = true;
        return false;
    }
    if (out->n + more < out->size)
        return true;
    size_t size = out->size != 0 ? out->size : 512;
    while (size <= out->n + more)
        size *= 2;
    char *text = realloc(out->text, size);
    if (text == NULL) {
        out->cut = true;
        return false;
    }
    out->text = text;
    out->size = size;
    return true;
}

void out_bytes(struct out *out, const void *bytes, size_t n)
{
    if (!reserve(out, n))
        return;
    memcpy(out->text + out->n, bytes, n);
    out->n += n;
    out->text[out->n] = '\0';
}

void out_text(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

void out_format(struct out *out, const char *fmt, ...)
{
    char    buf[512];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(buf))
        out->cut = true;
    else
        out_bytes(out, buf, (size_t)n);
}

/* Controls (C0, DEL, C1), marks and overrides of the reading direction, line separators, invisible characters, tags. */
bool out_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff) || (c & 0xfffe) == 0xfffe;
}

/* As JSON writes a character by its number: beyond the first plane as a pair of surrogates. */
static void put_number(struct out *out, uint32_t c)
{
    if (c > 0xffff)
        out_format(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    else
        out_format(out, "\\u%04" PRIx32, c);
}

/* Each character that is safe as it is, with a backslash before those of 'special'; the others by number, with 'by_number' before it.
 * Bytes that are no UTF-8 become U+FFFD. */
static void put_escaped(struct out *out, const char *text, const char *special, const char *by_number)
{
    size_t left = text != NULL ? strlen(text) : 0;

    while (left > 0) {
        uint32_t c;
        size_t   n = utf8_decode(text, left, &c);

        if (n == 0) {
            out_text(out, "\xef\xbf\xbd");
            n = 1;
        } else if (out_is_unsafe(c)) {
            out_text(out, by_number);
            put_number(out, c);
        } else {
            if (c < 0x80 && strchr(special, (int)c) != NULL)
                out_text(out, "\\");
            out_bytes(out, text, n);
        }
        text += n;
        left -= n;
    }
}

void out_plain(struct out *out, const char *text)
{
    put_escaped(out, text, "", "");
}

void out_json(struct out *out, const char *text)
{
    out_text(out, "\"");
    put_escaped(out, text, "\"\\", "");
    out_text(out, "\"");
}

/* The backslash of \uXXXX is itself escaped in the value. */
void out_sd_param(struct out *out, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    out_format(out, " %s=\"", name);
    put_escaped(out, value, "\"\\]", "\\");
    out_text(out, "\"");
}

void out_label(struct out *out, const char *text)
{
    out_text(out, "\"");
    put_escaped(out, text, "\"\\", "\\");
    out_text(out, "\"");
}

void out_time(struct out *out, int64_t ns)
{
    struct tm tm;
    time_t    seconds = (time_t)(ns / 1000000000);
    char      buf[32];

    if (ns % 1000000000 < 0)
        seconds--;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        out->cut = true;
        return;
    }
    out_format(out, "%s.%06dZ", buf, (int)((ns - (int64_t)seconds * 1000000000) / 1000));
}

void out_count(struct out *out, uint64_t n)
{
    char digits[24];
    int  len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out_text(out, ",");
        out_bytes(out, digits + i, 1);
    }
}

void out_size(struct out *out, uint64_t n)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t                 step = 100; /* a tenth of the unit */
    unsigned                 unit = 0;

    if (n < 1000) {
        out_format(out, "%" PRIu64 " B", n);
        return;
    }
    /* What would round up to 1000 of a unit is one of the next. */
    while (n / step + (n % step >= step / 2) >= 10000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        step *= 1000;
        unit++;
    }
    uint64_t tenths = n / step + (n % step >= step / 2);
    out_format(out, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
}

/* --- JSON --------------------------------------------------------------------------------------------------- */

static void put_key(struct json *j, const char *key)
{
    out_text(j->out, j->first ? "" : ",");
    if (key != NULL) {
        out_json(j->out, key);
        out_text(j->out, ":");
    }
    j->first = false;
}

void object_open(struct json *j, const char *key)
{
    if (key != NULL)
        put_key(j, key);
    out_text(j->out, "{");
    j->first = true;
}

void object_close(struct json *j)
{
    out_text(j->out, "}");
    j->first = false;
}

void member_text(struct json *j, const char *key, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    put_key(j, key);
    out_json(j->out, value);
}

void member_number(struct json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    out_format(j->out, "%" PRIu64, value);
}

void member_bool(struct json *j, const char *key, bool value)
{
    put_key(j, key);
    out_text(j->out, value ? "true" : "false");
}

void member_time(struct json *j, const char *key, int64_t ns)
{
    if (ns == 0)
        return;
    put_key(j, key);
    out_text(j->out, "\"");
    out_time(j->out, ns);
    out_text(j->out, "\"");
}

static bool is_new(const char *const *values, size_t i)
{
    if (values[i] == NULL || *values[i] == '\0')
        return false;
    for (size_t k = 0; k < i; k++)
        if (values[k] != NULL && strcmp(values[k], values[i]) == 0)
            return false;
    return true;
}

void member_list(struct json *j, const char *key, const char *const *values, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (!is_new(values, i))
            continue;
        if (!any) {
            put_key(j, key);
            out_text(j->out, "[");
        }
        out_text(j->out, any ? "," : "");
        out_json(j->out, values[i]);
        any = true;
    }
    if (any)
        out_text(j->out, "]");
}
