/* SPDX-License-Identifier: Apache-2.0 */
/* A matrix, a site and the policy compiled from them, for tests; a tuple and a query in words. */
#ifndef POLICY_BED_H
#define POLICY_BED_H

#include "flowaudit/policy.h"

#define UNITY_MATRIX "cisco-unity-5x-exchange.yaml"
#define SHOP_MATRIX "web-shop.yaml"

struct policy_bed {
    struct matrix *matrix;
    struct site   *site;
    struct policy *policy;
};

/* 'rules' is a file of rules/; 'matrix' a text.  What does not compile fails the test. */
struct policy_bed policy_bed_of_rules(const char *rules, const char *site);
struct policy_bed policy_bed_of_text(const char *matrix, const char *site);
void       policy_bed_free(struct policy_bed *);
/* The findings of a compilation that fails, as "FILE:LINE:COLUMN: sentence" lines (freed by the caller). */
char *policy_bed_errors(const char *matrix, const char *site);
/* A file of rules/ as text (freed by the caller). */
char *policy_bed_read(const char *path);

/* Protocols satisfy names as they do in the program. */
struct policy_options policy_bed_options(void);

/* "10.20.1.10", "tcp/88"; the client's port is 50000, its side alone has sent. */
struct policy_query policy_bed_query(const char *client, const char *server, const char *service);
/* As content that contradicts other names. */
void policy_bed_content(struct policy_query *, const char *protocol);
/* The row's index; an id that is not there fails the test. */
uint32_t policy_bed_row(const struct policy *, const char *id);
const char *policy_bed_row_id(const struct policy *, uint32_t row); /* "-" for none */

/* A small generator of equal numbers on each machine. */
struct dice {
    uint64_t state;
};
uint32_t dice_roll(struct dice *, uint32_t sides); /* 0 .. sides - 1 */

#endif
