/*
 * Sealing: what is recent becomes blocks, but for the newest logs and the odd ones. All of it, with
 * the logs of a batch that have no row yet, is sorted by key and divided:
 *
 *     late ── at or below what is sealed ──┬── sealed now ──┬── kept ──┬── early: of a time to come
 *
 * Kept logs, the newest, stay recent, so that a page of the newest needs no block. Late and early
 * ones (odd ones: they would make blocks whose ranges cross all others) stay until they are many,
 * and then become segments of their own. What stays is written anew, as few rows of `recent`.
 *
 * A row that is damaged stays as it is, for a person to look at.
 */
#ifndef LOGMILL_STORE_SQLITE_SEAL_H
#define LOGMILL_STORE_SQLITE_SEAL_H

#include "block/block.h"
#include "sqlite/db.h"
#include "store/sqlite/recent_store.h"
#include "store/sqlite/sizes.h"

struct sealer;

/*
 * What sealing needs, some ten MiB from the first time on. One does for all connections of a store,
 * on whatever threads: only one of them can be in a transaction that writes.
 */
struct sealer *sealer_new(const struct store_sqlite_sizes *sizes); /* which outlive it */
void sealer_free(struct sealer *s);                                /* NULL does nothing */

struct seal_result {
    bool took_batch;   /* false: there was too much besides; its logs are stored nowhere yet */
    size_t sealed;     /* logs that are in blocks now */
    size_t left;       /* logs that could have been sealed, but did not fill a block … */
    size_t left_bytes; /* … and their texts */
};

/*
 * Seals in a transaction of the caller, at `now_us`. `batch`, of n logs in the order of storing,
 * comes after all that is in the file. Rows that stay are written by `recent`. If nothing is to be
 * sealed, nothing is changed: `sealed` is 0 and the batch is not taken. After an error the
 * transaction is to be undone.
 */
int sealer_seal(struct sealer *s, struct sqlite_db *db, const struct block_row *batch, size_t n,
                int64_t now_us, struct recent_store *recent, struct seal_result *result,
                struct errbuf *err) LM_MUST_CHECK;

#endif
