/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *copy_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* The line 'line' (1-based) of 'text', without its line end; cut where it is absurdly long. */
static char *copy_line(const char *text, size_t size, unsigned line)
{
    const size_t longest = 400;
    const char  *end = text + size;

    for (unsigned at = 1; at < line; at++) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        if (nl == NULL)
            return NULL;
        text = nl + 1;
    }
    const char *nl = memchr(text, '\n', (size_t)(end - text));
    size_t      len = (size_t)((nl != NULL ? nl : end) - text);
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return copy_text(text, len < longest ? len : longest);
}

static struct diag *grow(struct diag_list *list)
{
    if (list->n_items == list->n_allocated) {
        size_t       n = list->n_allocated == 0 ? 16 : 2 * list->n_allocated;
        struct diag *items = realloc(list->items, n * sizeof(*items));

        if (items == NULL)
            return NULL;
        list->items = items;
        list->n_allocated = n;
    }
    return &list->items[list->n_items];
}

void diag_add(struct diag_list *list, enum diag_level level, const struct diag_place *place, const char *fmt, ...)
{
    char    message[1024]; /* a sentence; longer ones are cut */
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    struct diag *d = grow(list);
    if (d == NULL) {
        list->n_lost++;
        return;
    }
    const char *file = place->file != NULL ? place->file : "-";
    *d = (struct diag){
        .level = level,
        .file = copy_text(file, strlen(file)),
        .line = place->line,
        .column = place->column,
        .width = place->width > 0 ? place->width : 1,
        .message = copy_text(message, strlen(message)),
    };
    if (d->file == NULL || d->message == NULL) {
        free(d->file);
        free(d->message);
        list->n_lost++;
        return;
    }
    if (place->text != NULL && place->line > 0)
        d->source = copy_line(place->text, place->size, place->line);
    list->n_items++;
}

size_t diag_count(const struct diag_list *list, enum diag_level level)
{
    size_t n = level == DIAG_ERROR ? list->n_lost : 0;

    for (size_t i = 0; i < list->n_items; i++)
        n += list->items[i].level == level;
    return n;
}

static int compare(const struct diag *a, const struct diag *b)
{
    int c = strcmp(a->file, b->file);

    if (c != 0)
        return c;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return 0;
}

void diag_sort(struct diag_list *list)
{
    /* Insertion keeps equal places in the order they were found; lists are short. */
    for (size_t i = 1; i < list->n_items; i++) {
        struct diag d = list->items[i];
        size_t      j = i;

        for (; j > 0 && compare(&list->items[j - 1], &d) > 0; j--)
            list->items[j] = list->items[j - 1];
        list->items[j] = d;
    }
}

static void print_source(const struct diag *d, FILE *out)
{
    fprintf(out, "    %s\n    ", d->source);
    /* Tabs are repeated so that the caret stands under its character whatever the tab width; UTF-8 continuation bytes take no column. */
    const char *p = d->source;
    for (unsigned column = 1; column < d->column && *p != '\0'; p++) {
        if (((unsigned char)*p & 0xc0) == 0x80)
            continue;
        fputc(*p == '\t' ? '\t' : ' ', out);
        column++;
    }
    fputc('^', out);
    for (unsigned i = 1; i < d->width && i < 120; i++)
        fputc('~', out);
    fputc('\n', out);
}

void diag_print(const struct diag_list *list, FILE *out)
{
    static const char *const names[] = {"error", "warning", "note"};

    for (size_t i = 0; i < list->n_items; i++) {
        const struct diag *d = &list->items[i];

        if (d->line > 0)
            fprintf(out, "%s:%u:%u: %s: %s\n", d->file, d->line, d->column, names[d->level], d->message);
        else
            fprintf(out, "%s: %s: %s\n", d->file, names[d->level], d->message);
        if (d->source != NULL)
            print_source(d, out);
    }
    if (list->n_lost > 0)
        fprintf(out, "error: %zu more findings could not be kept: no memory\n", list->n_lost);
}

void diag_list_clear(struct diag_list *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        free(list->items[i].file);
        free(list->items[i].message);
        free(list->items[i].source);
    }
    free(list->items);
    *list = (struct diag_list){0};
}

#define MAX_WORD 64 /* longer words are no slips of a name */

/* Edit distance with transpositions (optimal string alignment). */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][MAX_WORD + 1];
    size_t   la = strlen(a), lb = strlen(b);

    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *diag_nearest(const char *word, const char *const *names, size_t n_names)
{
    const char *best = NULL;
    size_t      len = strlen(word);
    unsigned    limit = len <= 3 ? 1 : (unsigned)(len + 2) / 3;

    if (len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (strlen(names[i]) > MAX_WORD)
            continue;
        unsigned d = strcasecmp(word, names[i]) == 0 ? 0 : distance(word, names[i]);
        if (d <= limit) {
            best = names[i];
            if (d == 0)
                return best;
            limit = d - 1;
        }
    }
    return best;
}
