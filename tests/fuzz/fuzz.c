/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t fuzz_u8(struct fuzz *f)
{
    if (f->size == 0)
        return 0;
    f->size--;
    return *f->data++;
}

uint16_t fuzz_u16(struct fuzz *f)
{
    uint16_t high = fuzz_u8(f);

    return (uint16_t)(high << 8 | fuzz_u8(f));
}

uint32_t fuzz_u32(struct fuzz *f)
{
    uint32_t high = fuzz_u16(f);

    return high << 16 | fuzz_u16(f);
}

uint8_t *fuzz_copy(struct fuzz *f, size_t n, size_t *ret_n)
{
    n = n < f->size ? n : f->size;
    uint8_t *copy = malloc(n > 0 ? n : 1);
    fuzz_must(copy != NULL);
    if (n > 0)
        memcpy(copy, f->data, n);
    f->data += n;
    f->size -= n;
    *ret_n = n;
    return copy;
}

void fuzz_must(int condition)
{
    if (!condition)
        abort();
}

int fuzz_file(const void *data, size_t size, char path[static 64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    fuzz_must(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}
