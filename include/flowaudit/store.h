/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record: one SQLite file, written by a recorder and read through its views.
 *
 * The views of flowaudit-db(5) are the contract; tables are ours.  Everything that a report needs years later is in the file: site and
 * matrix texts, digests of every input, every counter.
 *
 * The writer's side is this small interface; other stores (a server database fed by many sensors) may implement the
 * same calls.  Threads: a store belongs to one thread.
 */
#ifndef FLOWAUDIT_STORE_H
#define FLOWAUDIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/value.h"

#define STORE_APPLICATION_ID 0x666c6f77 /* "flow" */
#define STORE_SCHEMA_VERSION 2

/* Strings are borrowed for the call and are bound, never formatted into SQL; text from traffic is made valid
 * UTF-8 without control characters on the way in.  Times: nanoseconds since 1970 UTC, 0 = null. */
struct store_run {
    int64_t     started_ns, ended_ns; /* of the run, by the caller's clock (SOURCE_DATE_EPOCH) */
    const char *command;              /* the arguments, as typed */
    const char *version;              /* of the tool and its libraries */
    const char *site_name, *site_file, *site_text, *site_sha256;
    const char *matrix_id, *matrix_title, *matrix_text, *matrix_sha256;
    const char *options_json;         /* options in force, as a JSON object */
};
struct store_input {
    uint32_t    input_id;  /* 1-based, in the order of the observation */
    const char *name, *path, *sha256, *linktype;
    uint64_t    bytes;
    uint32_t    snaplen;
    int64_t     first_ns, last_ns;
    uint64_t    packets, decoded, discarded, dropped;
    bool        damaged;
    const char *damage;    /* sentence or NULL */
};
struct store_evidence { /* a file of packets that a live run kept */
    uint32_t    file_id; /* 1-based, in the order in which they were ended */
    const char *path, *sha256;
    uint64_t    bytes, packets;
    int64_t     first_ns, last_ns;
};
struct store_discard { uint32_t input_id; const char *reason; uint64_t packets; };
struct store_loss { uint32_t input_id; const char *reason; uint64_t packets; bool packets_known; int64_t first_ns, last_ns; const char *detail; };
struct store_counter { const char *name; uint64_t value; const char *text; }; /* anything else that a report says: duplicates, evictions, flows out of scope ... */
struct store_host { const char *address, *name, *roles; int64_t first_ns, last_ns; uint64_t packets; };
struct store_row { /* the matrix as it applied: what reports need to show sections and rows without parsing YAML */
    const char *row_id, *section, *from_roles, *to_roles, *ports, *service, *condition, *expect, *protocols;
    bool enabled;
    int  position;
};
struct store_conversation {
    uint64_t    conversation_id; /* 1-based, unique in the run, in order of first_seen */
    const char *client, *server; /* canonical text; NULL: summed up over many (see 'n_summed') */
    uint16_t    client_port_low, client_port_high, server_port;
    bool        server_port_summed; /* many server ports summed up: server_port is null */
    const char *client_name, *server_name;
    const char *transport, *protocol, *protocol_detail, *row_id, *verdict, *kind, *outcome, *disposition, *confidence, *direction_basis, *scope;
    int64_t     first_ns, last_ns;
    uint64_t    flows, packets, bytes, packets_out, packets_in, bytes_out, bytes_in, duplicates;
    uint64_t    n_summed; /* distinct peers or ports folded into this one; 0 = none */
    const char *encap;    /* "vlan 12, vxlan", or NULL */
    const char *parent;   /* what negotiated its port (kind, packet, file, sentence); "no-parent" on a dynamic port that nothing seen negotiated; or NULL */
    const char *interface;/* RPC interface that its port was bound to, or NULL */
    uint32_t    input_id;    /* where its first packet is */
    uint64_t    first_packet;
    uint64_t    icmp_errors; /* that quote its flows ... */
    uint64_t    icmp_before; /* ... and how many packets of the quoted direction its flow had had when the first of them came */
    uint64_t    icmp_late;   /* of its flows those of which some of the client's packets had gone, without an answer, when the error came */
};
struct store_flow {
    uint64_t flow_id, conversation_id;
    const struct flow_record *record;
    uint32_t input_id;
    const char *community_id;
};
/* In the reason of a finding of kind 'site': what follows is of this run alone.  Audits are compared, records merged, and alerts told apart without it. */
#define SITE_SEEN_HERE " Seen here: "
struct store_finding {
    uint64_t    finding_id;      /* 1-based, in the order of reports: severity, kind, time; of live runs as they became known */
    uint64_t    conversation_id; /* 0 = none */
    const char *kind, *severity, *row_id, *section, *client, *client_name, *server, *server_name, *transport;
    uint16_t    server_port; bool has_port;
    const char *protocol, *outcome, *disposition;
    int64_t     first_ns, last_ns;
    uint64_t    flows, packets, bytes;
    const char *reason, *waived_by, *parent;
    const char *servers;         /* of an expected flow that several hosts could serve: "a (192.0.2.1) or b (192.0.2.2)", of many the first and how many more; or NULL */
};
struct store_expectation {
    const char *row_id, *client, *client_name, *server, *server_name, *outcome;
    int64_t     first_ns;
    uint64_t    attempts;
    const char *reason;
    int64_t     window_start_ns, window_end_ns; /* 0: the whole observation */
};

struct reader;
/* One of several records to be joined: what one sensor saw. */
struct store_source {
    struct reader *reader;
    const char *name; /* of the sensor, for people */
    int64_t run_id;
};

struct store;

/*
 * A call that fails ends its run: rows of the open transaction are rolled back, every later call returns the same error, and the run
 * stays complete = 0.  -ENOSPC, -EBUSY (another program writes and does not stop), -EEXIST (an id twice), -EACCES, -EROFS, -EIO,
 * -EBADMSG (damaged), -EINVAL (not ours).
 */

/* Creates the file, or opens one of ours and appends a run; a file that is not ours is refused untouched. */
int  store_open(const char *path, struct store **ret, struct err *reterr);
/* The same for a run over so many bytes, 0 = unknown: a new file for a large one is laid out so that it is written sooner. */
int  store_open_for(const char *path, uint64_t input_bytes, struct store **ret, struct err *reterr);
/* Begins the run row (complete = 0) and commits it: a run that dies is seen to have died. */
int  store_begin_run(struct store *, const struct store_run *, int64_t *ret_run_id, struct err *reterr);
/* Of rows that follow the disk has all when the run ends, and not each batch as it is written: for who makes them all in one go.  A run that a power
 * failure cuts off is as incomplete, with less in it. */
int  store_defer_sync(struct store *, struct err *reterr);
int  store_put_input(struct store *, const struct store_input *, struct err *reterr);
int  store_put_evidence(struct store *, const struct store_evidence *, struct err *reterr); /* the same again takes its place */
int  store_put_discard(struct store *, const struct store_discard *, struct err *reterr);
int  store_put_loss(struct store *, const struct store_loss *, struct err *reterr);
int  store_put_counter(struct store *, const struct store_counter *, struct err *reterr);
int  store_put_host(struct store *, const struct store_host *, struct err *reterr);
int  store_put_row(struct store *, const struct store_row *, struct err *reterr);
int  store_put_conversation(struct store *, const struct store_conversation *, struct err *reterr);
int  store_put_flow(struct store *, const struct store_flow *, struct err *reterr);
int  store_put_finding(struct store *, const struct store_finding *, struct err *reterr);
int  store_put_expectation(struct store *, const struct store_expectation *, struct err *reterr);
/*
 * For a run without an end, which is written again as it grows: what is to be written anew, or is no longer so, is taken away first.
 * Inputs, discards, losses and counters all at once; with them hosts and expectations.
 */
int  store_forget_conversation(struct store *, uint64_t conversation_id, struct err *reterr); /* and its flows */
int  store_forget_finding(struct store *, uint64_t finding_id, struct err *reterr);
int  store_forget_summary(struct store *, bool with_hosts, struct err *reterr);
int  store_forget_judged(struct store *, struct err *reterr); /* all conversations, flows, findings and rows */
/* After a call that failed: the run is to go on, whatever was not committed is rolled back and may be written again. */
void store_recover(struct store *);
/* Rows are committed by the ten thousand; this commits the ones so far, so that others see them ('watch': every second or so). */
int  store_commit(struct store *, struct err *reterr);
/* Fills the run at work, which must be empty, from runs of other records that were judged by the same site and matrix: the same
 * conversation at several sensors is one, with a row of 'witness' for each; see flowaudit-db(5), SEVERAL SENSORS, for whose figures
 * are kept.  Where one record ends before another begins the run has a notice of kind 'site' whose reason begins with
 * STORE_MERGE_APART.  -EINVAL: the runs cannot be joined, and why. */
#define STORE_MERGE_APART "The records do not overlap in time: "
int  store_merge(struct store *, const struct store_source *, size_t n, struct err *reterr);
/* Removes the rows of an older run.  Its seal stays, and a row of 'removal', sealed with the run at work, says that the program
 * removed it: see seal.h.  -ENOENT: there is no such run; -EINVAL: it is the run at work. */
int  store_remove_run(struct store *, int64_t run_id, int64_t removed_ns, const char *reason, struct err *reterr);
/* The same for all older ones that were over before then; a run that died is as old as what it recorded last. */
int  store_remove_before(struct store *, int64_t before_ns, int64_t removed_ns, uint64_t *ret_n, struct err *reterr);
/* The same for the oldest; *ret_run_id is 0 where the run at work is alone. */
int  store_remove_oldest(struct store *, int64_t removed_ns, const char *reason, int64_t *ret_run_id, struct err *reterr);

/* In bytes.  A page that was given up is used again: 'used' falls, the file does not. */
struct store_size { uint64_t used, log; };
int  store_size(struct store *, struct store_size *ret, struct err *reterr);
/* Copies the log into the file and begins it anew: 0, 1 where a reader or another writer keeps it as it is, or negative. */
int  store_trim(struct store *, struct err *reterr);
/* How long a call waits for another program that writes; 10 s unless said. */
void store_patience(struct store *, unsigned ms);
const char *store_path(const struct store *);

/* Sets ended and 'complete' (1 only where every input was read to its end without a fault), commits; the file then is a single one in
 * rollback-journal mode, fit to be copied (unless another program is just reading it: then its log is emptied, and goes with the last reader).
 * Another run may begin after this. */
int  store_end_run(struct store *, int64_t ended_ns, bool complete, struct err *reterr);
void store_close(struct store *); /* an open transaction is rolled back */
/* The same, for what came to nothing: a file that this store made and in which no run began is taken away again. */
void store_abandon(struct store *);

#endif
