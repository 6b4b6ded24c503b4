/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOWAUDIT_CONFINE_PRIVATE_H
#define FLOWAUDIT_CONFINE_PRIVATE_H

#include "flowaudit/confine.h"

/* The runtimes of the sanitizers do what the program itself never does. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CONFINE_WIDE true
#endif
#endif
#if !defined(CONFINE_WIDE) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
#define CONFINE_WIDE true
#endif
#ifndef CONFINE_WIDE
#define CONFINE_WIDE false
#endif

int landlock_apply(const struct confine_options *, int *ret_abi, struct err *reterr);
int seccomp_apply(const struct confine_options *, bool *ret, struct err *reterr);

#endif
