/* SPDX-License-Identifier: Apache-2.0 */
/* What traffic tells of a server's role, held against the roles that the site file gives. */
#include <stdio.h>

#include "private.h"

#define MOST_HOLDERS 4 /* hosts named in a sentence */

static bool has_role(const struct policy *p, const struct set256 *roles, const struct rules_name *role)
{
    uint32_t i = name_index_find(&p->role_names, role->text);

    return i != POLICY_NONE && set_has(roles, i);
}

static bool has_any(const struct policy *p, const struct set256 *roles, const struct rules_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (has_role(p, roles, &names->items[i]))
            return true;
    return false;
}

const struct matrix_sign *policy_sign(const struct policy *p, const char *interface, const struct addr *client, const struct addr *server)
{
    const struct set256 *from = &host_group(p, policy_host(p, client))->roles, *to = &host_group(p, policy_host(p, server))->roles;

    for (size_t i = 0; i < p->matrix->n_signs; i++) {
        const struct matrix_sign *s = &p->matrix->signs[i];

        if (strcmp(s->interface.text, interface) == 0 && has_any(p, from, &s->from) && !has_any(p, to, &s->unless) &&
            !has_role(p, to, &s->role))
            return s;
    }
    return NULL;
}

/* "to gc1 (192.0.2.11) or gc2 (192.0.2.12)", "to no host" */
static void name_holders(const struct policy *p, const struct rules_name *role, char *buf, size_t size)
{
    size_t   len = 0;
    unsigned n = 0;

    snprintf(buf, size, "to no host");
    for (uint32_t h = 0; h < p->site->n_hosts && len < size; h++) {
        if (!has_role(p, &host_group(p, h)->roles, role))
            continue;
        if (n++ == MOST_HOLDERS) {
            snprintf(buf + len, size - len, " and others");
            return;
        }
        len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", n == 1 ? "to " : " and ", policy_host_name(p, h), policy_host_address(p, h));
    }
}

int policy_sign_sentence(const struct policy *p, const struct matrix_sign *s, const struct tuple *t, const char *where, char *buf, size_t size)
{
    char        client[HOST_TEXT_SIZE], server[HOST_TEXT_SIZE], service[32], holders[512];
    uint32_t    role = name_index_find(&p->role_names, s->role.text);
    const char *means = p->matrix->roles[role].text;

    name_holders(p, &s->role, holders, sizeof(holders));
    return snprintf(buf, size,
                    "%s bound the RPC interface %s of %s on %s (%s). %s The site file gives the role %s (%s, \"%s\") %s, and not to this server. "
                    "Correct the site file, or look at why %s uses this server.",
                    host_text(p, &t->client, client, sizeof(client)), s->interface.text, host_text(p, &t->server, server, sizeof(server)),
                    service_text(t->transport, t->server_port, service, sizeof(service)), where, s->text, s->role.text,
                    means != NULL ? means : s->role.text, s->section, holders, policy_host_name(p, policy_host(p, &t->client)));
}
