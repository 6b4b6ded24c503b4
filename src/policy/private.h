/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share: the compiled form.  Built by compile.c and index.c, constant afterwards. */
#ifndef POLICY_PRIVATE_H
#define POLICY_PRIVATE_H

#include "flowaudit/policy.h"

#define MAX_ROLES 256
#define ROLE_WORDS (MAX_ROLES / 64)
#define MAX_MATCHES 64 /* rows considered for one flow; more on one port of one pair of roles are beyond any real matrix */

struct roleset {
    uint64_t words[ROLE_WORDS];
};

static inline bool roleset_has(const struct roleset *s, unsigned role)
{
    return (s->words[role / 64] >> (role % 64) & 1) != 0;
}

static inline void roleset_add(struct roleset *s, unsigned role)
{
    s->words[role / 64] |= UINT64_C(1) << (role % 64);
}

static inline bool rolesets_meet(const struct roleset *a, const struct roleset *b)
{
    uint64_t common = 0;

    for (unsigned i = 0; i < ROLE_WORDS; i++)
        common |= a->words[i] & b->words[i];
    return common != 0;
}

/* A port range of a row with its parameters put in. */
struct port_range {
    uint8_t  transport;
    bool     one_way;
    uint16_t low, high;
};

/* A row as it applies at the site. */
struct applied_row {
    const struct matrix_row *row;
    struct roleset           from, to;
    struct port_range       *ports;
    size_t                   n_ports;
    const char             **protocols;  /* NULL-terminated; borrowed strings */
    bool                     enabled;
    uint32_t                 off_option; /* option whose value turns it off, or POLICY_NONE */
    uint32_t                 unlisted;   /* a parameter of its ports that the site leaves empty, or POLICY_NONE */
    bool                     lost;       /* no port, since the source's table is lost */
    bool                     required, every;
    int64_t                  within_ns;
};

/* Rows by port: elementary intervals.  'starts[i]' up to the next start are 'rows[offsets[i] .. offsets[i + 1]]'. */
struct port_map {
    uint32_t  n;
    uint16_t *starts;
    uint32_t *offsets;
    uint32_t *rows;
};

struct expected_protocol {
    const char *name;
    uint32_t    row; /* the first that expects it */
};

/* All rows from one role to another. */
struct role_pair {
    struct port_map           maps[2]; /* TCP, UDP */
    uint32_t                 *rows;    /* all, in document order */
    size_t                    n_rows;
    uint32_t                 *portless;/* rows without a port, for want of a list */
    size_t                    n_portless;
    struct expected_protocol *protocols;
    size_t                    n_protocols;
    uint32_t                  media;   /* the first enabled media row, or POLICY_NONE */
};

struct host_interval {
    struct addr low, high;
    uint32_t    host; /* or index of the ignore entry */
};

struct interval_map {
    struct host_interval *items; /* disjoint, sorted */
    size_t                n;
};

enum { OPTION_ON = 1, OPTION_OFF = 2 };

struct policy_host {
    struct roleset roles;    /* with all that they imply */
    struct roleset siblings; /* all roles of the families of these */
    char          *role_text;
    char          *address_text;
};

struct policy {
    const struct matrix  *matrix;
    const struct site    *site;
    struct policy_options options;
    struct roleset       *closures;      /* by role: itself and what it implies */
    struct roleset        governed;
    uint8_t              *option_values; /* OPTION_ON | OPTION_OFF */
    const struct rules_ports **parameter_ports;
    const char         **parameter_versions;
    struct policy_host   *hosts;
    struct interval_map   host_map, ignore_map;
    struct applied_row   *rows;
    uint32_t             *pair_index;    /* [from * n_roles + to]: index + 1 into pairs */
    struct role_pair     *pairs;
    size_t                n_pairs;
    const char          **protocols;     /* distinct names of the matrix */
    size_t                n_protocols;
};

/* A set of rows in document order. */
struct matches {
    uint32_t rows[MAX_MATCHES];
    size_t   n;
};

/* hosts.c */
int      interval_map_build(struct interval_map *, struct host_interval *nested, size_t n); /* nested or disjoint; the more specific wins */
uint32_t interval_map_find(const struct interval_map *, const struct addr *);
/* index.c */
int  policy_index(struct policy *);
void policy_index_free(struct policy *);
const struct role_pair *policy_pair(const struct policy *, unsigned from, unsigned to);
/* Rows with one of these roles at each end and this port, enabled or not. */
void policy_match(const struct policy *, const struct roleset *from, const struct roleset *to, uint8_t transport, uint16_t port, struct matches *ret);
/* compile.c: everything but the index; for self-tests too. */
int  policy_resolve(const struct matrix *, const struct site *, const struct policy_options *, struct policy **ret, struct diag_list *diags);
int  role_index(const struct matrix *, const char *name);   /* or -1 */
int  option_index(const struct matrix *, const char *name);
int  parameter_index(const struct matrix *, const char *name);
/* judge.c */
bool policy_satisfies(const struct policy *, const struct app *, const struct applied_row *);
const struct port_range *row_port(const struct applied_row *, uint8_t transport, uint16_t port);
bool row_other_ok(const struct applied_row *, uint32_t client_host, uint32_t server_host);
/* sentence.c: "sub1 (10.30.8.20)", "an unnamed host (192.0.2.7)" */
const char *host_text(const struct policy *, const struct addr *, char *buf, size_t size);
/* What the document says, without the event. */
int rule_text(const struct policy *, const struct policy_query *, const struct judgement *, char *buf, size_t size);
/* "ICMP \"administratively prohibited\" (type 3 code 13) from fw1 (192.0.2.1)" */
const char *icmp_text(const struct policy *, const struct flow_icmp *, char *buf, size_t size);
/* "TTL 64" or "TTLs from 62 to 64" */
const char *ttl_text(const struct ttl_range *, char *buf, size_t size);
/* "TCP 443" */
const char *service_text(uint8_t transport, uint16_t port, char *buf, size_t size);

#endif
