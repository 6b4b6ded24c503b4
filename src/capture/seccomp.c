/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of the work itself; confine.h says what becomes of others. */
#include "confine-private.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const allowed[] = {
    /* files that are open, and those that Landlock leaves */
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "lseek", "_llseek",
    "close", "close_range", "fstat", "fstat64", "newfstatat", "fstatat64", "stat", "stat64", "lstat", "lstat64", "statx",
    "fstatfs", "statfs", "access", "faccessat", "faccessat2", "unlink", "unlinkat", "rename", "renameat",
    "renameat2", "ftruncate", "ftruncate64", "fsync", "fdatasync", "sync_file_range", "fallocate", "flock",
    "fcntl", "fcntl64", "fadvise64", "fadvise64_64", "readlink", "readlinkat", "getcwd", "getdents64", "fchmod", "fchown",
    "umask", "dup", "dup2", "dup3", "pipe", "pipe2",
    /* memory and threads */
    "brk", "mmap", "mmap2", "munmap", "mremap", "madvise", "msync", "mprotect", "mincore", "futex", "futex_time64",
    "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier", "sched_yield", "sched_getaffinity",
    "sched_setaffinity", "sched_getparam", "sched_getscheduler", "exit", "exit_group", "getrlimit",
    /* time, signals, waiting */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep",
    "gettimeofday", "time", "times", "getrusage", "timer_create", "timer_settime", "timer_gettime", "timer_delete",
    "timer_getoverrun", "setitimer", "getitimer", "alarm", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4", "eventfd2",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "restart_syscall", "wait4", "waitid", "pause",
    /* who and where we are */
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32", "getegid32",
    "getpgrp", "getpgid", "uname", "sysinfo", "getcpu", "getrandom",
};

/* With sockets that are open already; making others is decided apart. */
static const char *const on_sockets[] = {"getsockopt", "setsockopt", "getsockname", "getpeername", "recvfrom", "recvmsg",
                                         "recvmmsg",   "sendto",     "sendmsg",     "shutdown",    "recv",     "send"};

/* The work never does these. */
static const char *const deadly[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "mount", "umount2", "pivot_root", "chroot", "bpf", "perf_event_open",
    "userfaultfd", "add_key", "keyctl", "request_key", "io_uring_setup", "personality", "setns", "unshare", "open_by_handle_at",
    "fsopen", "fsmount", "move_mount", "open_tree", "pidfd_open", "pidfd_getfd", "reboot", "swapon",
};

/* Terminals, pipes, and questions about an interface. */
static const unsigned long ioctls[] = {TIOCGWINSZ, TCGETS, TCSETS, TCSETSW, TCSETSF, FIONREAD, FIONBIO, SIOCGIFNAME, SIOCGIFFLAGS, SIOCETHTOOL};

#define N(list) (sizeof(list) / sizeof((list)[0]))

static int add(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0) /* others are of other machines, or newer than libseccomp */
            rc = seccomp_rule_add(f, action, number, 0);
    }
    return rc;
}

static int add_sockets(scmp_filter_ctx f, const struct confine_options *o)
{
    const char *const local[] = {"connect", "accept4", "accept"}, *const libpcap[] = {"bind"}, *const none[] = {"connect"};
    int rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));

    if (rc == 0 && (o->capturing || o->unix_sockets))
        rc = add(f, SCMP_ACT_ALLOW, on_sockets, N(on_sockets));
    if (rc == 0 && o->capturing) /* libpcap asks with it whether the interface is still there */
        rc = add(f, SCMP_ACT_ALLOW, libpcap, 1);
    if (!o->unix_sockets)
        return rc != 0 ? rc : add(f, SCMP_ACT_KILL_PROCESS, none, 1);
    if (rc == 0)
        rc = add(f, SCMP_ACT_ALLOW, local, N(local));
    return rc != 0 ? rc : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
}

/* A file is emptied only where it may be written to: older kernels' Landlock does not look at O_TRUNC, and the captures may be read. */
static int add_open(scmp_filter_ctx f, int number, unsigned flags_at)
{
    const scmp_datum_t mask = O_TRUNC | O_ACCMODE;
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, SCMP_CMP(flags_at, SCMP_CMP_MASKED_EQ, O_TRUNC, 0));

    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, SCMP_CMP(flags_at, SCMP_CMP_MASKED_EQ, mask, O_TRUNC | O_WRONLY));
    return rc != 0 ? rc : seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, SCMP_CMP(flags_at, SCMP_CMP_MASKED_EQ, mask, O_TRUNC | O_RDWR));
}

/* Calls that could be about other processes of this user. */
static int add_own(scmp_filter_ctx f)
{
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));

    return rc != 0 ? rc : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0, 0));
}

static int fill_narrow(scmp_filter_ctx f, const struct confine_options *o)
{
    int rc = add(f, SCMP_ACT_ALLOW, allowed, N(allowed));

    if (rc == 0)
        rc = add_open(f, SCMP_SYS(openat), 2);
    if (rc == 0 && SCMP_SYS(open) >= 0) /* newer machines have none */
        rc = add_open(f, SCMP_SYS(open), 1);
    if (rc == 0)
        rc = add_own(f);
    for (size_t i = 0; rc == 0 && i < N(ioctls); i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
    /* A new thread, but no process.  The flags of clone3() cannot be seen here: without it, glibc takes clone(). */
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = add_sockets(f, o);
    return rc != 0 ? rc : add(f, SCMP_ACT_KILL_PROCESS, deadly, N(deadly));
}

static int fill_wide(scmp_filter_ctx f)
{
    static const char *const refused[] = {"init_module", "finit_module", "mount", "umount2", "pivot_root", "bpf", "io_uring_setup"};
    int rc = add(f, SCMP_ACT_KILL_PROCESS, refused, N(refused));

    return rc != 0 ? rc : seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
}

int seccomp_apply(const struct confine_options *o, bool *ret, struct err *reterr)
{
    const uint32_t action = SECCOMP_RET_KILL_PROCESS;

    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) {
        *ret = false; /* a kernel without, or older than 4.14, or valgrind's */
        return 0;
    }
    scmp_filter_ctx f = seccomp_init(CONFINE_WIDE ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
    int rc = f == NULL ? -ENOMEM : CONFINE_WIDE ? fill_wide(f) : fill_narrow(f, o);

    if (rc == 0)
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: the list is long */
    if (rc == 0)
        rc = seccomp_load(f);
    seccomp_release(f);
    if (rc != 0)
        return err_set(reterr, rc, "the system calls cannot be confined (seccomp): %s", strerror(-rc));
    *ret = true;
    return 0;
}

#else

int seccomp_apply(const struct confine_options *o, bool *ret, struct err *reterr)
{
    (void)o;
    (void)reterr;
    *ret = false;
    return 0;
}

#endif
