/* SPDX-License-Identifier: Apache-2.0 */
#include "digester.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 8
#define BLOCK_SIZE (512 * 1024) /* what is read at once */

struct block {
    struct digest *digest;
    size_t         n;
    uint8_t        bytes[BLOCK_SIZE];
};

struct digester {
    int64_t       (*clock)(void);
    int64_t         ns;      /* the thread's, until it ended */
    bool            running;
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    uint64_t        n_added, n_done; /* blocks; under the lock, as 'over' */
    bool            over;
    struct block    blocks[BLOCKS];
};

static void digest_block(struct digester *d, const struct block *b)
{
    int64_t begun = d->clock != NULL ? d->clock() : 0;

    digest_update(b->digest, b->bytes, b->n);
    if (d->clock != NULL)
        d->ns += d->clock() - begun;
}

static void *work(void *arg)
{
    struct digester *d = arg;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (d->n_done == d->n_added && !d->over)
            pthread_cond_wait(&d->changed, &d->lock);
        if (d->n_done == d->n_added)
            break;
        pthread_mutex_unlock(&d->lock);
        digest_block(d, &d->blocks[d->n_done % BLOCKS]); /* only this thread changes n_done */
        pthread_mutex_lock(&d->lock);
        d->n_done++;
        pthread_cond_signal(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

int digester_new(int64_t (*clock)(void), struct digester **ret, struct err *reterr)
{
    struct digester *d = malloc(sizeof(*d));

    if (d == NULL)
        return err_set(reterr, -ENOMEM, "no memory for the digest of inputs");
    memset(d, 0, offsetof(struct digester, blocks));
    d->clock = clock;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    *ret = d;
    return 0;
}

int digester_start(struct digester *d, struct err *reterr)
{
    int rc = pthread_create(&d->thread, NULL, work, d);

    if (rc != 0)
        return err_set(reterr, -rc, "cannot start the thread that digests inputs: %s", strerror(rc));
    d->running = true;
    return 0;
}

static void add_block(struct digester *d, struct digest *digest, const void *bytes, size_t n)
{
    pthread_mutex_lock(&d->lock);
    while (d->n_added - d->n_done == BLOCKS)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);

    struct block *b = &d->blocks[d->n_added % BLOCKS]; /* only the reader changes n_added */
    b->digest = digest;
    b->n = n;
    memcpy(b->bytes, bytes, n);
    pthread_mutex_lock(&d->lock);
    d->n_added++;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

void digester_add(struct digester *d, struct digest *digest, const void *bytes, size_t n)
{
    if (!d->running) {
        digest_update(digest, bytes, n);
        return;
    }
    for (size_t at = 0; at < n; at += BLOCK_SIZE)
        add_block(d, digest, (const uint8_t *)bytes + at, n - at < BLOCK_SIZE ? n - at : BLOCK_SIZE);
}

void digester_finish(struct digester *d)
{
    if (!d->running)
        return;
    pthread_mutex_lock(&d->lock);
    d->over = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    d->running = false;
}

int64_t digester_ns(const struct digester *d)
{
    return d->ns;
}

void digester_free(struct digester *d)
{
    if (d == NULL)
        return;
    digester_finish(d);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
