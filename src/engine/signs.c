/* SPDX-License-Identifier: Apache-2.0 */
/* What the RPC interfaces that were bound tell of the servers' roles, where the site file says otherwise: once for each pair of hosts. */
#include "audit.h"

#include <netinet/in.h>

#define MOST_SIGNS 1000 /* findings; a site that is that wrong is found by these */

/* The announcements stand by server and port, then time. */
static bool told_before(const struct audit *a, size_t n_before, const struct matrix_sign *sign, const struct pinhole *p)
{
    for (size_t i = n_before; i < a->n_findings; i++) {
        const struct finding *f = &a->findings[i];

        if (f->bind != NULL && f->sign == sign && addr_compare(&f->bind->announcer, &p->announcer) == 0 &&
            addr_compare(&f->bind->requester, &p->requester) == 0)
            return true;
    }
    return false;
}

int audit_signs(struct audit *a, sign_fn *fn)
{
    size_t n_before = a->n_findings;
    int    rc = 0;

    for (size_t i = 0; rc == 0 && i < a->announcements.n && a->n_findings - n_before < MOST_SIGNS; i++) {
        const struct pinhole     *p = &a->announcements.items[i];
        const struct matrix_sign *sign = NULL;

        if (p->kind == PINHOLE_RPC_BIND && p->transport == IPPROTO_TCP)
            sign = policy_sign(a->policy, p->what, &p->requester, &p->announcer);
        if (sign != NULL && !told_before(a, n_before, sign, p))
            rc = fn(a, p, sign);
    }
    return rc;
}
