/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of a record in which cells were changed.  Input: which reports (one byte), changes as record_change() takes them. */
#include "fuzz.h"
#include "fuzz_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz    in = {data, size};
    size_t         n;
    const uint8_t *bytes = record_bytes(&n);
    const char    *path = record_write(bytes, n);
    unsigned       which = fuzz_u8(&in);

    record_change(path, &in);
    record_report(path, which);
    return 0;
}
