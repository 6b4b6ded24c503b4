/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOWAUDIT_EVIDENCE_PRIVATE_H
#define FLOWAUDIT_EVIDENCE_PRIVATE_H

#include "flowaudit/evidence.h"
#include "flowaudit/packet.h"

enum pick_kind { PICK_NOTHING, PICK_PACKET, PICK_FRAGMENT, PICK_ERROR };

/* Which packets, with the fragment trains whose first one is among them: these are known once all inputs were gone through. */
struct picker {
    const struct evidence_pick *pick;
    struct train *trains;
    size_t n_trains, n_allocated;
};

int picker_learn(struct picker *, const struct frame *); /* -ENOMEM */
void picker_ready(struct picker *);
enum pick_kind picker_look(const struct picker *, const struct frame *);
void picker_clear(struct picker *);

/* Where an input is: its path, to be freed; each candidate is read to its end for its digest. */
int locate_input(const struct evidence_request *, const struct evidence_input *, char **ret, struct err *reterr);

#endif
