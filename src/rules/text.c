/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "private.h"

#define INVALID UINT32_MAX

/* One character of UTF-8 (RFC 3629: no surrogates, nothing longer than needed), and its length. */
static uint32_t decode(const unsigned char *p, size_t left, size_t *ret_len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    *ret_len = 1;
    if (len == 0 || len > left)
        return INVALID;
    if (len == 1)
        return p[0];

    uint32_t c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return INVALID;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return INVALID;
    *ret_len = len;
    return c;
}

/* Characters that do something instead of being seen.  Those that turn the direction of writing are among them: with
 * them a file can show a reader other rules than it holds. */
static bool is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfffe || c == 0xffff;
}

bool text_has_control(const char *text)
{
    size_t left = strlen(text), len;

    for (; left > 0; text += len, left -= len) {
        uint32_t c = decode((const unsigned char *)text, left, &len);
        if (c == INVALID || is_control(c))
            return true;
    }
    return false;
}

static bool check_character(struct parse *p, const struct rules_place *at, const unsigned char *s, size_t left,
                            size_t *ret_len)
{
    uint32_t c = decode(s, left, ret_len);

    if (c == INVALID) {
        parse_error_at(p, at, "byte 0x%02x is not valid UTF-8; the file must be UTF-8 text", *s);
        return false;
    }
    if (c == '\r' && left > 1 && s[1] == '\n')
        return true;
    if (c == '\r')
        parse_error_at(p, at, "carriage return without a line feed; lines end with LF or CRLF");
    else if (is_control(c))
        parse_error_at(p, at, "control character U+%04X; only printable text is accepted", (unsigned)c);
    else
        return true;
    return false;
}

static bool is_blank(const unsigned char *s, const unsigned char *end)
{
    return s == end || *s == ' ' || *s == '\t' || *s == '\r' || *s == '\n';
}

/* The '?' before a key, where one may stand in this line: at its start, or behind what may end another entry.  No file
 * needs such keys, and libfyaml (0.7.12) frees one twice when a tab follows the ':' of another behind it. */
static const unsigned char *find_explicit_key(const unsigned char *s, const unsigned char *end)
{
    bool may = true;

    for (const unsigned char *start = s; s < end && *s != '\n'; s++) {
        if (*s == '?' && may && (is_blank(s + 1, end) || strchr(",[]{}", s[1]) != NULL))
            return s;
        if (*s == '#' && (s == start || is_blank(s - 1, end)))
            return NULL;
        if (may && (*s == '!' || *s == '&' || *s == '*'))
            while (!is_blank(s + 1, end))
                s++;
        else if (!is_blank(s, end) && !(may && *s == '-'))
            may = strchr(":[]{},\"'\xef\xbb\xbf", *s) != NULL; /* a byte order mark too */
    }
    return NULL;
}

static bool check_line(struct parse *p, const struct rules_place *at, const unsigned char *line)
{
    const unsigned char *key = find_explicit_key(line, (const unsigned char *)p->text + p->size);
    struct rules_place place = {.line = at->line, .width = 1};

    if (key == NULL)
        return true;
    place.column = (unsigned)(key - line) + 1;
    parse_error_at(p, &place,
                   "'?' before a key is not accepted; write 'key: value', and a text with ' ? ' without blanks");
    return false;
}

/* Past what is printable ASCII, of which most of a file is, and not past 'end'. */
static const unsigned char *skip_printable(const unsigned char *s, const unsigned char *end)
{
    while (s < end && *s >= 0x20 && *s < 0x7f)
        s++;
    return s;
}

/* The first line from 's' on, which begins one, that has a '?'; 'end' where there is none. */
static const unsigned char *line_with_mark(const unsigned char *s, const unsigned char *end)
{
    const unsigned char *mark = memchr(s, '?', (size_t)(end - s)), *before = mark != NULL ? memrchr(s, '\n', (size_t)(mark - s)) : NULL;

    return mark == NULL ? end : before != NULL ? before + 1 : s;
}

bool text_check(struct parse *p)
{
    const unsigned char *s = (const unsigned char *)p->text, *end = s + p->size, *line = s, *marked = line_with_mark(s, end);
    struct rules_place at = {.line = 1, .column = 1, .width = 1};

    while (s < end) {
        size_t len = 1;

        if (s == line && s > marked)
            marked = line_with_mark(s, end);
        if (s == line && s == marked && !check_line(p, &at, line))
            return false;
        const unsigned char *limit = (size_t)(end - line) > RULES_MAX_LINE ? line + RULES_MAX_LINE : end;
        if (s < limit) {
            const unsigned char *next = skip_printable(s, limit);
            at.column += (unsigned)(next - s);
            s = next;
        }
        if (s == end)
            break;
        if (*s == '\n') {
            at.line++;
            at.column = 1;
            line = ++s;
            continue;
        }
        if ((*s < 0x20 || *s >= 0x7f) && *s != '\t' && !check_character(p, &at, s, (size_t)(end - s), &len))
            return false;
        if ((size_t)(s - line) >= RULES_MAX_LINE) {
            at.column = 1;
            parse_error_at(p, &at, "this line has more than %u bytes; write one entry on a line", RULES_MAX_LINE);
            return false;
        }
        /* A byte order mark takes no column. */
        if (s != (const unsigned char *)p->text || len != 3 || memcmp(s, "\xef\xbb\xbf", 3) != 0)
            at.column++;
        s += len;
    }
    return true;
}
