/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding as an exception for the site file.  Whoever answers for it, and why, can be any text: it is written as a YAML
 * scalar in double quotes, in which everything can be escaped, and the whole is read back before it is shown.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"
#include "flowaudit/rules.h"
#include "flowaudit/utf8.h"
#include "report-private.h"

enum { F_KIND, F_CLIENT, F_SERVER, F_TRANSPORT, F_PORT, F_LAST, F_REASON, F_WAIVED, F_ROW };

static const char finding_sql[] =
    "SELECT f.kind, f.client, f.server, f.transport, f.server_port, f.last_seen, f.reason, f.waived_by, f.row_id"
    " FROM findings f WHERE f.run_id = ?1 AND f.finding_id = ?2";

static bool is_plain(uint32_t c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !(c >= 0x80 && c < 0xa0) && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* YAML 1.2, 5.7: \xNN is a character, not a byte; what is no UTF-8 is shown as U+FFFD. */
/* A '?' that stands alone is refused by the reader of site files, in quotes too: it takes it for that of a key. */
static bool looks_like_key(const char *whole, const char *at)
{
    return strchr(" \t,[]{}", at[1]) != NULL && (at == whole || !isalnum((unsigned char)at[-1]));
}

static void put_scalar(FILE *out, const char *text)
{
    const char *whole = text;

    putc('"', out);
    for (size_t left = strlen(text); left > 0;) {
        uint32_t c;
        size_t n = utf8_decode(text, left, &c);

        if (n == 0)
            fputs("\\uFFFD", out);
        else if (is_plain(c) && (c != '?' || !looks_like_key(whole, text)))
            fwrite(text, 1, n, out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (c < 0x100)
            fprintf(out, "\\x%02" PRIX32, c);
        else
            fprintf(out, c < 0x10000 ? "\\u%04" PRIX32 : "\\U%08" PRIX32, c);
        n = n == 0 ? 1 : n;
        text += n;
        left -= n;
    }
    putc('"', out);
}

/* The same finding has the same name in each audit. */
static int make_id(struct cursor *c, char ret[static 16], struct err *reterr)
{
    char sha256[DIGEST_TEXT_SIZE];
    struct digest *d;
    int rc = digest_new(&d, reterr);

    if (rc != 0)
        return rc;
    for (int i = F_KIND; i <= F_PORT; i++) {
        size_t len;
        const char *text = cursor_text(c, i, &len);

        digest_update(d, text, len);
        digest_update(d, "\n", 1);
    }
    digest_text(d, sha256);
    digest_free(d);
    snprintf(ret, 16, "W-%.8s", sha256);
    return 0;
}

/* An exception covers flows between two ends on one port; nothing else can be waived by one. */
static int check_kind(struct cursor *c, int64_t finding_id, struct err *reterr)
{
    const char *kind = cursor_text(c, F_KIND, NULL);

    if (strcmp(kind, "missing") == 0 || strcmp(kind, "misdropped") == 0)
        return err_set(reterr, -EINVAL, "finding %lld is about a required flow, and exceptions are for forbidden ones; 'expect: {%.100s: on-demand}' in the site file"
                       " says that it is not required", (long long)finding_id, cursor_text(c, F_ROW, NULL));
    if (cursor_type(c, F_TRANSPORT) == CELL_NULL)
        return err_set(reterr, -EINVAL, "finding %lld (%.40s) is about no single flow, and cannot be covered by an exception", (long long)finding_id, kind);
    if (cursor_type(c, F_CLIENT) == CELL_NULL || cursor_type(c, F_SERVER) == CELL_NULL || cursor_type(c, F_PORT) == CELL_NULL)
        return err_set(reterr, -EINVAL, "finding %lld sums up many flows; write an exception with networks or host entries for its ends by hand", (long long)finding_id);
    if (cursor_type(c, F_WAIVED) != CELL_NULL)
        return err_set(reterr, -EINVAL, "finding %lld is covered by exception %.200s already", (long long)finding_id, cursor_text(c, F_WAIVED, NULL));
    return 0;
}

static void put_stanza(FILE *out, struct cursor *c, const struct report_waiver *w, const char *id)
{
    fputs("exceptions:\n  - id: ", out);
    put_scalar(out, w->id != NULL ? w->id : id);
    fputs("\n    client: ", out);
    put_scalar(out, cursor_text(c, F_CLIENT, NULL));
    fputs("\n    server: ", out);
    put_scalar(out, cursor_text(c, F_SERVER, NULL));
    fprintf(out, "\n    port: %s/%" PRId64 "\n    owner: ", strcmp(cursor_text(c, F_TRANSPORT, NULL), "udp") == 0 ? "udp" : "tcp",
            cursor_integer(c, F_PORT));
    put_scalar(out, w->owner);
    fputs("\n    reason: ", out);
    put_scalar(out, w->reason);
    fputs("\n    until: ", out);
    put_scalar(out, w->until);
    fputs("\n", out);
}

/* As the site loader reads it: 0, or its first error. */
static int read_back(const char *stanza, const struct report_waiver *w, struct err *reterr)
{
    static const char hosts[] = "hosts:\n  nobody: {addresses: [192.0.2.1], roles: []}\n";
    struct diag_list diags = {0};
    struct site *site = NULL;
    char *text = NULL;
    int n = asprintf(&text, "%s%s", hosts, stanza), rc = n < 0 ? err_set(reterr, -ENOMEM, "out of memory") : 0;

    if (rc == 0 && (site_parse(text, (size_t)n, "exception", &site, &diags) != 0 || site->n_exceptions != 1))
        rc = err_set(reterr, -EINVAL, "this makes no exception: %.300s", diags.n_items > 0 ? diags.items[0].message : "it cannot be read");
    if (rc == 0 && (strcmp(site->exceptions[0].owner, w->owner) != 0 || strcmp(site->exceptions[0].reason, w->reason) != 0))
        rc = err_set(reterr, -EINVAL, "owner and reason must be UTF-8 text");
    diag_list_clear(&diags);
    site_free(site);
    if (n >= 0)
        free(text);
    return rc;
}

static int write_waiver(struct cursor *c, const struct report_waiver *w, FILE *out, struct err *reterr)
{
    const char *last = cursor_text(c, F_LAST, NULL);
    char id[16], *stanza = NULL;
    size_t size;
    int rc = check_kind(c, w->finding_id, reterr);

    if (rc == 0 && (w->owner[0] == '\0' || w->reason[0] == '\0'))
        rc = err_set(reterr, -EINVAL, "an exception has an owner and a reason; neither may be empty");
    if (rc == 0)
        rc = make_id(c, id, reterr);
    if (rc != 0)
        return rc;
    FILE *f = open_memstream(&stanza, &size);
    if (f == NULL)
        return err_set(reterr, -ENOMEM, "out of memory");
    put_stanza(f, c, w, id);
    rc = fclose(f) == 0 ? read_back(stanza, w, reterr) : err_set(reterr, -ENOMEM, "out of memory");
    if (rc == 0 && strncmp(w->until, last, 10) < 0)
        rc = err_set(reterr, -EINVAL, "the finding was last seen on %.10s, and an exception until %.10s does not cover that", last, w->until);
    if (rc == 0) {
        fputs("# For the site file; where that has 'exceptions:' already, add the entry to its list.\n# ", out);
        report_put_safe(out, cursor_text(c, F_REASON, NULL));
        fprintf(out, "\n%s", stanza);
    }
    free(stanza);
    return rc;
}

int report_waive(struct report *r, const struct report_waiver *w, FILE *out, struct err *reterr)
{
    struct report_summary summary;
    struct cursor *c;
    int rc = report_summary(r, w->run_id, &summary, reterr);

    if (rc != 0)
        return rc;
    const int64_t args[] = {summary.run_id, w->finding_id};
    rc = reader_query(r->reader, finding_sql, args, 2, &c, reterr);
    if (rc != 0)
        return rc;
    rc = cursor_next(c, reterr);
    if (rc == 0)
        rc = err_set(reterr, -EINVAL, "run %lld has no finding %lld", (long long)summary.run_id, (long long)w->finding_id);
    else if (rc == 1)
        rc = write_waiver(c, w, out, reterr);
    cursor_free(c);
    return rc;
}
