/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowaudit/report.h"
#include "fuzz.h"
#include "unit/report/incident.h"

static char work_path[64];

static void clean(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char                     path[96];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", work_path, suffixes[i]);
        unlink(path);
    }
}

const uint8_t *record_bytes(size_t *ret_size)
{
    static uint8_t *bytes;
    static size_t   size;

    if (bytes == NULL) {
        snprintf(work_path, sizeof(work_path), "/dev/shm/flowaudit-fuzz-%d.db", (int)getpid());
        clean();
        incident_write(work_path);
        FILE *f = fopen(work_path, "rb");
        fuzz_must(f != NULL && fseek(f, 0, SEEK_END) == 0);
        size = (size_t)ftell(f);
        rewind(f);
        bytes = malloc(size);
        fuzz_must(bytes != NULL && fread(bytes, 1, size, f) == size);
        fclose(f);
        atexit(clean);
    }
    *ret_size = size;
    return bytes;
}

const char *record_write(const uint8_t *bytes, size_t size)
{
    clean();
    int fd = open(work_path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    fuzz_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    return work_path;
}

static void check_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fuzz_must((unsigned char)text[i] >= 0x20 ? text[i] != 0x7f : text[i] == '\n');
}

void record_report(const char *path, unsigned which)
{
    static const enum report_format formats[] = {REPORT_TEXT, REPORT_TEXT, REPORT_CSV, REPORT_JSON, REPORT_NDJSON, REPORT_HTML};
    struct report                  *r;
    struct err                      err = {0};

    if (report_open(path, &r, &err) != 0) {
        fuzz_must(err.msg[0] != '\0');
        return;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct report_query q = {.brief = i == 0, .verbose = i == 1};
        char               *text = NULL;
        size_t              size = 0;
        FILE               *out;

        if ((which >> i & 1) == 0)
            continue;
        out = open_memstream(&text, &size);
        fuzz_must(out != NULL);
        int rc = report_write(r, formats[i], &q, out, &err);
        fclose(out);
        if (rc == 0 && formats[i] == REPORT_TEXT)
            check_text(text, size);
        free(text);
    }
    report_free(r);
}
