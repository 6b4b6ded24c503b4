/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flow carries, from its content alone: confirmed, contradicted or no opinion.
 *
 * Three sources, the cheapest first; each sees a packet only where the ones before did not settle the flow:
 *
 * 1. Confirmers of our own, pure functions over one payload, for the protocols that port matrices of Windows and voice
 *    systems name: libndpi 4.2 misses or sees late LDAP, SCCP, NetBIOS session, kpasswd, DCE/RPC over several
 *    segments, SQL Server browser, TLS picked up mid-stream, and takes one datagram for RTP where we want three.
 *    Strong ones run on every port; weak ones (a few bytes) only where 'expected' names their protocol.
 * 2. libndpi with the matrix's protocols only.
 * 3. libndpi with all protocols, the second opinion.  It is shown the same packets while they are still borrowed, from
 *    the first one that 1 and 2 did not settle: so it begins with the flow, nothing is copied or kept, and the flows
 *    that are settled by their first packet (nearly all) never pay for it.  What it says is a hint; only protocols
 *    that it tells reliably by content (a table with the reason for each) may contradict a row.
 *
 * No port is ever loaded into libndpi, no guess by port or address is taken, and nothing that libndpi remembers from
 * other flows: the protocol depends on the flow's own bytes alone.  The detail behind a name ("TLS.Microsoft365") is the host
 * name's or, where the content has none, what libndpi's list of networks says of the addresses: it is shown, and no row is judged by it.
 * This is the only place that knows libndpi; callers see names.
 *
 * At most CLASSIFY_MAX_BYTES of a packet are shown to libndpi, under headers of our own making where the packet is
 * longer, was cut by the snap length, is a first fragment or has no IP length (offload).
 *
 * libndpi's two detectors (about 40 ms and 8 MB each) are made when a packet first needs one, so that a capture without any pays
 * nothing for them, or by classifier_prepare().
 *
 * Threads: a classifier belongs to one thread.  libndpi must not make detectors in two threads at once: several classifiers
 * are given one gate, or are prepared before threads start.
 */
#ifndef FLOWAUDIT_CLASSIFY_H
#define FLOWAUDIT_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/packet.h"
#include "flowaudit/value.h"

#define CLASSIFY_MAX_BYTES       4096
#define CLASSIFY_MAX_TCP_PACKETS 12 /* with payload */
#define CLASSIFY_MAX_UDP_PACKETS 8

struct classifier;
struct classify_state; /* one flow's; from a pool of the classifier */

/* Does a classifier know this protocol name (what a matrix file may say under 'protocols')? */
bool classify_knows(const char *name);
/* All names, for messages; NULL-terminated, static.  Ours come first. */
const char *const *classify_names(void);
/* Is 'app' what a row that expects 'name' should carry?  ("SMB" by SMBv1 and SMBv23, "RTP" by RTCP, "Kerberos" by
 * kpasswd ...) False for everything that is not APP_CONTENT. */
bool classify_satisfies(const struct app *, const char *name);

/* libndpi does not survive an allocation that fails.  A program that wants to end in order gives it an allocator that
 * never returns NULL; for the whole process, before the first classifier is made. */
void classify_set_allocator(void *(*allocate)(size_t), void (*release)(void *));

/* 'names': the protocols that the matrix in force names; others are left to the second opinion.  -EINVAL: a name that
 * classify_knows() does not have; -ENOTSUP: the libndpi that was loaded is not the one that this program was built for;
 * -ENOMEM.  The names must live as long as the classifier, the list need not. */
int classifier_new(const char *const *names, size_t n_names, struct classifier **ret, struct err *reterr);
void classifier_free(struct classifier *); /* after every state was given back */
/* Makes the detectors now: for whoever cannot wait for them at the first packet. */
int classifier_prepare(struct classifier *, struct err *reterr);
/* Entered before a detector is made, and left afterwards, so that one thread at a time does.  Copied; 'aux' is borrowed. */
struct classify_gate {
    void (*enter)(void *aux);
    void (*leave)(void *aux);
    void *aux;
};
void classifier_set_gate(struct classifier *, const struct classify_gate *);

/*
 * A bound on what flows in classification hold, in bytes (0: none).  Where no more states fit, the one that began first is given up: 'give_up' is
 * told its owner, takes the result as far as it is known and ends the state.  Where no more of libndpi's states fit, that flow that has had its
 * own for the longest loses it, and goes on with our confirmers alone.  The order depends on the packets alone.
 */
struct classify_bounds {
    size_t states, library;
    void (*give_up)(void *aux, void *owner);
    void *aux;
};
void classifier_set_bounds(struct classifier *, const struct classify_bounds *);

/* A state for a new flow, or NULL under memory shortage (the flow then stays unclassified, counted in stats). */
struct classify_state *classify_begin(struct classifier *);
/* Under a bound: from now on this state may be given up. */
void classify_set_owner(struct classifier *, struct classify_state *, void *owner);

/* What is known when a packet is shown. */
struct classify_step {
    /* Protocols of the rows that may apply to this flow, NULL-terminated, or NULL.  The same pointer must mean the same
     * list for the life of the classifier. */
    const char *const *expected;
    bool midstream; /* TCP whose handshake, or first data, was not seen: what follows an upgrade (STARTTLS) is then no contradiction */
};
enum classify_progress {
    CLASSIFY_MORE,  /* show it more packets */
    CLASSIFY_FINAL, /* nothing more will be learned: take classify_result() and end the state */
};
/* Shows a TCP or UDP packet with payload.  Packets without any are ignored. */
enum classify_progress classify_packet(struct classifier *, struct classify_state *, const struct packet *,
                                       const struct classify_step *);

/* The result, from what was shown so far.  May be called at any time; does not end the state. */
void classify_result(const struct classify_state *, struct app *ret);
/* What classify_result() is made of: where all of this is equal (the same pointers), it gives the same.  The names live as long as the classifier. */
struct classify_outcome {
    const char *name, *detail_of, *detail; /* NULL where there is none */
    uint32_t also;
    uint8_t basis; /* enum app_basis */
    bool contradicts;
};
void classify_outcome(const struct classify_state *, struct classify_outcome *ret);
/* Who is the client by the content (a request was seen from one side, an answer from the other): +1 the sender of the
 * first packet shown is the client, -1 it is the server, 0 not known. */
int classify_direction(const struct classify_state *);
/* The first payload shown was an answer to a name query (DNS, NetBIOS, LLMNR, mDNS response bit): may answer a
 * broadcast. */
bool classify_is_reply(const struct classify_state *);
/* The same, or the answer of a time server (NTP mode 4), or of SIP, also where the result is a hint: no attempt of who sent it. */
bool classify_is_answer(const struct classify_state *);

/*
 * What a datagram between two like ports of SIP, or from or to the port of NetBIOS names, tells of who asks there: either side may, in one flow.  A BYE (SIP)
 * tells nothing: both ends of a call send it.  An answer about a name may be to a broadcast, unless it is a name server's (RFC 1002, 4.2.1.1: RA) and tells of
 * another, or of none, or is a node's status.
 */
#define CLASSIFY_PORT_NAMES 137 /* of NetBIOS */
enum classify_talk { CLASSIFY_NOTHING, CLASSIFY_ASKS, CLASSIFY_ANSWERS, CLASSIFY_MAY_ANSWER_ALL };
bool               classify_has_talk(uint16_t sport, uint16_t dport);
enum classify_talk classify_talk(const struct packet *); /* with payload, of a flow that has such */

/* Gives the state back to the pool. */
void classify_end(struct classifier *, struct classify_state *);

struct classify_stats {
    uint64_t n_states, n_states_peak, n_packets;
    uint64_t n_ndpi_packets;    /* packets that reached libndpi with the matrix's protocols */
    uint64_t n_second_opinions; /* packets that also reached libndpi with all protocols */
    uint64_t n_no_memory;       /* flows that got no state, or none of libndpi's */
    uint64_t n_given_up;        /* flows whose state, or one of libndpi's for it, was taken away under the bound; each once in these two */
};
void classify_stats(const struct classifier *, struct classify_stats *ret);

/* Community ID v1 (github.com/corelight/community-id-spec), seed 0.  -ENOTSUP for a transport without ports. */
#define COMMUNITY_ID_SIZE 40
int community_id(const struct tuple *, char ret[static COMMUNITY_ID_SIZE]);

#endif
