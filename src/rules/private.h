/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a file: bytes (text.c) -> YAML events -> nodes (tree.c) -> values of the keys that a table lists (read.c,
 * forms.c) -> struct matrix or struct site (matrix*.c, site*.c).
 *
 * Nodes live as long as the parse; texts live in the arena, which the tree takes over.  A failed allocation sets
 * 'out_of_memory' and the reading goes on with what there is; the caller of the whole gets -ENOMEM.
 */
#ifndef FLOWAUDIT_RULES_PRIVATE_H
#define FLOWAUDIT_RULES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flowaudit/diag.h"
#include "flowaudit/rules.h"

/* --- arena.c ---------------------------------------------------------------------------------- */
struct rules_arena *arena_new(void);
void arena_free(struct rules_arena *);
void *arena_alloc(struct rules_arena *, size_t size); /* zeroed, aligned for any type; NULL: no memory */
char *arena_text(struct rules_arena *, const char *text, size_t len); /* a copy with a NUL (text NULL: room for one); unaligned */

/* --- tree.c ----------------------------------------------------------------------------------- */
enum node_kind { NODE_SCALAR, NODE_MAPPING, NODE_SEQUENCE };

/* Children of a mapping are key, value, key, value ...  Linked by index, so that the array can move while it grows. */
struct node {
    const char *text;      /* of a scalar */
    uint32_t line, column; /* 1-based */
    uint32_t width;        /* of a scalar: characters to underline */
    uint32_t next, first;  /* sibling, child; 0: none (node 0 is the root, nobody's sibling or child) */
    uint32_t n_children : 27;
    uint32_t kind : 2;
    uint32_t plain : 1;   /* a scalar without quotes */
    uint32_t flow : 1;    /* a collection in brackets */
    uint32_t refused : 1; /* has had its error; nothing more is said of it */
};

struct parse {
    struct rules_arena *arena, *scratch; /* the tree's, the parse's own */
    const char *file, *text;
    size_t size;
    struct node *nodes;
    uint32_t n_nodes, n_allocated;
    struct diag_list *diags;
    size_t n_errors;
    unsigned cut_line; /* the YAML is broken from this line on (0: it is whole): no word of what is later or missing */
    bool incomplete;   /* a key was misspelt, so that what stands under it is not known */
    bool out_of_memory;
    bool keep; /* the tree outlives errors */
};

/* Errors go to the parse's list.  0, -EINVAL where not even a first node was read, -ENOMEM. */
int tree_read(struct parse *);
const struct node *node_first(const struct parse *, const struct node *);
const struct node *node_next(const struct parse *, const struct node *);
bool node_is_empty(const struct node *); /* "key:" with nothing behind it, or ~ or null */
struct rules_place node_place(const struct parse *, const struct node *);

/* --- text.c ----------------------------------------------------------------------------------- */
/* UTF-8 without control characters, in lines of bearable length.  False, with the error reported, where it is not. */
bool text_check(struct parse *);
bool text_has_control(const char *text); /* in a scalar, where escapes can make them */

/* --- read.c ----------------------------------------------------------------------------------- */
void parse_error(struct parse *, const struct node *, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void parse_error_at(struct parse *, const struct rules_place *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void parse_finish(struct parse *); /* sorts, and counts what was not listed */
/* As arena_alloc(), of n items; NULL also for n 0 (which is no failure). */
void *parse_alloc(struct parse *, size_t n, size_t size);
void *parse_scratch(struct parse *, size_t n, size_t size); /* the same, until the parse ends */
char *parse_printf(struct parse *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

typedef void read_fn(struct parse *, const struct node *, void *field);
struct key {
    const char *name;
    read_fn *read;
    size_t offset; /* of the field in the object */
    bool required;
};
#define MAX_KEYS    24 /* of one table */
#define KEYS(table) (table), sizeof(table) / sizeof((table)[0])

/* Reads a mapping whose keys a table lists: unknown, duplicate and missing keys are errors.  'what' is what the mapping
 * is ("a row"), for messages. */
void read_keys(struct parse *, const struct node *, const char *what, const struct key *, size_t n_keys, void *object);
const struct node *find_key(const struct parse *, const struct node *mapping, const char *name); /* value or NULL */
/* Is this a mapping (a sequence)?  An empty value is one without children.  Else an error that says what is. */
bool expect_mapping(struct parse *, const struct node *, const char *what, size_t *ret_n);
bool expect_sequence(struct parse *, const struct node *, const char *what, size_t *ret_n);
bool expect_scalar(struct parse *, const struct node *, const char *what);

read_fn read_text;  /* char *: any text */
read_fn read_name;  /* struct rules_name: no control characters, not empty */
read_fn read_id;    /* struct rules_name: letters, digits, '-', '_' and '.': what a matrix calls its parts */
read_fn read_names; /* struct rules_names: a list of different names, or a single one */
read_fn read_bool;  /* bool */
void name_of(struct parse *, const struct node *, struct rules_name *ret); /* a key that is a name */

const char *switch_of(const char *text); /* "on", "off", "both", or NULL */

/* A text that is printed into the arena. */
struct stream {
    FILE *out;
    char *text;
    size_t len;
};
bool stream_open(struct parse *, struct stream *);
char *stream_take(struct parse *, struct stream *);

/* "; did you mean 'x'?" or "; known: NAME, NAME and NAME": what is appended to a message about an unknown name. */
const char *suggest(struct parse *, const char *word, const char *const *names, size_t n);

/* --- index.c ---------------------------------------------------------------------------------- */
/* Names by their hash: finds duplicates and looks names up, in n log n whatever the names are. */
struct index_entry {
    uint64_t hash;
    const struct rules_name *name;
    uint32_t number;
};
struct index {
    struct index_entry *entries;
    size_t n;
};
/* Names 'stride' bytes apart.  Second and later uses of a name are reported as "duplicate WHAT". */
void index_build(struct parse *, struct index *ret, const void *names, size_t n, size_t stride, const char *what);
size_t index_find(const struct index *, const char *name); /* number, or SIZE_MAX */
/* Reports an unknown name with the nearest known one; returns as index_find(). */
size_t index_require(struct parse *, const struct index *, const struct rules_name *, const char *what);

/* --- forms.c ---------------------------------------------------------------------------------- */
enum port_form {
    PORT_OF_ROW,       /* tcp/88, udp/5000-5020, tcp/{parameter} */
    PORT_OF_PARAMETER, /* 1200, 1201-1204 */
    PORT_OF_EXCEPTION, /* tcp/22, udp/5000-5010, 22 */
};
bool read_port(struct parse *, const struct node *, enum port_form, struct rules_port *ret);
void read_port_list(struct parse *, const struct node *, enum port_form, struct rules_ports *ret);
read_fn read_row_ports;                        /* struct rules_ports */
read_fn read_parameter_ports;                  /* struct rules_ports */
read_fn read_duration;                         /* int64_t, nanoseconds */
read_fn read_switch;                           /* char *: "on", "off" or "both" */
bool form_version(const char *);               /* "5", "5.0", "12.5.1" */
bool form_date(const char *, int64_t *ret_ns); /* its last nanosecond, UTC */
bool read_range(struct parse *, const struct node *, struct addr_range *ret);
bool port_same(const struct rules_port *, const struct rules_port *);
void port_text(const struct rules_port *, char *buf, size_t size); /* as a row writes it */

/* --- matrix_row.c, matrix_test.c, matrix_check.c, site_check.c --------------------------------- */
read_fn read_sections; /* struct matrix */
read_fn read_tests;    /* struct matrix */
void expect_of(struct parse *, const struct node *, enum rules_expect *ret);
void matrix_check(struct parse *, struct matrix *); /* names that it uses are defined; conditions in words */
void site_check(struct parse *, struct site *);     /* duplicates, overlapping addresses, hosts that exceptions name */

/* --- load.c ----------------------------------------------------------------------------------- */
/* Copies name and text into a new arena, digests, reads the nodes and finds the root mapping.  0, -EINVAL, -ENOMEM,
 * -EIO. */
struct rules_text {
    char *file, *text;
    char sha256[65];
};
int parse_begin(struct parse *, const char *text, size_t size, const char *name, struct diag_list *,
                struct rules_text *ret);
/* 0 where there were no errors; frees the nodes, and on failure the arena. */
int parse_end(struct parse *);
int site_parse_partly(const char *text, size_t size, const char *name, struct site **ret, struct diag_list *diags);

#endif
