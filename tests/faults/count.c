/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into flowaudit: counts what the path of a packet must not do.  At the end of the process one line for each kind is written to
 * standard error: "count KIND NUMBER".
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dlfcn.h>
#include <pthread.h>

enum { ALLOC, FREE, LOCK, FORMAT, N_KINDS };

static const char *const names[N_KINDS] = {"alloc", "free", "lock", "format"};
static _Atomic unsigned long n_calls[N_KINDS];

/* glibc's own names for what stands behind malloc() and its like. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void  __libc_free(void *);
void *__libc_memalign(size_t, size_t);

static void count(int kind)
{
    atomic_fetch_add_explicit(&n_calls[kind], 1, memory_order_relaxed);
}

static void *next(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (p == NULL)
        abort();
    return p;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

void *malloc(size_t size)
{
    count(ALLOC);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(ALLOC);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count(ALLOC);
    return __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(ALLOC);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    count(ALLOC);
    *ret = __libc_memalign(alignment, size);
    return *ret == NULL;
}

void free(void *p)
{
    count(FREE);
    __libc_free(p);
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

#define LOCK_CALL(name, type)                                                                                                              \
    int name(type *lock)                                                                                                                   \
    {                                                                                                                                      \
        static int (*real)(type *);                                                                                                        \
                                                                                                                                           \
        count(LOCK);                                                                                                                       \
        if (real == NULL)                                                                                                                  \
            *(void **)&real = next(#name);                                                                                                 \
        return real(lock);                                                                                                                 \
    }

LOCK_CALL(pthread_mutex_lock, pthread_mutex_t)
LOCK_CALL(pthread_mutex_trylock, pthread_mutex_t)
LOCK_CALL(pthread_spin_lock, pthread_spinlock_t)
LOCK_CALL(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK_CALL(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK_CALL(pthread_barrier_wait, pthread_barrier_t)

/* --- formatting ----------------------------------------------------------------------------------------------------- */

int vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
    static int (*real)(char *, size_t, const char *, va_list);

    count(FORMAT);
    if (real == NULL)
        *(void **)&real = next("vsnprintf");
    return real(buf, size, format, args);
}

int snprintf(char *buf, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(buf, size, format, args);
    va_end(args);
    return n;
}

/* What calls become under _FORTIFY_SOURCE. */
int __vsnprintf_chk(char *buf, size_t size, int flag, size_t room, const char *format, va_list args);
int __snprintf_chk(char *buf, size_t size, int flag, size_t room, const char *format, ...);

int __vsnprintf_chk(char *buf, size_t size, int flag, size_t room, const char *format, va_list args)
{
    (void)flag;
    if (size > room)
        abort();
    return vsnprintf(buf, size, format, args);
}

int __snprintf_chk(char *buf, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = __vsnprintf_chk(buf, size, flag, room, format, args);
    va_end(args);
    return n;
}

__attribute__((destructor)) static void tell(void)
{
    unsigned long told[N_KINDS];
    char          line[64];

    for (int i = 0; i < N_KINDS; i++)
        told[i] = n_calls[i];
    for (int i = 0; i < N_KINDS; i++) {
        int n = snprintf(line, sizeof(line), "count %s %lu\n", names[i], told[i]);
        if (write(STDERR_FILENO, line, (size_t)n) != n)
            abort();
    }
}
