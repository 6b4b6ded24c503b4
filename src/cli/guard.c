/* SPDX-License-Identifier: Apache-2.0 */
/* What libndpi may do to us: it does not survive an allocation that fails, and a packet may hold it for ever.  Either way the run ends
 * in order, and its record is not complete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "flowaudit/classify.h"
#include "flowaudit/engine.h"

/* Other threads may hold the locks of stdio. */
static void end_with(const char *message)
{
    for (size_t len = strlen(message); len > 0;) {
        ssize_t n = write(STDERR_FILENO, message, len);

        if (n <= 0)
            break;
        message += n;
        len -= (size_t)n;
    }
    _exit(EXIT_INCOMPLETE);
}

static void *allocate_or_end(size_t size)
{
    void *p = malloc(size);

    if (p == NULL)
        end_with("flowaudit: no memory for the classification of flows; the run is not complete\n");
    return p;
}

static void end_stuck(void *aux, const char *input, uint64_t packet)
{
    char message[1024];

    (void)aux;
    snprintf(message, sizeof(message), "flowaudit: %s: packet %llu held the classification of flows for too long; the run is not complete\n",
             input, (unsigned long long)packet);
    end_with(message);
}

void guard_engine(struct engine_options *options)
{
    classify_set_allocator(allocate_or_end, free);
    options->stuck = end_stuck;
}

/* Those who look for leaks look at all that is there at the end. */
bool leaves_memory(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(leak_sanitizer)
    return false;
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
    return false;
#endif
    return true;
}
