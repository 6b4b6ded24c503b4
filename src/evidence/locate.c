/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs are known by their digest: a file is the one that was judged if its bytes are, wherever it lies now. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence-private.h"

/* 1: it is; 0: it is not, or is not there. */
static int is_input(const struct evidence_input *in, const char *path, struct err *reterr)
{
    char sha256[DIGEST_TEXT_SIZE] = "";
    struct stat st;
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return 0;
    bool same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == in->bytes;
    if (same && in->sha256[0] != '\0') {
        rc = digest_file(fd, sha256, reterr);
        same = strcmp(sha256, in->sha256) == 0;
    }
    close(fd);
    if (rc < 0) {
        err_prefix(reterr, "%s: ", path);
        return rc;
    }
    return same;
}

static char *in_folder(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* Takes 'path' over. */
static int try_path(const struct evidence_input *in, char *path, char **ret, struct err *reterr)
{
    if (path == NULL)
        return err_set(reterr, -ENOMEM, "no memory for a path");
    int rc = is_input(in, path, reterr);
    if (rc == 1)
        *ret = path;
    else
        free(path);
    return rc;
}

static int look_through(const struct evidence_input *in, const char *folder, char **ret, struct err *reterr)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL)
        return err_set(reterr, -errno, "%s: cannot be looked through: %s", folder, strerror(errno));
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        rc = try_path(in, in_folder(folder, entry->d_name), ret, reterr);
    closedir(dir);
    return rc;
}

int locate_input(const struct evidence_request *r, const struct evidence_input *in, char **ret, struct err *reterr)
{
    const bool named = strcmp(in->name, "-") != 0;
    int rc = 0;

    if (in->path != NULL && named)
        rc = try_path(in, strdup(in->path), ret, reterr);
    if (rc == 0 && named && r->from != NULL)
        rc = try_path(in, in_folder(r->from, in->name), ret, reterr);
    if (rc == 0 && r->from != NULL && in->sha256[0] != '\0') /* by the digest alone: not where there is none */
        rc = look_through(in, r->from, ret, reterr);
    if (rc == 0 && named && r->beside != NULL)
        rc = try_path(in, in_folder(r->beside, in->name), ret, reterr);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const bool at = in->path != NULL && named, beside = named && r->beside != NULL;
    return err_set(reterr, -ENOENT, "%s (%llu bytes, sha256 %s) is not where it was%s%.150s%s%s%.150s%s%.150s; --from names the folder that has it", in->name,
                   (unsigned long long)in->bytes, in->sha256[0] != '\0' ? in->sha256 : "not recorded", at ? " (" : "", at ? in->path : "", at ? ")" : "",
                   r->from != NULL ? ", nor in " : "", r->from != NULL ? r->from : "", beside ? ", nor beside the record in " : "", beside ? r->beside : "");
}
