/* SPDX-License-Identifier: Apache-2.0 */
/* Two records joined, in each of which cells were changed.  Input: how many bytes of changes are the first one's (one byte), changes as record_change()
 * takes them.  What comes of it is a record that can be reported, or nothing and a sentence. */
#include <unistd.h>

#include "flowaudit/reader.h"
#include "flowaudit/store.h"
#include "fuzz.h"
#include "fuzz_record.h"

static int64_t last_run(struct reader *reader)
{
    int64_t run = 0;

    return reader_number(reader, "SELECT max(run_id) FROM runs", NULL, 0, &run, NULL) == 0 ? run : 0;
}

static void merge(struct reader *readers[static 2])
{
    const char          *path = record_path(RECORD_JOINED);
    struct store_source  sources[2] = {{readers[0], "one", last_run(readers[0])}, {readers[1], "two", last_run(readers[1])}};
    struct store_run     run = {.started_ns = 1, .command = "merge", .version = "0", .options_json = "{}"};
    struct store        *store;
    struct err           err = {0};
    int64_t              id;

    fuzz_must(store_open(path, &store, &err) == 0 && store_begin_run(store, &run, &id, &err) == 0);
    int rc = store_merge(store, sources, 2, &err);
    if (rc == 0)
        rc = store_end_run(store, 2, true, &err);
    store_close(store);
    fuzz_must(rc == 0 || err.msg[0] != '\0');
    record_report(path, 1 << 1 | 1 << 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz    in = {data, size};
    size_t         n, n_first = fuzz_u8(&in);
    const uint8_t *bytes = record_bytes(&n);
    struct fuzz    first = {in.data, n_first < in.size ? n_first : in.size}, second = {in.data + first.size, in.size - first.size};
    const char    *paths[2] = {record_write_as(RECORD_FIRST, bytes, n), record_write_as(RECORD_SECOND, bytes, n)};
    struct reader *readers[2] = {NULL, NULL};

    record_change(paths[0], &first);
    record_change(paths[1], &second);
    if (reader_open(paths[0], &readers[0], NULL) == 0 && reader_open(paths[1], &readers[1], NULL) == 0)
        merge(readers);
    for (unsigned i = 0; i < 2; i++)
        if (readers[i] != NULL)
            reader_free(readers[i]);
    return 0;
}
