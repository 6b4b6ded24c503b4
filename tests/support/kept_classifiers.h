/* SPDX-License-Identifier: Apache-2.0 */
/* Classifiers that are used again: one takes longer to make than a small audit.  The program is linked with --wrap=classifier_new and
 * --wrap=classifier_free. */
#pragma once

#include <stddef.h>

#include "flowaudit/policy.h"

/* Makes so many, at most two, for the protocols of this policy. */
void kept_classifiers_make(const struct policy *, size_t n);
