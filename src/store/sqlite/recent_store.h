/*
 * Storing logs in the table `recent`, in the order of storing: as many rows of it as they need,
 * each of the size that is wanted, or one log; and changing rows that are there. In a transaction
 * of the caller.
 */
#ifndef LOGMILL_STORE_SQLITE_RECENT_STORE_H
#define LOGMILL_STORE_SQLITE_RECENT_STORE_H

#include "block/block.h"
#include "sqlite/db.h"

struct recent_store {
    struct sqlite_db *db;
    size_t row_bytes; /* at which a row ends */
    int64_t stored_us;
    struct buffer raw; /* of the row under way */
    size_t rows;       /* its logs, and what is known of them */
    struct log_key first, highest;
    uint64_t last;
    int64_t first_row; /* `last` of the first row since the beginning; 0: there is none */
    size_t bytes;      /* of all these rows */
};

void recent_store_init(struct recent_store *s, size_t row_bytes);
void recent_store_release(struct recent_store *s);

/* Forgets what was under way. */
void recent_store_begin(struct recent_store *s, struct sqlite_db *db, int64_t stored_us);

/* The next log: its sequence is above that of the one before. LM_EDATA: no row can hold it. */
int recent_store_add(struct recent_store *s, const struct block_row *row,
                     struct errbuf *err) LM_MUST_CHECK;

/* What is still in memory goes into the table. */
int recent_store_end(struct recent_store *s, struct errbuf *err) LM_MUST_CHECK;

/* What a row that is there is to hold: at least one log. */
struct recent_row {
    int64_t last; /* its number, which stays, also if its last log goes */
    uint64_t rows;
    struct log_key first, highest;
    struct slice logs; /* block/raw.h */
};

int recent_store_replace(struct sqlite_db *db, const struct recent_row *row,
                         struct errbuf *err) LM_MUST_CHECK;

/* The row goes; its number is not used again, though nothing in `recent` has it any more. */
int recent_store_delete(struct sqlite_db *db, int64_t last, struct errbuf *err) LM_MUST_CHECK;

#endif
