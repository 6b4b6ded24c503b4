/* SPDX-License-Identifier: Apache-2.0 */
/* The captures themselves against the digests in the record.  Names in the record are a stranger's: only their last part is
 * looked for, in the one folder that the user named, and only regular files are opened. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store-private.h"
#include "verify.h"

/* 1 = read, 0 = no such regular file (or not of this size, where one is given), negative = failed. */
static int digest_named(int folder, const char *name, int64_t size, char ret[static DIGEST_TEXT_SIZE], struct err *reterr)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : err_set(reterr, -errno, "cannot be read: %s", strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (size >= 0 && st.st_size != size)) {
        close(fd);
        return 0;
    }
    int rc = digest_file(fd, ret, reterr);
    close(fd);
    return rc == 0 ? 1 : rc;
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

/* A file of the right size and digest under another name: 1 = found, its name in 'ret'. */
static int find_renamed(int folder, int64_t size, const char *want, char *ret, size_t ret_size, struct err *reterr)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

    if (dir == NULL) {
        found = err_set(reterr, -errno, "cannot list the folder of inputs: %s", strerror(errno));
        if (copy >= 0)
            close(copy);
        return found;
    }
    for (struct dirent *e; found == 0 && (e = readdir(dir)) != NULL;) {
        char have[DIGEST_TEXT_SIZE];
        struct err ignored = {0};

        if (digest_named(folder, e->d_name, size, have, &ignored) == 1 && strcmp(have, want) == 0) {
            snprintf(ret, ret_size, "%s", e->d_name);
            found = 1;
        }
    }
    closedir(dir);
    return found;
}

static int verify_input(struct verify *v, int folder, sqlite3_stmt *stmt, struct err *reterr)
{
    int64_t run_id = sqlite3_column_int64(stmt, 0), size = sqlite3_column_int64(stmt, 3);
    const char *name = last_part(verify_cell(stmt, 1)), *want = verify_cell(stmt, 2);
    char have[DIGEST_TEXT_SIZE], other[256];
    struct err why = {0};
    int rc = 0, found;

    if (want[0] == '\0') {
        verify_tell(v, SEAL_UNKNOWN, run_id, "input %.200s: the record has no digest of it", name);
        return 0;
    }
    if (name[0] != '\0')
        rc = digest_named(folder, name, -1, have, &why);
    if (rc == 1 && strcmp(have, want) == 0) {
        verify_tell(v, SEAL_HOLDS, run_id, "input %.200s has its digest", name);
        return 0;
    }
    found = find_renamed(folder, size, want, other, sizeof(other), reterr);
    if (found < 0)
        return found;
    if (found == 1)
        verify_tell(v, SEAL_HOLDS, run_id, "input %.200s has its digest, as %.200s", name, other);
    else if (rc == 1)
        verify_tell(v, SEAL_ALTERED, run_id, "input %.200s has digest %s, recorded is %.80s", name, have, want);
    else if (rc < 0)
        verify_tell(v, SEAL_UNKNOWN, run_id, "input %.200s %.200s", name, why.msg);
    else
        verify_tell(v, SEAL_UNKNOWN, run_id, "input %.200s is not in the folder", name);
    return 0;
}

int seal_verify_inputs(struct reader *r, const char *path, seal_tell_fn *tell, void *aux, struct err *reterr)
{
    struct verify v = {.db = reader_connection(r), .tell = tell, .aux = aux};
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), more = 0, rc;
    sqlite3_stmt *stmt = NULL;

    if (folder < 0)
        return err_set(reterr, -errno, "%s: %s", path, strerror(errno));
    rc = verify_query(&v, "SELECT run_id, name, sha256, bytes FROM input ORDER BY run_id, input_id", 0, 0, &stmt, reterr);
    while (rc == 0 && (more = verify_step(&v, stmt, reterr)) != 0)
        rc = more < 0 ? more : verify_input(&v, folder, stmt, reterr);
    sqlite3_finalize(stmt);
    close(folder);
    return rc;
}
