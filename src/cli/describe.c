/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"

#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

/* --- JSON ------------------------------------------------------------------------------------------------- */

static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void put_member(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\":", key);
    if (text != NULL)
        put_text(out, text);
    else
        fputs("null", out);
}

/* --- parts -------------------------------------------------------------------------------------------------- */

static void put_settings(FILE *out, const struct engine_options *o)
{
    put_member(out, "filter", o->filter);
    fprintf(out,
            ",\"tcp_idle_s\":%lld,\"udp_idle_s\":%lld,\"memory_bytes\":%zu,\"flows\":\"%s\",\"flows_kept\":%zu,\"peers_"
            "kept\":%zu,\"window_s\":%lld",
            (long long)(o->flow.tcp_idle_ns / 1000000000), (long long)(o->flow.udp_idle_ns / 1000000000),
            o->flow.memory_limit, o->flows_all ? "all" : "violations", o->flows_kept, o->peers_kept,
            (long long)(o->window_ns / 1000000000));
}

static void put_port(FILE *out, const struct site_exception *e)
{
    static const char *const names[] = {"tcp", "udp"};
    const struct rules_port *p = &e->port;
    char text[32] = "any";

    if (!e->any_port)
        snprintf(text, sizeof(text), p->low == p->high ? "%s%s%u" : "%s%s%u-%u",
                 p->transport == 0 ? "" : names[p->transport == 17], p->transport == 0 ? "" : "/", (unsigned)p->low,
                 (unsigned)p->high);
    put_member(out, "port", text);
}

static void put_exceptions(FILE *out, const struct site *site)
{
    for (size_t i = 0; i < site->n_exceptions; i++) {
        const struct site_exception *e = &site->exceptions[i];

        fputs(i > 0 ? ",{" : "{", out);
        put_member(out, "id", e->id.text);
        fputc(',', out);
        put_member(out, "client", e->client.text);
        fputc(',', out);
        put_member(out, "server", e->server.text);
        fputc(',', out);
        put_port(out, e);
        fputc(',', out);
        put_member(out, "owner", e->owner);
        fputc(',', out);
        put_member(out, "reason", e->reason);
        fputc(',', out);
        put_member(out, "until", e->until_text);
        fputc('}', out);
    }
}

/* Lines of five fields; a line with another number of them is no data. */
static void put_requirements(FILE *out)
{
    static const char *const keys[] = {"standard", "clause", "title", "shows", "kinds"};
    char path[PATH_SIZE], *line = NULL, *fields[5];
    size_t size = 0, n_lines = 0;
    FILE *in = find_rules_data("requirements.tsv", path, sizeof(path)) ? fopen(path, "re") : NULL;

    while (in != NULL && getline(&line, &size, in) > 0) {
        char *rest = line;
        size_t n = 0;

        line[strcspn(line, "\r\n")] = '\0';
        while (line[0] != '#' && n < 5 && rest != NULL)
            fields[n++] = strsep(&rest, "\t");
        if (n < 5 || rest != NULL)
            continue;
        for (size_t i = 0; i < n; i++) {
            fputs(i > 0 ? "," : n_lines > 0 ? ",{" : "{", out);
            put_member(out, keys[i], fields[i]);
        }
        fputc('}', out);
        n_lines++;
    }
    if (in != NULL)
        fclose(in);
    free(line);
}

char *describe_options(const struct engine_options *o, const struct rulebook *book)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fputc('{', out);
    put_settings(out, o);
    fputs(",\"exceptions\":[", out);
    put_exceptions(out, book->site);
    fputs("],\"rows\":", out);
    int rc = policy_print(book->policy, true, POLICY_JSON_ROLES, out);
    fputs(",\"requirements\":[", out);
    put_requirements(out);
    fputs("]}", out);
    if (fclose(out) == 0 && rc == 0)
        return text;
    free(text);
    return NULL;
}

char *describe_command(const struct engine_options *o, const struct rulebook *book)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fprintf(out, "flowaudit check -s %s", book->site->file);
    if (o->filter != NULL)
        fprintf(out, " -f '%s'", o->filter);
    if (o->flows_all)
        fputs(" --flows all", out);
    if (o->window_ns > 0)
        fprintf(out, " --window %llds", (long long)(o->window_ns / 1000000000));
    fputs(" FILE...", out);
    return fclose(out) == 0 ? text : NULL;
}

char *describe_watch(const struct watch_options *o, const struct rulebook *book)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fprintf(out, "flowaudit watch -s %s", book->site->file);
    if (o->engine.filter != NULL)
        fprintf(out, " -f '%s'", o->engine.filter);
    if (o->engine.window_ns > 0)
        fprintf(out, " --window %llds", (long long)(o->engine.window_ns / 1000000000));
    for (size_t i = 0; i < o->n_interfaces; i++)
        fprintf(out, " -i %s", o->interfaces[i]);
    return fclose(out) == 0 ? text : NULL;
}
