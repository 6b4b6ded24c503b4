/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_HELP_H
#define POLICY_HELP_H

#include "flowaudit/policy.h"

#define UNITY_MATRIX TEST_SOURCE_ROOT "/rules/cisco-unity-5x-exchange.yaml"
#define SHOP_MATRIX TEST_SOURCE_ROOT "/rules/web-shop.yaml"

/* A site with one host for nearly each role of the Unity matrix; test text may add to its end. */
extern const char unity_site[];
#define UNITY_SITE_SIZE 4096 /* with something added */

struct bed {
    struct matrix *matrix;
    struct site   *site;
    struct policy *policy;
};

/* Fails the test where something does not compile. */
struct bed bed_of_texts(const char *matrix, const char *site);
struct bed bed_of_file(const char *matrix_path, const char *site);
void       policy_bed_close(struct bed *);

/* Ends are host names of the site (first address) or addresses; 'service' is "tcp/80"; 'app' is a protocol that
 * contradicts, "?NAME" for one that is a hint, or NULL.  Client port 40000, direction known, both sides sent. */
struct policy_query policy_query_of(const struct bed *, const char *client, const char *server, const char *service, const char *app);
/* The same judgement by index and by scan, in every field; fails the test where they differ. */
struct judgement    judge_both(const struct bed *, const struct policy_query *);
const char         *policy_row_id(const struct bed *, uint32_t row); /* "-" for none */
/* The errors and warnings of a compilation, "FILE:LINE:COLUMN: level: text" lines; freed by the caller. */
char               *compile_words(const char *matrix, const char *site);

/* A small generator of its own: the same numbers everywhere. */
uint32_t policy_random(uint64_t *state, uint32_t n);

#endif
