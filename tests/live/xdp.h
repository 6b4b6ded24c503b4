/* SPDX-License-Identifier: Apache-2.0 */
/* Sending without a socket: see xdp.c. */
#ifndef LIVE_XDP_H
#define LIVE_XDP_H

#include <stdint.h>

#define XDP_BATCH 32768   /* packets of one call, at most: to begin and end one takes the kernel tens of milliseconds */
#define XDP_MOST  2040    /* bytes of a packet, at most */

struct xdp_sender;

/* Ends the program, with a sentence, where the kernel does not do it. */
struct xdp_sender *xdp_open(const char *iface);
/* The next packet of the batch. */
void xdp_put(struct xdp_sender *, unsigned i, const uint8_t *data, uint32_t len);
void xdp_send(struct xdp_sender *, unsigned n);

#endif
