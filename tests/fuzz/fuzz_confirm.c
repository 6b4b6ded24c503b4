/* SPDX-License-Identifier: Apache-2.0 */
/* One payload through every confirmer.  Input: flags (one byte), ports (two each), bytes on the wire beyond (two), the payload. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/classify/confirm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz          in = {data, size};
    uint8_t              flags = fuzz_u8(&in);
    struct confirm_input input = {.udp = flags & 1, .first = flags & 2, .sport = fuzz_u16(&in), .dport = fuzz_u16(&in)};
    struct confirm_rtp   rtp = {0};
    size_t               beyond = fuzz_u16(&in), n;
    uint8_t             *copy = fuzz_copy(&in, SIZE_MAX, &n);

    if (n > 0) {
        input.data = copy;
        input.len = n;
        input.wire_len = n + beyond;
        for (size_t i = 0; i < n_confirmers; i++) {
            const char *detail = "";

            if ((confirmers[i].transports & (input.udp ? CONFIRM_UDP : CONFIRM_TCP)) == 0)
                continue;
            enum confirm_answer answer = confirmers[i].fn(&input, &detail);
            fuzz_must(answer <= CONFIRM_RESPONSE && detail != NULL && strlen(detail) < 64);
            fuzz_must(answer == CONFIRM_NO || confirmer_knows_first(&confirmers[i], copy[0]));
        }
        for (int i = 0; i < 3; i++)
            (void)confirm_rtp(&rtp, copy, n);
    }
    free(copy);
    return 0;
}
