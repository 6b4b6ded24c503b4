/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every suite; forks for each test (libcheck's default), so that a leak or a crash fails that test alone. */
#include <check.h>
#include <stdlib.h>

#include "suites.h"

#define X(name) Suite *suite_##name(void);
SUITES(X)
#undef X

int main(void)
{
    SRunner *runner = srunner_create(NULL);

#define X(name) srunner_add_suite(runner, suite_##name());
    SUITES(X)
#undef X
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
