/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows up to a bound, and one way into it for each medium: what came from traffic passes through the escapers. */
#ifndef NOTIFY_OUT_H
#define NOTIFY_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
    char  *text;  /* ends in a NUL that 'n' does not count; NULL while nothing was written */
    size_t n, size;
    size_t limit; /* 0: OUT_LIMIT */
    bool   cut;   /* something did not fit (or there is no memory): the text is not whole, and must not be sent */
};
#define OUT_LIMIT 65536

void out_reset(struct out *);
void out_free(struct out *);

/* Trusted text, as it is. */
void out_bytes(struct out *, const void *bytes, size_t n);
void out_text(struct out *, const char *);
void out_format(struct out *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Untrusted text; NULL is the empty text. */
void out_plain(struct out *, const char *); /* for terminals and log lines: one line; controls and the like are shown as \uXXXX */
void out_json(struct out *, const char *);  /* a JSON string with its quotes */
/* ' name="value"' of RFC 5424, section 6.3.3; nothing where the value is empty. */
void out_sd_param(struct out *, const char *name, const char *value);
void out_label(struct out *, const char *);       /* a label's value of the Prometheus text format, with its quotes */
void out_time(struct out *, int64_t ns);          /* 2026-01-31T10:00:00.123456Z */
void out_count(struct out *, uint64_t);           /* 12,345 */
void out_size(struct out *, uint64_t);            /* 12.3 kB */

/* Does showing this character do more than show itself? */
bool out_is_unsafe(uint32_t c);

/* JSON with commas where they belong. */
struct json {
    struct out *out;
    bool        first; /* no comma before the next member */
};
void object_open(struct json *, const char *key); /* key NULL: the document itself */
void object_close(struct json *);
void member_text(struct json *, const char *key, const char *value); /* nothing where the value is NULL or empty */
void member_number(struct json *, const char *key, uint64_t value);
void member_bool(struct json *, const char *key, bool value);
void member_time(struct json *, const char *key, int64_t ns);        /* nothing where 0 */
/* Leaves out what is NULL, empty or a repetition; nothing where nothing is left. */
void member_list(struct json *, const char *key, const char *const *values, size_t n);

#endif
