/* SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

void kept_strings(const struct store_finding *f, const char *ret[static KEPT_N_STRINGS])
{
    const char *all[KEPT_N_STRINGS] = {
        [KEPT_KIND] = f->kind,           [KEPT_SEVERITY] = f->severity,       [KEPT_ROW] = f->row_id,
        [KEPT_SECTION] = f->section,     [KEPT_CLIENT] = f->client,           [KEPT_CLIENT_NAME] = f->client_name,
        [KEPT_SERVER] = f->server,       [KEPT_SERVER_NAME] = f->server_name, [KEPT_TRANSPORT] = f->transport,
        [KEPT_PROTOCOL] = f->protocol,   [KEPT_OUTCOME] = f->outcome,         [KEPT_DISPOSITION] = f->disposition,
        [KEPT_REASON] = f->reason,       [KEPT_PARENT] = f->parent,
    };

    memcpy(ret, all, sizeof(all));
}

void kept_set_strings(struct store_finding *f, const char *const s[static KEPT_N_STRINGS])
{
    f->kind = s[KEPT_KIND];
    f->severity = s[KEPT_SEVERITY];
    f->row_id = s[KEPT_ROW];
    f->section = s[KEPT_SECTION];
    f->client = s[KEPT_CLIENT];
    f->client_name = s[KEPT_CLIENT_NAME];
    f->server = s[KEPT_SERVER];
    f->server_name = s[KEPT_SERVER_NAME];
    f->transport = s[KEPT_TRANSPORT];
    f->protocol = s[KEPT_PROTOCOL];
    f->outcome = s[KEPT_OUTCOME];
    f->disposition = s[KEPT_DISPOSITION];
    f->reason = s[KEPT_REASON];
    f->parent = s[KEPT_PARENT];
}

static const char *put(char **at, const char *text)
{
    const char *copy = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(*at, text) + 1;
    return copy;
}

struct kept *kept_copy(const struct notify_finding *n)
{
    const char *s[KEPT_N_STRINGS];
    size_t      size = sizeof(struct kept) + (n->community_id != NULL ? strlen(n->community_id) + 1 : 0);

    kept_strings(n->finding, s);
    for (size_t i = 0; i < KEPT_N_STRINGS; i++)
        size += s[i] != NULL ? strlen(s[i]) + 1 : 0;
    struct kept *k = malloc(size);
    if (k == NULL)
        return NULL;
    char *at = (char *)(k + 1);
    for (size_t i = 0; i < KEPT_N_STRINGS; i++)
        s[i] = put(&at, s[i]);
    k->run_id = n->run_id;
    k->finding = *n->finding;
    kept_set_strings(&k->finding, s);
    k->finding.waived_by = NULL;
    k->community_id = put(&at, n->community_id);
    return k;
}
