/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests' helpers call of libcheck, which wants a test to be running. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line)
{
    (void)file;
    (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
    fprintf(stderr, "%s:%d: %s %s\n", file, line, expr, msg != NULL ? msg : "");
    abort();
}
