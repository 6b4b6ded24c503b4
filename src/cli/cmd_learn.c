/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "flowaudit/engine.h"
#include "flowaudit/learn.h"
#include "flowaudit/report.h"
#include "options.h"

static const char help[] = "usage: flowaudit learn [-m MATRIX] [-f FILTER] [-j N] FILE...\n\n"
                           "Proposes a site file from captures: which address has which role of the matrix,\n"
                           "with the evidence as comments.  It is a proposal: read it before you use it.\n\n"
                           "  -m, --matrix NAME   in the rules directory, or a path (default: default)\n"
                           "  -f, --filter EXPR   only packets that match this pcap-filter(7) expression\n"
                           "  -r, --read FILE     the same as FILE\n"
                           "  -j, --workers N     threads (default 1); the result is the same\n"
                           "  -h, --help          this text\n\n"
                           "Exit status: 0 proposed, 2 nothing to propose or unusable input,\n"
                           "3 the evidence is incomplete, with a proposal or without.\n";

#define WIDTH        110 /* of a line of comments */
#define MAX_SERVICES 6   /* that are told where there is no role */
#define MAX_OTHERS   20  /* addresses without a role that are listed */
#define GROUP_FROM   3   /* clients with the same roles become one entry from this many on */
#define USUAL_WITHIN 3600

/* --- comments ---------------------------------------------------------------------------------------------- */

/* A comment of words, folded at WIDTH.  'indent' goes before each '#'. */
struct comment {
    const char *indent;
    size_t column;
};

static void comment_word(struct comment *c, const char *word)
{
    size_t len = strlen(word);

    if (c->column == 0 || c->column + 1 + len > WIDTH) {
        printf("%s%s#   %s%s", c->column == 0 ? "" : "\n", c->indent, c->column == 0 ? "" : "  ", word);
        c->column = strlen(c->indent) + 4 + (c->column == 0 ? 0 : 2) + len;
    } else {
        printf(" %s", word);
        c->column += 1 + len;
    }
}

static void comment_text(struct comment *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void comment_text(struct comment *c, const char *fmt, ...)
{
    char buf[1024], *rest = buf;
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0')
            comment_word(c, word);
}

static void comment_end(struct comment *c)
{
    if (c->column > 0)
        putchar('\n');
    c->column = 0;
}

/* A YAML text in double quotes. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            printf("\\x%02x", (unsigned)(unsigned char)*text);
            continue;
        }
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

/* --- the site's own keys ----------------------------------------------------------------------------------------- */

#define SPAN_TEXT_SIZE 48

/* "66 s", "9 min 12 s", "4 h 5 min", "1648 d 17 h": two units, cut and not rounded. */
static const char *span_text(int64_t ns, char buf[static SPAN_TEXT_SIZE])
{
    static const struct {
        const char *name;
        long long seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    long long s = ns / 1000000000;
    size_t i = 0;

    while (i + 1 < sizeof(units) / sizeof(units[0]) && s < units[i].seconds)
        i++;
    int n = snprintf(buf, SPAN_TEXT_SIZE, "%lld %s", s / units[i].seconds, units[i].name);
    if (s % units[i].seconds > 0 && s % units[i].seconds >= units[i + 1].seconds)
        snprintf(buf + n, SPAN_TEXT_SIZE - (size_t)n, " %lld %s", s % units[i].seconds / units[i + 1].seconds,
                 units[i + 1].name);
    return buf;
}

/* What a capture does not show in less time than the usual 'within' is no sign that it is never there: clocks are asked
 * each 64 s and more seldom, mail is polled each few minutes.  So a shorter 'within' is for the user to decide; here it is as
 * a line that need only be uncommented, in a unit that is easy to read: 58 s are "50s", 22 minutes "20m".  It has to fit the
 * longest time without a hole, which is what silence is judged by. */
static void print_within(int64_t span_ns, int64_t watched_ns)
{
    int64_t seconds = watched_ns / 1000000000, unit = seconds >= 600 ? 60 : 1;
    int64_t n = seconds / unit;
    char span[SPAN_TEXT_SIZE], watched[SPAN_TEXT_SIZE];

    if (n >= 10)
        n -= n % 10;
    printf("# within: 1h is in force where it is left out; the observation lasts %s", span_text(span_ns, span));
    if (watched_ns < span_ns)
        printf(", and the longest time\n# in it without a hole (more than a minute without a packet) %s",
               span_text(watched_ns, watched));
    printf(".\n");
    if (seconds >= USUAL_WITHIN)
        return;
    printf("# That is too short to say that a required flow is missing.");
    if (n > 0)
        printf("  To have it said all the same, of what was not seen in\n# this time, uncomment:\n# within: %lld%s",
               (long long)n, unit == 60 ? "m" : "s");
    printf("\n");
}

static void print_options(const struct matrix *m, const struct learn_result *r)
{
    if (r->n_options == 0)
        return;
    printf("# Only where what was seen needs another value than the matrix gives by itself.\noptions:\n");
    for (size_t i = 0; i < r->n_options; i++) {
        const struct learn_option *o = &r->options[i];

        printf("  %s: %s  # else %s; row %s was seen\n", o->name, o->value, o->usual, m->rows[o->row].id.text);
    }
}

/* "8080-8087, 8088": a site's list takes the place of the matrix's, so it has to hold that one as well. */
static void print_parameter(const struct matrix *m, const struct learn_port *ports, size_t n)
{
    const char *separator = "";
    uint16_t last = 0;

    printf("#   %s: [", ports[0].parameter);
    for (size_t i = 0; i < m->n_parameters; i++) {
        const struct rules_ports *given = &m->parameters[i].ports;

        for (size_t k = 0; k < given->n && strcmp(m->parameters[i].name.text, ports[0].parameter) == 0; k++) {
            printf("%s%u", separator, given->items[k].low);
            if (given->items[k].high > given->items[k].low)
                printf("-%u", given->items[k].high);
            separator = ", ";
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || ports[i].port != last)
            printf("%s%u", separator, ports[i].port);
        last = ports[i].port;
        separator = ", ";
    }
    printf("]\n");
}

/* What is served is not what is documented: whoever knows the site has to say so. */
static void print_ports(const struct matrix *m, const struct learn_result *r)
{
    char buf[ADDR_TEXT_SIZE];

    if (r->n_ports == 0)
        return;
    printf("# Served, not documented: if these ports are meant, list them under the parameter that the rows use.\n");
    for (size_t i = 0; i < r->n_ports; i++) {
        const struct learn_port *p = &r->ports[i];

        printf("#   %s/%u: %s served by %s, %llu flow%s (row %s)\n", p->transport == 6 ? "tcp" : "udp", p->port,
               p->protocol, addr_text(&p->server, buf), (unsigned long long)p->flows, p->flows == 1 ? "" : "s",
               m->rows[p->row].id.text);
    }
    printf("# A list in the site file replaces the matrix's: here the ports that the matrix gives come first, then those "
           "that were seen.\n"
           "# parameters:\n");
    for (size_t i = 0, n; i < r->n_ports; i += n) {
        n = 1;
        while (i + n < r->n_ports && strcmp(r->ports[i].parameter, r->ports[i + n].parameter) == 0)
            n++;
        print_parameter(m, &r->ports[i], n);
    }
}

/* --- hosts ---------------------------------------------------------------------------------------------------------
 */

static void print_rows(const struct matrix *m, const struct learn_role *role, bool as_server, bool confirmed)
{
    struct comment c = {.indent = "  "};
    const char *lead = as_server ? "served" : "used";

    for (size_t i = 0; i < role->n_seen; i++) {
        const struct learn_row *row = &role->seen[i];

        if (row->as_server != as_server || row->confirmed != confirmed)
            continue;
        if (c.column == 0)
            comment_text(&c, "  %s, %s:", lead, confirmed ? "confirmed by content" : "by port alone");
        comment_text(&c, "%s(%u)", m->rows[row->row].id.text, row->n_peers);
    }
    comment_end(&c);
}

static void print_role(const struct matrix *m, const struct learn_role *role)
{
    struct comment c = {.indent = "  "};

    comment_text(&c, "%s: %zu of its %u rows; in brackets: with how many peers", role->name, role->n_seen,
                 role->n_rows);
    comment_end(&c);
    for (unsigned i = 0; i < 4; i++)
        print_rows(m, role, i < 2, i % 2 == 0);
    if (role->n_missing > 0) {
        comment_text(&c, "required and never seen:");
        for (size_t i = 0; i < role->n_missing; i++)
            comment_text(&c, "%s", m->rows[role->missing[i]].id.text);
        comment_end(&c);
    }
    if (role->sign != NULL) {
        comment_text(&c, "told by the RPC interface %s, which such a client bound there: a sign of the matrix.", role->sign);
        comment_end(&c);
    }
    if (role->same[0] != NULL) {
        comment_text(&c, "traffic cannot tell it from");
        for (size_t i = 0; role->same[i] != NULL; i++)
            comment_text(&c, "%s%s", role->same[i], role->same[i + 1] != NULL ? "," : ":");
        comment_text(&c,
                     "the same rows speak of them. Number %u by conversations (then by address): the first gets the "
                     "first role of the "
                     "matrix, and so on.",
                     role->rank);
        comment_end(&c);
    }
}

static void print_also_kind(const struct learn_host *h, bool instead, const char *lead)
{
    struct comment c = {.indent = "  "};

    for (size_t i = 0; i < h->n_also; i++) {
        if (h->also[i].instead != instead)
            continue;
        if (c.column == 0)
            comment_text(&c, "%s", lead);
        comment_text(&c, "%s (%u of %u rows)", h->also[i].name, h->also[i].n_seen, h->also[i].n_rows);
    }
    comment_end(&c);
}

static void print_also(const struct learn_host *h)
{
    print_also_kind(h, true, "would do as well, but is less specific or has more rows that were never seen:");
    print_also_kind(h, false, "not needed to explain anything, so not proposed; add it if you know that it is so:");
}

static bool same_roles(const struct learn_host *a, const struct learn_host *b)
{
    if (a->n_roles != b->n_roles)
        return false;
    for (size_t i = 0; i < a->n_roles; i++)
        if (strcmp(a->roles[i].name, b->roles[i].name) != 0)
            return false;
    return true;
}

static bool groups(const struct learn_host *h)
{
    return !h->serves && !h->governed;
}

/* The hosts that one entry stands for: this one alone, or all clients with its roles where they are many.  0: an
 * earlier entry has it. */
static size_t members_of(const struct learn_result *r, size_t first)
{
    size_t n = 0, before = 0;

    if (!groups(&r->hosts[first]))
        return 1;
    for (size_t i = 0; i < r->n_hosts; i++)
        if (groups(&r->hosts[i]) && same_roles(&r->hosts[i], &r->hosts[first])) {
            n++;
            before += i < first;
        }
    return n < GROUP_FROM ? 1 : before > 0 ? 0 : n;
}

/* How many entries are called after this role, and which of them this is. */
static size_t number_of(const struct learn_result *r, const size_t *members, size_t entry, size_t *ret_n)
{
    size_t number = 0;

    *ret_n = 0;
    for (size_t i = 0; i < r->n_hosts; i++) {
        if (members[i] == 0 || strcmp(r->hosts[i].roles[0].name, r->hosts[entry].roles[0].name) != 0)
            continue;
        ++*ret_n;
        if (i <= entry)
            number++;
    }
    return number;
}

static void print_addresses(const struct learn_result *r, size_t entry, size_t n)
{
    char buf[ADDR_TEXT_SIZE];
    size_t told = 0;

    for (size_t i = entry; i < r->n_hosts && told < n; i++) {
        if (i != entry && (!groups(&r->hosts[i]) || !same_roles(&r->hosts[i], &r->hosts[entry])))
            continue;
        printf("%s\"%s\"", told == 0 ? "" : told % 5 == 0 ? ",\n    " : ", ", addr_text(&r->hosts[i].addr, buf));
        told++;
    }
}

static void print_entry(const struct matrix *m, const struct learn_result *r, const size_t *members, size_t entry)
{
    const struct learn_host *h = &r->hosts[entry];
    size_t n, number = number_of(r, members, entry, &n);
    char buf[ADDR_TEXT_SIZE];

    printf("\n  # %s: %llu of %llu conversations explained, %llu flows\n", addr_text(&h->addr, buf),
           (unsigned long long)h->n_explained, (unsigned long long)h->n_conversations, (unsigned long long)h->flows);
    for (size_t i = 0; i < h->n_roles; i++)
        print_role(m, &h->roles[i]);
    print_also(h);
    if (members[entry] > 1)
        printf("  #   and %zu more addresses that show the same roles\n", members[entry] - 1);
    printf("  %s", h->roles[0].name);
    if (n > 1)
        printf("-%zu", number);
    printf(": {addresses: [");
    print_addresses(r, entry, members[entry]);
    printf("], roles: [");
    for (size_t i = 0; i < h->n_roles; i++)
        printf("%s%s", i > 0 ? ", " : "", h->roles[i].name);
    printf("]}\n");
}

static void print_others(const struct learn_result *r)
{
    char buf[ADDR_TEXT_SIZE];

    if (r->n_others > 0)
        printf("\n# Without a role, although they talk with governed hosts (%zu addresses): what they do fits no role "
               "well enough.\n",
               r->n_others);
    for (size_t i = 0; i < r->n_others && i < MAX_OTHERS; i++)
        printf("#   %s: %llu conversations%s\n", addr_text(&r->others[i].addr, buf),
               (unsigned long long)r->others[i].n_conversations, r->others[i].scan ? "; looks like a scan" : "");
    if (r->n_others > MAX_OTHERS)
        printf("#   ... and %zu more\n", r->n_others - MAX_OTHERS);
    if (r->n_addresses > r->n_hosts + r->n_others)
        printf("# Left out, not involved in anything of the matrix: %llu %s.\n",
               (unsigned long long)(r->n_addresses - r->n_hosts - r->n_others), r->n_addresses - r->n_hosts - r->n_others == 1 ? "address" : "addresses");
}

static void print_incomplete(const struct engine_survey *s)
{
    printf("# The evidence is incomplete: an input was cut, damaged, empty or could not be decoded in part.\n");
    for (size_t i = 0; i < s->n_unread && i < ENGINE_UNREAD_TOLD; i++) {
        printf("#   ");
        report_put_safe(stdout, s->unread[i].name);
        printf(": ");
        report_put_safe(stdout, s->unread[i].why);
        putchar('\n');
    }
    if (s->n_unread > ENGINE_UNREAD_TOLD)
        printf("#   ... and of %zu more inputs not all\n", s->n_unread - ENGINE_UNREAD_TOLD);
}

static int print_site(const char *matrix_name, const struct matrix *m, const struct engine_survey *s,
                      const struct learn_result *r)
{
    size_t *members = calloc(r->n_hosts + 1, sizeof(*members));

    if (members == NULL)
        return complain("no memory");
    for (size_t i = 0; i < r->n_hosts; i++)
        members[i] = members_of(r, i);
    printf("# Proposed from %llu packets by what was seen on the wire: read it before you use it.\n"
           "# A role is proposed where the matrix's rows for it explain what a host did; the fewest and most specific "
           "roles\n"
           "# that explain it are taken, and a role that the others already explain is only mentioned.  \"Confirmed\" "
           "is by content.\n",
           (unsigned long long)s->result.packets);
    if (!s->result.complete)
        print_incomplete(s);
    if (s->n_summed > 0)
        printf("# %llu conversations beyond the bound on their number were not looked at.\n",
               (unsigned long long)s->n_summed);
    printf("site: proposed\nmatrix: ");
    print_quoted(matrix_name);
    putchar('\n');
    print_within(s->coverage.last_ns - s->coverage.first_ns, s->watched_ns);
    print_options(m, r);
    print_ports(m, r);
    printf("hosts:\n");
    for (size_t i = 0; i < r->n_hosts; i++)
        if (members[i] > 0)
            print_entry(m, r, members, i);
    print_others(r);
    free(members);
    return 0;
}

/* --- the run --------------------------------------------------------------------------------------------------------
 */

struct request {
    struct engine_options engine;
    const char *matrix;
    const char **inputs;
};

struct feed {
    struct learner *learner;
    int rc;
    struct err err;
};

static void take_fact(void *aux, const struct learn_fact *fact)
{
    struct feed *feed = aux;

    if (feed->rc == 0)
        feed->rc = learner_add(feed->learner, fact, &feed->err);
}

/* "default" is whatever the rules directory says today: the proposal names the matrix itself where a file has its name.
 */
static const char *lasting_name(const char *name, const struct matrix *m)
{
    struct diag_list diags = {0};
    struct matrix *other = NULL;
    bool same = strcmp(name, "default") == 0 && load_matrix(m->id, NULL, &other, &diags) == 0 &&
                strcmp(other->sha256, m->sha256) == 0;

    matrix_free(other);
    diag_list_clear(&diags);
    return same ? m->id : name;
}

/* Inputs of which not all was read. */
static void tell_unread(const struct engine_survey *s)
{
    for (size_t i = 0; i < s->n_unread && i < ENGINE_UNREAD_TOLD; i++)
        complain("%s: %s", s->unread[i].name, s->unread[i].why);
    if (s->n_unread > ENGINE_UNREAD_TOLD)
        complain("... and of %zu more inputs not all was read", s->n_unread - ENGINE_UNREAD_TOLD);
}

/* Packets of no flow: those that could not be read, or 'all'. */
static void tell_packets(const struct engine_survey *s, bool all)
{
    char text[2048];
    size_t len = 0;

    for (size_t k = all ? PACKET_OK + 1 : PACKET_ENCRYPTED; k < PACKET_N_RESULTS; k++)
        if (s->packets[k] > 0 && len < sizeof(text))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu (%s)", len > 0 ? ", " : "",
                                    (unsigned long long)s->packets[k], packet_result_text((enum packet_result)k));
    if (len > 0)
        complain("of %llu packets these are not TCP or UDP with its ports: %s", (unsigned long long)s->result.packets, text);
}

/* "tcp/135 DCE_RPC by 192.168.0.2 to 1; ..." */
static void tell_services(const struct learn_result *r, bool documented, const char *lead)
{
    char text[2048], buf[ADDR_TEXT_SIZE];
    size_t len = 0, n = 0;

    for (size_t i = 0; i < r->n_services; i++) {
        const struct learn_service *s = &r->services[i];

        if (s->documented != documented || ++n > MAX_SERVICES)
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s/%u", n > 1 ? "; " : "", s->transport == IPPROTO_TCP ? "tcp" : "udp", s->port);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s", s->protocol[0] != '\0' ? " " : "", s->protocol,
                                s->interface != NULL ? ", RPC interface " : "", s->interface != NULL ? s->interface : "");
        if (s->n_servers == 1)
            len += (size_t)snprintf(text + len, sizeof(text) - len, " by %s to %u", addr_text(&s->server, buf), s->n_pairs);
        else
            len += (size_t)snprintf(text + len, sizeof(text) - len, " by %u addresses to %u", s->n_servers, s->n_pairs);
    }
    if (n > MAX_SERVICES)
        snprintf(text + len, sizeof(text) - len, "; and %zu more", n - MAX_SERVICES);
    if (n > 0)
        complain("%s: %s", lead, text);
}

/* What was there, and what would have been evidence. */
static void tell_why(const struct learn_result *r, const struct matrix *m)
{
    char governed[256] = "";
    size_t len = 0;

    tell_services(r, true, "served on ports that rows have, with how many clients");
    tell_services(r, false, "served on other ports");
    for (size_t i = 0; i < m->n_roles && len < sizeof(governed); i++)
        if (m->roles[i].governed)
            len += (size_t)snprintf(governed + len, sizeof(governed) - len, "%s%s", len > 0 ? ", " : "", m->roles[i].name.text);
    if (len > 0)
        complain("a role is shown by flows of its rows, on their ports and best with their content, and each end is evidence for the other: %zu of the %zu rows have a "
                 "governed role (%s) at one end, and no address was seen in enough of those", r->n_governed_rows, r->n_rows, governed);
}

/* There is nothing to propose, or nobody knows. */
static int tell_nothing(const struct engine_survey *s, const struct learn_result *r, const struct matrix *m)
{
    const struct engine_result *e = &s->result;

    tell_unread(s);
    tell_packets(s, r->n_addresses == 0);
    if (e->faulted)
        complain("%s", e->fault);
    if (e->packets == 0)
        return complain("not one packet could be read");
    if (e->n_linktype == e->packets)
        return complain_linktype(e);
    if (e->decoded == 0 && e->filtered > 0) {
        complain("the filter left none of %llu packets to learn from", (unsigned long long)e->packets);
        return EXIT_INCOMPLETE;
    }
    if (e->decoded == 0)
        complain("not one of %llu packet%s was decoded", (unsigned long long)e->packets, e->packets == 1 ? "" : "s");
    else if (r->n_addresses == 0)
        complain("no TCP or UDP flow between two hosts is in the capture, so that nothing can be proposed");
    else {
        tell_why(r, m);
        complain("none of %llu addresses shows a role of %s; write the site file by hand: 'flowaudit matrix' shows the roles, flowaudit-site(5) has an example, and two"
                 " hosts with an address and a role each will do for a start", (unsigned long long)r->n_addresses, m->id);
    }
    return e->complete && e->decoded > 0 ? EXIT_UNUSABLE : EXIT_INCOMPLETE;
}

static int learn(const struct request *r, const struct matrix *m, const struct policy *policy)
{
    struct feed feed = {0};
    struct engine_survey survey = {0};
    const struct learn_result *result = NULL;
    int status = EXIT_NOTHING, rc = learner_new(policy, &feed.learner, &feed.err);

    if (rc == 0)
        rc = engine_survey(&r->engine, policy, take_fact, &feed, &survey, &feed.err);
    if (rc == 0)
        rc = feed.rc;
    if (rc == 0)
        rc = learner_finish(feed.learner, &result, &feed.err);
    if (rc != 0)
        status = complain("%s", feed.err.msg);
    else if (result->n_hosts == 0)
        status = tell_nothing(&survey, result, m);
    else
        status = print_site(lasting_name(r->matrix, m), m, &survey, result);
    if (status == EXIT_NOTHING && survey.result.faulted)
        complain("%s; proposed from what was read before", survey.result.fault);
    if (status == EXIT_NOTHING && !survey.result.complete) {
        tell_unread(&survey);
        status = EXIT_INCOMPLETE;
    }
    learner_free(feed.learner);
    return status;
}

static int run(const struct request *r)
{
    char hint[300];
    struct diag_list diags = {0};
    struct matrix *matrix = NULL;
    struct site *site = NULL;
    struct policy *policy = NULL;
    struct policy_options options = cli_policy_options();
    int rc = load_matrix(r->matrix, NULL, &matrix, &diags);

    if (rc == -ENOENT)
        complain("no matrix '%s'; a name of a file in the rules directory, or a path, is wanted%s", r->matrix, matrix_hint(r->matrix, hint, sizeof(hint)));
    if (rc == 0)
        rc = site_parse(learn_site_text, strlen(learn_site_text), "learn", &site, &diags);
    if (rc == 0)
        rc = policy_compile(matrix, site, &options, &policy, &diags);
    if (diag_count(&diags, DIAG_ERROR) > 0) {
        diag_sort(&diags);
        diag_print(&diags, stderr);
    }
    diag_list_clear(&diags);
    int status = rc == 0 ? learn(r, matrix, policy) : EXIT_UNUSABLE;
    policy_free(policy);
    site_free(site);
    matrix_free(matrix);
    return status;
}

static int take_workers(const char *text, void *to)
{
    unsigned long n;
    int           rc = number_parse("-j", text, 1, 64, &n);

    if (rc == 0)
        *(unsigned *)to = (unsigned)n;
    return rc;
}

static int take_input(const char *text, void *to)
{
    struct request *r = to;

    r->inputs[r->engine.n_inputs++] = text;
    return 0;
}

static int learn_from(struct request *r, char **names)
{
    for (; *names != NULL; names++)
        take_input(*names, r);
    r->engine.inputs = r->inputs;
    int rc = refuse_twice(r->inputs, r->engine.n_inputs);
    if (rc == 0 && r->engine.n_inputs == 0)
        rc = complain("no capture file named");
    if (rc != 0)
        return misuse("learn");
    signal(SIGPIPE, SIG_IGN);
    guard_engine(&r->engine);
    return finish_output(run(r));
}

int cmd_learn(int argc, char **argv)
{
    struct request            r = {.matrix = "default"};
    bool                      no_names; /* as with tcpdump: names are never asked for */
    const struct option_row   rows[] = {{"matrix", 'm', OPTION_TEXT, &r.matrix, NULL},
                                        {"filter", 'f', OPTION_TEXT, &r.engine.filter, NULL},
                                        {"read", 'r', OPTION_CALL, &r, take_input},
                                        {"workers", 'j', OPTION_CALL, &r.engine.n_workers, take_workers},
                                        {NULL, 'n', OPTION_FLAG, &no_names, NULL}};
    const struct command_line line = {"learn", help, OPTION_ROWS(rows), 0, INT_MAX, ""};
    int                       first;

    engine_options_default(&r.engine);
    r.inputs = calloc((size_t)argc + 1, sizeof(*r.inputs));
    if (r.inputs == NULL)
        return complain("no memory");
    int rc = options_take(&line, argc, argv, &first);
    if (rc == OPTIONS_TAKEN)
        rc = learn_from(&r, argv + first);
    free(r.inputs);
    return rc;
}
