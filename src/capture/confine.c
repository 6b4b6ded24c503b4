/* SPDX-License-Identifier: Apache-2.0 */
#include "flowaudit/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#ifdef HAVE_CAPNG
#include <cap-ng.h>
#endif

#include "confine-private.h"

bool confine_is_wide(void)
{
    return CONFINE_WIDE;
}

/* 'user' as name, or as a number that need not have a name. */
static int find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *reterr)
{
    char *end;
    unsigned long number = strtoul(user, &end, 10);
    bool is_number = *user >= '0' && *user <= '9' && *end == '\0' && number < UINT32_MAX;
    const struct passwd *entry = is_number ? getpwuid((uid_t)number) : getpwnam(user);

    if (entry == NULL && !is_number)
        return err_set(reterr, -ENOENT, "no user '%s' to become: 'adduser --system --group %s' makes one", user, user);
    *ret_uid = entry != NULL ? entry->pw_uid : (uid_t)number;
    *ret_gid = entry != NULL ? entry->pw_gid : (gid_t)number;
    return 0;
}

#ifdef HAVE_CAPNG

static int drop_capabilities(bool keep_files, struct err *reterr)
{
    capng_clear(CAPNG_SELECT_CAPS);
    if (keep_files)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return err_set(reterr, -EPERM, "the capabilities cannot be given up");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    capng_get_caps_process();
    if (!keep_files && capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
        return err_set(reterr, -EPERM, "capabilities are left after they were given up");
    return 0;
}

static int change_user(const char *user, struct err *reterr)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    int rc = find_user(user, &uid, &gid, reterr);

    if (rc != 0 || (uid == getuid() && uid == geteuid()))
        return rc;
    capng_clear(CAPNG_SELECT_BOTH);
    rc = capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (rc != 0 || getuid() != uid || geteuid() != uid || getegid() != gid)
        return err_set(reterr, -EPERM, "cannot become user '%s' (%s)%s", user, strerror(errno),
                       geteuid() != 0 ? ": only root becomes another user" : "");
    return 0;
}

int confine_become(const char *user, bool keep_files, struct err *reterr)
{
    int rc;

    if (capng_get_caps_process() != 0)
        return err_set(reterr, -EPERM, "the capabilities of the process cannot be read");
    rc = user != NULL ? change_user(user, reterr) : 0;
    /* Root that stays root needs none of its groups; where the system keeps them (a user namespace), they are no more than it had. */
    if (rc == 0 && geteuid() == 0 && setgroups(0, NULL) != 0 && errno != EPERM)
        rc = err_set(reterr, -errno, "the supplementary groups cannot be given up: %s", strerror(errno));
    if (rc == 0)
        rc = drop_capabilities(keep_files && geteuid() == 0, reterr);
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        rc = err_set(reterr, -errno, "new rights cannot be ruled out: %s", strerror(errno));
    return rc;
}

#else

int confine_become(const char *user, bool keep_files, struct err *reterr)
{
    uid_t uid = 0;
    gid_t gid = 0;
    int rc = user != NULL ? find_user(user, &uid, &gid, reterr) : 0;

    (void)keep_files;
    if (rc == 0 && user != NULL && uid != geteuid())
        return err_set(reterr, -ENOTSUP, "cannot become user '%s': built without libcap-ng", user);
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        rc = err_set(reterr, -errno, "new rights cannot be ruled out: %s", strerror(errno));
    return rc;
}

#endif

int confine_lock(const struct confine_options *o, struct confine_result *ret, struct err *reterr)
{
    struct confine_result result = {0};
    int rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                 ? err_set(reterr, -errno, "new rights cannot be ruled out: %s", strerror(errno))
                 : landlock_apply(o, &result.landlock_abi, reterr);

    if (rc == 0)
        rc = seccomp_apply(o, &result.has_seccomp, reterr);
    if (rc != 0)
        return rc;
    snprintf(result.missing, sizeof(result.missing), "%s%s%s",
             result.landlock_abi == 0 ? "the kernel has no Landlock, which would confine the program to its folders" : "",
             result.landlock_abi == 0 && !result.has_seccomp ? "; " : "",
             result.has_seccomp ? "" : "no seccomp in this build or kernel, which would confine it to the system calls that it needs");
    *ret = result;
    return 0;
}
