/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every suite, or with the argument K/N the Kth of N parts of them, so that each core has its own under the sanitizers;
 * forks for each test (libcheck's default), so that a leak or a crash fails that test alone. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

#define X(name) Suite *suite_##name(void);
SUITES(X)
#undef X

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    unsigned part = 1, n_parts = 1, i = 0;

    if (argc > 1 && (sscanf(argv[1], "%u/%u", &part, &n_parts) != 2 || part == 0 || part > n_parts)) {
        fprintf(stderr, "usage: check_all [K/N]\n");
        return EXIT_FAILURE;
    }
#define X(name) \
    if (i++ % n_parts == part - 1) \
        srunner_add_suite(runner, suite_##name());
    SUITES(X)
#undef X
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
