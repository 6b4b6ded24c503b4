/* SPDX-License-Identifier: Apache-2.0 */
/* Stable words for what flowaudit/value.h lists. */
#include "flowaudit/value.h"

#include <stddef.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

const char *direction_basis_name(enum direction_basis basis)
{
    static const char *const names[] = {
        [DIRECTION_SYN] = "syn",   [DIRECTION_SYN_ACK] = "syn-ack",    [DIRECTION_STRAY] = "stray", [DIRECTION_CONTENT] = "content",
        [DIRECTION_PORT] = "port", [DIRECTION_FIRST] = "first-packet", [DIRECTION_UNKNOWN] = "unknown",
    };

    return (size_t)basis < N(names) ? names[basis] : "?";
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_ESTABLISHED] = "established", [OUTCOME_REFUSED] = "refused", [OUTCOME_PROHIBITED] = "prohibited",
        [OUTCOME_UNANSWERED] = "unanswered",   [OUTCOME_ONE_WAY] = "one-way",
    };

    return (size_t)outcome < N(names) ? names[outcome] : "?";
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[] = {
        [TCP_STATE_NONE] = "none",
        [TCP_STATE_SYN] = "unanswered",
        [TCP_STATE_SYN_ACK_ONLY] = "syn-ack-only",
        [TCP_STATE_HALF_OPEN] = "half-open",
        [TCP_STATE_ESTABLISHED] = "established",
        [TCP_STATE_REFUSED] = "refused",
        [TCP_STATE_NO_SYN_ACK] = "syn-ack-unseen",
        [TCP_STATE_MIDSTREAM] = "midstream",
        [TCP_STATE_FLAGS_CUT] = "flags-cut",
    };

    return (size_t)state < N(names) ? names[state] : "?";
}
