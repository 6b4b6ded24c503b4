/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol names: the matrix's, the library's, and what satisfies what. */
#ifndef CLASSIFY_NAMES_H
#define CLASSIFY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Our own names; their place is their bit in sets. */
#define NAMES_N_CONTRACT 17

/* Ours, then the library's; NULL-terminated. */
extern const char *const names_all[];

/* -1 where 'name' is not one of ours. */
int names_contract_index(const char *name);
/* Our names that a flow classified as 'name' satisfies, as a set. */
uint32_t names_satisfied(const char *name);
/* Set of our names among a NULL-terminated list (NULL: none). */
uint32_t names_set(const char *const *list);
bool names_listed(const char *const *list, const char *name);
/* What the library calls the protocol: several names where ours stands for several, NULL-terminated; NULL where it is
 * not one of ours (then the library's name is the same). */
const char *const *names_of_library(const char *name);
/* Our name for the library's ("SMBv23" is SMB, "DCERPC" of later versions is DCE_RPC), or the same. */
const char *names_canonical(const char *library_name);
/* Protocols that the library tells reliably by content, so that they may contradict a row. */
bool names_reliable(const char *name, bool udp);
/* Protocols that the library takes others for, so that its word is worth nothing. */
bool names_misleading(const char *name);
/* After an upgrade inside the session these go on as TLS. */
bool names_upgrades_to_tls(const char *name);

#endif
