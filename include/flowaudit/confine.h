/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights before the first packet is looked at.
 *
 * confine_become(): supplementary groups, group, user and capabilities go (libcap-ng), and no program that is executed later
 * could get them back (no_new_privs).
 *
 * confine_lock(): what is left to a process that a packet has taken over.  Landlock (Linux 5.13 and later) leaves the folders
 * that are named; seccomp leaves the system calls of the work itself.  Other calls fail with EPERM, as a library that is newer than
 * the list must be able to go on; what the work never does and an intruder needs - executing a program, forking, network
 * sockets, tracing, mounting, loading modules, io_uring, namespaces - ends the process (SIGSYS).
 *
 * Under a sanitizer, whose runtime reads /proc, traces and starts programs of its own, the list is the other way round: network
 * sockets, mounting and modules are refused, all else is allowed, and Landlock leaves reading everywhere.  confine_is_wide() says so.
 *
 * Both are of the calling thread and of those that it starts later: call them before any thread is started.
 */
#ifndef FLOWAUDIT_CONFINE_H
#define FLOWAUDIT_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "flowaudit/err.h"

struct confine_options {
    const char *const *write_folders; /* files in and below may be read, made, changed and deleted */
    size_t             n_write_folders;
    const char *const *read_paths;    /* files, or folders with all below; those that are not there are left out */
    size_t             n_read_paths;
    bool               capturing;     /* packet sockets are open: what libpcap does with them is allowed */
    bool               unix_sockets;  /* sockets of this machine may be made, connected and accepted */
};

struct confine_result {
    int  landlock_abi;  /* 0: the kernel has no Landlock */
    bool has_seccomp;   /* false: built without libseccomp, or a kernel without it */
    char missing[256];  /* one sentence on what there is not; "" where all is there */
};

/* 'user' is a name or number, or NULL: stay who we are.  'keep_files': root, who stays root, goes on to pass over the rights of files
 * (CAP_DAC_OVERRIDE), because files of other users are to be opened later; all other capabilities go.  A failure is to be taken for
 * fatal: -ENOENT no such user, -EPERM what the system refused, -ENOTSUP built without libcap-ng with rights to drop. */
int confine_become(const char *user, bool keep_files, struct err *reterr);

/* Negative: what is there could not be applied, which is to be taken for fatal.  A kernel without Landlock, or a build without
 * libseccomp, is no failure: 'ret' says so. */
int confine_lock(const struct confine_options *, struct confine_result *ret, struct err *reterr);

bool confine_is_wide(void);

#endif
