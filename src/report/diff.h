/* SPDX-License-Identifier: Apache-2.0 */
/* Two audits side by side: what the files of the comparison share. */
#ifndef REPORT_DIFF_H
#define REPORT_DIFF_H

#include "flowaudit/rules.h"
#include "report-private.h"

/* The texts of a finding or an expectation; "" for null.  Those before D_CLIENT_NAME are its key. */
enum diff_field {
    D_KIND,
    D_ROW,
    D_CLIENT,
    D_SERVER,
    D_TRANSPORT,
    D_PORT,
    D_PROTOCOL,
    D_EXTRA, /* tells apart what the rest does not: the sentence of a finding of the site, the section of a separation */
    D_CLIENT_NAME,
    D_SERVER_NAME,
    D_SEVERITY,
    D_OUTCOME,
    D_DISPOSITION,
    D_WAIVED,
    D_REASON,
    D_N
};

/* Like ones of one audit (several outcomes, several windows) as one. */
struct diff_item {
    const char *text[D_N];
    int64_t id, n, flows; /* number of the first, how many, their flows or attempts */
    char bytes[];         /* what 'text' points to */
};

/* The same service between the same ends in the other audit, or the same expectation. */
struct diff_other {
    bool is_there;
    char verdict[24], row[256], outcome[24];
};

enum diff_what { DIFF_NEW, DIFF_GONE, DIFF_CHANGED, DIFF_SAME };

struct diff_entry {
    enum diff_what what;
    struct diff_item *old, *new; /* one of them NULL with NEW and GONE */
    struct diff_other other;     /* NEW: in the old audit; GONE: in the new one */
    bool saw_client, saw_server; /* did that audit see the hosts? */
    const char *cause;           /* "matrix", "site" or "traffic"; NULL where nothing changed */
    char *why;                   /* in words, or NULL */
    char *coverage;              /* GONE: could the new audit have seen it?  Or NULL */
    const char *covered;         /* GONE: "yes", "partly", "no"; else NULL */
};

struct diff_list {
    struct diff_entry *items;
    size_t n, n_allocated;
};

enum diff_change_kind {
    CHANGE_MATRIX,
    CHANGE_ROW,
    CHANGE_OPTION,
    CHANGE_PARAMETER,
    CHANGE_HOST,
    CHANGE_EXPECT,
    CHANGE_IGNORE,
    CHANGE_EXCEPTION,
    CHANGE_WITHIN,
    CHANGE_TEXT, /* the site text changed, and it cannot be told in what */
    CHANGE_N
};

/* One thing that the site or the matrix says otherwise; 'was' or 'is' NULL where it is not there. */
struct diff_change {
    enum diff_change_kind kind;
    char *name, *was, *is;
};

struct diff_side {
    struct report *report;
    int64_t run_id;
    struct report_summary summary;
    struct site *site; /* NULL: not to be parsed */
    char *started, *site_sha256, *matrix_sha256, *matrix_id;
};

struct report_diff {
    struct diff_side side[2]; /* old, new */
    struct diff_change *changes;
    size_t n_changes;
    struct diff_list findings, expectations;
};

extern const char *const diff_change_names[CHANGE_N];
const char *diff_what_name(enum diff_what);
size_t diff_count(const struct diff_list *, enum diff_what);
/* "kind row: client -> server transport/port (protocol)" */
char *diff_title(const struct diff_item *);

/* diff_site.c: fills 'changes'. */
int diff_changes(struct report_diff *, struct err *reterr);
/* diff_why.c: what the other audit has to say of each entry, then why. */
int diff_explain(struct report_diff *, struct err *reterr);

#endif
