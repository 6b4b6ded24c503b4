/* SPDX-License-Identifier: Apache-2.0 */
/* Packets by hand, and what was announced. */
#ifndef PINHOLE_BED_H
#define PINHOLE_BED_H

#include <stddef.h>
#include <stdint.h>

#include "flowaudit/pinhole.h"

#define BED_MAX 4096

struct bed {
    struct pinholes *pinholes;
    struct pinhole_state *state; /* the one flow of most tests */
    struct packet last;
    uint32_t seq[2];
    uint32_t cut; /* bytes of the next payload that the snap length takes */
    uint64_t number;
    uint16_t client_port, server_port;
    uint8_t transport;
    unsigned n; /* announced, all counted, the first BED_MAX kept */
    struct pinhole found[BED_MAX];
};

/* A flow from 10.0.0.1 to 10.0.0.2.  'options' may be NULL. */
struct bed *bed_new(uint8_t transport, uint16_t client_port, uint16_t server_port, const struct pinholes_options *);
void bed_free(struct bed *);
/* Forgets what was announced and begins the flow anew. */
void bed_restart(struct bed *);
/* Shows a payload sent by the client (side 0) or the server (side 1); a state is taken as the engine does it.  The
 * bytes are copied to memory of their exact size, so that a sanitizer sees every read past their end. */
bool bed_send(struct bed *, unsigned side, const void *payload, size_t len);
/* "kind what addr:port/transport ...", one line each, in order. */
const char *bed_text(const struct bed *, char *buf, size_t size);
size_t bed_line(const struct pinhole *, char *buf, size_t size);

#endif
