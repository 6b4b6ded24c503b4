/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into flowaudit: the nth call of one kind fails, once or from there on, or the process dies there.
 *
 * Environment: FAULT_OP (open, read, write, fsync, size, unlink, alloc), FAULT_AT (1: the first; 0: none, only count), FAULT_MODE (once, ever,
 * kill, torn: half of what is to be written, then dies), FAULT_ERRNO (a number), FAULT_COUNT (a file that gets the number of calls of that kind),
 * FAULT_WAIT (if set, counting begins with the signal SIGRTMIN + 1: what a long-lived process does at its start is not counted).
 */
/* Both names of each call are meant: none is the other in disguise. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, FSYNC, SIZE, UNLINK, ALLOC, N_OPS };

static const char *const names[N_OPS] = {"open", "read", "write", "fsync", "size", "unlink", "alloc"};

static int              op = -1, error = EIO;
static unsigned long    at;
static bool             for_ever, dies, torn;
static _Atomic unsigned long n_calls;
static volatile sig_atomic_t waits;

static void go(int number)
{
    (void)number;
    waits = 0;
}

static void finish(void)
{
    const char *path = getenv("FAULT_COUNT");
    char        text[32];

    int at_op = op;
    op = -1;
    int fd = path != NULL && at_op >= 0 ? (int)syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0600) : -1;
    if (fd >= 0) {
        int n = snprintf(text, sizeof(text), "%lu\n", (unsigned long)n_calls);
        if (syscall(SYS_write, fd, text, n) != n)
            abort();
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAULT_OP"), *mode = getenv("FAULT_MODE"), *number = getenv("FAULT_AT"), *code = getenv("FAULT_ERRNO");

    at = number != NULL ? strtoul(number, NULL, 10) : 0;
    error = code != NULL ? atoi(code) : EIO;
    for_ever = mode != NULL && strcmp(mode, "ever") == 0;
    torn = mode != NULL && strcmp(mode, "torn") == 0;
    dies = torn || (mode != NULL && strcmp(mode, "kill") == 0);
    atexit(finish);
    if (getenv("FAULT_WAIT") != NULL) {
        struct sigaction action = {.sa_handler = go, .sa_flags = SA_RESTART};

        waits = 1;
        sigaction(SIGRTMIN + 1, &action, NULL);
    }
    (void)backtrace((void *[1]){NULL}, 1); /* loads what it works with, which a confined process could not open any more */
    for (int i = 0; name != NULL && i < N_OPS; i++)
        if (strcmp(name, names[i]) == 0)
            op = i;
}

/* Does this call fail?  It does not return where the process is to die. */
static bool fails(int kind)
{
    if (kind != op || waits)
        return false;
    unsigned long n = ++n_calls;
    if (at == 0 || n < at || (n > at && !for_ever))
        return false;
    if (dies && !torn)
        kill(getpid(), SIGKILL);
    errno = error;
    return true;
}

static void tear(int fd, const void *buf, size_t n, off_t offset, bool placed)
{
    if (!torn)
        return;
    long done = placed ? syscall(SYS_pwrite64, fd, buf, n / 2, offset) : syscall(SYS_write, fd, buf, n / 2);
    kill(getpid(), done < 0 ? SIGABRT : SIGKILL);
}

static int open_any(int folder, const char *path, int flags, va_list args)
{
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;

    return fails(OPEN) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPENS(name, parameters, folder)                                                                               \
    int name parameters;                                                                                              \
    int name parameters                                                                                               \
    {                                                                                                                 \
        va_list args;                                                                                                 \
        va_start(args, flags);                                                                                        \
        int fd = open_any(folder, path, flags, args);                                                                 \
        va_end(args);                                                                                                 \
        return fd;                                                                                                    \
    }
OPENS(open, (const char *path, int flags, ...), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD)
OPENS(openat, (int folder, const char *path, int flags, ...), folder)
OPENS(openat64, (int folder, const char *path, int flags, ...), folder)

ssize_t read(int fd, void *buf, size_t n)
{
    return fails(READ) ? -1 : (ssize_t)syscall(SYS_read, fd, buf, n);
}

ssize_t pread(int fd, void *buf, size_t n, off_t offset)
{
    return fails(READ) ? -1 : (ssize_t)syscall(SYS_pread64, fd, buf, n, offset);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t offset)
{
    return fails(READ) ? -1 : (ssize_t)syscall(SYS_pread64, fd, buf, n, offset);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    if (!fails(WRITE))
        return (ssize_t)syscall(SYS_write, fd, buf, n);
    tear(fd, buf, n, 0, false);
    return -1;
}

static ssize_t write_at(int fd, const void *buf, size_t n, off64_t offset)
{
    if (!fails(WRITE))
        return (ssize_t)syscall(SYS_pwrite64, fd, buf, n, offset);
    tear(fd, buf, n, offset, true);
    return -1;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return write_at(fd, buf, n, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    return write_at(fd, buf, n, offset);
}

int fsync(int fd)
{
    return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails(FSYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t size)
{
    return fails(SIZE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return fails(SIZE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int unlink(const char *path)
{
    return fails(UNLINK) ? -1 : (int)syscall(SYS_unlink, path);
}

int rename(const char *from, const char *to)
{
    return fails(UNLINK) ? -1 : (int)syscall(SYS_rename, from, to);
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* Two libraries do not survive it, both before the first packet: libfyaml 0.7.12 writes to the input that it did not get, and libseccomp
 * 2.5 asks again for ever.  There nothing fails: what is tried is our own code, and what comes after. */
static bool survives(void)
{
    void   *frames[8];
    Dl_info where;
    int     at_op = op;

    op = -1; /* what this looks with may allocate */
    int n = backtrace(frames, 8);
    op = at_op;
    for (int i = 0; i < n; i++) {
        if (dladdr(frames[i], &where) == 0 || where.dli_fname == NULL)
            continue;
        if (strstr(where.dli_fname, "/libseccomp.") != NULL)
            return false;
        if (strstr(where.dli_fname, "/libfyaml.") != NULL && where.dli_sname != NULL && strncmp(where.dli_sname, "fy_input_", 9) == 0)
            return false;
    }
    return true;
}

static bool no_memory(void)
{
    if (!fails(ALLOC) || !survives())
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return no_memory() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return no_memory() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return no_memory() ? NULL : __libc_realloc(p, n);
}
