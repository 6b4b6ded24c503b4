/* SPDX-License-Identifier: Apache-2.0 */
/* Printing helpers of print.c and explain.c. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include <stdio.h>

#include "private.h"

/* A JSON string (RFC 8259): quotes, backslashes and control characters escaped; bytes from 0x80 on are the file's own UTF-8. */
void json_text(FILE *, const char *text);
/* "key":"text", with a comma in front unless 'first'; null where 'text' is NULL. */
void json_member(FILE *, const char *key, const char *text, bool first);
/* The ports of a row with parameters put in: "tcp/5000-5020 udp/5000-5020"; "" where there are none. */
void print_applied_ports(FILE *, const struct applied_row *);
/* The hosts of the site with one of these roles: "unity1 unity2". */
void print_hosts(FILE *, const struct policy *, const struct set256 *);
/* Why a row does not apply at the site: "option sip is off", "the site lists no x"; "" where it applies. */
const char *row_state(const struct policy *, const struct applied_row *, char *buf, size_t size);

#endif
