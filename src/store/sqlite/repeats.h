/*
 * Which logs of a batch are stored already: looked for among recent logs, those of an older
 * logmill, those that were deleted on purpose, and in blocks. In a transaction of the caller, so
 * that nobody stores one meanwhile.
 *
 * A block that is damaged holds nothing here: its logs cannot be read any more, so one of them that
 * is sent again is stored again.
 *
 * Memory: the keys of recent logs, once they are asked for; sizes.key_blocks blocks' keys; some 32
 * bytes a log of the batch.
 */
#ifndef LOGMILL_STORE_SQLITE_REPEATS_H
#define LOGMILL_STORE_SQLITE_REPEATS_H

#include "record/record.h"
#include "sqlite/db.h"
#include "store/sqlite/sizes.h"

enum repeats_fate {
    REPEATS_NEW,
    REPEATS_SAME,     /* it is there, the same in all fields */
    REPEATS_ERASED,   /* it was deleted on purpose, and does not come back */
    REPEATS_CONFLICT, /* another with its key is there, or comes before it in the batch */
};

struct repeats;

struct repeats *repeats_new(const struct store_sqlite_sizes *sizes); /* which outlive it */
void repeats_free(struct repeats *r);                                /* NULL does nothing */

/*
 * The fates of records[0..n). `highest` (NULL: nothing is stored) is at least the highest key that
 * is stored. `*fates` is NULL if all are new; else one a record, until the next call.
 */
int repeats_find(struct repeats *r, struct sqlite_db *db, const struct log_key *highest,
                 const struct record *records, size_t n, const uint8_t **fates,
                 struct errbuf *err) LM_MUST_CHECK;

/* The rows of `recent` are other ones: what is known of them is forgotten. */
void repeats_forget_recent(struct repeats *r);

#endif
