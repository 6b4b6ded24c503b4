/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *reterr, int code, const char *fmt, ...)
{
    if (reterr != NULL) {
        va_list args;

        va_start(args, fmt);
        vsnprintf(reterr->msg, sizeof(reterr->msg), fmt, args);
        va_end(args);
        reterr->code = code;
    }
    return code;
}

int err_prefix(struct err *reterr, const char *fmt, ...)
{
    if (reterr == NULL)
        return 0;

    char old[sizeof(reterr->msg)];
    snprintf(old, sizeof(old), "%s", reterr->msg);

    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(reterr->msg, sizeof(reterr->msg), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(reterr->msg))
        snprintf(reterr->msg + n, sizeof(reterr->msg) - (size_t)n, "%s", old);
    return reterr->code;
}
