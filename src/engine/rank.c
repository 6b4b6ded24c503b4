/* SPDX-License-Identifier: Apache-2.0 */
#include "rank.h"

uint64_t rank_lowest(uint64_t *ranks, size_t n_ranks, size_t n)
{
    size_t low = 0, high = n_ranks - 1;

    while (low < high) {
        uint64_t pivot = ranks[low + (high - low) / 2];
        size_t   i = low, j = high;

        for (;; i++, j--) {
            while (ranks[i] < pivot)
                i++;
            while (ranks[j] > pivot)
                j--;
            if (i >= j)
                break;
            uint64_t swap = ranks[i];
            ranks[i] = ranks[j];
            ranks[j] = swap;
        }
        if (n - 1 <= j)
            high = j;
        else
            low = j + 1;
    }
    return ranks[n - 1];
}
