/*
 * The embedded store: the file `logs.db` in a directory; write-ahead log, synchronous=FULL. Logs
 * come into the table `recent`, become compressed blocks in `segments` and `blocks` in the same
 * transaction or a later one, and may still lie in `logs`, where an older logmill kept them. The
 * tables are in schema.c.
 */
#ifndef LOGMILL_STORE_SQLITE_ADAPTER_H
#define LOGMILL_STORE_SQLITE_ADAPTER_H

#include "store/sqlite/sizes.h"
#include "store/store.h"

/* Opens nothing yet but remembers the directory, which must exist. NULL with `err` on failure. */
struct store *store_sqlite_new(const char *directory, struct errbuf *err);

/* The same with other sizes, for tests; those that are 0 are the defaults. */
struct store *store_sqlite_new_sized(const char *directory, const struct store_sqlite_sizes *sizes,
                                     struct errbuf *err);

#endif
