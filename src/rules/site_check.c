/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a site must agree on: one name for one thing, one host for one address. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* --- addresses ---------------------------------------------------------------------------------- */

struct block {
    const struct addr_range *range;
    const struct rules_place *place;
    const struct site_host *host;
};

/* By the first address; the wider before the narrower, so that a block comes after all that hold it. */
static int compare_blocks(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    int c = addr_compare(&x->range->low, &y->range->low);

    if (c == 0)
        c = addr_compare(&y->range->high, &x->range->high);
    if (c == 0)
        c = x->place->line != y->place->line
                ? (x->place->line < y->place->line ? -1 : 1)
                : (x->place->column > y->place->column) - (x->place->column < y->place->column);
    return c;
}

static bool comes_before(const struct rules_place *a, const struct rules_place *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* The error stands at the one that comes later in the file. */
static void report_blocks(struct parse *p, const struct block *a, const struct block *b)
{
    const struct block *first = comes_before(a->place, b->place) ? a : b, *second = first == a ? b : a;
    char one[2 * ADDR_TEXT_SIZE], two[2 * ADDR_TEXT_SIZE];

    addr_range_text(first->range, one, sizeof(one));
    addr_range_text(second->range, two, sizeof(two));
    if (strcmp(one, two) == 0 && first->host == second->host)
        parse_error_at(p, second->place, "duplicate address '%s'; this host has it already", two);
    else if (strcmp(one, two) == 0)
        parse_error_at(p, second->place, "address '%s' belongs to host '%s' already (line %u); an address has one host",
                       two, first->host->name.text, first->place->line);
    else
        parse_error_at(p, second->place,
                       "addresses '%s' overlap '%s' of host '%s' (line %u); a block must lie wholly inside the other, "
                       "or apart from it",
                       two, one, first->host->name.text, first->place->line);
}

/* In sorted order the blocks around the current one are a stack, each inside the one below. */
static void sweep(struct parse *p, const struct block *blocks, size_t n, size_t *stack)
{
    size_t depth = 0;

    for (size_t i = 0; i < n; i++) {
        const struct addr_range *r = blocks[i].range;

        while (depth > 0 && addr_compare(&blocks[stack[depth - 1]].range->high, &r->low) < 0)
            depth--;
        if (depth > 0) {
            const struct block *outer = &blocks[stack[depth - 1]];
            int end = addr_compare(&r->high, &outer->range->high);

            if (end > 0 || (end == 0 && addr_compare(&r->low, &outer->range->low) == 0)) {
                report_blocks(p, outer, &blocks[i]);
                continue;
            }
        }
        stack[depth++] = i;
    }
}

static void check_addresses(struct parse *p, const struct site *s)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        n += s->hosts[i].n_ranges;
    struct block *blocks = parse_scratch(p, n, sizeof(*blocks));
    size_t *stack = parse_scratch(p, n, sizeof(*stack));
    if (blocks == NULL || stack == NULL)
        return;
    for (size_t i = 0; i < s->n_hosts; i++)
        for (size_t j = 0; j < s->hosts[i].n_ranges; j++)
            blocks[at++] = (struct block){
                .range = &s->hosts[i].ranges[j], .place = &s->hosts[i].range_places[j], .host = &s->hosts[i]};
    qsort(blocks, n, sizeof(*blocks), compare_blocks);
    sweep(p, blocks, n, stack);
}

/* --- names -------------------------------------------------------------------------------------- */

static void check_exceptions(struct parse *p, const struct site *s, const struct index *hosts)
{
    struct rules_name *ids = parse_scratch(p, s->n_exceptions, sizeof(*ids));
    struct index index;

    if (ids == NULL)
        return;
    for (size_t i = 0; i < s->n_exceptions; i++) {
        const struct site_exception *x = &s->exceptions[i];

        ids[i] = x->id;
        if (!x->client_any && !x->client_is_range)
            index_require(p, hosts, &x->client, "host");
        if (!x->server_any && !x->server_is_range)
            index_require(p, hosts, &x->server, "host");
    }
    index_build(p, &index, ids, s->n_exceptions, sizeof(*ids), "exception");
}

void site_check(struct parse *p, struct site *s)
{
    struct index hosts, others;

    index_build(p, &hosts, s->hosts, s->n_hosts, sizeof(*s->hosts), "host");
    index_build(p, &others, s->options, s->n_options, sizeof(*s->options), "option");
    index_build(p, &others, s->parameters, s->n_parameters, sizeof(*s->parameters), "parameter");
    index_build(p, &others, s->expects, s->n_expects, sizeof(*s->expects), "row");
    check_exceptions(p, s, &hosts);
    check_addresses(p, s);
}
