/* SPDX-License-Identifier: Apache-2.0 */
#include "flow-private.h"

void flow_key_of(const struct flow *f, struct flow_key *ret)
{
    bool ipv6 = (f->state & FLOW_IPV6) != 0;

    ret->addr[0] = flow_addresses(f);
    ret->addr[1] = ret->addr[0] + (ipv6 ? 16 : 4);
    ret->port[0] = f->port[0];
    ret->port[1] = f->port[1];
    ret->transport = f->transport;
    ret->is_ipv6 = ipv6;
}
