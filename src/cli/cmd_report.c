/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "flowaudit/report.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit report DB [--format FORMAT] [--table TABLE] [--run N] [-o FILE]\n\n"
    "Exports a recorded audit, from the database alone.\n\n"
    "      --format FORMAT  text (default), csv, json, ndjson, html or xlsx\n"
    "      --table TABLE    one of findings, conversations, expectations, inputs,\n"
    "                       requirements, losses, discards, hosts, flows, rows,\n"
    "                       counters, runs, seals, removals, evidence, sensors,\n"
    "                       witnesses (default: csv findings; the others all)\n"
    "      --run N          the run to report (default: the last)\n"
    "      --earlier DB     html: also the differences to an earlier audit\n"
    "  -o, --out FILE       write FILE, which appears only when it is whole\n"
    "  -v, --verbose        text: every finding on its own\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 written, 2 wrong usage or unusable file, 3 output not whole.\n";

struct request {
    struct report_query query;
    enum report_format  format;
    const char         *out, *earlier;
    bool                format_given;
};

/* A table that does not exist is wrong usage, a full disk is not. */
static int failed(int rc, const struct err *err)
{
    complain("%s", err->msg);
    return rc == -EINVAL ? EXIT_UNUSABLE : EXIT_INCOMPLETE;
}

static int write_stream(struct report *report, const struct request *r, const char *name, FILE *f, struct err *err)
{
    int rc = report_write(report, r->format, &r->query, f, err);

    if (rc == 0 && fflush(f) != 0)
        rc = err_set(err, -errno, "%s: %s", name, strerror(errno));
    return rc;
}

/* A device, a pipe: there is nothing to rename over. */
static int write_special(struct report *report, const struct request *r)
{
    struct err err = {0};
    FILE      *f = fopen(r->out, "w");

    if (f == NULL)
        return complain("%s: %s", r->out, strerror(errno));
    int rc = write_stream(report, r, r->out, f, &err);
    if (fclose(f) != 0 && rc == 0)
        rc = err_set(&err, -errno, "%s: %s", r->out, strerror(errno));
    return rc == 0 ? EXIT_NOTHING : failed(rc, &err);
}

static mode_t usual_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

/* The file appears under its name only when it is whole.  'name' is no symbolic link. */
static int write_file(struct report *report, const struct request *r, const char *name, mode_t mode)
{
    char       temporary[4200];
    struct err err = {0};
    int        n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", name);

    if (n < 0 || (size_t)n >= sizeof(temporary))
        return complain("%s: the name is too long", r->out);
    int fd = mkstemp(temporary);
    if (fd < 0)
        return complain("%s: cannot be made: %s", r->out, strerror(errno));
    FILE *f = fdopen(fd, "w");
    if (f == NULL) {
        close(fd);
        unlink(temporary);
        return complain("%s: no memory", r->out);
    }
    int rc = write_stream(report, r, r->out, f, &err);
    if (rc == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        rc = err_set(&err, -errno, "%s: %s", r->out, strerror(errno));
    fclose(f);
    if (rc == 0 && rename(temporary, name) != 0)
        rc = err_set(&err, -errno, "%s: %s", r->out, strerror(errno));
    if (rc != 0) {
        unlink(temporary);
        return failed(rc, &err);
    }
    return EXIT_NOTHING;
}

static int write_out(struct report *report, const struct request *r, const char *db)
{
    struct stat target;

    if (stat(r->out, &target) != 0)
        return write_file(report, r, r->out, usual_mode());
    if (is_same_file(db, r->out) || (r->earlier != NULL && is_same_file(r->earlier, r->out)))
        return complain("%s: is a record itself; a report needs another name", r->out);
    if (!S_ISREG(target.st_mode))
        return write_special(report, r);
    char *name = realpath(r->out, NULL);
    if (name == NULL)
        return complain("%s: %s", r->out, strerror(errno));
    int status = write_file(report, r, name, target.st_mode & 07777);
    free(name);
    return status;
}

/* The earlier audit and the comparison with it; 0, or EXIT_UNUSABLE. */
static int compare(struct report *report, const struct request *r, struct report **ret, struct report_diff **ret_diff)
{
    struct err err = {0};

    if (r->earlier == NULL)
        return 0;
    if (report_open(r->earlier, ret, &err) != 0 || report_diff_new(*ret, 0, report, r->query.run_id, ret_diff, &err) != 0)
        return complain("%s", err.msg);
    return 0;
}

static int run(const char *path, struct request *r)
{
    struct report      *report, *earlier = NULL;
    struct report_diff *diff = NULL;
    struct err          err = {0};
    int                 status, rc = 0;

    if (report_open(path, &report, &err) != 0)
        return complain("%s", err.msg);
    status = compare(report, r, &earlier, &diff);
    r->query.diff = diff;
    if (status != 0)
        complain("no report is written");
    else if (r->out != NULL)
        status = write_out(report, r, path);
    else if ((rc = report_write(report, r->format, &r->query, stdout, &err)) != 0)
        status = failed(rc, &err);
    report_diff_free(diff);
    report_free(earlier);
    report_free(report);
    return status == EXIT_NOTHING ? finish_output(status) : status;
}

static int take_format(const char *name, void *to)
{
    struct request *r = to;

    r->format_given = true;
    return report_format_parse(name, &r->format) == 0 ? 0 : complain("unknown format '%s'; known are text, csv, json, ndjson, html and xlsx", name);
}

int cmd_report(int argc, char **argv)
{
    struct request            r = {.format = REPORT_TEXT};
    const struct option_row   rows[] = {{"format", 0, OPTION_CALL, &r, take_format}, {"table", 0, OPTION_TEXT, &r.query.table, NULL},
                                        {"run", 0, OPTION_ID, &r.query.run_id, NULL},       {"out", 'o', OPTION_TEXT, &r.out, NULL},
                                        {"earlier", 0, OPTION_TEXT, &r.earlier, NULL},      {"verbose", 'v', OPTION_FLAG, &r.query.verbose, NULL}};
    const struct command_line line = {"report", help, OPTION_ROWS(rows), 1, 1, "report takes one database"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    if (rc != OPTIONS_TAKEN)
        return rc;
    if (r.query.table != NULL && !r.format_given)
        r.format = REPORT_CSV;
    if (r.query.table != NULL && (r.format == REPORT_TEXT || r.format == REPORT_HTML)) {
        complain("--table is for the formats csv, json, ndjson and xlsx; text and html are always whole");
        return misuse("report");
    }
    if (r.earlier != NULL && r.format != REPORT_HTML) {
        complain("--earlier is for the format html; 'flowaudit diff' compares as text and JSON");
        return misuse("report");
    }
    r.query.color = r.out == NULL && wants_color(stdout);
    r.query.width = r.out == NULL ? terminal_width() : 100;
    return run(argv[first], &r);
}
