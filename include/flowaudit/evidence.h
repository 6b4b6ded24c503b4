/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as evidence: from capture files that are known by their digest, into a pcapng file (draft-ietf-opsawg-pcapng) that
 * says of each packet what it is evidence of.
 *
 * The file has one section, with the program and what it is about in the section header; an interface for each interface of each
 * input (name, snap length, nanoseconds, a comment with the digest of the input); and whole original frames, each with its
 * original time, length and a comment.  The same packets make the same bytes.  It is written under another name and renamed
 * once it is whole.
 *
 * Threads: one at a time for each object.
 */
#ifndef FLOWAUDIT_EVIDENCE_H
#define FLOWAUDIT_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/addr.h"
#include "flowaudit/capture.h"
#include "flowaudit/err.h"
#include "flowaudit/hash.h"

/* --- the writer ------------------------------------------------------------------------------------------- */

struct pcapng_writer;

/* Where frames come from; one interface is described for each (id, linktype, interface_id of the frame). */
struct pcapng_origin {
    unsigned    id;
    const char *name;
    const char *comment;
    uint32_t    snaplen;
};

int pcapng_writer_new(const char *path, const char *application, const char *comment, struct pcapng_writer **ret, struct err *reterr);
int pcapng_write(struct pcapng_writer *, const struct pcapng_origin *, const struct frame *, const char *comment, struct err *reterr);
/* On the disk, under its name.  Without it nothing is left of the file. */
int pcapng_commit(struct pcapng_writer *, struct err *reterr);
void pcapng_writer_free(struct pcapng_writer *);

/* --- which packets ---------------------------------------------------------------------------------------------- */

/* The packets of one flow, or of all flows between these ends, in both directions. */
struct evidence_selector {
    struct addr_range client, server;
    uint16_t client_port_low, client_port_high, server_port_low, server_port_high;
    uint8_t  transport; /* IPPROTO_TCP, IPPROTO_UDP; 0: both */
    int64_t  first_ns, last_ns;
};

/*
 * A packet is picked where its innermost header matches one of 'wanted' and none of 'others'.  With it go the ICMP errors that quote it
 * and the later fragments of a first one that is picked: both until EVIDENCE_SLACK_NS after the last packet, errors from EVIDENCE_EARLY_NS before the
 * first one on, whose own quoted packets are not in the capture.
 */
struct evidence_pick {
    const struct evidence_selector *wanted, *others;
    size_t n_wanted, n_others;
};
#define EVIDENCE_SLACK_NS INT64_C(60000000000) /* as long as the audit waits for the fragments of a packet */
#define EVIDENCE_EARLY_NS INT64_C(3600000000000) /* as long as a TCP flow may be silent */

struct evidence_input {
    const char *name;   /* in the record: the last part of a path */
    const char *path;   /* where it was; NULL: not known */
    const char *sha256; /* "" where the record has none: then the size has to do */
    uint64_t    bytes;
};

struct evidence_request {
    const struct evidence_input *inputs; /* in the order of the observation */
    size_t                       n_inputs;
    const char                  *from;   /* a folder to look for inputs that are not where they were, or NULL */
    const char                  *beside; /* the folder of the record: the second place to look for a file by its name */
    const char                  *filter; /* of the run, or NULL */
    struct evidence_pick         pick;
    const char                  *out, *application, *comment;
    const char                  *finding; /* begins the comment of each packet */
};

struct evidence_result {
    uint64_t n_packets;   /* all that were written */
    uint64_t n_fragments; /* of these: later fragments */
    uint64_t n_errors;    /* of these: ICMP errors */
    size_t   n_unproven;  /* inputs that were taken without a digest in the record */
};

/* Nothing is left at 'out' on failure.  -ENOENT: an input is nowhere (the sentence has its name and digest); -ENODATA: no packet
 * is of this finding; as capture_open_file() and capture_next_batch() where an input cannot be read. */
int evidence_carve(const struct evidence_request *, struct evidence_result *ret, struct err *reterr);

#endif
