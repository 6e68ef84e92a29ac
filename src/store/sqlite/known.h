/*
 * What the writer remembers of the file from one transaction to the next, so that storing needs not
 * ask. Others may have written meanwhile, of this process or another: known_refresh sees it.
 */
#ifndef LOGMILL_STORE_SQLITE_KNOWN_H
#define LOGMILL_STORE_SQLITE_KNOWN_H

#include "record/key.h"
#include "sqlite/db.h"

struct known {
    bool is_known;
    uint32_t version;       /* of the data, as SQLite counts what is committed */
    int64_t changes;        /* sequence.changes, when it was last read */
    uint64_t end;           /* the highest number in the order of storing */
    bool is_any;            /* something is stored, at least it was, … */
    struct log_key highest; /* … of no higher key than this */
    /* Of the table recent: */
    int64_t first_row, last_row;    /* its `last`; 0: it is empty */
    uint64_t rows, bytes;           /* logs, and bytes of their raw form */
    uint64_t kept_rows, kept_bytes; /* … of which so many stayed when there was a seal */
};

/*
 * Brings it up to the file, in a write transaction that has just begun. `keep_rows`: of the logs
 * that somebody else has left recent, so many count as kept.
 */
int known_refresh(struct known *k, struct sqlite_db *db, uint64_t keep_rows,
                  struct errbuf *err) LM_MUST_CHECK;

/* Reads anew what there is in the table recent; all of it but `left` logs counts as kept. */
int known_count_kept(struct known *k, struct sqlite_db *db, uint64_t left, uint64_t left_bytes,
                     struct errbuf *err) LM_MUST_CHECK;

/* A transaction of this writer was committed: the file is as `k` says. */
void known_commit(struct known *k, struct sqlite_db *db);

/* CHECKs that it is as the file says, in a transaction. */
void known_check(const struct known *k, struct sqlite_db *db);

#endif
