/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOWAUDIT_SORT_H
#define FLOWAUDIT_SORT_H

#include <stddef.h>

/*
 * As qsort(3), and stable; made for what is in order already but for its end, such as the addresses of a file that somebody's program wrote: what
 * is in order is passed once, the rest is sorted and merged in.  Without memory for the rest all is sorted by qsort(3), whose order of equal
 * items is its own: let no two items be equal where that matters.
 * Threads: none of its own; any, as far as 'compare' is.
 */
void sort_nearly(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));

#endif
