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

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t size)
{
    const uint8_t  *bytes = data;
    struct hash_sip s = hash_sip_start(key);
    uint64_t        last = (uint64_t)size << 56;

    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        hash_sip_word(&s, word);
    }
    for (size_t i = 0; i < size; i++)
        last |= (uint64_t)bytes[i] << (8 * i);
    hash_sip_word(&s, last);
    return hash_sip_end(&s);
}

void hash_pairs_init(struct hash_pairs *ret, const struct hash_key *key)
{
    uint64_t counter = 0;

    for (unsigned i = 0; i < HASH_PAIRS_MAX; i++) {
        ret->a[i][0] = hash_words(key, &(uint64_t){counter++}, 1);
        ret->a[i][1] = hash_words(key, &(uint64_t){counter++}, 1);
    }
    ret->b = hash_words(key, &counter, 1);
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
