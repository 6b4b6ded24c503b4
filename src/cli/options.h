/* SPDX-License-Identifier: Apache-2.0 */
/* The options and arguments of a command as a table: one loop for all commands that need no more than this. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>

enum option_kind {
    OPTION_FLAG, /* 'to' is a bool, which becomes true */
    OPTION_TEXT, /* a const char *, which becomes the value as given */
    OPTION_ID,   /* an int64_t: see parse_id() */
    OPTION_CALL, /* 'take' puts the value into 'to', or complains and returns EXIT_UNUSABLE */
};

struct option_row {
    const char      *name;   /* without "--", or NULL */
    char             letter; /* or 0 */
    enum option_kind kind;
    void            *to;
    int (*take)(const char *text, void *to);
};

struct command_line {
    const char              *name, *help;
    const struct option_row *options; /* -h, --help are added */
    size_t                   n_options;
    int                      least, most; /* arguments beside the options */
    const char              *wanted;      /* what is said where there are more or fewer */
};
#define OPTION_ROWS(rows) .options = (rows), .n_options = sizeof(rows) / sizeof((rows)[0])

/* Fills in what the options say; the arguments are then at argv + 'ret_first'.  OPTIONS_TAKEN, or the status to end with: help was printed, or
 * what is wrong was said. */
#define OPTIONS_TAKEN (-1)
int options_take(const struct command_line *, int argc, char **argv, int *ret_first);

#endif
