/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/packet.h"

static const struct {
    const char *name, *text;
} results[PACKET_N_RESULTS] = {
#define X(id, name, text) [id] = {name, text},
    PACKET_RESULTS(X)
#undef X
};

const char *packet_result_name(enum packet_result r)
{
    return (unsigned)r < PACKET_N_RESULTS ? results[r].name : "unknown";
}

const char *packet_result_text(enum packet_result r)
{
    return (unsigned)r < PACKET_N_RESULTS ? results[r].text : "unknown";
}
