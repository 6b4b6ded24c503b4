/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the record share: record.c puts the audit into the store, record_tell.c has findings and expectations in words. */
#ifndef ENGINE_RECORD_PRIVATE_H
#define ENGINE_RECORD_PRIVATE_H

#include <netinet/in.h>

#include "audit.h"

#define SENTENCE_SIZE 2048
#define PARENT_SIZE 1024

static inline const char *transport_name(uint8_t transport)
{
    return transport == IPPROTO_TCP ? "tcp" : "udp";
}

static inline const char *row_id(const struct audit *a, uint32_t row)
{
    return row != POLICY_NONE ? policy_row(a->policy, row)->id.text : NULL;
}

/* An end of a conversation in words: its address and its name at the site.  A sum may have neither, or the name alone. */
struct end {
    const char *addr, *name;
    char        text[ADDR_TEXT_SIZE];
};
void describe_end(const struct audit *, const struct conversation *, const struct addr *, uint32_t host, struct end *ret);

/* With the packet that shows it: of what met the row the first, or of what was tried. */
const char *expectation_text(const struct audit *, const struct expectation *, char buf[static SENTENCE_SIZE]);

#endif
