/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of learning share: learn.c (facts), learn_roles.c (who is who), learn_result.c (on what evidence),
 * learn_served.c (what was served). */
#ifndef POLICY_LEARN_PRIVATE_H
#define POLICY_LEARN_PRIVATE_H

#include "flowaudit/learn.h"
#include "private.h"

/* A row that may be what a fact is about; quality in percent. */
struct learn_candidate {
    uint32_t row;
    uint32_t quality;
};

struct fact {
    uint32_t client, server; /* hosts, by index */
    uint8_t transport;
    uint16_t port; /* the lowest, where several were folded together */
    bool answered; /* data flowed both ways, or one way where the row expects no more */
    struct app app;
    uint64_t flows;
    uint32_t n_ports;  /* facts folded into this one */
    uint32_t first, n; /* of the candidates */
};

/* Roles that the same rows speak of, at the same ends, are one class: traffic cannot tell them apart. */
struct role_class {
    struct set256 closure;     /* of all its members: itself and what it implies */
    unsigned members[SET_MAX]; /* without those that another member implies; the matrix's order */
    unsigned n_members;
    bool governed;
    uint32_t *ends; /* 2 * row + side (1: server) of the rows with a port that speak of it, in document order */
    size_t n_ends;
};

struct host {
    struct addr addr;
    struct set256 maybe; /* classes for which there is any evidence */
    struct set256 held;  /* classes that it has now */
    struct set256 roles; /* with all that these imply */
    struct set256 told;  /* roles that a sign of the matrix tells of */
    uint32_t first, n;   /* of its facts in 'host_facts' */
    uint64_t flows;
    bool scan;
};

#define MAX_INTERFACES 64 /* names of RPC interfaces that are kept, of those that no sign of the matrix speaks of */
#define INTERFACE_SIZE 40

struct learner {
    const struct policy *p;
    struct learn_fact *seen; /* as added */
    size_t n_seen, n_seen_allocated;
    struct fact *facts;
    size_t n_facts;
    struct learn_candidate *candidates;
    size_t n_candidates, n_candidates_allocated;
    struct host *hosts; /* by address */
    size_t n_hosts;
    uint32_t *host_facts;
    struct role_class *classes;
    size_t n_classes;
    uint32_t *holders;   /* by 2 * row + side: hosts that now hold a role of that end */
    uint8_t *ends;       /* by 2 * row + side: what one host was seen to do; a scratch pad */
    char interfaces[MAX_INTERFACES][INTERFACE_SIZE];
    size_t n_interfaces;
    bool governed_first; /* the first phase: all facts weigh the same */
    struct learn_result result;
};

/* learn.c */
uint32_t learn_host_of(const struct learner *, const struct addr *); /* of one that was seen */
bool learn_is_documented(const struct policy *, uint8_t transport, uint16_t port);
bool learn_unconditional(const struct applied_row *); /* no option decides whether it applies */
/* The candidate with the best quality that these roles allow; NULL: none. */
const struct learn_candidate *learn_explain(const struct learner *, const struct fact *, const struct set256 *client,
                                            const struct set256 *server);
/* learn_roles.c */
int learn_classes(struct learner *);
void learn_infer(struct learner *);
void learn_by_signs(struct learner *); /* after learn_infer() */
void learn_note_ends(struct learner *, uint32_t host); /* fills 'ends': 1 = seen */
bool learn_end_missing(const struct learner *, uint32_t host, uint32_t end);
struct set256 learn_closure(const struct learner *, const struct set256 *classes);
/* learn_result.c */
int learn_conclude(struct learner *);
void learn_result_free(struct learner *);
/* learn_served.c */
int learn_tell_services(struct learner *);

#endif
