/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/sort.h"

#include <stdlib.h>
#include <string.h>

void sort_nearly(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *at = items;
    size_t sorted = 1;

    while (sorted < n && compare(at + (sorted - 1) * size, at + sorted * size) <= 0)
        sorted++;
    if (sorted >= n)
        return;
    size_t left = n - sorted;
    char *rest = left <= n / 2 ? malloc(left * size) : NULL;
    if (rest == NULL) {
        qsort(items, n, size, compare);
        return;
    }
    memcpy(rest, at + sorted * size, left * size);
    qsort(rest, left, size, compare);
    /* From behind: of equal items those of the rest come later. */
    for (size_t to = n; left > 0; to--) {
        if (sorted > 0 && compare(at + (sorted - 1) * size, rest + (left - 1) * size) > 0)
            memcpy(at + (to - 1) * size, at + --sorted * size, size);
        else
            memcpy(at + (to - 1) * size, rest + --left * size, size);
    }
    free(rest);
}
