/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/classify.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit explain [-s SITE] [OPTIONS] CLIENT SERVER PROTO/PORT\n\n"
    "Says what the matrix says of one flow: the rows considered, and why each\n"
    "matched or not.\n\n"
    "  CLIENT, SERVER        addresses, or names of hosts in the site file\n"
    "  PROTO/PORT            tcp/443, udp/5060\n"
    "  -s, --site FILE       the site file (default: flowaudit.yaml)\n"
    "      --protocol NAME   what the content was recognised as: Kerberos, TLS, RTP\n"
    "      --client-port N   the client's port (media: each direction is judged)\n"
    "      --both            packets went both ways (media, and SIP or NetBIOS names\n"
    "                        between like ports, where CLIENT is who asked)\n"
    "      --format FORMAT   text (default) or json\n"
    "  -h, --help            this text\n\n"
    "Exit: 0 allowed, 1 not allowed, 2 wrong usage or unusable file.\n";

struct request {
    const char        *site, *protocol;
    enum policy_format format;
    uint16_t           client_port;
    bool               both;
};

static int parse_port_number(const char *text, uint16_t *ret)
{
    char *end;
    long  n = strtol(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > 65535)
        return complain("'%s' is not a port; a number from 1 to 65535 is wanted", text);
    *ret = (uint16_t)n;
    return 0;
}

static int take_format(const char *text, void *to)
{
    enum policy_format *ret = to;

    if (strcmp(text, "text") == 0)
        *ret = POLICY_TEXT;
    else if (strcmp(text, "json") == 0)
        *ret = POLICY_JSON;
    else
        return complain("unknown format '%s'; known are text and json", text);
    return 0;
}

static int take_port(const char *text, void *to)
{
    return parse_port_number(text, to);
}

static int parse_service(const char *text, struct tuple *ret)
{
    if (strncmp(text, "tcp/", 4) == 0)
        ret->transport = IPPROTO_TCP;
    else if (strncmp(text, "udp/", 4) == 0)
        ret->transport = IPPROTO_UDP;
    else
        return complain("'%s' is not a service; tcp/PORT or udp/PORT is wanted", text);
    return parse_port_number(text + 4, &ret->server_port);
}

static int unknown_end(const struct site *site, const char *text)
{
    const char **names = calloc(site->n_hosts + 1, sizeof(*names));

    for (size_t i = 0; names != NULL && i < site->n_hosts; i++)
        names[i] = site->hosts[i].name.text;
    const char *nearest = names != NULL ? diag_nearest(text, names, site->n_hosts) : NULL;
    free(names);
    return nearest != NULL ? complain("'%s' is neither an address nor a host of the site; did you mean '%s'?", text, nearest)
                           : complain("'%s' is neither an address nor a host of the site", text);
}

/* A name of the site stands for its first address. */
static int parse_end(const struct site *site, const char *text, struct addr *ret)
{
    for (size_t i = 0; i < site->n_hosts; i++) {
        if (strcmp(site->hosts[i].name.text, text) == 0 && site->hosts[i].n_ranges > 0) {
            *ret = site->hosts[i].ranges[0].low;
            return 0;
        }
    }
    if (addr_parse(text, ret) == 0)
        return 0;
    return unknown_end(site, text);
}

static int set_protocol(const char *name, struct app *ret)
{
    if (name == NULL)
        return 0;
    if (!classify_knows(name)) {
        const char *const *names = classify_names();
        size_t             n = 0;

        while (names[n] != NULL)
            n++;
        const char *nearest = diag_nearest(name, names, n);
        return nearest != NULL ? complain("unknown protocol '%s'; did you mean '%s'?", name, nearest)
                               : complain("unknown protocol '%s'", name);
    }
    ret->basis = APP_CONTENT;
    ret->contradicts = true;
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    return 0;
}

static int run(const struct request *r, char **words)
{
    struct rulebook     book;
    struct policy_query q = {.direction_known = true};
    struct judgement    j;

    if (parse_service(words[2], &q.tuple) != 0 || set_protocol(r->protocol, &q.app) != 0)
        return misuse("explain");
    int rc = rulebook_load(&book, r->site, true);
    if (rc != 0)
        return rc;
    if (parse_end(book.site, words[0], &q.tuple.client) != 0 || parse_end(book.site, words[1], &q.tuple.server) != 0) {
        rulebook_free(&book);
        return misuse("explain");
    }
    q.tuple.client_port = r->client_port;
    q.sent[0] = q.sent[1] = r->both;
    q.one_asks = r->both && q.tuple.transport == IPPROTO_UDP && classify_has_talk(r->client_port, q.tuple.server_port);
    policy_judge(book.policy, &q, &j);
    policy_explain(book.policy, &q, r->format, stdout);
    rulebook_free(&book);
    return finish_output(j.verdict == VERDICT_ALLOWED ? EXIT_NOTHING : EXIT_FINDINGS);
}

int cmd_explain(int argc, char **argv)
{
    struct request            r = {.format = POLICY_TEXT};
    const struct option_row   rows[] = {{"site", 's', OPTION_TEXT, &r.site, NULL},
                                        {"protocol", 0, OPTION_TEXT, &r.protocol, NULL},
                                        {"format", 0, OPTION_CALL, &r.format, take_format},
                                        {"client-port", 0, OPTION_CALL, &r.client_port, take_port},
                                        {"both", 0, OPTION_FLAG, &r.both, NULL}};
    const struct command_line line = {"explain", help, OPTION_ROWS(rows), 3, 3, "explain takes CLIENT SERVER PROTO/PORT"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    return rc != OPTIONS_TAKEN ? rc : run(&r, argv + first);
}
