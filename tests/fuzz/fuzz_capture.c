/* SPDX-License-Identifier: Apache-2.0 */
/* A capture file, in any of the forms: two bytes for the size of blocks, then the file. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowaudit/capture.h"

#define BATCH 16
#define MAX_PACKETS 20000 /* a few bytes of gzip can hold a million */

/* Every byte of every frame can be read, until the next batch. */
static void read_all(struct capture *c)
{
    struct frame frames[BATCH];
    uint64_t     n_read = 0;
    int          n;

    while (n_read < MAX_PACKETS && (n = capture_next_batch(c, frames, BATCH, NULL)) > 0) {
        unsigned sum = 0;

        for (int i = 0; i < n; i++) {
            fuzz_must(frames[i].number == ++n_read && frames[i].caplen <= frames[i].wirelen);
            for (uint32_t k = 0; k < frames[i].caplen; k++)
                sum += frames[i].data[k];
        }
        fuzz_must(sum != 1u << 31);
    }
    struct capture_stats stats;
    capture_stats(c, &stats);
    fuzz_must(stats.n_packets >= n_read && stats.n_linktypes <= 16);
    fuzz_must(memchr(stats.damage, '\0', sizeof(stats.damage)) != NULL && stats.damaged == (stats.damage[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz            in = {data, size};
    struct capture_options o = {.block_size = fuzz_u16(&in)};
    struct capture        *c;
    struct err             err = {0};
    char                   path[64];
    int64_t                ns;
    int                    fd = fuzz_file(in.data, in.size, path);

    if (capture_open_file(path, &o, &c, &err) == 0) {
        if (o.block_size % 2 != 0)
            (void)capture_peek_time(c, &ns, NULL);
        read_all(c);
        capture_free(c);
    } else {
        fuzz_must(err.code < 0 && err.msg[0] != '\0');
    }
    close(fd);
    return 0;
}
