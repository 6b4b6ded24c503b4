/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock, through its system calls: glibc has no wrappers (landlock(7)).  Rights that the headers of this build do not
 * know yet have their numbers here, so that a newer kernel enforces them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine-private.h"

#define FS_ABI_1 ((UINT64_C(1) << 13) - 1) /* execute .. make_sym */
#define FS_REFER (UINT64_C(1) << 13)       /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)    /* ABI 3 */
#define NET_TCP UINT64_C(3)                /* ABI 4: bind and connect */
#define FS_IOCTL_DEV (UINT64_C(1) << 15)   /* ABI 5 */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                                       \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |          \
     FS_REFER | FS_TRUNCATE)
#define FS_OF_A_FILE                                                                                                   \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | LANDLOCK_ACCESS_FS_EXECUTE)

struct ruleset {
    int fd;
    struct {
        uint64_t fs, net;
    } handled;
};

static int allow(const struct ruleset *r, const char *path, uint64_t access, bool must_exist, struct err *reterr)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access & r->handled.fs};
    struct stat st;
    int rc = 0;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return must_exist ? err_set(reterr, -errno, "%s: %s", path, strerror(errno)) : 0;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= FS_OF_A_FILE;
    /* EBADFD: a pipe behind /dev/fd, which lies in no folder, and is read by the descriptor that is open. */
    if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0 && (must_exist || errno != EBADFD))
        rc = err_set(reterr, -errno, "%s: cannot be left open to the program: %s", path, strerror(errno));
    close(rule.parent_fd);
    return rc;
}

static int fill(const struct ruleset *r, const struct confine_options *o, struct err *reterr)
{
    int rc = allow(r, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE, false, reterr); /* SQLite's temporary names */

    if (rc == 0 && CONFINE_WIDE)
        rc = allow(r, "/", FS_READ | LANDLOCK_ACCESS_FS_EXECUTE, true, reterr);
    for (size_t i = 0; rc == 0 && i < o->n_read_paths; i++)
        rc = allow(r, o->read_paths[i], FS_READ, false, reterr);
    for (size_t i = 0; rc == 0 && i < o->n_write_folders; i++)
        rc = allow(r, o->write_folders[i], FS_WRITE, true, reterr);
    return rc;
}

int landlock_apply(const struct confine_options *o, int *ret_abi, struct err *reterr)
{
    struct ruleset r = {.handled = {.fs = FS_ABI_1}};
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1) { /* not built in, or switched off */
        *ret_abi = 0;
        return 0;
    }
    if (abi >= 2)
        r.handled.fs |= FS_REFER;
    if (abi >= 3)
        r.handled.fs |= FS_TRUNCATE;
    if (abi >= 4)
        r.handled.net = NET_TCP;
    if (abi >= 5)
        r.handled.fs |= FS_IOCTL_DEV;
    r.fd = (int)syscall(SYS_landlock_create_ruleset, &r.handled, abi >= 4 ? sizeof(r.handled) : sizeof(r.handled.fs), 0);
    if (r.fd < 0)
        return err_set(reterr, -errno, "Landlock refuses its rules: %s", strerror(errno));
    int rc = fill(&r, o, reterr);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, r.fd, 0) != 0)
        rc = err_set(reterr, -errno, "Landlock cannot be put in force: %s", strerror(errno));
    close(r.fd);
    if (rc == 0)
        *ret_abi = abi;
    return rc;
}
