/*
 * Copies of a database file that others may be writing to meanwhile, in this process or another.
 * What a file has of a write-ahead log is in its copy, which needs none.
 */
#ifndef LOGMILL_SQLITE_SNAPSHOT_H
#define LOGMILL_SQLITE_SNAPSHOT_H

#include "base/errbuf.h"

/*
 * Copies `path` as it is at one moment after the call, without what is free in it, to `into`, which
 * is empty or not there. The file's schema does not matter. Writers are not kept waiting, but the
 * log of a file is not cut while it is copied. Nothing is synced.
 * Returns 0 or an error of sqlite_db_error; then what is in `into` is of no use.
 */
int sqlite_snapshot_take(const char *path, const char *into, struct errbuf *err) LM_MUST_CHECK;

/*
 * Goes through all of the copy `path`: 0 if it is whole, LM_EIO if it is damaged or no database.
 * Writes nothing, and makes no other file.
 */
int sqlite_snapshot_check(const char *path, struct errbuf *err) LM_MUST_CHECK;

#endif
