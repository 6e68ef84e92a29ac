/*
 * Going through all segments of a file, one snapshot each, for those who look into it (info.c,
 * verify.c).
 */
#ifndef LOGMILL_STORE_SQLITE_WALK_H
#define LOGMILL_STORE_SQLITE_WALK_H

#include "sqlite/db.h"
#include "store/sqlite/segment.h"

/* Begins a snapshot, and ends it. */
int walk_begin(struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;
void walk_end(struct sqlite_db *db);

/* The segment after number s->number, in a snapshot of the caller; LM_ENOTFOUND: there is none. */
int walk_next(struct sqlite_db *db, struct segment *s, struct errbuf *err) LM_MUST_CHECK;

/* The number in the first column of the first row that `sql`, a literal, gives; 0 if it is NULL. */
int walk_number(struct sqlite_db *db, const char *sql, uint64_t *number,
                struct errbuf *err) LM_MUST_CHECK;

#endif
