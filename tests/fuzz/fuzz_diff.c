/* SPDX-License-Identifier: Apache-2.0 */
/* Two records compared, in each of which cells were changed.  Input: how many bytes of changes are the first one's (one byte), what is written (one
 * byte: bits for text, JSON, and HTML with the differences; 128: the second is compared to itself), changes. */
#include <stdio.h>
#include <stdlib.h>

#include "flowaudit/report.h"
#include "fuzz.h"
#include "fuzz_record.h"

static void write_diff(const struct report_diff *diff, struct report *newer, unsigned which)
{
    static const enum report_format formats[] = {REPORT_TEXT, REPORT_JSON, REPORT_HTML};

    for (unsigned i = 0; i < 3; i++) {
        struct report_query q = {.verbose = which & 8, .diff = i == 2 ? diff : NULL};
        struct err          err = {0};
        char               *text = NULL;
        size_t              size = 0;

        if ((which >> i & 1) == 0)
            continue;
        FILE *out = open_memstream(&text, &size);
        fuzz_must(out != NULL);
        int rc = i == 2 ? report_write(newer, REPORT_HTML, &q, out, &err) : report_diff_write(diff, formats[i], &q, out, &err);
        fclose(out);
        fuzz_must(rc == 0 || err.msg[0] != '\0');
        if (rc == 0 && i == 0)
            record_check_text(text, size);
        free(text);
    }
}

static void compare(struct report *older, struct report *newer, unsigned which)
{
    struct report_diff *diff;
    struct err          err = {0};

    if (report_diff_new(which & 128 ? newer : older, 0, newer, 0, &diff, &err) != 0) {
        fuzz_must(err.msg[0] != '\0');
        return;
    }
    if (which & 128)
        fuzz_must(report_diff_same(diff));
    write_diff(diff, newer, which);
    report_diff_free(diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz    in = {data, size};
    size_t         n, n_first = fuzz_u8(&in);
    const uint8_t *bytes = record_bytes(&n);
    unsigned       which = fuzz_u8(&in);
    struct fuzz    first = {in.data, n_first < in.size ? n_first : in.size}, second = {in.data + first.size, in.size - first.size};
    const char    *paths[2] = {record_write_as(RECORD_FIRST, bytes, n), record_write_as(RECORD_SECOND, bytes, n)};
    struct report *older = NULL, *newer = NULL;
    struct err     err = {0};

    record_change(paths[0], &first);
    record_change(paths[1], &second);
    if (report_open(paths[0], &older, &err) == 0 && report_open(paths[1], &newer, &err) == 0)
        compare(older, newer, which);
    if (older != NULL)
        report_free(older);
    if (newer != NULL)
        report_free(newer);
    return 0;
}
