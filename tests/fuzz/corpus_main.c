/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and folders of files: the corpora as a test, with any compiler. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS_EACH 20 /* an input that takes longer, even under a sanitizer, is a fault: SIGALRM */

static size_t n_run;
static char   now[4096];

static void on_alarm(int signal)
{
    static const char message[] = ": no end\n";

    (void)signal;
    if (write(STDERR_FILENO, now, strlen(now)) > 0 && write(STDERR_FILENO, message, sizeof(message) - 1) > 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

static void run_file(const char *path, size_t size)
{
    FILE    *f = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? size : 1);

    if (f == NULL || data == NULL || fread(data, 1, size, f) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(f);
    snprintf(now, sizeof(now), "%s", path);
    alarm(SECONDS_EACH);
    LLVMFuzzerTestOneInput(data, size);
    alarm(0);
    free(data);
    n_run++;
}

static void run_path(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path, (size_t)st.st_size);
        return;
    }
    struct dirent **names;
    int             n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char child[4096];

        snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            run_path(child);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    signal(SIGALRM, on_alarm);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%zu inputs\n", n_run);
    return n_run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
