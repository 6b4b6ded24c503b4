/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "words.h"

enum severity severity_of(const struct store_finding *f)
{
    for (int s = SEVERITY_CRITICAL; f->severity != NULL && s <= SEVERITY_NOTICE; s++)
        if (strcmp(severity_name((enum severity)s), f->severity) == 0)
            return (enum severity)s;
    return SEVERITY_NOTICE;
}

enum finding_kind kind_of(const struct store_finding *f)
{
    enum finding_kind kind;

    return f->kind != NULL && finding_kind_parse(f->kind, &kind) == 0 ? kind : FINDING_NONE;
}

int level_of(enum severity severity)
{
    static const int levels[] = {[SEVERITY_CRITICAL] = 2, [SEVERITY_HIGH] = 4, [SEVERITY_MEDIUM] = 5, [SEVERITY_LOW] = 6, [SEVERITY_NOTICE] = 6};

    return levels[severity];
}

static bool has(const char *text)
{
    return text != NULL && *text != '\0';
}

void put_end(struct out *out, const char *name, const char *address)
{
    out_plain(out, has(name) ? name : has(address) ? address : "many");
    if (has(name) && has(address)) {
        out_text(out, " (");
        out_plain(out, address);
        out_text(out, ")");
    }
}

void put_counts(struct out *out, const struct store_finding *f)
{
    out_count(out, f->flows);
    out_text(out, f->flows == 1 ? " flow, " : " flows, ");
    out_count(out, f->packets);
    out_text(out, f->packets == 1 ? " packet, " : " packets, ");
    out_size(out, f->bytes);
}

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

size_t first_sentence(const char *text)
{
    for (const char *at = text; (at = strstr(at, ". ")) != NULL; at += 2)
        if (at < text + 2 || at[-2] != ' ' || (at[-1] >= '0' && at[-1] <= '9')) /* not after an initial */
            return (size_t)(at + 1 - text);
    return strlen(text);
}

void put_sentence(struct out *out, const struct store_finding *f, unsigned nth, bool brief)
{
    char *first = brief && f->reason != NULL ? strndup(f->reason, first_sentence(f->reason)) : NULL;

    out_plain(out, first != NULL ? first : f->reason);
    free(first);
    if (nth < 2)
        return;
    out_text(out, " [");
    put_counts(out, f);
    out_text(out, " by now]");
}

void put_clock(struct out *out, int64_t ns)
{
    struct tm tm;
    time_t    seconds = (time_t)(ns / 1000000000);

    if (gmtime_r(&seconds, &tm) != NULL)
        out_format(out, "%02d:%02d:%02dZ ", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

uint64_t count_findings(const struct notify_vitals *v, uint64_t *ret_notices)
{
    uint64_t n = 0;

    *ret_notices = 0;
    for (unsigned k = 0; k < FINDING_N_KINDS; k++) {
        for (unsigned s = SEVERITY_CRITICAL; s < SEVERITY_NOTICE; s++)
            n += v->findings[k][s];
        *ret_notices += v->findings[k][SEVERITY_NOTICE];
    }
    return n;
}

uint64_t count_dropped(const struct notify_vitals *v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < v->n_interfaces; i++)
        n += v->interfaces[i].dropped + v->interfaces[i].interface_dropped;
    return n > v->dropped ? n : v->dropped;
}

static void put_number(struct out *out, uint64_t n, const char *one, const char *many)
{
    out_count(out, n);
    out_format(out, " %s", n == 1 ? one : many);
}

void put_status(struct out *out, const struct notify_vitals *v)
{
    uint64_t notices, findings = count_findings(v, &notices), dropped = count_dropped(v);

    if (v->packet_ns != 0)
        put_clock(out, v->packet_ns);
    put_number(out, v->packets, "packet", "packets");
    out_text(out, ", ");
    out_count(out, dropped);
    out_text(out, " dropped, ");
    put_number(out, v->flows_now, "flow", "flows");
    out_text(out, ", ");
    put_number(out, findings, "finding", "findings");
    for (size_t i = 0; i < v->n_interfaces; i++)
        if (!v->interfaces[i].up) {
            out_text(out, ", ");
            out_plain(out, v->interfaces[i].name);
            out_text(out, " is down");
        }
}
