/* SPDX-License-Identifier: Apache-2.0 */
/* A record whose bytes were changed: read, and written to.  Input: the size to cut it to (four bytes; 0: none), then changes {offset (four
 * bytes), length (one), bytes}. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "flowaudit/store.h"
#include "fuzz_record.h"

static void append(const char *path)
{
    struct store    *store;
    struct store_run run = {.started_ns = 1, .command = "check", .version = "0", .options_json = "{}"};
    struct err       err = {0};
    int64_t          id;

    if (store_open(path, &store, &err) != 0) {
        fuzz_must(err.msg[0] != '\0');
        return;
    }
    int rc = store_begin_run(store, &run, &id, &err);
    if (rc == 0)
        rc = store_put_host(store, &(struct store_host){.address = "10.0.0.1", .name = "a", .packets = 1}, &err);
    if (rc == 0)
        rc = store_end_run(store, 2, true, &err);
    fuzz_must(rc == 0 || err.msg[0] != '\0');
    store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz    in = {data, size};
    size_t         n, len;
    const uint8_t *base = record_bytes(&n);
    uint8_t       *bytes = malloc(n);
    uint32_t       cut = fuzz_u32(&in);

    fuzz_must(bytes != NULL);
    memcpy(bytes, base, n);
    while (in.size > 5) {
        size_t   at = fuzz_u32(&in) % n;
        uint8_t *patch = fuzz_copy(&in, fuzz_u8(&in), &len);

        memcpy(bytes + at, patch, len < n - at ? len : n - at);
        free(patch);
    }
    const char *path = record_write(bytes, cut % n != 0 ? cut % n : n);
    record_report(path, 1 << 1 | 1 << 3);
    append(path);
    record_report(path, 1 << 1 | 1 << 3);
    free(bytes);
    return 0;
}
