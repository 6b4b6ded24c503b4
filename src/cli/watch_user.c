/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_user.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define PACKAGED_USER "flowaudit"

/* By owner, group and mode: access lists are not looked at. */
static bool may(const struct stat *st, uid_t uid, gid_t gid, mode_t rights)
{
    mode_t mode = st->st_uid == uid ? st->st_mode >> 6 : st->st_gid == gid ? st->st_mode >> 3 : st->st_mode;

    return (mode & rights) == rights;
}

static bool may_write(const char *db, const struct stat *folder, uid_t uid, gid_t gid)
{
    struct stat st;

    return may(folder, uid, gid, 3) && (stat(db, &st) != 0 || may(&st, uid, gid, 6));
}

const char *watch_user(const char *db, char *buf, size_t size)
{
    char                *folder = geteuid() == 0 ? path_folder(db) : NULL;
    const struct passwd *packaged = getpwnam(PACKAGED_USER);
    struct stat          st;
    const char          *user = NULL;

    if (folder != NULL && stat(folder, &st) == 0) {
        if (packaged != NULL && may_write(db, &st, packaged->pw_uid, packaged->pw_gid)) {
            user = PACKAGED_USER;
        } else if (st.st_uid != 0 && may_write(db, &st, st.st_uid, st.st_gid)) {
            snprintf(buf, size, "%lu", (unsigned long)st.st_uid);
            user = buf;
        }
    }
    free(folder);
    return user;
}
