/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flow carries, from its content alone: confirmed, contradicted or no opinion.
 *
 * Three sources: libndpi with the matrix's protocols only; small confirmers of our own where libndpi 4.2 is weak
 * (LDAP, SCCP, NetBIOS session, kpasswd, SQL Server browser, RTP); libndpi with all protocols as a second
 * opinion on flows that stay unconfirmed.  No port is ever loaded into libndpi and no guess by port is
 * taken.  This is the only place that knows libndpi; callers see names.
 *
 * At most CLASSIFY_MAX_BYTES of a packet are shown to libndpi, with lengths rewritten in a scratch copy where the packet
 * is longer or was cut by the snap length.
 *
 * Threads: a classifier belongs to one thread; all of them are made before threads start (libndpi's rule).
 */
#ifndef FLOWAUDIT_CLASSIFY_H
#define FLOWAUDIT_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/packet.h"
#include "flowaudit/value.h"

#define CLASSIFY_MAX_BYTES 4096
#define CLASSIFY_MAX_TCP_PACKETS 16 /* with payload 12 */
#define CLASSIFY_MAX_UDP_PACKETS 8

struct classifier;
struct classify_state; /* one flow's; from a pool of the classifier */

/* Does a classifier know this protocol name (what a matrix file may say under 'protocols')? */
bool        classify_knows(const char *name);
/* All names, for messages; NULL-terminated, static. */
const char *const *classify_names(void);
/* Is 'app' what a row that expects 'name' should carry?  ("TLS" is satisfied by any TLS.x; "SMB" by SMBv1 and SMBv2, ...) */
bool        classify_satisfies(const struct app *, const char *name);

/* 'names': the protocols that the matrix in force names; others are left to the second opinion. */
int  classifier_new(const char *const *names, size_t n_names, struct classifier **ret, struct err *reterr);
void classifier_free(struct classifier *);

/* A state for a new flow, or NULL under memory shortage (the flow then stays unclassified, counted in stats). */
struct classify_state *classify_begin(struct classifier *);

/* What is known when a packet is shown. */
struct classify_step {
    bool     from_client;     /* best knowledge of the direction so far */
    uint16_t client_port, server_port;
    const char *const *expected; /* protocols of the rows that may apply to this flow, NULL-terminated, or NULL: port-bound confirmers (SCCP, kpasswd ...) run only where named */
};
enum classify_progress {
    CLASSIFY_MORE,  /* show it more packets */
    CLASSIFY_FINAL, /* call classify_finish(): nothing more will be learned */
};
/* Shows a packet with payload. */
enum classify_progress classify_packet(struct classifier *, struct classify_state *, const struct packet *, const struct classify_step *);

enum classify_role { CLASSIFY_ROLE_UNKNOWN, CLASSIFY_SIDE0_CLIENT, CLASSIFY_SIDE1_CLIENT };

/* The result, from what was shown so far.  May be called at any time; does not end the state. */
void classify_result(struct classifier *, const struct classify_state *, struct app *ret);
/* Who is the client by the content (a request was seen from one side, an answer from the other): +1 the sender of the first
 * packet shown is the client, -1 it is the server, 0 not known. */
int  classify_direction(const struct classify_state *);
/* The first payload shown was an answer to a name query (NetBIOS, LLMNR, mDNS response bit): may answer a broadcast. */
bool classify_is_reply(const struct classify_state *);
/* Gives the state back to the pool. */
void classify_end(struct classifier *, struct classify_state *);

struct classify_stats {
    uint64_t n_states, n_states_peak, n_packets, n_second_opinions, n_no_memory;
};
void classify_stats(const struct classifier *, struct classify_stats *ret);

/* Community ID v1 (github.com/corelight/community-id-spec), seed 0. */
#define COMMUNITY_ID_SIZE 40
int community_id(const struct tuple *, char ret[static COMMUNITY_ID_SIZE]);

#endif
