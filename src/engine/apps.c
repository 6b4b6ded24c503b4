/* SPDX-License-Identifier: Apache-2.0 */
#include "apps.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/hash.h"

struct app_list {
    pthread_mutex_t  lock;
    size_t           n;
    struct app_entry entries[APPS_MAX];
};

/* Ranks of conversations rest on it: never to be changed. */
static uint64_t hash_name(const char *name)
{
    static const struct hash_key always = {UINT64_C(0x70726f746f636f6c), UINT64_C(0x6e616d6573206f66)};

    return hash_bytes(&always, name, strlen(name));
}

static const struct app_entry *add(struct app_list *l, const struct app *app)
{
    struct app_entry *e = &l->entries[l->n];

    memcpy(&e->app, app, sizeof(*app)); /* compared as bytes: padding too */
    e->name = e->app.name;
    for (size_t i = 0; i < l->n && e->name == e->app.name; i++)
        if (strcmp(l->entries[i].app.name, app->name) == 0)
            e->name = l->entries[i].name;
    e->name_hash = hash_name(app->name);
    l->n++;
    return e;
}

int app_list_new(struct app_list **ret, struct err *reterr)
{
    struct app_list *l = calloc(1, sizeof(*l));
    struct app       nothing;

    if (l == NULL || pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return err_set(reterr, -ENOMEM, "no memory for the results of classification");
    }
    memset(&nothing, 0, sizeof(nothing));
    add(l, &nothing);
    *ret = l;
    return 0;
}

void app_list_free(struct app_list *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

const struct app_entry *app_list_nothing(const struct app_list *l)
{
    return &l->entries[0];
}

const struct app_entry *app_list_intern(struct app_list *l, const struct app *app)
{
    const struct app_entry *found = NULL;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n && found == NULL; i++)
        if (memcmp(&l->entries[i].app, app, sizeof(*app)) == 0)
            found = &l->entries[i];
    if (found == NULL)
        found = l->n < APPS_MAX ? add(l, app) : &l->entries[0];
    pthread_mutex_unlock(&l->lock);
    return found;
}
