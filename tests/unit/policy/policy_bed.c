/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_bed.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/classify.h"

char *policy_bed_read(const char *path)
{
    FILE  *in = fopen(path, "r");
    char  *text = NULL;
    size_t size;
    int    c;

    if (in == NULL)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    while ((c = fgetc(in)) != EOF)
        fputc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

struct policy_options policy_bed_options(void)
{
    return (struct policy_options){.known_protocols = classify_names(), .satisfies = classify_satisfies};
}

static char *lines_of(struct diag_list *list)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);

    diag_sort(list);
    for (size_t i = 0; i < list->n_items; i++)
        fprintf(f, "%s:%u:%u: %s\n", list->items[i].file, list->items[i].line, list->items[i].column, list->items[i].message);
    fclose(f);
    diag_list_clear(list);
    return text;
}

static int compile(const char *matrix, const char *site, struct policy_bed *ret, struct diag_list *diags)
{
    struct policy_options options = policy_bed_options();

    *ret = (struct policy_bed){0};
    int rc = matrix_parse(matrix, strlen(matrix), "matrix.yaml", &ret->matrix, diags);
    if (rc == 0)
        rc = site_parse(site, strlen(site), "site.yaml", &ret->site, diags);
    if (rc == 0)
        rc = policy_compile(ret->matrix, ret->site, &options, &ret->policy, diags);
    return rc;
}

struct policy_bed policy_bed_of_text(const char *matrix, const char *site)
{
    struct diag_list diags = {0};
    struct policy_bed       bed;

    if (compile(matrix, site, &bed, &diags) != 0)
        ck_abort_msg("%s\n%s", lines_of(&diags), site);
    diag_list_clear(&diags);
    return bed;
}

struct policy_bed policy_bed_of_rules(const char *rules, const char *site)
{
    char path[512];

    snprintf(path, sizeof(path), TEST_SOURCE_ROOT "/rules/%s", rules);
    char *matrix = policy_bed_read(path);
    ck_assert_msg(matrix != NULL, "%s cannot be read", path);
    struct policy_bed bed = policy_bed_of_text(matrix, site);
    free(matrix);
    return bed;
}

void policy_bed_free(struct policy_bed *bed)
{
    policy_free(bed->policy);
    site_free(bed->site);
    matrix_free(bed->matrix);
}

char *policy_bed_errors(const char *matrix, const char *site)
{
    struct diag_list diags = {0};
    struct policy_bed       bed;
    int              rc = compile(matrix, site, &bed, &diags);

    ck_assert_msg((rc == 0) == (diag_count(&diags, DIAG_ERROR) == 0), "rc %d with %zu errors", rc, diag_count(&diags, DIAG_ERROR));
    ck_assert((bed.policy != NULL) == (rc == 0));
    policy_bed_free(&bed);
    return lines_of(&diags);
}

struct policy_query policy_bed_query(const char *client, const char *server, const char *service)
{
    struct policy_query q = {.direction_known = true, .sent = {true, false}};

    ck_assert_int_eq(addr_parse(client, &q.tuple.client), 0);
    ck_assert_int_eq(addr_parse(server, &q.tuple.server), 0);
    ck_assert(strncmp(service, "tcp/", 4) == 0 || strncmp(service, "udp/", 4) == 0);
    q.tuple.transport = *service == 't' ? IPPROTO_TCP : IPPROTO_UDP;
    q.tuple.server_port = (uint16_t)strtoul(service + 4, NULL, 10);
    q.tuple.client_port = 50000;
    return q;
}

void policy_bed_content(struct policy_query *q, const char *protocol)
{
    q->app.basis = APP_CONTENT;
    q->app.contradicts = true;
    snprintf(q->app.name, sizeof(q->app.name), "%s", protocol);
}

uint32_t policy_bed_row(const struct policy *p, const char *id)
{
    for (uint32_t i = 0; i < policy_n_rows(p); i++)
        if (strcmp(policy_row(p, i)->id.text, id) == 0)
            return i;
    ck_abort_msg("no row %s", id);
    return POLICY_NONE;
}

const char *policy_bed_row_id(const struct policy *p, uint32_t row)
{
    return row == POLICY_NONE ? "-" : policy_row(p, row)->id.text;
}

/* SplitMix64. */
uint32_t dice_roll(struct dice *d, uint32_t sides)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (uint32_t)((z >> 32) * sides >> 32);
}
