/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What classification came to, each distinct result once: so that flows and conversations hold a pointer, and equal names are equal
 * pointers.  Results come from fixed lists of names, so there are few.
 *
 * Threads: app_list_intern() may be called from any; entries never change or move.
 */
#ifndef ENGINE_APPS_H
#define ENGINE_APPS_H

#include "flowaudit/err.h"
#include "flowaudit/value.h"

#define APPS_MAX 4096

struct app_entry {
    struct app  app;
    const char *name;      /* app.name of the first entry that has this name */
    uint64_t    name_hash; /* the same in every run */
};

struct app_list;
int  app_list_new(struct app_list **ret, struct err *reterr);
void app_list_free(struct app_list *);
/* Compared as bytes, padding too.  A list that is full (it cannot be, short of a fault) tells no more apart: "nothing". */
const struct app_entry *app_list_intern(struct app_list *, const struct app *);
const struct app_entry *app_list_nothing(const struct app_list *);

#endif
