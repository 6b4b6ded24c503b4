/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix and site files: YAML text to trees.  See flowaudit-matrix(5) and flowaudit-site(5).
 *
 * The parser checks what one file can know of itself: syntax, keys, forms of values, duplicates, overlapping addresses,
 * and that the roles, options and parameters which a matrix uses are those that it defines.  policy_compile() checks one
 * file against the other (a site's roles, options, parameters, rows that do not exist).  All errors
 * of a file are reported at once into a diag_list; a tree is returned only where there is none.
 *
 * Ownership: a tree owns all it points to, and its text.  Immutable once returned: any thread may read.
 */
#ifndef FLOWAUDIT_RULES_H
#define FLOWAUDIT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/addr.h"
#include "flowaudit/diag.h"

/* Bounds on a file a person wrote: beyond them it is an error with a place, never a slow parse. */
#define RULES_MAX_SIZE (64u << 20) /* bytes of text */
#define RULES_MAX_DEPTH 16         /* nesting of YAML collections */
#define RULES_MAX_LINE (1u << 20)  /* bytes of one line: the YAML reader holds a line's tokens at once */
#define RULES_MAX_NAME 255         /* bytes of a name */
#define RULES_MAX_ERRORS 200       /* listed for one file; the rest are counted in one last error */

struct rules_arena; /* holds all that a tree points to; the tree's parts are freed with it, never one by one */

/* Where in the text something stands, for messages of later stages. */
struct rules_place {
    unsigned line, column, width;
};

struct rules_name {
    char              *text;
    struct rules_place place;
};

struct rules_names {
    struct rules_name *items;
    size_t             n;
};

/* "tcp/88", "udp/5000-5020", "tcp/{dcom_ports}".  In parameters "1200", "1201-1204": no transport. */
struct rules_port {
    uint8_t            transport; /* IPPROTO_TCP, IPPROTO_UDP; 0 = both (parameters, exceptions) */
    uint16_t           low, high; /* inclusive; unused where 'parameter' is set */
    char              *parameter; /* or NULL */
    bool               one_way;   /* row's 'one_way': no answer is to be expected on this port */
    struct rules_place place;
};

struct rules_ports {
    struct rules_port *items;
    size_t             n;
};

enum rules_expect { RULES_EXPECT_UNSET, RULES_EXPECT_REQUIRED, RULES_EXPECT_ON_DEMAND };

struct matrix_role {
    struct rules_name name;
    char             *text;      /* who it is, for people */
    struct rules_names implies;  /* having this role is having these too (transitively) */
    char             *family;    /* roles of one family are siblings ('wrong-role'), or NULL */
    bool              governed;  /* scope rule 1: every flow with such a host at either end is judged */
};

struct matrix_option {
    struct rules_name  name;
    char              *text;
    struct rules_names values;    /* "on", "off", and "both" where the option's rows are alternatives */
    char              *fallback;  /* default value where no 'default_on_role' says otherwise: "on" or "off" */
    struct rules_names default_on_role; /* default is "on" where some host of the site has one of these roles */
};

enum rules_parameter_type { RULES_PARAMETER_PORTS, RULES_PARAMETER_VERSION };
struct matrix_parameter {
    struct rules_name         name;
    char                     *text;
    enum rules_parameter_type type;
    struct rules_ports        ports;    /* default; empty = none: the site must list them */
    char                     *version;  /* default of a version ("5.0") */
    unsigned                  minimum;  /* fewest ports that work; 0 = no such limit */
    char                     *minimum_text;  /* what the source says happens below it */
    char                     *minimum_section;
    bool                      lost;     /* the source's table is lost: rows that use it give 'undocumented' while it is empty */
};

/* One condition of a row: option NAME is VALUE; or parameter NAME is at least VERSION ("5.0 or later"). */
struct matrix_when {
    struct rules_name name;
    char             *value;      /* "on", "off", or a version */
    bool              at_least;   /* a parameter's version */
};

struct matrix_row {
    struct rules_name  id;
    char              *section;   /* the source's heading, word for word */
    struct rules_names from, to;  /* any of */
    bool               other;     /* 'to' is another host than the client (failover pair, Exchange servers) */
    struct rules_ports ports;
    char              *service;
    char              *condition; /* as the file says; where it does not, made from the conditions; or "" */
    struct matrix_when *when;     /* all of them ... */
    size_t             n_when;
    struct matrix_when *when_any; /* ... and, where there are any, one of these */
    size_t             n_when_any;
    enum rules_expect  expect;
    struct rules_names protocols; /* what classify should find; empty = no opinion */
    bool               media;     /* judged for each direction on its own */
    char              *wide_notice_option; /* where this option is on, use of the row outside a negotiated port is a notice; or NULL */
    struct rules_place wide_notice_place;
    char              *note;      /* our reading, or NULL */
    char              *off_text;  /* sentence for 'option-off' ("HTTP on TCP 80 is allowed only while HTTPS is disabled"), or NULL */
    char              *from_text, *to_text, *ports_text; /* as 'flowaudit matrix --format tsv' prints them */
};

/* A Caution: two roles that must not be separated by a firewall. */
struct matrix_separation {
    struct rules_name a, b;
    char             *section;
    char             *text;
};

/* What a client's use of an RPC interface tells of the server: it has that role, unless it has one of 'unless', which serve it too. */
struct matrix_sign {
    struct rules_name  interface; /* by the name that pinholes give it */
    struct rules_names from, unless;
    struct rules_name  role;
    char              *section;
    char              *text;      /* why it tells, as a sentence's end: "Cisco Unity asks ..." */
};

/* A self-test: "allow unity-primary dc-monitored tcp/88", "deny a b tcp/443 as SSH with https=on failover=off". */
struct matrix_test {
    struct rules_place place;
    bool               allow;
    char              *client, *server; /* role names */
    uint8_t            transport;
    uint16_t           port;
    char              *protocol; /* or NULL */
    struct rules_names options;  /* "https=off"; options that it does not name have the matrix's defaults for these two roles */
};

struct matrix {
    struct rules_arena *arena;
    char *file, *text; /* as read; 'file' for messages */
    size_t size;
    char  sha256[65];
    char *id, *title, *source; /* matrix: title: source: */
    struct matrix_role       *roles;       size_t n_roles;
    struct matrix_option     *options;     size_t n_options;
    struct matrix_parameter  *parameters;  size_t n_parameters;
    struct rules_names        sections;    /* in the source's order */
    struct matrix_row        *rows;        size_t n_rows;
    struct matrix_separation *separations; size_t n_separations;
    struct matrix_sign       *signs;       size_t n_signs;
    struct matrix_test       *tests;       size_t n_tests;
};

struct site_host {
    struct rules_name  name;
    struct addr_range *ranges;
    struct rules_place *range_places;
    size_t             n_ranges;
    struct rules_names roles;
};
struct site_setting { /* options: parameters: */
    struct rules_name  name;
    struct rules_name  value;  /* an option's value ("on", "off", "both"), or a parameter's single value as written ("5.0", "1200"); else NULL */
    struct rules_ports ports;  /* a parameter's ports; empty where the value can only be a version */
};
struct site_expect {
    struct rules_name row;
    enum rules_expect expect;   /* UNSET: as the matrix says */
    int64_t           within_ns;/* -1: as the site says */
    int               every;    /* -1 unset, 0 any, 1 every */
};
struct site_ignore {
    struct addr_range  range;
    struct rules_place place;
    char              *reason;
};
struct site_exception {
    struct rules_name  id;
    struct rules_name  client, server; /* host name of the site, an address, a network, or "*" */
    struct addr_range  client_range, server_range;
    bool               client_is_range, server_is_range, client_any, server_any;
    struct rules_port  port;      /* transport 0: both */
    bool               any_port;  /* "any", also where the key is left out */
    char              *owner, *reason;
    char              *until_text; /* "2027-01-31" */
    int64_t            until_ns;   /* last nanosecond of that day, UTC */
};
struct site {
    struct rules_arena *arena;
    char *file, *text;
    size_t size;
    char  sha256[65];
    char *name;                    /* site: */
    struct rules_name matrix;      /* a name in the rules directory, or a path; "default" (place 0) where the site does not say */
    struct site_host      *hosts;      size_t n_hosts;
    struct site_setting   *options;    size_t n_options;
    struct site_setting   *parameters; size_t n_parameters;
    struct site_expect    *expects;    size_t n_expects;
    struct site_ignore    *ignores;    size_t n_ignores;
    struct site_exception *exceptions; size_t n_exceptions;
    int64_t within_ns;             /* default 1 h */
};

/* 'name' is for messages.  0, or -EINVAL with the errors in 'diags' ('ret' untouched), or -ENOMEM. */
int  matrix_parse(const char *text, size_t size, const char *name, struct matrix **ret, struct diag_list *diags);
int  site_parse(const char *text, size_t size, const char *name, struct site **ret, struct diag_list *diags);
/* Reads a file and parses it; a file that cannot be read is an error in 'diags' too (line 0) and returns -errno. */
int  matrix_load(const char *path, struct matrix **ret, struct diag_list *diags);
int  site_load(const char *path, struct site **ret, struct diag_list *diags);
/* The same, but with -EINVAL 'ret' may be what could be read in spite of the errors (else NULL): for policy_check_names() and
 * site_free(), so that all errors are told at once.  Its matrix.text is NULL where that cannot be known. */
int  site_load_partly(const char *path, struct site **ret, struct diag_list *diags);
void matrix_free(struct matrix *);
void site_free(struct site *);

/* A place in a tree's text, for messages of later stages. */
struct diag_place matrix_place(const struct matrix *, const struct rules_place *);
struct diag_place site_place(const struct site *, const struct rules_place *);

#endif
