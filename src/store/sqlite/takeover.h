/*
 * What an older logmill left in `logs`, a row each, becomes segments: from the newest to the
 * oldest, some thousand at a time, each in one transaction that stores a hot segment and deletes
 * the rows. So a stop in the middle loses and doubles nothing, and the next step goes on. It is
 * read outside of the transaction: these rows never change, and that they are all still there is
 * seen by how many are deleted.
 *
 * `arrivals`, which tells in which order they were stored, is kept for as long as that can be
 * asked, and goes then.
 */
#ifndef LOGMILL_STORE_SQLITE_TAKEOVER_H
#define LOGMILL_STORE_SQLITE_TAKEOVER_H

#include <stdbool.h>

#include "sqlite/db.h"
#include "store/sqlite/sizes.h"

struct takeover;

struct takeover *takeover_new(const struct store_sqlite_sizes *sizes);
void takeover_free(struct takeover *t); /* NULL does nothing */

/* Does one step. *more: there may be more rows. Called in no transaction. */
int takeover_step(struct takeover *t, struct sqlite_db *db, bool *more,
                  struct errbuf *err) LM_MUST_CHECK;

/* Deletes some of the arrivals that cannot be asked for any more. Called in no transaction. */
int takeover_forget_arrivals(struct sqlite_db *db, int64_t now_us,
                             struct errbuf *err) LM_MUST_CHECK;

#endif
