/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/hash.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DIGEST_BLOCK ((size_t)1 << 17)

int hash_key_random(struct hash_key *ret, struct err *reterr)
{
    struct hash_key key;

    if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return err_set(reterr, -EIO, "the kernel gave no random bytes for a hash key");
    *ret = key;
    return 0;
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline struct sip sip_start(const struct hash_key *key)
{
    return (struct sip){
        .v0 = key->k0 ^ 0x736f6d6570736575u,
        .v1 = key->k1 ^ 0x646f72616e646f6du,
        .v2 = key->k0 ^ 0x6c7967656e657261u,
        .v3 = key->k1 ^ 0x7465646279746573u,
    };
}

static inline uint64_t sip_end(struct sip *s)
{
    s->v2 ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t hash_words(const struct hash_key *key, const uint64_t *words, size_t n_words)
{
    struct sip s = sip_start(key);

    for (size_t i = 0; i < n_words; i++)
        sip_word(&s, words[i]);
    sip_word(&s, (uint64_t)(n_words * 8) << 56);
    return sip_end(&s);
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    struct sip     s = sip_start(key);
    uint64_t       last = (uint64_t)size << 56;

    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        sip_word(&s, word);
    }
    for (size_t i = 0; i < size; i++)
        last |= (uint64_t)bytes[i] << (8 * i);
    sip_word(&s, last);
    return sip_end(&s);
}

struct digest {
    gcry_md_hd_t md;
};

int digest_new(struct digest **ret, struct err *reterr)
{
    /* libgcrypt wants its version asked before the first use; asking again is harmless. */
    if (gcry_check_version(NULL) == NULL)
        return err_set(reterr, -ENOSYS, "libgcrypt cannot be used");

    struct digest *d = malloc(sizeof(*d));
    if (d == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a digest");
    if (gcry_md_open(&d->md, GCRY_MD_SHA256, 0) != 0) {
        free(d);
        return err_set(reterr, -ENOMEM, "libgcrypt gave no SHA-256 digest");
    }
    *ret = d;
    return 0;
}

void digest_update(struct digest *d, const void *data, size_t size)
{
    gcry_md_write(d->md, data, size);
}

void digest_text(struct digest *d, char ret[static DIGEST_TEXT_SIZE])
{
    const uint8_t *bytes = gcry_md_read(d->md, GCRY_MD_SHA256);

    for (unsigned i = 0; i < 32; i++)
        snprintf(ret + (size_t)2 * i, 3, "%02x", bytes[i]);
}

void digest_free(struct digest *d)
{
    if (d == NULL)
        return;
    gcry_md_close(d->md);
    free(d);
}

int digest_file(int fd, char ret[static DIGEST_TEXT_SIZE], struct err *reterr)
{
    struct digest *d = NULL;
    char          *block = malloc(DIGEST_BLOCK);
    int            rc = block != NULL ? digest_new(&d, reterr) : err_set(reterr, -ENOMEM, "no memory to read it");
    ssize_t        n = 0;

    while (rc == 0 && ((n = read(fd, block, DIGEST_BLOCK)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            digest_update(d, block, (size_t)n);
    if (rc == 0 && n < 0)
        rc = err_set(reterr, -errno, "cannot be read: %s", strerror(errno));
    if (rc == 0)
        digest_text(d, ret);
    digest_free(d);
    free(block);
    return rc;
}
