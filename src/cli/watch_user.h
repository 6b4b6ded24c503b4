/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WATCH_USER_H
#define WATCH_USER_H

#include <stddef.h>

/*
 * As whom a live run goes on that root began without naming a user: as 'flowaudit', the user that the package makes, where that one may write the
 * record; else as the owner of the record's folder.  A name or number, in 'buf'; NULL: we are not root, or nobody but root may write there.
 */
const char *watch_user(const char *db, char *buf, size_t size);

#endif
