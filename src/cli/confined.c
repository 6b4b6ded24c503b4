/* SPDX-License-Identifier: Apache-2.0 */
/* Rights that a run on files gives up: all capabilities, and all but the record's folder and the system calls of the work. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "flowaudit/confine.h"
#include "flowaudit/engine.h"

char *path_folder(const char *path)
{
    char *real = realpath(path, NULL), *copy = real != NULL ? real : strdup(path);

    if (copy == NULL)
        return NULL;
    char *folder = strdup(dirname(copy));
    free(copy);
    return folder;
}

static bool is_of_another(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid != geteuid();
}

/* Root without capabilities has the rights of a user: enough, unless somebody else's files are to be opened again. */
static bool needs_files_of_others(const struct confined *c, const char *folder)
{
    bool needs = c->any_owner;

    needs |= folder != NULL && (is_of_another(folder) || is_of_another(c->db));

    for (size_t i = 0; !needs && i < c->n_inputs; i++)
        needs = is_of_another(c->inputs[i]);
    return needs;
}

int confine_now(const struct confined *c, struct err *reterr)
{
    struct confine_result  result;
    char                  *folder = c->db != NULL ? path_folder(c->db) : NULL;

    if (c->db != NULL && folder == NULL)
        return err_set(reterr, -ENOMEM, "no memory");
    const struct confine_options o = {
        .write_folders = (const char *const *)&folder,
        .n_write_folders = folder != NULL,
        .read_paths = c->inputs, /* where descriptors run out, they are opened again by their names */
        .n_read_paths = c->n_inputs,
    };
    int rc = confine_become(NULL, needs_files_of_others(c, folder), reterr);
    if (rc == 0)
        rc = confine_lock(&o, &result, reterr);
    if (rc == 0 && c->verbose && result.missing[0] != '\0')
        complain("%s", result.missing);
    free(folder);
    return rc;
}

static int give_up_rights(void *aux, struct err *reterr)
{
    return confine_now(aux, reterr);
}

void confine_engine(struct engine_options *options, struct confined *confined)
{
    options->ready = give_up_rights;
    options->ready_aux = confined;
}
