/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of too many are kept: those of the lowest ranks, and a rank is a hash of what does not change, under a key that never does.  One that stays in
 * the end was never among the highest before, so that every worker may leave out what is beyond the bound, and it is the same in any order.
 */
#ifndef ENGINE_RANK_H
#define ENGINE_RANK_H

#include <stddef.h>
#include <stdint.h>

/* Puts the 'n' lowest of the ranks before all others (quickselect, Hoare 1961), and returns the highest of these. */
uint64_t rank_lowest(uint64_t *ranks, size_t n_ranks, size_t n);

#endif
