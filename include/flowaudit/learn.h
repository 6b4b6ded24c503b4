/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who: roles proposed for addresses, from what they were seen to do and from nothing but the rows of a matrix.
 *
 * Facts (who connected to whom, on which port, with which content) go in; for each address the roles that the rows make
 * likely come out, with the rows seen as evidence.  No role, port or section is known here beyond what the matrix says.
 *
 * Pure: no packets, no files, no clock.  The result does not depend on the order of the facts.  One thread.
 */
#ifndef FLOWAUDIT_LEARN_H
#define FLOWAUDIT_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/policy.h"
#include "flowaudit/value.h"

/* A site file that names nobody: with it a matrix compiles to a policy that learns ('policy' below). */
extern const char learn_site_text[];

/* What the survey of packets asks of such a policy, which cannot go by roles: the same for any two hosts. */
const char *const *learn_expected(const struct policy *, const struct tuple *); /* as policy_expected() */
int learn_port_vote(const struct policy *, const struct tuple *);               /* as policy_port_vote() */

struct learn_fact {
    struct tuple tuple;        /* client_port: the lowest of its flows */
    uint16_t client_port_high; /* the highest */
    struct app app;
    bool sent[2]; /* did the client's, the server's side send packets? */
    bool data;    /* was any payload carried? */
    bool direction_known;
    uint64_t flows;
    const char *interface; /* the RPC interface that the server's port was bound to, for as long as the call takes; NULL: not known */
};

/* A row that a host was seen to use or to serve. */
struct learn_row {
    uint32_t row;
    bool as_server;
    bool confirmed; /* by content */
    uint32_t n_peers;
    uint64_t flows;
};

struct learn_role {
    const char *name;
    uint32_t n_rows; /* rows of the matrix that speak of this role and have a port, each end on its own */
    struct learn_row *seen;
    size_t n_seen;
    uint32_t *missing; /* required rows, without conditions, that were never seen although the other end is there */
    size_t n_missing;
    const char *same[4]; /* roles that the same rows speak of: 'name' was chosen among them by rank; NULL-terminated */
    uint32_t rank;       /* 1: the host with most conversations among those with this role and 'same' */
    const char *sign;    /* the RPC interface that tells of it (a sign of the matrix); NULL: none */
};

/* A role that the host was not given and whose rows it has nearly all shown: traffic does not say that it has not got
 * it. */
struct learn_also {
    const char *name;
    uint32_t n_seen, n_rows;
    bool instead; /* explains all that one of the given roles does */
};

struct learn_host {
    struct addr addr;
    struct learn_role *roles; /* in the matrix's order, governed ones first */
    size_t n_roles;
    struct learn_also *also;
    size_t n_also;
    uint64_t n_conversations, n_explained; /* different services, each with each peer */
    uint64_t flows;
    bool serves; /* it answers at a documented port other than media */
    bool governed;
};

/* An address with documented traffic to or from a governed host, and no role that fits well enough. */
struct learn_other {
    struct addr addr;
    bool scan; /* most of what it tried is documented nowhere or was not answered */
    uint64_t n_conversations;
};

struct learn_option {
    const char *name, *value, *usual; /* 'usual' is what the option would be if the site said nothing */
    uint32_t row;                     /* the first row that was seen and needs this value */
};

/* A port that a role's rows would allow if a parameter listed it: recognised by content, documented nowhere. */
struct learn_port {
    const char *parameter;
    uint8_t transport;
    uint16_t port;
    uint32_t row;
    struct addr server; /* the first that serves it */
    char protocol[APP_NAME_SIZE];
    uint64_t flows;
};

/* One port with one content, answered with data. */
struct learn_service {
    uint8_t transport;
    uint16_t port;
    char protocol[APP_NAME_SIZE]; /* or "" */
    const char *interface;        /* the RPC interface bound there, or NULL */
    struct addr server;           /* the first that serves it */
    uint32_t n_servers, n_pairs;  /* of a client and a server */
    bool documented;              /* some row has the port */
};

struct learn_result {
    struct learn_host *hosts;
    size_t n_hosts; /* by address */
    struct learn_other *others;
    size_t n_others; /* by address */
    struct learn_option *options;
    size_t n_options; /* in the matrix's order; only those that differ from what is usual */
    struct learn_port *ports;
    size_t n_ports;       /* by parameter, port, transport */
    struct learn_service *services;
    size_t n_services;    /* where no host has a role: documented ones first, those of most pairs first */
    uint64_t n_addresses; /* all that were seen */
    size_t n_rows, n_governed_rows; /* there too: of the matrix, with a port; with a governed role at an end */
};

struct learner;

/* 'policy' is one of learn_site_text; it and its matrix must outlive the learner. */
int learner_new(const struct policy *, struct learner **ret, struct err *reterr);
int learner_add(struct learner *, const struct learn_fact *, struct err *reterr); /* 0 or -ENOMEM */
/* Once; 'ret' is owned by the learner. */
int learner_finish(struct learner *, const struct learn_result **ret, struct err *reterr);
void learner_free(struct learner *);

#endif
