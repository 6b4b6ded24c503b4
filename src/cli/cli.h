/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: exit status, finding and loading of site and matrix files, the time of the run. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "flowaudit/policy.h"
#include "flowaudit/rules.h"

/* contract: as diff and grep have it. */
enum {
    EXIT_NOTHING = 0,    /* nothing found */
    EXIT_FINDINGS = 1,
    EXIT_UNUSABLE = 2,   /* wrong usage, or a site, matrix or input file that cannot be used */
    EXIT_INCOMPLETE = 3, /* the evidence is incomplete */
};

typedef int command_fn(int argc, char **argv);
command_fn cmd_check, cmd_watch, cmd_report, cmd_explain, cmd_learn, cmd_lint, cmd_matrix, cmd_verify, cmd_carve, cmd_diff, cmd_waive, cmd_merge;

/* A site with its matrix and the policy compiled from both.  Zeroed: nothing loaded. */
struct rulebook {
    struct matrix *matrix;
    struct site   *site;
    struct policy *policy;
};

/* 'site_path' NULL: flowaudit.yaml in the current directory, then in the configuration directory.  All errors and (unless
 * 'quiet') warnings are printed to standard error.  0, or EXIT_UNUSABLE. */
int  rulebook_load(struct rulebook *, const char *site_path, bool quiet);
void rulebook_free(struct rulebook *);

/* A matrix by name, looked for in the rules directories, or by path (with a '/' or ending in .yaml), meant from the folder of the file
 * 'near' where that is given.  "default" is the one that the rules directory says is.  0; -ENOENT: there is none; other: it has errors. */
int  load_matrix(const char *name, const char *near, struct matrix **ret, struct diag_list *diags);
/* The i-th folder in which matrices are looked for by name ("" where there is none); false past the last one. */
bool rules_folder(size_t i, char *buf, size_t size);
/* A data file of the rules directories; false where none of them has it. */
bool find_rules_data(const char *file, char *path, size_t size);
/* The site file to use; NULL, with the reason printed, where there is none. */
char *find_site(const char *given);

struct policy_options cli_policy_options(void);

/* Ends the process in order where libndpi runs out of memory or does not return from a packet.  Before engine_check(). */
struct engine_options;
void guard_engine(struct engine_options *);
/* May what was worked with be left to the end of the process? */
bool leaves_memory(void);

/* Has engine_check() give up rights before it looks at a packet: 'db' (NULL: none) names the one folder in which files may be made.
 * 'confined' has to last as long as the engine's options. */
struct confined {
    const char        *db;
    const char *const *inputs;
    size_t             n_inputs;
    bool               verbose;   /* say what this machine cannot do */
    bool               any_owner; /* root has to get at files of whatever user below 'inputs' */
};
void confine_engine(struct engine_options *, struct confined *confined);
struct err;
int  confine_now(const struct confined *, struct err *reterr);
/* The folder of a file that need not be there yet; to be freed.  NULL: no memory. */
char *path_folder(const char *path);

/* Now, or SOURCE_DATE_EPOCH where that is set. */
int64_t run_time_ns(void);
/* The number that an option wants; complains.  0, or EXIT_UNUSABLE. */
int     number_parse(const char *option, const char *text, unsigned long min, unsigned long max, unsigned long *ret);
/* "90m", "1h", "2d" as in site files, to nanoseconds.  0, or -EINVAL. */
int     duration_parse(const char *text, int64_t *ret_ns);
/* "500MiB", "2GiB", or a number of MiB, to bytes.  0, or -EINVAL. */
int     size_parse(const char *text, uint64_t *ret_bytes);
bool    wants_color(FILE *);
unsigned terminal_width(void);

/* "flowaudit: " and the sentence, to standard error, safe to show; returns EXIT_UNUSABLE. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* That nothing of the inputs is of a link type that is decoded.  EXIT_UNUSABLE. */
struct engine_result;
int complain_linktype(const struct engine_result *);
struct option;
/* After getopt_long() said that 'given' is no option: the nearest one of those known, if there is one. */
void suggest_option(const struct option *known, const char *given);
/* What is appended to the complaint that there is no such matrix: the nearest name, or those there are.  Returns 'buf'. */
const char *matrix_hint(const char *name, char *buf, size_t size);
/* The number of a run or a finding, "#" before it or not: 0, or EXIT_UNUSABLE with the option named. */
int parse_id(const char *option, const char *text, int64_t *ret);
bool is_same_file(const char *a, const char *b);
/* A file that is named twice would count twice: EXIT_UNUSABLE with the names, else 0. */
int refuse_twice(const char *const *paths, size_t n);
/* For wrong usage: says where help is to be had. */
int misuse(const char *command);
/* Flushes standard output; EXIT_INCOMPLETE with a message where the text did not get out, else 'status'. */
int finish_output(int status);

#endif
