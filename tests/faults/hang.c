/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into flowaudit: a libndpi that does not return from a packet that says "hold me". */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <ndpi_api.h>

#define CALL ndpi_detection_process_packet

ndpi_protocol CALL(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow, const unsigned char *packet,
                   const unsigned short size, const u_int64_t time_ms)
{
    static const char word[] = "hold me";
    static __typeof__(CALL) *real;
    volatile int             held = memmem(packet, size, word, sizeof(word) - 1) != NULL;

    while (held)
        ;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ndpi_detection_process_packet");
    if (real == NULL)
        abort();
    return real(module, flow, packet, size, time_ms);
}
