/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose file is it?  Decided from the header's bytes before SQLite sees the file: opening a stranger's database can
 * replay its journal, and a refused file must stay as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowaudit/store.h"
#include "store-private.h"

#define HEADER_SIZE 100 /* of an SQLite file; user_version is at 60, application_id at 68, big-endian */

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int inspect_header(const unsigned char *header, int *ret_version, struct err *reterr)
{
    if (memcmp(header, "SQLite format 3", 16) != 0)
        return err_set(reterr, -EINVAL, "is not a flowaudit database (not SQLite at all)");
    if (big_endian(header + 68) != STORE_APPLICATION_ID)
        return err_set(reterr, -EINVAL, "is not a flowaudit database (another program's SQLite file)");

    uint32_t version = big_endian(header + 60);
    if (version > STORE_SCHEMA_VERSION)
        return err_set(reterr, -EINVAL,
                       "has schema version %u, made by a newer flowaudit; this one knows versions up to %d", version,
                       STORE_SCHEMA_VERSION);
    if (version == 0)
        return err_set(reterr, -EINVAL, "is a damaged flowaudit database (no schema version)");
    *ret_version = (int)version;
    return 0;
}

static int inspect_open(int fd, int *ret_version, struct err *reterr)
{
    struct stat st;
    unsigned char header[HEADER_SIZE];

    if (fstat(fd, &st) != 0)
        return err_set(reterr, -errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(reterr, -EINVAL, "is %s, not a file", S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
    if (st.st_size == 0)
        return 1;

    ssize_t n = pread(fd, header, sizeof(header), 0);
    if (n < 0)
        return err_set(reterr, -errno, "%s", strerror(errno));
    if (n < HEADER_SIZE)
        return err_set(reterr, -EINVAL, "is not a flowaudit database (not SQLite at all)");
    return inspect_header(header, ret_version, reterr);
}

int file_inspect(const char *path, int *ret_version, struct err *reterr)
{
    if (path[0] == '\0')
        return err_set(reterr, -EINVAL, "the name of the database is empty");

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 1;
    int rc = fd < 0 ? err_set(reterr, -errno, "%s", strerror(errno)) : inspect_open(fd, ret_version, reterr);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        err_prefix(reterr, "%s: ", path);
    return rc;
}

char *file_sqlite_name(const char *path)
{
    size_t len = strlen(path);
    char *name = malloc(len + 3);

    if (name != NULL)
        snprintf(name, len + 3, "%s%s", path[0] == '/' ? "" : "./", path);
    return name;
}

static int errno_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_INTERRUPT:
        return -ETIME;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    default:
        return -EIO;
    }
}

int store_sql_error(sqlite3 *db, const char *what, struct err *reterr)
{
    int rc = db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    int system = db != NULL ? sqlite3_system_errno(db) : 0;

    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) /* the failure was ours, and can only be this */
        return err_set(reterr, -ENOMEM, "%s: out of memory", what);
    if (errno_of(rc) == -EBUSY)
        return err_set(reterr, -EBUSY, "%s: another program is writing to it", what);
    if (errno_of(rc) == -EACCES && system != 0)
        return err_set(reterr, -EACCES, "%s: %s", what, strerror(system));
    return err_set(reterr, errno_of(rc), "%s: %s", what, db != NULL ? sqlite3_errmsg(db) : "out of memory");
}
