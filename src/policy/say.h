/* SPDX-License-Identifier: Apache-2.0 */
/* What sentence.c, clause.c and lint.c share. */
#ifndef POLICY_SAY_H
#define POLICY_SAY_H

#include "private.h"

/* A text that grows, and is cut where the buffer ends. */
struct text {
    char  *buf;
    size_t size, len; /* 'len' counts what there would be without the cut */
};

void say(struct text *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Did the client only look whether the port is open? */
bool is_probe(const struct policy_query *, const struct policy_facts *);
/* clause.c: "a or b" of "a|b", as the matrix names roles. */
void say_either(struct text *, const char *names);
/* clause.c: what the document says of it, and what to look at.  Of what was seen 'facts' tells; NULL: nothing was, the question is put. */
void say_rule(struct text *, const struct policy *, const struct policy_query *, const struct judgement *, const struct policy_facts *);

#endif
