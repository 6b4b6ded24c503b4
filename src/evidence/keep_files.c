/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_OF_A_SECOND 10000

char *keep_files_name(const char *folder, int64_t at_ns)
{
    char      stamp[32] = "";
    time_t    at = (time_t)(at_ns / 1000000000);
    struct tm tm;
    char     *path = NULL;

    if (gmtime_r(&at, &tm) != NULL)
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    for (unsigned n = 1; n < MOST_OF_A_SECOND; n++) {
        free(path);
        if (asprintf(&path, "%s/evidence-%s-%u.pcapng", folder, stamp, n) < 0)
            return NULL;
        if (access(path, F_OK) != 0)
            break;
    }
    return path;
}

int keep_files_digest(const char *path, char ret[static DIGEST_TEXT_SIZE], uint64_t *ret_bytes, struct err *reterr)
{
    struct stat st;
    int         fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        int code = -errno;

        if (fd >= 0)
            close(fd);
        return err_set(reterr, code, "%s: cannot be read: %s", path, strerror(-code));
    }
    *ret_bytes = (uint64_t)st.st_size;
    int rc = digest_file(fd, ret, reterr);
    close(fd);
    if (rc != 0)
        err_prefix(reterr, "%s: ", path);
    return rc;
}

/* Those that a run left unfinished when it died are among them. */
static int is_ours(const struct dirent *d)
{
    return strncmp(d->d_name, "evidence-", 9) == 0 && strstr(d->d_name, "Z-") != NULL && strstr(d->d_name, ".pcapng") != NULL;
}

/* As the times follow each other, not as a locale has it. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static uint64_t size_in(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

unsigned keep_files_trim(const char *folder, uint64_t max_bytes, const char *latest)
{
    struct dirent **names = NULL;
    const char     *slash = strrchr(latest, '/');
    int             fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = fd >= 0 ? scandir(folder, &names, is_ours, by_name) : 0;
    uint64_t        sum = 0;
    unsigned        n_removed = 0;

    for (int i = 0; i < n; i++)
        sum += size_in(fd, names[i]->d_name);
    for (int i = 0; i < n; i++) {
        uint64_t size = size_in(fd, names[i]->d_name);

        if (sum > max_bytes && strcmp(names[i]->d_name, slash != NULL ? slash + 1 : latest) != 0 && unlinkat(fd, names[i]->d_name, 0) == 0) {
            sum -= size < sum ? size : sum;
            n_removed++;
        }
        free(names[i]);
    }
    free(names);
    if (fd >= 0)
        close(fd);
    return n_removed;
}
