/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: taking values from the front of the input, and files in memory. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    const uint8_t *data;
    size_t         size;
};

uint8_t  fuzz_u8(struct fuzz *); /* 0 where nothing is left */
uint16_t fuzz_u16(struct fuzz *);
uint32_t fuzz_u32(struct fuzz *);
/* So many bytes, or what is left, as memory of its own, so that a sanitizer sees every step past the end. */
uint8_t *fuzz_copy(struct fuzz *, size_t n, size_t *ret_n);
void     fuzz_must(int condition); /* aborts: what must hold whatever the input */

/* A file that holds these bytes; 'path' gets its name.  The same file each time: to be closed before the next. */
int  fuzz_file(const void *data, size_t size, char path[static 64]);

#endif
