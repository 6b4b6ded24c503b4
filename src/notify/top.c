/* SPDX-License-Identifier: Apache-2.0 */
#include "top.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

/* --- what is on it ----------------------------------------------------------------------------------------------- */

static void copy_safe(char *to, size_t size, const char *text)
{
    struct out out = {0};

    out_plain(&out, text);
    snprintf(to, size, "%s", out.text != NULL ? out.text : "");
    out_free(&out);
}

static void take_row(struct top_row *r, const struct notify_conversation *c)
{
    const char *client = c->client_name != NULL && *c->client_name != '\0' ? c->client_name : c->client;
    const char *server = c->server_name != NULL && *c->server_name != '\0' ? c->server_name : c->server;

    *r = (struct top_row){.id = c->conversation_id, .flows = c->flows, .packets = c->packets, .bytes = c->bytes, .last_ns = c->last_ns};
    copy_safe(r->client, sizeof(r->client), client != NULL ? client : "(many)");
    copy_safe(r->server, sizeof(r->server), server != NULL ? server : "(many)");
    const char *transport = c->transport == IPPROTO_TCP ? "tcp" : "udp";
    if (c->server_port != 0)
        snprintf(r->service, sizeof(r->service), "%s/%u", transport, c->server_port);
    else
        snprintf(r->service, sizeof(r->service), "%s/*", transport);
    copy_safe(r->protocol, sizeof(r->protocol), c->protocol);
    snprintf(r->verdict, sizeof(r->verdict), "%s", c->kind != FINDING_NONE ? finding_kind_name(c->kind) : verdict_name(c->verdict));
    r->bad = c->disposition == DISPOSITION_ESCAPED;
    r->warn = c->disposition == DISPOSITION_REJECTED || c->disposition == DISPOSITION_MISDROPPED;
}

static void take_rows(struct top *t, struct notify_time now, const struct notify_vitals *v)
{
    struct { uint64_t id, bytes; } before[TOP_MAX_ROWS];
    size_t  n_before = t->n_rows;
    int64_t elapsed = now.steady_ns - t->rows_ns;

    for (size_t i = 0; i < n_before; i++) {
        before[i].id = t->rows[i].id;
        before[i].bytes = t->rows[i].bytes;
    }
    t->n_rows = v->n_top < TOP_MAX_ROWS ? v->n_top : TOP_MAX_ROWS;
    t->rows_ns = now.steady_ns;
    for (size_t i = 0; i < t->n_rows; i++) {
        struct top_row *r = &t->rows[i];
        take_row(r, &v->top[i]);
        for (size_t k = 0; k < n_before && elapsed > 0; k++)
            if (before[k].id == r->id && r->bytes > before[k].bytes)
                r->rate = (uint64_t)((double)(r->bytes - before[k].bytes) * 1e9 / (double)elapsed);
    }
}

static void put_number(struct out *out, uint64_t n, const char *what)
{
    out_count(out, n);
    out_text(out, what);
}

static void put_findings(struct out *out, const struct notify_vitals *v)
{
    const char *separator = " ";

    out_text(out, "Findings:");
    for (int s = SEVERITY_CRITICAL; s <= SEVERITY_NOTICE; s++) {
        uint64_t n = 0;
        for (unsigned k = 0; k < FINDING_N_KINDS; k++)
            n += v->findings[k][s];
        if (n == 0)
            continue;
        out_text(out, separator);
        out_count(out, n);
        out_format(out, " %s", severity_name((enum severity)s));
        separator = ", ";
    }
    if (separator[0] == ' ')
        out_text(out, " none");
    if (v->waived > 0) {
        out_text(out, ", ");
        put_number(out, v->waived, " waived");
    }
}

static void put_interfaces(struct out *out, const struct notify_vitals *v)
{
    for (size_t i = 0; i < v->n_interfaces; i++) {
        const struct notify_interface *f = &v->interfaces[i];
        out_text(out, i > 0 ? "; " : "");
        out_plain(out, f->name);
        out_text(out, f->up ? ": " : " IS DOWN: ");
        put_number(out, f->received, " packets");
        if (f->dropped + f->interface_dropped > 0) {
            out_text(out, ", ");
            put_number(out, f->dropped + f->interface_dropped, " dropped");
        }
    }
}

static void take_head(struct top *t, struct notify_time now, const struct notify_vitals *v)
{
    int64_t up = v->started_ns != 0 && now.wall_ns > v->started_ns ? (now.wall_ns - v->started_ns) / 1000000000 : 0;

    for (unsigned i = 0; i < 4; i++)
        out_reset(&t->head[i]);
    out_format(&t->head[0], "flowaudit  up %" PRId64 ":%02d:%02d  ", up / 3600, (int)(up / 60 % 60), (int)(up % 60));
    put_number(&t->head[0], v->packets, " packets, ");
    out_size(&t->head[0], v->bytes);
    out_text(&t->head[0], ", ");
    put_number(&t->head[0], v->discarded, " not judged");
    put_findings(&t->head[1], v);
    put_interfaces(&t->head[2], v);
    put_number(&t->head[3], v->flows_now, " flows now, ");
    put_number(&t->head[3], v->conversations, " conversations; memory ");
    out_size(&t->head[3], v->memory);
    out_text(&t->head[3], "; record ");
    out_size(&t->head[3], v->database_bytes);
    out_format(&t->head[3], ", %.1f s behind", v->recorder_lag);
}

void top_look(struct top *t, struct notify_time now, const struct notify_vitals *v)
{
    if (t->paused)
        return;
    take_head(t, now, v);
    take_rows(t, now, v);
    top_sort(t);
}

/* A line at the top of the list; an older one of the same finding goes. */
static struct top_line *new_line(struct top *t, uint64_t run_id, uint64_t finding_id)
{
    size_t at = t->n_lines < TOP_MAX_LINES ? t->n_lines : TOP_MAX_LINES - 1;

    for (size_t i = 0; finding_id != 0 && i < t->n_lines; i++)
        if (t->lines[i].finding_id == finding_id && t->lines[i].run_id == run_id)
            at = i;
    if (at == t->n_lines)
        t->n_lines++;
    memmove(t->lines + 1, t->lines, at * sizeof(t->lines[0]));
    t->lines[0].run_id = run_id;
    t->lines[0].finding_id = finding_id;
    return &t->lines[0];
}

static void set_text(struct top_line *line, struct out *out)
{
    snprintf(line->text, sizeof(line->text), "%s", out->cut || out->text == NULL ? "" : out->text);
    out_free(out);
}

void top_alert(struct top *t, const struct alert *a)
{
    struct top_line *line = new_line(t, (uint64_t)a->run_id, a->finding->finding_id);
    struct out       out = {0};

    line->severity = a->severity;
    put_clock(&out, a->finding->last_ns != 0 ? a->finding->last_ns : a->now.wall_ns);
    out_format(&out, "%s %s: ", severity_name(a->severity), finding_kind_name(a->kind));
    put_sentence(&out, a->finding, a->nth, true);
    set_text(line, &out);
}

void top_message(struct top *t, const struct message *m)
{
    struct top_line *line = new_line(t, 0, 0);
    struct out       out = {0};

    line->severity = m->level <= NOTIFY_ERROR ? SEVERITY_HIGH : m->level == NOTIFY_WARNING ? SEVERITY_MEDIUM : SEVERITY_NOTICE;
    put_clock(&out, m->now.wall_ns);
    out_plain(&out, m->sentence);
    set_text(line, &out);
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? 1 : a > b ? -1 : 0;
}

static int by_bytes(const void *a, const void *b)
{
    return compare(((const struct top_row *)a)->bytes, ((const struct top_row *)b)->bytes);
}

static int by_packets(const void *a, const void *b)
{
    return compare(((const struct top_row *)a)->packets, ((const struct top_row *)b)->packets);
}

static int by_flows(const void *a, const void *b)
{
    return compare(((const struct top_row *)a)->flows, ((const struct top_row *)b)->flows);
}

static int by_last(const void *a, const void *b)
{
    return compare((uint64_t)((const struct top_row *)a)->last_ns, (uint64_t)((const struct top_row *)b)->last_ns);
}

void top_sort(struct top *t)
{
    static int (*const orders[])(const void *, const void *) = {
        [NOTIFY_BY_BYTES] = by_bytes, [NOTIFY_BY_PACKETS] = by_packets, [NOTIFY_BY_FLOWS] = by_flows, [NOTIFY_BY_LAST] = by_last};

    qsort(t->rows, t->n_rows, sizeof(t->rows[0]), orders[t->sort]);
}

void top_clear(struct top *t)
{
    for (unsigned i = 0; i < 4; i++)
        out_free(&t->head[i]);
}
