/*
 * The embedded store: the file `logs.db` in a directory; one table, WITHOUT ROWID, PRIMARY
 * KEY(timestamp, id), write-ahead log, synchronous=FULL.
 */
#ifndef LOGMILL_STORE_SQLITE_ADAPTER_H
#define LOGMILL_STORE_SQLITE_ADAPTER_H

#include "store/store.h"

/* Opens nothing yet but remembers the directory, which must exist. NULL with `err` on failure. */
struct store *store_sqlite_new(const char *directory, struct errbuf *err);

#endif
