/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files through reading, decoding, flow table and pinholes, as a shard does it. */
#ifndef PINHOLE_DRIVE_H
#define PINHOLE_DRIVE_H

#include "flowaudit/pinhole.h"

/* 0, or a negative errno where the file cannot be opened. */
int pinhole_drive(const char *path, pinhole_fn *, void *aux, struct pinholes_stats *ret_stats, struct err *reterr);

#endif
