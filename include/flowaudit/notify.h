/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling others while a live run goes on: alerts (findings as they become known) and vitals (counters of the run).
 *
 * The engine hands over plain values; this module knows where they go (standard error, syslog, the journal, NDJSON, a hook command,
 * metrics, a terminal, the service manager) and keeps to its rate limits.  Strings are borrowed for the call; text from traffic is
 * untrusted and is escaped for each medium here.
 *
 * Order: notify_new(), the notify_add_...() that are wanted (each opens what it needs), then rights are given up, then the run.  Nothing
 * blocks: what a reader does not take at once is counted as lost, and told.  A file on a disk that stalls is the one exception.
 *
 * What a confined process must still be able to do (system calls): sendto, sendmsg, recvfrom, recvmsg, write, read, socket and connect
 * (AF_UNIX: to reconnect), close, fcntl, ioctl (TIOCGWINSZ, TCGETS, TCSETS, TCSETSW), poll, epoll_ctl, epoll_wait, accept4, setsockopt, getsockopt,
 * shutdown, writev; for the text file of metrics also openat, rename, unlink within its folder.
 *
 * Threads: a notifier belongs to one thread.  It reads no clock and no environment: the caller says what time it is.
 */
#ifndef FLOWAUDIT_NOTIFY_H
#define FLOWAUDIT_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/policy.h"
#include "flowaudit/store.h"

/* A finding as it stands now: told when it is first known, and again as its counts rise. */
struct notify_finding {
    int64_t                     run_id;
    const struct store_finding *finding;      /* finding_id stays the same while it grows */
    const char                 *community_id; /* of its first flow, or NULL */
    bool                        is_new;       /* the first time */
};

struct notify_interface {
    const char *name;
    bool        up;
    uint64_t    received, dropped, interface_dropped; /* by the kernel's count, widened to 64 bits; received includes dropped */
};

struct notify_reason { const char *name; uint64_t packets; };

/* Counters of the run so far. */
struct notify_vitals {
    int64_t  packet_ns;          /* time of the latest packet; 0: none yet */
    uint64_t packets, bytes;     /* seen by the tool */
    uint64_t decoded, discarded, dropped, unread;
    const struct notify_reason    *discards; /* by reason, those that are not 0 */
    size_t                         n_discards;
    const struct notify_interface *interfaces;
    size_t                         n_interfaces;
    uint64_t flows, flows_now, flows_evicted;
    uint64_t conversations;
    uint64_t memory;             /* bytes in tables */
    uint64_t findings[FINDING_N_KINDS][SEVERITY_NOTICE + 1]; /* not waived */
    uint64_t waived;
    uint64_t expectations[EXPECT_NOT_COVERED + 1];           /* of the last window that ended */
    uint64_t database_bytes, wal_bytes;
    double   recorder_lag;       /* seconds between the latest packet judged and the latest commit */
    uint64_t reloads, reload_errors;
    int64_t  started_ns;         /* wall time of the start of the run */
    const struct notify_conversation *top; /* for the table on the terminal: see notify_wants(); else NULL */
    size_t                            n_top;
};

/* A conversation as the table on the terminal shows it.  Counts are of the run so far. */
struct notify_conversation {
    uint64_t         conversation_id; /* stays the same while it grows: rates are told from two looks at it */
    const char      *client, *client_name, *server, *server_name; /* canonical address, or NULL: summed up over many */
    uint16_t         server_port;     /* 0: summed up over many */
    uint8_t          transport;       /* IPPROTO_TCP or IPPROTO_UDP */
    const char      *protocol;        /* or NULL */
    enum verdict     verdict;
    enum finding_kind kind;           /* FINDING_NONE where it is none */
    enum disposition disposition;
    uint64_t         flows, packets, bytes;
    int64_t          last_ns;
};

/* What the table on the terminal wants: at the next tick the first 'n' conversations in descending order of 'sort' (n is 0 where there is
 * no table, or it is paused: the caller need not look for them then); 'quit': the end of the run, as SIGINT would. */
enum notify_sort { NOTIFY_BY_BYTES, NOTIFY_BY_PACKETS, NOTIFY_BY_FLOWS, NOTIFY_BY_LAST };
struct notify_wish { enum notify_sort sort; size_t n; bool quit; };

/* The time of a call.  'steady' never steps (CLOCK_MONOTONIC): intervals and limits; 'wall' (CLOCK_REALTIME) is what is told. */
struct notify_time { int64_t wall_ns, steady_ns; };

struct notify_options {
    const char    *version;           /* of the tool */
    const char    *host;              /* name of this machine, or NULL */
    const char    *ruleset;           /* the matrix's id, or NULL */
    int            pid;               /* of the run; 0: getpid() */
    /* After the first telling a finding whose counts rose is told again this long after the one before; the last one repeats. */
    int64_t        repeat_ns[4];
    size_t         n_repeat;          /* 0: 1 min, 10 min, 1 h */
    int64_t        forget_ns;         /* a finding that did not grow for so long is new when it comes again; 0: 24 h */
    /* At most 'burst' tellings at once and 'rate' a minute in the long run, over all findings; a quarter of the burst is kept for
     * findings of severity high and critical.  What is held back is counted, told as a number, and told itself when there is room. */
    unsigned       rate, burst;       /* 0: 60 and 120 */
    enum severity  least;             /* the least severity that is told */
    bool           least_given;       /* false: SEVERITY_LOW */
    /* Like findings (of one kind and severity, between the same two hosts, or of one host with many) are told as one that grows, after the
     * first three; true: each on its own. */
    bool           each;
    size_t         max_findings;      /* that are kept in mind, a quarter of them for high and critical; 0: 65536 */
};

struct notifier;

/* 0, -EINVAL, -ENOMEM. */
int  notify_new(const struct notify_options *, struct notifier **ret, struct err *reterr);
/* Sends what can be sent at once, tells the service manager nothing, restores the terminal.  NULL is fine. */
void notify_free(struct notifier *);

/* --- where it goes; each may be added more than once but for the terminal ------------------------------------------- */
struct notify_stderr {
    int      fd;          /* not closed */
    bool     priority;    /* "<4>" before each line, for a service manager that reads standard error (sd-daemon(3)) */
    bool     color, line; /* 'line': a terminal: a line at the bottom that refreshes */
    bool     brief;       /* of each finding the first sentence alone */
    bool     quiet;       /* no alerts, only warnings and errors */
    unsigned width;       /* of the terminal, for the line; asked of it where 0 */
};
int notify_add_stderr(struct notifier *, const struct notify_stderr *, struct err *reterr);

/* Lines of JSON (ECS field names: flowaudit(1)) appended to a file, FIFO or device, or sent to a Unix stream or datagram socket where 'target' is
 * one, or is "unix:PATH".  "-" is standard output.  A socket that goes away is connected to again.  -ENOENT, -EACCES, ... */
int notify_add_ndjson(struct notifier *, const char *target, struct err *reterr);

/* The local syslog socket (usually /dev/log), facility daemon. */
enum notify_header {
    NOTIFY_HEADER_FIT,     /* RFC 5424, but the older header where the socket is the journal's: that knows no other */
    NOTIFY_HEADER_RFC5424, /* with structured data */
    NOTIFY_HEADER_LOCAL,   /* "<30>flowaudit[42]: ", as syslog(3) writes it; the structured data begins the text */
};
int notify_add_syslog(struct notifier *, const char *path, enum notify_header, struct err *reterr);

/* The journal's native protocol: a finding's fields as FLOWAUDIT_...; 'path' NULL: its usual socket. */
#define NOTIFY_JOURNAL_SOCKET "/run/systemd/journal/socket"
int notify_add_journal(struct notifier *, const char *path, struct err *reterr);

/*
 * A command for each telling, with the finding (the NDJSON line) on its standard input.  No shell; its environment is PATH and LANG alone,
 * its standard output goes nowhere.  A process forked here, before rights are given up, runs it; it has no capabilities that the command
 * could inherit unless it is root's.  Call before there are threads.
 */
struct notify_hook {
    const char *const *argv;     /* argv[0] is a path with a '/'; ends in NULL; borrowed for the call */
    unsigned           most;     /* that run at once; 0: 4; at most 64.  The others wait, and when too many wait they are lost and counted */
    int64_t            limit_ns; /* it is ended after so long; 0: 30 s */
    bool               silent;   /* its standard error goes nowhere too */
    bool               drops;    /* it runs as this user and group, without others */
    unsigned           uid, gid;
};
int notify_add_hook(struct notifier *, const struct notify_hook *, struct err *reterr);

/* The service manager: 'path' is what $NOTIFY_SOCKET holds, 'watchdog_ns' what $WATCHDOG_USEC says (0: none). */
int notify_add_supervisor(struct notifier *, const char *path, int64_t watchdog_ns, struct err *reterr);

/* Metrics in Prometheus' text format for node_exporter's textfile collector: written beside 'path' and renamed, every 'interval_ns'
 * (0: 15 s). */
int notify_add_metrics_file(struct notifier *, const char *path, int64_t interval_ns, struct err *reterr);

/* The same at http://ADDRESS:PORT/metrics.  'where': "127.0.0.1:9464", "[::1]:9464", "9464", or "unix:PATH" (created, mode 0660, and taken
 * away at the end); -EINVAL for what is no loopback address. */
int notify_add_metrics_http(struct notifier *, const char *where, struct err *reterr);

/* The live table: takes the terminal over (its other screen) until notify_free(), and gives it back even where the process is killed.
 * -ENOTTY.  Call before there are threads. */
int notify_add_terminal(struct notifier *, int in, int out, bool color, struct err *reterr);

/* --- the run ----------------------------------------------------------------------------------------------------------- */
/* Whenever a finding is known or has grown.  Waived findings are not told. */
void notify_finding(struct notifier *, struct notify_time, const struct notify_finding *);

enum notify_level { NOTIFY_ERROR = 3, NOTIFY_WARNING = 4, NOTIFY_NOTICE = 5, NOTIFY_INFO = 6 }; /* syslog's numbers */
/* At the end of the run, after the last of them: what still waits and is grave is told whatever the limit, the rest by number. */
void notify_end(struct notifier *, struct notify_time);
/* Last before notify_counts() and notify_free(): what a reader does not take now is lost, and counted. */
void notify_finish(struct notifier *, struct notify_time);
/* Something about the run itself: an interface is down, packets are dropped, a site file has errors.  One sentence. */
void notify_message(struct notifier *, struct notify_time, enum notify_level, const char *sentence);

/* For the service manager.  'sentence' may be NULL. */
enum notify_state { NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING };
void notify_state(struct notifier *, struct notify_time, enum notify_state, const char *sentence);

/* Every second or so, and after notify_fd() became readable.  'vitals' NULL: nothing new. */
void notify_tick(struct notifier *, struct notify_time, const struct notify_vitals *);
/* An epoll descriptor that is readable when a tick has something to do before its time (a scrape, a key); -1: there is none. */
int  notify_fd(const struct notifier *);
struct notify_wish notify_wants(const struct notifier *);

/* What the notifier itself did not get out, for the record: tellings held back by the rate limit, and lost on the way to a reader. */
struct notify_counts { uint64_t told, held_back, lost; };
struct notify_counts notify_counts(const struct notifier *);

#endif
