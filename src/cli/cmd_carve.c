/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carve_select.h"
#include "cli.h"
#include "flowaudit/report.h"
#include "options.h"
#include "version.h"

static const char help[] =
    "usage: flowaudit carve DB FINDING --out FILE [--from DIR] [--run N]\n\n"
    "Writes the packets of a finding to a pcapng file, whole and as captured,\n"
    "with a comment on each that names the finding.  FINDING is its number in the\n"
    "report.  The captures are those that were judged, known by their SHA-256.\n\n"
    "With the packets of the finding's flows go the ICMP errors that quote them, and\n"
    "later fragments.  'separated': all packets between the two hosts.  Of a port\n"
    "that was announced and not used: what announced it.  'missing', 'site': none.\n\n"
    "      --out FILE     the file to write\n"
    "      --from DIR     look here for captures that are not where they were\n"
    "      --run N        a finding of this run (default: the last one)\n"
    "  -q, --quiet        do not say what was written\n"
    "  -h, --help         this text\n\n"
    "Exit: 0 written, 2 wrong usage, no such finding, none of its packets, or a\n"
    "capture that is not there.\n";

struct carve_options {
    const char *db, *out, *from;
    int64_t     finding, run;
    bool        quiet;
};

static void say(const struct carve_options *o, const struct selection *s, const struct evidence_result *e)
{
    report_put_safe(stdout, o->out);
    printf(": %llu packet%s of finding %lld", (unsigned long long)e->n_packets, e->n_packets == 1 ? "" : "s", (long long)s->finding_id);
    if (e->n_errors > 0)
        printf(", %llu of them ICMP errors that quote it", (unsigned long long)e->n_errors);
    if (e->n_fragments > 0)
        printf(", %llu of them later fragments", (unsigned long long)e->n_fragments);
    if (s->is_cited)
        printf(": what announced the port, to which no flow was seen");
    else if (s->by_hosts)
        printf(": all between the two hosts");
    else if (s->packets > 0)
        printf("; the record counts %lld", (long long)s->packets);
    if (s->by_ends)
        printf("; the record does not keep all flows: they were told by their ends");
    putchar('\n');
    if (e->n_unproven > 0)
        complain("%zu of the captures are recorded without a digest: they were taken by name and size", e->n_unproven);
}

static int confine(const struct carve_options *o, const struct selection *s, struct err *reterr)
{
    const char **paths = calloc(2 * s->n_inputs + 3, sizeof(*paths));
    size_t       n = 0;

    if (paths == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    for (size_t i = 0; i < s->n_inputs; i++)
        if (s->inputs[i].path != NULL)
            paths[n++] = s->inputs[i].path;
    if (o->from != NULL)
        paths[n++] = o->from;
    char *beside = path_folder(o->db);
    if (beside != NULL)
        paths[n++] = beside;
    const struct confined c = {.db = o->out, .inputs = paths, .n_inputs = n, .any_owner = true};
    int rc = confine_now(&c, reterr);
    free(beside);
    free(paths);
    return rc;
}

static int carve(const struct carve_options *o, const struct selection *s, struct err *reterr)
{
    char   title[256], *comment = NULL, *beside = path_folder(o->db);
    struct evidence_result result;
    size_t size = 0;

    snprintf(title, sizeof(title), "finding %lld (%s, %s): %.150s", (long long)s->finding_id, s->kind, s->severity, s->ends);
    FILE *f = open_memstream(&comment, &size);
    if (f == NULL || beside == NULL) {
        if (f != NULL)
            fclose(f);
        free(comment);
        free(beside);
        return err_set(reterr, -ENOMEM, "no memory");
    }
    fprintf(f, "%s\n%s\nrun %lld, %s", title, s->reason, (long long)s->run_id, s->origin);
    if (fclose(f) != 0) {
        free(comment);
        free(beside);
        return err_set(reterr, -ENOMEM, "no memory");
    }
    const struct evidence_request request = {
        .inputs = s->inputs,
        .n_inputs = s->n_inputs,
        .from = o->from,
        .beside = beside,
        .filter = s->filter,
        .pick = {s->wanted.items, s->others.items, s->wanted.n, s->others.n},
        .out = o->out,
        .application = "flowaudit " FLOWAUDIT_VERSION,
        .comment = comment,
        .finding = title,
    };
    int rc = confine(o, s, reterr);
    if (rc == 0)
        rc = evidence_carve(&request, &result, reterr);
    if (rc == 0 && !o->quiet)
        say(o, s, &result);
    free(comment);
    free(beside);
    return rc;
}

/* Neither the record nor a capture that any of its runs judged is written over. */
static int check_out(struct reader *reader, const struct carve_options *o, struct err *reterr)
{
    struct cursor *c;
    int            more, rc = 0;

    if (is_same_file(o->db, o->out))
        return err_set(reterr, -EINVAL, "%s: is the record itself; the packets need a file of their own", o->out);
    if ((rc = reader_query(reader, "SELECT path FROM input WHERE path IS NOT NULL", NULL, 0, &c, reterr)) != 0)
        return rc;
    while (rc == 0 && (more = cursor_next(c, reterr)) != 0)
        if (more < 0)
            rc = more;
        else if (is_same_file(cursor_text(c, 0, NULL), o->out))
            rc = err_set(reterr, -EINVAL, "%s: is a capture that was judged; the packets need a file of their own", o->out);
    cursor_free(c);
    return rc;
}

static int run(const struct carve_options *o)
{
    struct reader   *reader;
    struct selection s;
    struct err       err = {0};
    int              rc = reader_open(o->db, &reader, &err);

    if (rc != 0)
        return complain("%s", err.msg);
    rc = reader_hold(reader, &err);
    if (rc == 0)
        rc = check_out(reader, o, &err);
    if (rc == 0 && (rc = selection_read(reader, o->run, o->finding, &s, &err)) == 0) {
        rc = carve(o, &s, &err);
        selection_clear(&s);
    }
    reader_free(reader);
    return rc != 0 ? complain("%s", err.msg) : finish_output(EXIT_NOTHING);
}

int cmd_carve(int argc, char **argv)
{
    struct carve_options      o = {0};
    const struct option_row   rows[] = {{"out", 0, OPTION_TEXT, &o.out, NULL},
                                        {"from", 0, OPTION_TEXT, &o.from, NULL},
                                        {"run", 0, OPTION_ID, &o.run, NULL},
                                        {"quiet", 'q', OPTION_FLAG, &o.quiet, NULL}};
    const struct command_line line = {"carve", help, OPTION_ROWS(rows), 2, 2, "carve takes a database and the number of a finding"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    rc = o.out == NULL ? complain("--out FILE is missing: where the packets go") : parse_id("FINDING", argv[first + 1], &o.finding);
    if (rc != 0)
        return misuse("carve");
    o.db = argv[first];
    return run(&o);
}
