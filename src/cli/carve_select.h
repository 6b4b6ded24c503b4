/* SPDX-License-Identifier: Apache-2.0 */
/* From a finding in the record to the packets that are looked for. */
#ifndef FLOWAUDIT_CARVE_SELECT_H
#define FLOWAUDIT_CARVE_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"
#include "flowaudit/evidence.h"
#include "flowaudit/reader.h"

struct selector_list {
    struct evidence_selector *items;
    size_t                    n, n_allocated;
};

struct selection {
    int64_t                run_id, finding_id;
    char                  *kind, *severity, *reason, *filter; /* filter: NULL where the run had none */
    char                  *origin;    /* the run's versions and digests, in lines */
    char                  *ends;      /* "10.0.0.1 to 10.0.0.2 tcp/389" */
    int64_t                packets;   /* as the finding counts them */
    bool                   by_ends;   /* the record does not keep every flow: conversations are told by their ends */
    bool                   by_hosts;  /* all between two hosts */
    bool                   is_cited;  /* no flow: the packet that its sentence cites */
    struct selector_list   wanted, others;
    struct evidence_input *inputs;
    size_t                 n_inputs;
    char                   live[64];  /* an interface that the run judged; "": it judged files */
};

/* 'run_id' 0: the last one.  -ENOENT: no such run or finding; -ENODATA: a finding that no packet shows. */
int  selection_read(struct reader *, int64_t run_id, int64_t finding_id, struct selection *ret, struct err *reterr);
void selection_clear(struct selection *);

#endif
