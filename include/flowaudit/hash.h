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

/* --- SipHash, as far as it is written here: where the number of words is known no loop is left --- */

struct hash_sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t hash_rotl(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void hash_sip_round(struct hash_sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = hash_rotl(s->v1, 13) ^ s->v0;
    s->v3 = hash_rotl(s->v3, 16) ^ s->v2;
    s->v0 = hash_rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = hash_rotl(s->v1, 17) ^ s->v2;
    s->v3 = hash_rotl(s->v3, 21) ^ s->v0;
    s->v2 = hash_rotl(s->v2, 32);
}

static inline void hash_sip_word(struct hash_sip *s, uint64_t word)
{
    s->v3 ^= word;
    hash_sip_round(s);
    s->v0 ^= word;
}

static inline struct hash_sip hash_sip_start(const struct hash_key *key)
{
    return (struct hash_sip){
        .v0 = key->k0 ^ 0x736f6d6570736575u,
        .v1 = key->k1 ^ 0x646f72616e646f6du,
        .v2 = key->k0 ^ 0x6c7967656e657261u,
        .v3 = key->k1 ^ 0x7465646279746573u,
    };
}

static inline uint64_t hash_sip_end(struct hash_sip *s)
{
    s->v2 ^= 0xff;
    hash_sip_round(s);
    hash_sip_round(s);
    hash_sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* As hash_bytes(), over whole 64-bit words: what the per-packet path calls with a key of fixed size. */
static inline uint64_t hash_words(const struct hash_key *key, const uint64_t *words, size_t n_words)
{
    struct hash_sip s = hash_sip_start(key);

#pragma GCC unroll 8
    for (size_t i = 0; i < n_words; i++)
        hash_sip_word(&s, words[i]);
    hash_sip_word(&s, (uint64_t)(n_words * 8) << 56);
    return hash_sip_end(&s);
}

/*
 * --- a hash of short keys, much cheaper than SipHash: two additions and a multiplication for 64 bits of the key ---
 *
 * Pair-multiply-shift (Thorup, "High Speed Hashing for Integers and Strings", arXiv 1504.06804, on vectors): of 32-bit words x[i] and random 64-bit
 * numbers a[i], b the upper half of (a[0] + x[1]) * (a[1] + x[0]) + (a[2] + x[3]) * (a[3] + x[2]) + ... + b.  It is strongly universal: for whoever does
 * not know the numbers, any two keys have the same hash with probability 2^-32.  Where keys differ in x[1], say, their sums differ by (x[1] - y[1]) * a[1]
 * and what does not depend on a[1]; the bits from 32 on of that product are evenly distributed, since the factor is not 0 and has no more than 32 bits.
 * This also holds of keys of different length where a pair that all have tells them apart.
 *
 * Keys in an arithmetic series, as the ports and addresses of a scan, have sums in one, which would gather in places of a table that is probed linearly.
 * So the 32 bits are mixed (the end of MurmurHash3), one to one, which keeps the probability as it is.
 *
 * Who sees which keys collide could find the numbers out, as is not so with SipHash: it is for tables of which those who choose the keys see nothing.
 */
#define HASH_PAIRS_MAX 8

struct hash_pairs {
    uint64_t a[HASH_PAIRS_MAX][2], b;
};

void hash_pairs_init(struct hash_pairs *ret, const struct hash_key *); /* the numbers that follow from this key */

/* What one pair of words adds to the sum. */
static inline uint64_t hash_pair(const struct hash_pairs *h, unsigned i, uint32_t x, uint32_t y)
{
    return (h->a[i][0] + y) * (h->a[i][1] + x);
}

static inline uint32_t hash_pairs_end(const struct hash_pairs *h, uint64_t sum)
{
    uint32_t v = (uint32_t)((sum + h->b) >> 32);

    v = (v ^ (v >> 16)) * UINT32_C(0x85ebca6b);
    v = (v ^ (v >> 13)) * UINT32_C(0xc2b2ae35);
    return v ^ (v >> 16);
}

/* A key of whole 64-bit words, of which the halves are its words: at most HASH_PAIRS_MAX. */
static inline uint32_t hash_pairs_words(const struct hash_pairs *h, const uint64_t *words, unsigned n_words)
{
    uint64_t sum = 0;

#pragma GCC unroll 8
    for (unsigned i = 0; i < n_words; i++)
        sum += hash_pair(h, i, (uint32_t)words[i], (uint32_t)(words[i] >> 32));
    return hash_pairs_end(h, sum);
}

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
