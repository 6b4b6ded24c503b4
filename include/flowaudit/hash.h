/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed hashes for tables whose keys come from packets, and digests for evidence.
 */
#ifndef FLOWAUDIT_HASH_H
#define FLOWAUDIT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "flowaudit/err.h"

struct hash_key {
    uint64_t k0, k1;
};

/* A secret key from the kernel (getrandom).  Results never depend on it: it only decides which bucket a
 * key falls into. */
int hash_key_random(struct hash_key *ret, struct err *reterr);

/* SipHash-1-3 (Aumasson, Bernstein 2012; the reduced rounds that Linux, Rust and Perl use for
 * tables).  Not for signatures. */
uint64_t hash_bytes(const struct hash_key *, const void *data, size_t size);

/* The same over whole 64-bit words: what the per-packet path calls with a key of fixed size. */
uint64_t hash_words(const struct hash_key *, const uint64_t *words, size_t n_words);

#define DIGEST_TEXT_SIZE 65 /* 64 hexadecimal digits and a NUL */

/* SHA-256 (FIPS 180-4) in a stream; libgcrypt does the work. */
struct digest;
int  digest_new(struct digest **ret, struct err *reterr);
void digest_update(struct digest *, const void *data, size_t size);
void digest_text(struct digest *, char ret[static DIGEST_TEXT_SIZE]); /* of all bytes so far; may be called once */
void digest_free(struct digest *);
/* Of what is read from the descriptor to its end.  0, or -errno with the reason alone. */
int  digest_file(int fd, char ret[static DIGEST_TEXT_SIZE], struct err *reterr);

#endif
