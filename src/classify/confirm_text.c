/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols in text: HTTP/1 (RFC 9112), SIP (RFC 3261), SMTP (RFC 5321), SSH (RFC 4253), RFB, which VNC speaks (RFC
 * 6143). */
#include <string.h>
#include <strings.h>

#include "confirm.h"

#define TEXT_MAX_LINE 2048 /* how far an end of line is looked for */

struct line {
    const char *text;
    size_t len;    /* without its end */
    bool complete; /* its end was found */
};

static struct line line_first(const struct confirm_input *in)
{
    size_t len = in->len < TEXT_MAX_LINE ? in->len : TEXT_MAX_LINE;
    const char *text = (const char *)in->data, *end = memchr(text, '\n', len);
    struct line line = {text, end != NULL ? (size_t)(end - text) : len, end != NULL};

    if (line.complete && line.len > 0 && text[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Inline: of a prefix that is written down, the length is known then. */
static inline bool text_begins(const char *text, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);

    return len >= n && memcmp(text, prefix, n) == 0;
}

static bool text_begins_anycase(const char *text, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);

    return len >= n && strncasecmp(text, prefix, n) == 0;
}

static bool line_contains_anycase(const struct line *line, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= line->len; i++) {
        if (strncasecmp(line->text + i, word, n) == 0)
            return true;
    }
    return false;
}

static bool is_of_method(char c)
{
    return (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the method in front of a blank, 0 where there is none. */
static size_t line_method(const struct line *line)
{
    size_t n = 0;

    while (n < line->len && n < 24 && is_of_method(line->text[n]))
        n++;
    return n >= 3 && n < line->len && line->text[n] == ' ' ? n : 0;
}

/* METHOD SP target SP VERSION; of a line whose end was not captured the target's beginning decides. */
static bool line_is_request(const struct line *line, const char *version, const char *const *targets)
{
    size_t method = line_method(line);

    if (method == 0)
        return false;
    const char *target = line->text + method + 1;
    size_t len = line->len - method - 1;
    if (line->complete) {
        const char *last = memrchr(target, ' ', len);
        return last != NULL && text_begins(last + 1, len - (size_t)(last + 1 - target), version);
    }
    for (; *targets != NULL; targets++) {
        if (text_begins(target, len, *targets))
            return true;
    }
    return false;
}

/* VERSION SP three digits */
static bool line_is_status(const struct line *line, const char *version)
{
    if (line->len == 0 || line->text[0] != version[0] || !text_begins(line->text, line->len, version))
        return false;
    size_t n = strlen(version);
    while (n < line->len && n < 16 && line->text[n] != ' ')
        n++;
    return n + 4 <= line->len && is_digit(line->text[n + 1]) && is_digit(line->text[n + 2]) && is_digit(line->text[n + 3]);
}

enum confirm_answer confirm_http(const struct confirm_input *in, const char **ret_detail)
{
    static const char *const targets[] = {"/", "http://", "https://", "* HTTP/", NULL};
    struct line line = line_first(in);

    (void)ret_detail;
    if (line_is_status(&line, "HTTP/1."))
        return CONFIRM_RESPONSE;
    return line_is_request(&line, "HTTP/", targets) ? CONFIRM_REQUEST : CONFIRM_NO;
}

/* Of a dialog that there is (RFC 3261, 12.2.1.1): a To with a tag.  Either end of it asks then. */
static bool sip_in_dialog(const struct confirm_input *in)
{
    const char *text = (const char *)in->data, *end = text + in->len;

    for (const char *line = text; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t      len = (size_t)((next != NULL ? next : end) - line);
        bool        is_to = (len > 3 && strncasecmp(line, "To:", 3) == 0) || (len > 2 && strncasecmp(line, "t:", 2) == 0);

        if (is_to)
            return memmem(line, len, ";tag=", 5) != NULL;
        line = next != NULL ? next + 1 : end;
    }
    return false;
}

/* Over one connection both ends ask (RFC 5923: a BYE comes back on the one that is there), so that a request does not tell who opened it. */
static enum confirm_answer sip_side(const struct confirm_input *in, enum confirm_answer said)
{
    bool from = is_sip_port(in->sport), to = is_sip_port(in->dport);

    if (in->udp)
        return said == CONFIRM_REQUEST && from && to && ((in->len >= 4 && memcmp(in->data, "BYE ", 4) == 0) || sip_in_dialog(in)) ? CONFIRM_YES : said;
    return from == to ? CONFIRM_YES : to ? CONFIRM_REQUEST : CONFIRM_RESPONSE;
}

enum confirm_answer confirm_sip(const struct confirm_input *in, const char **ret_detail)
{
    static const char *const targets[] = {"sip:", "sips:", "tel:", NULL};
    struct line line = line_first(in);

    (void)ret_detail;
    if (line_is_status(&line, "SIP/2."))
        return sip_side(in, CONFIRM_RESPONSE);
    return line_is_request(&line, "SIP/2.", targets) ? sip_side(in, CONFIRM_REQUEST) : CONFIRM_NO;
}

/* A greeting that names the protocol, or the client's first command; 220 alone may be FTP's. */
enum confirm_answer confirm_smtp(const struct confirm_input *in, const char **ret_detail)
{
    struct line line = line_first(in);

    (void)ret_detail;
    if ((text_begins(line.text, line.len, "220 ") || text_begins(line.text, line.len, "220-")) &&
        line_contains_anycase(&line, "SMTP"))
        return CONFIRM_RESPONSE;
    if (line.complete &&
        (text_begins_anycase(line.text, line.len, "EHLO ") || text_begins_anycase(line.text, line.len, "HELO ")))
        return CONFIRM_REQUEST;
    if (text_begins_anycase(line.text, line.len, "MAIL FROM:") || text_begins_anycase(line.text, line.len, "RCPT TO:"))
        return CONFIRM_REQUEST;
    return CONFIRM_NO;
}

/* The rest of a dialogue, where SMTP is expected: commands, and answers that FTP does not give. */
enum confirm_answer confirm_smtp_dialogue(const struct confirm_input *in, const char **ret_detail)
{
    static const char *const commands[] = {"EHLO",  "HELO",  "RSET",         "STARTTLS", "AUTH ",
                                           "BDAT ", "VRFY ", "X-LINK2STATE", "XEXCH50"};
    static const char *const answers[] = {"250-", "250 2.", "354 ",   "221 2.", "554 ",   "421 4.", "450 ",
                                          "451 ", "550 5.", "235 2.", "503 5.", "220 2.", "334 "};
    struct line line = line_first(in);

    (void)ret_detail;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (text_begins_anycase(line.text, line.len, commands[i]))
            return CONFIRM_REQUEST;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (text_begins(line.text, line.len, answers[i]))
            return CONFIRM_RESPONSE;
    }
    return CONFIRM_NO;
}

/* Both sides send this line, in any order. */
enum confirm_answer confirm_ssh(const struct confirm_input *in, const char **ret_detail)
{
    const char *text = (const char *)in->data;

    (void)ret_detail;
    return text_begins(text, in->len, "SSH-2.0-") || text_begins(text, in->len, "SSH-1.") ? CONFIRM_YES : CONFIRM_NO;
}

/* A greeting that names its protocol. */
static enum confirm_answer text_greeting(const struct confirm_input *in, const char *code, const char *word)
{
    struct line line = line_first(in);

    return text_begins(line.text, line.len, code) && line_contains_anycase(&line, word) ? CONFIRM_RESPONSE : CONFIRM_NO;
}

enum confirm_answer confirm_ftp(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return text_greeting(in, "220", "FTP");
}

enum confirm_answer confirm_pop3(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return text_greeting(in, "+OK ", "POP3");
}

enum confirm_answer confirm_imap(const struct confirm_input *in, const char **ret_detail)
{
    (void)ret_detail;
    return text_greeting(in, "* OK ", "IMAP");
}

/* Two option negotiations in a row: IAC, WILL to DONT, an option that is in use. */
enum confirm_answer confirm_telnet(const struct confirm_input *in, const char **ret_detail)
{
    const uint8_t *p = in->data;

    (void)ret_detail;
    if (in->len < 6)
        return CONFIRM_NO;
    for (unsigned i = 0; i < 6; i += 3) {
        if (p[i] != 0xff || p[i + 1] < 0xfb || p[i + 1] == 0xff || p[i + 2] > 49)
            return CONFIRM_NO;
    }
    return CONFIRM_YES;
}

/* "RFB 003.008\n": the server speaks first, the client answers with the same line. */
enum confirm_answer confirm_vnc(const struct confirm_input *in, const char **ret_detail)
{
    const char *p = (const char *)in->data;

    (void)ret_detail;
    if (in->len < 8 || !text_begins(p, in->len, "RFB 00") || p[7] != '.' || (in->len >= 12 && p[11] != '\n'))
        return CONFIRM_NO;
    return in->first ? CONFIRM_RESPONSE : CONFIRM_YES;
}
