/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"
#include "private.h"

#define MOST_SUGGESTED 1000 /* names looked at for a slip of the hand */

/* The key need not be secret: entries are sorted, so colliding names cost a comparison and nothing more. */
static uint64_t hash_of(const char *name)
{
    static const struct hash_key key = {0x666c6f7761756469u, 0x74206e616d657321u};

    return hash_bytes(&key, name, strlen(name));
}

static int compare(const void *a, const void *b)
{
    const struct index_entry *x = a, *y = b;
    int c;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if ((c = strcmp(x->name->text, y->name->text)) != 0)
        return c;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void report_duplicates(struct parse *p, const struct index *x, const char *what)
{
    const struct rules_name *first = NULL;

    for (size_t i = 0; i < x->n; i++) {
        const struct rules_name *name = x->entries[i].name;

        if (i > 0 && x->entries[i - 1].hash == x->entries[i].hash && strcmp(first->text, name->text) == 0)
            parse_error_at(p, &name->place, "duplicate %s '%s'; line %u has it already", what, name->text,
                           first->place.line);
        else
            first = name;
    }
}

void index_build(struct parse *p, struct index *ret, const void *names, size_t n, size_t stride, const char *what)
{
    *ret = (struct index){.entries = parse_scratch(p, n, sizeof(*ret->entries))};
    if (ret->entries == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct rules_name *name = (const void *)((const char *)names + i * stride);

        if (name->text != NULL && name->text[0] != '\0') /* others had their error */
            ret->entries[ret->n++] =
                (struct index_entry){.hash = hash_of(name->text), .name = name, .number = (uint32_t)i};
    }
    qsort(ret->entries, ret->n, sizeof(*ret->entries), compare);
    report_duplicates(p, ret, what);
}

size_t index_find(const struct index *x, const char *name)
{
    uint64_t hash = hash_of(name);
    size_t low = 0, high = x->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = x->entries[middle].hash < hash ? -1 : x->entries[middle].hash > hash;

        if (c == 0)
            c = strcmp(x->entries[middle].name->text, name);
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == x->n || x->entries[low].hash != hash || strcmp(x->entries[low].name->text, name) != 0)
        return SIZE_MAX;
    return x->entries[low].number;
}

/* The index is in the order of hashes; people read names in the order of the file. */
static size_t in_file_order(const struct index *x, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < MOST_SUGGESTED; i++)
        names[i] = NULL;
    for (size_t i = 0; i < x->n; i++)
        if (x->entries[i].number < MOST_SUGGESTED)
            names[x->entries[i].number] = x->entries[i].name->text;
    for (size_t i = 0; i < MOST_SUGGESTED; i++)
        if (names[i] != NULL)
            names[n++] = names[i];
    return n;
}

size_t index_require(struct parse *p, const struct index *x, const struct rules_name *name, const char *what)
{
    const char *names[MOST_SUGGESTED];
    size_t found;

    if (name->text == NULL || name->text[0] == '\0')
        return SIZE_MAX;
    found = index_find(x, name->text);
    /* In a file that is cut, what is named may be defined behind the cut; under a misspelt key, all of it may be. */
    if (found == SIZE_MAX && (p->cut_line != 0 || (p->incomplete && x->n == 0)))
        return SIZE_MAX;
    if (found == SIZE_MAX && p->n_errors < RULES_MAX_ERRORS) {
        size_t n = in_file_order(x, names);
        parse_error_at(p, &name->place, "unknown %s '%s'%s", what, name->text, suggest(p, name->text, names, n));
    } else if (found == SIZE_MAX) {
        p->n_errors++;
    }
    return found;
}
