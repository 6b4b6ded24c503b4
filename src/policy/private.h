/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share: the compiled form.  Built by compile.c and its helpers, constant afterwards. */
#ifndef POLICY_PRIVATE_H
#define POLICY_PRIVATE_H

#include <string.h>

#include "flowaudit/policy.h"

/* --- sets of roles, of protocols --------------------------------------------------------------- */

#define SET_MAX 256 /* roles of a matrix, and protocols; more is an error */
#define SET_WORDS (SET_MAX / 64)

struct set256 {
    uint64_t words[SET_WORDS];
};

static inline bool set_has(const struct set256 *s, unsigned i)
{
    return (s->words[i / 64] >> (i % 64) & 1) != 0;
}

static inline void set_add(struct set256 *s, unsigned i)
{
    s->words[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void set_join(struct set256 *s, const struct set256 *other)
{
    for (unsigned i = 0; i < SET_WORDS; i++)
        s->words[i] |= other->words[i];
}

static inline bool sets_meet(const struct set256 *a, const struct set256 *b)
{
    uint64_t common = 0;

    for (unsigned i = 0; i < SET_WORDS; i++)
        common |= a->words[i] & b->words[i];
    return common != 0;
}

static inline bool set_is_empty(const struct set256 *s)
{
    return sets_meet(s, s) == false;
}

/* The least member from 'i' on, or SET_MAX. */
static inline unsigned set_next(const struct set256 *s, unsigned i)
{
    for (; i < SET_MAX; i = (i | 63) + 1) {
        uint64_t left = s->words[i / 64] >> (i % 64);

        if (left != 0)
            return i + (unsigned)__builtin_ctzll(left);
    }
    return SET_MAX;
}

/* --- names --------------------------------------------------------------------------------------- */

struct name_entry {
    const char *name;
    uint32_t    number;
};

/* From a name to its place in an array whose elements begin with a struct rules_name. */
struct name_index {
    struct name_entry *items;
    size_t             n;
};

/* --- rows ------------------------------------------------------------------------------------------ */

/* A port range of a row with its parameters put in. */
struct port_range {
    uint8_t  transport;
    bool     one_way;
    uint16_t low, high;
};

/* A row as it applies at the site. */
struct applied_row {
    const struct matrix_row *row;
    struct set256            from, to;
    struct set256            protocols;
    struct port_range       *ports;
    size_t                   n_ports;
    bool                     enabled;
    uint32_t                 off_option; /* option whose value alone, or with others, turns it off; or POLICY_NONE */
    uint32_t                 wide_option;/* use outside a negotiated port is a notice, by this option; or POLICY_NONE */
    uint32_t                 unlisted;   /* a parameter of its ports that the site leaves empty, or POLICY_NONE */
    bool                     lost;       /* no port, since the source's table is lost */
    bool                     required, every;
    int64_t                  within_ns;
};

/* Elementary intervals of ports: from 'starts[i]' up to the next start, 'rows[offsets[i] .. offsets[i + 1]]' decide. */
struct port_map {
    uint32_t  n;
    uint16_t *starts;
    uint32_t *offsets;
    uint32_t *rows;
};

/* All ranges, to be asked which of them hold a port: sorted by 'low', each with the greatest 'high' of its subtree. */
struct stab_item {
    uint16_t low, high, greatest;
    uint32_t row;
};
struct stab_tree {
    struct stab_item *items;
    size_t            n;
};

/* The first row of a pair with some property. */
struct first_row {
    uint32_t key;   /* what the list is by */
    bool     other; /* the row is for two different hosts only */
    uint32_t row;
};
struct first_rows {
    struct first_row *items;
    size_t            n, n_allocated;
};

/* All rows from one role to another. */
struct role_pair {
    struct port_map   maps[2]; /* TCP, UDP */
    struct stab_tree  trees[2];
    uint32_t         *rows;     /* in document order */
    size_t            n_rows;
    struct first_rows expects;  /* by protocol, and with a range of ports or without: the first enabled row that expects it */
    struct first_rows unlisted; /* by parameter and protocol: the first enabled row that wants a list which the site does not give */
    struct first_rows lost;     /* the first enabled row whose table is lost */
    struct first_rows media;    /* the first enabled media row */
};

/* What is looked at for each pair of roles that two hosts have: by itself, since of a large document's pairs most have no row on a port. */
struct pair_slot {
    uint64_t ports[2]; /* TCP, UDP: a bit for each 1,024 ports, set where a row has some of them */
    uint32_t pair;     /* index + 1 into pairs; 0: no row from one to the other */
};

/* --- hosts ----------------------------------------------------------------------------------------- */

struct host_interval {
    struct addr low, high;
    uint32_t    host;  /* or index of the ignore entry */
    bool        block; /* of several addresses: two of them are two machines */
};

/* The IPv4 part of an interval map, small enough to stay in the cache: the ends of its intervals, and where to begin for each of the
 * equal pieces of the range from the first address to the last. */
struct ipv4_interval {
    uint32_t low, high;
};
struct ipv4_map {
    struct ipv4_interval *items;
    size_t                n, first; /* items[0] is the interval map's items[first] */
    uint32_t              from, span; /* the first address, and how far from there the last is */
    uint32_t             *starts;     /* [piece]: the first interval that does not end before it; one more at the end */
    unsigned              shift;      /* a piece has so many bits */
};

struct interval_map {
    struct host_interval *items; /* disjoint, sorted */
    size_t                n;
    struct ipv4_map       ipv4;
};

/* Hosts with the same roles are one group. */
struct host_group {
    struct set256 roles;    /* with all that they imply */
    struct set256 siblings; /* all roles of the families of these */
};

struct policy_host {
    uint32_t group;
    char    *role_text;
    char    *address_text;
};

enum { OPTION_ON = 1, OPTION_OFF = 2 };

/* A set of protocols as the classifier wants it. */
struct expected_list {
    struct set256 set;
    const char  **names; /* NULL-terminated */
};

#define SERVED_SIZE ((UINT16_MAX + 1) / 8) /* bytes: a bit for each port */

struct policy {
    const struct matrix       *matrix;
    const struct site         *site;
    struct policy_options      options;
    struct name_index          role_names, option_names, parameter_names;
    struct set256             *closures;      /* by role: itself and what it implies */
    struct set256             *families;      /* by role: itself and its siblings */
    struct set256              governed;
    uint8_t                   *option_values; /* OPTION_ON | OPTION_OFF */
    const struct rules_ports **parameter_ports;
    const char               **parameter_versions;
    struct policy_host        *hosts;
    struct host_group         *groups;        /* distinct; group 0 has no role */
    size_t                     n_groups;
    struct set256              present;       /* roles that some host has */
    struct interval_map        host_map, ignore_map;
    uint32_t                  *exception_hosts; /* by exception: client's and server's host, or POLICY_NONE */
    struct applied_row        *rows;
    struct set256             *reach;         /* by role: the roles that some row leads to from it */
    struct pair_slot          *slots;         /* [from * n_roles + to] */
    struct role_pair          *pairs;
    size_t                     n_pairs, n_pairs_allocated;
    uint64_t                   n_entries;     /* of all indexes: bounded */
    uint8_t                   *served[2];     /* by role: bits of TCP, UDP ports that some row gives it as a server */
    const char               **protocols;     /* distinct names of the matrix, sorted */
    size_t                     n_protocols;
    struct set256              media;         /* those of the rows of media */
    struct expected_list      *expected;      /* sorted by set */
    size_t                     n_expected;
};

/* lookup.c */
int      name_index_build(struct name_index *, const void *names, size_t stride, size_t n);
void     name_index_free(struct name_index *);
uint32_t name_index_find(const struct name_index *, const char *name); /* or POLICY_NONE */
/* "unknown role 'x'; did you mean 'y'?" at a place in the site's text; nothing once there are very many errors. */
void     report_unknown(const struct matrix *, const struct site *, struct diag_list *, const struct rules_name *,
                        const char *what, const struct name_index *known);

/* roles.c */
int  policy_close_roles(struct policy *, struct diag_list *);
int  policy_resolve_hosts(struct policy *, struct diag_list *);
void policy_forget_hosts(struct policy *);
int  policy_map_hosts(struct policy *);

/* settings.c */
int  policy_resolve_options(struct policy *, struct diag_list *);
int  policy_resolve_parameters(struct policy *, struct diag_list *);
/* Does this condition hold?  Where not, names the option that stands in its way, unless one is named already. */
bool policy_holds(const struct policy *, const struct matrix_when *, uint32_t *ret_option);

/* rows.c */
int  policy_resolve_protocols(struct policy *, struct diag_list *);
/* False, and an error at 'place', for a protocol that no classifier finds. */
bool policy_knows_protocol(const struct policy *, const char *name, const struct rules_place *place, struct diag_list *);
/* False, and an error, where the site's value is not what the matrix takes this parameter for. */
bool policy_parameter_fits(const struct matrix *, uint32_t parameter, const struct site *, const struct site_setting *, struct diag_list *);
int  policy_resolve_rows(struct policy *, struct diag_list *);
void policy_apply_conditions(struct policy *, const uint32_t *rows, size_t n); /* these again, after options changed */
/* naive.c: as policy_judge_naive(), among these rows alone, which are in the document's order. */
void policy_judge_among(const struct policy *, const uint32_t *rows, size_t n_rows, const struct policy_query *, struct judgement *ret);

/* compile.c: everything but the index; for self-tests too. */
int policy_resolve(const struct matrix *, const struct site *, const struct policy_options *, struct policy **ret,
                   struct diag_list *);

/* selftest.c: matrix_selftest() for a matrix whose other errors have been told. */
int policy_selftest(const struct matrix *, const struct policy_options *, struct diag_list *);

/* hosts.c */
int interval_map_build(struct interval_map *, struct host_interval *nested, size_t n); /* the more specific wins */
const struct host_interval *interval_map_find(const struct interval_map *, const struct addr *); /* or NULL */
void interval_map_free(struct interval_map *);

/* index.c */
int  policy_index(struct policy *, struct diag_list *);
void policy_index_free(struct policy *);
/* The rows that decide about a port: no other row can be the first to answer any question of judge.c. */
struct row_list {
    const uint32_t *rows;
    uint32_t        n;
};
struct row_list pair_rows(const struct role_pair *, uint8_t transport, uint16_t port);

/* The pairs of roles, one of 'from' and one of 'to', between which there are rows. */
struct pair_walk {
    const struct policy *p;
    const struct set256 *from, *to;
    unsigned             which; /* TCP or UDP, and a bit of ports: pairs without such a port are left out */
    uint64_t             port;  /* 0: none is */
    unsigned             role; /* of 'from', one further */
    unsigned             at;   /* of the roles that are left at the other end */
    struct set256        left;
};
struct way;
struct pair_walk        pair_walk(const struct policy *, const struct set256 *from, const struct set256 *to);
struct pair_walk        pair_walk_at(const struct policy *, const struct way *); /* of those that may have rows on the way's port */
const struct role_pair *pair_next(struct pair_walk *);

/* The first row from 'least' on that stands between a role of 'from' and one of 'to'; POLICY_NONE: there is no more. */
uint32_t policy_row_between(const struct policy *, const struct set256 *from, const struct set256 *to, uint32_t least);

bool row_has_range(const struct applied_row *);

/* stab.c */
typedef void stab_fn(void *aux, uint32_t row);
void stab_build(struct stab_tree *); /* 'items' filled in but for 'greatest' */
void stab_find(const struct stab_tree *, uint16_t port, stab_fn *, void *aux);

/* expected.c */
int policy_index_expected(struct policy *);
const char *const *policy_expected_list(const struct policy *, const struct set256 *); /* NULL: not foreseen */

/* --- judging ------------------------------------------------------------------------------------------ */

#define POLICY_FIRST_FREE_PORT 1024 /* lower ones are privileged: assigned to one service, and not taken for media or from a range */

/* Who speaks to whom, in the direction that is asked about. */
struct way {
    uint32_t             client, server;
    bool                 distinct; /* two machines */
    const struct set256 *from, *to;
    uint8_t              transport;
    uint16_t             port; /* the server's */
};
/* judge.c */
struct way way_there(const struct policy *, const struct tuple *);
struct way way_between(const struct policy *, const struct policy_ends *, const struct tuple *);
struct way way_back(const struct way *, uint16_t client_port);
/* The media row that packets this way are measured against and that does not have their port; or POLICY_NONE. */
uint32_t media_broken(const struct policy *, const struct policy_query *, const struct way *);
bool       policy_satisfies(const struct policy *, const struct app *, const struct applied_row *);
/* The content is known, and not what the row expects. */
bool       content_contradicts(const struct policy *, const struct app *, const struct applied_row *);
const struct port_range *row_port(const struct applied_row *, uint8_t transport, uint16_t port);
struct policy_query      query_turned(const struct policy_query *);

static inline bool row_other_ok(const struct applied_row *a, bool distinct)
{
    return distinct || !a->row->other;
}

const struct host_group *host_group(const struct policy *, uint32_t host); /* of POLICY_NONE: without roles */
/* Calls 'fn' for each row that allows the flow, with the way that it allows; a row may come more than once. */
typedef void row_fn(void *aux, uint32_t row, const struct way *); /* media rows may allow the way back */
void policy_each_row(const struct policy *, const struct policy_query *, const struct judgement *, row_fn *, void *aux);

#define HOST_TEXT_SIZE (RULES_MAX_NAME + ADDR_TEXT_SIZE + 4)
#define ICMP_TEXT_SIZE (HOST_TEXT_SIZE + 128)
#define TTL_TEXT_SIZE 32
/* sentence.c: "sub1 (10.30.8.20)", or the address alone */
/* "3 times", of so many SYNs that came again in 'flows' flows: beyond a number the flow table does not count them. */
#define TIMES_TEXT_SIZE 40
const char *resent_text(uint64_t syns, uint64_t flows, char buf[static TIMES_TEXT_SIZE]);

const char *host_text(const struct policy *, const struct addr *, char *buf, size_t size);
/* What the document says, without the event. */
int         rule_text(const struct policy *, const struct policy_query *, const struct judgement *, char *buf, size_t size);
const char *ports_text(const struct applied_row *, char *buf, size_t size); /* "TCP and UDP 5000-5020" */
const char *service_text(uint8_t transport, uint16_t port, char *buf, size_t size); /* "TCP 443" */
/* "ICMP \"communication administratively prohibited\" (type 3 code 13) from fw1 (192.0.2.1)" */
const char *icmp_text(const struct policy *, const struct flow_icmp *, char *buf, size_t size);
bool        host_is_block(const struct policy *, uint32_t host); /* clause.c: a network or a range: many machines under one name */
const char *ttl_text(const struct ttl_range *, char *buf, size_t size); /* "TTL 64", "TTLs from 62 to 64" */
#define LIKE_TEXT_SIZE (TTL_TEXT_SIZE + 4)
const char *like_text(bool beside, const struct ttl_range *rst, char buf[static LIKE_TEXT_SIZE]); /* "TTL 64, as", "a TTL that" (other packets have) */
const char *beside_text(bool beside); /* where TTLs were held against each other, as far as there is more than one place */

/* passage.c: which ways between host entries the capture sees. */
struct passage {
    uint32_t from, to;
    bool     seen;   /* packets of 'from' to 'to' are in the capture */
    bool     hidden; /* 'to' acts on some that are not */
    uint32_t deaf;   /* see passages_deaf(): from 'from' on; once united */
};
struct passages {
    struct passage *items;
    size_t          n, n_allocated;
};
int  passages_note(struct passages *, const struct policy *, const struct expect_fact *); /* 0 or -ENOMEM */
void passages_unite(struct passages *); /* once all are noted, before the next */
/* The first host from 'least' on to which the passage is known to be hidden, and nothing of it seen; or POLICY_NONE. */
uint32_t passages_hidden(const struct passages *, uint32_t from, uint32_t least);
/* The first host from 'least' on that acts on what others sent it, while nothing that anyone sent it is in the capture; or POLICY_NONE. */
uint32_t passages_deaf(const struct passages *, uint32_t least);
/* The first host, 'least' or beyond, of which a packet to or from 'host' is in the capture; or POLICY_NONE. */
uint32_t passages_peer(const struct passages *, uint32_t host, uint32_t least);
void passages_free(struct passages *);

#endif
