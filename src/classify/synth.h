/* SPDX-License-Identifier: Apache-2.0 */
/* Packets as libndpi wants them: whole, and not longer than is safe. */
#ifndef CLASSIFY_SYNTH_H
#define CLASSIFY_SYNTH_H

#include <stddef.h>
#include <stdint.h>

#include "flowaudit/classify.h"

/* The IP packet to show: in the frame where it can be shown as it is, else made in 'scratch'. */
const uint8_t *synth_packet(const struct packet *, uint8_t scratch[static CLASSIFY_MAX_BYTES], size_t *ret_len);

#endif
