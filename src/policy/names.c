/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "flowaudit/policy.h"

const char *verdict_name(enum verdict v)
{
    static const char *const names[] = {"allowed", "violation", "undocumented", "not-governed"};

    return names[v];
}

const char *disposition_name(enum disposition d)
{
    static const char *const names[] = {"permitted", "misdropped", "escaped", "rejected", ""};

    return names[d];
}

enum disposition disposition_of(enum verdict v, enum outcome o)
{
    bool through = o == OUTCOME_ESTABLISHED || o == OUTCOME_ONE_WAY;

    if (v == VERDICT_ALLOWED)
        return through ? DISPOSITION_PERMITTED : DISPOSITION_MISDROPPED;
    if (v == VERDICT_VIOLATION)
        return through ? DISPOSITION_ESCAPED : DISPOSITION_REJECTED;
    return DISPOSITION_NONE;
}

const char *confidence_name(enum confidence c)
{
    static const char *const names[] = {"confirmed", "port-only", "inferred-direction"};

    return names[c];
}

static const char *const kind_names[] = {
#define X(id, name) name,
    FINDING_KINDS(X)
#undef X
};

const char *finding_kind_name(enum finding_kind k)
{
    return kind_names[k];
}

int finding_kind_parse(const char *name, enum finding_kind *ret)
{
    for (unsigned i = FINDING_NONE + 1; i < FINDING_N_KINDS; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *ret = (enum finding_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *severity_name(enum severity s)
{
    static const char *const names[] = {"critical", "high", "medium", "low", "notice"};

    return names[s];
}

const char *expectation_outcome_name(enum expectation_outcome o)
{
    static const char *const names[] = {"seen", "refused", "prohibited", "unanswered", "one-way", "never-attempted", "not-covered"};

    return names[o];
}

/*
 * Worst are content that is not what its port is for, and hosts that nobody named; what got through matters more than what
 * was stopped.  A flow that must be there and is not counts as much as one that must not be there.
 */
enum severity policy_severity(const struct judgement *j, enum outcome o)
{
    static const enum severity through[FINDING_N_KINDS] = {
        [FINDING_NONE] = SEVERITY_NOTICE,
        [FINDING_NO_ROW] = SEVERITY_MEDIUM,
        [FINDING_WRONG_PORT] = SEVERITY_MEDIUM,
        [FINDING_WRONG_PROTOCOL] = SEVERITY_HIGH,
        [FINDING_WRONG_DIRECTION] = SEVERITY_MEDIUM,
        [FINDING_WRONG_ROLE] = SEVERITY_MEDIUM,
        [FINDING_OPTION_OFF] = SEVERITY_MEDIUM,
        [FINDING_UNKNOWN_HOST] = SEVERITY_HIGH,
        [FINDING_MISSING] = SEVERITY_MEDIUM,
        [FINDING_MISDROPPED] = SEVERITY_HIGH,
        [FINDING_SEPARATED] = SEVERITY_HIGH,
        [FINDING_SITE] = SEVERITY_LOW,
    };

    if (j->verdict == VERDICT_ALLOWED)
        return SEVERITY_NOTICE;
    bool escaped = disposition_of(VERDICT_VIOLATION, o) == DISPOSITION_ESCAPED;
    return escaped ? through[j->kind] : (enum severity)(through[j->kind] + 1);
}
